//! What waits to be written to one connection.
//!
//! Any thread may add to an [`Outbox`]; whoever finds it idle writes, so there is one writer at a time and no
//! hand-over when the socket has room. The lock is held to move chunks, never during a write.
//!
//! Invariant: bytes leave in the order they were added; `pending` is their exact count, the bytes being written included.

use std::collections::VecDeque;
use std::io::{self, IoSlice};

use bytes::Bytes;
use martlet_events::Time;
use parking_lot::Mutex;

use crate::pool::Pool;

/// Most slices given to one vectored write.
const SLICES: usize = 64;
/// A lone chunk below this size is copied behind the previous one instead of queued by itself.
const MERGE_BELOW: usize = 4 * 1024;

/// The way out of an outbox: a socket as the pure rooms see it.
pub trait Wire: Send + Sync {
    /// Writes what fits without blocking; `WouldBlock` when nothing does.
    fn try_write(&self, bytes: &[IoSlice<'_>]) -> io::Result<usize>;

    /// Makes the connection's own task look at its outbox and its control requests.
    fn wake(&self);

    /// Whether a thread other than the connection's own should write to it at once. Encryption costs more than a wake-up.
    fn is_cheap(&self) -> bool {
        true
    }
}

/// A run of bytes on its way out.
#[derive(Debug)]
pub enum Chunk {
    /// Built for this connection alone.
    Owned(Vec<u8>),
    /// A large payload that other connections share.
    Shared(Bytes),
}

impl Chunk {
    fn as_slice(&self) -> &[u8] {
        match self {
            Self::Owned(v) => v,
            Self::Shared(b) => b,
        }
    }
}

/// What became of an attempt to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flushed {
    /// Everything is out.
    Empty,
    /// Some remains: the socket is full or the budget is spent, and the connection's own task must carry on.
    Remains,
    /// Somebody else is writing and will take what was added.
    Busy,
    /// The connection is closed or broken; what remained is dropped.
    Gone,
}

/// How a run was received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offered {
    /// Bytes waiting now.
    pub pending: usize,
    /// What became of them.
    pub flushed: Flushed,
}

/// Totals of one outbox.
#[derive(Debug, Clone, Copy, Default)]
pub struct Totals {
    /// Messages handed over, ever.
    pub messages: u64,
    /// Payload bytes of those messages.
    pub bytes: u64,
    /// Bytes waiting now.
    pub pending: usize,
}

/// A write that the socket has not taken as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unfinished {
    /// When the socket was found full, or when it was last forgiven.
    pub since: Time,
    /// Bytes that waited then, with those that it took before it was full.
    pub bytes: usize,
    /// Pieces that they waited in.
    pub chunks: usize,
    /// How many of those bytes have gone.
    pub written: usize,
}

/// The bytes waiting for one connection.
#[derive(Debug, Default)]
pub struct Outbox {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    chunks: VecDeque<Chunk>,
    /// Bytes of the first chunk that are out already.
    offset: usize,
    totals: Totals,
    writing: bool,
    closed: bool,
    /// What waited when the socket was found full, until all of it has gone.
    unfinished: Option<Unfinished>,
}

impl Outbox {
    /// Takes over `chunks` (`bytes` in all, holding `messages` of `payload` bytes) and, if `write`, writes what the socket takes.
    pub fn offer(
        &self,
        chunks: &mut VecDeque<Chunk>,
        bytes: usize,
        (messages, payload): (u64, u64),
        write: Option<(&dyn Wire, usize)>,
        now: Time,
        pool: &mut Pool,
    ) -> Offered {
        let mut state = self.state.lock();
        if state.closed {
            pool.recycle(chunks);
            return Offered { pending: 0, flushed: Flushed::Gone };
        }
        state.totals.messages += messages;
        state.totals.bytes += payload;
        state.totals.pending += bytes;
        if !state.writing
            && state.chunks.is_empty()
            && let Some((wire, budget)) = write
        {
            state.writing = true;
            drop(state);
            return self.write(wire, chunks, 0, budget, now, pool);
        }
        let busy = state.writing;
        state.append(chunks, bytes, pool);
        let pending = state.totals.pending;
        if let (false, Some((wire, budget))) = (busy, write) {
            drop(state);
            let flushed = self.flush(wire, budget, now, chunks, pool);
            return Offered { pending: self.pending(), flushed };
        }
        Offered { pending, flushed: if busy { Flushed::Busy } else { Flushed::Remains } }
    }

    /// Takes over a few bytes to be written with whatever comes next; gives the bytes waiting now.
    pub fn push(&self, bytes: &[u8]) -> usize {
        let mut state = self.state.lock();
        if state.closed {
            return 0;
        }
        match state.chunks.back_mut() {
            Some(Chunk::Owned(tail)) if tail.len() + bytes.len() <= Pool::CHUNK => tail.extend_from_slice(bytes),
            _ => state.chunks.push_back(Chunk::Owned(bytes.to_vec())),
        }
        state.totals.pending += bytes.len();
        state.totals.pending
    }

    /// Writes what waits, at most about `budget` bytes. `scratch` is empty before and after.
    pub fn flush(
        &self,
        wire: &dyn Wire,
        budget: usize,
        now: Time,
        scratch: &mut VecDeque<Chunk>,
        pool: &mut Pool,
    ) -> Flushed {
        let mut state = self.state.lock();
        if state.closed {
            return Flushed::Gone;
        }
        if state.writing {
            return Flushed::Busy;
        }
        if state.chunks.is_empty() {
            return Flushed::Empty;
        }
        state.writing = true;
        std::mem::swap(&mut state.chunks, scratch);
        let offset = std::mem::take(&mut state.offset);
        drop(state);
        self.write(wire, scratch, offset, budget, now, pool).flushed
    }

