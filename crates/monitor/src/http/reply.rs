//! An answer before it is bytes on a connection.

use serde::Serialize;
use serde_json::ser::{PrettyFormatter, Serializer};

/// Status, headers and body of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Vec<u8>,
}

/// How JSON is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    Compact,
    Indented(&'static str),
}

const PLAIN: &str = "text/plain; charset=utf-8";

impl Reply {
    fn new(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self { status, headers: vec![("content-type", content_type.into())], body: body.into() }
    }

    /// A view.
    // spec: CLU-098 CLU-099
    pub(super) fn json(status: u16, layout: Layout, value: &impl Serialize) -> Self {
        Self::as_json(status, to_json(layout, value))
    }

    /// A body that is called JSON.
    pub(super) fn as_json(status: u16, body: Vec<u8>) -> Self {
        Self::new(status, "application/json", body).with("access-control-allow-origin", "*")
    }

    /// What was asked makes no sense, or is not there.
    pub(super) fn refused(status: u16, text: impl Into<String>) -> Self {
        Self::new(status, PLAIN, text.into())
    }

    /// A body of some other type.
    pub(super) fn typed(content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self::new(200, content_type, body)
    }

    /// No such endpoint.
    // spec: CLU-100 CLU-153 CLU-157 CLU-158 CLU-160
    pub(super) fn not_found() -> Self {
        Self::refused(404, "404 page not found\n").with("x-content-type-options", "nosniff")
    }

    /// The path says nothing.
    pub(super) fn bad_path() -> Self {
        Self::refused(400, "400 Bad Request").with("connection", "close")
    }

    /// Credentials are needed.
    pub(super) fn unauthorized() -> Self {
        Self::refused(401, "Unauthorized\n").with("www-authenticate", "Basic realm=\"monitoring\"")
    }

    /// The same, at its clean path. Browsers are shown a link.
    // spec: CLU-159
    pub(super) fn moved(location: &str, get: bool) -> Self {
        let body =
            if get { format!("<a href=\"{}\">Temporary Redirect</a>.\n\n", escape(location)) } else { String::new() };
        Self::new(307, "text/html; charset=utf-8", body).with("location", location)
    }

    pub(super) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

/// Text inside HTML.
pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// JSON in which `<`, `>` and `&` are escaped, so that no browser takes it for HTML.
pub(super) fn to_json(layout: Layout, value: &impl Serialize) -> Vec<u8> {
    let mut bytes = Vec::new();
    let written = match layout {
        Layout::Compact => value.serialize(&mut Serializer::new(&mut bytes)),
        Layout::Indented(indent) => {
            let formatter = PrettyFormatter::with_indent(indent.as_bytes());
            value.serialize(&mut Serializer::with_formatter(&mut bytes, formatter))
        }
    };
    written.expect("views have string keys and are written to memory");
    if !bytes.iter().any(|byte| matches!(byte, b'<' | b'>' | b'&')) {
        return bytes;
    }
    // These three occur only inside strings, where an escape means the same.
    let mut escaped = Vec::with_capacity(bytes.len() + 64);
    for byte in bytes {
        match byte {
            b'<' => escaped.extend_from_slice(b"\\u003c"),
            b'>' => escaped.extend_from_slice(b"\\u003e"),
            b'&' => escaped.extend_from_slice(b"\\u0026"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_laid_out_and_safe_in_a_browser() {
        // spec: CLU-099
        let value = serde_json::json!({"a": ["<b>", "&"], "c": {}, "d": []});
        let text = |layout| String::from_utf8(to_json(layout, &value)).unwrap();
        assert_eq!(text(Layout::Compact), r#"{"a":["\u003cb\u003e","\u0026"],"c":{},"d":[]}"#);
        assert_eq!(
            text(Layout::Indented("  ")),
            "{\n  \"a\": [\n    \"\\u003cb\\u003e\",\n    \"\\u0026\"\n  ],\n  \"c\": {},\n  \"d\": []\n}"
        );
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text(Layout::Compact)).unwrap(), value);
    }

    #[test]
    fn a_moved_path_cannot_carry_markup() {
        let body = String::from_utf8(Reply::moved("/a?\"><script>", true).body).unwrap();
        assert!(!body.contains("<script>"), "{body}");
        assert!(Reply::moved("/a", false).body.is_empty());
    }
}
