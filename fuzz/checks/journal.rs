//! The journal of many streams: any files are replayed, and replaying ends.

use martlet_store::probe;

/// The first two bytes say how much of the rest is the first file.
pub(crate) fn check(data: &[u8]) {
    let [low, high, files @ ..] = data else { return };
    let first = usize::from(u16::from_le_bytes([*low, *high])).min(files.len());
    let (first, second) = files.split_at(first);
    probe::journal([first, second]);
}
