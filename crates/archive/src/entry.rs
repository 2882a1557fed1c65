//! The entries that an archive consists of: a name, a time, a sequence, and content in two parts.
//!
//! An archive begins with [`MAGIC`]. An entry is five numbers of base 128 (length of the name, time, sequence, lengths of the
//! parts), the name and the parts. The time is signed: its sign is the lowest bit.

use crate::ArchiveError;

/// What an archive begins with.
pub const MAGIC: &[u8; 8] = b"NATSARC1";

/// The longest name of an entry: it is a subject, or a short path.
pub const MAX_NAME: usize = 64 << 10;
/// The largest content of an entry: as large as any message can be.
pub(crate) const MAX_ENTRY: usize = 64 << 20;

/// The longest number.
const MAX_VARINT: usize = 10;
/// The room that is kept between entries.
const KEPT: usize = 1 << 20;

/// An entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Entry<'a> {
    /// A message's subject, or a path.
    pub name: &'a [u8],
    /// In nanoseconds since 1970.
    pub time: i64,
    /// A message's sequence, or 0.
    pub seq: u64,
    /// The first part of the content: a message's header section.
    pub headers: &'a [u8],
    /// The rest of it.
    pub payload: &'a [u8],
}

impl Entry<'_> {
    /// Whether it says that an archive is whole: nothing is in it.
    pub(crate) fn is_end(&self) -> bool {
        *self == Entry::default()
    }

    /// Appends it.
    // spec: JS-123
    pub fn write(&self, out: &mut Vec<u8>) {
        let time = (self.time << 1 ^ self.time >> 63).cast_unsigned();
        let lengths = [self.name.len() as u64, time, self.seq, self.headers.len() as u64, self.payload.len() as u64];
        for number in lengths {
            put(number, out);
        }
        for part in [self.name, self.headers, self.payload] {
            out.extend_from_slice(part);
        }
    }
}

/// Reads entries as they come.
#[derive(Debug, Default)]
pub struct Entries {
    buffer: Vec<u8>,
    /// What of it has been read.
    at: usize,
    /// What was read before `buffer`.
    passed: u64,
    has_begun: bool,
}

