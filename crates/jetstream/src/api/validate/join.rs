//! Whether a consumer may be created, or changed, beside others.

use std::time::Duration;

use martlet_proto::headers;

use super::{MAX_NAME, ServerLimits, check_consumer, overlap, require};
use crate::api::ApiError;
use crate::api::answer::AccountLimits;
use crate::api::body::{Action, ConsumerBody, ConsumerCreateBody, DeliverKind};
use crate::api::json::{self, Int, Nanos, Strictness};
use crate::api::metadata;
use crate::config::{AckPolicy, ConsumerConfig, DeliverPolicy, Retention, StreamConfig};

/// How long a consumer that is not durable stays without subscribers, if it does not say.
const DEFAULT_INACTIVE_THRESHOLD: Duration = Duration::from_secs(5);

/// The header by which a stream that copies another says which one it means, and by which it is answered.
pub const STREAM_IDENTITY: &[u8] = b"Nats-Stream-Identity";

/// Whether a consumer for a mirror or source is asked of the stream that is meant: one may have been put in its place.
/// `identity` is the stream's; others are not asked for it.
// spec: JS-099
pub fn check_identity(body: &ConsumerBody, block: &[u8], identity: &str) -> Result<(), ApiError> {
    let meant =
        headers::get(block, STREAM_IDENTITY).filter(|meant| !meant.is_empty() && (body.direct || body.sourcing));
    require(meant.is_none_or(|meant| meant == identity.as_bytes()), || {
        ApiError::consumer_stream_identity_mismatch(identity)
    })
}

/// The consumers of a stream, as one that is to join them finds them. Some *count*: those for mirrors and sources of other streams
/// do not.
pub trait Neighbours {
    /// What the one with a name is configured to be.
    fn find(&self, name: &str) -> Option<&ConsumerConfig>;
    /// How many count, with those that are on their way.
    fn count(&self) -> usize;
    /// Whether one that counts, other than `name`, gets messages that one of `filters` selects.
    fn shares(&self, name: &str, filters: &[String]) -> bool;
}

/// A few consumers, by their configurations.
impl<T: AsRef<ConsumerConfig>> Neighbours for &[T] {
    fn find(&self, name: &str) -> Option<&ConsumerConfig> {
        self.iter().map(AsRef::as_ref).find(|there| there.name == name)
    }

    fn count(&self) -> usize {
        self.iter().filter(|there| there.as_ref().counts()).count()
    }

    fn shares(&self, name: &str, filters: &[String]) -> bool {
        let takes = |there: &ConsumerConfig, filter: &String| {
            there.filter_subjects.is_empty() || there.filter_subjects.iter().any(|other| overlap(filter, other))
        };
        let mut others = self.iter().map(AsRef::as_ref).filter(|there| there.counts() && there.name != name);
        others.any(|there| filters.iter().any(|filter| takes(there, filter)))
    }
}

/// What a consumer that is asked for finds.
pub struct Joining<'a> {
    /// Its stream.
    pub stream: &'a StreamConfig,
    /// The consumers that are there.
    pub consumers: &'a dyn Neighbours,
    /// What the account may use, for consumers with as many replicas as it has.
    pub account: Option<&'a AccountLimits>,
    /// What the server allows.
    pub server: &'a ServerLimits,
    /// Whether somebody listens on a subject.
    pub is_wanted: &'a dyn Fn(&str) -> bool,
    /// A name that no consumer has.
    pub new_name: &'a dyn Fn() -> String,
}

/// What comes of a consumer that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Joined {
    /// It may be created so.
    New {
        /// Its name; its configuration may have none.
        name: String,
        /// What it is to be.
        config: Box<ConsumerConfig>,
    },
    /// It is there; it may be changed, if this is anything else.
    Changed {
        /// Its name.
        name: String,
        /// What it is to be.
        config: Box<ConsumerConfig>,
    },
}

