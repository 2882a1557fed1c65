//! What a stream needs of its store, in files or in memory.

use std::ops::RangeInclusive;

use martlet_events::WallTime;
use thiserror::Error;

use crate::disk::SyncJob;
use crate::file::Damage;
use crate::record::{Message, Record};

/// Why nothing more can be written. A store that has said so stays as it is until it is opened anew, but for [`Self::Full`].
#[derive(Debug, Clone, Error)]
pub enum StoreError {
    /// The disk, or what may be used of it, is full; nothing of the entry was written, and the next may find room again.
    #[error("no space is left for {what}")]
    Full {
        /// The file.
        what: String,
    },
    /// A write or a sync failed: what is on disk is not known, so that nothing may be added.
    #[error("{what}: {error}; the stream takes no more messages until the server is started again")]
    Failed {
        /// The file, and what was done with it.
        what: String,
        /// What the system said.
        error: String,
    },
}

/// A range of sequences whose messages are there, but cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// Which ones.
    pub seqs: RangeInclusive<u64>,
    /// How many of them were there before; an upper bound where that is lost, too.
    pub messages: u64,
    /// The file, and what is wrong with it.
    pub why: String,
}

/// Why a message cannot be given. One that was deleted is no error.
#[derive(Debug, Clone, Error)]
pub enum ReadError {
    /// It is there, damaged.
    #[error("messages {} to {} cannot be read: {}", .0.seqs.start(), .0.seqs.end(), .0.why)]
    Unreadable(Unreadable),
    /// Whether it is there, or which one is next, cannot be found out now: nothing is known to be damaged, and whoever asks again later
    /// may be told.
    #[error("it cannot be read now, and may be asked for again: {0}")]
    NotNow(String),
}

/// Bounds of a stream; 0 is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limits {
    /// Messages.
    pub max_msgs: u64,
    /// Bytes, as [`State::bytes`] counts them.
    pub max_bytes: u64,
    /// Messages of one subject. Whoever would refuse one more does so before it gets here: what is here replaces the
    /// subject's oldest.
    pub max_msgs_per_subject: u64,
    /// Whether the oldest go when `max_msgs` or `max_bytes` is passed. If not, these are the owner's to keep.
    pub discard_old: bool,
}

/// What a stream holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct State {
    /// Messages.
    pub messages: u64,
    /// Their bytes, counted as the reference does, so that limits mean the same: in files 30 and the lengths of subject,
    /// headers and payload, and 4 more with headers; in memory 16 and the lengths.
    pub bytes: u64,
    /// The first sequence; one more than the last when there is no message, and 0 in a new stream that was not told where
    /// to start.
    pub first_seq: u64,
    /// The last sequence used.
    pub last_seq: u64,
    /// When it was taken in; stays when the message goes.
    pub last_time: Option<WallTime>,
    /// Distinct subjects.
    pub subjects: u64,
    /// Sequences between the first and the last that are no messages.
    pub deleted: u64,
    /// Messages that cannot be read; they count as messages.
    pub unreadable: u64,
}

/// What a subject has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SubjectState {
    /// The sequence of its first message.
    pub first: u64,
    /// The sequence of its last message.
    pub last: u64,
    /// Its messages.
    pub messages: u64,
}

/// Which subjects are meant: any, or those that match one of some patterns.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filter(Vec<Box<[u8]>>);

impl Filter {
    /// Subjects that match one of `patterns`; any subject if there are none, or one is `>`.
    pub fn new<'p>(patterns: impl IntoIterator<Item = &'p [u8]>) -> Self {
        let patterns: Vec<Box<[u8]>> = patterns.into_iter().map(Into::into).collect();
        if patterns.iter().any(|pattern| **pattern == *b">") { Self::default() } else { Self(patterns) }
    }

    /// Whether any subject is meant.
    pub fn is_any(&self) -> bool {
        self.0.is_empty()
    }

    /// The patterns; none for any subject.
    pub fn patterns(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        self.0.iter().map(|pattern| &**pattern)
    }

    /// The one subject that is meant, if it is but one.
    pub fn literal(&self) -> Option<&[u8]> {
        let [pattern] = &*self.0 else { return None };
        let has_wildcard = martlet_subject::tokens(pattern).any(|token| matches!(token, b"*" | b">"));
        (!has_wildcard).then_some(pattern)
    }

    /// Whether a subject is meant.
    pub fn matches(&self, subject: &[u8]) -> bool {
        self.is_any() || self.0.iter().any(|pattern| martlet_subject::matches(pattern, subject))
    }
}

/// Why a message went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removal {
    /// A bound was passed.
    Limit,
    /// Its time was over.
    Expired,
    /// [`Record::Remove`].
    Removed,
    /// [`Record::Purge`].
    Purged,
}

/// A message that went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Discarded<'a> {
    /// Its sequence.
    pub seq: u64,
    /// Its subject; empty if that cannot be read.
    pub subject: &'a [u8],
    /// Its bytes, as [`State::bytes`] counts them.
    pub size: u64,
    /// Why it went.
    pub why: Removal,
    /// Whether no message of its subject is left.
    pub is_last_of_subject: bool,
}

