//! What a subject costs: resident memory per key of a million, in the index alone or in a memory store.
//!
//! `cargo run --release -p martlet-store --example subjects [index|store] [dense|random|levels] [keys]`

use std::hint::black_box;

use martlet_store::index::Index;
use martlet_store::{Discarded, Filter, MemoryStore, Message, Observer, Record, Store};

use martlet_events::WallTime;

struct Nobody;

impl Observer for Nobody {
    fn added(&mut self, _: &Message<'_>, _: u64) {}
    fn removed(&mut self, _: &Discarded<'_>) {}
    fn noted(&mut self, _: u8, _: &[u8]) {}
}

/// Resident bytes, as the kernel counts them.
#[expect(clippy::disallowed_methods, reason = "an example may look at its own process")]
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<usize>().ok()).unwrap_or(0) * 1024
}

/// Prints what `fill` leaves behind, for each key beyond the key itself.
fn measure<T>(what: &str, keys: &[Vec<u8>], fill: impl FnOnce() -> T) -> T {
    let before = resident();
    let filled = fill();
    let used = resident().saturating_sub(before);
    let key_bytes: usize = keys.iter().map(Vec::len).sum();
    let per_key = |bytes: usize| bytes / keys.len().max(1);
    println!("{what}: {} bytes per key, {} beyond the key", per_key(used), per_key(used.saturating_sub(key_bytes)));
    filled
}

fn index(keys: &[Vec<u8>]) -> Index {
    let mut index = Index::new(0);
    for (seq, subject) in (1..).zip(keys) {
        let time = WallTime::from_nanos(seq);
        index.add(&Message { seq, time, subject, headers: b"", payload: b"", expires: None }, 64);
    }
    index
}

fn store(keys: &[Vec<u8>]) -> MemoryStore {
    let mut store = MemoryStore::new(0);
    for (seq, subject) in (1..).zip(keys) {
        let message =
            Message { seq, time: WallTime::from_nanos(seq), subject, headers: b"", payload: b"", expires: None };
        let entry = store.append(&[Record::Message(message)]).expect("it has no bound");
        store.apply(entry, &mut Nobody);
    }
    store
}

/// Keys of one kind.
fn keys(kind: &str, count: u64) -> Vec<Vec<u8>> {
    let shuffled = |n: u64| n.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let key = |n: u64| match kind {
        "random" => format!("$KV.b.{:016x}{:016x}", shuffled(n), shuffled(n ^ 0x5555)),
        "levels" => format!("device.{}.sensor.{}.{}", n / 1_000, n % 100, n % 1_000 / 100),
        _ => format!("$KV.b.key{n}"),
    };
    (0..count).map(|n| key(n).into_bytes()).collect()
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let arg = |nth: usize, default: &'static str| args.get(nth).map_or(default, String::as_str).to_owned();
    let (what, kind) = (arg(0, "index"), arg(1, "dense"));
    let count: u64 = arg(2, "1000000").parse().expect("a number of keys");
    let keys = keys(&kind, count);
    if what == "store" {
        let store = measure(&format!("memory store with empty messages, {kind}"), &keys, || store(&keys));
        assert_eq!(black_box(&store).count(&Filter::default(), 0, true), count);
    } else {
        let index = measure(&format!("index, {kind}"), &keys, || index(&keys));
        assert_eq!(black_box(&index).subject_count(), count);
    }
}