/// Whether a consumer may be created or changed. That its names are those in the subject has been seen to.
// spec: JS-027
pub fn join_consumer(create: &ConsumerCreateBody, joining: &Joining<'_>) -> Result<Joined, ApiError> {
    let mut body = create.config.clone();
    serve_source(&mut body, joining);
    let find = |name: &str| joining.consumers.find(name).filter(|_| !name.is_empty());
    if let Some(there) = find(&body.name) {
        keep(&mut body, there);
    }
    let account = joining.account.ok_or_else(ApiError::no_limits)?;
    let mut config = check_consumer(&body, create.pedantic, joining.stream, account, joining.server)?;
    // A timeout below zero is mended, but has been asked for.
    let level = metadata::consumer_level(&config).max(u8::from(body.priority_timeout < Nanos(0)));
    metadata::stamp(&mut config.metadata, level);

    let name = if config.durable.is_empty() { config.name.clone() } else { config.durable.clone() };
    if let Some(there) = find(&name) {
        return change(&name, config, create.action, there, joining);
    }
    // spec: JS-098
    require(create.action != Action::Update, ApiError::consumer_does_not_exist)?;
    check_count(&config, joining, account)?;
    check_work_queue(&name, &config, joining)?;
    require(config.durable.len() <= MAX_NAME, || ApiError::consumer_name_too_long(MAX_NAME))?;
    if config.durable.is_empty() {
        fill_threshold(&mut config);
    }
    let name = if name.is_empty() { (joining.new_name)() } else { name };
    Ok(Joined::New { name, config: Box::new(config) })
}

/// Whether a consumer that comes with its stream from elsewhere may be one of it: its configuration is JSON. `None` for one
/// that is part of a copy and comes again by itself.
// spec: JS-125
pub fn restore_consumer(name: &str, json: &[u8], joining: &Joining<'_>) -> Result<Option<ConsumerConfig>, ApiError> {
    let mut config: ConsumerBody = json::decode(json, Strictness::Lenient)?;
    if config.direct {
        return Ok(None);
    }
    if config.name.is_empty() && config.durable.is_empty() {
        name.clone_into(&mut config.name);
    }
    let create = ConsumerCreateBody { config, action: Action::CreateOrUpdate, ..ConsumerCreateBody::default() };
    match join_consumer(&create, joining)? {
        Joined::New { name: found, config } if found == name => Ok(Some(ConsumerConfig { name: found, ..*config })),
        Joined::New { .. } => Err(ApiError::consumer_create_durable_and_name_mismatch()),
        Joined::Changed { .. } => Err(ApiError::consumer_already_exists()),
    }
}

/// A consumer for a mirror or source: where messages go when they are acknowledged it must last and acknowledge; elsewhere
/// it only needs a name of its own.
// spec: JS-113
fn serve_source(body: &mut ConsumerBody, joining: &Joining<'_>) {
    if !body.direct || !body.sourcing || body.name.is_empty() {
        return;
    }
    if joining.stream.retention == Retention::Limits {
        body.name = format!("{}-{}", body.name, (joining.new_name)());
        return;
    }
    body.direct = false;
    body.durable.clone_from(&body.name);
    body.ack_policy = AckPolicy::FlowControl;
    (body.ack_wait, body.max_deliver, body.inactive_threshold) = (Nanos(0), Int(0), Nanos(0));
}

/// What a request cannot change: a rest, and where a consumer for a source began.
fn keep(body: &mut ConsumerBody, there: &ConsumerConfig) {
    body.pause_until = there.pause_until;
    if !body.sourcing || body.durable.is_empty() {
        return;
    }
    (body.deliver_policy, body.opt_start_seq, body.opt_start_time) = match there.deliver_policy {
        DeliverPolicy::All => (DeliverKind::All, 0, None),
        DeliverPolicy::Last => (DeliverKind::Last, 0, None),
        DeliverPolicy::New => (DeliverKind::New, 0, None),
        DeliverPolicy::ByStartSequence(seq) => (DeliverKind::ByStartSequence, seq, None),
        DeliverPolicy::ByStartTime(time) => (DeliverKind::ByStartTime, 0, Some(time)),
        DeliverPolicy::LastPerSubject => (DeliverKind::LastPerSubject, 0, None),
    };
}

