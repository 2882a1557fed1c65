//! What is delivered next, and to whom.

use std::time::Duration;

use martlet_store::{Message, ReadError, Unreadable};

use super::event::{self, About};
use super::{Consumer, Context, Outcome};
use crate::config::{PriorityPolicy, Retention};
use crate::out::Outgoing;

/// Messages that one call delivers at most, so that others of the stream have their turn.
const MAX_MESSAGES: usize = 256;
/// The same in bytes.
const MAX_BYTES: usize = 1024 * 1024;

/// What cannot be read now is tried again after this.
const REREAD: Duration = Duration::from_secs(1);

/// Why nothing more is delivered now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stop {
    /// Nothing more is there, or nobody may get it: those who do not wait are told so.
    End,
    /// Too many messages wait for acknowledgement, it is too early, or what comes next cannot be read now.
    Later,
}

/// A message to deliver.
struct Candidate<'b> {
    message: Message<'b>,
    deliveries: u32,
}

impl Candidate<'_> {
    fn is_first(&self) -> bool {
        self.deliveries == 1
    }
}

impl Consumer {
    /// Delivers what may be delivered, up to a bound.
    pub fn deliver(&mut self, ctx: &mut Context<'_>) -> Outcome {
        let mut outcome = Outcome::default();
        self.begin(ctx);
        if let Some(pace) = &mut self.pace {
            pace.hold = None;
        }
        self.reread_at = None;
        let mut buffer = std::mem::take(&mut ctx.scratch.message);
        let (mut messages, mut bytes) = (0, 0);
        let stop = loop {
            match self.deliver_one(ctx, &mut buffer, &mut outcome) {
                Ok(size) => bytes += size,
                Err(stop) => break stop,
            }
            messages += 1;
            if messages == MAX_MESSAGES || bytes >= MAX_BYTES {
                outcome.more = true;
                break Stop::Later;
            }
        };
        ctx.scratch.message = buffer;
        let at_end = stop == Stop::End;
        if (at_end && self.waiting.has_no_wait()) || self.waiting.due().is_some_and(|due| due <= ctx.now.time) {
            self.search_requests(ctx, at_end);
        }
        outcome
    }

    /// Delivers one message, or finds that one is not to be delivered; gives its size.
    fn deliver_one(
        &mut self,
        ctx: &mut Context<'_>,
        buffer: &mut Vec<u8>,
        outcome: &mut Outcome,
    ) -> Result<usize, Stop> {
        self.may_deliver(ctx)?;
        let found = if self.pending.next_queued().is_some() {
            self.again(ctx, buffer, outcome)?
        } else {
            self.first(ctx, buffer, outcome)?
        };
        let Some(found) = found else { return Ok(0) };
        let Message { seq, time, .. } = found.message;
        let has_headers = self.put_together(ctx, &found);
        let headers = if has_headers { ctx.scratch.headers.len() } else { found.message.headers.len() };
        let payload = if self.config.headers_only { 0 } else { found.message.payload.len() };
        let rest = ctx.scratch.subject.len() + headers + payload;
        let size = found.message.subject.len() + rest;
        if self.pace.as_mut().is_some_and(|pace| !pace.may_go(seq, time, size, ctx.now.time)) {
            return Err(Stop::Later);
        }
        if self.is_push() {
            if self.send(ctx, self.config.deliver_subject.as_bytes(), &found, has_headers) == 0 {
                self.interest_lost(ctx.now.time);
                return Err(Stop::End);
            }
        } else if !self.hand_out(ctx, &found, has_headers, size) {
            // What nobody takes the next time lets others go before it, as on the reference.
            self.pending.send_back(seq);
            return Err(Stop::End);
        }
        self.account(ctx, &found, outcome);
        if let Some(pace) = &mut self.pace {
            pace.gone(seq, time, size, ctx.now.time);
        }
        if self.is_push() {
            self.pushed(ctx, self.config.deliver_subject.len() + rest);
        }
        Ok(size)
    }

    /// Whether anybody may get anything.
    // spec: JS-105
    fn may_deliver(&mut self, ctx: &mut Context<'_>) -> Result<(), Stop> {
        if self.paused.is_some_and(|until| until > ctx.now.time) {
            return Err(Stop::End);
        }
        if self.push.as_ref().is_some_and(|push| !push.is_active) {
            self.interest(ctx);
        }
        let may = match &self.push {
            Some(push) => push.is_active && !push.is_stalled(),
            None => !self.waiting.is_empty(),
        };
        if may { Ok(()) } else { Err(Stop::End) }
    }

