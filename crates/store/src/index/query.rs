//! What is asked of the index.
//!
//! Two ways lead to a message whose subject matches a pattern: along the messages, or along the subjects. Which one is
//! shorter cannot be known, so that both are tried for a little while; then the first, for as long as the second would
//! take.

use std::cell::Cell;
use std::ops::RangeInclusive;

use super::{Entry, Heads, Index};
use martlet_events::WallTime;

use crate::store::{Filter, State, SubjectState};

/// How many messages are looked at before subjects are.
const FEW_MESSAGES: u64 = 64;
/// How many nodes of the subjects' tree are looked at before more messages are.
const FEW_NODES: usize = 256;

/// How many messages of a subject are looked for one by one before all are.
const FEW_STEPS: usize = 16;

/// More would have to be looked at than was asked for.
struct Tired;

impl Index {
    /// What there is.
    // spec: JS-059 JS-061
    pub fn state(&self) -> State {
        State {
            messages: self.messages,
            bytes: self.bytes,
            first_seq: self.first_seq,
            last_seq: self.last_seq,
            last_time: self.last_time,
            subjects: self.subject_count(),
            deleted: if self.messages == 0 { 0 } else { self.last_seq + 1 - self.first_seq - self.messages },
            unreadable: self.unreadable,
        }
    }

    /// When the first message was taken in.
    pub fn first_time<H: Heads + ?Sized>(&self, heads: &H) -> Option<WallTime> {
        let mut time = None;
        if self.messages > 0 {
            heads.head(self.first_seq, &mut |head| time = Some(head.time));
        }
        time
    }

    /// What one subject has.
    pub fn subject<H: Heads + ?Sized>(&self, subject: &[u8], heads: &H) -> Option<SubjectState> {
        self.subjects.get(subject).map(|entry| self.exact(subject, entry, heads))
    }

    /// Subjects that match `pattern`, in order, for as long as `f` says so.
    pub fn for_each_subject<H: Heads + ?Sized>(
        &self,
        pattern: &[u8],
        heads: &H,
        f: &mut dyn FnMut(&[u8], SubjectState) -> bool,
    ) {
        self.subjects.for_each(pattern, |subject, entry| f(subject, self.exact(subject, entry, heads)));
    }

    /// Sequences between the first and the last that are no messages, in order, for as long as `f` says so.
    pub fn for_each_deleted(&self, f: &mut dyn FnMut(RangeInclusive<u64>) -> bool) {
        if self.messages > 0 {
            self.deleted.for_each(self.first_seq..=self.last_seq, f);
        }
    }

    /// The first message from `from` on whose subject is meant.
    pub fn next<H: Heads + ?Sized>(&self, filter: &Filter, from: u64, heads: &H) -> Option<u64> {
        let from = self.next_any(from)?;
        if filter.is_any() {
            return Some(from);
        }
        if let Some(subject) = filter.literal() {
            let entry = self.subjects.get(subject)?;
            return self.next_in(subject, entry, from..=self.last_seq, heads);
        }
        let near = from.saturating_add(FEW_MESSAGES).min(self.last_seq);
        let found = self.next_along(filter, from..=near, heads);
        if found.is_some() || near == self.last_seq {
            return found;
        }
        if let Ok(found) = self.next_by_subject(filter, near + 1, FEW_NODES, heads) {
            return found;
        }
        let far = near.saturating_add(self.subject_count()).min(self.last_seq);
        let found = self.next_along(filter, near + 1..=far, heads);
        if found.is_some() || far == self.last_seq {
            return found;
        }
        self.next_by_subject(filter, far + 1, usize::MAX, heads).unwrap_or_default()
    }

    fn next_along<H: Heads + ?Sized>(&self, filter: &Filter, seqs: RangeInclusive<u64>, heads: &H) -> Option<u64> {
        let mut found = None;
        heads.scan(seqs, &mut |head| {
            found = (self.is_there(head.seq) && filter.matches(head.subject)).then_some(head.seq);
            found.is_none()
        });
        found
    }

    fn next_by_subject<H: Heads + ?Sized>(
        &self,
        filter: &Filter,
        from: u64,
        steps: usize,
        heads: &H,
    ) -> Result<Option<u64>, Tired> {
        let mut best = self.last_seq + 1;
        let all = self.for_each_matching(filter, steps, &mut |subject, entry| {
            best = self.next_in(subject, entry, from..=best - 1, heads).unwrap_or(best);
            best > from
        });
        if all || best == from { Ok(Some(best).filter(|best| *best <= self.last_seq)) } else { Err(Tired) }
    }

    /// The first message from `from` on.
    pub(super) fn next_any(&self, from: u64) -> Option<u64> {
        if self.messages == 0 || from > self.last_seq {
            return None;
        }
        let next = self.deleted.next_absent(from.max(self.first_seq));
        (next <= self.last_seq).then_some(next)
    }

