//! This repository as its own tools read it: the files that belong to it, and which of their lines are tests.
//!
//! Invariant: nothing is read that git does not track, so that build output and local files change no result.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The root of the repository these tools were built from.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// One text file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// From the root, with `/`.
    pub path: String,
    /// Its whole text.
    pub text: String,
}

/// The text files whose path begins with one of `below`, tracked or not added yet, sorted by path. Files that are tracked but deleted,
/// and files that are not UTF-8, are left out.
pub fn texts(root: &Path, below: &[&str]) -> io::Result<Vec<Source>> {
    let listing = Command::new("git")
        .arg("-C")
        .arg(root)
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard", "--"])
        .args(below)
        .output()?;
    if !listing.status.success() {
        return Err(io::Error::other(String::from_utf8_lossy(&listing.stderr).trim().to_owned()));
    }
    let listing = String::from_utf8_lossy(&listing.stdout);
    let mut paths: Vec<&str> = listing.split('\0').filter(|path| !path.is_empty()).collect();
    paths.sort_unstable();
    paths.dedup();
    let read =
        |path: &str| Some(Source { path: path.to_owned(), text: std::fs::read_to_string(root.join(path)).ok()? });
    Ok(paths.into_iter().filter_map(read).collect())
}

impl Source {
    /// Whether the file is Rust.
    pub fn is_rust(&self) -> bool {
        self.path.rsplit_once('.').is_some_and(|(_, extension)| extension == "rs")
    }

    /// From which line on (counted from 0) the file is test code: from the start for files named `tests.rs` and
    /// everything below a `tests` directory, else from the last `#[cfg(test)]` that opens a module at the margin.
    pub fn tests_from(&self) -> usize {
        let mut directories = self.path.split('/');
        let file = directories.next_back().unwrap_or_default();
        if file == "tests.rs" || directories.any(|directory| directory == "tests") {
            return 0;
        }
        let lines: Vec<&str> = self.text.lines().collect();
        let opens = |at: usize| {
            let mut after = lines[at + 1..].iter().skip_while(|line| line.starts_with("#["));
            after.next().is_some_and(|line| line.starts_with("mod ") && line.ends_with('{'))
        };
        (0..lines.len()).rev().find(|at| lines[*at] == "#[cfg(test)]" && opens(*at)).unwrap_or(lines.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_begin_where_they_are_marked() {
        for (path, text, from) in [
            ("crates/a/src/lib.rs", "fn a() {}\n", 1),
            ("crates/a/src/lib.rs", "fn a() {}\n\n#[cfg(test)]\nmod tests {\n}\n", 2),
            ("crates/a/src/lib.rs", "#[cfg(test)]\n#[allow(x)]\nmod tests {\n}\n", 0),
            ("crates/a/src/lib.rs", "fn a() {}\n#[cfg(test)]\nmod tests;\n", 3),
            ("crates/a/src/lib.rs", "#[cfg(test)]\nfn helper() {}\nfn a() {}\n", 3),
            ("crates/a/src/b/tests.rs", "fn a() {}\n", 0),
            ("crates/a/tests/b.rs", "fn a() {}\n", 0),
            ("tests/wire/a.nats", "PING\n", 0),
        ] {
            let source = Source { path: path.to_owned(), text: text.to_owned() };
            assert_eq!(source.tests_from(), from, "{path}: {text:?}");
        }
    }

    #[test]
    fn this_repository_tracks_this_file() {
        let sources = texts(&root(), &["tools/source"]).expect("the tools run in a checkout");
        assert!(sources.iter().any(|source| source.path == "tools/source/src/lib.rs" && source.is_rust()));
        assert!(sources.is_sorted_by(|a, b| a.path < b.path));
    }
}
