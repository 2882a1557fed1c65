//! How a leaf node link begins, whichever end dialled: compression, the account it is bound to, and the joining.
//!
//! What only one end does is in `accepted` and `dialled`.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use martlet_auth::Replies;
use martlet_broker::Broker;
use martlet_broker::account::Account;
use martlet_broker::batch::Batch;
use martlet_broker::driver::Next;
use martlet_broker::link::{Link, Role};
use martlet_broker::link_rules::LinkRules;
use martlet_config::options::Compression;
use martlet_events::Time;
use martlet_proto::ClosedReason;

use super::leafs::{Candidate, Joined};
use super::own::{Greeting, info_line};
use super::protocol::LeafProtocol;
use crate::channel::Channel;
use crate::compression::{self, Agreed};

impl LeafProtocol {
    /// What this side would have of compression.
    pub(super) fn compression(&self) -> Compression {
        match &self.dialled {
            Some(dialled) => dialled.remote.options().compression.clone(),
            None => self.own.options.compression.clone(),
        }
    }

    /// How the connection is compressed, as it is told and shown.
    pub(super) fn compression_name(&self, channel: &Channel, now: Time) -> &'static str {
        let rtt = channel.peer.rtt().unwrap_or_else(|| now.since(self.started));
        self.agreed.as_ref().map_or("not supported", |agreed| agreed.name(rtt))
    }

    /// Agrees with what the other side's INFO offers, if that is still to be done; what follows from it, if anything does.
    // spec: CLU-064
    pub(super) fn negotiate(&mut self, channel: &mut Channel, offered: &str, batch: &mut Batch) -> Option<Next> {
        if self.agreed.is_some() {
            return None;
        }
        let agreed = match compression::negotiate(&self.compression(), offered) {
            Ok(agreed) => agreed,
            Err(error) => return Some(channel.refuse(&error.to_string(), ClosedReason::ProtocolViolation, batch)),
        };
        self.agreed = Some(agreed.clone());
        let Agreed::At(mode) = agreed else { return None };
        self.level = mode.level(channel.peer.rtt().unwrap_or_else(|| batch.now.since(self.started)));
        if self.dialled.is_some() {
            self.say_compression(channel, batch);
        }
        Some(Next::Compress(self.level))
    }

    /// INFO that confirms the compression: in the clear by whoever dialled, compressed by the other side.
    pub(super) fn say_compression(&self, channel: &Channel, batch: &mut Batch) {
        let agreed = match self.compression() {
            Compression::S2Auto(_) => "s2_auto",
            _ => self.compression_name(channel, batch.now),
        };
        let nonce = self.dialled.is_none().then_some(self.nonce);
        let what = Greeting { compression: Some(agreed), cid: channel.peer.cid(), nonce };
        channel.say(batch, &info_line(&self.own.info(&channel.broker, what)));
    }

    /// Until the first PONG, the time that the other side took to introduce itself stands for a round trip.
    pub(super) fn estimate_rtt(&self, channel: &Channel, now: Time) {
        let since_start = u64::try_from(now.since(self.started).as_nanos()).unwrap_or(u64::MAX);
        // A measured one stays.
        let _ = channel.peer.counters.rtt.compare_exchange(0, since_start, Relaxed, Relaxed);
    }

    /// Binds the connection to its account, if that has room; says so otherwise.
    pub(super) fn bind(&mut self, channel: &Channel, account: Arc<Account>, now: Time) -> bool {
        if !account.admit_leaf() {
            return false;
        }
        let settings = channel.broker.settings().0;
        let limits = account.rules().limits.clone();
        let least = |own: Option<u32>, of_server: i64| {
            let of_server = usize::try_from(of_server).ok().filter(|n| *n > 0).unwrap_or(usize::MAX);
            own.map_or(of_server, |own| of_server.min(own as usize))
        };
        self.max_payload = least(limits.max_payload, settings.limits.max_payload.into());
        self.max_subscriptions = least(limits.max_subscriptions, settings.limits.max_subscriptions.into());
        let permissions = self.identity.as_ref().and_then(|identity| identity.permissions.as_ref());
        channel.peer.bind(account.clone(), None, permissions.and_then(Replies::new));
        channel.broker.tell_connections(&account, now);
        self.account = Some(account);
        true
    }

    /// The handshake is done.
    pub(super) fn join(
        &mut self,
        channel: &mut Channel,
        role: Role,
        rules: LinkRules,
        greeting: Vec<u8>,
        batch: &mut Batch,
    ) -> Next {
        let Some(account) = self.account.clone() else { return Next::Close(ClosedReason::MissingAccount) };
        let mut link = Link::new(channel.peer.clone(), role);
        link.account = Some(account.name().clone());
        link.cluster = Some(self.known.cluster.as_bytes().into()).filter(|_| !self.known.cluster.is_empty());
        link.isolated = self.is_isolated();
        link.rules = Some(rules);
        link.server_name.clone_from(&self.known.name);
        let link = Arc::new(link);
        let remote = self.dialled.as_ref().map(|dialled| dialled.remote.clone());
        self.known.compression = self.compression_name(channel, batch.now);
        let label = channel.peer.label();
        if Self::is_system(&channel.broker, &account) {
            log::info!("{label} - System account connected from {}", self.known.name);
            log::info!("{label} - JetStream not extended, domains differ");
        } else {
            log::info!("{label} - JetStream using domains: local \"\", remote {:?}", self.remote_domain());
        }
        self.deadline = None;
        channel.settled(batch.now);
        // Interest that the other side tells from now on is taken.
        channel.join(link.clone());
        let known = self.known.clone();
        match self.leafs.join(Candidate { link, account: account.clone(), known, remote, greeting }) {
            Joined::Up => {
                channel.broker.tell_connected(&channel.peer, batch.now);
                if self.dialled.is_none() {
                    channel.broker.tell_leaf_node(&account);
                }
                Next::Read
            }
            Joined::Unwanted => Next::Close(ClosedReason::ClientClosed),
            Joined::Stopping => Next::Close(ClosedReason::ServerShutdown),
        }
    }

    // spec: CLU-060
    fn is_isolated(&self) -> bool {
        let asked = self.connect.as_ref().is_some_and(|connect| connect.isolate);
        let configured = self.dialled.as_ref().is_some_and(|dialled| dialled.remote.options().isolate);
        self.own.options.isolate || asked || configured
    }

    fn remote_domain(&self) -> &str {
        let told = self.connect.as_ref().map(|connect| &connect.domain);
        told.or(self.info.as_ref().map(|info| &info.domain)).map_or("", String::as_str)
    }

    pub(super) fn is_system(broker: &Broker, account: &Account) -> bool {
        broker.site().about().is_system(account.name())
    }
}
