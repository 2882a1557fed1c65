//! Syncs of different streams side by side, and of many at once.
//!
//! A sync takes a fraction of a millisecond at best, whatever its size, and a disk does several at once: threads that do nothing
//! else wait for them. Where more come than these do side by side, a journal does all that wait in one. Who asks is told on
//! such a thread.
//!
//! Invariant: jobs of one owner are done in the order in which they came only if the owner has one out at a time.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use martlet_store::{File, Journal, SyncJob};
use parking_lot::{Condvar, Mutex, MutexGuard};

/// So many syncs that a journal could do are done without it at a time.
const SIDE_BY_SIDE: usize = 4;
/// A round of the journal should have as many jobs, or they are synced by themselves again.
const WORTH_A_ROUND: usize = 4;
/// So many owners are told by one thread before another may have its turn.
const TOLD_AT_ONCE: usize = 16;

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
    /// Those that are synced by themselves.
    jobs: VecDeque<Asked<T>>,
    /// Those that the journal may do.
    additions: VecDeque<Asked<T>>,
    /// Those that the journal has done.
    done: VecDeque<Asked<T>>,
    /// How many of the journal's are being synced by themselves.
    aside: usize,
    /// How many the last round had.
    last_round: usize,
    is_in_round: bool,
    /// One of the journal's files is full.
    is_full: bool,
    idle: usize,
    busy: usize,
    waits: Waits,
    is_closed: bool,
}

/// What a thread does next.
enum Task<T> {
    Sync { asked: Asked<T>, is_aside: bool },
    Round(VecDeque<Asked<T>>),
    Tell(VecDeque<Asked<T>>),
    Settle,
}

struct Shared<T> {
    queue: Mutex<Queue<T>>,
    wake: Condvar,
    own: fn() -> T,
    journal: Option<Arc<Journal>>,
    side_by_side: usize,
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
    /// Up to `most` threads; each is started when it is needed first, and owns what `own` makes. `journal` does what it can where
    /// many ask.
    pub fn new(most: usize, own: fn() -> T, journal: Option<Arc<Journal>>) -> Self {
        let (most, side_by_side) = (most.max(1), SIDE_BY_SIDE.min(most));
        let shared = Shared { queue: Mutex::default(), wake: Condvar::new(), own, journal, side_by_side };
        Self { shared: Arc::new(shared), threads: Mutex::default(), most }
    }

    /// Has a job done. `done` runs on the thread that did it, or another of them; it should not take long.
    ///
    /// After [`Self::close`] it runs at once, with an error.
    pub fn submit(&self, job: SyncJob, done: impl FnOnce(u64, io::Result<()>, &mut T) + Send + 'static) {
        let is_addition = self.shared.journal.is_some() && job.journaled().is_some();
        let mut queue = self.shared.queue.lock();
        if queue.is_closed {
            drop(queue);
            return done(job.through, Err(io::Error::other("the server stops")), &mut (self.shared.own)());
        }
        let must_wait = queue.busy + queue.jobs.len() + queue.additions.len() >= self.most;
        let since = must_wait.then(Instant::now);
        queue.waits.waiting += u64::from(must_wait);
        let asked = Asked { job, done: Box::new(done), since };
        if is_addition {
            queue.additions.push_back(asked);
        } else {
            queue.jobs.push_back(asked);
        }
        let tasks = queue.tasks(self.shared.side_by_side);
        let is_short = queue.idle < tasks;
        drop(queue);
        if is_short {
            self.start_another();
        }
        if tasks > 0 {
            self.shared.wake.notify_one();
        }
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

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self {
            jobs: VecDeque::new(),
            additions: VecDeque::new(),
            done: VecDeque::new(),
            aside: 0,
            last_round: 0,
            is_in_round: false,
            is_full: false,
            idle: 0,
            busy: 0,
            waits: Waits::default(),
            is_closed: false,
        }
    }
}

impl<T> Queue<T> {
    /// Whether those that the journal may do should wait for it.
    fn is_crowded(&self, side_by_side: usize) -> bool {
        self.aside >= side_by_side || self.additions.len() >= WORTH_A_ROUND || self.last_round >= WORTH_A_ROUND
    }

    /// How many threads could do something now.
    fn tasks(&self, side_by_side: usize) -> usize {
        let additions = match self.additions.len() {
            waiting if !self.is_crowded(side_by_side) => waiting,
            waiting => usize::from(waiting > 0 && !self.is_in_round),
        };
        self.jobs.len() + self.done.len().div_ceil(TOLD_AT_ONCE) + usize::from(self.is_full) + additions
    }

    fn next(&mut self, side_by_side: usize) -> Option<Task<T>> {
        let is_crowded = self.is_crowded(side_by_side);
        // The disk is kept busy while owners are told.
        if is_crowded && !self.is_in_round && self.additions.len() >= WORTH_A_ROUND {
            return Some(self.round());
        }
        if !self.done.is_empty() {
            let most = self.done.len().min(TOLD_AT_ONCE);
            return Some(Task::Tell(self.done.drain(..most).collect()));
        }
        if let Some(asked) = self.jobs.pop_front() {
            return Some(Task::Sync { asked: self.begin(asked), is_aside: false });
        }
        if std::mem::take(&mut self.is_full) {
            return Some(Task::Settle);
        }
        if self.additions.is_empty() || (is_crowded && self.is_in_round) {
            return None;
        }
        if is_crowded && self.additions.len() > 1 {
            return Some(self.round());
        }
        self.last_round = 0;
        self.aside += 1;
        let asked = self.additions.pop_front()?;
        Some(Task::Sync { asked: self.begin(asked), is_aside: true })
    }

