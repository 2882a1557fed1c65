//! Everything an operator looks at: the JSON views, their HTTP listener, and metrics.
//!
//! - [`Observe`] is what a server lets the monitor see, as plain [`snapshot`]s.
//!
//! Invariant: nothing here reaches into a server but through [`Observe`], and nothing here can hold one up.

pub mod observe;
pub mod snapshot;

pub use observe::Observe;
