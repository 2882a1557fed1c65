//! What every link to another server has: a connection, pings, counters, the accounts it speaks of, and what the other side
//! wants.
//!
//! Invariant: messages and interest are taken only once the link is up, that is, once the protocol has made it a [`Link`].

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use bytes::Bytes;
use foldhash::fast::RandomState;
use hashbrown::HashMap;
use martlet_broker::account::Account;
use martlet_broker::batch::Batch;
use martlet_broker::driver::Next;
use martlet_broker::forward::Arrived;
use martlet_broker::gateway::plain_reply;
use martlet_broker::keepalive::{Action, Keepalive, Policy};
use martlet_broker::link::{Link, Role};
use martlet_broker::router::Message;
use martlet_broker::settings::Settings;
use martlet_broker::system::names_domain;
use martlet_broker::{Broker, Peer};
use martlet_events::Time;
use martlet_proto::link::{LinkHead, LinkLimits};
use martlet_proto::{ClosedReason, encode};
use martlet_subject::Mapped;

use crate::strangers::{Stranger, Strangers};
use crate::wants::{Refused, Wanted, Wants};

/// Acknowledgements of streams elsewhere, which may carry the subject that the consumer is to see.
const ACK_PREFIX: &[u8] = b"$JS.ACK.";

/// What every link to another server has.
pub(crate) struct Channel {
    pub(crate) broker: Arc<Broker>,
    pub(crate) peer: Arc<Peer>,
    pub(crate) limits: LinkLimits,
    /// The link, once it is up.
    pub(crate) link: Option<Arc<Link>>,
    pub(crate) wants: Wants,
    /// What it wants in accounts that are not known here.
    strangers: Strangers,
    keepalive: Keepalive,
    policy: Policy,
    /// Before the two sides have settled how to speak, silence is counted and nothing is said.
    silent: bool,
    /// Traffic makes no ping needless: how long they take is looked at.
    pings_always: bool,
    settings: Arc<Settings>,
    generation: u64,
    accounts: HashMap<Box<[u8]>, Option<Arc<Account>>, RandomState>,
    /// The account of the message before: most follow others of the same.
    current: Option<Current>,
    in_msgs: u64,
    in_bytes: u64,
}

/// An account whose messages come in, and how many have since it was last told.
struct Current {
    /// As lines name it, where they do.
    name: Option<Box<[u8]>>,
    account: Arc<Account>,
    msgs: u64,
    bytes: u64,
}

impl Current {
    /// Whether lines that name `account` mean this one. Two that name none are not compared byte by byte: with nothing to
    /// compare, `memcmp` looks at addresses that stand for nothing, and some processors take as long for that as for a message.
    #[inline]
    fn is_named(&self, account: Option<&[u8]>) -> bool {
        match (&self.name, account) {
            (None, None) => true,
            (Some(name), Some(account)) => **name == *account,
            _ => false,
        }
    }

    fn count(&mut self) {
        self.account.count_routed(std::mem::take(&mut self.msgs), std::mem::take(&mut self.bytes));
    }
}

/// Accounts remembered per link.
const ACCOUNTS: usize = 4096;

impl Channel {
    pub(crate) fn new(broker: Arc<Broker>, peer: Arc<Peer>, limits: LinkLimits, policy: Policy, now: Time) -> Self {
        let (settings, generation) = broker.settings();
        // spec: CLU-031
        let first = policy.interval.min(FIRST_PING);
        Self {
            broker,
            peer,
            limits,
            link: None,
            wants: Wants::default(),
            strangers: Strangers::default(),
            keepalive: Keepalive::new(now, first),
            policy,
            silent: false,
            pings_always: false,
            settings,
            generation,
            accounts: HashMap::default(),
            current: None,
            in_msgs: 0,
            in_bytes: 0,
        }
    }

    /// The other side is known, and this is the link to it.
    pub(crate) fn join(&mut self, link: Arc<Link>) {
        self.broker.comebacks.came(&link);
        self.link = Some(link);
    }

    /// Something came in.
    pub(crate) fn begin_turn(&mut self, batch: &mut Batch) {
        if !self.pings_always {
            self.keepalive.on_heard(batch.now);
        }
        self.peer.counters.last_activity.store(batch.now.as_nanos(), Relaxed);
        if self.broker.generation() != self.generation {
            (self.settings, self.generation) = self.broker.settings();
            self.accounts.clear();
            self.current = None;
        }
        batch.begin_link_turn(&self.settings);
    }

