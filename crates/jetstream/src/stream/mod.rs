//! A stream: who may add to it, in which order, and who is told.
//!
//! | module | what lives there |
//! |---|---|
//! | `admit` | a message becomes a proposal, or is refused |
//! | `bounds` | what is refused for want of room |
//! | `answer` | what publishers are told |
//! | `group` | proposals that are written together, and what is said once they stand |
//! | `overlay` | what there will be when everything proposed stands |
//! | `commit` | writing, syncing, applying, answering |
//! | `live` | what follows from the log beside the messages, as it runs and when it is read again |
//! | `change` | what the API changes |
//! | `consumers`, `consumer_changes`, `progress` | its consumers: their turns, their lives, what is written of them |
//! | `consumer_index` | which consumer a message, a name or a moment concerns |
//! | `read`, `direct` | what the API reads |
//! | `rebuild` | a stream made of what is told of one |
//! | `note` | what the log says of the stream itself |
//! | `atomic` | messages that are kept together or not at all |
//! | `fast` | many messages in a row, told of together |
//! | `counter` | messages that count |
//! | `schedule`, `cron` | messages that are published again when their time has come |
//! | `timers` | what happens by itself |
//! | `origin` | the streams that it copies from |
//! | `shape` | what a configuration means, made ready to use |
//! | `advisory` | what everybody is told of it |
//! | `headers`, `ids` | the parts: headers of publishers, message ids, answers |
//!
//! A message is *admitted* (checked against what there is and what is proposed; it gets its sequence and time), *appended*
//! with its group, *committed* once that is durable, and *applied*; only then its publisher is answered. The log holds
//! decided facts, no requests, so that whoever applies it comes to the same.
//!
//! How it is called: whatever comes is given to [`Stream::publish`], [`Stream::ack`], [`Stream::pull`] and the methods for
//! requests; after a batch of such calls, while [`Stream::has_to_flush`], comes [`Stream::flush`], and its
//! [`Stream::sync_job`] is run somewhere and its result told to [`Stream::synced`]. [`Stream::tick`] is due at
//! [`Stream::deadline`], which any call may change. Changes that were asked for with a ticket are taken from
//! [`Stream::next_done`]. [`Stream::maintain`] is called some time after
//! something has happened, at [`Stream::maintenance_due`], and while it says that there is more to do.
//!
//! Invariant: whatever survives a restart comes out of the log or the checkpoint; `Live` is all of it.

mod admit;
mod advisory;
mod answer;
mod atomic;
mod bounds;
mod change;
mod commit;
mod consumer_changes;
mod consumer_index;
mod consumers;
mod counter;
mod cron;
mod direct;
mod fast;
mod group;
mod headers;
mod ids;
mod live;
mod note;
mod origin;
mod overlay;
mod progress;
mod read;
mod rebuild;
mod schedule;
mod shape;
mod timers;

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::fmt;

use martlet_events::{Time, WallTime};
use martlet_store::{Damage, Record, Store, StoreError, SyncJob};

pub use self::admit::{Fate, Traced};
pub use self::atomic::BatchLimits;
pub use self::change::{Changed, Done, NOBODY, Ticket};
use self::group::Group;
use self::live::Live;
pub use self::note::NoteError;
pub use self::origin::Action;
use self::origin::Origins;
pub use self::rebuild::{Rebuild, RebuildError, Returning, configuration_of};
use self::shape::Shape;
pub use self::shape::limits;
use crate::config::StreamConfig;
use crate::out::{Now, Out};

/// A message that comes to a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Incoming<'a> {
    /// Its subject.
    pub subject: &'a [u8],
    /// Where the answer goes; empty for none.
    pub reply: &'a [u8],
    /// The header section; empty for none.
    pub headers: &'a [u8],
    /// The message without its headers.
    pub payload: &'a [u8],
}

/// When a publisher is told that its message is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// When it is durable.
    #[default]
    Always,
    /// When it is written; it is synced some time later.
    OnCommitOfWrite,
}

/// What a stream must know of its surroundings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// When publishers are told.
    pub durability: Durability,
    /// The domain; empty for none.
    pub domain: String,
    /// The account, for events.
    pub account: String,
    /// What subjects of acknowledgements and of flow control have before the stream, so that they differ between accounts:
    /// `<domain>.<hash of the account>.`; empty for nothing.
    pub scope: String,
    /// The largest message that a client may send.
    pub max_payload: usize,
    /// Bytes that may wait to be written while enough is on its way to the disk. Who comes then is sent away.
    pub max_waiting: usize,
    /// Bounds of batches.
    pub batches: BatchLimits,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            durability: Durability::default(),
            domain: String::new(),
            account: String::new(),
            scope: String::new(),
            max_payload: 1 << 20,
            max_waiting: 128 << 20,
            batches: BatchLimits::default(),
        }
    }
}

