//! The leaf node links there are, the remotes there are to be, and what to do when one comes or goes.
//!
//! Invariants: what is listed is up, is told of its account's interest, and counts in its account. Of each remote there is at
//! most one connection, made or being made. Lock order: this, then ledgers, then outboxes.

use std::sync::Arc;
use std::time::Duration;

use hashbrown::HashMap;
use martlet_broker::Broker;
use martlet_broker::account::Account;
use martlet_broker::link::{Link, Role};
use martlet_broker::peer::Control;
use martlet_config::Options;
use martlet_proto::ClosedReason;
use parking_lot::{Mutex, RwLock};

use super::own::{Own, Place};
use super::remote::Remote;
use crate::orders::{LeafDial, Order, Orders};

/// Leaf nodes of this server, and the hubs that it is a leaf node of.
#[derive(Debug)]
pub struct Leafs {
    broker: Arc<Broker>,
    orders: Orders,
    place: Option<Place>,
    own: RwLock<Arc<Own>>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// By number.
    up: HashMap<u64, Up>,
    remotes: Vec<Arc<Remote>>,
    stopping: bool,
    dice: fastrand::Rng,
}

#[derive(Debug)]
struct Up {
    link: Arc<Link>,
    account: Arc<Account>,
    known: Known,
    remote: Option<Arc<Remote>>,
}

/// What the other side told of itself.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// Its name.
    pub name: String,
    /// Its cluster, or its name if it is not clustered; empty where it has told neither.
    pub cluster: String,
    /// The account on its own side.
    pub account: String,
    /// How the connection is compressed.
    pub compression: &'static str,
}

/// A connection as monitoring shows it.
// spec: CLU-105
#[derive(Debug, Clone)]
pub struct Summary {
    /// The connection.
    pub link: Arc<Link>,
    /// The account it is bound to here.
    pub account: Arc<str>,
    /// What the other side told of itself.
    pub known: Known,
    /// This server is the leaf node.
    pub is_spoke: bool,
    /// This server dialled.
    pub is_solicited: bool,
}

/// A connection that is ready.
pub(super) struct Candidate {
    pub(super) link: Arc<Link>,
    pub(super) account: Arc<Account>,
    pub(super) known: Known,
    pub(super) remote: Option<Arc<Remote>>,
    /// What is said before the other side is told of interest.
    pub(super) greeting: Vec<u8>,
}

/// What became of a candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Joined {
    /// It is up.
    Up,
    /// The remote is not configured any more.
    Unwanted,
    /// The server is stopping.
    Stopping,
}

impl Leafs {
    /// None yet. `seed` feeds the order in which addresses of remotes are tried.
    pub fn new(broker: Arc<Broker>, orders: Orders, options: &Options, place: Option<Place>, seed: u64) -> Self {
        let own = Own::new(&broker, options, place.as_ref());
        let mut dice = fastrand::Rng::with_seed(seed);
        let remotes = own.options.remotes.iter().map(|of| Arc::new(Remote::new(of.clone(), &mut dice))).collect();
        let state = State { up: HashMap::new(), remotes, stopping: false, dice };
        Self { broker, orders, place, own: RwLock::new(Arc::new(own)), state: Mutex::new(state) }
    }

    /// What this server says of itself, and the options in force.
    pub fn own(&self) -> Arc<Own> {
        self.own.read().clone()
    }

    /// Connects to the configured remotes.
    pub fn solicit(&self) {
        let remotes = self.state.lock().remotes.clone();
        for remote in remotes {
            self.dial(&remote, Duration::ZERO, false);
        }
    }

    /// Has a remote connected to, if it is to be and nothing is done about it yet.
    fn dial(&self, remote: &Arc<Remote>, after: Duration, again: bool) {
        if !self.state.lock().stopping && remote.is_wanted() && remote.begin() {
            self.orders.give(Order::Leaf(LeafDial { remote: remote.clone(), after, again }));
        }
    }

    /// Whether a remote is still to be connected to.
    pub fn is_wanted(&self, remote: &Remote) -> bool {
        !self.state.lock().stopping && remote.is_wanted()
    }

    /// Takes a connection in: it is told who this is and what is wanted here.
    // spec: CLU-065
    pub(super) fn join(&self, candidate: Candidate) -> Joined {
        let Candidate { link, account, known, remote, greeting } = candidate;
        let random = {
            let mut state = self.state.lock();
            if state.stopping {
                return Joined::Stopping;
            }
            if remote.as_ref().is_some_and(|remote| !remote.is_wanted()) {
                return Joined::Unwanted;
            }
            if remote.is_none() {
                state.replace_older(&account, &known);
            }
            let up = Up { link: link.clone(), account: account.clone(), known, remote };
            state.up.insert(link.peer.cid(), up);
            state.random_text()
        };
        link.say(&greeting);
        account.watch_loops(|| random);
        account.ledger.attach(account.name(), &link);
        Joined::Up
    }

