//! The table says what the reference server was seen to do with each input; the properties say what no input may do.

use proptest::prelude::*;

use super::{
    ClientOp, ParseError, ParseLimits, PublishHead, SilentReason, Step, WholePublish, parse, parse_bare_publish,
    parse_whole_publish, payload_trailer_ok,
};

const LIMITS: ParseLimits = ParseLimits { max_control_line: 64 };

/// Feeds `input` byte by byte, or all at once, and writes down what came out, one line for each operation and one for the end.
fn script(input: &[u8], pieces: &[usize], limits: ParseLimits) -> Vec<String> {
    let mut said = Vec::new();
    let mut kept: Vec<u8> = Vec::new();
    let mut rest = input;
    let mut pieces = pieces.iter().copied().chain([input.len()]);
    loop {
        let mut at = 0;
        loop {
            match parse(&kept[at..], &limits) {
                Ok(Step::Op { op, used }) => {
                    assert!(used > 0 && at + used <= kept.len(), "an operation is made of bytes that are there");
                    said.push(show(op));
                    at += used;
                }
                Ok(Step::BadTrailer { head }) => {
                    said.push(format!("bad trailer after {}", String::from_utf8_lossy(head.subject)));
                    return said;
                }
                Ok(Step::Payload { .. } | Step::Incomplete) => break,
                Err(error) => {
                    said.push(match error {
                        ParseError::ControlLineTooLong { .. } => "too long".to_owned(),
                        error => format!("{error:?}"),
                    });
                    return said;
                }
            }
        }
        kept.drain(..at);
        if rest.is_empty() {
            said.push(format!("keeps {}", kept.len()));
            return said;
        }
        let (piece, later) = rest.split_at(pieces.next().unwrap_or(1).clamp(1, rest.len()));
        kept.extend_from_slice(piece);
        rest = later;
    }
}

fn show(op: ClientOp<'_>) -> String {
    let text = |bytes: &[u8]| bytes.escape_ascii().to_string();
    match op {
        ClientOp::Connect(json) => format!("CONNECT {}", text(json)),
        ClientOp::Ping => "PING".to_owned(),
        ClientOp::Pong => "PONG".to_owned(),
        ClientOp::Publish(head, payload) => {
            assert_eq!(payload.len(), head.size);
            assert_eq!(head.header_len.is_none(), head.header_text.is_empty());
            let reply = head.reply.map_or(String::new(), |reply| format!(" reply={}", text(reply)));
            let header =
                head.header_len.map_or(String::new(), |len| format!(" header={len}/{}", text(head.header_text)));
            format!("PUB {}{reply}{header} size={} {}", text(head.subject), text(head.size_text), text(payload))
        }
        ClientOp::Sub { subject, queue, sid } => {
            let queue = queue.map_or(String::new(), |queue| format!(" queue={}", text(queue)));
            format!("SUB {}{queue} sid={}", text(subject), text(sid))
        }
        ClientOp::Unsub { sid, max } => format!("UNSUB {} {max:?}", text(sid)),
        ClientOp::Info => "INFO".to_owned(),
        ClientOp::Ok => "+OK".to_owned(),
        ClientOp::Err(reason) => format!("-ERR {}", text(reason)),
    }
}

/// Whole, byte by byte, and in twos: the same each time.
fn check(input: &[u8], expected: &[&str]) {
    for pieces in [&[][..], &[1; 1000], &[2; 1000]] {
        assert_eq!(script(input, pieces, LIMITS), expected, "{}", input.escape_ascii());
    }
}

const UNKNOWN: &str = "UnknownOperation";

#[test]
fn verbs_in_any_case_and_any_line_end() {
    // spec: CORE-001 CORE-002 CORE-003 CORE-004 CORE-016
    check(b"PING\r\n", &["PING", "keeps 0"]);
    check(b"ping\n", &["PING", "keeps 0"]);
    check(b"PiNgxyz\r\nPONG \n", &["PING", "PONG", "keeps 0"]);
    check(b"+OK\r\n+okay\n", &["+OK", "+OK", "keeps 0"]);
    check(b"-err 'no'\r\n", &["-ERR \\'no\\'", "keeps 0"]);
    check(b"-ERR \r\n", &["-ERR \\r", "keeps 0"]);
    // spec: CORE-045
    check(b"sub  \t a\t\t1  \r\n", &["SUB a sid=1", "keeps 0"]);
    check(b"Sub a q 1\n", &["SUB a queue=q sid=1", "keeps 0"]);
    check(b"PUB\ta\t1\r\nx\r\n", &["PUB a size=1 x", "keeps 0"]);
    check(b"pub a 1\nx\r\n", &["PUB a size=1 x", "keeps 0"]);
    check(b"PUB a r 2 \r\nxy\r\n", &["PUB a reply=r size=2 xy", "keeps 0"]);
    check(b"CONNECT {}\r\n", &["CONNECT {}", "keeps 0"]);
    check(b"connect{}\n", &["CONNECT {}", "keeps 0"]);
    check(b"INFO {}\r\ninfo{\"port\":1,\"x\":[]}\nINFO null\n", &["INFO", "INFO", "INFO", "keeps 0"]);
    check(b"INFO x\r\n", &["Silent(BadInfo)"]);
    check(b"INFO {\"port\":\"x\"}\r\n", &["Silent(BadInfo)"]);
}

