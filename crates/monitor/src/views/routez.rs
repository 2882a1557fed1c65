//! `/routez`: connections to other members of the cluster.

use std::time::SystemTime;

use serde::Serialize;

use super::format::{Timestamp, between, is_default, round_trip, uptime};
use super::subs_arguments;
use super::subsz::SubDetail;
use crate::Observe;
use crate::body::Body;
use crate::query::{Query, QueryError};
use crate::snapshot::{LinkPermission, RouteSnapshot};

/// What `/routez` is asked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RoutezOptions {
    /// Show the subjects of their subscriptions.
    pub subscriptions: bool,
    /// Show everything about their subscriptions.
    pub subscriptions_detail: bool,
}

impl RoutezOptions {
    /// Reads them from a query string.
    // spec: CLU-103 CLU-130
    pub(crate) fn from_query(query: &Query<'_>) -> Result<Self, QueryError> {
        let (subscriptions, subscriptions_detail) = subs_arguments(query)?;
        Ok(Self { subscriptions, subscriptions_detail })
    }

    /// Reads them from a JSON body.
    pub fn from_body(body: &mut Body<'_>) -> Self {
        Self { subscriptions: body.bool("subscriptions"), subscriptions_detail: body.bool("subscriptions_detail") }
    }
}

/// The answer of `/routez`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Routez {
    /// The server's id.
    pub(crate) server_id: String,
    /// The server's name.
    pub(crate) server_name: String,
    /// When it was made.
    pub(crate) now: Timestamp,
    /// What this server imports.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) import: Option<Subjects>,
    /// What this server exports.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) export: Option<Subjects>,
    /// How many there are.
    pub(crate) num_routes: usize,
    /// The routes.
    pub(crate) routes: Vec<Route>,
}

/// Subjects that may pass, and that may not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Subjects {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) allow: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) deny: Vec<String>,
}

impl From<LinkPermission> for Subjects {
    fn from(of: LinkPermission) -> Self {
        Self { allow: of.allow, deny: of.deny }
    }
}

/// One connection.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Route {
    pub(crate) rid: u64,
    pub(crate) remote_id: String,
    pub(crate) remote_name: String,
    pub(crate) did_solicit: bool,
    pub(crate) is_configured: bool,
    pub(crate) ip: String,
    pub(crate) port: u16,
    pub(crate) start: Timestamp,
    pub(crate) last_activity: Timestamp,
    pub(crate) rtt: String,
    pub(crate) uptime: String,
    pub(crate) idle: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) import: Option<Subjects>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) export: Option<Subjects>,
    pub(crate) pending_size: usize,
    pub(crate) in_msgs: u64,
    pub(crate) out_msgs: u64,
    pub(crate) in_bytes: u64,
    pub(crate) out_bytes: u64,
    pub(crate) subscriptions: u32,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) subscriptions_list: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) subscriptions_list_detail: Vec<SubDetail>,
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) account: String,
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) compression: String,
}

/// Answers `/routez`.
pub fn routez(server: &dyn Observe, now: SystemTime, options: &RoutezOptions) -> Routez {
    let identity = server.identity();
    let listed = options.subscriptions || options.subscriptions_detail;
    let list = server.routes(listed);
    Routez {
        server_id: identity.id,
        server_name: identity.name,
        now: Timestamp(now),
        import: list.import.map(Into::into),
        export: list.export.map(Into::into),
        num_routes: list.routes.len(),
        routes: list.routes.into_iter().map(|route| show(route, now, options)).collect(),
    }
}

fn show(route: RouteSnapshot, now: SystemTime, options: &RoutezOptions) -> Route {
    let link = route.link;
    let (mut subscriptions_list, mut subscriptions_list_detail) = (Vec::new(), Vec::new());
    if options.subscriptions_detail {
        subscriptions_list_detail = link.list.into_iter().map(|sub| SubDetail::of_open(sub, link.cid)).collect();
    } else {
        subscriptions_list = link.list.into_iter().map(|sub| sub.subject).collect();
    }
    Route {
        rid: link.cid,
        remote_id: route.remote_id,
        remote_name: route.remote_name,
        did_solicit: route.did_solicit,
        is_configured: route.is_configured,
        ip: link.ip,
        port: link.port,
        start: Timestamp(link.start),
        last_activity: Timestamp(link.last_activity),
        rtt: round_trip(link.rtt),
        uptime: uptime(between(link.start, now)),
        idle: uptime(between(link.last_activity, now)),
        import: route.import.map(Into::into),
        export: route.export.map(Into::into),
        pending_size: link.pending,
        in_msgs: link.in_msgs,
        out_msgs: link.out_msgs,
        in_bytes: link.in_bytes,
        out_bytes: link.out_bytes,
        subscriptions: link.subscriptions,
        subscriptions_list,
        subscriptions_list_detail,
        account: route.account,
        compression: route.compression,
    }
}
