//! Asking servers through the services of the system account.
//!
//! [`Ask::discover`] asks all at once and learns who there is; [`Ask::each`] then asks every one of them by its id, so
//! that it is known who owes an answer. Nothing is asked of more than [`AT_ONCE`] servers at a time.

use std::time::{Duration, Instant};

use async_nats::{Client, RequestErrorKind, StatusCode};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use serde::de::DeserializeOwned;
use serde_json::Value as Json;

use super::Which;
use super::views::{ServerInfo, Stats};
use crate::client::error::CliError;
use crate::client::out;
use crate::client::settings::Settings;
use crate::client::subscribe::subscribe;

/// Servers that are asked at the same time.
const AT_ONCE: usize = 32;

/// The least time that further servers get to answer after the first.
const PATIENCE: Duration = Duration::from_millis(250);

/// Answers that are taken at most; the rest would be of no use to a person.
const MOST_ANSWERS: usize = 100_000;

// spec: CLI-016
/// A connection of a system user, to ask through.
#[derive(Debug)]
pub(super) struct Ask {
    client: Client,
    timeout: Duration,
    user: String,
}

/// One server's answer.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) server: ServerInfo,
    pub(super) rtt: Duration,
    /// The whole document.
    pub(super) raw: Json,
}

impl Answer {
    fn read(subject: &str, body: &[u8], rtt: Duration) -> Result<Self, CliError> {
        let wrong = |source| CliError::Answer { subject: subject.to_owned(), source };
        let raw: Json = serde_json::from_slice(body).map_err(wrong)?;
        let server = view(subject, raw.get("server"))?;
        let answer = Self { server, rtt, raw };
        if let Some(error) = answer.raw.get("error") {
            let reason = error.get("description").and_then(Json::as_str).map_or_else(|| error.to_string(), Into::into);
            return Err(CliError::Service { server: answer.server.name, subject: subject.to_owned(), reason });
        }
        Ok(answer)
    }

    /// What a service was asked for, as its answer holds it.
    pub(super) fn data(&self) -> &Json {
        self.raw.get("data").unwrap_or(&Json::Null)
    }
}

/// Reads `raw` as a `T`; nothing there is an empty one.
pub(super) fn view<T: DeserializeOwned + Default>(subject: &str, raw: Option<&Json>) -> Result<T, CliError> {
    let Some(raw) = raw.filter(|raw| !raw.is_null()) else { return Ok(T::default()) };
    T::deserialize(raw).map_err(|source| CliError::Answer { subject: subject.to_owned(), source })
}

/// A server and its statistics.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub(super) answer: Answer,
    pub(super) stats: Stats,
}

/// What was found, and how many servers the ones that answered know.
#[derive(Debug)]
pub(super) struct Discovered {
    pub(super) servers: Vec<Found>,
    answered: usize,
    known: usize,
}

impl Discovered {
    /// An error when a server is missing; said after what there is has been shown.
    pub(super) fn complete(&self) -> Result<(), CliError> {
        let silent = self.known.saturating_sub(self.answered);
        if silent == 0 { Ok(()) } else { Err(CliError::Silent { silent, known: self.known }) }
    }
}

impl Ask {
    pub(super) fn new(client: Client, settings: &Settings) -> Self {
        Self { client, timeout: settings.timeout, user: settings.credentials.describe() }
    }

    /// The id of the server that this connection leads to.
    pub(super) fn connected_to(&self) -> String {
        self.client.server_info().server_id
    }

    /// All servers that answer, those of `which` if it chooses some.
    pub(super) async fn discover(&self, which: &Which) -> Result<Discovered, CliError> {
        const SUBJECT: &str = "$SYS.REQ.SERVER.PING";
        let mut all = Vec::new();
        let mut known = 0;
        self.gather(SUBJECT, Bytes::new(), |answer| {
            let stats: Stats = view(SUBJECT, answer.raw.get("statsz"))?;
            known = known.max(stats.active_servers);
            all.push(Found { answer, stats });
            Ok(all.len() >= known)
        })
        .await?;
        let answered = all.len();
        let servers: Vec<Found> = all.into_iter().filter(|found| which.takes(&found.answer.server)).collect();
        match &which.host {
            Some(name) if servers.is_empty() => {
                Err(CliError::NoServer { name: name.clone(), cluster: which.cluster.clone() })
            }
            _ => Ok(Discovered { servers, answered, known }),
        }
    }

