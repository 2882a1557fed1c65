//! A disk in memory that does to a store what disks do: it loses power, tears writes, fills up, fails, and rots.
//!
//! What is assumed of a real one is what this one keeps: a sync makes all that was written before durable; a sector of 512
//! bytes is written whole or not at all; what was not synced may be there, in parts and in any order, or not.
//!
//! Every operation that changes something counts. Power can be set to go at one of them.

mod steady;

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

pub use steady::SteadyDisk;

use crate::disk::{Disk, File};

const SECTOR: usize = 512;

/// What happens to writes that were not synced when the power goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsynced {
    /// All of them are lost.
    Dropped,
    /// All of them are there.
    Kept,
    /// Each sector of each file is there or not, by chance of this seed.
    Torn(u64),
}

/// Which operation fails, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failing {
    /// Nothing more fits into the disk than this many bytes.
    FullAt(u64),
    /// Writes fail.
    Write,
    /// Syncs fail.
    Sync,
    /// Setting bytes aside fails.
    Allocate,
    /// There are no more files for now: none is opened or created.
    Files,
    /// There is no memory for now: nothing is read.
    Memory,
}

/// The disk. Clones are the same disk.
#[derive(Debug, Clone, Default)]
pub struct SimDisk(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    /// Names as programs see them.
    names: BTreeMap<String, u64>,
    /// Names as they were synced.
    durable_names: BTreeMap<String, u64>,
    files: BTreeMap<u64, Content>,
    next_id: u64,
    operations: u64,
    bytes_read: u64,
    power_goes_at: Option<u64>,
    is_dead: bool,
    failing: Option<Failing>,
    /// Bytes that are not given: of the file of a number, from the first on up to the last.
    refused: Option<(u64, std::ops::Range<u64>)>,
}

/// A file's bytes.
#[derive(Debug, Clone, Default)]
struct Content {
    now: Vec<u8>,
    durable: Vec<u8>,
    /// Sectors written since the last sync.
    dirty: std::collections::BTreeSet<usize>,
}

impl SimDisk {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().expect("no test panics while it holds the disk")
    }

    /// Operations so far that changed something.
    pub fn operations(&self) -> u64 {
        self.inner().operations
    }

    /// Bytes read so far.
    pub fn bytes_read(&self) -> u64 {
        self.inner().bytes_read
    }

    /// The power goes when this many operations have been done: the next one, and all after it, fail.
    pub fn cut_at(&self, operations: u64) {
        self.inner().power_goes_at = Some(operations);
    }

    /// Makes operations fail, or no more.
    pub fn fail(&self, failing: Option<Failing>) {
        self.inner().failing = failing;
    }

    /// Reads of some bytes of a file fail from now on.
    pub fn refuse(&self, name: &str, bytes: std::ops::Range<u64>) {
        let mut inner = self.inner();
        inner.refused = Some((inner.names[name], bytes));
    }

    /// The power goes now, and comes back: gives the disk as it is then.
    #[must_use]
    pub fn restart(&self, unsynced: Unsynced) -> Self {
        let inner = self.inner();
        let mut chance = Chance(match unsynced {
            Unsynced::Torn(seed) => seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
            _ => 1,
        });
        let mut after = Inner { next_id: inner.next_id, ..Inner::default() };
        after.names = match unsynced {
            Unsynced::Kept => inner.names.clone(),
            Unsynced::Torn(_) if chance.coin() => inner.names.clone(),
            _ => inner.durable_names.clone(),
        };
        for id in after.names.values() {
            let content = &inner.files[id];
            let bytes = match unsynced {
                Unsynced::Dropped => content.durable.clone(),
                Unsynced::Kept => content.now.clone(),
                Unsynced::Torn(_) => content.torn(&mut chance),
            };
            after.files.insert(*id, Content { now: bytes.clone(), durable: bytes, ..Content::default() });
        }
        after.durable_names = after.names.clone();
        Self(Arc::new(Mutex::new(after)))
    }

    /// A copy that goes its own way.
    #[must_use]
    pub fn fork(&self) -> Self {
        self.restart(Unsynced::Kept)
    }

    /// The bytes of a file.
    pub fn bytes(&self, name: &str) -> Option<Vec<u8>> {
        let inner = self.inner();
        inner.names.get(name).map(|id| inner.files[id].now.clone())
    }

    /// Puts bytes into a file behind everyone's back.
    pub fn set_bytes(&self, name: &str, bytes: Vec<u8>) {
        let mut inner = self.inner();
        let id = match inner.names.get(name) {
            Some(id) => *id,
            None => inner.new_id(name),
        };
        inner.durable_names.insert(name.to_owned(), id);
        inner.files.insert(id, Content { now: bytes.clone(), durable: bytes, ..Content::default() });
    }

    /// Changes the bytes of a file that others have open, behind their backs.
    pub fn set_bytes_in_place(&self, name: &str, bytes: &[u8]) {
        let mut inner = self.inner();
        let id = inner.names[name];
        let content = inner.files.get_mut(&id).expect("named files have bytes");
        content.now = bytes.to_vec();
        content.durable = bytes.to_vec();
    }

    /// Removes a file behind everyone's back.
    pub fn lose(&self, name: &str) {
        let mut inner = self.inner();
        inner.names.remove(name);
        inner.durable_names.remove(name);
    }

    /// Bytes of all files.
    pub fn used(&self) -> u64 {
        let inner = self.inner();
        inner.names.values().map(|id| inner.files[id].now.len() as u64).sum()
    }
}

