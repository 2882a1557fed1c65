//! One thing that a reload changed.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use super::format::{bytes, compression, seconds};
use crate::duration;
use crate::options::{Compression, HandshakeFirst, LeafRemote, LinkUrl};

/// What a running server has to do. The new value is in the new options too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Tell clients another address.
    ClientAdvertise(Option<String>),
    /// Log what clients send and get.
    Trace(bool),
    /// Log debug entries.
    Debug(bool),
    /// Trace the system account too.
    TraceVerbose(bool),
    /// Trace headers without payloads.
    TraceHeaders(bool),
    /// Begin log entries with the time.
    LogTime(bool),
    /// In UTC.
    LogTimeUtc(bool),
    /// Close what is above the limit; -1 refuses everyone.
    MaxConnections(i64),
    /// Users with nkeys changed.
    NkeyUsers,
    /// Check every connection against the users again. Always there.
    Users,
    /// Take on the accounts again. Always there, after [`Change::Users`].
    Accounts,
    /// The single user's name changed.
    UserName,
    /// The single user's password changed.
    Password,
    /// The single token changed.
    Token,
    /// How often to ping.
    PingInterval(Duration),
    /// How many pings may be unanswered.
    PingMax(u32),
    /// How long a client has for its CONNECT.
    AuthTimeout(Duration),
    /// The longest control line, also of open connections.
    MaxControlLine(u32),
    /// The largest message, also of open connections, which are sent a new INFO.
    MaxPayload(u32),
    /// Drop instead of stalling producers.
    NoFastProducerStall(bool),
    /// The cluster is another one: its name, which mappings may be bound to, or its options.
    Cluster(Box<ClusterChange>),
    /// Connect to these servers of the cluster, and no longer to those.
    Routes {
        /// The new ones.
        added: Vec<LinkUrl>,
        /// Close their connections and do not connect again.
        removed: Vec<LinkUrl>,
    },
    /// New gateway connections follow the TLS options, whose files may hold something new.
    GatewayTls {
        /// Close connections whose certificate is not in the set.
        pinned_certs: bool,
    },
    /// New leaf node connections follow the TLS options, whose files may hold something new.
    LeafTls,
    /// TLS before INFO for leaf nodes that connect here.
    LeafTlsHandshakeFirst(bool),
    /// How long to wait for TLS before INFO is sent after all; zero is forever.
    LeafTlsHandshakeFirstFallback(Duration),
    /// Compress connections of leaf nodes that connected here in another way.
    LeafCompression(Compression),
    /// A server that this one is a leaf node of: as the new options have it, or had it when it is removed.
    LeafRemote(Box<LeafRemote>, LeafRemoteChange),
    /// `JetStream` may use so many bytes of memory.
    JetStreamMaxMemory(u64),
    /// `JetStream` may use so many bytes of disk.
    JetStreamMaxFile(u64),
    /// Streams are served, or no longer.
    JetStream(bool),
    /// The bounds of streams and consumers.
    JetStreamLimits,
    /// Write the pid file there.
    PidFile(Option<PathBuf>),
    /// Remove the ports file here and write it there.
    PortsFileDir {
        /// Where it is.
        old: Option<PathBuf>,
        /// Where it belongs.
        new: Option<PathBuf>,
    },
    /// Log to that file, or to standard error again.
    LogFile(Option<PathBuf>),
    /// Log to this machine's syslog, or no longer.
    Syslog(bool),
    /// Log to a syslog elsewhere; empty is no longer.
    RemoteSyslog(String),
    /// Log as JSON, or as text.
    LogFormat {
        /// As JSON.
        json: bool,
    },
    /// How long a TLS handshake may take.
    TlsTimeout(Duration),
    /// New handshakes follow other rules, or TLS is on or off.
    Tls {
        /// Whether TLS is on now.
        enabled: bool,
    },
    /// TLS options are the same; read the certificate files again.
    TlsCertificates,
    /// Close connections whose certificate is not in the set.
    TlsPinnedCerts(Vec<String>),
    /// TLS before INFO.
    TlsHandshakeFirst(bool),
    /// How long to wait for TLS before INFO is sent after all; zero is forever.
    TlsHandshakeFirstFallback(Duration),
    /// How long a write may take.
    WriteDeadline(Duration),
    /// Where traced messages are cut; 0 is nowhere.
    MaxTracedMsgLen(usize),
    /// How often failures of a first connect are logged.
    ConnectErrorReports(u32),
    /// How often failures of a reconnect are logged.
    ReconnectErrorReports(u32),
    /// Tags of the server.
    Tags,
    /// Metadata of the server.
    Metadata,
    /// Close connections that came through these proxies.
    ProxiesRemoved(Vec<String>),
    /// Trust these proxies.
    ProxiesAdded(Vec<String>),
}

