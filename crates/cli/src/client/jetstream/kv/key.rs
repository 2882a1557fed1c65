//! `martlet kv put`, `get`, `create-key`, `update`, `del` and `purge`: one key.

use std::time::Duration;

use async_nats::jetstream::kv::{Entry, Operation, Store, UpdateErrorKind};
use async_nats::jetstream::message::PublishMessage;
use bytes::Bytes;
use clap::Args;
use serde_json::{Value as Json, json};

use super::super::api::{Api, Doing, Kind, failed};
use super::super::bucket::Family;
use super::super::confirm::Force;
use super::super::quantity::nanos;
use super::super::value::text;
use super::{entries, key_name, open};
use crate::client::args::SendOn;
use crate::client::body::Bodies;
use crate::client::error::CliError;
use crate::client::out;

/// `kv put`.
#[derive(Debug, Args)]
pub(crate) struct PutArgs {
    /// Name of the bucket
    bucket: String,
    /// The key
    key: String,
    /// Its value; read from standard input when none is given
    value: Option<String>,
    /// Write JSON: bucket, key and revision
    #[arg(short, long)]
    json: bool,
}

/// `kv create-key`.
#[derive(Debug, Args)]
pub(crate) struct CreateKeyArgs {
    /// Name of the bucket
    bucket: String,
    /// The key
    key: String,
    /// Its value; read from standard input when none is given
    value: Option<String>,
    /// The age at which it goes; the bucket needs --marker-ttl for that
    #[arg(long, value_name = "DURATION", value_parser = nanos)]
    ttl: Option<u64>,
    /// Write JSON: bucket, key and revision
    #[arg(short, long)]
    json: bool,
}

/// `kv update`.
#[derive(Debug, Args)]
pub(crate) struct UpdateArgs {
    /// Name of the bucket
    bucket: String,
    /// The key
    key: String,
    /// Its value; - reads it from standard input
    value: String,
    /// The revision it must have; 0 if it must not be there
    revision: u64,
    /// Write JSON: bucket, key and revision
    #[arg(short, long)]
    json: bool,
}

/// `kv get`.
#[derive(Debug, Args)]
pub(crate) struct GetArgs {
    /// Name of the bucket
    bucket: String,
    /// The key
    key: String,
    /// The value it had at this revision
    #[arg(long, value_name = "REVISION")]
    revision: Option<u64>,
    /// The value only, byte by byte
    #[arg(short, long)]
    raw: bool,
    /// Write JSON; the value is base64
    #[arg(short, long, conflicts_with = "raw")]
    json: bool,
}

/// `kv del`.
#[derive(Debug, Args)]
pub(crate) struct RemoveArgs {
    /// Name of the bucket
    bucket: String,
    /// The key; without one, the bucket is removed
    key: Option<String>,
    /// Only if it has this revision
    #[arg(long, value_name = "REVISION", requires = "key")]
    revision: Option<u64>,
    #[command(flatten)]
    force: Force,
}

/// `kv purge`.
#[derive(Debug, Args)]
pub(crate) struct PurgeArgs {
    /// Name of the bucket
    bucket: String,
    /// The key
    key: String,
    /// The age at which the mark goes; the bucket needs --marker-ttl for that
    #[arg(long, value_name = "DURATION", value_parser = nanos)]
    ttl: Option<u64>,
    #[command(flatten)]
    force: Force,
}

/// `BUCKET > KEY`.
fn both(bucket: &str, key: &str) -> String {
    format!("{bucket} > {key}")
}

/// The value that was given, or all of standard input.
async fn value(given: Option<&String>) -> Result<Bytes, CliError> {
    match Bodies::choose(given, false, SendOn::Eof, true) {
        Bodies::Given(text) => Ok(text.into()),
        Bodies::Stdin(mut bodies) => Ok(bodies.recv().await.transpose()?.unwrap_or_default().into()),
    }
}

