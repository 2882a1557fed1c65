//! The tables say what the reference was seen to send and to take; the properties say what no input may do.

use proptest::prelude::*;

use super::encode::{self, Envelope, Prefix};
use super::{
    LineAccount, LinkError, LinkHead, LinkKind, LinkLimits, LinkOp, LinkReason, LinkStep, Queues, fast, line,
    parse_link, with_payload,
};

const ROUTE: LinkLimits = LinkLimits::new(LinkKind::Route, 16);
const OWN: LinkLimits = LinkLimits { account: LineAccount::Omitted, ..ROUTE };
const OLD: LinkLimits = LinkLimits { unsub_names_origin: false, ..ROUTE };
const GATEWAY: LinkLimits = LinkLimits::new(LinkKind::Gateway, 16);
const LEAF: LinkLimits = LinkLimits::new(LinkKind::Leaf, 16);
const ALL: [LinkLimits; 5] = [ROUTE, OWN, OLD, GATEWAY, LEAF];

/// Feeds `input` in pieces, or all at once, and writes down what came out, one line for each operation and one for the end.
fn script(input: &[u8], pieces: &[usize], limits: &LinkLimits) -> Vec<String> {
    let mut said = Vec::new();
    let mut kept: Vec<u8> = Vec::new();
    let mut rest = input;
    let mut pieces = pieces.iter().copied().chain([input.len()]);
    loop {
        let mut at = 0;
        loop {
            match parse_link(&kept[at..], limits) {
                Ok(LinkStep::Op { op, used }) => {
                    assert!(used > 0 && at + used <= kept.len(), "an operation is made of bytes that are there");
                    said.push(show(op));
                    at += used;
                }
                Ok(LinkStep::BadTrailer { head }) => {
                    said.push(format!("bad trailer after {}", head.subject.escape_ascii()));
                    return said;
                }
                Ok(LinkStep::Payload { .. } | LinkStep::Incomplete) => break,
                Err(error) => {
                    said.push(match error {
                        LinkError::ControlLineTooLong { .. } => "too long".to_owned(),
                        LinkError::UnknownOperation => UNKNOWN.to_owned(),
                        LinkError::Silent(reason) => reason.to_string(),
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

fn show(op: LinkOp<'_>) -> String {
    let text = |bytes: &[u8]| bytes.escape_ascii().to_string();
    let named =
        |name: &str, value: Option<&[u8]>| value.map_or(String::new(), |value| format!(" {name}={}", text(value)));
    match op {
        LinkOp::Info(json) => format!("INFO {}", text(json)),
        LinkOp::Connect(json) => format!("CONNECT {}", text(json)),
        LinkOp::Ping => "PING".to_owned(),
        LinkOp::Pong => "PONG".to_owned(),
        LinkOp::Ok => "+OK".to_owned(),
        LinkOp::Err(reason) => format!("-ERR {}", text(reason)),
        LinkOp::AccountSub(account) => format!("A+ {}", text(account)),
        LinkOp::AccountUnsub(account) => format!("A- {}", text(account)),
        LinkOp::Sub { origin, account, subject, queue, weight } => {
            let queue = queue.map_or(String::new(), |queue| format!(" queue={}*{weight}", text(queue)));
            format!("sub{}{} {}{queue}", named("of", origin), named("in", account), text(subject))
        }
        LinkOp::Unsub { origin, account, subject, queue } => {
            let queue = named("queue", queue);
            format!("unsub{}{} {}{queue}", named("of", origin), named("in", account), text(subject))
        }
        LinkOp::Message(head, body) => {
            assert_eq!(body.len(), head.size);
            assert_eq!(head.header_len.is_none(), head.header_text.is_empty());
            let queues: Vec<_> = head.queues.iter().map(text).collect();
            let queues = if queues.is_empty() { String::new() } else { format!(" queues={}", queues.join(",")) };
            let header = head.header_len.map_or(String::new(), |len| format!(" header={len}"));
            let before = format!("msg{}{}", named("of", head.origin), named("in", head.account));
            let reply = named("reply", head.reply);
            format!("{before} {}{reply}{queues}{header} {}", text(head.subject), text(body))
        }
    }
}

/// Whole, byte by byte, and in twos: the same each time.
fn check(limits: &LinkLimits, input: &str, expected: &[&str]) {
    for pieces in [&[][..], &[1; 2000], &[2; 2000]] {
        assert_eq!(script(input.as_bytes(), pieces, limits), expected, "{input:?} on {limits:?}");
    }
}

/// One line that is understood.
fn reads(limits: &LinkLimits, input: &str, expected: &str) {
    check(limits, input, &[expected, "keeps 0"]);
}

/// One line that ends the link.
fn refuses(limits: &LinkLimits, input: &str, expected: &str) {
    check(limits, input, &[expected]);
}

const UNKNOWN: &str = "unknown protocol operation";

#[test]
fn words_that_every_link_knows() {
    for limits in &ALL {
        for (input, expected) in [
            ("PING\r\n", "PING"),
            ("ping \n", "PING"),
            ("PONG\r\n", "PONG"),
            ("+OK\r\n", "+OK"),
            ("INFO {\"a\":1}\r\n", "INFO {\\\"a\\\":1}"),
            ("INFO {} \r\n", "INFO {} "),
            ("CONNECT {}\r\n", "CONNECT {}"),
            ("connect{}\n", "CONNECT {}"),
            ("-ERR 'no'\r\n", "-ERR \\'no\\'"),
            // spec: CLU-045
            ("A+ $G\r\n", "A+ $G"),
            ("a-\tA\n", "A- A"),
        ] {
            reads(limits, input, expected);
        }
        for input in [
            "X",
            "\r",
            "\n",
            " ",
            "M",
            "MSG",
            "MSG a 1\r\n",
            "RS",
            "RX",
            "RS+\r",
            "RS*",
            "HP",
            "A",
            "A+\r\n",
            "Au A\r\n",
            "PUB a 1\r\n",
            "SUB a 1\r\n",
            "UNSUB 1\r\n",
            "HPUB a 1 1\r\n",
        ] {
            let [answer] = &script(input.as_bytes(), &[], limits)[..] else { panic!("{input:?}") };
            let unfinished = ["RS", "A"].contains(&input);
            assert_eq!(answer == UNKNOWN, !unfinished, "{input:?}: {answer}");
        }
    }
}

#[test]
fn interest_on_routes() {
    // spec: CLU-025 CLU-191 CLU-192 CLU-193 CLU-195
    reads(&ROUTE, "RS+ A plain.r1\r\n", "sub in=A plain.r1");
    reads(&ROUTE, "RS+ A qq grp 1\r\n", "sub in=A qq queue=grp*1");
    reads(&ROUTE, "rs+  A\tqq grp 12 \n", "sub in=A qq queue=grp*12");
    reads(&ROUTE, "RS- A qq grp\r\n", "unsub in=A qq queue=grp");
    reads(&ROUTE, "RS- A qq\r\n", "unsub in=A qq");
    reads(&ROUTE, "LS+ l1 A plain.l\r\n", "sub of=l1 in=A plain.l");
    reads(&ROUTE, "LS+ l1 A qq grp 1\r\n", "sub of=l1 in=A qq queue=grp*1");
    reads(&ROUTE, "LS- l1 A plain.l\r\n", "unsub of=l1 in=A plain.l");
    reads(&ROUTE, "LS- l1 A qq grp\r\n", "unsub of=l1 in=A qq queue=grp");
    reads(&OWN, "RS+ $NRG.V._meta_\r\n", "sub $NRG.V._meta_");
    reads(&OWN, "RS+ qq grp 3\r\n", "sub qq queue=grp*3");
    reads(&OWN, "RS- qq grp\r\n", "unsub qq queue=grp");
    reads(&OWN, "LS+ l1 a\r\n", "sub of=l1 a");
    reads(&OWN, "LS- l1 a q\r\n", "unsub of=l1 a queue=q");
    // A peer without lnocu ends the interest of leafs without naming them.
    reads(&OLD, "LS- A qq grp\r\n", "unsub in=A qq queue=grp");
    reads(&OLD, "LS+ l1 A qq grp 1\r\n", "sub of=l1 in=A qq queue=grp*1");
    // Weights that say nothing.
    for weight in ["0", "x", "-1", "1234567890"] {
        reads(&ROUTE, &format!("RS+ A qq grp {weight}\r\n"), "sub in=A qq queue=grp*1");
    }
    for (limits, input, expected) in [
        (&ROUTE, "RS+ A\r\n", "RS+ with 1 arguments"),
        (&ROUTE, "RS+ A s q\r\n", "RS+ with 3 arguments"),
        (&ROUTE, "RS+ A s q 1 x\r\n", "RS+ with 5 arguments"),
        (&ROUTE, "LS+ l1 A\r\n", "LS+ with 2 arguments"),
        (&ROUTE, "RS- A\r\n", "RS- with 1 arguments"),
        (&ROUTE, "RS- A s q 1\r\n", "RS- with 4 arguments"),
        (&ROUTE, "LS- l1 A\r\n", "LS- with 2 arguments"),
        (&OWN, "RS+ \r\n", "RS+ with 0 arguments"),
        (&OWN, "RS+ a q\r\n", "RS+ with 2 arguments"),
        (&OWN, "LS- l1\r\n", "LS- with 1 arguments"),
    ] {
        refuses(limits, input, expected);
    }
}

#[test]
fn interest_on_gateways() {
    // spec: CLU-200
    reads(&GATEWAY, "RS+ A plain.r1\r\n", "sub in=A plain.r1");
    reads(&GATEWAY, "RS+ A qq grp 1\r\n", "sub in=A qq queue=grp*1");
    reads(&GATEWAY, "RS- A qq grp\r\n", "unsub in=A qq queue=grp");
    reads(&GATEWAY, "RS- A x\r\n", "unsub in=A x");
    refuses(&GATEWAY, "RS- A\r\n", "RS- with 1 arguments");
    // Gateways know no leaf nodes.
    for input in ["L", "LS+ l1 A s\r\n", "LS- l1 A s\r\n", "LMSG l1 A s 0 1\r\n"] {
        refuses(&GATEWAY, input, UNKNOWN);
    }
    // A gateway's lines always name the account.
    let limits = LinkLimits { account: LineAccount::Omitted, ..GATEWAY };
    reads(&limits, "RS+ A a\r\n", "sub in=A a");
}

#[test]
fn interest_on_leaf_links() {
    // spec: CLU-055
    reads(&LEAF, "LS+ _GR_.>\r\n", "sub _GR_.>");
    reads(&LEAF, "LS+ qq grp 2\r\n", "sub qq queue=grp*2");
    reads(&LEAF, "LS- qq grp\r\n", "unsub qq queue=grp");
    reads(&LEAF, "LS- qq\r\n", "unsub qq");
    // The other letter means the same.
    reads(&LEAF, "RS+ a\r\n", "sub a");
    reads(&LEAF, "RS- a\r\n", "unsub a");
    refuses(&LEAF, "LS+ a q\r\n", "LS+ with 2 arguments");
    refuses(&LEAF, "LS- a q 1\r\n", "LS- with 3 arguments");
}

#[test]
fn messages_on_routes_and_gateways() {
    // spec: CLU-026 CLU-027 CLU-193 CLU-195 CLU-201
    for limits in [&ROUTE, &GATEWAY] {
        for (input, expected) in [
            ("RMSG A plain.r2 2\r\nhi\r\n", "msg in=A plain.r2 hi"),
            ("RMSG A s r 2\r\nhi\r\n", "msg in=A s reply=r hi"),
            ("RMSG A qq | grp 2\r\nhi\r\n", "msg in=A qq queues=grp hi"),
            ("RMSG A qq + rr grp g2 2\r\nhi\r\n", "msg in=A qq reply=rr queues=grp,g2 hi"),
            ("RMSG A qq | 5 6 2\r\nhi\r\n", "msg in=A qq queues=5,6 hi"),
            ("RMSG A qq + r 2\r\nhi\r\n", "msg in=A qq reply=r hi"),
            // Too short to have groups: the reply looks like an indicator.
            ("RMSG A s + 2\r\nhi\r\n", "msg in=A s reply=+ hi"),
            ("RMSG A s | 2\r\nhi\r\n", "msg in=A s reply=| hi"),
            ("RMSG A s 5 2\r\nhi\r\n", "msg in=A s reply=5 hi"),
            ("HMSG A s r 1 2\r\nhi\r\n", "msg in=A s reply=r header=1 hi"),
            ("HMSG A s 0 2\r\nhi\r\n", "msg in=A s header=0 hi"),
            ("HMSG A s + 1 2\r\nhi\r\n", "msg in=A s reply=+ header=1 hi"),
            ("HMSG A s + 1 1 2\r\nhi\r\n", "msg in=A s reply=1 header=1 hi"),
            ("HMSG A qq | g1 g2 01 002\r\nhi\r\n", "msg in=A qq queues=g1,g2 header=1 hi"),
            ("HMSG A qq + r g1 2 2\r\nhi\r\n", "msg in=A qq reply=r queues=g1 header=2 hi"),
            ("rmsg\t A  s\t| g1  g2 2\nhi\r\n", "msg in=A s queues=g1,g2 hi"),
            ("RMSG A s 0\r\n\r\n", "msg in=A s "),
        ] {
            reads(limits, input, expected);
        }
        refuses(limits, "RMSG A 2\r\n", "RMSG with 2 arguments");
        refuses(limits, "HMSG A s 2\r\n", "HMSG with 3 arguments");
        refuses(limits, "RMSG A s r q 2\r\n", "RMSG with queue groups, but without + or | before them");
        refuses(limits, "RMSG A s ++ q 2\r\n", "RMSG with queue groups, but without + or | before them");
        refuses(limits, "HMSG A s r q 1 2\r\n", "HMSG with queue groups, but without + or | before them");
        refuses(limits, "HMSG A s 3 2\r\n", "HMSG with a header size of 3 in a message of 2 bytes");
        for size in ["-1", "x", "1234567890", "1x"] {
            refuses(
                limits,
                &format!("RMSG A s {size}\r\n"),
                "RMSG with a size that is not a number of one to nine digits",
            );
            let header = "HMSG with a header size that is not a number of one to nine digits";
            refuses(limits, &format!("HMSG A s {size} 2\r\n"), header);
            refuses(
                limits,
                &format!("HMSG A s | q 1 {size}\r\n"),
                "HMSG with a size that is not a number of one to nine digits",
            );
        }
    }
    // A route of one account.
    reads(&OWN, "RMSG s 2\r\nhi\r\n", "msg s hi");
    reads(&OWN, "RMSG s r 2\r\nhi\r\n", "msg s reply=r hi");
    reads(&OWN, "HMSG s + r q 1 2\r\nhi\r\n", "msg s reply=r queues=q header=1 hi");
    refuses(&OWN, "RMSG 2\r\n", "RMSG with 1 arguments");
}

#[test]
fn messages_of_leafs_on_routes_have_an_origin_and_a_header_size() {
    // spec: CLU-027 CLU-193
    reads(&ROUTE, "LMSG l1 A plain.r2 0 7\r\nfrom l1\r\n", "msg of=l1 in=A plain.r2 header=0 from l1");
    reads(&ROUTE, "LMSG l1 A s re.ply 1 2\r\nhi\r\n", "msg of=l1 in=A s reply=re.ply header=1 hi");
    reads(&ROUTE, "LMSG l1 A s | q 0 2\r\nhi\r\n", "msg of=l1 in=A s queues=q header=0 hi");
    reads(&ROUTE, "LMSG l1 A s + r q1 q2 0 2\r\nhi\r\n", "msg of=l1 in=A s reply=r queues=q1,q2 header=0 hi");
    reads(&OWN, "LMSG l1 s 0 2\r\nhi\r\n", "msg of=l1 s header=0 hi");
    reads(&OWN, "LMSG l1 s + r q1 0 2\r\nhi\r\n", "msg of=l1 s reply=r queues=q1 header=0 hi");
    refuses(&ROUTE, "LMSG l1 A s 7\r\n", "LMSG with 4 arguments");
    refuses(&OWN, "LMSG l1 s 7\r\n", "LMSG with 3 arguments");
}

#[test]
fn messages_on_leaf_links() {
    // spec: CLU-055 CLU-206
    reads(&LEAF, "LMSG plain.l 8\r\n12345678\r\n", "msg plain.l 12345678");
    reads(&LEAF, "LMSG s r 2\r\nhi\r\n", "msg s reply=r hi");
    reads(&LEAF, "LMSG s + r q 2\r\nhi\r\n", "msg s reply=r queues=q hi");
    reads(&LEAF, "LMSG s | q 2\r\nhi\r\n", "msg s queues=q hi");
    reads(&LEAF, "HMSG s re.ply 1 2\r\nhi\r\n", "msg s reply=re.ply header=1 hi");
    reads(&LEAF, "HMSG s | q q2 1 2\r\nhi\r\n", "msg s queues=q,q2 header=1 hi");
    reads(&LEAF, "RMSG s 2\r\nhi\r\n", "msg s hi");
    refuses(&LEAF, "LMSG 2\r\n", "LMSG with 1 arguments");
    refuses(&LEAF, "HMSG s 2\r\n", "HMSG with 2 arguments");
}

#[test]
fn a_body_ends_with_crlf_and_its_head_is_known_before() {
    for input in ["RMSG A s 2\r\nhiX", "RMSG A s 2\r\nhi\n", "hmsg A s 0 2\r\nhi\rX"] {
        refuses(&ROUTE, input, "bad trailer after s");
    }
    for (input, used) in [("RMSG A s 5\r\nab", 12), ("rmsg A s 5\n", 11), ("RMSG A s 5\r\nabcde\r", 12)] {
        let step = parse_link(input.as_bytes(), &ROUTE);
        assert!(
            matches!(step, Ok(LinkStep::Payload { head: LinkHead { size: 5, .. }, used: found }) if found == used),
            "{input:?}: {step:?}"
        );
    }
}

#[test]
fn lines_may_be_sixteen_times_as_long() {
    // spec: CLU-029
    let max = ROUTE.max_control_line * 16;
    for limits in &ALL {
        reads(limits, &format!("A+ {}\r\n", "a".repeat(max)), &format!("A+ {}", "a".repeat(max)));
        refuses(limits, &format!("A+ {}\r\n", "a".repeat(max + 1)), "too long");
        refuses(limits, &format!("INFO {}", "a".repeat(max + 1)), "too long");
        refuses(limits, &format!("PING{}", " ".repeat(max + 1)), "too long");
        refuses(limits, &format!("A+{}", " ".repeat(max + 1)), "too long");
    }
    let subject = "a".repeat(max - 4);
    reads(&ROUTE, &format!("RMSG A {subject} 0\r\n\r\n"), &format!("msg in=A {subject} "));
    refuses(&ROUTE, &format!("RMSG A a{subject} 0\r\n\r\n"), "too long");
}

#[test]
fn a_refusal_says_what_was_wrong() {
    let error = parse_link(b"RMSG A s r q 2\r\n", &ROUTE).expect_err("no indicator");
    assert_eq!(error, LinkError::Silent(LinkReason::BadIndicator { verb: "RMSG" }));
    let error = LinkError::ControlLineTooLong { len: 300, max: 256 };
    assert_eq!(error.to_string(), "line of 300 bytes or more is longer than 256, which is max_control_line times 16");
}

fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut out = b"before ".to_vec(); // nothing already there is touched
    write(&mut out);
    String::from_utf8(out).expect("these are all text").split_off("before ".len())
}

#[test]
fn interest_is_written_as_the_reference_writes_it() {
    // spec: CLU-025 CLU-191 CLU-192 CLU-193 CLU-200
    let leaf = Prefix { origin: Some(b"l1"), account: Some(b"A") };
    let own = Prefix::default();
    let account = Prefix::account(b"A");
    for (prefix, queue, sub, unsub, old_unsub) in [
        (account, None, "RS+ A s\r\n", "RS- A s\r\n", "RS- A s\r\n"),
        (account, Some((&b"grp"[..], 12)), "RS+ A s grp 12\r\n", "RS- A s grp\r\n", "RS- A s grp\r\n"),
        (own, None, "RS+ s\r\n", "RS- s\r\n", "RS- s\r\n"),
        (leaf, None, "LS+ l1 A s\r\n", "LS- l1 A s\r\n", "LS- A s\r\n"),
        (leaf, Some((b"grp", 1)), "LS+ l1 A s grp 1\r\n", "LS- l1 A s grp\r\n", "LS- A s grp\r\n"),
        (Prefix { account: None, ..leaf }, None, "LS+ l1 s\r\n", "LS- l1 s\r\n", "LS- s\r\n"),
    ] {
        let name = queue.map(|(name, _)| name);
        assert_eq!(written(|out| encode::route_sub(out, prefix, b"s", queue)), sub);
        assert_eq!(written(|out| encode::route_unsub(out, prefix, true, b"s", name)), unsub);
        assert_eq!(written(|out| encode::route_unsub(out, prefix, false, b"s", name)), old_unsub);
    }
    assert_eq!(written(|out| encode::leaf_sub(out, b"_GR_.>", None)), "LS+ _GR_.>\r\n");
    assert_eq!(written(|out| encode::leaf_sub(out, b"qq", Some((b"grp", 2)))), "LS+ qq grp 2\r\n");
    assert_eq!(written(|out| encode::leaf_unsub(out, b"qq", Some(b"grp"))), "LS- qq grp\r\n");
    assert_eq!(written(|out| encode::leaf_unsub(out, b"qq", None)), "LS- qq\r\n");
}

#[test]
fn messages_are_written_as_the_reference_writes_them() {
    // spec: CLU-026 CLU-027 CLU-193 CLU-195 CLU-206
    const NONE: [&[u8]; 0] = [];
    let plain = Envelope { subject: b"s", reply: b"", header_text: b"", size_text: b"07" };
    let full = Envelope { subject: b"s", reply: b"re.ply", header_text: b"18", size_text: b"19" };
    let empty_headers = Envelope { header_text: b"00", ..plain };
    let account = Prefix::account(b"A");
    let leaf = Prefix { origin: Some(b"l1"), ..account };
    let route = |prefix, envelope, queues: &[&'static [u8]]| {
        written(|out| encode::route_message_head(out, prefix, &envelope, queues.iter().copied()))
    };
    assert_eq!(route(account, plain, &NONE), "RMSG A s 07\r\n");
    assert_eq!(route(account, full, &NONE), "HMSG A s re.ply 18 19\r\n");
    assert_eq!(route(account, empty_headers, &NONE), "RMSG A s 07\r\n");
    assert_eq!(route(Prefix::default(), full, &[b"grp"]), "HMSG s + re.ply grp 18 19\r\n");
    assert_eq!(route(account, plain, &[b"g1", b"g2"]), "RMSG A s | g1 g2 07\r\n");
    assert_eq!(route(account, Envelope { reply: b"rr", ..plain }, &[b"grp"]), "RMSG A s + rr grp 07\r\n");
    assert_eq!(route(leaf, plain, &NONE), "LMSG l1 A s 0 07\r\n");
    assert_eq!(route(leaf, empty_headers, &NONE), "LMSG l1 A s 0 07\r\n");
    assert_eq!(route(leaf, full, &NONE), "LMSG l1 A s re.ply 18 19\r\n");
    assert_eq!(route(Prefix { account: None, ..leaf }, full, &[b"q"]), "LMSG l1 s + re.ply q 18 19\r\n");
    let to_leaf = |envelope, queues: &[&'static [u8]]| {
        written(|out| encode::leaf_message_head(out, &envelope, queues.iter().copied()))
    };
    assert_eq!(to_leaf(plain, &NONE), "LMSG s 07\r\n");
    assert_eq!(to_leaf(empty_headers, &NONE), "LMSG s 07\r\n");
    assert_eq!(to_leaf(full, &NONE), "HMSG s re.ply 18 19\r\n");
    assert_eq!(to_leaf(full, &[b"q1", b"q2"]), "HMSG s + re.ply q1 q2 18 19\r\n");
    assert_eq!(to_leaf(plain, &[b"q1"]), "LMSG s | q1 07\r\n");
    assert_eq!(written(|out| encode::leaf_message(out, &plain, NONE, b"1234567")), "LMSG s 07\r\n1234567\r\n");
}

/// Bytes that look like the protocol, more or less.
fn traffic() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        8 => prop::sample::select(vec![
            "RMSG A s 3\r\nabc\r\n", "RMSG A s r 0\r\n\r\n", "RMSG A s + r q1 q2 2\r\nhi\r\n", "RMSG A s | q 2\r\nhi\r\n",
            "HMSG A s r 1 2\r\nhi\r\n", "HMSG A s | q 1 2\r\nhi\r\n", "LMSG o A s 0 2\r\nhi\r\n", "LMSG s 2\r\nhi\r\n", "rmsg A s 1\nx\r\n",
            "LMSG o A s + r q 0 2\r\nhi\r\n", "RS+ A s\r\n", "RS+ A s q 1\r\n", "RS- A s\r\n", "LS+ o A s\r\n", "LS- o A s q\n",
            "A+ A\r\n", "PING\r\n", "PONG\r\n", "INFO {}\r\n", "CONNECT {}\r\n",
        ])
        .prop_map(|text| text.as_bytes().to_vec()),
        1 => prop::sample::select(vec!["\r", "\n", " ", "\t", "RMSG ", "1", "+", "|", "HMSG", "-ERR x\r\n", "RMSG A s 2\r\nxyz"])
            .prop_map(|text| text.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..4),
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

/// Traffic with a few bytes changed, cut out or doubled.
fn damaged() -> impl Strategy<Value = Vec<u8>> {
    let damage = (any::<prop::sample::Index>(), prop_oneof![any::<u8>(), Just(b' '), Just(b'+')], 0..3_u8);
    (traffic(), prop::collection::vec(damage, 0..4)).prop_map(|(mut bytes, damage)| {
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
    })
}

fn name() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof!["[!-~]{1,20}", "[0-9+|]{1,3}"].prop_map(String::into_bytes)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn the_cut_of_the_stream_changes_nothing(bytes in damaged(), pieces in prop::collection::vec(1..9_usize, 0..40), max in 1..4_usize) {
        for limits in ALL {
            for limits in [limits, LinkLimits { max_control_line: max, ..limits }] {
                prop_assert_eq!(script(&bytes, &pieces, &limits), script(&bytes, &[], &limits));
            }
        }
    }

    #[test]
    fn nothing_makes_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        for limits in &ALL {
            script(&bytes, &[], limits);
        }
    }

    #[test]
    fn the_short_way_and_the_long_way_agree(bytes in damaged()) {
        for limits in &ALL {
            if let Some((head, used)) = fast::message(&bytes, limits) {
                prop_assert_eq!(Ok(with_payload(&bytes, head, used)), line::parse(&bytes, limits));
            }
        }
    }

    #[test]
    fn what_is_written_is_read(
        account in name(), origin in prop::option::of(name()), subject in name(), reply in prop::option::of(name()),
        queues in prop::collection::vec(name(), 0..4), header in 0..4_usize, body in prop::collection::vec(any::<u8>(), 4..40),
    ) {
        // spec: CLU-026 CLU-027 CLU-055
        let (header_text, size_text) = (header.to_string(), body.len().to_string());
        let envelope = Envelope {
            subject: &subject,
            reply: reply.as_deref().unwrap_or_default(),
            header_text: header_text.as_bytes(),
            size_text: size_text.as_bytes(),
        };
        let joined = queues.join(&b' ');
        let expected = LinkHead {
            origin: origin.as_deref(),
            account: Some(&account),
            subject: &subject,
            reply: reply.as_deref(),
            queues: Queues::new(&joined),
            header_len: (header > 0 || origin.is_some()).then_some(header),
            header_text: if header > 0 || origin.is_some() { header_text.as_bytes() } else { b"" },
            size: body.len(),
            size_text: size_text.as_bytes(),
        };
        let all_queues = || queues.iter().map(Vec::as_slice);
        for limits in [ROUTE, OWN, GATEWAY, LEAF] {
            let limits = LinkLimits { max_control_line: 4096, ..limits };
            let expected = LinkHead {
                origin: expected.origin.filter(|_| limits.kind == LinkKind::Route),
                account: expected.account.filter(|_| limits.names_account()),
                ..expected
            };
            let headers = header > 0 || expected.origin.is_some();
            let expected = LinkHead {
                header_len: expected.header_len.filter(|_| headers),
                header_text: if headers { expected.header_text } else { b"" },
                ..expected
            };
            let mut out = Vec::new();
            if limits.kind == LinkKind::Leaf {
                encode::leaf_message(&mut out, &envelope, all_queues(), &body);
            } else {
                let prefix = Prefix { origin: expected.origin, account: expected.account };
                encode::route_message_head(&mut out, prefix, &envelope, all_queues());
                out.extend_from_slice(&body);
                out.extend_from_slice(b"\r\n");
            }
            let used = out.len();
            out.extend_from_slice(b"PING");
            let step = LinkStep::Op { op: LinkOp::Message(expected, &body), used };
            let head = fast::message(&out, &limits);
            prop_assert_eq!(head, Some((expected, used - body.len() - 2)), "{}", out.escape_ascii());
            prop_assert_eq!(parse_link(&out, &limits), Ok(step));
        }
    }

    #[test]
    fn interest_that_is_written_is_read(
        account in name(), origin in prop::option::of(name()), subject in name(), queue in prop::option::of((name(), 1..999_999_999_u32)),
    ) {
        // spec: CLU-025 CLU-055
        let group = queue.as_ref().map(|(name, _)| &name[..]);
        for limits in ALL {
            let limits = LinkLimits { max_control_line: 4096, ..limits };
            let account = limits.names_account().then_some(&account[..]);
            let origin = origin.as_deref().filter(|_| limits.kind == LinkKind::Route);
            let prefix = Prefix { origin, account };
            let weighted = queue.as_ref().map(|(name, weight)| (&name[..], *weight));
            let mut out = Vec::new();
            match limits.kind {
                LinkKind::Leaf => encode::leaf_sub(&mut out, &subject, weighted),
                _ => encode::route_sub(&mut out, prefix, &subject, weighted),
            }
            let op = LinkOp::Sub { origin, account, subject: &subject, queue: group, weight: weighted.map_or(1, |(_, weight)| weight) };
            prop_assert_eq!(parse_link(&out, &limits), Ok(LinkStep::Op { op, used: out.len() }));
            out.clear();
            match limits.kind {
                LinkKind::Leaf => encode::leaf_unsub(&mut out, &subject, group),
                _ => encode::route_unsub(&mut out, prefix, limits.unsub_names_origin, &subject, group),
            }
            let op = LinkOp::Unsub { origin: origin.filter(|_| limits.unsub_names_origin), account, subject: &subject, queue: group };
            prop_assert_eq!(parse_link(&out, &limits), Ok(LinkStep::Op { op, used: out.len() }));
        }
    }
}
