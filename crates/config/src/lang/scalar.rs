//! What a word means: numbers with units, dates, addresses, booleans, variables and strings.

use super::cursor::{Cursor, is_blank, is_newline};
use super::{DateTime, Kind, ParseError, Span};

/// A value without structure, or the name of a variable that stands for one.
#[derive(Debug)]
pub(super) enum Scalar {
    Value(Kind),
    Variable(String),
}

impl Scalar {
    fn string(text: impl Into<String>) -> Self {
        Self::Value(Kind::String(text.into()))
    }
}

/// Whether `c` ends a bare word.
fn ends_word(c: char) -> bool {
    is_newline(c) || is_blank(c) || matches!(c, ';' | ',' | ']' | '}')
}

/// Reads the scalar that starts here; arrays and maps are the parser's.
pub(super) fn scalar(cursor: &mut Cursor<'_>) -> Result<Scalar, ParseError> {
    match cursor.peek() {
        Some('\'') => single_quoted(cursor),
        Some('"') => double_quoted(cursor),
        Some('(') => block_string(cursor),
        Some('.') => Err(cursor.error("Floats must start with a digit")),
        Some(c) if is_newline(c) => Err(cursor.error("Expected value but found new line")),
        Some(c) if c == '-' || c.is_ascii_digit() => number(cursor),
        _ => bare(cursor, cursor.position()),
    }
}

/// `'…'`: nothing is special inside.
fn single_quoted(cursor: &mut Cursor<'_>) -> Result<Scalar, ParseError> {
    cursor.next();
    let text = cursor.take_while(|c| c != '\'');
    if cursor.eat('\'') { Ok(Scalar::string(text)) } else { Err(cursor.error("Unexpected EOF in a quoted string.")) }
}

/// `"…"`, with escapes.
// spec: CORE-176
fn double_quoted(cursor: &mut Cursor<'_>) -> Result<Scalar, ParseError> {
    cursor.next();
    let mut bytes = Vec::new();
    loop {
        bytes.extend_from_slice(cursor.take_while(|c| c != '"' && c != '\\').as_bytes());
        match cursor.peek() {
            Some('"') => {
                let text = utf8(cursor, bytes)?;
                cursor.next();
                return Ok(Scalar::string(text));
            }
            Some(_) => escape(cursor, &mut bytes)?,
            None => return Err(cursor.error("Unexpected EOF in a quoted string.")),
        }
    }
}

fn utf8(cursor: &Cursor<'_>, bytes: Vec<u8>) -> Result<String, ParseError> {
    String::from_utf8(bytes).map_err(|_| cursor.error("Expected valid UTF-8 after replacing the \\xXX escapes"))
}

fn escape(cursor: &mut Cursor<'_>, bytes: &mut Vec<u8>) -> Result<(), ParseError> {
    cursor.next();
    let replaced = match cursor.peek() {
        Some('t') => b'\t',
        Some('n') => b'\n',
        Some('r') => b'\r',
        Some('"') => b'"',
        Some('\\') => b'\\',
        Some('x') => {
            cursor.next();
            let start = cursor.position();
            for _ in 0..2 {
                if cursor.peek().is_none_or(is_newline) {
                    return Err(cursor.error("Expected two hexadecimal digits after '\\x', but hit end of line"));
                }
                cursor.next();
            }
            let digits = cursor.since(start);
            let byte = if digits.starts_with('+') { None } else { u8::from_str_radix(digits, 16).ok() };
            let byte = byte.ok_or_else(|| {
                cursor.error(format!("Expected two hexadecimal digits after '\\x', but got '{digits}'"))
            })?;
            bytes.push(byte);
            return Ok(());
        }
        _ => {
            return Err(cursor.error(format!(
                "Invalid escape character '{}'. Only the following escape characters are allowed: \
                 \\xXX, \\t, \\n, \\r, \\\", \\\\.",
                cursor.shown()
            )));
        }
    };
    cursor.next();
    bytes.push(replaced);
    Ok(())
}

/// `(` … and a `)` alone on its line: everything between, newlines included.
// spec: CORE-177
fn block_string(cursor: &mut Cursor<'_>) -> Result<Scalar, ParseError> {
    cursor.next();
    let start = cursor.position();
    loop {
        cursor.take_while(|c| c != '\n');
        if cursor.next().is_none() {
            return Err(cursor.error("Unexpected EOF processing block."));
        }
        let end = cursor.since(start);
        let alone = cursor.looking_at(")\n") || cursor.looking_at(")\r\n") || cursor.is_last(")");
        if alone {
            cursor.next();
            return Ok(Scalar::string(end));
        }
    }
}

