//! Consumers come, change and go: each change is written down, and counts when it stands.

use martlet_store::Filter;

use super::change::{Change, Changed, NOBODY, Ticket};
use super::consumer_index::Key;
use super::consumers::Slot;
use super::group::Draft;
use super::{Stream, note};
use crate::api::validate::Neighbours;
use crate::api::{ApiError, metadata};
use crate::config::{ConsumerConfig, Retention};
use crate::consumer::{Closing, Consumer};
use crate::out::{Now, Out};

impl Stream {
    /// Makes a consumer, whose configuration is valid by itself; only what its stream and the others ask is looked at. A
    /// configuration without a name stays so for those who look at it.
    // spec: JS-027 JS-091 JS-241 JS-512
    pub fn create_consumer(
        &mut self,
        name: &str,
        mut config: ConsumerConfig,
        now: Now,
        ticket: Ticket,
        out: &mut dyn Out,
    ) -> Result<(), ApiError> {
        self.now = now;
        let is_unnamed = config.name.is_empty() && config.durable.is_empty();
        name.clone_into(&mut config.name);
        if self.live.consumers.key(name).is_some() {
            return Err(ApiError::consumer_already_exists());
        }
        let most = usize::try_from(self.live.config.max_consumers).unwrap_or(0);
        if most > 0 && config.counts() && self.live.consumers.counted() >= most {
            return Err(ApiError::maximum_consumers_limit());
        }
        self.check_work_queue(&config)?;
        let Self { options, store, consumer_scratch, .. } = self;
        let mut ctx = options.context(now, &self.live.config, &**store, consumer_scratch, out);
        let consumer = Consumer::new(config, now.wall, &mut ctx);
        self.begin_group();
        let bytes = self.current.write(|into| {
            note::write_consumer(consumer.config(), (now.wall, is_unnamed), into, |into| consumer.snapshot(into));
        });
        self.current.drafts.push(Draft::Note { kind: note::CONSUMER, bytes });
        self.live.consumers.insert(Slot::new(consumer, now.wall, is_unnamed));
        self.propose(ticket, Changed::ConsumerCreated(name.to_owned()));
        Ok(())
    }

    /// Gives a consumer another configuration, which is valid and may follow on the one it has.
    // spec: JS-096
    pub fn update_consumer(&mut self, config: ConsumerConfig, now: Now, ticket: Ticket) -> Result<(), ApiError> {
        self.now = now;
        if self.consumer(&config.name).is_none() {
            return Err(ApiError::consumer_does_not_exist());
        }
        if self.live.config.retention == Retention::WorkQueue && !self.is_partition(&config) {
            return Err(ApiError::consumer_wq_consumer_not_unique());
        }
        self.begin_group();
        let bytes = self.current.write(|into| note::write_consumer(&config, (now.wall, false), into, |_| {}));
        self.current.drafts.push(Draft::Note { kind: note::CONSUMER, bytes });
        self.propose(ticket, Changed::ConsumerUpdated(Box::new(config)));
        Ok(())
    }

    /// Has a consumer deliver nothing before a time; `None` for no longer.
    // spec: JS-029 JS-535
    pub fn pause_consumer(
        &mut self,
        name: &str,
        until: Option<martlet_events::WallTime>,
        now: Now,
        ticket: Ticket,
    ) -> Result<(), ApiError> {
        let consumer = self.consumer(name).ok_or_else(ApiError::consumer_not_found)?;
        // Clients resume with the first moment of all.
        let until = until.filter(|until| until.as_nanos() > 0);
        let mut config = ConsumerConfig { pause_until: until, ..consumer.config().clone() };
        let level = metadata::consumer_level(&config);
        metadata::stamp(&mut config.metadata, level);
        self.update_consumer(config, now, ticket)
    }

    /// Has a consumer begin anew at a sequence; 0 is behind what is acknowledged.
    // spec: JS-031
    pub fn reset_consumer(
        &mut self,
        name: &str,
        seq: u64,
        now: Now,
        ticket: Ticket,
        out: &mut dyn Out,
    ) -> Result<(), ApiError> {
        self.now = now;
        let key = self.live.consumers.key(name).ok_or_else(ApiError::consumer_not_found)?;
        let reset = self.with_consumer(key, out, |consumer, ctx| consumer.reset(seq, ctx));
        let seq = reset.ok_or_else(ApiError::consumer_not_found)?.map_err(ApiError::consumer_invalid_reset)?;
        self.keep_initial(key, out);
        self.live.consumers.hurry(key);
        self.live.consumers.wake(key);
        self.write_progress();
        self.propose(ticket, Changed::ConsumerReset(name.to_owned(), seq));
        Ok(())
    }

    /// Keeps what a consumer is before it delivers anything, for whoever asked for that.
    fn keep_initial(&mut self, key: Key, out: &mut dyn Out) {
        let initial = self.with_consumer(key, out, Consumer::info).map(Box::new);
        self.live.consumers.change(key, |slot| slot.initial = initial);
    }

