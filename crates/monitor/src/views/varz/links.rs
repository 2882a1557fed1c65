//! What `/varz` says of links: the cluster, the gateway and leaf nodes.

use serde::Serialize;

use super::seconds;
use crate::snapshot::{ClusterSettings, GatewaySettings, LeafListener, LeafRemoteSettings, LeafSettings};
use crate::views::format::{Number, Timestamp, is_default, is_false, nanos};

/// The cluster the server belongs to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct ClusterOptions {
    /// Its name.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) name: String,
    /// The listener's interface.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) addr: String,
    /// The listener's port.
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) cluster_port: u16,
    /// Seconds that a member may take to say who it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) auth_timeout: Option<Number>,
    /// Configured members.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) urls: Vec<String>,
    /// Seconds that a TLS handshake may take.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tls_timeout: Option<Number>,
    /// Whether TLS is asked for.
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) tls_required: bool,
    /// Whether certificates are asked for.
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) tls_verify: bool,
    /// Connections to each member for accounts that share them.
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) pool_size: i32,
    /// Nanoseconds that a member may take to accept what is written.
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) write_deadline: u64,
    /// What happens then.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) write_timeout: String,
    /// When the certificate runs out.
    // spec: SEC-073
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tls_cert_not_after: Option<Timestamp>,
}

impl ClusterOptions {
    pub(super) fn new(name: String, settings: Option<ClusterSettings>) -> Self {
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
pub(crate) struct GatewayOptions {
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) host: String,
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) port: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) auth_timeout: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tls_timeout: Option<Number>,
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) tls_required: bool,
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) tls_verify: bool,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) advertise: String,
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) connect_retries: u32,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) gateways: Vec<RemoteGatewayOptions>,
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) reject_unknown: bool,
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) write_deadline: u64,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) write_timeout: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tls_cert_not_after: Option<Timestamp>,
}

/// A configured cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct RemoteGatewayOptions {
    /// Its name.
    pub(crate) name: String,
    /// Where it is.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) urls: Vec<String>,
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
pub(crate) struct LeafOptions {
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) host: String,
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) port: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) auth_timeout: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tls_timeout: Option<Number>,
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) tls_required: bool,
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) tls_verify: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) remotes: Vec<LeafRemoteOptions>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tls_cert_not_after: Option<Timestamp>,
}

/// A configured hub.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct LeafRemoteOptions {
    /// The account that is extended.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) local_account: String,
    /// Seconds that a TLS handshake may take.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tls_timeout: Option<Number>,
    /// Where it is.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) urls: Vec<String>,
    /// What does not pass.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) deny: Option<Denied>,
}

/// Subjects that do not pass.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Denied {
    /// To there.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) exports: Vec<String>,
    /// From there.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) imports: Vec<String>,
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
