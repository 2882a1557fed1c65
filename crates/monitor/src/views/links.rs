//! `/leafz`: links to leaf nodes and hubs.

use std::time::SystemTime;

use serde::Serialize;

use super::connz::ProxyInfo;
use super::format::{Timestamp, is_false, round_trip};
use crate::Observe;
use crate::body::Body;
use crate::query::{Query, QueryError};
use crate::snapshot::LeafSnapshot;

/// What `/leafz` is asked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LeafzOptions {
    /// Show the subjects of their subscriptions.
    pub subscriptions: bool,
    /// Only those of this account.
    pub account: String,
}

impl LeafzOptions {
    /// Reads them from a query string.
    // spec: CLU-105 CLU-147
    pub(crate) fn from_query(query: &Query<'_>) -> Result<Self, QueryError> {
        Ok(Self { subscriptions: query.bool("subs")?, account: query.text("acc").into() })
    }

    /// Reads them from a JSON body.
    pub fn from_body(body: &mut Body<'_>) -> Self {
        Self { subscriptions: body.bool("subscriptions"), account: body.text("account") }
    }
}

/// The answer of `/leafz`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Leafz {
    /// The server's id.
    pub(crate) server_id: String,
    /// When it was made.
    pub(crate) now: Timestamp,
    /// How many there are.
    pub(crate) leafnodes: usize,
    /// The leaf nodes, and the hubs that the server is a leaf node of.
    pub(crate) leafs: Vec<LeafInfo>,
}

/// One of them.
// spec: CLU-105
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct LeafInfo {
    pub(crate) id: u64,
    pub(crate) name: String,
    pub(crate) is_spoke: bool,
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) is_isolated: bool,
    pub(crate) account: String,
    pub(crate) ip: String,
    pub(crate) port: u16,
    pub(crate) rtt: String,
    pub(crate) in_msgs: u64,
    pub(crate) out_msgs: u64,
    pub(crate) in_bytes: u64,
    pub(crate) out_bytes: u64,
    pub(crate) subscriptions: u32,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) subscriptions_list: Vec<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) compression: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) proxy: Option<ProxyInfo>,
}

impl From<LeafSnapshot> for LeafInfo {
    fn from(leaf: LeafSnapshot) -> Self {
        Self {
            id: leaf.cid,
            name: leaf.name,
            is_spoke: leaf.is_spoke,
            is_isolated: leaf.is_isolated,
            account: leaf.account,
            ip: leaf.ip,
            port: leaf.port,
            rtt: round_trip(leaf.rtt.unwrap_or_default()),
            in_msgs: leaf.in_msgs,
            out_msgs: leaf.out_msgs,
            in_bytes: leaf.in_bytes,
            out_bytes: leaf.out_bytes,
            subscriptions: leaf.subscriptions,
            subscriptions_list: leaf.subjects,
            compression: leaf.compression,
            proxy: leaf.proxy.map(|key| ProxyInfo { key }),
        }
    }
}

/// Answers `/leafz`.
pub fn leafz(server: &dyn Observe, now: SystemTime, options: &LeafzOptions) -> Leafz {
    let all = server.leafs(options.subscriptions).into_iter();
    let asked = all.filter(|leaf| options.account.is_empty() || leaf.account == options.account);
    let leafs: Vec<_> = asked.map(LeafInfo::from).collect();
    Leafz { server_id: server.identity().id, now: Timestamp(now), leafnodes: leafs.len(), leafs }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_leaf_node_is_shown_without_what_it_has_not() {
        // spec: CLU-105
        let leaf = LeafSnapshot {
            cid: 5,
            name: "l".into(),
            account: "A".into(),
            ip: "10.0.0.1".into(),
            port: 7,
            ..Default::default()
        };
        let shown = |leaf: LeafSnapshot| serde_json::to_string(&LeafInfo::from(leaf)).expect("JSON");
        assert_eq!(
            shown(leaf.clone()),
            r#"{"id":5,"name":"l","is_spoke":false,"account":"A","ip":"10.0.0.1","port":7,"rtt":"0s","in_msgs":0,"out_msgs":0,"in_bytes":0,"out_bytes":0,"subscriptions":0}"#
        );
        let more = LeafSnapshot {
            is_isolated: true,
            rtt: Some(Duration::from_micros(354)),
            subjects: vec!["a".into()],
            compression: "off".into(),
            proxy: Some("K".into()),
            ..leaf
        };
        let text = shown(more);
        for part in [
            r#""is_isolated":true"#,
            r#""rtt":"354µs""#,
            r#""subscriptions_list":["a"]"#,
            r#""compression":"off""#,
            r#""proxy":{"key":"K"}"#,
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }
}
