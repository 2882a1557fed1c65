//! What connections consist of where there are no sockets: ends with their drivers, the pipes between them, and the turns they
//! take. Which ends there are, and in which order they act, is for the worlds to say that stand on it.
//!
//! Nothing is encrypted or compressed here: both ends agree on when that would begin.

#![allow(dead_code, reason = "every test binary uses a part of it")]

use std::cell::{Cell, RefCell};
use std::io::{self, IoSlice};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use martlet_broker::driver::{Driver, Next, Secured};
use martlet_broker::outbox::Wire;
use martlet_broker::peer::Kind;
use martlet_broker::settings::Identity;
use martlet_broker::{Batch, Broker, Peer, Session};
use martlet_config::options::ConnectionType;
use martlet_config::{MemorySource, Options, parse_str};
use martlet_events::Time;
use martlet_proto::ClosedReason;
use parking_lot::Mutex;

pub(crate) fn options(config: &str) -> Options {
    match parse_str(config, "test.conf", &MemorySource::new()) {
        Ok(loaded) => loaded.options,
        Err(errors) => panic!("{errors}"),
    }
}

/// Who server `n` is.
pub(crate) fn identity(n: usize) -> Identity {
    Identity {
        id: format!("N{n:055}"),
        xkey: format!("X{n:055}"),
        name: format!("s{n}"),
        version: "2.15.1",
        git_commit: "abcdef",
        built_with: "rust",
    }
}

/// One direction of a pipe.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pipe(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    written: Vec<u8>,
    woken: bool,
}

impl Pipe {
    fn take(&self) -> Vec<u8> {
        std::mem::take(&mut self.0.lock().written)
    }

    fn take_wake(&self) -> bool {
        std::mem::take(&mut self.0.lock().woken)
    }
}

impl Wire for Pipe {
    fn try_write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut state = self.0.lock();
        for slice in slices {
            state.written.extend_from_slice(slice);
        }
        Ok(slices.iter().map(|slice| slice.len()).sum())
    }

    fn wake(&self) {
        self.0.lock().woken = true;
    }
}

/// One end of a connection.
pub(crate) struct End {
    pub(crate) server: usize,
    pub(crate) driver: RefCell<Box<dyn Driver>>,
    pub(crate) peer: Arc<Peer>,
    out: Pipe,
    /// Received and not used.
    pub(crate) tail: RefCell<Vec<u8>>,
    /// The other end, of a link between two servers; a test plays it otherwise.
    pub(crate) other: RefCell<Option<Rc<End>>>,
    /// What the network holds back on its way here.
    pub(crate) held: RefCell<Vec<u8>>,
    pub(crate) is_held: Cell<bool>,
    /// What the test was sent that plays the other end.
    pub(crate) received: RefCell<Vec<u8>>,
    pub(crate) closed: Cell<Option<ClosedReason>>,
    is_compressed: Cell<bool>,
    /// Everything it has said to another server.
    said: RefCell<Vec<u8>>,
}

impl End {
    /// Everything it has said to another server.
    pub(crate) fn said(&self) -> String {
        String::from_utf8_lossy(&self.said.borrow()).into_owned()
    }

    /// What the test was sent since the last call.
    pub(crate) fn take_received(&self) -> String {
        String::from_utf8(std::mem::take(&mut *self.received.borrow_mut())).expect("text")
    }

    pub(crate) fn is_open(&self) -> bool {
        self.closed.get().is_none()
    }

    /// Takes what it has written to where it goes.
    fn carry(&self) -> bool {
        let bytes = self.out.take();
        if bytes.is_empty() {
            return false;
        }
        match self.other.borrow().as_ref() {
            None => self.received.borrow_mut().extend_from_slice(&bytes),
            Some(other) => {
                self.said.borrow_mut().extend_from_slice(&bytes);
                let arrived = if other.is_held.get() { &other.held } else { &other.tail };
                arrived.borrow_mut().extend_from_slice(&bytes);
            }
        }
        true
    }
}

/// The ends of all connections of some servers, and the time.
pub(crate) struct Stage {
    pub(crate) ends: RefCell<Vec<Rc<End>>>,
    batches: Vec<RefCell<Batch>>,
    now: Cell<Time>,
}

impl Stage {
    /// For that many servers.
    pub(crate) fn new(servers: usize, now: Time) -> Self {
        let batch = |n: usize| RefCell::new(Batch::new(n as u64 + 1));
        Self { ends: RefCell::default(), batches: (0..servers).map(batch).collect(), now: Cell::new(now) }
    }

    pub(crate) fn now(&self) -> Time {
        self.now.get()
    }

    /// Time passes, and nobody notices yet.
    pub(crate) fn pass(&self, time: Duration) {
        self.now.set(self.now() + time);
    }

    /// Time passes, and what is due by then happens.
    pub(crate) fn advance(&self, time: Duration) {
        self.pass(time);
        for end in self.open_ends() {
            if end.is_open() && end.driver.borrow().due() <= self.now() {
                self.step(&end, Driver::on_timer);
            }
        }
    }

    /// The ends that are not closed.
    pub(crate) fn open_ends(&self) -> Vec<Rc<End>> {
        self.ends.borrow().iter().filter(|end| end.is_open()).cloned().collect()
    }

