//! Where a consumer stands, as its file says it.

use super::{Numbers, Short};
use crate::{ArchiveError, ConsumerState, Pair, PendingMessage};

const MAGIC: u8 = 22;
const NANOS: i64 = 1_000_000_000;

/// Reads the file, decrypted.
///
/// Two bytes say what it is and its form. Numbers follow: the floor and the last delivery, each as the consumer and as the
/// stream counts; what waits, with a time in seconds that its times are written by; what was delivered again. Sequences are
/// written from the floor on.
pub fn consumer_state(bytes: &[u8]) -> Result<ConsumerState, ArchiveError> {
    let form = match bytes {
        [MAGIC, form @ 1..=2, ..] => *form,
        _ => return Err(ArchiveError::Damaged { at: 0, why: "a consumer's state is of a form that is not known" }),
    };
    read(&mut Numbers::new(bytes, 2), form).map_err(|short| ArchiveError::Damaged {
        at: short.at as u64,
        why: "a consumer's state ends too early, or says what cannot be",
    })
}

fn read(from: &mut Numbers<'_>, form: u8) -> Result<ConsumerState, Short> {
    let mut pair = || Ok(Pair { consumer_seq: from.unsigned()?, stream_seq: from.unsigned()? });
    let mut state = ConsumerState { ack_floor: pair()?, delivered: pair()?, ..ConsumerState::default() };
    let floor = state.ack_floor;
    if form == 1 {
        // The last delivery was written from the floor on, and as the next.
        let later = |seq: u64, by: u64| if by > 1 { seq.wrapping_add(by - 1) } else { seq };
        state.delivered.consumer_seq = later(state.delivered.consumer_seq, floor.consumer_seq);
        state.delivered.stream_seq = later(state.delivered.stream_seq, floor.stream_seq);
    }
    let waiting = from.unsigned()?;
    let base = if waiting > 0 { from.signed()? } else { 0 };
    for _ in 0..waiting {
        let seq = from.unsigned()?.wrapping_add(floor.stream_seq);
        let sequence = if form == 1 { 0 } else { from.unsigned()?.wrapping_add(floor.consumer_seq) };
        let time = from.signed()?;
        let seconds = if form == 1 { base.wrapping_add(time) } else { base.wrapping_sub(time) };
        if seq == 0 {
            return Err(Short { at: from.at });
        }
        state.pending.insert(seq, PendingMessage { sequence, timestamp: seconds.wrapping_mul(NANOS) });
    }
    // Some files end here.
    let again = if from.at < from.bytes.len() { from.unsigned()? } else { 0 };
    for _ in 0..again {
        let (seq, times) = (from.unsigned()?, from.unsigned()?);
        if seq > 0 && times > 0 {
            state.redelivered.insert(seq.wrapping_add(floor.stream_seq), times);
        }
    }
    Ok(state)
}
