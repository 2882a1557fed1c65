//! Requests about streams.

use std::sync::Arc;

use martlet_jetstream::api::ApiError;
use martlet_jetstream::api::answer::{self, Answer, ClusterInfo, LIST_LIMIT, NAMES_LIMIT, Page, StreamInfo};
use martlet_jetstream::api::body::{
    MsgDeleteBody, MsgGetBody, PurgeBody, RestoreBody, SnapshotBody, StreamBody, StreamInfoBody, StreamNamesBody,
};
use martlet_jetstream::api::validate::{self, ConsumerBound, Created};
use martlet_jetstream::consumer::Closing;
use martlet_jetstream::stream::{Changed, Stream};
use martlet_jetstream::{ConsumerConfig, Now, Out, StreamConfig, dead_letter};
use martlet_net::clock;

use super::actor::{Life, StreamActor};
use super::registry::{Entry, Registry, Served};
use super::{Shared, listen, now, origins, restore, snapshot, stores};

impl Registry {
    // spec: JS-017
    pub(super) fn create_stream(&self, served: &Served, body: &StreamBody) -> Result<(), ApiError> {
        let mut catalog = self.catalog();
        let config = match validate::create_stream(body, &*catalog)? {
            Created::New(config) => *config,
            Created::Same => {
                let actor = catalog.streams[&body.config.name].actor.clone();
                drop(catalog);
                // What was asked before has to stand first.
                self.when_it_stands(&actor, served, |registry, served, stream| {
                    let info = registry.shared.shown(stream, Shown::Itself);
                    // The reference says so even where nothing was created.
                    registry.answer(served, &Answer::StreamCreate { info: &info, did_create: true });
                });
                return Ok(());
            }
        };
        self.check_unrecovered(&config.name)?;
        let store = stores::create(&self.shared, self.account.name(), &config).map_err(ApiError::stream_create)?;
        let actor = StreamActor::new(self.shared.clone(), self.account.clone(), self.usage.clone(), &config.name);
        self.reserve(None, Some(&config));
        let (registry, told, served) = (self.this(), actor.clone(), served.clone());
        let options = self.shared.stream_options(self.account.name(), self.shared.durability_of(&config));
        actor.fill(|life| {
            let ticket = life.ticket(move |result, life, _| registry.created(&served, &told, result, life));
            Stream::create(config.clone(), now(clock::now()), store, options, ticket)
        });
        catalog.streams.insert(config.name.clone(), Entry { config, actor: actor.clone() });
        drop(catalog);
        actor.wake();
        Ok(())
    }

    fn created(&self, served: &Served, actor: &Arc<StreamActor>, result: Result<Changed, ApiError>, life: &mut Life) {
        match (result, &mut life.stream) {
            (Ok(_), Some(stream)) => {
                listen::open(actor, stream.config());
                let info = self.shared.shown(stream, Shown::Itself);
                self.answer(served, &Answer::StreamCreate { info: &info, did_create: true });
            }
            (Err(error), _) => {
                life.stream = None;
                let entry = self.catalog().streams.remove(&actor.name);
                self.reserve(entry.as_ref().map(|entry| &entry.config), None);
                stores::remove(&self.shared, self.account.name(), &actor.name);
                self.refuse(served, &error);
            }
            (Ok(_), None) => self.refuse(served, &ApiError::stream_not_found()),
        }
    }

    // spec: JS-018
    pub(super) fn update_stream(&self, served: &Served, name: &str, body: &StreamBody) -> Result<(), ApiError> {
        let bounds = self.actor(name).ok().and_then(|actor| actor.look(consumer_configs)).unwrap_or_default();
        let bounds = bounds.iter().map(|config| ConsumerBound {
            name: &config.name,
            inactive_threshold: config.inactive_threshold,
            max_ack_pending: config.max_ack_pending,
            dead_letter: dead_letter::of(&config.metadata),
        });
        let mut catalog = self.catalog();
        let config = validate::update_stream(name, body, &*catalog, bounds)?;
        let Some(entry) = catalog.streams.get_mut(name) else { return Err(ApiError::stream_not_found()) };
        let old = std::mem::replace(&mut entry.config, config.clone());
        self.reserve(Some(&old), Some(&config));
        let actor = entry.actor.clone();
        drop(catalog);
        let (registry, served, told) = (self.this(), served.clone(), actor.clone());
        actor.command(move |life, now, _| {
            let ticket = life.ticket(move |result, life, _| registry.updated(&served, &told, result, old, life));
            if let Some(stream) = &mut life.stream {
                stream.update(config, now, ticket);
            }
        });
        Ok(())
    }

