//! A segment: one file of the log. What its header says, how its file is named, and where in it a sequence is.
//!
//! Invariant: memory is taken by the log's length, never by its messages.

use std::cell::{Cell, RefCell};
use std::ops::RangeInclusive;
use std::sync::{Arc, OnceLock};

use crate::codec::{Reader, checksum};
use crate::disk::File;
use crate::frame::{Header, Site};

/// The first bytes of a segment.
pub(crate) const MAGIC: [u8; 8] = *b"MartLog\x01";
/// Bytes of a segment's header.
pub(crate) const HEADER: u32 = 64;
/// No segment has this number: it has twelve digits at most.
const MOST: u64 = 1_000_000_000_000;
/// One point for so many bytes of log.
pub(crate) const POINT_EVERY: u32 = 2048;

/// What a segment's header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SegmentHeader {
    /// The log's own number.
    pub salt: u32,
    /// The checksum of the frame header before the first one here.
    pub previous: u32,
    /// The segment's number, from 1.
    pub number: u64,
    /// The number of the first entry here.
    pub first_index: u64,
    /// The last sequence in use before.
    pub last_seq: u64,
    /// Where it was compacted: what is written no more, but follows from what was here.
    pub compacted: Option<Compacted>,
}

/// What a compacted segment stood for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Compacted {
    /// The number of the last entry.
    pub last_index: u64,
    /// The last sequence.
    pub last_seq: u64,
    /// The checksum of the last entry's header.
    pub chain: u32,
}

impl SegmentHeader {
    /// Its bytes.
    pub(crate) fn encode(&self) -> [u8; HEADER as usize] {
        let mut out = [0; HEADER as usize];
        out[..8].copy_from_slice(&MAGIC);
        out[8..12].copy_from_slice(&self.salt.to_le_bytes());
        out[12..16].copy_from_slice(&self.previous.to_le_bytes());
        out[16..24].copy_from_slice(&self.number.to_le_bytes());
        out[24..32].copy_from_slice(&self.first_index.to_le_bytes());
        out[32..40].copy_from_slice(&self.last_seq.to_le_bytes());
        if let Some(compacted) = self.compacted {
            out[40..48].copy_from_slice(&compacted.last_index.to_le_bytes());
            out[48..56].copy_from_slice(&compacted.last_seq.to_le_bytes());
            out[56..60].copy_from_slice(&compacted.chain.to_le_bytes());
        }
        let sum = checksum(0, &out[..60]);
        out[60..].copy_from_slice(&sum.to_le_bytes());
        out
    }

    /// Reads it.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, &'static str> {
        let bytes = bytes.get(..HEADER as usize).ok_or("ends within its header")?;
        if bytes.iter().all(|&byte| byte == 0) {
            return Err("has no header");
        }
        if checksum(0, &bytes[..60]) != Reader(&bytes[60..]).u32().unwrap_or_default() {
            return Err("has a damaged header");
        }
        if bytes[..8] != MAGIC {
            return Err("is of a version that this server does not know");
        }
        Self::parse(&bytes[8..]).ok_or("has a damaged header")
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader(bytes);
        let (salt, previous) = (reader.u32()?, reader.u32()?);
        let (number, first_index, last_seq) = (reader.u64()?, reader.u64()?, reader.u64()?);
        let compacted = Compacted { last_index: reader.u64()?, last_seq: reader.u64()?, chain: reader.u32()? };
        // One more than any number is a number, too; and a compacted one stands for what was in it, not for what was before.
        let is_right = |numbers: &Compacted| {
            (first_index - 1..u64::MAX).contains(&numbers.last_index)
                && (last_seq..u64::MAX).contains(&numbers.last_seq)
        };
        let has_ends =
            number > 0 && number < u64::MAX && first_index > 0 && first_index < u64::MAX && last_seq < u64::MAX;
        let compacted = (compacted.last_index > 0).then_some(compacted);
        let is_sound = has_ends && compacted.as_ref().is_none_or(is_right);
        is_sound.then_some(Self { salt, previous, number, first_index, last_seq, compacted })
    }
}

/// The name of a segment's file.
pub(crate) fn name_of(number: u64) -> String {
    format!("{number:012}.log")
}

/// The number of the segment that a file of this name would be.
pub(crate) fn number_of(name: &str) -> Option<u64> {
    let number: u64 = name.strip_suffix(".log")?.parse().ok()?;
    (number > 0 && number < MOST && name == name_of(number)).then_some(number)
}

/// Whether a file of this name is one of the log's.
pub(crate) fn is_segment(name: &str) -> bool {
    number_of(name).is_some()
}

