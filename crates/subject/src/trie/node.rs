//! The parts a trie is made of: edges and nodes.

use std::mem;

use foldhash::fast::FixedState;

use super::children::Children;
use super::path::Path;
use super::split_token;
use super::values::Values;
use crate::pattern::{FULL, STAR};

/// Some tokens and where they lead: 40 bytes where values are of 16 with room for a tag.
pub(super) struct Edge<T> {
    pub(super) path: Path,
    pub(super) to: To<T>,
}

/// Where an edge leads.
pub(super) enum To<T> {
    /// Exactly one pattern with one value ends here, and nothing goes on.
    Leaf(T),
    Node(Box<Node<T>>),
}

/// What goes on after the tokens that led here.
pub(super) struct Node<T> {
    pub(super) children: Children<T>,
    /// Never without anything in it: most nodes only branch.
    others: Option<Box<Others<T>>>,
}

/// What a node may hold that is no literal token.
pub(super) struct Others<T> {
    /// The values of the pattern that ends here.
    pub(super) here: Values<T>,
    /// The values of the pattern that ends with `>` here.
    pub(super) full: Values<T>,
    /// The edge that begins with `*`.
    pub(super) star: Option<Edge<T>>,
}

impl<T> Edge<T> {
    pub(super) fn leaf(path: &[u8], value: T) -> Self {
        Self { path: Path::new(path), to: To::Leaf(value) }
    }

    pub(super) fn node(&self) -> Option<&Node<T>> {
        if let To::Node(node) = &self.to { Some(node) } else { None }
    }

    pub(super) fn node_mut(&mut self) -> Option<&mut Node<T>> {
        if let To::Node(node) = &mut self.to { Some(node) } else { None }
    }

    /// The value if this is a leaf whose path is exactly `path`.
    fn value(&self, path: &[u8]) -> Option<&T> {
        if let To::Leaf(value) = &self.to { self.path.is(path).then_some(value) } else { None }
    }

    fn value_mut(&mut self, path: &[u8]) -> Option<&mut T> {
        if let To::Leaf(value) = &mut self.to { self.path.is(path).then_some(value) } else { None }
    }

    fn into_value(self) -> Option<T> {
        if let To::Leaf(value) = self.to { Some(value) } else { None }
    }

    /// Sees to it that a node lies on the way of `pattern`, as far along this edge as both agree. Returns the node and
    /// what follows it in `pattern`.
    pub(super) fn branch<'p>(&mut self, seed: &FixedState, pattern: &'p [u8]) -> (&mut Node<T>, &'p [u8]) {
        if self.node().is_none() || self.path.strip(pattern).is_none() {
            let (path, rest) = self.path.split(self.path.shared(pattern));
            let old = mem::replace(&mut self.to, To::Node(Box::new(Node::new())));
            self.path = path;
            if let To::Node(node) = &mut self.to {
                node.put(seed, &rest, old);
            }
        }
        let rest = self.path.strip(pattern).expect("the path was cut to what both begin with");
        match &mut self.to {
            To::Node(node) => (node, rest),
            To::Leaf(_) => unreachable!("a node was put here above"),
        }
    }

    /// Takes the smallest form that still holds what is here, after something was removed below.
    pub(super) fn settle(&mut self) {
        if let Some((rest, to)) = self.node_mut().and_then(Node::take_only) {
            self.path = self.path.join(&rest);
            self.to = to;
        }
    }
}

impl<T> Node<T> {
    pub(super) const fn new() -> Self {
        Self { children: Children::new(), others: None }
    }

    /// What is here beside literal tokens.
    pub(super) fn others(&self) -> Option<&Others<T>> {
        self.others.as_deref()
    }

    fn others_mut(&mut self) -> &mut Others<T> {
        self.others.get_or_insert_with(|| Box::new(Others { here: Values::None, full: Values::None, star: None }))
    }

    pub(super) fn star(&self) -> Option<&Edge<T>> {
        self.others.as_ref()?.star.as_ref()
    }

    /// All edges.
    pub(super) fn edges(&self) -> impl Iterator<Item = &Edge<T>> {
        self.children.iter().chain(self.star())
    }

    /// The edge that begins with `token`, which may be `*`.
    pub(super) fn edge(&self, seed: &FixedState, token: &[u8]) -> Option<&Edge<T>> {
        if token == STAR { self.star() } else { self.children.get(seed, token) }
    }

    pub(super) fn edge_mut(&mut self, seed: &FixedState, token: &[u8]) -> Option<&mut Edge<T>> {
        if token == STAR { self.others.as_mut()?.star.as_mut() } else { self.children.get_mut(seed, token) }
    }

