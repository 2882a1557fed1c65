//! Who wants what in one account, and the cache that makes asking cheap.
//!
//! The cache is the only place that says which [`Matches`] are current: an entry that leaves it, for whatever reason, is
//! marked stale, so that threads may keep entries of their own and need only look at the mark. A subscription that comes
//! or goes removes the entries it matches and no others: churn elsewhere leaves hot subjects alone.
//!
//! Invariant: an entry is computed and stored under one read lock of the trie, and dropped under its write lock, so a
//! current entry always agrees with the trie.

use std::hash::BuildHasher;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use foldhash::fast::RandomState;
use hashbrown::{HashMap, HashTable, hash_table};
use martlet_proto::encode;
use martlet_subject::{self as subject, Trie};
use parking_lot::{Mutex, RwLock};

use crate::imports::{ServiceImport, Shadow};
use crate::internal::InternalSubscription;
use crate::link::{RemoteSubscription, Role};
use crate::subscription::Subscription;

/// Entries cached per account: as many as a thread remembers.
const CACHE_ENTRIES: usize = crate::lookup::SLOTS;
/// Entries left after a full cache is swept.
const CACHE_AFTER_SWEEP: usize = CACHE_ENTRIES / 4 * 3;

/// How many branches of the trie are looked at to see whether subjects that differ in their last token are wanted alike.
const FAMILY_BRANCHES: usize = 64;

/// Deliveries of one entry whose beginnings are prepared: they cost memory.
const PREPARED: usize = 4096;

/// Somebody interested in a subject.
#[derive(Debug, Clone)]
pub enum Target {
    /// A connection of this account.
    Subscription(Arc<Subscription>),
    /// A connection of an account that imports the subject as a stream.
    Shadow(Arc<Shadow>),
    /// A service of another account.
    Service(Arc<ServiceImport>),
    /// A service of the server itself.
    Internal(Arc<InternalSubscription>),
    /// Another server.
    Remote(Arc<RemoteSubscription>),
}

impl Target {
    /// Whether another member of the cluster wants it.
    pub(crate) fn is_routed(&self) -> bool {
        matches!(self, Self::Remote(remote) if remote.link.role == Role::Route)
    }

    /// Its queue group.
    fn queue(&self) -> Option<&[u8]> {
        match self {
            Self::Subscription(subscription) => subscription.queue(),
            Self::Shadow(shadow) => shadow.subscription.queue(),
            Self::Remote(remote) => remote.queue(),
            Self::Service(_) | Self::Internal(_) => None,
        }
    }

    /// Whether both are the same one, not merely alike.
    pub fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Subscription(a), Self::Subscription(b)) => Arc::ptr_eq(a, b),
            (Self::Shadow(a), Self::Shadow(b)) => Arc::ptr_eq(a, b),
            (Self::Service(a), Self::Service(b)) => Arc::ptr_eq(a, b),
            (Self::Internal(a), Self::Internal(b)) => Arc::ptr_eq(a, b),
            (Self::Remote(a), Self::Remote(b)) => Arc::ptr_eq(a, b),
            _ => false,
        }
    }
}

/// One connection that gets a message.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// The subscription it is delivered for.
    pub subscription: Arc<Subscription>,
    /// How the message crosses into the subscription's account, where that is not the publisher's.
    pub import: Option<Box<Imported>>,
    /// How every message begins that is delivered here, up to the sid and a blank; empty where that is not prepared.
    pub beginning: Box<[u8]>,
}

/// How a message of a stream import is delivered.
#[derive(Debug, Clone)]
pub struct Imported {
    /// The subscription's stand-in in the publisher's account.
    pub shadow: Arc<Shadow>,
    /// The subject it is delivered under, where that is not the published one.
    pub subject: Option<Box<[u8]>>,
}

