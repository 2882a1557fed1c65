//! How often links to each other server were made again, for whoever watches over them.
//!
//! Invariant: at most [`Comebacks::LIMIT`] servers are known; of further ones nothing is counted.

use std::collections::BTreeMap;

use parking_lot::Mutex;

use crate::link::{Link, Role};

/// Links of one kind to one server.
#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    up: u32,
    /// The most that have been up together: one that comes while there are fewer has been there before.
    most: u32,
    again: u64,
}

impl Tally {
    fn came(&mut self) {
        if self.up < self.most {
            self.again += 1;
        }
        self.up += 1;
        self.most = self.most.max(self.up);
    }

    fn went(&mut self) {
        self.up = self.up.saturating_sub(1);
    }
}

/// How often links to one server were made again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comeback {
    /// `route`, `gateway` or `leafnode`.
    pub kind: &'static str,
    /// What the other server is called.
    pub name: String,
    /// How many came after one had ended.
    pub again: u64,
}

/// How often links were made again, by the other server.
#[derive(Debug, Default)]
pub struct Comebacks(Mutex<BTreeMap<(&'static str, String), Tally>>);

impl Comebacks {
    /// Servers that are counted.
    pub const LIMIT: usize = 1024;

    /// A link is up.
    pub fn came(&self, link: &Link) {
        self.count((kind(link.role), link.name()), Tally::came);
    }

    /// It is over.
    pub fn went(&self, link: &Link) {
        self.count((kind(link.role), link.name()), Tally::went);
    }

    fn count(&self, of: (&'static str, String), change: impl FnOnce(&mut Tally)) {
        let mut known = self.0.lock();
        if known.len() < Self::LIMIT || known.contains_key(&of) {
            change(known.entry(of).or_default());
        }
    }

    /// All servers that there are or were links to.
    pub fn all(&self) -> Vec<Comeback> {
        let known = self.0.lock();
        known.iter().map(|((kind, name), tally)| Comeback { kind, name: name.clone(), again: tally.again }).collect()
    }
}

fn kind(role: Role) -> &'static str {
    match role {
        Role::Route => "route",
        Role::Gateway => "gateway",
        Role::Hub | Role::Spoke => "leafnode",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_after_another_went_is_counted() {
        let comebacks = Comebacks::default();
        let pool = |change: fn(&mut Tally)| comebacks.count(("route", "n2".into()), change);
        let again = || comebacks.all().iter().map(|of| (of.kind, of.again)).collect::<Vec<_>>();
        (0..3).for_each(|_| pool(Tally::came));
        comebacks.count(("gateway", "n2".into()), Tally::came);
        assert_eq!(again(), [("gateway", 0), ("route", 0)], "a pool comes one after the other");
        pool(Tally::went);
        pool(Tally::came);
        assert_eq!(again(), [("gateway", 0), ("route", 1)]);
        (0..3).for_each(|_| pool(Tally::went));
        (0..3).for_each(|_| pool(Tally::came));
        assert_eq!(again(), [("gateway", 0), ("route", 4)]);
    }

    #[test]
    fn only_so_many_servers_are_counted() {
        let comebacks = Comebacks::default();
        for n in 0..2 * Comebacks::LIMIT {
            comebacks.count(("leafnode", n.to_string()), Tally::came);
        }
        assert_eq!(comebacks.all().len(), Comebacks::LIMIT);
    }
}
