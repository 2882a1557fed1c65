//! Accounts, interest and routing, and the life of a connection.
//!
//! | module | what lives there |
//! |---|---|
//! | `driver` | one end of a connection's protocol, as an event loop drives it |
//! | `session` | one client connection, from INFO to the reason it is closed for |
//! | `keepalive` | when to ping the other side, and when to give it up |
//! | `router`, `forward` | from a published message to the runs of its destinations |
//! | `interest`, `lookup` | who wants what in one account; one thread's memory of it |
//! | `account`, `accounts` | one subject space; all of them and what ties them together |
//! | `imports`, `crossing`, `responses` | subjects that cross accounts, and replies on their way back |
//! | `latency`, `request_info` | how long services take; what they are told of who asks |
//! | `batch`, `outbox`, `pool` | bytes gathered per destination, waiting per connection, used again per thread |
//! | `comebacks` | how often links to each other server were made again |
//! | `peer`, `registry` | a connection as others see it; all of them, and those that are gone |
//! | `settings`, `site`, `broker` | what sessions read of the configuration; who this server is; what they all share |
//! | `link`, `ledger` | other servers and what they want; what they are told of this one's interest |
//! | `link_rules` | what may pass over one link |
//! | `gateway`, `returning` | clusters beside this one; replies on their way back there |
//! | `events` | what the system account hears of clients and of this server |
//! | `publisher`, `encoding` | what the server publishes itself, compressed or not |
//! | `local_task` | work that a message leaves on the thread that delivered it |
//! | `internal`, `system`, `user_info` | the server's own services as subscribers; what the system account offers; who a user is |
//! | `servers` | the other servers, as their messages show them |
//! | `trace` | reports of where a message went |
//!
//! Invariant: no socket, file, clock or global randomness; callers bring bytes, time and seeds, and take bytes away.

pub mod account;
pub mod accounts;
pub mod batch;
pub mod broker;
mod client_info;
pub mod comebacks;
mod crossing;
pub mod driver;
pub mod encoding;
pub mod events;
pub mod forward;
pub mod gateway;
pub mod imports;
pub mod interest;
pub mod internal;
pub mod json;
pub mod keepalive;
mod label;
mod latency;
pub mod ledger;
pub mod link;
pub mod link_rules;
pub mod local_task;
mod lookup;
pub mod outbox;
pub mod peer;
pub mod pool;
mod protocol_log;
mod publisher;
pub mod registry;
mod request_info;
pub mod responses;
mod returning;
mod rewritten;
pub mod router;
pub mod servers;
pub mod session;
pub mod settings;
pub mod site;
pub mod subscription;
pub mod system;
pub mod trace;
mod user_info;
pub mod watch;

pub use batch::{Batch, Pressure};
pub use broker::{Broker, BrokerError};
pub use driver::{Driver, Next, Progress};
pub use peer::Peer;
pub use session::{Facts, Session};
