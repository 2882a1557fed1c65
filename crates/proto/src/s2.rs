//! S2 streams: how routes and leaf nodes compress what they send. Snappy's framing, with larger blocks and a better code.
//!
//! A stream is an identifier and chunks; a chunk is a byte of kind, three of length, and a body: a block as it is or compressed,
//! each with a checksum, or something to pass over. [`Encoder`] makes whole chunks of every write, so that what was written can
//! be read at once; [`Decoder`] takes bytes as they arrive. The code of a block itself is the `minlz` crate's, of which only
//! safe code reads what a peer sent.
//!
//! Invariant: a decoder holds no more than one chunk, and one call appends no more than one block, however little input says
//! to; what it appends has passed its checksum.

use crc::{CRC_32_ISCSI, Crc, Table};
use minlz::s2 as block;
use thiserror::Error;

#[cfg(test)]
mod tests;

/// The largest block, before compression.
pub const MAX_BLOCK: usize = 4 << 20;

/// The largest block in a stream that says it is Snappy's.
const MAX_SNAPPY_BLOCK: usize = 64 << 10;

/// The largest body of a chunk with data: a checksum, and a block that did not become smaller.
const MAX_DATA: usize = CHECKSUM + MAX_BLOCK + 16;

/// What a write is cut into, which the reference does too.
const WRITE_BLOCK: usize = 1 << 20;

/// The shortest block that [`Level::Best`] pays for: its tables are made empty for every block, which takes longer than to
/// compress a short one, and the short one does not become smaller.
const SHORTEST_BEST: usize = 16 << 10;

/// The room a decoder keeps between chunks.
const KEEP: usize = 16 << 10;

const HEADER: usize = 4;
const CHECKSUM: usize = 4;

const COMPRESSED: u8 = 0x00;
const UNCOMPRESSED: u8 = 0x01;
/// The first kind that a reader who does not know it passes over; those below end the stream.
const FIRST_SKIPPABLE: u8 = 0x80;
const IDENTIFIER: u8 = 0xff;

const S2: &[u8; 6] = b"S2sTwO";
const SNAPPY: &[u8; 6] = b"sNaPpY";

static CASTAGNOLI: Crc<u32, Table<16>> = Crc::<u32, Table<16>>::new(&CRC_32_ISCSI);

/// Why a stream cannot be read on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum S2Error {
    /// The first chunk that has to be understood is no stream identifier.
    #[error("compressed stream without an identifier at its start")]
    NoIdentifier,
    /// An identifier of something else.
    #[error("compressed stream that is neither S2 nor Snappy")]
    UnknownFormat,
    /// A chunk of a kind that must not be passed over and is not known.
    #[error("compressed stream with a chunk of the reserved kind {kind:#04x}")]
    ReservedChunk {
        /// The kind.
        kind: u8,
    },
    /// A chunk too short for its checksum, or an identifier of another length.
    #[error("compressed stream with a chunk of {len} bytes, which is too short or too long for kind {kind:#04x}")]
    ChunkLength {
        /// The kind.
        kind: u8,
        /// The length of its body.
        len: usize,
    },
    /// A block that is larger than streams of this format have.
    #[error("compressed stream with a block of {len} bytes, when {max} is the most")]
    BlockTooLarge {
        /// Its length.
        len: usize,
        /// The largest.
        max: usize,
    },
    /// A compressed block that is not what the code describes.
    #[error("compressed stream with a block that cannot be decompressed")]
    Corrupt,
    /// A block other than the one that was sent.
    #[error("compressed stream with a block whose checksum does not match")]
    Checksum,
}

/// Reads a stream as it arrives. After an error the stream is over.
#[derive(Debug, Default)]
pub struct Decoder {
    /// The beginning of a chunk: its header, or the header and a part of the body.
    held: Vec<u8>,
    /// Bytes of a chunk still to be passed over.
    skip: usize,
    format: Option<Format>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    S2,
    Snappy,
}

impl Format {
    const fn largest_block(self) -> usize {
        match self {
            Self::S2 => MAX_BLOCK,
            Self::Snappy => MAX_SNAPPY_BLOCK,
        }
    }
}

