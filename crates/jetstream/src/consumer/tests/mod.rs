//! Stories of a consumer, told with a store in memory.

mod acks;
mod change;
mod damage;
mod dead_letters;
mod double;
mod memory;
mod model;
mod priority;
mod pull;
mod push;
mod start;

use std::time::Duration;

use martlet_events::{Time, WallTime};
use martlet_store::Removal;

use super::{AckSubject, Consumer, Context, Info, Outcome, Scratch};
use crate::config::{AckPolicy, ConsumerConfig, StreamConfig};
use crate::out::Now;
use double::{Double, Recorder};

/// When stories begin.
const BEGIN: Now = Now { time: Time::from_nanos(1_000), wall: WallTime::from_nanos(1_000_000_000_000) };

/// A stream called `S`, a consumer called `c`, and the time.
struct World {
    stream: StreamConfig,
    store: Double,
    out: Recorder,
    now: Now,
    scratch: Scratch,
    consumer: Option<Consumer>,
}

/// A durable pull consumer with explicit acknowledgements, as the API fills it in.
fn pull() -> ConsumerConfig {
    ConsumerConfig {
        durable: "c".into(),
        name: "c".into(),
        ack_policy: AckPolicy::Explicit,
        ack_wait: Duration::from_secs(30),
        max_waiting: 512,
        max_ack_pending: 1_000,
        ..ConsumerConfig::default()
    }
}

/// The same as a push consumer.
fn push() -> ConsumerConfig {
    ConsumerConfig { deliver_subject: "to".into(), max_waiting: 0, ..pull() }
}

impl World {
    fn new() -> Self {
        let stream = StreamConfig { name: "S".into(), ..StreamConfig::default() };
        let out = Recorder { wanted: vec!["inb".into(), "r.*".into()], ..Recorder::default() };
        let store = Double::new();
        Self { stream, store, out, now: BEGIN, scratch: Scratch::default(), consumer: None }
    }

    /// A world with this consumer and some messages.
    fn with(config: ConsumerConfig, messages: &[&str]) -> Self {
        let mut world = Self::new();
        for message in messages {
            world.publish("s.x", message);
        }
        world.start(config);
        world
    }

    fn start(&mut self, config: ConsumerConfig) {
        let consumer = self.outside(|ctx| Consumer::new(config, ctx.now.wall, ctx));
        self.consumer = Some(consumer);
    }

    fn outside<R>(&mut self, act: impl FnOnce(&mut Context<'_>) -> R) -> R {
        act(&mut Context {
            now: self.now,
            stream: &self.stream,
            ready: self.store.last_seq,
            store: &self.store,
            out: &mut self.out,
            domain: "",
            account: "A",
            scope: "",
            scratch: &mut self.scratch,
        })
    }

    fn act<R>(&mut self, act: impl FnOnce(&mut Consumer, &mut Context<'_>) -> R) -> R {
        let mut consumer = self.consumer.take().unwrap();
        let result = self.outside(|ctx| act(&mut consumer, ctx));
        self.consumer = Some(consumer);
        result
    }

    fn publish(&mut self, subject: &str, payload: &str) -> u64 {
        self.publish_with(subject, "", payload)
    }

    fn publish_with(&mut self, subject: &str, headers: &str, payload: &str) -> u64 {
        let seq = self.store.put(subject, headers, payload, self.now.wall);
        if let Some(consumer) = self.consumer.as_mut().filter(|of| of.filter().matches(subject.as_bytes())) {
            consumer.added(seq);
        }
        seq
    }

    fn remove(&mut self, seq: u64, why: Removal) {
        let Some(subject) = self.store.remove(seq) else { return };
        if let Some(consumer) = &mut self.consumer {
            consumer.removed(seq, subject.as_bytes(), why);
        }
    }

    fn pull(&mut self, reply: &str, body: &str) {
        self.act(|consumer, ctx| consumer.pull(ctx, reply.as_bytes(), b"", body.as_bytes()));
    }

    /// Delivers until there is no more.
    fn deliver(&mut self) -> Outcome {
        let mut outcome = Outcome { more: true, ..Outcome::default() };
        while std::mem::take(&mut outcome.more) {
            outcome.merge(self.act(Consumer::deliver));
        }
        outcome
    }

    /// Pulls to `inb` and delivers; gives what was sent.
    fn fetch(&mut self, body: &str) -> Vec<String> {
        self.pull("inb", body);
        self.deliver();
        self.lines()
    }

    /// Acknowledges what was delivered `deliveries.seq.consumer_seq`.
    fn ack(&mut self, delivery: &str, reply: &str, payload: &str) -> Outcome {
        let subject = format!("$JS.ACK.S.c.{delivery}.0.0");
        let subject = AckSubject::parse(subject.as_bytes()).unwrap();
        self.act(|consumer, ctx| consumer.ack(ctx, &subject, reply.as_bytes(), payload.as_bytes()))
    }

    /// Time goes by, and what is due is done.
    fn pass(&mut self, span: Duration) -> Outcome {
        let mut outcome = Outcome::default();
        let end = self.now.time + span;
        loop {
            let due = self.consumer.as_ref().and_then(Consumer::deadline).filter(|&due| due <= end);
            self.sleep(due.unwrap_or(end).since(self.now.time));
            outcome.merge(self.act(Consumer::tick));
            outcome.merge(self.deliver());
            self.expect_rest();
            if due.is_none() || outcome.is_inactive {
                return outcome;
            }
        }
    }

    /// Nothing is due any more that was due.
    fn expect_rest(&self) {
        let deadline = self.consumer.as_ref().and_then(Consumer::deadline);
        assert!(deadline.is_none_or(|deadline| deadline > self.now.time), "{deadline:?} at {:?}", self.now);
    }

    /// Time goes by, and nothing is done.
    fn sleep(&mut self, span: Duration) {
        self.now.time += span;
        let wall = u128::from(self.now.wall.as_nanos()) + span.as_nanos();
        self.now.wall = WallTime::from_nanos(u64::try_from(wall).unwrap());
    }

    fn lines(&mut self) -> Vec<String> {
        std::mem::take(&mut self.out.lines)
    }

    fn info(&mut self) -> Info {
        self.act(Consumer::info)
    }

    /// `delivered consumer/stream, floor consumer/stream, ack pending, redelivered, pending`
    fn numbers(&mut self) -> String {
        let info = self.info();
        format!(
            "{}/{} {}/{} {} {} {}",
            info.delivered.consumer_seq,
            info.delivered.stream_seq,
            info.ack_floor.consumer_seq,
            info.ack_floor.stream_seq,
            info.num_ack_pending,
            info.num_redelivered,
            info.num_pending
        )
    }

    /// Listens to advisories and metrics, too.
    fn listen_to_events(&mut self) {
        self.out.wanted.push("$JS.EVENT.>".into());
    }
}

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// What was delivered, without when it was taken in: `deliveries.seq.consumer_seq pending payload`.
fn deliveries(lines: &[String]) -> Vec<String> {
    let short = |line: &String| {
        let (_, rest) = line.split_once(" reply $JS.ACK.S.c.")?;
        let (reply, payload) = rest.split_once(' ')?;
        let tokens: Vec<&str> = reply.split('.').collect();
        Some(format!("{}.{}.{} {} {payload}", tokens[0], tokens[1], tokens[2], tokens[4]))
    };
    lines.iter().map(|line| short(line).unwrap_or_else(|| line.clone())).collect()
}
