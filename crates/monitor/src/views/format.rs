//! How the views write times, spans and numbers: the formats that readers of the reference's JSON parse.

use std::fmt::Write as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Serialize, Serializer};

/// A point in time, in UTC, with as many digits below the second as it needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(pub SystemTime);

impl Timestamp {
    /// The time that stands for "never", as the reference writes it.
    const NEVER: &'static str = "0001-01-01T00:00:00Z";

    /// At `time`, or never.
    pub(super) fn or_never(time: Option<SystemTime>) -> Self {
        // Long before the year 1, which is written as never.
        Self(time.unwrap_or(UNIX_EPOCH - Duration::from_secs(70_000_000_000)))
    }

    /// `2026-11-22T09:18:28.051830458Z`.
    pub(crate) fn to_rfc3339(self) -> String {
        let (seconds, nanos) = match self.0.duration_since(UNIX_EPOCH) {
            Ok(since) => (i64::try_from(since.as_secs()).unwrap_or(i64::MAX), since.subsec_nanos()),
            Err(before) => {
                let before = before.duration();
                let seconds = i64::try_from(before.as_secs()).unwrap_or(i64::MAX);
                match before.subsec_nanos() {
                    0 => (-seconds, 0),
                    nanos => (-seconds - 1, 1_000_000_000 - nanos),
                }
            }
        };
        let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
        let (year, month, day) = civil(days);
        if !(1..=9999).contains(&year) {
            return Self::NEVER.into();
        }
        let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
        let mut text = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}");
        push_fraction(&mut text, nanos, 9);
        text.push('Z');
        text
    }
}

/// Year, month and day of the proleptic Gregorian calendar, `days` after 1970-01-01. Years start in March here, so that
/// the leap day is the last of its year; a cycle of 400 years has 146,097 days.
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468; // from 0000-03-01
    let (cycle, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, carry) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (cycle * 400 + year + carry, month, day)
}

/// `.digits` of `value` out of `10^width`, without the zeros at the end; nothing for zero.
fn push_fraction(text: &mut String, value: u32, width: usize) {
    if value == 0 {
        return;
    }
    let digits = format!("{value:0width$}");
    text.push('.');
    text.push_str(digits.trim_end_matches('0'));
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_rfc3339())
    }
}

/// `1y2d3h4m5s`: whole seconds, from the largest unit that counts.
pub(super) fn uptime(span: Duration) -> String {
    let seconds = span.as_secs();
    let units = [('y', seconds / 31_536_000), ('d', seconds / 86_400 % 365), ('h', seconds / 3_600 % 24)];
    let mut text = String::new();
    for (unit, count) in units.into_iter().chain([('m', seconds / 60 % 60)]) {
        if count > 0 || !text.is_empty() {
            let _ = write!(text, "{count}{unit}");
        }
    }
    let _ = write!(text, "{}s", seconds % 60);
    text
}

/// From `earlier` to `later`, zero if the clock was set back between them.
pub(super) fn between(earlier: SystemTime, later: SystemTime) -> Duration {
    later.duration_since(earlier).unwrap_or_default()
}

/// A round trip: `1.063159ms`, or whole microseconds below one millisecond.
pub(super) fn round_trip(span: Duration) -> String {
    let nanos = span.subsec_nanos();
    let whole = |unit: u32| (nanos / unit, nanos % unit);
    let (count, fraction, width, unit) = match (span.as_secs(), nanos) {
        (0, 0) => return "0s".into(),
        (0, 0..1_000) => return format!("{nanos}ns"),
        (0, 1_000..1_000_000) => return format!("{}µs", nanos / 1_000),
        (0, _) => (u64::from(whole(1_000_000).0), whole(1_000_000).1, 6, "ms"),
        (seconds, _) => (seconds % 60, nanos, 9, "s"),
    };
    let minutes = span.as_secs() / 60;
    let mut text = match (minutes / 60, minutes % 60) {
        (0, 0) => String::new(),
        (0, minutes) => format!("{minutes}m"),
        (hours, minutes) => format!("{hours}h{minutes}m"),
    };
    let _ = write!(text, "{count}");
    push_fraction(&mut text, fraction, width);
    text.push_str(unit);
    text
}

