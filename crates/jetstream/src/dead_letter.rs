//! Where the dead letters of a consumer go: messages that were delivered as often as they may be, or that a subscriber gave up.
//!
//! It is an entry of the consumer's metadata, or of its stream's for all consumers that have none of their own. The reference
//! knows no dead letters: whoever sets no such entry sees nothing of them. `docs/dead-letters.md` tells users.

use std::collections::BTreeMap;

use martlet_subject::{is_valid_literal, overlaps};
use thiserror::Error;

use crate::config::{ConsumerConfig, StreamConfig};

/// The entry of the metadata: a subject, or empty for none although the stream has one.
pub const KEY: &str = "martlet.dead_letter";

/// Why dead letters cannot go to a subject.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DeadLetterError {
    /// It is no subject.
    #[error("metadata {KEY:?}: {0:?} is no subject without wildcards")]
    Subject(String),
    /// It belongs to the system.
    #[error("metadata {KEY:?}: {0:?} begins with \"$\", where only the server publishes")]
    System(String),
    /// The letters would come back as messages.
    #[error("metadata {KEY:?}: {subject:?} goes to stream {stream:?} itself; dead letters need another one")]
    Loop {
        /// Where they were to go.
        subject: String,
        /// The stream they come from.
        stream: String,
    },
}

/// Where the dead letters of a consumer go.
pub fn target<'c>(stream: &'c StreamConfig, consumer: &'c ConsumerConfig) -> Option<&'c str> {
    let subject = of(&consumer.metadata).or_else(|| of(&stream.metadata)).filter(|subject| !subject.is_empty())?;
    // What has been refused can still be there: the stream may listen to more than when the consumer was made.
    check_subject(subject, stream).is_ok().then_some(subject)
}

/// What the metadata of a stream or of a consumer say.
pub fn of(metadata: &BTreeMap<String, String>) -> Option<&str> {
    metadata.get(KEY).map(String::as_str)
}

/// Whether dead letters may go where the metadata of a stream, or of one of its consumers, say.
pub fn check(metadata: &BTreeMap<String, String>, stream: &StreamConfig) -> Result<(), DeadLetterError> {
    check_subject(of(metadata).unwrap_or_default(), stream)
}

/// Whether dead letters of a stream may go to a subject; to none, if it is empty.
pub(crate) fn check_subject(subject: &str, stream: &StreamConfig) -> Result<(), DeadLetterError> {
    if subject.is_empty() {
        return Ok(());
    }
    if !is_valid_literal(subject.as_bytes()) {
        return Err(DeadLetterError::Subject(subject.to_owned()));
    }
    if subject.starts_with('$') {
        return Err(DeadLetterError::System(subject.to_owned()));
    }
    if stream.subjects.iter().any(|own| overlaps(own.as_bytes(), subject.as_bytes())) {
        return Err(DeadLetterError::Loop { subject: subject.to_owned(), stream: stream.name.clone() });
    }
    Ok(())
}

/// Where whoever has a dead letter says so: `$JS.DEAD.<stream>.<consumer>.<seq>.<when it died>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReceiptSubject<'a> {
    /// The consumer.
    pub consumer: &'a str,
    /// The message's sequence in the stream.
    pub seq: u64,
    /// When it died, in milliseconds since 1970.
    pub died: u64,
}

impl<'a> ReceiptSubject<'a> {
    /// Reads one.
    pub fn parse(subject: &'a [u8]) -> Option<Self> {
        let mut tokens = std::str::from_utf8(subject).ok()?.strip_prefix("$JS.DEAD.")?.split('.').skip(1);
        let consumer = tokens.next()?;
        let (seq, died) = (tokens.next()?.parse().ok()?, tokens.next()?.parse().ok()?);
        tokens.next().is_none().then_some(Self { consumer, seq, died })
    }
}

/// All receipts of a stream, or of one of its consumers.
pub fn receipts(stream: &str, consumer: Option<&str>) -> String {
    match consumer {
        Some(consumer) => format!("$JS.DEAD.{stream}.{consumer}.>"),
        None => format!("$JS.DEAD.{stream}.>"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metadata(subject: &str) -> BTreeMap<String, String> {
        BTreeMap::from([(KEY.to_owned(), subject.to_owned())])
    }

    #[test]
    fn a_consumers_own_entry_counts_before_its_streams() {
        let stream = |subject| StreamConfig {
            name: "S".into(),
            subjects: vec!["s.>".into()],
            metadata: metadata(subject),
            ..StreamConfig::default()
        };
        let consumer = |subject| ConsumerConfig { metadata: metadata(subject), ..ConsumerConfig::default() };
        let plain = ConsumerConfig::default();
        assert_eq!(target(&StreamConfig::default(), &plain), None);
        assert_eq!(target(&stream("dead"), &plain), Some("dead"));
        assert_eq!(target(&stream("dead"), &consumer("own")), Some("own"));
        assert_eq!(target(&stream("dead"), &consumer("")), None);
        assert_eq!(target(&stream(""), &consumer("own")), Some("own"));
        assert_eq!(target(&stream(""), &consumer("s.x")), None, "what would be refused is not done");
    }

    #[test]
    fn what_cannot_be_a_target_is_refused_by_name() {
        let stream = StreamConfig { name: "S".into(), subjects: vec!["s.>".into()], ..StreamConfig::default() };
        for (subject, error) in [
            ("dead.*", r#"metadata "martlet.dead_letter": "dead.*" is no subject without wildcards"#),
            ("a b", r#"metadata "martlet.dead_letter": "a b" is no subject without wildcards"#),
            ("$JS.x", r#"metadata "martlet.dead_letter": "$JS.x" begins with "$", where only the server publishes"#),
            (
                "s.dead",
                r#"metadata "martlet.dead_letter": "s.dead" goes to stream "S" itself; dead letters need another one"#,
            ),
        ] {
            assert_eq!(check(&metadata(subject), &stream).unwrap_err().to_string(), error);
        }
        for subject in ["", "dead", "dead.s"] {
            assert_eq!(check(&metadata(subject), &stream), Ok(()));
        }
    }

    #[test]
    fn receipts_say_which_letter_they_are_for() {
        let receipt = ReceiptSubject { consumer: "c", seq: 7, died: 1_700 };
        assert_eq!(ReceiptSubject::parse(b"$JS.DEAD.S.c.7.1700"), Some(receipt));
        for other in ["$JS.DEAD.S.c.7", "$JS.DEAD.S.c.7.1.2", "$JS.DEAD.S.c.x.1", "$JS.ACK.S.c.7.1", "$JS.DEAD."] {
            assert_eq!(ReceiptSubject::parse(other.as_bytes()), None, "{other}");
        }
    }
}
