//! From a published message to the runs of everyone who gets it.
//!
//! Routing is one walk: interest of the publisher's account, queue groups, services of other accounts and replies back
//! through them, the server's own services. Nothing is copied but the message itself, once per destination.

use std::sync::Arc;

use bytes::Bytes;
use martlet_events::Time;
use martlet_proto::encode;

use crate::account::Account;
use crate::batch::{Batch, Runs};
use crate::forward::{Arrived, Hops};
use crate::gateway::Returning;
use crate::interest::{Delivery, Group, Imported, Matches, Target};
use crate::internal::{InternalMessage, InternalSubscription, Scope};
use crate::local_task::LocalTasks;
use crate::peer::{Control, Peer};
use crate::protocol_log::ProtocolLog;
use crate::responses::REPLY_PREFIX;
use crate::subscription::{Subscription, Turn};
use crate::trace::{Claim, Egress, Tracer};

/// A message on its way.
#[derive(Debug, Clone, Copy, Default)]
pub struct Message<'a> {
    /// Where it is published to.
    pub subject: &'a [u8],
    /// The subject that this server's clients see instead: another server's stream names it with the acknowledgement.
    pub shown: Option<&'a [u8]>,
    /// Where answers go; empty for none.
    pub reply: &'a [u8],
    /// What other servers get for the reply: it leads back to another cluster.
    pub returns: Option<&'a [u8]>,
    /// The length of the headers, if it has any.
    pub header_len: Option<usize>,
    /// The same as text.
    pub header_text: &'a [u8],
    /// The length of the body as text.
    pub size_text: &'a [u8],
    /// Headers and payload.
    pub body: &'a [u8],
    /// The sizes, CRLF, the body and CRLF in one piece, as subscribers read them; empty where they are not in one piece.
    pub verbatim: &'a [u8],
    /// The body and CRLF in a buffer that destinations may share.
    pub shared: Option<&'a Bytes>,
}

impl<'a> Message<'a> {
    /// The header section; empty for none.
    pub fn headers(&self) -> &'a [u8] {
        &self.body[..self.header_len.unwrap_or(0)]
    }

    /// The body without its headers.
    pub fn payload(&self) -> &'a [u8] {
        &self.body[self.header_len.unwrap_or(0)..]
    }
}

/// Who a message comes from.
#[derive(Debug, Clone, Copy)]
pub struct Origin<'a> {
    /// The publishing connection; the server itself if `None`.
    pub peer: Option<&'a Arc<Peer>>,
    /// Whether the publisher gets its own messages.
    pub echo: bool,
    /// Accounts crossed so far.
    pub hops: u8,
    /// Whether the first import on the way tells who asks.
    pub share: bool,
    /// The other server that it comes from.
    pub link: Option<&'a Arrived<'a>>,
}

impl Origin<'_> {
    /// The server itself.
    pub const SERVER: Origin<'static> = Origin { peer: None, echo: true, hops: 0, share: false, link: None };
}

impl<'a> Origin<'a> {
    /// A client, who gets its own messages or not.
    pub fn client(peer: &'a Arc<Peer>, echo: bool) -> Self {
        Self { peer: Some(peer), echo, ..Self::SERVER }
    }
}

impl Batch {
    /// Delivers a message that `account` has; gives the number of destinations.
    pub fn route(&mut self, account: &Account, origin: &Origin<'_>, message: &Message<'_>) -> usize {
        let mut delivered = 0;
        if message.subject.first() == Some(&b'_') {
            if let Some(returning) = Returning::of(message.subject)
                && let Some(delivered) = self.route_returning(account, origin, &returning, message)
            {
                return delivered;
            }
            if message.subject.starts_with(REPLY_PREFIX) && account.responses.is_own(message.subject) {
                self.route_reply(account, origin, message);
                // Whoever replies is never told that nobody listens, even if the reply comes late.
                delivered += 1;
            }
        }
        if self.is_wanted(account, message.subject) {
            delivered += self.route_found(account, origin, message);
        }
        delivered
    }

