//! Subjects: what messages are addressed to, the patterns that select them, and how one becomes another.
//!
//! A subject is tokens joined by dots (`orders.eu.created`). A pattern may hold two wildcards: `*` stands for
//! exactly one token, `>` for one or more tokens and only at the end. This room owns:
//!
//! - [`Pattern`] and the free functions beside it: validation, matching, overlap and subset;
//! - [`Trie`]: which values have a pattern that selects a subject;
//! - [`Transform`]: one subject computed from another;
//! - [`Mappings`]: an account's ordered list of weighted transforms.
//!
//! Invariant: nothing here knows accounts, connections or the wire. Subjects are bytes and are never taken to be UTF-8.
//! Chance comes from the caller, and no depth of input grows the call stack.

mod mappings;
mod pattern;
mod transform;
mod trie;

pub use mappings::{Mapped, MappingError, Mappings};
pub use pattern::{
    Pattern, SubjectError, is_subset, is_valid_literal, is_valid_pattern, matches, overlaps, token_count, tokens,
};
pub use transform::{Fault, Transform, TransformError, identity_dest, result_pattern};
pub use trie::{Stats, Trie};
