//! Loops, what is done about errors, and when a remote is connected to again.

use std::time::Duration;

use martlet_proto::ClosedReason;

use crate::world::{HUB, World, connect, remote};

const SECOND: Duration = Duration::from_secs(1);
const GREETING: &str =
    "INFO {\"client_id\":5,\"leafnode_urls\":[\"h:7009\"],\"compression\":\"off\",\"info_on_connect\":true} \r\n";
const ANSWER: &str =
    "INFO {\"client_id\":5,\"leafnode_urls\":[\"h:7009\"],\"connect_info\":true,\"remote_account\":\"$G\"} \r\n";

#[test]
fn interest_that_comes_back_is_a_loop() {
    // spec: CLU-054
    let world = World::new(&[remote(9, "")]);
    let hub = world.hub(0);
    hub.send(GREETING);
    hub.send(ANSWER);
    let text = hub.received();
    let at = text.find("$LDS.").expect("what loops are looked for with");
    let own = &text[at..at + 27];
    hub.send(&format!("LS+ {own}\r\n"));
    let told = "Loop detected for leafnode account=\"$G\". Delaying attempt to reconnect for 30s";
    assert!(hub.received().contains(&format!("-ERR '{told}'\r\n")));
    assert_eq!(hub.closed(), Some(ClosedReason::ProtocolViolation));
    assert_eq!(world.dials(0), [31 * SECOND]);
}

#[test]
fn whoever_hears_of_a_loop_waits_as_long() {
    // spec: CLU-053 CLU-054
    for (error, closes, wait) in [
        ("Loop detected for leafnode account=\"A\". Delaying attempt to reconnect for 30s", true, 31),
        ("remote leafnode has same cluster name", false, 31),
        ("connection rejected since minimum version required is \"2.99.0\"", false, 6),
        ("Authorization Violation", false, 1),
    ] {
        let world = World::new(&[remote(9, "")]);
        let hub = world.hub(0);
        hub.send(GREETING);
        hub.send(&format!("-ERR '{error}'\r\n"));
        assert_eq!(hub.closed().is_some(), closes, "{error}");
        if !closes {
            hub.hang_up();
        }
        assert_eq!(world.dials(0), [wait * SECOND], "{error}");
    }
}

#[test]
fn a_circle_of_leaf_nodes_is_found_out() {
    // spec: CLU-054
    let both = |to: &str| format!("leafnodes {{ listen: 'h:1', remotes: [ {to} ] }}");
    let at = |n: usize| format!("{{ url: 'nats://h:{}' }}", 7000 + n);
    let world = World::new(&[both(&at(1)), both(&at(2)), both(&at(0))]);
    for _ in 0..3 {
        let up: usize = world.servers.iter().map(|server| server.leafs.len()).sum();
        let waits: Vec<_> = (0..3).flat_map(|n| world.dials(n)).collect();
        assert!(!waits.is_empty() && waits.iter().all(|wait| *wait == 31 * SECOND), "{waits:?}");
        assert_eq!(up / 2 + waits.len(), 3, "those that are not up wait");
        world.advance(31 * SECOND);
    }
}

#[test]
fn two_servers_are_not_each_others_hub() {
    // spec: CLU-054
    let both = |to: usize| format!("leafnodes {{ listen: 'h:1', remotes: [ {{ url: 'nats://h:{}' }} ] }}", 7000 + to);
    let world = World::new(&[both(1), both(0)]);
    let up: usize = world.servers.iter().map(|server| server.leafs.len()).sum();
    assert!(up <= 2, "{up}");
}

#[test]
fn a_remote_is_connected_to_again() {
    // spec: CLU-061
    let slow = "leafnodes { reconnect: '3s', remotes: [ { url: 'nats://h:7001' } ] }";
    let world = World::new(&[slow, HUB]);
    assert_eq!(world.servers[1].leafs.len(), 1);
    world.cut(1);
    assert_eq!((world.servers[1].leafs.len(), world.dials(0)), (0, vec![3 * SECOND]));
    world.advance(3 * SECOND);
    assert_eq!(world.servers[1].leafs.len(), 1);
    world.servers[0].leafs.stop();
    world.cut(1);
    assert!(world.dials(0).is_empty(), "a server that stops connects to nobody");
}

#[test]
fn the_pause_after_a_failure_is_a_little_random() {
    // spec: CLU-061
    let world = World::new(&["leafnodes { reconnect: '3s' }"]);
    let own = world.servers[0].leafs.own();
    let mut dice = fastrand::Rng::with_seed(3);
    let pauses: std::collections::HashSet<_> = (0..100).map(|_| own.pause(&mut dice)).collect();
    assert!(pauses.len() > 90 && pauses.iter().all(|pause| (3 * SECOND..6 * SECOND).contains(pause)));
}

#[test]
fn remotes_come_and_go_with_the_configuration() {
    // spec: CLU-061 CFG-171
    let world = World::new(&[remote(1, ""), HUB.to_owned(), HUB.to_owned()]);
    let up = || (world.servers[1].leafs.len(), world.servers[2].leafs.len());
    assert_eq!(up(), (1, 0));
    world.reload(0, &remote(1, "disabled: true"));
    assert_eq!(up(), (0, 0));
    assert!(world.dials(0).is_empty(), "what is disabled is left alone");
    world.reload(0, &remote(1, ""));
    assert_eq!(up(), (1, 0));
    world.reload(0, "leafnodes { remotes: [ { url: 'nats://h:7001' }, { url: 'nats://h:7002' } ] }");
    assert_eq!(up(), (1, 1));
    world.reload(0, &remote(2, ""));
    assert_eq!(up(), (0, 1));
    world.advance(60 * SECOND);
    assert_eq!(up(), (0, 1), "what is removed stays so");
    let never = World::new(&[remote(1, "disabled: true"), HUB.to_owned()]);
    assert!(never.servers[1].leafs.is_empty() && never.dials(0).is_empty());
}

#[test]
fn a_leaf_node_whose_user_goes_or_changes_is_let_go() {
    // spec: SEC-041
    let config = |user: &str| format!("{HUB} authorization {{ users: [ {{ user: u, password: u }}, {{ {user} }} ] }}");
    let user = r#""user":"l","pass":"l""#;
    for (now, closed) in [
        ("user: l, password: l", None),
        ("user: x, password: l", Some(ClosedReason::AuthenticationViolation)),
        ("user: l, password: x", Some(ClosedReason::AuthenticationViolation)),
        ("user: l, password: l, permissions: { publish: 'a' }", Some(ClosedReason::ClientClosed)),
    ] {
        let world = World::new(&[config("user: l, password: l")]);
        let leaf = world.connected_leaf(0, "l1", user);
        world.reload(0, &config(now));
        assert_eq!(leaf.closed(), closed, "{now}");
    }
    let world = World::new(&[HUB]);
    assert!(world.leaf(0).ask(&connect("l", "")).contains("connect_info"));
}
