//! The `cluster` block: servers that are one to their clients.

use std::time::Duration;

use super::{Compression, LinkLogin, LinkUrl, SubjectPermission, Timing, Tls, WriteTimeout};

/// Routes are never pinged less often.
pub(crate) const ROUTE_MAX_PING_INTERVAL: Duration = Duration::from_secs(30);

/// A `cluster` block. Its name is [`Options::cluster_name`](super::Options::cluster_name); with none, and a port, the
/// server makes one up and settles on one with its peers.
#[derive(Debug, Clone, PartialEq)]
pub struct Cluster {
    /// Interface of the route listener.
    pub host: String,
    /// Port of the route listener; -1 asks for a free one, 0 is no cluster at all: then routes are not dialled either.
    pub port: i32,
    /// `authorization` of routes.
    pub login: LinkLogin,
    /// What interest may pass; `None` is all.
    pub permissions: Option<LinkPermissions>,
    /// `tls` of both sides; certificates are always asked for.
    pub tls: Option<Tls>,
    /// Servers to connect to.
    pub routes: Vec<LinkUrl>,
    /// `host[:port]` told to other servers instead of the listener's own address.
    pub advertise: Option<String>,
    /// Clients are not told of the cluster's other servers.
    pub no_advertise: bool,
    /// How often to try again a route that was learned of and not configured.
    pub connect_retries: u32,
    /// Wait longer after every failure, 1 s to 30 s, instead of 1 s.
    pub connect_backoff: bool,
    /// Connections to each peer for accounts that have none of their own; below 0 one unpooled route as before 2.10.
    pub pool_size: i32,
    /// Accounts with a connection of their own to each peer, without the system account, which has one too:
    /// [`Options::pinned_accounts`](super::Options::pinned_accounts) has all.
    pub accounts: Vec<String>,
    /// `compression`.
    pub compression: Compression,
    /// `ping_interval`; the server's when unset, never above 30 s.
    pub ping_interval: Option<Duration>,
    /// `ping_max`; the server's when unset.
    pub ping_max: Option<u32>,
    /// `write_deadline`; the server's when unset.
    pub write_deadline: Option<Duration>,
    /// `write_timeout`.
    pub write_timeout: WriteTimeout,
}

/// What interest a server sends (`import`) and takes (`export`) over a route.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LinkPermissions {
    /// Subjects this server may ask its peers for.
    pub import: SubjectPermission,
    /// Subjects its peers may ask this server for.
    pub export: SubjectPermission,
}

impl Cluster {
    /// How often routes are pinged, and how many pings may be unanswered.
    // spec: CFG-159 CFG-160
    #[must_use]
    pub fn ping(&self, server: &Timing) -> (Duration, u32) {
        let interval = self.ping_interval.unwrap_or(server.ping_interval).min(ROUTE_MAX_PING_INTERVAL);
        (interval, self.ping_max.unwrap_or(server.ping_max))
    }

    /// Whether there is a cluster: without a listener nothing of the block is used but its name.
    #[must_use]
    pub fn listens(&self) -> bool {
        self.port != 0
    }
}

impl Default for Cluster {
    fn default() -> Self {
        Self {
            host: "0.0.0.0".into(),
            port: 0,
            login: LinkLogin::default(),
            permissions: None,
            tls: None,
            routes: Vec::new(),
            advertise: None,
            no_advertise: false,
            connect_retries: 0,
            connect_backoff: false,
            pool_size: 3,
            accounts: Vec::new(),
            compression: Compression::Accept,
            ping_interval: None,
            ping_max: None,
            write_deadline: None,
            write_timeout: WriteTimeout::Default,
        }
    }
}
