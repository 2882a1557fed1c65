//! Other options for members that are connected.

use crate::support::{World, clustered};

const TWO: &str = "accounts { A { users: [{user: a, password: pw}] }, B { users: [{user: b, password: pw}] } }";

fn config(n: usize, cluster: &str, routes: &[usize], top: &str) -> String {
    format!("{}{top}", clustered(n, cluster, routes))
}

/// The account of each connection of a server.
fn accounts(world: &World, server: usize) -> Vec<String> {
    let list = world.servers[server].routes.list();
    let mut all: Vec<_> = list.iter().map(|s| s.link.account.as_deref().unwrap_or_default().to_owned()).collect();
    all.sort();
    all
}

/// Two servers whose configurations are these, the second connecting to the first.
fn pair(cluster: &str, top: &str) -> World {
    let world = World::new(&[config(0, cluster, &[], top), config(1, cluster, &[0], top)], 7);
    world.solicit();
    world
}

#[test]
fn an_account_that_a_reload_brings_is_told_of() {
    // spec: CLU-196
    let one = "accounts { A { users: [{user: a, password: pw}] } }";
    let world = pair("", one);
    for server in 0..2 {
        let routes: &[usize] = if server == 1 { &[0] } else { &[] };
        world.reload(server, &config(server, "", routes, TWO));
    }
    let (here, there) = (world.user(0, "b"), world.user(1, "b"));
    here.send("SUB foo 1\r\n");
    there.send("PUB foo 2\r\nhi\r\n");
    assert_eq!(here.payloads(), ["hi"]);
    there.send("SUB foo 1\r\n");
    here.send("PUB foo 2\r\nho\r\n");
    assert_eq!((here.payloads(), there.payloads()), (vec!["ho".into()], vec!["ho".into()]));
}

#[test]
fn what_is_wanted_in_an_account_is_kept_until_it_comes() {
    // spec: CLU-025
    let one = "accounts { A { users: [{user: a, password: pw}] } }";
    let world = pair("", one);
    world.reload(1, &config(1, "", &[0], TWO));
    let there = world.user(1, "b");
    there.send("SUB foo 1\r\nSUB job q 2\r\nSUB gone 3\r\nUNSUB 3\r\n");
    for _ in 0..2 {
        world.reload(0, &config(0, "", &[], TWO));
        let here = world.user(0, "b");
        here.send("PUB foo 2\r\nhi\r\nPUB job 2\r\nho\r\n");
        assert_eq!(there.payloads(), ["hi", "ho"]);
        assert_eq!(world.interest(0, "B").len(), 2);
        here.hang_up();
        // Gone, and back again.
        world.reload(0, &config(0, "", &[], one));
    }
}

#[test]
fn routes_come_and_go() {
    // spec: CFG-150
    let world = World::new(&[clustered(0, "", &[]), clustered(1, "", &[]), clustered(2, "", &[])], 3);
    world.solicit();
    assert_eq!(world.servers[0].routes.members(), 0);
    world.reload(0, &clustered(0, "", &[1, 2]));
    world.retry_patiently();
    assert_eq!((world.servers[0].routes.members(), world.servers[1].routes.members()), (2, 2));
    let own = world.servers[0].routes.list();
    assert!(own.iter().all(|route| route.is_configured));
    world.reload(0, &clustered(0, "", &[1]));
    world.retry_patiently();
    // What is not configured any more is not connected to from here; whoever heard of it may.
    let others = world.servers[0].routes.list();
    assert!(others.iter().all(|route| route.is_configured == (route.known.name == "s1")), "{others:?}");
    assert_eq!(others.iter().filter(|route| route.known.name == "s1").count(), 4);
}

#[test]
fn what_may_pass_changes() {
    // spec: CFG-149
    let world = pair("", "");
    let (here, there) = (world.quiet(0), world.quiet(1));
    here.send("SUB foo.a 1\r\nSUB bar.a 2\r\nSUB foo.q q 3\r\n");
    there.send("SUB foo.b 1\r\nSUB bar.b 2\r\n");
    let patterns = |server: usize| -> Vec<String> {
        world.interest(server, "$G").into_iter().filter(|i| i.3).map(|i| i.0).collect()
    };
    assert_eq!(
        (patterns(0), patterns(1)),
        (vec!["bar.b".to_owned(), "foo.b".into()], vec!["bar.a".to_owned(), "foo.a".into(), "foo.q".into()])
    );
    let permissions = "permissions { import: 'foo.>', export: 'bar.>' }";
    world.reload(0, &clustered(0, permissions, &[]));
    assert_eq!((patterns(0), patterns(1)), (vec!["bar.b".to_owned()], vec!["foo.a".to_owned(), "foo.q".into()]));
    here.send("UNSUB 2\r\nSUB bar.c 4\r\nSUB foo.c 5\r\n");
    assert_eq!(patterns(1), ["foo.a", "foo.c", "foo.q"]);
    world.reload(0, &clustered(0, "permissions { import: 'bar.>', export: 'foo.>' }", &[]));
    assert_eq!((patterns(0), patterns(1)), (vec!["foo.b".to_owned()], vec!["bar.c".to_owned()]));
    world.reload(0, &clustered(0, "", &[]));
    assert_eq!(
        (patterns(0), patterns(1)),
        (
            vec!["bar.b".to_owned(), "foo.b".into()],
            vec!["bar.c".to_owned(), "foo.a".into(), "foo.c".into(), "foo.q".into()]
        )
    );
    let known = &world.servers[1].routes.list()[0].known;
    assert_eq!((&known.import, &known.export), (&None, &None), "monitoring shows what is in force");
}

