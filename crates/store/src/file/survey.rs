//! What a segment holds, told in order, damage included: the pass that opening makes, and reading when it stumbles.

use std::io;
use std::ops::RangeInclusive;

use super::log::Log;
use super::segment::{HEADER, Segment, SegmentHeader};
use super::walk::{Expected, Item, Piece, Source, for_each_record, header_may_be_torn, may_be_torn, next_piece};
use crate::disk::{File, is_passing};
use crate::frame::{Fact, Header};
use crate::store::Unreadable;

/// What a survey comes upon.
#[derive(Debug)]
pub(crate) enum Event<'a> {
    /// An entry begins; whether it is incomplete in a way that a write cut off explains.
    Entry { header: Header, at: usize, might_be_torn: bool },
    /// A record of the entry, and where it begins, or the block does that it is in.
    Fact(Fact<'a>, usize),
    /// Bytes of which nothing can be made.
    Hole { from: usize, to: usize, why: &'static str, might_be_torn: bool },
}

/// Tells of everything in a segment's bytes, for as long as `f` says so; gives the end of what is there.
pub(crate) fn survey(bytes: &[u8], expected: &mut Expected, f: &mut dyn FnMut(Event<'_>) -> bool) -> usize {
    let mut at = HEADER as usize;
    while let Some(piece) = next_piece(bytes, at, expected) {
        match piece {
            Piece::Gap { at: from, to, why } => {
                let might_be_torn = may_be_torn(bytes, from, to) || header_may_be_torn(bytes, from);
                if !f(Event::Hole { from, to, why, might_be_torn }) {
                    return at;
                }
                expected.pass_over(to - from);
                at = to;
            }
            Piece::Frame { header, is_whole, .. } => {
                let end = at + header.frame_len();
                let might_be_torn = !is_whole && may_be_torn(bytes, at, end);
                // Whoever does not want a torn one says so before it hears what is in it.
                if !f(Event::Entry { header, at, might_be_torn }) {
                    return at;
                }
                let source = Source { salt: expected.salt, from: 0, unpacker: expected.unpacker.clone() };
                for_each_record(bytes, (at, &header), &source, is_whole, |item| {
                    f(match item {
                        Item::Fact(fact, at) => Event::Fact(fact, at),
                        Item::Hole(from, to) => Event::Hole { from, to, why: "is damaged", might_be_torn: false },
                    });
                });
                expected.pass(header.index);
                at = end.min(bytes.len());
            }
        }
    }
    at
}

/// The sequences between the last one seen and the next one, of which something was lost.
#[derive(Debug, Default)]
pub(crate) struct Lost {
    /// The last sequence seen.
    pub last_seq: u64,
    /// Where the first bytes that nothing can be made of are since then, and why.
    pub hole: Option<(String, usize, &'static str)>,
}

impl Lost {
    /// Bytes are lost.
    pub(crate) fn hole(&mut self, file: &str, at: usize, why: &'static str) {
        self.hole.get_or_insert_with(|| (file.to_owned(), at, why));
    }

    /// The next message, or the end of those whose sequences are known, is at `seq`: what is lost lies before it.
    pub(crate) fn before(&mut self, seq: u64) -> Option<(RangeInclusive<u64>, String)> {
        let lost = self.hole.take().map(|(file, at, why)| (self.last_seq + 1..=seq - 1, describe(&file, at, why)));
        self.last_seq = self.last_seq.max(seq - 1);
        lost
    }
}

/// Words for damage.
pub(crate) fn describe(file: &str, at: usize, why: &str) -> String {
    format!("{file} {why} at byte {at}")
}

/// A reader has come upon damage in a segment: finds out all that is wrong with it, so that the next one passes over it.
/// Gives what is wrong where no sequence is lost. If its file cannot be opened, or not be read now, nothing is found out.
pub(crate) fn examine(log: &Log, segment: &Segment, found: &mut Vec<Unreadable>) -> io::Result<Vec<String>> {
    let name = segment.name();
    let (bytes, error) = read_what_there_is(&**log.file(segment)?, segment.end as usize)?;
    let bytes = &bytes[..];
    let mut expected = Expected {
        salt: log.salt,
        index: segment.header.first_index,
        compacted: Some(segment.last_index),
        missing: 0,
        unpacker: log.packer.unpacker(segment.header.number),
    };
    let (mut holes, mut lost) = (Vec::new(), Lost { last_seq: segment.after_seq(), hole: None });
    let mut harmless = Vec::new();
    if let Err(why) = check_header(bytes, segment) {
        harmless.push(describe(&name, 0, why));
    }
    let mut note = |lost: Option<(RangeInclusive<u64>, String)>| match lost {
        Some((seqs, why)) if seqs.is_empty() => harmless.push(why),
        Some((seqs, why)) => {
            let messages = seqs.end() - seqs.start() + 1;
            let why = error.as_ref().map_or_else(|| why.clone(), |error| format!("{why}: {error}"));
            found.push(Unreadable { seqs, messages, why });
        }
        None => {}
    };
    let end = survey(bytes, &mut expected, &mut |event| {
        match event {
            Event::Hole { from, to, why, .. } => {
                holes.push((offset(from), offset(to)));
                lost.hole(&name, from, why);
            }
            Event::Fact(Fact::Message(message), _) => {
                note(lost.before(message.seq));
                lost.last_seq = message.seq;
            }
            // As when it was opened: these say where sequences go on.
            Event::Fact(Fact::Skip { through: seq } | Fact::Erased { seq }, _) if seq > lost.last_seq => {
                note(lost.before(seq + 1));
            }
            Event::Entry { header, .. } if lost.hole.is_some() => {
                note(lost.before(header.base_seq.max(lost.last_seq + 1)));
            }
            Event::Fact(..) | Event::Entry { .. } => {}
        }
        true
    });
    if end < segment.end as usize {
        holes.push((offset(end), segment.end));
        lost.hole(&name, end, "ends too early");
    }
    note(lost.before(segment.last_seq + 1));
    segment.seen.borrow_mut().holes = holes;
    Ok(harmless)
}

/// The first bytes of a file. A page that the disk does not give is filled with what is neither an entry nor left by a write that was cut
/// off; and what the disk has said of the last such page. An error if the reason may soon be over.
pub(crate) fn read_what_there_is(file: &dyn File, len: usize) -> io::Result<(Vec<u8>, Option<io::Error>)> {
    const PAGE: usize = 4096;
    const FILLED: u8 = 0x5a;
    let (mut bytes, mut failed) = (vec![0; len], None);
    match file.read_at(&mut bytes, 0) {
        Ok(read) => bytes.truncate(read),
        Err(error) if is_passing(&error) => return Err(error),
        Err(_) => {
            for (page, at) in bytes.chunks_mut(PAGE).zip((0..).step_by(PAGE)) {
                if let Err(error) = file.read_at(page, at) {
                    if is_passing(&error) {
                        return Err(error);
                    }
                    page.fill(FILLED);
                    failed = Some(error);
                }
            }
        }
    }
    Ok((bytes, failed))
}

/// Whether a segment's file begins as it did when it was opened.
pub(crate) fn check_header(bytes: &[u8], segment: &Segment) -> Result<(), &'static str> {
    let header = SegmentHeader::decode(bytes)?;
    if header == segment.header { Ok(()) } else { Err("is another file") }
}

/// A place in a segment.
pub(crate) fn offset(at: usize) -> u32 {
    u32::try_from(at).expect("segments are below 4 GiB")
}
