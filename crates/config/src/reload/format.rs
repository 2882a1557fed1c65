//! Values as the reference prints them in its reports, which people search their logs for.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::duration;
use crate::options::{Compression, WriteTimeout};

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

/// `[a b]`
pub(super) fn list<T: AsRef<str>>(items: &[T]) -> String {
    let items: Vec<_> = items.iter().map(AsRef::as_ref).collect();
    format!("[{}]", items.join(" "))
}

/// A policy by its name; the default has none.
pub(super) fn write_timeout(policy: WriteTimeout) -> String {
    let name = match policy {
        WriteTimeout::Default => "",
        WriteTimeout::Close => "close",
        WriteTimeout::Retry => "retry",
    };
    name.to_owned()
}

/// `{s2_auto [10ms 50ms 100ms]}`
pub(super) fn compression(compression: &Compression) -> String {
    let times = match compression {
        Compression::S2Auto(times) => times.iter().map(|time| duration::format(*time)).collect(),
        _ => Vec::new(),
    };
    format!("{{{} {}}}", compression.name(), list(&times))
}

/// A size as people read it: `190.73 MB`.
#[expect(clippy::cast_precision_loss, reason = "two digits are shown")]
pub(super) fn bytes(size: u64) -> String {
    let (mut size, mut unit) = (size as f64, 0);
    while size >= 1024.0 && unit < 5 {
        (size, unit) = (size / 1024.0, unit + 1);
    }
    let name = ["B", "KB", "MB", "GB", "TB", "PB"][unit];
    if unit == 0 { format!("{size} {name}") } else { format!("{size:.2} {name}") }
}
