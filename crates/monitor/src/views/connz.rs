//! `/connz`: connections, open and closed.

mod info;

use std::cmp::{Ordering, Reverse};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::SystemTime;

use serde::Serialize;

use super::format::{Timestamp, between};
use super::{DEFAULT_PAGE, page};
use crate::Observe;
use crate::body::Body;
use crate::query::{Query, QueryError};
use crate::snapshot::{ClosedConn, ConnDetail, ConnFilter, ConnStats, Want};

pub(crate) use info::{ConnInfo, ProxyInfo};
use info::{closed_info, open_info};

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ConnzOptions {
    /// Name of the order; `cid` when empty.
    pub sort: String,
    /// Show who they are.
    pub auth: bool,
    /// Show the subjects of their subscriptions.
    pub subscriptions: bool,
    /// Show everything about their subscriptions.
    pub subscriptions_detail: bool,
    /// Pass over this many.
    pub offset: i64,
    /// Show at most this many; 0 and below ask for 1,024.
    pub limit: i64,
    /// Show only this one; 0 is none.
    pub cid: u64,
    /// Show only this MQTT client.
    pub mqtt_client: String,
    /// Open ones, closed ones, or both.
    pub state: ConnState,
    /// Show only those of this user.
    pub user: String,
    /// Show only those of this account.
    pub account: String,
    /// Show only those with interest here; asks for `account`.
    pub filter_subject: String,
}

/// Which connections. Written 0, 1 and 2 in a JSON body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ConnState {
    /// Open ones.
    #[default]
    Open,
    /// Closed ones.
    Closed,
    /// Both.
    All,
    /// Neither, as any other number in a JSON body asks for.
    Neither,
}

impl From<i64> for ConnState {
    fn from(state: i64) -> Self {
        match state {
            0 => Self::Open,
            1 => Self::Closed,
            2 => Self::All,
            _ => Self::Neither,
        }
    }
}

impl ConnzOptions {
    /// Reads them from a query string.
    // spec: CLU-102 CLU-121 CLU-122 CLU-123 CLU-125 CLU-129
    pub(crate) fn from_query(query: &Query<'_>) -> Result<Self, QueryError> {
        let auth = query.bool("auth")?;
        let (subscriptions, subscriptions_detail) = super::subs_arguments(query)?;
        Ok(Self {
            sort: query.text("sort").into(),
            auth,
            subscriptions,
            subscriptions_detail,
            offset: query.int("offset")?,
            limit: query.int("limit")?,
            cid: query.uint("cid")?,
            state: match query.text("state").to_lowercase().as_str() {
                "" | "open" => ConnState::Open,
                "closed" => ConnState::Closed,
                "any" | "all" => ConnState::All,
                _ => return Err(QueryError::State(query.text("state").into())),
            },
            mqtt_client: query.text("mqtt_client").into(),
            user: query.text("user").into(),
            account: query.text("acc").into(),
            filter_subject: String::new(),
        })
    }

    /// Reads them from a JSON body.
    pub fn from_body(body: &mut Body<'_>) -> Self {
        Self {
            sort: body.text_as("sort", "server.SortOpt"),
            auth: body.bool("auth"),
            subscriptions: body.bool("subscriptions"),
            subscriptions_detail: body.bool("subscriptions_detail"),
            offset: body.int("offset"),
            limit: body.int("limit"),
            cid: body.uint("cid"),
            mqtt_client: body.text("mqtt_client"),
            state: body.int_as("state", "server.ConnState").into(),
            user: body.text("user"),
            account: body.text("acc"),
            filter_subject: body.text("filter_subject"),
        }
    }

    fn filter(&self) -> ConnFilter {
        let some = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
        ConnFilter {
            cid: Some(self.cid).filter(|&cid| cid > 0),
            account: some(&self.account),
            user: some(&self.user),
            mqtt_client: some(&self.mqtt_client),
            subject: some(&self.filter_subject).filter(|subject| subject != ">"),
        }
    }
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConnzError {
    /// No such order.
    #[error("invalid sorting option: {0}")]
    Sort(String),
    /// An order that open connections do not have.
    #[error("sort by {0} only valid on closed connections")]
    OnlyClosed(&'static str),
    /// A subject means nothing without an account.
    #[error("filter by subject only valid with account filtering")]
    SubjectWithoutAccount,
}

/// The orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sort {
    Cid,
    Subs,
    Pending,
    MsgsTo,
    MsgsFrom,
    BytesTo,
    BytesFrom,
    Last,
    Idle,
    Uptime,
    Stop,
    Reason,
    Rtt,
}

impl Sort {
    fn parse(name: &str, state: ConnState) -> Result<Self, ConnzError> {
        Ok(match name {
            "" | "cid" | "start" => Self::Cid,
            "subs" => Self::Subs,
            "pending" => Self::Pending,
            "msgs_to" => Self::MsgsTo,
            "msgs_from" => Self::MsgsFrom,
            "bytes_to" => Self::BytesTo,
            "bytes_from" => Self::BytesFrom,
            "last" => Self::Last,
            "idle" => Self::Idle,
            "uptime" => Self::Uptime,
            "rtt" => Self::Rtt,
            "stop" if state != ConnState::Closed => return Err(ConnzError::OnlyClosed("stop")),
            "stop" => Self::Stop,
            "reason" if state != ConnState::Closed => return Err(ConnzError::OnlyClosed("reason")),
            "reason" => Self::Reason,
            other => return Err(ConnzError::Sort(other.into())),
        })
    }

