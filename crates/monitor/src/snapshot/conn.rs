//! Connections, open and closed.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::SubSnapshot;

/// Which connections a view is about. Empty fields admit everyone.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ConnFilter {
    /// Only this connection; a look-up. The other fields but `account` do not apply then.
    pub cid: Option<u64>,
    /// Only those of this account.
    pub account: Option<String>,
    /// Only those authorized as this user (what [`ConnDetail::user`] says).
    pub user: Option<String>,
    /// Only the one with this MQTT client id.
    pub mqtt_client: Option<String>,
    /// Only those with a subscription that can match a subject this one matches (asked over `$SYS` only).
    pub subject: Option<String>,
}

impl ConnFilter {
    /// Whether a connection of this user and MQTT client id is admitted. The caller has applied `account` (which also
    /// bounds the total), `cid` and `subject`.
    pub fn admits(&self, user: &str, mqtt_client: &str) -> bool {
        self.user.as_deref().is_none_or(|wanted| wanted == user)
            && self.mqtt_client.as_deref().is_none_or(|wanted| wanted == mqtt_client)
    }
}

/// The costly parts of [`ConnDetail`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Want {
    /// `subscriptions`.
    pub subscriptions: bool,
    /// `user`, `account`, `jwt`, `issuer_key`, `tags`, `name_tag` and the peer's certificates.
    pub auth: bool,
}

/// What [`crate::Observe::connections`] answers.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ConnList {
    /// Open connections, of the filter's account if it names one.
    pub total: usize,
    /// Those that the whole filter admits.
    pub admitted: Vec<ConnStats>,
}

/// The numbers of one connection: all that sorting needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnStats {
    /// The connection's id.
    pub cid: u64,
    /// When it was accepted.
    pub start: SystemTime,
    /// When it last sent, or was sent, a message or a subscription.
    pub last_activity: SystemTime,
    /// The last measured round trip; zero if unknown.
    pub rtt: Duration,
    /// Bytes waiting to be written.
    pub pending_bytes: u64,
    /// Messages from it.
    pub in_msgs: u64,
    /// Messages to it.
    pub out_msgs: u64,
    /// Bytes of the messages from it.
    pub in_bytes: u64,
    /// Bytes of the messages to it.
    pub out_bytes: u64,
    /// How often it was held up for slow readers of its messages.
    pub stalls: u64,
    /// Its subscriptions.
    pub subscriptions: u32,
}

impl ConnStats {
    /// A connection that has done nothing yet.
    pub fn new(cid: u64, start: SystemTime) -> Self {
        Self {
            cid,
            start,
            last_activity: start,
            rtt: Duration::ZERO,
            pending_bytes: 0,
            in_msgs: 0,
            out_msgs: 0,
            in_bytes: 0,
            out_bytes: 0,
            stalls: 0,
            subscriptions: 0,
        }
    }
}

/// What is at the other end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ConnKind {
    /// A client.
    #[default]
    Client,
    /// A leaf node.
    Leafnode,
}

/// How a client talks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ConnType {
    /// The client protocol over TCP.
    #[default]
    Nats,
    /// The client protocol over WebSocket.
    Websocket,
    /// MQTT.
    Mqtt,
}

/// What is known of a connection beside its numbers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ConnDetail {
    /// The connection's id.
    pub cid: u64,
    /// What is at the other end.
    pub kind: ConnKind,
    /// How it talks; `None` for what is not a client.
    pub conn_type: Option<ConnType>,
    /// The peer's address.
    pub ip: String,
    /// The peer's port.
    pub port: u16,
    /// `name` of CONNECT.
    pub name: String,
    /// `lang` of CONNECT.
    pub lang: String,
    /// `version` of CONNECT.
    pub version: String,
    /// Present once the handshake is complete.
    pub tls: Option<TlsSnapshot>,
    /// The user it was authorized as, or tried to be.
    pub user: String,
    /// Its account; empty before it has one.
    pub account: String,
    /// Its subscriptions; `account` and `account_tag` of them are not shown here.
    pub subscriptions: Vec<SubSnapshot>,
    /// The user JWT; leave it empty for bearer tokens, which are secrets.
    pub jwt: String,
    /// Public key that issued the JWT.
    pub issuer_key: String,
    /// What the account calls itself.
    pub name_tag: String,
    /// Tags of the user.
    pub tags: Vec<String>,
    /// MQTT client id.
    pub mqtt_client: String,
    /// Public key of the trusted proxy that vouched for it.
    pub proxy_key: Option<String>,
}

/// What TLS was agreed on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TlsSnapshot {
    /// `1.2` or `1.3`.
    pub version: String,
    /// The suite's IANA name.
    pub cipher_suite: String,
    /// The handshake came before INFO.
    pub first: bool,
    /// The peer's chain.
    pub peer_certs: Vec<PeerCert>,
}

/// One certificate of a peer's chain.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PeerCert {
    /// Distinguished name.
    pub subject: String,
    /// Hex digest of the public key info.
    pub spki_sha256: String,
    /// Hex digest of the whole certificate.
    pub cert_sha256: String,
}

/// What [`crate::Observe::closed`] answers.
#[derive(Debug, Clone, Default)]
pub struct ClosedList {
    /// Remembered connections, of the filter's account if it names one.
    pub total: usize,
    /// Those that the whole filter admits.
    pub admitted: Vec<Arc<ClosedConn>>,
}

/// A connection as it was when it closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClosedConn {
    /// The numbers, `subscriptions` as before they were removed.
    pub stats: ConnStats,
    /// The rest.
    pub detail: ConnDetail,
    /// When it closed.
    pub stop: SystemTime,
    /// Why (CORE-082).
    pub reason: String,
}
