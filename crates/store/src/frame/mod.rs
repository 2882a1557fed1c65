//! The entry on disk: one frame, a header and the entry's records behind it. `docs/format.md` has it byte by byte.
//!
//! The header has a checksum of its own, so that a damaged record does not hide what follows it. It names the checksum of
//! the header before (the chain: a frame that is gone, old or in the wrong place is found out), the checksum of its
//! records' checksums (the chain binds what they say), and the last entry that was durable when it was written (which tells
//! a torn end from damage). Each record has a checksum of its own, so that one can be read without its neighbours.
//!
//! Where a stream is compressed or encrypted, records stand in blocks, each of which is a record itself (`pack`): it is read
//! whole, and has one checksum for all that is in it.
//!
//! Invariant: reading never panics and never takes more memory than the bytes it is given, whatever they are.

mod pack;
mod record;
#[cfg(test)]
mod tests;

pub(crate) use pack::{Packer, Unpacker};
pub(crate) use record::{Fact, Origin, RecordFault, Site, erase, read_bare, read_record, read_trusted};

use crate::codec::{Reader, checksum, checksum2, put_varint};
use crate::record::Record;

/// The first byte of a frame.
pub(crate) const MARKER: u8 = 0xa7;
/// The most bytes a header takes.
pub(crate) const MAX_HEADER: usize = FIXED + 5 * 10 + 8;
/// The fewest bytes a frame takes.
pub(crate) const MIN_FRAME: usize = FIXED + 5 + 8;
/// The longest body: offsets in a segment have four bytes.
pub(crate) const MAX_BODY: u64 = 1 << 30;

/// Bytes before the variable numbers.
const FIXED: usize = 18;
/// Where the header's checksum is.
const SUM_AT: usize = 6;
/// Some records are in blocks, and of those some are compressed.
const COMPRESSED: u8 = 1;
/// All records are in blocks, and encrypted, but for those that were overwritten.
const SEALED: u8 = 2;
/// Flags this version understands.
const KNOWN_FLAGS: u8 = COMPRESSED | SEALED;

/// What a frame's header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    /// The checksum of this header, which the next frame names.
    pub sum: u32,
    /// The checksum of the header before.
    pub previous: u32,
    /// The checksum of the records' checksums.
    pub body_sum: u32,
    /// Bytes of the header itself.
    pub len: usize,
    /// Bytes of the records.
    pub body_len: usize,
    /// The term in which a leader made the entry; 0 without replication.
    pub term: u64,
    /// The entry's number.
    pub index: u64,
    /// The last entry that was known to be durable when this was written.
    pub synced: u64,
    /// The sequence that its records count from.
    pub base_seq: u64,
    /// The time that its records count from, in nanoseconds since 1970.
    pub base_time: u64,
    /// Its records; those in a block count, and the block does not.
    pub count: u32,
    /// Whether some of them are compressed.
    pub is_compressed: bool,
    /// Whether they are encrypted.
    pub is_sealed: bool,
}

impl Header {
    /// Bytes of the whole frame.
    pub(crate) fn frame_len(&self) -> usize {
        self.len + self.body_len
    }

    /// What its records are read against.
    pub(crate) fn origin(&self, salt: u32) -> Origin {
        Origin::new(salt, self.index, self.base_seq, self.base_time)
    }
}

/// Where a frame stands in its log.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    /// The log's own number, which all its checksums begin with: what belongs to another log is found out.
    pub salt: u32,
    /// As in [`Header`].
    pub term: u64,
    /// As in [`Header`].
    pub index: u64,
    /// As in [`Header`].
    pub synced: u64,
    /// As in [`Header`].
    pub previous: u32,
    /// The last sequence in use before it.
    pub last_seq: u64,
    /// Where it will stand; this is asked for only where entries are encrypted.
    pub site: Site,
}

/// Why bytes are no frame header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HeaderFault {
    /// The bytes end within it, or it says what cannot be.
    Malformed,
    /// It needs a newer version.
    Unknown,
    /// Its checksum is wrong.
    Checksum,
}

