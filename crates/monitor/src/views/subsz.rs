//! `/subsz`: subscriptions and the numbers of interest.

use std::time::SystemTime;

use serde::Serialize;

use super::DEFAULT_PAGE;
use super::format::{Number, Timestamp, is_default};
use crate::Observe;
use crate::body::Body;
use crate::query::{Query, QueryError};
use crate::snapshot::{InterestStats, SubRef, SubSnapshot};

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SubszOptions {
    /// Pass over this many.
    pub offset: i64,
    /// Show at most this many; 0 and below ask for 1,024.
    pub limit: i64,
    /// Show the subscriptions.
    pub subscriptions: bool,
    /// Only this account's.
    pub account: String,
    /// Only those that a message with this subject would reach.
    pub test: String,
}

impl SubszOptions {
    /// Reads them from a query string.
    // spec: CLU-106 CLU-131
    pub(crate) fn from_query(query: &Query<'_>) -> Result<Self, QueryError> {
        Ok(Self {
            subscriptions: query.bool("subs")?,
            offset: query.int("offset")?,
            limit: query.int("limit")?,
            account: query.text("acc").into(),
            test: query.text("test").into(),
        })
    }

    /// Reads them from a JSON body.
    pub fn from_body(body: &mut Body<'_>) -> Self {
        Self {
            offset: body.int("offset"),
            limit: body.int("limit"),
            subscriptions: body.bool("subscriptions"),
            account: body.text("account"),
            test: body.text("test"),
        }
    }
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid test subject, must be valid publish subject: {0}")]
pub struct TestSubjectError(pub String);

/// The answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Subsz {
    /// The server's id.
    pub(crate) server_id: String,
    /// When it was made.
    pub(crate) now: Timestamp,
    /// Numbers of the accounts that are shown.
    #[serde(flatten)]
    pub(crate) stats: SublistStats,
    /// Subscriptions that were asked for.
    pub(crate) total: usize,
    /// As asked.
    pub(crate) offset: usize,
    /// As asked.
    pub(crate) limit: usize,
    /// The page.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) subscriptions_list: Vec<SubDetail>,
}

/// The numbers of interest.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct SublistStats {
    pub(crate) num_subscriptions: u64,
    pub(crate) num_cache: u64,
    pub(crate) num_inserts: u64,
    pub(crate) num_removes: u64,
    pub(crate) num_matches: u64,
    pub(crate) cache_hit_rate: Number,
    pub(crate) max_fanout: u64,
    pub(crate) avg_fanout: Number,
}

impl From<InterestStats> for SublistStats {
    fn from(stats: InterestStats) -> Self {
        Self {
            num_subscriptions: stats.subscriptions,
            num_cache: stats.cached,
            num_inserts: stats.inserts,
            num_removes: stats.removes,
            num_matches: stats.matches,
            cache_hit_rate: Number::ratio(stats.cache_hits, stats.matches),
            max_fanout: stats.max_fanout,
            avg_fanout: Number::ratio(stats.total_fanout, stats.cached),
        }
    }
}

/// One subscription.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct SubDetail {
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) account: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) account_tag: String,
    pub(crate) subject: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) qgroup: String,
    pub(crate) sid: String,
    pub(crate) msgs: u64,
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) max: u64,
    pub(crate) cid: u64,
}

impl SubDetail {
    /// As it is shown under its open connection, without the account.
    pub(super) fn of_open(sub: SubSnapshot, cid: u64) -> Self {
        Self { account: String::new(), account_tag: String::new(), ..Self::of_closed(sub, cid) }
    }

    /// As it is shown under its connection when that is closed.
    pub(super) fn of_closed(sub: SubSnapshot, cid: u64) -> Self {
        Self {
            account: sub.account,
            account_tag: sub.account_tag,
            subject: sub.subject,
            qgroup: sub.queue,
            sid: sub.sid,
            msgs: sub.msgs,
            max: sub.max,
            cid,
        }
    }
}

impl From<SubRef<'_>> for SubDetail {
    fn from(sub: SubRef<'_>) -> Self {
        Self {
            account: sub.account.into(),
            account_tag: sub.account_tag.into(),
            subject: sub.subject.into(),
            qgroup: sub.queue.into(),
            sid: sub.sid.into(),
            msgs: sub.msgs,
            max: sub.max,
            cid: sub.cid,
        }
    }
}

/// Answers. Every subscription is visited, but only the page is copied.
// spec: CLU-106 CLU-132 CLU-133
pub fn subsz(server: &dyn Observe, now: SystemTime, options: &SubszOptions) -> Result<Subsz, TestSubjectError> {
    if !options.test.is_empty() && !is_literal(&options.test) {
        return Err(TestSubjectError(options.test.clone()));
    }
    let offset = usize::try_from(options.offset).unwrap_or(0);
    let limit = usize::try_from(options.limit).ok().filter(|&limit| limit > 0).unwrap_or(DEFAULT_PAGE);
    let account = Some(options.account.as_str()).filter(|account| !account.is_empty());
    let (mut total, mut shown) = (0_usize, Vec::new());
    if options.subscriptions {
        server.visit_subscriptions(account, &mut |sub| {
            if !options.test.is_empty() && !matches(sub.subject, &options.test) {
                return;
            }
            if total >= offset && shown.len() < limit {
                shown.push(sub.into());
            }
            total += 1;
        });
    }
    Ok(Subsz {
        server_id: server.identity().id,
        now: Timestamp(now),
        stats: server.interest(account).into(),
        total,
        offset,
        limit,
        subscriptions_list: shown,
    })
}

/// Whether a message can have this subject: no empty token, no wildcard.
fn is_literal(subject: &str) -> bool {
    subject.split('.').all(|token| !matches!(token, "" | "*" | ">"))
}

/// Whether a subscription to `pattern` gets a message with the subject `literal`.
fn matches(pattern: &str, literal: &str) -> bool {
    let mut tokens = literal.split('.');
    for wanted in pattern.split('.') {
        match (wanted, tokens.next()) {
            (">", token) => return token.is_some(),
            (_, None) => return false,
            ("*", Some(_)) => {}
            (wanted, Some(token)) if wanted != token => return false,
            _ => {}
        }
    }
    tokens.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_subject_is_one_to_publish_to() {
        // spec: CLU-132
        for (subject, literal) in
            [("a", true), ("a.b", true), ("a*.b>", true), ("a..b", false), (".a", false), ("a.*", false), (">", false)]
        {
            assert_eq!(is_literal(subject), literal, "{subject}");
        }
    }

    #[test]
    fn patterns_match_as_in_routing() {
        // spec: CLU-133
        for (pattern, literal, expected) in [
            ("foo.bar", "foo.bar", true),
            ("foo.*", "foo.bar", true),
            ("*", "foo", true),
            ("*", "foo.bar", false),
            (">", "foo.bar", true),
            ("foo.>", "foo", false),
            ("foo.>", "foo.bar.baz", true),
            ("foo", "foo.bar", false),
            ("foo.bar", "foo", false),
            ("*.*", "foo.baz", true),
        ] {
            assert_eq!(matches(pattern, literal), expected, "{pattern} {literal}");
        }
    }
}
