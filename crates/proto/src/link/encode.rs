//! What a server says to another, appended to a buffer.
//!
//! Lines of interest and messages are different on routes, gateways and leaf nodes only in what stands before the subject:
//! [`Prefix`] on the former two, nothing on the latter. `PING`, `PONG`, `+OK` and `-ERR` are those of [`crate::encode`].
//!
//! Invariant: only whole protocol units are appended, except by the `_head` functions, whose callers owe the body and its CRLF.
//! Nothing is allocated but the buffer's own growth.

use super::{LeafConnect, LinkConnect, LinkKind};
use crate::info::Info;

const CRLF: &[u8] = b"\r\n";

/// The verb, blanks and the line end, generously.
const FRAME: usize = 16;

/// What a line on a route or gateway says before the subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Prefix<'a> {
    /// The leaf cluster it comes from, for a peer that takes it (`lnoc`); never on a gateway.
    // spec: CLU-192 CLU-193
    pub origin: Option<&'a [u8]>,
    /// The account, unless the route is the account's own.
    // spec: CLU-191
    pub account: Option<&'a [u8]>,
}

impl<'a> Prefix<'a> {
    /// A line that names an account and comes from no leaf.
    pub const fn account(account: &'a [u8]) -> Self {
        Self { origin: None, account: Some(account) }
    }

    fn len(&self) -> usize {
        self.origin.map_or(0, <[u8]>::len) + self.account.map_or(0, <[u8]>::len)
    }

    #[inline]
    fn append_to(&self, out: &mut Vec<u8>) {
        for word in [self.origin, self.account].into_iter().flatten() {
            append_word(out, word);
        }
    }
}

/// What every message says, whatever it is sent over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Envelope<'a> {
    /// Where it was published.
    pub subject: &'a [u8],
    /// Where to answer; empty is nowhere.
    pub reply: &'a [u8],
    /// The length of the headers in digits; empty, or zero, if there are none.
    pub header_text: &'a [u8],
    /// The length of headers and payload in digits.
    pub size_text: &'a [u8],
}

impl Envelope<'_> {
    fn has_headers(&self) -> bool {
        self.header_text.iter().any(|&digit| digit != b'0')
    }
}

/// Appends `INFO` with its JSON, which on routes and leaf nodes has a blank behind it.
// spec: CLU-040 CLU-198
pub fn info(out: &mut Vec<u8>, kind: LinkKind, info: &Info) {
    out.extend_from_slice(b"INFO ");
    info.write_json(out);
    if kind != LinkKind::Gateway {
        out.push(b' ');
    }
    out.extend_from_slice(CRLF);
}

/// Appends `INFO` with its JSON and no blank behind it, as routes pass on what they heard of other servers.
pub fn forwarded_info(out: &mut Vec<u8>, info: &Info) {
    self::info(out, LinkKind::Gateway, info);
}

/// Appends the `CONNECT` of a route or gateway.
pub fn connect(out: &mut Vec<u8>, connect: &LinkConnect) {
    out.extend_from_slice(b"CONNECT ");
    connect.write_json(out);
    out.extend_from_slice(CRLF);
}

/// Appends the `CONNECT` of a leaf node.
pub fn leaf_connect(out: &mut Vec<u8>, connect: &LeafConnect) {
    out.extend_from_slice(b"CONNECT ");
    connect.write_json(out);
    out.extend_from_slice(CRLF);
}

/// Appends interest for a route or gateway: `RS+`, or `LS+` with an origin. A queue group comes with its weight.
// spec: CLU-025 CLU-191 CLU-192 CLU-200
pub fn route_sub(out: &mut Vec<u8>, prefix: Prefix<'_>, subject: &[u8], queue: Option<(&[u8], u32)>) {
    out.reserve(FRAME + prefix.len() + subject.len());
    out.extend_from_slice(if prefix.origin.is_some() { b"LS+ " } else { b"RS+ " });
    prefix.append_to(out);
    sub(out, subject, queue);
}

/// Appends the end of interest for a route or gateway: `RS-`, or `LS-` with an origin, which is named only if `names_origin`,
/// for a peer that says `lnocu`.
// spec: CLU-025 CLU-193 CLU-200
pub fn route_unsub(out: &mut Vec<u8>, prefix: Prefix<'_>, names_origin: bool, subject: &[u8], queue: Option<&[u8]>) {
    out.reserve(FRAME + prefix.len() + subject.len());
    out.extend_from_slice(if prefix.origin.is_some() { b"LS- " } else { b"RS- " });
    Prefix { origin: prefix.origin.filter(|_| names_origin), ..prefix }.append_to(out);
    unsub(out, subject, queue);
}

