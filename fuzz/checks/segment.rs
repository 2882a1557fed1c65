//! A stream's files, spoilt: whatever is in them, opening and reading end, and no message is another than was written. Where their
//! checksums are made right after that, what they say counts, whatever it is: opening, reading, going on and closing end all the same.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use martlet_events::WallTime;
use martlet_store::disk::Disk;
use martlet_store::sim::SimDisk;
use martlet_store::{
    Cipher, Discarded, Encryption, FileStore, Filter, Limits, Message, NEVER, Observer, Options, Purge, Record, State,
    Store, probe,
};

/// Messages that are written.
const MESSAGES: u64 = 40;
/// Steps of maintenance: more than a store of this size takes.
const STEPS: usize = 1000;

/// How a store keeps what it has, what has been done with it, and what is done with it: bits of a number.
#[derive(Clone, Copy)]
struct Choice(u8);

impl Choice {
    const ALL: usize = 0x20;

    fn compresses(self) -> bool {
        self.0 & 1 != 0
    }

    fn encrypts(self) -> bool {
        self.0 & 2 != 0
    }

    fn is_closed(self) -> bool {
        self.0 & 4 != 0
    }

    /// Whether its segments have summaries.
    fn is_tidied(self) -> bool {
        self.0 & 8 != 0
    }

    /// Whether checksums are made right, and everything there is to write has been written.
    fn is_sealed(self) -> bool {
        self.0 & 16 != 0
    }

    fn options(self) -> Options<'static> {
        let key = Encryption { key: b"key", previous: None, cipher: Cipher::Aes256Gcm, chance: [7; 32] };
        Options {
            salt: 7,
            segment_bytes: 1024,
            first_seq: 0,
            limits: Limits::default(),
            compresses: self.compresses(),
            encryption: self.encrypts().then_some(key),
            scrub_period: if self.is_sealed() { Duration::from_secs(1) } else { Duration::ZERO },
        }
    }
}

/// The first byte chooses how the store keeps what it has, whether its segments have summaries, whether it is closed, and whether its
/// checksums are made right; then come changes: a file, a place, what to do there, and how many bytes follow that take the place of
/// those that are there.
pub(crate) fn check(data: &[u8]) {
    let Some((&choice, mut changes)) = data.split_first() else { return };
    let choice = Choice(choice & 0x1f);
    let disk = lived_in(choice);
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
    for name in names.iter().filter(|_| choice.is_sealed()) {
        let mut bytes = disk.bytes(name).unwrap_or_default();
        probe::seal(name, &mut bytes);
        disk.set_bytes(name, bytes);
    }
    // Without its key a store is refused.
    let Ok(opened) = FileStore::open(Arc::new(disk.clone()), choice.options(), &mut Deaf) else { return };
    let mut store = opened.store;
    read(&store, choice);
    if choice.is_sealed() {
        go_on(&mut store);
    }
    let state = store.state();
    if store.close(b"").is_ok() {
        let again = FileStore::open(Arc::new(disk), choice.options(), &mut Deaf).expect("it was closed").store;
        let again = again.state();
        let counts = |state: &State| (state.messages, state.first_seq, state.last_seq);
        assert!(choice.is_sealed() || counts(&again) == counts(&state), "closing has changed what there is");
    }
}

fn read(store: &FileStore, choice: Choice) {
    let mut buffer = Vec::new();
    for seq in 0..MESSAGES + 3 {
        if let Ok(Some(found)) = store.get(seq, &mut buffer)
            && !choice.is_sealed()
        {
            assert_eq!(
                (found.subject, found.payload),
                (&*subject(seq), &*payload(seq)),
                "message {seq} is another one"
            );
        }
        let _ = store.next(&Filter::new([&b"s.1"[..]]), seq, &mut buffer);
        store.last(&Filter::new([&b"s.*"[..]]), seq);
    }
}

