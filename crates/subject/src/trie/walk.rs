//! Walks over the whole trie or a branch of it: listings and figures, not the way of a message.

use super::node::To;
use super::path::Path;
use super::values::Values;
use super::{Stats, Trie};
use crate::pattern::{FULL, SEPARATOR, STAR, tokens};

impl<T> Trie<T> {
    /// Calls `f` with every pair, in no particular order.
    pub fn for_each<'a>(&'a self, mut f: impl FnMut(&[u8], &'a T)) {
        let mut pattern = Vec::new();
        // Edges still to be visited, each with the length of the pattern before it.
        let mut waiting = Vec::new();
        let mut next = Some(&self.root);
        loop {
            if let Some(node) = next.take() {
                let len = pattern.len();
                waiting.extend(node.edges().map(|edge| (len, edge)));
                if let Some(others) = node.others() {
                    others.here.as_slice().iter().for_each(|value| f(&pattern, value));
                    join(&mut pattern, [FULL]);
                    others.full.as_slice().iter().for_each(|value| f(&pattern, value));
                }
            }
            let Some((len, edge)) = waiting.pop() else { break };
            pattern.truncate(len);
            join(&mut pattern, edge.path.tokens());
            match &edge.to {
                To::Leaf(value) => f(&pattern, value),
                To::Node(node) => next = Some(node),
            }
        }
    }

    /// Calls `f` with the value of every pair whose pattern and `pattern` select some subject both.
    pub fn for_each_overlapping<'a>(&'a self, pattern: &[u8], f: impl FnMut(&'a T)) {
        self.walk_overlapping(pattern, usize::MAX, f);
    }

    /// Whether the same pairs select every subject that `pattern` selects, so that one look at them serves for all; of
    /// wildcards it may hold `*`. Looks at no more than `most` edges, and says no where that is not enough.
    pub fn selects_alike(&self, pattern: &[u8], most: usize) -> bool {
        debug_assert!(tokens(pattern).all(|token| token != FULL), "'>' as a plain token is selected by '*'");
        let (mut all, mut some) = (0_usize, 0_usize);
        // Who selects a wildcard as if it were a plain token selects whatever it stands for.
        self.for_each_match(pattern, |_| all += 1);
        self.walk_overlapping(pattern, most, |_| some += 1) && all == some
    }

    /// Calls `f` with what overlaps `pattern`, as long as no more than `most` edges have been looked at; whether that was all.
    fn walk_overlapping<'a>(&'a self, pattern: &[u8], most: usize, mut f: impl FnMut(&'a T)) -> bool {
        let wanted = Wanted(tokens(pattern).collect());
        let (mut nodes, mut looked) = (vec![(&self.root, 0)], 0);
        while let Some((node, depth)) = nodes.pop() {
            if let Some(others) = node.others() {
                let here = wanted.may_end(depth).then_some(&others.here);
                let full = wanted.token(depth).map(|_| &others.full);
                here.into_iter().chain(full).flat_map(Values::as_slice).for_each(&mut f);
            }
            let Some(token) = wanted.token(depth) else { continue };
            let (one, all) = if token == STAR || token == FULL {
                (None, Some(node.children.iter()))
            } else {
                (node.children.get(&self.seed, token), None)
            };
            for edge in one.into_iter().chain(all.into_iter().flatten()).chain(node.star()) {
                looked += 1;
                if looked > most {
                    return false;
                }
                match (wanted.follow(&edge.path, depth), &edge.to) {
                    (Some(depth), To::Node(node)) => nodes.push((node, depth)),
                    (Some(depth), To::Leaf(value)) if wanted.may_end(depth) => f(value),
                    _ => {}
                }
            }
        }
        true
    }

    /// The trie's shape. Visits everything: for monitoring, not for the way of a message.
    pub fn stats(&self) -> Stats {
        let mut stats = Stats { len: self.len, ..Stats::default() };
        let mut nodes = vec![(&self.root, 0)];
        while let Some((node, depth)) = nodes.pop() {
            stats.max_fanout = stats.max_fanout.max(node.children.len());
            if let Some(others) = node.others() {
                stats.see(depth, others.here.as_slice().len());
                stats.see(depth + 1, others.full.as_slice().len());
            }
            for edge in node.edges() {
                let literal = edge.path.tokens().any(|token| token != STAR && token != FULL);
                stats.max_fanout = stats.max_fanout.max(usize::from(literal));
                let depth = depth + edge.path.tokens().count();
                match &edge.to {
                    To::Leaf(_) => stats.see(depth, 1),
                    To::Node(node) => nodes.push((node, depth)),
                }
            }
        }
        stats
    }
}

impl Stats {
    fn see(&mut self, depth: usize, values: usize) {
        if values > 0 {
            self.max_depth = self.max_depth.max(depth);
            self.max_values = self.max_values.max(values);
        }
    }
}

fn join<'a>(pattern: &mut Vec<u8>, tokens: impl IntoIterator<Item = &'a [u8]>) {
    for token in tokens {
        if !pattern.is_empty() {
            pattern.push(SEPARATOR);
        }
        pattern.extend_from_slice(token);
    }
}

/// The tokens of a pattern whose overlaps are looked for.
struct Wanted<'p>(Vec<&'p [u8]>);

impl<'p> Wanted<'p> {
    /// The token at `depth`. Past a final '>' every token is wanted; past any other end, none.
    fn token(&self, depth: usize) -> Option<&'p [u8]> {
        let last = || self.0.last().copied().filter(|last| *last == FULL);
        self.0.get(depth).copied().or_else(last)
    }

    /// Whether a subject of `depth` tokens is long enough.
    fn may_end(&self, depth: usize) -> bool {
        depth >= self.0.len()
    }

    /// How deep `path` leads from `depth`, if it overlaps.
    fn follow(&self, path: &Path, mut depth: usize) -> Option<usize> {
        for token in path.tokens() {
            let wanted = self.token(depth)?;
            depth += 1;
            if token == FULL {
                return Some(depth.max(self.0.len()));
            }
            if wanted != token && wanted != STAR && wanted != FULL && token != STAR {
                return None;
            }
        }
        Some(depth)
    }
}
