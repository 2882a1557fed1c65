//! One client connection's life: from INFO to the reason it is closed for.
//!
//! A session is told what arrived, what time it is and what others ask of it; what it has to say goes into the caller's
//! [`Batch`]. It owns the connection's subscriptions and counts; it knows no socket and no clock.
//!
//! Invariant: after [`Next::Close`] nothing more is said or asked, and [`Session::end`] leaves no trace in any account.

#![allow(clippy::unnecessary_box_returns, reason = "a Stop is rare and large, and travels up through many results")]

mod driven;
mod handshake;
mod publish;
mod subscribe;
mod traced;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering::{Relaxed, Release};
use std::time::Duration;

use bytes::Bytes;
use martlet_auth::{Identity, PeerNames, Permissions, nkey};
use martlet_config::options::ConnectionType;
use martlet_events::Time;
use martlet_proto::errors::ErrorText;
use martlet_proto::{ClientOp, ClosedReason, Connect, ParseError, Step, encode, parse};

use crate::account::Account;
use crate::batch::Batch;
use crate::broker::Broker;
use crate::driver::{Next, Progress};
use crate::keepalive::{Action, Keepalive, Policy};
use crate::peer::{Control, Peer};
use crate::protocol_log;
use crate::router::Message;
use crate::settings::Settings;
use publish::message_of;
use subscribe::Subscriptions;

/// Payloads from this size on are read into a buffer of their own and shared by their destinations.
pub const LARGE_PAYLOAD: usize = 4 * 1024;

/// An operation that interrupts the reading.
#[derive(Debug)]
struct Stop {
    /// Its bytes that are dealt with.
    used: usize,
    next: Next,
}

impl Stop {
    fn after(used: usize, next: Next) -> Box<Self> {
        Box::new(Self { used, next })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Not authenticated yet.
    New,
    /// A password is being verified.
    Verifying,
    /// Open.
    Ready,
    /// Told to close.
    Closing,
}

/// One client connection.
#[derive(Debug)]
pub struct Session {
    broker: Arc<Broker>,
    settings: Arc<Settings>,
    generation: u64,
    peer: Arc<Peer>,
    kind: ConnectionType,
    state: State,
    options: ClientOptions,
    /// The last CONNECT: what another one does not name stays as it was (CORE-039).
    said: Option<Box<Connect>>,
    account: Option<Arc<Account>>,
    identity: Option<Box<Identity>>,
    permissions: Option<Arc<Permissions>>,
    publish_cache: Option<Box<publish::Decisions>>,
    subscriptions: Subscriptions,
    keepalive: Keepalive,
    auth_deadline: Option<Time>,
    nonce: Option<Box<[u8; nkey::NONCE_LEN]>>,
    certificate: Option<Box<PeerNames>>,
    counted_in_account: bool,
    admitted: bool,
    /// The largest message, of server and account.
    max_payload: u32,
    /// The pedantic client was told what there is to say about the subject of the message on its way.
    subject_checked: bool,
    in_msgs: u64,
    in_bytes: u64,
}

/// What CONNECT asked for.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "the wire's fields")]
struct ClientOptions {
    connected: bool,
    verbose: bool,
    pedantic: bool,
    echo: bool,
    no_responders: bool,
    protocol: i64,
    ponged: bool,
}

/// Facts about a connection that its owner knows before the session begins.
#[derive(Debug)]
pub struct Facts {
    /// The kind of connection.
    pub kind: ConnectionType,
    /// Random bytes for the nonce.
    pub nonce: [u8; nkey::NONCE_RANDOM_BYTES],
    /// A random number from 0 to 1, to spread first pings.
    pub jitter: f32,
    /// Whether there was room for it (`max_connections`).
    pub admitted: bool,
}

impl Session {
    /// A session for `peer`, which the broker's registry holds.
    pub fn new(broker: Arc<Broker>, peer: Arc<Peer>, facts: &Facts, now: Time) -> Self {
        let (settings, generation) = broker.settings();
        // spec: CORE-084
        let first_ping = if settings.switches.disable_short_first_ping {
            settings.timing.ping_interval
        } else {
            Duration::from_secs(2).mul_f32(1.0 + 0.2 * facts.jitter).min(settings.timing.ping_interval)
        };
        let nonce = settings.directory.nonce_required().then(|| Box::new(nkey::nonce(facts.nonce)));
        let auth_deadline = settings.directory.auth_required().then(|| now + settings.auth_timeout);
        Self {
            broker,
            settings,
            generation,
            peer,
            kind: facts.kind,
            state: State::New,
            options: ClientOptions::default(),
            said: None,
            account: None,
            identity: None,
            permissions: None,
            publish_cache: None,
            subscriptions: Subscriptions::default(),
            keepalive: Keepalive::new(now, first_ping),
            auth_deadline,
            nonce,
            certificate: None,
            counted_in_account: false,
            admitted: facts.admitted,
            max_payload: 0,
            subject_checked: false,
            in_msgs: 0,
            in_bytes: 0,
        }
    }

