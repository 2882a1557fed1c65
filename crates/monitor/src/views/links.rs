//! `/gatewayz` and `/leafz`: links to other clusters and leaf nodes.

use std::collections::BTreeMap;
use std::time::SystemTime;

use serde::Serialize;

use super::format::Timestamp;
use super::subs_arguments;
use crate::Observe;
use crate::body::Body;
use crate::query::{Query, QueryError};

/// A link that cannot be: servers do not connect to each other yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum NoLink {}

/// What `/gatewayz` is asked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GatewayzOptions {
    /// Only those to this cluster.
    pub name: String,
    /// Show their accounts.
    pub accounts: bool,
    /// Only this account; asks for `accounts`.
    pub account_name: String,
    /// Show the subjects of their subscriptions.
    pub subscriptions: bool,
    /// Show everything about their subscriptions.
    pub subscriptions_detail: bool,
}

impl GatewayzOptions {
    /// Reads them from a query string.
    // spec: CLU-104 CLU-148
    pub fn from_query(query: &Query<'_>) -> Result<Self, QueryError> {
        let (subscriptions, subscriptions_detail) = subs_arguments(query)?;
        let account_name = query.text("acc_name");
        Ok(Self {
            accounts: query.bool("accs")? || !account_name.is_empty(),
            name: query.text("gw_name").into(),
            account_name: account_name.into(),
            subscriptions,
            subscriptions_detail,
        })
    }

    /// Reads them from a JSON body.
    pub fn from_body(body: &mut Body<'_>) -> Self {
        Self {
            name: body.text("name"),
            accounts: body.bool("accounts"),
            account_name: body.text("account_name"),
            subscriptions: body.bool("subscriptions"),
            subscriptions_detail: body.bool("subscriptions_detail"),
        }
    }
}

/// The answer of `/gatewayz`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Gatewayz {
    /// The server's id.
    pub server_id: String,
    /// When it was made.
    pub now: Timestamp,
    /// Connections this server made, by cluster.
    pub outbound_gateways: BTreeMap<String, Vec<NoLink>>,
    /// Connections made to this server, by cluster.
    pub inbound_gateways: BTreeMap<String, Vec<NoLink>>,
}

/// Answers `/gatewayz`.
pub fn gatewayz(server: &dyn Observe, now: SystemTime, _options: &GatewayzOptions) -> Gatewayz {
    Gatewayz {
        server_id: server.identity().id,
        now: Timestamp(now),
        outbound_gateways: BTreeMap::new(),
        inbound_gateways: BTreeMap::new(),
    }
}

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
    pub fn from_query(query: &Query<'_>) -> Result<Self, QueryError> {
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
    pub server_id: String,
    /// When it was made.
    pub now: Timestamp,
    /// How many there are.
    pub leafnodes: usize,
    /// The leaf nodes.
    pub leafs: Vec<NoLink>,
}

/// Answers `/leafz`.
pub fn leafz(server: &dyn Observe, now: SystemTime, _options: &LeafzOptions) -> Leafz {
    Leafz { server_id: server.identity().id, now: Timestamp(now), leafnodes: 0, leafs: Vec::new() }
}
