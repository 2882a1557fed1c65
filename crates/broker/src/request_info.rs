//! Telling a service who asked (`share`, SEC-049).

use martlet_proto::headers;
use serde::Serialize;

use crate::imports::ServiceImport;
use crate::router::{Message, Origin};

/// The header that carries it.
const HEADER: &[u8] = b"Nats-Request-Info";

/// A message with the header set.
#[derive(Debug)]
pub(crate) struct WithInfo {
    body: Vec<u8>,
    header_len: usize,
    header_text: String,
    size_text: String,
}

impl WithInfo {
    /// The message to route instead.
    pub(crate) fn message<'a>(&'a self, subject: &'a [u8], reply: &'a [u8]) -> Message<'a> {
        Message {
            subject,
            reply,
            header_len: Some(self.header_len),
            header_text: self.header_text.as_bytes(),
            size_text: self.size_text.as_bytes(),
            body: &self.body,
            shared: None,
        }
    }
}

#[derive(Serialize)]
struct Info<'a> {
    acc: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    rtt: Option<u64>,
    #[serde(skip_serializing_if = "str::is_empty")]
    host: &'a str,
    #[serde(skip_serializing_if = "is_zero")]
    id: u64,
    #[serde(skip_serializing_if = "str::is_empty")]
    user: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    lang: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    ver: &'a str,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(n: &u64) -> bool {
    *n == 0
}

/// The message with who asked, if the import shares it.
pub(crate) fn attach(import: &ServiceImport, origin: &Origin<'_>, message: &Message<'_>) -> Option<WithInfo> {
    let peer = origin.peer.filter(|_| import.share)?;
    let description = peer.description();
    let info = Info {
        acc: &import.importer_name,
        rtt: peer.rtt().map(|rtt| u64::try_from(rtt.as_nanos()).unwrap_or(u64::MAX)),
        host: &description.ip,
        id: peer.cid(),
        user: &description.user,
        name: &description.name,
        lang: &description.lang,
        ver: &description.version,
    };
    let mut body = match message.headers() {
        [] => [headers::VERSION_LINE, b"\r\n"].concat(),
        there => there.to_vec(),
    };
    let json = serde_json::to_vec(&info).expect("strings and numbers are JSON");
    headers::set(&mut body, HEADER, &json);
    let header_len = body.len();
    body.extend_from_slice(message.payload());
    Some(WithInfo { header_len, header_text: header_len.to_string(), size_text: body.len().to_string(), body })
}
