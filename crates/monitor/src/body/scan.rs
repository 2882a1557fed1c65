//! The syntax of JSON, checked as a whole before anything of it is used, with the errors that users know.
//!
//! Nothing here calls itself: what is nested costs a byte per level of a list, and there is a deepest level.

use std::fmt::Write as _;
use std::ops::Range;

/// Levels of nesting that are read.
const MAX_DEPTH: usize = 10_000;

/// Why a text is no JSON.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SyntaxError {
    /// It ends before it is complete.
    #[error("unexpected end of JSON input")]
    Ended,
    /// A character that cannot stand where it does.
    #[error("invalid character {found} {place}")]
    Character {
        /// The character, quoted.
        found: String,
        /// Where it stands.
        place: &'static str,
    },
    /// Not the character that a word goes on with.
    #[error("invalid character {found} in literal {literal} (expecting '{expected}')")]
    Literal {
        /// The character, quoted.
        found: String,
        /// The word.
        literal: &'static str,
        /// What it goes on with.
        expected: char,
    },
    /// An escape that means nothing.
    #[error("invalid escape sequence {0} in string")]
    Escape(String),
    /// It is nested too deep.
    #[error("exceeded max depth")]
    TooDeep,
}

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Null,
    Bool,
    Number,
    String,
    Array,
    Object,
}

impl Kind {
    /// As errors call it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool => "bool",
            Self::Number => "number",
            Self::String => "string",
            Self::Array => "array",
            Self::Object => "object",
        }
    }
}

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) kind: Kind,
    pub(super) at: Range<usize>,
}

/// A value, with what is directly in it: members with their names, or elements without.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Outline {
    pub(super) kind: Kind,
    pub(super) inner: Vec<(Range<usize>, Found)>,
}

/// What may come next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    Value,
    ValueOrEnd,
    Key,
    KeyOrEnd,
    CommaOrEnd,
}

/// Reads one JSON text.
pub(super) fn outline(bytes: &[u8]) -> Result<Outline, SyntaxError> {
    let mut scan = Scan { bytes, at: 0, open: Vec::new(), key: 0..0, start: 0, inner: Vec::new() };
    let kind = scan.value()?;
    scan.blanks();
    if scan.at < bytes.len() {
        return Err(scan.misplaced("after top-level value"));
    }
    Ok(Outline { kind, inner: scan.inner })
}

struct Scan<'a> {
    bytes: &'a [u8],
    at: usize,
    /// What is open: objects and arrays.
    open: Vec<Kind>,
    /// The name and the beginning of what is being read directly in the outermost value.
    key: Range<usize>,
    start: usize,
    inner: Vec<(Range<usize>, Found)>,
}

