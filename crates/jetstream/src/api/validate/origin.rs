//! Mirrors and sources: where a stream gets messages from.

use std::collections::{HashSet, VecDeque};

use super::subjects::{TransformFault, transform_fault};
use super::{API_PREFIX, Surroundings, invalid, is_literal, is_subset, is_valid_name, overlap, pedantic, require};
use crate::api::ApiError;
use crate::api::body::{SourceBody, StreamConfigBody};
use crate::api::json::{Nanos, quote};
use crate::config::{Source, StreamConfig};

/// What is gathered on the way and looked at in the end.
#[derive(Default)]
struct Origins {
    /// Subjects of streams that messages come from.
    subjects: Vec<String>,
    deliver_prefixes: Vec<String>,
    api_prefixes: Vec<String>,
}

/// Looks at the mirror and the sources; a mirror gets its origin's readiness for direct gets.
// spec: JS-052 JS-053 JS-054
pub(super) fn check(
    config: &mut StreamConfigBody,
    is_pedantic: bool,
    around: &dyn Surroundings,
) -> Result<(), ApiError> {
    let mut origins = Origins::default();
    if let Some(mirror) = &config.mirror {
        check_mirror(config, mirror)?;
        origins.add(mirror);
        if mirror.external.is_none() {
            require(is_valid_name(&mirror.name), ApiError::mirror_invalid_stream_name)?;
            if let Some(origin) = around.stream(&mirror.name) {
                origins.subjects.extend(origin.subjects.iter().cloned());
                check_size(config, origin, ApiError::mirror_max_message_size_too_big)?;
                let why = "origin stream has direct get set, mirror has it disabled";
                pedantic(is_pedantic && config.mirror_direct != origin.allow_direct, why)?;
                config.mirror_direct = origin.allow_direct;
            }
        }
    }
    check_sources(config, around, &mut origins)?;
    origins.check()?;
    check_cycles(config, around)
}

impl Origins {
    fn add(&mut self, source: &SourceBody) {
        let Some(external) = &source.external else { return };
        let given = |prefix: &String| (!prefix.is_empty()).then(|| prefix.clone());
        self.deliver_prefixes.extend(given(&external.deliver));
        self.api_prefixes.extend(given(&external.api));
    }

    fn check(&self) -> Result<(), ApiError> {
        for prefix in &self.deliver_prefixes {
            require(is_literal(prefix), || ApiError::stream_invalid_external_delivery_subject(prefix))?;
            if let Some(subject) = self.subjects.iter().find(|subject| overlap(subject, &format!("{prefix}.{subject}")))
            {
                return Err(ApiError::stream_external_del_prefix_overlaps(prefix, subject));
            }
        }
        for prefix in &self.api_prefixes {
            require(is_literal(prefix), || {
                let prefix = quote::text(prefix);
                invalid(format!("stream external api prefix {prefix} must be a valid subject without wildcards"))
            })?;
            require(!overlap(prefix, API_PREFIX), || ApiError::stream_external_api_overlap(prefix, API_PREFIX))?;
        }
        Ok(())
    }
}

fn check_mirror(config: &StreamConfigBody, mirror: &SourceBody) -> Result<(), ApiError> {
    require(config.first_seq == 0, ApiError::mirror_with_first_seq)?;
    require(config.subjects.is_empty(), ApiError::mirror_with_subjects)?;
    require(config.sources.is_empty(), ApiError::mirror_with_sources)?;
    require(!config.allow_msg_counter, ApiError::mirror_with_counters)?;
    require(!config.allow_atomic, ApiError::mirror_with_atomic_publish)?;
    require(!config.allow_batched, ApiError::mirror_with_batch_publish)?;
    require(!config.allow_msg_schedules, ApiError::mirror_with_msg_schedules)?;
    require(is_consumer_valid(mirror), ApiError::mirror_durable_consumer_config_invalid)?;
    let has_filter = !mirror.filter_subject.is_empty();
    require(!has_filter || mirror.subject_transforms.is_empty(), ApiError::mirror_multiple_filters_not_allowed)?;
    // Markers would take sequences that the origin gives to messages.
    require(config.subject_delete_marker_ttl == Nanos(0), || invalid("subject delete markers forbidden on mirrors"))?;
    for (at, transform) in mirror.subject_transforms.iter().enumerate() {
        match transform_fault(transform) {
            None => {}
            Some(TransformFault::Source(why)) => return Err(ApiError::mirror_invalid_subject_filter(why)),
            Some(TransformFault::Destination(why)) => return Err(ApiError::mirror_invalid_transform_destination(why)),
        }
        let mut others = mirror.subject_transforms.iter().enumerate().filter(|(other, _)| *other != at);
        require(
            !others.any(|(_, other)| overlap(&transform.src, &other.src)),
            ApiError::mirror_overlapping_subject_filters,
        )?;
    }
    Ok(())
}

