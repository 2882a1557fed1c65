//! Deliver subjects: who listens, how much is on its way, heartbeats; and the pace of deliveries, which pull requests have, too.

use std::io::Write as _;
use std::time::Duration;

use martlet_events::{Time, WallTime};
use martlet_proto::headers;

use super::{Consumer, Context, Outcome, event};
use crate::config::{AckPolicy, ConsumerConfig, ReplayPolicy, StreamConfig};
use crate::out::Outgoing;

/// The most bytes on their way to a subscriber.
const WINDOW: usize = 32 * 1024 * 1024;
/// The same at the beginning: it is doubled at each answer.
const FIRST_WINDOW: usize = WINDOW / 16;
/// The largest message, where the stream has no bound: what a rate limit lets through at once.
const DEFAULT_BURST: u64 = 1024 * 1024;
/// Gaps between messages that a replay does not wait for.
const REPLAY_GRAIN: Duration = Duration::from_millis(1);

/// A consumer that pushes.
#[derive(Debug, Default)]
pub(super) struct Push {
    /// Somebody listens.
    pub(super) is_active: bool,
    /// Bytes that may be on their way; 0 for any.
    window: usize,
    /// Bytes on their way.
    on_the_way: usize,
    /// What was asked and is not answered.
    asked: Option<Question>,
    heartbeat: Duration,
    heartbeat_at: Option<Time>,
}

/// A question of flow control.
#[derive(Debug)]
struct Question {
    /// Where the answer goes.
    reply: Box<[u8]>,
    /// The bytes it stands for.
    size: usize,
}

impl Push {
    pub(super) fn new(config: &ConsumerConfig) -> Self {
        Self {
            window: if config.flow_control { FIRST_WINDOW } else { 0 },
            heartbeat: config.idle_heartbeat,
            ..Self::default()
        }
    }

    /// Whether nothing may be sent until the subscriber has answered.
    pub(super) fn is_stalled(&self) -> bool {
        self.window > 0 && self.on_the_way > self.window
    }

    /// When a heartbeat is due.
    pub(super) fn deadline(&self) -> Option<Time> {
        self.heartbeat_at
    }

    /// Something was sent: the next heartbeat has time.
    pub(super) fn delivered(&mut self, now: Time) {
        self.heartbeat_at = if self.heartbeat.is_zero() { None } else { Some(now + self.heartbeat) };
    }

    /// Where an answer is awaited; empty for nowhere.
    fn stalled_on(&self) -> &[u8] {
        self.asked.as_ref().map_or(b"", |asked| &asked.reply)
    }

    /// Counts a message; whether the subscriber has to be asked.
    // spec: JS-104
    fn count(&mut self, size: usize, is_full: bool) -> bool {
        if self.window == 0 {
            return false;
        }
        self.on_the_way += size;
        match &mut self.asked {
            None => self.on_the_way > self.window / 2 || is_full,
            Some(asked) => {
                if self.on_the_way.saturating_sub(asked.size) >= self.window {
                    asked.size += size;
                }
                false
            }
        }
    }

    /// An answer has come; whether it is the one that was awaited.
    fn answered(&mut self, subject: &[u8]) -> bool {
        let Some(asked) = self.asked.take_if(|asked| *asked.reply == *subject) else { return false };
        self.window = (self.window * 2).min(WINDOW);
        self.on_the_way = self.on_the_way.saturating_sub(asked.size);
        true
    }
}

impl Consumer {
    /// Interest in the deliver subject may have come or gone. Whether it has come: then there may be something to deliver.
    // spec: JS-105 JS-638
    pub fn interest(&mut self, ctx: &mut Context<'_>) -> bool {
        self.clock = ctx.now;
        let Some(push) = &mut self.push else { return false };
        let was_active = push.is_active;
        let (subject, group) = (self.config.deliver_subject.as_bytes(), self.config.deliver_group.as_bytes());
        push.is_active = ctx.out.is_listened_on(subject, group);
        let is_active = push.is_active;
        if is_active != was_active {
            self.active_changed(ctx.now.time);
        }
        is_active && !was_active
    }

    /// Nobody has got what was sent.
    pub(super) fn interest_lost(&mut self, now: Time) {
        if let Some(push) = &mut self.push {
            push.is_active = false;
            self.active_changed(now);
        }
    }

    fn active_changed(&mut self, now: Time) {
        self.used();
        if !self.inactivity.threshold.is_zero() {
            self.inactivity.check = Some(now + self.inactivity.threshold);
        }
    }

    /// Counts what was pushed, and asks whether it has arrived.
    pub(super) fn pushed(&mut self, ctx: &mut Context<'_>, size: usize) {
        let max = self.config.max_ack_pending;
        let is_full = self.config.ack_policy == AckPolicy::FlowControl
            && u64::try_from(max).is_ok_and(|max| max > 0 && self.pending.len() as u64 >= max);
        let Some(push) = &mut self.push else { return };
        push.delivered(ctx.now.time);
        if push.count(size, is_full) {
            self.ask(ctx);
        }
    }

