//! Accounts: their users, limits, mappings, exports and imports.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use super::auth::{Permissions, User};
use super::jetstream::AccountJetStream;

/// How long replies of a service may take (CFG-266).
pub(crate) const RESPONSE_THRESHOLD: Duration = Duration::from_mins(2);

/// One account of `accounts {}`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Account {
    /// Its name.
    pub name: String,
    /// Its public account nkey.
    pub nkey: Option<String>,
    /// Its users.
    pub users: Vec<User>,
    /// For users without their own.
    pub default_permissions: Option<Permissions>,
    /// What it offers to other accounts.
    pub exports: Vec<Export>,
    /// What it takes from other accounts.
    pub imports: Vec<Import>,
    /// Its subject mappings, in file order.
    pub mappings: Vec<Mapping>,
    /// Its limits.
    pub limits: AccountLimits,
    /// What it may use of streams, this server's or other servers'; `None` for none.
    pub jetstream: Option<AccountJetStream>,
    /// Where messages with a sampled `traceparent` are traced to (CORE-126).
    pub trace: Option<TraceDestination>,
}

/// Limits of one account; `None` is no limit.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AccountLimits {
    /// Client connections.
    pub max_connections: Option<u32>,
    /// Subscriptions of one connection.
    pub max_subscriptions: Option<u32>,
    /// Bytes of one message.
    pub max_payload: Option<u32>,
    /// Leaf node connections.
    pub max_leafnodes: Option<u32>,
}

/// `msg_trace`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceDestination {
    /// A literal subject.
    pub subject: String,
    /// Percent of sampled messages traced, 1 to 100.
    pub sampling: u8,
}

/// What crosses accounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shared {
    /// Messages.
    Stream,
    /// Requests and their replies.
    Service,
}

impl fmt::Display for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stream => "stream",
            Self::Service => "service",
        })
    }
}

/// Something an account offers.
#[derive(Debug, Clone, PartialEq)]
pub struct Export {
    /// The subject pattern offered.
    pub subject: String,
    /// As a stream or as a service.
    pub kind: ExportKind,
    /// The accounts it is offered to; `None` is everyone.
    pub accounts: Option<Vec<String>>,
    /// Which token (from 1) of the subject must be the importing account's name; 0 is none.
    pub account_token_position: u32,
    /// Whether message traces may follow a message through (services only).
    pub allow_trace: bool,
}

impl Export {
    /// Takes on what `more` says of the same subject: whoever is named in either may import it, and nobody else.
    pub(crate) fn extend(&mut self, more: Self) {
        if let Some(accounts) = more.accounts {
            self.accounts.get_or_insert_default().extend(accounts);
        }
        if more.account_token_position > 0 {
            self.account_token_position = more.account_token_position;
        }
        self.allow_trace |= more.allow_trace;
        let (
            ExportKind::Service { response, threshold, latency },
            ExportKind::Service { response: more_response, threshold: more_threshold, latency: more_latency },
        ) = (&mut self.kind, more.kind)
        else {
            return;
        };
        if more_response != ResponseType::default() {
            *response = more_response;
        }
        if more_threshold != RESPONSE_THRESHOLD {
            *threshold = more_threshold;
        }
        if more_latency.is_some() {
            *latency = more_latency;
        }
    }
}

/// What is exported.
#[derive(Debug, Clone, PartialEq)]
pub enum ExportKind {
    /// Messages flow from the exporter to importers.
    Stream,
    /// Requests flow to the exporter, replies back.
    Service {
        /// How many replies a request has.
        response: ResponseType,
        /// How long replies may take.
        threshold: Duration,
        /// Latency measurements.
        latency: Option<Latency>,
    },
}

impl ExportKind {
    /// What it offers.
    pub fn shared(&self) -> Shared {
        match self {
            Self::Stream => Shared::Stream,
            Self::Service { .. } => Shared::Service,
        }
    }
}

/// How many replies a service gives to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ResponseType {
    /// One.
    #[default]
    Singleton,
    /// Any number.
    Stream,
    /// One, in chunks.
    Chunked,
}

/// Latency measurements of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Latency {
    /// Where they are published.
    pub subject: String,
    /// Which requests.
    pub sampling: Sampling,
}

/// Which requests are measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sampling {
    /// Those whose headers ask for it.
    Headers,
    /// This percentage, 1 to 100.
    Percent(u8),
}

/// Something an account takes from another.
#[derive(Debug, Clone, PartialEq)]
pub struct Import {
    /// The exporting account.
    pub account: String,
    /// The subject pattern in the exporting account.
    pub subject: String,
    /// As a stream or as a service.
    pub kind: ImportKind,
}

impl Import {
    /// The subject in the importing account, as it is written: wildcards may be numbered.
    pub fn local(&self) -> Cow<'_, str> {
        match &self.kind {
            ImportKind::Stream { prefix: Some(prefix), .. } => {
                format!("{}.{}", prefix.trim_end_matches('.'), self.subject).into()
            }
            ImportKind::Stream { to, .. } | ImportKind::Service { to, .. } => {
                to.as_deref().unwrap_or(&self.subject).into()
            }
        }
    }
}

/// How it is imported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImportKind {
    /// Messages of the exporter appear in the importer.
    Stream {
        /// The subject in the importing account (`to`); the exporter's when unset.
        to: Option<String>,
        /// A literal put before the exporter's subject; excludes `to`.
        prefix: Option<String>,
        /// Whether message traces may follow.
        allow_trace: bool,
    },
    /// Requests of the importer reach the exporter.
    Service {
        /// The subject in the importing account (`to`); the exporter's when unset.
        to: Option<String>,
        /// Whether the exporter sees who asked.
        share: bool,
    },
}

impl ImportKind {
    /// What it takes.
    pub fn shared(&self) -> Shared {
        match self {
            Self::Stream { .. } => Shared::Stream,
            Self::Service { .. } => Shared::Service,
        }
    }
}

/// A subject mapping with its destinations (CORE-110 …).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapping {
    /// The pattern mapped.
    pub source: String,
    /// Where to, by weight.
    pub destinations: Vec<Destination>,
}

/// One destination of a mapping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// The destination, with transform functions.
    pub subject: String,
    /// Percent, 0 to 100.
    pub weight: u8,
    /// Only in this cluster; everywhere when unset.
    pub cluster: Option<String>,
}
