//! A message becomes a proposal with a sequence and a time, or is refused.
//!
//! The order of the checks is the reference's: it decides which of several errors a publisher sees.

use martlet_events::WallTime;
use martlet_proto::headers;

use super::answer::As;
use super::bounds::payload_len;
use super::group::{Draft, Effect, Span};
use super::headers::{Asked, REQUEST_INFO, TTL, Ttl, expected, ttl};
use super::{GROUP_BYTES, Incoming, Room, Stream};
use crate::api::ApiError;
use crate::config::Retention;
use crate::out::{Now, Out};

/// A message on its way in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Proposal<'a> {
    /// Its subject, transformed.
    pub(super) subject: &'a [u8],
    pub(super) reply: &'a [u8],
    pub(super) headers: &'a [u8],
    pub(super) payload: &'a [u8],
    pub(super) asked: &'a Asked<'a>,
    pub(super) origin: Origin,
}

/// Where a message comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// A client: it is held to every rule.
    Client,
    /// The stream itself: a marker, or a message that was scheduled. What only clients must not do is done.
    Own,
    /// A stream that it collects from, which has judged the message.
    Sourced,
    /// The stream that it mirrors, where the message was taken in at this time.
    Mirrored(WallTime),
}

/// Which older messages a message replaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rollup {
    /// Those of its subject.
    Subject,
    /// All.
    All,
}

/// Why a message is not taken in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It has been already: as the message with this sequence.
    Duplicate(u64),
    /// It is in error.
    Error(ApiError),
}

impl From<ApiError> for Refusal {
    fn from(error: ApiError) -> Self {
        Self::Error(error)
    }
}

/// What is decided of a message that is taken in.
#[derive(Debug, Clone, Default)]
pub(super) struct Plan {
    pub(super) rollup: Option<Rollup>,
    pub(super) expires: Option<WallTime>,
    /// Its headers, if others than those it came with.
    pub(super) headers: Option<Vec<u8>>,
    /// What it counts to, and with it its payload.
    pub(super) count: Option<String>,
    /// The subject whose schedule ends with it.
    pub(super) ends_schedule: bool,
    /// It is a schedule, and replaces the one before it.
    pub(super) is_schedule: bool,
    /// Nobody is interested: it only takes a sequence.
    pub(super) is_skipped: bool,
}

/// What became of a message that is traced.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Fate {
    /// The subject it is kept under; empty if it is not taken in.
    pub subject: Vec<u8>,
    /// Nobody is interested in it.
    pub is_unwanted: bool,
    /// Why it is not taken in; empty if it is.
    pub error: String,
}

/// A message that is traced.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Traced {
    /// It is not to be kept.
    pub only: bool,
    fate: Fate,
}

impl Traced {
    /// To be kept, or not.
    pub fn new(only: bool) -> Self {
        Self { only, fate: Fate::default() }
    }

    fn note(&mut self, subject: &[u8], verdict: &Result<Plan, Refusal>) {
        match verdict {
            Ok(plan) => (self.fate.subject, self.fate.is_unwanted) = (subject.to_vec(), plan.is_skipped),
            Err(Refusal::Duplicate(_)) => "msgid is duplicate".clone_into(&mut self.fate.error),
            Err(Refusal::Error(error)) => self.fate.error = error.description.to_string(),
        }
    }
}

impl Stream {
    /// The same for a message that is traced. What is traced only is judged, and not taken in.
    // spec: CORE-125
    pub fn publish_traced(&mut self, now: Now, incoming: &Incoming<'_>, traced: Traced, out: &mut dyn Out) -> Fate {
        let asked = Asked::parse(incoming.headers);
        let is_of_batch = !asked.batch_id.is_empty() || super::fast::place_of(incoming.reply).is_some();
        // A batch is judged as a whole, which this is no part of.
        if is_of_batch && traced.only {
            return Fate::default();
        }
        self.traced = Some(traced);
        self.publish(now, incoming, out);
        self.traced.take().map(|traced| traced.fate).unwrap_or_default()
    }

