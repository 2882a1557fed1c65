//! How the server's own services listen: like any subscriber, on subjects of an account.

use std::fmt;

use crate::peer::Peer;

/// A message for one of the server's own services.
#[derive(Debug, Clone, Copy)]
pub struct InternalMessage<'a> {
    /// The account it was published in.
    pub account: &'a str,
    /// The subject it was published on.
    pub subject: &'a [u8],
    /// Where an answer goes; empty for none.
    pub reply: &'a [u8],
    /// The header section; empty for none.
    pub headers: &'a [u8],
    /// The message without its headers.
    pub payload: &'a [u8],
    /// Who published it, where that was a client.
    pub from: Option<&'a Peer>,
}

/// A service's handler. It runs on the publisher's thread: take a copy and return.
pub type Handler = Box<dyn Fn(&InternalMessage<'_>) + Send + Sync>;

/// Who may ask a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Clients of every server.
    Everywhere,
    /// Clients of this server: other servers are not told that anybody listens.
    ThisServer,
}

/// A subscription of one of the server's own services.
pub struct InternalSubscription {
    /// The pattern listened on.
    pub subject: Box<[u8]>,
    /// Its number among the server's own, as lists of subscriptions show it.
    pub sid: Box<str>,
    /// Who hears of it.
    pub scope: Scope,
    /// What happens to messages.
    pub handler: Handler,
}

impl fmt::Debug for InternalSubscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "InternalSubscription({})", String::from_utf8_lossy(&self.subject))
    }
}
