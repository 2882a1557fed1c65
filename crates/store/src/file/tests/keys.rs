//! Streams that are encrypted: who may read them, and what can be seen of them.

use super::*;
use crate::disk::Disk;
use crate::file::OpenError;
use crate::file::keys::NAMES;
use crate::file::segment::{HEADER, name_of, number_of};
use crate::frame::{Fact, read_header, read_record};
use crate::sim::Unsynced;

const UNBOUNDED: Options<'static> = Options { limits: Limits { max_msgs: 0, ..OPTIONS.limits }, ..OPTIONS };

fn with(encryption: Encryption<'static>) -> Options<'static> {
    Options { encryption: Some(encryption), ..UNBOUNDED }
}

fn message(seq: u64) -> Deed {
    let kept = Kept {
        time: 1000 + seq,
        subject: format!("secret.subject.{seq}").into_bytes(),
        headers: b"NATS/1.0\r\nSecret: header\r\n\r\n".to_vec(),
        payload: format!("secret payload {seq} ").repeat(9).into_bytes(),
        expires: None,
    };
    Deed::Message(seq, kept)
}

/// A store with some messages, some of them overwritten, and notes.
fn lived(options: Options<'_>, is_closed: bool) -> (SimDisk, Life) {
    let disk = SimDisk::default();
    let mut life = Life::begin(&disk, options, 1);
    for seq in (1..90).step_by(3) {
        life.append(&[message(seq), message(seq + 1), message(seq + 2), Deed::Note(b's')]).unwrap();
        life.sync().unwrap();
        life.apply();
    }
    life.checkpoint().unwrap();
    life.append(&[Deed::Remove(vec![2..=5, 40..=60], true), Deed::Purge(b"secret.subject.7".to_vec(), 90, 0)]).unwrap();
    life.sync().unwrap();
    life.apply();
    if is_closed {
        let notes = life.owner.notes.clone();
        life.store.close(&notes).unwrap();
    }
    (disk.restart(Unsynced::Dropped), life)
}

/// Names of files in which something can be read.
fn readable(disk: &SimDisk) -> Vec<String> {
    let is_readable = |name: &String| {
        let bytes = disk.bytes(name).unwrap();
        bytes.windows(6).any(|window| window.eq_ignore_ascii_case(b"secret"))
    };
    disk.list().unwrap().into_iter().filter(is_readable).collect()
}

fn refused(disk: &SimDisk, options: Options<'_>) -> OpenError {
    let before: Vec<_> = disk.list().unwrap().iter().map(|name| disk.bytes(name)).collect();
    let error = FileStore::open(Arc::new(disk.clone()), options, &mut Owner::default()).expect_err("it must not open");
    let after: Vec<_> = disk.list().unwrap().iter().map(|name| disk.bytes(name)).collect();
    assert!(before == after, "{error}");
    error
}

#[test]
// spec: CFG-191 CFG-193 JS-121
fn nothing_can_be_read_without_the_key() {
    for options in [SEALED, BOTH] {
        for is_closed in [false, true] {
            let (disk, life) = lived(options, is_closed);
            assert_eq!(readable(&disk), Vec::<String>::new());
            assert!(matches!(refused(&disk, OPTIONS), OpenError::NoKey));
            let wrong = Encryption { key: b"another", ..KEY };
            let error = refused(&disk, Options { encryption: Some(wrong), ..options });
            assert!(matches!(error, OpenError::WrongKey) && error.to_string().contains("`key`"), "{error}");
            let (back, opened) = Life::resume(&disk, options, &life.models, 1);
            assert_eq!(opened.damage, Vec::<String>::new());
            back.check(back.models.last().unwrap(), "with the key");
        }
    }
}

#[test]
// spec: CFG-192 JS-121
fn the_key_is_changed_at_a_start() {
    let (disk, life) = lived(with(KEY), true);
    let new = Encryption { key: b"the new key", chance: [8; 32], ..KEY };
    assert!(matches!(refused(&disk, with(new)), OpenError::WrongKey));
    let both = with(Encryption { previous: Some(KEY.key), ..new });
    // The power goes at every step of it.
    let whole = disk.fork();
    Life::resume(&whole, both, &life.models, 1);
    for cut in 0..whole.operations() {
        for unsynced in [Unsynced::Dropped, Unsynced::Kept, Unsynced::Torn(cut)] {
            let disk = disk.fork();
            disk.cut_at(cut);
            let _ = FileStore::open(Arc::new(disk.clone()), both, &mut Owner::default());
            let disk = disk.restart(unsynced);
            let (back, _) = Life::resume(&disk, both, &life.models, 1);
            back.check(back.models.last().unwrap(), "opened after a change that was cut off");
            let (back, opened) = Life::resume(&disk, with(new), &life.models, 1);
            assert_eq!(opened.damage, Vec::<String>::new());
            back.check(back.models.last().unwrap(), "with the new key alone");
            assert!(matches!(refused(&disk, with(KEY)), OpenError::WrongKey));
        }
    }
}

#[test]
fn the_cipher_is_changed_for_what_comes() {
    let (disk, life) = lived(with(KEY), false);
    let aes = with(Encryption { cipher: Cipher::Aes256Gcm, chance: [8; 32], ..KEY });
    let (mut back, _) = Life::resume(&disk, aes, &life.models, 1);
    for _ in 0..50 {
        back.step().unwrap();
    }
    back.sync().unwrap();
    back.apply();
    back.check(back.models.last().unwrap(), "two ciphers");
    let (again, opened) = Life::resume(&disk.restart(Unsynced::Dropped), with(KEY), &back.models, 1);
    assert_eq!(opened.damage, Vec::<String>::new());
    again.check(again.models.last().unwrap(), "two ciphers, opened");
}

#[test]
// spec: JS-121
fn a_stream_in_plain_is_encrypted_when_it_is_closed() {
    for (options, is_closed) in
        [(UNBOUNDED, false), (UNBOUNDED, true), (Options { compresses: true, ..UNBOUNDED }, true)]
    {
        let (disk, life) = lived(options, is_closed);
        assert!(!readable(&disk).is_empty());
        let options = Options { encryption: Some(KEY), ..options };
        // The power goes at every step of it.
        let whole = disk.fork();
        encrypt(&whole, options, &life).unwrap();
        assert_eq!(readable(&whole), Vec::<String>::new());
        for cut in (0..whole.operations()).step_by(3) {
            let disk = disk.fork();
            disk.cut_at(cut);
            let _ = encrypt(&disk, options, &life);
            let disk = disk.restart(Unsynced::Torn(cut));
            encrypt(&disk, options, &life).unwrap();
            assert_eq!(readable(&disk), Vec::<String>::new(), "cut at {cut}");
            let (back, opened) = Life::resume(&disk, options, &life.models, 1);
            assert_eq!(opened.damage, Vec::<String>::new(), "cut at {cut}");
            back.check(back.models.last().unwrap(), "encrypted");
        }
    }
}

fn encrypt(disk: &SimDisk, options: Options<'_>, life: &Life) -> Result<(), String> {
    let mut owner = Owner::default();
    let opened = FileStore::open(Arc::new(disk.clone()), options, &mut owner).map_err(|error| error.to_string())?;
    let mut store = opened.store;
    assert_eq!(store.state().messages, life.store.state().messages);
    let notes = [opened.state.unwrap_or_default(), owner.notes].concat();
    store.close(&notes).map_err(|error| error.to_string())
}

#[test]
fn one_of_the_two_files_of_the_key_is_enough() {
    let (disk, life) = lived(with(KEY), true);
    let (other, _) = lived(with(Encryption { chance: [9; 32], ..KEY }), true);
    for name in NAMES {
        let len = disk.bytes(name).unwrap().len();
        let mut spoilt = vec![None, other.bytes(name), Some(Vec::new()), Some(vec![0; len])];
        for at in 0..len {
            let mut bytes = disk.bytes(name).unwrap();
            bytes[at] ^= 1;
            spoilt.push(Some(bytes));
        }
        for bytes in spoilt {
            let disk = disk.fork();
            match bytes {
                Some(bytes) => disk.set_bytes(name, bytes),
                None => disk.lose(name),
            }
            let (back, opened) = Life::resume(&disk, with(KEY), &life.models, 1);
            assert!(opened.damage.len() == 1 && opened.damage[0].contains(name), "{:?}", opened.damage);
            back.check(back.models.last().unwrap(), name);
            let (_, opened) = Life::resume(&disk, with(KEY), &life.models, 1);
            assert_eq!(opened.damage, Vec::<String>::new());
        }
    }
    let lost = disk.fork();
    for name in NAMES {
        lost.lose(name);
    }
    assert!(matches!(refused(&lost, with(KEY)), OpenError::KeyLost { .. }));
    assert!(matches!(refused(&lost, UNBOUNDED), OpenError::NoKey));
    for name in NAMES {
        lost.set_bytes(name, b"something else".to_vec());
    }
    assert!(matches!(refused(&lost, with(KEY)), OpenError::KeyLost { .. }));
}

/// A segment's number, and a nonce in it.
type Nonce = (u64, Vec<u8>);

/// The nonces of all blocks that can be found, and what they were used for.
fn nonces(disk: &SimDisk) -> Vec<(Nonce, Vec<u8>)> {
    let mut found = Vec::new();
    for number in disk.list().unwrap().iter().filter_map(|name| number_of(name)) {
        let bytes = disk.bytes(&name_of(number)).unwrap();
        let mut at = HEADER as usize;
        while let Ok(header) = read_header(&bytes[at.min(bytes.len())..], SALT) {
            let mut rest = bytes.get(at + header.len..at + header.frame_len()).unwrap_or_default();
            while let Ok((fact, _, len)) = read_record(rest, &header.origin(SALT)) {
                if let Fact::Block(block) = fact {
                    found.push(((number, block.bytes[1..13].to_vec()), block.bytes.to_vec()));
                }
                rest = &rest[len..];
            }
            at += header.frame_len();
        }
    }
    found
}

const SALT: u32 = OPTIONS.salt;

#[test]
// spec: JS-121
fn no_nonce_is_used_twice_whatever_happens() {
    let mut used: BTreeMap<Nonce, Vec<u8>> = BTreeMap::new();
    let mut chance = 0_u64;
    let mut options = || {
        chance += 1;
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&chance.to_le_bytes());
        Options { encryption: Some(Encryption { chance: bytes, ..KEY }), ..OPTIONS }
    };
    let mut disk = SimDisk::default();
    let mut life = Life::begin(&disk, options(), 3);
    for round in 0..60_u64 {
        for _ in 0..20 {
            life.step().unwrap();
            for (nonce, block) in nonces(&disk) {
                let before = used.entry(nonce).or_insert_with(|| block.clone());
                assert!(*before == block, "a nonce was used for two blocks, round {round}");
            }
        }
        // What was not synced is cut off, and its place is written again.
        disk = disk.restart([Unsynced::Dropped, Unsynced::Torn(round)][round as usize % 2]);
        life = Life::resume(&disk, options(), &life.models.clone(), round).0;
    }
    assert!(used.len() > 300, "only {} blocks", used.len());
}
