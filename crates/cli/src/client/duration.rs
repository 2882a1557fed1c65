//! Durations as people write them on a command line (`300ms`, `1m30s`) and as they read them (`1.24ms`).
//!
//! Owns both directions; knows no clock.

use std::time::Duration;

use thiserror::Error;

/// Why a text is no duration.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{text:?} is no duration: write a number and a unit (ns, us, ms, s, m, h, d, w, y), such as 300ms or 1m30s")]
pub(crate) struct DurationError {
    text: String,
}

/// Reads `text`, a run of numbers with units.
pub(crate) fn parse(text: &str) -> Result<Duration, DurationError> {
    let error = || DurationError { text: text.to_owned() };
    let mut rest = text.trim();
    if rest == "0" {
        return Ok(Duration::ZERO);
    }
    let mut seconds = 0.0_f64;
    if rest.is_empty() {
        return Err(error());
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(error)?;
        let number: f64 = rest[..digits].parse().map_err(|_| error())?;
        let unit_text = &rest[digits..];
        let unit_end = unit_text.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(unit_text.len());
        let unit = match &unit_text[..unit_end] {
            "ns" => 1e-9,
            "us" | "µs" | "μs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3_600.0,
            "d" => 86_400.0,
            "w" => 7.0 * 86_400.0,
            "y" => 365.0 * 86_400.0,
            _ => return Err(error()),
        };
        seconds += number * unit;
        rest = &unit_text[unit_end..];
    }
    Duration::try_from_secs_f64(seconds).map_err(|_| error())
}

/// Writes `duration` with three or four significant figures in the unit that suits it.
pub(crate) fn human(duration: Duration) -> String {
    let nanos = duration.as_nanos();
    if nanos < 1_000 {
        return format!("{nanos}ns");
    }
    let seconds = duration.as_secs_f64();
    if seconds < 1e-3 {
        return format!("{}µs", figures(seconds * 1e6));
    }
    if seconds < 1.0 {
        return format!("{}ms", figures(seconds * 1e3));
    }
    if seconds < 60.0 {
        return format!("{}s", figures(seconds));
    }
    let whole = duration.as_secs();
    let (hours, minutes, secs) = (whole / 3_600, whole / 60 % 60, whole % 60);
    match hours {
        0 => format!("{minutes}m{secs}s"),
        1..48 => format!("{hours}h{minutes}m{secs}s"),
        _ => format!("{}d{}h", hours / 24, hours % 24),
    }
}

fn figures(value: f64) -> String {
    match value {
        v if v < 10.0 => format!("{v:.2}"),
        v if v < 100.0 => format!("{v:.1}"),
        v => format!("{v:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_write_is_read() {
        let cases = [
            ("5s", Duration::from_secs(5)),
            ("300ms", Duration::from_millis(300)),
            ("1m30s", Duration::from_secs(90)),
            ("1.5h", Duration::from_mins(90)),
            ("2d", Duration::from_hours(48)),
            ("1w", Duration::from_hours(168)),
            ("1y", Duration::from_hours(8_760)),
            ("0", Duration::ZERO),
            ("250us", Duration::from_micros(250)),
            ("250µs", Duration::from_micros(250)),
        ];
        for (text, expected) in cases {
            assert_eq!(parse(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_is_named() {
        for text in ["", "5", "s", "5 s", "-1s", "1x", "1..5s", "soon", "999999999999999999999h"] {
            let error = parse(text).expect_err(text);
            assert!(error.to_string().contains(&format!("{text:?}")), "{error}");
        }
    }

    #[test]
    fn durations_read_well() {
        let cases = [
            (Duration::from_nanos(850), "850ns"),
            (Duration::from_nanos(12_340), "12.3µs"),
            (Duration::from_micros(1_236), "1.24ms"),
            (Duration::from_millis(345), "345ms"),
            (Duration::from_millis(2_500), "2.50s"),
            (Duration::from_secs(75), "1m15s"),
            (Duration::from_secs(3_725), "1h2m5s"),
            (Duration::from_hours(75), "3d3h"),
        ];
        for (duration, expected) in cases {
            assert_eq!(human(duration), expected);
        }
    }
}
