//! A snapshot on its way: a stream's archive in chunks, of which so many may be on the way as their receiver allows.
//!
//! What the stream is and where its consumers stand is taken down at one moment. Messages are read in small pieces, between
//! which the stream goes on. What is removed meanwhile is missing, as if it had been before; where a new message of a
//! subject takes the place of an old one, the snapshot follows the stream to where it is then, so that no subject is missing.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Weak};
use std::time::Duration;

use martlet_archive::{ConsumerState, Message, Pair, PendingMessage, Writer};
use martlet_broker::batch::Batch;
use martlet_broker::watch::Watch;
use martlet_events::{Time, WallTime};
use martlet_jetstream::api::ApiError;
use martlet_jetstream::api::answer::{Answer, StreamState};
use martlet_jetstream::api::body::SnapshotBody;
use martlet_jetstream::api::json::{Object, encode};
use martlet_jetstream::consumer::Standing;
use martlet_jetstream::stream::Stream;
use martlet_jetstream::{ConsumerConfig, Now, Out, Outgoing};
use martlet_net::clock;
use martlet_store::{Filter, ReadError, Store};
use parking_lot::Mutex;

use super::actor::StreamActor;
use super::out::InAccount;
use super::registry::{Registry, Served};
use super::transfers::{Listening, announce};
use super::workers::{Actor, Turn};
use super::{Shared, now};

/// How long the receiver may take to begin listening.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long it may take to acknowledge anything.
const ACK_WAIT: Duration = Duration::from_secs(5);
/// Chunks sent in one turn.
const AT_ONCE: usize = 16;
/// Bytes of messages that are read before the stream has its turn again.
const SLICE: usize = 256 << 10;
/// How often a snapshot follows its stream to where that is by then.
const FOLLOWS: u32 = 16;

/// A snapshot that is being sent.
pub(super) struct Snapshot {
    turn: Turn,
    this: Weak<Snapshot>,
    number: u64,
    registry: Arc<Registry>,
    actor: Arc<StreamActor>,
    served: Served,
    /// Where chunks go.
    deliver: Box<[u8]>,
    /// What subjects of acknowledgements begin with.
    acks: String,
    chunk_size: usize,
    most_in_flight: u64,
    begun: WallTime,
    acked: AtomicU64,
    sending: Mutex<Sending>,
}

/// How far it is.
struct Sending {
    writer: Writer,
    /// Consumers that are still to be written.
    consumers: std::vec::IntoIter<Standpoint>,
    /// What is not sent yet.
    out: Vec<u8>,
    body: Vec<u8>,
    buffer: Vec<u8>,
    reading: Reading,
    /// Chunks sent that are to be acknowledged.
    sent: u64,
    /// When the last of them was sent.
    sent_at: Time,
    is_heard: bool,
    listening: Option<Listening>,
    watch: Option<Watch>,
    is_over: bool,
}

/// A consumer at the moment of the snapshot.
struct Standpoint {
    name: String,
    config: ConsumerConfig,
    standing: Standing,
}

/// Which messages are still to be read.
struct Reading {
    next: u64,
    through: u64,
    follows: u32,
    is_done: bool,
}

/// How a snapshot ends.
enum End {
    Whole,
    NoInterest,
    NoFlow,
    Failed(String),
}

/// What comes after a step.
enum Step {
    Next,
    Until(Time),
    Over,
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot").field("stream", &self.actor.name).finish_non_exhaustive()
    }
}

/// Begins to send a snapshot of a stream.
// spec: JS-024 JS-544
pub(super) fn begin(
    registry: &Registry,
    served: &Served,
    actor: &Arc<StreamActor>,
    stream: &Stream,
    body: &SnapshotBody,
) -> Result<(), ApiError> {
    registry.transfers.check().map_err(ApiError::stream_snapshot)?;
    let clock = now(clock::now());
    let info = stream.info(clock);
    let state = stream.state();
    let (writer, consumers) = take_down(stream, &info.state, !body.no_consumers, clock);
    let snapshot = Arc::new_cyclic(|this| Snapshot {
        turn: Turn::default(),
        this: Weak::clone(this),
        number: registry.shared.next_sid(),
        registry: registry.this(),
        actor: actor.clone(),
        served: served.clone(),
        deliver: body.deliver_subject.as_bytes().into(),
        acks: format!("$JS.SNAPSHOT.ACK.{}.{}", actor.name, Shared::unique()),
        chunk_size: chunk_size(body),
        most_in_flight: (window_size(body) / chunk_size(body)) as u64,
        begun: clock.wall,
        acked: AtomicU64::new(0),
        sending: Mutex::new(Sending {
            writer,
            consumers: consumers.into_iter(),
            out: Vec::new(),
            body: Vec::new(),
            buffer: Vec::new(),
            reading: Reading {
                next: state.first_seq.max(1),
                through: state.last_seq,
                follows: if info.config.max_msgs_per_subject > 0 { FOLLOWS } else { 0 },
                is_done: false,
            },
            sent: 0,
            sent_at: clock.time,
            is_heard: false,
            listening: None,
            watch: None,
            is_over: false,
        }),
    });
    log::info!("Starting snapshot for stream '{} > {}'", registry.account.name(), actor.name);
    registry.answer(served, &Answer::StreamSnapshot { config: &info.config, state: &info.state });
    let held = |o: &mut Object<'_>| {
        o.field("state", &info.state);
    };
    announce(registry, served, ("SNAPSHOT_CREATE", &actor.name), held, None);
    snapshot.listen();
    registry.transfers.begin(snapshot.number, snapshot.clone());
    snapshot.wake();
    Ok(())
}

