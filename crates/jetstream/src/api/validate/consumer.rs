//! A consumer's values: what is filled in, what is mended, what is refused.

use std::time::Duration;

use super::{
    MAX_DESCRIPTION, MAX_METADATA, ServerLimits, invalid, is_literal, is_subset, is_valid, is_valid_name,
    metadata_size, nanos, pedantic, require, span,
};
use crate::api::answer::AccountLimits;
use crate::api::body::{ConsumerBody, DeliverKind};
use crate::api::json::{Int, Nanos, quote};
use crate::api::{ApiError, is_valid_group};
use crate::config::{AckPolicy, ConsumerConfig, DeliverPolicy, PriorityPolicy, Retention, StreamConfig};
use crate::dead_letter;

const DEFAULT_MAX_WAITING: Int = Int(512);
const DEFAULT_ACK_WAIT: Duration = Duration::from_secs(30);
const DEFAULT_MAX_ACK_PENDING: i64 = 1000;
const DEFAULT_PRIORITY_TIMEOUT: Duration = Duration::from_mins(2);
/// How often a consumer for a mirror or source is heard of; whoever acknowledges by flow control relies on it.
const SOURCE_HEARTBEAT: Nanos = Nanos(1_000_000_000);
const LEAST_HEARTBEAT: Nanos = Nanos(100_000_000);
const LEAST_EXPIRES: Nanos = Nanos(1_000_000);
const NONE: Nanos = Nanos(0);

/// Fills in what is not said, and refuses what makes no sense on its stream.
// spec: JS-087
pub(crate) fn check_consumer(
    body: &ConsumerBody,
    is_pedantic: bool,
    stream: &StreamConfig,
    account: &AccountLimits,
    server: &ServerLimits,
) -> Result<ConsumerConfig, ApiError> {
    let mut config = body.clone();
    mend_numbers(&mut config, is_pedantic)?;
    fill_in(&mut config, is_pedantic, stream, account, server)?;

    check_names(&config)?;
    check_replicas(&config, stream)?;
    check_acks(&config)?;
    require(config.description.len() <= MAX_DESCRIPTION, || ApiError::consumer_description_too_long(MAX_DESCRIPTION))?;
    if config.deliver_subject.is_empty() {
        check_pull(&config, stream, server)?;
    } else {
        check_push(&config, stream)?;
    }
    check_limits(&config, stream, account, server)?;
    check_direct(&config)?;
    check_filters(&config)?;
    check_start(&config)?;
    check_sampling(&config.sample_freq)?;
    require(!config.flow_control || config.idle_heartbeat != NONE, || {
        ApiError::consumer_with_flow_control_needs_heartbeats()
    })?;
    let is_named_twice = !config.durable.is_empty() && !config.name.is_empty() && config.durable != config.name;
    require(!is_named_twice, ApiError::consumer_create_durable_and_name_mismatch)?;
    require(metadata_size(&config.metadata) <= MAX_METADATA, || {
        ApiError::consumer_metadata_length(format!("{}KB", MAX_METADATA / 1024))
    })?;
    check_groups(&config)?;
    dead_letter::check(&config.metadata, stream).map_err(ApiError::consumer_create)?;
    Ok(config.into_config())
}

// spec: JS-044
fn mend_numbers(config: &mut ConsumerBody, is_pedantic: bool) -> Result<(), ApiError> {
    if config.max_deliver.0 == 0 || config.max_deliver.0 < -1 {
        pedantic(is_pedantic && config.max_deliver.0 < -1, "max_deliver must be set to -1")?;
        config.max_deliver = Int(-1);
    }
    for (name, number, least, otherwise) in [
        ("max_waiting must not be negative", &mut config.max_waiting.0, 0, 0),
        ("max_ack_pending must be set to -1", &mut config.max_ack_pending.0, -1, -1),
        ("max_batch must not be negative", &mut config.max_batch.0, 0, 0),
        ("max_expires must not be negative", &mut config.max_expires.0, 0, 0),
        ("max_bytes must not be negative", &mut config.max_bytes.0, 0, 0),
        ("idle_heartbeat must not be negative", &mut config.idle_heartbeat.0, 0, 0),
        ("inactive_threshold must not be negative", &mut config.inactive_threshold.0, 0, 0),
        ("priority_timeout must not be negative", &mut config.priority_timeout.0, 0, 0),
    ] {
        if *number < least {
            pedantic(is_pedantic, name)?;
            *number = otherwise;
        }
    }
    Ok(())
}

