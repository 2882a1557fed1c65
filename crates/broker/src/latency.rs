//! How long services take: measured per request, published in the exporter's account (SEC-050).

use std::collections::BTreeMap;
use std::sync::Arc;

use martlet_config::options::{Latency, Sampling};
use martlet_events::{Time, WallTime};
use serde::Serialize;

use crate::account::Account;
use crate::batch::Batch;
use crate::client_info::ClientInfo;
use crate::imports::ServiceImport;
use crate::json;
use crate::peer::Peer;
use crate::router::{Message, Origin};
use crate::trace::is_sampled;

/// The event's type.
const TYPE: &str = "io.nats.server.metric.v1.service_latency";

/// Headers by their canonical names.
type Headers = BTreeMap<String, Vec<String>>;

/// A request that is being measured.
#[derive(Debug)]
pub(crate) struct Measured {
    /// Who asked, where that was a client.
    requester: Option<Arc<Peer>>,
    asked: Time,
    /// The headers that asked for the measurement.
    headers: Headers,
    /// Somebody listened for the reply when it was asked for.
    pub(crate) awaited: bool,
}

/// How a measured request ended.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Outcome<'a> {
    /// With a reply, from this client if it was one.
    Answered(Option<&'a Peer>),
    /// It asked for no reply.
    BadRequest,
    /// Nobody listens for the reply any more.
    Lost,
    /// Nobody served it.
    Unserved,
    /// It took longer than the export allows.
    TimedOut,
}

impl Outcome<'_> {
    fn status(self) -> (u16, &'static str) {
        match self {
            Self::Answered(_) => (200, ""),
            Self::BadRequest => (400, "Bad Request"),
            Self::Lost => (408, "Request Timeout"),
            Self::Unserved => (503, "Service Unavailable"),
            Self::TimedOut => (504, "Service Timeout"),
        }
    }
}

// spec: SEC-050
#[derive(Serialize)]
struct Event<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    id: String,
    #[serde(serialize_with = "json::as_text")]
    timestamp: WallTime,
    status: u16,
    #[serde(skip_serializing_if = "str::is_empty")]
    description: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    requestor: Option<ClientInfo<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    responder: Option<ClientInfo<'a>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    header: &'a Headers,
    #[serde(serialize_with = "json::as_text")]
    start: WallTime,
    service: u64,
    system: u64,
    total: u64,
}

impl Batch {
    /// Begins to measure a request, if it is one of those that are.
    pub(crate) fn measure(
        &mut self,
        import: &ServiceImport,
        origin: &Origin<'_>,
        message: &Message<'_>,
    ) -> Option<Measured> {
        let latency = import.latency.as_ref()?;
        let headers = sample(latency, message.headers(), &mut self.rng)?;
        let awaited = import.importer.upgrade().is_some_and(|importer| importer.interest.is_wanted(message.reply));
        Some(Measured { requester: origin.peer.cloned(), asked: self.now, headers, awaited })
    }

    /// Publishes a measurement in the exporter's account.
    pub(crate) fn publish_latency(
        &mut self,
        exporter: &Account,
        import: &ServiceImport,
        measured: &Measured,
        outcome: Outcome<'_>,
    ) {
        let (Some(latency), site) = (&import.latency, exporter.site()) else { return };
        let requester_account = measured.requester.as_ref().and_then(|p| p.account());
        let account = requester_account.as_ref().map_or(&*import.importer_name, |a| a.name());
        let requestor = ClientInfo::of(measured.requester.as_deref(), account, import.share, site);
        let (status, description) = outcome.status();
        let asked = site.wall(measured.asked).as_nanos();
        let mut event = Event {
            kind: TYPE,
            id: self.unique_id(),
            timestamp: site.wall(self.now),
            status,
            description,
            header: &measured.headers,
            start: WallTime::from_nanos(asked.saturating_sub(requestor.rtt())),
            responder: None,
            service: 0,
            system: 0,
            total: 0,
            requestor: None,
        };
        let responder_account;
        if let Outcome::Answered(responder) = outcome {
            responder_account = responder.and_then(Peer::account);
            let name = responder_account.as_ref().map_or(&**exporter.name(), |a| a.name());
            let responder = ClientInfo::of(responder, name, true, site);
            let taken = u64::try_from(self.now.since(measured.asked).as_nanos()).unwrap_or(u64::MAX);
            event.service = taken.saturating_sub(responder.rtt());
            event.total = taken.saturating_add(requestor.rtt());
            event.responder = Some(responder);
        }
        event.requestor = Some(requestor);
        let body = json::to_vec(&event);
        // What the server says of a message is no part of the message's own trace.
        let tracer = self.tracer.take();
        let size_text = body.len().to_string();
        let message = Message {
            subject: latency.subject.as_bytes(),
            size_text: size_text.as_bytes(),
            body: &body,
            ..Message::default()
        };
        self.route(exporter, &Origin::SERVER, &message);
        self.tracer = tracer;
    }

