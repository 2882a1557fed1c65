//! A consumer's progress as bytes: deltas between two calls, and everything at once. Both are written in one form.
//!
//! All numbers are little-endian base 128. A form is, after its version and flags: where the consumer stands; the entries
//! behind `base`, which replace all that were there; and of those up to `base` which were acknowledged, and which changed.
//! Everything is said as it is at the time, so that reading a delta twice, or one that a snapshot knows, does no harm.

use martlet_events::Time;
use thiserror::Error;

use super::Now;
use super::dead_letters::{Letter, MAX_REASON, Reason};
use super::pending::{Entry, MAX_PENDING};

const VERSION: u8 = 1;
/// With dead letters at the end. It is written only where there are some to tell.
const VERSION_WITH_LETTERS: u8 = 2;
/// No sequence is as large: that one more can be added is sure everywhere.
const MAX_SEQ: u64 = 1 << 62;
const NANOS_PER_MILLI: u64 = 1_000_000;
/// Deadlines this close to each other are written as one.
const SAME_DEADLINE_MILLIS: u64 = 1_000;

/// Bytes that are no progress of a consumer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ProgressError {
    /// Another version.
    #[error("the consumer's progress has version {0}, which is not known here")]
    Version(u8),
    /// It ends early, goes on too long, or says what cannot be.
    #[error("the consumer's progress is damaged at byte {at}")]
    Damaged {
        /// Where.
        at: usize,
    },
}

/// Where a consumer stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Position {
    /// The next message to look at.
    pub(super) next: u64,
    /// The last message delivered.
    pub(super) delivered: u64,
    /// The consumer's next sequence.
    pub(super) consumer_seq: u64,
    /// All up to this are acknowledged.
    pub(super) floor_seq: u64,
    /// As the consumer counts.
    pub(super) floor_consumer_seq: u64,
    /// The last message of those that are delivered as the last of their subject; 0 if that is over.
    pub(super) resume: u64,
    /// Messages passed over, as they could not be read.
    pub(super) passed_over: u64,
}

/// An entry as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Waits {
    pub(super) seq: u64,
    pub(super) cseq: u64,
    pub(super) deliveries: u32,
    /// In milliseconds since 1970.
    pub(super) deadline: u64,
}

impl Waits {
    pub(super) fn of(entry: &Entry, now: Now) -> Self {
        let Entry { seq, cseq, deliveries, .. } = *entry;
        let left = entry.deadline.as_nanos().saturating_sub(now.time.as_nanos());
        let deadline = now.wall.as_nanos().saturating_add(left);
        Self { seq, cseq, deliveries, deadline: deadline / NANOS_PER_MILLI }
    }

    /// When the wait is over.
    pub(super) fn deadline(&self, now: Now) -> Time {
        let left = self.deadline.saturating_mul(NANOS_PER_MILLI).saturating_sub(now.wall.as_nanos());
        now.time + std::time::Duration::from_nanos(left)
    }
}

/// What is written: one of several forms of progress.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Progress {
    pub(super) position: Position,
    /// Entries behind this are all told.
    pub(super) base: u64,
    /// Entries behind `base`.
    pub(super) waits: Vec<Waits>,
    /// Entries up to `base` that are no longer.
    pub(super) acked: Vec<u64>,
    /// Entries up to `base` that have changed.
    pub(super) changed: Vec<Waits>,
    /// Messages that were delivered as often as they may be, and how often; zero if that is over.
    pub(super) spent: Vec<(u64, u32)>,
    /// Dead letters that wait; nothing for one that is no longer.
    pub(super) letters: Vec<(u64, Option<Letter>)>,
    /// There are no more messages of the last two kinds than are told here.
    pub(super) is_whole: bool,
}

