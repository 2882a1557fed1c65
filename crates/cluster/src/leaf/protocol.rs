//! One leaf node link, from the first word to the reason it ends for.

use std::sync::Arc;
use std::time::Duration;

use martlet_auth::{Identity, PeerNames, Reason};
use martlet_broker::account::Account;
use martlet_broker::batch::Batch;
use martlet_broker::driver::{Level, Next, Secured, WriteRules};
use martlet_broker::link::Role;
use martlet_broker::peer::Control;
use martlet_broker::{Broker, Peer};
use martlet_events::Time;
use martlet_proto::ClosedReason;
use martlet_proto::Info;
use martlet_proto::link::{LeafConnect, LinkHead, LinkKind, LinkLimits};

use super::leafs::{Known, Leafs};
use super::own::{Greeting, Own, info_line};
use super::{Dialled, Facts};
use crate::channel::Channel;
use crate::compression::{self, Agreed, Mode};
use crate::driver::{LinkDriver, Protocol};
use crate::wants::Wanted;

/// How long not to connect again after a loop, a violation or a name that is taken.
// spec: CLU-054
pub(super) const LONG_DELAY: Duration = Duration::from_secs(30);
/// How long not to connect again to a server that finds this one too old.
// spec: CLU-053
const VERSION_DELAY: Duration = Duration::from_secs(5);

/// One leaf node link.
pub struct LeafProtocol {
    pub(super) leafs: Arc<Leafs>,
    /// As the connection began.
    pub(super) own: Arc<Own>,
    pub(super) dialled: Option<Dialled>,
    pub(super) nonce: [u8; 11],
    /// When the other side has waited long enough with what is to come next.
    pub(super) deadline: Option<Time>,
    pub(super) overdue: Overdue,
    pub(super) agreed: Option<Agreed>,
    pub(super) level: Level,
    pub(super) secured: bool,
    pub(super) certificate: Option<PeerNames>,
    /// INFO that waits for TLS to begin.
    pub(super) unread: Option<Info>,
    /// The first INFO of whoever was dialled.
    pub(super) info: Option<Info>,
    /// CONNECT of whoever dialled.
    pub(super) connect: Option<LeafConnect>,
    pub(super) identity: Option<Identity>,
    /// The account it is bound to, where it is counted.
    pub(super) account: Option<Arc<Account>>,
    pub(super) known: Known,
    pub(super) max_payload: usize,
    pub(super) max_subscriptions: usize,
    pub(super) started: Time,
    /// It is over, and nothing that still comes counts.
    over: bool,
}

/// What is said to who keeps this side waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Overdue {
    /// INFO, after connecting.
    Info,
    /// INFO, after CONNECT.
    Answer,
    /// CONNECT.
    Connect,
}

/// How long the first word of the other side is waited for.
fn patience(own: &Own, dialled: Option<&Dialled>) -> Duration {
    dialled.map_or_else(|| own.patience(), |dialled| dialled.remote.options().first_info_timeout)
}

impl LeafProtocol {
    pub(super) fn start(
        leafs: Arc<Leafs>,
        broker: Arc<Broker>,
        peer: Arc<Peer>,
        facts: Facts,
        now: Time,
    ) -> LinkDriver<Self> {
        let own = leafs.own();
        let limits = LinkLimits::new(LinkKind::Leaf, own.max_control_line);
        let mut channel = Channel::new(broker, peer, limits, own.policy, now);
        channel.keep_silent();
        let Facts { dialled, nonce, .. } = facts;
        let overdue = if dialled.is_some() { Overdue::Info } else { Overdue::Connect };
        let patience = patience(&own, dialled.as_ref());
        let protocol = Self {
            leafs,
            own,
            dialled,
            nonce,
            deadline: Some(now + patience),
            overdue,
            agreed: None,
            level: Level::default(),
            secured: false,
            certificate: None,
            unread: None,
            info: None,
            connect: None,
            identity: None,
            account: None,
            known: Known::default(),
            max_payload: usize::MAX,
            max_subscriptions: usize::MAX,
            started: now,
            over: false,
        };
        LinkDriver::new(channel, protocol)
    }

    /// Whoever dialled does not do so again for a while.
    pub(super) fn delay(&self, delay: Duration) {
        if let Some(dialled) = &self.dialled {
            dialled.remote.set_delay(delay);
        }
    }

    /// What this server wants comes back to it.
    // spec: CLU-054
    pub(super) fn on_loop(&mut self, channel: &Channel, tell: Option<&mut Batch>) -> Next {
        self.delay(LONG_DELAY);
        let remote = self.dialled.as_ref().map(|dialled| dialled.remote.options());
        let account = match (&self.account, &remote) {
            (Some(account), _) => account.name(),
            (None, Some(remote)) => remote.account(),
            (None, None) => "",
        };
        let seconds = LONG_DELAY.as_secs();
        let text =
            format!("Loop detected for leafnode account={account:?}. Delaying attempt to reconnect for {seconds}s");
        if let Some(batch) = tell {
            return channel.refuse(&text, ClosedReason::ProtocolViolation, batch);
        }
        log::error!("{} - {text}", channel.peer.label());
        Next::Close(ClosedReason::ProtocolViolation)
    }

