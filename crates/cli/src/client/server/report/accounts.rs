//! `martlet server report accounts`: every account in a line, added up over the servers.
//!
//! Servers tell of an account's messages including those that they passed on to each other. Those are left out here, so
//! that a message counts once where it came in, and once for each client or leaf node that it went out to.

use std::collections::BTreeMap;

use clap::{Args, ValueEnum};
use serde::Serialize;
use serde_json::{Value as Json, json};

use super::super::ask::{Ask, view};
use super::super::sort::{Key, sort};
use super::super::views::Account;
use super::super::{Shape, Which};
use super::{complete, short};
use crate::client::error::CliError;
use crate::client::number::{self, float, grouped};
use crate::client::table::{self, Column};
use crate::client::{out, server::views::ServerInfo};

/// `server report accounts`.
#[derive(Debug, Args)]
pub(crate) struct AccountsArgs {
    /// Only this account
    account: Option<String>,
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    shape: Shape,
    /// Order of the accounts
    #[arg(long, value_enum, default_value_t = Order::Subs)]
    sort: Order,
    /// At most this many
    #[arg(long, value_name = "COUNT", default_value = "1000", value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    top: u64,
    /// Also accounts without connections
    #[arg(long)]
    unused: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Order {
    InBytes,
    OutBytes,
    InMsgs,
    OutMsgs,
    Conns,
    Subs,
    Account,
}

/// An account over all servers.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize)]
struct Total {
    account: String,
    name: String,
    connections: u64,
    leafnodes: u64,
    subscriptions: u64,
    in_msgs: u64,
    in_bytes: u64,
    out_msgs: u64,
    out_bytes: u64,
    slow_consumers: u64,
    /// Where it has connections.
    servers: Vec<String>,
}

impl Total {
    fn add(&mut self, server: &ServerInfo, account: &Account) {
        let (received, sent) = (account.received.of_clients(), account.sent.of_clients());
        self.account.clone_from(&account.acc);
        self.name.clone_from(&account.name);
        self.connections += account.conns;
        self.leafnodes += account.leafnodes;
        // Every server of a cluster counts its own clients' subscriptions only.
        self.subscriptions += account.num_subscriptions;
        self.in_msgs += received.msgs;
        self.in_bytes += received.bytes;
        self.out_msgs += sent.msgs;
        self.out_bytes += sent.bytes;
        self.slow_consumers += account.slow_consumers;
        if account.conns + account.leafnodes > 0 {
            self.servers.push(server.name.clone());
        }
    }
}

/// A column of the table.
type Of = Column<Total>;

const COLUMNS: [Of; 10] = [
    Of::text("Account", |total| match total.name.as_str() {
        name if name.is_empty() || name == total.account => short(&total.account),
        name => format!("{name} ({})", short(&total.account)),
    })
    .total(|all| format!("{} accounts", all.len())),
    Of::number("Servers", |total| total.servers.len().to_string()),
    Of::number("Conns", |total| grouped(total.connections)).total(|all| grouped(sum(all, |one| one.connections))),
    Of::number("Leafs", |total| grouped(total.leafnodes)).total(|all| grouped(sum(all, |one| one.leafnodes))),
    Of::number("Subs", |total| grouped(total.subscriptions)).total(|all| grouped(sum(all, |one| one.subscriptions))),
    Of::number("Msgs in", |total| grouped(total.in_msgs)).total(|all| grouped(sum(all, |one| one.in_msgs))),
    Of::number("Msgs out", |total| grouped(total.out_msgs)).total(|all| grouped(sum(all, |one| one.out_msgs))),
    Of::number("Bytes in", |total| number::bytes(float(total.in_bytes)))
        .total(|all| number::bytes(float(sum(all, |one| one.in_bytes)))),
    Of::number("Bytes out", |total| number::bytes(float(total.out_bytes)))
        .total(|all| number::bytes(float(sum(all, |one| one.out_bytes)))),
    Of::number("Slow", |total| grouped(total.slow_consumers)).total(|all| grouped(sum(all, |one| one.slow_consumers))),
];

fn sum(all: &[Total], number: fn(&Total) -> u64) -> u64 {
    all.iter().map(number).sum()
}

/// Shows the accounts of `args`.
pub(super) async fn run(args: &AccountsArgs, ask: &Ask) -> Result<(), CliError> {
    const SUBJECT: &str = "$SYS.REQ.ACCOUNT.PING.STATZ";
    let found = ask.discover(&args.which).await?;
    // With unused accounts asked for, every server answers, and it is known when all have.
    let mut options = json!({ "include_unused": true });
    if let Some(account) = &args.account {
        options["accounts"] = json!([account]);
    }
    let mut missing: Vec<&str> = found.servers.iter().map(|found| found.answer.server.id.as_str()).collect();
    let mut totals: BTreeMap<String, Total> = BTreeMap::new();
    ask.gather(SUBJECT, options.to_string().into(), |answer| {
        let Some(index) = missing.iter().position(|id| *id == answer.server.id) else { return Ok(false) };
        missing.swap_remove(index);
        for raw in answer.data().get("account_statz").and_then(Json::as_array).into_iter().flatten() {
            let account: Account = view(SUBJECT, Some(raw))?;
            totals.entry(account.acc.clone()).or_default().add(&answer.server, &account);
        }
        Ok(missing.is_empty())
    })
    .await?;
    let mut all: Vec<Total> = totals.into_values().filter(|total| args.shows(total)).collect();
    if let (Some(account), true) = (&args.account, all.is_empty()) {
        return Err(CliError::NoAccount { account: account.clone() });
    }
    let order = args.sort;
    sort(&mut all, false, |total| key(order, total), |total| total.account.clone());
    all.truncate(usize::try_from(args.top).unwrap_or(usize::MAX));
    if args.shape.reverse {
        all.reverse();
    }
    let text = if args.shape.json { out::json(&all) } else { table::render(&COLUMNS, &all) };
    out::write(text.as_bytes())?;
    complete(missing.len(), found.servers.len(), found.complete())
}

impl AccountsArgs {
    fn shows(&self, total: &Total) -> bool {
        match &self.account {
            Some(account) => *account == total.account,
            None => self.unused || !total.servers.is_empty(),
        }
    }
}

fn key(order: Order, total: &Total) -> Key {
    match order {
        Order::InBytes => Key::count(total.in_bytes),
        Order::OutBytes => Key::count(total.out_bytes),
        Order::InMsgs => Key::count(total.in_msgs),
        Order::OutMsgs => Key::count(total.out_msgs),
        Order::Conns => Key::count(total.connections),
        Order::Subs => Key::count(total.subscriptions),
        Order::Account => Key::Text(total.account.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_servers_tell_each_other_counts_once() {
        let server = |name: &str| ServerInfo { name: name.into(), ..ServerInfo::default() };
        let account = |json: Json| serde_json::from_value::<Account>(json).unwrap();
        // One message from a client of `a`, over a route to a client of `b`.
        let mut total = Total::default();
        total.add(
            &server("a"),
            &account(json!({ "acc": "A", "conns": 1, "num_subscriptions": 2,
            "received": { "msgs": 1, "bytes": 5 },
            "sent": { "msgs": 1, "bytes": 5, "routes": { "msgs": 1, "bytes": 5 } } })),
        );
        total.add(
            &server("b"),
            &account(json!({ "acc": "A", "conns": 1, "num_subscriptions": 3,
            "received": { "msgs": 1, "bytes": 5, "routes": { "msgs": 1, "bytes": 5 } },
            "sent": { "msgs": 1, "bytes": 5 } })),
        );
        total.add(&server("c"), &account(json!({ "acc": "A" })));
        let expected = Total {
            account: "A".into(),
            connections: 2,
            subscriptions: 5,
            in_msgs: 1,
            in_bytes: 5,
            out_msgs: 1,
            out_bytes: 5,
            servers: vec!["a".into(), "b".into()],
            ..Total::default()
        };
        assert_eq!(total, expected);
    }
}
