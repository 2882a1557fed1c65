//! Messages that cannot be read go by ranges, and as if they went one by one.

use std::ops::RangeInclusive;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::damage::{UNBOUNDED, segments};
use super::*;
use crate::file::segment::HEADER;
use crate::store::Removal;

#[derive(Debug, Clone)]
enum Step {
    Remove(u64, u64),
    Purge {
        before: u64,
        keep: u64,
    },
    /// A bound is put in force for messages, or none.
    Limit(u64),
    Add(u64),
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0_u64..320, 0_u64..90).prop_map(|(from, len)| Step::Remove(from, len)),
        2 => (0_u64..400, prop_oneof![Just(0), 0_u64..200]).prop_map(|(before, keep)| Step::Purge { before, keep }),
        1 => (0_u64..300).prop_map(Step::Limit),
        1 => (1_u64..9).prop_map(Step::Add),
        1 => Just(Step::Reopen),
    ]
}

/// Which messages there are, whether each can be read, and what went how.
#[derive(Default)]
struct Naive {
    messages: BTreeMap<u64, bool>,
    last_seq: u64,
    gone: Vec<(u64, Removal)>,
}

impl Naive {
    fn remove(&mut self, seqs: impl IntoIterator<Item = u64>, why: Removal) {
        for seq in seqs {
            self.messages.remove(&seq).expect("it is there");
            self.gone.push((seq, why));
        }
    }

    fn within(&self, seqs: RangeInclusive<u64>) -> Vec<u64> {
        self.messages.range(seqs).map(|(seq, _)| *seq).collect()
    }

    fn keep(&mut self, max_msgs: u64) {
        let over = if max_msgs == 0 { 0 } else { self.messages.len().saturating_sub(max_msgs as usize) };
        let over: Vec<u64> = self.messages.keys().copied().take(over).collect();
        self.remove(over, Removal::Limit);
    }
}

/// Hears what went, and in how many pieces.
#[derive(Default)]
struct Ear {
    gone: Vec<(u64, Removal)>,
    pieces: u64,
}

