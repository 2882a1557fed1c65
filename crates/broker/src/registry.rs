//! The open connections, each with a small number that is used again, and the recently closed ones.
//!
//! Clients and links between servers have their numbers from one counter and their slots in one table, and are otherwise
//! kept apart: what is said here of connections is said of clients, where it does not say links.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use martlet_events::Time;
use martlet_proto::ClosedReason;
use parking_lot::Mutex;

use crate::outbox::Totals;
use crate::peer::{Description, Kind, Peer};
use crate::subscription::Subscription;

/// The open connections.
#[derive(Debug, Default)]
pub struct Registry {
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    slots: Vec<Option<Slot>>,
    free: Vec<u32>,
    /// Those admitted.
    open: usize,
    last_cid: u64,
    total: u64,
}

#[derive(Debug)]
struct Slot {
    /// The peer's number, so that looking for one reads this table and nothing else.
    cid: u64,
    peer: Arc<Peer>,
    standing: Standing,
}

/// As what a connection is in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// A client.
    Admitted,
    /// A client that is told to leave again: takes no room and is not shown.
    Refused,
    /// A server.
    Link,
}

impl Table {
    fn of(&self, standing: Standing) -> impl Iterator<Item = &Slot> {
        self.slots.iter().flatten().filter(move |slot| slot.standing == standing)
    }

    fn open(&self) -> impl Iterator<Item = &Slot> {
        self.of(Standing::Admitted)
    }

    /// Gives a connection its number and its slot.
    fn enter(&mut self, standing: Standing, make: impl FnOnce(u64, u32) -> Peer) -> Arc<Peer> {
        self.last_cid += 1;
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            u32::try_from(self.slots.len() - 1).expect("fewer connections than 2^32")
        });
        let peer = Arc::new(make(self.last_cid, slot));
        self.slots[slot as usize] = Some(Slot { cid: peer.cid(), peer: peer.clone(), standing });
        peer
    }
}

impl Registry {
    /// Enters a connection made from its number and slot; whether there is room for it says the second result: if `max`
    /// are open already it has a slot until it leaves, and nothing more.
    pub fn enter(&self, max: i64, make: impl FnOnce(u64, u32) -> Peer) -> (Arc<Peer>, bool) {
        let mut table = self.table.lock();
        let admitted = i64::try_from(table.open).unwrap_or(i64::MAX) < max;
        let peer = table.enter(if admitted { Standing::Admitted } else { Standing::Refused }, make);
        table.open += usize::from(admitted);
        table.total += 1;
        (peer, admitted)
    }

    /// Enters a link of `kind` made from its number and slot. It takes no client's room.
    pub fn enter_link(&self, kind: Kind, make: impl FnOnce(u64, u32) -> Peer) -> Arc<Peer> {
        self.table.lock().enter(Standing::Link, |cid, slot| make(cid, slot).of_kind(kind))
    }

    /// Removes a connection or a link. `count` adds its traffic to totals: to anyone who takes a [`Registry::snapshot`], it is
    /// either open or in the totals, and never both.
    pub fn leave(&self, peer: &Arc<Peer>, count: impl FnOnce()) {
        peer.leave();
        let mut table = self.table.lock();
        count();
        let slot = &mut table.slots[peer.slot()];
        if let Some(Slot { standing, .. }) = slot.take_if(|there| Arc::ptr_eq(&there.peer, peer)) {
            table.free.push(u32::try_from(peer.slot()).expect("slots are 32 bits"));
            table.open -= usize::from(standing == Standing::Admitted);
        }
    }

    /// Open connections.
    pub fn len(&self) -> usize {
        self.table.lock().open
    }

    /// Whether none is open.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether there is neither a client nor a link.
    pub fn is_deserted(&self) -> bool {
        let table = self.table.lock();
        table.open == 0 && table.of(Standing::Link).next().is_none()
    }

    /// Connections ever.
    pub fn total(&self) -> u64 {
        self.table.lock().total
    }

    /// All open connections, by age of their slot.
    pub fn all(&self) -> Vec<Arc<Peer>> {
        self.snapshot(|| ()).0
    }