    /// The last message up to `at_most` whose subject is meant.
    pub fn last<H: Heads + ?Sized>(&self, filter: &Filter, at_most: u64, heads: &H) -> Option<u64> {
        let to = self.last_any(at_most)?;
        if filter.is_any() {
            return Some(to);
        }
        if let Some(subject) = filter.literal() {
            return self.last_in(subject, self.subjects.get(subject)?, self.first_seq..=to, heads);
        }
        let near = to.saturating_sub(FEW_MESSAGES).max(self.first_seq);
        let found = self.last_along(filter, near..=to, heads);
        if found.is_some() || near == self.first_seq {
            return found;
        }
        if let Ok(found) = self.last_by_subject(filter, near - 1, FEW_NODES, heads) {
            return found;
        }
        let far = near.saturating_sub(self.subject_count()).max(self.first_seq);
        let found = self.last_along(filter, far..=near - 1, heads);
        if found.is_some() || far == self.first_seq {
            return found;
        }
        self.last_by_subject(filter, far - 1, usize::MAX, heads).unwrap_or_default()
    }

    fn last_along<H: Heads + ?Sized>(&self, filter: &Filter, seqs: RangeInclusive<u64>, heads: &H) -> Option<u64> {
        let mut found = None;
        heads.scan_back(seqs, &mut |head| {
            found = (self.is_there(head.seq) && filter.matches(head.subject)).then_some(head.seq);
            found.is_none()
        });
        found
    }

    fn last_by_subject<H: Heads + ?Sized>(
        &self,
        filter: &Filter,
        to: u64,
        steps: usize,
        heads: &H,
    ) -> Result<Option<u64>, Tired> {
        let mut best = self.first_seq - 1;
        let all = self.for_each_matching(filter, steps, &mut |subject, entry| {
            best = self.last_in(subject, entry, best + 1..=to, heads).unwrap_or(best);
            best < to
        });
        if all || best == to { Ok(Some(best).filter(|best| *best >= self.first_seq)) } else { Err(Tired) }
    }

    fn last_any(&self, at_most: u64) -> Option<u64> {
        if self.messages == 0 {
            return None;
        }
        self.deleted.last_absent(at_most.min(self.last_seq)).filter(|last| *last >= self.first_seq)
    }

    /// How many messages from `from` on have a subject that is meant; with `last_only`, only the last of each counts.
    pub fn count<H: Heads + ?Sized>(&self, filter: &Filter, from: u64, last_only: bool, heads: &H) -> u64 {
        if self.messages == 0 || from > self.last_seq {
            return 0;
        }
        let from = from.max(self.first_seq);
        if filter.is_any() && !last_only {
            return self.last_seq - from + 1 - self.deleted.count(from..=self.last_seq);
        }
        let behind = self.last_seq - from;
        let along = |heads: &H| {
            let mut count = 0;
            heads.scan(from..=self.last_seq, &mut |head| {
                count += u64::from(self.is_there(head.seq) && filter.matches(head.subject));
                true
            });
            count
        };
        if last_only || filter.literal().is_some() {
            return self.count_by_subject(filter, from, last_only, usize::MAX, heads).unwrap_or_default();
        }
        if behind < FEW_MESSAGES {
            return along(heads);
        }
        let steps = if behind < self.subject_count() { FEW_NODES } else { usize::MAX };
        self.count_by_subject(filter, from, last_only, steps, heads).unwrap_or_else(|Tired| along(heads))
    }

    fn count_by_subject<H: Heads + ?Sized>(
        &self,
        filter: &Filter,
        from: u64,
        last_only: bool,
        steps: usize,
        heads: &H,
    ) -> Result<u64, Tired> {
        let mut count = 0;
        let all = self.for_each_matching(filter, steps, &mut |subject, entry| {
            count += if last_only {
                u64::from(self.last_of(subject, entry, heads) >= from)
            } else {
                self.count_in(subject, entry, from, heads)
            };
            true
        });
        if all { Ok(count) } else { Err(Tired) }
    }

    /// Subjects that are meant, each once, for as long as `f` says so and no more than `steps` nodes are seen; whether
    /// these were all.
    fn for_each_matching(
        &self,
        filter: &Filter,
        mut steps: usize,
        f: &mut dyn FnMut(&[u8], &Cell<Entry>) -> bool,
    ) -> bool {
        if filter.is_any() {
            return self.subjects.for_each_within(b">", &mut steps, f);
        }
        if let Some(subject) = filter.literal() {
            return self.subjects.get(subject).is_none_or(|entry| f(subject, entry));
        }
        filter.patterns().enumerate().all(|(nth, pattern)| {
            let seen = |subject: &[u8]| filter.patterns().take(nth).any(|p| martlet_subject::matches(p, subject));
            self.subjects.for_each_within(pattern, &mut steps, |subject, entry| seen(subject) || f(subject, entry))
        })
    }

