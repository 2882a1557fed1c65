//! What the API reads.

use martlet_events::WallTime;
use martlet_store::{Filter, Message, State, Unreadable};

use super::Stream;
use crate::api::ApiError;
use crate::config::StreamConfig;

/// A stream as the API shows it.
#[derive(Debug, Clone)]
pub struct Info<'a> {
    /// What it is configured to be.
    pub config: &'a StreamConfig,
    /// When it was created.
    pub created: WallTime,
    /// What it holds.
    pub state: State,
    /// How many consumers it has.
    pub consumers: usize,
    /// What cannot be read.
    pub unreadable: &'a [Unreadable],
}

/// Which message is wanted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wanted {
    /// Its sequence, or the first it may have; 0 for none given.
    pub seq: u64,
    /// The last of these subjects; empty for none given.
    pub last_by_subj: String,
    /// The next of these subjects; empty for none given.
    pub next_by_subj: String,
    /// The earliest time it may have.
    pub start_time: Option<WallTime>,
}

/// A message that was read.
pub type Kept<'a> = Message<'a>;

impl Stream {
    /// What it is and holds.
    // spec: JS-059
    pub fn info(&self) -> Info<'_> {
        Info {
            config: &self.live.config,
            created: self.live.created,
            state: self.store.state(),
            consumers: self.consumers().count(),
            unreadable: self.store.unreadable(),
        }
    }

    /// Its subjects that match a pattern, with the number of their messages, in order, for as long as `f` says so.
    // spec: JS-020
    pub fn for_each_subject(&self, pattern: &str, f: &mut dyn FnMut(&[u8], u64) -> bool) {
        self.store.for_each_subject(pattern.as_bytes(), &mut |subject, state| f(subject, state.messages));
    }

    /// One message.
    // spec: JS-023 JS-538 JS-539 JS-540
    pub fn message<'b>(&self, wanted: &Wanted, buffer: &'b mut Vec<u8>) -> Result<Kept<'b>, ApiError> {
        let (by_seq, by_time) = (wanted.seq > 0, wanted.start_time.is_some());
        let (by_last, by_next) = (!wanted.last_by_subj.is_empty(), !wanted.next_by_subj.is_empty());
        if !(by_seq || by_last || by_next || by_time)
            || by_seq && (by_last || by_time)
            || by_last && (by_time || by_next)
        {
            return Err(ApiError::bad_request());
        }
        let seq = wanted.start_time.map_or(wanted.seq, |time| self.store.first_since(time));
        let found = if by_next {
            self.store.next(&Filter::new([wanted.next_by_subj.as_bytes()]), seq, buffer)
        } else if by_last {
            match self.last_applied(wanted.last_by_subj.as_bytes()) {
                Some(seq) => self.store.get(seq, buffer),
                None => Ok(None),
            }
        } else {
            self.store.get(seq, buffer)
        };
        match found {
            Ok(Some(message)) => Ok(message),
            Ok(None) => Err(ApiError::no_message_found()),
            // Deleted and unreadable are not the same: the reference would say that there is none.
            Err(error) => Err(ApiError::stream_general_error(error.to_string())),
        }
    }

    /// The last message of a subject, or of any that a pattern selects.
    pub(super) fn last_applied(&self, subject: &[u8]) -> Option<u64> {
        if martlet_subject::is_valid_literal(subject) {
            self.store.subject(subject).map(|state| state.last)
        } else {
            self.store.last(&Filter::new([subject]), u64::MAX)
        }
    }
}
