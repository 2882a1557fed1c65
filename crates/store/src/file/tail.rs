//! What was written lately, as it stands in the files: it is applied, and mostly read, without asking the disk.
//!
//! A frame is built here, at the end, and written from here.
//!
//! Invariant: what is not applied is here, whatever room it takes; what is applied, at most twice [`KEEP`], or [`KEEP_OF_MANY`]
//! where that is too much for all stores together.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Applied bytes to keep.
const KEEP: usize = 256 << 10;
/// The same, of a store among many.
const KEEP_OF_MANY: usize = 8 << 10;
/// Bytes that all stores of the process may have here before each keeps less.
const MOST: usize = 32 << 20;

/// Bytes that all stores have set aside for what was written lately, as they counted them last.
static HELD: AtomicUsize = AtomicUsize::new(0);

/// The ends of the last segments.
#[derive(Debug, Default)]
pub(crate) struct Tails {
    parts: VecDeque<Tail>,
    /// Where in the last of them the frame begins that is being built.
    frame: usize,
    /// Bytes of this store among those of all.
    held: usize,
}

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

    fn has(&self, number: u64, at: u32) -> bool {
        self.number == number && self.start <= at && u64::from(at) < self.end()
    }
}

impl Tails {
    /// Where to build the next frame: at the end.
    pub(crate) fn scratch(&mut self) -> &mut Vec<u8> {
        if self.parts.is_empty() {
            self.parts.push_back(Tail::default());
        }
        let bytes = &mut self.parts.back_mut().expect("there is one").bytes;
        self.frame = bytes.len();
        bytes
    }

    /// The frame just built will stand at `at` in a segment; gives its bytes.
    pub(crate) fn place_frame(&mut self, number: u64, at: u32) -> &[u8] {
        let last = self.parts.back_mut().expect("a frame was built");
        if last.number != number || last.start as usize + self.frame != at as usize {
            let frame = last.bytes.split_off(self.frame);
            if last.bytes.is_empty() {
                self.parts.pop_back();
            }
            self.parts.push_back(Tail { number, start: at, bytes: frame });
            self.frame = 0;
        }
        &self.parts.back().expect("it is there").bytes[self.frame..]
    }

    /// The frame just built was not written.
    pub(crate) fn drop_frame(&mut self) {
        let Some(last) = self.parts.back_mut() else { return };
        last.bytes.truncate(self.frame);
        if last.bytes.is_empty() {
            self.parts.pop_back();
        }
    }

    /// The bytes from `at` on that are here.
    #[inline]
    pub(crate) fn bytes(&self, number: u64, at: u32) -> Option<&[u8]> {
        let tail = self.parts.iter().rev().find(|tail| tail.has(number, at))?;
        Some(&tail.bytes[(at - tail.start) as usize..])
    }

    /// Bytes have been written over, if they are here.
    pub(crate) fn overwrite(&mut self, number: u64, at: u32, bytes: &[u8]) {
        if let Some(tail) = self.parts.iter_mut().find(|tail| tail.has(number, at)) {
            let from = (at - tail.start) as usize;
            tail.bytes[from..from + bytes.len()].copy_from_slice(bytes);
        }
    }

    /// Everything before `at` in a segment is applied.
    pub(crate) fn applied(&mut self, number: u64, at: u32) {
        while self.parts.len() > 1 && self.parts[0].number < number {
            self.parts.pop_front();
        }
        let keep = if HELD.load(Relaxed) > MOST { KEEP_OF_MANY } else { KEEP };
        if let Some(tail) = self.parts.front_mut().filter(|tail| tail.number == number && tail.start < at) {
            let applied = ((at - tail.start) as usize).min(tail.bytes.len());
            if applied > 2 * keep {
                let drop = applied - keep;
                tail.bytes.drain(..drop);
                tail.bytes.shrink_to(4 * keep);
                tail.start += u32::try_from(drop).expect("it is within a segment");
            }
        }
        self.count();
    }

    /// Tells all stores how much this one has.
    fn count(&mut self) {
        let held = self.parts.iter().map(|tail| tail.bytes.capacity()).sum();
        match usize::checked_sub(held, self.held) {
            Some(more) => HELD.fetch_add(more, Relaxed),
            None => HELD.fetch_sub(self.held - held, Relaxed),
        };
        self.held = held;
    }

    /// A segment is another one now.
    pub(crate) fn forget(&mut self, number: u64) {
        self.parts.retain(|tail| tail.number != number);
        self.count();
    }

    /// Everything is applied, and nothing happens: the memory can be put to better use.
    pub(crate) fn clear(&mut self) {
        self.parts.clear();
        self.count();
    }
}

impl Drop for Tails {
    fn drop(&mut self) {
        self.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_stores_keep_little_each() {
        const FRAME: u32 = 4096;
        let mut stores: Vec<Tails> = (0..100).map(|_| Tails::default()).collect();
        for at in (0..1 << 20).step_by(FRAME as usize) {
            for tails in &mut stores {
                tails.scratch().extend([7; FRAME as usize]);
                assert_eq!(tails.place_frame(1, at).len(), FRAME as usize);
                tails.applied(1, at + FRAME);
                assert_eq!(tails.bytes(1, at).map(<[u8]>::len), Some(FRAME as usize), "what was written last is there");
            }
        }
        let held: usize = stores.iter().map(|tails| tails.held).sum();
        assert!(held <= MOST + stores.len() * 8 * KEEP_OF_MANY, "{held} bytes");
        assert!(HELD.load(Relaxed) >= held);
        let mut alone = stores.remove(0);
        drop(stores);
        alone.clear();
        assert_eq!(alone.held, 0);
    }
}
