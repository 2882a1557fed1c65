//! The index of a stream's blocks, as a server leaves it when it stops, and now and then before.
//!
//! It counts only if the last block ends as it says. Two bytes say what it is and its form; numbers follow: messages, bytes, the
//! first sequence and its time, the last and its time, the subjects, the blocks, the number of the last block, and eight bytes
//! with which that ended. The last eight bytes are a checksum.

use std::ops::RangeInclusive;

use thiserror::Error;

use super::{AssetKey, Hash, Numbers, SealError, Short};

const MAGIC: u8 = 11;
const FORMS: RangeInclusive<u8> = 1..=4;
const SUM: usize = 8;

/// Why an index is none.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum IndexError {
    /// It is not what was written.
    #[error("the checksum of the index does not match")]
    Checksum,
    /// It is encrypted otherwise.
    #[error("the index: {0}")]
    Seal(#[from] SealError),
    /// It is of a form that is not known.
    #[error("the index begins with {0:02x?}, which is no form that is known")]
    Form([u8; 2]),
    /// It does not go together.
    #[error("the index is damaged at byte {at}")]
    Damaged {
        /// Where.
        at: usize,
    },
}

impl From<Short> for IndexError {
    fn from(short: Short) -> Self {
        Self::Damaged { at: short.at }
    }
}

/// Which messages are there.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Index {
    /// Messages.
    pub messages: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The first sequence.
    pub first_seq: u64,
    /// The last one.
    pub last_seq: u64,
    /// Sequences that are messages, as ranges in order.
    pub(super) there: Vec<RangeInclusive<u64>>,
    /// The last block, and how it ended.
    pub(super) last_block: (u32, [u8; SUM]),
}

impl Index {
    /// Reads the index of a stream with a name, and with the stream's key if it has one.
    pub fn read(stream: &str, bytes: &[u8], key: Option<&AssetKey>) -> Result<Self, IndexError> {
        let (content, sum) = bytes.split_last_chunk::<SUM>().ok_or(IndexError::Checksum)?;
        if Hash::of(stream).sum(&[content]) != *sum {
            return Err(IndexError::Checksum);
        }
        match key {
            Some(key) => Self::content(&key.open(content)?),
            None => Self::content(content),
        }
    }

    fn content(content: &[u8]) -> Result<Self, IndexError> {
        let &[magic, form, ..] = content else { return Err(IndexError::Damaged { at: content.len() }) };
        if magic != MAGIC || !FORMS.contains(&form) {
            return Err(IndexError::Form([magic, form]));
        }
        let mut from = Numbers::new(content, 2);
        let mut index = Self { messages: from.unsigned()?, bytes: from.unsigned()?, ..Self::default() };
        index.first_seq = from.unsigned()?;
        from.signed()?;
        index.last_seq = from.unsigned()?;
        from.signed()?;
        for _ in 0..from.unsigned()? {
            pass_subject(&mut from, form)?;
        }
        for _ in 0..from.unsigned()? {
            index.block(&mut from, form)?;
        }
        let last = from.unsigned()?;
        let last = u32::try_from(last).map_err(|_| IndexError::Damaged { at: from.at })?;
        index.last_block = (last, from.bytes(SUM)?.try_into().expect("eight bytes"));
        Ok(index)
    }

    /// A block: its number, bytes, first and last sequence with their times, messages that are gone, and more by its form.
    fn block(&mut self, from: &mut Numbers<'_>, form: u8) -> Result<(), IndexError> {
        from.unsigned()?;
        from.unsigned()?;
        let first = from.unsigned()?;
        from.signed()?;
        let last = from.unsigned()?;
        from.signed()?;
        let gone = from.unsigned()?;
        for _ in 1..form.min(3) {
            from.unsigned()?;
        }
        let mut deleted = if gone > 0 { deleted(from)? } else { Vec::new() };
        deleted.sort_unstable();
        let damaged = IndexError::Damaged { at: from.at };
        if self.there.last().is_some_and(|before| first <= *before.end() && first <= last) || last == u64::MAX {
            return Err(damaged);
        }
        let mut next = first;
        for seq in deleted.into_iter().filter(|seq| (first..=last).contains(seq)) {
            if next < seq {
                self.there.push(next..=seq - 1);
            }
            next = seq + 1;
        }
        if next <= last {
            self.there.push(next..=last);
        }
        Ok(())
    }

    /// Whether a sequence is a message.
    pub fn is_there(&self, seq: u64) -> bool {
        let at = self.there.partition_point(|range| *range.end() < seq);
        self.there.get(at).is_some_and(|range| *range.start() <= seq)
    }
}

fn pass_subject(from: &mut Numbers<'_>, form: u8) -> Result<(), IndexError> {
    let len = usize::try_from(from.unsigned()?).unwrap_or(usize::MAX);
    if len == 0 {
        return Ok(());
    }
    from.bytes(len)?;
    let messages = from.unsigned()?;
    from.unsigned()?;
    if messages > 1 || form >= 4 {
        from.unsigned()?;
    }
    Ok(())
}

/// Sequences that are gone: nodes of 32 words of bits each, 64 in an earlier form.
fn deleted(from: &mut Numbers<'_>) -> Result<Vec<u64>, IndexError> {
    let at = from.at;
    let words = match from.bytes(2)? {
        [22, 1] => 64,
        [22, 2] => 32,
        _ => return Err(IndexError::Damaged { at }),
    };
    let (nodes, size) = (from.u32()?, from.u32()? as usize);
    let mut deleted = Vec::new();
    for _ in 0..nodes {
        let base = from.u64()?;
        for word in 0..words {
            let mut bits = from.u64()?;
            while bits != 0 {
                let seq = base.checked_add(word * 64 + u64::from(bits.trailing_zeros()));
                deleted.push(seq.ok_or(IndexError::Damaged { at })?);
                bits &= bits - 1;
            }
        }
        from.bytes(2)?;
    }
    if deleted.len() == size { Ok(deleted) } else { Err(IndexError::Damaged { at }) }
}
