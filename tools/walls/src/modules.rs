//! Which source files a crate is made of: from its roots, as Cargo finds them, along every `mod`.

use std::collections::{BTreeMap, BTreeSet};

use martlet_source::Source;

/// The Rust files among `sources` that belong to a crate and are reached by no `mod` of it.
pub fn orphans(sources: &[Source]) -> Vec<&str> {
    let texts: BTreeMap<&str, &str> =
        sources.iter().filter(|source| source.is_rust()).map(|source| (&*source.path, &*source.text)).collect();
    let mut reached = BTreeSet::new();
    let mut waiting: Vec<String> = texts.keys().filter(|path| is_root(path)).map(|path| (*path).to_owned()).collect();
    let roots: BTreeSet<String> = waiting.iter().cloned().collect();
    while let Some(path) = waiting.pop() {
        let Some(text) = texts.get(&*path).filter(|_| !reached.contains(&path)) else { continue };
        waiting.extend(modules(&path, roots.contains(&path), text));
        reached.insert(path);
    }
    texts.into_keys().filter(|path| !reached.contains(*path)).collect()
}

/// Whether Cargo begins a target with this file of a crate two directories below the root.
fn is_root(path: &str) -> bool {
    let parts: Vec<&str> = path.split('/').skip(2).collect();
    matches!(
        parts[..],
        ["build.rs"]
            | ["src", "lib.rs" | "main.rs"]
            | ["src", "bin", _]
            | ["src", "bin", _, "main.rs"]
            | ["tests" | "benches" | "examples", _]
            | ["tests" | "benches" | "examples", _, "main.rs"]
    )
}

/// Where the modules may be that a file declares.
fn modules(path: &str, is_root: bool, text: &str) -> Vec<String> {
    let (directory, file) = path.rsplit_once('/').unwrap_or(("", path));
    // Children of `a.rs` are in `a/`, those of a crate's root and of `mod.rs` beside it.
    let below = match file.strip_suffix(".rs") {
        Some(stem) if !is_root && stem != "mod" => format!("{directory}/{stem}"),
        _ => directory.to_owned(),
    };
    let mut found = Vec::new();
    let mut elsewhere = None;
    for line in text.lines() {
        let mut code = line.trim();
        while let Some((attribute, rest)) = code.strip_prefix("#[").and_then(|rest| rest.split_once(']')) {
            if let Some(("path", file)) = attribute.split_once('=').map(|(key, file)| (key.trim(), file.trim())) {
                elsewhere = Some(join(directory, file.trim_matches('"')));
            }
            code = rest.trim();
        }
        if code.is_empty() || code.starts_with("//") {
            continue;
        }
        let named = elsewhere.take();
        if let Some(name) = declared(code) {
            found.extend(named.map_or_else(
                || vec![format!("{below}/{name}.rs"), format!("{below}/{name}/mod.rs")],
                |file| vec![file],
            ));
        }
    }
    found
}

/// The module of a line `mod name;`, whoever may see it.
fn declared(code: &str) -> Option<&str> {
    let code = match code.strip_prefix("pub") {
        Some(rest) => {
            rest.trim_start().strip_prefix('(').map_or(rest, |rest| rest.split_once(')').map_or("", |(_, r)| r))
        }
        None => code,
    };
    let name = code.trim_start().strip_prefix("mod ")?.split_once(';')?.0.trim();
    name.chars().all(|c| c.is_alphanumeric() || c == '_').then_some(name)
}

/// `file` as seen from `directory`, both from the root.
fn join(directory: &str, file: &str) -> String {
    let mut parts: Vec<&str> = directory.split('/').collect();
    for part in file.split('/') {
        match part {
            "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn orphans_of(files: &[(&str, &str)]) -> Vec<String> {
        let source =
            |(path, text): &(&str, &str)| Source { path: format!("crates/a/{path}"), text: (*text).to_owned() };
        let sources: Vec<Source> = files.iter().map(source).collect();
        orphans(&sources).into_iter().map(|path| path.trim_start_matches("crates/a/").to_owned()).collect()
    }

    #[test]
    fn modules_are_found_where_they_are() {
        let house = [
            ("src/lib.rs", "mod a;\npub(crate) mod b;\n#[cfg(test)]\nmod tests;\n#[cfg(test)] pub mod c;\n"),
            ("src/main.rs", "fn main() {}\n"),
            ("src/a.rs", "mod one;\npub(in crate::a) mod two;\n"),
            ("src/a/one.rs", ""),
            ("src/a/two.rs", ""),
            ("src/b/mod.rs", "mod one;"),
            ("src/b/one.rs", ""),
            ("src/c.rs", "mod inside { }"),
            ("src/tests.rs", "mod deep;"),
            ("src/tests/deep.rs", ""),
            ("tests/one.rs", "#[path = \"../shared/help.rs\"]\n#[allow(unused)]\nmod help;\nmod support;\n"),
            ("tests/support/mod.rs", ""),
            ("tests/two/main.rs", "mod part;"),
            ("tests/two/part.rs", ""),
            ("shared/help.rs", ""),
            ("src/notes.md", "mod nothing;"),
        ];
        assert_eq!(orphans_of(&house), [""; 0]);
    }

    #[test]
    fn who_is_named_by_nobody_is_an_orphan() {
        for (path, text) in [
            ("src/a/three.rs", ""),
            ("src/inside.rs", ""),
            ("src/d.rs", ""),
            ("src/e.rs", ""),
            ("tests/two/more.rs", ""),
            ("tests/support/more.rs", "mod more;"),
        ] {
            let house = [
                ("src/lib.rs", "mod a;\n// mod d;\nmod inside { }\nfn e() { /* mod e; */ }\n"),
                ("src/a.rs", "mod b;\n"),
                ("src/a/b.rs", "mod three;\n"),
                ("tests/two/main.rs", "mod part;"),
                (path, text),
            ];
            assert_eq!(orphans_of(&house), [path]);
        }
    }
}
