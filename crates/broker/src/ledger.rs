//! What one account's interest amounts to, for other servers.
//!
//! Every subscription, import and remote interest of the account is booked here by subject and queue group. Each link
//! that carries the account sees a sum of its own: a route what this server's clients want, a gateway what the whole
//! cluster wants, a leaf node everything but what it wants itself. When a link's sum changes, the line that says so is
//! put behind everything already said on that link, under the ledger's lock.
//!
//! Invariants: lines leave in the order of the changes, so the other side ends with the sum as it is. A line is queued
//! before the change's caller goes on, so a request never overtakes the interest in its reply.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use martlet_proto::link::encode::{self, Prefix};
use parking_lot::Mutex;
use smallvec::SmallVec;

use crate::interest::Target;
use crate::internal::Scope;
use crate::link::{Link, RemoteSubscription, Role};

/// Where interest comes from.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Source<'a> {
    /// This server's clients and services.
    Local,
    /// A service import or a mapping: only leaf nodes are told, since members of the cluster have their own.
    Service,
    /// A mapping of the domain that this server's streams are in: other clusters are told, too.
    Domain,
    /// Another member of the cluster, perhaps for a leaf node's cluster.
    Routed(Option<&'a [u8]>),
    /// A leaf node, or the hub.
    Leaf(&'a Arc<Link>),
    /// Another cluster: only leaf nodes are told, since members of the cluster hear of it themselves.
    Gateway,
}

/// One subject, for one queue group or for all.
#[derive(Debug, Default)]
struct Entry {
    local: u32,
    service: u32,
    domain: u32,
    routed: u32,
    /// Of `routed`, what is wanted for leaf nodes' clusters.
    routed_for: Vec<(Box<[u8]>, u32)>,
    leafs: Vec<(Arc<Link>, u32)>,
    gateways: u32,
}

/// How interest that detects loops begins: it goes everywhere, so that it comes back if it can.
const LOOPS: &[u8] = b"$LDS.";

impl Entry {
    fn is_empty(&self) -> bool {
        self.local == 0
            && self.service == 0
            && self.domain == 0
            && self.routed == 0
            && self.leafs.is_empty()
            && self.gateways == 0
    }

    fn change(&mut self, source: Source<'_>, change: i64) {
        let apply = |n: &mut u32| *n = u32::try_from((i64::from(*n) + change).max(0)).unwrap_or(u32::MAX);
        match source {
            Source::Local => apply(&mut self.local),
            Source::Service => apply(&mut self.service),
            Source::Domain => apply(&mut self.domain),
            Source::Gateway => apply(&mut self.gateways),
            Source::Routed(origin) => {
                apply(&mut self.routed);
                if let Some(origin) = origin {
                    apply(counted(&mut self.routed_for, |of| **of == *origin, || origin.into()));
                    self.routed_for.retain(|(_, n)| *n > 0);
                }
            }
            Source::Leaf(link) => {
                apply(counted(&mut self.leafs, |of| Arc::ptr_eq(of, link), || link.clone()));
                self.leafs.retain(|(_, n)| *n > 0);
            }
        }
    }

    /// What leaf nodes want together, of those that `of` selects.
    fn leafs(&self, of: impl Fn(&Link) -> bool) -> u32 {
        self.leafs.iter().filter(|(link, _)| of(link)).map(|(_, n)| *n).fold(0, u32::saturating_add)
    }

    /// What other members want, but for that leaf node's cluster.
    fn routed_but(&self, cluster: Option<&[u8]>) -> u32 {
        let own = self.routed_for.iter().find(|(of, _)| Some(&**of) == cluster);
        self.routed.saturating_sub(own.map_or(0, |(_, n)| *n))
    }

    /// What `link` sees of this entry, outside of what it sees per leaf node's cluster. Interest that detects `loops` is
    /// kept from nobody but where it comes from.
    // spec: CLU-056 CLU-060 CLU-066
    fn seen_by(&self, link: &Link, loops: bool) -> u32 {
        let other = |of: &Link| {
            !std::ptr::eq(of, link) && (link.cluster.is_none() || of.cluster != link.cluster) && !link.isolated
        };
        let all = |parts: &[u32]| parts.iter().copied().fold(0, u32::saturating_add);
        match link.role {
            Role::Route => all(&[self.local, self.leafs(|of| of.role == Role::Spoke && of.cluster.is_none())]),
            Role::Gateway => all(&[self.local, self.domain, self.routed, self.leafs(|of| of.role == Role::Spoke)]),
            // spec: CLU-056
            Role::Hub if !loops => {
                all(&[self.local, self.service, self.domain, self.leafs(|of| of.role == Role::Spoke && other(of))])
            }
            Role::Hub => {
                let routed = self.routed_but(link.cluster.as_deref());
                all(&[self.local, self.service, self.domain, routed, self.leafs(other)])
            }
            Role::Spoke => {
                let routed = self.routed_but(link.cluster.as_deref());
                all(&[self.local, self.service, self.domain, routed, self.leafs(other), self.gateways])
            }
        }
    }

    /// All that `link` sees of this entry: its sum, and on a route those of the leaf nodes' clusters.
    fn sums<'e>(&'e self, key: &[u8], link: &Link) -> SmallVec<[Sum<'e>; 2]> {
        let mut sums = SmallVec::new();
        sums.push((None, self.seen_by(link, key.starts_with(LOOPS))));
        if link.role == Role::Route {
            let mut clusters: Vec<&[u8]> = self.leafs.iter().filter_map(|(of, _)| of.cluster.as_deref()).collect();
            clusters.sort_unstable();
            clusters.dedup();
            sums.extend(clusters.into_iter().map(|cluster| (Some(cluster), self.of_cluster(cluster))));
        }
        sums
    }

    /// What a route sees on behalf of one leaf node's cluster. What a hub wants is not the cluster's business.
    fn of_cluster(&self, cluster: &[u8]) -> u32 {
        self.leafs(|of| of.role == Role::Spoke && of.cluster.as_deref() == Some(cluster))
    }
}