/// What may still be stored, by the bounds of the account and the server, in bytes; and how many batches may be under way. Their owner counts, and says so whenever
/// it has changed much; in between the stream counts for itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// In the account.
    pub account: u64,
    /// On the server.
    pub server: u64,
    /// Atomic batches that this stream may have under way, by the bound of the server.
    pub atomic: usize,
    /// Fast batches, in the same way.
    pub fast: usize,
}

impl Default for Room {
    fn default() -> Self {
        Self { account: u64::MAX, server: u64::MAX, atomic: usize::MAX, fast: usize::MAX }
    }
}

/// What was found in a log that is opened: the observer to give to the store, and from which a stream is made.
pub type Recovery = Live;

/// How many flushes may wait for the disk. More would not make it quicker.
const MAX_FLUSHES_IN_FLIGHT: usize = 2;
/// Entries between checkpoints: how much of the log is read again at most when a stream is opened.
const ENTRIES_PER_CHECKPOINT: u64 = 4096;
/// A group larger than this gets no more messages: the next one begins.
const GROUP_BYTES: usize = 4 << 20;

/// A stream.
pub struct Stream {
    store: Box<dyn Store>,
    options: Options,
    /// What is applied.
    live: Live,
    shape: Shape,
    /// What is being admitted.
    current: Group,
    /// What is admitted and closed, but not appended.
    waiting: VecDeque<Group>,
    /// What is appended, but not committed.
    in_flight: VecDeque<Group>,
    /// The last entry of each flush that is in flight.
    flushes: VecDeque<u64>,
    spare: Vec<Group>,
    /// The last sequence proposed.
    last_seq: u64,
    /// The last message id proposed.
    last_id: Vec<u8>,
    /// The last time written down: messages are in the order of time, even if the clock is set back.
    last_time: WallTime,
    /// The last message that nobody wanted, and when it came: the log does not know.
    skipped: Option<(u64, WallTime)>,
    done: VecDeque<Done>,
    /// Why something was not written.
    refused: Option<StoreError>,
    records: Vec<Record<'static>>,
    scratch: Scratch,
    now: Now,
    age: timers::Age,
    /// When to look again for what no consumer needs, if not all could be read.
    look_again_at: Option<Time>,
    /// Atomic batches that are not ended.
    atomic: atomic::Atomic,
    /// Fast batches that are not ended.
    fast: fast::FastBatches,
    /// The streams that it copies from.
    origins: Origins,
    room: Room,
    /// The last entry applied when the last checkpoint was made.
    checkpointed: u64,
    consumer_scratch: consumers::ConsumerScratch,
    /// Memory for keys of consumers.
    keys: Vec<consumer_index::Key>,
    /// The message that is looked at is traced.
    traced: Option<Traced>,
}

/// Buffers that are used again and again.
#[derive(Debug, Default)]
struct Scratch {
    subject: Vec<u8>,
    headers: Vec<u8>,
    message: Vec<u8>,
    answer: Vec<u8>,
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream")
            .field("name", &self.live.config.name)
            .field("last_seq", &self.last_seq)
            .finish_non_exhaustive()
    }
}

impl Stream {
    /// A new stream on an empty store. `ticket` is told when its configuration stands; until then it is not there.
    pub fn create(config: StreamConfig, now: Now, store: Box<dyn Store>, options: Options, ticket: Ticket) -> Self {
        let first_seq = config.first_seq;
        let note = note::Configuration { created: now.wall, config };
        let mut stream = Self::assemble(Live::new(&note), store, options, now);
        if first_seq > 1 {
            stream.current.drafts.push(group::Draft::Skip { through: first_seq - 1 });
            stream.last_seq = first_seq - 1;
        }
        stream.propose_configuration(&note, ticket, Changed::Created);
        stream
    }

    /// The stream that a log and its checkpoint tell of: `recovery` has observed the store while it was opened.
    pub fn recover(
        mut recovery: Recovery,
        store: Box<dyn Store>,
        options: Options,
        now: Now,
        out: &mut dyn Out,
    ) -> Result<Self, NoteError> {
        recovery.end_recovery(now)?;
        let mut stream = Self::assemble(recovery, store, options, now);
        stream.put_configuration_in_force();
        stream.follow_origins(out);
        stream.resume_consumers(out);
        Ok(stream)
    }

