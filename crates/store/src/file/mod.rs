//! The store in files.
//!
//! | module | what lives there |
//! |---|---|
//! | `segment` | one file of the log: its header, its name, where sequences are in it |
//! | `log`, `tail` | entries are written, files are handed out to be synced |
//! | `read`, `pages`, `view` | messages by sequence |
//! | `walk`, `survey` | passes over bytes that may be damaged |
//! | `pieces` | a pass over a segment that takes its time, as long as nothing is damaged |
//! | `checkpoint` | what cannot be had from the log alone |
//! | `probe` | what the fuzzer calls |
//! | `keys` | the key of a stream that is encrypted |
//! | `summary` | a segment's summary: what is where in it, and what each subject has there |
//! | `summaries`, `lookup` | which segments get one, and when; how a subject's messages are found by them |
//! | `subjects` | what a clean stop leaves, so that summaries need not be put together |
//! | `open`, `recover` | from files to where the log was |
//! | `apply` | what an entry does |
//! | `space` | what checkpoints free, and dropping it |
//! | `erase` | messages that are removed for good are overwritten |
//! | `scrub` | looking for damage |
//! | `compact` | a segment is written anew without what is gone |
//!
//! Invariant: what has been acknowledged as durable is never given up because it cannot be read.

mod apply;
mod checkpoint;
mod compact;
mod erase;
mod keys;
mod log;
mod lookup;
mod open;
mod pages;
mod pieces;
pub(crate) mod probe;
mod read;
mod recover;
mod scrub;
mod segment;
mod space;
mod subjects;
mod summaries;
mod summary;
mod survey;
mod tail;
#[cfg(test)]
pub(crate) mod tests;
mod view;
mod walk;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::ops::RangeInclusive;
use std::time::Duration;

use martlet_events::WallTime;

use self::checkpoint::Slots;
use self::compact::Compaction;
use self::log::Log;
use self::read::Windows;
use self::scrub::Scrubbing;
use self::summary::Making;
use self::view::View;
use crate::disk::{SyncJob, is_passing};
use crate::index::Index;
use crate::record::{Message, Record};
use crate::store::{Filter, Limits, Observer, ReadError, State, Store, StoreError, SubjectState, Unreadable};
pub(crate) use log::is_full;
pub use open::{Damage, OpenError, Opened, Options};
pub(crate) use segment::is_segment;

/// A stream's store in files. See [`FileStore::open`].
#[derive(Debug)]
pub struct FileStore {
    log: Log,
    windows: Windows,
    index: Index,
    /// The last entry applied.
    applied: u64,
    /// Where the next entry to apply begins: the segment's number, and the place in it.
    next: (u64, u32),
    unreadable: Vec<Unreadable>,
    /// Damage that reading has come upon, and that is not in `unreadable` yet.
    found: RefCell<Vec<Unreadable>>,
    /// Messages whose bytes are still to be overwritten.
    erase: Vec<u64>,
    /// How many of them the checkpoint written last knows of.
    erasing: usize,
    slots: Slots,
    /// Segments that the checkpoint written last does not need any more.
    dropping: Vec<u64>,
    /// Segments to be written anew, as the checkpoint written last knows them; the first may be begun.
    compactions: VecDeque<Compaction>,
    /// The summary that is being made.
    making: Option<Making>,
    /// Segments up to this number have one, or cannot have one now.
    summarised: u64,
    /// Whether there is a file of what subjects had when the store was closed.
    has_subjects: bool,
    /// The last entry applied when a checkpoint was written last, or could not be.
    checkpointed: u64,
    /// The segment that is being looked through.
    scrubbing: Option<Scrubbing>,
    /// The segment that was looked through last, or is now, and when that began.
    scrubbed: (u64, WallTime),
    /// A number by chance: with which segment that begins, and when.
    scrub_chance: u32,
    /// The last entry applied when there was maintenance last.
    maintained: u64,
    /// The time in which all segments are to be looked through.
    scrub_period: Duration,
    /// Segments whose files are missing or are something else, and which were not given up.
    spoilt: Vec<u64>,
    /// Damage found since it was asked for.
    damage: Vec<Damage>,
}

