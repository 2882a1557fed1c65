//! Connections: idle ones, many subscriptions, storms of them.

use crate::meas::*;
use crate::net::*;
use crate::Args;
use serde_json::{json, Value};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::Arc;
use std::time::{Duration, Instant};

fn conn_small(addr: &str, tls: bool, i: u64) -> R<Conn> {
    // spread the source addresses, so that ephemeral ports do not run out
    let sa: std::net::SocketAddrV4 = addr.parse().map_err(es)?;
    unsafe {
        let fd = libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0);
        if fd < 0 {
            return Err("socket".into());
        }
        use std::os::fd::FromRawFd;
        let one: i32 = 1;
        libc::setsockopt(fd, libc::IPPROTO_IP, 24 /* IP_BIND_ADDRESS_NO_PORT */, &one as *const _ as *const _, 4);
        let mk = |ip: u32, port: u16| libc::sockaddr_in {
            sin_family: libc::AF_INET as u16,
            sin_port: port.to_be(),
            sin_addr: libc::in_addr { s_addr: ip.to_be() },
            sin_zero: [0; 8],
        };
        let src = mk(0x7f000000 | (2 + (i % 200)) as u32, 0);
        if libc::bind(fd, &src as *const _ as *const _, 16) != 0 {
            return Err("bind".into());
        }
        let dst = mk(u32::from(*sa.ip()), sa.port());
        let s = std::net::TcpStream::from_raw_fd(fd);
        if libc::connect(fd, &dst as *const _ as *const _, 16) != 0 {
            return Err(format!("connect: {}", std::io::Error::last_os_error()));
        }
        Conn::from_tcp(s, tls, 4096)
    }
}
fn rst_close(c: Conn) {
    let l = libc::linger { l_onoff: 1, l_linger: 0 };
    unsafe { libc::setsockopt(c.fd(), libc::SOL_SOCKET, libc::SO_LINGER, &l as *const _ as *const _, 8) };
}

/// idle connections: RSS per connection
pub fn idle(a: &Args) -> R<Value> {
    let n = a.n("conns", 1000);
    let spc = a.n("subs-per-conn", 1);
    let tls = a.n("tls", 0) == 1;
    let settle = a.n("settle-ms", 3000);
    let pids = a.pids();
    let addr = a.addr();
    let r0: u64 = pids.iter().map(|p| rss_kb(*p)).sum();
    let meter = Meter::start(&pids);
    let t = Instant::now();
    let mut v = Vec::new();
    for i in 0..n {
        let mut c = conn_small(&addr, tls, i)?;
        if spc > 0 {
            let mut b = String::new();
            for s in 0..spc {
                b += &format!("SUB idle.{i}.{s} {}\r\n", s + 1);
            }
            c.send(b.as_bytes())?;
            c.ping_count()?;
        }
        v.push(c);
    }
    let cs = secs(t);
    let mut m = meter.finish(n);
    std::thread::sleep(Duration::from_millis(settle));
    let r1: u64 = pids.iter().map(|p| rss_kb(*p)).sum();
    // idle CPU over a quiet window
    let c0: f64 = pids.iter().map(|p| cpu_s(*p)).sum();
    std::thread::sleep(Duration::from_millis(2000));
    let c1: f64 = pids.iter().map(|p| cpu_s(*p)).sum();
    // every connection must still answer
    let mut extra = 0;
    for i in 0..n as usize {
        extra += v[i].ping_count()?;
    }
    // and each subscription must deliver
    if spc > 0 {
        let mut pc = Conn::connect(&addr, tls, 65536)?;
        let mut b = String::new();
        for i in 0..n {
            b += &format!("PUB idle.{i}.0 2\r\nok\r\n");
        }
        pc.send(b.as_bytes())?;
        pc.ping_count()?;
        for i in 0..n as usize {
            v[i].pump(&mut |fr, b| match fr {
                Frame::Msg { pay, .. } => {
                    if &b[pay.0..pay.1] == b"ok" {
                        Ok(true)
                    } else {
                        Err("payload".into())
                    }
                }
                _ => Ok(false),
            })?;
        }
    }
    let r2: u64 = pids.iter().map(|p| rss_kb(*p)).sum();
    if extra > 0 {
        return Err("unexpected messages".into());
    }
    for c in v {
        rst_close(c);
    }
    std::thread::sleep(Duration::from_millis(1500));
    let r3: u64 = pids.iter().map(|p| rss_kb(*p)).sum();
    m.insert("connect_secs".into(), json!(cs));
    Ok(merge(
        m,
        json!({"rss_before_kb": r0, "rss_idle_kb": r1, "rss_after_traffic_kb": r2, "rss_after_close_kb": r3,
        "bytes_per_conn": (r1.saturating_sub(r0)) as f64 * 1024.0 / n as f64,
        "bytes_per_conn_after_traffic": (r2.saturating_sub(r0)) as f64 * 1024.0 / n as f64,
        "idle_cpu_pct": (c1 - c0) / 2.0 * 100.0}),
    ))
}

