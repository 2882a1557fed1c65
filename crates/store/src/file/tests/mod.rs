//! Stories of stores in files, and what all of them need: an owner, a naive model, and a workload by chance.

#![allow(clippy::cast_possible_truncation, reason = "tests are small")]

mod basic;
mod crash;
mod damage;
mod failing;
mod golden;
mod keys;
mod lost;
mod passing;
mod space;
mod summaries;

use std::collections::BTreeMap;
use std::sync::Arc;

use martlet_events::WallTime;

use super::{FileStore, OpenError, Opened, Options};
use crate::disk::Disk;
use crate::record::{Message, Purge, Record};
use crate::seal::{Cipher, Encryption};
use crate::sim::SimDisk;
use crate::store::{Discarded, Filter, Limits, Observer, Store, StoreError};

pub(crate) const OPTIONS: Options<'static> = Options {
    salt: 0x5a17,
    segment_bytes: 4096,
    first_seq: 0,
    limits: Limits { max_msgs: 60, max_bytes: 0, max_msgs_per_subject: 12, discard_old: true },
    compresses: false,
    encryption: None,
    scrub_period: std::time::Duration::from_nanos(1),
};

/// A stream that is compressed.
pub(super) const S2: Options<'static> = Options { compresses: true, ..OPTIONS };

/// What streams are encrypted with.
pub(super) const KEY: Encryption<'static> =
    Encryption { key: b"the server's key", previous: None, cipher: Cipher::ChaCha20Poly1305, chance: [7; 32] };

/// A stream that is encrypted.
pub(crate) const SEALED: Options<'static> = Options { encryption: Some(KEY), ..OPTIONS };

/// One that is compressed and encrypted.
pub(crate) const BOTH: Options<'static> =
    Options { compresses: true, encryption: Some(Encryption { cipher: Cipher::Aes256Gcm, ..KEY }), ..OPTIONS };

/// Hears what happens.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Owner {
    pub notes: Vec<u8>,
    pub added: u64,
    pub removed: u64,
}

impl Observer for Owner {
    fn added(&mut self, _: &Message<'_>, _: u64) {
        self.added += 1;
    }
    fn removed(&mut self, _: &Discarded<'_>) {
        self.removed += 1;
    }
    fn noted(&mut self, _: u8, bytes: &[u8]) {
        self.notes.extend_from_slice(bytes);
    }
}

/// A message as a test holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Kept {
    pub time: u64,
    pub subject: Vec<u8>,
    pub headers: Vec<u8>,
    pub payload: Vec<u8>,
    pub expires: Option<u64>,
}

/// A fact as a test holds it.
#[derive(Debug, Clone)]
pub(crate) enum Deed {
    Message(u64, Kept),
    Skip(u64),
    Remove(Vec<std::ops::RangeInclusive<u64>>, bool),
    Purge(Vec<u8>, u64, u64),
    Expire(u64),
    Note(u8),
}

/// What a store should hold, done naively.
#[derive(Debug, Default, Clone)]
pub(crate) struct Model {
    pub messages: BTreeMap<u64, Kept>,
    pub last_seq: u64,
    pub notes: Vec<u8>,
}

impl Model {
    pub(super) fn apply(&mut self, deed: &Deed, limits: &Limits) {
        match deed {
            Deed::Message(seq, kept) => {
                self.last_seq = *seq;
                self.messages.insert(*seq, kept.clone());
                let of = |messages: &BTreeMap<u64, Kept>| -> Vec<u64> {
                    messages.iter().filter(|(_, other)| other.subject == kept.subject).map(|(seq, _)| *seq).collect()
                };
                let over = (of(&self.messages).len() as u64).saturating_sub(limits.max_msgs_per_subject);
                if limits.max_msgs_per_subject > 0 {
                    for seq in of(&self.messages).into_iter().take(over as usize) {
                        self.messages.remove(&seq);
                    }
                }
                while limits.max_msgs > 0 && self.messages.len() as u64 > limits.max_msgs {
                    self.messages.pop_first();
                }
            }
            Deed::Skip(through) => self.last_seq = *through,
            Deed::Remove(ranges, _) => {
                self.messages.retain(|seq, _| !ranges.iter().any(|range| range.contains(seq)));
            }
            Deed::Purge(filter, before, keep) => {
                let filter = Filter::new([&filter[..]]);
                let matching: Vec<u64> =
                    self.messages.iter().filter(|(_, m)| filter.matches(&m.subject)).map(|(seq, _)| *seq).collect();
                let beyond = matching.iter().filter(|seq| **seq >= *before).count();
                let left = (matching.len() - beyond).saturating_sub(*keep as usize);
                for seq in matching.into_iter().take(left) {
                    self.messages.remove(&seq);
                }
            }
            Deed::Expire(now) => self.messages.retain(|_, m| m.expires.is_none_or(|at| at > *now)),
            Deed::Note(byte) => self.notes.push(*byte),
        }
    }
}

/// A row of numbers that looks like chance and is the same every time.
#[derive(Debug, Clone)]
pub(crate) struct Chance(pub u64);

impl Chance {
    pub(crate) fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 20) % n
    }
}

