//! Where what is kept: one directory for each stream, below its account's.
//!
//! Names of accounts and streams may hold what a directory's must not: such bytes are written as `%` and two digits.

use std::io;
use std::path::{Path, PathBuf};

/// What Martlet keeps below `store_dir`: another server's data there is never touched.
const OWN: &str = "martlet";
/// Where an account has its streams.
const STREAMS: &str = "streams";
/// What the reference keeps there.
const FOREIGN: &str = "jetstream";

/// The directories of this server's streams.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    root: PathBuf,
}

impl Layout {
    /// Below `store_dir`.
    pub(super) fn new(store_dir: &Path) -> Self {
        Self { root: store_dir.join(OWN) }
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// Another server's streams, where Martlet has none yet: nobody should find theirs missing without being told.
    pub(super) fn foreign(store_dir: &Path) -> Option<PathBuf> {
        let foreign = store_dir.join(FOREIGN);
        let has_streams = |account: &Path| account.join("streams").is_dir_with_entries();
        let holds = std::fs::read_dir(&foreign)
            .is_ok_and(|accounts| accounts.flatten().any(|account| has_streams(&account.path())));
        (holds && !store_dir.join(OWN).exists()).then_some(foreign)
    }

    /// The directory of a stream.
    pub(super) fn stream(&self, account: &str, stream: &str) -> PathBuf {
        self.account(account).join(escape(stream))
    }

    /// A directory for a stream that is still being made, with a number that no other has.
    pub(super) fn unfinished(&self, account: &str, stream: &str, number: u64) -> PathBuf {
        self.account(account).join(format!("{}.{number}{UNFINISHED}", escape(stream)))
    }

    fn account(&self, account: &str) -> PathBuf {
        self.root.join(escape(account)).join(STREAMS)
    }

    /// The streams of an account, by name; those being removed, and those never finished, are removed first.
    pub(super) fn streams(&self, account: &str) -> io::Result<Vec<String>> {
        let entries = match std::fs::read_dir(self.account(account)) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry?;
            if !entry.file_type()?.is_dir() {
                continue;
            }
            let Ok(name) = entry.file_name().into_string() else { continue };
            if name.ends_with(REMOVED) || name.ends_with(UNFINISHED) {
                std::fs::remove_dir_all(entry.path())?;
            } else {
                names.extend(unescape(&name));
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    /// Removes an account's directory, with all its streams.
    pub(super) fn remove_account(&self, account: &str) -> io::Result<()> {
        for stream in self.streams(account)? {
            self.remove(account, &stream)?;
        }
        remove_all(&self.root.join(escape(account)))
    }

    /// Removes a stream's directory.
    pub(super) fn remove(&self, account: &str, stream: &str) -> io::Result<()> {
        self.retire(account, stream)?;
        remove_all(&self.removed(account, stream))
    }

    /// Takes a stream's directory its name: it is gone when this returns, whatever happens to what it has, and as before if this fails.
    pub(super) fn retire(&self, account: &str, stream: &str) -> io::Result<()> {
        let (path, removed) = (self.stream(account, stream), self.removed(account, stream));
        if !path.try_exists()? {
            return Ok(());
        }
        remove_all(&removed)?;
        std::fs::rename(&path, &removed)?;
        let synced = std::fs::File::open(self.account(account)).and_then(|above| above.sync_all());
        synced.inspect_err(|_| drop(std::fs::rename(&removed, &path)))
    }

    /// What a stream's directory is called while it is being removed.
    fn removed(&self, account: &str, stream: &str) -> PathBuf {
        let mut name = self.stream(account, stream).into_os_string();
        name.push(REMOVED);
        PathBuf::from(name)
    }
}

/// The directory of a stream, from the root, with `/`.
pub(super) fn below(account: &str, stream: &str) -> String {
    format!("{}/{STREAMS}/{}", escape(account), escape(stream))
}

/// Removes a directory, if it is there.
fn remove_all(path: &Path) -> io::Result<()> {
    match std::fs::remove_dir_all(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

/// The end of the names of directories that are being removed; no escaped name ends so.
const REMOVED: &str = "%removed";
/// The end of the names of directories in which streams are being made.
const UNFINISHED: &str = "%unfinished";

/// A stream that was made elsewhere is there, whole, from now on.
pub(super) fn put_in_place(from: &Path, to: &Path) -> io::Result<()> {
    // What is left there of one that was never finished: whoever calls has made sure that nobody uses it.
    remove_all(to)?;
    std::fs::rename(from, to)?;
    let above = to.parent().expect("a stream's directory is below its account's");
    std::fs::File::open(above)?.sync_all()
}

trait HasEntries {
    fn is_dir_with_entries(&self) -> bool;
}

impl HasEntries for PathBuf {
    fn is_dir_with_entries(&self) -> bool {
        std::fs::read_dir(self).is_ok_and(|mut entries| entries.next().is_some())
    }
}

fn escape(name: &str) -> String {
    let mut escaped = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'$' | b'=' | b'+' | b'@' | b',') {
            escaped.push(char::from(byte));
        } else {
            let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).expect("below 16");
            escaped.extend(['%', digit(byte >> 4), digit(byte & 15)]);
        }
    }
    escaped
}

fn unescape(escaped: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(escaped.len());
    let mut rest = escaped.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first == b'%' {
            let digits = std::str::from_utf8(rest.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &rest[2..];
        } else {
            bytes.push(*first);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_a_directory_of_its_own() {
        for name in ["ORDERS", "KV_b", "$G", "ü", "a%2e", "..", "a:b", "%removed", "", "a b"] {
            let escaped = escape(name);
            assert!(!escaped.contains(['/', '.', '\0']) && !escaped.ends_with(REMOVED), "{escaped}");
            assert_eq!(unescape(&escaped).as_deref(), Some(name));
        }
    }

    #[test]
    fn a_removed_stream_stays_removed() {
        let dir = tempfile::tempdir().expect("a directory");
        let layout = Layout::new(dir.path());
        assert_eq!(layout.streams("$G").expect("none"), [""; 0]);
        for name in ["A", "B", "C"] {
            std::fs::create_dir_all(layout.stream("$G", name)).expect("made");
        }
        layout.remove("$G", "A").expect("removed");
        layout.remove("$G", "A").expect("it is gone already");
        // The server was killed in between.
        std::fs::create_dir_all(layout.unfinished("$G", "D", 7)).expect("made");
        std::fs::rename(layout.stream("$G", "B"), layout.account("$G").join("B%removed")).expect("renamed");
        assert_eq!(layout.streams("$G").expect("a list"), ["C"]);
        assert!(!layout.account("$G").join("B%removed").exists());
        assert!(!layout.unfinished("$G", "D", 7).exists());
    }

    #[test]
    fn streams_of_the_reference_are_seen() {
        let dir = tempfile::tempdir().expect("a directory");
        assert_eq!(Layout::foreign(dir.path()), None);
        std::fs::create_dir_all(dir.path().join("jetstream/$G/streams")).expect("made");
        assert_eq!(Layout::foreign(dir.path()), None, "no streams");
        std::fs::create_dir_all(dir.path().join("jetstream/$G/streams/A")).expect("made");
        assert_eq!(Layout::foreign(dir.path()), Some(dir.path().join("jetstream")));
        std::fs::create_dir_all(Layout::new(dir.path()).root()).expect("made");
        assert_eq!(Layout::foreign(dir.path()), None, "Martlet has its own");
    }
}