/// Appends interest for a leaf link.
// spec: CLU-055
pub fn leaf_sub(out: &mut Vec<u8>, subject: &[u8], queue: Option<(&[u8], u32)>) {
    out.reserve(FRAME + subject.len());
    out.extend_from_slice(b"LS+ ");
    sub(out, subject, queue);
}

/// Appends the end of interest for a leaf link.
// spec: CLU-055
pub fn leaf_unsub(out: &mut Vec<u8>, subject: &[u8], queue: Option<&[u8]>) {
    out.reserve(FRAME + subject.len());
    out.extend_from_slice(b"LS- ");
    unsub(out, subject, queue);
}

/// Appends the control line of a message for a route or gateway: `RMSG`, `HMSG` with headers, or `LMSG` with an origin. With
/// queue groups the line names them behind `+` and the reply, or behind `|`. The caller owes the body and its CRLF.
// spec: CLU-026 CLU-027 CLU-193 CLU-195 CLU-201
#[inline]
pub fn route_message_head<'q>(
    out: &mut Vec<u8>,
    prefix: Prefix<'_>,
    envelope: &Envelope<'_>,
    queues: impl IntoIterator<Item = &'q [u8]>,
) {
    reserve_head(out, prefix.len(), envelope);
    let headers = envelope.has_headers();
    out.extend_from_slice(match (prefix.origin, headers) {
        (Some(_), _) => b"LMSG ",
        (None, true) => b"HMSG ",
        (None, false) => b"RMSG ",
    });
    prefix.append_to(out);
    addresses(out, envelope, queues);
    if headers {
        append_word(out, envelope.header_text);
    } else if prefix.origin.is_some() {
        out.extend_from_slice(b"0 ");
    }
    end_with(out, envelope.size_text);
}

/// Appends the control line of a message for a leaf link: `LMSG`, or `HMSG` with headers. The caller owes the body and its CRLF.
// spec: CLU-055 CLU-206
#[inline]
pub fn leaf_message_head<'q>(out: &mut Vec<u8>, envelope: &Envelope<'_>, queues: impl IntoIterator<Item = &'q [u8]>) {
    reserve_head(out, 0, envelope);
    let headers = envelope.has_headers();
    out.extend_from_slice(if headers { b"HMSG " } else { b"LMSG " });
    addresses(out, envelope, queues);
    if headers {
        append_word(out, envelope.header_text);
    }
    end_with(out, envelope.size_text);
}

/// Appends a whole message for a leaf link; `body` is headers and payload.
#[inline]
pub fn leaf_message<'q>(
    out: &mut Vec<u8>,
    envelope: &Envelope<'_>,
    queues: impl IntoIterator<Item = &'q [u8]>,
    body: &[u8],
) {
    out.reserve(body.len() + FRAME);
    leaf_message_head(out, envelope, queues);
    end_with(out, body);
}

fn reserve_head(out: &mut Vec<u8>, prefix: usize, envelope: &Envelope<'_>) {
    let Envelope { subject, reply, header_text, size_text } = envelope;
    out.reserve(FRAME + prefix + subject.len() + reply.len() + header_text.len() + size_text.len());
}

/// Subject, reply and queue groups.
#[inline]
fn addresses<'q>(out: &mut Vec<u8>, envelope: &Envelope<'_>, queues: impl IntoIterator<Item = &'q [u8]>) {
    append_word(out, envelope.subject);
    let mut queues = queues.into_iter();
    let first = queues.next();
    if first.is_some() {
        out.extend_from_slice(if envelope.reply.is_empty() { b"| " } else { b"+ " });
    }
    if !envelope.reply.is_empty() {
        append_word(out, envelope.reply);
    }
    for queue in first.into_iter().chain(queues) {
        append_word(out, queue);
    }
}

fn sub(out: &mut Vec<u8>, subject: &[u8], queue: Option<(&[u8], u32)>) {
    out.extend_from_slice(subject);
    if let Some((queue, weight)) = queue {
        out.push(b' ');
        append_word(out, queue);
        out.extend_from_slice(itoa::Buffer::new().format(weight).as_bytes());
    }
    out.extend_from_slice(CRLF);
}

fn unsub(out: &mut Vec<u8>, subject: &[u8], queue: Option<&[u8]>) {
    out.extend_from_slice(subject);
    if let Some(queue) = queue {
        out.push(b' ');
        out.extend_from_slice(queue);
    }
    out.extend_from_slice(CRLF);
}

#[inline]
fn append_word(out: &mut Vec<u8>, word: &[u8]) {
    out.extend_from_slice(word);
    out.push(b' ');
}

#[inline]
fn end_with(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(bytes);
    out.extend_from_slice(CRLF);
}