#[test]
fn what_is_no_verb_is_refused_at_its_first_wrong_byte() {
    // spec: CORE-005 CORE-006 CORE-070
    for input in [
        "X", "\r", "\n", " ", "\0", "R", "L", "A", "M", "PX", "PUBx", "PUB\r", "PUB\n", "PINX", "HPX", "HM", "HPUB\r",
        "SUB\r", "UNSUB\n", "+K", "-ERR\r", "CX", "INX",
    ] {
        let (_, before) = input.as_bytes().split_last().expect("none is empty");
        check(input.as_bytes(), &[UNKNOWN]);
        check(before, &[&format!("keeps {}", before.len())]);
    }
    for input in [
        "MSG a 1 0\r\n",
        "HMSG a 1 0 0\r\n",
        "RS+ $G a\r\n",
        "RS- $G a\r\n",
        "LS+ a\r\n",
        "LS- a\r\n",
        "LMSG a 1\r\n",
        "A+ a\r\n",
        "A- a\r\n",
        "RMSG $G a 1\r\n",
    ] {
        check(input.as_bytes(), &[UNKNOWN]);
    }
    // spec: CORE-007
    check(b"PUB\r\n", &[UNKNOWN]);
    check(b"UNSUB\r\n", &[UNKNOWN]);
}

#[test]
fn argument_counts_and_sizes() {
    // spec: CORE-008 CORE-014
    for (input, verb, found) in [
        ("PUB a\r\n", "PUB", 1),
        ("PUB a b c 1\r\n", "PUB", 4),
        ("HPUB a 1\r\n", "HPUB", 2),
        ("HPUB a b c 1 1\r\n", "HPUB", 5),
        ("SUB a\r\n", "SUB", 1),
        ("SUB a b c d\r\n", "SUB", 4),
        ("UNSUB \r\n", "UNSUB", 0),
        ("UNSUB 1 2 3\r\n", "UNSUB", 3),
    ] {
        let Err(ParseError::Silent(SilentReason::ArgumentCount { verb: said, found: counted, .. })) =
            parse(input.as_bytes(), &LIMITS)
        else {
            panic!("{input:?} is refused in silence")
        };
        assert_eq!((said, counted), (verb, found), "{input:?}");
    }
    // spec: CORE-009
    for size in ["-1", "+1", "x", "1x", "1234567890", "0000000001", "0x1", "1.0"] {
        check(format!("PUB a {size}\r\n").as_bytes(), &["Silent(BadSize { verb: \"PUB\" })"]);
        check(format!("HPUB a {size} 5\r\n").as_bytes(), &["Silent(BadHeaderSize)"]);
        check(format!("HPUB a 0 {size}\r\n").as_bytes(), &["Silent(BadSize { verb: \"HPUB\" })"]);
    }
    check(b"HPUB a 3 2\r\n", &["Silent(HeaderLargerThanTotal { header: 3, total: 2 })"]);
    let largest = parse(b"PUB a 999999999\r\n", &LIMITS);
    assert!(
        matches!(largest, Ok(Step::Payload { head: PublishHead { size: 999_999_999, .. }, used: 17 })),
        "{largest:?}"
    );
    // spec: CORE-010
    check(b"PUB a 0002\r\nhi\r\n", &["PUB a size=0002 hi", "keeps 0"]);
    check(b"PUB a 000000000\r\n\r\n", &["PUB a size=000000000 ", "keeps 0"]);
    check(b"HPUB a 01 002\r\nhi\r\n", &["PUB a header=1/01 size=002 hi", "keeps 0"]);
    // spec: CORE-051
    check(b"UNSUB 1\r\nUNSUB 1 5\r\nUNSUB 1 0\r\n", &["UNSUB 1 None", "UNSUB 1 Some(5)", "UNSUB 1 None", "keeps 0"]);
    check(b"UNSUB 1 abc\r\nUNSUB 1 -5\r\n", &["UNSUB 1 None", "UNSUB 1 None", "keeps 0"]);
}

