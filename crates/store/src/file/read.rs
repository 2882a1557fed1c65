//! Messages by sequence, from the tails or the files, through a few windows: who reads on where it stopped asks the disk
//! once for many messages.
//!
//! Invariant: what is given has been checked, unless it never left memory.

use std::cell::RefCell;
use std::io;
use std::ops::RangeInclusive;

use super::log::Log;
use super::pages::Pages;
use super::segment::Segment;
use crate::codec::Reader;
use crate::disk::is_passing;
use crate::frame::{Fact, MAX_HEADER, Origin, parse_header, read_bare, read_header, read_record, read_trusted};
use crate::record::Message;

/// How many readers may read on in different places without getting in each other's way.
const WINDOWS: usize = 4;
/// What is read for one message.
const SMALL: usize = 4 << 10;
/// What is read for someone who reads on.
const LARGE: usize = 128 << 10;
/// Headers to know.
const ENTERED: usize = 256;

/// There is no message where one should be.
#[derive(Debug)]
pub(crate) enum Fault {
    /// What is there is damaged, or the disk does not give it.
    Damaged,
    /// What is there cannot be read now.
    NotNow(io::Error),
}

impl Fault {
    /// The disk does not give it.
    pub(crate) fn of(error: io::Error) -> Self {
        if is_passing(&error) { Self::NotNow(error) } else { Self::Damaged }
    }
}

/// Where reading is, and what has been read around it.
#[derive(Debug, Default)]
struct Window {
    /// When it was used last, by the count of uses.
    used: u64,
    buffer: Buffer,
    block: OpenBlock,
    /// The next record to read.
    place: Option<Place>,
}

/// What has been read of a segment.
#[derive(Debug, Default)]
struct Buffer {
    segment: u64,
    start: u32,
    bytes: Vec<u8>,
    /// What the next read takes.
    size: usize,
}

/// The records of the block that was read last.
#[derive(Debug, Default)]
struct OpenBlock {
    /// Where it stands; 0 for nowhere.
    at: u32,
    /// Bytes it takes there.
    len: u32,
    records: Vec<u8>,
}

/// Where a record begins.
#[derive(Debug, Clone, Copy)]
struct Place {
    /// Messages before it have lower sequences than this.
    seq: u64,
    at: u32,
    /// If a block is at `at`: how far into its records.
    within: usize,
    /// The end of its frame; where it is the same as `at`, a frame begins there.
    end: u32,
    origin: Origin,
}

/// Where records begin behind the headers that were read last, by the place of the frame: who reads here and there asks the disk once
/// for a message, not for its header, too.
#[derive(Debug, Default)]
struct Entered(Vec<Option<(u64, u32, Place)>>);

/// What has been read of a log.
#[derive(Debug, Default)]
pub(crate) struct Windows(RefCell<Reading>);

#[derive(Debug, Default)]
struct Reading {
    /// How often windows were used.
    uses: u64,
    windows: [Window; WINDOWS],
    known: Known,
}

/// What all windows go by.
#[derive(Debug, Default)]
struct Known {
    entered: Entered,
    pages: Pages,
}

/// What to do after a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    Go,
    Stop,
}

/// A message, and where its record stands.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Found<'a> {
    pub message: Message<'a>,
    /// Where the record begins, or the block does that it is in.
    pub at: u32,
    /// Its bytes, if it does not stand in a block.
    pub record: &'a [u8],
}

