//! A segment's summary: a file beside it that says what is where in it, and what each subject has there, so that the segment
//! need not be read for that.
//!
//! | module | what lives there |
//! |---|---|
//! | `table` | subjects with their sequences, as blocks have them |
//! | `facts` | what recovery needs to know of the segment beside that |
//! | `write` | from a segment to its summary, a piece at a time |
//! | `probe` | what the fuzzer calls |
//!
//! It is written once, when nothing is added to the segment any more, and says what was written there, not what has been
//! deleted since. It belongs to one segment as it is: when that is written anew, or something in it is overwritten, the
//! summary goes, and another one is made.
//!
//! Invariant: nothing is in it that the segment does not say, too. Where it is missing or damaged, the segment is read.

mod facts;
pub(crate) mod probe;
mod table;
#[cfg(test)]
mod tests;
mod write;

use std::io;
use std::sync::Arc;

pub(crate) use facts::Facts;
pub(crate) use table::Entries;
pub(crate) use write::{Making, Progress};

use super::checkpoint::read_all;
use super::segment::Segment;
use super::survey::offset;
use super::walk::may_be_torn;
use crate::codec::{Reader, checksum};
use crate::disk::{Disk, File, is_passing};
use crate::seal::{Purpose, Vault};

/// The first bytes of a summary.
const MAGIC: [u8; 8] = *b"MartIdx\x01";
/// The first bytes of one that is encrypted.
const SEALED: [u8; 8] = *b"MartIdx\x02";
/// Bytes of its header.
pub(crate) const HEADER: usize = 64;
/// Bytes of a checksum.
const SUM: usize = 4;

/// The name of a segment's summary.
pub(crate) fn name_of(number: u64) -> String {
    format!("{number:012}.idx")
}

/// The number of the segment whose summary would have this name.
pub(crate) fn number_of(name: &str) -> Option<u64> {
    let number: u64 = name.strip_suffix(".idx")?.parse().ok()?;
    (name == name_of(number)).then_some(number)
}

/// What a summary's header says: of which segment it is, and where its parts are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    /// The log's own number.
    pub salt: u32,
    /// The checksum of the last entry's header in the segment, or of the last that it stands for.
    pub chain: u32,
    /// The segment's number.
    pub number: u64,
    /// Its last entry.
    pub last_index: u64,
    /// Its last sequence.
    pub last_seq: u64,
    /// Its length.
    pub end: u32,
    /// Where the directory of blocks begins.
    directory: u32,
    /// Where the facts begin.
    facts: u32,
    /// Bytes of the summary.
    pub len: u32,
    is_sealed: bool,
}

impl Header {
    fn of(segment: &Segment, salt: u32, is_sealed: bool) -> Self {
        let (chain, number, end) = (segment.chain, segment.header.number, segment.end);
        let (last_index, last_seq) = (segment.last_index, segment.last_seq);
        Self { salt, chain, number, last_index, last_seq, end, directory: 0, facts: 0, len: 0, is_sealed }
    }

    fn magic(&self) -> [u8; 8] {
        if self.is_sealed { SEALED } else { MAGIC }
    }

    fn encode(&self) -> [u8; HEADER] {
        let mut out = [0; HEADER];
        out[..8].copy_from_slice(&self.magic());
        out[8..12].copy_from_slice(&self.salt.to_le_bytes());
        out[12..16].copy_from_slice(&self.chain.to_le_bytes());
        for (at, number) in [(16, self.number), (24, self.last_index), (32, self.last_seq)] {
            out[at..at + 8].copy_from_slice(&number.to_le_bytes());
        }
        for (at, number) in [(40, self.end), (44, self.directory), (48, self.facts), (52, self.len)] {
            out[at..at + 4].copy_from_slice(&number.to_le_bytes());
        }
        let sum = checksum(0, &out[..HEADER - SUM]);
        out[HEADER - SUM..].copy_from_slice(&sum.to_le_bytes());
        out
    }

