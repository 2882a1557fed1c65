//! Events of the system account: who hears what, in which words, and what happens when nobody listens or too much happens.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use martlet_broker::events::{Count, ServerEvent, ServerStats};
use martlet_events::WallTime;
use serde_json::{Map, Value, json};
use support::{Client, QUIET, World};

const ACCOUNTS: &str = r"
    accounts {
        A { users [ { user: a, password: pw } ] }
        SYS { users [ { user: s, password: pw } ] }
    }
    system_account: SYS
";

const SERVER: &str = "NAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// A server, and a user of its system account who listens to `subject`.
fn world(subject: &str) -> (World, Client) {
    let world = World::new(ACCOUNTS);
    world.broker().site().set_origin(WallTime::from_nanos(1_795_339_108_000_000_000));
    let listener = world.user("s");
    listener.ask(&format!("SUB {subject} 1\r\n"));
    (world, listener)
}

/// Publishes what happened and gives the events that `listener` got, by subject, in order.
fn told(world: &World, listener: &Client) -> Vec<(String, Value)> {
    world.broker().publish_events(world.now());
    world.settle();
    let received = listener.received().replace("PING\r\n", "");
    let mut lines = received.split_terminator("\r\n");
    let mut events = Vec::new();
    while let (Some(head), Some(body)) = (lines.next(), lines.next()) {
        let subject = head.split(' ').nth(1).unwrap_or_else(|| panic!("no message: {head:?}"));
        let event = serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {body:?}"));
        events.push((subject.replace(SERVER, "ID"), event));
    }
    events
}

fn subjects(events: &[(String, Value)]) -> Vec<&str> {
    events.iter().map(|(subject, _)| &**subject).collect()
}

/// Takes what differs between events out of one, and checks it.
fn check_head(event: &mut Value, kind: &str, timestamp: &str) -> Map<String, Value> {
    let fields = event.as_object_mut().expect("an event is an object");
    assert_eq!(fields.remove("type"), Some(format!("io.nats.server.advisory.v1.{kind}").into()));
    assert_eq!(fields.remove("timestamp"), Some(timestamp.into()));
    assert_eq!(fields.remove("id").as_ref().and_then(Value::as_str).map(str::len), Some(22));
    let server = fields.remove("server").expect("an event tells its server");
    assert_eq!(
        (&server["name"], &server["id"], &server["ver"]),
        (&"under-test".into(), &SERVER.into(), &"2.15.1".into())
    );
    std::mem::take(fields)
}

