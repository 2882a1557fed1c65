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
