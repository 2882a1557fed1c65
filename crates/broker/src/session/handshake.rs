//! INFO, CONNECT and everything that decides who a client is.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use martlet_auth::{Check, Identity, Outcome, Reason, Replies, Request};
use martlet_config::options::ConnectionType;
use martlet_events::Time;
use martlet_proto::errors::ErrorText;
use martlet_proto::{ClosedReason, Info, encode};

use super::{ClientOptions, Session, State, Stop};
use crate::account::GLOBAL;
use crate::batch::Batch;
use crate::driver::Next;

impl Session {
    /// Greets the client with INFO; closes at once if the server is full.
    // spec: CORE-018 CORE-134
    pub fn open(&mut self, batch: &mut Batch) -> Next {
        log::debug!("{} - Client connection created", self.label());
        self.send_info(false, batch);
        if !self.admitted {
            log::error!("{} - maximum connections exceeded", self.label());
            return self.refuse(&ErrorText::MaxConnections, batch).next;
        }
        Next::Read
    }

    /// Refuses a client that begins one TLS handshake too many in this second.
    // spec: CORE-080 SEC-066
    pub fn throttle(&mut self, batch: &mut Batch) -> Next {
        self.refuse(&ErrorText::ConnectionThrottling, batch).next
    }

    /// Sends INFO as it is for this client; `connected` after the first PING (CORE-026).
    pub(super) fn send_info(&self, connected: bool, batch: &mut Batch) {
        let info = self.info(connected);
        self.send_with(batch, |out| encode::info(out, &info));
    }

    /// INFO to a client that has been here for a while; one that is `going` is told to look for another server.
    // spec: CORE-027 CLU-093
    pub(super) fn send_later_info(&self, going: bool, batch: &mut Batch) {
        let mut info = self.info(false);
        info.ldm |= going;
        self.send_with(batch, |out| encode::info(out, &info));
    }

    fn info(&self, connected: bool) -> Info {
        let description = self.peer.description();
        let mut info = self.broker.info(&self.settings);
        if self.kind == ConnectionType::InProcess && info.tls_required {
            // spec: CORE-030
            (info.tls_required, info.tls_available) = (false, true);
        }
        info.client_id = self.peer.cid();
        info.client_ip.clone_from(&description.ip);
        if !self.options.connected
            && let Some(nonce) = &self.nonce
        {
            info.nonce = String::from_utf8_lossy(&nonce[..]).into_owned();
        }
        if let (true, Some(account)) = (connected, &self.account) {
            info.connect_info = true;
            info.auth_required = self.settings.directory.auth_required();
            info.remote_account = account.name().to_string();
            info.acc_is_sys = self.settings.system_account.as_deref() == Some(account.name());
        }
        if self.account.is_some() {
            // spec: CORE-031
            info.max_payload = i32::try_from(self.max_payload).unwrap_or(i32::MAX);
        }
        info
    }

    /// What a client that has not said CONNECT may do.
    // spec: CORE-015 CORE-040
    pub(super) fn before_ready(&mut self, first: u8, batch: &mut Batch) -> Result<(), Box<Stop>> {
        if matches!(first, b'C' | b'c') {
            return Ok(());
        }
        if !self.settings.directory.admits_without_connect(self.kind) {
            return Err(self.deny(Reason::NoCredentials, "", batch));
        }
        match self.settings.directory.authenticate(&Request::new(self.kind)) {
            Outcome::Accepted(identity) => self.accept(identity, batch),
            Outcome::Denied(reason) => Err(self.deny(reason, "", batch)),
            Outcome::Costly(_) => Err(self.deny(Reason::NoAuthUserBcrypt, "", batch)),
        }
    }

