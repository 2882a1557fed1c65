//! A toy protocol, and servers that speak it to each other.
//!
//! The accepted end says `HELLO`, and begins TLS behind it where there is to be any. The dialled end then asks to `COMPRESS`
//! if the test wants that. `SAY x` is answered with `SAID x`, and `BODY n`, with n bytes behind it, with the same body.
//! `LEVEL x` changes the level of the compression on the end that hears it.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use bytes::Bytes;
use martlet_auth::{Identity, Reason};
use martlet_broker::driver::{Level, Secured, WriteRules};
use martlet_broker::peer::{Control, Kind};
use martlet_broker::{Batch, Broker, Driver, Next, Peer, Progress, settings};
use martlet_config::Options;
use martlet_config::options::WriteTimeout;
use martlet_events::Time;
use martlet_net::{Dial, DialError, LinkFacts, Links, Loops, Origin, Terms, dial_and_run, listen_links};
use martlet_proto::ClosedReason;
use parking_lot::Mutex;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

/// Nothing here takes that long, unless it never comes.
const PATIENCE: Duration = Duration::from_secs(20);
/// Bodies from this size on are gathered in a buffer of their own.
const LARGE: usize = 4096;

/// What a driver is made with.
#[derive(Debug, Clone)]
pub(crate) struct Script {
    /// The dialled end asks for compression at this level.
    pub(crate) level: Option<Level>,
    /// What the dialled end says as soon as it can.
    pub(crate) first_words: &'static str,
    /// How patient it is.
    pub(crate) rules: WriteRules,
}

impl Default for Script {
    fn default() -> Self {
        let rules = WriteRules { deadline: Duration::from_secs(10), timeout: WriteTimeout::Default };
        Self { level: None, first_words: "", rules }
    }
}

/// What happened to a driver.
#[derive(Debug)]
pub(crate) enum Event {
    Made(Arc<Peer>, LinkFacts),
    Line(String),
    Body(Vec<u8>, Shape),
    Secured(Box<Secured>),
    Compressed,
    Tick,
    Ended(ClosedReason),
}

/// How a body came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    WithItsLine,
    OnItsOwn,
}

/// The toy.
pub(crate) struct Toy {
    broker: Arc<Broker>,
    peer: Arc<Peer>,
    facts: LinkFacts,
    script: Script,
    events: Sender<Event>,
    orders: Arc<Mutex<VecDeque<Vec<u8>>>>,
    due: Time,
}

impl Toy {
    fn tell(&self, event: Event) {
        // A test that has seen enough does not listen any more.
        let _ = self.events.send(event);
    }

    fn ready(&self, batch: &mut Batch) -> Next {
        if let Some(level) = self.script.level {
            batch.send(&self.peer, b"COMPRESS\r\n");
            return Next::Compress(level);
        }
        batch.send(&self.peer, self.script.first_words.as_bytes());
        Next::Read
    }

    fn on_line(&mut self, line: &str, batch: &mut Batch) -> Next {
        self.tell(Event::Line(line.into()));
        match line.split_once(' ').unwrap_or((line, "")) {
            ("HELLO", _) if self.facts.tls => Next::Secure,
            ("HELLO", _) => self.ready(batch),
            ("COMPRESS", _) => Next::Compress(Level::Fast),
            ("LEVEL", level) => Next::Compress(level_of(level)),
            ("SAY", text) => {
                batch.send_with(&self.peer, text.len() + 7, |out| out.extend(format!("SAID {text}\r\n").bytes()));
                Next::Read
            }
            ("TIMER", _) => {
                self.due = batch.now + Duration::from_millis(1);
                Next::Read
            }
            ("QUIT", _) => Next::Close(ClosedReason::DuplicateRoute),
            _ => Next::Read,
        }
    }

    fn on_body(&self, body: &[u8], shape: Shape, batch: &mut Batch) {
        self.tell(Event::Body(body.to_vec(), shape));
        if !self.facts.dialled {
            batch.send(&self.peer, &body_line(body));
        }
    }
}

fn level_of(name: &str) -> Level {
    match name {
        "uncompressed" => Level::Uncompressed,
        "better" => Level::Better,
        "best" => Level::Best,
        _ => Level::Fast,
    }
}

/// A body as it is said.
pub(crate) fn body_line(body: &[u8]) -> Vec<u8> {
    [format!("BODY {}\r\n", body.len()).as_bytes(), body, b"\r\n"].concat()
}

fn body_size(line: &str) -> Option<usize> {
    line.strip_prefix("BODY ")?.parse().ok()
}

impl Driver for Toy {
    fn peer(&self) -> &Arc<Peer> {
        &self.peer
    }

    fn write_rules(&self) -> WriteRules {
        self.script.rules
    }

