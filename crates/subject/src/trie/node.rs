//! The parts a trie is made of: slots and nodes.
//!
//! A pattern that ends where nothing else begins is a [`Slot::Leaf`]: its value lies in its parent's table, without
//! a node of its own. That is what keeps a million literal subscriptions small.

use std::mem;

use super::children::Children;
use super::values::Values;

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
                Self::Leaf(value) => node.ends().here.push(value),
                Self::Star(value) => node.star = Self::Leaf(value),
                Self::Tail(value) => node.ends().full.push(value),
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
            End::Here => node.ends().here.push(value),
            End::Star => node.star.push(End::Here, value),
            End::Full => node.ends().full.push(value),
        }
    }

    /// The values of the pattern that has `end` after this token.
    pub(super) fn values(&self, end: End) -> &[T] {
        match (self, end) {
            (Self::Leaf(value), End::Here) | (Self::Star(value), End::Star) | (Self::Tail(value), End::Full) => {
                std::slice::from_ref(value)
            }
            (Self::Node(node), End::Here) => node.here(),
            (Self::Node(node), End::Star) => node.star.values(End::Here),
            (Self::Node(node), End::Full) => node.full(),
            _ => &[],
        }
    }

    pub(super) fn values_mut(&mut self, end: End) -> &mut [T] {
        match (self, end) {
            (Self::Leaf(value), End::Here) | (Self::Star(value), End::Star) | (Self::Tail(value), End::Full) => {
                std::slice::from_mut(value)
            }
            (Self::Node(node), End::Here) => node.ends.as_mut().map_or(&mut [], |ends| ends.here.as_mut_slice()),
            (Self::Node(node), End::Star) => node.star.values_mut(End::Here),
            (Self::Node(node), End::Full) => node.full_mut(),
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
                End::Here => node.remove_end(|ends| &mut ends.here, is),
                End::Star => node.star.remove(End::Here, is),
                End::Full => node.remove_end(|ends| &mut ends.full, is),
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
        // One slot is enough when only one of the star, the values here and those of '>' is left, and it is one value.
        let small = match (&mut node.star, node.ends.as_deref_mut()) {
            (Self::Empty, None) => Some(Self::Empty),
            (star @ Self::Leaf(_), None) => mem::replace(star, Self::Empty).into_only().map(Self::Star),
            (Self::Empty, Some(Ends { here, full: Values::None })) => here.take_only().map(Self::Leaf),
            (Self::Empty, Some(Ends { here: Values::None, full })) => full.take_only().map(Self::Tail),
            _ => None,
        };
        if let Some(small) = small {
            *self = small;
        }
    }
}

/// What goes on after one token: 64 bytes where values are as small as pointers.
pub(super) struct Node<T> {
    pub(super) children: Children<T>,
    pub(super) star: Slot<T>,
    /// Never without any value.
    ends: Option<Box<Ends<T>>>,
}

/// The values of the patterns that end at a node.
struct Ends<T> {
    /// Of the pattern that ends with this token.
    here: Values<T>,
    /// Of the pattern that ends with `>` after this token.
    full: Values<T>,
}

impl<T> Node<T> {
    pub(super) const fn new() -> Self {
        Self { children: Children::None, star: Slot::Empty, ends: None }
    }

    /// How many different things keep this node alive.
    pub(super) fn holds(&self) -> usize {
        let ends = self.ends.as_ref();
        let ends = ends.map_or(0, |e| usize::from(!e.here.is_empty()) + usize::from(!e.full.is_empty()));
        self.children.len() + usize::from(!self.star.is_empty()) + ends
    }

    fn here(&self) -> &[T] {
        self.ends.as_ref().map_or(&[], |ends| ends.here.as_slice())
    }

    pub(super) fn full(&self) -> &[T] {
        self.ends.as_ref().map_or(&[], |ends| ends.full.as_slice())
    }

    pub(super) fn full_mut(&mut self) -> &mut [T] {
        self.ends.as_mut().map_or(&mut [], |ends| ends.full.as_mut_slice())
    }

    pub(super) fn push_full(&mut self, value: T) {
        self.ends().full.push(value);
    }

    pub(super) fn remove_full(&mut self, is: impl FnMut(&T) -> bool) -> Option<T> {
        self.remove_end(|ends| &mut ends.full, is)
    }

    fn ends(&mut self) -> &mut Ends<T> {
        self.ends.get_or_insert_with(|| Box::new(Ends { here: Values::None, full: Values::None }))
    }

    fn remove_end(
        &mut self,
        which: impl FnOnce(&mut Ends<T>) -> &mut Values<T>,
        is: impl FnMut(&T) -> bool,
    ) -> Option<T> {
        let ends = self.ends.as_mut()?;
        let removed = which(ends).remove(is);
        if ends.here.is_empty() && ends.full.is_empty() {
            self.ends = None;
        }
        removed
    }
}
