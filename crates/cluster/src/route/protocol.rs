//! One route, from the first word to the reason it ends for.

use std::sync::Arc;
use std::time::Duration;

use martlet_auth::{Identity, PeerNames, Permissions, Reason};
use martlet_broker::batch::Batch;
use martlet_broker::driver::{Level, Next, Secured, WriteRules};
use martlet_broker::gateway::hash;
use martlet_broker::link::{Link, Role};
use martlet_broker::peer::Control;
use martlet_broker::{Broker, Peer};
use martlet_config::options::{self, LinkPermissions};
use martlet_events::Time;
use martlet_proto::ClosedReason;
use martlet_proto::Info;
use martlet_proto::link::{GatewayCommand, LineAccount, LinkHead, LinkKind, LinkLimits, encode};

use super::Facts;
use super::join::{Candidate, Joined};
use super::own::{Greeting, LINK_PROTOCOL, Own, info_line, route_url};
use super::routes::Routes;
use crate::channel::Channel;
use crate::compression::{self, Agreed, Mode};
use crate::driver::{LinkDriver, Protocol};
use crate::orders::Dial;
use crate::wants::Wanted;

/// One route.
pub struct RouteProtocol {
    pub(super) routes: Arc<Routes>,
    /// As the connection began, or was told since.
    pub(super) own: Arc<Own>,
    pub(super) facts: Facts,
    dice: fastrand::Rng,
    /// Until when the other side has to say who it is.
    pub(super) auth_deadline: Option<Time>,
    /// It has said so, or was dialled.
    pub(super) known: bool,
    /// The names in the other side's certificate.
    pub(super) names: Option<PeerNames>,
    pub(super) agreed: Option<Agreed>,
    pub(super) level: Level,
    /// The INFO of the handshake.
    pub(super) remote: Option<Info>,
    pub(super) remote_id: String,
    account: Option<Arc<str>>,
    /// The next connection of the pool, to be made once this one has proven itself.
    next: Option<Dial>,
    /// Accounts that move to connections of their own.
    handed: Vec<Arc<str>>,
    /// It is not to be made again.
    pub(super) is_final: bool,
    started: Time,
}

impl RouteProtocol {
    pub(super) fn start(
        routes: Arc<Routes>,
        broker: Arc<Broker>,
        peer: Arc<Peer>,
        facts: Facts,
        now: Time,
    ) -> LinkDriver<Self> {
        let own = routes.own();
        let limits = LinkLimits::new(LinkKind::Route, own.max_control_line);
        let mut channel = Channel::new(broker, peer, limits, own.policy, now);
        if compression::is_negotiated(&own.options.compression) {
            channel.keep_silent();
        }
        let login = &own.options.login;
        let patience = login.timeout.unwrap_or_else(|| match &own.options.tls {
            Some(tls) => tls.timeout + Duration::from_secs(1),
            None => Duration::from_secs(2),
        });
        let auth_deadline = (facts.dialled.is_none() && login.user.is_some()).then(|| now + patience);
        let known = facts.dialled.is_some();
        let account = facts.dialled.as_ref().and_then(|dialled| dialled.account.clone());
        let dice = fastrand::Rng::with_seed(facts.seed);
        let protocol = Self {
            routes,
            own,
            facts,
            dice,
            auth_deadline,
            known,
            names: None,
            agreed: None,
            level: Level::default(),
            remote: None,
            remote_id: String::new(),
            account,
            next: None,
            handed: Vec::new(),
            is_final: false,
            started: now,
        };
        LinkDriver::new(channel, protocol)
    }

    /// This side's INFO, if it is not held back.
    pub(super) fn greet(&self, channel: &Channel, compression: Option<&'static str>, batch: &mut Batch) {
        let gossip = self.facts.dialled.as_ref().map_or(super::gossip::DEFAULT, |dialled| dialled.gossip);
        let info = self.own.greeting(&Greeting {
            account: self.account.as_deref(),
            compression,
            index: 0,
            gossip,
            nonce: self.facts.nonce,
        });
        channel.say(batch, &info_line(&info));
    }

    /// The round-trip time, or what has passed since the connection began.
    pub(super) fn rtt(&self, channel: &Channel, now: Time) -> Duration {
        channel.peer.rtt().unwrap_or_else(|| now.since(self.started))
    }

