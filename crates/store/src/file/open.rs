//! What opening takes and gives.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use martlet_events::WallTime;
use thiserror::Error;

use super::FileStore;
use super::checkpoint::Checkpoint;
use super::recover::Recovery;
use crate::disk::Disk;
use crate::seal::Encryption;
use crate::store::{Limits, Observer};

/// The smallest and the largest segments.
const SEGMENT_BYTES: std::ops::RangeInclusive<u64> = 1 << 20..=64 << 20;
/// Where nothing bounds a stream.
const DEFAULT_SEGMENT_BYTES: u64 = 8 << 20;

/// A week: so much that the disk hardly notices, so little that a copy elsewhere is not needed in vain.
const SCRUB_PERIOD: Duration = Duration::from_hours(7 * 24);

/// How to open a store.
#[derive(Debug, Clone, Copy)]
pub struct Options<'k> {
    /// A number by chance: what a new store marks its files with, so that those of another are found out. One that is
    /// there has its own.
    pub salt: u32,
    /// Where a segment of the log is sealed, in bytes, up to 1 GiB.
    pub segment_bytes: u64,
    /// The sequence of the first message of a new store; 0 is 1.
    pub first_seq: u64,
    /// The bounds in force in a new store, from its first entry on.
    pub limits: Limits,
    /// Whether what is written is compressed, until [`crate::Store::set_compression`] says otherwise.
    pub compresses: bool,
    /// What everything is encrypted with, if so.
    pub encryption: Option<Encryption<'k>>,
    /// The time in which [`crate::Store::maintain`] looks all sealed segments through for damage; zero for never.
    pub scrub_period: Duration,
}

impl Options<'_> {
    /// For a stream with these bounds: an eighth of what it may have makes a segment, within reason.
    pub fn for_limits(limits: Limits, salt: u32) -> Self {
        let segment_bytes = match limits.max_bytes {
            0 => DEFAULT_SEGMENT_BYTES,
            bytes => (bytes / 8).clamp(*SEGMENT_BYTES.start(), *SEGMENT_BYTES.end()),
        };
        Self {
            salt,
            segment_bytes,
            first_seq: 0,
            limits,
            compresses: false,
            encryption: None,
            scrub_period: SCRUB_PERIOD,
        }
    }
}

/// Something that is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The file, the place in it, and what is wrong.
    pub what: String,
    /// The sequences whose messages cannot be read because of it, where there are any.
    pub seqs: Option<RangeInclusive<u64>>,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        match &self.seqs {
            Some(seqs) => write!(f, "; messages {} to {} cannot be read", seqs.start(), seqs.end()),
            None => Ok(()),
        }
    }
}

/// What opening gives.
#[derive(Debug)]
pub struct Opened {
    /// The store.
    pub store: FileStore,
    /// What its owner kept last; `None` if it never did.
    pub state: Option<Vec<u8>>,
    /// What is wrong with its files. It is open all the same.
    pub damage: Vec<Damage>,
    /// Whether it is to be encrypted, and something in it is not yet. Closing it makes up for that.
    pub is_in_clear: bool,
}

/// Why a store cannot be opened now. Nothing has been lost by trying.
#[derive(Debug, Error)]
pub enum OpenError {
    /// The disk does not do its part.
    #[error("cannot {what}: {error}")]
    Io {
        /// What was tried.
        what: String,
        /// What the system said.
        error: io::Error,
    },
    /// It is encrypted, and no key was given.
    #[error("it is encrypted, and there is no key: set `key` in the block `jetstream`")]
    NoKey,
    /// It is encrypted, and the key is another one.
    #[error(
        "it is encrypted with another key than `key` in the block `jetstream`: set the right one, or, if the key was \
         changed, the one before as `prev_key`"
    )]
    WrongKey,
    /// It is encrypted, and its own key cannot be read.
    #[error("it is encrypted, and its own key cannot be read: {why}; one of the two has to come back from a backup")]
    KeyLost {
        /// What is wrong with them.
        why: String,
    },
}

impl OpenError {
    pub(super) fn io(what: &str) -> impl Fn(io::Error) -> Self {
        move |error| Self::Io { what: what.to_owned(), error }
    }
}

impl FileStore {
    /// Opens a store, or begins one in an empty directory. Tells `observer` of everything behind the state that is given.
    pub fn open(disk: Arc<dyn Disk>, options: Options<'_>, observer: &mut dyn Observer) -> Result<Opened, OpenError> {
        let recovery = Recovery::run(disk, &options, observer)?;
        let Recovery { log, windows, index, unreadable, found, damage, checkpoint, .. } = recovery;
        let Recovery { slots, erase, spoilt, has_subjects, .. } = recovery;
        let next =
            (log.segments.last().map_or(0, |segment| segment.header.number), log.segments.last().map_or(0, |s| s.end));
        let mut store = Self {
            applied: log.appended,
            log,
            windows,
            index,
            unreadable,
            found: RefCell::new(found.into_inner()),
            erasing: 0,
            erase,
            next,
            slots,
            dropping: Vec::new(),
            compactions: VecDeque::new(),
            making: None,
            summarised: 0,
            has_subjects,
            checkpointed: checkpoint.as_ref().map_or(0, |checkpoint| checkpoint.index),
            maintained: u64::MAX,
            scrubbing: None,
            scrubbed: (0, WallTime::default()),
            scrub_chance: options.salt,
            scrub_period: options.scrub_period,
            spoilt,
            damage: Vec::new(),
        };
        store.after_change();
        let is_in_clear = store.is_in_clear();
        let state = checkpoint.filter(Checkpoint::has_owner);
        Ok(Opened { store, state: state.map(|checkpoint| checkpoint.owner), damage, is_in_clear })
    }
}
