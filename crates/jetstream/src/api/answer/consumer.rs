//! What is known of a consumer.

use std::time::Duration;

use martlet_events::WallTime;

use super::ClusterInfo;
use crate::api::json::write::Moment;
use crate::api::json::{Object, ToJson};
use crate::config::ConsumerConfig;

/// A consumer.
// spec: JS-097
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsumerInfo {
    /// Its stream.
    pub stream: String,
    /// Its name.
    pub name: String,
    /// Since when it has been there.
    pub created: WallTime,
    /// What it is configured to be; with the server's metadata where one consumer is shown by itself.
    pub config: ConsumerConfig,
    /// What was delivered last.
    pub delivered: SequenceInfo,
    /// Up to where everything has been acknowledged.
    pub ack_floor: SequenceInfo,
    /// Messages that wait for acknowledgement.
    pub num_ack_pending: u64,
    /// Those of them that were delivered more than once.
    pub num_redelivered: u64,
    /// Pull requests that wait.
    pub num_waiting: u64,
    /// Messages that are still to be delivered.
    pub num_pending: u64,
    /// Who serves it.
    pub cluster: Option<ClusterInfo>,
    /// Whether somebody listens where messages are pushed to.
    pub push_bound: bool,
    /// How long it still rests; zero if it does not.
    pub pause_remaining: Duration,
    /// When this was so.
    pub now: WallTime,
    /// Its groups.
    pub priority_groups: Vec<PriorityGroup>,
}

/// A place in a consumer and in its stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SequenceInfo {
    /// In the consumer.
    pub consumer: u64,
    /// In the stream.
    pub stream: u64,
    /// When it was reached.
    pub last_active: Option<WallTime>,
}

/// A group of pull requests.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PriorityGroup {
    /// Its name.
    pub group: String,
    /// The client that is pinned; empty for none.
    pub pinned_client_id: String,
    /// Since when.
    pub pinned_since: Option<WallTime>,
}

impl ConsumerInfo {
    pub(super) fn write(&self, o: &mut Object<'_>) {
        o.field("stream_name", &self.stream).field("name", &self.name).field("created", &self.created);
        o.field("config", &self.config).field("delivered", &self.delivered).field("ack_floor", &self.ack_floor);
        o.field("num_ack_pending", &self.num_ack_pending).field("num_redelivered", &self.num_redelivered);
        o.field("num_waiting", &self.num_waiting).field("num_pending", &self.num_pending);
        o.some("cluster", &self.cluster).some("push_bound", &self.push_bound);
        o.some("paused", &!self.pause_remaining.is_zero()).some("pause_remaining", &self.pause_remaining);
        o.field("ts", &self.now).some("priority_groups", &self.priority_groups);
    }
}

impl ToJson for ConsumerInfo {
    fn to_json(&self, out: &mut Vec<u8>) {
        Object::write(out, |o| self.write(o));
    }
}

impl ToJson for SequenceInfo {
    fn to_json(&self, out: &mut Vec<u8>) {
        Object::write(out, |o| {
            o.field("consumer_seq", &self.consumer).field("stream_seq", &self.stream);
            o.some("last_active", &self.last_active);
        });
    }
}

impl ToJson for PriorityGroup {
    fn to_json(&self, out: &mut Vec<u8>) {
        Object::write(out, |o| {
            o.field("group", &self.group).some("pinned_client_id", &self.pinned_client_id);
            o.field("pinned_ts", &Moment(self.pinned_since));
        });
    }
}
