//! A connection as the rest of the server sees it.
//!
//! The connection's own [`Session`](crate::session::Session) owns what it reads; a `Peer` is what others may touch: its
//! outbox, its counters, what it told about itself, and a place to leave requests for its session.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use martlet_auth::{Permissions, Replies};
use martlet_config::options::WriteTimeout;
use martlet_events::Time;
use martlet_proto::ClosedReason;
use parking_lot::Mutex;

use crate::account::Account;
use crate::gateway::Returns;
use crate::outbox::{Outbox, Wire};
use crate::subscription::Subscription;

/// What is at the other end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Kind {
    /// A client.
    #[default]
    Client,
    /// A server of this cluster.
    Route,
    /// A server of another cluster.
    Gateway,
    /// A leaf node, or the server whose leaf node this one is.
    Leaf,
}

impl Kind {
    /// Whether a server is at the other end.
    pub(crate) fn is_link(self) -> bool {
        self != Self::Client
    }

    /// A link has the room of so many clients before it is closed, since it carries the messages of many.
    pub const LINK_ROOM: usize = 4;

    /// What `write_timeout` means for it: links between servers are given up less easily.
    // spec: CFG-059
    pub fn write_timeout(self, configured: WriteTimeout) -> WriteTimeout {
        match configured {
            WriteTimeout::Default if self.is_link() => WriteTimeout::Retry,
            WriteTimeout::Default => WriteTimeout::Close,
            chosen => chosen,
        }
    }
}

/// Kept until a request is done with, or its session has ended: whoever gave it out learns that by its end.
pub type Receipt = Arc<dyn Any + Send + Sync>;

/// What a session is asked to do from outside.
#[derive(Debug, Clone)]
pub enum Control {
    /// Close for this reason, after sending this `-ERR` text if any.
    Close(ClosedReason, Option<&'static str>),
    /// Send INFO as it is now (CORE-027).
    SendInfo,
    /// The subscription has had its last message.
    Expired(Arc<Subscription>),
    /// Users, permissions or limits have changed: look again (SEC-041).
    Reconfigure(Option<Receipt>),
    /// A link no longer carries this account: what the other side wanted there it wants elsewhere.
    Hand(Arc<str>),
    /// Tell the client that the server is going, as lame duck does (CORE-142).
    LameDuck,
}

/// What a client told about itself, and what the server found out.
#[derive(Debug, Clone, Default)]
pub struct Description {
    /// `name` of CONNECT.
    pub name: String,
    /// `lang` of CONNECT.
    pub lang: String,
    /// `version` of CONNECT.
    pub version: String,
    /// The user as `/connz?auth=1` shows it.
    pub user: String,
    /// The user's nkey, where it has one.
    pub nkey: String,
    /// The peer's address; empty in process.
    pub ip: String,
    /// The peer's port.
    pub port: u16,
    /// What TLS agreed on, where it runs.
    pub tls: Option<TlsDescription>,
    /// The trusted proxy's key, where one vouched for it (SEC-075).
    pub proxy: Option<String>,
}

/// What a TLS handshake agreed on (SEC-072).
#[derive(Debug, Clone, Default)]
pub struct TlsDescription {
    /// `1.2` or `1.3`.
    pub version: String,
    /// The cipher suite's name.
    pub cipher: String,
    /// The handshake came before INFO.
    pub first: bool,
    /// Subject, SHA-256 of the public key info, SHA-256 of the certificate; for each of the client's certificates.
    pub peer_certs: Vec<(String, String, String)>,
}

/// The share of `max_pending` from which publishers are held back, in percent (CORE-091).
const STALL_PERCENT: u128 = 75;

const HEADERS: u8 = 1;
const REPLIES: u8 = 2;
const CLOSING: u8 = 4;
const ESTABLISHED: u8 = 8;
const CONGESTED: u8 = 16;
const RESTRICTED: u8 = 32;
const RETURNS: u8 = 64;

/// A connection as the rest of the server sees it.
#[derive(Debug)]
pub struct Peer {
    cid: u64,
    slot: u32,
    kind: Kind,
    /// What waits to be written.
    pub outbox: Outbox,
    wire: WireBox,
    max_pending: usize,
    flags: AtomicU8,
    home: AtomicU16,
    /// Where it is shown in `/connz`.
    pub counters: PeerCounters,
    /// When it was opened.
    pub started: Time,
    shared: Mutex<Shared>,
    /// None once its session has ended.
    controls: Mutex<Option<Vec<Control>>>,
    has_controls: AtomicBool,
}

/// Counters of one connection; its session writes them, anyone reads.
#[derive(Debug, Default)]
pub struct PeerCounters {
    /// Messages it published.
    pub in_msgs: AtomicU64,
    /// Bytes it published.
    pub in_bytes: AtomicU64,
    /// Open subscriptions.
    pub subscriptions: AtomicU32,
    /// Last traffic, in nanoseconds of [`Time`].
    pub last_activity: AtomicU64,
    /// Round-trip time in nanoseconds; 0 before the first is known.
    pub rtt: AtomicU64,
    /// Times it was held back for a slow consumer.
    pub stalls: AtomicU64,
}

#[derive(Debug, Default)]
struct Shared {
    account: Option<Arc<Account>>,
    description: Arc<Description>,
    permissions: Option<Arc<Permissions>>,
    replies: Option<Box<Replies>>,
    returns: Option<Box<Returns>>,
}

struct WireBox(Box<dyn Wire>);

impl std::fmt::Debug for WireBox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Wire")
    }
}

