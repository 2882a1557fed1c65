//! Pull requests that wait.

use std::collections::VecDeque;
use std::time::Duration;

use martlet_events::Time;

/// A pull request.
#[derive(Debug)]
pub(super) struct Request {
    /// Where messages go.
    pub(super) reply: Box<[u8]>,
    /// Messages it still wants.
    pub(super) left: i64,
    /// Bytes it still takes; none above 0 for any.
    pub(super) bytes: i64,
    /// Messages it got.
    pub(super) got: u64,
    /// When it ends.
    pub(super) expires: Option<Time>,
    /// How often it is told that it waits; zero for never.
    pub(super) heartbeat: Duration,
    /// When it is told next.
    pub(super) heartbeat_at: Option<Time>,
    /// It ends when nothing more is there.
    pub(super) no_wait: bool,
    /// Whether its body could say something of priority.
    pub(super) is_formal: bool,
    /// Its group; empty for none.
    pub(super) group: Box<str>,
    /// The pin it holds; empty for none.
    pub(super) pin: Box<str>,
    /// The lowest goes first.
    pub(super) rank: i64,
    /// Wait until this many are pending.
    pub(super) min_pending: i64,
    /// Wait until this many are not acknowledged.
    pub(super) min_ack_pending: i64,
}

impl Request {
    /// When something is due for it.
    fn due(&self) -> Option<Time> {
        [self.expires, self.heartbeat_at].into_iter().flatten().min()
    }

    /// Where it stands among others that have a priority.
    fn order(&self) -> i64 {
        if self.is_formal { self.rank } else { i64::MAX }
    }
}

/// All requests that wait, the next one first.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    requests: VecDeque<Request>,
    no_wait: usize,
    due: Option<Time>,
}

impl Waiting {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.requests.len()
    }

    /// How many there are that have not ended.
    pub(super) fn open(&self, now: Time) -> usize {
        self.requests.iter().filter(|request| request.expires.is_none_or(|expires| expires > now)).count()
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.requests.is_empty()
    }

    /// Whether one ends when nothing more is there.
    pub(super) fn has_no_wait(&self) -> bool {
        self.no_wait > 0
    }

    /// When something is due for one of them, or earlier.
    pub(super) fn due(&self) -> Option<Time> {
        self.due
    }

    /// The next.
    pub(super) fn front(&mut self) -> Option<&mut Request> {
        self.requests.front_mut()
    }

    /// The one at a place.
    pub(super) fn get(&mut self, at: usize) -> Option<&mut Request> {
        self.requests.get_mut(at)
    }

    /// Adds one: behind all, or, by priority, behind those that go no later.
    pub(super) fn add(&mut self, request: Request, by_priority: bool) {
        self.no_wait += usize::from(request.no_wait);
        if let Some(due) = request.due() {
            self.due_at(due);
        }
        self.put(request, by_priority);
    }

    /// Removes one.
    pub(super) fn remove(&mut self, at: usize) -> Option<Request> {
        let request = self.requests.remove(at)?;
        self.no_wait -= usize::from(request.no_wait);
        if self.requests.is_empty() {
            self.due = None;
        }
        Some(request)
    }

    /// Puts the next behind all.
    pub(super) fn cycle(&mut self) {
        if self.requests.len() > 1 {
            self.requests.rotate_left(1);
        }
    }

    /// The next has got a message: puts it behind others, or removes it if that was all.
    pub(super) fn served(&mut self, by_priority: bool) {
        let Some(first) = self.requests.front() else { return };
        if first.left <= 0 {
            self.remove(0);
        } else if !by_priority {
            self.cycle();
        } else if let Some(first) = self.requests.pop_front() {
            self.put(first, true);
        }
    }

    /// Something may be due.
    pub(super) fn due_at(&mut self, time: Time) {
        self.due = Some(self.due.map_or(time, |due| due.min(time)));
    }

    /// Finds out anew when something is due.
    pub(super) fn renew_due(&mut self) {
        self.due = self.requests.iter().filter_map(Request::due).min();
    }

    /// Gives memory back that an idle consumer does not need.
    pub(super) fn shrink(&mut self) {
        self.requests.shrink_to_fit();
    }

    fn put(&mut self, request: Request, by_priority: bool) {
        if by_priority {
            let at = self.requests.partition_point(|other| other.order() <= request.order());
            self.requests.insert(at, request);
        } else {
            self.requests.push_back(request);
        }
    }
}
