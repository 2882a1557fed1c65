//! The one clock that the pure rooms are told about.

use std::sync::OnceLock;
use std::time::{Instant, SystemTime};

use martlet_events::Time;

static ORIGIN: OnceLock<(Instant, SystemTime)> = OnceLock::new();

fn origin() -> (Instant, SystemTime) {
    *ORIGIN.get_or_init(|| (Instant::now(), SystemTime::now()))
}

/// The time now.
pub fn now() -> Time {
    Time::from_nanos(u64::try_from(origin().0.elapsed().as_nanos()).unwrap_or(u64::MAX))
}

/// The instant that `time` stands for.
pub fn instant(time: Time) -> Instant {
    origin().0 + time.since(Time::ORIGIN)
}

/// The wall clock's reading at `time`, if the wall clock has not been set since the start.
pub fn wall(time: Time) -> SystemTime {
    origin().1 + time.since(Time::ORIGIN)
}
