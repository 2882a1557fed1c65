use super::*;

fn sampled(sampling: Sampling, lines: &str) -> Option<String> {
    let latency = Latency { subject: "results".into(), sampling };
    let headers = if lines.is_empty() { String::new() } else { format!("NATS/1.0\r\n{lines}\r\n\r\n") };
    let kept = sample(&latency, headers.as_bytes(), &mut fastrand::Rng::with_seed(1))?;
    Some(kept.iter().map(|(name, values)| format!("{name}={}", values.join("|"))).collect::<Vec<_>>().join(" "))
}

#[test]
fn headers_decide_in_their_order_and_bring_their_kin() {
    // spec: SEC-050
    for (lines, kept) in [
        ("", None),
        ("X: y", None),
        ("Uber-Trace-Id: 1:2:3:1\r\nUberctx-A: b\r\nUber: 2", Some("Uber-Trace-Id=1:2:3:1 Uberctx-A=b")),
        ("Uber-Trace-Id: 1:2:3:0", None),
        ("Uber-Trace-Id: 1:2:3:f1", Some("Uber-Trace-Id=1:2:3:f1")),
        ("Uber-Trace-Id: 1:2:3:011", None),
        ("Uber-Trace-Id: 1:2:3\r\nX-B3-Sampled: 1", None),
        ("X-B3-Sampled: 1\r\nX-B3-SpanId: 4\r\nB3: x", Some("X-B3-Sampled=1 X-B3-Spanid=4")),
        ("X-B3-Sampled: 0\r\nX-B3-TraceId: 5", None),
        ("X-B3-Sampled: d\r\nX-B3-TraceId: 5", Some("X-B3-Sampled=d X-B3-Traceid=5")),
        ("x-b3-traceid: 5", Some("X-B3-Traceid=5")),
        ("b3: 0", None),
        ("B3: a-b-0-c", None),
        ("B3: a-b-1-c", Some("B3=a-b-1-c")),
        ("B3: a-b", Some("B3=a-b")),
        ("traceparent: 00-a-b-01\r\ntracestate: z", Some("Traceparent=00-a-b-01 Tracestate=z")),
        ("Traceparent: 00-a-b-00", None),
        ("B3: 1\r\nmalformed", None),
        ("B3: 1\r\nmal formed: x", None),
    ] {
        assert_eq!(sampled(Sampling::Headers, lines).as_deref(), kept, "{lines:?}");
    }
}

#[test]
fn a_percentage_decides_by_chance_and_headers_may_still_ask() {
    // spec: SEC-050
    assert_eq!(sampled(Sampling::Percent(100), "B3: 0").as_deref(), Some(""));
    let latency = Latency { subject: "results".into(), sampling: Sampling::Percent(30) };
    let mut rng = fastrand::Rng::with_seed(3);
    let chosen = (0..10_000).filter(|_| sample(&latency, b"", &mut rng).is_some()).count();
    assert!((2_900..3_300).contains(&chosen), "{chosen} of 10000");
    let asked = (0..100).all(|_| sample(&latency, b"NATS/1.0\r\nB3: 1\r\n\r\n", &mut rng).is_some());
    assert!(asked, "those that ask are always measured");
}
