//! What a person is told about a config file.

use std::fmt;

use crate::lang::{ParseError, Span};

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Accepted, without any effect on this server. Said once at start, and no reason for `-t` to fail.
    Notice,
    /// Accepted, but it should be mended: `-t` fails (CFG-005).
    Warning,
    /// Refused.
    Error,
}

/// One finding, with its place where it has one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// Where.
    pub span: Option<Span>,
    /// What.
    pub text: String,
}

impl fmt::Display for Diagnostic {
    // spec: CFG-003
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.span {
            Some(span) => write!(f, "{span}: {}", self.text),
            None => f.write_str(&self.text),
        }
    }
}

/// Why a configuration is refused: at least one error, and the warnings found on the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigErrors {
    /// Everything that is wrong, by place.
    pub errors: Vec<Diagnostic>,
    /// Everything that should be mended, by place.
    pub warnings: Vec<Diagnostic>,
}

impl fmt::Display for ConfigErrors {
    /// Warnings first, then errors, a line each.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut findings = self.warnings.iter().chain(&self.errors);
        if let Some(first) = findings.next() {
            write!(f, "{first}")?;
        }
        findings.try_for_each(|finding| write!(f, "\n{finding}"))
    }
}

impl std::error::Error for ConfigErrors {}

impl From<ParseError> for ConfigErrors {
    fn from(error: ParseError) -> Self {
        // The text of a parse error says its place itself.
        let error = Diagnostic { severity: Severity::Error, span: None, text: error.to_string() };
        Self { errors: vec![error], warnings: Vec::new() }
    }
}
