use proptest::prelude::*;

use super::{
    CHECKSUM, COMPRESSED, Decoder, Encoder, IDENTIFIER, Level, MAX_BLOCK, MAX_DATA, MAX_SNAPPY_BLOCK, S2, S2Error,
    SNAPPY, UNCOMPRESSED, WRITE_BLOCK, append_header, masked,
};

const LEVELS: [Level; 4] = [Level::Uncompressed, Level::Fast, Level::Better, Level::Best];

/// What a decoder makes of `stream` in pieces of these sizes, the last of which repeats.
fn decode(stream: &[u8], pieces: &[usize]) -> Result<Vec<u8>, S2Error> {
    let mut decoder = Decoder::default();
    let mut out = Vec::new();
    let mut rest = stream;
    let mut pieces = pieces.iter().copied();
    let mut size = stream.len();
    while !rest.is_empty() {
        size = pieces.next().unwrap_or(size).clamp(1, rest.len());
        let (mut piece, later) = rest.split_at(size.min(rest.len()));
        while !piece.is_empty() {
            let before = out.len();
            piece = decoder.decode(piece, &mut out)?;
            assert!(out.len() - before <= MAX_BLOCK, "no more than a block at a time");
            assert!(decoder.held.len() <= super::HEADER + MAX_DATA, "no more than a chunk held");
        }
        rest = later;
    }
    Ok(out)
}

fn chunk(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    append_header(&mut out, kind, body.len());
    out.extend_from_slice(body);
    out
}

fn data(kind: u8, plain: &[u8], data: &[u8]) -> Vec<u8> {
    chunk(kind, &[&masked(plain)[..], data].concat())
}

fn stream(chunks: &[Vec<u8>]) -> Vec<u8> {
    [chunk(IDENTIFIER, S2), chunks.concat()].concat()
}

#[test]
fn a_short_write_as_the_reference_makes_it() {
    // spec: CLU-037
    let wire = b"\xff\x06\x00\x00S2sTwO\x01\x0a\x00\x00\xf5\x6f\x1b\xe4PONG\r\n";
    assert_eq!(decode(wire, &[]).as_deref(), Ok(&b"PONG\r\n"[..]));
    for level in LEVELS {
        let mut out = Vec::new();
        Encoder::new(level).encode(b"PONG\r\n", &mut out);
        assert_eq!(out, wire);
    }
}

#[test]
fn every_write_can_be_read_at_once_and_the_identifier_comes_once() {
    // spec: CLU-037 CLU-038
    let text = b"RMSG A some.subject 3\r\nabc\r\n".repeat(40);
    for level in LEVELS {
        let mut encoder = Encoder::new(level);
        let mut decoder = Decoder::default();
        let mut plain = Vec::new();
        for (turn, len) in [3, 1, 200, text.len(), 0, 33].into_iter().enumerate() {
            let mut wire = Vec::new();
            encoder.encode(&text[..len], &mut wire);
            assert_eq!(wire.starts_with(&chunk(IDENTIFIER, S2)), turn == 0);
            plain.clear();
            let mut rest = &wire[..];
            while !rest.is_empty() {
                rest = decoder.decode(rest, &mut plain).expect("what was written can be read");
            }
            assert_eq!(plain, text[..len], "{level:?}");
        }
    }
}

#[test]
fn levels_compress_and_can_be_changed_within_a_stream() {
    // spec: CLU-038
    let line =
        |n: u32| format!("RS+ ACCOUNT orders.{}.{}.new\r\n", n.wrapping_mul(n) % 97, n.wrapping_mul(7919) % 1013);
    let text = (0..3000).map(line).collect::<String>().into_bytes();
    let mut encoder = Encoder::new(Level::Uncompressed);
    let mut wire = Vec::new();
    let mut lengths = Vec::new();
    for level in LEVELS {
        encoder.set_level(level);
        assert_eq!(encoder.level(), level);
        let before = wire.len();
        encoder.encode(&text, &mut wire);
        lengths.push(wire.len() - before);
    }
    assert!(lengths[0] > text.len() && lengths[1] < text.len() / 2, "{lengths:?}");
    assert!(lengths[2] < lengths[1] && lengths[3] < lengths[1] && lengths[2] != lengths[3], "{lengths:?}");
    assert_eq!(decode(&wire, &[]), Ok(text.repeat(4)));
}

#[test]
fn long_writes_become_several_blocks() {
    let text: Vec<u8> = (0..2 * WRITE_BLOCK + 5).map(|n: usize| (n / 7).to_le_bytes()[0]).collect();
    for level in LEVELS {
        let mut wire = Vec::new();
        Encoder::new(level).encode(&text, &mut wire);
        assert!(decode(&wire, &[100_000]).as_ref() == Ok(&text), "{level:?}");
    }
}