    /// All open connections, and what `read` finds in the totals of those that have left by the same moment.
    pub fn snapshot<T>(&self, read: impl FnOnce() -> T) -> (Vec<Arc<Peer>>, T) {
        let table = self.table.lock();
        (table.open().map(|slot| slot.peer.clone()).collect(), read())
    }

    /// All open links, by age of their slot.
    pub fn links(&self) -> Vec<Arc<Peer>> {
        self.snapshot_links(|| ()).0
    }

    /// All open links, and what `read` finds in the totals of those that have left by the same moment.
    pub fn snapshot_links<T>(&self, read: impl FnOnce() -> T) -> (Vec<Arc<Peer>>, T) {
        let table = self.table.lock();
        (table.of(Standing::Link).map(|slot| slot.peer.clone()).collect(), read())
    }

    /// The connection of that number.
    pub fn get(&self, cid: u64) -> Option<Arc<Peer>> {
        self.find(&[cid]).pop()
    }

    /// The open ones among the connections `cids`, in no particular order.
    pub fn find(&self, cids: &[u64]) -> Vec<Arc<Peer>> {
        let mut wanted = cids.to_vec();
        wanted.sort_unstable();
        let table = self.table.lock();
        let found = table.open().filter(|slot| wanted.binary_search(&slot.cid).is_ok());
        found.take(wanted.len()).map(|slot| slot.peer.clone()).collect()
    }
}

/// A connection that is gone.
#[derive(Debug, Clone)]
pub struct Closed {
    /// Its number.
    pub cid: u64,
    /// What it told about itself.
    pub description: Arc<Description>,
    /// The account it was in; empty before it said who it was.
    pub account: Arc<str>,
    /// Why it is gone.
    pub reason: ClosedReason,
    /// When it came.
    pub started: Time,
    /// When it went.
    pub stopped: Time,
    /// Its last traffic.
    pub last_activity: Time,
    /// Messages and bytes it published.
    pub inbound: (u64, u64),
    /// What it got.
    pub out: Totals,
    /// Its round-trip time.
    pub rtt: Option<Duration>,
    /// Times it was held back.
    pub stalls: u64,
    /// Its subscriptions.
    pub subscriptions: KeptSubscriptions,
}

impl Closed {
    /// What is kept of `peer`.
    pub fn of(peer: &Peer, reason: ClosedReason, now: Time, out: Totals, subscriptions: KeptSubscriptions) -> Self {
        let counters = &peer.counters;
        Self {
            cid: peer.cid(),
            description: peer.description(),
            account: peer.account().map(|a| a.name().clone()).unwrap_or_default(),
            reason,
            started: peer.started,
            stopped: now,
            last_activity: Time::from_nanos(counters.last_activity.load(Relaxed)),
            inbound: (counters.in_msgs.load(Relaxed), counters.in_bytes.load(Relaxed)),
            out,
            rtt: peer.rtt(),
            stalls: counters.stalls.load(Relaxed),
            subscriptions,
        }
    }
}

/// The subscriptions that a connection had when it went.
#[derive(Debug, Clone, Default)]
pub struct KeptSubscriptions {
    /// How many.
    pub count: u32,
    /// The texts of some: all of them unless they are many.
    pub texts: Vec<KeptSubscription>,
}

/// The text of a subscription that is gone.
#[derive(Debug, Clone)]
pub struct KeptSubscription {
    /// Its pattern.
    pub subject: String,
    /// Its queue group.
    pub queue: Option<String>,
    /// Its sid.
    pub sid: String,
    /// Messages it got.
    pub delivered: u64,
    /// Messages it wanted; 0 for all.
    pub max: u64,
}

impl KeptSubscription {
    /// What is kept of `subscription`.
    pub fn of(subscription: &Subscription) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self {
            subject: text(subscription.subject()),
            queue: subscription.queue().map(text),
            sid: text(subscription.sid()),
            delivered: subscription.delivered(),
            max: subscription.max(),
        }
    }
}

/// The last closed connections.
#[derive(Debug)]
pub struct ClosedRing {
    ring: Mutex<(VecDeque<Arc<Closed>>, u64)>,
    capacity: usize,
}

impl ClosedRing {
    /// Keeps `capacity` of them (CORE-102).
    pub fn new(capacity: usize) -> Self {
        Self { ring: Mutex::default(), capacity }
    }

