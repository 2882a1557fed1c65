//! What may not pass.

use martlet_proto::ClosedReason;
use std::time::Duration;

use crate::world::{HUB, World, remote};

const USERS: &str = "authorization { users: [
  { user: l, password: l, permissions: { publish: { allow: ['pub.>', 'ans.>'], deny: 'pub.no' }, subscribe: { allow: ['sub.>', '_INBOX.>'], deny: 'sub.no' } } }
  { user: r, password: r, permissions: { subscribe: 'svc', allow_responses: true } }
  { user: u, password: u }
] }\n";
const LIMITED: &str = r#""user":"l","pass":"l""#;

#[test]
fn a_hub_tells_and_sends_what_the_user_may() {
    // spec: CLU-057 SEC-042
    let world = World::new(&[format!("{HUB}{USERS}")]);
    let (leaf, client) = (world.connected_leaf(0, "l1", LIMITED), world.user(0, "u"));
    client.send("SUB pub.a 1\r\nSUB pub.no 2\r\nSUB other 3\r\nSUB > 4\r\n");
    assert_eq!(leaf.lines(), ["LS+ >", "LS+ pub.a"]);
    leaf.send("LS+ sub.a\r\nLS+ *.no\r\nLS+ >\r\n");
    client.send("PUB sub.a 1\r\n1\r\nPUB sub.no 1\r\n2\r\nPUB other 1\r\n3\r\n");
    assert_eq!(leaf.received(), "LMSG sub.a 1\r\n1\r\n");
}

#[test]
fn who_goes_further_is_told_and_let_go() {
    // spec: CLU-057
    let world = World::new(&[format!("{HUB}{USERS}")]);
    for (said, error) in [
        ("LS+ other\r\n", "Permissions Violation for Subscription to \"other\""),
        ("LS+ sub.no\r\n", "Permissions Violation for Subscription to \"sub.no\""),
        ("LMSG other 2\r\nhi\r\nLMSG pub.a 2\r\nhi\r\n", "Permissions Violation for Publish to \"other\""),
        ("LMSG pub.no 2\r\nhi\r\n", "Permissions Violation for Publish to \"pub.no\""),
    ] {
        let (leaf, client) = (world.connected_leaf(0, "l1", LIMITED), world.user(0, "u"));
        client.send("SUB > 1\r\n");
        leaf.received();
        assert_eq!(leaf.ask(said), format!("-ERR '{error}'\r\n"));
        assert_eq!(leaf.closed(), Some(ClosedReason::ProtocolViolation));
        assert_eq!(client.received(), "", "nothing of it arrives");
    }
}

#[test]
fn a_leaf_node_keeps_to_what_its_hub_tells() {
    // spec: CLU-057
    let world =
        World::new(&[format!("{HUB}{USERS}"), "leafnodes { remotes: [ { url: 'nats://l:l@h:7000' } ] }".into()]);
    let (top, below) = (world.user(0, "u"), world.client(1));
    top.send("SUB > 1\r\n");
    below.send("SUB sub.a 1\r\nSUB sub.no 2\r\nSUB other 3\r\nSUB *.x 4\r\n");
    assert_eq!(world.wanted_elsewhere(0, "$G"), ["*.x", "sub.a"]);
    below.send("PUB pub.a 1\r\n1\r\nPUB pub.no 1\r\n2\r\nPUB other 1\r\n3\r\n");
    assert_eq!(top.received(), "MSG pub.a 1 1\r\n1\r\n");
    below.received();
    top.send("PUB sub.x 1\r\n1\r\nPUB other.x 1\r\n2\r\n");
    assert_eq!(below.received(), "MSG sub.x 4 1\r\n1\r\n");
    assert_eq!(world.servers[0].leafs.len(), 1, "nobody was let go");
}

#[test]
fn what_the_remote_denies_does_not_pass() {
    // spec: CLU-057 CFG-172
    let world = World::new(&[HUB.to_owned(), remote(0, "deny_imports: 'in.>', deny_exports: 'out.>'")]);
    let (top, below) = (world.client(0), world.client(1));
    top.send("SUB > 1\r\n");
    below.send("SUB > 2\r\nSUB in.x 3\r\nSUB out.x 4\r\n");
    assert_eq!(world.wanted_elsewhere(0, "$G"), [">", "out.x"]);
    below.send("PUB out.x 1\r\n1\r\nPUB in.x 1\r\n2\r\n");
    below.received();
    assert_eq!(top.received(), "MSG in.x 1 1\r\n2\r\n");
    top.send("PUB out.x 1\r\n1\r\nPUB in.x 1\r\n2\r\n");
    let got = below.received();
    assert!(got.contains("MSG out.x 2 1") && got.contains("MSG out.x 4 1") && !got.contains("in.x"), "{got}");
}

#[test]
fn streams_are_reached_in_their_own_domain_only() {
    // spec: CLU-057 CLU-058
    let world = World::new(&[HUB.to_owned(), remote(0, "")]);
    let (top, below) = (world.client(0), world.client(1));
    top.send("SUB $JS.API.> 1\r\nSUB $JS.ACK.> 2\r\nSUB > 3\r\n");
    assert_eq!(world.wanted_elsewhere(1, "$G"), ["$JS.ACK.>", ">"]);
    below.send("PUB $JS.API.INFO 0\r\n\r\nPUB $KV.b.k 0\r\n\r\nPUB a 0\r\n\r\n");
    assert_eq!(top.received(), "MSG a 3 0\r\n\r\n");
}

#[test]
fn a_user_that_may_only_answer_may_answer() {
    // spec: CLU-057
    let world = World::new(&[format!("{HUB}{USERS}")]);
    let (leaf, client) = (world.connected_leaf(0, "l1", r#""user":"r","pass":"r""#), world.user(0, "u"));
    leaf.send("LS+ svc\r\n");
    client.send("SUB in.box 1\r\nPUB svc in.box 1\r\n?\r\n");
    assert_eq!(leaf.received(), "LMSG svc in.box 1\r\n?\r\n");
    leaf.send("LMSG in.box 1\r\n!\r\n");
    assert_eq!(client.received(), "MSG in.box 1 1\r\n!\r\n");
    assert_eq!(leaf.closed(), None);
    leaf.send("LMSG in.box 1\r\n!\r\n");
    assert_eq!(leaf.closed(), Some(ClosedReason::ProtocolViolation), "once");
}

#[test]
fn a_hub_that_dialled_waits_after_a_violation() {
    // spec: CLU-054
    let world = World::new(&[remote(9, "hub: true, deny_exports: 'out.>'")]);
    let leaf = world.hub(0);
    leaf.send("INFO {\"client_id\":5,\"leafnode_urls\":[\"h\"],\"compression\":\"off\"} \r\n");
    leaf.received();
    assert!(leaf.ask("LS+ out.x\r\n").contains("Permissions Violation for Subscription"));
    assert_eq!(world.dials(0), [Duration::from_secs(31)]);
}
