//! Clusters beside this one: the connections that lead there, and replies that find back to the server that asked.
//!
//! A request goes over a gateway sooner than the news that somebody waits for its reply. So the reply is named
//! `_GR_.<cluster>.<server>.<reply>` there, while the subscription to it is new. Whoever answers sees and uses the reply
//! alone; the server that delivered the request remembers for a moment what it stands for.
//!
//! Invariants: only servers see such names. What is remembered is bounded in number and ends by time.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use foldhash::fast::RandomState;
use hashbrown::{HashMap, HashSet};
use martlet_events::Time;
use martlet_subject::Trie;
use parking_lot::{Mutex, RwLock};

use crate::link::Link;

/// How subjects begin that lead to a server of another cluster.
pub(crate) const REPLY_PREFIX: &[u8] = b"_GR_.";
/// What leaf nodes of servers with gateways are asked for: replies that lead to other clusters, by their names of old, too.
// spec: CLU-204
pub(crate) const EVERY_REPLY: [&[u8]; 2] = [b"$GR.*.>", b"_GR_.>"];
/// Where the reply begins in them.
const START: usize = REPLY_PREFIX.len() + 2 * (size_of::<Hash>() + 1);
/// How long a subscription counts as new, and how long what a reply stands for is remembered.
const RECENT: Duration = Duration::from_secs(2);

/// The short name of a cluster or server in such subjects.
pub type Hash = [u8; 6];

/// The short name of a cluster, by its name, or of a server, by its id.
// spec: CLU-046
pub fn hash(name: &str) -> Hash {
    martlet_proto::short_name(name)
}

/// A subject that leads to a server of some cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Returning<'a> {
    pub(crate) cluster: &'a [u8],
    pub(crate) server: &'a [u8],
    /// What it is there.
    pub(crate) subject: &'a [u8],
}

impl<'a> Returning<'a> {
    /// What `subject` says, if it is such a one.
    pub(crate) fn of(subject: &'a [u8]) -> Option<Self> {
        if subject.len() <= START || !subject.starts_with(REPLY_PREFIX) {
            return None;
        }
        let cluster = &subject[REPLY_PREFIX.len()..][..size_of::<Hash>()];
        let server = &subject[START - 1 - size_of::<Hash>()..START - 1];
        Some(Self { cluster, server, subject: &subject[START..] })
    }
}

/// The reply that clients are to see, of one that leads to another cluster.
pub fn plain_reply(reply: &[u8]) -> Option<&[u8]> {
    Returning::of(reply).map(|returning| returning.subject)
}

/// This server's cluster as one of several.
#[derive(Debug)]
pub struct SuperCluster {
    cluster: Hash,
    server: Hash,
    outbound: RwLock<Vec<(Hash, Arc<Link>)>>,
}

impl SuperCluster {
    /// The cluster of this name, and the server of this id in it.
    pub(crate) fn new(cluster: &str, server: &str) -> Self {
        Self { cluster: hash(cluster), server: hash(server), outbound: RwLock::default() }
    }

    /// There is a connection to that cluster.
    pub fn add_outbound(&self, cluster: &str, link: &Arc<Link>) {
        self.outbound.write().push((hash(cluster), link.clone()));
    }

    /// It is over.
    pub fn remove_outbound(&self, link: &Arc<Link>) {
        self.outbound.write().retain(|(_, of)| !Arc::ptr_eq(of, link));
    }

    pub(crate) fn outbound(&self, cluster: &[u8]) -> Option<Arc<Link>> {
        self.outbound.read().iter().find(|(hash, _)| hash == cluster).map(|(_, link)| link.clone())
    }

    pub(crate) fn is_own(&self, returning: &Returning<'_>) -> bool {
        self.cluster == returning.cluster
    }

    pub(crate) fn is_here(&self, returning: &Returning<'_>) -> bool {
        self.server == returning.server
    }

    /// What `reply` is called in other clusters.
    pub(crate) fn returning(&self, reply: &[u8]) -> Vec<u8> {
        [REPLY_PREFIX, &self.cluster, b".", &self.server, b".", reply].concat()
    }
}

