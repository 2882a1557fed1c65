//! Who is connected to whom.

use crate::support::{World, clustered};

/// Connections of each server to each other one, and for which accounts there are own ones.
fn shape(world: &World, server: usize) -> Vec<(String, String, usize)> {
    let mut all: Vec<_> = world.servers[server]
        .routes
        .list()
        .into_iter()
        .map(|s| (s.known.name, s.link.account.as_deref().unwrap_or_default().to_owned(), s.known.index))
        .collect();
    all.sort();
    all
}

fn pool(name: &str, size: usize, pinned: &[&str]) -> Vec<(String, String, usize)> {
    let mut all: Vec<_> = (0..size).map(|at| (name.to_owned(), String::new(), at)).collect();
    all.extend(pinned.iter().map(|account| (name.to_owned(), (*account).to_owned(), 0)));
    all.sort();
    all
}

#[test]
fn a_pool_to_each_and_a_connection_for_the_system() {
    // spec: CLU-015 CLU-016 CLU-018 CLU-188 CLU-189
    for seed in 0..20 {
        let world = World::mesh(3, "", "", seed);
        for server in 0..3 {
            let others = (0..3).filter(|other| *other != server);
            let expected: Vec<_> = others.flat_map(|other| pool(&format!("s{other}"), 3, &["$SYS"])).collect();
            assert_eq!(shape(&world, server), expected, "server {server}, seed {seed}");
        }
    }
}

#[test]
fn accounts_have_connections_of_their_own() {
    // spec: CLU-017 CLU-191
    let accounts = "accounts { A { users: [{user: a, password: pw}] }, B { users: [{user: b, password: pw}] } }";
    let world = World::mesh(2, accounts, "accounts: [A], pool_size: 2", 1);
    assert_eq!(shape(&world, 0), pool("s1", 2, &["$SYS", "A"]));
    assert_eq!(shape(&world, 1), pool("s0", 2, &["$SYS", "A"]));
}

#[test]
fn sizes_may_differ_and_there_may_be_no_pool() {
    // spec: CLU-015 CLU-020
    for (sizes, joined) in [((1, 3), 3), ((3, 1), 3), ((2, 2), 2), ((-1, 3), 1), ((3, -1), 1), ((-1, -1), 1)] {
        let configs = [
            clustered(0, &format!("pool_size: {}", sizes.0), &[]),
            clustered(1, &format!("pool_size: {}", sizes.1), &[0]),
        ];
        let world = World::new(&configs, 3);
        world.solicit();
        for server in 0..2 {
            let shared = shape(&world, server).iter().filter(|(_, account, _)| account.is_empty()).count();
            assert_eq!(shared, joined, "pools of {sizes:?}, server {server}");
        }
        let (here, there) = (world.quiet(0), world.quiet(1));
        here.send("SUB foo 1\r\n");
        there.send("PUB foo 2\r\nhi\r\n");
        assert_eq!(here.payloads(), ["hi"], "pools of {sizes:?}");
    }
}

#[test]
fn whoever_hears_of_a_member_connects_to_it() {
    // spec: CLU-021 CLU-022
    for seed in 0..20 {
        // All know the first one only.
        let mut configs = vec![clustered(0, "", &[])];
        configs.extend((1..5).map(|n| clustered(n, "", &[0])));
        let world = World::new(&configs, seed);
        world.solicit();
        world.retry_patiently();
        for server in 0..5 {
            assert_eq!(world.servers[server].routes.members(), 4, "server {server}, seed {seed}");
            let expected: Vec<_> =
                (0..5).filter(|n| *n != server).flat_map(|n| pool(&format!("s{n}"), 3, &["$SYS"])).collect();
            assert_eq!(shape(&world, server), expected, "server {server}, seed {seed}");
        }
    }
}

#[test]
fn both_may_dial() {
    // spec: CLU-011
    for seed in 0..30 {
        let configs = [clustered(0, "", &[1]), clustered(1, "", &[0])];
        let world = World::new(&configs, seed);
        world.solicit();
        world.retry_patiently();
        assert_eq!(shape(&world, 0), pool("s1", 3, &["$SYS"]), "seed {seed}");
        assert_eq!(shape(&world, 1), pool("s0", 3, &["$SYS"]), "seed {seed}");
    }
}

#[test]
fn a_route_to_oneself_is_noticed() {
    // spec: CLU-008
    let world = World::new(&[clustered(0, "", &[0])], 1);
    world.solicit();
    assert!(world.servers[0].routes.list().is_empty());
    world.retry_patiently();
    assert!(world.servers[0].routes.list().is_empty());
}

#[test]
fn made_up_names_give_way() {
    // spec: CLU-010 CLU-013
    let nameless = |n, routes: &[usize]| clustered(n, "", routes).replace("name: C,", "");
    let named = [clustered(0, "", &[]), nameless(1, &[0]), nameless(2, &[0, 1])];
    let world = World::new(&named, 5);
    world.solicit();
    world.retry_patiently();
    for server in &world.servers {
        assert_eq!(server.routes.own().name().0, "C");
        assert_eq!(server.routes.members(), 2);
    }
    let all_made_up = [nameless(0, &[]), nameless(1, &[0])];
    let world = World::new(&all_made_up, 5);
    world.solicit();
    world.retry_patiently();
    for server in &world.servers {
        assert_eq!(server.routes.own().name().0, "made-up-1", "the larger of two made-up names");
    }
}

#[test]
fn another_cluster_is_refused() {
    // spec: CLU-010
    let configs = [clustered(0, "", &[]), clustered(1, "", &[0]).replace("name: C,", "name: D,")];
    let world = World::new(&configs, 5);
    world.solicit();
    assert!(world.servers.iter().all(|server| server.routes.list().is_empty()));
}

#[test]
fn whoever_does_not_know_the_password_is_refused() {
    // spec: CLU-012
    let login = "authorization { user: r, password: secret }";
    for (url, members) in [("nats://r:secret@h:6000", 1), ("nats://r:wrong@h:6000", 0), ("nats://h:6000", 0)] {
        let second = clustered(1, login, &[]).replace("routes: []", &format!("routes: ['{url}']"));
        let world = World::new(&[clustered(0, login, &[]), second], 5);
        world.solicit();
        assert_eq!(world.servers[0].routes.members(), members, "{url}");
        assert_eq!(world.servers[1].routes.members(), members, "{url}");
    }
}

#[test]
fn clients_are_told_where_else_they_may_connect() {
    // spec: CLU-023 CLU-024
    let world =
        World::new(&[clustered(0, "", &[]), clustered(1, "", &[0]), clustered(2, "no_advertise: true", &[0])], 1);
    let client = world.quiet(0);
    world.solicit();
    let told = client.received();
    let last = told.lines().rfind(|line| line.starts_with("INFO ")).expect("INFO is told anew");
    assert!(last.contains(r#""connect_urls":["h:4222","h:4223"]"#), "{last}");
    world.kill(1);
    let told = client.received();
    let last = told.lines().rfind(|line| line.starts_with("INFO ")).expect("INFO is told anew");
    assert!(last.contains(r#""connect_urls":["h:4222"]"#), "{last}");
}
