//! Exports and imports against each other, once every account is known.
//!
//! Invariant: nothing is checked while there are other errors; half an account would only give misleading ones.

use martlet_subject::{Transform, is_subset, is_valid_literal, is_valid_pattern, overlaps, tokens};

use super::Decoder;
use crate::lang::Span;
use crate::options::{Account, Export, ExportKind, Import, ImportKind, ResponseType};

/// Accounts that imports may lead through (the reference's bound).
const MAX_CYCLE_SEARCH: usize = 1024;

/// Where exports and imports stand.
#[derive(Debug, Default)]
pub(super) struct References {
    pub(super) exports: Vec<ExportPlace>,
    pub(super) imports: Vec<ImportPlace>,
}

#[derive(Debug)]
pub(super) struct ExportPlace {
    pub(super) account: usize,
    pub(super) export: usize,
    pub(super) span: Span,
}

#[derive(Debug)]
pub(super) struct ImportPlace {
    pub(super) account: usize,
    pub(super) import: usize,
    pub(super) span: Span,
}

/// An import that is in order, for the search for cycles: accounts by index, subjects with plain wildcards.
struct Link {
    importer: usize,
    exporter: usize,
    local: String,
    remote: String,
}

impl Decoder<'_> {
    pub(super) fn check_sharing(&mut self) {
        if !self.findings.errors.is_empty() {
            return;
        }
        let accounts = &self.options.accounts;
        for place in &self.references.exports {
            let account = &accounts[place.account];
            let no_system_account = self.options.switches.no_system_account;
            if let Err(text) = check_export(accounts, account, &account.exports[place.export], no_system_account) {
                self.findings.error(&place.span, text);
            }
        }
        if !self.findings.errors.is_empty() {
            return;
        }
        let (mut streams, mut services) = (Vec::new(), Vec::new());
        for place in &self.references.imports {
            let import = &accounts[place.account].imports[place.import];
            let (kind, links) = match import.kind {
                ImportKind::Stream { .. } => ("stream", &mut streams),
                ImportKind::Service { .. } => ("service", &mut services),
            };
            // spec: CFG-127
            let Some(exporter) = accounts.iter().position(|account| account.name == import.account) else {
                let text = format!("{:?} account not defined for {kind} import", import.account);
                self.findings.error(&place.span, text);
                continue;
            };
            match check_import(accounts, place.account, exporter, import, links) {
                Ok(link) => links.push(link),
                Err(reason) => {
                    let text = format!("Error adding {kind} import {:?}: {reason}", import.subject);
                    self.findings.error(&place.span, text);
                }
            }
        }
    }
}

// spec: CFG-127 CFG-267 CFG-268
fn check_export(
    accounts: &[Account],
    account: &Account,
    export: &Export,
    no_system_account: bool,
) -> Result<(), String> {
    let subject = &export.subject;
    let kind = if matches!(export.kind, ExportKind::Stream) { "stream" } else { "service" };
    for name in export.accounts.iter().flatten() {
        if !accounts.iter().any(|account| account.name == *name) {
            return Err(format!("{name:?} account not defined for {kind} export"));
        }
    }
    let position = export.account_token_position as usize;
    let token_is_free = position == 0 || tokens(subject.as_bytes()).nth(position - 1) == Some(b"*");
    if !is_valid_pattern(subject.as_bytes()) || !token_is_free {
        return Err(format!("Error adding {kind} export {subject:?}: invalid subject"));
    }
    let ExportKind::Service { response, latency: Some(latency), .. } = &export.kind else { return Ok(()) };
    if no_system_account {
        return Err(format!("Error adding service latency sampling for {subject:?}: system account not setup"));
    }
    let target = latency.subject.as_bytes();
    let loops = account
        .exports
        .iter()
        .any(|other| matches!(other.kind, ExportKind::Service { .. }) && is_subset(target, other.subject.as_bytes()));
    let reason = if !is_valid_literal(target) || loops {
        "invalid publish subject"
    } else if *response != ResponseType::Singleton {
        "bad service response type"
    } else {
        return Ok(());
    };
    Err(format!("Error adding service latency sampling for {subject:?} on subject {:?}: {reason}", latency.subject))
}

