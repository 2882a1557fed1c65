//! When messages are due that have a time of their own.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use martlet_events::WallTime;

use crate::record::NEVER;

/// Messages by the time at which they go: 16 bytes for each that has one, none for others.
///
/// A message that goes for another reason stays in here until it comes to the top, or until those like it are half of all.
#[derive(Debug, Clone, Default)]
pub(crate) struct Expiries {
    heap: BinaryHeap<Reverse<(WallTime, u64)>>,
    gone: usize,
}

impl Expiries {
    /// Adds a message. One that is due at the end of time is not kept: it never is.
    pub(crate) fn push(&mut self, at: WallTime, seq: u64) {
        if at < NEVER {
            self.heap.push(Reverse((at, seq)));
        }
    }

    /// When the first message is due.
    pub(crate) fn next(&self) -> Option<WallTime> {
        self.heap.peek().map(|Reverse((at, _))| *at)
    }

    /// Takes out a message that is due at `now`, in the order of times, then of sequences.
    pub(crate) fn pop(&mut self, now: WallTime) -> Option<(WallTime, u64)> {
        let top = self.heap.peek_mut().filter(|top| top.0.0 <= now)?;
        let Reverse(expiry) = std::collections::binary_heap::PeekMut::pop(top);
        Some(expiry)
    }

    /// A message has gone that had this time. `is_there` knows which ones have not.
    pub(crate) fn removed(&mut self, at: Option<WallTime>, is_there: impl Fn(u64) -> bool) {
        // The first one is always there, so that `next` is exact.
        while self.heap.peek().is_some_and(|Reverse((_, seq))| !is_there(*seq)) {
            self.heap.pop();
        }
        self.gone += usize::from(at.is_some_and(|at| at < NEVER));
        if self.gone > 64 && self.gone * 2 > self.heap.len() {
            self.heap.retain(|Reverse((_, seq))| is_there(*seq));
            self.heap.shrink_to(self.heap.len() * 2);
            self.gone = 0;
        }
    }
}
