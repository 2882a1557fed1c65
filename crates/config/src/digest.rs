//! The digest of a configuration: equal trees, equal digests, on the reference and here (CFG-009).
//!
//! SHA-256 over the JSON encoding of the parsed tree: keys sorted, no blanks, a newline at the end. Comments, layout,
//! units and where a value came from do not count.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

use crate::lang::{Kind, Map};

/// `sha256:` and the hex digest of `map`.
// spec: CFG-009
pub fn digest(map: &Map) -> String {
    let mut json = String::new();
    write_map(&mut json, map);
    json.push('\n');
    let hash = Sha256::digest(json.as_bytes());
    format!("sha256:{}", data_encoding::HEXLOWER.encode(&hash))
}

fn write_map(json: &mut String, map: &Map) {
    let mut entries: Vec<_> = map.iter().collect();
    entries.sort_unstable_by(|a, b| a.key.cmp(&b.key));
    json.push('{');
    for (at, entry) in entries.into_iter().enumerate() {
        if at > 0 {
            json.push(',');
        }
        write_string(json, &entry.key);
        json.push(':');
        write_value(json, &entry.value.kind);
    }
    json.push('}');
}

fn write_value(json: &mut String, kind: &Kind) {
    match kind {
        Kind::String(text) => write_string(json, text),
        Kind::Bool(value) => json.push_str(if *value { "true" } else { "false" }),
        Kind::Integer(number) => {
            let _ = write!(json, "{number}");
        }
        Kind::Float(number) => write_float(json, *number),
        Kind::DateTime(time) => {
            let _ = write!(json, "\"{}\"", time.as_str());
        }
        Kind::Array(items) => {
            json.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    json.push(',');
                }
                write_value(json, &item.kind);
            }
            json.push(']');
        }
        Kind::Map(map) => write_map(json, map),
    }
}

/// The shortest digits that read back the same; an exponent only for the very small and the very large.
fn write_float(json: &mut String, number: f64) {
    let magnitude = number.abs();
    let _ = if magnitude != 0.0 && !(1e-6..1e21).contains(&magnitude) {
        let shortest = format!("{number:e}");
        match shortest.split_once('e') {
            Some((digits, exponent)) if !exponent.starts_with('-') => write!(json, "{digits}e+{exponent}"),
            _ => write!(json, "{shortest}"),
        }
    } else {
        write!(json, "{number}")
    };
}

/// Characters that mean something to HTML and JavaScript are escaped too.
fn write_string(json: &mut String, text: &str) {
    json.push('"');
    for c in text.chars() {
        match c {
            '"' => json.push_str("\\\""),
            '\\' => json.push_str("\\\\"),
            '\n' => json.push_str("\\n"),
            '\r' => json.push_str("\\r"),
            '\t' => json.push_str("\\t"),
            '\u{8}' => json.push_str("\\b"),
            '\u{c}' => json.push_str("\\f"),
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' | '\0'..='\u{1f}' => {
                let _ = write!(json, "\\u{:04x}", u32::from(c));
            }
            _ => json.push(c),
        }
    }
    json.push('"');
}

#[cfg(test)]
mod tests;