    /// Takes a message in, or refuses it. What is taken in is written by [`Stream::flush`].
    pub fn publish(&mut self, now: Now, incoming: &Incoming<'_>, out: &mut dyn Out) {
        self.now = now;
        let waiting = self.waiting_bytes() + incoming.payload.len() + incoming.headers.len();
        if waiting > self.options.max_waiting {
            return self.refuse_for_want_of_room(incoming.reply, out);
        }
        if self.current.bytes.len() > GROUP_BYTES {
            self.close_group();
        }
        self.live.ids.expire(now.wall, self.live.config.duplicate_window);
        let mut cleaned = std::mem::take(&mut self.scratch.headers);
        let (mut block, mut asked) = (incoming.headers, Asked::parse(incoming.headers));
        if !asked.request_info.is_empty() || has_status(block) {
            block = clean(block, &mut cleaned);
            asked = Asked::parse(block);
        }
        let incoming = Incoming { headers: block, ..*incoming };
        if let Some(place) = super::fast::place_of(incoming.reply) {
            self.publish_fast(place, &incoming, &asked, out);
        } else if asked.batch_id.is_empty() {
            self.publish_single(&incoming, &asked, Origin::Client, out);
        } else {
            self.publish_atomic(&incoming, &asked, out);
        }
        self.scratch.headers = cleaned;
    }

    /// Takes in a message that belongs to no batch. Whether it will be kept.
    pub(super) fn publish_single(
        &mut self,
        incoming: &Incoming<'_>,
        asked: &Asked<'_>,
        origin: Origin,
        out: &mut dyn Out,
    ) -> bool {
        let mut transformed = std::mem::take(&mut self.scratch.subject);
        let subject = self.transformed(incoming.subject, &mut transformed, out);
        let proposal = Proposal {
            subject,
            reply: incoming.reply,
            headers: incoming.headers,
            payload: incoming.payload,
            asked,
            origin,
        };
        let verdict = self.check(&proposal);
        let mut is_only_traced = false;
        if let Some(traced) = &mut self.traced {
            traced.note(proposal.subject, &verdict);
            is_only_traced = traced.only;
        }
        let is_kept = match verdict {
            Ok(_) if is_only_traced => false,
            Ok(plan) => {
                let answer = self.answers(proposal.reply);
                self.admit(&proposal, &plan, answer.then_some(As::Single));
                !plan.is_skipped
            }
            Err(refusal) => {
                self.refuse(proposal.reply, &refusal, out);
                false
            }
        };
        self.scratch.subject = transformed;
        is_kept
    }

    /// What a subject becomes before anything looks at it.
    pub(super) fn transformed<'a>(&self, subject: &'a [u8], into: &'a mut Vec<u8>, out: &mut dyn Out) -> &'a [u8] {
        let Some(transform) = &self.shape.transform else { return subject };
        into.clear();
        let mut roll = |ceiling: u32| roll(out, ceiling);
        if transform.apply(subject, &mut roll, into) { into } else { subject }
    }

    /// Decides about a message by itself.
    // spec: JS-066 JS-067 JS-068 JS-075 JS-076
    pub(super) fn check(&self, message: &Proposal<'_>) -> Result<Plan, Refusal> {
        let config = &self.live.config;
        self.check_open()?;
        if message.headers.len() + message.payload.len() > self.shape.max_msg_size {
            return Err(ApiError::stream_message_exceeds_maximum().into());
        }
        let mut plan = Plan::default();
        let asked = message.asked;
        let increment = self.check_increment(message)?;
        if !message.headers.is_empty() {
            if !asked.expected_stream.is_empty() && asked.expected_stream != config.name.as_bytes() {
                return Err(ApiError::stream_not_match().into());
            }
            let is_client = message.origin == Origin::Client;
            if is_client && !config.allow_msg_ttl && !matches!(ttl(asked.ttl), None | Some(Ttl::None)) {
                return Err(ApiError::message_ttl_disabled().into());
            }
            self.check_subject_sequence(message)?;
            if !asked.expected_last_seq.is_empty() && expected(asked.expected_last_seq) != self.last_seq {
                return Err(ApiError::stream_wrong_last_sequence(self.last_seq).into());
            }
            if is_client {
                self.check_schedule(message, &mut plan)?;
                if !asked.stream_source.is_empty() {
                    return Err(ApiError::message_source_hdr_not_allowed().into());
                }
            }
            // A mirror has what its origin has.
            if !matches!(message.origin, Origin::Mirrored(_)) {
                self.check_id(asked)?;
            }
            self.check_rollup(message, &mut plan)?;
        }
        plan.ends_schedule |= message.origin == Origin::Own && asked.schedule_next == b"purge";
        self.count(message, increment, &mut plan)?;
        self.check_size(message, &plan)?;
        if self.room.server == 0 {
            return Err(ApiError::insufficient_resources().into());
        }
        plan.is_skipped = self.is_unwanted(message.subject);
        if !plan.is_skipped {
            self.check_room(message, &plan)?;
            self.check_ttl(message, &mut plan)?;
            self.check_bounds(message, &plan)?;
        }
        Ok(plan)
    }

    /// Whether a message is not kept, because nobody is interested.
    pub(super) fn is_unwanted(&self, subject: &[u8]) -> bool {
        self.live.config.retention == Retention::Interest && !self.live.consumers.wants(subject)
    }

