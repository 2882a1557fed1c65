//! Message traces: a message that names a destination in its headers leaves a report there of everywhere it went.
//!
//! | module | what lives there |
//! |---|---|
//! | `request` | what the headers of a message ask for, and whether it is granted |
//! | `event` | the report as JSON |
//!
//! A [`Tracer`] rides in the batch while its message is routed and is published after that. It is put aside where a
//! message crosses into an account that does not let traces follow.
//!
//! Invariant: a message without headers is never looked at, and one that is not traced costs routing one branch.

mod event;
mod request;

use std::sync::Arc;

use martlet_events::WallTime;

use crate::account::Account;
use crate::batch::Batch;
use crate::encoding::Encoding;
use crate::interest::Delivery;
use crate::peer::Peer;
use crate::router::{Message, Origin};
use event::{Event, Step, text};

pub(crate) use request::{Begin, Publisher, begin, is_sampled, is_wanted};

/// The header that names the destination.
pub(crate) const DESTINATION: &str = "Nats-Trace-Dest";
/// Its value where a trace must not go on. Not a subject.
pub(crate) const DISABLED: &str = "trace disabled";

/// What became of a message at one destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Egress {
    /// It got the message.
    Delivered,
    /// It published the message and wants no echo.
    NoEcho,
    /// A permission keeps the message from it.
    SubDenied,
    /// It is closing.
    ClientClosed,
    /// It had all it asked for.
    AutoUnsubExceeded,
    /// It is slow, and producers are not held back.
    NotStalled,
}

impl Egress {
    // spec: CORE-132
    fn error(self) -> &'static str {
        match self {
            Self::Delivered => "",
            Self::NoEcho => "Not delivered because of no echo",
            Self::SubDenied => "Not delivered because subscription denies this subject",
            Self::ClientClosed => "Not delivered because client is closed",
            Self::AutoUnsubExceeded => "Not delivered because auto-unsubscribe exceeded",
            Self::NotStalled => "Not delivered because fast producer not stalled and consumer is slow",
        }
    }
}

/// One message's trace while it is routed.
#[derive(Debug)]
pub struct Tracer {
    account: Arc<Account>,
    destination: Box<[u8]>,
    encoding: Encoding,
    only: bool,
    at: WallTime,
    event: Event,
}

impl Tracer {
    /// Whether the message is traced and not delivered.
    pub fn only(&self) -> bool {
        self.only
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

    /// The message reached a destination.
    pub(crate) fn egress(&mut self, delivery: &Delivery, outcome: Egress) {
        let subscription = &delivery.subscription;
        let account = account_of(&subscription.peer);
        let pattern = delivery.import.as_ref().map_or(subscription.subject(), |import| &import.shadow.pattern);
        self.event.events.push(Step::Egress {
            ts: self.at,
            kind: event::CLIENT,
            cid: subscription.peer.cid(),
            name: subscription.peer.description().name.clone(),
            acc: if account == **self.account.name() { String::new() } else { account },
            sub: text(pattern),
            queue: text(subscription.queue().unwrap_or_default()),
            error: outcome.error(),
        });
    }
}

fn account_of(peer: &Peer) -> String {
    peer.account().map(|a| a.name().to_string()).unwrap_or_default()
}

impl Batch {
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
            shown: None,
            reply: b"",
            header_len,
            header_text: header_text.as_bytes(),
            size_text: size_text.as_bytes(),
            body: &body,
            verbatim: &[],
            shared: None,
        };
        self.route(&tracer.account, &Origin::SERVER, &message);
    }
}
