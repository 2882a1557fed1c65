//! Messages on the screen and in files, in the official command's formats.

use std::path::Path;

use async_nats::Message;
use data_encoding::BASE64;
use serde::Serialize;

use super::error::CliError;
use super::{header, out};

/// `[#1] Received on "a.b" with reply "r"`.
pub(crate) fn heading(number: u64, message: &Message) -> String {
    match &message.reply {
        Some(reply) => format!("[#{number}] Received on {:?} with reply {:?}\n", &*message.subject, &**reply),
        None => format!("[#{number}] Received on {:?}\n", &*message.subject),
    }
}

/// Headers, an empty line, the body, and an empty line unless the body ends its own.
pub(crate) fn pretty(message: &Message, headers_only: bool) -> Vec<u8> {
    let mut text = Vec::with_capacity(message.payload.len() + 64);
    let headers = headers(message);
    for (name, value) in &headers {
        text.extend_from_slice(format!("{name}: {value}\n").as_bytes());
    }
    if !headers.is_empty() {
        text.push(b'\n');
    }
    if !headers_only {
        text.extend_from_slice(&message.payload);
        text.push(b'\n');
        if !message.payload.ends_with(b"\n") {
            text.push(b'\n');
        }
    }
    text
}

/// The body and a line break.
pub(crate) fn raw(message: &Message) -> Vec<u8> {
    let mut text = message.payload.to_vec();
    text.push(b'\n');
    text
}

/// The message's headers, with the status line as headers of its own.
pub(crate) fn headers(message: &Message) -> Vec<(String, String)> {
    let status = message.status.map(|status| ("Status".to_owned(), status.to_string()));
    let description = message.description.clone().map(|text| ("Description".to_owned(), text));
    let own = message.headers.as_ref().map_or_else(Vec::new, header::pairs);
    status.into_iter().chain(description).chain(own).collect()
}

/// A message as `--dump` writes it; names and order are the official command's.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Dump<'a> {
    subject: &'a str,
    reply: &'a str,
    header: Option<std::collections::BTreeMap<String, Vec<String>>>,
    data: String,
    sub: Option<()>,
}

/// The message as one JSON object.
pub(crate) fn json(message: &Message) -> String {
    let mut map = std::collections::BTreeMap::<String, Vec<String>>::new();
    for (name, value) in headers(message) {
        map.entry(name).or_default().push(value);
    }
    let dump = Dump {
        subject: &message.subject,
        reply: message.reply.as_ref().map_or("", |reply| reply),
        header: if map.is_empty() { None } else { Some(map) },
        data: BASE64.encode(&message.payload),
        sub: None,
    };
    serde_json::to_string(&dump).expect("texts and lists of texts always have a JSON form")
}

/// Writes message `number` into `directory`, or to standard output with a zero byte if that is `-`.
pub(crate) fn dump(number: u64, message: &Message, directory: &Path) -> Result<(), CliError> {
    let text = json(message);
    if directory == Path::new("-") {
        return out::write(format!("{text}\0").as_bytes());
    }
    let file = directory.join(format!("{number}.json"));
    std::fs::write(&file, text).map_err(|source| CliError::Write { what: file.display().to_string(), source })
}

#[cfg(test)]
mod tests {
    use async_nats::{HeaderMap, StatusCode};

    use super::*;

    fn message(body: &'static str, reply: Option<&'static str>, headers: &[(&'static str, &'static str)]) -> Message {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, *value);
        }
        Message {
            subject: "a.b".into(),
            reply: reply.map(Into::into),
            payload: body.into(),
            headers: (!headers.is_empty()).then_some(map),
            status: None,
            description: None,
            length: 0,
        }
    }

    #[test]
    fn messages_look_as_the_official_command_shows_them() {
        assert_eq!(heading(1, &message("", None, &[])), "[#1] Received on \"a.b\"\n");
        assert_eq!(heading(2, &message("", Some("r"), &[])), "[#2] Received on \"a.b\" with reply \"r\"\n");
        let cases = [
            ("hi", vec![], false, "hi\n\n"),
            ("hi\n", vec![], false, "hi\n\n"),
            ("hi", vec![("B", "2"), ("A", "1")], false, "A: 1\nB: 2\n\nhi\n\n"),
            ("hi", vec![("A", "1")], true, "A: 1\n\n"),
            ("", vec![], false, "\n\n"),
        ];
        for (body, headers, headers_only, expected) in cases {
            let text = pretty(&message(body, None, &headers), headers_only);
            assert_eq!(String::from_utf8(text).unwrap(), expected);
        }
        assert_eq!(raw(&message("hi", None, &[])), b"hi\n");
    }

    #[test]
    fn a_status_line_is_shown_as_headers() {
        let mut message = message("", None, &[]);
        message.status = Some(StatusCode::NO_RESPONDERS);
        assert_eq!(pretty(&message, true), b"Status: 503\n\n");
    }

    #[test]
    fn dumps_have_the_official_fields() {
        let plain = json(&message("hi", None, &[]));
        assert_eq!(plain, r#"{"Subject":"a.b","Reply":"","Header":null,"Data":"aGk=","Sub":null}"#);
        let full = json(&message("", Some("r"), &[("A", "1"), ("A", "2")]));
        assert_eq!(full, r#"{"Subject":"a.b","Reply":"r","Header":{"A":["1","2"]},"Data":"","Sub":null}"#);
    }
}