/// A number that is written without a fraction when it has none.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Default)]
pub struct Number(pub f64);

impl Number {
    /// `part / whole`, zero if there is no whole.
    #[expect(clippy::cast_precision_loss, reason = "a ratio needs no more than 52 bits")]
    pub(crate) fn ratio(part: u64, whole: u64) -> Self {
        if whole == 0 { Self(0.0) } else { Self(part as f64 / whole as f64) }
    }
}

impl Serialize for Number {
    #[expect(clippy::cast_possible_truncation, reason = "guarded by the range")]
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        const EXACT: f64 = 9_007_199_254_740_992.0; // 2^53
        if self.0.fract() == 0.0 && self.0.abs() < EXACT {
            serializer.serialize_i64(self.0 as i64)
        } else {
            serializer.serialize_f64(self.0)
        }
    }
}

/// Nanoseconds of a span.
pub(super) fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

/// For fields that are left out when they are false.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
pub(super) fn is_false(value: &bool) -> bool {
    !value
}

/// For fields that are left out when they are zero.
pub(super) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_rfc3339_with_the_digits_they_need() {
        let at = |seconds, nanos| Timestamp(UNIX_EPOCH + Duration::new(seconds, nanos)).to_rfc3339();
        for (seconds, nanos, text) in [
            (0, 0, "1970-01-01T00:00:00Z"),
            (951_782_400, 0, "2000-02-29T00:00:00Z"),
            (951_868_799, 999_999_999, "2000-02-29T23:59:59.999999999Z"),
            (1_709_251_200, 0, "2024-03-01T00:00:00Z"),
            (1_795_339_108, 51_830_458, "2026-11-22T09:18:28.051830458Z"),
            (1_795_339_108, 50_000_000, "2026-11-22T09:18:28.05Z"),
            (4_107_542_400, 0, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(at(seconds, nanos), text);
        }
        assert_eq!(Timestamp(UNIX_EPOCH - Duration::from_millis(1)).to_rfc3339(), "1969-12-31T23:59:59.999Z");
        assert_eq!(Timestamp(UNIX_EPOCH - Duration::from_hours(24)).to_rfc3339(), "1969-12-31T00:00:00Z");
    }

    #[test]
    fn days_of_the_calendar_follow_each_other() {
        let mut before = civil(-800_000);
        for days in -799_999..800_000 {
            let date = civil(days);
            let (year, month, day) = before;
            let next = [(year, month, day + 1), (year, month + 1, 1), (year + 1, 1, 1)];
            assert!(next.contains(&date), "{before:?} then {date:?}");
            before = date;
        }
    }

    #[test]
    fn spans_read_as_people_expect() {
        for (seconds, text) in [
            (0, "0s"),
            (59, "59s"),
            (60, "1m0s"),
            (3_600, "1h0m0s"),
            (86_400 + 61, "1d0h1m1s"),
            (365 * 86_400, "1y0d0h0m0s"),
            (366 * 86_400 + 1, "1y1d0h0m1s"),
        ] {
            assert_eq!(uptime(Duration::from_secs(seconds)), text);
        }
    }

    #[test]
    fn round_trips_read_as_those_of_the_reference() {
        // spec: CORE-088
        for (nanos, text) in [
            (0, "0s"),
            (999, "999ns"),
            (354_812, "354µs"),
            (1_063_159, "1.063159ms"),
            (20_000_000, "20ms"),
            (1_500_000_000, "1.5s"),
            (61_000_000_000, "1m1s"),
            (3_600_000_000_000, "1h0m0s"),
        ] {
            assert_eq!(round_trip(Duration::from_nanos(nanos)), text);
        }
    }

    #[test]
    fn numbers_have_no_needless_fraction() {
        let json = |value| serde_json::to_string(&Number(value)).unwrap();
        assert_eq!(json(2.0), "2");
        assert_eq!(json(0.5), "0.5");
        assert_eq!(json(-0.0), "0");
        assert_eq!(serde_json::to_string(&Number::ratio(1, 3)).unwrap(), "0.3333333333333333");
        assert_eq!(Number::ratio(1, 0), Number(0.0));
    }
}
