//! Fast batches: many messages in a row, told of together, with the publisher's pace set by what is said back.
//!
//! What a message is in its batch stands in its reply: `<prefix>.<batch>.<flow>.<ok|fail>.<sequence>.<operation>.$FI`.
// spec: JS-074

use hashbrown::HashMap;
use martlet_events::Time;
use martlet_proto::headers;

use super::admit::{Origin, Proposal, Refusal};
use super::atomic::{MAX_ID, is_above_level};
use super::group::{Effect, Group, Span};
use super::headers::{API_LEVEL, Asked, number};
use super::{Incoming, Stream};
use crate::api::ApiError;
use crate::api::answer::Ack;
use crate::api::json::encode;
use crate::out::{Out, Outgoing};

const SUFFIX: &[u8] = b".$FI";
/// Messages per answer where the client says nothing of use.
const DEFAULT_FLOW: u16 = 10;
/// Messages per answer at most, for all batches of a stream together.
const MAX_FLOW: u16 = 500;

/// What a message is in its batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place<'a> {
    id: &'a [u8],
    flow: u16,
    gap_ok: bool,
    seq: u64,
    op: Op,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Op {
    Start,
    Append,
    /// Ends the batch with this message.
    Commit,
    /// Ends the batch before this message, which is not kept.
    CommitBefore,
    /// Asks what has come.
    Ping,
}

impl Op {
    fn ends(self) -> bool {
        matches!(self, Self::Commit | Self::CommitBefore)
    }
}

/// A reply of a fast batch that says nothing of use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unreadable;

/// Reads a reply; `None` for one of no fast batch.
pub(super) fn place_of(reply: &[u8]) -> Option<Result<Place<'_>, Unreadable>> {
    let rest = reply.strip_suffix(SUFFIX).filter(|rest| !rest.is_empty())?;
    Some(parse(rest).ok_or(Unreadable))
}

fn parse(rest: &[u8]) -> Option<Place<'_>> {
    let mut rest = rest;
    let mut last = || {
        let dot = memchr::memrchr(b'.', rest)?;
        let token = &rest[dot + 1..];
        rest = &rest[..dot];
        Some(token)
    };
    let op = match number(last()?)? {
        0 => Op::Start,
        1 => Op::Append,
        2 => Op::Commit,
        3 => Op::CommitBefore,
        4 => Op::Ping,
        _ => return None,
    };
    let seq = number(last()?).filter(|&seq| seq > 0 && seq < u64::MAX)?;
    let is_first = seq == 1;
    let fits = match op {
        Op::Start => is_first,
        Op::Append | Op::CommitBefore => !is_first,
        Op::Commit | Op::Ping => true,
    };
    if !fits {
        return None;
    }
    let gap_ok = match last()? {
        b"ok" => true,
        b"fail" => false,
        _ => return None,
    };
    let flow = number(last()?).filter(|&flow| flow > 0);
    let flow = flow.map_or(DEFAULT_FLOW, |flow| u16::try_from(flow).unwrap_or(u16::MAX));
    Some(Place { id: last()?, flow, gap_ok, seq, op })
}

/// A batch that is not ended.
#[derive(Debug, Clone)]
pub(super) struct Fast {
    /// The last message of it that came.
    last: u64,
    /// The last message of it that stands, and its sequence in the stream.
    stands: u64,
    stream_seq: u64,
    /// The last message of it that an answer told of.
    told: u64,
    /// Messages that were taken in and do not stand yet.
    pending: u64,
    /// An answer comes every so many messages; and that at most, for the client.
    every: u16,
    most: u16,
    gap_ok: bool,
    /// It is ended, and waits for its last message to stand.
    pub(super) is_ending: bool,
    /// Where the last answer goes, if something else than its last message ended it.
    ended_by: Option<Box<[u8]>>,
    pub(super) deadline: Time,
}

/// All of them, by name.
pub(super) type FastBatches = HashMap<Box<[u8]>, Fast, foldhash::fast::FixedState>;

