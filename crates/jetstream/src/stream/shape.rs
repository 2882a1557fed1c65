//! What a configuration means, made ready to use.

use martlet_store::Limits;
use martlet_subject::Transform;

use super::Options;
use crate::api::answer::AckWriter;
use crate::config::{Discard, Storage, StreamConfig};

/// A configuration, ready to use.
#[derive(Debug)]
pub(super) struct Shape {
    /// What subjects become before they are stored.
    pub(super) transform: Option<Transform>,
    /// Where stored messages are published again.
    pub(super) republish: Option<Transform>,
    /// Answers to publishers.
    pub(super) ack: AckWriter,
    /// The bounds that messages pass by going.
    pub(super) limits: Limits,
    /// The bounds that refuse messages: of messages, bytes, and messages of one subject; 0 is none.
    pub(super) refusing: Limits,
    /// The largest message.
    pub(super) max_msg_size: usize,
    /// How bytes are counted: for every message, and for one with headers.
    overhead: (u64, u64),
    /// Whether rollups are done.
    pub(super) rolls_up: bool,
}

/// The bounds that a store keeps for a configuration: what its messages pass by going.
pub fn limits(config: &StreamConfig) -> Limits {
    Shape::new(config, &Options::default()).limits
}

impl Shape {
    /// What `config` means.
    pub(super) fn new(config: &StreamConfig, options: &Options) -> Self {
        let bound = |bound: i64| u64::try_from(bound).unwrap_or(0);
        let per_subject = bound(config.max_msgs_per_subject);
        let old = config.discard == Discard::Old;
        let refuses_per_subject = !old && config.discard_new_per_subject;
        let (messages, bytes) = (bound(config.max_msgs), bound(config.max_bytes));
        // The reference takes the oldest of a subject even where new messages are refused, unless that is for subjects, too.
        let limits = Limits {
            max_msgs: if old { messages } else { 0 },
            max_bytes: if old { bytes } else { 0 },
            max_msgs_per_subject: if refuses_per_subject { 0 } else { per_subject },
            discard_old: true,
        };
        let refusing = Limits {
            max_msgs: if old { 0 } else { messages },
            max_bytes: if old { 0 } else { bytes },
            max_msgs_per_subject: if refuses_per_subject { per_subject } else { 0 },
            discard_old: false,
        };
        Self {
            transform: config.subject_transform.as_ref().and_then(|t| Transform::new(&t.src, &t.dest).ok()),
            republish: config.republish.as_ref().and_then(|t| Transform::new(&t.src, &t.dest).ok()),
            ack: AckWriter::new(&config.name, &options.domain),
            limits,
            refusing,
            max_msg_size: usize::try_from(config.max_msg_size).unwrap_or(usize::MAX),
            overhead: if config.storage == Storage::File { (30, 4) } else { (16, 0) },
            rolls_up: config.allow_rollup_hdrs && !config.deny_purge,
        }
    }

    /// The bytes of a message, as the store counts them.
    pub(super) fn size(&self, subject: &[u8], headers: &[u8], payload: &[u8]) -> u64 {
        let with_headers = if headers.is_empty() { 0 } else { self.overhead.1 };
        self.overhead.0 + with_headers + (subject.len() + headers.len() + payload.len()) as u64
    }
}
