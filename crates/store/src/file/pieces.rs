//! A pass over a segment to which nothing is added any more, a piece at a time, for as long as all is as it was written: whoever has
//! time for it must not keep others waiting for a whole segment.
//!
//! Invariant: one piece is read at a time, of [`PIECE`] bytes or of one entry.

use super::log::Log;
use super::read::Fault;
use super::segment::{self, Segment};
use super::survey::offset;
use super::walk::{Expected, Item, Piece, Source, for_each_record, next_piece};
use crate::disk::File;
use crate::frame::{Fact, read_header};

/// Bytes that make a piece.
const PIECE: u32 = 128 << 10;

/// How far a pass has got.
#[derive(Debug)]
pub(crate) struct Pieces {
    /// Where the next entry begins.
    at: u32,
    /// The least number that it may have.
    index: u64,
    /// What has been read from there on.
    bytes: Vec<u8>,
}

impl Pieces {
    /// From a segment's first entry on.
    pub(crate) fn new() -> Self {
        Self { at: segment::HEADER, index: 1, bytes: Vec::new() }
    }

    /// Whether there are no more entries.
    pub(crate) fn is_over(&self, segment: &Segment) -> bool {
        self.at >= segment.end
    }

    /// Tells of the records of the next entries, of one at least if there is one; a fault if they are not as they were written.
    pub(crate) fn next(&mut self, log: &Log, segment: &Segment, f: &mut dyn FnMut(Fact<'_>)) -> Result<(), Fault> {
        let file = log.file(segment).map_err(Fault::of)?;
        self.fill(&**file, PIECE.min(segment.end - self.at))?;
        if let Ok(first) = read_header(&self.bytes, log.salt)
            && first.frame_len() > self.bytes.len()
        {
            self.fill(&**file, offset(first.frame_len()).min(segment.end - self.at))?;
        }
        let unpacker = log.packer.unpacker(segment.header.number);
        let index = self.index.max(segment.header.first_index);
        let mut expected =
            Expected { salt: log.salt, index, compacted: Some(segment.last_index), missing: 0, unpacker };
        let source = Source { salt: log.salt, from: self.at, unpacker: expected.unpacker.clone() };
        let (mut is_whole, mut from) = (true, 0);
        // What is not all here comes next time.
        while let Ok(header) = read_header(&self.bytes[from..], log.salt)
            && from + header.frame_len() <= self.bytes.len()
        {
            let piece = next_piece(&self.bytes[..from + header.frame_len()], from, &expected);
            is_whole &= matches!(piece, Some(Piece::Frame { is_whole: true, .. }));
            for_each_record(&self.bytes, (from, &header), &source, is_whole, |item| match item {
                Item::Fact(fact, _) => f(fact),
                Item::Hole(..) => is_whole = false,
            });
            expected.pass(header.index);
            from += header.frame_len();
        }
        (self.at, self.index) = (self.at + offset(from), expected.index);
        if is_whole && (from > 0 || self.is_over(segment)) { Ok(()) } else { Err(Fault::Damaged) }
    }

    fn fill(&mut self, file: &dyn File, len: u32) -> Result<(), Fault> {
        self.bytes.resize(len as usize, 0);
        let read = file.read_at(&mut self.bytes, u64::from(self.at)).map_err(Fault::of)?;
        self.bytes.truncate(read);
        Ok(())
    }
}