/// What may happen to a stream, in a store that says anything of itself.
fn go_on(store: &mut FileStore) {
    store.first_time();
    store.first_since(WallTime::from_nanos(20));
    store.for_each_subject(b">", &mut |subject, state| !subject.is_empty() && state.messages > 0);
    store.count(&Filter::default(), 3, false);
    store.count(&Filter::new([&b"s.2"[..]]), 0, true);
    store.for_each_deleted(&mut |range| range.start() <= range.end());
    let last_seq = store.state().last_seq;
    if last_seq < u64::MAX / 2 {
        let ranges = [1..=3, 8..=8, last_seq..=last_seq + 1];
        let purge = Purge { filter: Some(b"s.3"), before: u64::MAX, keep: 1 };
        let expire = Record::Expire { now: WallTime::from_nanos(3), before: Some(WallTime::from_nanos(9)) };
        let content = (last_seq + 1, subject(last_seq), payload(last_seq));
        let records = [
            Record::Remove { ranges: &ranges, erase: true },
            Record::Purge(purge),
            expire,
            message(&content),
            Record::Remove { ranges: &[5..=5], erase: false },
        ];
        let _ = append(store, &records);
    }
    for now in 1..4 {
        let _ = store.checkpoint(b"state").map(|()| sync(store));
        let now = WallTime::from_nanos(now * 1_000_000_000);
        let mut steps = 0;
        while store.maintain(now).unwrap_or(false) {
            steps += 1;
            assert!(steps < STEPS, "maintenance does not end");
        }
        store.take_damage();
    }
}

fn subject(seq: u64) -> Vec<u8> {
    format!("s.{}", seq % 4).into_bytes()
}

fn payload(seq: u64) -> Vec<u8> {
    format!("message {seq} ").repeat(usize::try_from(seq % 30).expect("below 30")).into_bytes()
}

fn message((seq, subject, payload): &(u64, Vec<u8>, Vec<u8>)) -> Record<'_> {
    let (time, headers) = (WallTime::default(), &b""[..]);
    Record::Message(Message { seq: *seq, time, subject, headers, payload, expires: None })
}

/// Another one for some sequences: with headers, or a time of its own.
fn varied(record: Record<'_>) -> Record<'_> {
    let Record::Message(message) = record else { return record };
    let headers: &[u8] = if message.seq % 3 == 0 { b"NATS/1.0\r\nA: b\r\n\r\n" } else { b"" };
    let expires = match message.seq % 5 {
        0 => Some(WallTime::from_nanos(2 * message.seq)),
        1 => Some(NEVER),
        _ => None,
    };
    Record::Message(Message { time: WallTime::from_nanos(message.seq), headers, expires, ..message })
}

/// A store that has been lived in; one that is the same each time is made once.
fn lived_in(choice: Choice) -> SimDisk {
    static LIVES: [OnceLock<SimDisk>; Choice::ALL] = [const { OnceLock::new() }; Choice::ALL];
    LIVES[usize::from(choice.0)].get_or_init(|| written(choice)).fork()
}

fn written(choice: Choice) -> SimDisk {
    let disk = SimDisk::default();
    let opened = FileStore::open(Arc::new(disk.clone()), choice.options(), &mut Deaf).expect("an empty disk");
    let mut store = opened.store;
    for first in (1..=MESSAGES).step_by(4) {
        let content: Vec<_> = (first..first + 4).map(|seq| (seq, subject(seq), payload(seq))).collect();
        let records = content.iter().map(message);
        let records: Vec<_> = if choice.is_sealed() { records.map(varied).collect() } else { records.collect() };
        append(&mut store, &records).expect("there is room");
        if choice.is_sealed() && first > MESSAGES / 2 {
            facts(&mut store, first);
        }
    }
    store.checkpoint(b"state").expect("a disk that works");
    if choice.is_sealed() {
        facts(&mut store, 9);
    }
    while choice.is_tidied() && store.maintain(WallTime::from_nanos(1)).expect("a disk that works") {}
    if choice.is_closed() {
        store.close(b"state").expect("a disk that works");
    }
    disk
}

/// One of each that is no message.
fn facts(store: &mut FileStore, seq: u64) {
    let records = [
        Record::Remove { ranges: &[seq..=seq, seq + 2..=seq + 3], erase: false },
        Record::Remove { ranges: &[seq - 8..=seq - 8], erase: true },
        Record::Note { kind: 3, bytes: b"a consumer" },
        Record::Purge(Purge { filter: Some(b"s.2"), before: seq, keep: 1 }),
        Record::Expire { now: WallTime::from_nanos(seq), before: Some(WallTime::from_nanos(seq / 8)) },
    ];
    append(store, &records).expect("there is room");
}

fn append(store: &mut FileStore, records: &[Record<'_>]) -> Result<(), martlet_store::StoreError> {
    let through = store.append(records)?;
    sync(store);
    store.apply(through, &mut Deaf);
    Ok(())
}

fn sync(store: &mut FileStore) {
    if let Some(job) = store.sync_job() {
        store.synced(job.through, job.run()).expect("a disk that works");
    }
}

struct Deaf;

impl Observer for Deaf {
    fn added(&mut self, _: &Message<'_>, _: u64) {}
    fn removed(&mut self, _: &Discarded<'_>) {}
    fn noted(&mut self, _: u8, _: &[u8]) {}
}