/// What the stream holds, at the head of an archive, and where its consumers stand.
// spec: JS-123
fn take_down(stream: &Stream, state: &StreamState, with_consumers: bool, now: Now) -> (Writer, Vec<Standpoint>) {
    let consumers = stream.consumers().filter_map(|name| stream.consumer(name));
    let consumers = consumers.filter(|of| with_consumers && !of.config().direct).map(|of| Standpoint {
        name: of.name().to_owned(),
        config: of.config().clone(),
        standing: of.standing(now),
    });
    let consumers: Vec<Standpoint> = consumers.collect();
    let state = StreamState { consumers: consumers.len() as u64, ..state.clone() };
    let time = i64::try_from(now.wall.as_nanos()).unwrap_or(i64::MAX);
    (Writer::new(&encode(&state), time), consumers)
}

fn state_of(standing: &Standing) -> ConsumerState {
    let pair = |place: martlet_jetstream::consumer::Place| Pair {
        consumer_seq: place.consumer_seq,
        stream_seq: place.stream_seq,
    };
    let pending = standing.pending.iter().map(|of| {
        let timestamp = i64::try_from(of.delivered_at.as_nanos()).unwrap_or(i64::MAX);
        (of.seq, PendingMessage { sequence: of.consumer_seq, timestamp })
    });
    ConsumerState {
        delivered: pair(standing.delivered),
        ack_floor: pair(standing.ack_floor),
        pending: pending.collect(),
        redelivered: standing.redelivered.iter().copied().collect(),
        letters: standing.letters.iter().map(letter_of).collect(),
    }
}

fn letter_of(letter: &martlet_jetstream::consumer::DeadLetter) -> martlet_archive::DeadLetter {
    let martlet_jetstream::consumer::DeadLetter { seq, deliveries, died, terminated } = letter.clone();
    martlet_archive::DeadLetter { seq, deliveries, died, terminated }
}

/// How large chunks are: as asked, within reason.
fn chunk_size(body: &SnapshotBody) -> usize {
    let asked = if body.chunk_size.0 == 0 { 128 << 10 } else { body.chunk_size.0 };
    usize::try_from(asked.clamp(1 << 10, 1 << 20)).unwrap_or(1 << 10)
}

/// How many bytes may be on their way: as asked, within reason, and one chunk at least.
fn window_size(body: &SnapshotBody) -> usize {
    let asked = if body.window_size.0 == 0 { 8 << 20 } else { body.window_size.0 };
    usize::try_from(asked.clamp(1 << 10, 32 << 20)).unwrap_or(1 << 10).max(chunk_size(body))
}

impl Snapshot {
    fn wake(&self) {
        if let Some(this) = self.this.upgrade() {
            self.registry.shared.workers.wake(this);
        }
    }

    /// Hears of acknowledgements, and of who listens.
    fn listen(&self) {
        let this = self.this.clone();
        let listening = Listening::on(&self.registry, &format!("{}.>", self.acks), move |_| {
            if let Some(snapshot) = this.upgrade() {
                snapshot.acked.fetch_add(1, Relaxed);
                snapshot.wake();
            }
        });
        let this = self.this.clone();
        let told = Arc::new(move || {
            if let Some(snapshot) = this.upgrade() {
                snapshot.wake();
            }
        });
        let mut sending = self.sending.lock();
        sending.listening = Some(listening);
        sending.watch = Some(self.registry.account.watch(&self.deliver, told));
    }

    // spec: JS-124
    fn step(&self, sending: &mut Sending, now: Now, batch: &mut Batch) -> Step {
        if sending.is_over {
            return Step::Over;
        }
        if !self.registry.account.interest.is_wanted(&self.deliver) {
            let until = sending.sent_at + PATIENCE;
            if !sending.is_heard && now.time < until {
                return Step::Until(until);
            }
            return self.end(sending, &End::NoInterest, batch);
        }
        sending.is_heard = true;
        if sending.sent >= self.acked.load(Relaxed).saturating_add(self.most_in_flight) {
            let until = sending.sent_at + ACK_WAIT;
            return if now.time < until { Step::Until(until) } else { self.end(sending, &End::NoFlow, batch) };
        }
        if let Err(why) = self.fill(sending) {
            return self.end(sending, &End::Failed(why), batch);
        }
        if sending.out.len() < self.chunk_size {
            return self.end(sending, &End::Whole, batch);
        }
        sending.sent += 1;
        sending.sent_at = now.time;
        let reply = format!("{}.{}.{}", self.acks, self.chunk_size, sending.sent);
        let mut out = InAccount { account: &self.registry.account, batch, body: &mut sending.body };
        let payload = &sending.out[..self.chunk_size];
        out.publish(&Outgoing { subject: &self.deliver, reply: reply.as_bytes(), payload, ..Outgoing::default() });
        sending.out.drain(..self.chunk_size);
        Step::Next
    }

