//! Profiles of a running program, of which this one makes none: it says so in the words that tools know.

use std::time::Duration;

use martlet_config::duration;
use serde::Serialize;

use crate::body::Body;

/// The longest time that may be asked for.
const LONGEST: Duration = Duration::from_secs(15);

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ProfilezOptions {
    /// The profile.
    pub name: String,
    /// How much it tells.
    pub debug: i64,
    /// How long it watches, in nanoseconds.
    pub duration: i64,
}

impl ProfilezOptions {
    /// Reads them from a JSON body.
    pub fn from_body(body: &mut Body<'_>) -> Self {
        Self { name: body.text("name"), debug: body.int("debug"), duration: body.int_as("duration", "time.Duration") }
    }
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Profilez {
    /// The profile: there is none.
    pub(crate) profile: Option<String>,
    /// Why.
    pub(crate) error: String,
}

/// Answers.
// spec: CLU-115
pub fn profilez(options: &ProfilezOptions) -> Profilez {
    let nanos = Duration::from_nanos(options.duration.unsigned_abs());
    let sign = if options.duration < 0 { "-" } else { "" };
    let error = match options.name.as_str() {
        "" => "Profile name not specified".into(),
        "cpu" if options.duration <= 0 || nanos > LONGEST => {
            format!("Duration {sign}{} should be between 0s and 15s", duration::format(nanos))
        }
        "cpu" => "Failed to start CPU profile: this server makes no profiles".into(),
        name => format!("Profile {name:?} not found"),
    };
    Profilez { profile: None, error }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_no_profiles() {
        // spec: CLU-115
        let error = |name: &str, duration| {
            profilez(&ProfilezOptions { name: name.into(), duration, ..ProfilezOptions::default() }).error
        };
        assert_eq!(error("", 0), "Profile name not specified");
        assert_eq!(error("z\"z", 0), "Profile \"z\\\"z\" not found");
        for (nanos, text) in [
            (0, "0s"),
            (-5, "-5ns"),
            (-1_500, "-1.5µs"),
            (15_000_000_001, "15.000000001s"),
            (1_500_000_000_000, "25m0s"),
            (3_661_500_000_000, "1h1m1.5s"),
        ] {
            assert_eq!(error("cpu", nanos), format!("Duration {text} should be between 0s and 15s"));
        }
        assert!(error("cpu", 15_000_000_000).starts_with("Failed to start"));
    }
}