#[test]
fn clients_that_come_and_go_are_told() {
    // spec: CORE-185 CLU-094 CLU-096
    let (world, listener) = world("$SYS.ACCOUNT.A.*");
    let connect = QUIET.replace('}', r#","user":"a","pass":"pw","name":"<me>","lang":"py","version":"1"}"#);
    let client = world.client(&connect);
    let mut events = told(&world, &listener);
    assert_eq!(subjects(&events), ["$SYS.ACCOUNT.A.CONNECT"]);
    let came = check_head(&mut events[0].1, "client_connect", "2026-11-22T10:18:28Z");
    let mut who = json!({
        "start": "2026-11-22T10:18:28Z", "host": "127.0.0.1", "id": 2, "acc": "A", "user": "a", "name": "<me>",
        "lang": "py", "ver": "1", "name_tag": "A", "kind": "Client", "client_type": "nats",
    });
    assert_eq!(Value::Object(came), json!({ "client": who }));

    client.send("SUB foo 1\r\nPUB foo 5\r\n12345\r\nPUB bar 1\r\n1\r\n");
    client.peer().counters.rtt.store(77, Relaxed);
    world.skip(Duration::from_secs(3));
    client.hang_up();
    let mut events = told(&world, &listener);
    assert_eq!(subjects(&events), ["$SYS.ACCOUNT.A.DISCONNECT"]);
    let went = check_head(&mut events[0].1, "client_disconnect", "2026-11-22T10:18:31Z");
    who["stop"] = "2026-11-22T10:18:31Z".into();
    who["rtt"] = 77.into();
    assert_eq!(
        Value::Object(went),
        json!({
            "client": who, "sent": { "msgs": 2, "bytes": 6 }, "received": { "msgs": 1, "bytes": 5 },
            "reason": "Client Closed",
        })
    );
}

#[test]
fn fields_stand_in_the_order_of_the_wire() {
    // spec: CORE-185 CORE-187
    let (world, listener) = world("$SYS.ACCOUNT.A.>");
    world.user("a").hang_up();
    world.broker().publish_events(world.now());
    let received = listener.received();
    for (event, order) in [
        (
            "client_connect",
            &["type", "id", "timestamp", "server", "client", "start", "host", "acc", "user", "name_tag", "kind"][..],
        ),
        ("client_disconnect", &["type", "server", "client", "start", "stop", "name_tag", "sent", "received", "reason"]),
        (
            "account_connections",
            &[
                "type",
                "server",
                "acc",
                "conns",
                "leafnodes",
                "total_conns",
                "num_subscriptions",
                "sent",
                "gateways",
                "received",
                "slow_consumers",
            ],
        ),
    ] {
        let mut rest = received.lines().find(|line| line.contains(event)).unwrap_or_else(|| panic!("no {event}"));
        for field in order {
            rest = rest.split_once(&format!("\"{field}\":")).unwrap_or_else(|| panic!("{event}: {field}")).1;
        }
    }
}

#[test]
fn clients_of_no_account_are_the_global_accounts() {
    // spec: CORE-185
    let (world, listener) = world("$SYS.ACCOUNT.$G.>");
    world.open().hang_up();
    let events = told(&world, &listener);
    assert_eq!(subjects(&events), ["$SYS.ACCOUNT.$G.DISCONNECT"]);
    let client = &events[0].1["client"];
    assert_eq!((&client["acc"], client.get("user"), client.get("rtt")), (&"$G".into(), None, None));
}

#[test]
fn refused_clients_are_told_with_the_reason() {
    // spec: CORE-186 SEC-006
    let (world, listener) = world("$SYS.SERVER.*.CLIENT.AUTH.ERR");
    for (connect, user) in [
        (r#"CONNECT {"user":"nobody","pass":"x"}"#, json!("nobody")),
        (r#"CONNECT {"auth_token":"secret"}"#, json!("[REDACTED]")),
        ("SUB a 1", Value::Null),
    ] {
        let refused = world.client(connect);
        assert!(refused.closed().is_some());
        let mut events = told(&world, &listener);
        assert_eq!(subjects(&events), ["$SYS.SERVER.ID.CLIENT.AUTH.ERR"], "{connect}");
        let event = check_head(&mut events[0].1, "client_disconnect", "2026-11-22T10:18:28Z");
        assert_eq!(event["reason"], "Authentication Failure");
        assert_eq!((&event["client"]["acc"], &event["client"]["user"]), (&"$G".into(), &user), "{connect}");
        assert!(event["client"].get("stop").is_some() && event["sent"]["msgs"] == 0);
    }
}

#[test]
fn the_global_account_hears_who_was_refused() {
    // spec: CORE-186
    let world = World::new("authorization { users [ { user: g, password: pw } ] }");
    let listener = world.user("g");
    listener.ask("SUB $SYS.> 1\r\n");
    world.client("SUB who.never.connected 1");
    world.client(r#"CONNECT {"user":"nobody","pass":"x"}"#);
    let events = told(&world, &listener);
    assert_eq!(subjects(&events), ["$SYS.ACCOUNT.CLIENT.AUTH.ERR"]);
    assert_eq!(events[0].1["client"]["user"], "nobody");
}

#[test]
fn an_account_tells_its_connections_when_they_change_and_now_and_then() {
    // spec: CORE-187 CLU-094
    let (world, listener) = world("$SYS.*.ACCOUNT.A.CONNS");
    listener.ask("SUB $SYS.ACCOUNT.A.SERVER.CONNS 2\r\n");
    let both = ["$SYS.SERVER.ACCOUNT.A.CONNS", "$SYS.ACCOUNT.A.SERVER.CONNS"];
    let client = world.user("a");
    client.send("SUB foo 1\r\nPUB foo 5\r\n12345\r\n");
    let mut events = told(&world, &listener);
    assert_eq!(subjects(&events), both);
    assert_eq!(events[0].1["id"], events[1].1["id"], "one event on two subjects");
    let event = check_head(&mut events[1].1, "account_connections", "2026-11-22T10:18:28Z");
    let links = json!({ "msgs": 0, "bytes": 0 });
    let traffic = json!({ "msgs": 1, "bytes": 5, "gateways": links, "routes": links, "leafs": links });
    for (field, value) in
        [("acc", json!("A")), ("name", json!("A")), ("leafnodes", json!(0)), ("slow_consumers", json!(0))]
    {
        assert_eq!(event[field], value, "{field}");
    }
    assert_eq!((&event["conns"], &event["total_conns"]), (&json!(1), &json!(1)));
    assert_eq!((&event["sent"], &event["received"]), (&traffic, &traffic));

    // A heartbeat after half a minute of quiet, not before.
    for (seconds, expected) in [(29, &[][..]), (1, &both), (29, &[]), (1, &both)] {
        world.skip(Duration::from_secs(seconds));
        assert_eq!(subjects(&told(&world, &listener)), expected);
    }
    client.hang_up();
    let events = told(&world, &listener);
    assert_eq!(subjects(&events), both);
    assert_eq!((&events[0].1["conns"], &events[0].1["sent"]), (&json!(0), &traffic), "traffic outlives connections");
    world.skip(Duration::from_mins(1));
    assert_eq!(subjects(&told(&world, &listener)), [""; 0], "an account without connections is quiet");
}

#[test]
fn without_a_listener_nothing_is_kept() {
    // spec: CORE-185
    let (world, listener) = world("nothing.of.this");
    let wakes = Arc::new(AtomicUsize::new(0));
    let counted = wakes.clone();
    world.broker().on_events(move || {
        counted.fetch_add(1, Relaxed);
    });
    world.user("a").hang_up();
    listener.ask("SUB $SYS.ACCOUNT.A.> 2\r\n");
    assert_eq!(subjects(&told(&world, &listener)), [""; 0]);
    assert_eq!(wakes.load(Relaxed), 0);
    // Whoever keeps house is woken once for all that waits.
    world.user("a").hang_up();
    assert_eq!(wakes.load(Relaxed), 1);
    assert_eq!(told(&world, &listener).len(), 4);
    world.user("a");
    assert_eq!(wakes.load(Relaxed), 2);
}

#[test]
fn facts_that_nobody_takes_out_are_bounded() {
    // spec: CORE-185
    let (world, listener) = world("$SYS.ACCOUNT.$G.DISCONNECT");
    for _ in 0..16 * 1024 + 50 {
        let peer = world.broker().registry.enter(9, |cid, slot| {
            martlet_broker::Peer::new(cid, slot, Box::new(support::Wire::default()), 1, world.now())
        });
        let reason = martlet_proto::ClosedReason::ClientClosed;
        world.broker().leave(&peer.0, reason, martlet_broker::registry::KeptSubscriptions::default(), world.now());
    }
    assert_eq!(told(&world, &listener).len(), 16 * 1024);
    assert_eq!(world.broker().dropped_events(), 50);
}

#[test]
fn a_server_tells_that_it_goes_and_then_nothing() {
    // spec: CLU-094 CORE-142
    let (world, listener) = world("$SYS.>");
    told(&world, &listener);
    let client = world.user("a");
    told(&world, &listener);
    world.broker().publish_server_event(ServerEvent::LameDuck, world.now());
    world.broker().publish_server_event(ServerEvent::Shutdown, world.now());
    client.hang_up();
    let events = told(&world, &listener);
    assert_eq!(subjects(&events), ["$SYS.SERVER.ID.LAMEDUCK", "$SYS.SERVER.ID.SHUTDOWN"]);
    assert_eq!((&events[0].1["name"], &events[0].1["id"]), (&"under-test".into(), &SERVER.into()));
    assert_eq!(events[1].1["seq"].as_u64(), events[0].1["seq"].as_u64().map(|seq| seq + 1));
}

#[test]
fn statistics_are_read_only_for_a_listener() {
    // spec: CLU-094 CLU-095
    let (world, listener) = world("$SYS.SERVER.*.STATSZ");
    let stats = || ServerStats {
        cpu: 2.0,
        connections: 3,
        sent: Count { msgs: 1, bytes: 2 },
        stale_connections: 4,
        ..ServerStats::default()
    };
    world.broker().publish_statistics(world.now(), stats);
    let events = told(&world, &listener);
    assert_eq!(subjects(&events), ["$SYS.SERVER.ID.STATSZ"]);
    let of = &events[0].1["statsz"];
    assert_eq!(
        (&of["cpu"], &of["connections"], &of["sent"]),
        (&json!(2), &json!(3), &json!({ "msgs": 1, "bytes": 2 }))
    );
    assert_eq!((of.get("stale_connections"), of.get("stalled_clients")), (Some(&json!(4)), None));
    listener.ask("UNSUB 1\r\n");
    world.broker().publish_statistics(world.now(), || panic!("nobody asked"));
}

#[test]
fn without_a_system_account_there_are_no_events() {
    // spec: CORE-185
    let mut options = support::options("");
    options.switches.no_system_account = true;
    let world = World::with_options(&options);
    let listener = world.quiet();
    listener.ask("SUB > 1\r\n");
    world.quiet().hang_up();
    world.broker().publish_server_event(ServerEvent::Shutdown, world.now());
    assert_eq!(subjects(&told(&world, &listener)), [""; 0]);
}
