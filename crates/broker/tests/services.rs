//! Services of other accounts: requests, replies, what the service is told, and how long it takes.

mod support;

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use martlet_events::WallTime;
use serde_json::{Value, json};
use support::{Client, World};

const ACCOUNTS: &str = r#"
    accounts {
        A {
            users [
                { user: a, password: pw }
                { user: r, password: pw, permissions: { subscribe: svc, publish: { deny: ">" }, allow_responses: { max: 2 } } }
            ]
            exports [
                { service: svc }, { service: many, response: stream }, { service: chunks, response: chunked }
                { service: old }, { stream: svc }
                { service: timed, latency: { subject: times, sampling: 100 }, threshold: "5s" }
            ]
            mappings { old: new }
        }
        B {
            users [ { user: b, password: pw } ]
            exports [ { service: timed } ]
            imports [
                { service: { account: A, subject: svc } }, { service: { account: A, subject: many } }
                { service: { account: A, subject: chunks } }, { service: { account: A, subject: old } }
                { service: { account: A, subject: timed }, share: SHARE }
            ]
        }
        C {
            users [ { user: c, password: pw } ]
            imports [ { service: { account: B, subject: timed }, to: far }, { stream: { account: A, subject: svc } } ]
        }
    }
"#;

fn world(share: bool) -> World {
    let world = World::new(&ACCOUNTS.replace("SHARE", &share.to_string()));
    world.broker().site().set_origin(WallTime::from_nanos(1_795_339_108_000_000_000));
    world
}

fn subscribed(client: Client, subscriptions: &str) -> Client {
    client.ask(subscriptions);
    client
}

/// The reply subject of the one request received.
fn reply_subject(received: &str) -> String {
    received
        .split(' ')
        .find(|word| word.starts_with("_R_."))
        .unwrap_or_else(|| panic!("no reply in {received:?}"))
        .into()
}

fn publish(subject_and_reply: &str, payload: &str) -> String {
    format!("PUB {subject_and_reply} {}\r\n{payload}\r\n", payload.len())
}

/// What was received but pings.
fn heard(client: &Client) -> String {
    client.received().replace("PING\r\n", "")
}

/// The JSON of the one message received.
fn measurement(listener: &Client) -> Value {
    let received = heard(listener);
    let (_, body) = received.split_once("\r\n").unwrap_or_else(|| panic!("no measurement: {received:?}"));
    let mut event: Value = serde_json::from_str(body).unwrap_or_else(|e| panic!("{e}: {received:?}"));
    let event_fields = event.as_object_mut().expect("an event is an object");
    assert_eq!(event_fields.remove("type"), Some("io.nats.server.metric.v1.service_latency".into()));
    let id = event_fields.remove("id").expect("an event has a number");
    assert_eq!(id.as_str().map(str::len), Some(22));
    event
}

#[test]
fn replies_find_back_as_often_as_the_service_gives_them() {
    // spec: SEC-047
    for (service, payloads, received) in [
        ("svc", &["1", "2"][..], "1"),
        ("svc", &["", "2"], ""),
        ("many", &["1", "2", "3"], "1 2 3"),
        ("many", &["1", "", "3"], "1 "),
        ("chunks", &["1", "", "3"], "1 "),
    ] {
        let world = world(false);
        let responder = subscribed(world.user("a"), &format!("SUB {service} 1\r\n"));
        let requester = subscribed(world.user("b"), "SUB inbox 1\r\n");
        requester.send(&publish(&format!("{service} inbox"), "?"));
        let reply = reply_subject(&responder.received());
        assert_eq!(reply.split('.').count(), 3, "{reply}");
        for payload in payloads {
            responder.send(&publish(&reply, payload));
        }
        let expected: Vec<_> = received.split(' ').map(|p| format!("MSG inbox 1 {}\r\n{p}\r\n", p.len())).collect();
        assert_eq!(requester.received(), expected.concat(), "{service} {payloads:?}");
    }
}

#[test]
fn a_reply_may_ask_for_a_reply() {
    // spec: SEC-047
    let world = world(false);
    let responder = subscribed(world.user("a"), "SUB svc 1\r\nSUB more 2\r\n");
    let requester = subscribed(world.user("b"), "SUB inbox 1\r\n");
    requester.send(&publish("svc inbox", "?"));
    let reply = reply_subject(&responder.received());
    let headers = "NATS/1.0\r\nX: y\r\nNats-Request-Info: z\r\n\r\n";
    responder.send(&format!("HPUB {reply} more {0} {0}\r\n{headers}\r\n", headers.len()));
    let received = requester.received();
    let back = reply_subject(&received);
    let expected = format!("HMSG inbox 1 {back} {0} {0}\r\n{headers}\r\n", headers.len());
    assert_eq!(received, expected, "a reply's headers are the responder's own");
    requester.ask(&publish(&back, "one"));
    requester.ask(&publish(&back, "two"));
    assert_eq!(responder.received(), "MSG more 2 3\r\none\r\n");
    requester.send(&publish("svc $JS.ACK.x", "?"));
    assert_eq!(requester.received(), "-ERR 'Permissions Violation for Publish with Reply of \"$JS.ACK.x\"'\r\n");
}

