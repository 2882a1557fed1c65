//! `/accountz` and `/accstatz`: what accounts are, and what went through them.

use std::collections::BTreeMap;
use std::time::SystemTime;

use serde::Serialize;

use super::SublistStats;
use super::format::{Timestamp, is_false};
use crate::Observe;
use crate::body::Body;
use crate::query::{Query, QueryError};
use crate::snapshot::{
    AccountSnapshot, AccountTraffic, Direction, ExportKind, ExportSnapshot, ImportSnapshot, LatencySnapshot,
    MappingTarget, Traffic,
};

/// What `/accountz` is asked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AccountzOptions {
    /// Everything about this account, instead of the names of all.
    pub account: String,
}

impl AccountzOptions {
    /// Reads them from a query string.
    // spec: CLU-107
    pub(crate) fn from_query(query: &Query<'_>) -> Self {
        Self { account: query.text("acc").into() }
    }

    /// Reads them from a JSON body.
    pub fn from_body(body: &mut Body<'_>) -> Self {
        Self { account: body.text("account") }
    }
}

/// Why `/accountz` has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("Account {0} does not exist")]
pub struct AccountError(pub String);

/// The answer of `/accountz`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Accountz {
    /// The server's id.
    pub(crate) server_id: String,
    /// When it was made.
    pub(crate) now: Timestamp,
    /// Name of the system account.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) system_account: String,
    /// The names of all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) accounts: Vec<String>,
    /// The one asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) account_detail: Option<AccountDetail>,
}

/// One account.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "the wire has them")]
pub struct AccountDetail {
    pub(crate) account_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) update_time: Option<Timestamp>,
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) is_system: bool,
    pub(crate) expired: bool,
    pub(crate) complete: bool,
    pub(crate) jetstream_enabled: bool,
    pub(crate) leafnode_connections: u64,
    pub(crate) client_connections: u64,
    pub(crate) subscriptions: u64,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) mappings: BTreeMap<String, Vec<MapDest>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) exports: Vec<Export>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) imports: Vec<Import>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) jwt: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) issuer_key: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) name_tag: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) tags: Vec<String>,
    pub(crate) sublist_stats: SublistStats,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) responses: BTreeMap<String, Import>,
}

/// One target of a mapping.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct MapDest {
    pub(crate) subject: String,
    pub(crate) weight: u8,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) cluster: String,
}

/// One export.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Export {
    pub(crate) subject: String,
    #[serde(rename = "type")]
    pub(crate) kind: &'static str,
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) token_req: bool,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) response_type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) service_latency: Option<Latency>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) approved_accounts: Vec<String>,
}

/// One import, or one awaited reply.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Import {
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) subject: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) account: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) to: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) local_subject: String,
    #[serde(rename = "type")]
    pub(crate) kind: Kind,
    pub(crate) invalid: bool,
    pub(crate) share: bool,
    pub(crate) tracking: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) latency: Option<Latency>,
}

/// A kind of export: by name among imports, by number among awaited replies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Kind {
    /// `stream` or `service`.
    Name(&'static str),
    /// 1 or 2.
    Number(u8),
}

/// Measuring of a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Latency {
    /// Percent, or `headers`.
    pub(crate) sampling: Sampling,
    /// Where the results go.
    pub(crate) results: String,
}

/// How much is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Sampling {
    /// This many of a hundred.
    Percent(u8),
    /// Those that ask for it.
    Headers(&'static str),
}

impl From<LatencySnapshot> for Latency {
    fn from(latency: LatencySnapshot) -> Self {
        let sampling = match latency.sampling {
            0 => Sampling::Headers("headers"),
            percent => Sampling::Percent(percent),
        };
        Self { sampling, results: latency.subject }
    }
}

fn kind_name(kind: ExportKind) -> &'static str {
    match kind {
        ExportKind::Stream => "stream",
        ExportKind::Service => "service",
    }
}

impl From<MappingTarget> for MapDest {
    fn from(target: MappingTarget) -> Self {
        Self { subject: target.subject, weight: target.weight, cluster: target.cluster }
    }
}

impl From<ExportSnapshot> for Export {
    fn from(export: ExportSnapshot) -> Self {
        Self {
            subject: export.subject,
            kind: kind_name(export.kind),
            token_req: export.token_required,
            response_type: export.response_type,
            service_latency: export.latency.map(Into::into),
            approved_accounts: export.approved_accounts,
        }
    }
}

impl From<ImportSnapshot> for Import {
    fn from(import: ImportSnapshot) -> Self {
        let to = match import.kind {
            ExportKind::Stream => String::new(),
            ExportKind::Service => import.local_subject.clone(),
        };
        Self {
            subject: import.subject,
            account: import.account,
            to,
            local_subject: import.local_subject,
            kind: Kind::Name(kind_name(import.kind)),
            invalid: import.invalid,
            share: import.share,
            tracking: import.tracking,
            latency: import.latency.map(Into::into),
        }
    }
}

