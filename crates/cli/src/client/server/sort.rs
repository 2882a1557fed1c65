//! The order of rows: numbers fall, names rise, and names decide between equal numbers.

use std::cmp::Ordering;

/// What a row is ordered by.
#[derive(Debug, Clone, PartialEq, PartialOrd)]
pub(super) enum Key {
    /// The greatest first.
    Number(f64),
    /// In the order of the alphabet.
    Text(String),
}

impl Key {
    /// Of a count.
    pub(super) fn count(count: u64) -> Self {
        Self::Number(crate::client::number::float(count))
    }

    fn compare(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Number(one), Self::Number(other)) => other.total_cmp(one),
            (one, other) => one.partial_cmp(other).unwrap_or(Ordering::Equal),
        }
    }
}

/// Orders `rows` by `key`, then by `name`; the other way round if `reverse`.
pub(super) fn sort<R>(rows: &mut [R], reverse: bool, key: impl Fn(&R) -> Key, name: impl Fn(&R) -> String) {
    rows.sort_by(|one, other| {
        let order = key(one).compare(&key(other));
        let order = if reverse { order.reverse() } else { order };
        order.then_with(|| name(one).cmp(&name(other)))
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_fall_names_rise_and_names_decide() {
        let mut rows = [("b", 1), ("a", 1), ("c", 7)];
        let name = |row: &(&str, u64)| row.0.to_owned();
        sort(&mut rows, false, |row| Key::count(row.1), name);
        assert_eq!(rows, [("c", 7), ("a", 1), ("b", 1)]);
        sort(&mut rows, true, |row| Key::count(row.1), name);
        assert_eq!(rows, [("a", 1), ("b", 1), ("c", 7)]);
        sort(&mut rows, false, |row| Key::Text(row.0.into()), name);
        assert_eq!(rows, [("a", 1), ("b", 1), ("c", 7)]);
        sort(&mut rows, true, |row| Key::Text(row.0.into()), name);
        assert_eq!(rows, [("c", 7), ("b", 1), ("a", 1)]);
    }
}
