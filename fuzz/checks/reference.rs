//! Checksums as the reference has them: a check puts them behind what it makes up, so that it is read.

use highway::{HighwayHash, HighwayHasher, Key};
use sha2::{Digest, Sha256};

/// Bytes of one.
const SUM: usize = 8;
/// Bytes of a record before its subject.
const HEAD: usize = 22;
const HAS_HEADERS: u32 = 1 << 31;

/// The checksum of `parts` in a file that belongs to a thing with a name.
pub(crate) fn sum(name: &str, parts: &[&[u8]]) -> [u8; SUM] {
    let digest = Sha256::digest(name.as_bytes());
    let word = |at: usize| u64::from_le_bytes(digest[8 * at..8 * at + 8].try_into().expect("eight bytes"));
    let mut hasher = HighwayHasher::new(Key([word(0), word(1), word(2), word(3)]));
    for part in parts {
        hasher.append(part);
    }
    hasher.finalize64().to_le_bytes()
}

/// Makes the checksum right of a file that ends with it.
pub(crate) fn seal(name: &str, bytes: &mut [u8]) {
    if let Some((content, last)) = bytes.split_last_chunk_mut::<SUM>() {
        *last = sum(name, &[content]);
    }
}

/// Makes the checksums right of what could be records of a stream's block.
pub(crate) fn seal_block(stream: &str, block: u32, mut bytes: &mut [u8]) {
    let name = format!("{stream}-{block}");
    while let Some(head) = bytes.first_chunk::<HEAD>() {
        let said = u32::from_le_bytes([head[0], head[1], head[2], head[3]]);
        let subject = HEAD + usize::from(u16::from_le_bytes([head[20], head[21]]));
        let body = subject + if said & HAS_HEADERS != 0 { 4 } else { 0 };
        let size = (said & !HAS_HEADERS) as usize;
        if size < body + SUM || size > bytes.len() {
            return;
        }
        let (record, rest) = bytes.split_at_mut(size);
        let (content, last) = record.split_last_chunk_mut::<SUM>().expect("it is as long at least");
        *last = sum(&name, &[&content[4..20], &content[HEAD..subject], &content[body..]]);
        bytes = rest;
    }
}
