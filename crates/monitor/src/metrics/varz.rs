//! The numbers of `/varz`, each under its field's name.

use serde_json::Value as Json;

use super::Names;
use super::text::{Kind, Text, Value};
use crate::views::Varz;

use Kind::{Counter, Gauge};

/// Every number of the view that is not inside an object, and what it is.
pub(super) const FIELDS: [(&str, Kind, &str); 37] = [
    ("proto", Gauge, "Version of the protocol."),
    ("port", Gauge, "Port for clients."),
    ("max_connections", Gauge, "Most client connections."),
    ("max_subscriptions", Gauge, "Most subscriptions of a connection."),
    ("ping_interval", Gauge, "Silence before a connection is pinged, in nanoseconds."),
    ("ping_max", Gauge, "Unanswered pings that are forgiven."),
    ("http_port", Gauge, "Port for monitoring."),
    ("https_port", Gauge, "Port for monitoring with TLS."),
    ("auth_timeout", Gauge, "Seconds to authenticate in."),
    ("max_control_line", Gauge, "Longest control line, in bytes."),
    ("max_payload", Gauge, "Largest message, in bytes."),
    ("max_pending", Gauge, "Most bytes waiting for one connection."),
    ("tls_timeout", Gauge, "Seconds for a TLS handshake."),
    ("write_deadline", Gauge, "Time for a write, in nanoseconds."),
    ("mem", Gauge, "Memory in RAM, in bytes."),
    ("cores", Gauge, "Processors the server may run on."),
    ("gomaxprocs", Gauge, "Threads that may run at once."),
    ("gomemlimit", Gauge, "Most memory the container may use, in bytes."),
    ("cpu", Gauge, "Processor time in percent of one core."),
    ("connections", Gauge, "Open client connections."),
    ("total_connections", Counter, "Client connections accepted."),
    ("routes", Gauge, "Routes to other servers."),
    ("remotes", Gauge, "Servers known through routes."),
    ("leafnodes", Gauge, "Leaf nodes."),
    ("in_msgs", Counter, "Messages received."),
    ("in_bytes", Counter, "Bytes of messages received."),
    ("in_client_msgs", Counter, "Messages received from clients."),
    ("in_client_bytes", Counter, "Bytes of messages received from clients."),
    ("out_msgs", Counter, "Messages sent."),
    ("out_bytes", Counter, "Bytes of messages sent."),
    ("out_client_msgs", Counter, "Messages sent to clients."),
    ("out_client_bytes", Counter, "Bytes of messages sent to clients."),
    ("slow_consumers", Counter, "Slow consumers found."),
    ("stale_connections", Counter, "Stale connections found."),
    ("stalled_clients", Counter, "How often a publisher was held up."),
    ("subscriptions", Gauge, "Subscriptions of all accounts."),
    ("pinned_account_fails", Counter, "Log-ins refused because their account is not pinned."),
];

pub(super) fn write(text: &mut Text, varz: &Varz, names: &Names<'_>) {
    for (field, value) in [
        ("server_id", &varz.about.server_id),
        ("server_name", &varz.about.server_name),
        ("version", &varz.about.version),
    ] {
        let labels = [names.server[0], ("value", value.as_str())];
        text.family(&names.of("varz", field), Gauge, "Its value is a label.").sample(&labels, 1_u64);
    }
    let json = serde_json::to_value(varz).expect("a view is JSON");
    for (field, kind, help) in FIELDS {
        if let Some(value) = json.get(field).and_then(number) {
            names.one(text, "varz", field, kind, help, value);
        }
    }
}

fn number(json: &Json) -> Option<Value> {
    let Json::Number(number) = json else { return None };
    number
        .as_u64()
        .map(Value::Whole)
        .or_else(|| number.as_i64().map(Value::Signed))
        .or_else(|| number.as_f64().map(Value::Real))
}
