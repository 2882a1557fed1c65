//! One turn of a stream: everything that waits, in the order in which it is taken.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use martlet_broker::batch::Batch;
use martlet_broker::trace::Stored;
use martlet_events::WallTime;
use martlet_jetstream::api::ApiError;
use martlet_jetstream::stream::{Durability, Fate, Incoming, Room, Stream, Traced};
use martlet_jetstream::{Now, Out};
use martlet_net::clock;
use martlet_store::StoreError;

use super::{Life, StreamActor};
use crate::jetstream::inbox::What;
use crate::jetstream::out::InAccount;
use crate::jetstream::workers::{Actor, Turn};
use crate::jetstream::{direct, listen, now, origins};

/// A disk that stays full is told of no oftener.
const FULL_EVERY: Duration = Duration::from_mins(1);

impl Actor for StreamActor {
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

impl StreamActor {
    /// What the account and the server have left for it.
    fn make_room(&self, life: &mut Life) {
        let Some(stream) = &mut life.stream else { return };
        let storage = stream.config().storage;
        let [atomic, fast] = self.shared.open.left(life.batches);
        let (account, server) = (self.usage.left(storage), self.shared.usage.left(storage));
        stream.set_room(Room { account, server, atomic, fast });
    }

    pub(super) fn take_synced(&self, life: &mut Life, now: Now, out: &mut dyn Out) {
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
                What::DirectGet => direct::answer(stream, &self.name, &incoming, out),
                What::MirroredGet => self.answer_for_origin(stream, &incoming, out),
                What::Origin(key) => stream.from_origin(key, &incoming, now, out),
                What::Refused => stream.refuse_for_want_of_room(of.reply, out),
            }
        }
        life.taken.clear();
    }

    /// A direct get of the stream that it mirrors; where that is here it answers by itself.
    // spec: JS-082
    fn answer_for_origin(&self, stream: &mut Stream, asked: &Incoming<'_>, out: &mut dyn Out) {
        let Some(mirror) = stream.config().mirror.as_ref().map(|mirror| mirror.name.clone()) else { return };
        if !self.shared.answers_directly(self.account.name(), &mirror) {
            direct::answer(stream, &mirror, asked, out);
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

    /// Says what was found to be damaged.
    fn tell_damage(&self, life: &mut Life, now: Now, out: &mut dyn Out) {
        let Some(stream) = &mut life.stream else { return };
        for damage in stream.take_damage(now, out) {
            log::error!("Stream '{} > {}' is damaged: {damage}", self.account.name(), self.name);
        }
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
                if let Some(actor) = this.upgrade() {
                    actor.synced.lock().push((through, result));
                    if actor.turn.ask() {
                        batch.now = clock::now();
                        actor.shared.clone().workers.run_here(actor, batch);
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
}

/// What became of a message in a stream, for its trace.
fn stored(stream: &str, fate: Fate, now: Now) -> Stored {
    let Fate { subject, is_unwanted, error } = fate;
    let subject = String::from_utf8_lossy(&subject).into_owned();
    Stored { at: now.wall, stream: stream.to_owned(), subject, is_unwanted, error }
}