#[test]
fn what_is_no_data_is_passed_over() {
    // spec: CLU-037
    let hi = data(UNCOMPRESSED, b"hi", b"hi");
    for skipped in [0x80, 0x99, 0xfd, 0xfe] {
        let long = chunk(skipped, &vec![7; 70_000]);
        let parts = [long.clone(), chunk(IDENTIFIER, S2), chunk(skipped, b""), hi.clone(), long, hi.clone()];
        for pieces in [&[][..], &[1], &[3], &[5000]] {
            assert_eq!(decode(&parts.concat(), pieces).as_deref(), Ok(&b"hihi"[..]));
        }
    }
    // Blocks of nothing, and an identifier again, as the reference has with every write.
    let parts = [data(UNCOMPRESSED, b"", b""), data(COMPRESSED, b"", b"\0"), chunk(IDENTIFIER, S2), hi];
    assert_eq!(decode(&stream(&parts), &[]).as_deref(), Ok(&b"hi"[..]));
}

#[test]
fn snappy_streams_are_read_too() {
    // spec: CLU-037
    let largest = vec![b'x'; MAX_SNAPPY_BLOCK];
    let snappy = |kind, plain: &[u8], block: &[u8]| [chunk(IDENTIFIER, SNAPPY), data(kind, plain, block)].concat();
    assert_eq!(decode(&snappy(UNCOMPRESSED, &largest, &largest), &[1000]), Ok(largest.clone()));
    let block = minlz::s2::encode_snappy(&largest);
    assert_eq!(decode(&snappy(COMPRESSED, &largest, &block), &[]), Ok(largest.clone()));
    let larger = [&largest[..], b"x"].concat();
    let refused = Err(S2Error::BlockTooLarge { len: larger.len(), max: MAX_SNAPPY_BLOCK });
    assert_eq!(decode(&snappy(UNCOMPRESSED, &larger, &larger), &[]), refused);
    assert_eq!(decode(&snappy(COMPRESSED, &larger, &minlz::s2::encode_snappy(&larger)), &[]), refused);
    assert_eq!(decode(&stream(&[data(UNCOMPRESSED, &larger, &larger)]), &[]), Ok(larger));
}

#[test]
fn refusals() {
    // spec: CLU-037
    let hi = data(UNCOMPRESSED, b"hi", b"hi");
    for (bytes, error) in [
        (hi.clone(), S2Error::NoIdentifier),
        (b"INFO {}\r\n".to_vec(), S2Error::ReservedChunk { kind: b'I' }),
        (chunk(IDENTIFIER, b"S2sTwo"), S2Error::UnknownFormat),
        (chunk(IDENTIFIER, b"S2sTwOx"), S2Error::ChunkLength { kind: IDENTIFIER, len: 7 }),
        (stream(&[chunk(0x02, b"")]), S2Error::ReservedChunk { kind: 0x02 }),
        (stream(&[chunk(0x7f, b"")]), S2Error::ReservedChunk { kind: 0x7f }),
        (stream(&[chunk(UNCOMPRESSED, b"123")]), S2Error::ChunkLength { kind: UNCOMPRESSED, len: 3 }),
        (stream(&[chunk(COMPRESSED, b"1234")]), S2Error::Corrupt),
        (stream(&[data(COMPRESSED, b"hi", b"\x02\x04h")]), S2Error::Corrupt),
        (stream(&[data(COMPRESSED, b"hi", b"\x02\x04hi ")]), S2Error::Corrupt),
        (stream(&[data(COMPRESSED, b"hi", b"\x02\x05\x01")]), S2Error::Corrupt),
        (stream(&[data(UNCOMPRESSED, b"hi", b"ho")]), S2Error::Checksum),
        (stream(&[data(COMPRESSED, b"hi", b"\x02\x04ho")]), S2Error::Checksum),
    ] {
        for pieces in [&[][..], &[1], &[3]] {
            assert_eq!(decode(&bytes, pieces), Err(error), "{}", bytes.escape_ascii());
        }
    }
    assert_eq!(decode(&stream(&[data(COMPRESSED, b"hi", b"\x02\x04hi")]), &[1]).as_deref(), Ok(&b"hi"[..]));
}

