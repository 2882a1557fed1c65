//! What a stream and a consumer are configured to be, with every default filled in. JSON is `api`'s.

use std::collections::BTreeMap;
use std::time::Duration;

use martlet_events::WallTime;

/// Where messages are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Storage {
    /// In files.
    #[default]
    File,
    /// In memory.
    Memory,
}

/// When messages go that no bound takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Retention {
    /// Never.
    #[default]
    Limits,
    /// When every consumer that wants them has acknowledged them; at once if none wants them.
    Interest,
    /// When a consumer has acknowledged them.
    WorkQueue,
}

/// What happens when a bound is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Discard {
    /// The oldest messages go.
    #[default]
    Old,
    /// New messages are refused.
    New,
}

/// Compression of what is in files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Compression {
    /// None.
    #[default]
    None,
    /// S2.
    S2,
}

/// When a publisher is told that its message is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PersistMode {
    /// As the server is configured.
    #[default]
    Default,
    /// Before it is written.
    Async,
}

/// A subject transform.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SubjectTransform {
    /// The pattern of subjects.
    pub src: String,
    /// What they become.
    pub dest: String,
}

/// Where stored messages are published again.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Republish {
    /// The pattern of subjects.
    pub src: String,
    /// What they become.
    pub dest: String,
    /// Without their payload.
    pub headers_only: bool,
}

/// Where servers should be. One node does not care, and gives it back.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Placement {
    /// The cluster.
    pub cluster: String,
    /// Tags that servers have.
    pub tags: Vec<String>,
    /// The server that leads.
    pub preferred: String,
}

/// Another account's or domain's API.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct External {
    /// The prefix instead of `$JS.API`.
    pub api: String,
    /// The prefix of subjects that messages are delivered to.
    pub deliver: String,
}

/// A consumer that stands at the origin of a mirror or source.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SourceConsumer {
    /// Its name.
    pub name: String,
    /// Where it delivers.
    pub deliver_subject: String,
}

/// Where a stream gets messages from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Source {
    /// The stream.
    pub name: String,
    /// The first sequence; 0 for none given.
    pub opt_start_seq: u64,
    /// The first time.
    pub opt_start_time: Option<WallTime>,
    /// Which subjects; empty for all.
    pub filter_subject: String,
    /// Which subjects, and what they become.
    pub subject_transforms: Vec<SubjectTransform>,
    /// If it is in another account or domain.
    pub external: Option<External>,
    /// If a durable consumer is to be used.
    pub consumer: Option<SourceConsumer>,
}

/// Bounds for the consumers of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ConsumerLimits {
    /// The longest inactivity; zero for none.
    pub inactive_threshold: Duration,
    /// The most messages not acknowledged; 0 for none.
    pub max_ack_pending: i64,
}

