//! The JSON views: what is asked, what is answered, and the texts of refusals.
//!
//! Every view is a function of a server, the time and typed options, which come from a query string or from a
//! JSON body alike. Field names, order and which fields are left out are the reference's.
//!
//! Invariant: nothing here knows HTTP or a clock.

mod accounts;
mod connz;
mod expvarz;
mod format;
mod gatewayz;
mod healthz;
mod jetstream;
mod links;
mod profilez;
mod queues;
mod routez;
mod subsz;
mod varz;

pub use accounts::{
    AccountDetail, AccountError, AccountStat, AccountStatz, AccountStatzOptions, Accountz, AccountzOptions, Export,
    Import, Kind, Latency, Sampling, account_detail, account_statz, accountz,
};
pub(crate) use connz::ProxyInfo;
pub use connz::{ConnState, Connz, ConnzError, ConnzOptions, connz};
pub(crate) use expvarz::Memstats;
pub use expvarz::{Expvarz, expvarz};
pub use format::{Number, Timestamp};
pub use gatewayz::{Gateway, Gatewayz, GatewayzOptions, gatewayz};
pub use healthz::{HealthStatus, HealthzOptions, healthz};
pub(crate) use jetstream::NO_RAFT_NODES;
pub use jetstream::{
    ApiStats, JetStreamLimits, JetStreamVarz, Jsz, JszAccount, JszError, JszOptions, Leader, Lost, PriorityGroup,
    Raftz, RaftzOptions, SequenceInfo, StreamState, account_jsz, jsz,
};
pub use links::{Leafz, LeafzOptions, leafz};
pub use profilez::{Profilez, ProfilezOptions, profilez};
pub use queues::{IpqueueszOptions, QueueStatus, ipqueuesz};
pub use routez::{Route, Routez, RoutezOptions, Subjects, routez};
pub(crate) use subsz::{SubDetail, SublistStats};
pub use subsz::{Subsz, SubszOptions, TestSubjectError, subsz};
pub use varz::{Varz, varz};

use crate::query::{Query, QueryError};

/// Entries on a page unless more or fewer are asked for.
const DEFAULT_PAGE: usize = 1024;

/// The account of those who name none; views leave it out.
const GLOBAL_ACCOUNT: &str = "$G";

/// `limit` entries after the first `offset`.
fn page<T>(rows: &[T], offset: usize, limit: usize) -> &[T] {
    let rest = rows.get(offset..).unwrap_or_default();
    rest.get(..limit).unwrap_or(rest)
}

/// `subs`: whether to show subscriptions, and whether with everything about them.
// spec: CLI-011 CLU-125 CLU-130 CLU-147
fn subs_arguments(query: &Query<'_>) -> Result<(bool, bool), QueryError> {
    if query.text("subs").eq_ignore_ascii_case("detail") { Ok((false, true)) } else { Ok((query.bool("subs")?, false)) }
}