    /// Pins the next client of a group instead of the one that is.
    // spec: JS-030 JS-536
    pub fn unpin_consumer(&mut self, name: &str, group: &str, now: Now, out: &mut dyn Out) -> Result<(), ApiError> {
        self.now = now;
        let consumer = self.consumer(name).ok_or_else(ApiError::consumer_not_found)?;
        if !consumer.config().priority_groups.iter().any(|own| own == group) {
            return Err(ApiError::consumer_invalid_priority_group());
        }
        if let Some(key) = self.live.consumers.key(name) {
            self.with_consumer(key, out, |consumer, ctx| consumer.unpin(ctx, group));
            self.live.consumers.wake(key);
        }
        self.deliver_awake(out);
        Ok(())
    }

    /// Takes a consumer away.
    // spec: JS-028 JS-534
    pub fn delete_consumer(&mut self, name: &str, now: Now, ticket: Ticket) -> Result<(), ApiError> {
        self.now = now;
        self.consumer(name).ok_or_else(ApiError::consumer_not_found)?;
        self.propose_end(name, ticket);
        Ok(())
    }

    /// Takes a consumer away that nobody uses.
    pub(super) fn delete_consumer_by_itself(&mut self, key: Key) {
        if let Some(name) = self.live.consumers.get(key).map(|slot| slot.consumer.name().to_owned()) {
            self.propose_end(&name, NOBODY);
        }
    }

    fn propose_end(&mut self, name: &str, ticket: Ticket) {
        self.set_ending(name, true);
        self.begin_group();
        let bytes = self.current.write(|into| note::write_end(name, into));
        self.current.drafts.push(Draft::Note { kind: note::CONSUMER_GONE, bytes });
        self.propose(ticket, Changed::ConsumerDeleted(name.to_owned()));
    }

    fn set_ending(&mut self, name: &str, is_ending: bool) {
        if let Some(key) = self.live.consumers.key(name) {
            self.live.consumers.change(key, |slot| slot.is_ending = is_ending);
        }
    }

    /// Tells whoever waits for messages why there are none any more: to be called when the stream ends.
    pub fn close_consumers(&mut self, why: Closing, now: Now, out: &mut dyn Out) {
        self.now = now;
        for key in self.live.consumers.keys() {
            self.with_consumer(key, out, |consumer, ctx| consumer.close(ctx, why));
        }
    }

    /// A change of a consumer stands.
    pub(super) fn finish_consumer(&mut self, changed: &Changed, out: &mut dyn Out) {
        match changed {
            Changed::ConsumerCreated(name) => {
                let Some(key) = self.live.consumers.key(name) else { return };
                self.live.consumers.change(key, |slot| slot.stands = true);
                self.with_consumer(key, out, Consumer::interest);
                self.keep_initial(key, out);
                self.live.consumers.wake(key);
                self.announce_consumer("CREATED", "create", name, out);
                self.with_consumer(key, out, Consumer::announce_pause);
            }
            Changed::ConsumerUpdated(config) => {
                let Some(key) = self.live.consumers.key(&config.name) else { return };
                self.with_consumer(key, out, |consumer, ctx| consumer.update((**config).clone(), ctx));
                self.live.consumers.rejoin(key);
                self.live.consumers.wake(key);
                self.remove_unneeded();
            }
            Changed::ConsumerDeleted(name) => {
                let Some(key) = self.live.consumers.key(name) else { return };
                self.with_consumer(key, out, |consumer, ctx| consumer.close(ctx, Closing::Deleted));
                self.live.consumers.remove(name);
                self.announce_consumer("DELETED", "delete", name, out);
                self.remove_unneeded();
            }
            _ => {}
        }
    }

    /// A change of a consumer was given up.
    pub(super) fn give_up_consumer(&mut self, change: &Change) {
        match &change.changed {
            Changed::ConsumerCreated(name) => {
                self.live.consumers.remove(name);
            }
            Changed::ConsumerDeleted(name) => self.set_ending(name, false),
            _ => {}
        }
    }

    // spec: JS-091
    fn check_work_queue(&self, config: &ConsumerConfig) -> Result<(), ApiError> {
        let is_free = !config.counts() || self.live.config.retention != Retention::WorkQueue;
        if is_free || self.live.consumers.counted() == 0 {
            return Ok(());
        }
        if config.filter_subjects.is_empty() {
            return Err(ApiError::consumer_wq_multiple_unfiltered());
        }
        if self.is_partition(config) { Ok(()) } else { Err(ApiError::consumer_wq_consumer_not_unique()) }
    }

    /// Whether no other consumer wants what this one wants.
    fn is_partition(&self, config: &ConsumerConfig) -> bool {
        !self.shares(&config.name, &config.filter_subjects)
    }
}

impl Neighbours for Stream {
    fn find(&self, name: &str) -> Option<&ConsumerConfig> {
        self.consumer(name).map(Consumer::config)
    }

    fn count(&self) -> usize {
        self.live.consumers.counted()
    }

    fn shares(&self, name: &str, filters: &[String]) -> bool {
        let filter = Filter::new(filters.iter().map(String::as_bytes));
        let is_other = |consumer: &Consumer| consumer.name() != name && consumer.config().counts();
        self.live.consumers.overlaps(&filter, is_other)
    }
}
