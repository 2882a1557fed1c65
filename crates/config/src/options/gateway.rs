//! The `gateway` block: clusters that are one to their clients.

use std::time::Duration;

use super::{LinkLogin, LinkUrl, Tls, WriteTimeout};

/// A `gateway` block.
#[derive(Debug, Clone, PartialEq)]
pub struct Gateway {
    /// The name of this cluster among clusters; it is the cluster's name too.
    pub name: String,
    /// Interface of the gateway listener.
    pub host: String,
    /// Port of the gateway listener; -1 asks for a free one.
    pub port: i32,
    /// `authorization` of gateways.
    pub login: LinkLogin,
    /// `tls` of both sides; certificates are always asked for.
    pub tls: Option<Tls>,
    /// `host[:port]` told to other servers instead of the listener's own address.
    pub advertise: Option<String>,
    /// How often to try again a gateway that was learned of and not configured.
    pub connect_retries: u32,
    /// Wait longer after every failure, 1 s to 30 s, instead of 1 s.
    pub connect_backoff: bool,
    /// Refuse clusters that are not in `remotes`.
    pub reject_unknown: bool,
    /// `write_deadline`; the server's when unset.
    pub write_deadline: Option<Duration>,
    /// `write_timeout`.
    pub write_timeout: WriteTimeout,
    /// `gateways`: clusters to connect to. The entry of this cluster itself is left in, and is not connected to.
    pub remotes: Vec<RemoteGateway>,
}

/// A cluster to connect to.
#[derive(Debug, Clone, PartialEq)]
pub struct RemoteGateway {
    /// Its name.
    pub name: String,
    /// Servers of it.
    pub urls: Vec<LinkUrl>,
    /// `tls` towards it; the gateway's when unset.
    pub tls: Option<Tls>,
}

impl Default for Gateway {
    fn default() -> Self {
        Self {
            name: String::new(),
            host: "0.0.0.0".into(),
            port: 0,
            login: LinkLogin::default(),
            tls: None,
            advertise: None,
            connect_retries: 0,
            connect_backoff: false,
            reject_unknown: false,
            write_deadline: None,
            write_timeout: WriteTimeout::Default,
            remotes: Vec::new(),
        }
    }
}
