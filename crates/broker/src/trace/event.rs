//! The report of a trace as JSON (CORE-127).

use std::collections::BTreeMap;

use martlet_events::WallTime;
use serde::Serialize;

use crate::json;
use crate::peer::Kind;
use crate::site::ServerInfo;

/// The number of a connection's kind.
pub(super) fn number(kind: Kind) -> u8 {
    match kind {
        Kind::Client => 0,
        Kind::Route => 1,
        Kind::Gateway => 2,
        Kind::Leaf => 4,
    }
}

/// What a traced message asked for and where it went.
#[derive(Debug, Serialize)]
pub(super) struct Event {
    pub(super) request: Request,
    /// Other servers that got it from this one.
    #[serde(skip_serializing_if = "is_none")]
    pub(super) hops: u32,
    pub(super) events: Vec<Step>,
}

/// The message as it came in.
#[derive(Debug, Serialize)]
pub(super) struct Request {
    pub(super) header: BTreeMap<String, Vec<String>>,
    pub(super) msgsize: usize,
}

/// One station of a message; the fields are those of the wire.
// spec: CORE-127
#[derive(Debug, Serialize)]
#[serde(tag = "type")]
pub(super) enum Step {
    #[serde(rename = "in")]
    Ingress {
        #[serde(serialize_with = "json::as_text")]
        ts: WallTime,
        kind: u8,
        cid: u64,
        #[serde(skip_serializing_if = "String::is_empty")]
        name: String,
        acc: String,
        subj: String,
        #[serde(skip_serializing_if = "String::is_empty")]
        error: String,
    },
    #[serde(rename = "sm")]
    Mapping {
        #[serde(serialize_with = "json::as_text")]
        ts: WallTime,
        to: String,
    },
    #[serde(rename = "se")]
    StreamExport {
        #[serde(serialize_with = "json::as_text")]
        ts: WallTime,
        acc: String,
        to: String,
    },
    #[serde(rename = "si")]
    ServiceImport {
        #[serde(serialize_with = "json::as_text")]
        ts: WallTime,
        acc: String,
        from: String,
        to: String,
    },
    #[serde(rename = "js")]
    Stream {
        #[serde(serialize_with = "json::as_text")]
        ts: WallTime,
        stream: String,
        #[serde(skip_serializing_if = "String::is_empty")]
        subject: String,
        #[serde(rename = "nointerest", skip_serializing_if = "is_false")]
        is_unwanted: bool,
        #[serde(skip_serializing_if = "String::is_empty")]
        error: String,
    },
    #[serde(rename = "eg")]
    Egress {
        #[serde(serialize_with = "json::as_text")]
        ts: WallTime,
        kind: u8,
        cid: u64,
        #[serde(skip_serializing_if = "String::is_empty")]
        name: String,
        #[serde(skip_serializing_if = "String::is_empty")]
        hop: String,
        #[serde(skip_serializing_if = "String::is_empty")]
        acc: String,
        #[serde(skip_serializing_if = "String::is_empty")]
        sub: String,
        #[serde(skip_serializing_if = "String::is_empty")]
        queue: String,
        #[serde(skip_serializing_if = "str::is_empty")]
        error: &'static str,
    },
}

impl Event {
    /// The report of `server`.
    pub(super) fn to_json(&self, server: ServerInfo<'_>) -> Vec<u8> {
        #[derive(Serialize)]
        struct Report<'a> {
            server: ServerInfo<'a>,
            #[serde(flatten)]
            event: &'a Event,
        }
        json::to_vec(&Report { server, event: self })
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_none(hops: &u32) -> bool {
    *hops == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_false(holds: &bool) -> bool {
    !holds
}

/// Bytes of the wire as text.
pub(super) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
