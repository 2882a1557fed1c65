//! A store that is as simple as can be, may be full or fail, and forgets what was not synced when the power goes.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex};

use martlet_events::WallTime;
use martlet_store::{
    Discarded, Filter, Limits, Message, NEVER, Observer, Purge, ReadError, Record, Removal, State, Store, StoreError,
    SubjectState, SyncJob, Unreadable,
};

/// A record of its own.
#[derive(Debug, Clone)]
pub(super) enum Fact {
    Message(u64, Kept),
    Skip(u64),
    Remove(Vec<RangeInclusive<u64>>),
    Purge(Option<Vec<u8>>, u64, u64),
    Expire(WallTime, Option<WallTime>),
    Note(u8, Vec<u8>),
}

#[derive(Debug, Clone)]
pub(super) struct Kept {
    pub(super) time: WallTime,
    pub(super) subject: Vec<u8>,
    pub(super) headers: Vec<u8>,
    pub(super) payload: Vec<u8>,
    pub(super) expires: Option<WallTime>,
}

/// What outlives a store: its log.
#[derive(Debug, Default)]
pub(super) struct Disk {
    pub(super) entries: Vec<Vec<Fact>>,
    pub(super) durable: u64,
    pub(super) limits: Limits,
    /// The next entry finds no room.
    pub(super) is_full: bool,
    /// Whether entries need a sync.
    pub(super) has_to_sync: bool,
    /// Nothing can be read just now.
    pub(super) is_out: bool,
}

pub(super) type Shared = Arc<Mutex<Disk>>;

#[derive(Debug)]
pub(super) struct Naive {
    disk: Shared,
    messages: BTreeMap<u64, Kept>,
    first_seq: u64,
    last_seq: u64,
    last_time: Option<WallTime>,
    limits: Limits,
    appended: u64,
    applied: u64,
    fenced: Option<StoreError>,
}

impl Naive {
    fn is_readable(&self) -> Result<(), ReadError> {
        let is_out = self.disk.lock().unwrap().is_out;
        if is_out { Err(ReadError::NotNow("there are no more files".into())) } else { Ok(()) }
    }

    pub(super) fn new(disk: Shared) -> Self {
        Self {
            disk,
            messages: BTreeMap::new(),
            first_seq: 1,
            last_seq: 0,
            last_time: None,
            limits: Limits::default(),
            appended: 0,
            applied: 0,
            fenced: None,
        }
    }

    /// Opens what was durable, as after a power cut.
    pub(super) fn open(disk: &Shared, observer: &mut dyn Observer) -> Self {
        let mut store = Self::new(Arc::clone(disk));
        let durable = {
            let mut disk = disk.lock().unwrap();
            let durable = disk.durable;
            disk.entries.truncate(usize::try_from(durable).unwrap());
            store.limits = disk.limits;
            durable
        };
        store.appended = durable;
        store.apply(durable, observer);
        store
    }

    fn size(kept: &Kept) -> u64 {
        let headers = if kept.headers.is_empty() { 0 } else { 4 };
        30 + headers + (kept.subject.len() + kept.headers.len() + kept.payload.len()) as u64
    }

    fn remove(&mut self, seq: u64, why: Removal, observer: &mut dyn Observer) {
        let Some(kept) = self.messages.remove(&seq) else { return };
        let is_last_of_subject = !self.messages.values().any(|other| other.subject == kept.subject);
        let size = Self::size(&kept);
        observer.removed(&Discarded { seq, subject: &kept.subject, size, why, is_last_of_subject });
        self.first_seq = self.messages.keys().next().copied().unwrap_or(self.last_seq + 1);
    }

    fn keep_limits(&mut self, observer: &mut dyn Observer) {
        let limits = self.limits;
        if limits.max_msgs_per_subject > 0 {
            let mut of: BTreeMap<Vec<u8>, Vec<u64>> = BTreeMap::new();
            for (seq, kept) in &self.messages {
                of.entry(kept.subject.clone()).or_default().push(*seq);
            }
            for seqs in of.values() {
                let over = seqs.len().saturating_sub(usize::try_from(limits.max_msgs_per_subject).unwrap());
                for seq in &seqs[..over] {
                    self.remove(*seq, Removal::Limit, observer);
                }
            }
        }
        while limits.max_msgs > 0 && self.messages.len() as u64 > limits.max_msgs
            || limits.max_bytes > 0 && self.state().bytes > limits.max_bytes
        {
            self.remove(self.first_seq, Removal::Limit, observer);
        }
    }

