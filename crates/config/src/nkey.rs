//! Whether text is a public nkey: base32 of a prefix byte, 32 key bytes and their checksum.
//!
//! Invariant: no cryptography here; whether anyone holds the private half is for `martlet-auth` to find out.

/// What a public key stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Account,
    User,
    Operator,
    Server,
    Cluster,
    Curve,
}

impl Role {
    const ALL: [Self; 6] = [Self::Account, Self::User, Self::Operator, Self::Server, Self::Cluster, Self::Curve];

    /// The first byte, chosen so that the text starts with a telling letter.
    const fn prefix(self) -> u8 {
        match self {
            Self::Account => 0,
            Self::Cluster => 2 << 3,
            Self::Server => 13 << 3,
            Self::Operator => 14 << 3,
            Self::User => 20 << 3,
            Self::Curve => 23 << 3,
        }
    }
}

/// The role of a public key; `None` if `text` is none.
pub(crate) fn role(text: &str) -> Option<Role> {
    let raw = data_encoding::BASE32_NOPAD.decode(text.as_bytes()).ok()?;
    let (key, checksum) = raw.split_last_chunk::<2>()?;
    if key.len() != 33 || crc16(key) != u16::from_le_bytes(*checksum) {
        return None;
    }
    Role::ALL.into_iter().find(|role| role.prefix() == key[0])
}

/// Whether `text` is the private half of a user's nkey.
pub(crate) fn is_user_seed(text: &str) -> bool {
    /// What every seed begins with: `S`, as text.
    const SEED: u8 = 18 << 3;
    let Ok(raw) = data_encoding::BASE32_NOPAD.decode(text.as_bytes()) else { return false };
    let Some((key, checksum)) = raw.split_last_chunk::<2>() else { return false };
    // The two prefixes share thirteen bits: five of the seed's and eight of the role's.
    let user = Role::User.prefix();
    key.len() == 34
        && crc16(key) == u16::from_le_bytes(*checksum)
        && key[0] == SEED | (user >> 5)
        && key[1] & 0xf8 == user << 3
}

/// CRC-16/XMODEM.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, &byte| {
        (0..8).fold(
            crc ^ (u16::from(byte) << 8),
            |crc, _| {
                if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 }
            },
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_keys_are_told_by_prefix_and_checksum() {
        // spec: CFG-106 CFG-226 CFG-240
        for (text, expected) in [
            ("UCNGL4W5QX66CFX6A6DCBVDH5VOHMI7B2UZZU7TXAUQQSI2JPHULCKBR", Some(Role::User)),
            ("ABJHLOVMPA4CI6R5KLNGOB4GSLNIY7IOUPAJC4YFNDLQVIOBYQGUWVLA", Some(Role::Account)),
            ("UCNGL4W5QX66CFX6A6DCBVDH5VOHMI7B2UZZU7TXAUQQSI2JPHULCKBA", None),
            ("UCNGL4W5", None),
            ("", None),
            ("not a key", None),
        ] {
            assert_eq!(role(text), expected, "{text}");
        }
    }
}
