//! Several servers in one thread: brokers, their clients and the links between them, over pipes that tests cut and hold.
//!
//! Everything happens when [`World::settle`] is called, one step after the other, in an order that the seed decides.

#![allow(dead_code, reason = "every test binary uses a part of it")]

mod stage;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use martlet_broker::Broker;
use martlet_broker::driver::Driver;
use martlet_broker::peer::{Kind, Receipt};
use martlet_cluster::gateway::{self, Outward, Place};
use martlet_cluster::route::{Facts, Member};
use martlet_cluster::{Dial, GatewayDial, Gateways, Order, Orders, Routes};
use martlet_config::Options;
use martlet_events::Time;
use martlet_proto::ClosedReason;
use parking_lot::Mutex;

pub(crate) use stage::{End, options};
use stage::{Stage, identity};

/// CONNECT of a client that wants no `+OK`.
pub(crate) const QUIET: &str =
    r#"CONNECT {"verbose":false,"pedantic":false,"headers":true,"no_responders":true,"protocol":1}"#;

pub(crate) struct Server {
    pub(crate) broker: Arc<Broker>,
    pub(crate) routes: Arc<Routes>,
    options: RefCell<Options>,
    pub(crate) gateways: Option<Arc<Gateways>>,
    orders: Arc<Mutex<Vec<Order>>>,
    pub(crate) is_up: Cell<bool>,
}

/// Several servers.
pub(crate) struct World {
    pub(crate) servers: Vec<Server>,
    stage: Stage,
    dice: RefCell<fastrand::Rng>,
    /// Pairs of servers that cannot reach each other.
    parted: RefCell<Vec<(usize, usize)>>,
    /// Connections that could not be made.
    waiting: RefCell<Vec<(usize, Order)>>,
}

/// Members listen on this port and upwards.
const PORT: usize = 6000;
/// Gateways on this one.
const GATEWAY_PORT: usize = 7000;

/// Where server `n` is.
fn member(n: usize) -> Member {
    Member {
        host: "h".into(),
        port: u16::try_from(PORT + n).expect("a port"),
        advertised: true,
        connect_urls: vec![format!("h:{}", 4222 + n)],
        ..Member::default()
    }
}

/// A `cluster` block for server `n`, with routes to these others.
pub(crate) fn clustered(n: usize, more: &str, routes: &[usize]) -> String {
    let urls: Vec<_> = routes.iter().map(|to| format!("\"nats-route://h:{}\"", PORT + to)).collect();
    format!("cluster {{ name: C, listen: \"h:{}\", routes: [{}] \n{more} }}\n", PORT + n, urls.join(", "))
}

/// A `gateway` block for server `n` of a cluster, with other clusters by one server each.
pub(crate) fn with_gateway(n: usize, cluster: &str, more: &str, remotes: &[(&str, usize)]) -> String {
    let remote = |(name, to): &(&str, usize)| format!("{{ name: {name}, url: \"nats://h:{}\" }}", GATEWAY_PORT + to);
    let remotes: Vec<_> = remotes.iter().map(remote).collect();
    let listen = GATEWAY_PORT + n;
    format!("gateway {{ name: {cluster}, listen: \"h:{listen}\", gateways: [{}] \n{more} }}\n", remotes.join(", "))
}

impl World {
    /// Servers with these configurations. Nothing is connected yet.
    pub(crate) fn new(configs: &[String], seed: u64) -> Self {
        let servers: Vec<_> = configs.iter().enumerate().map(|(n, config)| Server::new(n, config)).collect();
        let stage = Stage::new(servers.len(), Time::ORIGIN + Duration::from_hours(1));
        Self {
            servers,
            stage,
            dice: RefCell::new(fastrand::Rng::with_seed(seed)),
            parted: RefCell::default(),
            waiting: RefCell::default(),
        }
    }

    /// A full mesh of `count` servers with the accounts and cluster options of these texts.
    pub(crate) fn mesh(count: usize, top: &str, cluster: &str, seed: u64) -> Self {
        let others = |n: usize| (0..count).filter(|to| *to < n).collect::<Vec<_>>();
        let configs: Vec<_> = (0..count).map(|n| format!("{}{top}", clustered(n, cluster, &others(n)))).collect();
        let world = Self::new(&configs, seed);
        world.solicit();
        world
    }

    /// Every server connects to its configured routes, and everything comes to rest.
    pub(crate) fn solicit(&self) {
        for server in &self.servers {
            server.routes.solicit();
            if let Some(gateways) = &server.gateways {
                gateways.solicit();
            }
        }
        self.settle();
    }

