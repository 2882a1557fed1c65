//! What a log consists of.

use std::ops::RangeInclusive;

use martlet_events::WallTime;

/// A message as it is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Message<'a> {
    /// Its number in the stream, from 1.
    pub seq: u64,
    /// When it was taken in.
    pub time: WallTime,
    /// Its subject.
    pub subject: &'a [u8],
    /// Its header section; empty for none.
    pub headers: &'a [u8],
    /// The message without its headers.
    pub payload: &'a [u8],
    /// When it goes by itself; [`NEVER`] for one that outlives the stream's `max_age`, too.
    pub expires: Option<WallTime>,
}

/// A message that expires then stays however old it is.
pub const NEVER: WallTime = WallTime::from_nanos(u64::MAX);

/// Which messages a purge takes: those that match and are below `before`, but for the last `keep` of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Purge<'a> {
    /// The pattern of their subjects; `None` for all.
    pub filter: Option<&'a [u8]>,
    /// The first sequence that stays; `u64::MAX` for none.
    pub before: u64,
    /// How many stay.
    pub keep: u64,
}

/// One fact. Facts are decided before they are written: what follows from them and the limits in force is derived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Record<'a> {
    /// A message. Sequences grow; those left out are no messages (as in a mirror).
    Message(Message<'a>),
    /// Sequences up to this one will not be used.
    Skip {
        /// The last of them.
        through: u64,
    },
    /// Messages go: a client asked for it, or they were acknowledged where that removes them. What is not there is passed over.
    Remove {
        /// Which ones.
        ranges: &'a [RangeInclusive<u64>],
        /// Whether their bytes are overwritten, too.
        erase: bool,
    },
    /// Many messages go.
    Purge(Purge<'a>),
    /// What is due goes: messages whose own time is at or before `now`, and messages older than `before`.
    Expire {
        /// The time of the tick.
        now: WallTime,
        /// Messages taken in before this go, too (`max_age`), but for those that [`NEVER`] expire.
        before: Option<WallTime>,
    },
    /// Something that only the stream's owner understands: its configuration, a consumer's progress. It comes back on recovery.
    Note {
        /// What it is about.
        kind: u8,
        /// What it says.
        bytes: &'a [u8],
    },
}
