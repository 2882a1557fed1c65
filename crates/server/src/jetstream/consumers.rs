//! Requests about consumers.

use martlet_broker::internal::Scope;
use martlet_jetstream::api::answer::{self, Answer, ConsumerInfo, LIST_LIMIT, NAMES_LIMIT, Page};
use martlet_jetstream::api::body::{ConsumersBody, PauseBody, ResetBody, UnpinBody};
use martlet_jetstream::api::request::ConsumerCreate;
use martlet_jetstream::api::validate::{self, Joined, Joining, STREAM_IDENTITY};
use martlet_jetstream::api::{ApiError, Endpoint};
use martlet_jetstream::stream::{Changed, Stream, Ticket};
use martlet_jetstream::{ConsumerConfig, Now, Out, dead_letter};
use martlet_proto::headers;

use super::actor::{Life, StreamActor};
use super::inbox::What;
use super::listen;
use super::registry::{Registry, Served};

impl Registry {
    // spec: JS-027 JS-098
    pub(super) fn create_consumer(&self, served: &Served, create: ConsumerCreate) -> Result<(), ApiError> {
        let actor = self.actor(&create.stream)?;
        let (registry, served) = (self.this(), served.clone());
        actor.command(move |life, now, out| {
            let joined = match &life.stream {
                Some(stream) => registry.join(stream, &create, &served.asked.headers),
                None => Err(ApiError::stream_not_found()),
            };
            match joined {
                Ok(Joined::New { name, config }) => {
                    let change = |stream: &mut Stream, ticket, out: &mut dyn Out| {
                        stream.create_consumer(&name, *config, now, ticket, out)
                    };
                    registry.change_consumer(&served, (life, now, out), change);
                }
                Ok(Joined::Changed { name, config }) => {
                    let config = ConsumerConfig { name: name.clone(), ..*config };
                    let there = life.stream.as_ref().and_then(|stream| stream.consumer(&name));
                    if there.is_some_and(|there| *there.config() == config) {
                        return registry.describe(&served, life, &name, (now, out));
                    }
                    let change =
                        |stream: &mut Stream, ticket, _: &mut dyn Out| stream.update_consumer(config, now, ticket);
                    registry.change_consumer(&served, (life, now, out), change);
                }
                Err(error) => registry.refuse(&served, &error),
            }
        });
        Ok(())
    }

    /// Whether a consumer may be one of the stream's.
    fn join(&self, stream: &Stream, create: &ConsumerCreate, headers: &[u8]) -> Result<Joined, ApiError> {
        validate::check_identity(&create.body.config, headers, &stream.identity())?;
        let is_wanted = |subject: &str| self.account.interest.is_wanted(subject.as_bytes());
        let new_name = || loop {
            let name: String = super::Shared::unique().chars().take(8).collect();
            if stream.consumer(&name).is_none() {
                break name;
            }
        };
        let (account, server) = (self.limits(), self.shared.limits.read().clone());
        validate::join_consumer(
            &create.body,
            &Joining {
                stream: stream.config(),
                consumers: stream,
                account: account.as_ref(),
                server: &server,
                is_wanted: &is_wanted,
                new_name: &new_name,
            },
        )
    }

    /// Has a consumer changed; whoever asked is answered when that stands.
    fn change_consumer(
        &self,
        served: &Served,
        (life, _, out): (&mut Life, Now, &mut dyn Out),
        change: impl FnOnce(&mut Stream, Ticket, &mut dyn Out) -> Result<(), ApiError>,
    ) {
        let (registry, served) = (self.this(), served.clone());
        let ticket = life.ticket(move |result, life, out| registry.consumer_changed(&served, result, (life, out)));
        let result = match &mut life.stream {
            Some(stream) => change(stream, ticket, out),
            None => Err(ApiError::stream_not_found()),
        };
        if let Err(error) = result {
            life.refuse(ticket, error, out);
        }
    }

