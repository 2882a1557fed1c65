//! The consumers of a stream: what comes in for them, and whose turn it is.
//!
//! Invariant: a consumer delivers only what is applied, and nothing before it stands itself.

use martlet_events::{Time, WallTime};
use martlet_store::Store;

use super::consumer_index::Key;
use super::{Options, Stream};
use crate::config::StreamConfig;
use crate::consumer::{AckSubject, Consumer, Context, Info, Outcome, Scratch};
use crate::dead_letter::ReceiptSubject;
use crate::out::{Now, Out};

/// A consumer, and what its stream has to do for it.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each says one thing of its own")]
pub(super) struct Slot {
    pub(super) consumer: Consumer,
    pub(super) created: WallTime,
    /// Its name was made up: its configuration shows none.
    pub(super) is_unnamed: bool,
    /// Whether its creation is committed.
    pub(super) stands: bool,
    /// Its end is on its way.
    pub(super) is_ending: bool,
    /// What the log knows of it is not what a delta would follow on.
    pub(super) needs_snapshot: bool,
    /// When its progress is written, if nobody waits for it.
    pub(super) write_at: Option<Time>,
    /// Messages that are done with as soon as the progress is written.
    pub(super) settled: Vec<u64>,
    /// Who is told that the progress is durable.
    pub(super) confirm: Vec<Box<[u8]>>,
    /// What it was before it delivered anything: for whoever asked for it.
    pub(super) initial: Option<Box<Info>>,
}

impl Slot {
    pub(super) fn new(consumer: Consumer, created: WallTime, is_unnamed: bool) -> Self {
        Self {
            consumer,
            created,
            is_unnamed,
            stands: false,
            is_ending: false,
            needs_snapshot: false,
            write_at: None,
            settled: Vec::new(),
            confirm: Vec::new(),
            initial: None,
        }
    }

    /// Whether it is among those that anybody sees: not those that only copy the stream into another.
    pub(super) fn is_shown(&self) -> bool {
        self.stands && !self.consumer.config().direct
    }

    /// When it wants to be called, or written down.
    pub(super) fn due(&self) -> Option<Time> {
        let works = self.stands && !self.is_ending;
        self.consumer.deadline().into_iter().chain(self.write_at).min().filter(|_| works)
    }
}

impl Options {
    /// What a consumer of the stream sees while it works.
    pub(super) fn context<'a>(
        &'a self,
        now: Now,
        stream: &'a StreamConfig,
        store: &'a dyn Store,
        scratch: &'a mut Scratch,
        out: &'a mut dyn Out,
    ) -> Context<'a> {
        let Self { domain, account, scope, .. } = self;
        Context { now, stream, store, ready: store.state().last_seq, out, domain, account, scope, scratch }
    }
}

impl Stream {
    /// The names of its consumers, in order.
    pub fn consumers(&self) -> impl Iterator<Item = &str> {
        self.live.consumers.iter().filter(|slot| slot.stands).map(|slot| slot.consumer.name())
    }

    /// Those that are shown: not those that only copy the stream into another.
    pub fn public_consumers(&self) -> impl Iterator<Item = &str> {
        self.live.consumers.iter().filter(|slot| slot.is_shown()).map(|slot| slot.consumer.name())
    }

    /// One of its consumers.
    pub fn consumer(&self, name: &str) -> Option<&Consumer> {
        self.live.consumers.find(name).filter(|slot| slot.stands).map(|slot| &slot.consumer)
    }

    /// A pull request for a consumer; whether it is there.
    pub fn pull(&mut self, name: &str, reply: &[u8], headers: &[u8], body: &[u8], now: Now, out: &mut dyn Out) -> bool {
        self.now = now;
        let Some(key) = self.live.consumers.key(name) else { return false };
        let is_there = self.with_consumer(key, out, |consumer, ctx| consumer.pull(ctx, reply, headers, body)).is_some();
        self.live.consumers.wake(key);
        self.deliver_awake(out);
        is_there
    }

    /// An acknowledgement. What it asks to be durable is written by [`Stream::flush`].
    // spec: JS-100 JS-101
    pub fn ack(&mut self, subject: &[u8], reply: &[u8], payload: &[u8], now: Now, out: &mut dyn Out) {
        self.now = now;
        let Some(ack) = AckSubject::parse(subject) else { return };
        // It makes way for others only if too many waited, which the outcome says.
        self.told(ack.consumer, out, |consumer, ctx| consumer.ack(ctx, &ack, reply, payload));
        self.deliver_awake(out);
    }

    /// An answer to a question of flow control.
    pub fn flow_control(&mut self, name: &str, subject: &[u8], headers: &[u8], now: Now, out: &mut dyn Out) {
        self.now = now;
        let answered = |consumer: &mut Consumer, ctx: &mut Context<'_>| consumer.flow_control(ctx, subject, headers);
        if let Some(key) = self.told(name.as_bytes(), out, answered) {
            self.live.consumers.wake(key);
        }
        self.deliver_awake(out);
    }