    fn decode(bytes: &[u8]) -> Result<Self, &'static str> {
        let bytes = bytes.get(..HEADER).ok_or("ends within its header")?;
        let (content, sum) = bytes.split_at(HEADER - SUM);
        if checksum(0, content).to_le_bytes() != *sum {
            return Err("has a damaged header");
        }
        let is_sealed = content[..8] == SEALED;
        if !is_sealed && content[..8] != MAGIC {
            return Err("is of a version that this server does not know");
        }
        Self::parse(Reader(&content[8..]), is_sealed).ok_or("has a damaged header")
    }

    fn parse(mut reader: Reader<'_>, is_sealed: bool) -> Option<Self> {
        let (salt, chain) = (reader.u32()?, reader.u32()?);
        let (number, last_index, last_seq) = (reader.u64()?, reader.u64()?, reader.u64()?);
        let (end, directory, facts, len) = (reader.u32()?, reader.u32()?, reader.u32()?, reader.u32()?);
        let is_in_order = HEADER <= directory as usize && directory <= facts && facts <= len;
        let header = Self { salt, chain, number, last_index, last_seq, end, directory, facts, len, is_sealed };
        // One more than any number is a number, too.
        (is_in_order && last_index < u64::MAX && last_seq < u64::MAX).then_some(header)
    }

    /// What a part at a place belongs to: a part of another summary, or of one that was there before, does not fit.
    fn bind(&self, at: u32) -> [u8; 28] {
        let mut place = [0; 28];
        place[..8].copy_from_slice(&self.magic());
        place[8..12].copy_from_slice(&self.salt.to_le_bytes());
        place[12..16].copy_from_slice(&self.chain.to_le_bytes());
        place[16..24].copy_from_slice(&self.number.to_le_bytes());
        place[24..].copy_from_slice(&at.to_le_bytes());
        place
    }

    /// Writes a part at the end of `out`, encrypted if so, with its checksum behind it.
    fn put_part(&self, out: &mut Vec<u8>, content: &[u8], vault: Option<&Vault>) {
        let (start, place) = (out.len(), self.bind(offset(out.len())));
        match vault {
            Some(vault) => vault.seal(Purpose::Segment(self.number), &place, content, out),
            None => out.extend_from_slice(content),
        }
        let sum = checksum(checksum(self.salt, &place), &out[start..]);
        out.extend_from_slice(&sum.to_le_bytes());
    }

    /// What is in the part that is all of `bytes`, and begins at `at`.
    fn open_part(&self, at: u32, mut bytes: Vec<u8>, vault: Option<&Vault>) -> Option<Vec<u8>> {
        let (len, place) = (bytes.len().checked_sub(SUM)?, self.bind(at));
        if checksum(checksum(self.salt, &place), &bytes[..len]).to_le_bytes() != bytes[len..] {
            return None;
        }
        bytes.truncate(len);
        if !self.is_sealed {
            return Some(bytes);
        }
        let mut opened = Vec::new();
        vault?.open(Purpose::Segment(self.number), &place, &bytes, &mut opened)?;
        Some(opened)
    }
}

/// Why there is no summary to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// There is none, or one that was not finished.
    Missing,
    /// It cannot be read now.
    NotNow,
    /// It is not what was written.
    Damaged(&'static str),
}

impl Fault {
    /// The disk does not give it.
    fn of(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound => Self::Missing,
            _ if is_passing(error) => Self::NotNow,
            _ => Self::Damaged("cannot be read"),
        }
    }
}

/// What is wrong where a checksum is.
const DAMAGED: Fault = Fault::Damaged("is damaged");

/// An open summary.
#[derive(Debug)]
pub(crate) struct Summary {
    pub header: Header,
    file: Arc<dyn File>,
    vault: Option<Arc<Vault>>,
}

impl Summary {
    /// Opens a segment's summary. One that is in plain where it should not be is as if it were not there.
    pub(crate) fn open(disk: &dyn Disk, number: u64, salt: u32, vault: Option<Arc<Vault>>) -> Result<Self, Fault> {
        let file = disk.open(&name_of(number)).map_err(|error| Fault::of(&error))?;
        let mut bytes = [0; HEADER];
        let len = file.read_at(&mut bytes, 0).map_err(|error| Fault::of(&error))?;
        let header = Header::decode(&bytes[..len]).map_err(Fault::Damaged)?;
        if header.number != number || header.salt != salt {
            return Err(Fault::Damaged("is another file"));
        }
        if file.len().is_ok_and(|len| len < u64::from(header.len)) {
            return Err(Fault::Damaged("is cut short"));
        }
        match (&vault, header.is_sealed) {
            (Some(_), false) => Err(Fault::Missing),
            (None, true) => Err(Fault::Damaged("is encrypted, and the stream is not")),
            _ => Ok(Self { header, file, vault }),
        }
    }

