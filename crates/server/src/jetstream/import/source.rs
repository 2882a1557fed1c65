//! Another server's files: which there are, and that nobody writes them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::{ImportError, read_error};

/// What the reference calls its directory.
const JETSTREAM: &str = "jetstream";
const STREAMS: &str = "streams";

/// A server's directory.
#[derive(Debug)]
pub(super) struct Source {
    /// Its `jetstream`.
    root: PathBuf,
}

impl Source {
    /// The directory `path`, or `jetstream` in it, which nobody uses.
    pub(super) fn open(path: &Path) -> Result<Self, ImportError> {
        let inner = path.join(JETSTREAM);
        let root = if inner.is_dir() { inner } else { path.to_owned() };
        let root = root.canonicalize().map_err(read_error(&root))?;
        check_unused(&root)?;
        Ok(Self { root })
    }

    /// The `store_dir` that it is in.
    pub(super) fn store_dir(&self) -> PathBuf {
        self.root.parent().unwrap_or(&self.root).to_owned()
    }

    /// Accounts and streams by name, and where each is.
    pub(super) fn streams(&self) -> Result<Vec<(String, String, PathBuf)>, ImportError> {
        let mut streams = Vec::new();
        // An account with a slash in its name is a directory in a directory.
        let mut left = directories(&self.root)?;
        while let Some((account, path)) = left.pop() {
            for (name, path) in directories(&path)? {
                if name == STREAMS {
                    let found = directories(&path)?;
                    streams.extend(found.into_iter().map(|(name, path)| (account.clone(), name, path)));
                } else {
                    left.push((format!("{account}/{name}"), path));
                }
            }
        }
        streams.sort_unstable();
        if streams.is_empty() { Err(ImportError::Nothing(self.root.clone())) } else { Ok(streams) }
    }
}

/// Directories in a directory, by name.
pub(super) fn directories(path: &Path) -> Result<Vec<(String, PathBuf)>, ImportError> {
    let mut found = Vec::new();
    for entry in fs::read_dir(path).map_err(read_error(path))? {
        let path = entry.map_err(read_error(path))?.path();
        let name = path.file_name().and_then(|name| name.to_str()).map(str::to_owned);
        if let Some(name) = name.filter(|_| path.is_dir()) {
            found.push((name, path));
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// Whether some process has a file below `path` open, as far as that can be seen here.
fn check_unused(path: &Path) -> Result<(), ImportError> {
    let Ok(path) = path.canonicalize() else { return Ok(()) };
    let own = std::process::id();
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbers = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    for pid in numbers.filter(|pid| *pid != own) {
        let files = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        let mut open = files.filter_map(|file| fs::read_link(file.path()).ok());
        if open.any(|file| file.starts_with(&path)) {
            return Err(ImportError::InUse { path, pid });
        }
    }
    Ok(())
}

/// What files look like from outside: if this has changed, somebody has written.
pub(super) fn look(path: &Path) -> io::Result<Vec<(PathBuf, u64, Option<SystemTime>)>> {
    let mut seen = Vec::new();
    let mut left = vec![path.to_owned()];
    while let Some(directory) = left.pop() {
        for entry in fs::read_dir(&directory)? {
            let path = entry?.path();
            let about = fs::symlink_metadata(&path)?;
            if about.is_dir() {
                left.push(path);
            } else {
                seen.push((path, about.len(), about.modified().ok()));
            }
        }
    }
    seen.sort_unstable();
    Ok(seen)
}

/// A file's content, of so many bytes at most; `None` if it is not there.
pub(super) fn read(path: &Path, most: u64) -> io::Result<Option<Vec<u8>>> {
    match fs::metadata(path) {
        Ok(about) if about.len() > most => Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("it has {} bytes, when {most} is the most", about.len()),
        )),
        Ok(_) => fs::read(path).map(Some),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
