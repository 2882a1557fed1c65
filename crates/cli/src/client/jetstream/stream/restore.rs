//! `martlet stream restore`: a stream from the folder that a backup was written into.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_nats::{Request, RequestErrorKind};
use bytes::Bytes;
use clap::Args;
use serde_json::{Map, Value as Json, json};

use super::super::api::{self, Api, Doing, Kind, checked};
use super::super::value::text;
use super::backup::{DATA, META};
use super::config::{PlacementFlags, from_file};
use super::moved::Moved;
use super::show;
use crate::client::error::CliError;

/// Bytes that are sent in one message.
const CHUNK: usize = 256 << 10;
/// How long the server may take to make a stream of what it was sent.
const MAKING: Duration = Duration::from_hours(1);

/// `stream restore`.
#[derive(Debug, Args)]
pub(crate) struct RestoreArgs {
    /// Folder that `stream backup` wrote
    #[arg(value_name = "DIR")]
    directory: PathBuf,
    /// JSON file with a configuration that goes over that of the backup
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    placement: PlacementFlags,
    /// Show no progress
    #[arg(long)]
    no_progress: bool,
    /// Write JSON, as the server told it
    #[arg(short, long)]
    json: bool,
}

impl RestoreArgs {
    /// What a folder holds, as it was.
    pub(in crate::client::jetstream) fn of(directory: PathBuf) -> Self {
        Self { directory, config: None, placement: PlacementFlags::default(), no_progress: false, json: false }
    }
}

// spec: CLI-021
/// Makes the stream of `args`.
pub(in crate::client::jetstream) async fn run(args: &RestoreArgs, api: &Api) -> Result<(), CliError> {
    let (mut config, state) = described(&args.directory.join(META))?;
    config.extend(from_file(args.config.as_ref())?);
    args.placement.apply(&mut config);
    let config = Json::from(config);
    let name = text(&config, "/name");
    api::name("stream", &name)?;
    let doing = Doing::new("restore", Kind::Stream, &name);
    let path = args.directory.join(DATA);
    let mut data = File::open(&path).map_err(|source| unreadable(&path, source))?;
    let moved = Moved::new(data.metadata().ok().map(|about| about.len()), args.no_progress);
    let body = json!({"config": config, "state": state});
    let answer = api.ask(doing, &format!("STREAM.RESTORE.{name}"), &body).await?;
    let made = send(doing, api, &text(&answer, "/deliver_subject"), (&mut data, &path, moved)).await?;
    show::tell(&made, args.json, &format!("Stream {name:?} was restored"))
}

/// Sends `data` chunk by chunk, each when the one before has been taken; answers what the server says at the end.
async fn send(
    doing: Doing<'_>,
    api: &Api,
    to: &str,
    (data, path, mut moved): (&mut File, &Path, Moved),
) -> Result<Json, CliError> {
    let size = CHUNK.min(api.client.max_payload());
    loop {
        let mut chunk = Vec::with_capacity(size);
        data.by_ref().take(size as u64).read_to_end(&mut chunk).map_err(|source| unreadable(path, source))?;
        let is_last = chunk.is_empty();
        moved.add(chunk.len());
        let request = Request::new().payload(Bytes::from(chunk));
        // At the end the server makes a stream of it, and takes its time.
        let request = if is_last { request.timeout(Some(MAKING)) } else { request };
        let answer = api.client.send_request(to.to_owned(), request).await;
        let answer = answer.map_err(|error| match error.kind() {
            RequestErrorKind::TimedOut => CliError::NoReply { subject: to.to_owned(), after: api.timeout },
            _ => CliError::Failed { doing: doing.to_string(), reason: error.to_string() },
        })?;
        if is_last || !answer.payload.is_empty() {
            let wrong = |source| CliError::Answer { subject: to.to_owned(), source };
            let answer = checked(doing, serde_json::from_slice(&answer.payload).map_err(wrong)?)?;
            if is_last {
                return Ok(answer);
            }
        }
    }
}

/// The configuration and the state in a backup's description.
fn described(path: &Path) -> Result<(Map<String, Json>, Json), CliError> {
    let text = std::fs::read_to_string(path).map_err(|source| unreadable(path, source))?;
    let wrong = |reason| CliError::File { option: "DIR", path: path.display().to_string(), reason };
    let json: Json = serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
    let config = json.get("config").and_then(Json::as_object).cloned();
    let config = config.ok_or_else(|| wrong("it holds no configuration of a stream".to_owned()))?;
    Ok((config, json.get("state").cloned().unwrap_or_default()))
}

fn unreadable(path: &Path, source: io::Error) -> CliError {
    CliError::Unreadable { option: "DIR", path: path.display().to_string(), source }
}
