//! Why a config file cannot be read as one.

use super::Span;

/// Why text is no configuration.
///
/// The beginning of each text is what tools around the reference look for; the place follows in brackets.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// The text breaks the grammar.
    // spec: CORE-184
    #[error("Parse error on line {}: '{reason}' ({})", span.line, span.in_words())]
    Syntax {
        /// What was expected and what came.
        reason: String,
        /// Where.
        span: Span,
    },
    /// The text ends behind a key.
    #[error("config is invalid ({span}): the key \"{key}\" has no value")]
    KeyWithoutValue {
        /// The key.
        key: String,
        /// Where the text ends.
        span: Span,
    },
    /// A number that does not fit 64 bits.
    #[error("{kind} '{text}' is out of the range ({})", span.in_words())]
    OutOfRange {
        /// `integer` or `float`.
        kind: &'static str,
        /// As written.
        text: String,
        /// Where.
        span: Span,
    },
    /// A date that no calendar has.
    #[error("expected Zulu formatted DateTime, but got '{text}' ({})", span.in_words())]
    BadDate {
        /// As written.
        text: String,
        /// Where.
        span: Span,
    },
    /// `$name` is neither a key seen before nor an environment variable.
    #[error("variable reference for '{name}' on line {} can not be found ({}){}", span.line, span.in_words(), hint(name))]
    UnknownVariable {
        /// The name.
        name: String,
        /// Where it is used.
        span: Span,
    },
    /// The environment variable's value is no config value.
    #[error("variable reference for '{name}' on line {} could not be parsed: {reason} ({})", span.line, span.in_words())]
    BadVariable {
        /// The name.
        name: String,
        /// What is wrong with its value.
        reason: String,
        /// Where it is used.
        span: Span,
    },
    /// An included file cannot be used.
    #[error("error parsing include file '{path}', {reason} ({})", span.in_words())]
    Include {
        /// As written.
        path: String,
        /// What is wrong with it.
        reason: String,
        /// Where it is included.
        span: Span,
    },
    /// The config file itself cannot be read.
    #[error("open {path}: {reason}")]
    Unreadable {
        /// The file.
        path: String,
        /// What the system said.
        reason: String,
    },
    /// More than any sensible file has: a bound that keeps the server alive.
    #[error("{what} goes beyond {limit} ({})", span.in_words())]
    TooMuch {
        /// What is bounded.
        what: &'static str,
        /// The bound.
        limit: usize,
        /// Where it is passed.
        span: Span,
    },
}

/// Bare bcrypt hashes other than `$2a$` look like variables.
fn hint(name: &str) -> &'static str {
    match name.as_bytes() {
        [b'2', b'b' | b'x' | b'y', b'$', ..] => "; if this is a bcrypt hash, put it in quotes",
        _ => "",
    }
}
