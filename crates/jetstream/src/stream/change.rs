//! What the API changes: each change is proposed like a message, and whoever asked is told once it stands.

use super::Stream;
use super::group::Draft;
use super::note::{self, Configuration};
use crate::api::ApiError;
use crate::api::body::PurgeBody;
use crate::config::{Compression, ConsumerConfig, Storage, StreamConfig};
use crate::out::{Now, Out};

/// Who asked for a change; the caller's own number.
pub type Ticket = u64;

/// Nobody asked. That it is done is said all the same: who listens for a consumer has to know that it is gone.
pub const NOBODY: Ticket = 0;

/// The last sequence that a purge may move a stream to.
const MAX_SEQUENCE: u64 = u64::MAX >> 1;

/// A change that has come to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    /// Who asked.
    pub ticket: Ticket,
    /// What it has come to.
    pub result: Result<Changed, ApiError>,
}

/// What a change has come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Changed {
    /// The stream is there.
    Created,
    /// The stream has its new configuration.
    Updated,
    /// So many messages are gone.
    Purged(u64),
    /// The message is gone.
    Deleted,
    /// The consumer of this name is there.
    ConsumerCreated(String),
    /// The consumer has this configuration.
    ConsumerUpdated(Box<ConsumerConfig>),
    /// The consumer of this name is gone.
    ConsumerDeleted(String),
    /// The consumer of this name begins anew, at this sequence.
    ConsumerReset(String, u64),
    /// Nothing: what was admitted before stands.
    Settled,
}

/// A change on its way.
#[derive(Debug, Clone)]
pub(super) struct Change {
    pub(super) ticket: Ticket,
    pub(super) changed: Changed,
}

impl Stream {
    /// Gives the stream another configuration, which is valid.
    // spec: JS-018 JS-057
    pub fn update(&mut self, config: StreamConfig, now: Now, ticket: Ticket) {
        self.now = now;
        let configuration = Configuration { created: self.live.created, config };
        self.propose_configuration(&configuration, ticket, Changed::Updated);
    }

    /// Has `ticket` told once everything that was admitted before stands; `false` if it does already.
    pub fn when_settled(&mut self, ticket: Ticket) -> bool {
        let groups = self.in_flight.iter_mut().chain(&mut self.waiting).chain([&mut self.current]);
        let Some(group) = groups.rev().find(|group| !group.is_empty() && !group.is_lazy()) else { return false };
        group.change(Change { ticket, changed: Changed::Settled });
        true
    }

    /// Closes the stream for good: nothing comes, nothing goes.
    pub fn seal(&mut self, now: Now, ticket: Ticket) {
        let mut config = self.live.config.clone();
        config.sealed = true;
        config.max_age = std::time::Duration::ZERO;
        config.discard = crate::config::Discard::New;
        (config.deny_delete, config.deny_purge) = (true, true);
        self.update(config, now, ticket);
    }

    /// Takes many messages away.
    // spec: JS-021 JS-458 JS-542
    pub fn purge(&mut self, purging: &PurgeBody, now: Now, ticket: Ticket) -> Result<(), ApiError> {
        self.now = now;
        // A stream that is moved so far would have no sequences left.
        if purging.seq > MAX_SEQUENCE || purging.seq > 0 && purging.keep > 0 {
            return Err(ApiError::bad_request());
        }
        self.check_open()?;
        if self.live.config.deny_purge {
            return Err(ApiError::stream_purge_failed("stream purge not permitted"));
        }
        let before = if purging.seq == 0 { u64::MAX } else { purging.seq };
        // Alone in its entry, so that what it takes can be counted.
        self.close_group();
        self.begin_group();
        let group = &mut self.current;
        let filter = match purging.filter.as_str() {
            "" | ">" => None,
            filter => Some(group.put(filter.as_bytes())),
        };
        let moves = filter.is_none() && purging.keep == 0 && purging.seq > self.last_seq + 1;
        group.purges.push(group.drafts.len());
        group.drafts.push(Draft::Purge { filter, before, keep: purging.keep });
        if moves {
            self.last_seq = purging.seq - 1;
            group.drafts.push(Draft::Skip { through: self.last_seq });
        }
        self.propose(ticket, Changed::Purged(0));
        self.close_group();
        Ok(())
    }

