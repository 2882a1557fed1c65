//! Message traces: what a report says, where it goes and what it must not betray.

mod support;

use std::io::Read;

use martlet_broker::peer::Control;
use martlet_events::WallTime;
use martlet_proto::ClosedReason;
use serde_json::{Value, json};
use support::{Client, World};

/// HPUB with these header lines.
fn hpub(subject_and_reply: &str, headers: &str, payload: &str) -> String {
    let head = format!("NATS/1.0\r\n{headers}\r\n\r\n");
    format!("HPUB {subject_and_reply} {} {}\r\n{head}{payload}\r\n", head.len(), head.len() + payload.len())
}

/// The payload of the one message received.
fn payload(received: &str) -> &str {
    let (control, rest) = received.split_once("\r\n").unwrap_or_else(|| panic!("no message in {received:?}"));
    let size: usize = control.rsplit(' ').next().and_then(|size| size.parse().ok()).expect("a size");
    assert_eq!(rest.len(), size + 2, "exactly one message: {received:?}");
    &rest[..size]
}

/// The events of the one report received, without their times.
fn events(reports: &Client) -> Value {
    let received = reports.received();
    let mut report: Value = serde_json::from_str(payload(&received)).expect("a report is JSON");
    let mut events = report["events"].take();
    for event in events.as_array_mut().expect("events are a list") {
        let event = event.as_object_mut().expect("an event is an object");
        assert_eq!(event.remove("ts"), Some("1970-01-01T01:00:00Z".into()));
        event.remove("cid");
        event.remove("kind");
    }
    events
}

fn subscribed(client: Client, subscriptions: &str) -> Client {
    client.ask(subscriptions);
    client
}

