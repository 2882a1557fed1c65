//! The other clusters: where they are, the connections to and from them, and what is passed on of them.
//!
//! Invariants: at most one connection goes out to a cluster. A connection that came in and was taken in is told of all
//! interest there is, account by account, and of every change. Lock order: the mesh of routes, this, then ledgers, then
//! outboxes.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use hashbrown::HashMap;
use martlet_broker::Broker;
use martlet_broker::link::Link;
use martlet_broker::peer::Control;
use martlet_config::Options;
use martlet_config::options::LinkUrl;
use martlet_proto::ClosedReason;
use martlet_proto::Info;
use martlet_proto::link::GatewayCommand;
use parking_lot::Mutex;

use super::own::{Own, Place, info_line};
use super::remote::{AccountMode, Outbound, Remote};
use crate::orders::{GatewayDial, Order, Orders};
use crate::route::Routes;

/// The other clusters.
#[derive(Debug)]
pub struct Gateways {
    broker: Arc<Broker>,
    orders: Orders,
    own: Arc<Own>,
    /// The other members of this cluster.
    routes: OnceLock<Weak<Routes>>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    remotes: HashMap<Arc<str>, Remote>,
    inbound: Vec<Inbound>,
    /// Gateways of this cluster, and how many members tell of each.
    urls: BTreeMap<String, u32>,
    stopping: bool,
}

/// A connection from another cluster.
#[derive(Debug)]
struct Inbound {
    link: Arc<Link>,
    cluster: String,
    id: String,
    server_name: String,
}

/// A connection to another cluster as monitoring shows it.
#[derive(Debug, Clone)]
pub struct OutboundSummary {
    /// The cluster.
    pub cluster: Arc<str>,
    /// The connection.
    pub link: Arc<Link>,
    /// The id of the server at the other end.
    pub id: String,
    /// Its name.
    pub server_name: String,
    /// Whether the cluster is configured.
    pub is_configured: bool,
    /// What it has told of accounts.
    pub accounts: Vec<AccountMode>,
}

/// A connection from another cluster as monitoring shows it. It is told all interest of all accounts.
#[derive(Debug, Clone)]
pub struct InboundSummary {
    /// The cluster.
    pub cluster: String,
    /// The connection.
    pub link: Arc<Link>,
    /// The id of the server at the other end.
    pub id: String,
    /// Its name.
    pub server_name: String,
    /// Whether the cluster is configured.
    pub is_configured: bool,
}

/// Clusters heard of: whoever is told of more is being flooded.
const CLUSTERS: usize = 1024;
/// Configured clusters are connected to a little after the start: others may be starting as well.
const SOLICIT: Duration = Duration::from_secs(1);
/// The pause before a configured connection is made again.
const RECONNECT: Duration = Duration::from_secs(1);

impl Gateways {
    /// No connections yet.
    // spec: CFG-166
    pub fn new(broker: Arc<Broker>, orders: Orders, options: &Options, place: &Place) -> Self {
        let own = Arc::new(Own::new(&broker, options, place));
        broker.site().join_super_cluster(own.name());
        let others = own.options.remotes.iter().filter(|remote| remote.name != own.name());
        let remotes = others.map(|remote| (Arc::from(&*remote.name), Remote::configured(remote))).collect();
        let urls = BTreeMap::from([(own.info.gateway_url.clone(), 1)]);
        let state = Mutex::new(State { remotes, urls, ..State::default() });
        Self { broker, orders, own, routes: OnceLock::new(), state }
    }

    /// What this server says of itself, and the options in force.
    pub fn own(&self) -> &Arc<Own> {
        &self.own
    }

    /// The other members of this cluster hear of other clusters, and tell of them.
    pub fn join(self: &Arc<Self>, routes: &Arc<Routes>) {
        self.routes.get_or_init(|| Arc::downgrade(routes));
        routes.pass_gateways_on(self);
    }

    fn routes(&self) -> Option<Arc<Routes>> {
        self.routes.get()?.upgrade()
    }

    /// INFO as it is now.
    pub(super) fn info(&self) -> Vec<u8> {
        self.info_of(&self.state.lock())
    }

    fn info_of(&self, state: &State) -> Vec<u8> {
        info_line(&Info { gateway_urls: state.urls.keys().cloned().collect(), ..self.own.info.clone() })
    }

    /// Connects to the configured clusters.
    // spec: CLU-043
    pub fn solicit(&self) {
        let names: Vec<_> = self.state.lock().remotes.keys().cloned().collect();
        for cluster in names {
            self.order(GatewayDial { cluster, after: SOLICIT, again: false });
        }
    }

    fn order(&self, dial: GatewayDial) {
        if !self.state.lock().stopping {
            self.orders.give(Order::Gateway(dial));
        }
    }

