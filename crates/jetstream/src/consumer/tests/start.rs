//! Where a consumer begins, and how it comes back.

use super::*;
use crate::config::DeliverPolicy;

fn stream() -> World {
    let mut world = World::new();
    for subject in ["s.a", "s.b", "s.a", "t.c", "s.b"] {
        world.publish(subject, "m");
        world.sleep(ms(1_000));
    }
    world
}

fn filters(filters: &[&str]) -> Vec<String> {
    filters.iter().map(|&filter| filter.to_owned()).collect()
}

// spec: JS-087 JS-097
#[test]
fn a_consumer_begins_where_its_policy_says() {
    let third = WallTime::from_nanos(BEGIN.wall.as_nanos() + 1_500_000_000);
    for (policy, subjects, delivered, pending) in [
        (DeliverPolicy::All, &[][..], &[1, 2, 3, 4, 5][..], 5),
        (DeliverPolicy::All, &["s.b", "t.>"], &[2, 4, 5], 3),
        (DeliverPolicy::Last, &[], &[5], 1),
        (DeliverPolicy::Last, &["s.a"], &[3], 1),
        (DeliverPolicy::Last, &["s.x"], &[], 0),
        (DeliverPolicy::New, &[], &[], 0),
        (DeliverPolicy::ByStartSequence(4), &[], &[4, 5], 2),
        (DeliverPolicy::ByStartSequence(9), &[], &[], 0),
        (DeliverPolicy::ByStartTime(third), &[], &[3, 4, 5], 3),
        (DeliverPolicy::LastPerSubject, &["s.*"], &[3, 5], 2),
        (DeliverPolicy::LastPerSubject, &["s.x"], &[], 0),
    ] {
        let mut world = stream();
        world.start(ConsumerConfig { deliver_policy: policy, filter_subjects: filters(subjects), ..pull() });
        assert_eq!(world.info().num_pending, pending, "{policy:?} {subjects:?}");
        let lines = deliveries(&world.fetch("9"));
        let expected: Vec<String> =
            (1_u64..).zip(delivered).map(|(n, seq)| format!("1.{seq}.{n} {} m", pending - n)).collect();
        assert_eq!(lines, expected, "{policy:?} {subjects:?}");
    }
}

#[test]
fn a_start_to_come_is_waited_for() {
    let mut world = World::new();
    world.start(ConsumerConfig { deliver_policy: DeliverPolicy::ByStartSequence(3), ..pull() });
    assert_eq!(world.numbers(), "0/2 0/2 0 0 0");
    world.pull("inb", "9");
    for _ in 0..3 {
        world.publish("s.x", "m");
        world.deliver();
    }
    assert_eq!(deliveries(&world.lines()), ["1.3.1 0 m"]);
}

// spec: JS-087
#[test]
fn last_messages_come_before_new_ones() {
    let mut world = stream();
    world.start(ConsumerConfig {
        deliver_policy: DeliverPolicy::LastPerSubject,
        filter_subjects: filters(&["s.*"]),
        ..pull()
    });
    world.publish("s.a", "m");
    world.publish("s.z", "m");
    assert_eq!(world.info().num_pending, 4);
    world.remove(1, Removal::Removed);
    assert_eq!(world.info().num_pending, 4);
    world.remove(5, Removal::Removed);
    assert_eq!(world.info().num_pending, 3);
    assert_eq!(deliveries(&world.fetch("9")), ["1.3.1 2 m", "1.6.2 1 m", "1.7.3 0 m"]);
}

/// Brings a consumer back from a snapshot and deltas.
fn reopened(world: &mut World, snapshot: &[u8], deltas: &[Vec<u8>]) {
    let config = world.consumer.as_ref().unwrap().config.clone();
    let mut consumer = Consumer::restore(config, BEGIN.wall, &world.stream, world.now, snapshot).unwrap();
    for delta in deltas {
        consumer.apply(delta).unwrap();
    }
    world.consumer = Some(consumer);
    world.act(Consumer::resume);
}

