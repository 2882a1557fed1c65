//! Who gets a message.

use crate::support::World;

#[test]
fn once_to_each_subscriber() {
    // spec: CLU-025 CLU-026
    let world = World::mesh(3, "", "", 1);
    let clients: Vec<_> = (0..3).map(|server| world.quiet(server)).collect();
    for client in &clients {
        client.send("SUB foo.bar 1\r\nSUB foo.* 2\r\n");
    }
    for (n, client) in clients.iter().enumerate() {
        client.send(&format!("PUB foo.bar 1\r\n{n}\r\n"));
        for (at, other) in clients.iter().enumerate() {
            let got = other.payloads();
            assert_eq!(got, [n.to_string(), n.to_string()], "from {n} at {at}");
        }
    }
}

#[test]
fn requests_are_answered_across_a_route() {
    // spec: CLU-195
    let world = World::mesh(2, "", "", 1);
    let (service, requester) = (world.quiet(0), world.quiet(1));
    service.send("SUB help 1\r\n");
    // The interest in the reply must not be overtaken by the request.
    requester.send("SUB _INBOX.1 7\r\nPUB help _INBOX.1 2\r\nhi\r\n");
    assert_eq!(service.received(), "MSG help 1 _INBOX.1 2\r\nhi\r\n");
    service.send("PUB _INBOX.1 2\r\nyo\r\n");
    assert_eq!(requester.received(), "MSG _INBOX.1 7 2\r\nyo\r\n");
}

#[test]
fn nobody_anywhere_is_told_at_once() {
    // spec: CORE-066
    let world = World::mesh(2, "", "", 1);
    let requester = world.quiet(1);
    requester.send("SUB _INBOX.1 7\r\nPUB help _INBOX.1 2\r\nhi\r\n");
    assert!(requester.received().contains("NATS/1.0 503"));
    let service = world.quiet(0);
    service.send("SUB help 1\r\n");
    requester.send("PUB help _INBOX.1 2\r\nhi\r\n");
    assert_eq!(requester.received(), "");
    service.hang_up();
    requester.send("PUB help _INBOX.1 2\r\nhi\r\n");
    assert!(requester.received().contains("NATS/1.0 503"));
}

#[test]
fn headers_pass() {
    // spec: CLU-026
    let world = World::mesh(2, "", "", 1);
    let (here, there) = (world.quiet(0), world.quiet(1));
    here.send("SUB foo 1\r\n");
    there.send("HPUB foo re 18 20\r\nNATS/1.0\r\nA: b\r\n\r\nhi\r\n");
    assert_eq!(here.received(), "HMSG foo 1 re 18 20\r\nNATS/1.0\r\nA: b\r\n\r\nhi\r\n");
}

#[test]
fn large_messages_pass_whole() {
    // spec: CLU-026
    let world = World::mesh(2, "", "", 1);
    let (here, there) = (world.quiet(0), world.quiet(1));
    here.send("SUB foo 1\r\n");
    let body = "x".repeat(100_000);
    there.send(&format!("PUB foo 100000\r\n{body}\r\n"));
    assert_eq!(here.received(), format!("MSG foo 1 100000\r\n{body}\r\n"));
}

#[test]
fn one_member_of_a_group_wherever_it_is() {
    // spec: CLU-026 CLU-030 CLU-195
    let world = World::mesh(3, "", "", 2);
    let clients: Vec<_> = (0..3).map(|server| world.quiet(server)).collect();
    // Three members on the first, one on the second, none on the third, who publishes.
    clients[0].send("SUB job q 1\r\nSUB job q 2\r\nSUB job q 3\r\n");
    clients[1].send("SUB job q 1\r\nSUB job 9\r\n");
    let (mut first, mut second) = (0, 0);
    for n in 0..400 {
        clients[2].send(&format!("PUB job 3\r\n{n:03}\r\n"));
        let (a, b) = (clients[0].payloads().len(), clients[1].payloads().len());
        assert_eq!(a + b, 2, "one member of the group, and the one outside it");
        first += a;
        second += b - 1;
    }
    assert!((240..360).contains(&first), "three members of four get three quarters, not {first} of 400");
    assert_eq!(first + second, 400);
    clients[0].hang_up();
    for n in 0..20 {
        clients[2].send(&format!("PUB job 3\r\n{n:03}\r\n"));
        assert_eq!(clients[1].payloads().len(), 2);
    }
}

#[test]
fn several_groups_are_served_by_one_message() {
    // spec: CLU-026
    let world = World::mesh(2, "", "", 2);
    let (here, there) = (world.quiet(0), world.quiet(1));
    here.send("SUB job q1 1\r\nSUB job q2 2\r\nSUB job 3\r\n");
    there.send("PUB job re 2\r\nhi\r\n");
    let got = here.received();
    for sid in 1..=3 {
        assert_eq!(got.matches(&format!("MSG job {sid} re 2\r\n")).count(), 1, "{got}");
    }
}

#[test]
fn accounts_are_kept_apart() {
    // spec: CLU-196
    let accounts = "accounts { A { users: [{user: a, password: pw}] }, B { users: [{user: b, password: pw}] } }";
    let world = World::mesh(2, accounts, "", 1);
    let (a, b, sender) = (world.user(0, "a"), world.user(0, "b"), world.user(1, "a"));
    a.send("SUB foo 1\r\n");
    b.send("SUB foo 1\r\n");
    sender.send("PUB foo 2\r\nhi\r\n");
    assert_eq!(a.payloads(), ["hi"]);
    assert_eq!(b.received(), "");
}

#[test]
fn services_are_answered_from_another_server() {
    // spec: SEC-047
    let accounts = "accounts {
        S { users: [{user: s, password: pw}], exports: [{service: 'help'}] }
        A { users: [{user: a, password: pw}], imports: [{service: {account: S, subject: 'help'}}] } }";
    let world = World::mesh(2, accounts, "", 1);
    let (service, requester) = (world.user(0, "s"), world.user(1, "a"));
    service.send("SUB help 1\r\n");
    requester.send("SUB _INBOX.1 7\r\nPUB help _INBOX.1 2\r\nhi\r\n");
    let asked = service.received();
    let reply = asked.split(' ').nth(3).expect("a request with a reply").to_owned();
    assert!(reply.starts_with("_R_."), "{asked}");
    service.send(&format!("PUB {reply} 2\r\nyo\r\n"));
    assert_eq!(requester.received(), "MSG _INBOX.1 7 2\r\nyo\r\n");
}

#[test]
fn a_streams_message_is_shown_under_its_own_subject() {
    let world = World::mesh(2, "", "", 1);
    let (here, there) = (world.quiet(0), world.quiet(1));
    here.send("SUB deliver.me 1\r\n");
    // As a server with streams puts it: the acknowledgement, and behind it the subject of the message.
    let ack = "$JS.ACK.S.C.1.1.1.1.0";
    let account = world.servers[1].broker.accounts.get("$G").expect("the global account");
    let reply = format!("{ack}@orders.new");
    world.servers[1].broker.publish_internal(
        account.name(),
        (b"deliver.me", reply.as_bytes()),
        (b"", b"hi"),
        world.now(),
    );
    world.settle();
    assert_eq!(here.received(), format!("MSG orders.new 1 {ack} 2\r\nhi\r\n"));
    drop(there);
}