    /// Servers of a cluster in any order; none if a connection is not wanted (any more).
    // spec: CLU-043
    pub fn urls(&self, cluster: &str, dice: &mut fastrand::Rng) -> Vec<LinkUrl> {
        let state = self.state.lock();
        let wanted = state.remotes.get(cluster).filter(|remote| !state.stopping && remote.outbound.is_none());
        let mut urls = wanted.map(|remote| remote.urls().to_vec()).unwrap_or_default();
        dice.shuffle(&mut urls);
        urls
    }

    /// `host:port` of a cluster's servers, as far as they are known.
    pub fn addresses(&self, cluster: &str) -> Option<Vec<String>> {
        self.state.lock().remotes.get(cluster).map(Remote::addresses)
    }

    /// Whether a cluster is configured, and not only heard of.
    pub fn is_configured(&self, cluster: &str) -> bool {
        self.state.lock().remotes.get(cluster).is_some_and(|remote| remote.configured.is_some())
    }

    /// Whether connections to a cluster are encrypted: by its own `tls` block, or by the gateway's.
    pub(crate) fn is_encrypted(&self, cluster: &str) -> bool {
        self.own.options.tls.is_some() || self.state.lock().remotes.get(cluster).is_some_and(Remote::has_tls)
    }

    /// A name by which servers of a cluster are known, for those of whom only the address is.
    pub fn host_name(&self, cluster: &str) -> Option<String> {
        let is_name = |url: &&LinkUrl| url.host.parse::<std::net::IpAddr>().is_err();
        self.state.lock().remotes.get(cluster)?.urls().iter().find(is_name).map(|url| url.host.clone())
    }

    /// A cluster that was heard of is given up, unless one of its servers is connected to this one; whether it is.
    pub fn give_up(&self, cluster: &str) -> bool {
        let mut state = self.state.lock();
        let heard_of = state.remotes.get(cluster).is_some_and(|r| r.configured.is_none() && r.outbound.is_none());
        let gone = heard_of && !state.inbound.iter().any(|inbound| inbound.cluster == cluster);
        if gone {
            state.remotes.remove(cluster);
        }
        gone
    }

    /// Whether connections of a cluster are refused.
    // spec: CLU-041
    pub(super) fn is_unwelcome(&self, cluster: &str) -> bool {
        self.own.options.reject_unknown && !self.state.lock().remotes.contains_key(cluster)
    }

    /// Whether a server in this cluster has that name.
    // spec: CLU-009
    pub(super) fn is_namesake(&self, name: &str) -> bool {
        self.own.info.server_name == name || self.routes().is_some_and(|routes| routes.has_member(name))
    }

    /// A connection to a cluster is up; `None` if there is one already.
    pub(super) fn join_outbound(&self, cluster: &str, link: &Arc<Link>, info: &Info) -> Option<Arc<Outbound>> {
        let mut state = self.state.lock();
        if state.stopping {
            return None;
        }
        let remote = state.remotes.get_mut(cluster)?;
        if remote.outbound.is_some() {
            return None;
        }
        let outbound = Arc::new(Outbound::new(link.clone(), info));
        remote.outbound = Some(outbound.clone());
        if let Some(home) = self.broker.site().super_cluster() {
            home.add_outbound(cluster, link);
        }
        Some(outbound)
    }

    /// What a cluster tells of its servers, passed on within this one.
    // spec: CLU-043 CLU-197
    pub(super) fn learn(&self, cluster: &str, info: &Info) {
        if !info.gateway_urls.is_empty()
            && let Some(remote) = self.state.lock().remotes.get_mut(cluster)
        {
            remote.update(&info.gateway_urls);
        }
        if let Some(routes) = self.routes() {
            routes.tell_members(&self.own.gossip(true, cluster, info.gateway_urls.clone()));
        }
    }

    /// A connection from a cluster is up: it is told of all interest and of the other clusters.
    // spec: CLU-042 CLU-044 CLU-199
    pub(super) fn join_inbound(&self, link: &Arc<Link>, info: &Info) {
        {
            let mut state = self.state.lock();
            let inbound = Inbound {
                link: link.clone(),
                cluster: info.gateway.clone(),
                id: info.server_id.clone(),
                server_name: info.server_name.clone(),
            };
            state.inbound.push(inbound);
            if state.stopping {
                link.peer.request(Control::Close(ClosedReason::ServerShutdown, None));
            }
        }
        self.heard_of(info);
        {
            let state = self.state.lock();
            for (name, remote) in state.remotes.iter().filter(|(name, _)| ***name != *info.gateway) {
                link.say(&self.own.gossip(false, name, remote.addresses()));
            }
        }
        self.tell_accounts(link);
    }

