//! Compressed streams: any bytes are read without panic and alike however they are cut, and any text comes back from the
//! encoder's stream at every level.

use martlet_proto::s2::{Decoder, Encoder, Level, MAX_BLOCK, S2Error};

/// The first byte chooses the cut, the rest is a stream from a peer, and then a text to send.
pub(crate) fn check(data: &[u8]) {
    let Some((&choice, data)) = data.split_first() else { return };
    let piece = 1 + usize::from(choice);
    let identified = [b"\xff\x06\x00\x00S2sTwO", data].concat();
    for stream in [data, &identified] {
        assert_eq!(
            read(stream, stream.len()),
            read(stream, piece),
            "the cut of the stream changed what was understood"
        );
    }
    let times = 1 + piece / 16; // the code of a block depends on its length
    for level in [Level::Uncompressed, Level::Fast, Level::Better, Level::Best] {
        let mut encoder = Encoder::new(level);
        let mut stream = Vec::new();
        for write in [data, &data.repeat(times)] {
            encoder.encode(write, &mut stream);
        }
        assert!(read(&stream, 1000) == (data.repeat(1 + times), None), "{level:?}");
    }
}

/// What is understood before the end or an error.
fn read(stream: &[u8], piece: usize) -> (Vec<u8>, Option<S2Error>) {
    let mut decoder = Decoder::default();
    let mut out = Vec::new();
    for mut piece in stream.chunks(piece.max(1)) {
        while !piece.is_empty() {
            let before = out.len();
            match decoder.decode(piece, &mut out) {
                Ok(rest) => piece = rest,
                Err(error) => return (out, Some(error)),
            }
            assert!(out.len() - before <= MAX_BLOCK);
        }
    }
    (out, None)
}
