//! What the server says, appended to a buffer.
//!
//! The caller owns the buffer and decides when it is sent. Messages reserve their room once; sizes that a publisher sent are
//! written back digit by digit as they came.
//!
//! Invariant: only whole protocol units are appended, except by the `_head` functions, whose callers owe the payload and its CRLF.

use std::fmt::Display;
use std::io::Write;

use crate::errors::ErrorText;
use crate::info::Info;

const CRLF: &[u8] = b"\r\n";
const VERB: &[u8] = b"MSG ";

/// Blanks and line ends around the variable parts of a message, generously.
const FRAME: usize = 16;

/// Appends `INFO` with its JSON.
// spec: CORE-018
pub fn info(out: &mut Vec<u8>, info: &Info) {
    out.extend_from_slice(b"INFO ");
    info.write_json(out);
    out.extend_from_slice(b" \r\n");
}

/// Appends `PING`.
pub fn ping(out: &mut Vec<u8>) {
    out.extend_from_slice(b"PING\r\n");
}

/// Appends `PONG`.
pub fn pong(out: &mut Vec<u8>) {
    out.extend_from_slice(b"PONG\r\n");
}

/// Appends `+OK`.
pub fn ok(out: &mut Vec<u8>) {
    out.extend_from_slice(b"+OK\r\n");
}

/// Appends `-ERR` with a text of the catalogue.
pub fn error(out: &mut Vec<u8>, text: &ErrorText<'_>) {
    error_text(out, text);
}

/// Appends `-ERR` with any text.
pub fn error_text(out: &mut Vec<u8>, text: &impl Display) {
    write!(out, "-ERR '{text}'\r\n").expect("a Vec takes every write");
}

/// Appends a whole `MSG`. An empty `reply` is none. `size_text` is the payload's length as the subscriber is to read it.
// spec: CORE-060
#[inline]
pub fn message(out: &mut Vec<u8>, subject: &[u8], sid: &[u8], reply: &[u8], size_text: &[u8], payload: &[u8]) {
    out.reserve(FRAME + subject.len() + sid.len() + reply.len() + size_text.len() + payload.len());
    control_line(out, subject, sid, reply, size_text);
    out.extend_from_slice(payload);
    out.extend_from_slice(CRLF);
}

/// Appends the control line of a `MSG`; the caller owes payload and CRLF.
#[inline]
pub fn message_head(out: &mut Vec<u8>, subject: &[u8], sid: &[u8], reply: &[u8], size_text: &[u8]) {
    out.reserve(FRAME + subject.len() + sid.len() + reply.len() + size_text.len());
    control_line(out, subject, sid, reply, size_text);
}

/// How every `MSG` on `subject` begins for the subscription `sid`.
pub fn message_beginning(subject: &[u8], sid: &[u8]) -> Box<[u8]> {
    [VERB, subject, b" ", sid, b" "].concat().into()
}

/// Appends a whole `MSG` that begins with `beginning`, or the `HMSG` that differs from it by a letter; `rest` is everything
/// from the sizes to the last CRLF, as [`WholePublish::verbatim`](crate::WholePublish::verbatim) is.
// spec: CORE-060
#[inline]
pub fn message_verbatim(out: &mut Vec<u8>, beginning: &[u8], with_headers: bool, reply: &[u8], rest: &[u8]) {
    out.reserve(FRAME + beginning.len() + reply.len() + rest.len());
    if with_headers {
        out.push(b'H');
    }
    out.extend_from_slice(beginning);
    if !reply.is_empty() {
        out.extend_from_slice(reply);
        out.push(b' ');
    }
    out.extend_from_slice(rest);
}

/// Appends a whole `HMSG`. `headers_and_payload` is what the publisher sent, `size_text` its length and `header_text` the
/// length of its headers.
// spec: CORE-060
#[inline]
pub fn header_message(
    out: &mut Vec<u8>,
    subject: &[u8],
    sid: &[u8],
    reply: &[u8],
    header_text: &[u8],
    size_text: &[u8],
    headers_and_payload: &[u8],
) {
    out.reserve(headers_and_payload.len() + 2);
    header_message_head(out, subject, sid, reply, header_text, size_text);
    out.extend_from_slice(headers_and_payload);
    out.extend_from_slice(CRLF);
}

/// Appends the control line of an `HMSG`; the caller owes headers, payload and CRLF.
#[inline]
pub fn header_message_head(
    out: &mut Vec<u8>,
    subject: &[u8],
    sid: &[u8],
    reply: &[u8],
    header_text: &[u8],
    size_text: &[u8],
) {
    out.reserve(FRAME + subject.len() + sid.len() + reply.len() + header_text.len() + size_text.len());
    out.extend_from_slice(b"HMSG ");
    addresses(out, subject, sid, reply);
    out.extend_from_slice(header_text);
    out.push(b' ');
    out.extend_from_slice(size_text);
    out.extend_from_slice(CRLF);
}

/// Appends a message with headers for a subscriber that takes none: a `MSG` of the payload behind the headers.
// spec: CORE-061
pub fn message_without_headers(
    out: &mut Vec<u8>,
    subject: &[u8],
    sid: &[u8],
    reply: &[u8],
    header_len: usize,
    headers_and_payload: &[u8],
) {
    let payload = headers_and_payload.get(header_len..).unwrap_or_default();
    let mut digits = itoa::Buffer::new();
    message(out, subject, sid, reply, digits.format(payload.len()).as_bytes(), payload);
}

