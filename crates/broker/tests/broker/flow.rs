//! Pings, and connections that are slower than what they are sent.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use martlet_broker::peer::Control;
use martlet_proto::ClosedReason;

use crate::support::{QUIET, World, options};

const MINUTE: Duration = Duration::from_mins(1);

#[test]
fn a_silent_client_is_asked_and_given_up() {
    // spec: CORE-084 CORE-086 CORE-074
    let world = World::new("ping_interval: \"1m\", ping_max: 2");
    let client = world.quiet();
    world.advance(Duration::from_millis(2199));
    assert_eq!(client.received(), "", "2 s and up to a fifth more");
    world.advance(Duration::from_millis(2));
    assert_eq!(client.received(), "PING\r\n");
    world.advance(MINUTE);
    assert_eq!(client.received(), "PING\r\n");
    world.advance(MINUTE);
    assert_eq!(client.received(), "-ERR 'Stale Connection'\r\n");
    assert_eq!(client.closed(), Some(ClosedReason::StaleConnection));
    assert_eq!(world.broker().counters.stale_connections.clients.load(Relaxed), 1);
}

#[test]
fn an_answer_is_measured() {
    // spec: CORE-088 CORE-085
    let world = World::new("ping_interval: \"1m\"");
    let client = world.quiet();
    assert_eq!(client.peer().rtt(), None, "CONNECT came in no time at all");
    world.advance(Duration::from_secs(2));
    while client.received().is_empty() {
        world.advance(Duration::from_millis(1));
    }
    world.skip(Duration::from_millis(3));
    assert_eq!(client.ask("PONG\r\n"), "");
    let rtt = client.peer().rtt().expect("measured");
    assert!((3..=4).contains(&rtt.as_millis()), "{rtt:?}");
    for _ in 0..30 {
        world.advance(Duration::from_secs(59));
        client.send("PUB a 0\r\n\r\n");
    }
    assert_eq!(client.received(), "", "who talks is not asked");
    world.advance(2 * MINUTE);
    assert!(client.received().starts_with("PING\r\n"));
}

#[test]
fn the_first_ping_may_wait() {
    // spec: CORE-084
    let mut options = options("ping_interval: \"1m\"");
    options.switches.disable_short_first_ping = true;
    let world = World::with_options(&options);
    let client = world.quiet();
    world.advance(Duration::from_millis(59_999));
    assert_eq!(client.received(), "");
    world.advance(Duration::from_millis(1));
    assert_eq!(client.received(), "PING\r\n");
}

#[test]
fn a_slow_consumer_is_closed() {
    // spec: CORE-089
    let world = World::new("max_pending: 10000");
    let (publisher, slow, other) = (world.quiet(), world.quiet(), world.quiet());
    slow.send("SUB a 1\r\n");
    other.send("SUB a 1\r\n");
    slow.wire().block();
    let message = format!("PUB a 1000\r\n{}\r\n", "x".repeat(1000));
    for _ in 0..9 {
        publisher.send(&message);
    }
    assert_eq!(slow.closed(), None);
    assert!(slow.peer().outbox.pending() > 9000);
    publisher.send(&message);
    assert_eq!(slow.closed(), Some(ClosedReason::SlowConsumerPendingBytes));
    assert_eq!(slow.received(), "", "nothing more is written to it");
    assert_eq!(slow.peer().outbox.pending(), 0, "and its memory is given back");
    assert_eq!(other.received().matches("MSG").count(), 10);
    assert_eq!(publisher.closed(), None);
    let account = world.broker().accounts.get("$G").expect("always there");
    assert_eq!(world.broker().counters.slow_consumers.clients.load(Relaxed), 1);
    assert_eq!(account.totals.slow_consumers.load(Relaxed), 1);
    assert_eq!(account.interest.len(), 1);
}

