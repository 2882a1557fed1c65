//! The JSON of events; names and order of fields are those of the wire.

use martlet_events::WallTime;
use serde::Serialize;

use super::fact::Who;
use crate::json;
use crate::peer::Kind;
use crate::site::{ServerInfo, Site};

/// What every advisory begins with.
// spec: CLU-096
#[derive(Debug, Clone, Serialize)]
pub(super) struct Head {
    #[serde(rename = "type")]
    kind: &'static str,
    id: String,
    #[serde(serialize_with = "json::as_text")]
    timestamp: WallTime,
}

impl Head {
    pub(super) fn connect(id: String, timestamp: WallTime) -> Self {
        Self { kind: "io.nats.server.advisory.v1.client_connect", id, timestamp }
    }

    pub(super) fn disconnect(id: String, timestamp: WallTime) -> Self {
        Self { kind: "io.nats.server.advisory.v1.client_disconnect", id, timestamp }
    }

    pub(super) fn connections(id: String, timestamp: WallTime) -> Self {
        Self { kind: "io.nats.server.advisory.v1.account_connections", id, timestamp }
    }
}

/// An event with the server that publishes it: the body's fields stand before and after `server`.
#[derive(Debug, Serialize)]
pub(super) struct Document<'a, B: Serialize> {
    #[serde(flatten)]
    pub(super) head: &'a Head,
    pub(super) server: ServerInfo<'a>,
    #[serde(flatten)]
    pub(super) body: &'a B,
}

/// A client came.
#[derive(Debug, Serialize)]
pub(super) struct Connect<'a> {
    pub(super) client: Client<'a>,
}

/// A client went or was refused.
#[derive(Debug, Serialize)]
pub(super) struct Disconnect<'a> {
    pub(super) client: Client<'a>,
    pub(super) sent: Count,
    pub(super) received: Count,
    pub(super) reason: &'static str,
}

/// A client as events tell of it.
#[derive(Debug, Serialize)]
#[expect(clippy::struct_field_names, reason = "the wire's fields")]
pub(super) struct Client<'a> {
    #[serde(serialize_with = "json::as_text")]
    start: WallTime,
    #[serde(skip_serializing_if = "str::is_empty")]
    host: &'a str,
    id: u64,
    acc: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    user: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    lang: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    ver: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    rtt: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "optional_time")]
    stop: Option<WallTime>,
    #[serde(skip_serializing_if = "str::is_empty")]
    name_tag: &'a str,
    kind: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    client_type: &'static str,
}

impl<'a> Client<'a> {
    /// One who is there.
    pub(super) fn here(who: &'a Who, site: &Site) -> Self {
        let d = &*who.description;
        let (kind, client_type) = if who.kind == Kind::Leaf { ("Leafnode", "") } else { ("Client", "nats") };
        Self {
            start: site.wall(who.started),
            host: &d.ip,
            id: who.cid,
            acc: &who.account,
            user: &d.user,
            name: &d.name,
            lang: &d.lang,
            ver: &d.version,
            rtt: None,
            stop: None,
            name_tag: &who.name_tag,
            kind,
            client_type,
        }
    }

    /// One who was there until `stop`.
    pub(super) fn gone(who: &'a Who, site: &Site, stop: WallTime) -> Self {
        Self { rtt: Some(who.rtt).filter(|rtt| *rtt > 0), stop: Some(stop), ..Self::here(who, site) }
    }
}

/// Messages and bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Count {
    /// Messages.
    pub msgs: u64,
    /// Bytes.
    pub bytes: u64,
}

impl From<(u64, u64)> for Count {
    fn from((msgs, bytes): (u64, u64)) -> Self {
        Self { msgs, bytes }
    }
}

/// An account's connections and traffic on this server.
#[derive(Debug, Serialize)]
pub(super) struct Connections<'a> {
    pub(super) acc: &'a str,
    pub(super) name: &'a str,
    pub(super) conns: u32,
    pub(super) leafnodes: u32,
    pub(super) total_conns: u32,
    pub(super) num_subscriptions: usize,
    pub(super) sent: Direction,
    pub(super) received: Direction,
    pub(super) slow_consumers: u64,
}

