//! A stream's files, spoilt: whatever is in them, opening and reading end, and no message is another than was written.

use std::sync::Arc;
use std::time::Duration;

use martlet_events::WallTime;
use martlet_store::disk::Disk;
use martlet_store::sim::SimDisk;
use martlet_store::{
    Cipher, Discarded, Encryption, FileStore, Filter, Limits, Message, Observer, Options, Record, Store,
};

/// Messages that are written.
const MESSAGES: u64 = 40;

/// The first byte chooses how the store keeps what it has, whether its segments have summaries, and whether it is closed; then come changes: a file, a place, what to
/// do there, and how many bytes follow that take the place of those that are there.
pub(crate) fn check(data: &[u8]) {
    let Some((&choice, mut changes)) = data.split_first() else { return };
    let key = Encryption { key: b"key", previous: None, cipher: Cipher::Aes256Gcm, chance: [7; 32] };
    let options = Options {
        salt: 7,
        segment_bytes: 1024,
        first_seq: 0,
        limits: Limits::default(),
        compresses: choice & 1 != 0,
        encryption: (choice & 2 != 0).then_some(key),
        scrub_period: Duration::ZERO,
    };
    let disk = written(options, choice & 4 != 0, choice & 8 != 0);
    let names = disk.list().expect("a list");
    while let [file, low, high, what, len, rest @ ..] = changes {
        let name = &names[usize::from(*file) % names.len()];
        let mut bytes = disk.bytes(name).unwrap_or_default();
        let at = usize::from(u16::from_le_bytes([*low, *high])) % (bytes.len() + 1);
        let (new, others) = rest.split_at(usize::from(*len).min(rest.len()));
        match what % 4 {
            0 => bytes.truncate(at),
            1 => drop(bytes.splice(at..at, new.iter().copied())),
            _ => bytes.iter_mut().skip(at).zip(new).for_each(|(byte, new)| *byte ^= new),
        }
        disk.set_bytes(name, bytes);
        changes = others;
    }
    // Without its key a store is refused.
    let Ok(opened) = FileStore::open(Arc::new(disk), options, &mut Deaf) else { return };
    read(opened.store);
}

fn read(mut store: FileStore) {
    let mut buffer = Vec::new();
    for seq in 0..MESSAGES + 3 {
        if let Ok(Some(found)) = store.get(seq, &mut buffer) {
            assert_eq!(
                (found.subject, found.payload),
                (&*subject(seq), &*payload(seq)),
                "message {seq} is another one"
            );
        }
        let _ = store.next(&Filter::new([&b"s.1"[..]]), seq, &mut buffer);
        store.last(&Filter::new([&b"s.*"[..]]), seq);
    }
    let _ = store.close(b"");
}

fn subject(seq: u64) -> Vec<u8> {
    format!("s.{}", seq % 4).into_bytes()
}

fn payload(seq: u64) -> Vec<u8> {
    format!("message {seq} ").repeat(usize::try_from(seq % 30).expect("below 30")).into_bytes()
}

/// A store that has been lived in.
fn written(options: Options<'_>, is_closed: bool, is_tidied: bool) -> SimDisk {
    let disk = SimDisk::default();
    let mut store = FileStore::open(Arc::new(disk.clone()), options, &mut Deaf).expect("an empty disk").store;
    for first in (1..=MESSAGES).step_by(4) {
        let content: Vec<_> = (first..first + 4).map(|seq| (seq, subject(seq), payload(seq))).collect();
        let records: Vec<Record<'_>> = content
            .iter()
            .map(|(seq, subject, payload)| {
                let time = WallTime::default();
                Record::Message(Message { seq: *seq, time, subject, headers: b"", payload, expires: None })
            })
            .collect();
        let through = store.append(&records).expect("there is room");
        if let Some(job) = store.sync_job() {
            store.synced(job.through, job.run()).expect("a disk that works");
        }
        store.apply(through, &mut Deaf);
    }
    store.checkpoint(b"state").expect("a disk that works");
    while is_tidied && store.maintain(WallTime::from_nanos(1)).expect("a disk that works") {}
    if is_closed {
        store.close(b"state").expect("a disk that works");
    }
    disk
}

struct Deaf;

impl Observer for Deaf {
    fn added(&mut self, _: &Message<'_>, _: u64) {}
    fn removed(&mut self, _: &Discarded<'_>) {}
    fn noted(&mut self, _: u8, _: &[u8]) {}
}
