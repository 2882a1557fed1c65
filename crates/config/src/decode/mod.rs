//! From the tree of a file to [`Options`]: every option's name, type and meaning.
//!
//! One module per block. Everything wrong is collected, so that one run shows all of it; a value that cannot be used
//! leaves the default in its place, and the error keeps the options from being used at all.
//!
//! Invariant: no option is passed over in silence. It is decoded, or refused, or said to have no effect.

mod accounts;
mod authorization;
mod cluster;
mod exports;
mod fields;
mod findings;
mod gateway;
mod imports;
mod jetstream;
mod later;
mod leaf_remotes;
mod leafnodes;
mod links;
mod mappings;
mod permissions;
mod proxies;
mod sharing;
#[cfg(test)]
mod tests;
mod tls;
mod tls_names;
mod top;
mod users;

use std::path::PathBuf;

use findings::Findings;

use crate::diagnostic::ConfigErrors;
use crate::lang::{Kind, Map, Value};
use crate::options::Options;
use crate::{Loaded, Source};

/// What is known so far while a file is decoded.
pub(crate) struct Decoder<'s> {
    options: Options,
    findings: Findings,
    /// Where accounts name each other: checked when all of them are known.
    references: sharing::References,
    /// Where users stand, to tell duplicates.
    logins: users::Logins,
    /// Where streams are kept, as said at the top or in `jetstream`.
    store_dir: Option<PathBuf>,
    source: &'s dyn Source,
}

/// Decodes a whole file; `name` is how it is called in messages.
pub(crate) fn decode(map: &Map, name: &str, source: &dyn Source) -> Result<Loaded, ConfigErrors> {
    let mut decoder = Decoder {
        options: Options::default(),
        findings: Findings::default(),
        references: sharing::References::default(),
        logins: users::Logins::default(),
        store_dir: None,
        source,
    };
    if map.is_empty() {
        // spec: CFG-001
        decoder.findings.warn_plain(format!("{name}: config has no values or is empty"));
    }
    decoder.top_level(map);
    decoder.check_logins();
    decoder.place_streams();
    decoder.check_sharing();
    decoder.finish()
}

impl Decoder<'_> {
    fn finish(self) -> Result<Loaded, ConfigErrors> {
        let Findings { mut errors, mut warnings } = self.findings;
        let place = |span: &Option<crate::lang::Span>| span.as_ref().map(|s| (s.line, s.column));
        errors.sort_by_key(|finding| place(&finding.span));
        warnings.sort_by_key(|finding| place(&finding.span));
        if errors.is_empty() {
            Ok(Loaded { options: self.options, warnings })
        } else {
            Err(ConfigErrors { errors, warnings })
        }
    }

    /// Puts the directory of streams where it belongs, wherever it was said.
    // spec: CFG-085
    fn place_streams(&mut self) {
        if let Some(jetstream) = &mut self.options.jetstream {
            jetstream.store_dir = self.store_dir.take();
        }
    }

    /// Hands every entry of a map to `decode` with its key in lower case; `decode` answers whether it knows the key.
    // spec: CFG-003 CORE-181
    fn entries(&mut self, map: &Map, mut decode: impl FnMut(&mut Self, &str, &Value) -> bool) {
        for entry in map.iter() {
            let known = decode(self, &entry.key.to_ascii_lowercase(), &entry.value);
            if !known && !entry.value.used_as_variable {
                self.findings.error(&entry.value.span, format!("unknown field {:?}", entry.key));
            }
        }
    }

    /// The map that `value` has to be.
    fn map<'v>(&mut self, name: &str, value: &'v Value) -> Option<&'v Map> {
        match &value.kind {
            Kind::Map(map) => Some(map),
            _ => self.findings.wrong_type(name, "a map", value),
        }
    }
}