/// A row of numbers that looks like chance and is the same every time.
#[derive(Debug)]
struct Chance(u64);

impl Chance {
    fn coin(&mut self) -> bool {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 >> 33 & 1 == 1
    }
}

impl Content {
    fn torn(&self, chance: &mut Chance) -> Vec<u8> {
        let keeps_length = chance.coin();
        let len = if keeps_length { self.now.len() } else { self.durable.len() };
        let mut bytes = self.durable.clone();
        bytes.resize(len, 0);
        for &sector in &self.dirty {
            if !chance.coin() {
                continue;
            }
            let from = sector * SECTOR;
            let to = (from + SECTOR).min(len).min(self.now.len());
            if from < to {
                bytes[from..to].copy_from_slice(&self.now[from..to]);
            }
        }
        bytes
    }

    fn resize(&mut self, len: usize) {
        if len < self.now.len() {
            // What was behind the cut is not there again when the file grows.
            self.dirty.extend(len / SECTOR..=self.now.len() / SECTOR);
        }
        self.now.resize(len, 0);
    }
}

impl Inner {
    /// Counts an operation, unless the power is gone.
    fn operate(&mut self) -> io::Result<()> {
        if self.is_dead || self.power_goes_at.is_some_and(|at| self.operations >= at) {
            self.is_dead = true;
            return Err(io::Error::other("the power is gone"));
        }
        self.operations += 1;
        Ok(())
    }

    fn new_id(&mut self, name: &str) -> u64 {
        self.next_id += 1;
        let id = self.next_id;
        self.names.insert(name.to_owned(), id);
        self.files.insert(id, Content::default());
        id
    }

    fn has_files(&self) -> io::Result<()> {
        if self.failing == Some(Failing::Files) { Err(io::ErrorKind::ResourceBusy.into()) } else { Ok(()) }
    }

    fn has_room(&self, more: u64) -> io::Result<()> {
        let used: u64 = self.names.values().map(|id| self.files[id].now.len() as u64).sum();
        match self.failing {
            Some(Failing::FullAt(most)) if used + more > most => Err(io::ErrorKind::StorageFull.into()),
            _ => Ok(()),
        }
    }
}

fn not_found(name: &str) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, name.to_owned())
}