    /// The connection as others see it.
    pub fn peer(&self) -> &Arc<Peer> {
        &self.peer
    }

    /// Tells the names of the client's TLS certificate, before [`Session::open`] or after an upgrade.
    pub fn set_certificate(&mut self, names: PeerNames) {
        self.certificate = Some(Box::new(names));
    }

    /// Works through `input`: everything received and not used so far.
    pub fn on_bytes(&mut self, input: &[u8], batch: &mut Batch) -> Progress {
        self.begin_turn(batch);
        let limits = self.settings.parse;
        let mut plain = self.is_plain();
        let mut used = 0;
        let next = loop {
            let rest = &input[used..];
            if plain
                && let Some(n) =
                    self.publish_bare(rest, limits, batch).or_else(|| self.publish_whole(rest, limits, batch))
            {
                used += n;
                batch.finish_if_full(&self.peer);
                continue;
            }
            if rest.is_empty() {
                break Next::Read;
            }
            match self.step(rest, batch) {
                Ok(Some(n)) => used += n,
                Ok(None) => break Next::Read,
                Err(stop) => {
                    used += stop.used;
                    break stop.next;
                }
            }
            batch.finish_if_full(&self.peer);
            plain = self.is_plain();
        };
        self.flush_counts();
        if matches!(next, Next::Close(_)) {
            self.state = State::Closing;
        }
        Progress { used, next }
    }

    /// Something came in.
    fn begin_turn(&mut self, batch: &mut Batch) {
        self.keepalive.on_heard(batch.now);
        self.peer.counters.last_activity.store(batch.now.as_nanos(), Relaxed);
        if self.broker.generation() != self.generation {
            self.refresh_settings();
        }
        batch.drop_congested = self.settings.switches.no_fast_producer_stall;
        batch.protocol_log = self.settings.protocol_log;
    }

    /// One operation, whatever it is; `None` if it is not all there.
    #[inline(never)]
    fn step(&mut self, input: &[u8], batch: &mut Batch) -> Result<Option<usize>, Box<Stop>> {
        if self.state != State::Ready {
            self.before_ready(input[0], batch)?;
        }
        match parse(input, &self.settings.parse) {
            Ok(Step::Op { op: ClientOp::Publish(head, body), used }) => {
                self.publish(&head, &message_of(&head, body), batch)?;
                Ok(Some(used))
            }
            Ok(Step::Op { op, used }) => self.operate(op, &input[..used], batch),
            Ok(Step::Incomplete) => Ok(None),
            Ok(Step::Payload { head, used }) => {
                self.check_size(&head, &input[used..], batch)?;
                self.check_subject(&head, batch);
                if head.size >= LARGE_PAYLOAD {
                    return Err(Stop::after(0, Next::Large { line: used, body: head.size + 2 }));
                }
                Ok(None)
            }
            Ok(Step::BadTrailer { head }) => {
                let line = input.iter().position(|b| *b == b'\n').map_or(0, |at| at + 1);
                self.check_size(&head, &input[line..], batch)?;
                self.check_subject(&head, batch);
                Err(self.refuse(&ErrorText::UnknownProtocolOperation, batch))
            }
            Err(error) => Err(self.on_parse_error(error, input, batch)),
        }
    }

