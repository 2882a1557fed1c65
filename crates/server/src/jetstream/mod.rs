//! `JetStream` of a server: its accounts' streams on threads of their own.
//!
//! | module | what lives there |
//! |---|---|
//! | `registry` | an account: its streams, and its requests one after the other |
//! | `requests` | those that wait, and those that streams have in hand |
//! | `streams`, `consumers` | those requests |
//! | `snapshot`, `restore`, `transfers` | streams on their way elsewhere, and back |
//! | `actor` | one stream: whatever happens to it, one thing after the other |
//! | `origins` | what it wants done for the streams that it copies from |
//! | `inbox`, `listen`, `direct`, `out` | what comes to a stream, where from, and what it sends |
//! | `workers` | the threads |
//! | `stores`, `layout` | where what is kept |
//! | `import` | what another server has kept |
//! | `audit` | what is told of requests |
//! | `look` | what monitoring sees |
//! | `switch` | whether there are streams at all |
//!
//! A publisher's thread copies a message into the inbox of its stream and goes on. A stream's turn takes all that waits,
//! writes it as one entry and asks for a sync; when that comes back, publishers are answered and consumers served.
//!
//! Invariant: nothing here waits for a disk but those who start, stop, create and remove streams.

mod actor;
mod audit;
mod consumers;
mod direct;
pub mod import;
mod inbox;
mod layout;
mod listen;
mod look;
mod origins;
mod out;
mod registry;
mod requests;
mod restore;
mod root;
mod snapshot;
mod stores;
mod streams;
mod switch;
mod transfers;
mod usage;
mod workers;

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock, Weak};
use std::thread::{self, JoinHandle, available_parallelism};
use std::time::{Duration, Instant};

use martlet_broker::Broker;
use martlet_broker::account::Account;
use martlet_broker::batch::Batch;
use martlet_broker::internal::{InternalMessage, InternalSubscription, Scope};
use martlet_broker::local_task::LocalTasks;
use martlet_broker::system::uses_streams;
use martlet_config::Options;
use martlet_config::options::{AccountJetStream, JetStream as Block, Sync};
use martlet_disk::{Lock, LockError, Syncer, free_bytes};
use martlet_events::Time;
use martlet_jetstream::api::Endpoint;
use martlet_jetstream::api::answer::AccountLimits;
use martlet_jetstream::api::json::Strictness;
use martlet_jetstream::api::validate::ServerLimits;
use martlet_jetstream::config::{PersistMode, Storage};
use martlet_jetstream::stream::{self, BatchLimits, Durability};
use martlet_jetstream::{Now, StreamConfig};
use martlet_net::clock;
use martlet_proto::headers;
use martlet_store::Journal;
use parking_lot::RwLock;
use serde::Deserialize;
use thiserror::Error;

pub(crate) use self::switch::Switch;
use inbox::Room;
use layout::Layout;
use registry::Registry;
use requests::Asked;
use root::RootError;
use usage::{OpenBatches, Usage};
use workers::{Alarms, Workers};

/// Threads that sync, at most: a disk does many syncs at once.
const SYNCERS: usize = 16;

/// How often what a stream keeps asynchronously (`persist_mode`) is synced where others wait for every sync.
const ASYNC_SYNC: Duration = Duration::from_mins(2);

/// How long after something has happened to it a stream tidies up, at most.
const MAINTAIN_AFTER: Duration = Duration::from_secs(10);

