//! `/varz`: the server as a whole.

mod links;
mod sections;

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use serde::Serialize;

use super::JetStreamVarz;
use super::format::{Number, Timestamp};
use crate::Observe;
use crate::process::Usage;

use links::{ClusterOptions, GatewayOptions, LeafOptions};
use sections::{About, Clients, Configured, Limits, Monitoring, Process, Proxies, Sessions, Traffic, Trouble, Writing};

/// The answer. Sizes are bytes, intervals nanoseconds, timeouts seconds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Varz {
    #[serde(flatten)]
    pub(crate) about: About,
    #[serde(flatten)]
    pub(crate) clients: Clients,
    #[serde(flatten)]
    pub(crate) sessions: Sessions,
    #[serde(flatten)]
    pub(crate) monitoring: Monitoring,
    #[serde(flatten)]
    pub(crate) limits: Limits,
    pub(crate) cluster: ClusterOptions,
    pub(crate) gateway: GatewayOptions,
    pub(crate) leaf: LeafOptions,
    pub(crate) mqtt: Unconfigured,
    pub(crate) websocket: Unconfigured,
    pub(crate) jetstream: JetStreamVarz,
    #[serde(flatten)]
    pub(crate) writing: Writing,
    #[serde(flatten)]
    pub(crate) process: Process,
    #[serde(flatten)]
    pub(crate) traffic: Traffic,
    pub(crate) http_req_stats: BTreeMap<String, u64>,
    #[serde(flatten)]
    pub(crate) configured: Configured,
    #[serde(flatten)]
    pub(crate) trouble: Trouble,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) proxies: Option<Proxies>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tls_cert_not_after: Option<Timestamp>,
}

/// A part of the server that is not configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub(crate) struct Unconfigured {}

/// Answers.
// spec: CLI-010 CLU-101 SEC-073
pub fn varz(server: &dyn Observe, now: SystemTime, usage: &Usage, http_req_stats: BTreeMap<String, u64>) -> Varz {
    let jetstream = server.jetstream();
    let disk_waits = jetstream.as_ref().map(|of| of.disk_waits).unwrap_or_default();
    let routes = server.routes(false).routes;
    let (identity, settings, listen, counters) =
        (server.identity(), server.settings(), server.listen(), server.counters());
    Varz {
        about: About::new(&identity),
        clients: Clients::new(&listen, &settings),
        sessions: Sessions::new(&settings),
        monitoring: Monitoring::new(&listen, &settings),
        limits: Limits::new(&settings),
        writing: Writing::new(&settings),
        process: Process::new(settings.start, now, usage),
        traffic: Traffic::new(&counters, &routes),
        http_req_stats,
        configured: Configured::new(&settings, &identity),
        trouble: Trouble::new(&counters, disk_waits),
        cluster: ClusterOptions::new(settings.cluster_name, settings.cluster),
        gateway: settings.gateway.map(Into::into).unwrap_or_default(),
        leaf: settings.leaf.into(),
        mqtt: Unconfigured {},
        websocket: Unconfigured {},
        jetstream: jetstream.map(Into::into).unwrap_or_default(),
        proxies: settings.trusted_proxies.map(Proxies::new),
        tls_cert_not_after: settings.tls.and_then(|tls| tls.cert_not_after).map(Timestamp),
    }
}

fn seconds(span: Duration) -> Number {
    Number(span.as_secs_f64())
}
