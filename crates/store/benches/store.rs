//! What a store costs by itself, on a disk that takes no time: `cargo bench -p martlet-store`.

use std::hint::black_box;
use std::sync::Arc;

use criterion::{BatchSize, Criterion, Throughput};
use martlet_events::WallTime;
use martlet_store::disk::Disk;
use martlet_store::index::Tree;
use martlet_store::sim::SteadyDisk;
use martlet_store::{
    Cipher, Discarded, Encryption, FileStore, Filter, Limits, Message, Observer, Options, Record, Store,
};

/// Messages of an entry.
const BATCH: u64 = 256;
/// Messages of a stream that is opened or searched.
const MESSAGES: u64 = 200_000;

struct Deaf;

impl Observer for Deaf {
    fn added(&mut self, _: &Message<'_>, _: u64) {}
    fn removed(&mut self, _: &Discarded<'_>) {}
    fn noted(&mut self, _: u8, _: &[u8]) {}
}

/// How streams are kept.
fn kinds() -> [(&'static str, Options<'static>); 4] {
    let plain = Options::for_limits(Limits::default(), 7);
    let key = Encryption { key: b"key", previous: None, cipher: Cipher::ChaCha20Poly1305, chance: [7; 32] };
    let sealed = |cipher| Options { encryption: Some(Encryption { cipher, ..key }), ..plain };
    [
        ("plain", plain),
        ("compressed", Options { compresses: true, ..plain }),
        ("chacha", sealed(Cipher::ChaCha20Poly1305)),
        ("aes", sealed(Cipher::Aes256Gcm)),
    ]
}

fn open(disk: &SteadyDisk, options: Options<'_>) -> FileStore {
    FileStore::open(Arc::new(disk.clone()), options, &mut Deaf).expect("memory works").store
}

fn subject(number: u64, subjects: u64) -> String {
    format!("orders.{}", number % subjects)
}

/// Takes in an entry of messages from `first` on.
fn append(store: &mut FileStore, first: u64, subjects: u64) {
    let words = br#"{"customer":4711,"article":"a thing of some kind","count":3,"price":"12.90","state":"ordered"}"#;
    let names: Vec<String> = (first..first + BATCH).map(|seq| subject(seq, subjects)).collect();
    let records: Vec<Record<'_>> = (first..)
        .zip(&names)
        .map(|(seq, subject)| {
            let (time, subject) = (WallTime::from_nanos(1_700_000_000_000_000_000 + seq), subject.as_bytes());
            Record::Message(Message { seq, time, subject, headers: b"", payload: words, expires: None })
        })
        .collect();
    let through = store.append(&records).expect("there is room");
    if let Some(job) = store.sync_job() {
        store.synced(job.through, job.run()).expect("memory works");
    }
    store.apply(through, &mut Deaf);
}

fn filled(options: Options<'_>, subjects: u64) -> (SteadyDisk, FileStore) {
    let disk = SteadyDisk::default();
    let mut store = open(&disk, options);
    for first in (1..=MESSAGES).step_by(usize::try_from(BATCH).expect("it is small")) {
        append(&mut store, first, subjects);
        if store.wants_checkpoint() {
            store.checkpoint(b"").expect("memory works");
        }
        store.maintain(WallTime::from_nanos(1)).expect("memory works");
    }
    tidy(&mut store);
    (disk, store)
}

fn tidy(store: &mut FileStore) {
    while store.maintain(WallTime::from_nanos(1)).expect("memory works") {}
}

fn appending(c: &mut Criterion) {
    let mut group = c.benchmark_group("append 256 messages");
    group.throughput(Throughput::Elements(BATCH));
    for (name, options) in kinds() {
        let mut store = open(&SteadyDisk::default(), options);
        let mut first = 1;
        group.bench_function(name, |bench| {
            bench.iter(|| {
                append(&mut store, first, 1000);
                first += BATCH;
                if first > MESSAGES {
                    (store, first) = (open(&SteadyDisk::default(), options), 1);
                }
            });
        });
    }
}

fn recovering(c: &mut Criterion) {
    let mut group = c.benchmark_group("open 200,000 messages");
    group.sample_size(10);
    for (name, options) in kinds() {
        for subjects in [1, 100_000] {
            let (disk, mut store) = filled(options, subjects);
            group.bench_function(format!("{name}, {subjects} subjects, after a kill"), |bench| {
                bench.iter_batched(|| disk.clone(), |disk| black_box(open(&disk, options)), BatchSize::LargeInput);
            });
            store.close(b"").expect("memory works");
            group.bench_function(format!("{name}, {subjects} subjects, after a clean stop"), |bench| {
                bench.iter_batched(|| disk.clone(), |disk| black_box(open(&disk, options)), BatchSize::LargeInput);
            });
        }
    }
}

fn summarising(c: &mut Criterion) {
    let mut group = c.benchmark_group("summarise a segment of 8 MiB");
    group.sample_size(10);
    for (name, options) in kinds() {
        for subjects in [1, 100_000] {
            let disk = SteadyDisk::default();
            let mut store = open(&disk, options);
            let mut first = 1;
            while disk.list().expect("memory works").iter().filter(|name| name.starts_with('0')).count() < 2 {
                append(&mut store, first, subjects);
                first += BATCH;
            }
            // No checkpoint knows of it, so that what is there goes when the store is opened.
            group.bench_function(format!("{name}, {subjects} subjects"), |bench| {
                bench.iter_batched(|| open(&disk, options), |mut store| tidy(&mut store), BatchSize::LargeInput);
            });
        }
    }
}

fn reading(c: &mut Criterion) {
    let mut group = c.benchmark_group("read");
    for (name, options) in kinds() {
        let (_disk, store) = filled(options, 100_000);
        let (mut buffer, mut seq) = (Vec::new(), 1);
        group.bench_function(format!("{name}, any message"), |bench| {
            bench.iter(|| {
                seq = (seq + 7919) % MESSAGES + 1;
                black_box(store.get(seq, &mut buffer).expect("it is whole"));
            });
        });
        let rare = Filter::new([subject(7_777, 100_000).as_bytes()]);
        group.bench_function(format!("{name}, the next of one subject in 100,000"), |bench| {
            bench.iter(|| {
                black_box(store.next(&rare, 7_778, &mut buffer).expect("it is whole"));
            });
        });
    }
}

fn looking_up(c: &mut Criterion) {
    let mut tree: Tree<u64> = Tree::default();
    for number in 0..100_000 {
        *tree.entry(subject(number, 100_000).as_bytes()) = number;
    }
    let (mut number, mut name) = (0, String::new());
    c.bench_function("look up one of 100,000 subjects", |bench| {
        bench.iter(|| {
            number = (number + 7919) % 100_000;
            name = subject(number, 100_000);
            black_box(tree.get(name.as_bytes()))
        });
    });
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    for group in [appending, recovering, summarising, reading, looking_up] {
        group(&mut criterion);
    }
    criterion.final_summary();
}
