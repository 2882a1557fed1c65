//! Hubs, leaf nodes and members of clusters in one thread: brokers, their clients, the links between them, and ends of links
//! that tests play themselves.
//!
//! Server `n` is named `s<n>`, its leaf node listener is at `h:<7000+n>` and its route listener at `h:<6000+n>`. Nothing is
//! encrypted or compressed here: both ends agree on when that would begin. After every call the world is at rest.

use std::cell::{Cell, RefCell};
use std::io::{self, IoSlice};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use martlet_broker::driver::{Driver, Next, Secured};
use martlet_broker::outbox::Wire;
use martlet_broker::peer::{Kind, Receipt};
use martlet_broker::settings::Identity;
use martlet_broker::{Batch, Broker, Peer, Session};
use martlet_cluster::leaf::{Dialled, Facts, Place};
use martlet_cluster::route::{Facts as RouteFacts, Member};
use martlet_cluster::{LeafDial, Leafs, Order, Orders, Routes};
use martlet_config::options::ConnectionType;
use martlet_config::{MemorySource, Options, parse_str};
use martlet_events::Time;
use martlet_proto::ClosedReason;
use parking_lot::Mutex;

/// CONNECT of a client that wants no `+OK`.
const QUIET: &str = r#"{"verbose":false,"pedantic":false,"headers":true,"no_responders":true,"protocol":1"#;

/// One direction of a pipe.
#[derive(Debug, Clone, Default)]
struct Pipe(Arc<Mutex<(Vec<u8>, bool)>>);

impl Wire for Pipe {
    fn try_write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let written = &mut self.0.lock().0;
        for slice in slices {
            written.extend_from_slice(slice);
        }
        Ok(slices.iter().map(|slice| slice.len()).sum())
    }

    fn wake(&self) {
        self.0.lock().1 = true;
    }
}

/// One end of a connection.
struct End {
    server: usize,
    driver: RefCell<Box<dyn Driver>>,
    peer: Arc<Peer>,
    out: Pipe,
    tail: RefCell<Vec<u8>>,
    other: RefCell<Option<Rc<End>>>,
    /// What the test was sent that plays the other end.
    received: RefCell<Vec<u8>>,
    closed: Cell<Option<ClosedReason>>,
}

/// A server without sockets.
pub(crate) struct Server {
    pub(crate) broker: Arc<Broker>,
    pub(crate) leafs: Arc<Leafs>,
    routes: Option<Arc<Routes>>,
    orders: Arc<Mutex<Vec<Order>>>,
    batch: RefCell<Batch>,
}

/// Several servers.
pub(crate) struct World {
    pub(crate) servers: Vec<Server>,
    ends: RefCell<Vec<Rc<End>>>,
    now: Cell<Time>,
    /// Dials that are not due yet, with the server that makes them.
    waiting: RefCell<Vec<(usize, LeafDial, Time)>>,
    /// Servers that cannot be connected to.
    pub(crate) down: RefCell<Vec<usize>>,
}

pub(crate) fn options(config: &str) -> Options {
    match parse_str(config, "test.conf", &MemorySource::new()) {
        Ok(loaded) => loaded.options,
        Err(errors) => panic!("{errors}"),
    }
}

/// A `leafnodes` block that dials server `to`, with more in the remote.
pub(crate) fn remote(to: usize, more: &str) -> String {
    format!("leafnodes {{ remotes: [ {{ url: 'nats://h:{}', {more} }} ] }}\n", 7000 + to)
}

/// A `leafnodes` block that listens.
pub(crate) const HUB: &str = "leafnodes { listen: 'h:7000' }\n";

impl Server {
    fn new(n: usize, config: &str) -> Self {
        let options = options(config);
        let identity = Identity {
            id: format!("N{n:055}"),
            xkey: format!("X{n:055}"),
            name: format!("s{n}"),
            version: "2.15.1",
            git_commit: "abcdef",
            built_with: "rust",
        };
        let broker = Arc::new(Broker::new(identity, &options, 4222, Vec::new()).expect("valid options"));
        broker.accounts.open_ledgers(true);
        let orders: Arc<Mutex<Vec<Order>>> = Arc::default();
        let give = |orders: Arc<Mutex<Vec<Order>>>| Orders::new(Box::new(move |order| orders.lock().push(order)));
        let port = |from: usize| u16::try_from(from + n).expect("a port");
        let routes = options.cluster.as_ref().map(|_| {
            let member = Member { host: "h".into(), port: port(6000), advertised: true, ..Member::default() };
            let name = options.cluster_name.clone().expect("clusters of tests have names");
            Arc::new(Routes::new(broker.clone(), give(orders.clone()), &options, member, (&name, false)))
        });
        let leafnodes = options.leafnodes.clone().unwrap_or_default();
        if routes.is_none() && !leafnodes.remotes.is_empty() {
            broker.set_cluster_name(&format!("s{n}"));
        }
        let place = (leafnodes.port != 0).then(|| Place { host: "h".into(), port: port(7000) });
        let leafs = Arc::new(Leafs::new(broker.clone(), give(orders.clone()), &options, place, n as u64));
        Self { broker, leafs, routes, orders, batch: RefCell::new(Batch::new(n as u64 + 1)) }
    }
}

