//! Spans of time as text, in the way clients write them (`1h30m`, `250ms`), and as statuses and errors show them.

use std::time::Duration;

const UNITS: [(&[u8], u64); 8] = [
    (b"ns", 1),
    (b"us", 1_000),
    ("\u{b5}s".as_bytes(), 1_000),
    ("\u{3bc}s".as_bytes(), 1_000),
    (b"ms", 1_000_000),
    (b"s", 1_000_000_000),
    (b"m", 60_000_000_000),
    (b"h", 3_600_000_000_000),
];

/// Nanoseconds of a text like `-1.5h` or `1m30s`; `0` needs no unit.
pub(crate) fn parse(text: &[u8]) -> Option<i64> {
    let (negative, mut rest) = match text.split_first()? {
        (b'-', rest) => (true, rest),
        (b'+', rest) => (false, rest),
        _ => (false, text),
    };
    if rest == b"0" {
        return Some(0);
    }
    let mut total = 0_u64;
    loop {
        let (whole, behind) = digits(rest);
        let (fraction, behind) = match behind.split_first() {
            Some((b'.', behind)) => digits(behind),
            _ => (&[][..], behind),
        };
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let end = behind.iter().position(|&byte| byte == b'.' || byte.is_ascii_digit()).unwrap_or(behind.len());
        let (unit, behind) = behind.split_at(end);
        let unit = UNITS.iter().find(|known| known.0 == unit)?.1;
        total = total.checked_add(number(whole)?.checked_mul(unit)?)?.checked_add(part(fraction, unit))?;
        if behind.is_empty() {
            break;
        }
        rest = behind;
    }
    let total = i64::try_from(total).ok()?;
    Some(if negative { -total } else { total })
}

fn digits(text: &[u8]) -> (&[u8], &[u8]) {
    text.split_at(text.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len()))
}

fn number(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0_u64, |number, digit| number.checked_mul(10)?.checked_add(u64::from(digit - b'0')))
}

/// The part of `unit` that the digits behind a decimal point are.
fn part(digits: &[u8], unit: u64) -> u64 {
    let mut scale = u128::from(unit);
    let mut sum = 0_u128;
    for digit in digits.iter().take(15) {
        sum = sum * 10 + u128::from(digit - b'0') * u128::from(unit);
        scale *= 10;
    }
    u64::try_from(sum * u128::from(unit) / scale.max(1)).unwrap_or(0)
}

/// A span as text: `10s`, `1m30s`, `1h0m5.25s`, `1.5ms`, `0s`.
pub(crate) fn text(span: Duration) -> String {
    let nanos = span.as_nanos();
    for (unit, name) in [(1, "ns"), (1_000, "\u{b5}s"), (1_000_000, "ms")] {
        if nanos > 0 && nanos < 1_000_000_000 && nanos < unit * 1_000 {
            return format!("{}{name}", decimal(nanos, unit));
        }
    }
    let (seconds, minutes) = (nanos % 60_000_000_000, span.as_secs() / 60);
    let seconds = format!("{}s", decimal(seconds, 1_000_000_000));
    match (minutes / 60, minutes % 60) {
        (0, 0) => seconds,
        (0, minutes) => format!("{minutes}m{seconds}"),
        (hours, minutes) => format!("{hours}h{minutes}m{seconds}"),
    }
}

/// `value / unit`, with as many digits behind the point as it needs.
fn decimal(value: u128, unit: u128) -> String {
    let (whole, part) = (value / unit, value % unit);
    if part == 0 {
        return whole.to_string();
    }
    let width = unit.ilog10() as usize;
    format!("{whole}.{}", format!("{part:0width$}").trim_end_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read() {
        for (text, nanos) in [
            ("0", Some(0)),
            ("10ms", Some(10_000_000)),
            ("1h30m", Some(5_400_000_000_000)),
            ("-1.5s", Some(-1_500_000_000)),
            ("+.5m", Some(30_000_000_000)),
            ("1.000000001s", Some(1_000_000_001)),
            ("3us2ns", Some(3_002)),
            ("", None),
            ("-", None),
            ("5", None),
            ("5x", None),
            ("s", None),
            (".s", None),
            ("1 s", None),
            ("99999999h", None),
        ] {
            assert_eq!(parse(text.as_bytes()), nanos, "{text}");
        }
    }

    #[test]
    fn spans_are_written() {
        for (nanos, expected) in [
            (0, "0s"),
            (7, "7ns"),
            (1_500, "1.5\u{b5}s"),
            (2_000_000, "2ms"),
            (10_000_000_000, "10s"),
            (90_000_000_000, "1m30s"),
            (3_600_000_000_000, "1h0m0s"),
            (1_234_567_890, "1.23456789s"),
            (61_500_000_000, "1m1.5s"),
            (3_661_000_000_001, "1h1m1.000000001s"),
        ] {
            assert_eq!(text(Duration::from_nanos(nanos)), expected);
        }
    }
}
