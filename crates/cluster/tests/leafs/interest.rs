//! What each side tells the other that it wants.

use crate::world::{HUB, World, remote};

#[test]
fn a_hub_tells_everything_a_leaf_node_its_own() {
    // spec: CLU-055 CLU-056
    let world = World::new(&[HUB]);
    let early = world.client(0);
    early.send("SUB early 1\r\nSUB q g 2\r\nSUB q g 3\r\n");
    let leaf = world.leaf(0);
    leaf.received();
    leaf.send(&crate::world::connect("l1", ""));
    let lines = leaf.lines();
    assert_eq!(lines.iter().filter(|l| l.starts_with("LS")).cloned().collect::<Vec<_>>(), ["LS+ early", "LS+ q g 2"]);
    early.send("SUB early 4\r\nSUB late.* 5\r\n");
    assert_eq!(leaf.lines(), ["LS+ late.*"], "said once, however many want it");
    early.send("UNSUB 1\r\n");
    assert!(leaf.lines().is_empty());
    early.send("UNSUB 4\r\n");
    assert_eq!(leaf.lines(), ["LS- early"]);
    early.hang_up();
    assert_eq!(leaf.lines(), ["LS+ q g 1", "LS- late.*", "LS- q g"]);
}

#[test]
fn the_weight_of_a_group_is_told_with_every_change() {
    // spec: CLU-205
    let world = World::new(&[HUB]);
    let leaf = world.connected_leaf(0, "l1", "");
    let client = world.client(0);
    for (line, told) in [
        ("SUB qq grp 1", "LS+ qq grp 1"),
        ("SUB qq grp 2", "LS+ qq grp 2"),
        ("SUB qq grp 3", "LS+ qq grp 3"),
        ("UNSUB 2", "LS+ qq grp 2"),
        ("UNSUB 3", "LS+ qq grp 1"),
        ("UNSUB 1", "LS- qq grp"),
    ] {
        client.send(&format!("{line}\r\n"));
        assert_eq!(leaf.received(), format!("{told}\r\n"));
    }
}

#[test]
fn leaf_nodes_hear_of_each_other_through_their_hub() {
    // spec: CLU-056
    let world = World::new(&[HUB.to_owned(), remote(0, ""), remote(0, "")]);
    world.client(1).send("SUB one 1\r\n");
    assert_eq!(world.wanted_elsewhere(0, "$G"), ["one"]);
    assert_eq!(world.wanted_elsewhere(2, "$G"), ["one"]);
    let leaf = world.connected_leaf(0, "l3", "");
    let at_hub = world.client(0);
    at_hub.send("SUB hub 1\r\n");
    assert_eq!(leaf.lines(), ["LS+ hub"]);
    leaf.send("LS+ three\r\n");
    assert!(leaf.lines().is_empty(), "nobody is told what it wants itself");
    assert_eq!(world.wanted_elsewhere(1, "$G"), ["hub", "three"]);
    leaf.hang_up();
    assert_eq!(world.wanted_elsewhere(1, "$G"), ["hub"]);
}

#[test]
fn a_leaf_node_tells_its_hub_of_its_own_leaf_nodes() {
    // spec: CLU-056
    let middle = "leafnodes { listen: 'h:1', remotes: [ { url: 'nats://h:7000' } ] }";
    let world = World::new(&[HUB.to_owned(), middle.to_owned(), remote(1, "")]);
    world.client(2).send("SUB far 1\r\n");
    assert_eq!(world.wanted_elsewhere(0, "$G"), ["far"]);
    world.client(0).send("SUB top 1\r\n");
    assert_eq!(world.wanted_elsewhere(2, "$G"), ["top"]);
}

#[test]
fn the_hub_may_dial() {
    // spec: CLU-056 CFG-172
    let world = World::new(&[remote(1, "hub: true"), HUB.to_owned(), remote(0, "")]);
    let (hub, spoke) = (&world.servers[0].leafs, &world.servers[1].leafs);
    assert!(!hub.list()[0].is_spoke && hub.list()[0].is_solicited);
    assert!(spoke.list()[0].is_spoke && !spoke.list()[0].is_solicited);
}

