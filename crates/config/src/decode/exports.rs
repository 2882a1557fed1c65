//! What accounts offer each other.

use std::time::Duration;

use super::Decoder;
use crate::lang::{Kind, Map, Span, Value};
use crate::options::{Export, ExportKind, Latency, RESPONSE_THRESHOLD, ResponseType, Sampling};
use crate::sharing::Place;

/// An export item as far as it is read; fields of services remember where they stand.
#[derive(Default)]
struct Item {
    stream: Option<String>,
    service: Option<String>,
    accounts: Option<Vec<String>>,
    response: Option<(ResponseType, Span)>,
    threshold: Option<(Duration, Span)>,
    latency: Option<(Latency, Span)>,
    allow_trace: Option<(bool, Span)>,
    account_token_position: u32,
}

impl Decoder<'_> {
    /// The `exports` of the account at `account`.
    // spec: CFG-125 CFG-264
    pub(super) fn exports(&mut self, account: usize, value: &Value) -> Vec<Export> {
        let mut exports: Vec<Export> = Vec::new();
        for item in self.array("exports", value).unwrap_or_default() {
            let Some(map) = self.map("exports", item) else { continue };
            let before = self.findings.errors.len();
            let fields = self.export_item(map);
            if self.findings.errors.len() > before {
                continue;
            }
            let Some(export) = self.export(&item.span, fields) else { continue };
            let is_same =
                |other: &&mut Export| other.subject == export.subject && other.kind.shared() == export.kind.shared();
            if let Some(earlier) = exports.iter_mut().find(is_same) {
                earlier.extend(export);
            } else {
                self.references.insert(Place::Export(account, exports.len()), item.span.clone());
                exports.push(export);
            }
        }
        exports
    }

    fn export_item(&mut self, map: &Map) -> Item {
        let mut item = Item::default();
        self.entries(map, |decoder, key, value| {
            let span = value.span.clone();
            match key {
                "stream" => item.stream = decoder.string(key, value),
                "service" => item.service = decoder.string(key, value),
                "accounts" => item.accounts = decoder.string_array(key, value).filter(|names| !names.is_empty()),
                "response" | "response_type" => {
                    if item.response.is_some() {
                        decoder.findings.error(&span, "Duplicate response type definition");
                    }
                    item.response = decoder.response_type(key, value).map(|response| (response, span));
                }
                "threshold" | "response_threshold" | "response_max_time" | "response_time" => {
                    if item.threshold.is_some() {
                        decoder.findings.error(&span, "Duplicate response threshold detected");
                    }
                    let threshold = decoder.duration_string(key, value);
                    item.threshold = Some((threshold.unwrap_or(RESPONSE_THRESHOLD), span));
                }
                "latency" => item.latency = decoder.latency(value).map(|latency| (latency, span)),
                "account_token_position" => item.account_token_position = decoder.number(key, value).unwrap_or(0),
                "allow_trace" => item.allow_trace = decoder.boolean(key, value).map(|allow| (allow, span)),
                _ => return false,
            }
            true
        });
        item
    }

    /// Puts an item together.
    fn export(&mut self, span: &Span, item: Item) -> Option<Export> {
        let (subject, kind) = match (item.stream, item.service) {
            (Some(stream), None) => {
                let misplaced = [
                    (item.response.map(|field| field.1), "response"),
                    (item.threshold.map(|field| field.1), "response"),
                    (item.latency.map(|field| field.1), "latency"),
                    (item.allow_trace.clone().map(|field| field.1), "allow_trace"),
                ];
                for (place, directive) in misplaced {
                    if let Some(place) = place {
                        self.findings.error(&place, format!("Detected {directive} directive on non-service"));
                    }
                }
                (stream, ExportKind::Stream)
            }
            (None, Some(service)) => {
                let kind = ExportKind::Service {
                    response: item.response.map_or_else(ResponseType::default, |field| field.0),
                    threshold: item.threshold.map_or(RESPONSE_THRESHOLD, |field| field.0),
                    latency: item.latency.map(|field| field.0),
                };
                (service, kind)
            }
            (Some(stream), Some(_)) => {
                self.findings.error(span, format!("Detected stream {stream:?} but already saw a service"));
                return None;
            }
            (None, None) => {
                self.findings.error(span, "An export needs a \"stream\" or a \"service\"");
                return None;
            }
        };
        Some(Export {
            subject,
            kind,
            accounts: item.accounts,
            account_token_position: item.account_token_position,
            allow_trace: item.allow_trace.is_some_and(|field| field.0),
        })
    }

    // spec: CFG-265
    fn response_type(&mut self, name: &str, value: &Value) -> Option<ResponseType> {
        let text = self.string(name, value)?;
        match text.to_ascii_lowercase().as_str() {
            "single" | "singleton" => Some(ResponseType::Singleton),
            "stream" => Some(ResponseType::Stream),
            "chunk" | "chunked" => Some(ResponseType::Chunked),
            _ => {
                self.findings.error(&value.span, format!("Unknown response type: {text:?}"));
                None
            }
        }
    }

    /// A subject, or `{subject, sampling}`.
    // spec: CFG-267
    fn latency(&mut self, value: &Value) -> Option<Latency> {
        let map = match &value.kind {
            Kind::String(subject) => {
                return Some(Latency { subject: subject.clone(), sampling: Sampling::Percent(100) });
            }
            Kind::Map(map) => map,
            _ => return self.findings.wrong_type("latency", "a subject or a map", value),
        };
        let (mut subject, mut sampling) = (None, Sampling::Percent(100));
        self.entries(map, |decoder, key, value| {
            match key {
                "subject" => subject = decoder.string(key, value),
                "sampling" => match &value.kind {
                    Kind::String(text) if text.trim().eq_ignore_ascii_case("headers") => sampling = Sampling::Headers,
                    _ => {
                        let percent = decoder.percentage(key, value);
                        Self::set(&mut sampling, percent.map(Sampling::Percent));
                    }
                },
                _ => return false,
            }
            true
        });
        if map.get("subject").is_none() {
            self.findings.error(&value.span, "Latency subject required, but missing");
        }
        Some(Latency { subject: subject?, sampling })
    }
}