fn tell(bucket: &str, key: &str, revision: u64, json: bool) -> Result<(), CliError> {
    if json {
        return out::write(out::json(&json!({"bucket": bucket, "key": key, "revision": revision})).as_bytes());
    }
    out::write(format!("{:?} has revision {revision}\n", both(bucket, key)).as_bytes())
}

// spec: CLI-019
/// Sets the value of `args`.
pub(super) async fn put(args: &PutArgs, api: &Api) -> Result<(), CliError> {
    let key = key_name(&args.key, false)?;
    let store = open(api, &args.bucket).await?;
    let value = value(args.value.as_ref()).await?;
    let both = both(&args.bucket, key);
    let doing = Doing::new("put", Kind::Key, &both);
    let revision = store.put(key, value).await.map_err(|error| failed(doing, &error))?;
    tell(&args.bucket, key, revision, args.json)
}

/// Creates the key of `args`.
pub(super) async fn create(args: &CreateKeyArgs, api: &Api) -> Result<(), CliError> {
    create_key(api, &args.bucket, &args.key, args.value.as_ref(), args.ttl, args.json).await
}

// spec: CLI-019
/// Creates `key` if it is not there; for `ttl` nanoseconds, if that is given.
pub(super) async fn create_key(
    api: &Api,
    bucket: &str,
    key: &str,
    given: Option<&String>,
    ttl: Option<u64>,
    json: bool,
) -> Result<(), CliError> {
    let key = key_name(key, false)?;
    let store = open(api, bucket).await?;
    let value = value(given).await?;
    let both = both(bucket, key);
    let doing = Doing::new("create", Kind::Key, &both);
    let entry = store.entry(key).await.map_err(|error| failed(doing, &error))?;
    let before = match entry {
        None => 0,
        Some(entry) if entry.operation != Operation::Put => entry.revision,
        Some(entry) => {
            let reason =
                format!("it is there, with revision {}; `martlet kv put` sets it all the same", entry.revision);
            return Err(CliError::Failed { doing: doing.to_string(), reason });
        }
    };
    let revision = match ttl {
        Some(ttl) => put_for(api, &store, doing, key, value, before, Duration::from_nanos(ttl)).await?,
        None => changed(doing, store.update(key, value, before).await)?,
    };
    tell(bucket, key, revision, json)
}

/// Puts `value` where `key` has the revision `before`, for as long as `ttl`.
async fn put_for(
    api: &Api,
    store: &Store,
    doing: Doing<'_>,
    key: &str,
    value: Bytes,
    before: u64,
    ttl: Duration,
) -> Result<u64, CliError> {
    let subject = format!("{}{key}", store.put_prefix.as_ref().unwrap_or(&store.prefix));
    // As the library does it: in another domain, the way there goes through its API.
    let subject = if store.use_jetstream_prefix { api.subject(&subject) } else { subject };
    let message = PublishMessage::build().payload(value).ttl(ttl).expected_last_subject_sequence(before);
    let sent = api.context().send_publish(subject, message).await.map_err(|error| failed(doing, &error))?;
    Ok(sent.await.map_err(|error| failed(doing, &error))?.sequence)
}

/// The new revision, or why there is none.
fn changed(doing: Doing<'_>, result: Result<u64, async_nats::jetstream::kv::UpdateError>) -> Result<u64, CliError> {
    result.map_err(|error| match error.kind() {
        UpdateErrorKind::WrongLastRevision => CliError::Failed {
            doing: doing.to_string(),
            reason: "it does not have that revision (any more): somebody changed it; `martlet kv get` shows what it is"
                .to_owned(),
        },
        _ => failed(doing, &error),
    })
}

