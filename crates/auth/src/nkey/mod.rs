//! nkeys: ed25519 keys in a text form that says what they are for.
//!
//! The text is base32 (no padding) of a prefix byte, 32 bytes of key and a little-endian CRC-16; the prefix
//! shows as the first letter: `U…` a user, `A…` an account, `N…` a server, `X…` a curve key (SEC-014).
//!
//! Invariant: no randomness here. Whoever makes a key brings the bytes.

mod keys;
mod text;

use data_encoding::{BASE64, BASE64URL_NOPAD};

pub(crate) use keys::PublicKey;
pub use keys::{CurveKey, KeyPair};

/// Bytes of randomness in a nonce.
pub const NONCE_RANDOM_BYTES: usize = 11;

/// Bytes of a nonce as INFO carries it and as clients sign it.
pub const NONCE_LEN: usize = 15;

/// The nonce text made of random bytes: base64, URL alphabet, unpadded.
// spec: SEC-011 CORE-024
#[must_use]
pub fn nonce(random: [u8; NONCE_RANDOM_BYTES]) -> [u8; NONCE_LEN] {
    let mut text = [0; NONCE_LEN];
    BASE64URL_NOPAD.encode_mut(&random, &mut text);
    text
}

/// What a key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Prefix {
    /// `A`
    Account = 0,
    /// `C`
    Cluster = 2 << 3,
    /// `N`
    Server = 13 << 3,
    /// `O`
    Operator = 14 << 3,
    /// `U`
    User = 20 << 3,
    /// `X`
    Curve = 23 << 3,
}

impl Prefix {
    fn from_byte(byte: u8) -> Option<Self> {
        [Self::Account, Self::Cluster, Self::Server, Self::Operator, Self::User, Self::Curve]
            .into_iter()
            .find(|prefix| *prefix as u8 == byte)
    }
}

/// Why a text is no nkey.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NkeyError {
    /// Characters that base32 does not have, or too few or many of them.
    #[error("an nkey is 56 characters A-Z and 2-7, a seed 58")]
    Encoding,
    /// The checksum does not fit: a character is wrong.
    #[error("the checksum does not fit; a character is wrong or missing")]
    Checksum,
    /// The first letter names no kind of key.
    #[error("the first letter names no kind of key (A, C, N, O, U, X; seeds start with S)")]
    Prefix,
    /// A valid key for something else.
    #[error("this is a key for something else: expected {expected:?}, found {found:?}")]
    Kind {
        /// The kind wanted.
        expected: Prefix,
        /// The kind it is.
        found: Prefix,
    },
    /// The bytes are no point of the curve.
    #[error("the bytes are no ed25519 public key")]
    Key,
}

/// A signature that does not do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SignatureError {
    Malformed,
    Wrong,
}

/// Decodes a signature: base64 with the URL alphabet and no padding, else the standard one.
// spec: SEC-012
pub(crate) fn decode_signature(text: &str) -> Result<[u8; 64], SignatureError> {
    let bytes = BASE64URL_NOPAD
        .decode(text.as_bytes())
        .or_else(|_| BASE64.decode(text.as_bytes()))
        .map_err(|_| SignatureError::Malformed)?;
    bytes.try_into().map_err(|_| SignatureError::Malformed)
}

/// As [`decode_signature`], without the second try: proxies have one form only.
// spec: SEC-075
pub(crate) fn decode_proxy_signature(text: &str) -> Result<[u8; 64], SignatureError> {
    let bytes = BASE64URL_NOPAD.decode(text.as_bytes()).map_err(|_| SignatureError::Malformed)?;
    bytes.try_into().map_err(|_| SignatureError::Malformed)
}

#[cfg(test)]
mod tests;
