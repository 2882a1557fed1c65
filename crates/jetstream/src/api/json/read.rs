//! Values into types.

use std::collections::BTreeMap;
use std::fmt::Write;

use martlet_events::WallTime;

use super::{quote, scan, time};

/// One value whose syntax has been checked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Raw<'a>(&'a [u8]);

/// What a reader knows of where it is.
#[derive(Debug)]
pub(crate) struct Reader {
    strict: bool,
    root: &'static str,
    path: Vec<String>,
}

/// A type that is read from a value.
pub(crate) trait Read {
    /// What error texts call it.
    const NAME: &'static str;
    /// What error texts call many of it.
    const LIST: &'static str = "";
    /// What error texts call some of it by name.
    const MAP: &'static str = "";

    /// Takes the value.
    fn read(&mut self, value: Raw<'_>, reader: &mut Reader) -> Result<(), String>;
}

/// A type made of named fields.
pub(crate) trait Fields {
    /// What error texts call it.
    const NAME: &'static str;
    /// What error texts call many of it.
    const LIST: &'static str = "";

    /// Takes the value of a field; `None` if there is no such field.
    fn field(&mut self, name: &str, value: Raw<'_>, reader: &mut Reader) -> Option<Result<(), String>>;
}

/// Implements [`Fields`]: `Type: "name", "[]name" { "key" => field, … }`, and `..field` for one whose fields are this one's.
macro_rules! fields {
    ($type:ty: $name:literal $(, $list:literal)? { $($key:literal => $field:ident),* $(,)? } $(.. $flat:ident)*) => {
        impl $crate::api::json::read::Fields for $type {
            const NAME: &'static str = $name;
            $(const LIST: &'static str = $list;)?

            fn field(
                &mut self,
                name: &str,
                value: $crate::api::json::read::Raw<'_>,
                reader: &mut $crate::api::json::read::Reader,
            ) -> Option<Result<(), String>> {
                match name {
                    $($key => Some($crate::api::json::read::Read::read(&mut self.$field, value, reader)),)*
                    _ => {
                        $(let result = $crate::api::json::read::Fields::field(&mut self.$flat, name, value, reader);
                        if result.is_some() {
                            return result;
                        })*
                        None
                    }
                }
            }
        }
    };
}
pub(crate) use fields;

impl Reader {
    /// A reader of a document of type `T`.
    pub(super) fn new<T: Read>(strict: bool) -> Self {
        Self { strict, root: T::NAME.trim_start_matches("server."), path: Vec::new() }
    }

    fn inside(&mut self, step: String, read: impl FnOnce(&mut Self) -> Result<(), String>) -> Result<(), String> {
        self.path.push(step);
        let result = read(self);
        self.path.pop();
        result
    }

    /// That a value is of another type.
    pub(crate) fn mismatch(&self, what: &str, name: &str) -> String {
        let mut text = format!("json: cannot unmarshal {what} into ");
        match self.path.last() {
            None => text.push_str("Go value"),
            Some(last) => {
                // Elements of lists are not called fields, nor is whatever looks like one.
                let is_index = last.bytes().all(|byte| byte.is_ascii_digit());
                let _ = write!(text, "{}{}", if is_index { "" } else { "Go struct field " }, self.root);
                self.path.iter().for_each(|step| {
                    let _ = write!(text, ".{step}");
                });
            }
        }
        let _ = write!(text, " of type {name}");
        text
    }
}

impl<'a> Raw<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The value as it was written.
    pub(crate) fn bytes(self) -> &'a [u8] {
        self.0
    }

    pub(crate) fn is_null(self) -> bool {
        self.0 == b"null"
    }

    /// What kind of value it is.
    pub(crate) fn kind(self) -> &'static str {
        match self.0.first() {
            Some(b'{') => "object",
            Some(b'[') => "array",
            Some(b'"') => "string",
            Some(b't' | b'f') => "bool",
            Some(b'n') => "null",
            _ => "number",
        }
    }

