//! Streams and consumers.

use std::fmt;
use std::time::{Duration, SystemTime};

use super::Document;

/// `JetStream` of a server that has it on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct JetStreamSnapshot {
    /// What it was told.
    pub settings: JetStreamSettings,
    /// What is used.
    pub usage: JetStreamUsage,
    /// Accounts that may have streams.
    pub accounts: u64,
    /// Level of the API.
    pub api_level: u64,
    /// Waiting for the disk.
    pub disk_waits: DiskWaits,
}

/// How work for the disk has waited for other work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DiskWaits {
    /// What waits now.
    pub waiting: u64,
    /// What had to wait.
    pub waits: u64,
    /// How long all of it.
    pub total: Duration,
    /// How long the longest.
    pub longest: Duration,
}

/// What `JetStream` was told. Sizes are bytes; 0 is no bound but where something else is said.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct JetStreamSettings {
    /// Most bytes in memory.
    pub max_memory: u64,
    /// Most bytes in files.
    pub max_storage: u64,
    /// Both are configured, and not found out.
    pub is_bounded: bool,
    /// Where files are.
    pub store_dir: String,
    /// How often what was written is synced.
    pub sync_interval: Duration,
    /// It is synced before it is acknowledged.
    pub sync_always: bool,
    /// The domain; empty for none.
    pub domain: String,
    /// Requests with unknown fields are refused.
    pub strict: bool,
    /// Messages of one pull request.
    pub max_request_batch: u64,
    /// Messages of a consumer that wait for acknowledgement.
    pub max_ack_pending: u64,
    /// The longest window in which duplicates are found.
    pub max_duplicate_window: Duration,
    /// Batches under way in one stream.
    pub max_batch_inflight_per_stream: u64,
    /// Batches under way in all.
    pub max_batch_inflight_total: u64,
    /// Messages of a batch.
    pub max_batch_size: u64,
    /// How long a batch may be silent.
    pub max_batch_timeout: Duration,
    /// Consumers of a stream that sets no bound itself; -1 is no bound.
    pub default_max_consumers: i64,
}

/// What is used, by a server or an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct JetStreamUsage {
    /// Bytes in memory.
    pub memory: u64,
    /// Bytes in files.
    pub storage: u64,
    /// Bytes in memory set aside.
    pub reserved_memory: u64,
    /// Bytes in files set aside.
    pub reserved_storage: u64,
    /// Requests to the API.
    pub api_total: u64,
    /// Those that were refused.
    pub api_errors: u64,
}

/// How much there is of streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct JetStreamTotals {
    /// Streams.
    pub streams: u64,
    /// Consumers.
    pub consumers: u64,
    /// Messages.
    pub messages: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// What will be shown of an account's streams: leave out the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JetStreamWant {
    /// Streams.
    pub streams: bool,
    /// Consumers.
    pub consumers: bool,
    /// Configurations.
    pub config: bool,
    /// The first so many streams.
    pub most_streams: usize,
    /// The first so many consumers of all of them.
    pub most_consumers: usize,
}

/// An account that may have streams.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct JetStreamAccount {
    /// Its name, or public key.
    pub account: String,
    /// What it calls itself.
    pub name_tag: String,
    /// What it uses. What is set aside is what it may use: `u64::MAX` for no bound.
    pub usage: JetStreamUsage,
    /// Its streams, by name.
    pub streams: Vec<StreamSnapshot>,
}

/// A stream.
#[derive(Debug, Clone, PartialEq)]
pub struct StreamSnapshot {
    /// Its name.
    pub name: String,
    /// Since when it has been there.
    pub created: SystemTime,
    /// The server that leads it.
    pub leader: String,
    /// Its configuration, if that was wanted.
    pub config: Option<Document>,
    /// Messages.
    pub messages: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The first sequence.
    pub first_seq: u64,
    /// When it was taken in.
    pub first_time: Option<SystemTime>,
    /// The last sequence.
    pub last_seq: u64,
    /// When it was taken in.
    pub last_time: Option<SystemTime>,
    /// Subjects.
    pub subjects: u64,
    /// Sequences that are no messages.
    pub deleted: u64,
    /// Sequences that cannot be read.
    pub lost: Vec<u64>,
    /// How many consumers it has.
    pub consumers: u64,
    /// The consumers, by name, if that was wanted.
    pub listed: Vec<ConsumerSnapshot>,
    /// How far it is with the stream that it mirrors.
    pub mirror: Option<Document>,
    /// How far it is with those that it collects from.
    pub sources: Vec<Document>,
    /// Bounds by its configuration; -1 is none.
    pub max_msgs: i64,
    /// The same of bytes.
    pub max_bytes: i64,
}

/// A consumer.
#[derive(Debug, Clone, PartialEq)]
pub struct ConsumerSnapshot {
    /// Its name.
    pub name: String,
    /// What is written of it for people; empty for nothing.
    pub description: String,
    /// Since when it has been there.
    pub created: SystemTime,
    /// Its configuration, if that was wanted.
    pub config: Option<Document>,
    /// It copies a stream into another.
    pub is_direct: bool,
    /// What was delivered last.
    pub delivered: Reached,
    /// Up to where all is acknowledged.
    pub ack_floor: Reached,
    /// Messages that wait for acknowledgement.
    pub num_ack_pending: u64,
    /// Messages delivered more than once.
    pub num_redelivered: u64,
    /// Pull requests that wait.
    pub num_waiting: u64,
    /// Messages still to be delivered.
    pub num_pending: u64,
    /// Dead letters that wait for somebody to have them; `None` where there are never any.
    pub dead_letters: Option<u64>,
    /// Messages passed over, since they could not be read.
    pub passed_over: u64,
    /// Somebody listens where messages are pushed to.
    pub push_bound: bool,
    /// How long it still rests.
    pub pause_remaining: Duration,
    /// When this was so.
    pub now: SystemTime,
    /// Its groups: name, the client that is pinned, and since when.
    pub groups: Vec<(String, String, Option<SystemTime>)>,
}

/// A place in a consumer and in its stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reached {
    /// In the consumer.
    pub consumer_seq: u64,
    /// In the stream.
    pub stream_seq: u64,
    /// When.
    pub last_active: Option<SystemTime>,
}

/// A stream that cannot be used as it should.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamFault {
    /// Its account.
    pub account: String,
    /// Its name.
    pub stream: String,
    /// What it cannot do, such as `could not be recovered`.
    pub what: &'static str,
    /// Why.
    pub why: String,
}

impl fmt::Display for StreamFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { account, stream, what, why } = self;
        write!(f, "JetStream stream '{account} > {stream}' {what}: {why}")
    }
}

/// What there is of an account, a stream and a consumer that somebody asks about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// All of it.
    All,
    /// Not even the account, or it may have no streams.
    NoAccount,
    /// The account without the stream.
    NoStream,
    /// The stream without the consumer.
    NoConsumer,
}