    /// The one writer at work: `chunks` (the first without its first `offset` bytes) go before what is in the queue.
    fn write(
        &self,
        wire: &dyn Wire,
        chunks: &mut VecDeque<Chunk>,
        mut offset: usize,
        budget: usize,
        now: Time,
        pool: &mut Pool,
    ) -> Offered {
        let mut spent = 0;
        loop {
            let (written, outcome) = write_all(wire, chunks, &mut offset, budget.saturating_sub(spent), pool);
            spent += written;
            let mut state = self.state.lock();
            if state.closed || outcome == Outcome::Broken {
                state.close();
                pool.recycle(chunks);
                return Offered { pending: 0, flushed: Flushed::Gone };
            }
            state.totals.pending -= written;
            state.went(written);
            if outcome == Outcome::Done && !state.chunks.is_empty() && spent < budget {
                std::mem::swap(&mut state.chunks, chunks);
                continue;
            }
            state.writing = false;
            while let Some(chunk) = chunks.pop_back() {
                state.chunks.push_front(chunk);
            }
            state.offset = offset;
            if outcome == Outcome::Blocked && state.unfinished.is_none() {
                state.begin_again(now, spent);
            }
            let flushed = if state.chunks.is_empty() { Flushed::Empty } else { Flushed::Remains };
            if flushed == Flushed::Empty && state.chunks.capacity() > 8 {
                state.chunks = VecDeque::new();
            }
            return Offered { pending: state.totals.pending, flushed };
        }
    }

    /// Bytes waiting.
    pub fn pending(&self) -> usize {
        self.state.lock().totals.pending
    }

    /// Totals so far.
    pub fn totals(&self) -> Totals {
        self.state.lock().totals
    }

    /// What the socket, once full, has yet to take as a whole.
    // spec: CORE-090
    pub fn unfinished(&self) -> Option<Unfinished> {
        self.state.lock().unfinished
    }

    /// Since when that is so.
    pub fn blocked_since(&self) -> Option<Time> {
        self.unfinished().map(|unfinished| unfinished.since)
    }

    /// The socket gets as long again for what waits at `now`.
    pub fn forgive(&self, now: Time) {
        let mut state = self.state.lock();
        if state.unfinished.is_some() {
            state.begin_again(now, 0);
        }
    }

    /// Drops what waits and refuses what comes.
    pub fn close(&self) {
        self.state.lock().close();
    }
}

impl State {
    fn append(&mut self, chunks: &mut VecDeque<Chunk>, bytes: usize, pool: &mut Pool) {
        if let (1, Some(Chunk::Owned(tail)), Some(Chunk::Owned(new))) =
            (chunks.len(), self.chunks.back_mut(), chunks.front())
            && bytes < MERGE_BELOW
            && tail.len() + bytes <= Pool::CHUNK
        {
            tail.extend_from_slice(new);
            pool.recycle(chunks);
        } else {
            self.chunks.append(chunks);
        }
    }

    /// `written` bytes are out.
    fn went(&mut self, written: usize) {
        if let Some(unfinished) = &mut self.unfinished {
            unfinished.written += written;
            if unfinished.written >= unfinished.bytes {
                self.unfinished = None;
            }
        }
    }

    /// What waits is to be gone as a whole within the deadline from `now`; the socket took `written` bytes of it at once.
    fn begin_again(&mut self, now: Time, written: usize) {
        let (bytes, chunks) = (self.totals.pending + written, self.chunks.len());
        self.unfinished = Some(Unfinished { since: now, bytes, chunks, written });
    }

    fn close(&mut self) {
        self.closed = true;
        self.chunks = VecDeque::new();
        self.totals.pending = 0;
        self.unfinished = None;
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Done,
    Blocked,
    Spent,
    Broken,
}

/// Whether there is nothing in `chunks` behind the first `offset` bytes.
fn is_empty(chunks: &VecDeque<Chunk>, offset: usize) -> bool {
    chunks.iter().map(|chunk| chunk.as_slice().len()).sum::<usize>() == offset
}

/// Writes `chunks` until they are out, the socket is full or the budget is spent; gives the bytes written.
fn write_all(
    wire: &dyn Wire,
    chunks: &mut VecDeque<Chunk>,
    offset: &mut usize,
    budget: usize,
    pool: &mut Pool,
) -> (usize, Outcome) {
    let mut written = 0;
    while !chunks.is_empty() {
        if written >= budget {
            return (written, Outcome::Spent);
        }
        let result = if chunks.len() == 1 {
            wire.try_write(&[IoSlice::new(&chunks[0].as_slice()[*offset..])])
        } else {
            let mut slices = [IoSlice::new(&[]); SLICES];
            let mut n = 0;
            for (slice, chunk) in slices.iter_mut().zip(chunks.iter()) {
                *slice = IoSlice::new(&chunk.as_slice()[if n == 0 { *offset } else { 0 }..]);
                n += 1;
            }
            wire.try_write(&slices[..n])
        };
        match result {
            Ok(0) if !is_empty(chunks, *offset) => return (written, Outcome::Blocked),
            Ok(n) => {
                written += n;
                *offset += n;
                while let Some(first) = chunks.front() {
                    let len = first.as_slice().len();
                    if *offset < len {
                        break;
                    }
                    *offset -= len;
                    if let Some(Chunk::Owned(buffer)) = chunks.pop_front() {
                        pool.give(buffer);
                    }
                }
            }
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => return (written, Outcome::Blocked),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return (written, Outcome::Broken),
        }
    }
    (written, Outcome::Done)
}
