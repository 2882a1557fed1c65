//! All accounts of a server, and how the configuration ties them together.
//!
//! Configuring checks everything first and changes nothing if anything is wrong; an account keeps its subscriptions and
//! counters across a reload.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering::Relaxed};

use hashbrown::HashMap;
use martlet_config::Options;
use martlet_config::options::{self, Export, ExportKind, Import, ImportKind};
use martlet_subject::{self as subject, MappingError, Mappings, TransformError};
use parking_lot::RwLock;
use thiserror::Error;

use crate::account::{Account, GLOBAL, Rules, SYSTEM};
use crate::imports::{ServiceImport, StreamImport};
use crate::interest::Target;
use crate::site::Site;
use crate::system;

/// Accounts that a chain of imports may pass before it is given up as endless.
const MAX_CHAIN: usize = 1024;

/// Why accounts cannot be tied together as configured.
#[derive(Debug, Error)]
pub enum AccountError {
    /// An import names an account that does not exist.
    #[error("Error adding {kind} import {subject:?} to account {importer:?}: account {exporter:?} does not exist")]
    NoExporter {
        /// `stream` or `service`.
        kind: &'static str,
        /// The importing account.
        importer: String,
        /// The account meant.
        exporter: String,
        /// The subject meant.
        subject: String,
    },
    /// No export allows an import (SEC-048).
    #[error("Error adding {kind} import {subject:?}: {kind} import not authorized")]
    NotAuthorized {
        /// `stream` or `service`.
        kind: &'static str,
        /// The subject meant.
        subject: String,
    },
    /// Imports lead back to where they started (SEC-051).
    #[error("Error adding {kind} import {subject:?}: import forms a cycle")]
    Cycle {
        /// `stream` or `service`.
        kind: &'static str,
        /// The subject meant.
        subject: String,
    },
    /// An import's subjects cannot be mapped to each other.
    #[error("Error adding {kind} import {subject:?}: {source}")]
    Transform {
        /// `stream` or `service`.
        kind: &'static str,
        /// The subject meant.
        subject: String,
        /// Why.
        source: TransformError,
    },
    /// The same stream twice (SEC-046).
    #[error("Error adding stream import {subject:?}: stream import already exists")]
    DuplicateStream {
        /// The subject meant.
        subject: String,
    },
    /// A mapping is not valid.
    #[error("Error adding mapping for {subject:?} in account {account:?}: {source}")]
    Mapping {
        /// The account.
        account: String,
        /// The subject mapped.
        subject: String,
        /// Why.
        source: MappingError,
    },
}

/// All accounts of a server.
#[derive(Debug)]
pub struct Accounts {
    map: RwLock<Map>,
    site: Arc<Site>,
    services: AtomicBool,
    ledgers: AtomicU8,
}

/// No account keeps a ledger.
const CLOSED: u8 = 0;
/// Ledgers book what this server wants.
const NARROW: u8 = 1;
/// Ledgers book what other members of the cluster want, too.
const WIDE: u8 = 2;

#[derive(Debug, Default, Clone)]
struct Map {
    by_name: HashMap<Arc<str>, Arc<Account>>,
    last_id: u32,
}

/// Rules in the making, with what cycle detection needs to know of them.
struct Draft<'o> {
    account: Arc<Account>,
    options: Option<&'o options::Account>,
    rules: Rules,
}

impl Accounts {
    /// No accounts yet, of the server `site`.
    pub fn new(site: Arc<Site>) -> Self {
        Self { map: RwLock::default(), site, services: AtomicBool::new(false), ledgers: AtomicU8::new(CLOSED) }
    }

    /// From the next configuration on, every account imports what the system account offers.
    pub(crate) fn offer_services(&self) {
        self.services.store(true, Relaxed);
    }

    /// From now on every account tells other servers what it wants; `wide` if there may be gateways or leaf nodes, which are
    /// told what other members of the cluster want, too. Best said before there are clients: what comes and goes
    /// meanwhile may be booked twice.
    pub fn open_ledgers(&self, wide: bool) {
        self.ledgers.fetch_max(if wide { WIDE } else { NARROW }, Relaxed);
        for account in self.all() {
            account.open_ledger(wide);
        }
    }

    /// The account of that name.
    pub fn get(&self, name: &str) -> Option<Arc<Account>> {
        self.map.read().by_name.get(name).cloned()
    }

    /// All of them, by name.
    pub fn all(&self) -> Vec<Arc<Account>> {
        let mut all: Vec<_> = self.map.read().by_name.values().cloned().collect();
        all.sort_by(|a, b| a.name().cmp(b.name()));
        all
    }

