//! A disk in memory that never fails and takes no time: for measurements of all else.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use crate::disk::{Disk, File};

/// The disk. Clones are the same disk.
#[derive(Debug, Clone, Default)]
pub struct SteadyDisk(Arc<Mutex<BTreeMap<String, Arc<Content>>>>);

#[derive(Debug, Default)]
struct Content(Mutex<Vec<u8>>);

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().expect("nothing panics with it")
}

fn at(offset: u64) -> usize {
    usize::try_from(offset).expect("it fits into memory")
}

impl Disk for SteadyDisk {
    fn create(&self, name: &str) -> io::Result<Arc<dyn File>> {
        lock(&self.0).insert(name.to_owned(), Arc::default());
        self.open(name)
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn File>> {
        let file = lock(&self.0).get(name).cloned().ok_or(io::ErrorKind::NotFound)?;
        Ok(file)
    }

    fn list(&self) -> io::Result<Vec<String>> {
        Ok(lock(&self.0).keys().cloned().collect())
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let file = lock(&self.0).remove(from).ok_or(io::ErrorKind::NotFound)?;
        lock(&self.0).insert(to.to_owned(), file);
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        lock(&self.0).remove(name).map(drop).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn sync_names(&self) -> io::Result<()> {
        Ok(())
    }
}

impl File for Content {
    fn len(&self) -> io::Result<u64> {
        Ok(lock(&self.0).len() as u64)
    }

    fn read_at(&self, into: &mut [u8], offset: u64) -> io::Result<usize> {
        let bytes = lock(&self.0);
        let rest = bytes.get(at(offset)..).unwrap_or_default();
        let len = rest.len().min(into.len());
        into[..len].copy_from_slice(&rest[..len]);
        Ok(len)
    }

    fn write_at(&self, parts: &[&[u8]], offset: u64) -> io::Result<()> {
        let (mut bytes, mut from) = (lock(&self.0), at(offset));
        for part in parts {
            let end = from + part.len();
            if bytes.len() < end {
                bytes.resize(end, 0);
            }
            bytes[from..end].copy_from_slice(part);
            from = end;
        }
        Ok(())
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        let mut bytes = lock(&self.0);
        let len = at(len).max(bytes.len());
        bytes.resize(len, 0);
        Ok(())
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        lock(&self.0).truncate(at(len));
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}
