//! Stories of streams, told over a store that is as simple as can be.

mod batches;
mod consumers;
mod direct;
mod files;
mod many;
mod model;
mod naive;
mod origins;
mod publish;
mod rebuild;
mod recovery;
mod schedules;
mod timed;
mod unread;

use std::sync::Arc;
use std::time::Duration;

use crate::api::answer::StoredMessage;
use martlet_events::{Time, WallTime};

use self::naive::{Naive, Shared};
use super::*;
use crate::api::body::{MsgGetBody, PurgeBody};
use crate::out::Outgoing;

/// What was published, as text: subject, then headers and payload.
#[derive(Debug, Default)]
struct Told {
    lines: Vec<String>,
    dice: u64,
}

impl Out for Told {
    fn publish(&mut self, message: &Outgoing<'_>) -> usize {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let headers = text(message.headers).replace("\r\n", "|");
        self.lines.push(format!("{} {headers}{}", text(message.subject), text(message.payload)));
        1
    }

    fn is_wanted(&mut self, _subject: &[u8]) -> bool {
        true
    }
    fn is_listened_on(&mut self, subject: &[u8], _group: &[u8]) -> bool {
        self.is_wanted(subject)
    }

    fn random(&mut self) -> u64 {
        self.dice += 1;
        self.dice
    }
}

/// A stream with everything around it.
struct Scene {
    disk: Shared,
    stream: Stream,
    out: Told,
    now: Now,
    /// Where what was delivered last is acknowledged.
    acks: Vec<String>,
}

/// 2026-11-29T00:00:00Z.
const START: u64 = 1_795_910_400_000_000_000;

fn config(change: impl FnOnce(&mut StreamConfig)) -> StreamConfig {
    let mut config = StreamConfig {
        name: "S".into(),
        subjects: vec!["s.>".into()],
        duplicate_window: Duration::from_mins(2),
        ..StreamConfig::default()
    };
    change(&mut config);
    config
}

impl Scene {
    fn new(change: impl FnOnce(&mut StreamConfig)) -> Self {
        Self::with(Options::default(), change)
    }

    fn with(options: Options, change: impl FnOnce(&mut StreamConfig)) -> Self {
        let disk = Shared::default();
        let now = Now { time: Time::ORIGIN, wall: WallTime::from_nanos(START) };
        let stream = Stream::create(config(change), now, Box::new(Naive::new(Arc::clone(&disk))), options, 1);
        let mut scene = Self { disk, stream, out: Told::default(), now, acks: Vec::new() };
        scene.flush();
        assert_eq!(scene.stream.next_done(), Some(Done { ticket: 1, result: Ok(Changed::Created) }));
        scene.out.lines.clear();
        scene
    }

    /// From now on the disk takes its time.
    fn slow(mut self) -> Self {
        self.disk.lock().unwrap().has_to_sync = true;
        self.flush();
        self
    }

    fn send(&mut self, subject: &str, headers: &[(&str, &str)], payload: &str) {
        self.send_from("r", subject, headers, payload);
    }

    fn send_from(&mut self, reply: &str, subject: &str, headers: &[(&str, &str)], payload: &str) {
        let block = block(headers);
        let incoming = Incoming {
            subject: subject.as_bytes(),
            reply: reply.as_bytes(),
            headers: block.as_bytes(),
            payload: payload.as_bytes(),
        };
        self.stream.publish(self.now, &incoming, &mut self.out);
    }

    fn flush(&mut self) {
        self.stream.flush(self.now, &mut self.out);
    }

    fn sync(&mut self) {
        if let Some(job) = self.stream.sync_job() {
            self.stream.synced(job.through, Ok(()), self.now, &mut self.out);
        }
    }

    fn fail_sync(&mut self) {
        let job = self.stream.sync_job().unwrap();
        self.stream.synced(job.through, Err(std::io::Error::other("the disk is gone")), self.now, &mut self.out);
    }

    /// Publishes one message and gives what is said to its publisher.
    fn ask(&mut self, subject: &str, headers: &[(&str, &str)], payload: &str) -> String {
        self.out.lines.clear();
        self.send(subject, headers, payload);
        self.flush();
        self.sync();
        let told = std::mem::take(&mut self.out.lines);
        told.into_iter().find_map(|line| line.strip_prefix("r ").map(str::to_owned)).unwrap_or_default()
    }

    fn told(&mut self) -> Vec<String> {
        std::mem::take(&mut self.out.lines)
    }

    fn wait(&mut self, span: Duration) {
        self.now.time += span;
        self.now.wall = WallTime::from_nanos(self.now.wall.as_nanos() + u64::try_from(span.as_nanos()).unwrap());
    }

    /// Lets time pass, and does what is due on the way.
    fn pass(&mut self, span: Duration) {
        let end = self.now.time + span;
        while let Some(due) = self.stream.deadline().filter(|due| *due <= end) {
            let step = due.since(self.now.time);
            self.wait(step);
            self.stream.tick(self.now, &mut self.out);
            self.sync();
        }
        self.wait(end.since(self.now.time));
    }

    /// Sequences and subjects of what is kept.
    fn kept(&self) -> Vec<String> {
        let mut kept = Vec::new();
        let mut buffer = Vec::new();
        let state = self.stream.state();
        for seq in state.first_seq..=state.last_seq {
            if let Ok(Some(message)) = self.stream.store().get(seq, &mut buffer) {
                kept.push(format!("{seq} {}", String::from_utf8_lossy(message.subject)));
            }
        }
        kept
    }

    fn message(&self, seq: u64) -> String {
        let mut buffer = Vec::new();
        let wanted = MsgGetBody { seq, ..MsgGetBody::default() };
        self.stream.message(&wanted, &mut buffer).map_or_else(|error| error.to_string(), |message| show(&message))
    }

    /// The power goes and comes back.
    fn crash(self) -> Self {
        let Self { disk, stream, mut out, now, acks } = self;
        drop(stream);
        let mut recovery = Recovery::recovery(now);
        let store = Naive::open(&disk, &mut recovery);
        let stream = Stream::recover(recovery, Box::new(store), Options::default(), now, &mut out).unwrap();
        Self { disk, stream, out, now, acks }
    }
}

fn show(message: &StoredMessage<'_>) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).replace("\r\n", "|");
    format!("{} {}{}", text(message.subject), text(message.headers), text(message.payload))
}

fn block(headers: &[(&str, &str)]) -> String {
    if headers.is_empty() {
        return String::new();
    }
    let mut block = "NATS/1.0\r\n".to_owned();
    for (name, value) in headers {
        block.extend([*name, ": ", *value, "\r\n"]);
    }
    block + "\r\n"
}

fn error(code: u16, err_code: u16, text: &str) -> String {
    let text = text.replace('"', "\\\"");
    format!(r#"{{"error":{{"code":{code},"err_code":{err_code},"description":"{text}"}},"stream":"S","seq":0}}"#)
}
