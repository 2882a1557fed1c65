//! Who the other members are, over which connections, and what to do when one comes or goes.
//!
//! Invariants: a member has at most one connection per place in its pool, and one per account that has its own. A connection
//! that has joined is told of the interest it carries behind its INFO, and of no other. Lock order: the mesh, then ledgers,
//! then outboxes.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use hashbrown::{HashMap, HashSet};
use martlet_broker::Broker;
use martlet_broker::account::Account;
use martlet_broker::link::Link;
use martlet_broker::peer::Control;
use martlet_config::Options;
use martlet_config::options::{LinkLogin, LinkUrl};
use martlet_proto::Info;
use martlet_proto::{ClosedReason, SubjectPermission};
use parking_lot::{Mutex, RwLock};

use super::gossip::{self, Gossip};
use super::own::{Greeting, Member, Own, info_line};
use super::reload::Asked;
use crate::gateway::Gateways;
use crate::orders::{Dial, Dialled, Order, Orders};
use crate::pool;

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

#[derive(Debug, Default)]
pub(super) struct Mesh {
    /// By server id.
    pub(super) remotes: HashMap<String, Remote>,
    /// Connections for one account, by account and server id.
    pub(super) pinned: HashMap<Arc<str>, HashMap<String, Slot>>,
    /// Members that are to know of accounts with connections of their own before those are made.
    pub(super) asked: Option<Asked>,
    /// Accounts that move to connections of their own, and the members to which there is none yet.
    pub(super) moving: HashMap<Arc<str>, HashSet<String>>,
    stopping: bool,
    /// Some member keeps streams.
    has_streams: bool,
}

/// Another member.
#[derive(Debug)]
pub(super) struct Remote {
    pub(super) slots: Vec<Option<Slot>>,
    /// It knows no pools, or this server wants none.
    pub(super) unpooled: bool,
    connect_urls: Vec<String>,
    /// Where leaf nodes may connect to it.
    leafnode_urls: Vec<String>,
    gateway_url: String,
    name: String,
}

/// A connection that has joined.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) link: Arc<Link>,
    pub(super) known: Known,
    pub(super) dialled: Option<Dialled>,
    /// Both sides may have kept the other's connection: tried again though it was heard of.
    pub(super) retry: bool,
}

/// What the other side told of itself.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// How the connection is compressed.
    pub compression: &'static str,
    /// The place in the pool.
    pub index: usize,
    /// What it imports and exports.
    pub import: Option<SubjectPermission>,
    /// See `import`.
    pub export: Option<SubjectPermission>,
    /// Where it may be connected to.
    pub url: Option<LinkUrl>,
}

/// A connection as monitoring shows it.
#[derive(Debug, Clone)]
pub struct Summary {
    /// The connection.
    pub link: Arc<Link>,
    /// What the other side told of itself.
    pub known: Known,
    /// This side dialled.
    pub is_solicited: bool,
    /// It is configured.
    pub is_configured: bool,
}

/// A connection that wants to join.
pub(super) struct Candidate<'a> {
    pub(super) link: Arc<Link>,
    pub(super) info: &'a Info,
    pub(super) dialled: Option<Dialled>,
    /// Its own INFO is still to be said.
    pub(super) owes_info: bool,
    pub(super) compression: &'static str,
    pub(super) nonce: [u8; 11],
}

/// What became of a candidate.
pub(super) enum Joined {
    /// It is a member's connection now; the next of the pool is to be made once this one has proven itself.
    Added { next: Option<Dial> },
    /// There is one already.
    Duplicate { retry: bool },
    /// It cannot be.
    Refused(String),
    /// The server is stopping.
    Stopping,
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

    /// Takes a connection in, or not.
    pub(super) fn join(&self, candidate: &Candidate<'_>) -> Joined {
        let own = self.own();
        let mut mesh = self.mesh.lock();
        if mesh.stopping {
            return Joined::Stopping;
        }
        match candidate.link.account.clone() {
            Some(account) => self.join_pinned(&mut mesh, &own, &account, candidate),
            None => self.join_pool(&mut mesh, &own, candidate),
        }
    }

    // spec: CLU-016 CLU-017
    fn join_pinned(&self, mesh: &mut Mesh, own: &Own, name: &Arc<str>, candidate: &Candidate<'_>) -> Joined {
        let Candidate { link, info, dialled, .. } = candidate;
        if info.route_pool_size <= 0 || own.options.pool_size < 0 {
            let text = format!("Not possible to have a dedicated route for account {name:?} between those servers");
            return Joined::Refused(text);
        }
        let Some(account) = self.broker.accounts.get(name) else {
            return Joined::Refused(format!("Unable to lookup account {name:?}: account missing"));
        };
        if !own.is_pinned(name) {
            return Joined::Refused(format!("No route for account {name:?}"));
        }
        let of_account = mesh.pinned.entry(name.clone()).or_default();
        if let Some(there) = of_account.get_mut(&info.server_id) {
            there.on_duplicate(dialled.as_ref());
            return Joined::Duplicate { retry: false };
        }
        say_owed(own, candidate, 0);
        let (link, dialled) = (link.clone(), dialled.clone());
        let slot = Slot {
            link: link.clone(),
            known: candidate.known(0, &own.options.login),
            dialled: dialled.clone(),
            retry: false,
        };
        of_account.insert(info.server_id.clone(), slot);
        let has_moved = mesh.moving.get_mut(name).is_some_and(|to| to.remove(&info.server_id) && to.is_empty());
        if has_moved {
            mesh.moving.remove(name);
        }
        let of_account = &mesh.pinned[name];
        if of_account.len() > 1 {
            pass_on(mesh, info, dialled.as_ref());
        }
        account.ledger.attach(name, &link);
        Joined::Added { next: None }
    }