    fn next_in<H: Heads + ?Sized>(
        &self,
        subject: &[u8],
        entry: &Cell<Entry>,
        seqs: RangeInclusive<u64>,
        heads: &H,
    ) -> Option<u64> {
        let (known, from) = (entry.get().bounds(), *seqs.start());
        if known.last < from || known.first > *seqs.end() {
            return None;
        }
        if known.first >= from {
            let first = self.first_of(subject, entry, heads);
            return Some(first).filter(|first| seqs.contains(first) && !self.has_gone(*first));
        }
        self.seek(subject, &known, seqs, heads)
    }

    fn last_in<H: Heads + ?Sized>(
        &self,
        subject: &[u8],
        entry: &Cell<Entry>,
        seqs: RangeInclusive<u64>,
        heads: &H,
    ) -> Option<u64> {
        let (known, to) = (entry.get().bounds(), *seqs.end());
        if known.first > to || known.last < *seqs.start() {
            return None;
        }
        if known.last <= to {
            let last = self.last_of(subject, entry, heads);
            return Some(last).filter(|last| seqs.contains(last) && !self.has_gone(*last));
        }
        self.seek_back(subject, &known, seqs, heads)
    }

    /// How many messages of a subject are at `from` or later: counted from both ends until one of them gets there, or
    /// neither does soon; then all of them from the nearer one.
    fn count_in<H: Heads + ?Sized>(&self, subject: &[u8], entry: &Cell<Entry>, from: u64, heads: &H) -> u64 {
        let known = self.exact(subject, entry, heads);
        let (mut first, mut below) = (known.first, 0);
        let (mut last, mut above) = (known.last, 0);
        for _ in 0..FEW_STEPS {
            if first >= from {
                return known.messages - below;
            }
            if last < from {
                return above;
            }
            (below, above) = (below + 1, above + 1);
            first = self.seek(subject, &known, first + 1..=known.last, heads).unwrap_or(u64::MAX);
            last = self.seek_back(subject, &known, known.first..=last - 1, heads).unwrap_or(0);
        }
        let count = |seqs: RangeInclusive<u64>| {
            let mut count = 0;
            heads.each_of(subject, &known, seqs, &mut |seq| count += u64::from(self.is_there(seq)));
            count
        };
        if from.saturating_sub(first) < last.saturating_sub(from) {
            known.messages.saturating_sub(below + count(first..=from - 1))
        } else {
            above + count(from..=last)
        }
    }

    fn exact<H: Heads + ?Sized>(&self, subject: &[u8], entry: &Cell<Entry>, heads: &H) -> SubjectState {
        self.first_of(subject, entry, heads);
        self.last_of(subject, entry, heads);
        entry.get().bounds()
    }

    /// Whether a message is gone whose subject may not know of it.
    fn has_gone(&self, seq: u64) -> bool {
        self.has_lost && !self.is_there(seq)
    }

    /// A subject's first message, looked for if need be.
    pub(super) fn first_of<H: Heads + ?Sized>(&self, subject: &[u8], entry: &Cell<Entry>, heads: &H) -> u64 {
        let mut known = entry.get();
        let bounds = known.bounds();
        if known.first_is_bound() || self.has_gone(bounds.first) {
            let from = bounds.first.max(self.first_seq);
            known.found_first(self.seek(subject, &bounds, from..=bounds.last, heads).unwrap_or(bounds.last));
            if heads.has_missed() {
                return bounds.first;
            }
            entry.set(known);
        }
        known.bounds().first
    }

    /// A subject's last message, looked for if need be.
    fn last_of<H: Heads + ?Sized>(&self, subject: &[u8], entry: &Cell<Entry>, heads: &H) -> u64 {
        let mut known = entry.get();
        let bounds = known.bounds();
        if known.last_is_bound() || self.has_gone(bounds.last) {
            let from = bounds.first.max(self.first_seq);
            known.found_last(self.seek_back(subject, &bounds, from..=bounds.last, heads).unwrap_or(bounds.first));
            if heads.has_missed() {
                return bounds.last;
            }
            entry.set(known);
        }
        known.bounds().last
    }

    /// The first message of a subject within `seqs` that is there.
    fn seek<H: Heads + ?Sized>(
        &self,
        subject: &[u8],
        known: &SubjectState,
        seqs: RangeInclusive<u64>,
        heads: &H,
    ) -> Option<u64> {
        let (mut from, to) = seqs.into_inner();
        loop {
            if from > to {
                return None;
            }
            let found = heads.next_of(subject, known, from..=to)?;
            if self.is_there(found) {
                return Some(found);
            }
            from = found + 1;
        }
    }

    /// The last message of a subject within `seqs` that is there.
    fn seek_back<H: Heads + ?Sized>(
        &self,
        subject: &[u8],
        known: &SubjectState,
        seqs: RangeInclusive<u64>,
        heads: &H,
    ) -> Option<u64> {
        let (from, mut to) = seqs.into_inner();
        loop {
            if from > to {
                return None;
            }
            let found = heads.last_of(subject, known, from..=to)?;
            if self.is_there(found) {
                return Some(found);
            }
            to = found.checked_sub(1)?;
        }
    }
}