    /// How the connection is compressed, as it is told and shown.
    pub(super) fn compression_name(&self, channel: &Channel, now: Time) -> &'static str {
        match &self.agreed {
            None | Some(Agreed::NotSupported) => "not supported",
            Some(agreed) => agreed.name(self.rtt(channel, now)),
        }
    }

    /// The first words.
    fn begin(&mut self, channel: &mut Channel, batch: &mut Batch) -> Next {
        log::info!("{} - Route connection created", channel.peer.label());
        if let Some(dialled) = &self.facts.dialled {
            let password = dialled.url.password.as_ref().map(options::Secret::expose);
            let connect = self.own.connect(dialled.url.user.as_deref(), password);
            let mut line = Vec::new();
            encode::connect(&mut line, &connect);
            channel.say(batch, &line);
            if self.own.delays_info(self.account.as_deref()) {
                return Next::Read;
            }
        }
        self.greet(channel, None, batch);
        Next::Read
    }

    /// The handshake is done: the connection becomes a member's.
    pub(super) fn join(&mut self, channel: &mut Channel, mut info: Info, owes_info: bool, batch: &mut Batch) -> Next {
        // A reload may have come between.
        self.own = self.routes.own();
        let dialled = self.facts.dialled.clone();
        match &dialled {
            Some(dialled) => dialled.account.as_deref().unwrap_or_default().clone_into(&mut info.route_account),
            None if !info.route_account.is_empty() => self.account = Some(info.route_account.as_str().into()),
            None => {}
        }
        if info.ip.is_empty() {
            info.ip = route_url(&self.facts.remote_ip, info.port);
        }
        let mut link = Link::new(channel.peer.clone(), Role::Route);
        link.account.clone_from(&self.account);
        link.takes_origins = info.lnoc;
        link.unsub_origins = info.lnocu;
        link.server_name.clone_from(&info.server_name);
        link.traces = info.proto >= LINK_PROTOCOL;
        link.server = hash(&info.server_id);
        let link = Arc::new(link);
        channel.limits.account = if self.account.is_some() { LineAccount::Omitted } else { LineAccount::Named };
        channel.limits.unsub_names_origin = info.lnocu;
        channel.peer.describe(|d| d.name.clone_from(&info.server_id));
        channel.peer.restrict(self.own.permissions().map(compile));
        let compression = self.compression_name(channel, batch.now);
        let nonce = self.facts.nonce;
        let joined =
            self.routes.join(&Candidate { link: link.clone(), info: &info, dialled, owes_info, compression, nonce });
        let label = channel.peer.label();
        match joined {
            Joined::Added { next } => {
                match &self.account {
                    Some(account) => {
                        log::debug!("{label} - Registering remote route {:?} for account {account:?}", info.server_id);
                    }
                    None => log::debug!("{label} - Registering remote route {:?}", info.server_id),
                }
                channel.join(link);
                self.remote = Some(info);
                if next.is_some() {
                    self.next = next;
                    channel.ping(batch);
                }
                Next::Read
            }
            Joined::Duplicate { retry } => {
                self.is_final = !retry;
                log::debug!("{label} - Detected duplicate remote route {:?}", info.server_id);
                Next::Close(ClosedReason::DuplicateRoute)
            }
            Joined::Refused(text) => channel.refuse(&text, ClosedReason::ProtocolViolation, batch),
            Joined::Stopping => Next::Close(ClosedReason::ServerShutdown),
        }
    }

    /// INFO of a member that has joined.
    fn on_news(&mut self, channel: &mut Channel, info: &Info) -> Next {
        if !info.route_acc_add_reqid.is_empty() {
            self.on_own_connections(channel, info);
        } else if !info.gateway.is_empty() {
            let (gateway, id) = (&info.gateway, &self.remote_id);
            match self.routes.gateways() {
                Some(gateways) if info.gateway_cmd == GatewayCommand::Gossip.code() => gateways.heard_of(info),
                Some(_) => log::error!("Unknown command {} from server {id}", info.gateway_cmd),
                None => {
                    log::error!(
                        "Received information about gateway {gateway:?} from {id}, but gateway is not configured"
                    );
                }
            }
        } else if info.server_id != self.remote_id {
            self.routes.heard_of(info);
        } else if info.ldm {
            self.routes.is_going(&info.server_id);
        } else if self.remote.as_ref().is_some_and(|known| known.export != info.export) {
            // What may pass has changed: the other side is told everything again.
            let accounts = channel.broker.accounts.all();
            for account in accounts.iter().filter(|_| channel.link.is_some()) {
                if let Some(link) = &channel.link {
                    account.ledger.repeat(account.name(), link);
                }
            }
            if let Some(link) = &channel.link {
                self.routes.set_permissions(link, info);
            }
            self.remote = Some(info.clone());
        }
        Next::Read
    }

    /// A member tells of an account that gets connections of its own, or has heard of one.
    // spec: CLU-019
    fn on_own_connections(&self, channel: &Channel, info: &Info) {
        if info.route_account.is_empty() {
            self.routes.on_answer(&info.route_acc_add_reqid);
        } else if self.routes.on_given(&info.route_account)
            && let Some(link) = &channel.link
        {
            link.say(&info_line(&Info { route_account: String::new(), ..info.clone() }));
        }
    }

    /// Whether what is said of an account here should be said on its own connection.
    fn is_late(&mut self, account: &[u8]) -> bool {
        let Some(at) = self.handed.iter().position(|of| of.as_bytes() == account) else { return false };
        let is_late = self.routes.is_moving(&self.handed[at], &self.remote_id);
        if !is_late {
            self.handed.swap_remove(at);
        }
        is_late
    }

    /// Follows other options.
    // spec: CFG-149 CFG-158 CFG-159 CFG-160 CFG-161
    fn reconfigure(&mut self, channel: &mut Channel, batch: &mut Batch) -> Next {
        let next = self.follow(channel, batch.now);
        for (late, weight) in channel.review_accounts() {
            self.on_interest(channel, Some(&late.account), &late.wanted(), Some(weight), batch);
        }
        next
    }

    fn follow(&mut self, channel: &mut Channel, now: Time) -> Next {
        let own = self.routes.own();
        let old = std::mem::replace(&mut self.own, own.clone());
        channel.set_policy(own.policy);
        self.handed.retain(|account| own.is_pinned(account));
        if Arc::ptr_eq(&old, &own) || channel.link.is_none() {
            return Next::Read;
        }
        if old.options.permissions != own.options.permissions {
            self.permit(channel);
        }
        if old.options.compression == own.options.compression {
            return Next::Read;
        }
        self.compress_otherwise(channel, now)
    }

    /// Other permissions: the other side is told of them, of what may pass now, and of what may pass no more.
    fn permit(&self, channel: &mut Channel) {
        let Some(link) = channel.link.clone() else { return };
        link.say(&info_line(&self.own.info));
        let old = channel.peer.permissions();
        let new = self.own.permissions().map(compile);
        let may = |of: &Option<Arc<Permissions>>, subject: &[u8]| of.as_ref().is_none_or(|p| p.may_publish(subject));
        let accounts = channel.broker.accounts.all();
        channel.peer.restrict(new.clone());
        for account in accounts {
            account.ledger.revise(account.name(), &link, |s| may(&old, s), |s| may(&new, s));
        }
        channel.keep_wants(|_, subject| new.as_ref().is_none_or(|p| !is_denied(p, subject)));
    }

    /// Another mode of compression: at once where both sides compress, or by beginning anew.
    // spec: CLU-039
    fn compress_otherwise(&mut self, channel: &mut Channel, now: Time) -> Next {
        let new = &self.own.options.compression;
        match (&self.agreed, compression::own_mode(new)) {
            (None | Some(Agreed::NotSupported), _) => Next::Read,
            (Some(Agreed::Off), None) if *new == options::Compression::Off => Next::Read,
            (Some(Agreed::At(_)), Some(mode)) => {
                let level = mode.level(self.rtt(channel, now));
                self.agreed = Some(Agreed::At(mode));
                if let Some(link) = &channel.link {
                    self.routes.set_compression(link, self.compression_name(channel, now));
                }
                if level == self.level {
                    return Next::Read;
                }
                self.level = level;
                Next::Compress(level)
            }
            _ => Next::Close(ClosedReason::ClientClosed),
        }
    }
}

