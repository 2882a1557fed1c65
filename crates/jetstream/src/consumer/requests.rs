//! Pull requests: which are taken, which is served next, and which end.

use std::time::Duration;

use martlet_events::{Time, WallTime};

use super::waiting::Request;
use super::{Consumer, Context, event};
use crate::api::request::check_api_level;
use crate::api::status::{self, PullBody, parse_pull};
use crate::config::PriorityPolicy;
use crate::span;

/// How long a pinned client may be silent, if nothing is configured.
const PRIORITY_TIMEOUT: Duration = Duration::from_mins(2);

/// A full queue is searched this often at most.
const SEARCH_INTERVAL: Duration = Duration::from_secs(1);

/// The client that gets all messages.
#[derive(Debug)]
pub(super) struct Pin {
    /// What it has to say.
    pub(super) id: Box<str>,
    /// Its group.
    pub(super) group: Box<str>,
    /// Since when.
    pub(super) since: WallTime,
    /// Until when, if it stays silent.
    pub(super) until: Time,
}

/// Why a consumer is no longer here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closing {
    /// It was deleted.
    Deleted,
    /// The server stops.
    Shutdown,
    /// Another server serves it.
    LeadershipChange,
}

enum Choice {
    Serve,
    Later,
    Drop,
}

impl Consumer {
    /// A pull request. It is served by [`Self::deliver`].
    // spec: JS-107 JS-605 JS-606
    pub fn pull(&mut self, ctx: &mut Context<'_>, reply: &[u8], headers: &[u8], body: &[u8]) {
        self.begin(ctx);
        if reply.is_empty() {
            return;
        }
        if self.is_push() {
            event::status(ctx, reply, format_args!("409 Consumer is push based"));
        } else if check_api_level(headers).is_err() {
            event::status(ctx, reply, format_args!("{}", status::REQUIRED_API_LEVEL));
        } else {
            self.request(ctx, reply, body);
        }
    }

    /// Takes a request or refuses it.
    // spec: JS-110 JS-599 JS-603
    pub(super) fn request(&mut self, ctx: &mut Context<'_>, reply: &[u8], body: &[u8]) {
        if self.is_push() {
            return event::status(ctx, reply, format_args!("409 Consumer is push based"));
        }
        let pull = match parse_pull(body) {
            Ok(pull) => pull,
            Err(error) => return event::status(ctx, reply, format_args!("400 Bad Request - {error}")),
        };
        if let Some(refusal) = self.refusal(&pull) {
            return event::status(ctx, reply, format_args!("{refusal}"));
        }
        self.keep_pin(&pull);
        let now = ctx.now.time;
        if self.has_max_waiting() && self.searched.is_none_or(|at| now.since(at) > SEARCH_INTERVAL) {
            self.search_requests(ctx, false);
        }
        self.used();
        if pull.no_wait && !self.has_room_at_once(ctx, reply, &pull) {
            return;
        }
        if self.has_max_waiting() {
            // A client that listens for heartbeats finds out by their absence: an answer would have it ask again at once.
            if pull.idle_heartbeat.0 <= 0 {
                event::status(ctx, reply, format_args!("409 Exceeded MaxWaiting"));
            }
            return;
        }
        self.waiting.add(new_request(reply, pull, now), self.config.priority_policy == PriorityPolicy::Prioritized);
    }

    // spec: JS-615
    fn has_max_waiting(&self) -> bool {
        usize::try_from(self.config.max_waiting).is_ok_and(|bound| self.waiting.len() >= bound)
    }

    /// Whether a request that does not wait may get something. If not, it is told.
    // spec: JS-596
    fn has_room_at_once(&mut self, ctx: &mut Context<'_>, reply: &[u8], pull: &PullBody) -> bool {
        let messages = self.num_pending + self.pending.queued() as u64;
        if messages == 0 {
            if pull.expires.0 == 0 {
                event::status(ctx, reply, format_args!("404 No Messages"));
            }
            return pull.expires.0 != 0;
        }
        let asked_for = self.search_requests(ctx, false);
        let has_room = messages >= u64::try_from(asked_for).unwrap_or(0);
        if !has_room {
            event::status(ctx, reply, format_args!("408 Requests Pending"));
        }
        has_room
    }

    // spec: JS-108 JS-109 JS-600 JS-601 JS-602 JS-618
    fn refusal(&self, pull: &PullBody) -> Option<String> {
        let config = &self.config;
        if config.max_batch > 0 && pull.batch.0 > config.max_batch {
            return Some(format!("409 Exceeded MaxRequestBatch of {}", config.max_batch));
        }
        let max_expires = config.max_expires.as_nanos();
        if max_expires > 0 && u128::try_from(pull.expires.0).is_ok_and(|expires| expires > max_expires) {
            return Some(format!("409 Exceeded MaxRequestExpires of {}", span::text(config.max_expires)));
        }
        if config.max_bytes > 0 && pull.max_bytes.0 > config.max_bytes {
            return Some(format!("409 Exceeded MaxRequestMaxBytes of {}", config.max_bytes));
        }
        if pull.is_object { self.priority_refusal(pull).map(str::to_owned) } else { None }
    }

