//! What is known of one subject.

use crate::store::SubjectState;

/// First, last and number of a subject's messages; the first and the last may be known as bounds only.
///
/// When the first of several messages goes, the next one is somewhere behind it. To look for it costs reading, and
/// mostly nobody asks before more of them go: so it is looked for when somebody asks.
///
/// The size of a subject's only message may be known, too: where each subject keeps one, the message that goes need not be
/// read when the next one comes. It stands where the first sequence would, which is the last one as well.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Entry {
    first: u64,
    last: u64,
    messages: u64,
}

// The number of messages leaves three bits free.
const FIRST_IS_BOUND: u64 = 1 << 63;
const LAST_IS_BOUND: u64 = 1 << 62;
const FIRST_IS_SIZE: u64 = 1 << 61;

impl Entry {
    pub(super) fn new(state: SubjectState) -> Self {
        Self { first: state.first, last: state.last, messages: state.messages }
    }

    /// What it is but for a size, as numbers that [`Self::from_raw`] understands.
    pub(super) fn to_raw(mut self) -> [u64; 3] {
        self.forget_size();
        [self.first, self.last, self.messages]
    }

    pub(super) fn from_raw([first, last, messages]: [u64; 3]) -> Self {
        Self { first, last, messages }
    }

    pub(super) fn messages(self) -> u64 {
        self.messages & !(FIRST_IS_BOUND | LAST_IS_BOUND | FIRST_IS_SIZE)
    }

    /// The size of its only message, if it is known.
    pub(super) fn size(self) -> Option<u64> {
        (self.messages & FIRST_IS_SIZE != 0).then_some(self.first)
    }

    /// The message `seq` has this size; kept if it is the only one.
    pub(super) fn set_size(&mut self, seq: u64, size: u64) {
        if self.to_raw() == [seq, seq, 1] {
            self.first = size;
            self.messages |= FIRST_IS_SIZE;
        }
    }

    fn forget_size(&mut self) {
        if self.messages & FIRST_IS_SIZE != 0 {
            self.first = self.last;
            self.messages &= !FIRST_IS_SIZE;
        }
    }

    /// What is known: the first is this one or later, the last this one or earlier.
    pub(super) fn bounds(self) -> SubjectState {
        let [first, last, _] = self.to_raw();
        SubjectState { first, last, messages: self.messages() }
    }

    pub(super) fn first_is_bound(self) -> bool {
        self.messages & FIRST_IS_BOUND != 0
    }

    pub(super) fn last_is_bound(self) -> bool {
        self.messages & LAST_IS_BOUND != 0
    }

    pub(super) fn found_first(&mut self, seq: u64) {
        self.forget_size();
        self.first = seq;
        self.messages &= !FIRST_IS_BOUND;
    }

    pub(super) fn found_last(&mut self, seq: u64) {
        self.forget_size();
        self.last = seq;
        self.messages &= !LAST_IS_BOUND;
    }

    /// A message comes; gives the one before it, where that is known.
    pub(super) fn add(&mut self, seq: u64) -> Option<u64> {
        self.forget_size();
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
        self.forget_size();
        if self.messages() == 0 {
            self.first = later.first;
        }
        self.messages += later.messages;
        self.found_last(later.last);
    }

    /// A message goes, and those before and after it may be known; whether it was the only one.
    pub(super) fn remove(&mut self, seq: u64, (before, after): (Option<u64>, Option<u64>)) -> bool {
        debug_assert!(self.messages() > 0, "who has no messages has no entry");
        self.forget_size();
        self.messages -= 1;
        if seq == self.first {
            self.found_first(after.unwrap_or(seq + 1));
            self.messages |= if after.is_none() { FIRST_IS_BOUND } else { 0 };
        }
        if seq == self.last {
            self.found_last(before.unwrap_or(seq - 1));
            self.messages |= if before.is_none() { LAST_IS_BOUND } else { 0 };
        }
        match (self.messages(), self.first_is_bound(), self.last_is_bound()) {
            (1, false, true) => self.found_last(self.first),
            (1, true, false) => self.found_first(self.last),
            _ => {}
        }
        self.messages() == 0
    }
}