    fn consumer_changed(
        &self,
        served: &Served,
        result: Result<Changed, ApiError>,
        (life, out): (&mut Life, &mut dyn Out),
    ) {
        let now = super::now(martlet_net::clock::now());
        match result {
            Ok(Changed::ConsumerCreated(name)) => match &mut life.stream {
                Some(stream) => {
                    let info = stream.new_consumer_info(&name, now, out);
                    self.describe_as(served, stream, info);
                }
                None => self.refuse(served, &ApiError::stream_not_found()),
            },
            Ok(Changed::ConsumerUpdated(config)) => {
                if served.endpoint == Endpoint::ConsumerPause {
                    let until = config.pause_until.filter(|until| *until > now.wall);
                    let remaining = until.map_or(0, |until| until.as_nanos() - now.wall.as_nanos());
                    let remaining = std::time::Duration::from_nanos(remaining);
                    return self.answer(served, &Answer::ConsumerPause { until: config.pause_until, remaining });
                }
                self.describe(served, life, &config.name, (now, out));
            }
            Ok(Changed::ConsumerReset(name, seq)) => {
                let info = life.stream.as_mut().and_then(|stream| stream.new_consumer_info(&name, now, out));
                match info {
                    Some(info) => {
                        let info = self.shown(info);
                        let asks = headers::get(&served.asked.headers, STREAM_IDENTITY).is_some();
                        let identity = life.stream.as_ref().filter(|_| asks).map_or_else(Vec::new, identify);
                        self.answer_with(served, &identity, &Answer::ConsumerReset { info: &info, seq });
                    }
                    None => self.refuse(served, &ApiError::consumer_not_found()),
                }
            }
            Ok(_) => self.answer(served, &Answer::Success),
            Err(error) => self.refuse(served, &error),
        }
    }

    /// Answers with what a consumer is.
    fn describe(&self, served: &Served, life: &mut Life, name: &str, (now, out): (Now, &mut dyn Out)) {
        let Some(stream) = &mut life.stream else { return self.refuse(served, &ApiError::stream_not_found()) };
        let info = stream.consumer_info(name, now, out);
        self.describe_as(served, stream, info);
    }

    fn describe_as(&self, served: &Served, stream: &Stream, info: Option<ConsumerInfo>) {
        match info {
            Some(info) => {
                let is_created = served.endpoint.creates_consumer();
                let is_copy = is_created && (info.config.direct || info.config.sourcing);
                let identity = if is_copy { identify(stream) } else { Vec::new() };
                self.answer_with(served, &identity, &Answer::Consumer(&self.shown(info)));
            }
            None => self.refuse(served, &ApiError::consumer_not_found()),
        }
    }

    /// A consumer as it is shown by itself.
    // spec: JS-058
    fn shown(&self, mut info: ConsumerInfo) -> ConsumerInfo {
        info.config.metadata = answer::with_server_metadata(&info.config.metadata, self.shared.version());
        info
    }

    // spec: JS-008 JS-028
    pub(super) fn name_consumers(&self, served: &Served, stream: &str, body: &ConsumersBody) -> Result<(), ApiError> {
        let names = self.actor(stream)?.look(|stream| stream.public_consumers().map(str::to_owned).collect::<Vec<_>>());
        let names = names.ok_or_else(ApiError::stream_not_found)?;
        let (page, range) = Page::of(names.len(), body.offset.0, NAMES_LIMIT);
        self.answer(served, &Answer::ConsumerNames { names: &names[range], page });
        Ok(())
    }

    // spec: JS-008 JS-028
    pub(super) fn list_consumers(&self, served: &Served, stream: &str, body: &ConsumersBody) -> Result<(), ApiError> {
        let (registry, served, offset) = (self.this(), served.clone(), body.offset.0);
        self.actor(stream)?.command(move |life, now, out| {
            let Some(stream) = &mut life.stream else { return registry.refuse(&served, &ApiError::stream_not_found()) };
            let names: Vec<String> = stream.public_consumers().map(str::to_owned).collect();
            let (page, range) = Page::of(names.len(), offset, LIST_LIMIT);
            let consumers: Vec<ConsumerInfo> =
                names[range].iter().filter_map(|name| stream.consumer_info(name, now, out)).collect();
            registry.answer(&served, &Answer::ConsumerList { consumers: &consumers, page });
        });
        Ok(())
    }

