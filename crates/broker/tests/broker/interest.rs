//! Who wants what: against a naive model, from several threads' memories, while it changes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use martlet_broker::account::Account;
use martlet_broker::interest::{Interest, Matches, Target};
use martlet_broker::router::{Message, Origin};
use martlet_broker::subscription::Subscription;
use martlet_broker::{Batch, Peer};
use martlet_events::Time;
use proptest::prelude::*;

use crate::support::Wire;

fn peer(cid: u64) -> (Arc<Peer>, Wire) {
    let wire = Wire::default();
    let slot = u32::try_from(cid).expect("few peers");
    (Arc::new(Peer::new(cid, slot, Box::new(wire.clone()), 1 << 30, Time::ORIGIN)), wire)
}

/// Whether `pattern` selects `subject`, token by token.
fn selects(pattern: &str, subject: &str) -> bool {
    let (pattern, subject): (Vec<_>, Vec<_>) = (pattern.split('.').collect(), subject.split('.').collect());
    // As on the reference, a subject with an empty token is published to nobody.
    if subject.contains(&"") {
        return false;
    }
    if pattern.last() == Some(&">") {
        let fixed = pattern.len() - 1;
        return subject.len() > fixed && (0..fixed).all(|i| pattern[i] == "*" || pattern[i] == subject[i]);
    }
    pattern.len() == subject.len() && pattern.iter().zip(&subject).all(|(p, s)| *p == "*" || p == s)
}

/// The sids that `matches` gives, queue groups by name.
fn sids(matches: &Matches) -> Vec<String> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let mut sids: Vec<_> = matches.plain.iter().map(|d| text(d.subscription.sid())).collect();
    for group in &matches.groups {
        sids.extend(group.members.iter().map(|d| format!("{}@{}", text(d.subscription.sid()), text(&group.queue))));
    }
    sids.sort();
    sids
}

fn token() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["a", "b", "c", "longer-than-most"])
}

fn pattern() -> impl Strategy<Value = String> {
    let token = prop_oneof![6 => token(), 2 => Just("*")];
    (prop::collection::vec(token, 1..4), prop::bool::weighted(0.25)).prop_map(|(mut tokens, tail)| {
        if tail {
            tokens.push(">");
        }
        tokens.join(".")
    })
}

fn subject() -> impl Strategy<Value = String> {
    // Wildcards are published too: they are tokens like any other (CORE-056).
    let token = prop_oneof![20 => token(), 1 => Just("*"), 1 => Just(">"), 1 => Just("")];
    prop::collection::vec(token, 1..5).prop_map(|tokens| tokens.join("."))
}

#[derive(Debug, Clone)]
enum Op {
    Insert { account: usize, pattern: String, queue: Option<&'static str> },
    Remove { nth: usize },
    Publish { account: usize, batch: usize, subject: String },
}

fn op() -> impl Strategy<Value = Op> {
    let queue = prop::option::weighted(0.3, prop::sample::select(vec!["q", "r"]));
    prop_oneof![
        3 => (0_usize..2, pattern(), queue).prop_map(|(account, pattern, queue)| Op::Insert { account, pattern, queue }),
        2 => any::<usize>().prop_map(|nth| Op::Remove { nth }),
        8 => (0_usize..2, 0_usize..3, subject())
            .prop_map(|(account, batch, subject)| Op::Publish { account, batch, subject }),
    ]
}

/// What a message on `subject` without reply and body is delivered as.
fn message(subject: &str) -> Message<'_> {
    Message {
        shown: None,
        returns: None,
        subject: subject.as_bytes(),
        reply: b"",
        header_len: None,
        header_text: b"",
        size_text: b"0",
        body: b"",
        verbatim: &[],
        shared: None,
    }
}

