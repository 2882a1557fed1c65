//! The server as a whole.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

/// Who the server is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Identity {
    /// Its public key: `N…`.
    pub id: String,
    /// Its configured name, or its id.
    pub name: String,
    /// The version told to clients.
    pub version: String,
    /// The protocol version told to clients.
    pub proto: u32,
    /// Commit the binary was built from; empty if unknown.
    pub git_commit: String,
    /// Name of the system account; empty without one.
    pub system_account: String,
}

/// What the server was told. Durations and sizes as in its options.
#[derive(Debug, Clone, PartialEq)]
pub struct ServerSettings {
    /// Clients must authenticate.
    pub auth_required: bool,
    /// Client TLS, if there is any.
    pub tls: Option<TlsSettings>,
    /// `max_connections`.
    pub max_connections: i64,
    /// `max_subscriptions`; 0 is no limit.
    pub max_subscriptions: u32,
    /// `ping_interval`.
    pub ping_interval: Duration,
    /// `ping_max`.
    pub ping_max: u32,
    /// Time to authenticate in.
    pub auth_timeout: Duration,
    /// Time for a TLS handshake.
    pub tls_timeout: Duration,
    /// `max_control_line`.
    pub max_control_line: u32,
    /// `max_payload`.
    pub max_payload: u32,
    /// `max_pending`.
    pub max_pending: u64,
    /// `write_deadline`.
    pub write_deadline: Duration,
    /// `write_timeout`: `close`, `retry`, or empty for the default.
    pub write_timeout: String,
    /// `http_base_path` as configured.
    pub http_base_path: String,
    /// When the server started.
    pub start: SystemTime,
    /// When its options were last loaded.
    pub config_load_time: SystemTime,
    /// `sha256:…` of the file, empty without one.
    pub config_digest: String,
    /// `server_tags`.
    pub tags: Vec<String>,
    /// `server_metadata`.
    pub metadata: BTreeMap<String, String>,
    /// `feature_flags` with their defaults.
    pub feature_flags: BTreeMap<String, bool>,
    /// Public keys of `proxies.trusted`; `None` without a `proxies` block.
    pub trusted_proxies: Option<Vec<String>>,
    /// Name of the cluster; empty without one.
    pub cluster_name: String,
    /// What its members are told and asked; `None` without a listener for them.
    pub cluster: Option<ClusterSettings>,
    /// What other clusters are told and asked; `None` if there are none.
    pub gateway: Option<GatewaySettings>,
    /// What leaf nodes are asked, and where this server is one.
    pub leaf: LeafSettings,
}

/// TLS of the client listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TlsSettings {
    /// A client must use it.
    pub required: bool,
    /// A client must show a certificate.
    pub verify: bool,
    /// When the certificate ends.
    pub cert_not_after: Option<SystemTime>,
}

/// Addresses.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Listen {
    /// `host` of INFO: the interface of the client listener, or what is advertised instead.
    pub host: String,
    /// `port` of INFO: the listener's actual port, or what is advertised instead.
    pub port: i64,
    /// `ip` of INFO: empty unless advertised.
    pub ip: String,
    /// `connect_urls` of INFO.
    pub connect_urls: Vec<String>,
    /// Interface of the monitoring listener.
    pub http_host: String,
    /// Its plain port as configured: 0 is off, -1 a free one.
    pub http_port: i32,
    /// Its TLS port as configured: 0 is off, -1 a free one.
    pub https_port: i32,
}

/// Totals since the start, and numbers of now.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ServerCounters {
    /// Leaf node links.
    pub leafnodes: u64,
    /// Open client connections.
    pub connections: u64,
    /// Client connections ever accepted.
    pub total_connections: u64,
    /// Messages in, from everyone.
    pub in_msgs: u64,
    /// Their bytes.
    pub in_bytes: u64,
    /// Messages in, from clients.
    pub in_client_msgs: u64,
    /// Their bytes.
    pub in_client_bytes: u64,
    /// Messages out, to everyone.
    pub out_msgs: u64,
    /// Their bytes.
    pub out_bytes: u64,
    /// Messages out, to clients.
    pub out_client_msgs: u64,
    /// Their bytes.
    pub out_client_bytes: u64,
    /// Connections closed, or links found, as slow consumers (CORE-089).
    pub slow_consumers: ByKind,
    /// Connections closed as stale (CORE-086).
    pub stale_connections: ByKind,
    /// How often a publisher was held up (CORE-091).
    pub stalled_clients: u64,
    /// Subscriptions of all accounts.
    pub subscriptions: u64,
    /// Log-ins refused because their account is not pinned.
    pub pinned_account_fails: u64,
}

