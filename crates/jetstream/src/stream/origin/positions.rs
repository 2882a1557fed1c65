//! How far each source has been copied: said by the messages themselves, and by notes where one was not kept.
//!
//! Invariant: a position is applied with the message it belongs to, or with its note; so none is ahead of what is durable.

use std::collections::BTreeMap;

use super::header::Provenance;

/// How far a source has been copied.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in crate::stream) struct Position {
    /// The last sequence of the origin.
    pub(in crate::stream) seq: u64,
    /// Which stream of that name it was; empty where it did not say.
    pub(in crate::stream) identity: String,
}

/// How far all sources have been copied, by their index. Sources that are not configured any more are remembered, in case
/// they come back.
#[derive(Debug, Default)]
pub(in crate::stream) struct Positions(BTreeMap<String, Position>);

impl Positions {
    /// A message says where it comes from.
    pub(in crate::stream) fn note(&mut self, provenance: &Provenance<'_>) {
        let key = match &provenance.index {
            Ok(index) => index,
            Err(stream) => *stream,
        };
        self.set(key, provenance.seq, provenance.identity);
    }

    /// A source has been copied up to here.
    pub(in crate::stream) fn set(&mut self, index: &str, seq: u64, identity: &str) {
        if let Some(position) = self.0.get_mut(index) {
            position.seq = seq;
            if position.identity != identity {
                identity.clone_into(&mut position.identity);
            }
        } else {
            self.0.insert(index.to_owned(), Position { seq, identity: identity.to_owned() });
        }
    }

    /// Where a source is: by its index, or, as older servers wrote it, by its stream.
    pub(in crate::stream) fn get(&self, index: &str, origin: &str) -> Option<&Position> {
        self.0.get(index).or_else(|| self.0.get(origin))
    }

    /// All of them.
    pub(in crate::stream) fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Position)> {
        self.0.iter().map(|(index, position)| (index.as_str(), position))
    }
}
