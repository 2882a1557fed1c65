//! Streams made of what is told of one.

use martlet_store::sim::{SimDisk, Unsynced};
use martlet_store::{FileStore, MemoryStore, Message, NEVER, State, Store};

use super::*;
use crate::config::{AckPolicy, ConsumerConfig};
use crate::consumer::{Place, Standing, Unacknowledged};

fn now() -> Now {
    Now { time: Time::ORIGIN, wall: WallTime::from_nanos(START) }
}

fn begin(change: impl FnOnce(&mut StreamConfig), first_seq: u64, store: Box<dyn Store>) -> Rebuild {
    Rebuild::begin(config(change), WallTime::from_nanos(5), first_seq, store, now()).unwrap()
}

fn message<'a>(seq: u64, subject: &'a str, headers: &'a str) -> Message<'a> {
    let time = WallTime::from_nanos(START - 1_000_000_000);
    Message { seq, time, subject: subject.as_bytes(), headers: headers.as_bytes(), payload: b"x", expires: None }
}

fn kept(stream: &Stream) -> Vec<u64> {
    let mut buffer = Vec::new();
    (1..=stream.state().last_seq).filter(|seq| stream.store().get(*seq, &mut buffer).unwrap().is_some()).collect()
}

fn returning(name: &str, standing: Standing) -> Returning {
    let config = ConsumerConfig {
        name: name.into(),
        durable: name.into(),
        ack_policy: AckPolicy::Explicit,
        ack_wait: Duration::from_secs(30),
        max_deliver: -1,
        ..ConsumerConfig::default()
    };
    Returning { config, created: WallTime::from_nanos(6), standing }
}

#[test]
fn it_is_there_after_a_restart_with_its_gaps_and_consumers() {
    // spec: JS-125
    let disk = SimDisk::default();
    let opened = FileStore::open(
        Arc::new(disk.clone()),
        martlet_store::Options {
            first_seq: 3,
            ..martlet_store::Options::for_limits(martlet_store::Limits::default(), 7)
        },
        &mut Recovery::recovery(now()),
    );
    let mut rebuild = begin(|_| {}, 3, Box::new(opened.unwrap().store));
    for seq in [3, 4, 7, 8, 11] {
        rebuild.message(&message(seq, "s.a", "")).unwrap();
    }
    rebuild.remove(&[4..=4]).unwrap();
    let waits = |seq, consumer_seq| Unacknowledged { seq, consumer_seq, delivered_at: now().wall };
    let standing = Standing {
        delivered: Place { consumer_seq: 3, stream_seq: 7 },
        ack_floor: Place { consumer_seq: 0, stream_seq: 0 },
        // What waits and is not there has been dealt with.
        pending: vec![waits(4, 2), waits(7, 3)],
        redelivered: vec![(7, 2)],
        letters: Vec::new(),
    };
    let state = rebuild.close(14, &[returning("c", standing)]).unwrap();
    assert_eq!((state.messages, state.first_seq, state.last_seq), (4, 3, 14));

    let disk = disk.restart(Unsynced::Dropped);
    let mut recovery = Recovery::recovery(now());
    let options = martlet_store::Options::for_limits(martlet_store::Limits::default(), 1);
    let opened = FileStore::open(Arc::new(disk), options, &mut recovery).unwrap();
    assert_eq!(opened.damage, []);
    let mut out = Told::default();
    let mut stream = Stream::recover(recovery, Box::new(opened.store), Options::default(), now(), &mut out).unwrap();
    assert_eq!((kept(&stream), stream.created()), (vec![3, 7, 8, 11], WallTime::from_nanos(5)));
    let info = stream.consumer_info("c", now(), &mut out).unwrap();
    assert_eq!((info.num_ack_pending, info.num_redelivered, info.num_pending), (1, 1, 2));
    assert_eq!((info.created, info.delivered.stream), (WallTime::from_nanos(6), 7));
}

