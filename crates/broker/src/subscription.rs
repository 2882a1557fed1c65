//! What a subscriber asked for.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::peer::Peer;

/// Set in `sid_len` when a deny permission overlaps the subject.
const FILTERED: u32 = 1 << 31;

/// A client's subscription. Kept small: a server holds millions.
#[derive(Debug)]
pub struct Subscription {
    /// Who asked.
    pub peer: Arc<Peer>,
    /// Subject, sid and queue group, one after the other.
    text: Box<[u8]>,
    subject_len: u32,
    /// The sid's length, and [`FILTERED`] as its highest bit: a flag of its own would cost eight bytes.
    sid_len: u32,
    delivered: AtomicU64,
    /// Deliveries after which it ends; 0 never.
    max: AtomicU64,
}

impl Subscription {
    /// A subscription of `peer` to `subject`.
    pub fn new(peer: Arc<Peer>, subject: &[u8], sid: &[u8], queue: Option<&[u8]>, filtered: bool) -> Self {
        let text = [subject, sid, queue.unwrap_or_default()].concat().into_boxed_slice();
        let length = |part: &[u8]| u32::try_from(part.len()).expect("a control line is shorter than 4 GiB");
        Self {
            peer,
            text,
            subject_len: length(subject),
            sid_len: length(sid) | flag(filtered),
            delivered: AtomicU64::new(0),
            max: AtomicU64::new(0),
        }
    }

    /// The same subscription, filtered or not.
    #[must_use]
    pub(crate) fn with_filter(&self, filtered: bool) -> Self {
        Self {
            peer: self.peer.clone(),
            text: self.text.clone(),
            subject_len: self.subject_len,
            sid_len: self.sid_len & !FILTERED | flag(filtered),
            delivered: AtomicU64::new(self.delivered()),
            max: AtomicU64::new(self.max()),
        }
    }

    /// Whether a deny permission overlaps the subject, so that each delivery must be asked for (SEC-037).
    pub(crate) fn is_filtered(&self) -> bool {
        self.sid_len & FILTERED != 0
    }

    fn sid_end(&self) -> usize {
        (self.subject_len + (self.sid_len & !FILTERED)) as usize
    }

    /// The pattern subscribed to.
    pub fn subject(&self) -> &[u8] {
        &self.text[..self.subject_len as usize]
    }

    /// The subscriber's own name for it.
    pub fn sid(&self) -> &[u8] {
        &self.text[self.subject_len as usize..self.sid_end()]
    }

    /// The queue group it is a member of.
    pub fn queue(&self) -> Option<&[u8]> {
        let queue = &self.text[self.sid_end()..];
        (!queue.is_empty()).then_some(queue)
    }

    /// Messages delivered so far.
    pub fn delivered(&self) -> u64 {
        self.delivered.load(Relaxed)
    }

    /// Deliveries after which it ends; 0 never.
    pub fn max(&self) -> u64 {
        self.max.load(Relaxed)
    }

    /// Sets the number of deliveries after which it ends, counted from its creation (CORE-051).
    pub(crate) fn set_max(&self, max: u64) {
        self.max.store(max, Relaxed);
    }

    /// Whether it has had all it wanted.
    pub fn is_over(&self) -> bool {
        let max = self.max();
        max > 0 && self.delivered() >= max
    }

    /// Counts a delivery, unless the maximum is reached already.
    pub(crate) fn take_turn(&self) -> Turn {
        let count = self.delivered.fetch_add(1, Relaxed) + 1;
        match self.max.load(Relaxed) {
            0 => Turn::Go,
            max if count < max => Turn::Go,
            max if count == max => Turn::Last,
            _ => {
                self.delivered.fetch_sub(1, Relaxed);
                Turn::Over
            }
        }
    }
}

fn flag(filtered: bool) -> u32 {
    if filtered { FILTERED } else { 0 }
}

/// Whether one more message may be delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// Yes.
    Go,
    /// Yes, and this is the last one.
    Last,
    /// No, it had all it wanted.
    Over,
}
