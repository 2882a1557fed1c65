//! SUB and UNSUB: who gets what, how often, and in what order.

use std::fmt::Write;
use std::sync::atomic::Ordering::Relaxed;

use crate::support::World;

#[test]
fn patterns_select_subjects() {
    // spec: CORE-045 CORE-103
    for (pattern, subject, matches) in [
        ("a.b", "a.b", true),
        ("a.b", "a.c", false),
        ("a.*", "a.b", true),
        ("a.*", "a.b.c", false),
        ("a.>", "a.b.c", true),
        ("a.>", "a", false),
        (">", "a.b", true),
        ("*.b", "a.b", true),
        ("foo*", "foo*", true),
        ("foo*", "foobar", false),
    ] {
        let client = World::new("").quiet();
        client.send(&format!("SUB {pattern} sid-1\r\n"));
        let expected = if matches { format!("MSG {subject} sid-1 0\r\n\r\n") } else { String::new() };
        assert_eq!(client.ask(&format!("PUB {subject} 0\r\n\r\n")), expected, "{pattern} and {subject}");
    }
}

#[test]
fn subscriptions_that_are_not() {
    for (row, sub, answer) in [
        // spec: CORE-046 CORE-075
        ("CORE-046", "SUB a..b 1", "-ERR 'Invalid Subject'\r\n"),
        ("CORE-046", "SUB a.>.b 1", "-ERR 'Invalid Subject'\r\n"),
        ("CORE-046", "SUB .a 1", "-ERR 'Invalid Subject'\r\n"),
        // spec: CORE-048 CORE-077
        (
            "CORE-048",
            "SUB a _sys_ 1",
            "-ERR 'Permissions Violation for Subscription to \"a\" using queue \"_sys_\"'\r\n",
        ),
        // spec: CORE-050
        (
            "CORE-050",
            "SUB a.b.c.d 1",
            "-ERR 'Permissions Violation for Subscription to \"a.b.c.d\", too many tokens'\r\n",
        ),
    ] {
        let world = World::new("max_sub_tokens: 3");
        let client = world.quiet();
        assert_eq!(client.ask(&format!("{sub}\r\n")), answer, "{row}: {sub}");
        assert_eq!(client.closed(), None, "{row}");
        assert_eq!(client.peer().counters.subscriptions.load(Relaxed), 0, "{row}");
    }
}

#[test]
fn a_sid_is_taken_once() {
    // spec: CORE-047
    let client = World::new("").quiet();
    client.send("SUB a 1\r\nSUB b 1\r\n");
    assert_eq!(client.ask("PUB a 0\r\n\r\nPUB b 0\r\n\r\n"), "MSG a 1 0\r\n\r\n");
    client.send("UNSUB 1\r\nSUB b 1\r\n");
    assert_eq!(client.ask("PUB a 0\r\n\r\nPUB b 0\r\n\r\n"), "MSG b 1 0\r\n\r\n");
}

#[test]
fn as_many_as_allowed() {
    // spec: CORE-049 CORE-072 SEC-076
    let world = World::new("max_subscriptions: 2");
    let client = world.quiet();
    let error = "-ERR 'maximum subscriptions exceeded'\r\n";
    assert_eq!(client.ask("SUB a 1\r\nSUB b 2\r\nSUB c 3\r\n"), error);
    assert_eq!(client.closed(), None);
    assert_eq!(client.ask("UNSUB 1\r\nSUB c 3\r\nPUB c 0\r\n\r\n"), "MSG c 3 0\r\n\r\n");
    assert_eq!(world.quiet().ask("SUB a 1\r\nSUB b 2\r\n"), "", "each connection has its own");
}

#[test]
fn unsubscribing_after_some() {
    // spec: CORE-051 CORE-052
    for (story, sent, delivered) in [
        ("at once", "SUB a 1\r\nUNSUB 1\r\n", 0),
        ("after three", "SUB a 1\r\nUNSUB 1 3\r\n", 3),
        ("counted from its creation", "SUB a 1\r\nPUB a 0\r\n\r\nPUB a 0\r\n\r\nUNSUB 1 3\r\n", 3),
        ("had enough already", "SUB a 1\r\nPUB a 0\r\n\r\nPUB a 0\r\n\r\nUNSUB 1 2\r\n", 2),
        ("fewer than before", "SUB a 1\r\nUNSUB 1 4\r\nUNSUB 1 2\r\n", 2),
        ("more than before", "SUB a 1\r\nUNSUB 1 2\r\nUNSUB 1 4\r\n", 4),
        ("unknown", "SUB a 1\r\nUNSUB 2\r\nUNSUB 3 1\r\n", 6),
    ] {
        for in_one_piece in [true, false] {
            let world = World::new("");
            let client = world.quiet();
            let all = format!("{sent}{}", "PUB a 0\r\n\r\n".repeat(6 - sent.matches("PUB").count()));
            if in_one_piece {
                client.send(&all);
            } else {
                all.split_inclusive('\n').for_each(|line| client.send(line));
            }
            assert_eq!(client.received().matches("MSG a 1 0\r\n\r\n").count(), delivered, "{story}");
            let left = u32::from(story == "unknown");
            assert_eq!(client.peer().counters.subscriptions.load(Relaxed), left, "{story}");
            assert_eq!(
                world.broker().accounts.get("$G").expect("always there").interest.len(),
                left as usize,
                "{story}"
            );
        }
    }
}

