//! Consumers that do not take what is sent to them: which are given up, what is counted and what the log says.
//!
//! Told the time and what the socket has left, it decides; it owns no timer and no bytes.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use martlet_broker::outbox::Unfinished;
use martlet_broker::{Broker, Peer};
use martlet_config::duration;
use martlet_config::options::WriteTimeout;
use martlet_events::Time;
use martlet_proto::ClosedReason;

/// The rules in force.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules {
    /// `write_deadline`.
    pub(crate) deadline: Duration,
    /// `write_timeout`.
    pub(crate) timeout: WriteTimeout,
}

/// What became of a deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It has not come, or nothing is late.
    InTime,
    /// It is over, but the client takes something: it gets as long again.
    Retry,
    /// The connection is to be closed.
    Close,
}

impl Rules {
    /// What follows from `unfinished` at `now`.
    // spec: CORE-090
    pub(crate) fn judge(self, unfinished: Option<Unfinished>, now: Time) -> Verdict {
        match unfinished {
            Some(late) if late.since + self.deadline <= now => {
                if self.timeout == WriteTimeout::Retry && late.written > 0 { Verdict::Retry } else { Verdict::Close }
            }
            _ => Verdict::InTime,
        }
    }
}

/// One connection's record as a slow consumer.
#[derive(Debug, Default)]
pub(crate) struct Slow {
    /// Found slow and not yet recovered.
    found: Option<Unfinished>,
}

impl Slow {
    /// A deadline is over; closing connections are counted where they end.
    pub(crate) fn on_late(
        &mut self,
        verdict: Verdict,
        broker: &Broker,
        peer: &Peer,
        (label, late): (&str, Unfinished),
    ) {
        let state = if self.found.is_some() { "State" } else { "Detected" };
        let deadline = duration::format(broker.settings().0.timing.write_deadline);
        log::info!(
            "{label} - Slow Consumer {state}: WriteDeadline of {deadline} exceeded with {} chunks of {} total bytes.",
            late.chunks,
            late.bytes
        );
        if verdict == Verdict::Retry {
            broker.counters.slow_consumers.fetch_add(1, Relaxed);
            if let Some(account) = peer.account() {
                account.totals.slow_consumers.fetch_add(1, Relaxed);
            }
            self.found = Some(late);
        }
    }

    /// Everything is written.
    pub(crate) fn on_written(&mut self, label: impl FnOnce() -> String, now: Time) {
        if let Some(late) = self.found.take() {
            log::info!(
                "{} - Slow Consumer Recovered: Flush took {:.3}s with {} chunks of {} total bytes.",
                label(),
                now.since(late.since).as_secs_f64(),
                late.chunks,
                late.bytes
            );
        }
    }
}

/// What the log says of a connection that ended for `reason`, if that is news.
// spec: CORE-089
pub(crate) fn on_end(reason: ClosedReason, peer: &Peer, label: impl FnOnce() -> String) {
    if reason == ClosedReason::SlowConsumerPendingBytes {
        log::info!("{} - Slow Consumer Detected: MaxPending of {} Exceeded", label(), peer.max_pending());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_is_for_all_that_waited() {
        // spec: CORE-090
        let start = Time::from_nanos(5_000_000_000);
        let late = |written| Some(Unfinished { since: start, bytes: 10, chunks: 1, written });
        let (early, over) = (start + Duration::from_millis(999), start + Duration::from_secs(1));
        for (timeout, unfinished, now, expected) in [
            (WriteTimeout::Default, None, over, Verdict::InTime),
            (WriteTimeout::Default, late(0), early, Verdict::InTime),
            (WriteTimeout::Default, late(0), over, Verdict::Close),
            (WriteTimeout::Default, late(9), over, Verdict::Close),
            (WriteTimeout::Close, late(9), over, Verdict::Close),
            (WriteTimeout::Retry, late(9), early, Verdict::InTime),
            (WriteTimeout::Retry, late(9), over, Verdict::Retry),
            (WriteTimeout::Retry, late(0), over, Verdict::Close),
        ] {
            let rules = Rules { deadline: Duration::from_secs(1), timeout };
            assert_eq!(rules.judge(unfinished, now), expected, "{timeout:?} {unfinished:?} {now:?}");
        }
    }
}
