//! Sockets, TLS, event loops: the doing of what `martlet-broker` thinks.
//!
//! | module | what lives there |
//! |---|---|
//! | `accept` | clients: from an accepted socket to a running connection |
//! | `links`, `dial` | links between servers: the same for them, accepted or dialled |
//! | `listener` | listening sockets |
//! | `connection`, `read` | one connection's task: reading, writing, timers, the end |
//! | `slow` | consumers that do not take what is sent to them |
//! | `handshake`, `tls` | what comes before the session: a proxy's line, TLS |
//! | `socket`, `pipe` | the way to the network, or to a client in the same process |
//! | `compression` | what is above TLS on links that are compressed |
//! | `loops` | the threads, their buffers and who runs where |
//! | `clock` | the one clock |
//!
//! Invariant: no protocol decision is made here; what a byte means is the session's to say.

pub mod accept;
pub mod clock;
mod compression;
mod connection;
mod dial;
mod handshake;
mod links;
mod listener;
pub mod loops;
pub mod pipe;
mod read;
mod slow;
mod socket;
pub mod tls;

pub use accept::{Clients, listen};
pub use dial::{Dial, DialError, dial, dial_and_run};
pub use handshake::TlsPolicy;
pub use links::{LinkFacts, Links, Origin, Terms, listen_links};
pub use listener::bind;
pub use loops::Loops;
pub use pipe::PipeEnd;
