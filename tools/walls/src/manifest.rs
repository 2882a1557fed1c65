//! Just enough of `Cargo.toml` and `Cargo.lock` to see who depends on whom.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use martlet_source::root;

use crate::Room;

/// What a manifest says, line by line: (section, key, value).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest(Vec<(String, String, String)>);

impl Manifest {
    /// Reads the manifest at `path` from the root.
    pub fn read(path: &str) -> Self {
        Self::parse(&fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}")))
    }

    fn parse(text: &str) -> Self {
        let mut section = String::new();
        let mut entries = Vec::new();
        for line in text.lines().map(str::trim) {
            if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                name.trim_matches(['[', ']']).clone_into(&mut section);
            } else if let Some((key, value)) = line.split_once('=').filter(|_| !line.starts_with('#')) {
                entries.push((section.clone(), key.trim().to_owned(), value.trim().to_owned()));
            }
        }
        Self(entries)
    }

    /// The packages it depends on when it is used, on any platform: not those of its tests.
    pub fn dependencies(&self) -> BTreeSet<&str> {
        let is_used = |section: &str| section.ends_with("dependencies") && !section.ends_with("dev-dependencies");
        let names = self.0.iter().filter(|(section, ..)| is_used(section)).map(|(_, key, _)| key.as_str());
        // `name.workspace = true` and `name = …` alike.
        names.map(|key| key.split('.').next().unwrap_or(key)).collect()
    }

    /// The value of a key as it is written.
    pub fn value(&self, section: &str, key: &str) -> Option<&str> {
        self.0.iter().find(|(s, k, _)| s == section && k == key).map(|(.., value)| value.as_str())
    }
}

/// The lock file: which package depends on which. Versions of one package are taken together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lock(BTreeMap<String, BTreeSet<String>>);

impl Lock {
    /// Reads the workspace's lock file.
    pub fn read() -> Self {
        Self::parse(&fs::read_to_string(root().join("Cargo.lock")).expect("the lock file is tracked"))
    }

    fn parse(text: &str) -> Self {
        let mut packages: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for package in text.split("[[package]]").skip(1) {
            let mut lines = package.lines().map(str::trim);
            let name = lines.find_map(|line| line.strip_prefix("name = ")).unwrap_or_default().trim_matches('"');
            let dependencies =
                lines.skip_while(|line| *line != "dependencies = [").skip(1).take_while(|line| *line != "]");
            let names = dependencies.filter_map(|line| line.trim_matches(['"', ',']).split(' ').next());
            packages.entry(name.to_owned()).or_default().extend(names.map(str::to_owned));
        }
        Self(packages)
    }

    /// Every package that `room` is built with, tests aside.
    pub fn closure(&self, room: Room) -> BTreeSet<String> {
        let mut waiting: Vec<String> = room.manifest().dependencies().into_iter().map(str::to_owned).collect();
        let mut seen = BTreeSet::new();
        while let Some(package) = waiting.pop() {
            // The lock file mixes our own packages' test dependencies in: their manifests do not.
            if let Some(room) = Room::of_package(&package) {
                waiting.extend(room.manifest().dependencies().into_iter().map(str::to_owned));
            } else {
                let below = self.0.get(&package).into_iter().flatten();
                waiting.extend(below.filter(|p| !seen.contains(*p)).cloned());
            }
            seen.insert(package);
        }
        seen
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_tells_use_from_tests() {
        let manifest = Manifest::parse(
            "[package]\nname = \"x\"\n[dependencies]\na.workspace = true\n# c = \"1\"\nb = { path = \"../b\" }\n\
             [target.'cfg(unix)'.dependencies]\nd = \"1\"\n[dev-dependencies]\ne = \"1\"\n[lints]\nworkspace = true\n",
        );
        assert_eq!(manifest.dependencies().into_iter().collect::<Vec<_>>(), ["a", "b", "d"]);
        assert_eq!(manifest.value("lints", "workspace"), Some("true"));
    }

    #[test]
    fn a_lock_file_tells_who_needs_whom() {
        let lock = Lock::parse(
            "version = 4\n\n[[package]]\nname = \"a\"\nversion = \"1.0.0\"\ndependencies = [\n \"b 2.0.0\",\n \"c\",\n]\n\n\
             [[package]]\nname = \"b\"\nversion = \"2.0.0\"\n",
        );
        assert_eq!(lock.0["a"].iter().collect::<Vec<_>>(), ["b", "c"]);
        assert!(lock.0["b"].is_empty());
    }
}
