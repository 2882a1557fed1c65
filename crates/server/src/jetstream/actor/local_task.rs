//! Turns that are lent to the thread that brings the work, as long as they are short.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use martlet_broker::batch::Batch;
use martlet_broker::local_task::LocalTask;
use martlet_events::Time;

use super::StreamActor;

/// A turn that takes longer than this holds up the connections of the thread that took it,
const TOO_LONG: Duration = Duration::from_millis(1);
/// so that all turns of this time are for other threads.
const SLOW_FOR: Duration = Duration::from_millis(100);

impl StreamActor {
    /// Whether there is so little to do that whoever brought it may do it.
    fn is_light(&self, now: Time) -> bool {
        self.inbox.lock().is_small()
            && self.shared.slow_until.load(Relaxed) <= now.as_nanos()
            && self.commands.lock().is_empty()
            && self.life.try_lock().is_some_and(|life| life.alarm.is_none_or(|alarm| alarm > now))
    }
}

impl LocalTask for StreamActor {
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