#[test]
fn an_account_moves_to_a_connection_of_its_own_and_back() {
    // spec: CLU-017 CLU-019 CFG-157
    for first in 0..2 {
        let world = pair("", TWO);
        let (here, there) = (world.user(0, "a"), world.user(1, "a"));
        here.send("SUB foo 1\r\n");
        there.send("SUB foo 1\r\n");
        let both = |what: &str| {
            here.send("PUB foo 2\r\nhi\r\n");
            there.send("PUB foo 2\r\nho\r\n");
            assert_eq!(
                (here.payloads(), there.payloads()),
                (vec!["hi".into(), "ho".into()], vec!["hi".into(), "ho".into()]),
                "{what}, server {first} first"
            );
        };
        both("before");
        let change = |cluster: &str| {
            for server in [first, 1 - first] {
                let routes: &[usize] = if server == 1 { &[0] } else { &[] };
                world.reload(server, &config(server, cluster, routes, TWO));
            }
            world.retry_patiently();
        };
        change("accounts: [A]");
        assert_eq!(accounts(&world, 0), ["", "", "", "$SYS", "A"], "server {first} first");
        both("on its own");
        change("");
        assert_eq!(accounts(&world, 0), ["", "", "", "$SYS"], "server {first} first");
        both("back");
    }
}

#[test]
fn pools_get_another_size() {
    // spec: CFG-156 CLU-015
    let world = pair("", "");
    let (here, there) = (world.quiet(0), world.quiet(1));
    here.send("SUB foo 1\r\n");
    for (size, count) in [(5, 6), (1, 4), (2, 3)] {
        // The larger of both counts until the other knows as well.
        for server in 0..2 {
            let routes: &[usize] = if server == 1 { &[0] } else { &[] };
            world.reload(server, &clustered(server, &format!("pool_size: {size}"), routes));
            world.retry_patiently();
        }
        let expected = if size == 1 { 2 } else { count };
        assert_eq!(accounts(&world, 0).len(), expected, "pools of {size}");
        there.send("PUB foo 2\r\nhi\r\n");
        assert_eq!(here.payloads(), ["hi"], "pools of {size}");
    }
}

#[test]
fn compression_changes() {
    // spec: CFG-158 CLU-039
    let world = pair("compression: s2_fast", "");
    let modes = |server: usize| -> Vec<&'static str> {
        let mut modes: Vec<_> = world.servers[server].routes.list().iter().map(|r| r.known.compression).collect();
        modes.dedup();
        modes
    };
    let cids = || world.servers[0].routes.list().iter().map(|r| r.link.peer.cid()).collect::<Vec<_>>();
    assert_eq!((modes(0), modes(1)), (vec!["s2_fast"], vec!["s2_fast"]));
    let before = cids();
    world.reload(0, &clustered(0, "compression: s2_best", &[]));
    assert_eq!((modes(0), modes(1), cids()), (vec!["s2_best"], vec!["s2_fast"], before.clone()), "at once, one way");
    world.reload(0, &clustered(0, "compression: off", &[]));
    world.retry_patiently();
    assert_eq!((modes(0), modes(1)), (vec!["off"], vec!["off"]));
    let after = cids();
    assert!(after.len() == 4 && after.iter().all(|cid| !before.contains(cid)), "they have begun anew");
    world.reload(0, &clustered(0, "compression: s2_better", &[]));
    world.retry_patiently();
    assert_eq!((modes(0), modes(1)), (vec!["s2_better"], vec!["s2_fast"]));
}

#[test]
fn another_name_is_told_to_those_who_come() {
    // spec: CFG-146 CLU-010
    let world = World::new(&[clustered(0, "", &[]), clustered(1, "", &[]).replace("name: C,", "name: D,")], 5);
    world.reload(0, &clustered(0, "", &[1]).replace("name: C,", "name: D,"));
    world.retry_patiently();
    assert_eq!(world.servers[0].routes.own().name(), ("D", false));
    assert_eq!(world.servers[1].routes.members(), 1);
}
