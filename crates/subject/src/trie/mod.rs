//! The interest trie: from a subject to the values of every pattern that selects it.
//!
//! A radix tree over tokens. An edge holds a run of tokens, literal or wildcard, and leads to a leaf, which is one
//! value, or to a node. A node holds the values of the pattern that ends there and of the one that ends there with `>`,
//! one edge that begins with `*`, and edges that begin with literal tokens, no two with the same. With `s.1.foo`,
//! `s.2.foo`, `s.2.*.a`, `s.>`, and `s` twice:
//!
//! ```text
//! root ── s ──▶ node (s: two values, s.>: one)
//!                ├─ 1.foo ──▶ leaf
//!                └─ 2 ──▶ node
//!                          ├─ foo ──▶ leaf
//!                          └─ *.a ──▶ leaf
//! ```
//!
//! Edges lie in their node's table: 40 bytes each for values of 16, and a heap block only for runs over 22 bytes. So a
//! pattern that shares nothing but its beginning costs one place in a table, however many tokens it has. Few nodes hold
//! more than literal edges; what else they hold lies in a block of its own.
//!
//! Matching follows the literal edge and remembers the `*` edge for later, so it needs no recursion and, up to 16
//! alternatives in waiting, no memory.
//!
//! Invariant: every node but the root leads to two values at least, and not to all of them by one edge. Insertion
//! splits an edge where patterns part and removal joins it again, so the same pairs always have the same shape. `>` is
//! only ever the last token of a path.

#[cfg(test)]
mod check;
mod children;
mod node;
mod path;
mod values;
mod walk;

use std::fmt;
use std::ops::ControlFlow;

use foldhash::fast::FixedState;

use self::node::{Edge, Node, To};
use crate::pattern::{SEPARATOR, STAR, has_empty_token, is_valid_pattern};

/// A set of (pattern, value) pairs that is asked with subjects.
pub struct Trie<T> {
    root: Node<T>,
    len: usize,
    seed: FixedState,
}

/// The shape of a trie, for monitoring.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stats {
    /// Pairs held.
    pub len: usize,
    /// Tokens of the deepest pattern.
    pub max_depth: usize,
    /// The most literal tokens that follow any one token.
    pub max_fanout: usize,
    /// The most values that any one pattern has.
    pub max_values: usize,
}

impl<T> Default for Trie<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> fmt::Debug for Trie<T> {
    /// Says how much there is, not what: a trie may hold millions.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trie").field("len", &self.len).finish_non_exhaustive()
    }
}

impl<T> Trie<T> {
    /// An empty trie with a fixed seed: for tests, simulations and trusted input.
    pub const fn new() -> Self {
        Self::with_seed(0)
    }

    /// An empty trie whose hash tables depend on `seed`, so that strangers cannot choose tokens that collide.
    pub const fn with_seed(seed: u64) -> Self {
        Self { root: Node::new(), len: 0, seed: FixedState::with_seed(seed) }
    }

    /// How many pairs are held.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing is held.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds a pair. The same pattern may be added many times. `pattern` must be valid.
    pub fn insert(&mut self, pattern: &[u8], value: T) {
        debug_assert!(is_valid_pattern(pattern), "callers validate patterns before they subscribe");
        self.len += 1;
        let (mut node, mut rest) = (&mut self.root, pattern);
        while node.edge(&self.seed, split_token(rest).0).is_some() {
            let edge = node.edge_mut(&self.seed, split_token(rest).0).expect("it was seen above");
            (node, rest) = edge.branch(&self.seed, rest);
        }
        node.push(&self.seed, rest, value);
    }

    /// Takes out the first pair with exactly this pattern whose value satisfies `is`. The values of one pattern are
    /// searched in a row: whoever expects very many of them keeps them in a set and inserts the set.
    pub fn remove(&mut self, pattern: &[u8], is: impl FnMut(&T) -> bool) -> Option<T> {
        let (_, rest) = self.root.descend(&self.seed, pattern);
        let removed = match self.root.edge_above(&self.seed, pattern, rest) {
            None => self.root.remove(&self.seed, rest, is),
            Some(edge) => {
                let removed = edge.node_mut()?.remove(&self.seed, rest, is);
                edge.settle();
                removed
            }
        }?;
        self.len -= 1;
        Some(removed)
    }

    /// The values whose pattern is exactly `pattern`.
    pub fn get(&self, pattern: &[u8]) -> &[T] {
        let (node, rest) = self.root.descend(&self.seed, pattern);
        node.values(&self.seed, rest)
    }

