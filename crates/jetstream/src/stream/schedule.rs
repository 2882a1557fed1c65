//! Messages that are published again when their time has come.
// spec: JS-070 JS-071 JS-072

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use hashbrown::HashMap;
use martlet_events::WallTime;
use martlet_proto::headers;
use martlet_store::ReadError;

use super::admit::{Origin, Plan, Proposal};
use super::cron::{Invalid, Schedule, time_of};
use super::headers::{Asked, MSG_ID, ROLLUP, SCHEDULE, SCHEDULE_NEXT, SCHEDULER, TTL, ttl};
use super::{Incoming, Stream};
use crate::api::ApiError;
use crate::out::Out;

/// What is due when. A subject has one schedule: its last message.
#[derive(Debug, Default)]
pub(super) struct Schedules {
    subjects: HashMap<Box<[u8]>, Planned, foldhash::fast::FixedState>,
    times: BTreeSet<(WallTime, u64)>,
    seqs: HashMap<u64, Box<[u8]>, foldhash::fast::FixedState>,
}

#[derive(Debug, Clone, Copy)]
struct Planned {
    seq: u64,
    due: WallTime,
    /// Its message is on its way.
    is_proposed: bool,
}

impl Schedules {
    /// A message of a subject came: it may be a schedule, end one, or say when one is due next.
    pub(super) fn added(&mut self, seq: u64, time: WallTime, subject: &[u8], asked: &Asked<'_>) {
        let schedule = Schedule::parse(asked.schedule, asked.time_zone).ok();
        match schedule.filter(|_| !asked.schedule.is_empty()).and_then(|schedule| schedule.first(time)) {
            Some(due) => self.insert(subject, seq, due),
            None => self.remove(subject),
        }
        if !asked.scheduler.is_empty()
            && let Some(next) = std::str::from_utf8(asked.schedule_next).ok().and_then(time_of)
            && let Some(planned) = self.subjects.get(asked.scheduler)
        {
            self.insert(asked.scheduler, planned.seq, next);
        }
    }

    /// A message went.
    pub(super) fn gone(&mut self, seq: u64) {
        if let Some(subject) = self.seqs.get(&seq).cloned() {
            self.remove(&subject);
        }
    }

    /// A schedule, as it is known.
    pub(super) fn insert(&mut self, subject: &[u8], seq: u64, due: WallTime) {
        self.remove(subject);
        self.times.insert((due, seq));
        self.seqs.insert(seq, subject.into());
        self.subjects.insert(subject.into(), Planned { seq, due, is_proposed: false });
    }

    fn remove(&mut self, subject: &[u8]) {
        if let Some(planned) = self.subjects.remove(subject) {
            self.seqs.remove(&planned.seq);
            self.times.remove(&(planned.due, planned.seq));
        }
    }

    /// When the next one is due that is not on its way.
    pub(super) fn next(&self) -> Option<WallTime> {
        self.times.first().map(|(due, _)| *due)
    }

    /// Those that are due, in the order of their messages; they are on their way from now on.
    fn take_due(&mut self, now: WallTime) -> Vec<(u64, WallTime)> {
        let mut due = Vec::new();
        while let Some(&(time, seq)) = self.times.first().filter(|(time, _)| *time <= now) {
            self.times.pop_first();
            if let Some(planned) = self.seqs.get(&seq).and_then(|subject| self.subjects.get_mut(subject)) {
                planned.is_proposed = true;
                due.push((seq, time));
            }
        }
        due.sort_unstable();
        due
    }

    /// Messages are gone.
    pub(super) fn gone_within(&mut self, seqs: &RangeInclusive<u64>) {
        let gone: Vec<u64> = self.seqs.keys().copied().filter(|seq| seqs.contains(seq)).collect();
        for seq in gone {
            self.gone(seq);
        }
    }

    /// One that is due was not published: it is due as before.
    fn put_back(&mut self, seq: u64, due: WallTime) {
        if let Some(planned) = self.seqs.get(&seq).and_then(|subject| self.subjects.get_mut(subject)) {
            planned.is_proposed = false;
            self.times.insert((due, seq));
        }
    }

