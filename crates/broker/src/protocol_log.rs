//! The protocol in the trace log: what clients send and get, line by line (CORE-166).
//!
//! Invariant: payloads are shown as far as the options allow, and secrets of CONNECT never.

use std::fmt::Write;

use martlet_config::options::LogOptions;
use martlet_proto::{ClientOp, PublishHead, redact};

use crate::peer::Peer;
use crate::router::Message;

/// How protocol lines are logged, where they are.
#[derive(Debug, Clone, Copy)]
pub struct ProtocolLog {
    /// Of messages only the headers.
    headers_only: bool,
    /// Bytes shown of a message; 0 is all.
    max_shown: usize,
    /// What the server publishes itself, too.
    internal: bool,
}

#[expect(clippy::unused_self, reason = "whoever has a log may write to it")]
impl ProtocolLog {
    /// The protocol log that `options` ask for, if any.
    // spec: CFG-029 CFG-030 CFG-031 CFG-054
    pub fn new(options: &LogOptions) -> Option<Self> {
        options.trace.then_some(Self {
            headers_only: options.trace_headers,
            max_shown: options.max_traced_msg_len,
            internal: options.trace_verbose,
        })
    }

    /// A client sent an operation, other than a message, in these bytes.
    #[cold]
    pub(crate) fn received(self, peer: &Peer, op: &ClientOp<'_>, bytes: &[u8]) {
        let verb = match op {
            ClientOp::Connect(json) => {
                let shown = redact::connect(json);
                return log::trace!("{} - <<- [CONNECT {}]", peer.label(), String::from_utf8_lossy(&shown));
            }
            ClientOp::Ping => "PING",
            ClientOp::Pong => "PONG",
            ClientOp::Sub { .. } => "SUB",
            ClientOp::Unsub { .. } => "UNSUB",
            ClientOp::Publish(..) | ClientOp::Info | ClientOp::Ok | ClientOp::Err(_) => return,
        };
        // The words as they came: tests of client libraries look for them.
        // spec: CLI-007
        let line = bytes.strip_suffix(b"\n").unwrap_or(bytes);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let words = line.get(verb.len()..).unwrap_or_default().trim_ascii_start();
        let gap = if words.is_empty() { "" } else { " " };
        log::trace!("{} - <<- [{verb}{gap}{}]", peer.label(), String::from_utf8_lossy(words));
    }

    /// A client sent a message.
    #[cold]
    pub(crate) fn published(self, peer: &Peer, head: &PublishHead<'_>, body: &[u8]) {
        let (label, headers) = (peer.label(), head.header_len.unwrap_or(0));
        let (verb, sizes) = if head.header_len.is_some() { ("HPUB", head.header_text) } else { ("PUB", &b""[..]) };
        let words = [head.subject, head.reply.unwrap_or_default(), sizes, head.size_text];
        log::trace!("{label} - <<- [{}]", line(verb, &words));
        self.body(&label, "<<-", headers, body);
    }

    /// A mapping gave a client's message another subject.
    // spec: CORE-110
    #[cold]
    pub(crate) fn mapped(self, peer: &Peer, from: &[u8], to: &[u8]) {
        let (from, to) = (String::from_utf8_lossy(from), String::from_utf8_lossy(to));
        log::trace!("{} - <<- [MAPPING {from} -> {to}]", peer.label());
    }

    /// A subscription of `peer` got a message.
    #[cold]
    pub(crate) fn delivered(self, peer: &Peer, subject: &[u8], sid: &[u8], message: &Message<'_>) {
        let label = peer.label();
        let (headers, body) = match message.header_len {
            Some(len) if peer.takes_headers() => (len, message.body),
            _ => (0, message.payload()),
        };
        let size = body.len().to_string();
        if headers > 0 {
            let words = [subject, sid, message.reply, message.header_text, size.as_bytes()];
            log::trace!("{label} - ->> [{}]", line("HMSG", &words));
        } else {
            log::trace!("{label} - ->> [{}]", line("MSG", &[subject, sid, message.reply, size.as_bytes()]));
        }
        self.body(&label, "->>", headers, body);
    }

