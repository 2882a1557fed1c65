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

use std::collections::{HashMap, HashSet};
use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, Weak};

use tail::Journaled;

pub use disk::JournaledDisk;
pub use replay::{Lost, OpenFile, Replayed, replay};
pub use tail::Tail;

use crate::disk::{Disk, File, is_passing};
use crate::file::is_full;
use frame::SECTOR;

/// Bytes of each of the journal's files, unless one is told otherwise.
const SLOT: u64 = 32 << 20;
/// A round with as many bytes takes no more.
const ROUND: usize = 4 << 20;
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

#[derive(Debug)]
struct Writer {
    disk: Arc<dyn Disk>,
    /// Bytes of each of its files.
    slot_bytes: u64,
    slots: [Slot; 2],
    /// The one that is written to.
    current: usize,
    /// The last round.
    round: u64,
    /// Rounds that were made, those for which there was no room among them.
    made: u64,
    bytes: Vec<u8>,
    is_settling: bool,
    /// It cannot be written, or not be emptied: it takes nothing any more.
    is_broken: bool,
}

/// One of the journal's files.
#[derive(Debug, Default)]
struct Slot {
    file: Option<Arc<dyn File>>,
    /// Where the next round goes.
    at: u64,
    /// Nothing is written from here on.
    used: u64,
    /// The first round in it that counts.
    first: u64,
    /// Files of which it has something that counts. With none it may be written over.
    files: HashMap<Path, Arc<Tail>>,
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
        let writer = Writer {
            disk,
            slot_bytes,
            slots: Default::default(),
            current: 0,
            round: 0,
            made: 0,
            bytes: Vec::new(),
            is_settling: false,
            is_broken: false,
        };
        Self { writer: Mutex::new(writer), open: Mutex::default() }
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

impl Writer {
    /// Makes a round of what was added to files; gives of each whether it is in, and those that were not durable.
    fn collect(&mut self, files: &[&dyn File]) -> (Vec<bool>, Vec<Arc<Tail>>) {
        self.made += 1;
        let most = ROUND.min(usize::try_from(self.slot_bytes / 2).unwrap_or(ROUND));
        let (bytes, made, mut taken) = (&mut self.bytes, self.made, Vec::new());
        bytes.clear();
        bytes.resize(frame::HEADER, 0);
        let take = |file: &&dyn File| {
            let Some(tail) = file.tail().filter(|_| bytes.len() < most) else { return false };
            let before = bytes.len();
            let is_in = tail.collect(made, |range, file| {
                frame::push(bytes, tail.path(), range, |into| match file.read_at(into, range.start)? {
                    len if len == into.len() => Ok(()),
                    _ => Err(io::ErrorKind::UnexpectedEof.into()),
                })
            });
            if bytes.len() > before {
                taken.push(Arc::clone(tail));
            }
            is_in
        };
        let durable = files.iter().map(take).collect();
        (durable, taken)
    }

    /// Writes and syncs the round that was made; `false` if there is no room for it now.
    fn write(&mut self, taken: &[Arc<Tail>]) -> io::Result<bool> {
        let len = self.bytes.len().next_multiple_of(SECTOR) as u64;
        // Two sectors stay free: for the rounds that say of the other file, and of this one, that they do not count.
        let room = self.slot_bytes - 2 * SECTOR as u64;
        if self.slots[self.current].at + len > room {
            if len > room || !self.other().files.is_empty() {
                return Ok(false);
            }
            self.current = 1 - self.current;
            self.slots[self.current].at = 0;
        }
        let next = self.round + 1;
        let slot = self.opened()?;
        if slot.at == 0 {
            slot.first = next;
        }
        // Before it is written: from then on it may be found.
        for tail in taken {
            if !slot.files.contains_key(tail.path()) {
                slot.files.insert(Arc::clone(tail.path()), Arc::clone(tail));
            }
        }
        let other = self.other();
        let valid_from = if other.files.is_empty() { self.slots[self.current].first } else { other.first };
        self.put(valid_from)?;
        Ok(true)
    }

    /// The file that is not written to.
    fn other(&self) -> &Slot {
        &self.slots[1 - self.current]
    }

    /// The one that is, there and with all its bytes set aside.
    fn opened(&mut self) -> io::Result<&mut Slot> {
        let slot = &mut self.slots[self.current];
        slot.open(&*self.disk, NAMES[self.current], self.slot_bytes)?;
        Ok(slot)
    }

