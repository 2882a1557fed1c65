//! Where rows are cited: comments that say `spec:` and then one or more row names.

use std::collections::{BTreeMap, BTreeSet};

use martlet_source::Source;

use crate::spec::Id;

/// The files that cite one row.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Cited {
    /// Files that say they implement it.
    pub(crate) code: BTreeSet<String>,
    /// Files with a test that would fail if it broke.
    pub(crate) tests: BTreeSet<String>,
}

/// Every citation in `sources`, by row.
pub(crate) fn citations(sources: &[Source]) -> BTreeMap<Id, Cited> {
    let mut all: BTreeMap<Id, Cited> = BTreeMap::new();
    for source in sources {
        let tests_from = source.tests_from();
        for (number, line) in source.text.lines().enumerate() {
            for id in cited(line) {
                let cited = all.entry(id).or_default();
                let files = if number >= tests_from { &mut cited.tests } else { &mut cited.code };
                files.insert(source.path.clone());
            }
        }
    }
    all
}

/// The rows that one line cites: those after `spec:` in a comment, up to the first word that is no row.
fn cited(line: &str) -> impl Iterator<Item = Id> {
    let after = line.split_once("spec:").filter(|(before, _)| before.contains("//") || before.contains('#'));
    let words = after.map(|(_, names)| names).unwrap_or_default();
    words.split([' ', ',']).filter(|word| !word.is_empty()).map_while(Id::parse)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_cite_and_prose_does_not() {
        for (line, wanted) in [
            ("    // spec: CORE-001 CFG-023", "CORE-001 CFG-023"),
            ("# spec: CORE-001, JS-010 (the rest)", "CORE-001 JS-010"),
            ("let x = 1; // spec: SEC-001", "SEC-001"),
            ("let spec: CORE-001", ""),
            ("// the spec: see CORE-001", ""),
            ("// spec CORE-001", ""),
        ] {
            let read: Vec<String> = cited(line).map(|id| id.to_string()).collect();
            assert_eq!(read.join(" "), wanted, "{line}");
        }
    }

    #[test]
    fn tests_are_told_from_code() {
        let source = |path: &str, text: &str| Source { path: path.to_owned(), text: text.to_owned() };
        let all = citations(&[
            source(
                "crates/a/src/lib.rs",
                "// spec: CORE-001\nfn a() {}\n#[cfg(test)]\nmod tests {\n// spec: CORE-002\n}\n",
            ),
            source("crates/a/src/tests.rs", "// spec: CORE-001\n"),
            source("tests/wire/a.nats", "# spec: CORE-002 CORE-001\n"),
        ]);
        let files = |id: &str| {
            let cited = &all[&Id::parse(id).expect(id)];
            let join = |set: &BTreeSet<String>| set.iter().cloned().collect::<Vec<_>>().join(" ");
            (join(&cited.code), join(&cited.tests))
        };
        let strings = |(code, tests): (&str, &str)| (code.to_owned(), tests.to_owned());
        assert_eq!(files("CORE-001"), strings(("crates/a/src/lib.rs", "crates/a/src/tests.rs tests/wire/a.nats")));
        assert_eq!(files("CORE-002"), strings(("", "crates/a/src/lib.rs tests/wire/a.nats")));
    }
}
