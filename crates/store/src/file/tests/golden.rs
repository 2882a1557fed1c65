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

const GOLDEN: Options<'static> =
    Options { segment_bytes: 1024, limits: Limits { max_msgs: 0, ..OPTIONS.limits }, ..OPTIONS };

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

/// Entries in blocks and entries that are too small for that; in a segment compressed later, and one that was closed.
fn write_compressed() -> (SimDisk, Life) {
    let disk = SimDisk::default();
    let mut life = Life::begin(&disk, Options { compresses: true, ..GOLDEN }, 1);
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
    for has_summary in [true, false] {
        let disk = SimDisk::default();
        for (name, bytes) in files.iter().filter(|(name, _)| has_summary || *name != "summary") {
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
    read(V1_S2, GOLDEN, &write_compressed().1);
}

#[test]
fn what_is_written_now_is_what_was_written_then() {
    let (disk, _) = write();
    for (name, bytes) in V1 {
        assert!(disk.bytes(name).as_deref() == Some(bytes), "{name} is another one");
    }
}