    // spec: JS-109 JS-608 JS-609 JS-610 JS-611 JS-612
    fn priority_refusal(&self, asked: &PullBody) -> Option<&'static str> {
        let policy = self.config.priority_policy;
        if (asked.min_pending != 0 || asked.min_ack_pending != 0) && policy != PriorityPolicy::Overflow {
            return Some("400 Bad Request - Not a Overflow Priority consumer");
        }
        if !asked.id.is_empty() && policy != PriorityPolicy::PinnedClient {
            return Some("400 Bad Request - Not a Pinned Client Priority consumer");
        }
        if !(0..=9).contains(&asked.priority.0) {
            return Some("400 Bad Request - Priority must be between 0 and 9");
        }
        if policy == PriorityPolicy::None {
            return None;
        }
        if asked.group.is_empty() {
            return Some("400 Bad Request - Priority Group missing");
        }
        if !self.config.priority_groups.contains(&asked.group) {
            return Some("400 Bad Request - Invalid Priority Group");
        }
        let pin = self.pin.as_ref()?;
        if !asked.id.is_empty() && *asked.id != *pin.id { Some("423 Nats-Pin-Id mismatch") } else { None }
    }

    /// The pinned client has said something.
    fn keep_pin(&mut self, pull: &PullBody) {
        let until = self.clock.time + self.pin_timeout();
        if let Some(pin) = self.pin.as_mut().filter(|pin| *pin.id == *pull.id) {
            pin.until = until;
        }
    }

    fn pin_timeout(&self) -> Duration {
        let configured = self.config.priority_timeout;
        if configured.is_zero() { PRIORITY_TIMEOUT } else { configured }
    }

    /// Brings the request to the front that gets a message of this size; whether there is one.
    pub(super) fn pick(&mut self, ctx: &mut Context<'_>, size: usize, is_first: bool) -> bool {
        let mut cycled = 0;
        while cycled < self.waiting.len() {
            match self.consider(ctx, size, is_first) {
                Choice::Serve => return true,
                Choice::Later => {
                    self.waiting.cycle();
                    cycled += 1;
                }
                Choice::Drop => {
                    self.waiting.remove(0);
                }
            }
        }
        false
    }

    // spec: JS-108 JS-619
    fn consider(&mut self, ctx: &mut Context<'_>, size: usize, is_first: bool) -> Choice {
        // Before this one was chosen, the message had already left those that are pending.
        let messages = self.num_pending + u64::from(!is_first);
        let acks = self.pending.len() as u64;
        let Some(request) = self.waiting.front() else { return Choice::Drop };
        if request.expires.is_some_and(|expires| expires <= ctx.now.time) {
            event::status_with_rest(ctx, &request.reply, "408 Request Timeout", request.left, request.bytes);
            return Choice::Drop;
        }
        if self.config.priority_policy == PriorityPolicy::PinnedClient {
            let choice = self.consider_pin(ctx);
            if !matches!(choice, Choice::Serve) {
                return choice;
            }
        }
        let policy = self.config.priority_policy;
        let Some(request) = self.waiting.front() else { return Choice::Drop };
        if policy == PriorityPolicy::Overflow && !is_overflowing(request, messages, acks) {
            return Choice::Later;
        }
        let size = i64::try_from(size).unwrap_or(i64::MAX);
        if request.bytes > 0 && size > request.bytes {
            let line = "409 Message Size Exceeds MaxBytes";
            event::status_with_rest(ctx, &request.reply, line, request.left, request.bytes);
            return Choice::Drop;
        }
        if policy == PriorityPolicy::PinnedClient {
            self.assign_pin(ctx);
        }
        Choice::Serve
    }

    // spec: JS-111
    fn consider_pin(&mut self, ctx: &mut Context<'_>) -> Choice {
        let pin = self.pin.as_ref().map(|pin| &*pin.id);
        let Some(request) = self.waiting.front() else { return Choice::Drop };
        match pin {
            Some(pin) if *request.pin == *pin => Choice::Serve,
            Some(_) if request.pin.is_empty() => Choice::Later,
            // The pin goes to somebody who listens, or nobody would get anything until it times out.
            None if request.pin.is_empty() && ctx.out.is_wanted(&request.reply) => Choice::Serve,
            None if request.pin.is_empty() => Choice::Drop,
            _ => {
                event::status_with_rest(ctx, &request.reply, "423 Nats-Wrong-Pin-Id", request.left, request.bytes);
                Choice::Drop
            }
        }
    }

    /// Pins the client that is served next, if none is.
    fn assign_pin(&mut self, ctx: &mut Context<'_>) {
        let timeout = self.pin_timeout();
        let Some(request) = self.waiting.front().filter(|request| !request.group.is_empty()) else { return };
        if self.pin.is_some() {
            return;
        }
        let id: Box<str> = crate::out::unique(ctx.out).into();
        request.pin.clone_from(&id);
        let group = request.group.clone();
        event::pinned(ctx, &self.config.name, &group, &id);
        self.pin = Some(Box::new(Pin { id, group, since: ctx.now.wall, until: ctx.now.time + timeout }));
    }

    /// Pins the next client instead, by an administrator's wish: then there may be something to deliver.
    // spec: JS-030 JS-111
    pub(crate) fn unpin(&mut self, ctx: &mut Context<'_>, group: &str) {
        self.begin(ctx);
        self.pin = None;
        event::unpinned(ctx, &self.config.name, group, "admin");
    }

    pub(super) fn unpin_for(&mut self, ctx: &mut Context<'_>, reason: &str) {
        if let Some(pin) = self.pin.take() {
            event::unpinned(ctx, &self.config.name, &pin.group, reason);
        }
    }

    /// Ends requests whose time is over, that nobody waits for any more, and, at the end of what there is, those that do
    /// not wait; sends heartbeats to others. Gives how many messages are asked for.
    // spec: JS-108 JS-597 JS-598 JS-620 JS-621
    pub(super) fn search_requests(&mut self, ctx: &mut Context<'_>, at_end: bool) -> i64 {
        let now = ctx.now.time;
        self.searched = Some(now);
        let (consumer_seq, seq) = (self.next_delivery - 1, self.next - 1);
        let (mut at, mut asked_for) = (0, 0_i64);
        while let Some(request) = self.waiting.get(at) {
            if request.expires.is_some_and(|expires| expires <= now) {
                event::status_with_rest(ctx, &request.reply, "408 Request Timeout", request.left, request.bytes);
                self.waiting.remove(at);
            } else if at_end && request.no_wait && (request.expires.is_none() || request.got > 0) {
                event::status(ctx, &request.reply, format_args!("404 No Messages"));
                self.waiting.remove(at);
            } else if !ctx.out.is_wanted(&request.reply) {
                self.waiting.remove(at);
            } else {
                if request.heartbeat_at.is_some_and(|at| at <= now) {
                    event::heartbeat(ctx, &request.reply, consumer_seq, seq, b"");
                    request.heartbeat_at = Some(now + request.heartbeat);
                }
                asked_for = asked_for.saturating_add(request.left);
                at += 1;
            }
        }
        self.waiting.renew_due();
        asked_for
    }

    /// Tells those who wait that the consumer is no longer here.
    // spec: JS-108 JS-637
    pub fn close(&mut self, ctx: &mut Context<'_>, why: Closing) {
        while let Some(request) = self.waiting.remove(0) {
            let (to, left, bytes) = (&*request.reply, request.left, request.bytes);
            match why {
                Closing::Deleted => event::status(ctx, to, format_args!("409 Consumer Deleted")),
                Closing::Shutdown => event::status_with_rest(ctx, to, "409 Server Shutdown", left, bytes),
                Closing::LeadershipChange => event::status(ctx, to, format_args!("409 Leadership Change")),
            }
        }
    }
}

