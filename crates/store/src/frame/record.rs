//! One record of an entry: its checksum, its length, what it is, and then what it says.

use std::ops::RangeInclusive;

use martlet_events::WallTime;

use crate::codec::{Reader, checksum, put_bytes, put_signed, put_varint};
use crate::record::{Message, Purge, Record};

/// The fewest bytes a record takes: checksum, length, what it is.
pub(crate) const MIN_RECORD: usize = 6;

const KIND: u8 = 0x0f;
const MESSAGE: u8 = 0;
const SKIP: u8 = 1;
const REMOVE: u8 = 2;
const PURGE: u8 = 3;
const EXPIRE: u8 = 4;
const NOTE: u8 = 5;
/// What was a message, overwritten.
const ERASED: u8 = 6;
/// Several of the others, packed.
const BLOCK: u8 = 7;
/// A message has headers; a removal overwrites; a purge has a filter; an expiry has an age; a block is compressed.
const FIRST_OPTION: u8 = 0x10;
/// A message has a time of its own; a block is encrypted.
const SECOND_OPTION: u8 = 0x20;

/// What the records of one entry count from, and begin their checksums with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Origin {
    salt: u32,
    index: u64,
    seq: u64,
    time: u64,
    seed: u32,
}

impl Origin {
    /// The log's own number, and what the entry's header says.
    pub(crate) fn new(salt: u32, index: u64, seq: u64, time: u64) -> Self {
        // All of where the entry stands goes into the checksums of its records: one of another entry does not fit.
        let origin = Self { salt, index, seq, time, seed: 0 };
        Self { seed: checksum(salt, &origin.to_bytes()), ..origin }
    }

    fn to_bytes(self) -> [u8; 24] {
        let mut place = [0; 24];
        place[..8].copy_from_slice(&self.index.to_le_bytes());
        place[8..16].copy_from_slice(&self.seq.to_le_bytes());
        place[16..].copy_from_slice(&self.time.to_le_bytes());
        place
    }

    /// What a block that is encrypted is bound to: where it stands, from the log down to the byte of the segment.
    pub(super) fn bind(&self, site: &Site) -> [u8; 40] {
        let mut place = [0; 40];
        place[..4].copy_from_slice(&self.salt.to_le_bytes());
        place[4..8].copy_from_slice(&site.at.to_le_bytes());
        place[8..16].copy_from_slice(&site.segment.to_le_bytes());
        place[16..].copy_from_slice(&self.to_bytes());
        place
    }
}

/// Where in a log's files something stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Site {
    /// The segment's number.
    pub segment: u64,
    /// The place in it.
    pub at: u32,
}

/// A record as it is read: what is many is read piece by piece.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fact<'a> {
    Message(Message<'a>),
    Skip {
        through: u64,
    },
    Remove {
        ranges: Ranges<'a>,
        erase: bool,
    },
    Purge(Purge<'a>),
    Expire {
        now: WallTime,
        before: Option<WallTime>,
    },
    Note {
        kind: u8,
        bytes: &'a [u8],
    },
    /// What was a message, and was overwritten.
    Erased {
        seq: u64,
    },
    /// Records within this one. There are none within those.
    Block(Block<'a>),
}

/// Records of an entry, one behind the other without their checksums, packed into one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Block<'a> {
    /// Whether they are compressed.
    pub is_compressed: bool,
    /// Whether they are encrypted, after that.
    pub is_sealed: bool,
    /// What is kept of them.
    pub bytes: &'a [u8],
}

/// Why there is no record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RecordFault {
    /// Its length cannot be true, so that it is not known where the next one is.
    Length,
    /// Its checksum is wrong; if its length is right, the next one is this many bytes on.
    Checksum(usize),
}

/// Ranges of sequences, growing, as they are written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ranges<'a> {
    reader: Reader<'a>,
    last: u64,
}

impl Ranges<'_> {
    /// One after the other.
    pub(crate) fn iter(self) -> impl Iterator<Item = RangeInclusive<u64>> {
        let Self { mut reader, mut last } = self;
        std::iter::from_fn(move || {
            let start = last.wrapping_add(reader.signed()?.cast_unsigned());
            last = start.checked_add(reader.varint()?)?;
            Some(start..=last)
        })
    }
}

/// More than the bytes a record takes.
pub(crate) fn bound(record: &Record<'_>) -> u64 {
    const NUMBERS: u64 = 64;
    NUMBERS
        + match record {
            Record::Message(m) => (m.subject.len() + m.headers.len() + m.payload.len()) as u64,
            Record::Remove { ranges, .. } => 20 * ranges.len() as u64,
            Record::Purge(purge) => purge.filter.map_or(0, <[u8]>::len) as u64,
            Record::Note { bytes, .. } => bytes.len() as u64,
            Record::Skip { .. } | Record::Expire { .. } => 0,
        }
}