#[test]
fn a_consumer_comes_back_where_it_was() {
    let mut world =
        World::with(ConsumerConfig { max_deliver: 3, ack_wait: Duration::from_secs(1), ..pull() }, &["m"; 9]);
    let mut snapshot = Vec::new();
    world.consumer.as_ref().unwrap().snapshot(&mut snapshot);
    let mut deltas = Vec::new();
    let mut delta = |world: &mut World| {
        let mut bytes = Vec::new();
        assert!(world.consumer.as_mut().unwrap().progress(&mut bytes));
        assert!(!world.consumer.as_mut().unwrap().progress(&mut bytes));
        deltas.push(bytes);
    };
    delta(&mut world);
    world.fetch("4");
    delta(&mut world);
    world.ack("1.1.1", "", "");
    world.ack("1.3.3", "", "");
    world.fetch("2");
    world.ack("1.5.5", "", "");
    delta(&mut world);
    world.ack("1.4.4", "", "-NAK");
    world.fetch("1");
    world.ack("1.6.6", "", "-NAK 5s");
    world.sleep(ms(400));
    delta(&mut world);
    let numbers = world.numbers();
    assert_eq!(numbers, "7/6 1/1 3 1 3");
    reopened(&mut world, &snapshot, &deltas);
    assert_eq!(world.numbers(), numbers);
    world.ack("1.2.2", "", "+WPI");
    world.pull("inb", "{\"batch\":9,\"expires\":700000000}");
    world.deliver();
    assert_eq!(deliveries(&world.lines()), ["1.7.8 2 m", "1.8.9 1 m", "1.9.10 0 m"]);
    world.pass(ms(600));
    assert_eq!(deliveries(&world.lines())[0], "3.4.11 0 m");
}

// Seen on the reference.
#[test]
fn a_list_of_last_messages_may_be_empty() {
    let mut world = stream();
    let policy = DeliverPolicy::LastPerSubject;
    world.start(ConsumerConfig { deliver_policy: policy, filter_subjects: filters(&["s.x"]), ..pull() });
    assert_eq!(world.numbers(), "0/4 0/4 0 0 0");
    world.publish("s.x", "m");
    assert_eq!(deliveries(&world.fetch("1")), ["1.6.1 0 m"]);
}

#[test]
fn last_messages_go_on_after_a_restart() {
    let mut world = stream();
    let policy = DeliverPolicy::LastPerSubject;
    world.start(ConsumerConfig { deliver_policy: policy, filter_subjects: filters(&["*.*"]), ..pull() });
    world.fetch("1");
    world.publish("t.c", "m");
    let mut snapshot = Vec::new();
    world.consumer.as_ref().unwrap().snapshot(&mut snapshot);
    reopened(&mut world, &snapshot, &[]);
    assert_eq!(world.info().num_pending, 3);
    assert_eq!(deliveries(&world.fetch("9")), ["1.4.2 2 m", "1.5.3 1 m", "1.6.4 0 m"]);
}

#[test]
fn a_stream_that_lost_its_end_takes_its_consumers_back() {
    let mut world = World::with(pull(), &["m"; 5]);
    world.fetch("5");
    let mut snapshot = Vec::new();
    world.consumer.as_ref().unwrap().snapshot(&mut snapshot);
    world.store = Double::new();
    for _ in 0..3 {
        world.store.put("s.x", "", "m", BEGIN.wall);
    }
    reopened(&mut world, &snapshot, &[]);
    assert_eq!(world.numbers(), "5/3 0/0 3 0 0");
    world.publish("s.x", "new");
    assert_eq!(deliveries(&world.fetch("1")), ["1.4.6 0 new"]);
}

proptest::proptest! {
    #[test]
    fn no_bytes_bring_a_consumer_down(
        numbers in proptest::array::uniform8(0..12_u8),
        tail in proptest::collection::vec(0..9_u8, 0..60),
        fills in 0..6_usize,
    ) {
        let mut bytes = vec![1, u8::from(numbers[0] > 6)];
        bytes.extend(numbers);
        bytes.extend(tail);
        bytes.extend(std::iter::repeat_n(0, fills));
        let mut world = World::with(ConsumerConfig { max_deliver: 2, ..pull() }, &["m"; 9]);
        let Ok(consumer) = Consumer::restore(pull(), BEGIN.wall, &world.stream, world.now, &bytes) else { return Ok(()) };
        world.consumer = Some(consumer);
        world.act(Consumer::resume);
        world.fetch("5");
        for seq in 1..9 {
            world.ack(&format!("1.{seq}.{seq}"), "inb", if seq % 2 == 0 { "-NAK" } else { "" });
        }
        world.pass(Duration::from_mins(2));
        world.remove(4, Removal::Limit);
        world.info();
        let (mut delta, mut snapshot) = (Vec::new(), Vec::new());
        let consumer = world.consumer.as_mut().unwrap();
        let has_changed = consumer.progress(&mut delta);
        consumer.snapshot(&mut snapshot);
        if has_changed {
            consumer.apply(&delta).unwrap();
        }
        consumer.apply(&snapshot).unwrap();
    }
}
