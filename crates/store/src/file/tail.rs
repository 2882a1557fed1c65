//! What was written lately, as it stands in the files: it is applied, and mostly read, without asking the disk.
//!
//! A frame is built here, at the end, and written from here.
//!
//! Invariant: what is not applied is here, whatever room it takes; what is applied, at most twice [`KEEP`].

use std::collections::VecDeque;

/// Applied bytes to keep.
const KEEP: usize = 256 << 10;

/// The ends of the last segments.
#[derive(Debug, Default)]
pub(crate) struct Tails(VecDeque<Tail>);

#[derive(Debug, Default)]
struct Tail {
    /// The segment's number; 0 as long as it is not known.
    number: u64,
    /// Where in the segment the bytes begin.
    start: u32,
    bytes: Vec<u8>,
}

impl Tail {
    fn end(&self) -> u64 {
        u64::from(self.start) + self.bytes.len() as u64
    }
}

impl Tails {
    /// Where to build the next frame: at the end.
    pub(crate) fn scratch(&mut self) -> &mut Vec<u8> {
        if self.0.is_empty() {
            self.0.push_back(Tail::default());
        }
        &mut self.0.back_mut().expect("there is one").bytes
    }

    /// The frame built from `from` on will stand at `at` in a segment; gives its bytes.
    pub(crate) fn begin_frame(&mut self, number: u64, at: u32, from: usize) -> &[u8] {
        let last = self.0.back_mut().expect("a frame was built");
        if last.number != number || last.end() != u64::from(at) + (last.bytes.len() - from) as u64 {
            let frame = last.bytes.split_off(from);
            if last.bytes.is_empty() {
                self.0.pop_back();
            }
            self.0.push_back(Tail { number, start: at, bytes: frame });
            return &self.0.back().expect("it was pushed").bytes;
        }
        &self.0.back().expect("it is there").bytes[from..]
    }

    /// The frame built from `from` on was not written.
    pub(crate) fn cut(&mut self, from: usize) {
        let Some(last) = self.0.back_mut() else { return };
        // It may have moved to a tail of its own.
        last.bytes.truncate(if last.bytes.len() < from || self.0.len() > 1 && last.number == 0 { 0 } else { from });
        if self.0.back().is_some_and(|last| last.bytes.is_empty()) {
            self.0.pop_back();
        }
    }

    /// The bytes from `at` on that are here.
    #[inline]
    pub(crate) fn bytes(&self, number: u64, at: u32) -> Option<&[u8]> {
        let has = |tail: &&Tail| tail.number == number && tail.start <= at && u64::from(at) < tail.end();
        let tail = self.0.iter().rev().find(has)?;
        Some(&tail.bytes[(at - tail.start) as usize..])
    }

    /// Everything before `at` in a segment is applied.
    pub(crate) fn applied(&mut self, number: u64, at: u32) {
        while self.0.len() > 1 && self.0[0].number < number {
            self.0.pop_front();
        }
        if let Some(tail) = self.0.front_mut().filter(|tail| tail.number == number && tail.start < at) {
            let applied = ((at - tail.start) as usize).min(tail.bytes.len());
            if applied > 2 * KEEP {
                let drop = applied - KEEP;
                tail.bytes.drain(..drop);
                tail.start += u32::try_from(drop).expect("it is within a segment");
            }
        }
    }

    /// Everything is applied, and nothing happens: the memory can be put to better use.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}
