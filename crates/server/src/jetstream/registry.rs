//! What one account has: its streams, and the requests it makes of the API, one after the other.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Weak};

use martlet_broker::account::Account;
use martlet_broker::batch::Batch;
use martlet_jetstream::StreamConfig;
use martlet_jetstream::api::answer::{AccountInfo, AccountLimits, Answer, ApiStats, Tier};
use martlet_jetstream::api::request::{self, Parsed, Request, Setting};
use martlet_jetstream::api::validate::{ServerLimits, Surroundings};
use martlet_jetstream::api::{ApiError, Endpoint, Outcome};
use martlet_jetstream::config::Storage;
use parking_lot::{Mutex, MutexGuard};

use super::actor::StreamActor;
use super::requests::{Asked, Requests};
use super::transfers::Transfers;
use super::usage::Usage;
use super::workers::{Actor, Turn};
use super::{Shared, audit};

/// A request that is being served, and what it asks.
#[derive(Debug, Clone)]
pub(super) struct Served {
    pub(super) asked: Arc<Asked>,
    pub(super) endpoint: Endpoint,
}

/// A stream of the account.
#[derive(Debug)]
pub(super) struct Entry {
    /// What it is configured to be, or will be in a moment.
    pub(super) config: StreamConfig,
    pub(super) actor: Arc<StreamActor>,
}

/// The streams of an account.
pub(super) struct Catalog {
    pub(super) streams: BTreeMap<String, Entry>,
    pub(super) limits: Option<AccountLimits>,
    server: ServerLimits,
}

impl Surroundings for Catalog {
    fn stream(&self, name: &str) -> Option<&StreamConfig> {
        self.streams.get(name).map(|entry| &entry.config)
    }

    fn streams(&self) -> Box<dyn Iterator<Item = &StreamConfig> + '_> {
        Box::new(self.streams.values().map(|entry| &entry.config))
    }

    fn limits(&self, _: u32) -> Option<&AccountLimits> {
        self.limits.as_ref()
    }

    fn server(&self) -> &ServerLimits {
        &self.server
    }
}

/// An account's streams and requests. See the module's text.
pub(super) struct Registry {
    turn: Turn,
    this: Weak<Registry>,
    pub(super) shared: Arc<Shared>,
    pub(super) account: Arc<Account>,
    pub(super) usage: Arc<Usage>,
    catalog: Mutex<Catalog>,
    pub(super) requests: Arc<Requests>,
    /// Streams that are on disk and could not be recovered, and why.
    unrecovered: Mutex<BTreeMap<String, String>>,
    /// Snapshots and restores that are under way.
    pub(super) transfers: Transfers,
    pub(super) total: AtomicU64,
    pub(super) errors: AtomicU64,
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry").field("account", self.account.name()).finish_non_exhaustive()
    }
}

/// Requests served in one turn.
const AT_ONCE: usize = 16;

impl Registry {
    /// Of `account`, which may have no streams yet.
    pub(super) fn new(shared: Arc<Shared>, account: Arc<Account>) -> Arc<Self> {
        let server = shared.server_limits();
        Arc::new_cyclic(|this| Self {
            turn: Turn::default(),
            this: this.clone(),
            shared,
            account,
            usage: Arc::default(),
            catalog: Mutex::new(Catalog { streams: BTreeMap::new(), limits: None, server }),
            requests: Arc::default(),
            unrecovered: Mutex::default(),
            transfers: Transfers::default(),
            total: AtomicU64::new(0),
            errors: AtomicU64::new(0),
        })
    }

    pub(super) fn this(&self) -> Arc<Self> {
        self.this.upgrade().expect("whoever calls has it")
    }

