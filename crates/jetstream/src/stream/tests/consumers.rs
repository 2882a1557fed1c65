//! Streams and their consumers.

use super::*;
use crate::config::{AckPolicy, ConsumerConfig, Retention};

pub(super) fn consumer(name: &str, filter: &str) -> ConsumerConfig {
    let filter_subjects = if filter.is_empty() { Vec::new() } else { vec![filter.into()] };
    ConsumerConfig {
        durable: name.into(),
        name: name.into(),
        ack_policy: AckPolicy::Explicit,
        ack_wait: Duration::from_secs(30),
        max_waiting: 512,
        max_ack_pending: 1000,
        filter_subjects,
        ..ConsumerConfig::default()
    }
}

impl Scene {
    pub(super) fn add_consumer(&mut self, config: ConsumerConfig) -> Result<(), crate::api::ApiError> {
        let name = config.name.clone();
        self.stream.create_consumer(&name, config, self.now, 2, &mut self.out)?;
        self.flush();
        self.sync();
        self.stream.next_done().unwrap().result.map(|_| self.out.lines.clear())
    }

    /// Pulls messages, and gives their reply subjects.
    pub(super) fn pull(&mut self, name: &str, batch: usize) -> Vec<String> {
        self.pulled(name, batch);
        self.acks.drain(..).collect()
    }

    fn pulled(&mut self, name: &str, batch: usize) {
        let mut out = WithReplies::default();
        let body = format!(r#"{{"batch":{batch},"no_wait":true}}"#);
        assert!(self.stream.pull(name, b"p", b"", body.as_bytes(), self.now, &mut out));
        self.acks = out.0;
    }

    pub(super) fn ack(&mut self, subject: &str, reply: &str) {
        self.stream.ack(subject.as_bytes(), reply.as_bytes(), b"", self.now, &mut self.out);
    }
}

/// Keeps the reply subjects of what is delivered.
#[derive(Debug, Default)]
struct WithReplies(Vec<String>);

impl Out for WithReplies {
    fn publish(&mut self, message: &Outgoing<'_>) -> usize {
        if !message.reply.is_empty() {
            self.0.push(String::from_utf8_lossy(message.reply).into_owned());
        }
        1
    }

    fn is_wanted(&mut self, _subject: &[u8]) -> bool {
        true
    }
    fn is_listened_on(&mut self, subject: &[u8], _group: &[u8]) -> bool {
        self.is_wanted(subject)
    }

