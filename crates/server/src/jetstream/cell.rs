//! A stream that runs: its inbox, what has come back from the disk, what the API asks, and when it wants to run again.
//!
//! Everything that happens to a stream goes through here, one thing after the other; nobody else touches it.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use martlet_broker::account::Account;
use martlet_broker::batch::Batch;
use martlet_broker::errand::{Errand, Errands};
use martlet_broker::internal::{InternalMessage, InternalSubscription, Listening, Scope};
use martlet_broker::trace::{Claim, Stored};
use martlet_broker::watch::Watch;
use martlet_events::{Time, WallTime};
use martlet_jetstream::api::ApiError;
use martlet_jetstream::consumer::Closing;
use martlet_jetstream::stream::{Changed, Done, Durability, Fate, Incoming, Room, Stream, Ticket, Traced};
use martlet_jetstream::{Now, Out};
use martlet_net::clock;
use martlet_store::StoreError;
use parking_lot::Mutex;

use super::inbox::{Inbox, What};
use super::out::InAccount;
use super::usage::Usage;
use super::workers::{Actor, Turn};
use super::{Shared, consumers, listen, now, origins};

/// What is done with a stream on its own thread.
type Command = Box<dyn FnOnce(&mut Life, Now, &mut dyn Out) + Send>;
/// What is done when a change has come to its end.
type Ending = Box<dyn FnOnce(Result<Changed, ApiError>, &mut Life, &mut dyn Out) + Send>;

/// A disk that stays full is told of no oftener.
const FULL_EVERY: Duration = Duration::from_mins(1);

/// A turn that takes longer than this holds up the connections of the thread that took it,
const TOO_LONG: Duration = Duration::from_millis(1);
/// so that all turns of this time are for other threads.
const SLOW_FOR: Duration = Duration::from_millis(100);

/// A stream. See the module's text.
pub(super) struct Cell {
    turn: Turn,
    shared: Arc<Shared>,
    pub(super) account: Arc<Account>,
    usage: Arc<Usage>,
    pub(super) name: String,
    this: Weak<Cell>,
    inbox: Mutex<Inbox>,
    synced: Mutex<Vec<(u64, io::Result<()>)>>,
    commands: Mutex<Vec<Command>>,
    life: Mutex<Life>,
    /// It met a state that cannot be.
    is_broken: AtomicBool,
    subscriptions: Mutex<Vec<Listening>>,
    watches: Mutex<HashMap<String, Watch>>,
}

impl fmt::Debug for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cell").field("account", self.account.name()).field("name", &self.name).finish_non_exhaustive()
    }
}

/// A stream and what belongs to its thread.
pub(super) struct Life {
    /// `None` when it is gone.
    pub(super) stream: Option<Stream>,
    endings: HashMap<Ticket, Ending>,
    next_ticket: Ticket,
    taken: Inbox,
    body: Vec<u8>,
    /// When the stream wants to be called, as it was at the end of its last turn.
    due: Option<Time>,
    /// The earliest alarm that is set.
    alarm: Option<Time>,
    /// When what was written is synced, if that is not awaited.
    sync_at: Option<Time>,
    /// When it tidies up; `None` as long as nothing happens.
    maintain_at: Option<Time>,
    /// Bytes that it is known to use.
    counted: u64,
    /// Batches that it is known to have under way.
    batches: [usize; 2],
    /// What became of messages that are traced.
    traces: Vec<(Claim, Stored)>,
    /// That its store has failed has been said.
    is_failure_told: bool,
    /// When it was last said that there is no room for more.
    full_told: Option<Time>,
}

impl Life {
    /// Who is told when a change has come to its end.
    pub(super) fn ticket(
        &mut self,
        ending: impl FnOnce(Result<Changed, ApiError>, &mut Self, &mut dyn Out) + Send + 'static,
    ) -> Ticket {
        self.next_ticket += 1;
        self.endings.insert(self.next_ticket, Box::new(ending));
        self.next_ticket
    }

    /// A change that was not even proposed.
    pub(super) fn refuse(&mut self, ticket: Ticket, error: ApiError, out: &mut dyn Out) {
        self.end(ticket, Err(error), out);
    }

    fn end(&mut self, ticket: Ticket, result: Result<Changed, ApiError>, out: &mut dyn Out) {
        if let Some(ending) = self.endings.remove(&ticket) {
            ending(result, self, out);
        }
    }
}

