//! What the other side of one link wants.
//!
//! Invariant: everything in the table is in the interest of its account, and for leaf nodes in that of accounts whose
//! streams it imports, and booked in their ledgers, and nothing else of this link is. At most [`Wants::LIMIT`] entries
//! of at most [`Wants::TEXT`] bytes together.

use std::hash::BuildHasher;
use std::sync::Arc;

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use martlet_broker::account::Account;
use martlet_broker::interest::Target;
use martlet_broker::link::{Link, RemoteSubscription};
use martlet_subject as subject;
use thiserror::Error;

/// What one line of interest is about.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted<'a> {
    pub(crate) subject: &'a [u8],
    pub(crate) queue: Option<&'a [u8]>,
    pub(crate) origin: Option<&'a [u8]>,
}

impl Wanted<'_> {
    fn len(&self) -> usize {
        self.subject.len() + self.queue.map_or(0, <[u8]>::len) + self.origin.map_or(0, <[u8]>::len)
    }

    fn is(&self, of: &RemoteSubscription) -> bool {
        (self.subject, self.queue, self.origin) == (of.subject(), of.queue(), of.origin())
    }
}

/// Why interest is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(crate) enum Refused {
    /// No pattern.
    #[error("Invalid Subscription")]
    Invalid,
    /// More than any server has.
    #[error("more than {} subscriptions over one link", Wants::LIMIT)]
    TooMany,
    /// Longer than any server's.
    #[error("more than {} MiB of subjects over one link", Wants::TEXT >> 20)]
    TooMuch,
}

#[derive(Debug)]
struct Entry {
    account: Arc<Account>,
    remote: Arc<RemoteSubscription>,
    /// What stands for a leaf node's interest in accounts that export to this one.
    shadows: Shadows,
}

/// What the other side of one link wants.
#[derive(Debug, Default)]
pub(crate) struct Wants {
    entries: HashTable<Entry>,
    /// The bytes of their subjects, queue groups and origins.
    text: usize,
    hasher: RandomState,
}

impl Wants {
    /// Entries of one link: a server that is told of more is being flooded.
    pub(crate) const LIMIT: usize = 16 * 1024 * 1024;
    /// Bytes of their text: far more than so many subjects of a usual length have.
    pub(crate) const TEXT: usize = 1024 * 1024 * 1024;

    fn hash(&self, account: &Account, wanted: &Wanted<'_>) -> u64 {
        self.hasher.hash_one((account.id(), wanted.subject, wanted.queue, wanted.origin))
    }

    /// Takes interest, or a new weight of it; whether it is new.
    pub(crate) fn add(
        &mut self,
        link: &Arc<Link>,
        account: &Arc<Account>,
        wanted: &Wanted<'_>,
        weight: u32,
    ) -> Result<bool, Refused> {
        let hash = self.hash(account, wanted);
        let known = self.entries.find(hash, |e| e.account.id() == account.id() && wanted.is(&e.remote));
        if let Some(entry) = known {
            if wanted.queue.is_some() {
                entry.reweigh(weight);
            }
            return Ok(false);
        }
        if !subject::is_valid_pattern(wanted.subject) {
            return Err(Refused::Invalid);
        }
        has_room(self.entries.len(), self.text + wanted.len())?;
        let queue = wanted.queue.map(|queue| (queue, weight));
        let remote = Arc::new(RemoteSubscription::new(link.clone(), wanted.subject, queue, wanted.origin));
        account.add(wanted.subject, Target::Remote(remote.clone()));
        let shadows = if link.role.is_leaf() { shadows(account, &remote) } else { Vec::new() };
        let hasher = &self.hasher;
        self.text += wanted.len();
        self.entries.insert_unique(hash, Entry { account: account.clone(), remote, shadows }, |e| {
            let remote = &e.remote;
            hasher.hash_one((e.account.id(), remote.subject(), remote.queue(), remote.origin()))
        });
        Ok(true)
    }

