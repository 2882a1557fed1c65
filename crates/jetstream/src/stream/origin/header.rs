//! What a copied message says of where it comes from: `<stream> <sequence> <filters> <destinations> <subject> [<identity>]`.
//!
//! The stream, with what tells it from others of its name, the filters and the destinations are together the *index* of a
//! source: a position in one origin belongs to one index.

use std::fmt::Write as _;

use martlet_proto::headers;

use crate::config::{Source, SubjectTransform};
use crate::stream::commit::number;
use crate::stream::headers::number as parse_number;

/// The header.
pub(in crate::stream) const STREAM_SOURCE: &[u8] = b"Nats-Stream-Source";

/// What tells a source from another: the parts of its index.
// spec: JS-081
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(in crate::stream) struct Index {
    /// `<stream>[:<external API>][:C=<consumer>]`, the latter two by short names.
    pub(super) origin: String,
    filters: String,
    destinations: String,
}

impl Index {
    /// The index of a source.
    pub(super) fn of(source: &Source) -> Self {
        let mut origin = source.name.clone();
        if let Some(external) = &source.external {
            let _ = write!(origin, ":{}", short(&external.api));
        }
        if let Some(consumer) = &source.consumer {
            let _ = write!(origin, ":C={}", short(&consumer.name));
        }
        let join = |of: fn(&SubjectTransform) -> &str| {
            source.subject_transforms.iter().map(|transform| all(of(transform))).collect::<Vec<_>>().join("\u{c}")
        };
        let (filters, destinations) = if source.subject_transforms.is_empty() {
            (all(&source.filter_subject).to_owned(), ">".to_owned())
        } else {
            (join(|transform| &transform.src), join(|transform| &transform.dest))
        };
        Self { origin, filters, destinations }
    }

    /// As one text.
    pub(super) fn text(&self) -> String {
        format!("{} {} {}", self.origin, self.filters, self.destinations)
    }
}

/// Eight letters and digits that stand for a name.
pub(super) fn short(name: &str) -> String {
    let name: [u8; 8] = martlet_proto::short_name(name);
    name.map(char::from).iter().collect()
}

fn all(subject: &str) -> &str {
    if subject.is_empty() { ">" } else { subject }
}

/// Where a message comes from, as its header says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::stream) struct Provenance<'a> {
    /// The index of the source; older servers wrote only the stream, and `None` stands for the rest of it.
    pub(in crate::stream) index: Result<String, &'a str>,
    /// Its sequence there.
    pub(in crate::stream) seq: u64,
    /// Which stream of that name it was; empty where the origin did not say.
    pub(in crate::stream) identity: &'a str,
}

impl<'a> Provenance<'a> {
    /// What the headers of a message say.
    // spec: JS-081
    pub(in crate::stream) fn of(block: &'a [u8]) -> Option<Self> {
        if block.is_empty() {
            return None;
        }
        let text = std::str::from_utf8(headers::get(block, STREAM_SOURCE)?).ok()?;
        let fields: Vec<&str> = text.split(' ').collect();
        match fields[..] {
            [origin, seq, filters, destinations, ref rest @ ..] => Some(Self {
                index: Ok(format!("{origin} {filters} {destinations}")),
                seq: parse_number(seq.as_bytes())?,
                identity: rest.get(1).copied().unwrap_or_default(),
            }),
            [stream, seq] => Some(Self { index: Err(stream), seq: parse_number(seq.as_bytes())?, identity: "" }),
            _ => None,
        }
    }
}

