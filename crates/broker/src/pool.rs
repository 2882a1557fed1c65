//! Buffers that a thread uses again.

use std::collections::VecDeque;

use crate::outbox::Chunk;

/// One thread's spare buffers, bounded in bytes.
#[derive(Debug, Default)]
pub struct Pool {
    spare: Vec<Vec<u8>>,
    bytes: usize,
}

impl Pool {
    /// No run of small messages grows beyond this before a new chunk is begun.
    pub const CHUNK: usize = 64 * 1024;
    /// Capacity kept in all.
    const KEEP: usize = 8 * 1024 * 1024;

    /// An empty buffer.
    pub fn take(&mut self) -> Vec<u8> {
        match self.spare.pop() {
            Some(buffer) => {
                self.bytes -= buffer.capacity();
                buffer
            }
            None => Vec::new(),
        }
    }

    /// An empty buffer for a run that has filled one already: it takes as much again without growing.
    pub(crate) fn take_whole(&mut self) -> Vec<u8> {
        let mut buffer = self.take();
        buffer.reserve_exact(Self::CHUNK);
        buffer
    }

    /// A buffer nobody needs any more.
    pub fn give(&mut self, mut buffer: Vec<u8>) {
        let capacity = buffer.capacity();
        if capacity > 0 && capacity <= 2 * Self::CHUNK && self.bytes + capacity <= Self::KEEP {
            buffer.clear();
            self.bytes += capacity;
            self.spare.push(buffer);
        }
    }

    /// Chunks nobody needs any more.
    pub fn recycle(&mut self, chunks: &mut VecDeque<Chunk>) {
        for chunk in chunks.drain(..) {
            if let Chunk::Owned(buffer) = chunk {
                self.give(buffer);
            }
        }
    }
}