/// A store, its owner, what the store should hold after each of its entries.
#[derive(Debug)]
pub(crate) struct Life {
    pub store: FileStore,
    pub owner: Owner,
    pub chance: Chance,
    pub clock: u64,
    pub last_seq: u64,
    /// After each entry, from the empty one on.
    pub models: Vec<Model>,
    pub limits: Limits,
}

/// Owns what a call of the store borrows.
pub(super) fn with_records<R>(deeds: &[Deed], f: impl FnOnce(&[Record<'_>]) -> R) -> R {
    let records: Vec<Record<'_>> = deeds
        .iter()
        .map(|deed| match deed {
            Deed::Message(seq, kept) => Record::Message(Message {
                seq: *seq,
                time: WallTime::from_nanos(kept.time),
                subject: &kept.subject,
                headers: &kept.headers,
                payload: &kept.payload,
                expires: kept.expires.map(WallTime::from_nanos),
            }),
            Deed::Skip(through) => Record::Skip { through: *through },
            Deed::Remove(ranges, erase) => Record::Remove { ranges, erase: *erase },
            Deed::Purge(filter, before, keep) => {
                Record::Purge(Purge { filter: Some(filter), before: *before, keep: *keep })
            }
            Deed::Expire(now) => Record::Expire { now: WallTime::from_nanos(*now), before: None },
            Deed::Note(byte) => Record::Note { kind: 1, bytes: std::slice::from_ref(byte) },
        })
        .collect();
    f(&records)
}

impl Life {
    pub(super) fn begin(disk: &SimDisk, options: Options, seed: u64) -> Self {
        Self::begin_on(Arc::new(disk.clone()), options, seed).expect("an empty disk")
    }

    pub(crate) fn begin_on(disk: Arc<dyn Disk>, options: Options, seed: u64) -> Result<Self, OpenError> {
        let mut owner = Owner::default();
        let Opened { store, state, damage, .. } = FileStore::open(disk, options, &mut owner)?;
        assert_eq!((state, damage), (None, vec![]));
        let chance = Chance(seed * 2 + 1);
        let models = vec![Model::default()];
        Ok(Self { store, owner, chance, clock: 1_000_000, last_seq: 0, models, limits: options.limits })
    }

    /// Comes back from a disk; `earlier` holds what should be there after each entry.
    pub(super) fn resume(disk: &SimDisk, options: Options, earlier: &[Model], seed: u64) -> (Self, Opened2) {
        Self::resume_on(Arc::new(disk.clone()), options, earlier, seed)
    }

    pub(crate) fn resume_on(disk: Arc<dyn Disk>, options: Options, earlier: &[Model], seed: u64) -> (Self, Opened2) {
        let mut owner = Owner::default();
        let Opened { store, state, damage, .. } =
            FileStore::open(disk, options, &mut owner).expect("a disk that works");
        let mut notes = state.unwrap_or_default();
        notes.append(&mut owner.notes);
        owner.notes = notes;
        let at = usize::try_from(store.appended()).expect("tests are small");
        let models = earlier[..=at.min(earlier.len() - 1)].to_vec();
        let last_seq = store.state().last_seq;
        let life = Self {
            store,
            owner,
            chance: Chance(seed * 2 + 1),
            clock: 900_000_000,
            last_seq,
            models,
            limits: options.limits,
        };
        (life, Opened2 { damage: damage.iter().map(ToString::to_string).collect() })
    }

    pub(crate) fn deeds(&mut self) -> Vec<Deed> {
        let count = 1 + self.chance.below(5) * self.chance.below(3);
        (0..count).map(|_| self.deed()).collect()
    }

    fn deed(&mut self) -> Deed {
        self.clock += self.chance.below(5000);
        let seq = |chance: &mut Chance, last: u64| (last + 1).saturating_sub(chance.below(50)).max(1);
        match self.chance.below(40) {
            0 => {
                self.last_seq += 1 + self.chance.below(4);
                Deed::Skip(self.last_seq)
            }
            1..=4 => {
                let first = seq(&mut self.chance, self.last_seq);
                let second = first + 3 + self.chance.below(5);
                let ranges = vec![first..=first + self.chance.below(2), second..=second];
                Deed::Remove(ranges, self.chance.below(2) == 0)
            }
            5 => Deed::Purge(
                [&b"s.1"[..], b"s.*", b"t.>"][self.chance.below(3) as usize].to_vec(),
                seq(&mut self.chance, self.last_seq),
                self.chance.below(3),
            ),
            6..=7 => Deed::Expire(self.clock),
            8..=10 => Deed::Note(self.chance.below(256) as u8),
            _ => self.message(),
        }
    }

    fn message(&mut self) -> Deed {
        self.last_seq += 1 + u64::from(self.chance.below(20) == 0) * 2;
        let subject = [format!("s.{}", self.chance.below(9)), format!("t.{}.x", self.chance.below(4))];
        let len = [3, 40, 128, 900][self.chance.below(4) as usize];
        let byte = self.chance.below(200) as u8;
        let kept = Kept {
            time: self.clock,
            subject: subject[self.chance.below(2) as usize].clone().into_bytes(),
            headers: if self.chance.below(4) == 0 { b"NATS/1.0\r\nA: b\r\n\r\n".to_vec() } else { Vec::new() },
            payload: vec![byte; len],
            expires: (self.chance.below(6) == 0).then(|| self.clock + 20_000),
        };
        Deed::Message(self.last_seq, kept)
    }

    /// Writes an entry, and notes what will follow from it.
    pub(crate) fn append(&mut self, deeds: &[Deed]) -> Result<u64, StoreError> {
        let index = with_records(deeds, |records| self.store.append(records))?;
        let mut model = self.models.last().expect("there is the empty one").clone();
        for deed in deeds {
            model.apply(deed, &self.limits);
        }
        self.models.push(model);
        assert_eq!(index + 1, self.models.len() as u64);
        Ok(index)
    }

    pub(crate) fn sync(&mut self) -> Result<(), StoreError> {
        let Some(job) = self.store.sync_job() else { return Ok(()) };
        self.store.synced(job.through, job.run())
    }

    pub(crate) fn apply(&mut self) {
        let durable = self.store.durable();
        self.store.apply(durable, &mut self.owner);
    }

    pub(crate) fn checkpoint(&mut self) -> Result<(), StoreError> {
        let notes = self.owner.notes.clone();
        self.store.checkpoint(&notes)
    }

    /// Does something by chance.
    pub(crate) fn step(&mut self) -> Result<(), StoreError> {
        match self.chance.below(12) {
            0..=5 => {
                let (deeds, last_seq) = (self.deeds(), self.last_seq);
                self.append(&deeds).map(|_| ()).inspect_err(|_| self.last_seq = last_seq)
            }
            6..=8 => {
                self.sync()?;
                self.apply();
                Ok(())
            }
            9 => self.checkpoint(),
            10 => self.store.maintain(WallTime::from_nanos(self.clock)).map(|_| ()),
            _ => self.sync(),
        }
    }

    /// Compares the store with a model, in all that can be asked of it.
    pub(crate) fn check(&self, model: &Model, context: &str) {
        let state = self.store.state();
        assert_eq!(state.messages, model.messages.len() as u64, "messages, {context}");
        assert_eq!(state.last_seq, model.last_seq, "last sequence, {context}");
        let first = model.messages.first_key_value().map_or(model.last_seq + 1, |(seq, _)| *seq);
        if model.last_seq > 0 {
            assert_eq!(state.first_seq, first, "first sequence, {context}");
        }
        let size = |m: &Kept| {
            30 + m.subject.len() + m.payload.len() + m.headers.len() + if m.headers.is_empty() { 0 } else { 4 }
        };
        assert_eq!(state.bytes, model.messages.values().map(|m| size(m) as u64).sum::<u64>(), "bytes, {context}");
        let mut buffer = Vec::new();
        for seq in 1..=model.last_seq {
            let message = self.store.get(seq, &mut buffer).unwrap_or_else(|error| panic!("{seq}: {error}, {context}"));
            assert_eq!(message.map(kept), model.messages.get(&seq).cloned(), "message {seq}, {context}");
        }
        let mut subjects: BTreeMap<&[u8], (u64, u64, u64)> = BTreeMap::new();
        for (seq, message) in &model.messages {
            let entry = subjects.entry(&message.subject).or_insert((*seq, *seq, 0));
            *entry = (entry.0, *seq, entry.2 + 1);
        }
        assert_eq!(state.subjects, subjects.len() as u64, "subjects, {context}");
        self.store.for_each_subject(b">", &mut |subject, state| {
            assert_eq!(subjects.get(subject), Some(&(state.first, state.last, state.messages)), "{context}");
            true
        });
        self.check_walk(model, context);
        assert_eq!(self.owner.notes, model.notes, "notes, {context}");
    }

    fn check_walk(&self, model: &Model, context: &str) {
        let mut buffer = Vec::new();
        for filter in [Filter::default(), Filter::new([&b"s.3"[..]]), Filter::new([&b"t.*.x"[..]])] {
            let (mut from, mut seen) = (0, Vec::new());
            while let Some(message) = self.store.next(&filter, from, &mut buffer).expect(context) {
                from = message.seq + 1;
                seen.push(message.seq);
            }
            let wanted: Vec<u64> =
                model.messages.iter().filter(|(_, m)| filter.matches(&m.subject)).map(|(seq, _)| *seq).collect();
            assert_eq!(seen, wanted, "{filter:?}, {context}");
            assert_eq!(self.store.last(&filter, u64::MAX), wanted.last().copied(), "{filter:?}, {context}");
            assert_eq!(self.store.count(&filter, 0, false), wanted.len() as u64, "{filter:?}, {context}");
        }
    }
}

/// What opening had to say.
#[derive(Debug)]
pub(crate) struct Opened2 {
    pub damage: Vec<String>,
}

pub(super) fn kept(message: Message<'_>) -> Kept {
    Kept {
        time: message.time.as_nanos(),
        subject: message.subject.to_vec(),
        headers: message.headers.to_vec(),
        payload: message.payload.to_vec(),
        expires: message.expires.map(WallTime::as_nanos),
    }
}
