//! Keys: public ones that verify, pairs that sign, the curve key.

use std::fmt;
use std::sync::Arc;

use curve25519_dalek::MontgomeryPoint;
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};

use super::text::{decode_public, decode_seed, encode_public, encode_seed};
use super::{NkeyError, Prefix, SignatureError};

/// A public key that verifies signatures.
#[derive(Clone)]
pub(crate) struct PublicKey {
    text: Arc<str>,
    prefix: Prefix,
    key: VerifyingKey,
}

impl PublicKey {
    /// Reads the text form of any kind of signing key.
    pub(crate) fn parse(text: &str) -> Result<Self, NkeyError> {
        let (prefix, bytes) = decode_public(text)?;
        let key = VerifyingKey::from_bytes(&bytes).map_err(|_| NkeyError::Key)?;
        Ok(Self { text: text.into(), prefix, key })
    }

    /// Reads the text form of a key for `expected`.
    pub(crate) fn parse_as(text: &str, expected: Prefix) -> Result<Self, NkeyError> {
        let key = Self::parse(text)?;
        if key.prefix == expected { Ok(key) } else { Err(NkeyError::Kind { expected, found: key.prefix }) }
    }

    /// The text form.
    pub(crate) fn text(&self) -> &Arc<str> {
        &self.text
    }

    /// Whether `signature` is this key's, of `message`.
    // spec: SEC-012
    pub(crate) fn verify(&self, message: &[u8], signature: &[u8; 64]) -> Result<(), SignatureError> {
        self.key.verify_strict(message, &Signature::from_bytes(signature)).map_err(|_| SignatureError::Wrong)
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for PublicKey {}

/// A key that signs: a server's identity, or a user's where a client needs one.
#[derive(Clone)]
pub struct KeyPair {
    prefix: Prefix,
    key: SigningKey,
}

impl KeyPair {
    /// Makes a pair of 32 bytes, which must come from a cryptographic source of randomness.
    #[must_use]
    pub fn from_random(prefix: Prefix, random: [u8; 32]) -> Self {
        Self { prefix, key: SigningKey::from_bytes(&random) }
    }

    /// Reads a seed (`S…`).
    pub fn from_seed(text: &str) -> Result<Self, NkeyError> {
        let (prefix, seed) = decode_seed(text)?;
        Ok(Self::from_random(prefix, seed))
    }

    /// The text form of the private half.
    #[must_use]
    pub fn seed(&self) -> String {
        encode_seed(self.prefix, self.key.as_bytes())
    }

    /// The text form of the public half; for a server its id.
    #[must_use]
    pub fn public(&self) -> String {
        encode_public(self.prefix, self.key.verifying_key().as_bytes())
    }

    /// Signs `message`.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.key.sign(message).to_bytes()
    }
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("KeyPair").field(&self.public()).finish()
    }
}

/// A curve25519 key, to which others can seal messages (`xkey` of INFO).
#[derive(Clone)]
pub struct CurveKey([u8; 32]);

impl CurveKey {
    /// Makes a key of 32 bytes, which must come from a cryptographic source of randomness.
    #[must_use]
    pub fn from_random(random: [u8; 32]) -> Self {
        Self(random)
    }

    /// The text form of the public half, `X…`.
    #[must_use]
    pub fn public(&self) -> String {
        encode_public(Prefix::Curve, MontgomeryPoint::mul_base_clamped(self.0).as_bytes())
    }
}

impl fmt::Debug for CurveKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CurveKey").field(&self.public()).finish()
    }
}
