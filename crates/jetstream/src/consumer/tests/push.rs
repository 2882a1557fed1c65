//! Deliver subjects.

use super::*;
use crate::config::ReplayPolicy;

fn listening(config: ConsumerConfig, messages: &[&str]) -> World {
    let mut world = World::with(config, messages);
    world.out.wanted.push("to".into());
    world.act(Consumer::interest);
    world
}

// spec: JS-105
#[test]
fn messages_are_pushed_while_somebody_listens() {
    let mut world = World::with(push(), &["m1", "m2"]);
    world.deliver();
    assert_eq!(world.lines(), [""; 0]);
    assert!(!world.info().push_bound);
    world.out.wanted.push("to".into());
    world.act(Consumer::interest);
    assert!(world.info().push_bound);
    world.deliver();
    assert_eq!(world.lines()[0], "to as s.x reply $JS.ACK.S.c.1.1.1.1000000000000.1 m1");
    world.out.wanted.clear();
    world.publish("s.x", "m3");
    world.deliver();
    assert!(!world.info().push_bound);
    assert_eq!(world.numbers(), "2/2 0/0 2 0 1");
    world.out.wanted.push("to".into());
    world.deliver();
    assert_eq!(deliveries(&world.lines()), ["1.3.3 0 m3"]);
}

// spec: JS-087
#[test]
fn a_consumer_nobody_listens_to_ends() {
    let mut world = listening(ConsumerConfig { durable: String::new(), ..push() }, &["m1"]);
    assert!(!world.pass(Duration::from_mins(1)).is_inactive);
    world.out.wanted.clear();
    world.act(Consumer::interest);
    assert!(!world.pass(Duration::from_secs(4)).is_inactive);
    assert!(world.pass(Duration::from_secs(2)).is_inactive);
}

// spec: JS-104 JS-635
#[test]
fn an_idle_consumer_says_so() {
    let mut world = listening(ConsumerConfig { idle_heartbeat: ms(500), ..push() }, &["m1"]);
    world.deliver();
    world.lines();
    world.sleep(ms(300));
    world.publish("s.x", "m2");
    world.deliver();
    world.lines();
    world.pass(ms(499));
    assert_eq!(world.lines(), [""; 0]);
    world.pass(ms(501));
    let heartbeat = "to NATS/1.0 100 Idle Heartbeat|Nats-Last-Consumer: 2|Nats-Last-Stream: 2||";
    assert_eq!(world.lines(), [heartbeat; 2]);
}

// spec: JS-104
#[test]
fn a_subscriber_is_asked_whether_it_has_got_everything() {
    let big = "x".repeat(300 * 1024);
    let config = ConsumerConfig { flow_control: true, idle_heartbeat: Duration::from_secs(1), ..push() };
    let mut world = listening(ConsumerConfig { ack_policy: AckPolicy::None, ..config }, &[big.as_str(); 20]);
    world.deliver();
    let lines = world.lines();
    let question = lines.iter().position(|line| line.contains("FlowControl")).unwrap();
    // More than half of 2 MiB is on its way: four messages.
    assert_eq!(question, 4);
    let (reply, status) = lines[question].strip_prefix("to reply ").unwrap().split_once(' ').unwrap();
    assert!(reply.starts_with("$JS.FC.S.c.") && reply.len() == 15, "{reply}");
    assert_eq!(status, "NATS/1.0 100 FlowControl Request||");
    // 2 MiB are seven messages.
    assert_eq!(lines.len(), 8);
    world.pass(Duration::from_secs(1));
    let stalled = format!(
        "to NATS/1.0 100 Idle Heartbeat|Nats-Last-Consumer: 7|Nats-Last-Stream: 7|Nats-Consumer-Stalled: {reply}||"
    );
    assert_eq!(world.lines(), [stalled]);
    let answer =
        |world: &mut World, to: &str| world.act(|consumer, ctx| consumer.flow_control(ctx, to.as_bytes(), b""));
    assert!(!answer(&mut world, "$JS.FC.S.c.zzzz").more);
    assert!(answer(&mut world, reply).more);
    world.deliver();
    // Three messages are still on their way, and the window is twice as large.
    let lines = world.lines();
    assert_eq!(lines.iter().filter(|line| line.contains("FlowControl")).count(), 1);
    assert_eq!(lines.len(), 12);
}

