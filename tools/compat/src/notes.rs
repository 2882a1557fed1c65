//! What a person says about rows: the hand-written file of differences and of work not done.
//!
//! One note per line: a state, a row (`CORE-051`) or a whole area (`JS-*`), and the reason. A note on a row decides its
//! state; a note on an area speaks for those of its rows that no test covers yet.

use std::collections::BTreeMap;

use crate::spec::Id;

/// What a note can say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Martlet behaves otherwise on purpose.
    Different,
    /// Some of the row holds.
    Partly,
    /// Planned, not begun.
    Later,
    /// It speaks of something that Martlet does not have.
    NotApplicable,
}

/// A verdict and its reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Note {
    /// The verdict.
    pub(crate) verdict: Verdict,
    /// Why.
    pub(crate) reason: String,
}

/// All notes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Notes {
    /// By row.
    pub(crate) rows: BTreeMap<Id, Note>,
    /// By area: the part of a row's name before the dash.
    pub(crate) areas: BTreeMap<String, Note>,
}

impl Notes {
    /// Reads the hand-written file; empty lines and lines that begin with `#` say nothing.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut notes = Self::default();
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.trim();
            if !line.is_empty() && !line.starts_with('#') {
                notes.add(line).map_err(|error| format!("line {number}: {error}"))?;
            }
        }
        Ok(notes)
    }

    fn add(&mut self, line: &str) -> Result<(), String> {
        let mut words = line.splitn(3, char::is_whitespace);
        let (Some(verdict), Some(name), Some(reason)) = (words.next(), words.next(), words.next()) else {
            return Err(format!("{line:?} should be a state, a row and a reason"));
        };
        let verdict = match verdict {
            "different" => Verdict::Different,
            "partly" => Verdict::Partly,
            "later" => Verdict::Later,
            "not-applicable" => Verdict::NotApplicable,
            other => return Err(format!("{other:?} is none of different, partly, later, not-applicable")),
        };
        let note = Note { verdict, reason: reason.trim().to_owned() };
        let older = match name.strip_suffix("-*") {
            Some(area) => self.areas.insert(area.to_owned(), note),
            None => self.rows.insert(Id::parse(name).ok_or(format!("{name:?} is no row"))?, note),
        };
        if older.is_some() { Err(format!("{name} has a note already")) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_are_read() {
        let notes =
            Notes::parse("# head\n\ndifferent CORE-001  because of that\nlater JS-* not begun\n").expect("valid");
        let note = &notes.rows[&Id::parse("CORE-001").expect("an id")];
        assert_eq!((note.verdict, note.reason.as_str()), (Verdict::Different, "because of that"));
        assert_eq!(notes.areas["JS"].verdict, Verdict::Later);
    }

    #[test]
    fn faults_name_the_line() {
        for (text, error) in [
            ("different CORE-001", "line 1: \"different CORE-001\" should be a state, a row and a reason"),
            ("\nwrong CORE-001 x", "line 2: \"wrong\" is none of different, partly, later, not-applicable"),
            ("later CORE-1 x", "line 1: \"CORE-1\" is no row"),
            ("later CORE-001 x\npartly CORE-001 y", "line 2: CORE-001 has a note already"),
        ] {
            assert_eq!(Notes::parse(text), Err(error.to_owned()));
        }
    }
}