/// The number of one among several, which it joins with 0 if it is not there yet.
fn counted<T>(all: &mut Vec<(T, u32)>, is: impl Fn(&T) -> bool, new: impl FnOnce() -> T) -> &mut u32 {
    let at = all.iter().position(|(of, _)| is(of)).unwrap_or_else(|| {
        all.push((new(), 0));
        all.len() - 1
    });
    &mut all[at].1
}

/// How much there is of something, altogether or on behalf of one leaf node's cluster.
type Sum<'a> = (Option<&'a [u8]>, u32);

/// A sum as one link is told of it.
#[derive(Debug, Clone, Copy)]
struct Line<'a> {
    account: &'a [u8],
    /// Subject and queue group, a blank between them.
    key: &'a [u8],
    origin: Option<&'a [u8]>,
    before: u32,
    after: u32,
}

impl Line<'_> {
    /// Appends the line that tells `link` of the change, if it is to be told.
    fn write(&self, link: &Link, out: &mut Vec<u8>) {
        let (subject, queue) = split(self.key);
        let (before, after) = (told(link, self.before), told(link, self.after));
        // spec: CLU-030
        if before == after || queue.is_none() && (before > 0) == (after > 0) {
            return;
        }
        if link.rules.as_ref().is_some_and(|rules| !rules.may_ask(subject)) {
            return;
        }
        if link.peer.is_restricted() && link.peer.permissions().is_some_and(|p| !p.may_publish(subject)) {
            return;
        }
        self.put(link, out);
    }

    /// Appends that line whatever may pass.
    fn put(&self, link: &Link, out: &mut Vec<u8>) {
        let (subject, queue) = split(self.key);
        if self.before == self.after {
            return;
        }
        let account = matches!(link.role, Role::Route | Role::Gateway).then_some(self.account);
        let prefix = Prefix { origin: self.origin, account: account.filter(|_| link.account.is_none()) };
        let after = told(link, self.after);
        let weighed = queue.map(|queue| (queue, after));
        match (link.role.is_leaf(), after) {
            (true, 0) => encode::leaf_unsub(out, subject, queue),
            (true, _) => encode::leaf_sub(out, subject, weighed),
            (false, 0) => encode::route_unsub(out, prefix, link.unsub_origins, subject, queue),
            (false, _) => encode::route_sub(out, prefix, subject, weighed),
        }
    }
}

