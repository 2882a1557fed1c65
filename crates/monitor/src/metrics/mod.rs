//! `/metrics`: the numbers of a server in the text format of Prometheus, version 0.0.4.
//!
//! Those that the exporter for the reference takes from the views keep its names, `nats_varz_…` and so on, and its
//! label `server_id`, so that dashboards work; another prefix, such as the exporter's older `gnatsd`, can be asked for with
//! `?prefix=`. What only Martlet tells begins with `martlet_`.
//!
//! Invariant: the number of series does not depend on the number of connections or subscriptions, and of accounts, streams,
//! consumers and other servers only so many have their own.

mod jetstream;
mod links;
mod text;
mod varz;

use std::time::UNIX_EPOCH;

use crate::Monitor;
use crate::snapshot::{AccountTraffic, ByKind, ConnFilter};
use crate::views::{AccountStat, HealthzOptions, SubszOptions};
use text::{Kind, Text};

/// The format.
pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Accounts that have series of their own: the first ones with connections.
const MOST_ACCOUNTS: usize = 256;

/// Queues that have series of their own.
const MOST_QUEUES: usize = 256;

/// What the names of the views' numbers begin with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prefix(String);

/// A prefix that no name can begin with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid prefix {0:?}: it must be 1 to 32 letters, digits and underscores, and not begin with a digit")]
pub struct PrefixError(String);

impl Prefix {
    /// Reads it; `nats` when empty.
    pub fn parse(text: &str) -> Result<Self, PrefixError> {
        let fine = text.len() <= 32
            && !text.starts_with(|first: char| first.is_ascii_digit())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        match text {
            "" => Ok(Self::default()),
            text if fine => Ok(Self(text.into())),
            text => Err(PrefixError(text.into())),
        }
    }
}

impl Default for Prefix {
    fn default() -> Self {
        Self("nats".into())
    }
}

/// All metrics.
///
/// Visits every connection's numbers once, and nothing else that grows.
pub fn metrics(monitor: &Monitor, prefix: &Prefix) -> String {
    let mut text = Text::new();
    let id = monitor.server().identity().id;
    let server = [("server_id", id.as_str())];
    let names = Names { prefix: &prefix.0, server };
    up_and_health(&mut text, monitor, &names);
    varz::write(&mut text, &monitor.varz(), &names);
    connz(&mut text, monitor, &names);
    links::routes(&mut text, monitor, &names);
    links::gateways(&mut text, monitor, &names);
    links::leafs(&mut text, monitor, &names);
    links::comebacks(&mut text, monitor);
    subsz(&mut text, monitor, &names);
    jetstream::write(&mut text, monitor, &names);
    accounts(&mut text, monitor, &names);
    process(&mut text, monitor);
    own(&mut text, monitor);
    text.finish()
}

/// How the numbers of views are called.
struct Names<'a> {
    prefix: &'a str,
    server: [(&'static str, &'a str); 1],
}

impl Names<'_> {
    fn of(&self, view: &str, field: &str) -> String {
        format!("{}_{view}_{field}", self.prefix)
    }

    fn one(&self, text: &mut Text, view: &str, field: &str, kind: Kind, help: &str, value: impl Into<text::Value>) {
        text.family(&self.of(view, field), kind, help).sample(&self.server, value);
    }
}

fn up_and_health(text: &mut Text, monitor: &Monitor, names: &Names<'_>) {
    let up = format!("{}_up", names.prefix);
    text.family(&up, Kind::Gauge, "The server answers.").sample(&names.server, 1_u64);
    let healthy = monitor.healthz(&HealthzOptions::default()).status == "ok";
    let help = "0 when clients can be served, 1 otherwise.";
    names.one(text, "healthz", "status", Kind::Gauge, help, u64::from(!healthy));
}

/// Sums over open connections: gauges, since a connection that closes takes its numbers with it.
fn connz(text: &mut Text, monitor: &Monitor, names: &Names<'_>) {
    let open = monitor.server().connections(&ConnFilter::default()).unwrap_or_default();
    let sum = |number: fn(&crate::snapshot::ConnStats) -> u64| open.admitted.iter().map(number).sum::<u64>();
    for (field, help, value) in [
        ("num_connections", "Open connections.", open.admitted.len() as u64),
        ("total", "Open connections.", open.total as u64),
        ("offset", "Connections passed over.", 0),
        ("limit", "Connections counted at most.", open.total as u64),
        ("pending_bytes", "Bytes waiting to be written to open connections.", sum(|conn| conn.pending_bytes)),
        ("subscriptions", "Subscriptions of open connections.", sum(|conn| conn.subscriptions.into())),
        ("in_msgs", "Messages from connections that are open now.", sum(|conn| conn.in_msgs)),
        ("in_bytes", "Bytes from connections that are open now.", sum(|conn| conn.in_bytes)),
        ("out_msgs", "Messages to connections that are open now.", sum(|conn| conn.out_msgs)),
        ("out_bytes", "Bytes to connections that are open now.", sum(|conn| conn.out_bytes)),
    ] {
        names.one(text, "connz", field, Kind::Gauge, help, value);
    }
}

