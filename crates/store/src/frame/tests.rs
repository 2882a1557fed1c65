//! Entries come back as they were, and whatever bytes there are, reading them ends.

use martlet_events::WallTime;
use proptest::prelude::*;

use super::*;
use crate::record::{Message, Purge};

const PLACE: Place = Place { salt: 9, term: 3, index: 700, synced: 690, previous: 0x1234_5678, last_seq: 40 };

fn message(seq: u64, payload: &[u8]) -> Record<'_> {
    let time = WallTime::from_nanos(1_700_000_000_000_000_000 + seq * 1000);
    Record::Message(Message { seq, time, subject: b"orders.new", headers: b"", payload, expires: None })
}

fn read_all(bytes: &[u8], salt: u32) -> Option<(Header, Vec<String>)> {
    let header = read_header(bytes, salt).ok()?;
    let origin = header.origin(salt);
    let (mut from, mut facts) = (header.len, Vec::new());
    for _ in 0..header.count {
        let (fact, _, len) = read_record(bytes.get(from..)?, &origin).ok()?;
        facts.push(match fact {
            Fact::Remove { ranges, erase } => format!("Remove {:?} {erase}", ranges.iter().collect::<Vec<_>>()),
            fact => format!("{fact:?}"),
        });
        from += len;
    }
    Some((header, facts))
}

#[test]
fn every_kind_of_record_comes_back() {
    let expires = Some(WallTime::from_nanos(99));
    let records = [
        Record::Message(Message {
            seq: 42,
            time: WallTime::from_nanos(1000),
            subject: b"a.b",
            headers: b"NATS/1.0\r\n\r\n",
            payload: b"hello",
            expires,
        }),
        Record::Skip { through: 50 },
        Record::Remove { ranges: &[3..=3, 7..=u64::MAX], erase: true },
        Record::Purge(Purge { filter: Some(b"a.>"), before: u64::MAX, keep: 2 }),
        Record::Expire { now: WallTime::from_nanos(u64::MAX), before: Some(WallTime::from_nanos(5)) },
        Record::Note { kind: 200, bytes: b"note" },
    ];
    let mut out = b"before".to_vec();
    let sum = encode(&mut out, &PLACE, &records);
    let (header, facts) = read_all(&out[6..], PLACE.salt).expect("it was just written");
    assert_eq!((header.sum, header.previous, header.term), (sum, PLACE.previous, PLACE.term));
    assert_eq!((header.index, header.synced, header.base_seq, header.count), (700, 690, 42, 6));
    assert_eq!(header.frame_len(), out.len() - 6);
    let mut wanted: Vec<String> = records.iter().map(|record| format!("{record:?}")).collect();
    wanted[2] = "Remove [3..=3, 7..=18446744073709551615] true".to_owned();
    assert_eq!(facts, wanted);
}

#[test]
fn a_frame_is_small() {
    let payload = [7; 128];
    let batch: Vec<_> = (1..=256).map(|seq| message(seq, &payload)).collect();
    let mut out = Vec::new();
    encode(&mut out, &PLACE, &batch);
    let each = out.len() / batch.len();
    assert!(each * 100 <= 170 * 97, "{each} bytes a message of 128 bytes");
    out.clear();
    encode(&mut out, &PLACE, &batch[..1]);
    assert!(out.len() <= 184, "{} bytes for one message of 128 bytes", out.len());
    assert!(encoded_bound(&batch[..1]) >= out.len() as u64);
}

#[test]
fn what_was_erased_keeps_its_place() {
    let mut out = Vec::new();
    encode(&mut out, &PLACE, &[message(41, b"secret"), message(42, b"other")]);
    let header = read_header(&out, PLACE.salt).unwrap();
    let (_, _, len) = read_record(&out[header.len..], &header.origin(PLACE.salt)).unwrap();
    erase(&mut out[header.len..header.len + len], &header.origin(PLACE.salt)).unwrap();
    let (_, facts) = read_all(&out, PLACE.salt).unwrap();
    assert_eq!(facts[0], "Erased { seq: 41 }");
    assert!(facts[1].starts_with("Message"));
    assert!(!out.windows(6).any(|window| window == b"secret"));
}

#[test]
fn another_log_or_another_entry_is_not_taken_for_this_one() {
    let (mut out, mut other) = (Vec::new(), Vec::new());
    encode(&mut out, &PLACE, &[message(41, b"a")]);
    encode(&mut other, &Place { index: 701, ..PLACE }, &[message(41, b"a")]);
    assert_eq!(read_header(&out, PLACE.salt + 1), Err(HeaderFault::Checksum));
    let (here, there) = (read_header(&out, PLACE.salt).unwrap(), read_header(&other, PLACE.salt).unwrap());
    assert!(read_record(&other[there.len..], &here.origin(PLACE.salt)).is_err());
}

#[test]
fn a_frame_of_a_newer_version_says_so() {
    let mut out = Vec::new();
    encode(&mut out, &PLACE, &[message(41, b"a")]);
    out[1] = 1;
    assert_eq!(read_header(&out, PLACE.salt), Err(HeaderFault::Checksum), "a flipped bit is damage");
    let len = parse_header(&out).unwrap().len;
    let sum = checksum2(PLACE.salt, &out[..SUM_AT], &out[SUM_AT + 4..len]);
    out[SUM_AT..SUM_AT + 4].copy_from_slice(&sum.to_le_bytes());
    assert_eq!(read_header(&out, PLACE.salt), Err(HeaderFault::Unknown));
}

proptest! {
    #[test]
    fn any_bytes_are_read_to_an_end(mut bytes in proptest::collection::vec(any::<u8>(), 0..200), marked in any::<bool>()) {
        if marked && !bytes.is_empty() {
            bytes[0] = MARKER;
        }
        let _ = read_header(&bytes, 1);
        let _ = parse_header(&bytes);
        let origin = Origin::new(1, 2, 3, 4);
        let _ = read_record(&bytes, &origin);
        if let Some((Fact::Remove { ranges, .. }, _)) = read_trusted(&bytes, &origin) {
            prop_assert!(ranges.iter().count() <= bytes.len());
        }
        let _ = erase(&mut bytes, &origin);
    }

    #[test]
    fn no_flipped_bit_passes(at in 0_usize..400, bit in 0_u8..8) {
        let mut out = Vec::new();
        encode(&mut out, &PLACE, &[message(41, b"a payload"), message(42, b"another"), Record::Skip { through: 50 }]);
        let at = at % out.len();
        out[at] ^= 1_u8 << bit;
        prop_assert!(read_all(&out, PLACE.salt).is_none());
    }
}