impl Cell {
    /// A stream of `account`; [`Self::fill`] it before it is woken.
    pub(super) fn new(shared: Arc<Shared>, account: Arc<Account>, usage: Arc<Usage>, name: &str) -> Arc<Self> {
        Arc::new_cyclic(|this| Self {
            turn: Turn::default(),
            shared,
            account,
            usage,
            name: name.to_owned(),
            this: this.clone(),
            inbox: Mutex::default(),
            synced: Mutex::default(),
            commands: Mutex::default(),
            life: Mutex::new(Life {
                stream: None,
                endings: HashMap::new(),
                next_ticket: 0,
                taken: Inbox::default(),
                body: Vec::new(),
                due: None,
                alarm: None,
                sync_at: None,
                maintain_at: Some(Time::ORIGIN),
                counted: 0,
                batches: [0, 0],
                traces: Vec::new(),
                is_failure_told: false,
                full_told: None,
            }),
            is_broken: AtomicBool::new(false),
            subscriptions: Mutex::default(),
            watches: Mutex::default(),
        })
    }

    /// Gives it its stream.
    pub(super) fn fill(&self, make: impl FnOnce(&mut Life) -> Stream) {
        let mut life = self.life.lock();
        let stream = make(&mut life);
        life.stream = Some(stream);
    }

    /// Has something done with the stream, after everything asked before.
    pub(super) fn command(&self, command: impl FnOnce(&mut Life, Now, &mut dyn Out) + Send + 'static) {
        self.commands.lock().push(Box::new(command));
        self.wake();
    }

    /// The same, once everything stands that came before.
    pub(super) fn when_settled(&self, command: impl FnOnce(&mut Life, Now, &mut dyn Out) + Send + 'static) {
        self.command(move |life, _, out| {
            let ticket = life.ticket(move |_, life, out| command(life, now(clock::now()), out));
            if !life.stream.as_mut().is_some_and(|stream| stream.when_settled(ticket)) {
                life.end(ticket, Ok(Changed::Settled), out);
            }
        });
    }

    /// Looks at the stream.
    pub(super) fn look<T>(&self, f: impl FnOnce(&Stream) -> T) -> Option<T> {
        self.life.lock().stream.as_ref().map(f)
    }

    /// Whether it met a state that cannot be.
    pub(super) fn is_broken(&self) -> bool {
        self.is_broken.load(Relaxed)
    }

    pub(super) fn wake(&self) {
        if let Some(this) = self.this.upgrade() {
            self.shared.workers.wake(this);
        }
    }

