//! One gateway connection, from the first word to the reason it ends for.

use std::sync::Arc;

use martlet_auth::{Identity, PeerNames, Reason};
use martlet_broker::batch::Batch;
use martlet_broker::driver::{Next, Secured, WriteRules};
use martlet_broker::gateway::Optimism;
use martlet_broker::peer::Control;
use martlet_broker::{Broker, Peer};
use martlet_events::Time;
use martlet_proto::ClosedReason;
use martlet_proto::Info;
use martlet_proto::link::{LinkHead, LinkKind, LinkLimits};

use super::gateways::Gateways;
use super::own::Own;
use super::remote::Outbound;
use super::{Facts, Mode};
use crate::channel::Channel;
use crate::driver::{LinkDriver, Protocol};
use crate::wants::Wanted;

/// One gateway connection.
pub struct GatewayProtocol {
    pub(super) gateways: Arc<Gateways>,
    pub(super) own: Arc<Own>,
    pub(super) facts: Facts,
    dice: fastrand::Rng,
    /// Until when the other side has to say who it is.
    pub(super) auth_deadline: Option<Time>,
    /// It has said so, or was dialled.
    pub(super) known: bool,
    pub(super) secured: bool,
    /// The names in the other side's certificate.
    pub(super) names: Option<PeerNames>,
    /// What is known of the other cluster, where this side dialled and the connection is up.
    pub(super) outbound: Option<Arc<Outbound>>,
    /// It is not to be made again.
    pub(super) is_final: bool,
}

/// Everything: what an older server gets until it objects. No line can name it, so that none takes it away.
const EVERYTHING: Wanted<'static> = Wanted { subject: b">", queue: None, origin: Some(b" ") };

impl GatewayProtocol {
    pub(super) fn start(
        gateways: Arc<Gateways>,
        broker: Arc<Broker>,
        peer: Arc<Peer>,
        facts: Facts,
        now: Time,
    ) -> LinkDriver<Self> {
        let own = gateways.own().clone();
        let limits = LinkLimits::new(LinkKind::Gateway, own.max_control_line);
        let mut channel = Channel::new(broker, peer, limits, own.policy, now);
        channel.keep_silent();
        channel.ping_always();
        let patience = own.options.login.connect_timeout(own.options.tls.as_ref());
        let known = facts.dialled.is_some();
        let protocol = Self {
            gateways,
            own,
            dice: fastrand::Rng::with_seed(facts.seed),
            facts,
            auth_deadline: (!known).then(|| now + patience),
            known,
            secured: false,
            names: None,
            outbound: None,
            is_final: false,
        };
        LinkDriver::new(channel, protocol)
    }

    /// The first words.
    fn begin(&mut self, channel: &mut Channel, batch: &mut Batch) -> Next {
        let label = channel.peer.label();
        if let Some(to) = &self.facts.dialled {
            log::info!("{label} - Creating outbound gateway connection to {:?}", to.cluster);
        } else {
            log::info!("{label} - Processing inbound gateway connection");
            channel.say(batch, &self.gateways.info());
        }
        Next::Read
    }

    /// Whether an account's interest has been told, or is being told.
    fn is_told(&self, account: &str) -> bool {
        matches!(self.mode(account), Some(Mode::Transitioning | Mode::InterestOnly))
    }

    fn mode(&self, account: &str) -> Option<Mode> {
        self.outbound.as_ref()?.mode(account)
    }

    /// An older server gets everything of an account.
    // spec: CLU-044
    pub(super) fn hope(&self, channel: &mut Channel, account: &str) {
        let Some(of) = channel.account(account.as_bytes()) else { return };
        if let (Some(outbound), Some(link)) = (&self.outbound, &channel.link) {
            outbound.set_mode(account, Mode::Optimistic);
            let added = channel.wants.add(link, &of, &EVERYTHING, 1);
            debug_assert!(added.is_ok(), "a pattern, and one of few");
        }
    }

    /// Interest of an older server that gets what it has not objected to; whether that is all there is to it.
    // spec: CLU-044
    fn takes_objection(&self, channel: &Channel, account: &[u8], wanted: &Wanted<'_>, comes: bool) -> bool {
        let Ok(name) = std::str::from_utf8(account) else { return true };
        if wanted.queue.is_some() || self.is_told(name) {
            return false;
        }
        // Objections are heard in accounts that everything is sent of. Another server says first what it will tell.
        match optimism(channel).filter(|_| self.mode(name) == Some(Mode::Optimistic)) {
            Some(optimism) if comes => optimism.relent(name, wanted.subject),
            Some(optimism) => optimism.object(name, wanted.subject),
            None => {}
        }
        true
    }
}

/// An older server gets no more of an account than it asks for.
pub(super) fn despair(channel: &mut Channel, account: &str) {
    channel.unwant(Some(account.as_bytes()), &EVERYTHING);
    if let Some(optimism) = optimism(channel) {
        optimism.forget(account);
    }
}

/// What an older server has objected to.
fn optimism(channel: &Channel) -> Option<&Optimism> {
    channel.link.as_ref()?.optimism.as_ref()
}

impl Protocol for GatewayProtocol {
    fn write_rules(&self) -> WriteRules {
        self.own.write
    }

    fn open(&mut self, channel: &mut Channel, batch: &mut Batch) -> Next {
        let tls = match &self.facts.dialled {
            Some(to) => self.gateways.is_encrypted(&to.cluster),
            None => self.own.options.tls.is_some(),
        };
        // Nothing is said in the clear, not even INFO.
        if tls { Next::Secure } else { self.begin(channel, batch) }
    }

