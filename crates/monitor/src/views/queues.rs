//! `/ipqueuesz`: what waits inside the server.

use std::collections::BTreeMap;

use serde::Serialize;

use super::format::is_default;
use crate::Observe;
use crate::body::Body;
use crate::query::{Query, QueryError};

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct IpqueueszOptions {
    /// Also those where nothing waits.
    pub all: bool,
    /// Only those whose name has this in it.
    pub filter: String,
}

impl IpqueueszOptions {
    /// Reads them from a query string.
    // spec: CLU-110 CLU-151
    pub(crate) fn from_query(query: &Query<'_>) -> Result<Self, QueryError> {
        Ok(Self { all: query.bool("all")?, filter: query.text("queues").into() })
    }

    /// Reads them from a JSON body.
    pub fn from_body(body: &mut Body<'_>) -> Self {
        Self { all: body.bool("all"), filter: body.text("filter") }
    }
}

/// One queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct QueueStatus {
    /// Entries waiting.
    pub(crate) pending: u64,
    /// Entries being worked on.
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) in_progress: u64,
}

/// Answers: queues by name.
// spec: CLU-110
pub fn ipqueuesz(server: &dyn Observe, options: &IpqueueszOptions) -> BTreeMap<String, QueueStatus> {
    server
        .queues()
        .into_iter()
        .filter(|queue| options.all || queue.pending > 0 || queue.in_progress > 0)
        .filter(|queue| queue.name.contains(&options.filter))
        .map(|queue| (queue.name, QueueStatus { pending: queue.pending, in_progress: queue.in_progress }))
        .collect()
}
