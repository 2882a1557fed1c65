//! The `jetstream` block: what this server keeps, where, and how much.

use std::path::PathBuf;
use std::time::Duration;

use super::Secret;

/// A `jetstream` block that turns it on. Sizes are bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JetStream {
    /// `store_dir`; the server chooses a place when unset.
    pub store_dir: Option<PathBuf>,
    /// `max_memory_store`; three quarters of the memory when unset.
    pub max_memory: Option<u64>,
    /// `max_file_store`; three quarters of the free disk when unset.
    pub max_file: Option<u64>,
    /// `domain`; empty for none.
    pub domain: String,
    /// Requests with unknown fields are refused.
    pub strict: bool,
    /// When what was written is synced to disk.
    pub sync: Sync,
    /// Martlet's own `scrub_interval`: the time in which files are looked through for damage; zero for never.
    pub scrub_interval: Duration,
    /// `key`: what files are encrypted with.
    pub key: Option<Secret>,
    /// `prev_key`: what they were encrypted with, if `key` has been changed.
    pub prev_key: Option<Secret>,
    /// `cipher`.
    pub cipher: Cipher,
    /// `max_buffered_size`: what may wait to be stored, per stream.
    pub max_buffered_size: u64,
    /// `max_buffered_msgs`: the same in messages.
    pub max_buffered_msgs: u64,
    /// `request_queue_limit`: requests that may wait.
    pub request_queue_limit: usize,
    /// `info_queue_limit`: requests for information that may wait.
    pub info_queue_limit: Option<usize>,
    /// `max_concurrent_io`: how much may be on its way to the disk at a time.
    pub max_concurrent_io: usize,
    /// `limits`.
    pub limits: JetStreamLimits,
}

/// How files are encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Cipher {
    /// `chacha`: ChaCha20-Poly1305.
    #[default]
    ChaCha,
    /// `aes`: AES-GCM with keys of 256 bits.
    Aes,
}

/// `sync_interval`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sync {
    /// Before it is acknowledged.
    #[default]
    Always,
    /// At intervals: what is acknowledged may be lost with the power.
    Every(Duration),
}

/// `jetstream.limits`: bounds for every stream and consumer of this server; `None` is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JetStreamLimits {
    /// Messages of a consumer that may wait for acknowledgement.
    pub max_ack_pending: Option<u64>,
    /// Messages of one pull request.
    pub max_request_batch: Option<u64>,
    /// The longest `duplicate_window`.
    pub duplicate_window: Option<Duration>,
    /// Consumers of a stream that sets no bound itself.
    pub default_max_consumers: Option<u64>,
    /// Batches under way in one stream.
    pub batch_max_inflight_per_stream: Option<u64>,
    /// Batches under way in all streams.
    pub batch_max_inflight_total: Option<u64>,
    /// Messages of a batch.
    pub batch_max_msgs: Option<u64>,
    /// How long a batch may be silent.
    pub batch_timeout: Option<Duration>,
}

impl Default for JetStreamLimits {
    fn default() -> Self {
        Self {
            max_ack_pending: None,
            max_request_batch: None,
            duplicate_window: None,
            default_max_consumers: Some(1000),
            batch_max_inflight_per_stream: None,
            batch_max_inflight_total: None,
            batch_max_msgs: None,
            batch_timeout: None,
        }
    }
}

impl Default for JetStream {
    fn default() -> Self {
        Self {
            store_dir: None,
            max_memory: None,
            max_file: None,
            domain: String::new(),
            strict: true,
            sync: Sync::Always,
            scrub_interval: Duration::from_hours(7 * 24),
            key: None,
            prev_key: None,
            cipher: Cipher::ChaCha,
            max_buffered_size: 128 << 20,
            max_buffered_msgs: 100_000,
            request_queue_limit: 10_000,
            info_queue_limit: None,
            max_concurrent_io: 4096,
            limits: JetStreamLimits::default(),
        }
    }
}

/// `jetstream` of an account: what it may use; `None` is no bound. Sizes are bytes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AccountJetStream {
    /// Memory.
    pub max_memory: Option<u64>,
    /// Disk.
    pub max_store: Option<u64>,
    /// Streams.
    pub max_streams: Option<u64>,
    /// Consumers.
    pub max_consumers: Option<u64>,
    /// Every stream has to say how many bytes it may have.
    pub max_bytes_required: bool,
    /// Bytes of one stream in memory.
    pub memory_max_stream_bytes: Option<u64>,
    /// Bytes of one stream in files.
    pub store_max_stream_bytes: Option<u64>,
    /// Messages of a consumer that may wait for acknowledgement.
    pub max_ack_pending: Option<u64>,
}
