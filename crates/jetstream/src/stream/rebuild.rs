//! A stream made of what is told of one: by an archive, or by another server's files.
//!
//! Messages keep their sequences and times. They are written in entries of some size, and applied at once: nobody looks at a
//! stream that is being made. It is a stream when [`Rebuild::finish`] or [`Rebuild::close`] has returned; whoever stops
//! before has to remove the store.
//!
//! Invariant: what is told is not believed: sequences grow, subjects and headers are what they should be.

use std::ops::RangeInclusive;

use martlet_events::WallTime;
use martlet_proto::headers;
use martlet_store::{Message, NEVER, Record, State, Store, StoreError};
use thiserror::Error;

use super::headers::{TTL, Ttl, ttl};
use super::live::Live;
use super::note::{self, NoteError};
use super::{Recovery, limits};
use crate::config::{Compression, ConsumerConfig, StreamConfig};
use crate::consumer::{Consumer, ProgressError, Standing};
use crate::out::Now;

/// An entry is written when its messages come to this.
const ENTRY_BYTES: usize = 1 << 20;
/// What was written is synced when it comes to this.
const SYNC_BYTES: usize = 64 << 20;
/// No message has a larger sequence.
const MAX_SEQ: u64 = 1 << 62;
/// The longest subject.
const MAX_SUBJECT: usize = 64 << 10;

/// Why a stream cannot be made.
#[derive(Debug, Error)]
pub enum RebuildError {
    /// The store takes no more.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A message stands behind one that should follow it, or has an impossible sequence.
    #[error("message {seq} is out of order: it follows {last}")]
    Order {
        /// Its sequence.
        seq: u64,
        /// The last one before it.
        last: u64,
    },
    /// A message that cannot have been published.
    #[error("message {seq} has {what}")]
    Message {
        /// Its sequence.
        seq: u64,
        /// What is wrong with it.
        what: &'static str,
    },
    /// Where a consumer is said to stand cannot be.
    #[error("consumer {name:?}: {error}")]
    Consumer {
        /// Its name.
        name: String,
        /// Why not.
        error: ProgressError,
    },
    /// What was written makes no stream.
    #[error(transparent)]
    Note(#[from] NoteError),
}

/// A consumer to be made with its stream.
#[derive(Debug, Clone)]
pub struct Returning {
    /// What it is configured to be; with its name.
    pub config: ConsumerConfig,
    /// Since when it has been there.
    pub created: WallTime,
    /// Where it stands.
    pub standing: Standing,
}

impl AsRef<ConsumerConfig> for Returning {
    fn as_ref(&self) -> &ConsumerConfig {
        &self.config
    }
}

/// A configuration that another server has taken, out of its JSON. What is not known here is passed over.
pub fn configuration_of(json: &[u8]) -> Result<StreamConfig, String> {
    note::config_of(json)
}

/// A stream that is being made. See the module's text.
pub struct Rebuild {
    store: Box<dyn Store>,
    live: Live,
    now: Now,
    last_seq: u64,
    /// Messages of the next entry, one behind the other.
    bytes: Vec<u8>,
    drafts: Vec<Draft>,
    /// Bytes written since the last sync.
    unsynced: usize,
    /// Messages whose time was over.
    passed: u64,
}

/// A message in `bytes`.
#[derive(Debug, Clone, Copy)]
struct Draft {
    seq: u64,
    time: WallTime,
    /// Lengths of its subject, headers and payload.
    lens: [usize; 3],
    expires: Option<WallTime>,
}

impl std::fmt::Debug for Rebuild {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rebuild").field("last_seq", &self.last_seq).finish_non_exhaustive()
    }
}