/// What may pass, of this server's interest and of the other side's.
fn compile(permissions: &LinkPermissions) -> Arc<Permissions> {
    Arc::new(Permissions::compile(&options::Permissions {
        publish: permissions.import.clone(),
        subscribe: permissions.export.clone(),
        allow_responses: None,
    }))
}

fn is_denied(permissions: &Permissions, subject: &[u8]) -> bool {
    permissions.may_subscribe(subject, None) == martlet_auth::Subscribe::Denied
}

impl Protocol for RouteProtocol {
    fn write_rules(&self) -> WriteRules {
        self.own.write
    }

    fn open(&mut self, channel: &mut Channel, batch: &mut Batch) -> Next {
        // Nothing is said in the clear, not even INFO.
        if self.own.options.tls.is_some() {
            return Next::Secure;
        }
        self.begin(channel, batch)
    }

    fn on_secured(&mut self, channel: &mut Channel, found: Secured, batch: &mut Batch) -> Next {
        self.names = found.names;
        channel.peer.describe(|d| d.tls = Some(found.tls));
        self.begin(channel, batch)
    }

    fn on_compressed(&mut self, channel: &mut Channel, batch: &mut Batch) -> Next {
        channel.settled(batch.now);
        // Whoever dialled has said it before.
        if self.facts.dialled.is_none() {
            let compression = Some(self.compression_name(channel, batch.now));
            self.greet(channel, compression, batch);
        }
        Next::Read
    }

