//! Sequences that are no messages any more.
//!
//! Kept in stretches of [`STRETCH`] sequences: as runs while these are few, as one bit for each when they are not, and
//! stretches that are gone altogether as ranges of stretches. So a stream costs at most a bit per sequence, whatever is
//! deleted from it, and a hole of any length costs next to nothing.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use super::stretch::{STRETCH, Stretch};

/// A set of sequences.
#[derive(Debug, Clone, Default)]
pub struct Deleted {
    some: BTreeMap<u64, Stretch>,
    /// First and last number of stretches that are in the set as a whole.
    all: BTreeMap<u64, u64>,
}

/// The stretch of a sequence, and the place within.
fn split(seq: u64) -> (u64, u16) {
    (seq / STRETCH, u16::try_from(seq % STRETCH).expect("a stretch is shorter"))
}

impl Deleted {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.some.is_empty() && self.all.is_empty()
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.some.clear();
        self.all.clear();
    }

    /// Puts sequences in.
    pub fn insert(&mut self, seqs: RangeInclusive<u64>) {
        if seqs.is_empty() {
            return;
        }
        let ((first, from), (last, to)) = (split(*seqs.start()), split(*seqs.end()));
        let end = u16::try_from(STRETCH - 1).expect("a stretch is short");
        if first == last {
            return self.insert_part(first, from, to);
        }
        self.insert_part(first, from, end);
        self.insert_part(last, 0, to);
        if first + 1 < last {
            self.insert_whole(first + 1, last - 1);
        }
    }

    fn insert_part(&mut self, stretch: u64, from: u16, to: u16) {
        if self.whole(stretch).is_some() {
            return;
        }
        let part = self.some.entry(stretch).or_default();
        part.insert(from, to);
        if part.len() == STRETCH {
            self.insert_whole(stretch, stretch);
        }
    }

    fn insert_whole(&mut self, mut first: u64, mut last: u64) {
        while let Some((&stretch, _)) = self.some.range(first..=last).next() {
            self.some.remove(&stretch);
        }
        // Whatever touches or overlaps becomes one.
        while let Some((&start, &end)) = self.all.range(..=last.saturating_add(1)).next_back() {
            if end.saturating_add(1) < first {
                break;
            }
            self.all.remove(&start);
            (first, last) = (first.min(start), last.max(end));
        }
        self.all.insert(first, last);
    }

    /// The whole stretches around one of them.
    fn whole(&self, stretch: u64) -> Option<(u64, u64)> {
        let (&first, &last) = self.all.range(..=stretch).next_back()?;
        (stretch <= last).then_some((first, last))
    }

    /// Whether a sequence is in the set.
    pub fn contains(&self, seq: u64) -> bool {
        let (stretch, at) = split(seq);
        self.some.get(&stretch).map_or_else(|| self.whole(stretch).is_some(), |part| part.contains(at))
    }

    /// The first sequence from `seq` on that is not in the set.
    pub(crate) fn next_absent(&self, mut seq: u64) -> u64 {
        loop {
            let (stretch, at) = split(seq);
            let next = match (self.some.get(&stretch), self.whole(stretch)) {
                (Some(part), _) => match part.next_absent(at) {
                    Some(at) => return stretch * STRETCH + u64::from(at),
                    None => stretch,
                },
                (None, Some((_, last))) => last,
                (None, None) => return seq,
            };
            seq = (next + 1) * STRETCH;
        }
    }

    /// The last sequence up to `seq` that is not in the set; `None` if there is none, down to zero.
    pub(crate) fn last_absent(&self, mut seq: u64) -> Option<u64> {
        loop {
            let (stretch, at) = split(seq);
            let first = match (self.some.get(&stretch), self.whole(stretch)) {
                (Some(part), _) => match part.last_absent(at) {
                    Some(at) => return Some(stretch * STRETCH + u64::from(at)),
                    None => stretch,
                },
                (None, Some((first, _))) => first,
                (None, None) => return Some(seq),
            };
            seq = (first * STRETCH).checked_sub(1)?;
        }
    }

    /// The first sequence from `seq` on that is in the set.
    fn next_present(&self, seq: u64) -> Option<u64> {
        let (stretch, at) = split(seq);
        let whole = self.whole(stretch).map(|_| seq);
        let part = || {
            let (&first, part) = self.some.range(stretch..).find(|(first, part)| {
                let from = if **first == stretch { at } else { 0 };
                part.next_present(from).is_some()
            })?;
            let at = part.next_present(if first == stretch { at } else { 0 })?;
            Some(first * STRETCH + u64::from(at))
        };
        let later = || self.all.range(stretch..).next().map(|(first, _)| first * STRETCH);
        whole.or_else(|| [part(), later()].into_iter().flatten().min())
    }

    /// Tells of the sequences in the set within `seqs`, in ranges as long as they are, for as long as `f` says so.
    pub fn for_each(&self, seqs: RangeInclusive<u64>, mut f: impl FnMut(RangeInclusive<u64>) -> bool) {
        let mut from = *seqs.start();
        while let Some(first) = self.next_present(from).filter(|first| first <= seqs.end()) {
            let next = self.next_absent(first);
            if !f(first..=(next - 1).min(*seqs.end())) || next > *seqs.end() {
                return;
            }
            from = next;
        }
    }

    /// How many sequences of `seqs` are in the set.
    pub fn count(&self, seqs: RangeInclusive<u64>) -> u64 {
        if seqs.is_empty() {
            return 0;
        }
        let ((first, from), (last, to)) = (split(*seqs.start()), split(*seqs.end()));
        let end = u16::try_from(STRETCH - 1).expect("a stretch is short");
        let parts = self.some.range(first..=last).map(|(&stretch, part)| {
            let from = if stretch == first { from } else { 0 };
            part.count(from, if stretch == last { to } else { end })
        });
        // The ranges that start within, and the one that reaches into it from before.
        let before = self.all.range(..first).next_back().filter(|(_, end)| **end >= first);
        let whole = before.into_iter().chain(self.all.range(first..=last)).map(|(&from, &to)| {
            let (from, to) = ((from * STRETCH).max(*seqs.start()), (to * STRETCH + STRETCH - 1).min(*seqs.end()));
            to - from + 1
        });
        parts.sum::<u64>() + whole.sum::<u64>()
    }

    /// Forgets stretches wholly below `seq`. What is in the set below it is undefined from now on.
    pub(crate) fn forget_below(&mut self, seq: u64) {
        let (stretch, _) = split(seq);
        while let Some((&first, _)) = self.some.first_key_value().filter(|(first, _)| **first < stretch) {
            self.some.remove(&first);
        }
        while let Some((&first, &last)) = self.all.first_key_value().filter(|(first, _)| **first < stretch) {
            self.all.remove(&first);
            if last >= stretch {
                self.all.insert(stretch, last);
            }
        }
    }
}
