//! A message as a consumer delivers it: shown, and acknowledged afterwards.

use std::collections::BTreeMap;

use async_nats::Message;
use async_nats::jetstream::{self, Message as Delivered};
use clap::Args;
use data_encoding::BASE64;
use serde_json::{Value as Json, json};

use super::super::api::Api;
use super::Named;
use crate::client::error::CliError;
use crate::client::{out, show};

/// How messages are shown and acknowledged.
#[derive(Debug, Default, Clone, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(super) struct Handling {
    /// Acknowledge what was shown
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true",
          default_value = "true")]
    ack: bool,
    /// Ask for it to be delivered again instead
    #[arg(long, conflicts_with = "term")]
    nak: bool,
    /// Ask for it never to be delivered again instead
    #[arg(long)]
    term: bool,
    /// The body only
    #[arg(short, long)]
    raw: bool,
    /// Write JSON: an object a line; the body is base64
    #[arg(short, long, conflicts_with = "raw")]
    json: bool,
}

impl Handling {
    /// Whether a person reads what is shown.
    pub(super) fn is_talkative(&self) -> bool {
        !self.raw && !self.json
    }

    /// What is answered to a message of the consumer that `info` tells of; nothing if it awaits none.
    fn answer(&self, info: &Json) -> Option<&'static str> {
        let awaits = info.pointer("/config/ack_policy").and_then(Json::as_str) != Some("none");
        match (awaits, self.nak, self.term, self.ack) {
            (false, ..) => None,
            (_, true, ..) => Some("-NAK"),
            (_, _, true, _) => Some("+TERM"),
            (_, _, _, true) => Some("+ACK"),
            _ => None,
        }
    }

    /// Shows `message`, then answers it and waits until the server has heard.
    pub(super) async fn handle(
        &self,
        message: Message,
        named: &Named<'_>,
        info: &Json,
        api: &Api,
    ) -> Result<(), CliError> {
        let context = jetstream::new(api.client.clone());
        let delivered = Delivered { message, context };
        out::write(&self.shown(&delivered))?;
        let Some((answer, to)) = self.answer(info).zip(delivered.message.reply.clone()) else { return Ok(()) };
        let heard = api.client.request(to, answer.into()).await;
        heard.map_err(|error| CliError::Failed {
            doing: named.doing("acknowledge a message of").to_string(),
            reason: error.to_string(),
        })?;
        Ok(())
    }

    fn shown(&self, delivered: &Delivered) -> Vec<u8> {
        if self.raw {
            return show::raw(&delivered.message);
        }
        if self.json {
            return format!("{}\n", as_json(delivered)).into_bytes();
        }
        let subject = &*delivered.message.subject;
        let heading = match delivered.info() {
            Ok(info) => format!(
                "[#{}] Received on {subject:?}, delivery {} of it, {} pending\n",
                info.stream_sequence, info.delivered, info.pending
            ),
            Err(_) => format!("[#?] Received on {subject:?}\n"),
        };
        [heading.into_bytes(), show::pretty(&delivered.message, false)].concat()
    }
}

fn as_json(delivered: &Delivered) -> Json {
    let mut headers = BTreeMap::<String, Vec<String>>::new();
    for (name, value) in show::headers(&delivered.message) {
        headers.entry(name).or_default().push(value);
    }
    let mut json = json!({
        "subject": &*delivered.message.subject,
        "headers": headers,
        "data": BASE64.encode(&delivered.message.payload),
    });
    if let Ok(info) = delivered.info() {
        json["stream"] = info.stream.into();
        json["consumer"] = info.consumer.into();
        json["stream_seq"] = info.stream_sequence.into();
        json["consumer_seq"] = info.consumer_sequence.into();
        json["delivered"] = info.delivered.into();
        json["pending"] = info.pending.into();
        let nanos = jiff::Timestamp::from_nanosecond(info.published.unix_timestamp_nanos());
        json["time"] = nanos.map(|time| time.to_string()).unwrap_or_default().into();
    }
    json
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_answered_depends_on_the_consumer_and_the_flags() {
        let explicit = json!({"config": {"ack_policy": "explicit"}});
        let none = json!({"config": {"ack_policy": "none"}});
        let usual = Handling { ack: true, ..Handling::default() };
        assert_eq!((usual.answer(&explicit), usual.answer(&none)), (Some("+ACK"), None));
        assert_eq!(Handling::default().answer(&explicit), None);
        assert_eq!(Handling { nak: true, ..usual.clone() }.answer(&explicit), Some("-NAK"));
        assert_eq!(Handling { term: true, ..usual }.answer(&explicit), Some("+TERM"));
    }
}
