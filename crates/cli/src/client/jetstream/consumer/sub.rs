//! `martlet consumer sub`: what a consumer delivers, until it is stopped or has delivered enough.
//!
//! A pull consumer is asked for one message at a time: nothing is taken that is not shown.

use std::time::Duration;

use async_nats::{HeaderMap, Message};
use bytes::Bytes;
use clap::Args;
use futures_util::StreamExt;
use serde_json::Value as Json;

use super::super::api::Api;
use super::super::value::{count, text};
use super::Named;
use super::next::{Pull, Pulled};
use super::taken::Handling;
use crate::client::error::CliError;
use crate::client::number::grouped;
use crate::client::stop::Stop;
use crate::client::subscribe::subscribe;
use crate::client::{number, out};

/// How long a pull waits before it is repeated; less if the consumer allows less.
const PULL_WAIT: Duration = Duration::from_secs(30);

/// `consumer sub`.
#[derive(Debug, Args)]
pub(crate) struct SubArgs {
    /// Name of the stream
    stream: String,
    /// Name of the consumer
    consumer: String,
    /// Stop after this many messages
    #[arg(long, value_parser = number::parse_count)]
    count: Option<u64>,
    /// Queue group to join [default: the consumer's own]
    #[arg(long, visible_alias = "queue", value_name = "GROUP")]
    deliver_group: Option<String>,
    #[command(flatten)]
    handling: Handling,
}

// spec: CLI-018
/// Shows what the consumer of `args` delivers.
pub(super) async fn run(args: &SubArgs, api: &Api, stop: &Stop) -> Result<(), CliError> {
    let named = Named::new(&args.stream, &args.consumer)?;
    let info = named.info(api).await?;
    let mut shown = Shown { args, named: &named, info: &info, api, count: 0 };
    let work = async {
        if text(&info, "/config/deliver_subject").is_empty() { shown.pulled().await } else { shown.pushed().await }
    };
    let result = tokio::select! {
        result = work => result,
        () = stop.wait() => Ok(()),
    };
    if args.handling.is_talkative() {
        out::notice(&format!("Received {} messages", grouped(shown.count)));
    }
    result
}

/// What has been shown so far.
struct Shown<'a> {
    args: &'a SubArgs,
    named: &'a Named<'a>,
    info: &'a Json,
    api: &'a Api,
    count: u64,
}

impl Shown<'_> {
    fn is_enough(&self) -> bool {
        self.args.count.is_some_and(|most| self.count >= most)
    }

    async fn show(&mut self, message: Message) -> Result<(), CliError> {
        self.args.handling.handle(message, self.named, self.info, self.api).await?;
        self.count += 1;
        Ok(())
    }

    async fn pulled(&mut self) -> Result<(), CliError> {
        if self.args.handling.is_talkative() {
            out::notice(&format!("Pulling from consumer {:?}", self.named.both));
        }
        let most = Some(count(self.info, "/config/max_expires")).filter(|nanos| *nanos > 0);
        let wait = most.map_or(PULL_WAIT, Duration::from_nanos).min(PULL_WAIT);
        while !self.is_enough() {
            let mut pull = Pull::begin(self.named, self.api, 1, wait).await?;
            if let Pulled::Message(message) = pull.next().await? {
                self.show(*message).await?;
            }
        }
        Ok(())
    }

    async fn pushed(&mut self) -> Result<(), CliError> {
        let subject = text(self.info, "/config/deliver_subject");
        let own = text(self.info, "/config/deliver_group");
        let group = self.args.deliver_group.clone().or(Some(own).filter(|group| !group.is_empty()));
        let mut messages = subscribe(&self.api.client, &subject, group.as_deref()).await?;
        if self.args.handling.is_talkative() {
            out::notice(&format!("Subscribing on {subject}, to which consumer {:?} pushes", self.named.both));
        }
        while !self.is_enough() {
            let next = messages.next().await;
            let message = next.ok_or_else(|| CliError::Lost { reason: "the connection was closed".to_owned() })?;
            match (message.status, flow_control(&message)) {
                (None, _) => self.show(message).await?,
                (Some(_), Some(to)) => {
                    let sent = self.api.client.publish(to, Bytes::new()).await;
                    sent.map_err(|error| CliError::Lost { reason: error.to_string() })?;
                }
                (Some(_), None) => {}
            }
        }
        Ok(())
    }
}

/// Where the server waits to hear that what it pushed was taken.
fn flow_control(message: &Message) -> Option<String> {
    let stalled = |headers: &HeaderMap| headers.get("Nats-Consumer-Stalled").map(ToString::to_string);
    message.reply.as_ref().map(ToString::to_string).or_else(|| message.headers.as_ref().and_then(stalled))
}
