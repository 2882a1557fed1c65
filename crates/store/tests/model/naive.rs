//! What a store does, done in the plainest way: all messages in one list.

use std::ops::RangeInclusive;

use martlet_events::WallTime;
use martlet_store::{Filter, Limits, Message, Purge, Record, Removal, State, SubjectState};

/// A record that owns what it says.
#[derive(Debug, Clone)]
pub(crate) enum Fact {
    Message(Kept),
    Skip { through: u64 },
    Remove { ranges: Vec<RangeInclusive<u64>>, erase: bool },
    Purge { filter: Option<Vec<u8>>, before: u64, keep: u64 },
    Expire { now: WallTime, before: Option<WallTime> },
    Note { kind: u8, bytes: Vec<u8> },
}

impl Fact {
    pub(crate) fn as_record(&self) -> Record<'_> {
        match self {
            Self::Message(kept) => Record::Message(kept.as_message()),
            Self::Skip { through } => Record::Skip { through: *through },
            Self::Remove { ranges, erase } => Record::Remove { ranges, erase: *erase },
            Self::Purge { filter, before, keep } => {
                Record::Purge(Purge { filter: filter.as_deref(), before: *before, keep: *keep })
            }
            Self::Expire { now, before } => Record::Expire { now: *now, before: *before },
            Self::Note { kind, bytes } => Record::Note { kind: *kind, bytes },
        }
    }
}

/// A message that owns its parts.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    pub(crate) seq: u64,
    pub(crate) time: WallTime,
    pub(crate) subject: Vec<u8>,
    pub(crate) headers: Vec<u8>,
    pub(crate) payload: Vec<u8>,
    pub(crate) expires: Option<WallTime>,
}

impl Kept {
    pub(crate) fn as_message(&self) -> Message<'_> {
        Message {
            seq: self.seq,
            time: self.time,
            subject: &self.subject,
            headers: &self.headers,
            payload: &self.payload,
            expires: self.expires,
        }
    }
}

/// What an observer was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
    Added { seq: u64, size: u64 },
    Removed { seq: u64, subject: Vec<u8>, size: u64, why: Removal, is_last_of_subject: bool },
    Noted { kind: u8, bytes: Vec<u8> },
}

