//! `/varz`: the server as a whole.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

use serde::Serialize;

use super::JetStreamVarz;
use super::format::{Number, Timestamp, between, is_default, is_false, nanos, uptime};
use crate::Observe;
use crate::process::Usage;
use crate::snapshot::{
    ByKind, ClusterSettings, DiskWaits, GatewaySettings, LeafListener, LeafRemoteSettings, LeafSettings,
};

/// The answer. Sizes are bytes, intervals nanoseconds, timeouts seconds.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the names are those of the snapshots, or of the wire")]
pub struct Varz {
    pub server_id: String,
    pub server_name: String,
    pub version: String,
    pub proto: u32,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub git_commit: String,
    /// The toolchain; the field keeps the name that tools read.
    pub go: &'static str,
    pub host: String,
    pub port: i64,
    #[serde(skip_serializing_if = "is_false")]
    pub auth_required: bool,
    #[serde(skip_serializing_if = "is_false")]
    pub tls_required: bool,
    #[serde(skip_serializing_if = "is_false")]
    pub tls_verify: bool,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub ip: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub connect_urls: Vec<String>,
    pub max_connections: i64,
    #[serde(skip_serializing_if = "is_default")]
    pub max_subscriptions: u32,
    pub ping_interval: u64,
    pub ping_max: u32,
    pub http_host: String,
    pub http_port: i32,
    pub http_base_path: String,
    pub https_port: i32,
    pub auth_timeout: Number,
    pub max_control_line: u32,
    pub max_payload: u32,
    pub max_pending: u64,
    pub cluster: Cluster,
    pub gateway: GatewayOptions,
    pub leaf: LeafOptions,
    pub mqtt: Unconfigured,
    pub websocket: Unconfigured,
    pub jetstream: JetStreamVarz,
    pub tls_timeout: Number,
    pub write_deadline: u64,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub write_timeout: String,
    pub start: Timestamp,
    pub now: Timestamp,
    pub uptime: String,
    pub mem: u64,
    pub cores: u32,
    /// Threads that may run at once.
    pub gomaxprocs: u32,
    /// The memory limit of the container, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gomemlimit: Option<u64>,
    pub cpu: Number,
    pub connections: u64,
    pub total_connections: u64,
    pub routes: u64,
    pub remotes: u64,
    pub leafnodes: u64,
    pub in_msgs: u64,
    pub in_bytes: u64,
    pub in_client_msgs: u64,
    pub in_client_bytes: u64,
    pub out_msgs: u64,
    pub out_bytes: u64,
    pub out_client_msgs: u64,
    pub out_client_bytes: u64,
    pub slow_consumers: u64,
    pub stale_connections: u64,
    pub stalled_clients: u64,
    pub subscriptions: u64,
    pub http_req_stats: BTreeMap<String, u64>,
    pub config_load_time: Timestamp,
    pub config_digest: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub feature_flags: BTreeMap<String, bool>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub system_account: String,
    #[serde(skip_serializing_if = "is_default")]
    pub pinned_account_fails: u64,
    pub slow_consumer_stats: KindStats,
    pub stale_connection_stats: KindStats,
    pub disk_io_wait_stats: DiskIoWaitStats,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proxies: Option<Proxies>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_cert_not_after: Option<Timestamp>,
}

/// A part of the server that is not configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Unconfigured {}

/// The cluster the server belongs to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Cluster {
    /// Its name.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// The listener's interface.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub addr: String,
    /// The listener's port.
    #[serde(skip_serializing_if = "is_default")]
    pub cluster_port: u16,
    /// Seconds that a member may take to say who it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth_timeout: Option<Number>,
    /// Configured members.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub urls: Vec<String>,
    /// Seconds that a TLS handshake may take.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_timeout: Option<Number>,
    /// Whether TLS is asked for.
    #[serde(skip_serializing_if = "is_false")]
    pub tls_required: bool,
    /// Whether certificates are asked for.
    #[serde(skip_serializing_if = "is_false")]
    pub tls_verify: bool,
    /// Connections to each member for accounts that share them.
    #[serde(skip_serializing_if = "is_default")]
    pub pool_size: i32,
    /// Nanoseconds that a member may take to accept what is written.
    #[serde(skip_serializing_if = "is_default")]
    pub write_deadline: u64,
    /// What happens then.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub write_timeout: String,
    /// When the certificate runs out.
    // spec: SEC-073
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_cert_not_after: Option<Timestamp>,
}

impl Cluster {
    fn new(name: String, settings: Option<ClusterSettings>) -> Self {
        let listens = settings.is_some();
        let of = settings.unwrap_or_default();
        Self {
            name,
            addr: of.host,
            cluster_port: of.port,
            auth_timeout: listens.then(|| seconds(of.auth_timeout)),
            urls: of.urls,
            tls_timeout: of.tls_timeout.map(seconds),
            tls_required: of.tls_timeout.is_some(),
            tls_verify: of.tls_timeout.is_some(),
            pool_size: of.pool_size,
            write_deadline: nanos(of.write_deadline),
            write_timeout: of.write_timeout,
            tls_cert_not_after: of.cert_not_after.map(Timestamp),
        }
    }
}

