//! What a summary says of its segment beside subjects: what passes over it have seen of it, and messages that go by
//! themselves.

use martlet_events::WallTime;

use super::super::segment::{Point, Seen};
use crate::codec::{Reader, put_signed, put_varint};

/// A segment's facts.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    /// What there is to see of the segment.
    pub seen: Seen,
    /// Messages that have a time of their own: when they are due, and their sequences.
    pub expiries: Vec<(WallTime, u64)>,
}

impl Facts {
    /// Its bytes. `base` is the last sequence in use before the segment.
    pub(crate) fn encode(seen: &Seen, expiries: &[(WallTime, u64)], base: u64) -> Vec<u8> {
        let mut out = Vec::new();
        let (first, last) = seen.times.unwrap_or((1, 0));
        let points = seen.points.as_slice();
        for number in [seen.messages, first, last, u64::from(seen.has_blocks), seen.loose, points.len() as u64] {
            put_varint(&mut out, number);
        }
        let mut before = Point { seq: base, at: 0, frame: 0 };
        for point in points {
            put_varint(&mut out, point.seq - before.seq);
            put_varint(&mut out, u64::from(point.at - before.at));
            put_varint(&mut out, u64::from(point.at - point.frame));
            before = *point;
        }
        put_varint(&mut out, expiries.len() as u64);
        let mut before = (0, base);
        for &(at, seq) in expiries {
            put_varint(&mut out, seq - before.1);
            put_signed(&mut out, at.as_nanos().wrapping_sub(before.0).cast_signed());
            before = (at.as_nanos(), seq);
        }
        out
    }

    /// Reads them.
    pub(crate) fn decode(bytes: &[u8], base: u64) -> Option<Self> {
        let (mut reader, mut facts) = (Reader(bytes), Self::default());
        let seen = &mut facts.seen;
        seen.messages = reader.varint()?;
        let (first, last) = (reader.varint()?, reader.varint()?);
        seen.times = (first <= last).then_some((first, last));
        seen.has_blocks = reader.varint()? != 0;
        seen.loose = reader.varint()?;
        let mut before = Point { seq: base, at: 0, frame: 0 };
        for _ in 0..reader.count()? {
            let seq = before.seq.checked_add(reader.varint()?)?;
            let at = before.at.checked_add(u32::try_from(reader.varint()?).ok()?)?;
            let frame = at.checked_sub(u32::try_from(reader.varint()?).ok()?)?;
            before = Point { seq, at, frame };
            seen.points.offer(before);
        }
        seen.points.shrink();
        let mut before = (0_u64, base);
        for _ in 0..reader.count()? {
            let seq = before.1.checked_add(reader.varint()?)?;
            let at = before.0.wrapping_add(reader.signed()?.cast_unsigned());
            facts.expiries.push((WallTime::from_nanos(at), seq));
            before = (at, seq);
        }
        reader.0.is_empty().then_some(facts)
    }
}
