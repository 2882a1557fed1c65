//! The page: how much of the contract holds, and what shows it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crate::citations::Cited;
use crate::notes::{Note, Notes, Verdict};
use crate::spec::{Id, Row};

/// How a row stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum State {
    Done,
    Read,
    Partly,
    Different,
    Later,
    NotApplicable,
    Open,
}

/// Whose tests see that an option is read, and nothing of what it does.
const DECODERS: &str = "crates/config/src/decode";

/// In the order of the summary's columns.
const STATES: [State; 7] =
    [State::Done, State::Read, State::Partly, State::Different, State::Later, State::NotApplicable, State::Open];

impl State {
    const fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Read => "read",
            Self::Partly => "partly",
            Self::Different => "different",
            Self::Later => "later",
            Self::NotApplicable => "not applicable",
            Self::Open => "open",
        }
    }
}

impl From<Verdict> for State {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Different => Self::Different,
            Verdict::Partly => Self::Partly,
            Verdict::Later => Self::Later,
            Verdict::NotApplicable => Self::NotApplicable,
        }
    }
}

/// Everything the page is made from.
pub(crate) struct Contract {
    /// The rows, in the order of their files.
    pub(crate) rows: Vec<Row>,
    /// Who cites them.
    pub(crate) cited: BTreeMap<Id, Cited>,
    /// What is said of them.
    pub(crate) notes: Notes,
}

impl Contract {
    /// Names that are cited or noted but are no rows, and rows that exist twice.
    pub(crate) fn faults(&self) -> Vec<String> {
        let mut known = BTreeSet::new();
        let mut faults = Vec::new();
        for row in &self.rows {
            if !known.insert(&row.id) {
                faults.push(format!("{} is in the contract twice (again in {})", row.id, row.file));
            }
        }
        let areas: BTreeSet<&str> = self.rows.iter().map(|row| row.id.area()).collect();
        for (id, cited) in self.cited.iter().filter(|(id, _)| !known.contains(id)) {
            let files: Vec<&str> = cited.code.union(&cited.tests).map(String::as_str).collect();
            faults.push(format!("{id} is cited in {} but is no row", files.join(", ")));
        }
        faults.extend(
            self.notes.rows.keys().filter(|id| !known.contains(id)).map(|id| format!("{id} has a note but is no row")),
        );
        let no_area = self.notes.areas.keys().filter(|area| !areas.contains(area.as_str()));
        faults.extend(no_area.map(|area| format!("{area}-* has a note but no row is named so")));
        faults
    }

    /// The whole page. Writing to a string cannot fail, so the results of writing are passed over.
    pub(crate) fn page(&self) -> String {
        let mut page = String::from(
            "# Compatibility\n\n\
             Every row of the contract (`docs/spec/`), and how Martlet stands to it. This page is generated: change the code, the\n\
             tests or `docs/compat-notes.txt`, then run `cargo run -p martlet-compat`.\n\n\
             - **done**: at least one test cites the row and would fail if it broke.\n\
             - **read**: the option is read, and a test of that cites the row; what it does, no test sees that names the row.\n\
             - **partly**, **different**: as the note says; *different* is on purpose.\n\
             - **later**: planned. **not applicable**: speaks of something that Martlet does not have.\n\
             - **open**: no test cites it yet.\n\n",
        );
        self.summary(&mut page);
        for file in self.files() {
            let _ = writeln!(page, "\n## {file}\n\n| Row | State | What | Shown by |\n|---|---|---|---|");
            for row in self.rows.iter().filter(|row| row.file == file) {
                self.line(row, &mut page);
            }
        }
        page
    }

    fn files(&self) -> BTreeSet<&str> {
        self.rows.iter().map(|row| row.file.as_str()).collect()
    }

    fn summary(&self, page: &mut String) {
        let names = STATES.map(State::name).join(" | ");
        let _ = writeln!(page, "| Contract | rows | {names} |\n|---|{}", "---:|".repeat(STATES.len() + 1));
        for file in self.files() {
            self.summary_line(page, &format!("[{file}](spec/{file})"), |row| row.file == file);
        }
        self.summary_line(page, "**all**", |_| true);
    }

    fn summary_line(&self, page: &mut String, title: &str, of: impl Fn(&Row) -> bool) {
        let states: Vec<State> = self.rows.iter().filter(|row| of(row)).map(|row| self.state(row).0).collect();
        let count = |state| states.iter().filter(|s| **s == state).count().to_string();
        let _ = writeln!(page, "| {title} | {} | {} |", states.len(), STATES.map(count).join(" | "));
    }

    fn state(&self, row: &Row) -> (State, Option<&Note>) {
        if let Some(note) = self.notes.rows.get(&row.id) {
            return (note.verdict.into(), Some(note));
        }
        let tests = self.cited.get(&row.id).map(|cited| &cited.tests).filter(|tests| !tests.is_empty());
        if let Some(tests) = tests {
            let is_read = tests.iter().all(|path| path.starts_with(DECODERS));
            return (if is_read { State::Read } else { State::Done }, None);
        }
        let note = self.notes.areas.get(row.id.area());
        (note.map_or(State::Open, |note| note.verdict.into()), note)
    }

    fn line(&self, row: &Row, page: &mut String) {
        let (state, note) = self.state(row);
        // Reasons that speak for a whole area are said once, in the notes.
        let mut shown: Vec<String> = note
            .filter(|_| self.notes.rows.contains_key(&row.id))
            .map(|note| note.reason.clone())
            .into_iter()
            .collect();
        if let Some(cited) = self.cited.get(&row.id) {
            shown.extend(cited.tests.iter().map(|path| link(path)));
            if cited.tests.is_empty() && !cited.code.is_empty() {
                let code: Vec<String> = cited.code.iter().map(|path| link(path)).collect();
                shown.push(format!("code without a test: {}", code.join(", ")));
            }
        }
        let cell = |text: &str| text.replace("\\|", "|").replace('|', "\\|");
        let (text, shown) = (cell(&row.text), cell(&shown.join("<br>")));
        let _ = writeln!(page, "| {} | {} | {text} | {shown} |", row.id, state.name());
    }
}

fn link(path: &str) -> String {
    format!("[{path}](../{path})")
}

#[cfg(test)]
mod tests;
