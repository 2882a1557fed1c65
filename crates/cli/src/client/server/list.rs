//! `martlet server ls`: every server in a line, and every cluster in a line.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use clap::{Args, ValueEnum};
use serde_json::Value as Json;

use super::ask::{Ask, Found};
use super::sort::{Key, sort};
use super::{Shape, Which};
use crate::client::duration::human;
use crate::client::error::CliError;
use crate::client::number::{self, float, grouped};
use crate::client::out;
use crate::client::table::{self, Column};

/// `server ls`.
#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    shape: Shape,
    /// Order of the servers
    #[arg(long, value_enum, default_value_t = Order::Cluster)]
    sort: Order,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Order {
    Cluster,
    Name,
    #[value(alias = "conn")]
    Conns,
    #[value(alias = "sub")]
    Subs,
    #[value(alias = "route")]
    Routes,
    #[value(alias = "gw")]
    Gws,
    Mem,
    Cpu,
    Slow,
    Uptime,
    Rtt,
}

/// Shows the servers of `args`.
pub(super) async fn run(args: &ListArgs, ask: &Ask) -> Result<(), CliError> {
    let mut found = ask.discover(&args.which).await?;
    sort(&mut found.servers, args.shape.reverse, |server| key(args.sort, server), name);
    let text = if args.shape.json {
        let all: Vec<&Json> = found.servers.iter().map(|server| &server.answer.raw).collect();
        out::json(&all)
    } else {
        tables(&found.servers)
    };
    out::write(text.as_bytes())?;
    found.complete()
}

fn key(order: Order, found: &Found) -> Key {
    let stats = &found.stats;
    match order {
        Order::Cluster => Key::Text(found.answer.server.cluster.clone()),
        Order::Name => Key::Text(name(found)),
        Order::Conns => Key::count(stats.connections),
        Order::Subs => Key::count(stats.subscriptions),
        Order::Routes => Key::count(peers(found) as u64),
        Order::Gws => Key::count(clusters(found) as u64),
        Order::Mem => Key::count(stats.mem),
        Order::Cpu => Key::Number(stats.cpu),
        Order::Slow => Key::count(stats.slow_consumers),
        Order::Uptime => Key::Number(uptime(found).unwrap_or_default().as_secs_f64()),
        // The nearest first: a duration that grows is no merit.
        Order::Rtt => Key::Number(-found.answer.rtt.as_secs_f64()),
    }
}

fn name(found: &Found) -> String {
    found.answer.server.name.clone()
}

/// Servers of the cluster that this one has routes to; each has several connections.
fn peers(found: &Found) -> usize {
    found.stats.routes.iter().map(|route| &route.name).collect::<BTreeSet<_>>().len()
}

/// Other clusters that this server has gateways to.
fn clusters(found: &Found) -> usize {
    found.stats.gateways.iter().map(|gateway| &gateway.name).collect::<BTreeSet<_>>().len()
}

fn uptime(found: &Found) -> Option<Duration> {
    let (now, start) = (found.answer.server.time?, found.stats.start?);
    now.duration_since(start).try_into().ok()
}

fn jetstream(found: &Found) -> String {
    match (found.answer.server.jetstream, found.answer.server.domain.as_str()) {
        (false, _) => "no".to_owned(),
        (true, "") => "yes".to_owned(),
        (true, domain) => domain.to_owned(),
    }
}

fn sum(servers: &[Found], number: fn(&Found) -> u64) -> u64 {
    servers.iter().map(number).sum()
}

/// What all servers agree on, or that they do not.
fn agreed(servers: &[Found], number: fn(&Found) -> String) -> String {
    let mut all = servers.iter().map(number);
    let first = all.next().unwrap_or_default();
    if all.all(|other| other == first) { String::new() } else { "differ".to_owned() }
}

/// A column of the table.
type Of = Column<Found>;

const COLUMNS: [Of; 14] = [
    Of::text("Name", name).total(|all| format!("{} servers", all.len())),
    Of::text("Cluster", |found| found.answer.server.cluster.clone()),
    Of::text("Host", |found| found.answer.server.host.clone()),
    Of::text("Version", |found| found.answer.server.ver.clone())
        .total(|all| agreed(all, |found| found.answer.server.ver.clone())),
    Of::text("JS", jetstream),
    Of::number("Conns", |found| grouped(found.stats.connections))
        .total(|all| grouped(sum(all, |found| found.stats.connections))),
    Of::number("Subs", |found| grouped(found.stats.subscriptions))
        .total(|all| grouped(sum(all, |found| found.stats.subscriptions))),
    Of::number("Routes", |found| peers(found).to_string()),
    Of::number("GWs", |found| clusters(found).to_string()),
    Of::number("Mem", |found| number::bytes(float(found.stats.mem)))
        .total(|all| number::bytes(float(sum(all, |found| found.stats.mem)))),
    Of::number("CPU %", |found| format!("{:.1}", found.stats.cpu)),
    Of::number("Slow", |found| grouped(found.stats.slow_consumers))
        .total(|all| grouped(sum(all, |found| found.stats.slow_consumers))),
    Of::number("Uptime", |found| uptime(found).map(human).unwrap_or_default()),
    Of::number("RTT", |found| human(found.answer.rtt)),
];

/// The servers of a cluster.
struct Cluster {
    name: String,
    servers: u64,
    connections: u64,
    /// Every server should have a route to each of the others.
    missing_routes: usize,
    gateways: BTreeSet<String>,
}

/// A column of the table of clusters.
type OfCluster = Column<Cluster>;

const CLUSTER_COLUMNS: [OfCluster; 5] = [
    OfCluster::text("Cluster", |cluster| cluster.name.clone()),
    OfCluster::number("Servers", |cluster| cluster.servers.to_string()),
    OfCluster::number("Conns", |cluster| grouped(cluster.connections)),
    OfCluster::text("Routes", |cluster| match (cluster.servers, cluster.missing_routes) {
        (1, _) => String::new(),
        (_, 0) => "full mesh".to_owned(),
        (_, missing) => format!("{missing} missing"),
    }),
    OfCluster::text("Gateways to", |cluster| cluster.gateways.iter().cloned().collect::<Vec<_>>().join(", ")),
];

fn tables(servers: &[Found]) -> String {
    let mut by_name: BTreeMap<&str, Vec<&Found>> = BTreeMap::new();
    for found in servers.iter().filter(|found| !found.answer.server.cluster.is_empty()) {
        by_name.entry(&found.answer.server.cluster).or_default().push(found);
    }
    let clusters: Vec<Cluster> = by_name.into_iter().map(|(name, members)| cluster(name, &members)).collect();
    let mut text = table::render(&COLUMNS, servers);
    if !clusters.is_empty() {
        text.push('\n');
        text.push_str(&table::render(&CLUSTER_COLUMNS, &clusters));
    }
    text
}

fn cluster(name: &str, members: &[&Found]) -> Cluster {
    let others = members.len() - 1;
    Cluster {
        name: name.to_owned(),
        servers: members.len() as u64,
        connections: members.iter().map(|found| found.stats.connections).sum(),
        missing_routes: members.iter().map(|found| others.saturating_sub(peers(found))).sum(),
        gateways: members.iter().flat_map(|found| &found.stats.gateways).map(|gateway| gateway.name.clone()).collect(),
    }
}
