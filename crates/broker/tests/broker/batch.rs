//! One turn of one thread: a run for each destination, also where a slot has a new owner.

use std::io::{self, IoSlice};
use std::sync::Arc;

use martlet_broker::peer::{Control, Kind};
use martlet_broker::{Batch, Peer, outbox};
use martlet_events::Time;
use martlet_proto::ClosedReason;
use parking_lot::Mutex;

use crate::support::Wire;

fn peer(cid: u64, slot: u32) -> (Arc<Peer>, Wire) {
    let wire = Wire::default();
    (Arc::new(Peer::new(cid, slot, Box::new(wire.clone()), 1 << 30, Time::ORIGIN)), wire)
}

#[test]
fn a_destination_is_written_once_a_turn() {
    let mut batch = Batch::new(0);
    let (peer, wire) = peer(1, 0);
    for n in 0..1000 {
        batch.send(&peer, format!("{n} ").as_bytes());
    }
    assert_eq!(wire.written(), b"", "not before the end of the turn");
    batch.finish();
    let expected: String = (0..1000).map(|n| format!("{n} ")).collect::<Vec<_>>().concat();
    assert_eq!(String::from_utf8(wire.written()).expect("text"), expected);
    assert_eq!(wire.writes(), 1);
    batch.finish();
    assert_eq!(wire.writes(), 1, "a turn in which nothing was said");
}

#[test]
fn a_slot_used_again_is_another_connections() {
    let mut batch = Batch::new(0);
    let ((old, old_wire), (new, new_wire)) = (peer(1, 3), peer(2, 3));
    for n in 0..3 {
        batch.send(&old, format!("old{n}").as_bytes());
        batch.send(&new, format!("new{n}").as_bytes());
    }
    batch.finish();
    assert_eq!(old_wire.written(), b"old0old1old2");
    assert_eq!(new_wire.written(), b"new0new1new2");
}

/// Notes who was written to, and when.
struct Noted(u64, Arc<Mutex<Vec<u64>>>);

impl outbox::Wire for Noted {
    fn try_write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.1.lock().push(self.0);
        Ok(slices.iter().map(|slice| slice.len()).sum())
    }

    fn wake(&self) {}
}

#[test]
fn whoever_caused_a_turn_is_answered_last() {
    // An answer to PING says that what was sent before it is on its way, to other threads' connections too.
    let order: Arc<Mutex<Vec<u64>>> = Arc::default();
    let peers: Vec<_> = (0..4)
        .map(|n| {
            Arc::new(Peer::new(
                n,
                u32::try_from(n).expect("few"),
                Box::new(Noted(n, order.clone())),
                1 << 30,
                Time::ORIGIN,
            ))
        })
        .collect();
    for from in [0, 2, 3] {
        let mut batch = Batch::new(0);
        for peer in &peers {
            batch.send(peer, b"x");
        }
        batch.finish_turn(Some(&peers[from]));
        let written = std::mem::take(&mut *order.lock());
        assert_eq!((written.len(), written.last()), (4, Some(&(from as u64))));
    }
}

#[test]
fn a_thread_writes_to_a_few_and_wakes_the_rest() {
    let mut batch = Batch::new(0);
    let peers: Vec<_> = (0..20).map(|n| peer(u64::from(n), n)).collect();
    for (peer, _) in &peers {
        batch.send(peer, b"x");
    }
    batch.finish_turn(Some(&peers[19].0));
    let written: Vec<_> = peers.iter().map(|(_, wire)| !wire.written().is_empty()).collect();
    let woken: Vec<_> = peers.iter().map(|(_, wire)| wire.take_wake()).collect();
    assert_eq!(written.iter().filter(|w| **w).count(), 9, "eight, and its own connection");
    assert!(written[19]);
    assert!(written.iter().zip(&woken).all(|(written, woken)| written != woken), "either written to or woken");
}

#[test]
fn it_says_when_it_is_full() {
    let mut batch = Batch::new(0);
    let (peer, wire) = peer(1, 0);
    let piece = vec![0; 60_000];
    let mut sent = 0;
    while !batch.is_full() {
        batch.send(&peer, &piece);
        sent += piece.len();
    }
    assert!((Batch::LIMIT..Batch::LIMIT + piece.len()).contains(&sent), "{sent}");
    batch.finish_turn(Some(&peer));
    assert!(!batch.is_full());
    while peer.outbox.pending() > 0 {
        batch.flush(&peer);
    }
    assert_eq!(wire.written().len(), sent);
}

#[test]
fn clients_wait_for_a_slow_link_and_links_for_nobody() {
    // spec: CORE-091
    let mut batch = Batch::new(0);
    let wire = Wire::default();
    wire.block();
    let of = |slot, kind| Arc::new(Peer::new(9, slot, Box::new(wire.clone()), 1000, Time::ORIGIN).of_kind(kind));
    let (client, route, slow) = (of(0, Kind::Client), of(1, Kind::Route), of(2, Kind::Route));
    let room = 1000 / Kind::LINK_ROOM;
    batch.send(&slow, &vec![b'x'; room * 3 / 4]);
    assert_eq!(batch.finish_turn(Some(&client)).stall, None);
    batch.send(&slow, b"xx");
    assert!(batch.finish_turn(Some(&client)).stall.is_some(), "more than three quarters of a client's room wait");
    batch.send(&slow, &[b'x'; 600]);
    assert_eq!(batch.finish_turn(Some(&route)).stall, None);
    assert!(slow.take_requests().is_empty(), "the room of several");
    batch.send(&slow, &[b'x'; 400]);
    batch.finish_turn(Some(&route));
    let asked = slow.take_requests();
    assert!(matches!(asked[..], [Control::Close(ClosedReason::SlowConsumerPendingBytes, None)]), "{asked:?}");
}