    /// The text of a string.
    pub(crate) fn text(self) -> Option<String> {
        (self.kind() == "string").then(|| unescape(&self.0[1..self.0.len() - 1]))
    }

    /// The values in an array; none if it is something else.
    fn elements(self) -> impl Iterator<Item = Raw<'a>> {
        let mut at = 1;
        let bytes = if self.kind() == "array" { self.0 } else { b"[]" };
        std::iter::from_fn(move || next(bytes, &mut at))
    }

    /// Names and values in an object; none if it is something else.
    fn entries(self) -> impl Iterator<Item = (String, Raw<'a>)> {
        let mut at = 1;
        let bytes = if self.kind() == "object" { self.0 } else { b"{}" };
        std::iter::from_fn(move || Some((next(bytes, &mut at)?.text()?, next(bytes, &mut at)?)))
    }
}

/// The value behind `at`, after separators.
fn next<'a>(bytes: &'a [u8], at: &mut usize) -> Option<Raw<'a>> {
    *at += bytes[*at..].iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | b',' | b':')).count();
    if matches!(bytes[*at], b'}' | b']') {
        return None;
    }
    let start = *at;
    *at = scan::value_end(bytes, start).ok()?;
    Some(Raw(&bytes[start..*at]))
}

/// What stands between the quotes of a string. One U+FFFD stands for what is no UTF-8 and for half a surrogate pair.
fn unescape(mut bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    while let Some(at) = memchr::memchr(b'\\', bytes) {
        push_lossy(&mut text, &bytes[..at]);
        let (character, length) = escape(&bytes[at..]);
        text.push(character);
        bytes = &bytes[at + length..];
    }
    push_lossy(&mut text, bytes);
    text
}

/// Puts one U+FFFD for every byte that is no UTF-8.
fn push_lossy(text: &mut String, bytes: &[u8]) {
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
    }
}

/// The character that an escape sequence stands for, and the length of the sequence.
fn escape(bytes: &[u8]) -> (char, usize) {
    match bytes[1] {
        b'b' => ('\x08', 2),
        b'f' => ('\x0c', 2),
        b'n' => ('\n', 2),
        b'r' => ('\r', 2),
        b't' => ('\t', 2),
        b'u' => match (unit(bytes), unit(bytes.get(6..).unwrap_or_default())) {
            (Some(high @ 0xd800..0xdc00), Some(low @ 0xdc00..0xe000)) => {
                let code = 0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00);
                (char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER), 12)
            }
            (code, _) => (code.and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER), 6),
        },
        other => (char::from(other), 2),
    }
}

