//! The life of one connection on its event loop.
//!
//! One task per connection. It reads through its loop's buffers, lets its driver work, writes what others could not, keeps
//! the timers, and sees to it that the driver ends whatever happened. An idle one owns no buffer.

mod pause;

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::BytesMut;
use martlet_auth::{Identity, Reason};
use martlet_broker::outbox::Flushed;
use martlet_broker::session::LARGE_PAYLOAD;
use martlet_broker::{Batch, Broker, Driver, Next, Pressure};
use martlet_events::Time;
use martlet_proto::ClosedReason;
use tokio::task::JoinHandle;
use tokio::time::Sleep;

use self::pause::{Link, Pause};
use crate::clock;
use crate::handshake;
use crate::loops::{READ_BUFFER, Scratch, with_scratch};
use crate::read::{self, Read};
use crate::slow::{self, Slow, Verdict};
use crate::socket::Socket;

/// Reads in one turn before other connections of the loop get theirs.
const READS_PER_TURN: usize = 8;
/// Bodies from this size on make the next read a short one.
const DIRECT: usize = 32 * 1024;
/// That short read: a control line and what comes with it.
const LINE_AND_A_LITTLE: usize = 512;
/// How long a closing connection may take to write its last words.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// One connection.
pub(crate) struct Connection<D> {
    broker: Arc<Broker>,
    driver: D,
    socket: Arc<Socket>,
    /// Received and not used.
    tail: Vec<u8>,
    large: Option<Box<Large>>,
    /// Large messages come in: read little, so that a body is read straight into its own buffer.
    expect_large: bool,
    verifying: Option<JoinHandle<Result<Identity, Reason>>>,
    timer: Pin<Box<Sleep>>,
    /// When the timer goes off.
    armed: Time,
    stalled_until: Option<Time>,
    /// Bytes wait for room in the socket.
    blocked: bool,
    slow: Slow,
    /// A layer of the socket may have taken in more than it was asked for, and no readiness tells of it.
    look: bool,
    /// What only links need.
    link: Option<Box<Link>>,
}

/// A large message being gathered.
struct Large {
    line: Vec<u8>,
    body: BytesMut,
    /// Length of the whole body.
    size: usize,
}

impl<D: Driver> Connection<D> {
    /// What `driver` says and hears, over `socket`.
    pub(crate) fn new(broker: Arc<Broker>, driver: D, socket: Arc<Socket>) -> Self {
        let armed = driver.due();
        let timer = Box::pin(tokio::time::sleep_until(clock::instant(armed).into()));
        Self {
            broker,
            driver,
            socket,
            tail: Vec::new(),
            large: None,
            expect_large: false,
            verifying: None,
            timer,
            armed,
            stalled_until: None,
            blocked: false,
            slow: Slow::default(),
            look: false,
            link: None,
        }
    }

    pub(crate) fn driver(&mut self) -> &mut D {
        &mut self.driver
    }

    pub(crate) fn socket(&self) -> &Socket {
        &self.socket
    }

    /// Waits until everything said so far is written.
    pub(crate) async fn write_out(&mut self) -> Result<(), ClosedReason> {
        poll_fn(|cx| self.poll_write(cx)).await
    }

    /// Lets the driver say the first word.
    pub(crate) fn open(&mut self) -> Next {
        self.turn(Driver::open)
    }

    /// Runs until the connection is closed.
    pub(crate) async fn run(mut self, greeted: Next) -> ClosedReason {
        // Behind the last word of a handshake may have come the first of the protocol.
        self.look = !self.socket.is_bare();
        let reason = match self.apply(greeted) {
            Some(reason) => reason,
            None => poll_fn(|cx| self.poll(cx)).await,
        };
        self.end(reason).await;
        reason
    }

