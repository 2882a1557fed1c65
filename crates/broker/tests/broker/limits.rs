//! How many may come, how much they may say, and what is remembered of those that went.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use martlet_broker::Peer;
use martlet_broker::registry::Registry;
use martlet_events::Time;
use martlet_proto::ClosedReason;

use crate::support::{QUIET, Wire, World};

#[test]
fn a_full_server_says_so() {
    // spec: CORE-134 CORE-072 SEC-076
    let world = World::new("max_connections: 2");
    let (first, _second) = (world.quiet(), world.quiet());
    let refused = world.open();
    let words = refused.received();
    assert!(words.starts_with("INFO {") && words.ends_with("-ERR 'maximum connections exceeded'\r\n"), "{words}");
    assert_eq!(refused.closed(), Some(ClosedReason::MaxConnectionsExceeded));
    first.hang_up();
    assert_eq!(world.quiet().closed(), None, "there is room again");
}

#[test]
fn the_refused_take_nobodys_room() {
    // spec: CORE-134
    let registry = Registry::default();
    let enter = || registry.enter(1, |cid, slot| Peer::new(cid, slot, Box::new(Wire::default()), 1000, Time::ORIGIN));
    let ((first, welcome), (second, refused)) = (enter(), enter());
    assert_eq!((welcome, refused, registry.len(), registry.total()), (true, false, 1, 2));
    assert_ne!(first.slot(), second.slot(), "it has a slot of its own while it is told");
    assert_eq!(registry.all().iter().map(|p| p.cid()).collect::<Vec<_>>(), [1], "and is not shown");
    assert!(registry.get(2).is_none());
    registry.leave(&first, || ());
    let (third, welcome) = enter();
    assert!(welcome, "although the refused one has not left yet");
    registry.leave(&second, || ());
    registry.leave(&second, || ());
    assert_eq!((registry.len(), registry.get(3).expect("open").cid()), (1, 3), "it leaves once");
    let (fourth, refused) = enter();
    assert_eq!((fourth.slot(), refused), (second.slot(), false), "slots are used again");
    registry.leave(&third, || ());
    assert!(registry.is_empty());
}

#[test]
fn nobody_is_welcome_to_none() {
    // spec: CORE-134
    for config in ["max_connections: 0", "max_connections: -1"] {
        assert_eq!(World::new(config).open().closed(), Some(ClosedReason::MaxConnectionsExceeded), "{config}");
    }
}

#[test]
fn an_account_may_be_full() {
    // spec: SEC-054 SEC-099 CORE-072
    let world = World::new(
        "accounts { A { users: [{user: a, password: pw}], limits {max_conn: 2} }, B { users: [{user: b, password: pw}] } }",
    );
    let connect = QUIET.replace('}', r#","user":"a","pass":"pw"}"#);
    let (first, _second) = (world.user("a"), world.user("a"));
    let third = world.open();
    third.received();
    third.send(&format!("{connect}\r\n"));
    assert_eq!(third.received(), "-ERR 'maximum account active connections exceeded'\r\n");
    assert_eq!(third.closed(), Some(ClosedReason::MaxAccountConnectionsExceeded));
    let account = world.broker().accounts.get("A").expect("configured");
    assert_eq!(account.connections(), 2, "the refused one never counted");
    world.user("b");
    first.hang_up();
    world.user("a");
}

#[test]
fn an_account_limits_subscriptions_and_payloads() {
    // spec: SEC-096 SEC-097 SEC-054 CORE-031
    let world = World::new(
        "max_payload: 1000, accounts { A { users: [{user: a, password: pw}], limits {max_subs: 3, max_payload: 100} } }",
    );
    let client = world.user("a");
    let error = "-ERR 'maximum subscriptions exceeded'\r\n";
    assert_eq!(client.ask("SUB a 1\r\nSUB b 2\r\nSUB c 3\r\nSUB d 4\r\nSUB e 5\r\n"), error.repeat(2));
    assert_eq!(client.ask(&format!("PUB x 100\r\n{}\r\n", "x".repeat(100))), "");
    assert_eq!(client.ask("PUB x 101\r\n"), "-ERR 'Maximum Payload Violation'\r\n");
    assert_eq!(client.closed(), Some(ClosedReason::MaxPayloadExceeded));
}

#[test]
fn the_closed_are_remembered_for_a_while() {
    // spec: CORE-102 CORE-082
    let world = World::new("max_closed_clients: 3");
    for n in 0..5 {
        let client = world.client(&QUIET.replace('}', &format!(r#","name":"c{n}","lang":"x","version":"1"}}"#)));
        client.send("SUB a.b q s1\r\nUNSUB s1 9\r\nPUB a.b 3\r\nxyz\r\n");
        client.hang_up();
    }
    let closed = world.broker().closed.all();
    assert_eq!((world.broker().closed.total(), closed.len()), (5, 3));
    assert_eq!(closed.iter().map(|c| &*c.description.name).collect::<Vec<_>>(), ["c2", "c3", "c4"], "oldest first");
    let last = &closed[2];
    assert_eq!((last.cid, &*last.account, last.reason), (5, "$G", ClosedReason::ClientClosed));
    assert_eq!((last.inbound, last.out.messages, last.out.bytes), ((1, 3), 1, 3));
    assert_eq!((last.subscriptions.count, last.subscriptions.texts.len()), (1, 1));
    let kept = &last.subscriptions.texts[0];
    assert_eq!((&*kept.subject, kept.queue.as_deref(), &*kept.sid), ("a.b", Some("q"), "s1"));
    assert_eq!((kept.delivered, kept.max), (1, 9));
    let counters = &world.broker().counters;
    assert_eq!((counters.clients.in_msgs.load(Relaxed), counters.clients.out_bytes.load(Relaxed)), (5, 15));
}

#[test]
fn traffic_is_counted() {
    let world = World::new("");
    let client = world.quiet();
    client.send("SUB a 1\r\nSUB a 2\r\nPUB a 3\r\nxyz\r\nHPUB a 12 13\r\nNATS/1.0\r\n\r\nx\r\n");
    let (peer, totals) = (client.peer(), client.peer().outbox.totals());
    assert_eq!((peer.counters.in_msgs.load(Relaxed), peer.counters.in_bytes.load(Relaxed)), (2, 16));
    assert_eq!((totals.messages, totals.bytes, totals.pending), (4, 32, 0));
    assert_eq!(peer.counters.last_activity.load(Relaxed), world.now().as_nanos());
    client.send_in_pieces(format!("PUB b 5000\r\n{}", "x".repeat(5000)).as_bytes(), &[100]);
    world.skip(Duration::from_secs(1));
    client.send("\r\n");
    assert_eq!(peer.counters.last_activity.load(Relaxed), world.now().as_nanos(), "the end of a large message counts");
}
