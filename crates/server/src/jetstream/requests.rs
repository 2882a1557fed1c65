//! An account's requests to the API: those that wait, and those that its streams have in hand.
//!
//! A request that its stream answers later is in hand until then. When as many are as may, the others wait; and when as many wait as
//! may, they are dropped. So a client cannot pile up at a busy stream what could not pile up here.
//!
//! Invariant: of each kind no more than a queue's limit wait, and no more than [`IN_HAND`] are in hand.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Weak};

use martlet_jetstream::api::Endpoint;
use parking_lot::Mutex;

use super::registry::Registry;

/// Requests of a kind that may be in hand: more than a stream answers in a turn's time.
const IN_HAND: usize = 1024;

/// A request to the API.
#[derive(Debug)]
pub(super) struct Asked {
    /// The whole subject.
    pub(super) subject: String,
    pub(super) reply: Box<[u8]>,
    pub(super) headers: Box<[u8]>,
    pub(super) body: Box<[u8]>,
    hold: Mutex<Option<Hold>>,
}

impl Asked {
    /// On a subject, with where the answer goes, headers and a body.
    pub(super) fn new(subject: &[u8], reply: &[u8], headers: &[u8], body: &[u8]) -> Self {
        let subject = String::from_utf8_lossy(subject).into_owned();
        Self { subject, reply: reply.into(), headers: headers.into(), body: body.into(), hold: Mutex::default() }
    }

    fn kind(&self) -> Kind {
        let name = self.subject.strip_prefix("$JS.API.").unwrap_or_default();
        match Endpoint::of(name) {
            Some((endpoint, _)) if asks_for_information(endpoint) => Kind::Info,
            _ => Kind::Change,
        }
    }

    /// It is in hand no longer: it has been answered. So it is when it has been dropped.
    pub(super) fn put_down(&self) {
        self.hold.lock().take();
    }
}

/// Requests that only ask for information do not hold up the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Change,
    Info,
}

/// A request is in hand.
struct Hold {
    requests: Arc<Requests>,
    registry: Weak<Registry>,
    kind: Kind,
}

impl fmt::Debug for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hold").field("kind", &self.kind).finish_non_exhaustive()
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        if self.requests.put_down(self.kind)
            && let Some(registry) = self.registry.upgrade()
        {
            registry.wake();
        }
    }
}

/// The requests. See the module's text.
#[derive(Debug, Default)]
pub(super) struct Requests {
    changes: Mutex<Queue>,
    infos: Mutex<Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<Asked>,
    in_hand: usize,
}

impl Requests {
    fn of(&self, kind: Kind) -> &Mutex<Queue> {
        match kind {
            Kind::Change => &self.changes,
            Kind::Info => &self.infos,
        }
    }

    /// Takes a request in. When as many wait as may, by what `limits` say of changes and of information, all of them are dropped: whoever
    /// waits for an answer asks again. Gives how many were dropped.
    // spec: JS-011 CFG-199 CFG-200
    pub(super) fn push(&self, asked: Asked, limits: [usize; 2]) -> usize {
        let kind = asked.kind();
        let mut queue = self.of(kind).lock();
        queue.waiting.push_back(asked);
        let is_over = queue.waiting.len() >= limits[kind as usize];
        let dropped = if is_over { std::mem::take(&mut queue.waiting) } else { VecDeque::new() };
        drop(queue);
        dropped.len()
    }

    /// How many requests wait: those that change something, and those for information.
    pub(super) fn waiting(&self) -> [u64; 2] {
        [&self.changes, &self.infos].map(|queue| queue.lock().waiting.len() as u64)
    }

    /// Takes the next request in hand, if one more may be. When others may again, `registry` is woken.
    pub(super) fn next(self: &Arc<Self>, registry: &Weak<Registry>) -> Option<Asked> {
        [Kind::Change, Kind::Info].into_iter().find_map(|kind| {
            let mut queue = self.of(kind).lock();
            let mut asked = if queue.in_hand < IN_HAND { queue.waiting.pop_front() } else { None }?;
            queue.in_hand += 1;
            *asked.hold.get_mut() = Some(Hold { requests: self.clone(), registry: registry.clone(), kind });
            Some(asked)
        })
    }

    /// One is in hand no longer; whether another one has waited for that.
    fn put_down(&self, kind: Kind) -> bool {
        let mut queue = self.of(kind).lock();
        queue.in_hand -= 1;
        queue.in_hand + 1 == IN_HAND && !queue.waiting.is_empty()
    }
}

/// Whether a request changes nothing and may take long.
fn asks_for_information(endpoint: Endpoint) -> bool {
    matches!(
        endpoint,
        Endpoint::AccountInfo
            | Endpoint::StreamNames
            | Endpoint::StreamList
            | Endpoint::StreamInfo
            | Endpoint::ConsumerNames
            | Endpoint::ConsumerList
            | Endpoint::ConsumerInfo
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: [usize; 2] = [IN_HAND + 3, IN_HAND + 3];

    fn asked(name: &str) -> Asked {
        Asked::new(format!("$JS.API.{name}").as_bytes(), b"r", b"", b"")
    }

    fn next(requests: &Arc<Requests>) -> Option<Asked> {
        requests.next(&Weak::new())
    }

    #[test]
    // spec: JS-011
    fn what_streams_have_in_hand_has_a_bound() {
        let requests = Arc::new(Requests::default());
        let push = |name| assert_eq!(requests.push(asked(name), LIMITS), 0);
        let mut in_hand: Vec<Asked> = Vec::new();
        for _ in 0..IN_HAND {
            push("STREAM.INFO.S");
            in_hand.extend(next(&requests));
        }
        assert_eq!(in_hand.len(), IN_HAND);
        push("STREAM.INFO.S");
        push("STREAM.INFO.S");
        assert!(next(&requests).is_none(), "as many as may are in hand");
        push("STREAM.PURGE.S");
        assert_eq!(requests.waiting(), [1, 2]);
        let other = next(&requests).expect("those of the other kind are not held up");
        assert_eq!(other.subject, "$JS.API.STREAM.PURGE.S");
        // One is answered, and another one dropped.
        in_hand[7].put_down();
        in_hand[7].put_down();
        assert!(next(&requests).is_some_and(|asked| asked.subject == "$JS.API.STREAM.INFO.S"));
        assert_eq!(requests.waiting(), [0, 1], "it is in hand no longer");
        in_hand.clear();
        in_hand.extend(next(&requests));
        assert_eq!((in_hand.len(), requests.waiting()), (1, [0, 0]));
    }

    #[test]
    // spec: JS-011 CFG-199 CFG-200
    fn when_as_many_wait_as_may_all_are_dropped() {
        let requests = Arc::new(Requests::default());
        assert_eq!(requests.push(asked("STREAM.LIST"), [3, 2]), 0);
        assert_eq!(["STREAM.PURGE.S", "STREAM.DELETE.S"].map(|name| requests.push(asked(name), [3, 2])), [0, 0]);
        assert_eq!(requests.push(asked("STREAM.NAMES"), [3, 2]), 2);
        assert_eq!(requests.waiting(), [2, 0]);
        assert_eq!(requests.push(asked("CONSUMER.DELETE.S.C"), [3, 2]), 3);
        assert!(next(&requests).is_none());
    }
}
