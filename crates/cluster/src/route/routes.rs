//! The members of this server's cluster: connected to as configured and as heard of, told what all are to know, and left.
//!
//! Lock order: the mesh, then ledgers, then outboxes.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use martlet_broker::Broker;
use martlet_broker::link::Link;
use martlet_broker::peer::Control;
use martlet_config::Options;
use martlet_config::options::LinkUrl;
use martlet_proto::{ClosedReason, Info};
use parking_lot::{Mutex, RwLock};

use super::gossip;
use super::mesh::{Mesh, Slot, Summary};
use super::own::{Member, Own, info_line};
use crate::gateway::Gateways;
use crate::orders::{Dial, Dialled, Order, Orders};

/// The pause before a configured connection is made again.
const RECONNECT: Duration = Duration::from_secs(1);

/// The members of this server's cluster.
#[derive(Debug)]
pub struct Routes {
    pub(super) broker: Arc<Broker>,
    orders: Orders,
    pub(super) member: RwLock<Member>,
    pub(super) own: RwLock<Arc<Own>>,
    pub(super) mesh: Mutex<Mesh>,
    /// The other clusters, which members tell each other of.
    gateways: OnceLock<Arc<Gateways>>,
}

impl Routes {
    /// No other members yet. `name` is the cluster's, made up if `dynamic`.
    pub fn new(broker: Arc<Broker>, orders: Orders, options: &Options, member: Member, name: (&str, bool)) -> Self {
        let own = Own::new(&broker, options, &member, name);
        broker.set_cluster_name(name.0);
        let (member, own) = (RwLock::new(member), RwLock::new(Arc::new(own)));
        Self { broker, orders, member, own, mesh: Mutex::default(), gateways: OnceLock::new() }
    }

    /// What members tell of other clusters is theirs to know from now on.
    pub(crate) fn pass_gateways_on(&self, gateways: &Arc<Gateways>) {
        self.gateways.get_or_init(|| gateways.clone());
    }

    /// The other clusters, if there are any.
    pub(super) fn gateways(&self) -> Option<&Arc<Gateways>> {
        self.gateways.get()
    }

    /// Whether another member has that name.
    pub(crate) fn has_member(&self, name: &str) -> bool {
        self.mesh.lock().remotes.values().any(|remote| remote.name == name)
    }

    /// What this server says of itself, and the options in force.
    pub fn own(&self) -> Arc<Own> {
        self.own.read().clone()
    }

    /// Connects to the configured members.
    // spec: CLU-016 CLU-017
    pub fn solicit(&self) {
        self.connect_to(&self.own().options.routes);
    }

    /// Connects to these members, for all accounts.
    pub(super) fn connect_to(&self, urls: &[LinkUrl]) {
        let own = self.own();
        for url in urls {
            for account in std::iter::once(None).chain(own.pinned.iter().cloned().map(Some)) {
                let as_ = Dialled { url: url.clone(), explicit: true, account, gossip: gossip::DEFAULT };
                self.order(Dial { as_, after: Duration::ZERO, again: false });
            }
        }
    }

    pub(super) fn order(&self, dial: Dial) {
        if !self.mesh.lock().stopping {
            self.orders.give(Order::Route(dial));
        }
    }

    /// Whether a connection is still to be made: what is configured may have been taken out of the configuration.
    pub fn is_wanted(&self, dialled: &Dialled) -> bool {
        let own = self.own();
        let accounted = dialled.account.as_ref().is_none_or(|account| own.is_pinned(account));
        let mesh = self.mesh.lock();
        !mesh.stopping
            && accounted
            && (!dialled.explicit || own.options.routes.contains(&dialled.url))
            && !mesh.has_own(dialled)
    }

    /// A connection is over. What is to be connected again, if anything, after a time that `dice` make a little random.
    pub(super) fn leave(&self, link: &Arc<Link>, id: &str, reason: ClosedReason, dice: &mut fastrand::Rng) {
        let own = self.own();
        let mut mesh = self.mesh.lock();
        for account in self.broker.accounts.all() {
            account.ledger.detach(link);
        }
        let Some(slot) = mesh.take(link, id) else { return };
        if link.account.as_ref().is_some_and(|account| !own.is_pinned(account)) {
            self.attach_missing(&mesh, &own);
        }
        if mesh.remotes.get(id).is_some_and(|remote| remote.slots.iter().all(Option::is_none)) {
            if let (Some(remote), Some(gateways)) = (mesh.remotes.remove(id), self.gateways()) {
                gateways.member_left(&remote.gateway_url);
            }
            for to in mesh.moving.values_mut() {
                to.remove(id);
            }
            self.tell_connect_urls(&mesh, &own);
            self.tell_leafnode_urls(&mesh);
        }
        drop(mesh);
        if reason != ClosedReason::ServerShutdown
            && let Some(dialled) = slot.intent()
        {
            self.reconnect(dialled, dice);
        }
    }

