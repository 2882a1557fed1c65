//! `martlet stream subjects`.

use std::collections::BTreeMap;

use clap::{Args, ValueEnum};
use serde_json::{Value as Json, json};

use super::super::api::{self, Api, Doing, Kind};
use super::super::value::count;
use crate::client::error::CliError;
use crate::client::number::grouped;
use crate::client::out;
use crate::client::table::{self, Column};

/// `stream subjects`.
#[derive(Debug, Args)]
pub(crate) struct SubjectsArgs {
    /// Name of the stream
    stream: String,
    /// Only subjects that this one matches
    #[arg(default_value = ">")]
    filter: String,
    /// Order; the most messages come first
    #[arg(long, value_enum, default_value_t = Order::Messages)]
    sort: Order,
    /// Reverse the order
    #[arg(short = 'R', long)]
    reverse: bool,
    /// Names only
    #[arg(short, long)]
    names: bool,
    /// Write JSON: an object with the count of each subject
    #[arg(short, long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Order {
    #[value(alias = "counts")]
    Messages,
    #[value(alias = "subject")]
    Name,
}

type Row = (String, u64);

const COLUMNS: [Column<Row>; 2] = [
    Column::text("Subject", |row: &Row| row.0.clone()).total(|all| format!("{} subjects", grouped(all.len() as u64))),
    Column::number("Messages", |row: &Row| grouped(row.1)).total(|all| grouped(all.iter().map(|row| row.1).sum())),
];

// spec: CLI-017
/// Lists the subjects of `args`.
pub(super) async fn run(args: &SubjectsArgs, api: &Api) -> Result<(), CliError> {
    let found = all(api, &args.stream, &args.filter).await?;
    if args.json {
        return out::write(out::json(&found).as_bytes());
    }
    let rows = ordered(found, args.sort, args.reverse);
    let shown =
        if args.names { out::lines(rows.iter().map(|row| row.0.as_str())) } else { table::render(&COLUMNS, &rows) };
    out::write(shown.as_bytes())
}

/// Every subject that `filter` matches, with its count. Servers tell them page by page.
async fn all(api: &Api, stream: &str, filter: &str) -> Result<BTreeMap<String, u64>, CliError> {
    let name = api::name("stream", stream)?;
    let mut all = BTreeMap::new();
    let mut offset = 0;
    loop {
        let body = json!({"subjects_filter": filter, "offset": offset});
        let doing = Doing::new("list the subjects of", Kind::Stream, name);
        let answer = api.ask(doing, &format!("STREAM.INFO.{name}"), &body).await?;
        let page = answer.pointer("/state/subjects").and_then(Json::as_object);
        let page = page.into_iter().flatten().map(|(subject, count)| (subject.clone(), count.as_u64().unwrap_or(0)));
        let before = offset;
        all.extend(page.inspect(|_| offset += 1));
        if offset == before || offset >= count(&answer, "/total") {
            return Ok(all);
        }
    }
}

fn ordered(found: BTreeMap<String, u64>, order: Order, reverse: bool) -> Vec<Row> {
    let mut rows: Vec<Row> = found.into_iter().collect();
    if order == Order::Messages {
        rows.sort_by_key(|row| std::cmp::Reverse(row.1));
    }
    if reverse {
        rows.reverse();
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects_are_ordered_by_count_then_name() {
        let found = BTreeMap::from([("b".to_owned(), 2), ("a".to_owned(), 2), ("c".to_owned(), 1_000)]);
        let expected = "\
Subject     Messages
────────────────────
c              1,000
a                  2
b                  2
────────────────────
3 subjects     1,004
";
        assert_eq!(table::render(&COLUMNS, &ordered(found.clone(), Order::Messages, false)), expected);
        assert_eq!(ordered(found, Order::Name, true)[0].0, "c");
    }
}
