//! Programs with async-nats that prove one thing each: `client-checks CHECK OPTIONS-AS-JSON`.
//!
//! A check ends with `ok` on standard output, or with an error and a status that is not zero. Checks that need
//! the server to do something print `ready` when they wait for it.

mod copies;
mod jetstream;

use std::collections::HashMap;
use std::error::Error;
use std::time::{Duration, Instant};

use async_nats::{Client, ConnectOptions, Event, HeaderMap, RequestErrorKind};
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::select_all;
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::time::timeout;

type Outcome = Result<(), Box<dyn Error + Send + Sync>>;

/// Nothing here should take as long as this.
const PATIENCE: Duration = Duration::from_secs(10);

struct Options(Value);

impl Options {
    fn text(&self, name: &str) -> Option<String> {
        self.0[name].as_str().map(str::to_owned)
    }

    fn url(&self) -> String {
        self.text("url").expect("every check is given a url")
    }

    /// Connect options with everything the caller asked for.
    fn connect(&self) -> Result<ConnectOptions, Box<dyn Error + Send + Sync>> {
        let mut options = match self.text("seed") {
            Some(seed) => ConnectOptions::with_nkey(seed),
            None => ConnectOptions::new(),
        };
        if let Some(token) = self.text("token") {
            options = options.token(token);
        }
        if let (Some(user), Some(pass)) = (self.text("user"), self.text("pass")) {
            options = options.user_and_password(user, pass);
        }
        if let Some(ca) = self.text("ca") {
            options = options.add_root_certificates(ca.into()).require_tls(true);
        }
        if let (Some(cert), Some(key)) = (self.text("cert"), self.text("key")) {
            options = options.add_client_certificate(cert.into(), key.into());
        }
        if self.0["first"].as_bool() == Some(true) {
            options = options.tls_first();
        }
        Ok(options.connection_timeout(PATIENCE))
    }

    async fn client(&self) -> Result<Client, Box<dyn Error + Send + Sync>> {
        Ok(self.connect()?.connect(self.url()).await?)
    }

    /// A client, and the events it reports.
    async fn watched(&self) -> Result<(Client, mpsc::UnboundedReceiver<Event>), Box<dyn Error + Send + Sync>> {
        let (sender, receiver) = mpsc::unbounded_channel();
        let options = self.connect()?.event_callback(move |event| {
            let sender = sender.clone();
            async move {
                // The check may be over already.
                sender.send(event).ok();
            }
        });
        Ok((options.connect(self.url()).await?, receiver))
    }
}

/// Waits for an event that `wanted` accepts.
async fn event(events: &mut mpsc::UnboundedReceiver<Event>, wanted: impl Fn(&Event) -> bool) -> Outcome {
    timeout(PATIENCE, async {
        while let Some(event) = events.recv().await {
            if wanted(&event) {
                return Ok(());
            }
        }
        Err("the client reported no such event".into())
    })
    .await?
}

async fn next(subscriber: &mut async_nats::Subscriber) -> Result<async_nats::Message, Box<dyn Error + Send + Sync>> {
    timeout(PATIENCE, subscriber.next()).await?.ok_or_else(|| "the subscription ended".into())
}

fn ensure(condition: bool, what: &str) -> Outcome {
    if condition { Ok(()) } else { Err(what.into()) }
}

async fn pubsub(options: &Options) -> Outcome {
    let client = options.client().await?;
    let mut subscriber = client.subscribe("a.*").await?;
    for n in 0..1000_u32 {
        client.publish("a.b", n.to_string().into()).await?;
    }
    for n in 0..1000_u32 {
        let message = next(&mut subscriber).await?;
        ensure(message.payload == n.to_string().as_bytes(), "messages out of order")?;
    }
    let large = Bytes::from(vec![b'x'; 1 << 20]);
    client.publish("a.large", large.clone()).await?;
    ensure(next(&mut subscriber).await?.payload == large, "a large message was changed")
}

