//! What a consumer tells: statuses to those who wait, and events about itself.

use std::io::Write as _;

use martlet_events::WallTime;
use martlet_store::Unreadable;

use super::Context;
use crate::api::json::ToJson;
use crate::out::{Out, Outgoing, unique};

/// Sends a status without more: `404 No Messages`.
pub(super) fn status(ctx: &mut Context<'_>, to: &[u8], line: std::fmt::Arguments<'_>) {
    let headers = &mut ctx.scratch.status;
    headers.clear();
    let _ = write!(headers, "NATS/1.0 {line}\r\n\r\n");
    ctx.out.publish(&Outgoing { subject: to, headers, ..Outgoing::default() });
}

/// Sends a status with what a request has left.
// spec: JS-108
pub(super) fn status_with_rest(ctx: &mut Context<'_>, to: &[u8], line: &str, messages: i64, bytes: i64) {
    status(ctx, to, format_args!("{line}\r\nNats-Pending-Messages: {messages}\r\nNats-Pending-Bytes: {bytes}"));
}

/// Sends an idle heartbeat, saying where a consumer stands and what it waits for.
// spec: JS-104
pub(super) fn heartbeat(ctx: &mut Context<'_>, to: &[u8], consumer_seq: u64, seq: u64, stalled: &[u8]) {
    let headers = &mut ctx.scratch.status;
    headers.clear();
    let _ = write!(
        headers,
        "NATS/1.0 100 Idle Heartbeat\r\nNats-Last-Consumer: {consumer_seq}\r\nNats-Last-Stream: {seq}\r\n"
    );
    if !stalled.is_empty() {
        headers.extend_from_slice(b"Nats-Consumer-Stalled: ");
        headers.extend_from_slice(stalled);
        headers.extend_from_slice(b"\r\n");
    }
    headers.extend_from_slice(b"\r\n");
    ctx.out.publish(&Outgoing { subject: to, headers, ..Outgoing::default() });
}

/// An event about a message.
#[derive(Debug, Clone, Copy)]
pub(super) struct About {
    /// The consumer's sequence of the delivery.
    pub(super) consumer_seq: u64,
    /// The message's sequence.
    pub(super) seq: u64,
    /// How often it was delivered.
    pub(super) deliveries: u64,
}

/// A message was refused.
// spec: JS-139
pub(super) fn naked(ctx: &mut Context<'_>, consumer: &str, about: About) {
    message_event(ctx, "$JS.EVENT.ADVISORY.CONSUMER.MSG_NAKED", "advisory.v1.nak", consumer, about, |_| {});
}

/// A message will not be delivered again.
// spec: JS-139
pub(super) fn terminated(ctx: &mut Context<'_>, consumer: &str, about: About, reason: &[u8]) {
    let (subject, kind) = ("$JS.EVENT.ADVISORY.CONSUMER.MSG_TERMINATED", "advisory.v1.terminated");
    message_event(ctx, subject, kind, consumer, about, |json| {
        if !reason.is_empty() {
            field(json, "reason", &String::from_utf8_lossy(reason));
        }
    });
}

/// A message was delivered as often as it may be.
// spec: JS-103 JS-139
pub(super) fn exhausted(ctx: &mut Context<'_>, consumer: &str, seq: u64, deliveries: u64) {
    let (subject, kind) = ("$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES", "advisory.v1.max_deliver");
    event(ctx, subject, kind, consumer, |json| {
        let _ = write!(json, ",\"stream_seq\":{seq},\"deliveries\":{deliveries}");
    });
}

/// A message was acknowledged: how long that took.
// spec: JS-106 JS-140
pub(super) fn sampled(ctx: &mut Context<'_>, consumer: &str, about: About, ack_time: u64) {
    let About { consumer_seq, seq, deliveries } = about;
    event(ctx, "$JS.EVENT.METRIC.CONSUMER.ACK", "metric.v1.consumer_ack", consumer, |json| {
        let _ = write!(json, ",\"consumer_seq\":{consumer_seq},\"stream_seq\":{seq}");
        let _ = write!(json, ",\"ack_time\":{ack_time},\"deliveries\":{deliveries}");
    });
}

/// The consumer is paused, or no longer.
// spec: JS-105 JS-139
pub(super) fn paused(ctx: &mut Context<'_>, consumer: &str, until: Option<WallTime>) {
    let is_paused = until.is_some_and(|until| until > ctx.now.wall);
    let until = until.map_or_else(|| "0001-01-01T00:00:00Z".to_owned(), |until| until.to_string());
    event(ctx, "$JS.EVENT.ADVISORY.CONSUMER.PAUSE", "advisory.v1.consumer_pause", consumer, |json| {
        let _ = write!(json, ",\"paused\":{is_paused},\"pause_until\":\"{until}\"");
    });
}

