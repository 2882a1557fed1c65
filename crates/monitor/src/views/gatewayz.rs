//! `/gatewayz`: connections to and from other clusters.

use std::collections::BTreeMap;
use std::time::SystemTime;

use serde::Serialize;

use super::format::{Timestamp, between, is_default, round_trip, uptime};
use super::subs_arguments;
use super::subsz::SubDetail;
use crate::Observe;
use crate::body::Body;
use crate::query::{Query, QueryError};
use crate::snapshot::{GatewayAccount, GatewaySnapshot};

/// What `/gatewayz` is asked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GatewayzOptions {
    /// Only those to this cluster.
    pub name: String,
    /// Show their accounts.
    pub accounts: bool,
    /// Only this account; asks for `accounts`.
    pub account_name: String,
    /// Show the subjects of their subscriptions.
    pub subscriptions: bool,
    /// Show everything about their subscriptions.
    pub subscriptions_detail: bool,
}

impl GatewayzOptions {
    /// Reads them from a query string.
    // spec: CLU-104 CLU-148
    pub(crate) fn from_query(query: &Query<'_>) -> Result<Self, QueryError> {
        let (subscriptions, subscriptions_detail) = subs_arguments(query)?;
        let account_name = query.text("acc_name");
        Ok(Self {
            accounts: query.bool("accs")? || !account_name.is_empty(),
            name: query.text("gw_name").into(),
            account_name: account_name.into(),
            subscriptions,
            subscriptions_detail,
        })
    }

    /// Reads them from a JSON body.
    pub fn from_body(body: &mut Body<'_>) -> Self {
        Self {
            name: body.text("name"),
            accounts: body.bool("accounts"),
            account_name: body.text("account_name"),
            subscriptions: body.bool("subscriptions"),
            subscriptions_detail: body.bool("subscriptions_detail"),
        }
    }
}

/// The answer of `/gatewayz`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Gatewayz {
    /// The server's id.
    pub(crate) server_id: String,
    /// When it was made.
    pub(crate) now: Timestamp,
    /// The cluster's name.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) name: String,
    /// Where other clusters find the server.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) host: String,
    /// The port there.
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) port: u16,
    /// Connections this server made, by cluster; `null` if the one that was asked for is not among them.
    pub(crate) outbound_gateways: Option<BTreeMap<String, Gateway>>,
    /// Connections made to this server, by cluster.
    pub(crate) inbound_gateways: BTreeMap<String, Vec<Gateway>>,
}

/// One connection.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Gateway {
    /// Whether the cluster is configured; said of those this server made.
    pub(crate) configured: bool,
    /// The connection.
    pub(crate) connection: GatewayConnection,
    /// What is known of accounts over it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) accounts: Vec<AccountGatewayz>,
}

/// What a connection between clusters shows of itself.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct GatewayConnection {
    pub(crate) cid: u64,
    pub(crate) kind: &'static str,
    pub(crate) ip: String,
    pub(crate) port: u16,
    pub(crate) start: Timestamp,
    pub(crate) last_activity: Timestamp,
    pub(crate) rtt: String,
    pub(crate) uptime: String,
    pub(crate) idle: String,
    pub(crate) pending_bytes: usize,
    pub(crate) in_msgs: u64,
    pub(crate) out_msgs: u64,
    pub(crate) in_bytes: u64,
    pub(crate) out_bytes: u64,
    pub(crate) subscriptions: u32,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) tls_version: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) tls_cipher_suite: String,
}

/// What is known of one account.
// spec: CLU-050
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct AccountGatewayz {
    pub(crate) name: String,
    pub(crate) interest_mode: &'static str,
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) no_interest_count: usize,
    pub(crate) interest_only_threshold: usize,
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) num_subs: usize,
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) num_queue_subs: usize,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) subscriptions_list: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) subscriptions_list_detail: Vec<SubDetail>,
}

/// Objections after which an older server tells all interest of an account.
const THRESHOLD: usize = 1000;

