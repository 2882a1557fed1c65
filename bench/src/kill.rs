//! A node of three is killed under traffic, again and again: how soon its clients' messages flow through the others, and
//! that what passes between the others loses nothing.
use crate::core::Sink;
use crate::net::*;
use crate::Args;
use serde_json::{json, Value};
use std::io::BufRead;
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::mpsc::{channel, Receiver, Sender};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const SIZE: usize = 128;
/// Between two messages of one publisher, and before all servers are tried once more.
const PACE: Duration = Duration::from_millis(1);
const RECONNECT_WAIT: Duration = Duration::from_millis(10);
const PATIENCE: Duration = Duration::from_secs(20);

/// `kills` times: the clients of the node at `addr` exchange messages there, the node is killed, and every client has
/// reconnected when a message it published after that arrives. The runner starts the node again.
pub fn kill(a: &Args) -> R<Value> {
    let others: Vec<String> = a.s("others", "").split(',').map(str::to_string).collect();
    let [second, third] = &others[..] else { return Err("others= takes two addresses".into()) };
    let (kills, clients) = (a.n("kills", 10), a.n("clients", 8) as usize);
    let mut victim = a.n("victim", 0) as i32;
    let streams = [Stream::start(second, third, "perf.kept.0")?, Stream::start(third, second, "perf.kept.1")?];
    let mut recovered = Vec::new();
    for round in 0..kills {
        if round > 0 {
            println!("restart");
            let mut line = String::new();
            std::io::stdin().lock().read_line(&mut line).map_err(es)?;
            victim = line.trim().parse().map_err(|_| format!("no process id: {line:?}"))?;
        }
        let killed = Arc::new(AtomicU64::new(0));
        let (tell, flows) = channel();
        let threads: Vec<_> = (0..clients)
            .map(|i| {
                // the two halves of a client go different ways, so that its messages cross the route between them
                let pools = [[a.addr(), second.clone(), third.clone()], [a.addr(), third.clone(), second.clone()]];
                let (killed, tell) = (killed.clone(), tell.clone());
                std::thread::spawn(move || {
                    client(i, round, pools[i % 2].clone(), pools[1 - i % 2].clone(), &killed, &tell)
                })
            })
            .collect();
        drop(tell);
        let flowing = (0..clients).all(|_| flows.recv_timeout(PATIENCE).is_ok());
        if flowing {
            std::thread::sleep(Duration::from_millis(100));
            killed.store(now_ns(), SeqCst);
            if unsafe { libc::kill(victim, libc::SIGKILL) } != 0 {
                return Err("the node to kill is not there".into());
            }
        }
        let mut slowest = 0;
        for t in threads {
            slowest = slowest.max(t.join().map_err(|_| "panic")??);
        }
        recovered.push(slowest as f64 / 1e6);
    }
    let mut kept = 0;
    for s in streams {
        kept += s.finish()?;
    }
    recovered.sort_by(f64::total_cmp);
    let median = (recovered[(recovered.len() - 1) / 2] + recovered[recovered.len() / 2]) / 2.0;
    Ok(json!({"ops": kept, "kills": kills, "recover_ms": median, "recover_max_ms": recovered[recovered.len() - 1]}))
}

/// One half of a client: a connection that goes to the next server of its pool when its own is gone.
struct Half {
    conn: Conn,
    pool: [String; 3],
    at: usize,
    subject: Option<String>,
}
impl Half {
    fn new(pool: [String; 3], subject: Option<String>) -> R<Half> {
        let mut half = Half { conn: Self::open(&pool[0], subject.as_deref())?, pool, at: 0, subject };
        half.conn.ping_count()?;
        Ok(half)
    }
    fn open(addr: &str, subject: Option<&str>) -> R<Conn> {
        let mut conn = Conn::connect(addr, false, 64 * 1024)?;
        if let Some(subject) = subject {
            conn.send(format!("SUB {subject} 1\r\n").as_bytes())?;
        }
        Ok(conn)
    }
    fn reconnect(&mut self) -> R<()> {
        let t = Instant::now();
        while t.elapsed() < PATIENCE {
            for _ in 0..self.pool.len() {
                self.at += 1;
                if let Ok(conn) = Self::open(&self.pool[self.at % self.pool.len()], self.subject.as_deref()) {
                    self.conn = conn;
                    return Ok(());
                }
            }
            std::thread::sleep(RECONNECT_WAIT);
        }
        Err("no server takes the client back".into())
    }
}