#[test]
fn what_is_over_is_passed_over_and_ids_are_remembered() {
    // spec: JS-118 JS-123
    let mut rebuild = begin(|config| config.allow_msg_ttl = true, 0, Box::new(MemoryStore::new(1)));
    let ttl = |text: &str| block(&[("Nats-TTL", text), ("Nats-Msg-Id", text)]);
    for (seq, text) in [(1, "1s"), (2, "1h"), (3, "never"), (4, "1")] {
        rebuild.message(&message(seq, "s.a", &ttl(text))).unwrap();
    }
    let (recovery, store) = rebuild.finish(4, &[]).unwrap();
    let mut out = Told::default();
    let mut stream = Stream::recover(recovery, store, Options::default(), now(), &mut out).unwrap();
    assert_eq!(kept(&stream), [2, 3]);
    let expires = |seq| stream.store().get(seq, &mut Vec::new()).unwrap().and_then(|message| message.expires);
    assert_eq!((expires(2), expires(3)), (Some(WallTime::from_nanos(START + 3_599_000_000_000)), Some(NEVER)));
    let headers = block(&[("Nats-Msg-Id", "1h")]);
    let again = Incoming { subject: b"s.a", reply: b"r", headers: headers.as_bytes(), payload: b"x" };
    stream.publish(now(), &again, &mut out);
    stream.flush(now(), &mut out);
    assert_eq!(out.lines, [r#"r {"stream":"S","seq":2,"duplicate": true}"#]);
}

#[test]
fn bounds_hold_when_all_has_come() {
    // spec: JS-125
    let mut rebuild = begin(|config| config.max_msgs_per_subject = 1, 0, Box::new(MemoryStore::new(1)));
    for seq in 10..=16 {
        rebuild.message(&message(seq, if seq % 2 == 0 { "s.a" } else { "s.b" }, "")).unwrap();
    }
    rebuild.flush().unwrap();
    assert_eq!((rebuild.state().first_seq, rebuild.state().deleted), (10, 0));
    // What goes by itself takes no other's place.
    rebuild.remove(&[16..=16]).unwrap();
    let (_, store) = rebuild.finish(0, &[]).unwrap();
    let State { messages, first_seq, last_seq, .. } = store.state();
    assert_eq!((messages, first_seq, last_seq), (2, 14, 16));
}

#[test]
fn what_cannot_be_is_refused_by_name() {
    // spec: JS-125
    let refused = |told: &[Message<'_>]| {
        let mut rebuild = begin(|config| config.allow_msg_ttl = true, 2, Box::new(MemoryStore::new(2)));
        let error = told.iter().try_for_each(|message| rebuild.message(message)).expect_err("refused");
        error.to_string()
    };
    assert_eq!(refused(&[message(1, "s.a", "")]), "message 1 is out of order: it follows 1");
    let out_of_order = refused(&[message(3, "s.a", ""), message(3, "s.a", "")]);
    assert_eq!(out_of_order, "message 3 is out of order: it follows 3");
    for subject in ["", "s..a", "s.*", "s a", "s\r\nPING"] {
        let error = refused(&[message(2, subject, "")]);
        assert_eq!(error, "message 2 has a subject that nothing can be published to", "{subject:?}");
    }
    assert_eq!(refused(&[message(2, "s", "NATS/1.0\r\n")]), "message 2 has headers that are no header block");
    let ttl = block(&[("Nats-TTL", "soon")]);
    assert_eq!(refused(&[message(2, "s", &ttl)]), "message 2 has a Nats-TTL that is none");

    let rebuild = begin(|_| {}, 0, Box::new(MemoryStore::new(1)));
    let standing = Standing { delivered: Place { consumer_seq: 1, stream_seq: u64::MAX }, ..Standing::default() };
    let error = rebuild.close(1, &[returning("c", standing)]).expect_err("refused");
    assert!(error.to_string().starts_with("consumer \"c\": "), "{error}");
}
