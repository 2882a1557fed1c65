//! Patterns of permissions, split once, and sets of them.
//!
//! A question is a subject that somebody wants to publish to, or a pattern that somebody wants to subscribe
//! to. Neither allocates.

use std::collections::HashSet;

use foldhash::fast::FixedState;

const SEPARATOR: u8 = b'.';

/// A pattern with its tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pattern(Box<[Token]>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    /// `*`
    One,
    /// `>`
    Rest,
    Literal(Box<[u8]>),
}

impl Token {
    fn parse(text: &[u8]) -> Self {
        match text {
            b"*" => Self::One,
            b">" => Self::Rest,
            literal => Self::Literal(literal.into()),
        }
    }
}

impl Pattern {
    pub(super) fn parse(text: &[u8]) -> Self {
        Self(tokens(text).map(Token::parse).collect())
    }

    /// Whether `question` is selected when its own wildcards are taken as plain tokens: `*` also selects a final `>`.
    pub(super) fn selects(&self, question: &[u8]) -> bool {
        self.walk(question, |_| true)
    }

    /// Whether everything that `question` selects is selected: `*` does not stand for a `>`.
    pub(super) fn covers(&self, question: &[u8]) -> bool {
        self.walk(question, |token| token != b">")
    }

    fn walk(&self, question: &[u8], one_stands_for: impl Fn(&[u8]) -> bool) -> bool {
        let mut own = self.0.iter();
        for token in tokens(question) {
            match own.next() {
                Some(Token::Rest) => return true,
                Some(Token::One) if one_stands_for(token) => {}
                Some(Token::Literal(literal)) if **literal == *token => {}
                _ => return false,
            }
        }
        own.next().is_none()
    }

    /// Whether some subject is selected by both this pattern and `other`.
    pub(super) fn overlaps(&self, other: &[u8]) -> bool {
        let mut own = self.0.iter();
        for token in tokens(other) {
            match (own.next(), token) {
                (Some(Token::Rest), _) | (Some(_), b">") => return true,
                (Some(Token::One), _) | (Some(_), b"*") => {}
                (Some(Token::Literal(literal)), token) if **literal == *token => {}
                _ => return false,
            }
        }
        own.next().is_none()
    }
}

fn tokens(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| *byte == SEPARATOR)
}

/// Whether no token is empty. A subject with empty tokens is selected by no pattern, not even by `>`.
pub(super) fn is_well_formed(subject: &[u8]) -> bool {
    let mut previous = SEPARATOR;
    for &byte in subject {
        if byte == SEPARATOR && previous == SEPARATOR {
            return false;
        }
        previous = byte;
    }
    previous != SEPARATOR
}

/// Whether a token is a wildcard.
pub(super) fn has_wildcard(subject: &[u8]) -> bool {
    tokens(subject).any(|token| matches!(token, b"*" | b">"))
}

/// Patterns, of which one has to fit. Literal ones are found by one lookup, however many there are.
#[derive(Debug, Clone, Default)]
pub(super) struct PatternSet {
    literals: HashSet<Box<[u8]>, FixedState>,
    wildcards: Vec<Pattern>,
}

impl PatternSet {
    pub(super) fn insert(&mut self, text: &[u8]) {
        if has_wildcard(text) {
            self.wildcards.push(Pattern::parse(text));
        } else {
            self.literals.insert(text.into());
        }
    }

    pub(super) fn selects(&self, question: &[u8]) -> bool {
        self.literals.contains(question) || self.wildcards.iter().any(|pattern| pattern.selects(question))
    }

    pub(super) fn covers(&self, question: &[u8]) -> bool {
        self.literals.contains(question) || self.wildcards.iter().any(|pattern| pattern.covers(question))
    }

    pub(super) fn overlaps(&self, question: &[u8]) -> bool {
        let question_pattern = Pattern::parse(question);
        self.wildcards.iter().any(|pattern| pattern.overlaps(question))
            || self.literals.iter().any(|literal| question_pattern.covers(literal))
    }
}

/// A pattern that means subscriptions of some queue groups only (`"subject queue"`).
#[derive(Debug, Clone)]
pub(super) struct QueuePattern {
    pub(super) subject: Pattern,
    name: Box<[u8]>,
    /// Set when the name is a pattern itself.
    names: Option<Pattern>,
}

impl QueuePattern {
    pub(super) fn parse(subject: &[u8], queue: &[u8]) -> Self {
        Self {
            subject: Pattern::parse(subject),
            name: queue.into(),
            names: has_wildcard(queue).then(|| Pattern::parse(queue)),
        }
    }

    /// Wildcards are legal in names of queue groups, so a pattern also means the group of its own name.
    // spec: SEC-038
    pub(super) fn means(&self, queue: &[u8]) -> bool {
        *self.name == *queue || self.names.as_ref().is_some_and(|names| is_well_formed(queue) && names.covers(queue))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selecting_covering_and_overlapping_differ_at_wildcards() {
        // spec: SEC-036
        for (pattern, question, selects, covers, overlaps) in [
            ("a.b", "a.b", true, true, true),
            ("a.b", "a.c", false, false, false),
            ("a.*", "a.b", true, true, true),
            ("a.*", "a.*", true, true, true),
            ("a.*", "a.>", true, false, true),
            ("a.*", "a.b.c", false, false, false),
            ("a.*", "a", false, false, false),
            ("a.>", "a.>", true, true, true),
            ("a.>", "a.*.c", true, true, true),
            ("a.>", "a", false, false, false),
            ("a.b", "a.*", false, false, true),
            ("a.b", "a.>", false, false, true),
            ("a.b", ">", false, false, true),
            ("*", ">", true, false, true),
            (">", "a", true, true, true),
            ("a.*.c", "a.b.>", false, false, true),
            ("a.*.c", "*.b.d", false, false, false),
            ("a*", "ab", false, false, false),
            ("a*", "a*", true, true, true),
        ] {
            let parsed = Pattern::parse(pattern.as_bytes());
            let question = question.as_bytes();
            let told = (parsed.selects(question), parsed.covers(question), parsed.overlaps(question));
            assert_eq!(told, (selects, covers, overlaps), "{pattern} on {}", question.escape_ascii());
            let mut set = PatternSet::default();
            set.insert(pattern.as_bytes());
            assert_eq!((set.selects(question), set.covers(question), set.overlaps(question)), told, "set of {pattern}");
        }
    }

    #[test]
    fn empty_tokens_are_found() {
        for (subject, well_formed) in
            [("a", true), ("a.b", true), ("", false), (".", false), ("a.", false), (".a", false), ("a..b", false)]
        {
            assert_eq!(is_well_formed(subject.as_bytes()), well_formed, "{subject:?}");
        }
    }

    #[test]
    fn queue_patterns_mean_their_own_name_and_what_they_cover() {
        // spec: SEC-038
        for (pattern, queue, means) in [
            ("g", "g", true),
            ("g", "h", false),
            ("g.*", "g.1", true),
            ("g.*", "g.*", true),
            ("g.*", "g.1.2", false),
            ("g.>", "g.1.2", true),
            ("*", "g", true),
            (">", "g..1", false),
        ] {
            let parsed = QueuePattern::parse(b"s", pattern.as_bytes());
            assert_eq!(parsed.means(queue.as_bytes()), means, "{pattern} on {queue}");
        }
    }
}