/// A chunk's header.
#[derive(Clone, Copy)]
struct Header {
    kind: u8,
    len: usize,
}

impl Header {
    fn read(bytes: &[u8]) -> Option<Self> {
        let &[kind, low, middle, high] = bytes.first_chunk::<HEADER>()?;
        let len = u32::from_le_bytes([low, middle, high, 0]) as usize;
        Some(Self { kind, len })
    }

    const fn skippable(self) -> bool {
        self.kind >= FIRST_SKIPPABLE && self.kind != IDENTIFIER
    }
}

impl Decoder {
    /// Reads from `input` until it has appended the plain bytes of one block to `out`, or `input` is used up. The rest of the
    /// input is returned: call again with it while it is not empty.
    // spec: CLU-037
    pub fn decode<'i>(&mut self, input: &'i [u8], out: &mut Vec<u8>) -> Result<&'i [u8], S2Error> {
        let before = out.len();
        let mut input = input;
        while !input.is_empty() && out.len() == before {
            input = if self.skip > 0 {
                let passed = self.skip.min(input.len());
                self.skip -= passed;
                &input[passed..]
            } else if self.held.is_empty() {
                self.take_from_input(input, out)?
            } else {
                self.take_from_held(input, out)?
            };
        }
        Ok(input)
    }

    /// Takes a chunk that is all there without copying it; else holds what there is.
    fn take_from_input<'i>(&mut self, input: &'i [u8], out: &mut Vec<u8>) -> Result<&'i [u8], S2Error> {
        let Some(header) = Header::read(input) else {
            self.held.extend_from_slice(input);
            return Ok(&[]);
        };
        self.check(header)?;
        let rest = &input[HEADER..];
        if header.skippable() {
            self.skip = header.len;
            return Ok(rest);
        }
        let Some((body, rest)) = rest.split_at_checked(header.len) else {
            self.held.extend_from_slice(input);
            return Ok(&[]);
        };
        self.chunk(header.kind, body, out)?;
        Ok(rest)
    }

    /// Completes the header or the chunk that is held.
    fn take_from_held<'i>(&mut self, input: &'i [u8], out: &mut Vec<u8>) -> Result<&'i [u8], S2Error> {
        let wanted = Header::read(&self.held).map_or(HEADER, |header| HEADER + header.len);
        let (taken, rest) = input.split_at(input.len().min(wanted - self.held.len()));
        self.held.extend_from_slice(taken);
        if self.held.len() < wanted {
            return Ok(rest);
        }
        let header = Header::read(&self.held).expect("a header is the least that is wanted");
        if self.held.len() == HEADER {
            self.check(header)?;
            if header.skippable() {
                self.held.clear();
                self.skip = header.len;
                return Ok(rest);
            }
        }
        if self.held.len() == HEADER + header.len {
            let mut held = std::mem::take(&mut self.held);
            self.chunk(header.kind, &held[HEADER..], out)?;
            if held.capacity() <= KEEP {
                held.clear();
                self.held = held;
            }
        }
        Ok(rest)
    }

    /// Refuses a chunk by its header alone, before any of its body is held.
    fn check(&self, header: Header) -> Result<(), S2Error> {
        let Header { kind, len } = header;
        let fits = match kind {
            COMPRESSED | UNCOMPRESSED => (CHECKSUM..=MAX_DATA).contains(&len),
            IDENTIFIER => len == S2.len(),
            FIRST_SKIPPABLE.. => true,
            _ => return Err(S2Error::ReservedChunk { kind }),
        };
        if self.format.is_none() && kind < FIRST_SKIPPABLE {
            return Err(S2Error::NoIdentifier);
        }
        if fits { Ok(()) } else { Err(S2Error::ChunkLength { kind, len }) }
    }

    fn chunk(&mut self, kind: u8, body: &[u8], out: &mut Vec<u8>) -> Result<(), S2Error> {
        if kind == IDENTIFIER {
            self.format = Some(match body.first_chunk() {
                Some(S2) => Format::S2,
                Some(SNAPPY) => Format::Snappy,
                _ => return Err(S2Error::UnknownFormat),
            });
            return Ok(());
        }
        let max = self.format.ok_or(S2Error::NoIdentifier)?.largest_block();
        let (checksum, data) = body.split_first_chunk().ok_or(S2Error::ChunkLength { kind, len: body.len() })?;
        let before = out.len();
        let result = append_block(kind, data, max, out)
            .and_then(|()| if masked(&out[before..]) == *checksum { Ok(()) } else { Err(S2Error::Checksum) });
        if result.is_err() {
            out.truncate(before);
        }
        result
    }
}

