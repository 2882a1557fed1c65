//! A journal that many streams share: what is added to many files is made durable by one write and one sync.
//!
//! A sync costs what it costs whatever its size, and one file of a thousand needs its own. Where syncs queue up, what was
//! added to the files is written to the journal once more, all of it in one *round*, and the journal alone is synced. The
//! files follow at leisure, before the journal's file is written over. After a crash the journal is written to the files
//! again, before anything else looks at them ([`replay`]).
//!
//! A journal has two files and fills them in turn. A round says from which round on they count: those of the other file do until
//! all that they have is durable in its place, and a round that is durable itself has said so.
//!
//! Invariant: writing the rounds that count to their files again, at any time, changes nothing that is durable: a file
//! of which the journal has something only grows (`tail`).

mod disk;
mod frame;
pub(crate) mod probe;
mod replay;
mod tail;
#[cfg(test)]
mod tests;
mod writer;

use std::collections::{HashMap, HashSet};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, Weak};

use tail::Journaled;
use writer::{Slot, Writer, remove};

pub use disk::JournaledDisk;
pub use replay::{Lost, OpenFile, Replayed, replay};
pub use tail::Tail;

use crate::disk::{Disk, File, is_passing};
use crate::file::is_full;

/// Bytes of each of the journal's files, unless one is told otherwise.
const SLOT: u64 = 32 << 20;
/// The names of the journal's files.
const NAMES: [&str; 2] = ["journal.0", "journal.1"];

/// The path of a file, from the journal's directory.
type Path = Arc<str>;

/// See the module's text.
#[derive(Debug)]
pub struct Journal {
    writer: Mutex<Writer>,
    /// Files that are open.
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    tails: HashMap<Path, Weak<Tail>>,
    /// Those of which there are copies in the journal's files that do not count any more, and are not yet written over.
    copied: [HashSet<Path>; 2],
    /// At so many, those closed since are forgotten.
    sweep_at: usize,
}

/// What a round did.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Round {
    /// Of each file, whether it is durable; the others are to be synced by themselves.
    pub durable: Vec<bool>,
    /// One of the journal's files is full, and nobody does anything about it: [`Journal::settle`] is to be called.
    pub is_full: bool,
}

impl Journal {
    /// A journal in a directory, which has had its [`replay`]. Nothing is written before the first round.
    pub fn new(disk: Arc<dyn Disk>) -> Self {
        Self::with_size(disk, SLOT)
    }

    /// The same, with files of so many bytes.
    pub fn with_size(disk: Arc<dyn Disk>, slot_bytes: u64) -> Self {
        Self { writer: Mutex::new(Writer::new(disk, slot_bytes)), open: Mutex::default() }
    }

    fn writer(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().expect("nobody panics while holding it")
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().expect("nobody panics while holding it")
    }

    /// Makes durable what was added to files, with one sync of the journal. An error is the journal's: it takes nothing from then on,
    /// and the files are to be synced by themselves.
    pub fn commit(&self, files: &[&dyn File]) -> io::Result<Round> {
        let mut writer = self.writer();
        if writer.is_broken {
            return Ok(Round { durable: vec![false; files.len()], is_full: false });
        }
        let (mut durable, taken) = writer.collect(files);
        if taken.is_empty() {
            return Ok(Round { durable, is_full: false });
        }
        match writer.write(&taken) {
            Ok(true) => taken.iter().for_each(|tail| tail.committed()),
            Ok(false) => durable.fill(false),
            Err(error) if may_pass(&error) => durable.fill(false),
            Err(error) => {
                writer.is_broken = true;
                return Err(error);
            }
        }
        let is_full = !writer.is_settling && !writer.other().files.is_empty();
        writer.is_settling |= is_full;
        Ok(Round { durable, is_full })
    }