impl FileStore {
    fn view(&self) -> View<'_> {
        View::new(&self.log, &self.windows, &self.found)
    }

    /// The range of messages that cannot be read in which a sequence is.
    fn unreadable_at(&self, seq: u64) -> Option<Unreadable> {
        let of = |unreadable: &&Unreadable| unreadable.seqs.contains(&seq);
        let known = self.unreadable.iter().find(of).cloned();
        known.or_else(|| self.found.borrow().iter().find(of).cloned())
    }

    /// Brings what cannot be read in line with what there is.
    fn after_change(&mut self) {
        if !self.log.spoilt.get_mut().is_empty() {
            self.replace_spoilt_summaries();
        }
        let found = std::mem::take(self.found.get_mut());
        if found.is_empty() && self.unreadable.is_empty() {
            return;
        }
        for fresh in found {
            // What is known already is not told again.
            let (start, end) = (*fresh.seqs.start(), *fresh.seqs.end());
            let overlaps = |known: &&mut Unreadable| start <= *known.seqs.end() && *known.seqs.start() <= end;
            if let Some(known) = self.unreadable.iter_mut().find(overlaps) {
                known.seqs = start.min(*known.seqs.start())..=end.max(*known.seqs.end());
                continue;
            }
            if recover::alive(&self.index, &fresh.seqs) > 0 {
                self.damage.push(Damage { what: fresh.why.clone(), seqs: Some(fresh.seqs.clone()) });
                // The next start reads the segments, and knows.
                for number in self.log.numbers_within(&fresh.seqs) {
                    self.forget_summary(number);
                }
                self.unreadable.push(fresh);
            }
        }
        self.unreadable.sort_by_key(|unreadable| *unreadable.seqs.start());
        let index = &self.index;
        self.unreadable.retain_mut(|unreadable| {
            unreadable.messages = recover::alive(index, &unreadable.seqs);
            unreadable.messages > 0
        });
        self.index.set_unreadable(self.unreadable.iter().map(|unreadable| unreadable.messages).sum());
    }

    fn copy<'b>(&self, seq: u64, buffer: &'b mut Vec<u8>) -> Result<Option<Message<'b>>, ReadError> {
        if let Some(unreadable) = self.unreadable_at(seq) {
            return Err(ReadError::Unreadable(unreadable));
        }
        buffer.clear();
        let (view, mut shape) = (self.view(), None);
        view.message(seq, &mut |found| {
            let Message { time, subject, headers, payload, expires, .. } = found.message;
            buffer.reserve(subject.len() + headers.len() + payload.len());
            for part in [subject, headers, payload] {
                buffer.extend_from_slice(part);
            }
            shape = Some((time, subject.len(), headers.len(), expires));
        });
        let Some((time, subject, headers, expires)) = shape else {
            view.has_seen_all()?;
            return Err(self.unreadable_at(seq).map_or_else(|| self.absent(seq), ReadError::Unreadable));
        };
        let (subject, rest) = buffer.split_at(subject);
        let (headers, payload) = rest.split_at(headers);
        Ok(Some(Message { seq, time, subject, headers, payload, expires }))
    }

    /// A message should be there, and is not where it should be.
    fn absent(&self, seq: u64) -> ReadError {
        let position = self.log.segments.partition_point(|segment| segment.last_seq < seq);
        let segment = self.log.segments.get(position);
        let name = segment.map_or_else(|| "the log".to_owned(), segment::Segment::name);
        // What a reader passes over it does not check: something damaged may have looked like that.
        match segment.map(|segment| survey::examine(&self.log, segment, &mut self.found.borrow_mut())) {
            Some(Err(error)) if is_passing(&error) => return ReadError::NotNow(format!("{name}: {error}")),
            _ => {}
        }
        let unreadable = self.unreadable_at(seq).unwrap_or_else(|| {
            let unreadable = Unreadable { seqs: seq..=seq, messages: 1, why: format!("{name} has no such message") };
            self.found.borrow_mut().push(unreadable.clone());
            unreadable
        });
        ReadError::Unreadable(unreadable)
    }

    /// The first message within a segment that was taken in at `time` or later.
    fn first_since_in(&self, position: usize, time: WallTime) -> Option<u64> {
        use crate::index::Heads;
        let (segment, view) = (&self.log.segments[position], self.view());
        // Times grow with sequences, or nearly so: the points are halved until the last one before the time is found.
        let points = segment.seen.borrow().points.as_slice().to_vec();
        let is_before = |point: &segment::Point| {
            let mut is_before = false;
            view.message(point.seq, &mut |found| is_before = found.message.time < time);
            is_before
        };
        let point = points.partition_point(is_before).saturating_sub(1);
        let from = points.get(point)?.seq;
        let mut first = None;
        view.scan(from..=segment.last_seq, &mut |head| {
            first = (head.time >= time && self.index.is_there(head.seq)).then_some(head.seq);
            first.is_none()
        });
        first
    }
}

impl Store for FileStore {
    fn set_limits(&mut self, limits: Limits, observer: &mut dyn Observer) {
        let view = &mut View::new(&self.log, &self.windows, &self.found).but_for(&self.unreadable);
        self.index.set_limits(limits, view, observer);
        self.log.segment_bytes = Options::for_limits(limits, 0).segment_bytes;
        self.after_change();
    }

    fn set_compression(&mut self, on: bool) {
        self.log.packer.compresses = on;
    }

