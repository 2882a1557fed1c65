//! `bench pub`: how fast messages go into the server.

use async_nats::Subject;
use tokio::task::JoinSet;

use super::load::{Load, Pace};
use super::progress::Progress;
use super::report::{Outcome, Report};
use super::{PubArgs, body, shares};
use crate::client::connect::{self, Session};
use crate::client::error::CliError;
use crate::client::settings::Settings;
use crate::client::stop::Stop;
use crate::client::{number, out, publish};

/// How often a client looks whether it should stop.
const LOOK_EVERY: u64 = 256;

pub(super) async fn run(args: &PubArgs, settings: &Settings, stop: &Stop) -> Result<Report, CliError> {
    let common = &args.common;
    let load = Load::new(common.clients);
    let mut sessions = Vec::new();
    for msgs in shares(common.msgs, common.clients) {
        sessions.push((connect::connect(settings).await?, msgs));
    }
    out::notice(&format!(
        "Publishing {} messages of {} to {:?} from {} clients",
        number::grouped(common.msgs),
        number::bytes(number::float(args.size as u64)),
        common.subject,
        common.clients
    ));
    let progress = Progress::show(&load, common.msgs, common.no_progress);
    let mut tasks = JoinSet::new();
    for (index, (session, msgs)) in sessions.into_iter().enumerate() {
        let client = Publisher {
            session,
            subject: common.subject.as_str().into(),
            body: body(args.size),
            msgs,
            batch: args.batch,
            rate: (args.rate, common.clients),
            load: load.clone(),
            stop: stop.clone(),
        };
        tasks.spawn(async move { client.run().await.map(|outcome| (index, outcome)) });
    }
    let clients = super::subscriber::outcomes(tasks).await?;
    drop(progress);
    Ok(Report { kind: "pub", subject: common.subject.clone(), wanted: common.msgs, clients })
}

struct Publisher {
    session: Session,
    subject: Subject,
    body: bytes::Bytes,
    msgs: u64,
    batch: u64,
    rate: (u64, u32),
    load: Load,
    stop: Stop,
}

impl Publisher {
    async fn run(mut self) -> Result<Outcome, CliError> {
        // The round trip of the last message ends the measurement; prepare it before it begins.
        self.session.confirm().await?;
        let start = self.load.start().await;
        let sent = self.send().await?;
        self.session.confirm().await?;
        let elapsed = start.elapsed();
        self.session.settle().await?;
        self.session.close().await;
        Ok(Outcome { msgs: sent, bytes: sent * self.body.len() as u64, elapsed, latency: None })
    }

    async fn send(&mut self) -> Result<u64, CliError> {
        let pace = Pace::new(self.rate.0, self.rate.1);
        let client = self.session.client.clone();
        for number in 0..self.msgs {
            if number % LOOK_EVERY == 0 && self.stop.requested() {
                return Ok(number);
            }
            tokio::select! {
                biased;
                () = pace.next() => {}
                () = self.stop.wait() => return Ok(number),
            }
            let sent = client.publish(self.subject.clone(), self.body.clone()).await;
            sent.map_err(|error| publish::explain(&error, &self.subject, self.body.len(), client.max_payload()))?;
            self.load.count();
            if self.batch > 0 && (number + 1) % self.batch == 0 {
                self.session.confirm().await?;
            }
        }
        Ok(self.msgs)
    }
}
