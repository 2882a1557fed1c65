//! Subscriptions made at one server, and how long and how much memory the next one needs to know them all.
use crate::core::Poller;
use crate::meas::*;
use crate::net::*;
use crate::Args;
use serde_json::{json, Value};
use std::time::{Duration, Instant};

/// The last thing that happens; whoever sees it knows that nothing else is under way.
const END: &[u8] = b"that was all";

fn subject(i: u64) -> String {
    format!("perf.device.{i:07}.state")
}

/// `subs` different subscriptions at `addr`. The far server knows them all as soon as a message published there to the
/// last one arrives; that it knew every one of them is then proven by publishing to each, once, in order.
pub fn propagate(a: &Args) -> R<Value> {
    let (n, far, far_pid) = (a.n("subs", 100_000), a.s("far-addr", ""), a.n("far-pid", 0) as u32);
    let mut publisher = Conn::connect(&far, false, 64 * 1024)?;
    let mut subscriber = Conn::connect(&a.addr(), false, 512 * 1024)?;
    subscriber.await_interest(&far, "")?;
    let mut lines: Vec<u8> = (0..n).flat_map(|i| format!("SUB {} {}\r\n", subject(i), i + 1).into_bytes()).collect();
    lines.extend_from_slice(b"PING\r\n");
    let (last, before) = (subject(n - 1), rss_kb(far_pid));

    let mut meter = Meter::start(&a.pids());
    let t = Instant::now();
    subscriber.send(&lines)?;
    let mut near = Poller::new(vec![subscriber])?;
    let (mut taken_ms, mut arrived) = (0.0, false);
    while !arrived {
        publisher.send(format!("PUB {last} 5\r\nprobe\r\n").as_bytes())?;
        near.poll(1, &mut |_, fr, _| {
            match fr {
                Frame::Pong => taken_ms = secs(t) * 1e3,
                Frame::Msg { sid, .. } if *sid == n => arrived = true,
                other => return Err(format!("{other:?} instead of a message to the last subscription")),
            }
            Ok(())
        })?;
        if t.elapsed() > Duration::from_secs(60) {
            return Err("the last subscription never became known to the other server".into());
        }
    }
    let propagate_s = secs(t);
    meter.mark_secs(propagate_s);
    let growth = rss_kb(far_pid).saturating_sub(before);
    every_one_is_known(publisher, near, n)?;
    let more = json!({"propagate_ms": propagate_s * 1e3, "taken_ms": taken_ms, "far_growth_kb": growth,
                      "far_growth_checked_kb": rss_kb(far_pid).saturating_sub(before)});
    Ok(merge(meter.finish(n), more))
}

/// One message to each subscription, published at the far server: each must arrive once, in order, at its own subscription.
fn every_one_is_known(mut publisher: Conn, mut near: Poller, n: u64) -> R<()> {
    let writer = std::thread::spawn(move || -> R<()> {
        let mut out = Vec::new();
        for i in 0..n {
            out.extend_from_slice(format!("PUB {} 8\r\n", subject(i)).as_bytes());
            out.extend_from_slice(&i.to_le_bytes());
            out.extend_from_slice(b"\r\n");
            if out.len() > 64 * 1024 || i + 1 == n {
                publisher.send(&out)?;
                out.clear();
            }
        }
        publisher.send(format!("PUB {} {}\r\n", subject(0), END.len()).as_bytes())?;
        publisher.send(&[END, b"\r\n"].concat())?;
        publisher.ping_count()?;
        Ok(())
    });
    let (mut next, mut ended, mut quiet) = (0u64, false, Instant::now());
    while !ended {
        let ready = near.poll(1_000, &mut |_, fr, b| {
            let Frame::Msg { sid, pay, .. } = fr else { return Ok(()) };
            match &b[pay.0..pay.1] {
                b"probe" if *sid == n && next == 0 => {}
                END if next == n && *sid == 1 => ended = true,
                p if next < n && *sid == next + 1 && p == next.to_le_bytes() => next += 1,
                p => return Err(format!("subscription {sid} got {p:?}, expected message {next} of {n}")),
            }
            Ok(())
        })?;
        if ready > 0 {
            quiet = Instant::now();
        } else if quiet.elapsed() > Duration::from_secs(10) {
            return Err(format!("only {next} of {n} subscriptions got their message"));
        }
    }
    writer.join().map_err(|_| "panic")??;
    match near.into_conns()?.iter_mut().map(Conn::ping_count).sum::<R<u64>>()? {
        0 => Ok(()),
        extra => Err(format!("{extra} messages more than expected")),
    }
}
