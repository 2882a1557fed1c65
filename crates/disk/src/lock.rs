//! A directory that one process has to itself.
//!
//! The system forgets the lock when the process ends, however it ends: the file that stays behind says nothing by itself.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// The file that is locked.
const NAME: &str = ".lock";

/// Why a directory cannot be had.
#[derive(Debug, Error)]
pub enum LockError {
    /// Another has it.
    #[error("{path} is in use by {}", .pid.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}")))]
    InUse {
        /// Which directory.
        path: PathBuf,
        /// By whom, as far as that is known.
        pid: Option<u32>,
    },
    /// It cannot be locked.
    #[error("{path} cannot be locked: {error}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
}

/// A directory is this process's for as long as this is there.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Locks the directory at `path`, which is there.
    pub fn take(path: &Path) -> Result<Self, LockError> {
        let name = path.join(NAME);
        let failed = |error| LockError::Io { path: name.clone(), error };
        let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o640).open(&name);
        let mut file = opened.map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                // Whoever has just taken it may not have said who that is.
                let _ = file.read_to_string(&mut text);
                return Err(LockError::InUse { path: path.to_owned(), pid: text.trim().parse().ok() });
            }
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        let mut say = || {
            file.set_len(0)?;
            writeln!(file, "{}", std::process::id())
        };
        match say() {
            // On a full disk it is locked all the same.
            Err(error) if error.kind() != io::ErrorKind::StorageFull => Err(failed(error)),
            _ => Ok(Self { _file: file }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_had_by_one_at_a_time() {
        let dir = tempfile::tempdir().expect("a directory");
        let lock = Lock::take(dir.path()).expect("nobody has it");
        let text = Lock::take(dir.path()).expect_err("it is taken").to_string();
        assert_eq!(text, format!("{} is in use by process {}", dir.path().display(), std::process::id()));
        drop(lock);
        Lock::take(dir.path()).expect("it is free again");
        let error = Lock::take(&dir.path().join("nowhere")).expect_err("there is no such directory");
        assert!(error.to_string().contains("nowhere/.lock cannot be locked"), "{error}");
    }
}
