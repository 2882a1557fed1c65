//! Messages that wait for their stream, copied one behind the other.

use martlet_broker::internal::InternalMessage;

/// What a stream is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    /// A message to keep.
    Message,
    /// An acknowledgement of one of its consumers' deliveries.
    Ack,
    /// A pull request.
    Pull,
    /// An answer to a question of flow control.
    FlowControl,
    /// An answer to a dead letter.
    DeadLetter,
    /// A request for messages, answered without the API.
    DirectGet,
    /// A message for which there was no room.
    Refused,
}

/// Where the parts of one message end.
#[derive(Debug, Clone, Copy)]
struct Ends {
    what: What,
    subject: usize,
    reply: usize,
    headers: usize,
    payload: usize,
}

/// Messages that wait.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    bytes: Vec<u8>,
    ends: Vec<Ends>,
}

/// How much may wait.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    pub(super) bytes: usize,
    pub(super) messages: usize,
}

/// Bytes and entries that an empty inbox keeps room for.
const KEPT: usize = 1 << 20;

impl Inbox {
    /// Takes a copy. Without room for it only the question remains where its sender waits for an answer; without room for
    /// that, too, nothing.
    // spec: CFG-197 CFG-198 JS-078
    pub(super) fn push(&mut self, what: What, message: &InternalMessage<'_>, room: Room) {
        let size = message.subject.len() + message.reply.len() + message.headers.len() + message.payload.len();
        if self.ends.len() < room.messages && self.bytes.len() + size <= room.bytes {
            return self.copy(what, [message.subject, message.reply, message.headers, message.payload]);
        }
        if !message.reply.is_empty() && self.ends.len() < room.messages.saturating_mul(2) {
            self.copy(What::Refused, [&[], message.reply, &[], &[]]);
        }
    }

    fn copy(&mut self, what: What, parts: [&[u8]; 4]) {
        let [subject, reply, headers, payload] = parts.map(|part| {
            self.bytes.extend_from_slice(part);
            self.bytes.len()
        });
        self.ends.push(Ends { what, subject, reply, headers, payload });
    }

    /// Every message, in the order of arrival.
    pub(super) fn iter(&self) -> impl Iterator<Item = (What, Waiting<'_>)> {
        let mut begin = 0;
        self.ends.iter().map(move |ends| {
            let part = |from, to| &self.bytes[from..to];
            let message = Waiting {
                subject: part(begin, ends.subject),
                reply: part(ends.subject, ends.reply),
                headers: part(ends.reply, ends.headers),
                payload: part(ends.headers, ends.payload),
            };
            begin = ends.payload;
            (ends.what, message)
        })
    }

    /// Forgets everything, and lets go of room that only a rush needed.
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
        if self.bytes.capacity() > KEPT {
            self.bytes.shrink_to(KEPT);
            self.ends.shrink_to(KEPT / size_of::<Ends>());
        }
    }
}

/// A message that waited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Waiting<'a> {
    pub(super) subject: &'a [u8],
    pub(super) reply: &'a [u8],
    pub(super) headers: &'a [u8],
    pub(super) payload: &'a [u8],
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message<'a>(subject: &'a str, reply: &'a str, payload: &'a [u8]) -> InternalMessage<'a> {
        let (subject, reply) = (subject.as_bytes(), reply.as_bytes());
        InternalMessage { account: "A", subject, reply, headers: b"h", payload, from: None }
    }

    #[test]
    fn what_waits_comes_out_in_order_and_what_has_no_room_is_told_so() {
        // spec: JS-078
        let mut inbox = Inbox::default();
        let room = Room { bytes: 20, messages: 3 };
        inbox.push(What::Message, &message("a", "r1", b"12345"), room);
        inbox.push(What::Ack, &message("b", "", b""), room);
        inbox.push(What::Message, &message("c", "r3", &[0; 100]), room);
        inbox.push(What::Message, &message("c", "", &[0; 100]), room);
        inbox.push(What::Message, &message("d", "r4", b""), room);
        let seen: Vec<_> = inbox.iter().map(|(what, of)| (what, of.subject, of.reply, of.payload)).collect();
        assert_eq!(
            seen,
            [
                (What::Message, &b"a"[..], &b"r1"[..], &b"12345"[..]),
                (What::Ack, b"b", b"", b""),
                (What::Refused, b"", b"r3", b""),
                (What::Refused, b"", b"r4", b""),
            ]
        );
        inbox.clear();
        assert_eq!(inbox.iter().count(), 0);
    }
}
