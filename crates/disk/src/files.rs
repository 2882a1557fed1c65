//! A directory as a store's disk.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, IoSlice};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use martlet_store::disk::{Disk, File};
use rustix::fs::{FallocateFlags, fallocate};
use rustix::io::pwritev;

/// A directory of files.
#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
    /// Itself, open: what is durable must not hang on whether there is another file to be had just then.
    handle: fs::File,
}

impl Directory {
    /// The directory at `path`; it is made if it is not there, and so are those above it.
    pub fn create(path: &Path) -> io::Result<Self> {
        if !path.is_dir() {
            fs::create_dir_all(path)?;
            // The entry of a directory is its parent's to keep.
            for above in path.ancestors().skip(1).take_while(|above| !above.as_os_str().is_empty()) {
                sync_directory(above)?;
            }
        }
        Ok(Self { path: path.to_owned(), handle: fs::File::open(path)? })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn at(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}

/// Makes what was created, renamed or removed in a directory durable.
fn sync_directory(path: &Path) -> io::Result<()> {
    fs::File::open(path)?.sync_all()
}

/// Whether writing is not allowed here, or not any more.
fn is_refused(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied)
}

/// Says by its kind whether an error may soon be over, as a store is told.
fn kind_of(error: io::Error) -> io::Error {
    match rustix::io::Errno::from_io_error(&error) {
        // These have no kind of their own: there are no more files to be had just now.
        Some(rustix::io::Errno::MFILE | rustix::io::Errno::NFILE) => io::Error::new(ErrorKind::ResourceBusy, error),
        _ => error,
    }
}

impl Disk for Directory {
    fn create(&self, name: &str) -> io::Result<Arc<dyn File>> {
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create_new(true).mode(0o640).open(self.at(name)).map_err(kind_of)?;
        Ok(Arc::new(RealFile { file, refused: None }))
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn File>> {
        let (path, mut options) = (self.at(name), OpenOptions::new());
        let (file, refused) = match options.read(true).write(true).open(&path) {
            // What may not be written may still be read.
            Err(error) if is_refused(&error) => (options.write(false).open(&path)?, error.raw_os_error()),
            opened => (opened.map_err(kind_of)?, None),
        };
        Ok(Arc::new(RealFile { file, refused }))
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            if entry.file_type()?.is_file() {
                // A store gives its files plain names: another is somebody else's.
                names.extend(entry.file_name().into_string().ok());
            }
        }
        Ok(names)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.at(from), self.at(to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.at(name))
    }

    fn sync_names(&self) -> io::Result<()> {
        self.handle.sync_all()
    }
}

/// A file.
#[derive(Debug)]
struct RealFile {
    file: fs::File,
    /// Why it can only be read.
    refused: Option<i32>,
}

impl RealFile {
    /// The file, to be changed.
    fn to_change(&self) -> io::Result<&fs::File> {
        self.refused.map_or(Ok(&self.file), |code| Err(io::Error::from_raw_os_error(code)))
    }
}

impl File for RealFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn read_at(&self, into: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut done = 0;
        while done < into.len() {
            match self.file.read_at(&mut into[done..], offset + done as u64) {
                Ok(0) => break,
                Ok(read) => done += read,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(done)
    }

    fn write_at(&self, parts: &[&[u8]], mut offset: u64) -> io::Result<()> {
        let file = self.to_change()?;
        if let [part] = parts {
            return file.write_all_at(part, offset);
        }
        let mut slices: Vec<IoSlice<'_>> = parts.iter().map(|part| IoSlice::new(part)).collect();
        let mut left = slices.as_mut_slice();
        IoSlice::advance_slices(&mut left, 0);
        while !left.is_empty() {
            match pwritev(file, left, offset) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(written) => {
                    offset += written as u64;
                    IoSlice::advance_slices(&mut left, written);
                }
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        let (file, now) = (self.to_change()?, self.len()?);
        if now >= len {
            return Ok(());
        }
        match fallocate(file, FallocateFlags::empty(), now, len - now) {
            // A file system that cannot set space aside still has files.
            Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => file.set_len(len),
            done => Ok(done?),
        }
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        self.to_change()?.set_len(len)
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_written_in_parts_and_read_where_they_are() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let disk = Directory::create(&dir.path().join("a/b")).expect("made");
        let file = disk.create("1").expect("new");
        assert_eq!(disk.create("1").expect_err("it is there").kind(), ErrorKind::AlreadyExists);
        file.allocate(8192).expect("room");
        file.write_at(&[b"one", b"", b"two"], 100).expect("written");
        file.sync().expect("synced");
        let mut read = [0; 8];
        assert_eq!(file.read_at(&mut read, 99).expect("read"), 8);
        assert_eq!(&read, b"\0onetwo\0");
        assert_eq!(file.len().expect("a length"), 8192);
        file.truncate(103).expect("cut");
        assert_eq!(file.read_at(&mut read, 100).expect("read"), 3);
        disk.rename("1", "2").expect("renamed");
        disk.sync_names().expect("synced");
        assert_eq!(disk.list().expect("a list"), ["2"]);
        disk.remove("2").expect("removed");
        assert_eq!(disk.open("2").expect_err("it is gone").kind(), ErrorKind::NotFound);
    }
}