    // spec: CLU-008 CLU-011 CLU-015
    fn join_pool(&self, mesh: &mut Mesh, own: &Own, candidate: &Candidate<'_>) -> Joined {
        let Candidate { link, info, dialled, .. } = candidate;
        let theirs = usize::try_from(info.route_pool_size).unwrap_or(0);
        let unpooled = theirs == 0 || own.options.pool_size < 0;
        let size = own.pool_size().max(theirs).max(1);
        let asked = usize::try_from(info.route_pool_idx).unwrap_or(usize::MAX);
        if !unpooled && dialled.is_some() && asked != 0 {
            let index = info.route_pool_idx;
            return Joined::Refused(format!("Route pool index should not be set but is set to {index}"));
        }
        if !unpooled && dialled.is_none() && asked >= size {
            let (index, size) = (info.route_pool_idx, info.route_pool_size);
            return Joined::Refused(format!("Invalid route pool index: {index} - pool size is {size}"));
        }
        let is_new = !mesh.remotes.contains_key(&info.server_id);
        let remote = mesh.remotes.entry_ref(&info.server_id).or_insert_with(|| Remote::new(info, unpooled));
        let wanted = if unpooled { 1 } else { size };
        if remote.slots.len() < wanted {
            remote.slots.resize_with(wanted, || None);
        }
        let mut intent = dialled.clone();
        let index = match remote.place(asked, unpooled, &mut intent) {
            Ok(index) => index,
            Err(retry) => return Joined::Duplicate { retry },
        };
        say_owed(own, candidate, index);
        let slot = Slot {
            link: link.clone(),
            known: candidate.known(index, &own.options.login),
            dialled: intent,
            retry: false,
        };
        remote.slots[index] = Some(slot);
        let joined = remote.slots.iter().flatten().count();
        let full = joined >= remote.slots.len();
        if is_new && info.jetstream && !std::mem::replace(&mut mesh.has_streams, true) {
            // Said once: this server neither keeps streams nor takes part in deciding who does.
            log::info!(
                "{:?} has JetStream: its streams are asked for from here, and none is kept here",
                info.server_name
            );
        }
        if is_new {
            if mesh.remotes.len() > 1 {
                pass_on(mesh, info, dialled.as_ref());
            }
            self.tell_connect_urls(mesh, own);
            self.tell_leafnode_urls(mesh);
            if let Some(gateways) = self.gateways() {
                gateways.member_joined(link, &info.gateway_url);
            }
        }
        for account in self.accounts_of(own, index, unpooled) {
            account.ledger.attach(account.name(), link);
        }
        let next = dialled.clone().filter(|_| !unpooled && !full);
        let next = next.map(|as_| Dial { as_, after: Duration::ZERO, again: false });
        Joined::Added { next }
    }

