//! Fairness: many publishers that never pause, idle connections beside them, and a quiet pair whose latency is watched.
use crate::core::Sink;
use crate::meas::*;
use crate::net::*;
use crate::Args;
use serde_json::{json, Value};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

/// `pubs` publishers, each with a subscriber of its own, at full speed for `secs`; `probe-rate` messages per second beside them.
/// Reports each publisher's share (slowest, fastest) and the probe's latency.
pub fn fair(a: &Args) -> R<Value> {
    let (pubs, size) = (a.n("pubs", 8) as usize, a.n("size", 128) as usize);
    let (length, rate) = (Duration::from_millis(a.n("ms", 3_000)), a.n("probe-rate", 1_000));
    let addr = a.addr();
    let idle: Vec<Conn> = (0..a.n("idle", 100)).map(|_| Conn::connect(&addr, false, 4096)).collect::<R<_>>()?;
    let mut pairs = Vec::new();
    for i in 0..pubs {
        let mut subscriber = Conn::connect(&addr, false, 256 * 1024)?;
        subscriber.send(format!("SUB perf.f{i:03} 1\r\n").as_bytes())?;
        subscriber.ping_count()?;
        pairs.push((Conn::connect(&addr, false, 64 * 1024)?, subscriber));
    }
    let mut probe_in = Conn::connect(&addr, false, 64 * 1024)?;
    probe_in.send(b"SUB perf.probe 1\r\n")?;
    probe_in.ping_count()?;
    let probe_out = Conn::connect(&addr, false, 64 * 1024)?;

    let start = Arc::new(Barrier::new(pubs + 1));
    let end = Arc::new(AtomicBool::new(false));
    let mut meter = Meter::start(&a.pids());
    let mut hot = Vec::new();
    for (i, (publisher, subscriber)) in pairs.into_iter().enumerate() {
        let (start, end) = (start.clone(), end.clone());
        hot.push(std::thread::spawn(move || hot_pair(i, publisher, subscriber, size, &start, &end)));
    }
    start.wait();
    let t = Instant::now();
    let probe = probe(probe_out, probe_in, rate, length, size);
    end.store(true, Relaxed);
    let mut counts = Vec::new();
    for h in hot {
        counts.push(h.join().map_err(|_| "panic")??);
    }
    let mut latencies = probe?;
    meter.mark_secs(secs(t));
    let mut m = meter.finish(counts.iter().sum());
    for mut c in idle {
        if c.ping_count()? > 0 {
            return Err("an idle connection received messages".into());
        }
    }
    let (min, max) = (counts.iter().min().copied().unwrap_or(0), counts.iter().max().copied().unwrap_or(0));
    m.insert("publisher_min".into(), json!(min));
    m.insert("publisher_max".into(), json!(max));
    m.insert("publisher_min_of_max".into(), json!(min as f64 / max.max(1) as f64));
    m.insert("lat_us".into(), lat(&mut latencies));
    Ok(Value::Object(m))
}

/// Publishes until told to end, while a second thread checks what arrives; answers how many messages it was.
fn hot_pair(
    i: usize,
    mut publisher: Conn,
    mut subscriber: Conn,
    size: usize,
    start: &Barrier,
    end: &AtomicBool,
) -> R<u64> {
    let subject = format!("perf.f{i:03}");
    let per = (64 * 1024 / (size + 32)).max(1);
    let mut frames = block(&|_| subject.clone(), "", size, 0, per);
    let mut sink = Sink::new(1, size, false, "");
    sink.subject = subject.into_bytes();
    let (tell, told) = std::sync::mpsc::channel::<u64>();
    let receiver = std::thread::spawn(move || -> R<()> {
        sock_timeout(subscriber.tcp(), Duration::from_millis(200));
        let mut wanted = None;
        let mut quiet = Instant::now();
        loop {
            wanted = wanted.or_else(|| told.try_recv().ok());
            if wanted.is_some_and(|w| sink.count >= w) {
                break;
            }
            let read = subscriber.read_batch(&mut |fr, b| match fr {
                Frame::Msg { sub, hdr, pay, .. } => sink.on(&b[sub.0..sub.1], &b[hdr.0..hdr.1], &b[pay.0..pay.1]),
                _ => Ok(()),
            });
            match read {
                Ok(()) => quiet = Instant::now(),
                Err(e) if e == "read timeout" && quiet.elapsed() < Duration::from_secs(20) => {}
                Err(e) => return Err(format!("{e} (received {} of {wanted:?})", sink.count)),
            }
        }
        sock_timeout(subscriber.tcp(), Duration::from_secs(20));
        match subscriber.ping_count()? {
            0 => Ok(()),
            extra => Err(format!("{extra} messages more than expected")),
        }
    });
    start.wait();
    sock_timeout(publisher.tcp(), Duration::from_secs(60));
    let mut sent = 0;
    while !end.load(Relaxed) {
        frames.patch(sent, frames.n);
        publisher.send(&frames.buf)?;
        sent += frames.n as u64;
    }
    publisher.ping_count()?;
    tell.send(sent).ok();
    receiver.join().map_err(|_| "panic")??;
    Ok(sent)
}

/// `rate` messages per second from one quiet connection to another; answers each one's time.
fn probe(mut out: Conn, mut back: Conn, rate: u64, length: Duration, size: usize) -> R<Vec<u64>> {
    let total = ((length.as_secs_f64() * rate as f64) as u64).max(1);
    let size = size.max(24);
    let receiver = std::thread::spawn(move || -> R<Vec<u64>> {
        let (mut latencies, pattern) = (Vec::with_capacity(total as usize), fill_pattern(size));
        while (latencies.len() as u64) < total {
            back.read_batch(&mut |fr, b| {
                let Frame::Msg { pay, .. } = fr else { return Ok(()) };
                let p = &b[pay.0..pay.1];
                if p.len() != size || p[..8] != (latencies.len() as u64).to_le_bytes() || p[24..] != pattern[24..] {
                    return Err(format!("probe message {} is wrong or out of order", latencies.len()));
                }
                let sent = u64::from_le_bytes(p[16..24].try_into().expect("8 bytes"));
                latencies.push(now_ns().saturating_sub(sent));
                Ok(())
            })?;
        }
        match back.ping_count()? {
            0 => Ok(latencies),
            extra => Err(format!("{extra} probe messages more than expected")),
        }
    });
    let mut frame = block(&|_| "perf.probe".into(), "", size, 0, 1);
    let t = now_ns();
    for i in 0..total {
        let due = t + i * 1_000_000_000 / rate;
        let now = now_ns();
        if now < due {
            std::thread::sleep(Duration::from_nanos(due - now));
        }
        frame.patch(i, 1);
        let o = frame.off + 16;
        // from the moment it is sent: how late this thread woke is not the server's doing
        frame.buf[o..o + 8].copy_from_slice(&now_ns().to_le_bytes());
        out.send(&frame.buf)?;
    }
    receiver.join().map_err(|_| "panic")?
}