    /// The largest first, but for ids, uptimes and reasons; by id where they are equal.
    fn compare(self, now: SystemTime, a: &Row, b: &Row) -> Ordering {
        let (left, right) = (a.stats(), b.stats());
        let largest_first = |value: fn(&ConnStats) -> u64| Reverse(value(left)).cmp(&Reverse(value(right)));
        let order = match self {
            Self::Cid => Ordering::Equal,
            Self::Subs => largest_first(|stats| stats.subscriptions.into()),
            Self::Pending => largest_first(|stats| stats.pending_bytes),
            Self::MsgsTo => largest_first(|stats| stats.out_msgs),
            Self::MsgsFrom => largest_first(|stats| stats.in_msgs),
            Self::BytesTo => largest_first(|stats| stats.out_bytes),
            Self::BytesFrom => largest_first(|stats| stats.in_bytes),
            Self::Last => right.last_activity.cmp(&left.last_activity),
            Self::Idle => left.last_activity.cmp(&right.last_activity),
            Self::Uptime => a.uptime(now).cmp(&b.uptime(now)),
            Self::Stop => b.stop().cmp(&a.stop()),
            Self::Reason => a.reason().cmp(b.reason()),
            Self::Rtt => right.rtt.cmp(&left.rtt),
        };
        order.then(left.cid.cmp(&right.cid))
    }
}

/// A connection on its way to the page.
#[derive(Debug)]
enum Row {
    Open(ConnStats),
    Closed(Arc<ClosedConn>),
}

impl Row {
    fn stats(&self) -> &ConnStats {
        match self {
            Self::Open(stats) => stats,
            Self::Closed(conn) => &conn.stats,
        }
    }

    fn stop(&self) -> Option<SystemTime> {
        match self {
            Self::Open(_) => None,
            Self::Closed(conn) => Some(conn.stop),
        }
    }

    fn reason(&self) -> &str {
        match self {
            Self::Open(_) => "",
            Self::Closed(conn) => &conn.reason,
        }
    }

    fn uptime(&self, now: SystemTime) -> std::time::Duration {
        between(self.stats().start, self.stop().unwrap_or(now))
    }
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Connz {
    /// Empty if the account asked for does not exist.
    pub(crate) server_id: String,
    /// When it was made.
    pub(crate) now: Timestamp,
    /// Connections shown.
    pub(crate) num_connections: usize,
    /// Connections there are, of the account asked for.
    pub(crate) total: usize,
    /// As asked.
    pub(crate) offset: usize,
    /// As asked.
    pub(crate) limit: usize,
    /// The page; absent if the account asked for does not exist.
    pub(crate) connections: Option<Vec<ConnInfo>>,
}

/// Answers.
// spec: CLU-102 CLU-120 CLU-124 CLU-126 CLU-127 CLU-128 CLU-161 CLU-162
pub fn connz(server: &dyn Observe, now: SystemTime, options: &ConnzOptions) -> Result<Connz, ConnzError> {
    let sort = Sort::parse(&options.sort, options.state)?;
    let filter = options.filter();
    if filter.subject.is_some() && filter.account.is_none() {
        return Err(ConnzError::SubjectWithoutAccount);
    }
    let offset = usize::try_from(options.offset).unwrap_or(0);
    let limit = match usize::try_from(options.limit) {
        _ if filter.cid.is_some() => 1,
        Ok(limit) if limit > 0 => limit,
        _ => DEFAULT_PAGE,
    };
    let mut answer = Connz {
        server_id: String::new(),
        now: Timestamp(now),
        num_connections: 0,
        total: 0,
        offset,
        limit,
        connections: None,
    };
    let Some((total, mut rows)) = gather(server, &filter, options.state) else {
        return Ok(answer);
    };
    rows.sort_unstable_by(|a, b| sort.compare(now, a, b));
    let connections = details(server, now, page(&rows, offset, limit), options);
    answer.server_id = server.identity().id;
    answer.total = total;
    answer.num_connections = connections.len();
    answer.connections = Some(connections);
    Ok(answer)
}

/// The connections that are asked for, and how many there are; `None` if their account does not exist.
fn gather(server: &dyn Observe, filter: &ConnFilter, state: ConnState) -> Option<(usize, Vec<Row>)> {
    if let Some(account) = &filter.account {
        server.account_traffic(account)?;
    }
    let (mut total, mut rows) = (0, Vec::new());
    if matches!(state, ConnState::Open | ConnState::All) {
        let open = server.connections(filter)?;
        total += open.total;
        rows.extend(open.admitted.into_iter().map(Row::Open));
    }
    if matches!(state, ConnState::Closed | ConnState::All) {
        let closed = server.closed(filter);
        total += closed.total;
        // One that is asked for by its id and open is not closed.
        if filter.cid.is_none() || rows.is_empty() {
            rows.extend(closed.admitted.into_iter().map(Row::Closed));
        }
    }
    Some((total, rows))
}

fn details(server: &dyn Observe, now: SystemTime, rows: &[Row], options: &ConnzOptions) -> Vec<ConnInfo> {
    let open: Vec<u64> = rows.iter().filter(|row| matches!(row, Row::Open(_))).map(|row| row.stats().cid).collect();
    let want = Want { subscriptions: options.subscriptions || options.subscriptions_detail, auth: options.auth };
    let mut known: HashMap<u64, ConnDetail> = match open.as_slice() {
        [] => HashMap::new(),
        open => server.connection_details(open, want).into_iter().map(|detail| (detail.cid, detail)).collect(),
    };
    rows.iter()
        .filter_map(|row| match row {
            Row::Open(stats) => Some(open_info(stats, known.remove(&stats.cid)?, now, options)),
            Row::Closed(conn) => Some(closed_info(conn, options)),
        })
        .collect()
}

#[cfg(test)]
mod tests;
