//! Atomic batches: messages that are kept together or not at all.
//!
//! Messages wait here until the last one comes; then they are checked one after the other, each against what the ones
//! before it will have done, and written as one entry.
// spec: JS-073

use std::time::Duration;

use hashbrown::HashMap;
use martlet_events::Time;
use martlet_proto::headers;

use super::admit::{Origin, Plan, Proposal, Refusal, Rollup};
use super::advisory::Abandoned;
use super::answer::As;
use super::group::Span;
use super::headers::{API_LEVEL, Asked, Ttl, expected, number, ttl};
use super::{Incoming, Stream};
use crate::api::ApiError;
use crate::out::{Out, Outgoing};

/// What this server understands of requests.
const API_LEVEL_HERE: i64 = 5;
/// Longest name of a batch.
pub(super) const MAX_ID: usize = 64;

/// Bounds of batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchLimits {
    /// Messages of an atomic batch.
    pub max_messages: u64,
    /// Atomic batches of a stream at a time.
    pub max_atomic: usize,
    /// Fast batches of a stream at a time.
    pub max_fast: usize,
    /// How long a batch may wait for its next message.
    pub timeout: Duration,
}

impl Default for BatchLimits {
    fn default() -> Self {
        Self { max_messages: 1000, max_atomic: 50, max_fast: 1000, timeout: Duration::from_secs(10) }
    }
}

/// A batch that is not ended.
#[derive(Debug)]
pub(super) struct Staged {
    bytes: Vec<u8>,
    messages: Vec<(Span, Span, Span)>,
    last: u64,
    pub(super) deadline: Time,
}

/// All of them, by name.
pub(super) type Atomic = HashMap<Box<[u8]>, Staged, foldhash::fast::FixedState>;

/// How a batch ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Commit {
    /// With this message.
    Here,
    /// Before this message, which is not kept.
    Before,
}

impl Staged {
    fn put(&mut self, bytes: &[u8]) -> Span {
        let end = |bytes: &Vec<u8>| u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        let start = end(&self.bytes);
        self.bytes.extend_from_slice(bytes);
        start..end(&self.bytes)
    }

    fn stage(&mut self, message: &Incoming<'_>) {
        let parts = (self.put(message.subject), self.put(message.headers), self.put(message.payload));
        self.messages.push(parts);
    }

    fn get(&self, span: &Span) -> &[u8] {
        &self.bytes[span.start as usize..span.end as usize]
    }
}

/// Whether a message asks for more than this server understands.
pub(super) fn is_above_level(value: &[u8]) -> bool {
    let level = std::str::from_utf8(value).ok().and_then(|text| text.parse::<i64>().ok());
    !value.is_empty() && level.is_none_or(|level| level > API_LEVEL_HERE)
}

impl Stream {
    /// Takes in a message of an atomic batch.
    pub(super) fn publish_atomic(&mut self, message: &Incoming<'_>, asked: &Asked<'_>, out: &mut dyn Out) {
        if let Err(error) = self.stage(message, asked, out) {
            self.refuse(message.reply, &error.into(), out);
        }
    }

