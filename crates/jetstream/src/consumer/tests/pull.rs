//! Pull requests and their statuses.

use super::*;
use crate::consumer::Closing;

const REST: &str = "Nats-Pending-Messages: 1|Nats-Pending-Bytes: 0||";

// spec: JS-100 JS-107 JS-616
#[test]
fn a_request_gets_as_many_messages_as_it_asks_for() {
    let mut world = World::with(pull(), &["m1", "m2", "m3"]);
    assert_eq!(world.fetch(""), ["inb as s.x reply $JS.ACK.S.c.1.1.1.1000000000000.2 m1"]);
    assert_eq!(deliveries(&world.fetch("5")), ["1.2.2 1 m2", "1.3.3 0 m3"]);
    world.publish("s.x", "m4");
    world.deliver();
    assert_eq!(deliveries(&world.lines()), ["1.4.4 0 m4"]);
    assert_eq!(world.info().num_waiting, 1);
    assert_eq!(world.numbers(), "4/4 0/0 4 0 0");
}

// spec: JS-107
#[test]
fn requests_take_turns() {
    let mut world = World::with(pull(), &["m1", "m2", "m3", "m4"]);
    world.pull("r.a", "3");
    world.pull("r.b", "1");
    world.deliver();
    let to: Vec<String> = world.lines().iter().map(|line| line[..3].to_owned()).collect();
    assert_eq!(to, ["r.a", "r.b", "r.a", "r.a"]);
}

// spec: JS-108 JS-596 JS-620
#[test]
fn who_does_not_wait_is_told_when_nothing_is_there() {
    let mut world = World::with(pull(), &[]);
    let none = "inb NATS/1.0 404 No Messages||";
    assert_eq!(world.fetch("{\"batch\":1,\"no_wait\":true}"), [none]);
    world.publish("s.x", "m1");
    assert_eq!(deliveries(&world.fetch("{\"batch\":5,\"no_wait\":true}")), ["1.1.1 0 m1", none]);
    // With a time, it waits for its first message, and ends behind it.
    assert_eq!(world.fetch("{\"batch\":5,\"no_wait\":true,\"expires\":1000000000}"), [""; 0]);
    world.publish("s.x", "m2");
    world.deliver();
    assert_eq!(deliveries(&world.lines()), ["1.2.2 0 m2", none]);
}

// spec: JS-108
#[test]
fn who_does_not_wait_is_refused_when_others_are_before() {
    let mut world = World::with(ConsumerConfig { max_ack_pending: 1, ..pull() }, &["m1", "m2", "m3"]);
    world.fetch("1");
    world.pull("r.a", "5");
    assert_eq!(world.fetch("{\"batch\":1,\"no_wait\":true}"), ["inb NATS/1.0 408 Requests Pending||"]);
}

// spec: JS-108 JS-597 JS-621
#[test]
fn a_request_ends_in_time() {
    let mut world = World::with(pull(), &["m1", "m2"]);
    world.fetch("{\"batch\":3,\"expires\":300000000}");
    world.pass(ms(299));
    assert_eq!(world.lines(), [""; 0]);
    world.pass(ms(2));
    assert_eq!(world.lines(), [format!("inb NATS/1.0 408 Request Timeout|{REST}")]);
    assert_eq!(world.info().num_waiting, 0);
    assert_eq!(world.consumer.as_ref().unwrap().waiting.due(), None);
}

// spec: JS-108 JS-598
#[test]
fn who_waits_is_told_so() {
    let mut world = World::with(pull(), &["m1"]);
    world.fetch("{\"batch\":9,\"expires\":900000000,\"idle_heartbeat\":400000000}");
    world.sleep(ms(300));
    world.publish("s.x", "m2");
    world.deliver();
    world.lines();
    world.pass(ms(399));
    assert_eq!(world.lines(), [""; 0]);
    world.pass(ms(1));
    let heartbeat = "inb NATS/1.0 100 Idle Heartbeat|Nats-Last-Consumer: 2|Nats-Last-Stream: 2||";
    assert_eq!(world.lines(), [heartbeat]);
}

// spec: JS-107 JS-108 JS-619
#[test]
fn bytes_are_bounded() {
    // Each of these is 3 + 38 + 2 bytes.
    let mut world = World::with(pull(), &["m1", "m2", "m3"]);
    let size = 3 + "$JS.ACK.S.c.1.1.1.1000000000000.2".len() + 2;
    let lines = world.fetch(&format!("{{\"batch\":10,\"max_bytes\":{}}}", 2 * size));
    assert_eq!(deliveries(&lines), ["1.1.1 2 m1", "1.2.2 1 m2"]);
    assert_eq!(world.info().num_waiting, 0);
    let rest = "Nats-Pending-Messages: 1|Nats-Pending-Bytes: 5||";
    let lines = world.fetch("{\"batch\":1,\"max_bytes\":5}");
    assert_eq!(lines, [format!("inb NATS/1.0 409 Message Size Exceeds MaxBytes|{rest}")]);
    let lines = world.fetch(&format!("{{\"batch\":1,\"max_bytes\":{}}}", size + 7));
    assert_eq!(lines[1], "inb NATS/1.0 409 Batch Completed|Nats-Pending-Messages: 0|Nats-Pending-Bytes: 7||");
    assert_eq!(world.numbers(), "3/3 0/0 3 0 0");
}

