//! Leaf nodes: servers that extend one account of another, which is their hub.
//!
//! | module | what lives there |
//! |---|---|
//! | `own` | what this server says of itself, and the options in force |
//! | `remote` | one configured remote: its addresses, and how it is logged in to |
//! | `leafs` | the connections there are, the remotes there are to be, and what to do when one comes or goes |
//! | `protocol` | one connection's life |
//! | `handshake` | how it begins, whichever end dialled |
//! | `accepted`, `dialled` | what of that only one end does |
//!
//! A connection is bound to one account on each side. The hub tells its leaf node everything that is wanted in that
//! account, the leaf node tells its hub what is wanted on its own side; see `ledger` and `forward` in `martlet-broker`.
//! Whoever dials is the leaf node, unless it says that it is the hub.

mod accepted;
mod dialled;
mod handshake;
mod leafs;
mod own;
mod protocol;
mod remote;

use std::sync::Arc;

use martlet_broker::{Broker, Peer};
use martlet_config::options::LinkUrl;
use martlet_events::Time;

pub use leafs::{Known, Leafs, Summary};
pub use own::{Own, Place};
pub use remote::Remote;

use crate::driver::LinkDriver;
use protocol::LeafProtocol;

/// One end of a leaf node link, as an event loop drives it.
pub type LeafDriver = LinkDriver<LeafProtocol>;

/// What is known of a connection as it begins.
#[derive(Debug, Clone)]
pub struct Facts {
    /// How it was dialled; accepted if `None`.
    pub dialled: Option<Dialled>,
    /// A random number.
    pub seed: u64,
    /// Random bytes, for whoever wants to sign something.
    pub nonce: [u8; 11],
}

/// The remote that was dialled, and where.
#[derive(Debug, Clone)]
pub struct Dialled {
    /// The remote.
    pub remote: Arc<Remote>,
    /// One of its addresses.
    pub url: LinkUrl,
}

impl Leafs {
    /// A driver for a new connection.
    pub fn drive(self: &Arc<Self>, broker: &Arc<Broker>, peer: Arc<Peer>, facts: Facts, now: Time) -> LeafDriver {
        LeafProtocol::start(self.clone(), broker.clone(), peer, facts, now)
    }
}
