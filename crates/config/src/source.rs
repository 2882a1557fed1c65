//! Where configuration comes from: files and environment variables, as the edges provide them.
//!
//! Invariant: the only way for this crate to learn anything about the machine is a [`Source`].

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};

/// Files and environment variables.
///
/// Relative paths are relative to the working directory of whoever implements this.
pub trait Source {
    /// The whole content of the file at `path`.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;

    /// The environment variable `name`, if it is set.
    fn env(&self, name: &str) -> Option<String>;
}

/// A source that holds its files and variables in memory: for tests and for embedding.
#[derive(Debug, Clone, Default)]
pub struct MemorySource {
    files: HashMap<PathBuf, Vec<u8>>,
    environment: HashMap<String, String>,
}

impl MemorySource {
    /// A source without files and variables.
    pub fn new() -> Self {
        Self::default()
    }

    /// With this file as well.
    #[must_use]
    pub fn file(mut self, path: impl Into<PathBuf>, content: impl Into<Vec<u8>>) -> Self {
        self.files.insert(path.into(), content.into());
        self
    }

    /// With this environment variable as well.
    #[must_use]
    pub fn variable(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.environment.insert(name.into(), value.into());
        self
    }
}

impl Source for MemorySource {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.files.get(path).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn env(&self, name: &str) -> Option<String> {
        self.environment.get(name).cloned()
    }
}

/// The system's words as users of the reference know them.
pub(crate) fn io_reason(error: &io::Error) -> String {
    use io::ErrorKind;
    match error.kind() {
        ErrorKind::NotFound => "no such file or directory".into(),
        ErrorKind::PermissionDenied => "permission denied".into(),
        ErrorKind::IsADirectory => "is a directory".into(),
        _ => error.to_string(),
    }
}
