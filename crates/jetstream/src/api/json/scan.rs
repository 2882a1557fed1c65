//! Where a JSON value ends, and if it does not, why not.
//!
//! The grammar is RFC 8259's; the words and the places of faults are those that clients and people know. Bytes inside
//! strings need not be UTF-8.
//!
//! Invariant: no depth of input grows the call stack.

use super::quote;

/// How deep values may nest.
const MAX_DEPTH: usize = 10_000;

/// Why bytes are no JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Syntax {
    /// The value goes on where the bytes end.
    Truncated,
    /// Something stands where it must not.
    Fault {
        /// What.
        words: String,
        /// The byte behind it.
        end: usize,
    },
}

/// Passes over white space.
pub(super) fn skip_space(bytes: &[u8], at: usize) -> usize {
    at + bytes[at..].iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n')).count()
}

/// The end of the value that begins at `start`, where no white space is.
// spec: JS-005
pub(super) fn value_end(bytes: &[u8], start: usize) -> Result<usize, Syntax> {
    let mut scanner = Scanner { bytes, at: start, open: Vec::new() };
    scanner.value()?;
    while let Some(kind) = scanner.open.last().copied() {
        scanner.after_value(kind)?;
    }
    Ok(scanner.at)
}

/// What comes behind the value that ends at `end`, if that is not white space.
pub(super) fn after_top_level(bytes: &[u8], end: usize) -> Result<(), Syntax> {
    let at = skip_space(bytes, end);
    if at < bytes.len() { Err(fault(bytes, at, "after top-level value")) } else { Ok(()) }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Object,
    Array,
}

struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
    open: Vec<Kind>,
}

impl Scanner<'_> {
    /// Reads a scalar, or the beginning of a composite down to its first scalar or its end.
    fn value(&mut self) -> Result<(), Syntax> {
        loop {
            match self.byte()? {
                b'{' => {
                    self.enter(Kind::Object)?;
                    if self.skip()? == b'}' {
                        self.leave();
                        return Ok(());
                    }
                    self.key()?;
                }
                b'[' => {
                    self.enter(Kind::Array)?;
                    if self.skip()? == b']' {
                        self.leave();
                        return Ok(());
                    }
                }
                b'"' => return self.string(),
                b't' => return self.literal("true"),
                b'f' => return self.literal("false"),
                b'n' => return self.literal("null"),
                b'-' | b'0'..=b'9' => return self.number(),
                _ => return Err(self.fault("looking for beginning of value")),
            }
        }
    }

    /// Reads what stands behind a value: the end of what it is in, or the next value.
    fn after_value(&mut self, kind: Kind) -> Result<(), Syntax> {
        match (kind, self.skip()?) {
            (Kind::Object, b'}') | (Kind::Array, b']') => {
                self.leave();
                return Ok(());
            }
            (Kind::Object, b',') => {
                self.at += 1;
                self.skip()?;
                self.key()?;
            }
            (Kind::Array, b',') => {
                self.at += 1;
                self.skip()?;
            }
            (Kind::Object, _) => return Err(self.fault("after object key:value pair")),
            (Kind::Array, _) => return Err(self.fault("after array element")),
        }
        self.value()
    }

    /// Reads a key, its colon, and the space behind it.
    fn key(&mut self) -> Result<(), Syntax> {
        if self.byte()? != b'"' {
            return Err(self.fault("looking for beginning of object key string"));
        }
        self.string()?;
        if self.skip()? != b':' {
            return Err(self.fault("after object key"));
        }
        self.at += 1;
        self.skip().map(drop)
    }

    fn string(&mut self) -> Result<(), Syntax> {
        self.at += 1;
        loop {
            match self.byte()? {
                b'"' => {
                    self.at += 1;
                    return Ok(());
                }
                b'\\' => self.escape()?,
                0..0x20 => return Err(self.fault("in string")),
                _ => self.at += 1,
            }
        }
    }

    fn escape(&mut self) -> Result<(), Syntax> {
        let rest = &self.bytes[self.at..];
        let length = match rest.get(1).ok_or(Syntax::Truncated)? {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => 2,
            b'u' => {
                let digits = &rest[2..rest.len().min(6)];
                if !digits.iter().all(u8::is_ascii_hexdigit) {
                    return Err(self.bad_escape(digits.len() + 2));
                }
                if digits.len() < 4 {
                    return Err(Syntax::Truncated);
                }
                6
            }
            _ => return Err(self.bad_escape(2)),
        };
        self.at += length;
        Ok(())
    }

    fn bad_escape(&self, length: usize) -> Syntax {
        let end = self.at + length;
        let sequence = String::from_utf8_lossy(&self.bytes[self.at..end]);
        Syntax::Fault { words: format!("invalid escape sequence `{sequence}` in string"), end }
    }

    fn literal(&mut self, word: &str) -> Result<(), Syntax> {
        for expected in word.bytes() {
            if self.byte()? != expected {
                return Err(self.fault(&format!("in literal {word} (expecting '{}')", char::from(expected))));
            }
            self.at += 1;
        }
        Ok(())
    }

    fn number(&mut self) -> Result<(), Syntax> {
        if self.byte()? == b'-' {
            self.at += 1;
        }
        if self.byte()? == b'0' {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.byte()?, b'+' | b'-') {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    /// At least one digit.
    fn digits(&mut self) -> Result<(), Syntax> {
        if !self.byte()?.is_ascii_digit() {
            return Err(self.fault("in numeric literal"));
        }
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        Ok(())
    }

    fn enter(&mut self, kind: Kind) -> Result<(), Syntax> {
        self.at += 1;
        if self.open.len() == MAX_DEPTH {
            return Err(Syntax::Fault { words: "exceeded max depth".to_owned(), end: self.at });
        }
        self.open.push(kind);
        Ok(())
    }

    fn leave(&mut self) {
        self.at += 1;
        self.open.pop();
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn byte(&self) -> Result<u8, Syntax> {
        self.peek().ok_or(Syntax::Truncated)
    }

    /// Passes over white space; the byte behind it.
    fn skip(&mut self) -> Result<u8, Syntax> {
        self.at = skip_space(self.bytes, self.at);
        self.byte()
    }

    fn fault(&self, place: &str) -> Syntax {
        fault(self.bytes, self.at, place)
    }
}

fn fault(bytes: &[u8], at: usize, place: &str) -> Syntax {
    let (character, length) = quote::character(&bytes[at..]);
    Syntax::Fault { words: format!("invalid character {character} {place}"), end: at + length }
}
