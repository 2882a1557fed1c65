//! Messages between hubs, leaf nodes and their clients.

use martlet_proto::ClosedReason;

use crate::world::{HUB, World, remote};

#[test]
fn lines_are_those_of_leaf_node_links() {
    // spec: CLU-055 CLU-206
    let world = World::new(&[HUB]);
    let (leaf, client) = (world.connected_leaf(0, "l1", ""), world.client(0));
    leaf.send("LS+ a\r\nLS+ q g 1\r\n");
    for (publish, line) in [
        ("PUB a 2\r\nhi\r\n", "LMSG a 2\r\nhi\r\n"),
        ("PUB a re.ply 2\r\nhi\r\n", "LMSG a re.ply 2\r\nhi\r\n"),
        ("HPUB a 12 14\r\nNATS/1.0\r\n\r\nhi\r\n", "HMSG a 12 14\r\nNATS/1.0\r\n\r\nhi\r\n"),
        ("PUB q 2\r\nhi\r\n", "LMSG q | g 2\r\nhi\r\n"),
        ("PUB q re.ply 2\r\nhi\r\n", "LMSG q + re.ply g 2\r\nhi\r\n"),
    ] {
        client.send(publish);
        assert_eq!(leaf.received(), line);
    }
    client.send("SUB > 1\r\n");
    leaf.received();
    for (line, delivered) in [
        ("LMSG b 2\r\nhi\r\n", "MSG b 1 2\r\nhi\r\n"),
        ("LMSG b re.ply 2\r\nhi\r\n", "MSG b 1 re.ply 2\r\nhi\r\n"),
        ("HMSG b 12 14\r\nNATS/1.0\r\n\r\nhi\r\n", "HMSG b 1 12 14\r\nNATS/1.0\r\n\r\nhi\r\n"),
    ] {
        leaf.send(line);
        assert_eq!(client.received(), delivered);
    }
    assert_eq!(leaf.received(), "", "nothing comes back");
}

#[test]
fn requests_cross_in_both_directions() {
    // spec: CLU-056
    let world = World::new(&[HUB.to_owned(), remote(0, ""), remote(0, "")]);
    let (top, one, two) = (world.client(0), world.client(1), world.client(2));
    for (server, asking) in [(&top, &one), (&one, &top), (&one, &two)] {
        server.send("SUB svc 1\r\n");
        asking.send("SUB in.box 2\r\nPUB svc in.box 1\r\n?\r\n");
        assert_eq!(server.received(), "MSG svc 1 in.box 1\r\n?\r\n");
        server.send("PUB in.box 1\r\n!\r\n");
        assert_eq!(asking.received(), "MSG in.box 2 1\r\n!\r\n");
        server.send("UNSUB 1\r\n");
        asking.send("UNSUB 2\r\n");
    }
    top.send("SUB own 5\r\nPUB nobody own 1\r\n?\r\n");
    assert!(top.received().contains("503"), "nobody anywhere");
}

#[test]
fn of_a_group_one_member_is_served_and_one_nearby_first() {
    // spec: CORE-095
    let world = World::new(&[HUB.to_owned(), remote(0, ""), remote(0, "")]);
    let (top, one, two) = (world.client(0), world.client(1), world.client(2));
    one.send("SUB q g 1\r\n");
    two.send("SUB q g 1\r\n");
    for _ in 0..60 {
        top.send("PUB q 1\r\n?\r\n");
    }
    let (a, b) = (one.received().matches("MSG").count(), two.received().matches("MSG").count());
    assert_eq!(a + b, 60);
    assert!(a > 10 && b > 10, "{a} {b}");
    top.send("SUB q g 1\r\n");
    for _ in 0..20 {
        top.send("PUB q 1\r\n?\r\n");
    }
    assert_eq!(top.received().matches("MSG").count(), 20);
    assert_eq!(one.received() + &two.received(), "");
    for _ in 0..20 {
        one.send("PUB q 1\r\n?\r\n");
    }
    assert_eq!(one.received().matches("MSG").count(), 20, "the publisher's own server first");
}

