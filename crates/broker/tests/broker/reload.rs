//! What a new configuration means for connections that are open.

use martlet_config::Options;
use martlet_proto::ClosedReason;

use crate::support::{QUIET, World, options};

fn user(permissions: &str) -> String {
    format!(
        "authorization {{ users: [{{user: u, password: pw, permissions: {{{permissions}}}}}, {{user: w, password: pw}}] }}"
    )
}

#[test]
fn a_reload_of_the_same_disturbs_nobody() {
    for config in [
        "",
        "authorization { token: t }",
        "authorization { users: [{user: u, password: pw}] }, no_auth_user: u",
        "accounts { A { users: [{user: u, password: pw}] } }, no_auth_user: u",
        "accounts { SYS { users: [{user: s, password: pw}] } }, system_account: SYS",
    ] {
        let world = World::new(config);
        let token = if config.contains("token") { r#","auth_token":"t"}"# } else { "}" };
        let client = world.client(&QUIET.replace('}', token));
        client.send("SUB a 1\r\nPING\r\n");
        client.received();
        world.reload(config).expect("valid");
        assert_eq!((client.closed(), client.ask("PUB a 0\r\n\r\n").as_str()), (None, "MSG a 1 0\r\n\r\n"), "{config}");
    }
}

#[test]
fn subscriptions_no_longer_allowed_are_revoked() {
    // spec: SEC-041 CORE-078
    let world = World::new(&user(""));
    let (u, w) = (world.user("u"), world.user("w"));
    u.send("SUB a.1 1\r\nSUB b.1 2\r\nSUB b.2 q 3\r\nSUB a.> 4\r\n");
    w.send("SUB b.1 1\r\n");
    world.reload(&user("subscribe: {allow: [\"a.>\", \"c.>\"], deny: \"a.2\"}")).expect("valid");
    let errors = u.received();
    for error in [
        "-ERR 'Permissions Violation for Subscription to \"b.1\" (sid \"2\")'\r\n",
        "-ERR 'Permissions Violation for Subscription to \"b.2\" using queue \"q\" (sid \"3\")'\r\n",
    ] {
        assert!(errors.contains(error), "{errors}");
    }
    assert_eq!(errors.lines().count(), 2, "{errors}");
    assert_eq!((u.closed(), w.received().as_str()), (None, ""));
    w.send("PUB a.1 0\r\n\r\nPUB a.2 0\r\n\r\nPUB b.1 0\r\n\r\nPUB b.2 0\r\n\r\n");
    let received = u.received();
    assert_eq!(received.lines().filter(|l| l.starts_with("MSG a.1")).count(), 2, "{received}");
    assert_eq!(received.matches("MSG").count(), 2, "a.2 is filtered from now on: {received}");
    assert_eq!(w.received(), "MSG b.1 1 0\r\n\r\n");
    world.reload(&user("")).expect("valid");
    w.send("PUB a.2 0\r\n\r\n");
    assert_eq!(u.received(), "MSG a.2 4 0\r\n\r\n", "and no more");
}

#[test]
fn what_was_decided_before_is_decided_again() {
    // spec: SEC-041 SEC-040
    let denied = "-ERR 'Permissions Violation for Publish to \"a\"'\r\n";
    let world = World::new(&user("publish: {deny: \"x\"}"));
    let u = world.user("u");
    assert_eq!(u.ask("PUB a 0\r\n\r\n"), "");
    world.reload(&user("publish: {deny: \"a\"}")).expect("valid");
    assert_eq!(u.ask("PUB a 0\r\n\r\n"), denied);
    world.reload(&user("")).expect("valid");
    assert_eq!(u.ask("PUB a 0\r\n\r\n"), "");
}

#[test]
fn a_count_of_deliveries_outlives_a_reload() {
    // spec: CORE-051 SEC-041
    let world = World::new(&user(""));
    let (u, w) = (world.user("u"), world.user("w"));
    u.send("SUB a.* 1\r\nUNSUB 1 3\r\n");
    w.send("PUB a.1 0\r\n\r\n");
    world.reload(&user("subscribe: {deny: \"a.2\"}")).expect("valid");
    w.send(&"PUB a.1 0\r\n\r\n".repeat(5));
    assert_eq!(u.received().matches("MSG").count(), 3);
    assert!(world.broker().accounts.get("$G").expect("always there").interest.is_empty());
}

#[test]
fn users_who_are_no_more_are_closed() {
    // spec: SEC-041
    let told = ("-ERR 'Authorization Violation'\r\n", ClosedReason::AuthenticationViolation);
    let silent = ("", ClosedReason::ClientClosed);
    for (story, config, (said, reason)) in [
        ("another password", "authorization { users: [{user: u, password: other}, {user: w, password: pw}] }", told),
        ("no such user", "authorization { users: [{user: w, password: pw}] }", silent),
        ("another account", "accounts { X { users: [{user: u, password: pw}, {user: w, password: pw}] } }", silent),
    ] {
        let world = World::new(&user(""));
        let u = world.user("u");
        u.send("SUB a 1\r\n");
        world.reload(config).expect("valid");
        assert_eq!((u.received().as_str(), u.closed()), (said, Some(reason)), "{story}");
        assert!(world.broker().accounts.get("$G").expect("always there").interest.is_empty(), "{story}");
        assert_eq!(world.user("w").closed(), None, "{story}");
    }
}

#[test]
fn a_reload_while_a_password_is_verified() {
    // spec: SEC-041 SEC-002
    let hash = bcrypt::hash("pw", 4).expect("the least cost there is");
    let config = |deny: &str| {
        format!(
            "authorization {{ users: [{{user: u, password: '{hash}', permissions: {{publish: {{deny: \"{deny}\"}}}}}}] }}"
        )
    };
    let begin = |world: &World| {
        let client = world.open();
        client.hold_verification();
        client.received();
        client.send("CONNECT {\"verbose\":false,\"user\":\"u\",\"pass\":\"pw\"}\r\nPUB a 0\r\n\r\nPUB b 0\r\n\r\n");
        client
    };
    let world = World::new(&config("a"));
    let client = begin(&world);
    world.reload(&config("b")).expect("valid");
    client.verify();
    assert_eq!(client.received(), "-ERR 'Permissions Violation for Publish to \"b\"'\r\n", "what holds now");
    let client = begin(&world);
    world.reload("authorization { users: [{user: w, password: pw}] }").expect("valid");
    client.verify();
    assert_eq!(client.received(), "-ERR 'Authorization Violation'\r\n", "who is no more does not come in");
    assert_eq!(client.closed(), Some(ClosedReason::AuthenticationViolation));
}

#[test]
fn an_account_taken_away_takes_its_clients_along() {
    let accounts = |b: &str| format!("accounts {{ A {{ users: [{{user: a, password: pw}}] }}\n{b} }}");
    let world = World::new(&accounts("B { users: [{user: b, password: pw}] }"));
    let (a, b) = (world.user("a"), world.user("b"));
    world.reload(&accounts("")).expect("valid");
    assert_eq!((a.closed(), b.closed()), (None, Some(ClosedReason::ClientClosed)));
    assert!(world.broker().accounts.get("B").is_none());
}

#[test]
fn the_largest_payload_is_what_it_is_now() {
    // spec: CORE-055 CORE-027
    let world = World::new("max_payload: 10");
    let (one, two) = (world.quiet(), world.quiet());
    world.reload("max_payload: 20").expect("valid");
    assert_eq!((one.received().as_str(), one.ask("PUB a 15\r\n012345678901234\r\n").as_str()), ("", ""));
    assert_eq!(one.closed(), None);
    world.reload("max_payload: 5").expect("valid");
    assert_eq!(two.ask("PUB a 6\r\n"), "-ERR 'Maximum Payload Violation'\r\n");
}

#[test]
fn what_is_wrong_changes_nothing() {
    let text = r#"accounts {
        A { users: [{user: a, password: pw}], mappings: {x: y}, exports: [{stream: "s.>"}] }
        B { users: [{user: b, password: pw}], imports: [{stream: {account: A, subject: "s.1"}}] } }"#;
    let world = World::new(&format!("max_payload: 10, {text}"));
    let (a, b) = (world.user("a"), world.user("b"));
    a.send("SUB y 1\r\n");
    b.send("SUB > 1\r\n");
    let wrong = options(&format!("max_payload: 5, {}", text.replace("x: y", "x: z")));
    let break_one = |change: fn(&mut Options)| {
        let mut broken = wrong.clone();
        change(&mut broken);
        broken
    };
    for (words, broken) in [
        ("account not defined", break_one(|o| o.accounts[1].imports[0].account = "C".into())),
        ("not authorized", break_one(|o| o.accounts[1].imports[0].subject = "t.1".into())),
        ("adding mapping", break_one(|o| o.accounts[0].mappings[0].destinations[0].weight = 101)),
    ] {
        let error = world.reload_options(&broken).expect_err(words).to_string();
        assert!(error.contains(words), "{error}");
        assert_eq!(a.ask("PUB x 10\r\n0123456789\r\nPUB s.1 0\r\n\r\n"), "MSG y 1 10\r\n0123456789\r\n", "{words}");
        assert_eq!(b.received(), "MSG s.1 1 0\r\n\r\n", "{words}");
        assert_eq!((a.closed(), world.broker().settings().0.limits.max_payload), (None, 10), "{words}");
    }
}

