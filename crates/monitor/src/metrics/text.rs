//! The text format: families of samples, each family with its help and type.

use std::fmt::Write as _;

/// Whether a number only grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Counter,
    Gauge,
}

/// The number of a sample. Whole numbers keep all their digits.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Value {
    Whole(u64),
    Signed(i64),
    Real(f64),
}

impl From<u64> for Value {
    fn from(value: u64) -> Self {
        Self::Whole(value)
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Signed(value)
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::Real(value)
    }
}

/// The document.
#[derive(Debug, Default)]
pub(super) struct Text {
    out: String,
}

impl Text {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// Begins a family. One without samples leaves nothing behind.
    pub(super) fn family<'a>(&'a mut self, name: &str, kind: Kind, help: &'a str) -> Family<'a> {
        Family { text: self, name: name.to_owned(), kind, help, begun: false }
    }

    pub(super) fn finish(self) -> String {
        self.out
    }
}

/// A family being written.
#[derive(Debug)]
pub(super) struct Family<'a> {
    text: &'a mut Text,
    name: String,
    kind: Kind,
    help: &'a str,
    begun: bool,
}

impl Family<'_> {
    /// One number. Labels are the caller's to keep distinct.
    pub(super) fn sample(&mut self, labels: &[(&str, &str)], value: impl Into<Value>) {
        let (out, name) = (&mut self.text.out, &self.name);
        if !std::mem::replace(&mut self.begun, true) {
            let kind = match self.kind {
                Kind::Counter => "counter",
                Kind::Gauge => "gauge",
            };
            let help = self.help.replace('\\', "\\\\").replace('\n', "\\n");
            let _ = write!(out, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
        }
        out.push_str(name);
        for (index, (label, text)) in labels.iter().enumerate() {
            let _ = write!(out, "{}{label}=\"", if index == 0 { '{' } else { ',' });
            push_escaped(out, text);
            out.push('"');
        }
        if !labels.is_empty() {
            out.push('}');
        }
        let _ = match value.into() {
            Value::Whole(value) => writeln!(out, " {value}"),
            Value::Signed(value) => writeln!(out, " {value}"),
            Value::Real(value) => writeln!(out, " {value}"),
        };
    }
}

fn push_escaped(out: &mut String, text: &str) {
    for character in text.chars() {
        match character {
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            '\n' => out.push_str("\\n"),
            other => out.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_have_their_help_and_type_once() {
        let mut text = Text::new();
        let mut family = text.family("a_total", Kind::Counter, "Help\nwith \\ two.");
        family.sample(&[("x", "1"), ("y", "q\"\\\n")], 7_u64);
        family.sample(&[("x", "2"), ("y", "é")], u64::MAX);
        let _ = text.family("empty", Kind::Gauge, "No samples.");
        text.family("b", Kind::Gauge, "Real.").sample(&[], 0.25);
        assert_eq!(
            text.finish(),
            "# HELP a_total Help\\nwith \\\\ two.\n# TYPE a_total counter\n\
             a_total{x=\"1\",y=\"q\\\"\\\\\\n\"} 7\na_total{x=\"2\",y=\"é\"} 18446744073709551615\n\
             # HELP b Real.\n# TYPE b gauge\nb 0.25\n"
        );
    }
}