    /// Listens on `pattern` for what is `what` to the stream.
    pub(super) fn listen(&self, pattern: &[u8], what: What, scope: Scope) {
        let (this, room) = (self.this.clone(), self.shared.room);
        let handler = Box::new(move |message: &InternalMessage<'_>, errands: &mut Errands| {
            if let Some(cell) = this.upgrade() {
                cell.inbox.lock().push(what, message, room);
                if cell.turn.ask() {
                    errands.leave(cell);
                }
            }
        });
        let sid = format!("{}", self.shared.next_sid()).into();
        let listening = self.account.listen(InternalSubscription {
            subject: pattern.into(),
            sid,
            scope,
            follows_traces: what == What::Message,
            handler,
        });
        self.subscriptions.lock().push(listening);
    }

    /// A direct get of the stream that it mirrors; where that is here it answers by itself.
    // spec: JS-082
    fn answer_for_origin(&self, stream: &mut Stream, asked: &Incoming<'_>, out: &mut dyn Out) {
        let Some(mirror) = stream.config().mirror.as_ref().map(|mirror| mirror.name.clone()) else { return };
        if !self.shared.answers_directly(self.account.name(), &mirror) {
            super::direct::answer(stream, &mirror, asked, out);
        }
    }

    /// Listens no longer on `pattern`.
    pub(super) fn ignore(&self, pattern: &[u8]) {
        let mut subscriptions = self.subscriptions.lock();
        if let Some(place) = subscriptions.iter().position(|listening| listening.subject() == pattern) {
            self.account.ignore(subscriptions.swap_remove(place));
        }
    }

    /// The account may import other streams than before.
    pub(super) fn renew_imports(&self) {
        for listening in &mut *self.subscriptions.lock() {
            self.account.renew_imports(listening);
        }
    }

    /// Has a consumer told when somebody begins or ceases to listen where it delivers.
    pub(super) fn watch(&self, consumer: &str, subject: &str) {
        let (this, name) = (self.this.clone(), consumer.to_owned());
        let told = Arc::new(move || {
            if let Some(cell) = this.upgrade() {
                let name = name.clone();
                cell.command(move |life, now, out| {
                    if let Some(stream) = &mut life.stream {
                        stream.interest(&name, now, out);
                    }
                });
            }
        });
        let watch = self.account.watch(subject.as_bytes(), told);
        let before = self.watches.lock().insert(consumer.to_owned(), watch);
        if let Some(before) = before {
            self.account.unwatch(&before);
        }
    }

    /// Watches for a consumer no longer.
    pub(super) fn forget(&self, consumer: &str) {
        if let Some(watch) = self.watches.lock().remove(consumer) {
            self.account.unwatch(&watch);
        }
    }

    /// Listens as what has changed of consumers wants it.
    fn follow(&self, stream: Option<&Stream>, done: &Done) {
        match &done.result {
            Ok(Changed::ConsumerCreated(name)) => {
                if let Some(consumer) = stream.and_then(|stream| stream.consumer(name)) {
                    consumers::open(self, name, consumer.config());
                }
            }
            Ok(Changed::ConsumerUpdated(config)) => {
                consumers::close(self, &config.name);
                consumers::open(self, &config.name, config);
            }
            Ok(Changed::ConsumerDeleted(name)) => consumers::close(self, name),
            _ => {}
        }
    }

    /// Listens to nothing any more.
    pub(super) fn ignore_all(&self) {
        for listening in self.subscriptions.lock().drain(..) {
            self.account.ignore(listening);
        }
        for (_, watch) in self.watches.lock().drain() {
            self.account.unwatch(&watch);
        }
    }

    /// Tells whoever waits for messages that the server stops.
    pub(super) fn announce_shutdown(&self, batch: &mut Batch) {
        let mut life = self.life.lock();
        let now = now(batch.now);
        let mut body = std::mem::take(&mut life.body);
        if let Some(stream) = &mut life.stream {
            let mut out = InAccount { account: &self.account, batch, body: &mut body };
            stream.close_consumers(Closing::Shutdown, now, &mut out);
        }
        life.body = body;
    }

    /// Leaves everything so that the next start is quick; the stream is gone afterwards.
    pub(super) fn close(&self) {
        self.ignore_all();
        let mut life = self.life.lock();
        // What the disk said last counts: whoever still waits for it is answered.
        let (mut batch, mut body) = (Batch::new(clock::now().as_nanos()), Vec::new());
        batch.now = clock::now();
        let now = now(batch.now);
        self.take_synced(&mut life, now, &mut InAccount { account: &self.account, batch: &mut batch, body: &mut body });
        batch.finish();
        if let Some(mut stream) = life.stream.take() {
            self.release(&mut life, &stream);
            let Err(error) = stream.close() else { return };
            log::error!("Stream '{} > {}' could not be closed: {error}", self.account.name(), self.name);
        }
    }

    /// Ends it without a trace; its store is to be removed.
    pub(super) fn abandon(&self) {
        self.ignore_all();
        let mut life = self.life.lock();
        if let Some(stream) = life.stream.take() {
            self.release(&mut life, &stream);
        }
    }

    /// A stream that is gone uses nothing.
    pub(super) fn release(&self, life: &mut Life, stream: &Stream) {
        for usage in [&*self.usage, &self.shared.usage] {
            usage.change(stream.config().storage, life.counted, 0);
        }
        life.counted = 0;
        // Nobody will be told any more: requests are not in hand because of that.
        life.endings.clear();
        self.shared.open.change(std::mem::take(&mut life.batches), [0, 0]);
    }

    /// What the account and the server have left for it.
    fn make_room(&self, life: &mut Life) {
        let Some(stream) = &mut life.stream else { return };
        let storage = stream.config().storage;
        let [atomic, fast] = self.shared.open.left(life.batches);
        let (account, server) = (self.usage.left(storage), self.shared.usage.left(storage));
        stream.set_room(Room { account, server, atomic, fast });
    }

    /// What it uses now.
    fn count(&self, life: &mut Life) {
        let Some(stream) = &life.stream else { return };
        let (storage, bytes) = (stream.config().storage, stream.state().bytes);
        for usage in [&*self.usage, &self.shared.usage] {
            usage.change(storage, life.counted, bytes);
        }
        life.counted = bytes;
        let open = stream.batches();
        self.shared.open.change(std::mem::replace(&mut life.batches, open), open);
    }

    /// Says why something was not written: once, if that is how it will be, and else now and then.
    fn tell_refusal(&self, life: &mut Life, now: Now) {
        let Some(why) = life.stream.as_mut().and_then(Stream::take_refusal) else { return };
        let is_known = match why {
            StoreError::Failed { .. } => std::mem::replace(&mut life.is_failure_told, true),
            StoreError::Full { .. } => life.full_told.is_some_and(|told| now.time < told + FULL_EVERY),
        };
        if !is_known {
            log::error!("Stream '{} > {}' could not be written: {why}", self.account.name(), self.name);
            life.full_told = Some(now.time);
        }
    }

    /// Says what was found to be damaged.
    fn tell_damage(&self, life: &mut Life, now: Now, out: &mut dyn Out) {
        let Some(stream) = &mut life.stream else { return };
        for damage in stream.take_damage(now, out) {
            log::error!("Stream '{} > {}' is damaged: {damage}", self.account.name(), self.name);
        }
    }

    /// Whether there is so little to do that whoever brought it may do it.
    fn is_light(&self, now: Time) -> bool {
        self.inbox.lock().is_small()
            && self.shared.slow_until.load(Relaxed) <= now.as_nanos()
            && self.commands.lock().is_empty()
            && self.life.try_lock().is_some_and(|life| life.alarm.is_none_or(|alarm| alarm > now))
    }

    fn take_synced(&self, life: &mut Life, now: Now, out: &mut dyn Out) {
        let Some(stream) = &mut life.stream else { return };
        for (through, result) in self.synced.lock().drain(..) {
            stream.synced(through, result, now, out);
        }
    }

    fn take_inbox(&self, life: &mut Life, now: Now, out: &mut dyn Out) {
        std::mem::swap(&mut *self.inbox.lock(), &mut life.taken);
        let Some(stream) = &mut life.stream else {
            let gone = || Fate { error: ApiError::stream_not_found().description.into(), ..Fate::default() };
            let traces = life.taken.iter().filter_map(|(_, of)| of.trace);
            life.traces.extend(traces.map(|trace| (trace.clone(), stored(&self.name, gone(), now))));
            return life.taken.clear();
        };
        for (what, of) in life.taken.iter() {
            let incoming = Incoming { subject: of.subject, reply: of.reply, headers: of.headers, payload: of.payload };
            match what {
                What::Message => match of.trace {
                    None => stream.publish(now, &incoming, out),
                    Some(trace) => {
                        let fate = stream.publish_traced(now, &incoming, Traced::new(trace.only()), out);
                        life.traces.push((trace.clone(), stored(&self.name, fate, now)));
                    }
                },
                What::Ack => stream.ack(of.subject, of.reply, of.payload, now, out),
                What::Pull => {
                    if let Some(consumer) = listen::consumer_of_pull(&self.name, of.subject) {
                        stream.pull(consumer, of.reply, of.headers, of.payload, now, out);
                    }
                }
                What::FlowControl => {
                    if let Some(consumer) = listen::consumer_of_flow(&self.name, of.subject) {
                        stream.flow_control(consumer, of.subject, of.headers, now, out);
                    }
                }
                What::DeadLetter => stream.letter_answered(of.subject, of.headers, of.payload, now, out),
                What::DirectGet => super::direct::answer(stream, &self.name, &incoming, out),
                What::MirroredGet => self.answer_for_origin(stream, &incoming, out),
                What::Origin(key) => stream.from_origin(key, &incoming, now, out),
                What::Refused => stream.refuse_for_want_of_room(of.reply, out),
            }
        }
        life.taken.clear();
    }

    fn sync(&self, life: &mut Life, now: Now) {
        let Some(stream) = &mut life.stream else { return };
        let is_due = match self.shared.durability_of(stream.config()) {
            Durability::Always => true,
            Durability::OnCommitOfWrite => {
                let every = self.shared.sync_every;
                let has_more = stream.store().appended() > stream.store().durable();
                match life.sync_at {
                    Some(at) if at <= now.time => {
                        life.sync_at = None;
                        true
                    }
                    Some(_) => false,
                    None => {
                        life.sync_at = has_more.then(|| now.time + every);
                        false
                    }
                }
            }
        };
        if !is_due {
            return;
        }
        if let Some(job) = stream.sync_job() {
            let this = self.this.clone();
            self.shared.syncer.submit(job, move |through, result, batch| {
                if let Some(cell) = this.upgrade() {
                    cell.synced.lock().push((through, result));
                    if cell.turn.ask() {
                        batch.now = clock::now();
                        cell.shared.clone().workers.run_here(cell, batch);
                        batch.finish_turn(None);
                    }
                }
            });
        }
    }

    fn set_alarm(&self, life: &mut Life) {
        if life.stream.is_none() {
            return;
        }
        let next = [life.due, life.sync_at, life.maintain_at].into_iter().flatten().min();
        if let Some(next) = next
            && life.alarm.is_none_or(|set| next < set)
            && let Some(this) = self.this.upgrade()
        {
            life.alarm = Some(next);
            let this: Arc<dyn Actor> = this;
            self.shared.alarms.set(next, &this);
        }
    }

    fn maintain(&self, life: &mut Life, now: Now, out: &mut dyn Out) -> bool {
        if life.alarm.is_some_and(|alarm| alarm <= now.time) {
            life.alarm = None;
        }
        let Some(stream) = &mut life.stream else { return false };
        if life.due.is_some_and(|due| due <= now.time) {
            stream.tick(now, out);
        }
        if life.maintain_at.is_some_and(|at| at > now.time) && !stream.wants_maintenance() {
            return false;
        }
        let more = stream.maintain(now).unwrap_or_else(|error| {
            log::error!("Stream '{} > {}' could not be tidied up: {error}", self.account.name(), self.name);
            false
        });
        let due = stream.maintenance_due();
        let in_time = |due: WallTime| Duration::from_nanos(due.as_nanos().saturating_sub(now.wall.as_nanos()));
        let later = due.map(|due| now.time + in_time(due).max(self.shared.maintain_after()));
        life.maintain_at = if more { Some(now.time) } else { later };
        more
    }
}

