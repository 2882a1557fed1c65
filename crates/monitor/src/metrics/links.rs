//! The numbers of links to other servers: of members of the cluster, one series for each.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Names;
use super::text::{Kind, Text};
use crate::Monitor;

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
