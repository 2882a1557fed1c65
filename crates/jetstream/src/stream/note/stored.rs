//! Configurations as they were stored: what was valid is taken as it is.

use std::time::Duration;

use crate::api::body::{ConsumerBody, DeliverKind, SourceBody, StreamConfigBody};
use crate::api::json::{Nanos, Strictness, decode, encode};
use crate::config::{ConsumerConfig, ConsumerLimits, DeliverPolicy, Source, StreamConfig};

/// A configuration as JSON.
pub(super) fn json_of(config: &StreamConfig) -> Vec<u8> {
    encode(config)
}

/// A configuration out of JSON. Fields that are not known are passed over: a newer server may have written them.
pub(super) fn config_of(json: &[u8]) -> Result<StreamConfig, String> {
    let body: StreamConfigBody = decode(json, Strictness::Lenient).map_err(|error| error.description.into_owned())?;
    Ok(as_it_is(body))
}

fn span(nanos: Nanos) -> Duration {
    Duration::from_nanos(u64::try_from(nanos.0).unwrap_or(0))
}

fn source(body: SourceBody) -> Source {
    Source {
        name: body.name,
        opt_start_seq: body.opt_start_seq,
        opt_start_time: body.opt_start_time,
        filter_subject: body.filter_subject,
        subject_transforms: body.subject_transforms,
        external: body.external,
        consumer: body.consumer,
    }
}

fn as_it_is(body: StreamConfigBody) -> StreamConfig {
    StreamConfig {
        name: body.name,
        description: body.description,
        subjects: body.subjects,
        retention: body.retention,
        max_consumers: body.max_consumers.0,
        max_msgs: body.max_msgs,
        max_bytes: body.max_bytes,
        max_age: span(body.max_age),
        max_msgs_per_subject: body.max_msgs_per_subject,
        max_msg_size: body.max_msg_size,
        discard: body.discard,
        discard_new_per_subject: body.discard_new_per_subject,
        storage: body.storage,
        num_replicas: u32::try_from(body.num_replicas.0).unwrap_or(1),
        no_ack: body.no_ack,
        duplicate_window: span(body.duplicate_window),
        placement: body.placement,
        mirror: body.mirror.map(source),
        sources: body.sources.into_iter().flatten().map(source).collect(),
        compression: body.compression,
        subject_transform: body.subject_transform,
        republish: body.republish,
        sealed: body.sealed,
        deny_delete: body.deny_delete,
        deny_purge: body.deny_purge,
        allow_rollup_hdrs: body.allow_rollup_hdrs,
        allow_direct: body.allow_direct,
        mirror_direct: body.mirror_direct,
        first_seq: body.first_seq,
        consumer_limits: ConsumerLimits {
            inactive_threshold: span(body.consumer_limits.inactive_threshold),
            max_ack_pending: body.consumer_limits.max_ack_pending.0,
        },
        allow_msg_ttl: body.allow_msg_ttl,
        subject_delete_marker_ttl: span(body.subject_delete_marker_ttl),
        allow_msg_counter: body.allow_msg_counter,
        allow_atomic: body.allow_atomic,
        allow_msg_schedules: body.allow_msg_schedules,
        allow_batched: body.allow_batched,
        persist_mode: body.persist_mode,
        metadata: body.metadata,
    }
}

/// A consumer's configuration as JSON.
pub(super) fn json_of_consumer(config: &ConsumerConfig) -> Vec<u8> {
    encode(config)
}