// spec: JS-094 JS-104
#[test]
fn answers_may_acknowledge() {
    let config = ConsumerConfig {
        ack_policy: AckPolicy::FlowControl,
        flow_control: true,
        idle_heartbeat: Duration::from_secs(1),
        max_ack_pending: 3,
        ..push()
    };
    let mut world = listening(config, &["m1", "m2", "m3", "m4"]);
    world.deliver();
    let lines = world.lines();
    assert_eq!(lines.len(), 4);
    let (reply, _) = lines[3].strip_prefix("to reply ").unwrap().split_once(' ').unwrap();
    let headers = b"NATS/1.0\r\nNats-Last-Consumer: 2\r\nNats-Last-Stream: 2\r\n\r\n";
    world.act(|consumer, ctx| consumer.flow_control(ctx, reply.as_bytes(), headers));
    assert_eq!(world.numbers(), "3/3 2/2 1 0 1");
    world.deliver();
    assert_eq!(deliveries(&world.lines()), ["1.4.4 0 m4"]);
    world.pass(Duration::from_secs(1));
    assert_eq!(world.lines().len(), 2);
}

// spec: JS-105
#[test]
fn a_paused_consumer_delivers_nothing() {
    let mut world = World::new();
    world.publish("s.x", "m1");
    world.listen_to_events();
    world.out.wanted.push("to".into());
    let until = WallTime::from_nanos(world.now.wall.as_nanos() + 2_000_000_000);
    world.start(ConsumerConfig { pause_until: Some(until), ..push() });
    assert_eq!(world.info().pause_remaining, Some(Duration::from_secs(2)));
    world.pass(ms(1_999));
    assert_eq!(world.lines(), [""; 0]);
    world.pass(ms(1));
    let lines = world.lines();
    assert!(lines[0].ends_with(r#""paused":false,"pause_until":"1970-01-01T00:16:42Z"}"#), "{lines:?}");
    assert_eq!(deliveries(&lines[1..]), ["1.1.1 0 m1"]);
    assert_eq!(world.info().pause_remaining, None);
}

// spec: JS-087
#[test]
fn payloads_may_stay_behind() {
    let mut world = listening(ConsumerConfig { headers_only: true, ..push() }, &["hello"]);
    world.publish_with("s.y", "NATS/1.0\r\nA: 1\r\n\r\n", "four");
    world.deliver();
    let lines = world.lines();
    assert!(lines[0].ends_with(" NATS/1.0|Nats-Msg-Size: 5||"), "{lines:?}");
    assert!(lines[1].ends_with(" NATS/1.0|A: 1|Nats-Msg-Size: 4||"), "{lines:?}");
}

// spec: JS-106
#[test]
fn messages_go_no_faster_than_a_rate() {
    let mut world = World::new();
    world.stream.max_msg_size = 100;
    for _ in 0..4 {
        world.publish("s.x", "12345");
    }
    world.out.wanted.push("to".into());
    // Each has 41 bytes. 100 go at once, and 45 per second: two have gone when 18 are left, the next waits for 23 more.
    world.start(ConsumerConfig { rate_limit_bps: 8 * 45, ..push() });
    world.deliver();
    assert_eq!(world.lines().len(), 2);
    world.pass(ms(511));
    assert_eq!(world.lines().len(), 0);
    world.pass(ms(1));
    assert_eq!(world.lines().len(), 1);
    world.pass(ms(911));
    assert_eq!(world.lines().len(), 1);
}

// spec: JS-106
#[test]
fn messages_go_as_they_came() {
    let mut world = World::new();
    world.out.wanted.push("to".into());
    world.publish("s.x", "m1");
    world.sleep(ms(300));
    world.publish("s.x", "m2");
    world.sleep(ms(200));
    world.start(ConsumerConfig { replay_policy: ReplayPolicy::Original, ..push() });
    world.sleep(ms(900));
    world.publish("s.x", "m3");
    world.deliver();
    assert_eq!(world.lines().len(), 1);
    world.pass(ms(299));
    assert_eq!(world.lines().len(), 0);
    world.pass(ms(1));
    assert_eq!(world.lines().len(), 2);
}
