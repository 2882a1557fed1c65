//! What publishers are told.
//!
//! Invariant: whoever is told of a message, is told when that stands; and answers go out in the order of what they answer.

use super::Stream;
use super::admit::Refusal;
use super::group::{Answer, Effect, Span};
use crate::api::ApiError;
use crate::api::answer::Ack;
use crate::out::{Out, Outgoing};

/// How a publisher is answered.
#[derive(Debug, Clone, Copy)]
pub(super) enum As<'a> {
    /// For one message.
    Single,
    /// For a batch of this name and size.
    Batch(&'a [u8], u64),
}

impl Stream {
    /// Whether a publisher is answered.
    pub(super) fn answers(&self, reply: &[u8]) -> bool {
        !reply.is_empty() && !self.live.config.no_ack
    }

    /// Whoever published a message is told its sequence, once it stands.
    pub(super) fn answer_later(&mut self, reply: &[u8], answer: Option<As<'_>>, seq: u64, count: Option<Span>) {
        let Some(answer) = answer else { return };
        let group = &mut self.current;
        let reply = group.put(reply);
        let answer = match (answer, count) {
            (As::Single, None) => Answer::Kept(seq),
            (As::Single, Some(count)) => Answer::Counted(seq, count),
            (As::Batch(id, size), _) => Answer::Batch(seq, group.put(id), size),
        };
        group.effects.push(Effect::Answer { reply, answer });
    }

    /// A publisher is told why its message is not taken in: behind whatever it was told that is not out yet.
    pub(super) fn refuse(&mut self, reply: &[u8], refusal: &Refusal, out: &mut dyn Out) {
        if !self.answers(reply) {
            return;
        }
        if let Refusal::Duplicate(seq) = *refusal
            && !self.is_idle()
        {
            // The message that was first may not stand yet.
            self.begin_group();
            let reply = self.current.put(reply);
            self.current.effects.push(Effect::Answer { reply, answer: Answer::Duplicate(seq) });
            return;
        }
        let mut answer = std::mem::take(&mut self.scratch.answer);
        answer.clear();
        match refusal {
            Refusal::Duplicate(seq) => {
                self.shape.ack.write(&mut answer, *seq, Ack { duplicate: true, ..Ack::default() });
            }
            Refusal::Error(error) => self.shape.ack.refuse(&mut answer, error),
        }
        self.say(reply, &answer, out);
        self.scratch.answer = answer;
    }

    /// Sends an answer when everything before it stands: at once, if it does.
    pub(super) fn say(&mut self, reply: &[u8], answer: &[u8], out: &mut dyn Out) {
        if self.is_idle() {
            out.publish(&Outgoing { subject: reply, payload: answer, ..Outgoing::default() });
            return;
        }
        self.begin_group();
        let group = &mut self.current;
        let reply = group.put(reply);
        let answer = Answer::Ready(group.put(answer));
        group.effects.push(Effect::Answer { reply, answer });
    }

    // spec: JS-078
    /// Too much waits for the disk.
    pub fn refuse_for_want_of_room(&mut self, reply: &[u8], out: &mut dyn Out) {
        if !self.answers(reply) {
            return;
        }
        let mut answer = Vec::new();
        self.shape.ack.refuse(&mut answer, &ApiError::stream_too_many_requests());
        let headers = b"NATS/1.0 429 Too Many Requests\r\n\r\n";
        out.publish(&Outgoing { subject: reply, headers, payload: &answer, ..Outgoing::default() });
    }
}