/// A sum as `link` is told of it: how many members a group has is not another cluster's business.
fn told(link: &Link, sum: u32) -> u32 {
    if link.role == Role::Gateway { sum.min(1) } else { sum }
}

fn split(key: &[u8]) -> (&[u8], Option<&[u8]>) {
    match memchr::memchr(b' ', key) {
        Some(at) => (&key[..at], Some(&key[at + 1..])),
        None => (key, None),
    }
}

fn key(subject: &[u8], queue: Option<&[u8]>) -> Vec<u8> {
    match queue {
        Some(queue) => [subject, b" ", queue].concat(),
        None => subject.to_vec(),
    }
}

/// What opening a ledger has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Opened {
    /// Nothing was booked before.
    New,
    /// What other members want was not booked before.
    Widened,
    /// Nothing.
    Before,
}

/// What one account's interest amounts to, for other servers.
#[derive(Debug, Default)]
pub struct Ledger {
    open: AtomicBool,
    book: Mutex<Book>,
}

#[derive(Debug, Default)]
struct Book {
    /// Members' interest is booked as well, since somebody is told of it: gateways or leaf nodes.
    wide: bool,
    entries: HashMap<Box<[u8]>, Entry, RandomState>,
    links: Vec<Arc<Link>>,
}

impl Ledger {
    /// Whether anything is booked: not on a server without links.
    pub fn is_open(&self) -> bool {
        self.open.load(Ordering::Acquire)
    }

    /// Begins to book; what other members of the cluster want, too, if `wide`. It is never made narrower again.
    pub(crate) fn open(&self, wide: bool) -> Opened {
        let was_wide = {
            let mut book = self.book.lock();
            let before = book.wide;
            book.wide |= wide;
            before
        };
        match (self.open.swap(true, Ordering::AcqRel), was_wide || !wide) {
            (false, _) => Opened::New,
            (true, false) => Opened::Widened,
            (true, true) => Opened::Before,
        }
    }

    /// Books a target that came (`change` 1) or went (-1).
    pub(crate) fn book(&self, account: &str, pattern: &[u8], target: &Target, change: i64) {
        if !self.is_open() {
            return;
        }
        match target {
            Target::Subscription(s) => self.change(account, (pattern, s.queue()), Source::Local, change),
            Target::Shadow(shadow) => {
                self.change(account, (pattern, shadow.subscription.queue()), Source::Local, change);
            }
            // Some services are each server's own affair.
            Target::Internal(service) if service.scope == Scope::ThisServer => {}
            Target::Internal(_) => self.change(account, (pattern, None), Source::Local, change),
            Target::Service(_) => self.change(account, (pattern, None), Source::Service, change),
            Target::Remote(remote) => self.book_remote(account, remote, change * i64::from(remote.weight())),
        }
    }

    /// Books a change in the weight of what another server wants.
    pub(crate) fn book_remote(&self, account: &str, remote: &RemoteSubscription, change: i64) {
        let what = (remote.subject(), remote.queue());
        match remote.link.role {
            Role::Route => self.change(account, what, Source::Routed(remote.origin()), change),
            Role::Hub | Role::Spoke => self.change(account, what, Source::Leaf(&remote.link), change),
            // What stands for everything that an older server gets is no interest of its own.
            Role::Gateway if remote.origin().is_some() => {}
            Role::Gateway => self.change(account, what, Source::Gateway, change),
        }
    }

