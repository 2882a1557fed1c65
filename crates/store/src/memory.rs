//! A store that lives as long as the process.
//!
//! Messages stand one behind the other in blocks of some 64 KiB, with a slot of 48 bytes for each, which also knows the
//! messages of the same subject before and behind it. So a subject's messages are a list, and nobody who asks for one
//! subject sees another. A block whose messages are gone goes; one that is mostly waste is rewritten.
//!
//! Invariant: what is appended is durable at once, and never fails but for want of room.

mod block;
mod blocks;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::ops::RangeInclusive;

use martlet_events::WallTime;

use crate::disk::SyncJob;
use crate::index::Index;
use crate::record::{Message, Purge, Record};
use crate::store::{Filter, Limits, Observer, ReadError, State, Store, StoreError, SubjectState, Unreadable};
use blocks::Blocks;

/// A stream in memory.
#[derive(Debug)]
pub struct MemoryStore {
    index: Index,
    blocks: Blocks,
    /// What is appended and not applied, with the entry it belongs to. Messages are in the blocks already.
    waiting: VecDeque<(u64, Fact)>,
    appended: u64,
    applied: u64,
    max_used: u64,
    /// The subject at hand.
    subject: Vec<u8>,
}

/// A record of its own.
#[derive(Debug)]
enum Fact {
    Message { seq: u64 },
    Skip { through: u64 },
    Remove { ranges: Box<[RangeInclusive<u64>]>, erase: bool },
    Purge { filter: Option<Box<[u8]>>, before: u64, keep: u64 },
    Expire { now: WallTime, before: Option<WallTime> },
    Note { kind: u8, bytes: Box<[u8]> },
}

impl From<&Record<'_>> for Fact {
    fn from(record: &Record<'_>) -> Self {
        match *record {
            Record::Message(message) => Self::Message { seq: message.seq },
            Record::Skip { through } => Self::Skip { through },
            Record::Remove { ranges, erase } => Self::Remove { ranges: ranges.into(), erase },
            Record::Purge(Purge { filter, before, keep }) => {
                Self::Purge { filter: filter.map(Into::into), before, keep }
            }
            Record::Expire { now, before } => Self::Expire { now, before },
            Record::Note { kind, bytes } => Self::Note { kind, bytes: bytes.into() },
        }
    }
}

impl MemoryStore {
    /// An empty one. The first message gets the sequence `first_seq`; 0 leaves that open, and means 1 to most.
    pub fn new(first_seq: u64) -> Self {
        Self {
            index: Index::new(first_seq),
            blocks: Blocks::default(),
            waiting: VecDeque::new(),
            appended: 0,
            applied: 0,
            max_used: u64::MAX,
            subject: Vec::new(),
        }
    }

    /// Never uses more than `bytes`, as [`Store::used`] counts them: an entry that does not fit is refused as
    /// [`StoreError::Full`].
    #[must_use]
    pub fn bounded(self, bytes: u64) -> Self {
        Self { max_used: bytes, ..self }
    }

    fn apply_fact(&mut self, fact: &Fact, observer: &mut dyn Observer) {
        let record = match fact {
            Fact::Message { seq } => return self.apply_message(*seq, observer),
            Fact::Skip { through } => Record::Skip { through: *through },
            Fact::Remove { ranges, erase } => Record::Remove { ranges, erase: *erase },
            Fact::Purge { filter, before, keep } => {
                Record::Purge(Purge { filter: filter.as_deref(), before: *before, keep: *keep })
            }
            Fact::Expire { now, before } => Record::Expire { now: *now, before: *before },
            Fact::Note { kind, bytes } => Record::Note { kind: *kind, bytes },
        };
        self.index.apply(&record, &mut self.blocks, observer);
    }

    fn apply_message(&mut self, seq: u64, observer: &mut dyn Observer) {
        let message = self.blocks.message(seq).expect("a message that waits is in its block");
        let size = block::size(&message);
        let before = self.index.add(&message, size);
        observer.added(&message, size);
        self.subject.clear();
        self.subject.extend_from_slice(message.subject);
        if let Some(before) = before {
            self.blocks.link(before, seq);
        }
        self.index.enforce(&self.subject, &mut self.blocks, observer);
    }
}