    /// The deepest node on the way of `pattern`, and what follows it in `pattern`.
    pub(super) fn descend<'p>(&self, seed: &FixedState, pattern: &'p [u8]) -> (&Self, &'p [u8]) {
        let (mut node, mut rest) = (self, pattern);
        while let Some(edge) = node.edge(seed, split_token(rest).0)
            && let Some(next) = edge.node()
            && let Some(after) = edge.path.strip(rest)
        {
            (node, rest) = (next, after);
        }
        (node, rest)
    }

    /// The edge to the node that [`Node::descend`] found when it left `rest` of `pattern`; none if that is this node.
    pub(super) fn edge_above(&mut self, seed: &FixedState, pattern: &[u8], rest: &[u8]) -> Option<&mut Edge<T>> {
        let (mut node, mut path) = (self, pattern);
        while path.len() > rest.len() {
            let edge = node.edge_mut(seed, split_token(path).0)?;
            path = edge.path.strip(path)?;
            if path.len() == rest.len() {
                return Some(edge);
            }
            node = edge.node_mut()?;
        }
        None
    }

    /// Puts something at the end of `path`, where no edge leads yet.
    fn put(&mut self, seed: &FixedState, path: &[u8], to: To<T>) {
        match to {
            To::Leaf(value) => self.push(seed, path, value),
            To::Node(_) => self.add(seed, Edge { path: Path::new(path), to }),
        }
    }

    /// Adds a value at the end of `path`, where no edge leads yet.
    pub(super) fn push(&mut self, seed: &FixedState, path: &[u8], value: T) {
        match path {
            [] => self.others_mut().here.push(value),
            FULL => self.others_mut().full.push(value),
            _ => self.add(seed, Edge::leaf(path, value)),
        }
    }

    fn add(&mut self, seed: &FixedState, edge: Edge<T>) {
        if edge.path.first() == STAR {
            self.others_mut().star = Some(edge);
        } else {
            self.children.add(seed, edge);
        }
    }

    /// The values at the end of `path` that need no other node to be found.
    pub(super) fn values(&self, seed: &FixedState, path: &[u8]) -> &[T] {
        match path {
            [] => self.others().map_or(&[], |others| others.here.as_slice()),
            FULL => self.others().map_or(&[], |others| others.full.as_slice()),
            _ => {
                let edge = self.edge(seed, split_token(path).0);
                edge.and_then(|edge| edge.value(path)).map_or(&[], std::slice::from_ref)
            }
        }
    }

    pub(super) fn values_mut(&mut self, seed: &FixedState, path: &[u8]) -> &mut [T] {
        match path {
            [] => self.others.as_mut().map_or(&mut [], |others| others.here.as_mut_slice()),
            FULL => self.others.as_mut().map_or(&mut [], |others| others.full.as_mut_slice()),
            _ => {
                let edge = self.edge_mut(seed, split_token(path).0);
                edge.and_then(|edge| edge.value_mut(path)).map_or(&mut [], std::slice::from_mut)
            }
        }
    }

    /// Takes out a value that [`Node::values`] finds.
    pub(super) fn remove(&mut self, seed: &FixedState, path: &[u8], mut is: impl FnMut(&T) -> bool) -> Option<T> {
        let token = split_token(path).0;
        if !path.is_empty() && token != STAR && token != FULL {
            let edge = self.children.remove(seed, token, |edge| edge.value(path).is_some_and(&mut is))?;
            return edge.into_value();
        }
        let others = self.others.as_mut()?;
        let removed = match path {
            [] => others.here.remove(is),
            FULL => others.full.remove(is),
            _ => others.star.take_if(|edge| edge.value(path).is_some_and(is)).and_then(Edge::into_value),
        };
        if others.is_empty() {
            self.others = None;
        }
        removed
    }

    /// If only one edge or only one value is left, takes it out, with its path from here.
    fn take_only(&mut self) -> Option<(Vec<u8>, To<T>)> {
        let others = self.others.as_deref_mut();
        let edge = match (self.children.len(), others) {
            (1, None) => self.children.take().next(),
            (0, Some(Others { here: Values::None, full: Values::None, star })) => star.take(),
            (0, Some(Others { here, full: Values::None, star: None })) => {
                return here.take_only().map(|value| (Vec::new(), To::Leaf(value)));
            }
            (0, Some(Others { here: Values::None, full, star: None })) => {
                return full.take_only().map(|value| (FULL.to_vec(), To::Leaf(value)));
            }
            _ => None,
        }?;
        Some((edge.path.text(), edge.to))
    }

    /// Takes out every edge.
    pub(super) fn take_edges(&mut self) -> impl Iterator<Item = Edge<T>> + use<T> {
        let star = self.others.as_mut().and_then(|others| others.star.take());
        self.children.take().chain(star)
    }
}

impl<T> Others<T> {
    fn is_empty(&self) -> bool {
        self.here.is_empty() && self.full.is_empty() && self.star.is_none()
    }
}