/// A model: the open subscriptions of every account, by number.
type Model = BTreeMap<usize, (usize, String, Option<&'static str>, Arc<Subscription>)>;

/// Who the model says gets a message: sids that all do, and groups of sids of which one does.
fn expected(model: &Model, account: usize, subject: &str) -> (Vec<String>, Vec<Vec<String>>) {
    let mut plain = Vec::new();
    let mut groups: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (n, (there, pattern, queue, _)) in model {
        if *there == account && selects(pattern, subject) {
            match queue {
                None => plain.push(n.to_string()),
                Some(queue) => groups.entry(queue).or_default().push(n.to_string()),
            }
        }
    }
    (plain, groups.into_values().collect())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_thread_finds_what_there_is(ops in prop::collection::vec(op(), 1..120)) {
        // spec: CORE-103 CORE-107 CORE-108 CORE-109 SEC-045
        let accounts = [Account::new(1, "A", true), Account::new(2, "B", true)];
        let mut batches: Vec<_> = (0..3).map(Batch::new).collect();
        let (peer, wire) = peer(0);
        let mut model = Model::new();
        let mut found: Vec<(usize, String, Arc<Matches>)> = Vec::new();
        for (n, op) in ops.into_iter().enumerate() {
            match op {
                Op::Insert { account, pattern, queue } => {
                    let sid = n.to_string();
                    let queue_name = queue.map(str::as_bytes);
                    let subscription =
                        Arc::new(Subscription::new(peer.clone(), pattern.as_bytes(), sid.as_bytes(), queue_name, false));
                    accounts[account].interest.insert(pattern.as_bytes(), Target::Subscription(subscription.clone()));
                    model.insert(n, (account, pattern, queue, subscription));
                }
                Op::Remove { nth } => {
                    let Some(n) = model.keys().copied().nth(nth % model.len().max(1)) else { continue };
                    let (account, pattern, _, subscription) = model.remove(&n).expect("it is there");
                    let target = Target::Subscription(subscription);
                    prop_assert!(accounts[account].interest.remove(pattern.as_bytes(), &target));
                    prop_assert!(!accounts[account].interest.remove(pattern.as_bytes(), &target), "only once");
                }
                Op::Publish { account, batch, subject } => {
                    let (plain, groups) = expected(&model, account, &subject);
                    // Three times: found, found and remembered, remembered.
                    for _ in 0..3 {
                        let delivered = batches[batch].route(&accounts[account], &Origin::SERVER, &message(&subject));
                        batches[batch].finish();
                        prop_assert_eq!(delivered, plain.len() + groups.len());
                        let text = String::from_utf8(wire.written()).expect("text");
                        let mut got: Vec<String> = text.lines().filter_map(|line| line.strip_prefix("MSG "))
                            .map(|line| line.split(' ').nth(1).expect("a sid").to_owned()).collect();
                        for group in &groups {
                            let before = got.len();
                            got.retain(|sid| !group.contains(sid));
                            prop_assert_eq!(before - got.len(), 1, "one of {:?}", group);
                        }
                        got.sort();
                        let mut all = plain.clone();
                        all.sort();
                        prop_assert_eq!(got, all);
                    }
                    let interest = &accounts[account].interest;
                    let kept = [Some(interest.matches(subject.as_bytes())), interest.family(subject.as_bytes())];
                    found.extend(kept.into_iter().flatten().map(|matches| (account, subject.clone(), matches)));
                }
            }
            // Whoever kept an answer may use it for as long as it is not marked; that of a family, for all of it.
            for (account, subject, matches) in found.iter().filter(|(_, _, m)| !m.is_stale()) {
                let mut current = Matches::default();
                let relatives = ["a", "b", "new"].map(|last| match subject.rsplit_once('.') {
                    Some((beginning, _)) if matches.is_family => format!("{beginning}.{last}"),
                    _ => subject.clone(),
                });
                for subject in relatives {
                    accounts[*account].interest.matches_into(subject.as_bytes(), &mut current);
                    prop_assert_eq!(sids(matches), sids(&current), "{}", subject);
                }
            }
        }
    }
}

#[test]
fn the_cache_is_bounded_and_what_leaves_it_is_marked() {
    // spec: CORE-107
    let interest = Interest::default();
    let (peer, _) = peer(0);
    for pattern in ["s.*", ">"] {
        let subscription = Subscription::new(peer.clone(), pattern.as_bytes(), b"1", None, false);
        interest.insert(pattern.as_bytes(), Target::Subscription(Arc::new(subscription)));
    }
    let found: Vec<_> = (0..5000)
        .map(|n| {
            let matches = interest.matches(format!("s.{n}").as_bytes());
            assert!(interest.stats().cached <= 4096, "after {n}");
            matches
        })
        .collect();
    let current = found.iter().filter(|m| !m.is_stale()).count() as u64;
    let stats = interest.stats();
    assert_eq!(current, stats.cached);
    assert_eq!((stats.max_fanout, stats.total_fanout), (2, 2 * stats.cached));
    assert_eq!((stats.subscriptions, stats.inserts, stats.removes, stats.matches), (2, 2, 0, 5000));
}

#[test]
fn one_look_serves_a_family() {
    // spec: CORE-107
    let account = Account::new(1, "A", true);
    let (peer, _) = peer(0);
    let subscribe = |pattern: &[u8]| {
        let subscription = Arc::new(Subscription::new(peer.clone(), pattern, b"1", None, false));
        account.interest.insert(pattern, Target::Subscription(subscription.clone()));
        subscription
    };
    let mut batch = Batch::new(0);
    let mut reach = |subject: &str| batch.route(&account, &Origin::SERVER, &message(subject));
    let looks = || account.interest.stats().matches;
    subscribe(b"in.a.*");
    for n in 0..1_000 {
        assert_eq!(reach(&format!("in.a.{n}")), 1);
    }
    assert_eq!(looks(), 0, "the family alone was looked for");
    assert_eq!(reach("in.a."), 0, "an empty token is nobody's");
    assert_eq!(reach("in.b.1"), 0);
    // One of them is wanted by somebody else, too: now each is looked for by itself.
    let one = subscribe(b"in.a.7");
    for n in 0..1_000 {
        assert_eq!(reach(&format!("in.a.{n}")), if n == 7 { 2 } else { 1 });
    }
    let asked = looks();
    assert!(asked > 990);
    // And then they are a family again: that is found out after a while.
    account.interest.remove(b"in.a.7", &Target::Subscription(one));
    for n in 1_000..2_000 {
        assert_eq!(reach(&format!("in.a.{n}")), 1);
    }
    assert!(looks() < asked + 100);
}

#[test]
fn a_change_elsewhere_leaves_an_answer_alone() {
    let interest = Interest::default();
    let (peer, _) = peer(0);
    let insert = |pattern: &str| {
        let subscription = Arc::new(Subscription::new(peer.clone(), pattern.as_bytes(), b"1", None, false));
        interest.insert(pattern.as_bytes(), Target::Subscription(subscription.clone()));
    };
    let hot = interest.matches(b"orders.new");
    for pattern in ["_INBOX.x", "orders.old", "*.old", "orders.new.>", "order.>", "*"] {
        insert(pattern);
        assert!(!hot.is_stale(), "{pattern}");
    }
    for pattern in ["orders.new", "orders.*", "*.new", ">", "*.>"] {
        let hot = interest.matches(b"orders.new");
        insert(pattern);
        assert!(hot.is_stale(), "{pattern}");
    }
}

#[test]
fn a_thread_does_not_keep_the_gone_alive() {
    let account = Account::new(1, "A", true);
    let mut batch = Batch::new(0);
    let (peer, _) = peer(0);
    let gone = Arc::downgrade(&peer);
    for (pattern, times) in [("hot", 3), ("once", 1)] {
        let subscription = Arc::new(Subscription::new(peer.clone(), pattern.as_bytes(), b"1", None, false));
        let target = Target::Subscription(subscription);
        account.interest.insert(pattern.as_bytes(), target.clone());
        for _ in 0..times {
            assert_eq!(batch.route(&account, &Origin::SERVER, &message(pattern)), 1);
        }
        batch.finish();
        account.interest.remove(pattern.as_bytes(), &target);
    }
    drop(peer);
    assert!(gone.upgrade().is_some(), "what it remembers it keeps for a while");
    batch.now += Duration::from_secs(10);
    batch.finish();
    assert!(gone.upgrade().is_none());
}

const THREADS: u64 = 4;

#[test]
fn threads_never_lose_a_subscription_nor_keep_one() {
    const ROUNDS: u64 = 4000;
    let interest = Interest::default();
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let interest = &interest;
            scope.spawn(move || {
                let (peer, _) = peer(thread);
                let has = |subscription: &Arc<Subscription>| {
                    let found = interest.matches(b"t.all");
                    found.plain.iter().any(|d| Arc::ptr_eq(&d.subscription, subscription))
                };
                for round in 0..ROUNDS {
                    let pattern: &[u8] =
                        [&b"t.all"[..], b"t.*", b">"][usize::from(round % 7 == 0) + usize::from(round % 5 == 0)];
                    let subscription = Arc::new(Subscription::new(peer.clone(), pattern, b"1", None, false));
                    let target = Target::Subscription(subscription.clone());
                    interest.insert(pattern, target.clone());
                    assert!(has(&subscription) && has(&subscription), "made before the lookup began, in round {round}");
                    assert!(interest.remove(pattern, &target));
                    assert!(
                        !has(&subscription) && !has(&subscription),
                        "gone before the lookup began, in round {round}"
                    );
                }
            });
        }
    });
    assert!(interest.is_empty());
    assert_eq!(interest.stats().inserts, THREADS * ROUNDS);
}

