//! A pass over a segment's bytes when it is not known what they are: what is whole, what is damaged, and where the next
//! whole thing begins.
//!
//! Invariant: whatever the bytes are, a pass ends, and takes time by their number.

use memchr::memchr;

use super::survey::offset;
use crate::frame::{
    Fact, Header, HeaderFault, MARKER, MAX_HEADER, MIN_FRAME, Origin, RecordFault, Unpacker, add_to_body_sum,
    read_bare, read_header, read_record, read_trusted,
};

/// What a disk writes whole or not at all.
const SECTOR: usize = 512;
/// The most bytes to checksum in search of the next record in one frame.
const SEARCH_BUDGET: usize = 64 << 20;

/// What a pass comes upon.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Piece {
    /// A frame, here, whose header is right.
    Frame {
        header: Header,
        /// Whether its records are, too.
        is_whole: bool,
    },
    /// Bytes that are no frame, from `at` to `to`.
    Gap { at: usize, to: usize, why: &'static str },
}

/// What to expect at a place.
#[derive(Debug, Clone)]
pub(crate) struct Expected {
    /// The log's own number.
    pub salt: u32,
    /// The next entry's number.
    pub index: u64,
    /// Where entries may be left out, because the segment was or may have been compacted: the last one's number.
    pub compacted: Option<u64>,
    /// How many more may be missing before the next one, because nothing can be made of what is there.
    pub missing: u64,
    /// What blocks are unpacked with.
    pub unpacker: Unpacker,
}

impl Expected {
    /// Whether the next entry can have this number, where bytes were left out that have room for some more.
    fn allows(&self, index: u64, room: u64) -> bool {
        let most = self.compacted.unwrap_or_else(|| self.index.saturating_add(self.missing).saturating_add(room));
        (self.index..=most).contains(&index)
    }

    /// Bytes were left out: no more entries can be missing than have room in them.
    pub(crate) fn pass_over(&mut self, bytes: usize) {
        self.missing = self.missing.saturating_add(room_in(bytes));
    }

    /// An entry is there.
    pub(crate) fn pass(&mut self, index: u64) {
        (self.index, self.missing) = (index + 1, 0);
    }
}

/// How many entries have room.
fn room_in(bytes: usize) -> u64 {
    bytes.div_ceil(MIN_FRAME) as u64
}

/// What is at `at`; `None` if there is nothing any more.
pub(crate) fn next_piece(bytes: &[u8], at: usize, expected: &Expected) -> Option<Piece> {
    let rest = bytes.get(at..)?;
    if rest.first().is_none_or(|byte| *byte == 0) && is_zero(rest) {
        return None;
    }
    let why = match read_header(rest, expected.salt) {
        Ok(header) if header.index < expected.index => "has an entry a second time",
        Ok(header) if !expected.allows(header.index, 0) => "has an entry that belongs elsewhere",
        Ok(header) => return Some(Piece::Frame { header, is_whole: is_whole(rest, &header, expected.salt) }),
        Err(HeaderFault::Unknown) => "needs a newer server",
        Err(HeaderFault::Checksum | HeaderFault::Malformed) => "is damaged",
    };
    let to = resync(bytes, at, expected).unwrap_or_else(|| bytes.len() - trailing_zeros(rest));
    Some(Piece::Gap { at, to, why })
}

/// The next place behind `at` where a frame begins.
fn resync(bytes: &[u8], at: usize, expected: &Expected) -> Option<usize> {
    let mut from = at + 1;
    loop {
        from += memchr(MARKER, bytes.get(from..)?)?;
        if let Ok(header) = read_header(&bytes[from..], expected.salt)
            && expected.allows(header.index, room_in(from - at))
        {
            return Some(from);
        }
        from += 1;
    }
}

/// Whether all records of the frame at the front of `bytes` are there and right.
fn is_whole(bytes: &[u8], header: &Header, salt: u32) -> bool {
    let Some(body) = bytes.get(header.len..header.frame_len()) else { return false };
    let origin = header.origin(salt);
    let (mut rest, mut sum, mut is_erased) = (body, salt, false);
    while !rest.is_empty() {
        let Ok((fact, record_sum, len)) = read_record(rest, &origin) else { return false };
        is_erased |= matches!(fact, Fact::Erased { .. });
        sum = add_to_body_sum(sum, record_sum);
        rest = &rest[len..];
    }
    // What was overwritten has another checksum than the header knows.
    sum == header.body_sum || is_erased
}

