//! Subject transforms: a source pattern, and a destination whose tokens may be computed from what matched.
//!
//! A destination token is literal text, `$n`, or a function in double braces such as `{{partition(8,1,2)}}`. Tokens and
//! functions are resolved when the transform is made, so that applying one only copies bytes.
//!
//! Invariant: a transform that exists applies to every subject its source selects. Nothing here decides by itself what
//! is random; the caller rolls.

mod apply;
mod function;

use thiserror::Error;

use self::function::Piece;
use crate::pattern::{FULL, STAR, is_space, is_subset, tokens};

/// A source pattern and how its subjects are rewritten.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transform {
    source: Vec<u8>,
    dest: Vec<u8>,
    pieces: Vec<Piece>,
    /// For `>` at the end of both: how many source tokens come before the tail that is copied.
    tail_from: Option<usize>,
}

/// Why two subjects make no transform. The texts are what users of NATS-compatible servers know.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TransformError {
    /// The source or the destination is no subject, the destination has `*`, or only one of them ends with `>`.
    #[error("invalid subject")]
    BadSubject,
    /// The destination cannot be used, at the given token if it is not empty.
    #[error("invalid mapping destination: {fault}{}", place(.token))]
    Destination {
        /// What is wrong.
        fault: Fault,
        /// The token at fault as it was written.
        token: String,
    },
}

/// What is wrong with a destination.
// spec: CORE-124
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[allow(missing_docs, reason = "the texts say it")]
pub enum Fault {
    #[error("invalid transform")]
    Invalid,
    #[error("not using all of the token wildcard(s)")]
    UnusedWildcards,
    #[error("unknown function")]
    UnknownFunction,
    #[error("wildcard index out of range")]
    IndexOutOfRange,
    #[error("not enough arguments passed to the function")]
    TooFewArguments,
    #[error("too many arguments passed to the function")]
    TooManyArguments,
    #[error("function argument is invalid or in the wrong format")]
    InvalidArgument,
    #[error("the only mapping function allowed for import transforms is {{{{Wildcard()}}}}")]
    NotForImports,
}

impl Fault {
    fn at(self, token: &[u8]) -> TransformError {
        TransformError::Destination { fault: self, token: String::from_utf8_lossy(token).into_owned() }
    }
}

fn place(token: &str) -> String {
    if token.is_empty() { String::new() } else { format!(" in {token}") }
}

impl Transform {
    /// The transform from `source` to `dest`. An empty source stands for `>`.
    pub fn new(source: &str, dest: &str) -> Result<Self, TransformError> {
        Self::build(source.as_bytes(), dest.as_bytes(), false)
    }

    /// A transform for an import, which must work both ways: `wildcard` is the only function, and the destination uses
    /// every wildcard of the source.
    // spec: CORE-123
    pub fn import(source: &str, dest: &str) -> Result<Self, TransformError> {
        Self::build(source.as_bytes(), dest.as_bytes(), true)
    }

    /// The way of a request through a service import: from `local`, which may number its wildcards (`x.$2.$1`), to
    /// `exported`. The wildcards of `exported` take the numbers in the order in which `local` lists them; that is the
    /// way back of [`Transform::import`] unless three or more wildcards are rotated.
    // spec: CORE-123
    pub fn import_request(local: &str, exported: &str) -> Result<Self, TransformError> {
        let answer = Self::import(exported, &identity_dest(local))?;
        let mut pieces = answer.pieces.iter();
        let mut markers = Vec::new();
        let source = rewrite(&answer.dest, |token| match pieces.next() {
            Some(Piece::Token { .. }) => {
                markers.push(token.to_vec());
                Some(STAR.to_vec())
            }
            _ => None,
        });
        let mut markers = markers.into_iter();
        let dest = rewrite(&answer.source, |token| if token == STAR { markers.next() } else { None });
        Self::build(&source, &dest, true)
    }

    /// Whether `dest` is a destination that configuration accepts for `source`: what [`Transform::new`] asks, and no
    /// white space outside functions.
    pub fn check_mapping(source: &str, dest: &str) -> Result<(), TransformError> {
        let mut full = false;
        for token in tokens(dest.as_bytes()) {
            if token.is_empty() || full {
                return Err(Fault::Invalid.at(token));
            }
            full = token == FULL;
            if !function::is_braced(token) && token.iter().any(|b| is_space(*b)) {
                return Err(Fault::Invalid.at(b""));
            }
        }
        Self::new(source, dest).map(drop)
    }

