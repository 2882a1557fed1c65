//! The text form of keys and seeds.

use data_encoding::BASE32_NOPAD;

use super::{NkeyError, Prefix};

const SEED: u8 = 18 << 3;
const KEY_LEN: usize = 32;

pub(super) fn encode_public(prefix: Prefix, key: &[u8; KEY_LEN]) -> String {
    encode(&[prefix as u8], key)
}

/// A seed has the prefixes `S` and the kind's own, five bits each.
pub(super) fn encode_seed(prefix: Prefix, seed: &[u8; KEY_LEN]) -> String {
    let kind = prefix as u8;
    encode(&[SEED | (kind >> 5), (kind & 31) << 3], seed)
}

pub(super) fn decode_public(text: &str) -> Result<(Prefix, [u8; KEY_LEN]), NkeyError> {
    let raw = decode(text)?;
    let (prefix, key) = raw.split_first().ok_or(NkeyError::Encoding)?;
    let prefix = Prefix::from_byte(*prefix).ok_or(NkeyError::Prefix)?;
    Ok((prefix, key.try_into().map_err(|_| NkeyError::Encoding)?))
}

pub(super) fn decode_seed(text: &str) -> Result<(Prefix, [u8; KEY_LEN]), NkeyError> {
    let raw = decode(text)?;
    let ([first, second], seed) = raw.split_first_chunk::<2>().ok_or(NkeyError::Encoding)?;
    if first & 0xf8 != SEED {
        return Err(NkeyError::Prefix);
    }
    let prefix = Prefix::from_byte((first & 7) << 5 | second >> 3).ok_or(NkeyError::Prefix)?;
    Ok((prefix, seed.try_into().map_err(|_| NkeyError::Encoding)?))
}

fn encode(prefix: &[u8], key: &[u8; KEY_LEN]) -> String {
    let mut raw = Vec::with_capacity(prefix.len() + KEY_LEN + 2);
    raw.extend_from_slice(prefix);
    raw.extend_from_slice(key);
    raw.extend_from_slice(&crc16(&raw).to_le_bytes());
    BASE32_NOPAD.encode(&raw)
}

fn decode(text: &str) -> Result<Vec<u8>, NkeyError> {
    let mut raw = BASE32_NOPAD.decode(text.as_bytes()).map_err(|_| NkeyError::Encoding)?;
    let (body, sum) = raw.split_last_chunk::<2>().ok_or(NkeyError::Encoding)?;
    if crc16(body) != u16::from_le_bytes(*sum) {
        return Err(NkeyError::Checksum);
    }
    raw.truncate(raw.len() - 2);
    Ok(raw)
}

/// CRC-16/XMODEM. Keys are decoded when a configuration is read, so there is no table.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, byte| {
        (0..8).fold(crc ^ u16::from(*byte) << 8, |crc, _| if crc & 0x8000 == 0 { crc << 1 } else { crc << 1 ^ 0x1021 })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_xmodem() {
        // The check value every catalogue of CRCs gives.
        assert_eq!(crc16(b"123456789"), 0x31c3);
    }
}