    /// The accounts that a place in the pool carries.
    fn accounts_of(&self, own: &Own, index: usize, unpooled: bool) -> Vec<Arc<Account>> {
        let mut all = self.broker.accounts.all();
        if !unpooled {
            all.retain(|a| !own.is_pinned(a.name()) && pool::index_of(a.name(), own.pool_size()) == index);
        }
        all
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
    fn tell_leafnode_urls(&self, mesh: &Mesh) {
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

/// The pause before a configured connection is made again.
const RECONNECT: Duration = Duration::from_secs(1);

/// Passes on that a server has joined.
fn pass_on(mesh: &Mesh, info: &Info, dialled: Option<&Dialled>) {
    let Some(gossip) = Gossip::about(info, dialled) else { return };
    let tell = |slot: &Slot| slot.link.say(gossip.line(slot.dialled.as_ref()));
    let of_account = mesh.pinned.get(info.route_account.as_str());
    for (_, slot) in of_account.into_iter().flatten().filter(|(id, _)| **id != info.server_id) {
        tell(slot);
    }
    for (id, remote) in &mesh.remotes {
        let told = *id == info.server_id || of_account.is_some_and(|of| of.contains_key(id));
        let needless = remote.unpooled && !info.route_account.is_empty();
        if let Some(slot) = remote.slots.iter().flatten().next().filter(|_| !told && !needless) {
            tell(slot);
        }
    }
}

/// Says the INFO that was held back; directly, since what is said of interest behind it is.
fn say_owed(own: &Own, candidate: &Candidate<'_>, index: usize) {
    if !candidate.owes_info {
        return;
    }
    let gossip = candidate.dialled.as_ref().map_or(gossip::DEFAULT, |dialled| dialled.gossip);
    let account = candidate.link.account.as_deref();
    let compression = Some(candidate.compression);
    candidate.link.say(&info_line(&own.greeting(&Greeting {
        account,
        compression,
        index,
        gossip,
        nonce: candidate.nonce,
    })));
}

impl Candidate<'_> {
    fn known(&self, index: usize, login: &LinkLogin) -> Known {
        Known {
            id: self.info.server_id.clone(),
            name: self.info.server_name.clone(),
            compression: self.compression,
            index,
            import: self.info.import.clone(),
            export: self.info.export.clone(),
            url: gossip::url_of(self.info, login),
        }
    }
}

impl Mesh {
    pub(super) fn slots(&self) -> impl Iterator<Item = &Slot> {
        let pooled = self.remotes.values().flat_map(|remote| remote.slots.iter().flatten());
        pooled.chain(self.pinned.values().flat_map(HashMap::values))
    }

    pub(super) fn slots_mut(&mut self) -> impl Iterator<Item = &mut Slot> {
        let pooled = self.remotes.values_mut().flat_map(|remote| remote.slots.iter_mut().flatten());
        pooled.chain(self.pinned.values_mut().flat_map(HashMap::values_mut))
    }

    /// Whether there is a connection, for that account alone, to where it is to be dialled to.
    fn has_own(&self, dialled: &Dialled) -> bool {
        let of_account = dialled.account.as_ref().and_then(|account| self.pinned.get(account));
        let is_there = |slot: &Slot| slot.dialled.as_ref().is_some_and(|known| known.url == dialled.url);
        of_account.is_some_and(|of| of.values().any(is_there))
    }

    /// Takes out the slot of a connection that had joined.
    fn take(&mut self, link: &Arc<Link>, id: &str) -> Option<Slot> {
        if let Some(account) = &link.account {
            let of_account = self.pinned.get_mut(account)?;
            let is_there = of_account.get(id).is_some_and(|slot| Arc::ptr_eq(&slot.link, link));
            return is_there.then(|| of_account.remove(id)).flatten();
        }
        let remote = self.remotes.get_mut(id)?;
        let found = remote.slots.iter_mut().find(|s| s.as_ref().is_some_and(|s| Arc::ptr_eq(&s.link, link)));
        found.and_then(Option::take)
    }
}

impl Remote {
    fn new(info: &Info, unpooled: bool) -> Self {
        let connect_urls = info.connect_urls.clone();
        let leafnode_urls = info.leafnode_urls.clone();
        let (gateway_url, name) = (info.gateway_url.clone(), info.server_name.clone());
        Self { slots: Vec::new(), unpooled, connect_urls, leafnode_urls, gateway_url, name }
    }

    /// The place of a new connection: the one its dialler asks for, or where this side dialled the first that is free. If
    /// there is none, whether the connection is to be tried again all the same.
    fn place(&mut self, asked: usize, unpooled: bool, intent: &mut Option<Dialled>) -> Result<usize, bool> {
        if unpooled {
            return match &mut self.slots[0] {
                Some(there) => {
                    there.on_duplicate(intent.as_ref());
                    Err(false)
                }
                None => Ok(0),
            };
        }
        match intent {
            None => {
                if let Some(there) = &mut self.slots[asked] {
                    there.retry = true;
                    return Err(true);
                }
                // Where this side has dialled some of the pool, all of it is dialled from here again.
                *intent = self.slots.iter().flatten().find_map(|slot| slot.dialled.clone());
                Ok(asked)
            }
            Some(dialled) => {
                for slot in self.slots.iter_mut().flatten() {
                    slot.adopt(dialled);
                }
                self.slots.iter().position(Option::is_none).ok_or(false)
            }
        }
    }
}

impl Slot {
    /// This side dials the other member, too: what is configured stays so.
    fn adopt(&mut self, dialled: &Dialled) {
        let account = self.link.account.clone();
        match &mut self.dialled {
            Some(own) if own.explicit || !dialled.explicit => {}
            own => *own = Some(Dialled { account, ..dialled.clone() }),
        }
    }

    fn on_duplicate(&mut self, other: Option<&Dialled>) {
        if let Some(other) = other {
            self.adopt(other);
        }
        self.retry = true;
    }

    /// Where to connect again when this connection is over.
    fn intent(self) -> Option<Dialled> {
        let account = self.link.account.clone();
        let heard = || self.known.url.map(|url| Dialled { url, explicit: false, account, gossip: gossip::DEFAULT });
        self.dialled.or_else(|| if self.retry { heard() } else { None })
    }

    fn summary(&self) -> Summary {
        Summary {
            link: self.link.clone(),
            known: self.known.clone(),
            is_solicited: self.dialled.is_some(),
            is_configured: self.dialled.as_ref().is_some_and(|d| d.explicit),
        }
    }
}
