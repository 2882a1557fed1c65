//! One stream: its files are read, looked at, and written anew.

use std::path::{Path, PathBuf};

use martlet_archive::files::{
    self, AssetKey, Cipher, Contents, Index, MasterKey, Meta, Shelf, check_consumer_sum, check_sum, consumer_state,
};
use martlet_archive::{ConsumerState, Item, Message, Sink};
use martlet_events::WallTime;
use martlet_jetstream::StreamConfig;
use martlet_jetstream::api::answer::AccountLimits;
use martlet_jetstream::api::validate::{self, Joining, ServerLimits};
use martlet_jetstream::stream::{Rebuild, RebuildError, Returning, configuration_of};
use martlet_net::clock;

use super::source::{self, directories};
use super::{Import, Outcome, StreamReport};
use crate::jetstream::layout::Layout;
use crate::jetstream::restore::building::standing_of;
use crate::jetstream::stores::{self, Unfinished};
use crate::jetstream::{Shared, now};

/// No block of the reference is larger.
const MAX_BLOCK: u64 = 256 << 20;
/// No other file is.
const MAX_FILE: u64 = 1 << 30;

/// Imports a stream; whatever happens is in the report.
pub(super) fn import(import: &Import, layout: &Layout, (account, name, path): (&str, &str, &Path)) -> StreamReport {
    let key = import.key.as_ref().map(|key| MasterKey::new(key.as_bytes(), account));
    let mut report = StreamReport::new(account, name);
    let files = Files { path, name, key };
    if let Err(why) = files.import(import, layout, &mut report) {
        report.outcome = if why.is_empty() { Outcome::Damaged } else { Outcome::Failed(why) };
    }
    report
}

/// A stream's files.
struct Files<'a> {
    path: &'a Path,
    name: &'a str,
    key: Option<MasterKey>,
}

/// What a stream is, by its files beside the messages.
struct Found {
    config: StreamConfig,
    created: WallTime,
    key: Option<AssetKey>,
    consumers: Vec<Returning>,
}

