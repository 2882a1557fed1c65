//! One stored message as the API tells it: its headers and body are base64.

use data_encoding::BASE64;
use serde_json::Value as Json;

use super::value::{count, text, time};
use crate::client::error::CliError;
use crate::client::out;

/// Shows `message`, the object of an answer called that.
pub(super) fn show(message: &Json, json: bool, raw: bool) -> Result<(), CliError> {
    if json {
        return out::write(out::json(message).as_bytes());
    }
    let body = decoded(message, "/data");
    if raw {
        return out::write(&[body.as_slice(), b"\n"].concat());
    }
    out::write(&page(message, &body))
}

/// The message as `martlet sub` shows one: headers, an empty line, the body.
fn page(message: &Json, body: &[u8]) -> Vec<u8> {
    let (seq, subject, time) = (count(message, "/seq"), text(message, "/subject"), time(message, "/time"));
    let mut page = format!("[#{seq}] Stored on {subject:?} at {time}\n").into_bytes();
    let headers = headers(&decoded(message, "/hdrs"));
    for (name, value) in &headers {
        page.extend_from_slice(format!("{name}: {value}\n").as_bytes());
    }
    if !headers.is_empty() {
        page.push(b'\n');
    }
    page.extend_from_slice(body);
    if !body.ends_with(b"\n") {
        page.push(b'\n');
    }
    page
}

/// Bytes that stand there as base64; what is no base64 reads as nothing.
pub(super) fn decoded(message: &Json, pointer: &str) -> Vec<u8> {
    BASE64.decode(text(message, pointer).as_bytes()).unwrap_or_default()
}

/// The pairs of a header block, without its first line.
pub(super) fn headers(block: &[u8]) -> Vec<(String, String)> {
    let text = String::from_utf8_lossy(block);
    let pairs = text.split("\r\n").skip(1).filter_map(|line| line.split_once(':'));
    pairs.map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_stored_message_is_shown_whole() {
        let message = json!({
            "subject": "a.b", "seq": 7, "time": "2026-01-02T03:04:05.6Z",
            "hdrs": BASE64.encode(b"NATS/1.0\r\nB: 2\r\nA:1\r\n\r\n"), "data": BASE64.encode(b"hi"),
        });
        let page = String::from_utf8(page(&message, b"hi")).unwrap();
        assert_eq!(page, "[#7] Stored on \"a.b\" at 2026-01-02T03:04:05Z\nB: 2\nA: 1\n\nhi\n");
        assert_eq!(decoded(&message, "/data"), b"hi");
        assert!(decoded(&message, "/none").is_empty());
    }
}
