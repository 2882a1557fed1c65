//! Credentials in, identity and permissions out.
//!
//! A [`Directory`] is built from the options once and never changes; a reload builds another. It answers a
//! [`Request`] (what CONNECT said, and the facts the edge knows about the connection) with an [`Outcome`].
//! [`Permissions`] are what an [`Identity`] may do with subjects; [`Replies`] is the one part of them that
//! a connection's history changes.
//!
//! | file | what lives there |
//! |---|---|
//! | `directory` | who there is: users by name and by nkey, the token, the user of those who say nothing |
//! | `decide` | one request against the directory |
//! | `request`, `outcome` | the two sides of that question |
//! | `secret` | passwords: plain in constant time, bcrypt as work for later |
//! | `link` | whether another server is let in |
//! | `nkey` | the nkey text form, signatures, nonces, the server's own keys |
//! | `dn` | distinguished names of certificates, for `verify_and_map` |
//! | `permissions` | compiled allow and deny lists, and the replies that `allow_responses` lends |
//!
//! Invariant: nothing here knows sockets, files, the clock or a source of randomness. Random bytes and the
//! time are handed in, and work that takes tens of milliseconds is handed out.

mod decide;
mod directory;
mod dn;
mod error;
mod leaf;
mod link;
pub mod nkey;
mod outcome;
mod permissions;
mod request;
mod secret;

pub use directory::Directory;
pub use error::AuthError;
pub use link::admit_server;
pub use outcome::{Check, Identity, Outcome, Reason};
pub use permissions::{Permissions, Replies, Subscribe};
pub use request::{Attribute, Label, PeerNames, Request};
pub use secret::is_bcrypt;

/// The account of connections that no configuration puts elsewhere.
pub const GLOBAL_ACCOUNT: &str = "$G";

/// The system account's name where none is configured.
pub(crate) const DEFAULT_SYSTEM_ACCOUNT: &str = "$SYS";
