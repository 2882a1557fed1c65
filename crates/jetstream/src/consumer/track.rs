//! What is added to a stream and removed, waits that end, and progress that has to survive.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use martlet_store::Removal;

use super::dead_letters::Reason;
use super::event::{self, About};
use super::pending::Entry;
use super::progress::{Position, Progress, Waits};
use super::{Consumer, Context, Log};
use crate::config::{AckPolicy, Retention};

impl Consumer {
    /// A message that it wants is in the stream now. Whether it may be delivered to somebody who waits.
    pub fn added(&mut self, seq: u64) -> bool {
        if seq < self.next {
            return false;
        }
        self.num_pending += 1;
        match &self.push {
            Some(push) => !push.is_stalled(),
            None => !self.waiting.is_empty(),
        }
    }

    /// A message is no longer in the stream. Whether there is something to tell, which the next call does.
    pub fn removed(&mut self, seq: u64, subject: &[u8], why: Removal) -> bool {
        if seq >= self.next && self.filter.matches(subject) && self.is_counted(seq) {
            self.num_pending = self.num_pending.saturating_sub(1);
        }
        self.let_go(seq, why);
        !self.gone.is_empty()
    }

    /// The same for messages of which nothing can be read: whether they are among those that it wants is not known.
    pub fn lost(&mut self, seqs: &RangeInclusive<u64>, why: Removal) -> bool {
        self.recount = true;
        let pending = self.pending.iter().map(|entry| entry.seq).filter(|seq| seqs.contains(seq));
        let spent = self.spent.range(seqs.clone()).map(|(seq, _)| *seq);
        let letters = self.waiting_letters().map(|(seq, _)| seq).filter(|seq| seqs.contains(seq));
        let concerned: BTreeSet<u64> = pending.chain(spent).chain(letters).collect();
        for seq in concerned {
            self.let_go(seq, why);
        }
        !self.gone.is_empty()
    }

    /// Nobody waits for a message any more.
    fn let_go(&mut self, seq: u64, why: Removal) {
        if let Some(entry) = self.forget(seq) {
            self.last_ack = Some(self.clock.wall);
            self.move_floor(seq, entry.cseq);
            if why != Removal::Purged {
                // Of what was delivered again the reference says how often it was so.
                let deliveries = u64::from(entry.deliveries.max(2) - 1);
                self.gone.push(About { consumer_seq: entry.cseq, seq, deliveries });
            }
        }
        if self.forget_spent(seq) {
            self.last_ack = Some(self.clock.wall);
        }
        self.forget_letter(seq);
    }

    /// The first message that it has not come to.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// Whether it need not be told of messages that come, of which `last` is the last one, or go: nobody waits for any, it waits
    /// for nothing, and it only counts.
    pub(crate) fn is_at_rest(&self, last: u64) -> bool {
        let only_counts = !self.recount && self.last_of_subject.is_none() && self.next <= last;
        only_counts && self.push.is_none() && self.waiting.is_empty() && !self.is_unsettled()
    }

    /// Whether it has delivered messages of which it does not know that they are done with.
    pub(crate) fn is_unsettled(&self) -> bool {
        self.pending.len() > 0 || !self.spent.is_empty() || self.letters_waiting() > 0
    }

    /// Messages that it wants came and went while it was [at rest](Self::is_at_rest).
    pub(crate) fn missed(&mut self, added: u64, removed: u64) {
        self.num_pending = (self.num_pending + added).saturating_sub(removed);
    }

    /// Whether a message that is not delivered was one of those that are to be; takes it off the list of last ones.
    fn is_counted(&mut self, seq: u64) -> bool {
        let Some(list) = &mut self.last_of_subject else { return true };
        if seq > list.resume {
            return true;
        }
        let Ok(at) = list.seqs.binary_search(&seq) else { return false };
        list.seqs.remove(at);
        if list.seqs.is_empty() {
            self.next = list.resume + 1;
            self.last_of_subject = None;
        }
        true
    }

