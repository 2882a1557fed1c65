//! Encryption of what is kept: keys, nonces, and the two ciphers.
//!
//! A stream has a data key of its own, made once by chance. It is kept wrapped: sealed with a key that follows from the
//! server's. From the data key follows one key for each segment, and one for everything else (HKDF with SHA-256).
//!
//! A nonce is used once with a key, whatever happens: whoever opens a store brings chance, and that says where in 2^96
//! numbers its nonces begin; from there they are counted. Nothing that is kept has to be believed for it, so that it holds
//! where the power went and entries were cut off, too.
//!
//! Invariant: what has been changed, moved or belongs elsewhere is not opened.

use std::fmt;
use std::sync::{Mutex, MutexGuard};

use aws_lc_rs::aead::{AES_256_GCM, Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Prk, Salt};

use crate::codec::Reader;

/// Bytes of keys.
const KEY: usize = 32;
/// Bytes of nonces.
const NONCE: usize = 12;
/// Bytes of tags.
const TAG: usize = 16;
/// Bytes that a wrapped key begins with, so that the key it is sealed with is another each time.
const SALT: usize = 16;
/// More than sealing adds.
pub(crate) const OVERHEAD: usize = 1 + NONCE + TAG;
/// Keys of segments that are at hand.
const KEYS: usize = 8;

/// How content is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Cipher {
    /// The stream cipher `ChaCha20` with `Poly1305`.
    #[default]
    ChaCha20Poly1305,
    /// AES with keys of 256 bits in Galois/Counter mode.
    Aes256Gcm,
}

impl Cipher {
    const fn to_byte(self) -> u8 {
        match self {
            Self::ChaCha20Poly1305 => 1,
            Self::Aes256Gcm => 2,
        }
    }

    const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            1 => Some(Self::ChaCha20Poly1305),
            2 => Some(Self::Aes256Gcm),
            _ => None,
        }
    }

    fn key(self, bytes: &[u8; KEY]) -> LessSafeKey {
        let algorithm = match self {
            Self::ChaCha20Poly1305 => &CHACHA20_POLY1305,
            Self::Aes256Gcm => &AES_256_GCM,
        };
        LessSafeKey::new(UnboundKey::new(algorithm, bytes).expect("both ciphers take keys of 32 bytes"))
    }
}

/// What a store is encrypted with.
#[derive(Clone, Copy)]
pub struct Encryption<'k> {
    /// The server's key: better 32 bytes by chance than a password.
    pub key: &'k [u8],
    /// The key before, if it has been changed: what is wrapped with it is wrapped with `key`.
    pub previous: Option<&'k [u8]>,
    /// How to encrypt what is written; what is there says itself how it was.
    pub cipher: Cipher,
    /// Bytes by chance, others for each opening: keys and nonces come from them.
    pub chance: [u8; 32],
}

impl fmt::Debug for Encryption<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encryption").field("cipher", &self.cipher).finish_non_exhaustive()
    }
}

/// What a key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// The blocks of a segment.
    Segment(u64),
    /// Checkpoints and summaries.
    State,
}

/// The length of a key that is derived.
struct Length;

impl KeyType for Length {
    fn len(&self) -> usize {
        KEY
    }
}

fn derive(from: &Prk, info: &[&[u8]]) -> [u8; KEY] {
    let mut key = [0; KEY];
    from.expand(info, Length).and_then(|okm| okm.fill(&mut key)).expect("32 bytes can be derived");
    key
}

/// Seals and opens what a stream keeps.
pub(crate) struct Vault {
    data_key: Prk,
    cipher: Cipher,
    /// The next nonce, of 96 bits.
    nonce: Mutex<u128>,
    /// Keys derived lately.
    keys: Mutex<Vec<(Purpose, Cipher, LessSafeKey)>>,
}

impl Vault {
    fn new(data_key: &[u8; KEY], encryption: &Encryption<'_>) -> Self {
        let start = derive(&Prk::new_less_safe(HKDF_SHA256, &encryption.chance), &[b"nonces"]);
        let start = start.first_chunk().map_or(0, |bytes| u128::from_le_bytes(*bytes));
        Self {
            data_key: Prk::new_less_safe(HKDF_SHA256, data_key),
            cipher: encryption.cipher,
            nonce: Mutex::new(start),
            keys: Mutex::default(),
        }
    }

