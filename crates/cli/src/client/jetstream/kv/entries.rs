//! `martlet kv history`, `watch` and `keys`, and how one value is shown.

use std::time::Duration;

use async_nats::jetstream::kv::{Entry, Operation};
use clap::Args;
use data_encoding::BASE64;
use futures_util::StreamExt;
use jiff::Timestamp;
use serde_json::{Value as Json, json};

use super::super::api::{Api, Doing, Kind, failed};
use super::super::bucket::Family;
use super::super::stored;
use super::super::value::{count, text};
use super::{key_name, open};
use crate::client::error::CliError;
use crate::client::number::{self, float};
use crate::client::out;
use crate::client::stop::Stop;
use crate::client::table::{self, Column};

/// Characters of a value that a table shows.
const PREVIEW: usize = 40;

/// `kv history`.
#[derive(Debug, Args)]
pub(crate) struct HistoryArgs {
    /// Name of the bucket
    bucket: String,
    /// The key
    key: String,
    /// Write JSON: a list; values are base64
    #[arg(short, long)]
    json: bool,
}

/// `kv watch`.
#[derive(Debug, Args)]
pub(crate) struct WatchArgs {
    /// Name of the bucket
    bucket: String,
    /// Key or pattern
    #[arg(default_value = ">")]
    key: String,
    /// Show what changes from now on only
    #[arg(long)]
    updates_only: bool,
    /// Stop after this many
    #[arg(long, value_parser = number::parse_count)]
    count: Option<u64>,
    /// Write JSON: an object a line; values are base64
    #[arg(short, long)]
    json: bool,
}

/// `kv keys`.
#[derive(Debug, Args)]
pub(crate) struct KeysArgs {
    /// Name of the bucket
    bucket: String,
    /// Only keys that this pattern matches
    filter: Option<String>,
    /// Write JSON: a list
    #[arg(short, long)]
    json: bool,
}

const COLUMNS: [Column<Entry>; 5] = [
    Column::number("Revision", |entry: &Entry| entry.revision.to_string()),
    Column::text("Operation", |entry| operation(entry).to_owned()),
    Column::text("Created", created),
    Column::number("Length", |entry| number::bytes(float(entry.value.len() as u64))),
    Column::text("Value", |entry| preview(&entry.value)),
];

// spec: CLI-019
/// Shows the values that the key of `args` has had.
pub(super) async fn history(args: &HistoryArgs, api: &Api) -> Result<(), CliError> {
    let key = key_name(&args.key, false)?;
    let store = open(api, &args.bucket).await?;
    let both = format!("{} > {key}", args.bucket);
    let doing = Doing::new("show", Kind::Key, &both);
    let mut history = store.history(key).await.map_err(|error| failed(doing, &error))?;
    let mut entries = Vec::new();
    while let Some(entry) = history.next().await {
        entries.push(entry.map_err(|error| failed(doing, &error))?);
    }
    if entries.is_empty() {
        let reason = format!("it is not there, and never was; `martlet kv keys {}` lists those there are", args.bucket);
        return Err(CliError::Failed { doing: doing.to_string(), reason });
    }
    let shown = if args.json {
        out::json(&entries.iter().map(as_json).collect::<Vec<_>>())
    } else {
        table::render(&COLUMNS, &entries)
    };
    out::write(shown.as_bytes())
}

// spec: CLI-019
/// Shows the values of `args`, and what becomes of them, until it is stopped.
pub(super) async fn watch(args: &WatchArgs, api: &Api, stop: &Stop) -> Result<(), CliError> {
    let key = key_name(&args.key, true)?;
    let store = open(api, &args.bucket).await?;
    let both = format!("{} > {key}", args.bucket);
    let doing = Doing::new("watch", Kind::Key, &both);
    let watching = if args.updates_only { store.watch(key).await } else { store.watch_with_history(key).await };
    let mut changes = watching.map_err(|error| failed(doing, &error))?;
    if !args.json {
        out::notice(&format!("Watching {both:?}"));
    }
    let mut seen = 0;
    while args.count.is_none_or(|most| seen < most) {
        let change = tokio::select! {
            change = changes.next() => change,
            () = stop.wait() => return Ok(()),
        };
        let lost = || CliError::Lost { reason: "the connection was closed".to_owned() };
        let entry = change.ok_or_else(lost)?.map_err(|error| failed(doing, &error))?;
        let line = if args.json { as_json(&entry).to_string() } else { line(&entry) };
        out::write(format!("{line}\n").as_bytes())?;
        seen += 1;
    }
    Ok(())
}

