//! Requests to the JetStream API, and the errors it answers.

use std::fmt;
use std::time::Duration;

use async_nats::{Client, RequestErrorKind, jetstream};
use serde_json::{Map, Value as Json, json};

use super::value::{count, text};
use crate::client::error::CliError;
use crate::client::settings::Settings;

/// What the subjects of requests begin with unless something else is said.
const STANDARD: &str = "$JS.API";

/// What a request is about, for errors: a verb, a kind of thing, and the thing's name.
#[derive(Debug, Clone, Copy)]
pub(super) struct Doing<'a> {
    verb: &'static str,
    kind: Kind,
    name: &'a str,
}

/// The kinds of things there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Stream,
    /// Named as `STREAM > CONSUMER`.
    Consumer,
    Message,
    /// A bucket of keys and values.
    Bucket,
    /// Named as `BUCKET > KEY`.
    Key,
    /// A bucket of objects.
    Store,
    /// Named as `BUCKET > OBJECT`.
    Object,
}

impl<'a> Doing<'a> {
    pub(super) const fn new(verb: &'static str, kind: Kind, name: &'a str) -> Self {
        Self { verb, kind, name }
    }

    /// The way out of an error, if there is one that can be told.
    fn hint(&self, err_code: u64) -> String {
        let stream = self.name.split(" > ").next().unwrap_or_default();
        match err_code {
            10_059 if matches!(self.kind, Kind::Bucket | Kind::Key) => {
                "; `martlet kv ls` lists those there are".to_owned()
            }
            10_059 if matches!(self.kind, Kind::Store | Kind::Object) => {
                "; `martlet object ls` lists those there are".to_owned()
            }
            10_059 => "; `martlet stream ls` lists those there are".to_owned(),
            10_058 if self.kind == Kind::Stream => "; `martlet stream edit` changes it".to_owned(),
            10_065 => "; `martlet stream ls --subject SUBJECT` finds the other one".to_owned(),
            10_014 => format!("; `martlet consumer ls {stream}` lists those there are"),
            10_148 | 10_013 => "; `martlet consumer edit` changes it".to_owned(),
            10_037 => format!("; `martlet stream info {stream}` tells which there are"),
            10_039 | 10_076 => "; start the server with -js, and give the account JetStream".to_owned(),
            10_074 => "; ask for one with --replicas 1".to_owned(),
            _ => String::new(),
        }
    }
}

impl fmt::Display for Doing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            Kind::Stream => "stream",
            Kind::Consumer => "consumer",
            Kind::Message => "a message of stream",
            Kind::Bucket => "key-value bucket",
            Kind::Key => "key",
            Kind::Store => "object bucket",
            Kind::Object => "object",
        };
        if self.name.is_empty() {
            return write!(f, "{} {kind}s", self.verb);
        }
        write!(f, "{} {kind} {:?}", self.verb, self.name)
    }
}

/// The JetStream API as one connection reaches it.
#[derive(Debug)]
pub(super) struct Api {
    pub(super) client: Client,
    prefix: String,
    pub(super) timeout: Duration,
}

impl Api {
    pub(super) fn new(client: Client, settings: &Settings) -> Self {
        Self { client, prefix: settings.js_prefix.clone(), timeout: settings.timeout }
    }

    /// The client library's way to the same API.
    pub(super) fn context(&self) -> jetstream::Context {
        if self.prefix == STANDARD {
            return jetstream::new(self.client.clone());
        }
        jetstream::with_prefix(self.client.clone(), &self.prefix)
    }

    /// The subject of the request called `name`.
    pub(super) fn subject(&self, name: &str) -> String {
        format!("{}.{name}", self.prefix)
    }

