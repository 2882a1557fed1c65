//! The protocol on the wire: what clients and other servers send, what they are sent, and nothing about what it means.
//!
//! * [`parse()`] reads one operation from the front of a buffer; [`encode`] appends what the server says.
//! * [`headers`] reads and edits the header block of a message.
//! * [`Info`] and [`Connect`] are the two JSON documents of the handshake; [`redact`] hides secrets in a trace of the latter.
//! * [`link`] is the same for routes, gateways and leaf nodes, whose INFO is the same document: [`parse_link`], its encoders,
//!   what the dialler says.
//! * [`errors`] holds every text that follows `-ERR`, and [`ClosedReason`] every reason a connection is listed as closed for.
//! * [`s2`] is the compression of routes and leaf nodes.
//! * [`proxy_protocol`] reads the line a proxy puts before the first byte of the client.
//!
//! Invariant: nothing here knows sockets, accounts, limits of an account or what has been said before on a connection. Every
//! decoder looks at bytes it is given, says "incomplete" when it wants more, and never panics whatever they are.

mod closed;
mod connect;
pub mod encode;
pub mod errors;
pub mod headers;
mod info;
mod json;
pub mod link;
mod parse;
pub mod proxy_protocol;
pub mod redact;
pub mod s2;
mod scan;
mod short_name;

pub use closed::ClosedReason;
pub use connect::{Connect, SubjectPermission};
pub use info::{API_LEVEL, Info};
pub use json::JsonError;
pub use link::{
    GatewayCommand, LeafConnect, LineAccount, LinkConnect, LinkError, LinkHead, LinkKind, LinkLimits, LinkOp,
    LinkReason, LinkStep, Queues, parse_link,
};
pub use parse::{
    ClientOp, ParseError, ParseLimits, PublishHead, SilentReason, Step, WholePublish, parse, parse_bare_publish,
    parse_whole_publish,
};
pub use short_name::short_name;
