//! `martlet req`: a question, and the answers to it.

use std::time::{Duration, Instant};

use async_nats::{Message, StatusCode, Subscriber};
use bytes::Bytes;
use futures_util::StreamExt;

use super::args::{ReqArgs, SendOn};
use super::body::Bodies;
use super::connect::{self, Session};
use super::duration::human;
use super::error::CliError;
use super::settings::Settings;
use super::stop::Stop;
use super::template::Values;
use super::{header, out, publish, show};

/// Sends the requests of `args` one after the other.
pub(crate) async fn run(args: &ReqArgs, settings: &Settings, stop: &Stop) -> Result<(), CliError> {
    header::parse(&args.headers, &Values::now(1))?;
    let bodies = Bodies::choose(args.body.as_ref(), args.force_stdin, SendOn::Eof, args.raw);
    let (template, stdin) = match bodies {
        Bodies::Given(text) => (Some(text), Bytes::new()),
        Bodies::Stdin(mut bodies) => (None, bodies.recv().await.transpose()?.unwrap_or_default().into()),
    };
    let mut session = connect::connect(settings).await?;
    let mut result = Ok(());
    for count in 1..=args.count {
        let values = Values::now(count);
        let body = template.as_ref().map_or_else(|| stdin.clone(), |text| values.render(text).into());
        let request = Request { args, timeout: settings.timeout, values, body };
        result = tokio::select! {
            result = request.send(&mut session) => result,
            () = stop.wait() => Err(CliError::Interrupted),
        };
        if result.is_err() {
            break;
        }
    }
    session.close().await;
    result
}

struct Request<'a> {
    args: &'a ReqArgs,
    timeout: Duration,
    values: Values<'a>,
    body: Bytes,
}

impl Request<'_> {
    async fn send(&self, session: &mut Session) -> Result<(), CliError> {
        let subject = self.values.render_text(&self.args.subject);
        if !self.args.raw {
            out::notice(&format!("Sending request on {subject:?}"));
        }
        let headers = header::parse(&self.args.headers, &self.values)?.unwrap_or_default();
        let client = session.client.clone();
        let inbox = client.new_inbox();
        let mut replies = super::subscribe::subscribe(&client, &inbox, None).await?;
        let start = Instant::now();
        let length = self.body.len();
        let sent = if headers.is_empty() {
            client.publish_with_reply(subject.clone(), inbox, self.body.clone()).await
        } else {
            client.publish_with_reply_and_headers(subject.clone(), inbox, headers, self.body.clone()).await
        };
        sent.map_err(|error| publish::explain(&error, &subject, length, client.max_payload()))?;
        let received = self.collect(&mut replies, start, &subject).await?;
        if received == 0 {
            // A refusal explains the silence better than a timeout does.
            session.hear_refusals().await?;
            return Err(CliError::NoReply { subject, after: self.timeout });
        }
        Ok(())
    }

    /// Shows replies until there are enough or none comes in time; answers how many came.
    async fn collect(&self, replies: &mut Subscriber, start: Instant, subject: &str) -> Result<u64, CliError> {
        let mut received = 0;
        let mut patience = self.timeout;
        while let Ok(reply) = tokio::time::timeout(patience, replies.next()).await {
            let Some(reply) = reply else {
                return Err(CliError::Lost { reason: "the connection was closed".to_owned() });
            };
            if received == 0 && reply.status == Some(StatusCode::NO_RESPONDERS) {
                return Err(CliError::NoResponders { subject: subject.to_owned() });
            }
            received += 1;
            self.show(&reply, start.elapsed())?;
            if received == self.args.replies {
                break;
            }
            // Asked for all: until the time is up. Asked for some: the next one may take a little.
            patience = match self.args.replies {
                0 => self.timeout.saturating_sub(start.elapsed()),
                _ => self.args.reply_timeout,
            };
        }
        Ok(received)
    }

    fn show(&self, reply: &Message, elapsed: Duration) -> Result<(), CliError> {
        if self.args.raw {
            return out::write(&show::raw(reply));
        }
        out::notice(&format!("Received with rtt {}", human(elapsed)));
        out::write(&show::pretty(reply, false))
    }
}
