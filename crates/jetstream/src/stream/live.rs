//! What follows from the log beside the messages: the configuration in force, message ids, what has to be told.
//!
//! The same observer sees the log as it grows and when it is read again, so that both come to the same.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use hashbrown::HashSet;
use martlet_events::WallTime;
use martlet_proto::headers;
use martlet_store::{Discarded, Message, Observer, Removal};

use super::consumer_index::ConsumerIndex;
use super::headers::{Asked, MSG_ID};
use super::ids::Ids;
use super::note::{self, Configuration, NoteError};
use super::origin::{Positions, Provenance};
use super::schedule::Schedules;
use crate::config::StreamConfig;
use crate::out::Now;

/// What is applied, beside the messages.
#[derive(Debug, Default)]
pub struct Live {
    pub(super) config: StreamConfig,
    pub(super) created: WallTime,
    /// Whether the log is being read again. What admission has done already is then done here.
    is_recovering: bool,
    /// Whether the log has said what the stream is.
    is_configured: bool,
    /// Why the log makes no stream.
    error: Option<NoteError>,
    /// Another configuration is to be put in force.
    pub(super) has_new_configuration: bool,
    pub(super) ids: Ids,
    pub(super) schedules: Schedules,
    pub(super) consumers: ConsumerIndex,
    /// How far its sources are.
    pub(super) positions: Positions,
    /// When the log is read again.
    now: Now,
    /// Subjects whose last message is a marker: none follows on it.
    pub(super) marked: HashSet<Box<[u8]>, foldhash::fast::FixedState>,
    /// The id of the last message.
    pub(super) last_id: Vec<u8>,
    /// Messages that a purge took.
    pub(super) purged: u64,
    /// Subjects whose last message went by age and that get a marker; and whether that is on its way.
    pub(super) to_mark: BTreeMap<Box<[u8]>, bool>,
}

impl Live {
    /// An observer for a log that is opened.
    pub fn recovery(now: Now) -> Self {
        Self { is_recovering: true, now, ..Self::default() }
    }

    /// What the stream is configured to be, as far as the log has been read.
    pub fn config(&self) -> &StreamConfig {
        &self.config
    }

    /// A new stream.
    pub(super) fn new(configuration: &Configuration) -> Self {
        Self { config: configuration.config.clone(), created: configuration.created, ..Self::default() }
    }

    /// The log has been read: whether it makes a stream.
    pub(super) fn end_recovery(&mut self, now: Now) -> Result<(), NoteError> {
        self.is_recovering = false;
        if let Some(error) = self.error.take() {
            return Err(error);
        }
        if !self.is_configured {
            return Err(NoteError::Nothing);
        }
        self.consumers.change_all(|slot| slot.stands = true);
        self.ids.expire(now.wall, self.config.duplicate_window);
        Ok(())
    }

    /// A configuration is in force from now on.
    pub(super) fn configure(&mut self, configuration: Configuration) {
        (self.config, self.created) = (configuration.config, configuration.created);
        (self.has_new_configuration, self.is_configured) = (true, true);
    }

    /// The message that had an id.
    pub(super) fn find_id(&self, id: &[u8]) -> Option<u64> {
        self.ids.find(id)
    }

    /// Whether its messages may say where they come from.
    fn copies(&self) -> bool {
        self.config.mirror.is_some() || !self.config.sources.is_empty()
    }

    /// Whether markers are left where the last message of a subject went by age.
    fn marks(&self) -> bool {
        !self.config.subject_delete_marker_ttl.is_zero()
    }

    /// A message is the last of its subject, and may be a marker.
    fn mark(&mut self, message: &Message<'_>) {
        let is_marker = headers::get(message.headers, b"Nats-Marker-Reason").is_some_and(|reason| !reason.is_empty())
            || headers::get(message.headers, b"KV-Operation") == Some(b"PURGE");
        if is_marker {
            self.marked.insert(message.subject.into());
        } else if !self.marked.is_empty() {
            self.marked.remove(message.subject);
        }
    }

    /// When the log is read again.
    pub(super) fn now(&self) -> Now {
        self.now
    }

    /// Remembers an id, if the stream does that.
    pub(super) fn remember(&mut self, seq: u64, time: WallTime, id: &[u8]) {
        if !id.is_empty() && !self.config.duplicate_window.is_zero() {
            self.ids.insert(seq, time, id);
        }
    }
}

impl Observer for Live {
    fn restored(&mut self, state: &[u8]) {
        if let Err(error) = note::load(state, self) {
            self.error = Some(error);
        }
    }

    fn added(&mut self, message: &Message<'_>, _size: u64) {
        self.consumers.added(message.seq, message.subject);
        if self.marks() {
            self.mark(message);
        }
        if self.is_recovering {
            let id = headers::get(message.headers, MSG_ID).unwrap_or_default();
            self.last_id.clear();
            self.last_id.extend_from_slice(id);
            self.remember(message.seq, message.time, id);
        }
        if !self.to_mark.is_empty() {
            self.to_mark.remove(message.subject);
        }
        if self.copies()
            && let Some(provenance) = Provenance::of(message.headers)
        {
            self.positions.note(&provenance);
        }
        if self.config.allow_msg_schedules {
            self.schedules.added(message.seq, message.time, message.subject, &Asked::parse(message.headers));
        }
    }

    fn removed(&mut self, message: &Discarded<'_>) {
        if self.config.allow_msg_schedules {
            self.schedules.gone(message.seq);
        }
        self.consumers.removed(message);
        match message.why {
            Removal::Purged => self.purged += 1,
            Removal::Expired
                if self.marks() && message.is_last_of_subject && !self.marked.contains(message.subject) =>
            {
                self.to_mark.insert(message.subject.into(), false);
            }
            Removal::Expired | Removal::Limit | Removal::Removed => {}
        }
        if message.is_last_of_subject && !self.marked.is_empty() {
            self.marked.remove(message.subject);
        }
    }

    fn lost(&mut self, seqs: RangeInclusive<u64>, why: Removal) {
        if self.config.allow_msg_schedules {
            self.schedules.gone_within(&seqs);
        }
        if why == Removal::Purged {
            self.purged += seqs.end() - seqs.start() + 1;
        }
        self.consumers.lost(&seqs, why);
    }

    fn noted(&mut self, kind: u8, bytes: &[u8]) {
        if let Err(error) = note::apply(kind, bytes, self, self.is_recovering) {
            self.error = Some(error);
        }
    }
}
