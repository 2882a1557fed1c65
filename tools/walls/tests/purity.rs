//! What the sources of pure crates never name, and that clippy keeps watch beside this test.

use std::fs;

use martlet_source::{root, texts};
use martlet_walls::ROOMS;

/// Sockets, files, threads, clocks and chance. Tests may use them.
const NEVER_NAMED: &[&str] = &[
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "UnixStream",
    "UnixListener",
    "std::fs",
    "std::env",
    "std::process",
    "std::thread",
    "Instant::now",
    "SystemTime",
    "thread_rng",
    "OsRng",
    " rand::",
    "(rand::",
    "getrandom",
    // A generator that was given its seed is fine; these take theirs from nowhere.
    "Rng::new",
    "fastrand::u",
    "fastrand::i",
    "fastrand::b",
    "fastrand::c",
    "fastrand::f",
    "fastrand::s",
    "tokio",
];

#[test]
fn pure_crates_name_no_io_no_clock_and_no_chance() {
    let mut faults = Vec::new();
    for room in ROOMS.iter().filter(|room| room.is_pure) {
        for source in texts(&root(), &[&format!("crates/{}/src", room.name)]).expect("a checkout") {
            let lines = source.text.lines().take(source.tests_from());
            for (number, line) in (1..).zip(lines) {
                let code = line.split("//").next().unwrap_or_default();
                if let Some(name) = NEVER_NAMED.iter().find(|name| code.contains(**name)) {
                    faults.push(format!("{}:{number}: {name}", source.path));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn clippy_watches_every_pure_crate() {
    for room in ROOMS.iter().filter(|room| room.is_pure) {
        let path = format!("crates/{}/clippy.toml", room.name);
        let rules = fs::read_to_string(root().join(&path)).unwrap_or_default();
        for name in
            ["std::time::Instant", "std::time::SystemTime", "std::net::TcpStream", "std::fs::File", "std::fs::read"]
        {
            assert!(rules.contains(&format!("\"{name}\"")), "{path} should disallow {name}");
        }
    }
}
