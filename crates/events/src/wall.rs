//! A point in time as people and other programs read it.

use std::fmt;

/// Nanoseconds since 1970-01-01T00:00:00Z. Reaches the year 2554.
///
/// Written as `2026-11-22T09:18:28.051830458Z`: in UTC, with as many digits below the second as it needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct WallTime(u64);

impl WallTime {
    /// `nanos` nanoseconds after the beginning of 1970.
    #[must_use]
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the beginning of 1970.
    #[must_use]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }
}

/// Year, month and day, `days` after 1970-01-01.
fn date(days: u64) -> (u64, u64, u64) {
    // Counted from 1968-03-01, so that a leap day is the last day of its year.
    let (mut year, mut day) = (1968_u64, days + 671);
    loop {
        let next = year + 1;
        let leap = next.is_multiple_of(4) && (!next.is_multiple_of(100) || next.is_multiple_of(400));
        let length = 365 + u64::from(leap);
        if day < length {
            break;
        }
        day -= length;
        year = next;
    }
    let mut month = 3;
    for length in [31, 30, 31, 30, 31, 31, 30, 31, 30, 31, 31, 29] {
        if day < length {
            break;
        }
        day -= length;
        month += 1;
    }
    if month > 12 { (year + 1, month - 12, day + 1) } else { (year, month, day + 1) }
}

impl fmt::Display for WallTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, nanos) = (self.0 / 1_000_000_000, self.0 % 1_000_000_000);
        let (year, month, day) = date(seconds / 86_400);
        let (hour, minute, second) = (seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")?;
        if nanos > 0 {
            write!(f, ".{}", format!("{nanos:09}").trim_end_matches('0'))?;
        }
        f.write_str("Z")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_in_utc_with_the_digits_it_needs() {
        for (seconds, nanos, text) in [
            (0, 0, "1970-01-01T00:00:00Z"),
            (68_169_599, 0, "1972-02-28T23:59:59Z"),
            (68_169_600, 0, "1972-02-29T00:00:00Z"),
            (68_256_000, 0, "1972-03-01T00:00:00Z"),
            (951_782_400, 0, "2000-02-29T00:00:00Z"),
            (978_307_199, 0, "2000-12-31T23:59:59Z"),
            (978_307_200, 0, "2001-01-01T00:00:00Z"),
            (1_795_339_108, 51_830_400, "2026-11-22T09:18:28.0518304Z"),
            (4_107_542_400, 1, "2100-03-01T00:00:00.000000001Z"),
        ] {
            assert_eq!(WallTime::from_nanos(seconds * 1_000_000_000 + nanos).to_string(), text);
        }
    }
}
