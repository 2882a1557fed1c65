//! The arguments of a request as the JSON object in its body, with the errors that users know.
//!
//! Names are told apart without regard to case, and unknown ones are passed over. `null` says nothing. Of several members
//! with one name the last one counts. Among values of wrong types, the first in the body is the error.

mod scan;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use scan::{Found, Kind, outline};

pub use scan::SyntaxError;

/// Why a body does not say what it should.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// It is no JSON.
    #[error(transparent)]
    Syntax(#[from] SyntaxError),
    /// It is no object.
    #[error("json: cannot unmarshal {found} into Go value of type server.{options}")]
    NoObject {
        /// What it is.
        found: &'static str,
        /// What the options are called.
        options: &'static str,
    },
    /// A member of a wrong type.
    #[error("json: cannot unmarshal {found} into Go struct field {options}.{member} of type {wanted}")]
    Member {
        /// What it is.
        found: String,
        /// What the options are called.
        options: &'static str,
        /// Its name, as the body has it.
        member: String,
        /// The type it should have.
        wanted: &'static str,
    },
    /// An element, in a list of texts, that is none.
    #[error("json: cannot unmarshal {found} into {options}.{member}.{index} of type string")]
    Element {
        /// What it is.
        found: &'static str,
        /// What the options are called.
        options: &'static str,
        /// The name of the list, as the body has it.
        member: String,
        /// Its place in the list.
        index: usize,
    },
}

/// The members of a JSON object.
///
/// Values are asked for by name; whether all of them made sense is known at the end, from [`Body::finish`].
#[derive(Debug)]
pub struct Body<'a> {
    bytes: &'a [u8],
    options: &'static str,
    members: Vec<(Cow<'a, str>, Found)>,
    /// The error of the value that stands first, and where it stands.
    error: Option<(usize, BodyError)>,
}

impl<'a> Body<'a> {
    /// Reads a body; nothing at all says nothing. Errors call the options `options`.
    // spec: CLU-090
    pub fn parse(bytes: &'a [u8], options: &'static str) -> Result<Self, BodyError> {
        let mut body = Self { bytes, options, members: Vec::new(), error: None };
        if bytes.is_empty() {
            return Ok(body);
        }
        let outline = outline(bytes)?;
        match outline.kind {
            Kind::Object => {}
            Kind::Null => return Ok(body),
            other => return Err(BodyError::NoObject { found: other.name(), options }),
        }
        body.members = outline.inner.into_iter().map(|(name, value)| (text(&bytes[name]), value)).collect();
        Ok(body)
    }

    /// True or false; false without one.
    pub fn bool(&mut self, name: &'static str) -> bool {
        self.last(name, "bool", |value, bytes| match value.kind {
            Kind::Bool => Ok(bytes == b"true"),
            other => Err(other.name().into()),
        })
        .unwrap_or_default()
    }

    /// A number with or without a sign; 0 without one.
    pub fn int(&mut self, name: &'static str) -> i64 {
        self.int_as(name, "int")
    }

    /// The same, where errors call its type `wanted`.
    pub(crate) fn int_as(&mut self, name: &'static str, wanted: &'static str) -> i64 {
        self.last(name, wanted, |value, bytes| number(value.kind, bytes)).unwrap_or_default()
    }

    /// A number without a sign; 0 without one.
    pub fn uint(&mut self, name: &'static str) -> u64 {
        self.last(name, "uint64", |value, bytes| number(value.kind, bytes)).unwrap_or_default()
    }

    /// A text; empty without one.
    pub fn text(&mut self, name: &'static str) -> String {
        self.text_as(name, "string")
    }

    /// The same, where errors call its type `wanted`.
    pub(crate) fn text_as(&mut self, name: &'static str, wanted: &'static str) -> String {
        self.some_text(name, wanted).unwrap_or_default()
    }

    /// The same, where a text that is empty is not none.
    pub fn some_text(&mut self, name: &'static str, wanted: &'static str) -> Option<String> {
        self.last(name, wanted, |value, bytes| match value.kind {
            Kind::String => Ok(text(bytes).into_owned()),
            other => Err(other.name().into()),
        })
    }

    /// Bytes, written in base64; `None` without them.
    pub fn bytes(&mut self, name: &'static str) -> Option<Vec<u8>> {
        self.last(name, "[]uint8", |value, bytes| match value.kind {
            Kind::String => {
                let text: String = text(bytes).chars().filter(|c| !matches!(c, '\r' | '\n')).collect();
                data_encoding::BASE64.decode(text.as_bytes()).map_err(|_| value.kind.name().into())
            }
            other => Err(other.name().into()),
        })
    }

