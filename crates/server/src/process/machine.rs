//! What the process asks of the machine.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::detail;

/// Raises the soft limit of open files to the hard one: every connection is an open file.
pub(super) fn raise_open_files() {
    let limit = getrlimit(Resource::Nofile);
    let show = |limit: Option<u64>| limit.map_or_else(|| "unlimited".into(), |limit| limit.to_string());
    if limit.current == limit.maximum {
        detail(&format!("Open files: {}", show(limit.current)));
        return;
    }
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    let (before, wanted) = (show(limit.current), show(limit.maximum));
    detail(&match setrlimit(Resource::Nofile, raised) {
        Ok(()) => format!("Open files: {wanted}, raised from {before}"),
        // Some systems name a hard limit and do not grant it.
        Err(error) => format!("Open files: {before}, not raised to {wanted}: {error}"),
    });
}
