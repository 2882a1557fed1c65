//! What waits for a connection: in order, counted exactly, written by one at a time.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, IoSlice};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use martlet_broker::outbox::{self, Chunk, Flushed, Outbox, Unfinished};
use martlet_broker::pool::Pool;
use martlet_events::Time;
use proptest::prelude::*;

use crate::support::Wire;

const NOW: Time = Time::from_nanos(1_000_000_000);
const BUDGET: usize = 256 * 1024;

/// Hands over `runs`; whether it may be written at once says `write`.
fn offer(outbox: &Outbox, wire: &Wire, runs: &[&[u8]], write: bool, pool: &mut Pool) -> outbox::Offered {
    let mut chunks: VecDeque<_> = runs
        .iter()
        .map(|run| match run.len() % 3 {
            0 => Chunk::Shared(Bytes::copy_from_slice(run)),
            _ => Chunk::Owned(run.to_vec()),
        })
        .collect();
    let bytes = runs.iter().map(|r| r.len()).sum();
    let way = write.then_some((wire as &dyn outbox::Wire, BUDGET));
    let offered = outbox.offer(&mut chunks, bytes, (1, bytes as u64), way, NOW, pool);
    assert!(chunks.is_empty(), "what was offered is taken over");
    offered
}

fn flush(outbox: &Outbox, wire: &Wire, budget: usize, pool: &mut Pool) -> Flushed {
    let mut scratch = VecDeque::new();
    let flushed = outbox.flush(wire, budget, NOW, &mut scratch, pool);
    assert!(scratch.is_empty());
    flushed
}

#[derive(Debug, Clone)]
enum Op {
    Offer { lengths: Vec<usize>, write: bool },
    Flush { budget: usize },
    Take(usize),
    Unblock,
    AtATime(usize),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => (prop::collection::vec(prop_oneof![1_usize..40, 1_usize..9000], 1..5), any::<bool>())
            .prop_map(|(lengths, write)| Op::Offer { lengths, write }),
        2 => prop_oneof![Just(0), 1_usize..3000, Just(BUDGET)].prop_map(|budget| Op::Flush { budget }),
        2 => (0_usize..5000).prop_map(Op::Take),
        1 => Just(Op::Unblock),
        1 => (1_usize..700).prop_map(Op::AtATime),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn bytes_leave_in_order_and_are_counted(ops in prop::collection::vec(op(), 1..60)) {
        // spec: CORE-092
        let (outbox, wire, mut pool) = (Outbox::default(), Wire::default(), Pool::default());
        let (mut offered, mut written, mut next) = (Vec::new(), Vec::new(), 0_u8);
        for op in ops {
            match op {
                Op::Offer { lengths, write } => {
                    let runs: Vec<Vec<u8>> = lengths.iter().map(|n| {
                        (0..*n).map(|_| { next = next.wrapping_add(7); next }).collect()
                    }).collect();
                    let slices: Vec<&[u8]> = runs.iter().map(Vec::as_slice).collect();
                    let outcome = offer(&outbox, &wire, &slices, write, &mut pool);
                    offered.extend(runs.concat());
                    prop_assert_eq!(outcome.pending, outbox.pending());
                    prop_assert_eq!(outcome.flushed == Flushed::Empty, outcome.pending == 0);
                    prop_assert_ne!(outcome.flushed, Flushed::Busy, "nobody else writes");
                }
                Op::Flush { budget } => {
                    let flushed = flush(&outbox, &wire, budget, &mut pool);
                    prop_assert_eq!(flushed == Flushed::Empty, outbox.pending() == 0);
                }
                Op::Take(room) => wire.take(room),
                Op::Unblock => wire.unblock(),
                Op::AtATime(most) => wire.take_at_a_time(most),
            }
            written.extend(wire.written());
            prop_assert_eq!(&offered[..written.len()], &written[..]);
            prop_assert_eq!(outbox.pending(), offered.len() - written.len());
            prop_assert!(outbox.blocked_since().is_none() || outbox.pending() > 0);
        }
        wire.unblock();
        while flush(&outbox, &wire, BUDGET, &mut pool) != Flushed::Empty {}
        written.extend(wire.written());
        prop_assert!(written == offered, "everything came out");
        prop_assert_eq!((outbox.pending(), outbox.blocked_since()), (0, None));
        prop_assert_eq!(outbox.totals().bytes, offered.len() as u64);
    }
}

