//! What only a memory store has: its bound, and the room it gives back. The rest is compared with a list (`tests/model`).

use super::*;
use crate::store::Discarded;

struct Nobody;

impl Observer for Nobody {
    fn added(&mut self, _: &Message<'_>, _: u64) {}
    fn removed(&mut self, _: &Discarded<'_>) {}
    fn noted(&mut self, _: u8, _: &[u8]) {}
}

fn message(seq: u64, payload: &[u8]) -> Record<'_> {
    let time = WallTime::from_nanos(seq);
    Record::Message(Message { seq, time, subject: b"orders.new", headers: b"", payload, expires: None })
}

fn write(store: &mut MemoryStore, record: &Record<'_>) {
    let entry = store.append(std::slice::from_ref(record)).unwrap();
    store.apply(entry, &mut Nobody);
}

#[test]
fn a_full_store_takes_an_entry_whole_or_not_at_all() {
    let mut store = MemoryStore::new(0).bounded(10_000);
    let payload = [7; 900];
    for seq in 1..=10 {
        write(&mut store, &message(seq, &payload));
    }
    let (used, state) = (store.used(), store.state());
    let two = [message(11, b""), message(12, &payload)];
    assert!(matches!(store.append(&two), Err(StoreError::Full { .. })));
    assert_eq!((store.appended(), store.used(), store.state()), (10, used, state));
    assert!(store.fenced().is_none(), "the next may find room");
    write(&mut store, &Record::Remove { ranges: &[2..=3], erase: false });
    store.append(&two).unwrap();
    assert!(store.used() <= 10_000);
}

#[test]
fn facts_need_no_room() {
    let mut store = MemoryStore::new(0).bounded(0);
    assert!(store.append(&[message(1, b"")]).is_err());
    store.append(&[Record::Skip { through: 5 }, Record::Note { kind: 1, bytes: b"x" }]).unwrap();
}

#[test]
fn room_is_given_back() {
    let mut store = MemoryStore::new(0);
    for seq in 1..=5_000 {
        write(&mut store, &message(seq, &[1; 200]));
    }
    let full = store.used();
    for seq in (1..=5_000).filter(|seq| seq % 10 != 0) {
        write(&mut store, &Record::Remove { ranges: &[seq..=seq], erase: seq % 3 == 0 });
    }
    assert!(store.used() < full / 4, "{} of {full}", store.used());
    write(&mut store, &Record::Purge(Purge { filter: None, before: u64::MAX, keep: 0 }));
    assert_eq!(store.used(), 0);
    write(&mut store, &message(5_001, b"again"));
    let mut buffer = Vec::new();
    assert_eq!(store.get(5_001, &mut buffer).unwrap().unwrap().payload, b"again");
}

#[test]
fn what_waits_is_not_there_yet() {
    let (mut store, mut buffer) = (MemoryStore::new(7), Vec::new());
    store.append(&[message(7, b"")]).unwrap();
    let any = Filter::default();
    assert_eq!((store.state().messages, store.state().first_seq, store.state().last_seq), (0, 7, 6));
    assert_eq!(store.get(7, &mut buffer).unwrap(), None);
    assert_eq!(store.next(&any, 0, &mut buffer).unwrap(), None);
    assert_eq!((store.last(&any, 9), store.first_since(WallTime::from_nanos(1))), (None, 7));
    store.apply(u64::MAX, &mut Nobody);
    assert_eq!((store.applied(), store.state().messages, store.last(&any, 9)), (1, 1, Some(7)));
}
