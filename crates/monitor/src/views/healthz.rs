//! `/healthz`: whether clients can be served.

use log::warn;
use serde::Serialize;

use crate::Observe;
use crate::body::Body;
use crate::query::{Query, QueryError};
use crate::snapshot::Health;

/// What is asked. Without streams to look at, the server itself is all there is to check.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[expect(clippy::struct_excessive_bools, reason = "the wire has them")]
pub struct HealthzOptions {
    /// Deprecated name of `js_enabled_only`.
    pub js_enabled: bool,
    /// Only whether `JetStream` is enabled, if it is asked for.
    pub js_enabled_only: bool,
    /// Leave out streams and consumers.
    pub js_server_only: bool,
    /// Only the meta group.
    pub js_meta_only: bool,
    /// Streams of this account.
    pub account: String,
    /// This stream.
    pub stream: String,
    /// This consumer.
    pub consumer: String,
    /// Name every error.
    pub details: bool,
}

impl HealthzOptions {
    /// Reads them from a query string.
    // spec: CLU-109 CLU-145
    pub fn from_query(query: &Query<'_>) -> Result<Self, QueryError> {
        let js_enabled = query.bool("js-enabled")?;
        if js_enabled {
            warn!("Healthcheck: js-enabled deprecated, use js-enabled-only instead");
        }
        Ok(Self {
            js_enabled,
            js_enabled_only: query.bool("js-enabled-only")?,
            js_server_only: query.bool("js-server-only")?,
            js_meta_only: query.bool("js-meta-only")?,
            details: query.bool("details")?,
            account: query.text("account").into(),
            stream: query.text("stream").into(),
            consumer: query.text("consumer").into(),
        })
    }

    /// Reads them from a JSON body.
    pub fn from_body(body: &mut Body<'_>) -> Self {
        Self {
            js_enabled: body.bool("js-enabled"),
            js_enabled_only: body.bool("js-enabled-only"),
            js_server_only: body.bool("js-server-only"),
            js_meta_only: body.bool("js-meta-only"),
            account: body.text("account"),
            stream: body.text("stream"),
            consumer: body.text("consumer"),
            details: body.bool("details"),
        }
    }
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HealthStatus {
    /// `ok`, or what it is instead.
    pub status: &'static str,
    /// As in HTTP; over HTTP it is left out of the body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status_code: Option<u16>,
    /// The first error.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub error: String,
    /// All errors, if details were asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<HealthError>,
}

/// One error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HealthError {
    /// `CONNECTION` or `BAD_REQUEST`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// What is wrong.
    pub error: String,
}

impl HealthStatus {
    fn ok() -> Self {
        Self { status: "ok", status_code: Some(200), error: String::new(), errors: Vec::new() }
    }

    fn failed(code: u16, kind: &'static str, error: String, details: bool) -> Self {
        let failed = Self { status: "error", status_code: Some(code), ..Self::ok() };
        if details { Self { errors: vec![HealthError { kind, error }], ..failed } } else { Self { error, ..failed } }
    }
}

/// Answers, with the HTTP status in [`HealthStatus::status_code`].
// spec: CLU-109 CLU-138 CLU-139 CLU-140
pub fn healthz(server: &dyn Observe, options: &HealthzOptions) -> HealthStatus {
    let bad_request = |missing: &str, what: &str| {
        let error = format!("\"{missing}\" must not be empty when checking {what} health");
        HealthStatus::failed(400, "BAD_REQUEST", error, options.details)
    };
    if options.account.is_empty() && !options.stream.is_empty() {
        return bad_request("account", "stream");
    }
    if options.stream.is_empty() && !options.consumer.is_empty() {
        return bad_request("stream", "consumer");
    }
    match server.health() {
        Health::Ready => HealthStatus::ok(),
        Health::NotReady(missing) => {
            let error = format!("failed to be ready for connections after 1ms: {}", missing.join(", "));
            HealthStatus::failed(500, "CONNECTION", error, options.details)
        }
    }
}