    /// With a new key; gives that wrapped, too.
    pub(crate) fn create(encryption: &Encryption<'_>) -> (Self, Vec<u8>) {
        let data_key = derive(&Prk::new_less_safe(HKDF_SHA256, &encryption.chance), &[b"data key"]);
        (Self::new(&data_key, encryption), wrap(&data_key, encryption))
    }

    /// With a wrapped key, if it opens with the server's key or the one before; in that case it is given wrapped anew.
    pub(crate) fn unwrap(wrapped: &[u8], encryption: &Encryption<'_>) -> Option<(Self, Option<Vec<u8>>)> {
        if let Some(data_key) = unwrap(wrapped, encryption.key) {
            return Some((Self::new(&data_key, encryption), None));
        }
        let data_key = unwrap(wrapped, encryption.previous?)?;
        Some((Self::new(&data_key, encryption), Some(wrap(&data_key, encryption))))
    }

    /// Writes `plain` at the end of `out`, sealed: the cipher, the nonce, what came of it, and the tag. It opens where
    /// `place` is the same.
    pub(crate) fn seal(&self, purpose: Purpose, place: &[u8], plain: &[u8], out: &mut Vec<u8>) {
        let nonce = self.next_nonce();
        out.push(self.cipher.to_byte());
        out.extend_from_slice(&nonce);
        let start = out.len();
        out.extend_from_slice(plain);
        let tag = self.with_key(purpose, self.cipher, |key| {
            let nonce = Nonce::assume_unique_for_key(nonce);
            key.seal_in_place_separate_tag(nonce, Aad::from(place), &mut out[start..])
        });
        out.extend_from_slice(tag.expect("an entry is shorter than a cipher's bound").as_ref());
    }

    /// Puts into `out` what was sealed.
    pub(crate) fn open(&self, purpose: Purpose, place: &[u8], sealed: &[u8], out: &mut Vec<u8>) -> Option<()> {
        out.clear();
        let mut reader = Reader(sealed);
        let cipher = Cipher::from_byte(reader.u8()?)?;
        let nonce = Nonce::try_assume_unique_for_key(reader.take(NONCE)?).ok()?;
        let len = reader.0.len().checked_sub(TAG)?;
        let (content, tag) = reader.0.split_at(len);
        out.resize(len, 0);
        let opened =
            self.with_key(purpose, cipher, |key| key.open_separate_gather(nonce, Aad::from(place), content, tag, out));
        if opened.is_err() {
            out.clear();
        }
        opened.ok()
    }

    fn next_nonce(&self) -> [u8; NONCE] {
        let mut nonce = lock(&self.nonce);
        *nonce = nonce.wrapping_add(1);
        *nonce.to_le_bytes().first_chunk().expect("12 of 16 bytes")
    }

    fn with_key<R>(&self, purpose: Purpose, cipher: Cipher, f: impl FnOnce(&LessSafeKey) -> R) -> R {
        let mut keys = lock(&self.keys);
        let at = keys.iter().position(|(of, with, _)| (*of, *with) == (purpose, cipher)).unwrap_or_else(|| {
            keys.truncate(KEYS - 1);
            keys.insert(0, (purpose, cipher, self.key_for(purpose, cipher)));
            0
        });
        f(&keys[at].2)
    }

    fn key_for(&self, purpose: Purpose, cipher: Cipher) -> LessSafeKey {
        let with = [cipher.to_byte()];
        cipher.key(&match purpose {
            Purpose::Segment(number) => derive(&self.data_key, &[b"segment", &with, &number.to_le_bytes()]),
            Purpose::State => derive(&self.data_key, &[b"state", &with]),
        })
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vault").field("cipher", &self.cipher).finish_non_exhaustive()
    }
}

/// What is locked is whole at any moment, also if a thread has panicked with it.
fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// The key that data keys are sealed with.
fn wrapping_key(key: &[u8], salt: &[u8], cipher: Cipher) -> LessSafeKey {
    let key = Salt::new(HKDF_SHA256, salt).extract(key);
    cipher.key(&derive(&key, &[b"martlet data key", &[cipher.to_byte()]]))
}

