//! What the parsers of one configuration share: where text comes from, and the bounds on all of it together.

use std::path::{Path, PathBuf};

use super::{ParseError, Span, Value};
use crate::source::Source;

/// Maps and arrays inside each other, with what variables and includes put there.
pub(super) const MAX_NESTING: usize = 100;
/// Files including each other.
pub(super) const MAX_INCLUDES: usize = 32;
/// Environment variables referring to each other.
pub(super) const MAX_VARIABLES: usize = 32;
/// Values in one configuration.
pub(super) const MAX_VALUES: usize = 1_000_000;

/// Shared by the parser of a file and those of what it includes and refers to.
pub(super) struct Shared<'s> {
    pub(super) source: &'s dyn Source,
    /// Files being read, outermost first.
    pub(super) files: Vec<PathBuf>,
    /// Environment variables being resolved, outermost first.
    pub(super) variables: Vec<String>,
    /// Maps and arrays being read, in all files.
    pub(super) depth: usize,
    values: usize,
}

impl<'s> Shared<'s> {
    pub(super) fn new(source: &'s dyn Source) -> Self {
        Self { source, files: Vec::new(), variables: Vec::new(), depth: 0, values: 0 }
    }

    /// Counts values that come into being at `span`.
    pub(super) fn count(&mut self, values: usize, span: &Span) -> Result<(), ParseError> {
        self.values += values;
        if self.values > MAX_VALUES {
            return Err(ParseError::TooMuch { what: "the number of values", limit: MAX_VALUES, span: span.clone() });
        }
        Ok(())
    }

    /// Refuses to put something `levels` deep inside what is being read.
    pub(super) fn check_depth(&self, levels: usize, span: &Span) -> Result<(), ParseError> {
        if self.depth + levels > MAX_NESTING {
            return Err(ParseError::TooMuch {
                what: "the nesting of maps and arrays",
                limit: MAX_NESTING,
                span: span.clone(),
            });
        }
        Ok(())
    }

    /// A value that a variable stands for takes the place of the reference.
    pub(super) fn check_expansion(&mut self, value: &Value, span: &Span) -> Result<(), ParseError> {
        self.check_depth(value.depth(), span)?;
        self.count(value.size(), span)
    }

    /// The text of `path`, or what the system or the text has against it.
    pub(super) fn read(&self, path: &Path) -> Result<String, String> {
        let shown = path.display();
        let bytes = self.source.read(path).map_err(|e| format!("open {shown}: {}", crate::source::io_reason(&e)))?;
        let text = String::from_utf8(bytes).map_err(|e| {
            let valid = &e.as_bytes()[..e.utf8_error().valid_up_to()];
            let line = valid.split(|&b| b == b'\n').count();
            format!("{shown}: line {line} is not valid UTF-8")
        })?;
        match text.find('\0') {
            Some(at) => Err(format!("{shown}: line {} holds a NUL byte", 1 + text[..at].matches('\n').count())),
            None => Ok(text),
        }
    }
}
