//! Another server's bytes, cut into reads in two ways, give the same operations; and every operation is made of bytes that are
//! there.

use martlet_proto::{LineAccount, LinkKind, LinkLimits, LinkOp, LinkStep, parse_link};

/// The first byte chooses kind and flags, the second the limit and the cut, the rest is the stream.
pub(crate) fn check(data: &[u8]) {
    let [flags, choice, stream @ ..] = data else { return };
    let kind = [LinkKind::Route, LinkKind::Gateway, LinkKind::Leaf, LinkKind::Route][usize::from(flags & 3)];
    let limits = LinkLimits {
        account: if flags & 4 == 0 { LineAccount::Named } else { LineAccount::Omitted },
        unsub_names_origin: flags & 8 == 0,
        ..LinkLimits::new(kind, if choice & 1 == 0 { 4096 } else { usize::from(choice >> 1) })
    };
    let whole = read(stream, stream.len(), &limits);
    let cut = read(stream, 1 + usize::from(choice >> 1), &limits);
    assert_eq!(whole, cut, "the cut of the stream changed what was understood");
}

/// What a reader of `piece` bytes at a time understands, each operation in the debug form, and how it ends.
fn read(stream: &[u8], piece: usize, limits: &LinkLimits) -> Vec<String> {
    let mut understood = Vec::new();
    let mut kept = Vec::new();
    for piece in stream.chunks(piece.max(1)) {
        kept.extend_from_slice(piece);
        let mut at = 0;
        loop {
            match parse_link(&kept[at..], limits) {
                Ok(LinkStep::Op { op, used }) => {
                    assert!(used > 0 && at + used <= kept.len());
                    examine(op, limits.kind);
                    understood.push(format!("{op:?}"));
                    at += used;
                }
                Ok(LinkStep::Payload { head, used }) => {
                    assert!(kept.len() - at < used + head.size + 2);
                    break;
                }
                Ok(LinkStep::Incomplete) => break,
                Ok(LinkStep::BadTrailer { head }) => {
                    understood.push(format!("bad trailer {head:?}"));
                    return understood;
                }
                Err(martlet_proto::LinkError::ControlLineTooLong { .. }) => {
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

fn examine(op: LinkOp<'_>, kind: LinkKind) {
    match op {
        LinkOp::Message(head, body) => {
            assert_eq!(head.size, body.len());
            assert!(head.header_len.unwrap_or(0) <= head.size);
            assert!(!head.subject.is_empty() && head.reply != Some(b"") && head.account != Some(b""));
            assert!(head.queues.iter().all(|queue| !queue.is_empty()));
            assert_eq!(head.queues.is_empty(), head.queues.iter().next().is_none());
            assert!(head.origin.is_none() || kind == LinkKind::Route);
        }
        LinkOp::Sub { account, subject, weight, .. } => {
            assert!(!subject.is_empty() && weight > 0);
            assert!(account.is_none() || kind != LinkKind::Leaf);
        }
        LinkOp::Unsub { account, subject, .. } => {
            assert!(!subject.is_empty());
            assert!(account.is_some() || kind != LinkKind::Gateway);
        }
        _ => {}
    }
}