/// What a stream is configured to be. -1 is no bound, as in the API.
// spec: JS-039 JS-040 JS-041 JS-042
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "the API has that many")]
pub struct StreamConfig {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// What it listens on.
    pub subjects: Vec<String>,
    /// When messages go.
    pub retention: Retention,
    /// The most consumers.
    pub max_consumers: i64,
    /// The most messages.
    pub max_msgs: i64,
    /// The most bytes.
    pub max_bytes: i64,
    /// The greatest age; zero for none.
    pub max_age: Duration,
    /// The most messages of one subject.
    pub max_msgs_per_subject: i64,
    /// The largest message.
    pub max_msg_size: i32,
    /// What happens when a bound is reached.
    pub discard: Discard,
    /// Whether `max_msgs_per_subject` refuses new messages, too.
    pub discard_new_per_subject: bool,
    /// Where messages are kept.
    pub storage: Storage,
    /// How many copies there are.
    pub num_replicas: u32,
    /// Publishers are not answered.
    pub no_ack: bool,
    /// How long message ids are remembered.
    pub duplicate_window: Duration,
    /// Where it should be.
    pub placement: Option<Placement>,
    /// The stream that it is a copy of.
    pub mirror: Option<Source>,
    /// The streams that it collects from.
    pub sources: Vec<Source>,
    /// Compression.
    pub compression: Compression,
    /// What subjects become before they are stored.
    pub subject_transform: Option<SubjectTransform>,
    /// Where stored messages are published again.
    pub republish: Option<Republish>,
    /// Nothing comes, nothing goes.
    pub sealed: bool,
    /// Messages cannot be deleted by the API.
    pub deny_delete: bool,
    /// The stream cannot be purged by the API.
    pub deny_purge: bool,
    /// `Nats-Rollup` is understood.
    pub allow_rollup_hdrs: bool,
    /// Direct get is answered.
    pub allow_direct: bool,
    /// Direct get is answered for the stream that this one mirrors.
    pub mirror_direct: bool,
    /// The first sequence; 0 for 1.
    pub first_seq: u64,
    /// Bounds for consumers.
    pub consumer_limits: ConsumerLimits,
    /// `Nats-TTL` is understood.
    pub allow_msg_ttl: bool,
    /// How long delete markers stay; zero for none.
    pub subject_delete_marker_ttl: Duration,
    /// `Nats-Incr` is understood: the stream counts.
    pub allow_msg_counter: bool,
    /// Atomic batches are understood.
    pub allow_atomic: bool,
    /// `Nats-Schedule` is understood.
    pub allow_msg_schedules: bool,
    /// Fast batches are understood.
    pub allow_batched: bool,
    /// When publishers are told.
    pub persist_mode: PersistMode,
    /// What its owner says of it.
    pub metadata: BTreeMap<String, String>,
}

impl Default for StreamConfig {
    fn default() -> Self {
        Self {
            name: String::new(),
            description: String::new(),
            subjects: Vec::new(),
            retention: Retention::default(),
            max_consumers: -1,
            max_msgs: -1,
            max_bytes: -1,
            max_age: Duration::ZERO,
            max_msgs_per_subject: -1,
            max_msg_size: -1,
            discard: Discard::default(),
            discard_new_per_subject: false,
            storage: Storage::default(),
            num_replicas: 1,
            no_ack: false,
            duplicate_window: Duration::ZERO,
            placement: None,
            mirror: None,
            sources: Vec::new(),
            compression: Compression::default(),
            subject_transform: None,
            republish: None,
            sealed: false,
            deny_delete: false,
            deny_purge: false,
            allow_rollup_hdrs: false,
            allow_direct: false,
            mirror_direct: false,
            first_seq: 0,
            consumer_limits: ConsumerLimits::default(),
            allow_msg_ttl: false,
            subject_delete_marker_ttl: Duration::ZERO,
            allow_msg_counter: false,
            allow_atomic: false,
            allow_msg_schedules: false,
            allow_batched: false,
            persist_mode: PersistMode::default(),
            metadata: BTreeMap::new(),
        }
    }
}

/// Where a consumer begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DeliverPolicy {
    /// At the first message.
    #[default]
    All,
    /// At the last message.
    Last,
    /// At the next message.
    New,
    /// At a sequence.
    ByStartSequence(u64),
    /// At a time.
    ByStartTime(WallTime),
    /// At the last message of each subject.
    LastPerSubject,
}

/// What has to be acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AckPolicy {
    /// Nothing.
    #[default]
    None,
    /// A message, and with it all before.
    All,
    /// Every message.
    Explicit,
    /// Nothing but flow control.
    FlowControl,
}

/// How fast messages are delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ReplayPolicy {
    /// As fast as can be.
    #[default]
    Instant,
    /// As they came.
    Original,
}

/// Who of several pull requests goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PriorityPolicy {
    /// Who came first.
    #[default]
    None,
    /// Only when much is pending.
    Overflow,
    /// One client at a time.
    PinnedClient,
    /// The lowest number.
    Prioritized,
}

