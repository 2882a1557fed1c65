//! Links to other servers.

use std::time::{Duration, SystemTime};

use super::SubSnapshot;

/// What all links have.
#[derive(Debug, Clone, PartialEq)]
pub struct LinkSnapshot {
    /// Its number.
    pub cid: u64,
    /// The address at the other end.
    pub ip: String,
    /// The port there.
    pub port: u16,
    /// When it was made.
    pub start: SystemTime,
    /// When something came over it last.
    pub last_activity: SystemTime,
    /// The round-trip time; zero before the first is known.
    pub rtt: Duration,
    /// Bytes that wait to be written.
    pub pending: usize,
    /// Messages that came.
    pub in_msgs: u64,
    /// Messages that went.
    pub out_msgs: u64,
    /// Bytes that came.
    pub in_bytes: u64,
    /// Bytes that went.
    pub out_bytes: u64,
    /// What the other side wants.
    pub subscriptions: u32,
    /// The same one by one, where that was asked for.
    pub list: Vec<SubSnapshot>,
}

/// Subjects that may pass, and that may not.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LinkPermission {
    /// Nothing else, if there are any.
    pub allow: Vec<String>,
    /// Not these.
    pub deny: Vec<String>,
}

/// A connection to another member of the cluster.
#[derive(Debug, Clone, PartialEq)]
pub struct RouteSnapshot {
    /// What all links have.
    pub link: LinkSnapshot,
    /// The other server's id.
    pub remote_id: String,
    /// Its name.
    pub remote_name: String,
    /// This side dialled.
    pub did_solicit: bool,
    /// It is configured.
    pub is_configured: bool,
    /// What the other side imports.
    pub import: Option<LinkPermission>,
    /// What the other side exports.
    pub export: Option<LinkPermission>,
    /// The account that it is for alone; empty for all.
    pub account: String,
    /// How it is compressed.
    pub compression: String,
}

/// The connections to other members of the cluster.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RouteList {
    /// What this server imports.
    pub import: Option<LinkPermission>,
    /// What this server exports.
    pub export: Option<LinkPermission>,
    /// Them, oldest first.
    pub routes: Vec<RouteSnapshot>,
}

/// A connection to or from another cluster.
#[derive(Debug, Clone, PartialEq)]
pub struct GatewaySnapshot {
    /// The cluster.
    pub cluster: String,
    /// What all links have.
    pub link: LinkSnapshot,
    /// The other server's id.
    pub remote_id: String,
    /// The cluster is configured.
    pub is_configured: bool,
    /// The version of TLS; empty without.
    pub tls_version: String,
    /// The cipher suite of TLS.
    pub tls_cipher: String,
    /// What is known of accounts, where that was asked for.
    pub accounts: Vec<GatewayAccount>,
}

/// What is known of an account over a connection between clusters.
#[derive(Debug, Clone, PartialEq)]
pub struct GatewayAccount {
    /// The account.
    pub name: String,
    /// How much of its interest was told.
    pub mode: &'static str,
    /// Subjects that are not wanted, where everything else is sent.
    pub objections: usize,
    /// What the other cluster wants.
    pub list: Vec<SubSnapshot>,
}

/// The connections to and from other clusters.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct GatewayList {
    /// This cluster's name; empty if it is the only one.
    pub name: String,
    /// Where other clusters find this server.
    pub host: String,
    /// The port there.
    pub port: u16,
    /// The connections that this server made.
    pub outbound: Vec<GatewaySnapshot>,
    /// The connections made to it, oldest first.
    pub inbound: Vec<GatewaySnapshot>,
}

/// How often links to one server were made again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ComebackSnapshot {
    /// `route`, `gateway` or `leafnode`.
    pub kind: &'static str,
    /// What the other server is called.
    pub name: String,
    /// How many came after one had ended.
    pub again: u64,
}
