//! JSON as the API reads and writes it.
//!
//! Existing clients were written against a decoder and an encoder with habits of their own, and their users know the
//! words of their faults: names match in any case; `null` leaves a field as it was; a name given twice is taken again;
//! several documents may follow each other, each laid over the one before; text that is no UTF-8 has its bad parts
//! replaced; unknown names are refused unless the server is lenient. Writing escapes `<`, `>` and `&`.
//!
//! | module | what lives there |
//! |---|---|
//! | `scan` | where a value ends, and syntax errors |
//! | `read` | values into types |
//! | `words` | types that are one word of a few |
//! | `write` | types into values |
//! | `time`, `quote` | points in time; text in error texts |
//!
//! Invariant: what a request says is kept as it was said. Whether it makes sense is asked elsewhere.

pub(crate) mod quote;
pub(crate) mod read;
mod scan;
pub(crate) mod time;
mod words;
pub(crate) mod write;

pub use read::{Given, Int, Nanos};
pub use write::{Object, ToJson, encode};

use self::read::{Raw, Read, Reader};
use self::scan::Syntax;
use super::ApiError;

/// Whether names that nobody knows are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Strictness {
    /// They are.
    #[default]
    Strict,
    /// They are passed over.
    Lenient,
}

/// Reads a request's body; nothing but white space leaves everything as it is by default.
// spec: JS-005 NEW-001
pub(crate) fn decode<T: Read + Default>(body: &[u8], strictness: Strictness) -> Result<T, ApiError> {
    let result = documents(body).or_else(|error| match strictness {
        Strictness::Strict => Err(error),
        Strictness::Lenient => decode_whole(body),
    });
    result.map_err(ApiError::invalid_json)
}

/// Every document in turn.
fn documents<T: Read + Default>(body: &[u8]) -> Result<T, String> {
    let mut target = T::default();
    let mut at = scan::skip_space(body, 0);
    while at < body.len() {
        let end = scan::value_end(body, at).map_err(|syntax| match syntax {
            Syntax::Truncated => "unexpected EOF".to_owned(),
            Syntax::Fault { words, end } => format!("{words} at offset {end}"),
        })?;
        target.read(Raw::new(&body[at..end]), &mut Reader::new::<T>(true))?;
        at = scan::skip_space(body, end);
    }
    Ok(target)
}

/// Reads a body in which unknown names are always passed over, and which must be there.
pub(crate) fn decode_lenient<T: Read + Default>(body: &[u8]) -> Result<T, ApiError> {
    decode_whole(body).map_err(ApiError::invalid_json)
}

/// Whether a body says nothing: there is none, or it is an object without fields.
// spec: JS-006
pub(crate) fn is_empty(body: &[u8]) -> bool {
    let start = scan::skip_space(body, 0);
    let end = scan::value_end(body, start);
    body.is_empty()
        || end.is_ok_and(|end| {
            let object = &body[start..end];
            let is_blank = object[0] == b'{' && object[scan::skip_space(object, 1)] == b'}';
            is_blank && scan::after_top_level(body, end).is_ok()
        })
}

/// Whether a body looks like an object or an array; some requests pass over everything else.
// spec: JS-006
pub(crate) fn is_composite(body: &[u8]) -> bool {
    matches!(body.get(scan::skip_space(body, 0)), Some(b'{' | b'['))
}

/// Exactly one document, whose unknown names are passed over; the error is in words.
pub(crate) fn decode_whole<T: Read + Default>(body: &[u8]) -> Result<T, String> {
    let at = scan::skip_space(body, 0);
    let end = scan::value_end(body, at).and_then(|end| scan::after_top_level(body, end).map(|()| end));
    let end = end.map_err(|syntax| match syntax {
        Syntax::Truncated => "unexpected end of JSON input".to_owned(),
        Syntax::Fault { words, .. } => words,
    })?;
    let mut target = T::default();
    target.read(Raw::new(&body[at..end]), &mut Reader::new::<T>(false))?;
    Ok(target)
}

#[cfg(test)]
mod tests;
