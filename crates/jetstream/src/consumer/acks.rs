//! Acknowledgements, and what follows from them.

use std::time::Duration;

use super::ack::{AckSubject, Verdict};
use super::event::{self, About};
use super::{Consumer, Context, Floor, Outcome};
use crate::config::{AckPolicy, Retention};
use crate::out::Outgoing;

impl Consumer {
    /// What came to a reply subject of a delivery. The payload is without headers.
    // spec: JS-101 JS-102
    pub fn ack(&mut self, ctx: &mut Context<'_>, subject: &AckSubject<'_>, reply: &[u8], payload: &[u8]) -> Outcome {
        if !self.hears_acks() {
            return Outcome::default();
        }
        self.begin(ctx);
        self.used();
        let mut outcome = Outcome::default();
        let mut answers = subject.seq != 0;
        match Verdict::parse(payload) {
            Verdict::Ack => {
                if self.settle(ctx, subject, true, &mut outcome) && !reply.is_empty() {
                    outcome.confirm.push(reply.into());
                }
                answers = false;
            }
            Verdict::Next(body) => {
                self.settle(ctx, subject, true, &mut outcome);
                if !reply.is_empty() {
                    self.request(ctx, reply, body);
                    outcome.more = true;
                }
                answers = false;
            }
            Verdict::Nak(delay) => outcome.more |= self.nak(ctx, subject, delay),
            Verdict::Progress => self.extend(subject.seq),
            Verdict::Term(reason) => {
                self.dies_by(subject.seq, reason);
                if self.settle(ctx, subject, false, &mut outcome) && !reply.is_empty() {
                    outcome.confirm.push(reply.into());
                }
                event::terminated(ctx, &self.config.name, about(subject), reason);
                answers = false;
            }
            Verdict::Unknown => {}
        }
        if answers && !reply.is_empty() {
            ctx.out.publish(&Outgoing { subject: reply, ..Outgoing::default() });
        }
        outcome
    }

    /// A message is done. Whether who said so gets an answer.
    fn settle(
        &mut self,
        ctx: &mut Context<'_>,
        subject: &AckSubject<'_>,
        is_done: bool,
        outcome: &mut Outcome,
    ) -> bool {
        // What is not delivered cannot be done: this comes from another time, or from somebody who guesses.
        if subject.seq >= self.next && !self.config.flow_control {
            return false;
        }
        let was_full = self.is_full();
        if self.config.ack_policy == AckPolicy::Explicit {
            self.ack_one(ctx, subject, is_done, outcome);
        } else {
            self.ack_through(subject.seq, subject.consumer_seq, outcome);
        }
        outcome.more |= was_full && !self.is_full();
        true
    }

    /// Whether anything that is said of single messages counts: not if no acknowledgement is wanted, or those of flow control do.
    // spec: JS-101
    fn hears_acks(&self) -> bool {
        matches!(self.config.ack_policy, AckPolicy::Explicit | AckPolicy::All)
    }

    // spec: JS-101
    fn ack_one(&mut self, ctx: &mut Context<'_>, subject: &AckSubject<'_>, is_done: bool, outcome: &mut Outcome) {
        let seq = subject.seq;
        if let Some(entry) = self.forget(seq) {
            if is_done && self.sample > 0 && (self.sample >= 100 || ctx.out.random() % 100 <= self.sample) {
                let sent = entry.deadline - self.wait(entry.deliveries);
                let ack_time = ctx.now.time.since(sent).as_nanos();
                event::sampled(ctx, &self.config.name, about(subject), u64::try_from(ack_time).unwrap_or(u64::MAX));
            }
            self.move_floor(seq, entry.cseq);
            self.settled(seq, outcome);
        } else if self.forget_spent(seq) {
            if is_done {
                // It was dealt with after all.
                self.forget_letter(seq);
            }
            self.settled(seq, outcome);
        }
        self.last_ack = Some(ctx.now.wall);
    }

    /// A message is done, and with it all before.
    // spec: JS-102
    pub(super) fn ack_through(&mut self, seq: u64, consumer_seq: u64, outcome: &mut Outcome) {
        // A message before may have been acknowledged by a later delivery. The reference takes that for an acknowledgement
        // that came late, answers it, and delivers the message again.
        let is_flow_control = self.config.ack_policy == AckPolicy::FlowControl;
        if seq <= self.floor.seq || (is_flow_control && consumer_seq <= self.floor.consumer_seq) {
            return;
        }
        while let Some(entry) = self.pending.remove_first_through(seq) {
            self.log.forget(entry.seq);
            self.settled(entry.seq, outcome);
        }
        while let Some((&spent, _)) = self.spent.first_key_value().filter(|&(&spent, _)| spent <= seq) {
            self.forget_spent(spent);
            self.forget_letter(spent);
            self.settled(spent, outcome);
        }
        let consumer_seq = consumer_seq.max(self.floor.consumer_seq).min(self.next_delivery - 1);
        self.floor = Floor { seq: seq.min(self.delivered), consumer_seq };
        self.log.is_dirty = true;
        self.last_ack = Some(self.clock.wall);
    }

    pub(super) fn settled(&self, seq: u64, outcome: &mut Outcome) {
        // A dead letter stays until somebody has it.
        if self.retention != Retention::Limits && !self.is_letter(seq) {
            outcome.settled.push(seq);
        }
    }

    /// All up to a message may be acknowledged now.
    pub(super) fn move_floor(&mut self, seq: u64, consumer_seq: u64) {
        if self.pending.len() == 0 {
            self.floor = Floor { seq: self.delivered, consumer_seq: self.next_delivery - 1 };
        } else if consumer_seq == self.floor.consumer_seq + 1 {
            self.floor = self
                .pending
                .after(seq)
                .next()
                .map_or(Floor { seq, consumer_seq }, |next| Floor { seq: next.seq - 1, consumer_seq: next.cseq - 1 });
        }
    }

    /// A message was refused; whether it is to be delivered again at once.
    // spec: JS-101 JS-102
    fn nak(&mut self, ctx: &mut Context<'_>, subject: &AckSubject<'_>, delay: Option<Duration>) -> bool {
        let known = self.floor.consumer_seq + 1..=self.next_delivery;
        if !known.contains(&subject.consumer_seq) || self.pending.get(subject.seq).is_none() {
            return false;
        }
        event::naked(ctx, &self.config.name, about(subject));
        if let Some(delay) = delay {
            self.pending.wait_until(subject.seq, ctx.now.time + delay);
            self.changed(subject.seq);
        } else {
            self.pending.enqueue(subject.seq);
        }
        delay.is_none()
    }

    /// A message takes longer.
    // spec: JS-101
    fn extend(&mut self, seq: u64) {
        if let Some(entry) = self.pending.get(seq) {
            let deadline = self.clock.time + self.wait(entry.deliveries);
            self.pending.extend(seq, deadline);
            self.changed(seq);
        }
    }

    /// Whether as many messages wait for acknowledgement as may.
    pub(super) fn is_full(&self) -> bool {
        let bound = usize::try_from(self.config.max_ack_pending).ok().filter(|&bound| bound > 0);
        self.pending.len() >= bound.unwrap_or(super::pending::MAX_PENDING)
    }
}

fn about(subject: &AckSubject<'_>) -> About {
    About { consumer_seq: subject.consumer_seq, seq: subject.seq, deliveries: subject.deliveries }
}