#[test]
fn publishes() {
    // spec: CORE-054
    check(b"PUB a.b 2\r\nhi\r\n", &["PUB a.b size=2 hi", "keeps 0"]);
    check(b"PUB a.b c.d 2\r\nhi\r\nPING\r\n", &["PUB a.b reply=c.d size=2 hi", "PING", "keeps 0"]);
    check(b"PUB a 1 2\r\nhi\r\n", &["PUB a reply=1 size=2 hi", "keeps 0"]);
    check(b"HPUB a 1 3\r\nabc\r\n", &["PUB a header=1/1 size=3 abc", "keeps 0"]);
    check(b"HPUB a r 0 0\r\n\r\n", &["PUB a reply=r header=0/0 size=0 ", "keeps 0"]);
    check(b"HPUB a 1 0 0\r\n\r\n", &["PUB a reply=1 header=0/0 size=0 ", "keeps 0"]);
    // Payload bytes are not looked at.
    check(b"PUB a 6\r\nPING\r\n\r\n", &["PUB a size=6 PING\\r\\n", "keeps 0"]);
    // Subjects are bytes.
    check(b"PUB a\xff\x01b 1\r\nx\r\n", &["PUB a\\xff\\x01b size=1 x", "keeps 0"]);
}

#[test]
fn headers_of_no_bytes_are_no_headers() {
    // spec: CORE-060
    for (input, expected) in
        [("PUB a 2\r\n", false), ("HPUB a 0 2\r\n", false), ("HPUB a 00 2\r\n", false), ("HPUB a 1 2\r\n", true)]
    {
        let step = parse(input.as_bytes(), &LIMITS);
        assert!(
            matches!(step, Ok(Step::Payload { head, .. }) if head.has_headers() == expected),
            "{input:?}: {step:?}"
        );
    }
}

#[test]
fn a_payload_ends_with_crlf_and_nothing_else() {
    // spec: CORE-011
    for input in ["PUB a 2\r\nhiX", "PUB a 2\r\nhi\n", "PUB a 2\r\nhi\rX", "PUB a 0\r\nX", "hpub a 1 2\nhiX"] {
        check(input.as_bytes(), &["bad trailer after a"]);
    }
    for (trailer, ok) in
        [("", true), ("\r", true), ("\r\n", true), ("\r\nPING", true), ("\n", false), ("\rX", false), ("X", false)]
    {
        assert_eq!(payload_trailer_ok(trailer.as_bytes()), ok, "{trailer:?}");
    }
}

#[test]
fn the_head_of_a_publish_is_known_before_its_payload() {
    // spec: CORE-055
    for (input, used) in [("PUB a 5\r\nab", 9), ("pub a 5\n", 8), ("PUB a 5\r\nabcde", 9), ("PUB a 5\r\nabcde\r", 9)] {
        match parse(input.as_bytes(), &LIMITS) {
            Ok(Step::Payload { head, used: found }) => assert_eq!((head.size, found), (5, used), "{input:?}"),
            other => panic!("{input:?}: {other:?}"),
        }
    }
}

#[test]
fn carriage_returns_and_newlines_in_odd_places() {
    // spec: CORE-002
    check(b"SUB a 1\r\r\r\n", &["SUB a sid=1", "keeps 0"]);
    check(b"SUB a\rb 1\r\n", &["SUB a queue=b sid=1", "keeps 0"]);
    check(b"SUB \na 1\r\n", &["SUB a sid=1", "keeps 0"]);
    check(b"PUB \na 1\r\nx\r\n", &["PUB \\na size=1 x", "keeps 0"]);
    check(b"PUB a\rb 1\r\nx\r\n", &["PUB a\\rb size=1 x", "keeps 0"]);
    check(b"PUB a\rb 15\nx\r\n", &["PUB a\\rb size=1 x", "keeps 0"]);
    check(b"PUB a 1\r\r\nx\r\n", &["Silent(BadSize { verb: \"PUB\" })"]);
    check(b"CONNECT\n{}\n", &["CONNECT \\n{}", "keeps 0"]);
    check(b"CONNECT\r\n", &["CONNECT \\r", "keeps 0"]);
}

#[test]
fn control_lines_have_a_limit_that_excludes_the_verb() {
    // spec: CORE-012 CORE-013
    let longest = format!("SUB {} 1\r\n", "a".repeat(62));
    assert_eq!(script(longest.as_bytes(), &[1; 100], LIMITS).last().map(String::as_str), Some("keeps 0"));
    for (verb, tail) in
        [("SUB ", " 1\r\n"), ("PUB ", " 1\r\n"), ("HPUB ", " 1 1\r\n"), ("CONNECT ", "\r\n"), ("-ERR ", "\n")]
    {
        check(format!("{verb}{}{tail}", "a".repeat(63 + 2)).as_bytes(), &["too long"]);
    }
    check(format!("SUB {}", "a".repeat(64)).as_bytes(), &["keeps 68"]);
    check(format!("SUB {}\r", "a".repeat(64)).as_bytes(), &["keeps 69"]);
    check(format!("SUB {}", "a".repeat(65)).as_bytes(), &["too long"]);
    // What nobody reads has a limit too.
    check(format!("PING{}\r\n", " ".repeat(65)).as_bytes(), &["too long"]);
    check(format!("SUB{}a 1\r\n", " ".repeat(65)).as_bytes(), &["too long"]);
}

