//! `martlet consumer create`, `edit`, `rm`, `pause` and `resume`.

use std::path::PathBuf;

use clap::Args;
use jiff::Timestamp;
use serde_json::{Map, Value as Json, json};

use super::super::api::{self, Api, Doing, Kind};
use super::super::confirm::Force;
use super::super::quantity::moment;
use super::super::stream::{changes, from_file};
use super::super::value::{is, nanos, text, time};
use super::config::{ConsumerFlags, NewFlags};
use super::{Named, show};
use crate::client::error::CliError;
use crate::client::out;

/// `consumer create`.
#[derive(Debug, Args)]
pub(crate) struct CreateArgs {
    /// Name of the stream
    stream: String,
    /// Name of the consumer [default: that of --config; with --ephemeral the server gives one]
    #[arg(required_unless_present_any = ["config", "ephemeral"])]
    consumer: Option<String>,
    /// JSON file with a configuration, or what `consumer info --json` shows; flags go over it
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Take the defaults for all that is not given, as is done anyway
    #[arg(long, hide = true)]
    defaults: bool,
    /// Write JSON, as the server told it
    #[arg(short, long)]
    json: bool,
    #[command(flatten)]
    flags: ConsumerFlags,
    #[command(flatten)]
    new: NewFlags,
}

/// `consumer edit`.
#[derive(Debug, Args)]
pub(crate) struct EditArgs {
    /// Name of the stream
    stream: String,
    /// Name of the consumer
    consumer: String,
    /// JSON file with a configuration that goes over the consumer's own; flags go over both
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    force: Force,
    /// Write JSON, as the server told it
    #[arg(short, long)]
    json: bool,
    #[command(flatten)]
    flags: ConsumerFlags,
}

/// `consumer rm`.
#[derive(Debug, Args)]
pub(crate) struct RemoveArgs {
    /// Name of the stream
    stream: String,
    /// Name of the consumer
    consumer: String,
    #[command(flatten)]
    force: Force,
}

/// `consumer pause`.
#[derive(Debug, Args)]
pub(crate) struct PauseArgs {
    /// Name of the stream
    stream: String,
    /// Name of the consumer
    consumer: String,
    /// For how long, or until when: 5m, 2026-01-31T12:00:00Z
    until: String,
    #[command(flatten)]
    force: Force,
}

/// `consumer resume`.
#[derive(Debug, Args)]
pub(crate) struct ResumeArgs {
    /// Name of the stream
    stream: String,
    /// Name of the consumer
    consumer: String,
    #[command(flatten)]
    force: Force,
}

// spec: CLI-018
/// Creates the consumer of `args`.
pub(super) async fn create(args: &CreateArgs, api: &Api) -> Result<(), CliError> {
    let stream = api::name("stream", &args.stream)?;
    let mut config = from_file(args.config.as_ref())?;
    args.flags.apply(&mut config);
    args.new.apply(&mut config, args.consumer.as_deref(), Timestamp::now()).map_err(CliError::Usage)?;
    let name = config.get("name").and_then(Json::as_str).unwrap_or_default().to_owned();
    let request = if name.is_empty() {
        format!("CONSUMER.CREATE.{stream}")
    } else {
        Named::new(stream, &name)?.request("CREATE")
    };
    let both = format!("{stream} > {}", if name.is_empty() { "(new)" } else { &name });
    let doing = Doing::new("create", Kind::Consumer, &both);
    let body = json!({"stream_name": stream, "config": config, "action": "create"});
    let made = api.ask(doing, &request, &body).await?;
    let name = text(&made, "/name");
    show::tell(&made, args.json, &format!("Consumer \"{stream} > {name}\" was created"))
}

// spec: CLI-018
/// Changes the consumer of `args`.
pub(super) async fn edit(args: &EditArgs, api: &Api) -> Result<(), CliError> {
    let named = Named::new(&args.stream, &args.consumer)?;
    let both = &named.both;
    let found = named.info(api).await?;
    let before = found.get("config").and_then(Json::as_object).cloned().unwrap_or_default();
    let mut after: Map<String, Json> = before.clone();
    after.extend(from_file(args.config.as_ref())?);
    args.flags.apply(&mut after);
    let changes = changes(&before, &after);
    if changes.is_empty() {
        out::plain_notice(&format!("Consumer {both:?} is so already; nothing was changed"));
        return show::tell(&found, args.json, &format!("Consumer {both:?}"));
    }
    out::plain_notice(&changes);
    args.force.confirmed(&format!("Change consumer {both:?}?")).await?;
    let body = json!({"stream_name": named.stream, "config": after, "action": "update"});
    let made = api.ask(named.doing("change"), &named.request("CREATE"), &body).await?;
    show::tell(&made, args.json, &format!("Consumer {both:?} was changed"))
}

/// Removes the consumer of `args`.
pub(super) async fn remove(args: &RemoveArgs, api: &Api) -> Result<(), CliError> {
    let named = Named::new(&args.stream, &args.consumer)?;
    args.force.confirmed(&format!("Remove consumer {:?}?", named.both)).await?;
    api.ask(named.doing("remove"), &named.request("DELETE"), &Json::Null).await?;
    out::write(format!("Consumer {:?} was removed\n", named.both).as_bytes())
}

/// Pauses the consumer of `args`.
pub(super) async fn pause(args: &PauseArgs, api: &Api) -> Result<(), CliError> {
    let named = Named::new(&args.stream, &args.consumer)?;
    let until = moment(&args.until, Timestamp::now()).map_err(CliError::Usage)?;
    args.force.confirmed(&format!("Pause consumer {:?} until {until:.0}?", named.both)).await?;
    let body = json!({"pause_until": until.to_string()});
    let answer = api.ask(named.doing("pause"), &named.request("PAUSE"), &body).await?;
    if !is(&answer, "/paused") {
        return Err(CliError::Usage(format!("{until:.0} is past already: consumer {:?} is not paused", named.both)));
    }
    let (until, left) = (time(&answer, "/pause_until"), nanos(&answer, "/pause_remaining"));
    out::write(format!("Consumer {:?} is paused until {until}, {left} from now\n", named.both).as_bytes())
}

/// Lets the consumer of `args` deliver again.
pub(super) async fn resume(args: &ResumeArgs, api: &Api) -> Result<(), CliError> {
    let named = Named::new(&args.stream, &args.consumer)?;
    args.force.confirmed(&format!("Resume consumer {:?}?", named.both)).await?;
    api.ask(named.doing("resume"), &named.request("PAUSE"), &json!({})).await?;
    out::write(format!("Consumer {:?} delivers again\n", named.both).as_bytes())
}