#[test]
fn many_threads_write_to_one() {
    // spec: CORE-092
    const THREADS: usize = 4;
    const RUNS: usize = 400;
    let (outbox, wire) = (Outbox::default(), Wire::default());
    wire.take_at_a_time(300);
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (outbox, wire) = (&outbox, &wire);
            scope.spawn(move || {
                let mut pool = Pool::default();
                for n in 0..RUNS {
                    let line = format!("{thread}:{n}:{}\n", "x".repeat(n % 200));
                    offer(outbox, wire, &[line.as_bytes()], n % 5 > 0, &mut pool);
                }
            });
        }
    });
    let mut pool = Pool::default();
    while flush(&outbox, &wire, BUDGET, &mut pool) != Flushed::Empty {}
    assert_eq!(outbox.pending(), 0);
    let text = String::from_utf8(wire.written()).expect("whole lines of text");
    let mut next = [0; THREADS];
    for line in text.lines() {
        let mut fields = line.split(':');
        let mut number = || fields.next().expect("a field").parse::<usize>().expect("a number");
        let (thread, n) = (number(), number());
        assert_eq!(n, next[thread], "thread {thread} in its own order");
        next[thread] += 1;
    }
    assert_eq!(next, [RUNS; THREADS]);
}

#[test]
fn a_closed_one_takes_nothing_and_keeps_nothing() {
    let (outbox, wire, mut pool) = (Outbox::default(), Wire::default(), Pool::default());
    wire.block();
    assert_eq!(offer(&outbox, &wire, &[b"abc"], true, &mut pool).pending, 3);
    outbox.close();
    wire.unblock();
    assert_eq!((outbox.pending(), outbox.blocked_since()), (0, None));
    assert_eq!(flush(&outbox, &wire, BUDGET, &mut pool), Flushed::Gone);
    let offered = offer(&outbox, &wire, &[b"abc"], true, &mut pool);
    assert_eq!((offered.pending, offered.flushed), (0, Flushed::Gone));
    assert_eq!(wire.written(), b"");
}

#[test]
fn a_broken_wire_closes_it() {
    let (outbox, wire, mut pool) = (Outbox::default(), Wire::default(), Pool::default());
    wire.break_down();
    assert_eq!(offer(&outbox, &wire, &[b"abc"], true, &mut pool).flushed, Flushed::Gone);
    assert_eq!(outbox.pending(), 0);
}

#[test]
fn it_remembers_since_when_not_all_has_gone() {
    // spec: CORE-090
    let (outbox, wire, mut pool) = (Outbox::default(), Wire::default(), Pool::default());
    let later = NOW + Duration::from_secs(1);
    let mut scratch = VecDeque::new();
    wire.block();
    offer(&outbox, &wire, &[b"abcdef"], true, &mut pool);
    assert_eq!(outbox.blocked_since(), Some(NOW));
    outbox.flush(&wire, BUDGET, later, &mut scratch, &mut pool);
    assert_eq!(outbox.blocked_since(), Some(NOW), "still");
    wire.take(2);
    outbox.flush(&wire, BUDGET, later, &mut scratch, &mut pool);
    assert_eq!(outbox.blocked_since(), Some(NOW), "some went, but not all of it");
    let unfinished = Unfinished { since: NOW, bytes: 6, chunks: 1, written: 2 };
    assert_eq!(outbox.unfinished(), Some(unfinished));
    offer(&outbox, &wire, &[b"ghi"], false, &mut pool);
    outbox.forgive(later);
    assert_eq!(outbox.unfinished(), Some(Unfinished { since: later, bytes: 7, chunks: 2, written: 0 }));
    wire.take(4);
    outbox.flush(&wire, BUDGET, later, &mut scratch, &mut pool);
    offer(&outbox, &wire, &[b"jkl"], false, &mut pool);
    wire.take(5);
    let last = later + Duration::from_secs(1);
    outbox.flush(&wire, BUDGET, last, &mut scratch, &mut pool);
    assert_eq!(outbox.blocked_since(), Some(last), "what had waited is gone: what came later has its own time");
    let unfinished = outbox.unfinished().unwrap();
    assert_eq!((unfinished.bytes, unfinished.written), (6, 5), "it takes something");
    wire.unblock();
    assert_eq!(outbox.flush(&wire, BUDGET, later, &mut scratch, &mut pool), Flushed::Empty);
    assert_eq!(outbox.blocked_since(), None);
}

