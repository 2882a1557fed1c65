//! The pid file and the ports file.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use log::error;

use super::Listening;

/// The process id in decimal, nothing after it.
// spec: CORE-159 CLI-004
pub(super) fn write_pid(path: &Path) -> Result<(), String> {
    let pid = std::process::id().to_string();
    write(path, pid.as_bytes(), 0o600).map_err(|error| format!("open {}: {error}", path.display()))
}

fn write(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(path)?.write_all(content)
}

/// `NAME_PID.ports`, from which test suites learn where a server listens.
pub(super) struct PortsFile {
    name: String,
}

impl PortsFile {
    pub(super) fn new(base: &str) -> Self {
        Self { name: format!("{base}_{}.ports", std::process::id()) }
    }

    fn path(&self, directory: &Path) -> PathBuf {
        directory.join(&self.name)
    }

    /// Writes it whole: who waits for it never sees half of it.
    // spec: CORE-161 CORE-162 CLI-005
    pub(super) fn write(&self, directory: Option<&Path>, listening: &Listening) {
        let Some(directory) = directory else { return };
        let path = self.path(directory);
        let begun = directory.join(format!(".{}.tmp", self.name));
        let written = serde_json::to_vec(listening)
            .map_err(io::Error::from)
            .and_then(|json| write(&begun, &json, 0o666))
            .and_then(|()| fs::rename(&begun, &path));
        if let Err(error) = written {
            error!("Error writing ports file ({}): {error}", path.display());
        }
    }

    // spec: CORE-144 CORE-161
    pub(super) fn remove(&self, directory: Option<&Path>) {
        let Some(directory) = directory else { return };
        let path = self.path(directory);
        if let Err(error) = fs::remove_file(&path) {
            error!("Error cleaning up ports file {}: {error}", path.display());
        }
    }
}
