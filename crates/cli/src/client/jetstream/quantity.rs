//! Limits, ages, points in time and pairs as people write them on a command line, and as the API takes them.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Map, Value as Json};

use crate::client::{duration, number};

/// What stands for no limit.
fn is_unlimited(text: &str) -> bool {
    text == "-1" || text.eq_ignore_ascii_case("unlimited")
}

/// A limit of a count; `-1` or `unlimited` is none.
pub(super) fn limit(text: &str) -> Result<i64, String> {
    if is_unlimited(text) {
        return Ok(-1);
    }
    let wrong = |_| format!("{text:?} is too much: the most there can be is {}", i64::MAX);
    i64::try_from(number::parse_count(text)?).map_err(wrong)
}

/// A limit of bytes; `-1` or `unlimited` is none.
pub(super) fn byte_limit(text: &str) -> Result<i64, String> {
    if is_unlimited(text) {
        return Ok(-1);
    }
    let bytes = number::parse_bytes(text).map_err(|error| error.to_string())?;
    i64::try_from(bytes).map_err(|_| format!("{text:?} is too much: the most there can be is {}", i64::MAX))
}

/// Nanoseconds of a duration.
pub(super) fn nanos(text: &str) -> Result<u64, String> {
    let duration = duration::parse(text).map_err(|error| error.to_string())?;
    in_nanos(duration).ok_or_else(|| format!("{text:?} is too long: the most there can be is 292 years"))
}

/// Nanoseconds of a limit of age; `-1`, `0` or `unlimited` is none.
pub(super) fn age(text: &str) -> Result<u64, String> {
    if is_unlimited(text) { Ok(0) } else { nanos(text) }
}

/// `duration` in nanoseconds, as far as the API can take them.
pub(super) fn in_nanos(duration: Duration) -> Option<u64> {
    i64::try_from(duration.as_nanos()).ok().and_then(|nanos| nanos.try_into().ok())
}

/// `NAME=VALUE`.
pub(super) fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or_else(|| format!("{text:?} is not NAME=VALUE"))?;
    if name.is_empty() {
        return Err(format!("{text:?} is not NAME=VALUE: the name is empty"));
    }
    Ok((name.to_owned(), value.to_owned()))
}

/// A point in time: RFC 3339, `2026-01-31 12:00:00` in UTC, or a duration from `now` on.
pub(super) fn moment(text: &str, now: Timestamp) -> Result<Timestamp, String> {
    if let Ok(span) = duration::parse(text) {
        let span = jiff::SignedDuration::try_from(span).map_err(|error| error.to_string())?;
        return now.checked_add(span).map_err(|_| format!("{text:?} from now is too far away"));
    }
    let with_zone = text.parse::<Timestamp>();
    with_zone.or_else(|_| format!("{}Z", text.trim().replace(' ', "T")).parse()).map_err(|_| {
        format!("{text:?} is no point in time: write 2026-01-31T12:00:00Z, or a duration from now on, such as 5m")
    })
}

/// What flags change of a configuration.
pub(super) trait Overlay {
    /// Sets `name` if there is a value.
    fn put<T: Into<Json>>(&mut self, name: &str, value: Option<T>);
    /// Sets `name` if the list is not empty.
    fn put_list(&mut self, name: &str, values: &[String]);
    /// Adds `pairs` to the object `name`; an empty value removes one.
    fn put_pairs(&mut self, name: &str, pairs: &[(String, String)]);
}

impl Overlay for Map<String, Json> {
    fn put<T: Into<Json>>(&mut self, name: &str, value: Option<T>) {
        if let Some(value) = value {
            self.insert(name.to_owned(), value.into());
        }
    }

    fn put_list(&mut self, name: &str, values: &[String]) {
        if !values.is_empty() {
            self.insert(name.to_owned(), values.into());
        }
    }

    fn put_pairs(&mut self, name: &str, pairs: &[(String, String)]) {
        if pairs.is_empty() {
            return;
        }
        let mut all = match self.remove(name) {
            Some(Json::Object(all)) => all,
            _ => Map::new(),
        };
        for (name, value) in pairs {
            if value.is_empty() {
                all.remove(name);
            } else {
                all.insert(name.clone(), value.clone().into());
            }
        }
        self.insert(name.to_owned(), all.into());
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn limits_may_be_none() {
        assert_eq!((limit("-1"), limit("Unlimited"), limit("1,000"), limit("0")), (Ok(-1), Ok(-1), Ok(1_000), Ok(0)));
        assert_eq!((byte_limit("-1"), byte_limit("1GiB"), byte_limit("2t")), (Ok(-1), Ok(1 << 30), Ok(2 << 40)));
        assert_eq!((age("-1"), age("0"), age("1h")), (Ok(0), Ok(0), Ok(3_600_000_000_000)));
        assert!(limit("-2").unwrap_err().contains("\"-2\""));
        assert!(
            limit("99999999999999999999").is_err() && limit("9999999999999999999").unwrap_err().contains("too much")
        );
        assert!(byte_limit("big").unwrap_err().contains("\"big\""));
        assert!(nanos("soon").unwrap_err().contains("\"soon\"") && nanos("300y").unwrap_err().contains("292 years"));
    }

    #[test]
    fn pairs_have_names() {
        assert_eq!(pair("a=b=c"), Ok(("a".into(), "b=c".into())));
        assert!(pair("a").unwrap_err().contains("\"a\"") && pair("=b").is_err());
    }

    #[test]
    fn points_in_time_are_absolute_or_from_now_on() {
        let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        for (text, expected) in [
            ("5m", "2026-01-01T00:05:00Z"),
            ("2026-01-31T12:00:00+01:00", "2026-01-31T11:00:00Z"),
            ("2026-01-31 12:00:00", "2026-01-31T12:00:00Z"),
        ] {
            assert_eq!(moment(text, now).unwrap().to_string(), expected, "{text}");
        }
        assert!(moment("soon", now).unwrap_err().contains("\"soon\""));
    }

    #[test]
    fn an_overlay_changes_only_what_is_given() {
        let mut config = json!({"a": 1, "unknown": [1], "metadata": {"x": "1", "y": "2"}});
        let map = config.as_object_mut().unwrap();
        map.put("a", Some(2));
        map.put("b", None::<bool>);
        map.put_list("l", &[]);
        map.put_list("s", &["p".into()]);
        map.put_pairs("metadata", &[("x".into(), String::new()), ("z".into(), "3".into())]);
        assert_eq!(config, json!({"a": 2, "unknown": [1], "s": ["p"], "metadata": {"y": "2", "z": "3"}}));
    }
}