fn change(
    name: &str,
    mut config: ConsumerConfig,
    action: Action,
    there: &ConsumerConfig,
    joining: &Joining<'_>,
) -> Result<Joined, ApiError> {
    // spec: JS-098
    if action == Action::Create {
        if let Some(level) = there.metadata.get(metadata::REQUIRED_LEVEL) {
            config.metadata.insert(metadata::REQUIRED_LEVEL.to_owned(), level.clone());
        }
        require(config == *there, ApiError::consumer_already_exists)?;
    }
    if joining.stream.retention == Retention::WorkQueue {
        require(!joining.consumers.shares(name, &config.filter_subjects), ApiError::consumer_wq_consumer_not_unique)?;
    }
    if config != *there {
        check_change(&config, there, joining)?;
    }
    // A consumer that is not called durable any more stays as long as it did, and goes on doing so.
    if there.durable.is_empty() && !there.inactive_threshold.is_zero() {
        fill_threshold(&mut config);
    }
    Ok(Joined::Changed { name: name.to_owned(), config: Box::new(config) })
}

fn fill_threshold(config: &mut ConsumerConfig) {
    if config.inactive_threshold.is_zero() {
        config.inactive_threshold = DEFAULT_INACTIVE_THRESHOLD;
    }
}

// spec: JS-096
fn check_change(new: &ConsumerConfig, old: &ConsumerConfig, joining: &Joining<'_>) -> Result<(), ApiError> {
    let (new_start, old_start) = (start(new.deliver_policy), start(old.deliver_policy));
    for (is_changed, what) in [
        (new_start.0 != old_start.0, "deliver policy"),
        (new.mem_storage != old.mem_storage, "storage type"),
        (new.direct != old.direct, "direct"),
        (new.sourcing != old.sourcing, "sourcing"),
        (new_start.1 != old_start.1, "start sequence"),
        (new_start.2 != old_start.2, "start time"),
        (new.ack_policy != old.ack_policy, "ack policy"),
        (new.replay_policy != old.replay_policy, "replay policy"),
        (new.idle_heartbeat != old.idle_heartbeat, "heart beats"),
        (new.flow_control != old.flow_control, "flow control"),
    ] {
        require(!is_changed, || ApiError::consumer_create(format!("{what} can not be updated")))?;
    }
    if new.deliver_subject != old.deliver_subject {
        let (was_pull, is_pull) = (old.deliver_subject.is_empty(), new.deliver_subject.is_empty());
        require(!was_pull, || ApiError::consumer_create("can not update pull consumer to push based"))?;
        require(!is_pull, || ApiError::consumer_create("can not update push consumer to pull based"))?;
        require(!(joining.is_wanted)(&old.deliver_subject), ApiError::consumer_name_exist)?;
    }
    require(new.max_waiting == old.max_waiting, || ApiError::consumer_create("max waiting can not be updated"))
}

/// The kind of a start, its sequence and its time.
fn start(policy: DeliverPolicy) -> (std::mem::Discriminant<DeliverPolicy>, u64, Option<martlet_events::WallTime>) {
    let kind = std::mem::discriminant(&policy);
    match policy {
        DeliverPolicy::ByStartSequence(seq) => (kind, seq, None),
        DeliverPolicy::ByStartTime(time) => (kind, 0, Some(time)),
        _ => (kind, 0, None),
    }
}

// spec: JS-127 NEW-045
fn check_count(config: &ConsumerConfig, joining: &Joining<'_>, account: &AccountLimits) -> Result<(), ApiError> {
    if !config.counts() {
        return Ok(());
    }
    let bounds = [joining.stream.max_consumers, account.max_consumers];
    let most = bounds.into_iter().filter(|bound| *bound > 0).min().unwrap_or(joining.server.default_max_consumers);
    let is_full = || i64::try_from(joining.consumers.count()).is_ok_and(|count| count >= most);
    require(most <= 0 || !is_full(), ApiError::maximum_consumers_limit)
}

// spec: JS-091
fn check_work_queue(name: &str, config: &ConsumerConfig, joining: &Joining<'_>) -> Result<(), ApiError> {
    if joining.stream.retention != Retention::WorkQueue || !config.counts() {
        return Ok(());
    }
    let acknowledges = matches!(config.ack_policy, AckPolicy::Explicit | AckPolicy::FlowControl);
    require(acknowledges, ApiError::consumer_wq_requires_explicit_ack)?;
    require(config.deliver_policy == DeliverPolicy::All, ApiError::consumer_wq_consumer_not_deliver_all)?;
    if joining.consumers.count() == 0 {
        return Ok(());
    }
    require(!config.filter_subjects.is_empty(), ApiError::consumer_wq_multiple_unfiltered)?;
    require(!joining.consumers.shares(name, &config.filter_subjects), ApiError::consumer_wq_consumer_not_unique)
}
