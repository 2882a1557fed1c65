//! What a store needs of a disk. The real one is at the edge; tests have one that loses power, tears writes and fills up.

use std::fmt::Debug;
use std::io;
use std::sync::Arc;

use crate::journal::Tail;

/// Whether something failed for a reason that may soon be over, such as that there are no more files or no memory to be had: what could
/// not be read is as it was, and is asked for again later. A disk says so by the kind of its error.
pub fn is_passing(error: &io::Error) -> bool {
    use io::ErrorKind::{Interrupted, OutOfMemory, ResourceBusy, WouldBlock};
    matches!(error.kind(), Interrupted | OutOfMemory | ResourceBusy | WouldBlock)
}

/// A directory of files, flat: one stream's. Names are made by the store and need no escaping.
pub trait Disk: Debug + Send + Sync {
    /// Creates an empty file; an error if it is there.
    fn create(&self, name: &str) -> io::Result<Arc<dyn File>>;
    /// Opens a file; [`io::ErrorKind::NotFound`] if it is not there.
    fn open(&self, name: &str) -> io::Result<Arc<dyn File>>;
    /// The names of all files.
    fn list(&self) -> io::Result<Vec<String>>;
    /// Gives a file another name, replacing what has it; durable after [`Self::sync_names`].
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    /// Removes a file; durable after [`Self::sync_names`].
    fn remove(&self, name: &str) -> io::Result<()>;
    /// Makes creations, renames and removals durable.
    fn sync_names(&self) -> io::Result<()>;
}

/// An open file. Reads and writes name their position; several threads may use one file.
pub trait File: Debug + Send + Sync {
    /// Its length in bytes.
    fn len(&self) -> io::Result<u64>;
    /// Whether it has no bytes.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }
    /// Reads up to `into.len()` bytes at `offset`; fewer only at the end of the file.
    fn read_at(&self, into: &mut [u8], offset: u64) -> io::Result<usize>;
    /// Writes all of `parts`, one behind the other, from `offset` on.
    fn write_at(&self, parts: &[&[u8]], offset: u64) -> io::Result<()>;
    /// Has the disk set `len` bytes aside and makes the file that long: new bytes are zero. A full disk says so here.
    fn allocate(&self, len: u64) -> io::Result<()>;
    /// Cuts the file.
    fn truncate(&self, len: u64) -> io::Result<()>;
    /// Returns when everything written before is durable, with the file's length.
    fn sync(&self) -> io::Result<()>;
    /// What a journal knows of it, which may make durable what is added to it.
    fn tail(&self) -> Option<&Arc<Tail>> {
        None
    }
}

/// Files to sync so that everything up to an entry is durable. Runs on any thread; the store is told the result.
#[derive(Debug, Clone)]
pub struct SyncJob {
    /// The entry: all up to it are durable when the job is done.
    pub through: u64,
    /// What to sync.
    pub files: Vec<Arc<dyn File>>,
    /// Where names have changed.
    pub names: Option<Arc<dyn Disk>>,
}

impl SyncJob {
    /// The file that it is about, if a journal may do it.
    pub fn journaled(&self) -> Option<&dyn File> {
        let [file] = &self.files[..] else { return None };
        (self.names.is_none() && file.tail().is_some()).then_some(&**file)
    }

    /// Syncs.
    pub fn run(&self) -> io::Result<()> {
        self.files.iter().try_for_each(|file| file.sync())?;
        self.names.as_ref().map_or(Ok(()), |disk| disk.sync_names())
    }
}
