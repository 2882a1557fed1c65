//! From facts to messages in the system account.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use hashbrown::HashMap;
use martlet_events::Time;
use serde::Serialize;

use super::document::{Client, Connect, Connections, Count, Direction, Disconnect, Document, Head, Named, Statistics};
use super::fact::{Fact, Open, Traffic, Who};
use super::{ServerStats, is_heard, subject};
use crate::account::{Account, GLOBAL};
use crate::batch::Batch;
use crate::broker::Broker;
use crate::json;
use crate::peer::Kind;
use crate::router::{Message, Origin};
use crate::site::ServerInfo;

/// How long the connections of an account go untold while they do not change.
// spec: CORE-187
const HEARTBEAT: Duration = Duration::from_secs(30);
/// How often to look for accounts that have been quiet: there may be many.
const LOOK: Duration = Duration::from_secs(1);

/// What publishing needs from one time to the next.
#[derive(Debug)]
pub(super) struct Publishing {
    batch: Batch,
    /// When an account's connections were last told.
    told: HashMap<Arc<str>, Time>,
    /// When accounts were last looked through for quiet ones.
    looked: Time,
    /// Dropped facts that the log knows of.
    reported: u64,
}

impl Publishing {
    pub(super) fn new(id: &str) -> Self {
        // Servers have different keys, so their events have different numbers.
        let seed = id.bytes().fold(0_u64, |seed, byte| seed.wrapping_mul(31).wrapping_add(byte.into()));
        Self { batch: Batch::new(seed), told: HashMap::new(), looked: Time::ORIGIN, reported: 0 }
    }
}

/// Something that happens to a server as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServerEvent {
    /// It takes no more clients.
    LameDuck,
    /// It stops.
    Shutdown,
}

impl Broker {
    /// The system account, if there is one.
    pub fn system_account(&self) -> Option<Arc<Account>> {
        self.accounts.get(self.site().about().system_account.as_deref()?)
    }

    /// Publishes what has happened since the last call, and heartbeats; called every second or so and when
    /// [`Broker::on_events`] asks for it.
    // spec: CORE-185 CORE-186 CORE-187
    pub fn publish_events(&self, now: Time) {
        let facts = std::mem::take(&mut *self.events.waiting.lock());
        let Some(system) = self.system_account() else { return };
        let mut publishing = self.events.publishing.lock();
        let Publishing { batch, told, looked, reported } = &mut *publishing;
        batch.now = now;
        let mut teller = Teller { broker: self, system: &system, batch };
        let traffic = self.traffic_of(&facts);
        for fact in &facts {
            match fact {
                Fact::Connected { who, at } => teller.connected(who, *at),
                Fact::Disconnected { who, at, traffic, reason } => {
                    let body = teller.parting(who, *at, traffic, reason.as_str());
                    teller.departed(&system, &subject::disconnect(&who.account), *at, &body);
                }
                Fact::Refused { who, said_connect, at, traffic, reason } => {
                    let body = teller.parting(who, *at, traffic, reason.as_str());
                    if let Some(account) = self.accounts.get(&who.account).filter(|_| *said_connect) {
                        teller.departed(&account, subject::REFUSED_IN_ACCOUNT, *at, &body);
                    }
                    teller.departed(&system, &subject::refused(&self.identity().id), *at, &body);
                }
                Fact::Connections { account, at, open } => {
                    if let Some(of) = traffic.get(account.name()) {
                        teller.connections(of, *at, *open);
                        told.insert(account.name().clone(), now);
                    }
                }
                Fact::LeafNode { account } => {
                    let write = |server: ServerInfo<'_>| json::to_vec(&Named { server, acc: account });
                    teller.publish(&system, &subject::leaf_node(account), write);
                }
            }
        }
        if now.since(*looked) >= LOOK {
            *looked = now;
            self.publish_heartbeats(&mut teller, told, now);
        }
        teller.batch.finish();
        let dropped = self.events.dropped.load(Relaxed);
        if dropped > *reported {
            log::warn!("{} events of the system account were dropped: too many at once", dropped - *reported);
            *reported = dropped;
        }
    }

    /// Tells the connections of every account that has some and has been quiet.
    fn publish_heartbeats(&self, teller: &mut Teller<'_>, told: &mut HashMap<Arc<str>, Time>, now: Time) {
        let mut due = Vec::new();
        for account in self.accounts.all() {
            let name = account.name();
            if Open::of(&account).all() == 0 || **name == *GLOBAL {
                told.remove(name);
            } else if now.since(*told.entry(name.clone()).or_insert(now)) >= HEARTBEAT {
                told.insert(name.clone(), now);
                due.push(account);
            }
        }
        if due.is_empty() {
            return;
        }
        for of in self.traffic(due).values() {
            teller.connections(of, now, Open::of(&of.account));
        }
    }

