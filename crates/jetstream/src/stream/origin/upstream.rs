//! One origin: it is asked for its messages, they are counted as they come, and it is asked again when they do not.
//!
//! It is told what comes and what time it is, and says what it wants done through the [`Desk`]; what a message means for the
//! stream is the stream's.
//!
//! Invariant: every message that is given to the stream follows on the one before it; whatever does not is asked for again.

use std::time::Duration;

use martlet_events::{Time, WallTime};
use martlet_proto::headers;
use martlet_subject::Transform;

use super::desk::Desk;
use super::header::Index;
use super::request::{Asking, Granted, Home, Kind, Level, SILENCE, Start, deletion, understand};
use crate::api::ApiError;
use crate::api::answer::SourceInfo;
use crate::config::Source;
use crate::consumer::AckSubject;
use crate::stream::Incoming;

/// How long an answer may take: to a request for a new consumer, and for one that is there.
const PATIENCE: Duration = Duration::from_secs(10);
const PATIENCE_DURABLE: Duration = Duration::from_secs(5);
/// It is not asked oftener.
const RETRY: Duration = Duration::from_secs(2);
/// It is asked as often, however long it has failed.
const RETRY_MOST: Duration = Duration::from_secs(30);
/// As many heartbeats in a row that wait for an answer which was sent mean that answers do not arrive.
const STALLED_HEARTBEATS: u32 = 3;

/// Where an origin is.
#[derive(Debug)]
enum Phase {
    /// It is asked at this time; before, if its consumer is heard of at the key.
    Rests { until: Time, probe: Option<(u32, Box<[u8]>)> },
    /// It was asked, from this start on, and is given up at this time.
    Asked { key: u32, inbox: Box<[u8]>, level: Level, start: Start, until: Time },
    /// It delivers.
    Delivers { key: u32, subject: Box<[u8]>, consumer: Box<[u8]> },
}

/// What something that came means for the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Heard<'a> {
    /// Nothing.
    Nothing,
    /// Messages come from now on; what is up to this sequence does not.
    Begun(u64),
    /// An answer is awaited there, which says what stands.
    Question(&'a [u8]),
    /// The next message.
    Message { seq: u64, time: WallTime },
}

/// An origin. See the module's text.
#[derive(Debug)]
pub(super) struct Upstream {
    pub(super) source: Source,
    pub(super) kind: Kind,
    home: Home,
    /// The name of the consumer that is asked for.
    consumer: String,
    transforms: Vec<Transform>,
    phase: Phase,
    /// The last sequence that the stream was given.
    pub(super) seq: u64,
    /// The last sequence that has been copied; what the origin begins behind has not.
    copied: u64,
    /// The consumer's sequence of the last delivery.
    pub(super) delivered: u64,
    /// Which stream of its name it is.
    pub(super) identity: String,
    /// It is known to be another stream than the one that was copied.
    is_anew: bool,
    lag: u64,
    error: Option<ApiError>,
    heard: Option<Time>,
    asked: Option<Time>,
    failures: u32,
    stalled: u32,
}

impl Upstream {
    /// An origin that is asked for the first time after `delay`.
    pub(super) fn new(source: Source, kind: Kind, home: Home, is_twice: bool, now: Time, delay: Duration) -> Self {
        let transforms = source.subject_transforms.iter();
        Self {
            consumer: kind.consumer(&home, is_twice),
            transforms: transforms.filter_map(|of| Transform::new(&of.src, &of.dest).ok()).collect(),
            source,
            kind,
            home,
            phase: Phase::Rests { until: now + delay, probe: None },
            seq: 0,
            copied: 0,
            delivered: 0,
            identity: String::new(),
            is_anew: false,
            lag: 0,
            error: None,
            heard: None,
            asked: None,
            failures: 0,
            stalled: 0,
        }
    }

    /// The index of a source; `None` for a mirror.
    pub(super) fn index(&self) -> Option<&Index> {
        match &self.kind {
            Kind::Mirror => None,
            Kind::Source(index) => Some(index),
        }
    }