fn append_block(kind: u8, data: &[u8], max: usize, out: &mut Vec<u8>) -> Result<(), S2Error> {
    if kind == UNCOMPRESSED {
        if data.len() > max {
            return Err(S2Error::BlockTooLarge { len: data.len(), max });
        }
        out.extend_from_slice(data);
        return Ok(());
    }
    let (len, _) = block::decode_len(data).map_err(|_| S2Error::Corrupt)?;
    if len > max {
        return Err(S2Error::BlockTooLarge { len, max });
    }
    let before = out.len();
    out.resize(before + len, 0);
    block::decode_into(&mut out[before..], data).map_err(|_| S2Error::Corrupt)?;
    Ok(())
}

/// How hard an encoder tries.
// spec: CLU-038
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Level {
    /// Not at all; the stream is framed all the same.
    Uncompressed,
    /// As `s2_fast`.
    #[default]
    Fast,
    /// As `s2_better`.
    Better,
    /// As `s2_best`, whose tables take some 5 MiB once a long block was written; a short one is as at `Better`.
    Best,
}

/// Writes a stream.
#[derive(Default)]
pub struct Encoder {
    level: Level,
    /// Whether the identifier was written.
    begun: bool,
    /// Made with the first block that is to be compressed, and sized by the level and the largest block.
    tables: Option<Box<block::Encoder>>,
}

impl Encoder {
    /// An encoder of this level.
    pub fn new(level: Level) -> Self {
        Self { level, begun: false, tables: None }
    }

    /// The level in force.
    pub const fn level(&self) -> Level {
        self.level
    }

    /// Changes the level from the next write on; the stream goes on.
    // spec: CLU-038
    pub fn set_level(&mut self, level: Level) {
        if self.level != level {
            self.level = level;
            self.tables = None;
        }
    }

    /// Appends `plain` as whole chunks, the first time with the stream's identifier before them.
    // spec: CLU-037
    pub fn encode(&mut self, plain: &[u8], out: &mut Vec<u8>) {
        if !self.begun {
            self.begun = true;
            append_header(out, IDENTIFIER, S2.len());
            out.extend_from_slice(S2);
        }
        for plain in plain.chunks(WRITE_BLOCK) {
            let compressed = self.compress(plain);
            let (kind, data) = match &compressed {
                Some(data) if data.len() < plain.len() => (COMPRESSED, &data[..]),
                _ => (UNCOMPRESSED, plain),
            };
            append_header(out, kind, CHECKSUM + data.len());
            out.extend_from_slice(&masked(plain));
            out.extend_from_slice(data);
        }
    }

    fn compress(&mut self, plain: &[u8]) -> Option<Vec<u8>> {
        if self.level == Level::Uncompressed {
            return None;
        }
        let tables = self.tables.get_or_insert_default();
        Some(match self.level {
            Level::Uncompressed | Level::Fast => tables.encode(plain),
            Level::Best if plain.len() >= SHORTEST_BEST => tables.encode_best(plain),
            Level::Better | Level::Best => tables.encode_better(plain),
        })
    }
}

impl std::fmt::Debug for Encoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Encoder").field("level", &self.level).field("begun", &self.begun).finish_non_exhaustive()
    }
}

fn append_header(out: &mut Vec<u8>, kind: u8, len: usize) {
    let [low, middle, high, ..] = len.to_le_bytes();
    out.extend_from_slice(&[kind, low, middle, high]);
}

/// The checksum of a block as it stands in a chunk: a sum that is the sum of itself would be a bad one, hence the mask.
fn masked(plain: &[u8]) -> [u8; CHECKSUM] {
    CASTAGNOLI.checksum(plain).rotate_right(15).wrapping_add(0xa282_ead8).to_le_bytes()
}