#[test]
fn publishers_are_held_back_for_the_slow() {
    // spec: CORE-091
    let world = World::new("max_pending: 10000");
    let (publisher, slow) = (world.quiet(), world.quiet());
    slow.send("SUB a 1\r\n");
    slow.wire().block();
    let message = format!("PUB a 1000\r\n{}\r\n", "x".repeat(1000));
    for _ in 0..7 {
        publisher.send(&message);
        assert_eq!(publisher.take_stall(), None, "below three quarters");
    }
    publisher.send(&message);
    let stall = publisher.take_stall().expect("three quarters are full");
    assert!((2..=10).contains(&stall.as_millis()), "{stall:?}");
    assert_eq!(slow.closed(), None);
    slow.wire().unblock();
    world.settle();
    publisher.send(&message);
    assert_eq!(publisher.take_stall(), None);
    assert_eq!(slow.received().matches("MSG").count(), 9);
}

#[test]
fn or_the_slow_do_without() {
    // spec: CORE-091
    let world = World::new("max_pending: 10000, no_fast_producer_stall: true");
    let (publisher, slow, other) = (world.quiet(), world.quiet(), world.quiet());
    slow.send("SUB a 1\r\nSUB b g 2\r\n");
    other.send("SUB b g 1\r\n");
    slow.wire().block();
    let message = format!("PUB a 1000\r\n{}\r\n", "x".repeat(1000));
    for _ in 0..30 {
        publisher.send(&message);
        assert_eq!(publisher.take_stall(), None);
    }
    assert_eq!(slow.closed(), None, "it is not closed for what it is spared");
    // spec: CORE-098
    publisher.send(&"PUB b 0\r\n\r\n".repeat(50));
    assert_eq!(other.received().matches("MSG b").count(), 50, "a group prefers those who can");
    slow.wire().unblock();
    world.settle();
    assert_eq!(slow.received().matches("MSG a").count(), 8);
    publisher.send(&message);
    assert_eq!(slow.received().matches("MSG a").count(), 1, "and it is served again");
}

#[test]
fn last_words_are_written() {
    // spec: CORE-101
    let world = World::new("");
    let client = world.quiet();
    client.peer().request(Control::Close(ClosedReason::Kicked, None));
    world.settle();
    assert_eq!((client.closed(), client.received().as_str()), (Some(ClosedReason::Kicked), ""));
    let client = world.quiet();
    client.wire().block();
    client.send("PING\r\n");
    client.wire().unblock();
    client.peer().request(Control::Close(ClosedReason::AuthenticationExpired, Some("User Authentication Expired")));
    world.settle();
    let words = client.received();
    assert!(words.starts_with("PONG\r\n") && words.ends_with("-ERR 'User Authentication Expired'\r\n"), "{words}");
}

#[test]
fn a_broken_socket_is_a_closed_connection() {
    // spec: CORE-082
    let world = World::new("");
    let (publisher, broken) = (world.quiet(), world.quiet());
    broken.send("SUB a 1\r\n");
    broken.wire().break_down();
    publisher.send("PUB a 0\r\n\r\n");
    assert_eq!(broken.closed(), Some(ClosedReason::WriteError), "whoever wrote to it");
    assert_eq!(world.broker().accounts.get("$G").expect("always there").interest.len(), 0);
}

#[test]
fn dear_destinations_write_for_themselves() {
    let world = World::new("");
    let sealed: Vec<_> = (0..4)
        .map(|_| {
            let client = world.client(QUIET);
            client.send("SUB a 1\r\n");
            client.wire().encrypt();
            client
        })
        .collect();
    let publisher = world.quiet();
    publisher.arrive(b"PUB a 0\r\n\r\n");
    let written = sealed.iter().filter(|c| !c.received().is_empty()).count();
    assert_eq!(written, 1, "the publisher's thread seals for one");
    world.settle();
    assert_eq!(sealed.iter().filter(|c| !c.received().is_empty()).count(), 3, "the others were woken");
}
