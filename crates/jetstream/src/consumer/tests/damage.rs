//! Messages that cannot be read.

use martlet_store::Unreadable;

use super::*;
use crate::config::{DeliverPolicy, Retention};

fn damage(seqs: std::ops::RangeInclusive<u64>) -> Unreadable {
    Unreadable { messages: seqs.end() - seqs.start() + 1, seqs, why: "block 3: \"bad\" checksum".into() }
}

#[test]
fn damage_is_passed_over_once() {
    let mut world = World::with(pull(), &["m1", "m2", "m3", "m4"]);
    world.stream.retention = Retention::WorkQueue;
    world.listen_to_events();
    world.store.damage.push(damage(2..=3));
    world.pull("inb", "9");
    let outcome = world.deliver();
    assert_eq!(outcome.passed_over, 2);
    assert!(outcome.settled.is_empty());
    let lines = world.lines();
    assert_eq!(deliveries(&lines)[2], "1.4.2 0 m4");
    assert!(lines[1].starts_with("$JS.EVENT.ADVISORY.CONSUMER.UNREADABLE.S.c {"), "{lines:?}");
    let end = r#","first_seq":2,"last_seq":3,"messages":2,"reason":"block 3: \"bad\" checksum"}"#;
    assert!(lines[1].ends_with(end), "{lines:?}");
    assert_eq!(world.info().passed_over, 2);
    world.publish("s.x", "m5");
    world.deliver();
    assert_eq!(deliveries(&world.lines()), ["1.5.3 0 m5"]);
    assert_eq!(world.info().passed_over, 2);
}

#[test]
fn what_can_no_longer_be_read_is_not_delivered_again() {
    let mut world = World::with(pull(), &["m1", "m2"]);
    world.fetch("2");
    world.listen_to_events();
    world.store.damage.push(damage(1..=1));
    world.ack("1.1.1", "", "-NAK");
    world.ack("1.2.2", "", "-NAK");
    world.lines();
    let lines = world.fetch("9");
    assert!(lines[0].contains(".UNREADABLE."), "{lines:?}");
    assert_eq!(deliveries(&lines[1..]), ["2.2.3 0 m2"]);
    assert!(world.act(|consumer, _| consumer.needs(1, b"s.x")));
    assert_eq!(world.numbers(), "3/2 0/0 1 2 0");
}

#[test]
fn what_cannot_be_read_now_is_waited_for() {
    for config in [pull(), push()] {
        let is_push = !config.deliver_subject.is_empty();
        let mut world = World::with(config, &["m1", "m2", "m3"]);
        world.listen_to_events();
        world.store.is_out = true;
        if is_push {
            world.out.wanted.push("to".into());
        } else {
            world.pull("inb", "9");
        }
        for _ in 0..3 {
            assert_eq!(world.pass(ms(900)), Outcome::default());
            assert_eq!(world.lines(), [""; 0], "nobody is told anything");
        }
        let tries_again = world.consumer.as_ref().and_then(Consumer::deadline);
        assert!(tries_again.is_some_and(|at| at <= world.now.time + ms(1_000)), "{tries_again:?}");
        world.store.is_out = false;
        world.pass(ms(1_000));
        assert_eq!(deliveries(&world.lines()), ["1.1.1 2 m1", "1.2.2 1 m2", "1.3.3 0 m3"]);
        // So it is with what was delivered before.
        world.ack("1.1.1", "", "-NAK");
        world.lines();
        world.store.is_out = true;
        world.pass(ms(10));
        world.store.is_out = false;
        assert_eq!(world.lines(), [""; 0]);
        world.pass(ms(1_000));
        assert_eq!(deliveries(&world.lines()), ["2.1.4 0 m1"]);
        let info = world.info();
        assert_eq!((info.passed_over, info.num_ack_pending, info.num_pending), (0, 3, 0));
    }
}

#[test]
fn the_last_of_subjects_are_passed_over_together() {
    let mut world = World::new();
    for subject in ["s.a", "s.b", "s.c", "s.d"] {
        world.publish(subject, subject);
    }
    world.start(ConsumerConfig {
        deliver_policy: DeliverPolicy::LastPerSubject,
        filter_subjects: vec!["s.*".into()],
        ..pull()
    });
    world.listen_to_events();
    world.store.damage.push(damage(2..=3));
    world.pull("inb", "9");
    assert_eq!(world.deliver().passed_over, 2);
    let lines = world.lines();
    let told = lines.iter().filter(|line| line.contains(".UNREADABLE.")).count();
    assert_eq!((told, lines.len(), world.numbers().as_str()), (1, 3, "2/4 0/0 2 0 0"), "{lines:?}");
}

#[test]
fn what_went_unread_is_not_waited_for() {
    let mut world = World::with(pull(), &["m1", "m2", "m3", "m4"]);
    world.fetch("3");
    for seq in 1..=2 {
        world.store.remove(seq);
    }
    assert!(!world.act(|consumer, _| consumer.lost(&(1..=2), Removal::Purged)), "nothing is told of a purge");
    assert_eq!(world.numbers(), "3/3 2/2 1 0 1");
    world.store.remove(3);
    assert!(world.act(|consumer, _| consumer.lost(&(3..=3), Removal::Removed)));
    assert_eq!(world.numbers(), "3/3 3/3 0 0 1");
}
