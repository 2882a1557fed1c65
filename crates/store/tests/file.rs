//! The store in files does what the naive one does, and still does when it has been closed and opened.

mod model;

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use martlet_store::sim::{SimDisk, Unsynced};
use martlet_store::{Cipher, Discarded, Encryption, FileStore, Limits, Message, Observer, Options, Store};

/// Small segments, so that there are many.
fn options(first_seq: u64, kind: Kind) -> Options<'static> {
    let key =
        Encryption { key: b"the server's key", previous: None, cipher: Cipher::ChaCha20Poly1305, chance: [7; 32] };
    Options {
        salt: 77,
        segment_bytes: 2048,
        first_seq,
        limits: Limits::default(),
        compresses: kind != Kind::Plain,
        encryption: (kind == Kind::Both).then_some(key),
        scrub_period: Duration::ZERO,
    }
}

/// How a store keeps what it has.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Plain,
    Compressed,
    /// Compressed and encrypted.
    Both,
}

struct Deaf;

impl Observer for Deaf {
    fn added(&mut self, _: &Message<'_>, _: u64) {}
    fn removed(&mut self, _: &Discarded<'_>) {}
    fn noted(&mut self, _: u8, _: &[u8]) {}
}

fn open(disk: &SimDisk, first_seq: u64, kind: Kind) -> FileStore {
    let opened =
        FileStore::open(Arc::new(disk.clone()), options(first_seq, kind), &mut Deaf).expect("a disk that works");
    assert_eq!(opened.damage, []);
    opened.store
}

#[test]
// spec: JS-021 JS-022 JS-059 JS-061
fn a_store_in_files_is_a_list_of_messages() {
    check(Kind::Plain);
}

#[test]
// spec: JS-121
fn a_compressed_store_is_a_list_of_messages() {
    check(Kind::Compressed);
}

#[test]
// spec: JS-121
fn an_encrypted_store_is_a_list_of_messages() {
    check(Kind::Both);
}

fn check(kind: Kind) {
    // The harness makes a spare store before it closes one: the disk of that one is the last but one.
    let disks = Rc::new(RefCell::new(Vec::<SimDisk>::new()));
    let theirs = Rc::clone(&disks);
    let make = move |first_seq| {
        let disk = SimDisk::default();
        let store = open(&disk, first_seq, kind);
        theirs.borrow_mut().push(disk);
        Box::new(store) as Box<dyn Store>
    };
    let reopen = move |mut store: Box<dyn Store>| {
        if store.state().messages.is_multiple_of(2) {
            store.close(b"").expect("a disk that works");
        } else {
            store.checkpoint(b"").expect("a disk that works");
            let job = store.sync_job().expect("a checkpoint was written");
            store.synced(job.through, job.run()).expect("a disk that works");
        }
        disks.borrow_mut().pop();
        let disk = disks.borrow_mut().pop().expect("it was made").restart(Unsynced::Dropped);
        let store = open(&disk, 1, kind);
        disks.borrow_mut().push(disk);
        Box::new(store) as Box<dyn Store>
    };
    let kit = model::Kit {
        make: &make,
        size,
        reopen: Some(&reopen),
        cases: 120,
        stride: if kind == Kind::Plain { 31 } else { 211 },
    };
    model::check(&kit);
    model::check_everywhere(&kit);
}

fn size(message: &Message<'_>) -> u64 {
    let headers = if message.headers.is_empty() { 0 } else { message.headers.len() + 4 };
    (30 + message.subject.len() + headers + message.payload.len()) as u64
}