    pub(crate) fn change(
        &self,
        account: &str,
        (subject, queue): (&[u8], Option<&[u8]>),
        source: Source<'_>,
        change: i64,
    ) {
        let key = key(subject, queue);
        let mut book = self.book.lock();
        let Book { wide, entries, links } = &mut *book;
        if matches!(source, Source::Routed(_) | Source::Gateway) && !*wide {
            return;
        }
        let entry = match entries.get_mut(key.as_slice()) {
            Some(entry) => entry,
            None => entries.entry(key.as_slice().into()).or_default(),
        };
        let loops = subject.starts_with(LOOPS);
        // The leaf node's cluster on whose behalf routes are told.
        let origin = match source {
            Source::Leaf(of) => of.cluster.as_deref(),
            _ => None,
        };
        let seen = |entry: &Entry, link: &Link| match (link.role, origin) {
            (Role::Route, Some(cluster)) => entry.of_cluster(cluster),
            _ => entry.seen_by(link, loops),
        };
        let before: smallvec::SmallVec<[u32; 16]> = links.iter().map(|link| seen(entry, link)).collect();
        entry.change(source, change);
        let mut line = Vec::new();
        for (link, before) in links.iter().zip(before) {
            let origin = origin.filter(|_| link.role == Role::Route);
            line.clear();
            let after = seen(entry, link);
            Line { account: account.as_bytes(), key: &key, origin, before, after }.write(link, &mut line);
            link.say(&line);
        }
        if entry.is_empty() {
            entries.remove(key.as_slice());
        }
    }

    /// Tells a link everything there is to tell, and every change from now on.
    pub fn attach(&self, account: &str, link: &Arc<Link>) {
        let mut book = self.book.lock();
        if book.links.iter().any(|of| Arc::ptr_eq(of, link)) {
            return;
        }
        book.tell(account, link);
        book.links.push(link.clone());
    }

    /// Whether a link is told of changes.
    pub fn is_attached(&self, link: &Arc<Link>) -> bool {
        self.book.lock().links.iter().any(|of| Arc::ptr_eq(of, link))
    }

    /// Tells a link that is told of changes everything once more.
    pub fn repeat(&self, account: &str, link: &Arc<Link>) {
        let book = self.book.lock();
        if book.links.iter().any(|of| Arc::ptr_eq(of, link)) {
            book.tell(account, link);
        }
    }

    /// What may pass to a link changes: it is told of what `may_pass` now if that `passed` not before, or, if it is told
    /// of changes with the old permissions, takes back what must not pass any more.
    // spec: CFG-149
    pub fn revise(
        &self,
        account: &str,
        link: &Arc<Link>,
        passed: impl Fn(&[u8]) -> bool,
        may_pass: impl Fn(&[u8]) -> bool,
    ) {
        let book = self.book.lock();
        if !book.links.iter().any(|of| Arc::ptr_eq(of, link)) {
            return;
        }
        let mut lines = Vec::new();
        for (key, entry) in &book.entries {
            let (subject, _) = split(key);
            let is_new = may_pass(subject);
            if is_new == passed(subject) {
                continue;
            }
            for (origin, sum) in entry.sums(key, link) {
                let (before, after) = if is_new { (0, sum) } else { (sum, 0) };
                Line { account: account.as_bytes(), key, origin, before, after }.put(link, &mut lines);
            }
        }
        link.say(&lines);
    }

    /// Tells a link nothing more.
    pub fn detach(&self, link: &Arc<Link>) {
        self.book.lock().links.retain(|of| !Arc::ptr_eq(of, link));
    }

    /// The link to another member of the cluster, by its short name.
    pub(crate) fn way_to(&self, server: &[u8]) -> Option<Arc<Link>> {
        let book = self.book.lock();
        book.links.iter().find(|link| link.role == Role::Route && link.server == server).cloned()
    }

    /// How many subjects and queue groups are booked.
    pub fn len(&self) -> usize {
        self.book.lock().entries.len()
    }

    /// Whether nothing is booked.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Book {
    fn tell(&self, account: &str, link: &Link) {
        let mut lines = Vec::new();
        for (key, entry) in &self.entries {
            for (origin, after) in entry.sums(key, link) {
                Line { account: account.as_bytes(), key, origin, before: 0, after }.write(link, &mut lines);
            }
        }
        link.say(&lines);
    }
}
