//! What the process asks of the machine.

use log::debug;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the soft limit of open files to the hard one: every connection is an open file.
pub(super) fn raise_open_files() {
    let limit = getrlimit(Resource::Nofile);
    let show = |limit: Option<u64>| limit.map_or_else(|| "unlimited".into(), |limit| limit.to_string());
    if limit.current == limit.maximum {
        return debug!("Open files: {}", show(limit.current));
    }
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    let (before, wanted) = (show(limit.current), show(limit.maximum));
    match setrlimit(Resource::Nofile, raised) {
        Ok(()) => debug!("Open files: {wanted}, raised from {before}"),
        // Some systems name a hard limit and do not grant it.
        Err(error) => debug!("Open files: {before}, not raised to {wanted}: {error}"),
    }
}

/// The memory that this process may use, in bytes: the machine's, or what its control groups leave of it.
// spec: JS-126
pub(crate) fn total_memory() -> Option<u64> {
    let info = std::fs::read_to_string("/proc/meminfo").ok();
    let machine = info.as_deref().and_then(|info| info.lines().find_map(|line| line.strip_prefix("MemTotal:")));
    let machine = machine.and_then(|rest| rest.trim().strip_suffix("kB")).and_then(|kib| kib.trim().parse().ok());
    let machine = machine.map(|kib: u64| kib.saturating_mul(1024));
    machine.into_iter().chain(martlet_monitor::process::memory_limit()).min()
}
