//! PUB and HPUB: what a client may publish, and how it is answered.

use std::sync::Arc;

use hashbrown::HashMap;
use martlet_proto::errors::ErrorText;
use martlet_proto::{
    ClosedReason, ParseLimits, PublishHead, WholePublish, encode, parse_bare_publish, parse_whole_publish,
};
use martlet_subject::{self as subject, Mapped};

use super::{Session, State, Stop};
use crate::batch::Batch;
use crate::driver::Next;
use crate::interest::Target;
use crate::router::{Message, Origin};
use crate::subscription::Subscription;
use crate::trace;

/// Publish decisions remembered per connection (SEC-040).
const DECISIONS: usize = 128;

/// What a connection may publish to, as decided before.
pub(super) type Decisions = HashMap<Box<[u8]>, bool>;

/// What subjects begin with that only servers publish to, and replies that only they ask for. By itself each of these means
/// nothing to anyone, and is the client's.
const SERVER_SUBJECTS: [&[u8]; 2] = [b"_GR_.", b"$GR."];
const SERVER_REPLIES: [&[u8]; 3] = [b"_GR_.", b"$GR.", b"$JS.ACK."];
/// The beginning of a reply to a service, which is the servers' even by itself.
const SERVICE_REPLY: &[u8] = b"_R_.";

impl Session {
    /// Refuses a message that is too large, before its body is read; `seen` is what has come of the body.
    // spec: CORE-055 CORE-058
    pub(super) fn check_size(
        &mut self,
        head: &PublishHead<'_>,
        seen: &[u8],
        batch: &mut Batch,
    ) -> Result<(), Box<Stop>> {
        if head.header_len.is_some() && !self.peer.takes_headers() {
            log::error!("{} - message headers not supported", self.label());
            return Err(Stop::after(0, Next::Close(ClosedReason::ProtocolViolation)));
        }
        if head.size > self.max_payload as usize {
            log::error!("{} - maximum payload exceeded: {} vs {}", self.label(), head.size, self.max_payload);
            self.trace_oversized(head, seen, batch);
            return Err(self.refuse(&ErrorText::MaxPayload, batch));
        }
        Ok(())
    }

    /// Tells a pedantic client of a subject that is none to publish to, once for a message: as soon as its line is here.
    // spec: CORE-057
    #[inline]
    pub(super) fn check_subject(&mut self, head: &PublishHead<'_>, batch: &mut Batch) {
        if self.options.pedantic && !std::mem::replace(&mut self.subject_checked, true) && !is_literal(head.subject) {
            self.send_error(&ErrorText::InvalidPublishSubject, batch);
        }
    }

    /// Whether a message of this client is only routed, unless it is out of the ordinary itself: nothing is to be checked,
    /// mapped, logged or answered. Asked for once per turn.
    pub(super) fn is_plain(&self) -> bool {
        let options = &self.options;
        self.state == State::Ready
            && self.account.as_ref().is_some_and(|account| !account.maps())
            && self.permissions.is_none()
            && self.settings.protocol_log.is_none()
            && !self.peer.has_returns()
            && !(options.verbose || options.pedantic)
    }

    /// Routes the message at the front of the input and gives its length, if this is a plain client and the message has neither
    /// reply nor headers and nothing else that is out of the ordinary; otherwise nothing is done.
    #[inline]
    pub(super) fn publish_bare(&mut self, input: &[u8], limits: ParseLimits, batch: &mut Batch) -> Option<usize> {
        let whole = parse_bare_publish(input, &limits)?;
        if whole.head.size > self.max_payload as usize || is_special(whole.head.subject) {
            return None;
        }
        let account = self.account.as_ref()?;
        self.in_msgs += 1;
        self.in_bytes += whole.body.len() as u64;
        if batch.is_wanted(account, whole.head.subject) {
            self.route_wanted(&message(&whole), batch);
        }
        Some(whole.used)
    }

    /// The same for a message that may have a reply and headers.
    #[inline(never)]
    pub(super) fn publish_whole(&mut self, input: &[u8], limits: ParseLimits, batch: &mut Batch) -> Option<usize> {
        let whole = parse_whole_publish(input, &limits)?;
        let message = message(&whole);
        if whole.head.size > self.max_payload as usize
            || is_special(message.subject)
            || is_special(message.reply)
            || whole.head.header_len.is_some() && !self.peer.takes_headers()
            || message.header_len.is_some() && trace::is_wanted(message.headers())
        {
            return None;
        }
        let account = self.account.as_ref()?;
        self.in_msgs += 1;
        self.in_bytes += message.body.len() as u64;
        if batch.is_wanted(account, message.subject) {
            self.route_wanted(&message, batch);
        } else if self.options.no_responders && !message.reply.is_empty() {
            self.answer_no_responders(&message, batch);
        }
        Some(whole.used)
    }

