//! What `/jsz` and `/varz` show: names, order and what is left out are the reference's.

use serde::Serialize;

use crate::snapshot::{
    ConsumerSnapshot, Document, JetStreamAccount, JetStreamSettings, JetStreamSnapshot, JetStreamUsage, Reached,
    StreamSnapshot,
};
use crate::views::format::{Timestamp, is_default, is_false, nanos};

/// `JetStream` as `/varz` shows it: nothing where it is off.
// spec: CLU-101 NEW-045
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct JetStreamVarz {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) config: Option<StoreLimits>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) stats: Option<JetStreamStats>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) limits: Option<JetStreamLimits>,
}

impl JetStreamVarz {
    /// The same without what is nobody's business but this machine's, as it is told to other servers.
    // spec: CLU-095
    #[must_use]
    pub fn for_others(mut self) -> Self {
        if let Some(config) = &mut self.config {
            config.store_dir.clear();
        }
        self
    }
}

impl From<JetStreamSnapshot> for JetStreamVarz {
    fn from(of: JetStreamSnapshot) -> Self {
        Self {
            stats: Some(JetStreamStats::of_server(&of)),
            config: Some((&of.settings).into()),
            limits: Some((&of.settings).into()),
        }
    }
}

/// Configured limits of the stores.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub(crate) struct StoreLimits {
    pub(crate) max_memory: u64,
    pub(crate) max_storage: u64,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) store_dir: String,
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) sync_interval: u64,
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) sync_always: bool,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) domain: String,
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) compress_ok: bool,
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) strict: bool,
}

impl From<&JetStreamSettings> for StoreLimits {
    fn from(of: &JetStreamSettings) -> Self {
        Self {
            max_memory: of.max_memory,
            max_storage: of.max_storage,
            store_dir: of.store_dir.clone(),
            sync_interval: nanos(of.sync_interval),
            sync_always: of.sync_always,
            domain: of.domain.clone(),
            // The reference says so only where both bounds are configured.
            compress_ok: of.is_bounded,
            strict: of.strict,
        }
    }
}

/// Bounds for every stream and consumer of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct JetStreamLimits {
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) max_request_batch: u64,
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) max_ack_pending: u64,
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) max_duplicate_window: u64,
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) max_batch_inflight_per_stream: u64,
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) max_batch_inflight_total: u64,
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) max_batch_size: u64,
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) max_batch_timeout: u64,
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) default_max_consumers: i64,
}

impl From<&JetStreamSettings> for JetStreamLimits {
    fn from(of: &JetStreamSettings) -> Self {
        Self {
            max_request_batch: of.max_request_batch,
            max_ack_pending: of.max_ack_pending,
            max_duplicate_window: nanos(of.max_duplicate_window),
            max_batch_inflight_per_stream: of.max_batch_inflight_per_stream,
            max_batch_inflight_total: of.max_batch_inflight_total,
            max_batch_size: of.max_batch_size,
            max_batch_timeout: nanos(of.max_batch_timeout),
            default_max_consumers: of.default_max_consumers,
        }
    }
}

/// What is used of a server or an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub(crate) struct JetStreamStats {
    pub(crate) memory: u64,
    pub(crate) storage: u64,
    pub(crate) reserved_memory: u64,
    pub(crate) reserved_storage: u64,
    pub(crate) accounts: u64,
    pub(crate) ha_assets: u64,
    pub(crate) api: ApiStats,
}

impl JetStreamStats {
    /// Those of the server.
    pub(super) fn of_server(of: &JetStreamSnapshot) -> Self {
        let api = ApiStats { level: of.api_level, ..ApiStats::from(of.usage) };
        Self { accounts: of.accounts, api, ..Self::from(of.usage) }
    }
}

impl From<JetStreamUsage> for JetStreamStats {
    fn from(of: JetStreamUsage) -> Self {
        Self {
            memory: of.memory,
            storage: of.storage,
            reserved_memory: of.reserved_memory,
            reserved_storage: of.reserved_storage,
            api: of.into(),
            ..Self::default()
        }
    }
}

/// Requests to the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct ApiStats {
    pub(crate) level: u64,
    pub(crate) total: u64,
    pub(crate) errors: u64,
}

impl From<JetStreamUsage> for ApiStats {
    fn from(of: JetStreamUsage) -> Self {
        Self { level: 0, total: of.api_total, errors: of.api_errors }
    }
}

/// An account's streams.
// spec: CLU-091 CLU-108
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct JszAccount {
    pub(crate) name: String,
    pub(crate) id: String,
    #[serde(flatten)]
    pub(crate) stats: JetStreamStats,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) stream_detail: Vec<StreamDetail>,
}

