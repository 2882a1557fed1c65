//! `martlet consumer info`: a consumer's configuration and state, as a page.

use clap::Args;
use serde_json::Value as Json;

use super::super::api::Api;
use super::super::value::{
    ago, byte_limit, count, counted, is, length, limit, list, metadata, named, nanos, span, text, time,
};
use super::Named;
use crate::client::error::CliError;
use crate::client::out;
use crate::client::page::{self, Section};

/// `consumer info`.
#[derive(Debug, Args)]
pub(crate) struct InfoArgs {
    /// Name of the stream
    stream: String,
    /// Name of the consumer
    consumer: String,
    /// Write JSON, as the server told it
    #[arg(short, long)]
    json: bool,
}

/// Shows the consumer of `args`.
pub(super) async fn run(args: &InfoArgs, api: &Api) -> Result<(), CliError> {
    let named = Named::new(&args.stream, &args.consumer)?;
    tell(&named.info(api).await?, args.json, &format!("Consumer {:?}", named.both))
}

/// Shows `found` below `title`.
pub(super) fn tell(found: &Json, json: bool, title: &str) -> Result<(), CliError> {
    if json {
        return out::write(out::json(found).as_bytes());
    }
    out::write(format!("{title}\n\n{}", page(found)).as_bytes())
}

fn page(found: &Json) -> String {
    let sections = [configuration(found), limits(found), state(found)];
    page::render(20, &sections)
}

fn configuration(found: &Json) -> Section<'static> {
    let push = text(found, "/config/deliver_subject");
    let flags = [
        named(is(found, "/config/headers_only"), "headers only"),
        named(is(found, "/config/flow_control"), "flow control"),
        named(is(found, "/config/mem_storage"), "state in memory"),
    ];
    let priority = [text(found, "/config/priority_policy"), list(found, "/config/priority_groups")];
    let priority = if length(found, "/config/priority_groups") > 0 { priority.join(": ") } else { String::new() };
    (
        "Configuration",
        vec![
            ("Description", text(found, "/config/description")),
            ("Kind", kind(found)),
            ("Pushes to", push),
            ("Queue group", text(found, "/config/deliver_group")),
            ("Filter", filter(found)),
            ("Begins with", beginning(found)),
            ("Acknowledgements", text(found, "/config/ack_policy")),
            ("Replay", text(found, "/config/replay_policy")),
            ("Heartbeat", nanos(found, "/config/idle_heartbeat")),
            ("Priority groups", priority),
            ("Priority timeout", nanos(found, "/config/priority_timeout")),
            ("Sampled", sampled(found)),
            ("Options", flags.into_iter().flatten().collect::<Vec<_>>().join(", ")),
            ("Metadata", metadata(found, "/config/metadata")),
            ("Created", time(found, "/created")),
        ],
    )
}

/// `push` or `pull`, and whether it stays.
pub(super) fn kind(found: &Json) -> String {
    let is_push = !text(found, "/config/deliver_subject").is_empty();
    let is_durable = !text(found, "/config/durable_name").is_empty();
    format!("{}, {}", if is_push { "push" } else { "pull" }, if is_durable { "durable" } else { "ephemeral" })
}

/// The subjects it is filtered by.
pub(super) fn filter(found: &Json) -> String {
    let one = text(found, "/config/filter_subject");
    if one.is_empty() { list(found, "/config/filter_subjects") } else { one }
}

fn beginning(found: &Json) -> String {
    match text(found, "/config/deliver_policy").as_str() {
        "by_start_sequence" => format!("sequence {}", count(found, "/config/opt_start_seq")),
        "by_start_time" => time(found, "/config/opt_start_time"),
        "last_per_subject" => "the last message of each subject".to_owned(),
        "all" => "all messages".to_owned(),
        "last" => "the last message".to_owned(),
        "new" => "new messages".to_owned(),
        other => other.to_owned(),
    }
}

fn sampled(found: &Json) -> String {
    let percent = text(found, "/config/sample_freq");
    if percent.is_empty() { percent } else { format!("{} %", percent.trim_end_matches('%')) }
}