/// Publishes and receives until a message sent after the kill has arrived over new connections: how long that took, in ns.
/// Around the kill messages may be lost, but none may come twice, late or spoiled.
fn client(i: usize, round: u64, ins: [String; 3], outs: [String; 3], killed: &AtomicU64, flows: &Sender<()>) -> R<u64> {
    let subject = format!("perf.client.{i}.{round}");
    let (mut input, mut output) = (Half::new(ins, Some(subject.clone()))?, Half::new(outs, None)?);
    let mut frame = block(&|_| subject.clone(), "", SIZE, 0, 1);
    let mut sink = Sink::new(1, SIZE, true, "");
    sink.subject = subject.clone().into_bytes();
    let (mut seq, mut told, mut first_after, t) = (0u64, false, None, Instant::now());
    loop {
        frame.patch(seq, 1);
        seq += 1;
        let moved = input.at > 0 && output.at > 0;
        if moved && first_after.is_none() {
            first_after = Some(seq - 1); // published by the new connection, so surely after the kill
        }
        if output.conn.send(&frame.buf).is_err() {
            output.reconnect()?;
        }
        let (mut wrong, mut newest) = (None, None);
        let mut on = |fr: &Frame, b: &[u8]| {
            if let Frame::Msg { sub, hdr, pay, .. } = fr {
                let p = &b[pay.0..pay.1];
                match sink.on(&b[sub.0..sub.1], &b[hdr.0..hdr.1], p) {
                    Ok(()) => newest = Some(u64::from_le_bytes(p[..8].try_into().expect("8 bytes"))),
                    Err(e) => wrong = Some(e),
                }
            }
            Ok(())
        };
        let ready = readable(&input.conn, &output.conn);
        let lost = [
            ready[0] && input.conn.read_batch(&mut on).is_err(),
            ready[1] && output.conn.read_batch(&mut |_, _| Ok(())).is_err(),
        ];
        if let Some(e) = wrong {
            return Err(format!("client {i}: {e}"));
        }
        let at = killed.load(SeqCst);
        if let (Some(first), Some(newest)) = (first_after, newest) {
            if at > 0 && newest >= first {
                return Ok(now_ns() - at);
            }
        }
        if newest.is_some() && !told {
            told = true;
            flows.send(()).ok();
        }
        for (lost, half) in [(lost[0], &mut input), (lost[1], &mut output)] {
            if lost {
                half.reconnect()?;
            }
        }
        if (input.at > 0 || output.at > 0) && at == 0 {
            return Err(format!("client {i} lost its connection before the kill"));
        }
        if t.elapsed() > PATIENCE {
            return Err(format!("client {i}: no message came through within {} s", PATIENCE.as_secs()));
        }
    }
}

/// Waits one pace for something to read: which of the two have it.
fn readable(a: &Conn, b: &Conn) -> [bool; 2] {
    let of = |c: &Conn| libc::pollfd { fd: c.tcp().as_raw_fd(), events: libc::POLLIN, revents: 0 };
    let mut fds = [of(a), of(b)];
    let t = Instant::now();
    unsafe { libc::poll(fds.as_mut_ptr(), 2, PACE.as_millis() as i32) };
    std::thread::sleep(PACE.saturating_sub(t.elapsed()));
    fds.map(|f| f.revents != 0)
}

/// Paced messages from a client of one server to a client of another, of which every one must arrive, once and in order.
struct Stream {
    stop: Sender<()>,
    publisher: JoinHandle<R<u64>>,
    subscriber: JoinHandle<R<u64>>,
}
impl Stream {
    fn start(from: &str, to: &str, subject: &'static str) -> R<Stream> {
        let mut back = Conn::connect(to, false, 64 * 1024)?;
        back.send(format!("SUB {subject} 1\r\n").as_bytes())?;
        back.await_interest(from, "")?;
        let out = Conn::connect(from, false, 64 * 1024)?;
        let (stop, stopped) = channel();
        let (tell, told) = channel();
        let publisher = std::thread::spawn(move || Self::publish(out, subject, &stopped, &tell));
        let subscriber = std::thread::spawn(move || Self::receive(back, subject, &told));
        Ok(Stream { stop, publisher, subscriber })
    }
    fn publish(mut out: Conn, subject: &str, stopped: &Receiver<()>, tell: &Sender<u64>) -> R<u64> {
        let mut frame = block(&|_| subject.to_string(), "", SIZE, 0, 1);
        let mut sent = 0;
        while stopped.recv_timeout(PACE) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
            frame.patch(sent, 1);
            out.send(&frame.buf).map_err(|e| format!("a survivor's publisher: {e}"))?;
            sent += 1;
        }
        tell.send(sent).ok();
        out.ping_count()?;
        Ok(sent)
    }
    fn receive(mut back: Conn, subject: &str, told: &Receiver<u64>) -> R<u64> {
        sock_timeout(back.tcp(), Duration::from_millis(200));
        let mut sink = Sink::new(1, SIZE, false, "");
        sink.subject = subject.as_bytes().to_vec();
        let (mut wanted, mut quiet) = (None, Instant::now());
        loop {
            wanted = wanted.or_else(|| told.try_recv().ok());
            if wanted.is_some_and(|w| sink.count >= w) {
                std::thread::sleep(Duration::from_millis(100)); // one too many would still be on its way
                return match back.ping_count()? {
                    0 => Ok(sink.count),
                    extra => Err(format!("between survivors: {extra} messages more than expected")),
                };
            }
            let read = back.read_batch(&mut |fr, b| match fr {
                Frame::Msg { sub, hdr, pay, .. } => sink.on(&b[sub.0..sub.1], &b[hdr.0..hdr.1], &b[pay.0..pay.1]),
                _ => Ok(()),
            });
            match read {
                Ok(()) => quiet = Instant::now(),
                Err(e) if e == "read timeout" && quiet.elapsed() < Duration::from_secs(5) => {}
                Err(e) => return Err(format!("between survivors: {e} (received {} of {wanted:?})", sink.count)),
            }
        }
    }
    fn finish(self) -> R<u64> {
        self.stop.send(()).ok();
        let sent = self.publisher.join().map_err(|_| "panic")?;
        let received = self.subscriber.join().map_err(|_| "panic")??;
        if sent? != received {
            return Err("between survivors: sent and received differ".into());
        }
        Ok(received)
    }
}