/// Why `JetStream` cannot start.
#[derive(Debug, Error)]
pub enum JetStreamError {
    /// Another server's streams are where Martlet's would be looked for.
    #[error(
        "{0} holds streams of another server, and Martlet has none there yet: take them over with \"martlet import {dir}\", \
         or make an empty directory {dir}/martlet to start without them", dir = .0.parent().unwrap_or(.0).display()
    )]
    Foreign(PathBuf),
    /// The directory cannot be used.
    #[error("the JetStream storage directory {path} cannot be used: {error}")]
    Directory {
        /// Which one.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// Another process has the directory.
    #[error("{0}: stop that one first, or set another `store_dir` in the block `jetstream`")]
    Taken(#[from] LockError),
    /// The system gives no threads.
    #[error("the system has no resources for the threads of streams: {0}")]
    Threads(io::Error),
}

/// What all streams of a server share.
pub(crate) struct Shared {
    broker: Arc<Broker>,
    workers: Workers,
    alarms: Alarms,
    syncer: Syncer<Batch>,
    /// What makes additions to many streams durable at once.
    journal: Arc<Journal>,
    layout: Layout,
    /// What files are encrypted with.
    keys: Option<stores::Keys>,
    domain: String,
    strictness: Strictness,
    durability: Durability,
    /// How often what was written is synced, where nobody waits for it.
    sync_every: Duration,
    /// The time in which files are looked through for damage; zero for never.
    scrub_interval: Duration,
    room: Room,
    request_queue_limit: usize,
    info_queue_limit: usize,
    limits: RwLock<ServerLimits>,
    usage: Usage,
    batches: BatchLimits,
    open: OpenBatches,
    sids: AtomicU64,
    /// All accounts.
    registries: OnceLock<Weak<Registries>>,
    /// Until when no event loop runs a stream: one that did was held up.
    slow_until: AtomicU64,
}

/// Accounts by name.
type Registries = RwLock<HashMap<String, Arc<Registry>>>;

impl Shared {
    /// What a stream or consumer may be, with what is left for it.
    fn server_limits(&self) -> ServerLimits {
        ServerLimits {
            free_memory: self.usage.free(Storage::Memory),
            free_storage: self.usage.free(Storage::File),
            ..self.limits.read().clone()
        }
    }

    fn next_sid(&self) -> u64 {
        self.sids.fetch_add(1, Relaxed) + 1
    }

    fn version(&self) -> &'static str {
        self.broker.site().about().version
    }

    fn server_name(&self) -> String {
        self.broker.site().about().name.clone()
    }

    /// An id as events have it.
    fn unique() -> String {
        const LETTERS: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
        (0..22).map(|_| char::from(LETTERS[fastrand::usize(..LETTERS.len())])).collect()
    }

    /// Answers a request that came through the system account.
    fn respond(&self, reply: &[u8], headers: &[u8], body: &[u8]) {
        if let Some(system) = &self.broker.site().about().system_account {
            self.broker.publish_internal(system, (reply, b""), (headers, body), clock::now());
        }
    }

    /// What there is of an account.
    fn registry(&self, account: &str) -> Option<Arc<Registry>> {
        self.registries.get()?.upgrade()?.read().get(account).cloned()
    }

    /// Whether a stream of this server answers direct gets by itself.
    fn answers_directly(&self, account: &str, stream: &str) -> bool {
        self.registry(account)
            .is_some_and(|registry| registry.catalog().streams.get(stream).is_some_and(|of| of.config.allow_direct))
    }

    /// How long after something has happened to it a stream tidies up, and looks through what is to be looked through by then.
    fn maintain_after(&self) -> Duration {
        if self.scrub_interval.is_zero() { MAINTAIN_AFTER } else { MAINTAIN_AFTER.min(self.scrub_interval) }
    }

    /// When publishers of a stream are told.
    // spec: JS-049 JS-120
    fn durability_of(&self, config: &StreamConfig) -> Durability {
        match config.persist_mode {
            PersistMode::Default => self.durability,
            PersistMode::Async => Durability::OnCommitOfWrite,
        }
    }

    /// What an account's acknowledgements and flow control have in their subjects before the stream.
    // spec: JS-100 NEW-053
    fn scope_of(&self, account: &str) -> String {
        if self.broker.site().about().feature_flags.get("js_ack_fc_v2") != Some(&true) {
            return String::new();
        }
        let domain = if self.domain.is_empty() { "_" } else { &self.domain };
        let hash: [u8; 8] = martlet_proto::short_name(account);
        format!("{domain}.{}.", String::from_utf8_lossy(&hash))
    }

    fn stream_options(&self, account: &str, durability: Durability) -> stream::Options {
        stream::Options {
            durability,
            domain: self.domain.clone(),
            account: account.to_owned(),
            scope: self.scope_of(account),
            batches: self.batches,
            max_waiting: self.room.bytes,
            max_payload: self.broker.settings().0.limits.max_payload as usize,
        }
    }
}

/// `JetStream` of a server. See the module's text.
pub(crate) struct JetStream {
    shared: Arc<Shared>,
    registries: Arc<Registries>,
    /// Who listens for requests to the API.
    listeners: parking_lot::Mutex<Vec<Arc<InternalSubscription>>>,
    threads: parking_lot::Mutex<Vec<JoinHandle<()>>>,
    /// Nobody else writes where streams are kept.
    lock: parking_lot::Mutex<Option<Lock>>,
}

impl fmt::Debug for JetStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JetStream")
    }
}

impl JetStream {
    /// Finds the streams that are there, and serves them; nothing without a `jetstream` block.
    pub(crate) fn start(options: &Options, broker: &Arc<Broker>) -> Result<Option<Self>, JetStreamError> {
        let jetstream = Self::prepare(options, broker)?;
        if let Some(jetstream) = &jetstream {
            jetstream.serve(options);
        }
        Ok(jetstream)
    }