fn subsz(text: &mut Text, monitor: &Monitor, names: &Names<'_>) {
    let Ok(view) = monitor.subsz(&SubszOptions::default()) else { return };
    let stats = view.stats;
    let counter = Kind::Counter;
    for (field, kind, help, value) in [
        ("num_subscriptions", Kind::Gauge, "Subscriptions of all accounts.", stats.num_subscriptions),
        ("num_cache", Kind::Gauge, "Entries of the look-up caches.", stats.num_cache),
        ("num_inserts", counter, "Subscriptions added.", stats.num_inserts),
        ("num_removes", counter, "Subscriptions removed.", stats.num_removes),
        ("num_matches", counter, "Look-ups of interest.", stats.num_matches),
        ("max_fanout", Kind::Gauge, "Most subscriptions that one cached entry reaches.", stats.max_fanout),
    ] {
        names.one(text, "subsz", field, kind, help, value);
    }
    let rate = "Part of the look-ups that a cache answered.";
    names.one(text, "subsz", "cache_hit_rate", Kind::Gauge, rate, stats.cache_hit_rate.0);
    let fanout = "Subscriptions that a cached entry reaches on average.";
    names.one(text, "subsz", "avg_fanout", Kind::Gauge, fanout, stats.avg_fanout.0);
}

/// The number of one account, as it is called and explained.
type AccountNumber = (&'static str, Kind, &'static str, fn(&AccountStat) -> u64);

const ACCOUNT_NUMBERS: [AccountNumber; 9] = [
    ("current_connections", Kind::Gauge, "Clients of the account.", |account| account.conns),
    ("total_connections", Kind::Gauge, "Clients and leaf nodes of the account.", |account| account.total_conns),
    ("subscriptions", Kind::Gauge, "Subscriptions of the account.", |account| account.num_subscriptions),
    ("leaf_nodes", Kind::Gauge, "Leaf nodes of the account.", |account| account.leafnodes),
    ("sent_messages", Kind::Counter, "Messages to the account's connections.", |account| account.sent.all.msgs),
    ("sent_bytes", Kind::Counter, "Bytes to the account's connections.", |account| account.sent.all.bytes),
    ("received_messages", Kind::Counter, "Messages from the account's connections.", |account| {
        account.received.all.msgs
    }),
    ("received_bytes", Kind::Counter, "Bytes from the account's connections.", |account| account.received.all.bytes),
    ("slow_consumers", Kind::Counter, "Slow consumers of the account.", |account| account.slow_consumers),
];

fn accounts(text: &mut Text, monitor: &Monitor, names: &Names<'_>) {
    let server = monitor.server();
    let all = server.traffic();
    let known = all.len() as u64;
    let used = |traffic: &AccountTraffic| traffic.connections > 0 || traffic.leafnodes > 0;
    let mut shown: Vec<AccountStat> = Vec::new();
    let mut in_use = 0_u64;
    for traffic in all.into_iter().filter(used) {
        in_use += 1;
        if shown.len() < MOST_ACCOUNTS {
            shown.push(traffic.into());
        }
    }
    for (field, kind, help, number) in ACCOUNT_NUMBERS {
        let mut family = text.family(&names.of("accstatz", field), kind, help);
        for account in &shown {
            let (id, name) = (account.acc.as_str(), account.name.as_str());
            let labels = [names.server[0], ("account", id), ("account_id", id), ("account_name", name)];
            family.sample(&labels, number(account));
        }
    }
    text.family("martlet_accounts", Kind::Gauge, "Accounts that the server knows.").sample(&[], known);
    let omitted = "Accounts with connections that have no series of their own here.";
    text.family("martlet_accounts_omitted", Kind::Gauge, omitted).sample(&[], in_use - shown.len() as u64);
}

