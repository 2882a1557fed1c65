//! Messages that cannot be read.

use martlet_store::Unreadable;

use super::*;
use crate::config::Retention;

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