    /// An answer to a dead letter of a consumer. What follows from it is written by [`Stream::flush`].
    pub fn letter_answered(&mut self, subject: &[u8], headers: &[u8], payload: &[u8], now: Now, out: &mut dyn Out) {
        self.now = now;
        let Some(of) = ReceiptSubject::parse(subject) else { return };
        let answered =
            |consumer: &mut Consumer, ctx: &mut Context<'_>| consumer.letter_answered(ctx, &of, headers, payload);
        self.told(of.consumer.as_bytes(), out, answered);
        self.deliver_awake(out);
    }

    /// Tells a consumer something, and takes what comes of it; which one it was.
    fn told(
        &mut self,
        name: &[u8],
        out: &mut dyn Out,
        tell: impl FnOnce(&mut Consumer, &mut Context<'_>) -> Outcome,
    ) -> Option<Key> {
        let key = self.live.consumers.key(std::str::from_utf8(name).ok()?)?;
        let outcome = self.with_consumer(key, out, tell)?;
        self.take_outcome(key, outcome);
        Some(key)
    }

    /// Interest in a consumer's deliver subject may have come or gone.
    // spec: JS-105 JS-638
    pub fn interest(&mut self, name: &str, now: Now, out: &mut dyn Out) {
        self.now = now;
        if let Some(key) = self.live.consumers.key(name) {
            self.with_consumer(key, out, Consumer::interest);
            self.live.consumers.wake(key);
        }
        self.deliver_awake(out);
    }

    /// Consumers that came out of the log get ready to work.
    pub(super) fn resume_consumers(&mut self, out: &mut dyn Out) {
        for key in self.live.consumers.keys() {
            self.with_consumer(key, out, Consumer::resume);
            self.live.consumers.wake(key);
        }
    }

    /// Lets a consumer work.
    pub(super) fn with_consumer<T>(
        &mut self,
        key: Key,
        out: &mut dyn Out,
        work: impl FnOnce(&mut Consumer, &mut Context<'_>) -> T,
    ) -> Option<T> {
        let Self { options, store, consumer_scratch, now, .. } = self;
        let mut ctx = options.context(*now, &self.live.config, &**store, consumer_scratch, out);
        self.live.consumers.change(key, |slot| slot.stands.then(|| work(&mut slot.consumer, &mut ctx)))?
    }

    /// Consumers that may have something to deliver do so, each up to a bound: the rest is done at the next tick, which is
    /// due at once.
    pub(super) fn deliver_awake(&mut self, out: &mut dyn Out) {
        if !self.live.consumers.is_any_awake() {
            return;
        }
        let mut keys = std::mem::take(&mut self.keys);
        self.live.consumers.take_awake(&mut keys);
        for &key in &keys {
            if let Some(outcome) = self.with_consumer(key, out, Consumer::deliver) {
                self.take_outcome(key, outcome);
            }
        }
        keys.clear();
        self.keys = keys;
    }

    /// What a consumer leaves to its stream.
    pub(super) fn take_outcome(&mut self, key: Key, outcome: Outcome) {
        if outcome.must_be_durable() {
            self.live.consumers.hurry(key);
        }
        if outcome.more {
            self.live.consumers.wake(key);
        }
        if outcome.is_inactive {
            self.delete_consumer_by_itself(key);
        }
        let write_at = self.now.time + super::progress::PATIENCE;
        self.live.consumers.change(key, |slot| {
            slot.settled.extend(outcome.settled);
            slot.confirm.extend(outcome.confirm);
            if slot.write_at.is_none() && slot.consumer.has_progress() {
                slot.write_at = Some(write_at);
            }
        });
    }

    /// When a consumer wants to be called.
    pub(super) fn consumers_due(&self) -> Option<Time> {
        if self.live.consumers.is_any_awake() { Some(self.now.time) } else { self.live.consumers.next_due() }
    }

    /// Does what is due for consumers.
    pub(super) fn tick_consumers(&mut self, out: &mut dyn Out) {
        let now = self.now.time;
        let is_due = |time: Option<Time>| time.is_some_and(|time| time <= now);
        for key in self.live.consumers.take_due(now) {
            let tick = |consumer: &mut Consumer, ctx: &mut Context<'_>| {
                if is_due(consumer.deadline()) { consumer.tick(ctx) } else { Outcome::default() }
            };
            if let Some(outcome) = self.with_consumer(key, out, tick) {
                self.take_outcome(key, outcome);
            }
            if self.live.consumers.change(key, |slot| slot.write_at.take_if(|at| *at <= now)).flatten().is_some() {
                self.live.consumers.hurry(key);
            }
        }
        self.deliver_awake(out);
    }
}

/// Memory that consumers share.
pub(super) type ConsumerScratch = Scratch;
