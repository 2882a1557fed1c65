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

pub(crate) mod addresses;
mod gateways;
mod leafs;
mod routes;

use std::sync::Arc;

use martlet_broker::Broker;
use martlet_broker::peer::Kind;
use martlet_config::Options;
use martlet_net::Links;
use tokio::runtime::Handle;

pub(crate) use gateways::GatewayLinks;
pub(crate) use leafs::LeafLinks;
pub(crate) use routes::RouteLinks;

use crate::server::StartError;
use crate::views::Others;

/// All listeners for other servers, bound; nobody is accepted and nobody dialled before [`Prepared::open`].
pub(crate) struct Prepared {
    routes: Option<routes::Prepared>,
    gateways: Option<gateways::PreparedGateways>,
    leafs: leafs::Prepared,
}

impl Prepared {
    /// Binds what `options` ask for.
    pub(crate) fn new(
        options: &Options,
        broker: &Arc<Broker>,
        links: &Arc<Links>,
        client_port: u16,
    ) -> Result<Self, StartError> {
        let leafs = LeafLinks::prepare(options, broker, links)?;
        let gateways = GatewayLinks::prepare(options, broker, links)?;
        let urls = (leafs.url.clone(), gateways.as_ref().map(|gateways| gateways.url().to_owned()));
        let routes = RouteLinks::prepare(options, broker, links, client_port, urls)?;
        let wide = options.leafnodes.is_some() || gateways.is_some();
        if routes.is_some() || wide {
            broker.accounts.open_ledgers(wide);
        }
        Ok(Self { routes, gateways, leafs })
    }

    /// What is prepared.
    pub(crate) fn others(&self) -> Others {
        Others {
            routes: self.routes.as_ref().map(routes::Prepared::links),
            gateways: self.gateways.as_ref().map(gateways::PreparedGateways::links),
            leafs: self.leafs.links(),
        }
    }

    /// Accepts other servers, and connects to those that are configured.
    pub(crate) fn open(self, runtime: &Handle) {
        let others = self.others();
        if let Some(routes) = self.routes {
            routes.open(runtime);
        }
        self.leafs.open(runtime);
        if let Some(gateways) = self.gateways {
            gateways.open(runtime, others.routes.as_deref());
        }
    }
}

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
