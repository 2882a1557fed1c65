//! One end of a link, as an event loop drives it: reads lines, does what all links do, and leaves the rest to the
//! [`Protocol`] of its kind.

use std::sync::Arc;

use bytes::Bytes;
use martlet_auth::{Identity, Reason};
use martlet_broker::Peer;
use martlet_broker::batch::Batch;
use martlet_broker::driver::{Driver, Next, Progress, Secured, WriteRules};
use martlet_broker::peer::Control;
use martlet_broker::session::LARGE_PAYLOAD;
use martlet_events::Time;
use martlet_proto::ClosedReason;
use martlet_proto::link::{LinkError, LinkHead, LinkOp, LinkStep, parse_link};

use crate::channel::Channel;
use crate::wants::Wanted;

/// What differs from one kind of link to another.
pub(crate) trait Protocol: Send + 'static {
    /// How patiently the other side is written to.
    fn write_rules(&self) -> WriteRules;

    /// The connection is there, and encrypted where that comes first.
    fn open(&mut self, channel: &mut Channel, batch: &mut Batch) -> Next;

    /// TLS has begun.
    fn on_secured(&mut self, channel: &mut Channel, found: Secured, batch: &mut Batch) -> Next;

    /// Compression has begun.
    fn on_compressed(&mut self, channel: &mut Channel, batch: &mut Batch) -> Next;

    /// INFO.
    fn on_info(&mut self, channel: &mut Channel, json: &[u8], batch: &mut Batch) -> Next;

    /// CONNECT.
    fn on_connect(&mut self, channel: &mut Channel, json: &[u8], batch: &mut Batch) -> Next;

    /// Whether anything but INFO and CONNECT may be said yet; the answer to a peer that does not wait.
    fn is_known(&self) -> bool;

    /// Whether INFO may be said yet.
    fn hears_info(&self) -> bool {
        self.is_known()
    }

    /// The other side wants something, or, without a weight, wants it no more.
    fn on_interest(
        &mut self,
        channel: &mut Channel,
        account: Option<&[u8]>,
        wanted: &Wanted<'_>,
        weight: Option<u32>,
        batch: &mut Batch,
    ) -> Next;

    /// The other side wants an account's messages again, or no more.
    fn on_account(&mut self, channel: &mut Channel, account: &[u8], wanted: bool);

    /// The largest message that is taken.
    fn max_payload(&self) -> usize {
        usize::MAX
    }

    /// Whether a message is dealt with by the protocol itself, and not routed.
    fn takes_message(&mut self, channel: &mut Channel, head: &LinkHead<'_>, body: &[u8], batch: &mut Batch) -> bool;

    /// `-ERR`.
    fn on_error(&mut self, channel: &mut Channel, text: &[u8]) -> Next;

    /// A ping was answered.
    fn on_pong(&mut self, channel: &mut Channel, batch: &mut Batch) -> Next;

    /// Somebody asks for something other than to close.
    fn on_control(&mut self, channel: &mut Channel, control: &Control, batch: &mut Batch) -> Next;

    /// The time of [`Protocol::due`] has come.
    fn on_timer(&mut self, channel: &mut Channel, batch: &mut Batch) -> Next;

    /// When [`Protocol::on_timer`] is to be called.
    fn due(&self) -> Option<Time>;

    /// The answer to [`Next::Verify`].
    fn on_verified(&mut self, channel: &mut Channel, result: Result<Identity, Reason>, batch: &mut Batch) -> Next;

    /// The connection is over; its interest has been withdrawn.
    fn on_end(&mut self, channel: &mut Channel, reason: ClosedReason, now: Time);
}

/// One end of a link.
pub struct LinkDriver<P> {
    channel: Channel,
    protocol: P,
}

#[expect(private_bounds, reason = "protocols are this crate's; others drive them")]
impl<P: Protocol> LinkDriver<P> {
    pub(crate) fn new(channel: Channel, protocol: P) -> Self {
        Self { channel, protocol }
    }

