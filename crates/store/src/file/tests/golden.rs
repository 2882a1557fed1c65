//! Files that an earlier version wrote are read by this one. `docs/format.md` says what is in them.

use super::*;

/// A store's files: their names and what is in them.
type Files = [(&'static str, &'static [u8])];

macro_rules! files {
    ($directory:literal: $($name:literal),*) => {
        &[$(($name, include_bytes!(concat!("../../../tests/golden/", $directory, "/", $name)))),*]
    };
}

const V1: &Files =
    files!("v1": "000000000001.log", "000000000002.log", "000000000003.log", "checkpoint.0", "checkpoint.1");
const V1_S2: &Files =
    files!("v1-s2": "000000000001.log", "000000000002.log", "checkpoint.0", "checkpoint.1", "summary");

/// The same as `V1`, with summaries.
const V1_IDX: &Files = files!("v1-idx":
    "000000000001.log", "000000000002.log", "000000000003.log", "000000000001.idx", "000000000002.idx", "checkpoint.0", "checkpoint.1");
/// The same as `V1_S2`, with summaries.
const V1_CLOSED: &Files = files!("v1-closed":
    "000000000001.log", "000000000002.log", "000000000001.idx", "000000000002.idx", "checkpoint.0", "checkpoint.1", "subjects");
/// Encrypted, and closed.
const V1_SEALED: &Files = files!("v1-sealed":
    "000000000001.log", "000000000002.log", "000000000003.log", "000000000004.log",
    "000000000001.idx", "000000000002.idx", "000000000003.idx", "000000000004.idx",
    "checkpoint.0", "checkpoint.1", "key.0", "key.1", "subjects");

const GOLDEN: Options<'static> =
    Options { segment_bytes: 1024, limits: Limits { max_msgs: 0, ..OPTIONS.limits }, ..OPTIONS };

const COMPRESSED: Options<'static> = Options { compresses: true, ..GOLDEN };
const ENCRYPTED: Options<'static> = Options { encryption: Some(KEY), ..GOLDEN };

fn message(seq: u64) -> Deed {
    let kept = Kept {
        time: 1_700_000_000_000_000_000 + seq,
        subject: format!("orders.{}", seq % 3).into_bytes(),
        headers: if seq.is_multiple_of(5) { b"NATS/1.0\r\nKey: value\r\n\r\n".to_vec() } else { Vec::new() },
        payload: format!("payload {seq} ").repeat(7).into_bytes(),
        expires: seq.is_multiple_of(7).then_some(1_800_000_000_000_000_000),
    };
    Deed::Message(seq, kept)
}

/// One of everything, in three segments: one compacted, one with something erased, one not sealed.
fn write() -> (SimDisk, Life) {
    let disk = SimDisk::default();
    let mut life = Life::begin(&disk, GOLDEN, 1);
    for seq in 1..=12 {
        life.append(&[message(seq), Deed::Note(seq as u8)]).unwrap();
    }
    life.append(&[Deed::Skip(14), message(15)]).unwrap();
    life.append(&[Deed::Remove(vec![2..=4, 6..=8], false), Deed::Remove(vec![12..=12], true)]).unwrap();
    life.append(&[Deed::Purge(b"orders.1".to_vec(), 5, 0), Deed::Expire(5)]).unwrap();
    for _ in 0..3 {
        life.sync().unwrap();
        life.apply();
        life.checkpoint().unwrap();
        life.sync().unwrap();
        while life.store.maintain(WallTime::from_nanos(1)).unwrap() {}
    }
    for seq in [20, 30, 40] {
        life.append(&[message(seq), message(seq + 1), Deed::Note(seq as u8)]).unwrap();
        life.sync().unwrap();
        life.apply();
    }
    (disk, life)
}

/// The same with another checkpoint, and a summary of each segment that is sealed.
fn write_summarised() -> (SimDisk, Life) {
    let (disk, mut life) = write();
    life.checkpoint().unwrap();
    life.sync().unwrap();
    while life.store.maintain(WallTime::from_nanos(1)).unwrap() {}
    (disk, life)
}

/// Entries in blocks and entries that are too small for that; in a segment compressed later, and one that was closed.
fn write_closed(options: Options<'_>) -> (SimDisk, Life) {
    let disk = SimDisk::default();
    let mut life = Life::begin(&disk, options, 1);
    for seq in 1..=8 {
        life.append(&[message(seq), Deed::Note(seq as u8)]).unwrap();
    }
    for _ in 0..2 {
        life.sync().unwrap();
        life.apply();
        life.checkpoint().unwrap();
        life.sync().unwrap();
        while life.store.maintain(WallTime::from_nanos(1)).unwrap() {}
    }
    let deeds: Vec<Deed> = (9..=20).map(message).collect();
    life.append(&deeds).unwrap();
    life.append(&[message(21)]).unwrap();
    life.sync().unwrap();
    life.apply();
    let notes = life.owner.notes.clone();
    life.store.close(&notes).unwrap();
    (disk, life)
}

fn read(files: &Files, options: Options<'_>, life: &Life) {
    let may_be_missing = ["summary", "subjects", "000000000001.idx", "000000000002.idx"];
    for missing in 0..1_u32 << may_be_missing.len() {
        let disk = SimDisk::default();
        let is_missing = |name: &&str| {
            let nth = may_be_missing.iter().position(|may_be| may_be == name);
            nth.is_some_and(|nth| missing >> nth & 1 == 1)
        };
        for (name, bytes) in files.iter().filter(|(name, _)| !is_missing(name)) {
            disk.set_bytes(name, bytes.to_vec());
        }
        let (back, opened) = Life::resume(&disk, options, &life.models, 1);
        assert_eq!(opened.damage, Vec::<String>::new());
        assert_eq!(back.models.len(), life.models.len());
        back.check(back.models.last().unwrap(), "golden");
    }
}

#[test]
fn the_files_of_version_1_are_read() {
    read(V1, GOLDEN, &write().1);
    read(V1_IDX, GOLDEN, &write_summarised().1);
    for (files, options) in [(V1_S2, COMPRESSED), (V1_CLOSED, COMPRESSED), (V1_SEALED, ENCRYPTED)] {
        read(files, options, &write_closed(options).1);
    }
}

#[test]
fn what_is_written_now_is_what_was_written_then() {
    for (files, (disk, _)) in [(V1, write()), (V1_IDX, write_summarised()), (V1_SEALED, write_closed(ENCRYPTED))] {
        for (name, bytes) in files {
            assert!(disk.bytes(name).as_deref() == Some(bytes), "{name} is another one");
        }
    }
}
