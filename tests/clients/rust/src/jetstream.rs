//! Checks of JetStream: streams, consumers, key-value buckets, object stores.

use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::jetstream::consumer::pull::Config as Pull;
use async_nats::jetstream::consumer::{AckPolicy, Consumer, pull, push};
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::stream::{Config, LastRawMessageErrorKind, RetentionPolicy, StorageType};
use async_nats::jetstream::{self, AckKind, Context, kv, object_store};
use futures_util::{StreamExt, TryStreamExt};
use tokio::io::AsyncReadExt;
use tokio::time::{sleep, timeout};

use crate::{Options, Outcome, PATIENCE, ensure};

pub(crate) type Fallible<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

pub(crate) async fn context(options: &Options) -> Fallible<Context> {
    Ok(jetstream::new(options.client().await?))
}

pub(crate) fn config(name: &str, subject: &str) -> Config {
    Config { name: name.to_owned(), subjects: vec![subject.to_owned()], ..Default::default() }
}

pub(crate) async fn streams(options: &Options) -> Outcome {
    let js = context(options).await?;
    let wanted = Config { storage: StorageType::Memory, max_messages: 100, allow_direct: true, ..config("S", "s.*") };
    let mut stream = js.create_stream(wanted).await?;
    for n in 1..=10_u64 {
        let ack = js.publish(format!("s.{}", n % 2), n.to_string().into()).await?.await?;
        ensure(ack.sequence == n && !ack.duplicate, "a wrong acknowledgement")?;
    }
    for duplicate in [false, true] {
        let message = PublishMessage::build().message_id("a").payload("x".into());
        let ack = js.send_publish("s.0", message).await?.await?;
        ensure(ack.duplicate == duplicate, "a wrong answer to a message id")?;
    }
    let late = PublishMessage::build().expected_last_sequence(3).payload("x".into());
    ensure(js.send_publish("s.0", late).await?.await.is_err(), "a wrong last sequence was taken")?;
    ensure(stream.get_raw_message(4).await?.payload == "4", "a wrong message")?;
    ensure(stream.direct_get(7).await?.payload == "7", "a wrong message from direct get")?;
    ensure(stream.direct_get_last_for_subject("s.1").await?.payload == "9", "a wrong last message")?;
    let missing = stream.get_last_raw_message_by_subject("s.7").await.expect_err("there is none");
    ensure(missing.kind() == LastRawMessageErrorKind::NoMessageFound, "a wrong error")?;
    stream.delete_message(4).await?;
    let info = stream.info().await?;
    ensure(info.state.messages == 10 && info.state.deleted_count == Some(1), "a wrong state")?;
    js.update_stream(Config { max_messages: 5, ..info.config.clone() }).await?;
    ensure(stream.info().await?.state.messages == 5, "the new limit does nothing")?;
    let names: Vec<String> = js.stream_names().try_collect().await?;
    ensure(names == ["S"], "wrong names")?;
    ensure(stream.purge().filter("s.0").await?.purged > 0, "nothing was purged")?;
    js.delete_stream("S").await?;
    ensure(js.get_stream("S").await.is_err(), "the stream is still there")
}

/// Publishes so many numbered messages to one of five subjects.
async fn fill(js: &Context, count: u32) -> Outcome {
    let mut acks = Vec::new();
    for n in 0..count {
        acks.push(js.publish(format!("s.{}", n % 5), n.to_string().into()).await?);
    }
    for ack in acks {
        ack.await?;
    }
    Ok(())
}