/// A data key as it is kept: the cipher, a salt, a nonce, the key sealed, and the tag.
fn wrap(data_key: &[u8; KEY], encryption: &Encryption<'_>) -> Vec<u8> {
    let chance = derive(&Prk::new_less_safe(HKDF_SHA256, &encryption.chance), &[b"wrapping"]);
    let (salt, rest) = chance.split_at(SALT);
    let nonce: [u8; NONCE] = *rest.first_chunk().expect("16 bytes are left");
    let mut sealed = data_key.to_vec();
    wrapping_key(encryption.key, salt, encryption.cipher)
        .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::empty(), &mut sealed)
        .expect("a key is short");
    [&[encryption.cipher.to_byte()], salt, &nonce, &sealed].concat()
}

fn unwrap(wrapped: &[u8], key: &[u8]) -> Option<[u8; KEY]> {
    let mut reader = Reader(wrapped);
    let cipher = Cipher::from_byte(reader.u8()?)?;
    let salt = reader.take(SALT)?;
    let nonce = Nonce::try_assume_unique_for_key(reader.take(NONCE)?).ok()?;
    let mut sealed = reader.0.to_vec();
    let opened = wrapping_key(key, salt, cipher).open_in_place(nonce, Aad::empty(), &mut sealed).ok()?;
    <[u8; KEY]>::try_from(&*opened).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encryption(key: &[u8], cipher: Cipher, chance: u8) -> Encryption<'_> {
        Encryption { key, previous: None, cipher, chance: [chance; 32] }
    }

    #[test]
    // spec: CFG-191 CFG-193 JS-121
    fn what_is_sealed_opens_where_it_belongs_and_nowhere_else() {
        for cipher in [Cipher::ChaCha20Poly1305, Cipher::Aes256Gcm] {
            let (vault, _) = Vault::create(&encryption(b"key", cipher, 1));
            let (mut sealed, mut opened) = (Vec::new(), Vec::new());
            vault.seal(Purpose::Segment(1), b"here", b"a secret", &mut sealed);
            assert_eq!(sealed.len(), OVERHEAD + 8);
            assert!(!sealed.windows(6).any(|window| window == b"secret"));
            assert_eq!(vault.open(Purpose::Segment(1), b"here", &sealed, &mut opened), Some(()));
            assert_eq!(opened, b"a secret");
            for (purpose, place) in
                [(Purpose::Segment(1), "there"), (Purpose::Segment(2), "here"), (Purpose::State, "here")]
            {
                assert_eq!(vault.open(purpose, place.as_bytes(), &sealed, &mut opened), None, "{purpose:?} {place}");
            }
            for at in 0..sealed.len() {
                let mut flipped = sealed.clone();
                flipped[at] ^= 4;
                assert_eq!(vault.open(Purpose::Segment(1), b"here", &flipped, &mut opened), None, "byte {at}");
                assert_eq!(vault.open(Purpose::Segment(1), b"here", &sealed[..at], &mut opened), None, "cut at {at}");
            }
        }
    }

    #[test]
    // spec: CFG-192
    fn a_key_opens_with_the_key_it_was_wrapped_with() {
        let (vault, wrapped) = Vault::create(&encryption(b"old", Cipher::ChaCha20Poly1305, 1));
        let (mut sealed, mut opened) = (Vec::new(), Vec::new());
        vault.seal(Purpose::State, b"", b"a secret", &mut sealed);
        let new = encryption(b"new", Cipher::Aes256Gcm, 2);
        assert!(Vault::unwrap(&wrapped, &new).is_none());
        let both = Encryption { previous: Some(b"old"), ..new };
        let (vault, again) = Vault::unwrap(&wrapped, &both).unwrap();
        let again = again.expect("it was wrapped with the key before");
        assert_eq!(vault.open(Purpose::State, b"", &sealed, &mut opened), Some(()));
        let (vault, again) = Vault::unwrap(&again, &new).unwrap();
        assert_eq!(again, None);
        assert_eq!(vault.open(Purpose::State, b"", &sealed, &mut opened), Some(()));
        assert_eq!(opened, b"a secret");
    }

    #[test]
    fn nonces_are_others_each_time() {
        let (first, wrapped) = Vault::create(&encryption(b"key", Cipher::Aes256Gcm, 1));
        let (second, _) = Vault::unwrap(&wrapped, &encryption(b"key", Cipher::Aes256Gcm, 2)).unwrap();
        let mut seen = std::collections::HashSet::new();
        for _ in 0..1000 {
            assert!(seen.insert(first.next_nonce()) && seen.insert(second.next_nonce()));
        }
    }
}
