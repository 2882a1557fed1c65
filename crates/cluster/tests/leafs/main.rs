//! Hubs and leaf nodes, without sockets: what both say to each other, and what clients on either side see of it.

mod converge;
mod handshake;
mod interest;
mod loops;
mod messages;
mod permissions;
#[path = "../support/stage.rs"]
mod stage;
mod world;