    /// The next message that was delivered before.
    // spec: JS-102 JS-103
    fn again<'b>(
        &mut self,
        ctx: &mut Context<'_>,
        buffer: &'b mut Vec<u8>,
        outcome: &mut Outcome,
    ) -> Result<Option<Candidate<'b>>, Stop> {
        let Some(entry) = self.pending.next_queued() else { return Ok(None) };
        let seq = entry.seq;
        if self.is_last_delivery(entry.deliveries) {
            self.exhaust(ctx, seq);
            return Ok(None);
        }
        match ctx.store.get(seq, buffer) {
            Ok(Some(message)) => return Ok(Some(Candidate { message, deliveries: entry.deliveries + 1 })),
            Ok(None) => {
                // It went, and nobody has said so.
                self.forget(seq);
                self.move_floor(seq, entry.cseq);
                let about = About { consumer_seq: entry.cseq, seq, deliveries: u64::from(entry.deliveries) };
                event::terminated(ctx, &self.config.name, about, b"Unacknowledged message was deleted");
            }
            Err(ReadError::Unreadable(range)) => {
                if let Some(entry) = self.forget(seq) {
                    self.spend(seq, entry.deliveries);
                }
                let one = Unreadable { seqs: seq..=seq, messages: 1, ..range };
                self.tell_passed_over(ctx, &one, outcome);
            }
            Err(ReadError::NotNow(_)) => return Err(self.read_later(ctx)),
        }
        Ok(None)
    }

    /// What comes next cannot be read now: it waits, and so does all behind it.
    fn read_later(&mut self, ctx: &Context<'_>) -> Stop {
        self.reread_at = Some(ctx.now.time + REREAD);
        // What was counted meanwhile may be wrong.
        self.recount = true;
        Stop::Later
    }

    /// The next message that was not delivered before.
    fn first<'b>(
        &mut self,
        ctx: &mut Context<'_>,
        buffer: &'b mut Vec<u8>,
        outcome: &mut Outcome,
    ) -> Result<Option<Candidate<'b>>, Stop> {
        if self.has_acks() && (self.is_full() || self.letters_waiting() >= super::dead_letters::MAX_WAITING) {
            return Err(Stop::Later);
        }
        let listed = self.last_of_subject.as_ref().and_then(|list| list.seqs.front().copied());
        let read = match listed {
            Some(seq) if seq > ctx.ready => return Err(Stop::End),
            Some(seq) => ctx.store.get(seq, buffer),
            None if self.next > ctx.ready => return Err(Stop::End),
            None => ctx.store.next(&self.filter, self.next, buffer),
        };
        match read {
            Ok(Some(message)) if message.seq > ctx.ready => {
                self.skip_to(message.seq);
                Err(Stop::End)
            }
            Ok(Some(message)) => Ok(Some(Candidate { message, deliveries: 1 })),
            Ok(None) if listed.is_none() => {
                self.skip_to(ctx.store.state().last_seq + 1);
                self.num_pending = 0;
                Err(Stop::End)
            }
            Ok(None) => {
                // It went, and nobody has said so.
                self.list_done(listed.unwrap_or_default());
                self.recount(ctx.store);
                Ok(None)
            }
            Err(ReadError::Unreadable(range)) => {
                self.pass_over(ctx, listed, range, outcome);
                Ok(None)
            }
            Err(ReadError::NotNow(_)) => Err(self.read_later(ctx)),
        }
    }

    /// Nothing that is wanted is before `seq`.
    pub(super) fn skip_to(&mut self, seq: u64) {
        self.next = self.next.max(seq);
    }

    /// A message of the list of last ones has had its turn.
    fn list_done(&mut self, seq: u64) {
        let Some(list) = &mut self.last_of_subject else { return };
        list.seqs.pop_front_if(|first| *first == seq);
        if list.seqs.is_empty() {
            self.next = list.resume + 1;
            self.last_of_subject = None;
        } else {
            self.next = seq + 1;
        }
        self.log.is_dirty = true;
    }

    /// Messages cannot be read: they are passed over once, which is told.
    fn pass_over(&mut self, ctx: &mut Context<'_>, listed: Option<u64>, range: Unreadable, outcome: &mut Outcome) {
        if let Some(first) = listed {
            let (mut last, mut messages) = (first, 0);
            while let Some(seq) = self.last_of_subject.as_ref().and_then(|list| list.seqs.front().copied())
                && range.seqs.contains(&seq)
            {
                self.list_done(seq);
                (last, messages) = (seq, messages + 1);
            }
            self.tell_passed_over(ctx, &Unreadable { seqs: first..=last, messages, ..range }, outcome);
        } else {
            self.skip_to(range.seqs.end().saturating_add(1));
            self.tell_passed_over(ctx, &range, outcome);
        }
        self.recount(ctx.store);
    }

    fn tell_passed_over(&mut self, ctx: &mut Context<'_>, range: &Unreadable, outcome: &mut Outcome) {
        self.passed_over += range.messages;
        outcome.passed_over += range.messages;
        self.log.is_dirty = true;
        event::passed_over(ctx, &self.config.name, range);
    }

    /// Puts the reply subject together, and headers if they are others than the message has.
    // spec: JS-100
    fn put_together(&self, ctx: &mut Context<'_>, found: &Candidate<'_>) -> bool {
        let pending = self.num_pending.saturating_sub(u64::from(found.is_first()));
        let message = &found.message;
        let subject = &mut ctx.scratch.subject;
        subject.clear();
        for part in [b"$JS.ACK.", ctx.scope.as_bytes(), &self.path] {
            subject.extend_from_slice(part);
        }
        let mut number = itoa::Buffer::new();
        subject.extend_from_slice(number.format(found.deliveries).as_bytes());
        for next in [message.seq, self.next_delivery, message.time.as_nanos(), pending] {
            subject.push(b'.');
            subject.extend_from_slice(number.format(next).as_bytes());
        }
        if self.config.headers_only {
            copy_headers(ctx, message);
            add_header(ctx, b"Nats-Msg-Size: ", number.format(message.payload.len()).as_bytes());
        }
        self.config.headers_only
    }

    fn send(&self, ctx: &mut Context<'_>, to: &[u8], found: &Candidate<'_>, has_headers: bool) -> usize {
        ctx.out.publish(&Outgoing {
            subject: to,
            shown: Some(found.message.subject),
            reply: &ctx.scratch.subject,
            headers: if has_headers { &ctx.scratch.headers } else { found.message.headers },
            payload: if self.config.headers_only { b"" } else { found.message.payload },
        })
    }

    /// Gives a message to a request; whether there is one that takes it.
    // spec: JS-111 JS-616 JS-617
    fn hand_out(&mut self, ctx: &mut Context<'_>, found: &Candidate<'_>, mut has_headers: bool, size: usize) -> bool {
        let is_pinned = self.config.priority_policy == PriorityPolicy::PinnedClient;
        let bare = if has_headers { ctx.scratch.headers.len() } else { 0 };
        while self.pick(ctx, size, found.is_first()) {
            if is_pinned {
                // Whoever asks without a group pins nobody.
                let id = self.pin.as_ref().map_or("", |pin| &*pin.id);
                if bare == 0 {
                    copy_headers(ctx, &found.message);
                } else {
                    ctx.scratch.headers.truncate(bare - 2);
                    ctx.scratch.headers.extend_from_slice(b"\r\n");
                }
                add_header(ctx, b"Nats-Pin-Id: ", id.as_bytes());
                has_headers = true;
            }
            let Some(reply) = self.waiting.front().map(|request| std::mem::take(&mut request.reply)) else {
                return false;
            };
            let is_sent = self.send(ctx, &reply, found, has_headers) > 0;
            if let Some(request) = self.waiting.front() {
                request.reply = reply;
            }
            if is_sent {
                self.served(ctx, size);
                return true;
            }
            self.waiting.remove(0);
        }
        false
    }

    /// The next request has got a message.
    fn served(&mut self, ctx: &mut Context<'_>, size: usize) {
        let Some(request) = self.waiting.front() else { return };
        if request.bytes > 0 {
            request.bytes -= i64::try_from(size).unwrap_or(i64::MAX);
            if request.bytes == 0 {
                request.left = 1;
            }
        }
        request.left = request.left.saturating_sub(1);
        request.got += 1;
        if request.left <= 0 && request.bytes > 0 {
            event::status_with_rest(ctx, &request.reply, "409 Batch Completed", request.left, request.bytes);
        }
        if let Some(at) = &mut request.heartbeat_at {
            *at = ctx.now.time + request.heartbeat;
        }
        self.waiting.served(self.config.priority_policy == PriorityPolicy::Prioritized);
        self.used();
    }

    /// A message was delivered: counts it, and waits for its acknowledgement.
    fn account(&mut self, ctx: &mut Context<'_>, found: &Candidate<'_>, outcome: &mut Outcome) {
        let seq = found.message.seq;
        let consumer_seq = self.next_delivery;
        self.next_delivery += 1;
        self.last_delivery = Some(ctx.now.wall);
        self.log.is_dirty = true;
        let deadline = ctx.now.time + self.wait(found.deliveries);
        if !found.is_first() {
            self.pending.set_deliveries(seq, found.deliveries);
            self.pending.wait_until(seq, deadline);
            self.changed(seq);
            return;
        }
        self.num_pending = self.num_pending.saturating_sub(1);
        self.delivered = self.delivered.max(seq);
        if self.last_of_subject.is_some() {
            self.list_done(seq);
        } else {
            self.next = seq + 1;
        }
        if self.has_acks() {
            self.pending.add(seq, consumer_seq, 1, deadline);
        } else {
            self.floor = super::Floor { seq, consumer_seq };
            if self.retention != Retention::Limits {
                outcome.settled.push(seq);
            }
        }
    }
}

fn copy_headers(ctx: &mut Context<'_>, message: &Message<'_>) {
    let headers = &mut ctx.scratch.headers;
    headers.clear();
    headers.extend_from_slice(if message.headers.is_empty() { b"NATS/1.0\r\n\r\n" } else { message.headers });
}

/// Adds a header at the end of those put together.
fn add_header(ctx: &mut Context<'_>, name: &[u8], value: &[u8]) {
    let headers = &mut ctx.scratch.headers;
    headers.truncate(headers.len().saturating_sub(2));
    headers.extend_from_slice(name);
    headers.extend_from_slice(value);
    headers.extend_from_slice(b"\r\n\r\n");
}
