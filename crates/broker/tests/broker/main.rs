//! Stories of connections, told through the public interface.

#[path = "../support/mod.rs"]
mod support;

mod accounts;
mod batch;
mod flow;
mod handshake;
mod interest;
mod ledger;
mod limits;
mod local_task;
mod model;
mod outbox;
mod permissions;
mod publish;
mod reload;
mod segmentation;
mod subscribe;
