//! When a schedule fires: at a time, every so often, or by the calendar.
//!
//! Invariant: the same pattern, zone and time give the same answer. Zones come from the system's data base, by name.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, Zoned};
use martlet_events::WallTime;

/// When a schedule fires.
#[derive(Debug, Clone)]
pub(super) enum Schedule {
    /// Once.
    At(WallTime),
    /// Again and again, this many nanoseconds apart.
    Every(u64),
    /// When the calendar says so.
    Calendar(Box<Calendar>),
}

/// Why a schedule is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Invalid {
    /// The pattern.
    Pattern,
    /// The time zone.
    Zone,
}

const SECOND: u64 = 1_000_000_000;

impl Schedule {
    /// A pattern, with the value of the header for the time zone.
    // spec: JS-070 JS-567 JS-571 JS-572 JS-573 JS-574 JS-575
    pub(super) fn parse(pattern: &[u8], zone: Option<&[u8]>) -> Result<Self, Invalid> {
        let zone = zone.map(|name| zone_of(name).ok_or(Invalid::Zone)).transpose()?;
        let pattern = std::str::from_utf8(pattern).map_err(|_| Invalid::Pattern)?;
        let schedule = if let Some(time) = pattern.strip_prefix("@at ") {
            zone.is_none().then(|| time_of(time)).flatten().map(Self::At)
        } else if let Some(span) = pattern.strip_prefix("@every ") {
            let span = crate::span::parse(span.as_bytes()).and_then(|span| u64::try_from(span).ok());
            span.filter(|&span| span >= SECOND && zone.is_none()).map(Self::Every)
        } else {
            Calendar::parse(alias(pattern), zone.unwrap_or(TimeZone::UTC))
                .map(|calendar| Self::Calendar(Box::new(calendar)))
        };
        schedule.ok_or(Invalid::Pattern)
    }

    /// The first time after `from`; `None` for never.
    pub(super) fn first(&self, from: WallTime) -> Option<WallTime> {
        match self {
            Self::At(time) => Some(*time),
            Self::Every(span) => Some(WallTime::from_nanos(rounded(from).saturating_add(*span))),
            Self::Calendar(calendar) => calendar.next(from),
        }
    }

    /// The time after the one that was due: the first that is not over, if some were missed. `None` for no more.
    // spec: JS-072
    pub(super) fn next(&self, due: WallTime, now: WallTime) -> Option<WallTime> {
        if matches!(self, Self::At(_)) {
            return None;
        }
        let next = self.first(due)?;
        if next < now { self.first(WallTime::from_nanos(rounded(now))) } else { Some(next) }
    }
}

/// The nearest whole second.
fn rounded(time: WallTime) -> u64 {
    time.as_nanos().saturating_add(SECOND / 2) / SECOND * SECOND
}

fn alias(pattern: &str) -> &str {
    match pattern {
        "@yearly" | "@annually" => "0 0 0 1 1 *",
        "@monthly" => "0 0 0 1 * *",
        "@weekly" => "0 0 0 * * 0",
        "@daily" | "@midnight" => "0 0 0 * * *",
        "@hourly" => "0 0 * * * *",
        other => other,
    }
}

fn zone_of(name: &[u8]) -> Option<TimeZone> {
    let name = std::str::from_utf8(name).ok().filter(|name| !name.is_empty())?;
    if name == "Local" {
        return Some(TimeZone::system());
    }
    TimeZone::get(name).ok()
}

/// A time as in RFC 3339.
pub(super) fn time_of(text: &str) -> Option<WallTime> {
    let time: Timestamp = text.parse().ok()?;
    u64::try_from(time.as_nanosecond()).ok().map(WallTime::from_nanos)
}

/// Six fields of a calendar: seconds, minutes, hours, days of the month, months, days of the week.
#[derive(Debug, Clone)]
pub(super) struct Calendar {
    zone: TimeZone,
    seconds: u64,
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    weekdays: u64,
}

/// Whether a time fits, and which to look at next if not.
enum Step {
    Fits,
    Next(Box<Zoned>),
    End,
}

/// Set in a field that holds every value: days of the month and of the week are then both asked.
const ANY: u64 = 1 << 63;
/// Years to look ahead.
const HORIZON_YEARS: i16 = 5;

const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

impl Calendar {
    fn parse(pattern: &str, zone: TimeZone) -> Option<Self> {
        let mut fields = pattern.split_whitespace();
        let mut next = |min, max, names| field(fields.next()?, min, max, names);
        let calendar = Self {
            zone,
            seconds: next(0, 59, &[])?,
            minutes: next(0, 59, &[])?,
            hours: next(0, 23, &[])?,
            days: next(1, 31, &[])?,
            months: next(1, 12, &MONTHS)?,
            weekdays: next(0, 6, &WEEKDAYS)?,
        };
        fields.next().is_none().then_some(calendar)
    }

