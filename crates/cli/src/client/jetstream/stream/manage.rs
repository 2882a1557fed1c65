//! `martlet stream create`, `edit`, `rm`, `purge` and `seal`.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Map, Value as Json, json};

use super::super::api::{self, Api, Doing, Kind};
use super::super::confirm::Force;
use super::super::quantity::Overlay;
use super::super::value::{count, counted, text};
use super::config::{StreamFlags, from_file};
use super::{info, show};
use crate::client::error::CliError;
use crate::client::number::grouped;
use crate::client::out;

/// `stream create`.
#[derive(Debug, Args)]
pub(crate) struct CreateArgs {
    /// Name of the stream [default: that of --config]
    #[arg(required_unless_present = "config")]
    stream: Option<String>,
    /// JSON file with a configuration, or what `stream info --json` shows; flags go over it
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Take the defaults for all that is not given, as is done anyway
    #[arg(long, hide = true)]
    defaults: bool,
    /// Write JSON, as the server told it
    #[arg(short, long)]
    json: bool,
    #[command(flatten)]
    flags: StreamFlags,
}

/// `stream edit`.
#[derive(Debug, Args)]
pub(crate) struct EditArgs {
    /// Name of the stream
    stream: String,
    /// JSON file with a configuration that goes over the stream's own; flags go over both
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    force: Force,
    /// Write JSON, as the server told it
    #[arg(short, long)]
    json: bool,
    #[command(flatten)]
    flags: StreamFlags,
}

/// `stream rm`.
#[derive(Debug, Args)]
pub(crate) struct RemoveArgs {
    /// Name of the stream
    stream: String,
    #[command(flatten)]
    force: Force,
}

/// `stream purge`.
#[derive(Debug, Args)]
pub(crate) struct PurgeArgs {
    /// Name of the stream
    stream: String,
    /// Only messages of this subject, or of those it matches
    #[arg(long, value_name = "SUBJECT")]
    subject: Option<String>,
    /// Only messages before this sequence
    #[arg(long, value_name = "SEQ", conflicts_with = "keep")]
    seq: Option<u64>,
    /// All but this many of the newest
    #[arg(long, value_name = "COUNT")]
    keep: Option<u64>,
    #[command(flatten)]
    force: Force,
    /// Write JSON, as the server told it
    #[arg(short, long)]
    json: bool,
}

/// `stream seal`.
#[derive(Debug, Args)]
pub(crate) struct SealArgs {
    /// Name of the stream
    stream: String,
    #[command(flatten)]
    force: Force,
}

// spec: CLI-017
/// Creates the stream of `args`.
pub(super) async fn create(args: &CreateArgs, api: &Api) -> Result<(), CliError> {
    let mut config = defaults();
    config.extend(from_file(args.config.as_ref())?);
    config.put("name", args.stream.clone());
    args.flags.apply(&mut config);
    let mut config = Json::from(config);
    let name = text(&config, "/name");
    api::name("stream", &name)?;
    complete(&mut config);
    let made = api.ask(Doing::new("create", Kind::Stream, &name), &format!("STREAM.CREATE.{name}"), &config).await?;
    show::tell(&made, args.json, &format!("Stream {name:?} was created"))
}

/// What a new stream is unless something else is said.
fn defaults() -> Map<String, Json> {
    let mut config = Map::new();
    config.put("retention", Some("limits"));
    config.put("storage", Some("file"));
    config.put("discard", Some("old"));
    config.put("num_replicas", Some(1));
    for name in ["max_consumers", "max_msgs", "max_bytes", "max_msgs_per_subject", "max_msg_size"] {
        config.put(name, Some(-1));
    }
    config
}

/// What follows from the rest: anyone may get messages directly, and a stream that copies no other has a subject.
fn complete(config: &mut Json) {
    let copies = ["mirror", "sources"].iter().any(|name| config.get(name).is_some_and(|value| !value.is_null()));
    if config.get("allow_direct").is_none() {
        config["allow_direct"] = true.into();
    }
    if config.get("subjects").is_none() && !copies {
        config["subjects"] = json!([config["name"]]);
    }
}

// spec: CLI-017
/// Changes the stream of `args`.
pub(super) async fn edit(args: &EditArgs, api: &Api) -> Result<(), CliError> {
    let name = &args.stream;
    let found = info(api, name).await?;
    let file = from_file(args.config.as_ref())?;
    let title = format!("Stream {name:?}");
    let made = change(api, (&found, Doing::new("change", Kind::Stream, name)), (&title, &args.force), |config| {
        config.extend(file);
        config.put("name", Some(name.clone()));
        args.flags.apply(config);
        Ok(())
    });
    match made.await? {
        Some(made) => show::tell(&made, args.json, &format!("{title} was changed")),
        None => show::tell(&found, args.json, &title),
    }
}

