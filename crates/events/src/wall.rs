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

/// Year, month and day, `days` after 1970-01-01: by years that begin in March, so that a leap day is the last day of its year, in
/// eras of 400 years, which are all alike.
fn date(days: u64) -> (u64, u64, u64) {
    const ERA: u64 = 400 * 365 + 97;
    // From 0000-03-01.
    let days = days + 719_468;
    let (era, day) = (days / ERA, days % ERA);
    // Leap days before it are not part of any year's 365: those of every fourth year, not of every hundredth, but of the last.
    let year = (day - day / 1_460 + day / 36_524 - day / (ERA - 1)) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    // Five months have 153 days, from March on and again from August.
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, later) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (400 * era + year + later, month, day)
}

/// Writes the digits of a number, as many as there are places.
fn put(mut number: u64, places: &mut [u8]) {
    for place in places.iter_mut().rev() {
        *place = b'0' + u8::try_from(number % 10).expect("it is a digit");
        number /= 10;
    }
}

impl fmt::Display for WallTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, nanos) = (self.0 / 1_000_000_000, self.0 % 1_000_000_000);
        let (year, month, day) = date(seconds / 86_400);
        let mut text = *b"0000-00-00T00:00:00.000000000Z";
        put(year, &mut text[..4]);
        for (at, number) in
            [(5, month), (8, day), (11, seconds / 3_600 % 24), (14, seconds / 60 % 60), (17, seconds % 60)]
        {
            put(number, &mut text[at..at + 2]);
        }
        put(nanos, &mut text[20..29]);
        let mut end = 29;
        while text[end - 1] == b'0' && end > 20 {
            end -= 1;
        }
        if nanos == 0 {
            end = 19;
        }
        text[end] = b'Z';
        f.write_str(std::str::from_utf8(&text[..=end]).expect("it is ASCII"))
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

    #[test]
    fn each_day_follows_on_the_one_before() {
        let mut before = date(0);
        assert_eq!(before, (1970, 1, 1));
        for day in 1..214_000 {
            let next = date(day);
            let (year, month, of_month) = before;
            let is_next = next == (year, month, of_month + 1)
                || next == (year, month + 1, 1) && (28..=31).contains(&of_month)
                || next == (year + 1, 1, 1) && (month, of_month) == (12, 31);
            assert!(is_next, "{next:?} after {before:?}");
            before = next;
        }
        assert_eq!(before, (2555, 11, 29));
    }
}
