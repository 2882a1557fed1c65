//! Walks over the whole trie or a branch of it: listings and figures, not the way of a message.

use foldhash::fast::FixedState;

use super::node::{End, Node, Slot};
use super::{Stats, Trie};
use crate::pattern::{FULL, SEPARATOR, STAR, tokens};

/// A slot still to be visited, with the length of its parent's pattern and its own token.
struct Visit<'a, T> {
    slot: &'a Slot<T>,
    parent: usize,
    token: &'a [u8],
}

impl<T> Trie<T> {
    /// Calls `f` with every pair, in no particular order.
    pub fn for_each<'a>(&'a self, mut f: impl FnMut(&[u8], &'a T)) {
        let mut pattern = Vec::new();
        let mut visits = Vec::new();
        open(&self.root, &mut pattern, &mut visits, &mut f);
        while let Some(Visit { slot, parent, token }) = visits.pop() {
            pattern.truncate(parent);
            join(&mut pattern, token);
            slot.values(End::Here).iter().for_each(|value| f(&pattern, value));
            match slot {
                Slot::Node(node) => open(node, &mut pattern, &mut visits, &mut f),
                Slot::Star(value) => {
                    join(&mut pattern, STAR);
                    f(&pattern, value);
                }
                Slot::Tail(value) => {
                    join(&mut pattern, FULL);
                    f(&pattern, value);
                }
                Slot::Empty | Slot::Leaf(_) => {}
            }
        }
    }

    /// Calls `f` with the value of every pair whose pattern and `pattern` select some subject both.
    pub fn for_each_overlapping<'a>(&'a self, pattern: &[u8], mut f: impl FnMut(&'a T)) {
        let mut branches = Branches { seed: &self.seed, wanted: tokens(pattern).collect(), stack: Vec::new() };
        branches.enter(&self.root, 0, &mut f);
        while let Some((slot, depth)) = branches.stack.pop() {
            let all_below = branches.wanted.get(depth - 1).is_none_or(|token| *token == FULL);
            if all_below || depth == branches.wanted.len() {
                slot.values(End::Here).iter().for_each(&mut f);
            }
            match slot {
                Slot::Node(node) => branches.enter(node, depth, &mut f),
                Slot::Tail(value) if branches.token(depth).is_some() => f(value),
                Slot::Star(value) if branches.ends_at(depth) => f(value),
                _ => {}
            }
        }
    }

    /// The trie's shape. Visits everything: for monitoring, not for the way of a message.
    pub fn stats(&self) -> Stats {
        let mut stats = Stats { len: self.len, ..Stats::default() };
        let mut nodes = vec![(&self.root, 0)];
        while let Some((node, depth)) = nodes.pop() {
            stats.max_fanout = stats.max_fanout.max(node.children.len());
            if !node.full().is_empty() {
                stats.see(depth + 1, node.full().len());
            }
            for slot in node.children.iter().map(|e| &e.to).chain([&node.star]) {
                if !slot.values(End::Here).is_empty() {
                    stats.see(depth + 1, slot.values(End::Here).len());
                }
                if let Slot::Star(_) | Slot::Tail(_) = slot {
                    stats.see(depth + 2, 1);
                }
                nodes.extend(slot.node().map(|node| (node, depth + 1)));
            }
        }
        stats
    }
}

impl Stats {
    fn see(&mut self, depth: usize, values: usize) {
        self.max_depth = self.max_depth.max(depth);
        self.max_values = self.max_values.max(values);
    }
}

/// Lists the values of `>` below `node`, whose pattern is `pattern`, and puts its slots on the list of visits.
fn open<'a, T>(
    node: &'a Node<T>,
    pattern: &mut Vec<u8>,
    visits: &mut Vec<Visit<'a, T>>,
    f: &mut impl FnMut(&[u8], &'a T),
) {
    let parent = pattern.len();
    if !node.full().is_empty() {
        join(pattern, FULL);
        node.full().iter().for_each(|value| f(pattern, value));
        pattern.truncate(parent);
    }
    if !node.star.is_empty() {
        visits.push(Visit { slot: &node.star, parent, token: STAR });
    }
    visits.extend(node.children.iter().map(|e| Visit { slot: &e.to, parent, token: e.token.as_bytes() }));
}

fn join(pattern: &mut Vec<u8>, token: &[u8]) {
    if !pattern.is_empty() {
        pattern.push(SEPARATOR);
    }
    pattern.extend_from_slice(token);
}

/// The slots that a pattern's tokens lead to, each with how many tokens led there.
struct Branches<'a, 'p, T> {
    seed: &'a FixedState,
    wanted: Vec<&'p [u8]>,
    stack: Vec<(&'a Slot<T>, usize)>,
}

impl<'a, 'p, T> Branches<'a, 'p, T> {
    /// The token wanted at `depth`. Past a final '>' every token is wanted; past any other end, none.
    fn token(&self, depth: usize) -> Option<&'p [u8]> {
        let last = || self.wanted.last().copied().filter(|last| *last == FULL);
        self.wanted.get(depth).copied().or_else(last)
    }

    /// Whether exactly one more token may follow `depth` tokens.
    fn ends_at(&self, depth: usize) -> bool {
        self.token(depth).is_some_and(|token| token == FULL || depth + 1 == self.wanted.len())
    }

    fn enter(&mut self, node: &'a Node<T>, depth: usize, f: &mut impl FnMut(&'a T)) {
        let Some(token) = self.token(depth) else { return };
        node.full().iter().for_each(&mut *f);
        if token == STAR || token == FULL {
            self.stack.extend(node.children.iter().map(|e| (&e.to, depth + 1)));
        } else {
            self.stack.extend(node.children.get(self.seed, token).map(|slot| (slot, depth + 1)));
        }
        self.stack.push((&node.star, depth + 1));
    }
}
