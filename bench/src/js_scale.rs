//! JetStream where there is much of something: streams, consumers, subjects.
use crate::js::{ack_seq, publish, Js};
use crate::meas::*;
use crate::net::*;
use crate::Args;
use serde_json::{json, Map, Value};
use std::io::Write;
use std::time::{Duration, Instant};

const INBOX: &str = "_INBOX.LGmnbvcxzasdfghjklpoiu";

fn stream(name: &str, storage: &str, more: Value) -> Value {
    let mut v = json!({
        "name": name, "subjects": [format!("{name}.>")], "retention": "limits", "storage": storage, "num_replicas": 1,
        "discard": "old", "max_msgs": -1, "max_bytes": -1, "max_age": 0, "max_msg_size": -1, "max_consumers": -1,
        "allow_direct": true, "duplicate_window": 120_000_000_000u64,
    });
    for (k, w) in more.as_object().unwrap_or(&Map::new()) {
        v[k] = w.clone();
    }
    v
}

/// Many streams, and a publisher for each that waits for its acknowledgement: all on one connection, since it is the server's
/// streams that are measured.
pub fn streams(a: &Args) -> R<Value> {
    let (streams, each) = (a.n("streams", 1_000), a.n("msgs", 20));
    let size = a.n("size", 128) as usize;
    let mut js = Js::new(&a.addr())?;
    for i in 0..streams {
        let name = format!("S{i:05}");
        js.api(&format!("STREAM.CREATE.{name}"), stream(&name, &a.s("storage", "file"), Value::Null))?;
    }
    let pat = fill_pattern(size);
    js.c.send(format!("SUB {INBOX}.* 9\r\n").as_bytes())?;
    js.c.ping_count()?;
    let mut acked = vec![0u64; streams as usize];
    let mut sent_at = vec![0u64; streams as usize];
    let mut lats = Vec::with_capacity((streams * each) as usize);
    let mut next: Vec<u64> = (0..streams).collect();
    let mut meter = Meter::start(&a.pids());
    let t0 = Instant::now();
    sock_timeout(js.c.tcp(), Duration::from_secs(30));
    let mut left = streams * each;
    let mut out = Vec::new();
    while left > 0 {
        out.clear();
        let now = now_ns();
        for i in next.drain(..) {
            sent_at[i as usize] = now;
            out.extend_from_slice(format!("PUB S{i:05}.m {INBOX}.{i:08} {size}\r\n").as_bytes());
            out.extend_from_slice(&pat);
            out.extend_from_slice(b"\r\n");
        }
        if !out.is_empty() {
            js.c.st.write_all(&out).map_err(es)?;
        }
        js.c.read_batch(&mut |fr, b| {
            if let Frame::Msg { sub, pay, .. } = fr {
                let i: u64 = std::str::from_utf8(&b[sub.1 - 8..sub.1]).map_err(es)?.parse().map_err(es)?;
                let seq = ack_seq(&b[pay.0..pay.1])?;
                acked[i as usize] += 1;
                if seq != acked[i as usize] {
                    return Err(format!("stream {i}: sequence {seq} for message {}", acked[i as usize]));
                }
                lats.push(now_ns() - sent_at[i as usize]);
                left -= 1;
                if acked[i as usize] < each {
                    next.push(i);
                }
            }
            Ok(())
        })?;
    }
    let took = secs(t0);
    meter.mark_secs(took);
    let mut m = meter.finish(streams * each);
    m.insert("lat_us".into(), lat(&mut lats));
    Ok(Value::Object(m))
}

