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

/// Checks `host[:port]`, with an IPv6 host in brackets when a port follows.
pub(super) fn check_host_port(value: &str) -> Result<(), String> {
    let port = if let Some(rest) = value.strip_prefix('[') {
        let Some((_, rest)) = rest.split_once(']') else {
            return Err(format!("address {value}: missing ']' in address"));
        };
        match rest.strip_prefix(':') {
            Some(port) => port,
            None if rest.is_empty() => return Ok(()),
            None => return Err(format!("address {value}: unexpected characters after ']'")),
        }
    } else {
        match value.split_once(':') {
            None => return Ok(()),
            Some((_, port)) if port.contains(':') => {
                return Err(format!("address {value}: too many colons in address"));
            }
            Some((_, port)) => port,
        }
    };
    match port.trim().parse::<i64>() {
        Ok(_) => Ok(()),
        Err(_) => Err(format!("strconv.Atoi: parsing {:?}: invalid syntax", port.trim())),
    }
}
