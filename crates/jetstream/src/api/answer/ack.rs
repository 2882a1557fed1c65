//! Acknowledgements to publishers. Unlike other answers they are put together from pieces, spaces and all.

use crate::api::ApiError;
use crate::api::json::{Object, ToJson, quote};

/// Writes acknowledgements of one stream.
#[derive(Debug, Clone)]
pub(crate) struct AckWriter {
    stream: String,
    prefix: Vec<u8>,
}

/// What an acknowledgement says besides the sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ack<'a> {
    /// The message had been there already.
    pub duplicate: bool,
    /// What a counter stands at; empty for no counter.
    pub value: &'a str,
    /// The batch that is complete, and its messages.
    pub batch: Option<(&'a str, u64)>,
}

impl AckWriter {
    /// A writer for a stream, on a server with a domain or without (empty).
    pub(crate) fn new(stream: &str, domain: &str) -> Self {
        let mut prefix = format!("{{\"stream\":{}", quote::text(stream));
        if !domain.is_empty() {
            prefix.push_str(",\"domain\":");
            prefix.push_str(&quote::text(domain));
        }
        prefix.push_str(",\"seq\":");
        Self { stream: stream.to_owned(), prefix: prefix.into_bytes() }
    }

    /// Appends the acknowledgement of the message with this sequence.
    // spec: JS-062
    pub(crate) fn write(&self, out: &mut Vec<u8>, seq: u64, ack: Ack<'_>) {
        out.extend_from_slice(&self.prefix);
        seq.to_json(out);
        if ack.duplicate {
            out.extend_from_slice(b",\"duplicate\": true");
        }
        if !ack.value.is_empty() {
            out.extend_from_slice(b",\"val\":\"");
            out.extend_from_slice(ack.value.as_bytes());
            out.push(b'"');
        }
        if let Some((batch, count)) = ack.batch {
            out.extend_from_slice(b",\"batch\":");
            out.extend_from_slice(quote::text(batch).as_bytes());
            out.extend_from_slice(b",\"count\":");
            count.to_json(out);
        }
        out.push(b'}');
    }

    /// Appends the answer that a message was not taken.
    // spec: JS-063
    pub(crate) fn refuse(&self, out: &mut Vec<u8>, error: &ApiError) {
        Object::write(out, |o| {
            o.field("error", error).field("stream", &self.stream).field("seq", &0_u64);
        });
    }
}
