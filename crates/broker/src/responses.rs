//! Replies on their way back through a service import.
//!
//! A request that crosses into the exporter gets a reply subject of the server's own (`_R_.…`); whoever publishes to it
//! reaches the requester under the subject it asked for. A reply that asks for a reply itself gets one in the importer
//! likewise. Entries end with the last reply or by time.
//!
//! Invariant: at most [`Responses::LIMIT`] entries per account; those that would end first make room.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use hashbrown::HashMap;
use martlet_config::options::ResponseType;
use martlet_events::Time;
use parking_lot::Mutex;

use crate::account::Account;
use crate::imports::ServiceImport;
use crate::latency::{Measured, Outcome};

/// What reply subjects of the server's own begin with (CORE-065).
pub(crate) const REPLY_PREFIX: &[u8] = b"_R_.";
/// Random letters that tell one account's replies from others'.
const ACCOUNT_LETTERS: usize = 6;
/// Random letters that tell one reply from others: none is met by guessing.
const REPLY_LETTERS: usize = 10;

/// Where a reply goes.
#[derive(Debug)]
pub struct Response {
    /// The import that the request took.
    pub import: Arc<ServiceImport>,
    /// The reply subject in the account that it goes to.
    pub reply: Box<[u8]>,
    /// It goes to the exporter: it answers a reply.
    pub(crate) to_exporter: bool,
    /// It is a report of a traced request: one comes from each server that the request passes.
    pub(crate) reports: bool,
    /// The measurement under way.
    pub(crate) measured: Option<Box<Measured>>,
}

impl Response {
    /// Where reports of a traced request go, which are to go to `destination` in the importer.
    // spec: CORE-133
    pub(crate) fn to_reports(import: Arc<ServiceImport>, destination: &[u8]) -> Self {
        Self { import, reply: destination.into(), to_exporter: false, reports: true, measured: None }
    }

    /// The account that it goes to.
    pub(crate) fn account(&self) -> Option<Arc<Account>> {
        if self.to_exporter { self.import.exporter.upgrade() } else { self.import.importer.upgrade() }
    }

    /// The name of the account that it goes to.
    pub fn destination(&self) -> &Arc<str> {
        if self.to_exporter { &self.import.exporter_name } else { &self.import.importer_name }
    }

    /// Whether its latency is being measured.
    pub fn is_measured(&self) -> bool {
        self.measured.is_some()
    }

    /// Whether somebody waited for it and nobody does any more.
    fn is_lost(&self) -> bool {
        self.measured.as_ref().is_some_and(|m| m.awaited)
            && self.account().is_some_and(|account| !account.interest.is_wanted(&self.reply))
    }
}

/// The replies that one account owes to others.
#[derive(Debug, Default)]
pub struct Responses {
    table: Mutex<Table>,
    /// So that accounts without services never take the lock.
    count: AtomicUsize,
    /// What this account's reply subjects begin with, from the first on.
    prefix: OnceLock<Box<[u8]>>,
}

#[derive(Debug, Default)]
struct Table {
    open: HashMap<Box<[u8]>, Entry>,
    /// What ends first comes first; may name replies that are gone.
    order: BinaryHeap<Reverse<(Time, Box<[u8]>)>>,
    /// How many of the open ones are measured.
    measured: usize,
}

#[derive(Debug)]
struct Entry {
    response: Arc<Response>,
    expires: Time,
}

impl Responses {
    /// Replies awaited at the same time.
    pub const LIMIT: usize = 1_000_000;

    /// Appends a new reply subject to `out`; whether it is the first.
    // spec: SEC-047
    pub(crate) fn new_subject(&self, rng: &mut fastrand::Rng, out: &mut Vec<u8>) -> bool {
        let mut first = false;
        let prefix = self.prefix.get_or_init(|| {
            first = true;
            let mut prefix = REPLY_PREFIX.to_vec();
            append_letters(&mut prefix, ACCOUNT_LETTERS, rng);
            prefix.push(b'.');
            prefix.into_boxed_slice()
        });
        out.extend_from_slice(prefix);
        append_letters(out, REPLY_LETTERS, rng);
        first
    }

    /// The pattern of this account's reply subjects, from the first on.
    pub(crate) fn wanted(&self) -> Option<Vec<u8>> {
        self.prefix.get().map(|prefix| [prefix, b">".as_slice()].concat())
    }