    fn on_secured(&mut self, channel: &mut Channel, found: Secured, batch: &mut Batch) -> Next {
        self.secured = true;
        self.names = found.names;
        channel.peer.describe(|d| d.tls = Some(found.tls));
        self.begin(channel, batch)
    }

    fn on_compressed(&mut self, _channel: &mut Channel, _batch: &mut Batch) -> Next {
        Next::Read
    }

    fn on_info(&mut self, channel: &mut Channel, json: &[u8], batch: &mut Batch) -> Next {
        let info = match Info::from_json(json) {
            Ok(info) => info,
            Err(error) => {
                log::error!("{} - INFO of a gateway that cannot be read: {error}", channel.peer.label());
                return Next::Close(ClosedReason::ProtocolViolation);
            }
        };
        match self.facts.dialled.clone() {
            Some(to) => self.hear(channel, &to, &info, batch),
            None if channel.link.is_none() => self.come_in(channel, &info),
            None => Next::Read,
        }
    }

    fn on_connect(&mut self, channel: &mut Channel, json: &[u8], batch: &mut Batch) -> Next {
        self.introduced(channel, json, batch)
    }

    fn is_known(&self) -> bool {
        self.known
    }

    // spec: CLU-044 CLU-200
    fn on_interest(
        &mut self,
        channel: &mut Channel,
        account: Option<&[u8]>,
        wanted: &Wanted<'_>,
        weight: Option<u32>,
        batch: &mut Batch,
    ) -> Next {
        let name = account.unwrap_or_default();
        if self.facts.dialled.is_none() {
            let verb = if weight.is_some() { "RS+" } else { "RS-" };
            log::error!("{} - Received {verb} from gateway on inbound connection", channel.peer.label());
            return Next::Close(ClosedReason::ProtocolViolation);
        }
        if self.takes_objection(channel, name, wanted, weight.is_some()) {
            return Next::Read;
        }
        // The other cluster may well have accounts that this one has not, or gets by a reload.
        if channel.account(name).is_none() {
            log::debug!("{} - interest in an unknown account", channel.peer.label());
            channel.note_stranger(name, wanted, weight);
            return Next::Read;
        }
        if let Some(weight) = weight {
            return channel.want(account, wanted, weight, batch).unwrap_or(Next::Read);
        }
        channel.unwant(account, wanted);
        Next::Read
    }

    // spec: CLU-045
    fn on_account(&mut self, channel: &mut Channel, account: &[u8], wanted: bool) {
        if self.facts.dialled.is_none() {
            log::error!("{} - Received A+ or A- from gateway on inbound connection", channel.peer.label());
            return channel.peer.request(Control::Close(ClosedReason::ProtocolViolation, None));
        }
        let Ok(account) = std::str::from_utf8(account) else { return };
        if self.is_told(account) || optimism(channel).is_none() {
            return;
        }
        despair(channel, account);
        if wanted {
            self.hope(channel, account);
        }
    }

    /// What is asked of another cluster's streams is not asked of those here, whoever here wants to hear of it.
    // spec: JS-137
    fn takes_message(&mut self, channel: &mut Channel, head: &LinkHead<'_>, _: &[u8], _: &mut Batch) -> bool {
        let rules = channel.link.as_ref().and_then(|link| link.rules.as_ref());
        rules.is_some_and(|rules| !rules.may_take(head.subject, || false))
    }

    fn on_error(&mut self, channel: &mut Channel, text: &[u8]) -> Next {
        log::error!("{} - Gateway Error {}", channel.peer.label(), String::from_utf8_lossy(text));
        Next::Close(ClosedReason::ParseError)
    }

    fn on_pong(&mut self, _channel: &mut Channel, _batch: &mut Batch) -> Next {
        Next::Read
    }

    fn on_control(&mut self, channel: &mut Channel, control: &Control, batch: &mut Batch) -> Next {
        let Some(link) = channel.link.clone().filter(|_| matches!(control, Control::Reconfigure(_))) else {
            return Next::Read;
        };
        if self.facts.dialled.is_none() {
            self.gateways.tell_accounts(&link);
            return Next::Read;
        }
        for (late, weight) in channel.review_accounts() {
            let next = self.on_interest(channel, Some(&late.account), &late.wanted(), Some(weight), batch);
            if !matches!(next, Next::Read) {
                return next;
            }
        }
        Next::Read
    }

    fn on_timer(&mut self, channel: &mut Channel, batch: &mut Batch) -> Next {
        self.auth_deadline = None;
        channel.refuse("Authentication Timeout", ClosedReason::AuthenticationTimeout, batch)
    }

    fn due(&self) -> Option<Time> {
        self.auth_deadline
    }

    fn on_verified(&mut self, channel: &mut Channel, result: Result<Identity, Reason>, batch: &mut Batch) -> Next {
        match result {
            Ok(_) => self.admitted(channel, batch),
            Err(_) => channel.refuse(Reason::CLIENT_TEXT, ClosedReason::AuthenticationViolation, batch),
        }
    }

    fn on_end(&mut self, channel: &mut Channel, reason: ClosedReason, _now: Time) {
        log::info!("{} - Gateway connection closed: {}", channel.peer.label(), reason.as_str());
        if let Some(link) = channel.link.take() {
            self.gateways.leave(&link);
        }
        let over = self.is_final || reason == ClosedReason::ServerShutdown;
        if let Some(to) = self.facts.dialled.take().filter(|_| !over) {
            self.gateways.reconnect(to.cluster, &mut self.dice);
        }
    }
}
