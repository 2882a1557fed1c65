//! Whether a stream may be created, or changed.

use std::time::Duration;

use super::limits::{Claim, check_room, check_streams};
use super::stream::mend_stream;
use super::{Surroundings, check_stream, invalid, is_valid, overlap, require};
use crate::api::ApiError;
use crate::api::body::{StreamBody, StreamConfigBody};
use crate::api::metadata;
use crate::config::{Discard, Retention, Source, StreamConfig};
use crate::dead_letter;

/// What comes of a stream that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Created {
    /// It may be created so.
    New(Box<StreamConfig>),
    /// It is there already, just so; a server by itself answers as if it had been created now.
    Same,
}

/// What a consumer would hold against new bounds for consumers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConsumerBound<'a> {
    /// Its name.
    pub name: &'a str,
    /// How long it stays without subscribers.
    pub inactive_threshold: Duration,
    /// How many messages may wait for acknowledgement.
    pub max_ack_pending: i64,
    /// Where its dead letters go, as its metadata say.
    pub dead_letter: Option<&'a str>,
}

/// Whether a stream may be created. That its name is the subject's, and that it is not sealed, has been seen to.
// spec: JS-017
pub fn create_stream(body: &StreamBody, around: &dyn Surroundings) -> Result<Created, ApiError> {
    check_account(&body.config, around)?;
    let mut config = check_stream(&body.config, body.pedantic, around)?;
    check_replicas(&config, around)?;
    if let Some(there) = around.stream(&config.name) {
        return compare(config, there);
    }
    check_room(claim_of(&config), around)?;
    check_filters(&config)?;
    require(!is_taken(&config, around), ApiError::stream_subject_overlap)?;
    let level = metadata::stream_level(&config);
    metadata::stamp(&mut config.metadata, level);
    Ok(Created::New(Box::new(config)))
}

/// Whether a stream may be restored from a snapshot.
// spec: JS-025
pub fn restore_stream(body: &StreamConfigBody, around: &dyn Surroundings) -> Result<StreamConfig, ApiError> {
    let config = check_stream(body, false, around)?;
    check_streams(claim_of(&config), around)?;
    check_room(claim_of(&config), around)?;
    require(around.stream(&config.name).is_none(), ApiError::stream_name_exist_restore_failed)?;
    check_replicas(&config, around)?;
    check_filters(&config)?;
    may_return(&config, around)?;
    Ok(config)
}

/// Whether there is still room for a stream that is restored, when that has come to its end.
// spec: JS-125
pub fn may_return(config: &StreamConfig, around: &dyn Surroundings) -> Result<(), ApiError> {
    require(around.stream(&config.name).is_none(), ApiError::stream_name_exist_restore_failed)?;
    require(!is_taken(config, around), ApiError::stream_subject_overlap)
}

/// Whether a stream may be changed, and to what. `name` is that in the subject.
// spec: JS-018
pub fn update_stream<'c>(
    name: &str,
    body: &StreamBody,
    around: &dyn Surroundings,
    consumers: impl IntoIterator<Item = ConsumerBound<'c>>,
) -> Result<StreamConfig, ApiError> {
    let mended = mend_stream(&body.config, body.pedantic, around)?;
    require(mended.name == name, ApiError::stream_mismatch)?;
    let old = around.stream(name).ok_or_else(ApiError::stream_not_found)?;
    // What has been mended may go badly with the rest, and is looked at once more.
    let mut config = check_stream(&mended, body.pedantic, around)?;
    let level = metadata::stream_level(&config);
    metadata::stamp(&mut config.metadata, level);
    check_replicas(&config, around)?;
    check_change(&config, old)?;
    if config.sealed {
        seal(&mut config);
    }
    let grown = config.max_bytes.max(0).saturating_sub(old.max_bytes.max(0)).max(0);
    check_room(Claim { bytes: config.max_bytes.max(0), new_bytes: grown, ..claim_of(&config) }, around)?;
    check_consumers(&config, old, consumers)?;
    require(!is_taken(&config, around), ApiError::stream_subject_overlap)?;
    Ok(config)
}

/// Whether the account has room, before anything else is looked at.
fn check_account(body: &StreamConfigBody, around: &dyn Surroundings) -> Result<(), ApiError> {
    let claim = Claim {
        name: &body.name,
        storage: body.storage.0,
        replicas: u32::try_from(body.num_replicas.0).unwrap_or_default(),
        max_consumers: body.max_consumers.0,
        bytes: body.max_bytes,
        new_bytes: body.max_bytes,
    };
    check_streams(claim, around)?;
    check_room(claim, around)
}

fn claim_of(config: &StreamConfig) -> Claim<'_> {
    Claim {
        name: &config.name,
        storage: Some(config.storage),
        replicas: config.num_replicas,
        max_consumers: config.max_consumers,
        bytes: config.max_bytes,
        new_bytes: config.max_bytes,
    }
}

