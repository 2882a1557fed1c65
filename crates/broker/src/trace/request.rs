//! What the headers of a message ask for, and whether it is granted.

use std::collections::BTreeMap;
use std::sync::Arc;

use martlet_events::WallTime;
use martlet_proto::headers::VERSION_LINE;
use martlet_subject as subject;
use memchr::{memchr, memmem};

use super::event::{Event, Request, Step, number, text};
use super::{Claim, DESTINATION, DISABLED, HOP, Tracer};
use crate::account::Account;
use crate::encoding::Encoding;
use crate::link::Link;
use crate::peer::Peer;

/// The header of traces that began elsewhere, in any case.
const TRACE_PARENT: &[u8] = b"traceparent";
/// The header of a way of tracing that is no more.
const ORIGIN_ACCOUNT: &str = "Nats-Trace-Origin-Account";
const ONLY: &str = "Nats-Trace-Only";

/// Whether the headers may ask for a trace: a glance that spares most messages from being read.
pub(crate) fn is_wanted(headers: &[u8]) -> bool {
    // Lines begin behind newlines. Those among the last bytes are too short to ask for anything.
    let (chunks, _) = headers.as_chunks::<8>();
    chunks.iter().enumerate().any(|(index, chunk)| {
        let mut newlines = newlines(*chunk);
        while newlines != 0 {
            let line = index * 8 + newlines.trailing_zeros() as usize / 8 + 1;
            if headers.get(line..).is_some_and(may_ask) {
                return true;
            }
            newlines &= newlines - 1;
        }
        false
    })
}

/// Whether a line begins like those that ask for a trace.
fn may_ask(line: &[u8]) -> bool {
    match line.first() {
        Some(b'N') => line.starts_with(DESTINATION.as_bytes()),
        Some(b't' | b'T') => line.get(..TRACE_PARENT.len()).is_some_and(|n| n.eq_ignore_ascii_case(TRACE_PARENT)),
        _ => false,
    }
}

/// The top bit of every byte that is a newline, and perhaps of some behind one that is none.
fn newlines(bytes: [u8; 8]) -> u64 {
    const LANES: u64 = u64::from_ne_bytes([1; 8]);
    let lanes = u64::from_le_bytes(bytes) ^ u64::from_ne_bytes([b'\n'; 8]);
    lanes.wrapping_sub(LANES) & !lanes & (LANES << 7)
}

/// Who publishes a message, where and when.
pub(crate) struct Publisher<'a> {
    /// The publisher.
    pub(crate) peer: &'a Peer,
    /// The other server that it is the connection to.
    pub(crate) link: Option<&'a Link>,
    /// Its account.
    pub(crate) account: &'a Arc<Account>,
    /// The subject it publishes to.
    pub(crate) subject: &'a [u8],
    /// The length of the message with its headers.
    pub(crate) size: usize,
    /// When.
    pub(crate) at: WallTime,
    /// A random number below 100.
    pub(crate) chance: u8,
}

/// What becomes of a message that may ask for a trace.
#[derive(Debug)]
pub(crate) enum Begin {
    /// It goes its way untraced.
    Untraced,
    /// It goes its way untraced, and is marked so that nobody else traces it (CORE-130).
    Disabled,
    /// It was to be traced only, and cannot be: it goes nowhere.
    Dropped,
    /// Its publisher may not publish to the destination: it goes nowhere.
    Denied(Box<[u8]>),
    /// It is traced.
    Traced(Box<Tracer>),
}

/// The headers of a message that asks for a trace.
struct Asked {
    headers: BTreeMap<String, Vec<String>>,
    /// Only `traceparent` asks.
    external: bool,
}

