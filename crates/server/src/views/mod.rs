//! What the monitor may see of a running server, as plain values.
//!
//! | module | what lives there |
//! |---|---|
//! | `whole` | the server: identity, settings, addresses, totals, health, loops |
//! | `conns` | its connections, open and closed |
//! | `links` | connections to other members of the cluster |
//! | `gateways` | connections to and from other clusters |
//! | `leafs` | leaf node links |
//! | `subs` | subscriptions and the numbers of interest |
//! | `accounts` | its accounts and what went through them |
//!
//! Invariant: nothing is changed here, and no lock that messages wait for is held longer than it takes to copy.

mod accounts;
mod conns;
mod gateways;
mod leafs;
mod links;
mod subs;
mod whole;

use std::net::SocketAddr;
use std::ops::Deref;
use std::sync::Arc;
use std::time::SystemTime;

use martlet_broker::Broker;
use martlet_config::Options;
use martlet_monitor::Observe;
use martlet_monitor::snapshot::{
    AccountSnapshot, AccountTraffic, ClosedList, ComebackSnapshot, ConnDetail, ConnFilter, ConnList, Found,
    GatewayList, Health, Identity, InterestStats, JetStreamAccount, JetStreamSnapshot, JetStreamTotals, JetStreamWant,
    LeafSnapshot, Listen, LoopSnapshot, QueueSnapshot, RouteList, ServerCounters, ServerSettings, StreamFault, SubRef,
    Want,
};
use martlet_net::{Clients, Loops};
use parking_lot::RwLock;

use crate::jetstream::Switch;
use crate::links::{GatewayLinks, LeafLinks, RouteLinks};

use crate::services::{Queue, Queues};

/// A running server as the monitor sees it.
#[derive(Debug)]
pub(crate) struct View {
    broker: Arc<Broker>,
    loops: Arc<Loops>,
    clients: Arc<Clients>,
    options: Arc<RwLock<InForce>>,
    queues: Arc<Queues>,
    others: Others,
    jetstream: Switch,
    start: SystemTime,
    /// Where clients connect, if they can.
    address: Option<SocketAddr>,
}

/// Other servers, as far as this one is connected to them.
#[derive(Debug, Clone)]
pub(crate) struct Others {
    /// Members of the cluster, if there is one.
    pub(crate) routes: Option<Arc<RouteLinks>>,
    /// Other clusters, if there are any.
    pub(crate) gateways: Option<Arc<GatewayLinks>>,
    /// Leaf nodes, and hubs.
    pub(crate) leafs: Arc<LeafLinks>,
}

/// The options that a server runs by.
#[derive(Debug, Clone)]
pub(crate) struct InForce {
    options: Arc<Options>,
    since: SystemTime,
}

impl InForce {
    /// These, from now on.
    pub(crate) fn now(options: &Options) -> Self {
        Self { options: Arc::new(options.clone()), since: SystemTime::now() }
    }
}

impl Deref for InForce {
    type Target = Options;

    fn deref(&self) -> &Options {
        &self.options
    }
}

impl View {
    /// A view of the server that consists of `broker`, `loops` and `clients`, and started when `options` came into force;
    /// a reload replaces what is in there. It listens for clients on `address`.
    pub(crate) fn new(
        broker: Arc<Broker>,
        loops: Arc<Loops>,
        clients: Arc<Clients>,
        options: Arc<RwLock<InForce>>,
        queues: Arc<Queues>,
        others: Others,
        address: Option<SocketAddr>,
    ) -> Self {
        let start = options.read().since;
        Self { broker, loops, clients, options, queues, others, jetstream: Switch::default(), start, address }
    }

    /// The same with streams.
    pub(crate) fn with_streams(self, jetstream: Switch) -> Self {
        Self { jetstream, ..self }
    }
}

impl Observe for View {
    fn identity(&self) -> Identity {
        self.who()
    }

    fn settings(&self) -> ServerSettings {
        self.told()
    }

    fn listen(&self) -> Listen {
        self.addresses()
    }

    fn counters(&self) -> ServerCounters {
        self.totals()
    }

    fn health(&self) -> Health {
        self.readiness()
    }

    fn connections(&self, filter: &ConnFilter) -> Option<ConnList> {
        self.open_connections(filter)
    }

    fn connection_details(&self, cids: &[u64], want: Want) -> Vec<ConnDetail> {
        self.details(cids, want)
    }

    fn closed(&self, filter: &ConnFilter) -> ClosedList {
        self.closed_connections(filter)
    }

    fn visit_subscriptions(&self, account: Option<&str>, visit: &mut dyn FnMut(SubRef<'_>)) {
        self.each_subscription(account, visit);
    }

    fn interest(&self, account: Option<&str>) -> InterestStats {
        self.interest_of(account)
    }

    fn accounts(&self) -> Vec<String> {
        self.broker.accounts.all().iter().map(|account| account.name().to_string()).collect()
    }

    fn account(&self, name: &str) -> Option<AccountSnapshot> {
        self.broker.accounts.get(name).map(|account| self.account_of(&account))
    }

    fn account_traffic(&self, name: &str) -> Option<AccountTraffic> {
        let account = self.broker.accounts.get(name)?;
        self.traffic_of(&[account]).pop()
    }

    fn traffic(&self) -> Vec<AccountTraffic> {
        self.traffic_of(&self.broker.accounts.all())
    }

    fn routes(&self, listed: bool) -> RouteList {
        self.route_list(listed)
    }

    fn gateways(&self, accounts: bool) -> GatewayList {
        self.gateway_list(accounts)
    }

    fn queues(&self) -> Vec<QueueSnapshot> {
        let services = self.queues.all().map(Queue::snapshot);
        services.into_iter().chain(self.jetstream.get().into_iter().flat_map(|jetstream| jetstream.queues())).collect()
    }

    fn leafs(&self, subjects: bool) -> Vec<LeafSnapshot> {
        self.leaf_links(subjects)
    }

    fn comebacks(&self) -> Vec<ComebackSnapshot> {
        let all = self.broker.comebacks.all().into_iter();
        all.map(|of| ComebackSnapshot { kind: of.kind, name: of.name, again: of.again }).collect()
    }

    fn jetstream(&self) -> Option<JetStreamSnapshot> {
        let options = self.options.read().clone();
        self.jetstream.get().zip(options.jetstream.as_ref()).map(|(jetstream, block)| jetstream.snapshot(block))
    }

    fn jetstream_totals(&self) -> JetStreamTotals {
        self.jetstream.get().map(|jetstream| jetstream.totals()).unwrap_or_default()
    }

    fn jetstream_accounts(&self) -> Vec<String> {
        self.jetstream.get().map(|jetstream| jetstream.account_names()).unwrap_or_default()
    }

    fn jetstream_account(&self, account: &str, want: JetStreamWant) -> Option<JetStreamAccount> {
        self.jetstream.get()?.account(account, want)
    }

    fn find_stream(&self, account: &str, stream: &str, consumer: &str) -> Found {
        self.jetstream.get().map_or(Found::NoAccount, |jetstream| jetstream.find(account, stream, consumer))
    }

    fn stream_faults(&self) -> Vec<StreamFault> {
        self.jetstream.get().map(|jetstream| jetstream.faults()).unwrap_or_default()
    }

    fn loops(&self) -> Vec<LoopSnapshot> {
        self.loads()
    }
}