    /// Whether `subject` is a reply subject of this account, open or not.
    pub fn is_own(&self, subject: &[u8]) -> bool {
        self.prefix.get().is_some_and(|prefix| subject.starts_with(prefix))
    }

    /// Awaits replies to a request, on a subject of `new_subject`.
    pub fn expect(&self, subject: &[u8], response: Response, now: Time) {
        let expires = now + response.import.threshold;
        let mut table = self.table.lock();
        table.measured += usize::from(response.measured.is_some());
        table.order.push(Reverse((expires, subject.into())));
        table.open.insert(subject.into(), Entry { response: Arc::new(response), expires });
        if table.open.len() > Self::LIMIT {
            table.make_room();
        }
        // One-reply entries leave the map at once but linger here; keep the queue within a small multiple of the map.
        if table.order.len() > 64 && table.order.len() > 4 * table.open.len() {
            let Table { open, order, .. } = &mut *table;
            order.retain(|Reverse((_, subject))| open.contains_key(subject));
        }
        self.count.store(table.open.len(), Ordering::Release);
    }

    /// Where a message published to `subject` goes, if it is awaited.
    pub fn take(&self, subject: &[u8], now: Time) -> Option<Arc<Response>> {
        if self.is_empty() {
            return None;
        }
        let mut table = self.table.lock();
        let found = table.open.get_mut(subject)?;
        let import = &found.response.import;
        if import.response == ResponseType::Singleton && !found.response.reports {
            let response = table.remove(subject);
            self.count.store(table.open.len(), Ordering::Release);
            return response;
        }
        found.expires = now + import.threshold;
        Some(found.response.clone())
    }

    /// Awaits no more on `subject`.
    pub fn forget(&self, subject: &[u8]) -> Option<Arc<Response>> {
        let mut table = self.table.lock();
        let response = table.remove(subject);
        self.count.store(table.open.len(), Ordering::Release);
        response
    }

    /// Gives up what is overdue, and what is measured and no longer waited for; gives the measured ones.
    // spec: SEC-047 SEC-050
    pub(crate) fn expire(&self, now: Time) -> Vec<(Arc<Response>, Outcome<'static>)> {
        let mut ended = Vec::new();
        if self.is_empty() {
            return ended;
        }
        let mut table = self.table.lock();
        while table.order.peek().is_some_and(|Reverse((expires, _))| *expires <= now) {
            let Reverse((_, subject)) = table.order.pop().expect("looked at it just now");
            match table.open.get(&subject).map(|entry| entry.expires) {
                Some(later) if later > now => table.order.push(Reverse((later, subject))),
                Some(_) => ended.extend(table.remove(&subject).map(|response| (response, Outcome::TimedOut))),
                None => {}
            }
        }
        ended.retain(|(response, _)| response.measured.is_some());
        for (subject, response) in table.measured() {
            if response.is_lost() {
                ended.extend(table.remove(&subject).map(|response| (response, Outcome::Lost)));
            }
        }
        self.count.store(table.open.len(), Ordering::Release);
        ended
    }

    /// Visits what is awaited, with the server's own subject for it. Be brief.
    pub fn for_each(&self, mut f: impl FnMut(&[u8], &Response)) {
        self.table.lock().open.iter().for_each(|(subject, entry)| f(subject, &entry.response));
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
    fn remove(&mut self, subject: &[u8]) -> Option<Arc<Response>> {
        let response = self.open.remove(subject)?.response;
        self.measured -= usize::from(response.measured.is_some());
        Some(response)
    }

    /// The measured ones.
    fn measured(&self) -> Vec<(Box<[u8]>, Arc<Response>)> {
        if self.measured == 0 {
            return Vec::new();
        }
        let measured = self.open.iter().filter(|(_, entry)| entry.response.measured.is_some());
        measured.map(|(subject, entry)| (subject.clone(), entry.response.clone())).collect()
    }

    fn make_room(&mut self) {
        while let Some(Reverse((_, subject))) = self.order.pop() {
            if self.remove(&subject).is_some() {
                break;
            }
        }
    }
}

fn append_letters(out: &mut Vec<u8>, count: usize, rng: &mut fastrand::Rng) {
    const LETTERS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    out.extend((0..count).map(|_| LETTERS[rng.usize(0..LETTERS.len())]));
}