    /// Puts a configuration in force, or nothing of it.
    pub fn configure(&self, options: &Options) -> Result<(), AccountError> {
        let mut map = self.map.read().clone();
        let old = std::mem::take(&mut map.by_name);
        let mut drafts = Vec::new();
        for (name, of) in wanted(options) {
            let account = old.get(name).cloned().unwrap_or_else(|| {
                map.last_id += 1;
                let caches = !options.switches.disable_sublist_cache;
                let account = Account::new(map.last_id, name, caches).on(self.site.clone());
                match self.ledgers.load(Relaxed) {
                    CLOSED => {}
                    mode => account.open_ledger(mode == WIDE),
                }
                Arc::new(account)
            });
            map.by_name.insert(account.name().clone(), account.clone());
            let mappings =
                if name == GLOBAL { &options.mappings } else { of.map_or(&options.mappings, |a| &a.mappings) };
            let mut rules = Rules { mappings: compile(name, mappings)?, ..Rules::default() };
            let own: Vec<&str> = mappings.iter().map(|mapping| mapping.source.as_str()).collect();
            if let Some(of) = of {
                rules.exports.clone_from(&of.exports);
                rules.limits = of.limits.clone();
                rules.trace.clone_from(&of.trace);
                rules.nkey.clone_from(&of.nkey);
            } else if name != GLOBAL {
                rules.mappings = Mappings::default();
            }
            add_domain(name, options, &own, &mut rules.mappings)?;
            drafts.push(Draft { account, options: of, rules });
        }
        for at in 0..drafts.len() {
            let imports = drafts[at].options.map(|a| a.imports.as_slice()).unwrap_or_default();
            for import in imports.iter().filter(|i| matches!(i.kind, ImportKind::Stream { .. })) {
                add_stream(&mut drafts, at, import)?;
            }
            for import in imports.iter().filter(|i| matches!(i.kind, ImportKind::Service { .. })) {
                add_service(&mut drafts, at, import)?;
            }
        }
        if self.services.load(Relaxed) && !options.switches.no_system_account {
            add_offers(&mut drafts, options, options.system_account.as_deref().unwrap_or(SYSTEM));
        }
        for account in old.values().filter(|account| !map.by_name.contains_key(account.name())) {
            renew_services(account, &[]);
        }
        for Draft { account, rules, .. } in drafts {
            renew_services(&account, &rules.services);
            account.set_rules(rules);
        }
        *self.map.write() = map;
        Ok(())
    }
}

/// Puts the services that an account imports from now on in the place of those that it has imported on the same subjects, so
/// that no request meets neither.
fn renew_services(account: &Account, services: &[Arc<ServiceImport>]) {
    let mut old = account.rules().services.clone();
    for service in services {
        let new = Target::Service(service.clone());
        match old.iter().position(|old| old.local == service.local) {
            Some(at) => account.interest.replace(&service.local, &Target::Service(old.swap_remove(at)), new),
            None => account.add(&service.local, new),
        }
    }
    for service in old {
        account.remove(&service.local, &Target::Service(service.clone()));
    }
}

/// The accounts that a configuration asks for: the global one, the system account, and its own.
fn wanted(options: &Options) -> Vec<(&str, Option<&options::Account>)> {
    let mut wanted: Vec<(&str, Option<&options::Account>)> = vec![(GLOBAL, None)];
    wanted.extend(options.accounts.iter().map(|a| (a.name.as_str(), Some(a))));
    let system = options.system_account.as_deref().unwrap_or(SYSTEM);
    if !options.switches.no_system_account && !wanted.iter().any(|(name, _)| *name == system) {
        wanted.push((system, None));
    }
    wanted
}

fn compile(account: &str, mappings: &[options::Mapping]) -> Result<Mappings, AccountError> {
    let mut compiled = Mappings::default();
    for mapping in mappings {
        let destinations = mapping.destinations.iter().map(|d| (d.subject.as_str(), d.weight, d.cluster.as_deref()));
        compiled.add(&mapping.source, destinations).map_err(|source| AccountError::Mapping {
            account: account.to_owned(),
            subject: mapping.source.clone(),
            source,
        })?;
    }
    Ok(compiled)
}

