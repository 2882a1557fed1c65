//! The other servers, as what they tell in the system account shows them: who they are, that they are still there, and how
//! many connections each account has there.
//!
//! Invariant: at most [`Servers::LIMIT`] are known; whoever is silent for long is forgotten.

use std::cmp::Reverse;
use std::sync::Arc;
use std::time::Duration;

use hashbrown::HashMap;
use martlet_events::Time;
use martlet_proto::ClosedReason;
use parking_lot::Mutex;

use crate::account::Account;
use crate::broker::Broker;
use crate::peer::Control;

/// Who has been silent for so long is gone. A server tells its numbers every ten seconds.
const SILENCE: Duration = Duration::from_secs(150);

/// The other servers.
#[derive(Debug, Default)]
pub struct Servers {
    known: Mutex<HashMap<Box<str>, Seen>>,
}

#[derive(Debug)]
struct Seen {
    /// The number of its last message.
    sequence: u64,
    at: Time,
    /// Connections of accounts that are here too.
    connections: HashMap<Box<str>, u32>,
}

/// What a message tells of the server that it comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum News {
    /// It was not known.
    New,
    /// It is still there.
    StillThere,
    /// It had sent a later message before.
    OutOfOrder,
    /// It was not known, and nobody more can be.
    TooMany,
}

impl Servers {
    /// Servers that can be known.
    pub const LIMIT: usize = 10_000;

    /// A message with this number came from the server that is called `id`.
    // spec: CLU-095
    pub fn saw(&self, id: &str, sequence: u64, now: Time) -> News {
        let mut known = self.known.lock();
        let full = known.len() >= Self::LIMIT;
        match known.get_mut(id) {
            Some(seen) if sequence <= seen.sequence => News::OutOfOrder,
            Some(seen) => {
                (seen.sequence, seen.at) = (sequence, now);
                News::StillThere
            }
            None if full => News::TooMany,
            None => {
                known.insert(id.into(), Seen { sequence, at: now, connections: HashMap::new() });
                News::New
            }
        }
    }

    /// The account `name` has so many connections on the server that is called `id`.
    pub(crate) fn count(&self, id: &str, name: &str, connections: u32) {
        if let Some(seen) = self.known.lock().get_mut(id) {
            seen.connections.insert(name.into(), connections);
        }
    }

    /// How many servers have connections of the account `name`, and how many connections these are.
    pub fn of_account(&self, name: &str) -> (usize, u32) {
        let known = self.known.lock();
        let counts = known.values().filter_map(|seen| seen.connections.get(name)).filter(|count| **count > 0);
        counts.fold((0, 0), |(servers, sum), count| (servers + 1, count.saturating_add(sum)))
    }

    /// The server that is called `id` has said that it goes; gives the accounts that this concerns.
    pub(crate) fn gone(&self, id: &str) -> Vec<Box<str>> {
        self.known.lock().remove(id).into_iter().flat_map(|seen| seen.connections.into_keys()).collect()
    }

    /// Forgets those who went without a word; gives the accounts that this concerns.
    pub(crate) fn forget_silent(&self, now: Time) -> Vec<Box<str>> {
        let mut known = self.known.lock();
        let silent = known.extract_if(|_, seen| now.since(seen.at) > SILENCE);
        silent.flat_map(|(_, seen)| seen.connections.into_keys()).collect()
    }

    /// How many there are beside this one.
    pub fn len(&self) -> usize {
        self.known.lock().len()
    }

    /// Whether this one is alone.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Broker {
    /// The account `name` has so many connections on the server that is called `id`. Where the account has more than it
    /// may now, the newest connections here are closed.
    // spec: SEC-054 CLU-094
    pub fn count_elsewhere(&self, id: &str, name: &str, connections: u32) {
        self.servers.count(id, name, connections);
        let Some(account) = self.recount(name) else { return };
        let excess = account.excess();
        if excess > 0 {
            let mut peers = self.registry.all();
            peers.retain(|peer| peer.account().is_some_and(|of| Arc::ptr_eq(&of, &account)));
            peers.sort_by_key(|peer| Reverse(peer.cid()));
            for peer in peers.iter().take(excess) {
                let text = "maximum account active connections exceeded";
                peer.request(Control::Close(ClosedReason::MaxAccountConnectionsExceeded, Some(text)));
            }
        }
    }

    /// The server that is called `id` has said that it goes.
    pub fn server_goes(&self, id: &str) {
        for name in self.servers.gone(id) {
            self.recount(&name);
        }
    }

    /// Forgets servers that went without a word; called every second or so.
    pub fn forget_silent_servers(&self, now: Time) {
        for name in self.servers.forget_silent(now) {
            self.recount(&name);
        }
    }

    fn recount(&self, name: &str) -> Option<Arc<Account>> {
        let account = self.accounts.get(name)?;
        account.set_elsewhere(self.servers.of_account(name).1);
        Some(account)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_come_and_go() {
        // spec: CLU-095
        let (servers, start) = (Servers::default(), Time::ORIGIN);
        assert_eq!(servers.saw("a", 1, start), News::New);
        assert_eq!(servers.saw("a", 2, start), News::StillThere);
        assert_eq!(servers.saw("a", 2, start), News::OutOfOrder);
        assert_eq!(servers.saw("b", 1, start + Duration::from_secs(1)), News::New);
        assert_eq!(servers.len(), 2);
        servers.gone("a");
        servers.gone("a");
        assert_eq!(servers.saw("a", 1, start), News::New, "a server that comes back counts anew");
        servers.forget_silent(start + SILENCE);
        assert_eq!(servers.len(), 2);
        servers.forget_silent(start + SILENCE + Duration::from_secs(1));
        assert_eq!((servers.len(), servers.saw("b", 1, start)), (1, News::OutOfOrder));
    }

    #[test]
    fn connections_elsewhere_go_with_their_server() {
        // spec: SEC-054
        let (servers, start) = (Servers::default(), Time::ORIGIN);
        servers.count("a", "A", 9);
        for (id, connections) in [("a", 1), ("b", 2), ("c", 0)] {
            servers.saw(id, 1, start);
            servers.count(id, "A", connections);
        }
        assert_eq!((servers.of_account("A"), servers.of_account("B")), ((2, 3), (0, 0)));
        servers.count("b", "A", 5);
        assert_eq!(servers.of_account("A"), (2, 6));
        assert_eq!(servers.gone("b"), ["A".into()]);
        assert_eq!(servers.of_account("A"), (1, 1));
        assert_eq!(servers.forget_silent(start + SILENCE * 2).len(), 2);
        assert_eq!(servers.of_account("A"), (0, 0));
    }

    #[test]
    fn only_so_many_are_known() {
        let servers = Servers::default();
        for id in 0..Servers::LIMIT {
            assert_eq!(servers.saw(&id.to_string(), 1, Time::ORIGIN), News::New);
        }
        assert_eq!(servers.saw("more", 1, Time::ORIGIN), News::TooMany);
        assert_eq!(servers.saw("0", 2, Time::ORIGIN), News::StillThere);
    }
}
