//! Other options for routes that are there, and what members tell each other of them.
//!
//! What concerns all connections is done here; each connection looks itself, on its own thread, what it has to do about
//! permissions, compression and pings (`RouteProtocol::reconfigure`).
//!
//! Invariant: an account is told of on one connection to each member, also while it moves to one of its own and back.

use std::sync::Arc;
use std::time::Duration;

use martlet_broker::link::Link;
use martlet_broker::peer::Control;
use martlet_config::Options;
use martlet_config::options::LinkUrl;
use martlet_config::reload::{Change, ClusterChange};
use martlet_proto::ClosedReason;
use martlet_proto::Info;

use super::gossip;
use super::mesh::{Mesh, Slot};
use super::own::{Member, Own, info_line};
use super::routes::Routes;
use crate::orders::{Dial, Dialled};
use crate::pool;

/// How long members may take to say that they know of accounts with connections of their own.
const ANSWER: Duration = Duration::from_secs(2);

/// Members that are to know of accounts with connections of their own before those are made.
#[derive(Debug)]
pub(super) struct Asked {
    /// What their answers name.
    request: String,
    /// Answers that are missing.
    missing: usize,
    /// What is dialled then.
    dials: Vec<Dialled>,
}

impl Routes {
    /// Puts new options in force, after the broker has taken them on. `member` is where this server is told of now, and
    /// `request` a random text.
    // spec: CFG-146 CFG-150 CFG-152 CFG-153 CFG-154 CFG-155 CFG-156 CFG-157
    pub fn reload(&self, options: &Options, member: Member, changes: &[Change], request: &str) {
        let cluster = changes.iter().find_map(|change| match change {
            Change::Cluster(cluster) => Some(&**cluster),
            _ => None,
        });
        let cluster = cluster.cloned().unwrap_or_default();
        let before = self.own();
        self.renew(options, member, &cluster);
        let own = self.own();
        for change in changes {
            if let Change::Routes { removed, .. } = change {
                for url in removed {
                    self.remove(url);
                }
            }
        }
        self.close_surplus(&cluster);
        self.give_own(&before, &own, &cluster.accounts_added, request);
        {
            let mesh = self.mesh.lock();
            self.attach_missing(&mesh, &own);
            self.tell_connect_urls(&mesh, &own);
            mesh.slots().for_each(|slot| slot.link.peer.request(Control::Reconfigure(None)));
        }
        for change in changes {
            if let Change::Routes { added, .. } = change {
                self.connect_to(added);
            }
        }
    }

    /// What this server says of itself from now on.
    fn renew(&self, options: &Options, member: Member, cluster: &ClusterChange) {
        let member = {
            let mut current = self.member.write();
            let Member { gateway_url, leafnode_url, .. } = std::mem::take(&mut *current);
            *current = Member { gateway_url, leafnode_url, ..member };
            current.clone()
        };
        {
            let mut own = self.own.write();
            let name = cluster.name.as_deref().map_or(own.name(), |name| (name, false));
            *own = Arc::new(Own::new(&self.broker, options, &member, name));
        }
        if let Some(name) = &cluster.name {
            self.broker.set_cluster_name(name);
            log::info!("Cluster name updated to {name}");
        }
    }

    /// A member is not to be connected to any more.
    fn remove(&self, url: &LinkUrl) {
        let mut mesh = self.mesh.lock();
        let of = |slot: &Slot| slot.dialled.as_ref().is_some_and(|d| d.explicit && d.url == *url);
        for slot in mesh.slots_mut().filter(|slot| of(slot)) {
            slot.close_for_good();
            log::info!("Removed route {url}");
        }
    }

    /// Closes connections for accounts that share again, and those of pools that have another size now.
    fn close_surplus(&self, cluster: &ClusterChange) {
        let mut mesh = self.mesh.lock();
        for account in &cluster.accounts_removed {
            mesh.moving.remove(account.as_str());
            let of_account = mesh.pinned.get_mut(account.as_str());
            of_account.into_iter().flat_map(|of| of.values_mut()).for_each(Slot::close_for_good);
        }
        if cluster.pool_size {
            for slot in mesh.remotes.values().flat_map(|remote| remote.slots.iter().flatten()) {
                slot.link.peer.request(Control::Close(ClosedReason::RouteRemoved, None));
            }
        }
    }

