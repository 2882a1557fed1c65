//! A stream as far as its archive has come.
//!
//! Invariant: what it keeps counts as used, and nothing of it is left if it comes to nothing.

use std::sync::Arc;

use martlet_archive::files::Meta;
use martlet_archive::{ConsumerState, Item, Message, Pair, Sink, StreamState};
use martlet_events::WallTime;
use martlet_jetstream::StreamConfig;
use martlet_jetstream::api::ApiError;
use martlet_jetstream::api::validate::{self, Joining};
use martlet_jetstream::config::Storage;
use martlet_jetstream::consumer::{Place, Standing, Unacknowledged};
use martlet_jetstream::stream::{Rebuild, RebuildError, Returning, Stream};
use martlet_net::clock;

use crate::jetstream::actor::StreamActor;
use crate::jetstream::registry::Registry;
use crate::jetstream::stores::{self, Unfinished};
use crate::jetstream::{Shared, now};

/// Bytes that consumers of one archive may say.
const CONSUMERS: usize = 256 << 20;
/// What is kept is counted whenever it may have grown by this.
const COUNT_EVERY: u64 = 1 << 20;
/// Bytes of a message beside its own.
const OVERHEAD: u64 = 30;

/// A stream so far. See the module's text.
pub(super) struct Building {
    registry: Arc<Registry>,
    config: StreamConfig,
    begun: Option<Begun>,
    consumers: Vec<Returning>,
    /// Bytes that consumers have said.
    said: usize,
    /// Bytes that count as used.
    held: u64,
    /// Bytes that do not count yet.
    uncounted: u64,
    max_message: usize,
}

/// What is there from the first item on.
struct Begun {
    rebuild: Rebuild,
    unfinished: Unfinished,
    last_seq: u64,
}

impl Building {
    pub(super) fn new(registry: Arc<Registry>, config: StreamConfig) -> Self {
        let max_payload = registry.shared.broker.settings().0.limits.max_payload as usize;
        let max_message = usize::try_from(config.max_msg_size).map_or(max_payload, |most| most.min(max_payload));
        Self { registry, config, begun: None, consumers: Vec::new(), said: 0, held: 0, uncounted: 0, max_message }
    }

    fn begin(&mut self, state: &StreamState, meta: Option<&Meta>) -> Result<(), ApiError> {
        if let Some(meta) = meta.filter(|meta| meta.name != self.config.name) {
            let why = format!("it is of the stream {:?}, not {:?}", meta.name, self.config.name);
            return Err(ApiError::stream_restore(why));
        }
        let storage = self.config.storage;
        if [&*self.registry.usage, &self.registry.shared.usage].iter().any(|usage| usage.left(storage) < state.bytes) {
            return Err(self.exceeded());
        }
        let begun = stores::begin(&self.registry.shared, self.registry.account.name(), &self.config, state.first_seq);
        let (store, unfinished) = begun.map_err(ApiError::stream_restore)?;
        let clock = now(clock::now());
        let made = meta.and_then(|meta| u64::try_from(meta.created).ok()).map_or(clock.wall, WallTime::from_nanos);
        let rebuild = Rebuild::begin(self.config.clone(), made, state.first_seq, store, clock);
        self.begun = Some(Begun { rebuild: rebuild.map_err(refuse)?, unfinished, last_seq: state.last_seq });
        Ok(())
    }

    fn rebuild(&mut self) -> Result<&mut Rebuild, ApiError> {
        let begun = self.begun.as_mut().map(|begun| &mut begun.rebuild);
        begun.ok_or_else(|| ApiError::stream_restore("the archive does not say first what the stream held"))
    }

    fn message(&mut self, message: &Message<'_>) -> Result<(), ApiError> {
        let Message { seq, time, subject, headers, payload } = *message;
        if headers.len() + payload.len() > self.max_message {
            let (len, most) = (headers.len() + payload.len(), self.max_message);
            return Err(ApiError::stream_restore(format!("message {seq} has {len} bytes, when {most} is the most")));
        }
        let time = WallTime::from_nanos(u64::try_from(time).unwrap_or(0));
        let message = martlet_store::Message { seq, time, subject, headers, payload, expires: None };
        self.rebuild()?.message(&message).map_err(refuse)?;
        self.uncounted += OVERHEAD + (subject.len() + headers.len() + payload.len()) as u64;
        if self.uncounted >= COUNT_EVERY { self.count() } else { Ok(()) }
    }

    /// What is kept counts as used, if there is room for it.
    // spec: JS-169 JS-188
    fn count(&mut self) -> Result<(), ApiError> {
        self.uncounted = 0;
        let rebuild = self.rebuild()?;
        rebuild.flush().map_err(refuse)?;
        let bytes = rebuild.state().bytes;
        self.hold(bytes);
        let used_up = |usage: &&crate::jetstream::usage::Usage| usage.left(self.config.storage) == 0;
        if [&*self.registry.usage, &self.registry.shared.usage].iter().any(used_up) {
            return Err(self.exceeded());
        }
        Ok(())
    }

