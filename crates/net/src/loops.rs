//! The event loops: threads that each run their connections on one current-thread runtime.
//!
//! A connection stays on its loop, whose buffers it borrows for a turn at a time; see `docs/decisions/0002`.

use std::cell::{Cell, RefCell};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread::JoinHandle;

use martlet_broker::Batch;
use tokio::runtime::{Builder, Handle};
use tokio::sync::watch;

use crate::clock;

/// Bytes read at once; one such buffer per loop.
pub(crate) const READ_BUFFER: usize = 128 * 1024;

/// What the connections of one loop use by turns.
#[derive(Debug)]
pub(crate) struct Scratch {
    pub(crate) batch: Batch,
    /// Plain bytes: what was left over, then what was read.
    pub(crate) plain: Vec<u8>,
    /// Encrypted bytes as read.
    pub(crate) sealed: Vec<u8>,
    /// The loop's.
    counts: Arc<Counts>,
}

impl Scratch {
    fn new(counts: Arc<Counts>) -> Box<Self> {
        let batch = Batch::new(fastrand::u64(..));
        Box::new(Self { batch, plain: vec![0; READ_BUFFER], sealed: Vec::new(), counts })
    }

    /// Counts something read.
    pub(crate) fn count_read(&self) {
        // Nobody else writes it.
        let reads = &self.counts.reads;
        reads.store(reads.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }
}

thread_local! {
    static SCRATCH: RefCell<Option<Box<Scratch>>> = const { RefCell::new(None) };
    static NUMBER: Cell<u16> = const { Cell::new(0) };
}

/// The number of the loop that this thread runs.
pub(crate) fn number() -> u16 {
    NUMBER.get()
}

/// Lends this thread's buffers for one turn.
pub(crate) fn with_scratch<R>(f: impl FnOnce(&mut Scratch) -> R) -> R {
    SCRATCH.with_borrow_mut(|slot| {
        let scratch = slot.get_or_insert_with(|| Scratch::new(Arc::default()));
        scratch.batch.now = clock::now();
        f(scratch)
    })
}

/// The running loops.
#[derive(Debug)]
pub struct Loops {
    loops: Vec<Loop>,
    stop: watch::Sender<bool>,
}

#[derive(Debug)]
struct Loop {
    handle: Handle,
    thread: Option<JoinHandle<()>>,
    counts: Arc<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    connections: AtomicUsize,
    reads: AtomicU64,
}

/// What one loop carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Load {
    /// Connections.
    pub connections: u64,
    /// Batches of bytes read from them, ever.
    pub read_batches: u64,
}

/// A connection's place on a loop; given back when dropped.
#[derive(Debug)]
pub(crate) struct Place(Arc<Counts>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Loops {
    /// Starts `count` loops.
    pub fn start(count: usize) -> io::Result<Self> {
        let (stop, stopped) = watch::channel(false);
        let mut loops = Vec::with_capacity(count);
        for n in 0..count.max(1) {
            let runtime = Builder::new_current_thread().enable_all().event_interval(31).build()?;
            let handle = runtime.handle().clone();
            let mut stopped = stopped.clone();
            let counts: Arc<Counts> = Arc::default();
            let own = counts.clone();
            let thread = std::thread::Builder::new().name(format!("martlet-loop-{n}")).spawn(move || {
                NUMBER.set(u16::try_from(n).unwrap_or(u16::MAX));
                SCRATCH.set(Some(Scratch::new(own)));
                runtime.block_on(async move {
                    // The sender is gone or says stop: either ends the loop.
                    let _ = stopped.wait_for(|stop| *stop).await;
                });
                runtime.shutdown_background();
            })?;
            loops.push(Loop { handle, thread: Some(thread), counts });
        }
        Ok(Self { loops, stop })
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.loops.len()
    }

    /// Whether there is none; there always is one.
    pub fn is_empty(&self) -> bool {
        self.loops.is_empty()
    }

    /// What each of them carries.
    pub fn loads(&self) -> Vec<Load> {
        let load = |l: &Loop| Load {
            connections: l.counts.connections.load(Ordering::Relaxed) as u64,
            read_batches: l.counts.reads.load(Ordering::Relaxed),
        };
        self.loops.iter().map(load).collect()
    }

    /// Runs `task` on the loop that has the fewest connections.
    pub(crate) fn spawn<F>(&self, task: impl FnOnce(Place) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let least = self.loops.iter().min_by_key(|l| l.counts.connections.load(Ordering::Relaxed));
        let least = least.expect("at least one loop");
        least.counts.connections.fetch_add(1, Ordering::Relaxed);
        least.handle.spawn(task(Place(least.counts.clone())));
    }
}

impl Drop for Loops {
    fn drop(&mut self) {
        let _ = self.stop.send(true);
        for l in &mut self.loops {
            if let Some(thread) = l.thread.take() {
                // A loop that panicked has said so already.
                let _ = thread.join();
            }
        }
    }
}
