//! An archive as it arrives.

use std::ops::RangeInclusive;

use martlet_proto::s2;
use thiserror::Error;

use crate::ArchiveError;
use crate::entry::{Entries, Entry, MAGIC};
use crate::files::Meta;
use crate::state::{self, Consumer, ConsumerState, StreamState};
use crate::tarred::Tarred;

/// What is told of an archive, in the order in which it is there.
#[derive(Debug, PartialEq, Eq)]
pub enum Item<'a> {
    /// What the stream held; archives of earlier servers say what it was called and when it was made instead. It comes first.
    Stream(StreamState, Option<Meta>),
    /// A consumer: its name, its configuration in JSON, and where it stands.
    Consumer {
        /// Its name.
        name: &'a str,
        /// JSON.
        config: &'a [u8],
        /// Where it stands.
        state: ConsumerState,
    },
    /// A message. Sequences grow.
    Message(Message<'a>),
    /// Messages that were told and have gone, and the last sequence that was in use. Only archives of earlier servers say this.
    Gone {
        /// Sequences.
        ranges: &'a [RangeInclusive<u64>],
        /// The last one.
        last_seq: u64,
    },
    /// That was all; what follows means nothing.
    End,
}

/// A message of an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Message<'a> {
    /// Its number in the stream.
    pub seq: u64,
    /// When it was taken in, in nanoseconds since 1970.
    pub time: i64,
    /// Its subject.
    pub subject: &'a [u8],
    /// Its header section; empty for none.
    pub headers: &'a [u8],
    /// The message without its headers.
    pub payload: &'a [u8],
}

/// Takes what is in an archive.
pub trait Sink {
    /// Why it takes no more.
    type Error;
    /// Takes the next item.
    fn item(&mut self, item: Item<'_>) -> Result<(), Self::Error>;
}

/// Why reading ended.
#[derive(Debug, PartialEq, Eq, Error)]
pub enum ReadError<E> {
    /// Something is wrong with the archive.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// Who takes it takes no more.
    #[error("{0}")]
    Sink(E),
}

/// Reads an archive, compressed as it travels. After an error it is over.
#[derive(Debug, Default)]
pub struct Reader {
    compressed: s2::Decoder,
    plain: Vec<u8>,
    form: Form,
}

/// What an archive turns out to be.
#[derive(Debug)]
enum Form {
    /// Its first bytes, too few to tell.
    Unknown(Vec<u8>),
    Entries(Entries, Stage),
    Tarred(Box<Tarred>),
}

impl Default for Form {
    fn default() -> Self {
        Self::Unknown(Vec::new())
    }
}

/// What may come next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Stage {
    #[default]
    State,
    Consumers,
    Messages,
    End,
}

impl Reader {
    /// Takes the next bytes and tells what they complete.
    pub fn feed<S: Sink>(&mut self, mut bytes: &[u8], sink: &mut S) -> Result<(), ReadError<S::Error>> {
        while !bytes.is_empty() && !self.is_whole() {
            self.plain.clear();
            bytes = self.compressed.decode(bytes, &mut self.plain).map_err(ArchiveError::from)?;
            self.form.feed(&self.plain, sink)?;
        }
        Ok(())
    }

    /// Whether the archive has said that it is whole.
    pub fn is_whole(&self) -> bool {
        match &self.form {
            Form::Unknown(_) => false,
            Form::Entries(_, stage) => *stage == Stage::End,
            Form::Tarred(tarred) => tarred.is_over(),
        }
    }

    /// There is no more: whether all of it has come.
    pub fn end(&self) -> Result<(), ArchiveError> {
        if self.is_whole() {
            return Ok(());
        }
        Err(ArchiveError::Truncated(match &self.form {
            Form::Unknown(_) | Form::Entries(_, Stage::State) => "nothing of it was received",
            Form::Entries(entries, _) if entries.is_within() => "it ends within an entry",
            Form::Entries(..) | Form::Tarred(_) => "its last entry, which says that it is whole, is missing",
        }))
    }
}

impl Form {
    fn feed<S: Sink>(&mut self, plain: &[u8], sink: &mut S) -> Result<(), ReadError<S::Error>> {
        match self {
            Self::Unknown(first) => {
                first.extend_from_slice(plain);
                let Some(magic) = first.first_chunk::<8>() else { return Ok(()) };
                let is_ours = magic == MAGIC;
                let first = std::mem::take(first);
                *self = if is_ours {
                    Self::Entries(Entries::default(), Stage::default())
                } else {
                    Self::Tarred(Box::default())
                };
                self.feed(&first, sink)
            }
            Self::Entries(entries, stage) => {
                entries.feed(plain);
                while *stage != Stage::End
                    && let Some(entry) = entries.take_next()?
                {
                    let item = next(stage, &entry)?;
                    sink.item(item).map_err(ReadError::Sink)?;
                }
                Ok(())
            }
            Self::Tarred(tarred) => tarred.feed(plain, sink),
        }
    }
}

/// What an entry means where it stands.
// spec: JS-123
fn next<'e>(stage: &mut Stage, entry: &Entry<'e>) -> Result<Item<'e>, ArchiveError> {
    let unexpected = |expected| {
        let name = &entry.name[..entry.name.len().min(100)];
        Err(ArchiveError::Unexpected { found: String::from_utf8_lossy(name).into_owned(), expected })
    };
    match *stage {
        Stage::State if entry.name == b"state.json" => {
            *stage = Stage::Consumers;
            Ok(Item::Stream(StreamState::from_json(entry.payload)?, None))
        }
        Stage::State => unexpected("state.json"),
        _ if entry.is_end() => {
            *stage = Stage::End;
            Ok(Item::End)
        }
        _ if entry.seq > 0 => {
            *stage = Stage::Messages;
            let Entry { name: subject, time, seq, headers, payload } = *entry;
            Ok(Item::Message(Message { seq, time, subject, headers, payload }))
        }
        Stage::Consumers => {
            let name = entry.name.strip_prefix(b"consumers/").and_then(|name| std::str::from_utf8(name).ok());
            let Some(name) = name else { return unexpected("a consumer or a message") };
            let Consumer { config, state } = state::decode(&format!("consumers/{name}"), entry.payload)?;
            Ok(Item::Consumer { name, config: config.get().as_bytes(), state })
        }
        _ => unexpected("a message"),
    }
}
