//! The official command's context files: named sets of connection settings.
//!
//! `$XDG_CONFIG_HOME/nats/context/NAME.json` (or `~/.config/nats/…`) holds one context each;
//! `nats/context.txt` beside that folder names the selected one. Contexts are only read here.
//!
//! Invariant: nothing in a context is ignored unseen. A setting that would change the connection and is not
//! supported comes back in [`Context::unsupported`].

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use thiserror::Error;

/// Settings that say nothing about the connections made here: display, and subjects of events.
const IRRELEVANT: [&str; 3] = ["description", "color_scheme", "jetstream_event_prefix"];

/// Why a context cannot be used.
#[derive(Debug, Error)]
pub(crate) enum ContextError {
    /// A name that would leave the folder.
    #[error("{name:?} cannot name a context: no path separators and no \"..\"; give the name without .json")]
    Name {
        /// What was asked for.
        name: String,
    },
    /// There is no such file.
    #[error("context {name:?} not found: {path} does not exist; {known}; or pass --no-context")]
    Unknown {
        /// What was asked for.
        name: String,
        /// Where it was looked for.
        path: String,
        /// The names there are, as a sentence.
        known: String,
    },
    /// The file cannot be read.
    #[error("context {name:?}: cannot read {path}: {source}")]
    Unreadable {
        /// Its name.
        name: String,
        /// Its file.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// The file is not what a context looks like.
    #[error("context {name:?}: {path} is no context file: {source}; mend it or pass --no-context")]
    Invalid {
        /// Its name.
        name: String,
        /// Its file.
        path: String,
        /// Where and why, from the JSON reader.
        source: serde_json::Error,
    },
    /// Neither `XDG_CONFIG_HOME` nor `HOME` is set.
    #[error("context {name:?}: no folder to look in, as neither XDG_CONFIG_HOME nor HOME is set")]
    NoHome {
        /// What was asked for.
        name: String,
    },
}

/// The environment, injectable for tests.
pub(crate) type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// One context; an empty text stands for "not set", as the official command writes it.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(default)]
pub(crate) struct Context {
    /// Servers, separated by commas.
    pub(crate) url: Option<String>,
    pub(crate) token: Option<String>,
    pub(crate) user: Option<String>,
    pub(crate) password: Option<String>,
    /// Path of a credentials file.
    pub(crate) creds: Option<String>,
    /// Path of a file with an nkey seed.
    pub(crate) nkey: Option<String>,
    pub(crate) user_jwt: Option<String>,
    pub(crate) user_seed: Option<String>,
    /// Path of the client certificate.
    pub(crate) cert: Option<String>,
    /// Path of the client certificate's key.
    pub(crate) key: Option<String>,
    /// Path of the authorities' certificates.
    pub(crate) ca: Option<String>,
    pub(crate) tls_first: Option<bool>,
    pub(crate) inbox_prefix: Option<String>,
    pub(crate) jetstream_domain: Option<String>,
    /// What the subjects of JetStream's requests begin with.
    pub(crate) jetstream_api_prefix: Option<String>,
    #[serde(flatten)]
    other: BTreeMap<String, serde_json::Value>,
}

impl Context {
    /// Names of settings that are present, matter, and cannot be honoured.
    pub(crate) fn unsupported(&self) -> Vec<&str> {
        let is_set = |value: &serde_json::Value| match value {
            serde_json::Value::Null | serde_json::Value::Bool(false) => false,
            serde_json::Value::String(text) => !text.is_empty(),
            serde_json::Value::Array(items) => !items.is_empty(),
            _ => true,
        };
        let matters =
            |(name, value): &(&String, &serde_json::Value)| !IRRELEVANT.contains(&name.as_str()) && is_set(value);
        self.other.iter().filter(matters).map(|(name, _)| name.as_str()).collect()
    }

    /// Drops empty texts and expands `~` and `$VARIABLES` in paths.
    fn tidied(mut self, env: Environment<'_>) -> Self {
        let texts = [&mut self.url, &mut self.token, &mut self.user, &mut self.password, &mut self.inbox_prefix];
        let secrets = [&mut self.user_jwt, &mut self.user_seed];
        let jetstream = [&mut self.jetstream_domain, &mut self.jetstream_api_prefix];
        for text in texts.into_iter().chain(secrets).chain(jetstream) {
            text.take_if(|text| text.is_empty());
        }
        for path in [&mut self.creds, &mut self.nkey, &mut self.cert, &mut self.key, &mut self.ca] {
            *path = path.take().filter(|path| !path.is_empty()).map(|path| expand(&path, env));
        }
        self
    }
}

/// The folder that holds contexts.
#[derive(Debug, Clone)]
pub(crate) struct ContextDir {
    root: PathBuf,
}

impl ContextDir {
    /// Finds the folder the way the official command does.
    pub(crate) fn find(env: Environment<'_>) -> Option<Self> {
        let set = |name: &str| env(name).filter(|value| !value.is_empty());
        let config = match set("XDG_CONFIG_HOME") {
            Some(config) => PathBuf::from(config),
            None => Path::new(&set("HOME")?).join(".config"),
        };
        Some(Self { root: config.join("nats") })
    }

    /// The context selected by `context.txt`, if any.
    pub(crate) fn selected(&self) -> Option<String> {
        let text = std::fs::read_to_string(self.root.join("context.txt")).ok()?;
        Some(text.trim().to_owned()).filter(|name| !name.is_empty())
    }

    /// Reads the context called `name`.
    pub(crate) fn load(&self, name: &str, env: Environment<'_>) -> Result<Context, ContextError> {
        if name.is_empty() || name.contains("..") || name.contains(['/', '\\']) {
            return Err(ContextError::Name { name: name.to_owned() });
        }
        let file = self.root.join("context").join(format!("{name}.json"));
        let path = file.display().to_string();
        let named = name.to_owned();
        let text = std::fs::read_to_string(&file).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => {
                ContextError::Unknown { name: named.clone(), path: path.clone(), known: self.known() }
            }
            _ => ContextError::Unreadable { name: named.clone(), path: path.clone(), source },
        })?;
        let context: Context =
            serde_json::from_str(&text).map_err(|source| ContextError::Invalid { name: named, path, source })?;
        Ok(context.tidied(env))
    }

    fn known(&self) -> String {
        let mut names: Vec<String> = std::fs::read_dir(self.root.join("context"))
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|entry| entry.file_name().to_str()?.strip_suffix(".json").map(str::to_owned))
            .collect();
        names.sort();
        if names.is_empty() {
            "there are no contexts".to_owned()
        } else {
            format!("known contexts: {}", names.join(", "))
        }
    }
}

/// Replaces a leading `~` by the home folder, and `$NAME` and `${NAME}` by the environment's values.
fn expand(path: &str, env: Environment<'_>) -> String {
    let home = path.strip_prefix('~').filter(|rest| rest.is_empty() || rest.starts_with('/'));
    let path = match (home, env("HOME")) {
        (Some(rest), Some(home)) => format!("{home}{rest}"),
        _ => path.to_owned(),
    };
    let mut out = String::new();
    let mut rest = path.as_str();
    while let Some(dollar) = rest.find('$') {
        out.push_str(&rest[..dollar]);
        rest = &rest[dollar + 1..];
        let (name, after) = match rest.strip_prefix('{').and_then(|braced| braced.split_once('}')) {
            Some(pair) => pair,
            None => rest.split_at(rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len())),
        };
        if name.is_empty() {
            out.push('$');
        }
        out.push_str(&env(name).unwrap_or_default());
        rest = after;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests;