fn process(text: &mut Text, monitor: &Monitor) {
    let usage = monitor.process().usage();
    let cpu = "Processor time of the process and of the kernel for it.";
    text.family("process_cpu_seconds_total", Kind::Counter, cpu).sample(&[], usage.cpu.as_secs_f64());
    for (name, help, value) in [
        ("process_resident_memory_bytes", "Memory in RAM.", Some(usage.resident_bytes)),
        ("process_virtual_memory_bytes", "Address space.", Some(usage.virtual_bytes)),
        ("process_open_fds", "Open file descriptors.", Some(usage.open_fds)),
        ("process_max_fds", "Most file descriptors.", usage.max_fds),
        ("process_threads", "Threads.", Some(usage.threads)),
        ("martlet_memory_limit_bytes", "Most memory that the container may use.", usage.memory_limit_bytes),
    ] {
        if let Some(value) = value {
            text.family(name, Kind::Gauge, help).sample(&[], value);
        }
    }
    if let Some(start) = usage.start.and_then(|start| start.duration_since(UNIX_EPOCH).ok()) {
        let help = "When the process started, in seconds since 1970.";
        text.family("process_start_time_seconds", Kind::Gauge, help).sample(&[], start.as_secs_f64());
    }
}

fn own(text: &mut Text, monitor: &Monitor) {
    let (identity, counters) = (monitor.server().identity(), monitor.server().counters());
    text.family("martlet_build_info", Kind::Gauge, "What is running.").sample(
        &[("version", identity.version.as_str()), ("commit", &identity.git_commit), ("server_name", &identity.name)],
        1_u64,
    );
    for (name, help, kinds) in [
        ("martlet_slow_consumers_total", "Connections closed as slow consumers.", counters.slow_consumers),
        ("martlet_stale_connections_total", "Connections closed as stale.", counters.stale_connections),
    ] {
        let ByKind { clients, routes, gateways, leafs } = kinds;
        let mut family = text.family(name, Kind::Counter, help);
        for (kind, value) in [("client", clients), ("route", routes), ("gateway", gateways), ("leafnode", leafs)] {
            family.sample(&[("kind", kind)], value);
        }
    }
    let [unauthorized, timed_out, connections] = monitor.http_numbers();
    for (name, kind, help, value) in [
        ("martlet_stalls_total", Kind::Counter, "How often a publisher was held up.", counters.stalled_clients),
        ("martlet_http_unauthorized_total", Kind::Counter, "Requests without the right credentials.", unauthorized),
        ("martlet_http_timeouts_total", Kind::Counter, "Exchanges given up as too slow.", timed_out),
        ("martlet_http_connections", Kind::Gauge, "Open monitoring connections.", connections),
    ] {
        text.family(name, kind, help).sample(&[], value);
    }
    let mut family = text.family("martlet_http_requests_total", Kind::Counter, "Requests, by endpoint.");
    for (endpoint, count) in monitor.requests().counts() {
        family.sample(&[("endpoint", &endpoint)], count);
    }
    let settings = monitor.server().settings();
    let certificate = settings.tls.and_then(|tls| tls.cert_not_after?.duration_since(UNIX_EPOCH).ok());
    if let Some(end) = certificate {
        let help = "When the certificate for clients ends, in seconds since 1970.";
        text.family("martlet_tls_cert_not_after_seconds", Kind::Gauge, help).sample(&[], end.as_secs_f64());
    }
    loops_and_queues(text, monitor);
}

fn loops_and_queues(text: &mut Text, monitor: &Monitor) {
    let loops = monitor.server().loops();
    for (name, kind, help, number) in [
        (
            "martlet_loop_connections",
            Kind::Gauge,
            "Connections that an event loop carries.",
            (|one| one.connections) as fn(&crate::snapshot::LoopSnapshot) -> u64,
        ),
        ("martlet_loop_pending_bytes", Kind::Gauge, "Bytes an event loop has yet to write.", |one| one.pending_bytes),
        ("martlet_loop_read_batches_total", Kind::Counter, "Batches an event loop has read.", |one| one.read_batches),
    ] {
        let mut family = text.family(name, kind, help);
        for (index, one) in loops.iter().enumerate() {
            family.sample(&[("loop", &index.to_string())], number(one));
        }
    }
    let mut family = text.family("martlet_queue_pending", Kind::Gauge, "Entries that wait in an internal queue.");
    for queue in monitor.server().queues().into_iter().take(MOST_QUEUES) {
        family.sample(&[("queue", &queue.name)], queue.pending);
    }
}

#[cfg(test)]
mod tests;
