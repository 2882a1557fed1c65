//! A restore on its way: chunks of an archive become a stream, which is there when all of it has come, and not before.

pub(super) mod building;

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;

use martlet_archive::{ReadError, Reader};
use martlet_broker::batch::Batch;
use martlet_broker::internal::InternalMessage;
use martlet_events::{Time, WallTime};
use martlet_jetstream::api::answer::Answer;
use martlet_jetstream::api::json::Object;
use martlet_jetstream::api::{ApiError, Endpoint};
use martlet_jetstream::{Out, Outgoing, StreamConfig};
use martlet_net::clock;
use parking_lot::Mutex;

use self::building::Building;
use super::Shared;
use super::out::InAccount;
use super::registry::{Registry, Served};
use super::streams::Shown;
use super::transfers::{Listening, announce};
use super::workers::{Actor, Turn};

/// How long the next chunk may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// Bytes of chunks that may wait: whoever sends waits for an answer to each.
const WAITING: usize = 32 << 20;
/// Chunks taken in one turn.
const AT_ONCE: usize = 4;

/// A restore that is under way.
pub(super) struct Restore {
    turn: Turn,
    this: Weak<Restore>,
    number: u64,
    registry: Arc<Registry>,
    served: Served,
    stream: String,
    begun: WallTime,
    chunks: Mutex<Chunks>,
    taking: Mutex<Taking>,
}

/// A part of an archive, and who waits to hear that it was taken.
struct Chunk {
    reply: Box<[u8]>,
    bytes: Box<[u8]>,
}

#[derive(Default)]
struct Chunks {
    waiting: VecDeque<Chunk>,
    bytes: usize,
    is_overrun: bool,
}

/// How far it is.
struct Taking {
    reader: Reader,
    /// `None` when it is over.
    building: Option<Building>,
    /// Why it will come to nothing.
    failed: Option<ApiError>,
    total: u64,
    active_at: Time,
    listening: Option<Listening>,
}

impl fmt::Debug for Restore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Restore").field("stream", &self.stream).finish_non_exhaustive()
    }
}

/// Begins to restore a stream whose configuration is valid; gives where to send the archive.
// spec: JS-025
pub(super) fn begin(registry: &Registry, served: &Served, config: StreamConfig) -> Result<String, ApiError> {
    registry.transfers.check().map_err(ApiError::stream_restore)?;
    let subject = format!("$JS.SNAPSHOT.RESTORE.{}.{}", config.name, Shared::unique());
    log::info!("Starting restore for stream '{} > {}'", registry.account.name(), config.name);
    announce(registry, served, ("RESTORE_CREATE", &config.name), |_| {}, None);
    let restore = Arc::new_cyclic(|this: &Weak<Restore>| {
        let told = this.clone();
        let listening = Listening::on(registry, &subject, move |message| {
            if let Some(restore) = told.upgrade() {
                restore.push(message);
            }
        });
        Restore {
            turn: Turn::default(),
            this: this.clone(),
            number: registry.shared.next_sid(),
            registry: registry.this(),
            served: served.clone(),
            stream: config.name.clone(),
            begun: clock::wall_now(),
            chunks: Mutex::default(),
            taking: Mutex::new(Taking {
                reader: Reader::default(),
                building: Some(Building::new(registry.this(), config)),
                failed: None,
                total: 0,
                active_at: clock::now(),
                listening: Some(listening),
            }),
        }
    });
    registry.transfers.begin(restore.number, restore.clone());
    registry.shared.workers.wake(restore);
    Ok(subject)
}

impl Restore {
    /// A chunk has come.
    fn push(&self, message: &InternalMessage<'_>) {
        let mut chunks = self.chunks.lock();
        if message.reply.is_empty() || chunks.bytes + message.payload.len() > WAITING {
            chunks.is_overrun = true;
        }
        if !chunks.is_overrun {
            chunks.bytes += message.payload.len();
            chunks.waiting.push_back(Chunk { reply: message.reply.into(), bytes: message.payload.into() });
        }
        drop(chunks);
        if let Some(this) = self.this.upgrade() {
            self.registry.shared.workers.wake(this);
        }
    }

    fn next(&self) -> Option<Chunk> {
        let mut chunks = self.chunks.lock();
        let chunk = chunks.waiting.pop_front()?;
        chunks.bytes -= chunk.bytes.len();
        Some(chunk)
    }