/// Changes the configuration of the stream in `found` as `apply` says; what the server says of it then, or nothing if it is
/// so already. `title` is what a person calls it.
pub(in crate::client::jetstream) async fn change(
    api: &Api,
    (found, doing): (&Json, Doing<'_>),
    (title, force): (&str, &Force),
    apply: impl FnOnce(&mut Map<String, Json>) -> Result<(), CliError>,
) -> Result<Option<Json>, CliError> {
    let before = found.get("config").and_then(Json::as_object).cloned().unwrap_or_default();
    let mut after = before.clone();
    apply(&mut after)?;
    let changes = changes(&before, &after);
    if changes.is_empty() {
        out::plain_notice(&format!("{title} is so already; nothing was changed"));
        return Ok(None);
    }
    out::plain_notice(&changes);
    force.confirmed(&format!("Change {}{}?", title[..1].to_lowercase(), &title[1..])).await?;
    let request = format!("STREAM.UPDATE.{}", text(found, "/config/name"));
    api.ask(doing, &request, &after.into()).await.map(Some)
}

/// What differs, a line each.
pub(in crate::client::jetstream) fn changes(before: &Map<String, Json>, after: &Map<String, Json>) -> String {
    let value = |value: Option<&Json>| value.map_or_else(|| "nothing".to_owned(), ToString::to_string);
    let names = after.iter().filter(|(name, value)| before.get(*name) != Some(value)).map(|(name, _)| name);
    names
        .map(|name| format!("  {name}: {} → {}", value(before.get(name)), value(after.get(name))))
        .collect::<Vec<_>>()
        .join("\n")
}

/// Removes the stream of `args`.
pub(super) async fn remove(args: &RemoveArgs, api: &Api) -> Result<(), CliError> {
    let name = api::name("stream", &args.stream)?;
    let found = info(api, name).await?;
    let messages = counted(&found, "/state/messages");
    args.force.confirmed(&format!("Remove stream {name:?} and its {messages} messages?")).await?;
    let doing = Doing::new("remove", Kind::Stream, name);
    api.ask(doing, &format!("STREAM.DELETE.{name}"), &Json::Null).await?;
    out::write(format!("Stream {name:?} was removed\n").as_bytes())
}

/// Removes messages of the stream of `args`.
pub(super) async fn purge(args: &PurgeArgs, api: &Api) -> Result<(), CliError> {
    let name = api::name("stream", &args.stream)?;
    let mut body = Map::new();
    body.put("filter", args.subject.clone());
    body.put("seq", args.seq);
    body.put("keep", args.keep);
    args.force.confirmed(&format!("Remove {} of stream {name:?}?", what(args))).await?;
    let doing = Doing::new("purge", Kind::Stream, name);
    let answer = api.ask(doing, &format!("STREAM.PURGE.{name}"), &body.into()).await?;
    if args.json {
        return out::write(out::json(&answer).as_bytes());
    }
    let purged = grouped(count(&answer, "/purged"));
    out::write(format!("{purged} messages of stream {name:?} were removed\n").as_bytes())
}

/// Which messages are removed.
fn what(args: &PurgeArgs) -> String {
    let subject = args.subject.as_ref().map(|subject| format!(" on {subject:?}")).unwrap_or_default();
    match (args.seq, args.keep) {
        (Some(seq), _) => format!("the messages{subject} before sequence {seq}"),
        (None, Some(keep)) => format!("all messages{subject} but the newest {}", grouped(keep)),
        (None, None) => format!("all messages{subject}"),
    }
}

/// Seals the stream of `args`.
pub(super) async fn seal(args: &SealArgs, api: &Api) -> Result<(), CliError> {
    let name = &args.stream;
    let found = info(api, name).await?;
    let mut config = found.get("config").cloned().unwrap_or_default();
    args.force
        .confirmed(&format!("Seal stream {name:?}? Nothing can be stored, removed or changed after that"))
        .await?;
    config["sealed"] = true.into();
    let doing = Doing::new("seal", Kind::Stream, name);
    api.ask(doing, &format!("STREAM.UPDATE.{name}"), &config).await?;
    out::write(format!("Stream {name:?} was sealed\n").as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_stream_has_subjects_unless_it_copies_another() {
        let completed = |config: Json| {
            let mut config = config;
            complete(&mut config);
            config
        };
        assert_eq!(completed(json!({"name": "A"})), json!({"name": "A", "subjects": ["A"], "allow_direct": true}));
        let mirror = json!({"name": "A", "mirror": {"name": "B"}, "allow_direct": false});
        assert_eq!(completed(mirror.clone()), mirror);
        assert_eq!(defaults()["max_msgs"], -1);
    }

    #[test]
    fn changes_are_listed() {
        let config = |json: Json| json.as_object().cloned().unwrap();
        let before = config(json!({"a": 1, "b": ["x"]}));
        assert_eq!(changes(&before, &before), "");
        let after = config(json!({"a": 1, "b": ["y"], "c": true}));
        assert_eq!(changes(&before, &after), "  b: [\"x\"] → [\"y\"]\n  c: nothing → true");
    }
}
