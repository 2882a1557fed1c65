//! A sealed segment most of whose messages are gone is written anew with those that are not, a piece at a time. So is one
//! that is to be compressed and is not: entries that were too small for that stand together then. And so is one of which
//! something is to be overwritten that cannot be overwritten where it is.
//!
//! Which messages are not gone is what a durable checkpoint says: entries that are applied again must find what was there.
//! The new file stands beside the old one until it is whole and durable; then it takes its name.
//!
//! Invariant: a segment in which something cannot be read is left as it is.

use std::io;
use std::ops::RangeInclusive;
use std::sync::Arc;

use martlet_events::WallTime;

use super::log::{Log, is_full};
use super::read::{Fault, Then, Windows};
use super::segment::{Compacted, HEADER, Seen, Segment, SegmentHeader, name_of};
use super::survey::offset;
use super::walk::{Item, Source, for_each_record};
use crate::disk::File;
use crate::frame::{self, Fact, Place, Site, parse_header};
use crate::record::{Message, Record};
use crate::store::StoreError;

/// Bytes of messages that make a frame of the new file, and a piece of work.
const PIECE: usize = 256 << 10;
/// The name of the new file while it is not whole.
pub(super) const NAME: &str = "compact.tmp";

/// Why a segment is written anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    /// Most of its messages are gone.
    Waste,
    /// It will be smaller when it is compressed. If not, it stays.
    Loose,
    /// It holds what must not stay.
    Unwanted,
}

/// A segment being written anew.
#[derive(Debug)]
pub(super) struct Compaction {
    /// The segment's number.
    pub number: u64,
    pub reason: Reason,
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
    pub(super) fn new(segment: &Segment, reason: Reason, alive: Vec<RangeInclusive<u64>>) -> Self {
        Self { number: segment.header.number, reason, alive, from: segment.after_seq() + 1, state: None }
    }

    /// Whether something of it has been done.
    pub(super) fn is_begun(&self) -> bool {
        self.state.is_some()
    }

