//! PUB and HPUB: what a client may publish, and how it is answered.

use std::sync::Arc;

use bytes::Bytes;
use hashbrown::HashMap;
use martlet_proto::errors::ErrorText;
use martlet_proto::{ClosedReason, PublishHead, encode};
use martlet_subject::{self as subject, Mapped};

use super::{Next, Session, Stop};
use crate::batch::Batch;
use crate::interest::Target;
use crate::router::{Message, Origin};
use crate::trace;

/// Publish decisions remembered per connection (SEC-040).
const DECISIONS: usize = 128;

/// What a connection may publish to, as decided before.
pub(super) type Decisions = HashMap<Box<[u8]>, bool>;

/// Subjects that only servers publish to (CORE-063, CORE-064).
const SERVER_SUBJECTS: [&[u8]; 2] = [b"_GR_.", b"$GR."];
/// Replies that only servers ask for (CORE-065).
const SERVER_REPLIES: [&[u8]; 3] = [b"_R_.", b"_GR_.", b"$JS.ACK."];

impl Session {
    /// Refuses a message that is too large, before its body is read.
    // spec: CORE-055 CORE-058
    pub(super) fn check_size(&mut self, head: &PublishHead<'_>, batch: &mut Batch) -> Result<(), Box<Stop>> {
        if head.header_len.is_some() && !self.peer.takes_headers() && self.options_forbid_headers() {
            log::error!("{} - message headers not supported", self.label());
            return Err(Stop::after(0, Next::Close(ClosedReason::ProtocolViolation)));
        }
        if head.size > self.max_payload as usize {
            log::error!("{} - maximum payload exceeded: {} vs {}", self.label(), head.size, self.max_payload);
            return Err(self.refuse(&ErrorText::MaxPayload, batch));
        }
        Ok(())
    }

    fn options_forbid_headers(&self) -> bool {
        self.settings.switches.no_header_support || self.options.connected
    }

    /// A message with its body.
    #[inline]
    pub(super) fn publish(
        &mut self,
        head: &PublishHead<'_>,
        body: &[u8],
        shared: Option<&Bytes>,
        batch: &mut Batch,
    ) -> Result<(), Box<Stop>> {
        if head.size > self.max_payload as usize || head.header_len.is_some() {
            self.check_size(head, batch)?;
        }
        self.in_msgs += 1;
        self.in_bytes += body.len() as u64;
        if self.settings.trace {
            self.trace_message(head, body);
        }
        if self.options.pedantic && !subject::is_valid_literal(head.subject) {
            // spec: CORE-057
            self.send_error(&ErrorText::InvalidPublishSubject, batch);
        }
        let reply = head.reply.unwrap_or_default();
        let mut mapped = std::mem::take(&mut batch.scratch);
        mapped.clear();
        // spec: CORE-110
        match self.map(head.subject, &mut mapped, batch) {
            Some(subject) if self.may_publish(subject, reply, batch) => {
                let message = Message {
                    subject,
                    reply,
                    // Headers of no bytes are none (as on the reference).
                    header_len: head.header_len.filter(|len| *len > 0),
                    header_text: head.header_text,
                    size_text: head.size_text,
                    body,
                    shared,
                };
                self.send(&message, batch);
            }
            Some(_) => {}
            None => self.send_ok(batch),
        }
        batch.scratch = mapped;
        Ok(())
    }

    /// Where a published subject leads; `None` if its mapping drops the message.
    #[inline]
    fn map<'s>(&self, subject: &'s [u8], mapped: &'s mut Vec<u8>, batch: &mut Batch) -> Option<&'s [u8]> {
        let account = self.account.as_ref()?;
        match account.map(self.settings.cluster.as_deref(), subject, &mut batch.rng, mapped) {
            Mapped::Unchanged => Some(subject),
            Mapped::To => Some(mapped),
            Mapped::Dropped => None,
        }
    }