    /// Tells something of the server as a whole, at once.
    // spec: CLU-094
    pub fn publish_server_event(&self, event: ServerEvent, now: Time) {
        let what = match event {
            ServerEvent::LameDuck => "LAMEDUCK",
            ServerEvent::Shutdown => "SHUTDOWN",
        };
        self.publish_about_server(what, now, |server| json::to_vec(&server));
        if event == ServerEvent::Shutdown {
            self.events.over.store(true, Relaxed);
        }
    }

    /// Tells the server's numbers, which `read` finds out, if anybody listens.
    // spec: CLU-094 CLU-095
    pub fn publish_statistics(&self, now: Time, read: impl FnOnce() -> ServerStats) {
        self.publish_about_server("STATSZ", now, |server| json::to_vec(&Statistics { server, statsz: &read() }));
    }

    /// Tells the server's numbers to someone who asked for them.
    // spec: CLU-088
    pub fn answer_statistics(&self, reply: &[u8], now: Time, read: impl FnOnce() -> ServerStats) {
        let statsz = read();
        self.with_teller(now, |teller| {
            teller.send(teller.system, (reply, b""), |server| json::to_vec(&Statistics { server, statsz: &statsz }));
        });
    }

    /// Tells the connections of an account to someone who asked for them, if it has any.
    // spec: CLU-091
    pub fn answer_connections(&self, account: &str, reply: &[u8], now: Time) {
        let Some(account) = self.accounts.get(account).filter(|account| account.connections() > 0) else { return };
        let open = Open::of(&account);
        for of in self.traffic(vec![account]).values() {
            self.with_teller(now, |teller| {
                let (head, body) = teller.connections_of(of, now, open);
                let write = |server: ServerInfo<'_>| json::to_vec(&Document { head: &head, server, body: &body });
                teller.send(teller.system, (reply, b""), write);
            });
        }
    }

    /// Asks other servers how many connections an account has there.
    // spec: CLU-094
    pub fn ask_connections(&self, account: &str, now: Time) {
        let subject = format!("$SYS.REQ.ACCOUNT.{account}.CONNS");
        let reply = format!("$SYS._INBOX_.{}", self.identity().id);
        self.with_teller(now, |teller| {
            if is_heard(teller.system, &subject) {
                let write = |server: ServerInfo<'_>| json::to_vec(&Named { server, acc: account });
                teller.send(teller.system, (subject.as_bytes(), reply.as_bytes()), write);
            }
        });
    }

    fn publish_about_server(&self, what: &str, now: Time, write: impl FnOnce(ServerInfo<'_>) -> Vec<u8>) {
        self.with_teller(now, |teller| {
            teller.publish(teller.system, &subject::server(&self.identity().id, what), write);
        });
    }

    fn with_teller(&self, now: Time, tell: impl FnOnce(&mut Teller<'_>)) {
        let Some(system) = self.system_account() else { return };
        let mut publishing = self.events.publishing.lock();
        let batch = &mut publishing.batch;
        batch.now = now;
        tell(&mut Teller { broker: self, system: &system, batch });
        batch.finish();
    }

    /// The traffic of the accounts that `facts` tell the connections of.
    fn traffic_of(&self, facts: &[Fact]) -> HashMap<Arc<str>, AccountTraffic> {
        let mut accounts: Vec<Arc<Account>> = Vec::new();
        for fact in facts {
            if let Fact::Connections { account, .. } = fact
                && !accounts.iter().any(|known| known.name() == account.name())
            {
                accounts.push(account.clone());
            }
        }
        self.traffic(accounts)
    }

    /// What went through `accounts`, in one round over all connections.
    fn traffic(&self, accounts: Vec<Arc<Account>>) -> HashMap<Arc<str>, AccountTraffic> {
        if accounts.is_empty() {
            return HashMap::new();
        }
        let gone = || accounts.into_iter().map(|account| (account.name().clone(), AccountTraffic::gone(account)));
        let (open, mut traffic) = self.registry.snapshot(|| gone().collect::<HashMap<_, _>>());
        for peer in open {
            let Some(of) = peer.account().and_then(|account| traffic.get_mut(account.name())) else { continue };
            let of_peer = Traffic::of(&peer);
            of.received.add(of_peer.published.0, of_peer.published.1);
            of.sent.add(of_peer.delivered.0, of_peer.delivered.1);
        }
        let (links, ()) =
            self.registry.snapshot_links(|| traffic.values_mut().for_each(AccountTraffic::add_gone_leafs));
        for peer in links.iter().filter(|peer| peer.kind() == Kind::Leaf) {
            let Some(of) = peer.account().and_then(|account| traffic.get_mut(account.name())) else { continue };
            let of_peer = Traffic::of(peer);
            of.received.add_leafs(of_peer.published.0, of_peer.published.1);
            of.sent.add_leafs(of_peer.delivered.0, of_peer.delivered.1);
        }
        traffic
    }
}

/// An account and what went through it.
struct AccountTraffic {
    account: Arc<Account>,
    sent: Direction,
    received: Direction,
}

impl AccountTraffic {
    /// What went through connections that are gone.
    fn gone(account: Arc<Account>) -> Self {
        let (mut sent, mut received) = (Direction::default(), Direction::default());
        let totals = &account.totals;
        sent.add(totals.out_msgs.load(Relaxed), totals.out_bytes.load(Relaxed));
        received.add(totals.in_msgs.load(Relaxed), totals.in_bytes.load(Relaxed));
        Self { account, sent, received }
    }

    /// Adds what went over leaf node links that are gone.
    fn add_gone_leafs(&mut self) {
        let totals = &self.account.leaf_totals;
        self.sent.add_leafs(totals.out_msgs.load(Relaxed), totals.out_bytes.load(Relaxed));
        self.received.add_leafs(totals.in_msgs.load(Relaxed), totals.in_bytes.load(Relaxed));
    }
}

/// Publishes events of one turn.
struct Teller<'a> {
    broker: &'a Broker,
    system: &'a Account,
    batch: &'a mut Batch,
}

impl Teller<'_> {
    fn connected(&mut self, who: &Who, at: Time) {
        let site = self.broker.site();
        let head = Head::connect(self.batch.unique_id(), site.wall(at));
        let body = Connect { client: Client::here(who, site) };
        self.tell(self.system, &subject::connect(&who.account), &head, &body);
    }