    /// The way back: what this makes of a subject, the reverse makes that subject of. Only a transform that
    /// [`Transform::import`] accepts has one, and only if it really uses every wildcard.
    // spec: CORE-123
    pub fn reverse(&self) -> Option<Self> {
        if !self.pieces.iter().all(|piece| matches!(piece, Piece::Literal(_) | Piece::Token { .. })) {
            return None;
        }
        // The wildcards that the destination names, in its order: they become the wildcards of the new source.
        let mut named = Vec::new();
        let mut pieces = self.pieces.iter();
        let source = rewrite(&self.dest, |_| match pieces.next() {
            Some(Piece::Token { place }) => {
                named.push(*place);
                Some(STAR.to_vec())
            }
            _ => None,
        });
        let mut places = 0..;
        let mut unnamed = false;
        let dest = rewrite(&self.source, |token| {
            let place = places.next();
            (token == STAR).then(|| {
                let at = named.iter().position(|named| Some(*named) == place);
                unnamed |= at.is_none();
                format!("${}", at.unwrap_or(0) + 1).into_bytes()
            })
        });
        if unnamed { None } else { Self::build(&source, &dest, true).ok() }
    }

    /// The pattern of the subjects this applies to.
    pub fn source(&self) -> &[u8] {
        &self.source
    }

    /// The destination as it was written.
    pub fn dest(&self) -> &[u8] {
        &self.dest
    }

    fn build(source: &[u8], dest: &[u8], for_import: bool) -> Result<Self, TransformError> {
        let source = if source.is_empty() { FULL } else { source };
        let (from, to) = (Shape::of(source)?, Shape::of(dest)?);
        if !to.stars.is_empty() || from.full != to.full {
            return Err(TransformError::BadSubject);
        }
        let mut used = 0;
        let mut pieces = Vec::with_capacity(to.count);
        for token in tokens(dest).filter(|token| *token != FULL) {
            let piece = Piece::parse(token)?;
            if for_import && !matches!(piece, Piece::Literal(_) | Piece::Token { .. }) && !from.is_literal() {
                return Err(Fault::NotForImports.at(token));
            }
            used += piece.wildcards();
            pieces.push(piece.resolve(token, &from)?);
        }
        if for_import && used < from.stars.len() {
            return Err(Fault::UnusedWildcards.at(dest));
        }
        let tail_from = from.full.then_some(from.count - 1);
        Ok(Self { source: source.to_vec(), dest: dest.to_vec(), pieces, tail_from })
    }

    fn selects(&self, subject: &[u8]) -> bool {
        is_subset(subject, &self.source)
    }
}

/// What a transform must know of a subject's tokens.
struct Shape {
    count: usize,
    /// The places of its `*` tokens.
    stars: Vec<usize>,
    full: bool,
}

impl Shape {
    /// White space is not looked at: function arguments may hold it.
    fn of(subject: &[u8]) -> Result<Self, TransformError> {
        let mut shape = Self { count: 0, stars: Vec::new(), full: false };
        for token in tokens(subject) {
            if token.is_empty() || shape.full {
                return Err(TransformError::BadSubject);
            }
            shape.full = token == FULL;
            if token == STAR {
                shape.stars.push(shape.count);
            }
            shape.count += 1;
        }
        Ok(shape)
    }

    fn is_literal(&self) -> bool {
        self.stars.is_empty() && !self.full
    }
}

/// `a.*.b.*` becomes `a.$1.b.$2`: the destination that leaves a subject of this pattern as it is.
pub fn identity_dest(pattern: &str) -> String {
    let mut wildcard = 0;
    let dest = rewrite(pattern.as_bytes(), |token| {
        (token == STAR).then(|| {
            wildcard += 1;
            format!("${wildcard}").into_bytes()
        })
    });
    String::from_utf8_lossy(&dest).into_owned()
}

/// `a.$1.{{wildcard(2)}}` becomes `a.*.*`: the pattern of what a destination's subjects look like.
pub fn result_pattern(dest: &str) -> String {
    let is_number = |token: &str| {
        token.strip_prefix('$').is_some_and(|n| !n.is_empty() && n.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let plain = |token| if is_number(token) || token.starts_with("{{") { "*" } else { token };
    dest.split('.').map(plain).collect::<Vec<_>>().join(".")
}

/// `subject` with the tokens replaced for which `replace` gives another.
fn rewrite(subject: &[u8], mut replace: impl FnMut(&[u8]) -> Option<Vec<u8>>) -> Vec<u8> {
    let rewritten: Vec<Vec<u8>> = tokens(subject).map(|t| replace(t).unwrap_or_else(|| t.to_vec())).collect();
    rewritten.join(&crate::pattern::SEPARATOR)
}

#[cfg(test)]
mod tests;