    /// Reads until there is a whole chunk, or no more.
    fn fill(&self, sending: &mut Sending) -> Result<(), String> {
        let Sending { writer, consumers, out, buffer, reading, .. } = sending;
        writer.take(out);
        // Not when they are taken down: the stream need not wait for it.
        while out.len() < self.chunk_size
            && let Some(Standpoint { name, config, standing }) = consumers.next()
        {
            writer.consumer(&name, &encode(&config), &state_of(&standing));
            writer.take(out);
        }
        while out.len() < self.chunk_size && !reading.is_done {
            let read = self.actor.look(|stream| reading.slice(stream.store(), writer, buffer));
            read.unwrap_or_else(|| Err("the stream was deleted".to_owned()))?;
            writer.take(out);
        }
        Ok(())
    }

    fn end(&self, sending: &mut Sending, how: &End, batch: &mut Batch) -> Step {
        sending.is_over = true;
        let mut out = InAccount { account: &self.registry.account, batch, body: &mut sending.body };
        let mut send = |headers: &str, payload: &[u8]| {
            out.publish(&Outgoing {
                subject: &self.deliver,
                headers: headers.as_bytes(),
                payload,
                ..Outgoing::default()
            });
        };
        // The reference says nothing at all behind a snapshot of less than a chunk.
        let (status, error) = match how {
            End::Whole if sending.sent == 0 => (String::new(), None),
            End::Whole => ("204".to_owned(), None),
            End::NoInterest => ("408 No Interest".to_owned(), Some("no interest")),
            End::NoFlow => ("408 No Flow Response".to_owned(), Some("no flow response")),
            End::Failed(why) => (format!("500 {why}"), Some(&**why)),
        };
        if matches!(how, End::Whole) && !sending.out.is_empty() {
            send("", &sending.out);
        }
        let headers = if status.is_empty() { status } else { format!("NATS/1.0 {status}\r\n\r\n") };
        send(&headers, b"");
        let (account, stream) = (self.registry.account.name(), &self.actor.name);
        match error {
            None => log::info!("Completed snapshot for stream '{account} > {stream}'"),
            Some(why) => log::warn!("Snapshot for stream '{account} > {stream}' failed: {why}"),
        }
        let times = |o: &mut Object<'_>| {
            o.field("start", &self.begun).field("end", &clock::wall_now());
        };
        announce(&self.registry, &self.served, ("SNAPSHOT_COMPLETE", stream), times, error);
        sending.listening = None;
        self.registry.transfers.end(self.number);
        Step::Over
    }
}

impl Drop for Snapshot {
    fn drop(&mut self) {
        if let Some(watch) = self.sending.get_mut().watch.take() {
            self.registry.account.unwatch(&watch);
        }
    }
}

impl Reading {
    /// Reads some messages; the archive is ended behind the last.
    fn slice(&mut self, store: &dyn Store, writer: &mut Writer, buffer: &mut Vec<u8>) -> Result<(), String> {
        while writer.waiting() < SLICE {
            let found = match store.next(&Filter::default(), self.next, buffer) {
                Ok(found) => found.filter(|message| message.seq <= self.through),
                Err(ReadError::Unreadable(range)) if *range.seqs.start() > self.through => None,
                Err(error) => return Err(error.to_string()),
            };
            if let Some(message) = found {
                self.next = message.seq + 1;
                writer.message(&Message {
                    seq: message.seq,
                    time: i64::try_from(message.time.as_nanos()).unwrap_or(i64::MAX),
                    subject: message.subject,
                    headers: message.headers,
                    payload: message.payload,
                });
                continue;
            }
            let last = store.state().last_seq;
            if self.follows == 0 || last <= self.through {
                writer.end();
                self.is_done = true;
                return Ok(());
            }
            self.follows -= 1;
            (self.next, self.through) = (self.through + 1, last);
        }
        Ok(())
    }
}

impl Actor for Snapshot {
    fn turn(&self) -> &Turn {
        &self.turn
    }

    fn run(&self, batch: &mut Batch) -> bool {
        let mut sending = self.sending.lock();
        let now = now(batch.now);
        for _ in 0..AT_ONCE {
            match self.step(&mut sending, now, batch) {
                Step::Next => {}
                Step::Over => return false,
                Step::Until(time) => {
                    if let Some(this) = self.this.upgrade() {
                        let this: Arc<dyn Actor> = this;
                        self.registry.shared.alarms.set(time, &this);
                    }
                    return false;
                }
            }
        }
        true
    }

    fn broke(&self) {
        log::error!("Snapshot of stream '{} > {}' was given up", self.registry.account.name(), self.actor.name);
        self.registry.transfers.end(self.number);
    }
}