pub(crate) async fn consumers(options: &Options) -> Outcome {
    let js = context(options).await?;
    let stream = js.create_stream(config("S", "s.*")).await?;
    fill(&js, 500).await?;
    let filters = vec!["s.1".to_owned(), "s.2".to_owned()];
    let wanted = Pull { durable_name: Some("c".to_owned()), filter_subjects: filters, ..Default::default() };
    let mut consumer = stream.create_consumer(wanted).await?;
    let mut messages = consumer.messages().await?;
    for _ in 0..200 {
        let message = timeout(PATIENCE, messages.next()).await?.ok_or("the messages ended")??;
        message.double_ack().await?;
    }
    drop(messages);
    let info = consumer.info().await?;
    ensure(info.num_pending == 0 && info.num_ack_pending == 0, "a wrong state of the consumer")?;
    js.publish("s.1", "again".into()).await?.await?;
    for (attempt, kind) in [AckKind::Nak(Some(Duration::from_millis(10))), AckKind::Term].into_iter().enumerate() {
        let mut batch = consumer.fetch().max_messages(1).expires(PATIENCE).messages().await?;
        let message = batch.next().await.ok_or("no message")??;
        ensure(message.info()?.delivered == attempt as i64 + 1, "a wrong count of deliveries")?;
        message.ack_with(kind).await?;
    }
    let mut rest = consumer.fetch().max_messages(5).messages().await?;
    ensure(rest.next().await.is_none(), "a terminated message came again")?;
    let again: Consumer<pull::Config> = stream.get_consumer("c").await?;
    ensure(again.cached_info().name == "c", "a wrong name")?;
    stream.delete_consumer("c").await?;
    ensure(stream.get_consumer::<pull::Config>("c").await.is_err(), "the consumer is still there")
}

pub(crate) async fn ordered(options: &Options) -> Outcome {
    let js = context(options).await?;
    let stream = js.create_stream(config("S", "s")).await?;
    let body = vec![b'x'; 20_000];
    for _ in 0..300 {
        js.publish("s", body.clone().into()).await?.await?;
    }
    let pulled = stream.create_consumer(pull::OrderedConfig::default()).await?;
    let mut pulled = pulled.messages().await?;
    let deliver_subject = js.client().new_inbox();
    let pushed = stream.create_consumer(push::OrderedConfig { deliver_subject, ..Default::default() }).await?;
    let mut pushed = pushed.messages().await?;
    for n in 1..=300_u64 {
        let one = timeout(PATIENCE, pulled.next()).await?.ok_or("the messages ended")??;
        let other = timeout(PATIENCE, pushed.next()).await?.ok_or("the messages ended")??;
        ensure(one.info()?.stream_sequence == n && other.info()?.stream_sequence == n, "out of order")?;
    }
    Ok(())
}

pub(crate) async fn work_queue(options: &Options) -> Outcome {
    let js = context(options).await?;
    let wanted = Config { retention: RetentionPolicy::WorkQueue, ..config("W", "s.*") };
    let mut stream = js.create_stream(wanted).await?;
    fill(&js, 50).await?;
    let wanted = Pull { durable_name: Some("c".to_owned()), ..Default::default() };
    let consumer = stream.create_consumer(wanted).await?;
    let mut batch = consumer.fetch().max_messages(50).messages().await?;
    while let Some(message) = batch.next().await {
        message?.double_ack().await?;
    }
    ensure(stream.info().await?.state.messages == 0, "acknowledged messages are still there")
}

