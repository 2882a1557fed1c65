//! Everything an operator looks at: the JSON views, their HTTP listener, and metrics.
//!
//! - [`Observe`] is what a server lets the monitor see, as plain [`snapshot`]s.
//! - [`views`] make the answers out of those; [`Monitor`] binds them to one server and the clock.
//! - [`http`] listens, routes and bounds what a client can cost; [`metrics`] is its endpoint for Prometheus.
//! - [`process`] asks the operating system about this process.
//!
//! Invariant: nothing here reaches into a server but through [`Observe`], and nothing here can hold one up.

pub mod body;
#[cfg(test)]
mod fake;
pub mod http;
pub mod logging;
pub mod metrics;
mod monitor;
pub mod observe;
pub mod process;
pub mod query;
pub mod snapshot;
pub mod views;

pub use monitor::Monitor;
pub use observe::Observe;