/// What a consumer is configured to be.
// spec: JS-087
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "the API has that many")]
pub struct ConsumerConfig {
    /// Its name, if it outlives its subscribers; else empty.
    pub durable: String,
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// Where it begins.
    pub deliver_policy: DeliverPolicy,
    /// What has to be acknowledged.
    pub ack_policy: AckPolicy,
    /// How long an acknowledgement may take.
    pub ack_wait: Duration,
    /// How often a message is delivered at most; -1 for any.
    pub max_deliver: i64,
    /// How long it takes until a message is delivered again, for each time.
    pub backoff: Vec<Duration>,
    /// Which subjects; none for all. One was given as `filter_subject` or in `filter_subjects`: see `filter_is_list`.
    pub filter_subjects: Vec<String>,
    /// Whether filters were given as `filter_subjects`.
    pub filter_is_list: bool,
    /// How fast messages are delivered.
    pub replay_policy: ReplayPolicy,
    /// Bits per second at most; 0 for any.
    pub rate_limit_bps: u64,
    /// How many acknowledgements are measured, in percent, as given; empty for none.
    pub sample_freq: String,
    /// Pull requests that may wait; 0 for push.
    pub max_waiting: i64,
    /// Messages that may wait for acknowledgement; -1 for any.
    pub max_ack_pending: i64,
    /// Flow control.
    pub flow_control: bool,
    /// Messages are delivered without their payload.
    pub headers_only: bool,
    /// The most messages of a pull request; 0 for any.
    pub max_batch: i64,
    /// The longest pull request; zero for any.
    pub max_expires: Duration,
    /// The most bytes of a pull request; 0 for any.
    pub max_bytes: i64,
    /// Where messages are pushed to; empty for pull.
    pub deliver_subject: String,
    /// The queue group they are pushed to.
    pub deliver_group: String,
    /// How often an idle consumer says so; zero for never.
    pub idle_heartbeat: Duration,
    /// How long a consumer without subscribers stays; zero for ever.
    pub inactive_threshold: Duration,
    /// How many copies there are; 0 as the stream has.
    pub num_replicas: u32,
    /// Its state is in memory.
    pub mem_storage: bool,
    /// It serves a mirror or source.
    pub direct: bool,
    /// It was made for a mirror or source.
    pub sourcing: bool,
    /// Nothing is delivered before.
    pub pause_until: Option<WallTime>,
    /// Groups of pull requests.
    pub priority_groups: Vec<String>,
    /// Who goes first.
    pub priority_policy: PriorityPolicy,
    /// How long a pinned client may be silent.
    pub priority_timeout: Duration,
    /// What its owner says of it.
    pub metadata: BTreeMap<String, String>,
}

impl ConsumerConfig {
    /// Whether it counts towards bounds: consumers for mirrors and sources of other streams do not.
    // spec: JS-127 NEW-045
    pub fn counts(&self) -> bool {
        !self.direct && !self.sourcing
    }
}

impl AsRef<Self> for ConsumerConfig {
    fn as_ref(&self) -> &Self {
        self
    }
}

impl Default for ConsumerConfig {
    fn default() -> Self {
        Self {
            durable: String::new(),
            name: String::new(),
            description: String::new(),
            deliver_policy: DeliverPolicy::default(),
            ack_policy: AckPolicy::default(),
            ack_wait: Duration::ZERO,
            max_deliver: -1,
            backoff: Vec::new(),
            filter_subjects: Vec::new(),
            filter_is_list: false,
            replay_policy: ReplayPolicy::default(),
            rate_limit_bps: 0,
            sample_freq: String::new(),
            max_waiting: 0,
            max_ack_pending: 0,
            flow_control: false,
            headers_only: false,
            max_batch: 0,
            max_expires: Duration::ZERO,
            max_bytes: 0,
            deliver_subject: String::new(),
            deliver_group: String::new(),
            idle_heartbeat: Duration::ZERO,
            inactive_threshold: Duration::ZERO,
            num_replicas: 0,
            mem_storage: false,
            direct: false,
            sourcing: false,
            pause_until: None,
            priority_groups: Vec::new(),
            priority_policy: PriorityPolicy::default(),
            priority_timeout: Duration::ZERO,
            metadata: BTreeMap::new(),
        }
    }
}
