//! A stream's values: what is filled in, what is mended, what is refused.

use std::time::Duration;

use super::{
    MAX_DESCRIPTION, MAX_METADATA, MAX_NAME, MAX_REPLICAS, Surroundings, invalid, is_valid_name, metadata_size, nanos,
    origin, pedantic, require, span, subjects,
};
use crate::api::ApiError;
use crate::api::body::{SourceBody, StreamConfigBody};
use crate::api::json::{Int, Nanos};
use crate::config::{ConsumerLimits, Discard, PersistMode, Retention, Source, Storage, StreamConfig};
use crate::dead_letter;

const DEFAULT_DUPLICATE_WINDOW: Duration = Duration::from_mins(2);
const LEAST_SPAN: Nanos = Nanos(100_000_000);
const SECOND: Nanos = Nanos(1_000_000_000);

/// Fills in what is not said, and refuses what makes no sense where it would be.
///
/// The server's own metadata is left as it is.
pub(crate) fn check_stream(
    body: &StreamConfigBody,
    is_pedantic: bool,
    around: &dyn Surroundings,
) -> Result<StreamConfig, ApiError> {
    let config = mend_stream(body, is_pedantic, around)?.into_config();
    dead_letter::check(&config.metadata, &config).map_err(invalid)?;
    Ok(config)
}

/// The same, before it becomes a configuration.
pub(super) fn mend_stream(
    body: &StreamConfigBody,
    is_pedantic: bool,
    around: &dyn Surroundings,
) -> Result<StreamConfigBody, ApiError> {
    let mut config = body.clone();
    check_texts(&config)?;
    fill_numbers(&mut config, is_pedantic)?;
    check_spans(&mut config, is_pedantic, around.server().duplicate_window)?;
    check_features(&mut config, is_pedantic)?;
    origin::check(&mut config, is_pedantic, around)?;
    subjects::check_listening(&mut config)?;
    check_bytes(&config, around)?;
    subjects::check_transform(&config)?;
    subjects::check_republish(&mut config, is_pedantic)?;
    check_placement(&mut config)?;
    Ok(config)
}

// spec: JS-039
fn check_texts(config: &StreamConfigBody) -> Result<(), ApiError> {
    require(is_valid_name(&config.name), || {
        invalid("stream name is required and can not contain '.', '*', '>', '\\', '/'")
    })?;
    require(config.name.len() <= MAX_NAME, || {
        invalid(format!("stream name is too long, maximum allowed is {MAX_NAME}"))
    })?;
    require(config.description.len() <= MAX_DESCRIPTION, || {
        invalid(format!("stream description is too long, maximum allowed is {MAX_DESCRIPTION}"))
    })?;
    require(metadata_size(&config.metadata) <= MAX_METADATA, || {
        invalid(format!("stream metadata exceeds maximum size of {MAX_METADATA} bytes"))
    })
}

// spec: JS-039 JS-044 JS-045
fn fill_numbers(config: &mut StreamConfigBody, is_pedantic: bool) -> Result<(), ApiError> {
    if config.num_replicas == Int(0) {
        config.num_replicas = Int(1);
    }
    require(config.num_replicas.0 <= MAX_REPLICAS, || invalid(format!("maximum replicas is {MAX_REPLICAS}")))?;
    require(config.num_replicas.0 >= 0, ApiError::replicas_count_cannot_be_negative)?;
    let mut size = i64::from(config.max_msg_size);
    for (name, number) in [
        ("max_msgs", &mut config.max_msgs),
        ("max_msgs_per_subject", &mut config.max_msgs_per_subject),
        ("max_bytes", &mut config.max_bytes),
        ("max_msg_size", &mut size),
        ("max_consumers", &mut config.max_consumers.0),
    ] {
        if *number == 0 || *number < -1 {
            pedantic(is_pedantic && *number < -1, &format!("{name} must be set to -1"))?;
            *number = -1;
        }
    }
    if size == -1 {
        config.max_msg_size = -1;
    }
    Ok(())
}

