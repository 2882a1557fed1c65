//! `martlet server report connections`.

use clap::{Args, ValueEnum};
use serde_json::{Value as Json, json};

use super::super::ask::{Answer, Ask, Found};
use super::super::sort::{Key, sort};
use super::super::views::Connection;
use super::super::{Shape, Which};
use super::{Row, address, complete, rows, rtt, server_name, short, sum, tell};
use crate::client::error::CliError;
use crate::client::number::{self, float, grouped};
use crate::client::table::Column;

/// Connections a server is asked for at a time.
const PAGE: u64 = 1_024;

/// `server report connections`.
#[derive(Debug, Args)]
pub(crate) struct ConnectionsArgs {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    shape: Shape,
    /// Only clients of this account
    #[arg(long, value_name = "NAME")]
    account: Option<String>,
    /// Only clients of this user
    #[arg(long, value_name = "NAME")]
    username: Option<String>,
    /// Only clients with a subscription that this subject matches; needs --account
    #[arg(long, value_name = "SUBJECT", requires = "account")]
    subject: Option<String>,
    /// Connections that are open, have been closed lately, or both
    #[arg(long, value_enum, default_value_t = State::Open)]
    state: State,
    /// Order; --top takes from its beginning
    #[arg(long, value_enum, default_value_t = Order::Subs)]
    sort: Order,
    /// At most this many
    #[arg(long, value_name = "COUNT", default_value = "1000", value_parser = clap::value_parser!(u64).range(1..=100_000))]
    top: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum State {
    Open,
    Closed,
    All,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Order {
    InBytes,
    OutBytes,
    InMsgs,
    OutMsgs,
    Pending,
    Uptime,
    Cid,
    Subs,
}

impl Order {
    /// As servers call it. They do not order closed connections by how long they have been open.
    fn asked(self, state: State) -> &'static str {
        match self {
            Self::InBytes => "bytes_from",
            Self::OutBytes => "bytes_to",
            Self::InMsgs => "msgs_from",
            Self::OutMsgs => "msgs_to",
            Self::Pending => "pending",
            Self::Uptime if state == State::Open => "uptime",
            Self::Uptime | Self::Cid => "cid",
            Self::Subs => "subs",
        }
    }

    fn key(self, connection: &Connection) -> Key {
        match self {
            Self::InBytes => Key::count(connection.in_bytes),
            Self::OutBytes => Key::count(connection.out_bytes),
            Self::InMsgs => Key::count(connection.in_msgs),
            Self::OutMsgs => Key::count(connection.out_msgs),
            Self::Pending => Key::count(connection.pending_bytes),
            // Whoever began earliest has been there longest.
            Self::Uptime => Key::Number(connection.start.map_or(0.0, |start| -start.as_duration().as_secs_f64())),
            Self::Cid => Key::Number(-float(connection.cid)),
            Self::Subs => Key::count(connection.subscriptions),
        }
    }
}

/// A column of the table.
type Of = Column<Row<Connection>>;

const COLUMNS: [Of; 15] = [
    Of::number("CID", |row| row.item.cid.to_string()),
    Of::text("Name", |row| row.item.name.clone()).total(|all| format!("{} connections", all.len())),
    Of::text("Kind", |row| row.item.kind.to_lowercase()),
    Of::text("Server", server_name),
    Of::text("Cluster", |row| row.server.cluster.clone()),
    Of::text("Account", |row| short(&row.item.account)),
    Of::text("User", |row| short(&row.item.authorized_user)),
    Of::text("Address", |row| address(&row.item.ip, row.item.port)),
    Of::number("Subs", |row| grouped(row.item.subscriptions)).total(|all| grouped(sum(all, |item| item.subscriptions))),
    Of::number("Msgs in", |row| grouped(row.item.in_msgs)).total(|all| grouped(sum(all, |item| item.in_msgs))),
    Of::number("Msgs out", |row| grouped(row.item.out_msgs)).total(|all| grouped(sum(all, |item| item.out_msgs))),
    Of::number("Bytes in", |row| number::bytes(float(row.item.in_bytes)))
        .total(|all| number::bytes(float(sum(all, |item| item.in_bytes)))),
    Of::number("Bytes out", |row| number::bytes(float(row.item.out_bytes)))
        .total(|all| number::bytes(float(sum(all, |item| item.out_bytes)))),
    Of::number("Uptime", |row| row.item.uptime.clone()),
    Of::text("RTT or end", |row| match row.item.stop {
        Some(_) => row.item.reason.clone(),
        None => rtt(&row.item.rtt),
    }),
];

/// Shows the connections of `args`.
///
/// Up to a page, servers choose the first ones themselves. Beyond that they are asked for everything, in the order of
/// connection ids: pages of an order in which connections are equal would overlap.
pub(super) async fn run(args: &ConnectionsArgs, ask: &Ask) -> Result<(), CliError> {
    let found = ask.discover(&args.which).await?;
    let chosen_there = args.top <= PAGE;
    let order = if chosen_there { args.sort.asked(args.state) } else { "cid" };
    let most = usize::try_from(args.top).unwrap_or(usize::MAX);
    let mut asked: Vec<Found> = found.servers.clone();
    let mut all: Vec<Row<Connection>> = Vec::new();
    let mut silent = 0;
    let mut offset = 0;
    while !asked.is_empty() {
        let limit = PAGE.min(args.top);
        let (page, missing) = ask.each(&asked, "CONNZ", &options(args, order, offset, limit)).await?;
        silent += missing;
        offset += limit;
        all.extend(rows(&page, "CONNZ", "connections")?);
        sort(&mut all, false, |row: &Row<Connection>| args.sort.key(&row.item), server_name);
        all.truncate(most);
        asked.retain(|found| {
            !chosen_there && page.iter().any(|answer| has_more(answer, &found.answer.server.id, offset))
        });
    }
    if args.shape.reverse {
        all.reverse();
    }
    tell(&all, &COLUMNS, &args.shape, complete(silent, found.servers.len(), found.complete()))
}

fn options(args: &ConnectionsArgs, order: &str, offset: u64, limit: u64) -> Json {
    let mut options = json!({
        "auth": true,
        "sort": order,
        "offset": offset,
        "limit": limit,
        "state": match args.state { State::Open => 0, State::Closed => 1, State::All => 2 },
    });
    for (name, value) in [("acc", &args.account), ("user", &args.username), ("filter_subject", &args.subject)] {
        if let Some(value) = value {
            options[name] = json!(value);
        }
    }
    options
}

fn has_more(answer: &Answer, id: &str, offset: u64) -> bool {
    answer.server.id == id && answer.data().get("total").and_then(Json::as_u64).is_some_and(|total| total > offset)
}
