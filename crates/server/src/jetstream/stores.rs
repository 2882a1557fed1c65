//! Stores of streams: made, found again at start, removed.

use std::path::PathBuf;
use std::sync::Arc;

use martlet_broker::account::Account;
use martlet_broker::batch::Batch;
use martlet_config::options::{self, JetStream as Block, Secret};
use martlet_disk::Directory;
use martlet_jetstream::StreamConfig;
use martlet_jetstream::config::Storage;
use martlet_jetstream::stream::{self, Recovery, Stream};
use martlet_store::{
    Cipher, Discarded, Disk, Encryption, FileStore, Journal, JournaledDisk, Limits, MemoryStore, Message, Observer,
    Options as OpenOptions, Store,
};

use super::Shared;
use super::layout::{self, Layout};
use super::out::InAccount;

/// What files are encrypted with.
pub(super) struct Keys {
    key: Secret,
    previous: Option<Secret>,
    cipher: Cipher,
}

impl Keys {
    /// What is configured; nothing without a key.
    // spec: CFG-191 CFG-192 CFG-193
    pub(super) fn of(block: &Block) -> Option<Self> {
        let cipher = match block.cipher {
            options::Cipher::ChaCha => Cipher::ChaCha20Poly1305,
            options::Cipher::Aes => Cipher::Aes256Gcm,
        };
        Some(Self { key: block.key.clone()?, previous: block.prev_key.clone(), cipher })
    }

    /// What it is called.
    pub(super) fn name(&self) -> &'static str {
        match self.cipher {
            Cipher::ChaCha20Poly1305 => "ChaCha20-Poly1305",
            Cipher::Aes256Gcm => "AES-GCM",
        }
    }

    fn encryption(&self) -> Encryption<'_> {
        let previous = self.previous.as_ref().map(|secret| secret.expose().as_bytes());
        Encryption { previous, ..encryption_with(self.key.expose().as_bytes(), self.cipher) }
    }
}

/// Encryption with a key.
pub(super) fn encryption_with(key: &[u8], cipher: Cipher) -> Encryption<'_> {
    let mut chance = [0; 32];
    getrandom::fill(&mut chance).expect("the system has random bytes");
    Encryption { key, previous: None, cipher, chance }
}

/// How to begin a store for a stream that comes from elsewhere.
pub(super) fn options_of<'k>(config: &StreamConfig, encryption: Option<Encryption<'k>>) -> OpenOptions<'k> {
    OpenOptions { encryption, ..OpenOptions::for_limits(stream::limits(config), salt()) }
}

/// How to open a store of a stream with these bounds.
fn store_options(shared: &Shared, limits: Limits) -> OpenOptions<'_> {
    let encryption = shared.keys.as_ref().map(Keys::encryption);
    OpenOptions { encryption, scrub_period: shared.scrub_interval, ..OpenOptions::for_limits(limits, salt()) }
}

/// A store for a new stream. What is left in its place of one that was never finished goes first.
pub(super) fn create(shared: &Shared, account: &str, config: &StreamConfig) -> Result<Box<dyn Store>, String> {
    match config.storage {
        Storage::Memory => Ok(Box::new(MemoryStore::new(config.first_seq.max(1)))),
        Storage::File => {
            shared.layout.remove(account, &config.name).map_err(|error| error.to_string())?;
            let disk = directory(shared, account, &config.name)?;
            let options = OpenOptions { first_seq: config.first_seq, ..store_options(shared, stream::limits(config)) };
            let opened = FileStore::open(disk, options, &mut Nobody).map_err(|error| error.to_string())?;
            Ok(Box::new(opened.store))
        }
    }
}

