//! The interest trie: from a subject to the values of every pattern that selects it.
//!
//! One level per token. A node keeps its literal children, its `*` child, the values of `>` after it and its own.
//! Matching walks the literal child and remembers the `*` child for later, so it needs no recursion and, up to 32
//! alternatives in waiting, no memory.
//!
//! Invariant: every slot that exists leads to at least one value; removal prunes what it empties.

mod children;
mod node;
mod token;
mod values;
mod walk;

use std::ops::ControlFlow;
use std::{fmt, mem};

use foldhash::fast::FixedState;

use self::node::{End, Node, Slot};
use crate::pattern::{FULL, SEPARATOR, STAR, has_empty_token, is_valid_pattern, tokens};

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
        match split_end(pattern) {
            Some((path, end)) => self.slot(path).push(end, value),
            None => self.root.push_full(value),
        }
    }

    /// The slot at the end of `path`, made if there is none.
    fn slot(&mut self, path: &[u8]) -> &mut Slot<T> {
        let (first, mut rest) = split_token(path);
        let mut slot = step_or_make(&mut self.root, &self.seed, first);
        while let Some(path) = rest {
            let token;
            (token, rest) = split_token(path);
            slot = step_or_make(slot.make_node(), &self.seed, token);
        }
        slot
    }

    /// Takes out the first pair with exactly this pattern whose value satisfies `is`. The values of one pattern are
    /// searched in a row: whoever expects very many of them keeps them in a set and inserts the set.
    pub fn remove(&mut self, pattern: &[u8], mut is: impl FnMut(&T) -> bool) -> Option<T> {
        let Some((path, end)) = split_end(pattern) else {
            let removed = self.root.remove_full(is)?;
            self.len -= 1;
            return Some(removed);
        };
        let slot = find_mut(&mut self.root, &self.seed, path)?;
        let removed = slot.remove(end, &mut is)?;
        let emptied = slot.is_empty();
        self.len -= 1;
        if emptied {
            self.prune(path);
        }
        Some(removed)
    }

    /// Cuts the branch that only led to the empty slot at the end of `path`.
    fn prune(&mut self, path: &[u8]) {
        // The last node on the way that holds something else stays; the root always does.
        let (mut keep_at, mut at) = (0, 0);
        let mut node = &self.root;
        for token in tokens(path) {
            // The empty slot itself still counts where it is an edge of its own.
            let own = usize::from(token != STAR || !node.star.is_empty());
            if node.holds() > own {
                keep_at = at;
            }
            let Some(next) = step(node, &self.seed, token).and_then(Slot::node) else { break };
            at += token.len() + 1;
            node = next;
        }
        let (cut, _) = split_token(&path[keep_at..]);
        let dropped = if keep_at == 0 {
            take_step(&mut self.root, &self.seed, cut)
        } else {
            let Some(slot) = find_mut(&mut self.root, &self.seed, &path[..keep_at - 1]) else { return };
            let dropped = slot.node_mut().and_then(|node| take_step(node, &self.seed, cut));
            slot.settle();
            dropped
        };
        dropped.into_iter().for_each(dismantle);
    }

    /// The values whose pattern is exactly `pattern`.
    pub fn get(&self, pattern: &[u8]) -> &[T] {
        let Some((path, end)) = split_end(pattern) else { return self.root.full() };
        let (first, mut rest) = split_token(path);
        let mut slot = step(&self.root, &self.seed, first);
        while let Some(path) = rest {
            let token;
            (token, rest) = split_token(path);
            slot = slot.and_then(Slot::node).and_then(|node| step(node, &self.seed, token));
        }
        slot.map_or(&[], |slot| slot.values(end))
    }

    /// The values whose pattern is exactly `pattern`, to be changed in place.
    pub fn get_mut(&mut self, pattern: &[u8]) -> &mut [T] {
        match split_end(pattern) {
            None => self.root.full_mut(),
            Some((path, end)) => {
                find_mut(&mut self.root, &self.seed, path).map_or(&mut [], |slot| slot.values_mut(end))
            }
        }
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
    pub fn try_for_each_match<'a, B>(
        &'a self,
        subject: &[u8],
        mut f: impl FnMut(&'a T) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        if self.len == 0 || has_empty_token(subject) {
            return ControlFlow::Continue(());
        }
        let mut waiting = Waiting::default();
        let mut next = Some((&self.root, subject));
        while let Some((node, rest)) = next {
            node.full().iter().try_for_each(&mut f)?;
            let (token, rest) = split_token(rest);
            let literal = node.children.get(&self.seed, token);
            next = None;
            let slots = [Some(&node.star), literal].into_iter().flatten();
            let Some(rest) = rest else {
                for slot in slots {
                    slot.values(End::Here).iter().try_for_each(&mut f)?;
                }
                next = waiting.pop();
                continue;
            };
            for slot in slots {
                match slot {
                    Slot::Node(node) => {
                        if let Some(later) = next.replace((&**node, rest)) {
                            waiting.push(later);
                        }
                    }
                    Slot::Tail(value) => f(value)?,
                    Slot::Star(value) if !rest.contains(&SEPARATOR) => f(value)?,
                    _ => {}
                }
            }
            if next.is_none() {
                next = waiting.pop();
            }
        }
        ControlFlow::Continue(())
    }
}

