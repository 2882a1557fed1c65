//! The numbers of links to other servers, with series of their own up to a bound: members of the cluster, other clusters,
//! leaf nodes.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Names;
use super::text::{Kind, Text, Value};
use crate::Monitor;
use crate::snapshot::{GatewaySnapshot, LeafSnapshot};

/// Members that have series of their own.
const MOST: usize = 256;

/// The connections to one member, together.
#[derive(Debug, Default)]
struct Member {
    name: String,
    rtt: Duration,
    pending: u64,
    messages: [u64; 2],
    bytes: [u64; 2],
}

/// Sums over the connections to each member: gauges, since a connection that ends takes its numbers with it.
pub(super) fn routes(text: &mut Text, monitor: &Monitor, names: &Names<'_>) {
    let list = monitor.server().routes(false).routes;
    names.one(text, "routez", "num_routes", Kind::Gauge, "Routes to other servers.", list.len() as u64);
    let mut members: BTreeMap<String, Member> = BTreeMap::new();
    for route in list {
        if members.len() >= MOST && !members.contains_key(&route.remote_id) {
            continue;
        }
        let (member, link) = (members.entry(route.remote_id).or_default(), route.link);
        member.name = route.remote_name;
        member.rtt = member.rtt.max(link.rtt);
        member.pending += link.pending as u64;
        for (sum, value) in member.messages.iter_mut().zip([link.in_msgs, link.out_msgs]) {
            *sum += value;
        }
        for (sum, value) in member.bytes.iter_mut().zip([link.in_bytes, link.out_bytes]) {
            *sum += value;
        }
    }
    let mut family = text.family(
        &names.of("routez", "conn_rtt"),
        Kind::Gauge,
        "Round-trip time to a member of the cluster in seconds, of the slowest connection.",
    );
    for (id, member) in &members {
        family.sample(&[names.server[0], ("remote_id", id), ("remote_name", &member.name)], member.rtt.as_secs_f64());
    }
    for (field, help, number) in NUMBERS {
        let mut family = text.family(&names.of("routez", field), Kind::Gauge, help);
        for (id, member) in &members {
            family.sample(&[names.server[0], ("remote_id", id), ("remote_name", &member.name)], number(member));
        }
    }
}

/// A number of a member, as it is called and explained.
type Number = (&'static str, &'static str, fn(&Member) -> u64);

const NUMBERS: [Number; 5] = [
    ("conn_pending_bytes", "Bytes waiting to be written to a member.", |member| member.pending),
    ("conn_in_msgs", "Messages from a member over connections that are open now.", |member| member.messages[0]),
    ("conn_out_msgs", "Messages to a member over connections that are open now.", |member| member.messages[1]),
    ("conn_in_bytes", "Bytes from a member over connections that are open now.", |member| member.bytes[0]),
    ("conn_out_bytes", "Bytes to a member over connections that are open now.", |member| member.bytes[1]),
];

/// Connections to and from other clusters that have series of their own, in each direction.
const MOST_GATEWAYS: usize = 256;

/// The connections to and from other clusters, one series for each.
// spec: CLU-104
pub(super) fn gateways(text: &mut Text, monitor: &Monitor, names: &Names<'_>) {
    let list = monitor.server().gateways(false);
    for (direction, connections) in [("outbound_gateway", &list.outbound), ("inbound_gateway", &list.inbound)] {
        let shown = &connections[..connections.len().min(MOST_GATEWAYS)];
        let series = |text: &mut Text, field: &str, help: &str, value: &dyn Fn(&GatewaySnapshot) -> Value| {
            let mut family = text.family(&names.of("gatewayz", &format!("{direction}_{field}")), Kind::Gauge, help);
            for of in shown {
                let cid = of.link.cid.to_string();
                let labels = [
                    ("gateway_name", list.name.as_str()),
                    ("remote_gateway_name", of.cluster.as_str()),
                    ("cid", cid.as_str()),
                    names.server[0],
                ];
                family.sample(&labels, value(of));
            }
        };
        series(text, "configured", "1 if the other cluster is configured here.", &|of| {
            u64::from(of.is_configured).into()
        });
        series(text, "conn_rtt", "Round-trip time in seconds.", &|of| of.link.rtt.as_secs_f64().into());
        series(text, "conn_pending_bytes", "Bytes waiting to be written.", &|of| (of.link.pending as u64).into());
        series(text, "conn_in_msgs", "Messages that came.", &|of| of.link.in_msgs.into());
        series(text, "conn_out_msgs", "Messages that went.", &|of| of.link.out_msgs.into());
        series(text, "conn_in_bytes", "Bytes that came.", &|of| of.link.in_bytes.into());
        series(text, "conn_out_bytes", "Bytes that went.", &|of| of.link.out_bytes.into());
    }
}

/// Leaf node links that have series of their own.
const MOST_LEAFS: usize = 1024;

/// Leaf node links, one series for each.
// spec: CLU-105
pub(super) fn leafs(text: &mut Text, monitor: &Monitor, names: &Names<'_>) {
    let list = monitor.server().leafs(false);
    names.one(text, "leafz", "conn_nodes_total", Kind::Gauge, "Leaf node links.", list.len() as u64);
    let shown = &list[..list.len().min(MOST_LEAFS)];
    let series = |text: &mut Text, field: &str, help: &str, value: &dyn Fn(&LeafSnapshot) -> Value| {
        let mut family = text.family(&names.of("leafz", &format!("conn_{field}")), Kind::Gauge, help);
        for of in shown {
            let port = of.port.to_string();
            let labels = [
                ("account", of.account.as_str()),
                ("account_id", of.account.as_str()),
                ("ip", of.ip.as_str()),
                ("port", port.as_str()),
                ("name", of.name.as_str()),
                names.server[0],
            ];
            family.sample(&labels, value(of));
        }
    };
    series(text, "rtt", "Round-trip time in seconds.", &|of| of.rtt.unwrap_or_default().as_secs_f64().into());
    series(text, "in_msgs", "Messages that came.", &|of| of.in_msgs.into());
    series(text, "out_msgs", "Messages that went.", &|of| of.out_msgs.into());
    series(text, "in_bytes", "Bytes that came.", &|of| of.in_bytes.into());
    series(text, "out_bytes", "Bytes that went.", &|of| of.out_bytes.into());
    series(text, "pending_bytes", "Bytes waiting to be written.", &|of| (of.pending as u64).into());
    series(text, "subscriptions_total", "What the other side wants.", &|of| u64::from(of.subscriptions).into());
}

/// Links that were made again: a counter, since it outlives the connections.
pub(super) fn comebacks(text: &mut Text, monitor: &Monitor) {
    let help = "Links to a server that were made again after one had ended.";
    let mut family = text.family("martlet_link_reconnects_total", Kind::Counter, help);
    for of in monitor.server().comebacks() {
        family.sample(&[("kind", of.kind), ("remote_name", &of.name)], of.again);
    }
}
