//! Publishes what the system account hears: what happened to clients as soon as it did, and the server's numbers now and then.

use std::sync::Arc;
use std::time::Duration;

use martlet_broker::Broker;
use martlet_broker::account::GLOBAL;
use martlet_broker::events::{ByKind, Count, GatewayStat, RouteStat, ServerStats};
use martlet_broker::json::Written;
use martlet_monitor::views::JetStreamVarz;
use martlet_monitor::{Monitor, snapshot};
use martlet_net::clock;
use tokio::sync::Notify;
use tokio::time::{Instant, interval, sleep_until};

/// When a server first tells its numbers.
const FIRST_STATISTICS: Duration = Duration::from_millis(250);
/// The next time; from then on the pause doubles up to the longest.
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);
/// The pause between numbers of a server that has been up for a while.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Publishes events for as long as it is polled.
// spec: CLU-094
pub(crate) async fn publish(broker: Arc<Broker>, monitor: Arc<Monitor>, happened: Arc<Notify>) {
    let mut second = interval(Duration::from_secs(1));
    let mut pause = SHORTEST_PAUSE;
    let mut statistics_due = Instant::now() + FIRST_STATISTICS;
    loop {
        tokio::select! {
            () = happened.notified() => broker.publish_events(clock::now()),
            _ = second.tick() => {
                broker.publish_events(clock::now());
                broker.forget_silent_servers(clock::now());
            }
            () = sleep_until(statistics_due) => {
                statistics_due += pause;
                pause = (pause * 2).min(LONGEST_PAUSE);
                broker.publish_statistics(clock::now(), || statistics(&broker, &monitor));
            }
        }
    }
}

/// What is to be called when something happened that [`publish`] publishes.
pub(crate) fn notice(broker: &Broker) -> Arc<Notify> {
    let happened = Arc::new(Notify::new());
    let notify = happened.clone();
    broker.on_events(move || notify.notify_one());
    happened
}

/// The numbers of this server as they are now.
// spec: CLU-095
pub(crate) fn statistics(broker: &Broker, monitor: &Monitor) -> ServerStats {
    let (server, usage) = (monitor.server(), monitor.process().usage());
    let (counters, start) = (server.counters(), server.settings().start);
    ServerStats {
        start: clock::wall_time(start),
        mem: usage.resident_bytes,
        cores: usage.cores,
        cpu: usage.cpu_percent,
        connections: counters.connections,
        total_connections: counters.total_connections,
        active_accounts: active_accounts(broker, counters.connections),
        subscriptions: counters.subscriptions,
        sent: Count { msgs: counters.out_msgs, bytes: counters.out_bytes },
        sent_to_clients: Count { msgs: counters.out_client_msgs, bytes: counters.out_client_bytes },
        received: Count { msgs: counters.in_msgs, bytes: counters.in_bytes },
        received_from_clients: Count { msgs: counters.in_client_msgs, bytes: counters.in_client_bytes },
        slow_consumers: sum(&counters.slow_consumers),
        slow_consumer_stats: by_kind(&counters.slow_consumers),
        stale_connections: sum(&counters.stale_connections),
        stale_connection_stats: by_kind(&counters.stale_connections),
        stalled_clients: counters.stalled_clients,
        routes: server.routes(false).routes.into_iter().map(route_stat).collect(),
        gateways: gateway_stats(server.gateways(false)),
        active_servers: 1 + u32::try_from(broker.servers.len()).unwrap_or(u32::MAX - 1),
        jetstream: server.jetstream().map(|of| Written::of(&JetStreamVarz::from(of).for_others())),
        gomaxprocs: usage.parallelism,
    }
}

fn route_stat(route: snapshot::RouteSnapshot) -> RouteStat {
    let link = route.link;
    RouteStat {
        rid: link.cid,
        name: route.remote_name,
        sent: Count { msgs: link.out_msgs, bytes: link.out_bytes },
        received: Count { msgs: link.in_msgs, bytes: link.in_bytes },
        pending: link.pending,
    }
}

/// Messages go out over the one connection that this server made, and come in over those that were made to it.
fn gateway_stats(list: snapshot::GatewayList) -> Vec<GatewayStat> {
    let of = |out: snapshot::GatewaySnapshot| {
        let back = || list.inbound.iter().filter(|inbound| inbound.cluster == out.cluster).map(|inbound| &inbound.link);
        GatewayStat {
            gwid: out.link.cid,
            sent: Count { msgs: out.link.out_msgs, bytes: out.link.out_bytes },
            received: Count {
                msgs: back().map(|link| link.in_msgs).sum(),
                bytes: back().map(|link| link.in_bytes).sum(),
            },
            inbound_connections: back().count(),
            name: out.cluster,
        }
    };
    list.outbound.into_iter().map(of).collect()
}

/// Accounts with connections; those in no account yet are the global one's.
fn active_accounts(broker: &Broker, connections: u64) -> usize {
    let accounts = broker.accounts.all();
    let open: Vec<_> = accounts.iter().map(|account| (account.name(), u64::from(account.connections()))).collect();
    let in_none = connections > open.iter().map(|(_, open)| open).sum();
    open.iter().filter(|(name, open)| *open > 0 || (in_none && ***name == *GLOBAL)).count()
}

fn sum(of: &snapshot::ByKind) -> u64 {
    of.clients + of.routes + of.gateways + of.leafs
}

fn by_kind(of: &snapshot::ByKind) -> ByKind {
    ByKind { clients: of.clients, routes: of.routes, gateways: of.gateways, leafs: of.leafs }
}