    fn fact(&mut self, fact: &Fact, observer: &mut dyn Observer) {
        match fact {
            Fact::Message(seq, kept) => {
                assert!(*seq > self.last_seq, "sequences grow");
                self.messages.insert(*seq, kept.clone());
                (self.last_seq, self.last_time) = (*seq, Some(kept.time));
                self.first_seq = *self.messages.keys().next().unwrap();
                observer.added(&view(*seq, kept), Self::size(kept));
            }
            Fact::Skip(through) => {
                self.last_seq = *through;
                if self.messages.is_empty() {
                    self.first_seq = through + 1;
                }
            }
            Fact::Remove(ranges) => {
                for seq in ranges.iter().cloned().flatten() {
                    self.remove(seq, Removal::Removed, observer);
                }
            }
            Fact::Purge(filter, before, keep) => {
                let matches = |kept: &Kept| filter.as_ref().is_none_or(|f| martlet_subject::matches(f, &kept.subject));
                let mut seqs: Vec<u64> = self
                    .messages
                    .iter()
                    .filter(|(seq, kept)| *seq < before && matches(kept))
                    .map(|(seq, _)| *seq)
                    .collect();
                seqs.truncate(seqs.len().saturating_sub(usize::try_from(*keep).unwrap()));
                for seq in seqs {
                    self.remove(seq, Removal::Purged, observer);
                }
            }
            Fact::Expire(now, before) => {
                let is_due = |kept: &Kept| {
                    let is_old = before.is_some_and(|before| kept.time < before);
                    kept.expires.is_some_and(|expires| expires <= *now) || is_old && kept.expires != Some(NEVER)
                };
                let seqs: Vec<u64> =
                    self.messages.iter().filter(|(_, kept)| is_due(kept)).map(|(seq, _)| *seq).collect();
                for seq in seqs {
                    self.remove(seq, Removal::Expired, observer);
                }
            }
            Fact::Note(kind, bytes) => observer.noted(*kind, bytes),
        }
    }
}

fn view(seq: u64, kept: &Kept) -> Message<'_> {
    Message {
        seq,
        time: kept.time,
        subject: &kept.subject,
        headers: &kept.headers,
        payload: &kept.payload,
        expires: kept.expires,
    }
}

fn into_buffer<'b>(seq: u64, kept: &Kept, buffer: &'b mut Vec<u8>) -> Message<'b> {
    buffer.clear();
    for part in [&kept.subject, &kept.headers, &kept.payload] {
        buffer.extend_from_slice(part);
    }
    let (subject, rest) = buffer.split_at(kept.subject.len());
    let (headers, payload) = rest.split_at(kept.headers.len());
    Message { seq, time: kept.time, subject, headers, payload, expires: kept.expires }
}

impl Store for Naive {
    fn set_limits(&mut self, limits: Limits, observer: &mut dyn Observer) {
        self.limits = limits;
        self.disk.lock().unwrap().limits = limits;
        self.keep_limits(observer);
    }

