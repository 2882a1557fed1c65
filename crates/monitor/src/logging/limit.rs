//! The same entry at most once a minute.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use log::Level;

/// How long a text is not repeated.
const WINDOW: Duration = Duration::from_mins(1);

/// Texts remembered at most, so that peers who vary them cannot fill the memory.
const MAX_TEXTS: usize = 4_096;

/// Remembers hashes of what was written lately.
#[derive(Default)]
pub(super) struct Limiter {
    hasher: RandomState,
    written: Mutex<HashMap<u64, Instant>>,
}

impl Limiter {
    /// Whether this text may be written now.
    // spec: CORE-169
    pub(super) fn allow(&self, level: Level, text: &str, now: Instant) -> bool {
        let key = self.hasher.hash_one((level, text));
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let is_recent = |at: &Instant| now.saturating_duration_since(*at) < WINDOW;
        if written.get(&key).is_some_and(is_recent) {
            return false;
        }
        if written.len() >= MAX_TEXTS {
            written.retain(|_, at| is_recent(at));
        }
        // A flood of different texts is not limited, only not remembered.
        if written.len() < MAX_TEXTS {
            written.insert(key, now);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_written_once_a_minute() {
        // spec: CORE-169
        let limiter = Limiter::default();
        let start = Instant::now();
        assert!(limiter.allow(Level::Warn, "a", start));
        assert!(!limiter.allow(Level::Warn, "a", start + Duration::from_secs(59)));
        assert!(limiter.allow(Level::Warn, "b", start), "another text");
        assert!(limiter.allow(Level::Error, "a", start), "another level");
        assert!(limiter.allow(Level::Warn, "a", start + WINDOW));
        assert!(!limiter.allow(Level::Warn, "a", start + WINDOW));
    }

    #[test]
    fn memory_is_bounded() {
        let limiter = Limiter::default();
        let start = Instant::now();
        for n in 0..3 * MAX_TEXTS {
            assert!(limiter.allow(Level::Warn, &n.to_string(), start));
        }
        assert_eq!(limiter.written.lock().expect("no panic").len(), MAX_TEXTS);
        assert!(limiter.allow(Level::Warn, "later", start + WINDOW));
        assert_eq!(limiter.written.lock().expect("no panic").len(), 1);
    }
}
