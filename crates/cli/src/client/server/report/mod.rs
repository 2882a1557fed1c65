//! `martlet server report`: connections, accounts, routes, gateways and leaf nodes of all servers in one table.
//!
//! Owns what the reports share: rows that know their server, and how they are told as a table or as JSON.

mod accounts;
mod connections;
mod gateways;
mod leafnodes;
mod routes;

use clap::Subcommand;
use serde::de::DeserializeOwned;
use serde_json::Value as Json;

use super::Shape;
use super::ask::{Answer, Ask, view};
use super::views::ServerInfo;
use crate::client::error::CliError;
use crate::client::table::{self, Column};
use crate::client::{duration, out};

/// What to report on.
#[derive(Debug, Subcommand)]
pub(crate) enum ReportCommand {
    /// Clients' connections
    #[command(visible_aliases = ["conns", "connz"])]
    Connections(connections::ConnectionsArgs),
    /// Accounts, over all servers
    #[command(visible_alias = "acct")]
    Accounts(accounts::AccountsArgs),
    /// Connections between servers of a cluster
    #[command(visible_alias = "route")]
    Routes(routes::RoutesArgs),
    /// Connections between clusters
    #[command(visible_aliases = ["gateway", "super"])]
    Gateways(gateways::GatewaysArgs),
    /// Connections of leaf nodes
    #[command(visible_aliases = ["leaf", "leafz"])]
    Leafnodes(leafnodes::LeafnodesArgs),
}

/// Runs one report.
pub(super) async fn run(command: &ReportCommand, ask: &Ask) -> Result<(), CliError> {
    match command {
        ReportCommand::Connections(args) => connections::run(args, ask).await,
        ReportCommand::Accounts(args) => accounts::run(args, ask).await,
        ReportCommand::Routes(args) => routes::run(args, ask).await,
        ReportCommand::Gateways(args) => gateways::run(args, ask).await,
        ReportCommand::Leafnodes(args) => leafnodes::run(args, ask).await,
    }
}

/// One line of a report: an object of a server's answer.
#[derive(Debug, Clone)]
struct Row<T> {
    server: ServerInfo,
    item: T,
    raw: Json,
}

impl<T: DeserializeOwned + Default> Row<T> {
    /// Reads `raw`, which `answer` holds.
    fn read(answer: &Answer, service: &str, mut raw: Json) -> Result<Self, CliError> {
        let item = view(service, Some(&raw))?;
        if let Some(object) = raw.as_object_mut() {
            object.insert("server".to_owned(), answer.server.json());
        }
        Ok(Self { server: answer.server.clone(), item, raw })
    }
}

/// The objects in the list `field` of what `answers` hold.
fn rows<T: DeserializeOwned + Default>(
    answers: &[Answer],
    service: &str,
    field: &str,
) -> Result<Vec<Row<T>>, CliError> {
    let lists = answers.iter().filter_map(|answer| Some((answer, answer.data().get(field)?.as_array()?)));
    lists.flat_map(|(answer, list)| list.iter().map(|raw| Row::read(answer, service, raw.clone()))).collect()
}

/// Writes `rows` as the shape wants them; then says whether servers are missing.
fn tell<T>(
    rows: &[Row<T>],
    columns: &[Column<Row<T>>],
    shape: &Shape,
    complete: Result<(), CliError>,
) -> Result<(), CliError> {
    let text = if shape.json {
        out::json(&rows.iter().map(|row| &row.raw).collect::<Vec<_>>())
    } else {
        table::render(columns, rows)
    };
    out::write(text.as_bytes())?;
    complete
}

/// Names a row by its server, to order rows that are equal otherwise.
fn server_name<T>(row: &Row<T>) -> String {
    row.server.name.clone()
}

/// The sum of a number over all rows.
fn sum<T>(rows: &[Row<T>], number: fn(&T) -> u64) -> u64 {
    rows.iter().map(|row| number(&row.item)).sum()
}

/// `address:port`, in brackets where the address has colons of its own.
fn address(ip: &str, port: u16) -> String {
    if ip.contains(':') { format!("[{ip}]:{port}") } else { format!("{ip}:{port}") }
}

/// A round trip as the server wrote it, with the figures that matter.
fn rtt(text: &str) -> String {
    duration::parse(text).map_or_else(|_| text.to_owned(), duration::human)
}

/// A long name with its middle left out: public keys are told apart by their ends.
fn short(name: &str) -> String {
    const MOST: usize = 24;
    let characters: Vec<char> = name.chars().collect();
    if characters.len() <= MOST {
        return name.to_owned();
    }
    let (start, end) = (&characters[..10], &characters[characters.len() - 10..]);
    format!("{}…{}", start.iter().collect::<String>(), end.iter().collect::<String>())
}

/// Errors of asking each server, after what was found has been shown.
fn complete(silent: usize, known: usize, discovered: Result<(), CliError>) -> Result<(), CliError> {
    if silent > 0 { Err(CliError::Silent { silent, known }) } else { discovered }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_times_and_long_names_read_well() {
        assert_eq!(address("127.0.0.1", 1), "127.0.0.1:1");
        assert_eq!(address("::1", 1), "[::1]:1");
        assert_eq!((rtt("1.114995ms"), rtt("")), ("1.11ms".into(), String::new()));
        assert_eq!(short("ORDERS"), "ORDERS");
        assert_eq!(short(&format!("A{}Z", "B".repeat(54))), "ABBBBBBBBB…BBBBBBBBBZ");
    }
}