/// A consumer's configuration out of JSON.
pub(super) fn consumer_of(json: &[u8]) -> Result<ConsumerConfig, String> {
    let body: ConsumerBody = decode(json, Strictness::Lenient).map_err(|error| error.description.into_owned())?;
    let deliver_policy = match body.deliver_policy {
        DeliverKind::All => DeliverPolicy::All,
        DeliverKind::Last => DeliverPolicy::Last,
        DeliverKind::New => DeliverPolicy::New,
        DeliverKind::ByStartSequence => DeliverPolicy::ByStartSequence(body.opt_start_seq),
        DeliverKind::ByStartTime => DeliverPolicy::ByStartTime(body.opt_start_time.unwrap_or_default()),
        DeliverKind::LastPerSubject => DeliverPolicy::LastPerSubject,
    };
    let filter_is_list = !body.filter_subjects.is_empty();
    let one = Some(body.filter_subject).filter(|filter| !filter.is_empty());
    let filter_subjects = if filter_is_list { body.filter_subjects } else { one.into_iter().collect() };
    Ok(ConsumerConfig {
        durable: body.durable,
        name: body.name,
        description: body.description,
        deliver_policy,
        ack_policy: body.ack_policy,
        ack_wait: span(body.ack_wait),
        max_deliver: body.max_deliver.0,
        backoff: body.backoff.into_iter().map(span).collect(),
        filter_subjects,
        filter_is_list,
        replay_policy: body.replay_policy,
        rate_limit_bps: body.rate_limit_bps,
        sample_freq: body.sample_freq,
        max_waiting: body.max_waiting.0,
        max_ack_pending: body.max_ack_pending.0,
        flow_control: body.flow_control,
        headers_only: body.headers_only,
        max_batch: body.max_batch.0,
        max_expires: span(body.max_expires),
        max_bytes: body.max_bytes.0,
        deliver_subject: body.deliver_subject,
        deliver_group: body.deliver_group,
        idle_heartbeat: span(body.idle_heartbeat),
        inactive_threshold: span(body.inactive_threshold),
        num_replicas: u32::try_from(body.num_replicas.0).unwrap_or(0),
        mem_storage: body.mem_storage,
        direct: body.direct,
        sourcing: body.sourcing,
        pause_until: body.pause_until,
        priority_groups: body.priority_groups,
        priority_policy: body.priority_policy,
        priority_timeout: span(body.priority_timeout),
        metadata: body.metadata,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use martlet_events::WallTime;

    use super::*;
    use crate::config::{
        Compression, Discard, External, Placement, Republish, Retention, SourceConsumer, Storage, SubjectTransform,
    };

    #[test]
    fn a_configuration_comes_back_as_it_was() {
        let transform = SubjectTransform { src: "a.>".into(), dest: "b.>".into() };
        let source = Source {
            name: "O".into(),
            opt_start_seq: 7,
            opt_start_time: Some(WallTime::from_nanos(1_795_339_108_051_830_458)),
            filter_subject: "a.*".into(),
            subject_transforms: vec![transform.clone()],
            external: Some(External { api: "$JS.x.API".into(), deliver: "d".into() }),
            consumer: Some(SourceConsumer { name: "c".into(), deliver_subject: "d.c".into() }),
        };
        let full = StreamConfig {
            name: "S".into(),
            description: "a <b> \"c\"".into(),
            subjects: vec!["a.>".into(), "b".into()],
            retention: Retention::WorkQueue,
            max_consumers: 3,
            max_msgs: 4,
            max_bytes: 5,
            max_age: Duration::from_millis(1500),
            max_msgs_per_subject: 6,
            max_msg_size: 7,
            discard: Discard::New,
            discard_new_per_subject: true,
            storage: Storage::Memory,
            num_replicas: 3,
            no_ack: true,
            duplicate_window: Duration::from_secs(1),
            placement: Some(Placement { cluster: "c".into(), tags: vec!["t".into()], preferred: String::new() }),
            mirror: Some(source.clone()),
            sources: vec![source],
            compression: Compression::S2,
            subject_transform: Some(transform),
            republish: Some(Republish { src: ">".into(), dest: "r.>".into(), headers_only: true }),
            sealed: true,
            deny_delete: true,
            deny_purge: true,
            allow_rollup_hdrs: true,
            allow_direct: true,
            mirror_direct: true,
            first_seq: 8,
            consumer_limits: ConsumerLimits { inactive_threshold: Duration::from_secs(9), max_ack_pending: 10 },
            allow_msg_ttl: true,
            subject_delete_marker_ttl: Duration::from_secs(2),
            allow_msg_counter: true,
            allow_atomic: true,
            allow_msg_schedules: true,
            allow_batched: true,
            persist_mode: crate::config::PersistMode::Async,
            metadata: BTreeMap::from([("k".into(), "v".into())]),
        };
        for config in [full, StreamConfig { name: "T".into(), ..StreamConfig::default() }] {
            assert_eq!(config_of(&json_of(&config)), Ok(config));
        }
        assert!(config_of(b"{").is_err());
    }
}
