//! What the documents say of the house is so: every crate stands in both tables, and what they point to is there.

use std::collections::BTreeSet;
use std::fs;

use martlet_source::root;
use martlet_walls::ROOMS;

fn document(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The cells of a table's row.
fn cells(line: &str) -> Vec<&str> {
    line.trim().trim_matches('|').split('|').map(str::trim).collect()
}

/// The names between backquotes.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

#[test]
fn the_map_names_every_crate_and_who_is_pure() {
    let text = document("docs/ARCHITECTURE.md");
    for room in ROOMS {
        let name = format!("`{}`", room.name);
        let row = text.lines().map(cells).find(|row| row.len() == 3 && row[0] == name);
        let row = row.unwrap_or_else(|| panic!("docs/ARCHITECTURE.md has no row of {name}"));
        assert_eq!(row[1] == "●", room.is_pure, "{name}");
    }
}

#[test]
fn newcomers_are_told_the_floor_of_every_crate() {
    let text = document("CONTRIBUTING.md");
    let told: BTreeSet<(u8, &str)> = text
        .lines()
        .map(cells)
        .filter_map(|row| Some((row.first()?.parse().ok()?, *row.get(1)?)))
        .flat_map(|(floor, names): (u8, _)| quoted(names).map(move |name| (floor, name)))
        .collect();
    let built: BTreeSet<(u8, &str)> = ROOMS.iter().map(|room| (room.floor, room.name)).collect();
    assert_eq!(told, built);
}

#[test]
fn the_map_leads_somewhere() {
    let text = document("docs/ARCHITECTURE.md");
    let (_, section) = text.split_once("## Where to look").expect("the section");
    let paths = section.lines().map(cells).filter(|row| row.len() == 2).flat_map(|row| quoted(row[1]));
    let mut lost = Vec::new();
    for path in paths.filter(|path| path.starts_with("crates/") || path.starts_with("docs/")) {
        if !root().join(path).exists() {
            lost.push(path);
        }
    }
    assert!(lost.is_empty(), "docs/ARCHITECTURE.md points to {lost:?}");
}