/// The server as one of a cluster beside others.
// spec: CLU-101
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[expect(missing_docs, reason = "the names are those of the snapshot")]
pub struct GatewayOptions {
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub host: String,
    #[serde(skip_serializing_if = "is_default")]
    pub port: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth_timeout: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_timeout: Option<Number>,
    #[serde(skip_serializing_if = "is_false")]
    pub tls_required: bool,
    #[serde(skip_serializing_if = "is_false")]
    pub tls_verify: bool,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub advertise: String,
    #[serde(skip_serializing_if = "is_default")]
    pub connect_retries: u32,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub gateways: Vec<RemoteGatewayOptions>,
    #[serde(skip_serializing_if = "is_false")]
    pub reject_unknown: bool,
    #[serde(skip_serializing_if = "is_default")]
    pub write_deadline: u64,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub write_timeout: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_cert_not_after: Option<Timestamp>,
}

/// A configured cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RemoteGatewayOptions {
    /// Its name.
    pub name: String,
    /// Where it is.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub urls: Vec<String>,
}

impl From<GatewaySettings> for GatewayOptions {
    fn from(of: GatewaySettings) -> Self {
        Self {
            name: of.name,
            host: of.host,
            port: of.port,
            auth_timeout: Some(seconds(of.auth_timeout)),
            tls_timeout: Some(seconds(of.tls_timeout)),
            tls_required: of.tls,
            tls_verify: of.tls,
            advertise: of.advertise,
            connect_retries: of.connect_retries,
            gateways: of.remotes.into_iter().map(|(name, urls)| RemoteGatewayOptions { name, urls }).collect(),
            reject_unknown: of.reject_unknown,
            write_deadline: nanos(of.write_deadline),
            write_timeout: of.write_timeout,
            tls_cert_not_after: of.cert_not_after.map(Timestamp),
        }
    }
}

/// The server as a hub, and as a leaf node of others.
// spec: CLU-101
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[expect(missing_docs, reason = "the names are those of the snapshot")]
pub struct LeafOptions {
    #[serde(skip_serializing_if = "String::is_empty")]
    pub host: String,
    #[serde(skip_serializing_if = "is_default")]
    pub port: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth_timeout: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_timeout: Option<Number>,
    #[serde(skip_serializing_if = "is_false")]
    pub tls_required: bool,
    #[serde(skip_serializing_if = "is_false")]
    pub tls_verify: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub remotes: Vec<LeafRemoteOptions>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_cert_not_after: Option<Timestamp>,
}

/// A configured hub.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LeafRemoteOptions {
    /// The account that is extended.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub local_account: String,
    /// Seconds that a TLS handshake may take.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_timeout: Option<Number>,
    /// Where it is.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub urls: Vec<String>,
    /// What does not pass.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deny: Option<Denied>,
}

/// Subjects that do not pass.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Denied {
    /// To there.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub exports: Vec<String>,
    /// From there.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub imports: Vec<String>,
}

impl From<LeafSettings> for LeafOptions {
    fn from(of: LeafSettings) -> Self {
        let remotes = of.remotes.into_iter().map(Into::into).collect();
        let Some(listener) = of.listener else { return Self { remotes, ..Self::default() } };
        let LeafListener { host, port, auth_timeout, tls_timeout, tls, tls_verify, cert_not_after } = listener;
        Self {
            host,
            port,
            auth_timeout: Some(seconds(auth_timeout)),
            tls_timeout: Some(seconds(tls_timeout)),
            tls_required: tls,
            tls_verify,
            remotes,
            tls_cert_not_after: cert_not_after.map(Timestamp),
        }
    }
}

impl From<LeafRemoteSettings> for LeafRemoteOptions {
    fn from(of: LeafRemoteSettings) -> Self {
        let denies = !of.deny_exports.is_empty() || !of.deny_imports.is_empty();
        Self {
            local_account: of.account,
            tls_timeout: of.tls_timeout.map(seconds),
            urls: of.urls,
            deny: denies.then_some(Denied { exports: of.deny_exports, imports: of.deny_imports }),
        }
    }
}

/// One number for each kind of connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct KindStats {
    pub clients: u64,
    pub routes: u64,
    pub gateways: u64,
    pub leafs: u64,
}

impl From<ByKind> for KindStats {
    fn from(kinds: ByKind) -> Self {
        Self { clients: kinds.clients, routes: kinds.routes, gateways: kinds.gateways, leafs: kinds.leafs }
    }
}

