//! What a stream and its consumers held, as archives say it in JSON.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::ArchiveError;

/// What a stream held.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
pub struct StreamState {
    /// Messages.
    pub messages: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The first sequence.
    pub first_seq: u64,
    /// The last sequence.
    pub last_seq: u64,
    /// Its consumers, as far as they are in the archive.
    pub consumer_count: u64,
}

/// A place in the deliveries of a consumer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Pair {
    /// As the consumer counts.
    pub consumer_seq: u64,
    /// As the stream counts.
    pub stream_seq: u64,
}

/// Where a consumer stands.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ConsumerState {
    /// The last delivery.
    pub delivered: Pair,
    /// All up to this are acknowledged.
    pub ack_floor: Pair,
    /// What waits for acknowledgement, by its sequence in the stream.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "or_none")]
    pub pending: BTreeMap<u64, PendingMessage>,
    /// How often messages were delivered again; of those that do not wait: how often they were delivered.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "or_none")]
    pub redelivered: BTreeMap<u64, u64>,
    /// Dead letters that wait for somebody to have them: Martlet's own, which other servers pass over.
    #[serde(rename = "martlet_dead_letters", skip_serializing_if = "Vec::is_empty")]
    pub letters: Vec<DeadLetter>,
}

/// A dead letter.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct DeadLetter {
    /// The message's sequence.
    pub seq: u64,
    /// How often it was delivered.
    pub deliveries: u64,
    /// When it died, in milliseconds since 1970.
    pub died: u64,
    /// What the subscriber said that gave it up; nothing if it was delivered as often as it may be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub terminated: Option<String>,
}

/// A message that waits for acknowledgement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct PendingMessage {
    /// The consumer's sequence of its first delivery.
    pub sequence: u64,
    /// When it was delivered last, in nanoseconds since 1970.
    pub timestamp: i64,
}

/// A list that may be `null`.
fn or_none<'d, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: serde::Deserializer<'d>,
    T: Deserialize<'d> + Default,
{
    Option::<T>::deserialize(deserializer).map(Option::unwrap_or_default)
}

impl StreamState {
    /// Reads it.
    pub fn from_json(json: &[u8]) -> Result<Self, ArchiveError> {
        decode("state.json", json)
    }
}

/// A consumer, as an archive has it.
#[derive(Debug, Deserialize)]
pub(crate) struct Consumer<'a> {
    #[serde(borrow)]
    pub(crate) config: &'a serde_json::value::RawValue,
    pub(crate) state: ConsumerState,
}

pub(crate) fn decode<'j, T: Deserialize<'j>>(what: &str, json: &'j [u8]) -> Result<T, ArchiveError> {
    serde_json::from_slice(json).map_err(|error| ArchiveError::Json { what: what.to_owned(), why: error.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_consumer_of_another_server_is_read_and_written() {
        // spec: JS-123
        let json = br#"{"config":{"durable_name":"c"},"state":{"delivered":{"consumer_seq":6,"stream_seq":22},"ack_floor":{"consumer_seq":1,"stream_seq":2},"pending":{"7":{"Sequence":2,"Timestamp":1795957766884333876}},"redelivered":{"7":1}}}"#;
        let consumer: Consumer<'_> = decode("consumers/c", json).expect("read");
        assert_eq!(consumer.config.get(), r#"{"durable_name":"c"}"#);
        let waits = PendingMessage { sequence: 2, timestamp: 1_795_957_766_884_333_876 };
        let state = ConsumerState {
            delivered: Pair { consumer_seq: 6, stream_seq: 22 },
            ack_floor: Pair { consumer_seq: 1, stream_seq: 2 },
            pending: BTreeMap::from([(7, waits)]),
            redelivered: BTreeMap::from([(7, 1)]),
            letters: Vec::new(),
        };
        assert_eq!(consumer.state, state);
        let text = serde_json::to_string(&state).expect("text");
        assert!(std::str::from_utf8(json).expect("text").contains(&text), "{text}");
        let none: ConsumerState = decode("c", br#"{"pending":null}"#).expect("read");
        assert_eq!(none, ConsumerState::default());
        let exhausted = DeadLetter { seq: 3, deliveries: 5, died: 1_795_957_766_884, terminated: None };
        let given_up = DeadLetter { seq: 4, terminated: Some("no use".to_owned()), ..exhausted.clone() };
        let letters = ConsumerState { letters: vec![exhausted, given_up], ..state };
        let text = serde_json::to_vec(&letters).expect("text");
        assert_eq!(decode::<ConsumerState>("c", &text).expect("read"), letters);
    }
}
