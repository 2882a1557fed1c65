//! Imports run downward only, and pure crates are built without I/O.

use std::collections::BTreeSet;
use std::fs;

use martlet_source::root;
use martlet_walls::{Lock, ROOMS, Room};

/// What does I/O or waits. A pure crate is not built with any of it, at any depth.
const IMPURE: &[&str] =
    &["tokio", "mio", "socket2", "hyper", "rustls", "async-std", "smol", "polling", "openssl", "ureq"];

/// Chance and clocks. Libraries that a pure crate uses may need them for parts it does not call; it never does itself.
const NOT_DIRECTLY: &[&str] = &["rand", "rand_core", "getrandom", "chrono", "time", "jiff", "notify"];

/// A crate that may depend on one of them, whose clippy.toml forbids what reads a clock.
const FOR_ITS_ARITHMETIC: &[(&str, &str)] = &[
    // Schedules: calendars and time zones.
    ("jetstream", "jiff"),
    // Times as text in other servers' files.
    ("archive", "jiff"),
];

#[test]
fn every_crate_has_its_place() {
    let directories = fs::read_dir(root().join("crates")).expect("there are crates");
    let found: BTreeSet<String> = directories
        .map(|entry| entry.expect("readable"))
        .filter(|entry| entry.path().join("Cargo.toml").exists())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    let placed: BTreeSet<String> = ROOMS.iter().map(|room| room.name.to_owned()).collect();
    assert_eq!(found, placed, "a new crate gets its floor in ROOMS");
}

#[test]
fn imports_run_downward() {
    for room in ROOMS {
        for package in room.manifest().dependencies() {
            let Some(below) = Room::of_package(package) else { continue };
            assert!(below.floor < room.floor, "{} must not know {}", room.name, below.name);
            assert!(!room.is_pure || below.is_pure, "{} is pure, {} is not", room.name, below.name);
        }
    }
}

#[test]
fn pure_crates_are_built_without_io() {
    let lock = Lock::read();
    for room in ROOMS.iter().filter(|room| room.is_pure) {
        let packages = lock.closure(*room);
        let impure: Vec<&&str> = IMPURE.iter().filter(|name| packages.contains(**name)).collect();
        assert!(impure.is_empty(), "{} is built with {impure:?}", room.name);
        let manifest = room.manifest();
        let is_excepted = |name: &str| FOR_ITS_ARITHMETIC.contains(&(room.name, name));
        let direct: Vec<&str> = manifest
            .dependencies()
            .into_iter()
            .filter(|name| NOT_DIRECTLY.contains(name) && !is_excepted(name))
            .collect();
        assert!(direct.is_empty(), "{} depends on {direct:?}", room.name);
    }
    // The wall is there: a crate with I/O does not pass it.
    let net = ROOMS.iter().find(|room| room.name == "net").expect("there is net");
    assert!(lock.closure(*net).contains("tokio"));
}
