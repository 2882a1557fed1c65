//! Streams in files, on a disk that loses power.

use martlet_store::sim::{SimDisk, Unsynced};
use martlet_store::{FileStore, Limits, MemoryStore};

use super::*;
use crate::config::{AckPolicy, ConsumerConfig, Retention};

const OPEN: martlet_store::Options<'static> = martlet_store::Options {
    salt: 7,
    segment_bytes: 4096,
    compresses: false,
    encryption: None,
    scrub_period: Duration::from_hours(24),
    first_seq: 0,
    limits: Limits { max_msgs: 0, max_bytes: 0, max_msgs_per_subject: 0, discard_old: true },
};

/// A stream in files.
struct Files {
    disk: SimDisk,
    stream: Stream,
    out: Told,
    now: Now,
}

impl Files {
    fn new(change: impl FnOnce(&mut StreamConfig)) -> Self {
        let disk = SimDisk::default();
        let now = Now { time: Time::ORIGIN, wall: WallTime::from_nanos(START) };
        let opened = FileStore::open(Arc::new(disk.clone()), OPEN, &mut Recovery::recovery(now)).unwrap();
        let stream = Stream::create(config(change), now, Box::new(opened.store), Options::default(), NOBODY);
        let mut files = Self { disk, stream, out: Told::default(), now };
        files.settle();
        files
    }

    fn send(&mut self, subject: &str, id: &str) {
        let block = block(&[("Nats-Msg-Id", id)]);
        let incoming = Incoming { subject: subject.as_bytes(), reply: b"r", headers: block.as_bytes(), payload: b"x" };
        self.stream.publish(self.now, &incoming, &mut self.out);
    }

    fn settle(&mut self) {
        self.stream.flush(self.now, &mut self.out);
        while let Some(job) = self.stream.sync_job() {
            self.stream.synced(job.through, job.run(), self.now, &mut self.out);
            self.stream.flush(self.now, &mut self.out);
        }
    }

    fn restart(self, unsynced: Unsynced) -> Self {
        let disk = self.disk.restart(unsynced);
        drop(self.stream);
        let (now, mut out) = (self.now, self.out);
        let mut recovery = Recovery::recovery(now);
        let opened = FileStore::open(Arc::new(disk.clone()), OPEN, &mut recovery).unwrap();
        assert_eq!(opened.damage, []);
        let stream = Stream::recover(recovery, Box::new(opened.store), Options::default(), now, &mut out).unwrap();
        Self { disk, stream, out, now }
    }

    fn kept(&self) -> Vec<u64> {
        let state = self.stream.state();
        let mut buffer = Vec::new();
        let seqs = state.first_seq.max(1)..=state.last_seq;
        seqs.filter(|seq| self.stream.store().get(*seq, &mut buffer).unwrap().is_some()).collect()
    }
}

