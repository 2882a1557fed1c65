//! Requests that a stream answers without the API.

use martlet_jetstream::Out;
use martlet_jetstream::Outgoing;
use martlet_jetstream::api::{request, status};
use martlet_jetstream::stream::{Incoming, Stream};

const PREFIX: &[u8] = b"$JS.API.DIRECT.GET.";

/// Answers a direct get of `name`: the stream itself, or one that it mirrors.
// spec: JS-007 JS-083
pub(super) fn answer(stream: &mut Stream, name: &str, asked: &Incoming<'_>, out: &mut dyn Out) {
    let say = |words: &str, out: &mut dyn Out| {
        let headers = format!("NATS/1.0 {words}\r\n\r\n");
        out.publish(&Outgoing { subject: asked.reply, headers: headers.as_bytes(), ..Outgoing::default() });
    };
    if asked.reply.is_empty() {
        return;
    }
    if !asked.headers.is_empty() && request::check_api_level(asked.headers).is_err() {
        return say(status::REQUIRED_API_LEVEL, out);
    }
    let behind = asked.subject.strip_prefix(PREFIX).and_then(|rest| rest.strip_prefix(name.as_bytes()));
    let last_of = behind.and_then(|rest| rest.strip_prefix(b"."));
    if let Some(subject) = last_of.filter(|subject| !subject.is_empty() && asked.payload.is_empty()) {
        return stream.direct_get_last(subject, asked.reply, out);
    }
    let last_of = last_of.map(String::from_utf8_lossy);
    let body = match status::parse_direct_get(asked.payload, last_of.as_deref()) {
        Ok(body) => body,
        Err(words) => return say(words, out),
    };
    stream.direct_get(&body, asked.reply, out);
}