    /// Connects again to where a connection was dialled to.
    pub(super) fn reconnect(&self, dialled: Dialled, dice: &mut fastrand::Rng) {
        // Two servers that have dialled each other and closed each other's connection do not meet like that twice.
        let mut after = Duration::from_millis(dice.u64(0..100));
        if dialled.explicit {
            after += RECONNECT;
        }
        let as_ = Dialled { gossip: gossip::DEFAULT, ..dialled };
        self.order(Dial { as_, after, again: true });
    }

    /// Has clients told where else they may connect to.
    // spec: CLU-023 CLU-024
    pub(super) fn tell_connect_urls(&self, mesh: &Mesh, own: &Own) {
        if own.options.no_advertise {
            return;
        }
        let here = self.member.read().connect_urls.clone();
        let mut others = Vec::new();
        for url in mesh.remotes.values().flat_map(|remote| &remote.connect_urls) {
            if !here.contains(url) && !others.contains(url) {
                others.push(url.clone());
            }
        }
        self.broker.set_connect_urls(here, others);
    }

    /// Has leaf nodes told where else they may connect to.
    // spec: CLU-052
    pub(super) fn tell_leafnode_urls(&self, mesh: &Mesh) {
        let mut urls: Vec<_> = mesh.remotes.values().flat_map(|remote| remote.leafnode_urls.iter().cloned()).collect();
        urls.sort_unstable();
        urls.dedup();
        self.broker.set_leafnode_urls(urls);
    }

    /// A member is about to go: clients are no longer told of it.
    pub(super) fn is_going(&self, id: &str) {
        let own = self.own();
        let mut mesh = self.mesh.lock();
        if let Some(remote) = mesh.remotes.get_mut(id) {
            remote.connect_urls.clear();
            self.tell_connect_urls(&mesh, &own);
        }
    }

    /// Somebody passes on that there is a server.
    // spec: CLU-021
    pub(super) fn heard_of(&self, info: &Info) {
        let own = self.own();
        let account = Some(info.route_account.as_str()).filter(|name| !name.is_empty());
        let known = {
            let mesh = self.mesh.lock();
            match account {
                Some(name) => mesh.pinned.get(name).is_some_and(|of| of.contains_key(&info.server_id)),
                None => mesh.remotes.contains_key(&info.server_id),
            }
        };
        let is_own = info.server_id == own.info.server_id;
        if known || is_own || account.is_some() && own.pool_size() == 0 || gossip::is_configured(&own.options, info) {
            return;
        }
        match gossip::url_of(info, &own.options.login) {
            Some(url) => {
                let account = account.map(Arc::from);
                let as_ = Dialled { url, explicit: false, account, gossip: info.gossip_mode };
                self.order(Dial { as_, after: Duration::ZERO, again: false });
            }
            None => log::error!("route {:?} of server {} cannot be connected to", info.ip, info.server_id),
        }
    }

    /// Takes the name of the cluster that `info` is of, and closes the routes to all but that server.
    // spec: CLU-010
    pub(super) fn take_name(&self, name: &str, dynamic: bool, except: &str) {
        {
            let mut own = self.own.write();
            let info = Info { cluster: name.to_owned(), cluster_dynamic: dynamic, ..own.info.clone() };
            *own = Arc::new(Own { info, ..Own::clone(&own) });
        }
        log::info!("Cluster name updated to {name}");
        self.broker.set_cluster_name(name);
        let mesh = self.mesh.lock();
        for slot in mesh.slots().filter(|slot| slot.known.id != except) {
            slot.link.peer.request(Control::Close(ClosedReason::ClusterNameConflict, None));
        }
    }

    /// Tells the other members something about this one.
    pub(crate) fn tell_members(&self, line: &[u8]) {
        let mesh = self.mesh.lock();
        for remote in mesh.remotes.values() {
            if let Some(slot) = remote.slots.iter().flatten().next() {
                slot.link.say(line);
            }
        }
    }

    /// This server is about to go: the others do not send clients here any more.
    // spec: CLU-023
    pub fn announce_lame_duck(&self) {
        let own = self.own();
        let info = Info { ldm: true, ..own.info.clone() };
        self.tell_members(&info_line(&info));
    }

    /// Nothing is connected any more, and connections that end are not made again.
    pub fn stop(&self) {
        self.mesh.lock().stopping = true;
    }

    /// The connections to other members.
    pub fn list(&self) -> Vec<Summary> {
        let mut all: Vec<_> = self.mesh.lock().slots().map(Slot::summary).collect();
        all.sort_by_key(|summary| summary.link.peer.cid());
        all
    }

    /// How many other members there are.
    pub fn members(&self) -> usize {
        self.mesh.lock().remotes.len()
    }

    /// A connection's level of compression has changed.
    pub(super) fn set_compression(&self, link: &Arc<Link>, name: &'static str) {
        let mut mesh = self.mesh.lock();
        if let Some(slot) = mesh.slots_mut().find(|slot| Arc::ptr_eq(&slot.link, link)) {
            slot.known.compression = name;
        }
    }
}
