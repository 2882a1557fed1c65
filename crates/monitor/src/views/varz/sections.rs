//! The sections of `/varz`. On the wire they are one flat object; the order of sections and fields is the reference's.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

use serde::Serialize;

use super::seconds;
use crate::process::Usage;
use crate::snapshot::{ByKind, DiskWaits, Identity, Listen, RouteSnapshot, ServerCounters, ServerSettings};
use crate::views::ProxyInfo;
use crate::views::format::{Number, Timestamp, between, is_default, is_false, nanos, uptime};

/// The toolchain this was built for.
const TOOLCHAIN: &str = concat!("rust", env!("CARGO_PKG_RUST_VERSION"));

/// What the server is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct About {
    pub(crate) server_id: String,
    pub(crate) server_name: String,
    pub(crate) version: String,
    pub(crate) proto: u32,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) git_commit: String,
    /// The toolchain; the field keeps the name that tools read.
    pub(crate) go: &'static str,
}

impl About {
    pub(super) fn new(of: &Identity) -> Self {
        Self {
            server_id: of.id.clone(),
            server_name: of.name.clone(),
            version: of.version.clone(),
            proto: of.proto,
            git_commit: of.git_commit.clone(),
            go: TOOLCHAIN,
        }
    }
}

/// Where clients come in, and what is asked of them.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Clients {
    pub(crate) host: String,
    pub(crate) port: i64,
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) auth_required: bool,
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) tls_required: bool,
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) tls_verify: bool,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) ip: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) connect_urls: Vec<String>,
}

impl Clients {
    pub(super) fn new(listen: &Listen, settings: &ServerSettings) -> Self {
        let tls = settings.tls.unwrap_or_default();
        Self {
            host: listen.host.clone(),
            port: listen.port,
            auth_required: settings.auth_required,
            tls_required: tls.required,
            tls_verify: tls.verify,
            ip: listen.ip.clone(),
            connect_urls: listen.connect_urls.clone(),
        }
    }
}

/// What connections may, and how it is seen that they live.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Sessions {
    pub(crate) max_connections: i64,
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) max_subscriptions: u32,
    pub(crate) ping_interval: u64,
    pub(crate) ping_max: u32,
}

impl Sessions {
    pub(super) fn new(settings: &ServerSettings) -> Self {
        Self {
            max_connections: settings.max_connections,
            max_subscriptions: settings.max_subscriptions,
            ping_interval: nanos(settings.ping_interval),
            ping_max: settings.ping_max,
        }
    }
}

/// Where this is read.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Monitoring {
    pub(crate) http_host: String,
    pub(crate) http_port: i32,
    pub(crate) http_base_path: String,
    pub(crate) https_port: i32,
}

impl Monitoring {
    pub(super) fn new(listen: &Listen, settings: &ServerSettings) -> Self {
        Self {
            http_host: listen.http_host.clone(),
            http_port: listen.http_port,
            http_base_path: settings.http_base_path.clone(),
            https_port: listen.https_port,
        }
    }
}

/// The bounds of what a client sends and is sent.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Limits {
    pub(crate) auth_timeout: Number,
    pub(crate) max_control_line: u32,
    pub(crate) max_payload: u32,
    pub(crate) max_pending: u64,
}

impl Limits {
    pub(super) fn new(settings: &ServerSettings) -> Self {
        Self {
            auth_timeout: seconds(settings.auth_timeout),
            max_control_line: settings.max_control_line,
            max_payload: settings.max_payload,
            max_pending: settings.max_pending,
        }
    }
}

/// How long the other side may take.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Writing {
    pub(crate) tls_timeout: Number,
    pub(crate) write_deadline: u64,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) write_timeout: String,
}

impl Writing {
    pub(super) fn new(settings: &ServerSettings) -> Self {
        Self {
            tls_timeout: seconds(settings.tls_timeout),
            write_deadline: nanos(settings.write_deadline),
            write_timeout: settings.write_timeout.clone(),
        }
    }
}

