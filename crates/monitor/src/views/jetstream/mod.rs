//! `/jsz`: streams and consumers, by account.

mod answer;

use std::time::SystemTime;

use serde::Serialize;

use super::format::{Timestamp, is_default, is_false};
use crate::Observe;
use crate::body::Body;
use crate::query::{Query, QueryError};
use crate::snapshot::JetStreamWant;

pub use answer::{
    ApiStats, JetStreamLimits, JetStreamVarz, JszAccount, Leader, Lost, PriorityGroup, SequenceInfo, StreamState,
};
pub(crate) use answer::{JetStreamStats, StoreLimits};

/// What `/raftz` says without consensus groups.
// spec: CLU-111 CLU-152
pub(crate) const NO_RAFT_NODES: &str = "No Raft nodes registered";

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[expect(clippy::struct_excessive_bools, reason = "the wire has them")]
pub struct JszOptions {
    /// Only this account.
    pub account: String,
    /// Show accounts.
    pub accounts: bool,
    /// Show streams.
    pub streams: bool,
    /// Show consumers.
    pub consumer: bool,
    /// Show consumers of mirrors and sources.
    pub direct_consumer: bool,
    /// Show configurations.
    pub config: bool,
    /// Answer only as the leader of the meta group.
    pub leader_only: bool,
    /// Pass over this many accounts.
    pub offset: i64,
    /// Show at most this many accounts.
    pub limit: i64,
    /// Show consensus groups.
    pub raft: bool,
    /// Show only streams led here.
    pub stream_leader_only: bool,
}

impl JszOptions {
    /// Reads them from a query string.
    // spec: CLU-108 CLU-134 CLU-135
    pub(crate) fn from_query(query: &Query<'_>) -> Result<Self, QueryError> {
        Ok(Self {
            accounts: query.bool("accounts")?,
            streams: query.bool("streams")?,
            consumer: query.bool("consumers")?,
            direct_consumer: query.bool("direct-consumers")?,
            config: query.bool("config")?,
            offset: query.int("offset")?,
            limit: query.int("limit")?,
            leader_only: query.bool("leader-only")?,
            raft: query.bool("raft")?,
            stream_leader_only: query.bool("stream-leader-only")?,
            account: query.text("acc").into(),
        })
    }

    /// Reads them from a JSON body.
    pub fn from_body(body: &mut Body<'_>) -> Self {
        Self {
            account: body.text("account"),
            accounts: body.bool("accounts"),
            streams: body.bool("streams"),
            consumer: body.bool("consumer"),
            direct_consumer: body.bool("direct_consumer"),
            config: body.bool("config"),
            leader_only: body.bool("leader_only"),
            offset: body.int("offset"),
            limit: body.int("limit"),
            raft: body.bool("raft"),
            stream_leader_only: body.bool("stream_leader_only"),
        }
    }
}

/// What the consensus groups are asked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RaftzOptions {
    /// Those of this account; the system account's when empty.
    pub account: String,
    /// Only this group.
    pub group: String,
}

impl RaftzOptions {
    /// Reads them from a JSON body.
    pub fn from_body(body: &mut Body<'_>) -> Self {
        Self { account: body.text("account"), group: body.text("group") }
    }
}

/// Consensus groups by account: there are none.
// spec: CLU-111
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Raftz {}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JszError {
    /// Only the leader was asked.
    #[error("filtered response: not leader")]
    NotLeader,
    /// There is nothing to tell about one account.
    #[error("jetstream not enabled")]
    NotEnabled,
    /// The account may have no streams.
    #[error("account {0:?} not jetstream enabled")]
    AccountNotEnabled(String),
    /// There is no such account.
    #[error("account {0:?} not found")]
    NoAccount(String),
}

/// The answer; without `JetStream`, nothing of everything.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Jsz {
    #[serde(flatten)]
    pub(crate) stats: JetStreamStats,
    pub(crate) server_id: String,
    pub(crate) now: Timestamp,
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) disabled: bool,
    pub(crate) config: StoreLimits,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) limits: Option<JetStreamLimits>,
    pub(crate) streams: u64,
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) streams_leader: u64,
    pub(crate) consumers: u64,
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) consumers_leader: u64,
    pub(crate) messages: u64,
    pub(crate) bytes: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) account_details: Vec<JszAccount>,
    pub(crate) total: u64,
}

/// Answers. A server by itself leads whatever it has.
// spec: CLI-012 CLU-108 CLU-136 CLU-137
pub fn jsz(server: &dyn Observe, now: SystemTime, options: &JszOptions) -> Result<Jsz, JszError> {
    let Some(of) = server.jetstream() else {
        // Without `JetStream`, nobody leads.
        return if options.leader_only { Err(JszError::NotLeader) } else { Ok(disabled(server, now)) };
    };
    let totals = server.jetstream_totals();
    let led = |number: u64| if options.raft { number } else { 0 };
    Ok(Jsz {
        stats: JetStreamStats::of_server(&of),
        server_id: server.identity().id,
        now: Timestamp(now),
        disabled: false,
        config: (&of.settings).into(),
        limits: Some((&of.settings).into()),
        streams: totals.streams,
        streams_leader: led(totals.streams),
        consumers: totals.consumers,
        consumers_leader: led(totals.consumers),
        messages: totals.messages,
        bytes: totals.bytes,
        account_details: details(server, options),
        total: of.accounts,
    })
}