/// What an account with streams maps by itself, unless the configuration does: the subjects of its domain.
// spec: JS-002 NEW-040 CLU-097
fn add_domain(name: &str, options: &Options, own: &[&str], mappings: &mut Mappings) -> Result<(), AccountError> {
    const TAILS: [&str; 9] =
        ["INFO", "STREAM.>", "CONSUMER.>", "DIRECT.>", "META.>", "SERVER.>", "ACCOUNT.>", "$KV.>", "$OBJ.>"];
    let domain = options.jetstream.as_ref().map(|block| block.domain.as_str()).unwrap_or_default();
    let is_system = options.system_account.as_deref().unwrap_or(SYSTEM) == name;
    // Whoever watches over the server asks by its domain, too.
    let has_api = system::uses_streams(options, name) || is_system && options.jetstream.is_some();
    if domain.is_empty() || !has_api {
        return Ok(());
    }
    for tail in TAILS {
        let source = format!("$JS.{domain}.API.{tail}");
        let to = if tail.starts_with('$') { tail.to_owned() } else { format!("$JS.API.{tail}") };
        if !own.contains(&source.as_str()) {
            mappings.add(&source, [(to.as_str(), 100, None)]).map_err(|error| AccountError::Mapping {
                account: name.to_owned(),
                subject: source.clone(),
                source: error,
            })?;
        }
    }
    Ok(())
}

