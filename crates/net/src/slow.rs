//! Consumers that do not take what is sent to them: which are given up, what is counted and what the log says.
//!
//! Told the time and what the socket has left, it decides; it owns no timer and no bytes.

use std::sync::atomic::Ordering::Relaxed;

use martlet_broker::driver::WriteRules;
use martlet_broker::outbox::Unfinished;
use martlet_broker::peer::Kind;
use martlet_broker::{Broker, Peer};
use martlet_config::duration;
use martlet_config::options::WriteTimeout;
use martlet_events::Time;
use martlet_proto::ClosedReason;

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

/// What follows from `unfinished` at `now` for a connection of `kind`.
// spec: CORE-090 CFG-059
pub(crate) fn judge(rules: WriteRules, kind: Kind, unfinished: Option<Unfinished>, now: Time) -> Verdict {
    let retries = kind.write_timeout(rules.timeout) == WriteTimeout::Retry;
    match unfinished {
        Some(late) if late.since + rules.deadline > now => Verdict::InTime,
        Some(late) if retries && late.written > 0 => Verdict::Retry,
        Some(_) => Verdict::Close,
        None => Verdict::InTime,
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
        (verdict, rules): (Verdict, WriteRules),
        broker: &Broker,
        peer: &Peer,
        (label, late): (&str, Unfinished),
    ) {
        let state = if self.found.is_some() { "State" } else { "Detected" };
        let deadline = duration::format(rules.deadline);
        log::info!(
            "{label} - Slow Consumer {state}: WriteDeadline of {deadline} exceeded with {} chunks of {} total bytes.",
            late.chunks,
            late.bytes
        );
        if verdict == Verdict::Retry {
            broker.counters.slow_consumers.count(peer.kind());
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
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_deadline_is_for_all_that_waited() {
        // spec: CORE-090 CFG-059
        let start = Time::from_nanos(5_000_000_000);
        let late = |written| Some(Unfinished { since: start, bytes: 10, chunks: 1, written });
        let (early, over) = (start + Duration::from_millis(999), start + Duration::from_secs(1));
        for (kind, timeout, unfinished, now, expected) in [
            (Kind::Client, WriteTimeout::Default, None, over, Verdict::InTime),
            (Kind::Client, WriteTimeout::Default, late(0), early, Verdict::InTime),
            (Kind::Client, WriteTimeout::Default, late(0), over, Verdict::Close),
            (Kind::Client, WriteTimeout::Default, late(9), over, Verdict::Close),
            (Kind::Client, WriteTimeout::Close, late(9), over, Verdict::Close),
            (Kind::Client, WriteTimeout::Retry, late(9), early, Verdict::InTime),
            (Kind::Client, WriteTimeout::Retry, late(9), over, Verdict::Retry),
            (Kind::Client, WriteTimeout::Retry, late(0), over, Verdict::Close),
            (Kind::Route, WriteTimeout::Default, late(9), over, Verdict::Retry),
            (Kind::Leaf, WriteTimeout::Default, late(0), over, Verdict::Close),
            (Kind::Gateway, WriteTimeout::Close, late(9), over, Verdict::Close),
        ] {
            let rules = WriteRules { deadline: Duration::from_secs(1), timeout };
            assert_eq!(judge(rules, kind, unfinished, now), expected, "{kind:?} {timeout:?} {unfinished:?} {now:?}");
        }
    }
}