    fn append(&mut self, records: &[Record<'_>]) -> Result<u64, StoreError> {
        if self.slots.written == 0 {
            // Who finds a log and no checkpoint then knows that one is missing.
            self.write_checkpoint(&[])?;
        }
        self.log.append(records)
    }

    fn appended(&self) -> u64 {
        self.log.appended
    }

    fn sync_job(&mut self) -> Option<SyncJob> {
        self.log.sync_job()
    }

    fn synced(&mut self, through: u64, result: Result<(), std::io::Error>) -> Result<(), StoreError> {
        self.log.synced(through, result)
    }

    fn durable(&self) -> u64 {
        self.log.durable
    }

    fn apply(&mut self, through: u64, observer: &mut dyn Observer) {
        while self.applied < through.min(self.log.appended) {
            self.apply_entry(observer);
        }
        self.after_change();
    }

    fn applied(&self) -> u64 {
        self.applied
    }

    fn fenced(&self) -> Option<&StoreError> {
        self.log.fenced()
    }

    fn state(&self) -> State {
        self.index.state()
    }

    fn first_time(&self) -> Option<WallTime> {
        self.index.first_time(&self.view())
    }

    fn get<'b>(&self, seq: u64, buffer: &'b mut Vec<u8>) -> Result<Option<Message<'b>>, ReadError> {
        if self.index.is_there(seq) { self.copy(seq, buffer) } else { Ok(None) }
    }

    fn next<'b>(&self, filter: &Filter, from: u64, buffer: &'b mut Vec<u8>) -> Result<Option<Message<'b>>, ReadError> {
        let view = self.view();
        let next = self.index.next(filter, from, &view);
        view.has_seen_all()?;
        if !filter.is_any() {
            // What cannot be read may be meant: it is not passed over in silence.
            let to = next.unwrap_or(u64::MAX);
            let lies_before =
                |unreadable: &&Unreadable| *unreadable.seqs.end() >= from && *unreadable.seqs.start() < to;
            if let Some(unreadable) = self.unreadable.iter().find(lies_before) {
                return Err(ReadError::Unreadable(unreadable.clone()));
            }
            if let Some(unreadable) = self.found.borrow().iter().find(lies_before) {
                return Err(ReadError::Unreadable(unreadable.clone()));
            }
        }
        next.map_or(Ok(None), |seq| self.copy(seq, buffer))
    }

    fn last(&self, filter: &Filter, at_most: u64) -> Option<u64> {
        self.index.last(filter, at_most, &self.view())
    }

    fn first_since(&self, time: WallTime) -> u64 {
        let nanos = time.as_nanos();
        let is_late = |segment: &segment::Segment| segment.seen.borrow().times.is_some_and(|(_, last)| last >= nanos);
        let late = (0..self.log.segments.len()).filter(|position| is_late(&self.log.segments[*position]));
        let first = { late }.find_map(|position| self.first_since_in(position, time));
        first.unwrap_or(self.index.last_seq() + 1)
    }

    fn subject(&self, subject: &[u8]) -> Option<SubjectState> {
        self.index.subject(subject, &self.view())
    }

    fn for_each_subject(&self, pattern: &[u8], f: &mut dyn FnMut(&[u8], SubjectState) -> bool) {
        self.index.for_each_subject(pattern, &self.view(), f);
    }

    fn count(&self, filter: &Filter, from: u64, last_only: bool) -> u64 {
        self.index.count(filter, from, last_only, &self.view())
    }

    fn for_each_deleted(&self, f: &mut dyn FnMut(RangeInclusive<u64>) -> bool) {
        self.index.for_each_deleted(f);
    }

    fn unreadable(&self) -> &[Unreadable] {
        &self.unreadable
    }

    fn take_damage(&mut self) -> Vec<Damage> {
        if !self.found.get_mut().is_empty() || !self.log.spoilt.get_mut().is_empty() {
            self.after_change();
        }
        std::mem::take(&mut self.damage)
    }

    fn next_expiry(&self) -> Option<WallTime> {
        self.index.expiries().next()
    }

    fn wants_checkpoint(&self) -> bool {
        let behind = self.bytes_behind();
        behind > 0 && behind >= self.slots.used()
    }

    fn checkpoint(&mut self, state: &[u8]) -> Result<(), StoreError> {
        self.write_checkpoint(state).map(|_| ())
    }

    fn used(&self) -> u64 {
        let bytes = |segment: &segment::Segment| {
            segment.allocated.max(u64::from(segment.end)) + u64::from(segment.summary.get())
        };
        self.log.segments.iter().map(bytes).sum::<u64>() + self.slots.used()
    }

    fn maintain(&mut self, now: WallTime) -> Result<bool, StoreError> {
        self.do_maintain(now)
    }

    fn maintenance_due(&self) -> Option<WallTime> {
        let is_over = self.log.fenced().is_some();
        // Memory that is of no use any more is given back, and each segment gets its summary.
        let has_work = self.maintained != self.applied || self.wants_any_summary();
        let at_once = has_work.then(WallTime::default);
        at_once.or_else(|| self.scrub_due()).filter(|_| !is_over)
    }

    fn close(&mut self, state: &[u8]) -> Result<(), StoreError> {
        self.do_close(state)
    }
}
