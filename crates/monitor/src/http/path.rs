//! Paths of requests: clean ones are answered, others are sent to the clean one.

/// The path without empty, `.` and `..` segments; a slash at the end stays.
// spec: CLU-159
pub(super) fn clean(path: &str) -> String {
    let mut segments: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(segments.pop()),
            segment => segments.push(segment),
        }
    }
    let mut clean = String::with_capacity(path.len());
    for segment in &segments {
        clean.push('/');
        clean.push_str(segment);
    }
    if clean.is_empty() || path.ends_with('/') {
        clean.push('/');
    }
    clean
}

/// The path below `base`, `/` for `base` itself; `None` for a path elsewhere.
// spec: CLU-100 CLU-158
pub(super) fn below<'a>(base: &str, path: &'a str) -> Option<&'a str> {
    match path.strip_prefix(base)? {
        "" => Some("/"),
        // With a base path, only the path without a slash at the end is the root.
        "/" if !base.is_empty() => None,
        rest if rest.starts_with('/') => Some(rest),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_cleaned() {
        // spec: CLU-159
        for (path, expected) in [
            ("/", "/"),
            ("//varz", "/varz"),
            ("/./varz", "/varz"),
            ("/x/../varz", "/varz"),
            ("/../../varz", "/varz"),
            ("/varz/", "/varz/"),
            ("//varz//", "/varz/"),
            ("/varz/..", "/"),
            ("/debug/vars", "/debug/vars"),
            ("", "/"),
        ] {
            assert_eq!(clean(path), expected, "{path}");
        }
    }

    #[test]
    fn endpoints_are_below_the_base_path() {
        // spec: CLU-100 CLU-158 CLU-160
        for (base, path, expected) in [
            ("", "/", Some("/")),
            ("", "/varz", Some("/varz")),
            ("/nats", "/nats", Some("/")),
            ("/nats", "/nats/", None),
            ("/nats", "/nats/varz", Some("/varz")),
            ("/nats", "/natsvarz", None),
            ("/nats", "/varz", None),
            ("/nats", "/", None),
        ] {
            assert_eq!(below(base, path), expected, "{base} {path}");
        }
    }
}