impl Rebuild {
    /// Begins a stream on an empty store without bounds. `first_seq` is its first sequence; 0 leaves that to the first message.
    pub fn begin(
        config: StreamConfig,
        created: WallTime,
        first_seq: u64,
        store: Box<dyn Store>,
        now: Now,
    ) -> Result<Self, RebuildError> {
        let compresses = config.compression == Compression::S2;
        let configuration = note::Configuration { created, config };
        let mut rebuild = Self {
            store,
            live: Live::recovery(now),
            now,
            last_seq: 0,
            bytes: Vec::new(),
            drafts: Vec::new(),
            unsynced: 0,
            passed: 0,
        };
        let mut bytes = Vec::new();
        configuration.write(&mut bytes);
        rebuild.append(&[Record::Note { kind: note::CONFIGURATION, bytes: &bytes }])?;
        rebuild.store.set_compression(compresses);
        rebuild.skip_through(first_seq.saturating_sub(1))?;
        Ok(rebuild)
    }

    /// What there is so far; messages that were told last may be missing.
    pub fn state(&self) -> State {
        self.store.state()
    }

    /// Messages that were told and passed over, since their time was over.
    pub fn passed(&self) -> u64 {
        self.passed
    }

    /// The next message. Sequences between the last and this one are no messages.
    pub fn message(&mut self, message: &Message<'_>) -> Result<(), RebuildError> {
        let Message { seq, time, subject, headers, payload, .. } = *message;
        if seq <= self.last_seq || seq > MAX_SEQ {
            return Err(RebuildError::Order { seq, last: self.last_seq });
        }
        let expires = self.check(message)?;
        if expires.is_some_and(|at| at <= self.now.wall) {
            // Its time is over: that it was there is all that is left of it.
            self.passed += 1;
            return self.skip_through(seq);
        }
        self.last_seq = seq;
        for part in [subject, headers, payload] {
            self.bytes.extend_from_slice(part);
        }
        let lens = [subject.len(), headers.len(), payload.len()];
        self.drafts.push(Draft { seq, time, lens, expires });
        if self.bytes.len() >= ENTRY_BYTES { self.flush() } else { Ok(()) }
    }

    /// Whether a message can have been published; when it goes by itself.
    // spec: JS-068
    fn check(&self, message: &Message<'_>) -> Result<Option<WallTime>, RebuildError> {
        let refuse = |what| Err(RebuildError::Message { seq: message.seq, what });
        if message.subject.len() > MAX_SUBJECT || !martlet_subject::is_valid_literal(message.subject) {
            return refuse("a subject that nothing can be published to");
        }
        let block = message.headers;
        let is_block = block.starts_with(b"NATS/1.0") && block.ends_with(b"\r\n\r\n");
        if !block.is_empty() && !is_block {
            return refuse("headers that are no header block");
        }
        if !self.live.config().allow_msg_ttl {
            return Ok(None);
        }
        match ttl(headers::get(block, TTL).unwrap_or_default()) {
            None => refuse("a Nats-TTL that is none"),
            Some(Ttl::None) => Ok(None),
            Some(Ttl::Never) => Ok(Some(NEVER)),
            Some(Ttl::Seconds(seconds)) => {
                let nanos = seconds.saturating_mul(1_000_000_000).saturating_add(message.time.as_nanos());
                Ok(Some(WallTime::from_nanos(nanos)).filter(|at| *at < NEVER))
            }
        }
    }

    /// Messages that were told go again.
    pub fn remove(&mut self, ranges: &[RangeInclusive<u64>]) -> Result<(), RebuildError> {
        self.flush()?;
        if ranges.is_empty() { Ok(()) } else { self.append(&[Record::Remove { ranges, erase: false }]) }
    }

    /// Sequences up to this one are used.
    pub(crate) fn skip_through(&mut self, seq: u64) -> Result<(), RebuildError> {
        if seq <= self.last_seq {
            return Ok(());
        }
        if seq > MAX_SEQ {
            return Err(RebuildError::Order { seq, last: self.last_seq });
        }
        self.flush()?;
        self.last_seq = seq;
        self.append(&[Record::Skip { through: seq }])
    }

