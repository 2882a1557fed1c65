//! Configurations as they were stored: what was valid is taken as it is.

use crate::api::body::{ConsumerBody, StreamConfigBody};
use crate::api::json::{Strictness, decode, encode};
use crate::config::{ConsumerConfig, StreamConfig};

/// A configuration as JSON.
pub(super) fn json_of(config: &StreamConfig) -> Vec<u8> {
    encode(config)
}

/// A configuration out of JSON. Fields that are not known are passed over: a newer server may have written them.
pub(in crate::stream) fn config_of(json: &[u8]) -> Result<StreamConfig, String> {
    let body: StreamConfigBody = decode(json, Strictness::Lenient).map_err(|error| error.description.into_owned())?;
    Ok(body.into_config())
}

/// A consumer's configuration as JSON.
pub(super) fn json_of_consumer(config: &ConsumerConfig) -> Vec<u8> {
    encode(config)
}

/// A consumer's configuration out of JSON.
pub(super) fn consumer_of(json: &[u8]) -> Result<ConsumerConfig, String> {
    let body: ConsumerBody = decode(json, Strictness::Lenient).map_err(|error| error.description.into_owned())?;
    Ok(body.into_config())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use martlet_events::WallTime;

    use super::*;
    use crate::config::{
        Compression, ConsumerLimits, Discard, External, Placement, Republish, Retention, Source, SourceConsumer,
        Storage, SubjectTransform,
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
