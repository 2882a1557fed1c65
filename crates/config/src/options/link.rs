//! What routes, gateways and leaf nodes have in common besides addresses: logins and compression.

use std::time::Duration;

use super::{Secret, Tls};

/// Who a route or gateway has to be: what a peer must say, and what is said to a peer whose URL names nobody.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LinkLogin {
    /// The one user; `None` lets every peer in.
    pub user: Option<String>,
    /// Its password, plain or bcrypt.
    pub password: Option<Secret>,
    /// `timeout` of the peer's CONNECT; when unset 2 s, or the TLS timeout and 1 s.
    pub timeout: Option<Duration>,
}

impl LinkLogin {
    /// How long a peer has for its CONNECT.
    // spec: CFG-148 CFG-322
    #[must_use]
    pub fn connect_timeout(&self, tls: Option<&Tls>) -> Duration {
        connect_timeout(self.timeout, tls)
    }
}

/// As set, or 2 s, or with TLS one second more than its handshake has.
pub(super) fn connect_timeout(set: Option<Duration>, tls: Option<&Tls>) -> Duration {
    set.unwrap_or_else(|| tls.map_or(Duration::from_secs(2), |tls| tls.timeout + Duration::from_secs(1)))
}

/// How a link is compressed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Compression {
    /// As if this server could not.
    NotSupported,
    /// Not, though it could.
    Off,
    /// As the other side asks, or not at all.
    Accept,
    /// By round-trip time: up to the first threshold uncompressed, up to the second fast, then better, and best above
    /// the last. One to four thresholds; 0 leaves that level out.
    S2Auto(Vec<Duration>),
    /// The format of S2 without its work.
    S2Uncompressed,
    /// S2, fast.
    S2Fast,
    /// S2, better.
    S2Better,
    /// S2, best.
    S2Best,
}

impl Compression {
    /// `s2_auto` with its usual thresholds.
    // spec: CFG-164
    #[must_use]
    pub fn s2_auto() -> Self {
        Self::S2Auto([10, 50, 100].map(Duration::from_millis).to_vec())
    }

    /// The mode by the name it has on the wire and in monitoring.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::NotSupported => "not supported",
            Self::Off => "off",
            Self::Accept => "accept",
            Self::S2Auto(_) => "s2_auto",
            Self::S2Uncompressed => "s2_uncompressed",
            Self::S2Fast => "s2_fast",
            Self::S2Better => "s2_better",
            Self::S2Best => "s2_best",
        }
    }
}
