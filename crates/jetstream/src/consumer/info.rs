//! What a consumer says of itself.

use std::time::Duration;

use martlet_events::WallTime;

use super::{Consumer, Context};
use crate::out::Now;

/// Sequences of a consumer and of its stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sequences {
    /// As the consumer counts.
    pub consumer_seq: u64,
    /// As the stream counts.
    pub stream_seq: u64,
    /// When that came to be.
    pub last_active: Option<WallTime>,
}

/// A group of pull requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupInfo {
    /// Its name.
    pub group: String,
    /// The client that gets all messages, and since when.
    pub pinned: Option<(String, WallTime)>,
}

/// A consumer's numbers.
// spec: JS-097
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Info {
    /// When it was made.
    pub created: WallTime,
    /// The last delivery.
    pub delivered: Sequences,
    /// All up to this are acknowledged.
    pub ack_floor: Sequences,
    /// Messages that wait for acknowledgement.
    pub num_ack_pending: u64,
    /// Of those and of what was given up: messages that were delivered more than once.
    pub num_redelivered: u64,
    /// Pull requests that wait.
    pub num_waiting: u64,
    /// Messages not delivered yet.
    pub num_pending: u64,
    /// Somebody listens to the deliver subject.
    pub push_bound: bool,
    /// How long it is still paused, if it is.
    pub pause_remaining: Option<Duration>,
    /// Groups of pull requests.
    pub priority_groups: Vec<GroupInfo>,
    /// Messages passed over, since they could not be read.
    pub passed_over: u64,
}

impl Consumer {
    /// Its numbers. Requests that nobody waits for any more are not counted.
    pub fn info(&mut self, ctx: &mut Context<'_>) -> Info {
        self.begin(ctx);
        if !self.waiting.is_empty() {
            self.search_requests(ctx, false);
        }
        self.numbers(ctx.now)
    }

    /// The same for one who only looks: requests that have ended are not counted, those that nobody waits for any more are.
    pub fn numbers(&self, now: Now) -> Info {
        // What may be delivered once is told nowhere as delivered again.
        let redelivered = if self.config.max_deliver == 1 { 0 } else { self.pending.redelivered() + self.spent.len() };
        let left = self.config.pause_until.map_or(0, |until| until.as_nanos().saturating_sub(now.wall.as_nanos()));
        let pin = self.pin.as_ref();
        let groups =
            self.config.priority_groups.iter().take(1).map(|group| GroupInfo {
                group: group.clone(),
                pinned: pin.map(|pin| (pin.id.to_string(), pin.since)),
            });
        Info {
            created: self.created,
            delivered: Sequences {
                consumer_seq: self.next_delivery - 1,
                stream_seq: self.passed(),
                last_active: self.last_delivery,
            },
            ack_floor: Sequences {
                consumer_seq: self.floor.consumer_seq,
                stream_seq: self.floor.seq,
                last_active: self.last_ack,
            },
            num_ack_pending: self.pending.len() as u64,
            num_redelivered: redelivered as u64,
            num_waiting: self.waiting.open(now.time) as u64,
            num_pending: self.num_pending,
            push_bound: self.push.as_ref().is_some_and(|push| push.is_active),
            pause_remaining: if left > 0 { Some(Duration::from_nanos(left)) } else { None },
            priority_groups: groups.collect(),
            passed_over: self.passed_over,
        }
    }

    /// Up to where it is said to have delivered. In memory, that is as far as it has looked until something is delivered: so the
    /// reference says it.
    fn passed(&self) -> u64 {
        if self.is_in_memory && self.delivered == 0 { self.next - 1 } else { self.delivered }
    }
}