    /// Asks everyone at once, and hands each answer to `take` until it has enough or nobody else seems to be there.
    ///
    /// Servers far away answer late: further answers are waited for several times as long as the slowest took so far.
    pub(super) async fn gather(
        &self,
        subject: &str,
        body: Bytes,
        mut take: impl FnMut(Answer) -> Result<bool, CliError>,
    ) -> Result<(), CliError> {
        let inbox = self.client.new_inbox();
        let mut answers = subscribe(&self.client, &inbox, None).await?;
        let start = Instant::now();
        let sent = self.client.publish_with_reply(subject.to_owned(), inbox, body).await;
        sent.map_err(|error| CliError::Lost { reason: error.to_string() })?;
        let mut patience = self.timeout;
        let mut count = 0;
        while let Ok(answer) = tokio::time::timeout(patience, answers.next()).await {
            let Some(answer) = answer else {
                return Err(CliError::Lost { reason: "the connection was closed".to_owned() });
            };
            if count == 0 && answer.status == Some(StatusCode::NO_RESPONDERS) {
                return Err(self.not_allowed(subject));
            }
            count += 1;
            let rtt = start.elapsed();
            let enough = take(Answer::read(subject, &answer.payload, rtt)?)?;
            if count >= MOST_ANSWERS {
                break;
            }
            let least = if enough { PATIENCE / 5 } else { PATIENCE.max(self.timeout / 5) };
            patience = least.max(rtt * 4).min(self.timeout);
        }
        if count == 0 {
            return Err(self.not_allowed(subject));
        }
        Ok(())
    }

    /// Asks each of `servers` for `service`. A server that does not answer is told of in a warning.
    pub(super) async fn each(
        &self,
        servers: &[Found],
        service: &'static str,
        body: &Json,
    ) -> Result<(Vec<Answer>, usize), CliError> {
        let ids = servers.iter().map(|found| &found.answer.server);
        let asked = ids.map(|server| async move { (server, self.one(&server.id, service, body).await) });
        let mut asked = stream::iter(asked).buffered(AT_ONCE);
        let mut answers = Vec::new();
        let mut silent = 0;
        while let Some((server, answer)) = asked.next().await {
            match answer {
                Ok(answer) => answers.push(answer),
                Err(CliError::NoReply { .. } | CliError::NoResponders { .. }) => {
                    silent += 1;
                    out::plain_notice(&format!("martlet: warning: server {:?} did not answer", server.name));
                }
                Err(error) => return Err(error),
            }
        }
        Ok((answers, silent))
    }

    /// Asks the server with `id` for `service`.
    pub(super) async fn one(&self, id: &str, service: &'static str, body: &Json) -> Result<Answer, CliError> {
        let subject = format!("$SYS.REQ.SERVER.{id}.{service}");
        let start = Instant::now();
        let body = if body.is_null() { Bytes::new() } else { body.to_string().into() };
        match self.client.request(subject.clone(), body).await {
            Ok(answer) => Answer::read(&subject, &answer.payload, start.elapsed()),
            Err(error) => Err(match error.kind() {
                RequestErrorKind::NoResponders => CliError::NoResponders { subject },
                RequestErrorKind::TimedOut => CliError::NoReply { subject, after: self.timeout },
                _ => CliError::Lost { reason: error.to_string() },
            }),
        }
    }

    /// Why nobody answers: whoever is no system user is not heard.
    pub(super) fn not_allowed(&self, subject: &str) -> CliError {
        CliError::NotSystem { subject: subject.to_owned(), user: self.user.clone() }
    }
}

impl Which {
    /// Whether `server` is one of those that were asked for.
    fn takes(&self, server: &ServerInfo) -> bool {
        self.host.as_ref().is_none_or(|host| *host == server.name || *host == server.id)
            && self.cluster.as_ref().is_none_or(|cluster| *cluster == server.cluster)
            && self.tags.iter().all(|tag| server.tags.iter().any(|has| has.eq_ignore_ascii_case(tag)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_chosen_by_name_id_cluster_and_tags() {
        let server = ServerInfo {
            name: "n1".into(),
            id: "NID".into(),
            cluster: "east".into(),
            tags: vec!["Rack:1".into(), "ssd".into()],
            ..ServerInfo::default()
        };
        let which = |host: Option<&str>, cluster: Option<&str>, tags: &[&str]| Which {
            host: host.map(Into::into),
            cluster: cluster.map(Into::into),
            tags: tags.iter().map(ToString::to_string).collect(),
        };
        for (which, taken) in [
            (which(None, None, &[]), true),
            (which(Some("n1"), None, &[]), true),
            (which(Some("NID"), Some("east"), &["ssd", "rack:1"]), true),
            (which(Some("n2"), None, &[]), false),
            (which(None, Some("west"), &[]), false),
            (which(None, None, &["ssd", "hdd"]), false),
        ] {
            assert_eq!(which.takes(&server), taken, "{which:?}");
        }
    }

    #[test]
    fn what_a_server_refuses_is_said() {
        let body = br#"{"server":{"name":"n1"},"error":{"code":400,"description":"bad filter"}}"#;
        let error = Answer::read("$SYS.x", body, Duration::ZERO).unwrap_err().to_string();
        assert!(error.contains("n1") && error.contains("bad filter"), "{error}");
        let error = Answer::read("$SYS.x", b"no json", Duration::ZERO).unwrap_err().to_string();
        assert!(error.contains("$SYS.x"), "{error}");
    }
}
