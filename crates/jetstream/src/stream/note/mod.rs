//! What the log and the checkpoint say of the stream itself, as bytes.
//!
//! A note begins with the version of its form. Numbers are little-endian; texts have their length before them.
//!
//! Invariant: no bytes make a decoder panic, and a form that is not known is an error that says so.

mod consumers;
mod stored;

use martlet_events::WallTime;
use thiserror::Error;

pub(super) use self::consumers::{begin_progress, write_consumer, write_end};
pub(super) use self::stored::config_of;
use self::stored::json_of;
use super::live::Live;
use crate::config::StreamConfig;

/// The configuration of the stream.
pub(super) const CONFIGURATION: u8 = 1;
/// An id whose message was not kept.
pub(super) const ID: u8 = 2;

/// A consumer, new or with another configuration.
pub(super) const CONSUMER: u8 = 3;
/// A consumer that is no longer.
pub(super) const CONSUMER_GONE: u8 = 4;
/// What a consumer has done.
pub(super) const PROGRESS: u8 = 5;
/// How far a source is, where no message says so.
pub(super) const POSITION: u8 = 6;

const VERSION: u8 = 1;
/// The form of a checkpoint: the first said nothing of sources.
const CHECKPOINT_VERSION: u8 = 2;

/// Why a log makes no stream.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NoteError {
    /// It never says what the stream is.
    #[error("the log holds no configuration of a stream")]
    Nothing,
    /// A note was written by a newer server.
    #[error("a note of kind {kind} has form {version}, which a newer server wrote")]
    Version {
        /// Of the note; 0 is the checkpoint.
        kind: u8,
        /// Of its form.
        version: u8,
    },
    /// A note of a kind that only a newer server writes.
    #[error("a note of kind {kind} is not known; a newer server wrote it")]
    Kind {
        /// Of the note.
        kind: u8,
    },
    /// A note cannot be read.
    #[error("a note of kind {kind} cannot be read: {why}")]
    Malformed {
        /// Of the note; 0 is the checkpoint.
        kind: u8,
        /// What is wrong.
        why: String,
    },
}

/// What a stream is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Configuration {
    pub(super) created: WallTime,
    pub(super) config: StreamConfig,
}

impl Configuration {
    pub(super) fn write(&self, into: &mut Vec<u8>) {
        into.push(VERSION);
        put_number(self.created.as_nanos(), into);
        put_bytes(&json_of(&self.config), into);
    }

    fn read(bytes: &[u8]) -> Result<Self, NoteError> {
        let mut from = Reader::new(CONFIGURATION, bytes)?;
        let created = WallTime::from_nanos(from.number()?);
        let config = config_of(from.bytes()?).map_err(|why| NoteError::Malformed { kind: CONFIGURATION, why })?;
        Ok(Self { created, config })
    }
}

/// Writes an id whose message was not kept.
pub(super) fn write_id(seq: u64, time: WallTime, id: &[u8], into: &mut Vec<u8>) {
    into.push(VERSION);
    put_id(seq, time, id, into);
}

fn put_id(seq: u64, time: WallTime, id: &[u8], into: &mut Vec<u8>) {
    put_number(seq, into);
    put_number(time.as_nanos(), into);
    put_bytes(id, into);
}

/// Writes how far a source is: its index, the origin's sequence and identity.
pub(super) fn write_position(index: &str, seq: u64, identity: &str, into: &mut Vec<u8>) {
    into.push(VERSION);
    put_position(index, seq, identity, into);
}

fn put_position(index: &str, seq: u64, identity: &str, into: &mut Vec<u8>) {
    put_bytes(index.as_bytes(), into);
    put_number(seq, into);
    put_bytes(identity.as_bytes(), into);
}

/// What [`write_position`] wrote.
pub(super) fn read_position(bytes: &[u8]) -> Result<(String, u64, String), NoteError> {
    take_position(&mut Reader::new(POSITION, bytes)?)
}

fn take_position(from: &mut Reader<'_>) -> Result<(String, u64, String), NoteError> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok((text(from.bytes()?), from.number()?, text(from.bytes()?)))
}

/// What a note means for the stream.
pub(super) fn apply(kind: u8, bytes: &[u8], live: &mut Live, is_recovering: bool) -> Result<(), NoteError> {
    match kind {
        CONFIGURATION => live.configure(Configuration::read(bytes)?),
        ID if is_recovering => {
            let mut from = Reader::new(ID, bytes)?;
            let (seq, time) = (from.number()?, WallTime::from_nanos(from.number()?));
            live.remember(seq, time, from.bytes()?);
        }
        CONSUMER | CONSUMER_GONE | PROGRESS if is_recovering => consumers::apply(kind, bytes, live)?,
        POSITION => {
            let (index, seq, identity) = read_position(bytes)?;
            live.positions.set(&index, seq, &identity);
        }
        ID | CONSUMER | CONSUMER_GONE | PROGRESS => {}
        kind => return Err(NoteError::Kind { kind }),
    }
    Ok(())
}