    fn on_info(&mut self, channel: &mut Channel, json: &[u8], batch: &mut Batch) -> Next {
        let info = match Info::from_json(json) {
            Ok(info) => info,
            Err(error) => {
                log::error!("{} - INFO of a route that cannot be read: {error}", channel.peer.label());
                return Next::Close(ClosedReason::ProtocolViolation);
            }
        };
        if let Some(refused) = self.check(channel, &info) {
            return refused;
        }
        if self.remote.is_some() {
            return self.on_news(channel, &info);
        }
        self.shake_hands(channel, info, batch)
    }

    fn on_connect(&mut self, channel: &mut Channel, json: &[u8], batch: &mut Batch) -> Next {
        self.introduced(channel, json, batch)
    }

    fn is_known(&self) -> bool {
        self.known
    }

    fn on_interest(
        &mut self,
        channel: &mut Channel,
        account: Option<&[u8]>,
        wanted: &Wanted<'_>,
        weight: Option<u32>,
        batch: &mut Batch,
    ) -> Next {
        let Some(weight) = weight else {
            channel.unwant(account, wanted);
            return Next::Read;
        };
        if account.is_some_and(|named| self.is_late(named)) {
            return Next::Read;
        }
        let restricted = channel.peer.is_restricted();
        if restricted && channel.peer.permissions().is_some_and(|p| is_denied(&p, wanted.subject)) {
            let subject = String::from_utf8_lossy(wanted.subject);
            log::debug!("{} - Can not export {subject:?}, ignoring remote subscription request", channel.peer.label());
            return Next::Read;
        }
        channel.want(account, wanted, weight, batch).unwrap_or(Next::Read)
    }

    fn on_account(&mut self, _channel: &mut Channel, _account: &[u8], _wanted: bool) {}

    fn takes_message(&mut self, _: &mut Channel, _: &LinkHead<'_>, _: &[u8], _: &mut Batch) -> bool {
        false
    }

    fn on_error(&mut self, channel: &mut Channel, text: &[u8]) -> Next {
        log::error!("{} - Route Error {}", channel.peer.label(), String::from_utf8_lossy(text));
        Next::Close(ClosedReason::ParseError)
    }

    fn on_pong(&mut self, channel: &mut Channel, batch: &mut Batch) -> Next {
        if let Some(next) = self.next.take() {
            self.routes.order(next);
        }
        let Some(Agreed::At(mode @ Mode::Auto(_))) = &self.agreed else { return Next::Read };
        let level = mode.level(self.rtt(channel, batch.now));
        if level == self.level {
            return Next::Read;
        }
        self.level = level;
        if let Some(link) = &channel.link {
            self.routes.set_compression(link, self.compression_name(channel, batch.now));
        }
        Next::Compress(level)
    }

    fn on_control(&mut self, channel: &mut Channel, control: &Control, batch: &mut Batch) -> Next {
        match control {
            Control::Reconfigure(_) => self.reconfigure(channel, batch),
            Control::Hand(account) => {
                channel.keep_wants(|of, _| **of.name() != **account);
                self.handed.push(account.clone());
                Next::Read
            }
            _ => Next::Read,
        }
    }

    // spec: CLU-012
    fn on_timer(&mut self, channel: &mut Channel, batch: &mut Batch) -> Next {
        self.auth_deadline = None;
        channel.refuse("Authentication Timeout", ClosedReason::AuthenticationTimeout, batch)
    }

    fn due(&self) -> Option<Time> {
        self.auth_deadline
    }

    fn on_verified(&mut self, channel: &mut Channel, result: Result<Identity, Reason>, batch: &mut Batch) -> Next {
        match result {
            Ok(_) => {
                self.known = true;
                Next::Read
            }
            Err(_) => channel.refuse(Reason::CLIENT_TEXT, ClosedReason::AuthenticationViolation, batch),
        }
    }

    fn on_end(&mut self, channel: &mut Channel, reason: ClosedReason, _now: Time) {
        channel.log_closed("Router", self.remote.as_ref().map_or("", |info| &info.server_name), reason);
        if let Some(link) = channel.link.take() {
            return self.routes.leave(&link, &self.remote_id, reason, &mut self.dice);
        }
        let is_self = self.remote_id == self.own.info.server_id;
        let over = self.is_final || is_self || reason == ClosedReason::ServerShutdown;
        if let Some(dialled) = self.facts.dialled.take().filter(|_| !over) {
            self.routes.reconnect(dialled, &mut self.dice);
        }
    }
}