    /// The other side does what its user may not. A leaf node lets that pass: its hub knows better.
    fn on_violation(&mut self, channel: &Channel, what: &str, subject: &[u8], batch: &mut Batch) -> Next {
        if channel.link.as_ref().is_none_or(|link| link.role == Role::Hub) {
            return Next::Read;
        }
        self.over = true;
        self.delay(LONG_DELAY);
        let subject = String::from_utf8_lossy(subject);
        let label = channel.peer.label();
        log::error!("{label} - {what} Violation on {subject:?} - Check other side configuration");
        let text = format!("Permissions Violation for {what} to \"{subject}\"");
        channel.refuse(&text, ClosedReason::ProtocolViolation, batch)
    }

    /// Users, permissions or accounts have changed.
    // spec: SEC-041
    fn on_reconfigured(&mut self, channel: &mut Channel, batch: &mut Batch) -> Next {
        let Some(account) = &self.account else { return Next::Read };
        let now = channel.broker.accounts.get(account.name());
        if now.is_none_or(|now| !Arc::ptr_eq(&now, account)) {
            return Next::Close(ClosedReason::ClientClosed);
        }
        if self.dialled.is_none()
            && let Some(next) = self.review(channel, batch)
        {
            return next;
        }
        channel.wants.recast();
        Next::Read
    }
}

impl Protocol for LeafProtocol {
    fn write_rules(&self) -> WriteRules {
        self.own.write
    }

    fn open(&mut self, channel: &mut Channel, batch: &mut Batch) -> Next {
        let label = channel.peer.label();
        if let Some(dialled) = &self.dialled {
            let remote = dialled.remote.options();
            log::info!("{label} - Leafnode connection created for account: {}", remote.account());
            return Next::Read;
        }
        log::info!("{label} - Leafnode connection created");
        self.greet(channel, batch)
    }

    fn on_secured(&mut self, channel: &mut Channel, found: Secured, batch: &mut Batch) -> Next {
        channel.peer.describe(|d| d.tls = Some(found.tls));
        self.secured = true;
        self.certificate = found.names;
        // The handshake has taken its own time.
        self.deadline = Some(batch.now + patience(&self.own, self.dialled.as_ref()));
        match self.unread.take() {
            Some(info) => self.greeted(channel, info, batch),
            None => Next::Read,
        }
    }

    fn on_compressed(&mut self, channel: &mut Channel, batch: &mut Batch) -> Next {
        if self.dialled.is_none() {
            self.say_compression(channel, batch);
        }
        Next::Read
    }

    fn on_info(&mut self, channel: &mut Channel, json: &[u8], batch: &mut Batch) -> Next {
        let info = match Info::from_json(json) {
            Ok(info) => info,
            Err(error) => {
                log::error!("{} - INFO of a leaf node that cannot be read: {error}", channel.peer.label());
                return Next::Close(ClosedReason::ProtocolViolation);
            }
        };
        match (&self.dialled, &self.info) {
            (Some(_), None) => self.greeted(channel, info, batch),
            (Some(_), Some(_)) => self.on_news(channel, &info, batch),
            (None, _) if channel.link.is_none() => {
                self.negotiate(channel, &info.compression, batch).unwrap_or(Next::Read)
            }
            (None, _) => Next::Read,
        }
    }

    fn on_connect(&mut self, channel: &mut Channel, json: &[u8], batch: &mut Batch) -> Next {
        self.introduced(channel, json, batch)
    }

    fn is_known(&self) -> bool {
        self.dialled.is_some() || self.account.is_some()
    }

    fn hears_info(&self) -> bool {
        // Before CONNECT there may be an INFO, where compression is to be agreed on.
        self.is_known() || compression::is_negotiated(&self.own.options.compression)
    }

    fn on_interest(
        &mut self,
        channel: &mut Channel,
        _account: Option<&[u8]>,
        wanted: &Wanted<'_>,
        weight: Option<u32>,
        batch: &mut Batch,
    ) -> Next {
        let (Some(link), Some(account)) = (channel.link.clone(), self.account.clone()) else {
            return channel.refuse(Reason::CLIENT_TEXT, ClosedReason::ProtocolViolation, batch);
        };
        if self.over {
            return Next::Read;
        }
        // What comes from a leaf node's cluster is told to members of this one in its name.
        let wanted = &Wanted { origin: link.cluster.as_deref(), ..*wanted };
        let Some(weight) = weight else {
            channel.unwant(None, wanted);
            return Next::Read;
        };
        if wanted.subject == account.watch_loops(String::new) {
            self.over = true;
            return self.on_loop(channel, Some(batch));
        }
        if link.rules.as_ref().is_some_and(|rules| !rules.may_be_asked(wanted.subject)) {
            return self.on_violation(channel, "Subscription", wanted.subject, batch);
        }
        if channel.wants.len() >= self.max_subscriptions && !channel.wants.has(&account, wanted) {
            let mut refusal = Vec::new();
            martlet_proto::encode::error_text(&mut refusal, &"maximum subscriptions exceeded");
            channel.say(batch, &refusal);
            return Next::Read;
        }
        channel.want(None, wanted, weight, batch).unwrap_or(Next::Read)
    }