/// What is another about the cluster. Everything else of it is read from the new options when it is used.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each stands for a part of the block")]
pub struct ClusterChange {
    /// Its new name; `None` keeps the one it goes by.
    pub name: Option<String>,
    /// What may pass: tell the peers, and take back what may not.
    pub permissions: bool,
    /// How it is compressed: compress otherwise, or close what has to be negotiated.
    pub compression: bool,
    /// How many routes there are to each peer: close them all.
    pub pool_size: bool,
    /// Accounts that get routes of their own.
    pub accounts_added: Vec<String>,
    /// Accounts that lose theirs.
    pub accounts_removed: Vec<String>,
    /// New routes follow the TLS options, whose files may hold something new.
    pub tls: bool,
    /// Close routes whose certificate is not in the set.
    pub pinned_certs: bool,
}

/// What is another about a server that this one is a leaf node of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeafRemoteChange {
    /// Connect to it.
    Added,
    /// Close the connection and do not connect again.
    Removed,
    /// New connections follow its TLS options, whose files may hold something new.
    Tls,
    /// TLS before INFO, or no longer.
    HandshakeFirst,
    /// Compress its connection in another way.
    Compression,
    /// Connect to it, or no longer.
    Disabled,
}

/// The line for `what` of a remote.
fn remote_report(remote: &LeafRemote, what: LeafRemoteChange) -> Option<String> {
    let value = match what {
        LeafRemoteChange::Added | LeafRemoteChange::Tls => return None,
        LeafRemoteChange::Removed => "removed".into(),
        LeafRemoteChange::HandshakeFirst => {
            let first = remote.tls.as_ref().is_some_and(|tls| tls.handshake_first != HandshakeFirst::Off);
            format!("TLS HandshakeFirst value is: {first}")
        }
        LeafRemoteChange::Compression => format!("Compression value is: {}", compression(&remote.compression)),
        LeafRemoteChange::Disabled => format!("Disabled value is: {}", remote.disabled),
    };
    Some(format!("Reloaded: LeafNode Remote {remote} {value}"))
}

impl Change {
    /// Whether the logger has to be set up again.
    pub fn is_logging(&self) -> bool {
        matches!(
            self,
            Self::Trace(_)
                | Self::Debug(_)
                | Self::TraceVerbose(_)
                | Self::TraceHeaders(_)
                | Self::LogTime(_)
                | Self::LogTimeUtc(_)
                | Self::LogFile(_)
                | Self::Syslog(_)
                | Self::RemoteSyslog(_)
                | Self::LogFormat { .. }
        )
    }

