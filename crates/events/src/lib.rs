//! What every other room may know: the time, as the pure crates see it.
//!
//! Invariant: no clock is read here. The edges count from process start, tests and simulations from zero.

mod time;
mod wall;

pub use time::Time;
pub use wall::WallTime;