/// The number in `\u1234`.
fn unit(bytes: &[u8]) -> Option<u32> {
    let digits = bytes.strip_prefix(b"\\u")?.get(..4)?;
    u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

/// A name in lower case, with the two letters outside ASCII whose lower case is inside it.
fn fold(name: &str) -> String {
    let fold = |character| match character {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        other => char::to_ascii_lowercase(&other),
    };
    name.chars().map(fold).collect()
}

impl<T: Fields> Read for T {
    const NAME: &'static str = <T as Fields>::NAME;
    const LIST: &'static str = <T as Fields>::LIST;

    fn read(&mut self, value: Raw<'_>, reader: &mut Reader) -> Result<(), String> {
        if value.is_null() {
            return Ok(());
        }
        if value.kind() != "object" {
            return Err(reader.mismatch(value.kind(), <T as Fields>::NAME));
        }
        for (name, value) in value.entries() {
            let (strict, folded) = (reader.strict, fold(&name));
            let unknown = || if strict { Err(format!("json: unknown field {}", quote::text(&name))) } else { Ok(()) };
            reader.inside(name.clone(), |reader| self.field(&folded, value, reader).unwrap_or_else(unknown))?;
        }
        Ok(())
    }
}

impl<T: Read + Default> Read for Option<T> {
    const NAME: &'static str = T::NAME;
    const LIST: &'static str = T::LIST;

    fn read(&mut self, value: Raw<'_>, reader: &mut Reader) -> Result<(), String> {
        if value.is_null() {
            *self = None;
            return Ok(());
        }
        self.get_or_insert_default().read(value, reader)
    }
}

/// A value, and whether there was one; `null` is for the type to take or to refuse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Given<T>(pub Option<T>);

impl<T: Read + Default> Read for Given<T> {
    const NAME: &'static str = T::NAME;

    fn read(&mut self, value: Raw<'_>, reader: &mut Reader) -> Result<(), String> {
        self.0.get_or_insert_default().read(value, reader)
    }
}

impl<T: Read + Default> Read for Vec<T> {
    const NAME: &'static str = T::LIST;

    fn read(&mut self, value: Raw<'_>, reader: &mut Reader) -> Result<(), String> {
        if !value.is_null() && value.kind() != "array" {
            return Err(reader.mismatch(value.kind(), Self::NAME));
        }
        self.clear();
        for (index, element) in value.elements().enumerate() {
            let mut target = T::default();
            reader.inside(index.to_string(), |reader| target.read(element, reader))?;
            self.push(target);
        }
        Ok(())
    }
}

impl<T: Read + Default> Read for BTreeMap<String, T> {
    const NAME: &'static str = T::MAP;

    fn read(&mut self, value: Raw<'_>, reader: &mut Reader) -> Result<(), String> {
        if value.is_null() {
            self.clear();
            return Ok(());
        }
        if value.kind() != "object" {
            return Err(reader.mismatch(value.kind(), Self::NAME));
        }
        for (name, value) in value.entries() {
            let mut target = T::default();
            reader.inside(name.clone(), |reader| target.read(value, reader))?;
            self.insert(name, target);
        }
        Ok(())
    }
}

impl Read for String {
    const NAME: &'static str = "string";
    const LIST: &'static str = "[]string";
    const MAP: &'static str = "map[string]string";

    fn read(&mut self, value: Raw<'_>, reader: &mut Reader) -> Result<(), String> {
        if !value.is_null() {
            *self = value.text().ok_or_else(|| reader.mismatch(value.kind(), Self::NAME))?;
        }
        Ok(())
    }
}

impl Read for bool {
    const NAME: &'static str = "bool";

    fn read(&mut self, value: Raw<'_>, reader: &mut Reader) -> Result<(), String> {
        match value.bytes() {
            b"true" => *self = true,
            b"false" => *self = false,
            b"null" => {}
            _ => return Err(reader.mismatch(value.kind(), Self::NAME)),
        }
        Ok(())
    }
}

impl Read for WallTime {
    const NAME: &'static str = "time.Time";

    fn read(&mut self, value: Raw<'_>, reader: &mut Reader) -> Result<(), String> {
        if !value.is_null() {
            let text = value.text().ok_or_else(|| reader.mismatch(value.kind(), Self::NAME))?;
            *self = time::parse(&text)?;
        }
        Ok(())
    }
}

/// A number that error texts call `int`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Int(pub i64);

/// Nanoseconds; some may ask for less than none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Nanos(pub i64);

macro_rules! numbers {
    ($($type:ty: $name:literal, $wrap:expr;)*) => {
        $(impl Read for $type {
            const NAME: &'static str = $name;
            const LIST: &'static str = concat!("[]", $name);
            const MAP: &'static str = concat!("map[string]", $name);

            fn read(&mut self, value: Raw<'_>, reader: &mut Reader) -> Result<(), String> {
                if value.is_null() {
                    return Ok(());
                }
                if value.kind() != "number" {
                    return Err(reader.mismatch(value.kind(), $name));
                }
                let digits = String::from_utf8_lossy(value.bytes());
                let number = digits.parse().map_err(|_| reader.mismatch(&format!("number {digits}"), $name))?;
                *self = $wrap(number);
                Ok(())
            }
        })*
    };
}

numbers! {
    i32: "int32", std::convert::identity;
    i64: "int64", std::convert::identity;
    u64: "uint64", std::convert::identity;
    Int: "int", Int;
    Nanos: "time.Duration", Nanos;
}
