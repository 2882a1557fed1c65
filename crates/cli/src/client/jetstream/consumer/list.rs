//! `martlet consumer ls` and `report`.

use clap::Args;
use serde_json::{Map, Value as Json};

use super::super::api::{self, Api, Doing, Kind};
use super::super::stream::sum;
use super::super::value::{ago, counted, nanos, text, time};
use super::show::{filter, kind};
use crate::client::error::CliError;
use crate::client::number::grouped;
use crate::client::out;
use crate::client::table::{self, Column};

/// `consumer ls`.
#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// Name of the stream
    stream: String,
    /// Names only
    #[arg(short, long)]
    names: bool,
    /// Write JSON: a list of what the server says of each; with --names, of names
    #[arg(short, long)]
    json: bool,
}

/// `consumer report`.
#[derive(Debug, Args)]
pub(crate) struct ReportArgs {
    /// Name of the stream
    stream: String,
    /// Write JSON: a list of what the server says of each
    #[arg(short, long)]
    json: bool,
}

/// A column of the tables.
type Of = Column<Json>;

const LIST: [Of; 7] = [
    Of::text("Name", |row| text(row, "/name")).total(|all| format!("{} consumers", all.len())),
    Of::text("Kind", kind),
    Of::text("Filter", filter),
    Of::text("Created", |row| time(row, "/created")),
    Of::number("Unacknowledged", |row| counted(row, "/num_ack_pending"))
        .total(|all| grouped(sum(all, "/num_ack_pending"))),
    Of::number("Unprocessed", |row| counted(row, "/num_pending")).total(|all| grouped(sum(all, "/num_pending"))),
    Of::number("Last delivery", |row| ago(row, "/delivered/last_active")),
];

const REPORT: [Of; 9] = [
    Of::text("Consumer", |row| text(row, "/name")).total(|all| format!("{} consumers", all.len())),
    Of::text("Kind", kind),
    Of::text("Acks", |row| text(row, "/config/ack_policy")),
    Of::number("Ack wait", |row| nanos(row, "/config/ack_wait")),
    Of::number("Unacknowledged", |row| counted(row, "/num_ack_pending"))
        .total(|all| grouped(sum(all, "/num_ack_pending"))),
    Of::number("Redelivered", |row| counted(row, "/num_redelivered"))
        .total(|all| grouped(sum(all, "/num_redelivered"))),
    Of::number("Unprocessed", |row| counted(row, "/num_pending")).total(|all| grouped(sum(all, "/num_pending"))),
    Of::number("Delivered", |row| counted(row, "/delivered/stream_seq")),
    Of::number("Ack floor", |row| counted(row, "/ack_floor/stream_seq")),
];

// spec: CLI-018
/// Lists the consumers of `args`.
pub(super) async fn list(args: &ListArgs, api: &Api) -> Result<(), CliError> {
    let found = all(api, &args.stream).await?;
    let names = found.iter().map(|row| text(row, "/name")).collect::<Vec<_>>();
    out::write(table::list(args.json, args.names, &names, &found, &LIST).as_bytes())
}

// spec: CLI-018
/// Reports on the consumers of `args`; those with most left to do come first.
pub(super) async fn report(args: &ReportArgs, api: &Api) -> Result<(), CliError> {
    let mut found = all(api, &args.stream).await?;
    found.sort_by_key(|row| std::cmp::Reverse(super::super::value::count(row, "/num_pending")));
    let shown = if args.json { out::json(&found) } else { table::render(&REPORT, &found) };
    out::write(shown.as_bytes())
}

/// What the server says of every consumer, ordered by name.
async fn all(api: &Api, stream: &str) -> Result<Vec<Json>, CliError> {
    let stream = api::name("stream", stream)?;
    let doing = Doing::new("list the consumers of", Kind::Stream, stream);
    let mut found = api.all(doing, &format!("CONSUMER.LIST.{stream}"), "consumers", &Map::new()).await?;
    found.sort_by_key(|row| text(row, "/name"));
    Ok(found)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_report_has_totals() {
        let row = |name: &str, pending: u64| {
            json!({"name": name, "config": {"durable_name": name, "ack_policy": "explicit", "ack_wait": 30_000_000_000_u64},
                   "num_ack_pending": 1, "num_pending": pending, "delivered": {"stream_seq": 9}})
        };
        let expected = "\
Consumer     Kind           Acks      Ack wait  Unacknowledged  Redelivered  Unprocessed  Delivered  Ack floor
──────────────────────────────────────────────────────────────────────────────────────────────────────────────
a            pull, durable  explicit       30s               1            0        1,000          9          0
b            pull, durable  explicit       30s               1            0            2          9          0
──────────────────────────────────────────────────────────────────────────────────────────────────────────────
2 consumers                                                  2            0        1,002
";
        assert_eq!(table::render(&REPORT, &[row("a", 1_000), row("b", 2)]), expected);
    }
}