    /// Whether this server is the hub of a leaf node in that cluster, for that account.
    // spec: CLU-054
    pub(super) fn has_spoke(&self, account: &Account, cluster: &str) -> bool {
        let is = |up: &Up| {
            up.account.id() == account.id()
                && up.link.role == Role::Spoke
                && up.remote.is_none()
                && up.known.cluster == cluster
        };
        !cluster.is_empty() && self.state.lock().up.values().any(is)
    }

    /// A connection is over.
    pub(super) fn leave(&self, link: &Arc<Link>) {
        let up = self.state.lock().up.remove(&link.peer.cid());
        if let Some(up) = up {
            up.account.ledger.detach(link);
        }
    }

    /// The connection to a remote is over, or did not come to be; it is made again.
    // spec: CLU-061
    pub(super) fn reconnect(&self, remote: &Arc<Remote>) {
        let after = self.own().options.reconnect + remote.take_delay();
        remote.rest();
        self.dial(remote, after, true);
    }

    /// A connection's level of compression has changed.
    pub(super) fn set_compression(&self, link: &Link, name: &'static str) {
        if let Some(up) = self.state.lock().up.get_mut(&link.peer.cid()) {
            up.known.compression = name;
        }
    }

    /// Puts other options in force: remotes come and go.
    // spec: CLU-061 CFG-171
    pub fn reload(&self, options: &Options) {
        let own = Arc::new(Own::new(&self.broker, options, self.place.as_ref()));
        let mut wanted = own.options.remotes.clone();
        let mut recompressed = Vec::new();
        let before = std::mem::replace(&mut *self.own.write(), own.clone());
        let mut state = self.state.lock();
        let known = std::mem::take(&mut state.remotes);
        for remote in known {
            let old = remote.options();
            if let Some(at) = wanted.iter().position(|new| new.identity() == old.identity()) {
                let new = wanted.swap_remove(at);
                if old.compression != new.compression {
                    recompressed.push(remote.clone());
                }
                remote.set_options(new);
                state.remotes.push(remote);
            } else {
                remote.remove();
            }
        }
        for new in wanted {
            let remote = Arc::new(Remote::new(new, &mut state.dice));
            state.remotes.push(remote);
        }
        for up in state.up.values() {
            // Compression is agreed on when a connection begins.
            let is_over = match &up.remote {
                Some(remote) => !remote.is_wanted() || recompressed.iter().any(|of| Arc::ptr_eq(of, remote)),
                None => before.options.compression != own.options.compression,
            };
            if is_over {
                up.link.peer.request(Control::Close(ClosedReason::ClientClosed, None));
            }
        }
        drop(state);
        self.solicit();
    }

    /// Nothing is connected any more, and connections that end are not made again.
    pub fn stop(&self) {
        self.state.lock().stopping = true;
    }

    /// The connections.
    pub fn list(&self) -> Vec<Summary> {
        let mut all: Vec<_> = self.state.lock().up.values().map(Up::summary).collect();
        all.sort_by_key(|summary| summary.link.peer.cid());
        all
    }

    /// How many connections there are.
    pub fn len(&self) -> usize {
        self.state.lock().up.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl State {
    /// A server that connects again before its old connection is found broken takes its place; so does a second one that
    /// goes by the same name, which both are told of.
    // spec: CLU-065
    fn replace_older(&self, account: &Account, known: &Known) {
        if known.name.is_empty() || known.account.is_empty() {
            return;
        }
        let same = |up: &&Up| {
            up.remote.is_none()
                && up.account.id() == account.id()
                && (&up.known.name, &up.known.cluster, &up.known.account)
                    == (&known.name, &known.cluster, &known.account)
        };
        if let Some(old) = self.up.values().find(same) {
            let reason = ClosedReason::DuplicateRemoteLeafnodeConnection;
            log::error!("{} - {}", old.link.peer.label(), reason.as_str());
            old.link.peer.request(Control::Close(reason, Some(reason.as_str())));
            log::warn!("Replacing connection from same server");
        }
    }

    fn random_text(&mut self) -> String {
        (0..22).map(|_| self.dice.alphanumeric()).collect()
    }
}

impl Up {
    fn summary(&self) -> Summary {
        Summary {
            link: self.link.clone(),
            account: self.account.name().clone(),
            known: self.known.clone(),
            is_spoke: self.link.role == Role::Hub,
            is_solicited: self.remote.is_some(),
        }
    }
}
