//! The invariants of a trie, for tests.

use super::children::Children;
use super::node::{Node, To};
use super::values::Values;
use super::{Trie, split_token};
use crate::pattern::{FULL, STAR, has_empty_token};

impl<T> Trie<T> {
    /// Walks the whole trie and panics where something is not as it should be.
    pub(super) fn check(&self) {
        let mut values = self.root.check();
        let mut nodes = vec![&self.root];
        while let Some(node) = nodes.pop() {
            for edge in node.edges() {
                let text = edge.path.text();
                debug_assert!(!has_empty_token(&text) && text != FULL, "{text:?} is no path");
                debug_assert!(edge.path.tokens().eq(text.split(|b| *b == b'.')), "{text:?} is taken apart wrongly");
                debug_assert_eq!(edge.path.first(), split_token(&text).0);
                let found = node.edge(&self.seed, edge.path.first());
                debug_assert!(
                    found.is_some_and(|found| std::ptr::eq(found, edge)),
                    "{text:?} is not found by its token"
                );
                match &edge.to {
                    To::Leaf(_) => values += 1,
                    To::Node(below) => {
                        debug_assert!(edge.path.tokens().all(|token| token != FULL), "nothing follows '>' in {text:?}");
                        let own = below.check();
                        let edges = below.edges().count();
                        debug_assert!(own + edges >= 2, "{text:?} should have been joined with what follows");
                        values += own;
                        nodes.push(below);
                    }
                }
            }
        }
        debug_assert_eq!(values, self.len);
    }
}

impl<T> Node<T> {
    /// How many values are the node's own.
    fn check(&self) -> usize {
        debug_assert_eq!(self.children.iter().count(), self.children.len());
        debug_assert!(self.children.iter().all(|edge| edge.path.first() != STAR));
        match &self.children {
            Children::Few(row) => debug_assert!(row.capacity() <= 8 && (row.len() + 1) * 4 > row.capacity()),
            Children::Table(table) => debug_assert!(table.len() > 4),
            Children::Shards(shards) => debug_assert!(shards.len > 2048),
        }
        let Some(others) = self.others() else { return 0 };
        debug_assert!(others.star.as_ref().is_none_or(|edge| edge.path.first() == STAR));
        let own = [&others.here, &others.full].map(|values| match values {
            Values::None => 0,
            Values::One(_) => 1,
            Values::Many(all) => {
                debug_assert!(all.len() > 1, "one value needs no list");
                all.len()
            }
        });
        debug_assert!(own != [0, 0] || others.star.is_some(), "nothing needs no place");
        own.iter().sum()
    }
}