/// Lists the keys of `args`.
pub(super) async fn keys(args: &KeysArgs, api: &Api) -> Result<(), CliError> {
    list_keys(api, &args.bucket, args.filter.as_deref(), args.json).await
}

// spec: CLI-019
/// Lists the keys of `bucket`, those that `filter` matches if there is one.
pub(super) async fn list_keys(api: &Api, bucket: &str, filter: Option<&str>, json: bool) -> Result<(), CliError> {
    let mut keys = match filter {
        Some(filter) => matching(api, bucket, key_name(filter, true)?).await?,
        None => all(api, bucket).await?,
    };
    keys.sort();
    let shown = if json { out::json(&keys) } else { out::lines(keys.iter().map(String::as_str)) };
    out::write(shown.as_bytes())
}

async fn all(api: &Api, bucket: &str) -> Result<Vec<String>, CliError> {
    let doing = Doing::new("list the keys of", Kind::Bucket, bucket);
    let mut found = open(api, bucket).await?.keys().await.map_err(|error| failed(doing, &error))?;
    let mut keys = Vec::new();
    while let Some(key) = found.next().await {
        keys.push(key.map_err(|error| failed(doing, &error))?);
    }
    Ok(keys)
}

/// The keys that `filter` matches: what they are last known as is read, as far as there was anything when it began.
async fn matching(api: &Api, bucket: &str, filter: &str) -> Result<Vec<String>, CliError> {
    let doing = Doing::new("list the keys of", Kind::Bucket, bucket);
    let request = format!("STREAM.INFO.{}", Family::KEYS.stream(bucket)?);
    let body = json!({"subjects_filter": format!("$KV.{bucket}.{filter}")});
    if count(&api.ask(doing, &request, &body).await?, "/total") == 0 {
        return Ok(Vec::new());
    }
    let store = open(api, bucket).await?;
    let mut values = store.watch_with_history(filter).await.map_err(|error| failed(doing, &error))?;
    let mut keys = Vec::new();
    while let Ok(Some(entry)) = tokio::time::timeout(api.timeout.min(Duration::from_mins(1)), values.next()).await {
        let entry = entry.map_err(|error| failed(doing, &error))?;
        if entry.operation == Operation::Put {
            keys.push(entry.key);
        }
        if entry.seen_current {
            break;
        }
    }
    Ok(keys)
}

/// A value as the API tells the message that it is.
pub(super) fn from_stored(bucket: &str, key: &str, message: &Json) -> Option<Entry> {
    let time: Timestamp = text(message, "/time").parse().ok()?;
    let headers = stored::headers(&stored::decoded(message, "/hdrs"));
    let header = |wanted: &str| headers.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str());
    let operation = match (header("KV-Operation"), header("Nats-Marker-Reason")) {
        (Some("DEL"), _) | (None, Some("Remove")) => Operation::Delete,
        (Some("PURGE"), _) | (None, Some(_)) => Operation::Purge,
        _ => Operation::Put,
    };
    Some(Entry {
        bucket: bucket.to_owned(),
        key: key.to_owned(),
        value: stored::decoded(message, "/data").into(),
        revision: count(message, "/seq"),
        delta: 0,
        created: async_nats::datetime::from_nanos(time.as_nanosecond()).ok()?,
        operation,
        seen_current: false,
    })
}

fn operation(entry: &Entry) -> &'static str {
    match entry.operation {
        Operation::Put => "PUT",
        Operation::Delete => "DEL",
        Operation::Purge => "PURGE",
    }
}

fn timestamp(entry: &Entry) -> Option<Timestamp> {
    Timestamp::from_nanosecond(entry.created.unix_timestamp_nanos()).ok()
}