    /// What came in has been worked through.
    pub(crate) fn end_turn(&mut self) {
        if let Some(current) = &mut self.current {
            current.count();
        }
        if self.in_msgs > 0 {
            let counters = &self.peer.counters;
            counters.in_msgs.fetch_add(std::mem::take(&mut self.in_msgs), Relaxed);
            counters.in_bytes.fetch_add(std::mem::take(&mut self.in_bytes), Relaxed);
        }
    }

    /// Says protocol bytes.
    pub(crate) fn say(&self, batch: &mut Batch, bytes: &[u8]) {
        batch.send(&self.peer, bytes);
    }

    /// Says `-ERR`, notes it, and closes.
    pub(crate) fn refuse(&self, text: &str, reason: ClosedReason, batch: &mut Batch) -> Next {
        log::error!("{} - {text}", self.peer.label());
        let mut line = Vec::new();
        encode::error_text(&mut line, &text);
        self.say(batch, &line);
        Next::Close(reason)
    }

    /// Notes that the connection to that server is over.
    pub(crate) fn log_closed(&self, what: &str, remote: &str, reason: ClosedReason) {
        let remote = if remote.is_empty() { String::new() } else { format!(" - Remote: {remote}") };
        log::info!("{} - {what} connection closed: {}{remote}", self.peer.label(), reason.as_str());
    }

    /// The account of that name.
    pub(crate) fn account(&mut self, name: &[u8]) -> Option<Arc<Account>> {
        if let Some(known) = self.accounts.get(name) {
            return known.clone();
        }
        let found = std::str::from_utf8(name).ok().and_then(|name| self.broker.accounts.get(name));
        if self.accounts.len() >= ACCOUNTS {
            self.accounts.clear();
        }
        self.accounts.insert(name.into(), found.clone());
        found
    }

    /// The account that a line is about: the one it names, or the link's own.
    fn account_of(&mut self, named: Option<&[u8]>) -> Option<Arc<Account>> {
        if let Some(name) = named {
            return self.account(name);
        }
        let own = self.link.as_ref()?.account.clone()?;
        self.account(own.as_bytes())
    }

    /// Makes the account of a message the current one; whether there is such an account.
    fn turn_to(&mut self, named: Option<&[u8]>) -> bool {
        if let Some(current) = &mut self.current {
            current.count();
        }
        let account = self.account_of(named);
        if account.is_none() {
            log::debug!("{} - message for an unknown account", self.peer.label());
        }
        let name = named.map(Into::into);
        self.current = account.map(|account| Current { name, account, msgs: 0, bytes: 0 });
        self.current.is_some()
    }

    /// A message for this server. `verbatim` is everything from its sizes to its last CRLF, where that stands in one piece.
    pub(crate) fn message(
        &mut self,
        head: &LinkHead<'_>,
        body: &[u8],
        verbatim: &[u8],
        shared: Option<&Bytes>,
        batch: &mut Batch,
    ) {
        self.in_msgs += 1;
        self.in_bytes += body.len() as u64;
        let is_current = self.current.as_ref().is_some_and(|current| current.is_named(head.account));
        if !is_current && !self.turn_to(head.account) {
            return;
        }
        let (Some(link), Some(current)) = (&self.link, &mut self.current) else { return };
        current.msgs += 1;
        current.bytes += body.len() as u64;
        let account = &current.account;
        let (reply, shown, returns) = understood(head.reply.unwrap_or_default());
        let mut mapped = Vec::new();
        // spec: CORE-110 JS-137
        let is_mapped = match link.role {
            Role::Hub | Role::Spoke => true,
            Role::Gateway => names_domain(head.subject),
            Role::Route => false,
        };
        let becomes = if is_mapped && account.maps() {
            batch.map(account, self.settings.cluster.as_deref(), head.subject, &mut mapped)
        } else {
            Mapped::Unchanged
        };
        let subject = match becomes {
            Mapped::Unchanged => head.subject,
            Mapped::To => &mapped,
            Mapped::Dropped => return,
        };
        let arrived = Arrived { link, origin: head.origin, queues: head.queues, mapped: becomes == Mapped::To };
        let message = Message {
            subject,
            shown,
            reply,
            returns,
            header_len: head.header_len.filter(|len| *len > 0),
            header_text: head.header_text,
            size_text: head.size_text,
            body,
            // What is prepared for subscribers shows the message's own subject.
            verbatim: if shown.is_some() { &[] } else { verbatim },
            shared,
        };
        batch.arrive(account, &arrived, head.subject, &message);
    }

