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
#[expect(missing_docs, reason = "the names are those of the wire")]
pub struct JetStreamVarz {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config: Option<StoreLimits>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stats: Option<JetStreamStats>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limits: Option<JetStreamLimits>,
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
#[expect(missing_docs, reason = "the names are those of the wire")]
pub struct StoreLimits {
    pub max_memory: u64,
    pub max_storage: u64,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub store_dir: String,
    #[serde(skip_serializing_if = "is_default")]
    pub sync_interval: u64,
    #[serde(skip_serializing_if = "is_false")]
    pub sync_always: bool,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub domain: String,
    #[serde(skip_serializing_if = "is_false")]
    pub compress_ok: bool,
    #[serde(skip_serializing_if = "is_false")]
    pub strict: bool,
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
#[expect(missing_docs, reason = "the names are those of the wire")]
pub struct JetStreamLimits {
    #[serde(skip_serializing_if = "is_default")]
    pub max_request_batch: u64,
    #[serde(skip_serializing_if = "is_default")]
    pub max_ack_pending: u64,
    #[serde(skip_serializing_if = "is_default")]
    pub max_duplicate_window: u64,
    #[serde(skip_serializing_if = "is_default")]
    pub max_batch_inflight_per_stream: u64,
    #[serde(skip_serializing_if = "is_default")]
    pub max_batch_inflight_total: u64,
    #[serde(skip_serializing_if = "is_default")]
    pub max_batch_size: u64,
    #[serde(skip_serializing_if = "is_default")]
    pub max_batch_timeout: u64,
    #[serde(skip_serializing_if = "is_default")]
    pub default_max_consumers: i64,
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
#[expect(missing_docs, reason = "the names are those of the wire")]
pub struct JetStreamStats {
    pub memory: u64,
    pub storage: u64,
    pub reserved_memory: u64,
    pub reserved_storage: u64,
    pub accounts: u64,
    pub ha_assets: u64,
    pub api: ApiStats,
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
#[expect(missing_docs, reason = "the names are those of the wire")]
pub struct ApiStats {
    pub level: u64,
    pub total: u64,
    pub errors: u64,
}

impl From<JetStreamUsage> for ApiStats {
    fn from(of: JetStreamUsage) -> Self {
        Self { level: 0, total: of.api_total, errors: of.api_errors }
    }
}

/// An account's streams.
// spec: CLU-091 CLU-108
#[derive(Debug, Clone, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the names are those of the wire")]
pub struct JszAccount {
    pub name: String,
    pub id: String,
    #[serde(flatten)]
    pub stats: JetStreamStats,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stream_detail: Vec<StreamDetail>,
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
#[expect(missing_docs, reason = "the names are those of the wire")]
pub struct StreamDetail {
    pub name: String,
    pub created: Timestamp,
    pub cluster: Leader,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config: Option<Document>,
    pub state: StreamState,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub consumer_detail: Vec<ConsumerDetail>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub direct_consumer_detail: Vec<ConsumerDetail>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mirror: Option<Document>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<Document>,
}

/// The server that leads a stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the names are those of the wire")]
pub struct Leader {
    pub leader: String,
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
#[expect(missing_docs, reason = "the names are those of the wire")]
pub struct StreamState {
    pub messages: u64,
    pub bytes: u64,
    pub first_seq: u64,
    pub first_ts: Timestamp,
    pub last_seq: u64,
    pub last_ts: Timestamp,
    #[serde(skip_serializing_if = "is_default")]
    pub num_subjects: u64,
    #[serde(skip_serializing_if = "is_default")]
    pub num_deleted: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lost: Option<Lost>,
    pub consumer_count: u64,
}

/// Messages that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the names are those of the wire")]
pub struct Lost {
    pub msgs: Vec<u64>,
    pub bytes: u64,
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
#[expect(missing_docs, reason = "the names are those of the wire")]
pub struct ConsumerDetail {
    pub stream_name: String,
    pub name: String,
    pub created: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config: Option<Document>,
    pub delivered: SequenceInfo,
    pub ack_floor: SequenceInfo,
    pub num_ack_pending: u64,
    pub num_redelivered: u64,
    pub num_waiting: u64,
    pub num_pending: u64,
    #[serde(skip_serializing_if = "is_false")]
    pub push_bound: bool,
    #[serde(skip_serializing_if = "is_false")]
    pub paused: bool,
    #[serde(skip_serializing_if = "is_default")]
    pub pause_remaining: u64,
    pub ts: Timestamp,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub priority_groups: Vec<PriorityGroup>,
}

/// A group of pull requests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the names are those of the wire")]
pub struct PriorityGroup {
    pub group: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub pinned_client_id: String,
    pub pinned_ts: Timestamp,
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
#[expect(missing_docs, reason = "the names are those of the wire")]
pub struct SequenceInfo {
    pub consumer_seq: u64,
    pub stream_seq: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_active: Option<Timestamp>,
}

impl From<Reached> for SequenceInfo {
    fn from(of: Reached) -> Self {
        Self { consumer_seq: of.consumer_seq, stream_seq: of.stream_seq, last_active: of.last_active.map(Timestamp) }
    }
}
