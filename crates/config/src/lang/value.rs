//! What a config file says, before anyone asks what it means.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

/// A place in a file. Lines and columns count from 1, columns in bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// The file, as it was named by the command line or the including file; empty for text without a file.
    pub file: Arc<str>,
    /// The line.
    pub line: u32,
    /// The column.
    pub column: u32,
}

impl fmt::Display for Span {
    /// `FILE:LINE:COLUMN`. Like the reference, which scripts compare with, columns of the first line count from 0 here.
    // spec: CFG-003
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let column = if self.line == 1 { self.column - 1 } else { self.column };
        write!(f, "{}:{}:{column}", self.file, self.line)
    }
}

impl Span {
    /// The place in words, for messages that the reference gives no place.
    pub(crate) fn in_words(&self) -> String {
        format!("in {}, line {}, column {}", self.file, self.line, self.column)
    }
}

/// A value and where it stands: at its key inside a map, at its first character elsewhere.
#[derive(Debug, Clone, PartialEq)]
pub struct Value {
    /// Where it stands.
    pub span: Span,
    /// What it is.
    pub kind: Kind,
    /// Whether a `$variable` refers to it, so that it need not be an option (CORE-181).
    pub used_as_variable: bool,
}

/// The kinds of value the language has.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// Text.
    String(String),
    /// `true`, `yes`, `on`, `false`, `no`, `off`.
    Bool(bool),
    /// A whole number, its unit applied.
    Integer(i64),
    /// A number with digits on both sides of the point.
    Float(f64),
    /// `2006-01-02T15:04:05Z`.
    DateTime(DateTime),
    /// `[ … ]`
    Array(Vec<Value>),
    /// `{ … }`
    Map(Map),
}

/// A date and time in UTC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DateTime(String);

impl DateTime {
    /// Checks `YYYY-MM-DDTHH:MM:SSZ` for a date that exists.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let field = |from: usize, to: usize| text.get(from..to)?.parse::<u32>().ok();
        let (year, month, day) = (field(0, 4)?, field(5, 7)?, field(8, 10)?);
        let (hour, minute, second) = (field(11, 13)?, field(14, 16)?, field(17, 19)?);
        let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
        let days = match month {
            4 | 6 | 9 | 11 => 30,
            2 if leap => 29,
            2 => 28,
            1..=12 => 31,
            _ => return None,
        };
        ((1..=days).contains(&day) && hour < 24 && minute < 60 && second < 60).then(|| Self(text.to_owned()))
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Value {
    /// The kind with its article, for "… must be X, got Y".
    pub fn described(&self) -> String {
        match &self.kind {
            Kind::String(text) => format!("the string {text:?}"),
            Kind::Bool(value) => format!("the boolean {value}"),
            Kind::Integer(number) => format!("the integer {number}"),
            Kind::Float(number) => format!("the number {number}"),
            Kind::DateTime(time) => format!("the date {}", time.as_str()),
            Kind::Array(_) => "an array".into(),
            Kind::Map(_) => "a map".into(),
        }
    }

    /// How many values this one is made of, itself included.
    pub(crate) fn size(&self) -> usize {
        1 + match &self.kind {
            Kind::Array(items) => items.iter().map(Self::size).sum(),
            Kind::Map(map) => map.iter().map(|entry| entry.value.size()).sum(),
            _ => 0,
        }
    }

    /// How deep this value is nested: 1 for a scalar.
    pub(crate) fn depth(&self) -> usize {
        1 + match &self.kind {
            Kind::Array(items) => items.iter().map(Self::depth).max().unwrap_or(0),
            Kind::Map(map) => map.iter().map(|entry| entry.value.depth()).max().unwrap_or(0),
            _ => 0,
        }
    }

    /// Says that this value and all inside it stand at `span`: values of the environment have no place of their own.
    pub(crate) fn relocate(&mut self, span: &Span) {
        self.span = span.clone();
        match &mut self.kind {
            Kind::Array(items) => items.iter_mut().for_each(|item| item.relocate(span)),
            Kind::Map(map) => map.entries.iter_mut().for_each(|entry| entry.value.relocate(span)),
            _ => {}
        }
    }
}

/// Keys and values in file order; a key that comes again replaces the value it had (CORE-183).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Map {
    entries: Vec<Entry>,
    index: HashMap<String, usize>,
}

/// One key with its value.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// As written.
    pub key: String,
    /// Its value, whose span is the key's.
    pub value: Value,
}

impl Map {
    /// Sets `key`.
    pub(crate) fn insert(&mut self, key: String, value: Value) {
        if let Some(&at) = self.index.get(&key) {
            self.entries[at].value = value;
        } else {
            self.index.insert(key.clone(), self.entries.len());
            self.entries.push(Entry { key, value });
        }
    }

    /// The value of exactly `key`.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.index.get(key).map(|&at| &self.entries[at].value)
    }

    pub(crate) fn get_mut(&mut self, key: &str) -> Option<&mut Value> {
        self.index.get(key).map(|&at| &mut self.entries[at].value)
    }

    /// In file order.
    pub fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter()
    }

    pub(crate) fn into_entries(self) -> Vec<Entry> {
        self.entries
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }
}
