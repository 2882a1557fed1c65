//! Traces of messages that pass from server to server.

use crate::support::World;

/// A message with these headers in front of `hi`.
fn traced(subject: &str, headers: &str) -> String {
    let block = format!("NATS/1.0\r\n{headers}\r\n");
    format!("HPUB {subject} {} {}\r\n{block}hi\r\n", block.len(), block.len() + 2)
}

/// The reports in what a client received on `trace`.
fn reports(received: &str) -> Vec<String> {
    received.lines().filter(|line| line.starts_with("{\"server\"")).map(str::to_owned).collect()
}

const SYSTEM: &str = "accounts { A { users: [{user: a, password: a}] }, SYS { users: [{user: s, password: s}] } }
    system_account: SYS, no_auth_user: a";

#[test]
fn every_server_on_the_way_reports() {
    // spec: CORE-125 CORE-127 CLU-004
    for only in [false, true] {
        let world = World::mesh(3, SYSTEM, "", 4);
        let (here, there, further) = (world.quiet(0), world.quiet(1), world.quiet(2));
        here.send("SUB trace 9\r\n");
        there.send("SUB foo 1\r\n");
        further.send("SUB foo 1\r\n");
        let mode = if only { "Nats-Trace-Only: true\r\n" } else { "" };
        // What a client says of hops counts for nothing.
        here.send(&traced("foo", &format!("Nats-Trace-Dest: trace\r\nNats-Trace-Hop: 7\r\n{mode}")));
        let received = there.received();
        assert_eq!(received.matches("HMSG foo 1").count(), usize::from(!only), "{received}");
        assert_eq!(further.received().matches("HMSG foo 1").count(), usize::from(!only));
        let mut all = reports(&here.received());
        all.sort_by_key(|report| !report.contains(r#""name":"s0""#));
        assert_eq!(all.len(), 3, "one from each server, not {all:#?}");
        let first = &all[0];
        assert!(first.contains(r#""hops":2"#), "{first}");
        for hop in ["1", "2"] {
            assert!(first.contains(&format!(r#""hop":"{hop}""#)), "{first}");
        }
        for name in ["s1", "s2"] {
            assert!(first.contains(r#""kind":1,"cid""#) && first.contains(&format!(r#""name":"{name}","hop""#)));
            let other = all.iter().skip(1).find(|report| report.contains(&format!(r#""name":"{name}""#)));
            let other = other.expect("a report from each");
            assert!(
                other.contains(r#""type":"in","#) && other.contains(r#""name":"s0","acc":"A","subj":"foo""#),
                "{other}"
            );
            assert!(other.contains(r#""type":"eg","#) && other.contains(r#""sub":"foo""#), "{other}");
            assert!(!other.contains(r#""hops""#), "{other}");
        }
        let hops: Vec<_> = ["1", "2"]
            .iter()
            .filter(|hop| all[1..].iter().any(|r| r.contains(&format!(r#""Nats-Trace-Hop":["{hop}"]"#))))
            .collect();
        assert_eq!(hops.len(), 2, "each was told its own number: {all:#?}");
    }
}

#[test]
fn what_was_sampled_out_is_traced_nowhere() {
    // spec: CORE-126 CORE-130
    let top = SYSTEM.replace("A {", "A { msg_trace: {dest: trace, sampling: 50%},");
    let world = World::mesh(2, &top, "", 4);
    let (here, there) = (world.quiet(0), world.quiet(1));
    here.send("SUB trace 9\r\n");
    there.send("SUB foo 1\r\n");
    let (mut both, mut disabled) = (0, 0);
    for _ in 0..60 {
        here.send(&traced("foo", "traceparent: 00-a-b-01\r\n"));
        let told = there.received().contains("Nats-Trace-Dest: trace disabled");
        let count = reports(&here.received()).len();
        assert_eq!(count, if told { 0 } else { 2 }, "either all servers report or none");
        both += usize::from(!told);
        disabled += usize::from(told);
    }
    assert!(both > 5 && disabled > 5, "about half of each: {both} and {disabled}");
}
