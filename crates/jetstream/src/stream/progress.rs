//! What consumers have done is written down: for all of a batch at once, and at once only where somebody waits for it.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::group::{Answer, Draft, Effect};
use super::{Stream, note};
use crate::config::Retention;

/// How long progress may wait that nobody waits for.
pub(super) const PATIENCE: Duration = Duration::from_millis(100);

impl Stream {
    /// Writes the progress down that has to be, with what follows from it.
    pub(super) fn write_progress(&mut self) {
        if !std::mem::take(&mut self.is_any_urgent) {
            return;
        }
        let names: Vec<String> =
            self.live.consumers.iter().filter(|(_, slot)| slot.is_urgent).map(|(name, _)| name.clone()).collect();
        for name in names {
            self.write_progress_of(&name);
        }
    }

    fn write_progress_of(&mut self, name: &str) {
        self.begin_group();
        let Some(slot) = self.live.consumers.get_mut(name) else { return };
        (slot.is_urgent, slot.write_at) = (false, None);
        let is_snapshot = std::mem::take(&mut slot.needs_snapshot);
        let group = &mut self.current;
        let mut has_progress = is_snapshot;
        let start = group.bytes.len();
        let bytes = group.write(|into| {
            note::write_progress(name, into, |into| {
                if is_snapshot { slot.consumer.snapshot(into) } else { has_progress = slot.consumer.progress(into) }
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
        let settled = std::mem::take(&mut slot.settled);
        self.remove_settled(settled);
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

    /// Whether a consumer is not done with a message.
    fn is_needed(&self, seq: u64) -> bool {
        let mut buffer = Vec::new();
        let Ok(Some(message)) = self.store.get(seq, &mut buffer) else { return false };
        self.live.consumers.values().any(|slot| slot.consumer.needs(seq, message.subject))
    }

    /// Takes everything away that no consumer needs, when one has gone or wants less.
    pub(super) fn remove_unneeded(&mut self) {
        if self.live.config.retention != Retention::Interest {
            return;
        }
        let state = self.store.state();
        let mut buffer = Vec::new();
        let mut unneeded = Vec::new();
        let mut from = state.first_seq;
        while from <= state.last_seq {
            match self.store.next(&martlet_store::Filter::default(), from, &mut buffer) {
                Ok(Some(message)) => {
                    if !self.live.consumers.values().any(|slot| slot.consumer.needs(message.seq, message.subject)) {
                        unneeded.push(message.seq);
                    }
                    from = message.seq + 1;
                }
                Ok(None) => break,
                Err(martlet_store::ReadError::Unreadable(range)) => from = range.seqs.end() + 1,
            }
        }
        self.propose_removal(&unneeded);
    }
}
