//! `martlet stream`, `consumer`, `kv`, `object` and `account`: what users of an account do with JetStream, from any server.
//!
//! Requests and answers of the API are JSON from end to end: an edit keeps what this version knows nothing of, and
//! `--json` shows what the server said, not what was understood of it. [`api`] asks, [`value`] reads answers,
//! [`quantity`] reads what people write; the rooms below know the flags, the requests and the tables.
//!
//! Invariant: nothing is destroyed before a person or `--force` has said so.

mod account;
mod api;
mod bucket;
mod confirm;
mod consumer;
mod kv;
mod object;
mod quantity;
mod stored;
mod stream;
mod value;

use self::api::Api;
use super::connect;
use super::error::CliError;
use super::settings::Settings;
use super::stop::Stop;

pub(crate) use self::account::AccountCommand;
pub(crate) use self::consumer::ConsumerCommand;
pub(crate) use self::kv::KvCommand;
pub(crate) use self::object::ObjectCommand;
pub(crate) use self::stream::StreamCommand;

/// Runs `command` on a connection of its own.
pub(crate) async fn stream(command: &StreamCommand, settings: &Settings, stop: &Stop) -> Result<(), CliError> {
    with_api(settings, stop, async |api| stream::run(command, api).await).await
}

/// Runs `command` on a connection of its own.
pub(crate) async fn consumer(command: &ConsumerCommand, settings: &Settings, stop: &Stop) -> Result<(), CliError> {
    with_api(settings, stop, async |api| consumer::run(command, api, stop).await).await
}

/// Runs `command` on a connection of its own.
pub(crate) async fn kv(command: &KvCommand, settings: &Settings, stop: &Stop) -> Result<(), CliError> {
    with_api(settings, stop, async |api| kv::run(command, api, stop).await).await
}

/// Runs `command` on a connection of its own.
pub(crate) async fn object(command: &ObjectCommand, settings: &Settings, stop: &Stop) -> Result<(), CliError> {
    with_api(settings, stop, async |api| object::run(command, api, stop).await).await
}

/// Runs `command` on a connection of its own.
pub(crate) async fn account(command: &AccountCommand, settings: &Settings, stop: &Stop) -> Result<(), CliError> {
    with_api(settings, stop, async |api| account::run(command, api).await).await
}

/// Connects, runs `work` until it ends or a person stops it, and closes.
async fn with_api(
    settings: &Settings,
    stop: &Stop,
    work: impl AsyncFnOnce(&Api) -> Result<(), CliError>,
) -> Result<(), CliError> {
    let session = connect::connect(settings).await?;
    let api = Api::new(session.client.clone(), settings);
    let result = tokio::select! {
        biased;
        result = work(&api) => result,
        () = stop.wait() => Err(CliError::Interrupted),
    };
    session.close().await;
    result
}