    fn updated(
        &self,
        served: &Served,
        actor: &Arc<StreamActor>,
        result: Result<Changed, ApiError>,
        old: StreamConfig,
        life: &mut Life,
    ) {
        match (result, &mut life.stream) {
            (Ok(_), Some(stream)) => {
                listen::change(actor, &old, stream.config());
                let info = self.shared.shown(stream, Shown::Itself);
                self.answer(served, &Answer::StreamUpdate(&info));
            }
            (Err(error), _) => {
                if let Some(entry) = self.catalog().streams.get_mut(&actor.name) {
                    self.reserve(Some(&entry.config), Some(&old));
                    entry.config = old;
                }
                self.refuse(served, &error);
            }
            (Ok(_), None) => self.refuse(served, &ApiError::stream_not_found()),
        }
    }

    /// The streams that listen on something that `subject` is about; all of them for none.
    fn listening(&self, subject: &str) -> Vec<(String, Arc<StreamActor>)> {
        let catalog = self.catalog();
        let concerns = |config: &StreamConfig| {
            let overlaps = |of: &String| martlet_subject::overlaps(of.as_bytes(), subject.as_bytes());
            subject.is_empty() || config.subjects.iter().any(overlaps)
        };
        let listening = catalog.streams.iter().filter(|(_, entry)| concerns(&entry.config));
        listening.map(|(name, entry)| (name.clone(), entry.actor.clone())).collect()
    }

    // spec: JS-008 JS-019
    pub(super) fn name_streams(&self, served: &Served, body: &StreamNamesBody) {
        let names: Vec<String> = self.listening(&body.subject).into_iter().map(|(name, _)| name).collect();
        let (page, range) = Page::of(names.len(), body.offset.0, NAMES_LIMIT);
        self.answer(served, &Answer::StreamNames { names: &names[range], page });
    }

    // spec: JS-008 JS-019
    pub(super) fn list_streams(&self, served: &Served, body: &StreamNamesBody) {
        let streams = self.listening(&body.subject);
        let (page, range) = Page::of(streams.len(), body.offset.0, LIST_LIMIT);
        let shown =
            |(_, actor): &(String, Arc<StreamActor>)| actor.look(|stream| self.shared.shown(stream, Shown::InList));
        let streams: Vec<StreamInfo> = streams[range].iter().filter_map(shown).collect();
        self.answer(served, &Answer::StreamList { streams: &streams, page });
    }

    // spec: JS-020 JS-059
    pub(super) fn describe_stream(&self, served: &Served, name: &str, body: &StreamInfoBody) -> Result<(), ApiError> {
        let (actor, body) = (self.actor(name)?, body.clone());
        self.when_it_stands(&actor, served, move |registry, served, stream| {
            let (info, page) = stream.info_with(&body, now(clock::now()));
            let info = registry.shared.dress(info, Shown::Described);
            registry.answer(served, &Answer::StreamInfo { info: &info, page });
        });
        Ok(())
    }

    // spec: JS-021
    pub(super) fn delete_stream(&self, served: &Served, name: &str) -> Result<(), ApiError> {
        let actor = self.actor(name)?;
        let (registry, served, told) = (self.this(), served.clone(), actor.clone());
        actor.command(move |life, now, out| match registry.end_stream(&told, life, now, out) {
            Ok(()) => registry.answer(&served, &Answer::Success),
            Err(error) => registry.refuse(&served, &error),
        });
        Ok(())
    }

    /// A stream and what it kept go. Where its files cannot, it stays: it must not come back with the next start when it is said to be gone.
    fn end_stream(&self, actor: &StreamActor, life: &mut Life, now: Now, out: &mut dyn Out) -> Result<(), ApiError> {
        let mut stream = life.stream.take().ok_or_else(ApiError::stream_not_found)?;
        if let Err(error) = self.shared.layout.retire(self.account.name(), &actor.name) {
            life.stream = Some(stream);
            return Err(ApiError::stream_delete(error));
        }
        actor.ignore_all();
        stream.leave_origins(out);
        origins::act(actor, &mut stream, now, out);
        stream.close_consumers(Closing::Deleted, now, out);
        stream.announce_deletion(out);
        actor.release(life, &stream);
        drop(stream);
        let entry = self.catalog().streams.remove(&actor.name);
        self.reserve(entry.as_ref().map(|entry| &entry.config), None);
        stores::remove(&self.shared, self.account.name(), &actor.name);
        Ok(())
    }

