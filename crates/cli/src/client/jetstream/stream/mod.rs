//! `martlet stream`: streams made, changed, looked at and removed.

mod backup;
mod config;
mod list;
mod manage;
mod message;
mod moved;
mod origin;
mod report;
mod restore;
mod show;
mod subjects;

use clap::Subcommand;
use serde_json::Value as Json;

use super::api::{self, Api, Doing, Kind};
use crate::client::error::CliError;

pub(super) use self::backup::{BackupArgs, META, run as backup};
pub(super) use self::config::{PlacementFlags, Storage, from_file, policies};
pub(super) use self::list::{all, sum};
pub(super) use self::manage::{change, changes};
pub(super) use self::restore::{RestoreArgs, run as restore};

/// `stream`.
#[derive(Debug, Subcommand)]
pub(crate) enum StreamCommand {
    /// List streams
    #[command(visible_alias = "list")]
    Ls(list::ListArgs),
    /// Show a stream's configuration and state
    Info(show::InfoArgs),
    /// Create a stream
    #[command(visible_aliases = ["add", "new"])]
    Create(manage::CreateArgs),
    /// Change a stream's configuration; what is not given stays
    #[command(visible_alias = "update")]
    Edit(manage::EditArgs),
    /// Remove a stream and its messages
    #[command(visible_aliases = ["del", "delete"])]
    Rm(manage::RemoveArgs),
    /// Remove messages, all or some
    Purge(manage::PurgeArgs),
    /// Let nothing be changed any more
    Seal(manage::SealArgs),
    /// Show one message
    Get(message::GetArgs),
    /// Remove one message
    Rmm(message::RemoveArgs),
    /// Report on the state of all streams
    Report(report::ReportArgs),
    /// List the subjects of a stream, and how many messages each has
    Subjects(subjects::SubjectsArgs),
    /// Write a stream into a folder
    #[command(visible_alias = "snapshot")]
    Backup(backup::BackupArgs),
    /// Make a stream from what `backup` wrote
    Restore(restore::RestoreArgs),
}

/// Runs `command`.
pub(super) async fn run(command: &StreamCommand, api: &Api) -> Result<(), CliError> {
    match command {
        StreamCommand::Ls(args) => list::run(args, api).await,
        StreamCommand::Info(args) => show::run(args, api).await,
        StreamCommand::Create(args) => manage::create(args, api).await,
        StreamCommand::Edit(args) => manage::edit(args, api).await,
        StreamCommand::Rm(args) => manage::remove(args, api).await,
        StreamCommand::Purge(args) => manage::purge(args, api).await,
        StreamCommand::Seal(args) => manage::seal(args, api).await,
        StreamCommand::Get(args) => message::get(args, api).await,
        StreamCommand::Rmm(args) => message::remove(args, api).await,
        StreamCommand::Report(args) => report::run(args, api).await,
        StreamCommand::Subjects(args) => subjects::run(args, api).await,
        StreamCommand::Backup(args) => backup::run(args, api).await,
        StreamCommand::Restore(args) => restore::run(args, api).await,
    }
}

/// What the server says of the stream called `name`.
async fn info(api: &Api, name: &str) -> Result<Json, CliError> {
    let name = api::name("stream", name)?;
    api.ask(Doing::new("show", Kind::Stream, name), &format!("STREAM.INFO.{name}"), &Json::Null).await
}
