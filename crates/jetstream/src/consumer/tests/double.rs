//! A store that is a map, with damage at will; and somebody who writes down what is sent.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use martlet_events::WallTime;
use martlet_store::{
    Filter, Limits, Message, Observer, ReadError, Record, State, Store, StoreError, SubjectState, SyncJob, Unreadable,
};

use crate::out::{Out, Outgoing};

/// A message kept.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    pub(super) subject: String,
    headers: String,
    payload: String,
    time: WallTime,
}

/// Only what reading needs is here.
#[derive(Debug, Default)]
pub(super) struct Double {
    pub(super) messages: BTreeMap<u64, Kept>,
    pub(super) first_seq: u64,
    pub(super) last_seq: u64,
    pub(super) damage: Vec<Unreadable>,
}

impl Double {
    pub(super) fn put(&mut self, subject: &str, headers: &str, payload: &str, time: WallTime) -> u64 {
        self.last_seq += 1;
        let kept = Kept { subject: subject.into(), headers: headers.into(), payload: payload.into(), time };
        self.messages.insert(self.last_seq, kept);
        self.last_seq
    }

    fn damaged(&self, seqs: RangeInclusive<u64>) -> Result<(), ReadError> {
        let hit = self.damage.iter().find(|range| range.seqs.start() <= seqs.end() && range.seqs.end() >= seqs.start());
        hit.map_or(Ok(()), |range| Err(ReadError::Unreadable(range.clone())))
    }

    fn is_damaged(&self, seq: u64) -> bool {
        self.damaged(seq..=seq).is_err()
    }

    fn matching(&self, filter: &Filter, from: u64) -> impl DoubleEndedIterator<Item = (u64, &Kept)> {
        let messages = self.messages.range(from..).map(|(&seq, kept)| (seq, kept));
        messages.filter(move |(seq, kept)| !self.is_damaged(*seq) && filter.matches(kept.subject.as_bytes()))
    }

    fn write<'b>(seq: u64, kept: &Kept, buffer: &'b mut Vec<u8>) -> Message<'b> {
        buffer.clear();
        for part in [&kept.subject, &kept.headers, &kept.payload] {
            buffer.extend_from_slice(part.as_bytes());
        }
        let (subject, rest) = buffer.split_at(kept.subject.len());
        let (headers, payload) = rest.split_at(kept.headers.len());
        Message { seq, time: kept.time, subject, headers, payload, expires: None }
    }
}

impl Store for Double {
    fn set_limits(&mut self, _limits: Limits, _observer: &mut dyn Observer) {}
    fn append(&mut self, _records: &[Record<'_>]) -> Result<u64, StoreError> {
        Ok(0)
    }
    fn appended(&self) -> u64 {
        0
    }
    fn sync_job(&mut self) -> Option<SyncJob> {
        None
    }
    fn synced(&mut self, _through: u64, _result: Result<(), std::io::Error>) -> Result<(), StoreError> {
        Ok(())
    }
    fn durable(&self) -> u64 {
        0
    }
    fn apply(&mut self, _through: u64, _observer: &mut dyn Observer) {}
    fn applied(&self) -> u64 {
        0
    }
    fn fenced(&self) -> Option<&StoreError> {
        None
    }

    fn state(&self) -> State {
        State {
            messages: self.messages.len() as u64,
            first_seq: self.messages.keys().next().copied().unwrap_or(self.last_seq + 1).max(self.first_seq),
            last_seq: self.last_seq,
            ..State::default()
        }
    }
    fn get<'b>(&self, seq: u64, buffer: &'b mut Vec<u8>) -> Result<Option<Message<'b>>, ReadError> {
        self.damaged(seq..=seq)?;
        Ok(self.messages.get(&seq).map(|kept| Self::write(seq, kept, buffer)))
    }
    fn next<'b>(&self, filter: &Filter, from: u64, buffer: &'b mut Vec<u8>) -> Result<Option<Message<'b>>, ReadError> {
        let found = self.matching(filter, from).next();
        self.damaged(from..=found.map_or(u64::MAX, |found| found.0))?;
        Ok(found.map(|(seq, kept)| Self::write(seq, kept, buffer)))
    }
    fn last(&self, filter: &Filter, at_most: u64) -> Option<u64> {
        self.matching(filter, 0).map(|found| found.0).rfind(|&seq| seq <= at_most)
    }
    fn first_since(&self, time: WallTime) -> u64 {
        self.messages.iter().find(|(_, kept)| kept.time >= time).map_or(self.last_seq + 1, |found| *found.0)
    }
    fn subject(&self, subject: &[u8]) -> Option<SubjectState> {
        let filter = Filter::new([subject]);
        let (first, _) = self.matching(&filter, 0).next()?;
        let (last, _) = self.matching(&filter, 0).next_back()?;
        Some(SubjectState { first, last, messages: self.matching(&filter, 0).count() as u64 })
    }
    fn for_each_subject(&self, pattern: &[u8], f: &mut dyn FnMut(&[u8], SubjectState) -> bool) {
        let filter = Filter::new([pattern]);
        let mut subjects: Vec<&str> = self.matching(&filter, 0).map(|found| &*found.1.subject).collect();
        subjects.sort_unstable();
        subjects.dedup();
        for subject in subjects {
            if let Some(state) = self.subject(subject.as_bytes())
                && !f(subject.as_bytes(), state)
            {
                return;
            }
        }
    }
    fn count(&self, filter: &Filter, from: u64, _last_only: bool) -> u64 {
        self.matching(filter, from).count() as u64
    }
    fn for_each_deleted(&self, _f: &mut dyn FnMut(RangeInclusive<u64>) -> bool) {}
    fn unreadable(&self) -> &[Unreadable] {
        &self.damage
    }
    fn next_expiry(&self) -> Option<WallTime> {
        None
    }

    fn checkpoint(&mut self, _state: &[u8]) -> Result<(), StoreError> {
        Ok(())
    }
    fn used(&self) -> u64 {
        0
    }
    fn maintain(&mut self, _now: WallTime) -> Result<bool, StoreError> {
        Ok(false)
    }
    fn close(&mut self, _state: &[u8]) -> Result<(), StoreError> {
        Ok(())
    }
}

/// Writes down what is sent to those who listen.
#[derive(Debug, Default)]
pub(super) struct Recorder {
    /// Patterns that somebody listens to.
    pub(super) wanted: Vec<String>,
    pub(super) lines: Vec<String>,
    pub(super) random: u64,
}

impl Out for Recorder {
    fn publish(&mut self, message: &Outgoing<'_>) -> usize {
        if !self.is_wanted(message.subject) {
            return 0;
        }
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).replace("\r\n", "|");
        let mut line = text(message.subject);
        for (mark, part) in [
            (" as ", message.shown.unwrap_or_default()),
            (" reply ", message.reply),
            (" ", message.headers),
            (" ", message.payload),
        ] {
            if !part.is_empty() {
                line = line + mark + &text(part);
            }
        }
        self.lines.push(line);
        1
    }
    fn is_wanted(&mut self, subject: &[u8]) -> bool {
        self.wanted.iter().any(|pattern| martlet_subject::matches(pattern.as_bytes(), subject))
    }
    fn random(&mut self) -> u64 {
        self.random += 1;
        self.random
    }
}