    /// All streams of an account go, those too that are only files: it need not be there itself. Whoever asked is answered
    /// behind the last.
    // spec: JS-036
    pub(super) fn purge_account(&self, served: &Served, account: &str) {
        let purge = Arc::new(Purge { asked: self.this(), served: served.clone() });
        let registry = self.shared.registry(account);
        let actors = registry.as_ref().map(|registry| registry.actors()).unwrap_or_default();
        log::info!(
            "Purge request for account {account} (streams: {}, hasAccount: {})",
            actors.len(),
            registry.is_some()
        );
        let Some(registry) = registry else { return stores::remove_account(&self.shared, account) };
        for name in std::mem::take(&mut *registry.unrecovered()).into_keys() {
            stores::remove(&self.shared, account, &name);
        }
        if registry.limits().is_none() {
            return stores::remove_account(&self.shared, account);
        }
        for actor in actors {
            let (registry, purge, told) = (registry.clone(), purge.clone(), actor.clone());
            actor.command(move |life, now, out| {
                if let Err(error) = registry.end_stream(&told, life, now, out)
                    && life.stream.is_some()
                {
                    log::error!("Stream '{} > {}' could not be removed: {error}", registry.account.name(), told.name);
                }
                drop(purge);
            });
        }
    }

    // spec: JS-021
    pub(super) fn purge_stream(&self, served: &Served, name: &str, body: PurgeBody) -> Result<(), ApiError> {
        let actor = self.actor(name)?;
        let (registry, served) = (self.this(), served.clone());
        actor.command(move |life, now, out| {
            let ticket = life.ticket(move |result, _, _| match result {
                Ok(Changed::Purged(purged)) => registry.answer(&served, &Answer::StreamPurge { purged }),
                Ok(_) => registry.answer(&served, &Answer::Success),
                Err(error) => registry.refuse(&served, &error),
            });
            let Some(stream) = &mut life.stream else { return life.refuse(ticket, ApiError::stream_not_found(), out) };
            if let Err(error) = stream.purge(&body, now, ticket) {
                life.refuse(ticket, error, out);
            }
        });
        Ok(())
    }

    // spec: JS-022
    pub(super) fn delete_message(&self, served: &Served, name: &str, body: &MsgDeleteBody) -> Result<(), ApiError> {
        let actor = self.actor(name)?;
        let (registry, served, seq, no_erase) = (self.this(), served.clone(), body.seq, body.no_erase);
        actor.command(move |life, now, out| {
            if let Some(Err(error)) = life.stream.as_ref().map(Stream::may_delete) {
                return registry.refuse(&served, &error);
            }
            let ticket = life.ticket(move |result, _, _| match result {
                Ok(_) => registry.answer(&served, &Answer::Success),
                Err(error) => registry.answer_nothing(&served, &error),
            });
            let Some(stream) = &mut life.stream else { return life.refuse(ticket, ApiError::stream_not_found(), out) };
            if let Err(error) = stream.delete_message(seq, no_erase, now, ticket) {
                life.refuse(ticket, error, out);
            }
        });
        Ok(())
    }

    // spec: JS-023 NEW-015
    pub(super) fn get_message(&self, served: &Served, name: &str, body: &MsgGetBody) -> Result<(), ApiError> {
        let (actor, body) = (self.actor(name)?, body.clone());
        self.when_it_stands(&actor, served, move |registry, served, stream| {
            match stream.message(&body, &mut Vec::new()) {
                Ok(message) => registry.answer(served, &Answer::StreamMsgGet(message)),
                Err(error) => registry.refuse(served, &error),
            }
        });
        Ok(())
    }

    // spec: JS-024
    pub(super) fn snapshot_stream(
        &self,
        served: &Served,
        name: &str,
        body: Result<SnapshotBody, ApiError>,
    ) -> Result<(), ApiError> {
        let (actor, body) = (self.actor(name)?, body?);
        let of = actor.clone();
        self.when_it_stands(&actor, served, move |registry, served, stream| {
            if let Err(error) = snapshot::begin(registry, served, &of, stream, &body) {
                registry.refuse(served, &error);
            }
        });
        Ok(())
    }

