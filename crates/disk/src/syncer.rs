//! Syncs of different streams side by side.
//!
//! A sync takes a fraction of a millisecond at best, whatever its size, and a disk does many at once: threads that do nothing
//! else wait for them. Who asks is told on such a thread.
//!
//! Invariant: jobs of one owner are done in the order in which they came only if the owner has one out at a time.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use martlet_store::SyncJob;
use parking_lot::{Condvar, Mutex};

/// Told when a job is done, with what its thread owns.
type Done<T> = Box<dyn FnOnce(u64, io::Result<()>, &mut T) + Send>;

struct Asked<T> {
    job: SyncJob,
    done: Done<T>,
    /// Since when it waits for a thread, if all were busy when it came.
    since: Option<Instant>,
}

/// How often and how long syncs have waited since all threads were busy with others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Waits {
    /// Those that wait now.
    pub waiting: u64,
    /// Those that had to wait.
    pub waits: u64,
    /// How long all of them.
    pub total: Duration,
    /// How long the longest.
    pub longest: Duration,
}

struct Queue<T> {
    jobs: VecDeque<Asked<T>>,
    idle: usize,
    busy: usize,
    waits: Waits,
    is_closed: bool,
}

struct Shared<T> {
    queue: Mutex<Queue<T>>,
    wake: Condvar,
    own: fn() -> T,
}

/// Threads that sync, each with a `T` of its own. See the module's text.
pub struct Syncer<T> {
    shared: Arc<Shared<T>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    most: usize,
}

impl<T> fmt::Debug for Syncer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Syncer").field("most", &self.most).finish_non_exhaustive()
    }
}

impl<T: 'static> Syncer<T> {
    /// Up to `most` threads; each is started when it is needed first, and owns what `own` makes.
    pub fn new(most: usize, own: fn() -> T) -> Self {
        let queue = Queue { jobs: VecDeque::new(), idle: 0, busy: 0, waits: Waits::default(), is_closed: false };
        let shared = Shared { queue: Mutex::new(queue), wake: Condvar::new(), own };
        Self { shared: Arc::new(shared), threads: Mutex::default(), most: most.max(1) }
    }

    /// Has a job done. `done` runs on the thread that did it; it should not take long.
    ///
    /// After [`Self::close`] it runs at once, with an error.
    pub fn submit(&self, job: SyncJob, done: impl FnOnce(u64, io::Result<()>, &mut T) + Send + 'static) {
        let mut queue = self.shared.queue.lock();
        if queue.is_closed {
            drop(queue);
            return done(job.through, Err(io::Error::other("the server stops")), &mut (self.shared.own)());
        }
        let must_wait = queue.busy + queue.jobs.len() >= self.most;
        let since = must_wait.then(Instant::now);
        queue.waits.waiting += u64::from(must_wait);
        queue.jobs.push_back(Asked { job, done: Box::new(done), since });
        let is_short = queue.idle < queue.jobs.len();
        drop(queue);
        if is_short {
            self.start_another();
        }
        self.shared.wake.notify_one();
    }

    /// How syncs have waited.
    pub fn waits(&self) -> Waits {
        self.shared.queue.lock().waits
    }

    fn start_another(&self) {
        let mut threads = self.threads.lock();
        if threads.len() >= self.most {
            return;
        }
        let shared = self.shared.clone();
        let name = format!("sync-{}", threads.len());
        match thread::Builder::new().name(name).spawn(move || work(&shared)) {
            Ok(thread) => threads.push(thread),
            // Those that there are do it, or, if there is none, the next one who asks tries again.
            Err(error) => complain_once(&error),
        }
    }

    /// Does what has been asked for, and ends.
    pub fn close(&self) {
        self.shared.queue.lock().is_closed = true;
        self.shared.wake.notify_all();
        for thread in self.threads.lock().drain(..) {
            // A thread that panicked has been told of by the panic itself.
            let _ = thread.join();
        }
    }
}

impl Waits {
    fn end(&mut self, waited: Duration) {
        self.waiting -= 1;
        self.waits += 1;
        self.total += waited;
        self.longest = self.longest.max(waited);
    }
}

fn complain_once(error: &io::Error) {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| log::error!("no thread to sync files with could be started: {error}"));
}

fn work<T>(shared: &Shared<T>) {
    let mut own = (shared.own)();
    let mut queue = shared.queue.lock();
    loop {
        if let Some(Asked { job, done, since }) = queue.jobs.pop_front() {
            queue.busy += 1;
            if let Some(since) = since {
                queue.waits.end(since.elapsed());
            }
            drop(queue);
            let result = job.run();
            done(job.through, result, &mut own);
            queue = shared.queue.lock();
            queue.busy -= 1;
        } else if queue.is_closed {
            return;
        } else {
            queue.idle += 1;
            shared.wake.wait(&mut queue);
            queue.idle -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn jobs_that_find_every_thread_busy_wait_and_are_counted() {
        // spec: JS-128
        let syncer = Syncer::new(1, || ());
        let job = || SyncJob { through: 0, files: Vec::new(), names: None };
        let (begun, begins) = mpsc::channel();
        let (go, goes) = mpsc::channel::<()>();
        syncer.submit(job(), move |_, _, ()| {
            begun.send(()).expect("somebody waits");
            goes.recv().expect("somebody says so");
        });
        begins.recv().expect("it has begun");
        syncer.submit(job(), |_, _, ()| {});
        syncer.submit(job(), |_, _, ()| {});
        let waits = syncer.waits();
        assert_eq!((waits.waiting, waits.waits, waits.total), (2, 0, Duration::ZERO));
        go.send(()).expect("it waits");
        syncer.close();
        let waits = syncer.waits();
        assert_eq!((waits.waiting, waits.waits), (0, 2));
        assert!(waits.longest > Duration::ZERO && waits.total >= waits.longest);
    }

    #[test]
    fn every_job_is_done_and_told_of() {
        let syncer = Syncer::new(4, || 0);
        let (told, heard) = mpsc::channel();
        for through in 0..100 {
            let told = told.clone();
            let job = SyncJob { through, files: Vec::new(), names: None };
            syncer.submit(job, move |through, result, done_here| {
                *done_here += 1;
                assert!(*done_here <= 100, "what a thread owns stays with it");
                result.expect("nothing to do");
                told.send(through).expect("somebody listens");
            });
        }
        syncer.close();
        drop(told);
        let mut all: Vec<u64> = heard.iter().collect();
        all.sort_unstable();
        assert_eq!(all, (0..100).collect::<Vec<_>>());
        let job = SyncJob { through: 7, files: Vec::new(), names: None };
        syncer.submit(job, |through, result, _| {
            assert_eq!(through, 7);
            result.expect_err("it is closed");
        });
    }
}
