//! Subjects in their order, each with the sequences of its messages: what a summary's blocks are, and the runs that it is
//! merged of.
//!
//! Invariant: whatever the bytes are, reading ends, and takes time by their number.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::ops::Range;

use crate::codec::{Reader, put_bytes, put_varint};

/// Sequences of one subject, growing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Posts {
    pub first: u64,
    pub last: u64,
    pub count: u64,
    /// Where the distances stand of those between the first and the last; nowhere if that follows from the numbers.
    gaps: Range<usize>,
}

impl Posts {
    /// Whether they follow each other without a gap.
    pub(crate) fn is_run(&self) -> bool {
        self.last - self.first == self.count - 1
    }
}

/// Reads a table from subject to subject.
#[derive(Debug)]
pub(crate) struct Entries<B> {
    bytes: B,
    /// Where the next one begins.
    at: usize,
    /// What the first sequences count from.
    base: u64,
    subject: Vec<u8>,
    posts: Posts,
}

impl<B: AsRef<[u8]>> Entries<B> {
    /// Before the first subject. Sequences are all above `base`.
    pub(crate) fn new(bytes: B, base: u64) -> Self {
        Self { bytes, at: 0, base, subject: Vec::new(), posts: Posts::default() }
    }

    /// Goes to the next subject; whether there is one.
    pub(crate) fn advance(&mut self) -> bool {
        self.try_advance().is_some()
    }

    fn try_advance(&mut self) -> Option<()> {
        let bytes = self.bytes.as_ref();
        let mut reader = Reader(bytes.get(self.at..)?);
        let shared = usize::try_from(reader.varint()?).ok().filter(|shared| *shared <= self.subject.len())?;
        let rest = reader.bytes()?;
        let count = reader.varint()?.checked_add(1)?;
        let first = self.base.checked_add(reader.varint()?)?.checked_add(1)?;
        let span = if count > 1 { reader.varint()? } else { 0 };
        let last = first.checked_add(span).filter(|_| span >= count - 1)?;
        let mut posts = Posts { first, last, count, gaps: 0..0 };
        if count > 2 && !posts.is_run() {
            let gaps = reader.bytes()?;
            let end = bytes.len() - reader.0.len();
            posts.gaps = end - gaps.len()..end;
        }
        self.at = bytes.len() - reader.0.len();
        self.subject.truncate(shared);
        self.subject.extend_from_slice(rest);
        self.posts = posts;
        Some(())
    }

    /// Goes back to before the first subject.
    pub(crate) fn rewind(&mut self) {
        self.at = 0;
        self.subject.clear();
    }

    /// Whether all has been read.
    pub(crate) fn is_at_end(&self) -> bool {
        self.at == self.bytes.as_ref().len()
    }

    /// The subject.
    pub(crate) fn subject(&self) -> &[u8] {
        &self.subject
    }

    /// What it has.
    pub(crate) fn posts(&self) -> &Posts {
        &self.posts
    }

    /// Its sequences, one after the other.
    pub(crate) fn seqs(&self) -> impl Iterator<Item = u64> + '_ {
        let Posts { first, last, count, ref gaps } = self.posts;
        let is_run = self.posts.is_run();
        let (mut gaps, mut left, mut next) = (Reader(&self.bytes.as_ref()[gaps.clone()]), count, Some(first));
        std::iter::from_fn(move || {
            let seq = next?;
            left -= 1;
            next = match left {
                0 => None,
                1 => Some(last),
                _ if is_run => Some(seq + 1),
                _ => gaps.varint().and_then(|gap| seq.checked_add(gap)).filter(|next| seq < *next && *next < last),
            };
            Some(seq)
        })
    }
}

/// One subject with its sequences, being gathered.
#[derive(Debug, Default)]
pub(crate) struct Posting {
    pub subject: Vec<u8>,
    first: u64,
    before_last: u64,
    last: u64,
    count: u64,
    gaps: Vec<u8>,
}

impl Posting {
    fn begin(&mut self, subject: &[u8]) {
        self.subject.clear();
        self.subject.extend_from_slice(subject);
        self.gaps.clear();
        self.count = 0;
    }

