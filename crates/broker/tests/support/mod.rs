//! A broker with connections and a clock that tests move: everything a server has but sockets and threads.
//!
//! ```ignore
//! let world = World::new("max_payload: 100");
//! let client = world.quiet();
//! client.send("SUB a 1\r\nPUB a 2\r\nhi\r\n");
//! assert_eq!(client.received(), "MSG a 1 2\r\nhi\r\n");
//! ```
//!
//! Whatever a test does, the world is at rest when the call returns: wakes are answered and wires have what they take.

#![allow(dead_code, reason = "every test binary uses a part of it")]

pub(crate) mod wire;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use martlet_auth::{Check, PeerNames};
use martlet_broker::outbox::Flushed;
use martlet_broker::peer::Receipt;
use martlet_broker::settings::Identity;
use martlet_broker::{Batch, Broker, BrokerError, Facts, Next, Peer, Session};
use martlet_config::options::ConnectionType;
use martlet_config::{MemorySource, Options, parse_str};
use martlet_events::Time;
use martlet_proto::ClosedReason;
pub(crate) use wire::Wire;

/// CONNECT of a client that wants no `+OK`.
pub(crate) const QUIET: &str = r#"CONNECT {"verbose":false,"pedantic":false,"headers":true,"protocol":1}"#;

/// The options of a configuration text, which is valid.
pub(crate) fn options(config: &str) -> Options {
    match parse_str(config, "test.conf", &MemorySource::new()) {
        Ok(loaded) => loaded.options,
        Err(errors) => panic!("{errors}"),
    }
}

/// Who the server under test is.
pub(crate) fn identity() -> Identity {
    Identity {
        id: "NAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA".into(),
        xkey: "XAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA".into(),
        name: "under-test".into(),
        version: "2.15.1",
        git_commit: "abcdef",
        built_with: "rust",
    }
}

/// A broker for a configuration text.
pub(crate) fn broker(config: &str) -> Result<Broker, BrokerError> {
    Broker::new(identity(), &options(config), 4222)
}

/// A broker, its connections and its time. Clones are the same world.
#[derive(Clone)]
pub(crate) struct World(Rc<Inner>);

struct Inner {
    broker: Arc<Broker>,
    batch: RefCell<Batch>,
    now: Cell<Time>,
    connections: RefCell<Vec<Rc<Connection>>>,
}

struct Connection {
    wire: Wire,
    peer: Arc<Peer>,
    state: RefCell<State>,
}

struct State {
    session: Session,
    /// Received and not used.
    tail: Vec<u8>,
    large: Option<Large>,
    closed: Option<ClosedReason>,
    large_messages: usize,
    verifications: usize,
    /// Passwords are verified when the test says so.
    holds: bool,
    held: Option<Box<Check>>,
    stall: Option<Duration>,
}

/// A large message being gathered.
struct Large {
    line: Vec<u8>,
    body: Vec<u8>,
    size: usize,
}

impl World {
    /// A server of this configuration, at a time after its start.
    pub(crate) fn new(config: &str) -> Self {
        match broker(config) {
            Ok(broker) => Self::of(broker),
            Err(error) => panic!("{error}"),
        }
    }

    /// The same for options that a file cannot set.
    pub(crate) fn with_options(options: &Options) -> Self {
        Self::of(Broker::new(identity(), options, 4222).expect("valid options"))
    }

    fn of(broker: Broker) -> Self {
        Self(Rc::new(Inner {
            broker: Arc::new(broker),
            batch: RefCell::new(Batch::new(7)),
            now: Cell::new(Time::ORIGIN + Duration::from_hours(1)),
            connections: RefCell::default(),
        }))
    }

    /// What its connections share.
    pub(crate) fn broker(&self) -> &Arc<Broker> {
        &self.0.broker
    }

    /// The time.
    pub(crate) fn now(&self) -> Time {
        self.0.now.get()
    }

    /// A connection that has said nothing yet; what it has received is INFO.
    pub(crate) fn open(&self) -> Client {
        self.open_as(ConnectionType::Standard, None)
    }

    /// The same over another kind of connection, or with names from a certificate.
    pub(crate) fn open_as(&self, kind: ConnectionType, certificate: Option<PeerNames>) -> Client {
        let wire = Wire::default();
        let (settings, _) = self.0.broker.settings();
        let max_pending = usize::try_from(settings.limits.max_pending).expect("a size of memory");
        let max = settings.limits.max_connections;
        let (peer, admitted) = self
            .0
            .broker
            .registry
            .enter(max, |cid, slot| Peer::new(cid, slot, Box::new(wire.clone()), max_pending, self.now()));
        peer.describe(|d| {
            d.ip = "127.0.0.1".into();
            d.port = 40_000;
        });
        let facts = Facts { kind, nonce: [7; 11], jitter: 0.5, admitted };
        let mut session = Session::new(self.0.broker.clone(), peer.clone(), &facts, self.now());
        if let Some(names) = certificate {
            session.set_certificate(names);
        }
        let state = State {
            session,
            tail: Vec::new(),
            large: None,
            closed: None,
            large_messages: 0,
            verifications: 0,
            holds: false,
            held: None,
            stall: None,
        };
        let connection = Rc::new(Connection { wire, peer, state: RefCell::new(state) });
        self.0.connections.borrow_mut().push(connection.clone());
        let client = Client { world: self.clone(), connection };
        client.work(Session::open);
        client
    }