impl Disk for SimDisk {
    fn create(&self, name: &str) -> io::Result<Arc<dyn File>> {
        let mut inner = self.inner();
        inner.operate()?;
        inner.has_files()?;
        if inner.names.contains_key(name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let id = inner.new_id(name);
        Ok(Arc::new(SimFile { disk: self.clone(), id }))
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn File>> {
        let inner = self.inner();
        inner.has_files()?;
        let id = *inner.names.get(name).ok_or_else(|| not_found(name))?;
        Ok(Arc::new(SimFile { disk: self.clone(), id }))
    }

    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.inner().names.keys().cloned().collect())
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut inner = self.inner();
        inner.operate()?;
        let id = inner.names.remove(from).ok_or_else(|| not_found(from))?;
        inner.names.insert(to.to_owned(), id);
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut inner = self.inner();
        inner.operate()?;
        inner.names.remove(name).map(|_| ()).ok_or_else(|| not_found(name))
    }

    fn sync_names(&self) -> io::Result<()> {
        let mut inner = self.inner();
        inner.operate()?;
        if inner.failing == Some(Failing::Sync) {
            return Err(io::Error::other("the sync failed"));
        }
        inner.durable_names = inner.names.clone();
        Ok(())
    }
}

/// A file of the disk.
#[derive(Debug)]
struct SimFile {
    disk: SimDisk,
    id: u64,
}

impl SimFile {
    fn change(&self, f: impl FnOnce(&mut Inner, &mut Content) -> io::Result<()>) -> io::Result<()> {
        let mut inner = self.disk.inner();
        inner.operate()?;
        let mut content = inner.files.remove(&self.id).ok_or_else(|| not_found("a removed file"))?;
        // Room is counted without this file, which is put back whatever happens.
        let others = inner.names.clone();
        inner.names.retain(|_, id| *id != self.id);
        let result = f(&mut inner, &mut content);
        inner.names = others;
        inner.files.insert(self.id, content);
        result
    }
}

impl File for SimFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.disk.inner().files[&self.id].now.len() as u64)
    }

    fn read_at(&self, into: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut inner = self.disk.inner();
        if inner.failing == Some(Failing::Memory) {
            return Err(io::ErrorKind::OutOfMemory.into());
        }
        if let Some((id, refused)) = &inner.refused
            && *id == self.id
            && offset < refused.end
            && offset + into.len() as u64 > refused.start
        {
            return Err(io::Error::other("the sector cannot be read"));
        }
        let now = &inner.files[&self.id].now;
        let rest = usize::try_from(offset).ok().and_then(|from| now.get(from..)).unwrap_or_default();
        let len = into.len().min(rest.len());
        into[..len].copy_from_slice(&rest[..len]);
        inner.bytes_read += len as u64;
        Ok(len)
    }

    fn write_at(&self, parts: &[&[u8]], offset: u64) -> io::Result<()> {
        self.change(|inner, content| {
            if inner.failing == Some(Failing::Write) {
                return Err(io::Error::other("the write failed"));
            }
            let mut at = usize::try_from(offset).expect("tests are small");
            for part in parts {
                let end = at + part.len();
                if end > content.now.len() {
                    inner.has_room(end as u64)?;
                    content.now.resize(end, 0);
                }
                content.now[at..end].copy_from_slice(part);
                content.dirty.extend(at / SECTOR..=end / SECTOR);
                at = end;
            }
            Ok(())
        })
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        self.change(|inner, content| {
            if inner.failing == Some(Failing::Allocate) {
                return Err(io::Error::other("nothing can be set aside"));
            }
            inner.has_room(len)?;
            let len = usize::try_from(len).expect("tests are small");
            content.resize(len.max(content.now.len()));
            Ok(())
        })
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        self.change(|_, content| {
            content.resize(usize::try_from(len).expect("tests are small").min(content.now.len()));
            Ok(())
        })
    }

    fn sync(&self) -> io::Result<()> {
        self.change(|inner, content| {
            if inner.failing == Some(Failing::Sync) {
                return Err(io::Error::other("the sync failed"));
            }
            content.durable = content.now.clone();
            content.dirty.clear();
            Ok(())
        })
    }
}