    /// 22 letters and digits.
    pub(crate) fn unique_id(&mut self) -> String {
        (0..22).map(|_| self.rng.alphanumeric()).collect()
    }
}

/// Whether a request is measured: by chance, or because its headers say that it is traced; with the headers that say so.
// spec: SEC-050
fn sample(latency: &Latency, headers: &[u8], rng: &mut fastrand::Rng) -> Option<Headers> {
    if let Sampling::Percent(percent) = latency.sampling
        && (percent >= 100 || rng.u8(0..100) <= percent)
    {
        return Some(Headers::new());
    }
    let all = canonical(headers)?;
    let first = |name: &str| all.get(name).and_then(|values| values.first()).map(String::as_str);
    let keep = |wanted: &dyn Fn(&str) -> bool| {
        Some(all.iter().filter(|(name, _)| wanted(name)).map(|(name, values)| (name.clone(), values.clone())).collect())
    };
    let b3_parts = ["X-B3-Sampled", "X-B3-Traceid", "X-B3-Parentspanid", "X-B3-Spanid"];
    if let Some(uber) = first("Uber-Trace-Id") {
        let sampled = is_uber_sampled(uber);
        return sampled.then(|| keep(&|name| name == "Uber-Trace-Id" || name.starts_with("Uberctx-")))?;
    }
    match first("X-B3-Sampled") {
        Some("1") => return keep(&|name| b3_parts.contains(&name)),
        Some("0") => return None,
        _ if all.contains_key("X-B3-Traceid") => return keep(&|name| b3_parts.contains(&name)),
        _ => {}
    }
    if let Some(b3) = first("B3") {
        let fields: Vec<_> = b3.split('-').collect();
        let denied = matches!(fields[..], ["0"] | [_, _, "0", ..]);
        return (!denied).then(|| keep(&|name| name == "B3"))?;
    }
    let parent = first("Traceparent")?;
    is_sampled(parent.as_bytes()).then(|| keep(&|name| name == "Traceparent" || name == "Tracestate"))?
}

/// Whether the flags, the last of four fields, are odd.
fn is_uber_sampled(value: &str) -> bool {
    let fields: Vec<_> = value.split(':').collect();
    let [_, _, _, flags] = fields[..] else { return false };
    let last = flags.chars().next_back().and_then(|c| c.to_digit(16));
    (1..=2).contains(&flags.len()) && last.is_some_and(|digit| digit & 1 == 1)
}

/// The headers by canonical name; `None` if there are none or one of them is malformed.
fn canonical(headers: &[u8]) -> Option<Headers> {
    let text = std::str::from_utf8(headers).ok()?;
    let mut lines = text.split("\r\n");
    lines.next()?;
    let mut all = Headers::new();
    for line in lines.take_while(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':')?;
        if name.is_empty() || name.contains([' ', '\t']) {
            return None;
        }
        all.entry(canonical_name(name)).or_default().push(value.trim_matches([' ', '\t']).to_owned());
    }
    (!all.is_empty()).then_some(all)
}

/// Words between dashes begin with a capital.
fn canonical_name(name: &str) -> String {
    let mut capital = true;
    let letter = |c: char| {
        let written = if capital { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() };
        capital = c == '-';
        written
    };
    name.chars().map(letter).collect()
}

#[cfg(test)]
mod tests;
