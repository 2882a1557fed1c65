//! `martlet object ls` and `watch`.

use async_nats::jetstream::object_store::ObjectInfo;
use clap::Args;
use futures_util::StreamExt;
use serde_json::Value as Json;

use super::super::api::{Api, Doing, Kind, failed};
use super::super::bucket::{Family, ttl};
use super::super::stream::sum;
use super::super::value::{ago, bytes, named, text};
use super::bucket::changed;
use super::open;
use crate::client::error::CliError;
use crate::client::number::{self, float};
use crate::client::out;
use crate::client::stop::Stop;
use crate::client::table::{self, Column};

/// `object ls`.
#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// Name of a bucket, to list its objects
    bucket: Option<String>,
    /// Names only
    #[arg(short, long)]
    names: bool,
    /// Write JSON: a list of what there is to say of each; with --names, of names
    #[arg(short, long)]
    json: bool,
}

/// `object watch`.
#[derive(Debug, Args)]
pub(crate) struct WatchArgs {
    /// Name of the bucket
    bucket: String,
    /// Show what changes from now on only
    #[arg(long)]
    updates_only: bool,
    /// Stop after this many
    #[arg(long, value_parser = number::parse_count)]
    count: Option<u64>,
    /// Write JSON: an object a line
    #[arg(short, long)]
    json: bool,
}

const BUCKETS: [Column<Json>; 6] = [
    Column::text("Bucket", |row| Family::OBJECTS.name(row)).total(|all| format!("{} buckets", all.len())),
    Column::text("Description", |row| text(row, "/config/description")),
    Column::text("Storage", |row| text(row, "/config/storage")),
    Column::number("TTL", ttl),
    Column::number("Size", |row| bytes(row, "/state/bytes"))
        .total(|all| number::bytes(float(sum(all, "/state/bytes")))),
    Column::number("Last change", |row| ago(row, "/state/last_ts")),
];

const OBJECTS: [Column<ObjectInfo>; 4] = [
    Column::text("Name", |info: &ObjectInfo| info.name.clone()).total(|all| format!("{} objects", all.len())),
    Column::number("Size", |info: &ObjectInfo| size(info.size))
        .total(|all| size(all.iter().map(|info| info.size).sum())),
    Column::text("Changed", changed),
    Column::text("Description", |info| info.description.clone().unwrap_or_default()),
];

fn size(bytes: usize) -> String {
    number::bytes(float(bytes as u64))
}

// spec: CLI-020
/// Lists buckets, or the objects of one.
pub(super) async fn list(args: &ListArgs, api: &Api) -> Result<(), CliError> {
    let shown = match &args.bucket {
        None => {
            let found = Family::OBJECTS.all(api).await?;
            let names = found.iter().map(|row| Family::OBJECTS.name(row)).collect::<Vec<_>>();
            table::list(args.json, args.names, &names, &found, &BUCKETS)
        }
        Some(bucket) => {
            let found = objects(api, bucket).await?;
            let names = found.iter().map(|info| info.name.clone()).collect::<Vec<_>>();
            table::list(args.json, args.names, &names, &found, &OBJECTS)
        }
    };
    out::write(shown.as_bytes())
}

/// The objects of `bucket`, ordered by name.
async fn objects(api: &Api, bucket: &str) -> Result<Vec<ObjectInfo>, CliError> {
    let doing = Doing::new("list the objects of", Kind::Store, bucket);
    let mut listed = open(api, bucket).await?.list().await.map_err(|error| failed(doing, &error))?;
    let mut found = Vec::new();
    while let Some(info) = listed.next().await {
        found.push(info.map_err(|error| failed(doing, &error))?);
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

// spec: CLI-020
/// Shows the objects of `args`, and what becomes of them, until it is stopped.
pub(super) async fn watch(args: &WatchArgs, api: &Api, stop: &Stop) -> Result<(), CliError> {
    let store = open(api, &args.bucket).await?;
    let doing = Doing::new("watch", Kind::Store, &args.bucket);
    let watching = if args.updates_only { store.watch().await } else { store.watch_with_history().await };
    let mut changes = watching.map_err(|error| failed(doing, &error))?;
    if !args.json {
        out::notice(&format!("Watching bucket {:?}", args.bucket));
    }
    let mut seen = 0;
    while args.count.is_none_or(|most| seen < most) {
        let change = tokio::select! {
            change = changes.next() => change,
            () = stop.wait() => return Ok(()),
        };
        let lost = || CliError::Lost { reason: "the connection was closed".to_owned() };
        let info = change.ok_or_else(lost)?.map_err(|error| failed(doing, &error))?;
        let line = if args.json { compact(&info) } else { line(&info) };
        out::write(format!("{line}\n").as_bytes())?;
        seen += 1;
    }
    Ok(())
}

fn compact(info: &ObjectInfo) -> String {
    serde_json::to_string(info).expect("texts, numbers and lists of them always have a JSON form")
}

/// One change, on one line.
fn line(info: &ObjectInfo) -> String {
    let operation = named(info.deleted, "DEL").unwrap_or_else(|| format!("PUT {}", size(info.size)));
    format!("[{}] {operation} {} > {}", changed(info), info.bucket, info.name)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn objects_are_listed_and_watched() {
        let info = |name: &str, deleted: bool| -> ObjectInfo {
            let info = json!({"name": name, "bucket": "b", "size": 2048, "mtime": "2026-01-02T03:04:05.6Z", "deleted": deleted});
            serde_json::from_value(info).unwrap()
        };
        let expected = "\
Name          Size  Changed               Description
─────────────────────────────────────────────────────
a          2.0 KiB  2026-01-02T03:04:05Z
b          2.0 KiB  2026-01-02T03:04:05Z
─────────────────────────────────────────────────────
2 objects  4.0 KiB
";
        assert_eq!(table::render(&OBJECTS, &[info("a", false), info("b", false)]), expected);
        assert_eq!(line(&info("a", false)), "[2026-01-02T03:04:05Z] PUT 2.0 KiB b > a");
        assert_eq!(line(&info("a", true)), "[2026-01-02T03:04:05Z] DEL b > a");
    }
}