/// The members of one queue group.
#[derive(Debug, Clone)]
pub struct Group {
    /// The group's name.
    pub queue: Box<[u8]>,
    /// One of them gets each message.
    pub members: Vec<Delivery>,
    /// Other servers with members of it.
    pub remotes: Vec<Arc<RemoteSubscription>>,
}

/// Everyone who gets a message on one literal subject, or on any of a family.
#[derive(Debug, Default)]
pub struct Matches {
    /// The subject asked about; that of a family ends with `.*`.
    pub subject: Box<[u8]>,
    /// Whether these are those of every subject that differs from this one in the last token only.
    pub is_family: bool,
    /// Everyone outside queue groups.
    pub plain: Vec<Delivery>,
    /// The queue groups.
    pub groups: Vec<Group>,
    /// Services of other accounts.
    pub services: Vec<Arc<ServiceImport>>,
    /// Services of the server.
    pub internals: Vec<Arc<InternalSubscription>>,
    /// Other servers with interest outside queue groups, each once.
    pub remotes: Vec<Arc<RemoteSubscription>>,
    /// Any other server is interested, in a queue group or outside.
    has_remotes: bool,
    stale: AtomicBool,
}

impl Matches {
    /// Whether interest has changed since these were found.
    pub fn is_stale(&self) -> bool {
        self.stale.load(Ordering::Acquire)
    }

    /// Whether nobody is interested.
    pub fn is_empty(&self) -> bool {
        self.plain.is_empty()
            && self.groups.is_empty()
            && self.services.is_empty()
            && self.internals.is_empty()
            && self.remotes.is_empty()
    }

    /// Whether any other server is interested.
    #[inline]
    pub(crate) fn has_remotes(&self) -> bool {
        self.has_remotes
    }

    /// Forgets everyone, keeping the memory.
    pub fn clear(&mut self) {
        self.plain.clear();
        self.groups.clear();
        self.services.clear();
        self.internals.clear();
        self.remotes.clear();
        self.has_remotes = false;
    }

    /// Whether a subscription to `pattern` that comes or goes changes them.
    fn depend_on(&self, pattern: &[u8]) -> bool {
        if self.is_family {
            subject::overlaps(pattern, &self.subject)
        } else {
            subject::matches(pattern, &self.subject)
        }
    }

    fn add(&mut self, target: &Target, published: &[u8]) {
        match target {
            Target::Subscription(s) => self.add_subscription(s, None),
            Target::Shadow(shadow) => {
                let import = Imported { shadow: shadow.clone(), subject: shadow.local_subject(published) };
                self.add_subscription(&shadow.subscription, Some(Box::new(import)));
            }
            Target::Service(s) => self.services.push(s.clone()),
            Target::Internal(i) => self.internals.push(i.clone()),
            Target::Remote(remote) => self.add_remote(remote),
        }
    }

    /// Prepares what all messages on this subject have in common, as they are to be many.
    fn prepare(&mut self) {
        let members = self.groups.iter_mut().flat_map(|group| &mut group.members);
        for delivery in self.plain.iter_mut().chain(members).take(PREPARED) {
            let import = delivery.import.as_ref().and_then(|import| import.subject.as_deref());
            delivery.beginning =
                encode::message_beginning(import.unwrap_or(&self.subject), delivery.subscription.sid());
        }
    }

    fn add_subscription(&mut self, subscription: &Arc<Subscription>, import: Option<Box<Imported>>) {
        let delivery = Delivery { subscription: subscription.clone(), import, beginning: Box::default() };
        match subscription.queue() {
            None => self.plain.push(delivery),
            Some(queue) => self.group(queue).members.push(delivery),
        }
    }

    fn add_remote(&mut self, remote: &Arc<RemoteSubscription>) {
        self.has_remotes = true;
        match remote.queue() {
            Some(queue) => self.group(queue).remotes.push(remote.clone()),
            // One message serves all that a server wants.
            None if self.remotes.iter().any(|r| Arc::ptr_eq(&r.link, &remote.link)) => {}
            None => self.remotes.push(remote.clone()),
        }
    }

