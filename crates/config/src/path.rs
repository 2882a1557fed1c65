//! Paths as text: nothing here asks the machine whether they exist.

use std::path::{Path, PathBuf};

/// `path` below `directory`, with `.` and `..` taken out.
///
/// A leading `/` does not make `path` absolute: the reference reads `include '/x.conf'` beside the including file too,
/// and files that rely on it go on working.
pub(crate) fn join(directory: &Path, path: &str) -> PathBuf {
    let directory = directory.to_string_lossy();
    clean(&format!("{directory}/{path}"), directory.starts_with('/')).into()
}

/// Shortens `path` without looking at any file: no empty elements, no `.`, no `..` that can be resolved.
pub(crate) fn clean(path: &str, rooted: bool) -> String {
    let mut kept: Vec<&str> = Vec::new();
    for element in path.split('/') {
        match element {
            "" | "." => {}
            ".." if kept.last().is_some_and(|&last| last != "..") => {
                kept.pop();
            }
            ".." if rooted => {}
            _ => kept.push(element),
        }
    }
    let joined = kept.join("/");
    match (rooted, joined.is_empty()) {
        (true, _) => format!("/{joined}"),
        (false, true) => ".".into(),
        (false, false) => joined,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn included_paths_start_beside_the_including_file() {
        // spec: CORE-182
        for (directory, path, joined) in [
            ("", "a.conf", "a.conf"),
            ("", "./a.conf", "a.conf"),
            ("", "/a.conf", "a.conf"),
            ("conf", "a.conf", "conf/a.conf"),
            ("conf", "../a.conf", "a.conf"),
            ("conf", "../../a.conf", "../a.conf"),
            ("/etc/m", "sub/./a.conf", "/etc/m/sub/a.conf"),
            ("/etc/m", "/sub/a.conf", "/etc/m/sub/a.conf"),
            ("/", "../../a.conf", "/a.conf"),
        ] {
            assert_eq!(join(Path::new(directory), path), Path::new(joined), "{directory} + {path}");
        }
    }
}
