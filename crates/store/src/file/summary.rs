//! The summary that a clean stop leaves: what is where in the segments, and what the subjects have, so that the next start
//! need not read the log.
//!
//! It belongs to one checkpoint, and to segments as long as it says. Where anything is not so, it is as if it were not there.
//!
//! Invariant: nothing is in it that the log does not say, too.

use martlet_events::WallTime;

use super::checkpoint::{Checkpoint, PREFIX, complete, open_body, read_all};
use super::log::Log;
use super::segment::{HEADER, Point, Segment, SegmentHeader, name_of};
use crate::codec::{Reader, put_bytes, put_varint};
use crate::disk::Disk;
use crate::index::Index;

/// The first bytes of a summary.
const MAGIC: [u8; 8] = *b"MartSum\x01";
/// The first bytes of one that is encrypted.
const SEALED: [u8; 8] = *b"MartSum\x02";
/// Its file.
pub(crate) const NAME: &str = "summary";

/// Writes down what is where, as of a checkpoint.
pub(crate) fn encode(checkpoint: &Checkpoint, log: &Log, index: &Index) -> Vec<u8> {
    let mut out = vec![0; PREFIX];
    put_varint(&mut out, checkpoint.generation);
    put_varint(&mut out, log.segments.len() as u64);
    for segment in &log.segments {
        put_segment(&mut out, segment);
    }
    put_varint(&mut out, index.expiries().iter().len() as u64);
    for (at, seq) in index.expiries().iter() {
        put_varint(&mut out, at.as_nanos());
        put_varint(&mut out, seq);
    }
    put_varint(&mut out, index.subject_count());
    let mut last: Vec<u8> = Vec::new();
    index.for_each_raw(&mut |subject, [first, last_seq, messages]| {
        let shared = subject.iter().zip(&last).take_while(|(a, b)| a == b).count();
        put_varint(&mut out, shared as u64);
        put_bytes(&mut out, &subject[shared..]);
        // Two bits at the top of the number are marks: at the bottom they take less room.
        for number in [first, last_seq.wrapping_sub(first), messages.rotate_left(2)] {
            put_varint(&mut out, number);
        }
        last.truncate(shared);
        last.extend_from_slice(&subject[shared..]);
    });
    complete(out, [MAGIC, SEALED], log.packer.vault.as_deref())
}

fn put_segment(out: &mut Vec<u8>, segment: &Segment) {
    let seen = segment.seen.borrow();
    let (first, last) = seen.times.unwrap_or((1, 0));
    out.extend_from_slice(&segment.chain.to_le_bytes());
    let numbers = [segment.header.number, segment.last_index, segment.last_seq, u64::from(segment.end), seen.messages];
    for number in numbers.into_iter().chain([first, last, seen.points.as_slice().len() as u64]) {
        put_varint(out, number);
    }
    let mut before = Point { seq: 0, at: 0, frame: 0 };
    for point in seen.points.as_slice() {
        put_varint(out, point.seq - before.seq);
        put_varint(out, u64::from(point.at - before.at));
        put_varint(out, u64::from(point.at - point.frame));
        before = *point;
    }
}

/// Puts in what a summary says, if there is one that belongs to the checkpoint and to the files; whether it was so.
pub(crate) fn adopt(
    checkpoint: &Checkpoint,
    names: &[String],
    numbers: &[u64],
    log: &mut Log,
    index: &mut Index,
) -> bool {
    if !names.iter().any(|name| name == NAME) || numbers != checkpoint.segments {
        return false;
    }
    let bytes = log.disk.open(NAME).and_then(|file| read_all(&*file)).unwrap_or_default();
    // One in plain says nothing of whether everything is encrypted.
    let magic = if log.packer.vault.is_some() { [SEALED, SEALED] } else { [MAGIC, SEALED] };
    let Ok(body) = open_body(&bytes, magic, log.packer.vault.as_deref()) else { return false };
    let mut reader = Reader(&body);
    let Some(segments) = read_segments(&mut reader, checkpoint, &*log.disk) else { return false };
    if segments.iter().map(|segment| segment.header.number).ne(numbers.iter().copied()) {
        return false;
    }
    // What is read now has been checked as a whole: it ends where it should.
    if restore(&mut reader, index).is_none() {
        return false;
    }
    if let Some(last) = segments.last() {
        (log.chain, log.last_seq) = (last.chain, last.last_seq);
    }
    log.segments = segments;
    true
}

fn read_segments(reader: &mut Reader<'_>, checkpoint: &Checkpoint, disk: &dyn Disk) -> Option<Vec<Segment>> {
    if reader.varint()? != checkpoint.generation {
        return None;
    }
    let count = reader.count()?;
    let segments: Option<Vec<Segment>> = (0..count).map(|_| read_segment(reader, checkpoint.salt, disk)).collect();
    segments.filter(|segments| segments.last().is_none_or(|last| last.last_index == checkpoint.index))
}

fn read_segment(reader: &mut Reader<'_>, salt: u32, disk: &dyn Disk) -> Option<Segment> {
    let chain = reader.u32()?;
    let (number, last_index, last_seq) = (reader.varint()?, reader.varint()?, reader.varint()?);
    let (end, messages) = (u32::try_from(reader.varint()?).ok()?, reader.varint()?);
    let (first, last) = (reader.varint()?, reader.varint()?);
    let file = disk.open(&name_of(number)).ok()?;
    let mut header = [0; HEADER as usize];
    let len = file.read_at(&mut header, 0).ok()?;
    let header = SegmentHeader::decode(&header[..len]).ok()?;
    if header.number != number || header.salt != salt || file.len().ok()? != u64::from(end) {
        return None;
    }
    let mut segment = Segment { last_index, last_seq, chain, end, is_sealed: true, ..Segment::new(header) };
    segment.allocated = u64::from(end);
    let seen = segment.seen.get_mut();
    seen.messages = messages;
    // It may.
    seen.has_blocks = true;
    seen.times = (first <= last).then_some((first, last));
    let mut before = Point { seq: 0, at: 0, frame: 0 };
    for _ in 0..reader.count()? {
        let seq = before.seq.checked_add(reader.varint()?)?;
        let at = before.at.checked_add(u32::try_from(reader.varint()?).ok()?)?;
        let frame = at.checked_sub(u32::try_from(reader.varint()?).ok()?)?;
        before = Point { seq, at, frame };
        seen.points.offer(before);
    }
    seen.points.shrink();
    Some(segment)
}

fn restore(reader: &mut Reader<'_>, index: &mut Index) -> Option<()> {
    for _ in 0..reader.count()? {
        let (at, seq) = (reader.varint()?, reader.varint()?);
        index.restore_expiry(WallTime::from_nanos(at), seq);
    }
    let mut subject = Vec::new();
    for _ in 0..reader.count()? {
        let shared = usize::try_from(reader.varint()?).ok()?;
        subject.truncate(shared);
        subject.extend_from_slice(reader.bytes()?);
        let first = reader.varint()?;
        let last = first.wrapping_add(reader.varint()?);
        index.restore_raw(&subject, [first, last, reader.varint()?.rotate_right(2)]);
    }
    Some(())
}