    fn random(&mut self) -> u64 {
        7
    }
}

#[test]
fn a_consumer_is_there_when_that_is_durable() {
    // spec: JS-027 JS-139
    let mut scene = Scene::new(|_| {}).slow();
    scene.stream.create_consumer("c", consumer("c", ""), scene.now, 2, &mut scene.out).unwrap();
    scene.flush();
    assert_eq!(scene.stream.consumers().count(), 0);
    scene.sync();
    assert_eq!(scene.stream.next_done(), Some(Done { ticket: 2, result: Ok(Changed::ConsumerCreated("c".into())) }));
    let told = scene.told();
    assert!(told[0].starts_with("$JS.EVENT.ADVISORY.CONSUMER.CREATED.S.c {"), "{told:?}");
    assert!(told[0].ends_with(r#""stream":"S","consumer":"c","action":"create"}"#), "{told:?}");
    let again = scene.stream.create_consumer("c", consumer("c", ""), scene.now, 3, &mut scene.out);
    assert_eq!(again.unwrap_err().err_code, 10148);
}

#[test]
fn messages_are_delivered_when_they_are_durable() {
    let mut scene = Scene::new(|_| {});
    scene.add_consumer(consumer("c", "")).unwrap();
    let mut scene = scene.slow();
    scene.stream.pull("c", b"p", b"", b"2", scene.now, &mut scene.out);
    scene.send_from("", "s.a", &[], "one");
    scene.flush();
    assert_eq!(scene.told(), [""; 0]);
    scene.sync();
    assert_eq!(scene.told(), ["p one"]);
}

#[test]
fn a_purge_is_told_to_those_who_want_what_went() {
    // spec: JS-021 JS-067
    let mut scene = Scene::new(|config| config.allow_rollup_hdrs = true);
    for (name, filter) in [("a", "s.a"), ("b", "s.b"), ("any", "")] {
        scene.add_consumer(consumer(name, filter)).unwrap();
    }
    for subject in ["s.a", "s.a", "s.b", "s.c"] {
        scene.ask(subject, &[], "");
    }
    let told = |scene: &Scene| {
        ["a", "b", "any"].map(|name| scene.stream.consumer_numbers(name, scene.now).unwrap().delivered.stream)
    };
    scene.ask("s.a", &[("Nats-Rollup", "sub")], "");
    assert_eq!((told(&scene), scene.kept().len()), ([4, 0, 2], 3));
    let of_b = PurgeBody { filter: "s.b".into(), ..PurgeBody::default() };
    scene.stream.purge(&of_b, scene.now, NOBODY).unwrap();
    scene.flush();
    // Of the second nothing is left; the third goes on with what there is.
    assert_eq!(told(&scene), [4, 5, 3]);
    scene.ask("s.c", &[("Nats-Rollup", "all")], "");
    assert_eq!(told(&scene), [5, 5, 5]);
    // Who wants other messages, too, is not led past them.
    let both = consumer("both", "");
    let both = ConsumerConfig { filter_subjects: vec!["s.a".into(), "s.b".into()], ..both };
    scene.add_consumer(both).unwrap();
    for subject in ["s.b", "s.a", "s.b"] {
        scene.ask(subject, &[], "");
    }
    let of_b = PurgeBody { filter: "s.b".into(), keep: 1, ..PurgeBody::default() };
    scene.stream.purge(&of_b, scene.now, NOBODY).unwrap();
    scene.flush();
    assert_eq!(scene.stream.consumer_numbers("both", scene.now).unwrap().delivered.stream, 5);
}

#[test]
fn a_work_queue_gives_each_message_away_once() {
    // spec: JS-091 JS-512
    let mut scene = Scene::new(|config| config.retention = Retention::WorkQueue);
    scene.add_consumer(consumer("c", "s.a")).unwrap();
    for (config, code) in [(consumer("d", ""), 10099), (consumer("d", "s.*"), 10100)] {
        assert_eq!(scene.add_consumer(config).unwrap_err().err_code, code);
    }
    scene.add_consumer(consumer("d", "s.b")).unwrap();
    for subject in ["s.a", "s.b", "s.a"] {
        scene.ask(subject, &[], "");
    }
    let acks = scene.pull("c", 10);
    assert_eq!(acks.len(), 2);
    let mut scene = scene.slow();
    scene.ack(&acks[0], "confirm");
    scene.flush();
    assert_eq!((scene.told(), scene.kept().len()), (vec![], 3), "nothing before it is durable");
    scene.sync();
    assert_eq!(scene.told(), ["confirm "]);
    assert_eq!(scene.kept(), ["2 s.b", "3 s.a"]);
    let mut scene = scene.crash();
    assert_eq!(scene.kept(), ["2 s.b", "3 s.a"]);
    let info = scene.stream.consumer_info("c", scene.now, &mut scene.out).unwrap();
    assert_eq!((info.num_ack_pending, info.num_pending), (1, 0));
}

#[test]
fn interest_keeps_what_is_wanted_for_as_long_as_it_is() {
    // spec: JS-039
    let mut scene = Scene::new(|config| config.retention = Retention::Interest);
    assert_eq!(scene.ask("s.a", &[("Nats-Msg-Id", "m")], ""), r#"{"stream":"S","seq":1}"#);
    assert_eq!(scene.kept(), [""; 0], "nobody wants it");
    assert_eq!(scene.ask("s.a", &[("Nats-Msg-Id", "m")], ""), r#"{"stream":"S","seq":1,"duplicate": true}"#);
    scene.add_consumer(consumer("c", "")).unwrap();
    scene.add_consumer(consumer("d", "s.a")).unwrap();
    scene.ask("s.a", &[], "");
    scene.ask("s.b", &[], "");
    let (c, d) = (scene.pull("c", 10), scene.pull("d", 10));
    assert_eq!((c.len(), d.len()), (2, 1));
    scene.ack(&c[0], "");
    scene.flush();
    assert_eq!(scene.kept(), ["2 s.a", "3 s.b"], "the other one wants it, too");
    scene.ack(&d[0], "");
    scene.flush();
    assert_eq!(scene.kept(), ["3 s.b"]);
    scene.stream.delete_consumer("c", scene.now, 5).unwrap();
    scene.flush();
    scene.flush();
    assert_eq!(scene.kept(), [""; 0], "whoever wanted it has gone");
    let mut scene = scene.crash();
    assert_eq!(scene.stream.consumers().collect::<Vec<_>>(), ["d"]);
    assert_eq!(scene.ask("s.a", &[("Nats-Msg-Id", "m")], ""), r#"{"stream":"S","seq":1,"duplicate": true}"#);
}

#[test]
fn progress_that_nobody_waits_for_is_written_now_and_then() {
    let mut scene = Scene::new(|_| {});
    scene.add_consumer(consumer("c", "")).unwrap();
    for _ in 0..6 {
        scene.ask("s.a", &[], "");
    }
    let mut scene = scene.slow();
    let before = scene.stream.store().appended();
    for ack in scene.pull("c", 3) {
        scene.ack(&ack, "");
        scene.flush();
    }
    assert_eq!(scene.stream.store().appended(), before);
    scene.wait(Duration::from_millis(100));
    scene.stream.tick(scene.now, &mut scene.out);
    assert_eq!((scene.stream.store().appended(), scene.stream.store().applied()), (before + 1, before + 1));
    assert!(scene.stream.sync_job().is_none(), "it is synced with what somebody waits for");
    for _ in 0..3 {
        let acks = scene.pull("c", 1);
        scene.ack(&acks[0], "");
        scene.wait(Duration::from_millis(100));
        scene.stream.tick(scene.now, &mut scene.out);
    }
    assert_eq!(scene.stream.store().applied(), before + 4, "and holds nothing up");
    assert_eq!(scene.ask("s.a", &[], ""), r#"{"stream":"S","seq":7}"#);
    let mut scene = scene.crash();
    let info = scene.stream.consumer_info("c", scene.now, &mut scene.out).unwrap();
    assert_eq!((info.ack_floor.stream, info.num_ack_pending), (6, 0));
}

#[test]
fn consumers_change_and_go() {
    // spec: JS-028 JS-029 JS-031 JS-534 JS-535
    let mut scene = Scene::new(|config| config.max_consumers = 1);
    scene.add_consumer(consumer("c", "")).unwrap();
    assert_eq!(scene.add_consumer(consumer("d", "")).unwrap_err().err_code, 10026);
    for _ in 0..3 {
        scene.ask("s.a", &[], "");
    }
    let until = Some(WallTime::from_nanos(START + 60_000_000_000));
    scene.stream.pause_consumer("c", until, scene.now, 3).unwrap();
    scene.flush();
    assert_eq!(scene.stream.consumer("c").unwrap().config().pause_until, until);
    scene.stream.pause_consumer("c", None, scene.now, 3).unwrap();
    scene.flush();
    assert_eq!(scene.pull("c", 10).len(), 3);
    scene.stream.reset_consumer("c", 2, scene.now, 4, &mut scene.out).unwrap();
    scene.flush();
    let mut scene = scene.crash();
    assert_eq!(scene.stream.consumer("c").unwrap().config().pause_until, None);
    assert_eq!(scene.pull("c", 10).len(), 2);
    for result in [
        scene.stream.delete_consumer("x", scene.now, 5),
        scene.stream.pause_consumer("x", None, scene.now, 5),
        scene.stream.reset_consumer("x", 0, scene.now, 5, &mut scene.out),
    ] {
        assert_eq!(result.unwrap_err().err_code, 10014);
    }
    scene.stream.delete_consumer("c", scene.now, 5).unwrap();
    scene.flush();
    assert!(scene.stream.consumer("c").is_none());
    assert_eq!(scene.crash().stream.consumers().count(), 0);
}

#[test]
fn a_consumer_that_nobody_uses_goes_once() {
    let mut scene = Scene::new(|_| {});
    scene.add_consumer(ConsumerConfig { inactive_threshold: Duration::from_secs(5), ..consumer("c", "") }).unwrap();
    let mut scene = scene.slow();
    scene.wait(Duration::from_secs(6));
    scene.stream.tick(scene.now, &mut scene.out);
    assert_eq!((scene.stream.consumers().count(), scene.stream.deadline()), (1, None), "it waits for the disk");
    scene.sync();
    assert_eq!(scene.stream.consumers().count(), 0);
}

#[test]
fn progress_that_was_lost_is_said_again_as_a_whole() {
    let mut scene = Scene::new(|config| config.retention = Retention::WorkQueue);
    scene.add_consumer(consumer("c", "")).unwrap();
    for _ in 0..3 {
        scene.ask("s.a", &[], "");
    }
    let acks = scene.pull("c", 3);
    scene.disk.lock().unwrap().is_full = true;
    scene.ack(&acks[0], "");
    scene.flush();
    scene.disk.lock().unwrap().is_full = false;
    scene.ack(&acks[1], "");
    scene.flush();
    let mut scene = scene.crash();
    let info = scene.stream.consumer_info("c", scene.now, &mut scene.out).unwrap();
    assert_eq!((info.delivered.stream, info.num_ack_pending), (3, 1));
}

#[test]
fn a_stream_may_come_to_keep_by_interest() {
    // spec: JS-057 JS-446
    let mut scene = Scene::new(|_| {});
    scene.add_consumer(consumer("c", "s.a")).unwrap();
    for subject in ["s.a", "s.b", "s.a"] {
        scene.ask(subject, &[], "");
    }
    let acks = scene.pull("c", 2);
    scene.ack(&acks[0], "");
    let mut config = scene.stream.config().clone();
    config.retention = Retention::Interest;
    scene.stream.update(config, scene.now, 9);
    scene.flush();
    scene.flush();
    assert_eq!(scene.kept(), ["3 s.a"]);
    scene.ack(&acks[1], "");
    scene.flush();
    assert_eq!(scene.kept(), [""; 0]);
}

#[test]
fn a_name_that_was_made_up_is_not_shown_as_asked_for() {
    // spec: JS-097
    let mut scene = Scene::new(|_| {});
    let config = ConsumerConfig { name: String::new(), durable: String::new(), ..consumer("", "") };
    scene.stream.create_consumer("x7", config, scene.now, NOBODY, &mut scene.out).unwrap();
    scene.flush();
    for _ in 0..2 {
        let info = scene.stream.consumer_info("x7", scene.now, &mut scene.out).unwrap();
        assert_eq!((&*info.name, &*info.config.name), ("x7", ""));
        scene = scene.crash();
    }
}