/// Writes a record at the end of `out`; gives its checksum.
pub(crate) fn write_record(out: &mut Vec<u8>, origin: &Origin, record: &Record<'_>) -> u32 {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    // A message's length is known before it is written; the others are rare and may be moved.
    if let Record::Message(message) = record {
        write_message(out, origin, message);
    } else {
        let mut content = Vec::new();
        write_fact(&mut content, origin, record);
        put_bytes(out, &content);
    }
    finish(out, start, origin)
}

/// Writes a block at the end of `out`; gives its checksum.
pub(crate) fn write_block(out: &mut Vec<u8>, origin: &Origin, block: &Block<'_>) -> u32 {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    put_varint(out, 1 + block.bytes.len() as u64);
    let compressed = if block.is_compressed { FIRST_OPTION } else { 0 };
    out.push(BLOCK | compressed | if block.is_sealed { SECOND_OPTION } else { 0 });
    out.extend_from_slice(block.bytes);
    finish(out, start, origin)
}

/// Fills in the checksum of the record from `start` on.
fn finish(out: &mut [u8], start: usize, origin: &Origin) -> u32 {
    let sum = checksum(origin.seed, &out[start + 4..]);
    out[start..start + 4].copy_from_slice(&sum.to_le_bytes());
    sum
}

fn write_message(out: &mut Vec<u8>, origin: &Origin, message: &Message<'_>) {
    let &Message { seq, time, subject, headers, payload, expires } = message;
    let mut numbers = NumberBuffer { bytes: [0; 50], len: 0 };
    numbers.varint(seq.wrapping_sub(origin.seq));
    numbers.signed(time.as_nanos().wrapping_sub(origin.time).cast_signed());
    let mut kind = MESSAGE;
    if let Some(expires) = expires {
        kind |= SECOND_OPTION;
        numbers.signed(expires.as_nanos().wrapping_sub(time.as_nanos()).cast_signed());
    }
    numbers.varint(subject.len() as u64);
    if !headers.is_empty() {
        kind |= FIRST_OPTION;
        numbers.varint(headers.len() as u64);
    }
    let numbers = numbers.as_bytes();
    put_varint(out, (1 + numbers.len() + subject.len() + headers.len() + payload.len()) as u64);
    out.push(kind);
    out.extend_from_slice(numbers);
    out.extend_from_slice(subject);
    out.extend_from_slice(headers);
    out.extend_from_slice(payload);
}

/// Up to five variable numbers, so that their length is known before they are written.
struct NumberBuffer {
    bytes: [u8; 50],
    len: usize,
}

impl NumberBuffer {
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.bytes[self.len] = (value & 0x7f) as u8 | 0x80;
            self.len += 1;
            value >>= 7;
        }
        self.bytes[self.len] = (value & 0x7f) as u8;
        self.len += 1;
    }

    fn signed(&mut self, value: i64) {
        self.varint(((value << 1) ^ (value >> 63)).cast_unsigned());
    }

    fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

fn write_fact(out: &mut Vec<u8>, origin: &Origin, record: &Record<'_>) {
    match *record {
        Record::Message(_) => unreachable!("messages are written by write_message"),
        Record::Skip { through } => {
            out.push(SKIP);
            put_signed(out, through.wrapping_sub(origin.seq).cast_signed());
        }
        Record::Remove { ranges, erase } => {
            out.push(REMOVE | if erase { FIRST_OPTION } else { 0 });
            let mut last = origin.seq;
            for range in ranges {
                put_signed(out, range.start().wrapping_sub(last).cast_signed());
                put_varint(out, range.end().saturating_sub(*range.start()));
                last = (*range.end()).max(*range.start());
            }
        }
        Record::Purge(Purge { filter, before, keep }) => {
            out.push(PURGE | if filter.is_some() { FIRST_OPTION } else { 0 });
            put_varint(out, before);
            put_varint(out, keep);
            out.extend_from_slice(filter.unwrap_or_default());
        }
        Record::Expire { now, before } => {
            out.push(EXPIRE | if before.is_some() { FIRST_OPTION } else { 0 });
            put_varint(out, now.as_nanos());
            put_varint(out, before.map_or(0, WallTime::as_nanos));
        }
        Record::Note { kind, bytes } => {
            out.extend_from_slice(&[NOTE, kind]);
            out.extend_from_slice(bytes);
        }
    }
}

/// Reads the record at the front of `bytes`; gives its checksum and its length, too.
#[inline]
pub(crate) fn read_record<'a>(bytes: &'a [u8], origin: &Origin) -> Result<(Fact<'a>, u32, usize), RecordFault> {
    let mut reader = Reader(bytes);
    let sum = reader.u32().ok_or(RecordFault::Length)?;
    let content = reader.bytes().ok_or(RecordFault::Length)?;
    let len = bytes.len() - reader.0.len();
    if checksum(origin.seed, &bytes[4..len]) != sum {
        return Err(RecordFault::Checksum(len));
    }
    let fact = read_fact(content, origin).ok_or(RecordFault::Checksum(len))?;
    Ok((fact, sum, len))
}

