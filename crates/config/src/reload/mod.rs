//! Reload: what changed between two [`Options`], and whether a running server can take it on.
//!
//! [`diff`] walks the options in the order in which the reference reports them, so that its report reads the same.
//!
//! Invariant: either every difference is in the list of [`Change`]s, or the whole reload is refused and nothing
//! changes. No difference is passed over in silence.

mod change;
mod format;
mod jetstream;
mod links;

#[cfg(test)]
mod tests;

use std::time::Duration;

use thiserror::Error;

pub use change::{Change, ClusterChange, LeafChange, LeafRemoteChange, LoggingChange, TlsChange};
use format::{flag_map, write_timeout};

use crate::advertise::{self, AdvertiseError};
use crate::duration;
use crate::options::{Credentials, HandshakeFirst, Options, Syslog, Tls, User};

/// Why a reload is refused. The running options stay in force (CFG-020).
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NotReloadable {
    /// This option is read once, at start.
    #[error("config reload not supported for {option}: old={old}, new={new}")]
    Fixed {
        /// The option by the name the reference gives it here.
        option: &'static str,
        /// Its value in force.
        old: String,
        /// The value asked for.
        new: String,
    },
    /// This option of a link between servers is read once, at start.
    #[error("config reload not supported for {block}: {remote}field \"{field}\": old={old}, new={new}")]
    Field {
        /// The block by the name the reference gives it here.
        block: &'static str,
        /// Which of its remotes, as `remote NAME: `, or nothing.
        remote: String,
        /// The option by the name the reference gives it here.
        field: &'static str,
        /// Its value in force.
        old: String,
        /// The value asked for.
        new: String,
    },
    /// This of `jetstream` is read once, at start.
    #[error("config reload not supported for {0}")]
    JetStream(&'static str),
    /// An account without an entry in `accounts` should get routes of its own.
    #[error("unable to add account {0:?} to the list of dedicated routes: account missing")]
    PinnedAccount(String),
    /// An address to advertise is no `host[:port]`.
    #[error("invalid {option} value of {value}, err={reason}")]
    Advertise {
        /// The option by the name the reference gives it here.
        option: &'static str,
        /// The value asked for.
        value: String,
        /// What is wrong with it.
        reason: AdvertiseError,
    },
}

/// Carries over to `new` what a file cannot say: ports chosen at start, and the switches of the embedding program.
// spec: CFG-019
pub fn carry_over(old: &Options, new: &mut Options) {
    let keep = |new: &mut i32, old: i32| {
        if *new == -1 && old != 0 {
            *new = old;
        }
    };
    if new.port == -1 || new.port == 0 {
        new.port = old.port;
    }
    keep(&mut new.monitoring.http_port, old.monitoring.http_port);
    keep(&mut new.monitoring.https_port, old.monitoring.https_port);
    keep(&mut new.monitoring.prof_port, old.monitoring.prof_port);
    if let (Some(new), Some(old)) = (&mut new.cluster, &old.cluster) {
        keep(&mut new.port, old.port);
    }
    if let (Some(new), Some(old)) = (&mut new.gateway, &old.gateway) {
        keep(&mut new.port, old.port);
    }
    if let (Some(new), Some(old)) = (&mut new.leafnodes, &old.leafnodes) {
        keep(&mut new.port, old.port);
    }
    new.dont_listen = old.dont_listen;
    new.log.off = old.log.off;
    new.switches.disable_short_first_ping = old.switches.disable_short_first_ping;
    new.switches.always_enable_nonce = old.switches.always_enable_nonce;
}

/// What a server that runs with `old` has to do to run with `new`, in the order in which it is reported.
///
/// Call [`carry_over`] first.
///
/// # Errors
/// [`NotReloadable`] names the first option that only a restart can change.
pub fn diff(old: &Options, new: &Options) -> Result<Vec<Change>, NotReloadable> {
    let mut changes = Vec::new();
    identity(old, new, &mut changes)?;
    logging_and_limits(old, new, &mut changes)?;
    access(old, new, &mut changes)?;
    traffic(old, new, &mut changes)?;
    files(old, new, &mut changes)?;
    tls(old, new, &mut changes)?;
    times(old, new, &mut changes)?;
    descriptions(old, new, &mut changes)?;
    Ok(changes)
}

fn fixed<T: PartialEq>(
    option: &'static str,
    old: &T,
    new: &T,
    show: impl Fn(&T) -> String,
) -> Result<(), NotReloadable> {
    if old == new { Ok(()) } else { Err(NotReloadable::Fixed { option, old: show(old), new: show(new) }) }
}

#[expect(clippy::ref_option, reason = "it is handed to `fixed`, which compares options")]
fn optional<T: ToString>(value: &Option<T>) -> String {
    value.as_ref().map(T::to_string).unwrap_or_default()
}

fn identity(old: &Options, new: &Options, changes: &mut Vec<Change>) -> Result<(), NotReloadable> {
    // spec: CFG-023 CFG-024 CFG-025 CFG-027
    fixed("ServerName", &old.server_name, &new.server_name, optional)?;
    fixed("Host", &old.host, &new.host, String::clone)?;
    fixed("Port", &old.port, &new.port, i32::to_string)?;
    // spec: CFG-026
    if old.client_advertise != new.client_advertise {
        if let Some(value) = &new.client_advertise {
            advertise::parse(value, 0).map_err(|reason| NotReloadable::Advertise {
                option: "ClientAdvertise",
                value: value.clone(),
                reason,
            })?;
        }
        changes.push(Change::ClientAdvertise(new.client_advertise.clone()));
    }
    Ok(())
}

fn logging_and_limits(old: &Options, new: &Options, changes: &mut Vec<Change>) -> Result<(), NotReloadable> {
    let (log, before) = (&new.log, &old.log);
    // spec: CFG-028 CFG-029 CFG-030 CFG-031
    push_if(changes, before.trace != log.trace, LoggingChange::Trace(log.trace));
    push_if(changes, before.debug != log.debug, LoggingChange::Debug(log.debug));
    push_if(changes, before.trace_verbose != log.trace_verbose, LoggingChange::TraceVerbose(log.trace_verbose));
    push_if(changes, before.trace_headers != log.trace_headers, LoggingChange::TraceHeaders(log.trace_headers));
    // spec: CFG-062 CFG-063
    let (switches, before_switches) = (&new.switches, &old.switches);
    let off_on = bool::to_string;
    fixed("NoSublistCache", &before_switches.disable_sublist_cache, &switches.disable_sublist_cache, off_on)?;
    fixed("NoHeaderSupport", &before_switches.no_header_support, &switches.no_header_support, off_on)?;
    // spec: CFG-032 CFG-033
    push_if(changes, before.time != log.time, LoggingChange::Time(log.time));
    push_if(changes, before.time_utc != log.time_utc, LoggingChange::TimeUtc(log.time_utc));
    // spec: CFG-048
    let max_connections = new.limits.max_connections;
    push_if(
        changes,
        old.limits.max_connections != max_connections,
        Change::MaxConnections(if max_connections == 0 { -1 } else { max_connections }),
    );
    // spec: CFG-049 CFG-050
    fixed("MaxSubs", &old.limits.max_subscriptions, &new.limits.max_subscriptions, u32::to_string)?;
    fixed("MaxSubTokens", &old.limits.max_sub_tokens, &new.limits.max_sub_tokens, u8::to_string)
}

fn access(old: &Options, new: &Options, changes: &mut Vec<Change>) -> Result<(), NotReloadable> {
    let (auth, before) = (&new.authorization, &old.authorization);
    // Users and accounts are always taken on again and always reported, changed or not.
    // spec: CFG-078 CFG-079
    push_if(changes, nkeys(old) != nkeys(new), Change::NkeyUsers);
    changes.push(Change::Users);
    changes.push(Change::Accounts);
    no_auth_user(old, new)?;
    system_account(old, new)?;
    let off_on = bool::to_string;
    fixed("NoSystemAccount", &old.switches.no_system_account, &new.switches.no_system_account, off_on)?;
    // spec: CFG-216 CFG-217
    push_if(changes, before.user != auth.user, Change::UserName);
    push_if(changes, before.password != auth.password, Change::Password);
    // spec: CFG-223 CFG-065
    fixed("ProxyRequired", &before.proxy_required, &auth.proxy_required, off_on)?;
    fixed("ProxyProtocol", &old.switches.proxy_protocol, &new.switches.proxy_protocol, off_on)?;
    // spec: CFG-218
    push_if(changes, before.token != auth.token, Change::Token);
    Ok(())
}

/// Every user of `options` that proves itself by an nkey.
fn nkeys(options: &Options) -> Vec<(&str, &User)> {
    let accounts = options.accounts.iter().map(|account| (account.name.as_str(), &account.users));
    let mut nkeys: Vec<_> = std::iter::once(("", &options.authorization.users))
        .chain(accounts)
        .flat_map(|(account, users)| users.iter().map(move |user| (account, user)))
        .filter(|(_, user)| matches!(user.credentials, Credentials::Nkey(_)))
        .collect();
    // The order in a file means nothing.
    nkeys.sort_by_key(|(_, user)| match &user.credentials {
        Credentials::Nkey(nkey) => nkey.as_str(),
        Credentials::Password { .. } => "",
    });
    nkeys
}

/// May only go together with its user: whoever is connected without credentials must not become another.
// spec: CFG-075
fn no_auth_user(old: &Options, new: &Options) -> Result<(), NotReloadable> {
    let user_is_gone = || {
        let users = new.authorization.users.iter().chain(new.accounts.iter().flat_map(|account| &account.users));
        !users.into_iter().any(|user| match &user.credentials {
            Credentials::Password { user, .. } | Credentials::Nkey(user) => Some(user) == old.no_auth_user.as_ref(),
        })
    };
    if old.no_auth_user.is_some() && new.no_auth_user.is_none() && user_is_gone() {
        return Ok(());
    }
    fixed("NoAuthUser", &old.no_auth_user, &new.no_auth_user, optional)
}

// spec: CFG-073
fn system_account(old: &Options, new: &Options) -> Result<(), NotReloadable> {
    if old.system_account.as_deref() == Some("$SYS") && new.system_account.is_none() {
        return Ok(());
    }
    fixed("SystemAccount", &old.system_account, &new.system_account, optional)
}

fn traffic(old: &Options, new: &Options, changes: &mut Vec<Change>) -> Result<(), NotReloadable> {
    let (timing, limits, monitoring) = (&new.timing, &new.limits, &new.monitoring);
    // spec: CFG-056 CFG-057
    push_if(changes, old.timing.ping_interval != timing.ping_interval, Change::PingInterval(timing.ping_interval));
    push_if(changes, old.timing.ping_max != timing.ping_max, Change::PingMax(timing.ping_max));
    // spec: CFG-043 CFG-044 CFG-045 CFG-046 CFG-047
    fixed("HTTPHost", &monitoring_host(old), &monitoring_host(new), String::clone)?;
    fixed("HTTPPort", &old.monitoring.http_port, &monitoring.http_port, i32::to_string)?;
    fixed("HTTPBasePath", &old.monitoring.base_path, &monitoring.base_path, String::clone)?;
    fixed("HTTPSPort", &old.monitoring.https_port, &monitoring.https_port, i32::to_string)?;
    let user = |auth: &Option<(String, String)>| auth.as_ref().map(|(user, _)| user.clone()).unwrap_or_default();
    fixed("HTTPUser", &old.monitoring.basic_auth, &monitoring.basic_auth, user)?;
    // spec: CFG-098 CFG-219
    let auth_timeout = auth_timeout(new);
    push_if(changes, self::auth_timeout(old) != auth_timeout, Change::AuthTimeout(auth_timeout));
    // spec: CFG-051 CFG-052 CFG-053
    let control_line = limits.max_control_line;
    push_if(changes, old.limits.max_control_line != control_line, Change::MaxControlLine(control_line));
    push_if(changes, old.limits.max_payload != limits.max_payload, Change::MaxPayload(limits.max_payload));
    fixed("MaxPending", &old.limits.max_pending, &limits.max_pending, u64::to_string)?;
    // spec: CFG-064
    let no_stall = new.switches.no_fast_producer_stall;
    push_if(changes, old.switches.no_fast_producer_stall != no_stall, Change::NoFastProducerStall(no_stall));
    links::cluster(old, new, changes)?;
    links::gateway(old, new, changes)?;
    links::leafnodes(old, new, changes)?;
    jetstream::jetstream(old, new, changes)
}

fn monitoring_host(options: &Options) -> String {
    let host = &options.monitoring.host;
    if host.is_empty() { options.host.clone() } else { host.clone() }
}

/// The time a client has for its CONNECT: as set, or 2 s, or with TLS one second more than its handshake has.
fn auth_timeout(options: &Options) -> Duration {
    let default = || match &options.tls {
        Some(tls) => tls.timeout + Duration::from_secs(1),
        None => Duration::from_secs(2),
    };
    options.authorization.timeout.unwrap_or_else(default)
}

fn files(old: &Options, new: &Options, changes: &mut Vec<Change>) -> Result<(), NotReloadable> {
    let (log, before) = (&new.log, &old.log);
    // spec: CFG-041 CFG-039 CFG-040
    fixed("ProfPort", &old.monitoring.prof_port, &new.monitoring.prof_port, i32::to_string)?;
    push_if(changes, old.pid_file != new.pid_file, Change::PidFile(new.pid_file.clone()));
    push_if(
        changes,
        old.ports_file_dir != new.ports_file_dir,
        Change::PortsFileDir { old: old.ports_file_dir.clone(), new: new.ports_file_dir.clone() },
    );
    // spec: CFG-034 CFG-035 CFG-036
    push_if(changes, before.file != log.file, LoggingChange::File(log.file.clone()));
    fixed("LogSizeLimit", &before.file_size_limit, &log.file_size_limit, u64::to_string)?;
    fixed("LogMaxFiles", &before.file_max_num, &log.file_max_num, usize::to_string)?;
    // spec: CFG-037 CFG-038
    let local = |syslog: &Option<Syslog>| *syslog == Some(Syslog::Local);
    push_if(changes, local(&before.syslog) != local(&log.syslog), LoggingChange::Syslog(local(&log.syslog)));
    let remote = |syslog: &Option<Syslog>| match syslog {
        Some(Syslog::Remote(address)) => address.clone(),
        _ => String::new(),
    };
    let address = remote(&log.syslog);
    push_if(changes, remote(&before.syslog) != address, LoggingChange::RemoteSyslog(address));
    links::routes(old, new, changes);
    push_if(changes, before.json != log.json, LoggingChange::Format { json: log.json });
    Ok(())
}

fn tls(old: &Options, new: &Options, changes: &mut Vec<Change>) -> Result<(), NotReloadable> {
    let off = Tls::default();
    let (before, after) = (old.tls.as_ref().unwrap_or(&off), new.tls.as_ref().unwrap_or(&off));
    // spec: CFG-288
    push_if(changes, before.timeout != after.timeout, TlsChange::Timeout(after.timeout));
    // spec: CFG-285
    fixed("TLSMap", &before.map, &after.map, bool::to_string)?;
    // spec: CFG-080
    match (&old.tls, &new.tls) {
        (None, None) => {}
        (Some(before), Some(after)) if same_handshake(before, after) => changes.push(TlsChange::Certificates.into()),
        (_, after) => changes.push(TlsChange::Rules { enabled: after.is_some() }.into()),
    }
    // spec: CFG-294 CFG-022
    let pinned = |tls: &Tls| {
        let mut pinned = tls.pinned_certs.clone();
        pinned.sort_unstable();
        pinned
    };
    push_if(changes, pinned(before) != pinned(after), TlsChange::PinnedCerts(after.pinned_certs.clone()));
    // spec: CFG-293
    fixed("TLSRateLimit", &before.connection_rate_limit, &after.connection_rate_limit, u32::to_string)?;
    // spec: CFG-295
    let first = |tls: &Tls| tls.handshake_first != HandshakeFirst::Off;
    let fallback = |tls: &Tls| match tls.handshake_first {
        HandshakeFirst::Fallback(delay) => delay,
        HandshakeFirst::Off | HandshakeFirst::On => Duration::ZERO,
    };
    push_if(changes, first(before) != first(after), TlsChange::HandshakeFirst(first(after)));
    push_if(changes, fallback(before) != fallback(after), TlsChange::HandshakeFirstFallback(fallback(after)));
    // spec: CFG-081
    fixed("AllowNonTLS", &old.switches.allow_non_tls, &new.switches.allow_non_tls, bool::to_string)
}

/// Whether handshakes go the same way, as far as the options can tell: the files may hold something new.
fn same_handshake(before: &Tls, after: &Tls) -> bool {
    before.certificates == after.certificates
        && before.ca_file == after.ca_file
        && before.verify == after.verify
        && before.insecure == after.insecure
        && before.cipher_suites == after.cipher_suites
        && before.allow_insecure_cipher_suites == after.allow_insecure_cipher_suites
        && before.curve_preferences == after.curve_preferences
        && before.min_version == after.min_version
}

fn times(old: &Options, new: &Options, changes: &mut Vec<Change>) -> Result<(), NotReloadable> {
    let (before, timing) = (&old.timing, &new.timing);
    let show = |time: &Duration| duration::format(*time);
    // spec: CFG-058 CFG-059
    push_if(changes, before.write_deadline != timing.write_deadline, Change::WriteDeadline(timing.write_deadline));
    fixed("WriteTimeout", &before.write_timeout, &timing.write_timeout, |policy| write_timeout(*policy))?;
    // spec: CFG-055 CFG-060 CFG-061
    let closed = |limits: &crate::options::Limits| limits.max_closed_clients;
    fixed("MaxClosedClients", &closed(&old.limits), &closed(&new.limits), usize::to_string)?;
    fixed("LameDuckDuration", &before.lame_duck_duration, &timing.lame_duck_duration, show)?;
    fixed("LameDuckGracePeriod", &before.lame_duck_grace_period, &timing.lame_duck_grace_period, show)?;
    // spec: CFG-054
    let traced = new.log.max_traced_msg_len;
    push_if(changes, old.log.max_traced_msg_len != traced, Change::MaxTracedMsgLen(traced));
    // spec: CFG-067 CFG-068
    let reports = timing.connect_error_reports;
    push_if(changes, before.connect_error_reports != reports, Change::ConnectErrorReports(reports));
    let reports = timing.reconnect_error_reports;
    push_if(changes, before.reconnect_error_reports != reports, Change::ReconnectErrorReports(reports));
    Ok(())
}

fn descriptions(old: &Options, new: &Options, changes: &mut Vec<Change>) -> Result<(), NotReloadable> {
    // spec: CFG-069 CFG-070 CFG-071
    push_if(changes, old.server_tags != new.server_tags, Change::Tags);
    push_if(changes, old.server_metadata != new.server_metadata, Change::Metadata);
    fixed("FeatureFlags", &old.feature_flags, &new.feature_flags, flag_map)?;
    // spec: CFG-066 CFG-214
    let missing = |from: &[String], these: &[String]| -> Vec<String> {
        these.iter().filter(|key| !from.contains(key)).cloned().collect()
    };
    let removed = missing(&new.trusted_proxies, &old.trusted_proxies);
    let added = missing(&old.trusted_proxies, &new.trusted_proxies);
    push_if(changes, !removed.is_empty(), Change::ProxiesRemoved(removed));
    push_if(changes, !added.is_empty(), Change::ProxiesAdded(added));
    Ok(())
}

fn push_if(changes: &mut Vec<Change>, differs: bool, change: impl Into<Change>) {
    if differs {
        changes.push(change.into());
    }
}
