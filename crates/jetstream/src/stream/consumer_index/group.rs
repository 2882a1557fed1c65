//! Consumers that want the same messages.

use martlet_store::{Discarded, Filter};
use slab::Slab;

use super::resting::Resting;
use super::{Entry, Key};

/// Who is told this often of messages, and does nothing, comes to rest: who is at work, even by large batches, does not, and shall not
/// have to find its memory again.
const PATIENCE: u32 = 256;

/// The consumers of one filter.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) filter: Filter,
    pub(super) members: Vec<Key>,
    /// Those that are told of each message; for the others it is counted.
    pub(super) lively: Vec<Key>,
    pub(super) resting: Resting,
    /// The messages that it heard of last: two patterns of the filter may select the same.
    added: u64,
    removed: u64,
}

impl Group {
    pub(super) fn new(filter: Filter) -> Self {
        Self { filter, members: Vec::new(), lively: Vec::new(), resting: Resting::default(), added: 0, removed: 0 }
    }

    /// The patterns under which it is found.
    pub(super) fn patterns(filter: &Filter) -> impl Iterator<Item = &[u8]> {
        let all = filter.is_any().then_some(&b">"[..]);
        all.into_iter().chain(filter.patterns()).filter(|pattern| martlet_subject::is_valid_pattern(pattern))
    }

    /// A message that is wanted came; adds to `awake` who may have something to deliver.
    pub(super) fn added(&mut self, seq: u64, entries: &mut Slab<Box<Entry>>, awake: &mut Vec<Key>) {
        if std::mem::replace(&mut self.added, seq) == seq {
            return;
        }
        let resting = &mut self.resting;
        resting.added();
        self.lively.retain(|&key| {
            let entry = &mut entries[key];
            let consumer = &mut entry.slot.consumer;
            if consumer.added(seq) {
                entry.wake(key, awake);
                return true;
            }
            entry.told += 1;
            if entry.told >= PATIENCE && consumer.is_at_rest(seq) {
                consumer.shrink();
                entry.rest = Some(resting.lie_down(consumer.next()));
            }
            entry.rest.is_none()
        });
    }

    /// A message that is wanted went; adds to `awake` who has to tell of it.
    pub(super) fn removed(&mut self, message: &Discarded<'_>, entries: &mut Slab<Box<Entry>>, awake: &mut Vec<Key>) {
        if std::mem::replace(&mut self.removed, message.seq) == message.seq {
            return;
        }
        self.resting.removed(message.seq);
        for &key in &self.lively {
            let entry = &mut entries[key];
            entry.told = entry.told.saturating_add(1);
            if entry.slot.consumer.removed(message.seq, message.subject, message.why) {
                entry.wake(key, awake);
            }
        }
    }
}