    // spec: JS-581 JS-582 JS-583 JS-584 JS-585 JS-586 JS-587
    fn stage(&mut self, message: &Incoming<'_>, asked: &Asked<'_>, out: &mut dyn Out) -> Result<(), ApiError> {
        self.check_open()?;
        if message.headers.len() + message.payload.len() > self.shape.max_msg_size {
            return Err(ApiError::stream_message_exceeds_maximum());
        }
        if !self.live.config.allow_atomic {
            return Err(ApiError::atomic_publish_disabled());
        }
        let id = asked.batch_id;
        if id.len() > MAX_ID {
            return Err(ApiError::atomic_publish_invalid_batch_id());
        }
        let seq = number(asked.batch_seq).ok_or_else(ApiError::atomic_publish_missing_seq)?;
        let commit = match asked.batch_commit {
            None => Ok(None),
            Some(b"1") => Ok(Some(Commit::Here)),
            Some(b"eob") => Ok(Some(Commit::Before)),
            Some(_) => Err(ApiError::atomic_publish_invalid_batch_commit()),
        };
        let ends_before = commit == Ok(Some(Commit::Before));
        let size = if ends_before { seq.saturating_sub(1) } else { seq };
        let mut batch = self.take_batch(id, seq, size)?;
        let commit = commit?;
        let mut block = message.headers.to_vec();
        if !asked.api_level.is_empty() {
            if is_above_level(asked.api_level) {
                self.announce_abandoned(id, Abandoned::Unsupported, out);
                return Err(ApiError::required_api_level());
            }
            headers::remove(&mut block, API_LEVEL);
        }
        batch.deadline = self.now.time + self.options.batches.timeout;
        batch.last += 1;
        if batch.last != seq || seq == 1 && ends_before {
            self.announce_abandoned(id, Abandoned::Incomplete, out);
            return Err(ApiError::atomic_publish_incomplete_batch());
        }
        let bytes: usize = self.atomic.values().map(|batch| batch.bytes.len()).sum();
        if size > self.options.batches.max_messages || bytes + batch.bytes.len() > self.options.max_waiting {
            self.announce_abandoned(id, Abandoned::Large, out);
            return Err(ApiError::atomic_publish_too_large_batch(self.options.batches.max_messages));
        }
        if commit != Some(Commit::Before) {
            batch.stage(&Incoming { headers: &block, ..*message });
        }
        if commit.is_some() {
            return self.commit_atomic(id, &batch, ends_before, message.reply, out);
        }
        self.atomic.insert(id.into(), batch);
        if self.answers(message.reply) {
            out.publish(&Outgoing { subject: message.reply, ..Outgoing::default() });
        }
        Ok(())
    }

    /// The batch a message belongs to, taken out: it is put back when all is well.
    fn take_batch(&mut self, id: &[u8], seq: u64, size: u64) -> Result<Staged, ApiError> {
        if let Some(batch) = self.atomic.remove(id) {
            return Ok(batch);
        }
        let limits = self.options.batches;
        if seq != 1 {
            return Err(if size > limits.max_messages {
                ApiError::atomic_publish_too_large_batch(limits.max_messages)
            } else {
                ApiError::atomic_publish_incomplete_batch()
            });
        }
        if self.atomic.len() >= limits.max_atomic.min(self.room.atomic) {
            return Err(ApiError::atomic_publish_too_many_inflight());
        }
        Ok(Staged { bytes: Vec::new(), messages: Vec::new(), last: 0, deadline: Time::ORIGIN })
    }

    /// Writes a whole batch, or nothing of it.
    fn commit_atomic(
        &mut self,
        id: &[u8],
        batch: &Staged,
        by_end: bool,
        reply: &[u8],
        out: &mut dyn Out,
    ) -> Result<(), ApiError> {
        self.close_group();
        self.begin_group();
        let count = batch.messages.len();
        let mut transformed = Vec::new();
        for (place, (subject, block, payload)) in batch.messages.iter().enumerate() {
            let asked = Asked::parse(batch.get(block));
            transformed.clear();
            let subject = self.transformed(batch.get(subject), &mut transformed, out);
            let (headers, payload) = (batch.get(block), batch.get(payload));
            let message = Proposal { subject, reply, headers, payload, asked: &asked, origin: Origin::Client };
            let is_last = place + 1 == count;
            let mut plan = match self.check_in_batch(&message, true) {
                Ok(plan) => plan,
                Err(refusal) => {
                    self.take_back_current();
                    return Err(match refusal {
                        Refusal::Duplicate(_) => ApiError::atomic_publish_contains_duplicate_message(),
                        Refusal::Error(error) => error,
                    });
                }
            };
            if is_last && by_end {
                let block = plan.headers.get_or_insert_with(|| headers.to_vec());
                headers::set(block, b"Nats-Batch-Commit", b"1");
            }
            let answers = is_last && self.answers(reply);
            self.admit(&message, &plan, answers.then_some(As::Batch(id, count as u64)));
        }
        self.close_group();
        Ok(())
    }

    /// The group that is being admitted comes to nothing.
    fn take_back_current(&mut self) {
        self.last_seq = self.current.before.0;
        self.last_id.clear();
        self.last_id.extend_from_slice(&self.current.before.1);
        self.live.ids.take_back(self.last_seq);
        self.current.clear();
    }

