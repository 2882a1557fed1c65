//! The other servers, as what they tell in the system account shows them: who they are, and that they are still there.
//!
//! Invariant: at most [`Servers::LIMIT`] are known; whoever is silent for long is forgotten.

use std::time::Duration;

use hashbrown::HashMap;
use martlet_events::Time;
use parking_lot::Mutex;

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
                *seen = Seen { sequence, at: now };
                News::StillThere
            }
            None if full => News::TooMany,
            None => {
                known.insert(id.into(), Seen { sequence, at: now });
                News::New
            }
        }
    }

    /// The server that is called `id` has said that it goes.
    pub fn gone(&self, id: &str) {
        self.known.lock().remove(id);
    }

    /// Forgets those who went without a word.
    pub fn forget_silent(&self, now: Time) {
        self.known.lock().retain(|_, seen| now.since(seen.at) <= SILENCE);
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
    fn only_so_many_are_known() {
        let servers = Servers::default();
        for id in 0..Servers::LIMIT {
            assert_eq!(servers.saw(&id.to_string(), 1, Time::ORIGIN), News::New);
        }
        assert_eq!(servers.saw("more", 1, Time::ORIGIN), News::TooMany);
        assert_eq!(servers.saw("0", 2, Time::ORIGIN), News::StillThere);
    }
}
