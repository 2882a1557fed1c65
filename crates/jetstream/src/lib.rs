//! Streams and consumers as state machines: told what arrives and what time it is, they say what to write, send and wait for.
//!
//! | module | what lives there |
//! |---|---|
//! | `config` | what a stream and a consumer are configured to be |
//! | `api` | requests and answers of `$JS.API`, errors, validation |
//! | `stream` | admission, sequences, limits, acknowledgements to publishers |
//! | `consumer` | deliveries, acknowledgements from subscribers, pull requests |
//! | `dead_letter` | where messages go that are not delivered again |
//! | `out` | what the machines ask of the world |
//! | `span` | spans of time as text |
//!
//! Invariant: no socket, file, clock, thread or chance is here. A store is written through [`martlet_store::Store`].

pub mod api;
pub mod config;
pub mod consumer;
pub mod dead_letter;
pub mod out;
mod span;
pub mod stream;

pub use config::{ConsumerConfig, StreamConfig};
pub use out::{Now, Out, Outgoing};
