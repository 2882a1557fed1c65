//! What the clients of one measurement share: the common start, the pace, and the count that the progress bar shows.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::Barrier;

use crate::client::number::float;

/// Starts clients together and counts what they do; clones share.
#[derive(Debug, Clone)]
pub(super) struct Load {
    start: Arc<Barrier>,
    done: Arc<AtomicU64>,
}

impl Load {
    /// For `clients` that start together.
    pub(super) fn new(clients: u32) -> Self {
        let clients = usize::try_from(clients).expect("a u32 fits");
        Self { start: Arc::new(Barrier::new(clients)), done: Arc::default() }
    }

    /// Waits until every client is ready, then answers the time.
    pub(super) async fn start(&self) -> Instant {
        self.start.wait().await;
        Instant::now()
    }

    /// One more message is done; answers how many that makes.
    pub(super) fn count(&self) -> u64 {
        self.done.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Messages done so far.
    pub(super) fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }
}

/// Spreads messages evenly over time, from its creation on.
#[derive(Debug)]
pub(super) struct Pace {
    started: Instant,
    interval: Option<Duration>,
    given: AtomicU64,
}

impl Pace {
    /// One client's share of `rate` messages per second for all `clients`; 0 is no limit.
    pub(super) fn new(rate: u64, clients: u32) -> Self {
        let interval = (rate > 0).then(|| Duration::from_secs_f64(f64::from(clients) / float(rate)));
        Self { started: Instant::now(), interval, given: AtomicU64::new(0) }
    }

    /// Waits until the next message is due.
    pub(super) async fn next(&self) {
        let Some(interval) = self.interval else { return };
        let number = self.given.fetch_add(1, Ordering::Relaxed);
        let due = self.started + interval.mul_f64(float(number));
        if due > Instant::now() {
            tokio::time::sleep_until(due.into()).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_pace_is_kept() {
        let pace = Pace::new(2_000, 2);
        let start = Instant::now();
        for _ in 0..51 {
            pace.next().await;
        }
        // 50 intervals of 1 ms for this client; how late a busy machine is says nothing.
        assert!(start.elapsed() >= Duration::from_millis(50));
    }

    #[tokio::test]
    async fn no_rate_is_no_wait() {
        let pace = Pace::new(0, 1);
        for _ in 0..1_000 {
            pace.next().await;
        }
        assert_eq!(pace.given.load(Ordering::Relaxed), 0);
    }
}
