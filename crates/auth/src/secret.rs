//! Passwords and tokens, plain or bcrypt.
//!
//! Invariant: a secret is never printed, and comparing takes the same time for every wrong answer of one length.

use std::fmt;
use std::sync::Arc;

use subtle::ConstantTimeEq;

/// A configured password or token.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Secret {
    /// Compared byte by byte.
    Plain(Box<[u8]>),
    /// Compared by running bcrypt.
    Bcrypt(Arc<str>),
    /// Nothing matches: the user is lent, never claimed.
    Unclaimable,
}

/// The first look at what was offered.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Compared {
    /// The same.
    Equal,
    /// Another.
    Different,
    /// bcrypt has to say.
    Costly(Arc<str>),
}

impl Secret {
    pub(crate) fn parse(text: &str) -> Self {
        if is_bcrypt(text) { Self::Bcrypt(text.into()) } else { Self::Plain(text.as_bytes().into()) }
    }

    pub(crate) fn compare(&self, offered: &[u8]) -> Compared {
        match self {
            Self::Plain(own) if bool::from(own.ct_eq(offered)) => Compared::Equal,
            Self::Plain(_) | Self::Unclaimable => Compared::Different,
            Self::Bcrypt(hash) => Compared::Costly(hash.clone()),
        }
    }

    /// Whether there is none: the plain empty text.
    pub(crate) fn is_empty(&self) -> bool {
        matches!(self, Self::Plain(own) if own.is_empty())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plain(_) => "Plain(…)",
            Self::Bcrypt(_) => "Bcrypt(…)",
            Self::Unclaimable => "Unclaimable",
        })
    }
}

/// Whether what is configured as a password is the bcrypt hash of one: `$2a$`, `$2b$`, `$2x$` or `$2y$` and a two-digit cost;
/// everything else is plain.
// spec: SEC-002
pub fn is_bcrypt(text: &str) -> bool {
    matches!(text.as_bytes(), [b'$', b'2', b'a' | b'b' | b'x' | b'y', b'$', tens, ones, b'$', ..]
        if tens.is_ascii_digit() && ones.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bcrypt_is_known_by_its_prefix() {
        // spec: SEC-002
        for (text, bcrypt) in [
            ("$2a$11$abc", true),
            ("$2b$04$", true),
            ("$2x$10$x", true),
            ("$2y$10$x", true),
            ("$2c$10$x", false),
            ("$2$10$x", false),
            ("$2a$1$x", false),
            ("$2a$1x$x", false),
            ("2a$10$x", false),
            ("secret", false),
            ("", false),
        ] {
            assert_eq!(matches!(Secret::parse(text), Secret::Bcrypt(_)), bcrypt, "{text:?}");
        }
    }

    #[test]
    fn plain_secrets_match_only_themselves() {
        // spec: SEC-002
        let secret = Secret::parse("secret");
        assert_eq!(secret.compare(b"secret"), Compared::Equal);
        for wrong in ["", "secre", "secreT", "secret ", "$2a$10$x"] {
            assert_eq!(secret.compare(wrong.as_bytes()), Compared::Different, "{wrong:?}");
        }
        assert_eq!(Secret::Unclaimable.compare(b""), Compared::Different);
    }

    #[test]
    fn secrets_are_never_printed() {
        for text in ["hunter2", "$2a$10$hunter2"] {
            assert!(!format!("{:?}", Secret::parse(text)).contains("hunter2"));
        }
    }
}