impl Observer for Ear {
    fn added(&mut self, _: &Message<'_>, _: u64) {}
    fn removed(&mut self, message: &Discarded<'_>) {
        self.gone.push((message.seq, message.why));
    }
    fn lost(&mut self, seqs: RangeInclusive<u64>, why: Removal) {
        self.gone.extend(seqs.map(|seq| (seq, why)));
        self.pieces += 1;
    }
    fn noted(&mut self, _: u8, _: &[u8]) {}
}

/// A disk with 300 messages, of which whole segments cannot be read; and which ones those are.
fn spoilt() -> (SimDisk, Naive) {
    let disk = SimDisk::default();
    let mut life = Life::begin(&disk, UNBOUNDED, 6);
    for _ in 0..300 {
        let deed = life.message();
        life.append(&[deed]).unwrap();
    }
    life.sync().unwrap();
    life.apply();
    life.store.close(b"").unwrap();
    let all = segments(&disk);
    for (name, used) in all[..all.len() - 1].iter().filter(|(name, _)| !name.ends_with("3.log")) {
        let mut bytes = disk.bytes(name).unwrap();
        bytes[HEADER as usize..*used].fill(0x55);
        disk.set_bytes(name, bytes);
    }
    let store = open(&disk, &mut Ear::default());
    let is_readable = |seq: u64| store.get(seq, &mut Vec::new()).is_ok();
    let there = life.models.last().unwrap().messages.keys();
    let messages: BTreeMap<u64, bool> = there.map(|seq| (*seq, is_readable(*seq))).collect();
    (disk, Naive { messages, last_seq: life.last_seq, gone: Vec::new() })
}

fn open(disk: &SimDisk, ear: &mut Ear) -> FileStore {
    let mut store = FileStore::open(Arc::new(disk.clone()), UNBOUNDED, ear).unwrap().store;
    let mut from = 0;
    while let Err(crate::store::ReadError::Unreadable(range)) = store.next(&Filter::default(), from, &mut Vec::new()) {
        from = range.seqs.end() + 1;
    }
    for seq in store.state().first_seq..=store.state().last_seq {
        let _ = store.get(seq, &mut Vec::new());
    }
    store.apply(0, ear);
    store
}

fn write(store: &mut FileStore, record: &Record<'_>, ear: &mut Ear) {
    let through = store.append(std::slice::from_ref(record)).unwrap();
    let job = store.sync_job().unwrap();
    store.synced(job.through, job.run()).unwrap();
    store.apply(through, ear);
}

#[test]
// spec: JS-021 JS-022
fn what_cannot_be_read_goes_as_if_one_by_one() {
    let (disk, naive) = spoilt();
    let lost = naive.messages.values().filter(|is_readable| !**is_readable).count();
    assert!(lost > 150 && lost < 290, "{lost}");
    let config = Config { cases: 60, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new(config);
    runner
        .run(&vec(step(), 1..12), |steps| run(&disk.fork(), &naive, &steps))
        .unwrap_or_else(|failure| panic!("{failure}"));
}

fn run(disk: &SimDisk, naive: &Naive, steps: &[Step]) -> Result<(), TestCaseError> {
    let mut naive = Naive { messages: naive.messages.clone(), last_seq: naive.last_seq, gone: Vec::new() };
    let (mut ear, mut max_msgs) = (Ear::default(), 0);
    let mut store = open(disk, &mut ear);
    for step in steps {
        match *step {
            Step::Remove(from, len) => {
                write(&mut store, &Record::Remove { ranges: &[from..=from + len], erase: false }, &mut ear);
                naive.remove(naive.within(from..=from + len), Removal::Removed);
            }
            Step::Purge { before, keep } => {
                write(&mut store, &Record::Purge(Purge { filter: None, before, keep }), &mut ear);
                let mut seqs = naive.within(0..=before.saturating_sub(1));
                seqs.truncate(seqs.len().saturating_sub(keep as usize));
                naive.remove(seqs, Removal::Purged);
            }
            Step::Limit(most) => {
                max_msgs = most;
                store.set_limits(Limits { max_msgs, discard_old: true, ..Limits::default() }, &mut ear);
                naive.keep(max_msgs);
            }
            Step::Add(messages) => {
                for _ in 0..messages {
                    naive.last_seq += 1;
                    let (seq, time) = (naive.last_seq, WallTime::from_nanos(u64::MAX / 2));
                    let message = Message { seq, time, subject: b"s", headers: b"", payload: b"x", expires: None };
                    write(&mut store, &Record::Message(message), &mut ear);
                    naive.messages.insert(seq, true);
                    naive.keep(max_msgs);
                }
            }
            Step::Reopen => {
                store.close(b"").unwrap();
                prop_assert_eq!(std::mem::take(&mut ear.gone), std::mem::take(&mut naive.gone));
                let opened = FileStore::open(Arc::new(disk.clone()), UNBOUNDED, &mut Ear::default()).unwrap();
                let misled = opened.damage.iter().find(|damage| damage.what.contains("subjects"));
                prop_assert!(misled.is_none(), "{:?}", misled);
                store = open(disk, &mut ear);
                store.set_limits(Limits { max_msgs, discard_old: true, ..Limits::default() }, &mut ear);
            }
        }
        compare(&store, &naive)?;
    }
    prop_assert_eq!(&ear.gone, &naive.gone);
    Ok(())
}

fn compare(store: &FileStore, naive: &Naive) -> Result<(), TestCaseError> {
    let state = store.state();
    let first = naive.messages.first_key_value().map_or(naive.last_seq + 1, |(seq, _)| *seq);
    let lost = naive.messages.values().filter(|is_readable| !**is_readable).count() as u64;
    let counts = (state.messages, state.first_seq, state.last_seq, state.unreadable);
    prop_assert_eq!(counts, (naive.messages.len() as u64, first, naive.last_seq, lost));
    let mut buffer = Vec::new();
    for seq in first..=naive.last_seq {
        let found = store.get(seq, &mut buffer).map(|found| found.is_some()).ok();
        let wanted = naive.messages.get(&seq).map_or(Some(false), |is_readable| is_readable.then_some(true));
        prop_assert_eq!(found, wanted, "message {}", seq);
    }
    Ok(())
}

#[test]
fn a_purge_takes_no_longer_for_what_cannot_be_read() {
    let (disk, naive) = spoilt();
    let lost = naive.messages.values().filter(|is_readable| !**is_readable).count() as u64;
    let mut ear = Ear::default();
    let mut store = open(&disk, &mut ear);
    let ranges = store.unreadable().len() as u64;
    write(&mut store, &Record::Purge(Purge { filter: None, before: u64::MAX, keep: 0 }), &mut ear);
    assert_eq!((store.state().messages, ear.gone.len()), (0, naive.messages.len()));
    let holes = naive.messages.keys().zip(naive.messages.keys().skip(1)).filter(|(a, b)| **a + 1 < **b).count() as u64;
    assert!(ear.pieces <= ranges + holes && ear.pieces * 4 < lost, "{} pieces, {lost} messages", ear.pieces);
}