    /// Writes what `bytes` has as the next round, and syncs it.
    fn put(&mut self, valid_from: u64) -> io::Result<()> {
        frame::finish(&mut self.bytes, self.round + 1, valid_from);
        let slot = &mut self.slots[self.current];
        let file = slot.file.as_ref().expect("it has been opened");
        file.write_at(&[&self.bytes], slot.at)?;
        slot.used = slot.used.max(slot.at + self.bytes.len() as u64);
        file.sync()?;
        slot.at += self.bytes.len() as u64;
        self.round += 1;
        Ok(())
    }

    /// Says that rounds before one do not count.
    fn put_nothing(&mut self, valid_from: u64) -> io::Result<()> {
        self.bytes.clear();
        self.bytes.resize(frame::HEADER, 0);
        self.put(valid_from)
    }

    /// What the other file has is durable in its place; gives of which files that is something.
    fn release(&mut self) -> io::Result<HashMap<Path, Arc<Tail>>> {
        if self.other().files.is_empty() {
            return Ok(HashMap::new());
        }
        let next = self.round + 1;
        let slot = self.opened()?;
        if slot.at == 0 {
            slot.first = next;
        }
        let first = slot.first;
        self.put_nothing(first)?;
        let other = &mut self.slots[1 - self.current];
        if let Some(file) = other.file.as_ref().filter(|_| other.at < other.used) {
            // What is left of the time before, behind the last round: nobody knows any more of which files that is.
            zero(&**file, other.at..other.used)?;
            other.used = other.at;
        }
        Ok(std::mem::take(&mut other.files))
    }

    /// See [`Journal::empty`].
    fn empty(&mut self) -> io::Result<()> {
        if self.slots.iter().all(|slot| slot.used == 0) {
            return Ok(());
        }
        for tail in self.slots.iter().flat_map(|slot| slot.files.values()) {
            tail.settle().map_err(|error| {
                let text = format!("the journal has what cannot be synced to {}: {error}", tail.path());
                io::Error::new(io::ErrorKind::ResourceBusy, text)
            })?;
        }
        // First that nothing counts, then nothing: else a crash in between would look like damage.
        let at = self.opened()?.at;
        self.put_nothing(self.round + 1)?;
        let spared = at..at + SECTOR as u64;
        let current = self.current;
        for (number, slot) in self.slots.iter_mut().enumerate() {
            slot.wipe(if number == current { &spared } else { &(0..0) })?;
        }
        Ok(())
    }
}

impl Slot {
    /// Sees to it that its file is there, with all its bytes set aside.
    fn open(&mut self, disk: &dyn Disk, name: &str, slot_bytes: u64) -> io::Result<()> {
        if self.file.is_some() {
            return Ok(());
        }
        let file = disk.create(name)?;
        let made = file.allocate(slot_bytes).and_then(|()| file.sync()).and_then(|()| disk.sync_names());
        made.inspect_err(|_| drop(disk.remove(name)))?;
        self.file = Some(file);
        Ok(())
    }

    /// Leaves no byte of it but those of `spare`.
    fn wipe(&mut self, spare: &Range<u64>) -> io::Result<()> {
        let Some(file) = &self.file else { return Ok(()) };
        zero(&**file, 0..self.used.min(spare.start))?;
        zero(&**file, spare.end..self.used.max(spare.end))?;
        file.sync()?;
        for tail in self.files.drain() {
            tail.1.wiped();
        }
        (self.at, self.used) = (0, 0);
        Ok(())
    }
}

/// Whether the journal's file could not be made for a reason that may soon be over.
fn may_pass(error: &io::Error) -> bool {
    is_full(error) || is_passing(error)
}

/// Writes zeros.
fn zero(file: &dyn File, bytes: Range<u64>) -> io::Result<()> {
    static ZEROS: [u8; 1 << 16] = [0; 1 << 16];
    let mut at = bytes.start;
    while at < bytes.end {
        let len = (bytes.end - at).min(ZEROS.len() as u64);
        file.write_at(&[&ZEROS[..usize::try_from(len).expect("64 KiB at most")]], at)?;
        at += len;
    }
    Ok(())
}

/// Removes the journal's files.
fn remove(disk: &dyn Disk) -> io::Result<()> {
    for name in NAMES {
        match disk.remove(name) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    disk.sync_names()
}
