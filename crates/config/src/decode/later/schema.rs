//! What the options of later features look like: enough to tell a wrong file from one that is only early.

use crate::nkey::Role;

/// An option of a block.
pub(super) struct Field {
    /// Its name and its aliases.
    pub(super) names: &'static [&'static str],
    /// What it holds.
    pub(super) shape: Shape,
}

/// The kinds of value.
pub(super) enum Shape {
    /// `true` or `false`.
    Bool,
    /// A whole number.
    Integer,
    /// A string.
    Text,
    /// A string or an array of them.
    Texts,
    /// An array of strings.
    List,
    /// A map of strings.
    TextMap,
    /// A duration string, or seconds with a warning.
    Duration,
    /// A duration string.
    DurationText,
    /// Seconds or a duration string.
    Seconds,
    /// A port or `host:port`.
    Listen,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// One public nkey or an array of them.
    Keys(Role),
    /// A `tls` block.
    Tls,
    /// A map with these fields.
    Map(&'static [Field]),
    /// A boolean or a map with these fields.
    BoolOr(&'static [Field]),
    /// A string or a map with these fields.
    TextOr(&'static [Field]),
}

/// An option by its names and shape.
pub(super) const fn field(names: &'static [&'static str], shape: Shape) -> Field {
    Field { names, shape }
}
