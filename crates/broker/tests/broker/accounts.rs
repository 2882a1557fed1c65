//! Accounts: apart from each other, but for what they export and import.

use std::time::Duration;

use martlet_broker::Broker;
use martlet_config::options::{Import, ImportKind};
use martlet_config::{MemorySource, parse_str};

use crate::support::{Client, World, broker, identity, options};

/// A user of every account, called like it in lower case.
fn account(name: &str, rest: &str) -> String {
    format!("{name} {{ users: [{{user: {}, password: pw}}], {rest} }}\n", name.to_lowercase())
}

fn world(accounts: &[(&str, &str)]) -> World {
    World::new(&config(accounts))
}

fn config(accounts: &[(&str, &str)]) -> String {
    let accounts: Vec<_> = accounts.iter().map(|(name, rest)| account(name, rest)).collect();
    let accounts = accounts.concat();
    format!("accounts {{ {accounts} }}")
}

/// A client that takes no headers, so that what it gets is what was published.
fn plain(world: &World, user: &str) -> Client {
    world.client(&format!(r#"CONNECT {{"verbose":false,"user":"{user}","pass":"pw"}}"#))
}

/// The reply subject of the only message in `text`.
fn reply_of(text: &str) -> String {
    text.split(' ').nth(3).expect("a message with a reply").to_owned()
}

#[test]
fn accounts_are_worlds_of_their_own() {
    // spec: SEC-045
    let world = world(&[("A", ""), ("B", "")]);
    let (a, b) = (world.user("a"), world.user("b"));
    a.send("SUB > 1\r\n");
    b.send("SUB > 1\r\nPUB x 0\r\n\r\n");
    assert_eq!((a.received().as_str(), b.received().as_str()), ("", "MSG x 1 0\r\n\r\n"));
}

#[test]
fn streams_cross_accounts() {
    // spec: SEC-046
    for (export, import, subscribed, published, seen) in [
        ("s.>", r#"{stream: {account: A, subject: "s.>"}}"#, "s.>", "s.1", Some("s.1")),
        ("s.>", r#"{stream: {account: A, subject: "s.>"}}"#, "s.1", "s.1", Some("s.1")),
        ("s.>", r#"{stream: {account: A, subject: "s.>"}}"#, "s.1", "s.2", None),
        ("s.>", r#"{stream: {account: A, subject: "s.>"}}"#, ">", "t.1", None),
        ("s.>", r#"{stream: {account: A, subject: "s.*"}}"#, ">", "s.1", Some("s.1")),
        ("s.>", r#"{stream: {account: A, subject: "s.*"}}"#, ">", "s.1.2", None),
        ("s.>", r#"{stream: {account: A, subject: "s.>"}, prefix: p}"#, "p.s.*", "s.1", Some("p.s.1")),
        ("s.>", r#"{stream: {account: A, subject: "s.>"}, prefix: p}"#, ">", "s.1", Some("p.s.1")),
        ("s.>", r#"{stream: {account: A, subject: "s.>"}, prefix: p}"#, "s.*", "s.1", None),
        ("s.*.*", r#"{stream: {account: A, subject: "s.*.*"}, to: "t.$2.$1"}"#, "t.*.*", "s.1.2", Some("t.2.1")),
        ("s.*.*", r#"{stream: {account: A, subject: "s.*.*"}, to: "t.$2.$1"}"#, "t.2.>", "s.1.2", Some("t.2.1")),
        ("s.*.*", r#"{stream: {account: A, subject: "s.*.*"}, to: "t.$2.$1"}"#, "t.1.*", "s.1.2", None),
        ("s.*", r#"{stream: {account: A, subject: "s.*"}, to: "t.*"}"#, "*.1", "s.1", Some("t.1")),
        ("s.x", r#"{stream: {account: A, subject: "s.x"}, to: "y"}"#, "y", "s.x", Some("y")),
    ] {
        let world =
            world(&[("A", &format!("exports: [{{stream: \"{export}\"}}]")), ("B", &format!("imports: [{import}]"))]);
        let (a, b) = (world.user("a"), world.user("b"));
        b.send(&format!("SUB {subscribed} 1\r\n"));
        for _ in 0..3 {
            a.send(&format!("PUB {published} 0\r\n\r\n"));
            let expected = seen.map(|seen| format!("MSG {seen} 1 0\r\n\r\n")).unwrap_or_default();
            assert_eq!(b.received(), expected, "{import}: {subscribed} and {published}");
        }
        b.send("UNSUB 1\r\n");
        a.send(&format!("PUB {published} 0\r\n\r\n"));
        assert_eq!(b.received(), "", "no more");
        b.send(&format!("SUB {subscribed} 2\r\n"));
        b.hang_up();
        assert!(world.broker().accounts.get("A").expect("configured").interest.is_empty(), "nothing is left behind");
    }
}

#[test]
fn a_message_is_delivered_once_for_each_way() {
    let world = world(&[
        ("A", r#"exports: [{stream: "s.>"}]"#),
        (
            "B",
            r#"imports: [{stream: {account: A, subject: "s.>"}}, {stream: {account: A, subject: "s.1"}, to: "one"}]"#,
        ),
    ]);
    let (a, b) = (world.user("a"), world.user("b"));
    b.send("SUB > 1\r\nSUB one q 2\r\nUNSUB 2 1\r\n");
    for round in 0..2 {
        a.send("PUB s.1 0\r\n\r\n");
        let received = b.received();
        assert_eq!(received.matches("MSG s.1 1 0").count(), 1, "{received}");
        assert_eq!(received.matches("MSG one 1 0").count(), 1, "{received}");
        assert_eq!(received.matches("MSG one 2 0").count(), 1 - round, "it wanted one: {received}");
    }
}

#[test]
fn a_mapping_may_lead_to_an_export() {
    // spec: CORE-110 SEC-046
    let world = world(&[
        ("A", r#"exports: [{stream: "s.>"}], mappings: {m: "s.mapped"}"#),
        ("B", r#"imports: [{stream: {account: A, subject: "s.>"}}], mappings: {"s.mapped": nowhere}"#),
    ]);
    let (a, b) = (world.user("a"), world.user("b"));
    b.send("SUB > 1\r\n");
    a.send("PUB m 0\r\n\r\n");
    assert_eq!(b.received(), "MSG s.mapped 1 0\r\n\r\n", "the importer's mappings are for its own publishers");
}

#[test]
fn a_queue_group_reaches_across_imports() {
    // spec: SEC-053
    let world = world(&[
        ("A", r#"exports: [{stream: "s.>"}]"#),
        ("B", r#"imports: [{stream: {account: A, subject: "s.>"}, prefix: p}]"#),
        ("C", r#"imports: [{stream: {account: A, subject: "s.>"}}]"#),
    ]);
    let (a, b, c) = (world.user("a"), world.user("b"), world.user("c"));
    a.send("SUB s.1 q 1\r\n");
    b.send("SUB p.s.1 q 1\r\n");
    c.send("SUB s.1 q 1\r\nSUB s.1 2\r\n");
    world.user("a").send(&"PUB s.1 0\r\n\r\n".repeat(300));
    let received = [a.received(), b.received(), c.received()];
    let group: Vec<_> = received.iter().map(|r| r.matches(".1 1 0\r\n").count()).collect();
    assert_eq!(group.iter().sum::<usize>(), 300, "one group, whatever the account");
    assert!(group.iter().all(|n| *n > 60), "{group:?}");
    assert_eq!(received[2].matches("MSG s.1 2 0").count(), 300);
}

#[test]
fn requests_cross_accounts_and_replies_come_back() {
    // spec: SEC-047
    for (import, asked, served) in [
        (r#"{service: {account: A, subject: "svc.1"}}"#, "svc.1", "svc.1"),
        (r#"{service: {account: A, subject: "svc.1"}, to: mine}"#, "mine", "svc.1"),
        (r#"{service: {account: A, subject: "svc.*"}, to: "my.*"}"#, "my.7", "svc.7"),
        (r#"{service: {account: A, subject: "svc.*"}}"#, "svc.x", "svc.x"),
    ] {
        let world = world(&[("A", r#"exports: [{service: "svc.*"}]"#), ("B", &format!("imports: [{import}]"))]);
        let (responder, b) = (plain(&world, "a"), plain(&world, "b"));
        responder.send("SUB svc.* 1\r\n");
        b.send(&format!("SUB in 1\r\nPUB {asked} in 2\r\nhi\r\n"));
        let request = responder.received();
        assert!(request.starts_with(&format!("MSG {served} 1 _R_.")) && request.ends_with(" 2\r\nhi\r\n"), "{request}");
        let reply = reply_of(&request);
        // spec: CORE-065
        responder.send(&format!("PUB {reply} 3\r\nyes\r\n"));
        assert_eq!(b.received(), "MSG in 1 3\r\nyes\r\n", "{import}");
        responder.send(&format!("PUB {reply} 3\r\nyes\r\n"));
        assert_eq!((b.received().as_str(), responder.received().as_str()), ("", ""), "one reply is all there is");
        b.send(&format!("PUB {asked} 2\r\nhi\r\n"));
        assert_eq!(responder.received(), format!("MSG {served} 1 2\r\nhi\r\n"), "none was asked for");
    }
}

#[test]
fn a_stream_of_replies() {
    // spec: SEC-047
    for kind in ["stream", "chunked"] {
        let world = world(&[
            ("A", &format!("exports: [{{service: svc, response: {kind}}}]")),
            ("B", "imports: [{service: {account: A, subject: svc}}]"),
        ]);
        let (responder, b) = (plain(&world, "a"), plain(&world, "b"));
        responder.send("SUB svc 1\r\n");
        b.send("SUB in 1\r\nPUB svc in 0\r\n\r\n");
        let reply = reply_of(&responder.received());
        responder.send(&format!("PUB {reply} 1\r\nx\r\n").repeat(5));
        assert_eq!(b.received(), "MSG in 1 1\r\nx\r\n".repeat(5), "{kind}");
    }
}

#[test]
fn replies_are_not_awaited_for_ever() {
    // spec: SEC-047
    let world = world(&[
        ("A", r#"exports: [{service: slow}, {service: quick, threshold: "5s"}]"#),
        ("B", "imports: [{service: {account: A, subject: slow}}, {service: {account: A, subject: quick}}]"),
    ]);
    let (responder, b) = (plain(&world, "a"), plain(&world, "b"));
    responder.send("SUB * 1\r\n");
    b.send("SUB in 1\r\nPUB slow in 0\r\n\r\nPUB quick in 0\r\n\r\n");
    let account = world.broker().accounts.get("A").expect("configured");
    assert_eq!(account.responses.len(), 2);
    world.skip(Duration::from_secs(6));
    world.broker().sweep(world.now());
    assert_eq!(account.responses.len(), 1, "each has its own time, whatever was asked before it");
    world.skip(Duration::from_secs(115));
    world.broker().sweep(world.now());
    assert_eq!(account.responses.len(), 0, "two minutes by default");
    let asked = responder.received();
    let late = reply_of(asked.split_inclusive("\r\n\r\n").next().expect("the first request"));
    responder.send(&format!("PUB {late} 0\r\n\r\n"));
    assert_eq!(b.received(), "");
}

#[test]
fn nobody_answers_in_another_account() {
    // spec: CORE-066 SEC-047
    let world = world(&[
        ("A", "exports: [{service: svc}]"),
        ("B", "imports: [{service: {account: A, subject: svc}, to: mine}]"),
    ]);
    let b = world.client(r#"CONNECT {"verbose":false,"headers":true,"no_responders":true,"user":"b","pass":"pw"}"#);
    assert_eq!(
        b.ask("SUB in 1\r\nPUB mine in 0\r\n\r\n"),
        "HMSG in 1 36 36\r\nNATS/1.0 503\r\nNats-Subject: mine\r\n\r\n\r\n"
    );
    assert!(world.broker().accounts.get("A").expect("configured").responses.is_empty(), "no reply is awaited");
}

#[test]
fn a_service_may_be_answered_on_both_sides() {
    // spec: SEC-047
    let world = world(&[("A", "exports: [{service: svc}]"), ("B", "imports: [{service: {account: A, subject: svc}}]")]);
    let (a, b) = (plain(&world, "a"), plain(&world, "b"));
    a.send("SUB svc 1\r\n");
    b.send("SUB svc 1\r\nPUB svc in 0\r\n\r\n");
    assert_eq!(b.received(), "MSG svc 1 in 0\r\n\r\n");
    assert!(a.received().starts_with("MSG svc 1 _R_."));
}

#[test]
fn a_request_may_cross_more_than_once() {
    // spec: SEC-047
    let world = world(&[
        ("A", r#"exports: [{service: "svc.*"}]"#),
        (
            "B",
            r#"exports: [{service: "my.*"}], imports: [{service: {account: A, subject: "svc.*"}, to: "my.*"}],
                 mappings: {mm: "my.x"}"#,
        ),
        ("C", r#"imports: [{service: {account: B, subject: "my.*"}, to: "their.*"}]"#),
    ]);
    let (a, b, c) = (plain(&world, "a"), plain(&world, "b"), plain(&world, "c"));
    a.send("SUB svc.* 1\r\n");
    c.send("SUB in 1\r\nPUB their.k in 2\r\nhi\r\n");
    let request = a.received();
    assert!(request.starts_with("MSG svc.k 1 _R_."), "{request}");
    let reply = reply_of(&request);
    a.send(&format!("PUB {reply} 2\r\nok\r\n").repeat(2));
    assert_eq!((c.received().as_str(), b.received().as_str()), ("MSG in 1 2\r\nok\r\n", ""));
    for account in world.broker().accounts.all() {
        assert!(account.responses.is_empty(), "{}", account.name());
    }
    b.send("SUB in 1\r\nPUB mm in 0\r\n\r\n");
    assert!(a.received().starts_with("MSG svc.x 1 _R_."), "a mapping may lead to an import");
}

#[test]
fn exports_for_some() {
    // spec: SEC-048
    for (export, importer, subject, allowed) in [
        (r#"{stream: "s.>", accounts: [B]}"#, "B", "stream: {account: A, subject: \"s.x\"}", true),
        (r#"{stream: "s.>", accounts: [B]}"#, "C", "stream: {account: A, subject: \"s.x\"}", false),
        (r#"{stream: "s.>"}"#, "C", "stream: {account: A, subject: \"s.>\"}", true),
        (r#"{stream: "s.*"}"#, "C", "stream: {account: A, subject: \"s.>\"}", false),
        (r#"{stream: "s.>"}"#, "C", "stream: {account: A, subject: \"t.x\"}", false),
        (r#"{service: "s.>"}"#, "C", "stream: {account: A, subject: \"s.x\"}", false),
        (r#"{stream: "s.>"}"#, "C", "service: {account: A, subject: \"s.x\"}", false),
        (r#"{service: "s.*", accounts: [B]}"#, "B", "service: {account: A, subject: \"s.x\"}", true),
        (r#"{service: "s.*", accounts: [B]}"#, "C", "service: {account: A, subject: \"s.x\"}", false),
        (r#"{stream: "t.*.>", account_token_position: 2}"#, "B", "stream: {account: A, subject: \"t.B.x\"}", true),
        (r#"{stream: "t.*.>", account_token_position: 2}"#, "C", "stream: {account: A, subject: \"t.B.x\"}", false),
        (r#"{service: "t.*", account_token_position: 2}"#, "B", "service: {account: A, subject: \"t.B\"}", true),
        (r#"{service: "t.*", account_token_position: 2}"#, "B", "service: {account: A, subject: \"t.C\"}", false),
    ] {
        let mut accounts = vec![("A".to_owned(), format!("exports: [{export}]"))];
        accounts.extend(["B", "C"].map(|name| {
            let imports = if name == importer { format!("imports: [{{{subject}}}]") } else { String::new() };
            (name.to_owned(), imports)
        }));
        let accounts: Vec<_> = accounts.iter().map(|(name, rest)| (name.as_str(), rest.as_str())).collect();
        let outcome = refusal(&config(&accounts));
        assert_eq!(outcome.is_none(), allowed, "{export} to {importer} as {subject}: {outcome:?}");
        if !allowed {
            assert!(outcome.expect("refused").contains("import not authorized"));
        }
    }
}

/// Why a configuration is refused, if it is.
fn refusal(config: &str) -> Option<String> {
    match parse_str(config, "test.conf", &MemorySource::new()) {
        Err(errors) => Some(errors.to_string()),
        Ok(_) => broker(config).err().map(|error| error.to_string()),
    }
}

#[test]
fn ties_that_cannot_be() {
    // spec: SEC-051 SEC-046 SEC-048
    for (story, accounts, words) in [
        (
            "a stream that comes back",
            vec![
                ("A", r#"exports: [{stream: "s.>"}], imports: [{stream: {account: B, subject: "s.>"}}]"#),
                ("B", r#"exports: [{stream: "s.>"}], imports: [{stream: {account: A, subject: "s.>"}}]"#),
            ],
            "import forms a cycle",
        ),
        (
            "a service that asks itself through two others",
            vec![
                ("A", "exports: [{service: s}], imports: [{service: {account: C, subject: s}}]"),
                ("B", "exports: [{service: s}], imports: [{service: {account: A, subject: s}}]"),
                ("C", "exports: [{service: s}], imports: [{service: {account: B, subject: s}}]"),
            ],
            "import forms a cycle",
        ),
        (
            "one stream under two names",
            vec![
                ("A", r#"exports: [{stream: "s.>"}]"#),
                (
                    "B",
                    r#"imports: [{stream: {account: A, subject: "s.>"}}, {stream: {account: A, subject: "s.>"}, prefix: p}]"#,
                ),
            ],
            "stream import already exists",
        ),
    ] {
        let refused = refusal(&config(&accounts));
        assert!(refused.as_ref().is_some_and(|why| why.contains(words)), "{story}: {refused:?}");
    }
    for (story, accounts) in [
        (
            "different streams both ways",
            vec![
                ("A", r#"exports: [{stream: "a.>"}], imports: [{stream: {account: B, subject: "b.>"}}]"#),
                ("B", r#"exports: [{stream: "b.>"}], imports: [{stream: {account: A, subject: "a.>"}}]"#),
            ],
        ),
        (
            "a service and the stream of its results",
            vec![
                ("A", r#"exports: [{stream: "s.>"}], imports: [{service: {account: B, subject: "s.>"}}]"#),
                ("B", r#"exports: [{service: "s.>"}], imports: [{stream: {account: A, subject: "s.>"}}]"#),
            ],
        ),
    ] {
        assert_eq!(refusal(&config(&accounts)), None, "{story}");
    }
}

/// What a configuration file cannot say, since reading it is where it is refused, options made in code can.
#[test]
fn ties_made_in_code_that_cannot_be() {
    // spec: SEC-051
    let from = |account: &str, kind| Import { account: account.into(), subject: "s".into(), kind };
    let stream = || ImportKind::Stream { to: None, prefix: None, allow_trace: false };
    let service = || ImportKind::Service { to: None, share: false };
    let refused = |kind: fn() -> ImportKind, what: &str, sources: [&str; 3]| {
        let accounts = ["A", "B", "C"].map(|name| (name, format!("exports: [{{{what}: s}}]")));
        let accounts = accounts.each_ref().map(|(name, rest)| (*name, rest.as_str()));
        let mut options = options(&config(&accounts));
        for (account, source) in options.accounts.iter_mut().zip(sources) {
            account.imports.extend((!source.is_empty()).then(|| from(source, kind())));
        }
        Broker::new(identity(), &options, 4222).err().map(|error| error.to_string())
    };
    for (kind, what) in [(stream as fn() -> ImportKind, "stream"), (service, "service")] {
        assert_eq!(refused(kind, what, ["", "A", "B"]), None, "{what}: a chain");
        for sources in [["B", "A", ""], ["C", "A", "B"]] {
            let why = refused(kind, what, sources);
            assert!(
                why.as_ref().is_some_and(|why| why.contains("import forms a cycle")),
                "{what} {sources:?}: {why:?}"
            );
        }
    }
}

#[test]
fn permissions_hold_for_what_is_imported() {
    // spec: SEC-037 SEC-036
    let world = World::new(
        r#"accounts {
            A { users: [{user: a, password: pw}], exports: [{stream: "s.>"}, {service: "svc.*"}] }
            B { users: [{user: b, password: pw, permissions: {
                    subscribe: {allow: ["p.>", in], deny: "p.s.secret"}, publish: {allow: ["my.1"]} }}]
                imports: [{stream: {account: A, subject: "s.>"}, prefix: p}, {service: {account: A, subject: "svc.*"}, to: "my.*"}] } }"#,
    );
    let (a, b) = (plain(&world, "a"), plain(&world, "b"));
    b.send("SUB p.> 1\r\nSUB in 2\r\n");
    a.send("SUB svc.* 1\r\nPUB s.secret 0\r\n\r\nPUB s.open 0\r\n\r\n");
    assert_eq!(b.received(), "MSG p.s.open 1 0\r\n\r\n");
    let answer = b.ask("PUB my.2 0\r\n\r\nPUB my.1 in 0\r\n\r\n");
    assert_eq!(answer, "-ERR 'Permissions Violation for Publish to \"my.2\"'\r\n");
    a.send(&format!("PUB {} 0\r\n\r\n", reply_of(&a.received())));
    assert_eq!(b.received(), "MSG in 2 0\r\n\r\n");
}