/// A client is pinned.
// spec: JS-111 JS-139
pub(super) fn pinned(ctx: &mut Context<'_>, consumer: &str, group: &str, id: &str) {
    let subject = "$JS.EVENT.ADVISORY.CONSUMER.PINNED";
    group_event(ctx, subject, "advisory.v1.consumer_group_pinned", consumer, group, ("pinned_id", id));
}

/// A client is pinned no longer.
// spec: JS-111 JS-139
pub(super) fn unpinned(ctx: &mut Context<'_>, consumer: &str, group: &str, reason: &str) {
    let subject = "$JS.EVENT.ADVISORY.CONSUMER.UNPINNED";
    group_event(ctx, subject, "advisory.v1.consumer_group_unpinned", consumer, group, ("reason", reason));
}

/// Messages were passed over, since they cannot be read. The reference has no such event.
pub(super) fn passed_over(ctx: &mut Context<'_>, consumer: &str, range: &Unreadable) {
    let (first, last, messages) = (range.seqs.start(), range.seqs.end(), range.messages);
    let (subject, kind) = ("$JS.EVENT.ADVISORY.CONSUMER.UNREADABLE", "advisory.v1.consumer_unreadable");
    event(ctx, subject, kind, consumer, |json| {
        let _ = write!(json, ",\"first_seq\":{first},\"last_seq\":{last},\"messages\":{messages}");
        field(json, "reason", &range.why);
    });
}

/// A dead letter was not taken in where it goes, or is sent no more. The reference has no such event.
pub(super) fn refused_letter(ctx: &mut Context<'_>, consumer: &str, seq: u64, why: &str) {
    let (subject, kind) = ("$JS.EVENT.ADVISORY.CONSUMER.DEAD_LETTER_REFUSED", "advisory.v1.dead_letter_refused");
    event(ctx, subject, kind, consumer, |json| {
        let _ = write!(json, ",\"stream_seq\":{seq}");
        field(json, "reason", why);
    });
}

fn message_event(
    ctx: &mut Context<'_>,
    subject: &str,
    kind: &str,
    consumer: &str,
    about: About,
    more: impl FnOnce(&mut Vec<u8>),
) {
    let About { consumer_seq, seq, deliveries } = about;
    event(ctx, subject, kind, consumer, |json| {
        let _ = write!(json, ",\"consumer_seq\":{consumer_seq},\"stream_seq\":{seq},\"deliveries\":{deliveries}");
        more(json);
    });
}

fn group_event(
    ctx: &mut Context<'_>,
    subject: &str,
    kind: &str,
    consumer: &str,
    group: &str,
    (name, value): (&str, &str),
) {
    let (account, stream, domain) = (ctx.account, &ctx.stream.name, ctx.domain);
    let subject = format!("{subject}.{stream}.{consumer}");
    if !ctx.out.is_wanted(subject.as_bytes()) {
        return;
    }
    let mut json = envelope(kind, ctx.now.wall, ctx.out);
    if !account.is_empty() {
        field(&mut json, "account", account);
    }
    field(&mut json, "stream", stream);
    field(&mut json, "consumer", consumer);
    if !domain.is_empty() {
        field(&mut json, "domain", domain);
    }
    field(&mut json, "group", group);
    field(&mut json, name, value);
    json.push(b'}');
    ctx.out.publish(&Outgoing { subject: subject.as_bytes(), payload: &json, ..Outgoing::default() });
}

/// Sends an event, if anybody wants it.
// spec: JS-141
fn event(ctx: &mut Context<'_>, subject: &str, kind: &str, consumer: &str, more: impl FnOnce(&mut Vec<u8>)) {
    let subject = format!("{subject}.{}.{consumer}", ctx.stream.name);
    if !ctx.out.is_wanted(subject.as_bytes()) {
        return;
    }
    let mut json = envelope(kind, ctx.now.wall, ctx.out);
    field(&mut json, "stream", &ctx.stream.name);
    field(&mut json, "consumer", consumer);
    more(&mut json);
    if !ctx.domain.is_empty() {
        field(&mut json, "domain", ctx.domain);
    }
    json.push(b'}');
    ctx.out.publish(&Outgoing { subject: subject.as_bytes(), payload: &json, ..Outgoing::default() });
}

fn envelope(kind: &str, wall: WallTime, out: &mut dyn Out) -> Vec<u8> {
    let id = unique(out);
    format!("{{\"type\":\"io.nats.jetstream.{kind}\",\"id\":\"{id}\",\"timestamp\":\"{wall}\"").into_bytes()
}

/// Adds a field to an object that has one already.
fn field(json: &mut Vec<u8>, name: &str, text: &str) {
    let _ = write!(json, ",\"{name}\":");
    text.to_json(json);
}
