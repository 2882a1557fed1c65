//! Stories of connections, told through the public interface.

#[path = "../support/mod.rs"]
mod support;

mod smoke;