    fn operate(&mut self, op: ClientOp<'_>, line: &[u8], batch: &mut Batch) -> Result<Option<usize>, Box<Stop>> {
        if let Some(log) = self.settings.protocol_log {
            log.received(&self.peer, &op, line);
        }
        match op {
            ClientOp::Connect(json) => {
                if let Some(check) = self.connect(json, batch)? {
                    // The line is dealt with; what follows it waits for the answer.
                    return Err(Stop::after(line.len(), Next::Verify(check)));
                }
            }
            ClientOp::Ping => self.ping(batch),
            ClientOp::Pong => {
                if let Some(rtt) = self.keepalive.on_pong(batch.now) {
                    let nanos = u64::try_from(rtt.as_nanos()).unwrap_or(u64::MAX);
                    self.peer.counters.rtt.store(nanos, Relaxed);
                }
            }
            ClientOp::Sub { subject, queue, sid } => self.subscribe(subject, queue, sid, batch),
            ClientOp::Unsub { sid, max } => self.unsubscribe(sid, max, batch),
            ClientOp::Err(text) => {
                log::error!("{} - Client Error {}", self.label(), String::from_utf8_lossy(text));
                return Err(Stop::after(0, Next::Close(ClosedReason::ParseError)));
            }
            ClientOp::Info | ClientOp::Ok => {}
            ClientOp::Publish(..) => unreachable!("published above"),
        }
        Ok(Some(line.len()))
    }

    /// The body of a [`Next::Large`] message is here, CRLF included.
    pub fn on_large(&mut self, line: &[u8], body: &Bytes, batch: &mut Batch) -> Next {
        self.begin_turn(batch);
        let next = match parse(line, &self.settings.parse) {
            Ok(Step::Payload { head, .. }) if body.len() == head.size + 2 && body.ends_with(b"\r\n") => {
                let message = Message { shared: Some(body), ..message_of(&head, &body[..head.size]) };
                self.publish(&head, &message, batch).err()
            }
            _ => Some(self.refuse(&ErrorText::UnknownProtocolOperation, batch)),
        };
        self.flush_counts();
        next.map_or(Next::Read, |stop| stop.next)
    }

    /// Something was left for this session by others.
    pub fn on_wake(&mut self, batch: &mut Batch) -> Next {
        for control in self.peer.take_requests() {
            match control {
                Control::Close(reason, text) => {
                    if let Some(text) = text {
                        self.log_sent(format_args!("-ERR {text}"));
                        self.send_with(batch, |out| encode::error_text(out, &text));
                    }
                    return Next::Close(reason);
                }
                Control::Expired(subscription) => self.forget_expired(&subscription),
                Control::SendInfo | Control::LameDuck => {
                    self.refresh_settings();
                    if self.options.ponged && self.options.protocol >= 1 {
                        self.send_later_info(matches!(control, Control::LameDuck), batch);
                    }
                }
                Control::Reconfigure(_receipt) => {
                    if let Err(stop) = self.reconfigure(batch) {
                        return stop.next;
                    }
                }
                // Only links carry accounts.
                Control::Hand(_) => {}
            }
        }
        Next::Read
    }

    /// The time of [`Session::due`] has come, or it is just time to look.
    pub fn on_timer(&mut self, batch: &mut Batch) -> Next {
        // spec: CORE-041
        if self.auth_deadline.is_some_and(|deadline| deadline <= batch.now) {
            self.auth_deadline = None;
            self.count_auth_error();
            return self.refuse(&ErrorText::AuthenticationTimeout, batch).next;
        }
        let timing = &self.settings.timing;
        match self
            .keepalive
            .on_timer(batch.now, Policy { interval: timing.ping_interval, max_outstanding: timing.ping_max })
        {
            Action::Wait(_) => Next::Read,
            Action::Ping(_) => {
                self.log_sent(format_args!("PING"));
                self.send_with(batch, encode::ping);
                Next::Read
            }
            Action::Stale => {
                self.broker.counters.stale_connections.count(self.peer.kind());
                log::debug!("{} - Stale Client Connection - Closing", self.label());
                self.refuse(&ErrorText::StaleConnection, batch).next
            }
        }
    }

    /// When [`Session::on_timer`] is to be called next.
    pub fn due(&self) -> Time {
        self.auth_deadline.map_or(self.keepalive.due(), |deadline| deadline.min(self.keepalive.due()))
    }