    /// What is in the part from `at` to `to`.
    fn part(&self, at: u32, to: u32) -> Result<Vec<u8>, Fault> {
        let mut bytes = vec![0; to.checked_sub(at).filter(|_| to <= self.header.len).ok_or(DAMAGED)? as usize];
        let len = self.file.read_at(&mut bytes, u64::from(at)).map_err(|error| Fault::of(&error))?;
        bytes.truncate(len);
        self.header.open_part(at, bytes, self.vault.as_deref()).ok_or(DAMAGED)
    }

    /// What recovery needs. `base` is the last sequence in use before the segment.
    pub(crate) fn facts(&self, base: u64) -> Result<Facts, Fault> {
        let bytes = self.part(self.header.facts, self.header.len)?;
        Facts::decode(&bytes, base).ok_or(DAMAGED)
    }

    /// Tells of all blocks, in order.
    pub(crate) fn for_each_block(&self, base: u64, f: &mut dyn FnMut(Entries<Vec<u8>>)) -> Result<(), Fault> {
        let directory = self.part(self.header.directory, self.header.facts)?;
        let (mut reader, mut at) = (Reader(&directory), offset(HEADER));
        while !reader.0.is_empty() {
            let (end, _) = next_block(&mut reader, at).ok_or(DAMAGED)?;
            f(Entries::new(self.part(at, end)?, base));
            at = end;
        }
        Ok(())
    }

    /// What a subject has here, if anything.
    pub(crate) fn find(&self, subject: &[u8], base: u64) -> Result<Option<Entries<Vec<u8>>>, Fault> {
        let directory = self.part(self.header.directory, self.header.facts)?;
        let (mut reader, mut next, mut block) = (Reader(&directory), offset(HEADER), None);
        // The last block that begins at or before it.
        while !reader.0.is_empty() {
            let (end, first) = next_block(&mut reader, next).ok_or(DAMAGED)?;
            if first > subject {
                break;
            }
            block = Some((next, end));
            next = end;
        }
        let Some((at, end)) = block else { return Ok(None) };
        let mut entries = Entries::new(self.part(at, end)?, base);
        while entries.advance() {
            match entries.subject().cmp(subject) {
                std::cmp::Ordering::Less => {}
                std::cmp::Ordering::Equal => return Ok(Some(entries)),
                std::cmp::Ordering::Greater => return Ok(None),
            }
        }
        if entries.is_at_end() { Ok(None) } else { Err(DAMAGED) }
    }

    /// Looks about `len` bytes of it through from block `at` on, 0 for the first; where the next ones begin, if there are any.
    pub(crate) fn verify(&self, base: u64, at: u32, len: u32) -> Result<Option<u32>, Fault> {
        let directory = self.part(self.header.directory, self.header.facts)?;
        let (mut reader, mut next) = (Reader(&directory), offset(HEADER));
        let end = at.max(next).saturating_add(len);
        while !reader.0.is_empty() && next < end {
            let (begin, (behind, _)) = (next, next_block(&mut reader, next).ok_or(DAMAGED)?);
            next = behind;
            if begin < at {
                continue;
            }
            let mut entries = Entries::new(self.part(begin, behind)?, base);
            while entries.advance() {}
            if !entries.is_at_end() {
                return Err(DAMAGED);
            }
        }
        if !reader.0.is_empty() {
            return Ok(Some(next));
        }
        self.facts(base).map(|_| None)
    }
}

/// The next block of a directory, which begins at `at`: its end, and its first subject.
fn next_block<'d>(reader: &mut Reader<'d>, at: u32) -> Option<(u32, &'d [u8])> {
    let end = at.checked_add(u32::try_from(reader.varint()?).ok()?)?;
    Some((end, reader.bytes()?))
}

/// Whether a write that was cut off explains what is wrong with a summary.
pub(crate) fn is_torn(disk: &dyn Disk, name: &str) -> bool {
    let Ok(bytes) = disk.open(name).and_then(|file| read_all(&*file)) else { return false };
    let is_short = Header::decode(&bytes).is_ok_and(|header| header.len as usize > bytes.len());
    bytes.len() < HEADER || is_short || may_be_torn(&bytes, 0, bytes.len())
}
