//! Servers that are older, or no servers at all: the other end is played by the test.

use std::time::Duration;

use martlet_cluster::gateway::Outward;
use martlet_config::options::LinkUrl;
use martlet_proto::ClosedReason;

use crate::support::{Client, World, with_gateway};

/// A server of cluster A, which knows of B.
fn server(more: &str) -> World {
    World::new(&[with_gateway(0, "A", more, &[("B", 1)])], 1)
}

fn info(more: &str) -> String {
    format!(r#"INFO {{"server_id":"NOLD","server_name":"old","headers":true,"gateway":"B","gateway_nrp":true{more}}}"#)
        + "\r\n"
}

/// The server's connection to B, whose server is an older one.
fn dialled(world: &World) -> Client<'_> {
    let url = LinkUrl::parse("nats://h:7001").expect("a URL");
    let old = world.play_gateway(0, Some(Outward { cluster: "B".into(), url }));
    old.send(&info(""));
    assert!(old.received().starts_with("CONNECT "));
    old
}

fn command(number: u8) -> String {
    format!("INFO {{\"gateway\":\"B\",\"gateway_cmd\":{number},\"gateway_cmd_payload\":\"JEc=\"}}\r\n")
}

#[test]
fn an_older_server_gets_everything_until_it_objects() {
    // spec: CLU-044 CLU-045 CLU-050
    let world = server("");
    let (old, client) = (dialled(&world), world.quiet(0));
    let sent = |subject: &str| {
        client.send(&format!("PUB {subject} 1\r\nx\r\n"));
        old.received()
    };
    let all = |subject: &str| format!("RMSG $G {subject} 1\r\nx\r\n");
    assert_eq!(sent("x"), all("x"));
    old.send("RS- $G x\r\n");
    assert_eq!((sent("x"), sent("y")), (String::new(), all("y")));
    old.send("RS+ $G x\r\n");
    assert_eq!(sent("x"), all("x"));
    old.send("A- $G\r\n");
    assert_eq!(sent("y"), "");
    old.send("RS+ $G job q 1\r\n");
    assert_eq!(sent("job"), "RMSG $G job | q 1\r\nx\r\n", "groups are told of all the same");
    old.send("A+ $G\r\n");
    assert_eq!((sent("y"), sent("job")), (all("y"), "RMSG $G job | q 1\r\nx\r\n".to_owned()));
    assert_eq!(client.received(), "");
}