impl Peer {
    /// A client's connection number `cid` in registry slot `slot`, holding at most about `max_pending` waiting bytes.
    pub fn new(cid: u64, slot: u32, wire: Box<dyn Wire>, max_pending: usize, started: Time) -> Self {
        Self {
            cid,
            slot,
            kind: Kind::Client,
            outbox: Outbox::default(),
            wire: WireBox(wire),
            max_pending,
            flags: AtomicU8::new(0),
            home: AtomicU16::new(0),
            counters: PeerCounters::default(),
            started,
            shared: Mutex::default(),
            controls: Mutex::new(Some(Vec::new())),
            has_controls: AtomicBool::new(false),
        }
    }

    /// The same, and what is at its other end.
    #[must_use]
    pub fn of_kind(mut self, kind: Kind) -> Self {
        self.kind = kind;
        self
    }

    /// What is at its other end.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Its number, unique in this server's life.
    pub fn cid(&self) -> u64 {
        self.cid
    }

    /// Its place in the registry; used again after it is gone.
    #[inline]
    pub fn slot(&self) -> usize {
        self.slot as usize
    }

    /// The way to its socket.
    pub fn wire(&self) -> &dyn Wire {
        &*self.wire.0
    }

    /// The number of the event loop that it is on.
    pub fn home(&self) -> usize {
        self.home.load(Relaxed).into()
    }

    /// Tells which event loop it is on.
    pub fn set_home(&self, number: u16) {
        self.home.store(number, Relaxed);
    }

    /// Bytes that may wait for it.
    pub fn max_pending(&self) -> usize {
        self.max_pending
    }

    /// Bytes that may wait for it before whoever publishes to it is held back: for a link no more than for a client. What
    /// room it has beyond that is for what nobody can be held back for.
    // spec: CORE-091
    pub(crate) fn congestion_mark(&self) -> usize {
        let room = if self.kind.is_link() { self.max_pending / Kind::LINK_ROOM } else { self.max_pending };
        usize::try_from(room as u128 * STALL_PERCENT / 100).unwrap_or(usize::MAX)
    }

    /// Whether it takes messages with headers.
    #[inline]
    pub fn takes_headers(&self) -> bool {
        self.flags.load(Relaxed) & HEADERS != 0
    }

    /// Whether it may answer the messages it gets (`allow_responses`).
    pub fn tracks_replies(&self) -> bool {
        self.flags.load(Relaxed) & REPLIES != 0
    }

    /// Whether nothing about it concerns a message delivered to it: it is not closing, and its replies are not tracked.
    #[inline]
    pub(crate) fn is_ordinary(&self) -> bool {
        self.flags.load(Relaxed) & (REPLIES | CLOSING) == 0
    }

    /// Whether it has been told to close.
    pub fn is_closing(&self) -> bool {
        self.flags.load(Relaxed) & CLOSING != 0
    }

    /// Whether it has sent its first PING, so that later INFO lines are understood (CORE-027).
    pub fn is_established(&self) -> bool {
        self.flags.load(Relaxed) & ESTABLISHED != 0
    }

    /// Whether it has nearly as much waiting as it may (CORE-091).
    pub(crate) fn is_congested(&self) -> bool {
        self.flags.load(Relaxed) & CONGESTED != 0
    }

    /// Marks whether it has nearly as much waiting as it may.
    pub fn set_congested(&self, yes: bool) {
        if yes {
            self.flags.fetch_or(CONGESTED, Relaxed)
        } else {
            self.flags.fetch_and(!CONGESTED, Relaxed)
        };
    }

    /// Marks that it may be sent INFO at any time.
    pub(crate) fn set_established(&self) {
        self.flags.fetch_or(ESTABLISHED, Relaxed);
    }

    /// Marks whether it takes messages with headers.
    pub fn set_takes_headers(&self, yes: bool) {
        if yes {
            self.flags.fetch_or(HEADERS, Relaxed)
        } else {
            self.flags.fetch_and(!HEADERS, Relaxed)
        };
    }

    /// Binds it to an account and what it may do there.
    pub fn bind(&self, account: Arc<Account>, permissions: Option<Arc<Permissions>>, replies: Option<Replies>) {
        if replies.is_some() {
            self.flags.fetch_or(REPLIES, Relaxed)
        } else {
            self.flags.fetch_and(!REPLIES, Relaxed)
        };
        self.set_restricted(permissions.is_some());
        let mut shared = self.shared.lock();
        shared.account = Some(account);
        shared.permissions = permissions;
        shared.replies = replies.map(Box::new);
    }

