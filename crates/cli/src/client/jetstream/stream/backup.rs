//! `martlet stream backup`: a stream in a folder, as the official command writes it.
//!
//! `backup.json` holds the stream's configuration and state, `stream.tar.s2` what the server sent, as it came. The
//! server sends no more than a window that is not acknowledged, so that nothing piles up here.

use std::io::Write;
use std::path::{Path, PathBuf};

use async_nats::{Message, StatusCode, Subscriber};
use bytes::Bytes;
use clap::Args;
use futures_util::StreamExt;
use serde_json::{Value as Json, json};

use super::super::api::{self, Api, Doing, Kind};
use super::super::value::counted;
use super::moved::Moved;
use crate::client::error::CliError;
use crate::client::number::{self, float};
use crate::client::out;
use crate::client::subscribe::subscribe;

/// What a backup's files are called.
pub(in crate::client::jetstream) const META: &str = "backup.json";
pub(super) const DATA: &str = "stream.tar.s2";

/// Bytes that come in one message.
const CHUNK: usize = 128 << 10;

/// `stream backup`.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub(crate) struct BackupArgs {
    /// Name of the stream
    stream: String,
    /// Folder to write into; it must not hold a backup yet
    #[arg(value_name = "DIR")]
    directory: PathBuf,
    /// Without the stream's consumers
    #[arg(long)]
    no_consumers: bool,
    /// Let the server check the stream first
    #[arg(long)]
    check: bool,
    /// Show no progress
    #[arg(long)]
    no_progress: bool,
    /// Write JSON: what `backup.json` holds
    #[arg(short, long)]
    json: bool,
}

impl BackupArgs {
    /// All of a stream, into a folder.
    pub(in crate::client::jetstream) fn of(stream: &str, directory: PathBuf) -> Self {
        let stream = stream.to_owned();
        Self { stream, directory, no_consumers: false, check: false, no_progress: false, json: false }
    }
}

// spec: CLI-021
/// Writes the stream of `args`.
pub(in crate::client::jetstream) async fn run(args: &BackupArgs, api: &Api) -> Result<(), CliError> {
    let name = api::name("stream", &args.stream)?;
    let doing = Doing::new("back up", Kind::Stream, name);
    std::fs::create_dir_all(&args.directory).map_err(|source| unwritten(&args.directory, source))?;
    let (meta, data) = (args.directory.join(META), args.directory.join(DATA));
    for file in [&meta, &data] {
        if file.exists() {
            return Err(CliError::Usage(format!("{} is there already: give another folder", file.display())));
        }
    }
    // What has not come whole is called something else: nobody takes it for a backup.
    let partial = args.directory.join(format!("{DATA}.part"));
    let inbox = api.client.new_inbox();
    let mut chunks = subscribe(&api.client, &inbox, None).await?;
    let body = json!({
        "deliver_subject": inbox, "no_consumers": args.no_consumers, "jsck": args.check,
        "chunk_size": CHUNK.min(api.client.max_payload()),
    });
    let answer = api.ask(doing, &format!("STREAM.SNAPSHOT.{name}"), &body).await?;
    let moved = Moved::new(None, args.no_progress);
    let received = match receive(doing, api, (&mut chunks, moved), &partial).await {
        Ok(received) => received,
        Err(error) => {
            // What is left of it is of no use; that it cannot be removed is no news beside the error.
            let _ = std::fs::remove_file(&partial);
            return Err(error);
        }
    };
    std::fs::rename(&partial, &data).map_err(|source| unwritten(&data, source))?;
    let description = out::json(&described(&answer));
    std::fs::write(&meta, &description).map_err(|source| unwritten(&meta, source))?;
    if args.json {
        return out::write(description.as_bytes());
    }
    let (messages, bytes) = (counted(&answer, "/state/messages"), number::bytes(float(received)));
    let line = format!("Stream {name:?} with {messages} messages is in {}, {bytes}\n", args.directory.display());
    out::write(line.as_bytes())
}

/// What `backup.json` holds.
fn described(answer: &Json) -> Json {
    json!({"config": answer["config"], "state": answer["state"]})
}

/// Writes every chunk into `file` until the end comes, and answers how many bytes there were.
async fn receive(
    doing: Doing<'_>,
    api: &Api,
    (chunks, mut moved): (&mut Subscriber, Moved),
    file: &Path,
) -> Result<u64, CliError> {
    let mut out = std::fs::File::create(file).map_err(|source| unwritten(file, source))?;
    loop {
        let next = tokio::time::timeout(api.timeout, chunks.next()).await;
        let failed = |reason: String| CliError::Failed { doing: doing.to_string(), reason };
        let chunk = next.map_err(|_| failed("the server stopped sending; wait longer with --timeout".to_owned()))?;
        let chunk = chunk.ok_or_else(|| CliError::Lost { reason: "the connection was closed".to_owned() })?;
        if chunk.payload.is_empty() {
            ended(&chunk).map_err(failed)?;
            out.sync_all().map_err(|source| unwritten(file, source))?;
            return Ok(moved.bytes());
        }
        out.write_all(&chunk.payload).map_err(|source| unwritten(file, source))?;
        moved.add(chunk.payload.len());
        if let Some(reply) = chunk.reply {
            let sent = api.client.publish(reply, Bytes::new()).await;
            sent.map_err(|error| CliError::Lost { reason: error.to_string() })?;
        }
    }
}

/// Whether the empty message that ends a backup says that all is well.
fn ended(last: &Message) -> Result<(), String> {
    match last.status {
        None => Ok(()),
        Some(status) if status == StatusCode::from_u16(204).unwrap_or_default() => Ok(()),
        Some(status) => Err(format!("{status} {}", last.description.clone().unwrap_or_default()).trim().to_owned()),
    }
}

fn unwritten(path: &Path, source: std::io::Error) -> CliError {
    CliError::Write { what: path.display().to_string(), source }
}