// spec: JS-039 JS-043
fn check_spans(config: &mut StreamConfigBody, is_pedantic: bool, longest: Duration) -> Result<(), ApiError> {
    let (none, age) = (Nanos(0), config.max_age);
    require(age >= none, || invalid("max age can not be negative"))?;
    require(age == none || age >= LEAST_SPAN, || invalid("max age needs to be >= 100ms"))?;

    if config.duplicate_window == none && config.mirror.is_none() && config.sources.is_empty() {
        let mut window = DEFAULT_DUPLICATE_WINDOW;
        if !longest.is_zero() && window > longest {
            pedantic(is_pedantic, "duplicate window limits are higher than current limits")?;
            window = longest;
        }
        config.duplicate_window = nanos(window);
        if age != none && age < config.duplicate_window {
            pedantic(is_pedantic, "duplicate window cannot be bigger than max age")?;
            config.duplicate_window = age;
        }
    }
    let window = config.duplicate_window;
    require(window >= none, || invalid("duplicates window can not be negative"))?;
    require(age == none || window <= age, || invalid("duplicates window can not be larger then max age"))?;
    require(longest.is_zero() || span(window) <= longest, || {
        invalid(format!("duplicates window can not be larger then server limit of {}", crate::span::text(longest)))
    })?;
    require(window == none || window >= LEAST_SPAN, || invalid("duplicates window needs to be >= 100ms"))
}

fn check_features(config: &mut StreamConfigBody, is_pedantic: bool) -> Result<(), ApiError> {
    // spec: JS-050
    require(!(config.deny_purge && config.allow_rollup_hdrs), || invalid("roll-ups require the purge permission"))?;
    if config.allow_msg_counter {
        check_counter(config)?;
    }
    check_discard_per_subject(config)?;
    check_markers(config, is_pedantic)?;
    if config.allow_msg_schedules {
        // spec: JS-048
        require(config.discard != Discard::New, || invalid("message scheduling cannot use discard new"))?;
        need_rollups(config, is_pedantic, "message scheduling cannot be set if roll-ups are disabled")?;
    }
    if config.persist_mode == PersistMode::Async {
        check_async(config)?;
    }
    Ok(())
}

// spec: JS-046
fn check_counter(config: &StreamConfigBody) -> Result<(), ApiError> {
    require(config.discard != Discard::New, || invalid("counter stream cannot use discard new"))?;
    require(!config.allow_msg_ttl, || invalid("counter stream cannot use message TTLs"))?;
    require(!config.allow_msg_schedules, || invalid("counter stream cannot use message schedules"))?;
    require(config.retention == Retention::Limits, || invalid("counter stream can only use limits retention"))
}

// spec: JS-047
fn check_discard_per_subject(config: &StreamConfigBody) -> Result<(), ApiError> {
    if !config.discard_new_per_subject {
        return Ok(());
    }
    require(config.discard == Discard::New, || {
        invalid("discard new per subject requires discard new policy to be set")
    })?;
    require(config.max_msgs_per_subject > 0, || invalid("discard new per subject requires max msgs per subject > 0"))
}

// spec: JS-040
fn check_markers(config: &mut StreamConfigBody, is_pedantic: bool) -> Result<(), ApiError> {
    let ttl = config.subject_delete_marker_ttl;
    require(ttl >= Nanos(0), || invalid("subject delete marker TTL must not be negative"))?;
    if ttl == Nanos(0) {
        return Ok(());
    }
    require(ttl >= SECOND, || invalid("subject delete marker TTL must be at least 1 second"))?;
    if !config.allow_msg_ttl {
        require(!is_pedantic, || invalid("subject delete marker cannot be set if message TTLs are disabled"))?;
        config.allow_msg_ttl = true;
    }
    need_rollups(config, is_pedantic, "subject delete marker cannot be set if roll-ups are disabled")
}

fn need_rollups(config: &mut StreamConfigBody, is_pedantic: bool, why: &str) -> Result<(), ApiError> {
    if !config.allow_rollup_hdrs {
        require(!is_pedantic, || invalid(why))?;
        (config.allow_rollup_hdrs, config.deny_purge) = (true, false);
    }
    Ok(())
}