fn created(entry: &Entry) -> String {
    timestamp(entry).map(|time| format!("{time:.0}")).unwrap_or_default()
}

/// The beginning of a value, on one line.
fn preview(value: &[u8]) -> String {
    let text = String::from_utf8_lossy(value);
    let mut shown: String = text.chars().take(PREVIEW).map(|c| if c.is_control() { '·' } else { c }).collect();
    if text.chars().nth(PREVIEW).is_some() {
        shown.push('…');
    }
    shown
}

/// One change, on one line.
fn line(entry: &Entry) -> String {
    let (time, operation) = (created(entry), operation(entry));
    let line = format!("[{time}] {operation} {} > {}: {}", entry.bucket, entry.key, preview(&entry.value));
    line.trim_end_matches([' ', ':']).to_owned()
}

/// Where and when a value was put, and the value.
pub(super) fn page(entry: &Entry) -> Vec<u8> {
    let Entry { bucket, key, revision, .. } = entry;
    let head = format!("{bucket} > {key}, revision {revision}, {} at {}\n\n", operation(entry), created(entry));
    let end: &[u8] = if entry.value.ends_with(b"\n") { b"" } else { b"\n" };
    [head.as_bytes(), &entry.value, end].concat()
}

pub(super) fn as_json(entry: &Entry) -> Json {
    json!({
        "bucket": entry.bucket,
        "key": entry.key,
        "revision": entry.revision,
        "operation": operation(entry),
        "created": timestamp(entry).map(|time| time.to_string()),
        "value": BASE64.encode(&entry.value),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(operation: Operation, revision: u64, value: &'static [u8]) -> Entry {
        Entry {
            bucket: "b".into(),
            key: "k".into(),
            value: value.into(),
            revision,
            delta: 0,
            created: async_nats::datetime::from_nanos(1_767_323_045_600_000_000).unwrap(),
            operation,
            seen_current: false,
        }
    }

    #[test]
    fn a_stored_message_is_a_value_or_a_mark() {
        let stored = |headers: &str| {
            let headers = BASE64.encode(format!("NATS/1.0\r\n{headers}\r\n\r\n").as_bytes());
            from_stored("b", "k", &json!({"seq": 3, "data": "eA==", "hdrs": headers, "time": "2026-01-02T03:04:05.6Z"}))
                .unwrap()
        };
        let put = stored("A: 1");
        assert_eq!((put.revision, &put.value[..], put.operation), (3, &b"x"[..], Operation::Put));
        assert_eq!(created(&put), "2026-01-02T03:04:05Z");
        for (headers, operation) in [
            ("KV-Operation: DEL", Operation::Delete),
            ("KV-Operation: PURGE", Operation::Purge),
            ("Nats-Marker-Reason: MaxAge", Operation::Purge),
            ("Nats-Marker-Reason: Remove", Operation::Delete),
        ] {
            assert_eq!(stored(headers).operation, operation, "{headers}");
        }
    }

    #[test]
    fn values_are_shown() {
        let put = entry(Operation::Put, 3, b"one\ntwo");
        let head = "b > k, revision 3, PUT at 2026-01-02T03:04:05Z\n\n";
        assert_eq!(String::from_utf8(page(&put)).unwrap(), format!("{head}one\ntwo\n"));
        assert_eq!(line(&put), "[2026-01-02T03:04:05Z] PUT b > k: one·two");
        assert_eq!(line(&entry(Operation::Delete, 4, b"")), "[2026-01-02T03:04:05Z] DEL b > k");
        assert_eq!(as_json(&put)["value"], BASE64.encode(b"one\ntwo"));
        let expected = "\
Revision  Operation  Created               Length  Value
──────────────────────────────────────────────────────────
       3  PUT        2026-01-02T03:04:05Z     7 B  one·two
       4  PURGE      2026-01-02T03:04:05Z     0 B
";
        assert_eq!(table::render(&COLUMNS, &[put, entry(Operation::Purge, 4, b"")]), expected);
        assert_eq!(preview("é".repeat(41).as_bytes()), format!("{}…", "é".repeat(40)));
    }
}