    /// Gets all ready that may not be had; nothing without a `jetstream` block.
    pub(crate) fn prepare(options: &Options, broker: &Arc<Broker>) -> Result<Option<Self>, JetStreamError> {
        let Some(block) = &options.jetstream else { return Ok(None) };
        let store_dir = store_dir(block);
        if let Some(foreign) = Layout::foreign(&store_dir) {
            return Err(JetStreamError::Foreign(foreign));
        }
        let layout = Layout::new(&store_dir);
        let (lock, root) = root::take(&layout).map_err(|error| match error {
            RootError::Taken(error) => JetStreamError::Taken(error),
            RootError::Io(error) => JetStreamError::Directory { path: layout.root().to_owned(), error },
        })?;
        let journal = Arc::new(Journal::new(Arc::new(root)));
        let number = available_parallelism().map_or(1, usize::from);
        let (workers, mut threads) = Workers::start(number).map_err(JetStreamError::Threads)?;
        let (alarms, thread) = Alarms::start(workers.clone()).map_err(JetStreamError::Threads)?;
        threads.push(thread);
        let (durability, sync_every) = match block.sync {
            Sync::Always => (Durability::Always, ASYNC_SYNC),
            Sync::Every(interval) => (Durability::OnCommitOfWrite, interval),
        };
        let shared = Arc::new(Shared {
            broker: broker.clone(),
            workers,
            alarms,
            // spec: JS-128
            syncer: Syncer::new(
                SYNCERS.min(block.max_concurrent_io),
                || Batch::new(clock::now().as_nanos()),
                Some(Arc::clone(&journal)),
            ),
            journal,
            layout,
            keys: stores::Keys::of(block),
            domain: block.domain.clone(),
            strictness: if block.strict { Strictness::Strict } else { Strictness::Lenient },
            durability,
            sync_every,
            scrub_interval: block.scrub_interval,
            room: Room {
                bytes: usize::try_from(block.max_buffered_size).unwrap_or(usize::MAX),
                messages: usize::try_from(block.max_buffered_msgs).unwrap_or(usize::MAX),
            },
            request_queue_limit: block.request_queue_limit,
            info_queue_limit: block.info_queue_limit.unwrap_or(block.request_queue_limit),
            limits: RwLock::new(server_limits(block)),
            usage: Usage::default(),
            batches: batch_limits(block),
            open: OpenBatches::new(block.limits.batch_max_inflight_total),
            sids: AtomicU64::new(0),
            registries: OnceLock::new(),
            slow_until: AtomicU64::new(0),
        });
        let (memory, files) = bounds(block, &store_dir);
        shared.usage.bound(memory, files);
        greet(block, &shared);
        let registries = Arc::default();
        let _ = shared.registries.set(Arc::downgrade(&registries));
        let listeners = parking_lot::Mutex::default();
        Ok(Some(Self { shared, registries, listeners, threads: threads.into(), lock: Some(lock).into() }))
    }

    /// Finds the streams that are there, and serves them.
    pub(crate) fn serve(&self, options: &Options) {
        let begun = Instant::now();
        self.take_accounts(options);
        self.listen();
        log::info!("Took {:?} to start JetStream", begun.elapsed());
    }

    /// Other bounds and accounts are in force.
    pub(crate) fn reload(&self, options: &Options) {
        if let Some(block) = &options.jetstream {
            *self.shared.limits.write() = server_limits(block);
            let most = |configured: Option<u64>, storage| configured.or_else(|| self.shared.usage.most(storage));
            let (memory, files) = (most(block.max_memory, Storage::Memory), most(block.max_file, Storage::File));
            self.shared.usage.bound(memory, files);
        }
        self.take_accounts(options);
        for registry in self.registries.read().values() {
            registry.actors().iter().for_each(|actor| actor.renew_imports());
        }
    }

    /// Serves the streams of accounts that may have some, and only theirs.
    fn take_accounts(&self, options: &Options) {
        let accounts = self.shared.broker.accounts.all();
        let is_there =
            |registry: &Arc<Registry>| accounts.iter().any(|account| Arc::ptr_eq(account, &registry.account));
        // Not under the lock: a stream that has its turn may want it.
        let gone: Vec<_> = self.registries.write().extract_if(|_, registry| !is_there(registry)).collect();
        for (_, registry) in gone {
            registry.allow(None);
        }
        for account in accounts {
            let name = account.name().to_string();
            let is_system = self.shared.broker.site().about().is_system(&name);
            let limits = (!is_system && uses_streams(options, &name)).then(|| {
                let configured =
                    options.accounts.iter().find(|of| of.name == name).and_then(|of| of.jetstream.as_ref());
                configured.map_or_else(AccountLimits::default, account_limits)
            });
            let known = self.registries.read().get(&name).cloned();
            if let Some(registry) = known {
                registry.allow(limits);
                continue;
            }
            let registry = Registry::new(self.shared.clone(), account.clone());
            registry.allow(limits);
            self.registries.write().insert(name, registry);
        }
    }

