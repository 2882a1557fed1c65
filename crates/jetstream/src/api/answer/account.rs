//! What is known of an account.

use std::collections::BTreeMap;

use crate::api::json::{Object, ToJson};
use crate::api::request::API_LEVEL;

/// An account.
// spec: JS-016
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AccountInfo {
    /// What it uses and may use; the sum if there are tiers.
    pub total: Tier,
    /// The server's domain; empty for none.
    pub domain: String,
    /// What it has asked.
    pub api: ApiStats,
    /// What it uses and may use, by number of replicas: `R1`, `R3`.
    pub tiers: BTreeMap<String, Tier>,
}

/// What is used, and what may be.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tier {
    /// Bytes in memory.
    pub memory: u64,
    /// Bytes in files.
    pub storage: u64,
    /// Bytes in memory that streams may use by their configuration.
    pub reserved_memory: u64,
    /// Bytes in files that streams may use by their configuration.
    pub reserved_storage: u64,
    /// Streams.
    pub streams: u64,
    /// Consumers.
    pub consumers: u64,
    /// What it may use.
    pub limits: AccountLimits,
}

/// What an account may use; -1 is no bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccountLimits {
    /// Bytes in memory.
    pub max_memory: i64,
    /// Bytes in files.
    pub max_storage: i64,
    /// Streams.
    pub max_streams: i64,
    /// Consumers of a stream.
    pub max_consumers: i64,
    /// Messages of a consumer that wait for acknowledgement.
    pub max_ack_pending: i64,
    /// Bytes in memory of a stream.
    pub memory_max_stream_bytes: i64,
    /// Bytes in files of a stream.
    pub storage_max_stream_bytes: i64,
    /// Streams must have a bound for their bytes.
    pub max_bytes_required: bool,
}

impl Default for AccountLimits {
    fn default() -> Self {
        Self {
            max_memory: -1,
            max_storage: -1,
            max_streams: -1,
            max_consumers: -1,
            max_ack_pending: -1,
            memory_max_stream_bytes: -1,
            storage_max_stream_bytes: -1,
            max_bytes_required: false,
        }
    }
}

/// How many requests there were.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ApiStats {
    /// All of them.
    pub total: u64,
    /// Those that were refused.
    pub errors: u64,
    /// Those that are being served.
    pub inflight: u64,
}

impl AccountInfo {
    pub(super) fn write(&self, o: &mut Object<'_>) {
        self.total.write(o);
        o.some("domain", &self.domain).field("api", &self.api).some("tiers", &self.tiers);
    }
}

impl Tier {
    fn write(&self, o: &mut Object<'_>) {
        o.field("memory", &self.memory).field("storage", &self.storage);
        o.field("reserved_memory", &self.reserved_memory).field("reserved_storage", &self.reserved_storage);
        o.field("streams", &self.streams).field("consumers", &self.consumers).field("limits", &self.limits);
    }
}

impl ToJson for Tier {
    fn to_json(&self, out: &mut Vec<u8>) {
        Object::write(out, |o| self.write(o));
    }
}

impl ToJson for AccountLimits {
    fn to_json(&self, out: &mut Vec<u8>) {
        Object::write(out, |o| {
            o.field("max_memory", &self.max_memory).field("max_storage", &self.max_storage);
            o.field("max_streams", &self.max_streams).field("max_consumers", &self.max_consumers);
            o.field("max_ack_pending", &self.max_ack_pending);
            o.field("memory_max_stream_bytes", &self.memory_max_stream_bytes);
            o.field("storage_max_stream_bytes", &self.storage_max_stream_bytes);
            o.field("max_bytes_required", &self.max_bytes_required);
        });
    }
}

impl ToJson for ApiStats {
    fn to_json(&self, out: &mut Vec<u8>) {
        Object::write(out, |o| {
            o.field("level", &API_LEVEL).field("total", &self.total).field("errors", &self.errors);
            o.some("inflight", &self.inflight);
        });
    }
}
