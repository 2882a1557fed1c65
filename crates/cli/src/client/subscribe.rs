//! `martlet sub`: shows what arrives until it is stopped or has seen enough.

use async_nats::{Client, Message, Subscriber};
use futures_util::StreamExt;
use futures_util::stream::select_all;

use super::args::SubArgs;
use super::error::CliError;
use super::settings::Settings;
use super::stop::Stop;
use super::{connect, number, out, show};

/// Subscribes and shows messages.
pub(crate) async fn run(args: &SubArgs, settings: &Settings, stop: &Stop) -> Result<(), CliError> {
    let mut session = connect::connect(settings).await?;
    let mut subscribers = Vec::new();
    for subject in &args.subjects {
        subscribers.push(subscribe(&session.client, subject, args.queue.as_deref()).await?);
    }
    session.confirm().await?;
    let talkative = !args.raw && args.dump.is_none();
    if talkative {
        out::notice(&format!("Subscribing on {}", args.subjects.join(", ")));
    }
    let mut messages = select_all(subscribers);
    let (mut seen, mut bytes) = (0_u64, 0_u64);
    let result = loop {
        if args.count.is_some_and(|count| seen >= count) {
            break Ok(());
        }
        tokio::select! {
            message = messages.next() => {
                let Some(message) = message else {
                    break Err(CliError::Lost { reason: "the connection was closed".to_owned() });
                };
                seen += 1;
                bytes += message.payload.len() as u64;
                if let Err(error) = show(args, seen, &message) {
                    break Err(error);
                }
            }
            news = session.news() => out::notice(&news),
            () = stop.wait() => break Ok(()),
        }
    };
    if talkative {
        let bytes = number::bytes(number::float(bytes));
        out::notice(&format!("Received {} messages, {bytes}", number::grouped(seen)));
    }
    session.close().await;
    result
}

/// Subscribes to `subject`, in a queue group if one is given.
pub(crate) async fn subscribe(client: &Client, subject: &str, queue: Option<&str>) -> Result<Subscriber, CliError> {
    let subscribed = match queue {
        Some(queue) => client.queue_subscribe(subject.to_owned(), queue.to_owned()).await,
        None => client.subscribe(subject.to_owned()).await,
    };
    subscribed.map_err(|error| CliError::Subject {
        subject: subject.to_owned(),
        purpose: "subscribe to",
        reason: std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string),
    })
}

fn show(args: &SubArgs, number: u64, message: &Message) -> Result<(), CliError> {
    if let Some(directory) = &args.dump {
        return show::dump(number, message, directory);
    }
    if args.raw {
        return out::write(&show::raw(message));
    }
    let mut text = show::heading(number, message).into_bytes();
    text.extend(show::pretty(message, args.headers_only));
    out::write(&text)
}
