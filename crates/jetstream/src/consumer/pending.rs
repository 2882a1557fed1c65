//! What is delivered and not acknowledged: in the order of the stream, with the time until which each may take.
//!
//! First deliveries come in the order of the stream, so that entries are a queue sorted by sequence; those that are gone stay
//! as holes until they reach an end or are many. Waits mostly end in the order they began, and are a queue, too; the
//! others are in a heap. Both are tidied late: an item counts only if its entry says the same.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use martlet_events::Time;

/// The most messages that wait for acknowledgement, where no bound is configured.
pub(super) const MAX_PENDING: usize = 1 << 22;

/// Holes and stale items that are no reason to tidy up.
const SLACK: usize = 64;

/// A message that waits for its acknowledgement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    /// Its sequence in the stream.
    pub(super) seq: u64,
    /// The consumer's sequence of its first delivery.
    pub(super) cseq: u64,
    /// When it is delivered again.
    pub(super) deadline: Time,
    /// How often it was delivered.
    pub(super) deliveries: u32,
    /// It waits to be delivered again.
    pub(super) queued: bool,
    /// It is gone.
    hole: bool,
    /// The next delta of progress says more of it than that it is there.
    touched: bool,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Pending {
    entries: VecDeque<Entry>,
    live: usize,
    redelivered: usize,
    timers: VecDeque<(Time, u64)>,
    late: BinaryHeap<Reverse<(Time, u64)>>,
    queue: VecDeque<u64>,
    queued: usize,
}