    /// What was on its way is not: it is due as before.
    pub(super) fn take_back(&mut self) {
        for planned in self.subjects.values_mut().filter(|planned| planned.is_proposed) {
            planned.is_proposed = false;
            self.times.insert((planned.due, planned.seq));
        }
    }

    /// All of them: subject, sequence, and when it is due.
    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = (&[u8], u64, WallTime)> {
        self.subjects.iter().map(|(subject, planned)| (&**subject, planned.seq, planned.due))
    }
}

impl Stream {
    /// Whether a message may be a schedule, or end one.
    // spec: JS-567 JS-568 JS-569 JS-570 JS-576 JS-577
    pub(super) fn check_schedule(&self, message: &Proposal<'_>, plan: &mut Plan) -> Result<(), ApiError> {
        let asked = message.asked;
        let config = &self.live.config;
        if !asked.schedule.is_empty() || asked.time_zone.is_some() {
            let parsed = Schedule::parse(asked.schedule, asked.time_zone);
            let is_zone = matches!(parsed, Err(Invalid::Zone));
            if !config.allow_msg_schedules && (is_zone || !asked.schedule.is_empty()) {
                return Err(ApiError::message_schedules_disabled());
            }
            if is_zone {
                return Err(ApiError::message_schedules_time_zone_invalid());
            }
            if !asked.schedule.is_empty() {
                let schedule = parsed.map_err(|_| ApiError::message_schedules_pattern_invalid())?;
                schedule.first(self.time()).ok_or_else(ApiError::message_schedules_pattern_invalid)?;
                self.check_scheduled(message)?;
                set_rollup(message, plan)?;
            }
        }
        self.check_scheduler(message, plan)
    }

    /// Whether what a schedule is to publish can be.
    fn check_scheduled(&self, message: &Proposal<'_>) -> Result<(), ApiError> {
        let asked = message.asked;
        let (target, source) = (asked.schedule_target, asked.schedule_source);
        if ttl(asked.schedule_ttl).is_none() {
            return Err(ApiError::message_schedules_ttl_invalid());
        }
        if !asked.schedule_rollup.is_empty() && asked.schedule_rollup != b"sub" {
            return Err(ApiError::message_schedules_rollup_invalid());
        }
        if !asked.schedule_ttl.is_empty() && !self.live.config.allow_msg_ttl {
            return Err(ApiError::message_ttl_disabled());
        }
        if target == message.subject || !martlet_subject::is_valid_literal(target) {
            return Err(ApiError::message_schedules_target_invalid());
        }
        let is_bad = source == target || source == message.subject || !martlet_subject::is_valid_literal(source);
        if !source.is_empty() && is_bad {
            return Err(ApiError::message_schedules_source_invalid());
        }
        if !self.listens_on(target) {
            return Err(ApiError::message_schedules_target_invalid());
        }
        if !source.is_empty() && !self.listens_on(source) {
            return Err(ApiError::message_schedules_source_invalid());
        }
        Ok(())
    }

    fn listens_on(&self, subject: &[u8]) -> bool {
        self.live.config.subjects.iter().any(|own| martlet_subject::overlaps(own.as_bytes(), subject))
    }

    // spec: JS-578 JS-579
    fn check_scheduler(&self, message: &Proposal<'_>, plan: &mut Plan) -> Result<(), ApiError> {
        let (next, scheduler) = (message.asked.schedule_next, message.asked.scheduler);
        if next.is_empty() {
            return if scheduler.is_empty() { Ok(()) } else { Err(ApiError::message_schedules_scheduler_invalid()) };
        }
        if next != b"purge" || scheduler == message.subject || !martlet_subject::is_valid_literal(scheduler) {
            return Err(ApiError::message_schedules_scheduler_invalid());
        }
        if !self.live.config.allow_msg_schedules {
            return Err(ApiError::message_schedules_disabled());
        }
        let is_other = self.with_last(scheduler, |last| {
            last.is_some_and(|(block, _)| headers::get(block, SCHEDULE).is_none_or(<[u8]>::is_empty))
        })?;
        if is_other {
            return Err(ApiError::message_schedules_scheduler_invalid());
        }
        plan.ends_schedule = true;
        Ok(())
    }

