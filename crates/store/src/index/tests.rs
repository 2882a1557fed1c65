//! The parts of the index against plain collections; the whole of it is tested with every store (`tests/model`).

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use martlet_events::WallTime;
use proptest::prelude::*;

use super::*;
use crate::record::NEVER;
use crate::store::Filter;

fn subjects() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        "[ab]{1,3}(\\.[ab]{1,2}){0,3}",
        "key\\.[0-9]{1,3}",
        "[a-z]{1}\\.[a-z]{1}",
        "\\$KV\\.(b|bucket)\\.[a-z0-9]{1,5}",
    ]
    .prop_map(String::into_bytes)
}

fn patterns() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        Just(">".to_owned()),
        "([ab]{1,2}|\\*)(\\.([ab]{1,2}|\\*)){0,3}(\\.>)?",
        "key\\.(\\*|>|[0-9])",
        "(\\*|\\$KV)\\.(\\*|b|bucket)\\.(\\*|>)",
    ]
    .prop_map(String::into_bytes)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_tree_is_a_sorted_map(
        steps in prop::collection::vec((subjects(), any::<u32>(), prop::bool::weighted(0.7)), 0..200),
        wanted in prop::collection::vec(patterns(), 1..8),
    ) {
        let (mut tree, mut model) = (Tree::<u32>::default(), BTreeMap::<Vec<u8>, u32>::new());
        for (subject, value, is_put) in steps {
            if is_put {
                *tree.entry(&subject) = value;
                model.insert(subject.clone(), value);
            } else {
                prop_assert_eq!(tree.remove(&subject), model.remove(&subject));
            }
            prop_assert_eq!(tree.len(), model.len());
            prop_assert_eq!(tree.get(&subject), model.get(&subject));
            prop_assert_eq!(tree.get_mut(&subject), model.get_mut(&subject));
        }
        for pattern in wanted {
            let mut found = Vec::new();
            tree.for_each(&pattern, |subject, value| {
                found.push((subject.to_vec(), *value));
                true
            });
            let expected: Vec<_> =
                model.iter().filter(|(s, _)| martlet_subject::matches(&pattern, s)).map(|(s, v)| (s.clone(), *v)).collect();
            prop_assert_eq!(found, expected, "{}", String::from_utf8_lossy(&pattern));
        }
        for (subject, value) in model {
            prop_assert_eq!(tree.remove(&subject), Some(value));
        }
        prop_assert!(tree.is_empty() && tree.root.is_none());
    }
}

const END: u64 = 60_000;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn deleted_is_a_set(
        ranges in prop::collection::vec((0_u64..30_000, prop_oneof![3 => 0_u64..3, 1 => 0_u64..12_000]), 0..30),
        singles in prop::collection::vec(4_000_u64..9_000, 0..600),
        asked in prop::collection::vec((0_u64..40_000, 0_u64..20_000), 8),
    ) {
        let (mut deleted, mut model) = (Deleted::default(), vec![false; usize::try_from(END).unwrap()]);
        for (from, len) in ranges.into_iter().chain(singles.into_iter().map(|seq| (seq, 0))) {
            deleted.insert(from..=from + len);
            for seq in from..=from + len {
                model[usize::try_from(seq).unwrap()] = true;
            }
        }
        let is_in = |seq: &u64| model[usize::try_from(*seq).unwrap()];
        for (at, len) in asked {
            let seqs = at..=at + len;
            prop_assert_eq!(deleted.contains(at), is_in(&at));
            prop_assert_eq!(deleted.count(seqs.clone()), seqs.clone().filter(is_in).count() as u64);
            prop_assert_eq!(Some(deleted.next_absent(at)), (at..END).find(|seq| !is_in(seq)));
            prop_assert_eq!(deleted.last_absent(at), (0..=at).rev().find(|seq| !is_in(seq)));
            let mut found = Vec::new();
            deleted.for_each(seqs.clone(), |run| {
                found.push(run);
                true
            });
            prop_assert!(found.windows(2).all(|pair| pair[0].end() + 1 < *pair[1].start()), "runs are as long as they are");
            prop_assert!(found.into_iter().flatten().eq(seqs.filter(is_in)));
        }
        deleted.forget_below(15_000);
        for seq in (15_000..45_000).step_by(97) {
            prop_assert_eq!(deleted.contains(seq), is_in(&seq));
        }
    }
}

