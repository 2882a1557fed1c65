//! The applied state that every store keeps: what there is, by sequence and by subject.
//!
//! | module | what lives there |
//! |---|---|
//! | `tree`, `walk`, `slab` | values by subject, in order, and those a pattern selects |
//! | `entry` | what is known of one subject |
//! | `deleted`, `stretch` | which sequences are no messages any more |
//! | `expiries` | when messages are due that have a time of their own |
//! | `apply` | what records and limits do to it |
//! | `query` | what is asked of it |
//!
//! Invariant: nothing is kept for each message but for those with a time of their own. What must be known of a message
//! that goes, its store is asked through [`Heads`].

mod apply;
mod deleted;
mod entry;
mod expiries;
mod query;
mod slab;
mod stretch;
#[cfg(test)]
mod tests;
mod tree;
mod walk;

use std::cell::Cell;
use std::ops::RangeInclusive;

use martlet_events::WallTime;

use crate::record::Message;
use crate::store::{Discarded, Limits, Observer, Removal, State, SubjectState};
pub use deleted::Deleted;
use entry::Entry;
pub(crate) use expiries::Expiries;
pub use tree::Tree;

/// What the index asks of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head<'a> {
    /// Its sequence.
    pub seq: u64,
    /// When it was taken in.
    pub time: WallTime,
    /// Its subject.
    pub subject: &'a [u8],
    /// Its bytes, as [`State::bytes`] counts them.
    pub size: u64,
    /// When it goes by itself.
    pub expires: Option<WallTime>,
    /// The message of its subject before it, if the store happens to know it.
    pub before: Option<u64>,
    /// The message of its subject behind it, if the store happens to know it.
    pub after: Option<u64>,
}

