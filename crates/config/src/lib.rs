//! Configuration: the config language and the command line in, typed [`Options`] out.
//!
//! Owns the grammar, every option's name, type, default and validation, and what may change at a reload.
//! The way of a file: [`lang`] makes a tree of it, `decode` makes [`Options`] of the tree and collects everything
//! that is wrong with it, [`validate`](mod@validate) looks at the options as a whole.
//!
//! Invariant: nothing here touches a file or the environment; both come through a trait the caller implements.

pub mod advertise;
mod decode;
pub mod diagnostic;
mod digest;
pub mod duration;
pub mod flags;
pub mod lang;
mod nkey;
pub mod options;
mod path;
pub mod reload;
pub mod sharing;
pub mod source;
pub mod validate;

use std::path::Path;

pub use diagnostic::{ConfigErrors, Diagnostic, Severity};
pub use digest::digest;
pub use options::Options;
pub use source::{MemorySource, Source};
pub use validate::{ValidationError, validate, validate_system_account};

/// A configuration that can be used, and what there is to say about it.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// What the file says, with defaults for the rest.
    pub options: Options,
    /// Warnings and notices, by place. [`Loaded::has_warnings`] tells whether `-t` fails.
    pub warnings: Vec<Diagnostic>,
}

impl Loaded {
    /// Whether something should be mended; notices do not count.
    // spec: CFG-002 CFG-005
    pub fn has_warnings(&self) -> bool {
        self.warnings.iter().any(|warning| warning.severity == Severity::Warning)
    }
}

/// Reads the file at `path`. Options are not checked against each other: that is [`validate()`]'s part (CFG-004).
pub fn load(path: &Path, source: &dyn Source) -> Result<Loaded, ConfigErrors> {
    let map = lang::parse_file(path, source)?;
    let mut loaded = decode::decode(&map, &path.display().to_string(), source)?;
    loaded.options.config_file = Some(path.to_owned());
    loaded.options.config_digest = digest(&map);
    Ok(loaded)
}

/// Reads configuration from text: for embedding. `name` stands for the file in messages.
pub fn parse_str(text: &str, name: &str, source: &dyn Source) -> Result<Loaded, ConfigErrors> {
    let map = lang::parse_text(text, name, source)?;
    let mut loaded = decode::decode(&map, name, source)?;
    loaded.options.config_digest = digest(&map);
    Ok(loaded)
}
