//! `martlet bench`: throughput and latency of a server as a client sees them.
//!
//! Owns how load is made ([`publisher`], [`subscriber`], [`requester`]) and how it is told ([`report`], [`export`]).
//! Numbers include this program's own work: for comparing servers, use the repository's `bench/`.

mod export;
mod latency;
mod load;
mod progress;
mod publisher;
mod report;
mod requester;
mod subscriber;

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::error::CliError;
use super::settings::Settings;
use super::stop::Stop;
use super::{number, out};

/// What to measure.
#[derive(Debug, Subcommand)]
pub(crate) enum BenchCommand {
    /// Publish as fast as possible, or at --rate
    Pub(PubArgs),
    /// Receive messages that someone else publishes
    Sub(SubArgs),
    /// Send requests and wait for their replies
    Request(RequestArgs),
}

/// What every measurement takes.
#[derive(Debug, Clone, Args)]
pub(crate) struct CommonArgs {
    /// Subject to use
    subject: String,
    /// Number of messages, shared by the clients of `pub` and `request`; for each client of `sub` without --queue
    #[arg(long, default_value = "100000", value_parser = number::parse_count)]
    msgs: u64,
    /// Number of connections
    #[arg(long, default_value = "1", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    clients: u32,
    /// Write results, a line for each client and one for the total, as CSV
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// Write results as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Show no progress bar
    #[arg(long)]
    no_progress: bool,
}

/// `bench pub`.
#[derive(Debug, Args)]
pub(crate) struct PubArgs {
    #[command(flatten)]
    common: CommonArgs,
    /// Size of each body
    #[arg(long, default_value = "128", value_parser = number::parse_size)]
    size: usize,
    /// Wait for the server after this many messages of a client; 0 waits at the end only
    #[arg(long, default_value = "0", value_parser = number::parse_count)]
    batch: u64,
    /// Messages per second of all clients together; 0 is as fast as possible
    #[arg(long, default_value = "0", value_parser = number::parse_count)]
    rate: u64,
}

/// `bench sub`.
#[derive(Debug, Args)]
pub(crate) struct SubArgs {
    #[command(flatten)]
    common: CommonArgs,
    /// Share the messages in this queue group
    #[arg(long, value_name = "GROUP")]
    queue: Option<String>,
}

/// `bench request`.
#[derive(Debug, Args)]
pub(crate) struct RequestArgs {
    #[command(flatten)]
    common: CommonArgs,
    /// Size of each request's body
    #[arg(long, default_value = "128", value_parser = number::parse_size)]
    size: usize,
    /// Requests that each client keeps waiting for replies
    #[arg(long, default_value = "1", value_parser = clap::value_parser!(u32).range(1..=65_536))]
    inflight: u32,
    /// Requests per second of all clients together; 0 is as fast as possible
    #[arg(long, default_value = "0", value_parser = number::parse_count)]
    rate: u64,
    /// Also answer the requests, from this many connections of this process
    #[arg(long, default_value = "0", value_parser = clap::value_parser!(u32).range(0..=1_000))]
    responders: u32,
}

impl BenchCommand {
    fn common(&self) -> &CommonArgs {
        match self {
            Self::Pub(args) => &args.common,
            Self::Sub(args) => &args.common,
            Self::Request(args) => &args.common,
        }
    }
}

/// Measures and reports; an interrupted measurement is reported as far as it went.
pub(crate) async fn run(command: &BenchCommand, settings: &Settings, stop: &Stop) -> Result<(), CliError> {
    let common = command.common();
    if common.msgs == 0 {
        return Err(CliError::Usage("--msgs 0 measures nothing: give at least 1".to_owned()));
    }
    let report = match command {
        BenchCommand::Pub(args) => publisher::run(args, settings, stop).await?,
        BenchCommand::Sub(args) => subscriber::run(args, settings, stop).await?,
        BenchCommand::Request(args) => requester::run(args, settings, stop).await?,
    };
    out::write(report.text().as_bytes())?;
    write(common.csv.as_ref(), || export::csv(&report))?;
    write(common.json.as_ref(), || export::json(&report))?;
    if stop.requested() { Err(CliError::Interrupted) } else { Ok(()) }
}

fn write(file: Option<&PathBuf>, text: impl FnOnce() -> String) -> Result<(), CliError> {
    let Some(file) = file else { return Ok(()) };
    std::fs::write(file, text()).map_err(|source| CliError::Write { what: file.display().to_string(), source })
}

/// A body of `size` bytes that no compression would shrink to nothing.
fn body(size: usize) -> bytes::Bytes {
    let mut random = fastrand::Rng::with_seed(7);
    std::iter::repeat_with(|| random.alphanumeric() as u8).take(size).collect::<Vec<u8>>().into()
}

/// How `total` messages are shared by `clients`: the first ones take one more where it does not divide.
fn shares(total: u64, clients: u32) -> impl Iterator<Item = u64> {
    let clients = u64::from(clients);
    (0..clients).map(move |index| total / clients + u64::from(index < total % clients))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_shared_without_loss() {
        let cases = [(10, 3, vec![4, 3, 3]), (2, 4, vec![1, 1, 0, 0]), (9, 3, vec![3, 3, 3])];
        for (total, clients, expected) in cases {
            assert_eq!(shares(total, clients).collect::<Vec<_>>(), expected);
        }
    }

    #[test]
    fn bodies_have_the_size_asked_for() {
        for size in [0, 1, 128, 4_096] {
            assert_eq!(body(size).len(), size);
        }
    }
}