/// Durable consumers of which nobody asks anything: what each costs.
pub fn consumers(a: &Args) -> R<Value> {
    let n = a.n("consumers", 10_000);
    let mut js = Js::new(&a.addr())?;
    js.api("STREAM.CREATE.PERF", stream("PERF", "file", json!({"max_consumers": n + 200})))?;
    publish(&mut js.c, &|i| format!("PERF.s{:04}", i % 100), 1_000, 100, 128, false, 0, true)?;
    let rss = || -> u64 { a.pids().iter().map(|p| rss_kb(*p)).sum() };
    let one = |js: &mut Js, name: String, filter: u64| {
        let config = json!({"durable_name": name, "ack_policy": "explicit", "deliver_policy": "all",
            "filter_subject": format!("PERF.s{filter:04}"), "ack_wait": 30_000_000_000u64, "max_ack_pending": 1_000});
        let body = json!({"stream_name": "PERF", "config": config});
        js.api(&format!("CONSUMER.DURABLE.CREATE.PERF.{name}"), body)
    };
    // the first few pay for what all of them share
    for i in 0..200 {
        one(&mut js, format!("W{i:06}"), i % 100)?;
    }
    std::thread::sleep(Duration::from_millis(500));
    let before = rss();
    let mut meter = Meter::start(&a.pids());
    let t0 = Instant::now();
    for i in 0..n {
        one(&mut js, format!("C{i:06}"), i % 100)?;
    }
    meter.mark_secs(secs(t0));
    std::thread::sleep(Duration::from_secs(2));
    let after = rss();
    let cpu = |t: u64| -> f64 {
        let at: f64 = a.pids().iter().map(|p| cpu_s(*p)).sum();
        std::thread::sleep(Duration::from_secs(t));
        a.pids().iter().map(|p| cpu_s(*p)).sum::<f64>() - at
    };
    let idle = cpu(3) / 3.0 * 100.0;
    let v = js.api("STREAM.INFO.PERF", Value::Null)?;
    if v["state"]["consumer_count"].as_u64() != Some(n + 200) {
        return Err(format!("there are {} consumers", v["state"]["consumer_count"]));
    }
    let mut m = meter.finish(n);
    m.insert("bytes_per_consumer".into(), json!(after.saturating_sub(before) * 1024 / n));
    m.insert("idle_cpu_pct".into(), json!(idle));
    Ok(Value::Object(m))
}

/// A stream of many subjects, and consumers that want one of them: how long until the first message.
pub fn filter(a: &Args) -> R<Value> {
    let (n, subjects) = (a.n("msgs", 5_000_000), a.n("subjects", 100_000));
    let mut js = Js::new(&a.addr())?;
    js.tmo = 120_000;
    js.api("STREAM.CREATE.PERF", stream("PERF", &a.s("storage", "file"), Value::Null))?;
    publish(&mut js.c, &|i| format!("PERF.s{:06}", i % subjects), n, 4096, 128, false, 0, true)?;
    std::thread::sleep(Duration::from_secs(1));
    js.c.send(format!("SUB {INBOX}.next 9\r\n").as_bytes())?;
    js.c.ping_count()?;
    let (mut lats, mut nexts) = (Vec::new(), Vec::new());
    let mut rng = Rng(99);
    let meter = Meter::start(&a.pids());
    for i in 0..20u64 {
        let (name, subject) = (format!("F{i}"), rng.below(subjects));
        let config = json!({"durable_name": name, "ack_policy": "explicit", "deliver_policy": "all",
            "filter_subject": format!("PERF.s{subject:06}")});
        let t = now_ns();
        js.api(&format!("CONSUMER.DURABLE.CREATE.PERF.{name}"), json!({"stream_name": "PERF", "config": config}))?;
        // the second message lies a whole round of subjects behind the first
        let mut since = t;
        for round in 0..2 {
            js.c.send(format!("PUB $JS.API.CONSUMER.MSG.NEXT.PERF.{name} {INBOX}.next 1\r\n1\r\n").as_bytes())?;
            let (want, asked) = ((subject + round * subjects).to_le_bytes(), format!("PERF.s{subject:06}"));
            // it comes with the stream's subject
            js.c.pump(&mut |fr, b| match fr {
                Frame::Msg { sub, pay, .. }
                    if &b[sub.0..sub.1] == asked.as_bytes() && b[pay.0..].starts_with(&want) =>
                {
                    Ok(true)
                }
                Frame::Msg { sub, .. } => {
                    Err(format!("got {} for {asked}, {round}", String::from_utf8_lossy(&b[sub.0..sub.1])))
                }
                _ => Ok(false),
            })?;
            let now = now_ns();
            if round == 0 { &mut lats } else { &mut nexts }.push(now - since);
            since = now;
        }
    }
    let mut m = meter.finish(20);
    m.remove("ops_per_s");
    m.insert("lat_us".into(), lat(&mut lats));
    m.insert("next_us".into(), lat(&mut nexts)["p50"].clone());
    Ok(Value::Object(m))
}
