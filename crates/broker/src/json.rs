//! JSON as the reference writes it: `<`, `>`, `&` and the two line separators of Unicode are escaped.

use std::io;

use serde::{Serialize, Serializer};
use serde_json::ser::Formatter;
use serde_json::value::RawValue;

/// `value` as JSON.
pub fn to_vec(value: &impl Serialize) -> Vec<u8> {
    let mut out = Vec::with_capacity(512);
    let mut serializer = serde_json::Serializer::with_formatter(&mut out, Escaping);
    value.serialize(&mut serializer).expect("structs of text and numbers are JSON, and memory takes every byte");
    out
}

/// A part of a document that is written already.
#[derive(Debug, Clone, Serialize)]
#[serde(transparent)]
pub struct Written(Box<RawValue>);

impl Written {
    /// `value`, as it is now.
    pub fn of(value: &impl Serialize) -> Self {
        let text = String::from_utf8(to_vec(value)).expect("JSON is text");
        Self(RawValue::from_string(text).expect("it was just written"))
    }
}

/// Serializes a value as its text.
pub(crate) fn as_text<S: Serializer>(value: &impl std::fmt::Display, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

struct Escaping;

impl Formatter for Escaping {
    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        let mut rest = fragment;
        while let Some(at) = rest.find(['<', '>', '&', '\u{2028}', '\u{2029}']) {
            let (before, from) = rest.split_at(at);
            let escaped = from.chars().next().expect("one was found here");
            write!(writer, "{before}\\u{:04x}", u32::from(escaped))?;
            rest = &from[escaped.len_utf8()..];
        }
        writer.write_all(rest.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_reference_escapes_is_escaped() {
        for (text, json) in [
            ("a<b>&\"é", r#""a\u003cb\u003e\u0026\"é""#),
            ("\u{2028}\u{2029}", r#""\u2028\u2029""#),
            ("plain\n", r#""plain\n""#),
        ] {
            assert_eq!(String::from_utf8(to_vec(&text)).unwrap(), json);
        }
    }
}