/// Everything that the notes have come to, after the message `last.0`, whose id was `last.1`.
pub(super) fn save(live: &Live, last: (u64, &[u8])) -> Vec<u8> {
    let mut into = vec![CHECKPOINT_VERSION];
    let configuration = Configuration { created: live.created, config: live.config.clone() };
    put_part(&mut into, |into| configuration.write(into));
    put_bytes(last.1, &mut into);
    // Ids are known from admission on; those whose messages are not applied may come to nothing.
    let ids = || live.ids.iter().take_while(|id| id.seq <= last.0);
    put_number(ids().count() as u64, &mut into);
    for id in ids() {
        put_id(id.seq, id.time, &id.text, &mut into);
    }
    put_number(live.to_mark.len() as u64, &mut into);
    for subject in live.to_mark.keys() {
        put_bytes(subject, &mut into);
    }
    put_number(live.schedules.iter().len() as u64, &mut into);
    for (subject, seq, due) in live.schedules.iter() {
        put_id(seq, due, subject, &mut into);
    }
    consumers::save(live, &mut into);
    put_number(live.marked.len() as u64, &mut into);
    live.marked.iter().for_each(|subject| put_bytes(subject, &mut into));
    put_number(live.positions.iter().len() as u64, &mut into);
    for (index, position) in live.positions.iter() {
        put_position(index, position.seq, &position.identity, &mut into);
    }
    into
}

/// Reads what [`save`] wrote.
pub(super) fn load(state: &[u8], live: &mut Live) -> Result<(), NoteError> {
    if state.is_empty() {
        return Ok(());
    }
    let (version, mut from) = Reader::begin(0, state, CHECKPOINT_VERSION)?;
    live.configure(Configuration::read(from.bytes()?)?);
    live.last_id = from.bytes()?.to_vec();
    for _ in 0..from.number()? {
        let (seq, time) = (from.number()?, WallTime::from_nanos(from.number()?));
        live.remember(seq, time, from.bytes()?);
    }
    for _ in 0..from.number()? {
        live.to_mark.insert(from.bytes()?.into(), false);
    }
    for _ in 0..from.number()? {
        let (seq, due) = (from.number()?, WallTime::from_nanos(from.number()?));
        live.schedules.insert(from.bytes()?, seq, due);
    }
    consumers::load(&mut from, live)?;
    for _ in 0..from.number()? {
        live.marked.insert(from.bytes()?.into());
    }
    let positions = if version == 1 { 0 } else { from.number()? };
    for _ in 0..positions {
        let (index, seq, identity) = take_position(&mut from)?;
        live.positions.set(&index, seq, &identity);
    }
    Ok(())
}

/// Writes a number.
pub(super) fn put_number(number: u64, into: &mut Vec<u8>) {
    into.extend_from_slice(&number.to_le_bytes());
}

/// Writes bytes with their length.
pub(super) fn put_bytes(bytes: &[u8], into: &mut Vec<u8>) {
    put_number(bytes.len() as u64, into);
    into.extend_from_slice(bytes);
}

/// Writes what `write` does, with its length.
pub(super) fn put_part(into: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let at = into.len();
    put_number(0, into);
    write(into);
    let len = (into.len() - at - 8) as u64;
    into[at..at + 8].copy_from_slice(&len.to_le_bytes());
}

/// Reads a note.
pub(super) struct Reader<'a> {
    kind: u8,
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Begins behind the version.
    pub(super) fn new(kind: u8, bytes: &'a [u8]) -> Result<Self, NoteError> {
        Self::begin(kind, bytes, VERSION).map(|(_, reader)| reader)
    }

    /// The same where there are several forms, up to `newest`; which one it is.
    fn begin(kind: u8, bytes: &'a [u8], newest: u8) -> Result<(u8, Self), NoteError> {
        match bytes.split_first() {
            Some((&version, rest)) if (1..=newest).contains(&version) => Ok((version, Self { kind, rest })),
            Some((&version, _)) => Err(NoteError::Version { kind, version }),
            None => Err(NoteError::Malformed { kind, why: "it is empty".into() }),
        }
    }

    pub(super) fn number(&mut self) -> Result<u64, NoteError> {
        let (number, rest) = self.rest.split_first_chunk::<8>().ok_or_else(|| self.short())?;
        self.rest = rest;
        Ok(u64::from_le_bytes(*number))
    }

    pub(super) fn bytes(&mut self) -> Result<&'a [u8], NoteError> {
        let len = usize::try_from(self.number()?).unwrap_or(usize::MAX);
        let (bytes, rest) = self.rest.split_at_checked(len).ok_or_else(|| self.short())?;
        self.rest = rest;
        Ok(bytes)
    }

    fn short(&self) -> NoteError {
        NoteError::Malformed { kind: self.kind, why: "it ends too early".into() }
    }
}
