//! One thread's memory of who wants what.
//!
//! A direct-mapped table of current [`Matches`]; a subject enters it, and its account's cache, only when seen twice, so
//! that one-time subjects (reply inboxes, unique keys) neither cost an entry nor push out a hot one. Nor do more subjects
//! than there are slots push out each other all the time: who is found keeps its slot for a while.
//!
//! What has no slot is mostly one of a family, wanted alike whatever its last token: replies to one client's inboxes, keys of
//! one bucket. A second, smaller table remembers families.

use std::hash::BuildHasher;
use std::sync::Arc;

use foldhash::fast::RandomState;

use crate::account::Account;
use crate::interest::Matches;

/// Subjects remembered per thread.
pub(crate) const SLOTS: usize = 4096;
/// Families remembered per thread.
const FAMILIES: usize = 256;
/// Fingerprints of subjects seen once.
const SEEN: usize = 16 * 1024;

/// How often others may come in vain for a slot before the subject that holds it makes way.
const PATIENCE: u8 = 8;

/// How often a family's place is asked in vain before it is looked for again, or another one is.
const FAMILY_PATIENCE: u8 = 64;

/// In place of a slot: what was found is in `once`.
const ONCE: usize = SLOTS;
/// In place of a slot: what was found is the family behind as many others.
const FAMILY: usize = SLOTS + 1;

/// One thread's memory of who wants what.
#[derive(Debug, Default)]
pub(crate) struct Lookup {
    slots: Vec<Option<Slot>>,
    seen: Vec<u32>,
    families: Vec<Family>,
    hasher: RandomState,
    /// The slot found last, or [`ONCE`], or a family's place from [`FAMILY`] on.
    found: usize,
    /// Where a one-time subject's matches are gathered.
    once: Matches,
}

#[derive(Debug)]
struct Slot {
    account: u32,
    /// Of the subject's hash: mostly tells that it is another one without looking at that.
    tag: u16,
    /// How often others may still come in vain.
    patience: u8,
    matches: Arc<Matches>,
}

/// Subjects that differ in their last token only.
#[derive(Debug, Default)]
struct Family {
    account: u32,
    /// How often others may still come in vain.
    patience: u8,
    /// The hash of what they begin with.
    hash: u64,
    /// Who gets them; `None` if that depends on the last token.
    matches: Option<Arc<Matches>>,
}