impl Windows {
    /// Tells of the messages of a segment from `seq` on, in order, for as long as `f` says so. Passes over what is known to
    /// be damaged.
    pub(crate) fn scan(
        &self,
        log: &Log,
        segment: &Segment,
        seq: u64,
        f: &mut dyn FnMut(Found<'_>) -> Then,
    ) -> Result<(), Fault> {
        let Reading { uses, windows, known } = &mut *self.0.borrow_mut();
        *uses += 1;
        let number = segment.header.number;
        let fits = |window: &Window| {
            window.buffer.segment == number
                && window.place.is_some_and(|place| place.seq <= seq && seq - place.seq < 64)
        };
        let chosen = windows.iter().position(fits).unwrap_or_else(|| {
            let oldest = windows.iter().enumerate().min_by_key(|(_, window)| window.used);
            oldest.expect("there are some").0
        });
        let window = &mut windows[chosen];
        window.used = *uses;
        if window.buffer.segment != number {
            let mut bytes = std::mem::take(&mut window.buffer.bytes);
            bytes.clear();
            let buffer = Buffer { segment: number, bytes, ..Buffer::default() };
            *window = Window { used: *uses, buffer, ..Window::default() };
        }
        let result = window.scan(log, segment, seq, known, f);
        if result.is_err() {
            window.place = None;
        }
        result
    }

    /// Forgets what was read of a segment: it is gone, or has changed.
    pub(crate) fn forget(&self, number: u64) {
        let Reading { windows, known, .. } = &mut *self.0.borrow_mut();
        windows
            .iter_mut()
            .filter(|window| window.buffer.segment == number)
            .for_each(|window| *window = Window::default());
        known.entered.forget(number);
        known.pages.forget(number);
    }

    /// Gives back all memory.
    pub(crate) fn clear(&self) {
        let Reading { windows, known, .. } = &mut *self.0.borrow_mut();
        (*windows, *known) = Default::default();
    }
}

impl Window {
    fn scan(
        &mut self,
        log: &Log,
        segment: &Segment,
        seq: u64,
        known: &mut Known,
        f: &mut dyn FnMut(Found<'_>) -> Then,
    ) -> Result<(), Fault> {
        let Some(mut place) = self.begin(log, segment, seq, known)? else { return Ok(()) };
        loop {
            if let Some(to) = hole_at(segment, place.at) {
                place = Place { at: to, within: 0, end: if to >= place.end { to } else { place.end }, ..place };
                continue;
            }
            if place.at >= segment.end {
                self.place = None;
                return Ok(());
            }
            if place.at == place.end {
                place = self.buffer.enter(log, segment, place, &mut known.pages)?;
                continue;
            }
            let then = self.step(log, segment, &mut place, (seq, &mut known.pages), f)?;
            if then == Then::Stop {
                self.place = Some(place);
                return Ok(());
            }
        }
    }

    /// Reads what is at a place, a record or a block, and goes on behind it, or behind the message at which to stop.
    fn step(
        &mut self,
        log: &Log,
        segment: &Segment,
        place: &mut Place,
        (seq, pages): (u64, &mut Pages),
        f: &mut dyn FnMut(Found<'_>) -> Then,
    ) -> Result<Then, Fault> {
        if self.block.at == place.at {
            return self.block.step(place, seq, f);
        }
        let (record, is_trusted) = self.buffer.record(log, segment, *place, pages)?;
        let fact = read_trusted(record, &place.origin).map(|(fact, _)| fact).ok_or(Fault::Damaged)?;
        let is_sought = match fact {
            Fact::Message(message) => message.seq >= seq,
            Fact::Block(_) => true,
            _ => false,
        };
        // What is passed over need not be right: if it leads astray, what is found there is not.
        if is_sought && !is_trusted && read_record(record, &place.origin).is_err() {
            return Err(Fault::Damaged);
        }
        let (at, len) = (place.at, u32::try_from(record.len()).expect("it is within a segment"));
        match fact {
            Fact::Message(message) if is_sought => {
                (place.at, place.seq) = (at + len, message.seq + 1);
                Ok(f(Found { message, at, record }))
            }
            Fact::Block(block) => {
                self.block.at = 0;
                let unpacker = log.packer.unpacker(segment.header.number);
                unpacker.unpack(&block, &place.origin, at, &mut self.block.records).ok_or(Fault::Damaged)?;
                (self.block.at, self.block.len) = (at, len);
                self.block.step(place, seq, f)
            }
            _ => {
                place.at += len;
                Ok(Then::Go)
            }
        }
    }

    /// Where to begin for `seq`: where reading stopped, or at a point.
    fn begin(&mut self, log: &Log, segment: &Segment, seq: u64, known: &mut Known) -> Result<Option<Place>, Fault> {
        // Whoever reads on has just been there.
        if let Some(place) = self.place.filter(|place| place.seq == seq) {
            self.buffer.size = (self.buffer.size * 2).clamp(SMALL, LARGE);
            return Ok(Some(place));
        }
        let point = {
            let seen = segment.seen.borrow();
            seen.points.before(seq).or_else(|| seen.points.first())
        };
        let Some(point) = point else { return Ok(None) };
        if let Some(place) = self.place.filter(|place| place.seq <= seq && place.at >= point.at) {
            self.buffer.size = (self.buffer.size * 2).clamp(SMALL, LARGE);
            return Ok(Some(place));
        }
        self.buffer.size = SMALL;
        let nowhere = Place { seq: 0, at: 0, within: 0, end: 0, origin: Origin::new(0, 0, 0, 0) };
        if let Some(to) = hole_at(segment, point.frame) {
            // Its frame has been damaged since: the next one is where the damage ends.
            return Ok(Some(Place { at: to, end: to, ..nowhere }));
        }
        let frame = if let Some(frame) = known.entered.get(self.buffer.segment, point.frame) {
            frame
        } else {
            let place = Place { at: point.frame, end: point.frame, ..nowhere };
            let frame = if ((point.at - point.frame) as usize) < SMALL / 2 {
                self.buffer.enter(log, segment, place, &mut known.pages)?
            } else {
                // What is sought is far behind: the header alone is read.
                let mut header = Buffer { segment: self.buffer.segment, size: MAX_HEADER, ..Buffer::default() };
                header.enter(log, segment, place, &mut known.pages)?
            };
            known.entered.put(self.buffer.segment, point.frame, frame);
            frame
        };
        Ok(Some(Place { at: point.at, ..frame }))
    }
}

impl Entered {
    fn place_of(segment: u64, frame: u32) -> usize {
        let mixed = (segment ^ u64::from(frame)).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
        usize::try_from(mixed % ENTERED as u64).expect("it is small")
    }

    fn get(&self, segment: u64, frame: u32) -> Option<Place> {
        let known = self.0.get(Self::place_of(segment, frame)).copied().flatten();
        known.filter(|known| (known.0, known.1) == (segment, frame)).map(|known| known.2)
    }

    fn put(&mut self, segment: u64, frame: u32, place: Place) {
        self.0.resize(ENTERED, None);
        self.0[Self::place_of(segment, frame)] = Some((segment, frame, place));
    }

    fn forget(&mut self, segment: u64) {
        self.0.iter_mut().for_each(|known| *known = known.filter(|known| known.0 != segment));
    }
}

impl OpenBlock {
    /// Tells of the messages from a place on, and goes behind the block, or behind the message at which to stop.
    fn step(&self, place: &mut Place, seq: u64, f: &mut dyn FnMut(Found<'_>) -> Then) -> Result<Then, Fault> {
        while place.within < self.records.len() {
            let (fact, len) = read_bare(&self.records[place.within..], &place.origin).ok_or(Fault::Damaged)?;
            place.within += len;
            if let Fact::Message(message) = fact
                && message.seq >= seq
            {
                place.seq = message.seq + 1;
                if f(Found { message, at: place.at, record: &[] }) == Then::Stop {
                    return Ok(Then::Stop);
                }
            }
        }
        (place.at, place.within) = (place.at + self.len, 0);
        Ok(Then::Go)
    }
}

impl Buffer {
    /// Reads the header at the place; gives the place of the first record behind it.
    fn enter(&mut self, log: &Log, segment: &Segment, place: Place, pages: &mut Pages) -> Result<Place, Fault> {
        let (bytes, is_trusted) = self.bytes(log, segment, (place.at, MAX_HEADER), pages)?;
        let header = if is_trusted { parse_header(bytes) } else { read_header(bytes, log.salt).ok() };
        let header = header.ok_or(Fault::Damaged)?;
        let (len, frame_len) = (u32::try_from(header.len), u32::try_from(header.frame_len()));
        let (at, end) =
            (place.at + len.expect("it is short"), place.at + frame_len.expect("bodies are below MAX_BODY"));
        // Of a frame that was cut off, what is there is read all the same.
        let end = end.min(segment.end);
        Ok(Place { at, within: 0, end, origin: header.origin(log.salt), ..place })
    }

    /// The bytes of the record at a place.
    fn record<'w>(
        &'w mut self,
        log: &'w Log,
        segment: &Segment,
        place: Place,
        pages: &mut Pages,
    ) -> Result<(&'w [u8], bool), Fault> {
        const PREFIX: usize = 14;
        let within = (place.end - place.at) as usize;
        let (bytes, _) = self.bytes(log, segment, (place.at, PREFIX.min(within)), pages)?;
        let bytes = &bytes[..bytes.len().min(within)];
        let mut reader = Reader(bytes.get(4..).ok_or(Fault::Damaged)?);
        let content = reader.varint().ok_or(Fault::Damaged)?;
        let prefix = (bytes.len() - reader.0.len()) as u64;
        let len = content.checked_add(prefix).filter(|len| *len <= within as u64).ok_or(Fault::Damaged)?;
        let len = usize::try_from(len).expect("it is within a segment");
        let (bytes, is_trusted) = self.bytes(log, segment, (place.at, len), pages)?;
        Ok((bytes.get(..len).ok_or(Fault::Damaged)?, is_trusted))
    }

    /// The bytes from `at` on, at least `need` of them unless the segment ends; whether they never left memory.
    #[inline]
    fn bytes<'w>(
        &'w mut self,
        log: &'w Log,
        segment: &Segment,
        (at, need): (u32, usize),
        pages: &mut Pages,
    ) -> Result<(&'w [u8], bool), Fault> {
        if let Some(bytes) = log.tails.bytes(self.segment, at) {
            return Ok((bytes, true));
        }
        let need = need.min((segment.end.saturating_sub(at)) as usize);
        let has = |window: &Self| {
            at >= window.start && (at - window.start) as usize + need <= window.bytes.len() && !window.bytes.is_empty()
        };
        if !has(self) {
            self.fill(log, segment, (at, need), pages)?;
        }
        let from = (at - self.start) as usize;
        Ok((self.bytes.get(from..).unwrap_or_default(), false))
    }

    fn fill(&mut self, log: &Log, segment: &Segment, (at, need): (u32, usize), pages: &mut Pages) -> Result<(), Fault> {
        let wanted = need.max(self.size);
        if wanted <= SMALL || self.read(log, segment, at, wanted).is_err() {
            // Where the disk does not give all that is wanted, it may still give the pages that are needed.
            self.bytes.clear();
            if let Err(error) = pages.read(log, segment, at, need, &mut self.bytes) {
                self.bytes.clear();
                return Err(Fault::of(error));
            }
        }
        self.start = at;
        if self.bytes.len() < need { Err(Fault::Damaged) } else { Ok(()) }
    }

    fn read(&mut self, log: &Log, segment: &Segment, at: u32, len: usize) -> io::Result<()> {
        self.bytes.resize(len.min((segment.end - at.min(segment.end)) as usize), 0);
        let read = log.file(segment)?.read_at(&mut self.bytes, u64::from(at))?;
        self.bytes.truncate(read);
        Ok(())
    }
}

/// The end of the hole that a place is in.
fn hole_at(segment: &Segment, at: u32) -> Option<u32> {
    let seen = segment.seen.borrow();
    seen.holes.iter().find(|(from, to)| (*from..*to).contains(&at)).map(|(_, to)| *to)
}

/// The segments that have sequences of `seqs`, by position.
pub(crate) fn positions(segments: &[Segment], seqs: &RangeInclusive<u64>) -> std::ops::Range<usize> {
    let first = segments.partition_point(|segment| segment.last_seq < *seqs.start());
    let last = segments.partition_point(|segment| segment.after_seq() < *seqs.end());
    first..last.max(first)
}