#[test]
fn a_report_is_what_the_reference_writes() {
    // spec: CORE-125 CORE-127
    let world = World::new("server_name: under-test\nserver_tags: [a]\nserver_metadata: { b: c }");
    world.broker().site().set_origin(WallTime::from_nanos(1_795_339_108_000_000_000));
    let subscriber = subscribed(world.quiet(), "SUB foo 1\r\nSUB foo q 2\r\n");
    let reports = subscribed(world.quiet(), "SUB trace 9\r\n");
    let publisher = world.client(r#"CONNECT {"verbose":false,"headers":true,"name":"<p>"}"#);
    let message = hpub("foo", "Z: 1\r\nNats-Trace-Dest: trace\r\nZ: 2", "hi");
    publisher.send(&message);
    let body = message.split_once("\r\n").unwrap().1;
    assert_eq!(subscriber.received(), format!("HMSG foo 1 48 50\r\n{body}HMSG foo 2 48 50\r\n{body}"));
    let id = "NAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let expected = format!(
        concat!(
            r#"{{"server":{{"name":"under-test","host":"0.0.0.0","id":"{id}","ver":"2.15.1","tags":["a"],"#,
            r#""metadata":{{"b":"c"}},"feature_flags":{{"js_ack_fc_v2":false,"js_api_reply_v2":false,"#,
            r#""js_raft_delete_range":true,"js_snapshot_sources":false}},"jetstream":false,"flags":0,"seq":1,"#,
            r#""time":"2026-11-22T10:18:28Z"}},"request":{{"header":{{"Nats-Trace-Dest":["trace"],"Z":["1","2"]}},"#,
            r#""msgsize":50}},"events":[{{"type":"in","ts":"2026-11-22T10:18:28Z","kind":0,"cid":3,"#,
            r#""name":"\u003cp\u003e","acc":"$G","subj":"foo"}},"#,
            r#"{{"type":"eg","ts":"2026-11-22T10:18:28Z","kind":0,"cid":1,"sub":"foo"}},"#,
            r#"{{"type":"eg","ts":"2026-11-22T10:18:28Z","kind":0,"cid":1,"sub":"foo","queue":"q"}}]}}"#
        ),
        id = id
    );
    assert_eq!(payload(&reports.received()), expected);
    publisher.send(&hpub("nobody", "Nats-Trace-Dest: trace", ""));
    assert!(reports.received().contains(r#""seq":2,"#), "reports are numbered");
}

#[test]
fn only_traced_is_not_delivered() {
    // spec: CORE-125
    let world = World::new("");
    let subscriber = subscribed(world.quiet(), "SUB foo 1\r\nUNSUB 1 1\r\n");
    let reports = subscribed(world.quiet(), "SUB trace 9\r\n");
    let publisher = world.quiet();
    for _ in 0..2 {
        publisher.send(&hpub("foo", "Nats-Trace-Dest: trace\r\nNats-Trace-Only: On", "hi"));
        let expected = json!([
            {"type": "in", "acc": "$G", "subj": "foo"},
            {"type": "eg", "sub": "foo"},
        ]);
        assert_eq!(events(&reports), expected);
    }
    assert_eq!(subscriber.received(), "", "it counts as no delivery either");
    publisher.send("PUB foo 2\r\nhi\r\n");
    assert_eq!(subscriber.received(), "MSG foo 1 2\r\nhi\r\n");
}

#[test]
fn nobody_listening_is_said_with_and_without_a_trace() {
    let world = World::new("");
    let reports = subscribed(world.quiet(), "SUB trace 9\r\n");
    let publisher = world.client(r#"CONNECT {"verbose":true,"headers":true,"no_responders":true}"#);
    publisher.ask("SUB reply 1\r\n");
    let answer = publisher.ask(&hpub("foo reply", "Nats-Trace-Dest: trace\r\nNats-Trace-Only: true", ""));
    assert_eq!(answer, "+OK\r\nHMSG reply 1 35 35\r\nNATS/1.0 503\r\nNats-Subject: foo\r\n\r\n\r\n");
    assert_eq!(events(&reports), json!([{"type": "in", "acc": "$G", "subj": "foo"}]));
}

#[test]
fn mappings_and_refusals_are_stations() {
    // spec: CORE-127 CORE-129
    let world = World::new(
        r"
        mappings { foo: bar }
        authorization { users [ { user: t, password: pw }, { user: p, password: pw, permissions: { publish: [bar, trace, x] } } ] }
        ",
    );
    let reports = subscribed(world.user("t"), "SUB trace 9\r\nSUB bar 1\r\n");
    let publisher = world.user("p");
    let mapped = json!({"type": "sm", "to": "bar"});
    for (target, stations, answer) in [
        (
            "y",
            json!([{"error": "Permissions Violation for Publish to \"y\""}]),
            "-ERR 'Permissions Violation for Publish to \"y\"'\r\n",
        ),
        (
            "foo _R_.x",
            json!([{"error": "Permissions Violation for Publish with Reply of \"_R_.x\""}, mapped]),
            "-ERR 'Permissions Violation for Publish with Reply of \"_R_.x\"'\r\n",
        ),
        ("foo", json!([{}, mapped, {"type": "eg", "sub": "bar"}]), ""),
    ] {
        assert_eq!(
            publisher.ask(&hpub(target, "Nats-Trace-Dest: trace\r\nNats-Trace-Only: 1", "")),
            answer,
            "{target}"
        );
        let mut expected = stations;
        let ingress = expected[0].as_object_mut().unwrap();
        ingress.insert("type".into(), "in".into());
        ingress.insert("acc".into(), "$G".into());
        ingress.insert("subj".into(), target.split(' ').next().unwrap().into());
        assert_eq!(events(&reports), expected, "{target}");
    }
}

#[test]
fn a_destination_must_be_allowed_and_literal() {
    // spec: CORE-125 CORE-129 CORE-130
    let world = World::new(
        r"
        accounts {
            A { users [ { user: a, password: pw, permissions: { publish: { deny: secret } } } ] }
            S { users [ { user: s, password: pw } ] }
        }
        system_account: S
        ",
    );
    let listener = subscribed(world.user("a"), "SUB > 9\r\n");
    let publisher = world.user("a");
    let violation = |subject: &str| format!("-ERR 'Permissions Violation for Publish to \"{subject}\"'\r\n");
    for (headers, answer, delivered) in [
        ("Nats-Trace-Dest: secret", violation("secret"), false),
        ("Nats-Trace-Dest: $NRG.x", violation("$NRG.x"), false),
        ("Nats-Trace-Dest: _GR_.x", violation("_GR_.x"), false),
        ("Nats-Trace-Dest: a.*", String::new(), true),
        ("Nats-Trace-Dest: a..b\r\nNats-Trace-Only: true", String::new(), false),
        ("Nats-Trace-Only: true", String::new(), true),
        ("Nats-Trace-Dest: trace disabled", String::new(), true),
    ] {
        let message = hpub("foo", headers, "hi");
        assert_eq!(publisher.ask(&message), answer, "{headers:?}");
        let expected = if delivered { message.replace("HPUB foo", "HMSG foo 9") } else { String::new() };
        assert_eq!(listener.received(), expected, "{headers:?}");
    }
    publisher.send(&hpub("foo", "Nats-Trace-Dest: trace\r\nNats-Trace-Origin-Account: x", "hi"));
    assert!(listener.received().contains("Nats-Trace-Origin-Account: x\r\nNats-Trace-Dest: trace disabled\r\n\r\nhi"));
    let system = subscribed(world.user("s"), "SUB $NRG.x 1\r\n");
    assert!(system.ask(&hpub("foo", "Nats-Trace-Dest: $NRG.x", "")).contains(r#""acc":"S""#));
}

#[test]
fn traces_that_began_elsewhere_go_where_the_account_says() {
    // spec: CORE-126 CORE-130
    let config = |sampling: u8| {
        format!(
            "accounts {{ A {{ users [ {{ user: a, password: pw }} ], msg_trace: {{ dest: trace, sampling: {sampling} }} }} }}"
        )
    };
    let world = World::new(&config(100));
    let parent = "TraceParent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let reports = subscribed(world.user("a"), "SUB trace 1\r\n");
    let subscriber = subscribed(world.user("a"), "SUB foo 1\r\n");
    let publisher = world.user("a");
    let message = hpub("foo", parent, "hi");
    publisher.send(&message);
    assert_eq!(subscriber.received(), message.replace("HPUB foo", "HMSG foo 1"), "the header is left alone");
    assert_eq!(events(&reports), json!([{"type": "in", "acc": "A", "subj": "foo"}, {"type": "eg", "sub": "foo"}]));
    publisher.send(&hpub("foo", &parent.replace("-01", "-00"), ""));
    assert_eq!(reports.received(), "", "not sampled where it began");

    world.reload(&config(20)).unwrap();
    subscriber.received();
    publisher.send(&message.repeat(1000));
    let delivered = subscriber.received();
    let traced = reports.received().matches("\"events\"").count();
    assert!((150..280).contains(&traced), "{traced} of 1000");
    assert_eq!(delivered.matches("Nats-Trace-Dest: trace disabled\r\n").count(), 1000 - traced, "the others say so");
}

#[test]
fn accounts_without_a_destination_trace_nothing_that_began_elsewhere() {
    // spec: CORE-126
    let world = World::new("");
    let listener = subscribed(world.quiet(), "SUB > 1\r\n");
    let message = hpub("foo", "traceparent: 00-a-b-01", "hi");
    world.quiet().send(&message);
    assert_eq!(listener.received(), message.replace("HPUB foo", "HMSG foo 1"));
}

#[test]
fn reports_are_compressed_on_request() {
    // spec: CORE-128
    let world = World::new("");
    let reports = subscribed(world.quiet(), "SUB trace 9\r\n");
    let publisher = world.quiet();
    for (accepted, encoding) in [("gzip", "gzip"), ("s2", "snappy"), ("br", "identity")] {
        publisher.send(&hpub("foo", &format!("Nats-Trace-Dest: trace\r\nAccept-Encoding: {accepted}"), ""));
        let received = reports.received_bytes();
        let headers = format!("NATS/1.0\r\nContent-Encoding: {encoding}\r\n\r\n");
        let at = received.windows(headers.len()).position(|w| w == headers.as_bytes()).expect(encoding);
        let (head, body) = received.split_at(at + headers.len());
        let body = &body[..body.len() - 2];
        let control = format!("HMSG trace 9 {} {}\r\n", headers.len(), headers.len() + body.len());
        assert!(head.starts_with(control.as_bytes()), "{encoding}");
        let mut json = String::new();
        match encoding {
            "gzip" => flate2::read::GzDecoder::new(body).read_to_string(&mut json).unwrap(),
            "snappy" => snap::read::FrameDecoder::new(body).read_to_string(&mut json).unwrap(),
            _ => {
                json.push_str(std::str::from_utf8(body).unwrap());
                body.len()
            }
        };
        let report: Value = serde_json::from_str(&json).unwrap();
        assert_eq!(report["events"][0]["subj"], "foo", "{encoding}");
    }
}

#[test]
fn a_message_that_is_too_large_leaves_a_report() {
    // spec: CORE-131
    let world = World::new("max_payload: 60");
    let reports = subscribed(world.quiet(), "SUB trace 9\r\nSUB foo 1\r\n");
    let headers = format!("Nats-Trace-Dest: trace\r\nFiller: {}", "a".repeat(20));
    let message = hpub("foo", &headers, "hi");
    let refused = json!([{"type": "in", "acc": "$G", "subj": "foo", "error": "maximum payload exceeded"}]);
    // All of it, up to the payload, and with the destination's line just come.
    for (length, reported) in [(message.len(), true), (message.len() - 4, true), (52, true), (30, false), (16, false)] {
        let publisher = world.quiet();
        assert_eq!(publisher.ask(&message[..length]), "-ERR 'Maximum Payload Violation'\r\n", "{length}");
        assert_eq!(publisher.closed(), Some(ClosedReason::MaxPayloadExceeded), "{length}");
        if reported {
            assert_eq!(events(&reports), refused, "{length}");
        } else {
            assert_eq!(reports.received(), "", "{length}");
        }
    }
}

#[test]
fn why_somebody_got_nothing() {
    // spec: CORE-132
    let world = World::new(
        r"
        no_fast_producer_stall: true
        authorization { users [
            { user: s, password: pw, permissions: { subscribe: { deny: foo.x } } }, { user: p, password: pw }
        ] }
        ",
    );
    let reports = subscribed(world.user("p"), "SUB trace 9\r\n");
    let publisher = world.user("p");
    let traced = hpub("foo.x", "Nats-Trace-Dest: trace", "");
    let outcome = |error: &str| json!([{"type": "in", "acc": "$G", "subj": "foo.x"}, {"type": "eg", "sub": "foo.*", "error": error}]);

    let denied = subscribed(world.user("s"), "SUB foo.* 1\r\n");
    publisher.send(&traced);
    assert_eq!(events(&reports), outcome("Not delivered because subscription denies this subject"));
    denied.hang_up();

    let alone = world.client(r#"CONNECT {"verbose":false,"headers":true,"echo":false,"user":"p","pass":"pw"}"#);
    alone.send(&format!("SUB foo.* 1\r\n{traced}"));
    assert_eq!(events(&reports), outcome("Not delivered because of no echo"));
    alone.hang_up();

    let slow = subscribed(world.user("p"), "SUB foo.* 1\r\n");
    slow.peer().set_congested(true);
    publisher.send(&traced);
    assert_eq!(events(&reports), outcome("Not delivered because fast producer not stalled and consumer is slow"));
    slow.peer().set_congested(false);
    slow.peer().request(Control::Close(ClosedReason::ServerShutdown, None));
    publisher.arrive(traced.as_bytes());
    assert_eq!(events(&reports), outcome("Not delivered because client is closed"));
    world.settle();

    let once = subscribed(world.user("p"), "SUB foo.* 1\r\nUNSUB 1 1\r\n");
    publisher.arrive(format!("PUB foo.x 0\r\n\r\n{traced}").as_bytes());
    // Its interest has ended with the message before.
    assert_eq!(events(&reports), json!([{"type": "in", "acc": "$G", "subj": "foo.x"}]));
    assert_eq!(once.received(), "MSG foo.x 1 0\r\n\r\n");
}

const SERVICE: &str = r"
    accounts {
        A { users [ { user: a, password: pw } ], exports [ { service: svc, allow_trace: ALLOW } ] }
        B { users [ { user: b, password: pw } ], imports [ { service: { account: A, subject: svc }, to: local } ] }
    }
";

#[test]
fn a_trace_follows_a_request_where_the_service_allows_it() {
    // spec: CORE-133 SEC-052
    let world = World::new(&SERVICE.replace("ALLOW", "true"));
    let service = subscribed(world.user("a"), "SUB svc 1\r\n");
    let reports = subscribed(world.user("b"), "SUB trace 9\r\n");
    let requester = world.user("b");
    requester.send(&hpub("local reply", "Nats-Trace-Dest: trace", "hi"));
    let crossed = json!([
        {"type": "in", "acc": "B", "subj": "local"},
        {"type": "si", "acc": "A", "from": "local", "to": "svc"},
        {"type": "eg", "acc": "A", "sub": "svc"},
    ]);
    assert_eq!(events(&reports), crossed);
    let received = service.received();
    let destination = received.split("Nats-Trace-Dest: ").nth(1).and_then(|rest| rest.split("\r\n").next()).unwrap();
    assert!(destination.starts_with("_R_.") && destination.split('.').count() == 3, "{received:?}");
    assert!(received.contains("Nats-Request-Info: {\"acc\":\"B\"}\r\nNats-Trace-Dest: _R_."), "{received:?}");

    requester.send(&hpub("local reply", "Nats-Trace-Dest: trace\r\nNats-Trace-Only: true", "hi"));
    assert_eq!(events(&reports), crossed);
    assert_eq!(service.received(), "");
    let exporter = world.broker().accounts.get("A").unwrap();
    assert_eq!(exporter.responses.len(), 1, "nobody replies to what was only traced");
}

#[test]
fn a_trace_stops_where_the_service_does_not_allow_it() {
    // spec: CORE-130 CORE-133 SEC-052
    let world = World::new(&SERVICE.replace("ALLOW", "false"));
    let service = subscribed(world.user("a"), "SUB svc 1\r\n");
    let own = subscribed(world.user("b"), "SUB trace 9\r\nSUB local 7\r\n");
    let requester = world.user("b");
    for (only, reached) in [("", true), ("\r\nNats-Trace-Only: true", false)] {
        requester.send(&hpub("local", &format!("Nats-Trace-Dest: trace{only}"), "hi"));
        let received = service.received();
        assert_eq!(received.contains("\r\nNats-Trace-Dest: trace disabled\r\n\r\nhi\r\n"), reached, "{received:?}");
        let report = own.received();
        assert!(report.contains(r#""type":"si""#) && report.contains(r#""sub":"local""#), "{report}");
        assert!(!report.contains(r#""sub":"svc""#), "{report}");
    }
}

#[test]
fn replies_are_not_traced_across_accounts() {
    // spec: CORE-133
    let world = World::new(&SERVICE.replace("ALLOW", "true"));
    let service = subscribed(world.user("a"), "SUB svc 1\r\nSUB trace 2\r\n");
    let requester = subscribed(world.user("b"), "SUB answer 1\r\n");
    requester.send("PUB local answer 0\r\n\r\n");
    let reply = service.received().split(' ').nth(3).unwrap().to_owned();
    service.send(&hpub(&reply, "Nats-Trace-Dest: trace", "yes"));
    assert_eq!(
        events(&service),
        json!([{"type": "in", "acc": "A", "subj": reply}, {"type": "si", "acc": "B", "from": reply, "to": "answer"}])
    );
    let disabled = hpub("answer 1", "Nats-Trace-Dest: trace disabled", "yes").replacen("HPUB", "HMSG", 1);
    assert_eq!(requester.received(), disabled);
}

#[test]
fn a_trace_follows_a_stream_where_the_import_allows_it() {
    // spec: CORE-133 SEC-052
    for (allow, only) in [(true, false), (true, true), (false, false), (false, true)] {
        let world = World::new(&format!(
            r"
            accounts {{
                A {{ users [ {{ user: a, password: pw }} ], exports [ {{ stream: s }} ] }}
                B {{
                    users [ {{ user: b, password: pw }} ]
                    imports [ {{ stream: {{ account: A, subject: s }}, to: t, allow_trace: {allow} }} ]
                }}
            }}
            "
        ));
        let importer = subscribed(world.user("b"), "SUB t 1\r\n");
        let reports = subscribed(world.user("a"), "SUB trace 9\r\n");
        let headers = if only { "Nats-Trace-Dest: trace\r\nNats-Trace-Only: true" } else { "Nats-Trace-Dest: trace" };
        let message = hpub("s", headers, "hi");
        world.user("a").send(&message);
        let mut expected =
            vec![json!({"type": "in", "acc": "A", "subj": "s"}), json!({"type": "se", "acc": "B", "to": "t"})];
        if allow {
            expected.push(json!({"type": "eg", "acc": "B", "sub": "s"}));
        }
        assert_eq!(events(&reports), Value::from(expected), "{allow} {only}");
        let delivered = if only { String::new() } else { message.replace("HPUB s", "HMSG t 1") };
        assert_eq!(importer.received(), delivered, "{allow} {only}");
    }
}

#[test]
fn without_a_system_account_nothing_is_published() {
    let world = World::new("no_system_account: true");
    let reports = subscribed(world.quiet(), "SUB trace 9\r\nSUB foo 1\r\n");
    world.quiet().send(&hpub("foo", "Nats-Trace-Dest: trace\r\nNats-Trace-Only: true", ""));
    assert_eq!(reports.received(), "");
}