    /// Whether anybody gets a message that `account` has on `subject`; who that is stays found.
    #[inline]
    pub fn is_wanted(&mut self, account: &Account, subject: &[u8]) -> bool {
        self.lookup.find(account, subject);
        !self.lookup.found().is_empty()
    }

    /// Delivers a message to those just found by [`Self::is_wanted`].
    pub(crate) fn route_found(&mut self, account: &Account, origin: &Origin<'_>, message: &Message<'_>) -> usize {
        let mut delivered = 0;
        let Self { lookup, runs, rng, now, tracer, drop_congested, protocol_log, tasks, .. } = self;
        let matches = lookup.found();
        let mut turn = Turned {
            ordinary: tracer.is_none()
                && protocol_log.is_none()
                && !*drop_congested
                && origin.echo
                && message.shown.is_none()
                && message.returns.is_none(),
            runs,
            now: *now,
            tracer: tracer.as_deref_mut(),
            drop_congested: *drop_congested,
            protocol_log: *protocol_log,
        };
        for delivery in &matches.plain {
            delivered += usize::from(turn.deliver(delivery, origin, message));
        }
        if origin.link.is_some() || matches.has_remotes() {
            delivered += turn.deliver_and_forward(account, matches, origin, message, rng);
        } else {
            for group in &matches.groups {
                delivered += usize::from(turn.deliver_to_one(&group.members, origin, message, rng));
            }
        }
        if matches.services.is_empty() && matches.internals.is_empty() {
            return delivered;
        }
        let Matches { services, internals, .. } = matches;
        let (services, internals) = (services.clone(), internals.clone());
        let trace = self.tracer.as_deref().map(Tracer::claim);
        delivered += answer_internally(account, &internals, origin, (message, trace), tasks);
        // What another member of the cluster sends has been imported there, under the subject that it has here.
        if !origin.link.is_some_and(|arrived| arrived.is_from_peers() && !arrived.mapped) {
            for import in &services {
                delivered += self.route_service(import, origin, message);
            }
        }
        delivered
    }
}

/// The server's own services get their messages at once; they count as destinations.
fn answer_internally(
    account: &Account,
    internals: &[Arc<InternalSubscription>],
    origin: &Origin<'_>,
    (message, trace): (&Message<'_>, Option<&Claim>),
    tasks: &mut LocalTasks,
) -> usize {
    let mut answered = 0;
    for internal in internals {
        // What came in for a service does not leave again as a stream.
        if internal.scope == Scope::Exporter && origin.hops > 0 {
            continue;
        }
        // spec: CORE-125
        if !internal.follows_traces && trace.is_some_and(Claim::only) {
            continue;
        }
        answered += 1;
        let asked = InternalMessage {
            account: account.name(),
            subject: message.shown.unwrap_or(message.subject),
            // Whoever answers names the reply in full: nobody remembers for it what it stands for.
            reply: message.returns.unwrap_or(message.reply),
            headers: message.headers(),
            payload: message.payload(),
            from: origin.peer.map(|p| &**p),
            trace,
        };
        (internal.handler)(&asked, tasks);
    }
    answered
}

/// What delivering needs of a batch.
pub(crate) struct Turned<'b> {
    pub(crate) runs: &'b mut Runs,
    pub(crate) now: Time,
    pub(crate) tracer: Option<&'b mut Tracer>,
    drop_congested: bool,
    protocol_log: Option<ProtocolLog>,
    /// Nothing about this turn concerns a delivery.
    ordinary: bool,
}