/// Is told what applying does, in order.
pub trait Observer {
    /// Before all others, when a store is opened: what its owner kept last ([`Store::checkpoint`], [`Store::close`]).
    fn restored(&mut self, _state: &[u8]) {}
    /// A message is there now.
    fn added(&mut self, message: &Message<'_>, size: u64);
    /// A message is gone.
    fn removed(&mut self, message: &Discarded<'_>);
    /// Messages are gone, all that these sequences are, of which nothing could be read.
    fn lost(&mut self, seqs: RangeInclusive<u64>, why: Removal) {
        for seq in seqs {
            self.removed(&Discarded { seq, subject: b"", size: 0, why, is_last_of_subject: false });
        }
    }
    /// A note was reached.
    fn noted(&mut self, kind: u8, bytes: &[u8]);
    /// Asked after a note: bounds that it puts in force, from just there on, when it is applied and when it comes back.
    fn limits(&mut self) -> Option<Limits> {
        None
    }
}

/// A stream's store. Reading sees what is applied.
///
/// Opening one is the implementation's: it gives the last checkpoint's state and tells an [`Observer`] of everything after
/// it, so that the owner gets back to where it was.
pub trait Store: Send {
    /// Puts bounds in force, and keeps them from now on: whoever is over one goes at once, and whenever entries are applied.
    fn set_limits(&mut self, limits: Limits, observer: &mut dyn Observer);

    /// Whether what is written from now on is compressed, where there is something to compress: what is written already
    /// stays as it is.
    fn set_compression(&mut self, _on: bool) {}

    /// Writes one entry, whole or not at all; gives its number.
    fn append(&mut self, records: &[Record<'_>]) -> Result<u64, StoreError>;
    /// The last entry appended; 0 if there is none.
    fn appended(&self) -> u64;
    /// What has to be synced so that everything appended is durable; `None` if it is. Several jobs may be out.
    fn sync_job(&mut self) -> Option<SyncJob>;
    /// A job is done. A failure fences the store.
    fn synced(&mut self, through: u64, result: Result<(), std::io::Error>) -> Result<(), StoreError>;
    /// The last entry known to be durable.
    fn durable(&self) -> u64;
    /// Makes everything up to the entry `through` part of what can be read. What exceeds a bound goes with it.
    fn apply(&mut self, through: u64, observer: &mut dyn Observer);
    /// The last entry applied.
    fn applied(&self) -> u64;
    /// Why nothing can be written, if so.
    fn fenced(&self) -> Option<&StoreError>;

    /// What there is. It is known without a look at any message.
    fn state(&self) -> State;
    /// When the first message was taken in.
    fn first_time(&self) -> Option<WallTime>;
    /// The message with a sequence; `None` if there is none (any more).
    fn get<'b>(&self, seq: u64, buffer: &'b mut Vec<u8>) -> Result<Option<Message<'b>>, ReadError>;
    /// The first message from `from` on whose subject is meant.
    fn next<'b>(&self, filter: &Filter, from: u64, buffer: &'b mut Vec<u8>) -> Result<Option<Message<'b>>, ReadError>;
    /// The sequence of the last message up to `at_most` whose subject is meant.
    fn last(&self, filter: &Filter, at_most: u64) -> Option<u64>;
    /// The first sequence whose message was taken in at `time` or later; one more than the last if there is none.
    fn first_since(&self, time: WallTime) -> u64;
    /// What one subject has; `None` for nothing. This is the quick way for a literal subject.
    fn subject(&self, subject: &[u8]) -> Option<SubjectState>;
    /// Subjects that match `pattern`, in order, for as long as `f` says so.
    fn for_each_subject(&self, pattern: &[u8], f: &mut dyn FnMut(&[u8], SubjectState) -> bool);
    /// How many messages from `from` on have a subject that is meant; with `last_only`, only the last of each subject counts.
    fn count(&self, filter: &Filter, from: u64, last_only: bool) -> u64;
    /// Sequences between the first and the last that are no messages, in order, for as long as `f` says so.
    fn for_each_deleted(&self, f: &mut dyn FnMut(RangeInclusive<u64>) -> bool);
    /// What cannot be read.
    fn unreadable(&self) -> &[Unreadable];
    /// What was found to be damaged since this was asked for last, by whoever read it or by [`Self::maintain`].
    fn take_damage(&mut self) -> Vec<Damage> {
        Vec::new()
    }
    /// When the first message is due that has a time of its own.
    fn next_expiry(&self) -> Option<WallTime>;

    /// Whether so much has been written since the last checkpoint that another one should come before the next start.
    fn wants_checkpoint(&self) -> bool {
        false
    }
    /// Keeps `state`, which stands for every note up to the entries applied: notes before need not come back.
    fn checkpoint(&mut self, state: &[u8]) -> Result<(), StoreError>;
    /// Bytes used where it is kept.
    fn used(&self) -> u64;
    /// Does some of what has time: compacts, drops, and checks what has long not been read. Whether there is more to do at once. One
    /// call writes a piece of a segment anew, or looks one through.
    fn maintain(&mut self, now: WallTime) -> Result<bool, StoreError>;
    /// When there is something to [maintain](Self::maintain) even if nothing is written or made durable meanwhile.
    fn maintenance_due(&self) -> Option<WallTime> {
        None
    }
    /// Leaves everything so that the next start is quick; nothing is appended afterwards.
    fn close(&mut self, state: &[u8]) -> Result<(), StoreError>;
}
