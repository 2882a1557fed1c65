//! Requests on their way from the thread they came in on to the task that answers them.
//!
//! Whoever publishes a request only puts it here, and never waits. A full queue drops it: the requester hears nothing, as
//! from a server that is gone, and the log says how many it were.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use martlet_auth::Permissions;
use martlet_monitor::snapshot::QueueSnapshot;
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::Service;

/// What may wait in all.
const ALL: Share = Share { requests: 1024, bytes: 8 * 1024 * 1024 };
/// What of it may come from accounts other than the system account, so that operators find room.
const GUESTS: Share = Share { requests: 512, bytes: 4 * 1024 * 1024 };
/// What may come from one of them.
const GUEST: Share = Share { requests: 64, bytes: 2 * 1024 * 1024 };

/// A number of requests and the bytes they have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Share {
    requests: usize,
    bytes: usize,
}

impl Share {
    fn with(self, bytes: usize) -> Self {
        Self { requests: self.requests + 1, bytes: self.bytes + bytes }
    }

    fn without(self, bytes: usize) -> Self {
        Self { requests: self.requests - 1, bytes: self.bytes - bytes }
    }

    fn is_within(self, limit: Self) -> bool {
        self.requests <= limit.requests && self.bytes <= limit.bytes
    }
}

/// A request for a service.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) service: Service,
    pub(super) subject: Box<[u8]>,
    pub(super) reply: Box<[u8]>,
    pub(super) headers: Box<[u8]>,
    pub(super) payload: Box<[u8]>,
    /// The number of the account it comes from, where that is not the system account.
    pub(super) guest: Option<u32>,
    /// What the client that asks may do, where it has limits.
    pub(super) permissions: Option<Arc<Permissions>>,
}

impl Request {
    fn size(&self) -> usize {
        self.subject.len() + self.reply.len() + self.headers.len() + self.payload.len()
    }
}

/// A bounded queue of requests.
#[derive(Debug)]
pub(crate) struct Queue {
    name: &'static str,
    waiting: Mutex<Waiting>,
    in_progress: AtomicU64,
    pub(super) wake: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    requests: VecDeque<Request>,
    all: Share,
    guests: Share,
    of_guest: HashMap<u32, Share>,
    dropped: u64,
}

impl Waiting {
    /// Whether there is room for `bytes` more from there.
    fn has_room(&self, guest: Option<u32>, bytes: usize) -> bool {
        let own = guest.map(|guest| self.of_guest.get(&guest).copied().unwrap_or_default().with(bytes));
        let as_guest = own.is_none_or(|own| own.is_within(GUEST) && self.guests.with(bytes).is_within(GUESTS));
        as_guest && self.all.with(bytes).is_within(ALL)
    }

    fn push(&mut self, request: Request) {
        let size = request.size();
        self.all = self.all.with(size);
        if let Some(guest) = request.guest {
            self.guests = self.guests.with(size);
            let own = self.of_guest.entry(guest).or_default();
            *own = own.with(size);
        }
        self.requests.push_back(request);
    }

    fn pop(&mut self) -> Option<Request> {
        let request = self.requests.pop_front()?;
        let size = request.size();
        self.all = self.all.without(size);
        if let Some(guest) = request.guest {
            self.guests = self.guests.without(size);
            let own = self.of_guest.get(&guest).copied().unwrap_or_default();
            if own.requests <= 1 {
                self.of_guest.remove(&guest);
            } else {
                self.of_guest.insert(guest, own.without(size));
            }
        }
        Some(request)
    }
}

impl Queue {
    /// An empty queue, which `/ipqueuesz` calls `name`.
    pub(super) fn new(name: &'static str) -> Self {
        Self { name, waiting: Mutex::default(), in_progress: AtomicU64::new(0), wake: Notify::new() }
    }

    /// Whether there is room for `bytes` more from there; if not, that is what is dropped.
    pub(super) fn has_room(&self, guest: Option<u32>, bytes: usize) -> bool {
        let mut waiting = self.waiting.lock();
        let room = waiting.has_room(guest, bytes);
        waiting.dropped += u64::from(!room);
        room
    }