/// Appends the headers of a message of an origin as they are kept: without what was asked of the origin alone, and for a
/// message of a source with where it comes from. None are left where nothing is said.
pub(super) fn keep(block: &[u8], provenance: Option<(&Index, u64, &[u8], &str)>, into: &mut Vec<u8>) {
    into.clear();
    into.extend_from_slice(headers::VERSION_LINE);
    for (name, value) in headers::iter(block) {
        let is_dropped = name.starts_with(b"Nats-Expected-")
            || name.starts_with(b"Nats-Batch-")
            || name == crate::stream::headers::REQUEST_INFO
            || provenance.is_some() && name == STREAM_SOURCE;
        if !is_dropped {
            crate::stream::commit::header(into, name, |into| into.extend_from_slice(value));
        }
    }
    if let Some((index, seq, subject, identity)) = provenance {
        crate::stream::commit::header(into, STREAM_SOURCE, |into| {
            into.extend_from_slice(index.origin.as_bytes());
            into.push(b' ');
            number(seq, into);
            for part in [index.filters.as_bytes(), index.destinations.as_bytes(), subject, identity.as_bytes()] {
                if !part.is_empty() {
                    into.push(b' ');
                    into.extend_from_slice(part);
                }
            }
        });
    }
    if into.len() == headers::VERSION_LINE.len() {
        into.clear();
    } else {
        into.extend_from_slice(b"\r\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{External, SourceConsumer};

    fn transform(src: &str, dest: &str) -> SubjectTransform {
        SubjectTransform { src: src.into(), dest: dest.into() }
    }

    #[test]
    fn an_index_tells_sources_apart() {
        // spec: JS-081
        let plain = Source { name: "O".into(), ..Source::default() };
        let filtered = Source { filter_subject: "a.*".into(), ..plain.clone() };
        let transformed = Source {
            subject_transforms: vec![transform("a.>", "b.>"), transform("c", "")],
            external: Some(External { api: "A".into(), deliver: String::new() }),
            consumer: Some(SourceConsumer { name: "A".into(), deliver_subject: "d".into() }),
            ..plain.clone()
        };
        let texts = [&plain, &filtered, &transformed].map(|source| Index::of(source).text());
        assert_eq!(texts, ["O > >", "O a.* >", "O:NUmM6cRx:C=NUmM6cRx a.>\u{c}c b.>\u{c}>"]);
    }

    #[test]
    fn a_message_says_where_it_comes_from() {
        // spec: JS-081 JS-115
        let index = Index::of(&Source { name: "O".into(), ..Source::default() });
        let block =
            b"NATS/1.0\r\nNats-Expected-Stream: O\r\nA: 1\r\nNats-Batch-Id: b\r\nNats-Stream-Source: X 1 > > x\r\n\r\n";
        let mut kept = Vec::new();
        keep(block, Some((&index, 7, b"o.a", "idididid")), &mut kept);
        let text = "NATS/1.0\r\nA: 1\r\nNats-Stream-Source: O 7 > > o.a idididid\r\n\r\n";
        assert_eq!(String::from_utf8_lossy(&kept), text);
        let read = Provenance::of(&kept).expect("it says so");
        assert_eq!((read.index.as_deref(), read.seq, read.identity), (Ok("O > >"), 7, "idididid"));
        // A mirror keeps what its origin says.
        keep(block, None, &mut kept);
        assert_eq!(String::from_utf8_lossy(&kept), "NATS/1.0\r\nA: 1\r\nNats-Stream-Source: X 1 > > x\r\n\r\n");
        keep(b"NATS/1.0\r\nNats-Batch-Id: b\r\n\r\n", None, &mut kept);
        assert_eq!(kept, b"");
    }

    #[test]
    fn older_headers_are_understood_and_nonsense_is_none() {
        for (value, wanted) in [
            ("O 5", Some((Err("O"), 5, ""))),
            ("O 5 > >", Some((Ok("O > >"), 5, ""))),
            ("O 5 > > s", Some((Ok("O > >"), 5, ""))),
            ("O x > > s", None),
            ("O", None),
            ("O 5 >", None),
        ] {
            let block = format!("NATS/1.0\r\nNats-Stream-Source: {value}\r\n\r\n");
            let read = Provenance::of(block.as_bytes());
            let read = read.as_ref().map(|of| (of.index.as_deref().map_err(|of| *of), of.seq, of.identity));
            assert_eq!(read, wanted, "{value}");
        }
    }
}
