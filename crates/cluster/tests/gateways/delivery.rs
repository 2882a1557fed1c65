//! Who gets a message, across clusters.

use crate::{lone_clusters, super_cluster};

#[test]
fn once_to_each_subscriber() {
    // spec: CLU-048 CLU-201
    let world = super_cluster("");
    let clients: Vec<_> = (0..4).map(|server| world.quiet(server)).collect();
    for client in &clients {
        client.send("SUB foo.bar 1\r\nSUB foo.* 2\r\n");
    }
    for (n, client) in clients.iter().enumerate() {
        client.send(&format!("PUB foo.bar 1\r\n{n}\r\n"));
        for (at, other) in clients.iter().enumerate() {
            assert_eq!(other.payloads(), [n.to_string(), n.to_string()], "from {n} at {at}");
        }
    }
}

#[test]
fn what_came_over_a_gateway_goes_to_no_other_cluster() {
    // spec: CLU-048
    let world = lone_clusters(&[&[], &[0], &[0]], "");
    let clients: Vec<_> = (0..3).map(|server| world.quiet(server)).collect();
    for client in &clients {
        client.send("SUB foo 1\r\n");
    }
    clients[0].send("PUB foo 2\r\nhi\r\n");
    for client in &clients {
        assert_eq!(client.payloads(), ["hi"]);
    }
}

#[test]
fn groups_are_served_at_home_first() {
    // spec: CLU-048
    let world = super_cluster("");
    let (here, beside, there) = (world.quiet(0), world.quiet(1), world.quiet(2));
    there.send("SUB job q 1\r\nSUB job other 2\r\n");
    here.send("PUB job 1\r\n1\r\n");
    assert_eq!(there.payloads(), ["1", "1"], "both groups are only there");
    beside.send("SUB job q 1\r\n");
    for n in 0..20 {
        here.send(&format!("PUB job 2\r\n{n:02}\r\n"));
        assert_eq!(beside.payloads().len(), 1, "a member of the cluster is at home");
        assert_eq!(there.received().matches("MSG job 2 ").count(), 1, "the other group");
    }
    beside.hang_up();
    here.send("PUB job 1\r\n2\r\n");
    assert_eq!(there.payloads(), ["2", "2"]);
}

#[test]
fn one_cluster_serves_a_group() {
    // spec: CLU-048
    let world = lone_clusters(&[&[], &[0], &[0]], "");
    let (sender, one, two) = (world.quiet(0), world.quiet(1), world.quiet(2));
    one.send("SUB job q 1\r\n");
    two.send("SUB job q 1\r\nSUB job 2\r\n");
    for n in 0..10 {
        sender.send(&format!("PUB job 1\r\n{n}\r\n"));
        let (first, second) = (one.payloads().len(), two.payloads().len());
        assert_eq!((first + second, second >= 1), (2, true), "one of the group, and the one outside it");
    }
    one.hang_up();
    sender.send("PUB job 1\r\nx\r\n");
    assert_eq!(two.payloads(), ["x", "x"]);
}

#[test]
fn headers_are_left_out_where_nobody_reads_them() {
    // spec: CLU-201
    let headless = crate::with_gateway(1, "B", "", &[]) + "no_header_support: true";
    let world = crate::World::new(&[crate::with_gateway(0, "A", "", &[("B", 1)]), headless], 1);
    world.solicit();
    world.retry_patiently();
    let (here, there) = (world.quiet(0), world.client(1, r#"CONNECT {"verbose":false}"#));
    there.send("SUB foo 1\r\n");
    here.send("HPUB foo re 12 14\r\nNATS/1.0\r\n\r\nhi\r\n");
    assert_eq!(there.received(), "MSG foo 1 re 2\r\nhi\r\n");
}

#[test]
fn large_messages_pass_whole() {
    // spec: CLU-201
    let world = super_cluster("");
    let (here, there) = (world.quiet(3), world.quiet(0));
    here.send("SUB foo 1\r\n");
    let body = "x".repeat(100_000);
    there.send(&format!("PUB foo 100000\r\n{body}\r\n"));
    assert_eq!(here.received(), format!("MSG foo 1 100000\r\n{body}\r\n"));
}