    /// Makes what is in the full one of the journal's files durable in its place, so that it may be written over. Takes a while, and
    /// may run beside rounds. An error is told once: nothing is taken from then on, and what is there stays.
    pub fn settle(&self) -> io::Result<()> {
        let (first, tails) = {
            let writer = self.writer();
            (writer.other().first, writer.other().files.values().cloned().collect::<Vec<_>>())
        };
        let settled = tails.iter().try_for_each(|tail| tail.settle());
        let mut writer = self.writer();
        writer.is_settling = false;
        let settled = match settled {
            // It may have been emptied meanwhile.
            Ok(()) if writer.other().first == first => match self.release(&mut writer) {
                // Until then the files are synced by themselves.
                Err(error) if may_pass(&error) => Ok(()),
                released => released,
            },
            settled => settled,
        };
        let was_broken = writer.is_broken;
        writer.is_broken |= settled.is_err();
        if was_broken { Ok(()) } else { settled }
    }

    /// What the full file has is durable in its place: from now on it does not count.
    fn release(&self, writer: &mut Writer) -> io::Result<()> {
        let released = writer.release()?;
        self.open().copied[1 - writer.current] = released.into_keys().collect();
        Ok(())
    }

    /// Makes all that it has durable in its place, and leaves no byte of it in its files; [`io::ErrorKind::ResourceBusy`] if some file
    /// cannot be synced.
    fn empty(&self) -> io::Result<()> {
        self.empty_for(&mut self.writer())
    }

    fn empty_for(&self, writer: &mut Writer) -> io::Result<()> {
        writer.empty()?;
        self.open().copied = Default::default();
        Ok(())
    }

    /// Leaves nothing behind: the next start finds no journal.
    pub fn close(&self) -> io::Result<()> {
        let mut writer = self.writer();
        self.empty_for(&mut writer)?;
        writer.is_broken = true;
        remove(&*writer.disk)
    }

    /// A file at a path, which is known once however often it is opened.
    fn file(self: &Arc<Self>, path: &Path, file: Arc<dyn File>) -> Arc<dyn File> {
        let mut open = self.open();
        let known = open.tails.get(path).and_then(Weak::upgrade);
        let tail = known.unwrap_or_else(|| {
            if open.tails.len() >= open.sweep_at {
                open.tails.retain(|_, tail| tail.strong_count() > 0);
                open.sweep_at = 64.max(2 * open.tails.len());
            }
            let has_copies = open.copied.iter().any(|paths| paths.contains(path));
            let tail = Arc::new(Tail::new(Arc::clone(path), file, has_copies));
            open.tails.insert(Arc::clone(path), Arc::downgrade(&tail));
            tail
        });
        drop(open);
        Arc::new(Journaled { tail, journal: Arc::clone(self) })
    }

    /// Another file gets a path: what is known of the one that had it does not concern it.
    fn replace(&self, path: &str) -> io::Result<()> {
        self.forget(path);
        // What is in a round that is being written is in force when the lock is had.
        let mut writer = self.writer();
        let has = writer.slots.iter().any(|slot| slot.files.contains_key(path));
        if has { self.empty_for(&mut writer) } else { Ok(()) }
    }

    /// A directory is another one from now on: what is known of files below it does not concern those that it has then.
    pub fn replace_below(&self, directory: &str) -> io::Result<()> {
        let is_below = |path: &str| path.strip_prefix(directory).is_some_and(|rest| rest.starts_with('/'));
        for (_, tail) in self.open().tails.extract_if(|path, _| is_below(path)) {
            if let Some(tail) = tail.upgrade() {
                tail.retire();
            }
        }
        let mut writer = self.writer();
        let has = |slot: &Slot| slot.files.keys().any(|path| is_below(path));
        if writer.slots.iter().any(has) { self.empty_for(&mut writer) } else { Ok(()) }
    }

    /// A file is removed. What the journal has of it gets to its place like any other's: the name may be back after a power cut.
    fn forget(&self, path: &str) {
        if let Some(tail) = self.open().tails.remove(path).and_then(|tail| tail.upgrade()) {
            tail.retire();
        }
    }
}

/// Whether the journal's file could not be made for a reason that may soon be over.
fn may_pass(error: &io::Error) -> bool {
    is_full(error) || is_passing(error)
}
