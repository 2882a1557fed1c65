//! The `leafnodes` block: servers that extend this one, and servers that this one extends.

use std::fmt;
use std::time::Duration;

use super::link::connect_timeout;
use super::{Compression, LinkUrl, Secret, Tls, WriteTimeout};

/// A `leafnodes` block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeafNodes {
    /// Interface of the leaf node listener.
    pub host: String,
    /// Port of the leaf node listener; -1 asks for a free one, 0 is no listener.
    pub port: i32,
    /// `authorization` of those that connect here.
    pub authorization: LeafAuthorization,
    /// `tls` of the listener.
    pub tls: Option<Tls>,
    /// `host[:port]` told to leaf nodes instead of the listener's own address.
    pub advertise: Option<String>,
    /// Leaf nodes are not told of other servers.
    pub no_advertise: bool,
    /// `compression` of those that connect here.
    pub compression: Compression,
    /// The oldest version that may connect here.
    pub min_version: Option<LeafVersion>,
    /// `reconnect`: pause between two attempts.
    pub reconnect: Duration,
    /// `dial_timeout` of remotes that have none of their own.
    pub dial_timeout: Duration,
    /// Interest of one leaf node is not told to others.
    pub isolate: bool,
    /// `write_deadline`; the server's when unset.
    pub write_deadline: Option<Duration>,
    /// `write_timeout`.
    pub write_timeout: WriteTimeout,
    /// Servers to connect to.
    pub remotes: Vec<LeafRemote>,
}

/// Who may connect as a leaf node: the one user or nkey, one of `users`, or anyone the accounts know.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LeafAuthorization {
    /// The single user.
    pub user: Option<String>,
    /// Its password, plain or bcrypt.
    pub password: Option<Secret>,
    /// The single public user nkey.
    pub nkey: Option<String>,
    /// The account of the single user or nkey, and of leaf nodes that need no login; the global one when unset.
    pub account: Option<String>,
    /// `timeout` of the CONNECT; when unset 2 s, or the TLS timeout and 1 s.
    pub timeout: Option<Duration>,
    /// Only through a trusted proxy.
    pub proxy_required: bool,
    /// `users`.
    pub users: Vec<LeafUser>,
}

impl LeafAuthorization {
    /// How long a leaf node has for its CONNECT.
    // spec: CFG-341
    #[must_use]
    pub fn connect_timeout(&self, tls: Option<&Tls>) -> Duration {
        connect_timeout(self.timeout, tls)
    }
}

/// A user of the leaf node listener alone.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LeafUser {
    /// The name.
    pub user: String,
    /// The password, plain or bcrypt.
    pub password: Secret,
    /// The account it is bound to; the global one when unset.
    pub account: Option<String>,
    /// Only through a trusted proxy.
    pub proxy_required: bool,
}

/// A version of a server: `2.8.0`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct LeafVersion {
    /// The first number.
    pub major: u32,
    /// The second.
    pub minor: u32,
    /// The third.
    pub patch: u32,
}

/// A server to connect to as its leaf node.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "these are switches")]
pub struct LeafRemote {
    /// Where it is; the servers of one cluster.
    pub urls: Vec<LinkUrl>,
    /// The local account that is extended; the global one when unset.
    pub account: Option<String>,
    /// `nkey`: the seed to prove oneself with.
    pub seed: Option<Secret>,
    /// `tls` towards it.
    pub tls: Option<Tls>,
    /// This side is the hub and the other one the leaf.
    pub hub: bool,
    /// Subject patterns that messages from there must not match.
    pub deny_imports: Vec<String>,
    /// Subject patterns that messages to there must not match.
    pub deny_exports: Vec<String>,
    /// Try `urls` in the order of the file.
    pub no_randomize: bool,
    /// Interest of other leaf nodes is not told to this one.
    pub isolate: bool,
    /// Ask the other side to do the same.
    pub request_isolation: bool,
    /// `compression`.
    pub compression: Compression,
    /// How long to wait for the other side's INFO.
    pub first_info_timeout: Duration,
    /// How long to wait for the connection; [`LeafNodes::dial_timeout`] when unset.
    pub dial_timeout: Option<Duration>,
    /// Configured, and not connected to.
    pub disabled: bool,
    /// Connect to `urls` only, not to servers they tell of.
    pub ignore_discovered_servers: bool,
}

impl LeafRemote {
    /// What tells two remotes apart: where, for whom and as whom.
    // spec: CFG-173
    #[must_use]
    pub fn identity(&self) -> (&[LinkUrl], &str, Option<&str>) {
        (&self.urls, self.account(), self.seed.as_ref().map(Secret::expose))
    }

    /// The local account by its name.
    #[must_use]
    pub fn account(&self) -> &str {
        self.account.as_deref().unwrap_or("$G")
    }
}

/// As messages call it, without secrets: `urls=["nats://h:7422"], account="$G"`.
impl fmt::Display for LeafRemote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("urls=[")?;
        for (i, url) in self.urls.iter().enumerate() {
            write!(f, "{}{url:?}", if i == 0 { "" } else { " " })?;
        }
        write!(f, "], account={:?}", self.account())?;
        if self.seed.is_some() { f.write_str(", nkey=\"[REDACTED]\"") } else { Ok(()) }
    }
}

impl fmt::Display for LeafVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

impl Default for LeafNodes {
    fn default() -> Self {
        Self {
            host: "0.0.0.0".into(),
            port: 0,
            authorization: LeafAuthorization::default(),
            tls: None,
            advertise: None,
            no_advertise: false,
            compression: Compression::s2_auto(),
            min_version: None,
            reconnect: Duration::from_secs(1),
            dial_timeout: Duration::from_secs(1),
            isolate: false,
            write_deadline: None,
            write_timeout: WriteTimeout::Default,
            remotes: Vec::new(),
        }
    }
}

impl Default for LeafRemote {
    fn default() -> Self {
        Self {
            urls: Vec::new(),
            account: None,
            seed: None,
            tls: None,
            hub: false,
            deny_imports: Vec::new(),
            deny_exports: Vec::new(),
            no_randomize: false,
            isolate: false,
            request_isolation: false,
            compression: Compression::s2_auto(),
            first_info_timeout: Duration::from_secs(1),
            dial_timeout: None,
            disabled: false,
            ignore_discovered_servers: false,
        }
    }
}
