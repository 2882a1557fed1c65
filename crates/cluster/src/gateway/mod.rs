//! Gateways: clusters that are one to their clients.
//!
//! | module | what lives there |
//! |---|---|
//! | `own` | what this server says of itself, and the options in force |
//! | `gateways` | the other clusters: where they are, the connections to and from them, what is passed on of them |
//! | `remote` | one other cluster |
//! | `protocol`, `handshake` | one connection's life |
//!
//! Every server has one connection to each other cluster, over which its messages go out. Interest comes in over the same
//! connection, from the server that accepted it: that of its whole cluster. A server that is connected to answers with a
//! connection of its own, and whoever hears of a cluster connects there.
//!
//! Servers since 2.9 tell each other all interest at once. Older ones get everything that they have not objected to,
//! account by account, until they begin to tell what they want.

mod gateways;
mod handshake;
mod own;
mod protocol;
mod remote;

use std::sync::Arc;

use martlet_broker::{Broker, Peer};
use martlet_config::options::LinkUrl;
use martlet_events::Time;

pub use gateways::{Gateways, InboundSummary, OutboundSummary};
pub use own::{Own, Place};
pub use remote::{AccountMode, Mode};

use crate::driver::LinkDriver;
use protocol::GatewayProtocol;

/// One end of a gateway connection, as an event loop drives it.
pub type GatewayDriver = LinkDriver<GatewayProtocol>;

/// Whom this server has dialled.
#[derive(Debug, Clone)]
pub struct Outward {
    /// The cluster.
    pub cluster: Arc<str>,
    /// Its server.
    pub url: LinkUrl,
}

/// What is known of a connection as it begins.
#[derive(Debug, Clone)]
pub struct Facts {
    /// Whom it was dialled to; accepted if `None`.
    pub dialled: Option<Outward>,
    /// A random number.
    pub seed: u64,
}

impl Gateways {
    /// A driver for a new connection.
    pub fn drive(self: &Arc<Self>, broker: &Arc<Broker>, peer: Arc<Peer>, facts: Facts, now: Time) -> GatewayDriver {
        GatewayProtocol::start(self.clone(), broker.clone(), peer, facts, now)
    }
}
