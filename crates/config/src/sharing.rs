//! Exports and imports against each other: which export allows an import, and whether all of them go together.
//!
//! A file's accounts are checked when it is read, so that what is wrong is told with its place; options made in code are
//! checked when they are put in force. Both ask here.
//!
//! Invariant: imports are not looked at while an export is wrong; half an account would only give misleading errors.

use std::collections::HashMap;

use martlet_subject::{
    Transform, TransformError, identity_dest, is_subset, is_valid_literal, is_valid_pattern, overlaps, result_pattern,
    tokens,
};
use thiserror::Error;

use crate::options::{Account, Export, ExportKind, Import, ImportKind, Latency, Options, ResponseType, Shared};

/// Accounts that imports may lead through (the reference's bound).
const MAX_CYCLE_SEARCH: usize = 1024;

/// Where something is shared: the account and the item, both by index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Place {
    /// One of an account's exports.
    Export(usize, usize),
    /// One of an account's imports.
    Import(usize, usize),
}

/// Why accounts do not share as they are configured to.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SharingError {
    /// An export is for an account that does not exist.
    #[error("{account:?} account not defined for {shared} export")]
    NoImporter {
        /// The account meant.
        account: String,
        /// What is exported.
        shared: Shared,
    },
    /// An import is from an account that does not exist.
    #[error("{account:?} account not defined for {shared} import")]
    NoExporter {
        /// The account meant.
        account: String,
        /// What is imported.
        shared: Shared,
    },
    /// An export's subject is none, or has no wildcard where the importer's name is to stand.
    #[error("Error adding {shared} export {subject:?}: invalid subject")]
    ExportedSubject {
        /// What is exported.
        shared: Shared,
        /// Its subject.
        subject: String,
    },
    /// Latencies are measured by the system account.
    #[error("Error adding service latency sampling for {subject:?}: system account not setup")]
    LatencyWithoutSystemAccount {
        /// The service.
        subject: String,
    },
    /// Latencies cannot be measured, or not be told there.
    #[error("Error adding service latency sampling for {subject:?} on subject {target:?}: {reason}")]
    Latency {
        /// The service.
        subject: String,
        /// Where they are told.
        target: String,
        /// Why not.
        reason: LatencyError,
    },
    /// An import that cannot be.
    #[error("Error adding {shared} import {subject:?}: {reason}")]
    Import {
        /// What is imported.
        shared: Shared,
        /// The exporter's subject.
        subject: String,
        /// Why not.
        reason: ImportError,
    },
}

/// Why the latency of a service is not measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum LatencyError {
    /// Not a literal subject, or the service's own.
    #[error("invalid publish subject")]
    Subject,
    /// Only a single reply ends a request.
    #[error("bad service response type")]
    Response,
}

/// Why an import cannot be.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ImportError {
    /// One of a service's subjects is none.
    #[error("invalid subject")]
    Subject,
    /// No export allows it.
    #[error("{0} import not authorized")]
    NotAuthorized(Shared),
    /// What is put before the subject has to be literal.
    #[error("stream import prefix can not contain wildcard tokens")]
    WildcardPrefix,
    /// It leads back to the importer.
    #[error("import forms a cycle")]
    Cycle,
    /// Its subjects cannot be mapped to each other.
    #[error("failed to create mapping transform for {shared} import subject from {from:?} to {to:?}: {source}")]
    Transform {
        /// What is imported.
        shared: Shared,
        /// The exporter's subject.
        from: String,
        /// The importer's.
        to: String,
        /// Why not.
        source: TransformError,
    },
    /// The importer has the stream already.
    #[error("stream import already exists")]
    DuplicateStream,
}

/// Everything that is wrong with what the accounts of `options` share, each where it stands.
// spec: CFG-126 CFG-127 CFG-267 CFG-268
pub fn check(options: &Options) -> Vec<(Place, SharingError)> {
    let mut accounts = HashMap::new();
    for (at, account) in options.accounts.iter().enumerate() {
        accounts.entry(account.name.as_str()).or_insert(at);
    }
    let mut check = Check { options, accounts, streams: Links::new(), services: Links::new(), errors: Vec::new() };
    check.exports();
    if check.errors.is_empty() {
        check.imports();
    }
    check.errors
}

