//! Leaf node links.

use std::time::Duration;

/// A leaf node, or a hub that the server is a leaf node of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LeafSnapshot {
    /// The connection's number.
    pub cid: u64,
    /// The other server's name.
    pub name: String,
    /// The server is the leaf node.
    pub is_spoke: bool,
    /// The other side is not told what leaf nodes want.
    pub is_isolated: bool,
    /// The account that it is bound to here.
    pub account: String,
    /// Where it comes from, or was dialled.
    pub ip: String,
    /// The port there.
    pub port: u16,
    /// The last measured round trip.
    pub rtt: Option<Duration>,
    /// Messages from there.
    pub in_msgs: u64,
    /// Messages to there.
    pub out_msgs: u64,
    /// Bytes from there.
    pub in_bytes: u64,
    /// Bytes to there.
    pub out_bytes: u64,
    /// Bytes that wait to be written there.
    pub pending: usize,
    /// What the other side wants, in numbers.
    pub subscriptions: u32,
    /// The same by subject, if asked for.
    pub subjects: Vec<String>,
    /// How it is compressed.
    pub compression: String,
    /// The key of the trusted proxy it comes through.
    pub proxy: Option<String>,
}