impl Asked {
    /// Reads `headers`, which may be cut short; `None` if they ask for nothing.
    // spec: CORE-125 CORE-126
    fn read(headers: &[u8]) -> Option<Self> {
        let mut rest = headers.strip_prefix(VERSION_LINE)?;
        let (mut found, mut sampled) = (false, false);
        let mut map: BTreeMap<String, Vec<String>> = BTreeMap::new();
        while let Some(colon) = memchr(b':', rest) {
            let name = &rest[..colon];
            rest = skip_blanks(&rest[colon + 1..]);
            let Some(end) = memmem::find(rest, b"\r\n") else { break };
            let value = trim_blanks(&rest[..end]);
            rest = &rest[end + 2..];
            if name.is_empty() || value.is_empty() {
                continue;
            }
            if name.eq_ignore_ascii_case(TRACE_PARENT) {
                sampled |= is_sampled(value);
            } else if name == DESTINATION.as_bytes() {
                if !found && value == DISABLED.as_bytes() {
                    return None;
                }
                found = true;
            }
            map.entry(text(name)).or_default().push(text(value));
        }
        (found || sampled).then_some(Self { headers: map, external: !found })
    }

    fn first(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|values| values.first()).map(String::as_str).unwrap_or_default()
    }

    fn only(&self) -> bool {
        !self.external && ["1", "true", "on"].iter().any(|yes| self.first(ONLY).eq_ignore_ascii_case(yes))
    }
}

fn skip_blanks(bytes: &[u8]) -> &[u8] {
    let blanks = bytes.iter().take_while(|b| matches!(b, b' ' | b'\t')).count();
    &bytes[blanks..]
}

fn trim_blanks(bytes: &[u8]) -> &[u8] {
    let blanks = bytes.iter().rev().take_while(|b| matches!(b, b' ' | b'\t')).count();
    &bytes[..bytes.len() - blanks]
}

/// Whether the flags of a `traceparent` say that the trace is recorded.
pub(crate) fn is_sampled(value: &[u8]) -> bool {
    let fields: Vec<_> = value.split(|b| *b == b'-').collect();
    let [_, _, _, [a, b]] = fields[..] else { return false };
    let flags = std::str::from_utf8(&[*a, *b]).ok().and_then(|text| i8::from_str_radix(text, 16).ok());
    flags.is_some_and(|flags| flags & 1 == 1)
}

