//! Options from the machine: its files, its environment, and the command line over them.

use std::path::Path;

use martlet_config::diagnostic::Severity;
use martlet_config::flags::Parsed;
use martlet_config::{ConfigErrors, Loaded, Options, Source};

/// The real files and the real environment.
pub(super) struct Machine;

impl Source for Machine {
    fn read(&self, path: &Path) -> std::io::Result<Vec<u8>> {
        std::fs::read(path)
    }

    fn env(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }
}

/// The options of the configuration file at `path`, for a server inside another program. What there is to say about them
/// goes to the log.
pub fn load(path: impl AsRef<Path>) -> Result<Options, ConfigErrors> {
    let loaded = martlet_config::load(path.as_ref(), &Machine)?;
    for warning in &loaded.warnings {
        log::warn!("{warning}");
    }
    Ok(loaded.options)
}

/// Options and what there is to say about them.
#[derive(Debug)]
pub(super) struct Configured {
    pub(super) options: Options,
    /// What should be mended in the file, as lines for standard error.
    pub(super) warnings: String,
    /// What is accepted without effect, for the log.
    pub(super) notices: Vec<String>,
}

/// The file and the flags over it. [`check`] it before use.
// spec: CFG-018
pub(super) fn read(parsed: &Parsed, source: &dyn Source) -> Result<Configured, String> {
    let mut read = Configured { options: Options::default(), warnings: String::new(), notices: Vec::new() };
    if let Some(path) = &parsed.config {
        let loaded = martlet_config::load(path, source).map_err(|errors| errors.to_string())?;
        if loaded.has_warnings() {
            read.warnings = warnings(&loaded) + "\n";
        }
        read.notices = of(&loaded, Severity::Notice);
        read.options = loaded.options;
    }
    parsed.overlay.apply(&mut read.options).map_err(|error| error.to_string())?;
    Ok(read)
}

/// Options against each other; apart from [`read`], because a reload settles ports in between.
// spec: CFG-093 CFG-434
pub(super) fn check(options: &Options) -> Result<(), String> {
    martlet_config::validate(options).map_err(|error| error.to_string())
}

/// Whether the system account is there; a reload first finds out whether it may be another at all.
// spec: CFG-073
pub(super) fn check_system_account(options: &Options) -> Result<(), String> {
    martlet_config::validate_system_account(options).map_err(|error| error.to_string())
}

/// The warnings, a line each.
pub(super) fn warnings(loaded: &Loaded) -> String {
    of(loaded, Severity::Warning).join("\n")
}

fn of(loaded: &Loaded, severity: Severity) -> Vec<String> {
    loaded.warnings.iter().filter(|found| found.severity == severity).map(ToString::to_string).collect()
}