impl Entries {
    /// Takes more bytes; [`Self::take_next`] then, until there is none.
    pub fn feed(&mut self, bytes: &[u8]) {
        if self.at > 0 {
            self.passed += self.at as u64;
            self.buffer.drain(..self.at);
            self.at = 0;
            if self.buffer.capacity() > KEPT && self.buffer.len() < KEPT {
                self.buffer.shrink_to(KEPT);
            }
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// The next entry that is all there.
    pub(crate) fn take_next(&mut self) -> Result<Option<Entry<'_>>, ArchiveError> {
        let mut from = self.at;
        if !self.has_begun {
            let Some(magic) = self.buffer.get(..MAGIC.len()) else { return Ok(None) };
            if magic != MAGIC {
                return Err(ArchiveError::Magic);
            }
            from = MAGIC.len();
        }
        let Some(shape) = Shape::read(&self.buffer[from..], self.passed + from as u64)? else { return Ok(None) };
        let content = from + shape.head;
        let Some(bytes) = self.buffer.get(content..content + shape.name + shape.headers + shape.payload) else {
            return Ok(None);
        };
        let (name, rest) = bytes.split_at(shape.name);
        let (headers, payload) = rest.split_at(shape.headers);
        self.has_begun = true;
        self.at = content + bytes.len();
        Ok(Some(Entry { name, time: shape.time, seq: shape.seq, headers, payload }))
    }

    /// Whether something was begun and not ended.
    pub fn is_within(&self) -> bool {
        self.at < self.buffer.len()
    }

    /// How many bytes are held.
    pub fn held(&self) -> usize {
        self.buffer.len()
    }
}

/// What an entry's numbers say.
struct Shape {
    /// Bytes of the numbers.
    head: usize,
    name: usize,
    time: i64,
    seq: u64,
    headers: usize,
    payload: usize,
}

impl Shape {
    /// `None` if there is not enough yet.
    fn read(bytes: &[u8], at: u64) -> Result<Option<Self>, ArchiveError> {
        let mut head = 0;
        let mut numbers = [0_u64; 5];
        for number in &mut numbers {
            let Some(read) = take(&bytes[head..], number, at)? else { return Ok(None) };
            head += read;
        }
        let [name, time, seq, headers, payload] = numbers;
        let within = |what, len: u64, max: usize| match usize::try_from(len) {
            Ok(len) if len <= max => Ok(len),
            _ => Err(ArchiveError::TooLarge { what, len, max }),
        };
        let name = within("a name", name, MAX_NAME)?;
        let headers = within("headers", headers, MAX_ENTRY)?;
        let payload = within("content", payload, MAX_ENTRY - headers)?;
        let time = (time >> 1).cast_signed() ^ -(time & 1).cast_signed();
        Ok(Some(Self { head, name, time, seq, headers, payload }))
    }
}

fn put(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.push((number & 0x7f) as u8);
}

/// Reads a number; gives its length.
fn take(bytes: &[u8], number: &mut u64, at: u64) -> Result<Option<usize>, ArchiveError> {
    *number = 0;
    for (place, &byte) in bytes.iter().take(MAX_VARINT).enumerate() {
        if place == MAX_VARINT - 1 && byte > 1 {
            break;
        }
        *number |= u64::from(byte & 0x7f) << (7 * place);
        if byte < 0x80 {
            return Ok(Some(place + 1));
        }
    }
    if bytes.len() >= MAX_VARINT {
        return Err(ArchiveError::Damaged { at, why: "a number is too long" });
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Name, time, sequence, headers and payload.
    type Owned = (Vec<u8>, i64, u64, Vec<u8>, Vec<u8>);

    fn read(bytes: &[u8], piece: usize) -> Result<Vec<Owned>, ArchiveError> {
        let mut entries = Entries::default();
        let mut read = Vec::new();
        for piece in bytes.chunks(piece) {
            entries.feed(piece);
            while let Some(entry) = entries.take_next()? {
                let [name, headers, payload] = [entry.name, entry.headers, entry.payload].map(<[u8]>::to_vec);
                read.push((name, entry.time, entry.seq, headers, payload));
            }
        }
        assert!(!entries.is_within());
        Ok(read)
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_however_it_is_cut(
            entries in proptest::collection::vec((
                proptest::collection::vec(any::<u8>(), 0..40),
                any::<i64>(),
                any::<u64>(),
                proptest::collection::vec(any::<u8>(), 0..40),
                proptest::collection::vec(any::<u8>(), 0..400),
            ), 0..8),
            piece in 1..200_usize,
        ) {
            // spec: JS-123
            let mut bytes = MAGIC.to_vec();
            for (name, time, seq, headers, payload) in &entries {
                Entry { name, time: *time, seq: *seq, headers, payload }.write(&mut bytes);
            }
            if !entries.is_empty() {
                prop_assert_eq!(read(&bytes, piece), Ok(entries));
            }
        }
    }

    #[test]
    fn promises_are_not_believed() {
        let mut bytes = MAGIC.to_vec();
        for number in [3, 0, 1, 0, 1 << 40] {
            put(number, &mut bytes);
        }
        let mut entries = Entries::default();
        entries.feed(&bytes);
        let error = entries.take_next().expect_err("too large");
        assert_eq!(error, ArchiveError::TooLarge { what: "content", len: 1 << 40, max: MAX_ENTRY });

        let mut entries = Entries::default();
        entries.feed(MAGIC);
        entries.feed(&[0xff; 12]);
        assert!(matches!(entries.take_next(), Err(ArchiveError::Damaged { at: 8, .. })));

        let mut entries = Entries::default();
        entries.feed(b"NATSARC2 and more");
        assert_eq!(entries.take_next(), Err(ArchiveError::Magic));
    }

    #[test]
    fn what_another_server_wrote_is_read() {
        // A snapshot of a stream without messages, but for its time as the reference 2.15.1 wrote it.
        let bytes = b"NATSARC1\x0a\xfe\xf9\xa7\x95\xdb\x84\xc3\xec\x31\x00\x00\x02state.json{}\x00\x00\x00\x00\x00";
        let mut entries = Entries::default();
        entries.feed(bytes);
        let entry = entries.take_next().expect("whole").expect("an entry");
        assert_eq!(
            (entry.name, entry.time, entry.payload),
            (&b"state.json"[..], 1_795_957_766_927_744_639, &b"{}"[..])
        );
        assert!(entries.take_next().expect("whole").expect("an entry").is_end());
        assert!(!entries.is_within());
    }
}
