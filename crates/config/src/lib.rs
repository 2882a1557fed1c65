//! Configuration: the config language and the command line in, typed [`Options`] out.
//!
//! Owns the grammar, every option's name, type, default and validation, and what may change at a reload.
//!
//! Invariant: nothing here touches a file or the environment; both come through a trait the caller implements.

pub mod options;

pub use options::Options;