    /// Something happens to the driver; what it leads to is still to be done.
    fn turn(&mut self, what: impl FnOnce(&mut D, &mut Batch) -> Next) -> Next {
        with_scratch(|s| {
            let next = what(&mut self.driver, &mut s.batch);
            self.finish(s);
            next
        })
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ClosedReason> {
        let mut reads = 0;
        let mut watched = false;
        loop {
            if self.socket.take_wake(cx) {
                let next = self.turn(Driver::on_wake);
                self.blocked = true;
                if let Some(reason) = self.apply(next) {
                    return Poll::Ready(reason);
                }
            }
            if self.blocked
                && let Poll::Ready(Err(reason)) = self.poll_write(cx)
            {
                return Poll::Ready(reason);
            }
            if let Some(reason) = self.poll_timer(cx, &mut watched) {
                return Poll::Ready(reason);
            }
            if let Some(task) = &mut self.verifying {
                let result = ready!(Pin::new(task).poll(cx));
                self.verifying = None;
                if let Some(reason) = self.on_verified(result.unwrap_or(Err(Reason::WrongPassword))) {
                    return Poll::Ready(reason);
                }
            }
            if self.link.is_some()
                && let Some(reason) = ready!(self.poll_pause(cx))
            {
                return Poll::Ready(reason);
            }
            if self.stalled_until.is_some() {
                return Poll::Pending;
            }
            if reads == READS_PER_TURN {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            match ready!(self.poll_read_ready(cx)).map_err(|_| ClosedReason::ReadError).and_then(|()| self.read()) {
                Ok(()) => reads += 1,
                Err(reason) => return Poll::Ready(reason),
            }
        }
    }

    fn poll_read_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if std::mem::take(&mut self.look) || self.link.is_some() && self.socket.has_input() {
            return Poll::Ready(Ok(()));
        }
        self.socket.poll_read_ready(cx)
    }

    /// One read and everything that follows from it.
    fn read(&mut self) -> Result<(), ClosedReason> {
        with_scratch(|s| {
            if let Some(large) = &mut self.large {
                match read::into_body(&self.socket, s, &mut large.body, large.size) {
                    Ok(Read::Some) if large.body.len() < large.size => return Ok(()),
                    Ok(Read::Some) => {
                        let Large { line, body, .. } = *self.large.take().expect("a large message is being gathered");
                        let next = self.driver.on_large(&line, &body.freeze(), &mut s.batch);
                        self.finish(s);
                        if let Some(reason) = self.apply(next) {
                            return Err(reason);
                        }
                        // What was decrypted beyond the body is still inside TLS, and no readiness will tell of it.
                        if self.socket.is_bare() || self.is_paused() {
                            return Ok(());
                        }
                    }
                    other => return self.on_read(other),
                }
            }
            let kept = self.tail.len();
            if s.plain.len() < kept + READ_BUFFER / 2 {
                s.plain.resize(kept + READ_BUFFER, 0);
            }
            s.plain[..kept].copy_from_slice(&self.tail);
            let sealed = !self.socket.is_bare();
            loop {
                let from = self.tail.len();
                let most = if self.expect_large { LINE_AND_A_LITTLE } else { usize::MAX };
                let read =
                    if sealed { read::sealed(&self.socket, s, from) } else { read::plain(&self.socket, s, from, most) };
                let n = match read {
                    Ok(n) => n,
                    Err(e) => return self.on_read(Err::<(), _>(e)),
                };
                if n == 0 && !sealed {
                    return Err(ClosedReason::ClientClosed);
                }
                if n == 0 {
                    return Ok(());
                }
                self.work(s, from + n)?;
                if !sealed || self.large.is_some() || self.verifying.is_some() || self.link.is_some() {
                    return Ok(());
                }
                s.plain[..self.tail.len()].copy_from_slice(&self.tail);
            }
        })
    }

    /// Lets the driver work through `s.plain[..end]` and keeps what it leaves.
    fn work(&mut self, s: &mut Scratch, end: usize) -> Result<(), ClosedReason> {
        let Scratch { plain, batch, .. } = s;
        let progress = self.driver.on_bytes(&plain[..end], batch);
        let rest = &plain[progress.used..end];
        self.tail.clear();
        self.expect_large = matches!(progress.next, Next::Large { body, .. } if body >= DIRECT);
        match &progress.next {
            Next::Large { line, body } => {
                let mut gathered = BytesMut::with_capacity(*body);
                gathered.extend_from_slice(&rest[*line..]);
                self.large = Some(Box::new(Large { line: rest[..*line].to_vec(), body: gathered, size: *body }));
            }
            _ => self.tail.extend_from_slice(rest),
        }
        if self.tail.is_empty() && self.tail.capacity() > 0
            || self.tail.capacity() > 4 * LARGE_PAYLOAD + self.tail.len()
        {
            self.tail.shrink_to_fit();
        }
        self.finish(s);
        self.apply(progress.next).map_or(Ok(()), Err)
    }

    fn on_read(&self, result: io::Result<impl Sized>) -> Result<(), ClosedReason> {
        match result {
            Ok(_) => Err(ClosedReason::ClientClosed),
            Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => Ok(()),
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => Err(ClosedReason::ClientClosed),
            Err(e) => {
                if let Some(refusal) = handshake::late_refusal(&e) {
                    log::error!("{} - {}", self.driver.label(), refusal.told(self.driver.peer().kind()));
                }
                Err(ClosedReason::ReadError)
            }
        }
    }

    /// Hands over what the turn has gathered.
    fn finish(&mut self, s: &mut Scratch) {
        let Pressure { stall } = s.batch.finish_turn(Some(self.driver.peer()));
        if let Some(stall) = stall {
            self.stalled_until = Some(s.batch.now + stall);
            self.driver.peer().counters.stalls.fetch_add(1, Relaxed);
            self.broker.counters.stalls.fetch_add(1, Relaxed);
        }
    }

    /// Does what the driver asks for; the reason if it is to close.
    fn apply(&mut self, next: Next) -> Option<ClosedReason> {
        match next {
            Next::Read | Next::Large { .. } => None,
            Next::Verify(check) => {
                self.verifying = Some(tokio::task::spawn_blocking(move || check.verify()));
                None
            }
            Next::Close(reason) => Some(reason),
            Next::Secure => self.pause(Pause::Secure),
            Next::Compress(level) => self.pause(Pause::Compress(level)),
        }
    }

    fn on_verified(&mut self, result: Result<Identity, Reason>) -> Option<ClosedReason> {
        let next = self.turn(|driver, batch| driver.on_verified(result, batch));
        // What came behind CONNECT has waited for the answer.
        self.apply(next).or_else(|| self.resume())
    }

    /// Looks again at what was received and not used.
    fn resume(&mut self) -> Option<ClosedReason> {
        if self.tail.is_empty() || self.is_paused() {
            return None;
        }
        let outcome = with_scratch(|s| {
            let end = self.tail.len();
            if s.plain.len() < end {
                s.plain.resize(end, 0);
            }
            s.plain[..end].copy_from_slice(&self.tail);
            self.work(s, end)
        });
        outcome.err()
    }

    /// Writes while the socket takes it.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ClosedReason>> {
        loop {
            let flushed = with_scratch(|s| s.batch.flush(self.driver.peer()));
            match flushed {
                Flushed::Gone => return Poll::Ready(Err(self.closed_reason())),
                Flushed::Empty | Flushed::Busy if !self.socket.has_records() => {
                    self.blocked = false;
                    if flushed == Flushed::Empty {
                        self.slow.on_written(|| self.driver.label(), clock::now());
                    }
                    return Poll::Ready(Ok(()));
                }
                Flushed::Remains | Flushed::Empty | Flushed::Busy => {}
            }
            ready!(self.socket.poll_write_ready(cx)).map_err(|_| ClosedReason::WriteError)?;
            self.socket.flush_records().map_err(|_| ClosedReason::WriteError)?;
        }
    }