    /// Takes one message away.
    // spec: JS-022 JS-184 JS-541
    pub fn delete_message(&mut self, seq: u64, no_erase: bool, now: Now, ticket: Ticket) -> Result<(), ApiError> {
        self.now = now;
        self.may_delete()?;
        self.check_deletable(seq)?;
        self.begin_group();
        let group = &mut self.current;
        let place = group.removals.len();
        group.removals.push(seq..=seq);
        group.drafts.push(Draft::Remove { ranges: place..place + 1, erase: !no_erase });
        self.propose(ticket, Changed::Deleted);
        Ok(())
    }

    /// Whether messages may be taken away at all.
    pub fn may_delete(&self) -> Result<(), ApiError> {
        self.check_open()?;
        if self.live.config.deny_delete {
            return Err(ApiError::stream_msg_delete_failed("message delete not permitted"));
        }
        Ok(())
    }

    /// The words differ by where messages are kept, as they do in the reference.
    fn check_deletable(&self, seq: u64) -> Result<(), ApiError> {
        let state = self.store.state();
        if self.live.config.storage == Storage::File {
            if seq > state.last_seq {
                return Err(ApiError::stream_msg_delete_failed("stream store EOF"));
            }
            if seq < state.first_seq || seq == 0 {
                return Err(ApiError::stream_msg_delete_failed("no message found"));
            }
        }
        let is_there = !matches!(self.store.get(seq, &mut Vec::new()), Ok(None));
        if is_there && !self.proposals().any(|group| group.removes(seq)) {
            Ok(())
        } else {
            Err(ApiError::sequence_not_found(seq))
        }
    }

    /// Writes a configuration down.
    pub(super) fn propose_configuration(&mut self, configuration: &Configuration, ticket: Ticket, changed: Changed) {
        self.begin_group();
        let bytes = self.current.write(|into| configuration.write(into));
        self.current.drafts.push(Draft::Note { kind: note::CONFIGURATION, bytes });
        self.propose(ticket, changed);
        self.close_group();
    }

    /// A group that is empty begins behind everything proposed.
    pub(super) fn begin_group(&mut self) {
        if self.current.is_empty() {
            self.current.begin(self.last_seq, &self.last_id);
        }
    }

    pub(super) fn propose(&mut self, ticket: Ticket, changed: Changed) {
        self.current.change(Change { ticket, changed });
    }

    /// A change stands.
    pub(super) fn finish(&mut self, change: &Change, out: &mut dyn Out) {
        let changed = match change.changed {
            Changed::Purged(_) => Changed::Purged(self.live.purged),
            ref changed => changed.clone(),
        };
        let removes = changed == Changed::Updated && self.follow_configuration();
        self.finish_consumer(&changed, out);
        self.announce(&changed, out);
        if removes {
            // Who asked finds gone what nobody needs any more.
            self.propose(change.ticket, Changed::Settled);
        } else {
            self.done.push_back(Done { ticket: change.ticket, result: Ok(changed) });
        }
    }

    /// Consumers settle messages, and send dead letters, as the stream says now. Gives whether messages go by that.
    fn follow_configuration(&mut self) -> bool {
        let super::Live { consumers, config, .. } = &mut self.live;
        consumers.change_all(|slot| slot.consumer.follow(config));
        self.remove_unneeded()
    }

    /// The configuration that was applied counts from now on.
    pub(super) fn put_configuration_in_force(&mut self) {
        self.live.has_new_configuration = false;
        self.shape = super::Shape::new(&self.live.config, &self.options);
        self.store.set_limits(self.shape.limits, &mut self.live);
        // spec: JS-121
        self.store.set_compression(self.live.config.compression == Compression::S2);
        self.age = super::timers::Age::default();
    }
}