    // spec: JS-104
    fn ask(&mut self, ctx: &mut Context<'_>) {
        const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
        let Some(push) = &mut self.push else { return };
        let mut reply = Vec::new();
        let _ = write!(reply, "$JS.FC.{}{}.{}.", ctx.scope, ctx.stream.name, self.config.name);
        let mut random = ctx.out.random();
        for _ in 0..4 {
            reply.push(DIGITS[(random % 62) as usize]);
            random /= 62;
        }
        let asked = push.asked.insert(Question { reply: reply.into(), size: push.on_the_way });
        ctx.out.publish(&Outgoing {
            subject: self.config.deliver_subject.as_bytes(),
            reply: &asked.reply,
            headers: b"NATS/1.0 100 FlowControl Request\r\n\r\n",
            ..Outgoing::default()
        });
    }

    /// The answer to a question of flow control. It may acknowledge, too.
    // spec: JS-104
    pub fn flow_control(&mut self, ctx: &mut Context<'_>, subject: &[u8], headers: &[u8]) -> Outcome {
        self.begin(ctx);
        let mut outcome = Outcome::default();
        let Some(push) = &mut self.push else { return outcome };
        if !push.answered(subject) {
            return outcome;
        }
        outcome.more = true;
        self.used();
        if self.config.ack_policy == AckPolicy::FlowControl {
            let seq = |name| headers::get(headers, name).and_then(|text| std::str::from_utf8(text).ok()?.parse().ok());
            if let Some(last) = seq(b"Nats-Last-Stream").filter(|&last| last > 0) {
                self.ack_through(last, seq(b"Nats-Last-Consumer").unwrap_or(0), &mut outcome);
            }
        }
        outcome
    }

    /// Sends a heartbeat, if one is due.
    // spec: JS-104 JS-635
    pub(super) fn tick_push(&mut self, ctx: &mut Context<'_>) {
        let now = ctx.now.time;
        if self.push.as_ref().is_none_or(|push| push.heartbeat_at.is_none_or(|at| at > now)) {
            return;
        }
        self.interest(ctx);
        let Some(push) = &mut self.push else { return };
        push.delivered(now);
        if push.is_active {
            let to = self.config.deliver_subject.as_bytes();
            event::heartbeat(ctx, to, self.next_delivery - 1, self.next - 1, push.stalled_on());
            let asks = self.config.ack_policy == AckPolicy::FlowControl && push.asked.is_none();
            if asks && self.pending.len() > 0 {
                self.ask(ctx);
            }
        }
    }
}

/// How fast messages may go.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// Bytes per second; 0 for any.
    rate: u64,
    /// Bytes that may go at once.
    burst: u64,
    /// When all that has gone would have gone at that rate.
    paid_until: Time,
    /// The last message that is delivered as it came; 0 for none.
    replay_through: u64,
    /// When the last message was taken in, and when it was delivered.
    last: Option<(WallTime, Time)>,
    /// When the next may go.
    pub(super) hold: Option<Time>,
}

impl Pace {
    /// What a configuration asks for; `None` for as fast as can be.
    // spec: JS-106
    pub(super) fn new(config: &ConsumerConfig, stream: &StreamConfig, last_seq: u64) -> Option<Box<Self>> {
        let replays = config.replay_policy == ReplayPolicy::Original;
        if config.rate_limit_bps == 0 && !replays {
            return None;
        }
        let burst = u64::try_from(stream.max_msg_size).ok().filter(|&size| size > 0).unwrap_or(DEFAULT_BURST);
        let replay_through = if replays { last_seq } else { 0 };
        let rate = if config.rate_limit_bps == 0 { 0 } else { (config.rate_limit_bps / 8).max(1) };
        Some(Box::new(Self { rate, burst, replay_through, ..Self::default() }))
    }

    /// Another rate.
    pub(super) fn set_rate(&mut self, bits: u64) {
        self.rate = if bits == 0 { 0 } else { (bits / 8).max(1) };
    }

    fn time_of(&self, bytes: u64) -> Duration {
        let nanos = u128::from(bytes) * 1_000_000_000 / u128::from(self.rate.max(1));
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// Whether a message may go now. If not, `hold` says when.
    pub(super) fn may_go(&mut self, seq: u64, time: WallTime, size: usize, now: Time) -> bool {
        let mut at = now;
        if let Some((last_time, delivered)) = self.last
            && seq <= self.replay_through
        {
            let gap = Duration::from_nanos(time.as_nanos().saturating_sub(last_time.as_nanos()));
            if gap > REPLAY_GRAIN {
                at = at.max(delivered + gap);
            }
        }
        if self.rate > 0 {
            let spare = self.burst - (size as u64).min(self.burst);
            at = at.max(self.paid_until - self.time_of(spare));
        }
        self.hold = Some(at).filter(|&at| at > now);
        self.hold.is_none()
    }

    /// A message has gone.
    pub(super) fn gone(&mut self, seq: u64, time: WallTime, size: usize, now: Time) {
        if seq <= self.replay_through {
            self.last = Some((time, now));
        }
        if self.rate > 0 {
            let size = (size as u64).min(self.burst);
            self.paid_until = self.paid_until.max(now) + self.time_of(size);
        }
    }
}