    fn open(&mut self, batch: &mut Batch) -> Next {
        if self.facts.dialled {
            return Next::Read;
        }
        batch.send(&self.peer, b"HELLO\r\n");
        let secured = self.peer.description().tls.is_some();
        if self.facts.tls && !secured { Next::Secure } else { Next::Read }
    }

    fn on_bytes(&mut self, input: &[u8], batch: &mut Batch) -> Progress {
        batch.begin_link_turn(&self.broker.settings().0);
        let mut used = 0;
        while let Some(len) = input[used..].windows(2).position(|two| two == b"\r\n") {
            let line = String::from_utf8(input[used..used + len].to_vec()).expect("text");
            let after = used + len + 2;
            let next = if let Some(size) = body_size(&line) {
                match input.get(after..after + size + 2) {
                    Some(body) => {
                        self.on_body(&body[..size], Shape::WithItsLine, batch);
                        used = after + size + 2;
                        continue;
                    }
                    None if size >= LARGE => Next::Large { line: len + 2, body: size + 2 },
                    None => Next::Read,
                }
            } else {
                used = after;
                match self.on_line(&line, batch) {
                    Next::Read => continue,
                    next => next,
                }
            };
            return Progress { used, next };
        }
        Progress { used, next: Next::Read }
    }

    fn on_large(&mut self, line: &[u8], body: &Bytes, batch: &mut Batch) -> Next {
        assert!(line.starts_with(b"BODY ") && body.ends_with(b"\r\n"));
        self.on_body(&body[..body.len() - 2], Shape::OnItsOwn, batch);
        Next::Read
    }

    fn on_wake(&mut self, batch: &mut Batch) -> Next {
        for request in self.peer.take_requests() {
            if let Control::Close(reason, _) = request {
                return Next::Close(reason);
            }
        }
        let mut next = Next::Read;
        for order in std::mem::take(&mut *self.orders.lock()) {
            match order.strip_prefix(b"LEVEL ") {
                Some(level) => next = Next::Compress(level_of(str::from_utf8(level).expect("text"))),
                None => batch.send(&self.peer, &order),
            }
        }
        next
    }

    fn on_timer(&mut self, batch: &mut Batch) -> Next {
        self.due = batch.now + Duration::from_hours(1);
        self.tell(Event::Tick);
        Next::Read
    }

    fn due(&self) -> Time {
        self.due
    }

    fn on_verified(&mut self, _: Result<Identity, Reason>, _: &mut Batch) -> Next {
        unreachable!("nothing is verified")
    }

    fn on_secured(&mut self, found: Secured, batch: &mut Batch) -> Next {
        let first = found.tls.first;
        self.peer.describe(|d| d.tls = Some(found.tls.clone()));
        self.tell(Event::Secured(Box::new(found)));
        if self.facts.dialled && !first { self.ready(batch) } else { Next::Read }
    }

    fn on_compressed(&mut self, batch: &mut Batch) -> Next {
        self.tell(Event::Compressed);
        let words = if self.facts.dialled { self.script.first_words } else { "COMPRESSED\r\n" };
        batch.send(&self.peer, words.as_bytes());
        Next::Read
    }

    fn end(&mut self, reason: ClosedReason, _: Time) {
        self.broker.leave_link(&self.peer, reason);
        self.tell(Event::Ended(reason));
    }
}

/// A server with links and nothing else.
pub(crate) struct Node {
    pub(crate) broker: Arc<Broker>,
    links: Arc<Links>,
    runtime: Runtime,
    script: Script,
}

/// One end of a link, as the test sees it.
pub(crate) struct End {
    events: Receiver<Event>,
    orders: Arc<Mutex<VecDeque<Vec<u8>>>>,
    peer: Option<Arc<Peer>>,
    pub(crate) facts: Option<LinkFacts>,
}

/// Makes a toy of `script`, and what the test sees of it.
fn toy(
    broker: Arc<Broker>,
    script: Script,
    events: Sender<Event>,
    orders: Arc<Mutex<VecDeque<Vec<u8>>>>,
) -> impl Fn(Arc<Peer>, LinkFacts) -> Toy + Clone + Send + 'static {
    move |peer, facts| {
        let due = Time::from_nanos(u64::MAX / 4);
        let made = Event::Made(peer.clone(), facts);
        let (broker, script, events, orders) = (broker.clone(), script.clone(), events.clone(), orders.clone());
        let toy = Toy { broker, peer, facts, script, events, orders, due };
        toy.tell(made);
        toy
    }
}

/// Terms for a link of `kind`.
pub(crate) fn terms(kind: Kind, origin: Origin) -> Terms {
    Terms { kind, max_pending: 64 << 20, origin }
}

/// Whom to dial at `address`.
pub(crate) fn whom(address: SocketAddr) -> Dial {
    Dial {
        host: address.ip().to_string(),
        port: address.port(),
        shuffled: false,
        avoid: Vec::new(),
        timeout: Duration::from_secs(5),
        user_timeout: Some(Duration::from_secs(30)),
    }
}