#[inline]
fn read_fact<'a>(content: &'a [u8], origin: &Origin) -> Option<Fact<'a>> {
    let mut reader = Reader(content);
    let kind = reader.u8()?;
    let (first_option, second_option) = (kind & FIRST_OPTION != 0, kind & SECOND_OPTION != 0);
    Some(match kind & KIND {
        MESSAGE => Fact::Message(read_message(reader, kind, origin)?),
        SKIP => Fact::Skip { through: sequence(origin.seq.wrapping_add(reader.signed()?.cast_unsigned()))? },
        REMOVE => Fact::Remove { ranges: Ranges { reader, last: origin.seq }, erase: first_option },
        PURGE => {
            let (before, keep) = (reader.varint()?, reader.varint()?);
            Fact::Purge(Purge { filter: first_option.then_some(reader.0), before, keep })
        }
        EXPIRE => {
            let (now, before) = (reader.varint()?, reader.varint()?);
            let before = first_option.then_some(WallTime::from_nanos(before));
            Fact::Expire { now: WallTime::from_nanos(now), before }
        }
        NOTE => Fact::Note { kind: reader.u8()?, bytes: reader.0 },
        BLOCK => Fact::Block(Block { is_compressed: first_option, is_sealed: second_option, bytes: reader.0 }),
        ERASED => Fact::Erased { seq: sequence(origin.seq.wrapping_add(reader.varint()?))? },
        _ => return None,
    })
}

/// A sequence that another one can follow.
const fn sequence(seq: u64) -> Option<u64> {
    if seq < u64::MAX { Some(seq) } else { None }
}

#[inline]
fn read_message<'a>(mut reader: Reader<'a>, kind: u8, origin: &Origin) -> Option<Message<'a>> {
    let seq = sequence(origin.seq.wrapping_add(reader.varint()?)).filter(|seq| *seq > 0)?;
    let time = origin.time.wrapping_add(reader.signed()?.cast_unsigned());
    let expires = match kind & SECOND_OPTION {
        0 => None,
        _ => Some(WallTime::from_nanos(time.wrapping_add(reader.signed()?.cast_unsigned()))),
    };
    let subject = reader.count()?;
    let headers = if kind & FIRST_OPTION == 0 { 0 } else { reader.count()? };
    let subject = reader.take(subject)?;
    let headers = reader.take(headers)?;
    Some(Message { seq, time: WallTime::from_nanos(time), subject, headers, payload: reader.0, expires })
}

/// Reads a record that has been checked already, or never was out of memory; gives its length, too.
#[inline]
pub(crate) fn read_trusted<'a>(bytes: &'a [u8], origin: &Origin) -> Option<(Fact<'a>, usize)> {
    let mut reader = Reader(bytes);
    reader.u32()?;
    let content = reader.bytes()?;
    Some((read_fact(content, origin)?, bytes.len() - reader.0.len()))
}

/// Reads a record within a block, where it has no checksum of its own; gives its length, too.
#[inline]
pub(crate) fn read_bare<'a>(bytes: &'a [u8], origin: &Origin) -> Option<(Fact<'a>, usize)> {
    let mut reader = Reader(bytes);
    let content = reader.bytes()?;
    let fact = read_fact(content, origin).filter(|fact| !matches!(fact, Fact::Block(_)))?;
    Some((fact, bytes.len() - reader.0.len()))
}

/// The records in `bytes` without their checksums.
pub(crate) fn strip(bytes: &[u8], bare: &mut Vec<u8>) {
    let mut reader = Reader(bytes);
    while !reader.0.is_empty() {
        let before = &reader.0[4..];
        let len = (reader.u32(), reader.bytes()).1.map_or(0, |_| before.len() - reader.0.len());
        bare.extend_from_slice(&before[..len]);
    }
}

/// Makes the checksums right of what could be records; gives the one of all of them.
pub(super) fn mend(mut bytes: &mut [u8], origin: &Origin) -> u32 {
    let mut body_sum = origin.salt;
    loop {
        let mut reader = Reader(bytes);
        if reader.u32().and_then(|_| reader.bytes()).is_none() {
            return body_sum;
        }
        let len = bytes.len() - reader.0.len();
        let (record, rest) = bytes.split_at_mut(len);
        let sum = finish(record, 0, origin);
        body_sum = super::add_to_body_sum(body_sum, sum);
        bytes = rest;
    }
}

/// Overwrites a message's record: its place and its length stay, nothing else.
pub(crate) fn erase(record: &mut [u8], origin: &Origin) -> Option<()> {
    let mut reader = Reader(record);
    reader.u32()?;
    let content_len = reader.count()?;
    let content = record.len() - reader.0.len();
    let mut within = Reader(reader.take(content_len)?);
    within.u8()?;
    within.varint()?;
    let keep = content + content_len - within.0.len();
    record[content] = ERASED;
    record[keep..content + content_len].fill(0);
    let sum = checksum(origin.seed, &record[4..content + content_len]);
    record[..4].copy_from_slice(&sum.to_le_bytes());
    Some(())
}
