//! What a clean stop leaves: what each subject has, so that the next start need not put it together from segments.
//!
//! It belongs to one checkpoint. Where that is another, it is as if it were not there.
//!
//! Invariant: nothing is in it that the log does not say, too.

use super::checkpoint::{PREFIX, complete, open_body, read_all};
use super::walk::may_be_torn;
use crate::codec::{Reader, put_bytes, put_varint};
use crate::disk::Disk;
use crate::index::Index;
use crate::seal::Vault;

/// The first bytes of the file.
const MAGIC: [u8; 8] = *b"MartSub\x01";
/// The first bytes of one that is encrypted.
const SEALED: [u8; 8] = *b"MartSub\x02";
/// Its name.
pub(crate) const NAME: &str = "subjects";

/// What each subject has as of the checkpoint of a generation.
pub(crate) fn encode(generation: u64, index: &Index, vault: Option<&Vault>) -> Vec<u8> {
    let mut out = vec![0; PREFIX];
    put_varint(&mut out, generation);
    put_varint(&mut out, index.subject_count());
    let mut last: Vec<u8> = Vec::new();
    index.for_each_raw(&mut |subject, [first, last_seq, messages]| {
        let shared = subject.iter().zip(&last).take_while(|(a, b)| a == b).count();
        put_varint(&mut out, shared as u64);
        put_bytes(&mut out, &subject[shared..]);
        // Two bits at the top of the number are marks: at the bottom they take less room.
        for number in [first, last_seq.wrapping_sub(first), messages.rotate_left(2)] {
            put_varint(&mut out, number);
        }
        last.truncate(shared);
        last.extend_from_slice(&subject[shared..]);
    });
    complete(out, [MAGIC, SEALED], vault)
}

/// Puts in what the file says, if it is of that generation; whether it is. Says so if it is damaged.
pub(crate) fn restore(
    disk: &dyn Disk,
    generation: u64,
    vault: Option<&Vault>,
    index: &mut Index,
) -> Result<bool, &'static str> {
    let Ok(bytes) = disk.open(NAME).and_then(|file| read_all(&*file)) else { return Ok(false) };
    // One in plain says nothing of whether everything is encrypted.
    let magic = if vault.is_some() { [SEALED, SEALED] } else { [MAGIC, SEALED] };
    let is_plain = bytes.get(..8) == Some(&MAGIC);
    let body = match open_body(&bytes, magic, vault) {
        Ok(body) => body,
        // It may have been cut off by the power, or be from before there was a key.
        Err(_) if bytes.len() < PREFIX || may_be_torn(&bytes, 0, bytes.len()) => return Ok(false),
        Err(_) if vault.is_some() && is_plain => return Ok(false),
        Err(why) => return Err(why),
    };
    let mut reader = Reader(&body);
    if reader.varint() != Some(generation) {
        return Ok(false);
    }
    // What is read now has been checked as a whole.
    put_in(&mut reader, index).map(|()| true).ok_or("is damaged")
}

fn put_in(reader: &mut Reader<'_>, index: &mut Index) -> Option<()> {
    let (mut subject, mut left) = (Vec::new(), index.state().messages);
    for _ in 0..reader.count()? {
        let shared = usize::try_from(reader.varint()?).ok()?;
        subject.truncate(shared);
        subject.extend_from_slice(reader.bytes()?);
        let first = reader.varint()?;
        let last = first.wrapping_add(reader.varint()?);
        let messages = index.restore_raw(&subject, [first, last, reader.varint()?.rotate_right(2)])?;
        left = left.checked_sub(messages)?;
    }
    // Each message has one.
    (left == 0).then_some(())
}
