//! A consumer's configuration, as a request says it.

use std::collections::BTreeMap;

use martlet_events::WallTime;

use crate::api::json::quote;
use crate::api::json::read::{Raw, Read, Reader, fields};
use crate::api::json::{Int, Nanos};
use crate::config::{AckPolicy, PriorityPolicy, ReplayPolicy};

/// Whether a consumer may, or must, be there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Action {
    /// It may.
    #[default]
    CreateOrUpdate,
    /// It must.
    Update,
    /// It must not, unless it is the same.
    Create,
}

/// Where a consumer begins, without the sequence or the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(missing_docs, reason = "the variants are those of DeliverPolicy")]
pub enum DeliverKind {
    #[default]
    All,
    Last,
    New,
    ByStartSequence,
    ByStartTime,
    LastPerSubject,
}

/// The body of a request to create or update a consumer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ConsumerCreateBody {
    /// Its stream.
    pub stream_name: String,
    /// The configuration.
    pub config: ConsumerBody,
    /// Whether it may be there.
    pub action: Action,
    /// Values are refused that would be mended otherwise.
    pub pedantic: bool,
}

/// See [`crate::config::ConsumerConfig`]; -1, 0 and nothing mean what they say here.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[expect(missing_docs, reason = "the fields are those of ConsumerConfig")]
#[expect(clippy::struct_excessive_bools, reason = "the API has that many")]
pub struct ConsumerBody {
    pub durable: String,
    pub name: String,
    pub description: String,
    pub deliver_policy: DeliverKind,
    pub opt_start_seq: u64,
    pub opt_start_time: Option<WallTime>,
    pub ack_policy: AckPolicy,
    pub ack_wait: Nanos,
    pub max_deliver: Int,
    pub backoff: Vec<Nanos>,
    pub filter_subject: String,
    pub filter_subjects: Vec<String>,
    pub replay_policy: ReplayPolicy,
    pub rate_limit_bps: u64,
    pub sample_freq: String,
    pub max_waiting: Int,
    pub max_ack_pending: Int,
    pub flow_control: bool,
    pub headers_only: bool,
    pub max_batch: Int,
    pub max_expires: Nanos,
    pub max_bytes: Int,
    pub deliver_subject: String,
    pub deliver_group: String,
    pub idle_heartbeat: Nanos,
    pub inactive_threshold: Nanos,
    pub num_replicas: Int,
    pub mem_storage: bool,
    pub direct: bool,
    pub sourcing: bool,
    pub metadata: BTreeMap<String, String>,
    pub pause_until: Option<WallTime>,
    pub priority_groups: Vec<String>,
    pub priority_policy: PriorityPolicy,
    pub priority_timeout: Nanos,
}

fields! { ConsumerCreateBody: "server.CreateConsumerRequest" {
    "stream_name" => stream_name, "config" => config, "action" => action, "pedantic" => pedantic,
} }

fields! { ConsumerBody: "server.ConsumerConfig" {
    "durable_name" => durable, "name" => name, "description" => description, "deliver_policy" => deliver_policy,
    "opt_start_seq" => opt_start_seq, "opt_start_time" => opt_start_time, "ack_policy" => ack_policy,
    "ack_wait" => ack_wait, "max_deliver" => max_deliver, "backoff" => backoff, "filter_subject" => filter_subject,
    "filter_subjects" => filter_subjects, "replay_policy" => replay_policy, "rate_limit_bps" => rate_limit_bps,
    "sample_freq" => sample_freq, "max_waiting" => max_waiting, "max_ack_pending" => max_ack_pending,
    "flow_control" => flow_control, "headers_only" => headers_only, "max_batch" => max_batch,
    "max_expires" => max_expires, "max_bytes" => max_bytes, "deliver_subject" => deliver_subject,
    "deliver_group" => deliver_group, "idle_heartbeat" => idle_heartbeat, "inactive_threshold" => inactive_threshold,
    "num_replicas" => num_replicas, "mem_storage" => mem_storage, "direct" => direct, "sourcing" => sourcing,
    "metadata" => metadata, "pause_until" => pause_until, "priority_groups" => priority_groups,
    "priority_policy" => priority_policy, "priority_timeout" => priority_timeout,
} }

impl Read for DeliverKind {
    const NAME: &'static str = "string";

    fn read(&mut self, value: Raw<'_>, _: &mut Reader) -> Result<(), String> {
        *self = match value.bytes() {
            // A word that was written by servers of old.
            b"\"all\"" | b"\"undefined\"" => Self::All,
            b"\"last\"" => Self::Last,
            b"\"new\"" => Self::New,
            b"\"by_start_sequence\"" => Self::ByStartSequence,
            b"\"by_start_time\"" => Self::ByStartTime,
            b"\"last_per_subject\"" => Self::LastPerSubject,
            other => return Err(format!("can not unmarshal {}", quote::bytes(other))),
        };
        Ok(())
    }
}

impl Read for Action {
    const NAME: &'static str = "string";

    fn read(&mut self, value: Raw<'_>, _: &mut Reader) -> Result<(), String> {
        *self = match value.bytes() {
            b"\"\"" => Self::CreateOrUpdate,
            b"\"create\"" => Self::Create,
            b"\"update\"" => Self::Update,
            other => return Err(format!("unknown consumer action: {}", String::from_utf8_lossy(other))),
        };
        Ok(())
    }
}