    fn assemble(live: Live, store: Box<dyn Store>, options: Options, now: Now) -> Self {
        let state = store.state();
        let shape = Shape::new(&live.config, &options);
        Self {
            options,
            shape,
            current: Group::default(),
            waiting: VecDeque::new(),
            in_flight: VecDeque::new(),
            flushes: VecDeque::new(),
            spare: Vec::new(),
            last_seq: state.last_seq,
            last_id: live.last_id.clone(),
            last_time: state.last_time.unwrap_or_default(),
            skipped: None,
            done: VecDeque::new(),
            refused: None,
            records: Vec::new(),
            scratch: Scratch::default(),
            now,
            age: timers::Age::default(),
            look_again_at: None,
            atomic: atomic::Atomic::default(),
            fast: fast::FastBatches::default(),
            origins: Origins::default(),
            room: Room::default(),
            checkpointed: 0,
            consumer_scratch: consumers::ConsumerScratch::default(),
            keys: Vec::new(),
            traced: None,
            live,
            store,
        }
    }

    /// How much may still be stored.
    pub fn set_room(&mut self, room: Room) {
        self.room = room;
    }

    /// Batches under way: atomic ones, and fast ones.
    pub fn batches(&self) -> [usize; 2] {
        [self.atomic.len(), self.fast.len()]
    }

    /// What it is configured to be.
    pub fn config(&self) -> &StreamConfig {
        &self.live.config
    }

    /// When it was created.
    pub fn created(&self) -> WallTime {
        self.live.created
    }

    /// A short name that no other stream of its name has had: of when it was created.
    // spec: JS-099 NEW-036
    pub fn identity(&self) -> String {
        let name: [u8; 8] = martlet_proto::short_name(&self.live.created.to_string());
        name.map(char::from).iter().collect()
    }

    /// The store.
    pub fn store(&self) -> &dyn Store {
        &*self.store
    }

    /// What has to be synced so that everything appended can be committed; `None` if nobody waits for that. Where nobody
    /// ever does, it is what was written since the last time.
    pub fn sync_job(&mut self) -> Option<SyncJob> {
        if self.options.durability == Durability::Always && self.in_flight.is_empty() {
            return None;
        }
        self.store.sync_job()
    }

    /// The next change that has come to its end.
    pub fn next_done(&mut self) -> Option<Done> {
        self.done.pop_front()
    }

    /// Keeps what is not in the messages, so that the next start is quick.
    pub fn checkpoint(&mut self) -> Result<(), martlet_store::StoreError> {
        self.checkpointed = self.store.applied();
        self.store.checkpoint(&self.state_to_keep())
    }

    /// Leaves everything so that the next start is quick. What is not committed is not answered.
    pub fn close(&mut self) -> Result<(), martlet_store::StoreError> {
        self.store.close(&self.state_to_keep())
    }

    /// What is applied, beside the messages.
    fn state_to_keep(&self) -> Vec<u8> {
        let groups = self.in_flight.front().or(self.waiting.front());
        let group = groups.or(Some(&self.current).filter(|group| !group.is_empty()));
        let last = group.map_or((self.last_seq, &*self.last_id), |group| (group.before.0, &*group.before.1));
        note::save(&self.live, last)
    }

    /// What was found to be damaged since this was asked for last. Whoever listens is told.
    pub fn take_damage(&mut self, now: Now, out: &mut dyn Out) -> Vec<Damage> {
        self.now = now;
        let damage = self.store.take_damage();
        for one in &damage {
            self.announce_damage(one, out);
        }
        damage
    }

    /// Whether there is something that has time, but not much.
    pub fn wants_maintenance(&self) -> bool {
        self.store.wants_checkpoint()
    }

    /// Does some of what has time; whether there is more to do at once.
    pub fn maintain(&mut self, now: Now) -> Result<bool, martlet_store::StoreError> {
        self.now = now;
        if self.store.applied() >= self.checkpointed + ENTRIES_PER_CHECKPOINT || self.wants_maintenance() {
            self.checkpoint()?;
        }
        self.store.maintain(now.wall)
    }

    /// When to [maintain](Self::maintain) even if nothing happens meanwhile.
    pub fn maintenance_due(&self) -> Option<WallTime> {
        self.store.maintenance_due()
    }
}