#[test]
fn streams_are_asked_for_by_their_domain_alone() {
    // spec: JS-002 JS-137 CLU-057 CLU-200
    let more = "accounts { A { jetstream: enabled, users: [{user: a, password: pw}] } }\n jetstream { domain: here }";
    let world = World::new(&[format!("{}{more}", with_gateway(0, "A", "", &[("B", 1)]))], 1);
    let (other, client) = (world.play_gateway(0, None), world.user(0, "a"));
    other.send(&format!("CONNECT {{\"gateway\":\"B\"}}\r\n{}", info(r#","gateway_iom":true"#)));
    client.send("SUB $JS.API.> 1\r\nSUB $KV.b.> 2\r\nSUB foo 3\r\n");
    let told = other.received();
    assert!(told.contains("RS+ A $JS.here.API.STREAM.>\r\n") && told.contains("RS+ A foo\r\n"), "{told}");
    assert!(!told.contains("A $JS.API") && !told.contains("A $KV"), "{told}");
    other.send("RMSG A $JS.API.INFO 1\r\n1\r\nRMSG A $KV.b.k 1\r\n2\r\n");
    assert_eq!(client.received(), "", "not what is asked of the other cluster's");
    other.send("RMSG A $JS.here.API.INFO 1\r\n3\r\nRMSG A $JS.here.API.$KV.b.k 1\r\n4\r\n");
    assert_eq!(client.received(), "MSG $JS.API.INFO 1 1\r\n3\r\nMSG $KV.b.k 2 1\r\n4\r\n");
}

#[test]
fn an_older_server_may_tell_all_there_is() {
    // spec: CLU-042 CLU-044 CLU-050
    let world = server("");
    let (old, client) = (dialled(&world), world.quiet(0));
    old.send(&format!("RS- $G z\r\n{}RS+ $G x\r\n", command(2)));
    client.send("PUB y 1\r\n1\r\nPUB z 1\r\n2\r\n");
    assert_eq!(old.received(), "RMSG $G y 1\r\n1\r\n", "until it has");
    old.send(&command(3));
    client.send("PUB y 1\r\n3\r\nPUB x 1\r\n4\r\n");
    assert_eq!(old.received(), "RMSG $G x 1\r\n4\r\n");
    old.send("RS- $G x\r\nRS+ $G z\r\n");
    client.send("PUB x 1\r\n5\r\nPUB z 1\r\n6\r\n");
    assert_eq!(old.received(), "RMSG $G z 1\r\n6\r\n");
}

#[test]
fn interest_is_told_by_who_accepts() {
    // spec: CLU-044
    for line in ["RS+ $G x", "RS- $G x", "A+ $G", "A- $G"] {
        let world = server("");
        let other = world.play_gateway(0, None);
        other.send(&format!("CONNECT {{\"gateway\":\"B\"}}\r\n{}", info("")));
        other.send(&format!("{line}\r\n"));
        assert_eq!(other.end.closed.get(), Some(ClosedReason::ProtocolViolation), "{line}");
    }
}

#[test]
fn who_does_not_belong_here() {
    // spec: CLU-041 SEC-101
    let strict = "authorization { user: u, password: p }";
    let (port, login) = (ClosedReason::WrongPort, ClosedReason::AuthenticationViolation);
    let (wrong, denied) = ("-ERR 'attempted to connect to gateway port'", "-ERR 'Authorization Violation'");
    for (more, said, error, reason) in [
        ("", r#"CONNECT {"lang":"go","user":"a"}"#, wrong, port),
        ("", r#"CONNECT {"name":"N","cluster":"A"}"#, wrong, port),
        ("", "PING", denied, login),
        ("", "nonsense", denied, login),
        (strict, r#"CONNECT {"gateway":"B"}"#, denied, login),
        (strict, r#"CONNECT {"gateway":"B","user":"u","pass":"q"}"#, denied, login),
        (
            "reject_unknown: true",
            r#"CONNECT {"gateway":"C"}"#,
            "-ERR 'Connection to gateway \"A\" rejected'",
            ClosedReason::WrongGateway,
        ),
    ] {
        let world = server(more);
        let other = world.play_gateway(0, None);
        assert!(other.received().starts_with("INFO {"));
        other.send(&format!("{said}\r\n"));
        assert_eq!(other.received(), format!("{error}\r\n"), "{said}");
        assert_eq!(other.end.closed.get(), Some(reason), "{said}");
    }
    let world = server(strict);
    let other = world.play_gateway(0, None);
    other.send(&format!("CONNECT {{\"gateway\":\"B\",\"user\":\"u\",\"pass\":\"p\"}}\r\n{}", info("")));
    assert_eq!(other.end.closed.get(), None);
}

#[test]
fn a_port_that_is_no_gateway() {
    // spec: CLU-041
    let world = server("");
    let url = LinkUrl::parse("nats://h:7001").expect("a URL");
    let other = world.play_gateway(0, Some(Outward { cluster: "B".into(), url }));
    other.send("INFO {\"server_id\":\"N\"}\r\n");
    assert_eq!(other.received(), "-ERR 'Attempt to connect to gateway \"B\" using wrong port'\r\n");
    assert_eq!(other.end.closed.get(), Some(ClosedReason::WrongPort));
}

#[test]
fn pings_are_never_further_apart_than_fifteen_seconds_whatever_else_is_said() {
    // spec: CLU-047
    let world = server("");
    let other = dialled(&world);
    let mut pings = Vec::new();
    for second in 0..60_u32 {
        world.advance(Duration::from_secs(1));
        other.send(&format!("RS- $G s.{second}\r\n"));
        if other.received().contains("PING\r\n") {
            pings.push(second);
            other.send("PONG\r\n");
        }
    }
    let apart: Vec<u32> = pings.windows(2).map(|two| two[1] - two[0]).collect();
    assert!(pings[0] < 15 && apart.iter().all(|&apart| apart == 15) && apart.len() >= 3, "{pings:?}");
}
