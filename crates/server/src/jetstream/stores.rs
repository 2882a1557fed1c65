//! Stores of streams: made, found again at start, removed.

use std::sync::Arc;

use martlet_broker::account::Account;
use martlet_broker::batch::Batch;
use martlet_disk::Directory;
use martlet_events::WallTime;
use martlet_jetstream::StreamConfig;
use martlet_jetstream::config::Storage;
use martlet_jetstream::stream::{self, Recovery, Stream};
use martlet_store::{Discarded, FileStore, Limits, MemoryStore, Message, Observer, Options as OpenOptions, Store};

use super::Shared;
use super::out::InAccount;

/// A store for a new stream. What is left in its place of one that was never finished goes first.
pub(super) fn create(shared: &Shared, account: &str, config: &StreamConfig) -> Result<Box<dyn Store>, String> {
    match config.storage {
        Storage::Memory => Ok(Box::new(MemoryStore::new(config.first_seq.max(1)))),
        Storage::File => {
            shared.layout.remove(account, &config.name).map_err(|error| error.to_string())?;
            let path = shared.layout.stream(account, &config.name);
            let disk = Directory::create(&path).map_err(|error| format!("{}: {error}", path.display()))?;
            let options =
                OpenOptions { first_seq: config.first_seq, ..OpenOptions::for_limits(stream::limits(config), salt()) };
            let opened = FileStore::open(Arc::new(disk), options, &mut Nobody).map_err(|error| error.to_string())?;
            Ok(Box::new(opened.store))
        }
    }
}

/// The stream that is kept under a name; `None` if its creation was never finished, and nobody was told that it was.
pub(super) fn recover(shared: &Shared, account: &Account, name: &str) -> Result<Option<Stream>, String> {
    let path = shared.layout.stream(account.name(), name);
    let disk = Directory::create(&path).map_err(|error| error.to_string())?;
    let now = super::now(martlet_net::clock::now());
    let mut recovery = Recovery::recovery(now);
    let options = OpenOptions::for_limits(Limits::default(), salt());
    let opened = FileStore::open(Arc::new(disk), options, &mut recovery).map_err(|error| error.to_string())?;
    for damage in &opened.damage {
        log::error!("Stream '{} > {name}' is damaged: {damage}", account.name());
    }
    if opened.store.appended() == 0 && opened.damage.is_empty() {
        return Ok(None);
    }
    let (mut batch, mut body) = (Batch::new(now.time.as_nanos()), Vec::new());
    let mut out = InAccount { account, batch: &mut batch, body: &mut body };
    let options = shared.stream_options(account.name(), shared.durability_of(recovery.config()));
    let recovered = Stream::recover(recovery, Box::new(opened.store), options, now, &mut out);
    batch.finish(None);
    recovered.map(Some).map_err(|error| error.to_string())
}

/// Takes a stream's files away.
pub(super) fn remove(shared: &Shared, account: &str, name: &str) {
    if let Err(error) = shared.layout.remove(account, name) {
        log::error!("the files of stream '{account} > {name}' could not be removed: {error}");
    }
}

/// A number by chance.
fn salt() -> u32 {
    fastrand::u32(..)
}

/// There is nothing to tell of an empty store.
struct Nobody;

impl Observer for Nobody {
    fn added(&mut self, _: &Message<'_>, _: u64) {}
    fn removed(&mut self, _: &Discarded<'_>) {}
    fn noted(&mut self, _: u8, _: &[u8]) {}
}

/// The wall clock's reading.
pub(crate) fn wall() -> WallTime {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    WallTime::from_nanos(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
}
