//! Hubs, leaf nodes and members of clusters in one thread: brokers, their clients, the links between them, and ends of links
//! that tests play themselves.
//!
//! Server `n` is named `s<n>`, its leaf node listener is at `h:<7000+n>` and its route listener at `h:<6000+n>`. Nothing is
//! encrypted or compressed here: both ends agree on when that would begin. After every call the world is at rest.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use martlet_broker::Broker;
use martlet_broker::driver::{Driver, Secured};
use martlet_broker::peer::{Kind, Receipt};
use martlet_cluster::leaf::{Dialled, Facts, Place};
use martlet_cluster::route::{Facts as RouteFacts, Member};
use martlet_cluster::{LeafDial, Leafs, Order, Orders, Routes};
use martlet_events::Time;
use martlet_proto::ClosedReason;
use parking_lot::Mutex;

use crate::stage::{End, Stage, identity, options};

/// CONNECT of a client that wants no `+OK`.
const QUIET: &str = r#"{"verbose":false,"pedantic":false,"headers":true,"no_responders":true,"protocol":1"#;

/// A server without sockets.
pub(crate) struct Server {
    pub(crate) broker: Arc<Broker>,
    pub(crate) leafs: Arc<Leafs>,
    routes: Option<Arc<Routes>>,
    orders: Arc<Mutex<Vec<Order>>>,
}

/// Several servers.
pub(crate) struct World {
    pub(crate) servers: Vec<Server>,
    stage: Stage,
    /// Dials that are not due yet, with the server that makes them.
    waiting: RefCell<Vec<(usize, LeafDial, Time)>>,
    /// Servers that cannot be connected to.
    pub(crate) down: RefCell<Vec<usize>>,
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
        let broker = Arc::new(Broker::new(identity(n), &options, 4222).expect("valid options"));
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
        Self { broker, leafs, routes, orders }
    }
}

impl World {
    /// Servers with these configurations, connected as they say.
    pub(crate) fn new<S: AsRef<str>>(configs: &[S]) -> Self {
        let servers: Vec<_> = configs.iter().enumerate().map(|(n, config)| Server::new(n, config.as_ref())).collect();
        let stage = Stage::new(servers.len(), Time::ORIGIN + Duration::from_hours(1));
        let world = Self { servers, stage, waiting: RefCell::default(), down: RefCell::default() };
        for server in &world.servers {
            if let Some(routes) = &server.routes {
                routes.solicit();
            }
            server.leafs.solicit();
        }
        world.settle();
        world
    }

    fn leaf_end(&self, server: usize, dialled: Option<Dialled>) -> Rc<End> {
        let of = &self.servers[server];
        let facts = Facts { dialled, seed: 1, nonce: [9; 11] };
        let make = |peer| -> Box<dyn Driver> { Box::new(of.leafs.drive(&of.broker, peer, facts, self.stage.now())) };
        self.stage.enter((server, &of.broker), Kind::Leaf, make)
    }

    /// Lets the server say its first word to a peer that the test plays.
    fn play(&self, end: Rc<End>) -> Peering<'_> {
        self.stage.step(&end, Driver::open);
        self.settle();
        Peering { world: self, end }
    }

    /// A client of a server, with more in its CONNECT.
    pub(crate) fn client_as(&self, server: usize, more: &str) -> Peering<'_> {
        let client = self.play(self.stage.enter_client(server, &self.servers[server].broker));
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
        self.play(self.leaf_end(server, None))
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
        self.play(self.leaf_end(server, Some(Dialled { remote: dial.remote, url })))
    }

    /// How long the server waits before it dials.
    pub(crate) fn dials(&self, server: usize) -> Vec<Duration> {
        let all = self.waiting.borrow();
        all.iter().filter(|(of, ..)| *of == server).map(|(_, _, at)| at.since(self.stage.now())).collect()
    }

    /// Lets everything happen that can happen without time passing.
    pub(crate) fn settle(&self) {
        for _ in 0..10_000 {
            let mut moved = false;
            for end in &self.stage.open_ends() {
                moved |= self.stage.act(end);
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
                        let ends = [(from, Some(dial.as_)), (to, None)].map(|(server, dialled)| {
                            let facts = RouteFacts { dialled, remote_ip: "h".into(), seed: 1, nonce: [9; 11] };
                            let of = &self.servers[server];
                            let routes = of.routes.as_ref().expect("a member of a cluster");
                            let make = |peer| -> Box<dyn Driver> {
                                Box::new(routes.drive(&of.broker, peer, facts, self.stage.now()))
                            };
                            self.stage.enter((server, &of.broker), Kind::Route, make)
                        });
                        self.stage.join(ends.each_ref());
                        self.settle();
                        any = true;
                    }
                    Order::Leaf(dial) => {
                        let at = self.stage.now() + dial.after;
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
            *at <= self.stage.now() && port < 7000 + self.servers.len() && !self.down.borrow().contains(&(port - 7000))
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
            self.stage.join([&dialling, &accepting]);
            self.settle();
        }
        !all.is_empty()
    }

    /// Lets time pass in one step.
    pub(crate) fn advance(&self, span: Duration) {
        self.stage.advance(span);
        self.settle();
    }

    /// Puts another configuration of a server in force.
    pub(crate) fn reload(&self, server: usize, config: &str) {
        let (of, options) = (&self.servers[server], options(config));
        let receipt: Receipt = Arc::new(());
        of.broker.reconfigure(&options, 4222, &receipt).expect("valid options");
        of.leafs.reload(&options);
        self.settle();
        assert_eq!(Arc::strong_count(&receipt), 1, "every link has taken the reload up or ended");
    }

    /// All leaf node links of a server break.
    pub(crate) fn cut(&self, server: usize) {
        let all: Vec<_> = self.stage.ends.borrow().iter().cloned().collect();
        for end in all.iter().filter(|end| end.server == server && end.peer.kind() == Kind::Leaf) {
            self.stage.close(end, ClosedReason::ReadError);
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
        self.world.stage.arrive(&self.end, text.as_bytes());
        self.world.settle();
    }

    /// What it was sent since the last call.
    pub(crate) fn received(&self) -> String {
        self.end.take_received()
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
        self.world.stage.turn(&self.end, |driver, batch| driver.on_secured(Secured::default(), batch));
    }

    pub(crate) fn closed(&self) -> Option<ClosedReason> {
        self.end.closed.get()
    }

    pub(crate) fn hang_up(&self) {
        self.world.stage.close(&self.end, ClosedReason::ClientClosed);
        self.world.settle();
    }
}