    pub(crate) fn now(&self) -> Time {
        self.stage.now()
    }

    /// A client of a server, connected.
    pub(crate) fn client(&self, server: usize, connect: &str) -> Client<'_> {
        let end = self.stage.enter_client(server, &self.servers[server].broker);
        self.stage.step(&end, Driver::open);
        let client = Client { world: self, end };
        client.send(&format!("{connect}\r\nPING\r\n"));
        client.received();
        client
    }

    /// The same that may do everything in the only account there is.
    pub(crate) fn quiet(&self, server: usize) -> Client<'_> {
        self.client(server, QUIET)
    }

    /// A client whose password is `pw`.
    pub(crate) fn user(&self, server: usize, name: &str) -> Client<'_> {
        let login = format!(r#","user":"{name}","pass":"pw"}}"#);
        self.client(server, &QUIET.replace('}', &login))
    }

    /// One end of a gateway connection, whose other end the test plays.
    pub(crate) fn play_gateway(&self, server: usize, dialled: Option<Outward>) -> Client<'_> {
        let of = &self.servers[server];
        let gateways = of.gateways.as_ref().expect("a server with gateways");
        let facts = gateway::Facts { dialled, seed: 1 };
        let make = |peer| -> Box<dyn Driver> { Box::new(gateways.drive(&of.broker, peer, facts, self.now())) };
        let end = self.stage.enter((server, &of.broker), Kind::Gateway, make);
        self.stage.step(&end, Driver::open);
        let client = Client { world: self, end };
        client.send("");
        client
    }

    /// A gateway connection of `from` to `to`, a server of a cluster.
    pub(crate) fn connect_gateway(&self, from: usize, to: usize, outward: &Outward) -> [Rc<End>; 2] {
        let outward = Some(outward.clone());
        let ends = [(from, outward), (to, None)].map(|(server, dialled)| {
            let of = &self.servers[server];
            let seed = self.dice.borrow_mut().u64(..);
            let gateways = of.gateways.as_ref().expect("a server with gateways");
            let facts = gateway::Facts { dialled, seed };
            let make = |peer| -> Box<dyn Driver> { Box::new(gateways.drive(&of.broker, peer, facts, self.now())) };
            self.stage.enter((server, &of.broker), Kind::Gateway, make)
        });
        self.stage.join(ends.each_ref());
        ends
    }

    /// A link of `from` to `to`, as an order asks for.
    fn connect(&self, from: usize, to: usize, dial: &Dial) {
        let ends = [(from, Some(dial.as_.clone())), (to, None)].map(|(server, dialled)| {
            let of = &self.servers[server];
            let seed = self.dice.borrow_mut().u64(..);
            let facts = Facts { dialled, remote_ip: "127.0.0.1".into(), seed, nonce: [9; 11] };
            let make = |peer| -> Box<dyn Driver> { Box::new(of.routes.drive(&of.broker, peer, facts, self.now())) };
            self.stage.enter((server, &of.broker), Kind::Route, make)
        });
        self.stage.join(ends.each_ref());
    }

    /// A server takes on another configuration.
    pub(crate) fn reload(&self, server: usize, config: &str) {
        let of = &self.servers[server];
        let receipt: Receipt = Arc::new(());
        let (mut old, new) = (of.options.borrow_mut(), options(config));
        let changes = martlet_config::reload::diff(&old, &new).expect("a reload that is taken on");
        of.broker.reconfigure(&new, 4222, &receipt).expect("valid options");
        of.routes.reload(&new, member(server), &changes, &format!("request of {server}"));
        *old = new;
        drop(old);
        self.settle();
        assert_eq!(Arc::strong_count(&receipt), 1, "every link has taken the reload up or ended");
    }

    /// Lets everything happen that can happen without time passing.
    pub(crate) fn settle(&self) {
        for _ in 0..10_000 {
            let mut ends = self.stage.open_ends();
            self.dice.borrow_mut().shuffle(&mut ends);
            let mut moved = false;
            for end in &ends {
                moved |= self.stage.act(end);
            }
            moved |= self.follow_orders();
            if !moved {
                self.stage.ends.borrow_mut().retain(|end| end.is_open() || end.other.borrow().is_none());
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
                let dial = match order {
                    Order::Route(dial) => dial,
                    Order::Gateway(dial) => {
                        any |= self.follow_gateway_order(from, dial);
                        continue;
                    }
                    Order::Leaf(_) => continue,
                };
                let to = usize::from(dial.as_.url.port.expect("routes have ports")) - PORT;
                if !self.reaches(from, to) || !dial.after.is_zero() {
                    // Tried again when time passes.
                    self.later(from, dial);
                } else if self.servers[from].routes.is_wanted(&dial.as_) {
                    self.connect(from, to, &dial);
                    any = true;
                }
            }
        }
        any
    }

    fn reaches(&self, from: usize, to: usize) -> bool {
        let apart = self.parted.borrow().iter().any(|pair| *pair == (from, to) || *pair == (to, from));
        let is_up = |server: usize| self.servers.get(server).is_some_and(|server| server.is_up.get());
        !apart && is_up(from) && is_up(to)
    }

    fn follow_gateway_order(&self, from: usize, dial: GatewayDial) -> bool {
        let gateways = self.servers[from].gateways.as_ref().expect("who orders a gateway has them");
        let urls = gateways.urls(&dial.cluster, &mut self.dice.borrow_mut());
        let place = |url: &martlet_config::options::LinkUrl| usize::from(url.port.expect("a port")) - GATEWAY_PORT;
        let reached = urls.iter().find(|url| self.reaches(from, place(url)));
        if let Some(url) = reached.filter(|_| dial.after.is_zero()) {
            self.connect_gateway(from, place(url), &Outward { cluster: dial.cluster, url: url.clone() });
            return true;
        }
        if !urls.is_empty() && (dial.again || !dial.after.is_zero() || !gateways.give_up(&dial.cluster)) {
            let later = GatewayDial { after: Duration::ZERO, ..dial };
            self.waiting.borrow_mut().push((from, Order::Gateway(later)));
        }
        false
    }

    fn later(&self, from: usize, dial: Dial) {
        let dial = Dial { after: Duration::ZERO, ..dial };
        if dial.as_.explicit || dial.again {
            self.waiting.borrow_mut().push((from, Order::Route(dial)));
        }
    }

    /// Tries what could not be connected before, as servers do when time passes.
    pub(crate) fn retry(&self) {
        for (from, order) in std::mem::take(&mut *self.waiting.borrow_mut()) {
            self.servers[from].orders.lock().push(order);
        }
        self.settle();
    }

    /// Lets so much time pass that everything is tried again several times.
    pub(crate) fn retry_patiently(&self) {
        for _ in 0..8 {
            self.retry();
        }
    }

    fn links(&self) -> Vec<Rc<End>> {
        let mut links = self.stage.open_ends();
        links.retain(|end| end.other.borrow().is_some());
        links
    }

    fn is_between(end: &End, a: usize, b: usize) -> bool {
        let other = end.other.borrow().as_ref().map(|other| other.server);
        (end.server, other) == (a, Some(b)) || (end.server, other) == (b, Some(a))
    }

    /// Cuts all links between two servers, who cannot reach each other from then on.
    pub(crate) fn part(&self, a: usize, b: usize) {
        self.parted.borrow_mut().push((a, b));
        for end in self.links().iter().filter(|end| Self::is_between(end, a, b)) {
            self.stage.close(end, ClosedReason::ReadError);
        }
        self.settle();
    }

    /// Lets them reach each other again.
    pub(crate) fn heal(&self, a: usize, b: usize) {
        self.parted.borrow_mut().retain(|pair| *pair != (a, b) && *pair != (b, a));
        self.retry();
    }

    /// What the links between two servers carry does not arrive until [`World::release`].
    pub(crate) fn hold(&self, a: usize, b: usize) {
        for end in self.links().iter().filter(|end| Self::is_between(end, a, b)) {
            end.is_held.set(true);
        }
    }

    /// What one member of a cluster tells another does not arrive from now on.
    pub(crate) fn mute(&self, from: usize, to: usize) {
        let is_way = |end: &&Rc<End>| end.peer.kind() == Kind::Route && end.server == to;
        for end in self.links().iter().filter(is_way).filter(|end| Self::is_between(end, from, to)) {
            end.is_held.set(true);
        }
    }

    /// Everything that a server has said over gateways.
    pub(crate) fn sent_over_gateways(&self, server: usize) -> String {
        let is_one = |end: &&Rc<End>| end.server == server && end.peer.kind() == Kind::Gateway;
        self.stage.ends.borrow().iter().filter(is_one).map(|end| end.said()).collect()
    }

    /// Time passes, and nobody notices yet.
    pub(crate) fn pass(&self, time: Duration) {
        self.stage.pass(time);
    }

    /// Time passes, and what is due by then happens.
    pub(crate) fn advance(&self, time: Duration) {
        self.stage.advance(time);
        self.settle();
    }

    /// What was held back arrives.
    pub(crate) fn release(&self, a: usize, b: usize) {
        for end in self.links().iter().filter(|end| Self::is_between(end, a, b)) {
            end.is_held.set(false);
            end.tail.borrow_mut().append(&mut end.held.borrow_mut());
        }
        self.settle();
    }

    /// A server is gone, with everything connected to it.
    pub(crate) fn kill(&self, server: usize) {
        self.servers[server].is_up.set(false);
        let all: Vec<_> = self.stage.ends.borrow().iter().filter(|end| end.server == server).cloned().collect();
        for end in all {
            self.stage.close(&end, ClosedReason::ServerShutdown);
        }
        self.settle();
    }

    /// Interest of an account as one server has it: patterns with queue group, weight, and whether another server wants it.
    pub(crate) fn interest(&self, server: usize, account: &str) -> Vec<(String, Option<String>, u32, bool)> {
        use martlet_broker::interest::Target;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let account = self.servers[server].broker.accounts.get(account).expect("an account");
        let mut sums: HashMap<(String, Option<String>, bool), u32> = HashMap::new();
        account.interest.for_each_pattern(|pattern, target| {
            let (queue, weight, remote) = match target {
                Target::Subscription(s) => (s.queue().map(text), 1, false),
                Target::Remote(r) => (r.queue().map(text), r.weight(), true),
                _ => return,
            };
            *sums.entry((text(pattern), queue, remote)).or_default() += weight;
        });
        let mut all: Vec<_> = sums.into_iter().map(|((p, q, r), n)| (p, q, n, r)).collect();
        all.sort();
        all
    }
}

