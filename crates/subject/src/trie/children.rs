//! The literal children of a node, in a form that grows with their number.
//!
//! None and one need no memory of their own. A few lie in a row, more in a hash table, and very many in a fixed number
//! of tables, each of which grows alone: no insert ever moves more than a small part of a million children.

use std::hash::BuildHasher;
use std::mem;

use foldhash::fast::FixedState;
use hashbrown::HashTable;

use super::node::Slot;
use super::token::Token;

/// Up to this many children are searched in a row.
const FEW: usize = 8;
/// Up to this many children share one table.
const MANY: usize = 4096;
/// A power of two.
const SHARDS: usize = 256;

/// A literal token and where it leads.
pub(super) struct Edge<T> {
    pub(super) token: Token,
    pub(super) to: Slot<T>,
}

/// The literal tokens that follow a node.
pub(super) enum Children<T> {
    None,
    One(Edge<T>),
    Few(Vec<Edge<T>>),
    Table(HashTable<Edge<T>>),
    Shards(Shards<T>),
}

/// Tables by some bits of the hash.
pub(super) struct Shards<T> {
    len: usize,
    tables: Vec<HashTable<Edge<T>>>,
}

impl<T> Children<T> {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::None => 0,
            Self::One(_) => 1,
            Self::Few(row) => row.len(),
            Self::Table(table) => table.len(),
            Self::Shards(shards) => shards.len,
        }
    }

    pub(super) fn get(&self, seed: &FixedState, token: &[u8]) -> Option<&Slot<T>> {
        let is = |edge: &Edge<T>| edge.token.is(token);
        match self {
            Self::None => None,
            Self::One(edge) => is(edge).then_some(edge),
            Self::Few(row) => row.iter().find(|edge| is(edge)),
            Self::Table(table) => table.find(hash(seed, token), is),
            Self::Shards(shards) => {
                let hash = hash(seed, token);
                shards.tables[shard(hash)].find(hash, is)
            }
        }
        .map(|edge| &edge.to)
    }

    pub(super) fn get_mut(&mut self, seed: &FixedState, token: &[u8]) -> Option<&mut Slot<T>> {
        let is = |edge: &Edge<T>| edge.token.is(token);
        match self {
            Self::None => None,
            Self::One(edge) => is(edge).then_some(edge),
            Self::Few(row) => row.iter_mut().find(|edge| is(edge)),
            Self::Table(table) => table.find_mut(hash(seed, token), is),
            Self::Shards(shards) => {
                let hash = hash(seed, token);
                shards.tables[shard(hash)].find_mut(hash, is)
            }
        }
        .map(|edge| &mut edge.to)
    }

    /// The slot of `token`, made empty if there is none: the caller fills it.
    pub(super) fn slot(&mut self, seed: &FixedState, token: &[u8]) -> &mut Slot<T> {
        if self.get(seed, token).is_none() {
            self.add(seed, Edge { token: Token::new(token), to: Slot::Empty });
        }
        self.get_mut(seed, token).expect("it was found or added above")
    }

    /// Adds an edge whose token is not here yet.
    fn add(&mut self, seed: &FixedState, edge: Edge<T>) {
        *self = match mem::replace(self, Self::None) {
            Self::None => Self::One(edge),
            Self::One(first) => Self::Few(vec![first, edge]),
            Self::Few(mut row) if row.len() < FEW => {
                row.push(edge);
                Self::Few(row)
            }
            Self::Few(row) => Self::Table(row.into_iter().chain([edge]).fold(HashTable::new(), |mut table, edge| {
                table.insert_unique(edge.hash(seed), edge, |edge| edge.hash(seed));
                table
            })),
            Self::Table(mut table) if table.len() < MANY => {
                table.insert_unique(edge.hash(seed), edge, |edge| edge.hash(seed));
                Self::Table(table)
            }
            Self::Table(table) => {
                let mut shards = Shards { len: 0, tables: (0..SHARDS).map(|_| HashTable::new()).collect() };
                table.into_iter().chain([edge]).for_each(|edge| shards.add(seed, edge));
                Self::Shards(shards)
            }
            Self::Shards(mut shards) => {
                shards.add(seed, edge);
                Self::Shards(shards)
            }
        };
    }

    /// Takes out the edge of `token` and gives back memory once most of it is unused.
    pub(super) fn remove(&mut self, seed: &FixedState, token: &[u8]) -> Option<Slot<T>> {
        let edge = match self {
            Self::None => None,
            Self::One(edge) => {
                if !edge.token.is(token) {
                    return None;
                }
                self.take().next()
            }
            Self::Few(row) => row.iter().position(|edge| edge.token.is(token)).map(|at| row.swap_remove(at)),
            Self::Table(table) => take(table, seed, token),
            Self::Shards(shards) => shards.take(seed, token),
        }?;
        self.shrink(seed);
        Some(edge.to)
    }

    /// Falls back to a smaller form, well below the size at which it was left, so that nothing swings.
    fn shrink(&mut self, seed: &FixedState) {
        match self {
            Self::Few(row) if row.len() == 1 => *self = row.pop().map_or(Self::None, Self::One),
            Self::Table(table) if table.len() <= FEW / 2 => *self = Self::Few(self.take().collect()),
            Self::Shards(shards) if shards.len <= MANY / 2 => {
                let mut table = HashTable::with_capacity(shards.len);
                for edge in self.take() {
                    table.insert_unique(edge.hash(seed), edge, |edge| edge.hash(seed));
                }
                *self = Self::Table(table);
            }
            _ => {}
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Edge<T>> {
        let (row, tables) = match self {
            Self::None => (&[][..], &[][..]),
            Self::One(edge) => (std::slice::from_ref(edge), &[][..]),
            Self::Few(row) => (&row[..], &[][..]),
            Self::Table(table) => (&[][..], std::slice::from_ref(table)),
            Self::Shards(shards) => (&[][..], &shards.tables[..]),
        };
        row.iter().chain(tables.iter().flatten())
    }

    /// Takes out every edge.
    pub(super) fn take(&mut self) -> impl Iterator<Item = Edge<T>> + use<T> {
        let (one, row, table, shards) = match mem::replace(self, Self::None) {
            Self::None => (None, None, None, None),
            Self::One(edge) => (Some(edge), None, None, None),
            Self::Few(row) => (None, Some(row), None, None),
            Self::Table(table) => (None, None, Some(table), None),
            Self::Shards(shards) => (None, None, None, Some(shards.tables)),
        };
        let row = row.into_iter().flatten();
        one.into_iter().chain(row).chain(table.into_iter().chain(shards.into_iter().flatten()).flatten())
    }
}

impl<T> Shards<T> {
    fn add(&mut self, seed: &FixedState, edge: Edge<T>) {
        let hash = edge.hash(seed);
        self.tables[shard(hash)].insert_unique(hash, edge, |edge| edge.hash(seed));
        self.len += 1;
    }

    fn take(&mut self, seed: &FixedState, token: &[u8]) -> Option<Edge<T>> {
        let edge = take(&mut self.tables[shard(hash(seed, token))], seed, token)?;
        self.len -= 1;
        Some(edge)
    }
}

impl<T> Edge<T> {
    fn hash(&self, seed: &FixedState) -> u64 {
        hash(seed, self.token.as_bytes())
    }
}

fn take<T>(table: &mut HashTable<Edge<T>>, seed: &FixedState, token: &[u8]) -> Option<Edge<T>> {
    let found = table.find_entry(hash(seed, token), |edge| edge.token.is(token)).ok()?;
    let (edge, _) = found.remove();
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