    // spec: JS-025 JS-545
    pub(super) fn restore_stream(&self, served: &Served, name: &str, body: &RestoreBody) -> Result<(), ApiError> {
        let config = validate::restore_stream(&body.config, &*self.catalog())?;
        self.check_unrecovered(name)?;
        let subject = restore::begin(self, served, config)?;
        self.answer(served, &Answer::StreamRestore { deliver_subject: &subject });
        Ok(())
    }

    /// Makes a stream of the account whose name and subjects are free, and serves it.
    pub(super) fn adopt(
        &self,
        config: &StreamConfig,
        make: impl FnOnce() -> Result<Stream, ApiError>,
    ) -> Result<Arc<StreamActor>, ApiError> {
        let actor = StreamActor::new(self.shared.clone(), self.account.clone(), self.usage.clone(), &config.name);
        let mut catalog = self.catalog();
        validate::may_return(config, &*catalog)?;
        self.check_unrecovered(&config.name)?;
        catalog.streams.insert(config.name.clone(), Entry { config: config.clone(), actor: actor.clone() });
        self.reserve(None, Some(config));
        // Until it is made it is there for nobody else, and cannot be seen.
        drop(catalog);
        match make() {
            Ok(stream) => {
                Self::open(&actor, stream);
                Ok(actor)
            }
            Err(error) => {
                self.catalog().streams.remove(&config.name);
                self.reserve(Some(config), None);
                Err(error)
            }
        }
    }

    /// Serves a stream that was found on disk.
    pub(super) fn take_up(&self, stream: Stream) {
        let config = stream.config().clone();
        let actor = StreamActor::new(self.shared.clone(), self.account.clone(), self.usage.clone(), &config.name);
        self.reserve(None, Some(&config));
        self.catalog().streams.insert(config.name.clone(), Entry { config, actor: actor.clone() });
        Self::open(&actor, stream);
    }

    /// A stream begins to listen.
    fn open(actor: &StreamActor, stream: Stream) {
        let config = stream.config().clone();
        let consumers: Vec<_> = stream
            .consumers()
            .filter_map(|name| Some((name.to_owned(), stream.consumer(name)?.config().clone())))
            .collect();
        actor.fill(|_| stream);
        listen::open(actor, &config);
        for (consumer, config) in consumers {
            super::consumers::open(actor, &consumer, &config);
        }
        actor.wake();
    }

    /// A stream that could not be recovered keeps its name.
    fn check_unrecovered(&self, name: &str) -> Result<(), ApiError> {
        match self.unrecovered().get(name) {
            None => Ok(()),
            Some(why) => Err(ApiError::stream_create(format!("a stream of this name could not be recovered: {why}"))),
        }
    }

    /// Does something with a stream once everything stands that came before: messages whose publishers wait for no answer, too.
    pub(super) fn when_it_stands(
        &self,
        actor: &StreamActor,
        served: &Served,
        then: impl FnOnce(&Self, &Served, &mut Stream) + Send + 'static,
    ) {
        let (registry, served) = (self.this(), served.clone());
        actor.when_settled(move |life, _, _| match &mut life.stream {
            Some(stream) => then(&registry, &served, stream),
            None => registry.refuse(&served, &ApiError::stream_not_found()),
        });
    }
}

/// A request for all streams of an account to go: it is answered when nobody is left who has to do something about it.
struct Purge {
    asked: Arc<Registry>,
    served: Served,
}

impl Drop for Purge {
    fn drop(&mut self) {
        self.asked.answer(&self.served, &Answer::Initiated);
    }
}

/// What the consumers of a stream are configured to be.
fn consumer_configs(stream: &Stream) -> Vec<ConsumerConfig> {
    stream.consumers().filter_map(|name| Some(stream.consumer(name)?.config().clone())).collect()
}

/// How a stream is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    /// It was created or changed just now.
    Itself,
    /// It was asked for.
    Described,
    /// It is one of many.
    InList,
}

impl Shared {
    /// A stream as the API shows it.
    // spec: JS-058 JS-059
    pub(super) fn shown(&self, stream: &Stream, how: Shown) -> StreamInfo {
        self.dress(stream.info(now(clock::now())), how)
    }

    fn dress(&self, mut info: StreamInfo, how: Shown) -> StreamInfo {
        if how != Shown::InList {
            info.config.metadata = answer::with_server_metadata(&info.config.metadata, self.version());
        }
        if how == Shown::Itself {
            info.domain.clear();
        }
        if how == Shown::Described {
            info.cluster = Some(ClusterInfo { leader: self.server_name(), ..ClusterInfo::default() });
        }
        info
    }
}
