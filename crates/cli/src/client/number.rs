//! Counts and sizes as people read and write them: `1,234,567`, `1.5 MiB`, `64KiB`.

use thiserror::Error;

/// Why a text is no size.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{text:?} is no size: write bytes, or a number with k, m, g, KiB, MiB or GiB, such as 128 or 64KiB")]
pub(crate) struct SizeError {
    text: String,
}

/// Reads a size in bytes: `128`, `64k`, `64KB`, `64KiB` (all units are powers of 1,024, as servers read them).
pub(crate) fn parse_size(text: &str) -> Result<usize, SizeError> {
    usize::try_from(parse_bytes(text)?).map_err(|_| SizeError { text: text.to_owned() })
}

/// Reads a size in bytes that need not fit in memory.
pub(crate) fn parse_bytes(text: &str) -> Result<u64, SizeError> {
    let error = || SizeError { text: text.to_owned() };
    let trimmed = text.trim();
    let digits = trimmed.find(|c: char| !c.is_ascii_digit()).unwrap_or(trimmed.len());
    let number: u64 = trimmed[..digits].parse().map_err(|_| error())?;
    let factor = match trimmed[digits..].trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kb" | "kib" => 1 << 10,
        "m" | "mb" | "mib" => 1 << 20,
        "g" | "gb" | "gib" => 1 << 30,
        "t" | "tb" | "tib" => 1 << 40,
        _ => return Err(error()),
    };
    number.checked_mul(factor).ok_or_else(error)
}

/// Reads a count, with or without separators: `1000000`, `1_000_000`, `1,000,000`.
pub(crate) fn parse_count(text: &str) -> Result<u64, String> {
    let digits: String = text.chars().filter(|c| *c != ',' && *c != '_').collect();
    digits.parse().map_err(|_| format!("{text:?} is no count: write a whole number, such as 100000 or 100,000"))
}

/// `1234567` → `1,234,567`.
pub(crate) fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Bytes with a binary unit: `128 B`, `1.5 KiB`, `286 MiB`.
pub(crate) fn bytes(count: f64) -> String {
    let mut value = count;
    for unit in ["B", "KiB", "MiB", "GiB"] {
        if value < 1_024.0 {
            return if unit == "B" || value >= 100.0 {
                format!("{value:.0} {unit}")
            } else {
                format!("{value:.1} {unit}")
            };
        }
        value /= 1_024.0;
    }
    format!("{value:.1} TiB")
}

/// A rate without decimals where they say nothing: `1,234,567`, `12.3`.
pub(crate) fn rate(per_second: f64) -> String {
    if per_second < 100.0 { format!("{per_second:.1}") } else { grouped(whole(per_second)) }
}

/// The nearest whole number of something that cannot be negative.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the range first")]
pub(crate) fn whole(value: f64) -> u64 {
    value.round().clamp(0.0, 9e18) as u64
}

/// A count as a number to calculate with; exact below 2^53.
#[expect(clippy::cast_precision_loss, reason = "counts of messages and bytes stay far below 2^53")]
pub(crate) fn float(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_in_powers_of_1024() {
        let cases = [("128", 128), ("64k", 65_536), ("64KiB", 65_536), ("1 MB", 1 << 20), ("2g", 2 << 30), ("7b", 7)];
        for (text, expected) in cases {
            assert_eq!(parse_size(text), Ok(expected), "{text}");
        }
        for text in ["", "k", "-1", "1x", "1.5k", "99999999999999999999"] {
            assert!(parse_size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn counts_may_have_separators() {
        assert_eq!(parse_count("1,000_000"), Ok(1_000_000));
        assert!(parse_count("many").unwrap_err().contains("\"many\""));
    }

    #[test]
    fn counts_are_grouped_by_thousands() {
        let cases =
            [(0, "0"), (7, "7"), (999, "999"), (1_000, "1,000"), (123_456, "123,456"), (1_234_567, "1,234,567")];
        for (count, expected) in cases {
            assert_eq!(grouped(count), expected);
        }
    }

    #[test]
    fn bytes_take_the_unit_that_suits_them() {
        let cases = [(0.0, "0 B"), (128.0, "128 B"), (1_536.0, "1.5 KiB"), (300.0 * 1_048_576.0, "300 MiB")];
        for (count, expected) in cases {
            assert_eq!(bytes(count), expected);
        }
    }

    #[test]
    fn rates_have_decimals_only_where_they_matter() {
        assert_eq!(rate(12.34), "12.3");
        assert_eq!(rate(1_234_567.8), "1,234,568");
    }
}