    /// A client was sent something else.
    #[cold]
    pub(crate) fn sent(self, peer: &Peer, what: std::fmt::Arguments<'_>) {
        log::trace!("{} - ->> [{what}]", peer.label());
    }

    /// A subscription is gone.
    #[cold]
    pub(crate) fn unsubscribed(self, peer: &Peer, sid: &[u8]) {
        log::trace!("{} - <-> [DELSUB {}]", peer.label(), String::from_utf8_lossy(sid));
    }

    /// The server published a message of its own.
    #[cold]
    pub(crate) fn internal(self, message: &Message<'_>) {
        if !self.internal {
            return;
        }
        let (verb, sizes) =
            if message.header_len.is_some() { ("HPUB", message.header_text) } else { ("PUB", &b""[..]) };
        let words = [message.subject, message.reply, sizes, message.size_text];
        log::trace!("SYSTEM - <<- [{}]", line(verb, &words));
        self.body("SYSTEM", "<<-", message.header_len.unwrap_or(0), message.body);
    }

    fn body(self, label: &str, arrow: &str, headers: usize, body: &[u8]) {
        let shown = if self.headers_only { trim_line_ends(&body[..headers.min(body.len())]) } else { body };
        if !shown.is_empty() {
            log::trace!("{label} - {arrow} MSG_PAYLOAD: [{}]", quote(shown, self.max_shown));
        }
    }
}

/// A protocol line of the words that are there.
fn line(verb: &str, words: &[&[u8]]) -> String {
    words
        .iter()
        .filter(|word| !word.is_empty())
        .fold(verb.to_owned(), |line, word| line + " " + &String::from_utf8_lossy(word))
}

fn trim_line_ends(headers: &[u8]) -> &[u8] {
    headers.strip_suffix(b"\r\n\r\n").unwrap_or(headers)
}

/// Bytes in quotes, at most `max` of them (0 is all) and dots for the rest.
pub(crate) fn quote(bytes: &[u8], max: usize) -> String {
    let shown = if max > 0 && bytes.len() > max { &bytes[..max] } else { bytes };
    let mut text = String::with_capacity(shown.len() + 8);
    text.push('"');
    for chunk in shown.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\0'..='\x1f' | '\x7f' | '"' | '\\' => text.extend((c as u8).escape_ascii().map(char::from)),
                _ => text.push(c),
            }
        }
        for byte in chunk.invalid() {
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    text.push_str(if shown.len() < bytes.len() { "...\"" } else { "\"" });
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_quoted_and_cut() {
        // spec: CORE-166 CFG-054
        for (bytes, max, expected) in [
            (&b"hello"[..], 0, r#""hello""#),
            (b"hello", 5, r#""hello""#),
            (b"hello", 3, r#""hel...""#),
            (b"\0\r\n\t\"\\\x7f", 0, r#""\x00\r\n\t\"\\\x7f""#),
            ("gr\u{fc}n".as_bytes(), 0, "\"gr\u{fc}n\""),
            ("gr\u{fc}n".as_bytes(), 3, r#""gr\xc3...""#),
        ] {
            assert_eq!(quote(bytes, max), expected);
        }
    }

    #[test]
    fn words_that_are_not_there_leave_no_gap() {
        // spec: CORE-166
        assert_eq!(line("PUB", &[b"foo", b"", b"", b"5"]), "PUB foo 5");
        assert_eq!(line("MSG", &[b"foo", b"1", b"re.ply", b"5"]), "MSG foo 1 re.ply 5");
    }

    #[test]
    fn nothing_is_logged_unless_asked() {
        // spec: CFG-029 CFG-030
        assert!(ProtocolLog::new(&LogOptions { trace_verbose: true, ..LogOptions::default() }).is_none());
        let log = ProtocolLog::new(&LogOptions { trace: true, ..LogOptions::default() });
        assert!(log.is_some_and(|log| !log.internal && !log.headers_only));
    }
}
