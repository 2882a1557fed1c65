//! The server as a whole.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use martlet_broker::Peer;
use martlet_broker::broker::{self, Passed};
use martlet_config::options::{Tls, WriteTimeout};
use martlet_monitor::snapshot::{
    ByKind, Health, Identity, Listen, LoopSnapshot, ServerCounters, ServerSettings, TlsSettings,
};

use super::View;

impl View {
    pub(super) fn who(&self) -> Identity {
        let identity = self.broker.identity();
        let (settings, _) = self.broker.settings();
        Identity {
            id: identity.id.clone(),
            name: identity.name.clone(),
            version: identity.version.into(),
            proto: u32::try_from(settings.info.proto).unwrap_or(1),
            git_commit: identity.git_commit.into(),
            system_account: settings.system_account.as_deref().unwrap_or_default().into(),
        }
    }

    pub(super) fn told(&self) -> ServerSettings {
        let options = self.options.read().clone();
        let (settings, _) = self.broker.settings();
        let (info, timing) = (&settings.info, &settings.timing);
        let tls = options.tls.as_ref().map(|_| TlsSettings {
            required: info.tls_required,
            verify: info.tls_verify,
            cert_not_after: self.clients.tls().map(|policy| policy.server.not_after),
        });
        ServerSettings {
            auth_required: info.auth_required,
            tls,
            max_connections: settings.limits.max_connections,
            max_subscriptions: settings.limits.max_subscriptions,
            ping_interval: timing.ping_interval,
            ping_max: timing.ping_max,
            auth_timeout: settings.auth_timeout,
            tls_timeout: tls_timeout(options.tls.as_ref()),
            max_control_line: settings.limits.max_control_line,
            max_payload: settings.limits.max_payload,
            max_pending: settings.limits.max_pending,
            write_deadline: timing.write_deadline,
            write_timeout: match timing.write_timeout {
                WriteTimeout::Default => String::new(),
                WriteTimeout::Close => "close".into(),
                WriteTimeout::Retry => "retry".into(),
            },
            http_base_path: options.monitoring.base_path.clone(),
            start: self.start,
            config_load_time: options.since,
            config_digest: options.config_digest.clone(),
            tags: options.server_tags.clone(),
            metadata: options.server_metadata.clone(),
            // spec: NEW-026
            feature_flags: self.broker.site().about().feature_flags.clone(),
            trusted_proxies: Some(options.trusted_proxies.clone()).filter(|keys| !keys.is_empty()),
            cluster_name: self.shown_cluster(&options),
            cluster: self.cluster_settings(),
            gateway: self.gateway_settings(),
            leaf: self.leaf_settings(),
        }
    }

    /// The cluster that this server is in. One that only has hubs goes by its own name there, and is in none.
    fn shown_cluster(&self, options: &super::InForce) -> String {
        let joined = self.others.routes.is_some() || self.others.gateways.is_some();
        let settled = if joined { self.broker.site().about().cluster.clone() } else { options.cluster_name.clone() };
        settled.unwrap_or_default()
    }

    pub(super) fn addresses(&self) -> Listen {
        let options = self.options.read().clone();
        let (settings, _) = self.broker.settings();
        let info = self.broker.info(&settings);
        let monitoring = &options.monitoring.host;
        Listen {
            host: info.host,
            port: info.port,
            ip: info.ip,
            connect_urls: info.connect_urls,
            http_host: if monitoring.is_empty() { options.host.clone() } else { monitoring.clone() },
            http_port: options.monitoring.http_port,
            https_port: options.monitoring.https_port,
        }
    }

    pub(super) fn totals(&self) -> ServerCounters {
        let broker = &self.broker;
        let load = |number: &AtomicU64| number.load(Relaxed);
        let gone = |of: &Passed| [&of.in_msgs, &of.in_bytes, &of.out_msgs, &of.out_bytes].map(load);
        let (open, clients) = broker.registry.snapshot(|| gone(&broker.counters.clients));
        let (links, others) = broker.registry.snapshot_links(|| gone(&broker.counters.links));
        let [in_client_msgs, in_client_bytes, out_client_msgs, out_client_bytes] = traffic(&open, clients);
        let [in_link_msgs, in_link_bytes, out_link_msgs, out_link_bytes] = traffic(&links, others);
        let by_kind = |of: &broker::ByKind| ByKind {
            clients: load(&of.clients),
            routes: load(&of.routes),
            gateways: load(&of.gateways),
            leafs: load(&of.leafs),
        };
        ServerCounters {
            leafnodes: self.others.leafs.leafs.len() as u64,
            connections: open.len() as u64,
            total_connections: broker.registry.total(),
            in_msgs: in_client_msgs + in_link_msgs,
            in_bytes: in_client_bytes + in_link_bytes,
            in_client_msgs,
            in_client_bytes,
            out_msgs: out_client_msgs + out_link_msgs,
            out_bytes: out_client_bytes + out_link_bytes,
            out_client_msgs,
            out_client_bytes,
            slow_consumers: by_kind(&broker.counters.slow_consumers),
            stale_connections: by_kind(&broker.counters.stale_connections),
            stalled_clients: load(&broker.counters.stalls),
            subscriptions: broker.accounts.all().iter().map(|account| account.interest.len() as u64).sum(),
            // Only accounts of operators can be pinned.
            pinned_account_fails: 0,
        }
    }

    /// A server in lame duck mode serves those it has, and takes nobody else.
    pub(super) fn readiness(&self) -> Health {
        let listens = self.address.is_some() || self.options.read().dont_listen;
        if listens && !self.broker.is_lame_duck() { Health::Ready } else { Health::NotReady(vec!["server".into()]) }
    }

    pub(super) fn loads(&self) -> Vec<LoopSnapshot> {
        let mut loops: Vec<_> = self
            .loops
            .loads()
            .into_iter()
            .map(|load| LoopSnapshot {
                connections: load.connections,
                pending_bytes: 0,
                read_batches: load.read_batches,
            })
            .collect();
        for peer in self.broker.registry.all() {
            if let Some(home) = loops.get_mut(peer.home()) {
                home.pending_bytes += peer.outbox.pending() as u64;
            }
        }
        loops
    }
}

/// Messages and bytes in and out of `open` connections and of those that are `gone`.
fn traffic(open: &[Arc<Peer>], mut gone: [u64; 4]) -> [u64; 4] {
    for peer in open {
        let out = peer.outbox.totals();
        let (in_msgs, in_bytes) = (peer.counters.in_msgs.load(Relaxed), peer.counters.in_bytes.load(Relaxed));
        for (sum, more) in gone.iter_mut().zip([in_msgs, in_bytes, out.messages, out.bytes]) {
            *sum += more;
        }
    }
    gone
}

/// The time a handshake may take; what it would be by default where there is none.
fn tls_timeout(tls: Option<&Tls>) -> Duration {
    tls.map_or_else(|| Tls::default().timeout, |tls| tls.timeout)
}