    /// What is told of a client that is gone or not let in.
    fn parting<'w>(&self, who: &'w Who, at: Time, traffic: &Traffic, reason: &'static str) -> Disconnect<'w> {
        let site = self.broker.site();
        Disconnect {
            client: Client::gone(who, site, site.wall(at)),
            sent: Count::from(traffic.published),
            received: Count::from(traffic.delivered),
            reason,
        }
    }

    fn departed(&mut self, account: &Account, subject: &str, at: Time, body: &Disconnect<'_>) {
        let head = Head::disconnect(self.batch.unique_id(), self.broker.site().wall(at));
        self.tell(account, subject, &head, body);
    }

    fn connections(&mut self, of: &AccountTraffic, at: Time, open: Open) {
        let (head, body) = self.connections_of(of, at, open);
        for subject in subject::connections(of.account.name()) {
            self.tell(self.system, &subject, &head, &body);
        }
    }

    fn connections_of<'t>(&mut self, of: &'t AccountTraffic, at: Time, open: Open) -> (Head, Connections<'t>) {
        let name = of.account.name();
        let head = Head::connections(self.batch.unique_id(), self.broker.site().wall(at));
        let body = Connections {
            acc: name,
            name,
            conns: open.clients,
            leafnodes: open.leafs,
            total_conns: open.all(),
            num_subscriptions: of.account.interest.len(),
            sent: of.sent,
            received: of.received,
            slow_consumers: of.account.totals.slow_consumers.load(Relaxed),
        };
        (head, body)
    }

    fn tell(&mut self, account: &Account, subject: &str, head: &Head, body: &impl Serialize) {
        self.publish(account, subject, |server| json::to_vec(&Document { head, server, body }));
    }

    /// Publishes what `write` makes, if anybody listens.
    fn publish(&mut self, account: &Account, subject: &str, write: impl FnOnce(ServerInfo<'_>) -> Vec<u8>) {
        if is_heard(account, subject) {
            self.send(account, (subject.as_bytes(), b""), write);
        }
    }

    /// Publishes what `write` makes.
    fn send(
        &mut self,
        account: &Account,
        (subject, reply): (&[u8], &[u8]),
        write: impl FnOnce(ServerInfo<'_>) -> Vec<u8>,
    ) {
        let about = self.broker.site().about();
        let body = write(self.broker.site().server_info(&about, self.batch.now));
        let size_text = body.len().to_string();
        let message = Message { subject, reply, size_text: size_text.as_bytes(), body: &body, ..Message::default() };
        let log = self.broker.settings().0.protocol_log;
        if let Some(log) = log {
            log.internal(&message);
        }
        self.batch.protocol_log = log;
        self.batch.route(account, &Origin::SERVER, &message);
        if self.batch.is_full() {
            self.batch.finish();
        }
    }
}