    fn set_restricted(&self, yes: bool) {
        if yes {
            self.flags.fetch_or(RESTRICTED, Relaxed)
        } else {
            self.flags.fetch_and(!RESTRICTED, Relaxed)
        };
    }

    /// Whether there is anything that it may not do.
    pub fn is_restricted(&self) -> bool {
        self.flags.load(Relaxed) & RESTRICTED != 0
    }

    /// Puts in force what it may do, whatever account it speaks of: a link's permissions.
    pub fn restrict(&self, permissions: Option<Arc<Permissions>>) {
        self.set_restricted(permissions.is_some());
        self.shared.lock().permissions = permissions;
    }

    /// The account it is bound to.
    pub fn account(&self) -> Option<Arc<Account>> {
        self.shared.lock().account.clone()
    }

    /// What it may do; everything if `None`.
    pub fn permissions(&self) -> Option<Arc<Permissions>> {
        self.shared.lock().permissions.clone()
    }

    /// What it told about itself.
    pub fn description(&self) -> Arc<Description> {
        self.shared.lock().description.clone()
    }

    /// Replaces what is known about it.
    pub fn describe(&self, change: impl FnOnce(&mut Description)) {
        change(Arc::make_mut(&mut self.shared.lock().description));
    }

    /// Whether a message may be delivered to a subscription that a deny permission overlaps.
    pub fn may_receive(&self, subject: &[u8], queue: Option<&[u8]>) -> bool {
        let permissions = self.shared.lock().permissions.clone();
        permissions.is_none_or(|p| p.may_receive(subject, queue))
    }

    /// Remembers a reply subject that it may publish to.
    pub(crate) fn note_reply(&self, reply: &[u8], now: Time) {
        if let Some(replies) = &mut self.shared.lock().replies {
            replies.on_delivered(reply, now);
        }
    }

    /// Whether it may publish to `subject` because it is the reply of a message it got.
    pub fn may_reply(&self, subject: &[u8], now: Time) -> bool {
        self.shared.lock().replies.as_mut().is_some_and(|r| r.may_reply(subject, now))
    }

    /// Whether replies that it was given stand for others.
    #[inline]
    pub(crate) fn has_returns(&self) -> bool {
        self.flags.load(Relaxed) & RETURNS != 0
    }

    /// Remembers what a reply stands for that it is given.
    #[cold]
    pub(crate) fn note_returns(&self, returns: &[u8], reply: &[u8], now: Time) {
        let mut shared = self.shared.lock();
        shared.returns.get_or_insert_default().note(returns, reply, now);
        self.flags.fetch_or(RETURNS, Relaxed);
    }

    /// What a reply stands for that it was given.
    #[cold]
    pub(crate) fn returns_of(&self, reply: &[u8], now: Time) -> Option<Box<[u8]>> {
        let mut shared = self.shared.lock();
        let returns = shared.returns.as_mut()?;
        let found = returns.find(reply, now).map(Into::into);
        if returns.is_empty() {
            shared.returns = None;
            self.flags.fetch_and(!RETURNS, Relaxed);
        }
        found
    }

    /// Leaves a request for its session and wakes it.
    pub fn request(&self, control: Control) {
        if matches!(control, Control::Close(..)) {
            self.flags.fetch_or(CLOSING, Relaxed);
        }
        match &mut *self.controls.lock() {
            Some(controls) => controls.push(control),
            None => return,
        }
        self.has_controls.store(true, std::sync::atomic::Ordering::Release);
        self.wire().wake();
    }

    /// The requests left since the last call.
    pub fn take_requests(&self) -> Vec<Control> {
        if !self.has_controls.swap(false, std::sync::atomic::Ordering::Acquire) {
            return Vec::new();
        }
        self.controls.lock().as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Its session has ended: requests are kept for it no more, nor is what came with them.
    pub(crate) fn leave(&self) {
        *self.controls.lock() = None;
    }

    /// What a reload gives a session to keep until it has taken it up. Whoever has yet to say who it is, or to finish a TLS
    /// handshake, takes its time and has no interest that a reload could change.
    fn receipt(&self, receipt: &Receipt) -> Option<Receipt> {
        (self.kind == Kind::Route || self.account().is_some()).then(|| receipt.clone())
    }

    /// Users, permissions, limits or accounts have changed: asks its session to look again.
    pub(crate) fn reconfigure(&self, receipt: &Receipt) {
        self.request(Control::Reconfigure(self.receipt(receipt)));
    }

    /// The last measured round-trip time.
    pub fn rtt(&self) -> Option<Duration> {
        match self.counters.rtt.load(Relaxed) {
            0 => None,
            nanos => Some(Duration::from_nanos(nanos)),
        }
    }
}