/// The process, and what it uses.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Process {
    pub(crate) start: Timestamp,
    pub(crate) now: Timestamp,
    pub(crate) uptime: String,
    pub(crate) mem: u64,
    pub(crate) cores: u32,
    /// Threads that may run at once.
    pub(crate) gomaxprocs: u32,
    /// The memory limit of the container, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) gomemlimit: Option<u64>,
    pub(crate) cpu: Number,
}

impl Process {
    pub(super) fn new(start: SystemTime, now: SystemTime, usage: &Usage) -> Self {
        Self {
            start: Timestamp(start),
            now: Timestamp(now),
            uptime: uptime(between(start, now)),
            mem: usage.resident_bytes,
            cores: usage.cores,
            gomaxprocs: usage.parallelism,
            gomemlimit: usage.memory_limit_bytes,
            cpu: Number(usage.cpu_percent),
        }
    }
}

/// What there is and has been.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Traffic {
    pub(crate) connections: u64,
    pub(crate) total_connections: u64,
    pub(crate) routes: u64,
    pub(crate) remotes: u64,
    pub(crate) leafnodes: u64,
    pub(crate) in_msgs: u64,
    pub(crate) in_bytes: u64,
    pub(crate) in_client_msgs: u64,
    pub(crate) in_client_bytes: u64,
    pub(crate) out_msgs: u64,
    pub(crate) out_bytes: u64,
    pub(crate) out_client_msgs: u64,
    pub(crate) out_client_bytes: u64,
    pub(crate) slow_consumers: u64,
    pub(crate) stale_connections: u64,
    pub(crate) stalled_clients: u64,
    pub(crate) subscriptions: u64,
}

impl Traffic {
    pub(super) fn new(counters: &ServerCounters, routes: &[RouteSnapshot]) -> Self {
        let remotes: BTreeSet<_> = routes.iter().map(|route| route.remote_id.as_str()).collect();
        Self {
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
        }
    }
}

/// The configuration, and what it calls the server.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Configured {
    pub(crate) config_load_time: Timestamp,
    pub(crate) config_digest: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) tags: Vec<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) metadata: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) feature_flags: BTreeMap<String, bool>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) system_account: String,
}

impl Configured {
    pub(super) fn new(settings: &ServerSettings, identity: &Identity) -> Self {
        Self {
            config_load_time: Timestamp(settings.config_load_time),
            config_digest: settings.config_digest.clone(),
            tags: settings.tags.clone(),
            metadata: settings.metadata.clone(),
            feature_flags: settings.feature_flags.clone(),
            system_account: identity.system_account.clone(),
        }
    }
}

/// What went wrong or was waited for, by kind.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Trouble {
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) pinned_account_fails: u64,
    pub(crate) slow_consumer_stats: KindStats,
    pub(crate) stale_connection_stats: KindStats,
    pub(crate) disk_io_wait_stats: DiskIoWaitStats,
}

impl Trouble {
    pub(super) fn new(counters: &ServerCounters, disk_waits: DiskWaits) -> Self {
        Self {
            pinned_account_fails: counters.pinned_account_fails,
            slow_consumer_stats: counters.slow_consumers.into(),
            stale_connection_stats: counters.stale_connections.into(),
            disk_io_wait_stats: disk_waits.into(),
        }
    }
}

/// One number for each kind of connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct KindStats {
    pub(crate) clients: u64,
    pub(crate) routes: u64,
    pub(crate) gateways: u64,
    pub(crate) leafs: u64,
}

impl From<ByKind> for KindStats {
    fn from(kinds: ByKind) -> Self {
        Self { clients: kinds.clients, routes: kinds.routes, gateways: kinds.gateways, leafs: kinds.leafs }
    }
}

/// Waiting for the disk; a server without streams never does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub(crate) struct DiskIoWaitStats {
    pub(crate) waiters: u64,
    pub(crate) waits: u64,
    pub(crate) wait_time: u64,
    pub(crate) max_wait_time: u64,
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
pub(crate) struct Proxies {
    /// Those that may vouch for clients.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) trusted: Vec<ProxyInfo>,
}

impl Proxies {
    pub(super) fn new(keys: Vec<String>) -> Self {
        Self { trusted: keys.into_iter().map(|key| ProxyInfo { key }).collect() }
    }
}