    /// Listens for requests to the API.
    // spec: JS-001 JS-010
    fn listen(&self) {
        for pattern in Endpoint::patterns() {
            let (registries, system) =
                (self.registries.clone(), self.shared.broker.site().about().system_account.clone());
            let handler = Box::new(move |message: &InternalMessage<'_>, _: &mut LocalTasks| {
                let asking = headers::get(message.headers, b"Nats-Request-Info").and_then(account_of);
                let Some(account) = asking.or_else(|| system.as_ref().map(ToString::to_string)) else { return };
                let registry = registries.read().get(&account).cloned();
                let Some(registry) = registry else { return };
                registry.ask(Asked::new(message.subject, message.reply, message.headers, message.payload));
            });
            let subject = format!("$JS.API.{pattern}").into_bytes().into();
            let sid = format!("{}", self.shared.next_sid()).into();
            let scope = Scope::Everywhere;
            let service = InternalSubscription { subject, sid, scope, follows_traces: false, handler };
            self.listeners.lock().extend(self.shared.broker.listen(service));
        }
    }

    /// Tells whoever waits for messages that the server stops. It is on its way when this returns: connections may end.
    // spec: JS-108
    pub(crate) fn announce_shutdown(&self) {
        let mut batch = Batch::new(clock::now().as_nanos());
        batch.now = clock::now();
        let registries: Vec<_> = self.registries.read().values().cloned().collect();
        for registry in registries {
            registry.announce_shutdown(&mut batch);
        }
        batch.finish();
    }

    /// Leaves every stream so that the next start is quick, and ends the threads.
    pub(crate) fn close(&self) {
        let threads = std::mem::take(&mut *self.threads.lock());
        if threads.is_empty() {
            return;
        }
        log::info!("Initiating JetStream Shutdown...");
        for service in self.listeners.lock().drain(..) {
            self.shared.broker.ignore(&service);
        }
        self.shared.alarms.close();
        self.shared.workers.close();
        for thread in threads {
            // A thread that panicked has said so.
            let _ = thread.join();
        }
        // Not before: a stream whose sync is refused takes it for a disk that failed.
        self.shared.syncer.close();
        for registry in self.registries.read().values() {
            registry.close();
        }
        if let Err(error) = self.shared.journal.close() {
            log::error!("the journal of streams could not be emptied, the next start reads it: {error}");
        }
        *self.lock.lock() = None;
        log::info!("JetStream Shutdown");
    }
}

impl Drop for JetStream {
    fn drop(&mut self) {
        self.close();
    }
}

/// Serves what an account has on disk. Several threads look, since each stream is read by itself.
fn find_streams(registry: &Arc<Registry>, account: &Arc<Account>) {
    let names = match registry.shared.layout.streams(account.name()) {
        Ok(names) => names,
        Err(error) => return log::error!("the streams of account {} cannot be found: {error}", account.name()),
    };
    let others = available_parallelism().map_or(1, usize::from).min(names.len()).saturating_sub(1);
    let names = parking_lot::Mutex::new(names.into_iter());
    let next = || names.lock().next();
    let work = || {
        while let Some(name) = next() {
            find_stream(registry, account, name);
        }
    };
    thread::scope(|scope| {
        for number in 0..others {
            // Without this one it takes longer.
            let _ = thread::Builder::new().name(format!("recover-{number}")).spawn_scoped(scope, work);
        }
        work();
    });
}

fn find_stream(registry: &Registry, account: &Account, name: String) {
    match stores::recover(&registry.shared, account, &name) {
        Ok(None) => log::info!("Stream '{} > {name}' was never finished, and is not there", account.name()),
        Ok(Some(stream)) => {
            let messages = stream.state().messages;
            registry.take_up(stream);
            log::info!("Restored {messages} messages for stream '{} > {name}'", account.name());
        }
        // It is never removed: somebody may still be able to read it.
        Err(error) => {
            log::error!("Stream '{} > {name}' cannot be served: {error}", account.name());
            registry.unrecovered().insert(name, error);
        }
    }
}