    /// The values whose pattern is exactly `pattern`, to be changed in place.
    pub fn get_mut(&mut self, pattern: &[u8]) -> &mut [T] {
        let (_, rest) = self.root.descend(&self.seed, pattern);
        if rest.len() == pattern.len() {
            return self.root.values_mut(&self.seed, rest);
        }
        let edge = self.root.edge_above(&self.seed, pattern, rest);
        edge.and_then(Edge::node_mut).map_or(&mut [], |node| node.values_mut(&self.seed, rest))
    }

    /// Calls `f` with the value of every pair whose pattern selects `subject`. Wildcards in `subject` count as plain
    /// tokens; a subject with an empty token is selected by nothing.
    pub fn for_each_match<'a>(&'a self, subject: &[u8], mut f: impl FnMut(&'a T)) {
        let _: ControlFlow<()> = self.try_for_each_match(subject, |value| {
            f(value);
            ControlFlow::Continue(())
        });
    }

    /// Whether any pattern selects `subject`.
    pub fn has_match(&self, subject: &[u8]) -> bool {
        self.try_for_each_match(subject, |_| ControlFlow::Break(())).is_break()
    }

    /// As [`Trie::for_each_match`], until `f` breaks.
    // spec: CORE-056 CORE-103
    pub(crate) fn try_for_each_match<'a, B>(
        &'a self,
        subject: &[u8],
        mut f: impl FnMut(&'a T) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        if self.len == 0 || has_empty_token(subject) {
            return ControlFlow::Continue(());
        }
        let mut waiting = Waiting::default();
        let mut next = Some((&self.root, subject));
        while let Some((node, rest)) = next.take().or_else(|| waiting.pop()) {
            let others = node.others();
            if rest.is_empty() {
                others.map_or(&[][..], |others| others.here.as_slice()).iter().try_for_each(&mut f)?;
                continue;
            }
            let (token, rest) = split_token(rest);
            let mut star = None;
            if let Some(others) = others {
                others.full.as_slice().iter().try_for_each(&mut f)?;
                star = others.star.as_ref();
            }
            let literal = node.children.get(&self.seed, token);
            for (edge, first_len) in [(star, STAR.len()), (literal, token.len())] {
                let Some(edge) = edge else { continue };
                let Some(rest) = edge.path.select(first_len, rest) else { continue };
                match &edge.to {
                    To::Leaf(value) if rest.is_empty() => f(value)?,
                    To::Leaf(_) => {}
                    To::Node(node) => {
                        if let Some(later) = next.replace((&**node, rest)) {
                            waiting.push(later);
                        }
                    }
                }
            }
        }
        ControlFlow::Continue(())
    }
}

/// How many alternatives wait without an allocation.
const WAITING: usize = 16;

/// Alternatives not walked yet. Only patterns with very many `*` make it spill.
struct Waiting<'n, 's, T> {
    len: usize,
    inline: [Option<Alternative<'n, 's, T>>; WAITING],
    spill: Vec<Alternative<'n, 's, T>>,
}

/// A node, and the tokens of the subject that are still to be matched after it.
type Alternative<'n, 's, T> = (&'n Node<T>, &'s [u8]);

impl<T> Default for Waiting<'_, '_, T> {
    fn default() -> Self {
        Self { len: 0, inline: [None; WAITING], spill: Vec::new() }
    }
}

impl<'n, 's, T> Waiting<'n, 's, T> {
    fn push(&mut self, alternative: Alternative<'n, 's, T>) {
        match self.inline.get_mut(self.len) {
            Some(place) => {
                *place = Some(alternative);
                self.len += 1;
            }
            None => self.spill.push(alternative),
        }
    }

    fn pop(&mut self) -> Option<Alternative<'n, 's, T>> {
        if let Some(last) = self.spill.pop() {
            return Some(last);
        }
        self.len = self.len.checked_sub(1)?;
        self.inline[self.len].take()
    }
}

impl<T> Drop for Trie<T> {
    /// Takes nodes apart one by one: the compiler's own drop would recurse as deep as the deepest pattern.
    fn drop(&mut self) {
        let mut waiting: Vec<Edge<T>> = self.root.take_edges().collect();
        while let Some(mut edge) = waiting.pop() {
            if let Some(node) = edge.node_mut() {
                waiting.extend(node.take_edges().filter(|edge| edge.node().is_some()));
            }
        }
    }
}

/// The first token, and what follows the dot after it: nothing if none does, since no token is empty.
fn split_token(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().position(|b| *b == SEPARATOR) {
        Some(at) => (&path[..at], &path[at + 1..]),
        None => (path, &[]),
    }
}

#[cfg(test)]
mod tests;
