//! Compression, of whatever the driver says when.

use std::io::{Read, Write};
use std::net::TcpStream;

use martlet_broker::driver::Level;
use martlet_broker::peer::Kind;
use martlet_net::Origin;
use martlet_proto::ClosedReason;
use martlet_proto::s2::{Decoder, Encoder};

use crate::support::{End, Event, Node, Script, body_line, terms, whom};

const PLAIN: &str = "HELLO\r\n";

fn accepting() -> (Node, TcpStream, End) {
    let node = Node::new(Script::default());
    let (address, accepted) = node.listen(terms(Kind::Route, Origin::Accepted(None)));
    let mut stream = TcpStream::connect(address).expect("somebody listens");
    let mut hello = [0; PLAIN.len()];
    stream.read_exact(&mut hello).expect("a greeting");
    assert_eq!(hello, PLAIN.as_bytes());
    (node, stream, accepted)
}

/// Reads a compressed stream until it holds `lines` lines.
fn read_lines(stream: &mut TcpStream, decoder: &mut Decoder, lines: usize) -> String {
    let (mut plain, mut buffer) = (Vec::new(), [0; 4096]);
    while plain.split(|b| *b == b'\n').count() <= lines {
        let n = stream.read(&mut buffer).expect("it is open");
        assert!(n > 0, "hung up after {}", plain.escape_ascii());
        let mut rest = &buffer[..n];
        while !rest.is_empty() {
            rest = decoder.decode(rest, &mut plain).expect("a stream");
        }
    }
    String::from_utf8(plain).expect("text")
}

#[test]
fn what_is_right_behind_the_switch_is_taken_apart() {
    // spec: CLU-036 CLU-037
    let (_node, mut stream, mut accepted) = accepting();
    let (mut encoder, mut decoder) = (Encoder::new(Level::Fast), Decoder::default());
    let mut wire = b"COMPRESS\r\n".to_vec();
    encoder.encode(b"SAY one\r\nSAY t", &mut wire);
    stream.write_all(&wire).expect("it takes that");
    assert_eq!(read_lines(&mut stream, &mut decoder, 2), "COMPRESSED\r\nSAID one\r\n");
    wire.clear();
    encoder.encode(b"wo\r\n", &mut wire);
    for byte in wire {
        stream.write_all(&[byte]).expect("it takes that");
    }
    assert_eq!(read_lines(&mut stream, &mut decoder, 1), "SAID two\r\n");
    drop(stream);
    assert_eq!(accepted.ended().1, ClosedReason::ClientClosed);
}

#[test]
fn what_is_said_before_the_switch_goes_out_as_it_is() {
    // spec: CLU-036
    let script = Script { level: Some(Level::Better), first_words: "SAY first\r\n", ..Script::default() };
    let (ours, theirs) = (Node::new(script), Node::new(Script::default()));
    let (address, mut accepted) = theirs.listen(terms(Kind::Route, Origin::Accepted(None)));
    let (_link, mut dialled) = ours.dial(whom(address), terms(Kind::Route, Origin::Dialled(None)));
    assert_eq!(accepted.line(), "COMPRESS");
    assert!(matches!(accepted.next(), Event::Compressed));
    assert_eq!(accepted.line(), "SAY first");
    assert_eq!(dialled.line(), "HELLO");
    assert!(matches!(dialled.next(), Event::Compressed));
    assert_eq!((dialled.line(), dialled.line()), ("COMPRESSED".into(), "SAID first".into()));
}

#[test]
fn the_level_changes_and_the_stream_goes_on() {
    // spec: CLU-038
    let script = Script { level: Some(Level::Uncompressed), ..Script::default() };
    let (ours, theirs) = (Node::new(script), Node::new(Script::default()));
    let (address, mut accepted) = theirs.listen(terms(Kind::Leaf, Origin::Accepted(None)));
    let (_link, mut dialled) = ours.dial(whom(address), terms(Kind::Leaf, Origin::Dialled(None)));
    assert_eq!((dialled.line(), dialled.line()), ("HELLO".into(), "COMPRESSED".into()));
    assert_eq!(accepted.line(), "COMPRESS");
    for level in ["better", "best", "uncompressed", "fast"] {
        // The end that hears it has more to read behind it, and so has the end that is told by the test.
        dialled.say(format!("SAY before\r\nLEVEL {level}\r\nSAY {level}\r\n"));
        assert_eq!((dialled.line(), dialled.line()), ("SAID before".into(), format!("SAID {level}")));
        dialled.say(format!("LEVEL {level}"));
        dialled.say("SAY after\r\n");
        assert_eq!(dialled.line(), "SAID after");
    }
}

#[test]
fn much_is_made_little_and_comes_back_whole() {
    // spec: CLU-037
    let (_node, mut stream, mut accepted) = accepting();
    let body = b"orders.eu.new ".repeat(400_000);
    let mut wire = b"COMPRESS\r\n".to_vec();
    Encoder::new(Level::Fast).encode(&[body_line(&body), b"SAY done\r\n".to_vec()].concat(), &mut wire);
    assert!(wire.len() < body.len() / 10);
    stream.write_all(&wire).expect("it takes that");
    assert!(accepted.body().0 == body);
    let answer = read_lines(&mut stream, &mut Decoder::default(), 4);
    assert!(answer.ends_with("SAID done\r\n") && answer.len() > body.len());
}

#[test]
fn noise_is_the_end() {
    let (_node, mut stream, mut accepted) = accepting();
    stream.write_all(b"COMPRESS\r\nSAY in the clear\r\n").expect("it takes that");
    assert_eq!(accepted.ended(), (vec!["COMPRESS".into()], ClosedReason::ReadError));
}