/// Where streams are kept.
// spec: CFG-185
fn store_dir(block: &Block) -> PathBuf {
    block.store_dir.clone().unwrap_or_else(|| {
        log::warn!("Temporary storage directory used, data could be lost on system reboot");
        std::env::temp_dir().join("nats")
    })
}

/// Says how it is.
fn greet(block: &Block, shared: &Shared) {
    log::info!("Starting JetStream");
    log::info!("  Strict:          {}", block.strict);
    log::info!("  Store Directory: {:?}", shared.layout.root().display().to_string());
    if !block.domain.is_empty() {
        log::info!("  Domain:          {}", block.domain);
    }
    if let Some(keys) = &shared.keys {
        log::info!("  Encryption:      {}", keys.name());
    }
    match block.sync {
        Sync::Always => log::info!("  Acknowledged:    when synced to disk (sync_interval: always)"),
        Sync::Every(interval) => log::info!(
            "  Acknowledged:    when written; synced every {} (sync_interval)",
            martlet_config::duration::format(interval)
        ),
    }
    let size = |storage| shared.usage.most(storage).map_or_else(|| "unlimited".into(), readable);
    log::info!("  Max Memory:      {}", size(Storage::Memory));
    log::info!("  Max Storage:     {}", size(Storage::File));
}

/// `1.50 GB`
#[expect(clippy::cast_precision_loss, reason = "two digits are shown")]
fn readable(bytes: u64) -> String {
    let (mut size, mut unit) = (bytes as f64, 0);
    while size >= 1024.0 && unit < 4 {
        (size, unit) = (size / 1024.0, unit + 1);
    }
    format!("{size:.2} {}", ["B", "KB", "MB", "GB", "TB"][unit])
}

/// How much memory and disk there is for streams: as configured, or three quarters of what there is.
// spec: CFG-186 CFG-187 JS-126
fn bounds(block: &Block, store_dir: &Path) -> (Option<u64>, Option<u64>) {
    let share = |bytes: u64| bytes / 4 * 3;
    let memory = block.max_memory.or_else(|| crate::process::machine::total_memory().map(share));
    let files = block.max_file.or_else(|| free_bytes(store_dir).ok().map(share));
    (memory, files)
}

// spec: CFG-186 CFG-187 CFG-205 CFG-207
fn server_limits(block: &Block) -> ServerLimits {
    let bound = |bound: Option<u64>| bound.map_or(0, |bound| i64::try_from(bound).unwrap_or(i64::MAX));
    ServerLimits {
        duplicate_window: block.limits.duplicate_window.unwrap_or_default(),
        max_ack_pending: bound(block.limits.max_ack_pending),
        max_request_batch: bound(block.limits.max_request_batch),
        default_max_consumers: bound(block.limits.default_max_consumers),
        free_memory: None,
        free_storage: None,
        is_clustered: false,
    }
}

// spec: CFG-417 CFG-419 CFG-420 NEW-013
fn batch_limits(block: &Block) -> BatchLimits {
    let (limits, default) = (&block.limits, BatchLimits::default());
    let of_stream = limits.batch_max_inflight_per_stream.map(|most| usize::try_from(most).unwrap_or(usize::MAX));
    BatchLimits {
        max_messages: limits.batch_max_msgs.unwrap_or(default.max_messages),
        max_atomic: of_stream.unwrap_or(default.max_atomic),
        max_fast: of_stream.unwrap_or(default.max_fast),
        timeout: limits.batch_timeout.unwrap_or(default.timeout),
    }
}

// spec: CFG-124
fn account_limits(configured: &AccountJetStream) -> AccountLimits {
    let bound = |bound: Option<u64>| bound.map_or(-1, |bound| i64::try_from(bound).unwrap_or(i64::MAX));
    AccountLimits {
        max_memory: bound(configured.max_memory),
        max_storage: bound(configured.max_store),
        max_streams: bound(configured.max_streams),
        max_consumers: bound(configured.max_consumers),
        max_ack_pending: bound(configured.max_ack_pending),
        memory_max_stream_bytes: bound(configured.memory_max_stream_bytes),
        storage_max_stream_bytes: bound(configured.store_max_stream_bytes),
        max_bytes_required: configured.max_bytes_required,
    }
}

/// The account that asks, as the header of a request says.
fn account_of(header: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Asking {
        acc: Option<String>,
        svc: Option<String>,
    }
    let asking: Asking = serde_json::from_slice(header).ok()?;
    asking.svc.or(asking.acc)
}

/// The time for streams.
fn now(time: Time) -> Now {
    Now { time, wall: clock::wall_now() }
}
