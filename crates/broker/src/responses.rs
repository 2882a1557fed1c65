//! Replies on their way back through a service import.
//!
//! A request that crosses into the exporter gets a reply subject of the server's own (`_R_.…`); whoever publishes to it
//! reaches the requester under the subject it asked for. Entries end with the last reply or by time.
//!
//! Invariant: at most [`Responses::LIMIT`] entries per account; those that would end first make room.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hashbrown::HashMap;
use martlet_config::options::ResponseType;
use martlet_events::Time;
use parking_lot::Mutex;

use crate::imports::ServiceImport;
use crate::peer::Peer;

/// What reply subjects of the server's own begin with (CORE-065).
pub const REPLY_PREFIX: &[u8] = b"_R_.";

/// Where a reply goes.
#[derive(Debug, Clone)]
pub struct Response {
    /// The import it goes back through.
    pub import: Arc<ServiceImport>,
    /// The reply subject in the importer.
    pub reply: Box<[u8]>,
    /// Who asked.
    pub requester: Option<Arc<Peer>>,
    /// When it was asked.
    pub asked: Time,
    expires: Time,
}

/// The replies that one account owes to importers of its services.
#[derive(Debug, Default)]
pub struct Responses {
    table: Mutex<Table>,
    /// So that accounts without services never take the lock.
    count: AtomicUsize,
}

#[derive(Debug, Default)]
struct Table {
    open: HashMap<Box<[u8]>, Response>,
    /// What ends first comes first; may name replies that are gone.
    order: BinaryHeap<Reverse<(Time, Box<[u8]>)>>,
}

impl Responses {
    /// Replies awaited at the same time.
    pub const LIMIT: usize = 1_000_000;

    /// Awaits replies to a request.
    pub fn expect(
        &self,
        token: &[u8],
        import: Arc<ServiceImport>,
        reply: &[u8],
        requester: Option<Arc<Peer>>,
        now: Time,
    ) {
        let expires = now + import.threshold.max(Duration::from_secs(1));
        let response = Response { import, reply: reply.into(), requester, asked: now, expires };
        let mut table = self.table.lock();
        table.order.push(Reverse((expires, token.into())));
        table.open.insert(token.into(), response);
        if table.open.len() > Self::LIMIT {
            table.make_room();
        }
        // One-reply entries leave the map at once but linger here; keep the queue within a small multiple of the map.
        if table.order.len() > 64 && table.order.len() > 4 * table.open.len() {
            let Table { open, order } = &mut *table;
            order.retain(|Reverse((_, token))| open.contains_key(token));
        }
        self.count.store(table.open.len(), Ordering::Release);
    }

    /// Where a message published to `token` goes, if it is awaited.
    pub fn take(&self, token: &[u8], now: Time) -> Option<Response> {
        if self.count.load(Ordering::Acquire) == 0 {
            return None;
        }
        let mut table = self.table.lock();
        let found = table.open.get_mut(token)?;
        let response = found.clone();
        match response.import.response {
            ResponseType::Singleton => drop(table.open.remove(token)),
            ResponseType::Stream | ResponseType::Chunked => found.expires = now + response.import.threshold,
        }
        self.count.store(table.open.len(), Ordering::Release);
        Some(response)
    }

    /// Gives up on `token`: nobody got the request.
    pub fn forget(&self, token: &[u8]) {
        let mut table = self.table.lock();
        table.open.remove(token);
        self.count.store(table.open.len(), Ordering::Release);
    }

    /// Gives up what is overdue.
    pub fn expire(&self, now: Time) {
        if self.count.load(Ordering::Acquire) == 0 {
            return;
        }
        let mut table = self.table.lock();
        while table.order.peek().is_some_and(|Reverse((expires, _))| *expires <= now) {
            let Reverse((_, token)) = table.order.pop().expect("looked at it just now");
            match table.open.get(&token).map(|r| r.expires) {
                Some(later) if later > now => table.order.push(Reverse((later, token))),
                Some(_) => drop(table.open.remove(&token)),
                None => {}
            }
        }
        self.count.store(table.open.len(), Ordering::Release);
    }

    /// Replies awaited now.
    pub fn len(&self) -> usize {
        self.count.load(Ordering::Acquire)
    }

    /// Whether none is awaited.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Table {
    fn make_room(&mut self) {
        while let Some(Reverse((_, token))) = self.order.pop() {
            if self.open.remove(&token).is_some() {
                break;
            }
        }
    }
}
