//! The typed form of a configuration: what the rest of the server is built from.
//!
//! A plain value: comparing two of them is what a reload does. Defaults are the reference's (CFG-023 …).

mod accounts;
mod auth;
mod cluster;
mod gateway;
mod jetstream;
mod leafnodes;
mod link;
mod link_url;
mod log;
mod secret;
mod tls;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

pub(crate) use accounts::RESPONSE_THRESHOLD;
pub use accounts::{
    Account, AccountLimits, Destination, Export, ExportKind, Import, ImportKind, Latency, Mapping, ResponseType,
    Sampling, Shared, TraceDestination,
};
pub use auth::{
    Authorization, ConnectionType, ConnectionTypes, Credentials, PermissionSubject, Permissions, ResponsePermission,
    SubjectPermission, User,
};
pub(crate) use cluster::ROUTE_MAX_PING_INTERVAL;
pub use cluster::{Cluster, LinkPermissions};
pub use gateway::{Gateway, RemoteGateway};
pub use jetstream::{AccountJetStream, Cipher, JetStream, JetStreamLimits, Sync};
pub use leafnodes::{LeafAuthorization, LeafNodes, LeafRemote, LeafUser, LeafVersion};
pub use link::{Compression, LinkLogin};
pub(crate) use link_url::redacted;
pub use link_url::{LinkUrl, LinkUrlError};
pub use log::{LogOptions, Syslog};
pub use secret::Secret;
pub use tls::{CertificatePair, HandshakeFirst, Tls, TlsVersion};

use crate::path::clean;

/// Everything a server is told at start.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// The file this came from, for messages and reload.
    pub config_file: Option<PathBuf>,
    /// `sha256:` and the hex digest of the parsed file (CFG-009); empty without a file.
    pub config_digest: String,

    /// `server_name`; the server's id when unset.
    pub server_name: Option<String>,
    /// Interface of the client listener.
    pub host: String,
    /// Port of the client listener; -1 asks for a free one.
    pub port: i32,
    /// The client listener is left out (embedding only).
    pub dont_listen: bool,
    /// `host[:port]` told to clients instead of the listener's own address.
    pub client_advertise: Option<String>,
    /// Lower-cased, without duplicates.
    pub server_tags: Vec<String>,
    /// `server_metadata`.
    pub server_metadata: BTreeMap<String, String>,
    /// `feature_flags`.
    pub feature_flags: BTreeMap<String, bool>,

    /// The limits of connections and what passes through them.
    pub limits: Limits,
    /// Pings, deadlines and reports.
    pub timing: Timing,
    /// Behaviour switches.
    pub switches: Switches,

    /// The monitoring listener.
    pub monitoring: Monitoring,
    /// Where and how to log.
    pub log: LogOptions,
    /// `pidfile`.
    pub pid_file: Option<PathBuf>,
    /// `ports_file_dir`.
    pub ports_file_dir: Option<PathBuf>,

    /// Top-level `tls`.
    pub tls: Option<Tls>,
    /// Top-level `authorization`.
    pub authorization: Authorization,
    /// `accounts`, in file order.
    pub accounts: Vec<Account>,
    /// `system_account`: the name of the system account, `$SYS` when unset.
    pub system_account: Option<String>,
    /// Mappings of the global account.
    pub mappings: Vec<Mapping>,
    /// `no_auth_user`.
    pub no_auth_user: Option<String>,
    /// `proxies.trusted`: public keys of proxies that may vouch for clients.
    pub trusted_proxies: Vec<String>,
    /// The cluster's own name where the file or a flag says it (`cluster.name`); cluster-scoped mappings ask for it too.
    /// [`Options::settled_cluster_name`] knows where else it comes from.
    pub cluster_name: Option<String>,
    /// `cluster`.
    pub cluster: Option<Cluster>,
    /// `gateway`.
    pub gateway: Option<Gateway>,
    /// `leafnodes`.
    pub leafnodes: Option<LeafNodes>,
    /// `jetstream`, if it is on.
    pub jetstream: Option<JetStream>,
}

impl Options {
    /// The cluster's name that is settled before the server starts: as set, or the gateway's. `None` with a cluster
    /// means that one is made up at start and may give way to a peer's; `None` without a cluster but with leaf node
    /// remotes, that the server's name stands for it.
    // spec: CFG-146
    #[must_use]
    pub fn settled_cluster_name(&self) -> Option<&str> {
        self.cluster_name.as_deref().or_else(|| self.gateway.as_ref().map(|gateway| gateway.name.as_str()))
    }

    /// The `cluster` block if it makes this server part of a cluster.
    #[must_use]
    pub fn clustered(&self) -> Option<&Cluster> {
        self.cluster.as_ref().filter(|cluster| cluster.listens())
    }

    /// Accounts with routes of their own, the system account among them; none when pooling is off.
    // spec: CFG-157
    #[must_use]
    pub fn pinned_accounts(&self) -> Vec<&str> {
        let Some(cluster) = self.clustered().filter(|cluster| cluster.pool_size > 0) else { return Vec::new() };
        let mut pinned: Vec<_> = cluster.accounts.iter().map(String::as_str).collect();
        let default = (!self.switches.no_system_account).then_some("$SYS");
        if let Some(system) = self.system_account.as_deref().or(default)
            && !pinned.contains(&system)
        {
            pinned.push(system);
        }
        pinned
    }
}