impl Turned<'_> {
    /// One member of a queue group gets the message: a random one, or the next that can (CORE-093, CORE-098).
    fn deliver_to_one(
        &mut self,
        members: &[Delivery],
        origin: &Origin<'_>,
        message: &Message<'_>,
        rng: &mut fastrand::Rng,
    ) -> bool {
        let start = if members.len() <= 1 { 0 } else { rng.usize(0..members.len()) };
        self.deliver_from(start, members, origin, message)
    }

    /// The member at `start` gets the message, or the next that can.
    fn deliver_from(&mut self, start: usize, members: &[Delivery], origin: &Origin<'_>, message: &Message<'_>) -> bool {
        (0..members.len()).any(|i| {
            let at = if start + i < members.len() { start + i } else { start + i - members.len() };
            self.deliver(&members[at], origin, message)
        })
    }

    /// Queue groups with members on other servers, and those servers themselves.
    #[inline(never)]
    fn deliver_and_forward(
        &mut self,
        account: &Account,
        matches: &Matches,
        origin: &Origin<'_>,
        message: &Message<'_>,
        rng: &mut fastrand::Rng,
    ) -> usize {
        let mut delivered = 0;
        let mut hops = Hops::new(origin, message.subject);
        for remote in &matches.remotes {
            hops.add(remote);
        }
        for group in &matches.groups {
            if hops.serves(&group.queue) {
                delivered += usize::from(self.deliver_to_group(group, &mut hops, origin, message, rng));
            }
        }
        delivered + hops.forward(self, account, message)
    }

    /// One member of the group gets the message, here or, then by a hop, elsewhere; whether it was one here.
    // spec: CLU-048
    fn deliver_to_group<'m>(
        &mut self,
        group: &'m Group,
        hops: &mut Hops<'m>,
        origin: &Origin<'_>,
        message: &Message<'_>,
        rng: &mut fastrand::Rng,
    ) -> bool {
        let members = &group.members;
        let Some(start) = hops.choose(group, rng) else { return false };
        if self.deliver_from(start, members, origin, message) {
            return true;
        }
        hops.choose_elsewhere(group, rng);
        hops.choose_gateway(group);
        false
    }

    /// One subscription gets the message, unless something forbids it.
    #[inline]
    fn deliver(&mut self, delivery: &Delivery, origin: &Origin<'_>, message: &Message<'_>) -> bool {
        let subscription = &*delivery.subscription;
        if self.ordinary && delivery.import.is_none() && !subscription.is_filtered() && subscription.peer.is_ordinary()
        {
            let delivered = take_turn(delivery);
            if delivered {
                self.encode(delivery, message.subject, message);
            }
            return delivered;
        }
        self.deliver_with_care(delivery, origin, message)
    }

    #[inline(never)]
    fn deliver_with_care(&mut self, delivery: &Delivery, origin: &Origin<'_>, message: &Message<'_>) -> bool {
        match &delivery.import {
            None => self.deliver_under(delivery, message.shown.unwrap_or(message.subject), origin, message),
            Some(import) => self.deliver_import(delivery, import, origin, message),
        }
    }

    /// One subscription of an account that imports the stream gets the message.
    fn deliver_import(
        &mut self,
        delivery: &Delivery,
        import: &Imported,
        origin: &Origin<'_>,
        message: &Message<'_>,
    ) -> bool {
        // What came in for a service does not leave again as a stream.
        if origin.hops > 0 {
            return false;
        }
        let subject = import.subject.as_deref().or(message.shown).unwrap_or(message.subject);
        let mut aside = None;
        if let Some(tracer) = &mut self.tracer {
            tracer.stream_export(&delivery.subscription.peer, subject);
            // spec: CORE-133 SEC-052
            if !import.shadow.allow_trace {
                if tracer.only() {
                    return true;
                }
                aside = self.tracer.take();
            }
        }
        let delivered = self.deliver_under(delivery, subject, origin, message);
        if aside.is_some() {
            self.tracer = aside;
        }
        delivered
    }

    fn deliver_under(
        &mut self,
        delivery: &Delivery,
        subject: &[u8],
        origin: &Origin<'_>,
        message: &Message<'_>,
    ) -> bool {
        let subscription = &*delivery.subscription;
        let peer = &subscription.peer;
        // spec: CORE-062
        if !origin.echo && origin.peer.is_some_and(|p| Arc::ptr_eq(p, peer)) {
            return self.egress(delivery, Egress::NoEcho);
        }
        if subscription.is_filtered() && !peer.may_receive(subject, subscription.queue()) {
            return self.egress(delivery, Egress::SubDenied);
        }
        if self.tracer.as_ref().is_some_and(|t| t.only()) {
            self.egress(delivery, Egress::Delivered);
            return true;
        }
        if !take_turn(delivery) {
            return self.egress(delivery, Egress::AutoUnsubExceeded);
        }
        if self.drop_congested && peer.is_congested() {
            return self.egress(delivery, Egress::NotStalled);
        }
        if peer.is_closing() {
            return self.egress(delivery, Egress::ClientClosed);
        }
        if self.tracer.is_some() {
            self.egress(delivery, Egress::Delivered);
        }
        if peer.tracks_replies() && !message.reply.is_empty() {
            peer.note_reply(message.reply, self.now);
        }
        if let Some(returns) = message.returns {
            peer.note_returns(returns, message.reply, self.now);
        }
        if let Some(log) = self.protocol_log {
            log.delivered(peer, subject, subscription.sid(), message);
        }
        self.encode(delivery, subject, message);
        true
    }

    #[cold]
    fn egress(&mut self, delivery: &Delivery, outcome: Egress) -> bool {
        if let Some(tracer) = &mut self.tracer {
            tracer.egress(delivery, outcome);
        }
        false
    }

    #[inline]
    fn encode(&mut self, delivery: &Delivery, subject: &[u8], m: &Message<'_>) {
        let peer = &delivery.subscription.peer;
        let Delivery { beginning, .. } = delivery;
        let with_headers = m.header_len.is_some();
        if beginning.is_empty() || m.verbatim.is_empty() || m.shared.is_some() || with_headers && !peer.takes_headers()
        {
            return self.encode_apart(delivery, subject, m);
        }
        let len = 2 + beginning.len() + m.reply.len() + m.verbatim.len();
        self.runs.append_message(peer, len, m.body.len(), |out| {
            encode::message_verbatim(out, beginning, with_headers, m.reply, m.verbatim);
        });
    }

    /// The same for messages that are not ready in two pieces.
    #[inline(never)]
    fn encode_apart(&mut self, delivery: &Delivery, subject: &[u8], m: &Message<'_>) {
        let Message { reply, header_text, size_text, body, .. } = *m;
        let (peer, sid) = (&delivery.subscription.peer, delivery.subscription.sid());
        let room = 48 + subject.len() + sid.len() + reply.len();
        let (runs, len, size) = (&mut *self.runs, room + body.len(), body.len());
        match (m.header_len, m.shared) {
            (Some(headers), _) if !peer.takes_headers() => runs.append_message(peer, len, size - headers, |out| {
                encode::message_without_headers(out, subject, sid, reply, headers, body);
            }),
            (None, None) => runs.append_message(peer, len, size, |out| {
                encode::message(out, subject, sid, reply, size_text, body);
            }),
            (Some(_), None) => runs.append_message(peer, len, size, |out| {
                encode::header_message(out, subject, sid, reply, header_text, size_text, body);
            }),
            (headers, Some(shared)) => {
                runs.append_message(peer, room, size, |out| match headers {
                    None => encode::message_head(out, subject, sid, reply, size_text),
                    Some(_) => encode::header_message_head(out, subject, sid, reply, header_text, size_text),
                });
                runs.share(peer, shared);
            }
        }
    }
}

/// Counts a delivery, unless the subscription has had its last.
#[inline]
fn take_turn(delivery: &Delivery) -> bool {
    let turn = delivery.subscription.take_turn();
    if turn == Turn::Last {
        expire(&delivery.subscription);
    }
    turn != Turn::Over
}

/// Withdraws interest that has just been satisfied: whoever publishes next, here or elsewhere, is to know that nobody
/// listens. The rest is left to the subscription's session.
// spec: CORE-053
#[cold]
fn expire(subscription: &Arc<Subscription>) {
    if let Some(account) = subscription.peer.account() {
        account.remove(subscription.subject(), &Target::Subscription(subscription.clone()));
    }
    subscription.peer.request(Control::Expired(subscription.clone()));
}