fn fill_in(
    config: &mut ConsumerBody,
    is_pedantic: bool,
    stream: &StreamConfig,
    account: &AccountLimits,
    server: &ServerLimits,
) -> Result<(), ApiError> {
    let is_pull = config.deliver_subject.is_empty();
    if is_pull && config.max_waiting == Int(0) {
        config.max_waiting = DEFAULT_MAX_WAITING;
    }
    if config.ack_wait == NONE && matches!(config.ack_policy, AckPolicy::Explicit | AckPolicy::All) {
        config.ack_wait = nanos(DEFAULT_ACK_WAIT);
    }
    // spec: JS-088
    if let Some(first) = config.backoff.first().copied() {
        pedantic(is_pedantic && config.ack_wait != first, "first backoff value has to equal batch AckWait")?;
        config.ack_wait = first;
    }
    let limits = stream.consumer_limits;
    if config.max_ack_pending == Int(0) {
        let why = "max_ack_pending must be set if it's configured in stream limits";
        pedantic(is_pedantic && limits.max_ack_pending > 0, why)?;
        config.max_ack_pending = Int(limits.max_ack_pending);
    }
    if config.inactive_threshold == NONE {
        let why = "inactive_threshold must be set if it's configured in stream limits";
        pedantic(is_pedantic && !limits.inactive_threshold.is_zero(), why)?;
        config.inactive_threshold = nanos(limits.inactive_threshold);
    }
    if config.max_ack_pending == Int(0) && config.ack_policy != AckPolicy::None {
        let bounds = [server.max_ack_pending, account.max_ack_pending].into_iter().filter(|bound| *bound > 0);
        config.max_ack_pending = Int(bounds.fold(DEFAULT_MAX_ACK_PENDING, i64::min));
    }
    if is_pull && config.max_batch == Int(0) && server.max_request_batch > 0 {
        pedantic(is_pedantic, "max_request_batch must be set if it's JetStream limits are set")?;
        config.max_batch = Int(server.max_request_batch);
    }
    if config.priority_policy == PriorityPolicy::PinnedClient && config.priority_timeout == NONE {
        config.priority_timeout = nanos(DEFAULT_PRIORITY_TIMEOUT);
    }
    // spec: JS-094
    if config.ack_policy == AckPolicy::FlowControl && !is_pedantic {
        config.flow_control = true;
        config.idle_heartbeat = SOURCE_HEARTBEAT;
    }
    Ok(())
}

fn check_names(config: &ConsumerBody) -> Result<(), ApiError> {
    let may_be = |name: &str| name.is_empty() || is_valid_name(name);
    require(may_be(&config.name), || invalid("consumer name can not contain '.', '*', '>', '\\', '/'"))?;
    require(may_be(&config.durable), || invalid("consumer durable name can not contain '.', '*', '>', '\\', '/'"))
}

fn check_replicas(config: &ConsumerBody, stream: &StreamConfig) -> Result<(), ApiError> {
    let (replicas, of_stream) = (config.num_replicas.0, i64::from(stream.num_replicas));
    require(replicas <= of_stream, ApiError::consumer_replicas_exceeds_stream)?;
    require(replicas >= 0, ApiError::replicas_count_cannot_be_negative)?;
    // spec: JS-092
    let must_match = stream.retention != Retention::Limits && replicas != 0;
    require(!must_match || replicas == of_stream, ApiError::consumer_replicas_should_match_stream)
}

fn check_acks(config: &ConsumerBody) -> Result<(), ApiError> {
    require(config.backoff.iter().all(|span| *span >= NONE), ApiError::consumer_backoff_negative)?;
    require(config.ack_wait >= NONE, ApiError::consumer_ack_wait_negative)?;
    if config.ack_policy == AckPolicy::FlowControl {
        check_flow_control_acks(config)?;
    }
    // spec: JS-088
    let times = i64::try_from(config.backoff.len()).unwrap_or(i64::MAX);
    let is_enough = times == 0 || config.max_deliver == Int(-1) || times <= config.max_deliver.0;
    require(is_enough, ApiError::consumer_max_deliver_backoff)
}

// spec: JS-094
fn check_flow_control_acks(config: &ConsumerBody) -> Result<(), ApiError> {
    require(!config.deliver_subject.is_empty(), ApiError::consumer_ack_flow_control_requires_push)?;
    require(config.flow_control, ApiError::consumer_ack_flow_control_requires_flow_control)?;
    require(config.idle_heartbeat == SOURCE_HEARTBEAT, || invalid("flow control ack policy heartbeat needs to be 1s"))?;
    require(config.max_ack_pending.0 > 0, ApiError::consumer_ack_flow_control_requires_max_ack_pending)?;
    let has_wait = config.ack_wait != NONE || !config.backoff.is_empty();
    require(!has_wait, ApiError::consumer_ack_flow_control_requires_no_ack_wait)?;
    require(config.max_deliver.0 <= 0, ApiError::consumer_ack_flow_control_requires_no_max_deliver)
}

