//! Streams that the reference server 2.15.1 sent over a route with `compression: s2_fast`, `s2_better` and `s2_best`: its INFO,
//! PONG and PING, and six messages that a client published.

use martlet_proto::s2::{Decoder, Encoder, Level};
use martlet_proto::{Info, LinkKind, LinkLimits, LinkOp, LinkStep, parse_link};

const STREAMS: [(Level, &str, &[u8]); 3] = [
    (Level::Fast, "s2_fast", include_bytes!("s2/route_fast.s2")),
    (Level::Better, "s2_better", include_bytes!("s2/route_better.s2")),
    (Level::Best, "s2_best", include_bytes!("s2/route_best.s2")),
];

/// The payloads that were published.
fn payloads() -> [Vec<u8>; 6] {
    let mut seed = 7_u32;
    let noise = std::iter::repeat_with(|| {
        seed = seed.wrapping_mul(1_103_515_245).wrapping_add(12_345) & 0x7fff_ffff;
        seed.to_le_bytes()[2]
    });
    let text = (0..700).fold(String::new(), |text, i| text + &format!("user{} orders.eu.{}\n", i * i % 97, i % 13));
    [
        Vec::new(),
        b"x".to_vec(),
        b"hello world ".repeat(5),
        vec![b'a'; 70_000],
        noise.take(2000).collect(),
        text.into_bytes(),
    ]
}

fn decode(stream: &[u8], piece: usize) -> Vec<u8> {
    let mut decoder = Decoder::default();
    let mut out = Vec::new();
    for mut piece in stream.chunks(piece) {
        while !piece.is_empty() {
            piece = decoder.decode(piece, &mut out).expect("the reference's streams are valid");
        }
    }
    out
}

/// Checks that these are the operations that the reference sent.
fn check(plain: &[u8], mode: &str) {
    let limits = LinkLimits::new(LinkKind::Route, 4096);
    let mut at = 0;
    let mut next = || {
        let Ok(LinkStep::Op { op, used }) = parse_link(&plain[at..], &limits) else { panic!("an operation at {at}") };
        at += used;
        op
    };
    let LinkOp::Info(json) = next() else { panic!("INFO comes first") };
    let info = Info::from_json(json).expect("valid JSON");
    assert_eq!((&info.version[..], &info.cluster[..], &info.compression[..]), ("2.15.1", "C1", mode));
    assert_eq!((next(), next()), (LinkOp::Pong, LinkOp::Ping));
    for payload in &payloads() {
        let LinkOp::Message(head, body) = next() else { panic!("a message") };
        assert_eq!((head.account, head.subject), (Some(&b"$G"[..]), &b"to.peer"[..]));
        assert!(body == payload, "{} bytes", payload.len());
    }
    assert_eq!(at, plain.len());
}

#[test]
fn streams_of_the_reference_are_read() {
    // spec: CLU-037 CLU-038 CLU-195
    for (_, mode, stream) in STREAMS {
        for piece in [stream.len(), 4096, 7, 1] {
            check(&decode(stream, piece), mode);
        }
    }
}

#[test]
fn our_streams_are_as_small() {
    // spec: CLU-038
    for (level, mode, stream) in STREAMS {
        let plain = decode(stream, stream.len());
        let mut ours = Vec::new();
        Encoder::new(level).encode(&plain, &mut ours);
        assert!(ours.len() < stream.len() * 21 / 20, "{mode}: {} and {}", ours.len(), stream.len());
        check(&decode(&ours, 100), mode);
    }
}