/// The one of `exports` that allows the account `importer` to take `subject`. An export of exactly this subject decides
/// alone.
// spec: SEC-048
pub fn authorize<'e>(
    exports: &'e [Export],
    importer: &str,
    shared: Shared,
    subject: &str,
) -> Result<&'e Export, SharingError> {
    let allows = |export: &&Export| {
        let position = export.account_token_position as usize;
        if position > 0 {
            return tokens(subject.as_bytes()).nth(position - 1) == Some(importer.as_bytes());
        }
        export.accounts.as_ref().is_none_or(|accounts| accounts.iter().any(|name| name == importer))
    };
    let mut of_kind = exports.iter().filter(|export| export.kind.shared() == shared);
    let found = match of_kind.clone().find(|export| export.subject == subject) {
        Some(exact) => Some(exact).filter(allows),
        None => of_kind.find(|export| is_subset(subject.as_bytes(), export.subject.as_bytes()) && allows(export)),
    };
    found.ok_or_else(|| SharingError::Import {
        shared,
        subject: subject.to_owned(),
        reason: ImportError::NotAuthorized(shared),
    })
}

/// An import that is in order, as the search for cycles sees it: subjects with plain wildcards.
struct Link {
    exporter: usize,
    local: String,
    remote: String,
}

/// Imports by their importers.
type Links = HashMap<usize, Vec<Link>>;

struct Check<'o> {
    options: &'o Options,
    accounts: HashMap<&'o str, usize>,
    streams: Links,
    services: Links,
    errors: Vec<(Place, SharingError)>,
}