    /// The line that reports it, where there is one.
    #[must_use]
    pub fn report(&self) -> Option<String> {
        let path = |path: &Option<PathBuf>| path.as_ref().map(|p| p.display().to_string()).unwrap_or_default();
        let text = match self {
            // The reference has it without the "ed".
            Self::ClientAdvertise(address) => {
                return Some(format!("Reload: client_advertise = {}", address.as_deref().unwrap_or_default()));
            }
            Self::PidFile(None) | Self::TlsCertificates | Self::LeafTls | Self::GatewayTls { .. } => return None,
            Self::LeafRemote(remote, what) => return remote_report(remote, *what),
            Self::Trace(on) => format!("trace = {on}"),
            Self::Debug(on) => format!("debug = {on}"),
            Self::TraceVerbose(on) => format!("trace_verbose = {on}"),
            Self::TraceHeaders(on) => format!("trace_headers = {on}"),
            Self::LogTime(on) => format!("logtime = {on}"),
            Self::LogTimeUtc(on) => format!("logtime_utc = {on}"),
            Self::MaxConnections(max) => format!("max_connections = {max}"),
            Self::NkeyUsers => "authorization nkey users".into(),
            Self::Users => "authorization users".into(),
            Self::Accounts => "accounts".into(),
            Self::UserName => "authorization username".into(),
            Self::Password => "authorization password".into(),
            Self::Token => "authorization token".into(),
            Self::PingInterval(interval) => format!("ping_interval = {}", duration::format(*interval)),
            Self::PingMax(max) => format!("ping_max = {max}"),
            Self::AuthTimeout(timeout) => format!("authorization timeout = {}", seconds(*timeout)),
            Self::MaxControlLine(max) => format!("max_control_line = {max}"),
            Self::MaxPayload(max) => format!("max_payload = {max}"),
            Self::NoFastProducerStall(true) => "fast producers will not be stalled".into(),
            Self::NoFastProducerStall(false) => "fast producers will be stalled".into(),
            Self::Cluster(_) => "cluster".into(),
            Self::Routes { .. } => "cluster routes".into(),
            Self::LeafTlsHandshakeFirst(on) => format!("LeafNode TLS HandshakeFirst value is: {on}"),
            Self::LeafTlsHandshakeFirstFallback(delay) => {
                format!("LeafNode TLS HandshakeFirstFallback value is: {}", duration::format(*delay))
            }
            Self::LeafCompression(mode) => format!("LeafNode Compression value is: {}", compression(mode)),
            Self::JetStreamMaxMemory(size) => format!("JetStream max_mem_store = {}", bytes(*size)),
            Self::JetStreamMaxFile(size) => format!("JetStream max_file_store = {}", bytes(*size)),
            Self::JetStream(_) => "JetStream".into(),
            Self::JetStreamLimits => "JetStream limits".into(),
            Self::PidFile(file @ Some(_)) => format!("pid_file = {}", path(file)),
            Self::PortsFileDir { new, .. } => format!("ports_file_dir = {}", path(new)),
            Self::LogFile(file) => format!("log_file = {}", path(file)),
            Self::Syslog(on) => format!("syslog = {on}"),
            Self::RemoteSyslog(address) => format!("remote_syslog = {address}"),
            Self::LogFormat { json } => format!("log_format = {}", if *json { "json" } else { "text" }),
            Self::TlsTimeout(timeout) => format!("tls timeout = {}", seconds(*timeout)),
            Self::Tls { enabled } => format!("tls = {}", if *enabled { "enabled" } else { "disabled" }),
            Self::TlsPinnedCerts(pinned) => format!("{} pinned_certs", pinned.len()),
            Self::TlsHandshakeFirst(on) => format!("Client TLS handshake first: {on}"),
            Self::TlsHandshakeFirstFallback(delay) => {
                format!("Client TLS handshake first fallback delay: {}", duration::format(*delay))
            }
            Self::WriteDeadline(deadline) => format!("write_deadline = {}", duration::format(*deadline)),
            Self::MaxTracedMsgLen(len) => format!("max_traced_msg_len = {len}"),
            Self::ConnectErrorReports(every) => format!("connect_error_reports = {every}"),
            Self::ReconnectErrorReports(every) => format!("reconnect_error_reports = {every}"),
            Self::Tags => "tags".into(),
            Self::Metadata => "metadata".into(),
            Self::ProxiesRemoved(keys) => format!("proxies trusted keys {} were removed", quoted(keys)),
            Self::ProxiesAdded(keys) => format!("proxies trusted keys {} were added", quoted(keys)),
        };
        Some(format!("Reloaded: {text}"))
    }
}

/// `["a" "b"]`
fn quoted(keys: &[String]) -> String {
    let mut text = String::from("[");
    for (i, key) in keys.iter().enumerate() {
        let space = if i == 0 { "" } else { " " };
        // Writing to a string does not fail.
        let _ = write!(text, "{space}{key:?}");
    }
    text.push(']');
    text
}