    /// Accounts get connections of their own: the others are told, and dialled when they know.
    // spec: CLU-019
    fn give_own(&self, before: &Own, own: &Own, added: &[String], request: &str) {
        let dials = || {
            own.options.routes.iter().flat_map(|url| {
                added.iter().map(|account| Dialled {
                    url: url.clone(),
                    explicit: true,
                    account: Some(account.as_str().into()),
                    gossip: gossip::DEFAULT,
                })
            })
        };
        let mut missing = 0;
        let mut mesh = self.mesh.lock();
        for account in added {
            self.move_out(&mut mesh, account);
            let line = info_line(&Info {
                route_pool_size: own.info.route_pool_size,
                route_account: account.clone(),
                route_acc_add_reqid: request.to_owned(),
                ..Info::default()
            });
            let index = pool::index_of(account, before.pool_size());
            for remote in mesh.remotes.values().filter(|remote| !remote.unpooled) {
                if let Some(Some(slot)) = remote.slots.get(index) {
                    slot.link.say(&line);
                    missing += 1;
                }
            }
        }
        let dials: Vec<_> = dials().collect();
        if missing > 0 {
            mesh.asked = Some(Asked { request: request.to_owned(), missing, dials: dials.clone() });
        }
        drop(mesh);
        // Whoever does not answer is dialled all the same.
        let after = if missing > 0 { ANSWER } else { Duration::ZERO };
        for as_ in dials {
            self.order(Dial { as_, after, again: false });
        }
    }

    /// A member knows of the accounts that it was told of.
    pub(super) fn on_answer(&self, request: &str) {
        let dials = {
            let mut mesh = self.mesh.lock();
            let Some(asked) = mesh.asked.as_mut().filter(|asked| asked.request == request) else { return };
            asked.missing = asked.missing.saturating_sub(1);
            if asked.missing > 0 {
                return;
            }
            mesh.asked.take().map(|asked| asked.dials).unwrap_or_default()
        };
        for as_ in dials {
            self.order(Dial { as_, after: Duration::ZERO, again: false });
        }
    }

    /// A member says that an account gets connections of its own; whether there is such an account.
    // spec: CLU-019
    pub(super) fn on_given(&self, account: &str) -> bool {
        if self.broker.accounts.get(account).is_none() {
            log::error!("Error looking up account {account:?}: account missing");
            return false;
        }
        let mut mesh = self.mesh.lock();
        {
            let mut own = self.own.write();
            if !own.is_pinned(account) {
                let mut new = Own::clone(&own);
                new.pinned.push(account.into());
                *own = Arc::new(new);
            }
        }
        self.move_out(&mut mesh, account);
        true
    }

    /// An account is no longer told of over the pools, and what others want in it is forgotten there.
    fn move_out(&self, mesh: &mut Mesh, account: &str) {
        let Some(of) = self.broker.accounts.get(account) else { return };
        let Mesh { remotes, pinned, moving, .. } = mesh;
        for (id, remote) in remotes.iter().filter(|(_, remote)| !remote.unpooled) {
            if !pinned.get(account).is_some_and(|there| there.contains_key(id)) {
                moving.entry(of.name().clone()).or_default().insert(id.clone());
            }
            for slot in remote.slots.iter().flatten() {
                of.ledger.detach(&slot.link);
                slot.link.peer.request(Control::Hand(of.name().clone()));
            }
        }
    }

    /// Whether an account has no connection of its own yet to a member that was told of one: what is still said of it on
    /// others is late.
    pub(super) fn is_moving(&self, account: &str, id: &str) -> bool {
        self.mesh.lock().moving.get(account).is_some_and(|to| to.contains(id))
    }

    /// Has every account told of on the connection that carries it: those that a reload brought, and those that share
    /// connections again.
    pub(super) fn attach_missing(&self, mesh: &Mesh, own: &Own) {
        for account in self.broker.accounts.all() {
            let name = account.name();
            let of_account = mesh.pinned.get(name);
            for slot in of_account.into_iter().flat_map(|of| of.values()) {
                account.ledger.attach(name, &slot.link);
            }
            for (id, remote) in &mesh.remotes {
                if !remote.unpooled && own.is_pinned(name) || of_account.is_some_and(|of| of.contains_key(id)) {
                    continue;
                }
                let index = if remote.unpooled { 0 } else { pool::index_of(name, own.pool_size()) };
                if let Some(Some(slot)) = remote.slots.get(index) {
                    account.ledger.attach(name, &slot.link);
                }
            }
        }
    }

    /// A member has said again what it imports and exports.
    pub(super) fn set_permissions(&self, link: &Arc<Link>, info: &Info) {
        let mut mesh = self.mesh.lock();
        if let Some(slot) = mesh.slots_mut().find(|slot| Arc::ptr_eq(&slot.link, link)) {
            slot.known.import.clone_from(&info.import);
            slot.known.export.clone_from(&info.export);
        }
    }
}

impl Slot {
    /// Ends the connection, which is not made again.
    fn close_for_good(&mut self) {
        self.dialled = None;
        self.retry = false;
        self.link.peer.request(Control::Close(ClosedReason::RouteRemoved, None));
    }
}
