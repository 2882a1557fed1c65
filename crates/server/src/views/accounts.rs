//! Accounts: what they are, and what went through them.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use martlet_broker::account::{Account, Rules};
use martlet_broker::imports::{ServiceImport, StreamImport};
use martlet_broker::responses::Response;
use martlet_config::options::{self, Export, Latency, ResponseType, Sampling};
use martlet_monitor::snapshot::{
    AccountSnapshot, AccountTraffic, Direction, ExportKind, ExportSnapshot, ImportSnapshot, LatencySnapshot,
    MappingSnapshot, MappingTarget, Traffic,
};
use martlet_subject::Mappings;

use super::{View, subs};

impl View {
    pub(super) fn account_of(&self, account: &Account) -> AccountSnapshot {
        let rules = account.rules();
        let (settings, _) = self.broker.settings();
        let name = account.name().to_string();
        AccountSnapshot {
            updated: Some(self.options.read().since),
            is_system: settings.system_account.as_deref() == Some(&*name),
            has_jetstream: self.jetstream.get().is_some_and(|jetstream| jetstream.is_enabled(account.name())),
            clients: account.connections().into(),
            leafnodes: account.leafs().into(),
            mappings: mappings(&rules.mappings),
            exports: exports(&rules),
            imports: rules.streams.iter().map(of_stream).chain(rules.services.iter().map(|s| of_service(s))).collect(),
            interest: subs::stats(account),
            responses: responses(account),
            // An account of a configuration file calls itself by its name.
            name_tag: name.clone(),
            name,
            ..AccountSnapshot::default()
        }
    }

    /// What went through `accounts`: what did through connections that are gone, and what did through open ones.
    pub(super) fn traffic_of(&self, accounts: &[Arc<Account>]) -> Vec<AccountTraffic> {
        let gone = || -> Vec<AccountTraffic> { accounts.iter().map(|account| gone(account)).collect() };
        let (open, mut traffic) = self.broker.registry.snapshot(gone);
        let places: HashMap<u32, usize> = accounts.iter().enumerate().map(|(at, a)| (a.id(), at)).collect();
        for peer in open {
            let Some(place) = peer.account().and_then(|account| places.get(&account.id()).copied()) else { continue };
            let (of, out) = (&mut traffic[place], peer.outbox.totals());
            of.received.all.msgs += peer.counters.in_msgs.load(Relaxed);
            of.received.all.bytes += peer.counters.in_bytes.load(Relaxed);
            of.sent.all.msgs += out.messages;
            of.sent.all.bytes += out.bytes;
        }
        for (of, account) in traffic.iter_mut().zip(accounts) {
            of.connections = account.connections().into();
            of.leafnodes = account.leafs().into();
            of.subscriptions = account.interest.len() as u64;
        }
        traffic
    }
}

fn gone(account: &Account) -> AccountTraffic {
    let totals = &account.totals;
    let direction = |msgs, bytes| Direction { all: Traffic { msgs, bytes }, ..Direction::default() };
    AccountTraffic {
        account: account.name().to_string(),
        name_tag: account.name().to_string(),
        sent: direction(totals.out_msgs.load(Relaxed), totals.out_bytes.load(Relaxed)),
        received: direction(totals.in_msgs.load(Relaxed), totals.in_bytes.load(Relaxed)),
        slow_consumers: totals.slow_consumers.load(Relaxed),
        ..AccountTraffic::default()
    }
}

/// The mappings in effect. Per cluster the smallest share comes first, and weights are added up along the way.
fn mappings(mappings: &Mappings) -> Vec<MappingSnapshot> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let mut all: Vec<MappingSnapshot> = Vec::new();
    for (source, cluster, share, subject) in mappings.destinations() {
        let target =
            MappingTarget { subject: text(subject), weight: share, cluster: cluster.unwrap_or_default().into() };
        match all.last_mut().filter(|mapping| mapping.source.as_bytes() == source) {
            Some(mapping) => mapping.targets.push(target),
            None => all.push(MappingSnapshot { source: text(source), targets: vec![target] }),
        }
    }
    for mapping in &mut all {
        for list in mapping.targets.chunk_by_mut(|a, b| a.cluster == b.cluster) {
            list.sort_by_key(|target| target.weight);
            let mut sum = 0;
            for target in list {
                sum += target.weight;
                target.weight = sum;
            }
        }
    }
    all
}

fn exports(rules: &Rules) -> Vec<ExportSnapshot> {
    let mut exports: Vec<_> = rules.exports.iter().map(of_export).collect();
    exports.sort_by_key(|export| export.kind == ExportKind::Stream);
    exports
}

fn of_export(export: &Export) -> ExportSnapshot {
    let mut shown = ExportSnapshot {
        subject: export.subject.clone(),
        approved_accounts: export.accounts.clone().unwrap_or_default(),
        ..ExportSnapshot::default()
    };
    if let options::ExportKind::Service { response, latency, .. } = &export.kind {
        shown.kind = ExportKind::Service;
        shown.latency = latency.as_ref().map(of_latency);
        shown.response_type = match response {
            ResponseType::Singleton => "Singleton",
            ResponseType::Stream => "Streamed",
            ResponseType::Chunked => "Chunked",
        }
        .into();
    }
    shown
}

fn of_latency(latency: &Latency) -> LatencySnapshot {
    let sampling = match latency.sampling {
        Sampling::Headers => 0,
        Sampling::Percent(percent) => percent,
    };
    LatencySnapshot { sampling, subject: latency.subject.clone() }
}

fn of_stream(import: &StreamImport) -> ImportSnapshot {
    ImportSnapshot {
        subject: String::from_utf8_lossy(&import.from).into_owned(),
        account: import.exporter_name.to_string(),
        local_subject: String::from_utf8_lossy(&import.local).into_owned(),
        invalid: import.exporter.strong_count() == 0,
        ..ImportSnapshot::default()
    }
}

fn of_service(import: &ServiceImport) -> ImportSnapshot {
    ImportSnapshot {
        subject: String::from_utf8_lossy(&import.to).into_owned(),
        account: import.exporter_name.to_string(),
        local_subject: String::from_utf8_lossy(&import.local).into_owned(),
        kind: ExportKind::Service,
        invalid: import.exporter.strong_count() == 0,
        share: import.share,
        latency: import.latency.as_ref().map(of_latency),
        ..ImportSnapshot::default()
    }
}

/// The replies that an account owes, as the imports back that they are.
fn responses(account: &Account) -> Vec<ImportSnapshot> {
    let mut all = Vec::new();
    account.responses.for_each(|token, response: &Response| {
        all.push(ImportSnapshot {
            subject: String::from_utf8_lossy(&response.reply).into_owned(),
            account: response.destination().to_string(),
            local_subject: String::from_utf8_lossy(token).into_owned(),
            kind: ExportKind::Service,
            tracking: response.is_measured(),
            ..ImportSnapshot::default()
        });
    });
    all
}