/// Alternatives not walked yet. Only patterns with very many `*` make it spill.
struct Waiting<'n, 's, T> {
    len: usize,
    inline: [Option<Alternative<'n, 's, T>>; 32],
    spill: Vec<Alternative<'n, 's, T>>,
}

/// A node, and the tokens of the subject that are still to be matched after it.
type Alternative<'n, 's, T> = (&'n Node<T>, &'s [u8]);

impl<T> Default for Waiting<'_, '_, T> {
    fn default() -> Self {
        Self { len: 0, inline: [None; 32], spill: Vec::new() }
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
        let root = mem::replace(&mut self.root, Node::new());
        dismantle(Slot::Node(Box::new(root)));
    }
}

fn dismantle<T>(slot: Slot<T>) {
    let mut waiting = vec![slot];
    while let Some(slot) = waiting.pop() {
        let Slot::Node(mut node) = slot else { continue };
        waiting.extend(node.children.take().map(|edge| edge.to).filter(|to| to.node().is_some()));
        waiting.push(mem::replace(&mut node.star, Slot::Empty));
    }
}

/// `a.b.>` is the path `a.b` and how it ends; `>` alone has no path.
fn split_end(pattern: &[u8]) -> Option<(&[u8], End)> {
    match pattern.split_last_chunk::<2>() {
        Some((path, b".>")) => Some((path, End::Full)),
        Some((path, b".*")) => Some((path, End::Star)),
        _ if pattern == FULL => None,
        _ => Some((pattern, End::Here)),
    }
}

/// The first token, and what follows the dot after it.
fn split_token(path: &[u8]) -> (&[u8], Option<&[u8]>) {
    match path.iter().position(|b| *b == SEPARATOR) {
        Some(at) => (&path[..at], Some(&path[at + 1..])),
        None => (path, None),
    }
}

fn step<'n, T>(node: &'n Node<T>, seed: &FixedState, token: &[u8]) -> Option<&'n Slot<T>> {
    if token == STAR { Some(&node.star) } else { node.children.get(seed, token) }
}

fn step_or_make<'n, T>(node: &'n mut Node<T>, seed: &FixedState, token: &[u8]) -> &'n mut Slot<T> {
    if token == STAR { &mut node.star } else { node.children.slot(seed, token) }
}

fn step_mut<'n, T>(node: &'n mut Node<T>, seed: &FixedState, token: &[u8]) -> Option<&'n mut Slot<T>> {
    if token == STAR { Some(&mut node.star) } else { node.children.get_mut(seed, token) }
}

fn take_step<T>(node: &mut Node<T>, seed: &FixedState, token: &[u8]) -> Option<Slot<T>> {
    if token == STAR { Some(mem::replace(&mut node.star, Slot::Empty)) } else { node.children.remove(seed, token) }
}

fn find_mut<'n, T>(root: &'n mut Node<T>, seed: &FixedState, path: &[u8]) -> Option<&'n mut Slot<T>> {
    let (first, mut rest) = split_token(path);
    let mut slot = step_mut(root, seed, first)?;
    while let Some(path) = rest {
        let token;
        (token, rest) = split_token(path);
        slot = step_mut(slot.node_mut()?, seed, token)?;
    }
    Some(slot)
}

#[cfg(test)]
mod tests;