impl Pending {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.live
    }

    /// How many were delivered more than once.
    pub(super) fn redelivered(&self) -> usize {
        self.redelivered
    }

    /// How many wait to be delivered again.
    pub(super) fn queued(&self) -> usize {
        self.queued
    }

    /// The one with a sequence.
    pub(super) fn get(&self, seq: u64) -> Option<&Entry> {
        self.find(seq).map(|at| &self.entries[at])
    }

    /// All, in order.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &Entry> {
        self.entries.iter().filter(|entry| !entry.hole)
    }

    /// Those behind a sequence, in order.
    pub(super) fn after(&self, seq: u64) -> impl Iterator<Item = &Entry> {
        let from = self.entries.partition_point(|entry| entry.seq <= seq);
        self.entries.range(from..).filter(|entry| !entry.hole)
    }

    /// The first. Holes never stay at the front.
    pub(super) fn first(&self) -> Option<&Entry> {
        self.entries.front()
    }

    /// Adds one.
    pub(super) fn add(&mut self, seq: u64, cseq: u64, deliveries: u32, deadline: Time) {
        self.remove(seq);
        let entry = Entry { seq, cseq, deadline, deliveries, queued: false, hole: false, touched: false };
        match self.entries.back() {
            Some(last) if last.seq >= seq => {
                let at = self.entries.partition_point(|other| other.seq < seq);
                if self.entries[at].seq == seq { self.entries[at] = entry } else { self.entries.insert(at, entry) }
            }
            _ => self.entries.push_back(entry),
        }
        self.live += 1;
        self.redelivered += usize::from(deliveries > 1);
        self.schedule(deadline, seq);
    }

    /// Removes one.
    pub(super) fn remove(&mut self, seq: u64) -> Option<Entry> {
        let at = self.find(seq)?;
        let entry = self.entries[at];
        self.entries[at].hole = true;
        self.live -= 1;
        self.redelivered -= usize::from(entry.deliveries > 1);
        self.queued -= usize::from(entry.queued);
        self.tidy();
        Some(entry)
    }

    /// Removes the first if its sequence is at most `seq`.
    pub(super) fn remove_first_through(&mut self, seq: u64) -> Option<Entry> {
        let first = self.first()?.seq;
        if first <= seq { self.remove(first) } else { None }
    }

    /// Removes those behind a sequence.
    pub(super) fn remove_after(&mut self, seq: u64) {
        // Holes never stay at the back, either.
        while let Some(last) = self.entries.back().map(|entry| entry.seq).filter(|&last| last > seq) {
            self.remove(last);
        }
    }

    /// Removes all.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Another time to wait for. What was to be delivered again waits, too.
    pub(super) fn wait_until(&mut self, seq: u64, deadline: Time) {
        let Some(at) = self.find(seq) else { return };
        let entry = &mut self.entries[at];
        self.queued -= usize::from(entry.queued);
        entry.queued = false;
        entry.deadline = deadline;
        self.schedule(deadline, seq);
    }

    /// More time, if it is not to be delivered again already.
    pub(super) fn extend(&mut self, seq: u64, deadline: Time) {
        if self.get(seq).is_some_and(|entry| !entry.queued) {
            self.wait_until(seq, deadline);
        }
    }

    /// Says how often one was delivered.
    pub(super) fn set_deliveries(&mut self, seq: u64, deliveries: u32) {
        let Some(at) = self.find(seq) else { return };
        let entry = &mut self.entries[at];
        self.redelivered -= usize::from(entry.deliveries > 1);
        self.redelivered += usize::from(deliveries > 1);
        entry.deliveries = deliveries;
    }

    /// Marks one for the next delta; whether it was not marked.
    pub(super) fn touch(&mut self, seq: u64) -> bool {
        self.find(seq).is_some_and(|at| !std::mem::replace(&mut self.entries[at].touched, true))
    }

    /// The opposite.
    pub(super) fn untouch(&mut self, seq: u64) {
        if let Some(at) = self.find(seq) {
            self.entries[at].touched = false;
        }
    }

    /// Lets one be delivered again, behind those that are to be already.
    pub(super) fn enqueue(&mut self, seq: u64) {
        let Some(at) = self.find(seq) else { return };
        if !std::mem::replace(&mut self.entries[at].queued, true) {
            self.queued += 1;
            if self.queue.len() > 2 * self.queued + SLACK {
                let mut queue = std::mem::take(&mut self.queue);
                queue.retain(|&seq| self.get(seq).is_some_and(|entry| entry.queued));
                self.queue = queue;
            }
            self.queue.push_back(seq);
        }
    }

    /// Lets the next one that is to be delivered again wait behind the others.
    pub(super) fn send_back(&mut self, seq: u64) {
        if self.queue.pop_front_if(|first| *first == seq).is_some() {
            self.queue.push_back(seq);
        }
    }

    /// Who is to be delivered again next.
    pub(super) fn next_queued(&mut self) -> Option<Entry> {
        while let Some(&seq) = self.queue.front() {
            match self.get(seq) {
                Some(&entry) if entry.queued => return Some(entry),
                _ => self.queue.pop_front(),
            };
        }
        None
    }

    /// The time at which the next wait may be over.
    pub(super) fn next_deadline(&self) -> Option<Time> {
        let timer = self.timers.front().map(|timer| timer.0);
        let late = self.late.peek().map(|late| late.0.0);
        [timer, late].into_iter().flatten().min()
    }

    /// Adds to `due` whose wait is over, in the order of the stream. Who asks has to do something with each of them.
    pub(super) fn take_due(&mut self, now: Time, due: &mut Vec<u64>) {
        while let Some(timer) = self.timers.pop_front_if(|timer| timer.0 <= now) {
            if self.is_valid(timer) {
                due.push(timer.1);
            }
        }
        while let Some(&Reverse(timer)) = self.late.peek()
            && timer.0 <= now
        {
            self.late.pop();
            if self.is_valid(timer) {
                due.push(timer.1);
            }
        }
        due.sort_unstable();
        due.dedup();
    }

    /// Gives memory back that an idle consumer does not need.
    pub(super) fn shrink(&mut self) {
        self.entries.shrink_to(self.live);
        self.timers.shrink_to_fit();
        self.late.shrink_to_fit();
        self.queue.shrink_to_fit();
    }

    /// How much there is room for.
    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.entries.capacity() + self.timers.capacity() + self.late.capacity() + self.queue.capacity()
    }

    fn find(&self, seq: u64) -> Option<usize> {
        let first = self.entries.front()?.seq;
        let guess = usize::try_from(seq.checked_sub(first)?).ok()?;
        let at = match self.entries.get(guess) {
            Some(entry) if entry.seq == seq => guess,
            _ => self.entries.binary_search_by_key(&seq, |entry| entry.seq).ok()?,
        };
        if self.entries[at].hole { None } else { Some(at) }
    }

    fn is_valid(&self, (time, seq): (Time, u64)) -> bool {
        self.get(seq).is_some_and(|entry| entry.deadline == time && !entry.queued)
    }

    fn schedule(&mut self, deadline: Time, seq: u64) {
        if self.timers.len() + self.late.len() > 2 * self.live + SLACK {
            let mut timers = std::mem::take(&mut self.timers);
            timers.retain(|&timer| self.is_valid(timer));
            self.timers = timers;
            let mut late = std::mem::take(&mut self.late);
            late.retain(|late| self.is_valid(late.0));
            self.late = late;
        }
        match self.timers.back() {
            Some(last) if last.0 > deadline => self.late.push(Reverse((deadline, seq))),
            _ => self.timers.push_back((deadline, seq)),
        }
    }

    fn tidy(&mut self) {
        if self.live == 0 {
            self.entries.clear();
            self.timers.clear();
            self.late.clear();
            self.queue.clear();
            return;
        }
        while self.entries.pop_front_if(|entry| entry.hole).is_some() {}
        while self.entries.pop_back_if(|entry| entry.hole).is_some() {}
        if self.entries.len() > 2 * self.live + SLACK {
            self.entries.retain(|entry| !entry.hole);
        }
        while let Some(&timer) = self.timers.front()
            && !self.is_valid(timer)
        {
            self.timers.pop_front();
        }
    }
}
