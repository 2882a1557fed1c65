//! All blocks of a stream: what is there of it.
//!
//! Blocks are given in their order, each as it was before it was encrypted and compressed; messages are told as they come.
//! Which of them have gone is known at the end: by the index, if the server left it when it stopped, and else by what the
//! blocks say. Those that went by a bound of the stream go by that again.

use std::ops::RangeInclusive;

use super::block::{BlockError, Record, Records};
use super::index::Index;
use crate::{Item, Sink};

/// Something that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The number of the block.
    pub block: u32,
    /// Where in it, before compression; the whole block if it is 0 and could not even be decompressed.
    pub at: usize,
    /// What is wrong.
    pub why: BlockError,
}

/// What is known when all blocks have been read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Contents {
    /// Messages that were told and are gone.
    pub gone: Vec<RangeInclusive<u64>>,
    /// The last sequence in use.
    pub last_seq: u64,
    /// Messages and bytes by the index, if it counts.
    pub counted: Option<(u64, u64)>,
    /// Messages by the index that no block has.
    pub missing: u64,
}

/// The blocks so far.
#[derive(Debug)]
pub struct Shelf {
    stream: String,
    /// Sequences told, as ranges in order.
    told: Vec<RangeInclusive<u64>>,
    tombstones: Vec<u64>,
    last_seq: u64,
    /// The last block, and how it ended.
    last_block: Option<(u32, [u8; 8])>,
    faults: Vec<Fault>,
}

/// Faults that are kept; a stream that is full of them is not better understood by more.
const MAX_FAULTS: usize = 1000;

impl Shelf {
    /// Of a stream with a name.
    pub fn new(stream: &str) -> Self {
        Self {
            stream: stream.to_owned(),
            told: Vec::new(),
            tombstones: Vec::new(),
            last_seq: 0,
            last_block: None,
            faults: Vec::new(),
        }
    }

    /// What could not be read so far.
    pub fn faults(&self) -> &[Fault] {
        &self.faults
    }

    /// Something is wrong with a block as a whole.
    pub fn fault(&mut self, block: u32, at: usize, why: BlockError) {
        if self.faults.len() < MAX_FAULTS {
            self.faults.push(Fault { block, at, why });
        }
    }

    /// The next block.
    pub fn block<S: Sink>(&mut self, number: u32, bytes: &[u8], sink: &mut S) -> Result<(), S::Error> {
        let stream = std::mem::take(&mut self.stream);
        let end = bytes.last_chunk::<8>().copied().unwrap_or_default();
        let result = Records::new(&stream, number, bytes).try_for_each(|(at, record)| match record {
            Ok(record) => self.record(&record, sink),
            Err(why) => {
                self.fault(number, at, why);
                Ok(())
            }
        });
        self.stream = stream;
        self.last_block = Some((number, end));
        result
    }

    fn record<S: Sink>(&mut self, record: &Record<'_>, sink: &mut S) -> Result<(), S::Error> {
        match *record {
            Record::Message(message) => {
                // A block that was written anew may still be followed by what it replaces.
                if message.seq <= self.last_told() {
                    return Ok(());
                }
                self.tell(message.seq);
                self.last_seq = self.last_seq.max(message.seq);
                sink.item(Item::Message(message))
            }
            Record::Erased(seq) => {
                self.last_seq = self.last_seq.max(seq);
                Ok(())
            }
            Record::Tombstone(seq) => {
                self.last_seq = self.last_seq.max(seq);
                self.tombstones.push(seq);
                Ok(())
            }
        }
    }

    fn last_told(&self) -> u64 {
        self.told.last().map_or(0, |range| *range.end())
    }

    fn tell(&mut self, seq: u64) {
        match self.told.last_mut() {
            Some(range) if *range.end() + 1 == seq => *range = *range.start()..=seq,
            _ => self.told.push(seq..=seq),
        }
    }

    /// There are no more blocks.
    pub fn end(&mut self, index: Option<&Index>) -> Contents {
        let counts = |index: &&Index| self.last_block == Some(index.last_block);
        if let Some(index) = index.filter(counts) {
            let (gone, missing) = self.against(index);
            let counted = Some((index.messages, index.bytes));
            return Contents { gone, last_seq: self.last_seq.max(index.last_seq), counted, missing };
        }
        // An index of before is older than the blocks; one that knows a block behind them says that it is missing.
        let is_ahead = |index: &&Index| self.last_block.is_none_or(|last| last.0 < index.last_block.0);
        let missing = index.filter(is_ahead).map_or(0, |index| self.against(index).1);
        let mut gone = std::mem::take(&mut self.tombstones);
        gone.sort_unstable();
        gone.dedup();
        let last_seq = self.last_seq.max(index.map_or(0, |index| index.last_seq));
        Contents { gone: ranges(gone.into_iter()), last_seq, counted: None, missing }
    }

    /// What was told and is not in the index, and how much is in the index and was not told.
    fn against(&self, index: &Index) -> (Vec<RangeInclusive<u64>>, u64) {
        let mut gone = Vec::new();
        let mut found = 0;
        for told in &self.told {
            let mut next = *told.start();
            let from = index.there.partition_point(|there| *there.end() < next);
            for there in index.there[from..].iter().take_while(|there| there.start() <= told.end()) {
                let (start, end) = (next.max(*there.start()), *told.end().min(there.end()));
                if next < start {
                    gone.push(next..=start - 1);
                }
                found += end - start + 1;
                next = end + 1;
            }
            if next <= *told.end() {
                gone.push(next..=*told.end());
            }
        }
        let there = index.there.iter().fold(0_u64, |sum, range| sum.saturating_add(range.end() - range.start() + 1));
        (gone, there.saturating_sub(found))
    }
}

/// Sequences in order, as ranges.
fn ranges(seqs: impl Iterator<Item = u64>) -> Vec<RangeInclusive<u64>> {
    let mut ranges: Vec<RangeInclusive<u64>> = Vec::new();
    for seq in seqs {
        match ranges.last_mut() {
            Some(range) if *range.end() + 1 == seq => *range = *range.start()..=seq,
            _ => ranges.push(seq..=seq),
        }
    }
    ranges
}
