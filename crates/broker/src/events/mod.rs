//! What the system account hears of clients and leaf nodes: that they came, went or were refused, and how many an account has.
//!
//! | module | what lives there |
//! |---|---|
//! | `fact` | what sessions leave behind: enough to tell it later |
//! | `document` | the JSON of every event |
//! | `publish` | from facts to messages; heartbeats of accounts |
//!
//! Sessions leave facts in a queue and never wait: without a listener for the event nothing is kept, and a full queue
//! drops facts and counts them. Whoever keeps house takes them out and publishes.
//!
//! Invariant: a session's thread never builds an event and never publishes one.

mod document;
mod fact;
mod publish;

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};

use martlet_events::Time;
use martlet_proto::ClosedReason;
use parking_lot::Mutex;

use crate::account::{Account, GLOBAL};
use crate::broker::Broker;
use crate::interest::Target;
use crate::peer::Peer;

pub use document::{ByKind, Count, GatewayStat, RouteStat, ServerStats};
use fact::{Fact, Open, Traffic, Who};
use publish::Publishing;
pub use publish::ServerEvent;

/// Facts that may wait; each holds about 150 bytes.
const MAX_WAITING: usize = 16 * 1024;

/// The facts that wait to be told.
pub(crate) struct Events {
    waiting: Mutex<Vec<Fact>>,
    dropped: AtomicU64,
    /// Nothing more is told: the server has said that it stops.
    over: AtomicBool,
    /// Called when a fact waits where none did.
    wake: OnceLock<Box<dyn Fn() + Send + Sync>>,
    publishing: Mutex<Publishing>,
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").field("dropped", &self.dropped).finish_non_exhaustive()
    }
}

impl Events {
    /// No events yet, of the server that is called `id`.
    pub(crate) fn new(id: &str) -> Self {
        Self {
            waiting: Mutex::default(),
            dropped: AtomicU64::new(0),
            over: AtomicBool::new(false),
            wake: OnceLock::new(),
            publishing: Mutex::new(Publishing::new(id)),
        }
    }

    fn push(&self, fact: Fact) {
        if self.over.load(Relaxed) {
            return;
        }
        let first = {
            let mut waiting = self.waiting.lock();
            if waiting.len() >= MAX_WAITING {
                self.dropped.fetch_add(1, Relaxed);
                return;
            }
            waiting.push(fact);
            waiting.len() == 1
        };
        if let Some(wake) = self.wake.get().filter(|_| first) {
            wake();
        }
    }
}

impl Broker {
    /// Has `wake` called when there is something for [`Broker::publish_events`]; only the first such call counts.
    pub fn on_events(&self, wake: impl Fn() + Send + Sync + 'static) {
        let _ = self.events.wake.set(Box::new(wake));
    }

    /// Events that were not told because too many happened at once.
    pub fn dropped_events(&self) -> u64 {
        self.events.dropped.load(Relaxed)
    }

    /// A client is in its account, or a leaf node link is up.
    // spec: CORE-185 CLU-094
    pub fn tell_connected(&self, peer: &Peer, now: Time) {
        let who = Who::of(peer);
        if self.is_listened_to(&subject::connect(&who.account)) {
            self.events.push(Fact::Connected { who, at: now });
        }
    }

    /// A client is gone, or a leaf node link that was up.
    // spec: CORE-185 CLU-094
    pub fn tell_disconnected(&self, peer: &Peer, reason: ClosedReason, now: Time) {
        let who = Who::of(peer);
        if self.is_listened_to(&subject::disconnect(&who.account)) {
            self.events.push(Fact::Disconnected { who, at: now, traffic: Traffic::of(peer), reason });
        }
    }

    /// A client or a leaf node was refused; only a client that sent CONNECT concerns an account.
    // spec: CORE-186 SEC-006
    pub fn tell_refused(&self, peer: &Peer, said_connect: bool, reason: ClosedReason, now: Time) {
        let who = Who::of(peer);
        let account = self.accounts.get(&who.account).filter(|_| said_connect);
        if self.is_listened_to(&subject::refused(&self.identity().id))
            || account.is_some_and(|account| is_heard(&account, subject::REFUSED_IN_ACCOUNT))
        {
            self.events.push(Fact::Refused { who, said_connect, at: now, traffic: Traffic::of(peer), reason });
        }
    }

    /// The number of an account's connections has changed; nobody is told of the global account's.
    // spec: CORE-187
    pub fn tell_connections(&self, account: &Arc<Account>, now: Time) {
        let name = account.name();
        if **name != *GLOBAL && subject::connections(name).iter().any(|subject| self.is_listened_to(subject)) {
            let open = Open::of(account);
            self.events.push(Fact::Connections { account: account.clone(), at: now, open });
        }
    }

    /// A leaf node has come whose account other clusters may have to send messages of; where there are none, nobody is told.
    // spec: CLU-094
    pub fn tell_leaf_node(&self, account: &Account) {
        if self.site().super_cluster().is_some() && self.is_listened_to(&subject::leaf_node(account.name())) {
            self.events.push(Fact::LeafNode { account: account.name().clone() });
        }
    }

    /// Whether anybody listens for this event of the system account.
    fn is_listened_to(&self, subject: &str) -> bool {
        self.system_account().is_some_and(|system| is_heard(&system, subject))
    }
}

/// Whether anybody but this server itself listens on `subject`.
fn is_heard(account: &Account, subject: &str) -> bool {
    let mut heard = false;
    account.interest.for_each_match(subject.as_bytes(), |target| heard |= !matches!(target, Target::Internal(_)));
    heard
}

/// Where events are published.
mod subject {
    /// In the account itself, when a client is refused.
    pub(super) const REFUSED_IN_ACCOUNT: &str = "$SYS.ACCOUNT.CLIENT.AUTH.ERR";

    pub(super) fn connect(account: &str) -> String {
        format!("$SYS.ACCOUNT.{account}.CONNECT")
    }

    pub(super) fn disconnect(account: &str) -> String {
        format!("$SYS.ACCOUNT.{account}.DISCONNECT")
    }

    pub(super) fn leaf_node(account: &str) -> String {
        format!("$SYS.ACCOUNT.{account}.LEAFNODE.CONNECT")
    }

    pub(super) fn refused(server: &str) -> String {
        format!("$SYS.SERVER.{server}.CLIENT.AUTH.ERR")
    }

    /// The older and the newer one.
    pub(super) fn connections(account: &str) -> [String; 2] {
        [format!("$SYS.SERVER.ACCOUNT.{account}.CONNS"), format!("$SYS.ACCOUNT.{account}.SERVER.CONNS")]
    }

    pub(super) fn server(id: &str, what: &str) -> String {
        format!("$SYS.SERVER.{id}.{what}")
    }
}