    fn push(&mut self, seq: u64) {
        match self.count {
            0 => self.first = seq,
            1 => {}
            _ => put_varint(&mut self.gaps, self.last - self.before_last),
        }
        (self.before_last, self.last) = (self.last, seq);
        self.count += 1;
    }

    /// Writes it at the end of a table, behind the subject `before`, which is this one from now on.
    pub(crate) fn write(&self, out: &mut Vec<u8>, before: &mut Vec<u8>, base: u64) {
        let shared = self.subject.iter().zip(&*before).take_while(|(a, b)| a == b).count();
        put_varint(out, shared as u64);
        put_bytes(out, &self.subject[shared..]);
        put_varint(out, self.count - 1);
        put_varint(out, self.first - base - 1);
        let span = self.last - self.first;
        if self.count > 1 {
            put_varint(out, span);
        }
        if self.count > 2 && span >= self.count {
            put_bytes(out, &self.gaps);
        }
        before.truncate(shared);
        before.extend_from_slice(&self.subject[shared..]);
    }
}

/// Messages as they come.
#[derive(Debug, Default)]
pub(crate) struct Piece {
    subjects: Vec<u8>,
    /// Where each subject is, and the sequence.
    messages: Vec<(Range<usize>, u64)>,
}

impl Piece {
    /// Adds a message, behind all others.
    pub(crate) fn push(&mut self, subject: &[u8], seq: u64) {
        let start = self.subjects.len();
        self.subjects.extend_from_slice(subject);
        self.messages.push((start..self.subjects.len(), seq));
    }

    /// The same as a table.
    pub(crate) fn into_table(mut self, base: u64) -> Vec<u8> {
        let (mut out, mut before, mut posting) = (Vec::new(), Vec::new(), Posting::default());
        let subjects = &self.subjects;
        // In the order of sequences where subjects are the same: sorting is stable.
        self.messages.sort_by(|(a, _), (b, _)| subjects[a.clone()].cmp(&subjects[b.clone()]));
        for of_subject in self.messages.chunk_by(|(a, _), (b, _)| subjects[a.clone()] == subjects[b.clone()]) {
            posting.begin(&subjects[of_subject[0].0.clone()]);
            for (_, seq) in of_subject {
                posting.push(*seq);
            }
            posting.write(&mut out, &mut before, base);
        }
        out
    }
}

/// One of the tables that are merged, at its next subject.
#[derive(Debug)]
struct Run {
    entries: Entries<Vec<u8>>,
    nth: usize,
}

impl Run {
    fn key(&self) -> (&[u8], usize) {
        (self.entries.subject(), self.nth)
    }
}

/// What comes first is greatest, as a heap has it; of one subject, what comes from an earlier table.
impl Ord for Run {
    fn cmp(&self, other: &Self) -> Ordering {
        other.key().cmp(&self.key())
    }
}

impl PartialOrd for Run {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Run {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Run {}

/// Makes one table of many, whose sequences follow each other.
#[derive(Debug, Default)]
pub(crate) struct Merge {
    runs: BinaryHeap<Run>,
    posting: Posting,
}

impl Merge {
    /// Of tables in the order of their sequences.
    pub(crate) fn new(tables: Vec<Vec<u8>>, base: u64) -> Self {
        let runs = tables.into_iter().enumerate().filter_map(|(nth, table)| {
            let mut entries = Entries::new(table, base);
            entries.advance().then_some(Run { entries, nth })
        });
        Self { runs: runs.collect(), posting: Posting::default() }
    }

    /// The next subject with all that it has.
    pub(crate) fn next(&mut self) -> Option<&Posting> {
        self.posting.begin(self.runs.peek()?.entries.subject());
        while let Some(mut run) = self.runs.peek_mut().filter(|run| run.entries.subject() == self.posting.subject) {
            for seq in run.entries.seqs() {
                self.posting.push(seq);
            }
            if !run.entries.advance() {
                PeekMut::pop(run);
            }
        }
        Some(&self.posting)
    }
}
