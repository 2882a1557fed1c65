//! A directory whose logs have a journal.

use std::io;
use std::sync::Arc;

use super::{Journal, Path};
use crate::disk::{Disk, File};
use crate::file::is_segment;

/// A stream's directory. Of its files only the segments of its log have to do with the journal.
#[derive(Debug)]
pub struct JournaledDisk {
    disk: Arc<dyn Disk>,
    journal: Arc<Journal>,
    /// Its path, from the journal's directory.
    directory: String,
}

impl JournaledDisk {
    /// The directory that `disk` is, and where that is from the journal's directory, with `/`.
    pub fn new(disk: Arc<dyn Disk>, journal: Arc<Journal>, directory: String) -> Self {
        Self { disk, journal, directory }
    }

    /// The path of a file that has to do with the journal.
    fn path(&self, name: &str) -> Option<Path> {
        is_segment(name).then(|| format!("{}/{name}", self.directory).into())
    }

    fn journaled(&self, name: &str, file: Arc<dyn File>) -> Arc<dyn File> {
        match self.path(name) {
            Some(path) => self.journal.file(&path, file),
            None => file,
        }
    }

    fn replace(&self, name: &str) -> io::Result<()> {
        self.path(name).map_or(Ok(()), |path| self.journal.replace(&path))
    }
}

impl Disk for JournaledDisk {
    fn create(&self, name: &str) -> io::Result<Arc<dyn File>> {
        self.replace(name)?;
        Ok(self.journaled(name, self.disk.create(name)?))
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn File>> {
        Ok(self.journaled(name, self.disk.open(name)?))
    }

    fn list(&self) -> io::Result<Vec<String>> {
        self.disk.list()
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.replace(from)?;
        self.replace(to)?;
        self.disk.rename(from, to)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.disk.remove(name)?;
        if let Some(path) = self.path(name) {
            self.journal.forget(&path);
        }
        Ok(())
    }

    fn sync_names(&self) -> io::Result<()> {
        self.disk.sync_names()
    }
}
