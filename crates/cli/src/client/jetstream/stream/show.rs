//! `martlet stream info`: a stream's configuration and state, as a page.

use clap::Args;
use serde_json::Value as Json;

use super::super::api::Api;
use super::super::value::{
    age_limit, ago, byte_limit, bytes, count, counted, is, length, limit, list, metadata, named, nanos, text, time,
};
use super::info;
use crate::client::error::CliError;
use crate::client::out;
use crate::client::page::{self, Section};

/// `stream info`.
#[derive(Debug, Args)]
pub(crate) struct InfoArgs {
    /// Name of the stream
    stream: String,
    /// Write JSON, as the server told it
    #[arg(short, long)]
    json: bool,
}

/// Shows the stream of `args`.
pub(super) async fn run(args: &InfoArgs, api: &Api) -> Result<(), CliError> {
    let found = info(api, &args.stream).await?;
    tell(&found, args.json, &format!("Stream {:?}", args.stream))
}

/// Shows `found` below `title`.
pub(super) fn tell(found: &Json, json: bool, title: &str) -> Result<(), CliError> {
    if json {
        return out::write(out::json(found).as_bytes());
    }
    out::write(format!("{title}\n\n{}", page(found)).as_bytes())
}

fn page(found: &Json) -> String {
    let sections = [configuration(found), limits(found), copies(found), state(found)];
    page::render(20, &sections)
}

fn configuration(found: &Json) -> Section<'static> {
    let flags = [
        named(is(found, "/config/sealed"), "sealed"),
        named(is(found, "/config/no_ack"), "no acknowledgements"),
        named(is(found, "/config/allow_direct"), "direct get"),
        named(is(found, "/config/mirror_direct"), "direct get from mirrors"),
        named(is(found, "/config/allow_rollup_hdrs"), "rollups"),
        named(is(found, "/config/allow_msg_ttl"), "message TTLs"),
        named(is(found, "/config/allow_atomic"), "atomic batches"),
        named(is(found, "/config/allow_batched"), "fast batches"),
        named(is(found, "/config/allow_msg_counter"), "counters"),
        named(is(found, "/config/allow_msg_schedules"), "schedules"),
        named(is(found, "/config/deny_delete"), "no deletes"),
        named(is(found, "/config/deny_purge"), "no purges"),
    ];
    let compression = Some(text(found, "/config/compression")).filter(|name| name != "none").unwrap_or_default();
    (
        "Configuration",
        vec![
            ("Description", text(found, "/config/description")),
            ("Subjects", list(found, "/config/subjects")),
            ("Storage", text(found, "/config/storage")),
            ("Compression", compression),
            ("Persist mode", text(found, "/config/persist_mode")),
            ("Replicas", counted(found, "/config/num_replicas")),
            ("Placement", placement(found)),
            ("Retention", text(found, "/config/retention")),
            ("Duplicate window", nanos(found, "/config/duplicate_window")),
            ("Delete markers", nanos(found, "/config/subject_delete_marker_ttl")),
            ("Subject transform", arrow(found, "/config/subject_transform")),
            ("Republish", arrow(found, "/config/republish")),
            ("Options", flags.into_iter().flatten().collect::<Vec<_>>().join(", ")),
            ("Metadata", metadata(found, "/config/metadata")),
            ("Created", time(found, "/created")),
        ],
    )
}

fn limits(found: &Json) -> Section<'static> {
    let per_subject = is(found, "/config/discard_new_per_subject");
    let discard = if per_subject { "new, per subject".to_owned() } else { text(found, "/config/discard") };
    let of_consumers = |name: &str, value: String| {
        if value.is_empty() || value == "unlimited" { String::new() } else { format!("{value} {name}") }
    };
    let consumer = [
        of_consumers("idle", nanos(found, "/config/consumer_limits/inactive_threshold")),
        of_consumers("unacknowledged", limit(found, "/config/consumer_limits/max_ack_pending")),
    ];
    (
        "Limits",
        vec![
            ("Messages", limit(found, "/config/max_msgs")),
            ("Per subject", limit(found, "/config/max_msgs_per_subject")),
            ("Bytes", byte_limit(found, "/config/max_bytes")),
            ("Age", age_limit(found, "/config/max_age")),
            ("Message size", byte_limit(found, "/config/max_msg_size")),
            ("Consumers", limit(found, "/config/max_consumers")),
            ("Of a consumer", consumer.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ")),
            ("Discard", discard),
        ],
    )
}

