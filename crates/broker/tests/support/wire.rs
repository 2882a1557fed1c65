//! A socket without a network: it keeps what is written to it, and takes as much as it is told to.

use std::io::{self, ErrorKind, IoSlice};
use std::sync::Arc;

use martlet_broker::outbox;
use parking_lot::Mutex;

/// A handle on one connection's wire; clones are the same wire.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wire(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    written: Vec<u8>,
    /// Bytes it still takes; any number if `None`.
    room: Option<usize>,
    /// Bytes it takes at a time; any number if `None`.
    most: Option<usize>,
    broken: bool,
    encrypted: bool,
    woken: bool,
    writes: usize,
}

impl Wire {
    /// Takes nothing until told otherwise.
    pub(crate) fn block(&self) {
        self.0.lock().room = Some(0);
    }

    /// Takes `bytes` more and no further.
    pub(crate) fn take(&self, bytes: usize) {
        let mut state = self.0.lock();
        state.room = Some(bytes);
        state.woken = true;
    }

    /// Takes everything again.
    pub(crate) fn unblock(&self) {
        let mut state = self.0.lock();
        state.room = None;
        state.woken = true;
    }

    /// Takes at most `bytes` in one write.
    pub(crate) fn take_at_a_time(&self, bytes: usize) {
        self.0.lock().most = Some(bytes);
    }

    /// Fails every write from now on.
    pub(crate) fn break_down(&self) {
        self.0.lock().broken = true;
    }

    /// Is dear to write to, as TLS is.
    pub(crate) fn encrypt(&self) {
        self.0.lock().encrypted = true;
    }

    /// What was written since the last call.
    pub(crate) fn written(&self) -> Vec<u8> {
        std::mem::take(&mut self.0.lock().written)
    }

    /// Writes that took something, ever.
    pub(crate) fn writes(&self) -> usize {
        self.0.lock().writes
    }

    /// Whether the connection was woken since the last call.
    pub(crate) fn take_wake(&self) -> bool {
        std::mem::take(&mut self.0.lock().woken)
    }
}

impl outbox::Wire for Wire {
    fn try_write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut state = self.0.lock();
        if state.broken {
            return Err(ErrorKind::BrokenPipe.into());
        }
        let offered: usize = slices.iter().map(|s| s.len()).sum();
        let takes = offered.min(state.room.unwrap_or(usize::MAX)).min(state.most.unwrap_or(usize::MAX));
        if takes == 0 && offered > 0 {
            return Err(ErrorKind::WouldBlock.into());
        }
        state.room = state.room.map(|room| room - takes);
        state.writes += 1;
        let mut left = takes;
        for slice in slices {
            let n = slice.len().min(left);
            state.written.extend_from_slice(&slice[..n]);
            left -= n;
        }
        Ok(takes)
    }

    fn wake(&self) {
        self.0.lock().woken = true;
    }

    fn is_cheap(&self) -> bool {
        !self.0.lock().encrypted
    }
}
