//! What is read of the servers' answers. Fields that a server does not tell are empty: servers of other versions
//! answer too.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value as Json, json};

/// The server that answered, as every answer begins.
#[derive(Debug, Default, Clone, PartialEq, Deserialize)]
#[serde(default)]
pub(super) struct ServerInfo {
    pub(super) name: String,
    pub(super) host: String,
    pub(super) id: String,
    pub(super) cluster: String,
    pub(super) domain: String,
    pub(super) ver: String,
    pub(super) tags: Vec<String>,
    pub(super) jetstream: bool,
    pub(super) time: Option<Timestamp>,
}

impl ServerInfo {
    /// What a row of a report says of its server.
    pub(super) fn json(&self) -> Json {
        json!({ "name": self.name, "id": self.id, "cluster": self.cluster })
    }
}

/// Messages and their bytes.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct Traffic {
    pub(super) msgs: u64,
    pub(super) bytes: u64,
}

/// The answer to `$SYS.REQ.SERVER.PING`.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(default)]
pub(super) struct Stats {
    pub(super) start: Option<Timestamp>,
    pub(super) mem: u64,
    pub(super) cpu: f64,
    pub(super) connections: u64,
    pub(super) subscriptions: u64,
    pub(super) slow_consumers: u64,
    pub(super) routes: Vec<RouteStat>,
    pub(super) gateways: Vec<GatewayStat>,
    /// How many servers this one knows, itself included.
    pub(super) active_servers: usize,
}

/// One connection to a server of the same cluster; there may be several to each.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(default)]
pub(super) struct RouteStat {
    pub(super) name: String,
}

/// One other cluster.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(default)]
pub(super) struct GatewayStat {
    pub(super) name: String,
}

/// A client's connection.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(default)]
pub(super) struct Connection {
    pub(super) cid: u64,
    pub(super) kind: String,
    pub(super) name: String,
    pub(super) account: String,
    pub(super) authorized_user: String,
    pub(super) ip: String,
    pub(super) port: u16,
    pub(super) start: Option<Timestamp>,
    pub(super) stop: Option<Timestamp>,
    pub(super) uptime: String,
    pub(super) reason: String,
    pub(super) rtt: String,
    pub(super) pending_bytes: u64,
    pub(super) in_msgs: u64,
    pub(super) out_msgs: u64,
    pub(super) in_bytes: u64,
    pub(super) out_bytes: u64,
    pub(super) subscriptions: u64,
}

/// One connection of a route.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(default)]
pub(super) struct Route {
    pub(super) rid: u64,
    pub(super) remote_name: String,
    pub(super) account: String,
    pub(super) ip: String,
    pub(super) port: u16,
    pub(super) uptime: String,
    pub(super) rtt: String,
    pub(super) compression: String,
    pub(super) pending_size: u64,
    pub(super) in_msgs: u64,
    pub(super) out_msgs: u64,
    pub(super) in_bytes: u64,
    pub(super) out_bytes: u64,
    pub(super) subscriptions: u64,
}

/// One connection of a gateway, with where it leads.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(default)]
pub(super) struct Gateway {
    pub(super) direction: String,
    pub(super) remote: String,
    pub(super) configured: bool,
    pub(super) connection: Connection,
}

/// A leaf node's connection.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(default)]
pub(super) struct Leaf {
    pub(super) name: String,
    pub(super) is_spoke: bool,
    pub(super) account: String,
    pub(super) ip: String,
    pub(super) port: u16,
    pub(super) rtt: String,
    pub(super) compression: String,
    pub(super) in_msgs: u64,
    pub(super) out_msgs: u64,
    pub(super) in_bytes: u64,
    pub(super) out_bytes: u64,
    pub(super) subscriptions: u64,
}

/// An account as one server sees it.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(default)]
pub(super) struct Account {
    pub(super) acc: String,
    pub(super) name: String,
    pub(super) conns: u64,
    pub(super) leafnodes: u64,
    pub(super) num_subscriptions: u64,
    pub(super) sent: AccountTraffic,
    pub(super) received: AccountTraffic,
    pub(super) slow_consumers: u64,
}

/// Messages of an account, and which of them went over links between servers.
#[derive(Debug, Default, Clone, Copy, Deserialize)]
#[serde(default)]
pub(super) struct AccountTraffic {
    pub(super) msgs: u64,
    pub(super) bytes: u64,
    pub(super) routes: Traffic,
    pub(super) gateways: Traffic,
}

impl AccountTraffic {
    /// Without what servers of this cluster and of others said to each other, which would count a message once for
    /// every server it passes.
    pub(super) fn of_clients(&self) -> Traffic {
        let between = |all: u64, routes: u64, gateways: u64| all.saturating_sub(routes).saturating_sub(gateways);
        Traffic {
            msgs: between(self.msgs, self.routes.msgs, self.gateways.msgs),
            bytes: between(self.bytes, self.routes.bytes, self.gateways.bytes),
        }
    }
}
