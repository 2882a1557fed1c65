//! The consumers of a stream: what comes in for them, and whose turn it is.
//!
//! Invariant: a consumer delivers only what is applied, and nothing before it stands itself.

use std::collections::BTreeMap;

use martlet_events::{Time, WallTime};

use super::Stream;
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
    /// Somebody waits for its progress to be durable.
    pub(super) is_urgent: bool,
    /// What the log knows of it is not what a delta would follow on.
    pub(super) needs_snapshot: bool,
    /// When its progress is written, if nobody waits for it.
    pub(super) write_at: Option<Time>,
    /// There may be something to deliver.
    pub(super) is_awake: bool,
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
            is_urgent: false,
            needs_snapshot: false,
            write_at: None,
            is_awake: true,
            settled: Vec::new(),
            confirm: Vec::new(),
            initial: None,
        }
    }
}

/// All of them, by name.
pub(super) type Consumers = BTreeMap<String, Slot>;

impl Stream {
    /// The names of its consumers, in order.
    pub fn consumers(&self) -> impl Iterator<Item = &str> {
        self.live.consumers.values().filter(|slot| slot.stands).map(|slot| slot.consumer.name())
    }

    /// Those that are shown: not those that only copy the stream into another.
    pub fn public_consumers(&self) -> impl Iterator<Item = &str> {
        let shown = self.live.consumers.values().filter(|slot| slot.stands && !slot.consumer.config().direct);
        shown.map(|slot| slot.consumer.name())
    }

    /// How many consumers that count are on their way, so that they are not to be seen yet.
    pub fn consumers_to_come(&self) -> usize {
        let counts = |config: &crate::ConsumerConfig| !config.direct && !config.sourcing;
        self.live.consumers.values().filter(|slot| !slot.stands && counts(slot.consumer.config())).count()
    }

    /// One of its consumers.
    pub fn consumer(&self, name: &str) -> Option<&Consumer> {
        self.live.consumers.get(name).filter(|slot| slot.stands).map(|slot| &slot.consumer)
    }

    /// A pull request for a consumer; whether it is there.
    pub fn pull(&mut self, name: &str, reply: &[u8], headers: &[u8], body: &[u8], now: Now, out: &mut dyn Out) -> bool {
        self.now = now;
        let is_there =
            self.with_consumer(name, out, |consumer, ctx| consumer.pull(ctx, reply, headers, body)).is_some();
        self.wake(name);
        self.deliver_awake(out);
        is_there
    }

    /// An acknowledgement. What it asks to be durable is written by [`Stream::flush`].
    // spec: JS-100 JS-101
    pub fn ack(&mut self, subject: &[u8], reply: &[u8], payload: &[u8], now: Now, out: &mut dyn Out) {
        self.now = now;
        let Some(ack) = AckSubject::parse(subject) else { return };
        let Ok(name) = std::str::from_utf8(ack.consumer) else { return };
        if let Some(outcome) = self.with_consumer(name, out, |consumer, ctx| consumer.ack(ctx, &ack, reply, payload)) {
            // It makes way for others only if too many waited, which the outcome says.
            self.take_outcome(name, outcome);
        }
        self.deliver_awake(out);
    }

    /// An answer to a question of flow control.
    pub fn flow_control(&mut self, name: &str, subject: &[u8], headers: &[u8], now: Now, out: &mut dyn Out) {
        self.now = now;
        if let Some(outcome) =
            self.with_consumer(name, out, |consumer, ctx| consumer.flow_control(ctx, subject, headers))
        {
            self.take_outcome(name, outcome);
            self.wake(name);
        }
        self.deliver_awake(out);
    }

    /// An answer to a dead letter of a consumer. What follows from it is written by [`Stream::flush`].
    pub fn letter_answered(&mut self, subject: &[u8], headers: &[u8], payload: &[u8], now: Now, out: &mut dyn Out) {
        self.now = now;
        let Some(of) = ReceiptSubject::parse(subject) else { return };
        let answered =
            |consumer: &mut Consumer, ctx: &mut Context<'_>| consumer.letter_answered(ctx, &of, headers, payload);
        if let Some(outcome) = self.with_consumer(of.consumer, out, answered) {
            self.take_outcome(of.consumer, outcome);
        }
        self.deliver_awake(out);
    }

