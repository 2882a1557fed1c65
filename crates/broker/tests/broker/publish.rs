//! PUB and HPUB, and what subscribers get.

use martlet_proto::ClosedReason;

use crate::support::World;

const NO_RESPONDERS: &str = r#"CONNECT {"verbose":false,"headers":true,"no_responders":true}"#;

#[test]
fn what_is_published_is_delivered() {
    for (row, sent, delivered) in [
        ("CORE-054", "PUB a 2\r\nhi\r\n", "MSG a 1 2\r\nhi\r\n"),
        ("CORE-054", "PUB a r.1 2\r\nhi\r\n", "MSG a 1 r.1 2\r\nhi\r\n"),
        ("CORE-054", "PUB a 0\r\n\r\n", "MSG a 1 0\r\n\r\n"),
        // spec: CORE-010
        ("CORE-010", "PUB a 0002\r\nhi\r\n", "MSG a 1 0002\r\nhi\r\n"),
        // spec: CORE-001 CORE-002 CORE-003
        ("CORE-003", "pub \t a\t 2\nhi\r\n", "MSG a 1 2\r\nhi\r\n"),
        // spec: CORE-054 CORE-060
        ("CORE-060", "HPUB a 12 14\r\nNATS/1.0\r\n\r\nhi\r\n", "HMSG a 1 12 14\r\nNATS/1.0\r\n\r\nhi\r\n"),
        ("CORE-060", "HPUB a r 12 14\r\nNATS/1.0\r\n\r\nhi\r\n", "HMSG a 1 r 12 14\r\nNATS/1.0\r\n\r\nhi\r\n"),
        // spec: CORE-059
        ("CORE-059", "HPUB a 3 5\r\nxyzhi\r\n", "HMSG a 1 3 5\r\nxyzhi\r\n"),
        // spec: CORE-056
        ("CORE-056", "PUB a.* 0\r\n\r\n", ""),
        ("CORE-068", "PUB $SYS.x 0\r\n\r\n", ""),
    ] {
        let world = World::new("");
        let (publisher, subscriber) = (world.quiet(), world.quiet());
        subscriber.send("SUB a 1\r\n");
        publisher.send(sent);
        assert_eq!(subscriber.received(), delivered, "{row}: {sent}");
        assert_eq!((publisher.received().as_str(), publisher.closed()), ("", None), "{row}: {sent}");
    }
}

#[test]
fn a_wildcard_published_is_a_token_like_any_other() {
    // spec: CORE-056
    let world = World::new("");
    let client = world.quiet();
    client.send("SUB a.* 1\r\nSUB a.b 2\r\nSUB a.> 3\r\n");
    for _ in 0..3 {
        assert_eq!(client.ask("PUB a.* 0\r\n\r\n"), "MSG a.* 3 0\r\n\r\nMSG a.* 1 0\r\n\r\n".to_owned(), "not to a.b");
    }
    client.send("UNSUB 1\r\nUNSUB 3\r\n");
    assert_eq!(client.ask("PUB a.* 0\r\n\r\n"), "", "remembered matches are forgotten with their patterns");
}