impl Errand for Cell {
    /// A message or two are stored, and a key is looked up, in less time than it takes to wake a thread. More, and whatever may
    /// wait for a slow disk, is for threads that may wait.
    fn run(self: Arc<Self>, batch: &mut Batch) {
        if !self.is_light(batch.now) {
            return self.put_off();
        }
        let begun = Instant::now();
        self.shared.clone().workers.run_here(self.clone(), batch);
        if begun.elapsed() > TOO_LONG {
            self.shared.slow_until.store((batch.now + SLOW_FOR).as_nanos(), Relaxed);
        }
    }

    fn put_off(self: Arc<Self>) {
        self.shared.clone().workers.push(self);
    }
}

/// What became of a message in a stream, for its trace.
fn stored(stream: &str, fate: Fate, now: Now) -> Stored {
    let Fate { subject, is_unwanted, error } = fate;
    let subject = String::from_utf8_lossy(&subject).into_owned();
    Stored { at: now.wall, stream: stream.to_owned(), subject, is_unwanted, error }
}

impl Actor for Cell {
    fn turn(&self) -> &Turn {
        &self.turn
    }

    fn run(&self, batch: &mut Batch) -> bool {
        let mut life = self.life.lock();
        let now = now(batch.now);
        let mut body = std::mem::take(&mut life.body);
        let mut out = InAccount { account: &self.account, batch, body: &mut body };
        let soon = now.time + self.shared.maintain_after();
        life.maintain_at = Some(life.maintain_at.map_or(soon, |at| at.min(soon)));
        self.make_room(&mut life);
        self.take_synced(&mut life, now, &mut out);
        self.take_inbox(&mut life, now, &mut out);
        let commands = std::mem::take(&mut *self.commands.lock());
        for command in commands {
            // An answer does not overtake what was delivered before it.
            out.batch.finish();
            command(&mut life, now, &mut out);
        }
        let mut more = self.maintain(&mut life, now, &mut out);
        self.tell_damage(&mut life, now, &mut out);
        if let Some(stream) = &mut life.stream {
            stream.flush(now, &mut out);
            more |= stream.can_flush();
            origins::act(self, stream, now, &mut out);
        }
        self.tell_refusal(&mut life, now);
        self.count(&mut life);
        self.sync(&mut life, now);
        while let Some(done) = life.stream.as_mut().and_then(Stream::next_done) {
            self.follow(life.stream.as_ref(), &done);
            out.batch.finish();
            life.end(done.ticket, done.result, &mut out);
        }
        life.due = life.stream.as_ref().and_then(Stream::deadline);
        more |= life.due.is_some_and(|due| due <= now.time);
        self.set_alarm(&mut life);
        life.body = body;
        for (trace, stored) in life.traces.drain(..) {
            batch.tell_trace(&trace, stored);
        }
        more
    }

    fn broke(&self) {
        log::error!(
            "Stream '{} > {}' met a state that cannot be; it takes and gives no more messages until the server is \
             started again. What it has acknowledged is on disk.",
            self.account.name(),
            self.name
        );
        self.is_broken.store(true, Relaxed);
        self.abandon();
    }
}
