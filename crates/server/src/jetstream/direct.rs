//! Requests that a stream answers without the API.

use martlet_jetstream::Out;
use martlet_jetstream::Outgoing;
use martlet_jetstream::api::{request, status};
use martlet_jetstream::stream::{Incoming, Stream};

const PREFIX: &str = "$JS.API.DIRECT.GET.";

/// Answers a direct get of `name`: the stream itself, or one that it mirrors.
// spec: JS-007 JS-083
pub(super) fn answer(stream: &Stream, name: &str, asked: &Incoming<'_>, out: &mut dyn Out) {
    let say = |words: &str, out: &mut dyn Out| {
        let headers = format!("NATS/1.0 {words}\r\n\r\n");
        out.publish(&Outgoing { subject: asked.reply, headers: headers.as_bytes(), ..Outgoing::default() });
    };
    if asked.reply.is_empty() {
        return;
    }
    if request::check_api_level(asked.headers).is_err() {
        return say(status::REQUIRED_API_LEVEL, out);
    }
    let subject = String::from_utf8_lossy(asked.subject);
    let behind = subject.strip_prefix(PREFIX).and_then(|rest| rest.strip_prefix(name));
    let last_of = behind.and_then(|rest| rest.strip_prefix('.'));
    let body = match status::parse_direct_get(asked.payload, last_of) {
        Ok(body) => body,
        Err(words) => return say(words, out),
    };
    stream.direct_get(&body, asked.reply, out);
}
