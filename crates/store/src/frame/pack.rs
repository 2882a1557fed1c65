//! Blocks: some records of an entry, packed together: compressed with S2's code for blocks, or encrypted, or both.
//!
//! A block has about [`BLOCK`] bytes of records, or one record that is larger: so much is read for one message, and so much
//! is lost where a bit is. Records that would not become smaller by an eighth are not compressed. If nothing is encrypted,
//! they stand as they are then.
//!
//! Invariant: unpacking makes no more of a block than it says it has, and no more than [`LONGEST`].

use std::sync::Arc;

use minlz::s2;

use super::record::{self, Block, Origin, Site};
use super::{COMPRESSED, SEALED, add_to_body_sum, len_u32};
use crate::record::Record;
use crate::seal::{OVERHEAD, Purpose, Vault};

/// Bytes of records that make a block.
const BLOCK: usize = 32 << 10;
/// Fewer are not worth the try.
const SHORTEST: usize = 256;
/// More is not compressed: it would have to be taken at its word for how much memory it takes. No message is as long.
const LONGEST: usize = 128 << 20;

/// Packs, if it has been told to.
#[derive(Default)]
pub(crate) struct Packer {
    /// Whether to compress.
    pub compresses: bool,
    /// What to encrypt with, if so.
    pub vault: Option<Arc<Vault>>,
    tables: s2::Encoder,
    /// Records of the block at hand without their checksums.
    bare: Vec<u8>,
    /// Their checksums.
    sums: Vec<u32>,
}

impl Packer {
    /// One that compresses or not.
    pub(crate) fn new(compresses: bool) -> Self {
        Self { compresses, ..Self::default() }
    }

    /// Whether it has anything to do.
    pub(crate) fn has_work(&self) -> bool {
        self.compresses || self.vault.is_some()
    }

    /// Gives back all memory.
    pub(crate) fn clear(&mut self) {
        *self = Self { vault: self.vault.take(), ..Self::new(self.compresses) };
    }

    /// Writes records at the end of `out`, which is at `site`, some of them in blocks, and adds to the body's checksum; gives
    /// the frame's flags.
    pub(super) fn write_records(
        &mut self,
        out: &mut Vec<u8>,
        origin: &Origin,
        site: Site,
        records: &[Record<'_>],
        body_sum: &mut u32,
    ) -> u8 {
        let start = out.len();
        let mut block = Ending { from: start, origin, site, body_sum };
        let mut flags = if self.vault.is_some() { SEALED } else { 0 };
        for record in records {
            // A large one stands alone: who reads its neighbours does not have to read it.
            if out.len() > block.from && record::bound(record) >= BLOCK as u64 {
                flags |= self.end_block(out, &mut block);
            }
            self.sums.push(record::write_record(out, origin, record));
            if out.len() - block.from >= BLOCK {
                flags |= self.end_block(out, &mut block);
            }
        }
        flags | self.end_block(out, &mut block)
    }

    /// Makes a block of the records that have been written, if so, and begins the next one.
    fn end_block(&mut self, out: &mut Vec<u8>, block: &mut Ending<'_>) -> u8 {
        let Ending { from, origin, site, .. } = *block;
        if out.len() == from {
            return 0;
        }
        self.bare.clear();
        record::strip(&out[from..], &mut self.bare);
        let compressed = self.compress(out.len() - from);
        let is_compressed = compressed.is_some();
        let mut bytes = compressed;
        if let Some(vault) = &self.vault {
            let mut sealed = Vec::with_capacity(self.bare.len() + OVERHEAD);
            let plain = bytes.as_deref().unwrap_or(&self.bare);
            vault.seal(Purpose::Segment(site.segment), &origin.bind(&site), plain, &mut sealed);
            bytes = Some(sealed);
        }
        if let Some(bytes) = &bytes {
            out.truncate(from);
            let packed = Block { is_compressed, is_sealed: self.vault.is_some(), bytes };
            *block.body_sum = add_to_body_sum(*block.body_sum, record::write_block(out, origin, &packed));
        } else {
            *block.body_sum = self.sums.iter().fold(*block.body_sum, |all, sum| add_to_body_sum(all, *sum));
        }
        self.sums.clear();
        block.site.at = site.at.wrapping_add(len_u32(out.len() - from));
        block.from = out.len();
        if is_compressed { COMPRESSED } else { 0 }
    }

    /// The bare records compressed, if that makes `len` bytes less by an eighth.
    fn compress(&mut self, len: usize) -> Option<Vec<u8>> {
        if !self.compresses || !(SHORTEST..=LONGEST).contains(&len) {
            return None;
        }
        let bytes = self.tables.encode(&self.bare);
        (bytes.len() <= len - len / 8).then_some(bytes)
    }
}

/// The block that is being written.
struct Ending<'a> {
    /// Where its records begin in what is written.
    from: usize,
    origin: &'a Origin,
    /// Where that will stand.
    site: Site,
    body_sum: &'a mut u32,
}

/// More than the bytes that blocks add to so many bytes of records.
pub(super) fn bound(bytes: u64) -> u64 {
    // Each has either that many bytes, or ends before one that has, or is the last.
    (2 * bytes / BLOCK as u64 + 2) * (OVERHEAD as u64 + 16)
}

impl std::fmt::Debug for Packer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Packer").field("compresses", &self.compresses).finish_non_exhaustive()
    }
}

/// What blocks of a segment are unpacked with.
#[derive(Debug, Clone)]
pub(crate) struct Unpacker {
    vault: Option<Arc<Vault>>,
    segment: u64,
}

impl Packer {
    /// For blocks of a segment.
    pub(crate) fn unpacker(&self, segment: u64) -> Unpacker {
        Unpacker { vault: self.vault.clone(), segment }
    }
}

impl Unpacker {
    /// Puts the records of the block at `at` into `out`, in place of what was there; `None` if they cannot be had again.
    pub(crate) fn unpack(&self, block: &Block<'_>, origin: &Origin, at: u32, out: &mut Vec<u8>) -> Option<()> {
        if !block.is_sealed {
            return expand(block.is_compressed, block.bytes, out);
        }
        let (purpose, place) = (Purpose::Segment(self.segment), origin.bind(&Site { segment: self.segment, at }));
        if !block.is_compressed {
            return self.vault.as_ref()?.open(purpose, &place, block.bytes, out);
        }
        let mut opened = Vec::new();
        self.vault.as_ref()?.open(purpose, &place, block.bytes, &mut opened)?;
        expand(true, &opened, out)
    }
}

fn expand(is_compressed: bool, bytes: &[u8], out: &mut Vec<u8>) -> Option<()> {
    out.clear();
    if !is_compressed {
        out.extend_from_slice(bytes);
        return Some(());
    }
    let (len, _) = s2::decode_len(bytes).ok().filter(|(len, _)| *len <= LONGEST)?;
    out.resize(len, 0);
    s2::decode_into(out, bytes).ok().filter(|written| *written == len)?;
    Some(())
}