impl Store for MemoryStore {
    fn set_limits(&mut self, limits: Limits, observer: &mut dyn Observer) {
        self.index.set_limits(limits, &mut self.blocks, observer);
    }

    fn append(&mut self, records: &[Record<'_>]) -> Result<u64, StoreError> {
        let messages =
            || records.iter().filter_map(|record| if let Record::Message(m) = record { Some(m) } else { None });
        let need: u64 = messages().map(Blocks::need).sum();
        let is_full = |blocks: &Blocks| need > 0 && blocks.used().saturating_add(need) > self.max_used;
        if is_full(&self.blocks) {
            self.blocks.compact();
            if is_full(&self.blocks) {
                return Err(StoreError::Full { what: "a stream in memory".into() });
            }
        }
        messages().for_each(|message| self.blocks.push(message));
        self.appended += 1;
        self.waiting.extend(records.iter().map(|record| (self.appended, record.into())));
        Ok(self.appended)
    }

    fn appended(&self) -> u64 {
        self.appended
    }

    fn sync_job(&mut self) -> Option<SyncJob> {
        None
    }

    fn synced(&mut self, _through: u64, _result: Result<(), std::io::Error>) -> Result<(), StoreError> {
        Ok(())
    }

    fn durable(&self) -> u64 {
        self.appended
    }

    fn apply(&mut self, through: u64, observer: &mut dyn Observer) {
        while let Some((_, fact)) = self.waiting.pop_front_if(|(entry, _)| *entry <= through) {
            self.apply_fact(&fact, observer);
        }
        self.applied = self.applied.max(through.min(self.appended));
    }

    fn applied(&self) -> u64 {
        self.applied
    }

    fn fenced(&self) -> Option<&StoreError> {
        None
    }

    fn state(&self) -> State {
        self.index.state()
    }

    fn first_time(&self) -> Option<WallTime> {
        self.index.first_time(&self.blocks)
    }

    fn get<'b>(&self, seq: u64, buffer: &'b mut Vec<u8>) -> Result<Option<Message<'b>>, ReadError> {
        // A message that waits is there for nobody yet.
        Ok((seq <= self.index.last_seq()).then(|| self.blocks.copy(seq, buffer)).flatten())
    }

    fn next<'b>(&self, filter: &Filter, from: u64, buffer: &'b mut Vec<u8>) -> Result<Option<Message<'b>>, ReadError> {
        Ok(self.index.next(filter, from, &self.blocks).and_then(|seq| self.blocks.copy(seq, buffer)))
    }

    fn last(&self, filter: &Filter, at_most: u64) -> Option<u64> {
        self.index.last(filter, at_most, &self.blocks)
    }

    fn first_since(&self, time: WallTime) -> u64 {
        let end = self.index.last_seq() + 1;
        self.blocks.first_since(time).map_or(end, |seq| seq.min(end))
    }

    fn subject(&self, subject: &[u8]) -> Option<SubjectState> {
        self.index.subject(subject, &self.blocks)
    }

    fn for_each_subject(&self, pattern: &[u8], f: &mut dyn FnMut(&[u8], SubjectState) -> bool) {
        self.index.for_each_subject(pattern, &self.blocks, f);
    }

    fn count(&self, filter: &Filter, from: u64, last_only: bool) -> u64 {
        self.index.count(filter, from, last_only, &self.blocks)
    }

    fn for_each_deleted(&self, f: &mut dyn FnMut(RangeInclusive<u64>) -> bool) {
        self.index.for_each_deleted(f);
    }

    fn unreadable(&self) -> &[Unreadable] {
        &[]
    }

    fn next_expiry(&self) -> Option<WallTime> {
        self.index.expiries().next()
    }

    /// Nothing: a memory is its own checkpoint.
    fn checkpoint(&mut self, _state: &[u8]) -> Result<(), StoreError> {
        Ok(())
    }

    fn used(&self) -> u64 {
        self.blocks.used()
    }

    /// Nothing is left over: room is given back as messages go.
    fn maintain(&mut self, _now: WallTime) -> Result<bool, StoreError> {
        Ok(false)
    }

    /// Nothing is kept; dropping the store frees its room.
    fn close(&mut self, _state: &[u8]) -> Result<(), StoreError> {
        Ok(())
    }
}
