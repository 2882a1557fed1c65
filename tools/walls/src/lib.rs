//! The walls of the house: which crate may know which, what a pure crate never names, and the manners every file keeps.
//!
//! The walls themselves are the tests in `tests/`; here is only what they read: the order of the crates, their
//! manifests, the lock file, and which source files there are to a crate.

mod manifest;
mod modules;

pub use manifest::{Lock, Manifest};
pub use modules::orphans;

/// A crate of the house, by its directory below `crates/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// The directory's name; the package is `martlet-` and this.
    pub name: &'static str,
    /// How high it stands. A crate knows only crates that stand lower.
    pub floor: u8,
    /// Whether it does its thinking without I/O, clock or chance.
    pub is_pure: bool,
}

/// All crates. A new one gets its place here before anything else.
pub const ROOMS: &[Room] = &[
    Room { name: "events", floor: 0, is_pure: true },
    Room { name: "subject", floor: 1, is_pure: true },
    Room { name: "proto", floor: 2, is_pure: true },
    Room { name: "config", floor: 3, is_pure: true },
    Room { name: "store", floor: 3, is_pure: true },
    Room { name: "archive", floor: 3, is_pure: true },
    Room { name: "auth", floor: 4, is_pure: true },
    Room { name: "jetstream", floor: 4, is_pure: true },
    Room { name: "disk", floor: 4, is_pure: false },
    Room { name: "broker", floor: 5, is_pure: true },
    Room { name: "cluster", floor: 6, is_pure: true },
    Room { name: "net", floor: 6, is_pure: false },
    Room { name: "monitor", floor: 6, is_pure: false },
    Room { name: "server", floor: 7, is_pure: false },
    Room { name: "cli", floor: 8, is_pure: false },
];

impl Room {
    /// The room of a package of ours.
    pub fn of_package(package: &str) -> Option<Self> {
        let name = package.strip_prefix("martlet-")?;
        ROOMS.iter().copied().find(|room| room.name == name)
    }

    /// Its manifest.
    pub fn manifest(self) -> Manifest {
        Manifest::read(&format!("crates/{}/Cargo.toml", self.name))
    }
}