impl World {
    /// Servers with these configurations, connected as they say.
    pub(crate) fn new<S: AsRef<str>>(configs: &[S]) -> Self {
        let servers = configs.iter().enumerate().map(|(n, config)| Server::new(n, config.as_ref())).collect();
        let world = Self {
            servers,
            ends: RefCell::default(),
            now: Cell::new(Time::ORIGIN + Duration::from_hours(1)),
            waiting: RefCell::default(),
            down: RefCell::default(),
        };
        for server in &world.servers {
            if let Some(routes) = &server.routes {
                routes.solicit();
            }
            server.leafs.solicit();
        }
        world.settle();
        world
    }

    fn enter(&self, server: usize, kind: Kind, make: impl FnOnce(Arc<Peer>) -> Box<dyn Driver>) -> Rc<End> {
        let out = Pipe::default();
        let broker = &self.servers[server].broker;
        let new = |cid, slot| Peer::new(cid, slot, Box::new(out.clone()), 64 << 20, self.now.get());
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
            received: RefCell::default(),
            closed: Cell::default(),
        });
        self.ends.borrow_mut().push(end.clone());
        end
    }

    fn leaf_end(&self, server: usize, dialled: Option<Dialled>) -> Rc<End> {
        let of = &self.servers[server];
        let facts = Facts { dialled, seed: 1, nonce: [9; 11] };
        let make = |peer| -> Box<dyn Driver> { Box::new(of.leafs.drive(&of.broker, peer, facts, self.now.get())) };
        self.enter(server, Kind::Leaf, make)
    }

    fn open(&self, ends: &[&Rc<End>]) {
        if let [a, b] = ends {
            *a.other.borrow_mut() = Some((*b).clone());
            *b.other.borrow_mut() = Some((*a).clone());
        }
        for end in ends {
            self.step(end, Driver::open);
        }
        self.settle();
    }

    /// A client of a server, with more in its CONNECT.
    pub(crate) fn client_as(&self, server: usize, more: &str) -> Peering<'_> {
        let broker = self.servers[server].broker.clone();
        let facts =
            martlet_broker::Facts { kind: ConnectionType::Standard, nonce: [7; 11], jitter: 0.5, admitted: true };
        let make = |peer| -> Box<dyn Driver> { Box::new(Session::new(broker, peer, &facts, self.now.get())) };
        let end = self.enter(server, Kind::Client, make);
        self.open(&[&end]);
        let client = Peering { world: self, end };
        client.send(&format!("CONNECT {QUIET}{more}}}\r\nPING\r\n"));
        client.received();
        client
    }

    pub(crate) fn client(&self, server: usize) -> Peering<'_> {
        self.client_as(server, "")
    }

    /// A client whose password is its name.
    pub(crate) fn user(&self, server: usize, name: &str) -> Peering<'_> {
        self.client_as(server, &format!(r#","user":"{name}","pass":"{name}""#))
    }

    /// A leaf node that the test plays; it has connected and said nothing.
    pub(crate) fn leaf(&self, server: usize) -> Peering<'_> {
        let end = self.leaf_end(server, None);
        self.open(&[&end]);
        Peering { world: self, end }
    }

    /// One that has said CONNECT, with more in it; what it was sent is read away.
    pub(crate) fn connected_leaf(&self, server: usize, name: &str, more: &str) -> Peering<'_> {
        let leaf = self.leaf(server);
        leaf.send(&connect(name, more));
        leaf.received();
        leaf
    }

    /// A hub that the test plays, for the server's first remote.
    pub(crate) fn hub(&self, server: usize) -> Peering<'_> {
        let at = self.waiting.borrow().iter().position(|(of, ..)| *of == server).expect("a remote is dialled");
        let (_, dial, _) = self.waiting.borrow_mut().remove(at);
        let url = dial.remote.next_url();
        let end = self.leaf_end(server, Some(Dialled { remote: dial.remote, url }));
        self.open(&[&end]);
        Peering { world: self, end }
    }

    /// How long the server waits before it dials.
    pub(crate) fn dials(&self, server: usize) -> Vec<Duration> {
        let all = self.waiting.borrow();
        all.iter().filter(|(of, ..)| *of == server).map(|(_, _, at)| at.since(self.now.get())).collect()
    }

    fn step(&self, end: &Rc<End>, f: impl FnOnce(&mut dyn Driver, &mut Batch) -> Next) {
        let mut next = self.turn(end, f);
        loop {
            next = match next {
                Next::Read => return,
                Next::Close(reason) => return self.close(end, reason),
                Next::Verify(check) => {
                    let verified = check.verify();
                    self.turn(end, |driver, batch| driver.on_verified(verified, batch))
                }
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

    fn turn(&self, end: &Rc<End>, f: impl FnOnce(&mut dyn Driver, &mut Batch) -> Next) -> Next {
        let mut batch = self.servers[end.server].batch.borrow_mut();
        batch.now = self.now.get();
        let next = f(&mut **end.driver.borrow_mut(), &mut batch);
        batch.finish(Some(&end.peer));
        batch.flush(&end.peer);
        next
    }

    fn close(&self, end: &Rc<End>, reason: ClosedReason) {
        if end.closed.get().is_some() {
            return;
        }
        end.closed.set(Some(reason));
        end.driver.borrow_mut().end(reason, self.now.get());
        Self::carry(end);
        end.peer.outbox.close();
        let other = end.other.borrow().clone();
        if let Some(other) = other.filter(|other| other.closed.get().is_none()) {
            self.read(&other);
            self.close(&other, ClosedReason::ClientClosed);
        }
    }

    fn carry(end: &Rc<End>) -> bool {
        let bytes = std::mem::take(&mut end.out.0.lock().0);
        match end.other.borrow().as_ref() {
            None => end.received.borrow_mut().extend_from_slice(&bytes),
            Some(other) => other.tail.borrow_mut().extend_from_slice(&bytes),
        }
        !bytes.is_empty()
    }

    fn read(&self, end: &Rc<End>) -> bool {
        if end.closed.get().is_some() || end.tail.borrow().is_empty() {
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

    /// Lets everything happen that can happen without time passing.
    pub(crate) fn settle(&self) {
        for _ in 0..10_000 {
            let ends: Vec<_> = self.ends.borrow().iter().filter(|e| e.closed.get().is_none()).cloned().collect();
            let mut moved = false;
            for end in &ends {
                if std::mem::take(&mut end.out.0.lock().1) && end.closed.get().is_none() {
                    self.step(end, Driver::on_wake);
                    moved = true;
                }
                moved |= Self::carry(end);
                moved |= self.read(end);
            }
            moved |= self.follow_orders();
            if !moved {
                return;
            }
        }
        panic!("the servers never come to rest");
    }

    fn follow_orders(&self) -> bool {
        let mut any = false;
        for from in 0..self.servers.len() {
            let orders = std::mem::take(&mut *self.servers[from].orders.lock());
            for order in orders {
                match order {
                    Order::Gateway(_) => unreachable!("there are no gateways here"),
                    Order::Route(dial) => {
                        let to = usize::from(dial.as_.url.port.expect("routes have ports")) - 6000;
                        let mut ends = Vec::new();
                        for (server, dialled) in [(from, Some(dial.as_)), (to, None)] {
                            let facts = RouteFacts { dialled, remote_ip: "h".into(), seed: 1, nonce: [9; 11] };
                            let of = &self.servers[server];
                            let routes = of.routes.as_ref().expect("a member of a cluster");
                            ends.push(self.enter(server, Kind::Route, |peer| {
                                Box::new(routes.drive(&of.broker, peer, facts, self.now.get()))
                            }));
                        }
                        self.open(&[&ends[0], &ends[1]]);
                        any = true;
                    }
                    Order::Leaf(dial) => {
                        let at = self.now.get() + dial.after;
                        self.waiting.borrow_mut().push((from, dial, at));
                    }
                }
            }
        }
        self.dial_due() || any
    }

    fn dial_due(&self) -> bool {
        let due = |(_, dial, at): &mut (usize, LeafDial, Time)| {
            let port = usize::from(dial.remote.options().urls[0].port.expect("remotes have ports"));
            *at <= self.now.get() && port < 7000 + self.servers.len() && !self.down.borrow().contains(&(port - 7000))
        };
        let all: Vec<_> = self.waiting.borrow_mut().extract_if(.., due).collect();
        for (from, dial, _) in &all {
            if !self.servers[*from].leafs.is_wanted(&dial.remote) {
                dial.remote.rest();
                continue;
            }
            let url = dial.remote.next_url();
            let to = usize::from(url.port.expect("remotes have ports")) - 7000;
            let dialling = self.leaf_end(*from, Some(Dialled { remote: dial.remote.clone(), url }));
            let accepting = self.leaf_end(to, None);
            self.open(&[&dialling, &accepting]);
        }
        !all.is_empty()
    }

    /// Lets time pass in one step.
    pub(crate) fn advance(&self, span: Duration) {
        self.now.set(self.now.get() + span);
        let ends: Vec<_> = self.ends.borrow().iter().filter(|e| e.closed.get().is_none()).cloned().collect();
        for end in ends {
            if end.closed.get().is_none() && end.driver.borrow().due() <= self.now.get() {
                self.step(&end, Driver::on_timer);
            }
        }
        self.settle();
    }

    /// Puts another configuration of a server in force.
    pub(crate) fn reload(&self, server: usize, config: &str) {
        let (of, options) = (&self.servers[server], options(config));
        let receipt: Receipt = Arc::new(());
        of.broker.reconfigure(&options, 4222, Vec::new(), &receipt).expect("valid options");
        of.leafs.reload(&options);
        self.settle();
        assert_eq!(Arc::strong_count(&receipt), 1, "every link has taken the reload up or ended");
    }

    /// All leaf node links of a server break.
    pub(crate) fn cut(&self, server: usize) {
        let all: Vec<_> = self.ends.borrow().iter().cloned().collect();
        for end in all.iter().filter(|end| end.server == server && end.peer.kind() == Kind::Leaf) {
            self.close(end, ClosedReason::ReadError);
        }
        self.settle();
    }

    /// Other servers that want something in an account of this one: patterns with queue group and weight.
    pub(crate) fn wanted_elsewhere(&self, server: usize, account: &str) -> Vec<String> {
        use martlet_broker::interest::Target;
        let account = self.servers[server].broker.accounts.get(account).expect("an account");
        let mut all = Vec::new();
        account.interest.for_each_pattern(|pattern, target| {
            let Target::Remote(remote) = target else { return };
            let pattern = String::from_utf8_lossy(pattern);
            if pattern.starts_with("$LDS.") || pattern.starts_with("$SYS.") {
                return;
            }
            all.push(match remote.queue() {
                Some(queue) => format!("{pattern} {} {}", String::from_utf8_lossy(queue), remote.weight()),
                None => pattern.into_owned(),
            });
        });
        all.sort();
        all
    }
}

/// CONNECT of a leaf node.
pub(crate) fn connect(name: &str, more: &str) -> String {
    let more = if more.is_empty() { String::new() } else { format!(",{more}") };
    format!(
        "CONNECT {{\"version\":\"2.15.1\",\"server_id\":\"N{name}\",\"name\":\"{name}\",\"cluster\":\"{name}\",\
         \"headers\":true,\"compress_mode\":\"off\",\"remote_account\":\"R\",\"protocol\":3{more}}}\r\n"
    )
}

/// The other end of a connection, played by the test.
pub(crate) struct Peering<'w> {
    world: &'w World,
    end: Rc<End>,
}

impl Peering<'_> {
    /// Sends text; all servers are at rest afterwards.
    pub(crate) fn send(&self, text: &str) {
        self.end.tail.borrow_mut().extend_from_slice(text.as_bytes());
        while self.world.read(&self.end) {}
        self.world.settle();
    }

    /// What it was sent since the last call.
    pub(crate) fn received(&self) -> String {
        String::from_utf8(std::mem::take(&mut *self.end.received.borrow_mut())).expect("text")
    }

    /// The lines in there, without what every account's leaf nodes are asked for; sorted, since interest has no order.
    pub(crate) fn lines(&self) -> Vec<String> {
        let text = self.received();
        let own = |line: &&str| !line.contains("$LDS.") && !line.contains("$SYS.REQ.") && !line.is_empty();
        let mut lines: Vec<_> = text.split("\r\n").filter(own).map(str::to_owned).collect();
        lines.sort();
        lines
    }

    /// Sends this and gives what comes back.
    pub(crate) fn ask(&self, text: &str) -> String {
        self.received();
        self.send(text);
        self.received()
    }

    /// TLS is there, without a word before it.
    pub(crate) fn secure(&self) {
        self.world.turn(&self.end, |driver, batch| driver.on_secured(Secured::default(), batch));
    }

    pub(crate) fn closed(&self) -> Option<ClosedReason> {
        self.end.closed.get()
    }

    pub(crate) fn hang_up(&self) {
        self.world.close(&self.end, ClosedReason::ClientClosed);
        self.world.settle();
    }
}
