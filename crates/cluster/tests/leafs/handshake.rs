//! How a link begins, at either end, and why it does not.

use std::time::Duration;

use martlet_proto::ClosedReason;
use martlet_proto::Info;
use martlet_proto::link::LeafConnect;

use crate::world::{HUB, World, connect, remote};

const ACCOUNTS: &str = "accounts {
  A { users: [ { user: a, password: a } ], limits: { max_leafnodes: 2 } }
  B { users: [ { user: b, password: b, permissions: { publish: { deny: 'no.>' }, subscribe: 'x.>' } } ] }
}\n";

fn info(line: &str) -> Info {
    let json = line.strip_prefix("INFO ").unwrap_or_else(|| panic!("INFO: {line}"));
    Info::from_json(json.trim().as_bytes()).expect("INFO")
}

fn first_line(text: &str) -> &str {
    text.split("\r\n").next().unwrap_or_default()
}

#[test]
fn a_hub_says_who_it_is_and_answers_connect() {
    // spec: CLU-052 CLU-202 CLU-203
    let world = World::new(&[format!("{HUB}{ACCOUNTS}")]);
    let leaf = world.leaf(0);
    let greeting = leaf.received();
    assert!(greeting.ends_with("} \r\n"), "{greeting}");
    let first = info(&greeting);
    assert_eq!(first.server_name, "s0");
    assert_eq!((first.proto, first.api_lvl, first.auth_required, first.headers), (3, 5, true, true));
    assert!(first.client_id > 0 && first.nonce.len() == 15 && first.info_on_connect && !first.connect_info);
    assert_eq!((first.compression.as_str(), first.ip.as_str()), ("s2_auto", "h:7000"));
    assert_eq!(first.leafnode_urls, ["h:7000"]);
    let text = leaf.ask(&connect("l1", r#""user":"b","pass":"b""#));
    let answer = info(first_line(&text));
    assert!(answer.connect_info && answer.nonce.is_empty() && answer.compression.is_empty());
    assert_eq!((answer.remote_account.as_str(), answer.client_id), ("B", first.client_id));
    let import = answer.import.expect("what it may subscribe to");
    let export = answer.export.expect("what it may publish");
    assert_eq!((import.allow, import.deny), (vec!["x.>".to_owned()], Vec::new()));
    assert_eq!((export.allow, export.deny), (Vec::new(), vec!["no.>".to_owned()]));
    assert!(text.contains("\r\nLS+ $LDS."), "loops are looked for: {text}");
    // spec: CLU-105
    let list = world.servers[0].leafs.list();
    assert_eq!((list.len(), list[0].known.name.as_str(), &*list[0].account), (1, "l1", "B"));
    assert!(!list[0].is_spoke && !list[0].is_solicited);
}

#[test]
fn a_leaf_node_introduces_itself_to_its_hub() {
    // spec: CLU-051 CLU-202
    let seed = "SUAIBDPBAUTWCWBKIO6XHQNINK5FWJW4OHLXC3HQ2KFE4PEJUA44CNHTC4";
    let more = format!("account: A, nkey: {seed}, request_isolation: true, deny_imports: 'in.>', compression: off");
    let world = World::new(&[format!("{ACCOUNTS}{}", remote(9, &more))]);
    let hub = world.hub(0);
    assert_eq!(hub.received(), "", "the hub speaks first");
    hub.send("INFO {\"server_id\":\"NH\",\"server_name\":\"hub\",\"proto\":3,\"headers\":true,\"client_id\":5,\"nonce\":\"abc\",\
              \"compression\":\"s2_auto\",\"info_on_connect\":true,\"leafnode_urls\":[\"h:7009\"]} \r\n");
    let said = hub.received();
    let json = said.strip_prefix("CONNECT ").expect("CONNECT").trim();
    let said = LeafConnect::from_json(json.as_bytes()).expect("CONNECT");
    assert_eq!((said.name.as_str(), said.cluster.as_str(), said.remote_account.as_str()), ("s0", "s0", "A"));
    assert_eq!((said.compress_mode.as_str(), said.protocol, said.headers), ("off", 3, true));
    assert_eq!((said.version.as_str(), said.is_hub, said.isolate), ("2.15.1", false, true));
    assert_eq!(said.deny_pub, ["in.>"]);
    assert!(said.nkey.starts_with('U') && said.sig.len() == 86, "{said:?} {}", said.sig);
    hub.send("INFO {\"server_id\":\"NH\",\"server_name\":\"hub\",\"client_id\":5,\"connect_info\":true,\"remote_account\":\"H\",\
              \"info_on_connect\":true,\"leafnode_urls\":[\"h:7009\"]} \r\n");
    assert!(hub.received().contains("LS+ $LDS."));
    let list = world.servers[0].leafs.list();
    assert_eq!((list[0].known.account.as_str(), list[0].known.name.as_str()), ("H", "hub"));
    assert!(list[0].is_spoke && list[0].is_solicited);
}

#[test]
fn names_and_passwords_come_from_the_address() {
    // spec: CLU-064
    for (url, expected) in
        [("nats://u:p@h:7009", ("u", "p", "")), ("nats://t@h:7009", ("t", "", "t")), ("nats://h:7009", ("", "", ""))]
    {
        let world = World::new(&[format!("leafnodes {{ remotes: [ {{ url: '{url}' }} ] }}")]);
        let hub = world.hub(0);
        hub.send("INFO {\"client_id\":5,\"leafnode_urls\":[\"h:7009\"]} \r\n");
        let said = hub.received();
        let json = first_line(&said).strip_prefix("CONNECT ").expect("CONNECT");
        let said = LeafConnect::from_json(json.as_bytes()).expect("CONNECT");
        assert_eq!((said.user.as_str(), said.pass.as_str(), said.auth_token.as_str()), expected, "{url}");
    }
}

#[test]
fn a_hub_that_answers_nothing_is_told_of_interest_behind_connect() {
    // spec: CLU-203
    let world = World::new(&[remote(9, "compression: off")]);
    let client = world.client(0);
    client.send("SUB a 1\r\n");
    let hub = world.hub(0);
    hub.send("INFO {\"client_id\":5,\"leafnode_urls\":[\"h:7009\"]} \r\n");
    let text = hub.received();
    let (connect, rest) = text.split_once("\r\n").expect("lines");
    assert!(connect.starts_with("CONNECT "), "{text}");
    assert!(rest.contains("LS+ a\r\n") && rest.contains("LS+ $LDS."), "{text}");
}

#[test]
fn compression_is_agreed_on_before_connect() {
    // spec: CLU-064 CLU-052
    let world = World::new(&[HUB]);
    let leaf = world.leaf(0);
    leaf.received();
    leaf.send("INFO {\"server_id\":\"NL\",\"compression\":\"s2_fast\"}\r\n");
    let confirmed = info(&leaf.received());
    assert_eq!(confirmed.compression, "s2_auto");
    assert_eq!(confirmed.nonce.len(), 15);
    leaf.send(&connect("l1", "").replace("\"off\"", "\"s2_fast\""));
    assert!(info(first_line(&leaf.received())).connect_info);
    assert_eq!(world.servers[0].leafs.list()[0].known.compression, "s2_uncompressed");
    // Whoever dials says so in the clear, and waits for the answer before it goes on.
    let world = World::new(&[remote(9, "compression: s2_best")]);
    let hub = world.hub(0);
    hub.send(
        "INFO {\"client_id\":5,\"leafnode_urls\":[\"h\"],\"compression\":\"accept\",\"info_on_connect\":true} \r\n",
    );
    assert_eq!(info(&hub.received()).compression, "s2_best");
    hub.send(
        "INFO {\"client_id\":5,\"leafnode_urls\":[\"h\"],\"compression\":\"s2_best\",\"info_on_connect\":true} \r\n",
    );
    assert!(hub.received().contains("\"compress_mode\":\"s2_best\""));
}

#[test]
fn who_cannot_be_a_leaf_node_is_told_why() {
    // spec: CLU-053 CLU-054 SEC-102 SEC-005 SEC-054
    let config = format!(
        "cluster {{ name: C, listen: 'h:6000' }}\nleafnodes {{ listen: 'h:7000', min_version: 2.12.0 }}\n{ACCOUNTS}"
    );
    let world = World::new(&[config]);
    let user = r#""user":"b","pass":"b""#;
    let with = |name: &str, from: &str, to: &str| connect(name, user).replace(from, to);
    for (said, error, reason) in [
        (connect("l", r#""user":"b","pass":"x""#), "Authorization Violation", ClosedReason::AuthenticationViolation),
        (connect("l", ""), "Authorization Violation", ClosedReason::AuthenticationViolation),
        (
            connect("l", &format!("{user},\"lang\":\"go\"")),
            "attempted to connect to leaf node port",
            ClosedReason::WrongPort,
        ),
        (connect("C", user), "remote leafnode has same cluster name", ClosedReason::ClusterNamesIdentical),
        (connect("c d", user), "cluster name cannot contain spaces", ClosedReason::ProtocolViolation),
        (
            with("l", "2.15.1", "2.11.9"),
            "connection rejected since minimum version required is \"2.12.0\"",
            ClosedReason::MinimumVersionRequired,
        ),
        (
            connect("l", &format!("{user},\"gateway\":\"G\"")),
            "Rejecting connection from gateway \"G\" on the leafnode port",
            ClosedReason::WrongGateway,
        ),
    ] {
        let leaf = world.leaf(0);
        let text = leaf.ask(&said);
        assert!(text.contains(&format!("-ERR '{error}'\r\n")), "{said}: {text}");
        assert_eq!(leaf.closed(), Some(reason), "{said}");
        assert_eq!(text.starts_with("INFO "), error.contains("minimum"), "{said}: {text}");
    }
    assert!(world.servers[0].leafs.is_empty());
    let account = world.servers[0].broker.accounts.get("B").expect("B");
    assert_eq!(account.leafs(), 0, "who is refused does not count");
}

#[test]
fn an_account_has_so_many_leaf_nodes() {
    // spec: SEC-054 CFG-252
    let world = World::new(&[format!("{HUB}{ACCOUNTS}")]);
    let user = r#""user":"a","pass":"a""#;
    let first = world.connected_leaf(0, "l1", user);
    let _second = world.connected_leaf(0, "l2", user);
    let third = world.leaf(0);
    assert!(third.ask(&connect("l3", user)).contains("-ERR 'maximum account active connections exceeded'"));
    assert_eq!(third.closed(), Some(ClosedReason::MaxAccountConnectionsExceeded));
    first.hang_up();
    let fourth = world.connected_leaf(0, "l4", user);
    assert_eq!(fourth.closed(), None);
}

#[test]
fn a_server_that_connects_again_takes_its_old_connections_place() {
    // spec: CLU-065
    let world = World::new(&[HUB]);
    let old = world.connected_leaf(0, "l1", "");
    let other = world.connected_leaf(0, "l2", "");
    let new = world.connected_leaf(0, "l1", "");
    assert_eq!(old.received(), "-ERR 'Duplicate Remote LeafNode Connection'\r\n");
    assert_eq!(old.closed(), Some(ClosedReason::DuplicateRemoteLeafnodeConnection));
    assert_eq!((other.closed(), new.closed()), (None, None));
    assert_eq!(world.servers[0].leafs.len(), 2);
}

#[test]
fn another_port_is_not_taken_for_a_hub() {
    // spec: CLU-064
    for said in [
        "INFO {\"server_id\":\"X\",\"client_id\":3} \r\n",
        "INFO {\"server_id\":\"X\",\"leafnode_urls\":[\"h:1\"]} \r\n",
    ] {
        let world = World::new(&[remote(9, "")]);
        let hub = world.hub(0);
        hub.send(said);
        assert_eq!(hub.closed(), Some(ClosedReason::WrongPort));
        assert_eq!(world.dials(0), [Duration::from_secs(1)]);
    }
}

#[test]
fn nobody_is_waited_for_for_ever() {
    // spec: CLU-061
    let world = World::new(&[remote(9, "first_info_timeout: '300ms'"), HUB.to_owned()]);
    let hub = world.hub(0);
    world.advance(Duration::from_millis(299));
    assert_eq!(hub.closed(), None);
    world.advance(Duration::from_millis(1));
    assert_eq!(hub.closed(), Some(ClosedReason::ReadError));
    world.advance(Duration::from_secs(1));
    // A handshake before the first word takes its own time.
    let hub = world.hub(0);
    world.advance(Duration::from_millis(200));
    hub.secure();
    world.advance(Duration::from_millis(299));
    assert_eq!(hub.closed(), None);
    world.advance(Duration::from_millis(1));
    assert_eq!(hub.closed(), Some(ClosedReason::ReadError));
    world.advance(Duration::from_secs(1));
    let silent = world.hub(0);
    silent.ask("INFO {\"client_id\":5,\"leafnode_urls\":[\"h\"],\"info_on_connect\":true} \r\n");
    world.advance(Duration::from_secs(2));
    assert_eq!(silent.received(), "-ERR 'Stale Leaf Node Connection - Closing'\r\n");
    let leaf = world.leaf(1);
    leaf.received();
    world.advance(Duration::from_secs(2));
    assert_eq!(leaf.received(), "-ERR 'Authentication Timeout'\r\n");
    assert_eq!(leaf.closed(), Some(ClosedReason::AuthenticationTimeout));
}

#[test]
fn who_does_not_introduce_itself_is_not_listened_to() {
    // spec: CORE-015
    let world = World::new(&["leafnodes { listen: 'h:7000', compression: off }"]);
    let leaf = world.leaf(0);
    assert!(leaf.ask("PING\r\n").contains("-ERR 'Authorization Violation'"));
    assert_eq!(leaf.closed(), Some(ClosedReason::AuthenticationViolation));
    let world = World::new(&[HUB]);
    let leaf = world.leaf(0);
    assert!(leaf.ask("nonsense\r\n").contains("-ERR 'Authorization Violation'"));
    assert_eq!(leaf.closed(), Some(ClosedReason::AuthenticationViolation));
    let world = World::new(&[remote(9, "")]);
    let hub = world.hub(0);
    assert!(hub.ask("LS+ a\r\n").contains("-ERR 'Authorization Violation'"));
    assert_eq!(hub.closed(), Some(ClosedReason::ProtocolViolation));
}

#[test]
fn both_sides_ping_soon() {
    // spec: CLU-207
    let world = World::new(&[HUB]);
    let leaf = world.connected_leaf(0, "l1", "");
    world.advance(Duration::from_secs(1));
    assert_eq!(leaf.received(), "PING\r\n");
    assert_eq!(leaf.ask("PONG\r\nPING\r\n"), "PONG\r\n");
}

#[test]
fn a_hub_tells_leaf_nodes_of_the_other_members() {
    // spec: CLU-052 CLU-063
    let world = World::new(&[HUB]);
    let leaf = world.connected_leaf(0, "l1", "");
    world.servers[0].broker.set_leafnode_urls(vec!["other:7422".into()]);
    world.settle();
    let told = info(&leaf.received());
    assert_eq!(told.leafnode_urls, ["h:7000", "other:7422"]);
    assert!(!told.connect_info && told.compression.is_empty());
}