    /// Whether a message of the segment stays.
    pub(super) fn has(&self, seq: u64) -> bool {
        let next = self.alive.partition_point(|range| *range.end() < seq);
        self.alive.get(next).is_some_and(|range| range.contains(&seq))
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
            // The segment stays as it is: there is no room for another, or a journal does not let go of it.
            Err(error) if is_full(&error) || error.kind() == io::ErrorKind::ResourceBusy => {
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
        let Some(piece) = self.piece(log, windows, &log.segments[position], &writing) else {
            return Ok(Progress::GivenUp);
        };
        let Some((bytes, next)) = self.encode(&piece, log, &writing) else {
            log.segments[position].seen.get_mut().loose = 0;
            return Ok(Progress::GivenUp);
        };
        if !bytes.is_empty() {
            writing.file.write_at(&[&bytes], u64::from(writing.segment.end))?;
            writing.note(&bytes, log);
        }
        if let Some(next) = next {
            self.from = next;
            self.state = Some(writing);
            return Ok(Progress::More);
        }
        let old = Arc::clone(log.file(&log.segments[position])?);
        writing.file.sync()?;
        if log.segments[position].summary.get() > 0 {
            // It is gone before what it speaks of is another.
            log.drop_summary(position, self.reason == Reason::Unwanted)?;
            log.disk.sync_names()?;
        }
        // From here on there is no way back: an error is none that passes.
        let renamed = log.disk.rename(NAME, &name_of(self.number)).and_then(|()| log.disk.sync_names());
        renamed.map_err(io::Error::other)?;
        if self.reason == Reason::Unwanted {
            // It has no name any more: if this fails, what is left of it is the file system's.
            let _ = overwrite(&*old, u64::from(log.segments[position].end));
        }
        windows.forget(self.number);
        log.tails.forget(self.number);
        let mut segment = writing.segment;
        segment.file.set(writing.file).expect("it was not set");
        segment.seen.get_mut().points.shrink();
        log.segments[position] = segment;
        Ok(Progress::Done)
    }

    /// The next messages that stay; nothing if something cannot be read.
    fn piece(&self, log: &Log, windows: &Windows, segment: &Segment, writing: &Writing) -> Option<Piece> {
        // There are as many numbers as there were entries: the last one takes the rest.
        let most = if writing.index + 1 < segment.last_index { PIECE } else { usize::MAX };
        let mut ranges = self.alive.iter().skip_while(|range| *range.end() < self.from).peekable();
        let mut piece = Piece::default();
        let result: Result<(), Fault> = windows.scan(log, segment, self.from, &mut |found| {
            let message = found.message;
            while ranges.next_if(|range| *range.end() < message.seq).is_some() {}
            let Some(range) = ranges.peek() else { return Then::Stop };
            if !range.contains(&message.seq) {
                return Then::Go;
            }
            if piece.bytes.len() > most {
                piece.next = Some(message.seq);
                return Then::Stop;
            }
            piece.push(&message);
            Then::Go
        });
        result.ok()?;
        Some(piece)
    }

    /// A frame of some messages, and the sequence behind it; nothing if it was to become smaller and does not.
    fn encode(&self, piece: &Piece, log: &mut Log, writing: &Writing) -> Option<(Vec<u8>, Option<u64>)> {
        let mut out = Vec::new();
        let kept = piece.records();
        if !kept.is_empty() {
            let index = writing.index + 1;
            let place = Place {
                salt: log.salt,
                term: 0,
                index,
                synced: index,
                previous: writing.chain,
                last_seq: writing.segment.last_seq,
                site: Site { segment: self.number, at: writing.segment.end },
            };
            frame::encode(&mut out, &place, &kept, &mut log.packer);
        }
        let is_in_vain = self.reason == Reason::Loose && out.len() > piece.bytes.len() - piece.bytes.len() / 8;
        (!is_in_vain).then_some((out, piece.next))
    }
}

/// Messages that make a frame.
#[derive(Default)]
struct Piece {
    /// What they consist of, one part behind the other.
    bytes: Vec<u8>,
    /// Of each its sequence, its time, when it expires, and the lengths of its parts.
    shapes: Vec<(u64, WallTime, Option<WallTime>, [usize; 3])>,
    /// The sequence that comes next; nothing if there is none.
    next: Option<u64>,
}

impl Piece {
    fn push(&mut self, message: &Message<'_>) {
        let parts = [message.subject, message.headers, message.payload];
        for part in parts {
            self.bytes.extend_from_slice(part);
        }
        self.shapes.push((message.seq, message.time, message.expires, parts.map(<[u8]>::len)));
    }

    fn records(&self) -> Vec<Record<'_>> {
        let mut rest = &self.bytes[..];
        let mut take = |len: usize| {
            let (first, others) = rest.split_at(len);
            rest = others;
            first
        };
        let record = |&(seq, time, expires, lens): &(u64, WallTime, Option<WallTime>, [usize; 3])| {
            let [subject, headers, payload] = lens.map(&mut take);
            Record::Message(Message { seq, time, subject, headers, payload, expires })
        };
        self.shapes.iter().map(record).collect()
    }
}

/// Overwrites all of a file.
pub(crate) fn overwrite(file: &dyn File, end: u64) -> io::Result<()> {
    let zeros = [0; 4096];
    for at in (0..end).step_by(zeros.len()) {
        let len = usize::try_from(end - at).map_or(zeros.len(), |left| left.min(zeros.len()));
        file.write_at(&[&zeros[..len]], at)?;
    }
    file.sync()
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
    fn note(&mut self, bytes: &[u8], log: &Log) {
        let Some(header) = parse_header(bytes) else { return };
        let at = self.segment.end;
        let unpacker = log.packer.unpacker(self.segment.header.number);
        let source = Source { salt: log.salt, from: at, unpacker };
        let seen: &mut Seen = self.segment.seen.get_mut();
        seen.entry(&header);
        for_each_record(bytes, (0, &header), &source, true, |item| {
            if let Item::Fact(Fact::Message(message), from) = item {
                seen.message(message.seq, message.time.as_nanos(), at + offset(from), at);
            }
        });
        self.index = header.index;
        self.chain = header.sum;
        self.segment.end += offset(bytes.len());
        self.segment.allocated = u64::from(self.segment.end);
    }
}