    /// A CONNECT line. A password that takes long to verify is handed back.
    pub(super) fn connect(&mut self, json: &[u8], batch: &mut Batch) -> Result<Option<Box<Check>>, Box<Stop>> {
        // spec: CORE-039
        let mut connect = self.said.take().unwrap_or_default();
        if let Err(error) = connect.update(json) {
            // spec: CORE-034
            log::error!("{} - CONNECT is not valid JSON: {error}", self.label());
            return Err(Stop::after(0, Next::Close(ClosedReason::ProtocolViolation)));
        }
        // Until the first PONG, the time that the client took to introduce itself stands for a round trip.
        let since_start = u64::try_from(batch.now.since(self.peer.started).as_nanos()).unwrap_or(u64::MAX);
        // A measured one stays: only the first CONNECT finds none.
        let _ = self.peer.counters.rtt.compare_exchange(0, since_start, Relaxed, Relaxed);
        if self.options.connected {
            self.drop_all_subscriptions();
        }
        self.auth_deadline = None;
        self.options = ClientOptions {
            connected: true,
            verbose: connect.verbose,
            pedantic: connect.pedantic,
            echo: connect.echo,
            no_responders: connect.no_responders,
            protocol: connect.protocol,
            ponged: self.options.ponged,
        };
        let headers = connect.headers && !self.settings.switches.no_header_support;
        self.peer.set_takes_headers(headers);
        self.peer.describe(|d| {
            d.name.clone_from(&connect.name);
            d.lang.clone_from(&connect.lang);
            d.version.clone_from(&connect.version);
        });
        // spec: CORE-035
        if !(0..=1).contains(&connect.protocol) {
            return Err(self.refuse_connect(&ErrorText::InvalidClientProtocol, batch));
        }
        let nonce = self.nonce.as_deref().copied().unwrap_or_default();
        let request = Request {
            nonce: if self.nonce.is_some() { &nonce } else { b"" },
            user: &connect.user,
            pass: &connect.pass,
            auth_token: &connect.auth_token,
            nkey: &connect.nkey,
            sig: &connect.sig,
            proxy_sig: &connect.proxy_sig,
            account: &connect.account,
            new_account: connect.new_account,
            certificate: self.certificate.as_deref(),
            ..Request::new(self.kind)
        };
        // Whoever is refused is shown by the name it gave.
        self.peer.describe(|d| request.label().authorized_user().clone_into(&mut d.user));
        let (outcome, label) = (self.settings.directory.authenticate(&request), request.label());
        self.said = Some(connect);
        match outcome {
            Outcome::Accepted(identity) => {
                self.accept(identity, batch)?;
                self.finish_connect(batch)?;
                Ok(None)
            }
            Outcome::Denied(reason) => Err(self.deny(reason, &label.to_string(), batch)),
            Outcome::Costly(check) => {
                self.state = State::Verifying;
                Ok(Some(Box::new(check)))
            }
        }
    }

    /// The answer to [`Next::Verify`] is here.
    pub fn on_verified(&mut self, result: Result<Identity, Reason>, batch: &mut Batch) -> Next {
        self.state = State::New;
        let outcome = match result {
            Ok(identity) => self.accept(identity, batch).and_then(|()| self.finish_connect(batch)),
            Err(reason) => Err(self.deny(reason, "", batch)),
        };
        // spec: SEC-041
        let outcome = outcome.and_then(|()| {
            if self.broker.generation() == self.generation {
                return Ok(());
            }
            // Who comes in is told even if it is no user any more.
            self.reconfigure(batch).map_err(|stop| match stop.next {
                Next::Close(ClosedReason::ClientClosed) => self.deny(Reason::UnknownUser, "", batch),
                _ => stop,
            })
        });
        outcome.map_or_else(|stop| stop.next, |()| Next::Read)
    }

    fn finish_connect(&mut self, batch: &mut Batch) -> Result<(), Box<Stop>> {
        // spec: CORE-036
        if self.options.no_responders && !self.peer.takes_headers() {
            return Err(self.refuse_connect(&ErrorText::NoRespondersRequiresHeaders, batch));
        }
        self.send_ok(batch);
        Ok(())
    }

    /// A client asks for what there is not: its author wants to know.
    fn refuse_connect(&mut self, why: &ErrorText<'_>, batch: &mut Batch) -> Box<Stop> {
        log::error!("{} - {why}", self.label());
        self.refuse(why, batch)
    }