/// A wire whose connection is closed by somebody else while it is being written to.
struct Closing(Arc<Outbox>);

impl outbox::Wire for Closing {
    fn try_write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.close();
        slices.first().map(|s| s.len()).ok_or_else(|| ErrorKind::WouldBlock.into())
    }

    fn wake(&self) {}
}

#[test]
fn nothing_said_is_not_a_full_socket() {
    let (outbox, wire, mut pool) = (Outbox::default(), Wire::default(), Pool::default());
    let offered = offer(&outbox, &wire, &[b"", b""], true, &mut pool);
    assert_eq!((offered.flushed, outbox.blocked_since()), (Flushed::Empty, None));
    offer(&outbox, &wire, &[b"", b"hi", b""], true, &mut pool);
    assert_eq!(wire.written(), b"hi");
    assert_eq!(flush(&outbox, &wire, BUDGET, &mut pool), Flushed::Empty);
}

#[test]
fn it_may_be_closed_while_it_is_written() {
    let outbox = Arc::new(Outbox::default());
    let (wire, mut pool) = (Closing(outbox.clone()), Pool::default());
    let mut chunks = VecDeque::from([Chunk::Owned(b"abc".to_vec()), Chunk::Shared(Bytes::from_static(b"def"))]);
    let offered = outbox.offer(&mut chunks, 6, (1, 6), Some((&wire, BUDGET)), NOW, &mut pool);
    assert_eq!((offered.pending, offered.flushed), (0, Flushed::Gone));
    assert_eq!(outbox.pending(), 0);
}

/// A wire whose every write is overtaken by another thread's words.
struct Overtaken(Arc<Outbox>, Wire);

impl outbox::Wire for Overtaken {
    fn try_write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let before = self.0.pending();
        if before < 40 {
            let offered = offer(&self.0, &self.1, &[b"0123456789"], true, &mut Pool::default());
            assert_eq!(
                (offered.flushed, offered.pending),
                (Flushed::Busy, before + 10),
                "counted while another writes"
            );
        }
        outbox::Wire::try_write(&self.1, slices)
    }

    fn wake(&self) {}
}

#[test]
fn whoever_writes_takes_along_what_comes() {
    let outbox = Arc::new(Outbox::default());
    let wire = Overtaken(outbox.clone(), Wire::default());
    wire.1.take(35);
    let mut chunks = VecDeque::from([Chunk::Owned(b"abcde".to_vec())]);
    let offered = outbox.offer(&mut chunks, 5, (1, 5), Some((&wire, BUDGET)), NOW, &mut Pool::default());
    let written = wire.1.written();
    assert_eq!(written.len(), 35);
    assert!(written.starts_with(b"abcde0123456789"));
    assert_eq!((offered.flushed, offered.pending), (Flushed::Remains, outbox.pending()));
}

#[test]
fn a_pool_keeps_no_more_than_it_may() {
    let mut pool = Pool::default();
    for _ in 0..1000 {
        pool.give(Vec::with_capacity(Pool::CHUNK));
    }
    let kept = (0..1000).filter(|_| pool.take().capacity() > 0).count();
    assert_eq!(kept, 8 * 1024 * 1024 / Pool::CHUNK);
    pool.give(Vec::with_capacity(4 * Pool::CHUNK));
    assert_eq!(pool.take().capacity(), 0, "an oversized one is not kept");
    let mut used = Vec::with_capacity(100);
    used.push(1);
    pool.give(used);
    assert!(pool.take().is_empty());
}