    /// The connection is over: withdraws its interest and records why.
    pub fn end(&mut self, reason: ClosedReason, now: Time) {
        self.state = State::Closing;
        self.flush_counts();
        let kept = self.subscriptions.describe(KEPT_SUBSCRIPTIONS);
        self.drop_all_subscriptions();
        if let Some(account) = self.account.take().filter(|_| self.counted_in_account) {
            account.leave();
            self.broker.tell_connections(&account, now);
            account.count_closed(&self.peer, reason);
        }
        self.broker.leave(&self.peer, reason, kept, now);
        log::debug!("{} - Client connection closed: {}", self.label(), reason.as_str());
    }

    /// Takes up the settings in force.
    fn refresh_settings(&mut self) {
        // The answer under way rests on these: what has changed is looked at when it is here.
        if self.state == State::Verifying {
            return;
        }
        (self.settings, self.generation) = self.broker.settings();
        self.learn_max_payload();
    }

    fn learn_max_payload(&mut self) {
        let account = self.account.as_ref().and_then(|a| a.rules().limits.max_payload);
        self.max_payload = self.settings.limits.max_payload.min(account.unwrap_or(u32::MAX));
    }

    fn ping(&mut self, batch: &mut Batch) {
        self.log_sent(format_args!("PONG"));
        self.send_with(batch, encode::pong);
        // spec: CORE-026
        if self.options.connected && !std::mem::replace(&mut self.options.ponged, true) && self.options.protocol >= 1 {
            self.send_info(true, batch);
            self.peer.set_established();
        }
    }

    fn on_parse_error(&mut self, error: ParseError, input: &[u8], batch: &mut Batch) -> Box<Stop> {
        match error {
            ParseError::UnknownOperation => {
                let shown = protocol_log::quote(input, SHOWN_OF_UNKNOWN);
                log::error!("{} - Client parser ERROR, proto={shown}", self.label());
                self.refuse(&ErrorText::UnknownProtocolOperation, batch)
            }
            ParseError::ControlLineTooLong { .. } => {
                log::error!("{} - maximum control line exceeded: {error}", self.label());
                self.refuse(&ErrorText::MaxControlLine, batch)
            }
            ParseError::Silent(why) => {
                log::error!("{} - {why}", self.label());
                Stop::after(0, Next::Close(ClosedReason::ProtocolViolation))
            }
        }
    }

    /// Says why, and closes if that is what the text means.
    fn refuse(&mut self, text: &ErrorText<'_>, batch: &mut Batch) -> Box<Stop> {
        self.send_error(text, batch);
        Stop::after(0, Next::Close(text.closes().unwrap_or(ClosedReason::ProtocolViolation)))
    }

    fn send_error(&self, text: &ErrorText<'_>, batch: &mut Batch) {
        self.log_sent(format_args!("-ERR {text}"));
        self.send_with(batch, |out| encode::error(out, text));
    }

    // spec: CORE-042
    #[inline]
    fn send_ok(&self, batch: &mut Batch) {
        if self.options.verbose {
            self.say_ok(batch);
        }
    }

    #[cold]
    fn say_ok(&self, batch: &mut Batch) {
        self.log_sent(format_args!("OK"));
        self.send_with(batch, encode::ok);
    }

    fn send_with(&self, batch: &mut Batch, write: impl FnOnce(&mut Vec<u8>)) {
        batch.runs.append(&self.peer, 64, write);
    }

    fn flush_counts(&mut self) {
        if self.in_msgs > 0 {
            let counters = &self.peer.counters;
            counters.in_msgs.store(counters.in_msgs.load(Relaxed) + std::mem::take(&mut self.in_msgs), Relaxed);
            counters.in_bytes.store(counters.in_bytes.load(Relaxed) + std::mem::take(&mut self.in_bytes), Release);
        }
    }

    /// The connection's name in logs.
    pub fn label(&self) -> String {
        self.peer.label()
    }

    /// Logs what is sent beside messages.
    fn log_sent(&self, what: fmt::Arguments<'_>) {
        if let Some(log) = self.settings.protocol_log {
            log.sent(&self.peer, what);
        }
    }
}

/// Bytes logged of what is no operation.
const SHOWN_OF_UNKNOWN: usize = 32;

/// Subscriptions remembered of a closed connection.
const KEPT_SUBSCRIPTIONS: usize = 32;

impl Default for ClientOptions {
    /// Before CONNECT (CORE-040).
    fn default() -> Self {
        Self {
            connected: false,
            verbose: true,
            pedantic: true,
            echo: true,
            no_responders: false,
            protocol: 0,
            ponged: false,
        }
    }
}
