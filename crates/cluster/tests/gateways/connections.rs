//! Who is connected to whom, and what is said first.

use martlet_cluster::gateway::{Mode, Outward};
use martlet_config::options::LinkUrl;
use martlet_proto::ClosedReason;

use crate::support::{World, with_gateway};
use crate::{connected, lone_clusters, super_cluster};

fn texts(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

#[test]
fn every_server_has_one_way_to_each_other_cluster() {
    // spec: CLU-043 CLU-050
    let world = super_cluster("");
    let mut inbound = 0;
    for server in 0..4 {
        let other = if server < 2 { "B" } else { "A" };
        let (to, from) = connected(&world, server);
        assert_eq!(to, [other], "from {server}");
        inbound += from.len();
        let gateways = world.servers[server].gateways.as_ref().expect("gateways");
        let accounts = &gateways.outbound()[0].accounts;
        let modes: Vec<_> = accounts.iter().map(|account| (account.name.as_str(), account.mode)).collect();
        assert_eq!(modes, [("$G", Mode::InterestOnly), ("$SYS", Mode::InterestOnly)]);
    }
    assert_eq!(inbound, 4);
}

#[test]
fn who_is_connected_to_connects_back() {
    // spec: CLU-043
    let world = lone_clusters(&[&[1], &[]], "");
    assert_eq!(connected(&world, 1), (texts(&["A"]), texts(&["A"])));
    assert!(!world.servers[1].gateways.as_ref().expect("gateways").outbound()[0].is_configured);
    assert!(world.servers[0].gateways.as_ref().expect("gateways").outbound()[0].is_configured);
}

#[test]
fn who_is_heard_of_is_connected_to() {
    // spec: CLU-042 CLU-043
    // B and C know A only.
    let world = lone_clusters(&[&[], &[0], &[0]], "");
    for server in 0..3 {
        let others: Vec<_> = ["A", "B", "C"].into_iter().filter(|name| *name != ["A", "B", "C"][server]).collect();
        assert_eq!(connected(&world, server), (texts(&others), texts(&others)), "{server}");
    }
}

#[test]
fn members_hear_of_clusters_from_each_other() {
    // spec: CLU-043 CLU-197
    let of_a = |n: usize, routes: &[usize], remotes: &[(&str, usize)]| {
        let cluster = crate::clustered(n, "", routes).replace("name: C,", "name: A,");
        format!("{cluster}{}", with_gateway(n, "A", "", remotes))
    };
    // The member that joins later does not know B.
    let configs = [of_a(0, &[], &[("B", 2)]), of_a(1, &[0], &[]), with_gateway(2, "B", "", &[])];
    let world = World::new(&configs, 1);
    world.solicit();
    world.retry_patiently();
    assert_eq!(connected(&world, 1).0, ["B"]);
    // And B knows both of A by now.
    let urls = world.servers[2].gateways.as_ref().expect("gateways").urls("A", &mut fastrand::Rng::with_seed(1));
    assert!(urls.is_empty(), "no more than one connection is wanted");
    world.kill(0);
    world.retry_patiently();
    assert_eq!(connected(&world, 2).0, ["A"], "by way of the other member");
}

#[test]
fn connections_are_made_again() {
    // spec: CLU-043
    let world = lone_clusters(&[&[1], &[]], "");
    world.part(0, 1);
    assert_eq!(connected(&world, 0), (vec![], vec![]));
    world.heal(0, 1);
    world.retry_patiently();
    assert_eq!(connected(&world, 0), (texts(&["B"]), texts(&["B"])));
    assert_eq!(connected(&world, 1), (texts(&["A"]), texts(&["A"])));
}

#[test]
fn a_cluster_heard_of_is_given_up_in_the_end() {
    // spec: CLU-043
    let world = lone_clusters(&[&[], &[0]], "");
    let gateways = world.servers[0].gateways.as_ref().expect("gateways");
    assert!(!gateways.give_up("B"), "it is connected");
    world.kill(1);
    assert!(gateways.give_up("B"));
    assert!(!gateways.is_configured("B") && gateways.urls("B", &mut fastrand::Rng::with_seed(1)).is_empty());
    let other = lone_clusters(&[&[1], &[]], "");
    other.kill(1);
    assert!(!other.servers[0].gateways.as_ref().expect("gateways").give_up("B"), "what is configured never is");
}

#[test]
fn strangers_may_be_turned_away() {
    // spec: CLU-041
    let strict = with_gateway(0, "A", "reject_unknown: true", &[("C", 2)]);
    let configs = [strict, with_gateway(1, "B", "", &[("A", 0)]), with_gateway(2, "C", "", &[("A", 0)])];
    let world = World::new(&configs, 1);
    world.solicit();
    world.retry_patiently();
    assert_eq!(connected(&world, 0), (texts(&["C"]), texts(&["C"])));
    assert_eq!(connected(&world, 1), (vec![], vec![]));
}

#[test]
fn a_cluster_one_did_not_want() {
    // spec: CLU-041
    let world = lone_clusters(&[&[1], &[]], "");
    let url = LinkUrl::parse("nats://h:7001").expect("a URL");
    let [out, accepted] = world.connect_gateway(0, 1, &Outward { cluster: "NORTH".into(), url });
    world.settle();
    assert_eq!(out.closed.get(), Some(ClosedReason::WrongGateway));
    assert!(accepted.closed.get().is_some());
    assert_eq!(connected(&world, 0).0, ["B"], "the others stay");
}

#[test]
fn one_does_not_connect_to_oneself() {
    // spec: CLU-041 CFG-166
    let world = World::new(&[with_gateway(0, "A", "", &[("A", 0), ("B", 0)])], 1);
    world.solicit();
    world.retry();
    assert_eq!(connected(&world, 0), (vec![], vec![]));
}

#[test]
fn first_words() {
    // spec: CLU-040 CLU-049 CLU-198 CLU-199 CLU-200 CLU-201
    let world = World::new(&[with_gateway(0, "A", "", &[]), with_gateway(1, "B", "", &[("A", 0)])], 1);
    let client = world.quiet(0);
    client.send("SUB plain 1\r\nSUB qq grp 2\r\nSUB qq grp 3\r\n");
    let url = LinkUrl::parse("nats://h:7000").expect("a URL");
    let [dialler, accepted] = world.connect_gateway(1, 0, &Outward { cluster: "A".into(), url });
    world.settle();
    let (said, answered) = (accepted.said(), dialler.said());
    let lines: Vec<_> = said.split("\r\n").collect();
    let (a, b) = (&world.servers[0].broker.identity().id, &world.servers[1].broker.identity().id);
    let info = |id: &str, name: &str, port: u16, cluster: &str| {
        format!(
            r#"INFO {{"server_id":"{id}","server_name":"{name}","version":"2.15.1","proto":3,"go":"","host":"h","port":{port},"headers":true,"max_payload":1048576,"gateway":"{cluster}","gateway_urls":["h:{port}"],"gateway_url":"h:{port}","gateway_nrp":true,"gateway_iom":true}}"#
        )
    };
    assert_eq!(lines[0], info(a, "s0", 7000, "A"));
    let connect = format!(
        r#"CONNECT {{"echo":false,"verbose":false,"pedantic":false,"tls_required":false,"headers":false,"name":"{b}","cluster":"","gateway":"B"}}"#
    );
    assert_eq!(answered.split("\r\n").take(2).collect::<Vec<_>>(), [connect, info(b, "s1", 7001, "B")]);
    let command = |number: u8, account: &str| {
        format!(
            r#"INFO {{"server_id":"","server_name":"","version":"","proto":0,"go":"","host":"","port":0,"headers":false,"max_payload":0,"gateway":"A","gateway_cmd":{number},"gateway_cmd_payload":"{account}"}}"#
        )
    };
    let at = |line: &str| lines.iter().position(|l| *l == line).unwrap_or_else(|| panic!("{line} in {said}"));
    let (start, end) = (at(&command(2, "JEc=")), at(&command(3, "JEc=")));
    let mut between = lines[start + 1..end].to_vec();
    between.sort_unstable();
    assert_eq!(between, ["RS+ $G plain", "RS+ $G qq grp 1"]);
    client.send("PUB plain 2\r\nhi\r\n");
    let other = world.quiet(1);
    other.send("PUB plain 2\r\nhi\r\nPUB qq re 2\r\nhi\r\nHPUB plain 12 14\r\nNATS/1.0\r\n\r\nhi\r\n");
    let sent = dialler.said();
    let sent =
        sent.split_once("gateway_iom\":true}\r\n").expect("INFO").1.replace("PING\r\n", "").replace("PONG\r\n", "");
    assert_eq!(
        sent,
        "RMSG $G plain 2\r\nhi\r\nRMSG $G qq + re grp 2\r\nhi\r\nHMSG $G plain 12 14\r\nNATS/1.0\r\n\r\nhi\r\n"
    );
}
