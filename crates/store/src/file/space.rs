//! Space: checkpoints say what is needed, the rest goes.

use std::ops::RangeInclusive;

use martlet_events::WallTime;

use super::FileStore;
use super::checkpoint::Checkpoint;
use super::compact::{Compaction, Progress, Reason, overwrite};
use super::recover::alive;
use super::segment::{Segment, name_of};
use super::subjects;
use super::view::View;
use crate::store::{StoreError, Unreadable};

/// How many segments are chosen at once to be written anew.
const COMPACTIONS: usize = 64;

/// How many files of segments stay open that are only read.
const OPEN: usize = 16;

impl FileStore {
    /// Writes what stands at the last entry applied. Segments that it does not need go when it is durable.
    pub(super) fn write_checkpoint(&mut self, owner: &[u8]) -> Result<Checkpoint, StoreError> {
        if let Some(error) = self.log.fenced() {
            return Err(error.clone());
        }
        self.checkpointed = self.applied;
        self.after_change();
        let view = View::new(&self.log, &self.windows, &self.found);
        if !self.index.settle(&view) {
            // A checkpoint would count for good what is gone, and let go of where it can be read.
            return Err(StoreError::Full { what: "a checkpoint: what is gone cannot be read now".to_owned() });
        }
        let (mut needed, mut dropping) = (self.spoilt.clone(), Vec::new());
        let active = self.log.segments.last().map_or(0, |segment| segment.header.number);
        for segment in &self.log.segments {
            let number = segment.header.number;
            let is_needed = number == active || segment.last_index > self.applied || self.alive_in(segment) > 0;
            if is_needed { needed.push(number) } else { dropping.push(number) }
        }
        if self.unreadable.is_empty() {
            needed.retain(|number| !self.spoilt.contains(number));
            dropping.append(&mut self.spoilt);
        }
        needed.sort_unstable();
        let mut deleted = Vec::new();
        self.index.for_each_deleted(&mut |range| {
            deleted.push(range);
            true
        });
        let checkpoint = Checkpoint {
            generation: self.slots.written + 1,
            salt: self.log.salt,
            index: self.applied,
            state: self.index.state(),
            first_time: self.index.first_time(&self.view()),
            limits: *self.index.limits(),
            next_number: self.log.next_number,
            segments: needed,
            deleted,
            erase: self.erase.clone(),
            owner: owner.to_vec(),
        };
        self.slots.write(&checkpoint, &mut self.log)?;
        self.remove_subjects();
        self.dropping = dropping;
        self.erasing = self.erase.len();
        self.mark_unwanted();
        self.choose_compactions();
        Ok(checkpoint)
    }

    fn alive_in(&self, segment: &Segment) -> u64 {
        alive(&self.index, &(segment.after_seq() + 1..=segment.last_seq))
    }

