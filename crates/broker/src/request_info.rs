//! Telling a service who asks: a header on every request that crosses accounts (SEC-049).

use crate::account::Account;
use crate::client_info::ClientInfo;
use crate::imports::ServiceImport;
use crate::json;
use crate::router::{Message, Origin};
use martlet_proto::headers;

/// The header. What a client writes there itself is replaced.
pub(crate) const HEADER: &str = "Nats-Request-Info";

/// What `exporter` is told of who asks: everything if it is shared, where from if it is the system account.
// spec: SEC-049
pub(crate) fn describe(
    import: &ServiceImport,
    exporter: &Account,
    origin: &Origin<'_>,
    message: &Message<'_>,
) -> Vec<u8> {
    let site = exporter.site();
    let for_system = || site.about().is_system(exporter.name());
    let passed_on = origin.hops > 0;
    let share = if passed_on { origin.share } else { import.share };
    let before = if passed_on { headers::get(message.headers(), HEADER.as_bytes()) } else { None };
    let mut info = ClientInfo::default();
    let known = before.and_then(|json| serde_json::from_slice(json).ok()).map(|before| info = before).is_some();
    if known {
        info.pass_on(&import.importer_name);
    } else {
        info = ClientInfo::of(origin.peer.map(|p| &**p), &import.importer_name, share, site);
    }
    if !share && (known && import.share || for_system()) {
        info.add_server(site);
    }
    json::to_vec(&info)
}