impl Progress {
    /// Writes it.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        let mut writer = Writer(out);
        let version = if self.letters.is_empty() { VERSION } else { VERSION_WITH_LETTERS };
        writer.0.extend_from_slice(&[version, u8::from(self.is_whole)]);
        let Position { next, delivered, consumer_seq, floor_seq, floor_consumer_seq, resume, passed_over } =
            self.position;
        let numbers = [next, delivered, consumer_seq, floor_seq, floor_consumer_seq, resume, passed_over, self.base];
        for number in numbers {
            writer.number(number);
        }
        writer.waits(&self.waits);
        writer.acked(&self.acked);
        writer.waits(&self.changed);
        writer.number(self.spent.len() as u64);
        let mut last = 0;
        for &(seq, deliveries) in &self.spent {
            writer.number(seq - last);
            writer.number(u64::from(deliveries));
            last = seq;
        }
        if version == VERSION_WITH_LETTERS {
            writer.letters(&self.letters);
        }
    }

    /// Reads it.
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, ProgressError> {
        let [version, flags, ..] = *bytes else { return Err(ProgressError::Damaged { at: bytes.len() }) };
        if version != VERSION && version != VERSION_WITH_LETTERS {
            return Err(ProgressError::Version(version));
        }
        let mut reader = Reader { bytes, at: 2 };
        let position = Position {
            next: reader.number()?,
            delivered: reader.number()?,
            consumer_seq: reader.number()?,
            floor_seq: reader.number()?,
            floor_consumer_seq: reader.number()?,
            resume: reader.number()?,
            passed_over: reader.number()?,
        };
        let base = reader.number()?;
        let waits = reader.waits()?;
        let acked = reader.acked()?;
        let changed = reader.waits()?;
        let spent = reader.spent()?;
        let letters = if version == VERSION { Vec::new() } else { reader.letters()? };
        let Position { next, delivered, consumer_seq, floor_seq, floor_consumer_seq, resume, .. } = position;
        let is_too_large =
            [next, delivered, consumer_seq, floor_seq, floor_consumer_seq, resume].iter().any(|&n| n > MAX_SEQ);
        if reader.at < bytes.len() || flags > 1 || consumer_seq == 0 || next == 0 || is_too_large {
            return Err(reader.damaged());
        }
        Ok(Self { position, base, waits, acked, changed, spent, letters, is_whole: flags == 1 })
    }
}

struct Writer<'a>(&'a mut Vec<u8>);

