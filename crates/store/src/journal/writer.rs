//! The journal's two files, and the rounds in them.
//!
//! Invariant: a round that counts is never written over.

use std::collections::HashMap;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use super::frame::{self, SECTOR};
use super::{NAMES, Path, Tail};
use crate::disk::{Disk, File};

/// A round with as many bytes takes no more.
const ROUND: usize = 4 << 20;

/// What writes them, one round after the other.
#[derive(Debug)]
pub(super) struct Writer {
    pub disk: Arc<dyn Disk>,
    /// Bytes of each of its files.
    slot_bytes: u64,
    pub slots: [Slot; 2],
    /// The one that is written to.
    pub current: usize,
    /// The last round.
    round: u64,
    /// Rounds that were made, those for which there was no room among them.
    made: u64,
    bytes: Vec<u8>,
    pub is_settling: bool,
    /// It cannot be written, or not be emptied: it takes nothing any more.
    pub is_broken: bool,
}

/// One of the journal's files.
#[derive(Debug, Default)]
pub(super) struct Slot {
    file: Option<Arc<dyn File>>,
    /// Where the next round goes.
    at: u64,
    /// Nothing is written from here on.
    used: u64,
    /// The first round in it that counts.
    pub first: u64,
    /// Files of which it has something that counts. With none it may be written over.
    pub files: HashMap<Path, Arc<Tail>>,
}

impl Writer {
    pub(super) fn new(disk: Arc<dyn Disk>, slot_bytes: u64) -> Self {
        Self {
            disk,
            slot_bytes,
            slots: Default::default(),
            current: 0,
            round: 0,
            made: 0,
            bytes: Vec::new(),
            is_settling: false,
            is_broken: false,
        }
    }

    /// Makes a round of what was added to files; gives of each whether it is in, and those that were not durable.
    pub(super) fn collect(&mut self, files: &[&dyn File]) -> (Vec<bool>, Vec<Arc<Tail>>) {
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
    pub(super) fn write(&mut self, taken: &[Arc<Tail>]) -> io::Result<bool> {
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
        let slot = self.opened()?;
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
    pub(super) fn other(&self) -> &Slot {
        &self.slots[1 - self.current]
    }

    /// The one that is, there and with all its bytes set aside, and begun.
    fn opened(&mut self) -> io::Result<&mut Slot> {
        let slot = &mut self.slots[self.current];
        slot.open(&*self.disk, NAMES[self.current], self.slot_bytes)?;
        if slot.at == 0 {
            slot.first = self.round + 1;
        }
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
    pub(super) fn release(&mut self) -> io::Result<HashMap<Path, Arc<Tail>>> {
        if self.other().files.is_empty() {
            return Ok(HashMap::new());
        }
        let first = self.opened()?.first;
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
    pub(super) fn empty(&mut self) -> io::Result<()> {
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

/// Writes zeros.
pub(super) fn zero(file: &dyn File, bytes: Range<u64>) -> io::Result<()> {
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
pub(super) fn remove(disk: &dyn Disk) -> io::Result<()> {
    for name in NAMES {
        match disk.remove(name) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    disk.sync_names()
}