    pub(super) fn catalog(&self) -> MutexGuard<'_, Catalog> {
        let mut catalog = self.catalog.lock();
        catalog.server = self.shared.server_limits();
        catalog
    }

    /// Streams that could not be recovered, and why: they keep their names, so that nothing is written over them.
    pub(super) fn unrecovered(&self) -> MutexGuard<'_, BTreeMap<String, String>> {
        self.unrecovered.lock()
    }

    /// What streams may come to use has changed.
    pub(super) fn reserve(&self, before: Option<&StreamConfig>, now: Option<&StreamConfig>) {
        self.usage.reserve(before, now);
        self.shared.usage.reserve(before, now);
    }

    /// The account may use so much from now on, or have no streams: then those in files stay there, and are served again
    /// when it may; those in memory are gone.
    // spec: CFG-123
    pub(super) fn allow(&self, limits: Option<AccountLimits>) {
        let before = std::mem::replace(&mut self.catalog.lock().limits, limits);
        bound(&self.usage, limits.as_ref());
        match (before, limits) {
            (None, Some(_)) => {
                // What was refused since there are no streams counts for nothing.
                self.total.store(0, Relaxed);
                self.errors.store(0, Relaxed);
                super::find_streams(&self.this(), &self.account);
            }
            (Some(_), None) => {
                self.close();
                let streams = std::mem::take(&mut self.catalog().streams);
                for entry in streams.values() {
                    self.reserve(Some(&entry.config), None);
                }
                self.unrecovered().clear();
            }
            _ => {}
        }
    }

    /// What the account may use; `None` for no streams.
    pub(super) fn limits(&self) -> Option<AccountLimits> {
        self.catalog.lock().limits
    }

    /// All its streams, by name. A stream that has its turn may want the catalog: whoever has that never looks at one.
    pub(super) fn actors(&self) -> Vec<Arc<StreamActor>> {
        self.catalog.lock().streams.values().map(|entry| entry.actor.clone()).collect()
    }

    /// The stream `name`.
    pub(super) fn actor(&self, name: &str) -> Result<Arc<StreamActor>, ApiError> {
        let catalog = self.catalog.lock();
        catalog.streams.get(name).map(|entry| entry.actor.clone()).ok_or_else(ApiError::stream_not_found)
    }

    /// Takes a request in, or drops it with those that wait.
    pub(super) fn ask(&self, asked: Asked) {
        let dropped = self.requests.push(asked, [self.shared.request_queue_limit, self.shared.info_queue_limit]);
        if dropped > 0 {
            log::warn!(
                "JetStream API queue limit exceeded: dropped {dropped} requests of account {}",
                self.account.name()
            );
            audit::limit_reached(self, dropped);
            return;
        }
        self.wake();
    }

    /// Has it serve what waits.
    pub(super) fn wake(&self) {
        if let Some(this) = self.this.upgrade() {
            self.shared.workers.wake(this);
        }
    }

    fn serve(&self, asked: Asked) {
        let setting = Setting {
            strictness: self.shared.strictness,
            is_enabled: self.limits().is_some(),
            is_system: self.shared.broker.site().about().is_system(self.account.name()),
        };
        let subject = asked.subject.strip_prefix("$JS.API.").unwrap_or_default().to_owned();
        let parsed = request::parse(&subject, &asked.headers, &asked.body, setting);
        let is_purge = matches!(parsed, Parsed::Request(Endpoint::AccountPurge, _));
        if !setting.is_enabled && !is_purge && self.account.leafs() > 0 {
            // Somebody beyond a leaf node may have streams for it.
            return;
        }
        let asked = Arc::new(asked);
        match parsed {
            Parsed::Nobody => {}
            Parsed::Refused(endpoint, error) => self.refuse(&Served { asked, endpoint }, &error),
            Parsed::Request(endpoint, request) => {
                let served = Served { asked, endpoint };
                if let Err(error) = self.dispatch(&served, request) {
                    self.refuse(&served, &error);
                }
            }
        }
    }

    fn dispatch(&self, served: &Served, request: Request) -> Result<(), ApiError> {
        match request {
            Request::AccountInfo => {
                self.answer(served, &Answer::AccountInfo(&self.info()));
                Ok(())
            }
            Request::StreamCreate(body) => self.create_stream(served, &body),
            Request::StreamUpdate(name, body) => self.update_stream(served, &name, &body),
            Request::StreamNames(body) => {
                self.name_streams(served, &body);
                Ok(())
            }
            Request::StreamList(body) => {
                self.list_streams(served, &body);
                Ok(())
            }
            Request::StreamInfo(name, body) => self.describe_stream(served, &name, &body),
            Request::StreamDelete(name) => self.delete_stream(served, &name),
            Request::StreamPurge(name, body) => self.purge_stream(served, &name, body),
            Request::StreamMsgDelete(name, body) => self.delete_message(served, &name, &body),
            Request::StreamMsgGet(name, body) => self.get_message(served, &name, &body),
            Request::StreamSnapshot(name, body) => self.snapshot_stream(served, &name, body),
            Request::StreamRestore(name, body) => self.restore_stream(served, &name, &body),
            Request::ConsumerCreate(create) => self.create_consumer(served, *create),
            Request::ConsumerNames(stream, body) => self.name_consumers(served, &stream, &body),
            Request::ConsumerList(stream, body) => self.list_consumers(served, &stream, &body),
            Request::ConsumerInfo(stream, name) => self.describe_consumer(served, &stream, name),
            Request::ConsumerDelete(stream, name) => self.delete_consumer(served, &stream, name),
            Request::ConsumerPause(stream, name, body) => self.pause_consumer(served, &stream, name, &body),
            Request::ConsumerUnpin(stream, name, body) => self.unpin_consumer(served, &stream, name, body),
            Request::ConsumerReset(stream, name, body) => self.reset_consumer(served, &stream, name, body),
            Request::AccountPurge(account) => {
                self.purge_account(served, &account);
                Ok(())
            }
        }
    }

    /// Answers a request.
    pub(super) fn answer(&self, served: &Served, answer: &Answer<'_>) {
        self.answer_with(served, b"", answer);
    }

    /// Answers a request, with headers.
    pub(super) fn answer_with(&self, served: &Served, headers: &[u8], answer: &Answer<'_>) {
        self.send(served, headers, &answer.encode(served.endpoint), Outcome::Done);
    }

    /// Says that there is nothing to be done with.
    pub(super) fn answer_nothing(&self, served: &Served, error: &ApiError) {
        self.send(served, b"", &served.endpoint.refuse(error), Outcome::Done);
    }

    /// Says what is wrong.
    pub(super) fn refuse(&self, served: &Served, error: &ApiError) {
        self.send(served, b"", &served.endpoint.refuse(error), Outcome::Refused);
    }

    fn send(&self, served: &Served, headers: &[u8], body: &[u8], outcome: Outcome) {
        let is_counted = served.endpoint.is_counted(outcome);
        // Before it is answered: whoever has the answer finds it counted.
        if is_counted {
            self.total.fetch_add(1, Relaxed);
            self.errors.fetch_add(u64::from(outcome == Outcome::Refused), Relaxed);
        }
        if !served.asked.reply.is_empty() {
            self.shared.respond(&served.asked.reply, headers, body);
        }
        served.asked.put_down();
        if is_counted {
            audit::request(self, served, body);
        }
    }

    /// What the account has and may use, for one who asks.
    // spec: JS-016
    fn info(&self) -> AccountInfo {
        let mut total = Tier { limits: self.limits().unwrap_or_default(), ..Tier::default() };
        total.memory = self.usage.used(Storage::Memory);
        total.storage = self.usage.used(Storage::File);
        total.reserved_memory = self.usage.reserved(Storage::Memory);
        total.reserved_storage = self.usage.reserved(Storage::File);
        for actor in self.actors() {
            total.streams += 1;
            total.consumers += actor.look(|stream| stream.consumers().count() as u64).unwrap_or_default();
        }
        let api = ApiStats { total: self.total.load(Relaxed), errors: self.errors.load(Relaxed), inflight: 0 };
        AccountInfo { total, domain: self.shared.domain.clone(), api, tiers: BTreeMap::new() }
    }

    /// Tells whoever waits for messages that the server stops.
    pub(super) fn announce_shutdown(&self, batch: &mut Batch) {
        for actor in self.actors() {
            actor.announce_shutdown(batch);
        }
    }

    /// Everything is left so that the next start is quick.
    pub(super) fn close(&self) {
        self.transfers.clear();
        for actor in self.actors() {
            actor.close();
        }
    }
}

/// What an account may use.
fn bound(usage: &Usage, limits: Option<&AccountLimits>) {
    let bound = |bytes: i64| u64::try_from(bytes).ok();
    usage.bound(limits.and_then(|of| bound(of.max_memory)), limits.and_then(|of| bound(of.max_storage)));
}

impl Actor for Registry {
    fn turn(&self) -> &Turn {
        &self.turn
    }

    fn run(&self, _: &mut Batch) -> bool {
        for _ in 0..AT_ONCE {
            match self.requests.next(&self.this) {
                Some(asked) => self.serve(asked),
                None => return false,
            }
        }
        true
    }

    fn broke(&self) {
        log::error!("A request of account {} to the JetStream API could not be served", self.account.name());
    }
}