impl Writer<'_> {
    fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0.push((number & 0x7f) as u8 | 0x80);
            number >>= 7;
        }
        self.0.push((number & 0x7f) as u8);
    }

    fn signed(&mut self, number: i64) {
        self.number((number.wrapping_shl(1) ^ (number >> 63)).cast_unsigned());
    }

    /// Runs of entries whose sequences follow each other, and that have the rest in common.
    fn waits(&mut self, waits: &[Waits]) {
        let follows = |a: &Waits, b: &Waits| {
            a.seq.checked_add(1) == Some(b.seq) && a.cseq.checked_add(1) == Some(b.cseq) && a.deliveries == b.deliveries
        };
        let mut last = Waits { seq: 0, cseq: 0, deliveries: 0, deadline: 0 };
        let mut rest = waits;
        while let Some(first) = rest.first() {
            let mut len = 1;
            while rest.get(len).is_some_and(|next| {
                follows(&rest[len - 1], next) && next.deadline.abs_diff(first.deadline) < SAME_DEADLINE_MILLIS
            }) {
                len += 1;
            }
            self.number(len as u64);
            self.number(first.seq - last.seq);
            self.signed(first.cseq.wrapping_sub(last.cseq).cast_signed());
            self.number(u64::from(first.deliveries));
            self.signed(first.deadline.wrapping_sub(last.deadline).cast_signed());
            last = Waits { deadline: first.deadline, ..rest[len - 1] };
            rest = &rest[len..];
        }
        self.number(0);
    }

    /// Deliveries are zero for a letter that is no longer. A reason is a length and one more; zero is that of most.
    fn letters(&mut self, letters: &[(u64, Option<Letter>)]) {
        self.number(letters.len() as u64);
        let mut last = 0;
        for (seq, letter) in letters {
            self.number(seq - last);
            last = *seq;
            let Some(letter) = letter else {
                self.number(0);
                continue;
            };
            self.number(u64::from(letter.deliveries));
            self.number(letter.died);
            match &letter.reason {
                Reason::Exhausted => self.number(0),
                Reason::Terminated(words) => {
                    self.number(words.len() as u64 + 1);
                    self.0.extend_from_slice(words);
                }
            }
        }
    }

    fn acked(&mut self, acked: &[u64]) {
        let mut last = 0;
        let mut rest = acked;
        while let Some(&first) = rest.first() {
            let mut len = 1;
            while rest.get(len).is_some_and(|&next| Some(next) == rest[len - 1].checked_add(1)) {
                len += 1;
            }
            self.number(len as u64);
            self.number(first - last);
            last = rest[len - 1];
            rest = &rest[len..];
        }
        self.number(0);
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn damaged(&self) -> ProgressError {
        ProgressError::Damaged { at: self.at }
    }

    fn number(&mut self) -> Result<u64, ProgressError> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = *self.bytes.get(self.at).ok_or_else(|| self.damaged())?;
            self.at += 1;
            let part = u64::from(byte & 0x7f);
            if shift == 63 && part > 1 {
                return Err(self.damaged());
            }
            number |= part << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(self.damaged())
    }

    fn signed(&mut self) -> Result<i64, ProgressError> {
        let number = self.number()?;
        Ok((number >> 1).cast_signed() ^ -(number & 1).cast_signed())
    }

    fn small(&mut self) -> Result<u32, ProgressError> {
        let number = self.number()?;
        u32::try_from(number).map_err(|_| self.damaged())
    }

    /// The length of a run, if `total` with it is not more than there may be.
    fn run(&mut self, total: usize) -> Result<Option<u64>, ProgressError> {
        let len = self.number()?;
        if len > (MAX_PENDING - total.min(MAX_PENDING)) as u64 {
            return Err(self.damaged());
        }
        Ok(Some(len).filter(|&len| len > 0))
    }

    fn waits(&mut self) -> Result<Vec<Waits>, ProgressError> {
        let mut waits = Vec::new();
        let (mut seq, mut cseq, mut deadline) = (0_u64, 0_u64, 0_u64);
        while let Some(len) = self.run(waits.len())? {
            let gap = self.number()?;
            seq = seq.checked_add(gap).filter(|_| gap > 0).ok_or_else(|| self.damaged())?;
            cseq = cseq.wrapping_add(self.signed()?.cast_unsigned());
            let deliveries = self.small()?;
            deadline = deadline.wrapping_add(self.signed()?.cast_unsigned());
            if seq > MAX_SEQ || !(1..MAX_SEQ).contains(&cseq) {
                return Err(self.damaged());
            }
            waits.extend((0..len).map(|n| Waits { seq: seq + n, cseq: cseq + n, deliveries, deadline }));
            (seq, cseq) = (seq + len - 1, cseq + len - 1);
        }
        Ok(waits)
    }

    fn acked(&mut self) -> Result<Vec<u64>, ProgressError> {
        let mut acked = Vec::new();
        let mut seq = 0_u64;
        while let Some(len) = self.run(acked.len())? {
            let gap = self.number()?;
            seq = seq.checked_add(gap).filter(|_| gap > 0).ok_or_else(|| self.damaged())?;
            let end = seq.checked_add(len).ok_or_else(|| self.damaged())?;
            acked.extend(seq..end);
            seq = end - 1;
        }
        Ok(acked)
    }

    fn spent(&mut self) -> Result<Vec<(u64, u32)>, ProgressError> {
        let mut spent = Vec::new();
        let mut seq = 0_u64;
        for _ in 0..self.number()? {
            seq = seq.checked_add(self.number()?).ok_or_else(|| self.damaged())?;
            spent.push((seq, self.small()?));
        }
        Ok(spent)
    }

    fn letters(&mut self) -> Result<Vec<(u64, Option<Letter>)>, ProgressError> {
        let mut letters = Vec::new();
        let mut seq = 0_u64;
        for _ in 0..self.number()? {
            seq = seq.checked_add(self.number()?).ok_or_else(|| self.damaged())?;
            let letter = match self.small()? {
                0 => None,
                deliveries => {
                    let died = self.number()?;
                    Some(Letter::new(deliveries, self.reason()?, died))
                }
            };
            letters.push((seq, letter));
        }
        Ok(letters)
    }

    fn reason(&mut self) -> Result<Reason, ProgressError> {
        let Some(len) = self.small()?.checked_sub(1) else { return Ok(Reason::Exhausted) };
        let len = len as usize;
        let words = self.bytes.get(self.at..).and_then(|rest| rest.get(..len)).filter(|_| len <= MAX_REASON);
        let words = words.ok_or_else(|| self.damaged())?;
        self.at += len;
        Ok(Reason::Terminated(words.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn letters() -> impl Strategy<Value = Vec<(u64, Option<Letter>)>> {
        let reason = prop_oneof![
            Just(Reason::Exhausted),
            proptest::collection::vec(any::<u8>(), 0..9).prop_map(|words| Reason::Terminated(words.into())),
        ];
        let letter = proptest::option::of((1..9_u32, reason, any::<u64>()));
        proptest::collection::btree_map(1..1_000_u64, letter, 0..5).prop_map(|letters| {
            letters
                .into_iter()
                .map(|(seq, of)| (seq, of.map(|(n, reason, died)| Letter::new(n, reason, died))))
                .collect()
        })
    }

    fn waits() -> impl Strategy<Value = Vec<Waits>> {
        proptest::collection::btree_map(1..200_u64, (1..50_u64, 1..4_u32, 1_000_000..1_000_100_u64), 0..60).prop_map(
            |entries| {
                let mut millis = 0;
                let entries = entries.into_iter().map(|(seq, (cseq, deliveries, _))| {
                    millis += 10_000;
                    Waits { seq, cseq, deliveries, deadline: millis }
                });
                entries.collect()
            },
        )
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            numbers in proptest::array::uniform8(1..MAX_SEQ),
            waits in waits(),
            changed in waits(),
            acked in proptest::collection::btree_set(1..1_000_u64, 0..100),
            spent in proptest::collection::btree_map(1..1_000_u64, 0..9_u32, 0..20),
            letters in letters(),
            is_whole in any::<bool>(),
        ) {
            let [next, delivered, consumer_seq, floor_seq, floor_consumer_seq, resume, passed_over, base] = numbers;
            let progress = Progress {
                position: Position { next, delivered, consumer_seq, floor_seq, floor_consumer_seq, resume, passed_over },
                base,
                waits,
                changed,
                acked: acked.into_iter().collect(),
                spent: spent.into_iter().collect(),
                letters,
                is_whole,
            };
            let mut bytes = Vec::new();
            progress.encode(&mut bytes);
            prop_assert_eq!(Progress::decode(&bytes), Ok(progress));
            let len = usize::try_from(next).unwrap_or(0) % bytes.len();
            prop_assert!(Progress::decode(&bytes[..len]).is_err());
        }

        #[test]
        fn any_bytes_are_read_without_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = Progress::decode(&bytes);
            for known in [VERSION, VERSION_WITH_LETTERS] {
                if let Some(version) = bytes.first_mut() {
                    *version = known;
                }
                let _ = Progress::decode(&bytes);
            }
        }
    }

    #[test]
    fn a_run_is_a_few_bytes() {
        let waits =
            (1..=1_000).map(|n| Waits { seq: n + 5_000, cseq: n, deliveries: 1, deadline: 1_800_000_000_000 + n / 2 });
        let progress = Progress { waits: waits.collect(), acked: (1..4_000).collect(), ..Progress::default() };
        let mut bytes = Vec::new();
        progress.encode(&mut bytes);
        assert!(bytes.len() < 40, "{}", bytes.len());
    }
}
