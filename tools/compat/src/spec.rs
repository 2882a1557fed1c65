//! The contract: the rows of `docs/spec/*.md`.

use std::fmt;

/// A row's name, such as `CORE-051`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Id {
    area: String,
    number: u32,
}

/// One thing that a compatible server does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    /// Its name.
    pub(crate) id: Id,
    /// The file that holds it, without its directory.
    pub(crate) file: String,
    /// What it says, on one line.
    pub(crate) text: String,
}

impl Id {
    /// Reads `CORE-051`: capital letters, a dash and at least three digits.
    pub(crate) fn parse(word: &str) -> Option<Self> {
        let (area, number) = word.split_once('-')?;
        let is_area = !area.is_empty() && area.bytes().all(|b| b.is_ascii_uppercase());
        let is_number = number.len() >= 3 && number.bytes().all(|b| b.is_ascii_digit());
        let number = number.parse().ok()?;
        (is_area && is_number).then(|| Self { area: area.to_owned(), number })
    }

    /// The part before the dash.
    pub(crate) fn area(&self) -> &str {
        &self.area
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{:03}", self.area, self.number)
    }
}

/// The rows of one file: list entries `- [ ] **CORE-001** text` and table lines `| [ ] CFG-023 | cell | cell |`.
pub(crate) fn rows(file: &str, text: &str) -> Vec<Row> {
    let row = |line: &str| {
        let (id, text) = list_entry(line).or_else(|| table_line(line))?;
        Some(Row { id, file: file.to_owned(), text })
    };
    text.lines().filter_map(row).collect()
}

fn list_entry(line: &str) -> Option<(Id, String)> {
    let (id, text) = unmarked(line.strip_prefix("- ")?)?.strip_prefix("**")?.split_once("**")?;
    Some((Id::parse(id)?, text.trim().to_owned()))
}

fn table_line(line: &str) -> Option<(Id, String)> {
    let line = line.strip_prefix('|')?.trim_end().trim_end_matches('|');
    let mut cells = line.split(" | ").map(str::trim);
    let id = Id::parse(unmarked(cells.next()?)?)?;
    let cells: Vec<&str> = cells.filter(|cell| !cell.is_empty()).collect();
    Some((id, cells.join(" · ")))
}

/// What follows the box `[ ]` or `[x]`.
fn unmarked(text: &str) -> Option<&str> {
    let text = text.trim_start();
    text.strip_prefix("[ ]").or_else(|| text.strip_prefix("[x]")).map(str::trim_start)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_of_rows_are_read() {
        let text = "# Title\n\n- [ ] **CORE-001** Verbs are `a|b` (obs)\n- [x] **CORE-002** Done\n- plain CORE-003\n\
                    | # | Option |\n|---|---|\n| [ ] CFG-023 | `listen` | | N | a, b |\n| CFG-024 | no box |\n";
        let read: Vec<(String, String)> = rows("f.md", text).into_iter().map(|r| (r.id.to_string(), r.text)).collect();
        let wanted =
            [("CORE-001", "Verbs are `a|b` (obs)"), ("CORE-002", "Done"), ("CFG-023", "`listen` · | N · a, b")];
        assert_eq!(read.len(), wanted.len(), "{read:?}");
        for ((id, text), (wanted_id, wanted_text)) in read.iter().zip(wanted) {
            assert_eq!((id.as_str(), text.replace("| ", "")), (wanted_id, wanted_text.replace("| ", "")));
        }
    }

    #[test]
    fn ids_have_one_form() {
        for (word, valid) in [
            ("CORE-001", true),
            ("JS-1000", true),
            ("CORE-1", false),
            ("core-001", false),
            ("-001", false),
            ("CORE-01x", false),
        ] {
            let id = Id::parse(word);
            assert_eq!(id.is_some(), valid, "{word}");
            assert!(id.is_none_or(|id| id.to_string() == word));
        }
    }
}
