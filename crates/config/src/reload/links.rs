//! What changed of the links between servers: cluster, gateway, leaf nodes.

use std::time::Duration;

use super::change::{ClusterChange, LeafChange, LeafRemoteChange};
use super::format::{list, seconds, write_timeout};
use super::{Change, NotReloadable, fixed, push_if};
use crate::advertise;
use crate::duration;
use crate::options::{
    Cluster, Gateway, HandshakeFirst, LeafNodes, LeafRemote, LeafUser, LinkUrl, Options, RemoteGateway, Secret, Tls,
};
use crate::validate::links::exists;

/// What nobody should read in a log.
const REDACTED: &str = "[REDACTED]";

// spec: CFG-146 CFG-147 CFG-148 CFG-149 CFG-151 CFG-152 CFG-153 CFG-154 CFG-155 CFG-156 CFG-157 CFG-158 CFG-159
// spec: CFG-160 CFG-161 CFG-162 CFG-460 CFG-461 CFG-462 CFG-463
pub(super) fn cluster(old: &Options, new: &Options, changes: &mut Vec<Change>) -> Result<(), NotReloadable> {
    let unset = Cluster::default();
    let (before, after) = (old.cluster.as_ref().unwrap_or(&unset), new.cluster.as_ref().unwrap_or(&unset));
    fixed("cluster host", &before.host, &after.host, String::clone)?;
    fixed("cluster port", &before.port, &after.port, i32::to_string)?;
    if let Some(value) = &after.advertise {
        advertise::parse(value, 0).map_err(|reason| NotReloadable::Advertise {
            option: "Cluster.Advertise",
            value: value.clone(),
            reason,
        })?;
    }
    let missing = |from: &[&str], these: &[&str]| -> Vec<String> {
        these.iter().filter(|name| !from.contains(name)).map(|&name| name.to_owned()).collect()
    };
    let (pinned_before, pinned) = (old.pinned_accounts(), new.pinned_accounts());
    let added = missing(&pinned_before, &pinned);
    if let Some(account) = added.iter().find(|name| !exists(new, name) && new.system_account.as_ref() != Some(name)) {
        return Err(NotReloadable::PinnedAccount(account.clone()));
    }
    let removed = missing(&pinned, &pinned_before);
    let same = Cluster { routes: before.routes.clone(), ..after.clone() } == *before;
    let (name_before, name) = (old.settled_cluster_name(), new.settled_cluster_name());
    // The same files may hold new certificates.
    let tls = before.tls.is_some() || after.tls.is_some();
    if !same || tls || name_before != name || !added.is_empty() || !removed.is_empty() {
        changes.push(Change::Cluster(Box::new(ClusterChange {
            name: name.filter(|name| name_before != Some(name)).map(str::to_owned),
            permissions: before.permissions != after.permissions,
            compression: before.compression != after.compression,
            pool_size: before.pool_size != after.pool_size,
            accounts_added: added,
            accounts_removed: removed,
            tls,
            pinned_certs: pinned_certs(before.tls.as_ref()) != pinned_certs(after.tls.as_ref()),
        })));
    }
    Ok(())
}

// spec: CFG-150
pub(super) fn routes(old: &Options, new: &Options, changes: &mut Vec<Change>) {
    let of = |options: &Options| options.cluster.as_ref().map(|cluster| cluster.routes.clone()).unwrap_or_default();
    let (before, after) = (of(old), of(new));
    let missing = |from: &[LinkUrl], these: &[LinkUrl]| -> Vec<LinkUrl> {
        these.iter().filter(|url| !from.contains(url)).cloned().collect()
    };
    let (added, removed) = (missing(&before, &after), missing(&after, &before));
    push_if(changes, !added.is_empty() || !removed.is_empty(), Change::Routes { added, removed });
}

/// The certificates that peers may have, in no particular order.
fn pinned_certs(tls: Option<&Tls>) -> Vec<&str> {
    let mut pinned: Vec<_> = tls.into_iter().flat_map(|tls| &tls.pinned_certs).map(String::as_str).collect();
    pinned.sort_unstable();
    pinned
}

/// Where a refusal points to.
struct Place {
    block: &'static str,
    remote: Option<String>,
}

impl Place {
    /// Refuses a field that differs.
    fn same<T: PartialEq + Copy>(
        &self,
        field: &'static str,
        old: T,
        new: T,
        show: impl Fn(T) -> String,
    ) -> Result<(), NotReloadable> {
        if old == new {
            return Ok(());
        }
        let (old, new) = (show(old), show(new));
        let remote = self.remote.as_ref().map(|remote| format!("remote {remote}: ")).unwrap_or_default();
        Err(NotReloadable::Field { block: self.block, remote, field, old, new })
    }
}

fn shown<T: ToString + Copy>(value: T) -> String {
    value.to_string()
}

fn text(value: Option<&str>) -> String {
    value.unwrap_or_default().to_owned()
}

/// A password is set or it is not: more is not told.
fn secret(value: Option<&Secret>) -> String {
    value.map(|_| REDACTED.to_owned()).unwrap_or_default()
}

fn time(value: Duration) -> String {
    duration::format(value)
}

