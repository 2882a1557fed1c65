//! The options of links between servers against each other and against the accounts.

use super::ValidationError;
use crate::options::{LeafNodes, Options};

/// Leaf nodes; the reference looks at them before it looks at logins.
// spec: CFG-167 CFG-169 CFG-356
pub(super) fn check_leafnodes(options: &Options) -> Result<(), ValidationError> {
    let Some(leafnodes) = &options.leafnodes else { return Ok(()) };
    check_leaf_accounts(options, leafnodes)?;
    if leafnodes.port == 0 {
        return Ok(());
    }
    if options.gateway.is_some() && options.system_account.is_none() {
        return Err(ValidationError::LeafAndGateway);
    }
    if leafnodes.tls.as_ref().is_some_and(|tls| tls.certificates.is_empty()) {
        return Err(ValidationError::LinkTlsWithoutCertificate("leafnodes"));
    }
    Ok(())
}

fn check_leaf_accounts(options: &Options, leafnodes: &LeafNodes) -> Result<(), ValidationError> {
    let check = |account: &Option<String>, place| match account {
        Some(name) if !exists(options, name) => Err(ValidationError::LeafAccount { account: name.clone(), place }),
        _ => Ok(()),
    };
    check(&leafnodes.authorization.account, "authorization")?;
    for user in &leafnodes.authorization.users {
        check(&user.account, "authorization")?;
    }
    leafnodes.remotes.iter().try_for_each(|remote| check(&remote.account, "remote"))
}

/// Whether there is an account of this name: configured, or there by itself.
pub(crate) fn exists(options: &Options, name: &str) -> bool {
    let system = options.system_account.is_none() && !options.switches.no_system_account;
    options.accounts.iter().any(|account| account.name == name) || name == "$G" || (system && name == "$SYS")
}

// spec: CFG-165 CFG-166 CFG-318 CFG-321 CFG-330
pub(super) fn check_gateway(options: &Options) -> Result<(), ValidationError> {
    let Some(gateway) = &options.gateway else { return Ok(()) };
    if gateway.name.is_empty() {
        return Err(ValidationError::GatewayWithoutName);
    }
    if gateway.name.contains(' ') {
        return Err(ValidationError::GatewayNameHasSpaces);
    }
    if gateway.port == 0 {
        return Err(ValidationError::GatewayWithoutPort(gateway.name.clone()));
    }
    for (place, remote) in gateway.remotes.iter().enumerate() {
        if remote.name.is_empty() {
            return Err(ValidationError::RemoteGatewayWithoutName(place));
        }
        if remote.urls.is_empty() {
            return Err(ValidationError::RemoteGatewayWithoutUrl(remote.name.clone()));
        }
    }
    if gateway.tls.as_ref().is_some_and(|tls| tls.certificates.is_empty()) {
        return Err(ValidationError::LinkTlsWithoutCertificate("gateway"));
    }
    Ok(())
}

// spec: CFG-146 CFG-156 CFG-157
pub(super) fn check_cluster(options: &Options) -> Result<(), ValidationError> {
    if let (Some(gateway), Some(name)) = (&options.gateway, &options.cluster_name)
        && gateway.name != *name
    {
        return Err(ValidationError::ClusterNameConflict);
    }
    let Some(cluster) = &options.cluster else { return Ok(()) };
    if cluster.pool_size < 0 && !cluster.accounts.is_empty() {
        return Err(ValidationError::PinnedWithoutPool);
    }
    for (i, account) in cluster.accounts.iter().enumerate() {
        if cluster.accounts[..i].contains(account) {
            return Err(ValidationError::PinnedTwice { account: account.clone(), list: cluster.accounts.clone() });
        }
    }
    if cluster.listens() && cluster.tls.as_ref().is_some_and(|tls| tls.certificates.is_empty()) {
        return Err(ValidationError::LinkTlsWithoutCertificate("cluster"));
    }
    Ok(())
}