    fn group(&mut self, queue: &[u8]) -> &mut Group {
        let at = self.groups.iter().position(|g| *g.queue == *queue).unwrap_or_else(|| {
            self.groups.push(Group { queue: queue.into(), members: Vec::new(), remotes: Vec::new() });
            self.groups.len() - 1
        });
        &mut self.groups[at]
    }
}

/// The interest of one account.
pub struct Interest {
    trie: RwLock<Trie<Target>>,
    cache: Mutex<Cache>,
    counts: Counts,
}

/// What `/subsz` tells of one account's interest.
#[derive(Debug, Clone, Copy, Default)]
pub struct InterestStats {
    /// Subscriptions held.
    pub subscriptions: u64,
    /// Subscriptions ever added.
    pub inserts: u64,
    /// Subscriptions ever removed.
    pub removes: u64,
    /// Lookups that reached the account (each thread answers most by itself).
    pub matches: u64,
    /// Of those, answered by the cache.
    pub cache_hits: u64,
    /// Entries cached.
    pub cached: u64,
    /// Most deliveries of a cached entry.
    pub max_fanout: u64,
    /// Deliveries of all cached entries.
    pub total_fanout: u64,
}

#[derive(Debug, Default)]
struct Counts {
    inserts: std::sync::atomic::AtomicU64,
    removes: std::sync::atomic::AtomicU64,
    matches: std::sync::atomic::AtomicU64,
    hits: std::sync::atomic::AtomicU64,
}

impl std::fmt::Debug for Interest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Interest({} subscriptions)", self.len())
    }
}

impl Default for Interest {
    fn default() -> Self {
        Self {
            trie: RwLock::new(Trie::with_seed(RandomState::default().hash_one(0_u8))),
            cache: Mutex::new(Cache::default()),
            counts: Counts::default(),
        }
    }
}

impl Interest {
    /// Adds a target under `pattern`, which is valid.
    pub fn insert(&self, pattern: &[u8], target: Target) {
        let mut trie = self.trie.write();
        trie.insert(pattern, target);
        self.cache.lock().forget(pattern);
        self.counts.inserts.fetch_add(1, Ordering::Relaxed);
    }

    /// Removes a target from under `pattern`; whether it was there.
    pub fn remove(&self, pattern: &[u8], target: &Target) -> bool {
        let mut trie = self.trie.write();
        let found = trie.remove(pattern, |t| t.is(target)).is_some();
        if found {
            self.cache.lock().forget(pattern);
            self.counts.removes.fetch_add(1, Ordering::Relaxed);
        }
        found
    }

    /// Puts `new` where `old` is, so that no message meets both or neither.
    pub fn replace(&self, pattern: &[u8], old: &Target, new: Target) {
        let mut trie = self.trie.write();
        if let Some(there) = trie.get_mut(pattern).iter_mut().find(|t| t.is(old)) {
            *there = new;
            self.cache.lock().forget(pattern);
        }
    }

    /// Everyone who gets a message on `subject`, from the cache or found and cached.
    pub fn matches(&self, subject: &[u8]) -> Arc<Matches> {
        self.counts.matches.fetch_add(1, Ordering::Relaxed);
        if let Some(found) = self.cache.lock().get(subject, false) {
            self.counts.hits.fetch_add(1, Ordering::Relaxed);
            return found;
        }
        let trie = self.trie.read();
        let mut matches = Matches { subject: subject.into(), ..Matches::default() };
        trie.for_each_match(subject, |target| matches.add(target, subject));
        matches.prepare();
        let matches = Arc::new(matches);
        self.cache.lock().put(matches.clone());
        matches
    }