// spec: JS-108 JS-110 JS-599 JS-600 JS-601 JS-602 JS-603
#[test]
fn what_is_too_much_is_refused() {
    let config = ConsumerConfig { max_batch: 5, max_bytes: 100, max_expires: Duration::from_secs(10), ..pull() };
    let mut world = World::with(config, &["m1"]);
    for (body, status) in [
        ("6", "409 Exceeded MaxRequestBatch of 5"),
        ("{\"expires\":11000000000}", "409 Exceeded MaxRequestExpires of 10s"),
        ("{\"max_bytes\":101}", "409 Exceeded MaxRequestMaxBytes of 100"),
        ("{\"expires\":1,\"idle_heartbeat\":1}", "400 Bad Request - heartbeat value too large"),
        ("{x", "400 Bad Request - invalid character 'x' looking for beginning of object key string"),
    ] {
        assert_eq!(world.fetch(body), [format!("inb NATS/1.0 {status}||")], "{body}");
    }
}

// spec: JS-108 JS-615
#[test]
fn so_many_may_wait() {
    let mut world = World::with(ConsumerConfig { max_waiting: 2, ..pull() }, &[]);
    world.pull("r.a", "1");
    world.pull("r.b", "1");
    assert_eq!(world.fetch("1"), ["inb NATS/1.0 409 Exceeded MaxWaiting||"]);
    assert_eq!(world.fetch("{\"expires\":9000000000,\"idle_heartbeat\":1000000000}"), [""; 0]);
    // Who has gone makes room, if nobody has looked just now.
    world.out.wanted.retain(|subject| subject != "r.*");
    world.sleep(ms(1_001));
    assert_eq!(world.fetch("1"), [""; 0]);
    assert_eq!(world.info().num_waiting, 1);
}

// spec: JS-007 JS-605 JS-606
#[test]
fn consumers_that_push_and_levels_unknown_refuse() {
    let mut world = World::with(pull(), &["m1"]);
    let level = b"NATS/1.0\r\nNats-Required-Api-Level: 99\r\n\r\n";
    world.act(|consumer, ctx| consumer.pull(ctx, b"inb", level, b""));
    assert_eq!(world.lines(), ["inb NATS/1.0 412 Required Api Level||"]);
    let mut world = World::with(push(), &["m1"]);
    assert_eq!(world.fetch("1"), ["inb NATS/1.0 409 Consumer is push based||"]);
}

// spec: JS-108
#[test]
fn nothing_is_lost_on_who_no_longer_listens() {
    let mut world = World::with(pull(), &["m1", "m2"]);
    world.pull("gone", "5");
    world.pull("inb", "1");
    world.deliver();
    assert_eq!(deliveries(&world.lines()), ["1.1.1 1 m1"]);
    assert_eq!(world.numbers(), "1/1 0/0 1 0 1");
    assert_eq!(world.info().num_waiting, 0);
}

// spec: JS-637
#[test]
fn who_waits_is_told_when_the_consumer_goes() {
    let mut world = World::with(pull(), &[]);
    world.pull("r.a", "1");
    world.pull("r.b", "1");
    world.act(|consumer, ctx| consumer.close(ctx, Closing::Deleted));
    assert_eq!(world.lines(), ["r.a NATS/1.0 409 Consumer Deleted||", "r.b NATS/1.0 409 Consumer Deleted||"]);
}

#[test]
fn what_is_not_durable_is_not_delivered() {
    let mut world = World::with(pull(), &["m1", "m2"]);
    world.pull("inb", "5");
    world.act(|consumer, ctx| {
        ctx.ready = 1;
        consumer.deliver(ctx)
    });
    assert_eq!(deliveries(&world.lines()), ["1.1.1 1 m1"]);
    world.deliver();
    assert_eq!(deliveries(&world.lines()), ["1.2.2 0 m2"]);
}

#[test]
fn one_call_delivers_a_bounded_number() {
    let mut world = World::with(ConsumerConfig { max_ack_pending: -1, ..pull() }, &["m"; 300]);
    world.pull("inb", "1000");
    assert!(world.act(Consumer::deliver).more);
    assert_eq!(world.lines().len(), 256);
    assert!(!world.act(Consumer::deliver).more);
    assert_eq!(world.lines().len(), 44);
}

// spec: JS-087
#[test]
fn a_consumer_nobody_uses_ends() {
    let config = ConsumerConfig { durable: String::new(), ..pull() };
    let mut world = World::with(config, &["m1"]);
    world.fetch("1");
    // Whoever has a message may still be at work.
    assert!(!world.pass(Duration::from_secs(34)).is_inactive);
    assert!(world.pass(Duration::from_secs(3)).is_inactive);

    let config = ConsumerConfig { inactive_threshold: Duration::from_secs(1), ..pull() };
    let mut world = World::with(config, &[]);
    world.pull("inb", "1");
    assert!(!world.pass(Duration::from_mins(1)).is_inactive);
    world.out.wanted.clear();
    assert!(world.pass(Duration::from_secs(5)).is_inactive);
    let mut world = World::with(pull(), &[]);
    assert_eq!(world.consumer.as_ref().unwrap().deadline(), None);
    assert!(!world.pass(Duration::from_hours(1)).is_inactive);
}
