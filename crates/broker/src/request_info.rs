//! Telling a service who asks: a header on every request that crosses accounts (SEC-049).

use crate::account::Account;
use crate::client_info::ClientInfo;
use crate::imports::ServiceImport;
use crate::json;
use crate::rewritten::Rewritten;
use crate::router::{Message, Origin};
use martlet_proto::headers;

/// The header. What a client writes there itself is replaced.
pub(crate) const HEADER: &str = "Nats-Request-Info";

/// What `exporter` is told of who asks: everything if it is shared, where from if it is the system account. Of what a leaf
/// node asks, the leaf node is told of: what its servers say of their clients is not vouched for here.
// spec: SEC-049
pub(crate) fn describe(
    import: &ServiceImport,
    exporter: &Account,
    origin: &Origin<'_>,
    message: &Message<'_>,
) -> Vec<u8> {
    let site = exporter.site();
    let for_system = || site.about().is_system(exporter.name());
    let leaf = origin.link.map(|arrived| &**arrived.link).filter(|link| link.role.is_leaf());
    let asker = origin.peer.map(|peer| &**peer).or(leaf.map(|link| &*link.peer));
    let passed_on = origin.hops > 0;
    let share = if passed_on { origin.share } else { import.share };
    let before = if passed_on { headers::get(message.headers(), HEADER.as_bytes()) } else { None };
    let mut info = ClientInfo::default();
    let known = before.and_then(|json| serde_json::from_slice(json).ok()).map(|before| info = before).is_some();
    if known {
        info.pass_on(&import.importer_name);
    } else {
        info = ClientInfo::of(asker, &import.importer_name, share, site);
    }
    let from_leaf = share && !known && leaf.is_some();
    if from_leaf || !share && (known && import.share || for_system()) {
        info.add_server(site, leaf);
    }
    json::to_vec(&info)
}

/// `message` for a leaf node or a hub, where the account that it names as the asker's goes by another name; nothing if it
/// names none such.
// spec: CLU-055 SEC-049
pub(crate) fn for_leaf(account: &Account, message: &Message<'_>) -> Option<Rewritten> {
    let before = headers::get(message.headers(), HEADER.as_bytes())?;
    let mut info: ClientInfo<'_> = serde_json::from_slice(before).ok()?;
    let name = account.site().name_at_hub(info.account())?;
    info.rename_account(&name);
    Some(Rewritten::new(message, &[(HEADER, &json::to_vec(&info))]))
}