    /// The first time after `from` that fits; none if there is none within five years.
    fn next(&self, from: WallTime) -> Option<WallTime> {
        let from = Timestamp::from_nanosecond(i128::from(from.as_nanos() / SECOND * SECOND)).ok()?;
        let mut at = from.to_zoned(self.zone.clone()).checked_add(1.second()).ok()?;
        let last_year = at.year().checked_add(HORIZON_YEARS)?;
        while at.year() <= last_year {
            at = match self.step(&at) {
                Step::Fits => return u64::try_from(at.timestamp().as_nanosecond()).ok().map(WallTime::from_nanos),
                Step::Next(next) => *next,
                Step::End => return None,
            };
        }
        None
    }

    fn step(&self, at: &Zoned) -> Step {
        if self.fits(at.datetime()) {
            Step::Fits
        } else {
            self.advance(at).map_or(Step::End, |next| Step::Next(Box::new(next)))
        }
    }

    /// The beginning of the next month, day, hour, minute or second, by which `at` does not fit; `None` at the end of time.
    fn advance(&self, at: &Zoned) -> Option<Zoned> {
        let civil = at.datetime();
        if !has(self.months, civil.month()) {
            self.begin(civil.date().first_of_month().checked_add(1.month()).ok()?.at(0, 0, 0, 0))
        } else if !self.fits_day(civil) {
            self.begin(civil.date().tomorrow().ok()?.at(0, 0, 0, 0))
        } else if !has(self.hours, civil.hour()) {
            // Hours and less go by the clock's own course: some days lack an hour, or have one twice.
            let past = i64::from(civil.minute()) * 60 + i64::from(civil.second());
            at.checked_add((3600 - past).seconds()).ok()
        } else if !has(self.minutes, civil.minute()) {
            at.checked_add((60 - i64::from(civil.second())).seconds()).ok()
        } else {
            at.checked_add(1.second()).ok()
        }
    }

    fn fits(&self, civil: DateTime) -> bool {
        has(self.months, civil.month())
            && self.fits_day(civil)
            && has(self.hours, civil.hour())
            && has(self.minutes, civil.minute())
            && has(self.seconds, civil.second())
    }

    fn begin(&self, civil: DateTime) -> Option<Zoned> {
        self.zone.to_ambiguous_zoned(civil).compatible().ok()
    }

    fn fits_day(&self, civil: DateTime) -> bool {
        let day = has(self.days, civil.day());
        let weekday = has(self.weekdays, civil.weekday().to_sunday_zero_offset());
        if (self.days | self.weekdays) & ANY == 0 { day || weekday } else { day && weekday }
    }
}

fn has(field: u64, value: i8) -> bool {
    u32::try_from(value).is_ok_and(|value| field & (1 << value) != 0)
}

/// A list of ranges, as bits.
fn field(text: &str, min: u32, max: u32, names: &[&str]) -> Option<u64> {
    text.split(',')
        .filter(|range| !range.is_empty())
        .try_fold(0, |bits, text| Some(bits | range(text, min, max, names)?))
}

/// `n`, `n-m`, `*` or `?`, and each with `/step`.
fn range(text: &str, min: u32, max: u32, names: &[&str]) -> Option<u64> {
    let mut parts = text.split('/');
    let (span, step) = (parts.next()?, parts.next());
    if parts.next().is_some() {
        return None;
    }
    let mut ends = span.split('-');
    let (low, high) = (ends.next()?, ends.next());
    if ends.next().is_some() {
        return None;
    }
    let is_any = low == "*" || low == "?";
    let (start, end) = match (is_any, high) {
        (true, _) => (min, max),
        (false, Some(high)) => (value(low, min, names)?, value(high, min, names)?),
        (false, None) => {
            let value = value(low, min, names)?;
            (value, if step.is_some() { max } else { value })
        }
    };
    let every: u32 = step.map_or(Some(1), |step| step.parse().ok())?;
    if start < min || end > max || start > end || every == 0 {
        return None;
    }
    let bits = (start..=end).step_by(usize::try_from(every).ok()?).fold(0_u64, |bits, value| bits | 1 << value);
    Some(if is_any && every == 1 { bits | ANY } else { bits })
}

