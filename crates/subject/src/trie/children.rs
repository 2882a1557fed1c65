//! The literal children of a node, in a form that grows with their number.
//!
//! A few lie in a row, more in a hash table, and very many in a fixed number of tables, each of which grows alone: no
//! insert ever moves more than a small part of a million children.

use std::hash::BuildHasher;
use std::mem;

use foldhash::fast::FixedState;
use hashbrown::HashTable;

use super::node::Edge;

/// Up to this many children are searched in a row.
const FEW: usize = 8;
/// Up to this many children share one table.
const MANY: usize = 4096;
/// A power of two.
const SHARDS: usize = 256;

/// The edges that begin with a literal token, found by that token: no two begin with the same.
pub(super) enum Children<T> {
    Few(Vec<Edge<T>>),
    Table(HashTable<Edge<T>>),
    Shards(Shards<T>),
}

/// Tables by some bits of the hash.
pub(super) struct Shards<T> {
    pub(super) len: usize,
    tables: Vec<HashTable<Edge<T>>>,
}

impl<T> Children<T> {
    pub(super) const fn new() -> Self {
        Self::Few(Vec::new())
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::Few(row) => row.len(),
            Self::Table(table) => table.len(),
            Self::Shards(shards) => shards.len,
        }
    }

    /// The edge that begins with `token`.
    pub(super) fn get(&self, seed: &FixedState, token: &[u8]) -> Option<&Edge<T>> {
        let is = |edge: &Edge<T>| edge.path.begins_with(token);
        match self {
            Self::Few(row) => row.iter().find(|edge| is(edge)),
            Self::Table(table) => table.find(hash(seed, token), is),
            Self::Shards(shards) => {
                let hash = hash(seed, token);
                shards.tables[shard(hash)].find(hash, is)
            }
        }
    }

    pub(super) fn get_mut(&mut self, seed: &FixedState, token: &[u8]) -> Option<&mut Edge<T>> {
        let is = |edge: &Edge<T>| edge.path.begins_with(token);
        match self {
            Self::Few(row) => row.iter_mut().find(|edge| is(edge)),
            Self::Table(table) => table.find_mut(hash(seed, token), is),
            Self::Shards(shards) => {
                let hash = hash(seed, token);
                shards.tables[shard(hash)].find_mut(hash, is)
            }
        }
    }

    /// Adds an edge; none that is here begins with the same token.
    pub(super) fn add(&mut self, seed: &FixedState, edge: Edge<T>) {
        match self {
            Self::Few(row) if row.len() < FEW => {
                if row.len() == row.capacity() {
                    // Most nodes have very few edges: the usual least of four would be wasted on them.
                    row.reserve_exact(row.len().max(1));
                }
                row.push(edge);
            }
            Self::Table(table) if table.len() < MANY => insert(table, seed, edge),
            Self::Shards(shards) => shards.add(seed, edge),
            Self::Few(_) => {
                let mut table = HashTable::with_capacity(FEW + 1);
                self.take().chain([edge]).for_each(|edge| insert(&mut table, seed, edge));
                *self = Self::Table(table);
            }
            Self::Table(_) => {
                let mut shards = Shards { len: 0, tables: (0..SHARDS).map(|_| HashTable::new()).collect() };
                self.take().chain([edge]).for_each(|edge| shards.add(seed, edge));
                *self = Self::Shards(shards);
            }
        }
    }

    /// Takes out the edge that begins with `token` if `is` says so, and gives back memory once most of it is unused.
    pub(super) fn remove(
        &mut self,
        seed: &FixedState,
        token: &[u8],
        mut is: impl FnMut(&Edge<T>) -> bool,
    ) -> Option<Edge<T>> {
        let is = |edge: &Edge<T>| edge.path.begins_with(token) && is(edge);
        let edge = match self {
            Self::Few(row) => row.iter().position(is).map(|at| row.swap_remove(at)),
            Self::Table(table) => take(table, seed, hash(seed, token), is),
            Self::Shards(shards) => shards.take(seed, hash(seed, token), is),
        }?;
        self.shrink(seed);
        Some(edge)
    }

    /// Falls back to a smaller form, well below the size at which it was left, so that nothing swings.
    fn shrink(&mut self, seed: &FixedState) {
        match self {
            Self::Few(row) if row.len() <= row.capacity() / 4 => row.shrink_to_fit(),
            Self::Table(table) if table.len() <= FEW / 2 => *self = Self::Few(self.take().collect()),
            Self::Shards(shards) if shards.len <= MANY / 2 => {
                let mut table = HashTable::with_capacity(shards.len);
                self.take().for_each(|edge| insert(&mut table, seed, edge));
                *self = Self::Table(table);
            }
            _ => {}
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Edge<T>> {
        let (row, tables) = match self {
            Self::Few(row) => (&row[..], &[][..]),
            Self::Table(table) => (&[][..], std::slice::from_ref(table)),
            Self::Shards(shards) => (&[][..], &shards.tables[..]),
        };
        row.iter().chain(tables.iter().flatten())
    }

    /// Takes out every edge.
    pub(super) fn take(&mut self) -> impl Iterator<Item = Edge<T>> + use<T> {
        let (row, table, shards) = match mem::replace(self, Self::new()) {
            Self::Few(row) => (row, None, Vec::new()),
            Self::Table(table) => (Vec::new(), Some(table), Vec::new()),
            Self::Shards(shards) => (Vec::new(), None, shards.tables),
        };
        row.into_iter().chain(table.into_iter().chain(shards).flatten())
    }
}

impl<T> Shards<T> {
    fn add(&mut self, seed: &FixedState, edge: Edge<T>) {
        insert(&mut self.tables[shard(edge.hash(seed))], seed, edge);
        self.len += 1;
    }

    fn take(&mut self, seed: &FixedState, hash: u64, is: impl FnMut(&Edge<T>) -> bool) -> Option<Edge<T>> {
        let edge = take(&mut self.tables[shard(hash)], seed, hash, is)?;
        self.len -= 1;
        Some(edge)
    }
}

impl<T> Edge<T> {
    fn hash(&self, seed: &FixedState) -> u64 {
        hash(seed, self.path.first())
    }
}

fn insert<T>(table: &mut HashTable<Edge<T>>, seed: &FixedState, edge: Edge<T>) {
    table.insert_unique(edge.hash(seed), edge, |edge| edge.hash(seed));
}

fn take<T>(
    table: &mut HashTable<Edge<T>>,
    seed: &FixedState,
    hash: u64,
    is: impl FnMut(&Edge<T>) -> bool,
) -> Option<Edge<T>> {
    let (edge, _) = table.find_entry(hash, is).ok()?.remove();
    if table.len() < table.capacity() / 8 {
        table.shrink_to(table.len() * 2, |edge| edge.hash(seed));
    }
    Some(edge)
}

fn hash(seed: &FixedState, token: &[u8]) -> u64 {
    seed.hash_one(token)
}

/// Which table: by bits that the tables themselves use last.
fn shard(hash: u64) -> usize {
    usize::from(hash.to_le_bytes()[5]) % SHARDS
}