fn optional_time(value: Option<Duration>) -> String {
    duration::format(value.unwrap_or_default())
}

fn tls_timeout(tls: Option<&Tls>) -> Duration {
    tls.map_or(Duration::from_secs(2), |tls| tls.timeout)
}

/// Gateways are what they are; only their certificates may be others.
// spec: CFG-323 CFG-333
pub(super) fn gateway(old: &Options, new: &Options, changes: &mut Vec<Change>) -> Result<(), NotReloadable> {
    let unset = Gateway::default();
    let (before, after) = (old.gateway.as_ref().unwrap_or(&unset), new.gateway.as_ref().unwrap_or(&unset));
    let place = Place { block: "Gateway", remote: None };
    place.same("Name", &before.name, &after.name, String::clone)?;
    place.same("Host", &before.host, &after.host, String::clone)?;
    place.same("Port", before.port, after.port, shown)?;
    place.same("Username", before.login.user.as_deref(), after.login.user.as_deref(), text)?;
    place.same("Password", before.login.password.as_ref(), after.login.password.as_ref(), secret)?;
    let (tls_before, tls) = (before.tls.as_ref(), after.tls.as_ref());
    let timeouts = (before.login.connect_timeout(tls_before), after.login.connect_timeout(tls));
    place.same("AuthTimeout", timeouts.0, timeouts.1, seconds)?;
    place.same("TLSTimeout", tls_timeout(tls_before), tls_timeout(tls), seconds)?;
    let is = |tls: Option<&Tls>, what: fn(&Tls) -> bool| tls.is_some_and(what);
    place.same("TLSMap", is(tls_before, |tls| tls.map), is(tls, |tls| tls.map), shown)?;
    let known_urls = |tls| is(tls, |tls| tls.check_known_urls);
    place.same("TLSCheckKnownURLs", known_urls(tls_before), known_urls(tls), shown)?;
    place.same("Advertise", before.advertise.as_deref(), after.advertise.as_deref(), text)?;
    place.same("ConnectRetries", before.connect_retries, after.connect_retries, shown)?;
    place.same("ConnectBackoff", before.connect_backoff, after.connect_backoff, shown)?;
    place.same("Gateways", &known_clusters(before), &known_clusters(after), |clusters| list(clusters))?;
    place.same("RejectUnknown", before.reject_unknown, after.reject_unknown, shown)?;
    place.same("WriteDeadline", before.write_deadline, after.write_deadline, optional_time)?;
    place.same("WriteTimeout", before.write_timeout, after.write_timeout, write_timeout)?;
    let any_tls = |gateway: &Gateway| gateway.tls.is_some() || gateway.remotes.iter().any(|r| r.tls.is_some());
    let pinned_certs = pinned_certs(tls_before) != pinned_certs(tls);
    push_if(changes, any_tls(before) || any_tls(after), Change::GatewayTls { pinned_certs });
    Ok(())
}

/// Other clusters with their addresses, by name; whom their certificates come from does not matter here.
fn known_clusters(gateway: &Gateway) -> Vec<String> {
    let mut remotes: Vec<&RemoteGateway> = gateway.remotes.iter().collect();
    remotes.sort_by(|a, b| a.name.cmp(&b.name));
    remotes.iter().map(|remote| format!("{} {:?}", remote.name, remote.urls)).collect()
}

// spec: CFG-171 CFG-453 CFG-455
pub(super) fn leafnodes(old: &Options, new: &Options, changes: &mut Vec<Change>) -> Result<(), NotReloadable> {
    let unset = LeafNodes::default();
    let (before, after) = (old.leafnodes.as_ref().unwrap_or(&unset), new.leafnodes.as_ref().unwrap_or(&unset));
    let place = Place { block: "LeafNode", remote: None };
    place.same("Users", &users(before), &users(after), |users| {
        list(&users.iter().map(|user| user.user.clone()).collect::<Vec<_>>())
    })?;
    leaf_listener(&place, before, after)?;
    let (first_before, first) = (handshake_first(before.tls.as_ref()), handshake_first(after.tls.as_ref()));
    push_if(changes, before.tls.is_some() || after.tls.is_some(), LeafChange::Tls);
    if first_before != first {
        changes.push(LeafChange::HandshakeFirst(first.is_some()).into());
        changes.push(LeafChange::HandshakeFirstFallback(first.unwrap_or_default()).into());
    }
    let compression = &after.compression;
    push_if(changes, before.compression != *compression, LeafChange::Compression(compression.clone()));
    leaf_remotes(before, after, changes)
}

/// Users by their names: the order in a file means nothing.
fn users(leafnodes: &LeafNodes) -> Vec<&LeafUser> {
    let mut users: Vec<_> = leafnodes.authorization.users.iter().collect();
    users.sort_by(|a, b| a.user.cmp(&b.user));
    users
}

