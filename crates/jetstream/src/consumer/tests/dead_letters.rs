//! Dead letters, which the reference does not have.

use std::collections::BTreeMap;

use super::*;
use crate::config::Retention;
use crate::dead_letter::{self, ReceiptSubject};

fn config(max_deliver: i64) -> ConsumerConfig {
    let metadata = BTreeMap::from([(dead_letter::KEY.to_owned(), "dead".to_owned())]);
    ConsumerConfig { max_deliver, ack_wait: Duration::from_secs(1), metadata, ..pull() }
}

/// A world in which somebody listens on `dead`, and one message was delivered once.
fn delivered(config: ConsumerConfig, retention: Retention) -> World {
    let mut world = World::new();
    world.stream.retention = retention;
    world.out.wanted.push("dead".into());
    world.publish_with("s.x", "NATS/1.0\r\nA: b\r\nNats-Msg-Id: own\r\nNats-Rollup: all\r\n\r\n", "m");
    world.start(config);
    assert_eq!(world.fetch("1").len(), 1);
    world
}

impl World {
    fn answer(&mut self, seq: u64, died: u64, headers: &str, payload: &str) -> Outcome {
        let of = ReceiptSubject { consumer: "c", seq, died };
        self.act(|consumer, ctx| consumer.letter_answered(ctx, &of, headers.as_bytes(), payload.as_bytes()))
    }

    fn letters(&self) -> usize {
        self.consumer.as_ref().unwrap().dead_letters().unwrap_or(0)
    }

    /// The consumer ends, and another one comes out of what was written of it.
    fn again(&mut self) {
        let old = self.consumer.take().unwrap();
        let mut snapshot = Vec::new();
        old.snapshot(&mut snapshot);
        let mut new = Consumer::restore(old.config().clone(), BEGIN.wall, &self.stream, self.now, &snapshot).unwrap();
        self.outside(|ctx| new.resume(ctx));
        self.consumer = Some(new);
    }
}

const ACK: &str = r#"{"stream":"D","seq":1}"#;

#[test]
fn a_message_that_is_exhausted_is_sent_until_somebody_has_it() {
    let mut world = delivered(config(1), Retention::Limits);
    world.pass(Duration::from_secs(1));
    let letter = "dead reply $JS.DEAD.S.c.1.1001000 NATS/1.0|A: b|Nats-Msg-Id: S.c.1.1001000|\
                  Martlet-Dead-Letter-Stream: S|Martlet-Dead-Letter-Consumer: c|Martlet-Dead-Letter-Subject: s.x|\
                  Martlet-Dead-Letter-Sequence: 1|Martlet-Dead-Letter-Deliveries: 1|\
                  Martlet-Dead-Letter-Reason: max_deliver|Martlet-Dead-Letter-Stored: 1970-01-01T00:16:40Z|\
                  Martlet-Dead-Letter-Died: 1970-01-01T00:16:41Z|Martlet-Dead-Letter-Deaths: 1|| m";
    assert_eq!(world.lines(), [letter]);
    world.pass(Duration::from_secs(10));
    assert_eq!(world.lines(), [letter], "it is sent again, and is the same");
    // What is no answer, or one to another death, changes nothing.
    world.answer(1, 1_001_000, "NATS/1.0 503\r\n\r\n", "");
    world.answer(1, 1_000_000, "", ACK);
    world.answer(2, 1_001_000, "", ACK);
    assert_eq!(world.letters(), 1);
    let outcome = world.answer(1, 1_001_000, "", ACK);
    assert_eq!((world.letters(), outcome.settled.len()), (0, 0), "a stream that keeps by limits keeps it");
    world.pass(Duration::from_secs(100));
    assert_eq!(world.lines(), [""; 0]);
    assert_eq!(world.numbers(), "1/1 1/1 0 0 0");
}

#[test]
fn a_work_queue_keeps_a_message_until_its_letter_is_kept() {
    for (max_deliver, payload) in [(1, ""), (5, "+TERM bad\r\nfood")] {
        let mut world = delivered(config(max_deliver), Retention::WorkQueue);
        let mut outcome = Outcome::default();
        if !payload.is_empty() {
            outcome = world.ack("1.1.1", "inb", payload);
            assert_eq!(outcome.confirm.len(), 1, "who gave it up is told when that is written down");
        }
        outcome.merge(world.pass(Duration::from_secs(1)));
        assert_eq!(outcome.settled.len(), 0);
        let lines = world.lines();
        assert_eq!(lines.len(), 1);
        if !payload.is_empty() {
            let why = "-Reason: terminated|Martlet-Dead-Letter-Description: bad  food|";
            assert!(lines[0].contains(why), "{lines:?}");
        }
        assert!(world.act(|consumer, _| consumer.needs(1, b"s.x")));
        world.again();
        world.pass(Duration::from_secs(1));
        assert_eq!(world.lines(), lines, "it is sent again after a restart, and is the same");
        let died = if payload.is_empty() { 1_001_000 } else { 1_000_000 };
        assert_eq!(world.answer(1, died, "", ACK).settled.as_slice(), [1]);
        assert!(!world.act(|consumer, _| consumer.needs(1, b"s.x")));
        world.again();
        assert_eq!(world.letters(), 0);
    }
}

