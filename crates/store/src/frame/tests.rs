//! Entries come back as they were, and whatever bytes there are, reading them ends.

use martlet_events::WallTime;
use proptest::prelude::*;

use super::*;
use crate::record::{Message, Purge};

const SITE: Site = Site { segment: 1, at: 64 };
const PLACE: Place =
    Place { salt: 9, term: 3, index: 700, synced: 690, previous: 0x1234_5678, last_seq: 40, site: SITE };

fn message(seq: u64, payload: &[u8]) -> Record<'_> {
    let time = WallTime::from_nanos(1_700_000_000_000_000_000 + seq * 1000);
    Record::Message(Message { seq, time, subject: b"orders.new", headers: b"", payload, expires: None })
}

fn read_all(bytes: &[u8], salt: u32) -> Option<(Header, Vec<String>)> {
    let header = read_header(bytes, salt).ok()?;
    let origin = header.origin(salt);
    let (mut rest, mut facts) = (bytes.get(header.len..header.frame_len())?, Vec::new());
    while !rest.is_empty() {
        let (fact, _, len) = read_record(rest, &origin).ok()?;
        if let Fact::Block(block) = fact {
            let mut unpacked = Vec::new();
            Packer::default().unpacker(1).unpack(&block, &origin, 64, &mut unpacked)?;
            let mut within = &unpacked[..];
            while !within.is_empty() {
                let (fact, len) = read_bare(within, &origin)?;
                facts.push(shown(fact));
                within = &within[len..];
            }
        } else {
            facts.push(shown(fact));
        }
        rest = &rest[len..];
    }
    assert_eq!(facts.len(), header.count as usize);
    Some((header, facts))
}

fn shown(fact: Fact<'_>) -> String {
    match fact {
        Fact::Remove { ranges, erase } => format!("Remove {:?} {erase}", ranges.iter().collect::<Vec<_>>()),
        fact => format!("{fact:?}"),
    }
}

fn compressing() -> Packer {
    Packer::new(true)
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
    let sum = encode(&mut out, &PLACE, &records, &mut Packer::default());
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
    encode(&mut out, &PLACE, &batch, &mut Packer::default());
    let each = out.len() / batch.len();
    assert!(each * 100 <= 170 * 97, "{each} bytes a message of 128 bytes");
    out.clear();
    encode(&mut out, &PLACE, &batch[..1], &mut Packer::default());
    assert!(out.len() <= 184, "{} bytes for one message of 128 bytes", out.len());
    assert!(encoded_bound(&batch[..1]) >= out.len() as u64);
}

#[test]
// spec: JS-121
fn what_is_compressed_comes_back() {
    let (text, noise) = (vec![b'x'; 100 << 10], noise(40 << 10));
    let few: Vec<_> = (41..=52).map(|seq| message(seq, b"some words, some words, and some words")).collect();
    let many: Vec<_> = (41..=2041).map(|seq| message(seq, b"a short one")).collect();
    let large = [message(41, b"small"), message(42, &text), message(43, &noise), message(44, b"small")];
    let facts = [Record::Skip { through: 50 }, Record::Note { kind: 2, bytes: &text[..2000] }, message(51, b"x")];
    for records in [&few[..], &many, &large, &facts] {
        let (mut plain, mut packed) = (Vec::new(), Vec::new());
        encode(&mut plain, &PLACE, records, &mut Packer::default());
        encode(&mut packed, &PLACE, records, &mut compressing());
        assert!(packed.len() < plain.len(), "{} of {}", packed.len(), plain.len());
        let ((plain, before), (packed, after)) =
            (read_all(&plain, PLACE.salt).unwrap(), read_all(&packed, PLACE.salt).unwrap());
        assert_eq!(before, after);
        assert!(packed.is_compressed && !plain.is_compressed);
    }
}

/// Bytes that do not become smaller.
fn noise(len: usize) -> Vec<u8> {
    let next = |state: &mut u64| {
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        Some(state.to_le_bytes()[3])
    };
    let mut state = 7;
    std::iter::from_fn(|| next(&mut state)).take(len).collect()
}

#[test]
// spec: JS-121
fn what_would_not_become_smaller_stays_as_it_is() {
    let noise = noise(9000);
    for payload in [&b"one"[..], &noise, &[7; 100]] {
        let (mut plain, mut packed) = (Vec::new(), Vec::new());
        encode(&mut plain, &PLACE, &[message(41, payload)], &mut Packer::default());
        encode(&mut packed, &PLACE, &[message(41, payload)], &mut compressing());
        assert!(plain == packed, "{} bytes became {}", plain.len(), packed.len());
    }
}

#[test]
fn a_large_message_has_a_block_of_its_own() {
    let mut out = Vec::new();
    let text = vec![b'x'; 1 << 20];
    let records = [message(41, &[7; 300]), message(42, &text), message(43, &[7; 300])];
    encode(&mut out, &PLACE, &records, &mut compressing());
    let header = read_header(&out, PLACE.salt).unwrap();
    let (mut rest, mut lens, mut unpacked) = (&out[header.len..], Vec::new(), Vec::new());
    while !rest.is_empty() {
        let (fact, _, len) = read_record(rest, &header.origin(PLACE.salt)).unwrap();
        let Fact::Block(block) = fact else { panic!("{fact:?}") };
        let origin = header.origin(PLACE.salt);
        Packer::default().unpacker(1).unpack(&block, &origin, 64, &mut unpacked).unwrap();
        lens.push(unpacked.len());
        rest = &rest[len..];
    }
    assert!(matches!(lens[..], [100..400, 1_000_000..2_000_000, 100..400]), "{lens:?}");
}

#[test]
fn what_was_erased_keeps_its_place() {
    let mut out = Vec::new();
    encode(&mut out, &PLACE, &[message(41, b"secret"), message(42, b"other")], &mut Packer::default());
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
    encode(&mut out, &PLACE, &[message(41, b"a")], &mut Packer::default());
    encode(&mut other, &Place { index: 701, ..PLACE }, &[message(41, b"a")], &mut Packer::default());
    assert_eq!(read_header(&out, PLACE.salt + 1), Err(HeaderFault::Checksum));
    let (here, there) = (read_header(&out, PLACE.salt).unwrap(), read_header(&other, PLACE.salt).unwrap());
    assert!(read_record(&other[there.len..], &here.origin(PLACE.salt)).is_err());
}

#[test]
fn a_frame_of_a_newer_version_says_so() {
    let mut out = Vec::new();
    encode(&mut out, &PLACE, &[message(41, b"a")], &mut Packer::default());
    out[1] = 0x80;
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
        if let Some((Fact::Block(block), _)) = read_trusted(&bytes, &origin) {
            let mut unpacked = Vec::new();
            if Packer::default().unpacker(1).unpack(&block, &origin, 64, &mut unpacked).is_some() {
                let _ = read_bare(&unpacked, &origin);
            }
        }
        let _ = erase(&mut bytes, &origin);
    }

    #[test]
    fn no_flipped_bit_passes(at in 0_usize..400, bit in 0_u8..8, compresses in any::<bool>()) {
        let (mut out, mut packer) = (Vec::new(), Packer::new(compresses));
        encode(&mut out, &PLACE, &[message(41, b"a payload"), message(42, &[b'x'; 300]), Record::Skip { through: 50 }], &mut packer);
        let at = at % out.len();
        out[at] ^= 1_u8 << bit;
        prop_assert!(read_all(&out, PLACE.salt).is_none());
    }
}
