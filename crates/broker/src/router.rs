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
use crate::imports::ServiceImport;
use crate::interest::{Delivery, Group, Matches};
use crate::internal::{InternalMessage, InternalSubscription};
use crate::peer::{Control, Peer};
use crate::request_info;
use crate::responses::REPLY_PREFIX;
use crate::subscription::Turn;
use crate::trace::{Egress, Tracer};

/// Accounts that one message may cross (SEC-051 refuses cycles in the configuration; this bounds what is left).
const MAX_HOPS: u8 = 16;

/// A message on its way.
#[derive(Debug, Clone, Copy)]
pub struct Message<'a> {
    /// Where it is published to.
    pub subject: &'a [u8],
    /// Where answers go; empty for none.
    pub reply: &'a [u8],
    /// The length of the headers, if it has any.
    pub header_len: Option<usize>,
    /// The same as text.
    pub header_text: &'a [u8],
    /// The length of the body as text.
    pub size_text: &'a [u8],
    /// Headers and payload.
    pub body: &'a [u8],
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
}

impl Origin<'_> {
    /// The server itself.
    pub const SERVER: Origin<'static> = Origin { peer: None, echo: true, hops: 0 };
}

impl Batch {
    /// Delivers a message that `account` has; gives the number of destinations.
    pub fn route(&mut self, account: &Account, origin: &Origin<'_>, message: &Message<'_>) -> usize {
        let mut delivered = 0;
        if message.subject.starts_with(REPLY_PREFIX) && !account.responses.is_empty() {
            delivered += self.route_reply(account, origin, message);
        }
        let Self { lookup, runs, rng, now, tracer, drop_congested, .. } = self;
        let matches = lookup.find(account, message.subject);
        let mut turn = Turned { runs, now: *now, tracer: tracer.as_deref_mut(), drop_congested: *drop_congested };
        for delivery in &matches.plain {
            delivered += usize::from(turn.deliver(delivery, origin, message));
        }
        for group in &matches.groups {
            delivered += usize::from(turn.deliver_to_one(group, origin, message, rng));
        }
        if matches.services.is_empty() && matches.internals.is_empty() {
            return delivered;
        }
        let Matches { services, internals, .. } = matches;
        let (services, internals) = (services.clone(), internals.clone());
        delivered += answer_internally(account, &internals, origin, message);
        for import in &services {
            delivered += self.route_service(import, origin, message);
        }
        delivered
    }

    /// A request that leaves its account for a service of another.
    fn route_service(&mut self, import: &Arc<ServiceImport>, origin: &Origin<'_>, message: &Message<'_>) -> usize {
        let Some(exporter) = import.exporter.upgrade().filter(|_| origin.hops < MAX_HOPS) else { return 0 };
        let mut subject = Vec::new();
        if !import.exporter_subject(message.subject, &mut subject) {
            return 0;
        }
        let mut token = Vec::new();
        if !message.reply.is_empty() {
            self.new_reply_token(&mut token);
            exporter.responses.expect(&token, import.clone(), message.reply, origin.peer.cloned(), self.now);
        }
        let onward = Origin { hops: origin.hops + 1, ..*origin };
        if let Some(tracer) = &mut self.tracer {
            tracer.service_import(&exporter, import, message.subject, &subject);
        }
        let delivered = match request_info::attach(import, origin, message) {
            None => self.route(&exporter, &onward, &Message { subject: &subject, reply: &token, ..*message }),
            Some(with_info) => self.route(&exporter, &onward, &with_info.message(&subject, &token)),
        };
        if delivered == 0 && !token.is_empty() {
            exporter.responses.forget(&token);
        }
        delivered
    }

    /// A reply on its way back to an importer.
    fn route_reply(&mut self, account: &Account, origin: &Origin<'_>, message: &Message<'_>) -> usize {
        let Some(response) = account.responses.take(message.subject, self.now) else { return 0 };
        let Some(importer) = response.import.importer.upgrade().filter(|_| origin.hops < MAX_HOPS) else { return 0 };
        let onward = Origin { hops: origin.hops + 1, echo: true, ..*origin };
        self.route(&importer, &onward, &Message { subject: &response.reply, ..*message })
    }

    fn new_reply_token(&mut self, out: &mut Vec<u8>) {
        const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
        out.extend_from_slice(REPLY_PREFIX);
        out.extend((0..20).map(|_| ALPHABET[self.rng.usize(0..ALPHABET.len())]));
    }
}