    /// Another cluster is told of all interest in accounts that it has not been told of.
    // spec: CLU-042 CLU-044
    pub(super) fn tell_accounts(&self, link: &Arc<Link>) {
        for account in self.broker.accounts.all() {
            if account.ledger.is_attached(link) {
                continue;
            }
            link.say(&self.own.command(GatewayCommand::AllSubsStart, account.name()));
            account.ledger.attach(account.name(), link);
            link.say(&self.own.command(GatewayCommand::AllSubsComplete, account.name()));
        }
    }

    /// There is a cluster: it is connected to.
    // spec: CLU-043
    pub(crate) fn heard_of(&self, info: &Info) {
        let name = &*info.gateway;
        if name == self.own.name() || name.is_empty() {
            return;
        }
        {
            let mut state = self.state.lock();
            if let Some(remote) = state.remotes.get_mut(name) {
                return remote.add(&info.gateway_urls);
            }
            let Some(remote) = Remote::heard_of(&info.gateway_urls).filter(|_| state.remotes.len() < CLUSTERS) else {
                return;
            };
            state.remotes.insert(name.into(), remote);
        }
        self.order(GatewayDial { cluster: name.into(), after: Duration::ZERO, again: false });
    }

    /// A connection is over. One that went out is made again, after a time that `dice` make a little random.
    pub(super) fn leave(&self, link: &Arc<Link>) {
        if let Some(home) = self.broker.site().super_cluster() {
            home.remove_outbound(link);
        }
        for account in self.broker.accounts.all() {
            account.ledger.detach(link);
        }
        let mut state = self.state.lock();
        state.inbound.retain(|inbound| !Arc::ptr_eq(&inbound.link, link));
        for remote in state.remotes.values_mut() {
            if remote.outbound.as_ref().is_some_and(|outbound| Arc::ptr_eq(&outbound.link, link)) {
                remote.outbound = None;
            }
        }
    }

    /// Connects again to a cluster.
    pub(super) fn reconnect(&self, cluster: Arc<str>, dice: &mut fastrand::Rng) {
        let mut after = Duration::from_millis(dice.u64(0..100));
        if self.is_configured(&cluster) {
            after += RECONNECT;
        }
        self.order(GatewayDial { cluster, after, again: true });
    }

    /// A member of this cluster has come, with that gateway: it hears of the clusters this server is connected to, and
    /// they of it.
    // spec: CLU-197
    pub(crate) fn member_joined(&self, link: &Link, url: &str) {
        let mut state = self.state.lock();
        if !url.is_empty() {
            let members = state.urls.entry(url.to_owned()).or_insert(0);
            *members += 1;
            if *members == 1 {
                self.tell_inbound(&state);
            }
        }
        for (name, remote) in state.remotes.iter().filter(|(_, remote)| remote.outbound.is_some()) {
            link.say(&self.own.gossip(true, name, remote.addresses()));
        }
    }

    /// A member of this cluster has gone.
    pub(crate) fn member_left(&self, url: &str) {
        let mut state = self.state.lock();
        let Some(members) = state.urls.get_mut(url) else { return };
        *members -= 1;
        if *members == 0 {
            state.urls.remove(url);
            if !state.stopping {
                self.tell_inbound(&state);
            }
        }
    }

    fn tell_inbound(&self, state: &State) {
        let line = self.info_of(state);
        for inbound in &state.inbound {
            inbound.link.say(&line);
        }
    }

    /// Nothing is connected any more, and connections that end are not made again.
    pub fn stop(&self) {
        self.state.lock().stopping = true;
    }

    /// The connections to other clusters, by their names.
    pub fn outbound(&self) -> Vec<OutboundSummary> {
        let state = self.state.lock();
        let summary = |(cluster, remote): (&Arc<str>, &Remote)| {
            let outbound = remote.outbound.as_ref()?;
            Some(OutboundSummary {
                cluster: cluster.clone(),
                link: outbound.link.clone(),
                id: outbound.id.clone(),
                server_name: outbound.server_name.clone(),
                is_configured: remote.configured.is_some(),
                accounts: outbound.modes(),
            })
        };
        let mut all: Vec<_> = state.remotes.iter().filter_map(summary).collect();
        all.sort_by(|a, b| a.cluster.cmp(&b.cluster));
        all
    }

    /// The connections from other clusters, in the order they came.
    pub fn inbound(&self) -> Vec<InboundSummary> {
        let state = self.state.lock();
        let summary = |inbound: &Inbound| InboundSummary {
            cluster: inbound.cluster.clone(),
            link: inbound.link.clone(),
            id: inbound.id.clone(),
            server_name: inbound.server_name.clone(),
            is_configured: state.remotes.get(&*inbound.cluster).is_some_and(|remote| remote.configured.is_some()),
        };
        state.inbound.iter().map(summary).collect()
    }
}
