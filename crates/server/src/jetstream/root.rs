//! The directory of all streams, taken for one process: what a crash left in the journal is in its place before anything else
//! is looked at.

use std::io;
use std::sync::Arc;

use martlet_disk::{Directory, Lock, LockError};
use martlet_store::journal::replay;
use martlet_store::{Disk, File};

use super::layout::Layout;

/// Why it cannot be had.
pub(super) enum RootError {
    Taken(LockError),
    Io(io::Error),
}

/// Takes the directory, makes it if it is not there, and leaves it without a journal.
pub(super) fn take(layout: &Layout) -> Result<(Lock, Directory), RootError> {
    let root = Directory::create(layout.root()).map_err(RootError::Io)?;
    let lock = Lock::take(layout.root()).map_err(RootError::Taken)?;
    let replayed = replay(&root, &|path| open(layout, path)).map_err(RootError::Io)?;
    if replayed.writes > 0 {
        log::info!("Wrote {} additions from the journal to the files of streams", replayed.writes);
    }
    for lost in &replayed.lost {
        log::error!(
            "{lost} in {}: what streams acknowledged shortly before the server stopped may be missing",
            layout.root().display()
        );
    }
    Ok((lock, root))
}

/// A stream's file; `None` if it has been removed.
fn open(layout: &Layout, path: &str) -> io::Result<Option<Arc<dyn File>>> {
    let path = layout.root().join(path);
    let (Some(directory), Some(name)) = (path.parent(), path.file_name().and_then(|name| name.to_str())) else {
        return Ok(None);
    };
    if !directory.is_dir() {
        return Ok(None);
    }
    match Directory::create(directory)?.open(name) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        opened => opened.map(Some),
    }
}