/// A word without quotes whose first byte is at `start`; part of it may have been read already.
// spec: CORE-173 CORE-175 CORE-176
fn bare(cursor: &mut Cursor<'_>, start: usize) -> Result<Scalar, ParseError> {
    let mut bytes = cursor.since(start).as_bytes().to_vec();
    let mut escaped = false;
    loop {
        bytes.extend_from_slice(cursor.take_while(|c| c != '\\' && c != '\'' && !ends_word(c)).as_bytes());
        match cursor.peek() {
            Some('\\') => {
                escaped = true;
                escape(cursor, &mut bytes)?;
            }
            Some('\'') => {
                // A quote ends the word as well, and keeps it a string.
                let text = utf8(cursor, bytes)?;
                cursor.next();
                return Ok(Scalar::string(text));
            }
            _ => break,
        }
    }
    let text = utf8(cursor, bytes)?;
    if escaped {
        return Ok(Scalar::string(text));
    }
    Ok(match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" => Scalar::Value(Kind::Bool(true)),
        "false" | "no" | "off" => Scalar::Value(Kind::Bool(false)),
        _ => match text.strip_prefix('$') {
            Some(name) => Scalar::Variable(name.to_owned()),
            None => Scalar::string(text),
        },
    })
}

/// What starts with a digit or a minus: a number, a date, an address, or after all a word.
// spec: CORE-174 CORE-175
fn number(cursor: &mut Cursor<'_>) -> Result<Scalar, ParseError> {
    let (start, span) = (cursor.position(), cursor.span());
    let negative = cursor.eat('-');
    if negative && !cursor.peek().is_some_and(|c| c.is_ascii_digit()) {
        return Err(match cursor.peek() {
            Some('.') => cursor.error("Floats must start with a digit, not '.'."),
            _ => cursor.error(format!("Expected a digit but got '{}'.", cursor.shown())),
        });
    }
    let digits = cursor.take_while(|c| c.is_ascii_digit()).len();
    match cursor.peek() {
        Some('-') if !negative && digits == 4 => date(cursor, start, span),
        Some('-') if !negative => Err(cursor.error("All ISO8601 dates must be in full Zulu form.")),
        Some('.') => fraction(cursor, start, span),
        Some(c) if "kmgtpe".contains(c.to_ascii_lowercase()) => {
            cursor.next();
            cursor.take_while(|c| matches!(c, 'b' | 'B' | 'i' | 'I'));
            if cursor.peek().is_none_or(ends_word) { integer(cursor.since(start), span) } else { bare(cursor, start) }
        }
        Some(c) if !negative && !ends_word(c) => {
            // What shows that it is a word is itself no quote or escape.
            cursor.next();
            bare(cursor, start)
        }
        _ => integer(cursor.since(start), span),
    }
}

/// A whole number with its unit.
// spec: CFG-016 CORE-174
fn integer(text: &str, span: Span) -> Result<Scalar, ParseError> {
    let (digits, unit) = text.split_at(text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len()));
    let unit = unit.to_ascii_lowercase();
    let (power, binary) = match unit.as_bytes() {
        [] => (0, false),
        [letter, rest @ ..] => {
            let power = "kmgtpe".find(char::from(*letter)).map_or(0, |at| at + 1);
            match rest {
                [] => (power, false),
                b"b" | b"i" | b"ib" => (power, true),
                _ => {
                    let reason = format!(
                        "Expected a number with one of the units k, kb, ki, kib (or m, g, t, p, e), but got '{text}'"
                    );
                    return Err(ParseError::Syntax { reason, span });
                }
            }
        }
    };
    let factor = (0..power).fold(1_i64, |product, _| product * if binary { 1024 } else { 1000 });
    let number = digits.parse::<i64>().ok().and_then(|number| number.checked_mul(factor));
    match number {
        Some(number) => Ok(Scalar::Value(Kind::Integer(number))),
        None => Err(ParseError::OutOfRange { kind: "integer", text: text.into(), span }),
    }
}

/// Behind the digits before a point: a float, or an address if another point follows.
fn fraction(cursor: &mut Cursor<'_>, start: usize, span: Span) -> Result<Scalar, ParseError> {
    cursor.next();
    if cursor.take_while(|c| c.is_ascii_digit()).is_empty() {
        let shown = cursor.shown();
        return Err(cursor.error(format!("Floats must have a digit after the '.', but got '{shown}' instead.")));
    }
    if cursor.eat('.') {
        cursor.take_while(|c| c.is_ascii_digit() || matches!(c, '.' | ':' | '-'));
        return Ok(Scalar::string(cursor.since(start)));
    }
    let text = cursor.since(start);
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() => Ok(Scalar::Value(Kind::Float(number))),
        _ => Err(ParseError::OutOfRange { kind: "float", text: text.into(), span }),
    }
}

/// Behind the four digits of a year.
fn date(cursor: &mut Cursor<'_>, start: usize, span: Span) -> Result<Scalar, ParseError> {
    for expected in "-dd-ddTdd:dd:ddZ".chars() {
        let found = cursor.peek();
        let right = if expected == 'd' { found.is_some_and(|c| c.is_ascii_digit()) } else { found == Some(expected) };
        if !right {
            let wanted = if expected == 'd' { "digit".to_owned() } else { format!("'{expected}'") };
            let shown = cursor.shown();
            return Err(cursor.error(format!("Expected {wanted} in ISO8601 datetime, but found '{shown}' instead.")));
        }
        cursor.next();
    }
    let text = cursor.since(start);
    match DateTime::parse(text) {
        Some(time) => Ok(Scalar::Value(Kind::DateTime(time))),
        None => Err(ParseError::BadDate { text: text.into(), span }),
    }
}