// spec: CFG-126
fn check_import(
    accounts: &[Account],
    importer: usize,
    exporter: usize,
    import: &Import,
    links: &[Link],
) -> Result<Link, String> {
    let remote = &import.subject;
    let is_stream = matches!(import.kind, ImportKind::Stream { .. });
    let written = match &import.kind {
        ImportKind::Stream { prefix: Some(prefix), .. } => format!("{}.{remote}", prefix.trim_end_matches('.')),
        ImportKind::Stream { to, .. } | ImportKind::Service { to, .. } => to.clone().unwrap_or_else(|| remote.clone()),
    };
    let valid = [&written, remote].into_iter().all(|subject| is_valid_pattern(subject.as_bytes()));
    if !is_stream && !valid {
        return Err("invalid subject".into());
    }
    if !is_authorized(&accounts[exporter], &accounts[importer].name, remote, is_stream) {
        return Err(format!("{} import not authorized", if is_stream { "stream" } else { "service" }));
    }
    if let ImportKind::Stream { prefix: Some(prefix), .. } = &import.kind
        && has_wildcards(prefix)
    {
        return Err("stream import prefix can not contain wildcard tokens".into());
    }
    let link = Link { importer, exporter, local: with_wildcards(&written), remote: remote.clone() };
    let forms_cycle = if is_stream {
        [&link.local, remote].into_iter().any(|to| stream_cycle(accounts, links, exporter, to, &mut vec![importer]))
    } else {
        service_cycle(links, exporter, &link.local, &mut vec![importer])
    };
    if forms_cycle {
        return Err("import forms a cycle".into());
    }
    if has_wildcards(remote) && written != *remote {
        Transform::import(remote, &with_numbers(&written)).map_err(|e| {
            let kind = if is_stream { "stream" } else { "service" };
            format!("failed to create mapping transform for {kind} import subject from {remote:?} to {written:?}: {e}")
        })?;
    }
    let twice = |other: &Link| other.importer == importer && other.exporter == exporter && other.remote == *remote;
    if is_stream && links.iter().any(twice) {
        return Err("stream import already exists".into());
    }
    Ok(link)
}

/// Whether `exporter` offers `subject` to the account `importer`. An export of exactly this subject decides alone.
fn is_authorized(exporter: &Account, importer: &str, subject: &str, stream: bool) -> bool {
    let mut offered = exporter
        .exports
        .iter()
        .filter(|export| matches!(export.kind, ExportKind::Stream) == stream)
        .filter(|export| is_subset(subject.as_bytes(), export.subject.as_bytes()));
    let exact = exporter
        .exports
        .iter()
        .rev()
        .find(|export| matches!(export.kind, ExportKind::Stream) == stream && export.subject == subject);
    let allows = |export: &Export| {
        let position = export.account_token_position as usize;
        if position > 0 {
            return tokens(subject.as_bytes()).nth(position - 1) == Some(importer.as_bytes());
        }
        export.accounts.as_ref().is_none_or(|accounts| accounts.iter().any(|name| name == importer))
    };
    exact.map_or_else(|| offered.any(allows), allows)
}

/// Whether what `account` takes in leads back to an account that was passed.
fn stream_cycle(accounts: &[Account], links: &[Link], account: usize, to: &str, passed: &mut Vec<usize>) -> bool {
    let exports = &accounts[account].exports;
    let is_exported = exports
        .iter()
        .any(|export| matches!(export.kind, ExportKind::Stream) && is_subset(to.as_bytes(), export.subject.as_bytes()));
    is_exported
        && links.iter().filter(|link| link.importer == account).any(|link| {
            overlaps(to.as_bytes(), link.local.as_bytes()) && {
                let narrower = if is_subset(link.local.as_bytes(), to.as_bytes()) { &link.local } else { to };
                leads_back(link, account, passed, |passed| {
                    stream_cycle(accounts, links, link.exporter, narrower, passed)
                })
            }
        })
}

fn service_cycle(links: &[Link], account: usize, from: &str, passed: &mut Vec<usize>) -> bool {
    links.iter().filter(|link| link.importer == account).any(|link| {
        overlaps(from.as_bytes(), link.remote.as_bytes()) && {
            let narrower = if is_subset(link.local.as_bytes(), from.as_bytes()) { &link.local } else { from };
            leads_back(link, account, passed, |passed| service_cycle(links, link.exporter, narrower, passed))
        }
    })
}

fn leads_back(
    link: &Link,
    account: usize,
    passed: &mut Vec<usize>,
    follow: impl FnOnce(&mut Vec<usize>) -> bool,
) -> bool {
    if passed.contains(&link.exporter) || passed.len() >= MAX_CYCLE_SEARCH {
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

/// `a.$1.{{wildcard(2)}}` as the pattern `a.*.*`.
fn with_wildcards(subject: &str) -> String {
    let plain = |token| {
        let token: &str = token;
        let numbered = token.strip_prefix('$').is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()));
        if numbered || token.to_ascii_lowercase().starts_with("{{") { "*" } else { token }
    };
    subject.split('.').map(plain).collect::<Vec<_>>().join(".")
}

/// `a.*.*` as the destination `a.$1.$2`.
fn with_numbers(subject: &str) -> String {
    let mut wildcards = 0;
    let mut number = |token: &str| {
        if token == "*" {
            wildcards += 1;
            format!("${wildcards}")
        } else {
            token.to_owned()
        }
    };
    subject.split('.').map(&mut number).collect::<Vec<_>>().join(".")
}