#[test]
fn a_checkpoint_knows_nothing_of_what_is_on_its_way() {
    // spec: JS-065
    for unsynced in [Unsynced::Dropped, Unsynced::Kept] {
        let mut files = Files::new(|config| config.max_msgs = 4);
        for seq in 1..=6 {
            files.send("s.a", &format!("id-{seq}"));
        }
        files.settle();
        files.send("s.b", "lost");
        files.stream.flush(files.now, &mut files.out);
        files.stream.checkpoint().unwrap();
        let mut files = files.restart(unsynced);
        let is_there = files.kept().contains(&7);
        files.out.lines.clear();
        for id in ["id-6", "id-1", "lost"] {
            files.send("s.c", id);
        }
        files.settle();
        let (again, last) = if is_there {
            (7, r#"{"stream":"S","seq":7,"duplicate": true}"#)
        } else {
            (6, r#"{"stream":"S","seq":7}"#)
        };
        assert!(again >= 6);
        assert_eq!(
            files.out.lines,
            [
                r#"r {"stream":"S","seq":6,"duplicate": true}"#.to_owned(),
                r#"r {"stream":"S","seq":1,"duplicate": true}"#.to_owned(),
                format!("r {last}"),
            ]
        );
        assert_eq!(files.kept().len(), 4);
    }
}

#[test]
fn bounds_that_were_are_not_forgotten() {
    // spec: JS-018
    let mut files = Files::new(|config| config.max_msgs = 2);
    for seq in 1..=6 {
        files.send("s.a", &seq.to_string());
    }
    files.settle();
    let mut config = files.stream.config().clone();
    config.max_msgs = 100;
    files.stream.update(config, files.now, NOBODY);
    files.settle();
    files.send("s.a", "7");
    files.settle();
    let files = files.restart(Unsynced::Dropped);
    assert_eq!(files.kept(), [5, 6, 7]);
}

#[test]
fn a_work_queue_gives_nothing_away_twice_that_was_confirmed() {
    let mut files = Files::new(|config| config.retention = Retention::WorkQueue);
    let consumer = ConsumerConfig {
        name: "c".into(),
        durable: "c".into(),
        ack_policy: AckPolicy::Explicit,
        ack_wait: Duration::from_secs(30),
        max_waiting: 10,
        max_ack_pending: 100,
        ..ConsumerConfig::default()
    };
    files.stream.create_consumer("c", consumer, files.now, NOBODY, &mut files.out).unwrap();
    files.settle();
    for seq in 1..=20 {
        files.send("s.a", &seq.to_string());
    }
    files.settle();
    files.stream.pull("c", b"p", b"", b"20", files.now, &mut files.out);
    let ack = |files: &mut Files, seq: u64| {
        let subject = format!("$JS.ACK.S.c.1.{seq}.{seq}.{START}.0");
        files.stream.ack(subject.as_bytes(), b"done", b"", files.now, &mut files.out);
    };
    for seq in 1..=10 {
        ack(&mut files, seq);
        if seq == 5 {
            files.settle();
            files.stream.checkpoint().unwrap();
        }
    }
    files.settle();
    files.out.lines.clear();
    ack(&mut files, 11);
    files.stream.flush(files.now, &mut files.out);
    assert_eq!(files.out.lines, [""; 0]);
    let mut files = files.restart(Unsynced::Dropped);
    assert_eq!(files.kept(), (11..=20).collect::<Vec<_>>());
    let info = files.stream.consumer_info("c", files.now, &mut files.out).unwrap();
    assert_eq!((info.num_ack_pending, info.ack_floor.stream), (10, 10));
}

#[test]
fn a_clean_stop_forgets_nothing() {
    let mut files = Files::new(|config| config.max_msgs = 3);
    for seq in 1..=5 {
        files.send("s.a", &seq.to_string());
        files.settle();
    }
    files.stream.checkpoint().unwrap();
    files.send("s.a", "6");
    files.settle();
    files.stream.close().unwrap();
    let mut files = files.restart(Unsynced::Kept);
    assert_eq!(files.kept(), [4, 5, 6]);
    files.out.lines.clear();
    files.send("s.a", "6");
    files.settle();
    assert_eq!(files.out.lines, [r#"r {"stream":"S","seq":6,"duplicate": true}"#]);
}

#[test]
fn a_disk_that_fails_ends_it() {
    // spec: JS-122
    let mut files = Files::new(|_| {});
    files.disk.fail(Some(martlet_store::sim::Failing::Sync));
    files.out.lines.clear();
    files.send("s.a", "1");
    files.settle();
    assert!(files.out.lines[0].contains(r#""err_code":10077"#), "{:?}", files.out.lines);
    files.disk.fail(None);
    files.send("s.a", "2");
    files.settle();
    assert!(files.out.lines[1].contains("no more messages until the server is started again"), "{:?}", files.out.lines);
    assert_eq!(files.kept(), [0; 0]);
}

#[test]
fn a_stream_in_memory_answers_at_once() {
    let now = Now { time: Time::ORIGIN, wall: WallTime::from_nanos(START) };
    let mut out = Told::default();
    let store = Box::new(MemoryStore::new(0).bounded(1 << 20));
    let mut stream = Stream::create(config(|_| {}), now, store, Options::default(), NOBODY);
    stream.flush(now, &mut out);
    out.lines.clear();
    let payload = vec![b'x'; 300_000];
    for _ in 0..5 {
        let incoming = Incoming { subject: b"s.a", reply: b"r", payload: &payload, ..Incoming::default() };
        stream.publish(now, &incoming, &mut out);
        stream.flush(now, &mut out);
    }
    // spec: JS-077
    assert_eq!(out.lines[0], r#"r {"stream":"S","seq":1}"#);
    assert!(out.lines[4].contains(r#""err_code":10023"#), "{}", out.lines[4]);
}
