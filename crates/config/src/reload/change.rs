//! One thing that a reload changed.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::format::{bytes, compression, seconds};
use crate::duration;
use crate::options::{Compression, HandshakeFirst, LeafRemote, LinkUrl};

/// What a running server has to do. The new value is in the new options too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Tell clients another address.
    ClientAdvertise(Option<String>),
    /// What is logged, and where to.
    Logging(LoggingChange),
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
    /// Leaf nodes that connect here, or a server that this one is a leaf node of.
    Leaf(LeafChange),
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
    /// TLS of clients.
    Tls(TlsChange),
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

/// What is another about logging.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoggingChange {
    /// Log what clients send and get.
    Trace(bool),
    /// Log debug entries.
    Debug(bool),
    /// Trace the system account too.
    TraceVerbose(bool),
    /// Trace headers without payloads.
    TraceHeaders(bool),
    /// Begin log entries with the time.
    Time(bool),
    /// In UTC.
    TimeUtc(bool),
    /// Log to that file, or to standard error again.
    File(Option<PathBuf>),
    /// Log to this machine's syslog, or no longer.
    Syslog(bool),
    /// Log to a syslog elsewhere; empty is no longer.
    RemoteSyslog(String),
    /// Log as JSON, or as text.
    Format {
        /// As JSON.
        json: bool,
    },
}

/// What is another about TLS of clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TlsChange {
    /// How long a handshake may take.
    Timeout(Duration),
    /// New handshakes follow other rules, or TLS is on or off.
    Rules {
        /// Whether TLS is on now.
        enabled: bool,
    },
    /// The options are the same; read the certificate files again.
    Certificates,
    /// Close connections whose certificate is not in the set.
    PinnedCerts(Vec<String>),
    /// TLS before INFO.
    HandshakeFirst(bool),
    /// How long to wait for TLS before INFO is sent after all; zero is forever.
    HandshakeFirstFallback(Duration),
}

/// What is another about leaf nodes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LeafChange {
    /// New connections follow the TLS options, whose files may hold something new.
    Tls,
    /// TLS before INFO for leaf nodes that connect here.
    HandshakeFirst(bool),
    /// How long to wait for TLS before INFO is sent after all; zero is forever.
    HandshakeFirstFallback(Duration),
    /// Compress connections of leaf nodes that connected here in another way.
    Compression(Compression),
    /// A server that this one is a leaf node of: as the new options have it, or had it when it is removed.
    Remote(Box<LeafRemote>, LeafRemoteChange),
}

impl From<LoggingChange> for Change {
    fn from(change: LoggingChange) -> Self {
        Self::Logging(change)
    }
}

impl From<TlsChange> for Change {
    fn from(change: TlsChange) -> Self {
        Self::Tls(change)
    }
}

impl From<LeafChange> for Change {
    fn from(change: LeafChange) -> Self {
        Self::Leaf(change)
    }
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

impl Change {
    /// The line that reports it, where there is one.
    #[must_use]
    pub fn report(&self) -> Option<String> {
        let text = match self {
            // The reference has it without the "ed".
            Self::ClientAdvertise(address) => {
                return Some(format!("Reload: client_advertise = {}", address.as_deref().unwrap_or_default()));
            }
            Self::PidFile(None) | Self::GatewayTls { .. } => return None,
            Self::Logging(change) => change.text(),
            Self::Leaf(change) => change.text()?,
            Self::Tls(change) => change.text()?,
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
            Self::JetStreamMaxMemory(size) => format!("JetStream max_mem_store = {}", bytes(*size)),
            Self::JetStreamMaxFile(size) => format!("JetStream max_file_store = {}", bytes(*size)),
            Self::JetStream(_) => "JetStream".into(),
            Self::JetStreamLimits => "JetStream limits".into(),
            Self::PidFile(Some(file)) => format!("pid_file = {}", file.display()),
            Self::PortsFileDir { new, .. } => format!("ports_file_dir = {}", path(new.as_deref())),
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

impl LoggingChange {
    fn text(&self) -> String {
        match self {
            Self::Trace(on) => format!("trace = {on}"),
            Self::Debug(on) => format!("debug = {on}"),
            Self::TraceVerbose(on) => format!("trace_verbose = {on}"),
            Self::TraceHeaders(on) => format!("trace_headers = {on}"),
            Self::Time(on) => format!("logtime = {on}"),
            Self::TimeUtc(on) => format!("logtime_utc = {on}"),
            Self::File(file) => format!("log_file = {}", path(file.as_deref())),
            Self::Syslog(on) => format!("syslog = {on}"),
            Self::RemoteSyslog(address) => format!("remote_syslog = {address}"),
            Self::Format { json } => format!("log_format = {}", if *json { "json" } else { "text" }),
        }
    }
}

impl TlsChange {
    fn text(&self) -> Option<String> {
        Some(match self {
            Self::Certificates => return None,
            Self::Timeout(timeout) => format!("tls timeout = {}", seconds(*timeout)),
            Self::Rules { enabled } => format!("tls = {}", if *enabled { "enabled" } else { "disabled" }),
            Self::PinnedCerts(pinned) => format!("{} pinned_certs", pinned.len()),
            Self::HandshakeFirst(on) => format!("Client TLS handshake first: {on}"),
            Self::HandshakeFirstFallback(delay) => {
                format!("Client TLS handshake first fallback delay: {}", duration::format(*delay))
            }
        })
    }
}

impl LeafChange {
    fn text(&self) -> Option<String> {
        Some(match self {
            Self::Tls => return None,
            Self::HandshakeFirst(on) => format!("LeafNode TLS HandshakeFirst value is: {on}"),
            Self::HandshakeFirstFallback(delay) => {
                format!("LeafNode TLS HandshakeFirstFallback value is: {}", duration::format(*delay))
            }
            Self::Compression(mode) => format!("LeafNode Compression value is: {}", compression(mode)),
            Self::Remote(remote, what) => format!("LeafNode Remote {remote} {}", what.text(remote)?),
        })
    }
}

impl LeafRemoteChange {
    fn text(self, remote: &LeafRemote) -> Option<String> {
        Some(match self {
            Self::Added | Self::Tls => return None,
            Self::Removed => "removed".into(),
            Self::HandshakeFirst => {
                let first = remote.tls.as_ref().is_some_and(|tls| tls.handshake_first != HandshakeFirst::Off);
                format!("TLS HandshakeFirst value is: {first}")
            }
            Self::Compression => format!("Compression value is: {}", compression(&remote.compression)),
            Self::Disabled => format!("Disabled value is: {}", remote.disabled),
        })
    }
}

fn path(path: Option<&Path>) -> String {
    path.map(|path| path.display().to_string()).unwrap_or_default()
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