// spec: JS-089
fn check_push(config: &ConsumerBody, stream: &StreamConfig) -> Result<(), ApiError> {
    let subject = &config.deliver_subject;
    let has_wildcard = subject.split('.').any(|token| token == "*" || token == ">");
    require(!has_wildcard, ApiError::consumer_deliver_to_wildcards)?;
    require(is_literal(subject), ApiError::consumer_invalid_deliver_subject)?;
    require(!stream.subjects.iter().any(|listens| is_subset(subject, listens)), ApiError::consumer_deliver_cycle)?;
    require(config.max_waiting == Int(0), ApiError::consumer_push_max_waiting)?;
    let has_acks = config.max_ack_pending.0 <= 0 || config.ack_policy != AckPolicy::None;
    require(has_acks, ApiError::consumer_max_pending_ack_policy_required)?;
    let heartbeat = config.idle_heartbeat;
    require(heartbeat == NONE || heartbeat >= LEAST_HEARTBEAT, ApiError::consumer_small_heartbeat)
}

// spec: JS-089
fn check_pull(config: &ConsumerBody, stream: &StreamConfig, server: &ServerLimits) -> Result<(), ApiError> {
    let has_acks = config.ack_policy != AckPolicy::None || stream.retention != Retention::WorkQueue;
    require(has_acks, ApiError::consumer_pull_requires_ack)?;
    require(config.rate_limit_bps == 0, ApiError::consumer_pull_with_rate_limit)?;
    require(config.idle_heartbeat == NONE, ApiError::consumer_heartbeat_requires_push)?;
    require(!config.flow_control, ApiError::consumer_flow_control_requires_push)?;
    let is_long_enough = config.max_expires == NONE || config.max_expires >= LEAST_EXPIRES;
    require(is_long_enough, ApiError::consumer_max_request_expires_too_small)?;
    let most = server.max_request_batch;
    require(most <= 0 || config.max_batch.0 <= most, || ApiError::consumer_max_request_batch_exceeded(most))
}

fn check_limits(
    config: &ConsumerBody,
    stream: &StreamConfig,
    account: &AccountLimits,
    server: &ServerLimits,
) -> Result<(), ApiError> {
    for most in [server.max_ack_pending, account.max_ack_pending, stream.consumer_limits.max_ack_pending] {
        let is_less = most <= 0 || config.max_ack_pending.0 <= most;
        require(is_less, || ApiError::consumer_max_pending_ack_excess(most))?;
    }
    let longest = stream.consumer_limits.inactive_threshold;
    require(longest.is_zero() || span(config.inactive_threshold) <= longest, || {
        ApiError::consumer_inactive_threshold_excess(crate::span::text(longest))
    })
}

fn check_direct(config: &ConsumerBody) -> Result<(), ApiError> {
    if !config.direct {
        return Ok(());
    }
    require(!config.deliver_subject.is_empty(), ApiError::consumer_direct_requires_push)?;
    require(config.durable.is_empty(), ApiError::consumer_direct_requires_ephemeral)
}

// spec: JS-093
fn check_filters(config: &ConsumerBody) -> Result<(), ApiError> {
    let (one, list) = (&config.filter_subject, &config.filter_subjects);
    require(one.is_empty() || list.is_empty(), ApiError::consumer_duplicate_filter_subjects)?;
    require(one.is_empty() || is_valid(one), || invalid("invalid subject"))?;
    require(!list.iter().any(String::is_empty), ApiError::consumer_empty_filter)?;
    for (at, filter) in list.iter().enumerate() {
        require(is_valid(filter), || invalid("invalid subject"))?;
        let mut others = list.iter().enumerate().filter(|(other, _)| *other != at);
        let overlaps = others.any(|(_, other)| is_subset(filter, other));
        require(!overlaps, ApiError::consumer_overlapping_subject_filters)?;
    }
    Ok(())
}

// spec: JS-090
fn check_start(config: &ConsumerBody) -> Result<(), ApiError> {
    let (has_seq, has_time) = (config.opt_start_seq > 0, config.opt_start_time.is_some());
    let also = |policy, start| also_set(policy, start);
    let has_filter = !config.filter_subject.is_empty() || !config.filter_subjects.is_empty();
    match config.deliver_policy {
        DeliverKind::ByStartSequence => {
            require(has_seq, || not_set("by start sequence", "start sequence"))?;
            require(!has_time, || also("by start sequence", "time"))
        }
        DeliverKind::ByStartTime => {
            require(has_time, || not_set("by start time", "start time"))?;
            require(!has_seq, || also("by start time", "start sequence"))
        }
        kind => {
            let policy = match kind {
                DeliverKind::Last => "last",
                DeliverKind::New => "new",
                DeliverKind::LastPerSubject => "last per subject",
                _ => "all",
            };
            require(!has_seq, || also(policy, "sequence"))?;
            require(!has_time, || also(policy, "time"))?;
            let needs_filter = kind == DeliverKind::LastPerSubject && !has_filter;
            require(!needs_filter, || not_set(policy, "filter subject"))
        }
    }
}

