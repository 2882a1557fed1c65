//! What the server writes into the metadata of streams and consumers.
//!
//! One entry is kept with them: the newest requirement among what they use. Two are only ever shown.

use std::collections::BTreeMap;

use crate::config::{AckPolicy, ConsumerConfig, PersistMode, PriorityPolicy, StreamConfig};

/// The API level that a stream or consumer needs.
pub(crate) const REQUIRED_LEVEL: &str = "_nats.req.level";
/// The server's version; shown, not kept.
pub const VERSION: &str = "_nats.ver";
/// The server's API level; shown, not kept.
pub const LEVEL: &str = "_nats.level";

/// Leaves what is kept of the server's own entries, and sets it.
// spec: JS-058
pub fn stamp(metadata: &mut BTreeMap<String, String>, level: u8) {
    strip(metadata);
    metadata.insert(REQUIRED_LEVEL.to_owned(), level.to_string());
}

/// Removes what is only shown.
pub fn strip(metadata: &mut BTreeMap<String, String>) {
    metadata.remove(VERSION);
    metadata.remove(LEVEL);
}

/// The API level that a stream needs.
// spec: JS-058
pub(crate) fn stream_level(config: &StreamConfig) -> u8 {
    let features = [
        (config.allow_msg_ttl || !config.subject_delete_marker_ttl.is_zero(), 1),
        (config.allow_msg_counter || config.allow_atomic || config.allow_msg_schedules, 2),
        (config.persist_mode == PersistMode::Async, 2),
        (config.allow_batched, 4),
    ];
    newest(&features)
}

/// The API level that a consumer needs.
// spec: JS-058
pub(crate) fn consumer_level(config: &ConsumerConfig) -> u8 {
    let has_groups = config.priority_policy != PriorityPolicy::None
        || !config.priority_groups.is_empty()
        || !config.priority_timeout.is_zero();
    newest(&[(config.pause_until.is_some() || has_groups, 1), (config.ack_policy == AckPolicy::FlowControl, 4)])
}

fn newest(features: &[(bool, u8)]) -> u8 {
    features.iter().filter(|(is_used, _)| *is_used).map(|(_, level)| *level).max().unwrap_or_default()
}
