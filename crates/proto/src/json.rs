//! JSON as the handshake reads and writes it.
//!
//! Existing clients were written against a decoder with habits of its own, and some depend on them: names match in any case,
//! `null` leaves a field as it was, unknown fields are skipped, a repeated field is taken again, and text that is no Unicode
//! has its bad parts replaced. A value of the wrong type refuses the whole document. Writing escapes `<`, `>` and `&`.
//!
//! Invariant: an error names a place and a kind, never a value, since the value may be a password.

use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::str::FromStr;

use data_encoding::BASE64;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde::{Serialize, Serializer};
use serde_json::ser::{CompactFormatter, Formatter};
use serde_json::value::RawValue;
use thiserror::Error;

/// Why a JSON document was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum JsonError {
    /// It is no JSON.
    #[error("not valid JSON at byte {at}")]
    Syntax {
        /// Counted from one, in its line.
        at: usize,
    },
    /// A field has a value of another type.
    #[error("a field or the document itself has the wrong type, at byte {at}")]
    Type {
        /// Counted from one, in its line: where the value ends.
        at: usize,
    },
}

impl From<serde_json::Error> for JsonError {
    fn from(error: serde_json::Error) -> Self {
        let at = error.column();
        if error.is_data() { Self::Type { at } } else { Self::Syntax { at } }
    }
}

/// A document made of named fields.
pub(crate) trait Fields {
    /// Takes the value of the field called `name` from `map`; `false` if there is no such field and the value is still there.
    fn take<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<bool, A::Error>;
}

/// How a document takes its fields: each under its own name, those that are documents themselves after `nested`.
macro_rules! fields {
    ($document:ident { $($field:ident),* } $(nested { $($nested:ident),* })?) => {
        impl $crate::json::Fields for $document {
            fn take<'de, A: serde::de::MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<bool, A::Error> {
                match name {
                    $(stringify!($field) => $crate::json::take(map, &mut self.$field),)*
                    $($(stringify!($nested) => $crate::json::take_nested(map, &mut self.$nested),)*)?
                    _ => Ok(false),
                }
            }
        }
    };
}
pub(crate) use fields;

/// Sets the fields of `target` that the document names.
// spec: CORE-034
pub(crate) fn update<T: Fields>(target: &mut T, json: &[u8]) -> Result<(), JsonError> {
    serde_json::from_slice::<IgnoredAny>(json)?; // syntax first: the typed pass is lenient inside strings
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    deserializer.deserialize_any(Document(target))?;
    Ok(())
}

struct Document<'t, T>(&'t mut T);

impl<'de, T: Fields> Visitor<'de> for Document<'_, T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(Text(key)) = map.next_key()? {
            if !self.0.take(&fold(key), &mut map)? {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}

/// Lower case, with the two letters outside ASCII whose lower case is inside it.
fn fold(key: String) -> String {
    if key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_') {
        return key;
    }
    key.chars()
        .map(|character| match character {
            '\u{17f}' => 's',
            '\u{212a}' => 'k',
            other => other.to_ascii_lowercase(),
        })
        .collect()
}

/// Takes a value into `slot`; `null` leaves it as it is.
pub(crate) fn take<'de, A: MapAccess<'de>, T: Value>(map: &mut A, slot: &mut T) -> Result<bool, A::Error> {
    if let Some(wire) = map.next_value::<Option<T::Wire>>()? {
        *slot = T::from_wire(wire);
    }
    Ok(true)
}

/// Takes a nested document into `slot`; `null` empties it, a second one is laid over the first.
pub(crate) fn take_nested<'de, A, T>(map: &mut A, slot: &mut Option<T>) -> Result<bool, A::Error>
where
    A: MapAccess<'de>,
    T: Fields + Default,
{
    struct Nested<T>(T);
    struct Seed<T>(T);
    impl<'de, T: Fields> serde::de::DeserializeSeed<'de> for Seed<T> {
        type Value = Option<T>;

        fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<T>, D::Error> {
            deserializer.deserialize_option(Nested(self.0))
        }
    }
    impl<'de, T: Fields> Visitor<'de> for Nested<T> {
        type Value = Option<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object or null")
        }

        fn visit_unit<E>(self) -> Result<Option<T>, E> {
            Ok(None)
        }

        fn visit_none<E>(self) -> Result<Option<T>, E> {
            Ok(None)
        }

        fn visit_some<D: Deserializer<'de>>(mut self, deserializer: D) -> Result<Option<T>, D::Error> {
            deserializer.deserialize_map(Document(&mut self.0))?;
            Ok(Some(self.0))
        }
    }
    let base = slot.take().unwrap_or_default();
    *slot = map.next_value_seed(Seed(base))?;
    Ok(true)
}