    /// Takes a chunk. What is wrong is told at the end, when somebody listens for it.
    // spec: JS-125
    fn take(&self, taking: &mut Taking, chunk: &Chunk, batch: &mut Batch) {
        taking.active_at = batch.now;
        if chunk.bytes.is_empty() {
            return self.end(taking, &chunk.reply);
        }
        taking.total += chunk.bytes.len() as u64;
        if taking.failed.is_none()
            && let Some(building) = &mut taking.building
            && let Err(error) = taking.reader.feed(&chunk.bytes, building)
        {
            taking.failed = Some(match error {
                ReadError::Archive(error) => ApiError::stream_restore(error),
                ReadError::Sink(error) => error,
            });
        }
        let mut body = Vec::new();
        let mut out = InAccount { account: &self.registry.account, batch, body: &mut body };
        out.publish(&Outgoing { subject: &chunk.reply, ..Outgoing::default() });
    }

    /// All has come: the stream is there, or never was.
    fn end(&self, taking: &mut Taking, reply: &[u8]) {
        let Some(building) = taking.building.take() else { return };
        let is_whole = taking.reader.end().map_err(ApiError::stream_restore);
        let result = taking.failed.take().map_or(is_whole, Err).and_then(|()| building.finish());
        let (this, total, reply) = (self.this.upgrade(), taking.total, Box::<[u8]>::from(reply));
        match result {
            // Its own thread says what it is, before anything else happens to it.
            Ok(actor) => actor.command(move |life, _, out| {
                let (Some(this), Some(stream)) = (this, &mut life.stream) else { return };
                stream.announce_creation(out);
                let info = this.registry.shared.shown(stream, Shown::Itself);
                this.announce_end(total, None);
                let answer = Answer::StreamCreate { info: &info, did_create: false }.encode(Endpoint::StreamCreate);
                out.publish(&Outgoing { subject: &reply, payload: &answer, ..Outgoing::default() });
            }),
            Err(error) => {
                self.announce_end(total, Some(&error));
                let answer = Endpoint::StreamCreate.refuse(&error);
                let account = self.registry.account.name();
                self.registry.shared.broker.publish_internal(account, (&reply, b""), (b"", &answer), clock::now());
            }
        }
        self.give_up(taking);
    }

    fn announce_end(&self, total: u64, error: Option<&ApiError>) {
        let (account, stream) = (self.registry.account.name(), &self.stream);
        match error {
            None => log::info!("Completed restore of {total} bytes for stream '{account} > {stream}'"),
            Some(why) => log::warn!("Restore failed for {total} bytes for stream '{account} > {stream}': {why}"),
        }
        let times = |o: &mut Object<'_>| {
            o.field("start", &self.begun).field("end", &clock::wall_now()).field("bytes", &total);
        };
        announce(&self.registry, &self.served, ("RESTORE_COMPLETE", stream), times, None);
    }

    /// It goes no further.
    fn give_up(&self, taking: &mut Taking) {
        taking.listening = None;
        taking.building = None;
        self.registry.transfers.end(self.number);
    }

    fn abandon(&self, taking: &mut Taking, why: &str) {
        log::warn!("Restore for stream '{} > {}' was given up: {why}", self.registry.account.name(), self.stream);
        self.give_up(taking);
    }
}

impl Actor for Restore {
    fn turn(&self) -> &Turn {
        &self.turn
    }

    fn run(&self, batch: &mut Batch) -> bool {
        let mut taking = self.taking.lock();
        for _ in 0..AT_ONCE {
            if taking.building.is_none() {
                return false;
            }
            if self.chunks.lock().is_overrun {
                self.abandon(&mut taking, "chunks come without waiting for an answer to each");
                return false;
            }
            let Some(chunk) = self.next() else {
                let until = taking.active_at + PATIENCE;
                if until <= batch.now {
                    self.abandon(&mut taking, "nothing more has come for 5 seconds");
                } else if let Some(this) = self.this.upgrade() {
                    let this: Arc<dyn Actor> = this;
                    self.registry.shared.alarms.set(until, &this);
                }
                return false;
            };
            self.take(&mut taking, &chunk, batch);
        }
        true
    }

    fn broke(&self) {
        log::error!("Restore for stream '{} > {}' was given up", self.registry.account.name(), self.stream);
        self.registry.transfers.end(self.number);
    }
}
