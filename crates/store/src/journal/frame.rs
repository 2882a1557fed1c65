//! A round as it stands in the journal: `docs/format.md`, "The journal".

use std::ops::Range;

use crate::codec::{Reader, checksum2, put_bytes, put_varint};

/// Rounds begin at multiples of this: no write of one touches a sector that has another.
pub(super) const SECTOR: usize = 512;
/// Bytes before a round's records.
pub(super) const HEADER: usize = 40;
const MAGIC: [u8; 8] = *b"MartJnl\x01";
const SEED: u32 = u32::MAX;

/// What a round's header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    /// Bytes, with the header, without what fills the last sector.
    pub len: usize,
    /// The round's number: one more than that of the round before, in whichever file it is.
    pub round: u64,
    /// Rounds before this one say nothing any more.
    pub valid_from: u64,
    sum: u32,
}

/// What was written to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Write<'a> {
    /// Which file, from the journal's directory.
    pub path: &'a str,
    /// Where in it.
    pub offset: u64,
    /// What.
    pub bytes: &'a [u8],
}

/// Adds a write to a round that is being made; `read` fills in its bytes.
pub(super) fn push<E>(
    out: &mut Vec<u8>,
    path: &str,
    range: &Range<u64>,
    read: impl FnOnce(&mut [u8]) -> Result<(), E>,
) -> Result<(), E> {
    let before = out.len();
    put_bytes(out, path.as_bytes());
    put_varint(out, range.start);
    let len = usize::try_from(range.end - range.start).expect("what is journaled is short");
    put_varint(out, len as u64);
    let from = out.len();
    out.resize(from + len, 0);
    read(&mut out[from..]).inspect_err(|_| out.truncate(before))
}

/// Puts the header before the records, whose first [`HEADER`] bytes are left for it, and fills the last sector.
pub(super) fn finish(out: &mut Vec<u8>, round: u64, valid_from: u64) {
    let len = out.len();
    out[..8].copy_from_slice(&MAGIC);
    out[8..16].copy_from_slice(&(len as u64).to_le_bytes());
    out[16..24].copy_from_slice(&round.to_le_bytes());
    out[24..32].copy_from_slice(&valid_from.to_le_bytes());
    out[36..40].fill(0);
    let sum = sum_of(out);
    out[32..36].copy_from_slice(&sum.to_le_bytes());
    out.resize(len.next_multiple_of(SECTOR), 0);
}

/// The checksum of a round without the four bytes that hold it.
fn sum_of(round: &[u8]) -> u32 {
    checksum2(SEED, &round[..32], &round[36..])
}

/// The header of a round that may begin here; whether it is one, its checksum says.
pub(super) fn header(bytes: &[u8]) -> Option<Header> {
    let mut reader = Reader(bytes.get(..HEADER)?);
    if reader.take(MAGIC.len())? != MAGIC {
        return None;
    }
    let (len, round, valid_from) = (reader.u64()?, reader.u64()?, reader.u64()?);
    let header = Header { len: usize::try_from(len).ok()?, round, valid_from, sum: reader.u32()? };
    (header.len >= HEADER && valid_from <= round && round != 0).then_some(header)
}

/// Whether a round is whole.
pub(super) fn is_whole(header: &Header, round: &[u8]) -> bool {
    round.len() == header.len && sum_of(round) == header.sum
}

/// The writes of a round that is whole; ends early where it says what no journal does.
pub(super) fn writes(round: &[u8]) -> impl Iterator<Item = Write<'_>> {
    let mut reader = Reader(round.get(HEADER..).unwrap_or_default());
    std::iter::from_fn(move || {
        let path = std::str::from_utf8(reader.bytes()?).ok()?;
        let offset = reader.varint()?;
        let bytes = reader.bytes()?;
        offset.checked_add(bytes.len() as u64)?;
        is_plain(path).then_some(Write { path, offset, bytes })
    })
}

/// Whether a path stays below the journal's directory.
fn is_plain(path: &str) -> bool {
    path.split('/').all(|part| !matches!(part, "" | "." | "..") && !part.contains('\0'))
}

/// Makes the checksum of a round right, whatever it says. For the fuzzer.
pub(super) fn seal(bytes: &mut [u8]) {
    if bytes.len() < HEADER {
        return;
    }
    bytes[..8].copy_from_slice(&MAGIC);
    let room = bytes.len() as u64;
    let len = u64::from_le_bytes(bytes[8..16].try_into().expect("eight bytes")) % (room + 1);
    let len = len.max(HEADER as u64);
    bytes[8..16].copy_from_slice(&len.to_le_bytes());
    let sum = sum_of(&bytes[..usize::try_from(len).expect("no more than there are")]);
    bytes[32..36].copy_from_slice(&sum.to_le_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(writes: &[Write<'_>]) -> Vec<u8> {
        let mut out = vec![0; HEADER];
        for write in writes {
            let range = write.offset..write.offset + write.bytes.len() as u64;
            push(&mut out, write.path, &range, |into| {
                into.copy_from_slice(write.bytes);
                Ok::<_, ()>(())
            })
            .expect("bytes are there");
        }
        finish(&mut out, 7, 3);
        out
    }

    #[test]
    fn a_round_comes_back() {
        let made = [
            Write { path: "A/streams/S/1.log", offset: 64, bytes: b"some" },
            Write { path: "A/streams/T/2.log", offset: 1 << 40, bytes: &[7; 1000] },
        ];
        let bytes = round(&made);
        assert_eq!(bytes.len() % SECTOR, 0);
        let header = header(&bytes).expect("a header");
        assert_eq!((header.round, header.valid_from), (7, 3));
        assert!(is_whole(&header, &bytes[..header.len]));
        assert_eq!(writes(&bytes[..header.len]).collect::<Vec<_>>(), made);
    }

    #[test]
    fn no_flipped_bit_is_taken_for_a_round() {
        let bytes = round(&[Write { path: "a", offset: 0, bytes: b"b" }]);
        let len = header(&bytes).expect("a header").len;
        for bit in 0..len * 8 {
            let mut bytes = bytes.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let whole = header(&bytes)
                .is_some_and(|header| bytes.get(..header.len).is_some_and(|round| is_whole(&header, round)));
            assert!(!whole, "bit {bit}");
        }
    }

    #[test]
    fn paths_stay_below() {
        for path in ["", "/a", "a/", "a//b", "..", "a/../b", "./a", "a\0"] {
            assert_eq!(writes(&round(&[Write { path, offset: 0, bytes: b"" }])).next(), None, "{path}");
        }
    }
}
