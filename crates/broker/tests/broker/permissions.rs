//! What a user may publish and subscribe to, and what is kept from it.

use std::time::Duration;

use crate::support::{Client, World};

/// The user of the observed rows SEC-089 to SEC-098, beside one who may do everything.
const CONFIG: &str = r#"authorization { users: [
    {user: a, password: pw, permissions: {
        publish: {allow: ["ok.>", "req.*"], deny: "ok.secret.>"}
        subscribe: {allow: ["ok.>", "q.x grp", "_INBOX.>"], deny: "ok.deny.*"} }}
    {user: r, password: pw, permissions: {
        publish: {deny: ">"}, subscribe: "req.>", allow_responses: {max: 1, expires: "1m"} }}
    {user: all, password: pw} ] }"#;

fn violation(what: &str) -> String {
    format!("-ERR 'Permissions Violation for {what}'\r\n")
}

#[test]
fn what_is_refused() {
    // spec: SEC-036 SEC-043 CORE-077
    for (row, sent, error) in [
        // spec: SEC-089
        ("SEC-089", "PUB zz 0\r\n\r\n", "Publish to \"zz\""),
        // spec: SEC-090
        ("SEC-090", "PUB ok.secret.x 0\r\n\r\n", "Publish to \"ok.secret.x\""),
        // spec: SEC-091
        ("SEC-091", "SUB zz 1\r\n", "Subscription to \"zz\""),
        // spec: SEC-092
        ("SEC-092", "SUB zz grp 1\r\n", "Subscription to \"zz\" using queue \"grp\""),
        // spec: SEC-093 SEC-038
        ("SEC-093", "SUB q.x 1\r\n", "Subscription to \"q.x\""),
        ("SEC-038", "SUB q.x other 1\r\n", "Subscription to \"q.x\" using queue \"other\""),
        // spec: SEC-095
        ("SEC-095", "SUB > 1\r\n", "Subscription to \">\""),
        ("SEC-036", "SUB ok.deny.x 1\r\n", "Subscription to \"ok.deny.x\""),
    ] {
        let client = World::new(CONFIG).user("a");
        assert_eq!(client.ask(sent), violation(error), "{row}");
        assert_eq!(client.closed(), None, "{row}");
    }
    let client = World::new(CONFIG).user("a");
    assert_eq!(client.ask("PUB ok.a 0\r\n\r\nPUB req.x 0\r\n\r\nSUB q.x grp 1\r\nSUB ok.> 2\r\n"), "");
}

#[test]
fn a_subscription_wider_than_allowed_is_filtered() {
    // spec: SEC-094 SEC-037
    let world = World::new(CONFIG);
    let (client, all) = (world.user("a"), world.user("all"));
    client.send("SUB ok.> 1\r\nSUB ok.*.b 2\r\n");
    for _ in 0..3 {
        all.send("PUB ok.deny.b 1\r\nx\r\nPUB ok.a 1\r\ny\r\n");
        assert_eq!(client.received(), "MSG ok.a 1 1\r\ny\r\n");
    }
    all.send("PUB ok.x.b 0\r\n\r\n");
    assert_eq!(client.received().matches("MSG").count(), 2);
}

#[test]
fn decisions_are_remembered_and_still_right() {
    // spec: SEC-040
    let client = World::new(CONFIG).user("a");
    for round in 0..3 {
        for n in 0..200 {
            assert_eq!(client.ask(&format!("PUB ok.{n} 0\r\n\r\n")), "", "{round}");
            let denied = format!("ok.secret.{n}");
            assert_eq!(client.ask(&format!("PUB {denied} 0\r\n\r\n")), violation(&format!("Publish to \"{denied}\"")));
        }
    }
}

/// A responder that has just been asked with this reply.
fn asked(world: &World, reply: &str) -> Client {
    let responder = world.user("r");
    responder.send("SUB req.> 1\r\n");
    world.user("all").send(&format!("PUB req.x {reply} 1\r\nq\r\n"));
    assert_eq!(responder.received(), format!("MSG req.x 1 {reply} 1\r\nq\r\n"));
    responder
}

#[test]
fn an_answer_is_allowed_once() {
    // spec: SEC-098 SEC-039
    let world = World::new(CONFIG);
    let responder = asked(&world, "_INBOX.a");
    assert_eq!(responder.ask("PUB other 0\r\n\r\n"), violation("Publish to \"other\""));
    assert_eq!(responder.ask("PUB _INBOX.a 0\r\n\r\n"), "");
    assert_eq!(responder.ask("PUB _INBOX.a 0\r\n\r\n"), violation("Publish to \"_INBOX.a\""));
    assert_eq!(world.user("r").ask("PUB _INBOX.a 0\r\n\r\n"), violation("Publish to \"_INBOX.a\""), "not to others");
}

#[test]
fn an_answer_must_not_come_too_late() {
    // spec: SEC-039
    let world = World::new(CONFIG);
    let responder = asked(&world, "_INBOX.b");
    world.skip(Duration::from_secs(59));
    assert_eq!(responder.ask("PUB _INBOX.b 0\r\n\r\n"), "");
    let responder = asked(&world, "_INBOX.c");
    world.skip(Duration::from_secs(61));
    assert_eq!(responder.ask("PUB _INBOX.c 0\r\n\r\n"), violation("Publish to \"_INBOX.c\""));
}

#[test]
fn default_permissions_are_for_those_without_their_own() {
    // spec: SEC-036
    let world = World::new(
        "authorization { default_permissions: {publish: \"d.>\"}, users: [
            {user: a, password: pw}, {user: b, password: pw, permissions: {publish: \"e.>\"}}] }",
    );
    for (user, allowed, denied) in [("a", "d.x", "e.x"), ("b", "e.x", "d.x")] {
        let client = world.user(user);
        assert_eq!(client.ask(&format!("PUB {allowed} 0\r\n\r\n")), "", "{user}");
        assert_eq!(client.ask(&format!("PUB {denied} 0\r\n\r\n")), violation(&format!("Publish to \"{denied}\"")));
    }
}