    fn append(&mut self, records: &[Record<'_>]) -> Result<u64, StoreError> {
        if let Some(fenced) = &self.fenced {
            return Err(fenced.clone());
        }
        let mut disk = self.disk.lock().unwrap();
        if disk.is_full {
            return Err(StoreError::Full { what: "the log".into() });
        }
        let facts = records.iter().map(|record| match record {
            Record::Message(m) => {
                let (subject, headers, payload) = (m.subject.to_vec(), m.headers.to_vec(), m.payload.to_vec());
                Fact::Message(m.seq, Kept { time: m.time, subject, headers, payload, expires: m.expires })
            }
            Record::Skip { through } => Fact::Skip(*through),
            Record::Remove { ranges, .. } => Fact::Remove(ranges.to_vec()),
            Record::Purge(Purge { filter, before, keep }) => Fact::Purge(filter.map(<[u8]>::to_vec), *before, *keep),
            Record::Expire { now, before } => Fact::Expire(*now, *before),
            Record::Note { kind, bytes } => Fact::Note(*kind, bytes.to_vec()),
        });
        let facts = facts.collect();
        disk.entries.push(facts);
        self.appended += 1;
        if !disk.has_to_sync {
            disk.durable = self.appended;
        }
        Ok(self.appended)
    }

    fn appended(&self) -> u64 {
        self.appended
    }

    fn sync_job(&mut self) -> Option<SyncJob> {
        let is_due = self.durable() < self.appended;
        is_due.then(|| SyncJob { through: self.appended, files: Vec::new(), names: None })
    }

    fn synced(&mut self, through: u64, result: Result<(), std::io::Error>) -> Result<(), StoreError> {
        if let Err(error) = result {
            let error = StoreError::Failed { what: "syncing the log".into(), error: error.to_string() };
            self.fenced = Some(error.clone());
            return Err(error);
        }
        self.disk.lock().unwrap().durable = through;
        Ok(())
    }

    fn durable(&self) -> u64 {
        self.disk.lock().unwrap().durable
    }

    fn apply(&mut self, through: u64, observer: &mut dyn Observer) {
        while self.applied < through {
            let facts = self.disk.lock().unwrap().entries[usize::try_from(self.applied).unwrap()].clone();
            self.applied += 1;
            for fact in &facts {
                self.fact(fact, observer);
                self.keep_limits(observer);
            }
        }
    }

    fn applied(&self) -> u64 {
        self.applied
    }

    fn fenced(&self) -> Option<&StoreError> {
        self.fenced.as_ref()
    }

    fn first_time(&self) -> Option<WallTime> {
        self.messages.values().next().map(|kept| kept.time)
    }

    fn state(&self) -> State {
        let messages = self.messages.len() as u64;
        let subjects: std::collections::BTreeSet<_> = self.messages.values().map(|kept| &kept.subject).collect();
        State {
            messages,
            bytes: self.messages.values().map(Self::size).sum(),
            first_seq: self.first_seq,
            last_seq: self.last_seq,
            last_time: self.last_time,
            subjects: subjects.len() as u64,
            deleted: (self.last_seq + 1).saturating_sub(self.first_seq) - messages,
            unreadable: 0,
        }
    }

    fn get<'b>(&self, seq: u64, buffer: &'b mut Vec<u8>) -> Result<Option<Message<'b>>, ReadError> {
        self.is_readable()?;
        Ok(self.messages.get(&seq).map(|kept| into_buffer(seq, kept, buffer)))
    }

    fn next<'b>(&self, filter: &Filter, from: u64, buffer: &'b mut Vec<u8>) -> Result<Option<Message<'b>>, ReadError> {
        self.is_readable()?;
        let found = self.messages.range(from..).find(|(_, kept)| filter.matches(&kept.subject));
        Ok(found.map(|(seq, kept)| into_buffer(*seq, kept, buffer)))
    }

    fn last(&self, filter: &Filter, at_most: u64) -> Option<u64> {
        self.messages.range(..=at_most).rev().find(|(_, kept)| filter.matches(&kept.subject)).map(|(seq, _)| *seq)
    }

    fn first_since(&self, time: WallTime) -> u64 {
        self.messages.iter().find(|(_, kept)| kept.time >= time).map_or(self.last_seq + 1, |(seq, _)| *seq)
    }

    fn subject(&self, subject: &[u8]) -> Option<SubjectState> {
        let seqs: Vec<u64> =
            self.messages.iter().filter(|(_, kept)| kept.subject == subject).map(|(seq, _)| *seq).collect();
        Some(SubjectState { first: *seqs.first()?, last: *seqs.last()?, messages: seqs.len() as u64 })
    }

    fn for_each_subject(&self, pattern: &[u8], f: &mut dyn FnMut(&[u8], SubjectState) -> bool) {
        let subjects: std::collections::BTreeSet<_> = self.messages.values().map(|kept| &kept.subject).collect();
        for subject in subjects.into_iter().filter(|subject| martlet_subject::matches(pattern, subject)) {
            if !f(subject, self.subject(subject).unwrap()) {
                return;
            }
        }
    }

    fn count(&self, filter: &Filter, from: u64, last_only: bool) -> u64 {
        let is_last = |seq: u64, kept: &Kept| self.subject(&kept.subject).is_some_and(|state| state.last == seq);
        let of = self.messages.range(from..).filter(|(_, kept)| filter.matches(&kept.subject));
        of.filter(|(seq, kept)| !last_only || is_last(**seq, kept)).count() as u64
    }

    fn for_each_deleted(&self, f: &mut dyn FnMut(RangeInclusive<u64>) -> bool) {
        for seq in (self.first_seq..=self.last_seq).filter(|seq| !self.messages.contains_key(seq)) {
            if !f(seq..=seq) {
                return;
            }
        }
    }

    fn unreadable(&self) -> &[Unreadable] {
        &[]
    }

    fn next_expiry(&self) -> Option<WallTime> {
        self.messages.values().filter_map(|kept| kept.expires).min()
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