#[test]
fn who_replies_late_is_not_told_that_nobody_listens() {
    let world = world(false);
    let responder =
        world.client(r#"CONNECT {"verbose":false,"headers":true,"no_responders":true,"user":"a","pass":"pw"}"#);
    responder.ask("SUB svc 1\r\nSUB more 2\r\n");
    let requester = world.user("b");
    requester.send(&publish("svc nobody", "?"));
    let reply = reply_subject(&responder.received());
    assert_eq!(responder.ask(&publish(&format!("{reply} more"), "1")), "");
    assert_eq!(responder.ask(&publish(&format!("{reply} more"), "2")), "");
    assert!(responder.ask(&publish("_R_.aaaaaa.bbbbbb more", "3")).contains("503"), "a subject that was never given");
    for account in ["A", "B"] {
        assert_eq!(world.broker().accounts.get(account).unwrap().responses.len(), 0, "{account}");
    }
}

#[test]
fn a_responder_may_be_allowed_to_respond_only() {
    // spec: SEC-039 SEC-047
    let world = world(false);
    let responder = subscribed(world.user("r"), "SUB svc 1\r\n");
    let requester = subscribed(world.user("b"), "SUB inbox 1\r\n");
    requester.send(&publish("svc inbox", "?"));
    let reply = reply_subject(&responder.received());
    assert_eq!(responder.ask(&publish(&reply, "1")), "");
    assert_eq!(responder.ask(&publish(&reply, "2")), "", "allowed, though nobody waits any more");
    let denied = format!("-ERR 'Permissions Violation for Publish to \"{reply}\"'\r\n");
    assert_eq!(responder.ask(&publish(&reply, "3")), denied);
    assert_eq!(requester.received(), "MSG inbox 1 1\r\n1\r\n");
}

#[test]
fn requests_reach_one_member_of_each_group_and_no_stream() {
    // spec: SEC-053
    let world = world(false);
    let responder = subscribed(world.user("a"), "SUB svc q 1\r\nSUB svc q 2\r\nSUB svc r 3\r\nSUB svc 4\r\n");
    let importer_of_the_stream = subscribed(world.user("c"), "SUB svc 1\r\n");
    world.user("b").send(&publish("svc", "?"));
    let received = responder.received();
    let count = |sids: &[&str]| sids.iter().map(|s| received.matches(&format!("HMSG svc {s} ")).count()).sum::<usize>();
    assert_eq!((count(&["1", "2"]), count(&["3"]), count(&["4"])), (1, 1, 1), "{received:?}");
    assert_eq!(importer_of_the_stream.received(), "", "what came for a service does not leave as a stream");
    world.user("a").send(&publish("svc", "?"));
    assert_eq!(importer_of_the_stream.received(), "MSG svc 1 1\r\n?\r\n");
}

#[test]
fn the_exporters_mappings_apply() {
    // spec: CORE-110 SEC-047
    let world = world(false);
    let responder = subscribed(world.user("a"), "SUB new 1\r\nSUB old 2\r\n");
    world.user("b").send(&publish("old", "?"));
    assert!(responder.received().starts_with("HMSG new 1 "));
}

#[test]
fn a_service_is_told_who_asks() {
    // spec: SEC-049
    let requester_of = |world: &World, user: &str| {
        let client = world.client(&format!(
            r#"CONNECT {{"verbose":false,"headers":true,"name":"n","lang":"l","version":"v","user":"{user}","pass":"pw"}}"#
        ));
        client.peer().counters.rtt.store(5, Relaxed);
        client
    };
    let full = |user: &str, account: &str, via: &str| {
        format!(
            concat!(
                r#"{{"start":"2026-11-22T10:18:28Z","host":"127.0.0.1","id":2,"acc":"{account}"{via},"user":"{user}","#,
                r#""name":"n","lang":"l","ver":"v","rtt":5,"server":"under-test","kind":"Client","client_type":"nats"}}"#
            ),
            user = user,
            account = account,
            via = via
        )
    };
    for (share, user, subject, expected) in [
        (false, "b", "timed", r#"{"acc":"B","rtt":5}"#.to_owned()),
        (true, "b", "timed", full("b", "B", "")),
        (false, "c", "far", r#"{"acc":"C","svc":"B","rtt":5}"#.to_owned()),
        // The first import does not share, the second does: where from is told, who is not.
        (true, "c", "far", r#"{"acc":"C","svc":"B","rtt":5,"server":"under-test"}"#.to_owned()),
    ] {
        let world = world(share);
        let responder = subscribed(world.user("a"), "SUB timed 1\r\n");
        let requester = requester_of(&world, user);
        let forged = "NATS/1.0\r\nNats-Request-Info: {\"acc\":\"X\"}\r\nA: b\r\n\r\n";
        requester.send(&format!("HPUB {subject} {0} {0}\r\n{forged}\r\n", forged.len()));
        let headers = format!("NATS/1.0\r\nA: b\r\nNats-Request-Info: {expected}\r\n\r\n");
        let message = format!("HMSG timed 1 {0} {0}\r\n{headers}\r\n", headers.len());
        assert_eq!(responder.received(), message, "share {share}, {user}");
    }
}

#[test]
fn large_requests_keep_their_payload() {
    let world = world(false);
    let responder = subscribed(world.user("a"), "SUB svc 1\r\nSUB svc 2\r\n");
    let payload = "x".repeat(100_000);
    let requester = world.user("b");
    requester.peer().counters.rtt.store(3, Relaxed);
    requester.send_in_pieces(publish("svc", &payload).as_bytes(), &[100]);
    assert_eq!(requester.large_messages(), 1);
    let received = responder.received();
    let headers = "NATS/1.0\r\nNats-Request-Info: {\"acc\":\"B\",\"rtt\":3}\r\n\r\n";
    let message =
        |sid| format!("HMSG svc {sid} {} {}\r\n{headers}{payload}\r\n", headers.len(), headers.len() + payload.len());
    assert!(received == message(1) + &message(2) || received == message(2) + &message(1));
}

#[test]
fn an_answered_request_is_measured() {
    // spec: SEC-050
    let world = world(false);
    let listener = subscribed(world.user("a"), "SUB times 1\r\n");
    let responder = subscribed(world.user("a"), "SUB timed 1\r\n");
    responder.peer().describe(|d| d.name = "worker".into());
    let requester = subscribed(world.user("b"), "SUB inbox 1\r\n");
    responder.peer().counters.rtt.store(1_000_000, Relaxed);
    requester.peer().counters.rtt.store(2_000_000_000, Relaxed);
    world.skip(Duration::from_mins(1));
    requester.send(&publish("timed inbox", "?"));
    world.skip(Duration::from_millis(30));
    responder.send(&publish(&reply_subject(&responder.received()), "!"));
    assert_eq!(requester.received(), "MSG inbox 1 1\r\n!\r\n");
    let expected = json!({
        "timestamp": "2026-11-22T10:19:28.03Z",
        "status": 200,
        "requestor": { "acc": "B", "rtt": 2_000_000_000 },
        "responder": {
            "start": "2026-11-22T10:18:28Z", "host": "127.0.0.1", "id": 2, "acc": "A", "user": "a", "name": "worker",
            "rtt": 1_000_000, "server": "under-test", "kind": "Client", "client_type": "nats",
        },
        "start": "2026-11-22T10:19:26Z",
        "service": 29_000_000,
        "system": 0,
        "total": 2_030_000_000,
    });
    assert_eq!(measurement(&listener), expected);
}

#[test]
fn a_request_that_comes_to_nothing_is_measured_too() {
    // spec: SEC-050
    let fault = |status: u16, description: &str, timestamp: &str| {
        json!({
            "timestamp": timestamp, "status": status, "description": description, "requestor": { "acc": "B" },
            "start": "2026-11-22T10:18:28Z", "service": 0, "system": 0, "total": 0,
        })
    };
    let at_once = "2026-11-22T10:18:28Z";
    let world = world(false);
    let listener = subscribed(world.user("a"), "SUB times 1\r\n");
    let requester = subscribed(world.user("b"), "SUB inbox 1\r\nSUB other 2\r\n");
    requester.peer().counters.rtt.store(0, Relaxed);
    requester.send(&publish("timed inbox", "?"));
    assert_eq!(measurement(&listener), fault(503, "Service Unavailable", at_once));

    let responder = subscribed(world.user("a"), "SUB timed 1\r\n");
    requester.send(&publish("timed", "?"));
    assert_eq!(measurement(&listener), fault(400, "Bad Request", at_once));
    responder.received();

    requester.send(&publish("timed inbox", "?"));
    let late = reply_subject(&responder.received());
    requester.send(&publish("timed other", "?"));
    requester.send("UNSUB 2\r\n");
    world.advance(Duration::from_secs(1));
    assert_eq!(measurement(&listener), fault(408, "Request Timeout", "2026-11-22T10:18:29Z"));
    world.advance(Duration::from_secs(3));
    assert_eq!(heard(&listener), "");
    world.advance(Duration::from_secs(1));
    assert_eq!(measurement(&listener), fault(504, "Service Timeout", "2026-11-22T10:18:33Z"));
    responder.send(&publish(&late, "!"));
    assert_eq!(heard(&requester), "", "given up");
    assert_eq!(heard(&listener), "");
}

#[test]
fn a_measurement_through_two_accounts_names_the_first() {
    // spec: SEC-050
    let world = world(true);
    let listener = subscribed(world.user("a"), "SUB times 1\r\n");
    let responder = subscribed(world.user("a"), "SUB timed 1\r\n");
    let requester = subscribed(world.user("c"), "SUB inbox 1\r\n");
    requester.send(&publish("far inbox", "?"));
    responder.send(&publish(&reply_subject(&responder.received()), "!"));
    assert_eq!(requester.received(), "MSG inbox 1 1\r\n!\r\n");
    let event = measurement(&listener);
    assert_eq!((&event["status"], &event["requestor"]["acc"]), (&json!(200), &json!("C")));
}
