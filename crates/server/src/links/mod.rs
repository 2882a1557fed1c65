//! This server's links to others: listeners, dialling, and what is told of both.
//!
//! | module | what lives there |
//! |---|---|
//! | `routes` | members of this cluster |
//! | `leafs` | leaf nodes, and hubs that this server is a leaf node of |
//! | `addresses` | under which addresses this server is told of |
//! | `refused` | what this server cannot be part of yet |
//!
//! What links say to each other is `martlet-cluster`'s; sockets are `martlet-net`'s.

mod addresses;
mod leafs;
mod refused;
mod routes;

use martlet_config::Options;

pub(crate) use leafs::LeafLinks;
pub(crate) use refused::refuse;
pub(crate) use routes::{Prepared, RouteLinks};

/// A made-up name for a cluster without one (CLU-013).
pub(crate) fn cluster_name(options: &Options) -> (String, bool) {
    match &options.cluster_name {
        Some(name) => (name.clone(), false),
        None => ((0..22).map(|_| fastrand::alphanumeric()).collect(), true),
    }
}

/// A link has the room of so many clients, since it carries the messages of many.
const ROOM: usize = 4;
