//! `martlet import`: the streams of a stopped reference server become Martlet's.
//!
//! | module | what lives there |
//! |---|---|
//! | `source` | the other server's files: which there are, and that nobody writes them meanwhile |
//! | `stream` | one stream: its files are read, looked at, and written anew |
//!
//! A stream is made beside the others and put in place when all of it is there, so that an import that breaks off leaves
//! nothing half done.
//!
//! Invariant: nothing is ever written below the source.

mod source;
mod stream;

use std::path::{Path, PathBuf};

use martlet_disk::LockError;
use serde::Serialize;
use thiserror::Error;

use self::source::Source;
use super::layout::Layout;
use super::root::{self, RootError};

/// What to import, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import {
    /// The other server's `store_dir`, or the directory `jetstream` in it.
    pub from: PathBuf,
    /// Martlet's `store_dir`; the other server's if it is `None`.
    pub to: Option<PathBuf>,
    /// The key that the other server's configuration has, if its streams are encrypted.
    pub key: Option<String>,
    /// Everything is read and looked at, and nothing written.
    pub dry_run: bool,
    /// What is damaged is left out, instead of the stream that it is in.
    pub skip_damaged: bool,
}

/// Why nothing can be imported.
#[derive(Debug, Error)]
pub enum ImportError {
    /// There are no streams.
    #[error("{0} holds no streams: name the store_dir of a server, in which there is a directory \"jetstream\"")]
    Nothing(PathBuf),
    /// Somebody uses the files.
    #[error("{path} is in use by process {pid}: stop that server first")]
    InUse {
        /// What is in use.
        path: PathBuf,
        /// By whom.
        pid: u32,
    },
    /// Somebody uses Martlet's.
    #[error("{0}: stop that one first")]
    Taken(#[from] LockError),
    /// The files cannot be read.
    #[error("{path} cannot be read: {error}")]
    Read {
        /// Which one.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// The streams cannot be written.
    #[error("{path} cannot be used: {error}")]
    Write {
        /// Where.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
}

/// What became of a stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It is Martlet's now.
    Imported,
    /// It could be imported.
    Verified,
    /// Part of it is damaged, so that it was left where it is.
    Damaged,
    /// It was left where it is.
    Failed(String),
}

/// What was found of a stream, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StreamReport {
    /// Its account.
    pub account: String,
    /// Its name.
    pub stream: String,
    /// Messages that are there.
    pub messages: u64,
    /// Their bytes, as the API counts them.
    pub bytes: u64,
    /// The first sequence.
    pub first_seq: u64,
    /// The last one.
    pub last_seq: u64,
    /// Sequences in between that are no messages.
    pub deleted: u64,
    /// Consumers.
    pub consumers: u64,
    /// What is encrypted with what, if it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cipher: Option<String>,
    /// What cannot be read: the file, the place in it, and why.
    pub damage: Vec<String>,
    /// What is otherwise than it was.
    pub notes: Vec<String>,
    /// What became of it.
    pub outcome: Outcome,
}

impl StreamReport {
    fn new(account: &str, stream: &str) -> Self {
        Self {
            account: account.to_owned(),
            stream: stream.to_owned(),
            messages: 0,
            bytes: 0,
            first_seq: 0,
            last_seq: 0,
            deleted: 0,
            consumers: 0,
            cipher: None,
            damage: Vec::new(),
            notes: Vec::new(),
            outcome: Outcome::Verified,
        }
    }

    /// Whether everything of it is Martlet's now, or could be.
    pub fn is_whole(&self) -> bool {
        matches!(self.outcome, Outcome::Imported | Outcome::Verified) && self.damage.is_empty()
    }
}

/// Imports streams, one after the other; `told` hears of each. Those that cannot be imported are left where they are.
// spec: CLI-022
pub fn run(import: &Import, told: &mut dyn FnMut(&StreamReport)) -> Result<Vec<StreamReport>, ImportError> {
    let source = Source::open(&import.from)?;
    let to = import.to.clone().unwrap_or_else(|| source.store_dir());
    let layout = Layout::new(&to);
    let taken = (!import.dry_run).then(|| root::take(&layout)).transpose();
    let _lock = taken.map_err(|error| match error {
        RootError::Taken(error) => ImportError::Taken(error),
        RootError::Io(error) => ImportError::Write { path: layout.root().to_owned(), error },
    })?;
    let mut reports = Vec::new();
    for (account, name, path) in source.streams()? {
        let report = stream::import(import, &layout, (&account, &name, &path));
        told(&report);
        reports.push(report);
    }
    Ok(reports)
}

fn read_error(path: &Path) -> impl Fn(std::io::Error) -> ImportError {
    move |error| ImportError::Read { path: path.to_owned(), error }
}
