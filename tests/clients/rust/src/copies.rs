//! Checks of streams and buckets that copy others, of groups with priorities, and of messages that nobody can work with.

use std::collections::BTreeSet;
use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::jetstream::consumer::pull::{Config as Pull, OrderedConfig};
use async_nats::jetstream::consumer::{Consumer, PriorityPolicy};
use async_nats::jetstream::stream::{Config, RetentionPolicy, Source, SubjectTransform};
use async_nats::jetstream::{AckKind, Context, kv};
use futures_util::{StreamExt, TryStreamExt};
use tokio::time::{sleep, timeout};

use crate::jetstream::{Fallible, config, context};
use crate::{Options, Outcome, PATIENCE, ensure};

/// How long a check of something that comes by itself waits before it looks again.
const PAUSE: Duration = Duration::from_millis(20);

/// Waits until a stream has so many messages.
async fn has(js: &Context, stream: &str, messages: u64) -> Outcome {
    timeout(PATIENCE, async {
        while js.get_stream(stream).await?.get_info().await?.state.messages != messages {
            sleep(PAUSE).await;
        }
        Ok(())
    })
    .await?
}

/// The first messages of a stream: subject, payload and headers.
async fn read(js: &Context, stream: &str, count: usize) -> Fallible<Vec<(String, String, HeaderMap)>> {
    let consumer = js.get_stream(stream).await?.create_consumer(OrderedConfig::default()).await?;
    let mut messages = consumer.messages().await?;
    let mut found = Vec::new();
    while found.len() < count {
        let message = timeout(PATIENCE, messages.next()).await?.ok_or("the messages ended")??;
        let text = String::from_utf8_lossy(&message.payload).into_owned();
        found.push((message.subject.to_string(), text, message.headers.clone().unwrap_or_default()));
    }
    Ok(found)
}

pub(crate) async fn copies(options: &Options) -> Outcome {
    let js = context(options).await?;
    for (name, prefix) in [("A", "a"), ("B", "b")] {
        js.create_stream(config(name, &format!("{prefix}.*"))).await?;
        for n in 0..40 {
            js.publish(format!("{prefix}.{}", n % 4), n.to_string().into()).await?.await?;
        }
    }
    let of = |name: &str| Source { name: name.to_owned(), ..Default::default() };
    js.create_stream(Config { name: "MIRROR".to_owned(), mirror: Some(of("A")), ..Default::default() }).await?;
    let transform = SubjectTransform { source: "b.*".to_owned(), destination: "all.{{wildcard(1)}}".to_owned() };
    let sources = vec![
        Source { filter_subject: Some("a.1".to_owned()), ..of("A") },
        Source { subject_transforms: vec![transform], ..of("B") },
    ];
    js.create_stream(Config { sources: Some(sources), ..config("ALL", "own") }).await?;
    has(&js, "MIRROR", 40).await?;
    has(&js, "ALL", 50).await?;
    let texts = |all: Vec<(String, String, HeaderMap)>| all.into_iter().map(|(subject, text, _)| (subject, text));
    let (copy, origin) = (read(&js, "MIRROR", 40).await?, read(&js, "A", 40).await?);
    ensure(texts(copy).eq(texts(origin)), "the mirror has something else")?;
    let all: Vec<_> = texts(read(&js, "ALL", 50).await?).collect();
    ensure(all.iter().filter(|(subject, _)| subject == "a.1").count() == 10, "too much of A, or too little")?;
    ensure(all.iter().filter(|(subject, _)| subject == "all.3").count() == 10, "too much of B, or too little")?;
    js.publish("a.1", "more".into()).await?.await?;
    has(&js, "MIRROR", 41).await?;
    has(&js, "ALL", 51).await?;
    let mirror = js.get_stream("MIRROR").await?.get_info().await?;
    ensure(mirror.mirror.as_ref().is_some_and(|of| of.name == "A" && of.lag == 0), "the mirror is behind")?;
    // A mirror that is cut off is a stream like any other.
    js.delete_stream("A").await?;
    js.update_stream(Config { mirror: None, subjects: vec!["a.*".to_owned()], ..mirror.config }).await?;
    let ack = js.publish("a.0", "x".into()).await?.await?;
    ensure(ack.stream == "MIRROR" && ack.sequence == 42, "a promoted mirror takes no messages")
}