    fn hold(&mut self, bytes: u64) {
        for usage in [&*self.registry.usage, &self.registry.shared.usage] {
            usage.change(self.config.storage, self.held, bytes);
        }
        self.held = bytes;
    }

    fn exceeded(&self) -> ApiError {
        match self.config.storage {
            Storage::Memory => ApiError::memory_resources_exceeded(),
            Storage::File => ApiError::storage_resources_exceeded(),
        }
    }

    fn consumer(&mut self, name: &str, json: &[u8], state: &ConsumerState) -> Result<(), ApiError> {
        self.said += json.len() + (state.pending.len() + state.redelivered.len()) * 64;
        if self.said > CONSUMERS {
            return Err(ApiError::stream_restore(format!("its consumers say more than {CONSUMERS} bytes")));
        }
        let (account, server) = (self.registry.limits(), self.registry.shared.limits.read().clone());
        let joining = Joining {
            stream: &self.config,
            consumers: &&*self.consumers,
            account: account.as_ref(),
            server: &server,
            is_wanted: &|subject| self.registry.account.interest.is_wanted(subject.as_bytes()),
            new_name: &Shared::unique,
        };
        let joined = validate::restore_consumer(name, json, &joining);
        let config = joined.map_err(|error| ApiError::stream_restore(format!("consumer {name:?}: {error}")))?;
        let created = now(clock::now()).wall;
        self.consumers.extend(config.map(|config| Returning { config, created, standing: standing_of(state) }));
        Ok(())
    }

    /// All of it has come: the stream is there from now on.
    pub(super) fn finish(mut self) -> Result<Arc<StreamActor>, ApiError> {
        self.count()?;
        // What it uses is counted by itself from now on.
        self.hold(0);
        let Some(Begun { rebuild, unfinished, last_seq }) = self.begun.take() else {
            return Err(ApiError::stream_restore("it has no beginning"));
        };
        let consumers = std::mem::take(&mut self.consumers);
        let (shared, account) = (self.registry.shared.clone(), self.registry.account.clone());
        let make = || -> Result<Stream, ApiError> {
            if self.config.storage == Storage::Memory {
                let (recovery, store) = rebuild.finish(last_seq, &consumers).map_err(refuse)?;
                return stores::resume(&shared, &account, recovery, store).map_err(ApiError::stream_restore);
            }
            rebuild.close(last_seq, &consumers).map_err(refuse)?;
            unfinished.keep().map_err(ApiError::stream_restore)?;
            let found = stores::recover(&shared, &account, &self.config.name).map_err(ApiError::stream_restore)?;
            found.ok_or_else(|| ApiError::stream_restore("nothing was written"))
        };
        self.registry.adopt(&self.config, make)
    }
}

impl Drop for Building {
    fn drop(&mut self) {
        self.hold(0);
    }
}

impl Sink for Building {
    type Error = ApiError;

    fn item(&mut self, item: Item<'_>) -> Result<(), ApiError> {
        match item {
            Item::Stream(state, meta) => self.begin(&state, meta.as_ref()),
            Item::Consumer { name, config, state } => self.consumer(name, config, &state),
            Item::Message(message) => self.message(&message),
            Item::Gone { ranges, last_seq } => {
                self.rebuild()?.remove(ranges).map_err(refuse)?;
                if let Some(begun) = &mut self.begun {
                    begun.last_seq = last_seq;
                }
                Ok(())
            }
            Item::End => Ok(()),
        }
    }
}

fn refuse(error: RebuildError) -> ApiError {
    ApiError::stream_restore(error)
}

pub(in crate::jetstream) fn standing_of(state: &ConsumerState) -> Standing {
    let place = |pair: Pair| Place { consumer_seq: pair.consumer_seq, stream_seq: pair.stream_seq };
    let pending = state.pending.iter().map(|(&seq, of)| Unacknowledged {
        seq,
        consumer_seq: of.sequence,
        delivered_at: WallTime::from_nanos(u64::try_from(of.timestamp).unwrap_or(0)),
    });
    Standing {
        delivered: place(state.delivered),
        ack_floor: place(state.ack_floor),
        pending: pending.collect(),
        redelivered: state.redelivered.iter().map(|(&seq, &times)| (seq, times)).collect(),
        letters: state.letters.iter().map(letter_of).collect(),
    }
}

fn letter_of(letter: &martlet_archive::DeadLetter) -> martlet_jetstream::consumer::DeadLetter {
    let martlet_archive::DeadLetter { seq, deliveries, died, terminated } = letter.clone();
    martlet_jetstream::consumer::DeadLetter { seq, deliveries, died, terminated }
}
