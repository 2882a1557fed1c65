//! Values as the reference prints them in its reports, which people search their logs for.

use std::collections::BTreeMap;
use std::time::Duration;

/// A duration as a plain number of seconds: `2`, `0.5`.
pub(super) fn seconds(duration: Duration) -> String {
    match duration.subsec_nanos() {
        0 => duration.as_secs().to_string(),
        nanos => format!("{}.{}", duration.as_secs(), format!("{nanos:09}").trim_end_matches('0')),
    }
}

/// `map[a:true b:false]`
pub(super) fn flag_map(map: &BTreeMap<String, bool>) -> String {
    let entries: Vec<_> = map.iter().map(|(name, on)| format!("{name}:{on}")).collect();
    format!("map[{}]", entries.join(" "))
}
