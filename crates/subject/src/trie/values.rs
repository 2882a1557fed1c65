//! The values of one pattern: mostly one.

use std::mem;

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

    /// Takes the value out if it is the only one.
    pub(super) fn take_only(&mut self) -> Option<T> {
        match mem::replace(self, Self::None) {
            Self::One(value) => Some(value),
            other => {
                *self = other;
                None
            }
        }
    }

    fn shrunk(mut all: Vec<T>) -> Self {
        if all.len() < all.capacity() / 4 {
            all.shrink_to(all.len() * 2);
        }
        Self::Many(all)
    }
}
