//! One account: a subject space of its own, with its limits, mappings and ties to other accounts.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};

use martlet_config::options::{AccountLimits, Export, TraceDestination};
use martlet_events::Time;
use martlet_proto::ClosedReason;
use martlet_subject::{Mapped, Mappings};
use parking_lot::RwLock;

use crate::broker::Passed;
use crate::gateway::{self, Recent};
use crate::imports::{ServiceImport, StreamImport};
use crate::interest::{Interest, Target};
use crate::ledger::{Ledger, Opened, Source};
use crate::link::RemoteSubscription;
use crate::peer::Peer;
use crate::responses::Responses;
use crate::site::Site;
use crate::system::names_domain;
use crate::watch::{Told, Watch, Watches};

/// The name of the account that everyone without another is in.
pub const GLOBAL: &str = "$G";
/// The name of the system account where no other is configured.
pub const SYSTEM: &str = "$SYS";

/// What of an account the configuration says; replaced as a whole by a reload.
#[derive(Debug, Default)]
pub struct Rules {
    /// Its subject mappings.
    pub mappings: Mappings,
    /// What it offers.
    pub exports: Vec<Export>,
    /// The streams it takes.
    pub streams: Vec<StreamImport>,
    /// The services it asks.
    pub services: Vec<Arc<ServiceImport>>,
    /// Its limits.
    pub limits: AccountLimits,
    /// Where sampled messages are traced to.
    pub trace: Option<TraceDestination>,
    /// Its public nkey.
    pub nkey: Option<String>,
}

/// Totals of traffic, for connections that are gone.
#[derive(Debug, Default)]
pub struct Totals {
    /// Connections ever.
    pub connections: AtomicU64,
    /// Messages from its clients.
    pub in_msgs: AtomicU64,
    /// Bytes from its clients.
    pub in_bytes: AtomicU64,
    /// Messages to its clients.
    pub out_msgs: AtomicU64,
    /// Bytes to its clients.
    pub out_bytes: AtomicU64,
    /// Clients closed because they were slow.
    pub slow_consumers: AtomicU64,
}

/// One account.
#[derive(Debug)]
pub struct Account {
    id: u32,
    name: Arc<str>,
    site: Arc<Site>,
    /// Who wants what.
    pub interest: Interest,
    /// What that amounts to for other servers.
    pub ledger: Ledger,
    /// Replies it owes.
    pub responses: Responses,
    /// What its clients have just subscribed to; noted only where there are gateways.
    pub recent: Recent,
    /// Who wants to know who listens.
    watches: Watches,
    rules: RwLock<Arc<Rules>>,
    maps: AtomicBool,
    imports_streams: AtomicBool,
    caches: bool,
    connections: AtomicU32,
    elsewhere: AtomicU32,
    leafs: AtomicU32,
    /// What this server asks leaf nodes for to find out whether they lead back here.
    loops: OnceLock<Box<[u8]>>,
    /// Traffic of connections that are gone.
    pub totals: Totals,
    /// Traffic of leaf node links that are gone.
    pub leaf_totals: Passed,
    /// Traffic of other servers.
    pub routed: Routed,
}

/// Traffic of one account with other servers.
#[derive(Debug, Default)]
pub struct Routed {
    /// Messages from them.
    pub in_msgs: AtomicU64,
    /// Bytes from them.
    pub in_bytes: AtomicU64,
}

impl Account {
    /// A new account; `id` is unique in this process, `caches` whether lookups may be remembered.
    pub fn new(id: u32, name: &str, caches: bool) -> Self {
        Self {
            id,
            name: name.into(),
            site: Arc::default(),
            interest: Interest::default(),
            ledger: Ledger::default(),
            responses: Responses::default(),
            recent: Recent::default(),
            watches: Watches::default(),
            rules: RwLock::default(),
            maps: AtomicBool::new(false),
            imports_streams: AtomicBool::new(false),
            caches,
            connections: AtomicU32::new(0),
            elsewhere: AtomicU32::new(0),
            leafs: AtomicU32::new(0),
            loops: OnceLock::new(),
            totals: Totals::default(),
            leaf_totals: Passed::default(),
            routed: Routed::default(),
        }
    }

    /// The same account on the server `site`.
    #[must_use]
    pub fn on(mut self, site: Arc<Site>) -> Self {
        self.site = site;
        self
    }

