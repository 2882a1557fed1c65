//! What makes a configuration of what a request says, or says why it cannot be one.
//!
//! What is wrong is said in a fixed order: if two things are wrong, clients and their tests know which one they hear of.
//!
//! | module | what lives there |
//! |---|---|
//! | `stream` | a stream's values: what is filled in, what is mended, what is refused |
//! | `origin` | mirrors and sources |
//! | `subjects` | what a stream listens on, and what subjects become |
//! | `limits` | what an account and a server have room for |
//! | `change` | whether a stream may be created, or changed |
//! | `consumer` | a consumer's values |
//! | `join` | whether a consumer may be created, or changed, beside others |
//!
//! Invariant: nothing here looks anywhere but into its arguments; what is around is told by [`Surroundings`].

mod change;
mod consumer;
mod join;
mod limits;
mod origin;
mod stream;
mod subjects;

use std::fmt::Display;
use std::time::Duration;

pub use change::{ConsumerBound, Created, create_stream, may_return, restore_stream, update_stream};
pub(crate) use consumer::check_consumer;
pub use join::{Joined, Joining, Neighbours, STREAM_IDENTITY, check_identity, join_consumer, restore_consumer};
pub(crate) use stream::check_stream;

use super::ApiError;
use super::answer::AccountLimits;
use super::json::Nanos;
use crate::config::StreamConfig;

/// The longest name of a stream or consumer.
pub const MAX_NAME: usize = 255;
/// The longest description.
pub(crate) const MAX_DESCRIPTION: usize = 4 * 1024;
/// The most metadata, names and values together.
pub(crate) const MAX_METADATA: usize = 128 * 1024;
/// The most copies of a stream.
pub(crate) const MAX_REPLICAS: i64 = 5;
/// What names of the API begin with.
pub(crate) const API_PREFIX: &str = "$JS.API";

/// What a server is configured to allow; 0 is no bound, but for bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerLimits {
    /// How long message ids are remembered at most.
    pub duplicate_window: Duration,
    /// Messages of a consumer that wait for acknowledgement.
    pub max_ack_pending: i64,
    /// Messages of a pull request.
    pub max_request_batch: i64,
    /// Consumers of a stream that has no bound of its own; -1 or 0 for any number.
    // spec: JS-127 NEW-045
    pub default_max_consumers: i64,
    /// Bytes in memory that streams may still reserve; `None` for any number.
    pub free_memory: Option<u64>,
    /// Bytes in files that streams may still reserve; `None` for any number.
    pub free_storage: Option<u64>,
    /// Whether there are other servers to have copies.
    pub is_clustered: bool,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self {
            duplicate_window: Duration::ZERO,
            max_ack_pending: 0,
            max_request_batch: 0,
            default_max_consumers: 1000,
            free_memory: None,
            free_storage: None,
            is_clustered: false,
        }
    }
}

/// What is around a stream that is asked for.
pub trait Surroundings {
    /// A stream of the account.
    fn stream(&self, name: &str) -> Option<&StreamConfig>;
    /// All streams of the account.
    fn streams(&self) -> Box<dyn Iterator<Item = &StreamConfig> + '_>;
    /// What the account may use for streams with so many replicas; `None` if it may not have any.
    fn limits(&self, replicas: u32) -> Option<&AccountLimits>;
    /// Whether limits depend on the number of replicas. If not, every replica counts.
    fn is_tiered(&self) -> bool {
        false
    }
    /// What the server allows.
    fn server(&self) -> &ServerLimits;
}

/// A configuration that does not make sense.
fn invalid(why: impl Display) -> ApiError {
    ApiError::stream_invalid_config(why)
}

/// What may be missing if it is not wanted that values are mended.
fn pedantic(is_pedantic: bool, why: &str) -> Result<(), ApiError> {
    if is_pedantic { Err(ApiError::pedantic(why)) } else { Ok(()) }
}

/// Refuses unless something holds.
fn require(holds: bool, error: impl FnOnce() -> ApiError) -> Result<(), ApiError> {
    if holds { Ok(()) } else { Err(error()) }
}

/// Whether a stream or a consumer may be called so: its name is a token of subjects and a file's name.
fn is_valid_name(name: &str) -> bool {
    !name.is_empty() && !name.contains([' ', '\t', '\r', '\n', '\x0c', '.', '*', '>', '\\', '/'])
}

fn metadata_size<'m>(metadata: impl IntoIterator<Item = (&'m String, &'m String)>) -> usize {
    metadata.into_iter().map(|(name, value)| name.len() + value.len()).sum()
}

/// A span that has been found not to be negative.
fn span(nanos: Nanos) -> Duration {
    Duration::from_nanos(u64::try_from(nanos.0).unwrap_or_default())
}

fn nanos(span: Duration) -> Nanos {
    Nanos(i64::try_from(span.as_nanos()).unwrap_or(i64::MAX))
}

fn is_valid(subject: &str) -> bool {
    martlet_subject::is_valid_pattern(subject.as_bytes())
}

fn is_literal(subject: &str) -> bool {
    martlet_subject::is_valid_literal(subject.as_bytes())
}

fn overlap(a: &str, b: &str) -> bool {
    martlet_subject::overlaps(a.as_bytes(), b.as_bytes())
}

fn is_subset(a: &str, of_b: &str) -> bool {
    martlet_subject::is_subset(a.as_bytes(), of_b.as_bytes())
}

#[cfg(test)]
mod tests;