pub(crate) async fn key_values(options: &Options) -> Outcome {
    let js = context(options).await?;
    // No message lives shorter than the markers do.
    let marker = Some(Duration::from_secs(1));
    let wanted = kv::Config { bucket: "B".to_owned(), history: 3, limit_markers: marker, ..Default::default() };
    let bucket = js.create_key_value(wanted).await?;
    let mut watch = bucket.watch("w.*").await?;
    ensure(bucket.put("a", "1".into()).await? == 1, "a wrong revision")?;
    ensure(bucket.update("a", "2".into(), 1).await? == 2, "a wrong revision")?;
    let late = bucket.update("a", "3".into(), 1).await.expect_err("revision 1 is not the last");
    ensure(late.kind() == kv::UpdateErrorKind::WrongLastRevision, "a wrong error of update")?;
    let there = bucket.create("a", "3".into()).await.expect_err("it is there");
    ensure(there.kind() == kv::CreateErrorKind::AlreadyExists, "a wrong error of create")?;
    ensure(bucket.get("a").await?.ok_or("no value")? == "2", "a wrong value")?;
    ensure(bucket.entry_for_revision("a", 1).await?.ok_or("no entry")?.value == "1", "a wrong old value")?;
    ensure(bucket.get("zz").await?.is_none(), "a value from nowhere")?;
    bucket.put("w.a", "x".into()).await?;
    bucket.delete("w.a").await?;
    for operation in [kv::Operation::Put, kv::Operation::Delete] {
        let entry = timeout(PATIENCE, watch.next()).await?.ok_or("the watch ended")??;
        ensure(entry.key == "w.a" && entry.operation == operation, "the watch tells something else")?;
    }
    let history: Vec<kv::Entry> = bucket.history("a").await?.try_collect().await?;
    ensure(history.iter().map(|entry| entry.revision).eq([1, 2]), "a wrong history")?;
    bucket.create_with_ttl("short", "x".into(), Duration::from_secs(1)).await?;
    timeout(PATIENCE, async {
        while bucket.get("short").await?.is_some() {
            sleep(Duration::from_millis(20)).await;
        }
        Ok::<_, kv::EntryError>(())
    })
    .await??;
    let keys: Vec<String> = bucket.keys().await?.try_collect().await?;
    ensure(keys == ["a"], "wrong keys")?;
    bucket.purge("a").await?;
    ensure(bucket.status().await?.history() == 3, "a wrong status")?;
    js.delete_key_value("B").await?;
    Ok(())
}

pub(crate) async fn objects(options: &Options) -> Outcome {
    let js = context(options).await?;
    let wanted = object_store::Config { bucket: "O".to_owned(), ..Default::default() };
    let store = js.create_object_store(wanted).await?;
    let body: Vec<u8> = (0..400_000_u32).map(|n| (n % 251) as u8).collect();
    for content in [&body[..], b"small"] {
        let info = store.put("big", &mut &content[..]).await?;
        ensure(info.size == content.len(), "a wrong size")?;
        let mut came = Vec::new();
        store.get("big").await?.read_to_end(&mut came).await?;
        ensure(came == content, "the object was changed")?;
    }
    store.put("other", &mut &b"x"[..]).await?;
    store.delete("other").await?;
    ensure(store.get("other").await.is_err(), "a deleted object is still there")?;
    let names: Vec<object_store::ObjectInfo> = store.list().await?.try_collect().await?;
    ensure(names.iter().map(|info| &info.name).eq(["big"]), "wrong names")?;
    js.delete_object_store("O").await?;
    Ok(())
}

pub(crate) async fn redelivery(options: &Options) -> Outcome {
    let js = context(options).await?;
    let stream = js.create_stream(config("S", "s")).await?;
    let wanted = Pull {
        durable_name: Some("c".to_owned()),
        ack_policy: AckPolicy::Explicit,
        ack_wait: Duration::from_millis(200),
        max_deliver: 2,
        ..Default::default()
    };
    let consumer = stream.create_consumer(wanted).await?;
    let mut advisories = js.client().subscribe("$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.S.c").await?;
    let mut headers = HeaderMap::new();
    headers.insert("Color", "red");
    js.publish_with_headers("s", headers, "x".into()).await?.await?;
    let mut messages = consumer.messages().await?;
    for attempt in 1..=2 {
        let message = timeout(PATIENCE, messages.next()).await?.ok_or("the messages ended")??;
        ensure(message.info()?.delivered == attempt, "a wrong count of deliveries")?;
        ensure(message.headers.as_ref().is_some_and(|all| all.get("Color").is_some()), "no headers")?;
    }
    let advisory = crate::next(&mut advisories).await?;
    let advisory: serde_json::Value = serde_json::from_slice(&advisory.payload)?;
    ensure(advisory["deliveries"] == 2, "a wrong advisory")
}
