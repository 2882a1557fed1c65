//! How a connection becomes a member's, or does not.
//!
//! Invariant: a connection that has joined is told of the interest it carries behind its INFO, and of no other.

use std::sync::Arc;
use std::time::Duration;

use martlet_broker::account::Account;
use martlet_broker::link::Link;
use martlet_config::options::LinkLogin;
use martlet_proto::Info;

use super::gossip::{self, Gossip};
use super::mesh::{Known, Mesh, Remote, Slot};
use super::own::{Greeting, Own, info_line};
use super::routes::Routes;
use crate::orders::{Dial, Dialled};
use crate::pool;

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
}

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