/// The server's own services get their messages at once; they count as destinations.
fn answer_internally(
    account: &Account,
    internals: &[Arc<InternalSubscription>],
    origin: &Origin<'_>,
    message: &Message<'_>,
) -> usize {
    for internal in internals {
        (internal.handler)(&InternalMessage {
            account: account.name(),
            subject: message.subject,
            reply: message.reply,
            headers: message.headers(),
            payload: message.payload(),
            from: origin.peer.map(|p| &**p),
        });
    }
    internals.len()
}

/// What delivering needs of a batch.
struct Turned<'b> {
    runs: &'b mut Runs,
    now: Time,
    tracer: Option<&'b mut Tracer>,
    drop_congested: bool,
}

impl Turned<'_> {
    /// One member of a queue group gets the message: a random one, or the next that can (CORE-093, CORE-098).
    fn deliver_to_one(
        &mut self,
        group: &Group,
        origin: &Origin<'_>,
        message: &Message<'_>,
        rng: &mut fastrand::Rng,
    ) -> bool {
        let members = &group.members;
        let start = if members.len() == 1 { 0 } else { rng.usize(0..members.len()) };
        (0..members.len()).any(|i| {
            let at = if start + i < members.len() { start + i } else { start + i - members.len() };
            self.deliver(&members[at], origin, message)
        })
    }

    /// One subscription gets the message, unless something forbids it.
    #[inline]
    fn deliver(&mut self, delivery: &Delivery, origin: &Origin<'_>, message: &Message<'_>) -> bool {
        let subscription = &*delivery.subscription;
        let peer = &subscription.peer;
        let subject = delivery.subject.as_deref().unwrap_or(message.subject);
        // spec: CORE-062
        if !origin.echo && origin.peer.is_some_and(|p| Arc::ptr_eq(p, peer)) {
            return self.egress(delivery, subject, Egress::NoEcho);
        }
        if subscription.filtered && !peer.may_receive(subject, subscription.queue()) {
            return self.egress(delivery, subject, Egress::SubDenied);
        }
        if peer.is_closing() {
            return self.egress(delivery, subject, Egress::ClientClosed);
        }
        if self.drop_congested && peer.is_congested() {
            return self.egress(delivery, subject, Egress::NotStalled);
        }
        if let Some(tracer) = &mut self.tracer {
            tracer.egress(delivery, subject, Egress::Delivered);
            if tracer.only() {
                return true;
            }
        }
        match subscription.take_turn() {
            Turn::Go => {}
            Turn::Last => peer.request(Control::Expired(delivery.subscription.clone())),
            Turn::Over => return self.egress(delivery, subject, Egress::AutoUnsubExceeded),
        }
        if peer.tracks_replies() && !message.reply.is_empty() {
            peer.note_reply(message.reply, self.now);
        }
        self.encode(peer, subscription.sid(), subject, message);
        true
    }

    fn egress(&mut self, delivery: &Delivery, subject: &[u8], outcome: Egress) -> bool {
        if let Some(tracer) = &mut self.tracer {
            tracer.egress(delivery, subject, outcome);
        }
        false
    }

    #[inline]
    fn encode(&mut self, peer: &Arc<Peer>, sid: &[u8], subject: &[u8], m: &Message<'_>) {
        let room = 48 + subject.len() + sid.len() + m.reply.len();
        let (runs, len) = (&mut *self.runs, room + m.body.len());
        match (m.header_len, m.shared) {
            (None, None) => {
                runs.append(peer, len, |out| encode::message(out, subject, sid, m.reply, m.size_text, m.body));
            }
            (None, Some(body)) => {
                runs.append(peer, room, |out| encode::message_head(out, subject, sid, m.reply, m.size_text));
                runs.share(peer, body);
            }
            (Some(headers), _) if !peer.takes_headers() => {
                runs.append(peer, len, |out| {
                    encode::message_without_headers(out, subject, sid, m.reply, headers, m.body)
                });
                return runs.count(peer, m.body.len() - headers);
            }
            (Some(_), None) => runs.append(peer, len, |out| {
                encode::header_message(out, subject, sid, m.reply, m.header_text, m.size_text, m.body);
            }),
            (Some(_), Some(body)) => {
                runs.append(peer, room, |out| {
                    encode::header_message_head(out, subject, sid, m.reply, m.header_text, m.size_text);
                });
                runs.share(peer, body);
            }
        }
        runs.count(peer, m.body.len());
    }
}