/// Begins a trace, if the headers ask for one and it is granted.
// spec: CORE-125 CORE-126 CORE-129 CORE-130
pub(crate) fn begin(headers: &[u8], publisher: &Publisher<'_>, may_publish: impl FnOnce(&[u8]) -> bool) -> Begin {
    let Some(asked) = Asked::read(headers) else { return Begin::Untraced };
    let only = asked.only();
    let refused = if only { Begin::Dropped } else { Begin::Untraced };
    let old = asked.first(ORIGIN_ACCOUNT);
    if !old.is_empty() {
        log::error!("Message tracing disabled because of header {ORIGIN_ACCOUNT:?} with value={old:?}");
        return if only { refused } else { Begin::Disabled };
    }
    let destination = if asked.external {
        let rules = publisher.account.rules();
        let Some(trace) = &rules.trace else { return Begin::Untraced };
        // Whoever was first has decided.
        if publisher.link.is_none() && trace.sampling < 100 && publisher.chance > trace.sampling {
            return Begin::Disabled;
        }
        trace.subject.clone()
    } else {
        asked.first(DESTINATION).to_owned()
    };
    if !subject::is_valid_literal(destination.as_bytes()) {
        log::error!("Destination {destination:?} is not valid, won't be able to trace events");
        return refused;
    }
    let destination = destination.into_bytes().into_boxed_slice();
    if !may_publish(&destination) {
        return Begin::Denied(destination);
    }
    let ingress = Step::Ingress {
        ts: publisher.at,
        kind: number(publisher.peer.kind()),
        cid: publisher.peer.cid(),
        name: publisher.link.map_or_else(|| publisher.peer.description().name.clone(), Link::name),
        acc: publisher.account.name().to_string(),
        subj: text(publisher.subject),
        error: String::new(),
    };
    Begin::Traced(Box::new(Tracer {
        account: publisher.account.clone(),
        destination,
        encoding: Encoding::accepted(asked.first("Accept-Encoding")),
        only,
        claim: Claim::new(only),
        at: publisher.at,
        // What a client says of hops counts for nothing.
        hop: publisher.link.map_or("", |_| asked.first(HOP)).into(),
        event: Event {
            request: Request { header: asked.headers, msgsize: publisher.size },
            hops: 0,
            events: vec![ingress],
        },
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(lines: &str) -> Option<Asked> {
        let headers = format!("NATS/1.0\r\n{lines}\r\n\r\n");
        let asked = Asked::read(headers.as_bytes());
        assert!(asked.is_none() || is_wanted(headers.as_bytes()), "the glance misses {lines:?}");
        asked
    }

    #[test]
    fn only_exact_names_and_values_ask() {
        // spec: CORE-125 CORE-126 CORE-130
        for (lines, external) in [
            ("Nats-Trace-Dest: a", Some(false)),
            ("X: 1\r\nNats-Trace-Dest:\ta \r\nY: 2", Some(false)),
            ("nats-trace-dest: a", None),
            ("Nats-Trace-Dest: ", None),
            ("Nats-Trace-Dest: trace disabled", None),
            ("no colon\r\nNats-Trace-Dest: a", None),
            ("Nats-Trace-Dest : a", None),
            ("Nats-Trace-Only: true", None),
            ("traceparent: 00-a-b-01", Some(true)),
            ("TRACEparent: 00-a-b-03", Some(true)),
            ("traceparent: 00-a-b-00", None),
            ("traceparent: 00-a-b-1", None),
            ("traceparent: 00-a-b-01-c", None),
            ("traceparent: 00-a-b-ff", None),
            ("traceparent: 00-a-b-00\r\ntraceparent: 00-a-b-01", Some(true)),
            ("traceparent: 00-a-b-01\r\nNats-Trace-Dest: a", Some(false)),
            ("traceparent: 00-a-b-01\r\nNats-Trace-Dest: trace disabled", None),
        ] {
            assert_eq!(read(lines).map(|a| a.external), external, "{lines:?}");
        }
        assert!(Asked::read(b"NATS/1.0 503\r\nNats-Trace-Dest: a\r\n\r\n").is_none(), "a status is not traced");
    }

    #[test]
    fn only_is_said_in_three_ways() {
        // spec: CORE-125
        for (value, only) in [("true", true), ("1", true), ("on", true), ("ON ", true), ("yes", false), ("0", false)] {
            let asked = read(&format!("Nats-Trace-Dest: a\r\nNats-Trace-Only: {value}")).unwrap();
            assert_eq!(asked.only(), only, "{value}");
        }
        let external = read("traceparent: 00-a-b-01\r\nNats-Trace-Only: true").unwrap();
        assert!(!external.only(), "traces that began elsewhere deliver");
    }

    #[test]
    fn headers_keep_their_names_and_all_values() {
        let asked = read("A: 1\r\nNats-Trace-Dest: d\r\na: 2\r\nA:\t3 \r\nE: ").unwrap();
        let listed: Vec<_> = asked.headers.iter().map(|(name, values)| (name.as_str(), values.join("|"))).collect();
        assert_eq!(listed, [("A", "1|3".into()), ("Nats-Trace-Dest", "d".into()), ("a", "2".to_owned())]);
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic_and_the_glance_misses_nothing(
            lines in proptest::collection::vec(
                proptest::sample::select(vec![
                    "Nats-Trace-Dest", "traceparent", "TraceParent", ":", " ", "\r\n", "a", "00-a-b-01", "\n", "N", "t",
                ]),
                0..20,
            ),
        ) {
            let headers = format!("NATS/1.0\r\n{}\r\n", lines.concat());
            let asked = Asked::read(headers.as_bytes()).is_some();
            proptest::prop_assert!(!asked || is_wanted(headers.as_bytes()));
        }
    }
}
