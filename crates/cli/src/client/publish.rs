//! `martlet pub`: messages out, each confirmed by the server before it is called published.

use async_nats::{PublishError, PublishErrorKind};
use bytes::Bytes;

use super::args::PubArgs;
use super::body::Bodies;
use super::connect::{self, Session};
use super::error::CliError;
use super::settings::Settings;
use super::stop::Stop;
use super::template::Values;
use super::{header, number, out};

/// More messages than this are confirmed and reported together, not one by one.
const ONE_BY_ONE: u64 = 20;

/// Publishes what `args` ask for.
pub(crate) async fn run(args: &PubArgs, settings: &Settings, stop: &Stop) -> Result<(), CliError> {
    header::parse(&args.headers, &Values::now(1))?;
    let mut bodies = Bodies::choose(args.body.as_ref(), args.force_stdin, args.send_on, args.quiet);
    let mut session = connect::connect(settings).await?;
    let mut publisher = Publisher { args, sent: 0, bytes: 0 };
    let result = match &mut bodies {
        Bodies::Given(body) => publisher.repeat(&mut session, stop, Body::Template(body)).await,
        Bodies::Stdin(bodies) => loop {
            let body = tokio::select! {
                body = bodies.recv() => body,
                () = stop.wait() => break Err(CliError::Interrupted),
            };
            let Some(body) = body else { break Ok(()) };
            if let Err(error) = publisher.repeat(&mut session, stop, Body::Bytes(&body?.into())).await {
                break Err(error);
            }
        },
    };
    if publisher.sent > ONE_BY_ONE && !args.quiet {
        let (sent, bytes) = (number::grouped(publisher.sent), number::bytes(number::float(publisher.bytes)));
        out::notice(&format!("Published {sent} messages, {bytes}, to {:?}", args.subject));
    }
    session.close().await;
    result
}

enum Body<'a> {
    /// To be rendered for each message.
    Template(&'a str),
    /// To be sent as it is.
    Bytes(&'a Bytes),
}

struct Publisher<'a> {
    args: &'a PubArgs,
    sent: u64,
    bytes: u64,
}

impl Publisher<'_> {
    /// Sends one body `--count` times.
    async fn repeat(&mut self, session: &mut Session, stop: &Stop, body: Body<'_>) -> Result<(), CliError> {
        for _ in 0..self.args.count {
            if stop.requested() {
                return Err(CliError::Interrupted);
            }
            let one_by_one = self.args.count <= ONE_BY_ONE || self.args.sleep.is_some();
            let (subject, length) = self.one(session, &body).await?;
            if one_by_one {
                session.confirm().await?;
                if !self.args.quiet && self.args.count <= ONE_BY_ONE {
                    out::notice(&format!("Published {length} bytes to {subject:?}"));
                }
            }
            if let Some(pause) = self.args.sleep.filter(|_| self.args.count > 1) {
                stop.sleep(pause).await;
            }
        }
        session.confirm().await.map(drop)
    }

    async fn one(&mut self, session: &Session, body: &Body<'_>) -> Result<(String, usize), CliError> {
        let values = Values::now(self.sent + 1);
        let subject = values.render_text(&self.args.subject);
        let payload = match body {
            Body::Template(text) => values.render(text).into(),
            Body::Bytes(bytes) => (*bytes).clone(),
        };
        let headers = header::parse(&self.args.headers, &values)?;
        let reply = self.args.reply.as_ref().map(|reply| values.render_text(reply));
        let length = payload.len();
        let client = &session.client;
        let sent = match (reply, headers) {
            (None, None) => client.publish(subject.clone(), payload).await,
            (Some(reply), None) => client.publish_with_reply(subject.clone(), reply, payload).await,
            (None, Some(headers)) => client.publish_with_headers(subject.clone(), headers, payload).await,
            (Some(reply), Some(headers)) => {
                client.publish_with_reply_and_headers(subject.clone(), reply, headers, payload).await
            }
        };
        sent.map_err(|error| explain(&error, &subject, length, client.max_payload()))?;
        self.sent += 1;
        self.bytes += length as u64;
        Ok((subject, length))
    }
}

/// Why the client library would not send.
pub(crate) fn explain(error: &PublishError, subject: &str, size: usize, limit: usize) -> CliError {
    match error.kind() {
        PublishErrorKind::MaxPayloadExceeded => CliError::TooLarge { size, limit },
        PublishErrorKind::InvalidSubject => CliError::Subject {
            subject: subject.to_owned(),
            purpose: "publish to",
            reason: "it is empty, has an empty token or holds white space".to_owned(),
        },
        PublishErrorKind::Send => CliError::Lost { reason: error.to_string() },
    }
}
