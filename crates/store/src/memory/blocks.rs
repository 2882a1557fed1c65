//! All messages, in blocks, in order; those of one subject know each other.

use std::collections::VecDeque;
use std::ops::RangeInclusive;

use martlet_events::WallTime;

use super::block::{self, Block};
use crate::index::{Head, Heads};
use crate::record::Message;
use crate::store::SubjectState;

/// How many messages are looked at along the stream for one step along the subject: the latter is a search.
const STRIDE: usize = 8;

#[derive(Debug, Default)]
pub(super) struct Blocks {
    blocks: VecDeque<Block>,
    used: u64,
}

/// Where a message is: which block, which slot.
type Place = (usize, usize);

impl Blocks {
    /// Bytes in use.
    pub(super) fn used(&self) -> u64 {
        self.used
    }

    /// Bytes that a message takes.
    pub(super) fn need(message: &Message<'_>) -> u64 {
        (block::len(message) + block::SLOT) as u64
    }

    pub(super) fn push(&mut self, message: &Message<'_>) {
        self.used += Self::need(message);
        if !self.blocks.back().is_some_and(|block| block.has_room(message)) {
            self.blocks.push_back(Block::new(message, self.blocks.back()));
        }
        if let Some(block) = self.blocks.back_mut() {
            block.push(message);
        }
    }

    /// Gives back all that is not in use.
    pub(super) fn compact(&mut self) {
        for block in self.blocks.iter_mut().filter(|block| block.has_waste()) {
            let used = block.used();
            block.compact();
            self.used -= used - block.used();
        }
    }

    fn find(&self, seq: u64) -> Option<Place> {
        let nth = self.blocks.partition_point(|block| block.base <= seq).checked_sub(1)?;
        Some((nth, self.blocks[nth].find(seq)?))
    }

    /// The first place with this sequence or a later one, whether the message is there or gone.
    fn lower_bound(&self, seq: u64) -> Place {
        let nth = self.blocks.partition_point(|block| block.base <= seq).saturating_sub(1);
        (nth, self.blocks.get(nth).map_or(0, |block| block.lower_bound(seq)))
    }

    /// A message, as it stands here.
    pub(super) fn message(&self, seq: u64) -> Option<Message<'_>> {
        self.find(seq).map(|(nth, at)| self.blocks[nth].message(at))
    }

    /// A message, copied into `buffer`.
    pub(super) fn copy<'b>(&self, seq: u64, buffer: &'b mut Vec<u8>) -> Option<Message<'b>> {
        self.find(seq).map(|(nth, at)| self.blocks[nth].copy(at, buffer))
    }

    /// Two messages of a subject have none between them; 0 stands for none.
    pub(super) fn link(&mut self, before: u64, after: u64) {
        if let Some((nth, at)) = self.find(before).filter(|_| before > 0) {
            self.blocks[nth].slots[at].after = after;
        }
        if let Some((nth, at)) = self.find(after).filter(|_| after > 0) {
            self.blocks[nth].slots[at].before = before;
        }
    }

    /// The first message taken in at `time` or later.
    pub(super) fn first_since(&self, time: WallTime) -> Option<u64> {
        // A message that is gone has left no time behind to search by.
        let last = |block: &Block| block.slots.iter().rev().find(|slot| slot.is_there()).map(|slot| slot.time());
        let block = self.blocks.iter().find(|block| last(block).is_some_and(|last| last >= time))?;
        let at = block.slots.iter().position(|slot| slot.is_there() && slot.time() >= time)?;
        Some(block.seq(at))
    }

    /// Messages that are there, from a place on, for as long as `f` says so.
    fn walk(&self, (nth, mut at): Place, f: &mut dyn FnMut(&Block, usize) -> bool) {
        for block in self.blocks.range(nth.min(self.blocks.len())..) {
            while let Some(slot) = block.slots.get(at) {
                if slot.is_there() && !f(block, at) {
                    return;
                }
                at += 1;
            }
            at = 0;
        }
    }

    /// Messages that are there, backwards from before a place on, for as long as `f` says so.
    fn walk_back(&self, (nth, at): Place, f: &mut dyn FnMut(&Block, usize) -> bool) {
        let mut end = Some(at);
        for block in self.blocks.range(..(nth + 1).min(self.blocks.len())).rev() {
            for at in (0..end.take().unwrap_or(block.slots.len())).rev() {
                if block.slots[at].is_there() && !f(block, at) {
                    return;
                }
            }
        }
    }

    fn neighbours(&self, seq: u64) -> Option<(u64, u64)> {
        let (nth, at) = self.find(seq)?;
        let slot = self.blocks[nth].slots[at];
        Some((slot.before, slot.after))
    }

    /// The neighbours of a message, if it has just this subject.
    fn neighbours_of(&self, subject: &[u8], seq: u64) -> Option<(u64, u64)> {
        let (nth, at) = self.find(seq)?;
        let (block, slot) = (&self.blocks[nth], self.blocks[nth].slots[at]);
        (block.subject(at) == subject).then_some((slot.before, slot.after))
    }

    /// Looks at up to [`STRIDE`] messages for one with this subject, up to `to`.
    fn stride(&self, subject: &[u8], place: &mut Place, to: u64) -> Stride {
        for _ in 0..STRIDE {
            let Some(block) = self.blocks.get(place.0) else { return Stride::End };
            let (nth, at) = *place;
            let Some(slot) = block.slots.get(at) else {
                *place = (nth + 1, 0);
                continue;
            };
            *place = (nth, at + 1);
            if block.seq(at) > to {
                return Stride::End;
            }
            if slot.is_there() && block.subject(at) == subject {
                return Stride::Found(block.seq(at));
            }
        }
        Stride::More
    }

    /// The same backwards, from before a place on, down to `from`.
    fn stride_back(&self, subject: &[u8], place: &mut Place, from: u64) -> Stride {
        for _ in 0..STRIDE {
            let (nth, at) = *place;
            let Some(at) = at.checked_sub(1) else {
                let Some(before) = nth.checked_sub(1) else { return Stride::End };
                *place = (before, self.blocks[before].slots.len());
                continue;
            };
            *place = (nth, at);
            let block = &self.blocks[nth];
            if block.seq(at) < from {
                return Stride::End;
            }
            if block.slots[at].is_there() && block.subject(at) == subject {
                return Stride::Found(block.seq(at));
            }
        }
        Stride::More
    }
}

