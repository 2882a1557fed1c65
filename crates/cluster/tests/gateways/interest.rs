//! What clusters tell each other of their interest.

use crate::support::World;
use crate::{lone_clusters, super_cluster};

/// What other clusters are known to want in the global account.
pub(crate) fn wanted_elsewhere(world: &World, server: usize) -> Vec<(String, Option<String>)> {
    use martlet_broker::interest::Target;
    use martlet_broker::link::Role;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let account = world.servers[server].broker.accounts.get("$G").expect("the global account");
    let mut found = Vec::new();
    account.interest.for_each_pattern(|pattern, target| {
        if let Target::Remote(remote) = target
            && remote.link.role == Role::Gateway
        {
            found.push((text(pattern), remote.queue().map(text)));
        }
    });
    found.sort();
    found
}

fn pair(pattern: &str, queue: Option<&str>) -> (String, Option<String>) {
    (pattern.to_owned(), queue.map(str::to_owned))
}

#[test]
fn each_gateway_tells_of_its_whole_cluster() {
    // spec: CLU-044 CLU-200 CLU-201
    let world = super_cluster("");
    let (first, second) = (world.quiet(2), world.quiet(3));
    first.send("SUB one 1\r\nSUB both 2\r\nSUB job q 3\r\nSUB job q 4\r\n");
    second.send("SUB two 1\r\nSUB both 2\r\nSUB job q 3\r\n");
    let all = [pair("both", None), pair("job", Some("q")), pair("one", None), pair("two", None)];
    for server in [0, 1] {
        assert_eq!(wanted_elsewhere(&world, server), all, "at {server}");
    }
    assert_eq!(wanted_elsewhere(&world, 2), []);
    first.send("UNSUB 1\r\nUNSUB 2\r\nUNSUB 3\r\n");
    assert_eq!(wanted_elsewhere(&world, 0), [pair("both", None), pair("job", Some("q")), pair("two", None)]);
    second.hang_up();
    assert_eq!(wanted_elsewhere(&world, 1), [pair("job", Some("q"))]);
    first.hang_up();
    assert_eq!(wanted_elsewhere(&world, 0), []);
}

#[test]
fn the_interest_of_a_lost_cluster_is_forgotten() {
    // spec: CLU-044
    let world = lone_clusters(&[&[1], &[]], "");
    let client = world.quiet(1);
    client.send("SUB foo 1\r\nSUB job q 2\r\n");
    assert_eq!(wanted_elsewhere(&world, 0).len(), 2);
    world.part(0, 1);
    assert_eq!(wanted_elsewhere(&world, 0), []);
    client.send("UNSUB 1\r\n");
    world.heal(0, 1);
    world.retry_patiently();
    assert_eq!(wanted_elsewhere(&world, 0), [pair("job", Some("q"))], "as it is now");
}

#[test]
fn accounts_are_told_of_apart() {
    // spec: CLU-199
    let accounts = "accounts { A { users: [{user: a, password: pw}] }, B { users: [{user: b, password: pw}] } }";
    let world = super_cluster(accounts);
    let (a, b, sender) = (world.user(2, "a"), world.user(3, "b"), world.user(1, "a"));
    a.send("SUB foo 1\r\n");
    b.send("SUB foo 1\r\n");
    sender.send("PUB foo 2\r\nhi\r\n");
    assert_eq!(a.payloads(), ["hi"]);
    assert_eq!(b.received(), "");
}