pub(crate) async fn bucket_copies(options: &Options) -> Outcome {
    let js = context(options).await?;
    let bucket = |name: &str| kv::Config { bucket: name.to_owned(), history: 3, ..Default::default() };
    let origin = js.create_key_value(bucket("origin")).await?;
    origin.put("key", "1".into()).await?;
    origin.put("key", "2".into()).await?;
    // A bucket that mirrors another of its own account is one that this client cannot read: it looks for the copy's own name.
    let renamed = SubjectTransform { source: "$KV.origin.>".to_owned(), destination: "$KV.copy.>".to_owned() };
    let of = Source { name: "origin".to_owned(), subject_transforms: vec![renamed], ..Default::default() };
    let copy = js.create_key_value(kv::Config { sources: Some(vec![of]), ..bucket("copy") }).await?;
    let becomes = async |value: Option<&str>| {
        let is_so = |found: &Option<bytes::Bytes>| found.as_deref() == value.map(str::as_bytes);
        timeout(PATIENCE, async {
            while !is_so(&copy.get("key").await?) {
                sleep(PAUSE).await;
            }
            Ok::<_, kv::EntryError>(())
        })
        .await
    };
    becomes(Some("2")).await??;
    ensure(copy.entry_for_revision("key", 1).await?.ok_or("no entry")?.value == "1", "a wrong old value")?;
    origin.put("key", "3".into()).await?;
    becomes(Some("3")).await??;
    let history: Vec<kv::Entry> = copy.history("key").await?.try_collect().await?;
    ensure(history.iter().map(|entry| &entry.value[..]).eq([b"1", b"2", b"3"]), "a wrong history")?;
    origin.delete("key").await?;
    becomes(None).await??;
    Ok(())
}

/// Takes what a group is given at once, up to three messages.
async fn fetch(consumer: &Consumer<Pull>, min_pending: usize) -> Fallible<Vec<u64>> {
    let request = consumer.fetch().max_messages(3).group("g").min_pending(min_pending);
    let mut messages = request.expires(Duration::from_secs(1)).messages().await?;
    let mut found = Vec::new();
    while let Some(message) = messages.next().await {
        let message = message?;
        message.ack().await?;
        found.push(message.info()?.stream_sequence);
    }
    Ok(found)
}

pub(crate) async fn priority(options: &Options) -> Outcome {
    let js = context(options).await?;
    let stream = js.create_stream(config("S", "s")).await?;
    let group = |name: &str, priority_policy| Pull {
        durable_name: Some(name.to_owned()),
        priority_groups: vec!["g".to_owned()],
        priority_policy,
        ..Default::default()
    };
    for n in 0..5 {
        js.publish("s", n.to_string().into()).await?.await?;
    }
    let overflow = stream.create_consumer(group("overflow", PriorityPolicy::Overflow)).await?;
    ensure(fetch(&overflow, 10).await?.is_empty(), "there was no overflow")?;
    ensure(fetch(&overflow, 3).await? == [1, 2, 3], "the overflow went elsewhere")?;
    let pinned = stream.create_consumer(group("pinned", PriorityPolicy::PinnedClient)).await?;
    let mut first = pinned.stream().group("g").messages().await?;
    for seq in 1..=5 {
        let message = timeout(PATIENCE, first.next()).await?.ok_or("the messages ended")??;
        message.ack().await?;
        ensure(message.info()?.stream_sequence == seq, "out of order")?;
    }
    let other: Consumer<Pull> = stream.get_consumer("pinned").await?;
    let mut second = other.stream().group("g").messages().await?;
    js.publish("s", "6".into()).await?.await?;
    let message = tokio::select! {
        message = first.next() => message.ok_or("the messages ended")??,
        _ = second.next() => return Err("the client that is not pinned got it".into()),
        () = sleep(PATIENCE) => return Err("nobody got it".into()),
    };
    message.ack().await?;
    drop(first);
    stream.unpin_consumer("pinned", "g").await?;
    js.publish("s", "7".into()).await?.await?;
    let message = timeout(PATIENCE, second.next()).await?.ok_or("the messages ended")??;
    ensure(message.payload == "7", "something else came")
}

pub(crate) async fn dead_letters(options: &Options) -> Outcome {
    let js = context(options).await?;
    js.create_stream(config("DEAD", "dead.>")).await?;
    let stream = js.create_stream(Config { retention: RetentionPolicy::WorkQueue, ..config("W", "w") }).await?;
    let wanted = Pull {
        durable_name: Some("c".to_owned()),
        max_deliver: 2,
        metadata: [("martlet.dead_letter".to_owned(), "dead.w".to_owned())].into(),
        ..Default::default()
    };
    let consumer = stream.create_consumer(wanted).await?;
    for text in ["exhausted", "given up"] {
        js.publish("w", text.into()).await?.await?;
    }
    for _ in 0..3 {
        let mut batch = consumer.fetch().max_messages(1).expires(PATIENCE).messages().await?;
        let message = batch.next().await.ok_or("no message")??;
        let is_last = message.payload == "given up";
        message.ack_with(if is_last { AckKind::Term } else { AckKind::Nak(None) }).await?;
    }
    let reason = |headers: &HeaderMap| headers.get("Martlet-Dead-Letter-Reason").map(ToString::to_string);
    let letters = read(&js, "DEAD", 2).await?;
    let found: BTreeSet<_> = letters.iter().map(|(_, text, headers)| (text.clone(), reason(headers))).collect();
    let letter = |text: &str, reason: &str| (text.to_owned(), Some(reason.to_owned()));
    let wanted = BTreeSet::from([letter("exhausted", "max_deliver"), letter("given up", "terminated")]);
    ensure(found == wanted, "wrong letters")?;
    has(&js, "W", 0).await
}
