//! TLS: from a `tls` block to a configuration of rustls, and facts about peers in the reference's words.
//!
//! | file | what lives there |
//! |---|---|
//! | `config` | the whole: options and files to a [`Server`] |
//! | `client` | the same for those who dial: a [`Client`] |
//! | `files` | PEM files: chains, keys, authorities |
//! | `names` | cipher suites and curves by their names in configuration files, and as they are shown |
//! | `resolver` | which of several certificates a client is shown |
//! | `peer` | what a client's certificate says |
//! | `subject` | the text form of a certificate's subject |
//! | `limiter` | handshakes begun per second |
//!
//! Invariant: a configuration that was built works as written. What cannot be done is refused by name,
//! with what can be done instead; nothing is left out silently.

mod client;
mod config;
mod error;
mod files;
mod limiter;
mod names;
mod peer;
mod resolver;
mod subject;

pub use client::{Client, server_name};
pub use config::{Server, mutual};
pub use error::TlsError;
pub use limiter::RateLimiter;
pub(crate) use names::{cipher_name, version_name};
pub use peer::{PeerCertificate, PeerError};

#[cfg(test)]
mod tests;