    // spec: JS-028 JS-097
    pub(super) fn describe_consumer(&self, served: &Served, stream: &str, name: String) -> Result<(), ApiError> {
        let (registry, served) = (self.this(), served.clone());
        self.actor(stream)?.when_settled(move |life, now, out| registry.describe(&served, life, &name, (now, out)));
        Ok(())
    }

    // spec: JS-028
    pub(super) fn delete_consumer(&self, served: &Served, stream: &str, name: String) -> Result<(), ApiError> {
        self.ask_for_change(served, stream, move |stream, now, ticket, _| stream.delete_consumer(&name, now, ticket))
    }

    // spec: JS-029
    pub(super) fn pause_consumer(
        &self,
        served: &Served,
        stream: &str,
        name: String,
        body: &PauseBody,
    ) -> Result<(), ApiError> {
        let until = body.pause_until;
        self.ask_for_change(served, stream, move |stream, now, ticket, _| {
            stream.pause_consumer(&name, until, now, ticket)
        })
    }

    // spec: JS-031
    pub(super) fn reset_consumer(
        &self,
        served: &Served,
        stream: &str,
        name: String,
        body: Result<ResetBody, ApiError>,
    ) -> Result<(), ApiError> {
        let actor = self.actor(stream).ok();
        let is_there = actor.and_then(|actor| actor.look(|stream| stream.consumer(&name).is_some())).unwrap_or(false);
        if !is_there {
            // Nobody answers for a consumer that is not there.
            return Ok(());
        }
        let seq = body?.seq;
        self.ask_for_change(served, stream, move |stream, now, ticket, out| {
            stream.reset_consumer(&name, seq, now, ticket, out)
        })
    }

    // spec: JS-030
    pub(super) fn unpin_consumer(
        &self,
        served: &Served,
        stream: &str,
        name: String,
        body: UnpinBody,
    ) -> Result<(), ApiError> {
        let (registry, served) = (self.this(), served.clone());
        self.actor(stream)?.command(move |life, now, out| {
            let Some(stream) = &mut life.stream else { return registry.refuse(&served, &ApiError::stream_not_found()) };
            match stream.unpin_consumer(&name, &body.group, now, out) {
                Ok(()) => registry.answer(&served, &Answer::Done),
                Err(error) => registry.refuse(&served, &error),
            }
        });
        Ok(())
    }

    fn ask_for_change(
        &self,
        served: &Served,
        stream: &str,
        change: impl FnOnce(&mut Stream, Now, Ticket, &mut dyn Out) -> Result<(), ApiError> + Send + 'static,
    ) -> Result<(), ApiError> {
        let actor = self.actor(stream)?;
        let (registry, served) = (self.this(), served.clone());
        actor.command(move |life, now, out| {
            registry.change_consumer(&served, (life, now, out), |stream, ticket, out| change(stream, now, ticket, out));
        });
        Ok(())
    }
}

/// The header that tells whoever copies a stream which one it is.
// spec: JS-099
fn identify(stream: &Stream) -> Vec<u8> {
    let mut block = Vec::new();
    headers::set(&mut block, STREAM_IDENTITY, stream.identity().as_bytes());
    block
}

/// Listens for what concerns a consumer: pull requests, answers to dead letters, and somebody at its deliver subject.
// spec: JS-606
pub(super) fn open(actor: &StreamActor, name: &str, config: &ConsumerConfig) {
    // Whoever asks a consumer that pushes is told so.
    let pattern = listen::pull_requests(&actor.name, name);
    actor.listen(pattern.as_bytes(), What::Pull, Scope::Everywhere);
    if dead_letter::of(&config.metadata).is_some() {
        let receipts = dead_letter::receipts(&actor.name, Some(name));
        actor.listen(receipts.as_bytes(), What::DeadLetter, Scope::Everywhere);
    }
    if !config.deliver_subject.is_empty() {
        actor.watch(name, &config.deliver_subject);
    }
}

/// Listens no longer.
pub(super) fn close(actor: &StreamActor, name: &str) {
    actor.ignore(listen::pull_requests(&actor.name, name).as_bytes());
    actor.ignore(dead_letter::receipts(&actor.name, Some(name)).as_bytes());
    actor.forget(name);
}