    /// Puts a request in, unless there is no room for it.
    pub(super) fn push(&self, request: Request) {
        {
            let mut waiting = self.waiting.lock();
            if !waiting.has_room(request.guest, request.size()) {
                waiting.dropped += 1;
                return;
            }
            waiting.push(request);
        }
        self.wake.notify_one();
    }

    /// Answers everything that waits, in its order.
    pub(super) fn work(&self, mut answer: impl FnMut(Request)) {
        loop {
            let (request, dropped) = {
                let mut waiting = self.waiting.lock();
                (waiting.pop(), std::mem::take(&mut waiting.dropped))
            };
            if dropped > 0 {
                log::warn!("{dropped} requests of the system account were dropped: too many at once ({})", self.name);
            }
            let Some(request) = request else { return };
            self.in_progress.store(1, Relaxed);
            answer(request);
            self.in_progress.store(0, Relaxed);
        }
    }

    pub(crate) fn snapshot(&self) -> QueueSnapshot {
        QueueSnapshot {
            name: self.name.into(),
            pending: self.waiting.lock().requests.len() as u64,
            in_progress: self.in_progress.load(Relaxed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(guest: Option<u32>, payload: usize) -> Request {
        Request {
            service: Service::Identity,
            subject: b"s".as_slice().into(),
            reply: Box::default(),
            headers: Box::default(),
            payload: vec![0; payload].into(),
            guest,
            permissions: None,
        }
    }

    fn answered(queue: &Queue) -> usize {
        let mut count = 0;
        queue.work(|_| count += 1);
        assert_eq!(queue.waiting.lock().all, Share::default());
        assert!(queue.waiting.lock().of_guest.is_empty());
        count
    }

    #[test]
    fn a_full_queue_drops_what_comes_and_has_room_again_when_it_is_worked_off() {
        let queue = Queue::new("requests");
        for _ in 0..=ALL.requests {
            queue.push(request(None, 0));
        }
        assert_eq!(queue.snapshot().pending, ALL.requests as u64);
        assert_eq!(answered(&queue), ALL.requests);
        for payload in [ALL.bytes, ALL.bytes - 1, 0] {
            queue.push(request(None, payload));
        }
        assert_eq!(answered(&queue), 1, "the one that fits and none beside it");
        queue.push(request(None, ALL.bytes - 1));
        assert_eq!(answered(&queue), 1);
    }

    #[test]
    fn accounts_leave_room_for_each_other_and_for_operators() {
        let queue = Queue::new("requests");
        for guest in 1..100 {
            for _ in 0..100 {
                queue.push(request(Some(guest), 0));
            }
        }
        assert_eq!(queue.snapshot().pending, GUESTS.requests as u64);
        assert_eq!(queue.waiting.lock().of_guest[&1], Share { requests: GUEST.requests, bytes: GUEST.requests });
        queue.push(request(None, 0));
        assert!(!queue.has_room(Some(1), 0) && queue.has_room(None, 0));
        assert_eq!(answered(&queue), GUESTS.requests + 1);
        assert!(queue.has_room(Some(1), GUEST.bytes) && !queue.has_room(Some(1), GUEST.bytes + 1));
        for guest in [1, 1, 2, 3] {
            queue.push(request(Some(guest), GUEST.bytes - 1));
        }
        queue.push(request(None, GUESTS.bytes - 1));
        assert_eq!(answered(&queue), 3);
    }

    #[test]
    fn what_is_being_answered_is_told() {
        let queue = Queue::new("requests");
        queue.push(request(None, 0));
        queue.push(request(None, 0));
        let mut seen = Vec::new();
        queue.work(|_| seen.push((queue.snapshot().pending, queue.snapshot().in_progress)));
        assert_eq!(seen, [(1, 1), (0, 1)]);
        assert_eq!(queue.snapshot().in_progress, 0);
    }
}
