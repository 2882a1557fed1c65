//! Switches that can be turned off: `--no-NAME` as people write it becomes `--NAME=false` as it is read.
//!
//! Owns the list of such switches; an option that is not in it keeps its own meaning.

use std::ffi::OsString;

/// Every switch whose value is kept when it is not given.
const SWITCHES: [&str; 16] = [
    "ack",
    "allow-batch",
    "allow-counter",
    "allow-direct",
    "allow-fast-batch",
    "allow-mirror-direct",
    "allow-msg-ttl",
    "allow-rollup",
    "allow-schedules",
    "compress",
    "deny-delete",
    "deny-purge",
    "discard-per-subject",
    "headers-only",
    "memory",
    "republish-headers",
];

/// `args` with every `--no-NAME` of a switch in the form that is read; nothing after `--` is touched.
pub(crate) fn rewritten(args: Vec<OsString>) -> Vec<OsString> {
    let mut open = true;
    args.into_iter()
        .map(|word| {
            open = open && word != "--";
            let name = word.to_str().filter(|_| open).and_then(|text| text.strip_prefix("--no-"));
            match name.filter(|name| SWITCHES.contains(name)) {
                Some(name) => format!("--{name}=false").into(),
                None => word,
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_switches_before_the_end_of_options_are_turned_off() {
        let line = "martlet stream add A --no-ack --no-context --no-deny-purge -- --no-ack";
        let args = rewritten(line.split(' ').map(Into::into).collect());
        let expected = "martlet stream add A --ack=false --no-context --deny-purge=false -- --no-ack";
        assert_eq!(args.join(" ".as_ref()), expected);
        assert!(SWITCHES.is_sorted());
    }
}