/// Answers `/gatewayz`.
// spec: CLU-104 CLU-148
pub fn gatewayz(server: &dyn Observe, now: SystemTime, options: &GatewayzOptions) -> Gatewayz {
    let accounts = options.accounts || !options.account_name.is_empty();
    let list = server.gateways(accounts);
    let is_meant = |of: &GatewaySnapshot| options.name.is_empty() || of.cluster == options.name;
    let mut inbound_gateways: BTreeMap<String, Vec<Gateway>> = BTreeMap::new();
    for of in list.inbound.into_iter().filter(is_meant) {
        inbound_gateways.entry(of.cluster.clone()).or_default().push(show(of, now, options));
    }
    let outbound = list.outbound.into_iter().filter(is_meant);
    let outbound: BTreeMap<_, _> = outbound.map(|of| (of.cluster.clone(), show(of, now, options))).collect();
    let is_lost = !list.name.is_empty() && !options.name.is_empty() && outbound.is_empty();
    Gatewayz {
        server_id: server.identity().id,
        now: Timestamp(now),
        name: list.name,
        host: list.host,
        port: list.port,
        outbound_gateways: (!is_lost).then_some(outbound),
        inbound_gateways,
    }
}

fn show(of: GatewaySnapshot, now: SystemTime, options: &GatewayzOptions) -> Gateway {
    let link = of.link;
    let is_meant = |a: &GatewayAccount| options.account_name.is_empty() || a.name == options.account_name;
    let accounts = of.accounts.into_iter().filter(is_meant).map(|a| account(a, link.cid, options)).collect();
    let connection = GatewayConnection {
        cid: link.cid,
        kind: "Gateway",
        ip: link.ip,
        port: link.port,
        start: Timestamp(link.start),
        last_activity: Timestamp(link.last_activity),
        rtt: round_trip(link.rtt),
        uptime: uptime(between(link.start, now)),
        idle: uptime(between(link.last_activity, now)),
        pending_bytes: link.pending,
        in_msgs: link.in_msgs,
        out_msgs: link.out_msgs,
        in_bytes: link.in_bytes,
        out_bytes: link.out_bytes,
        subscriptions: link.subscriptions,
        name: of.remote_id,
        tls_version: of.tls_version,
        tls_cipher_suite: of.tls_cipher,
    };
    Gateway { configured: of.is_configured, connection, accounts }
}

fn account(of: GatewayAccount, cid: u64, options: &GatewayzOptions) -> AccountGatewayz {
    let num_queue_subs = of.list.iter().filter(|sub| !sub.queue.is_empty()).count();
    let num_subs = of.list.len();
    let (mut subjects, mut details) = (Vec::new(), Vec::new());
    if options.subscriptions {
        subjects = of.list.into_iter().map(|sub| sub.subject).collect();
    } else if options.subscriptions_detail {
        details = of.list.into_iter().map(|sub| SubDetail::of_open(sub, cid)).collect();
    }
    AccountGatewayz {
        name: of.name,
        interest_mode: of.mode,
        no_interest_count: of.objections,
        interest_only_threshold: THRESHOLD,
        num_subs,
        num_queue_subs,
        subscriptions_list: subjects,
        subscriptions_list_detail: details,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::SubSnapshot;

    #[test]
    fn an_accounts_interest_in_as_much_detail_as_asked_for() {
        // spec: CLU-050 CLU-148
        let sub = |queue: &str| SubSnapshot { subject: "s".into(), queue: queue.into(), ..SubSnapshot::default() };
        let of =
            || GatewayAccount { name: "A".into(), mode: "Interest-Only", objections: 0, list: vec![sub(""), sub("q")] };
        let shown = |subscriptions, subscriptions_detail| {
            let options = GatewayzOptions { subscriptions, subscriptions_detail, ..GatewayzOptions::default() };
            serde_json::to_value(account(of(), 7, &options)).expect("JSON")
        };
        let plain = serde_json::json!({ "name": "A", "interest_mode": "Interest-Only", "interest_only_threshold": 1000,
            "num_subs": 2, "num_queue_subs": 1 });
        assert_eq!(shown(false, false), plain);
        assert_eq!(shown(true, true)["subscriptions_list"], serde_json::json!(["s", "s"]));
        assert_eq!(shown(false, true)["subscriptions_list_detail"][1]["qgroup"], "q");
    }
}
