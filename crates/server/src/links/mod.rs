//! This server's links to others: listeners, dialling, and what is told of both.
//!
//! | module | what lives there |
//! |---|---|
//! | `routes` | members of this cluster |
//! | `leafs` | leaf nodes, and hubs that this server is a leaf node of |
//! | `gateways` | other clusters |
//! | `addresses` | under which addresses this server is told of |
//!
//! What links say to each other is `martlet-cluster`'s; sockets are `martlet-net`'s.

mod addresses;
mod gateways;
mod leafs;
mod routes;

use martlet_broker::peer::Kind;
use martlet_config::Options;

pub(crate) use gateways::{GatewayLinks, PreparedGateways};
pub(crate) use leafs::LeafLinks;
pub(crate) use routes::{Prepared, RouteLinks};

/// A made-up name for a cluster without one (CLU-013).
pub(crate) fn cluster_name(options: &Options) -> (String, bool) {
    match options.settled_cluster_name() {
        Some(name) => (name.to_owned(), false),
        None => ((0..22).map(|_| fastrand::alphanumeric()).collect(), true),
    }
}

/// Bytes that may wait for a link before it is closed.
fn max_pending(options: &Options) -> usize {
    usize::try_from(options.limits.max_pending).unwrap_or(usize::MAX).saturating_mul(Kind::LINK_ROOM)
}
