//! Checkpoints: any body is read or refused, and what was read can be written.

use martlet_store::probe;

/// The bytes are a body.
pub(crate) fn check(data: &[u8]) {
    probe::checkpoint(data);
}
