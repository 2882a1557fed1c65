//! What consumers have done is written down: for all of a batch at once, and at once only where somebody waits for it.

use std::ops::RangeInclusive;
use std::time::Duration;

use martlet_store::{Filter, ReadError};

use super::consumers::Slot;
use super::group::{Answer, Draft, Effect, Group};
use super::{Stream, note};
use crate::config::Retention;
use crate::consumer::Consumer;

/// How long progress may wait that nobody waits for.
pub(super) const PATIENCE: Duration = Duration::from_millis(100);

/// What cannot be known now is looked for again after this.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

impl Stream {
    /// Writes the progress down that has to be, with what follows from it.
    pub(super) fn write_progress(&mut self) {
        if !self.live.consumers.is_any_urgent() {
            return;
        }
        let mut keys = std::mem::take(&mut self.keys);
        self.live.consumers.take_urgent(&mut keys);
        for &key in &keys {
            self.begin_group();
            let settled = self.live.consumers.change(key, |slot| write_progress(slot, &mut self.current));
            self.remove_settled(settled.unwrap_or_default());
        }
        keys.clear();
        self.keys = keys;
    }

    /// Takes messages away that consumers are done with, where that is what the stream does.
    // spec: JS-039
    pub(super) fn remove_settled(&mut self, mut settled: Vec<u64>) {
        match self.live.config.retention {
            Retention::Limits => return,
            Retention::WorkQueue => {}
            Retention::Interest => settled.retain(|seq| !self.is_needed(*seq)),
        }
        settled.sort_unstable();
        settled.dedup();
        self.propose_removal(&settled);
    }

    /// Removes messages; `seqs` is in order.
    pub(super) fn propose_removal(&mut self, seqs: &[u64]) {
        if seqs.is_empty() {
            return;
        }
        self.begin_group();
        let group = &mut self.current;
        let start = group.removals.len();
        for &seq in seqs {
            match group.removals[start..].last_mut() {
                Some(range) if *range.end() + 1 == seq => *range = RangeInclusive::new(*range.start(), seq),
                _ => group.removals.push(seq..=seq),
            }
        }
        group.drafts.push(Draft::Remove { ranges: start..group.removals.len(), erase: false });
    }

    /// Whether a consumer is not done with a message, or that cannot be known now.
    fn is_needed(&mut self, seq: u64) -> bool {
        let mut buffer = Vec::new();
        let message = match self.store.get(seq, &mut buffer) {
            Ok(Some(message)) => message,
            Ok(None) | Err(ReadError::Unreadable(_)) => return false,
            Err(ReadError::NotNow(_)) => {
                self.look_again_at = Some(self.now.time + LOOK_AGAIN);
                return true;
            }
        };
        self.live.consumers.is_any(message.subject, |consumer| consumer.needs(seq, message.subject))
    }

    /// Takes everything away that no consumer needs, when one has gone or wants less, or that was not known. Gives whether there is such.
    pub(super) fn remove_unneeded(&mut self) -> bool {
        self.look_again_at = None;
        if self.live.config.retention != Retention::Interest {
            return false;
        }
        let state = self.store.state();
        let mut buffer = Vec::new();
        let mut unneeded = Vec::new();
        let mut from = state.first_seq;
        while from <= state.last_seq {
            match self.store.next(&Filter::default(), from, &mut buffer) {
                Ok(Some(message)) => {
                    let needs = |consumer: &Consumer| consumer.needs(message.seq, message.subject);
                    if !self.live.consumers.is_any(message.subject, needs) {
                        unneeded.push(message.seq);
                    }
                    from = message.seq + 1;
                }
                Ok(None) => break,
                Err(ReadError::Unreadable(range)) => from = range.seqs.end() + 1,
                Err(ReadError::NotNow(_)) => {
                    self.look_again_at = Some(self.now.time + LOOK_AGAIN);
                    break;
                }
            }
        }
        self.propose_removal(&unneeded);
        !unneeded.is_empty()
    }
}

/// Writes down what a consumer has done since the last time; gives what it is done with.
fn write_progress(slot: &mut Slot, group: &mut Group) -> Vec<u64> {
    slot.write_at = None;
    let is_snapshot = std::mem::take(&mut slot.needs_snapshot);
    let mut has_progress = is_snapshot;
    let start = group.bytes.len();
    let consumer = &mut slot.consumer;
    let bytes = group.write(|into| {
        note::begin_progress(consumer.name(), into);
        note::put_part(into, |into| {
            if is_snapshot { consumer.snapshot(into) } else { has_progress = consumer.progress(into) }
        });
    });
    if has_progress {
        group.drafts.push(Draft::Note { kind: note::PROGRESS, bytes });
    } else {
        group.bytes.truncate(start);
    }
    for reply in std::mem::take(&mut slot.confirm) {
        let reply = group.put(&reply);
        group.effects.push(Effect::Answer { reply, answer: Answer::Ready(0..0) });
    }
    std::mem::take(&mut slot.settled)
}