    /// Publishes what is due.
    pub(super) fn publish_due(&mut self, out: &mut dyn Out) {
        for (seq, due) in self.live.schedules.take_due(self.now.wall) {
            let mut buffer = Vec::new();
            let message = match self.store.get(seq, &mut buffer) {
                Ok(Some(message)) => message,
                Ok(None) | Err(ReadError::Unreadable(_)) => continue,
                Err(ReadError::NotNow(_)) => {
                    self.put_off(seq, due);
                    continue;
                }
            };
            let asked = Asked::parse(message.headers);
            let Ok(schedule) = Schedule::parse(asked.schedule, asked.time_zone) else { continue };
            let next = schedule.next(due, self.now.wall);
            let Some((source_block, payload)) =
                self.scheduled_content(asked.schedule_source, message.headers, message.payload)
            else {
                self.put_off(seq, due);
                continue;
            };
            let block = scheduled_headers(&source_block, message.subject, next, &asked);
            let incoming = Incoming { subject: asked.schedule_target, reply: b"", headers: &block, payload: &payload };
            let (subject, seq) = (message.subject.to_vec(), message.seq);
            if !self.publish_single(&incoming, &Asked::parse(&block), Origin::Own, out) {
                // Nothing will say when it is due next.
                match next {
                    Some(next) => self.live.schedules.insert(&subject, seq, next),
                    None => self.live.schedules.gone(seq),
                }
            }
        }
    }

    /// What is due cannot be read now.
    fn put_off(&mut self, seq: u64, due: WallTime) {
        self.live.schedules.put_back(seq, due);
        self.age.put_off(self.now.wall);
    }

    /// What is published: the last message of the source, if there is one, else the schedule's own; nothing if it cannot be read now.
    fn scheduled_content(&self, source: &[u8], block: &[u8], payload: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
        let own = || Some((block.to_vec(), payload.to_vec()));
        if source.is_empty() {
            return own();
        }
        let Some(seq) = self.last_applied(source) else { return own() };
        let mut buffer = Vec::new();
        match self.store.get(seq, &mut buffer) {
            Ok(Some(message)) => Some((message.headers.to_vec(), message.payload.to_vec())),
            Ok(None) | Err(ReadError::Unreadable(_)) => own(),
            Err(ReadError::NotNow(_)) => None,
        }
    }
}

/// A schedule replaces the one before it.
fn set_rollup(message: &Proposal<'_>, plan: &mut Plan) -> Result<(), ApiError> {
    if message.asked.rollup.is_empty() {
        let block = plan.headers.get_or_insert_with(|| message.headers.to_vec());
        headers::set(block, ROLLUP, b"sub");
        plan.is_schedule = true;
        Ok(())
    } else if message.asked.rollup.eq_ignore_ascii_case(b"sub") {
        Ok(())
    } else {
        Err(ApiError::message_schedules_rollup_invalid())
    }
}

/// Headers of a message that was scheduled: those of what is published, without what would keep it from being stored.
fn scheduled_headers(block: &[u8], scheduler: &[u8], next: Option<WallTime>, asked: &Asked<'_>) -> Vec<u8> {
    let mut into = headers::VERSION_LINE.to_vec();
    for (name, value) in headers::iter(block) {
        let goes = name.starts_with(b"Nats-Schedule")
            || name.starts_with(b"Nats-Expected-")
            || [MSG_ID, TTL, ROLLUP].contains(&name);
        if !goes {
            super::commit::header(&mut into, name, |into| into.extend_from_slice(value));
        }
    }
    super::commit::header(&mut into, SCHEDULER, |into| into.extend_from_slice(scheduler));
    super::commit::header(&mut into, SCHEDULE_NEXT, |into| match next {
        Some(next) => into.extend_from_slice(next.to_string().as_bytes()),
        None => into.extend_from_slice(b"purge"),
    });
    for (name, value) in [(TTL, asked.schedule_ttl), (ROLLUP, asked.schedule_rollup)] {
        if !value.is_empty() {
            super::commit::header(&mut into, name, |into| into.extend_from_slice(value));
        }
    }
    into.extend_from_slice(b"\r\n");
    into
}