impl Node {
    pub(crate) fn new(script: Script) -> Self {
        let identity = settings::Identity {
            id: "N".into(),
            xkey: "X".into(),
            name: "under-test".into(),
            version: "2.15.1",
            git_commit: "abcdef",
            built_with: "rust",
        };
        let broker = Arc::new(Broker::new(identity, &Options::default(), 4222).expect("valid options"));
        let loops = Arc::new(Loops::start(2).expect("threads"));
        let links = Arc::new(Links::new(broker.clone(), loops));
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        Self { broker, links, runtime: runtime.expect("a thread"), script }
    }

    fn end(&self) -> (End, impl Fn(Arc<Peer>, LinkFacts) -> Toy + Clone + Send + 'static) {
        let (sender, events) = channel();
        let orders = Arc::<Mutex<VecDeque<Vec<u8>>>>::default();
        let make = toy(self.broker.clone(), self.script.clone(), sender, orders.clone());
        (End { events, orders, peer: None, facts: None }, make)
    }

    /// Accepts links of these terms; all of them are seen as one end.
    pub(crate) fn listen(&self, terms: Terms) -> (SocketAddr, End) {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.set_nonblocking(true).expect("a socket");
        let address = listener.local_addr().expect("an address");
        let (end, make) = self.end();
        let links = self.links.clone();
        self.runtime.spawn(async move {
            let listener = tokio::net::TcpListener::from_std(listener).expect("a runtime");
            listen_links(listener, links, move || terms.clone(), make).await;
        });
        (address, end)
    }

    /// Dials.
    pub(crate) fn dial(&self, whom: Dial, terms: Terms) -> (Dialling, End) {
        let (end, make) = self.end();
        let links = self.links.clone();
        let task = self.runtime.spawn(async move { dial_and_run(&links, &whom, terms, make).await });
        (Dialling { task, runtime: self.runtime.handle().clone() }, end)
    }

    /// Ends the loops with everything on them.
    pub(crate) fn stop(self) {
        let Self { links, runtime, .. } = self;
        drop(links);
        runtime.shutdown_background();
    }
}

/// A link that is dialled, or runs.
pub(crate) struct Dialling {
    task: JoinHandle<Result<ClosedReason, DialError>>,
    runtime: tokio::runtime::Handle,
}

impl Dialling {
    /// What came of it.
    pub(crate) fn outcome(self) -> Result<ClosedReason, DialError> {
        let Self { task, runtime } = self;
        runtime.block_on(async { tokio::time::timeout(PATIENCE, task).await }).expect("in time").expect("no panic")
    }
}

impl End {
    /// What happens next.
    pub(crate) fn next(&mut self) -> Event {
        match self.events.recv_timeout(PATIENCE) {
            Ok(Event::Made(peer, facts)) => {
                (self.peer, self.facts) = (Some(peer.clone()), Some(facts));
                Event::Made(peer, facts)
            }
            Ok(event) => event,
            Err(RecvTimeoutError::Timeout) => panic!("nothing happens"),
            Err(RecvTimeoutError::Disconnected) => panic!("nothing can happen"),
        }
    }

    /// The connection, once it is there.
    pub(crate) fn peer(&mut self) -> Arc<Peer> {
        while self.peer.is_none() {
            self.next();
        }
        self.peer.clone().expect("just seen")
    }

    /// The next line.
    pub(crate) fn line(&mut self) -> String {
        loop {
            match self.next() {
                Event::Line(line) => return line,
                Event::Ended(reason) => panic!("ended: {reason}"),
                _ => {}
            }
        }
    }

    /// The next body.
    pub(crate) fn body(&mut self) -> (Vec<u8>, Shape) {
        loop {
            match self.next() {
                Event::Body(body, shape) => return (body, shape),
                Event::Ended(reason) => panic!("ended: {reason}"),
                _ => {}
            }
        }
    }

    /// What TLS found out.
    pub(crate) fn secured(&mut self) -> Secured {
        loop {
            match self.next() {
                Event::Secured(found) => return *found,
                Event::Ended(reason) => panic!("ended: {reason}"),
                _ => {}
            }
        }
    }

    /// The lines until it ended, and why it did.
    pub(crate) fn ended(&mut self) -> (Vec<String>, ClosedReason) {
        let mut lines = Vec::new();
        loop {
            match self.next() {
                Event::Line(line) => lines.push(line),
                Event::Ended(reason) => return (lines, reason),
                _ => {}
            }
        }
    }

    /// Has this end say something.
    pub(crate) fn say(&mut self, bytes: impl Into<Vec<u8>>) {
        let peer = self.peer();
        self.orders.lock().push_back(bytes.into());
        peer.request(Control::SendInfo);
    }

    /// Closes it.
    pub(crate) fn close(&mut self, reason: ClosedReason) {
        self.peer().request(Control::Close(reason, None));
    }
}