    /// An end of a connection of a server.
    pub(crate) fn enter(
        &self,
        (server, broker): (usize, &Broker),
        kind: Kind,
        make: impl FnOnce(Arc<Peer>) -> Box<dyn Driver>,
    ) -> Rc<End> {
        let out = Pipe::default();
        let new = |cid, slot| Peer::new(cid, slot, Box::new(out.clone()), 64 << 20, self.now());
        let peer = match kind {
            Kind::Client => broker.registry.enter(1 << 20, new).0,
            kind => broker.registry.enter_link(kind, new),
        };
        peer.describe(|d| d.ip = "127.0.0.1".into());
        let end = Rc::new(End {
            server,
            driver: RefCell::new(make(peer.clone())),
            peer,
            out,
            tail: RefCell::default(),
            other: RefCell::default(),
            held: RefCell::default(),
            is_held: Cell::default(),
            received: RefCell::default(),
            closed: Cell::default(),
            is_compressed: Cell::default(),
            said: RefCell::default(),
        });
        self.ends.borrow_mut().push(end.clone());
        end
    }

    /// The server's end of a client's connection.
    pub(crate) fn enter_client(&self, server: usize, broker: &Arc<Broker>) -> Rc<End> {
        let facts =
            martlet_broker::Facts { kind: ConnectionType::Standard, nonce: [7; 11], jitter: 0.5, admitted: true };
        let make = |peer| -> Box<dyn Driver> { Box::new(Session::new(broker.clone(), peer, &facts, self.now())) };
        self.enter((server, broker), Kind::Client, make)
    }

    /// Makes one connection of two ends, and lets both say their first word.
    pub(crate) fn join(&self, [a, b]: [&Rc<End>; 2]) {
        *a.other.borrow_mut() = Some(b.clone());
        *b.other.borrow_mut() = Some(a.clone());
        for end in [a, b] {
            self.step(end, Driver::open);
        }
    }

    /// Something happens to a driver, and what follows from it.
    pub(crate) fn step(&self, end: &Rc<End>, f: impl FnOnce(&mut dyn Driver, &mut Batch) -> Next) {
        let mut next = self.turn(end, f);
        loop {
            next = match next {
                Next::Read => return,
                Next::Close(reason) => return self.close(end, reason),
                Next::Verify(check) => {
                    let verified = check.verify();
                    self.turn(end, |driver, batch| driver.on_verified(verified, batch))
                }
                // Once it has begun, only the level changes.
                Next::Compress(_) if end.is_compressed.replace(true) => return,
                Next::Compress(_) => self.turn(end, Driver::on_compressed),
                Next::Secure => self.turn(end, |driver, batch| driver.on_secured(Secured::default(), batch)),
                Next::Large { line, body } => {
                    let mut tail = end.tail.borrow_mut();
                    if tail.len() < line + body {
                        return;
                    }
                    let line: Vec<u8> = tail.drain(..line).collect();
                    let body: Bytes = tail.drain(..body).collect();
                    drop(tail);
                    self.turn(end, |driver, batch| driver.on_large(&line, &body, batch))
                }
            };
        }
    }

    /// Something happens to a driver; what follows is given back.
    pub(crate) fn turn(&self, end: &End, f: impl FnOnce(&mut dyn Driver, &mut Batch) -> Next) -> Next {
        let mut batch = self.batches[end.server].borrow_mut();
        batch.now = self.now();
        let next = f(&mut **end.driver.borrow_mut(), &mut batch);
        batch.finish_turn(Some(&end.peer));
        batch.flush(&end.peer);
        next
    }

    pub(crate) fn close(&self, end: &Rc<End>, reason: ClosedReason) {
        if !end.is_open() {
            return;
        }
        end.closed.set(Some(reason));
        end.driver.borrow_mut().end(reason, self.now());
        end.carry();
        end.peer.outbox.close();
        let other = end.other.borrow().clone();
        if let Some(other) = other.filter(|other| other.is_open()) {
            self.read(&other);
            self.close(&other, ClosedReason::ClientClosed);
        }
    }

    /// Lets an end work through what has arrived; whether it used any of it.
    pub(crate) fn read(&self, end: &Rc<End>) -> bool {
        if !end.is_open() || end.tail.borrow().is_empty() {
            return false;
        }
        let before = end.tail.borrow().len();
        self.step(end, |driver, batch| {
            let mut tail = end.tail.borrow_mut();
            let progress = driver.on_bytes(&tail, batch);
            tail.drain(..progress.used);
            progress.next
        });
        end.tail.borrow().len() < before
    }

    /// Bytes arrive at an end, which works through them.
    pub(crate) fn arrive(&self, end: &Rc<End>, bytes: &[u8]) {
        end.tail.borrow_mut().extend_from_slice(bytes);
        while self.read(end) {}
    }

    /// Lets one end do what it can do; whether that was anything.
    pub(crate) fn act(&self, end: &Rc<End>) -> bool {
        let is_woken = end.out.take_wake() && end.is_open();
        if is_woken {
            self.step(end, Driver::on_wake);
        }
        let has_written = end.carry();
        self.read(end) || is_woken || has_written
    }
}
