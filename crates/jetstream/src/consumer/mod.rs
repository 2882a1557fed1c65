//! A consumer: what is delivered to whom, what is not acknowledged yet, who waits.
//!
//! It belongs to its stream, which calls it: nothing here is shared. What has to survive a restart it gives as a delta of
//! progress, which the stream writes as a note.
//!
//! | module | what lives there |
//! |---|---|
//! | `start` | where a consumer begins, and how it comes back |
//! | `standing` | where it stands, as other servers tell it, too |
//! | `deliver` | what is delivered next, and to whom |
//! | `push` | deliver subjects: interest, flow control, heartbeats, pace |
//! | `requests` | pull requests: which are taken, which goes next, which end |
//! | `acks` | acknowledgements, and what follows from them |
//! | `dead_letters` | messages that will not be delivered again, and go elsewhere |
//! | `change` | updates, pauses, resets |
//! | `track` | what is added to a stream and removed, waits that end, progress |
//! | `info` | what a consumer says of itself |
//! | `pending` | messages that wait for acknowledgement |
//! | `waiting` | pull requests that wait |
//! | `event` | statuses and events |
//! | `ack`, `progress` | what subjects, payloads and notes say |
//!
//! How a stream calls it: [`Consumer::new`] or [`Consumer::restore`], [`Consumer::apply`] for each delta and then
//! [`Consumer::resume`]. Then [`Consumer::added`] and [`Consumer::removed`] for what its store tells; [`Consumer::pull`],
//! [`Consumer::ack`], [`Consumer::flow_control`] and [`Consumer::interest`] for what comes in; and [`Consumer::deliver`]
//! whenever there may be something to deliver, until it has no more. [`Consumer::tick`] at [`Consumer::deadline`].

mod ack;
mod acks;
mod change;
mod dead_letters;
mod deliver;
mod event;
mod info;
mod pending;
mod progress;
mod push;
mod requests;
mod standing;
mod start;
#[cfg(test)]
mod tests;
mod track;
mod waiting;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use martlet_events::{Time, WallTime};
use martlet_store::{Filter, Store};
use smallvec::SmallVec;

use crate::config::{AckPolicy, ConsumerConfig, Retention, StreamConfig};
use crate::out::{Now, Out};
use dead_letters::Letters;
use pending::Pending;
use push::{Pace, Push};
use requests::Pin;
use waiting::Waiting;

pub use ack::AckSubject;
pub use change::ResetError;
pub use info::{GroupInfo, Info, Sequences};
pub use progress::ProgressError;
pub use requests::Closing;
pub use standing::{DeadLetter, Place, Standing, Unacknowledged};

/// How long a message may take that is acknowledged by flow control.
const FOR_EVER: Duration = Duration::from_hours(24 * 365 * 50);

/// What a consumer sees of its stream and the world while it works.
pub struct Context<'a> {
    /// The time.
    pub now: Now,
    /// The stream.
    pub stream: &'a StreamConfig,
    /// Its messages.
    pub store: &'a dyn Store,
    /// Messages up to this sequence may be delivered: they are durable.
    pub ready: u64,
    /// Where deliveries go.
    pub out: &'a mut dyn Out,
    /// The domain, for events; empty for none.
    pub domain: &'a str,
    /// The account, for events; empty for none.
    pub account: &'a str,
    /// What subjects of acknowledgements and of flow control have before the stream; empty for nothing.
    pub scope: &'a str,
    /// Where messages are put together: one for all consumers of a thread, which forget at once what is in it.
    pub scratch: &'a mut Scratch,
}

/// Memory that is used again for each message.
#[derive(Debug, Default)]
pub struct Scratch {
    /// A message out of the store.
    message: Vec<u8>,
    /// A reply subject.
    subject: Vec<u8>,
    /// Headers of a message.
    headers: Vec<u8>,
    /// Headers of a status.
    status: Vec<u8>,
}

/// What a stream has to do after a consumer has worked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Outcome {
    /// Messages acknowledged, terminated or given up that a work queue removes, and a stream with interest may. Nothing is
    /// here for a stream that keeps by limits. They go when the consumer's progress is durable.
    pub settled: SmallVec<[u64; 4]>,
    /// Replies that get an empty message when the consumer's progress is durable.
    pub confirm: SmallVec<[Box<[u8]>; 1]>,
    /// There is more to deliver: call [`Consumer::deliver`] again, after others had their turn.
    pub more: bool,
    /// Nobody has used the consumer for as long as it stays: delete it.
    pub is_inactive: bool,
    /// Messages that were passed over just now, since they cannot be read.
    pub passed_over: u64,
}

impl Outcome {
    /// Whether the progress must be written and synced at once.
    pub(crate) fn must_be_durable(&self) -> bool {
        !self.settled.is_empty() || !self.confirm.is_empty()
    }

    /// Adds what another call gave.
    pub fn merge(&mut self, other: Self) {
        self.settled.extend(other.settled);
        self.confirm.extend(other.confirm);
        self.more |= other.more;
        self.is_inactive |= other.is_inactive;
        self.passed_over += other.passed_over;
    }
}

/// A consumer.
#[derive(Debug)]
pub struct Consumer {
    /// What it is configured to be.
    config: ConsumerConfig,
    created: WallTime,
    retention: Retention,
    /// Where it stands is not kept in files.
    is_in_memory: bool,
    filter: Filter,
    /// `<stream>.<consumer>.`, as its subjects have it.
    path: Box<[u8]>,
    /// When it was called last.
    clock: Now,