    /// Adds one; the oldest goes.
    pub fn push(&self, closed: Closed) {
        let mut ring = self.ring.lock();
        ring.1 += 1;
        ring.0.push_back(Arc::new(closed));
        if ring.0.len() > self.capacity {
            ring.0.pop_front();
        }
    }

    /// Those kept, oldest first.
    pub fn all(&self) -> Vec<Arc<Closed>> {
        self.ring.lock().0.iter().cloned().collect()
    }

    /// Closed ever.
    pub fn total(&self) -> u64 {
        self.ring.lock().1
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::io::{self, IoSlice};

    use super::*;
    use crate::outbox::Wire;

    struct Nowhere;

    impl Wire for Nowhere {
        fn try_write(&self, _: &[IoSlice<'_>]) -> io::Result<usize> {
            Ok(0)
        }

        fn wake(&self) {}
    }

    fn enter(registry: &Registry) -> Arc<Peer> {
        registry.enter(9, |cid, slot| Peer::new(cid, slot, Box::new(Nowhere), 1, Time::ORIGIN)).0
    }

    fn cids(peers: &[Arc<Peer>]) -> Vec<u64> {
        peers.iter().map(|peer| peer.cid()).collect()
    }

    #[test]
    fn numbers_are_never_used_again_but_slots_are() {
        let registry = Registry::default();
        let [a, b, c] = [(); 3].map(|()| enter(&registry));
        registry.leave(&b, || ());
        let d = enter(&registry);
        assert_eq!((d.cid(), d.slot()), (4, b.slot()));
        assert_eq!(cids(&registry.all()), [a.cid(), d.cid(), c.cid()]);
        assert_eq!((registry.len(), registry.total()), (3, 4));
        assert_eq!(cids(&registry.find(&[c.cid(), 99, a.cid(), b.cid()])), [a.cid(), c.cid()]);
        assert!(registry.get(b.cid()).is_none() && registry.get(d.cid()).is_some_and(|peer| Arc::ptr_eq(&peer, &d)));
    }

    #[test]
    fn links_are_among_themselves() {
        let registry = Registry::default();
        let link =
            |kind| registry.enter_link(kind, |cid, slot| Peer::new(cid, slot, Box::new(Nowhere), 1, Time::ORIGIN));
        let (client, route, leaf) = (enter(&registry), link(Kind::Route), link(Kind::Leaf));
        assert_eq!((client.kind(), route.kind(), leaf.kind()), (Kind::Client, Kind::Route, Kind::Leaf));
        assert_eq!((cids(&registry.all()), cids(&registry.links())), (vec![1], vec![2, 3]));
        assert_eq!((registry.len(), registry.total()), (1, 1), "they are no clients");
        assert!(registry.get(route.cid()).is_none() && registry.find(&[leaf.cid()]).is_empty());
        registry.leave(&route, || ());
        let again = enter(&registry);
        assert_eq!((again.slot(), registry.len(), cids(&registry.links())), (route.slot(), 2, vec![3]));
        registry.leave(&client, || ());
        registry.leave(&again, || ());
        assert!(registry.is_empty() && !registry.is_deserted());
        registry.leave(&leaf, || ());
        assert!(registry.is_deserted());
    }

    #[test]
    fn a_connection_is_open_or_counted() {
        // spec: CLU-101
        let (registry, counted) = (Registry::default(), Cell::new(0));
        let (a, _b) = (enter(&registry), enter(&registry));
        let sum = || {
            let (open, gone) = registry.snapshot(|| counted.get());
            open.len() + gone
        };
        assert_eq!(sum(), 2);
        registry.leave(&a, || counted.set(counted.get() + 1));
        assert_eq!((registry.len(), sum()), (1, 2));
    }

    #[test]
    fn the_oldest_of_the_closed_are_forgotten() {
        // spec: CORE-102
        let (registry, ring) = (Registry::default(), ClosedRing::new(2));
        for _ in 0..3 {
            let peer = enter(&registry);
            ring.push(Closed::of(
                &peer,
                ClosedReason::ClientClosed,
                Time::ORIGIN,
                Totals::default(),
                KeptSubscriptions::default(),
            ));
        }
        assert_eq!(ring.all().iter().map(|closed| closed.cid).collect::<Vec<_>>(), [2, 3]);
        assert_eq!(ring.total(), 3);
    }
}