    /// Whether a purge that leaves nothing before a sequence moves where it stands.
    pub fn is_behind(&self, seq: u64) -> bool {
        self.next < seq || self.delivered + 1 < self.next || self.floor.seq + 1 < seq
    }

    /// The stream was purged: nothing before `first_seq` is left. What it passed counts as delivered from then on, as on the
    /// reference, and what is gone as acknowledged.
    // spec: JS-021 JS-097
    pub fn purged(&mut self, first_seq: u64) {
        let gone = first_seq.saturating_sub(1);
        self.skip_to(first_seq);
        self.delivered = self.next - 1;
        self.floor.seq = self.floor.seq.max(gone);
        self.log.is_dirty = true;
        if self.pending.len() == 0 {
            self.move_floor(gone, 0);
        }
    }

    /// Whether a message must stay in a stream that keeps what its consumers are interested in.
    pub fn needs(&self, seq: u64, subject: &[u8]) -> bool {
        if !self.filter.matches(subject) {
            return false;
        }
        let waits = match self.config.ack_policy {
            AckPolicy::Explicit => seq >= self.next || self.pending.get(seq).is_some(),
            AckPolicy::None if self.retention == Retention::Limits => true,
            AckPolicy::None | AckPolicy::All | AckPolicy::FlowControl => seq > self.floor.seq,
        };
        waits || self.spent.contains_key(&seq) || self.is_letter(seq)
    }

    /// Ends the waits that are over: those messages are delivered again, or given up.
    // spec: JS-102 JS-103
    pub(super) fn end_waits(&mut self, ctx: &mut Context<'_>) {
        if self.pending.next_deadline().is_none_or(|at| at > ctx.now.time) {
            return;
        }
        let mut due = Vec::new();
        self.pending.take_due(ctx.now.time, &mut due);
        for seq in due {
            // The reference gives up at once what may be delivered once only, and the rest when its turn would come.
            if self.config.max_deliver == 1 { self.exhaust(ctx, seq) } else { self.pending.enqueue(seq) }
        }
    }

    /// Whether a message that was delivered this often is not delivered again.
    pub(super) fn is_last_delivery(&self, deliveries: u32) -> bool {
        self.config.max_deliver > 0 && i64::from(deliveries) >= self.config.max_deliver
    }

    /// Gives up a message that was delivered as often as it may be. It stays in the stream.
    // spec: JS-103
    pub(super) fn exhaust(&mut self, ctx: &mut Context<'_>, seq: u64) {
        let Some(entry) = self.forget(seq) else { return };
        event::exhausted(ctx, &self.config.name, seq, u64::from(entry.deliveries));
        self.spend(seq, entry.deliveries);
        self.dies(seq, entry.deliveries, Reason::Exhausted);
    }

    pub(super) fn spend(&mut self, seq: u64, deliveries: u32) {
        self.spent.insert(seq, deliveries);
        self.log.spent.push(seq);
        self.log.is_dirty = true;
    }

    /// A message no longer waits for acknowledgement.
    pub(super) fn forget(&mut self, seq: u64) -> Option<Entry> {
        let entry = self.pending.remove(seq)?;
        self.log.forget(seq);
        Some(entry)
    }

    /// A message is no longer one that was delivered as often as it may be; whether it was.
    pub(super) fn forget_spent(&mut self, seq: u64) -> bool {
        let was_spent = self.spent.remove(&seq).is_some();
        if was_spent {
            self.log.spent.push(seq);
            self.log.is_dirty = true;
        }
        was_spent
    }

    /// A message that waits for acknowledgement has changed.
    pub(super) fn changed(&mut self, seq: u64) {
        self.log.is_dirty = true;
        if seq <= self.log.base && self.pending.touch(seq) {
            self.log.changed.push(seq);
        }
    }

    fn position(&self) -> Position {
        Position {
            next: self.next,
            delivered: self.delivered,
            consumer_seq: self.next_delivery,
            floor_seq: self.floor.seq,
            floor_consumer_seq: self.floor.consumer_seq,
            resume: self.last_of_subject.as_ref().map_or(0, |list| list.resume),
            passed_over: self.passed_over,
        }
    }

