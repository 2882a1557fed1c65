//! What comes from an origin becomes messages of the stream, with all that follows from it.
//!
//! Invariant: an origin is told that something stands only when it does.

use martlet_events::WallTime;

use super::header::{Index, keep};
use super::upstream::Heard;
use crate::api::ApiError;
use crate::out::{Now, Out, Outgoing};
use crate::stream::admit::{self, Origin, Proposal, Refusal};
use crate::stream::group::{Draft, Effect};
use crate::stream::headers::Asked;
use crate::stream::{GROUP_BYTES, Incoming, Stream, note};

impl Stream {
    /// Takes what has come where an origin had listened, with the key of that. What is kept is written by [`Stream::flush`].
    // spec: JS-113
    pub fn from_origin(&mut self, key: u32, incoming: &Incoming<'_>, now: Now, out: &mut dyn Out) {
        self.now = now;
        // What comes late is of no use.
        let Some(at) = self.origins.upstreams.iter().position(|upstream| upstream.listens(key)) else { return };
        match self.origins.with(at, out, |upstream, desk| upstream.hear(incoming, now.time, desk)) {
            Heard::Nothing => {}
            Heard::Begun(delivered) => self.begin_behind(at, delivered),
            Heard::Question(reply) => self.answer_origin(at, reply, out),
            Heard::Message { seq, time } => {
                let is_mirror = self.origins.upstreams[at].index().is_none();
                let taken = if is_mirror {
                    self.take_mirrored(at, (seq, time), incoming, out)
                } else {
                    self.take_sourced(at, seq, incoming, out)
                };
                if let Err(error) = taken {
                    self.origins.with(at, out, |upstream, desk| upstream.not_taken(error, now.time, desk));
                }
            }
        }
        self.answer_for_origin();
    }

    /// What a mirror's origin does not have, the mirror passes over.
    fn begin_behind(&mut self, at: usize, delivered: u64) {
        if self.origins.upstreams[at].index().is_none() {
            self.pass_over(delivered);
        }
    }

    fn pass_over(&mut self, through: u64) {
        if through > self.last_seq {
            self.begin_group();
            self.current.drafts.push(Draft::Skip { through });
            self.last_seq = through;
        }
    }

    /// A message of the stream that is mirrored keeps its sequence and its time.
    // spec: JS-052
    fn take_mirrored(
        &mut self,
        at: usize,
        (seq, time): (u64, WallTime),
        incoming: &Incoming<'_>,
        out: &mut dyn Out,
    ) -> Result<(), ApiError> {
        if seq <= self.last_seq {
            return Ok(());
        }
        self.make_way(incoming)?;
        self.pass_over(seq - 1);
        self.propose_copy(at, None, Origin::Mirrored(time), incoming, out).map(drop)
    }

    /// A message of a source gets a sequence of its own, and says where it comes from.
    // spec: JS-081
    fn take_sourced(
        &mut self,
        at: usize,
        seq: u64,
        incoming: &Incoming<'_>,
        out: &mut dyn Out,
    ) -> Result<(), ApiError> {
        self.make_way(incoming)?;
        self.live.ids.expire(self.now.wall, self.live.config.duplicate_window);
        let upstream = &self.origins.upstreams[at];
        let (index, identity) = (upstream.index().cloned(), upstream.identity.clone());
        let Some(index) = index else { return Ok(()) };
        if !self.propose_copy(at, Some((&index, seq, &identity)), Origin::Sourced, incoming, out)? {
            // No message says how far the source is.
            self.begin_group();
            let bytes = self.current.write(|into| note::write_position(&index.text(), seq, &identity, into));
            self.current.drafts.push(Draft::Note { kind: note::POSITION, bytes });
        }
        Ok(())
    }

    /// Whether there is room for more that waits to be written.
    fn make_way(&mut self, incoming: &Incoming<'_>) -> Result<(), ApiError> {
        let waiting = self.waiting_bytes() + incoming.payload.len() + incoming.headers.len();
        if waiting > self.options.max_waiting {
            return Err(ApiError::stream_too_many_requests());
        }
        if self.current.bytes.len() > GROUP_BYTES {
            self.close_group();
        }
        Ok(())
    }

    /// Proposes a message of an origin; whether it will be kept.
    fn propose_copy(
        &mut self,
        at: usize,
        source: Option<(&Index, u64, &str)>,
        origin: Origin,
        incoming: &Incoming<'_>,
        out: &mut dyn Out,
    ) -> Result<bool, ApiError> {
        let (mut block, mut transformed) = (std::mem::take(&mut self.scratch.headers), Vec::new());
        let provenance = source.map(|(index, seq, identity)| (index, seq, incoming.subject, identity));
        keep(incoming.headers, provenance, &mut block);
        let mut roll = |ceiling: u32| admit::roll(out, ceiling);
        let subject = self.origins.upstreams[at].transformed(incoming.subject, &mut roll, &mut transformed);
        let mut own = std::mem::take(&mut self.scratch.subject);
        let subject = self.transformed(subject, &mut own, out);
        let asked = Asked::parse(&block);
        let proposal =
            Proposal { subject, reply: b"", headers: &block, payload: incoming.payload, asked: &asked, origin };
        let proposed = match self.check(&proposal) {
            Ok(plan) => {
                self.admit(&proposal, &plan, None);
                Ok(!plan.is_skipped)
            }
            // spec: JS-114
            Err(Refusal::Duplicate(_)) => Ok(false),
            Err(Refusal::Error(error)) => Err(error),
        };
        (self.scratch.headers, self.scratch.subject) = (block, own);
        proposed
    }

    /// Tells an origin how much of what it delivered stands: at once, if everything does.
    // spec: JS-104 JS-113
    fn answer_origin(&mut self, at: usize, reply: &[u8], out: &mut dyn Out) {
        let upstream = &self.origins.upstreams[at];
        let (delivered, seq) = (upstream.delivered, upstream.seq);
        if self.is_idle() {
            return say_what_stands(reply, delivered, seq, out);
        }
        self.begin_group();
        let reply = self.current.put(reply);
        self.current.effects.push(Effect::Stands { reply, delivered, seq });
    }
}

/// Answers a question of flow control.
pub(in crate::stream) fn say_what_stands(reply: &[u8], delivered: u64, seq: u64, out: &mut dyn Out) {
    let headers = super::request::credit(delivered, seq);
    out.publish(&Outgoing { subject: reply, headers: headers.as_bytes(), ..Outgoing::default() });
}