impl JszAccount {
    /// With consumers that copy streams where those are wanted.
    pub(super) fn new(of: JetStreamAccount, direct: bool) -> Self {
        let stream_detail = of.streams.into_iter().map(|stream| StreamDetail::new(stream, direct)).collect();
        Self { name: of.name_tag, id: of.account, stats: of.usage.into(), stream_detail }
    }
}

/// A stream.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct StreamDetail {
    pub(crate) name: String,
    pub(crate) created: Timestamp,
    pub(crate) cluster: Leader,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) config: Option<Document>,
    pub(crate) state: StreamState,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) consumer_detail: Vec<ConsumerDetail>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) direct_consumer_detail: Vec<ConsumerDetail>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) mirror: Option<Document>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) sources: Vec<Document>,
}

/// The server that leads a stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Leader {
    pub(crate) leader: String,
}

impl StreamDetail {
    fn new(mut of: StreamSnapshot, direct: bool) -> Self {
        let listed = std::mem::take(&mut of.listed);
        let (copying, others): (Vec<_>, Vec<_>) = listed.into_iter().partition(|consumer| consumer.is_direct);
        let shown = |list: Vec<ConsumerSnapshot>| -> Vec<_> {
            list.into_iter().map(|consumer| ConsumerDetail::new(&of.name, consumer)).collect()
        };
        let (consumer_detail, direct_consumer_detail) =
            (shown(others), if direct { shown(copying) } else { Vec::new() });
        Self {
            state: StreamState::from(&of),
            created: Timestamp(of.created),
            cluster: Leader { leader: of.leader },
            config: of.config,
            name: of.name,
            consumer_detail,
            direct_consumer_detail,
            mirror: of.mirror,
            sources: of.sources,
        }
    }
}

/// What a stream holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StreamState {
    pub(crate) messages: u64,
    pub(crate) bytes: u64,
    pub(crate) first_seq: u64,
    pub(crate) first_ts: Timestamp,
    pub(crate) last_seq: u64,
    pub(crate) last_ts: Timestamp,
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) num_subjects: u64,
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) num_deleted: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) lost: Option<Lost>,
    pub(crate) consumer_count: u64,
}

/// Messages that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Lost {
    pub(crate) msgs: Vec<u64>,
    pub(crate) bytes: u64,
}

impl From<&StreamSnapshot> for StreamState {
    fn from(of: &StreamSnapshot) -> Self {
        Self {
            messages: of.messages,
            bytes: of.bytes,
            first_seq: of.first_seq,
            first_ts: Timestamp::or_never(of.first_time),
            last_seq: of.last_seq,
            last_ts: Timestamp::or_never(of.last_time),
            num_subjects: of.subjects,
            num_deleted: of.deleted,
            lost: (!of.lost.is_empty()).then(|| Lost { msgs: of.lost.clone(), bytes: 0 }),
            consumer_count: of.consumers,
        }
    }
}

/// A consumer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct ConsumerDetail {
    pub(crate) stream_name: String,
    pub(crate) name: String,
    pub(crate) created: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) config: Option<Document>,
    pub(crate) delivered: SequenceInfo,
    pub(crate) ack_floor: SequenceInfo,
    pub(crate) num_ack_pending: u64,
    pub(crate) num_redelivered: u64,
    pub(crate) num_waiting: u64,
    pub(crate) num_pending: u64,
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) push_bound: bool,
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) paused: bool,
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) pause_remaining: u64,
    pub(crate) ts: Timestamp,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) priority_groups: Vec<PriorityGroup>,
}

/// A group of pull requests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PriorityGroup {
    pub(crate) group: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) pinned_client_id: String,
    pub(crate) pinned_ts: Timestamp,
}

impl ConsumerDetail {
    fn new(stream: &str, of: ConsumerSnapshot) -> Self {
        let group = |(group, pinned_client_id, since)| PriorityGroup {
            group,
            pinned_client_id,
            pinned_ts: Timestamp::or_never(since),
        };
        Self {
            stream_name: stream.into(),
            name: of.name,
            created: Timestamp(of.created),
            config: of.config,
            delivered: of.delivered.into(),
            ack_floor: of.ack_floor.into(),
            num_ack_pending: of.num_ack_pending,
            num_redelivered: of.num_redelivered,
            num_waiting: of.num_waiting,
            num_pending: of.num_pending,
            push_bound: of.push_bound,
            paused: !of.pause_remaining.is_zero(),
            pause_remaining: nanos(of.pause_remaining),
            ts: Timestamp(of.now),
            priority_groups: of.groups.into_iter().map(group).collect(),
        }
    }
}

/// A place in a consumer and in its stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct SequenceInfo {
    pub(crate) consumer_seq: u64,
    pub(crate) stream_seq: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) last_active: Option<Timestamp>,
}

impl From<Reached> for SequenceInfo {
    fn from(of: Reached) -> Self {
        Self { consumer_seq: of.consumer_seq, stream_seq: of.stream_seq, last_active: of.last_active.map(Timestamp) }
    }
}