/// An account that other servers are asked about, or told of.
#[derive(Debug, Serialize)]
pub(super) struct Named<'a> {
    pub(super) server: ServerInfo<'a>,
    pub(super) acc: &'a str,
}

/// One direction of an account's traffic, and the parts of it that went over links.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(super) struct Direction {
    #[serde(flatten)]
    pub(super) all: Count,
    gateways: Count,
    routes: Count,
    leafs: Count,
}

impl Direction {
    pub(super) fn add(&mut self, msgs: u64, bytes: u64) {
        self.all.msgs += msgs;
        self.all.bytes += bytes;
    }

    /// Adds what went over links to leaf nodes and hubs.
    pub(super) fn add_leafs(&mut self, msgs: u64, bytes: u64) {
        self.add(msgs, bytes);
        self.leafs.msgs += msgs;
        self.leafs.bytes += bytes;
    }
}

/// What a server tells of itself every few seconds.
// spec: CLU-094 CLU-095
#[derive(Debug, Serialize)]
pub(super) struct Statistics<'a> {
    pub(super) server: ServerInfo<'a>,
    pub(super) statsz: &'a ServerStats,
}

/// The numbers of a server.
// spec: CLU-095
#[derive(Debug, Clone, Default, Serialize)]
#[expect(missing_docs, reason = "the wire's fields")]
pub struct ServerStats {
    #[serde(serialize_with = "json::as_text")]
    pub start: WallTime,
    pub mem: u64,
    pub cores: u32,
    #[serde(serialize_with = "short_number")]
    pub cpu: f64,
    pub connections: u64,
    pub total_connections: u64,
    pub active_accounts: usize,
    pub subscriptions: u64,
    pub sent: Count,
    pub sent_to_clients: Count,
    pub received: Count,
    pub received_from_clients: Count,
    pub slow_consumers: u64,
    #[serde(skip_serializing_if = "ByKind::is_zero")]
    pub slow_consumer_stats: ByKind,
    #[serde(skip_serializing_if = "is_zero")]
    pub stale_connections: u64,
    #[serde(skip_serializing_if = "ByKind::is_zero")]
    pub stale_connection_stats: ByKind,
    #[serde(skip_serializing_if = "is_zero")]
    pub stalled_clients: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub routes: Vec<RouteStat>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub gateways: Vec<GatewayStat>,
    pub active_servers: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jetstream: Option<json::Written>,
    pub gomaxprocs: u32,
}

/// What passed over one connection to a member of the cluster.
#[derive(Debug, Clone, Default, Serialize)]
#[expect(missing_docs, reason = "the wire's fields")]
pub struct RouteStat {
    pub rid: u64,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    pub sent: Count,
    pub received: Count,
    pub pending: usize,
}

/// What passed to and from one other cluster.
#[derive(Debug, Clone, Default, Serialize)]
#[expect(missing_docs, reason = "the wire's fields")]
pub struct GatewayStat {
    pub gwid: u64,
    pub name: String,
    pub sent: Count,
    pub received: Count,
    pub inbound_connections: usize,
}

/// A number for each kind of connection.
#[derive(Debug, Clone, Copy, Default, Serialize)]
#[expect(missing_docs, reason = "the wire's fields")]
pub struct ByKind {
    pub clients: u64,
    pub routes: u64,
    pub gateways: u64,
    pub leafs: u64,
}

impl ByKind {
    fn is_zero(&self) -> bool {
        self.clients + self.routes + self.gateways + self.leafs == 0
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(n: &u64) -> bool {
    *n == 0
}

#[expect(clippy::ref_option, reason = "serde asks for a reference")]
fn optional_time<S: serde::Serializer>(time: &Option<WallTime>, serializer: S) -> Result<S::Ok, S::Error> {
    time.map(|time| time.to_string()).serialize(serializer)
}

/// Without a fraction if it has none.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
#[expect(clippy::cast_possible_truncation, reason = "whole numbers of this size are exact")]
fn short_number<S: serde::Serializer>(number: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    if number.fract() == 0.0 && number.abs() < 1e15 {
        serializer.serialize_i64(*number as i64)
    } else {
        serializer.serialize_f64(*number)
    }
}