#[test]
fn groups_of_leaf_nodes_share_by_their_weight() {
    // spec: CORE-095
    let world = World::new(&[HUB]);
    let (one, two, client) = (world.connected_leaf(0, "l1", ""), world.connected_leaf(0, "l2", ""), world.client(0));
    one.send("LS+ q g 1\r\n");
    two.send("LS+ q g 9\r\n");
    one.received();
    two.received();
    for _ in 0..400 {
        client.send("PUB q 1\r\n?\r\n");
    }
    let few = one.received().matches("LMSG q | g 1").count();
    assert!((10..90).contains(&few), "{few} of 400");
}

#[test]
fn what_members_send_for_a_group_is_for_those_here_and_else_for_a_leaf_node() {
    // spec: CORE-094 CORE-095 CORE-097
    let cluster = |n: usize| format!("cluster {{ name: C, listen: 'h:{}', routes: ['nats://h:6000'] }}\n", 6000 + n);
    let world = World::new(&[format!("{}{HUB}", cluster(0)), cluster(1)]);
    let (one, two) = (world.connected_leaf(0, "l1", ""), world.connected_leaf(0, "l2", ""));
    let (here, member) = (world.client(0), world.client(1));
    one.send("LS+ q g 1\r\n");
    two.send("LS+ q g 1\r\n");
    let served = || {
        one.received();
        two.received();
        for _ in 0..60 {
            member.send("PUB q 2\r\nhi\r\n");
        }
        [&one, &two].map(|leaf| leaf.received().matches("LMSG q | g 2").count())
    };
    let [a, b] = served();
    assert_eq!(a + b, 60, "one of them each time");
    assert!(a > 10 && b > 10, "{a} {b}");
    here.send("SUB q g 1\r\nSUB q other 2\r\n");
    assert_eq!(served(), [0, 0]);
    let got = here.received();
    assert_eq!((got.matches("MSG q 1 2").count(), got.matches("MSG q 2 2").count()), (60, 60));
    one.send("LMSG q | other 2\r\nhi\r\n");
    assert_eq!(here.received(), "MSG q 2 2\r\nhi\r\n", "only the group that is named");
}

#[test]
fn messages_of_members_go_down_and_not_up() {
    // spec: CORE-096 CORE-099 CLU-066
    let cluster = |n: usize| format!("cluster {{ name: C, listen: 'h:{}', routes: ['nats://h:6000'] }}\n", 6000 + n);
    let world = World::new(&[format!("{}{HUB}", cluster(0)), format!("{}{HUB}", cluster(1))]);
    let (leaf, member) = (world.connected_leaf(0, "L", ""), world.client(1));
    leaf.send("LS+ a\r\n");
    member.send("PUB a 2\r\nhi\r\n");
    assert_eq!(leaf.received(), "LMSG a 2\r\nhi\r\n");
    let (same, other) = (world.connected_leaf(1, "L", ""), world.connected_leaf(1, "M", ""));
    same.send("LS+ x\r\n");
    other.send("LS+ x\r\n");
    member.send("SUB x 1\r\n");
    for leaf in [&leaf, &same, &other] {
        leaf.received();
    }
    leaf.send("LMSG x 2\r\nhi\r\n");
    assert_eq!(member.received(), "MSG x 1 2\r\nhi\r\n");
    assert_eq!(other.received(), "LMSG x 2\r\nhi\r\n");
    assert_eq!(same.received().matches("LMSG").count(), 0, "its own cluster");
    // A server that is a leaf node with its whole cluster: what the hub sends is for its own clients.
    let world = World::new(&[
        format!("{}{}", cluster(0), remote(2, "")),
        format!("{}{}", cluster(1), remote(2, "")),
        HUB.to_owned(),
    ]);
    let (zero, one, top) = (world.client(0), world.client(1), world.client(2));
    zero.send("SUB a 1\r\n");
    one.send("SUB a 1\r\nSUB q g 2\r\n");
    top.send("PUB a 2\r\nhi\r\n");
    assert_eq!(zero.received(), "MSG a 1 2\r\nhi\r\n");
    assert_eq!(one.received(), "MSG a 1 2\r\nhi\r\n", "once");
    top.send("SUB up 1\r\nSUB q g 2\r\n");
    one.send("PUB up 2\r\nhi\r\n");
    assert_eq!(top.received(), "MSG up 1 2\r\nhi\r\n", "once");
}