    /// Whether something has changed since the last delta.
    pub(crate) fn has_progress(&self) -> bool {
        self.log.is_dirty
    }

    /// Appends what has changed since the last call; whether anything has.
    pub fn progress(&mut self, out: &mut Vec<u8>) -> bool {
        if !self.log.is_dirty {
            return false;
        }
        let log = std::mem::take(&mut self.log);
        self.log.base = self.delivered;
        // When nothing waits any more, that is said by replacing all by nothing.
        let base = if self.pending.len() == 0 { 0 } else { log.base };
        let waits = self.pending.after(base).map(|entry| Waits::of(entry, self.clock)).collect();
        let mut progress = Progress { position: self.position(), base, waits, ..Progress::default() };
        let Log { mut acked, mut changed, mut spent, mut letters, .. } = log;
        for list in [&mut acked, &mut changed, &mut spent, &mut letters] {
            list.sort_unstable();
            list.dedup();
        }
        for &seq in &changed {
            self.pending.untouch(seq);
        }
        acked.retain(|&seq| seq <= base);
        changed.retain(|&seq| seq <= base);
        let changed = changed.iter().filter_map(|&seq| self.pending.get(seq));
        progress.changed = changed.map(|entry| Waits::of(entry, self.clock)).collect();
        progress.acked = acked;
        progress.spent = spent.iter().map(|&seq| (seq, self.spent.get(&seq).copied().unwrap_or(0))).collect();
        progress.letters = self.letters_of(&letters);
        progress.encode(out);
        true
    }

    /// Appends everything that [`Self::restore`] needs.
    pub fn snapshot(&self, out: &mut Vec<u8>) {
        let progress = Progress {
            position: self.position(),
            waits: self.pending.iter().map(|entry| Waits::of(entry, self.clock)).collect(),
            spent: self.spent.iter().map(|(&seq, &deliveries)| (seq, deliveries)).collect(),
            letters: self.all_letters(),
            is_whole: true,
            ..Progress::default()
        };
        progress.encode(out);
    }

    /// Whether nobody has used the consumer for as long as it stays.
    pub(super) fn is_inactive(&mut self, ctx: &mut Context<'_>) -> bool {
        let now = ctx.now.time;
        if self.inactivity.check.is_none_or(|at| at > now) {
            return false;
        }
        let threshold = self.inactivity.threshold;
        self.interest(ctx);
        if self.letters_waiting() > 0 {
            // They would go with it.
            self.used();
        } else if self.push.as_ref().is_some_and(|push| push.is_active) {
            self.used();
        } else if !self.waiting.is_empty() {
            self.search_requests(ctx, false);
            if !self.waiting.is_empty() {
                self.used();
            }
        }
        let mut until = self.inactivity.last + threshold;
        if !self.is_push() {
            // Somebody may still be at work on what was delivered last.
            let last = self.pending.iter().map(|entry| entry.deadline + threshold).max();
            until = until.max(last.unwrap_or(until));
        }
        let is_over = until <= now;
        self.inactivity.check = Some(if is_over { now + threshold } else { until });
        is_over
    }

    /// Gives memory back that is not needed while nothing happens: for a stream to call when it is quiet.
    pub fn shrink(&mut self) {
        self.pending.shrink();
        self.waiting.shrink();
        self.log.acked.shrink_to_fit();
        self.log.changed.shrink_to_fit();
        self.log.spent.shrink_to_fit();
        self.log.letters.shrink_to_fit();
        self.gone.shrink_to_fit();
    }
}

impl Log {
    /// A dead letter is new, or is no longer.
    pub(super) fn letter(&mut self, seq: u64) {
        self.is_dirty = true;
        self.letters.push(seq);
    }

    /// An entry is no longer.
    pub(super) fn forget(&mut self, seq: u64) {
        self.is_dirty = true;
        if seq <= self.base {
            self.acked.push(seq);
        }
    }
}
