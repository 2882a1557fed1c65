//! An archive as it arrives.

use martlet_proto::s2;
use thiserror::Error;

use crate::ArchiveError;
use crate::entry::{Entries, Entry};
use crate::state::{self, Consumer, ConsumerState, StreamState};

/// What is told of an archive, in the order in which it is there.
#[derive(Debug, PartialEq, Eq)]
pub enum Item<'a> {
    /// What the stream held. It comes first.
    Stream(StreamState),
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
    entries: Entries,
    stage: Stage,
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
        while !bytes.is_empty() && self.stage != Stage::End {
            self.plain.clear();
            bytes = self.compressed.decode(bytes, &mut self.plain).map_err(ArchiveError::from)?;
            self.entries.feed(&self.plain);
            while self.stage != Stage::End
                && let Some(entry) = self.entries.take_next()?
            {
                let item = next(&mut self.stage, &entry)?;
                sink.item(item).map_err(ReadError::Sink)?;
            }
        }
        Ok(())
    }

    /// Whether the archive has said that it is whole.
    pub fn is_whole(&self) -> bool {
        self.stage == Stage::End
    }

    /// There is no more: whether all of it has come.
    pub fn end(&self) -> Result<(), ArchiveError> {
        match self.stage {
            Stage::End => Ok(()),
            Stage::State => Err(ArchiveError::Truncated("nothing of it was received")),
            _ if self.entries.is_within() => Err(ArchiveError::Truncated("it ends within an entry")),
            _ => Err(ArchiveError::Truncated("its last entry, which says that it is whole, is missing")),
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
            Ok(Item::Stream(StreamState::from_json(entry.payload)?))
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