    /// The lines at the front of `input`, until something else has to happen.
    fn work(&mut self, input: &[u8], batch: &mut Batch) -> Progress {
        let mut used = 0;
        while used < input.len() {
            let rest = &input[used..];
            let (n, next) = match parse_link(rest, &self.channel.limits) {
                Ok(LinkStep::Incomplete) => break,
                Ok(LinkStep::Payload { head, used: line }) => {
                    if !self.protocol.is_known() {
                        (0, self.out_of_turn(batch))
                    } else if head.size > self.protocol.max_payload() {
                        (0, self.too_large(&head, batch))
                    } else if head.size >= LARGE_PAYLOAD {
                        (0, Next::Large { line, body: head.size + 2 })
                    } else {
                        break;
                    }
                }
                Ok(LinkStep::Op { op: LinkOp::Message(head, _), .. } | LinkStep::BadTrailer { head })
                    if head.size > self.protocol.max_payload() =>
                {
                    (0, self.too_large(&head, batch))
                }
                Ok(LinkStep::Op { op: LinkOp::Message(head, body), used }) if self.protocol.is_known() => {
                    self.message(&head, body, verbatim(&rest[..used], &head), None, batch);
                    (used, Next::Read)
                }
                Ok(LinkStep::Op { op, used }) => (used, self.operate(&op, batch)),
                Ok(LinkStep::BadTrailer { .. }) => (0, self.on_bad_line(LinkError::UnknownOperation, batch)),
                Err(_) if !self.protocol.is_known() && !matches!(rest[0], b'C' | b'c' | b'I' | b'i') => {
                    (0, self.out_of_turn(batch))
                }
                Err(error) => (0, self.on_bad_line(error, batch)),
            };
            used += n;
            if !matches!(next, Next::Read) {
                return Progress { used, next };
            }
            batch.finish_if_full(&self.channel.peer);
        }
        Progress { used, next: Next::Read }
    }

    fn operate(&mut self, op: &LinkOp<'_>, batch: &mut Batch) -> Next {
        let Self { channel, protocol } = self;
        match *op {
            LinkOp::Connect(json) => return protocol.on_connect(channel, json, batch),
            LinkOp::Err(text) => return protocol.on_error(channel, text),
            LinkOp::Ok => return Next::Read,
            LinkOp::Info(json) if protocol.hears_info() => return protocol.on_info(channel, json, batch),
            _ => {}
        }
        if !protocol.is_known() {
            return self.out_of_turn(batch);
        }
        match *op {
            LinkOp::Ping => channel.say(batch, b"PONG\r\n"),
            LinkOp::Pong => {
                if channel.on_pong(batch.now).is_some() {
                    return protocol.on_pong(channel, batch);
                }
            }
            LinkOp::Sub { origin, account, subject, queue, weight } => {
                return protocol.on_interest(channel, account, &Wanted { subject, queue, origin }, Some(weight), batch);
            }
            LinkOp::Unsub { origin, account, subject, queue } => {
                return protocol.on_interest(channel, account, &Wanted { subject, queue, origin }, None, batch);
            }
            LinkOp::AccountSub(account) => protocol.on_account(channel, account, true),
            LinkOp::AccountUnsub(account) => protocol.on_account(channel, account, false),
            // Messages of those who are known have not come here.
            LinkOp::Message(..) | LinkOp::Connect(_) | LinkOp::Info(_) | LinkOp::Err(_) | LinkOp::Ok => {}
        }
        Next::Read
    }

    fn message(
        &mut self,
        head: &LinkHead<'_>,
        body: &[u8],
        verbatim: &[u8],
        shared: Option<&Bytes>,
        batch: &mut Batch,
    ) {
        if !self.protocol.takes_message(&mut self.channel, head, body, batch) {
            self.channel.message(head, body, verbatim, shared, batch);
        }
    }

    /// The other side does not wait to be known.
    fn out_of_turn(&self, batch: &mut Batch) -> Next {
        self.channel.refuse("Authorization Violation", ClosedReason::AuthenticationViolation, batch)
    }

    /// The other side sends more than it was told.
    fn too_large(&self, head: &LinkHead<'_>, batch: &mut Batch) -> Next {
        let max = self.protocol.max_payload();
        log::error!("{} - maximum payload exceeded: {} vs {max}", self.channel.peer.label(), head.size);
        self.channel.refuse("Maximum Payload Violation", ClosedReason::MaxPayloadExceeded, batch)
    }