async fn queue(options: &Options) -> Outcome {
    let client = options.client().await?;
    let mut members = Vec::new();
    for member in 0..3_usize {
        let subscriber = client.queue_subscribe("work", "group".into()).await?;
        members.push(subscriber.map(move |_| member));
    }
    client.flush().await?;
    for _ in 0..300 {
        client.publish("work", Bytes::new()).await?;
    }
    let mut counts = [0; 3];
    let mut all = select_all(members);
    for _ in 0..300 {
        let member = timeout(PATIENCE, all.next()).await?.ok_or("the subscriptions ended")?;
        counts[member] += 1;
    }
    ensure(counts.iter().all(|&count| count > 30), "one member got nearly nothing")?;
    // A message delivered twice would be here by the time a later one is.
    client.publish("work", Bytes::new()).await?;
    timeout(PATIENCE, all.next()).await?.ok_or("the subscriptions ended")?;
    ensure(timeout(Duration::from_millis(50), all.next()).await.is_err(), "a message came twice")
}

async fn request(options: &Options) -> Outcome {
    let client = options.client().await?;
    let mut service = client.subscribe("double").await?;
    client.flush().await?;
    let answering = client.clone();
    tokio::spawn(async move {
        while let Some(message) = service.next().await {
            let number: u64 = String::from_utf8_lossy(&message.payload).parse().unwrap_or_default();
            if let Some(reply) = message.reply {
                answering.publish(reply, (number * 2).to_string().into()).await.ok();
            }
        }
    });
    for n in 0..200_u64 {
        let answer = client.request("double", n.to_string().into()).await?;
        ensure(answer.payload == (n * 2).to_string().as_bytes(), "a wrong answer")?;
    }
    Ok(())
}

async fn headers(options: &Options) -> Outcome {
    let client = options.client().await?;
    let mut subscriber = client.subscribe("h").await?;
    let mut sent = HeaderMap::new();
    sent.append("Color", "red");
    sent.append("Color", "blue");
    sent.insert("Empty", "");
    client.publish_with_headers("h", sent.clone(), "body".into()).await?;
    let message = next(&mut subscriber).await?;
    ensure(message.headers.as_ref() == Some(&sent), "headers were changed")?;
    ensure(message.payload == "body", "the payload was changed")
}

async fn no_responders(options: &Options) -> Outcome {
    let client = options.client().await?;
    match client.request("nobody", Bytes::new()).await {
        Err(error) if error.kind() == RequestErrorKind::NoResponders => Ok(()),
        other => Err(format!("expected no responders, got {other:?}").into()),
    }
}

async fn reconnect(options: &Options) -> Outcome {
    let (client, mut events) = options.watched().await?;
    let mut subscriber = client.subscribe("again").await?;
    client.flush().await?;
    event(&mut events, |e| matches!(e, Event::Connected)).await?;
    println!("ready");
    event(&mut events, |e| matches!(e, Event::Disconnected)).await?;
    event(&mut events, |e| matches!(e, Event::Connected)).await?;
    client.publish("again", "back".into()).await?;
    ensure(next(&mut subscriber).await?.payload == "back", "not what was sent")
}

/// Waits until the server has dealt with everything this client sent: the answer to a request says so.
async fn settle(client: &Client) {
    client.request("nobody", Bytes::new()).await.err();
}

async fn drain(options: &Options) -> Outcome {
    let publisher = options.client().await?;
    let client = options.client().await?;
    let mut subscriber = client.subscribe("d").await?;
    settle(&client).await;
    for _ in 0..500 {
        publisher.publish("d", "x".into()).await?;
    }
    publisher.flush().await?;
    settle(&publisher).await;
    subscriber.drain().await?;
    let got = timeout(PATIENCE, subscriber.count()).await?;
    ensure(got == 500, &format!("{got} of 500 messages came before the drain ended"))
}

