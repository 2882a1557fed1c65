//! Options against each other: at start and at reload, but not by `-t` (CFG-004).

pub(crate) mod links;

use crate::duration;
use crate::options::{Credentials, Options, User};

/// Options that do not go together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ValidationError {
    /// The grace period leaves no time to close connections.
    #[error("lame duck grace period ({grace}) should be strictly lower than lame duck duration ({duration})")]
    LameDuck {
        /// `lame_duck_grace_period`.
        grace: String,
        /// `lame_duck_duration`.
        duration: String,
    },
    /// The largest message would not fit the queue of a single connection.
    #[error("max_payload ({max_payload}) cannot be higher than max_pending ({max_pending})")]
    PayloadAbovePending {
        /// `max_payload`.
        max_payload: u32,
        /// `max_pending`.
        max_pending: u64,
    },
    /// The server's name is written on the wire between blanks.
    #[error("server name cannot contain spaces")]
    ServerNameHasSpaces,
    /// The cluster's name is written on the wire between blanks.
    #[error("cluster name cannot contain spaces")]
    ClusterNameHasSpaces,
    /// A port that no listener can have.
    #[error("invalid port {port} for {listener}: expected -1 (any free port) or 0 to 65535")]
    Port {
        /// Whose.
        listener: &'static str,
        /// Which.
        port: i32,
    },
    /// Only one monitoring listener exists.
    #[error("can't specify both HTTP ({http}) and HTTPs ({https}) ports")]
    HttpAndHttps {
        /// The plain port.
        http: i32,
        /// The TLS port.
        https: i32,
    },
    /// Monitoring over TLS takes the certificates of the client listener.
    #[error("TLS cert and key required for HTTPS: add a \"tls\" block")]
    HttpsWithoutTls,
    /// The system account is named but not configured.
    #[error("error resolving system account: account missing: \"{0}\" is not in \"accounts\"")]
    NoSystemAccount(String),
    /// There are no users.
    #[error("no_auth_user: \"{0}\" present, but users/nkeys are not defined")]
    NoUsers(String),
    /// None of the users is this one.
    #[error("no_auth_user: \"{0}\" not present as user or nkey in authorization block or account configuration")]
    NoSuchUser(String),
    /// A certificate hash that is none: only options made in code can have one.
    #[error(
        "error parsing 'pinned_certs' key {0} does not look like lower case hex-encoded sha256 of DER encoded SubjectPublicKeyInfo"
    )]
    PinnedCert(String),
    /// A listener with TLS and nothing to show.
    #[error("the \"tls\" block has no certificate: set \"cert_file\" and \"key_file\", or \"certs\"")]
    TlsWithoutCertificate,
    /// Servers connect to a listener with TLS and nothing to show.
    #[error("the \"tls\" block of \"{0}\" has no certificate: set \"cert_file\" and \"key_file\", or \"certs\"")]
    LinkTlsWithoutCertificate(&'static str),
    /// Leaf nodes would be bound to an account that is not configured.
    #[error("cannot find local account {account:?} specified in leafnode {place}")]
    LeafAccount {
        /// The account.
        account: String,
        /// `authorization` or `remote`.
        place: &'static str,
    },
    /// What leaf nodes tell other clusters about themselves has to pass through an account.
    #[error("leaf nodes and gateways (both being defined) require a system account to also be configured")]
    LeafAndGateway,
    /// Clusters know each other by name.
    #[error("gateway has no name")]
    GatewayWithoutName,
    /// The name is written on the wire between blanks.
    #[error("gateway name cannot contain spaces")]
    GatewayNameHasSpaces,
    /// Other clusters have to reach this one.
    #[error("gateway {0:?} has no port specified (select -1 for random port)")]
    GatewayWithoutPort(String),
    /// An entry of `gateways` without a name.
    #[error("gateway in the list {0} has no name")]
    RemoteGatewayWithoutName(usize),
    /// An entry of `gateways` without an address.
    #[error("gateway {0:?} has no URL")]
    RemoteGatewayWithoutUrl(String),
    /// A cluster has one name.
    #[error("cluster name conflicts between cluster and gateway definitions")]
    ClusterNameConflict,
    /// Accounts get connections of their own only beside a pool.
    #[error("pool_size cannot be negative if pinned accounts are specified")]
    PinnedWithoutPool,
    /// An account is in the list twice.
    #[error("found duplicate account name {account:?} in pinned accounts list [{}]", quoted(list))]
    PinnedTwice {
        /// The account.
        account: String,
        /// The list.
        list: Vec<String>,
    },
    /// Streams of several servers are not kept together yet.
    #[error(
        "\"jetstream\" together with routes of a \"cluster\" is not supported by this version of Martlet yet: \
         remove one of the blocks (it goes with gateways and leaf nodes)"
    )]
    JetStreamInCluster,
}

