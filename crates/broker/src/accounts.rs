//! All accounts of a server, and how the configuration ties them together.
//!
//! Configuring checks everything first and changes nothing if anything is wrong; an account keeps its subscriptions and
//! counters across a reload.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering::Relaxed};

use hashbrown::HashMap;
use martlet_config::Options;
use martlet_config::options::{self, Export, Import, ImportKind, Shared};
use martlet_config::sharing::{self, SharingError};
use martlet_subject::{self as subject, MappingError, Mappings, TransformError};
use parking_lot::RwLock;
use thiserror::Error;

use crate::account::{Account, GLOBAL, Rules, SYSTEM};
use crate::imports::{ServiceImport, StreamImport};
use crate::interest::Target;
use crate::site::Site;
use crate::system;

/// Why accounts cannot be tied together as configured.
#[derive(Debug, Error)]
pub enum AccountError {
    /// Exports and imports do not go together.
    #[error(transparent)]
    Sharing(#[from] SharingError),
    /// An import's subjects cannot be mapped to each other.
    #[error("Error adding {shared} import {subject:?}: {source}")]
    Transform {
        /// What is imported.
        shared: Shared,
        /// The subject meant.
        subject: String,
        /// Why.
        source: TransformError,
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

/// An account with its rules in the making.
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
        if let Some((_, error)) = sharing::check(options).into_iter().next() {
            return Err(error.into());
        }
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
            for import in imports {
                add_stream(&mut drafts, at, import)?;
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

fn exporter(drafts: &[Draft<'_>], import: &Import) -> usize {
    let is_exporter = |draft: &Draft<'_>| **draft.account.name() == *import.account;
    drafts.iter().position(is_exporter).expect("imports are checked: the account is there")
}

// spec: SEC-046
fn add_stream(drafts: &mut [Draft<'_>], importer: usize, import: &Import) -> Result<(), AccountError> {
    let ImportKind::Stream { allow_trace, .. } = import.kind else { return Ok(()) };
    let exporter = &drafts[exporter(drafts, import)].account;
    let stream = StreamImport::new(exporter, &import.subject, &import.local(), allow_trace)
        .map_err(|source| untransformed(Shared::Stream, &import.subject, source))?;
    drafts[importer].rules.streams.push(stream);
    Ok(())
}

// spec: SEC-047
fn add_service(drafts: &mut [Draft<'_>], importer: usize, import: &Import) -> Result<(), AccountError> {
    let ImportKind::Service { share, .. } = import.kind else { return Ok(()) };
    let exporter = exporter(drafts, import);
    let service = service(drafts, importer, exporter, &import.local(), &import.subject, share)?;
    drafts[importer].rules.services.push(Arc::new(service));
    Ok(())
}

/// The service that `exporter` answers on `subject` as `importer` sees it, on the terms of its export.
fn service(
    drafts: &[Draft<'_>],
    importer: usize,
    exporter: usize,
    local: &str,
    subject: &str,
    share: bool,
) -> Result<ServiceImport, AccountError> {
    let (account, offering) = (&drafts[importer].account, &drafts[exporter]);
    let export = sharing::authorize(&offering.rules.exports, account.name(), Shared::Service, subject)?;
    let mut service = ServiceImport::new(account, local, &offering.account, subject)
        .map_err(|source| untransformed(Shared::Service, subject, source))?;
    service.share = share;
    service.take_terms(export);
    Ok(service)
}

fn untransformed(shared: Shared, subject: &str, source: TransformError) -> AccountError {
    AccountError::Transform { shared, subject: subject.to_owned(), source }
}

/// What the system account exports by itself, and what every account imports from it by itself: each unless the
/// configuration does.
// spec: CLU-091 CLU-092
fn add_offers(drafts: &mut [Draft<'_>], options: &Options, name: &str) {
    let Some(at) = drafts.iter().position(|d| **d.account.name() == *name) else { return };
    let streams = drafts.iter().any(|d| system::uses_streams(options, d.account.name()));
    for export in system::exports().into_iter().filter(|export| streams || export.subject != system::STREAM_API) {
        let covered = |there: &Export| {
            there.kind.shared() == Shared::Service
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
    let (account, exporter) = (drafts[importer].account.clone(), drafts[system].account.name());
    let is_there = |s: &Arc<ServiceImport>| s.exporter_name == *exporter && *s.local == *offer.local.as_bytes();
    if drafts[importer].rules.services.iter().any(is_there) {
        return;
    }
    match service(drafts, importer, system, offer.local, &offer.subject_of(account.name()), offer.share) {
        Ok(service) => drafts[importer].rules.services.push(Arc::new(service)),
        // A name with a dot in it, or an export that is meant for others.
        Err(error) => log::warn!("Account {:?} cannot ask on {}: {error}", account.name(), offer.local),
    }
}
