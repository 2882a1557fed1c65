//! Threads on which streams live.
//!
//! A stream is an [`Actor`]: it runs on one thread at a time, whenever something is there for it, and says so by
//! [`Workers::wake`]. Waking one that waits to run already costs an atomic swap, so that whatever comes meanwhile is
//! taken in one go.
//!
//! Invariant: an actor that was woken after it began to run runs again.

use std::collections::VecDeque;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::thread::{self, JoinHandle};

use martlet_broker::batch::Batch;
use martlet_events::Time;
use martlet_net::clock;
use parking_lot::{Condvar, Mutex};

/// What runs on these threads.
pub(super) trait Actor: Send + Sync {
    /// Whether it waits to run.
    fn turn(&self) -> &Turn;
    /// Does what there is to do, but not too much at a time; whether there is more.
    fn run(&self, batch: &mut Batch) -> bool;
    /// Something in it panicked: it cannot be trusted any more.
    fn broke(&self);
}

/// Whether an actor waits to run.
#[derive(Debug, Default)]
pub(super) struct Turn(AtomicU8);

const IDLE: u8 = 0;
const WAITING: u8 = 1;
const RUNNING: u8 = 2;
/// It runs, and has been woken again.
const AGAIN: u8 = 3;

impl Turn {
    /// Asks for a run; whether whoever asked has to see to it.
    pub(super) fn ask(&self) -> bool {
        let mut state = self.0.load(Ordering::Acquire);
        loop {
            let next = match state {
                IDLE => WAITING,
                RUNNING => AGAIN,
                // Whatever was done before this is seen by the run that is still to come.
                other => other,
            };
            match self.0.compare_exchange_weak(state, next, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return state == IDLE,
                Err(seen) => state = seen,
            }
        }
    }

    fn begin(&self) {
        self.0.store(RUNNING, Ordering::Release);
    }

    /// Whether it waits again.
    fn end(&self, more: bool) -> bool {
        if more {
            self.0.store(WAITING, Ordering::Release);
            return true;
        }
        let is_done = self.0.compare_exchange(RUNNING, IDLE, Ordering::AcqRel, Ordering::Acquire).is_ok();
        if !is_done {
            self.0.store(WAITING, Ordering::Release);
        }
        !is_done
    }
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Arc<dyn Actor>>,
    idle: usize,
    is_closed: bool,
}

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    wake: Condvar,
}

/// The threads. See the module's text.
#[derive(Clone)]
pub(super) struct Workers(Arc<Shared>);

impl fmt::Debug for Workers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Workers")
    }
}

impl Workers {
    /// Starts `number` threads.
    pub(super) fn start(number: usize) -> std::io::Result<(Self, Vec<JoinHandle<()>>)> {
        let workers = Self(Arc::default());
        let mut threads = Vec::new();
        for i in 0..number.max(1) {
            let shared = workers.0.clone();
            threads.push(thread::Builder::new().name(format!("streams-{i}")).spawn(move || work(&shared, i as u64))?);
        }
        Ok((workers, threads))
    }

    /// Has an actor run, soon.
    pub(super) fn wake(&self, actor: Arc<dyn Actor>) {
        if actor.turn().ask() {
            self.push(actor);
        }
    }

    /// Runs an actor that waits, on this thread; if there is more, the rest is done by another.
    pub(super) fn run_here(&self, actor: Arc<dyn Actor>, batch: &mut Batch) {
        if run(&*actor, batch) {
            self.push(actor);
        }
    }

    /// Has an actor that waits run by one of the threads.
    pub(super) fn push(&self, actor: Arc<dyn Actor>) {
        let mut queue = self.0.queue.lock();
        queue.waiting.push_back(actor);
        let somebody_sleeps = queue.idle > 0;
        drop(queue);
        if somebody_sleeps {
            self.0.wake.notify_one();
        }
    }

    /// Runs what waits, and ends the threads.
    pub(super) fn close(&self) {
        self.0.queue.lock().is_closed = true;
        self.0.wake.notify_all();
    }
}

fn work(shared: &Arc<Shared>, number: u64) {
    let mut batch = Batch::new(clock::now().as_nanos() ^ number << 48);
    loop {
        let mut queue = shared.queue.lock();
        let actor = loop {
            if let Some(actor) = queue.waiting.pop_front() {
                break actor;
            }
            if queue.is_closed {
                return;
            }
            queue.idle += 1;
            shared.wake.wait(&mut queue);
            queue.idle -= 1;
        };
        drop(queue);
        batch.now = clock::now();
        Workers(shared.clone()).run_here(actor, &mut batch);
        batch.finish_turn(None);
    }
}