/// Whether the durable consumer at the origin, if one is to be used, can be used: it has its own start and filters.
fn is_consumer_valid(source: &SourceBody) -> bool {
    source.consumer.as_ref().is_none_or(|consumer| {
        is_valid_name(&consumer.name)
            && is_literal(&consumer.deliver_subject)
            && source.opt_start_seq == 0
            && source.opt_start_time.is_none()
            && source.filter_subject.is_empty()
    })
}

fn check_sources(config: &StreamConfigBody, around: &dyn Surroundings, origins: &mut Origins) -> Result<(), ApiError> {
    require(config.sources.is_empty() || !config.allow_msg_schedules, ApiError::source_with_msg_schedules)?;
    let (mut seen, mut consumers) = (HashSet::new(), HashSet::new());
    for source in &config.sources {
        let source = source.as_ref().filter(|source| is_valid_name(&source.name));
        let source = source.ok_or_else(ApiError::source_invalid_stream_name)?;
        require(seen.insert(identity(source)), ApiError::source_duplicate_detected)?;
        check_source(source)?;
        if let Some(consumer) = &source.consumer {
            require(is_consumer_valid(source), ApiError::source_durable_consumer_config_invalid)?;
            let key = (&source.name, api_of(source), &consumer.name);
            require(consumers.insert(key), ApiError::source_durable_consumer_duplicate_detected)?;
        }
        origins.add(source);
        if let Some(origin) = around.stream(&source.name).filter(|_| source.external.is_none()) {
            origins.subjects.extend(origin.subjects.iter().cloned());
            check_size(config, origin, ApiError::source_max_message_size_too_big)?;
        }
    }
    Ok(())
}

fn check_source(source: &SourceBody) -> Result<(), ApiError> {
    let has_filter = !source.filter_subject.is_empty();
    require(!has_filter || source.subject_transforms.is_empty(), ApiError::source_multiple_filters_not_allowed)?;
    for transform in &source.subject_transforms {
        match transform_fault(transform) {
            None => {}
            Some(TransformFault::Source(why)) => return Err(ApiError::source_invalid_subject_filter(why)),
            Some(TransformFault::Destination(why)) => return Err(ApiError::source_invalid_transform_destination(why)),
        }
    }
    for (at, transform) in source.subject_transforms.iter().enumerate() {
        let mut others = source.subject_transforms.iter().enumerate().filter(|(other, _)| *other != at);
        require(
            !others.any(|(_, other)| is_subset(&transform.src, &other.src)),
            ApiError::source_overlapping_subject_filters,
        )?;
    }
    Ok(())
}

fn all(subject: &str) -> &str {
    if subject.is_empty() { ">" } else { subject }
}

/// What tells a source from another: two that agree in all of it are one.
#[derive(PartialEq, Eq, Hash)]
struct Identity<'a> {
    name: &'a str,
    api: Option<&'a str>,
    consumer: Option<&'a str>,
    /// Which subjects, and what they become.
    subjects: Vec<(&'a str, &'a str)>,
}

fn identity(source: &SourceBody) -> Identity<'_> {
    let subjects = match &source.subject_transforms[..] {
        [] => vec![(all(&source.filter_subject), ">")],
        transforms => transforms.iter().map(|transform| (all(&transform.src), all(&transform.dest))).collect(),
    };
    let consumer = source.consumer.as_ref().map(|consumer| &*consumer.name);
    Identity { name: &source.name, api: api_of(source), consumer, subjects }
}

fn api_of(source: &SourceBody) -> Option<&str> {
    source.external.as_ref().map(|external| &*external.api)
}

/// A stream must be able to keep what comes.
fn check_size(config: &StreamConfigBody, origin: &StreamConfig, error: fn() -> ApiError) -> Result<(), ApiError> {
    let is_smaller = config.max_msg_size > 0 && origin.max_msg_size > 0 && config.max_msg_size < origin.max_msg_size;
    require(!is_smaller, error)
}

/// No message may come back to where it was.
fn check_cycles(config: &StreamConfigBody, around: &dyn Surroundings) -> Result<(), ApiError> {
    let this = config.clone().into_config();
    let mut queue = VecDeque::from([&this]);
    let mut visited = HashSet::new();
    while let Some(stream) = queue.pop_front() {
        visited.insert(&*stream.name);
        let listens =
            |filter: &str| filter.is_empty() || stream.subjects.iter().any(|subject| overlap(subject, filter));
        let comes_from = |source: &&Source| source.external.is_none();
        for source in stream.sources.iter().filter(comes_from) {
            if visited.contains(&*source.name) {
                require(!listens(&source.filter_subject), || invalid("detected cycle"))?;
            } else {
                queue.extend(around.stream(&source.name));
            }
        }
        if let Some(mirror) = stream.mirror.as_ref().filter(comes_from) {
            require(!visited.contains(&*mirror.name), || invalid("detected cycle"))?;
            queue.extend(around.stream(&mirror.name));
        }
    }
    Ok(())
}
