//! `martlet server`: what a system user sees of all servers that are joined, by routes, gateways and leaf nodes.
//!
//! Everything is asked over one connection through the services of the system account, so that no monitoring port
//! needs to be reachable. [`ask`] knows how to ask and whom; the other files know what to show of the answers.
//!
//! Invariant: a server that is known and does not answer is named, never left out in silence.

mod ask;
mod info;
mod list;
mod ping;
mod report;
mod sort;
mod views;

use clap::{Args, Subcommand};

use self::ask::Ask;
use super::connect;
use super::error::CliError;
use super::settings::Settings;
use super::stop::Stop;

/// Shown with the commands that need a user of the system account.
pub(crate) const SYSTEM_USER: &str = "These commands need a user of the system account: give one with --user and \
--password, --creds, --nkey or --context. Exit status 1 also when a known server did not answer.";

/// `server`.
#[derive(Debug, Subcommand)]
pub(crate) enum ServerCommand {
    /// List the servers there are
    #[command(visible_alias = "list")]
    Ls(list::ListArgs),
    /// Show what one server says of itself
    Info(info::InfoArgs),
    /// Measure how fast every server answers
    Ping(ping::PingArgs),
    /// Report on connections, accounts and the links between servers
    #[command(subcommand, visible_alias = "rep")]
    Report(report::ReportCommand),
}

/// Which servers to ask.
#[derive(Debug, Default, Clone, Args)]
pub(crate) struct Which {
    /// Only the server with this name or id
    #[arg(long, value_name = "NAME")]
    host: Option<String>,
    /// Only the servers of this cluster
    #[arg(long, value_name = "NAME")]
    cluster: Option<String>,
    /// Only servers that have all of these tags
    #[arg(long, value_name = "TAG", value_delimiter = ',')]
    tags: Vec<String>,
}

/// How rows are ordered and told.
#[derive(Debug, Default, Clone, Args)]
pub(crate) struct Shape {
    /// Reverse the order
    #[arg(short = 'R', long)]
    reverse: bool,
    /// Write JSON: a list with one object for each row, as the servers told it
    #[arg(short, long)]
    json: bool,
}

/// Runs `command` on a connection of its own.
pub(crate) async fn run(command: &ServerCommand, settings: &Settings, stop: &Stop) -> Result<(), CliError> {
    let session = connect::connect(settings).await?;
    let ask = Ask::new(session.client.clone(), settings);
    let result = tokio::select! {
        result = dispatch(command, &ask) => result,
        () = stop.wait() => Err(CliError::Interrupted),
    };
    session.close().await;
    result
}

async fn dispatch(command: &ServerCommand, ask: &Ask) -> Result<(), CliError> {
    match command {
        ServerCommand::Ls(args) => list::run(args, ask).await,
        ServerCommand::Info(args) => info::run(args, ask).await,
        ServerCommand::Ping(args) => ping::run(args, ask).await,
        ServerCommand::Report(command) => report::run(command, ask).await,
    }
}