impl Server {
    fn new(n: usize, config: &str) -> Self {
        let options = options(config);
        let broker = Arc::new(Broker::new(identity(n), &options, 4222).expect("valid options"));
        let orders: Arc<Mutex<Vec<Order>>> = Arc::default();
        let give = orders.clone();
        let (name, dynamic) = match options.settled_cluster_name() {
            Some(name) => (name.to_owned(), false),
            None => (format!("made-up-{n}"), true),
        };
        let give_gateways = orders.clone();
        let orders_of = Orders::new(Box::new(move |order| give.lock().push(order)));
        let member = Member {
            gateway_url: if options.gateway.is_some() { format!("h:{}", GATEWAY_PORT + n) } else { String::new() },
            ..member(n)
        };
        let routes = Arc::new(Routes::new(broker.clone(), orders_of, &options, member, (&name, dynamic)));
        let gateways = options.gateway.is_some().then(|| {
            let orders = Orders::new(Box::new(move |order| give_gateways.lock().push(order)));
            let place = Place { host: "h".into(), port: u16::try_from(GATEWAY_PORT + n).expect("a port") };
            let gateways = Arc::new(Gateways::new(broker.clone(), orders, &options, &place));
            gateways.join(&routes);
            gateways
        });
        broker.accounts.open_ledgers(true);
        Self { broker, routes, gateways, options: RefCell::new(options), orders, is_up: Cell::new(true) }
    }
}

/// A client of one of the servers.
pub(crate) struct Client<'w> {
    world: &'w World,
    pub(crate) end: Rc<End>,
}

impl Client<'_> {
    /// Sends text; all servers are at rest afterwards.
    pub(crate) fn send(&self, text: &str) {
        self.arrive(text.as_bytes());
        self.world.settle();
    }

    /// Sends bytes that the server works through, without anybody else acting on what follows.
    pub(crate) fn arrive(&self, bytes: &[u8]) {
        self.world.stage.arrive(&self.end, bytes);
    }

    /// What it was sent since the last call.
    pub(crate) fn received(&self) -> String {
        self.end.take_received()
    }

    /// The payloads of the messages in there.
    pub(crate) fn payloads(&self) -> Vec<String> {
        let text = self.received();
        let mut lines = text.split("\r\n");
        let mut payloads = Vec::new();
        while let Some(line) = lines.next() {
            if line.starts_with("MSG ") {
                payloads.push(lines.next().unwrap_or_default().to_owned());
            }
        }
        payloads
    }

    /// The client hangs up.
    pub(crate) fn hang_up(&self) {
        self.world.stage.close(&self.end, ClosedReason::ClientClosed);
        self.world.settle();
    }
}
