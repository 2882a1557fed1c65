//! `martlet object`: buckets of objects, which are files and other large things.
//!
//! Buckets are streams, and made as such; objects go through the client library, chunk by chunk.

mod bucket;
mod file;
mod list;

use async_nats::jetstream::object_store::ObjectStore;
use clap::Subcommand;

use super::api::{Api, Doing, Kind, failed};
use super::bucket::{BucketFlags, EditArgs, Family};
use crate::client::error::CliError;
use crate::client::stop::Stop;

/// `object`.
#[derive(Debug, Subcommand)]
pub(crate) enum ObjectCommand {
    /// List buckets, or the objects of one
    #[command(visible_alias = "list")]
    Ls(list::ListArgs),
    /// Show what a bucket is, or an object
    #[command(visible_aliases = ["status", "show"])]
    Info(bucket::InfoArgs),
    /// Create a bucket
    #[command(visible_aliases = ["add", "new"])]
    Create(Box<bucket::CreateArgs>),
    /// Change a bucket's configuration; what is not given stays
    Edit(Box<EditArgs<BucketFlags>>),
    /// Remove an object; without a name, the bucket
    #[command(visible_alias = "rm")]
    Del(bucket::RemoveArgs),
    /// Let nothing be changed in a bucket any more
    Seal(bucket::SealArgs),
    /// Put a file into a bucket
    Put(file::PutArgs),
    /// Write an object into a file
    Get(file::GetArgs),
    /// Show objects as they come and go, until it is stopped
    Watch(list::WatchArgs),
}

/// Runs `command`.
pub(super) async fn run(command: &ObjectCommand, api: &Api, stop: &Stop) -> Result<(), CliError> {
    match command {
        ObjectCommand::Ls(args) => list::list(args, api).await,
        ObjectCommand::Info(args) => bucket::info(args, api).await,
        ObjectCommand::Create(args) => bucket::create(args, api).await,
        ObjectCommand::Edit(args) => bucket::edit(args, api).await,
        ObjectCommand::Del(args) => bucket::remove(args, api).await,
        ObjectCommand::Seal(args) => bucket::seal(args, api).await,
        ObjectCommand::Put(args) => file::put(args, api).await,
        ObjectCommand::Get(args) => file::get(args, api).await,
        ObjectCommand::Watch(args) => list::watch(args, api, stop).await,
    }
}

/// The bucket called `name`.
async fn open(api: &Api, name: &str) -> Result<ObjectStore, CliError> {
    // Asked for by name first: the answer says what the library's error does not.
    Family::OBJECTS.info(api, name).await?;
    let doing = Doing::new("open", Kind::Store, name);
    api.context().get_object_store(name).await.map_err(|error| failed(doing, &error))
}

/// `BUCKET > OBJECT`.
fn both(bucket: &str, object: &str) -> String {
    format!("{bucket} > {object}")
}
