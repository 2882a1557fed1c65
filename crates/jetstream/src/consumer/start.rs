//! Where a consumer begins, and how it comes back after a restart.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use martlet_events::WallTime;
use martlet_store::{Filter, Store};

use super::pending::Pending;
use super::progress::{Progress, ProgressError};
use super::push::{Pace, Push};
use super::waiting::Waiting;
use super::{Consumer, Context, Floor, Inactivity, LastOfSubject, Log};
use crate::config::{AckPolicy, ConsumerConfig, DeliverPolicy, Storage, StreamConfig};
use crate::out::Now;

/// How long a consumer without a durable name stays, if it does not say.
const EPHEMERAL_THRESHOLD: Duration = Duration::from_secs(5);

impl Consumer {
    /// A new consumer.
    pub fn new(config: ConsumerConfig, created: WallTime, ctx: &mut Context<'_>) -> Self {
        let mut consumer = Self::at_rest(config, created, ctx.stream, ctx.now);
        consumer.choose_start(ctx);
        consumer.log.is_dirty = true;
        consumer.resume(ctx);
        consumer
    }

    /// A consumer as a snapshot describes it. Deltas may follow, and [`Self::resume`].
    pub fn restore(
        config: ConsumerConfig,
        created: WallTime,
        stream: &StreamConfig,
        now: Now,
        snapshot: &[u8],
    ) -> Result<Self, ProgressError> {
        let mut consumer = Self::at_rest(config, created, stream, now);
        consumer.apply(snapshot)?;
        Ok(consumer)
    }

    fn at_rest(config: ConsumerConfig, created: WallTime, stream: &StreamConfig, now: Now) -> Self {
        let push = if config.deliver_subject.is_empty() { None } else { Some(Box::new(Push::new(&config))) };
        let mut consumer = Self {
            filter: Filter::new(config.filter_subjects.iter().map(String::as_bytes)),
            path: format!("{}.{}.", stream.name, config.name).into_bytes().into(),
            sample: sample(&config.sample_freq),
            retention: stream.retention,
            is_in_memory: config.mem_storage || stream.storage == Storage::Memory,
            config,
            created,
            clock: now,
            next: 1,
            delivered: 0,
            next_delivery: 1,
            floor: Floor::default(),
            num_pending: 0,
            recount: false,
            reread_at: None,
            last_of_subject: None,
            pending: Pending::default(),
            spent: BTreeMap::new(),
            letters: None,
            waiting: Waiting::default(),
            searched: None,
            pin: None,
            push,
            pace: None,
            paused: None,
            inactivity: Inactivity::default(),
            log: Log::default(),
            gone: Vec::new(),
            last_delivery: None,
            last_ack: None,
            passed_over: 0,
        };
        consumer.set_pause();
        consumer.address_letters(stream);
        consumer
    }

    /// Takes a delta of progress in. Nothing changes if it cannot be read.
    pub fn apply(&mut self, delta: &[u8]) -> Result<(), ProgressError> {
        let progress = Progress::decode(delta)?;
        let position = progress.position;
        self.next = position.next;
        self.delivered = position.delivered;
        self.next_delivery = position.consumer_seq;
        self.floor = Floor { seq: position.floor_seq, consumer_seq: position.floor_consumer_seq };
        self.passed_over = position.passed_over;
        self.last_of_subject = match position.resume {
            0 => None,
            resume => Some(Box::new(LastOfSubject { seqs: VecDeque::new(), resume })),
        };
        self.pending.remove_after(progress.base);
        for seq in progress.acked {
            self.pending.remove(seq);
        }
        let now = self.clock;
        for waits in progress.changed {
            if self.pending.get(waits.seq).is_some() {
                self.pending.set_deliveries(waits.seq, waits.deliveries);
                self.pending.wait_until(waits.seq, waits.deadline(now));
            }
        }
        for waits in progress.waits {
            self.pending.add(waits.seq, waits.cseq, waits.deliveries, waits.deadline(now));
        }
        if progress.is_whole {
            self.spent.clear();
            self.clear_letters();
        }
        for (seq, deliveries) in progress.spent {
            if deliveries == 0 {
                self.spent.remove(&seq)
            } else {
                self.spent.insert(seq, deliveries)
            };
        }
        self.restore_letters(progress.letters);
        self.log.base = self.delivered;
        Ok(())
    }

    /// Gets ready to work, after everything that was written has been taken in.
    pub fn resume(&mut self, ctx: &mut Context<'_>) {
        self.clock = ctx.now;
        self.gone.clear();
        self.address_letters(ctx.stream);
        let state = ctx.store.state();
        // Who has delivered nothing may be to begin at a message that is still to come.
        if self.delivered > state.last_seq && self.next_delivery > 1 {
            self.step_back(state.last_seq);
        }
        self.list_anew(ctx.store);
        if let Some(push) = &mut self.push {
            push.delivered(ctx.now.time);
        }
        self.pace = Pace::new(&self.config, ctx.stream, state.last_seq);
        self.set_inactivity(ctx);
        self.interest(ctx);
    }

