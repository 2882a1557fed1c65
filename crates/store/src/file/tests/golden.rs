//! Files that an earlier version wrote are read by this one. `docs/format.md` says what is in them.

use super::*;

const FILES: [(&str, &[u8]); 5] = [
    ("000000000001.log", include_bytes!("../../../tests/golden/v1/000000000001.log")),
    ("000000000002.log", include_bytes!("../../../tests/golden/v1/000000000002.log")),
    ("000000000003.log", include_bytes!("../../../tests/golden/v1/000000000003.log")),
    ("checkpoint.0", include_bytes!("../../../tests/golden/v1/checkpoint.0")),
    ("checkpoint.1", include_bytes!("../../../tests/golden/v1/checkpoint.1")),
];

const GOLDEN: Options = Options { segment_bytes: 1024, limits: Limits { max_msgs: 0, ..OPTIONS.limits }, ..OPTIONS };

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

#[test]
fn the_files_of_version_1_are_read() {
    let disk = SimDisk::default();
    for (name, bytes) in FILES {
        disk.set_bytes(name, bytes.to_vec());
    }
    let (_, life) = write();
    let (back, opened) = Life::resume(&disk, GOLDEN, &life.models, 1);
    assert_eq!(opened.damage, Vec::<String>::new());
    assert_eq!(back.models.len(), life.models.len());
    back.check(back.models.last().unwrap(), "golden");
}