/// many subscriptions
pub fn msubs(a: &Args) -> R<Value> {
    let n = a.n("subs", 1_000_000);
    let cn = a.n("conns", 10);
    let pids = a.pids();
    let addr = a.addr();
    let r0: u64 = pids.iter().map(|p| rss_kb(*p)).sum();
    let mut v = vec![];
    let mut bufs = vec![];
    for c in 0..cn {
        v.push(Conn::connect(&addr, false, 65536)?);
        let mut b = Vec::new();
        let mut i = c;
        while i < n {
            b.extend_from_slice(
                format!("SUB s.{:04}.{:03}.foo.{} {}\r\n", i / 1000, i % 1000, i % 7, i + 1).as_bytes(),
            );
            i += cn;
        }
        bufs.push(b);
    }
    let mut meter = Meter::start(&pids);
    let t = Instant::now();
    let mut th = vec![];
    for (mut c, b) in v.into_iter().zip(bufs) {
        th.push(std::thread::spawn(move || -> R<Conn> {
            sock_timeout(c.tcp(), Duration::from_secs(120));
            c.send(&b)?;
            c.ping_count()?;
            Ok(c)
        }));
    }
    let mut v = vec![];
    for t in th {
        v.push(t.join().map_err(|_| "panic")??);
    }
    meter.mark_secs(secs(t));
    let mut m = meter.finish(n);
    std::thread::sleep(Duration::from_millis(a.n("settle-ms", 3000)));
    let r1: u64 = pids.iter().map(|p| rss_kb(*p)).sum();
    // check: 5000 random subjects are delivered exactly once, to the right sid
    let mut rng = Rng(99);
    let mut pc = Conn::connect(&addr, false, 65536)?;
    let mut b = String::new();
    let mut want = std::collections::HashMap::new();
    for _ in 0..5000 {
        let i = rng.below(n);
        b += &format!("PUB s.{:04}.{:03}.foo.{} 2\r\nok\r\n", i / 1000, i % 1000, i % 7);
        *want.entry(i + 1).or_insert(0u64) += 1;
    }
    pc.send(b.as_bytes())?;
    pc.ping_count()?;
    for c in v.iter_mut() {
        c.send(b"PING\r\n")?;
        c.pump(&mut |fr, _| {
            if let Frame::Msg { sid, .. } = fr {
                match want.get_mut(sid) {
                    Some(k) if *k > 0 => *k -= 1,
                    _ => return Err(format!("unexpected sid {sid}")),
                }
            }
            Ok(matches!(fr, Frame::Pong))
        })?;
    }
    let missing: u64 = want.values().sum();
    if missing > 0 {
        return Err(format!("{missing} of 5000 not delivered"));
    }
    // how long until all is gone again
    drop(v);
    let c0: f64 = pids.iter().map(|p| cpu_s(*p)).sum();
    std::thread::sleep(Duration::from_millis(3000));
    let c1: f64 = pids.iter().map(|p| cpu_s(*p)).sum();
    let r3: u64 = pids.iter().map(|p| rss_kb(*p)).sum();
    m.insert("rss_subs_kb".into(), json!(r1));
    m.insert("bytes_per_sub".into(), json!((r1 - r0.min(r1)) as f64 * 1024.0 / n as f64));
    m.insert("rss_after_close_kb".into(), json!(r3));
    m.insert("close_cpu_s".into(), json!(c1 - c0));
    Ok(Value::Object(m))
}

/// connect .. PONG .. close
pub fn storm(a: &Args) -> R<Value> {
    let n = a.n("conns", 10_000);
    let th = a.n("threads", 8);
    let tls = a.n("tls", 0) == 1;
    let addr = a.addr();
    let next = Arc::new(AtomicU64::new(0));
    let mut meter = Meter::start(&a.pids());
    let t = Instant::now();
    let mut hs = vec![];
    for _ in 0..th {
        let (next, addr) = (next.clone(), addr.clone());
        hs.push(std::thread::spawn(move || -> R<Vec<u64>> {
            let mut l = vec![];
            loop {
                let i = next.fetch_add(1, Relaxed);
                if i >= n {
                    return Ok(l);
                }
                let t = now_ns();
                let c = conn_small(&addr, tls, i)?;
                l.push(now_ns() - t);
                rst_close(c);
            }
        }));
    }
    let mut l = vec![];
    for h in hs {
        l.extend(h.join().map_err(|_| "panic")??);
    }
    meter.mark_secs(secs(t));
    let m = meter.finish(n);
    if l.len() as u64 != n {
        return Err("count".into());
    }
    Ok(merge(m, json!({"lat_us": lat(&mut l)})))
}
