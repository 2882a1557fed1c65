//! Summaries of segments: any parts are read or refused, and reading ends.

use martlet_store::probe;

/// The first bytes say how the rest is cut into a block, the directory and the facts.
pub(crate) fn check(data: &[u8]) {
    let [first, second, base, parts @ ..] = data else { return };
    let (block, rest) = parts.split_at(usize::from(*first).min(parts.len()));
    let (directory, facts) = rest.split_at(usize::from(*second).min(rest.len()));
    probe::summary([block, directory, facts], u64::from(*base));
}
