//! Messages that wait for their stream, copied one behind the other.

use martlet_broker::internal::InternalMessage;
use martlet_broker::trace::Claim;

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
    /// The same, for the stream that it mirrors.
    MirroredGet,
    /// Something from a stream that it copies from, which listens with this key.
    Origin(u32),
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
    messages: Room,
    beside: Room,
    refused: usize,
    /// Traces of messages, by their place.
    traces: Vec<(usize, Claim)>,
    /// Somebody asks for what may be many messages, or takes long to find.
    has_searches: bool,
}

/// What may wait for a stream that is to be run by whoever happens to have brought it. With more, two threads are quicker: one reads
/// and writes sockets while the other stores.
const FEW: usize = 2;
const FEW_BYTES: usize = 16 << 10;

/// How much waits, or may.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Room {
    pub(super) bytes: usize,
    pub(super) messages: usize,
}

/// What may wait beside messages to keep: a publisher in a rush takes nothing away from acknowledgements and requests.
const BESIDE: Room = Room { bytes: 64 << 20, messages: 1 << 20 };
/// Questions that may wait to be told that there was no room for what came with them.
const MOST_REFUSED: usize = 1 << 16;

/// Bytes and entries that an empty inbox keeps room for.
const KEPT: usize = 1 << 20;

impl Inbox {
    /// Takes a copy. Without room for it only the question remains where its sender waits for an answer; without room for
    /// that, too, nothing.
    // spec: CFG-197 CFG-198 JS-078
    pub(super) fn push(&mut self, what: What, message: &InternalMessage<'_>, room: Room) {
        let size = message.subject.len() + message.reply.len() + message.headers.len() + message.payload.len();
        let is_kept = matches!(what, What::Message | What::Origin(_));
        let (used, room) = if is_kept { (&mut self.messages, room) } else { (&mut self.beside, BESIDE) };
        if used.messages < room.messages && used.bytes + size <= room.bytes {
            (used.messages, used.bytes) = (used.messages + 1, used.bytes + size);
            let Some(trace) = message.trace.filter(|_| what == What::Message) else {
                return self.copy(what, [message.subject, message.reply, message.headers, message.payload]);
            };
            self.traces.push((self.ends.len(), trace.take()));
            let headers = Claim::kept_headers(message.headers);
            return self.copy(what, [message.subject, message.reply, &headers, message.payload]);
        }
        // An origin sends again what is missing.
        let is_awaited = !message.reply.is_empty() && !matches!(what, What::Origin(_));
        if is_awaited && self.refused < MOST_REFUSED {
            self.refused += 1;
            self.copy(What::Refused, [&[], message.reply, &[], &[]]);
        }
    }

    fn copy(&mut self, what: What, parts: [&[u8]; 4]) {
        // What names its message in the subject is found at once.
        self.has_searches |= matches!(what, What::DirectGet | What::MirroredGet) && !parts[3].is_empty();
        let [subject, reply, headers, payload] = parts.map(|part| {
            self.bytes.extend_from_slice(part);
            self.bytes.len()
        });
        self.ends.push(Ends { what, subject, reply, headers, payload });
    }

    /// Whether it is taken care of in no time.
    pub(super) fn is_small(&self) -> bool {
        self.ends.len() <= FEW && self.bytes.len() <= FEW_BYTES && !self.has_searches
    }

    /// Every message, in the order of arrival.
    pub(super) fn iter(&self) -> impl Iterator<Item = (What, Waiting<'_>)> {
        let (mut begin, mut traces) = (0, self.traces.iter().peekable());
        self.ends.iter().enumerate().map(move |(place, ends)| {
            let part = |from, to| &self.bytes[from..to];
            let message = Waiting {
                subject: part(begin, ends.subject),
                reply: part(ends.subject, ends.reply),
                headers: part(ends.reply, ends.headers),
                payload: part(ends.headers, ends.payload),
                trace: traces.next_if(|(of, _)| *of == place).map(|(_, trace)| trace),
            };
            begin = ends.payload;
            (ends.what, message)
        })
    }

    /// Forgets everything, and lets go of room that only a rush needed.
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
        self.traces.clear();
        (self.messages, self.beside, self.refused) = (Room::default(), Room::default(), 0);
        self.has_searches = false;
        if self.bytes.capacity() > KEPT {
            self.bytes.shrink_to(KEPT);
            self.ends.shrink_to(KEPT / size_of::<Ends>());
        }
    }
}

/// A message that waited.
#[derive(Debug, Clone, Copy)]
pub(super) struct Waiting<'a> {
    pub(super) subject: &'a [u8],
    pub(super) reply: &'a [u8],
    pub(super) headers: &'a [u8],
    pub(super) payload: &'a [u8],
    /// Its trace, if it has one.
    pub(super) trace: Option<&'a Claim>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message<'a>(subject: &'a str, reply: &'a str, payload: &'a [u8]) -> InternalMessage<'a> {
        let (subject, reply) = (subject.as_bytes(), reply.as_bytes());
        InternalMessage { account: "A", subject, reply, headers: b"h", payload, from: None, trace: None }
    }

    #[test]
    fn a_rush_of_messages_leaves_room_for_the_rest_and_refusals_have_a_bound() {
        // spec: JS-078 JS-086
        let mut inbox = Inbox::default();
        let room = Room { bytes: 1000, messages: 2 };
        for _ in 0..MOST_REFUSED + 10 {
            inbox.push(What::Message, &message("a", "r", b"1"), room);
        }
        inbox.push(What::DirectGet, &message("b", "r", b"2"), room);
        let count = |wanted| inbox.iter().filter(|(what, _)| *what == wanted).count();
        assert_eq!([What::Message, What::Refused, What::DirectGet].map(count), [2, MOST_REFUSED, 1]);
        inbox.clear();
        inbox.push(What::Message, &message("a", "r", b"1"), room);
        assert_eq!(inbox.iter().next().map(|(what, _)| what), Some(What::Message));
    }

    #[test]
    fn what_waits_comes_out_in_order_and_what_has_no_room_is_told_so() {
        // spec: JS-078
        let mut inbox = Inbox::default();
        let room = Room { bytes: 20, messages: 1 };
        inbox.push(What::Message, &message("a", "r1", b"12345"), room);
        inbox.push(What::Ack, &message("b", "", &[7; 50]), room);
        inbox.push(What::Message, &message("c", "r3", &[0; 100]), room);
        inbox.push(What::Message, &message("c", "", &[0; 100]), room);
        inbox.push(What::Message, &message("d", "r4", b""), room);
        let seen: Vec<_> = inbox.iter().map(|(what, of)| (what, of.subject, of.reply, of.payload)).collect();
        assert_eq!(
            seen,
            [
                (What::Message, &b"a"[..], &b"r1"[..], &b"12345"[..]),
                (What::Ack, b"b", b"", &[7; 50]),
                (What::Refused, b"", b"r3", b""),
                (What::Refused, b"", b"r4", b""),
            ]
        );
        inbox.clear();
        assert_eq!(inbox.iter().count(), 0);
    }
}