/// Whether so much is there that others than the first choice get some of it.
// spec: JS-112
fn is_overflowing(request: &Request, messages: u64, acks: u64) -> bool {
    let reached = |bound: i64, count: u64| u64::try_from(bound).is_ok_and(|bound| bound > 0 && bound <= count);
    (request.min_pending <= 0 && request.min_ack_pending <= 0)
        || reached(request.min_pending, messages)
        || reached(request.min_ack_pending, acks)
}

fn new_request(reply: &[u8], pull: PullBody, now: Time) -> Request {
    let span = |nanos: i64| Duration::from_nanos(u64::try_from(nanos).unwrap_or(0));
    let heartbeat = span(pull.idle_heartbeat.0);
    Request {
        reply: reply.into(),
        left: pull.batch.0,
        bytes: pull.max_bytes.0,
        got: 0,
        expires: if pull.expires.0 == 0 { None } else { Some(now + span(pull.expires.0)) },
        heartbeat,
        heartbeat_at: if heartbeat.is_zero() { None } else { Some(now + heartbeat) },
        no_wait: pull.no_wait,
        is_formal: pull.is_object,
        group: pull.group.into(),
        pin: pull.id.into(),
        rank: pull.priority.0,
        min_pending: pull.min_pending,
        min_ack_pending: pull.min_ack_pending,
    }
}
