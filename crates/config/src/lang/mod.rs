//! The config language: text in, a tree of [`Value`]s with their places out.
//!
//! A superset of JSON with bare words, comments, units, includes and variables (CORE-170 …). The scanner in
//! `cursor` knows characters and places, `scalar` knows what a bare word means, `parser` knows the structure and
//! `scope` resolves variables.
//!
//! Invariant: any input ends in a tree or in a [`ParseError`]; nesting, includes, variables and the size of the
//! tree are bounded, so that no file can exhaust the stack or the memory of the server that reads it.

mod cursor;
mod error;
mod parser;
mod scalar;
mod scope;
#[cfg(test)]
mod tests;
mod value;

pub use error::ParseError;
pub(crate) use parser::{parse_file, parse_text};
pub use value::{DateTime, Entry, Kind, Map, Span, Value};
