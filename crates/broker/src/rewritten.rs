//! A message with headers of the server's own.

use bytes::Bytes;
use martlet_proto::headers;

use crate::router::Message;
use crate::session::LARGE_PAYLOAD;

/// A copy of a message in which headers can be set.
#[derive(Debug)]
pub(crate) struct Rewritten {
    header_len: usize,
    body: Bytes,
    header_text: String,
    size_text: String,
}

impl Rewritten {
    /// `message` with these headers set; others of the same names are gone.
    pub(crate) fn new(message: &Message<'_>, set: &[(&str, &[u8])]) -> Self {
        let mut body = Vec::with_capacity(message.body.len() + 128 * set.len() + 16);
        body.extend_from_slice(message.headers());
        for (name, value) in set {
            headers::remove(&mut body, name.as_bytes());
            headers::set(&mut body, name.as_bytes(), value);
        }
        let header_len = body.len();
        body.extend_from_slice(message.payload());
        let (header_text, size_text) = (header_len.to_string(), body.len().to_string());
        body.extend_from_slice(b"\r\n");
        Self { header_len, body: body.into(), header_text, size_text }
    }

    /// The message to route under this subject.
    pub(crate) fn message<'a>(&'a self, subject: &'a [u8], reply: &'a [u8]) -> Message<'a> {
        let body = &self.body[..self.body.len() - 2];
        Message {
            subject,
            reply,
            header_len: Some(self.header_len),
            header_text: self.header_text.as_bytes(),
            size_text: self.size_text.as_bytes(),
            body,
            shared: (body.len() >= LARGE_PAYLOAD).then_some(&self.body),
            ..Message::default()
        }
    }

    /// The message to route in place of the one it was made from.
    pub(crate) fn in_place_of<'a>(&'a self, message: &Message<'a>) -> Message<'a> {
        let Message { subject, reply, shown, returns, .. } = *message;
        Message { shown, returns, ..self.message(subject, reply) }
    }
}