    /// A list of texts; empty without one. In it, `null` is an empty text.
    pub fn texts(&mut self, name: &'static str) -> Vec<String> {
        let lists = self.all(name);
        let mut texts = Vec::new();
        for (member, list) in lists {
            let options = self.options;
            match list.kind {
                Kind::Null => texts.clear(),
                Kind::Array => {
                    let bytes = &self.bytes[list.at.clone()];
                    let elements = outline(bytes).map(|outline| outline.inner).unwrap_or_default();
                    texts.clear();
                    for (index, (_, element)) in elements.into_iter().enumerate() {
                        match element.kind {
                            Kind::String => texts.push(text(&bytes[element.at]).into_owned()),
                            Kind::Null => texts.push(String::new()),
                            other => {
                                let (found, member) = (other.name(), member.clone());
                                let error = BodyError::Element { found, options, member, index };
                                self.refuse(list.at.start + element.at.start, error);
                            }
                        }
                    }
                }
                other => {
                    let found = other.name().into();
                    self.refuse(list.at.start, BodyError::Member { found, options, member, wanted: "[]string" });
                }
            }
        }
        texts
    }

    /// Whether everything that was asked for made sense.
    pub fn finish(self) -> Result<(), BodyError> {
        self.error.map_or(Ok(()), |(_, error)| Err(error))
    }

    /// The members of that name, as the body has it.
    fn all(&self, name: &str) -> Vec<(String, Found)> {
        let called = self.members.iter().filter(|(member, _)| is_called(member, name));
        called.map(|(member, value)| (member.clone().into_owned(), value.clone())).collect()
    }

    /// The last value of that name that `read` can read; the others are errors.
    fn last<T>(
        &mut self,
        name: &'static str,
        wanted: &'static str,
        read: impl Fn(&Found, &[u8]) -> Result<T, String>,
    ) -> Option<T> {
        let mut last = None;
        for (member, value) in self.all(name) {
            if value.kind == Kind::Null {
                continue;
            }
            match read(&value, &self.bytes[value.at.clone()]) {
                Ok(read) => last = Some(read),
                Err(found) => {
                    let error = BodyError::Member { found, options: self.options, member, wanted };
                    self.refuse(value.at.start, error);
                }
            }
        }
        last
    }

    fn refuse(&mut self, at: usize, error: BodyError) {
        if self.error.as_ref().is_none_or(|(first, _)| at < *first) {
            self.error = Some((at, error));
        }
    }
}

/// A whole number that fits, or what was found instead.
fn number<N: std::str::FromStr>(kind: Kind, bytes: &[u8]) -> Result<N, String> {
    let text = String::from_utf8_lossy(bytes);
    match kind {
        Kind::Number => text.parse().map_err(|_| format!("number {text}")),
        other => Err(other.name().into()),
    }
}

/// Whether a member that is called `name` answers to `wanted`, which is in lower case.
fn is_called(name: &str, wanted: &str) -> bool {
    let lower = |letter: char| match letter {
        // The long s and the Kelvin sign are letters of the same name.
        'ſ' => 's',
        '\u{212a}' => 'k',
        other => other.to_ascii_lowercase(),
    };
    name.chars().map(lower).eq(wanted.chars())
}

/// What a string says, of which the syntax has been checked. Bytes and halves of pairs that mean nothing become
/// replacement characters.
fn text(quoted: &[u8]) -> Cow<'_, str> {
    let inside = &quoted[1..quoted.len() - 1];
    if !inside.contains(&b'\\') {
        return String::from_utf8_lossy(inside);
    }
    let inside = String::from_utf8_lossy(inside);
    let mut out = String::with_capacity(inside.len());
    let mut rest = inside.chars();
    let mut units: Vec<u16> = Vec::new();
    while let Some(character) = rest.next() {
        let escaped = if character == '\\' { rest.next() } else { None };
        if escaped == Some('u') {
            let hex: String = rest.by_ref().take(4).collect();
            units.push(u16::from_str_radix(&hex, 16).unwrap_or(0xfffd));
            continue;
        }
        flush(&mut units, &mut out);
        out.push(match escaped {
            Some('b') => '\u{8}',
            Some('f') => '\u{c}',
            Some('n') => '\n',
            Some('r') => '\r',
            Some('t') => '\t',
            Some(other) => other,
            None => character,
        });
    }
    flush(&mut units, &mut out);
    Cow::Owned(out)
}

/// Moves escaped UTF-16 over.
fn flush(units: &mut Vec<u16>, out: &mut String) {
    out.extend(char::decode_utf16(units.drain(..)).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)));
}
