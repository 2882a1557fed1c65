//! What need not be read when a store is opened: segments that the checkpoint covers, where their summaries say what is in
//! them, and what subjects have, where a clean stop has left that.

use std::ops::RangeInclusive;

use super::super::segment::{HEADER, Segment, SegmentHeader, name_of};
use super::super::subjects;
use super::super::summary::{self, Entries, Facts, Fault, Summary};
use super::{Damage, Options, Recovery, alive, index_of};
use crate::index::Index;
use crate::store::SubjectState;

impl Recovery<'_> {
    /// Puts in what subjects have, if the checkpoint was the last thing that was written before the store was closed.
    pub(super) fn restore_subjects(&mut self, options: &Options<'_>) {
        let Some(checkpoint) = &self.checkpoint else { return };
        let vault = self.log.packer.vault.as_deref();
        match subjects::restore(&*self.log.disk, checkpoint.generation, vault, &mut self.index) {
            Ok(is_restored) => self.has_subjects = is_restored,
            Err(why) => {
                self.index = index_of(checkpoint);
                self.restore_limits(options);
                self.damage
                    .push(Damage { what: format!("{} {why}; the log says the same", subjects::NAME), seqs: None });
            }
        }
    }

    /// Whether nothing in a segment and those before it is behind the checkpoint, as its summary says.
    pub(super) fn is_covered(&self, number: u64) -> bool {
        self.open_summary(number).is_ok_and(|summary| self.header_of(number, &summary).is_some())
    }

    /// Goes by a segment's summary in place of the segment; whether that could be done.
    pub(super) fn adopt(&mut self, number: u64) -> bool {
        let name = summary::name_of(number);
        let fault = match self.open_summary(number) {
            Ok(summary) => {
                let Some(header) = self.header_of(number, &summary) else { return false };
                match self.check(header, &summary) {
                    Ok(checked) => {
                        self.enter_segment(&header, &name_of(number));
                        self.put_in(header, summary.header, checked);
                        return true;
                    }
                    Err(fault) => fault,
                }
            }
            Err(fault) => fault,
        };
        if let Fault::Damaged(why) = fault
            && !summary::is_torn(&*self.log.disk, &name)
        {
            self.damage.push(Damage { what: format!("{name} {why}; the segment is read instead"), seqs: None });
        }
        false
    }

    fn open_summary(&self, number: u64) -> Result<Summary, Fault> {
        if self.checkpoint.is_none() {
            return Err(Fault::Missing);
        }
        Summary::open(&*self.log.disk, number, self.log.salt, self.log.packer.vault.clone())
    }

    /// The header of the segment that a summary is of, if that is still as it was, and the checkpoint covers it.
    fn header_of(&self, number: u64, summary: &Summary) -> Option<SegmentHeader> {
        let is_behind = |index: u64| self.checkpoint.as_ref().is_none_or(|checkpoint| index > checkpoint.index);
        let (bytes, len) = self.load(number, HEADER as usize).ok()??;
        let header = SegmentHeader::decode(&bytes).ok();
        let header = header.filter(|header| header.number == number && header.salt == self.log.salt);
        header.filter(|_| len == u64::from(summary.header.end) && !is_behind(summary.header.last_index))
    }

    /// What a summary says, if it can be gone by: all that is needed of it is whole, and no message is missing.
    fn check(&self, header: SegmentHeader, summary: &Summary) -> Result<Checked, Fault> {
        let base = header.last_seq;
        let facts = summary.facts(base)?;
        let known = alive(&self.index, &(base + 1..=summary.header.last_seq));
        let mut checked = Checked { is_whole: known == facts.seen.messages, facts, blocks: Vec::new() };
        if self.has_subjects {
            return Ok(checked);
        }
        let (mut messages, mut is_right) = (0_u64, true);
        summary.for_each_block(base, &mut |mut entries| {
            while entries.advance() {
                let state = state_of(&self.index, &entries, checked.is_whole);
                messages = messages.saturating_add(state.map_or(0, |state| state.messages));
            }
            is_right &= entries.is_at_end();
            entries.rewind();
            checked.blocks.push(entries);
        })?;
        match (is_right, messages == known) {
            (false, _) => Err(Fault::Damaged("is damaged")),
            (true, false) => Err(Fault::Damaged("does not have all messages")),
            (true, true) => Ok(checked),
        }
    }

    /// Puts in what a summary says that has been checked.
    fn put_in(&mut self, header: SegmentHeader, says: summary::Header, checked: Checked) {
        let Checked { facts, blocks, is_whole } = checked;
        let mut segment = Segment::new(header);
        (segment.last_index, segment.last_seq, segment.chain) = (says.last_index, says.last_seq, says.chain);
        (segment.end, segment.allocated) = (says.end, u64::from(says.end));
        segment.is_sealed = header.compacted.is_some();
        segment.summary.set(says.len);
        segment.seen = facts.seen.into();
        self.log.segments.push(segment);
        (self.chain, self.missing) = (Some(says.chain), 0);
        self.expected = self.expected.max(says.last_index + 1);
        self.lost.last_seq = self.lost.last_seq.max(says.last_seq);
        self.ends_in_damage = false;
        let index = &mut self.index;
        for (at, seq) in facts.expiries {
            if index.is_there(seq) {
                index.restore_expiry(at, seq);
            }
        }
        for mut entries in blocks {
            while entries.advance() {
                if let Some(state) = state_of(index, &entries, is_whole) {
                    index.restore_subject(entries.subject(), state);
                }
            }
        }
    }
}

/// What a summary says, and what is known of it.
struct Checked {
    facts: Facts,
    /// What each subject has, unless that is known already.
    blocks: Vec<Entries<Vec<u8>>>,
    /// Nothing of the segment has been deleted.
    is_whole: bool,
}

/// What there is of a subject's messages in a segment; all of them, if it `is_whole`.
fn state_of(index: &Index, entries: &Entries<Vec<u8>>, is_whole: bool) -> Option<SubjectState> {
    let posts = entries.posts();
    let all = SubjectState { first: posts.first, last: posts.last, messages: posts.count };
    if is_whole {
        return Some(all);
    }
    if posts.is_run() {
        let seqs: RangeInclusive<u64> = posts.first..=posts.last;
        let messages = alive(index, &seqs);
        let first = index.deleted().next_absent(posts.first.max(index.first_seq()));
        let last = index.deleted().last_absent(posts.last.min(index.last_seq()));
        return (messages > 0).then_some(SubjectState { first, last: last.unwrap_or(first), messages });
    }
    entries.seqs().filter(|seq| index.is_there(*seq)).fold(None, |state, seq| match state {
        None => Some(SubjectState { first: seq, last: seq, messages: 1 }),
        Some(SubjectState { first, messages, .. }) => Some(SubjectState { first, last: seq, messages: messages + 1 }),
    })
}
