//! Blocks: messages, and that messages are gone.
//!
//! A record is 22 bytes (u32 its length, whose highest bit says that there are headers; u64 sequence; i64 time; u16 length of
//! the subject), the subject, with headers their length as u32 and they themselves, the payload, and eight bytes of checksum
//! over all but the length. The highest bit of the sequence says that the message was erased, the next that it is gone,
//! wherever it stands. A compressed block begins with `cmp`, the method and its length before; its last eight bytes are those
//! it had before.

use martlet_proto::s2;
use thiserror::Error;

use super::{Hash, Numbers};

/// Bytes before the subject.
const HEAD: usize = 22;
/// Bytes of a checksum.
const SUM: usize = 8;
/// No record is longer.
const MAX_RECORD: usize = 32 << 20;
/// No block is longer, before it is compressed or after.
pub(super) const MAX_BLOCK: usize = 256 << 20;

const HAS_HEADERS: u32 = 1 << 31;
const IS_ERASED: u64 = 1 << 63;
const IS_TOMBSTONE: u64 = 1 << 62;

/// Why a block cannot be read, or not all of it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BlockError {
    /// It is larger than blocks are.
    #[error("the block has more than {MAX_BLOCK} bytes")]
    TooLarge,
    /// Its compression is damaged.
    #[error("the block cannot be decompressed: {0}")]
    Compression(String),
    /// It is compressed otherwise.
    #[error("the block is compressed in a way that is not known ({0})")]
    Method(u8),
    /// It ends within a record.
    #[error("it ends within a record")]
    Cut,
    /// A record says of itself what cannot be.
    #[error("a record of {len} bytes cannot be")]
    Length {
        /// What it says.
        len: u32,
    },
    /// A record is not what was written.
    #[error("the checksum of a record does not match; it says that it is message {seq}")]
    Checksum {
        /// The sequence that stands there.
        seq: u64,
    },
}

/// A record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Record<'a> {
    /// A message.
    Message(crate::Message<'a>),
    /// There was a message with this sequence.
    Erased(u64),
    /// A message is gone, wherever it stands.
    Tombstone(u64),
}

/// A block as it was before it was compressed.
pub fn unpack(bytes: Vec<u8>) -> Result<Vec<u8>, BlockError> {
    if bytes.len() > MAX_BLOCK {
        return Err(BlockError::TooLarge);
    }
    let Some((&[b'c', b'm', b'p', method], rest)) = bytes.split_first_chunk::<4>() else { return Ok(bytes) };
    if method == 0 || rest.is_empty() {
        return Ok(bytes);
    }
    if method != 1 {
        return Err(BlockError::Method(method));
    }
    let mut numbers = Numbers::new(rest, 0);
    let cut = |_| BlockError::Compression("its length is missing".into());
    numbers.unsigned().map_err(cut)?;
    let body = rest.len().checked_sub(SUM).and_then(|end| rest.get(numbers.at..end));
    let mut body = body.ok_or_else(|| BlockError::Compression("it is too short".into()))?;
    let mut plain = Vec::new();
    let mut decoder = s2::Decoder::default();
    while !body.is_empty() {
        body = decoder.decode(body, &mut plain).map_err(|error| BlockError::Compression(error.to_string()))?;
        if plain.len() > MAX_BLOCK {
            return Err(BlockError::TooLarge);
        }
    }
    plain.extend_from_slice(&rest[rest.len() - SUM..]);
    Ok(plain)
}

/// The records of a block, one after the other. A damaged one is told with its place; those behind it are read as far as they
/// can be found.
#[derive(Debug)]
pub struct Records<'a> {
    hash: Hash,
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Records<'a> {
    /// Of the block with a number, of a stream with a name.
    pub fn new(stream: &str, block: u32, bytes: &'a [u8]) -> Self {
        Self { hash: Hash::of(&format!("{stream}-{block}")), bytes, at: 0 }
    }

    fn read(&self, rest: &'a [u8]) -> Result<(Record<'a>, usize), (BlockError, usize)> {
        let all = rest.len();
        let Some((head, _)) = rest.split_first_chunk::<HEAD>() else { return Err((BlockError::Cut, all)) };
        let said = u32::from_le_bytes([head[0], head[1], head[2], head[3]]);
        let len = said & !HAS_HEADERS;
        let size = len as usize;
        let subject = usize::from(u16::from_le_bytes([head[20], head[21]]));
        let least = HEAD + subject + if said & HAS_HEADERS != 0 { 4 } else { 0 } + SUM;
        if size < least || size > MAX_RECORD {
            return Err((BlockError::Length { len }, all));
        }
        let Some(record) = rest.get(..size) else { return Err((BlockError::Cut, all)) };
        let (content, sum) = record.split_at(size - SUM);
        let (subject, body) = content[HEAD..].split_at(subject);
        let seq = u64::from_le_bytes(head[4..12].try_into().expect("eight bytes"));
        let time = i64::from_le_bytes(head[12..20].try_into().expect("eight bytes"));
        let body = if said & HAS_HEADERS != 0 { &body[4..] } else { body };
        if self.hash.sum(&[&head[4..20], subject, body]) != sum {
            return Err((BlockError::Checksum { seq: seq & !(IS_ERASED | IS_TOMBSTONE) }, size));
        }
        let record = if seq & IS_TOMBSTONE != 0 {
            Record::Tombstone(seq & !IS_TOMBSTONE)
        } else if seq & IS_ERASED != 0 || seq == 0 {
            Record::Erased(seq & !IS_ERASED)
        } else {
            let headers = if said & HAS_HEADERS == 0 {
                0
            } else {
                u32::from_le_bytes(content[HEAD + subject.len()..][..4].try_into().expect("four bytes")) as usize
            };
            let Some((headers, payload)) = body.split_at_checked(headers) else {
                return Err((BlockError::Length { len }, size));
            };
            Record::Message(crate::Message { seq, time, subject, headers, payload })
        };
        Ok((record, size))
    }
}

impl<'a> Iterator for Records<'a> {
    /// Where it stands, and what it is.
    type Item = (usize, Result<Record<'a>, BlockError>);

    fn next(&mut self) -> Option<Self::Item> {
        let rest = &self.bytes[self.at..];
        if rest.is_empty() {
            return None;
        }
        let at = self.at;
        let (record, len) = match self.read(rest) {
            Ok((record, len)) => (Ok(record), len),
            Err((error, len)) => (Err(error), len),
        };
        self.at += len;
        Some((at, record))
    }
}
