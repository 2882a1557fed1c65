//! What an account and a server have room for.

use super::{Surroundings, require};
use crate::api::ApiError;
use crate::config::{Storage, StreamConfig};

/// What a stream would take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Claim<'a> {
    pub(super) name: &'a str,
    /// `None` if it has not been said: then no bytes are counted.
    pub(super) storage: Option<Storage>,
    pub(super) replicas: u32,
    pub(super) max_consumers: i64,
    /// What counts for the account; -1 for a stream without a bound.
    pub(super) bytes: i64,
    /// How much of it the server has not set aside yet.
    pub(super) new_bytes: i64,
}

/// Whether one more stream, not counting one of that name, is too many.
pub(super) fn check_streams(claim: Claim<'_>, around: &dyn Surroundings) -> Result<(), ApiError> {
    let limits = around.limits(claim.replicas).ok_or_else(ApiError::no_limits)?;
    let others = around.streams().filter(|stream| stream.name != claim.name && is_same_tier(stream, claim, around));
    let is_full = || i64::try_from(others.count()).is_ok_and(|count| count >= limits.max_streams);
    require(limits.max_streams <= 0 || !is_full(), ApiError::maximum_streams_limit)
}

/// Whether a stream takes more than there is.
pub(super) fn check_room(claim: Claim<'_>, around: &dyn Surroundings) -> Result<(), ApiError> {
    let limits = around.limits(claim.replicas).ok_or_else(ApiError::no_limits)?;
    let too_many = limits.max_consumers > 0 && claim.max_consumers > limits.max_consumers;
    require(!too_many, ApiError::maximum_consumers_limit)?;

    let Some(storage) = claim.storage else { return Ok(()) };
    let server = around.server();
    let (of_account, of_server, error): (_, _, fn() -> ApiError) = match storage {
        Storage::Memory => (limits.max_memory, server.free_memory, ApiError::memory_resources_exceeded),
        Storage::File => (limits.max_storage, server.free_storage, ApiError::storage_resources_exceeded),
    };
    // Where there is no room at all, a stream without a bound is too much as well.
    let at_least_one = |bytes: i64| if bytes < 0 { 1 } else { bytes };
    let others: i64 = around
        .streams()
        .filter(|stream| stream.name != claim.name && stream.storage == storage)
        .filter(|stream| is_same_tier(stream, claim, around))
        .fold(0, |sum, stream| sum.saturating_add(counted(stream.max_bytes, stream.num_replicas, around)));
    let wanted = counted(at_least_one(claim.bytes), claim.replicas, around);
    require(of_account < 0 || others.saturating_add(wanted) <= of_account, error)?;
    let new_bytes = u64::try_from(at_least_one(claim.new_bytes)).unwrap_or_default();
    require(of_server.is_none_or(|free| new_bytes <= free), error)
}

fn is_same_tier(stream: &StreamConfig, claim: Claim<'_>, around: &dyn Surroundings) -> bool {
    !around.is_tiered() || stream.num_replicas == claim.replicas
}

/// What bytes count for an account.
fn counted(bytes: i64, replicas: u32, around: &dyn Surroundings) -> i64 {
    let copies = if around.is_tiered() { 1 } else { i64::from(replicas.max(1)) };
    bytes.max(0).saturating_mul(copies)
}
