//! Reading answers: what stands at a JSON pointer, as tables and pages show it.
//!
//! Invariant: what is absent reads as empty or zero; a server that says more or less than this one knows is no error.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value as Json;

use crate::client::duration::human;
use crate::client::number::{self, float, grouped};

/// A text; empty if there is none.
pub(super) fn text(json: &Json, pointer: &str) -> String {
    json.pointer(pointer).and_then(Json::as_str).unwrap_or_default().to_owned()
}

/// A number that is not negative; zero if there is none.
pub(super) fn count(json: &Json, pointer: &str) -> u64 {
    json.pointer(pointer).and_then(Json::as_u64).unwrap_or_default()
}

/// Whether something is set.
pub(super) fn is(json: &Json, pointer: &str) -> bool {
    json.pointer(pointer).and_then(Json::as_bool).unwrap_or_default()
}

/// How many there are of a list.
pub(super) fn length(json: &Json, pointer: &str) -> usize {
    json.pointer(pointer).and_then(Json::as_array).map_or(0, Vec::len)
}

/// A list of texts, separated by commas.
pub(super) fn list(json: &Json, pointer: &str) -> String {
    let items = json.pointer(pointer).and_then(Json::as_array).into_iter().flatten();
    items.map(|item| item.as_str().map_or_else(|| item.to_string(), Into::into)).collect::<Vec<_>>().join(", ")
}

/// Metadata as `name=value`, separated by commas, without what servers put there for themselves.
pub(super) fn metadata(json: &Json, pointer: &str) -> String {
    let members = json.pointer(pointer).and_then(Json::as_object).into_iter().flatten();
    members
        .filter(|(name, _)| !name.starts_with("_nats."))
        .map(|(name, value)| format!("{name}={}", value.as_str().map_or_else(|| value.to_string(), Into::into)))
        .collect::<Vec<_>>()
        .join(", ")
}

/// A count, grouped by thousands.
pub(super) fn counted(json: &Json, pointer: &str) -> String {
    grouped(count(json, pointer))
}

/// A count of bytes.
pub(super) fn bytes(json: &Json, pointer: &str) -> String {
    number::bytes(float(count(json, pointer)))
}

/// A limit of a count: absent, zero or negative is none.
pub(super) fn limit(json: &Json, pointer: &str) -> String {
    match count(json, pointer) {
        0 => "unlimited".to_owned(),
        most => grouped(most),
    }
}

/// A limit of bytes.
pub(super) fn byte_limit(json: &Json, pointer: &str) -> String {
    match count(json, pointer) {
        0 => "unlimited".to_owned(),
        _ => bytes(json, pointer),
    }
}

/// A duration in nanoseconds; empty if there is none.
pub(super) fn nanos(json: &Json, pointer: &str) -> String {
    match count(json, pointer) {
        0 => String::new(),
        nanos => span(Duration::from_nanos(nanos)),
    }
}

/// A duration that was set by a person: without the decimals of one that was measured.
pub(super) fn span(duration: Duration) -> String {
    if duration.subsec_nanos() != 0 {
        return human(duration);
    }
    let mut left = duration.as_secs();
    let mut out = String::new();
    for (unit, seconds) in [("y", 31_536_000), ("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)] {
        if left >= seconds {
            out += &(left / seconds).to_string();
            out += unit;
            left %= seconds;
        }
    }
    if out.is_empty() { "0s".to_owned() } else { out }
}

/// A limit of age.
pub(super) fn age_limit(json: &Json, pointer: &str) -> String {
    match count(json, pointer) {
        0 => "unlimited".to_owned(),
        _ => nanos(json, pointer),
    }
}

/// A point in time, to the second; empty if there is none, or the year 1 that stands for none.
pub(super) fn time(json: &Json, pointer: &str) -> String {
    moment(json, pointer).map(|time| format!("{time:.0}")).unwrap_or_default()
}

/// How long ago something was; empty if it never was.
pub(super) fn ago(json: &Json, pointer: &str) -> String {
    let Some(time) = moment(json, pointer) else { return String::new() };
    let since = Duration::try_from(Timestamp::now().duration_since(time)).unwrap_or_default();
    format!("{} ago", human(since))
}

fn moment(json: &Json, pointer: &str) -> Option<Timestamp> {
    let time: Timestamp = json.pointer(pointer)?.as_str()?.parse().ok()?;
    (time.as_second() > 0).then_some(time)
}

/// Only `name` if `is`, for lists of what is switched on.
pub(super) fn named(is: bool, name: &str) -> Option<String> {
    is.then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_absent_is_empty() {
        let json = json!({"a": {"t": "x", "n": 1234, "l": ["p", "q"], "m": {"_nats.ver": "2", "k": "v", "n": 1}}, "max": -1, "s": true});
        assert_eq!((text(&json, "/a/t"), text(&json, "/b")), ("x".into(), String::new()));
        assert_eq!((counted(&json, "/a/n"), counted(&json, "/b")), ("1,234".into(), "0".into()));
        assert_eq!((limit(&json, "/max"), limit(&json, "/a/n")), ("unlimited".into(), "1,234".into()));
        assert_eq!((byte_limit(&json, "/max"), byte_limit(&json, "/a/n")), ("unlimited".into(), "1.2 KiB".into()));
        assert_eq!((list(&json, "/a/l"), metadata(&json, "/a/m")), ("p, q".into(), "k=v, n=1".into()));
        assert_eq!((is(&json, "/s"), is(&json, "/b"), length(&json, "/a/l")), (true, false, 2));
    }

    #[test]
    fn times_and_durations_read_well() {
        let json =
            json!({"t": "2026-01-02T03:04:05.678Z", "never": "0001-01-01T00:00:00Z", "n": 5_400_000_000_000_u64});
        assert_eq!((time(&json, "/t"), time(&json, "/never")), ("2026-01-02T03:04:05Z".into(), String::new()));
        assert_eq!(
            (nanos(&json, "/n"), nanos(&json, "/b"), age_limit(&json, "/b")),
            ("1h30m".into(), String::new(), "unlimited".into())
        );
        assert!(ago(&json, "/t").ends_with(" ago") && ago(&json, "/never").is_empty());
        let spans = [(0, "0s"), (120, "2m"), (86_400, "1d"), (31_536_000, "1y"), (90_061, "1d1h1m1s")];
        for (seconds, expected) in spans {
            assert_eq!(span(Duration::from_secs(seconds)), expected);
        }
        assert_eq!(span(Duration::from_millis(1_500)), "1.50s");
    }
}
