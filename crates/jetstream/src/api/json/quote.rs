//! Text in quotes inside error texts, with what cannot be seen escaped.

use std::fmt::Write;

/// `text` in double quotes.
pub(crate) fn text(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    text.chars().for_each(|character| push(&mut out, character, '"'));
    out.push('"');
    out
}

/// `bytes` in double quotes; what is no UTF-8 is written byte by byte.
pub(crate) fn bytes(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() + 2);
    out.push('"');
    for chunk in bytes.utf8_chunks() {
        chunk.valid().chars().for_each(|character| push(&mut out, character, '"'));
        for byte in chunk.invalid() {
            let _ = write!(out, "\\x{byte:02x}");
        }
    }
    out.push('"');
    out
}

/// `text` in double quotes, as errors of times have it: byte by byte where it is not plain ASCII.
pub(super) fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' => out.extend(['\\', char::from(byte)]),
            b' '..0x80 => out.push(char::from(byte)),
            _ => _ = write!(out, "\\x{byte:02x}"),
        }
    }
    out.push('"');
    out
}

/// The first character of `bytes` in single quotes, and its length.
pub(super) fn character(bytes: &[u8]) -> (String, usize) {
    let Some(chunk) = bytes.utf8_chunks().next() else { return (String::new(), 0) };
    let mut out = String::from("'");
    let length = match (chunk.valid().chars().next(), chunk.invalid().first()) {
        (Some(character), _) => {
            push(&mut out, character, '\'');
            character.len_utf8()
        }
        (None, byte) => {
            let _ = write!(out, "\\x{:02x}", byte.copied().unwrap_or_default());
            1
        }
    };
    out.push('\'');
    (out, length)
}

fn push(out: &mut String, character: char, quote: char) {
    let short = match character {
        '\x07' => 'a',
        '\x08' => 'b',
        '\x0c' => 'f',
        '\n' => 'n',
        '\r' => 'r',
        '\t' => 't',
        '\x0b' => 'v',
        '\\' => '\\',
        other if other == quote => other,
        other => return push_plain(out, other),
    };
    out.push('\\');
    out.push(short);
}

fn push_plain(out: &mut String, character: char) {
    let code = u32::from(character);
    let _ = match code {
        0..0x20 | 0x7f => write!(out, "\\x{code:02x}"),
        _ if is_printable(character) => write!(out, "{character}"),
        0x80..0x1_0000 => write!(out, "\\u{code:04x}"),
        _ => write!(out, "\\U{code:08x}"),
    };
}

/// Letters, marks, numbers, punctuation, symbols, and the ASCII space; no other space, no control or format character.
fn is_printable(character: char) -> bool {
    // What the standard library escapes when debugging is what cannot be seen, and marks that join what is before them.
    let is_mark =
        || matches!(u32::from(character), 0x300..0x370 | 0x483..0x48a | 0x591..0x5c8 | 0x610..0x61b | 0x64b..0x660);
    let escaped = character.escape_debug().len() > 1 && !matches!(character, '"' | '\'' | '\\');
    (!escaped || is_mark()) && !matches!(character, '\u{ad}') && (character == ' ' || !character.is_whitespace())
}