    /// Whether it is this one that is listened for with a key.
    pub(super) fn listens(&self, wanted: u32) -> bool {
        match &self.phase {
            Phase::Rests { probe, .. } => probe.as_ref().is_some_and(|(key, _)| *key == wanted),
            Phase::Asked { key, .. } | Phase::Delivers { key, .. } => *key == wanted,
        }
    }

    /// Whether nearly everything has come.
    pub(super) fn has_caught_up(&self) -> bool {
        /// A stream that is written to is never quite caught up with.
        const NEARLY: u64 = 10;
        self.lag < NEARLY && self.seq > 0 && matches!(self.phase, Phase::Delivers { .. })
    }

    /// What a subject becomes.
    pub(super) fn transformed<'a>(
        &self,
        subject: &'a [u8],
        roll: &mut dyn FnMut(u32) -> u32,
        into: &'a mut Vec<u8>,
    ) -> &'a [u8] {
        for transform in &self.transforms {
            into.clear();
            if transform.apply(subject, roll, into) {
                return into;
            }
        }
        subject
    }

    /// When it wants to be called.
    pub(super) fn deadline(&self) -> Time {
        match &self.phase {
            Phase::Rests { until, .. } | Phase::Asked { until, .. } => *until,
            Phase::Delivers { .. } => self.heard.unwrap_or_default() + SILENCE,
        }
    }

    /// Does what is due; copying would begin at `start`.
    pub(super) fn tick(&mut self, now: Time, start: Start, desk: &mut Desk<'_>) {
        if self.deadline() > now {
            return;
        }
        match &self.phase {
            Phase::Rests { .. } => {
                let start = if self.is_anew { Start::default() } else { start };
                self.ask(now, start, Level::Identity, desk);
            }
            Phase::Asked { .. } => {
                let why = "nobody has answered the request for its messages";
                self.fail(self.setup_failed(why), now, desk);
                if let (Some(durable), Phase::Rests { probe, .. }) = (&self.source.consumer, &mut self.phase) {
                    // It may still deliver: then somebody is there to be asked.
                    let subject = durable.deliver_subject.as_bytes();
                    *probe = Some((desk.listen(subject), subject.into()));
                }
            }
            Phase::Delivers { .. } => self.restart(now, desk),
        }
    }

    fn ask(&mut self, now: Time, start: Start, level: Level, desk: &mut Desk<'_>) {
        self.leave(desk);
        // A mirror has the sequences of its origin, whichever that is.
        let level = if level == Level::Identity && self.kind == Kind::Mirror { Level::Sourcing } else { level };
        let (inbox, unique) = (format!("$JSC.R.{}", desk.unique()), desk.unique());
        let (home, kind, source, consumer) = (&self.home, &self.kind, &self.source, &*self.consumer);
        let request = Asking { home, kind, source, consumer, start: &start, level, unique: &unique }.request();
        let inbox: Box<[u8]> = inbox.into_bytes().into();
        let key = desk.listen(&inbox);
        desk.send(request, &inbox);
        let patience = if self.source.consumer.is_some() { PATIENCE_DURABLE } else { PATIENCE };
        (self.asked, self.delivered) = (Some(now), 0);
        self.phase = Phase::Asked { key, inbox, level, start, until: now + patience };
    }

    /// Nobody got the request whose answer is awaited on `inbox`.
    pub(super) fn unheard(&mut self, wanted: &[u8], now: Time, desk: &mut Desk<'_>) {
        if let Phase::Asked { inbox, .. } = &self.phase
            && **inbox == *wanted
        {
            self.fail(self.setup_failed("nobody serves requests for its messages here"), now, desk);
        }
    }

    /// Something has come that is listened for.
    pub(super) fn hear<'a>(&mut self, of: &Incoming<'a>, now: Time, desk: &mut Desk<'_>) -> Heard<'a> {
        match &self.phase {
            Phase::Rests { .. } => {
                self.failures = 0;
                self.rest(now, desk);
                Heard::Nothing
            }
            Phase::Asked { .. } => match understand(of.headers, of.payload) {
                Some(Ok(granted)) => self.granted(granted, now, desk),
                Some(Err(error)) => {
                    self.refused(error, now, desk);
                    Heard::Nothing
                }
                None => {
                    self.fail(self.setup_failed("its answer is none"), now, desk);
                    Heard::Nothing
                }
            },
            Phase::Delivers { consumer, .. } => {
                let is_status = of.payload.is_empty() && of.headers.starts_with(b"NATS/1.0 100 ");
                if is_status {
                    self.heard = Some(now);
                    return self.status(of, now, desk);
                }
                let ack = AckSubject::parse(of.reply).filter(|ack| *ack.consumer == **consumer && ack.deliveries == 1);
                let Some(ack) = ack else { return Heard::Nothing };
                self.heard = Some(now);
                self.message(&ack, now, desk)
            }
        }
    }

    fn granted(&mut self, granted: Granted, now: Time, desk: &mut Desk<'_>) -> Heard<'static> {
        let Phase::Asked { start, .. } = &self.phase else { return Heard::Nothing };
        let start = start.clone();
        if self.source.consumer.is_some() && !granted.acknowledges {
            self.fail(self.not_acknowledging(), now, desk);
            return Heard::Nothing;
        }
        let other = [&start.identity, &granted.identity].iter().all(|identity| !identity.is_empty())
            && start.identity != granted.identity;
        self.leave(desk);
        let deliver = match &self.source.consumer {
            Some(durable) => durable.deliver_subject.as_bytes(),
            None => granted.deliver_subject.as_bytes(),
        };
        let subject: Box<[u8]> = deliver.into();
        let key = desk.listen(&subject);
        self.seq = if other { granted.delivered } else { start.seq.max(granted.delivered) };
        self.copied = if other { 0 } else { start.seq };
        (self.identity, self.is_anew) = (granted.identity, false);
        (self.delivered, self.failures, self.stalled, self.error) = (0, 0, 0, None);
        self.heard = Some(now);
        self.phase = Phase::Delivers { key, subject, consumer: granted.consumer.into_bytes().into() };
        Heard::Begun(granted.delivered)
    }

    /// The origin refuses: it may know less than was asked for, or be another one.
    // spec: JS-113 JS-115
    fn refused(&mut self, error: ApiError, now: Time, desk: &mut Desk<'_>) {
        let Phase::Asked { level, start, .. } = &self.phase else { return };
        let (level, start) = (*level, start.clone());
        let is_other = error.err_code == ApiError::consumer_stream_identity_mismatch("").err_code;
        let knows_less =
            [ApiError::required_api_level().err_code, ApiError::invalid_json("").err_code].contains(&error.err_code);
        if is_other {
            self.is_anew = true;
            self.ask(now, Start::default(), level, desk);
        } else if knows_less && level == Level::Identity {
            self.ask(now, start, Level::Sourcing, desk);
        } else if knows_less && level == Level::Sourcing && self.source.consumer.is_none() {
            self.ask(now, start, Level::Plain, desk);
        } else {
            self.fail(error, now, desk);
        }
    }

    /// A heartbeat, or a question of flow control.
    fn status<'a>(&mut self, of: &Incoming<'a>, now: Time, desk: &mut Desk<'_>) -> Heard<'a> {
        if !of.reply.is_empty() {
            return Heard::Question(of.reply);
        }
        let last = headers::get(of.headers, b"Nats-Last-Consumer").and_then(super::super::headers::number);
        if last.is_some_and(|last| last > 0 && last != self.delivered) {
            self.restart(now, desk);
            return Heard::Nothing;
        }
        let Some(reply) = headers::get(of.headers, b"Nats-Consumer-Stalled").filter(|reply| !reply.is_empty()) else {
            self.stalled = 0;
            return Heard::Nothing;
        };
        self.stalled += 1;
        // spec: JS-369 NEW-048
        if self.stalled == STALLED_HEARTBEATS {
            self.set_error(ApiError::source_consumer_stalled(), desk);
        }
        Heard::Question(reply)
    }

    fn message(&mut self, ack: &AckSubject<'_>, now: Time, desk: &mut Desk<'_>) -> Heard<'static> {
        let is_next = ack.consumer_seq == self.delivered + 1;
        if ack.seq <= self.seq {
            // It has come before.
            self.delivered += u64::from(is_next);
            return Heard::Nothing;
        }
        let follows = self.is_mirror() && ack.seq == self.seq + 1;
        if !is_next && !follows {
            if ack.consumer_seq > self.delivered {
                self.restart(now, desk);
            }
            return Heard::Nothing;
        }
        (self.delivered, self.seq, self.copied) = (ack.consumer_seq, ack.seq, ack.seq);
        self.lag = ack.pending.saturating_sub(1);
        if self.stalled > 0 {
            (self.stalled, self.error) = (0, None);
        }
        Heard::Message { seq: ack.seq, time: WallTime::from_nanos(ack.time) }
    }

    /// The stream could not take the message that it was given: it is asked for again.
    pub(super) fn not_taken(&mut self, error: ApiError, now: Time, desk: &mut Desk<'_>) {
        self.restart(now, desk);
        self.set_error(error, desk);
    }

    /// What has come is not to be relied on: it is asked again.
    pub(super) fn restart(&mut self, now: Time, desk: &mut Desk<'_>) {
        self.leave(desk);
        self.rest(now, desk);
    }

    /// It cannot be had for now.
    fn fail(&mut self, error: ApiError, now: Time, desk: &mut Desk<'_>) {
        self.leave(desk);
        self.failures += 1;
        self.rest(now, desk);
        self.set_error(error, desk);
    }

    // spec: JS-115
    fn rest(&mut self, now: Time, desk: &mut Desk<'_>) {
        self.leave(desk);
        let soonest = self.asked.map_or(now, |asked| asked + RETRY).max(now);
        let doubled = RETRY * (1 << self.failures.clamp(1, 7) >> 1);
        let backoff = if self.failures == 0 { Duration::ZERO } else { doubled.min(RETRY_MOST) };
        self.phase = Phase::Rests { until: soonest + backoff + desk.jitter(), probe: None };
    }

    fn set_error(&mut self, error: ApiError, desk: &mut Desk<'_>) {
        if self.error.as_ref() != Some(&error) {
            desk.tell(format!("'{}' cannot be copied: {error}; it is tried again", self.source.name));
        }
        self.error = Some(error);
    }

    /// Listens for it no longer.
    fn leave(&mut self, desk: &mut Desk<'_>) {
        let left = match &self.phase {
            Phase::Rests { probe, .. } => probe.as_ref().map(|(_, subject)| subject),
            Phase::Asked { inbox: subject, .. } | Phase::Delivers { subject, .. } => Some(subject),
        };
        if let Some(subject) = left {
            desk.ignore(subject);
        }
        self.phase = Phase::Rests { until: Time::ORIGIN, probe: None };
    }

    /// It is not copied any more: a consumer that was made for it goes.
    pub(super) fn end(mut self, desk: &mut Desk<'_>) {
        if let (Phase::Delivers { consumer, .. }, None) = (&self.phase, &self.source.consumer) {
            let request = deletion(&self.source, &String::from_utf8_lossy(consumer));
            desk.send(request, b"");
        }
        self.leave(desk);
    }

    fn is_mirror(&self) -> bool {
        self.kind == Kind::Mirror
    }

    fn setup_failed(&self, why: &str) -> ApiError {
        if self.is_mirror() {
            ApiError::mirror_consumer_setup_failed(why)
        } else {
            ApiError::source_consumer_setup_failed(why)
        }
    }

    // spec: JS-355 JS-358
    fn not_acknowledging(&self) -> ApiError {
        if self.is_mirror() {
            ApiError::mirror_consumer_requires_ack_flow_control()
        } else {
            ApiError::source_consumer_requires_ack_flow_control()
        }
    }

    /// What is known of it.
    // spec: JS-059 JS-061
    pub(super) fn info(&self, now: Time) -> SourceInfo {
        // A mirror tells of its filter when it has asked for it.
        let is_filter_told = !self.is_mirror() || self.asked.is_some();
        SourceInfo {
            name: self.source.name.clone(),
            external: self.source.external.clone(),
            lag: self.lag,
            seq: if self.is_mirror() { 0 } else { self.copied },
            active: self.heard.map(|heard| now.since(heard)),
            error: self.error.clone(),
            filter_subject: if is_filter_told { self.source.filter_subject.clone() } else { String::new() },
            subject_transforms: self.source.subject_transforms.clone(),
        }
    }
}