    /// The other side wants something, or in another number.
    pub(crate) fn want(
        &mut self,
        account: Option<&[u8]>,
        wanted: &Wanted<'_>,
        weight: u32,
        batch: &mut Batch,
    ) -> Option<Next> {
        let Some(of) = self.account_of(account) else {
            let name = String::from_utf8_lossy(account.unwrap_or_default()).into_owned();
            let subject = String::from_utf8_lossy(wanted.subject);
            log::error!("{} - Unknown account {name:?} for remote subject {subject:?}", self.peer.label());
            self.strangers.note(account.unwrap_or_default(), wanted, weight);
            return None;
        };
        let link = self.link.as_ref()?;
        // A leaf node's client may ask in the next breath, and be answered from another cluster before that has heard of this.
        if link.role.is_leaf() {
            of.note_recent(wanted.subject, batch.now);
        }
        match self.wants.add(link, &of, wanted, weight) {
            Ok(_) => {
                let count = u32::try_from(self.wants.len()).unwrap_or(u32::MAX);
                self.peer.counters.subscriptions.store(count, Relaxed);
                None
            }
            Err(refused @ Refused::Invalid) => {
                let subject = String::from_utf8_lossy(wanted.subject);
                log::error!("{} - {subject:?} is no subject to subscribe to", self.peer.label());
                let mut error = Vec::new();
                encode::error_text(&mut error, &refused.to_string());
                self.say(batch, &error);
                None
            }
            Err(refused @ (Refused::TooMany | Refused::TooMuch)) => {
                Some(self.refuse(&refused.to_string(), ClosedReason::MaxSubscriptionsExceeded, batch))
            }
        }
    }

    /// Keeps what the other side wants, or no more, in an account that is not known here, for when it comes.
    pub(crate) fn note_stranger(&mut self, account: &[u8], wanted: &Wanted<'_>, weight: Option<u32>) {
        match weight {
            Some(weight) => drop(self.strangers.note(account, wanted, weight)),
            None => self.strangers.forget(account, wanted),
        }
    }

    /// The other side wants something no more.
    pub(crate) fn unwant(&mut self, account: Option<&[u8]>, wanted: &Wanted<'_>) {
        if let Some(account) = self.account_of(account) {
            self.wants.remove(&account, wanted);
            let count = u32::try_from(self.wants.len()).unwrap_or(u32::MAX);
            self.peer.counters.subscriptions.store(count, Relaxed);
        } else {
            self.strangers.forget(account.unwrap_or_default(), wanted);
        }
    }

    /// Accounts may have come and gone: what was wanted in those that are here now, to be wanted again. What is wanted in
    /// those that are gone is kept.
    pub(crate) fn review_accounts(&mut self) -> Vec<(Stranger, u32)> {
        self.accounts.clear();
        let Self { broker, wants, strangers, .. } = self;
        let is_there = |account: &Account| {
            broker.accounts.get(account.name()).is_some_and(|current| std::ptr::eq(&raw const *current, account))
        };
        wants.retain(|account, remote| {
            let stays = is_there(account);
            if !stays {
                let wanted = Wanted { subject: remote.subject(), queue: remote.queue(), origin: remote.origin() };
                strangers.note(account.name().as_bytes(), &wanted, remote.weight());
            }
            stays
        });
        strangers.take(|name| std::str::from_utf8(name).is_ok_and(|name| broker.accounts.get(name).is_some()))
    }

    /// Has what the other side wants end, but for what `stays` of an account and subject.
    pub(crate) fn keep_wants(&mut self, stays: impl Fn(&Account, &[u8]) -> bool) {
        self.wants.retain(|account, remote| stays(account, remote.subject()));
        let count = u32::try_from(self.wants.len()).unwrap_or(u32::MAX);
        self.peer.counters.subscriptions.store(count, Relaxed);
    }

    /// Pings are due otherwise from now on.
    pub(crate) fn set_policy(&mut self, policy: Policy) {
        self.policy = policy;
    }

    /// Nothing is said before [`Channel::settled`], though silence is counted.
    pub(crate) fn keep_silent(&mut self) {
        self.silent = true;
    }

    /// Pings are sent whether or not anything else is.
    // spec: CLU-047
    pub(crate) fn ping_always(&mut self) {
        self.pings_always = true;
    }

