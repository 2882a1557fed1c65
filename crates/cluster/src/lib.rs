//! How servers make one system of many: routes within a cluster, gateways between clusters, leaf nodes at their edges.
//!
//! | module | what lives there |
//! |---|---|
//! | `driver`, `channel` | what all links have in common: reading lines, pings, messages, interest |
//! | `wants`, `strangers` | what the other side of one link wants, and what in accounts that are not known here |
//! | `compression`, `pool` | what two servers agree on; which of several connections carries an account |
//! | `route` | members of one cluster: the handshake, the mesh, gossip |
//! | `leaf` | hubs and their leaf nodes: the handshake at both ends, who may say what, configured remotes |
//! | `gateway` | other clusters: the handshake, the connections to and from them, gossip |
//! | `orders` | connections that a protocol wants made |
//!
//! Which messages go over a link, and what it is told of this server's interest, is decided below, in `martlet-broker`
//! (`forward`, `ledger`): this crate makes and unmakes the links they use.
//!
//! Invariant: no socket, file, clock or chance of its own. Connections are made by whoever takes the [`Order`]s.

mod channel;
pub mod compression;
mod driver;
pub mod gateway;
pub mod leaf;
pub mod orders;
pub mod pool;
pub mod route;
mod strangers;
mod wants;

pub use driver::LinkDriver;
pub use gateway::{GatewayDriver, Gateways};
pub use leaf::{LeafDriver, Leafs};
pub use orders::{Dial, Dialled, GatewayDial, LeafDial, Order, Orders};
pub use route::{RouteDriver, Routes};