impl Files<'_> {
    /// An empty error is a stream that is damaged.
    fn import(&self, import: &Import, layout: &Layout, report: &mut StreamReport) -> Result<(), String> {
        let seen = source::look(self.path).map_err(|error| error.to_string())?;
        let target = layout.stream(&report.account, self.name);
        if target.exists() {
            return Err(format!("there is a stream of this name already, in {}", target.display()));
        }
        let found = self.find(report)?;
        let mut sink = if import.dry_run {
            Target::Counted(0)
        } else {
            let number = clock::now().as_nanos();
            // What was encrypted stays so, with the same key.
            let encryption = import.key.as_ref().zip(found.key.as_ref()).map(|(key, found)| {
                let cipher = match found.cipher() {
                    Cipher::ChaCha => martlet_store::Cipher::ChaCha20Poly1305,
                    Cipher::Aes => martlet_store::Cipher::Aes256Gcm,
                };
                stores::encryption_with(key.as_bytes(), cipher)
            });
            let options = stores::options_of(&found.config, encryption);
            let (store, unfinished) = stores::begin_files(layout, &report.account, &found.config, number, options)?;
            let clock = now(clock::now());
            let rebuild = Rebuild::begin(found.config.clone(), found.created, 0, store, clock);
            Target::Written(Box::new(Written { rebuild: rebuild.map_err(text)?, unfinished, refused: Vec::new() }))
        };
        let contents = self.read_blocks(&found, &mut sink, report)?;
        report.damage.extend(sink.refused().iter().cloned());
        report.last_seq = contents.last_seq;
        report.consumers = found.consumers.len() as u64;
        if contents.missing > 0 {
            report.damage.push(format!("{} messages are in no block", contents.missing));
        }
        if source::look(self.path).map_err(|error| error.to_string())? != seen {
            return Err("its files were written while they were read: is a server at work on them?".into());
        }
        if !report.damage.is_empty() && !import.skip_damaged {
            return Err(String::new());
        }
        sink.end(&contents, &found, report)
    }

    fn file(&self, name: &str) -> Result<Option<Vec<u8>>, String> {
        let path = self.path.join(name);
        source::read(&path, MAX_FILE).map_err(|error| format!("{}: {error}", path.display()))
    }

    fn must(&self, name: &str) -> Result<Vec<u8>, String> {
        self.file(name)?.ok_or_else(|| format!("{} is missing", self.path.join(name).display()))
    }

    fn master(&self, what: &str) -> Result<&MasterKey, String> {
        self.key.as_ref().ok_or_else(|| format!("{what} is encrypted: give the key of the server that wrote it"))
    }

    /// The configuration, the key and the consumers.
    fn find(&self, report: &mut StreamReport) -> Result<Found, String> {
        let key = match self.file("meta.key")? {
            Some(sealed) => Some(self.master("it")?.stream(self.name, &sealed).map_err(text)?),
            None => None,
        };
        report.cipher = key.as_ref().map(|key| match key.cipher() {
            Cipher::ChaCha => "ChaCha20-Poly1305".to_owned(),
            Cipher::Aes => "AES-GCM".to_owned(),
        });
        let meta = self.must("meta.inf")?;
        check_sum(self.name, &meta, &self.must("meta.sum")?).map_err(text)?;
        let json = open(meta, key.as_ref())?;
        let about = Meta::read(&json).map_err(text)?;
        let mut config = configuration_of(&json)?;
        if config.name != self.name {
            return Err(format!("its configuration is that of {:?}", config.name));
        }
        if config.num_replicas > 1 {
            report.notes.push(format!("{} replicas become 1", config.num_replicas));
            config.num_replicas = 1;
        }
        let consumers = self.consumers(&config, report)?;
        Ok(Found { config, created: time(about.created), key, consumers })
    }

    fn consumers(&self, config: &StreamConfig, report: &mut StreamReport) -> Result<Vec<Returning>, String> {
        let path = self.path.join("obs");
        let mut consumers: Vec<Returning> = Vec::new();
        if !path.is_dir() {
            return Ok(consumers);
        }
        for (name, path) in directories(&path).map_err(text)? {
            match self.consumer(config, &name, &consumers) {
                Ok(consumer) => consumers.extend(consumer),
                Err(why) => report.damage.push(format!("{}: {why}", path.display())),
            }
        }
        Ok(consumers)
    }

    fn consumer(&self, stream: &StreamConfig, name: &str, there: &[Returning]) -> Result<Option<Returning>, String> {
        let file = |file: &str| self.file(&format!("obs/{name}/{file}"));
        let key = match file("meta.key")? {
            Some(sealed) => Some(self.master("it")?.consumer(self.name, name, &sealed).map_err(text)?),
            None => None,
        };
        let meta = file("meta.inf")?.ok_or("meta.inf is missing")?;
        check_consumer_sum(self.name, name, &meta, &file("meta.sum")?.ok_or("meta.sum is missing")?).map_err(text)?;
        let json = open(meta, key.as_ref())?;
        let about = Meta::read(&json).map_err(text)?;
        let (account, server) = (AccountLimits::default(), ServerLimits::default());
        let joining = Joining {
            stream,
            consumers: &there,
            account: Some(&account),
            server: &ServerLimits { default_max_consumers: -1, ..server },
            is_wanted: &|_| false,
            new_name: &Shared::unique,
        };
        let config = validate::restore_consumer(name, &json, &joining).map_err(text)?;
        let state = match file("o.dat")? {
            Some(bytes) if !bytes.is_empty() => {
                consumer_state(&open(bytes, key.as_ref())?).map_err(|error| format!("o.dat: {error}"))?
            }
            _ => ConsumerState::default(),
        };
        let created = time(about.created);
        Ok(config.map(|config| Returning { config, created, standing: standing_of(&state) }))
    }

    /// Reads all blocks in their order.
    fn read_blocks(&self, found: &Found, sink: &mut Target, report: &mut StreamReport) -> Result<Contents, String> {
        // A purge that was broken off leaves its new blocks beside the place where they belong, whole if there is one.
        let is_purged = blocks(&self.path.join("__new_msgs__")).is_ok_and(|blocks| !blocks.is_empty());
        let messages = if is_purged { "__new_msgs__" } else { "msgs" };
        let path = self.path.join(messages);
        let mut blocks_read = Shelf::new(self.name);
        for number in blocks(&path)? {
            let bytes = match self.block(&path, number) {
                Ok(bytes) => bytes,
                Err(why) => {
                    report.damage.push(format!("{}: {why}", path.join(format!("{number}.blk")).display()));
                    continue;
                }
            };
            blocks_read.block(number, &bytes, sink).map_err(text)?;
        }
        for fault in blocks_read.faults() {
            let file = path.join(format!("{}.blk", fault.block));
            report.damage.push(format!("{} at byte {}: {}", file.display(), fault.at, fault.why));
        }
        let index = self.file(&format!("{messages}/index.db"))?;
        let index = index.map(|bytes| Index::read(self.name, &bytes, found.key.as_ref())).transpose();
        if let Err(why) = &index {
            report.notes.push(format!("index.db is not used: {why}"));
        }
        Ok(blocks_read.end(index.ok().flatten().as_ref()))
    }

    fn block(&self, path: &Path, number: u32) -> Result<Vec<u8>, String> {
        let read = |name: String| source::read(&path.join(name), MAX_BLOCK).map_err(text);
        let mut bytes = read(format!("{number}.blk"))?.ok_or("it is missing")?;
        if let Some(sealed) = read(format!("{number}.key"))? {
            let key = self.master("it")?.block(self.name, number, &sealed).map_err(text)?;
            key.open_block(&mut bytes);
        }
        files::unpack(bytes).map_err(text)
    }
}

