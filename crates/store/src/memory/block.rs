//! Messages one behind the other in one buffer, with a slot for each.

use martlet_events::WallTime;

use crate::index::Head;
use crate::record::Message;

/// A block takes no more messages beyond so many bytes, or so many slots; one message it always takes.
const MAX_BYTES: usize = 64 << 10;
const MAX_SLOTS: usize = 1024;

/// What [`State::bytes`](crate::State::bytes) counts for a message beside its parts.
const OVERHEAD: u64 = 16;

/// Where a message is, and which messages of its subject are next to it; 0 for none.
#[derive(Debug, Clone, Copy)]
pub(super) struct Slot {
    time: WallTime,
    pub(super) before: u64,
    pub(super) after: u64,
    offset: u32,
    /// Its sequence, counted from the block's.
    delta: u32,
    subject: u32,
    headers: u32,
    payload: u32,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Plain,
    /// The first eight bytes say when it goes.
    Expires,
    /// It is gone; its bytes are still here.
    Gone,
}

const EXPIRES_LEN: usize = 8;

/// What is used for each message beside its parts, in bytes.
pub(super) const SLOT: usize = size_of::<Slot>();

fn short(len: usize) -> u32 {
    u32::try_from(len).expect("a message is shorter than 4 GiB")
}

impl Slot {
    fn extra(self) -> usize {
        if self.kind == Kind::Expires { EXPIRES_LEN } else { 0 }
    }

    fn parts(self) -> usize {
        self.subject as usize + self.headers as usize + self.payload as usize
    }

    fn size(self) -> u64 {
        OVERHEAD + self.parts() as u64
    }

    pub(super) fn is_there(self) -> bool {
        self.kind != Kind::Gone
    }

    pub(super) fn time(self) -> WallTime {
        self.time
    }
}

/// The size of a message as limits count it.
pub(super) fn size(message: &Message<'_>) -> u64 {
    OVERHEAD + (message.subject.len() + message.headers.len() + message.payload.len()) as u64
}

/// What a message needs in a buffer.
pub(super) fn len(message: &Message<'_>) -> usize {
    let extra = if message.expires.is_some() { EXPIRES_LEN } else { 0 };
    extra + message.subject.len() + message.headers.len() + message.payload.len()
}

/// A run of messages.
#[derive(Debug)]
pub(super) struct Block {
    pub(super) base: u64,
    pub(super) slots: Vec<Slot>,
    bytes: Vec<u8>,
    there: usize,
    /// Bytes of messages that are gone.
    waste: usize,
}

impl Block {
    /// An empty one, whose first message is `message`. It has room for as much as `like` has come to hold.
    pub(super) fn new(message: &Message<'_>, like: Option<&Self>) -> Self {
        let (slots, bytes) = like.map_or((0, 0), |block| (block.slots.len(), block.bytes.len().min(MAX_BYTES)));
        Self {
            base: message.seq,
            slots: Vec::with_capacity(slots),
            bytes: Vec::with_capacity(bytes.max(len(message))),
            there: 0,
            waste: 0,
        }
    }

    pub(super) fn has_room(&self, message: &Message<'_>) -> bool {
        self.slots.is_empty()
            || self.slots.len() < MAX_SLOTS
                && self.bytes.len() + len(message) <= MAX_BYTES
                && u32::try_from(message.seq - self.base).is_ok()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.there == 0
    }

    /// Bytes in use.
    pub(super) fn used(&self) -> u64 {
        (self.bytes.len() + self.slots.len() * SLOT) as u64
    }

    pub(super) fn push(&mut self, message: &Message<'_>) {
        if self.slots.is_empty() {
            self.base = message.seq;
        }
        let offset = short(self.bytes.len());
        if let Some(at) = message.expires {
            self.bytes.extend_from_slice(&at.as_nanos().to_le_bytes());
        }
        self.bytes.extend_from_slice(message.subject);
        self.bytes.extend_from_slice(message.headers);
        self.bytes.extend_from_slice(message.payload);
        self.slots.push(Slot {
            time: message.time,
            before: 0,
            after: 0,
            offset,
            delta: u32::try_from(message.seq - self.base).expect("whoever has room is near enough"),
            subject: short(message.subject.len()),
            headers: short(message.headers.len()),
            payload: short(message.payload.len()),
            kind: if message.expires.is_some() { Kind::Expires } else { Kind::Plain },
        });
        self.there += 1;
    }

