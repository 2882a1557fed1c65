//! How much space there is.

use std::io;
use std::path::Path;

/// Bytes that may still be written below `path`, which need not exist yet.
pub fn free_bytes(path: &Path) -> io::Result<u64> {
    let there = path.ancestors().find(|path| path.exists()).unwrap_or(Path::new("."));
    let about = rustix::fs::statvfs(there)?;
    Ok(about.f_bavail.saturating_mul(about.f_frsize))
}
