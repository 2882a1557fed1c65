//! What two servers agree on about compression.

use std::time::Duration;

use martlet_broker::driver::Level;
use martlet_config::options::Compression;
use thiserror::Error;

/// The other side named a mode that there is not.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("unsupported compression mode {0:?}")]
pub(crate) struct UnknownMode(pub String);

/// What a link is agreed to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Agreed {
    /// One side cannot.
    NotSupported,
    /// As it is.
    Off,
    /// Compressed, at this level by this side.
    At(Mode),
}

/// How this side compresses what it writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mode {
    /// At one level.
    Fixed(Level),
    /// As the round-trip time asks; the thresholds.
    Auto(Vec<Duration>),
}

impl Agreed {
    /// The name in `/routez` and in INFO lines after the agreement; `rtt` as measured.
    pub(crate) fn name(&self, rtt: Duration) -> &'static str {
        match self {
            Self::NotSupported => "not supported",
            Self::Off => "off",
            Self::At(mode) => level_name(mode.level(rtt)),
        }
    }
}

impl Mode {
    /// The level at this round-trip time.
    // spec: CLU-038
    pub fn level(&self, rtt: Duration) -> Level {
        match self {
            Self::Fixed(level) => *level,
            Self::Auto(thresholds) => {
                let levels = [Level::Uncompressed, Level::Fast, Level::Better, Level::Best];
                // A threshold of zero leaves its level out.
                let at = thresholds.iter().position(|most| rtt <= *most && !most.is_zero());
                levels[at.unwrap_or(thresholds.len()).min(levels.len() - 1)]
            }
        }
    }
}

fn level_name(level: Level) -> &'static str {
    match level {
        Level::Uncompressed => "s2_uncompressed",
        Level::Fast => "s2_fast",
        Level::Better => "s2_better",
        Level::Best => "s2_best",
    }
}

/// Whether there is anything to agree on: only then are INFO lines held back for it.
pub(crate) fn is_negotiated(local: &Compression) -> bool {
    !matches!(local, Compression::Off | Compression::NotSupported)
}

/// How a side that is configured like that compresses, if it does so of its own accord.
pub(crate) fn own_mode(local: &Compression) -> Option<Mode> {
    Some(match local {
        Compression::S2Auto(thresholds) => Mode::Auto(thresholds.clone()),
        Compression::S2Uncompressed => Mode::Fixed(Level::Uncompressed),
        Compression::S2Fast => Mode::Fixed(Level::Fast),
        Compression::S2Better => Mode::Fixed(Level::Better),
        Compression::S2Best => Mode::Fixed(Level::Best),
        Compression::NotSupported | Compression::Off | Compression::Accept => return None,
    })
}

/// What a side that is configured as `local` does with one that says `remote` in its INFO.
// spec: CLU-033 CLU-034
pub(crate) fn negotiate(local: &Compression, remote: &str) -> Result<Agreed, UnknownMode> {
    let own = || own_mode(local).map_or(Agreed::Off, Agreed::At);
    Ok(match (local, remote) {
        (Compression::NotSupported, _) | (_, "") => Agreed::NotSupported,
        // Whoever wants none does not ask what the other side could have done.
        (Compression::Off, _) | (_, "off") => Agreed::Off,
        (_, "not supported") => Agreed::NotSupported,
        (Compression::Accept, "s2_uncompressed") => Agreed::At(Mode::Fixed(Level::Uncompressed)),
        (Compression::Accept, "s2_auto" | "s2_fast") => Agreed::At(Mode::Fixed(Level::Fast)),
        (Compression::Accept, "s2_better") => Agreed::At(Mode::Fixed(Level::Better)),
        (Compression::Accept, "s2_best") => Agreed::At(Mode::Fixed(Level::Best)),
        (_, "accept" | "s2_auto" | "s2_uncompressed" | "s2_fast" | "s2_better" | "s2_best") => own(),
        (_, other) => return Err(UnknownMode(other.to_owned())),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_says_what_to_whom() {
        // spec: CLU-033 CLU-034
        let fast = || Agreed::At(Mode::Fixed(Level::Fast));
        let best = || Agreed::At(Mode::Fixed(Level::Best));
        for (local, remote, agreed) in [
            (Compression::NotSupported, "s2_fast", Agreed::NotSupported),
            (Compression::S2Fast, "", Agreed::NotSupported),
            (Compression::S2Fast, "not supported", Agreed::NotSupported),
            (Compression::Off, "s2_fast", Agreed::Off),
            (Compression::Off, "not supported", Agreed::Off),
            (Compression::Off, "", Agreed::NotSupported),
            (Compression::S2Fast, "off", Agreed::Off),
            (Compression::Accept, "accept", Agreed::Off),
            (Compression::Accept, "s2_auto", fast()),
            (Compression::Accept, "s2_best", best()),
            (Compression::S2Best, "accept", best()),
            (Compression::S2Best, "s2_fast", best()),
            (
                Compression::s2_auto(),
                "s2_best",
                Agreed::At(Mode::Auto([10, 50, 100].map(Duration::from_millis).to_vec())),
            ),
        ] {
            assert_eq!(negotiate(&local, remote), Ok(agreed), "{local:?} meets {remote:?}");
        }
        assert_eq!(negotiate(&Compression::S2Fast, "zip"), Err(UnknownMode("zip".into())));
    }

    #[test]
    fn the_level_follows_the_round_trip_time() {
        // spec: CLU-038
        let auto = |ms: &[u64]| Mode::Auto(ms.iter().map(|ms| Duration::from_millis(*ms)).collect());
        for (thresholds, rtt, level) in [
            (&[10, 50, 100][..], 5, Level::Uncompressed),
            (&[10, 50, 100], 10, Level::Uncompressed),
            (&[10, 50, 100], 11, Level::Fast),
            (&[10, 50, 100], 60, Level::Better),
            (&[10, 50, 100], 101, Level::Best),
            (&[0, 50, 100], 1, Level::Fast),
            (&[10, 0, 100], 11, Level::Better),
        ] {
            assert_eq!(auto(thresholds).level(Duration::from_millis(rtt)), level, "{rtt} ms against {thresholds:?}");
        }
    }
}
