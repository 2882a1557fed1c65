//! What all connections of a server share.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use martlet_auth::AuthError;
use martlet_config::Options;
use martlet_config::advertise::AdvertiseError;
use martlet_events::Time;
use martlet_proto::{ClosedReason, Info};
use parking_lot::RwLock;
use thiserror::Error;

use crate::accounts::{AccountError, Accounts};
use crate::batch::Batch;
use crate::comebacks::Comebacks;
use crate::events::Events;
use crate::outbox::Totals;
use crate::peer::{Control, Kind, Peer, Receipt};
use crate::publisher::Publisher;
use crate::registry::{Closed, ClosedRing, KeptSubscriptions, Registry};
use crate::servers::Servers;
use crate::settings::{Identity, Settings};
use crate::site::Site;

/// Why a configuration cannot be put in force.
#[derive(Debug, Error)]
pub enum BrokerError {
    /// Users or permissions are wrong.
    #[error(transparent)]
    Auth(#[from] AuthError),
    /// Accounts are wrong.
    #[error(transparent)]
    Account(#[from] AccountError),
    /// `client_advertise` is no address.
    #[error("Error setting server INFO with ClientAdvertise value of {value}, err={reason}")]
    Advertise {
        /// The address.
        value: String,
        /// What is wrong with it.
        reason: AdvertiseError,
    },
}

/// A number for each kind of connection.
#[derive(Debug, Default)]
pub struct ByKind {
    /// Clients.
    pub clients: AtomicU64,
    /// Routes.
    pub routes: AtomicU64,
    /// Gateways.
    pub gateways: AtomicU64,
    /// Leaf nodes.
    pub leafs: AtomicU64,
}

impl ByKind {
    /// The number of one kind.
    pub fn of(&self, kind: Kind) -> &AtomicU64 {
        match kind {
            Kind::Client => &self.clients,
            Kind::Route => &self.routes,
            Kind::Gateway => &self.gateways,
            Kind::Leaf => &self.leafs,
        }
    }

    /// Counts one more of a kind.
    pub fn count(&self, kind: Kind) {
        self.of(kind).fetch_add(1, Ordering::Relaxed);
    }
}

/// What has passed through connections that are gone.
#[derive(Debug, Default)]
pub struct Passed {
    /// Messages they sent.
    pub in_msgs: AtomicU64,
    /// Bytes they sent.
    pub in_bytes: AtomicU64,
    /// Messages they got.
    pub out_msgs: AtomicU64,
    /// Bytes they got.
    pub out_bytes: AtomicU64,
}

impl Passed {
    fn add(&self, peer: &Peer, out: &Totals) {
        let p = &peer.counters;
        self.in_msgs.fetch_add(p.in_msgs.load(Ordering::Relaxed), Ordering::Relaxed);
        self.in_bytes.fetch_add(p.in_bytes.load(Ordering::Relaxed), Ordering::Relaxed);
        self.out_msgs.fetch_add(out.messages, Ordering::Relaxed);
        self.out_bytes.fetch_add(out.bytes, Ordering::Relaxed);
    }
}

/// Counters of a server.
#[derive(Debug, Default)]
pub struct Counters {
    /// Traffic of clients that are gone.
    pub clients: Passed,
    /// Traffic of links that are gone.
    pub links: Passed,
    /// Connections found or closed because they were slow.
    pub slow_consumers: ByKind,
    /// Connections closed because they were silent.
    pub stale_connections: ByKind,
    /// Times that publishers were held back.
    pub stalls: AtomicU64,
    /// Clients refused.
    pub auth_errors: AtomicU64,
}

/// What clients are told of the cluster they are in.
#[derive(Debug, Default)]
struct ClusterNews {
    name: Option<String>,
    /// Where clients may connect to this server, and to other members.
    own_urls: Vec<String>,
    other_urls: Vec<String>,
    /// Where leaf nodes may connect to other members.
    leafnode_urls: Vec<String>,
}

/// What all connections of a server share.
#[derive(Debug)]
pub struct Broker {
    identity: Identity,
    site: Arc<Site>,
    settings: RwLock<Arc<Settings>>,
    generation: AtomicU64,
    /// Its accounts.
    pub accounts: Accounts,
    /// The open connections.
    pub registry: Registry,
    /// The closed ones.
    pub closed: ClosedRing,
    /// Its counters.
    pub counters: Counters,
    /// The other servers.
    pub servers: Servers,
    /// How often links to them were made again.
    pub comebacks: Comebacks,
    lame_duck: AtomicBool,
    cluster: RwLock<ClusterNews>,
    publisher: Publisher,
    pub(crate) events: Events,
}

impl Broker {
    /// A broker for a server listening on `port`.
    pub fn new(identity: Identity, options: &Options, port: u16) -> Result<Self, BrokerError> {
        let settings = Settings::new(options, &identity, port)?;
        let site = Arc::new(Site::new(&identity, options));
        let accounts = Accounts::new(site.clone());
        let events = Events::new(&identity.id);
        accounts.configure(options)?;
        Ok(Self {
            identity,
            site,
            settings: RwLock::new(Arc::new(settings)),
            generation: AtomicU64::new(1),
            accounts,
            registry: Registry::default(),
            closed: ClosedRing::new(options.limits.max_closed_clients),
            counters: Counters::default(),
            servers: Servers::default(),
            comebacks: Comebacks::default(),
            lame_duck: AtomicBool::new(false),
            cluster: RwLock::default(),
            publisher: Publisher::default(),
            events,
        })
    }

    /// Who this server is.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Who this server is and what time it is, for what it publishes itself.
    pub fn site(&self) -> &Arc<Site> {
        &self.site
    }

    /// The settings in force, with their generation.
    pub fn settings(&self) -> (Arc<Settings>, u64) {
        let settings = self.settings.read();
        (settings.clone(), self.generation())
    }

    /// Grows with every change of the settings.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Puts a new configuration in force, or nothing of it; sessions look again. When the last part of `receipt` is gone, all
    /// have that were there: what they subscribed to follows the new configuration from then on.
    pub fn reconfigure(&self, options: &Options, port: u16, receipt: &Receipt) -> Result<(), BrokerError> {
        let settings = Settings::new(options, &self.identity, port)?;
        self.accounts.configure(options)?;
        self.site.renew(&self.identity, options);
        {
            let mut current = self.settings.write();
            *current = Arc::new(settings);
            self.generation.fetch_add(1, Ordering::AcqRel);
        }
        for peer in self.registry.all().into_iter().chain(self.registry.links()) {
            peer.reconfigure(receipt);
        }
        Ok(())
    }

    /// INFO of these settings as it is now.
    pub fn info(&self, settings: &Settings) -> Info {
        let mut info = settings.info.clone();
        {
            let news = self.cluster.read();
            if let Some(name) = &news.name {
                info.cluster.clone_from(name);
            }
            // spec: CORE-143
            info.ldm = self.is_lame_duck();
            let own = if info.ldm { &[] } else { news.own_urls.as_slice() };
            info.connect_urls = own.iter().chain(&news.other_urls).cloned().collect();
        }
        info
    }

    /// Has every client that understands it told of INFO as it is now (CORE-027).
    pub fn announce(&self) {
        for peer in self.registry.all() {
            peer.request(Control::SendInfo);
        }
    }

    /// The cluster's name, from now on.
    pub fn set_cluster_name(&self, name: &str) {
        self.cluster.write().name = Some(name.to_owned());
        self.site.set_cluster(name);
    }

    /// Where clients may connect to this server and to other members of its cluster, from now on; they are told.
    // spec: CLU-023
    pub fn set_connect_urls(&self, own: Vec<String>, others: Vec<String>) {
        {
            let mut news = self.cluster.write();
            if news.own_urls == own && news.other_urls == others {
                return;
            }
            (news.own_urls, news.other_urls) = (own, others);
        }
        self.announce();
    }

    /// Where leaf nodes may connect to other members of the cluster, from now on; they are told.
    // spec: CLU-052
    pub fn set_leafnode_urls(&self, urls: Vec<String>) {
        {
            let mut news = self.cluster.write();
            if news.leafnode_urls == urls {
                return;
            }
            news.leafnode_urls = urls;
        }
        for peer in self.registry.links().iter().filter(|peer| peer.kind() == Kind::Leaf) {
            peer.request(Control::SendInfo);
        }
    }

    /// Where leaf nodes may connect to other members of the cluster.
    pub fn leafnode_urls(&self) -> Vec<String> {
        self.cluster.read().leafnode_urls.clone()
    }

    /// Begins lame duck mode (CORE-142, CORE-143).
    pub fn set_lame_duck(&self) {
        self.lame_duck.store(true, Ordering::Release);
    }

    /// Whether lame duck mode has begun.
    pub fn is_lame_duck(&self) -> bool {
        self.lame_duck.load(Ordering::Acquire)
    }

    /// Removes a connection that is over and remembers it.
    pub fn leave(&self, peer: &Arc<Peer>, reason: ClosedReason, subscriptions: KeptSubscriptions, now: Time) {
        let out = peer.outbox.totals();
        self.count_slow(peer, reason);
        self.registry.leave(peer, || self.counters.clients.add(peer, &out));
        self.tell_disconnected(peer, reason, now);
        self.closed.push(Closed::of(peer, reason, now, out, subscriptions));
    }

    /// Removes a link that is over.
    pub fn leave_link(&self, peer: &Arc<Peer>, reason: ClosedReason) {
        let out = peer.outbox.totals();
        self.count_slow(peer, reason);
        if reason == ClosedReason::StaleConnection {
            self.counters.stale_connections.count(peer.kind());
        }
        let of_account = peer.account().filter(|_| peer.kind() == Kind::Leaf);
        self.registry.leave(peer, || {
            self.counters.links.add(peer, &out);
            if let Some(account) = &of_account {
                account.leaf_totals.add(peer, &out);
            }
        });
    }

    fn count_slow(&self, peer: &Peer, reason: ClosedReason) {
        if matches!(reason, ClosedReason::SlowConsumerPendingBytes | ClosedReason::SlowConsumerWriteDeadline) {
            self.counters.slow_consumers.count(peer.kind());
        }
    }

    /// Publishes a message of the server's own in `account`; gives the number of destinations.
    pub fn publish_internal(
        &self,
        account: &str,
        subject_and_reply: (&[u8], &[u8]),
        headers_and_payload: (&[u8], &[u8]),
        now: Time,
    ) -> usize {
        let account = self.accounts.get(account);
        let log = self.settings().0.protocol_log;
        account.map_or(0, |account| self.publisher.publish(&account, subject_and_reply, headers_and_payload, log, now))
    }

    /// Gives up replies that are overdue and says so where they are measured; called every second or so.
    pub fn sweep(&self, now: Time) {
        let mut batch: Option<Batch> = None;
        for account in self.accounts.all() {
            account.recent.expire(now);
            for (response, outcome) in account.responses.expire(now) {
                let Some(measured) = &response.measured else { continue };
                let batch = batch.get_or_insert_with(|| Batch::new(now.as_nanos()));
                batch.now = now;
                batch.publish_latency(&account, &response.import, measured, outcome);
            }
        }
        if let Some(mut batch) = batch {
            batch.finish();
        }
    }
}
