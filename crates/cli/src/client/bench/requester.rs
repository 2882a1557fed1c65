//! `bench request`: how long replies take, and how many requests a second that makes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use async_nats::{Client, RequestError, RequestErrorKind, Subject};
use bytes::Bytes;
use futures_util::StreamExt;
use tokio::task::JoinSet;

use super::latency::Latency;
use super::load::{Load, Pace};
use super::progress::Progress;
use super::report::{Outcome, Report};
use super::{RequestArgs, body, shares};
use crate::client::connect::{self, Session};
use crate::client::error::CliError;
use crate::client::settings::Settings;
use crate::client::stop::Stop;
use crate::client::{number, out, subscribe};

/// The group of the responders that this process starts.
const GROUP: &str = "martlet-bench";

pub(super) async fn run(args: &RequestArgs, settings: &Settings, stop: &Stop) -> Result<Report, CliError> {
    let common = &args.common;
    let mut responders = JoinSet::new();
    for _ in 0..args.responders {
        let mut session = connect::connect(settings).await?;
        let requests = subscribe::subscribe(&session.client, &common.subject, Some(GROUP)).await?;
        session.confirm().await?;
        responders.spawn(respond(session, requests));
    }
    let load = Load::new(common.clients);
    let mut clients = Vec::new();
    for msgs in shares(common.msgs, common.clients) {
        clients.push(Requester {
            session: connect::connect(settings).await?,
            subject: common.subject.as_str().into(),
            body: body(args.size),
            left: Arc::new(AtomicU64::new(msgs)),
            pace: Arc::new(Pace::new(args.rate, common.clients)),
            load: load.clone(),
            stop: stop.clone(),
            settings: settings.clone(),
        });
    }
    out::notice(&format!(
        "Sending {} requests of {} to {:?} from {} clients, {} in flight each",
        number::grouped(common.msgs),
        number::bytes(number::float(args.size as u64)),
        common.subject,
        common.clients,
        args.inflight
    ));
    let progress = Progress::show(&load, common.msgs, common.no_progress);
    let mut tasks = JoinSet::new();
    for (index, client) in clients.into_iter().enumerate() {
        let inflight = args.inflight;
        tasks.spawn(async move { client.run(inflight).await.map(|outcome| (index, outcome)) });
    }
    let clients = super::subscriber::outcomes(tasks).await?;
    drop(progress);
    responders.shutdown().await;
    Ok(Report { kind: "request", subject: common.subject.clone(), wanted: common.msgs, clients })
}

/// Sends every request's body back.
async fn respond(session: Session, mut requests: async_nats::Subscriber) {
    while let Some(request) = requests.next().await {
        if let Some(reply) = request.reply {
            // A failure shows at the requester, as a missing reply.
            let _ = session.client.publish(reply, request.payload).await;
        }
    }
}

struct Requester {
    session: Session,
    subject: Subject,
    body: Bytes,
    left: Arc<AtomicU64>,
    pace: Arc<Pace>,
    load: Load,
    stop: Stop,
    settings: Settings,
}

impl Requester {
    /// Keeps `inflight` requests waiting, each lane asking anew when it is answered.
    async fn run(self, inflight: u32) -> Result<Outcome, CliError> {
        let start = self.load.start().await;
        let mut lanes = JoinSet::new();
        for _ in 0..inflight {
            lanes.spawn(self.lane().run());
        }
        let mut latency = Latency::new();
        let mut msgs = 0;
        while let Some(joined) = lanes.join_next().await {
            let (count, lane) = joined.map_err(|error| CliError::Bench(error.to_string()))??;
            msgs += count;
            latency.add(&lane);
        }
        let elapsed = start.elapsed();
        self.session.close().await;
        Ok(Outcome { msgs, bytes: msgs * self.body.len() as u64, elapsed, latency: Some(latency) })
    }

    fn lane(&self) -> Lane {
        Lane {
            client: self.session.client.clone(),
            subject: self.subject.clone(),
            body: self.body.clone(),
            left: self.left.clone(),
            pace: self.pace.clone(),
            load: self.load.clone(),
            stop: self.stop.clone(),
            settings: self.settings.clone(),
        }
    }
}

struct Lane {
    client: Client,
    subject: Subject,
    body: Bytes,
    left: Arc<AtomicU64>,
    pace: Arc<Pace>,
    load: Load,
    stop: Stop,
    settings: Settings,
}

impl Lane {
    async fn run(self) -> Result<(u64, Latency), CliError> {
        let mut latency = Latency::new();
        let mut done = 0;
        while !self.stop.requested() && self.take() {
            tokio::select! {
                biased;
                () = self.pace.next() => {}
                () = self.stop.wait() => break,
            }
            let start = Instant::now();
            let reply = tokio::select! {
                reply = self.client.request(self.subject.clone(), self.body.clone()) => reply,
                () = self.stop.wait() => break,
            };
            reply.map_err(|error| self.explain(&error))?;
            latency.record(start.elapsed());
            done += 1;
            self.load.count();
        }
        Ok((done, latency))
    }

    /// Takes one request of those left.
    fn take(&self) -> bool {
        self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
    }

    fn explain(&self, error: &RequestError) -> CliError {
        let subject = self.subject.to_string();
        match error.kind() {
            RequestErrorKind::NoResponders => CliError::Bench(format!(
                "no responders on {subject:?}: start some with --responders 1 or `martlet reply`"
            )),
            RequestErrorKind::TimedOut => CliError::NoReply { subject, after: self.settings.timeout },
            RequestErrorKind::MaxPayloadExceeded => {
                CliError::TooLarge { size: self.body.len(), limit: self.client.max_payload() }
            }
            RequestErrorKind::InvalidSubject => {
                CliError::Subject { subject, purpose: "send requests to", reason: "it is not valid".to_owned() }
            }
            RequestErrorKind::Other => CliError::Lost { reason: error.to_string() },
        }
    }
}