    /// A connection that has sent this CONNECT line; INFO and the answer are read away.
    pub(crate) fn client(&self, connect: &str) -> Client {
        let client = self.open();
        client.received();
        client.send(&format!("{connect}\r\n"));
        client.received();
        client
    }

    /// A client that wants no `+OK`.
    pub(crate) fn quiet(&self) -> Client {
        self.client(QUIET)
    }

    /// The same with a user name, whose password is `pw`.
    pub(crate) fn user(&self, name: &str) -> Client {
        let connect = QUIET.replace('}', &format!(r#","user":"{name}","pass":"pw"}}"#));
        let client = self.client(&connect);
        assert_eq!(client.closed(), None, "{name} is let in");
        client
    }

    /// Puts another configuration in force.
    pub(crate) fn reload(&self, config: &str) -> Result<(), BrokerError> {
        self.reload_options(&options(config))
    }

    /// The same with options that a file cannot set.
    pub(crate) fn reload_options(&self, options: &Options) -> Result<(), BrokerError> {
        let receipt: Receipt = Arc::new(());
        let outcome = self.0.broker.reconfigure(options, 4222, &receipt);
        self.settle();
        assert_eq!(Arc::strong_count(&receipt), 1, "every session has taken the reload up or ended");
        outcome
    }

    /// Lets time pass, with every timer going off when it is due.
    pub(crate) fn advance(&self, span: Duration) {
        let target = self.now() + span;
        for _ in 0..100_000 {
            let due = self.all().iter().filter_map(Client::due).min().filter(|due| *due <= target);
            let Some(due) = due else { break };
            self.0.now.set(self.now().max(due));
            for client in self.all() {
                if client.due().is_some_and(|due| due <= self.now()) {
                    client.work(Session::on_timer);
                }
            }
        }
        self.0.now.set(target);
        self.0.broker.sweep(target);
        self.settle();
    }

    /// Lets time pass without anyone noticing.
    pub(crate) fn skip(&self, span: Duration) {
        self.0.now.set(self.now() + span);
    }

    /// Answers wakes until there are none.
    pub(crate) fn settle(&self) {
        loop {
            let woken: Vec<_> = self.all().into_iter().filter(|c| c.connection.wire.take_wake()).collect();
            if woken.is_empty() {
                break;
            }
            for client in woken {
                client.on_wake();
            }
        }
    }

    fn all(&self) -> Vec<Client> {
        let connections = self.0.connections.borrow();
        connections.iter().map(|c| Client { world: self.clone(), connection: c.clone() }).collect()
    }

    /// Runs with this thread's batch at the time it is.
    pub(crate) fn with_batch<T>(&self, f: impl FnOnce(&mut Batch) -> T) -> T {
        let mut batch = self.0.batch.borrow_mut();
        batch.now = self.now();
        f(&mut batch)
    }
}

/// A client of a [`World`].
#[derive(Clone)]
pub(crate) struct Client {
    world: World,
    connection: Rc<Connection>,
}

impl Client {
    /// Sends text; the world is at rest afterwards.
    pub(crate) fn send(&self, text: &str) {
        self.send_bytes(text.as_bytes());
    }

    /// Sends bytes in one piece.
    pub(crate) fn send_bytes(&self, bytes: &[u8]) {
        self.arrive(bytes);
        self.world.settle();
    }

    /// Sends bytes in pieces of these sizes, the rest in one.
    pub(crate) fn send_in_pieces(&self, mut bytes: &[u8], sizes: &[usize]) {
        for size in sizes {
            let (piece, rest) = bytes.split_at((*size).min(bytes.len()));
            self.send_bytes(piece);
            bytes = rest;
        }
        if !bytes.is_empty() {
            self.send_bytes(bytes);
        }
    }

    /// Sends bytes without letting anybody else act on what follows.
    pub(crate) fn arrive(&self, bytes: &[u8]) {
        if self.closed().is_some() {
            return;
        }
        self.connection.state.borrow_mut().tail.extend_from_slice(bytes);
        loop {
            let next = self.world.with_batch(|batch| {
                let state = &mut *self.connection.state.borrow_mut();
                let next = state.read(batch);
                if let Some(stall) = batch.finish_turn(Some(&self.connection.peer)).stall {
                    state.stall = Some(stall);
                }
                next
            });
            match next {
                Next::Read => return,
                Next::Large { .. } => {}
                Next::Verify(check) => {
                    let mut state = self.connection.state.borrow_mut();
                    state.verifications += 1;
                    if state.holds {
                        state.held = Some(check);
                        return;
                    }
                    drop(state);
                    self.on_verified(*check);
                    if self.closed().is_some() {
                        return;
                    }
                }
                Next::Close(reason) => return self.close(reason),
                Next::Secure | Next::Compress(_) => panic!("clients ask for no TLS and no compression"),
            }
        }
    }

    /// Has its password wait to be verified.
    pub(crate) fn hold_verification(&self) {
        self.connection.state.borrow_mut().holds = true;
    }

    /// Verifies the password that waits, and reads on.
    pub(crate) fn verify(&self) {
        let check = self.connection.state.borrow_mut().held.take().expect("a password waits");
        self.on_verified(*check);
        self.send_bytes(b"");
    }

    fn on_verified(&self, check: Check) {
        self.work(|session, batch| session.on_verified(check.verify(), batch));
    }

    /// What the client was sent since the last call, as text.
    pub(crate) fn received(&self) -> String {
        String::from_utf8(self.received_bytes()).expect("a test that sends text gets text")
    }

    /// The same as bytes.
    pub(crate) fn received_bytes(&self) -> Vec<u8> {
        self.connection.wire.written()
    }

    /// Sends this and gives what comes back.
    pub(crate) fn ask(&self, text: &str) -> String {
        self.received();
        self.send(text);
        self.received()
    }

    /// The client hangs up.
    pub(crate) fn hang_up(&self) {
        if self.closed().is_none() {
            self.close(ClosedReason::ClientClosed);
        }
        self.world.settle();
    }

    /// Why the connection is closed, if it is.
    pub(crate) fn closed(&self) -> Option<ClosedReason> {
        self.connection.state.borrow().closed
    }

    /// Its wire.
    pub(crate) fn wire(&self) -> &Wire {
        &self.connection.wire
    }

    /// The connection as others see it.
    pub(crate) fn peer(&self) -> &Arc<Peer> {
        &self.connection.peer
    }

    /// Messages it sent that were gathered in a buffer of their own.
    pub(crate) fn large_messages(&self) -> usize {
        self.connection.state.borrow().large_messages
    }

    /// Passwords verified for it away from the loop.
    pub(crate) fn verifications(&self) -> usize {
        self.connection.state.borrow().verifications
    }

    /// How long it was told to hold back since the last call.
    pub(crate) fn take_stall(&self) -> Option<Duration> {
        self.connection.state.borrow_mut().stall.take()
    }

    fn due(&self) -> Option<Time> {
        let state = self.connection.state.borrow();
        state.closed.is_none().then(|| state.session.due())
    }

    fn on_wake(&self) {
        if self.closed().is_some() {
            return;
        }
        self.work(Session::on_wake);
        if self.closed().is_none() && self.flush() == Flushed::Gone {
            self.close(ClosedReason::WriteError);
        }
    }

    fn flush(&self) -> Flushed {
        self.world.with_batch(|batch| batch.flush(&self.connection.peer))
    }

    fn work(&self, f: impl FnOnce(&mut Session, &mut Batch) -> Next) {
        let next = self.world.with_batch(|batch| {
            let next = f(&mut self.connection.state.borrow_mut().session, batch);
            batch.finish_turn(Some(&self.connection.peer));
            next
        });
        if let Next::Close(reason) = next {
            self.close(reason);
        }
    }

    fn close(&self, reason: ClosedReason) {
        let is_silent = matches!(
            reason,
            ClosedReason::ReadError
                | ClosedReason::WriteError
                | ClosedReason::ClientClosed
                | ClosedReason::SlowConsumerPendingBytes
                | ClosedReason::SlowConsumerWriteDeadline
        );
        // spec: CORE-101
        if !is_silent {
            self.flush();
        }
        let mut state = self.connection.state.borrow_mut();
        state.session.end(reason, self.world.now());
        self.connection.peer.outbox.close();
        state.closed = Some(reason);
    }
}

impl State {
    /// One turn of reading, as the owner of a socket does it.
    fn read(&mut self, batch: &mut Batch) -> Next {
        if let Some(large) = &mut self.large {
            let missing = (large.size - large.body.len()).min(self.tail.len());
            large.body.extend(self.tail.drain(..missing));
            if large.body.len() < large.size {
                return Next::Read;
            }
            let Large { line, body, size } = self.large.take().expect("it is there");
            self.large_messages += 1;
            return match self.session.on_large(&line, &Bytes::from(body), batch) {
                // More may wait behind it.
                Next::Read => Next::Large { line: line.len(), body: size },
                other => other,
            };
        }
        if self.tail.is_empty() {
            return Next::Read;
        }
        let progress = self.session.on_bytes(&self.tail, batch);
        self.tail.drain(..progress.used);
        if let Next::Large { line, body } = progress.next {
            let line = self.tail.drain(..line).collect();
            self.large = Some(Large { line, body: Vec::new(), size: body });
        }
        progress.next
    }
}