/// Patterns that one account's clients have just subscribed to.
#[derive(Debug, Default)]
pub struct Recent {
    count: AtomicUsize,
    patterns: Mutex<Patterns>,
}

#[derive(Debug, Default)]
struct Patterns {
    trie: Trie<()>,
    order: VecDeque<Timed>,
}

/// Text, and until when it is remembered.
type Timed = (Time, Box<[u8]>);

impl Recent {
    /// Patterns remembered at the same time; the oldest make room.
    pub const LIMIT: usize = 256 * 1024;

    /// Somebody has subscribed.
    pub(crate) fn note(&self, pattern: &[u8], now: Time) {
        let mut patterns = self.patterns.lock();
        patterns.expire(now);
        if patterns.order.len() >= Self::LIMIT {
            patterns.drop_oldest();
        }
        patterns.trie.insert(pattern, ());
        patterns.order.push_back((now + RECENT, pattern.into()));
        self.count.store(patterns.order.len(), Relaxed);
    }

    /// Whether somebody has just subscribed to `subject`.
    pub(crate) fn covers(&self, subject: &[u8], now: Time) -> bool {
        if self.count.load(Relaxed) == 0 {
            return false;
        }
        let mut patterns = self.patterns.lock();
        patterns.expire(now);
        self.count.store(patterns.order.len(), Relaxed);
        let mut found = false;
        patterns.trie.for_each_match(subject, |()| found = true);
        found
    }

    /// Forgets what is no longer new.
    pub(crate) fn expire(&self, now: Time) {
        if self.count.load(Relaxed) > 0 {
            let mut patterns = self.patterns.lock();
            patterns.expire(now);
            self.count.store(patterns.order.len(), Relaxed);
        }
    }
}

impl Patterns {
    fn expire(&mut self, now: Time) {
        while self.order.front().is_some_and(|(until, _)| *until <= now) {
            self.drop_oldest();
        }
    }

    fn drop_oldest(&mut self) {
        if let Some((_, pattern)) = self.order.pop_front() {
            self.trie.remove(&pattern, |()| true);
        }
    }
}

/// What the replies stand for that one connection was given.
#[derive(Debug, Default)]
pub(crate) struct Returns {
    by_reply: HashMap<Box<[u8]>, Timed, RandomState>,
    order: VecDeque<Timed>,
}

impl Returns {
    /// Replies remembered at the same time; the oldest make room.
    const LIMIT: usize = 64 * 1024;

    /// `reply` stands for `returns`, behind which more may follow.
    pub(crate) fn note(&mut self, returns: &[u8], reply: &[u8], now: Time) {
        self.expire(now);
        if self.order.len() >= Self::LIMIT {
            self.drop_oldest();
        }
        let until = now + RECENT;
        let returns = returns[..returns.len().min(START + reply.len())].into();
        self.by_reply.insert(reply.into(), (until, returns));
        self.order.push_back((until, reply.into()));
    }

    /// What `reply` stands for.
    pub(crate) fn find(&mut self, reply: &[u8], now: Time) -> Option<&[u8]> {
        self.expire(now);
        self.by_reply.get(reply).map(|(_, returns)| &**returns)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.by_reply.is_empty()
    }

    fn expire(&mut self, now: Time) {
        while self.order.front().is_some_and(|(until, _)| *until <= now) {
            self.drop_oldest();
        }
    }

    fn drop_oldest(&mut self) {
        let Some((until, reply)) = self.order.pop_front() else { return };
        // It may have been given again, and is then further behind.
        if self.by_reply.get(&reply).is_some_and(|(known, _)| *known == until) {
            self.by_reply.remove(&reply);
        }
    }
}

/// What an older server of another cluster does not want. It gets everything else until it says what it does want.
// spec: CLU-044
#[derive(Debug, Default)]
pub struct Optimism(Mutex<HashMap<String, Subjects, RandomState>>);

type Subjects = HashSet<Box<[u8]>, RandomState>;

impl Optimism {
    /// Subjects remembered per account: the other side changes its mode long before.
    const LIMIT: usize = 16 * 1024;

    /// A subject is not wanted.
    pub fn object(&self, account: &str, subject: &[u8]) {
        let mut unwanted = self.0.lock();
        let of_account = unwanted.entry_ref(account).or_default();
        if of_account.len() < Self::LIMIT {
            of_account.insert(subject.into());
        }
    }

