//! Points in time as RFC 3339 writes them.
//!
//! What is accepted is what existing servers accept: an hour may have one digit, a fraction may follow a comma.

use martlet_events::WallTime;

use super::quote;

const LAYOUT: &str = "2006-01-02T15:04:05Z07:00";

/// Reads `2026-11-22T09:18:28.051830458+01:00`. A time before 1970 becomes the beginning of 1970, the first there is.
pub(crate) fn parse(text: &str) -> Result<WallTime, String> {
    let mut parser = Parser { whole: text, rest: text.as_bytes(), out_of_range: None };
    let (year, month, day) = parser.date()?;
    let (seconds, nanos) = parser.clock()?;
    let offset = parser.zone()?;
    if !parser.rest.is_empty() {
        let extra = quote::plain(parser.rest());
        return Err(format!("parsing time {}: extra text: {extra}", quote::plain(text)));
    }
    let seconds = days(year, month, day) * 86_400 + seconds - offset;
    let nanos = i128::from(seconds) * 1_000_000_000 + i128::from(nanos);
    Ok(WallTime::from_nanos(u64::try_from(nanos.max(0)).unwrap_or(u64::MAX)))
}

struct Parser<'a> {
    whole: &'a str,
    rest: &'a [u8],
    out_of_range: Option<&'static str>,
}

impl Parser<'_> {
    fn date(&mut self) -> Result<(i64, i64, i64), String> {
        let year = self.number(4, 4, "2006")?;
        self.literal("-")?;
        let month = self.number(2, 2, "01")?;
        self.check((1..=12).contains(&month), "month")?;
        self.literal("-")?;
        let day = self.number(2, 2, "02")?;
        self.literal("T")?;
        // A day is compared with its month at the end: what follows is read before.
        if !(1..=days_in(year, month)).contains(&day) {
            self.out_of_range = Some("day");
        }
        Ok((year, month, day))
    }

    fn clock(&mut self) -> Result<(i64, u32), String> {
        let hour = self.number(1, 2, "15")?;
        self.check(hour < 24, "hour")?;
        self.literal(":")?;
        let minute = self.number(2, 2, "04")?;
        self.check(minute < 60, "minute")?;
        self.literal(":")?;
        let second = self.number(2, 2, "05")?;
        self.check(second < 60, "second")?;
        Ok((hour * 3_600 + minute * 60 + second, self.fraction()))
    }

    fn fraction(&mut self) -> u32 {
        let [b'.' | b',', digits @ ..] = self.rest else { return 0 };
        let count = digits.iter().take_while(|digit| digit.is_ascii_digit()).count();
        if count == 0 {
            return 0;
        }
        let (read, rest) = digits.split_at(count);
        self.rest = rest;
        (0..9).fold(0, |nanos, at| nanos * 10 + read.get(at).map_or(0, |digit| u32::from(digit - b'0')))
    }

    /// Seconds east of Greenwich.
    fn zone(&mut self) -> Result<i64, String> {
        let digit =
            |at: usize| self.rest.get(at).filter(|byte| byte.is_ascii_digit()).map(|byte| i64::from(byte - b'0'));
        let two = |at: usize| Some(digit(at)? * 10 + digit(at + 1)?);
        let sign = match self.rest.first() {
            Some(b'Z') => {
                self.rest = &self.rest[1..];
                return self.out_of_range().map(|()| 0);
            }
            Some(b'+') => 1,
            Some(b'-') => -1,
            _ => return Err(self.cannot("Z07:00")),
        };
        let (Some(hours), Some(minutes), Some(b':')) = (two(1), two(4), self.rest.get(3)) else {
            return Err(self.cannot("Z07:00"));
        };
        self.check(hours <= 24, "time zone offset hour")?;
        self.check(minutes <= 60, "time zone offset minute")?;
        self.rest = &self.rest[6..];
        self.out_of_range()?;
        Ok(sign * (hours * 3_600 + minutes * 60))
    }

    fn number(&mut self, least: usize, most: usize, element: &str) -> Result<i64, String> {
        let count = self.rest.iter().take(most).take_while(|byte| byte.is_ascii_digit()).count();
        if count < least {
            return Err(self.cannot(element));
        }
        let (digits, rest) = self.rest.split_at(count);
        self.rest = rest;
        Ok(digits.iter().fold(0, |number, digit| number * 10 + i64::from(digit - b'0')))
    }

    fn literal(&mut self, literal: &str) -> Result<(), String> {
        self.rest = self.rest.strip_prefix(literal.as_bytes()).ok_or_else(|| self.cannot(literal))?;
        Ok(())
    }

    fn check(&self, holds: bool, what: &str) -> Result<(), String> {
        if holds { Ok(()) } else { Err(format!("parsing time {}: {what} out of range", quote::plain(self.whole))) }
    }

    fn out_of_range(&self) -> Result<(), String> {
        self.out_of_range.map_or(Ok(()), |what| if self.rest.is_empty() { self.check(false, what) } else { Ok(()) })
    }

    fn rest(&self) -> &str {
        // Only ASCII has been passed over.
        &self.whole[self.whole.len() - self.rest.len()..]
    }

    fn cannot(&self, element: &str) -> String {
        let (whole, rest) = (quote::plain(self.whole), quote::plain(self.rest()));
        format!("parsing time {whole} as \"{LAYOUT}\": cannot parse {rest} as \"{element}\"")
    }
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 to a date.
fn days(year: i64, month: i64, day: i64) -> i64 {
    // Years begin in March here, so that a leap day is the last of its year.
    let year = if month > 2 { year } else { year - 1 };
    let since_march = (month + 9) % 12;
    let day_of_year = (153 * since_march + 2) / 5 + day - 1;
    year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + day_of_year - 719_468
}