#[test]
fn a_hole_of_any_length_is_small() {
    let mut deleted = Deleted::default();
    deleted.insert(10..=u64::MAX / 2);
    assert_eq!(deleted.count(0..=u64::MAX / 2), u64::MAX / 2 - 9);
    assert_eq!(deleted.next_absent(11), u64::MAX / 2 + 1);
    assert_eq!(deleted.last_absent(u64::MAX / 2), Some(9));
}

/// Messages that know nothing of their neighbours, so that the index has to look for firsts and lasts.
#[derive(Default)]
struct Plain(Vec<(u64, &'static [u8])>);

fn tell(seqs: &RangeInclusive<u64>, (seq, subject): (u64, &[u8]), f: &mut dyn FnMut(&Head<'_>) -> bool) -> bool {
    let time = WallTime::from_nanos(seq);
    let head = Head { seq, time, subject, size: 10, expires: None, before: None, after: None };
    !seqs.contains(&seq) || f(&head)
}

impl Heads for Plain {
    fn head(&self, seq: u64, f: &mut dyn FnMut(&Head<'_>)) -> bool {
        let mut found = false;
        self.scan(seq..=seq, &mut |head| {
            f(head);
            found = true;
            false
        });
        found
    }

    fn scan(&self, seqs: RangeInclusive<u64>, f: &mut dyn FnMut(&Head<'_>) -> bool) {
        let _ = self.0.iter().all(|message| tell(&seqs, *message, f));
    }

    fn scan_back(&self, seqs: RangeInclusive<u64>, f: &mut dyn FnMut(&Head<'_>) -> bool) {
        let _ = self.0.iter().rev().all(|message| tell(&seqs, *message, f));
    }

    fn forget(&mut self, _: u64, _: bool) {}
}

#[derive(Default)]
struct Seen(Vec<(u64, bool)>);

impl Observer for Seen {
    fn added(&mut self, _: &Message<'_>, _: u64) {}
    fn removed(&mut self, message: &Discarded<'_>) {
        self.0.push((message.seq, message.is_last_of_subject));
    }
    fn noted(&mut self, _: u8, _: &[u8]) {}
}

fn filled(subjects: &[&'static [u8]]) -> (Index, Plain) {
    let (mut index, mut plain) = (Index::new(0), Plain::default());
    for (seq, subject) in (1..).zip(subjects) {
        let time = WallTime::from_nanos(seq);
        index.add(&Message { seq, time, subject, headers: b"", payload: b"", expires: None }, 10);
        plain.0.push((seq, subject));
    }
    (index, plain)
}

#[test]
fn firsts_and_lasts_are_found_again() {
    let (mut index, mut plain) = filled(&[b"a", b"b", b"a", b"a", b"b", b"a", b"a"]);
    let mut seen = Seen::default();
    for seq in [1, 7, 4] {
        assert!(index.remove(seq, Removal::Removed, false, &mut plain, &mut seen));
        assert!(!index.remove(seq, Removal::Removed, false, &mut plain, &mut seen), "once is enough");
    }
    assert_eq!(index.subject(b"a", &plain), Some(SubjectState { first: 3, last: 6, messages: 2 }));
    index.remove(3, Removal::Removed, false, &mut plain, &mut seen);
    assert_eq!(index.subject(b"a", &plain), Some(SubjectState { first: 6, last: 6, messages: 1 }));
    index.remove(6, Removal::Removed, false, &mut plain, &mut seen);
    assert_eq!(index.subject(b"a", &plain), None);
    assert_eq!(seen.0, [(1, false), (7, false), (4, false), (3, false), (6, true)]);
    let state = index.state();
    assert_eq!((state.first_seq, state.last_seq, state.deleted, state.subjects), (2, 7, 4, 1));
}

#[test]
fn what_cannot_be_read_goes_without_a_name() {
    let (mut index, mut plain) = filled(&[b"a", b"b", b"a"]);
    plain.0.remove(0);
    index.set_unreadable(1);
    let limits = Limits { max_msgs: 2, discard_old: true, ..Limits::default() };
    let mut seen = Seen::default();
    index.set_limits(limits, &mut plain, &mut seen);
    assert_eq!(seen.0, [(1, false)]);
    let state = index.state();
    assert_eq!((state.messages, state.first_seq, state.unreadable), (2, 2, 0));
}

#[test]
fn a_bound_for_subjects_takes_their_oldest_in_order() {
    let (mut index, mut plain) = filled(&[b"a", b"b", b"a", b"b", b"b", b"a", b"c"]);
    let mut seen = Seen::default();
    let limits = Limits { max_msgs_per_subject: 1, ..Limits::default() };
    index.set_limits(limits, &mut plain, &mut seen);
    assert_eq!(seen.0, [(1, false), (2, false), (3, false), (4, false)]);
    let all = Filter::default();
    assert_eq!(index.count(&all, 0, false, &plain), 3);
    assert_eq!(index.count(&all, 6, true, &plain), 2);
}

/// Messages that nobody may ask for.
struct Unread(Vec<u64>);

impl Heads for Unread {
    fn head(&self, seq: u64, _: &mut dyn FnMut(&Head<'_>)) -> bool {
        panic!("message {seq} is read");
    }

    fn scan(&self, seqs: RangeInclusive<u64>, _: &mut dyn FnMut(&Head<'_>) -> bool) {
        panic!("messages {seqs:?} are read");
    }

    fn scan_back(&self, seqs: RangeInclusive<u64>, _: &mut dyn FnMut(&Head<'_>) -> bool) {
        panic!("messages {seqs:?} are read");
    }

    fn forget(&mut self, seq: u64, _: bool) {
        self.0.push(seq);
    }
}

#[test]
fn what_is_replaced_is_not_read() {
    let (mut index, mut heads, mut seen) = (Index::new(0), Unread(Vec::new()), Seen::default());
    index.set_limits(Limits { max_msgs_per_subject: 1, ..Limits::default() }, &mut heads, &mut seen);
    let subjects: [&[u8]; 2] = [b"a", b"b"];
    for seq in 1..=6_u64 {
        let subject = subjects[usize::from(seq % 3 == 0)];
        let time = WallTime::from_nanos(seq);
        index.add(&Message { seq, time, subject, headers: b"", payload: b"", expires: None }, seq * 100);
        index.enforce(subject, &mut heads, &mut seen);
    }
    assert_eq!(heads.0, [1, 2, 4, 3]);
    assert_eq!(seen.0, [(1, false), (2, false), (4, false), (3, false)]);
    let state = index.state();
    assert_eq!((state.messages, state.bytes, state.first_seq, state.last_seq), (2, 1_100, 5, 6));
    assert_eq!(index.subject(b"a", &heads), Some(SubjectState { first: 5, last: 5, messages: 1 }));
    // What is kept of a subject is the same whether the size is known or not.
    let mut raw = Vec::new();
    index.for_each_raw(&mut |subject, numbers| raw.push((subject.to_vec(), numbers)));
    assert_eq!(raw, [(b"a".to_vec(), [5, 5, 1]), (b"b".to_vec(), [6, 6, 1])]);
}

#[test]
fn the_first_expiry_is_always_there() {
    let mut expiries = Expiries::default();
    for seq in 1..=1_000 {
        expiries.push(WallTime::from_nanos(seq), seq);
    }
    expiries.push(NEVER, 1_001);
    for gone in 1..=1_000 {
        assert_eq!(expiries.next(), Some(WallTime::from_nanos(gone)));
        expiries.removed(Some(WallTime::from_nanos(gone)), |seq| seq > gone);
    }
    assert_eq!((expiries.next(), expiries.pop(NEVER)), (None, None));
}
