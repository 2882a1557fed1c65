//! `martlet stream report`: the state of all streams, and how far copies are behind.

use clap::{Args, ValueEnum};
use serde_json::{Value as Json, json};

use super::super::api::Api;
use super::super::value::{bytes, count, counted, length, nanos, text};
use super::list::{all, is_internal, sum};
use crate::client::error::CliError;
use crate::client::number::{self, float, grouped};
use crate::client::out;
use crate::client::table::{self, Column};

/// `stream report`.
#[derive(Debug, Args)]
pub(crate) struct ReportArgs {
    /// Order, the largest first but for names
    #[arg(long, value_enum, default_value_t = Order::Bytes)]
    sort: Order,
    /// Reverse the order
    #[arg(short = 'R', long)]
    reverse: bool,
    /// Only streams with a subject that matches this one
    #[arg(long, value_name = "SUBJECT")]
    subject: Option<String>,
    /// Also the streams that buckets and other things are made of
    #[arg(short, long)]
    all: bool,
    /// Write JSON: a list of what the server says of each
    #[arg(short, long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Order {
    Bytes,
    Messages,
    Consumers,
    Name,
}

/// A column of the tables.
type Of = Column<Json>;

const COLUMNS: [Of; 9] = [
    Of::text("Stream", |row| text(row, "/config/name")).total(|all| format!("{} streams", all.len())),
    Of::text("Storage", |row| text(row, "/config/storage")),
    Of::text("Retention", |row| text(row, "/config/retention")),
    Of::number("Consumers", |row| counted(row, "/state/consumer_count"))
        .total(|all| grouped(sum(all, "/state/consumer_count"))),
    Of::number("Messages", |row| counted(row, "/state/messages")).total(|all| grouped(sum(all, "/state/messages"))),
    Of::number("Bytes", |row| bytes(row, "/state/bytes")).total(|all| number::bytes(float(sum(all, "/state/bytes")))),
    Of::number("Deleted", |row| counted(row, "/state/num_deleted"))
        .total(|all| grouped(sum(all, "/state/num_deleted"))),
    Of::number("Lost", |row| length(row, "/state/lost/msgs").to_string()),
    Of::text("Replicas", replicas),
];

const COPIES: [Of; 5] = [
    Of::text("Stream", |row| text(row, "/stream")),
    Of::text("Kind", |row| text(row, "/kind")),
    Of::text("Of", |row| text(row, "/name")),
    Of::number("Behind", |row| counted(row, "/lag")),
    Of::text("Heard of", |row| match row.get("active").and_then(Json::as_i64) {
        Some(active) if active >= 0 => format!("{} ago", nanos(row, "/active")),
        _ => "never".to_owned(),
    }),
];

// spec: CLI-017
/// Reports on the streams of `args`.
pub(super) async fn run(args: &ReportArgs, api: &Api) -> Result<(), CliError> {
    let mut found = all(api, args.subject.as_deref()).await?;
    found.retain(|row| args.all || !is_internal(&text(row, "/config/name")));
    sort(&mut found, args.sort, args.reverse);
    if args.json {
        return out::write(out::json(&found).as_bytes());
    }
    let mut shown = table::render(&COLUMNS, &found);
    let copies: Vec<Json> = found.iter().flat_map(copies).collect();
    if !copies.is_empty() {
        shown = format!("{shown}\n{}", table::render(&COPIES, &copies));
    }
    out::write(shown.as_bytes())
}

fn sort(rows: &mut [Json], order: Order, reverse: bool) {
    // They come ordered by name, and sorting is stable.
    match order {
        Order::Name => {}
        Order::Bytes => rows.sort_by_key(|row| std::cmp::Reverse(count(row, "/state/bytes"))),
        Order::Messages => rows.sort_by_key(|row| std::cmp::Reverse(count(row, "/state/messages"))),
        Order::Consumers => rows.sort_by_key(|row| std::cmp::Reverse(count(row, "/state/consumer_count"))),
    }
    if reverse {
        rows.reverse();
    }
}

/// The mirror and the sources of a stream, a row each.
fn copies(row: &Json) -> Vec<Json> {
    let mirror = row.get("mirror").filter(|mirror| mirror.is_object()).map(|mirror| ("mirror", mirror));
    let sources = row.get("sources").and_then(Json::as_array).into_iter().flatten().map(|source| ("source", source));
    let named = |(kind, origin): (&str, &Json)| {
        let mut origin = origin.clone();
        origin["stream"] = json!(text(row, "/config/name"));
        origin["kind"] = json!(kind);
        origin
    };
    mirror.into_iter().chain(sources).map(named).collect()
}

/// The servers that have a copy; the leader has a star, one that is not current an exclamation mark.
fn replicas(row: &Json) -> String {
    let leader = text(row, "/cluster/leader");
    let leader = if leader.is_empty() { leader } else { format!("{leader}*") };
    let others = row.pointer("/cluster/replicas").and_then(Json::as_array).into_iter().flatten().map(|replica| {
        let mark = if super::super::value::is(replica, "/current") { "" } else { "!" };
        format!("{}{mark}", text(replica, "/name"))
    });
    std::iter::once(leader).chain(others).filter(|name| !name.is_empty()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_and_replicas_have_rows_and_marks() {
        let row = json!({
            "config": {"name": "A"}, "mirror": {"name": "M", "lag": 3, "active": 1_000_000_000},
            "sources": [{"name": "S", "lag": 0, "active": -1}],
            "cluster": {"leader": "n1", "replicas": [{"name": "n2", "current": true}, {"name": "n3"}]},
        });
        assert_eq!(replicas(&row), "n1*, n2, n3!");
        let expected = "\
Stream  Kind    Of  Behind  Heard of
────────────────────────────────────
A       mirror  M        3  1s ago
A       source  S        0  never
";
        assert_eq!(table::render(&COPIES, &copies(&row)), expected);
    }

    #[test]
    fn the_largest_come_first() {
        let row = |name: &str, bytes: u64| json!({"config": {"name": name}, "state": {"bytes": bytes}});
        let mut rows = [row("a", 1), row("b", 3), row("c", 2)];
        sort(&mut rows, Order::Bytes, false);
        assert_eq!(rows.each_ref().map(|row| text(row, "/config/name")), ["b", "c", "a"]);
        sort(&mut rows, Order::Bytes, true);
        assert_eq!(text(&rows[0], "/config/name"), "a");
    }
}