impl Slot {
    fn is_of(&self, account: &Account, subject: &[u8]) -> bool {
        self.account == account.id() && is_same(&self.matches.subject, subject)
    }
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
        if let Some(Some(slot)) = self.slots.get(self.found) {
            return &slot.matches;
        }
        let family = self.found.checked_sub(FAMILY).and_then(|at| self.families[at].matches.as_deref());
        family.unwrap_or(&self.once)
    }

    /// Whether a slot is this subject's and current.
    #[inline]
    fn holds(&self, at: usize, account: &Account, subject: &[u8]) -> bool {
        matches!(self.slots.get(at), Some(Some(slot)) if slot.is_of(account, subject) && !slot.matches.is_stale())
    }

    #[inline(never)]
    fn find_by_hash(&mut self, account: &Account, subject: &[u8]) {
        if self.slots.is_empty() {
            self.slots.resize_with(SLOTS, || None);
            self.seen.resize(SEEN, 0);
            self.families.resize_with(FAMILIES, Family::default);
        }
        let hash = self.hasher.hash_one(subject) ^ u64::from(account.id()).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        self.found = truncate(hash) & (SLOTS - 1);
        match &mut self.slots[self.found] {
            Some(slot) if slot.tag == tag_of(hash) && slot.is_of(account, subject) && !slot.matches.is_stale() => {
                slot.patience = PATIENCE;
            }
            _ => self.miss(account, subject, hash),
        }
    }

    #[cold]
    fn miss(&mut self, account: &Account, subject: &[u8], hash: u64) {
        if account.caches() && self.enters(account, subject, hash) {
            // Whoever was there is remembered no longer, before the account's cache looks whom it can do without.
            self.slots[self.found] = None;
            let (account, matches) = (account.id(), account.interest.matches(subject));
            self.slots[self.found] = Some(Slot { account, tag: tag_of(hash), patience: PATIENCE, matches });
        } else if let Some(family) = account.caches().then(|| self.family(account, subject)).flatten() {
            self.found = FAMILY + family;
        } else {
            account.interest.matches_into(subject, &mut self.once);
            self.found = ONCE;
        }
    }

    /// Where a subject's family stands, if it has one.
    fn family(&mut self, account: &Account, subject: &[u8]) -> Option<usize> {
        let dot = subject.iter().rposition(|b| *b == b'.').filter(|dot| dot + 1 < subject.len())?;
        let beginning = &subject[..=dot];
        let hash = self.hasher.hash_one(beginning);
        let at = truncate(hash) & (FAMILIES - 1);
        let family = &mut self.families[at];
        let is_current = |matches: &Arc<Matches>| {
            !matches.is_stale() && is_same(&matches.subject[..matches.subject.len() - 1], beginning)
        };
        if (family.account, family.hash) == (account.id(), hash) && family.matches.as_ref().is_some_and(is_current) {
            family.patience = FAMILY_PATIENCE;
            return Some(at);
        }
        // To find out is more work than to look for one subject, and in vain if interest changes all the time.
        family.patience = family.patience.saturating_sub(1);
        if family.patience > 0 {
            return None;
        }
        let matches = account.interest.family(subject);
        *family = Family { account: account.id(), patience: FAMILY_PATIENCE, hash, matches };
        family.matches.is_some().then_some(at)
    }

    /// Whether a subject that was not found gets its slot.
    fn enters(&mut self, account: &Account, subject: &[u8], hash: u64) -> bool {
        let fingerprint = u32::try_from(hash >> 32).expect("32 bits remain").max(1);
        let is_new = std::mem::replace(&mut self.seen[truncate(hash >> 12) & (SEEN - 1)], fingerprint) != fingerprint;
        match &mut self.slots[self.found] {
            // It had the slot, and interest has changed.
            Some(slot) if slot.tag == tag_of(hash) && slot.is_of(account, subject) => true,
            Some(slot) if !is_new && !slot.matches.is_stale() => {
                slot.patience = slot.patience.saturating_sub(1);
                slot.patience == 0
            }
            _ => !is_new,
        }
    }

    /// Lets go of what is no longer current: it keeps connections alive that are gone, sockets included.
    pub(crate) fn drop_stale(&mut self) {
        for slot in &mut self.slots {
            if slot.as_ref().is_some_and(|slot| slot.matches.is_stale()) {
                *slot = None;
            }
        }
        for family in &mut self.families {
            family.matches.take_if(|matches| matches.is_stale());
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

/// The bits of a hash that neither its slot nor its fingerprint's place depends on alone.
fn tag_of(hash: u64) -> u16 {
    u16::try_from(hash >> 48).expect("16 bits remain")
}

fn truncate(hash: u64) -> usize {
    usize::try_from(hash & 0xFFFF_FFFF).expect("32 bits fit")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entered(lookup: &Lookup) -> Vec<Option<*const Matches>> {
        lookup.slots.iter().map(|slot| slot.as_ref().map(|slot| Arc::as_ptr(&slot.matches))).collect()
    }

    #[test]
    fn more_subjects_than_slots_do_not_push_out_each_other() {
        let (account, mut lookup) = (Account::new(1, "A", true), Lookup::default());
        let subjects: Vec<String> = (0..2 * SLOTS).map(|n| format!("key.{n}")).collect();
        let rounds = |lookup: &mut Lookup, number| {
            for subject in std::iter::repeat_n(&subjects, number).flatten() {
                lookup.find(&account, subject.as_bytes());
            }
        };
        rounds(&mut lookup, 4);
        let before = entered(&lookup);
        assert!(before.iter().flatten().count() > SLOTS / 2, "most slots are taken");
        rounds(&mut lookup, 16);
        let kept =
            before.iter().zip(entered(&lookup)).filter(|(before, now)| before.is_some() && *before == now).count();
        assert!(kept > SLOTS / 2, "{kept} of {SLOTS} slots are whose they were");
    }

    #[test]
    fn a_subject_that_nobody_asks_for_makes_way() {
        let (account, mut lookup) = (Account::new(1, "A", true), Lookup::default());
        for round in 0..2 {
            let subjects: Vec<String> = (0..SLOTS).map(|n| format!("round.{round}.{n}")).collect();
            for _ in 0..usize::from(PATIENCE) + 2 {
                for subject in &subjects {
                    lookup.find(&account, subject.as_bytes());
                }
            }
            let is_there = |subject: &&String| {
                let is_its =
                    |slot: &Option<Slot>| slot.as_ref().is_some_and(|s| *s.matches.subject == *subject.as_bytes());
                lookup.slots.iter().any(is_its)
            };
            let there = subjects.iter().step_by(64).filter(is_there).count();
            assert!(there > SLOTS / 64 / 3, "{there} of {} sampled subjects have a slot", SLOTS / 64);
        }
    }
}