    /// Why an outbox that is gone went: a request says so, otherwise the socket broke.
    fn closed_reason(&mut self) -> ClosedReason {
        match with_scratch(|s| self.driver.on_wake(&mut s.batch)) {
            Next::Close(reason) => reason,
            _ => ClosedReason::WriteError,
        }
    }

    /// `watched` says that the timer, armed as it is, knows the task already.
    fn poll_timer(&mut self, cx: &mut Context<'_>, watched: &mut bool) -> Option<ClosedReason> {
        loop {
            let due = self.next_due();
            if due != self.armed {
                self.armed = due;
                self.timer.as_mut().reset(clock::instant(due).into());
            } else if *watched {
                return None;
            }
            *watched = true;
            if self.timer.as_mut().poll(cx).is_pending() {
                return None;
            }
            let now = clock::now();
            if self.stalled_until.is_some_and(|until| until <= now) {
                self.stalled_until = None;
            }
            if self.driver.due() <= now {
                let next = self.turn(Driver::on_timer);
                if let Some(reason) = self.apply(next) {
                    return Some(reason);
                }
            }
            if self.look_at_write_deadline(now) == Verdict::Close {
                return Some(ClosedReason::SlowConsumerWriteDeadline);
            }
            if self.next_due() <= now {
                // Nothing moved the time on: come back a little later rather than spin.
                self.armed = now + Duration::from_millis(10);
                self.timer.as_mut().reset(clock::instant(self.armed).into());
                return None;
            }
        }
    }

    fn next_due(&self) -> Time {
        let mut due = self.driver.due();
        if let Some(until) = self.stalled_until {
            due = due.min(until);
        }
        if self.blocked
            && let Some(since) = self.driver.peer().outbox.blocked_since()
        {
            due = due.min(since + self.driver.write_rules().deadline);
        }
        due
    }

    fn look_at_write_deadline(&mut self, now: Time) -> Verdict {
        let (rules, peer) = (self.driver.write_rules(), self.driver.peer());
        let unfinished = peer.outbox.unfinished();
        let verdict = slow::judge(rules, peer.kind(), unfinished, now);
        if let Some(late) = unfinished.filter(|_| verdict != Verdict::InTime) {
            peer.outbox.forgive(now);
            self.slow.on_late((verdict, rules), &self.broker, peer, (&self.driver.label(), late));
        }
        verdict
    }

    /// Writes the last words where that makes sense, and ends the driver.
    async fn end(mut self, reason: ClosedReason) {
        let silent = matches!(
            reason,
            ClosedReason::ReadError
                | ClosedReason::WriteError
                | ClosedReason::ClientClosed
                | ClosedReason::SlowConsumerPendingBytes
                | ClosedReason::SlowConsumerWriteDeadline
                | ClosedReason::TlsHandshakeError
        );
        // spec: CORE-101
        if !silent {
            let words = poll_fn(|cx| self.poll_write(cx));
            // Whoever does not take them in time has lost them.
            let _ = tokio::time::timeout(LAST_WORDS, words).await;
        }
        slow::on_end(reason, self.driver.peer(), || self.driver.label());
        self.driver.end(reason, clock::now());
        self.driver.peer().outbox.close();
        self.socket.shutdown();
    }
}
