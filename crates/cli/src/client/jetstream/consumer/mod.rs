//! `martlet consumer`: consumers made, changed, looked at, read from and removed.

mod config;
mod list;
mod manage;
mod next;
mod show;
mod sub;
mod taken;

use clap::Subcommand;
use serde_json::Value as Json;

use super::api::{self, Api, Doing, Kind};
use crate::client::error::CliError;
use crate::client::stop::Stop;

/// `consumer`.
#[derive(Debug, Subcommand)]
pub(crate) enum ConsumerCommand {
    /// List the consumers of a stream
    #[command(visible_alias = "list")]
    Ls(list::ListArgs),
    /// Show a consumer's configuration and state
    Info(show::InfoArgs),
    /// Create a consumer
    #[command(visible_aliases = ["add", "new"])]
    Create(Box<manage::CreateArgs>),
    /// Change a consumer's configuration; what is not given stays
    #[command(visible_alias = "update")]
    Edit(Box<manage::EditArgs>),
    /// Remove a consumer
    #[command(visible_aliases = ["del", "delete"])]
    Rm(manage::RemoveArgs),
    /// Take messages from a pull consumer
    Next(next::NextArgs),
    /// Show what a consumer delivers until it is stopped
    Sub(sub::SubArgs),
    /// Deliver nothing for a while
    Pause(manage::PauseArgs),
    /// Deliver again
    Resume(manage::ResumeArgs),
    /// Report on the state of a stream's consumers
    Report(list::ReportArgs),
}

/// Runs `command`.
pub(super) async fn run(command: &ConsumerCommand, api: &Api, stop: &Stop) -> Result<(), CliError> {
    match command {
        ConsumerCommand::Ls(args) => list::list(args, api).await,
        ConsumerCommand::Info(args) => show::run(args, api).await,
        ConsumerCommand::Create(args) => manage::create(args, api).await,
        ConsumerCommand::Edit(args) => manage::edit(args, api).await,
        ConsumerCommand::Rm(args) => manage::remove(args, api).await,
        ConsumerCommand::Next(args) => next::run(args, api).await,
        ConsumerCommand::Sub(args) => sub::run(args, api, stop).await,
        ConsumerCommand::Pause(args) => manage::pause(args, api).await,
        ConsumerCommand::Resume(args) => manage::resume(args, api).await,
        ConsumerCommand::Report(args) => list::report(args, api).await,
    }
}

/// A consumer by the names of its stream and itself, both good for a subject.
#[derive(Debug)]
struct Named<'a> {
    stream: &'a str,
    consumer: &'a str,
    /// `STREAM > CONSUMER`.
    both: String,
}

impl<'a> Named<'a> {
    fn new(stream: &'a str, consumer: &'a str) -> Result<Self, CliError> {
        let (stream, consumer) = (api::name("stream", stream)?, api::name("consumer", consumer)?);
        Ok(Self { stream, consumer, both: format!("{stream} > {consumer}") })
    }

    fn doing(&self, verb: &'static str) -> Doing<'_> {
        Doing::new(verb, Kind::Consumer, &self.both)
    }

    /// The request called `verb` for this consumer.
    fn request(&self, verb: &str) -> String {
        format!("CONSUMER.{verb}.{}.{}", self.stream, self.consumer)
    }

    /// What the server says of it.
    async fn info(&self, api: &Api) -> Result<Json, CliError> {
        api.ask(self.doing("show"), &self.request("INFO"), &Json::Null).await
    }
}
