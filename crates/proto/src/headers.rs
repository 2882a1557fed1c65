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

#[cfg(test)]
mod tests {
    use super::*;

    const BLOCK: &[u8] = b"NATS/1.0\r\nA: 1\r\nBB:2\r\nA: 3\r\nxA: 4\r\nC:   spaced out \r\nD:\r\n\r\n";

    #[test]
    fn the_first_header_of_exactly_that_name() {
        // spec: CORE-069
        for (name, value) in [
            ("A", Some("1")),
            ("BB", Some("2")),
            ("B", None),
            ("a", None),
            ("xA", Some("4")),
            ("C", Some("spaced out ")),
            ("D", Some("")),
            ("NATS/1.0", None),
            ("", None),
        ] {
            assert_eq!(get(BLOCK, name.as_bytes()), value.map(str::as_bytes), "{name}");
        }
        assert_eq!(get(b"NATS/1.0\nA: 1\r\n\r\n", b"A"), None, "a line starts behind CRLF");
        assert_eq!(get(b"A: 1\r\n", b"A"), None, "the first line is the version");
        assert_eq!(get(b"NATS/1.0\r\nA: 1", b"A"), Some(&b"1"[..]), "without an end the value is the rest");
        assert_eq!(get(b"", b"A"), None);
    }

    #[test]
    fn set_replaces_in_place_or_appends() {
        // spec: CORE-069
        for (before, name, value, after) in [
            ("NATS/1.0\r\nA: 1\r\nB: 2\r\n\r\n", "A", "longer", "NATS/1.0\r\nA: longer\r\nB: 2\r\n\r\n"),
            ("NATS/1.0\r\nA: long\r\nA: 2\r\n\r\n", "A", "", "NATS/1.0\r\nA: \r\nA: 2\r\n\r\n"),
            ("NATS/1.0\r\nA:1\r\n\r\n", "A", "2", "NATS/1.0\r\nA:2\r\n\r\n"),
            ("NATS/1.0\r\nA: 1\r\n\r\n", "B", "2", "NATS/1.0\r\nA: 1\r\nB: 2\r\n\r\n"),
            ("NATS/1.0\r\n\r\n", "B", "2", "NATS/1.0\r\nB: 2\r\n\r\n"),
            ("", "B", "2", "NATS/1.0\r\nB: 2\r\n\r\n"),
            ("NATS/1.0\r\nA: 1", "A", "2", "NATS/1.0\r\nA: 1"), // without an end there is nothing safe to do
        ] {
            let mut headers = before.as_bytes().to_vec();
            set(&mut headers, name.as_bytes(), value.as_bytes());
            assert_eq!(String::from_utf8_lossy(&headers), after, "{before:?} {name}");
        }
    }

    #[test]
    fn remove_takes_every_one() {
        let mut headers = BLOCK.to_vec();
        remove(&mut headers, b"A");
        assert_eq!(get(&headers, b"A"), None);
        assert_eq!(get(&headers, b"xA"), Some(&b"4"[..]));
        let mut last = b"NATS/1.0\r\nA: 1\r\n\r\n".to_vec();
        remove(&mut last, b"A");
        assert_eq!(last, b"");
    }

    #[test]
    fn status_and_list_and_payload() {
        for (headers, expected) in [
            ("NATS/1.0 503\r\n\r\n", Some("503")),
            ("NATS/1.0 408 Request Timeout\r\nA: 1\r\n\r\n", Some("408 Request Timeout")),
            ("NATS/1.0\r\nA: 1\r\n\r\n", None),
            ("nonsense", None),
        ] {
            assert_eq!(status(headers.as_bytes()), expected.map(str::as_bytes), "{headers:?}");
        }
        let listed: Vec<_> = iter(b"NATS/1.0 1\r\nA: 1\r\nno colon\r\nB:2:3\r\n\r\nC: 4\r\n").collect();
        assert_eq!(listed, [(&b"A"[..], &b"1"[..]), (b"B", b"2:3")]);
        assert_eq!(strip(b"NATS/1.0\r\n\r\nhi", 12), b"hi");
        assert_eq!(strip(b"hi", 12), b"");
    }

    proptest::proptest! {
        #[test]
        fn what_was_set_is_found(
            names in proptest::collection::vec(("[A-C]{1,2}", "[ -~]{0,6}"), 0..6), name in "[A-C]{1,2}", value in "[!-~]{0,8}",
        ) {
            let mut headers = Vec::new();
            for (name, value) in &names {
                set(&mut headers, name.as_bytes(), value.as_bytes());
            }
            set(&mut headers, name.as_bytes(), value.as_bytes());
            proptest::prop_assert_eq!(get(&headers, name.as_bytes()), Some(value.as_bytes()));
            let listed = iter(&headers).filter(|(listed, _)| *listed == name.as_bytes()).count();
            proptest::prop_assert_eq!(listed, 1);
        }

        #[test]
        fn no_bytes_make_it_panic(
            headers in proptest::collection::vec(proptest::sample::select(&b"NATS/1.0\r\n: AB"[..]), 0..60),
            name in proptest::collection::vec(proptest::sample::select(&b"\r\n: AB"[..]), 0..4),
        ) {
            let _ = (get(&headers, &name), status(&headers), iter(&headers).count());
            set(&mut headers.clone(), &name, b"value");
            remove(&mut headers.clone(), &name);
        }
    }
}
