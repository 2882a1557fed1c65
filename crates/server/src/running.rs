//! What a running server does at the process's request: reload, lame duck, shutdown.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use martlet_broker::Broker;
use martlet_broker::events::ServerEvent;
use martlet_broker::peer::{Control, Peer, Receipt};
use martlet_config::Options;
use martlet_config::reload::{Change, TlsChange};
use martlet_net::clock;
use martlet_proto::ClosedReason;
use tokio::sync::watch;
use tokio::time::sleep;

use crate::jetstream::JetStream;
use crate::links::{GatewayLinks, LeafLinks, RouteLinks, addresses};
use crate::process::{Listening, Running};
use crate::server::{Phase, Server, policy};
use crate::views::InForce;

/// How long connections may take to end when the server stops.
const FAREWELL: Duration = Duration::from_secs(2);
/// How long a reload waits for connections to take it up: each needs a moment, many a little longer.
const TAKING_UP: Duration = Duration::from_secs(2);
/// How often to look whether they have.
const LOOK: Duration = Duration::from_millis(2);

impl Server {
    /// Asks every connection to close.
    // spec: CORE-144
    pub(crate) fn close_all(&self) {
        let first = self.phase.send_if_modified(|phase| {
            let earlier = *phase < Phase::Stopping;
            *phase = (*phase).max(Phase::Stopping);
            earlier
        });
        if first {
            self.broker.publish_server_event(ServerEvent::Shutdown, clock::now());
            if let Some(jetstream) = self.jetstream.get() {
                jetstream.announce_shutdown();
            }
        }
        if let Some(routes) = &self.others.routes {
            routes.routes.stop();
        }
        self.others.leafs.leafs.stop();
        if let Some(gateways) = &self.others.gateways {
            gateways.gateways.stop();
        }
        close_all(&self.broker);
    }

    /// Stops: has every connection closed, and returns when nothing is left. It waits for that, so async code has to call
    /// it on a thread of its own; to drop the server does not wait.
    pub fn stop(self) {
        Running::shutdown(&self);
        Running::wait(&self);
    }

    /// Puts new options in force, all of them or, with an error, none.
    pub fn reload(&self, options: &Options, changes: &[Change]) -> Result<(), String> {
        // Read before anything changes: a file that is gone or broken refuses the whole reload.
        let fresh = options.tls.as_ref().map(|block| policy(block, options.switches.allow_non_tls));
        let fresh = fresh.transpose().map_err(|e| e.to_string())?;
        let fresh_leafs = LeafLinks::check(options).map_err(|e| e.to_string())?;
        let fresh_routes = RouteLinks::check(options).map_err(|e| e.to_string())?;
        let fresh_gateways = GatewayLinks::check(options).map_err(|e| e.to_string())?;
        let fresh_streams = match self.jetstream.get() {
            None => JetStream::prepare(options, &self.broker).map_err(|e| e.to_string())?,
            Some(_) => None,
        };
        let port = self.address.map_or(0, |a| a.port());
        let last = self.broker.accounts.all().iter().map(|account| account.id()).max();
        let (receipt, taken_up) = mpsc::channel::<Infallible>();
        let receipt: Receipt = Arc::new(receipt);
        self.broker.reconfigure(options, port, &receipt).map_err(|e| e.to_string())?;
        drop(receipt);
        if let Some(gateways) = &self.others.gateways {
            gateways.reload(options, fresh_gateways, changes);
        }
        self.clients.set_tls(fresh);
        self.jetstream.reload(options, fresh_streams);
        self.others.leafs.reload(options, fresh_leafs);
        if let Some(routes) = &self.others.routes {
            routes.reload(options, fresh_routes, changes, port);
        }
        *self.options.write() = InForce::now(options);
        for account in self.broker.accounts.all() {
            if Some(account.id()) > last {
                self.broker.ask_connections(account.name(), clock::now());
            }
        }
        for change in changes {
            self.enforce(change);
        }
        // Whoever is told that the reload is done finds the subscriptions of every connection as the new options have them.
        // spec: CFG-021
        if taken_up.recv_timeout(TAKING_UP) == Err(RecvTimeoutError::Timeout) {
            log::warn!("Connections are still taking up the configuration");
        }
        Ok(())
    }

    /// Closes the connections that a change leaves no room for.
    fn enforce(&self, change: &Change) {
        let close = |peers: &[Arc<Peer>], reason, text| {
            for peer in peers {
                peer.request(Control::Close(reason, text));
            }
        };
        match change {
            // spec: CFG-048
            Change::MaxConnections(max) => {
                let open = self.broker.registry.all();
                let keep = usize::try_from(*max).unwrap_or(0).min(open.len());
                close(&open[keep..], ClosedReason::MaxConnectionsExceeded, Some("maximum connections exceeded"));
            }
            // spec: CFG-022
            Change::Tls(TlsChange::PinnedCerts(pinned)) if !pinned.is_empty() => {
                let mut open = self.broker.registry.all();
                open.retain(|peer| !is_pinned(peer, pinned));
                close(&open, ClosedReason::TlsHandshakeError, None);
            }
            _ => {}
        }
    }
}