fn disabled(server: &dyn Observe, now: SystemTime) -> Jsz {
    Jsz {
        stats: JetStreamStats::default(),
        server_id: server.identity().id,
        now: Timestamp(now),
        disabled: true,
        config: StoreLimits::default(),
        limits: None,
        streams: 0,
        streams_leader: 0,
        consumers: 0,
        consumers_leader: 0,
        messages: 0,
        bytes: 0,
        account_details: Vec::new(),
        total: 0,
    }
}

/// Consumers are shown with their streams, and streams with their accounts.
fn details(server: &dyn Observe, options: &JszOptions) -> Vec<JszAccount> {
    let streams = options.streams || options.consumer;
    let want = want(streams, options.consumer, options.config);
    let names = match &*options.account {
        "" if streams || options.accounts => {
            let all = server.jetstream_accounts();
            let limit = usize::try_from(options.limit).ok().filter(|limit| *limit > 0).unwrap_or(super::DEFAULT_PAGE);
            super::page(&all, usize::try_from(options.offset).unwrap_or(0), limit).to_vec()
        }
        "" => Vec::new(),
        one => vec![one.to_owned()],
    };
    let account = |name: &String| server.jetstream_account(name, want);
    names.iter().filter_map(account).map(|of| JszAccount::new(of, options.direct_consumer)).collect()
}

fn want(streams: bool, consumers: bool, config: bool) -> JetStreamWant {
    JetStreamWant { streams, consumers, config, most_streams: usize::MAX, most_consumers: usize::MAX }
}

/// Answers about one account. Consumers are only shown with streams.
// spec: CLU-091
pub fn account_jsz(server: &dyn Observe, account: &str, options: &JszOptions) -> Result<JszAccount, JszError> {
    if server.jetstream().is_none() {
        return Err(JszError::NotEnabled);
    }
    let want = want(options.streams, options.streams && options.consumer, options.config);
    match server.jetstream_account(account, want) {
        Some(of) => Ok(JszAccount::new(of, options.direct_consumer)),
        None if server.accounts().iter().any(|known| known == account) => {
            Err(JszError::AccountNotEnabled(account.into()))
        }
        None => Err(JszError::NoAccount(account.into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::{Fake, account, epoch};

    fn shown(options: &JszOptions) -> serde_json::Value {
        let server = Fake { streams: Some(vec![account("A", 2, 3), account("B", 1, 0)]), ..Fake::default() };
        serde_json::to_value(jsz(&server, epoch(), options).expect("there is an answer")).expect("a view is JSON")
    }

    #[test]
    fn what_is_asked_brings_along_what_it_is_in() {
        // spec: CLU-108 NEW-022
        let streams = |options: &JszOptions| {
            let shown = shown(options);
            let accounts = shown["account_details"].as_array().cloned().unwrap_or_default();
            let streams = accounts.iter().flat_map(|of| of["stream_detail"].as_array().cloned().unwrap_or_default());
            (accounts.len(), streams.collect::<Vec<_>>())
        };
        let none = JszOptions::default();
        assert_eq!(streams(&none), (0, Vec::new()));
        assert_eq!(streams(&JszOptions { accounts: true, ..none.clone() }), (2, Vec::new()));
        let (accounts, found) = streams(&JszOptions { consumer: true, ..none.clone() });
        assert_eq!((accounts, found.len()), (2, 3));
        assert_eq!(found[0]["consumer_detail"].as_array().map(Vec::len), Some(2));
        assert_eq!(found[0].get("direct_consumer_detail"), None);
        assert_eq!(found[0].get("config"), None);
        let all = JszOptions { consumer: true, direct_consumer: true, config: true, account: "A".into(), ..none };
        let (accounts, found) = streams(&all);
        assert_eq!((accounts, found.len()), (1, 2));
        assert_eq!(found[0]["direct_consumer_detail"].as_array().map(Vec::len), Some(1));
        assert_eq!(found[0]["config"]["max_msgs"], -1);
        assert_eq!(found[0]["state"]["last_ts"], "0001-01-01T00:00:00Z");
    }

    #[test]
    fn accounts_come_in_pages() {
        // spec: CLU-108
        let names = |offset, limit| -> Vec<String> {
            let shown = shown(&JszOptions { accounts: true, offset, limit, ..JszOptions::default() });
            let accounts = shown["account_details"].as_array().cloned().unwrap_or_default();
            accounts.iter().map(|of| of["name"].as_str().unwrap_or_default().to_owned()).collect()
        };
        for (offset, limit, wanted) in
            [(0, 0, &["A", "B"][..]), (0, 1, &["A"]), (1, 1, &["B"]), (2, 1, &[]), (-1, -1, &["A", "B"])]
        {
            assert_eq!(names(offset, limit), wanted, "{offset} {limit}");
        }
    }

    #[test]
    fn one_account_is_asked_about_by_itself() {
        // spec: CLU-091
        let server = Fake { streams: Some(vec![account("A", 1, 1)]), ..Fake::default() };
        let ask = |server: &Fake, account: &str| {
            let options = JszOptions { consumer: true, ..JszOptions::default() };
            account_jsz(server, account, &options).map(|of| of.stream_detail.len()).map_err(|error| error.to_string())
        };
        assert_eq!(ask(&server, "A"), Ok(0), "consumers do not bring streams along here");
        assert_eq!(ask(&server, "B"), Err(r#"account "B" not jetstream enabled"#.into()));
        assert_eq!(ask(&server, "NOPE"), Err(r#"account "NOPE" not found"#.into()));
        assert_eq!(ask(&Fake::default(), "A"), Err("jetstream not enabled".into()));
    }
}
