//! The tokens of one edge as the trie keeps them.

use super::split_token;
use crate::pattern::{FULL, SEPARATOR, STAR, tokens};

/// The longest text kept without its own allocation. A client's inbox identifier is exactly this long, and the `.*`
/// after it is not counted.
const INLINE: usize = 22;

/// One token or more: 24 bytes in place, and a heap block only beyond [`INLINE`]. A wildcard at the end, unless it is
/// the only token, is told by the variant.
pub(super) enum Path {
    Plain(Short),
    /// With `.*` after it.
    Star(Short),
    /// With `.>` after it.
    Full(Short),
    /// The whole text.
    Long(Box<[u8]>),
}

/// Text that needs no allocation.
pub(super) struct Short {
    len: u8,
    bytes: [u8; INLINE],
}

/// How a pattern ends after tokens that come before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Here,
    /// With one more `*`.
    Star,
    /// With `>`.
    Full,
}

impl End {
    fn token(self) -> Option<&'static [u8]> {
        match self {
            Self::Here => None,
            Self::Star => Some(STAR),
            Self::Full => Some(FULL),
        }
    }
}

impl Short {
    fn new(text: &[u8]) -> Option<Self> {
        let len = u8::try_from(text.len()).ok()?;
        let mut bytes = [0; INLINE];
        bytes.get_mut(..text.len())?.copy_from_slice(text);
        Some(Self { len, bytes })
    }

    fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

impl Path {
    pub(super) fn new(text: &[u8]) -> Self {
        let (start, end) = split_end(text);
        match (Short::new(start), end) {
            (Some(short), End::Here) => Self::Plain(short),
            (Some(short), End::Star) => Self::Star(short),
            (Some(short), End::Full) => Self::Full(short),
            (None, _) => Self::Long(text.into()),
        }
    }

    /// The text without a wildcard that ends it, and that wildcard.
    fn parts(&self) -> (&[u8], End) {
        let (short, end) = match self {
            Self::Plain(short) => (short, End::Here),
            Self::Star(short) => (short, End::Star),
            Self::Full(short) => (short, End::Full),
            Self::Long(text) => return split_end(text),
        };
        (short.as_bytes(), end)
    }

    pub(super) fn tokens(&self) -> impl Iterator<Item = &[u8]> {
        let (start, end) = self.parts();
        tokens(start).chain(end.token())
    }

    pub(super) fn first(&self) -> &[u8] {
        split_token(self.parts().0).0
    }

    /// Whether the first token is `token`.
    pub(super) fn begins_with(&self, token: &[u8]) -> bool {
        let after = self.parts().0.strip_prefix(token);
        after.is_some_and(|after| after.first().is_none_or(|byte| *byte == SEPARATOR))
    }

    /// Whether this is exactly `pattern`.
    pub(super) fn is(&self, pattern: &[u8]) -> bool {
        self.parts() == split_end(pattern)
    }

    /// What follows in `pattern` after all of this path; nothing if that does not begin with it.
    pub(super) fn strip<'p>(&self, pattern: &'p [u8]) -> Option<&'p [u8]> {
        let (start, end) = self.parts();
        let rest = strip_tokens(start, pattern)?;
        end.token().map_or(Some(rest), |token| strip_tokens(token, rest))
    }

    /// What is left of a subject after the tokens that this path selects, if it selects them: `rest` follows the first
    /// token, of which it is known already.
    pub(super) fn select<'s>(&self, first_len: usize, rest: &'s [u8]) -> Option<&'s [u8]> {
        let (start, end) = self.parts();
        let rest = select_tokens(start.get(first_len + 1..).unwrap_or_default(), rest)?;
        match end {
            End::Here => Some(rest),
            _ if rest.is_empty() => None,
            End::Star => Some(split_token(rest).1),
            End::Full => Some(&[]),
        }
    }

    /// The length of the longest run of whole tokens that both this and `pattern` begin with. A `>` is not part of it.
    pub(super) fn shared(&self, pattern: &[u8]) -> usize {
        let both = self.tokens().zip(tokens(pattern)).take_while(|(a, b)| a == b && *a != FULL);
        both.map(|(token, _)| token.len() + 1).sum::<usize>().saturating_sub(1)
    }

    /// This path in two: the first `at` bytes, and what follows the dot after them.
    pub(super) fn split(&self, at: usize) -> (Self, Vec<u8>) {
        let text = self.text();
        (Self::new(&text[..at]), text.get(at + 1..).unwrap_or_default().to_vec())
    }

    /// This path with `more` after it.
    pub(super) fn join(&self, more: &[u8]) -> Self {
        let mut text = self.text();
        if !more.is_empty() {
            text.push(SEPARATOR);
            text.extend_from_slice(more);
        }
        Self::new(&text)
    }

    pub(super) fn text(&self) -> Vec<u8> {
        let (start, end) = self.parts();
        let mut text = start.to_vec();
        if let Some(token) = end.token() {
            text.push(SEPARATOR);
            text.extend_from_slice(token);
        }
        text
    }
}

/// `a.b.>` is `a.b` and how it ends. A wildcard alone is left as it is.
fn split_end(pattern: &[u8]) -> (&[u8], End) {
    match pattern.split_last_chunk::<2>() {
        Some((start, b".>")) => (start, End::Full),
        Some((start, b".*")) => (start, End::Star),
        _ => (pattern, End::Here),
    }
}

/// What follows in `pattern` after `tokens`, if it begins with them.
fn strip_tokens<'p>(tokens: &[u8], pattern: &'p [u8]) -> Option<&'p [u8]> {
    match pattern.strip_prefix(tokens)? {
        [] => Some(&[]),
        [SEPARATOR, rest @ ..] => Some(rest),
        _ => None,
    }
}

/// What follows in `subject` after the tokens that those of `path` select, if they do.
fn select_tokens<'s>(mut path: &[u8], mut subject: &'s [u8]) -> Option<&'s [u8]> {
    while !path.is_empty() {
        let (wanted, token);
        (wanted, path) = split_token(path);
        (token, subject) = split_token(subject);
        if token.is_empty() || (wanted != token && wanted != STAR) {
            return None;
        }
    }
    Some(subject)
}
