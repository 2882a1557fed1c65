//! A store in memory, with damage at will; and somebody who writes down what is sent.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use martlet_events::WallTime;
use martlet_store::{
    Discarded, Filter, Limits, MemoryStore, Message, Observer, ReadError, Record, State, Store, StoreError,
    SubjectState, SyncJob, Unreadable,
};

use crate::out::{Out, Outgoing};

/// A store in memory, of which some cannot be read.
#[derive(Debug)]
pub(super) struct Double {
    /// The subjects of the messages that are there.
    pub(super) messages: BTreeMap<u64, String>,
    pub(super) last_seq: u64,
    pub(super) damage: Vec<Unreadable>,
    /// Nothing can be read just now.
    pub(super) is_out: bool,
    store: MemoryStore,
}

/// Nothing that happens has to be told: stories tell it themselves.
struct Silence;

impl Observer for Silence {
    fn added(&mut self, _message: &Message<'_>, _size: u64) {}
    fn removed(&mut self, _message: &Discarded<'_>) {}
    fn noted(&mut self, _kind: u8, _bytes: &[u8]) {}
}

impl Double {
    pub(super) fn new() -> Self {
        Self { messages: BTreeMap::new(), last_seq: 0, damage: Vec::new(), is_out: false, store: MemoryStore::new(1) }
    }

    pub(super) fn put(&mut self, subject: &str, headers: &str, payload: &str, time: WallTime) -> u64 {
        self.last_seq += 1;
        self.messages.insert(self.last_seq, subject.to_owned());
        self.write(&Record::Message(Message {
            seq: self.last_seq,
            time,
            subject: subject.as_bytes(),
            headers: headers.as_bytes(),
            payload: payload.as_bytes(),
            expires: None,
        }));
        self.last_seq
    }

    pub(super) fn remove(&mut self, seq: u64) -> Option<String> {
        self.write(&Record::Remove { ranges: &[seq..=seq], erase: false });
        self.messages.remove(&seq)
    }

    fn write(&mut self, record: &Record<'_>) {
        let entry = self.store.append(std::slice::from_ref(record)).unwrap();
        self.store.apply(entry, &mut Silence);
    }

    fn damaged(&self, seqs: RangeInclusive<u64>) -> Result<(), ReadError> {
        if self.is_out {
            return Err(ReadError::NotNow("there are no more files".into()));
        }
        let hit = self.damage.iter().find(|range| range.seqs.start() <= seqs.end() && range.seqs.end() >= seqs.start());
        hit.map_or(Ok(()), |range| Err(ReadError::Unreadable(range.clone())))
    }
}

impl Store for Double {
    fn set_limits(&mut self, limits: Limits, observer: &mut dyn Observer) {
        self.store.set_limits(limits, observer);
    }
    fn append(&mut self, records: &[Record<'_>]) -> Result<u64, StoreError> {
        self.store.append(records)
    }
    fn appended(&self) -> u64 {
        self.store.appended()
    }
    fn sync_job(&mut self) -> Option<SyncJob> {
        self.store.sync_job()
    }
    fn synced(&mut self, through: u64, result: Result<(), std::io::Error>) -> Result<(), StoreError> {
        self.store.synced(through, result)
    }
    fn durable(&self) -> u64 {
        self.store.durable()
    }
    fn apply(&mut self, through: u64, observer: &mut dyn Observer) {
        self.store.apply(through, observer);
    }
    fn applied(&self) -> u64 {
        self.store.applied()
    }
    fn fenced(&self) -> Option<&StoreError> {
        self.store.fenced()
    }

    fn state(&self) -> State {
        self.store.state()
    }
    fn first_time(&self) -> Option<WallTime> {
        self.store.first_time()
    }
    fn get<'b>(&self, seq: u64, buffer: &'b mut Vec<u8>) -> Result<Option<Message<'b>>, ReadError> {
        self.damaged(seq..=seq)?;
        self.store.get(seq, buffer)
    }
    fn next<'b>(&self, filter: &Filter, from: u64, buffer: &'b mut Vec<u8>) -> Result<Option<Message<'b>>, ReadError> {
        let found = self.store.next(filter, from, buffer)?;
        self.damaged(from..=found.map_or(u64::MAX, |found| found.seq))?;
        Ok(found)
    }
    fn last(&self, filter: &Filter, at_most: u64) -> Option<u64> {
        self.store.last(filter, at_most)
    }
    fn first_since(&self, time: WallTime) -> u64 {
        self.store.first_since(time)
    }
    fn subject(&self, subject: &[u8]) -> Option<SubjectState> {
        self.store.subject(subject)
    }
    fn for_each_subject(&self, pattern: &[u8], f: &mut dyn FnMut(&[u8], SubjectState) -> bool) {
        self.store.for_each_subject(pattern, f);
    }
    fn count(&self, filter: &Filter, from: u64, last_only: bool) -> u64 {
        self.store.count(filter, from, last_only)
    }
    fn for_each_deleted(&self, f: &mut dyn FnMut(RangeInclusive<u64>) -> bool) {
        self.store.for_each_deleted(f);
    }
    fn unreadable(&self) -> &[Unreadable] {
        &self.damage
    }
    fn next_expiry(&self) -> Option<WallTime> {
        self.store.next_expiry()
    }

    fn checkpoint(&mut self, state: &[u8]) -> Result<(), StoreError> {
        self.store.checkpoint(state)
    }
    fn used(&self) -> u64 {
        self.store.used()
    }
    fn maintain(&mut self, now: WallTime) -> Result<bool, StoreError> {
        self.store.maintain(now)
    }
    fn close(&mut self, state: &[u8]) -> Result<(), StoreError> {
        self.store.close(state)
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
    fn is_listened_on(&mut self, subject: &[u8], _group: &[u8]) -> bool {
        self.is_wanted(subject)
    }
    fn random(&mut self) -> u64 {
        self.random += 1;
        self.random
    }
}