/// Checks `options` as a whole; the first thing found is told.
// spec: CFG-093 CFG-094 CFG-060 CFG-061 CFG-027 CFG-075
pub fn validate(options: &Options) -> Result<(), ValidationError> {
    check_limits(options)?;
    check_names(options)?;
    check_ports(options)?;
    check_tls(options)?;
    links::check_leafnodes(options)?;
    check_no_auth_user(options)?;
    links::check_gateway(options)?;
    links::check_cluster(options)?;
    if options.jetstream.is_some() && options.clustered().is_some() {
        return Err(ValidationError::JetStreamInCluster);
    }
    Ok(())
}

/// `"a" "b"`
fn quoted(names: &[String]) -> String {
    names.iter().map(|name| format!("{name:?}")).collect::<Vec<_>>().join(" ")
}

fn check_limits(options: &Options) -> Result<(), ValidationError> {
    let timing = &options.timing;
    if timing.lame_duck_grace_period >= timing.lame_duck_duration {
        return Err(ValidationError::LameDuck {
            grace: duration::format(timing.lame_duck_grace_period),
            duration: duration::format(timing.lame_duck_duration),
        });
    }
    let (max_payload, max_pending) = (options.limits.max_payload, options.limits.max_pending);
    if u64::from(max_payload) > max_pending {
        return Err(ValidationError::PayloadAbovePending { max_payload, max_pending });
    }
    Ok(())
}

fn check_names(options: &Options) -> Result<(), ValidationError> {
    if options.server_name.as_ref().is_some_and(|name| name.contains(' ')) {
        return Err(ValidationError::ServerNameHasSpaces);
    }
    if options.cluster_name.as_ref().is_some_and(|name| name.contains(' ')) {
        return Err(ValidationError::ClusterNameHasSpaces);
    }
    Ok(())
}

fn check_ports(options: &Options) -> Result<(), ValidationError> {
    let monitoring = &options.monitoring;
    let ports = [
        ("clients", options.port),
        ("monitoring over http", monitoring.http_port),
        ("monitoring over https", monitoring.https_port),
        ("routes", options.cluster.as_ref().map_or(0, |cluster| cluster.port)),
        ("gateways", options.gateway.as_ref().map_or(0, |gateway| gateway.port)),
        ("leaf nodes", options.leafnodes.as_ref().map_or(0, |leafnodes| leafnodes.port)),
    ];
    for (listener, port) in ports {
        if !(-1..=65_535).contains(&port) {
            return Err(ValidationError::Port { listener, port });
        }
    }
    let (http, https) = (monitoring.http_port, monitoring.https_port);
    if http != 0 && https != 0 {
        return Err(ValidationError::HttpAndHttps { http, https });
    }
    if https != 0 && options.tls.is_none() {
        return Err(ValidationError::HttpsWithoutTls);
    }
    Ok(())
}

fn check_tls(options: &Options) -> Result<(), ValidationError> {
    let Some(tls) = &options.tls else { return Ok(()) };
    let is_hash = |key: &&String| key.len() == 64 && key.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    if let Some(wrong) = tls.pinned_certs.iter().find(|key| !is_hash(key)) {
        return Err(ValidationError::PinnedCert(wrong.clone()));
    }
    if tls.certificates.is_empty() {
        return Err(ValidationError::TlsWithoutCertificate);
    }
    Ok(())
}

/// Whether the system account is one of the accounts; `$SYS` is there by itself. Apart from [`validate`], because a
/// reload refuses another system account before it asks whether there is such an account.
// spec: CFG-073
pub fn validate_system_account(options: &Options) -> Result<(), ValidationError> {
    match &options.system_account {
        Some(name) if name != "$SYS" && !options.accounts.iter().any(|account| account.name == *name) => {
            Err(ValidationError::NoSystemAccount(name.clone()))
        }
        _ => Ok(()),
    }
}

fn check_no_auth_user(options: &Options) -> Result<(), ValidationError> {
    let Some(name) = &options.no_auth_user else { return Ok(()) };
    let of_accounts = options.accounts.iter().flat_map(|account| &account.users);
    let mut users = options.authorization.users.iter().chain(of_accounts).peekable();
    if users.peek().is_none() {
        return Err(ValidationError::NoUsers(name.clone()));
    }
    if users.any(|user| is_called(user, name)) { Ok(()) } else { Err(ValidationError::NoSuchUser(name.clone())) }
}

fn is_called(user: &User, name: &str) -> bool {
    match &user.credentials {
        Credentials::Password { user, .. } => user == name,
        Credentials::Nkey(key) => key == name,
    }
}

#[cfg(test)]
mod tests;
