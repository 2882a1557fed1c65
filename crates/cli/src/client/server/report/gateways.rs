//! `martlet server report gateways`.

use clap::{Args, ValueEnum};
use serde_json::{Value as Json, json};

use super::super::ask::{Answer, Ask};
use super::super::sort::{Key, sort};
use super::super::views::Gateway;
use super::super::{Shape, Which};
use super::{Row, address, complete, rtt, server_name, sum, tell};
use crate::client::error::CliError;
use crate::client::number::{self, float, grouped};
use crate::client::table::Column;

/// `server report gateways`.
#[derive(Debug, Args)]
pub(crate) struct GatewaysArgs {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    shape: Shape,
    /// Only gateways to this cluster
    #[arg(long, value_name = "NAME")]
    filter_name: Option<String>,
    /// Order of the gateways
    #[arg(long, value_enum, default_value_t = Order::Cluster)]
    sort: Order,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Order {
    Server,
    Cluster,
    Pending,
    InBytes,
    OutBytes,
}

/// A column of the table.
type Of = Column<Row<Gateway>>;

const COLUMNS: [Of; 13] = [
    Of::text("Server", server_name).total(|all| format!("{} connections", all.len())),
    Of::text("Cluster", |row| row.server.cluster.clone()),
    Of::text("Direction", |row| row.item.direction.clone()),
    Of::text("To", |row| row.item.remote.clone()),
    Of::text("Configured", |row| if row.item.configured { "yes" } else { "no" }.to_owned()),
    Of::text("Address", |row| address(&row.item.connection.ip, row.item.connection.port)),
    Of::number("GID", |row| row.item.connection.cid.to_string()),
    Of::number("Uptime", |row| row.item.connection.uptime.clone()),
    Of::number("RTT", |row| rtt(&row.item.connection.rtt)),
    Of::number("Subs", |row| grouped(row.item.connection.subscriptions)),
    Of::number("Pending", |row| number::bytes(float(row.item.connection.pending_bytes)))
        .total(|all| number::bytes(float(sum(all, |item| item.connection.pending_bytes)))),
    Of::number("Bytes in", |row| number::bytes(float(row.item.connection.in_bytes)))
        .total(|all| number::bytes(float(sum(all, |item| item.connection.in_bytes)))),
    Of::number("Bytes out", |row| number::bytes(float(row.item.connection.out_bytes)))
        .total(|all| number::bytes(float(sum(all, |item| item.connection.out_bytes)))),
];

/// Shows the gateways of `args`.
pub(super) async fn run(args: &GatewaysArgs, ask: &Ask) -> Result<(), CliError> {
    let found = ask.discover(&args.which).await?;
    let options = args.filter_name.as_ref().map_or(Json::Null, |name| json!({ "name": name }));
    let (answers, silent) = ask.each(&found.servers, "GATEWAYZ", &options).await?;
    let objects = answers.iter().flat_map(|answer| gateways(answer.data()).into_iter().map(move |raw| (answer, raw)));
    let read = |(answer, raw): (&Answer, Json)| Row::read(answer, "GATEWAYZ", raw);
    let mut all = objects.map(read).collect::<Result<Vec<Row<Gateway>>, CliError>>()?;
    let order = args.sort;
    sort(&mut all, args.shape.reverse, |row| key(order, row), name);
    tell(&all, &COLUMNS, &args.shape, complete(silent, found.servers.len(), found.complete()))
}

/// An object for every connection: outbound there is one for each cluster, inbound there may be several.
fn gateways(data: &Json) -> Vec<Json> {
    let with = |direction: &str, remote: &str, gateway: &Json| {
        let mut gateway = gateway.clone();
        gateway["direction"] = json!(direction);
        gateway["remote"] = json!(remote);
        gateway
    };
    let map = |name: &str| data.get(name).and_then(Json::as_object).into_iter().flatten();
    let outbound = map("outbound_gateways").map(|(remote, gateway)| with("outbound", remote, gateway));
    let inbound = map("inbound_gateways").flat_map(|(remote, gateways)| {
        let gateways = gateways.as_array().into_iter().flatten();
        gateways.map(move |gateway| with("inbound", remote, gateway))
    });
    outbound.chain(inbound).collect()
}

fn key(order: Order, row: &Row<Gateway>) -> Key {
    let connection = &row.item.connection;
    match order {
        Order::Server => Key::Text(server_name(row)),
        Order::Cluster => Key::Text(row.server.cluster.clone()),
        Order::Pending => Key::count(connection.pending_bytes),
        Order::InBytes => Key::count(connection.in_bytes),
        Order::OutBytes => Key::count(connection.out_bytes),
    }
}

/// Orders rows that are equal otherwise: what goes out before what comes in.
fn name(row: &Row<Gateway>) -> String {
    let inbound = if row.item.direction == "inbound" { "1" } else { "0" };
    let cid = format!("{:020}", row.item.connection.cid);
    [row.server.name.as_str(), inbound, row.item.remote.as_str(), &cid].join("\0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_connection_in_either_direction_is_an_object() {
        let data = json!({
            "outbound_gateways": { "west": { "configured": true, "connection": { "cid": 1 } } },
            "inbound_gateways": { "west": [ { "connection": { "cid": 2 } }, { "connection": { "cid": 3 } } ] },
        });
        let told: Vec<String> =
            gateways(&data).iter().map(|one| format!("{} {}", one["direction"], one["connection"]["cid"])).collect();
        assert_eq!(told, ["\"outbound\" 1", "\"inbound\" 2", "\"inbound\" 3"]);
        assert!(gateways(&Json::Null).is_empty());
    }
}
