//! Blocks: some records of an entry, packed together. They are compressed with S2's code for blocks.
//!
//! A block has about [`BLOCK`] bytes of records, or one record that is larger: so much is read for one message, and so much
//! is lost where a bit is. Records that would not become smaller by an eighth stand as they are.
//!
//! Invariant: unpacking makes no more of a block than it says it has, and no more than [`MAX_BODY`].

use minlz::s2;

use super::record::{self, Block, Origin};
use super::{MAX_BODY, add_to_body_sum};
use crate::record::Record;

/// Bytes of records that make a block.
const BLOCK: usize = 32 << 10;
/// Fewer are not worth the try.
const SHORTEST: usize = 256;

/// Packs, if it has been told to.
#[derive(Default)]
pub(crate) struct Packer {
    /// Whether to compress.
    pub compresses: bool,
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
        self.compresses
    }

    /// Gives back all memory.
    pub(crate) fn clear(&mut self) {
        *self = Self::new(self.compresses);
    }

    /// Writes records at the end of `out`, some of them in blocks, and adds to the body's checksum; whether anything became
    /// smaller.
    pub(super) fn write_records(
        &mut self,
        out: &mut Vec<u8>,
        origin: &Origin,
        records: &[Record<'_>],
        body_sum: &mut u32,
    ) -> bool {
        let (mut block, mut is_compressed) = (out.len(), false);
        for record in records {
            // A large one stands alone: who reads its neighbours does not have to read it.
            if out.len() > block && record::bound(record) >= BLOCK as u64 {
                is_compressed |= self.end_block(out, block, origin, body_sum);
                block = out.len();
            }
            self.sums.push(record::write_record(out, origin, record));
            if out.len() - block >= BLOCK {
                is_compressed |= self.end_block(out, block, origin, body_sum);
                block = out.len();
            }
        }
        is_compressed | self.end_block(out, block, origin, body_sum)
    }

    /// Makes a block of the records from `from` on, if that is smaller.
    fn end_block(&mut self, out: &mut Vec<u8>, from: usize, origin: &Origin, body_sum: &mut u32) -> bool {
        let packed = self.compress(&out[from..]);
        if let Some(bytes) = &packed {
            out.truncate(from);
            let sum = record::write_block(out, origin, &Block { is_compressed: true, bytes });
            *body_sum = add_to_body_sum(*body_sum, sum);
        } else {
            *body_sum = self.sums.iter().fold(*body_sum, |all, sum| add_to_body_sum(all, *sum));
        }
        self.sums.clear();
        packed.is_some()
    }

    fn compress(&mut self, records: &[u8]) -> Option<Vec<u8>> {
        if records.len() < SHORTEST {
            return None;
        }
        self.bare.clear();
        record::strip(records, &mut self.bare);
        let bytes = self.tables.encode(&self.bare);
        (bytes.len() <= records.len() - records.len() / 8).then_some(bytes)
    }
}

impl std::fmt::Debug for Packer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Packer").field("compresses", &self.compresses).finish_non_exhaustive()
    }
}

/// Puts the records of a block into `out`, in place of what was there; `None` if they cannot be had again.
pub(crate) fn unpack(block: &Block<'_>, out: &mut Vec<u8>) -> Option<()> {
    out.clear();
    if !block.is_compressed {
        out.extend_from_slice(block.bytes);
        return Some(());
    }
    let (len, _) = s2::decode_len(block.bytes).ok().filter(|(len, _)| *len as u64 <= MAX_BODY)?;
    out.resize(len, 0);
    s2::decode_into(out, block.bytes).ok().filter(|written| *written == len)?;
    Some(())
}