    /// Asks for `name` with `body` (`null` sends none), and answers what the server said unless that is an error.
    pub(super) async fn ask(&self, doing: Doing<'_>, name: &str, body: &Json) -> Result<Json, CliError> {
        let subject = self.subject(name);
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let answer = self.client.request(subject.clone(), body.into()).await.map_err(|error| match error.kind() {
            RequestErrorKind::NoResponders => CliError::NoJetStream { prefix: self.prefix.clone() },
            RequestErrorKind::TimedOut => CliError::NoReply { subject: subject.clone(), after: self.timeout },
            _ => CliError::Failed { doing: doing.to_string(), reason: error.to_string() },
        })?;
        let answer: Json =
            serde_json::from_slice(&answer.payload).map_err(|source| CliError::Answer { subject, source })?;
        checked(doing, answer)
    }

    /// Asks for all pages of `name`, and answers the objects of their lists `field`.
    pub(super) async fn all(
        &self,
        doing: Doing<'_>,
        name: &str,
        field: &str,
        options: &Map<String, Json>,
    ) -> Result<Vec<Json>, CliError> {
        let mut all = Vec::new();
        loop {
            let mut body = options.clone();
            body.insert("offset".to_owned(), json!(all.len()));
            let mut answer = self.ask(doing, name, &body.into()).await?;
            let page = match answer.get_mut(field).map(Json::take) {
                Some(Json::Array(page)) => page,
                _ => Vec::new(),
            };
            let is_last = page.is_empty();
            all.extend(page);
            if is_last || all.len() as u64 >= count(&answer, "/total") {
                return Ok(all);
            }
        }
    }
}

/// The answer, or the error that it is.
pub(super) fn checked(doing: Doing<'_>, answer: Json) -> Result<Json, CliError> {
    if answer.get("error").is_none_or(Json::is_null) {
        return Ok(answer);
    }
    let err_code = count(&answer, "/error/err_code");
    Err(CliError::Api {
        doing: doing.to_string(),
        description: text(&answer, "/error/description"),
        code: count(&answer, "/error/code"),
        err_code,
        hint: doing.hint(err_code),
    })
}

/// Why something failed, from the client library's error and all that caused it.
pub(super) fn failed(doing: Doing<'_>, error: &dyn std::error::Error) -> CliError {
    let mut reason = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if !reason.contains(&text) {
            reason = format!("{reason}: {text}");
        }
        cause = error.source();
    }
    CliError::Failed { doing: doing.to_string(), reason }
}

/// `name` if it can be one token of a subject.
pub(super) fn name<'a>(kind: &'static str, name: &'a str) -> Result<&'a str, CliError> {
    let wrong = |reason| Err(CliError::Name { kind, name: name.to_owned(), reason });
    if name.is_empty() {
        return wrong("it is empty");
    }
    let forbidden = |c: char| c.is_whitespace() || c.is_control() || ".*>/\\".contains(c);
    if name.contains(forbidden) {
        return wrong("it holds a space or one of . * > / \\");
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_say_what_was_tried_and_what_to_do() {
        let answer = json!({"type": "x", "error": {"code": 404, "err_code": 10059, "description": "stream not found"}});
        let error = checked(Doing::new("show", Kind::Stream, "A"), answer).unwrap_err().to_string();
        let expected = "cannot show stream \"A\": stream not found (code 404, err_code 10059); \
                        `martlet stream ls` lists those there are";
        assert_eq!(error, expected);
        let answer = json!({"error": {"code": 404, "err_code": 10014, "description": "consumer not found"}});
        let error = checked(Doing::new("show", Kind::Consumer, "A > C"), answer).unwrap_err().to_string();
        assert!(error.contains("consumer \"A > C\"") && error.contains("`martlet consumer ls A`"), "{error}");
        let fine = json!({"error": null, "success": true});
        assert!(checked(Doing::new("list", Kind::Stream, ""), fine).is_ok());
        assert_eq!(Doing::new("list", Kind::Stream, "").to_string(), "list streams");
    }

    #[test]
    fn names_are_tokens() {
        assert_eq!(name("stream", "ORDERS_1-a").unwrap(), "ORDERS_1-a");
        for wrong in ["", "a.b", "a b", "*", ">", "a/b", "a\\b", "a\tb"] {
            let error = name("stream", wrong).unwrap_err().to_string();
            assert!(error.contains(&format!("{wrong:?} is no stream name")), "{error}");
        }
    }
}