#[test]
fn a_sid_is_free_after_the_last_message() {
    // spec: CORE-051 CORE-047
    let client = World::new("").quiet();
    let received = client.ask("SUB a 1\r\nUNSUB 1 1\r\nPUB a 0\r\n\r\nSUB b 1\r\nPUB b 0\r\n\r\n");
    assert_eq!(received, "MSG a 1 0\r\n\r\nMSG b 1 0\r\n\r\n");
    assert_eq!(client.ask("PUB b 0\r\n\r\n"), "MSG b 1 0\r\n\r\n", "the end of one does not take the other");
    let received = client.ask("UNSUB 1\r\nSUB c 1\r\nUNSUB 1 1\r\nPUB c 0\r\n\r\nUNSUB 1\r\nSUB d 1\r\n");
    assert_eq!(received, "MSG c 1 0\r\n\r\n");
    assert_eq!(client.ask("PUB d 0\r\n\r\n"), "MSG d 1 0\r\n\r\n");
}

#[test]
fn one_of_a_group_gets_each_message() {
    // spec: CORE-093 CORE-108 CORE-109
    let world = World::new("");
    let members: Vec<_> = (0..3).map(|_| world.quiet()).collect();
    for member in &members {
        member.send("SUB a.* g 1\r\nSUB a.> h 2\r\n");
    }
    members[0].send("SUB a.b 3\r\n");
    world.quiet().send(&"PUB a.b 0\r\n\r\n".repeat(300));
    let count = |sid: &str, texts: &[String]| -> Vec<usize> {
        texts.iter().map(|t| t.matches(&format!("MSG a.b {sid} 0")).count()).collect()
    };
    let texts: Vec<_> = members.iter().map(crate::support::Client::received).collect();
    for sid in ["1", "2"] {
        let counts = count(sid, &texts);
        assert_eq!(counts.iter().sum::<usize>(), 300, "each group has each message once");
        assert!(counts.iter().all(|n| *n > 60), "and every member a share: {counts:?}");
    }
    assert_eq!(count("3", &texts), [300, 0, 0], "others have them all");
}

#[test]
fn a_member_that_cannot_is_passed_over() {
    // spec: CORE-098 CORE-062
    let world = World::new(
        "authorization { users: [
        {user: u, password: pw}, {user: d, password: pw, permissions: {subscribe: {allow: \">\", deny: \"a.x\"}}}] }",
    );
    let (denied, over, good) = (world.user("d"), world.user("u"), world.user("u"));
    let mute = world.client(r#"CONNECT {"verbose":false,"echo":false,"user":"u","pass":"pw"}"#);
    denied.send("SUB a.* g 1\r\n");
    over.send("SUB a.* g 1\r\nUNSUB 1 1\r\n");
    mute.send("SUB a.* g 1\r\n");
    good.send("SUB a.* g 1\r\n");
    mute.send(&"PUB a.x 0\r\n\r\n".repeat(100));
    assert_eq!(denied.received(), "");
    assert_eq!(mute.received(), "");
    let (few, many) = (over.received().matches("MSG").count(), good.received().matches("MSG").count());
    assert_eq!((few + many, few), (100, 1), "none is lost");
}

#[test]
fn messages_keep_their_order() {
    // spec: CORE-092
    let world = World::new("");
    let (publisher, subscriber) = (world.quiet(), world.quiet());
    subscriber.send("SUB o 1\r\n");
    let mut expected = String::new();
    for n in 0..500 {
        let pad = "x".repeat(if n % 50 == 0 { 9000 } else { n % 7 });
        let body = format!("{n} {pad}");
        publisher.send(&format!("PUB o {}\r\n{body}\r\n", body.len()));
        write!(expected, "MSG o 1 {}\r\n{body}\r\n", body.len()).expect("a string takes all");
    }
    assert_eq!(subscriber.received(), expected);
}

#[test]
fn a_connection_that_is_gone_leaves_nothing() {
    let world = World::new("");
    let client = world.quiet();
    client.send("SUB a 1\r\nSUB b.* q 2\r\nSUB > 3\r\nUNSUB 3 5\r\n");
    let account = world.broker().accounts.get("$G").expect("always there");
    assert_eq!((account.interest.len(), account.connections(), world.broker().registry.len()), (3, 1, 1));
    client.hang_up();
    assert_eq!((account.interest.len(), account.connections(), world.broker().registry.len()), (0, 0, 0));
}

#[test]
fn what_was_routed_before_a_drain_is_delivered() {
    // spec: CORE-053
    let world = World::new("");
    let (publisher, draining) = (world.quiet(), world.quiet());
    draining.send("SUB a 1\r\nPING\r\n");
    draining.received();
    draining.wire().block();
    publisher.send(&"PUB a 0\r\n\r\n".repeat(10));
    draining.send("UNSUB 1\r\nPING\r\n");
    publisher.send("PUB a 0\r\n\r\n");
    draining.wire().unblock();
    world.settle();
    assert_eq!(draining.received(), format!("{}PONG\r\n", "MSG a 1 0\r\n\r\n".repeat(10)));
}