fn limits(found: &Json) -> Section<'static> {
    let backoff = found.pointer("/config/backoff").and_then(Json::as_array).into_iter().flatten();
    let backoff = backoff.filter_map(Json::as_u64).map(|nanos| span(std::time::Duration::from_nanos(nanos)));
    let some = |value: String| if value == "unlimited" { String::new() } else { value };
    (
        "Limits",
        vec![
            ("Acknowledged within", nanos(found, "/config/ack_wait")),
            ("Deliveries", limit(found, "/config/max_deliver")),
            ("Backoff", backoff.collect::<Vec<_>>().join(", ")),
            ("Unacknowledged", limit(found, "/config/max_ack_pending")),
            ("Waiting pulls", some(limit(found, "/config/max_waiting"))),
            ("Messages a pull", some(limit(found, "/config/max_batch"))),
            ("Bytes a pull", some(byte_limit(found, "/config/max_bytes"))),
            ("A pull waits", nanos(found, "/config/max_expires")),
            ("Bits a second", some(limit(found, "/config/rate_limit_bps"))),
            ("Idle", nanos(found, "/config/inactive_threshold")),
            ("Replicas", some(limit(found, "/config/num_replicas"))),
        ],
    )
}

fn state(found: &Json) -> Section<'static> {
    let position = |at: &str| {
        let (consumer, stream) =
            (counted(found, &format!("{at}/consumer_seq")), counted(found, &format!("{at}/stream_seq")));
        let when = Some(ago(found, &format!("{at}/last_active"))).filter(|ago| !ago.is_empty());
        format!("{consumer}, sequence {stream} of the stream{}", when.map(|ago| format!(", {ago}")).unwrap_or_default())
    };
    let is_push = !text(found, "/config/deliver_subject").is_empty();
    let bound = if is(found, "/push_bound") { "yes" } else { "no" };
    let paused = is(found, "/paused").then(|| {
        format!("until {}, {} from now", time(found, "/config/pause_until"), nanos(found, "/pause_remaining"))
    });
    (
        "State",
        vec![
            ("Paused", paused.unwrap_or_default()),
            ("Delivered", position("/delivered")),
            ("Acknowledged", position("/ack_floor")),
            ("Unacknowledged", counted(found, "/num_ack_pending")),
            ("Redelivered", counted(found, "/num_redelivered")),
            ("Unprocessed", counted(found, "/num_pending")),
            ("Waiting pulls", if is_push { String::new() } else { counted(found, "/num_waiting") }),
            ("Somebody listens", if is_push { bound.to_owned() } else { String::new() }),
            (
                "Leader",
                if text(found, "/cluster/name").is_empty() { String::new() } else { text(found, "/cluster/leader") },
            ),
        ],
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_page_shows_what_there_is() {
        let found = json!({
            "config": {
                "name": "C", "durable_name": "C", "deliver_policy": "by_start_sequence", "opt_start_seq": 7,
                "ack_policy": "explicit", "ack_wait": 30_000_000_000_u64, "max_deliver": -1,
                "backoff": [1_000_000_000_u64, 60_000_000_000_u64], "filter_subjects": ["a", "b.>"],
                "replay_policy": "instant", "max_waiting": 512, "max_ack_pending": 1000, "num_replicas": 0,
                "sample_freq": "50%", "pause_until": "2030-01-01T00:00:00Z",
            },
            "created": "2026-01-02T03:04:05Z", "paused": true, "pause_remaining": 60_000_000_000_u64,
            "delivered": {"consumer_seq": 1234, "stream_seq": 2345}, "ack_floor": {"consumer_seq": 0, "stream_seq": 0},
            "num_ack_pending": 3, "num_redelivered": 1, "num_waiting": 2, "num_pending": 40000,
        });
        let expected = "\
Configuration
  Kind                 pull, durable
  Filter               a, b.>
  Begins with          sequence 7
  Acknowledgements     explicit
  Replay               instant
  Sampled              50 %
  Created              2026-01-02T03:04:05Z

Limits
  Acknowledged within  30s
  Deliveries           unlimited
  Backoff              1s, 1m
  Unacknowledged       1,000
  Waiting pulls        512

State
  Paused               until 2030-01-01T00:00:00Z, 1m from now
  Delivered            1,234, sequence 2,345 of the stream
  Acknowledged         0, sequence 0 of the stream
  Unacknowledged       3
  Redelivered          1
  Unprocessed          40,000
  Waiting pulls        2
";
        assert_eq!(page(&found), expected);
    }
}
