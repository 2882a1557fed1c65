//! The header block of a message: a version line, `name: value` lines, an empty line, all ended by CRLF.
//!
//! Publishers may send any bytes as headers and they are passed on untouched; this module is for those who need to look inside.
//! Names are compared letter by letter, at the start of a line that follows a CRLF, and the first line of a name counts.
//!
//! Invariant: malformed blocks are never an error. What cannot be found is absent.

use memchr::memmem;

/// The version line that every block begins with.
pub const VERSION_LINE: &[u8] = b"NATS/1.0\r\n";

const CRLF: &[u8] = b"\r\n";

/// The value of the first header called `name`.
// spec: CORE-069
pub fn get<'a>(headers: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let start = find(headers, name)? + name.len() + 1;
    let value = &headers[start..];
    let blanks = value.iter().take_while(|&&byte| byte == b' ').count();
    let value = &value[blanks..];
    Some(&value[..memmem::find(value, CRLF).unwrap_or(value.len())])
}

/// Gives `name` this value: in the first header of that name if there is one, else in a new line at the end.
///
/// A block that is empty becomes a new one.
// spec: CORE-069
pub fn set(headers: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    if let Some(at) = find(headers, name) {
        let mut start = at + name.len() + 1;
        start += usize::from(headers.get(start) == Some(&b' '));
        if let Some(len) = memchr::memchr(b'\r', &headers[start..]) {
            headers.splice(start..start + len, value.iter().copied());
        }
        return;
    }
    if headers.is_empty() {
        headers.extend_from_slice(VERSION_LINE);
        headers.extend_from_slice(CRLF);
    }
    let ended = headers.ends_with(CRLF);
    if ended {
        headers.truncate(headers.len() - CRLF.len());
    }
    headers.reserve(name.len() + value.len() + 6);
    headers.extend_from_slice(name);
    headers.extend_from_slice(b": ");
    headers.extend_from_slice(value);
    headers.extend_from_slice(CRLF);
    if ended {
        headers.extend_from_slice(CRLF);
    }
}

/// Removes every header called `name`. A block without headers left becomes empty.
pub fn remove(headers: &mut Vec<u8>, name: &[u8]) {
    while let Some(start) = find(headers, name) {
        let Some(len) = memmem::find(&headers[start..], CRLF) else { return };
        headers.drain(start..start + len + CRLF.len());
        if headers.len() <= VERSION_LINE.len() + CRLF.len() {
            headers.clear();
        }
    }
}

/// What follows the version on the first line, e.g. `503` or `408 Request Timeout`; `None` without a status.
pub fn status(headers: &[u8]) -> Option<&[u8]> {
    let line = &headers[..memmem::find(headers, CRLF)?];
    let status = line.strip_prefix(b"NATS/1.0")?.trim_ascii();
    if status.is_empty() { None } else { Some(status) }
}

/// The headers in order, as name and value; lines without a colon are passed over.
pub fn iter(headers: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let first = memmem::find(headers, CRLF).map_or(headers.len(), |at| at + CRLF.len());
    let mut rest = &headers[first..];
    std::iter::from_fn(move || {
        loop {
            let end = memmem::find(rest, CRLF)?;
            let line = &rest[..end];
            rest = &rest[end + CRLF.len()..];
            if line.is_empty() {
                return None;
            }
            if let Some(colon) = memchr::memchr(b':', line) {
                return Some((&line[..colon], line[colon + 1..].trim_ascii_start()));
            }
        }
    })
}

/// The message without its headers.
pub fn strip(headers_and_payload: &[u8], header_len: usize) -> &[u8] {
    headers_and_payload.get(header_len..).unwrap_or_default()
}

/// Where the first line that begins with `name` and a colon starts.
fn find(headers: &[u8], name: &[u8]) -> Option<usize> {
    memmem::find_iter(headers, name)
        .find(|&at| headers[..at].ends_with(CRLF) && headers.get(at + name.len()) == Some(&b':'))
}