    /// Finds out anew which last messages are still to come, and counts.
    pub(super) fn list_anew(&mut self, store: &dyn Store) {
        if let Some(list) = &mut self.last_of_subject {
            list.seqs = last_of_subjects(&self.filter, store, self.next, list.resume);
            if list.seqs.is_empty() {
                self.next = list.resume + 1;
                self.last_of_subject = None;
            }
        }
        self.recount(store);
    }

    /// The stream has lost messages at its end: what was delivered of them comes again under other sequences.
    fn step_back(&mut self, last_seq: u64) {
        self.pending.remove_after(last_seq);
        self.spent.split_off(&(last_seq + 1));
        self.forget_letters_from(last_seq + 1);
        self.delivered = last_seq;
        self.next = last_seq + 1;
        self.floor.seq = self.floor.seq.min(last_seq);
        self.log.is_dirty = true;
    }

    // spec: JS-087
    fn choose_start(&mut self, ctx: &Context<'_>) {
        let store = ctx.store;
        let state = store.state();
        let next = match self.config.deliver_policy {
            DeliverPolicy::All => state.first_seq,
            // Without a filter, also where that message is gone.
            DeliverPolicy::Last if self.config.filter_subjects.is_empty() => state.last_seq,
            DeliverPolicy::Last => store.last(&self.filter, u64::MAX).unwrap_or(0),
            DeliverPolicy::New => state.last_seq + 1,
            DeliverPolicy::ByStartSequence(seq) => seq,
            DeliverPolicy::ByStartTime(time) => store.first_since(time),
            DeliverPolicy::LastPerSubject if ctx.stream.max_msgs_per_subject == 1 => state.first_seq,
            DeliverPolicy::LastPerSubject => self.start_with_last_of_subjects(store, state.last_seq),
        };
        self.next = next.max(state.first_seq).max(1);
        self.delivered = self.next - 1;
        self.log.base = self.delivered;
        self.floor = Floor { seq: self.next - 1, consumer_seq: 0 };
    }

    fn start_with_last_of_subjects(&mut self, store: &dyn Store, last_seq: u64) -> u64 {
        let seqs = last_of_subjects(&self.filter, store, 0, last_seq);
        // If there are none, the last message is not one of them, either.
        let Some(&first) = seqs.front() else { return last_seq };
        self.last_of_subject = Some(Box::new(LastOfSubject { seqs, resume: last_seq }));
        first
    }

    /// Counts what is not delivered yet.
    pub(super) fn recount(&mut self, store: &dyn Store) {
        self.recount = false;
        self.num_pending = match &self.last_of_subject {
            Some(list) => list.seqs.len() as u64 + store.count(&self.filter, list.resume + 1, false),
            None => store.count(&self.filter, self.next, false),
        };
    }

    /// How long it stays without being used.
    pub(super) fn set_inactivity(&mut self, ctx: &mut Context<'_>) {
        let is_ephemeral = self.config.durable.is_empty();
        let configured = self.config.inactive_threshold;
        let spread = Duration::from_millis(100 + ctx.out.random() % 900);
        self.inactivity.threshold = match (configured.is_zero(), is_ephemeral) {
            (true, true) => EPHEMERAL_THRESHOLD + spread,
            (true, false) => Duration::ZERO,
            (false, _) if self.is_push() => configured,
            (false, _) => configured + spread,
        };
        self.used();
        let threshold = self.inactivity.threshold;
        self.inactivity.check = if threshold.is_zero() { None } else { Some(ctx.now.time + threshold) };
    }

    /// Finds out until when it is paused.
    pub(super) fn set_pause(&mut self) {
        let left =
            self.config.pause_until.map_or(0, |until| until.as_nanos().saturating_sub(self.clock.wall.as_nanos()));
        self.paused = if left > 0 { Some(self.clock.time + Duration::from_nanos(left)) } else { None };
    }

    /// Whether messages wait for acknowledgement. If not, nobody listens to their reply subjects.
    pub(crate) fn has_acks(&self) -> bool {
        self.config.ack_policy != AckPolicy::None
    }
}

/// The percentage of a text like `50` or `50%`; 0 for another.
pub(super) fn sample(text: &str) -> u64 {
    text.strip_suffix('%').unwrap_or(text).parse().unwrap_or(0)
}

/// The last message of each subject that a filter takes, from `from` through `through`, in order.
fn last_of_subjects(filter: &Filter, store: &dyn Store, from: u64, through: u64) -> VecDeque<u64> {
    let mut seqs = Vec::new();
    let mut later: Vec<Box<[u8]>> = Vec::new();
    let mut take = |subject: &[u8], state: martlet_store::SubjectState| {
        if state.last <= through {
            seqs.push(state.last);
        } else if state.first <= through {
            later.push(subject.into());
        }
        true
    };
    if filter.is_any() {
        store.for_each_subject(b">", &mut take);
    }
    for pattern in filter.patterns() {
        store.for_each_subject(pattern, &mut take);
    }
    for subject in later {
        seqs.extend(store.last(&Filter::new([&*subject]), through));
    }
    seqs.retain(|&seq| seq >= from);
    seqs.sort_unstable();
    seqs.dedup();
    seqs.into()
}
