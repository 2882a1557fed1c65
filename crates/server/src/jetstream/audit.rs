//! What is told of requests.

use martlet_jetstream::api::json::{Object, Verbatim};
use martlet_net::clock;
use martlet_proto::headers;

use super::registry::{Registry, Served};

const SUBJECT: &str = "$JS.EVENT.ADVISORY.API";
const LIMIT_REACHED: &str = "$JS.EVENT.ADVISORY.API.LIMIT_REACHED";

/// A request and its answer.
// spec: JS-013 JS-141
pub(super) fn request(registry: &Registry, served: &Served, response: &[u8]) {
    if !registry.account.interest.is_wanted(SUBJECT.as_bytes()) {
        return;
    }
    let asked = &served.asked;
    let client = headers::get(&asked.headers, b"Nats-Request-Info").unwrap_or(b"{}");
    let mut event = Vec::new();
    Object::write(&mut event, |o| {
        o.field("type", "io.nats.jetstream.advisory.v1.api_audit").field("id", &*super::Shared::unique());
        o.field("timestamp", &clock::wall_now()).field("server", &*registry.shared.server_name());
        o.field("client", &Verbatim(client)).field("subject", &*asked.subject);
        o.some("request", &*String::from_utf8_lossy(&asked.body));
        o.field("response", &*String::from_utf8_lossy(response)).some("domain", &*registry.shared.domain);
    });
    let account = registry.account.name();
    registry.shared.broker.publish_internal(account, (SUBJECT.as_bytes(), b""), (b"", &event), clock::now());
}

/// Requests were dropped: whoever watches over the server is told.
// spec: JS-011 JS-139
pub(super) fn limit_reached(registry: &Registry, dropped: usize) {
    let Some(system) = &registry.shared.broker.site().about().system_account else { return };
    let mut event = Vec::new();
    Object::write(&mut event, |o| {
        o.field("type", "io.nats.jetstream.advisory.v1.api_limit_reached").field("id", &*super::Shared::unique());
        o.field("timestamp", &clock::wall_now()).field("server", &*registry.shared.server_name());
        o.some("domain", &*registry.shared.domain).field("dropped", &(dropped as u64));
    });
    registry.shared.broker.publish_internal(system, (LIMIT_REACHED.as_bytes(), b""), (b"", &event), clock::now());
}
