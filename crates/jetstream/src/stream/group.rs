//! What was admitted together: the bytes, what is to be written, and what is to be said once it stands.
//!
//! A group becomes one entry of the log. Its buffers are used again.
//!
//! Invariant: ranges point into the group's own bytes, which only grow until it is cleared.

use std::hash::BuildHasher;
use std::ops::{Range, RangeInclusive};

use foldhash::fast::FixedState;
use hashbrown::HashTable;
use martlet_events::WallTime;
use martlet_store::{Message, Purge, Record};

use super::change::Change;

/// Bytes of a group.
pub(super) type Span = Range<u32>;

/// A record to write, by ranges.
#[derive(Debug, Clone)]
pub(super) enum Draft {
    /// A message.
    Message { seq: u64, time: WallTime, subject: Span, headers: Span, payload: Span, expires: Option<WallTime> },
    /// Sequences are passed over.
    Skip { through: u64 },
    /// Messages go: these places of `removals`.
    Remove { ranges: Range<usize>, erase: bool },
    /// Many messages go.
    Purge { filter: Option<Span>, before: u64, keep: u64 },
    /// What is due goes.
    Expire { now: WallTime, before: Option<WallTime> },
    /// A note.
    Note { kind: u8, bytes: Span },
}

/// What is said to a publisher once the group stands.
#[derive(Debug, Clone)]
pub(super) enum Answer {
    /// The message has this sequence.
    Kept(u64),
    /// It counted to this.
    Counted(u64, Span),
    /// It ended a batch of this name and size.
    Batch(u64, Span, u64),
    /// It was there already, as this sequence.
    Duplicate(u64),
    /// These bytes.
    Ready(Span),
}

/// What happens once the group stands.
#[derive(Debug, Clone)]
pub(super) enum Effect {
    /// A publisher is answered.
    Answer { reply: Span, answer: Answer },
    /// A message is published again: the record with this number, if its subject is selected.
    Republish { draft: usize, last_of_subject: u64 },
    /// A message of a fast batch stands: its sequences in the batch and the stream.
    Fast { reply: Span, id: Span, batch_seq: u64, seq: u64 },
    /// An origin is told what stands of what it delivered: its consumer's sequence and its own.
    Stands { reply: Span, delivered: u64, seq: u64 },
    /// A change that was asked for stands: this place of `changes`.
    Changed(usize),
}

/// What a subject has in a group.
#[derive(Debug, Clone)]
pub(super) struct Proposed {
    subject: Span,
    /// The last message.
    pub(super) last: u64,
    /// Messages that are added.
    pub(super) added: u64,
    /// The draft of the last message.
    draft: usize,
    /// Whether everything from before the group is gone.
    pub(super) rolled_up: bool,
}

/// A group.
#[derive(Debug, Default)]
pub(super) struct Group {
    pub(super) bytes: Vec<u8>,
    pub(super) drafts: Vec<Draft>,
    pub(super) removals: Vec<RangeInclusive<u64>>,
    /// Drafts that purge whatever matches.
    pub(super) purges: Vec<usize>,
    pub(super) effects: Vec<Effect>,
    /// What was asked for, and by whom.
    pub(super) changes: Vec<Change>,
    /// Number of its entry in the log, once it is appended; 0 before, and for a group that writes nothing.
    pub(super) number: u64,
    subjects: HashTable<Proposed>,
    hasher: FixedState,
    /// How many messages more there will be, as far as that matters for bounds.
    pub(super) messages: i64,
    /// How many bytes more there will be.
    pub(super) size: i64,
    /// Whether it takes what is due.
    pub(super) expires: bool,
    /// The last sequence and the last message id before this group, to go back to.
    pub(super) before: (u64, Vec<u8>),
}

impl Group {
    /// Whether nothing was admitted.
    pub(super) fn is_empty(&self) -> bool {
        self.drafts.is_empty() && self.effects.is_empty()
    }

    /// Whether nobody waits for it: it tells of consumers' progress and no more, which need not be durable.
    pub(super) fn is_lazy(&self) -> bool {
        let is_progress = |draft: &Draft| matches!(draft, Draft::Note { kind: super::note::PROGRESS, .. });
        self.effects.is_empty() && self.drafts.iter().all(is_progress)
    }

