//! How streams travel: archives of snapshots, as other servers of the protocol write and read them.
//!
//! | module | what lives there |
//! |---|---|
//! | `files` | what the reference keeps on disk |
//! | `entry` | the entries that today's archives consist of |
//! | `state` | what a stream and its consumers held, in JSON |
//! | `read` | an archive as it arrives, compressed: what is in it, piece by piece |
//! | `tarred`, `tar` | archives as they were before 2.15 |
//! | `write` | the same the other way |
//!
//! Every decoder takes bytes as they come and holds no more than one entry, however much its input promises.
//!
//! Invariant: nothing here knows a store, a socket or a file, and no bytes make a decoder panic.

mod entry;
pub mod files;
mod read;
mod state;
mod tar;
mod tarred;
mod write;

use thiserror::Error;

pub use entry::{Entries, Entry, MAGIC, MAX_NAME};
pub use read::{Item, Message, ReadError, Reader, Sink};
pub use state::{ConsumerState, DeadLetter, Pair, PendingMessage, StreamState};
pub use write::Writer;

use martlet_proto::s2::S2Error;

/// Why an archive cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ArchiveError {
    /// The compression around it is damaged, or not there.
    #[error(transparent)]
    Compression(#[from] S2Error),
    /// It begins as no archive does.
    #[error("this is no archive of a stream: it does not begin with NATSARC1")]
    Magic,
    /// Messages of it are damaged.
    #[error("{file} is damaged at byte {at}: {why}")]
    Block {
        /// The block.
        file: String,
        /// The place in it.
        at: usize,
        /// What is wrong.
        why: String,
    },
    /// It says something that no archive says.
    #[error("the archive is damaged at byte {at} of its content: {why}")]
    Damaged {
        /// Where the entry begins, before compression.
        at: u64,
        /// What is wrong.
        why: &'static str,
    },
    /// Something in it is larger than may be.
    #[error("an entry of the archive has {what} of {len} bytes, when {max} is the most")]
    TooLarge {
        /// Of the entry.
        what: &'static str,
        /// Its length.
        len: u64,
        /// The most.
        max: usize,
    },
    /// What stands where something else should.
    #[error("the archive has {found:?} where {expected} should be")]
    Unexpected {
        /// The name of the entry, or the beginning of it.
        found: String,
        /// What should be there.
        expected: &'static str,
    },
    /// JSON that says something else than it should.
    #[error("the archive's {what} cannot be read: {why}")]
    Json {
        /// The name of the entry.
        what: String,
        /// What the decoder said.
        why: String,
    },
    /// It ends too early.
    #[error("the archive was cut short: {0}")]
    Truncated(&'static str),
}