#[test]
fn deltas_tell_of_letters() {
    let mut world = delivered(config(1), Retention::WorkQueue);
    let mut copy = Vec::new();
    world.act(|consumer, _| consumer.progress(&mut copy));
    let restore = |world: &World, bytes: &[&[u8]]| {
        let mut twin = Consumer::restore(config(1), BEGIN.wall, &world.stream, world.now, bytes[0]).unwrap();
        bytes[1..].iter().for_each(|delta| twin.apply(delta).unwrap());
        twin.letters_waiting()
    };
    world.pass(Duration::from_secs(1));
    let (mut died, mut kept) = (Vec::new(), Vec::new());
    world.act(|consumer, _| consumer.progress(&mut died));
    assert_eq!(restore(&world, &[&copy, &died]), 1);
    world.answer(1, 1_001_000, "", ACK);
    world.act(|consumer, _| consumer.progress(&mut kept));
    assert_eq!(restore(&world, &[&copy, &died, &kept]), 0);
}

#[test]
fn who_acknowledges_late_or_takes_the_message_away_ends_the_letter() {
    let mut world = delivered(config(1), Retention::WorkQueue);
    world.pass(Duration::from_secs(1));
    assert_eq!(world.ack("1.1.1", "", "").settled.as_slice(), [1]);
    assert_eq!(world.letters(), 0);
    let mut world = delivered(config(1), Retention::Limits);
    world.pass(Duration::from_secs(1));
    world.remove(1, Removal::Limit);
    assert_eq!(world.letters(), 0);
    world.lines();
    world.pass(Duration::from_mins(1));
    assert_eq!(world.lines(), [""; 0]);
}

#[test]
fn a_letter_that_is_refused_is_told_and_sent_again() {
    let mut world = delivered(config(1), Retention::Limits);
    world.listen_to_events();
    world.pass(Duration::from_secs(1));
    world.lines();
    world.answer(1, 1_001_000, "", r#"{"error":{"code":503,"err_code":10077,"description":"maximum bytes exceeded"}}"#);
    let lines = world.lines();
    assert!(lines[0].starts_with("$JS.EVENT.ADVISORY.CONSUMER.DEAD_LETTER_REFUSED.S.c "), "{lines:?}");
    assert!(lines[0].ends_with(r#""stream_seq":1,"reason":"maximum bytes exceeded"}"#), "{lines:?}");
    world.pass(Duration::from_secs(10));
    assert_eq!(world.lines().len(), 1);
}

#[test]
fn letters_that_go_in_a_circle_end() {
    let mut world = World::new();
    world.stream.retention = Retention::WorkQueue;
    world.out.wanted.push("dead".into());
    world.publish_with("s.x", "NATS/1.0\r\nMartlet-Dead-Letter-Deaths: 15\r\n\r\n", "m");
    world.publish_with("s.x", "NATS/1.0\r\nMartlet-Dead-Letter-Deaths: 16\r\n\r\n", "n");
    world.start(config(1));
    world.fetch("2");
    world.pass(Duration::from_secs(1));
    let lines = world.lines();
    assert_eq!(lines.len(), 1);
    assert!(lines[0].contains("-Deaths: 16|") && lines[0].matches("Deaths").count() == 1, "{lines:?}");
    assert_eq!(world.letters(), 1);
    assert!(world.act(|consumer, _| consumer.needs(2, b"s.x")), "it stays where it is");
}

#[test]
fn when_letters_have_nowhere_to_go_it_is_as_if_there_were_none() {
    let mut world = delivered(config(1), Retention::WorkQueue);
    world.publish("s.x", "n");
    world.fetch("1");
    world.ack("1.2.2", "", "+TERM");
    world.pass(Duration::from_secs(1));
    assert_eq!(world.letters(), 2);
    world.act(|consumer, ctx| consumer.update(ConsumerConfig { metadata: BTreeMap::new(), ..config(1) }, ctx));
    assert_eq!(world.pass(Duration::ZERO).settled.as_slice(), [2], "the one that was given up is done");
    assert_eq!(world.letters(), 0);
}

#[test]
fn while_too_many_wait_nothing_new_is_delivered() {
    let most = super::super::dead_letters::MAX_WAITING;
    let mut world = World::new();
    world.start(ConsumerConfig { max_ack_pending: -1, ..config(1) });
    for _ in 0..=most {
        world.publish("s.x", "m");
    }
    assert_eq!(world.fetch(&most.to_string()).len(), most);
    world.pass(Duration::from_secs(1));
    assert_eq!(world.letters(), most);
    world.pull("inb", "1");
    world.deliver();
    assert_eq!(world.lines(), [""; 0]);
    let more = world.answer(1, 1_001_000, "", "").more;
    world.deliver();
    assert!(more);
    assert_eq!(world.lines().len(), 1);
}