    /// Answers and routes.
    #[inline]
    fn send(&mut self, message: &Message<'_>, batch: &mut Batch) {
        self.send_ok(batch);
        let Some(account) = &self.account else { return };
        let origin = Origin { peer: Some(&self.peer), echo: self.options.echo, hops: 0 };
        let delivered = batch.route(account, &origin, message);
        if delivered == 0 && self.options.no_responders && !message.reply.is_empty() {
            self.answer_no_responders(message, batch);
        }
    }

    /// Tells a requester at once that nobody listens.
    // spec: CORE-066 CORE-067
    fn answer_no_responders(&self, message: &Message<'_>, batch: &mut Batch) {
        let Some(account) = &self.account else { return };
        let mut own = None;
        account.interest.for_each_match(message.reply, |target| {
            if let Target::Subscription(s) = target
                && own.is_none()
                && s.queue().is_none()
                && Arc::ptr_eq(&s.peer, &self.peer)
            {
                own = Some(s.clone());
            }
        });
        if let Some(subscription) = own {
            self.send_with(batch, |out| {
                encode::no_responders(out, message.reply, subscription.sid(), message.subject);
            });
            batch.runs.count(&self.peer, 0);
        }
    }

    /// Whether the client may publish this; if not, it is told.
    #[inline]
    fn may_publish(&mut self, subject: &[u8], reply: &[u8], batch: &mut Batch) -> bool {
        if self.permissions.is_none() && !is_special(subject) && !is_special(reply) {
            return true;
        }
        // spec: CORE-063 CORE-064
        let in_system_account =
            self.account.as_ref().is_some_and(|a| self.settings.system_account.as_deref() == Some(a.name()));
        let for_servers = SERVER_SUBJECTS.iter().any(|p| subject.starts_with(p))
            || subject.starts_with(b"$NRG.") && !in_system_account;
        if for_servers || !self.is_permitted(subject, batch) {
            log::error!("{} - Publish Violation - Subject \"{}\"", self.label(), String::from_utf8_lossy(subject));
            self.send_error(&ErrorText::PublishViolation(subject), batch);
            return false;
        }
        // spec: CORE-065
        if SERVER_REPLIES.iter().any(|p| reply.starts_with(p)) {
            log::error!("{} - Publish Violation - Reply \"{}\"", self.label(), String::from_utf8_lossy(reply));
            self.send_error(&ErrorText::ReplyViolation(reply), batch);
            return false;
        }
        true
    }

    fn is_permitted(&mut self, subject: &[u8], batch: &Batch) -> bool {
        let Some(permissions) = &self.permissions else { return true };
        let decisions = self.publish_cache.get_or_insert_default();
        let allowed = match decisions.get(subject) {
            Some(allowed) => *allowed,
            None => {
                if decisions.len() >= DECISIONS {
                    decisions.clear();
                }
                let allowed = permissions.may_publish(subject);
                decisions.insert(subject.into(), allowed);
                allowed
            }
        };
        allowed || self.peer.tracks_replies() && self.peer.may_reply(subject, batch.now)
    }

    fn trace_message(&self, head: &PublishHead<'_>, body: &[u8]) {
        let verb = if head.header_len.is_some() { "HPUB" } else { "PUB" };
        let sizes = [head.header_text, head.size_text];
        let words: Vec<_> = [head.subject, head.reply.unwrap_or_default()]
            .iter()
            .chain(&sizes)
            .filter(|w| !w.is_empty())
            .map(|w| String::from_utf8_lossy(w))
            .collect();
        log::trace!("{} - <<- [{verb} {}]", self.label(), words.join(" "));
        let shown = if self.settings.trace_headers { headers_of(head, body) } else { body };
        log::trace!("{} - <<- MSG_PAYLOAD: [{}]", self.label(), trace::quote(shown, self.settings.max_traced));
    }
}

fn headers_of<'a>(head: &PublishHead<'_>, body: &'a [u8]) -> &'a [u8] {
    &body[..head.header_len.unwrap_or(0)]
}

/// Whether a subject begins like those that only servers use.
fn is_special(subject: &[u8]) -> bool {
    match subject.first() {
        Some(b'_') => !subject.starts_with(b"_INBOX."),
        Some(b'$') => true,
        _ => false,
    }
}