impl From<AccountSnapshot> for AccountDetail {
    fn from(account: AccountSnapshot) -> Self {
        let awaited = |reply: ImportSnapshot| {
            let number = Kind::Number(match reply.kind {
                ExportKind::Stream => 1,
                ExportKind::Service => 2,
            });
            (reply.local_subject.clone(), Import { kind: number, ..reply.into() })
        };
        Self {
            account_name: account.name,
            update_time: account.updated.map(Timestamp),
            is_system: account.is_system,
            expired: account.expired,
            complete: !account.incomplete,
            jetstream_enabled: account.has_jetstream,
            leafnode_connections: account.leafnodes,
            client_connections: account.clients,
            subscriptions: account.interest.subscriptions,
            mappings: account
                .mappings
                .into_iter()
                .map(|mapping| (mapping.source, mapping.targets.into_iter().map(Into::into).collect()))
                .collect(),
            exports: account.exports.into_iter().map(Into::into).collect(),
            imports: account.imports.into_iter().map(Into::into).collect(),
            jwt: account.jwt,
            issuer_key: account.issuer_key,
            name_tag: account.name_tag,
            tags: account.tags,
            sublist_stats: account.interest.into(),
            responses: account.responses.into_iter().map(awaited).collect(),
        }
    }
}

/// Answers `/accountz`.
// spec: CLU-107 CLU-146
pub fn accountz(server: &dyn Observe, now: SystemTime, options: &AccountzOptions) -> Result<Accountz, AccountError> {
    let identity = server.identity();
    let (accounts, account_detail) = if options.account.is_empty() {
        (server.accounts(), None)
    } else {
        (Vec::new(), Some(account_detail(server, &options.account)?))
    };
    Ok(Accountz {
        server_id: identity.id,
        now: Timestamp(now),
        system_account: identity.system_account,
        accounts,
        account_detail,
    })
}

/// Everything about one account.
// spec: CLU-091
pub fn account_detail(server: &dyn Observe, name: &str) -> Result<AccountDetail, AccountError> {
    server.account(name).map(Into::into).ok_or_else(|| AccountError(name.into()))
}

/// What `/accstatz` is asked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AccountStatzOptions {
    /// Only these; all when empty.
    pub accounts: Vec<String>,
    /// Also those without connections.
    pub include_unused: bool,
}

impl AccountStatzOptions {
    /// Reads them from a query string.
    // spec: CLU-149
    pub(crate) fn from_query(query: &Query<'_>) -> Result<Self, QueryError> {
        Ok(Self { accounts: Vec::new(), include_unused: query.bool("unused")? })
    }

    /// Reads them from a JSON body.
    pub fn from_body(body: &mut Body<'_>) -> Self {
        Self { accounts: body.texts("accounts"), include_unused: body.bool("include_unused") }
    }
}

/// The answer of `/accstatz`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AccountStatz {
    /// The server's id.
    pub(crate) server_id: String,
    /// When it was made.
    pub(crate) now: Timestamp,
    /// The accounts.
    pub account_statz: Vec<AccountStat>,
}

/// What went through one account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AccountStat {
    pub(crate) acc: String,
    pub(crate) name: String,
    pub(crate) conns: u64,
    pub(crate) leafnodes: u64,
    pub(crate) total_conns: u64,
    pub(crate) num_subscriptions: u64,
    pub(crate) sent: DataStats,
    pub(crate) received: DataStats,
    pub(crate) slow_consumers: u64,
}

/// Traffic in one direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct DataStats {
    #[serde(flatten)]
    pub(crate) all: MsgBytes,
    pub(crate) gateways: MsgBytes,
    pub(crate) routes: MsgBytes,
    pub(crate) leafs: MsgBytes,
}

/// Messages and their bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct MsgBytes {
    pub(crate) msgs: u64,
    pub(crate) bytes: u64,
}

impl From<Traffic> for MsgBytes {
    fn from(traffic: Traffic) -> Self {
        Self { msgs: traffic.msgs, bytes: traffic.bytes }
    }
}

impl From<Direction> for DataStats {
    fn from(direction: Direction) -> Self {
        Self {
            all: direction.all.into(),
            gateways: direction.gateways.into(),
            routes: direction.routes.into(),
            leafs: direction.leafs.into(),
        }
    }
}

impl From<AccountTraffic> for AccountStat {
    fn from(traffic: AccountTraffic) -> Self {
        Self {
            acc: traffic.account,
            name: traffic.name_tag,
            conns: traffic.connections,
            leafnodes: traffic.leafnodes,
            total_conns: traffic.connections + traffic.leafnodes,
            num_subscriptions: traffic.subscriptions,
            sent: traffic.sent.into(),
            received: traffic.received.into(),
            slow_consumers: traffic.slow_consumers,
        }
    }
}

/// Answers `/accstatz`.
// spec: CLU-107 CLU-150
pub fn account_statz(server: &dyn Observe, now: SystemTime, options: &AccountStatzOptions) -> AccountStatz {
    let traffic = if options.accounts.is_empty() {
        server.traffic()
    } else {
        options.accounts.iter().filter_map(|name| server.account_traffic(name)).collect()
    };
    let account_statz = traffic
        .into_iter()
        .filter(|traffic| options.include_unused || traffic.connections > 0 || traffic.leafnodes > 0)
        .map(Into::into)
        .collect();
    AccountStatz { server_id: server.identity().id, now: Timestamp(now), account_statz }
}
