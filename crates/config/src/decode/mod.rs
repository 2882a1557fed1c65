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
    /// Where accounts ask for `JetStream`: only servers that this one is linked to may have it.
    streams: Vec<Value>,
    source: &'s dyn Source,
}

/// Decodes a whole file; `name` is how it is called in messages.
pub(crate) fn decode(map: &Map, name: &str, source: &dyn Source) -> Result<Loaded, ConfigErrors> {
    let mut decoder = Decoder {
        options: Options::default(),
        findings: Findings::default(),
        references: sharing::References::default(),
        logins: users::Logins::default(),
        streams: Vec::new(),
        source,
    };
    if map.is_empty() {
        // spec: CFG-001
        decoder.findings.warn_plain(format!("{name}: config has no values or is empty"));
    }
    decoder.top_level(map);
    decoder.check_logins();
    decoder.check_streams();
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

    /// Accounts may use streams of servers that this one is linked to; on its own it has none.
    // spec: CFG-123
    fn check_streams(&mut self) {
        let options = &self.options;
        if options.clustered().is_some() || options.gateway.is_some() || options.leafnodes.is_some() {
            return;
        }
        for value in std::mem::take(&mut self.streams) {
            self.later_option("accounts.jetstream", &value);
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