/// Where messages go.
enum Target {
    /// How many there were.
    Counted(u64),
    Written(Box<Written>),
}

struct Written {
    rebuild: Rebuild,
    unfinished: Unfinished,
    /// Messages that no stream can have.
    refused: Vec<String>,
}

impl Sink for Target {
    type Error = RebuildError;

    fn item(&mut self, item: Item<'_>) -> Result<(), RebuildError> {
        let Item::Message(message) = item else { return Ok(()) };
        match self {
            Self::Counted(messages) => *messages += 1,
            Self::Written(target) => {
                let Message { seq, time: at, subject, headers, payload } = message;
                let message = martlet_store::Message { seq, time: time(at), subject, headers, payload, expires: None };
                match target.rebuild.message(&message) {
                    Err(error @ RebuildError::Message { .. }) => target.refused.push(error.to_string()),
                    taken => taken?,
                }
            }
        }
        Ok(())
    }
}

impl Target {
    fn refused(&self) -> &[String] {
        match self {
            Self::Counted(_) => &[],
            Self::Written(target) => &target.refused,
        }
    }

    /// All of it has been read: what is gone goes, and the rest is put in place.
    fn end(self, contents: &Contents, found: &Found, report: &mut StreamReport) -> Result<(), String> {
        match self {
            Self::Counted(told) => {
                let gone: u64 = contents.gone.iter().map(|range| range.end() - range.start() + 1).sum();
                (report.messages, report.bytes) = contents.counted.unwrap_or((told.saturating_sub(gone), 0));
                Ok(())
            }
            Self::Written(target) => {
                let Written { mut rebuild, unfinished, refused } = *target;
                rebuild.remove(&contents.gone).map_err(text)?;
                let (there, passed) = (rebuild.state().messages, rebuild.passed());
                if let Some((messages, _)) = contents.counted {
                    let lost = contents.missing + refused.len() as u64;
                    if there + lost > messages || there + lost + passed < messages {
                        return Err(format!("its index counts {messages} messages, and {there} were found"));
                    }
                }
                if passed > 0 {
                    report.notes.push(format!("{passed} messages whose time was over are left out"));
                }
                let state = rebuild.close(contents.last_seq, &found.consumers).map_err(text)?;
                unfinished.keep()?;
                (report.messages, report.bytes, report.deleted) = (state.messages, state.bytes, state.deleted);
                (report.first_seq, report.last_seq) = (state.first_seq, state.last_seq);
                report.outcome = Outcome::Imported;
                Ok(())
            }
        }
    }
}

/// The numbers of the blocks in a directory, in order.
fn blocks(path: &Path) -> Result<Vec<u32>, String> {
    let entries = std::fs::read_dir(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let names = entries.filter_map(|entry| PathBuf::from(entry.ok()?.file_name()).to_str().map(str::to_owned));
    let mut numbers: Vec<u32> = names.filter_map(|name| name.strip_suffix(".blk")?.parse().ok()).collect();
    numbers.sort_unstable();
    Ok(numbers)
}

fn open(bytes: Vec<u8>, key: Option<&AssetKey>) -> Result<Vec<u8>, String> {
    match key {
        Some(key) => key.open(&bytes).map_err(text),
        None => Ok(bytes),
    }
}

fn time(nanos: i64) -> WallTime {
    WallTime::from_nanos(u64::try_from(nanos).unwrap_or(0))
}

#[expect(clippy::needless_pass_by_value, reason = "it is given to map_err")]
fn text(error: impl ToString) -> String {
    error.to_string()
}
