//! What happens by itself when its time has come.

use std::time::Duration;

use martlet_events::{Time, WallTime};
use martlet_store::{Filter, NEVER, ReadError};

use super::admit::Origin;
use super::group::Draft;
use super::headers::Asked;
use super::{Incoming, Stream};
use crate::out::{Now, Out};

/// When the oldest message is too old that may be.
#[derive(Debug, Default)]
pub(super) struct Age {
    /// Messages before this one never expire, or are gone.
    from: u64,
    /// The message that goes next, and when.
    next: Option<(u64, WallTime)>,
    /// A record that takes what is due is on its way.
    is_proposed: bool,
    /// What is known may be old.
    is_stale: bool,
    /// The next record not before this.
    not_before: WallTime,
    /// What was given up for want of room is not tried before this.
    retry_at: WallTime,
}

/// What cannot be read now is looked at again after this.
const REREAD: Duration = Duration::from_secs(1);
/// Messages may stay this much longer, so that one record takes many.
const PATIENCE: Duration = Duration::from_millis(100);

impl Age {
    /// The record that takes what is due was applied, or given up.
    pub(super) fn expired(&mut self, now: WallTime) {
        (self.is_proposed, self.is_stale) = (false, true);
        self.not_before = add(now, PATIENCE);
    }

    /// What was due cannot be read now: it is looked at again in a while.
    pub(super) fn put_off(&mut self, now: WallTime) {
        self.not_before = add(now, REREAD);
    }

    /// Nothing could be written.
    pub(super) fn given_up(&mut self, now: WallTime) {
        self.expired(now);
        self.retry_at = self.not_before;
    }
}

impl Stream {
    /// When it wants to be called, if nothing happens before.
    pub fn deadline(&self) -> Option<Time> {
        let now = self.now;
        let due = self.due();
        let due = due.map(|due| now.time + Duration::from_nanos(due.as_nanos().saturating_sub(now.wall.as_nanos())));
        let atomic = self.atomic.values().map(|batch| batch.deadline).min();
        let fast = self.fast.values().filter(|batch| !batch.is_ending).map(|batch| batch.deadline).min();
        let consumers = self.consumers_due();
        let own = [due, consumers, atomic, fast, self.origins.deadline(), self.look_again_at];
        own.into_iter().flatten().min()
    }

    /// Does what is due.
    // spec: JS-068
    pub fn tick(&mut self, now: Now, out: &mut dyn Out) {
        self.now = now;
        self.live.ids.expire(now.wall, self.live.config.duplicate_window);
        if self.expiry().is_some_and(|due| due <= now.wall) && !self.age.is_proposed {
            self.begin_group();
            let before = self.cutoff();
            self.current.drafts.push(Draft::Expire { now: now.wall, before });
            (self.current.expires, self.age.is_proposed) = (true, true);
        }
        self.tick_consumers(out);
        if self.look_again_at.is_some_and(|at| at <= now.time) {
            self.remove_unneeded();
        }
        self.tick_origins(out);
        self.abandon_batches(out);
        self.forget_fast();
        self.publish_due(out);
        self.mark_deleted(out);
        self.flush(now, out);
    }

    fn due(&self) -> Option<WallTime> {
        let expiry = if self.age.is_proposed { None } else { self.expiry() };
        let window = self.live.config.duplicate_window;
        let ids = self.live.ids.oldest().map(|time| add(time, window));
        let scheduled = self.live.schedules.next().map(|due| due.max(self.age.not_before));
        let is_due = self.live.to_mark.values().any(|is_proposed| !is_proposed);
        let to_mark = is_due.then(|| self.now.wall.max(self.age.retry_at));
        expiry.into_iter().chain(ids).chain(scheduled).chain(to_mark).min()
    }

    /// Leaves markers where the last message of a subject went by age.
    // spec: JS-068 JS-118
    pub(super) fn mark_deleted(&mut self, out: &mut dyn Out) {
        if self.live.to_mark.values().all(|is_proposed| *is_proposed) {
            return;
        }
        let span = self.live.config.subject_delete_marker_ttl.as_secs();
        let block = format!(
            "NATS/1.0\r\nNats-Marker-Reason: MaxAge\r\nNats-TTL: {}\r\nNats-Rollup: sub\r\n\r\n",
            crate::span::text(Duration::from_secs(span))
        );
        let asked = Asked::parse(block.as_bytes());
        let due: Vec<Box<[u8]>> = self
            .live
            .to_mark
            .iter()
            .filter(|(_, is_proposed)| !**is_proposed)
            .map(|(subject, _)| subject.clone())
            .collect();
        for subject in due {
            if span > 0 && self.last_of(&subject) == 0 {
                let incoming = Incoming { subject: &subject, headers: block.as_bytes(), ..Incoming::default() };
                if self.publish_single(&incoming, &asked, Origin::Own, out) {
                    self.live.to_mark.insert(subject, true);
                    continue;
                }
            }
            self.live.to_mark.remove(&subject);
        }
    }

    /// When the next message goes.
    fn expiry(&self) -> Option<WallTime> {
        let own = self.store.next_expiry().filter(|due| *due < NEVER);
        let due = own.into_iter().chain(self.age.next.map(|(_, due)| due)).min()?;
        Some(due.max(self.age.not_before))
    }

    /// Messages that came before this are too old.
    fn cutoff(&self) -> Option<WallTime> {
        let max_age = self.live.config.max_age;
        (!max_age.is_zero()).then(|| {
            let age = u64::try_from(max_age.as_nanos()).unwrap_or(u64::MAX);
            // "Older than" is "before": a message that is exactly that old goes, too.
            WallTime::from_nanos(self.now.wall.as_nanos().saturating_sub(age).saturating_add(1))
        })
    }

    /// Finds out which message is too old next, if that may have changed.
    pub(super) fn renew_age(&mut self) {
        let max_age = self.live.config.max_age;
        let state = self.store.state();
        if max_age.is_zero() || state.messages == 0 {
            self.age.next = None;
            return;
        }
        if self.age.next.is_some_and(|(seq, _)| seq >= state.first_seq) && !self.age.is_stale {
            return;
        }
        self.age.is_stale = false;
        let mut from = self.age.from.max(state.first_seq);
        let buffer = &mut self.scratch.message;
        self.age.next = loop {
            match self.store.next(&Filter::default(), from, buffer) {
                Ok(Some(message)) if message.expires == Some(NEVER) => from = message.seq + 1,
                Ok(Some(message)) => break Some((message.seq, add(message.time, max_age))),
                Ok(None) => break None,
                Err(ReadError::Unreadable(range)) => from = range.seqs.end() + 1,
                Err(ReadError::NotNow(_)) => {
                    // What is due by then goes, whichever it is.
                    self.age.is_stale = true;
                    break Some((from, add(self.now.wall, REREAD)));
                }
            }
        };
        self.age.from = from;
    }

    /// Something was applied: what follows from it, and what is due now.
    pub(super) fn after_commit(&mut self, out: &mut dyn Out) {
        self.renew_age();
        self.deliver_awake(out);
    }
}

fn add(time: WallTime, span: Duration) -> WallTime {
    WallTime::from_nanos(time.as_nanos().saturating_add(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)))
}