impl Check<'_> {
    fn exports(&mut self) {
        for (at, account) in self.options.accounts.iter().enumerate() {
            for (item, export) in account.exports.iter().enumerate() {
                if let Err(error) = self.export(account, export) {
                    self.errors.push((Place::Export(at, item), error));
                }
            }
        }
    }

    fn export(&self, account: &Account, export: &Export) -> Result<(), SharingError> {
        let (shared, subject) = (export.kind.shared(), &export.subject);
        if let Some(name) = export.accounts.iter().flatten().find(|name| !self.accounts.contains_key(name.as_str())) {
            return Err(SharingError::NoImporter { account: name.clone(), shared });
        }
        let position = export.account_token_position as usize;
        let token_is_free = position == 0 || tokens(subject.as_bytes()).nth(position - 1) == Some(b"*");
        if !is_valid_pattern(subject.as_bytes()) || !token_is_free {
            return Err(SharingError::ExportedSubject { shared, subject: subject.clone() });
        }
        let ExportKind::Service { response, latency: Some(latency), .. } = &export.kind else { return Ok(()) };
        if self.options.switches.no_system_account {
            return Err(SharingError::LatencyWithoutSystemAccount { subject: subject.clone() });
        }
        check_latency(account, *response, latency).map_err(|reason| SharingError::Latency {
            subject: subject.clone(),
            target: latency.subject.clone(),
            reason,
        })
    }

    fn imports(&mut self) {
        for (at, account) in self.options.accounts.iter().enumerate() {
            for (item, import) in account.imports.iter().enumerate() {
                let shared = import.kind.shared();
                match self.import(at, account, import) {
                    Ok(link) => {
                        let links = if shared == Shared::Stream { &mut self.streams } else { &mut self.services };
                        links.entry(at).or_default().push(link);
                    }
                    Err(error) => self.errors.push((Place::Import(at, item), error)),
                }
            }
        }
    }

    // spec: SEC-046
    fn import(&self, at: usize, importer: &Account, import: &Import) -> Result<Link, SharingError> {
        let (shared, remote) = (import.kind.shared(), &import.subject);
        let Some(&exporter) = self.accounts.get(import.account.as_str()) else {
            return Err(SharingError::NoExporter { account: import.account.clone(), shared });
        };
        let refuse = |reason| SharingError::Import { shared, subject: remote.clone(), reason };
        let local = import.local();
        let is_valid = [&*local, remote.as_str()].into_iter().all(|subject| is_valid_pattern(subject.as_bytes()));
        if shared == Shared::Service && !is_valid {
            return Err(refuse(ImportError::Subject));
        }
        authorize(&self.options.accounts[exporter].exports, &importer.name, shared, remote)?;
        if let ImportKind::Stream { prefix: Some(prefix), .. } = &import.kind
            && has_wildcards(prefix)
        {
            return Err(refuse(ImportError::WildcardPrefix));
        }
        let link = Link { exporter, local: result_pattern(&local), remote: remote.clone() };
        if self.leads_to(at, shared, &link) {
            return Err(refuse(ImportError::Cycle));
        }
        if has_wildcards(remote) && local != *remote {
            Transform::import(remote, &identity_dest(&local)).map_err(|source| {
                let (from, to) = (remote.clone(), local.to_string());
                refuse(ImportError::Transform { shared, from, to, source })
            })?;
        }
        let is_same = |other: &Link| other.exporter == exporter && other.remote == *remote;
        if shared == Shared::Stream && self.streams.get(&at).into_iter().flatten().any(is_same) {
            return Err(refuse(ImportError::DuplicateStream));
        }
        Ok(link)
    }

    /// Whether what is imported by `link` comes from the importer itself, the account `importer`, through others.
    // spec: SEC-051
    fn leads_to(&self, importer: usize, shared: Shared, link: &Link) -> bool {
        match shared {
            Shared::Stream => [&link.local, &link.remote]
                .into_iter()
                .any(|to| self.stream_cycle(link.exporter, to, &mut vec![importer])),
            Shared::Service => self.service_cycle(link.exporter, &link.local, &mut vec![importer]),
        }
    }

    /// Whether what `account` takes in leads back to an account that was passed.
    fn stream_cycle(&self, account: usize, to: &str, passed: &mut Vec<usize>) -> bool {
        let is_exported = self.options.accounts[account].exports.iter().any(|export| {
            export.kind.shared() == Shared::Stream && is_subset(to.as_bytes(), export.subject.as_bytes())
        });
        is_exported
            && self.streams.get(&account).into_iter().flatten().any(|link| {
                overlaps(to.as_bytes(), link.local.as_bytes())
                    && leads_back(link.exporter, account, passed, |passed| {
                        self.stream_cycle(link.exporter, narrower(link, to), passed)
                    })
            })
    }

    /// Whether a request on `from` that reaches `account` would be asked of an account that was passed.
    fn service_cycle(&self, account: usize, from: &str, passed: &mut Vec<usize>) -> bool {
        self.services.get(&account).into_iter().flatten().any(|link| {
            overlaps(from.as_bytes(), link.remote.as_bytes())
                && leads_back(link.exporter, account, passed, |passed| {
                    self.service_cycle(link.exporter, narrower(link, from), passed)
                })
        })
    }
}

fn check_latency(account: &Account, response: ResponseType, latency: &Latency) -> Result<(), LatencyError> {
    let target = latency.subject.as_bytes();
    let is_a_service = account
        .exports
        .iter()
        .any(|other| other.kind.shared() == Shared::Service && is_subset(target, other.subject.as_bytes()));
    if !is_valid_literal(target) || is_a_service {
        return Err(LatencyError::Subject);
    }
    if response == ResponseType::Singleton { Ok(()) } else { Err(LatencyError::Response) }
}

/// What of `subject` goes on through `link`.
fn narrower<'s>(link: &'s Link, subject: &'s str) -> &'s str {
    if is_subset(link.local.as_bytes(), subject.as_bytes()) { &link.local } else { subject }
}

fn leads_back(
    exporter: usize,
    account: usize,
    passed: &mut Vec<usize>,
    follow: impl FnOnce(&mut Vec<usize>) -> bool,
) -> bool {
    if passed.contains(&exporter) || passed.len() >= MAX_CYCLE_SEARCH {
        return true;
    }
    if !passed.contains(&account) {
        passed.push(account);
    }
    follow(passed)
}

fn has_wildcards(subject: &str) -> bool {
    subject.split('.').any(|token| token == "*" || token == ">")
}