    /// Writes what was told.
    pub fn flush(&mut self) -> Result<(), RebuildError> {
        if self.drafts.is_empty() {
            return Ok(());
        }
        let (bytes, drafts) = (std::mem::take(&mut self.bytes), std::mem::take(&mut self.drafts));
        let mut rest = &*bytes;
        let mut take = |len: usize| {
            let (part, behind) = rest.split_at(len);
            rest = behind;
            part
        };
        let records: Vec<Record<'_>> = drafts
            .iter()
            .map(|of| {
                let [subject, headers, payload] = of.lens.map(&mut take);
                let Draft { seq, time, expires, .. } = *of;
                Record::Message(Message { seq, time, subject, headers, payload, expires })
            })
            .collect();
        let written = self.append(&records);
        drop(records);
        self.unsynced += bytes.len();
        (self.bytes, self.drafts) = (bytes, drafts);
        self.bytes.clear();
        self.drafts.clear();
        written?;
        if self.unsynced >= SYNC_BYTES {
            self.unsynced = 0;
            self.sync()?;
        }
        Ok(())
    }

    fn append(&mut self, records: &[Record<'_>]) -> Result<(), RebuildError> {
        let number = self.store.append(records)?;
        self.store.apply(number, &mut self.live);
        Ok(())
    }

    fn sync(&mut self) -> Result<(), StoreError> {
        match self.store.sync_job() {
            Some(job) => self.store.synced(job.through, job.run()),
            None => Ok(()),
        }
    }

    /// Adds a consumer; to be called behind all messages. What it waits for and is not there has been dealt with.
    fn consumer(&mut self, returning: &Returning) -> Result<(), RebuildError> {
        let Returning { config, created, standing } = returning;
        let name = config.name.clone();
        let made = Consumer::standing_at(standing, config.clone(), *created, self.live.config(), self.now);
        let mut consumer = made.map_err(|error| RebuildError::Consumer { name, error })?;
        for seq in self.absent(consumer.waiting_seqs()) {
            consumer.lost(&(seq..=seq), martlet_store::Removal::Purged);
        }
        if standing.delivered.consumer_seq == 0 {
            // It begins with what there is.
            consumer.purged(self.store.state().first_seq);
        }
        let mut bytes = Vec::new();
        note::write_consumer(config, (*created, false), &mut bytes, |into| consumer.snapshot(into));
        self.append(&[Record::Note { kind: note::CONSUMER, bytes: &bytes }])
    }

    /// Those of some sequences, which are in order, that are no messages.
    fn absent(&self, mut seqs: Vec<u64>) -> Vec<u64> {
        let state = self.store.state();
        let mut deleted = Vec::new();
        self.store.for_each_deleted(&mut |range| {
            deleted.push(range);
            true
        });
        let is_deleted = |seq: u64| {
            let at = deleted.partition_point(|range| *range.end() < seq);
            deleted.get(at).is_some_and(|range| *range.start() <= seq)
        };
        seqs.retain(|&seq| seq < state.first_seq || seq > state.last_seq || is_deleted(seq));
        seqs
    }

    /// There are no more messages, and `last_seq` was the last sequence in use. Bounds are in force from here on: what is
    /// told may go again by other reasons first.
    fn end(&mut self, last_seq: u64, consumers: &[Returning]) -> Result<(), RebuildError> {
        self.flush()?;
        self.skip_through(last_seq)?;
        self.store.set_limits(limits(self.live.config()), &mut self.live);
        consumers.iter().try_for_each(|returning| self.consumer(returning))
    }

    /// Makes it a stream, to be taken further by [`super::Stream::recover`].
    pub fn finish(
        mut self,
        last_seq: u64,
        consumers: &[Returning],
    ) -> Result<(Recovery, Box<dyn Store>), RebuildError> {
        self.end(last_seq, consumers)?;
        self.sync()?;
        Ok((self.live, self.store))
    }

    /// Makes it a stream, and leaves it as a stream is left when a server stops; gives what it holds.
    pub fn close(mut self, last_seq: u64, consumers: &[Returning]) -> Result<State, RebuildError> {
        self.end(last_seq, consumers)?;
        self.live.end_recovery(self.now)?;
        let state = self.store.state();
        let kept = note::save(&self.live, (self.last_seq, &self.live.last_id));
        self.store.close(&kept)?;
        Ok(state)
    }
}