// spec: JS-045
fn check_replicas(config: &StreamConfig, around: &dyn Surroundings) -> Result<(), ApiError> {
    require(config.num_replicas <= 1 || around.server().is_clustered, ApiError::stream_replicas_not_supported)
}

/// A stream may be asked for again if nothing about it is different; what the server wrote into it is not looked at.
fn compare(mut config: StreamConfig, there: &StreamConfig) -> Result<Created, ApiError> {
    metadata::strip(&mut config.metadata);
    config.metadata.remove(metadata::REQUIRED_LEVEL);
    if let Some(level) = there.metadata.get(metadata::REQUIRED_LEVEL) {
        config.metadata.insert(metadata::REQUIRED_LEVEL.to_owned(), level.clone());
    }
    require(config == *there, ApiError::stream_name_exist).map(|()| Created::Same)
}

/// Filters of mirrors and sources are looked at late, and what is wrong with them is no error of its own.
fn check_filters(config: &StreamConfig) -> Result<(), ApiError> {
    let bad = |source: &&Source| !source.filter_subject.is_empty() && !is_valid(&source.filter_subject);
    if let Some(Source { filter_subject, .. }) = config.mirror.as_ref().filter(bad) {
        let why = format!("subject filter '{filter_subject}' for the mirror invalid subject");
        return Err(ApiError::stream_create(why));
    }
    if let Some(Source { filter_subject, .. }) = config.sources.iter().find(bad) {
        let why = format!("subject filter '{filter_subject}' for the source: invalid subject");
        return Err(ApiError::stream_create(why));
    }
    Ok(())
}

/// Whether another stream listens on one of the subjects.
// spec: JS-051
fn is_taken(config: &StreamConfig, around: &dyn Surroundings) -> bool {
    let mut others = around.streams().filter(|stream| stream.name != config.name).flat_map(|stream| &stream.subjects);
    others.any(|other| config.subjects.iter().any(|subject| overlap(subject, other)))
}

// spec: JS-057
fn check_change(config: &StreamConfig, old: &StreamConfig) -> Result<(), ApiError> {
    let is_queue = |config: &StreamConfig| config.retention == Retention::WorkQueue;
    let rules = [
        (config.storage != old.storage, "stream configuration update can not change storage type"),
        (
            is_queue(config) != is_queue(old),
            "stream configuration update can not change retention policy to/from workqueue",
        ),
        (old.sealed && !config.sealed, "stream configuration update can not unseal a sealed stream"),
        (old.deny_delete && !config.deny_delete, "stream configuration update can not cancel deny message deletes"),
        (old.deny_purge && !config.deny_purge, "stream configuration update can not cancel deny purge"),
    ];
    refuse_first(&rules)?;
    // A mirror may be given up: then it is a stream like any other.
    require(config.mirror.is_none() || config.mirror == old.mirror, ApiError::stream_mirror_not_updatable)?;
    refuse_first(&[
        (old.allow_msg_ttl && !config.allow_msg_ttl, "message TTL status can not be disabled"),
        (
            config.allow_msg_counter != old.allow_msg_counter,
            "stream configuration update can not change message counter setting",
        ),
        (old.allow_msg_schedules && !config.allow_msg_schedules, "message schedules can not be disabled"),
        (config.persist_mode != old.persist_mode, "stream configuration update can not change persist mode"),
    ])
}

fn refuse_first(rules: &[(bool, &'static str)]) -> Result<(), ApiError> {
    rules.iter().find(|(is_broken, _)| *is_broken).map_or(Ok(()), |(_, why)| Err(invalid(why)))
}

/// Nothing comes and nothing goes any more.
// spec: JS-057
fn seal(config: &mut StreamConfig) {
    config.max_age = Duration::ZERO;
    config.discard = Discard::New;
    (config.deny_delete, config.deny_purge) = (true, true);
    config.allow_rollup_hdrs = false;
}

/// New bounds must fit the consumers that are there, and new subjects their dead letters.
fn check_consumers<'c>(
    config: &StreamConfig,
    old: &StreamConfig,
    consumers: impl IntoIterator<Item = ConsumerBound<'c>>,
) -> Result<(), ApiError> {
    let (new, old) = (config.consumer_limits, old.consumer_limits);
    let is_shorter = |span: Duration| !new.inactive_threshold.is_zero() && span > new.inactive_threshold;
    let is_fewer = |pending: i64| new.max_ack_pending > 0 && pending > new.max_ack_pending;
    let mut over: Vec<&str> = Vec::new();
    for consumer in consumers {
        if new != old && (is_shorter(consumer.inactive_threshold) || is_fewer(consumer.max_ack_pending)) {
            over.push(consumer.name);
        }
        let subject = consumer.dead_letter.unwrap_or_default();
        dead_letter::check_subject(subject, config)
            .map_err(|error| ApiError::stream_update(format!("consumer {:?}: {error}", consumer.name)))?;
    }
    require(over.is_empty(), || {
        ApiError::stream_update(format!("change to limits violates consumers: {}", over.join(", ")))
    })
}