#[test]
fn threads_memories_never_miss_a_change_either() {
    const ROUNDS: usize = 500;
    let account = Account::new(1, "A", true);
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let account = &account;
            scope.spawn(move || {
                let mut batch = Batch::new(thread);
                let (peer, wire) = peer(thread);
                for round in 0..ROUNDS {
                    let pattern = ["t.*", "t.all", "*.*", "t.all"][round % 4];
                    let sid = round.to_string();
                    let subscription =
                        Arc::new(Subscription::new(peer.clone(), pattern.as_bytes(), sid.as_bytes(), None, false));
                    let target = Target::Subscription(subscription);
                    // Everybody publishes to the same subject: its own words tell a thread what came of its own message.
                    let gets = |batch: &mut Batch, n: usize| {
                        let words = format!("from {thread} in {round} {n};");
                        let size = words.len().to_string();
                        let published =
                            Message { size_text: size.as_bytes(), body: words.as_bytes(), ..message("t.all") };
                        batch.route(account, &Origin::SERVER, &published);
                        batch.finish();
                        // Another thread may be about to write it.
                        while peer.outbox.pending() > 0 {
                            std::thread::yield_now();
                        }
                        let text = String::from_utf8(wire.written()).expect("text");
                        text.contains(&format!("MSG t.all {sid} {size}\r\n{words}"))
                    };
                    account.interest.insert(pattern.as_bytes(), target.clone());
                    assert!((0..3).all(|n| gets(&mut batch, n)), "made before, in round {round}");
                    account.interest.remove(pattern.as_bytes(), &target);
                    assert!((3..6).all(|n| !gets(&mut batch, n)), "gone before, in round {round}");
                }
            });
        }
    });
    assert!(account.interest.is_empty());
}
