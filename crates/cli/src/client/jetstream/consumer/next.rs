//! `martlet consumer next`: messages from a pull consumer.

use std::time::Duration;

use async_nats::{Message, StatusCode, Subscriber};
use clap::Args;
use futures_util::StreamExt;
use serde_json::{Value as Json, json};

use super::super::api::Api;
use super::super::quantity::in_nanos;
use super::super::value::text;
use super::Named;
use super::taken::Handling;
use crate::client::duration::{self, human};
use crate::client::error::CliError;
use crate::client::subscribe::subscribe;
use crate::client::{number, out};

/// How much longer than the server an answer is waited for.
const GRACE: Duration = Duration::from_secs(1);

/// `consumer next`.
#[derive(Debug, Args)]
pub(crate) struct NextArgs {
    /// Name of the stream
    stream: String,
    /// Name of the consumer
    consumer: String,
    /// How many messages to take at most
    #[arg(long, visible_alias = "batch", default_value = "1", value_parser = number::parse_count)]
    count: u64,
    /// How long to wait for them [default: that of --timeout]
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    wait: Option<Duration>,
    #[command(flatten)]
    handling: Handling,
}

// spec: CLI-018
/// Takes the messages of `args`.
pub(super) async fn run(args: &NextArgs, api: &Api) -> Result<(), CliError> {
    let named = Named::new(&args.stream, &args.consumer)?;
    if args.count == 0 {
        return Err(CliError::Usage("--count 0 takes nothing: ask for one or more".to_owned()));
    }
    let info = named.info(api).await?;
    require_pull(&named, &info)?;
    let wait = args.wait.unwrap_or(api.timeout);
    let mut pull = Pull::begin(&named, api, args.count, wait).await?;
    let mut taken = 0;
    while taken < args.count {
        match pull.next().await? {
            Pulled::Message(message) => args.handling.handle(*message, &named, &info, api).await?,
            Pulled::End => break,
        }
        taken += 1;
    }
    if taken == 0 {
        let reason = format!("no message came within {}; wait longer with --wait", human(wait));
        return Err(CliError::Failed { doing: named.doing("take a message of").to_string(), reason });
    }
    if taken < args.count && args.handling.is_talkative() {
        out::notice(&format!("{taken} of {} messages came within {}", args.count, human(wait)));
    }
    Ok(())
}

/// An error if the consumer pushes.
fn require_pull(named: &Named<'_>, info: &Json) -> Result<(), CliError> {
    let subject = text(info, "/config/deliver_subject");
    if subject.is_empty() {
        return Ok(());
    }
    let reason = format!("it pushes to {subject:?}; `martlet consumer sub` shows what it delivers");
    Err(CliError::Failed { doing: named.doing("pull from").to_string(), reason })
}

/// One pull request, and what comes of it.
pub(super) struct Pull {
    doing: String,
    messages: Subscriber,
    /// How long anything may be waited for.
    patience: Duration,
}

/// What comes of a pull request.
pub(super) enum Pulled {
    Message(Box<Message>),
    /// Nothing else comes.
    End,
}

impl Pull {
    /// Asks for `batch` messages within `wait`.
    pub(super) async fn begin(named: &Named<'_>, api: &Api, batch: u64, wait: Duration) -> Result<Self, CliError> {
        let inbox = api.client.new_inbox();
        let messages = subscribe(&api.client, &inbox, None).await?;
        let too_long = || CliError::Usage("--wait is too long".to_owned());
        let body = json!({"batch": batch, "expires": in_nanos(wait).ok_or_else(too_long)?}).to_string();
        let sent = api.client.publish_with_reply(api.subject(&named.request("MSG.NEXT")), inbox, body.into()).await;
        sent.map_err(|error| CliError::Lost { reason: error.to_string() })?;
        Ok(Self { doing: named.doing("pull from").to_string(), messages, patience: wait + GRACE })
    }

    /// The next thing that comes; the end also when the server says nothing for longer than it may.
    pub(super) async fn next(&mut self) -> Result<Pulled, CliError> {
        loop {
            let Ok(next) = tokio::time::timeout(self.patience, self.messages.next()).await else {
                return Ok(Pulled::End);
            };
            let message = next.ok_or_else(|| CliError::Lost { reason: "the connection was closed".to_owned() })?;
            let said = message.description.clone().unwrap_or_default();
            match message.status.map(|status| status.as_u16()) {
                None => return Ok(Pulled::Message(Box::new(message))),
                // A heartbeat.
                Some(100) => {}
                Some(404 | 408) => return Ok(Pulled::End),
                Some(_) if message.status == Some(StatusCode::NO_RESPONDERS) => {
                    return Err(self.failed("nobody answers: is it gone?".to_owned()));
                }
                Some(status) => return Err(self.failed(format!("{status} {said}"))),
            }
        }
    }

    fn failed(&self, reason: String) -> CliError {
        CliError::Failed { doing: self.doing.clone(), reason }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_push_consumer_is_not_pulled_from() {
        let named = Named::new("A", "C").unwrap();
        assert!(require_pull(&named, &json!({"config": {}})).is_ok());
        let error = require_pull(&named, &json!({"config": {"deliver_subject": "d"}})).unwrap_err().to_string();
        assert!(error.contains("\"A > C\"") && error.contains("\"d\"") && error.contains("consumer sub"), "{error}");
    }
}