#[test]
fn sizes_are_refused_before_anything_is_held_or_made_room_for() {
    let mut header = Vec::new();
    append_header(&mut header, UNCOMPRESSED, MAX_DATA + 1);
    for pieces in [&[][..], &[1]] {
        let refused = Err(S2Error::ChunkLength { kind: UNCOMPRESSED, len: MAX_DATA + 1 });
        assert_eq!(decode(&stream(&[header.clone()]), pieces), refused);
    }
    // A block of five bytes that says it is one of four gigabytes.
    let bomb = data(COMPRESSED, b"", b"\xff\xff\xff\xff\x0f");
    let refused = S2Error::BlockTooLarge { len: 0xffff_ffff, max: MAX_BLOCK };
    assert_eq!(decode(&stream(&[bomb]), &[]), Err(refused));
    let plain = vec![0; MAX_BLOCK + 1];
    let refused = S2Error::BlockTooLarge { len: MAX_BLOCK + 1, max: MAX_BLOCK };
    assert_eq!(decode(&stream(&[data(UNCOMPRESSED, &plain, &plain)]), &[]), Err(refused));
    assert_eq!(
        decode(&stream(&[data(UNCOMPRESSED, &plain[1..], &plain[1..])]), &[]).map(|out| out.len()),
        Ok(MAX_BLOCK)
    );
}

#[test]
fn small_input_that_becomes_large_comes_block_by_block() {
    let plain = vec![b'x'; MAX_BLOCK];
    let chunk = data(COMPRESSED, &plain, &minlz::s2::encode(&plain));
    let bytes = stream(&[chunk.clone(), chunk.clone(), chunk.clone()]);
    let mut decoder = Decoder::default();
    let mut out = Vec::new();
    let rest = decoder.decode(&bytes, &mut out).expect("valid");
    assert_eq!((out.len(), rest.len()), (MAX_BLOCK, 2 * chunk.len()));
}

#[test]
fn no_room_is_kept_after_a_large_chunk() {
    let plain = vec![b'x'; 100_000];
    let bytes = stream(&[data(UNCOMPRESSED, &plain, &plain)]);
    let mut decoder = Decoder::default();
    let mut out = Vec::new();
    for byte in &bytes {
        decoder.decode(std::slice::from_ref(byte), &mut out).expect("valid");
    }
    assert_eq!(out, plain);
    assert!(decoder.held.capacity() <= super::KEEP);
    assert_eq!(bytes.len(), 10 + super::HEADER + CHECKSUM + plain.len());
}

/// Text with repetitions near and far, noise, and runs.
fn plain() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => (prop::collection::vec(any::<u8>(), 1..40), 1..60_usize).prop_map(|(bytes, times)| bytes.repeat(times)),
        2 => prop::collection::vec(any::<u8>(), 0..600),
        2 => (any::<u8>(), 1..70_000_usize).prop_map(|(byte, times)| vec![byte; times]),
        4 => prop::sample::select(vec!["RMSG A orders.eu.1 3\r\nabc\r\n", "RS+ A orders.eu.> q 1\r\n", "{\"id\":12345,\"name\":\"x\"}"])
            .prop_map(|text| text.as_bytes().to_vec()),
    ];
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn what_is_encoded_is_decoded(
        writes in prop::collection::vec(plain(), 1..3), pieces in prop::collection::vec(1..5000_usize, 1..40),
    ) {
        // spec: CLU-037 CLU-038
        for level in LEVELS {
            let mut encoder = Encoder::new(level);
            let mut wire = Vec::new();
            for write in &writes {
                encoder.encode(write, &mut wire);
            }
            let decoded = decode(&wire, &pieces);
            prop_assert!(decoded.as_ref() == Ok(&writes.concat()), "{:?}", level);
        }
    }

    #[test]
    fn damage_is_noticed_and_the_cut_changes_nothing(
        plain in plain(), damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        pieces in prop::collection::vec(1..5000_usize, 1..40), level in 0..4_usize,
    ) {
        let mut wire = Vec::new();
        Encoder::new(LEVELS[level]).encode(&plain, &mut wire);
        for (at, byte) in damage {
            let at = at.index(wire.len());
            wire[at] = byte;
        }
        let whole = decode(&wire, &[]);
        if let Ok(decoded) = &whole {
            prop_assert!(plain.starts_with(decoded) || decoded.len() <= plain.len());
        }
        prop_assert_eq!(whole, decode(&wire, &pieces));
    }

    #[test]
    fn no_block_makes_it_panic(block in prop::collection::vec(any::<u8>(), 0..100), len in 0..128_u8) {
        let bytes = stream(&[data(COMPRESSED, b"", &[&[len][..], &block].concat()), data(COMPRESSED, b"", &block)]);
        let _ = decode(&bytes, &[]);
        let _ = decode(&block, &[]);
    }
}
