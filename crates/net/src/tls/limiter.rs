//! Handshakes begun per second (`connection_rate_limit`).
//!
//! A window opens with the first handshake after the last one closed and lasts a second.

use std::time::Duration;

use martlet_events::Time;

const WINDOW: Duration = Duration::from_secs(1);

/// Counts handshakes against a limit. Told the time, so that it can be tested without waiting.
#[derive(Debug)]
pub struct RateLimiter {
    limit: u32,
    begun: u32,
    window_ends: Option<Time>,
}

impl RateLimiter {
    /// What a client is told that comes too soon.
    pub const CLIENT_TEXT: &'static str = "Connection throttling is active. Please try again later.";

    /// A limiter, unless there is no limit (0).
    #[must_use]
    pub fn new(limit: u32) -> Option<Self> {
        (limit > 0).then_some(Self { limit, begun: 0, window_ends: None })
    }

    /// Whether another handshake may begin.
    // spec: SEC-066 CFG-136
    pub fn admit(&mut self, now: Time) -> bool {
        if self.window_ends.is_none_or(|end| now > end) {
            self.window_ends = Some(now + WINDOW);
            self.begun = 0;
        }
        let admitted = self.begun < self.limit;
        self.begun += u32::from(admitted);
        admitted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_in_a_second_and_no_more() {
        // spec: SEC-066 CFG-136
        let start = Time::from_nanos(5);
        let mut limiter = RateLimiter::new(2).expect("a limit");
        let told: Vec<bool> = (0..4).map(|_| limiter.admit(start)).collect();
        assert_eq!(told, [true, true, false, false]);
        assert!(!limiter.admit(start + WINDOW), "the window includes its end");
        let next = start + WINDOW + Duration::from_nanos(1);
        assert!(limiter.admit(next) && limiter.admit(next) && !limiter.admit(next));
    }

    #[test]
    fn zero_is_no_limit() {
        // spec: CFG-136
        assert!(RateLimiter::new(0).is_none());
    }
}
