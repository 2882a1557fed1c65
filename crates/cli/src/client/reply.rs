//! `martlet reply`: answers requests, by echo or with a given body.

use async_nats::Message;
use bytes::Bytes;
use futures_util::StreamExt;

use super::args::ReplyArgs;
use super::connect::{self, Session};
use super::error::CliError;
use super::settings::Settings;
use super::stop::Stop;
use super::template::Values;
use super::{header, number, out, publish, show, subscribe};

/// Numbers the replies of an echo, as the official command does.
const COUNTER: &str = "NATS-Reply-Counter";

/// Answers until stopped or until `--count` is reached.
pub(crate) async fn run(args: &ReplyArgs, settings: &Settings, stop: &Stop) -> Result<(), CliError> {
    header::parse(&args.headers, &Values::now(1))?;
    if args.body.is_none() && !args.echo {
        out::notice("No body supplied, enabling echo mode");
    }
    let mut session = connect::connect(settings).await?;
    let mut requests = subscribe::subscribe(&session.client, &args.subject, Some(&args.queue)).await?;
    session.confirm().await?;
    out::notice(&format!("Listening on {:?} in group {:?}", args.subject, args.queue));
    let mut answered = 0;
    let result = loop {
        if args.count.is_some_and(|count| answered >= count) {
            break Ok(());
        }
        tokio::select! {
            request = requests.next() => {
                let Some(request) = request else {
                    break Err(CliError::Lost { reason: "the connection was closed".to_owned() });
                };
                match answer(args, &session, answered, &request).await {
                    Ok(true) => answered += 1,
                    Ok(false) => out::notice("It asks for no reply: not answered"),
                    Err(error) => break Err(error),
                }
            }
            news = session.news() => out::notice(&news),
            () = stop.wait() => break Ok(()),
        }
    };
    out::notice(&format!("Answered {} requests", number::grouped(answered)));
    session.close().await;
    result
}

async fn answer(args: &ReplyArgs, session: &Session, number: u64, request: &Message) -> Result<bool, CliError> {
    out::notice(&format!("[#{number}] Received on subject {:?}:", &*request.subject));
    out::write(&show::pretty(request, false))?;
    let Some(reply) = request.reply.clone() else { return Ok(false) };
    let values = Values { request: &request.payload, ..Values::now(number) };
    let mut headers = header::parse(&args.headers, &values)?.unwrap_or_default();
    let body = if let Some(text) = &args.body {
        Bytes::from(values.render(text))
    } else {
        for (name, values) in request.headers.iter().flat_map(async_nats::HeaderMap::iter) {
            for value in values {
                headers.append(name.clone(), value.clone());
            }
        }
        headers.append(COUNTER, number.to_string());
        request.payload.clone()
    };
    let (client, length) = (&session.client, body.len());
    let sent = if headers.is_empty() {
        client.publish(reply.clone(), body).await
    } else {
        client.publish_with_headers(reply.clone(), headers, body).await
    };
    sent.map_err(|error| publish::explain(&error, &reply, length, client.max_payload()))?;
    Ok(true)
}
