//! What sessions leave behind for an event, copied or shared at the moment it happened.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use martlet_events::Time;
use martlet_proto::ClosedReason;

use crate::account::{Account, GLOBAL};
use crate::peer::{Description, Kind, Peer};

/// Something that happened to a client, a leaf node or an account.
#[derive(Debug)]
pub(super) enum Fact {
    Connected { who: Who, at: Time },
    Disconnected { who: Who, at: Time, traffic: Traffic, reason: ClosedReason },
    Refused { who: Who, said_connect: bool, at: Time, traffic: Traffic, reason: ClosedReason },
    Connections { account: Arc<Account>, at: Time, open: Open },
    LeafNode { account: Arc<str> },
}

/// How many connections an account has.
#[derive(Debug, Clone, Copy)]
pub(super) struct Open {
    pub(super) clients: u32,
    pub(super) leafs: u32,
}

impl Open {
    pub(super) fn of(account: &Account) -> Self {
        Self { clients: account.connections(), leafs: account.leafs() }
    }

    pub(super) fn all(self) -> u32 {
        self.clients.saturating_add(self.leafs)
    }
}

/// What the account of a leaf node is called that is in none.
const NO_ACCOUNT: &str = "N/A";

/// A client, or what is at the other end of a leaf node link, as it was.
#[derive(Debug)]
pub(super) struct Who {
    pub(super) cid: u64,
    pub(super) kind: Kind,
    pub(super) started: Time,
    pub(super) description: Arc<Description>,
    /// Its account; the global one for a client that is in none.
    pub(super) account: Arc<str>,
    /// What its account calls itself: by its name, if it comes from a configuration file.
    pub(super) name_tag: Arc<str>,
    /// In nanoseconds; 0 before the first is known.
    pub(super) rtt: u64,
}

impl Who {
    pub(super) fn of(peer: &Peer) -> Self {
        let (account, name_tag) = match peer.account() {
            Some(account) => (account.name().clone(), account.name().clone()),
            None if peer.kind().is_link() => (NO_ACCOUNT.into(), "".into()),
            None => (GLOBAL.into(), GLOBAL.into()),
        };
        Self {
            cid: peer.cid(),
            kind: peer.kind(),
            started: peer.started,
            description: peer.description(),
            account,
            name_tag,
            rtt: peer.counters.rtt.load(Relaxed),
        }
    }
}

/// Messages and bytes that came from a connection, and that it got.
#[derive(Debug)]
pub(super) struct Traffic {
    pub(super) published: (u64, u64),
    pub(super) delivered: (u64, u64),
}

impl Traffic {
    pub(super) fn of(peer: &Peer) -> Self {
        let (counters, out) = (&peer.counters, peer.outbox.totals());
        Self {
            published: (counters.in_msgs.load(Relaxed), counters.in_bytes.load(Relaxed)),
            delivered: (out.messages, out.bytes),
        }
    }
}
