//! The event loops: threads that each run their connections on one current-thread runtime.
//!
//! A connection stays on its loop, whose buffers it borrows for a turn at a time; see `docs/decisions/0002`.

use std::cell::RefCell;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
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
}

thread_local! {
    static SCRATCH: RefCell<Option<Box<Scratch>>> = const { RefCell::new(None) };
}

/// Lends this thread's buffers for one turn.
pub(crate) fn with_scratch<R>(f: impl FnOnce(&mut Scratch) -> R) -> R {
    SCRATCH.with_borrow_mut(|slot| {
        let scratch = slot.get_or_insert_with(|| {
            Box::new(Scratch { batch: Batch::new(fastrand::u64(..)), plain: vec![0; READ_BUFFER], sealed: Vec::new() })
        });
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
    load: Arc<AtomicUsize>,
}

/// A connection's place on a loop; given back when dropped.
#[derive(Debug)]
pub(crate) struct Place(Arc<AtomicUsize>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
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
            let thread = std::thread::Builder::new().name(format!("martlet-loop-{n}")).spawn(move || {
                runtime.block_on(async move {
                    // The sender is gone or says stop: either ends the loop.
                    let _ = stopped.wait_for(|stop| *stop).await;
                });
                runtime.shutdown_background();
            })?;
            loops.push(Loop { handle, thread: Some(thread), load: Arc::default() });
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

    /// Connections per loop.
    pub fn loads(&self) -> Vec<usize> {
        self.loops.iter().map(|l| l.load.load(Ordering::Relaxed)).collect()
    }

    /// Runs `task` on the loop that has the fewest connections.
    pub(crate) fn spawn<F>(&self, task: impl FnOnce(Place) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let least = self.loops.iter().min_by_key(|l| l.load.load(Ordering::Relaxed)).expect("at least one loop");
        least.load.fetch_add(1, Ordering::Relaxed);
        least.handle.spawn(task(Place(least.load.clone())));
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
