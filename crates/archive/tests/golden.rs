//! Files that the reference 2.15.1 wrote: `plain`, `s2` (compressed where a block is full), `chacha` and `aes` (with the key
//! `secret`), each stopped in peace, and `killed`. Each is a stream S of the account $G, whose last message but two was
//! erased, and whose last but five was removed, with a consumer.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use martlet_archive::files::{self, AssetKey, Index, MasterKey, Meta, Records, Shelf};
use martlet_archive::{Item, Pair, Sink};

#[derive(Default)]
struct Told(BTreeMap<u64, (String, String, String)>);

impl Sink for Told {
    type Error = std::convert::Infallible;

    fn item(&mut self, item: Item<'_>) -> Result<(), Self::Error> {
        let Item::Message(message) = item else { panic!("{item:?}") };
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let before = self.0.insert(message.seq, (text(message.subject), text(message.headers), text(message.payload)));
        assert_eq!(before, None);
        Ok(())
    }
}

fn directory(kind: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(kind)
}

#[expect(clippy::disallowed_methods, reason = "the test reads its inputs; the crate under test reads nothing")]
fn read(path: &Path) -> Option<Vec<u8>> {
    std::fs::read(path).ok()
}

fn must(path: &Path) -> Vec<u8> {
    read(path).unwrap_or_else(|| panic!("{} is there", path.display()))
}

fn blocks(kind: &str) -> Vec<u32> {
    let entries = directory(kind).join("msgs").read_dir().expect("blocks");
    let names = entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("a name"));
    let mut numbers: Vec<u32> = names.filter_map(|name| name.strip_suffix(".blk")?.parse().ok()).collect();
    numbers.sort_unstable();
    numbers
}

fn block(kind: &str, number: u32, key: &MasterKey) -> Vec<u8> {
    let mut bytes = must(&directory(kind).join(format!("msgs/{number}.blk")));
    if let Some(sealed) = read(&directory(kind).join(format!("msgs/{number}.key"))) {
        key.block("S", number, &sealed).expect("the key").open_block(&mut bytes);
    }
    files::unpack(bytes).expect("a block")
}

fn stream_key(kind: &str, key: &MasterKey) -> Option<AssetKey> {
    read(&directory(kind).join("meta.key")).map(|sealed| key.stream("S", &sealed).expect("the key"))
}

fn open(bytes: &[u8], key: Option<&AssetKey>) -> Vec<u8> {
    key.map_or(bytes.to_vec(), |key| key.open(bytes).expect("decrypted"))
}

#[test]
fn messages_are_what_they_were() {
    for (kind, count, size) in [("plain", 12, 5), ("killed", 12, 5), ("chacha", 12, 5), ("aes", 12, 5), ("s2", 300, 60)]
    {
        let key = MasterKey::new(b"secret", "$G");
        let (mut shelf, mut told) = (Shelf::new("S"), Told::default());
        for number in blocks(kind) {
            let Ok(()) = shelf.block(number, &block(kind, number, &key), &mut told);
        }
        assert_eq!(shelf.faults(), [], "{kind}");
        let index = read(&directory(kind).join("msgs/index.db"));
        let index = index.map(|bytes| Index::read("S", &bytes, stream_key(kind, &key).as_ref()).expect("an index"));
        assert_eq!(index.is_some(), kind != "killed");
        let contents = shelf.end(index.as_ref());
        for range in contents.gone {
            told.0.retain(|seq, _| !range.contains(seq));
        }
        let (first, last) = (told.0.first_key_value().expect("some"), told.0.last_key_value().expect("some"));
        assert_eq!((*last.0, contents.last_seq, contents.missing), (count, count, 0), "{kind}");
        let gone: Vec<u64> = (*first.0..=count).filter(|seq| !told.0.contains_key(seq)).collect();
        assert_eq!(gone, [count - 5, count - 2], "{kind}");
        for (seq, (subject, headers, payload)) in &told.0 {
            let number = seq - 1;
            assert_eq!(*subject, format!("s.{}", number % 3));
            assert_eq!(*payload, format!("{number} ").repeat(size));
            let expected = if number % 2 == 0 { String::new() } else { format!("NATS/1.0\r\nN: {number}\r\n\r\n") };
            assert_eq!(*headers, expected);
        }
        if let Some((messages, _)) = contents.counted {
            assert_eq!(messages, told.0.len() as u64);
        }
    }
    assert!(blocks("s2").len() > 1, "some of them are compressed");
}