    /// The next message to look at.
    next: u64,
    /// The last message delivered for the first time.
    delivered: u64,
    /// The next delivery's number.
    next_delivery: u64,
    /// What is acknowledged without a gap.
    floor: Floor,
    /// Messages not delivered yet.
    num_pending: u64,
    /// That number is in doubt: count.
    recount: bool,
    /// What is left of the messages that were the last of their subject when the consumer began.
    last_of_subject: Option<Box<LastOfSubject>>,
    pending: Pending,
    /// Messages that were delivered as often as they may be, and how often.
    spent: BTreeMap<u64, u32>,
    /// Messages that go elsewhere, since they are not delivered again; `None` where that is not configured.
    letters: Option<Box<Letters>>,

    waiting: Waiting,
    /// When requests were looked through, so that a full queue is not searched over and over.
    searched: Option<Time>,
    pin: Option<Box<Pin>>,
    push: Option<Box<Push>>,
    /// How fast messages may go, if not as fast as can be.
    pace: Option<Box<Pace>>,
    /// Until when it is paused.
    paused: Option<Time>,
    /// When to try again to read what could not be read.
    reread_at: Option<Time>,
    inactivity: Inactivity,
    /// Percent of acknowledgements to measure.
    sample: u64,

    log: Log,
    /// Messages that went while they waited for acknowledgement, to be told.
    gone: Vec<event::About>,
    last_delivery: Option<WallTime>,
    last_ack: Option<WallTime>,
    passed_over: u64,
}

/// Up to where everything is acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Floor {
    seq: u64,
    consumer_seq: u64,
}

/// Messages that are delivered before all those behind `resume`.
#[derive(Debug)]
struct LastOfSubject {
    seqs: VecDeque<u64>,
    resume: u64,
}

/// When a consumer is deleted that nobody uses.
#[derive(Debug, Clone, Copy, Default)]
struct Inactivity {
    /// How long it stays; zero for ever.
    threshold: Duration,
    /// When it was used last.
    last: Time,
    /// When to look.
    check: Option<Time>,
}

/// What has changed since the last delta of progress.
#[derive(Debug, Default)]
struct Log {
    is_dirty: bool,
    /// The last message that the last delta knew as delivered.
    base: u64,
    /// Entries up to there that are no longer.
    acked: Vec<u64>,
    /// Entries up to there that have changed.
    changed: Vec<u64>,
    /// Messages that came to be spent, or are no longer.
    spent: Vec<u64>,
    /// Dead letters that are new, or are no longer.
    letters: Vec<u64>,
}

impl Consumer {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.config.name
    }

    /// What it is configured to be.
    pub fn config(&self) -> &ConsumerConfig {
        &self.config
    }

    /// Whether messages are pushed to subscribers.
    pub fn is_push(&self) -> bool {
        self.push.is_some()
    }

    /// Which messages it wants.
    pub fn filter(&self) -> &Filter {
        &self.filter
    }

    /// Messages that it passed over, since they could not be read.
    pub fn passed_over(&self) -> u64 {
        self.passed_over
    }

    /// When it wants to be called, if nothing happens before.
    pub fn deadline(&self) -> Option<Time> {
        let pin = self.pin.as_ref().map(|pin| pin.until);
        let push = self.push.as_ref().and_then(|push| push.deadline());
        let hold = self.pace.as_ref().and_then(|pace| pace.hold);
        let waits =
            [self.pending.next_deadline(), self.waiting.due(), self.paused, self.reread_at, self.inactivity.check];
        let times = waits.into_iter().chain([pin, push, hold, self.letters_due()]);
        times.flatten().min()
    }

    /// Does what is due.
    pub fn tick(&mut self, ctx: &mut Context<'_>) -> Outcome {
        let mut outcome = Outcome::default();
        self.begin(ctx);
        self.end_waits(ctx);
        if self.pin.as_ref().is_some_and(|pin| pin.until <= ctx.now.time) {
            self.unpin_for(ctx, "timeout");
        }
        if self.paused.is_some_and(|until| until <= ctx.now.time) {
            self.paused = None;
            event::paused(ctx, &self.config.name, self.config.pause_until);
        }
        if self.waiting.due().is_some_and(|due| due <= ctx.now.time) {
            self.search_requests(ctx, false);
        }
        self.tick_push(ctx);
        self.send_letters(ctx, &mut outcome);
        outcome.is_inactive = self.is_inactive(ctx);
        if !outcome.is_inactive {
            outcome.merge(self.deliver(ctx));
        }
        outcome
    }

    /// What each call begins with.
    fn begin(&mut self, ctx: &mut Context<'_>) {
        self.clock = ctx.now;
        if self.recount {
            self.recount(ctx.store);
        }
        for about in std::mem::take(&mut self.gone) {
            event::terminated(ctx, &self.config.name, about, b"Unacknowledged message was deleted");
        }
    }

    /// How long a message may take that was delivered this often.
    fn wait(&self, deliveries: u32) -> Duration {
        wait_of(&self.config, deliveries)
    }

    fn used(&mut self) {
        self.inactivity.last = self.clock.time;
    }
}

/// How long a message may take that was delivered this often.
// spec: JS-088 JS-094
fn wait_of(config: &ConsumerConfig, deliveries: u32) -> Duration {
    if config.ack_policy == AckPolicy::FlowControl {
        return FOR_EVER;
    }
    let at = (deliveries.max(1) as usize - 1).min(config.backoff.len().saturating_sub(1));
    config.backoff.get(at).copied().unwrap_or(config.ack_wait)
}
