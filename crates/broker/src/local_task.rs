//! Work that a message leaves behind on the thread that delivered it.
//!
//! A service that is asked takes a copy of the question and returns. What it does then may be so little that waking another
//! thread for it costs more than the work: such a service leaves a local task, and the thread runs it at the end of its turn,
//! when everything else of the turn is on its way.
//!
//! Invariant: whatever is left is run or put off, once.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use crate::batch::Batch;

/// Something to do at the end of a turn.
pub trait LocalTask: Send + Sync {
    /// Does it, if it is little, or [puts it off](Self::put_off). What it gathers in `batch` is [handed over](Batch::hand_over)
    /// before another thread can do the like: order depends on it.
    fn run(self: Arc<Self>, batch: &mut Batch);
    /// Has it done by another thread: this one may not be held up, or holds what the local task would wait for.
    fn put_off(self: Arc<Self>);
}

/// What has been left in a turn.
#[derive(Default)]
pub struct LocalTasks(VecDeque<Arc<dyn LocalTask>>);

impl LocalTasks {
    /// Leaves one. It is run as often as it is left.
    pub fn leave(&mut self, task: Arc<dyn LocalTask>) {
        self.0.push_back(task);
    }

    /// Takes the one left first.
    pub(crate) fn next(&mut self) -> Option<Arc<dyn LocalTask>> {
        self.0.pop_front()
    }

    /// Has all done by other threads.
    pub(crate) fn put_off(&mut self) {
        for task in self.0.drain(..) {
            task.put_off();
        }
    }
}

impl Drop for LocalTasks {
    fn drop(&mut self) {
        self.put_off();
    }
}

impl fmt::Debug for LocalTasks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LocalTasks").field(&self.0.len()).finish()
    }
}
