//! Which segments get summaries, and when: those to which nothing is added any more, one after the other, in the background.

use super::segment::Segment;
use super::summary::{self, Making, Progress};
use super::{Damage, FileStore};
use crate::store::StoreError;

impl FileStore {
    /// Does a piece of a summary; whether there is more to do.
    pub(super) fn summarise(&mut self) -> Result<bool, StoreError> {
        let Some(mut making) = self.making.take().or_else(|| self.next_to_summarise()) else { return Ok(false) };
        match making.step(&mut self.log)? {
            Progress::More => self.making = Some(making),
            Progress::Done | Progress::GivenUp => self.summarised = making.number,
            Progress::Damaged => {
                self.summarised = making.number;
                if let Some(position) = self.log.position(making.number) {
                    // If that cannot be done now, the scrub comes here.
                    let _ = self.look_through(position);
                }
            }
        }
        Ok(self.wants_any_summary())
    }

    /// Whether there is a segment without a summary that can have one.
    pub(super) fn wants_any_summary(&self) -> bool {
        self.making.is_some() || self.next_to_summarise().is_some()
    }

    fn next_to_summarise(&self) -> Option<Making> {
        let first = self.log.segments.partition_point(|segment| segment.header.number <= self.summarised);
        let next = self.log.segments[first..].iter().find(|segment| self.wants_summary(segment))?;
        Some(Making::new(next.header.number))
    }

    /// Whether a segment should have a summary and has none. One that is to be written anew gets it afterwards.
    fn wants_summary(&self, segment: &Segment) -> bool {
        let seen = segment.seen.borrow();
        let is_in_clear = self.log.packer.vault.is_some() && seen.clear > 0;
        let is_as_written = seen.holes.is_empty() && !self.unreadable.iter().any(|lost| segment.has_any(&lost.seqs));
        let is_due = segment.is_sealed && segment.last_index <= self.applied && segment.summary.get() == 0;
        let is_to_change = || self.compactions.iter().any(|compaction| compaction.number == segment.header.number);
        is_due && is_as_written && !is_in_clear && !segment.is_unwanted && !is_to_change()
    }

    /// A segment is, or may be, another one than its summary says: it gets a new one if it can.
    pub(super) fn summarise_again(&mut self, number: u64) {
        self.making.take_if(|making| making.number == number);
        self.scrubbing.take_if(|scrubbing| scrubbing.number == number);
        self.summarised = self.summarised.min(number.saturating_sub(1));
    }

    /// What was found to be wrong with summaries is told, and they are made anew.
    pub(super) fn replace_spoilt_summaries(&mut self) {
        for (number, why) in std::mem::take(self.log.spoilt.get_mut()) {
            let what = format!("{} {why}; it is made anew", summary::name_of(number));
            self.damage.push(Damage { what, seqs: None });
            self.forget_summary(number);
        }
    }

    /// Takes a segment's summary away. If that fails, it is the same as if it had not been tried: what is on disk says nothing
    /// that was wrong when it was written.
    pub(super) fn forget_summary(&mut self, number: u64) {
        if let Some(position) = self.log.position(number) {
            let _ = self.log.drop_summary(position, false);
        }
        self.summarise_again(number);
    }
}