/// One number for each kind of connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ByKind {
    /// Clients.
    pub clients: u64,
    /// Routes.
    pub routes: u64,
    /// Gateways.
    pub gateways: u64,
    /// Leaf nodes.
    pub leafs: u64,
}

impl ByKind {
    /// Over all kinds.
    pub fn total(&self) -> u64 {
        self.clients + self.routes + self.gateways + self.leafs
    }
}

/// Whether clients can be served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// They can.
    Ready,
    /// They cannot yet, or no longer; the parts that are missing, such as `server`.
    NotReady(Vec<String>),
}

/// An internal queue.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct QueueSnapshot {
    /// Its name.
    pub name: String,
    /// Entries waiting.
    pub pending: u64,
    /// Entries being worked on.
    pub in_progress: u64,
}

/// An event loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LoopSnapshot {
    /// Connections it carries.
    pub connections: u64,
    /// Bytes waiting to be written to them.
    pub pending_bytes: u64,
    /// Read batches it has worked through.
    pub read_batches: u64,
}

/// What members of a cluster are told and asked.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ClusterSettings {
    /// Interface of the listener.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How long a member may take to say who it is.
    pub auth_timeout: Duration,
    /// `host:port` of configured members.
    pub urls: Vec<String>,
    /// How long a TLS handshake may take; `None` without TLS.
    pub tls_timeout: Option<Duration>,
    /// When the certificate runs out.
    pub cert_not_after: Option<SystemTime>,
    /// Connections to each member for accounts that share them.
    pub pool_size: i32,
    /// How long a member may take to accept what is written; zero where that is the server's.
    pub write_deadline: Duration,
    /// What happens then; empty for the default.
    pub write_timeout: String,
}

/// What other clusters are told and asked.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct GatewaySettings {
    /// This cluster's name.
    pub name: String,
    /// Interface of the listener.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How long another cluster's server may take to say who it is.
    pub auth_timeout: Duration,
    /// How long a TLS handshake may take.
    pub tls_timeout: Duration,
    /// Whether there is TLS.
    pub tls: bool,
    /// When the certificate runs out.
    pub cert_not_after: Option<SystemTime>,
    /// What is told instead of the listener's address.
    pub advertise: String,
    /// How often clusters are tried again that were heard of.
    pub connect_retries: u32,
    /// Configured clusters, and where they are.
    pub remotes: Vec<(String, Vec<String>)>,
    /// Whether others are refused.
    pub reject_unknown: bool,
    /// How long another cluster may take to accept what is written; zero where that is the server's.
    pub write_deadline: Duration,
    /// What happens then; empty for the default.
    pub write_timeout: String,
}

/// What leaf nodes are told and asked, and the servers that this one is a leaf node of.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LeafSettings {
    /// What those are asked that connect here; `None` if nobody can.
    pub listener: Option<LeafListener>,
    /// Configured remotes.
    pub remotes: Vec<LeafRemoteSettings>,
}

/// What leaf nodes are asked that connect here.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LeafListener {
    /// Interface of the listener.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How long a leaf node may take to say who it is.
    pub auth_timeout: Duration,
    /// How long a TLS handshake may take.
    pub tls_timeout: Duration,
    /// Whether TLS is asked for.
    pub tls: bool,
    /// Whether certificates are asked for.
    pub tls_verify: bool,
    /// When the certificate runs out.
    pub cert_not_after: Option<SystemTime>,
}

/// A configured remote.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LeafRemoteSettings {
    /// The account that is extended.
    pub account: String,
    /// How long a TLS handshake may take; `None` without a block of its own.
    pub tls_timeout: Option<Duration>,
    /// `host:port` of its servers.
    pub urls: Vec<String>,
    /// What does not go there.
    pub deny_exports: Vec<String>,
    /// What does not come from there.
    pub deny_imports: Vec<String>,
}
