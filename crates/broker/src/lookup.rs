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

/// One thread's memory of who wants what.
#[derive(Debug, Default)]
pub(crate) struct Lookup {
    slots: Vec<Option<Slot>>,
    seen: Vec<u32>,
    hasher: RandomState,
    /// Where a one-time subject's matches are gathered.
    once: Matches,
}

#[derive(Debug)]
struct Slot {
    account: u32,
    matches: Arc<Matches>,
}

impl Lookup {
    /// Everyone who gets a message that `account` has on `subject`.
    #[inline]
    pub(crate) fn find(&mut self, account: &Account, subject: &[u8]) -> &Matches {
        if self.slots.is_empty() {
            self.slots.resize_with(SLOTS, || None);
            self.seen.resize(SEEN, 0);
        }
        let hash = self.hasher.hash_one(subject) ^ u64::from(account.id()).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let at = truncate(hash) & (SLOTS - 1);
        let hit = matches!(&self.slots[at], Some(slot)
            if slot.account == account.id() && *slot.matches.subject == *subject && !slot.matches.is_stale());
        if !hit {
            return self.miss(account, subject, hash, at);
        }
        match &self.slots[at] {
            Some(slot) => &slot.matches,
            None => unreachable!("a hit has a slot"),
        }
    }

    #[cold]
    fn miss(&mut self, account: &Account, subject: &[u8], hash: u64, at: usize) -> &Matches {
        let fingerprint = u32::try_from(hash >> 32).expect("32 bits remain").max(1);
        let seen = &mut self.seen[truncate(hash >> 12) & (SEEN - 1)];
        let known =
            matches!(&self.slots[at], Some(slot) if slot.account == account.id() && *slot.matches.subject == *subject);
        if !known && *seen != fingerprint || !account.caches() {
            *seen = fingerprint;
            account.interest.matches_into(subject, &mut self.once);
            return &self.once;
        }
        let slot = Slot { account: account.id(), matches: account.interest.matches(subject) };
        &self.slots[at].insert(slot).matches
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

fn truncate(hash: u64) -> usize {
    usize::try_from(hash & 0xFFFF_FFFF).expect("32 bits fit")
}