/// Limits of connections and what passes through them. Sizes are bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Open client connections; 0 and below refuse everyone (CFG-092).
    pub max_connections: i64,
    /// Subscriptions per connection; 0 is no limit.
    pub max_subscriptions: u32,
    /// Tokens of a subscription's subject; 0 is no limit.
    pub max_sub_tokens: u8,
    /// Longest control line, without its verb.
    pub max_control_line: u32,
    /// Largest message, headers included.
    pub max_payload: u32,
    /// Most bytes waiting for one connection.
    pub max_pending: u64,
    /// Entries kept of closed connections.
    pub max_closed_clients: usize,
}

/// What a write past its deadline leads to (`write_timeout`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WriteTimeout {
    /// Close for clients, retry for links between servers.
    #[default]
    Default,
    /// Close the connection.
    Close,
    /// Keep it if some bytes went out.
    Retry,
}

/// Pings, deadlines and reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timing {
    /// `ping_interval`.
    pub ping_interval: Duration,
    /// `ping_max`.
    pub ping_max: u32,
    /// `write_deadline`.
    pub write_deadline: Duration,
    /// `write_timeout`.
    pub write_timeout: WriteTimeout,
    /// `lame_duck_duration`.
    pub lame_duck_duration: Duration,
    /// `lame_duck_grace_period`.
    pub lame_duck_grace_period: Duration,
    /// `connect_error_reports`.
    pub connect_error_reports: u32,
    /// `reconnect_error_reports`.
    pub reconnect_error_reports: u32,
}

impl Timing {
    /// Of how many failures in a row to reach another server one is logged; `again` if it was reached before.
    // spec: CFG-067 CFG-068
    #[must_use]
    pub fn error_reports(&self, again: bool) -> u32 {
        if again { self.reconnect_error_reports } else { self.connect_error_reports }
    }
}

/// Behaviour that is on or off.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[expect(clippy::struct_excessive_bools, reason = "these are switches")]
pub struct Switches {
    /// `no_header_support`.
    pub no_header_support: bool,
    /// `disable_sublist_cache`.
    pub disable_sublist_cache: bool,
    /// `no_fast_producer_stall`.
    pub no_fast_producer_stall: bool,
    /// `proxy_protocol`.
    pub proxy_protocol: bool,
    /// `allow_non_tls`.
    pub allow_non_tls: bool,
    /// `no_system_account`.
    pub no_system_account: bool,
    /// The early first ping is left out (embedding only, CORE-084).
    pub disable_short_first_ping: bool,
    /// Every INFO carries a nonce (embedding only).
    pub always_enable_nonce: bool,
}

/// The monitoring listener.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Monitoring {
    /// Interface; the client listener's when empty.
    pub host: String,
    /// Plain port; 0 is off, -1 a free one.
    pub http_port: i32,
    /// TLS port; 0 is off, -1 a free one.
    pub https_port: i32,
    /// `http_base_path` as it was written; see [`Monitoring::root`].
    pub base_path: String,
    /// Martlet's own: user and password asked of every monitoring request (`http_user`, `http_password`).
    pub basic_auth: Option<(String, String)>,
    /// `prof_port`.
    pub prof_port: i32,
}

impl Monitoring {
    /// What the path of every page begins with: empty, or starting with `/` and not ending with it.
    // spec: CFG-047
    pub fn root(&self) -> String {
        let root = clean(&self.base_path, true);
        if root == "/" { String::new() } else { root }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            config_file: None,
            config_digest: String::new(),
            server_name: None,
            host: "0.0.0.0".into(),
            port: 4222,
            dont_listen: false,
            client_advertise: None,
            server_tags: Vec::new(),
            server_metadata: BTreeMap::new(),
            feature_flags: BTreeMap::new(),
            limits: Limits::default(),
            timing: Timing::default(),
            switches: Switches::default(),
            monitoring: Monitoring::default(),
            log: LogOptions::default(),
            pid_file: None,
            ports_file_dir: None,
            tls: None,
            authorization: Authorization::default(),
            accounts: Vec::new(),
            system_account: None,
            mappings: Vec::new(),
            no_auth_user: None,
            trusted_proxies: Vec::new(),
            cluster_name: None,
            cluster: None,
            gateway: None,
            leafnodes: None,
            jetstream: None,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_connections: 65_536,
            max_subscriptions: 0,
            max_sub_tokens: 0,
            max_control_line: 4_096,
            max_payload: 1_048_576,
            max_pending: 67_108_864,
            max_closed_clients: 10_000,
        }
    }
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            ping_interval: Duration::from_mins(2),
            ping_max: 2,
            write_deadline: Duration::from_secs(10),
            write_timeout: WriteTimeout::Default,
            lame_duck_duration: Duration::from_mins(2),
            lame_duck_grace_period: Duration::from_secs(10),
            connect_error_reports: 3_600,
            reconnect_error_reports: 1,
        }
    }
}