/// The directory of a stream that is there or begins; its log has its part of the journal.
fn directory(shared: &Shared, account: &str, stream: &str) -> Result<Arc<dyn Disk>, String> {
    let path = shared.layout.stream(account, stream);
    let disk = Directory::create(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let below = layout::below(account, stream);
    Ok(Arc::new(JournaledDisk::new(Arc::new(disk), Arc::clone(&shared.journal), below)))
}

/// A place for a stream that is still being made. Nothing is left of it unless it is kept.
#[derive(Debug)]
pub(super) struct Unfinished {
    /// The directory that it is made in, and the one that it gets; `None` for one in memory, or once it is kept.
    paths: Option<(PathBuf, PathBuf)>,
    /// What may still know of one that was there before, and what is known of that one's files.
    journal: Option<(Arc<Journal>, String)>,
}

impl Unfinished {
    /// It is what it should be: the store has been closed.
    pub(super) fn keep(mut self) -> Result<(), String> {
        let Some((from, to)) = self.paths.take() else { return Ok(()) };
        if let Some((journal, below)) = &self.journal
            && let Err(error) = journal.replace_below(below)
        {
            self.paths = Some((from, to.clone()));
            return Err(format!("{}: {error}", to.display()));
        }
        layout::put_in_place(&from, &to).map_err(|error| {
            self.paths = Some((from, to.clone()));
            format!("{}: {error}", to.display())
        })
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let Some((path, _)) = self.paths.take()
            && let Err(error) = std::fs::remove_dir_all(&path)
        {
            log::error!("{}, what is left of a restore, could not be removed: {error}", path.display());
        }
    }
}

/// A store for a stream that is made of an archive, and is there only when all of it is.
pub(super) fn begin(
    shared: &Shared,
    account: &str,
    config: &StreamConfig,
    first_seq: u64,
) -> Result<(Box<dyn Store>, Unfinished), String> {
    if config.storage == Storage::Memory {
        return Ok((Box::new(MemoryStore::new(first_seq.max(1))), Unfinished { paths: None, journal: None }));
    }
    let options = OpenOptions { first_seq, ..store_options(shared, stream::limits(config)) };
    let (store, mut unfinished) = begin_files(&shared.layout, account, config, shared.next_sid(), options)?;
    unfinished.journal = Some((Arc::clone(&shared.journal), layout::below(account, &config.name)));
    Ok((store, unfinished))
}

/// The same in files, in a directory with a number that no other has.
pub(super) fn begin_files(
    layout: &Layout,
    account: &str,
    config: &StreamConfig,
    number: u64,
    options: OpenOptions<'_>,
) -> Result<(Box<dyn Store>, Unfinished), String> {
    let path = layout.unfinished(account, &config.name, number);
    let disk = Directory::create(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let unfinished = Unfinished { paths: Some((path, layout.stream(account, &config.name))), journal: None };
    // Its bounds are for when it is all there.
    let options = OpenOptions { limits: Limits::default(), ..options };
    let opened = FileStore::open(Arc::new(disk), options, &mut Nobody).map_err(|error| error.to_string())?;
    Ok((Box::new(opened.store), unfinished))
}

/// The stream that is kept under a name; `None` if its creation was never finished, and nobody was told that it was.
///
/// One in plain is encrypted first, if there is a key: that is done by closing it.
// spec: JS-121
pub(super) fn recover(shared: &Shared, account: &Account, name: &str) -> Result<Option<Stream>, String> {
    let Some((mut stream, is_in_clear)) = reopen(shared, account, name)? else { return Ok(None) };
    if !is_in_clear {
        return Ok(Some(stream));
    }
    log::info!("Encrypting stream '{} > {name}'", account.name());
    stream.close().map_err(|error| error.to_string())?;
    drop(stream);
    let Some((stream, is_in_clear)) = reopen(shared, account, name)? else { return Ok(None) };
    if is_in_clear {
        log::warn!(
            "Stream '{} > {name}' is encrypted but for segments with messages that cannot be read",
            account.name()
        );
    }
    Ok(Some(stream))
}

/// The stream, and whether something of it is to be encrypted and is not.
fn reopen(shared: &Shared, account: &Account, name: &str) -> Result<Option<(Stream, bool)>, String> {
    let disk = directory(shared, account.name(), name)?;
    let now = super::now(martlet_net::clock::now());
    let mut recovery = Recovery::recovery(now);
    let opened = FileStore::open(disk, store_options(shared, Limits::default()), &mut recovery)
        .map_err(|error| error.to_string())?;
    for damage in &opened.damage {
        log::error!("Stream '{} > {name}' is damaged: {damage}", account.name());
    }
    if opened.store.appended() == 0 && opened.damage.is_empty() {
        return Ok(None);
    }
    let stream = resume(shared, account, recovery, Box::new(opened.store))?;
    Ok(Some((stream, opened.is_in_clear)))
}

/// The stream that a store and what was observed of it make.
pub(super) fn resume(
    shared: &Shared,
    account: &Account,
    recovery: Recovery,
    store: Box<dyn Store>,
) -> Result<Stream, String> {
    let now = super::now(martlet_net::clock::now());
    let (mut batch, mut body) = (Batch::new(now.time.as_nanos()), Vec::new());
    let mut out = InAccount { account, batch: &mut batch, body: &mut body };
    let options = shared.stream_options(account.name(), shared.durability_of(recovery.config()));
    let recovered = Stream::recover(recovery, store, options, now, &mut out);
    batch.finish();
    recovered.map_err(|error| error.to_string())
}

/// Takes a stream's files away.
pub(super) fn remove(shared: &Shared, account: &str, name: &str) {
    if let Err(error) = shared.layout.remove(account, name) {
        log::error!("the files of stream '{account} > {name}' could not be removed: {error}");
    }
}

/// Takes the files of all streams of an account away, which nobody serves.
pub(super) fn remove_account(shared: &Shared, account: &str) {
    if let Err(error) = shared.layout.remove_account(account) {
        log::error!("the files of account {account} could not be removed: {error}");
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
