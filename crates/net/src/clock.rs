//! The one clock that the pure rooms are told about, and the wall clock beside it.

use std::sync::OnceLock;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use martlet_events::{Time, WallTime};

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

/// The wall clock's reading now, as it has been set since the start.
pub fn wall_now() -> WallTime {
    wall_time(SystemTime::now())
}

/// A reading of the wall clock as the pure rooms are told it.
pub fn wall_time(time: SystemTime) -> WallTime {
    let since_1970 = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    WallTime::from_nanos(u64::try_from(since_1970.as_nanos()).unwrap_or(u64::MAX))
}