    /// Whether anything may come in at all.
    pub(super) fn check_open(&self) -> Result<(), ApiError> {
        if self.live.config.sealed {
            return Err(ApiError::stream_sealed());
        }
        match self.store.fenced() {
            Some(why) => Err(ApiError::stream_store_failed(why.to_string())),
            None => Ok(()),
        }
    }

    // spec: JS-066
    pub(super) fn check_subject_sequence(&self, message: &Proposal<'_>) -> Result<(), ApiError> {
        let asked = message.asked;
        if asked.expected_subject_seq.is_empty() {
            return if asked.expected_subject.is_empty() {
                Ok(())
            } else {
                Err(ApiError::stream_expected_last_seq_per_subject_invalid())
            };
        }
        let subject = if asked.expected_subject.is_empty() { message.subject } else { asked.expected_subject };
        let last = self.last_of(subject);
        if last == expected(asked.expected_subject_seq) {
            Ok(())
        } else {
            Err(ApiError::stream_wrong_last_sequence(last))
        }
    }

    // spec: JS-065 JS-066
    fn check_id(&self, asked: &Asked<'_>) -> Result<(), Refusal> {
        if !asked.msg_id.is_empty()
            && let Some(seq) = self.live.find_id(asked.msg_id)
        {
            return Err(Refusal::Duplicate(seq));
        }
        Ok(self.check_last_id(asked)?)
    }

    pub(super) fn check_last_id(&self, asked: &Asked<'_>) -> Result<(), ApiError> {
        if !asked.expected_last_id.is_empty() && asked.expected_last_id != self.last_id {
            return Err(ApiError::stream_wrong_last_msg_id(String::from_utf8_lossy(&self.last_id)));
        }
        Ok(())
    }

    // spec: JS-067
    pub(super) fn check_rollup(&self, message: &Proposal<'_>, plan: &mut Plan) -> Result<(), ApiError> {
        let value = if plan.is_schedule { b"sub" } else { message.asked.rollup };
        if value.is_empty() {
            return Ok(());
        }
        if message.origin == Origin::Client && !self.shape.rolls_up {
            return Err(ApiError::stream_rollup_failed("rollup not permitted"));
        }
        let rollup = match value {
            _ if value.eq_ignore_ascii_case(b"sub") => Rollup::Subject,
            _ if value.eq_ignore_ascii_case(b"all") => Rollup::All,
            _ => {
                let value = String::from_utf8_lossy(value).to_lowercase();
                return Err(ApiError::stream_rollup_failed(format!("rollup value invalid: {value:?}")));
            }
        };
        plan.rollup = self.shape.rolls_up.then_some(rollup);
        Ok(())
    }

    // spec: JS-075
    pub(super) fn check_size(&self, message: &Proposal<'_>, plan: &Plan) -> Result<(), ApiError> {
        let headers = plan.headers.as_ref().map_or(message.headers.len(), Vec::len);
        if headers + payload_len(message, plan) > self.shape.max_msg_size {
            return Err(ApiError::stream_message_exceeds_maximum());
        }
        if headers > usize::from(u16::MAX) {
            return Err(ApiError::stream_header_exceeds_maximum());
        }
        Ok(())
    }

    // spec: JS-068 JS-118
    pub(super) fn check_ttl(&self, message: &Proposal<'_>, plan: &mut Plan) -> Result<(), ApiError> {
        let config = &self.live.config;
        if !config.allow_msg_ttl && matches!(message.origin, Origin::Sourced | Origin::Mirrored(_)) {
            // What is copied is kept as it is, and stays as long as this stream says.
            return Ok(());
        }
        let mut span = ttl(message.asked.ttl).ok_or_else(ApiError::message_ttl_invalid)?;
        let least = config.subject_delete_marker_ttl.as_secs();
        // A message that went before the marker of the one before it would be taken for deleted by that.
        if let Ttl::Seconds(seconds) = span
            && least > seconds
            && config.max_msgs_per_subject != 1
        {
            span = Ttl::Seconds(least);
            let block = plan.headers.get_or_insert_with(|| message.headers.to_vec());
            headers::remove(block, TTL);
            headers::set(block, TTL, itoa::Buffer::new().format(least).as_bytes());
        }
        plan.expires = match span {
            Ttl::None => None,
            Ttl::Seconds(seconds) => Some(later(self.time_of(message), seconds)),
            Ttl::Never => Some(martlet_store::NEVER),
        };
        Ok(())
    }

    /// The time that a message gets now.
    pub(super) fn time(&self) -> WallTime {
        self.now.wall.max(self.last_time)
    }