    /// Interest has ended; whether there was any.
    pub(crate) fn remove(&mut self, account: &Arc<Account>, wanted: &Wanted<'_>) -> bool {
        let hash = self.hash(account, wanted);
        match self.entries.find_entry(hash, |e| e.account.id() == account.id() && wanted.is(&e.remote)) {
            Ok(found) => {
                found.remove().0.withdraw();
                self.text -= wanted.len();
                true
            }
            Err(_) => false,
        }
    }

    /// All interest has ended.
    pub(crate) fn clear(&mut self) {
        for entry in std::mem::take(&mut self.entries) {
            entry.withdraw();
        }
        self.text = 0;
    }

    /// Imports have changed: what stands for interest in other accounts is put up anew.
    pub(crate) fn recast(&mut self) {
        for entry in &mut self.entries {
            let old = std::mem::take(&mut entry.shadows);
            entry.shadows = shadows(&entry.account, &entry.remote);
            lift(&old);
        }
    }

    /// Whether there is something of that kind.
    pub(crate) fn has(&self, account: &Account, wanted: &Wanted<'_>) -> bool {
        let hash = self.hash(account, wanted);
        self.entries.find(hash, |e| e.account.id() == account.id() && wanted.is(&e.remote)).is_some()
    }

    /// Keeps what `stays`, and has the rest end.
    pub(crate) fn retain(&mut self, mut stays: impl FnMut(&Account, &RemoteSubscription) -> bool) {
        let mut text = self.text;
        self.entries.retain(|entry| {
            let keep = stays(&entry.account, &entry.remote);
            if !keep {
                entry.withdraw();
                text -= entry.remote.len();
            }
            keep
        });
        self.text = text;
    }

    /// How much there is.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }
}

/// Whether there may be one more beside `entries`, and so much `text` with it.
fn has_room(entries: usize, text: usize) -> Result<(), Refused> {
    match (entries < Wants::LIMIT, text <= Wants::TEXT) {
        (true, true) => Ok(()),
        (false, _) => Err(Refused::TooMany),
        (true, false) => Err(Refused::TooMuch),
    }
}

impl Entry {
    fn reweigh(&self, weight: u32) {
        self.account.reweigh(&self.remote, weight);
        for (exporter, shadow) in &self.shadows {
            exporter.reweigh(shadow, weight);
        }
    }

    fn withdraw(&self) {
        self.account.remove(self.remote.subject(), &Target::Remote(self.remote.clone()));
        lift(&self.shadows);
    }
}

type Shadows = Vec<(Arc<Account>, Arc<RemoteSubscription>)>;

fn lift(shadows: &Shadows) {
    for (exporter, shadow) in shadows {
        exporter.remove(shadow.subject(), &Target::Remote(shadow.clone()));
    }
}

/// Puts what stands for `remote` into the accounts whose streams `account` imports: members of a cluster import for
/// themselves, leaf nodes are in this account like its clients.
// spec: CLU-056
fn shadows(account: &Account, remote: &RemoteSubscription) -> Shadows {
    if !account.imports_streams() {
        return Vec::new();
    }
    let rules = account.rules();
    let cast = rules.streams.iter().filter_map(|import| {
        let shadow = Arc::new(import.shadow_of_leaf(remote)?);
        Some((import.exporter.upgrade()?, shadow))
    });
    let cast: Vec<_> = cast.collect();
    for (exporter, shadow) in &cast {
        exporter.add(shadow.subject(), Target::Remote(shadow.clone()));
    }
    cast
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_refused_by_number_and_by_size() {
        // spec: CLU-032
        assert_eq!(has_room(Wants::LIMIT - 1, Wants::TEXT), Ok(()));
        assert_eq!(has_room(Wants::LIMIT, 0), Err(Refused::TooMany));
        assert_eq!(has_room(0, Wants::TEXT + 1), Err(Refused::TooMuch));
        assert_eq!(Refused::TooMany.to_string(), "more than 16777216 subscriptions over one link");
        assert_eq!(Refused::TooMuch.to_string(), "more than 1024 MiB of subjects over one link");
    }
}
