//! Message traces: a message that names a destination in its headers leaves a report there of everywhere it went.
//!
//! | module | what lives there |
//! |---|---|
//! | `request` | what the headers of a message ask for, and whether it is granted |
//! | `event` | the report as JSON |
//! | `claim` | what streams add to it |
//!
//! Every server on the way leaves a report of its own: what is sent to another server names the hop in a header, and the
//! report of that server names it again.
//!
//! A [`Tracer`] rides in the batch while its message is routed and is published after that. It is put aside where a
//! message crosses into an account that does not let traces follow.
//!
//! Invariant: a message without headers is never looked at, and one that is not traced costs routing one branch.

mod claim;
mod event;
mod request;

use std::sync::Arc;

use martlet_events::WallTime;

use crate::account::Account;
use crate::batch::Batch;
use crate::encoding::Encoding;
use crate::forward::Arrived;
use crate::interest::Delivery;
use crate::link::Link;
use crate::peer::Peer;
use crate::rewritten::Rewritten;
use crate::router::{Message, Origin};
use event::{Event, Step, text};

pub use claim::{Claim, Stored};
pub(crate) use request::{Begin, Publisher, begin, is_sampled, is_wanted};

/// The header that names the destination.
pub(crate) const DESTINATION: &str = "Nats-Trace-Dest";
/// The header that names the way to a server: a number from each server on it.
const HOP: &str = "Nats-Trace-Hop";
/// Its value where a trace must not go on. Not a subject.
pub(crate) const DISABLED: &str = "trace disabled";

/// What became of a message at one destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Egress {
    /// It got the message.
    Delivered,
    /// It published the message and wants no echo.
    NoEcho,
    /// A permission keeps the message from it.
    SubDenied,
    /// What may pass to a leaf node keeps the message from it.
    PubDenied,
    /// It is closing.
    ClientClosed,
    /// It had all it asked for.
    AutoUnsubExceeded,
    /// It is slow, and producers are not held back.
    NotStalled,
    /// It is a server that does not trace, and got the message.
    NoReport,
    /// It is a server that does not trace, and the message is traced only.
    NotTraced,
}

impl Egress {
    // spec: CORE-132
    fn error(self) -> &'static str {
        match self {
            Self::Delivered => "",
            Self::NoEcho => "Not delivered because of no echo",
            Self::SubDenied => "Not delivered because subscription denies this subject",
            Self::PubDenied => "Not delivered because publish denied for this subject",
            Self::ClientClosed => "Not delivered because client is closed",
            Self::AutoUnsubExceeded => "Not delivered because auto-unsubscribe exceeded",
            Self::NotStalled => "Not delivered because fast producer not stalled and consumer is slow",
            Self::NoReport => {
                "Message delivered but remote does not support message tracing so no trace event generated from there"
            }
            Self::NotTraced => "Not delivered because remote does not support message tracing",
        }
    }
}

/// One message's trace while it is routed.
#[derive(Debug)]
pub(crate) struct Tracer {
    account: Arc<Account>,
    destination: Box<[u8]>,
    encoding: Encoding,
    only: bool,
    /// For those who keep the message.
    claim: Claim,
    at: WallTime,
    /// How the message came to this server.
    hop: Box<str>,
    event: Event,
}

impl Tracer {
    /// Whether the message is traced and not delivered.
    pub(crate) fn only(&self) -> bool {
        self.only
    }

    /// For those who keep the message.
    pub(crate) fn claim(&self) -> &Claim {
        &self.claim
    }

    /// The message is refused as it comes in.
    pub(crate) fn refused(&mut self, why: &impl std::fmt::Display) {
        if let Some(Step::Ingress { error, .. }) = self.event.events.first_mut() {
            *error = why.to_string();
        }
    }

    /// The message is mapped to another subject.
    pub(crate) fn mapped(&mut self, to: &[u8]) {
        self.event.events.push(Step::Mapping { ts: self.at, to: text(to) });
    }

    /// The message crosses into another account that imports the stream.
    pub(crate) fn stream_export(&mut self, importer: &Peer, to: &[u8]) {
        let acc = account_of(importer);
        self.event.events.push(Step::StreamExport { ts: self.at, acc, to: text(to) });
    }

    /// The message crosses into another account to be served or answered.
    pub(crate) fn service_import(&mut self, account: &Account, from: &[u8], to: &[u8]) {
        let acc = account.name().to_string();
        self.event.events.push(Step::ServiceImport { ts: self.at, acc, from: text(from), to: text(to) });
    }

    /// Where reports go, unless the message has come to another account meanwhile.
    pub(crate) fn destination(&self) -> &[u8] {
        &self.destination
    }

    /// Whether the message has gone to other servers, which report for themselves.
    pub(crate) fn goes_on(&self) -> bool {
        self.event.hops > 0
    }