#[test]
fn isolated_leaf_nodes_do_not_hear_of_others() {
    // spec: CLU-060
    let isolating = "leafnodes { listen: 'h:1', isolate: true }";
    let world = World::new(&[isolating]);
    let (one, two) = (world.connected_leaf(0, "l1", ""), world.connected_leaf(0, "l2", ""));
    one.send("LS+ mine\r\n");
    world.client(0).send("SUB hub 1\r\n");
    assert_eq!(two.lines(), ["LS+ hub"]);
    let world = World::new(&[HUB]);
    let (asking, other) = (world.connected_leaf(0, "l1", r#""isolate":true"#), world.connected_leaf(0, "l2", ""));
    other.send("LS+ other\r\n");
    asking.send("LS+ asking\r\n");
    assert!(asking.lines().is_empty(), "as it asked");
    assert_eq!(other.lines(), ["LS+ asking"]);
}

#[test]
fn members_of_a_leaf_nodes_cluster_hear_nothing_of_themselves() {
    // spec: CLU-066
    let world = World::new(&[HUB]);
    let same =
        |name: &str| crate::world::connect(name, "").replace(&format!("\"cluster\":\"{name}\""), "\"cluster\":\"L\"");
    let (one, two, other) = (world.leaf(0), world.leaf(0), world.leaf(0));
    one.ask(&same("l1"));
    two.ask(&same("l2"));
    other.ask(&crate::world::connect("l3", ""));
    one.send("LS+ a\r\nLS+ a q 2\r\n");
    assert!(two.lines().is_empty());
    assert_eq!(other.lines(), ["LS+ a", "LS+ a q 2"]);
    one.send("LMSG a 2\r\nhi\r\n");
    two.send("LS+ b\r\n");
    one.send("LMSG b 2\r\nhi\r\n");
    assert!(two.lines().is_empty(), "messages do not come back to the cluster either");
}

/// Two members of cluster C, the first with a leaf node listener.
fn members(more: &str) -> [String; 2] {
    let cluster = |n: usize| format!("cluster {{ name: C, listen: 'h:{}', routes: ['nats://h:6000'] }}\n", 6000 + n);
    [format!("{}{HUB}{more}", cluster(0)), format!("{}{HUB}{more}", cluster(1))]
}

#[test]
fn members_of_the_hubs_cluster_hear_of_leaf_nodes_by_their_cluster() {
    // spec: CLU-066 CLU-056
    let world = World::new(&members(""));
    let leaf = world.connected_leaf(0, "L", "");
    leaf.send("LS+ a\r\nLS+ q g 3\r\n");
    assert_eq!(world.wanted_elsewhere(1, "$G"), ["a", "q g 3"]);
    let same = world.connected_leaf(1, "L", "");
    assert!(same.lines().is_empty());
    let other = world.leaf(1);
    other.received();
    other.send(&crate::world::connect("M", ""));
    let told: Vec<_> = other.lines().into_iter().filter(|line| line.starts_with("LS+")).collect();
    assert_eq!(told, ["LS+ a", "LS+ q g 3"]);
    world.client(1).send("SUB b 1\r\n");
    assert_eq!(
        (leaf.lines(), same.lines(), other.lines()),
        (vec!["LS+ b".into()], vec!["LS+ b".into()], vec!["LS+ b".into()])
    );
    leaf.send("LS- a\r\n");
    assert_eq!(other.lines(), ["LS- a"]);
}

#[test]
fn members_are_not_told_what_a_hub_wants() {
    // spec: CLU-056
    let cluster = |n: usize| format!("cluster {{ name: C, listen: 'h:{}', routes: ['nats://h:6000'] }}\n", 6000 + n);
    let world = World::new(&[format!("{}{}", cluster(0), remote(2, "")), cluster(1), HUB.to_owned()]);
    world.client(2).send("SUB top 1\r\n");
    assert_eq!(world.wanted_elsewhere(0, "$G"), ["top"]);
    assert!(world.wanted_elsewhere(1, "$G").is_empty());
    world.client(1).send("SUB member 1\r\n");
    assert!(world.wanted_elsewhere(2, "$G").is_empty(), "each member tells its own hub");
}

#[test]
fn imports_and_mappings_are_interest_for_leaf_nodes_alone() {
    // spec: CLU-056
    let accounts = "accounts {
      A { users: [{ user: a, password: a }], mappings: { from: to }, imports: [ { service: { account: B, subject: svc } }, { stream: { account: B, subject: 's.>' }, prefix: p } ] }
      B { users: [{ user: b, password: b }], exports: [ { service: svc }, { stream: 's.>' } ] }
    }\n";
    let world = World::new(&members(accounts));
    let leaf = world.leaf(0);
    leaf.received();
    leaf.send(&crate::world::connect("L", r#""user":"a","pass":"a""#));
    let told: Vec<_> = leaf.lines().into_iter().filter(|line| line.starts_with("LS+")).collect();
    assert_eq!(told, ["LS+ from", "LS+ svc"]);
    assert!(world.wanted_elsewhere(1, "A").is_empty());
    world.reload(0, &members(&accounts.replace("from: to", "other: to"))[0]);
    let told: Vec<_> = leaf.lines().into_iter().filter(|line| !line.contains("svc")).collect();
    assert_eq!(told, ["LS+ other", "LS- from"]);
    // What a leaf node wants of an imported stream is wanted in the account that exports it.
    leaf.send("LS+ p.s.x\r\nLS+ p.s.q g 2\r\n");
    assert_eq!(world.wanted_elsewhere(0, "B"), ["s.q g 2", "s.x"]);
    assert_eq!(world.wanted_elsewhere(1, "B"), ["s.q g 2", "s.x"]);
    let publisher = world.user(1, "b");
    publisher.send("PUB s.x 2\r\nhi\r\n");
    assert_eq!(leaf.received(), "LMSG p.s.x 2\r\nhi\r\n");
    leaf.send("LS- p.s.x\r\n");
    assert_eq!(world.wanted_elsewhere(1, "B"), ["s.q g 2"]);
}

#[test]
fn an_account_of_many_wants_and_a_limit() {
    // spec: SEC-076
    let config = format!("{HUB}accounts {{ A {{ users: [{{ user: a, password: a }}], limits: {{ max_subs: 2 }} }} }}");
    let world = World::new(&[config]);
    let leaf = world.connected_leaf(0, "l1", r#""user":"a","pass":"a""#);
    leaf.send("LS+ a\r\nLS+ b g 1\r\nLS+ b g 5\r\n");
    assert_eq!(leaf.received(), "");
    assert_eq!(leaf.ask("LS+ c\r\n"), "-ERR 'maximum subscriptions exceeded'\r\n");
    assert_eq!(world.wanted_elsewhere(0, "A"), ["a", "b g 5"]);
}
