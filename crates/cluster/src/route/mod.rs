//! Routes: the members of one cluster, each connected to each.
//!
//! | module | what lives there |
//! |---|---|
//! | `own` | what this server says of itself, and the options in force |
//! | `routes` | the others: connected to, told, left |
//! | `mesh` | who they are, over which connections |
//! | `join` | how a connection becomes one of them |
//! | `gossip` | passing on who is there |
//! | `protocol`, `handshake` | one connection's life |
//! | `reload` | other options, and what members tell each other of them |
//!
//! Members have a pool of connections to each other, each account on one of them, and some accounts a connection of their
//! own. What a member hears of an unknown server makes it connect there.

mod gossip;
mod handshake;
mod join;
mod mesh;
mod own;
mod protocol;
mod reload;
mod routes;

use std::sync::Arc;

use martlet_broker::{Broker, Peer};
use martlet_events::Time;

pub use mesh::Summary;
pub use own::{Member, Own};
pub use routes::Routes;

use crate::driver::LinkDriver;
use crate::orders::Dialled;
use protocol::RouteProtocol;

/// One end of a route, as an event loop drives it.
pub type RouteDriver = LinkDriver<RouteProtocol>;

/// What is known of a connection as it begins.
#[derive(Debug, Clone)]
pub struct Facts {
    /// How it was dialled; accepted if `None`.
    pub dialled: Option<Dialled>,
    /// The address at the other end, without the port.
    pub remote_ip: String,
    /// A random number.
    pub seed: u64,
    /// Random bytes, for whoever wants to sign something.
    pub nonce: [u8; 11],
}

impl Routes {
    /// A driver for a new connection.
    pub fn drive(self: &Arc<Self>, broker: &Arc<Broker>, peer: Arc<Peer>, facts: Facts, now: Time) -> RouteDriver {
        RouteProtocol::start(self.clone(), broker.clone(), peer, facts, now)
    }
}