/// The naive store.
#[derive(Debug)]
pub(crate) struct Model {
    pub(crate) messages: Vec<Kept>,
    first_seq: u64,
    pub(crate) last_seq: u64,
    last_time: Option<WallTime>,
    limits: Limits,
    size: fn(&Message<'_>) -> u64,
    pub(crate) events: Vec<Event>,
}

impl Model {
    pub(crate) fn new(first_seq: u64, size: fn(&Message<'_>) -> u64) -> Self {
        Self {
            messages: Vec::new(),
            first_seq,
            last_seq: first_seq.saturating_sub(1),
            last_time: None,
            limits: Limits::default(),
            size,
            events: Vec::new(),
        }
    }

    pub(crate) fn set_limits(&mut self, limits: Limits) {
        let was = std::mem::replace(&mut self.limits, limits).max_msgs_per_subject;
        let max = limits.max_msgs_per_subject;
        if max > 0 && (was == 0 || max < was) {
            for seq in self.seqs(|_| true) {
                let subject = self.messages[self.position(seq)].subject.clone();
                if self.of(&subject) > max {
                    self.remove(seq, Removal::Limit);
                }
            }
        }
        self.enforce_totals();
    }

    pub(crate) fn apply(&mut self, fact: &Fact) {
        match fact {
            Fact::Message(message) => self.add(message),
            Fact::Skip { through } => {
                if *through > self.last_seq {
                    self.last_seq = *through;
                    self.settle();
                }
            }
            Fact::Remove { ranges, .. } => {
                for range in ranges {
                    for seq in self.seqs(|message| range.contains(&message.seq)) {
                        self.remove(seq, Removal::Removed);
                    }
                }
            }
            Fact::Purge { filter, before, keep } => {
                let filter = Filter::new(filter.as_deref());
                let seqs = self.seqs(|message| message.seq < *before && filter.matches(&message.subject));
                let left = seqs.len().saturating_sub(usize::try_from(*keep).expect("few are kept"));
                for seq in seqs.into_iter().take(left) {
                    self.remove(seq, Removal::Purged);
                }
                self.settle();
            }
            Fact::Expire { now, before } => self.expire(*now, *before),
            Fact::Note { kind, bytes } => self.events.push(Event::Noted { kind: *kind, bytes: bytes.clone() }),
        }
    }

    fn add(&mut self, message: &Kept) {
        self.last_seq = message.seq;
        self.last_time = Some(message.time);
        self.messages.push(message.clone());
        let size = (self.size)(&message.as_message());
        self.events.push(Event::Added { seq: message.seq, size });
        self.settle();
        let max = self.limits.max_msgs_per_subject;
        while max > 0 && self.of(&message.subject) > max {
            let first = self.seqs(|other| other.subject == message.subject)[0];
            self.remove(first, Removal::Limit);
        }
        self.enforce_totals();
    }

    fn enforce_totals(&mut self) {
        let Limits { max_msgs, max_bytes, discard_old, .. } = self.limits;
        while discard_old
            && !self.messages.is_empty()
            && (max_msgs > 0 && self.messages.len() as u64 > max_msgs || max_bytes > 0 && self.bytes() > max_bytes)
        {
            self.remove(self.messages[0].seq, Removal::Limit);
        }
    }

    fn expire(&mut self, now: WallTime, before: Option<WallTime>) {
        let never = WallTime::from_nanos(u64::MAX);
        let mut due: Vec<_> = self.messages.iter().filter_map(|m| Some((m.expires?, m.seq))).collect();
        due.retain(|(at, _)| *at <= now && *at < never);
        due.sort_unstable();
        for (_, seq) in due {
            self.remove(seq, Removal::Expired);
        }
        for seq in self.seqs(|m| m.expires != Some(never) && before.is_some_and(|before| m.time < before)) {
            self.remove(seq, Removal::Expired);
        }
    }

    fn remove(&mut self, seq: u64, why: Removal) {
        let message = self.messages.remove(self.position(seq));
        self.settle();
        let size = (self.size)(&message.as_message());
        let is_last_of_subject = self.of(&message.subject) == 0;
        self.events.push(Event::Removed { seq, subject: message.subject, size, why, is_last_of_subject });
    }

    /// The first sequence follows the messages.
    fn settle(&mut self) {
        self.first_seq = self.messages.first().map_or(self.last_seq + 1, |first| first.seq);
    }

    fn position(&self, seq: u64) -> usize {
        self.messages.iter().position(|message| message.seq == seq).expect("it is there")
    }

    fn seqs(&self, is_meant: impl Fn(&Kept) -> bool) -> Vec<u64> {
        self.messages.iter().filter(|message| is_meant(message)).map(|message| message.seq).collect()
    }

    fn of(&self, subject: &[u8]) -> u64 {
        self.messages.iter().filter(|message| message.subject == subject).count() as u64
    }

    fn bytes(&self) -> u64 {
        self.messages.iter().map(|message| (self.size)(&message.as_message())).sum()
    }

    pub(crate) fn first_time(&self) -> Option<WallTime> {
        self.messages.first().map(|first| first.time)
    }

    pub(crate) fn state(&self) -> State {
        State {
            messages: self.messages.len() as u64,
            bytes: self.bytes(),
            first_seq: self.first_seq,
            last_seq: self.last_seq,
            last_time: self.last_time,
            subjects: self.subjects(b">").len() as u64,
            deleted: self.deleted().into_iter().map(|range| range.end() - range.start() + 1).sum(),
            unreadable: 0,
        }
    }

    pub(crate) fn get(&self, seq: u64) -> Option<&Kept> {
        self.messages.iter().find(|message| message.seq == seq)
    }

    pub(crate) fn next(&self, filter: &Filter, from: u64) -> Option<&Kept> {
        self.messages.iter().find(|message| message.seq >= from && filter.matches(&message.subject))
    }

    pub(crate) fn last(&self, filter: &Filter, at_most: u64) -> Option<u64> {
        let is_meant = |message: &&Kept| message.seq <= at_most && filter.matches(&message.subject);
        self.messages.iter().rev().find(is_meant).map(|message| message.seq)
    }

    pub(crate) fn first_since(&self, time: WallTime) -> u64 {
        self.messages.iter().find(|message| message.time >= time).map_or(self.last_seq + 1, |message| message.seq)
    }

    pub(crate) fn subject(&self, subject: &[u8]) -> Option<SubjectState> {
        let seqs = self.seqs(|message| message.subject == subject);
        Some(SubjectState { first: *seqs.first()?, last: *seqs.last()?, messages: seqs.len() as u64 })
    }

    pub(crate) fn subjects(&self, pattern: &[u8]) -> Vec<(Vec<u8>, SubjectState)> {
        let mut subjects: Vec<_> = self.messages.iter().map(|message| message.subject.clone()).collect();
        subjects.sort_unstable();
        subjects.dedup();
        subjects.retain(|subject| martlet_subject::matches(pattern, subject));
        subjects
            .into_iter()
            .map(|subject| (subject.clone(), self.subject(&subject).expect("it has messages")))
            .collect()
    }

    pub(crate) fn count(&self, filter: &Filter, from: u64, last_only: bool) -> u64 {
        let is_last =
            |message: &Kept| !self.messages.iter().any(|m| m.seq > message.seq && m.subject == message.subject);
        let is_meant = |message: &&Kept| {
            message.seq >= from && filter.matches(&message.subject) && (!last_only || is_last(message))
        };
        self.messages.iter().filter(is_meant).count() as u64
    }

    pub(crate) fn deleted(&self) -> Vec<RangeInclusive<u64>> {
        let nexts = self.messages.iter().skip(1).map(|message| message.seq).chain([self.last_seq + 1]);
        let pairs = self.messages.iter().map(|message| message.seq).zip(nexts);
        pairs.filter(|(seq, next)| seq + 1 < *next).map(|(seq, next)| seq + 1..=next - 1).collect()
    }

    pub(crate) fn next_expiry(&self) -> Option<WallTime> {
        self.messages.iter().filter_map(|message| message.expires).filter(|at| at.as_nanos() < u64::MAX).min()
    }
}
