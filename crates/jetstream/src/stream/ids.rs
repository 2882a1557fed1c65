//! Message ids that were seen within the window, in the order in which they came.
//!
//! Invariant: sequences grow from front to back, so that what was not committed can be taken back.

use std::collections::VecDeque;
use std::hash::BuildHasher;
use std::time::Duration;

use foldhash::fast::FixedState;
use hashbrown::HashTable;
use martlet_events::WallTime;

/// An id, and the message that had it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Id {
    pub(super) seq: u64,
    pub(super) time: WallTime,
    pub(super) text: Box<[u8]>,
}

/// The ids of a window of time.
#[derive(Debug, Default)]
pub(super) struct Ids {
    order: VecDeque<Id>,
    /// Numbers of ids: the front of `order` has number `first`.
    table: HashTable<u64>,
    first: u64,
    hasher: FixedState,
}

impl Ids {
    /// The message that had `text`.
    pub(super) fn find(&self, text: &[u8]) -> Option<u64> {
        let number = self.table.find(self.hasher.hash_one(text), |&number| self.is(number, text))?;
        Some(self.order[self.place(*number)].seq)
    }

    /// Remembers an id; an older one of the same text is no longer found.
    pub(super) fn insert(&mut self, seq: u64, time: WallTime, text: &[u8]) {
        let hash = self.hasher.hash_one(text);
        let number = self.first + self.order.len() as u64;
        self.order.push_back(Id { seq, time, text: text.into() });
        let Self { order, table, first, hasher } = self;
        let at = |number: u64| &order[usize::try_from(number - *first).unwrap_or(usize::MAX)].text;
        if let Some(old) = table.find_mut(hash, |&old| **at(old) == *text) {
            *old = number;
        } else {
            table.insert_unique(hash, number, |&number| hasher.hash_one(&**at(number)));
        }
    }

    /// Forgets what came at or before `now - window`; no window forgets nothing.
    pub(super) fn expire(&mut self, now: WallTime, window: Duration) {
        let window = u64::try_from(window.as_nanos()).unwrap_or(u64::MAX);
        while self.order.front().is_some_and(|id| id.time.as_nanos().saturating_add(window) <= now.as_nanos()) {
            self.forget(self.first);
            self.order.pop_front();
            self.first += 1;
        }
    }

    /// Forgets ids of messages after `seq`: they were not committed.
    pub(super) fn take_back(&mut self, seq: u64) {
        while self.order.back().is_some_and(|id| id.seq > seq) {
            self.forget(self.first + self.order.len() as u64 - 1);
            self.order.pop_back();
        }
    }

    /// When the oldest came.
    pub(super) fn oldest(&self) -> Option<WallTime> {
        self.order.front().map(|id| id.time)
    }

    /// All of them, in order.
    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = &Id> {
        self.order.iter()
    }

    fn place(&self, number: u64) -> usize {
        usize::try_from(number - self.first).unwrap_or(usize::MAX)
    }

    fn is(&self, number: u64, text: &[u8]) -> bool {
        *self.order[self.place(number)].text == *text
    }

    fn forget(&mut self, number: u64) {
        let hash = self.hasher.hash_one(&*self.order[self.place(number)].text);
        if let Ok(entry) = self.table.find_entry(hash, |&other| other == number) {
            entry.remove();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(nanos: u64) -> WallTime {
        WallTime::from_nanos(nanos)
    }

    #[test]
    fn ids_are_found_until_their_window_is_over() {
        // spec: JS-065
        let mut ids = Ids::default();
        ids.insert(1, at(10), b"a");
        ids.insert(2, at(20), b"b");
        ids.insert(3, at(30), b"a");
        assert_eq!((ids.find(b"a"), ids.find(b"b"), ids.find(b"c")), (Some(3), Some(2), None));
        ids.expire(at(25), Duration::from_nanos(10));
        assert_eq!((ids.find(b"a"), ids.find(b"b")), (Some(3), Some(2)), "the first a went, the second stays");
        ids.expire(at(30), Duration::from_nanos(10));
        assert_eq!((ids.find(b"a"), ids.find(b"b")), (Some(3), None));
        assert_eq!(ids.oldest(), Some(at(30)));
    }

    #[test]
    fn what_was_not_committed_is_taken_back() {
        let mut ids = Ids::default();
        for seq in 1..=100_u64 {
            ids.insert(seq, at(seq), seq.to_string().as_bytes());
        }
        ids.take_back(50);
        assert_eq!((ids.find(b"50"), ids.find(b"51"), ids.iter().len()), (Some(50), None, 50));
    }
}