/// What is fixed of the listener, in the order in which the reference looks.
fn leaf_listener(place: &Place, before: &LeafNodes, after: &LeafNodes) -> Result<(), NotReloadable> {
    let (old, new) = (&before.authorization, &after.authorization);
    place.same("Host", &before.host, &after.host, String::clone)?;
    place.same("Port", before.port, after.port, shown)?;
    place.same("Username", old.user.as_deref(), new.user.as_deref(), text)?;
    place.same("Password", old.password.as_ref(), new.password.as_ref(), secret)?;
    place.same("ProxyRequired", old.proxy_required, new.proxy_required, shown)?;
    place.same("Nkey", old.nkey.as_deref(), new.nkey.as_deref(), text)?;
    place.same("Account", old.account.as_deref(), new.account.as_deref(), text)?;
    let (old_tls, new_tls) = (before.tls.as_ref(), after.tls.as_ref());
    let timeouts = (old.connect_timeout(old_tls), new.connect_timeout(new_tls));
    place.same("AuthTimeout", timeouts.0, timeouts.1, seconds)?;
    place.same("TLSTimeout", tls_timeout(old_tls), tls_timeout(new_tls), seconds)?;
    let map = |tls: Option<&Tls>| tls.is_some_and(|tls| tls.map);
    place.same("TLSMap", map(old_tls), map(new_tls), shown)?;
    place.same("TLSPinnedCerts", &pinned_certs(old_tls), &pinned_certs(new_tls), |pinned| list(pinned))?;
    place.same("Advertise", before.advertise.as_deref(), after.advertise.as_deref(), text)?;
    place.same("NoAdvertise", before.no_advertise, after.no_advertise, shown)?;
    place.same("ReconnectInterval", before.reconnect, after.reconnect, time)?;
    place.same("WriteDeadline", before.write_deadline, after.write_deadline, optional_time)?;
    place.same("WriteTimeout", before.write_timeout, after.write_timeout, write_timeout)?;
    place.same("MinVersion", before.min_version, after.min_version, |version| {
        version.map(|version| version.to_string()).unwrap_or_default()
    })?;
    place.same("IsolateLeafnodeInterest", before.isolate, after.isolate, shown)?;
    place.same("DialTimeout", before.dial_timeout, after.dial_timeout, time)
}

/// Whether TLS comes before INFO, and for how long that is waited for; zero is forever.
fn handshake_first(tls: Option<&Tls>) -> Option<Duration> {
    match tls?.handshake_first {
        HandshakeFirst::Off => None,
        HandshakeFirst::On => Some(Duration::ZERO),
        HandshakeFirst::Fallback(delay) => Some(delay),
    }
}

/// Remotes come and go; of one that stays, some things may change.
// spec: CFG-172 CFG-173 CFG-174 CFG-454
fn leaf_remotes(before: &LeafNodes, after: &LeafNodes, changes: &mut Vec<Change>) -> Result<(), NotReloadable> {
    let of = |remote: &LeafRemote, what| Change::Leaf(LeafChange::Remote(Box::new(remote.clone()), what));
    let find = |remotes: &[LeafRemote], this: &LeafRemote| remotes.iter().position(|r| r.identity() == this.identity());
    for old in &before.remotes {
        let Some(new) = find(&after.remotes, old).map(|place| &after.remotes[place]) else {
            changes.push(of(old, LeafRemoteChange::Removed));
            continue;
        };
        check_remote(old, new)?;
        push_if(changes, old.tls.is_some() || new.tls.is_some(), of(new, LeafRemoteChange::Tls));
        let first = |remote: &LeafRemote| handshake_first(remote.tls.as_ref()).is_some();
        push_if(changes, first(old) != first(new), of(new, LeafRemoteChange::HandshakeFirst));
        push_if(changes, old.compression != new.compression, of(new, LeafRemoteChange::Compression));
        push_if(changes, old.disabled != new.disabled, of(new, LeafRemoteChange::Disabled));
    }
    let added = after.remotes.iter().filter(|remote| find(&before.remotes, remote).is_none());
    changes.extend(added.map(|remote| of(remote, LeafRemoteChange::Added)));
    Ok(())
}

fn check_remote(old: &LeafRemote, new: &LeafRemote) -> Result<(), NotReloadable> {
    let place = Place { block: "LeafNode", remote: Some(new.to_string()) };
    place.same("NoRandomize", old.no_randomize, new.no_randomize, shown)?;
    let timeout = |remote: &LeafRemote| remote.tls.as_ref().map_or(Duration::ZERO, |tls| tls.timeout);
    place.same("TLSTimeout", timeout(old), timeout(new), seconds)?;
    place.same("Hub", old.hub, new.hub, shown)?;
    place.same("DenyImports", &old.deny_imports, &new.deny_imports, |subjects| list(subjects))?;
    place.same("DenyExports", &old.deny_exports, &new.deny_exports, |subjects| list(subjects))?;
    place.same("FirstInfoTimeout", old.first_info_timeout, new.first_info_timeout, time)?;
    place.same("DialTimeout", old.dial_timeout, new.dial_timeout, optional_time)?;
    place.same("LocalIsolation", old.isolate, new.isolate, shown)?;
    place.same("RequestIsolation", old.request_isolation, new.request_isolation, shown)?;
    let ignore = (old.ignore_discovered_servers, new.ignore_discovered_servers);
    place.same("IgnoreDiscoveredServers", ignore.0, ignore.1, shown)
}