/// Runs an actor; whether it waits again.
fn run(actor: &dyn Actor, batch: &mut Batch) -> bool {
    actor.turn().begin();
    let more = catch_unwind(AssertUnwindSafe(|| {
        let more = actor.run(batch);
        // Before the next turn, which another thread may take, can say anything.
        batch.hand_over(None);
        more
    }));
    let more = more.unwrap_or_else(|_| {
        *batch = Batch::new(clock::now().as_nanos());
        batch.now = clock::now();
        actor.broke();
        false
    });
    actor.turn().end(more)
}

/// When actors want to run although nothing happens to them.
#[derive(Clone, Default)]
pub(super) struct Alarms(Arc<AlarmsShared>);

#[derive(Default)]
struct AlarmsShared {
    set: Mutex<AlarmsSet>,
    wake: Condvar,
}

#[derive(Default)]
struct AlarmsSet {
    at: std::collections::BTreeMap<(Time, u64), std::sync::Weak<dyn Actor>>,
    next: u64,
    is_closed: bool,
}

impl fmt::Debug for Alarms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Alarms")
    }
}

impl Alarms {
    /// Starts the thread that wakes actors of `workers`.
    pub(super) fn start(workers: Workers) -> std::io::Result<(Self, JoinHandle<()>)> {
        let alarms = Self::default();
        let shared = alarms.0.clone();
        let thread = thread::Builder::new().name("streams-clock".into()).spawn(move || keep_time(&shared, &workers))?;
        Ok((alarms, thread))
    }

    /// Wakes `actor` at `time`. It may be woken before: whoever set an earlier alarm is not asked.
    pub(super) fn set(&self, time: Time, actor: &Arc<dyn Actor>) {
        let mut set = self.0.set.lock();
        let is_first = set.at.first_key_value().is_none_or(|((first, _), _)| time < *first);
        let number = set.next;
        set.next += 1;
        set.at.insert((time, number), Arc::downgrade(actor));
        drop(set);
        if is_first {
            self.0.wake.notify_one();
        }
    }

    /// Ends the thread.
    pub(super) fn close(&self) {
        self.0.set.lock().is_closed = true;
        self.0.wake.notify_all();
    }
}

fn keep_time(shared: &AlarmsShared, workers: &Workers) {
    let mut set = shared.set.lock();
    while !set.is_closed {
        let now = clock::now();
        match set.at.first_key_value().map(|((time, _), _)| *time) {
            None => shared.wake.wait(&mut set),
            Some(time) if time <= now => {
                if let Some(actor) = set.at.pop_first().and_then(|(_, actor)| actor.upgrade()) {
                    workers.wake(actor);
                }
            }
            Some(time) => drop(shared.wake.wait_until(&mut set, clock::instant(time))),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;
    use std::time::Duration;

    use super::*;

    #[derive(Default)]
    struct Counter {
        turn: Turn,
        asked: AtomicUsize,
        seen: AtomicUsize,
        busy: AtomicUsize,
    }

    impl Actor for Counter {
        fn turn(&self) -> &Turn {
            &self.turn
        }

        fn run(&self, _: &mut Batch) -> bool {
            assert_eq!(self.busy.fetch_add(1, Ordering::SeqCst), 0, "one thread at a time");
            self.seen.store(self.asked.load(Ordering::SeqCst), Ordering::SeqCst);
            self.busy.fetch_sub(1, Ordering::SeqCst);
            false
        }

        fn broke(&self) {}
    }

    #[test]
    fn whoever_is_woken_runs_afterwards_and_never_twice_at_once() {
        let (workers, threads) = Workers::start(4).expect("threads");
        let counter = Arc::new(Counter::default());
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..10_000 {
                        counter.asked.fetch_add(1, Ordering::SeqCst);
                        workers.wake(counter.clone());
                    }
                });
            }
        });
        workers.close();
        for thread in threads {
            thread.join().expect("no panic");
        }
        assert_eq!(counter.seen.load(Ordering::SeqCst), 40_000);
    }

    #[test]
    fn alarms_wake() {
        let (workers, threads) = Workers::start(1).expect("threads");
        let (alarms, thread) = Alarms::start(workers.clone()).expect("a thread");
        let counter = Arc::new(Counter::default());
        counter.asked.store(1, Ordering::SeqCst);
        let actor: Arc<dyn Actor> = counter.clone();
        alarms.set(clock::now() + Duration::from_mins(1), &actor);
        alarms.set(clock::now() + Duration::from_millis(1), &actor);
        while counter.seen.load(Ordering::SeqCst) == 0 {
            thread::yield_now();
        }
        alarms.close();
        workers.close();
        thread.join().expect("no panic");
        for thread in threads {
            thread.join().expect("no panic");
        }
    }
}