    pub(super) fn seq(&self, at: usize) -> u64 {
        self.base + u64::from(self.slots[at].delta)
    }

    /// The first slot with this sequence or a later one.
    pub(super) fn lower_bound(&self, seq: u64) -> usize {
        let Ok(delta) = u32::try_from(seq.saturating_sub(self.base)) else { return self.slots.len() };
        // Where nothing was left out, a message stands at its distance from the first; it never stands further.
        let dense = delta as usize;
        if self.slots.get(dense).is_some_and(|slot| slot.delta == delta) {
            return dense;
        }
        let end = self.slots.len().min(dense.saturating_add(1));
        self.slots[..end].partition_point(|slot| slot.delta < delta)
    }

    /// The slot of a message that is there.
    pub(super) fn find(&self, seq: u64) -> Option<usize> {
        let at = self.lower_bound(seq);
        let slot = self.slots.get(at)?;
        (seq >= self.base && self.seq(at) == seq && slot.is_there()).then_some(at)
    }

    fn body(&self, slot: Slot) -> &[u8] {
        let start = slot.offset as usize + slot.extra();
        &self.bytes[start..start + slot.parts()]
    }

    fn expires(&self, slot: Slot) -> Option<WallTime> {
        let bytes = self.bytes[slot.offset as usize..].first_chunk().filter(|_| slot.kind == Kind::Expires)?;
        Some(WallTime::from_nanos(u64::from_le_bytes(*bytes)))
    }

    pub(super) fn subject(&self, at: usize) -> &[u8] {
        let slot = self.slots[at];
        &self.body(slot)[..slot.subject as usize]
    }

    pub(super) fn head(&self, at: usize) -> Head<'_> {
        let slot = self.slots[at];
        let near = |seq: u64| (seq > 0).then_some(seq);
        Head {
            seq: self.seq(at),
            time: slot.time,
            subject: self.subject(at),
            size: slot.size(),
            expires: self.expires(slot),
            before: near(slot.before),
            after: near(slot.after),
        }
    }

    /// A message, as it stands here.
    pub(super) fn message(&self, at: usize) -> Message<'_> {
        let slot = self.slots[at];
        self.message_in(at, self.body(slot))
    }

    /// A message, copied into `buffer`.
    pub(super) fn copy<'b>(&self, at: usize, buffer: &'b mut Vec<u8>) -> Message<'b> {
        buffer.clear();
        buffer.extend_from_slice(self.body(self.slots[at]));
        self.message_in(at, buffer)
    }

    fn message_in<'b>(&self, at: usize, body: &'b [u8]) -> Message<'b> {
        let slot = self.slots[at];
        let (subject, rest) = body.split_at(slot.subject as usize);
        let (headers, payload) = rest.split_at(slot.headers as usize);
        Message { seq: self.seq(at), time: slot.time, subject, headers, payload, expires: self.expires(slot) }
    }

    /// A message goes.
    pub(super) fn forget(&mut self, at: usize, erase: bool) {
        let slot = self.slots[at];
        let (start, len) = (slot.offset as usize, slot.extra() + slot.parts());
        if erase {
            self.bytes[start..start + len].fill(0);
        }
        self.slots[at].kind = Kind::Gone;
        self.there -= 1;
        self.waste += len;
    }

    /// Starts over, with the room it has, if that is not out of the ordinary.
    pub(super) fn clear(&mut self) {
        self.slots.clear();
        self.bytes.clear();
        self.bytes.shrink_to(MAX_BYTES);
        self.waste = 0;
    }

    pub(super) fn is_mostly_waste(&self) -> bool {
        self.waste * 2 > self.bytes.len() || self.there * 2 < self.slots.len()
    }

    pub(super) fn has_waste(&self) -> bool {
        self.there < self.slots.len()
    }

    /// Keeps what is there, and gives the rest back.
    pub(super) fn compact(&mut self) {
        let mut bytes = Vec::with_capacity(self.bytes.len() - self.waste);
        let mut slots = Vec::with_capacity(self.there);
        for slot in self.slots.iter().filter(|slot| slot.is_there()) {
            let (start, len) = (slot.offset as usize, slot.extra() + slot.parts());
            slots.push(Slot { offset: short(bytes.len()), ..*slot });
            bytes.extend_from_slice(&self.bytes[start..start + len]);
        }
        (self.bytes, self.slots, self.waste) = (bytes, slots, 0);
    }
}