fn find(drafts: &[Draft<'_>], importer: usize, import: &Import, kind: &'static str) -> Result<usize, AccountError> {
    drafts.iter().position(|d| **d.account.name() == *import.account).ok_or_else(|| AccountError::NoExporter {
        kind,
        importer: drafts[importer].account.name().to_string(),
        exporter: import.account.clone(),
        subject: import.subject.clone(),
    })
}

// spec: SEC-046 SEC-051
fn add_stream(drafts: &mut [Draft<'_>], importer: usize, import: &Import) -> Result<(), AccountError> {
    let kind = "stream";
    let ImportKind::Stream { to, prefix, allow_trace } = &import.kind else { return Ok(()) };
    let exporter = find(drafts, importer, import, kind)?;
    let subject = &import.subject;
    authorize(&drafts[exporter], &drafts[importer].account, subject, kind)?;
    let local = match (to, prefix) {
        (Some(to), _) => to.clone(),
        (None, Some(prefix)) => format!("{}.{subject}", prefix.trim_end_matches('.')),
        (None, None) => subject.clone(),
    };
    let stream = StreamImport::new(&drafts[exporter].account, subject, &local, *allow_trace)
        .map_err(|source| AccountError::Transform { kind, subject: subject.clone(), source })?;
    let mut visited = vec![importer];
    if stream_cycle(drafts, exporter, &stream.local, &mut visited) {
        return Err(AccountError::Cycle { kind, subject: subject.clone() });
    }
    let streams = &mut drafts[importer].rules.streams;
    if streams
        .iter()
        .any(|s| s.exporter_name == stream.exporter_name && s.from == stream.from && s.local == stream.local)
    {
        return Err(AccountError::DuplicateStream { subject: subject.clone() });
    }
    streams.push(stream);
    Ok(())
}

// spec: SEC-047 SEC-051
fn add_service(drafts: &mut [Draft<'_>], importer: usize, import: &Import) -> Result<(), AccountError> {
    let kind = "service";
    let ImportKind::Service { to, share } = &import.kind else { return Ok(()) };
    let exporter = find(drafts, importer, import, kind)?;
    let subject = &import.subject;
    let export = authorize(&drafts[exporter], &drafts[importer].account, subject, kind)?;
    let local = to.as_deref().unwrap_or(subject);
    let mut service = ServiceImport::new(&drafts[importer].account, local, &drafts[exporter].account, subject)
        .map_err(|source| AccountError::Transform { kind, subject: subject.clone(), source })?;
    service.share = *share;
    service.take_terms(&export);
    let mut visited = vec![importer];
    if service_cycle(drafts, exporter, &service.local, &mut visited) {
        return Err(AccountError::Cycle { kind, subject: subject.clone() });
    }
    drafts[importer].rules.services.push(Arc::new(service));
    Ok(())
}

/// What the system account exports by itself, and what every account imports from it by itself: each unless the
/// configuration does.
// spec: CLU-091 CLU-092
fn add_offers(drafts: &mut [Draft<'_>], options: &Options, name: &str) {
    let Some(at) = drafts.iter().position(|d| **d.account.name() == *name) else { return };
    let streams = drafts.iter().any(|d| system::uses_streams(options, d.account.name()));
    for export in system::exports().into_iter().filter(|export| streams || export.subject != system::STREAM_API) {
        let covered = |there: &Export| {
            !matches!(there.kind, ExportKind::Stream)
                && subject::is_subset(export.subject.as_bytes(), there.subject.as_bytes())
        };
        if !drafts[at].rules.exports.iter().any(covered) {
            drafts[at].rules.exports.push(export);
        }
    }
    for importer in 0..drafts.len() {
        for offer in system::OFFERS.iter().filter(|offer| offer.of_system || importer != at) {
            add_offer(drafts, importer, at, offer);
        }
        let account = drafts[importer].account.name().clone();
        // Where there are streams, an account that may have none is told so.
        if importer != at && (options.jetstream.is_some() || system::uses_streams(options, &account)) {
            add_offer(drafts, importer, at, &system::STREAMS);
        }
    }
}

fn add_offer(drafts: &mut [Draft<'_>], importer: usize, system: usize, offer: &system::Offer) {
    let (account, exporter) = (drafts[importer].account.clone(), drafts[system].account.clone());
    let is_there = |s: &Arc<ServiceImport>| s.exporter_name == *exporter.name() && *s.local == *offer.local.as_bytes();
    if drafts[importer].rules.services.iter().any(is_there) {
        return;
    }
    let to = offer.subject_of(account.name());
    let made = authorize(&drafts[system], &account, &to, "service").and_then(|export| {
        let mut service = ServiceImport::new(&account, offer.local, &exporter, &to)
            .map_err(|source| AccountError::Transform { kind: "service", subject: to.clone(), source })?;
        service.take_terms(&export);
        service.share = offer.share;
        Ok(service)
    });
    match made {
        Ok(service) => drafts[importer].rules.services.push(Arc::new(service)),
        // A name with a dot in it, or an export that is meant for others.
        Err(error) => log::warn!("Account {:?} cannot ask on {}: {error}", account.name(), offer.local),
    }
}

/// The export that allows `importer` to take `wanted`.
// spec: SEC-048
fn authorize(
    exporter: &Draft<'_>,
    importer: &Account,
    wanted: &str,
    kind: &'static str,
) -> Result<Export, AccountError> {
    let is_stream = kind == "stream";
    let of_kind = || exporter.rules.exports.iter().filter(|e| matches!(e.kind, ExportKind::Stream) == is_stream);
    let exact = of_kind().find(|e| e.subject == wanted);
    let mut candidates: Box<dyn Iterator<Item = &Export>> = match exact {
        Some(export) => Box::new(std::iter::once(export)),
        None => Box::new(of_kind().filter(|e| subject::is_subset(wanted.as_bytes(), e.subject.as_bytes()))),
    };
    candidates
        .find(|export| is_approved(export, importer, wanted))
        .cloned()
        .ok_or_else(|| AccountError::NotAuthorized { kind, subject: wanted.to_owned() })
}

fn is_approved(export: &Export, importer: &Account, wanted: &str) -> bool {
    if export.account_token_position > 0 {
        let at = export.account_token_position as usize - 1;
        return wanted.split('.').nth(at) == Some(importer.name());
    }
    export.accounts.as_ref().is_none_or(|accounts| accounts.iter().any(|name| **name == **importer.name()))
}

/// Whether what `at` imports leads a stream that is seen as `to` back to an account already visited.
fn stream_cycle(drafts: &[Draft<'_>], at: usize, to: &[u8], visited: &mut Vec<usize>) -> bool {
    let exports = &drafts[at].rules.exports;
    let exported =
        exports.iter().any(|e| matches!(e.kind, ExportKind::Stream) && subject::is_subset(to, e.subject.as_bytes()));
    exported
        && drafts[at].rules.streams.iter().any(|stream| {
            subject::overlaps(to, &stream.local)
                && leads_back(drafts, at, &stream.exporter_name, visited, |next, visited| {
                    let narrower = if subject::is_subset(&stream.local, to) { &stream.local } else { to };
                    stream_cycle(drafts, next, narrower, visited)
                })
        })
}

/// Whether a request on `from` that reaches `at` would be asked of an account already visited.
fn service_cycle(drafts: &[Draft<'_>], at: usize, from: &[u8], visited: &mut Vec<usize>) -> bool {
    drafts[at].rules.services.iter().any(|service| {
        subject::overlaps(from, &service.to)
            && leads_back(drafts, at, &service.exporter_name, visited, |next, visited| {
                let narrower = if subject::is_subset(&service.local, from) { &service.local } else { from };
                service_cycle(drafts, next, narrower, visited)
            })
    })
}

fn leads_back(
    drafts: &[Draft<'_>],
    at: usize,
    next: &str,
    visited: &mut Vec<usize>,
    follow: impl FnOnce(usize, &mut Vec<usize>) -> bool,
) -> bool {
    let Some(next) = drafts.iter().position(|d| **d.account.name() == *next) else { return false };
    if visited.contains(&next) || visited.len() >= MAX_CHAIN {
        return true;
    }
    if !visited.contains(&at) {
        visited.push(at);
    }
    follow(next, visited)
}