    /// What `pattern` selects is wanted after all.
    pub fn relent(&self, account: &str, pattern: &[u8]) {
        if let Some(of_account) = self.0.lock().get_mut(account) {
            of_account.retain(|subject| !martlet_subject::matches(pattern, subject));
        }
    }

    /// Nothing is unwanted any more in this account.
    pub fn forget(&self, account: &str) {
        self.0.lock().remove(account);
    }

    /// How many subjects are unwanted.
    pub fn objections(&self, account: &str) -> usize {
        self.0.lock().get(account).map_or(0, HashSet::len)
    }

    pub(crate) fn objects_to(&self, account: &str, subject: &[u8]) -> bool {
        self.0.lock().get(account).is_some_and(|of_account| of_account.contains(subject))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Time {
        Time::ORIGIN + Duration::from_millis(millis)
    }

    #[test]
    fn names_of_clusters_in_replies() {
        // spec: CLU-046
        let home = SuperCluster::new("C1", "NA");
        let text = home.returning(b"in.1");
        let returning = Returning::of(&text).expect("one of ours");
        assert_eq!((returning.cluster, returning.server), (&hash("C1")[..], &hash("NA")[..]));
        assert_eq!(returning.subject, b"in.1");
        assert!(home.is_own(&returning) && home.is_here(&returning));
        assert!(!SuperCluster::new("C2", "NA").is_own(&returning));
        assert!(!SuperCluster::new("C1", "NB").is_here(&returning));
        assert_eq!(plain_reply(&text), Some(b"in.1".as_slice()));
        for other in ["_GR_.", "_GR_.aaaaaa.bbbbbb.", "_INBOX.aaaaaaaaaaaaaaaaaaaaaa", ""] {
            assert_eq!(Returning::of(other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn what_is_new_does_not_stay_so() {
        // spec: CLU-046
        let recent = Recent::default();
        assert!(!recent.covers(b"a.b", at(0)));
        recent.note(b"a.*", at(0));
        recent.note(b"c", at(1000));
        assert!(recent.covers(b"a.b", at(1999)) && recent.covers(b"c", at(1999)));
        assert!(!recent.covers(b"a.b", at(2000)) && recent.covers(b"c", at(2999)));
        recent.expire(at(3000));
        assert!(!recent.covers(b"c", at(2000)));
    }

    #[test]
    fn no_more_is_new_than_the_limit() {
        let recent = Recent::default();
        for n in 0..=Recent::LIMIT {
            recent.note(format!("s.{n}").as_bytes(), at(0));
        }
        assert!(!recent.covers(b"s.0", at(0)));
        assert!(recent.covers(b"s.1", at(0)));
    }

    #[test]
    fn what_replies_stand_for() {
        // spec: CLU-046
        let mut returns = Returns::default();
        let full = SuperCluster::new("C1", "NA").returning(b"re@deliver.me");
        returns.note(&full, b"re", at(0));
        assert_eq!(returns.find(b"re", at(1)), Some(&full[..START + 2]));
        returns.note(&full, b"re", at(1500));
        assert!(returns.find(b"re", at(2500)).is_some(), "given again");
        assert_eq!(returns.find(b"re", at(3500)), None);
        assert!(returns.is_empty());
        for n in 0..=Returns::LIMIT {
            returns.note(&full, n.to_string().as_bytes(), at(0));
        }
        assert_eq!(returns.find(b"0", at(0)), None);
        assert_eq!(returns.by_reply.len(), Returns::LIMIT);
    }

    #[test]
    fn objections_are_taken_back() {
        // spec: CLU-044
        let optimism = Optimism::default();
        optimism.object("A", b"a.b");
        optimism.object("A", b"c");
        assert!(
            optimism.objects_to("A", b"a.b") && !optimism.objects_to("B", b"a.b") && !optimism.objects_to("A", b"a")
        );
        optimism.relent("A", b"a.*");
        assert!(!optimism.objects_to("A", b"a.b") && optimism.objects_to("A", b"c"));
        optimism.forget("A");
        assert!(!optimism.objects_to("A", b"c"));
    }
}
