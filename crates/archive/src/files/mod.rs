//! What the reference keeps on disk of a stream: its messages in blocks, an index of them, its configuration, its consumers.
//!
//! | module | what lives there |
//! |---|---|
//! | `block` | messages, and that they are gone, one behind the other |
//! | `index` | which of them are there, as the server left it when it stopped |
//! | `shelf` | all blocks of a stream together: what is there of it |
//! | `consumer` | where a consumer stands |
//! | `meta` | configurations, with their checksums |
//! | `seal` | what all of it is encrypted with |
//!
//! Numbers are little-endian or, where they are short mostly, of base 128.

mod block;
mod consumer;
mod index;
mod meta;
mod seal;
mod shelf;

pub use block::{BlockError, Record, Records, unpack};
pub use consumer::consumer_state;
pub use index::{Index, IndexError};
pub use meta::{Meta, MetaError, check_consumer_sum, check_sum};
pub use seal::{AssetKey, Cipher, MasterKey, SealError};
pub use shelf::{Contents, Fault, Shelf};

use highway::{HighwayHash, HighwayHasher, Key};
use sha2::{Digest, Sha256};

/// Checksums as the reference makes them: keyed by the name of what they are about.
#[derive(Debug, Clone, Copy)]
struct Hash([u64; 4]);

impl Hash {
    fn of(name: &str) -> Self {
        let digest = Sha256::digest(name.as_bytes());
        let mut key = [0; 4];
        for (word, bytes) in key.iter_mut().zip(digest.chunks_exact(8)) {
            *word = u64::from_le_bytes(bytes.try_into().expect("eight bytes"));
        }
        Self(key)
    }

    fn sum(&self, parts: &[&[u8]]) -> [u8; 8] {
        let mut hasher = HighwayHasher::new(Key(self.0));
        for part in parts {
            hasher.append(part);
        }
        hasher.finalize64().to_le_bytes()
    }
}

/// Reads numbers of base 128, and whatever else stands between them.
#[derive(Debug)]
struct Numbers<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// It ends too early, or a number is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Short {
    at: usize,
}

impl<'a> Numbers<'a> {
    fn new(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at }
    }

    fn unsigned(&mut self) -> Result<u64, Short> {
        let mut number = 0;
        for place in 0..10 {
            let byte = *self.bytes.get(self.at + place).ok_or(Short { at: self.at })?;
            if place == 9 && byte > 1 {
                break;
            }
            number |= u64::from(byte & 0x7f) << (7 * place);
            if byte < 0x80 {
                self.at += place + 1;
                return Ok(number);
            }
        }
        Err(Short { at: self.at })
    }

    fn signed(&mut self) -> Result<i64, Short> {
        let number = self.unsigned()?;
        Ok((number >> 1).cast_signed() ^ -(number & 1).cast_signed())
    }

    fn bytes(&mut self, len: usize) -> Result<&'a [u8], Short> {
        let bytes = self.bytes.get(self.at..).and_then(|rest| rest.get(..len)).ok_or(Short { at: self.at })?;
        self.at += len;
        Ok(bytes)
    }

    fn u32(&mut self) -> Result<u32, Short> {
        Ok(u32::from_le_bytes(self.bytes(4)?.try_into().expect("four bytes")))
    }

    fn u64(&mut self) -> Result<u64, Short> {
        Ok(u64::from_le_bytes(self.bytes(8)?.try_into().expect("eight bytes")))
    }
}