    /// Decides about a message of a batch: `is_atomic` if it stands or falls with what the group holds already.
    pub(super) fn check_in_batch(&self, message: &Proposal<'_>, is_atomic: bool) -> Result<Plan, Refusal> {
        let (config, asked) = (&self.live.config, message.asked);
        if is_atomic && !asked.expected_last_id.is_empty() {
            return Err(ApiError::atomic_publish_unsupported_header_batch("Nats-Expected-Last-Msg-Id").into());
        }
        let mut plan = Plan::default();
        if message.headers.len() > usize::from(u16::MAX) {
            return Err(ApiError::stream_header_exceeds_maximum().into());
        }
        let increment = self.check_increment(message)?;
        if !asked.expected_stream.is_empty() && asked.expected_stream != config.name.as_bytes() {
            return Err(ApiError::stream_not_match().into());
        }
        match ttl(asked.ttl) {
            Some(Ttl::None) => {}
            _ if !config.allow_msg_ttl => return Err(ApiError::message_ttl_disabled().into()),
            None => return Err(ApiError::message_ttl_invalid().into()),
            Some(Ttl::Seconds(_) | Ttl::Never) => {}
        }
        if !asked.msg_id.is_empty()
            && let Some(seq) = self.live.find_id(asked.msg_id)
        {
            return Err(Refusal::Duplicate(seq));
        }
        if !asked.stream_source.is_empty() {
            return Err(ApiError::message_source_hdr_not_allowed().into());
        }
        self.count(message, increment, &mut plan)?;
        self.check_expected_in_batch(message, is_atomic)?;
        self.check_schedule(message, &mut plan)?;
        self.check_rollup(message, &mut plan)?;
        if is_atomic {
            self.check_rollup_in_batch(message, &plan)?;
        }
        self.check_size(message, &plan)?;
        plan.is_skipped = self.is_unwanted(message.subject);
        if !plan.is_skipped {
            self.check_room(message, &plan)?;
            self.check_ttl(message, &mut plan)?;
            self.check_bounds(message, &plan)?;
        }
        Ok(plan)
    }

    /// What a batch changes itself cannot be expected in it.
    fn check_expected_in_batch(&self, message: &Proposal<'_>, is_atomic: bool) -> Result<(), ApiError> {
        let asked = message.asked;
        if !asked.expected_last_seq.is_empty() {
            if expected(asked.expected_last_seq) != self.last_seq {
                return Err(ApiError::stream_wrong_last_sequence(self.last_seq));
            }
            if is_atomic && !self.current.is_empty() {
                return Err(ApiError::stream_wrong_last_sequence_constant());
            }
        }
        let subject = if asked.expected_subject.is_empty() { message.subject } else { asked.expected_subject };
        if is_atomic && !asked.expected_subject_seq.is_empty() && self.current.subject(subject).is_some() {
            return Err(ApiError::stream_wrong_last_sequence_constant());
        }
        self.check_subject_sequence(message)
    }

    fn check_rollup_in_batch(&self, message: &Proposal<'_>, plan: &Plan) -> Result<(), ApiError> {
        // A schedule brings its rollup along; only one that was asked for is held against the batch.
        if message.asked.rollup.is_empty() && !plan.is_schedule {
            return Ok(());
        }
        match plan.rollup {
            Some(Rollup::Subject) if self.current.subject(message.subject).is_some() => {
                Err(ApiError::stream_rollup_failed("batch rollup sub invalid"))
            }
            Some(Rollup::All) if !self.current.is_empty() => {
                Err(ApiError::stream_rollup_failed("batch rollup all invalid"))
            }
            _ => Ok(()),
        }
    }

    /// Batches whose next message does not come are given up.
    pub(super) fn abandon_batches(&mut self, out: &mut dyn Out) {
        let now = self.now.time;
        let mut over: Vec<Box<[u8]>> = Vec::new();
        self.atomic.retain(|id, batch| {
            if batch.deadline <= now {
                over.push(id.clone());
            }
            batch.deadline > now
        });
        for id in over {
            self.announce_abandoned(&id, Abandoned::Timeout, out);
        }
    }
}
