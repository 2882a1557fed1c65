//! `martlet stream get` and `rmm`: one stored message.

use clap::Args;
use serde_json::{Map, Value as Json, json};

use super::super::api::{self, Api, Doing, Kind};
use super::super::confirm::Force;
use super::super::quantity::Overlay;
use super::super::stored;
use crate::client::error::CliError;
use crate::client::out;

/// `stream get`.
#[derive(Debug, Args)]
pub(crate) struct GetArgs {
    /// Name of the stream
    stream: String,
    /// Sequence of the message; with --next-for, where to begin
    #[arg(value_name = "SEQ", required_unless_present_any = ["last_for", "next_for"], conflicts_with = "last_for")]
    seq: Option<u64>,
    /// The newest message of this subject, or of those it matches
    #[arg(short = 'S', long, value_name = "SUBJECT", conflicts_with = "next_for")]
    last_for: Option<String>,
    /// The first message of this subject, or of those it matches, from SEQ on
    #[arg(long, value_name = "SUBJECT")]
    next_for: Option<String>,
    /// The body only
    #[arg(short, long)]
    raw: bool,
    /// Write JSON, as the server told it: headers and body are base64
    #[arg(short, long)]
    json: bool,
}

/// `stream rmm`.
#[derive(Debug, Args)]
pub(crate) struct RemoveArgs {
    /// Name of the stream
    stream: String,
    /// Sequence of the message
    seq: u64,
    #[command(flatten)]
    force: Force,
}

// spec: CLI-017
/// Shows the message of `args`.
pub(super) async fn get(args: &GetArgs, api: &Api) -> Result<(), CliError> {
    let name = api::name("stream", &args.stream)?;
    let doing = Doing::new("get", Kind::Message, name);
    let answer = api.ask(doing, &format!("STREAM.MSG.GET.{name}"), &request(args)).await?;
    stored::show(answer.get("message").unwrap_or(&Json::Null), args.json, args.raw)
}

fn request(args: &GetArgs) -> Json {
    let mut body = Map::new();
    body.put("seq", args.seq);
    body.put("last_by_subj", args.last_for.clone());
    body.put("next_by_subj", args.next_for.clone());
    body.into()
}

/// Removes the message of `args`.
pub(super) async fn remove(args: &RemoveArgs, api: &Api) -> Result<(), CliError> {
    let name = api::name("stream", &args.stream)?;
    let seq = args.seq;
    args.force.confirmed(&format!("Remove message {seq} of stream {name:?}?")).await?;
    let doing = Doing::new("remove", Kind::Message, name);
    api.ask(doing, &format!("STREAM.MSG.DELETE.{name}"), &json!({ "seq": seq })).await?;
    out::write(format!("Message {seq} of stream {name:?} was removed\n").as_bytes())
}
