//! Values by subject, in the order of the subjects' bytes, and those that a pattern selects.
//!
//! A radix tree: what subjects have in common is kept once. An inner node has a label and kids, one for each byte that
//! follows; a leaf has the rest of its subject and the value. A subject that is the beginning of another is a kid, too,
//! with [`END`] for its byte. Nodes stand in slabs and name each other by number.
//!
//! Invariant: an inner node has at least two kids, in order. Nothing here recurses.

use std::cell::RefCell;

use super::slab::Slab;
use super::walk::Walk;

/// The place of the kid whose subject ends at its parent; other kids stand at 1 + their byte.
pub(super) const END: u16 = 0;
const LEAF: u32 = 1 << 31;

/// Which node: a leaf, or an inner one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Link(u32);

pub(super) enum Node {
    Leaf(u32),
    Inner(u32),
}

impl Link {
    fn leaf(id: u32) -> Self {
        assert!(id < LEAF, "a stream has fewer than two thousand million subjects");
        Self(id | LEAF)
    }

    pub(super) fn node(self) -> Node {
        if self.0 & LEAF == 0 { Node::Inner(self.0) } else { Node::Leaf(self.0 & !LEAF) }
    }
}

#[derive(Debug, Default)]
pub(super) struct Leaf<T> {
    pub(super) label: Box<[u8]>,
    pub(super) value: T,
}

#[derive(Debug, Default)]
pub(super) struct Inner {
    pub(super) label: Box<[u8]>,
    pub(super) kids: Vec<Kid>,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Kid {
    pub(super) at: u16,
    pub(super) link: Link,
}

impl Inner {
    fn position(&self, at: u16) -> Result<usize, usize> {
        self.kids.binary_search_by_key(&at, |kid| kid.at)
    }

