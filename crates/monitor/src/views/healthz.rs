//! `/healthz`: whether clients can be served.

use log::warn;
use serde::Serialize;

use crate::Observe;
use crate::body::Body;
use crate::query::{Query, QueryError};
use crate::snapshot::{Found, Health, StreamFault};

/// What is asked.
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
    pub(crate) fn from_query(query: &Query<'_>) -> Result<Self, QueryError> {
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
    pub(crate) status: &'static str,
    /// As in HTTP; over HTTP it is left out of the body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) status_code: Option<u16>,
    /// The first error.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) error: String,
    /// All errors, if details were asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) errors: Vec<HealthError>,
}

/// One error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct HealthError {
    /// `CONNECTION`, `BAD_REQUEST`, `ACCOUNT`, `STREAM` or `CONSUMER`.
    #[serde(rename = "type")]
    pub(crate) kind: &'static str,
    /// The account it is about.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) account: String,
    /// The stream.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) stream: String,
    /// The consumer.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) consumer: String,
    /// What is wrong.
    pub(crate) error: String,
}

impl HealthError {
    fn new(kind: &'static str, error: String) -> Self {
        Self { kind, account: String::new(), stream: String::new(), consumer: String::new(), error }
    }
}

impl HealthStatus {
    fn ok() -> Self {
        Self { status: "ok", status_code: Some(200), error: String::new(), errors: Vec::new() }
    }

    fn failed(code: u16, error: HealthError, details: bool) -> Self {
        let failed = Self { status: "error", status_code: Some(code), ..Self::ok() };
        if details { Self { errors: vec![error], ..failed } } else { Self { error: error.error, ..failed } }
    }

    /// Streams cannot be used: without details, the first error says it.
    fn unavailable(code: u16, errors: Vec<HealthError>, details: bool) -> Self {
        let failed = Self { status_code: Some(code), ..Self::ok() };
        if details {
            return Self { status: "error", errors, ..failed };
        }
        let error = errors.into_iter().next().map(|first| first.error).unwrap_or_default();
        Self { status: "unavailable", error, ..failed }
    }
}

/// Answers, with the HTTP status in [`HealthStatus::status_code`].
// spec: CLU-109 CLU-138 CLU-139 CLU-140
pub fn healthz(server: &dyn Observe, options: &HealthzOptions) -> HealthStatus {
    let bad_request = |missing: &str, what: &str| {
        let error = format!("\"{missing}\" must not be empty when checking {what} health");
        HealthStatus::failed(400, HealthError::new("BAD_REQUEST", error), options.details)
    };
    if options.account.is_empty() && !options.stream.is_empty() {
        return bad_request("account", "stream");
    }
    if options.stream.is_empty() && !options.consumer.is_empty() {
        return bad_request("stream", "consumer");
    }
    if let Health::NotReady(missing) = server.health() {
        let error = format!("failed to be ready for connections after 1ms: {}", missing.join(", "));
        return HealthStatus::failed(500, HealthError::new("CONNECTION", error), options.details);
    }
    let server_only = options.js_enabled || options.js_enabled_only || options.js_server_only || options.js_meta_only;
    if server_only || server.jetstream().is_none() { HealthStatus::ok() } else { streams(server, options) }
}

/// Whether streams can be used, or the one that is asked for.
// spec: CLU-109
fn streams(server: &dyn Observe, options: &HealthzOptions) -> HealthStatus {
    let HealthzOptions { account, stream, consumer, .. } = options;
    let concerns = |fault: &StreamFault| {
        (account.is_empty() || *account == fault.account) && (stream.is_empty() || *stream == fault.stream)
    };
    let error = |fault: StreamFault| HealthError {
        account: fault.account.clone(),
        stream: fault.stream.clone(),
        ..HealthError::new("STREAM", fault.to_string())
    };
    let faults: Vec<_> = server.stream_faults().into_iter().filter(concerns).map(error).collect();
    if !faults.is_empty() {
        return HealthStatus::unavailable(503, faults, options.details);
    }
    if account.is_empty() {
        return HealthStatus::ok();
    }
    let missing = |kind, text: String, stream: &str, consumer: &str| {
        let error = HealthError {
            account: account.clone(),
            stream: stream.into(),
            consumer: consumer.into(),
            ..HealthError::new(kind, text)
        };
        HealthStatus::unavailable(404, vec![error], options.details)
    };
    match server.find_stream(account, stream, consumer) {
        Found::All => HealthStatus::ok(),
        Found::NoAccount => missing("ACCOUNT", format!("JetStream account {account:?} not found"), "", ""),
        Found::NoStream => {
            missing("STREAM", format!("JetStream stream {stream:?} not found on account {account:?}"), stream, "")
        }
        Found::NoConsumer => missing(
            "CONSUMER",
            format!("JetStream consumer {consumer:?} not found for stream {stream:?} on account {account:?}"),
            stream,
            consumer,
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::{Fake, account};

    fn asked(server: &Fake, query: &str) -> (u16, String) {
        let options = HealthzOptions::from_query(&Query::parse(query)).expect("it makes sense");
        let mut status = healthz(server, &options);
        let code = status.status_code.take().expect("there is one");
        (code, serde_json::to_string(&status).expect("a view is JSON"))
    }

    #[test]
    fn streams_that_cannot_be_used_are_told() {
        // spec: CLU-109
        let fault = |stream: &str, what, why: &str| StreamFault {
            account: "A".into(),
            stream: stream.into(),
            what,
            why: why.into(),
        };
        let faults = vec![
            fault("GONE", "could not be recovered", "the log holds no configuration of a stream"),
            fault("S0", "takes no more messages", "cannot sync 1.log: Input/output error"),
        ];
        let server = Fake { streams: Some(vec![account("A", 2, 1), account("B", 1, 0)]), faults, ..Fake::default() };
        let gone = "JetStream stream 'A > GONE' could not be recovered: the log holds no configuration of a stream";
        let fenced = "JetStream stream 'A > S0' takes no more messages: cannot sync 1.log: Input/output error";
        let first = format!(r#"{{"status":"unavailable","error":"{gone}"}}"#);
        for (query, code, text) in [
            ("", 503, first.as_str()),
            ("account=A", 503, &first),
            ("account=A&stream=GONE", 503, &first),
            ("account=A&stream=S0", 503, &format!(r#"{{"status":"unavailable","error":"{fenced}"}}"#)),
            ("account=A&stream=S1", 200, r#"{"status":"ok"}"#),
            ("account=A&stream=S1&consumer=c0", 200, r#"{"status":"ok"}"#),
            ("account=B", 200, r#"{"status":"ok"}"#),
            ("js-server-only=1", 200, r#"{"status":"ok"}"#),
            ("js-enabled-only=1", 200, r#"{"status":"ok"}"#),
            (
                "details=1",
                503,
                &format!(
                    r#"{{"status":"error","errors":[{{"type":"STREAM","account":"A","stream":"GONE","error":"{gone}"}},{{"type":"STREAM","account":"A","stream":"S0","error":"{fenced}"}}]}}"#
                ),
            ),
        ] {
            assert_eq!(asked(&server, query), (code, text.to_owned()), "{query}");
        }
        // Without `JetStream` there is nothing of it to look at.
        assert_eq!(asked(&Fake::default(), "account=NOPE&stream=X").0, 200);
    }
}
