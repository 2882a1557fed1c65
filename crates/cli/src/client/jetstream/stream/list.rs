//! `martlet stream ls`.

use clap::Args;
use serde_json::{Map, Value as Json};

use super::super::api::{Api, Doing, Kind};
use super::super::quantity::Overlay;
use super::super::value::{ago, bytes, count, counted, list, text, time};
use crate::client::error::CliError;
use crate::client::number::{self, float, grouped};
use crate::client::out;
use crate::client::table::{self, Column};

/// Streams that other things are made of begin with one of these.
const INTERNAL: [&str; 3] = ["KV_", "OBJ_", "$MQTT_"];

/// `stream ls`.
#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// Only streams with a subject that matches this one
    #[arg(long, value_name = "SUBJECT")]
    subject: Option<String>,
    /// Names only
    #[arg(short, long)]
    names: bool,
    /// Also the streams that buckets and other things are made of
    #[arg(short, long)]
    all: bool,
    /// Write JSON: a list of what the server says of each; with --names, of names
    #[arg(short, long)]
    json: bool,
}

/// A column of the table.
type Of = Column<Json>;

const COLUMNS: [Of; 7] = [
    Of::text("Name", |row| text(row, "/config/name")).total(|all| format!("{} streams", all.len())),
    Of::text("Subjects", |row| list(row, "/config/subjects")),
    Of::text("Storage", |row| text(row, "/config/storage")),
    Of::text("Created", |row| time(row, "/created")),
    Of::number("Messages", |row| counted(row, "/state/messages")).total(|all| grouped(sum(all, "/state/messages"))),
    Of::number("Size", |row| bytes(row, "/state/bytes")).total(|all| number::bytes(float(sum(all, "/state/bytes")))),
    Of::number("Last message", |row| ago(row, "/state/last_ts")),
];

// spec: CLI-017
/// Lists the streams of `args`.
pub(super) async fn run(args: &ListArgs, api: &Api) -> Result<(), CliError> {
    let mut found = all(api, args.subject.as_deref()).await?;
    let before = found.len();
    found.retain(|row| args.all || !is_internal(&text(row, "/config/name")));
    let hidden = before - found.len();
    if hidden > 0 && !args.json && !args.names {
        out::plain_notice(&format!("{hidden} streams of buckets and the like are not shown; --all shows them"));
    }
    let names = found.iter().map(|row| text(row, "/config/name")).collect::<Vec<_>>();
    out::write(table::list(args.json, args.names, &names, &found, &COLUMNS).as_bytes())
}

/// What the server says of every stream, ordered by name; only of those with a subject that `subject` matches.
pub(in crate::client::jetstream) async fn all(api: &Api, subject: Option<&str>) -> Result<Vec<Json>, CliError> {
    let mut options = Map::new();
    options.put("subject", subject);
    let mut found = api.all(Doing::new("list", Kind::Stream, ""), "STREAM.LIST", "streams", &options).await?;
    found.sort_by_key(|row| text(row, "/config/name"));
    Ok(found)
}

/// Whether another thing is made of the stream called `name`.
pub(super) fn is_internal(name: &str) -> bool {
    INTERNAL.iter().any(|prefix| name.starts_with(prefix))
}

/// The sum of what stands at `pointer`.
pub(in crate::client::jetstream) fn sum(rows: &[Json], pointer: &str) -> u64 {
    rows.iter().map(|row| count(row, pointer)).sum()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_table_has_totals() {
        let row = |name: &str, messages: u64| {
            json!({"config": {"name": name, "subjects": ["a", "b"], "storage": "file"},
                   "created": "2026-01-02T03:04:05Z", "state": {"messages": messages, "bytes": 1024}})
        };
        let expected = "\
Name       Subjects  Storage  Created               Messages     Size  Last message
───────────────────────────────────────────────────────────────────────────────────
A          a, b      file     2026-01-02T03:04:05Z     1,000  1.0 KiB
LONGER     a, b      file     2026-01-02T03:04:05Z         2  1.0 KiB
───────────────────────────────────────────────────────────────────────────────────
2 streams                                              1,002  2.0 KiB
";
        assert_eq!(table::render(&COLUMNS, &[row("A", 1_000), row("LONGER", 2)]), expected);
    }

    #[test]
    fn buckets_are_internal() {
        assert!(is_internal("KV_a") && is_internal("OBJ_a") && !is_internal("ORDERS"));
    }
}