/// A place to begin reading at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Point {
    /// Sequences from here on are at `at` or behind it.
    pub seq: u64,
    /// Where a record begins.
    pub at: u32,
    /// Where its frame begins.
    pub frame: u32,
}

/// Some places, by sequence: enough that what is sought is never much more than [`POINT_EVERY`] bytes behind one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Points(Vec<Point>);

impl Points {
    /// A message begins here; remembered if it is far enough from the last.
    #[inline]
    pub(crate) fn offer(&mut self, point: Point) {
        if self.0.last().is_none_or(|last| point.at >= last.at.saturating_add(POINT_EVERY)) {
            self.0.push(point);
        }
    }

    /// The last place at or before `seq`.
    pub(crate) fn before(&self, seq: u64) -> Option<Point> {
        let after = self.0.partition_point(|point| point.seq <= seq);
        after.checked_sub(1).map(|i| self.0[i])
    }

    /// The first place.
    pub(crate) fn first(&self) -> Option<Point> {
        self.0.first().copied()
    }

    /// Gives back memory that is not used.
    pub(crate) fn shrink(&mut self) {
        self.0.shrink_to_fit();
    }

    pub(crate) fn as_slice(&self) -> &[Point] {
        &self.0
    }
}

/// What is known of what is in a segment.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// The least and the greatest time at which a message was taken in; nothing if there is none.
    pub times: Option<(u64, u64)>,
    /// How many messages are here, gone or not.
    pub messages: u64,
    /// Bytes of entries of which nothing is compressed.
    pub loose: u64,
    /// Bytes of entries that are not encrypted.
    pub clear: u64,
    /// Whether records are in blocks: bytes of one cannot be overwritten.
    pub has_blocks: bool,
    /// Where sequences are.
    pub points: Points,
    /// Bytes of which nothing can be made, from the first number to the second.
    pub holes: Vec<(u32, u32)>,
}

impl Seen {
    /// An entry is here.
    pub(crate) fn entry(&mut self, header: &Header) {
        self.loose += if header.is_compressed { 0 } else { header.frame_len() as u64 };
        self.clear += if header.is_sealed { 0 } else { header.frame_len() as u64 };
        self.has_blocks |= header.is_compressed || header.is_sealed;
    }

    /// A message is here.
    #[inline]
    pub(crate) fn message(&mut self, seq: u64, time: u64, at: u32, frame: u32) {
        self.times = Some(match self.times {
            Some((first, last)) => (first.min(time), last.max(time)),
            None => (time, time),
        });
        self.messages += 1;
        self.points.offer(Point { seq, at, frame });
    }
}

/// One file of the log, as it is known.
#[derive(Debug)]
pub(crate) struct Segment {
    /// What its header says.
    pub header: SegmentHeader,
    /// The last entry that begins here; one less than the first if there is none.
    pub last_index: u64,
    /// The last sequence in use at its end.
    pub last_seq: u64,
    /// The checksum of its last frame's header.
    pub chain: u32,
    /// Bytes written.
    pub end: u32,
    /// Bytes set aside.
    pub allocated: u64,
    /// Whether nothing is added any more.
    pub is_sealed: bool,
    /// Whether it is to be written anew, however much of it is needed.
    pub is_unwanted: bool,
    /// Bytes of its summary; 0 if it has none that counts.
    pub summary: Cell<u32>,
    /// What passes over it have seen of it.
    pub seen: RefCell<Seen>,
    /// The open file.
    pub file: OnceLock<Arc<dyn File>>,
}

impl Segment {
    /// One that has nothing yet.
    pub(crate) fn new(header: SegmentHeader) -> Self {
        Self {
            header,
            last_index: header.first_index - 1,
            last_seq: header.last_seq,
            chain: header.previous,
            end: HEADER,
            allocated: 0,
            is_sealed: false,
            is_unwanted: false,
            summary: Cell::default(),
            seen: RefCell::default(),
            file: OnceLock::new(),
        }
    }

    /// Where the next entry will stand, if it is not the last one here.
    pub(crate) fn site_of_next(&self) -> Site {
        Site { segment: self.header.number, at: self.end }
    }

    /// The name of its file.
    pub(crate) fn name(&self) -> String {
        name_of(self.header.number)
    }

    /// Whether a sequence of these belongs here.
    pub(crate) fn has_any(&self, seqs: &RangeInclusive<u64>) -> bool {
        self.after_seq() < *seqs.end() && *seqs.start() <= self.last_seq
    }

    /// Sequences that belong here: after this one, up to [`Self::last_seq`].
    pub(crate) fn after_seq(&self) -> u64 {
        self.header.last_seq
    }
}