/// Appends the answer to a request that nobody listens for: an `HMSG` of status 503 on the request's `reply`, with the `sid`
/// of the requester's own subscription, naming the `subject` that nobody had.
// spec: CORE-066
pub fn no_responders(out: &mut Vec<u8>, reply: &[u8], sid: &[u8], subject: &[u8]) {
    const STATUS: &[u8] = b"NATS/1.0 503\r\nNats-Subject: ";
    const END: &[u8] = b"\r\n\r\n";
    let mut digits = itoa::Buffer::new();
    let len = digits.format(STATUS.len() + subject.len() + END.len()).as_bytes();
    header_message_head(out, reply, sid, b"", len, len);
    out.reserve(STATUS.len() + subject.len() + END.len() + CRLF.len());
    out.extend_from_slice(STATUS);
    out.extend_from_slice(subject);
    out.extend_from_slice(END);
    out.extend_from_slice(CRLF);
}

#[inline]
fn control_line(out: &mut Vec<u8>, subject: &[u8], sid: &[u8], reply: &[u8], size_text: &[u8]) {
    out.extend_from_slice(VERB);
    addresses(out, subject, sid, reply);
    out.extend_from_slice(size_text);
    out.extend_from_slice(CRLF);
}

#[inline]
fn addresses(out: &mut Vec<u8>, subject: &[u8], sid: &[u8], reply: &[u8]) {
    out.extend_from_slice(subject);
    out.push(b' ');
    out.extend_from_slice(sid);
    out.push(b' ');
    if !reply.is_empty() {
        out.extend_from_slice(reply);
        out.push(b' ');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = b"before ".to_vec(); // nothing already there is touched
        write(&mut out);
        String::from_utf8(out).expect("these are all text").split_off("before ".len())
    }

    #[test]
    fn short_words() {
        assert_eq!(text(ping), "PING\r\n");
        assert_eq!(text(pong), "PONG\r\n");
        assert_eq!(text(ok), "+OK\r\n");
        assert_eq!(text(|out| error(out, &ErrorText::MaxPayload)), "-ERR 'Maximum Payload Violation'\r\n");
        assert_eq!(text(|out| error_text(out, &"any text")), "-ERR 'any text'\r\n");
    }

    #[test]
    fn info_has_a_blank_behind_its_json() {
        // spec: CORE-018
        let written = text(|out| info(out, &Info::default()));
        assert!(written.starts_with("INFO {\"server_id\":\"\",") && written.ends_with("} \r\n"), "{written}");
    }

    #[test]
    fn messages() {
        // spec: CORE-060
        assert_eq!(text(|out| message(out, b"a.b", b"1", b"", b"2", b"hi")), "MSG a.b 1 2\r\nhi\r\n");
        assert_eq!(text(|out| message(out, b"a.b", b"1", b"c", b"0002", b"hi")), "MSG a.b 1 c 0002\r\nhi\r\n");
        assert_eq!(text(|out| message(out, b"a", b"x", b"", b"0", b"")), "MSG a x 0\r\n\r\n");
        assert_eq!(text(|out| message_head(out, b"a.b", b"1", b"c", b"2")), "MSG a.b 1 c 2\r\n");
        assert_eq!(
            text(|out| header_message(out, b"a", b"1", b"", b"012", b"14", b"NATS/1.0\r\n\r\nhi")),
            "HMSG a 1 012 14\r\nNATS/1.0\r\n\r\nhi\r\n"
        );
        assert_eq!(text(|out| header_message_head(out, b"a", b"1", b"r", b"12", b"14")), "HMSG a 1 r 12 14\r\n");
    }

    #[test]
    fn messages_whose_ends_are_ready() {
        // spec: CORE-060
        let begun = message_beginning(b"a.b", b"1");
        assert_eq!(text(|out| message_verbatim(out, &begun, false, b"", b"2\r\nhi\r\n")), "MSG a.b 1 2\r\nhi\r\n");
        assert_eq!(text(|out| message_verbatim(out, &begun, false, b"c", b"2\r\nhi\r\n")), "MSG a.b 1 c 2\r\nhi\r\n");
        let rest = b"12 14\r\nNATS/1.0\r\n\r\nhi\r\n";
        assert_eq!(
            text(|out| message_verbatim(out, &begun, true, b"c", rest)),
            "HMSG a.b 1 c 12 14\r\nNATS/1.0\r\n\r\nhi\r\n"
        );
    }

    #[test]
    fn headers_are_left_out_for_who_cannot_read_them() {
        // spec: CORE-061
        let sent = b"NATS/1.0\r\nA: b\r\n\r\nhello";
        assert_eq!(
            text(|out| message_without_headers(out, b"a", b"1", b"r", sent.len() - 5, sent)),
            "MSG a 1 r 5\r\nhello\r\n"
        );
        assert_eq!(text(|out| message_without_headers(out, b"a", b"1", b"", sent.len(), sent)), "MSG a 1 0\r\n\r\n");
        assert_eq!(text(|out| message_without_headers(out, b"a", b"1", b"", 99, sent)), "MSG a 1 0\r\n\r\n");
    }

    #[test]
    fn nobody_listens() {
        // spec: CORE-066
        let written = text(|out| no_responders(out, b"_INBOX.1", b"7", b"svc.a"));
        assert_eq!(written, "HMSG _INBOX.1 7 37 37\r\nNATS/1.0 503\r\nNats-Subject: svc.a\r\n\r\n\r\n");
    }
}
