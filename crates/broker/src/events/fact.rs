//! What sessions leave behind for an event, copied or shared at the moment it happened.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use martlet_events::Time;
use martlet_proto::ClosedReason;

use crate::account::{Account, GLOBAL};
use crate::peer::{Description, Peer};

/// Something that happened to a client or an account.
#[derive(Debug)]
pub(super) enum Fact {
    Connected { who: Who, at: Time },
    Disconnected { who: Who, at: Time, traffic: Traffic, reason: ClosedReason },
    Refused { who: Who, said_connect: bool, at: Time, traffic: Traffic, reason: ClosedReason },
    Connections { account: Arc<Account>, at: Time, open: u32 },
}

/// A client as it was.
#[derive(Debug)]
pub(super) struct Who {
    pub(super) cid: u64,
    pub(super) started: Time,
    pub(super) description: Arc<Description>,
    /// Its account; the global one for someone who is in none.
    pub(super) account: Arc<str>,
    /// In nanoseconds; 0 before the first is known.
    pub(super) rtt: u64,
}

impl Who {
    pub(super) fn of(peer: &Peer) -> Self {
        Self {
            cid: peer.cid(),
            started: peer.started,
            description: peer.description(),
            account: peer.account().map_or_else(|| GLOBAL.into(), |account| account.name().clone()),
            rtt: peer.counters.rtt.load(Relaxed),
        }
    }
}

/// Messages and bytes that a client published, and that it got.
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