/// A exports, B imports what is given.
fn tied(imports: &str) -> String {
    format!(
        "accounts {{
            A {{ users: [{{user: a, password: pw}}], exports: [{{stream: \"s.>\"}}, {{service: svc}}] }}
            B {{ users: [{{user: b, password: pw}}], imports: [{imports}] }} }}"
    )
}

#[test]
fn imports_come_and_go_under_open_subscriptions() {
    // spec: SEC-041 SEC-046 SEC-047
    let world = World::new(&tied(""));
    let (a, b) = (world.user("a"), world.user("b"));
    let interest = || world.broker().accounts.get("A").expect("configured").interest.len();
    b.send("SUB > 1\r\nSUB p.s.* q 2\r\n");
    let stream = r#"{stream: {account: A, subject: "s.>"}"#;
    for (imports, seen, shadows) in [
        (String::new(), vec![], 0),
        (format!("{stream}}}"), vec!["s.1 1"], 1),
        (format!("{stream}, prefix: p}}"), vec!["p.s.1 1", "p.s.1 2"], 2),
        (
            format!(r#"{stream}}}, {{stream: {{account: A, subject: "s.*"}}, prefix: p}}"#),
            vec!["p.s.1 1", "p.s.1 2", "s.1 1"],
            3,
        ),
        (String::new(), vec![], 0),
    ] {
        world.reload(&tied(&imports)).expect("valid");
        for _ in 0..3 {
            a.send("PUB s.1 0\r\n\r\n");
            let received = b.received();
            let mut got: Vec<_> = received.lines().filter_map(|l| l.strip_prefix("MSG ")?.strip_suffix(" 0")).collect();
            got.sort_unstable();
            assert_eq!(got, seen, "with {imports}");
        }
        assert_eq!(interest(), shadows, "with {imports}");
    }
    let service = "{service: {account: A, subject: svc}, to: ask}";
    a.send("SUB svc 1\r\n");
    for (imports, asked) in [("", 0), (service, 1), (service, 1), ("", 0)] {
        world.reload(&tied(imports)).expect("valid");
        for _ in 0..3 {
            b.send("PUB ask 0\r\n\r\n");
            assert_eq!(a.received().matches("MSG svc 1").count(), asked, "with {imports}");
        }
        b.received();
        assert_eq!(world.broker().accounts.get("B").expect("configured").interest.len(), 2 + asked, "with {imports}");
    }
    b.hang_up();
    assert_eq!(interest(), 1, "only the responder's own");
}

#[test]
fn what_stays_imported_is_never_missing() {
    // spec: SEC-046 SEC-047
    let imports = r#"{stream: {account: A, subject: "s.>"}}, {service: {account: A, subject: svc}, to: ask}"#;
    let world = World::new(&tied(imports));
    let b = world.user("b");
    b.send("SUB s.* 1\r\nSUB t 2\r\n");
    let changes = || {
        let of = |name| world.broker().accounts.get(name).expect("configured").interest.stats();
        [of("A"), of("B")].map(|stats| (stats.inserts, stats.removes))
    };
    let [(inserts, removes), of_b] = changes();
    let other = r#", {stream: {account: A, subject: "s.1"}, to: t}"#;
    for (others, came, went) in [("", 0, 0), (other, 1, 0), (other, 1, 0), ("", 1, 1)] {
        world.reload(&tied(&format!("{imports}{others}"))).expect("valid");
        assert_eq!(changes(), [(inserts + came, removes + went), of_b], "with {others:?}");
    }
}

#[test]
fn mappings_are_what_they_are_now() {
    let world = World::new("mappings: {x: y}");
    let client = world.quiet();
    client.send("SUB * 1\r\n");
    assert_eq!(client.ask("PUB x 0\r\n\r\n"), "MSG y 1 0\r\n\r\n");
    world.reload("mappings: {x: z}").expect("valid");
    assert_eq!(client.ask("PUB x 0\r\n\r\n"), "MSG z 1 0\r\n\r\n");
    world.reload("").expect("valid");
    assert_eq!(client.ask("PUB x 0\r\n\r\n"), "MSG x 1 0\r\n\r\n");
}