fn copies(found: &Json) -> Section<'static> {
    let origin = |json: &Json| {
        let seen = json.get("active").and_then(Json::as_i64).filter(|nanos| *nanos >= 0);
        let heard = if seen.is_some() {
            format!("heard of {} ago", nanos(json, "/active"))
        } else {
            "never heard of".to_owned()
        };
        let more = [("/filter_subject", "only "), ("/external/api", "by "), ("/error/description", "error: ")];
        let more = more.map(|(pointer, before)| match text(json, pointer) {
            empty if empty.is_empty() => empty,
            value => format!(", {before}{value}"),
        });
        format!("{}, {} behind, {heard}{}", text(json, "/name"), counted(json, "/lag"), more.concat())
    };
    let mut lines = Vec::new();
    if let Some(mirror) = found.get("mirror").filter(|mirror| mirror.is_object()) {
        lines.push(("Mirror of", origin(mirror)));
    }
    for source in found.get("sources").and_then(Json::as_array).into_iter().flatten() {
        lines.push(("Source", origin(source)));
    }
    let cluster = text(found, "/cluster/name");
    if !cluster.is_empty() {
        lines.push(("Cluster", cluster));
        lines.push(("Leader", text(found, "/cluster/leader")));
    }
    for replica in found.pointer("/cluster/replicas").and_then(Json::as_array).into_iter().flatten() {
        let current = if is(replica, "/current") { "current" } else { "behind" };
        let there = if is(replica, "/offline") { "offline" } else { current };
        lines.push(("Replica", format!("{}, {there}, {} behind", text(replica, "/name"), counted(replica, "/lag"))));
    }
    ("Copies", lines)
}

fn state(found: &Json) -> Section<'static> {
    let end = |seq: &str, when: &str| match count(found, seq) {
        0 => "0".to_owned(),
        seq if time(found, when).is_empty() => seq.to_string(),
        seq => format!("{seq}, {}, {}", time(found, when), ago(found, when)),
    };
    let some = |pointer: &str| Some(counted(found, pointer)).filter(|count| count != "0").unwrap_or_default();
    let lost = Some(length(found, "/state/lost/msgs")).filter(|lost| *lost > 0);
    (
        "State",
        vec![
            ("Messages", counted(found, "/state/messages")),
            ("Bytes", bytes(found, "/state/bytes")),
            ("First sequence", end("/state/first_seq", "/state/first_ts")),
            ("Last sequence", end("/state/last_seq", "/state/last_ts")),
            ("Subjects", some("/state/num_subjects")),
            ("Deleted", some("/state/num_deleted")),
            ("Lost", lost.map(|lost| lost.to_string()).unwrap_or_default()),
            ("Consumers", counted(found, "/state/consumer_count")),
        ],
    )
}

/// On which servers it may be.
fn placement(found: &Json) -> String {
    let tags = list(found, "/config/placement/tags");
    let tags = if tags.is_empty() { tags } else { format!("tags {tags}") };
    let parts = [text(found, "/config/placement/cluster"), tags];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ")
}

/// `source → destination`.
fn arrow(found: &Json, pointer: &str) -> String {
    let Some(pair) = found.pointer(pointer).filter(|pair| pair.is_object()) else { return String::new() };
    let source = Some(text(pair, "/src")).filter(|source| !source.is_empty()).unwrap_or_else(|| ">".to_owned());
    let headers = if is(pair, "/headers_only") { ", headers only" } else { "" };
    format!("{source} → {}{headers}", text(pair, "/dest"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_page_shows_what_there_is() {
        let found = json!({
            "config": {
                "name": "A", "subjects": ["a.>", "b"], "retention": "limits", "max_consumers": -1, "max_msgs": 1000,
                "max_bytes": -1, "max_age": 3_600_000_000_000_u64, "max_msgs_per_subject": -1, "max_msg_size": -1,
                "discard": "old", "storage": "file", "num_replicas": 1, "duplicate_window": 120_000_000_000_u64,
                "compression": "none", "allow_direct": true, "deny_purge": true, "metadata": {"k": "v"},
                "republish": {"src": "", "dest": "r.>", "headers_only": true}, "placement": {"tags": ["ssd"]},
            },
            "created": "2026-01-02T03:04:05.6Z",
            "mirror": {
                "name": "B", "lag": 1200, "active": -1, "external": {"api": "$JS.hub.API", "deliver": ""},
                "error": {"code": 404, "err_code": 10059, "description": "stream not found"},
            },
            "state": {"messages": 12345, "bytes": 2048, "first_seq": 1, "first_ts": "0001-01-01T00:00:00Z",
                      "last_seq": 0, "consumer_count": 2, "num_subjects": 3},
        });
        let expected = "\
Configuration
  Subjects             a.>, b
  Storage              file
  Replicas             1
  Placement            tags ssd
  Retention            limits
  Duplicate window     2m
  Republish            > → r.>, headers only
  Options              direct get, no purges
  Metadata             k=v
  Created              2026-01-02T03:04:05Z

Limits
  Messages             1,000
  Per subject          unlimited
  Bytes                unlimited
  Age                  1h
  Message size         unlimited
  Consumers            unlimited
  Discard              old

Copies
  Mirror of            B, 1,200 behind, never heard of, by $JS.hub.API, error: stream not found

State
  Messages             12,345
  Bytes                2.0 KiB
  First sequence       1
  Last sequence        0
  Subjects             3
  Consumers            2
";
        assert_eq!(page(&found), expected);
    }
}