    /// Its number, unique in this process.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// Its name.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// The server it is on.
    pub fn site(&self) -> &Arc<Site> {
        &self.site
    }

    /// Whether lookups may be remembered (`disable_sublist_cache`).
    pub fn caches(&self) -> bool {
        self.caches
    }

    /// The rules in force.
    pub fn rules(&self) -> Arc<Rules> {
        self.rules.read().clone()
    }

    /// Puts new rules in force.
    pub(crate) fn set_rules(&self, rules: Rules) {
        self.maps.store(!rules.mappings.is_empty(), Relaxed);
        self.imports_streams.store(!rules.streams.is_empty(), Relaxed);
        let rules = Arc::new(rules);
        let old = std::mem::replace(&mut *self.rules.write(), rules.clone());
        if self.ledger.is_open() {
            self.book_mappings(&rules, 1);
            self.book_mappings(&old, -1);
        }
    }

    /// Leaf nodes are asked for what is mapped, and other clusters for what is asked of streams here by their domain.
    fn book_mappings(&self, rules: &Rules, change: i64) {
        for source in rules.mappings.sources() {
            let kind = if names_domain(source) { Source::Domain } else { Source::Service };
            self.ledger.change(&self.name, (source, None), kind, change);
        }
    }

    /// Whether it maps any subject.
    pub fn maps(&self) -> bool {
        self.maps.load(Relaxed)
    }

    /// Where a published subject is mapped to (CORE-110).
    #[inline]
    pub fn map(&self, cluster: Option<&str>, subject: &[u8], rng: &mut fastrand::Rng, out: &mut Vec<u8>) -> Mapped {
        if !self.maps() {
            return Mapped::Unchanged;
        }
        self.rules.read().mappings.choose(cluster, subject, &mut |below| rng.u32(0..below), out)
    }

    /// Whether it takes any stream from another account.
    pub fn imports_streams(&self) -> bool {
        self.imports_streams.load(Relaxed)
    }

    /// Adds a target under `pattern`, which is valid, and tells other servers where that concerns them.
    pub fn add(&self, pattern: &[u8], target: Target) {
        if self.ledger.is_open() {
            self.interest.insert(pattern, target.clone());
            self.ledger.book(&self.name, pattern, &target, 1);
        } else {
            self.interest.insert(pattern, target);
        }
        self.watches.tell(pattern);
    }

    /// Removes a target from under `pattern`, and tells other servers where that concerns them; whether it was there.
    pub fn remove(&self, pattern: &[u8], target: &Target) -> bool {
        let found = self.interest.remove(pattern, target);
        if found {
            self.ledger.book(&self.name, pattern, target, -1);
            self.watches.tell(pattern);
        }
        found
    }

    /// Has `told` called, on the thread of whoever does it, when a subscription that takes `subject` comes or goes.
    pub fn watch(&self, subject: &[u8], told: Told) -> Watch {
        self.watches.add(subject, told)
    }

    /// Ends a watch.
    pub fn unwatch(&self, watch: &Watch) {
        self.watches.remove(watch);
    }

    /// Another server has more or fewer members of a queue group.
    pub fn reweigh(&self, remote: &RemoteSubscription, weight: u32) {
        let before = remote.set_weight(weight);
        if self.ledger.is_open() {
            self.ledger.book_remote(&self.name, remote, i64::from(weight) - i64::from(before));
        }
    }

    /// Begins to tell other servers what this account wants; `wide` if there are links that tell what members want too.
    pub(crate) fn open_ledger(&self, wide: bool) {
        let before = self.ledger.open(wide);
        let is_new = |target: &Target| match before {
            Opened::New => true,
            Opened::Widened => target.is_routed(),
            Opened::Before => false,
        };
        let mut targets = Vec::new();
        self.interest.for_each_pattern(|pattern, target| targets.push((pattern.to_vec(), target.clone())));
        for (pattern, target) in targets.iter().filter(|(_, target)| is_new(target)) {
            self.ledger.book(&self.name, pattern, target, 1);
        }
        if before != Opened::New {
            return;
        }
        if let Some(wanted) = self.responses.wanted() {
            self.ledger.change(&self.name, (&wanted, None), Source::Local, 1);
        }
        self.book_mappings(&self.rules(), 1);
        if self.site.super_cluster().is_some() {
            for returning in gateway::EVERY_REPLY {
                self.ledger.change(&self.name, (returning, None), Source::Service, 1);
            }
        }
    }