/// A number, or a name that stands for one: the first name stands for `min`.
fn value(text: &str, min: u32, names: &[&str]) -> Option<u32> {
    let at = names.iter().position(|name| name.eq_ignore_ascii_case(text));
    at.map_or_else(|| text.parse().ok(), |at| u32::try_from(at).ok().map(|at| at + min))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> WallTime {
        time_of(text).unwrap()
    }

    fn first(pattern: &str, zone: Option<&str>, from: &str) -> Option<String> {
        let schedule = Schedule::parse(pattern.as_bytes(), zone.map(str::as_bytes)).unwrap();
        schedule.first(at(from)).map(|time| time.to_string())
    }

    #[test]
    fn when_a_schedule_fires_first() {
        // spec: JS-070
        for (pattern, zone, from, expected) in [
            ("@at 2030-01-02T03:04:05Z", None, "2026-01-01T00:00:00Z", Some("2030-01-02T03:04:05Z")),
            ("@at 2030-01-02T03:04:05+02:00", None, "2026-01-01T00:00:00Z", Some("2030-01-02T01:04:05Z")),
            ("@every 5s", None, "2026-01-01T00:00:00.4Z", Some("2026-01-01T00:00:05Z")),
            ("@every 1m30s", None, "2026-01-01T00:00:00.6Z", Some("2026-01-01T00:01:31Z")),
            ("@hourly", None, "2026-01-01T00:00:00Z", Some("2026-01-01T01:00:00Z")),
            ("@daily", None, "2026-01-01T12:00:00Z", Some("2026-01-02T00:00:00Z")),
            ("@weekly", None, "2026-01-01T12:00:00Z", Some("2026-01-04T00:00:00Z")),
            ("@monthly", None, "2026-01-31T12:00:00Z", Some("2026-02-01T00:00:00Z")),
            ("@yearly", None, "2026-01-01T00:00:00Z", Some("2027-01-01T00:00:00Z")),
            ("30 */15 9-17 * * MON-FRI", None, "2026-01-02T17:45:30Z", Some("2026-01-05T09:00:30Z")),
            ("0 0 0 29 2 *", None, "2026-01-01T00:00:00Z", Some("2028-02-29T00:00:00Z")),
            ("0 0 0 30 2 *", None, "2026-01-01T00:00:00Z", None),
            ("0 0 0 1 * SUN", None, "2026-01-01T00:00:00Z", Some("2026-01-04T00:00:00Z")),
            ("0 0 12 * * *", Some("Europe/Paris"), "2026-07-01T00:00:00Z", Some("2026-07-01T10:00:00Z")),
            ("0 30 2 * * *", Some("Europe/Paris"), "2026-03-28T12:00:00Z", Some("2026-03-30T00:30:00Z")),
        ] {
            assert_eq!(first(pattern, zone, from).as_deref(), expected, "{pattern} {zone:?} from {from}");
        }
    }

    #[test]
    fn what_is_no_schedule() {
        // spec: JS-567 JS-571 JS-572 JS-573 JS-575
        for (pattern, zone, expected) in [
            ("zz", None, Invalid::Pattern),
            ("@every 500ms", None, Invalid::Pattern),
            ("@every", None, Invalid::Pattern),
            ("@at tomorrow", None, Invalid::Pattern),
            ("@every 5s", Some("UTC"), Invalid::Pattern),
            ("@at 2030-01-02T03:04:05Z", Some("UTC"), Invalid::Pattern),
            ("0 0 * * * *", Some("Nope/X"), Invalid::Zone),
            ("0 0 * * * *", Some(""), Invalid::Zone),
            ("0 * * * *", None, Invalid::Pattern),
            ("60 * * * * *", None, Invalid::Pattern),
            ("0 0 0 0 * *", None, Invalid::Pattern),
            ("0 0 0 1-2-3 * *", None, Invalid::Pattern),
            ("*/0 * * * * *", None, Invalid::Pattern),
            ("0 0 0 * * 7", None, Invalid::Pattern),
        ] {
            let invalid = Schedule::parse(pattern.as_bytes(), zone.map(str::as_bytes)).err();
            assert_eq!(invalid, Some(expected), "{pattern} {zone:?}");
        }
    }

    #[test]
    fn what_was_missed_fires_once() {
        // spec: JS-072
        let every = Schedule::parse(b"@every 10s", None).unwrap();
        let due = at("2026-01-01T00:00:00Z");
        assert_eq!(every.next(due, due), Some(at("2026-01-01T00:00:10Z")));
        assert_eq!(every.next(due, at("2026-01-01T05:00:03Z")), Some(at("2026-01-01T05:00:13Z")));
        let hourly = Schedule::parse(b"@hourly", None).unwrap();
        assert_eq!(hourly.next(due, at("2026-01-01T05:00:03Z")), Some(at("2026-01-01T06:00:00Z")));
        assert_eq!(Schedule::At(due).next(due, due), None);
    }
}