/// Waiting for the disk; a server without streams never does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[expect(missing_docs, reason = "the names are those of the wire")]
pub struct DiskIoWaitStats {
    pub waiters: u64,
    pub waits: u64,
    pub wait_time: u64,
    pub max_wait_time: u64,
}

// spec: JS-128
impl From<DiskWaits> for DiskIoWaitStats {
    fn from(of: DiskWaits) -> Self {
        let nanos = |span: Duration| u64::try_from(span.as_nanos()).unwrap_or(u64::MAX);
        let DiskWaits { waiting, waits, total, longest } = of;
        Self { waiters: waiting, waits, wait_time: nanos(total), max_wait_time: nanos(longest) }
    }
}

/// Proxies in front of the server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Proxies {
    /// Those that may vouch for clients.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub trusted: Vec<super::ProxyInfo>,
}

/// The toolchain this was built for.
const TOOLCHAIN: &str = concat!("rust", env!("CARGO_PKG_RUST_VERSION"));

/// Answers.
// spec: CLI-010 CLU-101 SEC-073
pub fn varz(server: &dyn Observe, now: SystemTime, usage: &Usage, http_req_stats: BTreeMap<String, u64>) -> Varz {
    let jetstream = server.jetstream();
    let disk_waits = jetstream.as_ref().map(|of| of.disk_waits).unwrap_or_default();
    let routes = server.routes(false).routes;
    let remotes: BTreeSet<_> = routes.iter().map(|route| route.remote_id.as_str()).collect();
    let (identity, settings, listen, counters) =
        (server.identity(), server.settings(), server.listen(), server.counters());
    let tls = settings.tls.unwrap_or_default();
    Varz {
        server_id: identity.id,
        server_name: identity.name,
        version: identity.version,
        proto: identity.proto,
        git_commit: identity.git_commit,
        go: TOOLCHAIN,
        host: listen.host,
        port: listen.port,
        auth_required: settings.auth_required,
        tls_required: tls.required,
        tls_verify: tls.verify,
        ip: listen.ip,
        connect_urls: listen.connect_urls,
        max_connections: settings.max_connections,
        max_subscriptions: settings.max_subscriptions,
        ping_interval: nanos(settings.ping_interval),
        ping_max: settings.ping_max,
        http_host: listen.http_host,
        http_port: listen.http_port,
        http_base_path: settings.http_base_path,
        https_port: listen.https_port,
        auth_timeout: seconds(settings.auth_timeout),
        max_control_line: settings.max_control_line,
        max_payload: settings.max_payload,
        max_pending: settings.max_pending,
        cluster: Cluster::new(settings.cluster_name, settings.cluster),
        gateway: settings.gateway.map(Into::into).unwrap_or_default(),
        leaf: settings.leaf.into(),
        mqtt: Unconfigured {},
        websocket: Unconfigured {},
        jetstream: jetstream.map(Into::into).unwrap_or_default(),
        tls_timeout: seconds(settings.tls_timeout),
        write_deadline: nanos(settings.write_deadline),
        write_timeout: settings.write_timeout,
        start: Timestamp(settings.start),
        now: Timestamp(now),
        uptime: uptime(between(settings.start, now)),
        mem: usage.resident_bytes,
        cores: usage.cores,
        gomaxprocs: usage.parallelism,
        gomemlimit: usage.memory_limit_bytes,
        cpu: Number(usage.cpu_percent),
        connections: counters.connections,
        total_connections: counters.total_connections,
        routes: routes.len() as u64,
        remotes: remotes.len() as u64,
        leafnodes: counters.leafnodes,
        in_msgs: counters.in_msgs,
        in_bytes: counters.in_bytes,
        in_client_msgs: counters.in_client_msgs,
        in_client_bytes: counters.in_client_bytes,
        out_msgs: counters.out_msgs,
        out_bytes: counters.out_bytes,
        out_client_msgs: counters.out_client_msgs,
        out_client_bytes: counters.out_client_bytes,
        slow_consumers: counters.slow_consumers.total(),
        stale_connections: counters.stale_connections.total(),
        stalled_clients: counters.stalled_clients,
        subscriptions: counters.subscriptions,
        http_req_stats,
        config_load_time: Timestamp(settings.config_load_time),
        config_digest: settings.config_digest,
        tags: settings.tags,
        metadata: settings.metadata,
        feature_flags: settings.feature_flags,
        system_account: identity.system_account,
        pinned_account_fails: counters.pinned_account_fails,
        slow_consumer_stats: counters.slow_consumers.into(),
        stale_connection_stats: counters.stale_connections.into(),
        disk_io_wait_stats: disk_waits.into(),
        proxies: settings
            .trusted_proxies
            .map(|keys| Proxies { trusted: keys.into_iter().map(|key| super::ProxyInfo { key }).collect() }),
        tls_cert_not_after: tls.cert_not_after.map(Timestamp),
    }
}

fn seconds(span: Duration) -> Number {
    Number(span.as_secs_f64())
}
