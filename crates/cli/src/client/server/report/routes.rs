//! `martlet server report routes`.

use clap::{Args, ValueEnum};
use serde_json::Value as Json;

use super::super::ask::Ask;
use super::super::sort::{Key, sort};
use super::super::views::Route;
use super::super::{Shape, Which};
use super::{Row, address, complete, rows, rtt, server_name, short, sum, tell};
use crate::client::error::CliError;
use crate::client::number::{self, float, grouped};
use crate::client::table::Column;

/// `server report routes`.
#[derive(Debug, Args)]
pub(crate) struct RoutesArgs {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    shape: Shape,
    /// Order of the connections
    #[arg(long, value_enum, default_value_t = Order::Server)]
    sort: Order,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Order {
    Server,
    Cluster,
    Name,
    Account,
    Subs,
    InBytes,
    OutBytes,
    Pending,
}

/// A column of the table.
type Of = Column<Row<Route>>;

const COLUMNS: [Of; 13] = [
    Of::text("Server", server_name).total(|all| format!("{} connections", all.len())),
    Of::text("Cluster", |row| row.server.cluster.clone()),
    Of::text("To", |row| row.item.remote_name.clone()),
    Of::text("Account", |row| short(&row.item.account)),
    Of::text("Address", |row| address(&row.item.ip, row.item.port)),
    Of::number("RID", |row| row.item.rid.to_string()),
    Of::number("Uptime", |row| row.item.uptime.clone()),
    Of::number("RTT", |row| rtt(&row.item.rtt)),
    Of::number("Subs", |row| grouped(row.item.subscriptions)),
    Of::number("Pending", |row| number::bytes(float(row.item.pending_size)))
        .total(|all| number::bytes(float(sum(all, |item| item.pending_size)))),
    Of::number("Bytes in", |row| number::bytes(float(row.item.in_bytes)))
        .total(|all| number::bytes(float(sum(all, |item| item.in_bytes)))),
    Of::number("Bytes out", |row| number::bytes(float(row.item.out_bytes)))
        .total(|all| number::bytes(float(sum(all, |item| item.out_bytes)))),
    Of::text("Compression", |row| row.item.compression.clone()),
];

/// Shows the routes of `args`.
pub(super) async fn run(args: &RoutesArgs, ask: &Ask) -> Result<(), CliError> {
    let found = ask.discover(&args.which).await?;
    let (answers, silent) = ask.each(&found.servers, "ROUTEZ", &Json::Null).await?;
    let mut all: Vec<Row<Route>> = rows(&answers, "ROUTEZ", "routes")?;
    let order = args.sort;
    sort(&mut all, args.shape.reverse, |row| key(order, row), name);
    tell(&all, &COLUMNS, &args.shape, complete(silent, found.servers.len(), found.complete()))
}

fn key(order: Order, row: &Row<Route>) -> Key {
    let route = &row.item;
    match order {
        Order::Server => Key::Text(server_name(row)),
        Order::Cluster => Key::Text(row.server.cluster.clone()),
        Order::Name => Key::Text(route.remote_name.clone()),
        Order::Account => Key::Text(route.account.clone()),
        Order::Subs => Key::count(route.subscriptions),
        Order::InBytes => Key::count(route.in_bytes),
        Order::OutBytes => Key::count(route.out_bytes),
        Order::Pending => Key::count(route.pending_size),
    }
}

/// Orders rows that are equal otherwise: connections of a pool beside each other, those of accounts after them.
fn name(row: &Row<Route>) -> String {
    [&row.server.name, &row.item.remote_name, &row.item.account, &format!("{:020}", row.item.rid)]
        .map(String::as_str)
        .join("\0")
}
