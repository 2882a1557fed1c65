//! Notes about consumers.

use martlet_events::WallTime;

use super::stored::{consumer_of, json_of_consumer};
use super::{CONSUMER, CONSUMER_GONE, NoteError, PROGRESS, Reader, VERSION, put_bytes, put_number, put_part};
use crate::config::ConsumerConfig;
use crate::consumer::{Consumer, ProgressError};
use crate::stream::consumers::Slot;
use crate::stream::live::Live;

/// A consumer: since when it is there, and whether its name was made up. Without a snapshot it is one that there is already, with another configuration.
pub(in crate::stream) fn write_consumer(
    config: &ConsumerConfig,
    origin: (WallTime, bool),
    into: &mut Vec<u8>,
    snapshot: impl FnOnce(&mut Vec<u8>),
) {
    into.push(VERSION);
    put_consumer(config, origin, into, snapshot);
}

/// A consumer is no longer.
pub(in crate::stream) fn write_end(name: &str, into: &mut Vec<u8>) {
    into.push(VERSION);
    put_bytes(name.as_bytes(), into);
}

/// What a consumer has done: its [part](super::put_part) follows.
pub(in crate::stream) fn begin_progress(name: &str, into: &mut Vec<u8>) {
    into.push(VERSION);
    put_bytes(name.as_bytes(), into);
}

fn put_consumer(
    config: &ConsumerConfig,
    origin: (WallTime, bool),
    into: &mut Vec<u8>,
    snapshot: impl FnOnce(&mut Vec<u8>),
) {
    put_number(origin.0.as_nanos(), into);
    put_number(u64::from(origin.1), into);
    put_bytes(&json_of_consumer(config), into);
    put_part(into, snapshot);
}

/// What a note about a consumer means, when the log is read again.
pub(super) fn apply(kind: u8, bytes: &[u8], live: &mut Live) -> Result<(), NoteError> {
    let mut from = Reader::new(kind, bytes)?;
    match kind {
        CONSUMER => read(&mut from, live)?,
        CONSUMER_GONE => {
            live.consumers.remove(&name(&mut from)?);
        }
        _ => {
            let name = name(&mut from)?;
            let delta = from.bytes()?;
            if let Some(key) = live.consumers.key(&name) {
                let applied = live.consumers.change(key, |slot| slot.consumer.apply(delta)).unwrap_or(Ok(()));
                applied.map_err(|error| malformed(PROGRESS, &error))?;
            }
        }
    }
    Ok(())
}

/// All consumers.
pub(super) fn save(live: &Live, into: &mut Vec<u8>) {
    let standing = || live.consumers.iter().filter(|slot| slot.stands);
    put_number(standing().count() as u64, into);
    for Slot { consumer, created, is_unnamed, .. } in standing() {
        put_consumer(consumer.config(), (*created, *is_unnamed), into, |into| consumer.snapshot(into));
    }
}

/// Reads what [`save`] wrote.
pub(super) fn load(from: &mut Reader<'_>, live: &mut Live) -> Result<(), NoteError> {
    for _ in 0..from.number()? {
        read(from, live)?;
    }
    Ok(())
}

fn read(from: &mut Reader<'_>, live: &mut Live) -> Result<(), NoteError> {
    let origin = (WallTime::from_nanos(from.number()?), from.number()? != 0);
    let config = consumer_of(from.bytes()?).map_err(|why| NoteError::Malformed { kind: CONSUMER, why })?;
    let snapshot = from.bytes()?;
    let mut known = Vec::new();
    let ((created, is_unnamed), snapshot) = match live.consumers.find(&config.name) {
        Some(slot) if snapshot.is_empty() => {
            slot.consumer.snapshot(&mut known);
            ((slot.created, slot.is_unnamed), &*known)
        }
        _ => (origin, snapshot),
    };
    let consumer = Consumer::restore(config, created, &live.config, live.now(), snapshot);
    live.consumers.insert(Slot::new(consumer.map_err(|error| malformed(CONSUMER, &error))?, created, is_unnamed));
    Ok(())
}

fn name(from: &mut Reader<'_>) -> Result<String, NoteError> {
    Ok(String::from_utf8_lossy(from.bytes()?).into_owned())
}

fn malformed(kind: u8, error: &ProgressError) -> NoteError {
    NoteError::Malformed { kind, why: error.to_string() }
}