    /// The client is who it says: binds it to its account.
    fn accept(&mut self, identity: Identity, batch: &mut Batch) -> Result<(), Box<Stop>> {
        let name: &str = if identity.account.is_empty() { GLOBAL } else { &identity.account };
        let Some(account) = self.broker.accounts.get(name) else {
            log::error!(
                "{} - account {name:?} of user {:?} does not exist",
                self.label(),
                identity.label.authorized_user()
            );
            return Err(self.refuse(&ErrorText::FailedAccountRegistration, batch));
        };
        if let Some(old) = self.account.take().filter(|_| std::mem::take(&mut self.counted_in_account)) {
            old.leave();
            self.broker.tell_connections(&old, batch.now);
        }
        if !account.admit() {
            // spec: SEC-054 SEC-099
            log::error!("{} - maximum account active connections exceeded for account {name}", self.label());
            return Err(self.refuse(&ErrorText::MaxAccountConnections, batch));
        }
        self.counted_in_account = true;
        self.permissions.clone_from(&identity.permissions);
        self.publish_cache = None;
        let replies = self.permissions.as_ref().and_then(Replies::new);
        self.peer.bind(account.clone(), self.permissions.clone(), replies);
        self.peer.describe(|d| {
            identity.label.authorized_user().clone_into(&mut d.user);
            identity.nkey.as_deref().unwrap_or_default().clone_into(&mut d.nkey);
            d.proxy = identity.proxy.as_deref().map(str::to_owned);
        });
        self.broker.tell_connections(&account, batch.now);
        self.broker.tell_connected(&self.peer, batch.now);
        self.account = Some(account);
        self.learn_max_payload();
        self.identity = Some(Box::new(identity));
        self.auth_deadline = None;
        self.state = State::Ready;
        Ok(())
    }

    /// The client is not who it says, or may not come in this way.
    // spec: SEC-005 SEC-006
    fn deny(&mut self, reason: Reason, label: &str, batch: &mut Batch) -> Box<Stop> {
        let who = if label.is_empty() { "User \"N/A\"" } else { label };
        log::error!("{} - authentication error - {who}: {reason}", self.label());
        self.count_auth_error();
        let mut stop = self.refuse(&ErrorText::AuthorizationViolation, batch);
        let closed = match reason {
            Reason::ProxyNotTrusted => ClosedReason::ProxyNotTrusted,
            Reason::ProxyRequired => ClosedReason::ProxyRequired,
            _ => ClosedReason::AuthenticationViolation,
        };
        self.broker.tell_refused(&self.peer, self.options.connected, closed, batch.now);
        stop.next = Next::Close(closed);
        stop
    }

    pub(super) fn count_auth_error(&self) {
        self.broker.counters.auth_errors.fetch_add(1, Relaxed);
    }

    /// Users, permissions, limits or imports have changed (SEC-041).
    pub(super) fn reconfigure(&mut self, batch: &mut Batch) -> Result<(), Box<Stop>> {
        let before = self.settings.clone();
        self.refresh_settings();
        let Some(identity) = &self.identity else { return Ok(()) };
        let Some(renewed) = self.settings.directory.renew(identity, self.kind, &before.directory) else {
            if self.settings.directory.knows(identity) {
                return Err(self.deny(Reason::WrongPassword, "", batch));
            }
            // A user that is gone is not told: it has done nothing wrong.
            return Err(Stop::after(0, Next::Close(ClosedReason::ClientClosed)));
        };
        let moved = self.account.as_ref().is_none_or(|a| **a.name() != *renewed.account)
            || self
                .broker
                .accounts
                .get(&renewed.account)
                .is_none_or(|now| !self.account.as_ref().is_some_and(|a| Arc::ptr_eq(a, &now)));
        if moved {
            self.drop_all_subscriptions();
            return Err(Stop::after(0, Next::Close(ClosedReason::ClientClosed)));
        }
        self.permissions.clone_from(&renewed.permissions);
        self.publish_cache = None;
        if let Some(account) = &self.account {
            let replies = self.permissions.as_ref().and_then(Replies::new);
            self.peer.bind(account.clone(), self.permissions.clone(), replies);
        }
        self.identity = Some(Box::new(renewed));
        self.review_subscriptions(batch);
        Ok(())
    }

    /// Whether the client has said who it is.
    pub fn is_ready(&self) -> bool {
        self.state == State::Ready
    }

    /// Forgets the deadline for authentication: time spent on a TLS handshake does not count against it.
    pub(crate) fn restart_auth_deadline(&mut self, now: Time) {
        if self.auth_deadline.is_some() {
            self.auth_deadline = Some(now + self.settings.auth_timeout);
        }
    }
}