    /// Removes the files of segments that the durable checkpoint does not need.
    fn drop_segments(&mut self) -> Result<(), StoreError> {
        if self.dropping.is_empty() || !self.slots.is_durable(&self.log) {
            return Ok(());
        }
        for number in std::mem::take(&mut self.dropping) {
            self.forget_summary(number);
            match self.log.disk.remove(&name_of(number)) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(self.log.fence("remove a file beside", &error));
                }
                _ => self.log.mark_names_dirty(),
            }
            self.log.segments.retain(|segment| segment.header.number != number);
            self.windows.forget(number);
        }
        Ok(())
    }

    pub(super) fn do_maintain(&mut self, now: WallTime) -> Result<bool, StoreError> {
        if let Some(error) = self.log.fenced() {
            return Err(error.clone());
        }
        self.close_files(OPEN);
        self.drop_segments()?;
        if !self.is_compacting() && self.overwrite_erased()? {
            return Ok(true);
        }
        if self.compact()? || self.summarise()? {
            return Ok(true);
        }
        if self.scrub(now) {
            return Ok(true);
        }
        if self.applied == self.log.appended && std::mem::replace(&mut self.maintained, self.applied) == self.applied {
            // Nothing has come since the last time: the memory can be put to better use.
            self.log.tails.clear();
            self.log.packer.clear();
            self.windows.clear();
            self.close_files(0);
        }
        Ok(false)
    }

    /// Closes the files of segments to which nothing is added any more, if more than `keep` are open: whoever reads opens them again.
    fn close_files(&mut self, keep: usize) {
        let is_open = |segment: &&mut Segment| segment.is_sealed && segment.file.get().is_some();
        let open: Vec<&mut Segment> = self.log.segments.iter_mut().filter(is_open).collect();
        if open.len() > keep {
            for segment in open {
                segment.file.take();
            }
        }
    }

    fn is_compacting(&self) -> bool {
        self.compactions.front().is_some_and(Compaction::is_begun)
    }

    /// Why a segment should be written anew, if so; the checkpoint just written has to cover all of it.
    fn reason_to_compact(&self, segment: &Segment) -> Option<Reason> {
        let seen = segment.seen.borrow();
        let is_lost = |lost: &Unreadable| segment.has_any(&lost.seqs);
        if !segment.is_sealed || segment.last_index > self.applied || self.unreadable.iter().any(is_lost) {
            return None;
        }
        let alive = self.alive_in(segment);
        let is_loose = || {
            self.log.packer.compresses && segment.header.compacted.is_none() && seen.loose * 2 > u64::from(segment.end)
        };
        match alive {
            _ if segment.is_unwanted || (self.log.packer.vault.is_some() && seen.clear > 0) => Some(Reason::Unwanted),
            0 => None,
            _ if alive * 2 <= seen.messages => Some(Reason::Waste),
            _ => is_loose().then_some(Reason::Loose),
        }
    }

    /// Chooses segments to be written anew, with the messages of each that stay, as the checkpoint just written knows them.
    fn choose_compactions(&mut self) {
        let begun = self.compactions.pop_front().filter(Compaction::is_begun);
        let chosen = self.log.segments.iter().filter_map(|segment| Some((segment, self.reason_to_compact(segment)?)));
        let chosen =
            chosen.filter(|(segment, _)| begun.as_ref().is_none_or(|begun| begun.number != segment.header.number));
        let chosen: Vec<Compaction> = chosen
            .take(COMPACTIONS)
            .map(|(segment, reason)| Compaction::new(segment, reason, self.alive_ranges(segment)))
            .collect();
        self.compactions = begun.into_iter().chain(chosen).collect();
    }

    /// The messages of a segment.
    fn alive_ranges(&self, segment: &Segment) -> Vec<RangeInclusive<u64>> {
        let mut alive = Vec::new();
        let last = segment.last_seq.min(self.index.last_seq());
        let mut from = (segment.after_seq() + 1).max(self.index.first_seq());
        while from <= last {
            let first = self.index.deleted().next_absent(from);
            let mut next = last + 1;
            self.index.deleted().for_each(first..=last, |range| {
                next = *range.start();
                false
            });
            if first <= last {
                alive.push(first..=next - 1);
            }
            from = next.max(first + 1);
        }
        alive
    }

    /// Does a piece of a compaction; whether there is more to do.
    fn compact(&mut self) -> Result<bool, StoreError> {
        if !self.slots.is_durable(&self.log) && !self.is_compacting() {
            return Ok(false);
        }
        let Some(mut compaction) = self.compactions.pop_front() else { return Ok(false) };
        match compaction.step(&mut self.log, &self.windows)? {
            Progress::More => self.compactions.push_front(compaction),
            Progress::Done => self.compacted(&compaction),
            Progress::GivenUp => self.summarise_again(compaction.number),
        }
        Ok(!self.compactions.is_empty())
    }

    /// A segment has been written anew.
    fn compacted(&mut self, compaction: &Compaction) {
        self.summarise_again(compaction.number);
        let Some(position) = self.log.position(compaction.number) else { return };
        let segment = &self.log.segments[position];
        if self.next.0 == compaction.number {
            // All of it is applied.
            self.next.1 = segment.end;
        }
        let gone = |seq: &u64| segment.after_seq() < *seq && *seq <= segment.last_seq && !compaction.has(*seq);
        let known = self.erase[..self.erasing].iter().filter(|seq| !gone(seq)).count();
        self.erase.retain(|seq| !gone(seq));
        self.erasing = known;
    }

    pub(super) fn do_close(&mut self, state: &[u8]) -> Result<(), StoreError> {
        let was_in_clear = self.is_in_clear();
        let mut checkpoint = self.write_checkpoint(state)?;
        self.log.seal_last();
        if let Some(file) = self.log.segments.last().and_then(|segment| segment.file.get()).cloned() {
            self.log.mark_dirty(&file);
        }
        self.sync_all()?;
        while self.overwrite_erased()? {}
        self.drop_segments()?;
        self.rewrite_unwanted()?;
        if was_in_clear {
            // The other one is older than the key.
            checkpoint = self.write_checkpoint(state)?;
            self.sync_all()?;
            self.drop_segments()?;
        }
        while self.summarise()? {}
        self.write_subjects(&checkpoint);
        self.sync_all()?;
        self.windows.clear();
        Ok(())
    }

    /// Writes all segments anew that must not stay as they are.
    fn rewrite_unwanted(&mut self) -> Result<(), StoreError> {
        loop {
            let before = self.unwanted();
            self.choose_compactions();
            self.compactions.retain(|compaction| compaction.is_begun() || compaction.reason == Reason::Unwanted);
            while self.compact()? {}
            if self.unwanted() == 0 || self.unwanted() == before {
                return Ok(());
            }
        }
    }

    /// How many segments must not stay as they are, and can be written anew.
    fn unwanted(&self) -> usize {
        let is_unwanted = |segment: &&Segment| self.reason_to_compact(segment) == Some(Reason::Unwanted);
        self.log.segments.iter().filter(is_unwanted).count()
    }

    /// Whether there is something in plain that should be encrypted.
    pub(super) fn is_in_clear(&self) -> bool {
        let is_in_clear = |segment: &Segment| segment.seen.borrow().clear > 0;
        self.log.packer.vault.is_some() && self.log.segments.iter().any(is_in_clear)
    }

    fn sync_all(&mut self) -> Result<(), StoreError> {
        while let Some(job) = self.log.sync_job() {
            self.log.synced(job.through, job.run())?;
        }
        Ok(())
    }

    /// Leaves what subjects have for the next start. It can do without, so that errors are no matter.
    fn write_subjects(&mut self, checkpoint: &Checkpoint) {
        let is_known = self.unreadable.is_empty() && !self.index.has_lost();
        if self.is_in_clear() || !is_known || self.applied < self.log.appended {
            return;
        }
        let bytes = subjects::encode(checkpoint.generation, &self.index, self.log.packer.vault.as_deref());
        if let Ok(file) = self.log.disk.create(subjects::NAME) {
            self.log.mark_names_dirty();
            if file.write_at(&[&bytes], 0).is_ok() {
                self.log.mark_dirty(&file);
                self.has_subjects = true;
            }
        }
    }

    /// What was left by a stop stands no more; where something is to be overwritten, it may name its subject.
    fn remove_subjects(&mut self) {
        if !std::mem::take(&mut self.has_subjects) {
            return;
        }
        if !self.erase.is_empty()
            && let Ok(file) = self.log.disk.open(subjects::NAME)
        {
            let _ = file.len().and_then(|len| overwrite(&*file, len));
        }
        if self.log.disk.remove(subjects::NAME).is_ok() {
            self.log.mark_names_dirty();
        }
    }

    /// Bytes of sealed segments that are applied, and that no checkpoint knows.
    pub(super) fn bytes_behind(&self) -> u64 {
        let is_open = |segment: &&Segment| !segment.is_sealed || segment.last_index > self.applied;
        let segments = self.log.segments.iter().rev().skip_while(is_open);
        let behind = segments.take_while(|segment| segment.last_index > self.checkpointed);
        behind.map(|segment| u64::from(segment.end)).sum()
    }
}
