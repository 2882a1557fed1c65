//! Who the other members are, and over which connections.
//!
//! Invariant: a member has at most one connection per place in its pool, and one per account that has its own.

use std::sync::Arc;

use hashbrown::{HashMap, HashSet};
use martlet_broker::link::Link;
use martlet_config::options::LinkUrl;
use martlet_proto::{Info, SubjectPermission};

use super::gossip;
use super::reload::Asked;
use crate::orders::Dialled;

/// The other members, as far as they are connected to.
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
    pub(super) stopping: bool,
    /// Some member keeps streams.
    pub(super) has_streams: bool,
}

/// Another member.
#[derive(Debug)]
pub(super) struct Remote {
    pub(super) slots: Vec<Option<Slot>>,
    /// It knows no pools, or this server wants none.
    pub(super) unpooled: bool,
    pub(super) connect_urls: Vec<String>,
    /// Where leaf nodes may connect to it.
    pub(super) leafnode_urls: Vec<String>,
    pub(super) gateway_url: String,
    pub(super) name: String,
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
    pub(super) fn has_own(&self, dialled: &Dialled) -> bool {
        let of_account = dialled.account.as_ref().and_then(|account| self.pinned.get(account));
        let is_there = |slot: &Slot| slot.dialled.as_ref().is_some_and(|known| known.url == dialled.url);
        of_account.is_some_and(|of| of.values().any(is_there))
    }

    /// Takes out the slot of a connection that had joined.
    pub(super) fn take(&mut self, link: &Arc<Link>, id: &str) -> Option<Slot> {
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
    pub(super) fn new(info: &Info, unpooled: bool) -> Self {
        let connect_urls = info.connect_urls.clone();
        let leafnode_urls = info.leafnode_urls.clone();
        let (gateway_url, name) = (info.gateway_url.clone(), info.server_name.clone());
        Self { slots: Vec::new(), unpooled, connect_urls, leafnode_urls, gateway_url, name }
    }

    /// The place of a new connection: the one its dialler asks for, or where this side dialled the first that is free. If
    /// there is none, whether the connection is to be tried again all the same.
    pub(super) fn place(&mut self, asked: usize, unpooled: bool, intent: &mut Option<Dialled>) -> Result<usize, bool> {
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

    pub(super) fn on_duplicate(&mut self, other: Option<&Dialled>) {
        if let Some(other) = other {
            self.adopt(other);
        }
        self.retry = true;
    }

    /// Where to connect again when this connection is over.
    pub(super) fn intent(self) -> Option<Dialled> {
        let account = self.link.account.clone();
        let heard = || self.known.url.map(|url| Dialled { url, explicit: false, account, gossip: gossip::DEFAULT });
        self.dialled.or_else(|| if self.retry { heard() } else { None })
    }

    pub(super) fn summary(&self) -> Summary {
        Summary {
            link: self.link.clone(),
            known: self.known.clone(),
            is_solicited: self.dialled.is_some(),
            is_configured: self.dialled.as_ref().is_some_and(|d| d.explicit),
        }
    }
}