/// A type that fields have.
pub(crate) trait Value {
    /// How it is read.
    type Wire: for<'de> Deserialize<'de>;

    fn from_wire(wire: Self::Wire) -> Self;
}

macro_rules! plain {
    ($($plain:ty),*) => {
        $(impl Value for $plain {
            type Wire = Self;

            fn from_wire(wire: Self) -> Self {
                wire
            }
        })*
    };
}

plain!(bool, u8, u64);

macro_rules! signed {
    ($($signed:ty),*) => {
        $(impl Value for $signed {
            type Wire = Signed<Self>;

            fn from_wire(wire: Signed<Self>) -> Self {
                wire.0
            }
        })*
    };
}

signed!(i32, i64);

/// A number that may be negative, read from its digits: `-0` is zero, which `serde_json` takes for a fraction.
pub(crate) struct Signed<T>(T);

impl<'de, T: FromStr> Deserialize<'de> for Signed<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let digits = <&RawValue>::deserialize(deserializer)?.get();
        digits.parse().map(Signed).map_err(|_| serde::de::Error::custom("not a whole number in range"))
    }
}

impl Value for String {
    type Wire = Text;

    fn from_wire(wire: Text) -> Self {
        wire.0
    }
}

impl Value for Vec<String> {
    type Wire = Vec<Option<Text>>;

    fn from_wire(wire: Self::Wire) -> Self {
        wire.into_iter().map(|text| text.map(|Text(text)| text).unwrap_or_default()).collect()
    }
}

impl Value for Vec<u8> {
    type Wire = Base64;

    fn from_wire(wire: Base64) -> Self {
        wire.0
    }
}

/// Bytes, in the form that JSON has them.
pub(crate) struct Base64(Vec<u8>);

impl<'de> Deserialize<'de> for Base64 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Text(text) = Text::deserialize(deserializer)?;
        BASE64.decode(text.as_bytes()).map(Base64).map_err(|_| serde::de::Error::custom("not base64"))
    }
}

/// Writes bytes as JSON has them.
pub(crate) fn base64<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&BASE64.encode(bytes))
}

/// A string, whatever its bytes.
pub(crate) struct Text(String);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bytes(PhantomData<Text>);
        impl Visitor<'_> for Bytes {
            type Value = Text;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_str<E>(self, text: &str) -> Result<Text, E> {
                Ok(Text(text.to_owned()))
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Text, E> {
                Ok(Text(replace_invalid(bytes)))
            }
        }
        deserializer.deserialize_bytes(Bytes(PhantomData))
    }
}

/// Puts one U+FFFD for every byte that is no UTF-8, and one for every half of a surrogate pair.
fn replace_invalid(mut bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    loop {
        let valid = match std::str::from_utf8(bytes) {
            Ok(rest) => {
                text.push_str(rest);
                return text;
            }
            Err(error) => error.valid_up_to(),
        };
        text.push_str(std::str::from_utf8(&bytes[..valid]).expect("checked just now"));
        text.push(char::REPLACEMENT_CHARACTER);
        let bad = &bytes[valid..];
        let width = if matches!(bad, [0xed, 0xa0..=0xbf, 0x80..=0xbf, ..]) { 3 } else { 1 };
        bytes = &bad[width..];
    }
}

/// Appends `value` as JSON.
pub(crate) fn write<T: Serialize>(out: &mut Vec<u8>, value: &T) {
    let mut serializer = serde_json::Serializer::with_formatter(out, Escaping(CompactFormatter));
    value.serialize(&mut serializer).expect("plain structs have a JSON form and a Vec takes every write");
}

/// The compact form, in which text can stand inside HTML and JavaScript.
struct Escaping(CompactFormatter);

impl Formatter for Escaping {
    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        let mut rest = fragment;
        while let Some(at) = rest.find(['<', '>', '&', '\u{2028}', '\u{2029}']) {
            let (plain, special) = rest.split_at(at);
            let character = special.chars().next().expect("find found one");
            self.0.write_string_fragment(writer, plain)?;
            write!(writer, "\\u{:04x}", u32::from(character))?;
            rest = &special[character.len_utf8()..];
        }
        self.0.write_string_fragment(writer, rest)
    }
}