enum Stride {
    Found(u64),
    More,
    End,
}

impl Heads for Blocks {
    fn head(&self, seq: u64, f: &mut dyn FnMut(&Head<'_>)) -> bool {
        let Some((nth, at)) = self.find(seq) else { return false };
        f(&self.blocks[nth].head(at));
        true
    }

    fn scan(&self, seqs: RangeInclusive<u64>, f: &mut dyn FnMut(&Head<'_>) -> bool) {
        self.walk(self.lower_bound(*seqs.start()), &mut |block, at| {
            let head = block.head(at);
            head.seq <= *seqs.end() && f(&head)
        });
    }

    fn scan_back(&self, seqs: RangeInclusive<u64>, f: &mut dyn FnMut(&Head<'_>) -> bool) {
        self.walk_back(self.lower_bound(seqs.end().saturating_add(1)), &mut |block, at| {
            let head = block.head(at);
            head.seq >= *seqs.start() && f(&head)
        });
    }

    /// Three ways at once, until one gets there: from the subject's first message on, from its last one back, and along
    /// all messages. Mostly, the one before `seqs` is of this subject, and knows.
    fn next_of(&self, subject: &[u8], known: &SubjectState, seqs: RangeInclusive<u64>) -> Option<u64> {
        let (from, to) = seqs.into_inner();
        let within = |seq: u64| (seq > 0 && seq <= to).then_some(seq);
        if let Some((_, after)) = self.neighbours_of(subject, from.saturating_sub(1)) {
            return within(after);
        }
        let (mut first, mut last) = (known.first, known.last);
        let mut place = self.lower_bound(from);
        loop {
            if first >= from {
                return within(first);
            }
            first = self.neighbours(first).map_or(first, |(_, after)| if after == 0 { u64::MAX } else { after });
            if let Some((before, _)) = self.neighbours(last) {
                if before < from {
                    return within(last);
                }
                last = before;
            }
            match self.stride(subject, &mut place, to) {
                Stride::Found(seq) => return Some(seq),
                Stride::End => return None,
                Stride::More => {}
            }
        }
    }

    fn last_of(&self, subject: &[u8], known: &SubjectState, seqs: RangeInclusive<u64>) -> Option<u64> {
        let (from, to) = seqs.into_inner();
        let within = |seq: u64| (seq >= from.max(1)).then_some(seq);
        if let Some((before, _)) = self.neighbours_of(subject, to.saturating_add(1)) {
            return within(before);
        }
        let (mut first, mut last) = (known.first, known.last);
        let mut place = self.lower_bound(to.saturating_add(1));
        loop {
            if last <= to {
                return within(last);
            }
            last = self.neighbours(last).map_or(last, |(before, _)| before);
            if let Some((_, after)) = self.neighbours(first) {
                if after == 0 || after > to {
                    return within(first);
                }
                first = after;
            }
            match self.stride_back(subject, &mut place, from) {
                Stride::Found(seq) => return Some(seq),
                Stride::End => return None,
                Stride::More => {}
            }
        }
    }

    fn forget(&mut self, seq: u64, erase: bool) {
        let Some((nth, at)) = self.find(seq) else { return };
        let slot = self.blocks[nth].slots[at];
        self.link(slot.before, slot.after);
        let (is_first, is_last) = (nth == 0, nth + 1 == self.blocks.len());
        let block = &mut self.blocks[nth];
        let used = block.used();
        block.forget(at, erase);
        if block.is_empty() && is_last {
            // A queue that is mostly empty need not ask for room again and again.
            block.clear();
            self.used -= used;
        } else if block.is_empty() {
            self.blocks.remove(nth);
            self.used -= used;
        } else if !is_first && block.is_mostly_waste() {
            // The first block mostly goes as a whole, soon: it is not worth the copy.
            block.compact();
            self.used -= used - self.blocks[nth].used();
        }
    }
}