    fn on_bad_line(&self, error: LinkError, batch: &mut Batch) -> Next {
        match error {
            LinkError::UnknownOperation => {
                self.channel.refuse("Unknown Protocol Operation", ClosedReason::ProtocolViolation, batch)
            }
            LinkError::ControlLineTooLong { .. } => {
                log::error!("{} - {error}", self.channel.peer.label());
                self.channel.refuse("maximum control line exceeded", ClosedReason::MaxControlLineExceeded, batch)
            }
            LinkError::Silent(why) => {
                log::error!("{} - {why}", self.channel.peer.label());
                Next::Close(ClosedReason::ProtocolViolation)
            }
        }
    }
}

impl<P: Protocol> Driver for LinkDriver<P> {
    fn peer(&self) -> &Arc<Peer> {
        &self.channel.peer
    }

    fn write_rules(&self) -> WriteRules {
        self.protocol.write_rules()
    }

    fn open(&mut self, batch: &mut Batch) -> Next {
        self.protocol.open(&mut self.channel, batch)
    }

    fn on_bytes(&mut self, input: &[u8], batch: &mut Batch) -> Progress {
        self.channel.begin_turn(batch);
        let progress = self.work(input, batch);
        self.channel.end_turn();
        progress
    }

    fn on_large(&mut self, line: &[u8], body: &Bytes, batch: &mut Batch) -> Next {
        self.channel.begin_turn(batch);
        let next = match parse_link(line, &self.channel.limits) {
            Ok(LinkStep::Payload { head, .. }) if body.len() == head.size + 2 && body.ends_with(b"\r\n") => {
                self.message(&head, &body[..head.size], &[], Some(body), batch);
                Next::Read
            }
            _ => self.on_bad_line(LinkError::UnknownOperation, batch),
        };
        self.channel.end_turn();
        next
    }

    fn on_wake(&mut self, batch: &mut Batch) -> Next {
        for control in self.channel.peer.take_requests() {
            let next = match control {
                Control::Close(reason, None) => Next::Close(reason),
                Control::Close(reason, Some(text)) => {
                    let mut line = Vec::new();
                    martlet_proto::encode::error_text(&mut line, &text);
                    self.channel.say(batch, &line);
                    Next::Close(reason)
                }
                control => self.protocol.on_control(&mut self.channel, &control, batch),
            };
            if !matches!(next, Next::Read) {
                return next;
            }
        }
        Next::Read
    }

    fn on_timer(&mut self, batch: &mut Batch) -> Next {
        if self.protocol.due().is_some_and(|due| due <= batch.now) {
            let next = self.protocol.on_timer(&mut self.channel, batch);
            if !matches!(next, Next::Read) {
                return next;
            }
        }
        self.channel.on_timer(batch)
    }

    fn due(&self) -> Time {
        let pings = self.channel.due();
        self.protocol.due().map_or(pings, |due| due.min(pings))
    }

    fn on_verified(&mut self, result: Result<Identity, Reason>, batch: &mut Batch) -> Next {
        self.protocol.on_verified(&mut self.channel, result, batch)
    }

    fn on_secured(&mut self, found: Secured, batch: &mut Batch) -> Next {
        self.protocol.on_secured(&mut self.channel, found, batch)
    }

    fn on_compressed(&mut self, batch: &mut Batch) -> Next {
        self.protocol.on_compressed(&mut self.channel, batch)
    }

    fn end(&mut self, reason: ClosedReason, now: Time) {
        self.channel.end_turn();
        // First nobody sends here any more, then nobody here is asked for anything.
        self.channel.wants.clear();
        if let Some(link) = &self.channel.link {
            self.channel.broker.comebacks.went(link);
        }
        self.protocol.on_end(&mut self.channel, reason, now);
        self.channel.broker.leave_link(&self.channel.peer, reason);
    }
}

/// What subscribers get of a message as it came: from its sizes to its last CRLF. Nothing if they are not written as usual.
fn verbatim<'a>(line_and_body: &'a [u8], head: &LinkHead<'_>) -> &'a [u8] {
    let headers = if head.has_headers() { head.header_text.len() + 1 } else { 0 };
    let len = headers + head.size_text.len() + 2 + head.size + 2;
    let Some(rest) = line_and_body.len().checked_sub(len).map(|at| &line_and_body[at..]) else { return &[] };
    let sizes = rest.get(headers..).and_then(|rest| rest.strip_prefix(head.size_text));
    let as_usual = sizes.is_some_and(|rest| rest.starts_with(b"\r\n"))
        && (headers == 0 || rest.starts_with(head.header_text) && rest[headers - 1] == b' ');
    if as_usual { rest } else { &[] }
}