/// Writes an entry at the end of `out`, whole; gives its header's checksum.
pub(crate) fn encode(out: &mut Vec<u8>, place: &Place, records: &[Record<'_>], packer: &mut Packer) -> u32 {
    let start = out.len();
    let (base_seq, base_time) = base_of(records, place.last_seq);
    out.extend_from_slice(&[MARKER, 0]);
    out.extend_from_slice(&[0; 8]);
    out.extend_from_slice(&place.previous.to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    put_varint(out, place.term);
    put_varint(out, place.index);
    put_varint(out, place.index.saturating_sub(place.synced));
    put_varint(out, base_seq);
    put_varint(out, records.len() as u64);
    out.extend_from_slice(&base_time.to_le_bytes());

    let body = out.len();
    let origin = Origin::new(place.salt, place.index, base_seq, base_time);
    let mut body_sum = place.salt;
    if packer.has_work() {
        let site = Site { at: place.site.at.wrapping_add(len_u32(body - start)), ..place.site };
        out[start + 1] = packer.write_records(out, &origin, site, records, &mut body_sum);
    } else {
        for record in records {
            body_sum = add_to_body_sum(body_sum, record::write_record(out, &origin, record));
        }
    }
    let body_len = len_u32(out.len() - body);
    out[start + 2..start + 6].copy_from_slice(&body_len.to_le_bytes());
    out[start + 14..start + 18].copy_from_slice(&body_sum.to_le_bytes());
    let header = &out[start..body];
    let sum = checksum2(place.salt, &header[..SUM_AT], &header[SUM_AT + 4..]);
    out[start + SUM_AT..start + SUM_AT + 4].copy_from_slice(&sum.to_le_bytes());
    sum
}

/// Makes the checksums right of what could be a frame, at the front of `bytes`, and has it follow one whose header has the
/// checksum `previous`; gives what its header says then.
pub(crate) fn mend(bytes: &mut [u8], salt: u32, previous: u32) -> Option<Header> {
    let header = parse_header(bytes)?;
    let end = header.frame_len().min(bytes.len());
    let body_sum = record::mend(&mut bytes[header.len..end], &header.origin(salt));
    bytes[SUM_AT + 4..SUM_AT + 8].copy_from_slice(&previous.to_le_bytes());
    bytes[SUM_AT + 8..FIXED].copy_from_slice(&body_sum.to_le_bytes());
    let sum = checksum2(salt, &bytes[..SUM_AT], &bytes[SUM_AT + 4..header.len]);
    bytes[SUM_AT..SUM_AT + 4].copy_from_slice(&sum.to_le_bytes());
    Some(Header { sum, previous, body_sum, ..header })
}

/// More than the bytes that [`encode`] will write.
pub(crate) fn encoded_bound(records: &[Record<'_>]) -> u64 {
    let bytes = records.iter().map(record::bound).sum::<u64>();
    MAX_HEADER as u64 + bytes + pack::bound(bytes)
}

/// A length within a frame.
fn len_u32(len: usize) -> u32 {
    u32::try_from(len).expect("the caller keeps entries below MAX_BODY")
}

/// Reads the header at the front of `bytes`, which may end anywhere behind it.
pub(crate) fn read_header(bytes: &[u8], salt: u32) -> Result<Header, HeaderFault> {
    let header = parse_header(bytes).ok_or(HeaderFault::Malformed)?;
    if checksum2(salt, &bytes[..SUM_AT], &bytes[SUM_AT + 4..header.len]) != header.sum {
        return Err(HeaderFault::Checksum);
    }
    // Only now: a flipped flag is damage, not a newer version.
    if bytes[1] & !KNOWN_FLAGS != 0 {
        return Err(HeaderFault::Unknown);
    }
    Ok(header)
}

/// Reads a header that has been checked already, or never was out of memory, or is damaged and better than nothing.
pub(crate) fn parse_header(bytes: &[u8]) -> Option<Header> {
    let mut reader = Reader(bytes);
    if reader.u8()? != MARKER {
        return None;
    }
    let flags = reader.u8()?;
    let body_len = reader.u32()?;
    let (sum, previous, body_sum) = (reader.u32()?, reader.u32()?, reader.u32()?);
    let (term, index) = (reader.varint()?, reader.varint()?);
    let synced = index.checked_sub(reader.varint()?)?;
    let (base_seq, count) = (reader.varint()?, u32::try_from(reader.varint()?).ok()?);
    let base_time = reader.u64()?;
    let header = Header {
        sum,
        previous,
        body_sum,
        len: bytes.len() - reader.0.len(),
        body_len: usize::try_from(body_len).ok()?,
        term,
        index,
        synced,
        base_seq,
        base_time,
        count,
        is_compressed: flags & COMPRESSED != 0,
        is_sealed: flags & SEALED != 0,
    };
    let has_room = flags & KNOWN_FLAGS != 0 || u64::from(count) * record::MIN_RECORD as u64 <= u64::from(body_len);
    // One more than any number is a number, too.
    (u64::from(body_len) <= MAX_BODY && has_room && index > 0 && index < u64::MAX).then_some(header)
}

/// The checksum of a body so far, with one more record's checksum.
pub(crate) fn add_to_body_sum(body_sum: u32, record_sum: u32) -> u32 {
    checksum(body_sum, &record_sum.to_le_bytes())
}

fn base_of(records: &[Record<'_>], last_seq: u64) -> (u64, u64) {
    let message = records.iter().find_map(|record| match record {
        Record::Message(message) => Some((message.seq, message.time.as_nanos())),
        _ => None,
    });
    message.unwrap_or((last_seq.saturating_add(1), 0))
}