fn also_set(policy: &str, start: &str) -> ApiError {
    let why = format!("consumer delivery policy is deliver {policy}, but optional start {start} is also set");
    ApiError::consumer_invalid_policy(why)
}

fn not_set(policy: &str, what: &str) -> ApiError {
    let why = format!("consumer delivery policy is deliver {policy}, but optional {what} is not set");
    ApiError::consumer_invalid_policy(why)
}

fn check_sampling(frequency: &str) -> Result<(), ApiError> {
    if frequency.is_empty() {
        return Ok(());
    }
    let number = frequency.strip_suffix('%').unwrap_or(frequency);
    let fault =
        |why| ApiError::consumer_invalid_sampling(format!("strconv.Atoi: parsing {}: {why}", quote::text(number)));
    let digits = number.strip_prefix(['+', '-']).unwrap_or(number);
    require(!digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()), || fault("invalid syntax"))?;
    let percent: i64 = number.parse().map_err(|_| fault("value out of range"))?;
    // Less than none is refused, but nobody ever said why.
    require(percent >= 0, || ApiError::consumer_invalid_sampling("<nil>"))
}

// spec: JS-095
fn check_groups(config: &ConsumerBody) -> Result<(), ApiError> {
    let groups = &config.priority_groups;
    if config.priority_policy == PriorityPolicy::None {
        require(groups.is_empty(), ApiError::consumer_priority_group_with_policy_none)?;
        return require(config.priority_timeout == NONE, ApiError::consumer_pinned_ttl_without_priority_policy_none);
    }
    require(config.deliver_subject.is_empty(), ApiError::consumer_push_with_priority_group)?;
    require(!groups.is_empty(), ApiError::consumer_priority_policy_without_group)?;
    for group in groups {
        require(!group.is_empty(), ApiError::consumer_empty_group_name)?;
        require(is_valid_group(group), ApiError::consumer_invalid_group_name)?;
    }
    Ok(())
}

impl ConsumerBody {
    /// The configuration as it is said. What contradicts itself is resolved in favour of the policy.
    pub(crate) fn into_config(self) -> ConsumerConfig {
        let filter_is_list = self.filter_subject.is_empty();
        let one = (!filter_is_list).then_some(self.filter_subject);
        ConsumerConfig {
            durable: self.durable,
            name: self.name,
            description: self.description,
            deliver_policy: match self.deliver_policy {
                DeliverKind::All => DeliverPolicy::All,
                DeliverKind::Last => DeliverPolicy::Last,
                DeliverKind::New => DeliverPolicy::New,
                DeliverKind::ByStartSequence => DeliverPolicy::ByStartSequence(self.opt_start_seq),
                DeliverKind::ByStartTime => DeliverPolicy::ByStartTime(self.opt_start_time.unwrap_or_default()),
                DeliverKind::LastPerSubject => DeliverPolicy::LastPerSubject,
            },
            ack_policy: self.ack_policy,
            ack_wait: span(self.ack_wait),
            max_deliver: self.max_deliver.0,
            backoff: self.backoff.into_iter().map(span).collect(),
            filter_is_list: filter_is_list && !self.filter_subjects.is_empty(),
            filter_subjects: one.map_or(self.filter_subjects, |one| vec![one]),
            replay_policy: self.replay_policy,
            rate_limit_bps: self.rate_limit_bps,
            sample_freq: self.sample_freq,
            max_waiting: self.max_waiting.0,
            max_ack_pending: self.max_ack_pending.0,
            flow_control: self.flow_control,
            headers_only: self.headers_only,
            max_batch: self.max_batch.0,
            max_expires: span(self.max_expires),
            max_bytes: self.max_bytes.0,
            deliver_subject: self.deliver_subject,
            deliver_group: self.deliver_group,
            idle_heartbeat: span(self.idle_heartbeat),
            inactive_threshold: span(self.inactive_threshold),
            num_replicas: u32::try_from(self.num_replicas.0).unwrap_or_default(),
            mem_storage: self.mem_storage,
            direct: self.direct,
            sourcing: self.sourcing,
            // The beginning of time is no rest.
            pause_until: self.pause_until.filter(|until| until.as_nanos() > 0),
            priority_groups: self.priority_groups,
            priority_policy: self.priority_policy,
            priority_timeout: span(self.priority_timeout),
            metadata: self.metadata,
        }
    }
}
