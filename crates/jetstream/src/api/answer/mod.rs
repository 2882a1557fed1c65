//! How answers are written.
//!
//! Fields stand in the order that clients have always seen, and those that clients never saw when empty are left out.

mod config;
