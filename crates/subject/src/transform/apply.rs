//! Applying a transform to one subject.

use super::Transform;
use super::function::{Cut, CutKind, Piece};
use crate::pattern::{SEPARATOR, tokens};

const FNV_OFFSET: u32 = 0x811c_9dc5;
const FNV_PRIME: u32 = 0x0100_0193;

impl Transform {
    /// Appends what `subject` becomes to `out`, or gives `false` and leaves `out` alone if the source does not select
    /// it. `random(n)` is asked for a number below `n`.
    pub fn apply(&self, subject: &[u8], random: &mut dyn FnMut(u32) -> u32, out: &mut Vec<u8>) -> bool {
        if !self.selects(subject) {
            return false;
        }
        self.write(subject, random, out);
        true
    }

    /// Writes what `subject` becomes, without a look at the source.
    pub(crate) fn write(&self, subject: &[u8], random: &mut dyn FnMut(u32) -> u32, out: &mut Vec<u8>) {
        let mut first = true;
        for piece in &self.pieces {
            if !std::mem::take(&mut first) {
                out.push(SEPARATOR);
            }
            piece.write(subject, random, out);
        }
        // spec: CORE-121
        if let Some(from) = self.tail_from {
            for token in tokens(subject).skip(from) {
                if !std::mem::take(&mut first) {
                    out.push(SEPARATOR);
                }
                out.extend_from_slice(token);
            }
        }
    }
}

impl Piece {
    // spec: CORE-115
    fn write(&self, subject: &[u8], random: &mut dyn FnMut(u32) -> u32, out: &mut Vec<u8>) {
        match self {
            Self::Literal(text) => out.extend_from_slice(text),
            Self::Token { place } => out.extend_from_slice(token_at(subject, *place)),
            Self::Cut { place, cut } => cut.write(token_at(subject, *place), out),
            Self::Split { place, delimiter } => write_split(token_at(subject, *place), delimiter, out),
            Self::Partition { buckets, places } => {
                let bucket = partition(subject, places).checked_rem(*buckets).unwrap_or(0);
                out.extend_from_slice(bucket.to_string().as_bytes());
            }
            // spec: CORE-117
            Self::Random { ceiling } => {
                let roll = if *ceiling == 0 { 0 } else { random(*ceiling) };
                out.extend_from_slice(roll.to_string().as_bytes());
            }
        }
    }
}

/// FNV-1a over the tokens without their dots, or over the whole subject with them.
// spec: CORE-116
fn partition(subject: &[u8], places: &[i64]) -> u32 {
    if places.is_empty() {
        return fnv1a(FNV_OFFSET, subject);
    }
    places.iter().fold(FNV_OFFSET, |hash, place| fnv1a(hash, token_at(subject, *place)))
}

fn fnv1a(hash: u32, bytes: &[u8]) -> u32 {
    bytes.iter().fold(hash, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(FNV_PRIME))
}

fn token_at(subject: &[u8], place: i64) -> &[u8] {
    usize::try_from(place).ok().and_then(|place| tokens(subject).nth(place)).unwrap_or_default()
}

impl Cut {
    /// A length out of the token's range leaves the token as it is.
    // spec: CORE-119 CORE-120
    fn write(self, token: &[u8], out: &mut Vec<u8>) {
        let at = usize::try_from(self.at).unwrap_or(0);
        if at == 0 || at >= token.len() {
            out.extend_from_slice(token);
            return;
        }
        let from_right = token.len() - at;
        match self.kind {
            CutKind::SplitFromLeft => join(out, [&token[..at], &token[at..]]),
            CutKind::SplitFromRight => join(out, [&token[..from_right], &token[from_right..]]),
            CutKind::SliceFromLeft => join(out, token.chunks(at)),
            CutKind::SliceFromRight => {
                let (remainder, rest) = token.split_at(token.len() % at);
                join(out, (!remainder.is_empty()).then_some(remainder).into_iter().chain(rest.chunks(at)));
            }
            CutKind::Left => out.extend_from_slice(&token[..at]),
            CutKind::Right => out.extend_from_slice(&token[from_right..]),
        }
    }
}

fn join<'p>(out: &mut Vec<u8>, pieces: impl IntoIterator<Item = &'p [u8]>) {
    for (i, piece) in pieces.into_iter().enumerate() {
        if i > 0 {
            out.push(SEPARATOR);
        }
        out.extend_from_slice(piece);
    }
}

/// The pieces of `token` between delimiters, without empty ones. One delimiter in front is swallowed; more than one
/// leaves an empty token in front, and so a subject that nothing selects.
// spec: CORE-118
fn write_split(token: &[u8], delimiter: &[u8], out: &mut Vec<u8>) {
    let mut first_was_empty = false;
    for (i, piece) in (Pieces { rest: Some(token), delimiter }).enumerate() {
        if i == 0 {
            first_was_empty = piece.is_empty();
        } else if !(piece.is_empty() || (i == 1 && first_was_empty)) {
            out.push(SEPARATOR);
        }
        out.extend_from_slice(piece);
    }
}

/// Splits like text is split elsewhere: at every delimiter, and between characters if the delimiter is empty.
struct Pieces<'t> {
    rest: Option<&'t [u8]>,
    delimiter: &'t [u8],
}

impl<'t> Iterator for Pieces<'t> {
    type Item = &'t [u8];

    fn next(&mut self) -> Option<&'t [u8]> {
        let rest = self.rest?;
        if self.delimiter.is_empty() {
            let end = character_len(rest);
            self.rest = (end < rest.len()).then(|| &rest[end..]);
            return Some(&rest[..end]);
        }
        let Some(at) = rest.windows(self.delimiter.len()).position(|w| w == self.delimiter) else {
            self.rest = None;
            return Some(rest);
        };
        self.rest = Some(&rest[at + self.delimiter.len()..]);
        Some(&rest[..at])
    }
}

/// The length of the first UTF-8 character, or of one byte that begins none.
fn character_len(text: &[u8]) -> usize {
    let longest = text.len().min(4);
    (1..=longest).find(|len| std::str::from_utf8(&text[..*len]).is_ok()).unwrap_or(longest.min(1))
}