    /// Everyone who gets a message on any subject that differs from this one in the last token only, if these are the same for
    /// all of them: so it is with the inboxes that one wildcard gathers, and the keys of a bucket.
    pub fn family(&self, subject: &[u8]) -> Option<Arc<Matches>> {
        let pattern = family_of(subject)?;
        if let Some(found) = self.cache.lock().get(&pattern, true) {
            return Some(found);
        }
        let trie = self.trie.read();
        if !trie.selects_alike(&pattern, FAMILY_BRANCHES) {
            return None;
        }
        let mut matches = Matches { subject: pattern.into(), is_family: true, ..Matches::default() };
        let mut is_named_alike = true;
        trie.for_each_match(&matches.subject.clone(), |target| {
            // What is imported may get a name that depends on the last token.
            is_named_alike &= !matches!(target, Target::Shadow(_));
            matches.add(target, b"");
        });
        let matches = Arc::new(matches);
        if is_named_alike {
            self.cache.lock().put(matches.clone());
        }
        is_named_alike.then_some(matches)
    }

    /// As [`Self::matches`] without the cache, into a caller's own `matches`: for subjects seen once.
    pub fn matches_into(&self, subject: &[u8], matches: &mut Matches) {
        self.counts.matches.fetch_add(1, Ordering::Relaxed);
        matches.clear();
        self.trie.read().for_each_match(subject, |target| matches.add(target, subject));
    }

    /// Whether anybody at all is interested in `subject`.
    pub fn is_wanted(&self, subject: &[u8]) -> bool {
        let mut wanted = false;
        self.trie.read().for_each_match(subject, |_| wanted = true);
        wanted
    }

    /// Whether somebody listens on exactly `subject`, in that queue group or, without one, in none. Another cluster counts by
    /// whatever has it get the subject: what its clients listen on is not known here.
    // spec: JS-638
    pub fn is_listened_on(&self, subject: &[u8], queue: Option<&[u8]>) -> bool {
        let trie = self.trie.read();
        let mut found = trie.get(subject).iter().any(|target| target.queue() == queue);
        if !found {
            trie.for_each_match(subject, |target| {
                found |= matches!(target, Target::Remote(remote) if remote.link.role == Role::Gateway);
            });
        }
        found
    }

    /// Visits every target whose pattern matches `subject`.
    pub fn for_each_match(&self, subject: &[u8], f: impl FnMut(&Target)) {
        self.trie.read().for_each_match(subject, f);
    }

    /// Visits every target whose pattern and `pattern` select some subject both. Be brief.
    pub fn for_each_overlapping(&self, pattern: &[u8], f: impl FnMut(&Target)) {
        self.trie.read().for_each_overlapping(pattern, f);
    }

    /// Visits every target. The account's interest cannot change meanwhile: be brief.
    pub fn for_each(&self, mut f: impl FnMut(&Target)) {
        self.trie.read().for_each(|_, t| f(t));
    }

    /// Visits every target with its pattern. The account's interest cannot change meanwhile: be brief.
    pub fn for_each_pattern(&self, f: impl FnMut(&[u8], &Target)) {
        self.trie.read().for_each(f);
    }

    /// Subscriptions held.
    pub fn len(&self) -> usize {
        self.trie.read().len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Numbers for `/subsz`.
    pub fn stats(&self) -> InterestStats {
        let load = |n: &std::sync::atomic::AtomicU64| n.load(Ordering::Relaxed);
        let mut stats = InterestStats {
            subscriptions: self.len() as u64,
            inserts: load(&self.counts.inserts),
            removes: load(&self.counts.removes),
            matches: load(&self.counts.matches),
            cache_hits: load(&self.counts.hits),
            ..InterestStats::default()
        };
        for entry in self.cache.lock().entries() {
            let fanout = (entry.plain.len() + entry.groups.iter().map(|g| g.members.len()).sum::<usize>()) as u64;
            stats.cached += 1;
            stats.total_fanout += fanout;
            stats.max_fanout = stats.max_fanout.max(fanout);
        }
        stats
    }
}

/// Current matches by subject, in buckets by first token so that a wildcard pattern visits only what it may match.
#[derive(Debug, Default)]
struct Cache {
    buckets: HashMap<Vec<u8>, HashTable<Arc<Matches>>, RandomState>,
    len: usize,
    hasher: RandomState,
}

/// All subjects that differ from this one in the last token only, as a pattern; none if there is but one token, or what would
/// be a wildcard in it.
fn family_of(subject: &[u8]) -> Option<Vec<u8>> {
    let dot = subject.iter().rposition(|b| *b == b'.')?;
    subject::is_valid_literal(&subject[..dot]).then(|| [&subject[..=dot], b"*"].concat())
}

fn first_token(subject: &[u8]) -> &[u8] {
    subject.split(|b| *b == b'.').next().unwrap_or_default()
}

impl Cache {
    fn get(&self, subject: &[u8], is_family: bool) -> Option<Arc<Matches>> {
        let is = |m: &Arc<Matches>| *m.subject == *subject && m.is_family == is_family;
        self.buckets.get(first_token(subject))?.find(self.hasher.hash_one(subject), is).cloned()
    }

