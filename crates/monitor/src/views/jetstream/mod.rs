//! `/jsz` of a server without `JetStream`.

use std::time::SystemTime;

use serde::Serialize;

use super::format::Timestamp;
use crate::Observe;
use crate::body::Body;
use crate::query::{Query, QueryError};

/// What `/raftz` says without consensus groups.
// spec: CLU-111 CLU-152
pub const NO_RAFT_NODES: &str = "No Raft nodes registered";

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[expect(clippy::struct_excessive_bools, reason = "the wire has them")]
pub struct JszOptions {
    /// Only this account.
    pub account: String,
    /// Show accounts.
    pub accounts: bool,
    /// Show streams.
    pub streams: bool,
    /// Show consumers.
    pub consumer: bool,
    /// Show consumers of mirrors and sources.
    pub direct_consumer: bool,
    /// Show configurations.
    pub config: bool,
    /// Answer only as the leader of the meta group.
    pub leader_only: bool,
    /// Pass over this many accounts.
    pub offset: i64,
    /// Show at most this many accounts.
    pub limit: i64,
    /// Show consensus groups.
    pub raft: bool,
    /// Show only streams led here.
    pub stream_leader_only: bool,
}

impl JszOptions {
    /// Reads them from a query string.
    // spec: CLU-108 CLU-134 CLU-135
    pub fn from_query(query: &Query<'_>) -> Result<Self, QueryError> {
        Ok(Self {
            accounts: query.bool("accounts")?,
            streams: query.bool("streams")?,
            consumer: query.bool("consumers")?,
            direct_consumer: query.bool("direct-consumers")?,
            config: query.bool("config")?,
            offset: query.int("offset")?,
            limit: query.int("limit")?,
            leader_only: query.bool("leader-only")?,
            raft: query.bool("raft")?,
            stream_leader_only: query.bool("stream-leader-only")?,
            account: query.text("acc").into(),
        })
    }

    /// Reads them from a JSON body.
    pub fn from_body(body: &mut Body<'_>) -> Self {
        Self {
            account: body.text("account"),
            accounts: body.bool("accounts"),
            streams: body.bool("streams"),
            consumer: body.bool("consumer"),
            direct_consumer: body.bool("direct_consumer"),
            config: body.bool("config"),
            leader_only: body.bool("leader_only"),
            offset: body.int("offset"),
            limit: body.int("limit"),
            raft: body.bool("raft"),
            stream_leader_only: body.bool("stream_leader_only"),
        }
    }
}

/// What the consensus groups are asked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RaftzOptions {
    /// Those of this account; the system account's when empty.
    pub account: String,
    /// Only this group.
    pub group: String,
}

impl RaftzOptions {
    /// Reads them from a JSON body.
    pub fn from_body(body: &mut Body<'_>) -> Self {
        Self { account: body.text("account"), group: body.text("group") }
    }
}

/// Consensus groups by account: there are none.
// spec: CLU-111
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Raftz {}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JszError {
    /// Only the leader was asked.
    #[error("filtered response: not leader")]
    NotLeader,
    /// There is nothing to tell about one account.
    #[error("jetstream not enabled")]
    NotEnabled,
}

/// The answer of a server without `JetStream`: nothing of everything.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the names are those of the wire")]
pub struct Jsz {
    pub memory: u64,
    pub storage: u64,
    pub reserved_memory: u64,
    pub reserved_storage: u64,
    pub accounts: u64,
    pub ha_assets: u64,
    pub api: ApiStats,
    pub server_id: String,
    pub now: Timestamp,
    pub disabled: bool,
    pub config: StoreLimits,
    pub streams: u64,
    pub consumers: u64,
    pub messages: u64,
    pub bytes: u64,
    pub total: u64,
}

/// Requests to the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[expect(missing_docs, reason = "the names are those of the wire")]
pub struct ApiStats {
    pub level: u64,
    pub total: u64,
    pub errors: u64,
}

/// Configured limits of the stores.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[expect(missing_docs, reason = "the names are those of the wire")]
pub struct StoreLimits {
    pub max_memory: u64,
    pub max_storage: u64,
}

/// Answers.
// spec: CLI-012 CLU-108
pub fn jsz(server: &dyn Observe, now: SystemTime, options: &JszOptions) -> Result<Jsz, JszError> {
    if options.leader_only {
        return Err(JszError::NotLeader);
    }
    Ok(Jsz {
        memory: 0,
        storage: 0,
        reserved_memory: 0,
        reserved_storage: 0,
        accounts: 0,
        ha_assets: 0,
        api: ApiStats::default(),
        server_id: server.identity().id,
        now: Timestamp(now),
        disabled: true,
        config: StoreLimits::default(),
        streams: 0,
        consumers: 0,
        messages: 0,
        bytes: 0,
        total: 0,
    })
}
