//! Stories of connections, told through the public interface.

#[path = "../support/mod.rs"]
mod support;

mod flow;
mod handshake;
mod limits;
mod permissions;
mod publish;
mod segmentation;
mod subscribe;
