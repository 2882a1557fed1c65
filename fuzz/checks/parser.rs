//! A client's bytes, cut into reads in two ways, give the same operations; and every operation is made of bytes that are there.

use martlet_proto::{ClientOp, ParseError, ParseLimits, Step, parse};

/// The first byte chooses the limit and the cut, the rest is the stream.
pub(crate) fn check(data: &[u8]) {
    let Some((&choice, stream)) = data.split_first() else { return };
    let limits = ParseLimits { max_control_line: if choice & 1 == 0 { 4096 } else { usize::from(choice) } };
    let whole = read(stream, stream.len(), limits);
    let cut = read(stream, 1 + usize::from(choice >> 1), limits);
    assert_eq!(whole, cut, "the cut of the stream changed what was understood");
}

/// What a reader of `piece` bytes at a time understands, each operation in the debug form, and how it ends.
fn read(stream: &[u8], piece: usize, limits: ParseLimits) -> Vec<String> {
    let mut understood = Vec::new();
    let mut kept = Vec::new();
    for piece in stream.chunks(piece.max(1)) {
        kept.extend_from_slice(piece);
        let mut at = 0;
        loop {
            match parse(&kept[at..], &limits) {
                Ok(Step::Op { op, used }) => {
                    assert!(used > 0 && at + used <= kept.len());
                    if let ClientOp::Publish(head, payload) = op {
                        assert_eq!(head.size, payload.len());
                        assert!(head.header_len.unwrap_or(0) <= head.size);
                        assert!(!head.subject.is_empty());
                    }
                    understood.push(format!("{op:?}"));
                    at += used;
                }
                Ok(Step::Payload { head, used }) => {
                    assert!(kept.len() - at < used + head.size + 2);
                    break;
                }
                Ok(Step::Incomplete) => break,
                Ok(Step::BadTrailer { head }) => {
                    understood.push(format!("bad trailer {head:?}"));
                    return understood;
                }
                Err(ParseError::ControlLineTooLong { .. }) => {
                    understood.push("too long".to_owned());
                    return understood;
                }
                Err(error) => {
                    understood.push(format!("{error:?}"));
                    return understood;
                }
            }
        }
        kept.drain(..at);
    }
    understood.push(format!("{} bytes left", kept.len()));
    understood
}
