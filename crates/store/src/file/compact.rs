//! A sealed segment most of whose messages are gone is written anew with those that are not, a piece at a time.
//!
//! Which ones are not is what a durable checkpoint says: entries that are applied again must find what was there.
//! The new file stands beside the old one until it is whole and durable; then it takes its name.
//!
//! Invariant: a segment in which something cannot be read is left as it is.

use std::io;
use std::ops::RangeInclusive;
use std::sync::Arc;

use super::log::{Log, is_full};
use super::read::{Fault, Then, Windows};
use super::segment::{Compacted, HEADER, Seen, Segment, SegmentHeader, name_of};
use super::survey::offset;
use crate::disk::File;
use crate::frame::{self, Fact, Place, parse_header, read_trusted};
use crate::record::{Message, Record};
use crate::store::StoreError;

/// Bytes of messages that make a frame of the new file, and a piece of work.
const PIECE: usize = 256 << 10;
/// The name of the new file while it is not whole.
pub(super) const NAME: &str = "compact.tmp";

/// A segment being written anew.
#[derive(Debug)]
pub(super) struct Compaction {
    /// The segment's number.
    pub number: u64,
    /// Its messages that stay.
    alive: Vec<RangeInclusive<u64>>,
    /// The first sequence that is still to be written.
    from: u64,
    state: Option<Writing>,
}

/// The new file.
#[derive(Debug)]
struct Writing {
    file: Arc<dyn File>,
    segment: Segment,
    /// The number of the last frame, and the checksum of its header.
    index: u64,
    chain: u32,
}

/// How far it has got.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Progress {
    More,
    Done,
    /// It cannot be done: something cannot be read, or there is no room.
    GivenUp,
}

impl Compaction {
    /// Will write a segment's `alive` messages anew.
    pub(super) fn new(segment: &Segment, alive: Vec<RangeInclusive<u64>>) -> Self {
        Self { number: segment.header.number, alive, from: segment.after_seq() + 1, state: None }
    }

    /// Whether something of it has been done.
    pub(super) fn is_begun(&self) -> bool {
        self.state.is_some()
    }

    /// Does a piece of the work.
    pub(super) fn step(&mut self, log: &mut Log, windows: &Windows) -> Result<Progress, StoreError> {
        match self.try_step(log, windows) {
            Ok(progress) => {
                if progress == Progress::GivenUp {
                    let _ = log.disk.remove(NAME);
                }
                Ok(progress)
            }
            Err(error) if is_full(&error) => {
                let _ = log.disk.remove(NAME);
                Ok(Progress::GivenUp)
            }
            Err(error) => Err(log.fence("compact a segment beside", &error)),
        }
    }

    fn try_step(&mut self, log: &mut Log, windows: &Windows) -> io::Result<Progress> {
        let Some(position) = log.position(self.number) else { return Ok(Progress::GivenUp) };
        let mut writing = match self.state.take() {
            Some(writing) => writing,
            None => begin(log, &log.segments[position])?,
        };
        let Some((bytes, next)) = self.piece(log, windows, &log.segments[position], &writing) else {
            return Ok(Progress::GivenUp);
        };
        if !bytes.is_empty() {
            writing.file.write_at(&[&bytes], u64::from(writing.segment.end))?;
            writing.note(&bytes, log.salt);
        }
        if let Some(next) = next {
            self.from = next;
            self.state = Some(writing);
            return Ok(Progress::More);
        }
        writing.file.sync()?;
        log.disk.rename(NAME, &name_of(self.number))?;
        log.disk.sync_names()?;
        windows.forget(self.number);
        let mut segment = writing.segment;
        segment.file.set(writing.file).expect("it was not set");
        segment.seen.get_mut().points.shrink();
        log.segments[position] = segment;
        Ok(Progress::Done)
    }

    /// The next frame of what stays, and the sequence behind it; nothing if something cannot be read.
    fn piece(
        &self,
        log: &Log,
        windows: &Windows,
        segment: &Segment,
        writing: &Writing,
    ) -> Option<(Vec<u8>, Option<u64>)> {
        // There are as many numbers as there were entries: the last one takes the rest.
        let most = if writing.index + 1 < segment.last_index { PIECE } else { usize::MAX };
        let (mut kept, mut len, mut next) = (Vec::new(), 0, None);
        let mut ranges = self.alive.iter().skip_while(|range| *range.end() < self.from).peekable();
        let mut bytes: Vec<u8> = Vec::new();
        let mut shapes = Vec::new();
        let result: Result<(), Fault> = windows.scan(log, segment, self.from, &mut |found| {
            let message = found.message;
            while ranges.next_if(|range| *range.end() < message.seq).is_some() {}
            let Some(range) = ranges.peek() else { return Then::Stop };
            if !range.contains(&message.seq) {
                return Then::Go;
            }
            if len > most {
                next = Some(message.seq);
                return Then::Stop;
            }
            let Message { subject, headers, payload, .. } = message;
            for part in [subject, headers, payload] {
                bytes.extend_from_slice(part);
            }
            shapes.push((message.seq, message.time, message.expires, subject.len(), headers.len(), payload.len()));
            len += subject.len() + headers.len() + payload.len() + 16;
            Then::Go
        });
        result.ok()?;
        let mut rest = &bytes[..];
        for &(seq, time, expires, subject, headers, payload) in &shapes {
            let mut take = |len: usize| {
                let (first, others) = rest.split_at(len);
                rest = others;
                first
            };
            let (subject, headers, payload) = (take(subject), take(headers), take(payload));
            kept.push(Record::Message(Message { seq, time, subject, headers, payload, expires }));
        }
        let mut out = Vec::new();
        if !kept.is_empty() {
            let index = writing.index + 1;
            let place = Place {
                salt: log.salt,
                term: 0,
                index,
                synced: index,
                previous: writing.chain,
                last_seq: writing.segment.last_seq,
            };
            frame::encode(&mut out, &place, &kept);
        }
        Some((out, next))
    }
}

fn begin(log: &Log, old: &Segment) -> io::Result<Writing> {
    let compacted = Compacted { last_index: old.last_index, last_seq: old.last_seq, chain: old.chain };
    let header = SegmentHeader { compacted: Some(compacted), ..old.header };
    let file = log.disk.create(NAME)?;
    file.write_at(&[&header.encode()], 0)?;
    let mut segment = Segment::new(header);
    segment.allocated = u64::from(HEADER);
    (segment.is_sealed, segment.chain) = (true, old.chain);
    (segment.last_seq, segment.last_index) = (old.last_seq, old.last_index);
    Ok(Writing { file, segment, index: header.first_index - 1, chain: header.previous })
}

impl Writing {
    /// A frame was written at the end.
    fn note(&mut self, bytes: &[u8], salt: u32) {
        let Some(header) = parse_header(bytes) else { return };
        let (at, origin) = (self.segment.end, header.origin(salt));
        let mut from = header.len;
        let seen: &mut Seen = self.segment.seen.get_mut();
        while let Some((fact, len)) = bytes.get(from..).and_then(|rest| read_trusted(rest, &origin)) {
            if let Fact::Message(message) = fact {
                seen.message(message.seq, message.time.as_nanos(), at + offset(from), at);
            }
            from += len;
        }
        self.index = header.index;
        self.chain = header.sum;
        self.segment.end += offset(bytes.len());
        self.segment.allocated = u64::from(self.segment.end);
    }
}
