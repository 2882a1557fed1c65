//! Message traces: a message that names a destination in its headers leaves a report there of everywhere it went (CORE-125).

use serde::Serialize;

use crate::account::Account;
use crate::imports::ServiceImport;
use crate::interest::Delivery;

/// What became of a message at one destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Egress {
    /// It got the message.
    Delivered,
    /// It published the message and wants no echo.
    NoEcho,
    /// A permission keeps the message from it.
    SubDenied,
    /// It is closing.
    ClientClosed,
    /// It had all it asked for.
    AutoUnsubExceeded,
    /// It is slow, and producers are not held back.
    NotStalled,
}

impl Egress {
    // spec: CORE-132
    fn error(self) -> &'static str {
        match self {
            Self::Delivered => "",
            Self::NoEcho => "no echo",
            Self::SubDenied => "sub denied",
            Self::ClientClosed => "client closed",
            Self::AutoUnsubExceeded => "auto-unsub exceeded",
            Self::NotStalled => "fast producer not stalled",
        }
    }
}

/// One message's trace while it is routed.
#[derive(Debug, Default)]
pub struct Tracer {
    only: bool,
    events: Vec<Event>,
}

#[derive(Debug, Serialize)]
struct Event {
    #[serde(rename = "type")]
    kind: &'static str,
}

impl Tracer {
    /// Whether the message is traced and not delivered.
    pub fn only(&self) -> bool {
        self.only
    }

    /// The message reached a destination.
    pub fn egress(&mut self, _delivery: &Delivery, _subject: &[u8], outcome: Egress) {
        let _ = outcome.error();
    }

    /// The message crosses into another account.
    pub fn service_import(&mut self, _exporter: &Account, _import: &ServiceImport, _from: &[u8], _to: &[u8]) {
        self.events.push(Event { kind: "si" });
    }
}

/// Whether a message's headers ask for a trace.
pub fn is_wanted(headers: &[u8]) -> bool {
    let _ = headers;
    false
}

/// Bytes for a log line, at most `max` of them (0 is all).
pub fn quote(bytes: &[u8], max: usize) -> String {
    let shown = if max > 0 && bytes.len() > max { &bytes[..max] } else { bytes };
    let dots = if shown.len() < bytes.len() { "..." } else { "" };
    format!("{:?}{dots}", String::from_utf8_lossy(shown))
}