async fn permissions(options: &Options) -> Outcome {
    let (client, mut events) = options.watched().await?;
    let refused = |e: &Event| matches!(e, Event::ServerError(error) if error.to_string().to_lowercase().contains("permissions violation"));
    client.publish("forbidden", Bytes::new()).await?;
    event(&mut events, refused).await?;
    let _subscriber = client.subscribe("forbidden").await?;
    event(&mut events, refused).await
}

async fn refused(options: &Options) -> Outcome {
    match options.client().await {
        Ok(_) => Err("connected with wrong credentials".into()),
        Err(error) => ensure(error.to_string().contains("authorization"), &error.to_string()),
    }
}

async fn lame_duck(options: &Options) -> Outcome {
    let (client, mut events) = options.watched().await?;
    client.flush().await?;
    println!("ready");
    event(&mut events, |e| matches!(e, Event::LameDuckMode)).await
}

/// Follows numbered messages until it is told to stop: what may be missing is only what came while it was not connected.
async fn follow(options: &Options) -> Outcome {
    let (client, mut events) = options.watched().await?;
    let mut ticks = client.subscribe("tick.>").await?;
    let mut stop = client.subscribe("stop").await?;
    settle(&client).await;
    println!("ready");
    let mut last: HashMap<String, (u64, Instant)> = HashMap::new();
    let mut gaps = Vec::new();
    let mut left = Vec::new();
    loop {
        tokio::select! {
            Some(event) = events.recv() => match event {
                Event::Disconnected => left.push(Instant::now()),
                Event::Connected | Event::LameDuckMode => {}
                other => return Err(format!("the client reported {other}").into()),
            },
            Some(tick) = ticks.next() => {
                let number: u64 = std::str::from_utf8(&tick.payload)?.parse()?;
                let now = Instant::now();
                if let Some((before, at)) = last.insert(tick.subject.to_string(), (number, now)) {
                    ensure(number > before, &format!("{} {number} after {before}", tick.subject))?;
                    if number > before + 1 {
                        gaps.push((at, now, format!("{}: {before} to {number}", tick.subject)));
                    }
                }
            }
            Some(_) = stop.next() => break,
        }
    }
    let margin = Duration::from_millis(500);
    for (from, to, what) in gaps {
        let excused = left.iter().any(|&at| at + margin >= from && at <= to + margin);
        ensure(excused, &format!("lost without a reason, {what}"))?;
    }
    ensure(!last.is_empty(), "nothing came")
}

#[tokio::main]
async fn main() -> Outcome {
    let mut arguments = std::env::args().skip(1);
    let check = arguments.next().ok_or("which check?")?;
    let options = Options(serde_json::from_str(&arguments.next().ok_or("which options?")?)?);
    match check.as_str() {
        "pubsub" => pubsub(&options).await,
        "queue" => queue(&options).await,
        "request" => request(&options).await,
        "headers" => headers(&options).await,
        "no_responders" => no_responders(&options).await,
        "reconnect" => reconnect(&options).await,
        "drain" => drain(&options).await,
        "permissions" => permissions(&options).await,
        "refused" => refused(&options).await,
        "follow" => follow(&options).await,
        "lame_duck" => lame_duck(&options).await,
        "js_streams" => jetstream::streams(&options).await,
        "js_consumers" => jetstream::consumers(&options).await,
        "js_ordered" => jetstream::ordered(&options).await,
        "js_work_queue" => jetstream::work_queue(&options).await,
        "js_kv" => jetstream::key_values(&options).await,
        "js_objects" => jetstream::objects(&options).await,
        "js_redelivery" => jetstream::redelivery(&options).await,
        "js_copies" => copies::copies(&options).await,
        "js_bucket_copies" => copies::bucket_copies(&options).await,
        "js_priority" => copies::priority(&options).await,
        "js_dead_letters" => copies::dead_letters(&options).await,
        _ => Err(format!("no check is named {check}").into()),
    }?;
    println!("ok");
    Ok(())
}