impl Scan<'_> {
    /// One value with everything in it; gives its kind.
    fn value(&mut self) -> Result<Kind, SyntaxError> {
        let mut next = Next::Value;
        loop {
            let byte = self.peek()?;
            let closes = matches!((next, byte), (Next::ValueOrEnd, b']') | (Next::KeyOrEnd, b'}'))
                || (next == Next::CommaOrEnd && Some(byte) == self.open.last().map(|kind| closing(*kind)));
            if closes {
                self.at += 1;
                let kind = self.open.pop().expect("what closes is open");
                if self.open.is_empty() {
                    return Ok(kind);
                }
                self.finish(kind);
                next = Next::CommaOrEnd;
                continue;
            }
            next = match next {
                Next::Value | Next::ValueOrEnd => {
                    if self.open.len() == 1 {
                        self.start = self.at;
                    }
                    match self.begin(byte)? {
                        Begun::Inside(next) => next,
                        Begun::Whole(kind) if self.open.is_empty() => return Ok(kind),
                        Begun::Whole(kind) => {
                            self.finish(kind);
                            Next::CommaOrEnd
                        }
                    }
                }
                Next::Key | Next::KeyOrEnd => self.name(byte)?,
                Next::CommaOrEnd => self.comma(byte)?,
            };
        }
    }

    /// The next byte that is not blank.
    fn peek(&mut self) -> Result<u8, SyntaxError> {
        self.blanks();
        self.bytes.get(self.at).copied().ok_or(SyntaxError::Ended)
    }

    fn blanks(&mut self) {
        while matches!(self.bytes.get(self.at), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    /// Begins a value with `byte`; a scalar is whole at once.
    fn begin(&mut self, byte: u8) -> Result<Begun, SyntaxError> {
        let kind = match byte {
            b'{' | b'[' => {
                if self.open.len() >= MAX_DEPTH {
                    return Err(SyntaxError::TooDeep);
                }
                self.at += 1;
                let (kind, next) =
                    if byte == b'{' { (Kind::Object, Next::KeyOrEnd) } else { (Kind::Array, Next::ValueOrEnd) };
                self.open.push(kind);
                return Ok(Begun::Inside(next));
            }
            b'"' => self.string().map(|()| Kind::String)?,
            b'-' | b'0'..=b'9' => self.number().map(|()| Kind::Number)?,
            b't' => self.literal("true").map(|()| Kind::Bool)?,
            b'f' => self.literal("false").map(|()| Kind::Bool)?,
            b'n' => self.literal("null").map(|()| Kind::Null)?,
            _ => return Err(self.misplaced("looking for beginning of value")),
        };
        Ok(Begun::Whole(kind))
    }

    /// Notes a value that has ended, if it stands directly in the outermost one.
    fn finish(&mut self, kind: Kind) {
        if self.open.len() == 1 {
            self.inner.push((self.key.clone(), Found { kind, at: self.start..self.at }));
        }
    }

    fn name(&mut self, byte: u8) -> Result<Next, SyntaxError> {
        if byte != b'"' {
            return Err(self.misplaced("looking for beginning of object key string"));
        }
        let start = self.at;
        self.string()?;
        if self.open.len() == 1 {
            self.key = start..self.at;
        }
        if self.peek()? != b':' {
            return Err(self.misplaced("after object key"));
        }
        self.at += 1;
        Ok(Next::Value)
    }

    fn comma(&mut self, byte: u8) -> Result<Next, SyntaxError> {
        let (next, place) = match self.open.last() {
            Some(Kind::Object) => (Next::Key, "after object key:value pair"),
            _ => (Next::Value, "after array element"),
        };
        if byte != b',' {
            return Err(self.misplaced(place));
        }
        self.at += 1;
        Ok(next)
    }

    fn string(&mut self) -> Result<(), SyntaxError> {
        self.at += 1;
        loop {
            match *self.bytes.get(self.at).ok_or(SyntaxError::Ended)? {
                b'"' => break,
                b'\\' => self.escape()?,
                0..=0x1f => return Err(self.misplaced("in string")),
                _ => self.at += 1,
            }
        }
        self.at += 1;
        Ok(())
    }

    fn escape(&mut self) -> Result<(), SyntaxError> {
        let rest = &self.bytes[self.at..];
        let length = match rest.get(1).ok_or(SyntaxError::Ended)? {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => 2,
            b'u' => {
                let digits = rest.get(2..6).unwrap_or(&rest[2..]);
                let hex = digits.iter().all(u8::is_ascii_hexdigit);
                if hex && digits.len() < 4 {
                    return Err(SyntaxError::Ended);
                }
                if !hex {
                    return Err(SyntaxError::Escape(quoted_text(&rest[..rest.len().min(6)])));
                }
                6
            }
            _ => return Err(SyntaxError::Escape(quoted_text(&rest[..2]))),
        };
        self.at += length;
        Ok(())
    }

    fn number(&mut self) -> Result<(), SyntaxError> {
        if self.bytes.get(self.at) == Some(&b'-') {
            self.at += 1;
        }
        if self.bytes.get(self.at) == Some(&b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.bytes.get(self.at) == Some(&b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.bytes.get(self.at), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.bytes.get(self.at), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    /// One digit or more.
    fn digits(&mut self) -> Result<(), SyntaxError> {
        if !self.bytes.get(self.at).ok_or(SyntaxError::Ended)?.is_ascii_digit() {
            return Err(self.misplaced("in numeric literal"));
        }
        while self.bytes.get(self.at).is_some_and(u8::is_ascii_digit) {
            self.at += 1;
        }
        Ok(())
    }

    fn literal(&mut self, literal: &'static str) -> Result<(), SyntaxError> {
        for expected in literal.chars() {
            let byte = *self.bytes.get(self.at).ok_or(SyntaxError::Ended)?;
            if char::from(byte) != expected {
                return Err(SyntaxError::Literal {
                    found: quoted_character(&self.bytes[self.at..]),
                    literal,
                    expected,
                });
            }
            self.at += 1;
        }
        Ok(())
    }

    /// The character here cannot stand here.
    fn misplaced(&self, place: &'static str) -> SyntaxError {
        SyntaxError::Character { found: quoted_character(&self.bytes[self.at..]), place }
    }
}

/// What came of the beginning of a value.
enum Begun {
    Whole(Kind),
    Inside(Next),
}

fn closing(kind: Kind) -> u8 {
    if kind == Kind::Object { b'}' } else { b']' }
}

/// The first character of `bytes`, if it is one in UTF-8.
fn first(bytes: &[u8]) -> Option<char> {
    (1..=bytes.len().min(4)).find_map(|len| std::str::from_utf8(&bytes[..len]).ok())?.chars().next()
}

/// The first character, or byte, between single quotes.
fn quoted_character(bytes: &[u8]) -> String {
    match first(bytes) {
        Some(character) => format!("'{}'", shown(character, '\'')),
        None => format!("'\\x{:02x}'", bytes.first().copied().unwrap_or_default()),
    }
}

/// A text between backquotes if all of it can be seen, else between double quotes.
fn quoted_text(bytes: &[u8]) -> String {
    if let Ok(text) = std::str::from_utf8(bytes)
        && text.chars().all(|c| c != '`' && c != char::REPLACEMENT_CHARACTER && !c.is_whitespace() && is_printable(c))
    {
        return format!("`{text}`");
    }
    let mut out = String::from("\"");
    let mut rest = bytes;
    while let Some(byte) = rest.first() {
        let len = if let Some(character) = first(rest) {
            out.push_str(&shown(character, '"'));
            character.len_utf8()
        } else {
            let _ = write!(out, "\\x{byte:02x}");
            1
        };
        rest = &rest[len..];
    }
    out + "\""
}

/// A character as it is shown between these quotes.
fn shown(character: char, quote: char) -> String {
    let number = u32::from(character);
    match character {
        '\\' => "\\\\".into(),
        '\u{7}' => "\\a".into(),
        '\u{8}' => "\\b".into(),
        '\u{c}' => "\\f".into(),
        '\n' => "\\n".into(),
        '\r' => "\\r".into(),
        '\t' => "\\t".into(),
        '\u{b}' => "\\v".into(),
        _ if character == quote => format!("\\{character}"),
        ' '..='~' => character.into(),
        '\0'..='\u{7f}' => format!("\\x{number:02x}"),
        _ if is_printable(character) => character.into(),
        _ if number < 0x1_0000 => format!("\\u{number:04x}"),
        _ => format!("\\U{number:08x}"),
    }
}

/// Whether a character can be seen, or is a plain blank: beyond ASCII, what a debugger shows as it is in the middle of a
/// text, but for other blanks and the soft hyphen.
fn is_printable(character: char) -> bool {
    if character.is_ascii() {
        return !character.is_ascii_control();
    }
    let in_text: String = ['x', character].into_iter().collect();
    !character.is_whitespace() && character != '\u{ad}' && in_text.escape_debug().count() == 2
}