impl Stream {
    /// Takes in a message of a fast batch.
    pub(super) fn publish_fast(
        &mut self,
        place: Result<Place<'_>, Unreadable>,
        message: &Incoming<'_>,
        asked: &Asked<'_>,
        out: &mut dyn Out,
    ) {
        let place = match self.check_fast(place, message) {
            Ok(place) => place,
            Err(error) => return self.refuse(message.reply, &error.into(), out),
        };
        let mut batch = match self.take_fast(&place) {
            Ok(batch) => batch,
            Err(error) => return self.refuse(message.reply, &error.into(), out),
        };
        let mut block = message.headers.to_vec();
        if !asked.api_level.is_empty() {
            if is_above_level(asked.api_level) {
                return self.refuse(message.reply, &ApiError::required_api_level().into(), out);
            }
            headers::remove(&mut block, API_LEVEL);
        }
        batch.deadline = self.now.time + self.options.batches.timeout;
        let message = Incoming { headers: &block, ..*message };
        let stays = match place.op {
            Op::Ping => self.ping(&mut batch, &place, message.reply, out),
            // An ended batch takes no more; its publisher waits for the last answer.
            _ if batch.is_ending => true,
            _ => self.append_fast(&mut batch, &place, &message, out),
        };
        if stays {
            self.fast.insert(place.id.into(), batch);
        }
    }