/// The messages themselves, as far as the index needs them. It knows which ones are there: a store may go on giving what
/// has been deleted, and passes over what cannot be read.
pub trait Heads {
    /// Tells `f` of a message; whether it could be read.
    fn head(&self, seq: u64, f: &mut dyn FnMut(&Head<'_>)) -> bool;
    /// Tells of the messages within `seqs`, in order, for as long as `f` says so.
    fn scan(&self, seqs: RangeInclusive<u64>, f: &mut dyn FnMut(&Head<'_>) -> bool);
    /// The same backwards.
    fn scan_back(&self, seqs: RangeInclusive<u64>, f: &mut dyn FnMut(&Head<'_>) -> bool);

    /// The first message within `seqs` with just this subject. Of the subject is known that its messages are within
    /// those of `known`.
    fn next_of(&self, subject: &[u8], known: &SubjectState, seqs: RangeInclusive<u64>) -> Option<u64> {
        let mut found = None;
        self.scan(*seqs.start()..=known.last.min(*seqs.end()), &mut |head| {
            found = (head.subject == subject).then_some(head.seq);
            found.is_none()
        });
        found
    }

    /// The last message within `seqs` with just this subject.
    fn last_of(&self, subject: &[u8], known: &SubjectState, seqs: RangeInclusive<u64>) -> Option<u64> {
        let mut found = None;
        self.scan_back(known.first.max(*seqs.start())..=*seqs.end(), &mut |head| {
            found = (head.subject == subject).then_some(head.seq);
            found.is_none()
        });
        found
    }

    /// Tells of the messages within `seqs` with just this subject, in order.
    fn each_of(&self, subject: &[u8], known: &SubjectState, seqs: RangeInclusive<u64>, f: &mut dyn FnMut(u64)) {
        let (mut from, to) = seqs.into_inner();
        while from <= to {
            let Some(seq) = self.next_of(subject, known, from..=to) else { return };
            f(seq);
            from = seq + 1;
        }
    }

    /// If it is known that a message cannot be read: the last of those from it on of which that is known.
    fn lost_through(&self, _seq: u64) -> Option<u64> {
        None
    }

    /// Whether something was passed over because it cannot be looked at now: what has been found since may be wrong, and can be found
    /// later.
    fn has_missed(&self) -> bool {
        false
    }

    /// A message is gone. With `erase`, its bytes are to be overwritten.
    fn forget(&mut self, seq: u64, erase: bool);
}

/// What there is.
#[derive(Debug, Default)]
pub struct Index {
    first_seq: u64,
    last_seq: u64,
    last_time: Option<WallTime>,
    messages: u64,
    bytes: u64,
    unreadable: u64,
    subjects: Tree<Cell<Entry>>,
    deleted: Deleted,
    expiries: Expiries,
    limits: Limits,
    /// No message below goes by its age: whoever looks for old ones starts here.
    young_from: u64,
    /// What is known of the message that came last, so that limits need not look it up again.
    recent: Option<Recent>,
    /// Messages that are gone, and could not be looked at just then: they still count for their subjects and in bytes.
    owed: Deleted,
    /// Whether messages have gone that could not be looked at: what subjects have may count them, and begin or end with one.
    has_lost: bool,
}

/// A message that has just come.
#[derive(Debug, Clone, Copy)]
struct Recent {
    /// What its subject has now.
    entry: Entry,
    /// Its bytes, if all that can be known of it when it goes is its subject and these.
    size: Option<u64>,
    /// Those of the only message that its subject had before.
    size_before: Option<u64>,
}

impl Index {
    /// Nothing yet. The first message gets the sequence `first_seq`; 0 leaves that open.
    // spec: JS-061
    pub fn new(first_seq: u64) -> Self {
        Self { first_seq, last_seq: first_seq.saturating_sub(1), ..Self::default() }
    }

    /// Starts from counters that were kept; subjects, deleted sequences and expiries are to be put in.
    pub fn restore(state: &State) -> Self {
        Self {
            first_seq: state.first_seq,
            last_seq: state.last_seq,
            last_time: state.last_time,
            messages: state.messages,
            bytes: state.bytes,
            unreadable: state.unreadable,
            ..Self::default()
        }
    }

    /// Puts in what a subject has, or has in a later part of the stream than what was put in before.
    pub(crate) fn restore_subject(&mut self, subject: &[u8], state: SubjectState) {
        let cell = self.subjects.entry(subject).get_mut();
        if cell.messages() == 0 { *cell = Entry::new(state) } else { cell.append(state) }
    }

    /// Tells of all subjects, in order, with numbers to be put in again by [`Self::restore_raw`].
    pub(crate) fn for_each_raw(&self, f: &mut dyn FnMut(&[u8], [u64; 3])) {
        self.subjects.for_each(b">", |subject, entry| {
            f(subject, entry.get().to_raw());
            true
        });
    }

    /// Puts in a subject with the numbers it had; gives how many messages that are. `None` if it is there already, or these cannot be
    /// the numbers of one.
    pub(crate) fn restore_raw(&mut self, subject: &[u8], raw: [u64; 3]) -> Option<u64> {
        let (entry, cell) = (Entry::from_raw(raw), self.subjects.entry(subject).get_mut());
        let SubjectState { first, last, messages } = entry.bounds();
        let is_right = cell.messages() == 0
            && first <= last
            && last <= self.last_seq
            && (1..=last - first + 1).contains(&messages);
        *cell = entry;
        is_right.then_some(messages)
    }

    /// Puts in sequences that are no messages.
    pub(crate) fn restore_deleted(&mut self, seqs: RangeInclusive<u64>) {
        self.deleted.insert(seqs);
    }

    /// Puts in a message that has a time of its own.
    pub(crate) fn restore_expiry(&mut self, at: WallTime, seq: u64) {
        self.expiries.push(at, seq);
    }

    /// How many messages cannot be read.
    pub(crate) fn set_unreadable(&mut self, messages: u64) {
        self.unreadable = messages;
    }

    /// The bounds in force.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The first sequence; see [`State::first_seq`].
    pub fn first_seq(&self) -> u64 {
        self.first_seq
    }

    /// The last sequence used.
    pub fn last_seq(&self) -> u64 {
        self.last_seq
    }

    /// Distinct subjects.
    pub fn subject_count(&self) -> u64 {
        self.subjects.len() as u64
    }

    /// Whether a message has this sequence.
    pub fn is_there(&self, seq: u64) -> bool {
        self.messages > 0 && (self.first_seq..=self.last_seq).contains(&seq) && !self.deleted.contains(seq)
    }

    /// Sequences that are no messages; those below the first are undefined.
    pub fn deleted(&self) -> &Deleted {
        &self.deleted
    }

    /// Messages that have a time of their own.
    pub(crate) fn expiries(&self) -> &Expiries {
        &self.expiries
    }

    /// A message comes. Gives the message of its subject before it, where that is known.
    pub fn add(&mut self, message: &Message<'_>, size: u64) -> Option<u64> {
        debug_assert!(message.seq > self.last_seq, "sequences grow");
        if self.messages == 0 {
            self.first_seq = message.seq;
        } else if message.seq > self.last_seq + 1 {
            self.deleted.insert(self.last_seq + 1..=message.seq - 1);
        }
        self.last_seq = message.seq;
        self.last_time = Some(message.time);
        self.messages += 1;
        self.bytes += size;
        if let Some(at) = message.expires {
            self.expiries.push(at, message.seq);
        }
        let size = message.expires.is_none().then_some(size);
        let entry = self.subjects.entry(message.subject).get_mut();
        let size_before = entry.size();
        let before = entry.add(message.seq);
        if let Some(size) = size {
            entry.set_size(message.seq, size);
        }
        self.recent = Some(Recent { entry: *entry, size, size_before });
        before
    }

    /// Messages come of which nothing can be read.
    pub fn lose(&mut self, seqs: RangeInclusive<u64>) {
        if seqs.is_empty() || *seqs.start() <= self.last_seq {
            return;
        }
        self.skip(*seqs.start() - 1);
        if self.messages == 0 {
            self.first_seq = *seqs.start();
        }
        let lost = seqs.end() - seqs.start() + 1;
        self.last_seq = *seqs.end();
        self.messages += lost;
        self.unreadable += lost;
    }

    /// Sequences up to `through` are used up.
    pub fn skip(&mut self, through: u64) {
        if through <= self.last_seq {
            return;
        }
        if self.messages == 0 {
            self.first_seq = through + 1;
        } else {
            self.deleted.insert(self.last_seq + 1..=through);
        }
        self.last_seq = through;
    }

    /// A message goes; whether it was there.
    pub fn remove<H: Heads + ?Sized>(
        &mut self,
        seq: u64,
        why: Removal,
        erase: bool,
        heads: &mut H,
        observer: &mut dyn Observer,
    ) -> bool {
        if !self.is_there(seq) {
            return false;
        }
        let mut expires = None;
        let readable = heads.head(seq, &mut |head| {
            let gone = Discarded { seq, subject: head.subject, size: head.size, why, is_last_of_subject: false };
            self.take(gone, (head.before, head.after), observer);
            expires = head.expires;
        });
        if !readable && heads.has_missed() {
            // What goes by a bound or its age goes later just as well.
            if matches!(why, Removal::Limit | Removal::Expired) {
                return false;
            }
            self.owed.insert(seq..=seq);
        }
        if !readable {
            self.lose_out(seq..=seq, why, observer);
        }
        self.after_removal(expires);
        heads.forget(seq, erase);
        true
    }

    /// Messages go of which it is known that they cannot be read, as many as `most`; how many there were.
    pub(crate) fn remove_lost(
        &mut self,
        seqs: RangeInclusive<u64>,
        most: u64,
        why: Removal,
        observer: &mut dyn Observer,
    ) -> u64 {
        let (mut from, through, mut gone) = (*seqs.start(), (*seqs.end()).min(self.last_seq), 0);
        while gone < most
            && let Some(first) = self.next_any(from).filter(|first| *first <= through)
        {
            let mut last = through.min(first.saturating_add(most - gone - 1));
            self.deleted.for_each(first..=last, |range| {
                last = *range.start() - 1;
                false
            });
            self.lose_out(first..=last, why, observer);
            (from, gone) = (last + 1, gone + (last - first + 1));
        }
        self.after_removal(None);
        gone
    }

    /// A message is gone that was to go at a time, if that is known: those that are due are others.
    fn after_removal(&mut self, expires: Option<WallTime>) {
        let (first, last, deleted) = (self.first_seq, self.last_seq, &self.deleted);
        self.expiries.removed(expires, |seq| (first..=last).contains(&seq) && !deleted.contains(seq));
    }

    /// Messages go that cannot be looked at; all of these sequences are messages.
    fn lose_out(&mut self, seqs: RangeInclusive<u64>, why: Removal, observer: &mut dyn Observer) {
        if !self.owed.contains(*seqs.start()) {
            self.unreadable = self.unreadable.saturating_sub(seqs.end() - seqs.start() + 1);
        }
        self.has_lost = true;
        self.take_out(seqs.clone());
        observer.lost(seqs, why);
    }

    /// A message goes; those of its subject beside it may be known.
    fn take(&mut self, mut gone: Discarded<'_>, beside: (Option<u64>, Option<u64>), observer: &mut dyn Observer) {
        gone.is_last_of_subject = self.discount(gone.subject, gone.seq, gone.size, beside);
        self.take_out(gone.seq..=gone.seq);
        observer.removed(&gone);
    }

    /// A message does not count any more for its subject, nor in bytes; whether it was the last of its subject.
    fn discount(&mut self, subject: &[u8], seq: u64, size: u64, beside: (Option<u64>, Option<u64>)) -> bool {
        let entry = self.subjects.get_mut(subject);
        let is_last = entry.is_some_and(|entry| entry.get_mut().remove(seq, beside));
        if is_last {
            self.subjects.remove(subject);
        }
        self.bytes -= size.min(self.bytes);
        is_last
    }

    /// Makes up for messages that could not be looked at when they went; whether none is left.
    pub(crate) fn settle<H: Heads + ?Sized>(&mut self, heads: &H) -> bool {
        let mut owed = Vec::new();
        std::mem::take(&mut self.owed).for_each(0..=u64::MAX, |range| {
            owed.push(range);
            true
        });
        for range in owed {
            for seq in range.clone() {
                heads.head(seq, &mut |head| {
                    self.discount(head.subject, seq, head.size, (head.before, head.after));
                });
                if heads.has_missed() {
                    self.owed.insert(seq..=*range.end());
                    break;
                }
            }
        }
        self.owed.is_empty()
    }

    /// Whether what subjects have may count messages that are gone.
    pub(crate) fn has_lost(&self) -> bool {
        self.has_lost
    }

    /// These sequences, all of them messages, are none any more.
    fn take_out(&mut self, seqs: RangeInclusive<u64>) {
        self.messages -= seqs.end() - seqs.start() + 1;
        if self.messages == 0 {
            self.first_seq = self.last_seq + 1;
            self.bytes = 0;
            self.deleted.clear();
            self.subjects.clear();
            self.owed.clear();
            self.has_lost = false;
        } else if *seqs.start() == self.first_seq {
            self.first_seq = self.deleted.next_absent(seqs.end() + 1);
            self.deleted.forget_below(self.first_seq);
        } else {
            self.deleted.insert(seqs);
        }
    }
}