    /// The message reached a destination.
    pub(crate) fn egress(&mut self, delivery: &Delivery, outcome: Egress) {
        let subscription = &delivery.subscription;
        let account = account_of(&subscription.peer);
        let pattern = delivery.import.as_ref().map_or(subscription.subject(), |import| &import.shadow.pattern);
        self.event.events.push(Step::Egress {
            ts: self.at,
            kind: event::number(subscription.peer.kind()),
            cid: subscription.peer.cid(),
            name: subscription.peer.description().name.clone(),
            hop: String::new(),
            acc: if account == **self.account.name() { String::new() } else { account },
            sub: text(pattern),
            queue: text(subscription.queue().unwrap_or_default()),
            error: outcome.error(),
        });
    }
}

/// What becomes of a traced message at another server.
pub(crate) enum Onward {
    /// It gets the message in these words.
    Sent(Rewritten),
    /// It gets nothing.
    Withheld,
}

impl Tracer {
    /// The message reaches another server, unless `hindered`.
    // spec: CORE-125 CORE-127
    pub(crate) fn onward(&mut self, link: &Link, hindered: Option<Egress>, message: &Message<'_>) -> Onward {
        self.event.hops += 1;
        let hops = self.event.hops;
        let hop = if self.hop.is_empty() { hops.to_string() } else { format!("{}.{hops}", self.hop) };
        let rewritten = Rewritten::new(message, &[(HOP, hop.as_bytes())]);
        let outcome = hindered.unwrap_or(match (link.traces, self.only) {
            (true, _) => Egress::Delivered,
            (false, true) => Egress::NotTraced,
            (false, false) => Egress::NoReport,
        });
        // A leaf node's messages may stand in an account that exports to its own.
        let account = link.account.as_deref().filter(|_| link.role.is_leaf()).unwrap_or_default();
        self.event.events.push(Step::Egress {
            ts: self.at,
            kind: event::number(link.peer.kind()),
            cid: link.peer.cid(),
            name: link.name(),
            hop,
            acc: if *account == **self.account.name() { String::new() } else { account.to_owned() },
            sub: String::new(),
            queue: String::new(),
            error: outcome.error(),
        });
        match outcome {
            Egress::Delivered | Egress::NoReport => Onward::Sent(rewritten),
            _ => Onward::Withheld,
        }
    }
}

fn account_of(peer: &Peer) -> String {
    peer.account().map(|a| a.name().to_string()).unwrap_or_default()
}

impl Batch {
    /// Delivers a message from another server, which knew it by the subject `published`. If it asks for a trace it gets
    /// one, as the server before has granted.
    // spec: CORE-125 CORE-127
    pub fn arrive(&mut self, account: &Arc<Account>, arrived: &Arrived<'_>, published: &[u8], message: &Message<'_>) {
        let origin = Origin { link: Some(arrived), ..Origin::SERVER };
        if message.header_len.is_none() || !is_wanted(message.headers()) {
            self.route(account, &origin, message);
            return;
        }
        self.arrive_traced(account, &origin, arrived.link, published, message);
    }

    #[cold]
    fn arrive_traced(
        &mut self,
        account: &Arc<Account>,
        origin: &Origin<'_>,
        link: &Link,
        published: &[u8],
        message: &Message<'_>,
    ) {
        let sender = Publisher {
            peer: &link.peer,
            link: Some(link),
            account,
            subject: published,
            size: message.body.len(),
            at: account.site().wall(self.now),
            chance: 0,
        };
        match begin(message.headers(), &sender, |destination| link.may_bring(destination)) {
            Begin::Untraced => {
                self.route(account, origin, message);
            }
            Begin::Disabled => {
                let rewritten = Rewritten::new(message, &[(DESTINATION, DISABLED.as_bytes())]);
                self.route(account, origin, &rewritten.in_place_of(message));
            }
            Begin::Dropped => {}
            Begin::Denied(destination) => {
                let destination = String::from_utf8_lossy(&destination);
                log::error!("{} - Publish Violation - Subject {destination:?}", link.peer.label());
            }
            Begin::Traced(mut tracer) => {
                if published != message.subject {
                    tracer.mapped(message.subject);
                }
                self.tracer = Some(tracer);
                self.route(account, origin, message);
                if let Some(tracer) = self.tracer.take() {
                    self.finish_trace(tracer);
                }
            }
        }
    }

    /// Publishes what was traced, in the account that the message was published in.
    pub(crate) fn publish_trace(&mut self, tracer: &Tracer) {
        let site = tracer.account.site().clone();
        let about = site.about();
        if about.system_account.is_none() {
            return;
        }
        let json = tracer.event.to_json(site.server_info(&about, self.now));
        let (headers, payload) = tracer.encoding.encode(json);
        let header_len = (!headers.is_empty()).then_some(headers.len());
        let mut body = headers.into_bytes();
        body.extend_from_slice(&payload);
        let (header_text, size_text) = (header_len.unwrap_or_default().to_string(), body.len().to_string());
        let message = Message {
            subject: &tracer.destination,
            header_len,
            header_text: header_text.as_bytes(),
            size_text: size_text.as_bytes(),
            body: &body,
            ..Message::default()
        };
        self.route(&tracer.account, &Origin::SERVER, &message);
    }
}