    /// Makes it empty and keeps its buffers.
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.drafts.clear();
        self.removals.clear();
        self.effects.clear();
        self.purges.clear();
        self.changes.clear();
        (self.number, self.expires) = (0, false);
        self.subjects.clear();
        (self.messages, self.size) = (0, 0);
    }

    /// Has somebody told of a change once the group stands.
    pub(super) fn change(&mut self, change: Change) {
        self.effects.push(Effect::Changed(self.changes.len()));
        self.changes.push(change);
    }

    /// Begins behind a sequence and a message id.
    pub(super) fn begin(&mut self, seq: u64, id: &[u8]) {
        self.before.0 = seq;
        self.before.1.clear();
        self.before.1.extend_from_slice(id);
    }

    /// Copies bytes into the group.
    pub(super) fn put(&mut self, bytes: &[u8]) -> Span {
        let start = place(self.bytes.len());
        self.bytes.extend_from_slice(bytes);
        start..place(self.bytes.len())
    }

    /// Has `write` add bytes to the group.
    pub(super) fn write(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> Span {
        let start = place(self.bytes.len());
        write(&mut self.bytes);
        start..place(self.bytes.len())
    }

    /// The bytes of a range.
    pub(super) fn get(&self, span: &Span) -> &[u8] {
        &self.bytes[span.start as usize..span.end as usize]
    }

    /// What a subject has in this group.
    pub(super) fn subject(&self, subject: &[u8]) -> Option<&Proposed> {
        self.subjects.find(self.hasher.hash_one(subject), |proposed| self.get(&proposed.subject) == subject)
    }

    /// The headers and the payload of the last message of a subject.
    pub(super) fn last_message(&self, proposed: &Proposed) -> Option<(&[u8], &[u8])> {
        match self.drafts.get(proposed.draft) {
            Some(Draft::Message { headers, payload, .. }) if proposed.last > 0 => {
                Some((self.get(headers), self.get(payload)))
            }
            _ => None,
        }
    }

    /// All subjects of this group.
    pub(super) fn subjects(&self) -> impl Iterator<Item = (&[u8], &Proposed)> {
        self.subjects.iter().map(|proposed| (self.get(&proposed.subject), proposed))
    }

    /// The message of the last draft is added to a subject.
    pub(super) fn add_to_subject(&mut self, subject: &Span, last: u64, rolls_up: bool) {
        let draft = self.drafts.len().saturating_sub(1);
        let Self { bytes, subjects, hasher, .. } = self;
        let text = |span: &Span| &bytes[span.start as usize..span.end as usize];
        let hash = hasher.hash_one(text(subject));
        if let Some(proposed) = subjects.find_mut(hash, |proposed| text(&proposed.subject) == text(subject)) {
            proposed.last = last;
            proposed.added = if rolls_up { 1 } else { proposed.added + 1 };
            proposed.draft = draft;
            proposed.rolled_up |= rolls_up;
        } else {
            let proposed = Proposed { subject: subject.clone(), last, added: 1, draft, rolled_up: rolls_up };
            subjects.insert_unique(hash, proposed, |proposed| hasher.hash_one(text(&proposed.subject)));
        }
    }

    /// A subject has nothing left.
    pub(super) fn clear_subject(&mut self, subject: &Span) {
        self.add_to_subject(subject, 0, true);
        let hash = self.hasher.hash_one(self.get(subject));
        let Self { bytes, subjects, .. } = self;
        let text = |span: &Span| &bytes[span.start as usize..span.end as usize];
        if let Some(proposed) = subjects.find_mut(hash, |proposed| text(&proposed.subject) == text(subject)) {
            proposed.added = 0;
        }
    }

    /// Messages of this group that a purge takes are no longer the last of their subjects.
    pub(super) fn purge_subjects(&mut self, filter: Option<&[u8]>, before: u64) {
        let Self { bytes, subjects, .. } = self;
        for proposed in subjects.iter_mut().filter(|proposed| proposed.last < before) {
            let subject = &bytes[proposed.subject.start as usize..proposed.subject.end as usize];
            if filter.is_none_or(|filter| martlet_subject::matches(filter, subject)) {
                (proposed.last, proposed.added, proposed.rolled_up) = (0, 0, true);
            }
        }
    }

    /// Whether a purge of this group takes a message that was there before it.
    pub(super) fn purges(&self, subject: &[u8], seq: u64) -> bool {
        self.purges.iter().any(|&draft| match &self.drafts[draft] {
            Draft::Purge { filter, before, keep: 0 } => {
                seq < *before
                    && filter.as_ref().is_none_or(|filter| martlet_subject::matches(self.get(filter), subject))
            }
            _ => false,
        })
    }

    /// Whether this group removes a message.
    pub(super) fn removes(&self, seq: u64) -> bool {
        self.removals.iter().any(|range| range.contains(&seq))
    }

    /// A record as the store takes it.
    pub(super) fn record(&self, draft: &Draft) -> Record<'_> {
        match draft {
            Draft::Message { seq, time, subject, headers, payload, expires } => Record::Message(Message {
                seq: *seq,
                time: *time,
                subject: self.get(subject),
                headers: self.get(headers),
                payload: self.get(payload),
                expires: *expires,
            }),
            Draft::Skip { through } => Record::Skip { through: *through },
            Draft::Remove { ranges, erase } => Record::Remove { ranges: &self.removals[ranges.clone()], erase: *erase },
            Draft::Purge { filter, before, keep } => Record::Purge(Purge {
                filter: filter.as_ref().map(|span| self.get(span)),
                before: *before,
                keep: *keep,
            }),
            Draft::Expire { now, before } => Record::Expire { now: *now, before: *before },
            Draft::Note { kind, bytes } => Record::Note { kind: *kind, bytes: self.get(bytes) },
        }
    }
}

fn place(len: usize) -> u32 {
    u32::try_from(len).expect("a group is cut long before 4 GiB")
}