#[test]
fn headers_go_to_those_who_take_them() {
    // spec: CORE-061
    let world = World::new("");
    let plain = world.client(r#"CONNECT {"verbose":false}"#);
    plain.send("SUB a 7\r\n");
    world.quiet().send("HPUB a r 12 14\r\nNATS/1.0\r\n\r\nhi\r\n");
    assert_eq!(plain.received(), "MSG a 7 r 2\r\nhi\r\n");
    assert_eq!(plain.peer().outbox.totals().bytes, 2);
    let big = "x".repeat(5000);
    world.quiet().send(&format!("HPUB a 12 5012\r\nNATS/1.0\r\n\r\n{big}\r\n"));
    assert_eq!(plain.received(), format!("MSG a 7 5000\r\n{big}\r\n"));
}

#[test]
fn headers_may_be_turned_off() {
    // spec: CORE-058
    for (config, connect) in [
        ("no_header_support: true", r#"CONNECT {"verbose":false,"headers":true}"#),
        ("", r#"CONNECT {"verbose":false,"headers":false}"#),
    ] {
        let client = World::new(config).client(connect);
        assert_eq!(client.ask("HPUB a 0 0\r\n\r\n"), "");
        assert!(client.closed().is_some(), "{config} {connect}");
    }
}

#[test]
fn publishers_who_make_mistakes() {
    for (row, sent, answer, closed) in [
        // spec: CORE-011 CORE-070
        ("CORE-011", "PUB a 2\r\nhixx\r\n", "-ERR 'Unknown Protocol Operation'\r\n", true),
        // spec: CORE-008
        ("CORE-008", "PUB a b c d\r\n", "", true),
        // spec: CORE-009
        ("CORE-009", "PUB a -1\r\n", "", true),
        ("CORE-009", "PUB a 9999999999\r\n", "", true),
        // spec: CORE-007
        ("CORE-007", "PUB\r\n", "-ERR 'Unknown Protocol Operation'\r\n", true),
        // spec: CORE-005 CORE-006
        ("CORE-005", "MSG a 1 0\r\n\r\n", "-ERR 'Unknown Protocol Operation'\r\n", true),
        ("CORE-006", "HELLO\r\n", "-ERR 'Unknown Protocol Operation'\r\n", true),
        // spec: CORE-004
        ("CORE-004", "+OK\r\nINFO {}\r\nPONG\r\nPING\r\n", "PONG\r\n", false),
        ("CORE-004", "-ERR 'x'\r\n", "", true),
        // spec: CORE-055 CORE-073
        ("CORE-055", "PUB a 11\r\n", "-ERR 'Maximum Payload Violation'\r\n", true),
        ("CORE-055", "PUB a 11\r\n01234567890\r\n", "-ERR 'Maximum Payload Violation'\r\n", true),
        ("CORE-055", "PUB a 9000\r\n", "-ERR 'Maximum Payload Violation'\r\n", true),
        ("CORE-055", "PUB a 10\r\n0123456789\r\nPING\r\n", "PONG\r\n", false),
        // spec: CORE-012 CORE-073
        (
            "CORE-012",
            "SUB aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa 1\r\n",
            "-ERR 'maximum control line exceeded'\r\n",
            true,
        ),
    ] {
        let world = World::new("max_payload: 10, max_control_line: 70");
        let client = world.client(r#"CONNECT {"verbose":false}"#);
        client.ask("PING\r\n");
        assert_eq!(client.ask(sent), answer, "{row}: {sent}");
        assert_eq!(client.closed().is_some(), closed, "{row}: {sent}");
        assert_eq!(client.ask("PING\r\n").is_empty(), closed, "{row}: nothing after a close");
    }
    let world = World::new("max_payload: 10");
    let client = world.quiet();
    client.send("PUB a 11\r\n");
    assert_eq!(client.closed(), Some(ClosedReason::MaxPayloadExceeded));
}

#[test]
fn a_pedantic_client_is_told_of_subjects_that_are_none() {
    // spec: CORE-057 CORE-075
    let client = World::new("").client(r#"CONNECT {"verbose":false,"pedantic":true}"#);
    client.send("SUB a.> 1\r\n");
    for subject in ["a.*", "a.>"] {
        let answer = client.ask(&format!("PUB {subject} 0\r\n\r\n"));
        assert_eq!(answer, format!("-ERR 'Invalid Publish Subject'\r\nMSG {subject} 1 0\r\n\r\n"));
    }
    assert_eq!(client.ask("PUB a.b* 0\r\n\r\n"), "MSG a.b* 1 0\r\n\r\n");
    assert_eq!(client.ask("SUB > 2\r\nPUB \nb 0\r\n\r\nUNSUB 2\r\n"), "MSG \nb 2 0\r\n\r\n", "white space is no fault");
    // It is told when the line is here, and not again for the payload.
    let large = "x".repeat(100_000);
    for payload in ["hello", &large] {
        let (begin, rest) = payload.split_at(2);
        assert_eq!(client.ask(&format!("PUB a.* {}\r\n", payload.len())), "-ERR 'Invalid Publish Subject'\r\n");
        assert_eq!(client.ask(begin), "");
        assert_eq!(client.ask(rest), "");
        assert_eq!(client.ask("\r\n"), format!("MSG a.* 1 {}\r\n{payload}\r\n", payload.len()));
    }
    assert_eq!(client.ask("PUB a.> 0\r\n\r\n"), "-ERR 'Invalid Publish Subject'\r\nMSG a.> 1 0\r\n\r\n");
    assert_eq!(client.ask("PUB a.* 1\r\n"), "-ERR 'Invalid Publish Subject'\r\n");
    assert_eq!(client.ask("xyz"), "-ERR 'Unknown Protocol Operation'\r\n");
}

#[test]
fn a_client_may_become_pedantic() {
    // spec: CORE-039 CORE-057
    let client = World::new("").client(r#"CONNECT {"verbose":false,"pedantic":false}"#);
    assert_eq!(client.ask("PUB a.* 5\r\nhe"), "");
    assert_eq!(client.ask("llo\r\nCONNECT {\"pedantic\":true}\r\n"), "");
    assert_eq!(client.ask("PUB a.* 0\r\n\r\n"), "-ERR 'Invalid Publish Subject'\r\n");
}

#[test]
fn a_verbose_client_hears_ok_before_what_follows() {
    // spec: CORE-042 CORE-066
    let client = World::new("").client(r#"CONNECT {"headers":true,"no_responders":true,"pedantic":false}"#);
    assert_eq!(client.ask("SUB a 1\r\nPUB a 0\r\n\r\n"), "+OK\r\n+OK\r\nMSG a 1 0\r\n\r\n");
    assert_eq!(
        client.ask("PUB none a 0\r\n\r\n"),
        "+OK\r\nHMSG a 1 36 36\r\nNATS/1.0 503\r\nNats-Subject: none\r\n\r\n\r\n"
    );
    assert_eq!(client.ask("UNSUB 1\r\n"), "+OK\r\n");
    assert_eq!(client.ask("PUB _GR_.a 0\r\n\r\n"), "-ERR 'Permissions Violation for Publish to \"_GR_.a\"'\r\n");
    assert_eq!(client.ask("SUB a..b 1\r\n"), "-ERR 'Invalid Subject'\r\n");
}

#[test]
fn who_wants_no_echo_gets_none() {
    // spec: CORE-062
    let world = World::new("");
    let mute = world.client(r#"CONNECT {"verbose":false,"echo":false,"headers":true,"no_responders":true}"#);
    let other = world.quiet();
    mute.send("SUB a 1\r\nSUB a q 2\r\n");
    other.send("SUB a 1\r\n");
    mute.send("PUB a 0\r\n\r\n");
    assert_eq!((mute.received().as_str(), other.received().as_str()), ("", "MSG a 1 0\r\n\r\n"));
    other.send("UNSUB 1\r\nPUB a 0\r\n\r\n");
    assert_eq!(mute.received().matches("MSG a").count(), 2);
}

#[test]
fn a_request_nobody_answers_is_answered_at_once() {
    // spec: CORE-066 CORE-067
    let world = World::new("mappings { m: there }");
    let client = world.client(NO_RESPONDERS);
    let answer = "HMSG in.1 1 36 36\r\nNATS/1.0 503\r\nNats-Subject: none\r\n\r\n\r\n";
    assert_eq!(client.ask("SUB in.* 1\r\nPUB none in.1 0\r\n\r\n"), answer);
    assert_eq!(client.ask("HPUB none in.1 12 12\r\nNATS/1.0\r\n\r\n\r\n"), answer);
    assert_eq!(client.ask("PUB none 0\r\n\r\n"), "", "no reply, no answer");
    assert_eq!(client.ask("PUB none out.1 0\r\n\r\n"), "", "nobody of its own listens there");
    // spec: CORE-110
    let mapped = "HMSG in.1 1 37 37\r\nNATS/1.0 503\r\nNats-Subject: there\r\n\r\n\r\n";
    assert_eq!(client.ask("PUB m in.1 0\r\n\r\n"), mapped);
    let other = world.client(NO_RESPONDERS);
    assert_eq!(other.ask("PUB none in.1 0\r\n\r\n"), "", "another's inbox does not count");
    assert_eq!(client.received(), "");
    assert_eq!(other.ask("SUB in.1 q 1\r\nPUB none in.1 0\r\n\r\n"), "", "nor does a queue group");
    other.send("SUB none 2\r\n");
    assert_eq!(client.ask("PUB none in.1 0\r\n\r\n"), "", "now somebody listens");
    // spec: CORE-053
    let over = "SUB last 3\r\nUNSUB 3 1\r\nPUB last 0\r\n\r\nPUB nobody last 0\r\n\r\n";
    assert_eq!(client.ask(over), "MSG last 3 0\r\n\r\n", "nor one that has had all it wanted");
    let quiet = world.quiet();
    assert_eq!(quiet.ask("SUB x 1\r\nPUB nobody x 0\r\n\r\n"), "", "only to those who asked for it");
}

#[test]
fn subjects_that_belong_to_servers() {
    // spec: CORE-063 CORE-064 CORE-065 CORE-068 CORE-077
    let config = "accounts { S { users: [{user: s, password: pw}] }, A { users: [{user: a, password: pw}] } }, system_account: S";
    for (user, publish, error) in [
        ("a", "PUB $NRG.x 0", "-ERR 'Permissions Violation for Publish to \"$NRG.x\"'\r\n"),
        ("s", "PUB $NRG.x 0", ""),
        ("a", "PUB _GR_.x 0", "-ERR 'Permissions Violation for Publish to \"_GR_.x\"'\r\n"),
        ("a", "PUB $GR.x 0", "-ERR 'Permissions Violation for Publish to \"$GR.x\"'\r\n"),
        ("a", "PUB x _R_.y 0", "-ERR 'Permissions Violation for Publish with Reply of \"_R_.y\"'\r\n"),
        ("a", "PUB x $JS.ACK.y 0", "-ERR 'Permissions Violation for Publish with Reply of \"$JS.ACK.y\"'\r\n"),
        ("a", "PUB x _GR_.y 0", "-ERR 'Permissions Violation for Publish with Reply of \"_GR_.y\"'\r\n"),
        ("a", "PUB $SYS.x 0", ""),
        ("a", "PUB _R_.x 0", ""),
        ("a", "PUB x _R_. 0", "-ERR 'Permissions Violation for Publish with Reply of \"_R_.\"'\r\n"),
        ("a", "PUB x $JS.ACK. 0", ""),
        ("a", "PUB x _GR_. 0", ""),
        ("a", "PUB x $GR. 0", ""),
        ("a", "PUB _GR_. 0", ""),
        ("a", "PUB $GR. 0", ""),
        ("a", "PUB $NRG. 0", "-ERR 'Permissions Violation for Publish to \"$NRG.\"'\r\n"),
        ("a", "PUB x _INBOX.y 0", ""),
        ("a", "PUB x _Rx.y 0", ""),
    ] {
        let client = World::new(config).user(user);
        assert_eq!(client.ask(&format!("{publish}\r\n\r\n")), error, "{user}: {publish}");
        assert_eq!(client.closed(), None);
    }
}

#[test]
fn large_messages_have_a_buffer_of_their_own() {
    // spec: CORE-054 CORE-061
    let world = World::new("");
    let (publisher, one, two) = (world.quiet(), world.quiet(), world.quiet());
    one.send("SUB a 1\r\n");
    two.send("SUB a q 2\r\nSUB > 3\r\n");
    let payload = "0123456789".repeat(1000);
    for (head, body, delivered) in [
        ("PUB a r 10000", payload.clone(), format!("r 10000\r\n{payload}\r\n")),
        ("HPUB a 12 10012", format!("NATS/1.0\r\n\r\n{payload}"), format!("12 10012\r\nNATS/1.0\r\n\r\n{payload}\r\n")),
    ] {
        let verb = if head.starts_with('H') { "HMSG" } else { "MSG" };
        publisher.send_in_pieces(format!("{head}\r\n{body}\r\nPING\r\n").as_bytes(), &[30, 5000]);
        assert_eq!(one.received(), format!("{verb} a 1 {delivered}"));
        let received = two.received();
        for sid in [2, 3] {
            assert!(received.contains(&format!("{verb} a {sid} {delivered}")), "{head} to {sid}");
        }
        assert!(publisher.received().starts_with("PONG\r\n"), "and what follows is read");
    }
    assert_eq!(publisher.large_messages(), 2);
    publisher.send_in_pieces(format!("PUB a 10000\r\n{payload}xx").as_bytes(), &[200]);
    assert_eq!(publisher.received(), "-ERR 'Unknown Protocol Operation'\r\n", "its end is looked at too");
    assert_eq!(one.received(), "");
}

#[test]
fn mappings_come_before_everything_else() {
    // spec: CORE-110
    let world = World::new(
        r#"mappings = { "m.a": "m.b" }
        authorization { users = [
            {user: u, password: pw, permissions: {publish: {deny: "m.b"}}}
            {user: v, password: pw, permissions: {publish: {deny: "m.a"}}} ] }"#,
    );
    let (u, v) = (world.user("u"), world.user("v"));
    v.send("SUB m.* 1\r\n");
    assert_eq!(u.ask("PUB m.a 0\r\n\r\n"), "-ERR 'Permissions Violation for Publish to \"m.b\"'\r\n");
    assert_eq!(v.ask("PUB m.a 0\r\n\r\n"), "MSG m.b 1 0\r\n\r\n");
}

#[test]
fn weights_choose_and_drop() {
    // spec: CORE-112 CORE-113
    let world = World::new("mappings = { half: [{destination: half, weight: 20}, {destination: other, weight: 30}] }");
    let client = world.quiet();
    client.send("SUB half 1\r\nSUB other 2\r\n");
    let received = client.ask(&"PUB half 0\r\n\r\n".repeat(2000));
    let (kept, moved) = (received.matches("MSG half").count(), received.matches("MSG other").count());
    assert!((300..500).contains(&kept) && (480..720).contains(&moved), "{kept} {moved}");
}