#[test]
fn mappings_are_applied_where_a_message_comes_in() {
    // spec: CORE-110
    let mapping = "mappings: { from: to }\n";
    let world = World::new(&[format!("{HUB}{mapping}")]);
    let (leaf, client) = (world.connected_leaf(0, "l1", ""), world.client(0));
    client.send("SUB to 1\r\nSUB to g 2\r\n");
    leaf.send("LMSG from 2\r\nhi\r\n");
    let got = client.received();
    assert!(got.contains("MSG to 1 2\r\n") && got.contains("MSG to 2 2\r\n"), "{got}");
}

#[test]
fn services_of_other_accounts_answer_leaf_nodes() {
    // spec: CLU-056 SEC-047
    let accounts = "accounts {
      A { users: [{ user: a, password: a }], imports: [ { service: { account: B, subject: svc } } ] }
      B { users: [{ user: b, password: b }], exports: [ { service: svc } ] }
    }\n";
    let world = World::new(&[format!("{HUB}{accounts}")]);
    let (leaf, service) = (world.connected_leaf(0, "l1", r#""user":"a","pass":"a""#), world.user(0, "b"));
    service.send("SUB svc workers 1\r\n");
    leaf.send("LS+ in.box\r\n");
    leaf.received();
    leaf.send("LMSG svc in.box 1\r\n?\r\n");
    let asked = service.received();
    let reply = asked.split(' ').nth(3).expect("a reply subject").to_owned();
    assert!(reply.starts_with("_R_."), "{asked}");
    service.send(&format!("PUB {reply} 1\r\n!\r\n"));
    assert!(leaf.received().contains("LMSG in.box 1\r\n!\r\n"));
}

#[test]
fn a_service_is_reached_in_the_cluster_that_asks_through_another_account() {
    // spec: SEC-047 CLU-066
    let accounts = |imports: &str| {
        format!(
            "accounts {{
              A {{ users: [{{ user: a, password: a }}], exports: [ {{ service: svc }} ] }}
              B {{ users: [{{ user: b, password: b }}] {imports} }}
            }}\n"
        )
    };
    let remotes = "leafnodes { remotes: [ { url: 'nats://a:a@h:7000', account: A }, { url: 'nats://b:b@h:7000', account: B } ] }\n";
    let hub = format!("{HUB}{}", accounts(", imports: [ { service: { account: A, subject: svc } } ]"));
    let world = World::new(&[hub, format!("{remotes}{}", accounts(""))]);
    let (service, client) = (world.user(1, "a"), world.user(1, "b"));
    service.send("SUB svc 1\r\n");
    client.send("SUB in 1\r\nPUB svc in 1\r\n?\r\n");
    let asked = service.received();
    let reply = asked.split(' ').nth(3).expect("a reply subject").to_owned();
    service.send(&format!("PUB {reply} 1\r\n!\r\n"));
    assert_eq!(client.received(), "MSG in 1 1\r\n!\r\n");
}

#[test]
fn headers_are_left_out_for_who_takes_none() {
    // spec: CLU-055
    let world = World::new(&[HUB]);
    let (leaf, client) = (world.connected_leaf(0, "l1", r#""headers":false"#), world.client(0));
    leaf.send("LS+ a\r\n");
    client.send("HPUB a 12 14\r\nNATS/1.0\r\n\r\nhi\r\n");
    assert_eq!(leaf.received(), "LMSG a 2\r\nhi\r\n");
}

#[test]
fn a_message_may_be_too_large() {
    // spec: SEC-076
    let world = World::new(&[format!("max_payload: 10\n{HUB}")]);
    for message in ["LMSG a 11\r\n", "LMSG a 11\r\n01234567890\r\n"] {
        let leaf = world.connected_leaf(0, "l1", "");
        assert_eq!(leaf.ask("LMSG a 10\r\n0123456789\r\n"), "");
        assert_eq!(leaf.ask(message), "-ERR 'Maximum Payload Violation'\r\n");
        assert_eq!(leaf.closed(), Some(ClosedReason::MaxPayloadExceeded));
    }
}
