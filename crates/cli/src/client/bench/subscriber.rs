//! `bench sub`: how fast messages come out of the server.

use std::time::Instant;

use async_nats::Subscriber;
use futures_util::StreamExt;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::SubArgs;
use super::load::Load;
use super::progress::Progress;
use super::report::{Outcome, Report};
use crate::client::connect::{self, Session};
use crate::client::error::CliError;
use crate::client::settings::Settings;
use crate::client::stop::Stop;
use crate::client::{number, out, subscribe};

pub(super) async fn run(args: &SubArgs, settings: &Settings, stop: &Stop) -> Result<Report, CliError> {
    let common = &args.common;
    // Members of a queue group share the messages; others get each of them.
    let wanted = if args.queue.is_some() { common.msgs } else { common.msgs * u64::from(common.clients) };
    let load = Load::new(common.clients);
    let (finish, finished) = watch::channel(false);
    let mut clients = Vec::new();
    for _ in 0..common.clients {
        let mut session = connect::connect(settings).await?;
        let messages = subscribe::subscribe(&session.client, &common.subject, args.queue.as_deref()).await?;
        session.confirm().await?;
        session.settle().await?;
        let limit = if args.queue.is_some() { u64::MAX } else { common.msgs };
        let (load, stop, finish, finished) = (load.clone(), stop.clone(), finish.clone(), finished.clone());
        clients.push(Receiver { session, messages, limit, wanted, load, stop, finish, finished });
    }
    let (msgs, clients_text) = (number::grouped(wanted), common.clients);
    out::notice(&format!("Waiting for {msgs} messages on {:?} in {clients_text} clients", common.subject));
    let progress = Progress::show(&load, wanted, common.no_progress);
    let mut tasks = JoinSet::new();
    for (index, client) in clients.into_iter().enumerate() {
        tasks.spawn(async move { client.run().await.map(|outcome| (index, outcome)) });
    }
    let clients = outcomes(tasks).await?;
    drop(progress);
    Ok(Report { kind: "sub", subject: common.subject.clone(), wanted, clients })
}

/// Waits for every client; the first failure ends the measurement.
pub(super) async fn outcomes(mut tasks: JoinSet<Result<(usize, Outcome), CliError>>) -> Result<Vec<Outcome>, CliError> {
    let mut outcomes = Vec::new();
    while let Some(joined) = tasks.join_next().await {
        outcomes.push(joined.map_err(|error| CliError::Bench(error.to_string()))??);
    }
    outcomes.sort_by_key(|(index, _)| *index);
    Ok(outcomes.into_iter().map(|(_, outcome)| outcome).collect())
}

struct Receiver {
    session: Session,
    messages: Subscriber,
    /// Messages after which this client is done.
    limit: u64,
    /// Messages after which all are done.
    wanted: u64,
    load: Load,
    stop: Stop,
    finish: watch::Sender<bool>,
    finished: watch::Receiver<bool>,
}

impl Receiver {
    async fn run(mut self) -> Result<Outcome, CliError> {
        let (mut msgs, mut bytes) = (0, 0);
        // The first message starts the clock: what came before was waiting for the publisher.
        let (mut first, mut last) = (None, Instant::now());
        while msgs < self.limit {
            let message = tokio::select! {
                biased;
                message = self.messages.next() => message,
                _ = self.finished.wait_for(|finished| *finished) => break,
                () = self.stop.wait() => break,
            };
            let Some(message) = message else {
                return Err(CliError::Lost { reason: "the connection was closed".to_owned() });
            };
            last = Instant::now();
            first.get_or_insert(last);
            msgs += 1;
            bytes += message.payload.len() as u64;
            if self.load.count() == self.wanted {
                self.finish.send_replace(true);
            }
        }
        let elapsed = first.map(|first| last - first).unwrap_or_default();
        if self.session.has_dropped() {
            return Err(CliError::Bench("messages were dropped here: this client was too slow for them".to_owned()));
        }
        self.session.close().await;
        Ok(Outcome { msgs, bytes, elapsed, latency: None })
    }
}