/// Bytes that look like the protocol, more or less.
fn traffic() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        8 => prop::sample::select(vec![
            "PUB a.b 3\r\nabc\r\n", "PUB a r 0\r\n\r\n", "HPUB a 2 4\r\nabcd\r\n", "HPUB a r 0 1\r\nx\r\n", "pub a 1\nx\r\n", "SUB a 1\r\n",
            "SUB a q 2\n", "UNSUB 1\r\n", "UNSUB 1 4\r\n", "PING\r\n", "PONG\r\n", "CONNECT {}\r\n", "+OK\r\n", "INFO {}\r\n",
        ])
        .prop_map(|text| text.as_bytes().to_vec()),
        1 => prop::sample::select(vec!["\r", "\n", " ", "\t", "PUB ", "1", "a", "HPUB", "-ERR x\r\n", "PUB a 2\r\nxyz"])
            .prop_map(|text| text.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..4),
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

/// Traffic with a few bytes changed, cut out or doubled.
fn damaged() -> impl Strategy<Value = Vec<u8>> {
    (traffic(), prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3_u8), 0..4)).prop_map(
        |(mut bytes, damage)| {
            for (at, byte, kind) in damage {
                if bytes.is_empty() {
                    break;
                }
                let at = at.index(bytes.len());
                match kind {
                    0 => bytes[at] = byte,
                    1 => drop(bytes.remove(at)),
                    _ => bytes.insert(at, byte),
                }
            }
            bytes
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn the_cut_of_the_stream_changes_nothing(bytes in damaged(), pieces in prop::collection::vec(1..9_usize, 0..40), max in 4..20_usize) {
        // spec: CORE-016
        for limits in [LIMITS, ParseLimits { max_control_line: max }] {
            prop_assert_eq!(script(&bytes, &pieces, limits), script(&bytes, &[], limits));
        }
    }

    #[test]
    fn nothing_makes_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        script(&bytes, &[], LIMITS);
    }

    #[test]
    fn the_short_way_and_the_long_way_agree(bytes in damaged(), max in 4..20_usize) {
        // spec: CORE-060
        let limits = ParseLimits { max_control_line: max };
        let whole = parse_whole_publish(&bytes, &limits);
        let bare = parse_bare_publish(&bytes, &limits);
        prop_assert_eq!(bare, whole.filter(|whole| whole.head.reply.is_none() && whole.head.header_len.is_none()));
        if let Some(WholePublish { head, body, verbatim, used }) = whole {
            let step = Ok(Step::Op { op: ClientOp::Publish(head, body), used });
            prop_assert_eq!(super::line::parse(&bytes, limits), step);
            prop_assert_eq!(parse(&bytes, &limits), step);
            let sizes = if head.has_headers() { [head.header_text, head.size_text].join(&b' ') } else { head.size_text.to_vec() };
            prop_assert_eq!(verbatim, [&sizes, body].join(&b"\r\n"[..]).into_iter().chain(*b"\r\n").collect::<Vec<_>>());
        }
    }

    #[test]
    fn what_was_written_is_read(
        subject in "[!-~]{1,20}", reply in prop::option::of("[!-~]{1,20}"), header in prop::option::of(0..4_usize),
        payload in prop::collection::vec(any::<u8>(), 4..40),
    ) {
        // spec: CORE-054
        let verb = if header.is_some() { "HPUB" } else { "PUB" };
        let reply_text = reply.as_ref().map_or(String::new(), |reply| format!("{reply} "));
        let header_text = header.map_or(String::new(), |header| format!("{header} "));
        let line = format!("{verb} {subject} {reply_text}{header_text}{}\r\n", payload.len());
        let input = [line.as_bytes(), &payload, b"\r\n", b"PING"].concat();
        match parse(&input, &ParseLimits::default()) {
            Ok(Step::Op { op: ClientOp::Publish(head, read), used }) => {
                prop_assert_eq!(head.subject, subject.as_bytes());
                prop_assert_eq!(head.reply, reply.as_deref().map(str::as_bytes));
                prop_assert_eq!(head.header_len, header);
                prop_assert_eq!(read, &payload[..]);
                prop_assert_eq!(used, input.len() - 4);
            }
            other => prop_assert!(false, "{:?}", other),
        }
    }
}
