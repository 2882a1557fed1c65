//! What is known of one subject.

use super::Head;
use crate::store::SubjectState;

/// First, last and number of a subject's messages; the first and the last may be known as bounds only.
///
/// When the first of several messages goes, the next one is somewhere behind it. To look for it costs reading, and
/// mostly nobody asks before more of them go: so it is looked for when somebody asks.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Entry {
    first: u64,
    last: u64,
    messages: u64,
}

// The number of messages leaves two bits free.
const FIRST_IS_BOUND: u64 = 1 << 63;
const LAST_IS_BOUND: u64 = 1 << 62;

impl Entry {
    pub(super) fn new(state: SubjectState) -> Self {
        Self { first: state.first, last: state.last, messages: state.messages }
    }

    /// What it is, as numbers that [`Self::from_raw`] understands.
    pub(super) fn to_raw(self) -> [u64; 3] {
        [self.first, self.last, self.messages]
    }

    pub(super) fn from_raw([first, last, messages]: [u64; 3]) -> Self {
        Self { first, last, messages }
    }

    pub(super) fn messages(self) -> u64 {
        self.messages & !(FIRST_IS_BOUND | LAST_IS_BOUND)
    }

    /// What is known: the first is this one or later, the last this one or earlier.
    pub(super) fn bounds(self) -> SubjectState {
        SubjectState { first: self.first, last: self.last, messages: self.messages() }
    }

    pub(super) fn first_is_bound(self) -> bool {
        self.messages & FIRST_IS_BOUND != 0
    }

    pub(super) fn last_is_bound(self) -> bool {
        self.messages & LAST_IS_BOUND != 0
    }

    pub(super) fn found_first(&mut self, seq: u64) {
        self.first = seq;
        self.messages &= !FIRST_IS_BOUND;
    }

    pub(super) fn found_last(&mut self, seq: u64) {
        self.last = seq;
        self.messages &= !LAST_IS_BOUND;
    }

    /// A message comes; gives the one before it, where that is known.
    pub(super) fn add(&mut self, seq: u64) -> Option<u64> {
        let before = (self.messages() > 0 && !self.last_is_bound()).then_some(self.last);
        if self.messages() == 0 {
            self.first = seq;
        }
        self.messages += 1;
        self.found_last(seq);
        before
    }

    /// Messages of a later part of the stream.
    pub(super) fn append(&mut self, later: SubjectState) {
        if self.messages() == 0 {
            self.first = later.first;
        }
        self.messages += later.messages;
        self.found_last(later.last);
    }

    /// A message goes; whether it was the only one.
    pub(super) fn remove(&mut self, head: &Head<'_>) -> bool {
        debug_assert!(self.messages() > 0, "who has no messages has no entry");
        self.messages -= 1;
        if head.seq == self.first {
            self.found_first(head.after.unwrap_or(head.seq + 1));
            self.messages |= if head.after.is_none() { FIRST_IS_BOUND } else { 0 };
        }
        if head.seq == self.last {
            self.found_last(head.before.unwrap_or(head.seq - 1));
            self.messages |= if head.before.is_none() { LAST_IS_BOUND } else { 0 };
        }
        match (self.messages(), self.first_is_bound(), self.last_is_bound()) {
            (1, false, true) => self.found_last(self.first),
            (1, true, false) => self.found_first(self.last),
            _ => {}
        }
        self.messages() == 0
    }
}