    pub(super) fn kid(&self, at: u16) -> Option<Kid> {
        self.position(at).ok().map(|position| self.kids[position])
    }
}

/// Where a link is kept: at the root, or with a kid of an inner node.
type Place = Option<(u32, usize)>;

/// Values by subject.
#[derive(Debug)]
pub struct Tree<T> {
    pub(super) leaves: Slab<Leaf<T>>,
    pub(super) inner: Slab<Inner>,
    pub(super) root: Option<Link>,
    len: usize,
    /// What walks use, kept so that they need not allocate.
    pub(super) scratch: RefCell<Walk>,
}

impl<T> Default for Tree<T> {
    fn default() -> Self {
        Self { leaves: Slab::default(), inner: Slab::default(), root: None, len: 0, scratch: RefCell::default() }
    }
}

/// The kid that `rest` leads to, and what is left of it there.
fn turn(rest: &[u8]) -> (u16, &[u8]) {
    rest.split_first().map_or((END, rest), |(byte, rest)| (u16::from(*byte) + 1, rest))
}

fn common(a: &[u8], b: &[u8]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

impl<T: Default> Tree<T> {
    /// How many subjects there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.leaves.clear();
        self.inner.clear();
        self.root = None;
        self.len = 0;
    }

    /// The value of a subject.
    pub fn get(&self, subject: &[u8]) -> Option<&T> {
        let (mut link, mut rest) = (self.root?, subject);
        loop {
            match link.node() {
                Node::Leaf(id) => {
                    let leaf = self.leaves.at(id);
                    return (*leaf.label == *rest).then_some(&leaf.value);
                }
                Node::Inner(id) => {
                    let inner = self.inner.at(id);
                    let (at, next) = turn(rest.strip_prefix(&*inner.label)?);
                    (link, rest) = (inner.kid(at)?.link, next);
                }
            }
        }
    }

    /// The value of a subject, to be changed.
    pub fn get_mut(&mut self, subject: &[u8]) -> Option<&mut T> {
        let (mut link, mut rest) = (self.root?, subject);
        loop {
            match link.node() {
                Node::Leaf(id) => {
                    if *self.leaves.at(id).label != *rest {
                        return None;
                    }
                    return Some(&mut self.leaves.at_mut(id).value);
                }
                Node::Inner(id) => {
                    let inner = self.inner.at(id);
                    let (at, next) = turn(rest.strip_prefix(&*inner.label)?);
                    (link, rest) = (inner.kid(at)?.link, next);
                }
            }
        }
    }

    /// The value of a subject, which is put there if need be.
    pub fn entry(&mut self, subject: &[u8]) -> &mut T {
        let id = self.entry_id(subject);
        &mut self.leaves.at_mut(id).value
    }

    fn entry_id(&mut self, subject: &[u8]) -> u32 {
        let Some(mut link) = self.root else {
            let id = self.new_leaf(subject);
            self.root = Some(Link::leaf(id));
            return id;
        };
        let (mut place, mut rest): (Place, &[u8]) = (None, subject);
        loop {
            let label: &[u8] = match link.node() {
                Node::Leaf(id) => &self.leaves.at(id).label,
                Node::Inner(id) => &self.inner.at(id).label,
            };
            let same = common(label, rest);
            let whole = same == label.len();
            match link.node() {
                Node::Leaf(id) if whole && same == rest.len() => return id,
                Node::Inner(id) if whole => {
                    let (at, next) = turn(&rest[same..]);
                    match self.inner.at(id).position(at) {
                        Ok(position) => {
                            (place, rest) = (Some((id, position)), next);
                            link = self.inner.at(id).kids[position].link;
                        }
                        Err(position) => {
                            let leaf = self.new_leaf(next);
                            let kids = &mut self.inner.at_mut(id).kids;
                            kids.reserve_exact(if kids.len() < 16 { 2 } else { 16 });
                            kids.insert(position, Kid { at, link: Link::leaf(leaf) });
                            return leaf;
                        }
                    }
                }
                _ => return self.split(place, link, same, rest),
            }
        }
    }

    /// Puts an inner node before the node at `link`, with what its label has in common with `rest`, and a leaf for `rest`.
    fn split(&mut self, place: Place, link: Link, same: usize, rest: &[u8]) -> u32 {
        let label = match link.node() {
            Node::Leaf(id) => &mut self.leaves.at_mut(id).label,
            Node::Inner(id) => &mut self.inner.at_mut(id).label,
        };
        let (at_old, after_old) = turn(&label[same..]);
        *label = after_old.into();
        let (at_new, after_new) = turn(&rest[same..]);
        let leaf = self.new_leaf(after_new);
        let mut kids = vec![Kid { at: at_old, link }, Kid { at: at_new, link: Link::leaf(leaf) }];
        kids.sort_unstable_by_key(|kid| kid.at);
        let inner = self.inner.put(Inner { label: rest[..same].into(), kids });
        self.set(place, Link(inner));
        leaf
    }

    fn new_leaf(&mut self, rest: &[u8]) -> u32 {
        self.len += 1;
        self.leaves.put(Leaf { label: rest.into(), value: T::default() })
    }

    fn set(&mut self, place: Place, link: Link) {
        match place {
            None => self.root = Some(link),
            Some((id, position)) => self.inner.at_mut(id).kids[position].link = link,
        }
    }

    /// Takes a subject out.
    pub fn remove(&mut self, subject: &[u8]) -> Option<T> {
        let (mut link, mut rest) = (self.root?, subject);
        let (mut place, mut before): (Place, Place) = (None, None);
        let leaf = loop {
            match link.node() {
                Node::Leaf(id) if *self.leaves.at(id).label == *rest => break id,
                Node::Leaf(_) => return None,
                Node::Inner(id) => {
                    let inner = self.inner.at(id);
                    let (at, next) = turn(rest.strip_prefix(&*inner.label)?);
                    let position = inner.position(at).ok()?;
                    (before, place) = (place, Some((id, position)));
                    (link, rest) = (inner.kids[position].link, next);
                }
            }
        };
        self.len -= 1;
        match place {
            None => self.root = None,
            Some((id, position)) => {
                self.inner.at_mut(id).kids.remove(position);
                self.join(before, id);
            }
        }
        Some(self.leaves.take(leaf).value)
    }

    /// Replaces an inner node that has but one kid by that kid.
    fn join(&mut self, place: Place, id: u32) {
        let [kid] = self.inner.at(id).kids[..] else { return };
        let inner = self.inner.take(id);
        let label = match kid.link.node() {
            Node::Leaf(id) => &mut self.leaves.at_mut(id).label,
            Node::Inner(id) => &mut self.inner.at_mut(id).label,
        };
        let mut joined = Vec::with_capacity(inner.label.len() + 1 + label.len());
        joined.extend_from_slice(&inner.label);
        joined.extend(kid.at.checked_sub(1).and_then(|byte| u8::try_from(byte).ok()));
        joined.extend_from_slice(label);
        *label = joined.into();
        self.set(place, kid.link);
    }
}