/// The URLs by which a listener is reached: by all addresses of the machine where it listens on all.
// spec: CORE-162
fn urls(scheme: &str, listener: Option<SocketAddr>) -> Vec<String> {
    let Some(listener) = listener else { return Vec::new() };
    let all = if listener.ip().is_unspecified() { addresses::own(listener.port()) } else { Vec::new() };
    let all = if all.is_empty() { vec![listener] } else { all };
    all.iter().map(|address| format!("{scheme}://{address}")).collect()
}

pub(crate) fn is_pinned(peer: &Peer, pinned: &[String]) -> bool {
    let description = peer.description();
    let leaf = description.tls.as_ref().and_then(|tls| tls.peer_certs.first());
    leaf.is_some_and(|(_, spki, _)| pinned.contains(spki))
}

impl Running for Server {
    fn name(&self) -> String {
        self.broker.identity().name.clone()
    }

    fn id(&self) -> String {
        self.broker.identity().id.clone()
    }

    fn listening(&self) -> Listening {
        let options = self.options.read().clone();
        let shown = |host: &str| if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
        let monitoring = self.monitoring.as_ref();
        let mut pages = urls("http", monitoring.and_then(|m| m.http));
        pages.extend(urls("https", monitoring.and_then(|m| m.https)));
        let scheme = if options.tls.is_some() { "tls" } else { "nats" };
        Listening {
            clients: self.address.map(|a| format!("{}:{}", shown(&options.host), a.port())),
            nats: urls(scheme, self.address),
            monitoring: pages,
            cluster: urls("nats", self.others.routes.as_ref().map(|routes| routes.address)),
            ..Listening::default()
        }
    }

    fn reload(&self, options: &Options, changes: &[Change]) -> Result<(), String> {
        Self::reload(self, options, changes)
    }

    // spec: CORE-142
    fn lame_duck(&self) {
        let open = |phase: &mut Phase| {
            let open = *phase == Phase::Open;
            if open {
                *phase = Phase::LameDuck;
            }
            open
        };
        if !self.phase.send_if_modified(open) {
            return;
        }
        log::info!("Entering lame duck mode, stop accepting new clients");
        self.broker.set_lame_duck();
        self.broker.publish_server_event(ServerEvent::LameDuck, clock::now());
        self.broker.announce();
        if let Some(routes) = &self.others.routes {
            routes.routes.announce_lame_duck();
        }
        let timing = self.options.read().timing.clone();
        let spread = timing.lame_duck_duration.saturating_sub(timing.lame_duck_grace_period);
        self.runtime().spawn(send_away(self.broker.clone(), timing.lame_duck_grace_period, spread, self.phase.clone()));
    }

    fn is_lame_duck(&self) -> bool {
        self.broker.is_lame_duck()
    }

    fn shutdown(&self) {
        log::info!("Initiating Shutdown...");
        self.close_all();
        self.runtime().spawn(see_off(self.broker.clone(), self.phase.clone()));
    }

    fn wait(&self) {
        let mut phase = self.phase.subscribe();
        // The sender lives as long as this server.
        let _ = self.runtime().block_on(phase.wait_for(|phase| *phase == Phase::Stopped));
        if let Some(jetstream) = self.jetstream.get() {
            jetstream.close();
        }
        log::info!("Server Exiting..");
    }
}

/// Closes clients one after the other, at most one a second unless there are too many for that.
async fn send_away(broker: Arc<Broker>, grace: Duration, spread: Duration, phase: watch::Sender<Phase>) {
    let mut stopping = phase.subscribe();
    if !broker.registry.is_empty() {
        tokio::select! {
            () = sleep(grace) => {}
            _ = stopping.wait_for(|phase| *phase >= Phase::Stopping) => return,
        }
    }
    let peers = broker.registry.all();
    if !peers.is_empty() {
        log::info!("Closing existing clients");
    }
    let pause = spread.checked_div(u32::try_from(peers.len()).unwrap_or(u32::MAX)).unwrap_or_default();
    let pause = pause.min(Duration::from_secs(1));
    let batch =
        if pause < Duration::from_millis(1) { peers.len().div_ceil(1 + spread.as_millis() as usize) } else { 1 };
    for group in peers.chunks(batch.max(1)) {
        for peer in group {
            peer.request(Control::Close(ClosedReason::ServerShutdown, None));
        }
        tokio::select! {
            () = sleep(pause.max(Duration::from_millis(1)).mul_f32(0.5 + 0.5 * fastrand::f32())) => {}
            _ = stopping.wait_for(|phase| *phase >= Phase::Stopping) => return,
        }
    }
    log::info!("Initiating Shutdown...");
    close_all(&broker);
    phase.send_replace(Phase::Stopping);
    see_off(broker, phase).await;
}

/// Asks every client and every link to close.
fn close_all(broker: &Broker) {
    for peer in broker.registry.all().into_iter().chain(broker.registry.links()) {
        peer.request(Control::Close(ClosedReason::ServerShutdown, None));
    }
}

/// Waits for the last connections to end.
async fn see_off(broker: Arc<Broker>, phase: watch::Sender<Phase>) {
    let ended = async {
        while !broker.registry.is_deserted() {
            sleep(LOOK).await;
        }
    };
    // Whoever has not ended by now is cut off with the process.
    let _ = tokio::time::timeout(FAREWELL, ended).await;
    phase.send_replace(Phase::Stopped);
}