    fn check_fast<'a>(
        &self,
        place: Result<Place<'a>, Unreadable>,
        message: &Incoming<'_>,
    ) -> Result<Place<'a>, ApiError> {
        self.check_open()?;
        if message.headers.len() + message.payload.len() > self.shape.max_msg_size {
            return Err(ApiError::stream_message_exceeds_maximum());
        }
        if !self.live.config.allow_batched {
            return Err(ApiError::batch_publish_disabled());
        }
        let place = place.map_err(|_| ApiError::batch_publish_invalid_pattern())?;
        if place.id.len() > MAX_ID { Err(ApiError::batch_publish_invalid_batch_id()) } else { Ok(place) }
    }

    /// The batch a message belongs to, taken out: it is put back unless it is over.
    fn take_fast(&mut self, place: &Place<'_>) -> Result<Fast, ApiError> {
        if let Some(batch) = self.fast.remove(place.id) {
            return Ok(batch);
        }
        if place.seq != 1 || place.op == Op::Ping {
            return Err(ApiError::batch_publish_unknown_batch_id());
        }
        if self.fast.len() >= self.options.batches.max_fast.min(self.room.fast) {
            return Err(ApiError::batch_publish_too_many_inflight());
        }
        // The only publisher may have what it wants; one among others begins slowly.
        let every = if self.fast.is_empty() { place.flow.min(MAX_FLOW) } else { 1 };
        Ok(Fast {
            last: 0,
            stands: 0,
            stream_seq: 0,
            told: 0,
            pending: 0,
            every,
            most: place.flow,
            gap_ok: place.gap_ok,
            is_ending: false,
            ended_by: None,
            deadline: self.now.time,
        })
    }

    /// Says what has come. Gives whether the batch stays.
    fn ping(&mut self, batch: &mut Fast, place: &Place<'_>, reply: &[u8], out: &mut dyn Out) -> bool {
        if place.seq > batch.last {
            say_gap(reply, batch.last + 1, place.seq + 1, out);
            if !batch.gap_ok {
                return !self.end_fast(batch, place.id, reply, out);
            }
            batch.last = place.seq;
            if batch.pending == 0 {
                batch.stands = batch.last;
            }
            if self.pace(batch, reply, out) {
                return true;
            }
        }
        say_flow(reply, batch.told, batch.every, out);
        true
    }

    /// Takes a message in. Gives whether the batch stays.
    fn append_fast(&mut self, batch: &mut Fast, place: &Place<'_>, message: &Incoming<'_>, out: &mut dyn Out) -> bool {
        let reply = message.reply;
        let expected = batch.last + 1;
        if place.seq != expected {
            say_gap(reply, expected, place.seq, out);
            if !batch.gap_ok || place.seq < expected {
                return !self.end_fast(batch, place.id, reply, out);
            }
        }
        batch.last = place.seq;
        if place.op.ends() {
            if place.op == Op::CommitBefore {
                batch.last = place.seq - 1;
                if batch.pending == 0 {
                    batch.stands = batch.last;
                }
                return !self.end_fast(batch, place.id, reply, out);
            }
            batch.is_ending = true;
        } else if place.seq == 1 && self.answers(reply) {
            say_flow(reply, 0, batch.every, out);
        }
        self.admit_fast(batch, place, message, out)
    }

    fn admit_fast(&mut self, batch: &mut Fast, place: &Place<'_>, message: &Incoming<'_>, out: &mut dyn Out) -> bool {
        let asked = Asked::parse(message.headers);
        let mut transformed = Vec::new();
        let subject = self.transformed(message.subject, &mut transformed, out);
        let Incoming { reply, headers, payload, .. } = *message;
        let proposal = Proposal { subject, reply, headers, payload, asked: &asked, origin: Origin::Client };
        match self.check_in_batch(&proposal, false) {
            Ok(plan) => {
                if let Err(error) = self.check_last_id(&asked) {
                    return self.go_on_without(batch, place, reply, error, out);
                }
                batch.pending += 1;
                self.admit(&proposal, &plan, None);
                let group = &mut self.current;
                let (reply, id) = (group.put(reply), group.put(place.id));
                group.effects.push(Effect::Fast { reply, id, batch_seq: place.seq, seq: self.last_seq });
                true
            }
            Err(refusal) => self.refuse_fast(batch, place, reply, &refusal, out),
        }
    }

    /// A message was not to come behind the last one: the batch goes on without it, unless it was to end there. The reference
    /// never ends such a batch.
    fn go_on_without(
        &mut self,
        batch: &mut Fast,
        place: &Place<'_>,
        reply: &[u8],
        error: ApiError,
        out: &mut dyn Out,
    ) -> bool {
        if batch.pending == 0 {
            batch.stands = place.seq;
        }
        self.refuse(reply, &Refusal::Error(error), out);
        !place.op.ends()
    }

    fn refuse_fast(
        &mut self,
        batch: &mut Fast,
        place: &Place<'_>,
        reply: &[u8],
        refusal: &Refusal,
        out: &mut dyn Out,
    ) -> bool {
        let is_duplicate = matches!(refusal, Refusal::Duplicate(_));
        if is_duplicate && batch.pending == 0 {
            batch.stands = place.seq;
            self.pace(batch, reply, out);
        }
        if is_duplicate && !place.op.ends() {
            return true;
        }
        if !batch.gap_ok && batch.last == 1 {
            match refusal {
                Refusal::Duplicate(seq) => {
                    let mut answer = Vec::new();
                    let batch = Some((id_text(place.id), place.seq));
                    self.shape.ack.write(&mut answer, *seq, Ack { duplicate: true, batch, ..Ack::default() });
                    self.say(reply, &answer, out);
                }
                Refusal::Error(error) => {
                    let mut answer = Vec::new();
                    self.shape.ack.refuse(&mut answer, error);
                    self.say(reply, &answer, out);
                }
            }
            return false;
        }
        if let Refusal::Error(error) = refusal {
            say_error(reply, place.seq, error, out);
            if batch.gap_ok && !place.op.ends() {
                return true;
            }
            batch.last -= 1;
            if batch.pending == 0 {
                batch.stands = batch.last;
            }
        }
        !self.end_fast(batch, place.id, reply, out)
    }

    /// Ends a batch: at once, if all of it stands. Gives whether it is over.
    fn end_fast(&mut self, batch: &mut Fast, id: &[u8], reply: &[u8], out: &mut dyn Out) -> bool {
        batch.is_ending = true;
        if batch.last != batch.stands {
            batch.ended_by = Some(reply.into());
            return false;
        }
        self.say_ended(batch, id, reply, out);
        true
    }

    fn say_ended(&self, batch: &Fast, id: &[u8], reply: &[u8], out: &mut dyn Out) {
        let mut answer = Vec::new();
        let count = Some((id_text(id), batch.last));
        let reply = batch.ended_by.as_deref().unwrap_or(reply);
        self.shape.ack.write(&mut answer, batch.stream_seq, Ack { batch: count, ..Ack::default() });
        if !reply.is_empty() {
            out.publish(&Outgoing { subject: reply, payload: &answer, ..Outgoing::default() });
        }
    }

    /// A message of a batch stands.
    pub(super) fn fast_stands(&mut self, group: &Group, spans: (&Span, &Span), seqs: (u64, u64), out: &mut dyn Out) {
        let (reply, id) = (group.get(spans.0), group.get(spans.1));
        let Some(mut batch) = self.fast.remove(id) else { return };
        batch.pending = batch.pending.saturating_sub(1);
        batch.stream_seq = seqs.1;
        batch.stands = if batch.pending == 0 { batch.last } else { seqs.0 };
        if batch.is_ending && batch.last == batch.stands {
            return self.say_ended(&batch, id, reply, out);
        }
        self.pace(&mut batch, reply, out);
        self.fast.insert(id.into(), batch);
    }

    /// A message of a batch was given up: so is the batch.
    pub(super) fn fast_fails(
        &mut self,
        group: &Group,
        spans: (&Span, &Span),
        seq: u64,
        error: &ApiError,
        out: &mut dyn Out,
    ) {
        let (reply, id) = (group.get(spans.0), group.get(spans.1));
        say_error(reply, seq, error, out);
        if let Some(batch) = self.fast.remove(id)
            && batch.is_ending
        {
            self.say_ended(&batch, id, reply, out);
        }
    }

    /// Tells a publisher how far it is, when that is due. Gives whether it was told.
    fn pace(&self, batch: &mut Fast, reply: &[u8], out: &mut dyn Out) -> bool {
        let every = u64::from(batch.every.max(1));
        if batch.stands < batch.told + every {
            return false;
        }
        batch.told += (batch.stands - batch.told) / every * every;
        // The batch itself is taken out of the list.
        let share = MAX_FLOW / u16::try_from(self.fast.len() + 1).unwrap_or(MAX_FLOW).max(1);
        let most = share.max(1).min(batch.most);
        if batch.every < most {
            batch.every = batch.every.saturating_mul(2).min(most);
        } else if batch.every > most {
            batch.every = (batch.every / 2).max(most);
        }
        say_flow(reply, batch.told, batch.every, out);
        true
    }

    /// Batches whose next message does not come are forgotten.
    pub(super) fn forget_fast(&mut self) {
        let now = self.now.time;
        self.fast.retain(|_, batch| batch.is_ending || batch.deadline > now);
    }
}