    fn time_of(&self, message: &Proposal<'_>) -> WallTime {
        match message.origin {
            Origin::Mirrored(time) => time,
            _ => self.time(),
        }
    }

    /// A message is taken in: it gets the next sequence. Who is answered gets told so once it stands.
    pub(super) fn admit(&mut self, message: &Proposal<'_>, plan: &Plan, answer: Option<As<'_>>) {
        let time = self.time_of(message);
        let seq = self.last_seq + 1;
        let last_of_subject = if self.shape.republish.is_some() { self.last_of(message.subject) } else { 0 };
        self.begin_group();
        let delta = self.delta(message, plan);
        let size = if plan.is_skipped { 0 } else { self.planned_size(message, plan) };
        let room = self.room;
        let left = |bytes: u64| bytes.saturating_sub(size);
        self.room = Room { account: left(room.account), server: left(room.server), ..room };
        let group = &mut self.current;
        let count = plan.count.as_ref().map(|count| group.put(count.as_bytes()));
        let subject = group.put(message.subject);
        if plan.is_skipped {
            self.skipped = Some((seq, time));
            group.drafts.push(Draft::Skip { through: seq });
            if !message.asked.msg_id.is_empty() {
                let bytes = group.write(|into| super::note::write_id(seq, time, message.asked.msg_id, into));
                group.drafts.push(Draft::Note { kind: super::note::ID, bytes });
            }
        } else {
            let headers = group.put(plan.headers.as_deref().unwrap_or(message.headers));
            let payload = match &plan.count {
                Some(count) => group.write(|into| super::counter::write_value(count, into)),
                None => group.put(message.payload),
            };
            let expires = plan.expires;
            group.drafts.push(Draft::Message { seq, time, subject: subject.clone(), headers, payload, expires });
            (group.messages, group.size) = (group.messages + delta.0, group.size + delta.1);
            group.add_to_subject(&subject, seq, plan.rollup == Some(Rollup::Subject));
            if self.shape.republish.is_some() {
                let draft = group.drafts.len() - 1;
                group.effects.push(Effect::Republish { draft, last_of_subject });
            }
        }
        self.roll_up(plan, subject, seq, message.asked);
        self.answer_later(message.reply, answer, seq, count);
        (self.last_seq, self.last_time) = (seq, time.max(self.last_time));
        self.last_id.clear();
        self.last_id.extend_from_slice(message.asked.msg_id);
        self.live.remember(seq, time, message.asked.msg_id);
    }

    /// What a message replaces goes with it. That it does so is written down: the store knows no headers.
    // spec: JS-067 JS-071
    fn roll_up(&mut self, plan: &Plan, subject: Span, seq: u64, asked: &Asked<'_>) {
        let group = &mut self.current;
        let keeps = u64::from(plan.is_skipped);
        match plan.rollup {
            Some(Rollup::Subject) => {
                group.drafts.push(Draft::Purge { filter: Some(subject), before: seq + keeps, keep: 0 });
            }
            Some(Rollup::All) => {
                group.purges.push(group.drafts.len());
                group.purge_subjects(None, seq);
                group.drafts.push(Draft::Purge { filter: None, before: seq + keeps, keep: 0 });
            }
            None => {}
        }
        if plan.ends_schedule && self.shape.rolls_up {
            let filter = group.put(asked.scheduler);
            group.clear_subject(&filter);
            group.drafts.push(Draft::Purge { filter: Some(filter), before: seq, keep: 0 });
        }
    }
}

/// A roll of the dice below `ceiling`.
#[expect(clippy::cast_possible_truncation, reason = "below the ceiling")]
pub(super) fn roll(out: &mut dyn Out, ceiling: u32) -> u32 {
    if ceiling == 0 { 0 } else { (out.random() % u64::from(ceiling)) as u32 }
}

fn later(time: WallTime, seconds: u64) -> WallTime {
    WallTime::from_nanos(time.as_nanos().saturating_add(seconds.saturating_mul(1_000_000_000)))
}

/// Whether the first line says more than the version.
fn has_status(block: &[u8]) -> bool {
    !block.is_empty() && !block.starts_with(headers::VERSION_LINE) && headers::status(block).is_some()
}

/// Headers as they are kept: without a status, and without what a server added on the way.
fn clean<'a>(block: &[u8], into: &'a mut Vec<u8>) -> &'a [u8] {
    into.clear();
    into.extend_from_slice(block);
    if has_status(block)
        && let Some(end) = memchr::memchr(b'\r', block)
    {
        into.drain(b"NATS/1.0".len()..end);
    }
    headers::remove(into, REQUEST_INFO);
    if into.len() <= headers::VERSION_LINE.len() + 2 { b"" } else { into }
}
