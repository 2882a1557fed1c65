//! Members of one cluster, from the first connection to the last message.

#[path = "../support/mod.rs"]
mod support;

mod converge;
mod delivery;
mod mesh;
mod reload;
mod traces;