    /// Interest in a consumer's deliver subject may have come or gone.
    // spec: JS-105 JS-638
    pub fn interest(&mut self, name: &str, now: Now, out: &mut dyn Out) {
        self.now = now;
        self.with_consumer(name, out, Consumer::interest);
        self.wake(name);
        self.deliver_awake(out);
    }

    /// Consumers that came out of the log get ready to work.
    pub(super) fn resume_consumers(&mut self, out: &mut dyn Out) {
        let names: Vec<String> = self.live.consumers.keys().cloned().collect();
        for name in &names {
            self.with_consumer(name, out, Consumer::resume);
            self.wake(name);
        }
    }

    /// Lets a consumer work.
    pub(super) fn with_consumer<T>(
        &mut self,
        name: &str,
        out: &mut dyn Out,
        work: impl FnOnce(&mut Consumer, &mut Context<'_>) -> T,
    ) -> Option<T> {
        let slot = self.live.consumers.get_mut(name).filter(|slot| slot.stands)?;
        let mut ctx = Context {
            now: self.now,
            stream: &self.live.config,
            store: &*self.store,
            ready: self.store.state().last_seq,
            out,
            domain: &self.options.domain,
            account: &self.options.account,
            scope: &self.options.scope,
            scratch: &mut self.consumer_scratch,
        };
        Some(work(&mut slot.consumer, &mut ctx))
    }

    /// There may be something to deliver for a consumer.
    pub(super) fn wake(&mut self, name: &str) {
        if let Some(slot) = self.live.consumers.get_mut(name) {
            slot.is_awake = true;
            self.live.is_any_awake = true;
        }
    }

    /// Consumers that may have something to deliver do so, each up to a bound: the rest is done at the next tick, which is
    /// due at once.
    pub(super) fn deliver_awake(&mut self, out: &mut dyn Out) {
        if !std::mem::take(&mut self.live.is_any_awake) {
            return;
        }
        let mut names = std::mem::take(&mut self.names);
        names.clear();
        let awake = self.live.consumers.iter_mut().filter(|(_, slot)| slot.stands && slot.is_awake);
        names.extend(awake.map(|(name, slot)| {
            slot.is_awake = false;
            name.clone()
        }));
        for name in &names {
            if let Some(outcome) = self.with_consumer(name, out, Consumer::deliver) {
                self.take_outcome(name, outcome);
            }
        }
        self.names = names;
    }

    /// What a consumer leaves to its stream.
    pub(super) fn take_outcome(&mut self, name: &str, outcome: Outcome) {
        let Some(slot) = self.live.consumers.get_mut(name) else { return };
        slot.is_urgent |= outcome.must_be_durable();
        self.is_any_urgent |= slot.is_urgent;
        slot.settled.extend(outcome.settled);
        slot.confirm.extend(outcome.confirm);
        if outcome.more {
            slot.is_awake = true;
            self.live.is_any_awake = true;
        }
        if slot.write_at.is_none() && slot.consumer.has_progress() {
            slot.write_at = Some(self.now.time + super::progress::PATIENCE);
        }
        if outcome.is_inactive {
            self.delete_consumer_by_itself(name);
        }
    }

    /// When a consumer wants to be called.
    pub(super) fn consumers_due(&self) -> Option<Time> {
        if self.live.is_any_awake {
            return Some(self.now.time);
        }
        let slots = self.live.consumers.values().filter(|slot| slot.stands && !slot.is_ending);
        slots.filter_map(|slot| slot.consumer.deadline().into_iter().chain(slot.write_at).min()).min()
    }

    /// Does what is due for consumers.
    pub(super) fn tick_consumers(&mut self, out: &mut dyn Out) {
        let now = self.now.time;
        let works = |slot: &Slot| slot.stands && !slot.is_ending;
        let due = |slot: &Slot| works(slot) && slot.consumer.deadline().is_some_and(|due| due <= now);
        let names: Vec<String> =
            self.live.consumers.iter().filter(|(_, slot)| due(slot)).map(|(name, _)| name.clone()).collect();
        for name in &names {
            if let Some(outcome) = self.with_consumer(name, out, Consumer::tick) {
                self.take_outcome(name, outcome);
            }
        }
        self.deliver_awake(out);
        for slot in self.live.consumers.values_mut() {
            if slot.write_at.is_some_and(|at| at <= now) {
                (slot.write_at, slot.is_urgent) = (None, true);
                self.is_any_urgent = true;
            }
        }
    }
}

/// Memory that consumers share.
pub(super) type ConsumerScratch = Scratch;
