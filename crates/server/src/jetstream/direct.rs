//! Requests that a stream answers without the API.

use martlet_jetstream::Out;
use martlet_jetstream::Outgoing;
use martlet_jetstream::api::{request, status};
use martlet_jetstream::stream::{DirectGet, Incoming, Stream};

const PREFIX: &str = "$JS.API.DIRECT.GET.";

/// Answers a direct get.
// spec: JS-007 JS-083
pub(super) fn answer(stream: &Stream, asked: &Incoming<'_>, out: &mut dyn Out) {
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
    let behind = subject.strip_prefix(PREFIX).and_then(|rest| rest.strip_prefix(&stream.config().name));
    let last_of = behind.and_then(|rest| rest.strip_prefix('.'));
    let body = match status::parse_direct_get(asked.payload, last_of) {
        Ok(body) => body,
        Err(words) => return say(words, out),
    };
    let request = DirectGet {
        seq: body.seq,
        last_by_subj: body.last_by_subj,
        next_by_subj: body.next_by_subj,
        batch: u64::try_from(body.batch.0).unwrap_or(0),
        max_bytes: u64::try_from(body.max_bytes.0).unwrap_or(0),
        start_time: body.start_time,
        multi_last: body.multi_last,
        up_to_seq: body.up_to_seq,
        up_to_time: body.up_to_time,
        no_hdr: body.no_hdr,
    };
    match last_of {
        Some(subject) => stream.direct_get_last(subject, &request, asked.reply, out),
        None => stream.direct_get(&request, asked.reply, out),
    }
}

/// There was no room for a message.
// spec: JS-078
pub(super) fn refuse_overload(stream: &Stream, reply: &[u8], out: &mut dyn Out) {
    let name = &stream.config().name;
    let payload = format!(
        "{{\"error\":{{\"code\":429,\"err_code\":10167,\"description\":\"too many requests\"}},\"stream\":\"{name}\",\"seq\":0}}"
    );
    out.publish(&Outgoing { subject: reply, payload: payload.as_bytes(), ..Outgoing::default() });
}