    fn put(&mut self, matches: Arc<Matches>) {
        if self.len >= CACHE_ENTRIES {
            self.sweep();
        }
        let bucket = self.buckets.entry_ref(first_token(&matches.subject)).or_default();
        let hasher = &self.hasher;
        let hash = hasher.hash_one(&*matches.subject);
        let is = |m: &Arc<Matches>| m.subject == matches.subject && m.is_family == matches.is_family;
        match bucket.entry(hash, is, |m| hasher.hash_one(&*m.subject)) {
            hash_table::Entry::Occupied(mut there) => {
                there.get().stale.store(true, Ordering::Release);
                *there.get_mut() = matches;
            }
            hash_table::Entry::Vacant(free) => {
                free.insert(matches);
                self.len += 1;
            }
        }
    }

    /// Drops every entry that a subscription to `pattern` concerns.
    fn forget(&mut self, pattern: &[u8]) {
        let first = first_token(pattern);
        let literal = subject::is_valid_literal(pattern).then(|| {
            let hash = |subject: &[u8]| self.hasher.hash_one(subject);
            (hash(pattern), family_of(pattern).map(|family| hash(&family)))
        });
        let drop_matching = |bucket: &mut HashTable<Arc<Matches>>| {
            let before = bucket.len();
            let Some((hash, family)) = literal else {
                bucket.retain(|m| !expire_if(m, m.depend_on(pattern)));
                return before - bucket.len();
            };
            for hash in [Some(hash), family].into_iter().flatten() {
                if let Ok(entry) = bucket.find_entry(hash, |m| m.depend_on(pattern)) {
                    entry.remove().0.stale.store(true, Ordering::Release);
                }
            }
            before - bucket.len()
        };
        if first == b"*" || first == b">" {
            self.len -= self.buckets.values_mut().map(drop_matching).sum::<usize>();
        } else if let Some(bucket) = self.buckets.get_mut(first) {
            self.len -= drop_matching(bucket);
            if bucket.is_empty() {
                self.buckets.remove(first);
            }
        }
    }

    /// Makes room: first what no thread remembers goes, then, if that was little, others.
    fn sweep(&mut self) {
        for held in [1, usize::MAX] {
            let mut excess = self.len.saturating_sub(CACHE_AFTER_SWEEP);
            self.buckets.retain(|_, bucket| {
                bucket.retain(|m| {
                    let out = expire_if(m, excess > 0 && Arc::strong_count(m) <= held);
                    excess -= usize::from(out);
                    self.len -= usize::from(out);
                    !out
                });
                !bucket.is_empty()
            });
        }
    }

    fn entries(&self) -> impl Iterator<Item = &Arc<Matches>> {
        self.buckets.values().flat_map(HashTable::iter)
    }
}

fn expire_if(matches: &Matches, condition: bool) -> bool {
    if condition {
        matches.stale.store(true, Ordering::Release);
    }
    condition
}