// spec: JS-049
fn check_async(config: &StreamConfigBody) -> Result<(), ApiError> {
    require(config.storage.0.unwrap_or_default() == Storage::File, || {
        invalid("async persist mode is only supported on file storage")
    })?;
    require(config.num_replicas.0 <= 1, || invalid("async persist mode is not supported on replicated streams"))?;
    require(!config.allow_atomic, || invalid("async persist mode is not supported with atomic batch publish"))
}

// spec: JS-056
fn check_bytes(config: &StreamConfigBody, around: &dyn Surroundings) -> Result<(), ApiError> {
    let replicas = u32::try_from(config.num_replicas.0).unwrap_or(1);
    let Some(limits) = around.limits(replicas) else { return Ok(()) };
    require(!limits.max_bytes_required || config.max_bytes > 0, ApiError::stream_max_bytes_required)?;
    let most = match config.storage.0.unwrap_or_default() {
        Storage::Memory => limits.memory_max_stream_bytes,
        Storage::File => limits.storage_max_stream_bytes,
    };
    require(most <= 0 || config.max_bytes <= most, ApiError::stream_max_stream_bytes_exceeded)
}

// spec: JS-039
fn check_placement(config: &mut StreamConfigBody) -> Result<(), ApiError> {
    config.placement.take_if(|placement| *placement == crate::config::Placement::default());
    let has_preferred = config.placement.as_ref().is_some_and(|placement| !placement.preferred.is_empty());
    require(!has_preferred, || invalid("preferred server not permitted in placement"))
}

impl StreamConfigBody {
    /// The configuration as it is said. Spans below zero become none, sources that are `null` go.
    pub(crate) fn into_config(self) -> StreamConfig {
        StreamConfig {
            name: self.name,
            description: self.description,
            subjects: self.subjects,
            retention: self.retention,
            max_consumers: self.max_consumers.0,
            max_msgs: self.max_msgs,
            max_bytes: self.max_bytes,
            max_age: span(self.max_age),
            max_msgs_per_subject: self.max_msgs_per_subject,
            max_msg_size: self.max_msg_size,
            discard: self.discard,
            discard_new_per_subject: self.discard_new_per_subject,
            storage: self.storage.0.unwrap_or_default(),
            num_replicas: u32::try_from(self.num_replicas.0).unwrap_or(1),
            no_ack: self.no_ack,
            duplicate_window: span(self.duplicate_window),
            placement: self.placement,
            mirror: self.mirror.map(SourceBody::into_source),
            sources: self.sources.into_iter().flatten().map(SourceBody::into_source).collect(),
            compression: self.compression,
            subject_transform: self.subject_transform,
            republish: self.republish,
            sealed: self.sealed,
            deny_delete: self.deny_delete,
            deny_purge: self.deny_purge,
            allow_rollup_hdrs: self.allow_rollup_hdrs,
            allow_direct: self.allow_direct,
            mirror_direct: self.mirror_direct,
            first_seq: self.first_seq,
            consumer_limits: ConsumerLimits {
                inactive_threshold: span(self.consumer_limits.inactive_threshold),
                max_ack_pending: self.consumer_limits.max_ack_pending.0,
            },
            allow_msg_ttl: self.allow_msg_ttl,
            subject_delete_marker_ttl: span(self.subject_delete_marker_ttl),
            allow_msg_counter: self.allow_msg_counter,
            allow_atomic: self.allow_atomic,
            allow_msg_schedules: self.allow_msg_schedules,
            allow_batched: self.allow_batched,
            persist_mode: self.persist_mode,
            metadata: self.metadata,
        }
    }
}

impl SourceBody {
    fn into_source(self) -> Source {
        Source {
            name: self.name,
            opt_start_seq: self.opt_start_seq,
            opt_start_time: self.opt_start_time,
            filter_subject: self.filter_subject,
            subject_transforms: self.subject_transforms,
            external: self.external,
            consumer: self.consumer,
        }
    }
}
