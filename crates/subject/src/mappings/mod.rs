//! An account's subject mappings: ordered, weighted, perhaps different per cluster.
//!
//! Invariant: within one mapping's list the weights reach at most 100. What is missing to 100 stays with the original
//! subject, unless the source is itself a destination: then the rest is lost on purpose.

use thiserror::Error;

use crate::pattern::{has_wildcards, is_subset, is_valid_pattern};
use crate::transform::identity_dest;
use crate::{Transform, TransformError};

const WHOLE: u8 = 100;

/// The mappings of one account, first match first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mappings(Vec<Mapping>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Mapping {
    source: Vec<u8>,
    is_literal: bool,
    everywhere: Weighted,
    /// By cluster name.
    scoped: Vec<(String, Weighted)>,
}

/// Destinations, each with the upper end of its share of 0..100.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Weighted(Vec<(u8, Transform)>);

/// What became of a subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mapped {
    /// No mapping selects it.
    Unchanged,
    /// The new subject is in the buffer.
    To,
    /// It fell into the share that goes nowhere.
    Dropped,
}

/// Why a mapping is refused. The texts are what users of NATS-compatible servers know.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum MappingError {
    /// The source is no subject.
    #[error("invalid subject")]
    BadSource,
    /// The same destination twice, be it in different clusters.
    #[error("duplicate entry for {0:?}")]
    Duplicate(String),
    /// One weight above 100.
    #[error("individual weights need to be <= 100")]
    Weight,
    /// The weights of one cluster's list, or of the list for all others, are above 100 together.
    #[error("total weight needs to be <= 100")]
    TotalWeight,
    /// A destination that makes no transform.
    #[error(transparent)]
    Transform(#[from] TransformError),
}

impl Mappings {
    /// No mappings: every subject stays what it is.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Adds the mapping of `source` to `destinations`, each a subject, a weight in percent and the cluster it holds in
    /// (everywhere if `None`). A mapping with the same source is replaced in its place.
    // spec: CORE-111 CORE-112
    pub fn add<'d>(
        &mut self,
        source: &str,
        destinations: impl IntoIterator<Item = (&'d str, u8, Option<&'d str>)>,
    ) -> Result<(), MappingError> {
        let mapping = Mapping::new(source, destinations.into_iter().collect())?;
        match self.0.iter_mut().find(|m| m.source == mapping.source) {
            Some(older) => *older = mapping,
            None => self.0.push(mapping),
        }
        Ok(())
    }

    /// Whether there are none, so that nobody need ask.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The patterns mapped, in order.
    pub fn sources(&self) -> impl Iterator<Item = &[u8]> {
        self.0.iter().map(|m| m.source.as_slice())
    }

    /// Every destination in effect, what is left to the source included: the pattern mapped, the cluster it holds in
    /// (everywhere if `None`), its own share of 100, and the subject.
    pub fn destinations(&self) -> impl Iterator<Item = (&[u8], Option<&str>, u8, &[u8])> {
        self.0.iter().flat_map(|mapping| {
            let lists = std::iter::once((None, &mapping.everywhere))
                .chain(mapping.scoped.iter().map(|(name, list)| (Some(name.as_str()), list)));
            lists.flat_map(move |(cluster, list)| {
                let mut begin = 0;
                list.0.iter().map(move |(end, transform)| {
                    let share = *end - std::mem::replace(&mut begin, *end);
                    (mapping.source.as_slice(), cluster, share, transform.dest())
                })
            })
        })
    }

    /// Appends what `subject` becomes for a server of `cluster` to `out`. `random(n)` is asked for a number below `n`.
    // spec: CORE-111 CORE-113
    pub fn choose(
        &self,
        cluster: Option<&str>,
        subject: &[u8],
        random: &mut dyn FnMut(u32) -> u32,
        out: &mut Vec<u8>,
    ) -> Mapped {
        let Some(mapping) = self.find(subject) else { return Mapped::Unchanged };
        let Some(transform) = mapping.weighted(cluster).pick(random) else { return Mapped::Dropped };
        // A literal source is found by comparing, and its tokens are never read: partition(n) hashes nothing then.
        // spec: CORE-116
        let read = if mapping.is_literal { &[] } else { subject };
        transform.write(read, random, out);
        Mapped::To
    }

    fn find(&self, subject: &[u8]) -> Option<&Mapping> {
        self.0.iter().find(|m| is_subset(subject, &m.source))
    }
}

impl Mapping {
    fn new(source: &str, destinations: Vec<(&str, u8, Option<&str>)>) -> Result<Self, MappingError> {
        if !is_valid_pattern(source.as_bytes()) {
            return Err(MappingError::BadSource);
        }
        let mut mapping = Self {
            source: source.as_bytes().to_vec(),
            is_literal: !has_wildcards(source.as_bytes()),
            everywhere: Weighted::default(),
            scoped: Vec::new(),
        };
        let mut seen: Vec<&str> = Vec::with_capacity(destinations.len());
        for (dest, weight, cluster) in destinations {
            if seen.contains(&dest) {
                return Err(MappingError::Duplicate(dest.to_owned()));
            }
            seen.push(dest);
            let list = mapping.list(cluster.filter(|name| !name.is_empty()));
            list.check(weight)?;
            Transform::check_mapping(source, dest)?;
            list.0.push((weight, Transform::new(source, dest)?));
        }
        // Naming the source asks for loss: the rest then goes nowhere.
        let rest = if seen.contains(&source) { None } else { Some(Transform::new(source, &identity_dest(source))?) };
        let lists = mapping.scoped.iter_mut().map(|(_, list)| list);
        lists.chain([&mut mapping.everywhere]).for_each(|list| list.finish(rest.as_ref()));
        Ok(mapping)
    }

    fn list(&mut self, cluster: Option<&str>) -> &mut Weighted {
        let Some(name) = cluster else { return &mut self.everywhere };
        let at = self.scoped.iter().position(|(known, _)| known == name).unwrap_or_else(|| {
            self.scoped.push((name.to_owned(), Weighted::default()));
            self.scoped.len() - 1
        });
        &mut self.scoped[at].1
    }

    /// The list that holds in `cluster`.
    // spec: CORE-114
    fn weighted(&self, cluster: Option<&str>) -> &Weighted {
        let own = cluster.and_then(|name| self.scoped.iter().find(|(known, _)| known == name));
        own.map_or(&self.everywhere, |(_, list)| list)
    }
}

impl Weighted {
    fn sum(&self) -> u8 {
        self.0.iter().map(|(weight, _)| weight).sum()
    }

    fn check(&self, weight: u8) -> Result<(), MappingError> {
        if weight > WHOLE {
            return Err(MappingError::Weight);
        }
        if self.sum() + weight > WHOLE { Err(MappingError::TotalWeight) } else { Ok(()) }
    }

    /// Gives what is missing to 100 to `rest` and turns weights into upper ends.
    fn finish(&mut self, rest: Option<&Transform>) {
        let missing = WHOLE - self.sum();
        if missing > 0 {
            self.0.extend(rest.map(|transform| (missing, transform.clone())));
        }
        let mut end = 0;
        for (weight, _) in &mut self.0 {
            end += *weight;
            *weight = end;
        }
    }

    fn pick(&self, random: &mut dyn FnMut(u32) -> u32) -> Option<&Transform> {
        if let [(WHOLE, only)] = self.0.as_slice() {
            return Some(only);
        }
        let roll = random(u32::from(WHOLE));
        self.0.iter().find(|(end, _)| roll < u32::from(*end)).map(|(_, transform)| transform)
    }
}

#[cfg(test)]
mod tests;