#[test]
fn a_block_that_is_not_there_is_missed() {
    let index = Index::read("S", &must(&directory("s2").join("msgs/index.db")), None).expect("an index");
    for left_out in blocks("s2") {
        let (mut shelf, mut told) = (Shelf::new("S"), Told::default());
        for number in blocks("s2").into_iter().filter(|number| *number != left_out) {
            let Ok(()) = shelf.block(number, &block("s2", number, &MasterKey::new(b"", "")), &mut told);
        }
        let contents = shelf.end(Some(&index));
        let gone: u64 = contents.gone.iter().map(|range| range.end() - range.start() + 1).sum();
        assert!(contents.missing > 50, "{left_out}");
        assert!(told.0.len() as u64 - gone + contents.missing >= 298 && contents.last_seq == 300);
    }
}

#[test]
fn configurations_and_consumers_are_what_they_were() {
    for kind in ["plain", "killed", "chacha", "aes", "s2"] {
        let (key, root) = (MasterKey::new(b"secret", "$G"), directory(kind));
        let meta = must(&root.join("meta.inf"));
        files::check_sum("S", &meta, &must(&root.join("meta.sum"))).expect("the sum");
        assert!(files::check_sum("T", &meta, &must(&root.join("meta.sum"))).is_err());
        let meta = Meta::read(&open(&meta, stream_key(kind, &key).as_ref())).expect("JSON");
        assert_eq!(meta.name, "S");
        assert!(meta.created > 1_795_000_000_000_000_000);

        let root = root.join("obs/c");
        let sealed = read(&root.join("meta.key"));
        let consumer = sealed.map(|sealed| key.consumer("S", "c", &sealed).expect("the key"));
        let meta = must(&root.join("meta.inf"));
        files::check_consumer_sum("S", "c", &meta, &must(&root.join("meta.sum"))).expect("the sum");
        assert_eq!(Meta::read(&open(&meta, consumer.as_ref())).expect("JSON").name, "c");
        let state = files::consumer_state(&open(&must(&root.join("o.dat")), consumer.as_ref())).expect("a state");
        assert_eq!((state.delivered.stream_seq, state.ack_floor), (5, Pair::default()));
        let waits: Vec<_> = state.pending.iter().map(|(seq, of)| (*seq, of.sequence)).collect();
        assert_eq!(waits, [(1, 1), (3, 3), (4, 4), (5, 5)]);
        // What was delivered last had not been written when the server was killed.
        if kind != "killed" {
            assert_eq!(state.delivered.consumer_seq, 6);
            assert_eq!(state.redelivered, BTreeMap::from([(3, 1)]));
        }
    }
}

#[test]
fn another_key_opens_nothing() {
    for kind in ["chacha", "aes"] {
        let sealed = must(&directory(kind).join("meta.key"));
        for (key, account, name) in [("other", "$G", "S"), ("secret", "A", "S"), ("secret", "$G", "T")] {
            assert!(MasterKey::new(key.as_bytes(), account).stream(name, &sealed).is_err());
        }
        assert!(MasterKey::new(b"secret", "$G").stream("S", &sealed[..20]).is_err());
    }
}

#[test]
fn every_flipped_bit_is_found_and_the_rest_is_read() {
    let key = MasterKey::new(b"secret", "$G");
    let whole = block("plain", 1, &key);
    let count = |bytes: &[u8]| {
        let (mut shelf, mut told) = (Shelf::new("S"), Told::default());
        let Ok(()) = shelf.block(1, bytes, &mut told);
        (told.0.len(), shelf.faults().len())
    };
    let (all, _) = count(&whole);
    // No checksum covers how long the subject and the headers are.
    let mut bare = Vec::new();
    for (at, _) in Records::new("S", 1, &whole) {
        bare.extend([at + 20, at + 21]);
        if whole[at + 3] & 0x80 != 0 {
            let headers = at + 22 + usize::from(whole[at + 20]);
            bare.extend(headers..headers + 4);
        }
    }
    for at in (0..whole.len()).filter(|at| !bare.contains(at)) {
        for bit in [0, 6] {
            let mut flipped = whole.clone();
            flipped[at] ^= 1 << bit;
            let (told, faults) = count(&flipped);
            assert!(faults > 0 && told <= all, "byte {at}: {told} of {all}, {faults} faults");
        }
        let (told, faults) = count(&whole[..at]);
        assert!(told <= all && faults <= 1);
    }
    let index = must(&directory("plain").join("msgs/index.db"));
    for at in 0..index.len() {
        let mut flipped = index.clone();
        flipped[at] ^= 1;
        assert!(Index::read("S", &flipped, None).is_err(), "byte {at}");
    }
}
