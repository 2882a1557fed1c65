//! The manners of every file: its size, its place in a crate, no unfinished work, no unsafe code, no trace of the
//! machine it was written on.

use std::fs;

use martlet_source::{Source, root, texts};
use martlet_walls::{Manifest, orphans};

/// No file is longer, tests included.
const LONGEST: usize = 1000;
/// Nine files in ten are no longer than this, tests aside.
const USUAL: usize = 450;

/// Where unsafe code is allowed, and why a measurement asked for it. Everywhere else it is forbidden.
const UNSAFE: &[(&str, &str)] = &[];

/// This file names what it looks for.
const OWN_PATH: &str = "tools/walls/tests/manners.rs";

fn rust() -> Vec<Source> {
    let below = ["crates", "tools", "tests", "bench", "fuzz"];
    let sources = texts(&root(), &below).expect("a checkout");
    sources.into_iter().filter(|source| source.is_rust() && source.path != OWN_PATH).collect()
}

/// The places in `sources` whose line satisfies `is`.
fn places(sources: &[Source], is: impl Fn(&str) -> bool) -> Vec<String> {
    let place = |source: &Source| {
        let lines = (1..).zip(source.text.lines()).filter(|(_, line)| is(line));
        lines.map(|(number, _)| format!("{}:{number}", source.path)).collect::<Vec<_>>()
    };
    sources.iter().flat_map(place).collect()
}

#[test]
fn files_are_short() {
    let sources = rust();
    let too_long = sources.iter().filter(|source| source.text.lines().count() > LONGEST);
    assert_eq!(too_long.map(|source| source.path.as_str()).collect::<Vec<_>>(), [""; 0]);
    let code: Vec<&Source> = sources.iter().filter(|source| source.tests_from() > 0).collect();
    let long: Vec<&str> = code.iter().filter(|s| s.tests_from() > USUAL).map(|s| s.path.as_str()).collect();
    assert!(long.len() * 10 <= code.len(), "{} of {} files are over {USUAL} lines: {long:?}", long.len(), code.len());
}

#[test]
fn every_file_is_part_of_a_crate() {
    // What no compiler has seen proves nothing, and is counted all the same where rows are cited.
    let sources = texts(&root(), &["crates", "tools"]).expect("a checkout");
    let lost = orphans(&sources);
    assert_eq!(lost, [""; 0], "no `mod` names these");
}

#[test]
fn no_work_is_left_half_done() {
    let marks = ["#[ignore", "todo!(", "unimplemented!(", "dbg!("];
    let found = places(&rust(), |line| marks.iter().any(|mark| line.contains(mark)));
    assert_eq!(found, [""; 0]);
}

#[test]
fn no_merge_is_left_half_done() {
    let sources: Vec<Source> =
        texts(&root(), &["."]).expect("a checkout").into_iter().filter(|source| source.path != OWN_PATH).collect();
    let found = places(&sources, |line| ["<<<<<<< ", ">>>>>>> "].iter().any(|mark| line.starts_with(mark)));
    assert_eq!(found, [""; 0]);
}

#[test]
fn unsafe_code_is_forbidden() {
    let workspace = Manifest::read("Cargo.toml");
    assert_eq!(workspace.value("workspace.lints.rust", "unsafe_code"), Some("\"forbid\""));
    for directory in ["crates", "tools"] {
        for entry in fs::read_dir(root().join(directory)).expect("the directory is there") {
            let name = entry.expect("readable").file_name().to_string_lossy().into_owned();
            let path = format!("{directory}/{name}/Cargo.toml");
            if !root().join(&path).exists()
                || UNSAFE.iter().any(|(file, _)| file.starts_with(&format!("{directory}/{name}/")))
            {
                continue;
            }
            let manifest = Manifest::read(&path);
            assert_eq!(manifest.value("lints", "workspace"), Some("true"), "{path} takes the workspace's lints");
        }
    }
    let sources: Vec<Source> = rust().into_iter().filter(|s| !UNSAFE.iter().any(|(file, _)| *file == s.path)).collect();
    let sources: Vec<Source> = sources.into_iter().filter(|s| !s.path.starts_with("bench/")).collect();
    let unsafe_code =
        |line: &str| ["unsafe {", "unsafe fn", "unsafe impl", "unsafe extern"].iter().any(|u| line.contains(u));
    assert_eq!(places(&sources, unsafe_code), [""; 0]);
}

#[test]
fn no_file_tells_of_a_machine() {
    let sources: Vec<Source> =
        texts(&root(), &["."]).expect("a checkout").into_iter().filter(|source| source.path != OWN_PATH).collect();
    let found = places(&sources, |line| ["/work/", "/farm/", "/home/"].iter().any(|path| line.contains(path)));
    assert_eq!(found, [""; 0]);
}
