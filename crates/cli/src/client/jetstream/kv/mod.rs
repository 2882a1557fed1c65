//! `martlet kv`: buckets of keys and values.
//!
//! Buckets are streams, and made as such; keys and values go through the client library, which knows what a put, a
//! delete and a purge look like.

mod bucket;
mod entries;
mod key;

use async_nats::jetstream::kv::Store;
use clap::Subcommand;

use super::api::{Api, Doing, Kind, failed};
use super::bucket::{EditArgs, Family};
use crate::client::error::CliError;
use crate::client::stop::Stop;

/// `kv`.
#[derive(Debug, Subcommand)]
pub(crate) enum KvCommand {
    /// List buckets, or the keys of one
    #[command(visible_alias = "list")]
    Ls(bucket::ListArgs),
    /// Show a bucket's configuration and state
    #[command(visible_aliases = ["status", "view"])]
    Info(bucket::InfoArgs),
    /// Create a bucket; with a key, that key as create-key does
    #[command(visible_aliases = ["add", "new"])]
    Create(Box<bucket::CreateArgs>),
    /// Change a bucket's configuration; what is not given stays
    Edit(Box<EditArgs<bucket::KvFlags>>),
    /// Remove a key, leaving a mark and its history; without a key, remove the bucket
    #[command(visible_alias = "rm")]
    Del(key::RemoveArgs),
    /// Set a key's value
    Put(key::PutArgs),
    /// Show a key's value
    Get(key::GetArgs),
    /// Set the value of a key that is not there
    CreateKey(key::CreateKeyArgs),
    /// Set a key's value if nobody else has since
    Update(key::UpdateArgs),
    /// Remove a key and its history, leaving a mark
    Purge(key::PurgeArgs),
    /// Show the values a key has had
    History(entries::HistoryArgs),
    /// Show values as they are and as they change, until it is stopped
    Watch(entries::WatchArgs),
    /// List the keys of a bucket
    Keys(entries::KeysArgs),
}

/// Runs `command`.
pub(super) async fn run(command: &KvCommand, api: &Api, stop: &Stop) -> Result<(), CliError> {
    match command {
        KvCommand::Ls(args) => bucket::list(args, api).await,
        KvCommand::Info(args) => bucket::info(args, api).await,
        KvCommand::Create(args) => bucket::create(args, api).await,
        KvCommand::Edit(args) => bucket::edit(args, api).await,
        KvCommand::Del(args) => key::remove(args, api).await,
        KvCommand::Put(args) => key::put(args, api).await,
        KvCommand::Get(args) => key::get(args, api).await,
        KvCommand::CreateKey(args) => key::create(args, api).await,
        KvCommand::Update(args) => key::update(args, api).await,
        KvCommand::Purge(args) => key::purge(args, api).await,
        KvCommand::History(args) => entries::history(args, api).await,
        KvCommand::Watch(args) => entries::watch(args, api, stop).await,
        KvCommand::Keys(args) => entries::keys(args, api).await,
    }
}

/// The bucket called `name`.
async fn open(api: &Api, name: &str) -> Result<Store, CliError> {
    // Asked for by name first: the answer says what the library's error does not.
    Family::KEYS.info(api, name).await?;
    let doing = Doing::new("open", Kind::Bucket, name);
    api.context().get_key_value(name).await.map_err(|error| failed(doing, &error))
}

/// `key` if it can be one; `wild` lets it be a pattern.
fn key_name(key: &str, wild: bool) -> Result<&str, CliError> {
    let wrong = |reason| Err(CliError::Name { kind: "key", name: key.to_owned(), reason });
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-/_=.".contains(c) || wild && "*>".contains(c);
    if key.is_empty() || !key.chars().all(allowed) {
        return wrong("it is made of letters, digits and - / _ = .");
    }
    if key.starts_with('.') || key.ends_with('.') || key.contains("..") {
        return wrong("it neither begins nor ends with a dot, and has no two side by side");
    }
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_checked() {
        for right in ["a", "a.b/c=d_e-f", "0"] {
            assert!(key_name(right, false).is_ok(), "{right}");
        }
        assert!(key_name("a.*.>", true).is_ok() && key_name("a.*", false).is_err());
        for wrong in ["", ".a", "a.", "a..b", "a b", "ä"] {
            let error = key_name(wrong, true).unwrap_err().to_string();
            assert!(error.contains(&format!("{wrong:?} is no key name")), "{error}");
        }
    }
}
