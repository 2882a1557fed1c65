//! Spans of time as error texts write them.

use std::time::Duration;

/// `1h0m5.25s`, `1.5ms`, `0s`.
pub(super) fn text(span: Duration) -> String {
    let nanos = span.as_nanos();
    for (unit, name) in [(1, "ns"), (1_000, "µs"), (1_000_000, "ms")] {
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
    fn spans_are_written_with_the_units_they_need() {
        for (nanos, expected) in [
            (0, "0s"),
            (1, "1ns"),
            (1_100, "1.1µs"),
            (2_000_000, "2ms"),
            (10_000_000_000, "10s"),
            (61_500_000_000, "1m1.5s"),
            (3_600_000_000_000, "1h0m0s"),
            (3_661_000_000_001, "1h1m1.000000001s"),
        ] {
            assert_eq!(text(Duration::from_nanos(nanos)), expected);
        }
    }
}
