//! Encryption of stored streams: a key for each stream, block and consumer, itself encrypted with one made of the server's.
//!
//! The server's key, the account and the name of a thing make the key with which the thing's own key is encrypted, in a file
//! beside it. Files are encrypted whole, with their nonce before them; blocks as a stream of bytes, with the nonce of their key.

use aes::Aes256;
use aes::cipher::consts::U16;
use aes_gcm::AesGcm;
use aes_gcm::aead::{Aead, KeyInit as AeadKey, generic_array::GenericArray};
use chacha20::XChaCha20;
use chacha20::cipher::{KeyIvInit, StreamCipher};
use chacha20poly1305::XChaCha20Poly1305;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use thiserror::Error;

type Gcm = AesGcm<Aes256, U16>;
type Ctr = ctr::Ctr128BE<Aes256>;

/// What is encrypted with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cipher {
    /// `XChaCha20`, with Poly1305 for whole files.
    ChaCha,
    /// AES-256: GCM for whole files, CTR for blocks.
    Aes,
}

impl Cipher {
    const ALL: [Self; 2] = [Self::ChaCha, Self::Aes];

    const fn nonce_len(self) -> usize {
        match self {
            Self::ChaCha => 24,
            Self::Aes => 16,
        }
    }

    fn open(self, key: &[u8; 32], sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, sealed) = sealed.split_at_checked(self.nonce_len())?;
        let key = GenericArray::from_slice(key);
        match self {
            Self::ChaCha => XChaCha20Poly1305::new(key).decrypt(GenericArray::from_slice(nonce), sealed).ok(),
            Self::Aes => Gcm::new(key).decrypt(GenericArray::from_slice(nonce), sealed).ok(),
        }
    }
}

/// Why something cannot be decrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SealError {
    /// The key of a thing cannot be had.
    #[error(
        "the key does not open it: it is another one, or belongs to another account or name, or the file is damaged"
    )]
    Key,
    /// Something that was encrypted with a key that is known is damaged.
    #[error("it cannot be decrypted: it is damaged")]
    Damaged,
}

/// The server's key, for things of one account.
#[derive(Clone)]
pub struct MasterKey {
    key: Vec<u8>,
    account: String,
}

impl std::fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MasterKey").field("account", &self.account).finish_non_exhaustive()
    }
}

impl MasterKey {
    /// As the configuration has it.
    pub fn new(key: &[u8], account: &str) -> Self {
        Self { key: key.to_vec(), account: account.to_owned() }
    }

    /// The key of a stream, from its `meta.key`.
    pub fn stream(&self, stream: &str, sealed: &[u8]) -> Result<AssetKey, SealError> {
        self.open(stream, sealed)
    }

    /// The key of a block, from its `<number>.key`.
    pub fn block(&self, stream: &str, block: u32, sealed: &[u8]) -> Result<AssetKey, SealError> {
        self.open(&format!("{stream}:{block}"), sealed)
    }

    /// The key of a consumer, from its `meta.key`.
    pub fn consumer(&self, stream: &str, consumer: &str, sealed: &[u8]) -> Result<AssetKey, SealError> {
        self.open(&format!("{stream}.{consumer}"), sealed)
    }

    fn open(&self, name: &str, sealed: &[u8]) -> Result<AssetKey, SealError> {
        let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(&self.key).expect("a key of any length will do");
        mac.update(self.account.as_bytes());
        mac.update(name.as_bytes());
        let key: [u8; 32] = mac.finalize().into_bytes().into();
        for cipher in Cipher::ALL {
            if let Some(seed) = cipher.open(&key, sealed).and_then(|seed| seed.try_into().ok()) {
                return Ok(AssetKey { cipher, key: seed, nonce: sealed[..cipher.nonce_len()].to_vec() });
            }
        }
        Err(SealError::Key)
    }
}

/// The key of one thing.
#[derive(Clone)]
pub struct AssetKey {
    cipher: Cipher,
    key: [u8; 32],
    nonce: Vec<u8>,
}

impl std::fmt::Debug for AssetKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AssetKey").field("cipher", &self.cipher).finish_non_exhaustive()
    }
}

impl AssetKey {
    /// What it encrypts with.
    pub fn cipher(&self) -> Cipher {
        self.cipher
    }

    /// A file, decrypted.
    pub fn open(&self, sealed: &[u8]) -> Result<Vec<u8>, SealError> {
        self.cipher.open(&self.key, sealed).ok_or(SealError::Damaged)
    }

    /// Decrypts a block in place. Its records have checksums of their own.
    pub fn open_block(&self, bytes: &mut [u8]) {
        let (key, nonce) = (GenericArray::from_slice(&self.key), &*self.nonce);
        match self.cipher {
            Cipher::ChaCha => XChaCha20::new(key, GenericArray::from_slice(nonce)).apply_keystream(bytes),
            Cipher::Aes => Ctr::new(key, GenericArray::from_slice(nonce)).apply_keystream(bytes),
        }
    }
}
