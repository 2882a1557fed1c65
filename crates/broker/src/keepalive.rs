//! When to ping the other side, and when to give it up as stale.
//!
//! Told the time, it answers what to do; it owns no timer.
//!
//! Invariant: at most `max_outstanding` pings are unanswered while the connection is open.

use std::time::Duration;

use martlet_events::Time;

/// A measured round trip older than this is measured again even on a busy connection.
const RTT_FRESH: Duration = Duration::from_hours(1);

/// How patient to be.
#[derive(Debug, Clone, Copy)]
pub struct Policy {
    /// `ping_interval`.
    pub interval: Duration,
    /// `ping_max`.
    pub max_outstanding: u32,
}

/// What to do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Nothing before this time.
    Wait(Time),
    /// Send a ping and come back at this time.
    Ping(Time),
    /// Close with "Stale Connection".
    Stale,
}

/// The keep-alive of one connection.
#[derive(Debug)]
pub struct Keepalive {
    due: Time,
    heard: Time,
    outstanding: u32,
    sent: Option<Time>,
    measured: Option<Time>,
}

impl Keepalive {
    /// Starts at `now`; the first ping is due after `first`.
    // spec: CORE-084
    pub fn new(now: Time, first: Duration) -> Self {
        Self { due: now + first, heard: now, outstanding: 0, sent: None, measured: None }
    }

    /// Anything arrived.
    pub fn on_heard(&mut self, now: Time) {
        self.heard = now;
    }

    /// A ping was answered; gives the round-trip time.
    // spec: CORE-088
    pub fn on_pong(&mut self, now: Time) -> Option<Duration> {
        self.outstanding = 0;
        self.measured = Some(now);
        self.sent.take().map(|sent| now.since(sent).max(Duration::from_nanos(1)))
    }

    /// A ping was sent for another reason than silence.
    pub fn on_asked(&mut self, now: Time) {
        self.sent = Some(now);
    }

    /// When to ask again.
    pub fn due(&self) -> Time {
        self.due
    }

    /// The time asked for has come.
    // spec: CORE-085 CORE-086
    pub fn on_timer(&mut self, now: Time, policy: Policy) -> Action {
        if now < self.due {
            return Action::Wait(self.due);
        }
        self.due = now + policy.interval;
        let measured = self.measured.is_some_and(|at| now.since(at) < RTT_FRESH);
        if measured && now.since(self.heard) < policy.interval {
            return Action::Wait(self.due);
        }
        if self.outstanding + 1 > policy.max_outstanding {
            return Action::Stale;
        }
        self.outstanding += 1;
        self.sent = Some(now);
        Action::Ping(self.due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);
    const FIRST: Duration = Duration::from_secs(2);
    const POLICY: Policy = Policy { interval: MINUTE, max_outstanding: 2 };

    #[test]
    fn a_silent_client_is_pinged_twice_then_stale() {
        // spec: CORE-084 CORE-086
        let start = Time::ORIGIN;
        let mut k = Keepalive::new(start, FIRST);
        let first = start + FIRST;
        assert_eq!(k.on_timer(start, POLICY), Action::Wait(first));
        assert_eq!(k.on_timer(first, POLICY), Action::Ping(first + MINUTE));
        assert_eq!(k.on_timer(first + MINUTE, POLICY), Action::Ping(first + 2 * MINUTE));
        assert_eq!(k.on_timer(first + 2 * MINUTE, POLICY), Action::Stale);
    }

    #[test]
    fn a_talking_client_is_pinged_only_to_measure() {
        // spec: CORE-085 CORE-088
        let start = Time::ORIGIN;
        let mut k = Keepalive::new(start, FIRST);
        let mut now = start + FIRST;
        assert!(matches!(k.on_timer(now, POLICY), Action::Ping(_)));
        assert_eq!(k.on_pong(now + Duration::from_millis(3)), Some(Duration::from_millis(3)));
        for _ in 0..50 {
            now += MINUTE;
            k.on_heard(now - Duration::from_secs(1));
            assert!(matches!(k.on_timer(now, POLICY), Action::Wait(_)));
        }
        now += RTT_FRESH;
        k.on_heard(now);
        assert!(matches!(k.on_timer(now, POLICY), Action::Ping(_)), "an old measurement is renewed");
    }

    #[test]
    fn an_answer_forgives_everything() {
        let start = Time::ORIGIN;
        let mut k = Keepalive::new(start, FIRST);
        let mut now = start + FIRST;
        for _ in 0..20 {
            assert!(matches!(k.on_timer(now, POLICY), Action::Ping(_)));
            assert!(k.on_pong(now).is_some());
            now += MINUTE;
        }
        assert_eq!(k.on_pong(now), None, "an unasked pong measures nothing");
    }
}
