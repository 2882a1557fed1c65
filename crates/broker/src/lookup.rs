//! One thread's memory of who wants what.
//!
//! A direct-mapped table of current [`Matches`]; a subject enters it, and its account's cache, only when seen twice, so
//! that one-time subjects (reply inboxes, unique keys) neither cost an entry nor push out a hot one.

use std::hash::BuildHasher;
use std::sync::Arc;

use foldhash::fast::RandomState;

use crate::account::Account;
use crate::interest::Matches;

/// Subjects remembered per thread.
const SLOTS: usize = 4096;
/// Fingerprints of subjects seen once.
const SEEN: usize = 16 * 1024;

/// In place of a slot: what was found is in `once`.
const ONCE: usize = SLOTS;

/// One thread's memory of who wants what.
#[derive(Debug, Default)]
pub(crate) struct Lookup {
    slots: Vec<Option<Slot>>,
    seen: Vec<u32>,
    hasher: RandomState,
    /// The slot found last, or [`ONCE`].
    found: usize,
    /// Where a one-time subject's matches are gathered.
    once: Matches,
}

#[derive(Debug)]
struct Slot {
    account: u32,
    matches: Arc<Matches>,
}

impl Lookup {
    /// Looks for everyone who gets a message that `account` has on `subject`; [`Self::found`] is who that is.
    #[inline]
    pub(crate) fn find(&mut self, account: &Account, subject: &[u8]) {
        // Often the subject is that of the message before.
        if !self.holds(self.found, account, subject) {
            self.find_by_hash(account, subject);
        }
    }

    /// Those whom [`Self::find`] found.
    #[inline]
    pub(crate) fn found(&self) -> &Matches {
        match self.slots.get(self.found) {
            Some(Some(slot)) => &slot.matches,
            _ => &self.once,
        }
    }

    /// Whether a slot is this subject's and current.
    #[inline]
    fn holds(&self, at: usize, account: &Account, subject: &[u8]) -> bool {
        matches!(self.slots.get(at), Some(Some(slot))
            if slot.account == account.id() && is_same(&slot.matches.subject, subject) && !slot.matches.is_stale())
    }

    #[inline(never)]
    fn find_by_hash(&mut self, account: &Account, subject: &[u8]) {
        if self.slots.is_empty() {
            self.slots.resize_with(SLOTS, || None);
            self.seen.resize(SEEN, 0);
        }
        let hash = self.hasher.hash_one(subject) ^ u64::from(account.id()).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let at = truncate(hash) & (SLOTS - 1);
        self.found = at;
        if !self.holds(at, account, subject) {
            self.miss(account, subject, hash);
        }
    }

    #[cold]
    fn miss(&mut self, account: &Account, subject: &[u8], hash: u64) {
        let slot = &mut self.slots[self.found];
        let fingerprint = u32::try_from(hash >> 32).expect("32 bits remain").max(1);
        let seen = &mut self.seen[truncate(hash >> 12) & (SEEN - 1)];
        let known = matches!(slot, Some(slot) if slot.account == account.id() && *slot.matches.subject == *subject);
        if !known && *seen != fingerprint || !account.caches() {
            *seen = fingerprint;
            account.interest.matches_into(subject, &mut self.once);
            self.found = ONCE;
            return;
        }
        *slot = Some(Slot { account: account.id(), matches: account.interest.matches(subject) });
    }

    /// Lets go of what is no longer current: it keeps connections alive that are gone, sockets included.
    pub(crate) fn drop_stale(&mut self) {
        for slot in &mut self.slots {
            if slot.as_ref().is_some_and(|slot| slot.matches.is_stale()) {
                *slot = None;
            }
        }
        self.once.clear();
    }
}

/// Whether two subjects are the same, without a call for those of usual length.
#[inline]
fn is_same(a: &[u8], b: &[u8]) -> bool {
    const HALF: usize = 8;
    if a.len() != b.len() {
        return false;
    }
    match (a.first_chunk::<HALF>(), b.first_chunk::<HALF>()) {
        (Some(first), Some(other)) if a.len() <= 2 * HALF => {
            first == other && a.last_chunk::<HALF>() == b.last_chunk::<HALF>()
        }
        _ => a == b,
    }
}

fn truncate(hash: u64) -> usize {
    usize::try_from(hash & 0xFFFF_FFFF).expect("32 bits fit")
}
