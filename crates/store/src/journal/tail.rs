//! A file that grows, and how far what was written to it is durable: in the journal, or in its place.
//!
//! Invariant: a file whose bytes may be in the journal only grows. Whatever else is to be done to it waits until the journal
//! is empty, and from then on the file is synced by itself.

use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard};

use super::{Journal, Path};
use crate::disk::File;

/// More than this is not written twice.
const MOST: u64 = 64 << 10;

/// What a journal knows of a file.
#[derive(Debug)]
pub struct Tail {
    path: Path,
    file: Arc<dyn File>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Nothing from here on has been written.
    end: u64,
    /// What was written before here is durable.
    durable: u64,
    /// What was written before here is durable in its place.
    in_place: u64,
    /// What was written before here and was not durable, the journal has taken.
    taken: u64,
    /// Changes that only a sync of the file makes durable, and how many of them it has.
    changes: u64,
    synced_changes: u64,
    /// The journal takes no more of it.
    is_direct: bool,
    /// Bytes of it may be in the journal's files, whether they count there or not.
    is_journaled: bool,
    /// The last round that was made with some of it.
    made: u64,
    /// What was written could not be made durable in its place: what the journal has of it stays.
    failed: Option<(io::ErrorKind, String)>,
}

impl State {
    fn wrote(&mut self, offset: u64, len: u64) {
        if self.durable == self.end && offset >= self.end {
            // Nothing is waiting: what waits begins here.
            self.durable = offset;
        } else if offset != self.end {
            self.changes += 1;
        }
        self.end = self.end.max(offset + len);
    }

    fn check(&self) -> io::Result<()> {
        self.failed.as_ref().map_or(Ok(()), |(kind, text)| Err(io::Error::new(*kind, text.clone())))
    }
}

impl Tail {
    /// A file that was opened; `has_copies`: bytes of it may be in the journal's files, though they do not count there.
    pub(super) fn new(path: Path, file: Arc<dyn File>, has_copies: bool) -> Self {
        Self { path, file, state: Mutex::new(State { is_journaled: has_copies, ..State::default() }) }
    }

    /// From the journal's directory.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nobody panics while holding it")
    }

    /// The journal takes no more of it.
    pub(super) fn retire(&self) {
        self.state().is_direct = true;
    }

    /// Gives a round what is not durable yet; whether the file will be durable when the round is.
    pub(super) fn collect(&self, made: u64, push: impl FnOnce(&Range<u64>, &dyn File) -> io::Result<()>) -> bool {
        let mut state = self.state();
        let range = state.durable..state.end;
        let must_be_synced = state.is_direct
            || state.changes != state.synced_changes
            || state.failed.is_some()
            || range.end - range.start > MOST;
        if must_be_synced {
            return false;
        }
        if range.is_empty() || state.made == made {
            return true;
        }
        // Whoever overwrites it sees this, or it is seen here that somebody does.
        state.is_journaled = true;
        if push(&range, &*self.file).is_err() {
            return false;
        }
        (state.made, state.taken) = (made, range.end);
        true
    }

    /// The round is durable that took of it last.
    pub(super) fn committed(&self) {
        let mut state = self.state();
        state.durable = state.durable.max(state.taken);
    }

    /// What the journal has of it becomes durable in its place.
    pub(super) fn settle(&self) -> io::Result<()> {
        {
            let state = self.state();
            if state.in_place >= state.taken {
                return Ok(());
            }
        }
        self.sync()
    }

    /// The journal is empty, and no byte is left in its files.
    pub(super) fn wiped(&self) {
        self.state().is_journaled = false;
    }

    fn sync(&self) -> io::Result<()> {
        let (end, changes) = {
            let state = self.state();
            state.check()?;
            (state.end, state.changes)
        };
        let synced = self.file.sync();
        let mut state = self.state();
        if let Err(error) = &synced {
            // For good: after a sync that failed, systems let the next one succeed, whatever became of the bytes.
            state.failed = Some((error.kind(), error.to_string()));
            return synced;
        }
        state.durable = state.durable.max(end);
        state.in_place = state.in_place.max(end);
        state.synced_changes = state.synced_changes.max(changes);
        Ok(())
    }
}

/// A file of which a journal may make durable what is added to it.
#[derive(Debug)]
pub(super) struct Journaled {
    pub tail: Arc<Tail>,
    pub journal: Arc<Journal>,
}

impl Journaled {
    /// Bytes before `from` may change, or more than bytes.
    fn changes(&self, from: u64) -> io::Result<()> {
        let is_journaled = {
            let mut state = self.tail.state();
            state.changes += 1;
            if from >= state.end {
                return Ok(());
            }
            state.is_direct = true;
            state.is_journaled
        };
        if is_journaled { self.journal.empty() } else { Ok(()) }
    }
}

impl File for Journaled {
    fn len(&self) -> io::Result<u64> {
        self.tail.file.len()
    }

    fn read_at(&self, into: &mut [u8], offset: u64) -> io::Result<usize> {
        self.tail.file.read_at(into, offset)
    }

    fn write_at(&self, parts: &[&[u8]], offset: u64) -> io::Result<()> {
        let (overwrites, may_overwrite) = {
            let state = self.tail.state();
            // Nothing was written since it was opened: whether this does more than add to it cannot be told.
            (offset < state.end, state.end == 0 && state.is_journaled)
        };
        if overwrites {
            self.changes(offset)?;
        } else if may_overwrite {
            self.journal.empty()?;
            self.tail.wiped();
        }
        let written = self.tail.file.write_at(parts, offset);
        let mut state = self.tail.state();
        state.wrote(offset, parts.iter().map(|part| part.len() as u64).sum());
        // How much of it is there nobody knows.
        state.is_direct |= written.is_err();
        written
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        self.changes(u64::MAX)?;
        self.tail.file.allocate(len)
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        self.changes(len)?;
        self.tail.file.truncate(len)
    }

    fn sync(&self) -> io::Result<()> {
        self.tail.sync()
    }

    fn tail(&self) -> Option<&Arc<Tail>> {
        Some(&self.tail)
    }
}