    /// Routes what was just found to be wanted.
    #[inline(never)]
    fn route_wanted(&self, message: &Message<'_>, batch: &mut Batch) {
        let Some(account) = &self.account else { return };
        let delivered = batch.route_found(account, &Origin::client(&self.peer, self.options.echo), message);
        if delivered == 0 && self.options.no_responders && !message.reply.is_empty() {
            self.answer_no_responders(message, batch);
        }
    }

    /// A message with its body.
    pub(super) fn publish(
        &mut self,
        head: &PublishHead<'_>,
        message: &Message<'_>,
        batch: &mut Batch,
    ) -> Result<(), Box<Stop>> {
        if let Some(log) = self.settings.protocol_log {
            log.published(&self.peer, head, message.body);
        }
        if head.size > self.max_payload as usize || head.header_len.is_some() {
            self.check_size(head, message.body, batch)?;
        }
        self.check_subject(head, batch);
        self.subject_checked = false;
        if message.header_len.is_some() && trace::is_wanted(message.headers()) {
            self.forward_traced(message, batch);
        } else {
            self.forward(message, batch);
        }
        Ok(())
    }

    /// Counts, maps, checks and routes.
    pub(super) fn forward(&mut self, message: &Message<'_>, batch: &mut Batch) {
        self.in_msgs += 1;
        self.in_bytes += message.body.len() as u64;
        if self.account.as_ref().is_some_and(|account| account.maps()) {
            return self.forward_mapped(message, batch);
        }
        if self.may_publish(message.subject, message.reply, batch) {
            self.send(message, batch);
        }
    }

    /// The same in an account with mappings: what follows concerns the subject that the message is mapped to.
    // spec: CORE-110
    fn forward_mapped(&mut self, message: &Message<'_>, batch: &mut Batch) {
        let mut mapped = std::mem::take(&mut batch.scratch);
        mapped.clear();
        match self.map(message.subject, &mut mapped, batch) {
            Some(subject) if self.may_publish(subject, message.reply, batch) => {
                self.send(&Message { subject, ..*message }, batch);
            }
            Some(_) => {}
            None => self.send_ok(batch),
        }
        batch.scratch = mapped;
    }

    /// Where a published subject leads; `None` if its mapping drops the message.
    fn map<'s>(&self, subject: &'s [u8], mapped: &'s mut Vec<u8>, batch: &mut Batch) -> Option<&'s [u8]> {
        let account = self.account.as_ref()?;
        match account.map(self.settings.cluster.as_deref(), subject, &mut batch.rng, mapped) {
            Mapped::Unchanged => Some(subject),
            Mapped::To => {
                if let Some(tracer) = &mut batch.tracer {
                    tracer.mapped(mapped);
                }
                if let Some(log) = self.settings.protocol_log {
                    log.mapped(&self.peer, subject, mapped);
                }
                Some(mapped)
            }
            Mapped::Dropped => None,
        }
    }

    /// Answers and routes.
    #[inline]
    fn send(&mut self, message: &Message<'_>, batch: &mut Batch) {
        self.send_ok(batch);
        let Some(account) = &self.account else { return };
        let origin = Origin::client(&self.peer, self.options.echo);
        if self.peer.has_returns()
            && let Some(returns) = self.peer.returns_of(message.subject, batch.now)
        {
            batch.route(account, &origin, &Message { subject: &returns, ..*message });
            return;
        }
        let delivered = batch.route(account, &origin, message);
        if delivered == 0 && self.options.no_responders && !message.reply.is_empty() {
            self.answer_no_responders(message, batch);
        }
    }

    /// Tells a requester at once that nobody listens.
    // spec: CORE-066 CORE-067
    fn answer_no_responders(&self, message: &Message<'_>, batch: &mut Batch) {
        let Some(account) = &self.account else { return };
        let mut own: Option<Arc<Subscription>> = None;
        account.interest.for_each_match(message.reply, |target| {
            if let Target::Subscription(s) = target
                && s.queue().is_none()
                && Arc::ptr_eq(&s.peer, &self.peer)
                && own.as_ref().is_none_or(|best| is_found_before(s.subject(), best.subject()))
            {
                own = Some(s.clone());
            }
        });
        if let Some(subscription) = own {
            batch.runs.append_message(&self.peer, 64, 0, |out| {
                encode::no_responders(out, message.reply, subscription.sid(), message.subject);
            });
        }
    }

