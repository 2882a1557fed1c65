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

    fn take_one(&mut self) -> Option<T> {
        if let Self::One(value) = mem::replace(self, Self::None) { Some(value) } else { None }
    }

    fn shrunk(mut all: Vec<T>) -> Self {
        if all.len() < all.capacity() / 4 {
            all.shrink_to(all.len() * 2);
        }
        Self::Many(all)
    }
}

/// How a pattern ends after the token that a slot stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Here,
    /// With one more `*`.
    Star,
    /// With `>`.
    Full,
}

/// Where a token leads.
pub(super) enum Slot<T> {
    Empty,
    /// Exactly one pattern with one value ends here, and nothing goes on.
    Leaf(T),
    /// The same for one pattern that ends with `*` after this token: most clients' inbox.
    Star(T),
    /// The same for one pattern that ends with `>` after this token.
    Tail(T),
    Node(Box<Node<T>>),
}

impl<T> Slot<T> {
    /// The node here, made if there is none.
    pub(super) fn make_node(&mut self) -> &mut Node<T> {
        if !matches!(self, Self::Node(_)) {
            let mut node = Box::new(Node::new());
            match mem::replace(self, Self::Empty) {
                Self::Leaf(value) => node.values.push(value),
                Self::Star(value) => node.star = Self::Leaf(value),
                Self::Tail(value) => node.full.push(value),
                Self::Empty | Self::Node(_) => {}
            }
            *self = Self::Node(node);
        }
        match self {
            Self::Node(node) => node,
            _ => unreachable!("a node was put here above"),
        }
    }

    /// Adds a value of the pattern that has `end` after this token.
    pub(super) fn push(&mut self, end: End, value: T) {
        if self.is_empty() {
            *self = match end {
                End::Here => Self::Leaf(value),
                End::Star => Self::Star(value),
                End::Full => Self::Tail(value),
            };
            return;
        }
        let node = self.make_node();
        match end {
            End::Here => node.values.push(value),
            End::Star => node.star.push(End::Here, value),
            End::Full => node.full.push(value),
        }
    }

    /// The values of the pattern that has `end` after this token.
    pub(super) fn values(&self, end: End) -> &[T] {
        match (self, end) {
            (Self::Leaf(value), End::Here) | (Self::Star(value), End::Star) | (Self::Tail(value), End::Full) => {
                std::slice::from_ref(value)
            }
            (Self::Node(node), End::Here) => node.values.as_slice(),
            (Self::Node(node), End::Star) => node.star.values(End::Here),
            (Self::Node(node), End::Full) => node.full.as_slice(),
            _ => &[],
        }
    }

    pub(super) fn values_mut(&mut self, end: End) -> &mut [T] {
        match (self, end) {
            (Self::Leaf(value), End::Here) | (Self::Star(value), End::Star) | (Self::Tail(value), End::Full) => {
                std::slice::from_mut(value)
            }
            (Self::Node(node), End::Here) => node.values.as_mut_slice(),
            (Self::Node(node), End::Star) => node.star.values_mut(End::Here),
            (Self::Node(node), End::Full) => node.full.as_mut_slice(),
            _ => &mut [],
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

    /// Takes out a value of the pattern that has `end` after this token, and settles.
    pub(super) fn remove(&mut self, end: End, is: &mut impl FnMut(&T) -> bool) -> Option<T> {
        let removed = if let Self::Node(node) = self {
            match end {
                End::Here => node.values.remove(is),
                End::Star => node.star.remove(End::Here, is),
                End::Full => node.full.remove(is),
            }
        } else {
            let found = self.values(end).first().is_some_and(is);
            found.then(|| mem::replace(self, Self::Empty)).and_then(Self::into_only)
        }?;
        self.settle();
        Some(removed)
    }

    /// The one value of a slot without a node.
    fn into_only(self) -> Option<T> {
        match self {
            Self::Leaf(value) | Self::Star(value) | Self::Tail(value) => Some(value),
            Self::Empty | Self::Node(_) => None,
        }
    }

    /// Takes the smallest form that still holds what is here.
    pub(super) fn settle(&mut self) {
        let Self::Node(node) = self else { return };
        if node.children.len() > 0 {
            return;
        }
        // Three of the four are empty when one slot is enough.
        let small = match (&node.values, &node.star, &node.full) {
            (Values::None, Self::Empty, Values::None) => Some(Self::Empty),
            (Values::One(_), Self::Empty, Values::None) => node.values.take_one().map(Self::Leaf),
            (Values::None, Self::Leaf(_), Values::None) => {
                mem::replace(&mut node.star, Self::Empty).into_only().map(Self::Star)
            }
            (Values::None, Self::Empty, Values::One(_)) => node.full.take_one().map(Self::Tail),
            _ => None,
        };
        if let Some(small) = small {
            *self = small;
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
