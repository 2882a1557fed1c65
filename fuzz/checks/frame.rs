//! Frames of a stream's log: any bytes are read to an end, also where their checksums are right.

use martlet_store::probe;

/// The bytes are a frame.
pub(crate) fn check(data: &[u8]) {
    probe::frame(data);
    probe::numbers(data);
}
