//! The way through a tree of subjects along a pattern.

use super::tree::{END, Link, Node, Tree};

/// How far a pattern has been followed. As subjects have no empty tokens, one position in the pattern says it all.
#[derive(Debug, Clone, Copy)]
struct Path<'p> {
    pattern: &'p [u8],
    at: usize,
}

enum Wanted {
    Nothing,
    Byte(u8),
    OneToken,
    Rest,
}

impl Path<'_> {
    fn wanted(self) -> Wanted {
        let starts = self.at == 0 || self.pattern[self.at - 1] == b'.';
        match self.pattern[self.at..] {
            [] => Wanted::Nothing,
            [b'>'] if starts => Wanted::Rest,
            [b'*'] | [b'*', b'.', ..] if starts => Wanted::OneToken,
            [byte, ..] => Wanted::Byte(byte),
        }
    }

    fn follow(self, byte: u8) -> Option<Self> {
        let at = match self.wanted() {
            Wanted::Rest => self.at,
            Wanted::OneToken if byte != b'.' => self.at,
            // The star and the dot behind it.
            Wanted::OneToken if self.at + 1 < self.pattern.len() => self.at + 2,
            Wanted::Byte(wanted) if wanted == byte => self.at + 1,
            _ => return None,
        };
        Some(Self { at, ..self })
    }

    fn follow_all(self, bytes: &[u8]) -> Option<Self> {
        bytes.iter().try_fold(self, |path, byte| path.follow(*byte))
    }

    fn is_done(self) -> bool {
        match self.wanted() {
            Wanted::Nothing | Wanted::Rest => true,
            Wanted::OneToken => self.at + 1 == self.pattern.len(),
            Wanted::Byte(_) => false,
        }
    }
}

/// A node still to be seen: its place with its parent, how long the subject was there, and how far the pattern.
#[derive(Debug, Clone, Copy)]
struct Step {
    link: Link,
    at: u16,
    subject: u32,
    pattern: u32,
}

/// What a walk has before and behind it.
#[derive(Debug, Default)]
pub(super) struct Walk {
    steps: Vec<Step>,
    subject: Vec<u8>,
}

impl<T: Default> Tree<T> {
    /// Tells of the subjects that `pattern` selects, in order, for as long as `f` says so; whether it always did.
    pub fn for_each(&self, pattern: &[u8], f: impl FnMut(&[u8], &T) -> bool) -> bool {
        let mut steps = usize::MAX;
        self.for_each_within(pattern, &mut steps, f)
    }

    /// The same, but gives up when more than `steps` nodes would be seen; `steps` becomes what is left of them.
    pub(crate) fn for_each_within(
        &self,
        pattern: &[u8],
        steps: &mut usize,
        mut f: impl FnMut(&[u8], &T) -> bool,
    ) -> bool {
        // A walk within a walk finds no scratch and makes its own.
        let mut walk = self.scratch.take();
        let all = self.walk(&mut walk, pattern, steps, &mut f);
        self.scratch.replace(walk);
        all
    }

    fn walk(&self, walk: &mut Walk, pattern: &[u8], steps: &mut usize, f: &mut dyn FnMut(&[u8], &T) -> bool) -> bool {
        walk.steps.clear();
        walk.subject.clear();
        let Some(root) = self.root else { return true };
        if !self.visit(walk, root, Path { pattern, at: 0 }, f) {
            return false;
        }
        while let Some(step) = walk.steps.pop() {
            let Some(left) = steps.checked_sub(1) else { return false };
            *steps = left;
            walk.subject.truncate(step.subject as usize);
            walk.subject.extend(step.at.checked_sub(1).and_then(|byte| u8::try_from(byte).ok()));
            if !self.visit(walk, step.link, Path { pattern, at: step.pattern as usize }, f) {
                return false;
            }
        }
        true
    }

    /// Sees one node, and leaves its kids to be seen.
    fn visit(&self, walk: &mut Walk, link: Link, path: Path<'_>, f: &mut dyn FnMut(&[u8], &T) -> bool) -> bool {
        match link.node() {
            Node::Leaf(id) => {
                let leaf = self.leaves.at(id);
                if !path.follow_all(&leaf.label).is_some_and(Path::is_done) {
                    return true;
                }
                walk.subject.extend_from_slice(&leaf.label);
                f(&walk.subject, &leaf.value)
            }
            Node::Inner(id) => {
                let inner = self.inner.at(id);
                let Some(path) = path.follow_all(&inner.label) else { return true };
                walk.subject.extend_from_slice(&inner.label);
                let subject = short(walk.subject.len());
                if let Wanted::Byte(byte) = path.wanted() {
                    let only = inner.kid(u16::from(byte) + 1);
                    walk.steps.extend(only.map(|kid| Step {
                        link: kid.link,
                        at: kid.at,
                        subject,
                        pattern: short(path.at + 1),
                    }));
                    return true;
                }
                for kid in inner.kids.iter().rev() {
                    let next = match u8::try_from(kid.at.wrapping_sub(1)) {
                        Ok(byte) if kid.at != END => path.follow(byte),
                        _ => Some(path),
                    };
                    let Some(next) = next else { continue };
                    walk.steps.push(Step { link: kid.link, at: kid.at, subject, pattern: short(next.at) });
                }
                true
            }
        }
    }
}

fn short(len: usize) -> u32 {
    u32::try_from(len).expect("a subject fits a protocol line")
}
