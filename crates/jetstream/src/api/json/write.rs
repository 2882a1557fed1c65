//! Types into values.

use std::collections::BTreeMap;
use std::time::Duration;

use martlet_events::WallTime;

/// What is written as a value.
pub trait ToJson {
    /// Appends the value.
    fn to_json(&self, out: &mut Vec<u8>);

    /// Whether a field that holds it may be left out.
    fn is_empty(&self) -> bool {
        false
    }
}

/// The value as a document.
pub fn encode(value: &(impl ToJson + ?Sized)) -> Vec<u8> {
    let mut out = Vec::new();
    value.to_json(&mut out);
    out
}

/// Writes an object field by field.
#[derive(Debug)]
pub struct Object<'o> {
    out: &'o mut Vec<u8>,
    is_first: bool,
}

impl<'o> Object<'o> {
    /// Writes an object with the fields that `fields` names.
    pub fn write(out: &'o mut Vec<u8>, fields: impl FnOnce(&mut Self)) {
        out.push(b'{');
        let mut object = Object { out, is_first: true };
        fields(&mut object);
        object.out.push(b'}');
    }

    /// A field.
    pub fn field(&mut self, name: &str, value: &(impl ToJson + ?Sized)) -> &mut Self {
        if !self.is_first {
            self.out.push(b',');
        }
        self.is_first = false;
        name.to_json(self.out);
        self.out.push(b':');
        value.to_json(self.out);
        self
    }

    /// A field that is left out when it is empty.
    pub fn some(&mut self, name: &str, value: &(impl ToJson + ?Sized)) -> &mut Self {
        if value.is_empty() { self } else { self.field(name, value) }
    }
}

impl ToJson for str {
    // spec: JS-009
    fn to_json(&self, out: &mut Vec<u8>) {
        out.push(b'"');
        let mut plain = 0;
        for (at, character) in self.char_indices() {
            let escaped = match character {
                '"' | '\\' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}' | '\0'..' ' => escape(character),
                _ => continue,
            };
            out.extend_from_slice(&self.as_bytes()[plain..at]);
            out.extend_from_slice(escaped.as_bytes());
            plain = at + character.len_utf8();
        }
        out.extend_from_slice(&self.as_bytes()[plain..]);
        out.push(b'"');
    }

    fn is_empty(&self) -> bool {
        str::is_empty(self)
    }
}

/// Text must be able to stand inside HTML and JavaScript.
fn escape(character: char) -> String {
    match character {
        '"' => "\\\"".to_owned(),
        '\\' => "\\\\".to_owned(),
        '\x08' => "\\b".to_owned(),
        '\x0c' => "\\f".to_owned(),
        '\n' => "\\n".to_owned(),
        '\r' => "\\r".to_owned(),
        '\t' => "\\t".to_owned(),
        other => format!("\\u{:04x}", u32::from(other)),
    }
}

impl ToJson for String {
    fn to_json(&self, out: &mut Vec<u8>) {
        self.as_str().to_json(out);
    }

    fn is_empty(&self) -> bool {
        String::is_empty(self)
    }
}

impl ToJson for bool {
    fn to_json(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(if *self { b"true" } else { b"false" });
    }

    fn is_empty(&self) -> bool {
        !self
    }
}

macro_rules! numbers {
    ($($type:ty),*) => {
        $(impl ToJson for $type {
            fn to_json(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(itoa::Buffer::new().format(*self).as_bytes());
            }

            fn is_empty(&self) -> bool {
                *self == 0
            }
        })*
    };
}

numbers!(u16, u32, u64, usize, i32, i64, u128);

/// As nanoseconds.
impl ToJson for Duration {
    fn to_json(&self, out: &mut Vec<u8>) {
        self.as_nanos().to_json(out);
    }

    fn is_empty(&self) -> bool {
        self.is_zero()
    }
}

impl ToJson for WallTime {
    fn to_json(&self, out: &mut Vec<u8>) {
        self.to_string().as_str().to_json(out);
    }
}

impl<T: ToJson> ToJson for Option<T> {
    fn to_json(&self, out: &mut Vec<u8>) {
        match self {
            Some(value) => value.to_json(out),
            None => out.extend_from_slice(b"null"),
        }
    }

    fn is_empty(&self) -> bool {
        self.is_none()
    }
}

impl<T: ToJson> ToJson for [T] {
    fn to_json(&self, out: &mut Vec<u8>) {
        out.push(b'[');
        for (index, value) in self.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            value.to_json(out);
        }
        out.push(b']');
    }

    fn is_empty(&self) -> bool {
        <[T]>::is_empty(self)
    }
}

impl<T: ToJson> ToJson for Vec<T> {
    fn to_json(&self, out: &mut Vec<u8>) {
        self.as_slice().to_json(out);
    }

    fn is_empty(&self) -> bool {
        Vec::is_empty(self)
    }
}

/// In the order of its names.
impl<T: ToJson> ToJson for BTreeMap<String, T> {
    fn to_json(&self, out: &mut Vec<u8>) {
        Object::write(out, |object| {
            for (name, value) in self {
                object.field(name, value);
            }
        });
    }

    fn is_empty(&self) -> bool {
        BTreeMap::is_empty(self)
    }
}

/// A time that there may not have been: the first moment of the year 1 stands for none.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment(pub(crate) Option<WallTime>);

impl ToJson for Moment {
    fn to_json(&self, out: &mut Vec<u8>) {
        match self.0 {
            Some(time) => time.to_json(out),
            None => "0001-01-01T00:00:00Z".to_json(out),
        }
    }
}
