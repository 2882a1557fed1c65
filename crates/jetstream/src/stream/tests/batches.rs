//! Batches, atomic and fast.

use super::*;

fn batch<'a>(id: &'a str, seq: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![("Nats-Batch-Id", id), ("Nats-Batch-Sequence", seq)]
}

fn last<'a>(id: &'a str, seq: &'a str, commit: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![("Nats-Batch-Id", id), ("Nats-Batch-Sequence", seq), ("Nats-Batch-Commit", commit)]
}

fn atomic() -> Scene {
    Scene::new(|config| {
        (config.allow_atomic, config.allow_rollup_hdrs, config.allow_msg_ttl) = (true, true, true);
    })
}

#[test]
fn a_batch_is_kept_as_a_whole() {
    // spec: JS-073 JS-585
    let mut scene = atomic().slow();
    scene.send_from("1", "s.a", &batch("b", "1"), "x");
    assert_eq!(scene.told(), ["1 "], "it waits");
    scene.send_from("9", "s.x", &[], "between");
    scene.send_from("2", "s.b", &last("b", "2", "1"), "y");
    scene.flush();
    assert_eq!(scene.kept(), [""; 0]);
    scene.sync();
    assert_eq!(scene.told(), [r#"9 {"stream":"S","seq":1}"#, r#"2 {"stream":"S","seq":3,"batch":"b","count":2}"#]);
    assert_eq!(scene.kept(), ["1 s.x", "2 s.a", "3 s.b"]);
    assert_eq!(scene.message(3), "s.b NATS/1.0|Nats-Batch-Id: b|Nats-Batch-Sequence: 2|Nats-Batch-Commit: 1||y");
}

#[test]
fn a_batch_may_end_before_its_last_message() {
    // spec: JS-073 JS-586
    let mut scene = atomic();
    scene.send_from("", "s.a", &batch("b", "1"), "x");
    assert_eq!(scene.ask("s.b", &last("b", "2", "eob"), "y"), r#"{"stream":"S","seq":1,"batch":"b","count":1}"#);
    assert_eq!(scene.message(1), "s.a NATS/1.0|Nats-Batch-Id: b|Nats-Batch-Sequence: 1|Nats-Batch-Commit: 1||x");
    assert_eq!(scene.kept(), ["1 s.a"]);
    let incomplete = error(400, 10176, "atomic publish batch is incomplete");
    assert_eq!(scene.ask("s.b", &last("c", "1", "eob"), "y"), incomplete);
}

#[test]
fn what_is_wrong_with_a_batch() {
    // spec: JS-073 JS-581 JS-582 JS-583 JS-584 JS-587
    let mut scene = atomic();
    let long = "q".repeat(65);
    let incomplete = error(400, 10176, "atomic publish batch is incomplete");
    assert_eq!(
        scene.ask("s.a", &[("Nats-Batch-Id", "q")], ""),
        error(400, 10175, "atomic publish sequence is missing")
    );
    assert_eq!(scene.ask("s.a", &batch("q", "2"), ""), incomplete);
    assert_eq!(scene.ask("s.a", &batch("q", "1001"), ""), error(400, 10199, "atomic publish batch is too large: 1000"));
    assert_eq!(scene.ask("s.a", &batch(&long, "1"), ""), error(400, 10179, "atomic publish batch ID is invalid"));
    assert_eq!(scene.ask("s.a", &last("q", "1", "z"), ""), error(400, 10200, "atomic publish batch commit is invalid"));
    scene.ask("s.a", &batch("q", "1"), "");
    assert_eq!(scene.ask("s.a", &batch("q", "3"), ""), incomplete);
    let unsupported = error(400, 10177, "atomic publish unsupported header used: Nats-Expected-Last-Msg-Id");
    let mut headers = last("q", "1", "1");
    headers.push(("Nats-Expected-Last-Msg-Id", "x"));
    assert_eq!(scene.ask("s.a", &headers, ""), unsupported);
    let mut headers = last("q", "1", "1");
    headers.push(("Nats-Required-Api-Level", "99"));
    assert_eq!(scene.ask("s.a", &headers, ""), error(412, 10185, "JetStream minimum api level required"));
    assert_eq!(scene.kept(), [""; 0]);
    let mut scene = Scene::new(|_| {});
    assert_eq!(scene.ask("s.a", &batch("q", "1"), ""), error(400, 10174, "atomic publish is disabled"));
}

#[test]
fn a_batch_that_fails_leaves_no_trace() {
    // spec: JS-073
    let mut scene = atomic();
    let mut first = batch("b", "1");
    first.push(("Nats-Msg-Id", "m"));
    scene.ask("s.a", &first, "");
    let mut second = last("b", "2", "1");
    second.push(("Nats-Msg-Id", "m"));
    let duplicate = error(400, 10201, "atomic publish batch contains duplicate message id");
    assert_eq!(scene.ask("s.a", &second, ""), duplicate);
    for (header, value, expected) in [
        ("Nats-Rollup", "sub", error(500, 10111, "batch rollup sub invalid")),
        ("Nats-Rollup", "all", error(500, 10111, "batch rollup all invalid")),
        ("Nats-Expected-Last-Sequence", "1", error(400, 10164, "wrong last sequence")),
        ("Nats-Expected-Last-Subject-Sequence", "1", error(400, 10164, "wrong last sequence")),
        ("Nats-TTL", "x", error(400, 10165, "invalid per-message TTL")),
    ] {
        scene.ask("s.a", &batch("b", "1"), "");
        let mut second = last("b", "2", "1");
        second.push((header, value));
        assert_eq!(scene.ask("s.a", &second, ""), expected, "{header}");
    }
    assert_eq!(scene.ask("s.a", &[("Nats-Msg-Id", "m")], ""), r#"{"stream":"S","seq":1}"#);
}

#[test]
fn a_batch_that_is_not_ended_is_given_up() {
    // spec: JS-073 JS-139
    let mut scene = atomic();
    scene.ask("s.a", &batch("b", "1"), "");
    scene.pass(Duration::from_secs(11));
    assert_eq!(
        scene.told(),
        [concat!(
            r#"$JS.EVENT.ADVISORY.STREAM.BATCH_ABANDONED.S {"type":"io.nats.jetstream.advisory.v1.stream_batch_abandoned","#,
            r#""id":"3000000000040000000000","timestamp":"2026-11-29T00:00:10Z","stream":"S","batch":"b","reason":"timeout"}"#,
        )]
    );
    assert_eq!(scene.ask("s.a", &batch("b", "2"), ""), error(400, 10176, "atomic publish batch is incomplete"));
    for place in 0..50 {
        scene.ask("s.a", &batch(&place.to_string(), "1"), "");
    }
    assert_eq!(scene.ask("s.a", &batch("x", "1"), ""), error(429, 10210, "atomic publish too many inflight"));
}

fn fast() -> Scene {
    Scene::new(|config| config.allow_batched = true)
}

/// What the reference says to replies, one after the other: the reply without its end, the stream that is expected, the id,
/// and what is said.
#[rustfmt::skip]
const TOLD: &[(&str, &str, &str, &[&str])] = &[
    ("u.2.fail.1.0", "", "", &[r#"{"type":"ack","seq":0,"msgs":2}"#]),
    ("u.2.fail.2.1", "", "", &[r#"{"type":"ack","seq":2,"msgs":2}"#]),
    ("u.2.fail.3.1", "", "", &[]),
    ("u.2.fail.4.2", "", "", &[r#"{"stream":"S","seq":4,"batch":"u","count":4}"#]),
    // A gap that is in no order ends a batch.
    ("u.10.fail.1.0", "", "", &[r#"{"type":"ack","seq":0,"msgs":10}"#]),
    ("u.10.fail.3.1", "", "", &[r#"{"type":"gap","last_seq":2,"seq":3}"#, r#"{"stream":"S","seq":5,"batch":"u","count":1}"#]),
    ("u.10.fail.4.1", "", "", &[r#"{"error":{"code":400,"err_code":10208,"description":"batch publish ID unknown"},"stream":"S","seq":0}"#]),
    ("v.10.ok.1.0", "", "", &[r#"{"type":"ack","seq":0,"msgs":10}"#]),
    ("v.10.ok.3.1", "", "", &[r#"{"type":"gap","last_seq":2,"seq":3}"#]),
    ("v.10.ok.4.3", "", "", &[r#"{"stream":"S","seq":7,"batch":"v","count":3}"#]),
    ("v.10.ok.1.0", "", "", &[r#"{"type":"ack","seq":0,"msgs":10}"#]),
    ("v.10.ok.2.1", "", "", &[]),
    ("v.10.ok.2.1", "", "", &[r#"{"type":"gap","last_seq":3,"seq":2}"#, r#"{"stream":"S","seq":9,"batch":"v","count":2}"#]),
    // Pings.
    ("p.10.ok.1.0", "", "", &[r#"{"type":"ack","seq":0,"msgs":10}"#]),
    ("p.10.ok.1.4", "", "", &[r#"{"type":"ack","seq":0,"msgs":10}"#]),
    ("p.10.ok.4.4", "", "", &[r#"{"type":"gap","last_seq":2,"seq":5}"#, r#"{"type":"ack","seq":0,"msgs":10}"#]),
    ("p.10.ok.6.3", "", "", &[r#"{"type":"gap","last_seq":5,"seq":6}"#, r#"{"stream":"S","seq":10,"batch":"p","count":5}"#]),
    ("p.10.fail.1.0", "", "", &[r#"{"type":"ack","seq":0,"msgs":10}"#]),
    ("p.10.fail.3.4", "", "", &[r#"{"type":"gap","last_seq":2,"seq":4}"#, r#"{"stream":"S","seq":11,"batch":"p","count":1}"#]),
    ("s.10.fail.1.2", "", "", &[r#"{"stream":"S","seq":12,"batch":"s","count":1}"#]),
    // Errors.
    ("e.10.fail.1.0", "Z", "", &[r#"{"type":"ack","seq":0,"msgs":10}"#, r#"{"error":{"code":400,"err_code":10060,"description":"expected stream does not match"},"stream":"S","seq":0}"#]),
    ("e.10.fail.1.0", "", "", &[r#"{"type":"ack","seq":0,"msgs":10}"#]),
    ("e.10.fail.2.1", "Z", "", &[r#"{"type":"err","seq":2,"error":{"code":400,"err_code":10060,"description":"expected stream does not match"}}"#, r#"{"stream":"S","seq":13,"batch":"e","count":1}"#]),
    ("e.10.ok.1.0", "", "", &[r#"{"type":"ack","seq":0,"msgs":10}"#]),
    ("e.10.ok.2.1", "Z", "", &[r#"{"type":"err","seq":2,"error":{"code":400,"err_code":10060,"description":"expected stream does not match"}}"#]),
    ("e.10.ok.3.2", "", "", &[r#"{"stream":"S","seq":15,"batch":"e","count":3}"#]),
    ("e.10.ok.1.0", "", "", &[r#"{"type":"ack","seq":0,"msgs":10}"#]),
    ("e.10.ok.2.2", "Z", "", &[r#"{"type":"err","seq":2,"error":{"code":400,"err_code":10060,"description":"expected stream does not match"}}"#, r#"{"stream":"S","seq":16,"batch":"e","count":1}"#]),
    // Ids.
    ("d.1.ok.1.0", "", "a", &[r#"{"type":"ack","seq":0,"msgs":1}"#, r#"{"type":"ack","seq":1,"msgs":1}"#]),
    ("d.1.ok.2.1", "", "a", &[r#"{"type":"ack","seq":2,"msgs":1}"#]),
    ("d.1.ok.3.2", "", "a", &[r#"{"type":"ack","seq":3,"msgs":1}"#, r#"{"stream":"S","seq":17,"batch":"d","count":3}"#]),
    ("d.1.fail.1.0", "", "a", &[r#"{"type":"ack","seq":0,"msgs":1}"#, r#"{"type":"ack","seq":1,"msgs":1}"#]),
    ("d.1.fail.1.2", "", "a", &[r#"{"type":"gap","last_seq":2,"seq":1}"#, r#"{"stream":"S","seq":0,"batch":"d","count":1}"#]),
    ("d.1.ok.1.2", "", "a", &[r#"{"type":"ack","seq":1,"msgs":1}"#, r#"{"stream":"S","seq":0,"batch":"d","count":1}"#]),
    // Two at a time.
    ("x.10.ok.1.0", "", "", &[r#"{"type":"ack","seq":0,"msgs":10}"#]),
    ("y.10.ok.1.0", "", "", &[r#"{"type":"ack","seq":0,"msgs":1}"#, r#"{"type":"ack","seq":1,"msgs":2}"#]),
    ("y.10.ok.2.1", "", "", &[]),
    ("y.10.ok.3.1", "", "", &[r#"{"type":"ack","seq":3,"msgs":4}"#]),
    ("y.10.ok.4.1", "", "", &[]),
    ("y.10.ok.5.3", "", "", &[r#"{"stream":"S","seq":22,"batch":"y","count":4}"#]),
];

#[test]
fn fast_batches_are_told_of_as_the_reference_tells() {
    // spec: JS-074
    let mut scene = fast();
    for (at, (place, stream, id, expected)) in TOLD.iter().enumerate() {
        let headers: Vec<_> = [("Nats-Expected-Stream", *stream), ("Nats-Msg-Id", *id)]
            .into_iter()
            .filter(|(_, value)| !value.is_empty())
            .collect();
        let reply = format!("i.{place}.$FI");
        scene.send_from(&reply, "s.a", &headers, "");
        scene.flush();
        let told: Vec<String> = scene.told().iter().map(|line| line[reply.len() + 1..].to_owned()).collect();
        assert_eq!(told, *expected, "{at}: {place}");
    }
}

#[test]
fn what_is_wrong_with_a_fast_batch() {
    // spec: JS-074
    let mut scene = fast();
    let answer = |scene: &mut Scene, reply: &str| {
        scene.send_from(reply, "s.a", &[], "");
        scene.flush();
        scene.told().join("\n").split_once(' ').unwrap().1.to_owned()
    };
    assert_eq!(answer(&mut scene, "x.$FI"), error(400, 10206, "batch publish pattern is invalid"));
    assert_eq!(answer(&mut scene, "i.u.10.ok.2.1.$FI"), error(400, 10208, "batch publish ID unknown"));
    let long = format!("i.{}.10.ok.1.0.$FI", "q".repeat(65));
    assert_eq!(answer(&mut scene, &long), error(400, 10207, "batch publish ID is invalid"));
    let mut scene = Scene::new(|_| {});
    assert_eq!(answer(&mut scene, "i.u.10.ok.1.0.$FI"), error(400, 10205, "batch publish is disabled"));
}
