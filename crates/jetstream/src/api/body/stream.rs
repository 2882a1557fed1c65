//! A stream's configuration, as a request says it.

use std::collections::BTreeMap;

use martlet_events::WallTime;

use crate::api::json::read::fields;
use crate::api::json::{Given, Int, Nanos};
use crate::config::{
    Compression, Discard, External, PersistMode, Placement, Republish, Retention, SourceConsumer, Storage,
    SubjectTransform,
};

/// The body of a request to create or update a stream.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StreamBody {
    /// The configuration.
    pub config: StreamConfigBody,
    /// Values are refused that would be mended otherwise.
    pub pedantic: bool,
}

/// See [`crate::config::StreamConfig`]; -1, 0 and nothing mean what they say here.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[expect(missing_docs, reason = "the fields are those of StreamConfig")]
#[expect(clippy::struct_excessive_bools, reason = "the API has that many")]
pub struct StreamConfigBody {
    pub name: String,
    pub description: String,
    pub subjects: Vec<String>,
    pub retention: Retention,
    pub max_consumers: Int,
    pub max_msgs: i64,
    pub max_bytes: i64,
    pub max_age: Nanos,
    pub max_msgs_per_subject: i64,
    pub max_msg_size: i32,
    pub discard: Discard,
    pub discard_new_per_subject: bool,
    /// Whether it is given matters to what is looked at first.
    pub storage: Given<Storage>,
    pub num_replicas: Int,
    pub no_ack: bool,
    pub duplicate_window: Nanos,
    pub placement: Option<Placement>,
    pub mirror: Option<SourceBody>,
    /// A source may be `null`, which is no source.
    pub sources: Vec<Option<SourceBody>>,
    pub compression: Compression,
    pub subject_transform: Option<SubjectTransform>,
    pub republish: Option<Republish>,
    pub sealed: bool,
    pub deny_delete: bool,
    pub deny_purge: bool,
    pub allow_rollup_hdrs: bool,
    pub allow_direct: bool,
    pub mirror_direct: bool,
    pub first_seq: u64,
    pub consumer_limits: ConsumerLimitsBody,
    pub allow_msg_ttl: bool,
    pub subject_delete_marker_ttl: Nanos,
    pub allow_msg_counter: bool,
    pub allow_atomic: bool,
    pub allow_msg_schedules: bool,
    pub allow_batched: bool,
    pub persist_mode: PersistMode,
    pub metadata: BTreeMap<String, String>,
}

/// See [`crate::config::Source`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[expect(missing_docs, reason = "the fields are those of Source")]
pub struct SourceBody {
    pub name: String,
    pub opt_start_seq: u64,
    pub opt_start_time: Option<WallTime>,
    pub filter_subject: String,
    pub subject_transforms: Vec<SubjectTransform>,
    pub external: Option<External>,
    pub consumer: Option<SourceConsumer>,
}

/// See [`crate::config::ConsumerLimits`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(missing_docs, reason = "the fields are those of ConsumerLimits")]
pub struct ConsumerLimitsBody {
    pub inactive_threshold: Nanos,
    pub max_ack_pending: Int,
}

fields! { StreamBody: "server.StreamConfigRequest" { "pedantic" => pedantic } .. config }

fields! { StreamConfigBody: "server.StreamConfig" {
    "name" => name, "description" => description, "subjects" => subjects, "retention" => retention,
    "max_consumers" => max_consumers, "max_msgs" => max_msgs, "max_bytes" => max_bytes, "max_age" => max_age,
    "max_msgs_per_subject" => max_msgs_per_subject, "max_msg_size" => max_msg_size, "discard" => discard,
    "storage" => storage, "num_replicas" => num_replicas, "no_ack" => no_ack, "duplicate_window" => duplicate_window,
    "placement" => placement, "mirror" => mirror, "sources" => sources, "compression" => compression,
    "first_seq" => first_seq, "subject_transform" => subject_transform, "republish" => republish,
    "allow_direct" => allow_direct, "mirror_direct" => mirror_direct,
    "discard_new_per_subject" => discard_new_per_subject, "sealed" => sealed, "deny_delete" => deny_delete,
    "deny_purge" => deny_purge, "allow_rollup_hdrs" => allow_rollup_hdrs, "consumer_limits" => consumer_limits,
    "allow_msg_ttl" => allow_msg_ttl, "subject_delete_marker_ttl" => subject_delete_marker_ttl,
    "allow_msg_counter" => allow_msg_counter, "allow_atomic" => allow_atomic,
    "allow_msg_schedules" => allow_msg_schedules, "persist_mode" => persist_mode, "allow_batched" => allow_batched,
    "metadata" => metadata,
} }

fields! { SourceBody: "server.StreamSource", "[]*server.StreamSource" {
    "name" => name, "opt_start_seq" => opt_start_seq, "opt_start_time" => opt_start_time,
    "filter_subject" => filter_subject, "subject_transforms" => subject_transforms, "external" => external,
    "consumer" => consumer,
} }

fields! { ConsumerLimitsBody: "server.StreamConsumerLimits" {
    "inactive_threshold" => inactive_threshold, "max_ack_pending" => max_ack_pending,
} }

fields! { SubjectTransform: "server.SubjectTransformConfig", "[]server.SubjectTransformConfig" {
    "src" => src, "dest" => dest,
} }

fields! { Republish: "server.RePublish" { "src" => src, "dest" => dest, "headers_only" => headers_only } }

fields! { Placement: "server.Placement" { "cluster" => cluster, "tags" => tags, "preferred" => preferred } }

fields! { External: "server.ExternalStream" { "api" => api, "deliver" => deliver } }

fields! { SourceConsumer: "server.StreamConsumerSource" { "name" => name, "deliver_subject" => deliver_subject } }