    fn on_account(&mut self, _channel: &mut Channel, _account: &[u8], _wanted: bool) {}

    fn max_payload(&self) -> usize {
        self.max_payload
    }

    fn takes_message(&mut self, channel: &mut Channel, head: &LinkHead<'_>, _body: &[u8], batch: &mut Batch) -> bool {
        let Some(rules) = channel.link.as_ref().and_then(|link| link.rules.as_ref()) else { return true };
        let (peer, now) = (&channel.peer, batch.now);
        if !self.over && rules.may_take(head.subject, || peer.tracks_replies() && peer.may_reply(head.subject, now)) {
            return false;
        }
        if !self.over
            && let Next::Close(reason) = self.on_violation(channel, "Publish", head.subject, batch)
        {
            channel.peer.request(Control::Close(reason, None));
        }
        true
    }

    // spec: CLU-053 CLU-054
    fn on_error(&mut self, channel: &mut Channel, text: &[u8]) -> Next {
        let text = String::from_utf8_lossy(text).into_owned();
        let label = channel.peer.label();
        log::error!("{label} - Leafnode Error {text}");
        let dropped = |why, delay: Duration| {
            log::error!(
                "{label} - Leafnode connection dropped {why}. Delaying attempt to reconnect for {}s",
                delay.as_secs()
            );
        };
        if text.contains(super::accepted::SAME_CLUSTER) {
            self.delay(LONG_DELAY);
            dropped("with same cluster name error", LONG_DELAY);
        } else if text.contains(super::accepted::TOO_OLD) {
            self.delay(VERSION_DELAY);
            dropped("due to minimum version requirement", VERSION_DELAY);
        } else if text.contains("Loop detected") {
            return self.on_loop(channel, None);
        }
        Next::Read
    }

    // spec: CLU-064
    fn on_pong(&mut self, channel: &mut Channel, batch: &mut Batch) -> Next {
        let Some(Agreed::At(mode @ Mode::Auto(_))) = &self.agreed else { return Next::Read };
        let level = mode.level(channel.peer.rtt().unwrap_or_else(|| batch.now.since(self.started)));
        if level == self.level {
            return Next::Read;
        }
        self.level = level;
        if let Some(link) = &channel.link {
            self.leafs.set_compression(link, self.compression_name(channel, batch.now));
        }
        Next::Compress(level)
    }

    fn on_control(&mut self, channel: &mut Channel, control: &Control, batch: &mut Batch) -> Next {
        match control {
            Control::Reconfigure(_) => self.on_reconfigured(channel, batch),
            // Leaf nodes are told where else they may connect to.
            Control::SendInfo if self.dialled.is_none() && channel.link.is_some() => {
                let info = self.leafs.own().info(&channel.broker, Greeting::default());
                channel.say(batch, &info_line(&info));
                Next::Read
            }
            _ => Next::Read,
        }
    }

    fn on_timer(&mut self, channel: &mut Channel, batch: &mut Batch) -> Next {
        self.deadline = None;
        match self.overdue {
            Overdue::Info => Next::Close(ClosedReason::ReadError),
            Overdue::Answer => {
                channel.refuse("Stale Leaf Node Connection - Closing", ClosedReason::StaleConnection, batch)
            }
            Overdue::Connect => channel.refuse("Authentication Timeout", ClosedReason::AuthenticationTimeout, batch),
        }
    }

    fn due(&self) -> Option<Time> {
        self.deadline
    }

    fn on_verified(&mut self, channel: &mut Channel, result: Result<Identity, Reason>, batch: &mut Batch) -> Next {
        match result {
            Ok(identity) => self.admitted(channel, identity, batch),
            Err(reason) => Self::deny(channel, reason, batch),
        }
    }

    // spec: CLU-094
    fn on_end(&mut self, channel: &mut Channel, reason: ClosedReason, now: Time) {
        let name = &self.known.name;
        let remote = if name.is_empty() { String::new() } else { format!(" - Remote: {name}") };
        log::info!("{} - Leafnode connection closed: {}{remote}", channel.peer.label(), reason.as_str());
        let link = channel.link.take();
        if let Some(link) = &link {
            self.leafs.leave(link);
        }
        if let Some(account) = self.account.take() {
            account.leave_leaf();
            channel.broker.tell_connections(&account, now);
        }
        if link.is_some() {
            channel.broker.tell_disconnected(&channel.peer, reason, now);
        }
        if let Some(dialled) = self.dialled.take() {
            self.leafs.reconnect(&dialled.remote);
        }
    }
}
