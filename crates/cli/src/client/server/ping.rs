//! `martlet server ping`: how fast every server answers, seen from the server we are connected to.

use std::collections::BTreeMap;
use std::time::Duration;

use clap::Args;
use serde_json::json;

use super::Which;
use super::ask::Ask;
use super::sort::{Key, sort};
use crate::client::duration::human;
use crate::client::error::CliError;
use crate::client::out;
use crate::client::table::{self, Column};

/// `server ping`.
#[derive(Debug, Args)]
pub(crate) struct PingArgs {
    #[command(flatten)]
    which: Which,
    /// How often to ask every server
    #[arg(long, default_value = "1", value_parser = clap::value_parser!(u32).range(1..=1_000))]
    count: u32,
    /// Write JSON: a list with one object for each server, times in nanoseconds
    #[arg(short, long)]
    json: bool,
}

/// One server's answers.
#[derive(Debug, Default)]
struct Pings {
    name: String,
    id: String,
    cluster: String,
    times: Vec<Duration>,
    asked: u32,
}

impl Pings {
    fn least(&self) -> Duration {
        self.times.iter().min().copied().unwrap_or_default()
    }

    fn most(&self) -> Duration {
        self.times.iter().max().copied().unwrap_or_default()
    }

    fn mean(&self) -> Duration {
        let count = u32::try_from(self.times.len()).unwrap_or(u32::MAX).max(1);
        self.times.iter().sum::<Duration>() / count
    }

    fn lost(&self) -> usize {
        (self.asked as usize).saturating_sub(self.times.len())
    }
}

/// A column of the table.
type Of = Column<Pings>;

const COLUMNS: [Of; 7] = [
    Of::text("Name", |pings| pings.name.clone()),
    Of::text("Cluster", |pings| pings.cluster.clone()),
    Of::number("Answers", |pings| pings.times.len().to_string()),
    Of::number("Lost", |pings| pings.lost().to_string()),
    Of::number("Min", |pings| human(pings.least())),
    Of::number("Mean", |pings| human(pings.mean())),
    Of::number("Max", |pings| human(pings.most())),
];

/// Asks as often as `args` say and shows what was measured.
pub(super) async fn run(args: &PingArgs, ask: &Ask) -> Result<(), CliError> {
    let mut servers: BTreeMap<String, Pings> = BTreeMap::new();
    let mut complete = Ok(());
    for round in 0..args.count {
        let found = ask.discover(&args.which).await?;
        complete = complete.and(found.complete());
        for answer in found.servers.into_iter().map(|found| found.answer) {
            let server = answer.server;
            let pings = servers.entry(server.id.clone()).or_insert_with(|| Pings {
                name: server.name,
                id: server.id,
                cluster: server.cluster,
                // Whoever comes later has lost nothing before.
                asked: args.count - round,
                ..Pings::default()
            });
            pings.times.push(answer.rtt);
        }
    }
    let mut servers: Vec<Pings> = servers.into_values().collect();
    sort(&mut servers, true, |pings| Key::Number(pings.mean().as_secs_f64()), |pings| pings.name.clone());
    let text = if args.json { json(&servers) } else { table::render(&COLUMNS, &servers) };
    out::write(text.as_bytes())?;
    let lost = servers.iter().any(|pings| pings.lost() > 0);
    if lost && complete.is_ok() { Err(CliError::Lossy) } else { complete }
}

fn json(servers: &[Pings]) -> String {
    let nanos = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    let rows = servers.iter().map(|pings| {
        json!({
            "server": { "name": pings.name, "id": pings.id, "cluster": pings.cluster },
            "answers": pings.times.len(), "lost": pings.lost(),
            "min": nanos(pings.least()), "mean": nanos(pings.mean()), "max": nanos(pings.most()),
        })
    });
    out::json(&rows.collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_summed_up() {
        let times = [3, 1, 2].map(Duration::from_millis).to_vec();
        let pings = Pings { times, asked: 4, ..Pings::default() };
        let [one, two, three] = [1, 2, 3].map(Duration::from_millis);
        assert_eq!((pings.least(), pings.mean(), pings.most(), pings.lost()), (one, two, three, 1));
        assert_eq!(Pings::default().mean(), Duration::ZERO);
    }
}