    /// Leaf nodes are asked for a subject of its own that ends in a random text, to find out whether they lead back here.
    // spec: CLU-054
    pub fn watch_loops(&self, random: impl FnOnce() -> String) -> &[u8] {
        let mut new = false;
        let subject = self.loops.get_or_init(|| {
            new = true;
            format!("$LDS.{}", random()).into_bytes().into()
        });
        if new {
            self.ledger.change(&self.name, (subject, None), Source::Service, 1);
        }
        subject
    }

    /// Appends a new reply subject to `out`; other servers learn of the first, since responders may be theirs.
    pub(crate) fn new_reply_subject(&self, rng: &mut fastrand::Rng, out: &mut Vec<u8>, now: Time) {
        let first = self.responses.new_subject(rng, out);
        if first && let Some(wanted) = self.responses.wanted() {
            self.note_recent(&wanted, now);
        }
        if let Some(wanted) = self.responses.wanted().filter(|_| first && self.ledger.is_open()) {
            self.ledger.change(&self.name, (&wanted, None), Source::Local, 1);
        }
    }

    /// Somebody here has just subscribed to `pattern`.
    #[inline]
    pub fn note_recent(&self, pattern: &[u8], now: Time) {
        if self.site.super_cluster().is_some() {
            self.recent.note(pattern, now);
        }
    }

    /// Open client connections.
    pub fn connections(&self) -> u32 {
        self.connections.load(Relaxed)
    }

    /// Tells how many connections it has on other servers.
    pub(crate) fn set_elsewhere(&self, connections: u32) {
        self.elsewhere.store(connections, Relaxed);
    }

    /// How many of its connections are too many, here and on other servers together (SEC-054).
    pub(crate) fn excess(&self) -> usize {
        let all = self.connections().saturating_add(self.elsewhere.load(Relaxed));
        self.rules.read().limits.max_connections.map_or(0, |max| all.saturating_sub(max) as usize)
    }

    /// Counts a connection in, unless the account is full (SEC-054).
    pub fn admit(&self) -> bool {
        let elsewhere = self.elsewhere.load(Relaxed);
        let max = self.rules.read().limits.max_connections.map(|max| max.saturating_sub(elsewhere));
        let admitted = self
            .connections
            .fetch_update(Relaxed, Relaxed, |open| max.is_none_or(|max| open < max).then_some(open + 1))
            .is_ok();
        if admitted {
            self.totals.connections.fetch_add(1, Relaxed);
        }
        admitted
    }

    /// Counts messages that another server sent.
    pub fn count_routed(&self, messages: u64, bytes: u64) {
        self.routed.in_msgs.fetch_add(messages, Relaxed);
        self.routed.in_bytes.fetch_add(bytes, Relaxed);
    }

    /// Open connections to leaf nodes and hubs.
    pub fn leafs(&self) -> u32 {
        self.leafs.load(Relaxed)
    }

    /// Adds a closed connection's traffic.
    pub(crate) fn count_closed(&self, peer: &Peer, reason: ClosedReason) {
        let (t, p, sent) = (&self.totals, &peer.counters, peer.outbox.totals());
        t.in_msgs.fetch_add(p.in_msgs.load(Relaxed), Relaxed);
        t.in_bytes.fetch_add(p.in_bytes.load(Relaxed), Relaxed);
        t.out_msgs.fetch_add(sent.messages, Relaxed);
        t.out_bytes.fetch_add(sent.bytes, Relaxed);
        if matches!(reason, ClosedReason::SlowConsumerPendingBytes | ClosedReason::SlowConsumerWriteDeadline) {
            t.slow_consumers.fetch_add(1, Relaxed);
        }
    }

    /// Counts a leaf node connection in, unless the account has as many as it may.
    // spec: SEC-054
    pub fn admit_leaf(&self) -> bool {
        let max = self.rules.read().limits.max_leafnodes;
        let room = |open: u32| max.is_none_or(|max| open < max).then_some(open + 1);
        self.leafs.fetch_update(Relaxed, Relaxed, room).is_ok()
    }

    /// Counts a leaf node connection out.
    pub fn leave_leaf(&self) {
        self.leafs.fetch_sub(1, Relaxed);
    }

    /// Counts a connection out.
    pub fn leave(&self) {
        self.connections.fetch_sub(1, Relaxed);
    }
}
