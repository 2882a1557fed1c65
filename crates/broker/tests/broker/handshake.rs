//! INFO, CONNECT, who is let in, and how long that may take.

use std::time::Duration;

use martlet_config::options::ConnectionType;
use martlet_proto::ClosedReason;

use crate::support::{QUIET, World};

const VIOLATION: &str = "-ERR 'Authorization Violation'\r\n";

/// The JSON of the only INFO in `text`.
fn info(text: &str) -> String {
    let (_, json) = text.split_once("INFO ").expect("an INFO line");
    json.split_once(" \r\n").expect("JSON, a space and CRLF").0.to_owned()
}

#[test]
fn a_connection_begins_with_info() {
    // spec: CORE-018 CORE-019 CORE-021 CORE-023
    let world = World::new("max_payload: 2000, port: 4222, host: 127.0.0.1");
    let first = world.open();
    let greeting = first.received();
    assert!(greeting.starts_with("INFO {") && greeting.ends_with("} \r\n"), "{greeting}");
    let json = info(&greeting);
    for field in [
        r#""server_id":"NAAAA"#,
        r#""server_name":"under-test""#,
        r#""version":"2.15.1""#,
        r#""proto":1"#,
        r#""go":"rust""#,
        r#""git_commit":"abcdef""#,
        r#""host":"127.0.0.1""#,
        r#""port":4222"#,
        r#""headers":true"#,
        r#""max_payload":2000"#,
        r#""client_id":1"#,
        r#""client_ip":"127.0.0.1""#,
        r#""xkey":"XAAAA"#,
    ] {
        assert!(json.contains(field), "{field} in {json}");
    }
    for absent in ["auth_required", "tls_required", "nonce", "ldm", "connect_info", "remote_account"] {
        assert!(!json.contains(absent), "no {absent} in {json}");
    }
    assert!(info(&world.open().received()).contains(r#""client_id":2"#));
}

#[test]
fn info_says_what_a_client_must_bring() {
    let nkey = "nkey: UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4";
    for (row, config, present, absent) in [
        ("SEC-001", "authorization { token: t }", r#""auth_required":true"#, "nonce"),
        ("CORE-025", "authorization { users: [{user: u, password: pw}] }, no_auth_user: u", "headers", "auth_required"),
        // spec: CORE-024 SEC-011
        ("CORE-024", &format!("authorization {{ users: [{{{nkey}}}] }}"), r#""nonce":""#, "connect_info"),
        ("CORE-058", "no_header_support: true", r#""headers":false"#, "auth_required"),
    ] {
        let json = info(&World::new(config).open().received());
        assert!(json.contains(present), "{row}: {present} in {json}");
        assert!(!json.contains(absent), "{row}: no {absent} in {json}");
    }
}

#[test]
fn the_nonce_has_fifteen_characters() {
    // spec: CORE-024 SEC-011
    let world =
        World::new("authorization { users: [{nkey: UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4}] }");
    let json = info(&world.open().received());
    let (_, after) = json.split_once(r#""nonce":""#).expect("a nonce");
    assert_eq!(after.split_once('"').expect("a string").0.len(), 15);
}

#[test]
fn the_first_ping_brings_a_second_info() {
    // spec: CORE-026 CORE-083
    let world = World::new("");
    let client = world.client(QUIET);
    let answer = client.ask("PING\r\n");
    assert!(answer.starts_with("PONG\r\nINFO {"), "{answer}");
    let json = info(&answer);
    assert!(json.contains(r#""connect_info":true"#) && json.contains(r#""remote_account":"$G""#), "{json}");
    assert_eq!(client.ask("PING\r\n"), "PONG\r\n", "only the first");

    let old = world.client(r#"CONNECT {"verbose":false,"protocol":0}"#);
    assert_eq!(old.ask("PING\r\n"), "PONG\r\n", "not for an old protocol");
    // spec: CORE-040
    let unknown = world.open();
    assert_eq!(unknown.ask("PING\r\n"), "PONG\r\n", "not before CONNECT, and no +OK");
}

#[test]
fn the_second_info_knows_the_account() {
    // spec: CORE-026 CORE-025 CORE-031
    let world = World::new(
        "accounts { S { users: [{user: s, password: pw}] }, A { users: [{user: a, password: pw}], limits {max_payload: 100} } }
         system_account: S, no_auth_user: a",
    );
    let json = info(&world.user("s").ask("PING\r\n"));
    assert!(json.contains(r#""remote_account":"S""#) && json.contains(r#""acc_is_sys":true"#), "{json}");
    let lent = world.client(QUIET);
    let json = info(&lent.ask("PING\r\n"));
    assert!(json.contains(r#""remote_account":"A""#) && !json.contains("acc_is_sys"), "{json}");
    assert!(json.contains(r#""auth_required":true"#), "{json}");
    assert!(json.contains(r#""max_payload":100"#), "{json}");
}

#[test]
fn what_connect_says() {
    for (row, connect, answer, closed) in [
        // spec: CORE-033 CORE-042
        ("CORE-033", "CONNECT {}", "+OK\r\n", None),
        ("CORE-001", "connect {\"verbose\":false}", "", None),
        ("CORE-034", r#"CONNECT {"verbose":false,"whatever":[1]}"#, "", None),
        // spec: CORE-034
        ("CORE-034", "CONNECT {nonsense", "", Some(ClosedReason::ProtocolViolation)),
        // spec: CORE-035 CORE-076
        (
            "CORE-035",
            r#"CONNECT {"protocol":2}"#,
            "-ERR 'invalid client protocol'\r\n",
            Some(ClosedReason::BadClientProtocolVersion),
        ),
        (
            "CORE-035",
            r#"CONNECT {"protocol":-1}"#,
            "-ERR 'invalid client protocol'\r\n",
            Some(ClosedReason::BadClientProtocolVersion),
        ),
        // spec: CORE-036 CORE-076
        (
            "CORE-036",
            r#"CONNECT {"no_responders":true}"#,
            "-ERR 'no responders requires headers support'\r\n",
            Some(ClosedReason::NoRespondersRequiresHeaders),
        ),
        ("CORE-036", r#"CONNECT {"verbose":false,"no_responders":true,"headers":true}"#, "", None),
        // spec: CORE-037
        ("CORE-037", r#"CONNECT {"account":"A"}"#, VIOLATION, Some(ClosedReason::AuthenticationViolation)),
        ("CORE-037", r#"CONNECT {"new_account":true}"#, VIOLATION, Some(ClosedReason::AuthenticationViolation)),
    ] {
        let client = World::new("").open();
        assert_eq!(client.ask(&format!("{connect}\r\n")), answer, "{row}: {connect}");
        assert_eq!(client.closed(), closed, "{row}: {connect}");
    }
}

#[test]
fn no_responders_needs_headers_of_the_server_too() {
    // spec: CORE-036
    let client = World::new("no_header_support: true").open();
    let answer = client.ask("CONNECT {\"headers\":true,\"no_responders\":true}\r\n");
    assert_eq!(answer, "-ERR 'no responders requires headers support'\r\n");
}

#[test]
fn who_is_let_in() {
    let users = "authorization { users: [{user: u, password: pw}, {user: w, password: pw, allowed_connection_types: [WEBSOCKET]}] }";
    for (row, config, first, in_) in [
        ("SEC-004", users, r#"CONNECT {"verbose":false,"user":"u","pass":"pw"}"#, true),
        // spec: SEC-079 CORE-038 CORE-071
        ("SEC-079", users, r#"CONNECT {"user":"u","pass":"no"}"#, false),
        // spec: SEC-080 SEC-005
        ("SEC-080", users, r#"CONNECT {"user":"x","pass":"pw"}"#, false),
        // spec: SEC-081
        ("SEC-081", users, "CONNECT {}", false),
        // spec: SEC-082 CORE-015
        ("SEC-082", users, "PUB a 0", false),
        // spec: SEC-083
        ("SEC-083", users, "PING", false),
        // spec: SEC-084
        ("SEC-084", users, r#"CONNECT {"auth_token":"pw"}"#, false),
        // spec: SEC-088 SEC-074
        ("SEC-088", users, r#"CONNECT {"user":"w","pass":"pw"}"#, false),
        // spec: SEC-001
        ("SEC-001", "authorization { token: t }", r#"CONNECT {"verbose":false,"auth_token":"t"}"#, true),
        ("SEC-001", "authorization { token: t }", r#"CONNECT {"auth_token":"x"}"#, false),
        (
            "SEC-001",
            "authorization { user: u, password: pw }",
            r#"CONNECT {"verbose":false,"user":"u","pass":"pw"}"#,
            true,
        ),
        ("SEC-001", "authorization { user: u, password: pw }", r#"CONNECT {"user":"u"}"#, false),
    ] {
        let world = World::new(config);
        let client = world.open();
        let answer = client.ask(&format!("{first}\r\n"));
        if in_ {
            assert_eq!((answer.as_str(), client.closed()), ("", None), "{row}: {first}");
        } else {
            assert_eq!(answer, VIOLATION, "{row}: {first}");
            assert_eq!(client.closed(), Some(ClosedReason::AuthenticationViolation), "{row}: {first}");
            let refused = world.broker().counters.auth_errors.load(std::sync::atomic::Ordering::Relaxed);
            assert_eq!(refused, 1, "{row}: {first}");
        }
    }
}

#[test]
fn nobody_needs_to_say_who_they_are_where_someone_is_lent() {
    // spec: SEC-008 CORE-015 CORE-040
    let config =
        "accounts { A { users: [{user: u, password: pw}] }, B { users: [{user: v, password: pw}] } }, no_auth_user: v";
    let world = World::new(config);
    let silent = world.open();
    silent.received();
    assert_eq!(silent.ask("SUB a 1\r\nPUB a 1\r\nx\r\nPING\r\n"), "+OK\r\n+OK\r\nMSG a 1 1\r\nx\r\nPONG\r\n");
    assert_eq!(&**silent.peer().account().expect("bound").name(), "B");
    let wrong = world.client(r#"CONNECT {"user":"u","pass":"no"}"#);
    assert_eq!(wrong.closed(), Some(ClosedReason::AuthenticationViolation), "only those without credentials");
}

#[test]
fn users_of_the_system_account_alone_keep_nobody_out() {
    // spec: SEC-009 SEC-010
    let world = World::new("accounts { SYS { users: [{user: s, password: pw}] } }, system_account: SYS");
    let client = world.open();
    assert!(info(&client.received()).contains(r#""auth_required":true"#));
    assert_eq!(client.ask("PING\r\n"), "PONG\r\n");
    assert_eq!(&**client.peer().account().expect("bound").name(), "$G");
    assert_eq!(&**world.user("s").peer().account().expect("bound").name(), "SYS");
}

#[test]
fn a_costly_password_is_verified_elsewhere() {
    // spec: SEC-002 SEC-087
    let hash = bcrypt::hash("pw", 4).expect("the least cost there is");
    let world = World::new(&format!("authorization {{ user: u, password: '{hash}' }}"));
    let client = world.open();
    client.received();
    // What follows CONNECT waits for the answer and is dealt with then.
    let answer = client.ask("CONNECT {\"user\":\"u\",\"pass\":\"pw\"}\r\nSUB a 1\r\nPUB a 1\r\nx\r\n");
    assert_eq!(answer, "+OK\r\n+OK\r\n+OK\r\nMSG a 1 1\r\nx\r\n");
    assert_eq!(client.verifications(), 1);

    let wrong = world.open();
    assert!(wrong.ask("CONNECT {\"user\":\"u\",\"pass\":\"no\"}\r\nPING\r\n").ends_with(VIOLATION));
    assert_eq!((wrong.verifications(), wrong.closed()), (1, Some(ClosedReason::AuthenticationViolation)));
    // spec: CORE-036
    let picky = world.open();
    picky.received();
    let answer = picky.ask("CONNECT {\"user\":\"u\",\"pass\":\"pw\",\"no_responders\":true}\r\n");
    assert_eq!(answer, "-ERR 'no responders requires headers support'\r\n");
}

#[test]
fn a_client_that_says_nothing_is_not_waited_for() {
    // spec: CORE-041 SEC-007 CORE-071
    for (config, patience) in [
        ("authorization { token: t }", Duration::from_secs(2)),
        ("authorization { token: t, timeout: 5 }", Duration::from_secs(5)),
    ] {
        let world = World::new(config);
        let silent = world.open();
        silent.received();
        world.advance(patience.saturating_sub(Duration::from_millis(1)));
        assert_eq!(silent.closed(), None);
        world.advance(Duration::from_millis(1));
        assert!(silent.received().ends_with("-ERR 'Authentication Timeout'\r\n"));
        assert_eq!(silent.closed(), Some(ClosedReason::AuthenticationTimeout));
    }
    let world = World::new("authorization { token: t }");
    let quick = world.client(r#"CONNECT {"auth_token":"t"}"#);
    world.advance(Duration::from_mins(1));
    assert_eq!(quick.closed(), None, "one that has authenticated stays");
}

#[test]
fn connecting_again_begins_anew() {
    // spec: CORE-039
    let world =
        World::new("accounts { A { users: [{user: a, password: pw}] }, B { users: [{user: b, password: pw}] } }");
    let client = world.user("a");
    let (a, b) = (world.user("a"), world.user("b"));
    client.send("SUB x 1\r\nSUB y 2\r\n");
    let account = |name| world.broker().accounts.get(name).expect("configured");
    assert_eq!((account("A").connections(), account("A").interest.len()), (2, 2));
    client.send("CONNECT {\"verbose\":false,\"user\":\"b\",\"pass\":\"pw\"}\r\n");
    assert_eq!((account("A").connections(), account("A").interest.len()), (1, 0));
    assert_eq!(account("B").connections(), 2);
    a.send("PUB x 0\r\n\r\n");
    assert_eq!(client.received(), "", "its subscriptions are gone");
    client.send("SUB x 1\r\n");
    b.send("PUB x 0\r\n\r\n");
    assert_eq!(client.received(), "MSG x 1 0\r\n\r\n", "it is in another account now");
    client.send("CONNECT {\"user\":\"b\",\"pass\":\"no\"}\r\n");
    assert_eq!(client.received(), VIOLATION);
    assert_eq!((account("B").connections(), account("B").interest.len()), (1, 0), "and gone altogether");
}

#[test]
fn every_way_in_has_its_users() {
    // spec: SEC-074
    let world = World::new(
        "authorization { users: [{user: w, password: pw, allowed_connection_types: [WEBSOCKET, INPROCESS]}] }",
    );
    for (kind, in_) in
        [(ConnectionType::Standard, false), (ConnectionType::Websocket, true), (ConnectionType::InProcess, true)]
    {
        let client = world.open_as(kind, None);
        client.send("CONNECT {\"user\":\"w\",\"pass\":\"pw\"}\r\n");
        assert_eq!(client.closed().is_none(), in_, "{kind:?}");
    }
}

#[test]
fn the_server_may_tell_its_clients_of_changes() {
    // spec: CORE-027 CORE-142
    let world = World::new("");
    let (ready, hasty, old) = (world.quiet(), world.quiet(), world.client(r#"CONNECT {"verbose":false,"protocol":0}"#));
    for client in [&ready, &old] {
        client.ask("PING\r\n");
    }
    world.broker().set_lame_duck();
    world.broker().announce();
    world.settle();
    assert!(info(&ready.received()).contains(r#""ldm":true"#));
    assert_eq!(hasty.received(), "", "nothing before its first PING was answered");
    assert_eq!(old.received(), "", "nothing to those that do not know it");
}

#[test]
fn a_server_that_is_going_names_only_the_others() {
    // spec: CORE-143 CLU-023
    let world = World::new("");
    let client = world.quiet();
    client.ask("PING\r\n");
    let told = || {
        world.settle();
        let info = info(&client.received());
        let urls = info.split_once("\"connect_urls\":[").map_or("", |(_, rest)| rest);
        urls.split(']').next().unwrap_or_default().to_owned()
    };
    world.broker().set_connect_urls(vec!["me:1".into()], vec!["she:2".into()]);
    assert_eq!(told(), r#""me:1","she:2""#);
    world.broker().set_lame_duck();
    world.broker().announce();
    assert_eq!(told(), r#""she:2""#);
}