/// A name as text: one that is none was refused with the reply.
fn id_text(id: &[u8]) -> &str {
    std::str::from_utf8(id).unwrap_or_default()
}

fn say(reply: &[u8], text: &str, out: &mut dyn Out) {
    if !reply.is_empty() {
        out.publish(&Outgoing { subject: reply, payload: text.as_bytes(), ..Outgoing::default() });
    }
}

fn say_flow(reply: &[u8], seq: u64, messages: u16, out: &mut dyn Out) {
    say(reply, &format!(r#"{{"type":"ack","seq":{seq},"msgs":{messages}}}"#), out);
}

fn say_gap(reply: &[u8], expected: u64, seq: u64, out: &mut dyn Out) {
    say(reply, &format!(r#"{{"type":"gap","last_seq":{expected},"seq":{seq}}}"#), out);
}

fn say_error(reply: &[u8], seq: u64, error: &ApiError, out: &mut dyn Out) {
    let text = encode(error);
    say(reply, &format!(r#"{{"type":"err","seq":{seq},"error":{}}}"#, String::from_utf8_lossy(&text)), out);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_reply_says() {
        // spec: JS-074
        let place = |reply: &'static str| place_of(reply.as_bytes());
        assert_eq!(place("_INBOX.x"), None);
        assert_eq!(place(".$FI"), None);
        let start = Place { id: b"u", flow: 20, gap_ok: false, seq: 1, op: Op::Start };
        assert_eq!(place("_INBOX.x.u.20.fail.1.0.$FI"), Some(Ok(start)));
        let append = Place { id: b"u", flow: 10, gap_ok: true, seq: 7, op: Op::Append };
        assert_eq!(place("a.u.0.ok.7.1.$FI"), Some(Ok(append)));
        for wrong in [
            "a.u.10.ok.1.5.$FI",
            "a.u.10.ok.0.1.$FI",
            "a.u.10.ok.1.1.$FI",
            "a.u.10.ok.2.0.$FI",
            "a.u.10.ok.1.3.$FI",
            "a.u.10.maybe.2.1.$FI",
            "u.10.ok.2.1.$FI",
            "x.$FI",
        ] {
            assert_eq!(place(wrong), Some(Err(Unreadable)), "{wrong}");
        }
    }
}
