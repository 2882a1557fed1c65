//! Updates and resets.

use super::*;
use crate::config::DeliverPolicy;
use crate::consumer::ResetError;

fn update(world: &mut World, config: ConsumerConfig) {
    world.act(|consumer, ctx| consumer.update(config, ctx));
}

// spec: JS-096
#[test]
fn waits_and_bounds_can_be_changed() {
    let mut world = World::with(ConsumerConfig { max_ack_pending: 2, ..pull() }, &["m1", "m2", "m3"]);
    world.fetch("9");
    update(&mut world, ConsumerConfig { max_ack_pending: 3, ack_wait: Duration::from_secs(1), ..pull() });
    world.deliver();
    assert_eq!(deliveries(&world.lines()), ["1.3.3 0 m3"]);
    world.pass(Duration::from_secs(1));
    assert_eq!(deliveries(&world.lines()), ["2.1.4 0 m1", "2.2.5 0 m2", "2.3.6 0 m3"]);
}

// spec: JS-096
#[test]
fn filters_can_be_changed() {
    let mut world = World::new();
    for subject in ["a", "b", "a"] {
        world.publish(subject, "m");
    }
    world.start(ConsumerConfig { filter_subjects: vec!["a".into()], ..pull() });
    assert_eq!(world.info().num_pending, 2);
    update(&mut world, ConsumerConfig { filter_subjects: vec!["b".into()], ..pull() });
    assert_eq!(world.info().num_pending, 1);
    assert_eq!(deliveries(&world.fetch("9")), ["1.2.1 0 m"]);
}

// spec: JS-096
#[test]
fn another_deliver_subject_gets_everything_again() {
    let mut world = World::with(push(), &["m1", "m2"]);
    world.out.wanted.push("to".into());
    world.deliver();
    world.lines();
    world.out.wanted.push("there".into());
    update(&mut world, ConsumerConfig { deliver_subject: "there".into(), ..push() });
    world.deliver();
    let lines = world.lines();
    assert!(lines[0].starts_with("there as s.x"));
    assert_eq!(deliveries(&lines), ["2.1.3 0 m1", "2.2.4 0 m2"]);
}

// spec: JS-105 JS-139
#[test]
fn a_pause_begins_and_ends() {
    let mut world = World::with(pull(), &["m1"]);
    world.listen_to_events();
    let until = Some(WallTime::from_nanos(BEGIN.wall.as_nanos() + 5_000_000_000));
    update(&mut world, ConsumerConfig { pause_until: until, ..pull() });
    assert!(world.lines()[0].ends_with(r#""paused":true,"pause_until":"1970-01-01T00:16:45Z"}"#));
    assert_eq!(world.fetch("1"), [""; 0]);
    update(&mut world, pull());
    world.deliver();
    let lines = world.lines();
    assert!(lines[0].ends_with(r#""paused":false,"pause_until":"0001-01-01T00:00:00Z"}"#));
    assert_eq!(deliveries(&lines[1..]), ["1.1.1 0 m1"]);
}

// spec: JS-031
#[test]
fn a_consumer_can_begin_anew() {
    let reset = |world: &mut World, seq| world.act(|consumer, ctx| consumer.reset(seq, ctx));
    let mut world = World::with(pull(), &["m1", "m2", "m3", "m4"]);
    world.fetch("4");
    world.ack("1.1.1", "", "");
    world.ack("1.3.3", "", "");
    let mut bytes = Vec::new();
    world.consumer.as_mut().unwrap().progress(&mut bytes);
    assert_eq!(reset(&mut world, 0), Ok(2));
    assert_eq!(world.numbers(), "0/1 0/1 0 0 3");
    bytes.clear();
    assert!(world.consumer.as_mut().unwrap().progress(&mut bytes));
    let back = Consumer::restore(pull(), BEGIN.wall, &world.stream, world.now, &bytes).unwrap();
    assert_eq!((back.next, back.pending.len()), (2, 0));
    assert_eq!(deliveries(&world.fetch("1")), ["1.2.1 2 m2"]);
    assert_eq!(reset(&mut world, 4), Ok(4));
    assert_eq!(deliveries(&world.fetch("1")), ["1.4.1 0 m4"]);
    for (policy, error) in [
        (DeliverPolicy::New, ResetError::NotAllowed),
        (DeliverPolicy::ByStartSequence(3), ResetError::BelowStartSeq),
        (DeliverPolicy::ByStartTime(WallTime::from_nanos(u64::MAX)), ResetError::BelowStartTime),
    ] {
        world.start(ConsumerConfig { deliver_policy: policy, ..pull() });
        assert_eq!(reset(&mut world, 2), Err(error));
    }
}
