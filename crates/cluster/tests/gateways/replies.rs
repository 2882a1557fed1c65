//! Requests across clusters, and how their replies find back.

use std::sync::Arc;
use std::time::Duration;

use martlet_broker::interest::Target;
use martlet_broker::internal::{InternalMessage, InternalSubscription, Scope};
use martlet_broker::local_task::LocalTasks;

use crate::super_cluster;

/// What a client got with a request: the subject it was asked on, and the reply.
fn asked(received: &str) -> (String, String) {
    let line = received.split("\r\n").find(|line| line.contains("MSG ")).expect("a request");
    let words: Vec<_> = line.split(' ').collect();
    (words[1].to_owned(), words[3].to_owned())
}

#[test]
fn requests_are_answered_across_clusters() {
    // spec: CLU-046
    for (requester, service) in [(0, 2), (0, 3), (1, 2), (1, 3)] {
        let world = super_cluster("");
        let (service, requester) = (world.quiet(service), world.quiet(requester));
        service.send("SUB help 1\r\n");
        requester.send("SUB _INBOX.1 7\r\nPUB help _INBOX.1 2\r\nhi\r\n");
        // The client sees the reply as it was named.
        assert_eq!(asked(&service.received()), ("help".to_owned(), "_INBOX.1".to_owned()));
        service.send("PUB _INBOX.1 2\r\nyo\r\nPUB _INBOX.1 3\r\nyo!\r\n");
        assert_eq!(requester.received(), "MSG _INBOX.1 7 2\r\nyo\r\nMSG _INBOX.1 7 3\r\nyo!\r\n");
    }
}

#[test]
fn a_reply_finds_back_before_anybody_has_heard_of_it() {
    // spec: CLU-046
    let world = super_cluster("");
    let (service, requester) = (world.quiet(2), world.quiet(1));
    service.send("SUB help 1\r\n");
    // Server 2 answers by way of server 0, who hears nothing of the requester.
    world.mute(1, 0);
    requester.send("SUB _INBOX.1 7\r\nPUB help _INBOX.1 2\r\nhi\r\n");
    service.received();
    service.send("PUB _INBOX.1 2\r\nyo\r\n");
    assert_eq!(requester.received(), "MSG _INBOX.1 7 2\r\nyo\r\n");
}

#[test]
fn replies_to_older_subscriptions_keep_their_names() {
    // spec: CLU-046
    let world = super_cluster("");
    let (service, requester) = (world.quiet(2), world.quiet(0));
    service.send("SUB help 1\r\n");
    requester.send("SUB _INBOX.* 7\r\n");
    let sent = |reply: &str| world.sent_over_gateways(0).matches(&format!("RMSG $G help {reply}")).count();
    requester.send("PUB help _INBOX.1 2\r\nhi\r\n");
    assert_eq!((sent("_GR_."), sent("_INBOX.1 2\r\n")), (1, 0), "just subscribed");
    world.pass(Duration::from_secs(2));
    requester.send("PUB help _INBOX.1 2\r\nhi\r\n");
    assert_eq!((sent("_GR_."), sent("_INBOX.1 2\r\n")), (1, 1), "a while ago");
    service.received();
    service.send("PUB _INBOX.1 2\r\nyo\r\n");
    assert_eq!(requester.received(), "MSG _INBOX.1 7 2\r\nyo\r\n");
}

#[test]
fn a_reply_is_forgotten_after_a_while() {
    // spec: CLU-046
    let world = super_cluster("");
    let (service, requester) = (world.quiet(2), world.quiet(0));
    service.send("SUB help 1\r\n");
    requester.send("SUB _INBOX.1 7\r\nPUB help _INBOX.1 2\r\nhi\r\n");
    world.pass(Duration::from_secs(2));
    service.send("PUB _INBOX.1 2\r\nyo\r\n");
    let sent = world.sent_over_gateways(2);
    assert!(sent.contains("RMSG $G _INBOX.1 2\r\n") && !sent.contains("_GR_."), "by interest");
    assert_eq!(requester.received(), "MSG _INBOX.1 7 2\r\nyo\r\n");
}

#[test]
fn clients_do_not_use_such_names_themselves() {
    // spec: CLU-046 CORE-063
    let world = super_cluster("");
    let client = world.quiet(0);
    client.send("PUB _GR_.abcdef.ghijkl.foo 2\r\nhi\r\n");
    assert!(client.received().contains("Permissions Violation"));
}

#[test]
fn nobody_anywhere_is_told_at_once() {
    // spec: CORE-066
    let world = super_cluster("");
    let requester = world.quiet(1);
    requester.send("SUB _INBOX.1 7\r\nPUB help _INBOX.1 2\r\nhi\r\n");
    assert!(requester.received().contains("NATS/1.0 503"));
    let service = world.quiet(2);
    service.send("SUB help q 1\r\n");
    requester.send("PUB help _INBOX.1 2\r\nhi\r\n");
    assert_eq!(requester.received(), "");
    service.hang_up();
    requester.send("PUB help _INBOX.1 2\r\nhi\r\n");
    assert!(requester.received().contains("NATS/1.0 503"));
}

#[test]
fn services_are_answered_from_another_cluster() {
    // spec: SEC-047 CLU-046
    let accounts = "accounts {
        S { users: [{user: s, password: pw}], exports: [{service: 'help'}] }
        A { users: [{user: a, password: pw}], imports: [{service: {account: S, subject: 'help'}}] } }";
    for (requester, service) in [(0, 2), (1, 2), (1, 3)] {
        let world = super_cluster(accounts);
        let (service, requester) = (world.user(service, "s"), world.user(requester, "a"));
        service.send("SUB help 1\r\n");
        requester.send("SUB _INBOX.1 7\r\nPUB help _INBOX.1 2\r\nhi\r\n");
        let (_, reply) = asked(&service.received());
        assert!(reply.starts_with("_R_."), "{reply}");
        service.send(&format!("PUB {reply} 2\r\nyo\r\n"));
        assert_eq!(requester.received(), "MSG _INBOX.1 7 2\r\nyo\r\n");
    }
}

#[test]
fn the_systems_own_services_answer_across_clusters() {
    // spec: CLU-046
    let accounts = "accounts { SYS { users: [{user: s, password: pw}] } }, system_account: SYS";
    let world = super_cluster(accounts);
    let broker = world.servers[2].broker.clone();
    let (account, now) = (broker.accounts.get("SYS").expect("the system account"), world.now());
    let answering = Arc::downgrade(&broker);
    let handler = move |asked: &InternalMessage<'_>, _: &mut LocalTasks| {
        let broker = answering.upgrade().expect("running");
        broker.publish_internal("SYS", (asked.reply, b""), (b"", asked.payload), now);
    };
    let subject = b"$TEST.ASK";
    let service = InternalSubscription {
        subject: (*subject).into(),
        follows_traces: false,
        handler: Box::new(handler),
        scope: Scope::Everywhere,
        sid: "1".into(),
    };
    account.add(subject, Target::Internal(Arc::new(service)));
    world.settle();
    let client = world.user(0, "s");
    client.send("SUB _INBOX.1 7\r\nPUB $TEST.ASK _INBOX.1 2\r\nhi\r\n");
    assert_eq!(client.received(), "MSG _INBOX.1 7 2\r\nhi\r\n");
}