/// Whether a write that was cut off explains the bytes from `at` to `to`: a sector kept the zeros it had before, or the
/// file ends there.
pub(crate) fn may_be_torn(bytes: &[u8], at: usize, to: usize) -> bool {
    if to > bytes.len() {
        return true;
    }
    let mut from = at;
    while from < to {
        let end = (from / SECTOR + 1) * SECTOR;
        if is_zero(&bytes[from..end.min(to)]) {
            return true;
        }
        from = end;
    }
    false
}

/// Whether a write that was cut off explains that there is no header at `at`: the sector that the rest of it would be in
/// kept its zeros.
pub(crate) fn header_may_be_torn(bytes: &[u8], at: usize) -> bool {
    let next = (at / SECTOR + 1) * SECTOR;
    next < at + MAX_HEADER && bytes.get(next..).is_none_or(|rest| is_zero(&rest[..rest.len().min(SECTOR)]))
}

/// What is in a frame, record by record.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Item<'a> {
    /// A record, and where it begins, or the block does that it is in.
    Fact(Fact<'a>, usize),
    /// Bytes that are no record, from the first number to the second.
    Hole(usize, usize),
}

/// Where bytes come from.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    /// The log's own number.
    pub salt: u32,
    /// The place in the segment that they begin at.
    pub from: u32,
    /// What blocks are unpacked with.
    pub unpacker: Unpacker,
}

/// Tells of all records of the frame at `at`, and of what is between them.
pub(crate) fn for_each_record(
    bytes: &[u8],
    (at, header): (usize, &Header),
    source: &Source,
    is_whole: bool,
    mut f: impl FnMut(Item<'_>),
) {
    let origin = header.origin(source.salt);
    let end = (at + header.frame_len()).min(bytes.len());
    let mut from = (at + header.len).min(end);
    let (mut budget, mut unpacked) = (SEARCH_BUDGET, Vec::new());
    while from < end {
        let rest = &bytes[from..end];
        let fact = if is_whole {
            read_trusted(rest, &origin).ok_or(RecordFault::Length)
        } else {
            read_record(rest, &origin).map(|(fact, _, len)| (fact, len))
        };
        match fact {
            Ok((Fact::Block(block), len)) => {
                let place = source.from + offset(from);
                let is_open = source.unpacker.unpack(&block, &origin, place, &mut unpacked).is_some();
                if !is_open || !for_each_in_block(&unpacked, &origin, |fact| f(Item::Fact(fact, from))) {
                    f(Item::Hole(from, from + len));
                }
                from += len;
            }
            Ok((fact, len)) => {
                f(Item::Fact(fact, from));
                from += len;
            }
            Err(fault) => {
                let skipped = skip_to_record(rest, header, source.salt, fault, &mut budget);
                f(Item::Hole(from, from + skipped));
                from += skipped;
            }
        }
    }
    if at + header.frame_len() > bytes.len() {
        f(Item::Hole(end, at + header.frame_len()));
    }
}

/// Tells of all records that a block had; whether that was all of it.
fn for_each_in_block(mut records: &[u8], origin: &Origin, mut f: impl FnMut(Fact<'_>)) -> bool {
    while let Some((fact, len)) = read_bare(records, origin) {
        f(fact);
        records = &records[len..];
    }
    records.is_empty()
}

/// How many bytes to leave out, so that a record begins behind them or nothing does.
fn skip_to_record(bytes: &[u8], header: &Header, salt: u32, fault: RecordFault, budget: &mut usize) -> usize {
    let origin = header.origin(salt);
    if let RecordFault::Checksum(len) = fault
        && (len == bytes.len() || read_record(&bytes[len..], &origin).is_ok())
    {
        return len;
    }
    for from in 1..bytes.len() {
        let rest = &bytes[from..];
        // Cheap first: almost nothing that is not a record looks like one.
        let Some((fact, len)) = read_trusted(rest, &origin) else { continue };
        if matches!(fact, Fact::Message(message) if message.seq < header.base_seq) {
            continue;
        }
        *budget = budget.saturating_sub(len);
        if *budget == 0 {
            break;
        }
        if read_record(rest, &origin).is_ok() {
            return from;
        }
    }
    bytes.len()
}

fn is_zero(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte == 0)
}

fn trailing_zeros(bytes: &[u8]) -> usize {
    bytes.iter().rev().take_while(|byte| **byte == 0).count()
}