    /// Whether the client may publish this; if not, it is told.
    #[inline]
    fn may_publish(&mut self, subject: &[u8], reply: &[u8], batch: &mut Batch) -> bool {
        if self.permissions.is_none() && !is_special(subject) && !is_special(reply) {
            return true;
        }
        if self.is_for_servers(subject) || !self.is_permitted(subject, batch) {
            self.refuse_publish(&ErrorText::PublishViolation(subject), batch);
            return false;
        }
        // spec: CORE-065
        if reply.starts_with(SERVICE_REPLY) || goes_on_from(&SERVER_REPLIES, reply) {
            self.refuse_publish(&ErrorText::ReplyViolation(reply), batch);
            return false;
        }
        true
    }

    /// Tells a client that it may not publish this.
    #[cold]
    pub(super) fn refuse_publish(&self, why: &ErrorText<'_>, batch: &mut Batch) {
        match why {
            ErrorText::ReplyViolation(reply) => {
                log::error!("{} - Publish Violation - Reply \"{}\"", self.label(), String::from_utf8_lossy(reply));
            }
            ErrorText::PublishViolation(subject) => {
                log::error!("{} - Publish Violation - Subject \"{}\"", self.label(), String::from_utf8_lossy(subject));
            }
            _ => {}
        }
        if let Some(tracer) = &mut batch.tracer {
            tracer.refused(why);
        }
        self.send_error(why, batch);
    }

    /// Whether only servers publish to this subject.
    // spec: CORE-063 CORE-064
    pub(super) fn is_for_servers(&self, subject: &[u8]) -> bool {
        let in_system_account =
            self.account.as_ref().is_some_and(|a| self.settings.system_account.as_deref() == Some(a.name()));
        goes_on_from(&SERVER_SUBJECTS, subject) || subject.starts_with(b"$NRG.") && !in_system_account
    }

    fn is_permitted(&mut self, subject: &[u8], batch: &Batch) -> bool {
        let Some(permissions) = &self.permissions else { return true };
        let decisions = self.publish_cache.get_or_insert_default();
        let allowed = if let Some(allowed) = decisions.get(subject) {
            *allowed
        } else {
            if decisions.len() >= DECISIONS {
                decisions.clear();
            }
            let allowed = permissions.may_publish(subject);
            decisions.insert(subject.into(), allowed);
            allowed
        };
        allowed || self.peer.tracks_replies() && self.peer.may_reply(subject, batch.now)
    }
}

/// What was published, as it is routed.
#[inline]
fn message<'a>(whole: &WholePublish<'a>) -> Message<'a> {
    Message { verbatim: whole.verbatim, ..message_of(&whole.head, whole.body) }
}

/// The same where head and body came by themselves.
#[inline]
pub(super) fn message_of<'a>(head: &PublishHead<'a>, body: &'a [u8]) -> Message<'a> {
    Message {
        subject: head.subject,
        shown: None,
        returns: None,
        reply: head.reply.unwrap_or_default(),
        // Headers of no bytes are none (as on the reference).
        header_len: head.header_len.filter(|len| *len > 0),
        header_text: head.header_text,
        size_text: head.size_text,
        body,
        verbatim: &[],
        shared: None,
    }
}

/// Whether the reference finds `a` before `b` when it looks for who wants a reply: of several subscriptions of one's own the
/// first found is answered. It takes wildcards before words, but at the last token words before `*`.
fn is_found_before(a: &[u8], b: &[u8]) -> bool {
    let order = |pattern: &[u8]| -> Vec<u8> {
        let last = subject::token_count(pattern) - 1;
        let rank = |(at, token): (usize, &[u8])| match (token, at == last) {
            (b">", _) => 0,
            (b"*", false) => 1,
            (b"*", true) => 3,
            _ => 2,
        };
        subject::tokens(pattern).enumerate().map(rank).collect()
    };
    order(a) < order(b)
}

/// Whether each token of `subject` is there and none is a wildcard. White space that the line let through is no fault here.
fn is_literal(subject: &[u8]) -> bool {
    subject::tokens(subject).all(|token| !matches!(token, b"" | b"*" | b">"))
}

/// Whether a subject begins with one of these and goes on.
fn goes_on_from(beginnings: &[&[u8]], subject: &[u8]) -> bool {
    beginnings.iter().any(|beginning| subject.len() > beginning.len() && subject.starts_with(beginning))
}

/// Whether a subject begins like those that only servers use.
#[inline]
fn is_special(subject: &[u8]) -> bool {
    match subject.first() {
        Some(b'_') => !subject.starts_with(b"_INBOX."),
        Some(b'$') => true,
        _ => false,
    }
}
