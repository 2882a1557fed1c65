//! Sockets, TLS, event loops: the doing of what `martlet-broker` thinks.
//!
//! | module | what lives there |
//! |---|---|
//! | `accept` | from an accepted socket to a running connection |
//! | `connection`, `read` | one connection's task: reading, writing, timers, the end |
//! | `slow` | consumers that do not take what is sent to them |
//! | `handshake`, `tls` | what comes before the session: a proxy's line, TLS |
//! | `socket`, `pipe` | the way to the network, or to a client in the same process |
//! | `loops` | the threads, their buffers and who runs where |
//! | `clock` | the one clock |
//!
//! Invariant: no protocol decision is made here; what a byte means is the session's to say.

pub mod accept;
pub mod clock;
mod connection;
mod handshake;
pub mod loops;
pub mod pipe;
mod read;
mod slow;
mod socket;
pub mod tls;

pub use accept::{Clients, listen};
pub use handshake::TlsPolicy;
pub use loops::Loops;
pub use pipe::PipeEnd;
