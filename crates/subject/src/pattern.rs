//! What a valid subject is, and the three relations between patterns: matches, overlaps, is a subset of.
//!
//! A wildcard is a whole token: in `foo*` the star is a letter. Nothing here allocates.

use thiserror::Error;

pub(crate) const SEPARATOR: u8 = b'.';
pub(crate) const STAR: &[u8] = b"*";
pub(crate) const FULL: &[u8] = b">";

/// A valid pattern; a literal subject is the pattern without wildcards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Pattern<'a>(&'a [u8]);

/// Why bytes are no subject. Positions are byte offsets into the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SubjectError {
    /// Two dots in a row, a dot at either end, or nothing at all.
    #[error("empty token at byte {at}; write tokens with one dot between them")]
    EmptyToken {
        /// Where the token should have begun.
        at: usize,
    },
    /// Space, tab, CR, LF or form feed: the wire uses them as separators.
    #[error("white space at byte {at}; a subject has none")]
    Whitespace {
        /// The place of the space.
        at: usize,
    },
    /// `>` stands for the rest, so nothing may follow it.
    #[error("'>' must be the last token; more follows at byte {at}")]
    TokensAfterFullWildcard {
        /// The place of the dot after it.
        at: usize,
    },
}

impl<'a> Pattern<'a> {
    /// Validates `bytes`; the error is the first fault, with its place.
    // spec: CORE-103 CORE-104 CORE-106 CORE-046
    pub fn parse(bytes: &'a [u8]) -> Result<Self, SubjectError> {
        let mut start = 0;
        for token in tokens(bytes) {
            if token.is_empty() {
                return Err(SubjectError::EmptyToken { at: start });
            }
            if let Some(i) = token.iter().position(|b| is_space(*b)) {
                return Err(SubjectError::Whitespace { at: start + i });
            }
            let end = start + token.len();
            if token == FULL && end < bytes.len() {
                return Err(SubjectError::TokensAfterFullWildcard { at: end });
            }
            start = end + 1;
        }
        Ok(Self(bytes))
    }

    /// The pattern as it was written.
    pub fn as_bytes(self) -> &'a [u8] {
        self.0
    }

    /// The tokens, in order.
    pub fn tokens(self) -> impl DoubleEndedIterator<Item = &'a [u8]> {
        tokens(self.0)
    }

    /// Whether a message published to `subject` is selected. Wildcards inside `subject` count as plain tokens.
    pub fn matches(self, subject: &[u8]) -> bool {
        matches(self.0, subject)
    }

    /// Whether any token is a wildcard.
    pub fn has_wildcards(self) -> bool {
        has_wildcards(self.0)
    }

    /// Whether no token is a wildcard.
    pub fn is_literal(self) -> bool {
        !self.has_wildcards()
    }
}

/// The tokens of `subject`, valid or not.
pub fn tokens(subject: &[u8]) -> impl DoubleEndedIterator<Item = &[u8]> {
    subject.split(|b| *b == SEPARATOR)
}

/// How many tokens `subject` has; the empty subject has none.
pub fn token_count(subject: &[u8]) -> usize {
    if subject.is_empty() { 0 } else { tokens(subject).count() }
}

/// Whether `subject` may be subscribed to: no empty token, no white space, `>` only as the last token.
// spec: CORE-103 CORE-104 CORE-106
pub fn is_valid_pattern(subject: &[u8]) -> bool {
    Pattern::parse(subject).is_ok()
}

/// Whether `subject` is valid and has no wildcard token: what configuration and pedantic clients may publish to.
// spec: CORE-105
pub fn is_valid_literal(subject: &[u8]) -> bool {
    Pattern::parse(subject).is_ok_and(Pattern::is_literal)
}

/// Whether `pattern` selects messages published to `subject`. Wildcards inside `subject` count as plain tokens.
// spec: CORE-056 CORE-103
pub fn matches(pattern: &[u8], subject: &[u8]) -> bool {
    let mut wanted = tokens(pattern);
    for token in tokens(subject) {
        match wanted.next() {
            Some(FULL) => return true,
            Some(STAR) => {}
            Some(literal) if literal == token => {}
            _ => return false,
        }
    }
    wanted.next().is_none()
}

/// Whether some literal subject is selected by both patterns.
pub fn overlaps(a: &[u8], b: &[u8]) -> bool {
    let (mut a, mut b) = (tokens(a), tokens(b));
    loop {
        match (a.next(), b.next()) {
            (None, None) | (Some(FULL), Some(_)) | (Some(_), Some(FULL)) => return true,
            (Some(x), Some(y)) if x == y || x == STAR || y == STAR => {}
            _ => return false,
        }
    }
}

/// Whether everything that `a` selects is selected by `of_b` too. A literal is a subset of what selects it.
pub fn is_subset(a: &[u8], of_b: &[u8]) -> bool {
    let (mut a, mut b) = (tokens(a), tokens(of_b));
    loop {
        match (a.next(), b.next()) {
            (None, None) | (Some(_), Some(FULL)) => return true,
            // One token cannot hold many; a '*' on the right holds every single token.
            (Some(x), Some(y)) if x != FULL && (x == y || y == STAR) => {}
            _ => return false,
        }
    }
}

pub(crate) fn has_wildcards(pattern: &[u8]) -> bool {
    tokens(pattern).any(|t| t == STAR || t == FULL)
}

pub(crate) fn has_empty_token(subject: &[u8]) -> bool {
    let mut previous = SEPARATOR;
    for byte in subject {
        if *byte == SEPARATOR && previous == SEPARATOR {
            return true;
        }
        previous = *byte;
    }
    previous == SEPARATOR
}

pub(crate) const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | 0x0c)
}

#[cfg(test)]
mod tests;