// spec: CLI-019
/// Sets the value of `args` where its revision is still what it was.
pub(super) async fn update(args: &UpdateArgs, api: &Api) -> Result<(), CliError> {
    let key = key_name(&args.key, false)?;
    let store = open(api, &args.bucket).await?;
    let value = value(Some(&args.value).filter(|value| *value != "-")).await?;
    let both = both(&args.bucket, key);
    let result = store.update(key, value, args.revision).await;
    let revision = changed(Doing::new("update", Kind::Key, &both), result)?;
    tell(&args.bucket, key, revision, args.json)
}

// spec: CLI-019
/// Shows the value of `args`.
pub(super) async fn get(args: &GetArgs, api: &Api) -> Result<(), CliError> {
    let key = key_name(&args.key, false)?;
    let store = open(api, &args.bucket).await?;
    let both = both(&args.bucket, key);
    let doing = Doing::new("get", Kind::Key, &both);
    let absent = |reason: String| CliError::Failed { doing: doing.to_string(), reason };
    let found = match args.revision {
        None => store.entry(key).await.map_err(|error| failed(doing, &error))?,
        Some(revision) => at_revision(api, &store, doing, key, revision).await?,
    };
    let entry = found.ok_or_else(|| {
        let revision = args.revision.map(|revision| format!(" with revision {revision}")).unwrap_or_default();
        absent(format!("it is not there{revision}; `martlet kv keys {}` lists those there are", args.bucket))
    })?;
    if args.revision.is_none() && entry.operation != Operation::Put {
        let history = format!("`martlet kv history {} {key}` tells more", args.bucket);
        return Err(absent(format!("it was removed with revision {}; {history}", entry.revision)));
    }
    if args.raw {
        return out::write(&entry.value);
    }
    if args.json {
        return out::write(out::json(&entries::as_json(&entry)).as_bytes());
    }
    out::write(&entries::page(&entry))
}

/// What `key` was at `revision`. The library would write to standard output where that is another key's.
async fn at_revision(
    api: &Api,
    store: &Store,
    doing: Doing<'_>,
    key: &str,
    revision: u64,
) -> Result<Option<Entry>, CliError> {
    let request = format!("STREAM.MSG.GET.{}", store.stream_name);
    let answer = match api.ask(doing, &request, &json!({"seq": revision})).await {
        Err(CliError::Api { err_code: 10_037, .. }) => return Ok(None),
        answer => answer?,
    };
    let message = answer.get("message").unwrap_or(&Json::Null);
    if text(message, "/subject") != format!("{}{key}", store.prefix) {
        return Ok(None);
    }
    Ok(entries::from_stored(&store.name, key, message))
}

// spec: CLI-019
/// Removes the key of `args`, or the bucket.
pub(super) async fn remove(args: &RemoveArgs, api: &Api) -> Result<(), CliError> {
    let Some(key) = &args.key else { return Family::KEYS.remove(api, &args.bucket, &args.force).await };
    let key = key_name(key, false)?;
    let store = open(api, &args.bucket).await?;
    let both = both(&args.bucket, key);
    args.force.confirmed(&format!("Remove key {both:?}?")).await?;
    let removed = store.delete_expect_revision(key, args.revision).await;
    removed.map_err(|error| failed(Doing::new("remove", Kind::Key, &both), &error))?;
    out::write(format!("{both:?} was removed\n").as_bytes())
}

// spec: CLI-019
/// Removes the key of `args` and its history.
pub(super) async fn purge(args: &PurgeArgs, api: &Api) -> Result<(), CliError> {
    let key = key_name(&args.key, false)?;
    let store = open(api, &args.bucket).await?;
    let both = both(&args.bucket, key);
    args.force.confirmed(&format!("Remove key {both:?} and its history?")).await?;
    let purged = match args.ttl {
        None => store.purge(key).await,
        Some(ttl) => store.purge_with_ttl(key, Duration::from_nanos(ttl)).await,
    };
    purged.map_err(|error| failed(Doing::new("purge", Kind::Key, &both), &error))?;
    out::write(format!("{both:?} and its history were removed\n").as_bytes())
}