    /// Both sides know how to speak: pings may be sent.
    pub(crate) fn settled(&mut self, now: Time) {
        if std::mem::take(&mut self.silent) {
            self.keepalive = Keepalive::new(now, self.policy.interval.min(FIRST_PING));
        }
    }

    /// Asks for a sign of life now.
    pub(crate) fn ping(&mut self, batch: &mut Batch) {
        self.keepalive.on_asked(batch.now);
        self.say(batch, b"PING\r\n");
    }

    /// The answer to a ping; the round-trip time, if it was asked for.
    pub(crate) fn on_pong(&mut self, now: Time) -> Option<Duration> {
        let rtt = self.keepalive.on_pong(now)?;
        self.peer.counters.rtt.store(u64::try_from(rtt.as_nanos()).unwrap_or(u64::MAX), Relaxed);
        Some(rtt)
    }

    /// When [`Channel::on_timer`] has something to do.
    pub(crate) fn due(&self) -> Time {
        self.keepalive.due()
    }

    /// Pings a silent peer and gives it up in the end.
    // spec: CLU-031
    pub(crate) fn on_timer(&mut self, batch: &mut Batch) -> Next {
        match self.keepalive.on_timer(batch.now, self.policy) {
            Action::Wait(_) => Next::Read,
            Action::Ping(_) => {
                if !self.silent {
                    self.say(batch, b"PING\r\n");
                }
                Next::Read
            }
            Action::Stale => {
                log::debug!("{} - Stale Client Connection - Closing", self.peer.label());
                let mut line = Vec::new();
                encode::error_text(&mut line, &"Stale Connection");
                self.say(batch, &line);
                Next::Close(ClosedReason::StaleConnection)
            }
        }
    }
}

/// The first ping comes soon, so that there is a round-trip time.
const FIRST_PING: Duration = Duration::from_secs(1);

/// A reply as clients see it, the subject they see where the sender names it, and what other servers get for the reply
/// where it leads back to another cluster.
// spec: CLU-046
fn understood(reply: &[u8]) -> (&[u8], Option<&[u8]>, Option<&[u8]>) {
    let plain = plain_reply(reply);
    let (seen, shown) = acknowledged(plain.unwrap_or(reply));
    (seen, shown, plain.map(|_| reply))
}

/// Dots of an acknowledgement, at least.
const ACK_DOTS: usize = 8;

/// A reply as clients see it, and the subject they see where the sender names it behind an acknowledgement.
// spec: CORE-188 CORE-189
fn acknowledged(reply: &[u8]) -> (&[u8], Option<&[u8]>) {
    if !reply.starts_with(ACK_PREFIX) {
        return (reply, None);
    }
    match memchr::memrchr(b'@', reply) {
        Some(at) if at + 1 < reply.len() && memchr::memchr_iter(b'.', &reply[..at]).count() >= ACK_DOTS => {
            (&reply[..at], Some(&reply[at + 1..]))
        }
        _ => (reply, None),
    }
}

#[cfg(test)]
mod tests {
    use super::{acknowledged, understood};

    #[test]
    fn replies_of_other_clusters() {
        // spec: CLU-046
        let full = b"_GR_.abcdef.ghijkl.$JS.ACK.S.C.1.1.1.1.0@foo".as_slice();
        let seen = (b"$JS.ACK.S.C.1.1.1.1.0".as_slice(), Some(b"foo".as_slice()), Some(full));
        assert_eq!(understood(full), seen);
        assert_eq!(understood(b"re"), (b"re".as_slice(), None, None));
    }

    #[test]
    fn a_streams_subject_comes_behind_its_acknowledgement() {
        // spec: CORE-188 CORE-189
        for (reply, expected, shown) in [
            ("", "", None),
            ("_INBOX.a@b", "_INBOX.a@b", None),
            ("$JS.ACK.S.C.1.1.1.1.0", "$JS.ACK.S.C.1.1.1.1.0", None),
            ("$JS.ACK.S.C.1.1.1.1.0@foo.bar", "$JS.ACK.S.C.1.1.1.1.0", Some("foo.bar")),
            ("$JS.ACK.S.C.1.1.1.1.0@", "$JS.ACK.S.C.1.1.1.1.0@", None),
            ("$JS.ACK.S.C.1.1.1@a.b.c.d", "$JS.ACK.S.C.1.1.1@a.b.c.d", None),
        ] {
            let (got, subject) = acknowledged(reply.as_bytes());
            assert_eq!((got, subject), (expected.as_bytes(), shown.map(str::as_bytes)), "{reply}");
        }
    }
}
