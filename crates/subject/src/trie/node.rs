//! The parts a trie is made of: values, slots and nodes.
//!
//! A pattern that ends where nothing else begins is a [`Slot::Leaf`]: its value lies in its parent's table, without
//! a node of its own. That is what keeps a million literal subscriptions small.

use std::mem;

use super::children::Children;

/// The values of one pattern.
pub(super) enum Values<T> {
    None,
    One(T),
    Many(Vec<T>),
}

impl<T> Values<T> {
    pub(super) fn push(&mut self, value: T) {
        *self = match mem::replace(self, Self::None) {
            Self::None => Self::One(value),
            Self::One(first) => Self::Many(vec![first, value]),
            Self::Many(mut all) => {
                all.push(value);
                Self::Many(all)
            }
        };
    }

    pub(super) fn as_slice(&self) -> &[T] {
        match self {
            Self::None => &[],
            Self::One(value) => std::slice::from_ref(value),
            Self::Many(all) => all,
        }
    }

    pub(super) fn as_mut_slice(&mut self) -> &mut [T] {
        match self {
            Self::None => &mut [],
            Self::One(value) => std::slice::from_mut(value),
            Self::Many(all) => all,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        matches!(self, Self::None)
    }

    pub(super) fn remove(&mut self, is: impl FnMut(&T) -> bool) -> Option<T> {
        let at = self.as_slice().iter().position(is)?;
        let (rest, removed) = match mem::replace(self, Self::None) {
            Self::None => (Self::None, None),
            Self::One(value) => (Self::None, Some(value)),
            Self::Many(mut all) => {
                let removed = all.swap_remove(at);
                let rest = if all.len() == 1 { all.pop().map_or(Self::None, Self::One) } else { Self::shrunk(all) };
                (rest, Some(removed))
            }
        };
        *self = rest;
        removed
    }

    fn shrunk(mut all: Vec<T>) -> Self {
        if all.len() < all.capacity() / 4 {
            all.shrink_to(all.len() * 2);
        }
        Self::Many(all)
    }
}

/// Where a token leads.
pub(super) enum Slot<T> {
    Empty,
    /// Exactly one pattern with one value ends here, and nothing goes on.
    Leaf(T),
    Node(Box<Node<T>>),
}

impl<T> Slot<T> {
    /// The node here, made if there is none.
    pub(super) fn make_node(&mut self) -> &mut Node<T> {
        if !matches!(self, Self::Node(_)) {
            let mut node = Box::new(Node::new());
            if let Self::Leaf(value) = mem::replace(self, Self::Empty) {
                node.values.push(value);
            }
            *self = Self::Node(node);
        }
        match self {
            Self::Node(node) => node,
            Self::Empty | Self::Leaf(_) => unreachable!("a node was put here above"),
        }
    }

    pub(super) fn push(&mut self, value: T) {
        if matches!(self, Self::Empty) {
            *self = Self::Leaf(value);
        } else {
            self.make_node().values.push(value);
        }
    }

    /// The values of the pattern that ends here.
    pub(super) fn values(&self) -> &[T] {
        match self {
            Self::Empty => &[],
            Self::Leaf(value) => std::slice::from_ref(value),
            Self::Node(node) => node.values.as_slice(),
        }
    }

    pub(super) fn values_mut(&mut self) -> &mut [T] {
        match self {
            Self::Empty => &mut [],
            Self::Leaf(value) => std::slice::from_mut(value),
            Self::Node(node) => node.values.as_mut_slice(),
        }
    }

    pub(super) fn node(&self) -> Option<&Node<T>> {
        if let Self::Node(node) = self { Some(node) } else { None }
    }

    pub(super) fn node_mut(&mut self) -> Option<&mut Node<T>> {
        if let Self::Node(node) = self { Some(node) } else { None }
    }

    pub(super) fn is_empty(&self) -> bool {
        matches!(self, Self::Empty)
    }

    pub(super) fn remove(&mut self, is: &mut impl FnMut(&T) -> bool) -> Option<T> {
        match self {
            Self::Empty => None,
            Self::Leaf(value) => {
                if !is(value) {
                    return None;
                }
                match mem::replace(self, Self::Empty) {
                    Self::Leaf(value) => Some(value),
                    Self::Empty | Self::Node(_) => unreachable!("a leaf was seen above"),
                }
            }
            Self::Node(node) => node.values.remove(is),
        }
    }

    /// Takes the smallest form that still holds what is here.
    pub(super) fn settle(&mut self) {
        let Self::Node(node) = self else { return };
        if node.children.len() > 0 || !node.star.is_empty() || !node.full.is_empty() {
            return;
        }
        match mem::replace(&mut node.values, Values::None) {
            Values::None => *self = Self::Empty,
            Values::One(value) => *self = Self::Leaf(value),
            many @ Values::Many(_) => node.values = many,
        }
    }
}

/// What goes on after one token.
pub(super) struct Node<T> {
    pub(super) children: Children<T>,
    pub(super) star: Slot<T>,
    /// Values of the pattern that ends with `>` after this token.
    pub(super) full: Values<T>,
    /// Values of the pattern that ends with this token.
    pub(super) values: Values<T>,
}

impl<T> Node<T> {
    pub(super) const fn new() -> Self {
        Self { children: Children::None, star: Slot::Empty, full: Values::None, values: Values::None }
    }

    /// How many different things keep this node alive.
    pub(super) fn holds(&self) -> usize {
        self.children.len()
            + usize::from(!self.star.is_empty())
            + usize::from(!self.full.is_empty())
            + usize::from(!self.values.is_empty())
    }
}
