//! `martlet server report leafnodes`.

use clap::{Args, ValueEnum};
use serde_json::{Value as Json, json};

use super::super::ask::Ask;
use super::super::sort::{Key, sort};
use super::super::views::Leaf;
use super::super::{Shape, Which};
use super::{Row, address, complete, rows, rtt, server_name, short, sum, tell};
use crate::client::error::CliError;
use crate::client::number::{self, float, grouped};
use crate::client::table::Column;

/// `server report leafnodes`.
#[derive(Debug, Args)]
pub(crate) struct LeafnodesArgs {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    shape: Shape,
    /// Only leaf nodes of this account
    #[arg(long, value_name = "NAME")]
    account: Option<String>,
    /// Order of the connections
    #[arg(long, value_enum, default_value_t = Order::Server)]
    sort: Order,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Order {
    Server,
    Name,
    Account,
    Subs,
    InBytes,
    OutBytes,
    InMsgs,
    OutMsgs,
}

/// A column of the table.
type Of = Column<Row<Leaf>>;

const COLUMNS: [Of; 13] = [
    Of::text("Server", server_name).total(|all| format!("{} connections", all.len())),
    Of::text("Cluster", |row| row.server.cluster.clone()),
    // Both ends tell of a connection: the spoke is the one that called.
    Of::text("Side", |row| if row.item.is_spoke { "spoke" } else { "hub" }.to_owned()),
    Of::text("To", |row| row.item.name.clone()),
    Of::text("Account", |row| short(&row.item.account)),
    Of::text("Address", |row| address(&row.item.ip, row.item.port)),
    Of::number("RTT", |row| rtt(&row.item.rtt)),
    Of::number("Subs", |row| grouped(row.item.subscriptions)),
    Of::number("Msgs in", |row| grouped(row.item.in_msgs)).total(|all| grouped(sum(all, |item| item.in_msgs))),
    Of::number("Msgs out", |row| grouped(row.item.out_msgs)).total(|all| grouped(sum(all, |item| item.out_msgs))),
    Of::number("Bytes in", |row| number::bytes(float(row.item.in_bytes)))
        .total(|all| number::bytes(float(sum(all, |item| item.in_bytes)))),
    Of::number("Bytes out", |row| number::bytes(float(row.item.out_bytes)))
        .total(|all| number::bytes(float(sum(all, |item| item.out_bytes)))),
    Of::text("Compression", |row| row.item.compression.clone()),
];

/// Shows the leaf nodes of `args`.
pub(super) async fn run(args: &LeafnodesArgs, ask: &Ask) -> Result<(), CliError> {
    let found = ask.discover(&args.which).await?;
    let options = args.account.as_ref().map_or(Json::Null, |account| json!({ "account": account }));
    let (answers, silent) = ask.each(&found.servers, "LEAFZ", &options).await?;
    let mut all: Vec<Row<Leaf>> = rows(&answers, "LEAFZ", "leafs")?;
    let order = args.sort;
    sort(&mut all, args.shape.reverse, |row| key(order, row), name);
    tell(&all, &COLUMNS, &args.shape, complete(silent, found.servers.len(), found.complete()))
}

fn key(order: Order, row: &Row<Leaf>) -> Key {
    let leaf = &row.item;
    match order {
        Order::Server => Key::Text(server_name(row)),
        Order::Name => Key::Text(leaf.name.clone()),
        Order::Account => Key::Text(leaf.account.clone()),
        Order::Subs => Key::count(leaf.subscriptions),
        Order::InBytes => Key::count(leaf.in_bytes),
        Order::OutBytes => Key::count(leaf.out_bytes),
        Order::InMsgs => Key::count(leaf.in_msgs),
        Order::OutMsgs => Key::count(leaf.out_msgs),
    }
}

fn name(row: &Row<Leaf>) -> String {
    [row.server.name.as_str(), &row.item.name, &row.item.account].join("\0")
}