    fn round(&mut self) -> Task<T> {
        self.is_in_round = true;
        self.last_round = self.additions.len();
        let asked = std::mem::take(&mut self.additions);
        Task::Round(asked.into_iter().map(|asked| self.begin(asked)).collect())
    }

    /// It waits no more.
    fn begin(&mut self, mut asked: Asked<T>) -> Asked<T> {
        if let Some(since) = asked.since.take() {
            self.waits.end(since.elapsed());
        }
        asked
    }
}

fn work<T>(shared: &Shared<T>) {
    let mut own = (shared.own)();
    let mut queue = shared.queue.lock();
    loop {
        if let Some(task) = queue.next(shared.side_by_side) {
            queue.busy += 1;
            queue = do_task(shared, queue, task, &mut own);
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

/// Does something without the lock, and notes what came of it.
fn do_task<'q, T>(
    shared: &'q Shared<T>,
    queue: MutexGuard<'q, Queue<T>>,
    task: Task<T>,
    own: &mut T,
) -> MutexGuard<'q, Queue<T>> {
    drop(queue);
    match task {
        Task::Sync { asked, is_aside } => {
            let result = asked.job.run();
            (asked.done)(asked.job.through, result, own);
            let mut queue = shared.queue.lock();
            queue.aside -= usize::from(is_aside);
            queue
        }
        Task::Tell(told) => {
            for Asked { job, done, .. } in told {
                done(job.through, Ok(()), own);
            }
            shared.queue.lock()
        }
        Task::Settle => {
            if let Some(Err(error)) = shared.journal.as_ref().map(|journal| journal.settle()) {
                log::error!("what streams have in the journal cannot be synced to their files: {error}");
            }
            shared.queue.lock()
        }
        Task::Round(asked) => commit(shared, asked),
    }
}

/// Has the journal do what waits for it.
fn commit<T>(shared: &Shared<T>, asked: VecDeque<Asked<T>>) -> MutexGuard<'_, Queue<T>> {
    let files: Vec<&dyn File> = asked.iter().filter_map(|asked| asked.job.journaled()).collect();
    let round = shared.journal.as_ref().map(|journal| journal.commit(&files)).transpose();
    let round = round.unwrap_or_else(|error| {
        log::error!("the journal cannot be written: {error}; every stream is synced by itself from now on");
        None
    });
    let round = round.unwrap_or_default();
    let mut queue = shared.queue.lock();
    queue.is_in_round = false;
    queue.is_full |= round.is_full;
    for (place, asked) in asked.into_iter().enumerate() {
        match round.durable.get(place) {
            Some(true) => queue.done.push_back(asked),
            _ => queue.jobs.push_back(asked),
        }
    }
    for _ in 1..queue.tasks(shared.side_by_side) {
        shared.wake.notify_one();
    }
    queue
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use martlet_store::journal::replay;
    use martlet_store::{Disk, JournaledDisk};

    use super::*;
    use crate::Directory;

    #[test]
    fn jobs_that_find_every_thread_busy_wait_and_are_counted() {
        // spec: JS-128
        let syncer = Syncer::new(1, || (), None);
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
    fn those_that_wait_are_done_in_one() {
        let root = tempfile::tempdir().expect("a directory");
        let disk = Arc::new(Directory::create(root.path()).expect("made"));
        let journal = Arc::new(Journal::new(disk.clone()));
        let log = |number: usize| {
            let below = format!("S{number}");
            let disk = Arc::new(Directory::create(&root.path().join(&below)).expect("made"));
            let disk = JournaledDisk::new(disk, journal.clone(), below);
            let file = disk.create("000000000001.log").expect("new");
            file.write_at(&[b"added"], 0).expect("written");
            SyncJob { through: 1, files: vec![file], names: None }
        };
        let syncer = Syncer::new(1, || (), Some(journal.clone()));
        let (begun, begins) = mpsc::channel();
        let (go, goes) = mpsc::channel::<()>();
        syncer.submit(log(0), move |_, _, ()| {
            begun.send(()).expect("somebody waits");
            goes.recv().expect("somebody says so");
        });
        begins.recv().expect("it has begun");
        let (told, heard) = mpsc::channel();
        for number in 1..=40 {
            let told = told.clone();
            syncer.submit(log(number), move |_, result, ()| told.send(result).expect("somebody listens"));
        }
        go.send(()).expect("it waits");
        syncer.close();
        drop(told);
        let results: Vec<_> = heard.iter().map(|result| result.expect("synced")).collect();
        assert_eq!(results.len(), 40);
        // The power goes: only what was synced is sure to be there, which is the journal.
        for number in 1..=40 {
            std::fs::write(root.path().join(format!("S{number}/000000000001.log")), []).expect("written");
        }
        let open = |path: &str| disk.open(path).map(Some);
        let replayed = replay(&*disk, &open).expect("read");
        assert_eq!((replayed.rounds, replayed.writes), (1, 40));
        for number in 1..=40 {
            let bytes = std::fs::read(root.path().join(format!("S{number}/000000000001.log"))).expect("there");
            assert_eq!(bytes, b"added");
        }
        assert!(!root.path().join("journal.0").exists());
    }

    #[test]
    fn every_job_is_done_and_told_of() {
        let syncer = Syncer::new(4, || 0, None);
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
