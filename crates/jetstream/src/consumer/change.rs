//! Updates, pauses and resets.

use martlet_store::Filter;
use thiserror::Error;

use super::push::Pace;
use super::{Consumer, Context, Floor, event, start, wait_of};
use crate::config::{AckPolicy, ConsumerConfig, DeliverPolicy, StreamConfig};

/// Why a consumer cannot begin anew at a sequence.
// spec: JS-031
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ResetError {
    /// It was to begin later.
    #[error("below start seq")]
    BelowStartSeq,
    /// It was to begin later.
    #[error("below start time")]
    BelowStartTime,
    /// It was not to begin at a sequence.
    #[error("not allowed")]
    NotAllowed,
}

impl Consumer {
    /// The stream has another configuration from now on.
    pub fn follow(&mut self, stream: &StreamConfig) {
        // A copy that asked for a stream which keeps everything does not say what it has stored: what was delivered to it is not done
        // with. It says so when it asks again.
        if !(self.config.direct && self.config.ack_policy == AckPolicy::None) {
            self.retention = stream.retention;
        }
        self.address_letters(stream);
    }

    /// Another configuration, which has been found to be a change that may be made.
    // spec: JS-096
    pub fn update(&mut self, config: ConsumerConfig, ctx: &mut Context<'_>) {
        self.begin(ctx);
        let old = std::mem::replace(&mut self.config, config);
        if self.config.ack_wait != old.ack_wait || self.config.backoff != old.backoff {
            self.wait_anew(&old);
        }
        if self.config.rate_limit_bps != old.rate_limit_bps {
            match &mut self.pace {
                Some(pace) => pace.set_rate(self.config.rate_limit_bps),
                // Who has caught up replays nothing.
                None => self.pace = Pace::new(&self.config, ctx.stream, 0),
            }
        }
        self.address_letters(ctx.stream);
        self.sample = start::sample(&self.config.sample_freq);
        if self.config.inactive_threshold != old.inactive_threshold {
            self.set_inactivity(ctx);
        }
        let has_another_pause = self.config.pause_until != old.pause_until;
        if has_another_pause {
            self.set_pause();
        }
        if has_another_pause || (self.paused.is_some() && self.config != old) {
            event::paused(ctx, &self.config.name, self.config.pause_until);
        }
        if self.config.deliver_subject != old.deliver_subject && self.is_push() {
            // Whoever had them listens no longer.
            let pending: Vec<u64> = self.pending.iter().map(|entry| entry.seq).collect();
            for seq in pending {
                self.pending.enqueue(seq);
            }
            self.interest(ctx);
        }
        if self.config.filter_subjects != old.filter_subjects {
            self.filter = Filter::new(self.config.filter_subjects.iter().map(String::as_bytes));
            self.list_anew(ctx.store);
        }
        if self.config.sourcing {
            // Whoever copies the stream begins behind what it has.
            let _ = self.reset(0, ctx);
        }
    }

    /// Tells of a consumer that begins with a pause.
    // spec: JS-139
    pub(crate) fn announce_pause(&mut self, ctx: &mut Context<'_>) {
        if self.paused.is_some() {
            event::paused(ctx, &self.config.name, self.config.pause_until);
        }
    }

    /// Pending messages wait as long as the configuration says now, from when they were delivered.
    fn wait_anew(&mut self, old: &ConsumerConfig) {
        let waits: Vec<_> =
            self.pending.iter().filter(|entry| !entry.queued).map(|entry| (entry.seq, *entry)).collect();
        for (seq, entry) in waits {
            let new = self.wait(entry.deliveries);
            let before = wait_of(old, entry.deliveries);
            self.pending.wait_until(seq, entry.deadline - before + new);
            self.changed(seq);
        }
    }

    /// Begins anew: at a sequence, or, for 0, behind what is acknowledged. Gives the sequence.
    // spec: JS-031
    pub fn reset(&mut self, seq: u64, ctx: &mut Context<'_>) -> Result<u64, ResetError> {
        self.begin(ctx);
        let seq = match (seq, self.config.deliver_policy) {
            (0, _) => self.floor.seq + 1,
            (_, DeliverPolicy::All) => seq,
            (_, DeliverPolicy::ByStartSequence(start)) if seq >= start => seq,
            (_, DeliverPolicy::ByStartSequence(_)) => return Err(ResetError::BelowStartSeq),
            (_, DeliverPolicy::ByStartTime(time)) if seq >= ctx.store.first_since(time) => seq,
            (_, DeliverPolicy::ByStartTime(_)) => return Err(ResetError::BelowStartTime),
            _ => return Err(ResetError::NotAllowed),
        };
        self.pending.clear();
        let spent: Vec<u64> = self.spent.keys().copied().collect();
        for seq in spent {
            self.forget_spent(seq);
        }
        self.forget_letters_from(seq);
        self.last_of_subject = None;
        self.next = seq;
        self.delivered = seq - 1;
        self.next_delivery = 1;
        self.floor = Floor { seq: seq - 1, consumer_seq: 0 };
        self.last_delivery = None;
        self.last_ack = None;
        self.log.is_dirty = true;
        self.log.base = 0;
        self.log.acked.clear();
        self.log.changed.clear();
        self.recount(ctx.store);
        Ok(seq)
    }
}
