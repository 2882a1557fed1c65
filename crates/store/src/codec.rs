//! Numbers and checksums as every file of a store has them.
//!
//! Numbers are little-endian, or variable: seven bits a byte, the lowest first, the high bit says that more follows.
//! The checksum is CRC-32C: it finds every burst of up to 32 bits and every few flipped bits for certain, other tools can
//! check it, and processors have an instruction for it. It is no protection against someone who can write to the disk.
//!
//! Invariant: a reader never looks past its bytes; what it cannot read is `None`.

/// The checksum of `bytes`, begun at `seed`: with the bits of it in reverse in the register, where none begins with all ones.
#[inline]
pub(crate) fn checksum(seed: u32, bytes: &[u8]) -> u32 {
    crc32c::crc32c_append(!seed.reverse_bits(), bytes)
}

/// The checksum of two pieces, one behind the other.
#[inline]
pub(crate) fn checksum2(seed: u32, first: &[u8], second: &[u8]) -> u32 {
    crc32c::crc32c_append(checksum(seed, first), second)
}

/// Writes a variable number.
#[inline]
pub(crate) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(low_bits(value) | 0x80);
        value >>= 7;
    }
    out.push(low_bits(value));
}

/// Writes a number that may be negative, small ones short.
#[inline]
pub(crate) fn put_signed(out: &mut Vec<u8>, value: i64) {
    put_varint(out, ((value << 1) ^ (value >> 63)).cast_unsigned());
}

/// Writes bytes with their length before them.
pub(crate) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

const fn low_bits(value: u64) -> u8 {
    (value & 0x7f) as u8
}

/// Reads numbers and pieces off the front of some bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reader<'a>(pub &'a [u8]);

impl<'a> Reader<'a> {
    /// One byte.
    #[inline]
    pub(crate) fn u8(&mut self) -> Option<u8> {
        let (&first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(first)
    }

    /// Four bytes.
    #[inline]
    pub(crate) fn u32(&mut self) -> Option<u32> {
        let (first, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u32::from_le_bytes(*first))
    }

    /// Eight bytes.
    #[inline]
    pub(crate) fn u64(&mut self) -> Option<u64> {
        let (first, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u64::from_le_bytes(*first))
    }

    /// A variable number.
    #[inline]
    pub(crate) fn varint(&mut self) -> Option<u64> {
        let (mut value, mut shift) = (0_u64, 0);
        loop {
            let byte = self.u8()?;
            let bits = u64::from(byte & 0x7f);
            // The tenth byte has room for one bit.
            if shift == 63 && bits > 1 {
                return None;
            }
            value |= bits << shift;
            if byte < 0x80 {
                return Some(value);
            }
            shift += 7;
            if shift > 63 {
                return None;
            }
        }
    }

    /// A variable number that counts bytes or things that each take at least one: never more than there are bytes.
    #[inline]
    pub(crate) fn count(&mut self) -> Option<usize> {
        let count = usize::try_from(self.varint()?).ok()?;
        (count <= self.0.len()).then_some(count)
    }

    /// A number that may be negative.
    #[inline]
    pub(crate) fn signed(&mut self) -> Option<i64> {
        let bits = self.varint()?;
        Some((bits >> 1).cast_signed() ^ -(bits & 1).cast_signed())
    }

    /// The next `len` bytes.
    #[inline]
    pub(crate) fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (first, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(first)
    }

    /// Bytes with their length before them.
    #[inline]
    pub(crate) fn bytes(&mut self) -> Option<&'a [u8]> {
        let len = self.count()?;
        self.take(len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back() {
        for value in [0, 1, 127, 128, 16_383, 16_384, u64::from(u32::MAX), u64::MAX - 1, u64::MAX] {
            let mut out = Vec::new();
            put_varint(&mut out, value);
            assert_eq!(Reader(&out).varint(), Some(value));
            assert_eq!(Reader(&out[..out.len() - 1]).varint(), None, "cut short");
        }
        for value in [0, -1, 1, i64::MIN, i64::MAX, -64, 63] {
            let mut out = Vec::new();
            put_signed(&mut out, value);
            assert_eq!(Reader(&out).signed(), Some(value));
        }
    }

    #[test]
    fn numbers_too_long_are_none() {
        assert_eq!(Reader(&[0xff; 11]).varint(), None);
        assert_eq!(Reader(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02]).varint(), None);
        assert_eq!(Reader(&[0x05, 1, 2]).count(), None, "more than there are bytes");
    }

    #[test]
    fn the_checksum_is_the_one_of_the_field() {
        assert_eq!(checksum(u32::MAX, b"123456789"), 0xe306_9283);
        assert_eq!(checksum2(7, b"1234", b"56789"), checksum(7, b"123456789"));
    }
}
