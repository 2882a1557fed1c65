//! What is known of a stream.

use std::collections::BTreeMap;
use std::time::Duration;

use martlet_events::WallTime;

use crate::api::ApiError;
use crate::api::json::write::Moment;
use crate::api::json::{Object, ToJson};
use crate::config::{External, StreamConfig, SubjectTransform};

/// A stream.
// spec: JS-059
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamInfo {
    /// What it is configured to be; with the server's metadata where one stream is shown by itself.
    pub config: StreamConfig,
    /// Since when it has been there.
    pub created: WallTime,
    /// What it holds.
    pub state: StreamState,
    /// The server's domain; empty for none.
    pub domain: String,
    /// Who serves it.
    pub cluster: Option<ClusterInfo>,
    /// How far its mirror is.
    pub mirror: Option<SourceInfo>,
    /// How far its sources are.
    pub sources: Vec<SourceInfo>,
    /// Where else its messages are.
    pub alternates: Vec<Alternate>,
    /// When this was so.
    pub now: WallTime,
}

/// What a stream holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StreamState {
    /// Messages.
    pub messages: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The first sequence.
    pub first_seq: u64,
    /// When its message was taken in.
    pub first_time: Option<WallTime>,
    /// The last sequence.
    pub last_seq: u64,
    /// When its message was taken in.
    pub last_time: Option<WallTime>,
    /// Subjects.
    pub num_subjects: u64,
    /// Some of them, and how many messages each has.
    pub subjects: BTreeMap<String, u64>,
    /// Sequences between the first and the last that are no messages.
    pub num_deleted: u64,
    /// All of them, if that was asked.
    pub deleted: Vec<u64>,
    /// What cannot be read.
    pub lost: Option<Lost>,
    /// Consumers.
    pub consumers: u64,
}

/// What cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Lost {
    /// Sequences.
    pub msgs: Vec<u64>,
    /// Bytes.
    pub bytes: u64,
}

/// Who serves a stream or a consumer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClusterInfo {
    /// The cluster's name.
    pub name: String,
    /// The group's name.
    pub raft_group: String,
    /// The server that leads.
    pub leader: String,
    /// Since when.
    pub leader_since: Option<WallTime>,
    /// Whether its traffic is in the system account.
    pub system_account: bool,
    /// The account its traffic is in, if another.
    pub traffic_account: String,
    /// The others.
    pub replicas: Vec<Peer>,
}

/// A server that serves, too.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Peer {
    /// Its name.
    pub name: String,
    /// It has everything.
    pub current: bool,
    /// It has not been heard of.
    pub offline: bool,
    /// How long ago it was.
    pub active: Duration,
    /// How much it lacks.
    pub lag: u64,
    /// Its id.
    pub peer: String,
    /// It is not there yet.
    pub pending: bool,
}

/// How far a mirror or a source is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SourceInfo {
    /// The stream.
    pub name: String,
    /// Where it is, if elsewhere.
    pub external: Option<External>,
    /// How much is still to come.
    pub lag: u64,
    /// The last sequence that came from a source; 0 for none, and for a mirror.
    pub seq: u64,
    /// How long ago something was heard; `None` for never.
    // spec: JS-061
    pub active: Option<Duration>,
    /// What is wrong.
    pub error: Option<ApiError>,
    /// Which subjects.
    pub filter_subject: String,
    /// Which subjects, and what they become.
    pub subject_transforms: Vec<SubjectTransform>,
}

/// A stream that has the same messages.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Alternate {
    /// Its name.
    pub name: String,
    /// Its domain.
    pub domain: String,
    /// Its cluster.
    pub cluster: String,
}

impl StreamInfo {
    pub(super) fn write(&self, o: &mut Object<'_>) {
        o.field("config", &self.config).field("created", &self.created).field("state", &self.state);
        o.some("domain", &self.domain).some("cluster", &self.cluster).some("mirror", &self.mirror);
        o.some("sources", &self.sources).some("alternates", &self.alternates).field("ts", &self.now);
    }
}

impl ToJson for StreamInfo {
    fn to_json(&self, out: &mut Vec<u8>) {
        Object::write(out, |o| self.write(o));
    }
}

impl ToJson for StreamState {
    fn to_json(&self, out: &mut Vec<u8>) {
        Object::write(out, |o| {
            o.field("messages", &self.messages).field("bytes", &self.bytes);
            o.field("first_seq", &self.first_seq).field("first_ts", &Moment(self.first_time));
            o.field("last_seq", &self.last_seq).field("last_ts", &Moment(self.last_time));
            o.some("num_subjects", &self.num_subjects).some("subjects", &self.subjects);
            o.some("num_deleted", &self.num_deleted).some("deleted", &self.deleted).some("lost", &self.lost);
            o.field("consumer_count", &self.consumers);
        });
    }
}

impl ToJson for Lost {
    fn to_json(&self, out: &mut Vec<u8>) {
        Object::write(out, |o| {
            o.field("msgs", &self.msgs).field("bytes", &self.bytes);
        });
    }
}

impl ToJson for ClusterInfo {
    fn to_json(&self, out: &mut Vec<u8>) {
        Object::write(out, |o| {
            o.some("name", &self.name).some("raft_group", &self.raft_group).some("leader", &self.leader);
            o.some("leader_since", &self.leader_since).some("system_account", &self.system_account);
            o.some("traffic_account", &self.traffic_account).some("replicas", &self.replicas);
        });
    }
}

impl ToJson for Peer {
    fn to_json(&self, out: &mut Vec<u8>) {
        Object::write(out, |o| {
            o.field("name", &self.name).field("current", &self.current).some("offline", &self.offline);
            o.field("active", &self.active).some("lag", &self.lag).field("peer", &self.peer);
            o.some("pending", &self.pending);
        });
    }
}

impl ToJson for SourceInfo {
    fn to_json(&self, out: &mut Vec<u8>) {
        let active = self.active.map_or(-1, |active| i64::try_from(active.as_nanos()).unwrap_or(i64::MAX));
        Object::write(out, |o| {
            o.field("name", &self.name).some("external", &self.external).field("lag", &self.lag);
            o.some("seq", &self.seq).field("active", &active).some("error", &self.error);
            o.some("filter_subject", &self.filter_subject).some("subject_transforms", &self.subject_transforms);
        });
    }
}

impl ToJson for Alternate {
    fn to_json(&self, out: &mut Vec<u8>) {
        Object::write(out, |o| {
            o.field("name", &self.name).some("domain", &self.domain).field("cluster", &self.cluster);
        });
    }
}
